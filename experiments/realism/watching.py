"""A simulated market as its realism is judged: minutes, market orders, quotes, depth, meta-orders, forced closing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from delever.agents.execution import Execution
from delever.engine.commands import C_FLAGS, C_KIND, C_MARKET, FLAG_FOK, FLAG_IOC, Kind, Result
from delever.engine.events import (
    E_ACCOUNT,
    E_AMOUNT_ATOMS,
    E_CAUSE,
    E_KIND,
    E_LOTS,
    E_MARKET,
    E_PRICE_TICKS,
    E_STEP,
    EVENT_COLUMNS,
    Event,
)
from delever.engine.payoff import values_atoms
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import (
    L_LOTS,
    M_BEST_ASK,
    M_BEST_BID,
    M_LAST_TICKS,
    M_LONG_LOTS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
)
from delever.experiments.runner import Kept
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, ScenarioError

from .curves import as_lists, curves_of
from .observed import BANDS_BP, LADDER_BP, MINUTE_S, Forced, Impacts, Minutes, Observed, Quotes
from .scorecard import measured

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

MARKET = 0
"""Realism is judged in the first market of a scenario."""
DAY_S = 86_400.0
CLOSING = np.isin(np.arange(max(Event) + 1), (Event.FILL, Event.TAKEOVER, Event.ADL))
"""By kind of event: whether it may close a position."""
DEPTH_EVERY_S = 10
KEPT = (E_KIND, E_STEP, E_ACCOUNT, E_LOTS, E_PRICE_TICKS, E_AMOUNT_ATOMS, E_CAUSE)
K_KIND, K_STEP, K_ACCOUNT, K_LOTS, K_PRICE, K_AMOUNT, K_CAUSE = range(len(KEPT))


def watched(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run and return the numbers of its scorecard and its curves; what `delever validate` runs in workers."""
    seen = watch(scenario, rules, seed)
    return Kept({**measured(seen), "curves": as_lists(curves_of(seen))})


def watch(scenario: Scenario, rules: RuleSet, seed: int) -> Observed:
    """Make a run and return what there is to be seen in its first market, from the end of the warm-up on.

    Raises ScenarioError if a minute is no whole number of steps.
    """
    check_minutes(scenario)
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False)
    watcher = Watcher(model)
    model.listen(watcher.take)
    try:
        while model.running:
            model.step()
            watcher.after_step()
        return watcher.observed()
    finally:
        model.close()


def check_minutes(scenario: Scenario) -> None:
    """Raise ScenarioError if a minute is no whole number of steps."""
    if MINUTE_S % scenario.dt_s:
        raise ScenarioError(f"{scenario.name}: dt_s: a minute must be a whole number of steps (got {scenario.dt_s} s)")


class Watcher:
    """Keeps what the scorecard needs of a running model: give it `take` as listener, call `after_step` every step."""

    def __init__(self, model: MarketModel) -> None:
        """Begin before the first step."""
        self.model = model
        self.dt_s = model.scenario.dt_s
        self.from_step = model.scenario.warmup_steps + 1
        self._events: list[Integers] = []
        self._state: list[tuple[int, int, int, int, int]] = []
        self._workers = [cohort for cohort in model.cohorts if isinstance(cohort, Execution)]
        self._finished = [cohort.columns["task"]["finished"].copy() for cohort in self._workers]
        self._worked: list[Integers] = []
        self._depth_every_steps = max(1, DEPTH_EVERY_S // self.dt_s)
        self._ladder = np.zeros((2, len(LADDER_BP)))
        self._ladders = 0
        self._added = 0

    def take(self, rows: Integers) -> None:
        """Take events (n, EVENT_COLUMNS): fills and other closings of positions in the market are kept."""
        assert rows.shape[1] == EVENT_COLUMNS
        wanted = CLOSING[rows[:, E_KIND]] & (rows[:, E_MARKET] == MARKET) & (rows[:, E_STEP] >= self.from_step)
        if wanted.any():
            self._events.append(rows[wanted][:, KEPT])

    def after_step(self) -> None:
        """Note prices, depth and open interest at the end of a step."""
        model = self.model
        step = model.venue.step - 1
        if step < self.from_step:
            return
        row = model.venue.tables.markets[MARKET]
        bid, ask = row.item(M_BEST_BID), row.item(M_BEST_ASK)
        has_both = bid > 0 and ask < row[M_PRICE_MAX_TICKS]
        mark = row.item(M_MARK_TICKS)
        last = row.item(M_LAST_TICKS) or mark  # nobody has traded yet
        self._state.append((bid if has_both else 0, ask if has_both else 0, last, row.item(M_LONG_LOTS), mark))
        if has_both and step % self._depth_every_steps == 0:
            self._look_at_depth(bid, ask)
        self._note_meta_orders()
        commands, results = model.arrived, model.report.results
        rests = (commands[:, C_KIND] == Kind.LIMIT) & (commands[:, C_FLAGS] & (FLAG_IOC | FLAG_FOK) == 0)
        rests &= (commands[:, C_MARKET] == MARKET) & (results == Result.OK)
        self._added += int(rests.sum())

    def _look_at_depth(self, bid: int, ask: int) -> None:
        """Add the lots within each distance of the best price of a side."""
        widths = np.floor(LADDER_BP * bid / 1e4).astype(np.int64)
        levels = self.model.venue.tables.levels[MARKET, :, L_LOTS]
        far = int(widths[-1])
        bids = np.cumsum(levels[max(bid - far, 0) : bid + 1][::-1])
        asks = np.cumsum(levels[ask : ask + far + 1])
        for side, lots in enumerate((bids, asks)):
            self._ladder[side] += lots[np.minimum(widths, len(lots) - 1)]
        self._ladders += 1

    def _note_meta_orders(self) -> None:
        """Note side, lots, first and last step of the meta-orders that have ended in the market."""
        for cohort, finished in zip(self._workers, self._finished, strict=True):
            task = cohort.columns["task"]
            ended = task[(task["finished"] > finished) & (task["last_market"] == MARKET)]
            if len(ended):
                names = ("last_side", "last_lots", "last_begun_step", "last_ended_step")
                self._worked.append(np.column_stack([ended[name] for name in names]))
            finished[:] = task["finished"]

    def observed(self) -> Observed:
        """Return the market as it was seen."""
        events = np.concatenate(self._events) if self._events else np.empty((0, len(KEPT)), dtype=np.int64)
        fills = events[events[:, K_KIND] == Event.FILL]
        state = np.array(self._state, dtype=np.int64).reshape(-1, 5)
        orders = self._orders(fills)
        ladder = self._ladder / max(1, self._ladders)
        return Observed(
            minutes=self._minutes(state, fills),
            orders=orders,
            quotes=self._quotes(state),
            added_per_order=self._added / len(orders) if len(orders) else None,
            depth=ladder.mean(axis=0)[np.isin(LADDER_BP, BANDS_BP)],
            ladder=ladder,
            impacts=self._impacts(state, orders),
            forced=self._forced(events, state),
        )

    def _orders(self, fills: Integers) -> pd.DataFrame:
        """Return the market orders; what one account took in a row in a step is one order."""
        step, account, lots = fills[:, K_STEP], fills[:, K_ACCOUNT], fills[:, K_LOTS]
        sign = np.sign(lots)
        new = np.ones(len(fills), dtype=bool)
        new[1:] = (np.diff(step) != 0) | (np.diff(account) != 0) | (np.diff(sign) != 0)
        first = np.flatnonzero(new)
        sizes = np.add.reduceat(np.abs(lots), first) if len(first) else np.empty(0, dtype=np.int64)
        times_s = (step[first] - self.from_step) * float(self.dt_s)
        return pd.DataFrame({"time_s": times_s, "sign": sign[first], "size": sizes})

    def _minutes(self, state: Integers, fills: Integers) -> Minutes:
        """Return whole minutes of last prices and of money traded."""
        rows = int(MINUTE_S // self.dt_s)
        whole = len(state) // rows
        last = state[: whole * rows, 2].reshape(whole, rows).astype(np.float64)
        minute = (fills[:, K_STEP] - self.from_step) // rows
        inside = minute < whole
        money = np.bincount(minute[inside], weights=fills[inside, K_AMOUNT], minlength=whole)
        bought = np.where(fills[:, K_LOTS] > 0, fills[:, K_AMOUNT], 0)
        taken = np.bincount(minute[inside], weights=bought[inside], minlength=whole)
        lows = last.min(axis=1)
        np.minimum.at(lows, minute[inside], fills[inside, K_PRICE].astype(np.float64))
        return Minutes(last[:, -1], lows, money.astype(np.float64), taken.astype(np.float64))

    def _quotes(self, state: Integers) -> Quotes | None:
        """Return the quotes at the ends of steps in which both sides had one."""
        both = np.flatnonzero(state[:, 0] > 0)
        if not len(both):
            return None
        bid, ask = state[both, 0].astype(np.float64), state[both, 1].astype(np.float64)
        times_s = (both * self.dt_s).astype(np.float64)
        return Quotes(times_s, np.full(len(both), float(self.dt_s)), ask - bid, (bid + ask) / 2)

    def _impacts(self, state: Integers, orders: pd.DataFrame) -> Impacts | None:
        """Return size and impact of meta-orders, by the middle before the first and after the last child."""
        if not self._worked:
            return None
        side, lots, begun, ended = np.concatenate(self._worked).T
        begun, ended = begun - 1 - self.from_step, np.minimum(ended - 1 - self.from_step, len(state) - 1)
        inside = (begun >= 0) & (lots > 0)
        inside[inside] &= (state[begun[inside], 0] > 0) & (state[ended[inside], 0] > 0)
        middle = (state[:, 0] + state[:, 1]) / 2.0
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = side[inside] * np.log(middle[ended[inside]] / middle[begun[inside]])
        minutes = np.diff(np.log(state[:: int(MINUTE_S // self.dt_s), 2].astype(np.float64)))
        daily = minutes.std() * (DAY_S / MINUTE_S) ** 0.5
        traded = float(orders["size"].sum()) * DAY_S / (len(state) * self.dt_s)
        return Impacts(lots[inside] / traded, moved / daily) if daily > 0 and traded > 0 else None

    def _forced(self, events: Integers, state: Integers) -> Forced | None:
        """Return what was closed by force a day over mean open interest, by side; forced fills, takeovers, ADL."""
        interest = values_atoms(
            self.model.venue.tables, np.full(len(state), MARKET), state[:, 3].copy(), state[:, 4].copy()
        ).mean()
        days = len(state) * self.dt_s / DAY_S
        if not interest > 0:
            return None
        forced = events[events[:, K_CAUSE] > 0]
        sold = forced[:, K_LOTS] < 0
        longs, shorts = forced[sold, K_AMOUNT].sum(), forced[~sold, K_AMOUNT].sum()
        return Forced(float(longs / interest / days), float(shorts / interest / days))
