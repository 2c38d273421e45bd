"""Does the crash of 10 October 2025 come out of accounts, books and rules alone? Seven numbers, none of them fitted.

`delever study ten-october`. The world, and what each of its numbers is taken from: experiments/scenarios/
ten-october.toml, fixed before the first run. What came out then, and since: docs/studies.md.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from delever.engine.events import (
    E_ACCOUNT,
    E_AMOUNT_ATOMS,
    E_CAUSE,
    E_KIND,
    E_LOTS,
    E_MARKET,
    E_OTHER,
    E_PRICE_TICKS,
    E_STEP,
    Event,
)
from delever.engine.margin import equity_atoms
from delever.engine.rules.presets import PRESETS
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import (
    L_LOTS,
    M_BEST_BID,
    M_LONG_LOTS,
    M_MARK_TICKS,
    M_MULTIPLIER_ATOMS,
    P_COST_ATOMS,
    P_LOTS,
)
from delever.experiments.drawing import BLUE, VERMILION, heading, sheet
from delever.experiments.haircuts import gini
from delever.experiments.metrics.deleveraging import (
    Closed,
    adl_ratio,
    backstop_share,
    entries,
    first_adl_delay_s,
    half_of_fills_s,
    largest_share,
    part,
    profitable_share,
)
from delever.experiments.realism.watching import CLOSING
from delever.experiments.runner import Kept
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, load_scenario

from .pictures import titled
from .study import Arm, Check, Measure, Study, column, median_check, run_alone

QUESTION = "Does the deleveraging of 10 October 2025 come out of accounts, books and rules alone?"
GROUP, ARM = "ten-october", "the venue's rules"
INSTANTS, COINS = 10, 3
DEPTH_PPM = 10_000
ADL, FILL = int(Event.ADL), int(Event.FILL)
QUOTE = 1e-6

TARGETS = (
    ("first_adl_s", "first deleveraging after first liquidation (real: 62 s)", 30.0, 120.0),
    ("half_fills_s", "half of forced fills after first liquidation (real: 195 s)", 120.0, 300.0),
    ("adl_ratio", "deleveraged over liquidated notional (real: 0.38)", 0.25, 0.5),
    ("ten_instants", "of deleveraged notional, in the ten largest instants (real: 0.86)", 0.5, 1.0),
    ("profitable", "of deleveraged pairs, winner in profit (real: 0.994)", 0.97, 1.0),
    ("three_coins", "of deleveraged notional, in three coins (real: 0.64)", 0.5, 0.8),
    ("backstop", "of deleveraged notional, against the vault (real: 0.95)", 0.8, 1.0),
)
"""What is asked: key, words, and the range it has to lie in; the first two in seconds, the others shares."""
REAL = {
    "first_adl_s": 61.7, "half_fills_s": 195.0, "adl_ratio": 0.382, "ten_instants": 0.86, "profitable": 0.994,
    "three_coins": 0.644, "backstop": 0.95,
}  # fmt: skip
SHORT = ("first ADL", "half of fills", "ADL / liquidated", "ten instants", "in profit", "three coins", "vault")

TIMES_S = np.arange(0, 730, 10)
"""Seconds after the beginning of the crash at which the figure has a point."""
REAL_SHARES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
REAL_FORCED_S = (51, 61, 61, 76, 122, 143, 195, 221, 256, 271, 295, 314, 397)
REAL_ADL_S = (61, 61, 61, 61, 61, 113, 131, 200, 227, 262, 283, 301, 362)
"""When so much of all liquidation fills, and of all deleveraged pairs, was made, in seconds after 21:15:03 UTC: our
quantiles of the public record (ConejoCapital/HyperMultiAssetedADL)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def design() -> list[Arm]:
    """Return the one world."""
    return [Arm(GROUP, ARM, load_scenario(GROUP), PRESETS["hyperliquid"])]


class Watcher:
    """Keeps what was closed by force in a running model from the crash on: listen with `take`, then `after_step`."""

    def __init__(self, model: MarketModel) -> None:
        """Begin before the first step."""
        self.model = model
        scenario, site = model.scenario, model.sites[0]
        self.dt_s = scenario.dt_s
        self.crash_step = scenario.warmup_steps + int(crash_at_s(scenario) / self.dt_s)
        self.vaults = np.array(site.roster.backstops(), dtype=np.int64)
        self.markets = len(site.markets)
        self._rows: list[Ints] = []
        self._profits: list[Floats] = []
        self._touched: list[Ints] = []
        self._held: Ints = np.zeros((0, 2), dtype=np.int64)
        self.depth: list[float] = []
        self.interest = 0.0
        self.vault_before = 0.0

    def take(self, rows: Ints) -> None:
        """Take events (n, EVENT_COLUMNS) of the step that is going on."""
        rows = rows[CLOSING[rows[:, E_KIND]]]
        if len(self._held):
            places = [rows[:, who] * self.markets + rows[:, E_MARKET] for who in (E_ACCOUNT, E_OTHER)]
            self._touched.append(np.concatenate(places))
        forced = rows[(rows[:, E_KIND] != FILL) | (rows[:, E_CAUSE] > 0)]
        forced = forced[forced[:, E_STEP] >= self.crash_step]
        if len(forced):
            self._rows.append(forced.copy())
            self._profits.append(self._profit(forced))

    def _profit(self, rows: Ints) -> Floats:
        """Return what counterparties of deleveraged pairs realise, from what they held before the step, in quote."""
        held, cost = self._held[rows[:, E_OTHER] * self.markets + rows[:, E_MARKET]].T
        multiplier = self.model.venue.tables.markets[rows[:, E_MARKET], M_MULTIPLIER_ATOMS]
        closed = np.abs(rows[:, E_LOTS])
        known = (rows[:, E_KIND] == ADL) & (np.abs(held) >= closed) & (held * rows[:, E_LOTS] > 0)
        share = np.divide(closed, np.abs(held), out=np.zeros(len(rows)), where=held != 0)
        worth = np.sign(held) * closed * rows[:, E_PRICE_TICKS] * multiplier
        return np.where(known, (worth - cost * share) * QUOTE, np.nan)

    def after_step(self) -> None:
        """Note positions, and what the book and the vault are worth, at the end of a step."""
        t, step = self.model.venue.tables, self.model.venue.step - 1
        if step < self.crash_step - 1:
            return
        if not len(self._held):
            self._held = t.positions[:, [P_LOTS, P_COST_ATOMS]].copy()
            self.interest = float((t.markets[:, M_LONG_LOTS] * self._lot_quote()).sum())
            self.vault_before = self._vault_quote()
        for places in self._touched:
            self._held[places] = t.positions[places][:, [P_LOTS, P_COST_ATOMS]]
        self._touched.clear()
        if (step - self.crash_step) % 5 == 4 or step == self.crash_step - 1:
            self.depth.append(self._depth_quote())

    def _lot_quote(self) -> Floats:
        markets = self.model.venue.tables.markets
        return (markets[:, M_MARK_TICKS] * markets[:, M_MULTIPLIER_ATOMS]).astype(np.float64) * QUOTE

    def _vault_quote(self) -> float:
        return sum(float(equity_atoms(self.model.venue.tables, account)) * QUOTE for account in self.vaults.tolist())

    def _depth_quote(self) -> float:
        """Return the value of bids within 1 % of the mark, over all coins."""
        t = self.model.venue.tables
        lowest = t.markets[:, M_MARK_TICKS] * (1_000_000 - DEPTH_PPM) // 1_000_000
        lots = [
            int(t.levels[market, low : max(low, best) + 1, L_LOTS].sum()) if best >= low else 0
            for market, (low, best) in enumerate(zip(lowest.tolist(), t.markets[:, M_BEST_BID].tolist(), strict=True))
        ]
        return float((np.array(lots) * self._lot_quote()).sum())

    def closed(self) -> tuple[Closed, Ints]:
        """Return what was closed, times counted from the crash on, and the kind of event of each row."""
        rows = np.concatenate([np.zeros((0, 12), dtype=np.int64), *self._rows])
        profit = np.concatenate([np.zeros(0), *self._profits])
        is_adl = rows[:, E_KIND] == ADL
        found = Closed(
            time_s=(rows[:, E_STEP] - self.crash_step) * float(self.dt_s),
            is_adl=is_adl,
            notional=rows[:, E_AMOUNT_ATOMS] * QUOTE,
            coin=rows[:, E_MARKET],
            by_backstop=np.isin(rows[:, E_ACCOUNT], self.vaults),
            profit=profit,
            counterparty=np.where(is_adl, rows[:, E_OTHER], -1),
        )
        return found, rows[:, E_KIND]

    def vault_gain(self) -> float:
        """Return what the vault has gained since before the crash, in quote."""
        return self._vault_quote() - self.vault_before


def crash_at_s(scenario: Scenario) -> float:
    """Return when the crash begins: the last shock of the first market."""
    return float(scenario.markets[0].path.shocks[-1].at_s)


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run of the study."""
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False)
    try:
        watcher = Watcher(model)
        model.listen(watcher.take)
        while model.running:
            model.step()
            watcher.after_step()
        return Kept(told(watcher))
    finally:
        model.close()


def told(watcher: Watcher) -> dict[str, float]:
    """Return every number of a run."""
    closed, kind = watcher.closed()
    adl = part(closed, closed.is_adl)
    once = float(closed.notional.sum())
    by_account = np.array(pd.Series(adl.notional).groupby(adl.counterparty).sum(), dtype=np.float64)
    minutes = np.bincount((closed.time_s // 60).astype(np.int64), weights=closed.notional * entries(closed))
    depth = watcher.depth
    return {
        "first_adl_s": first_adl_delay_s(closed),
        "half_fills_s": half_of_fills_s(closed),
        "adl_ratio": adl_ratio(closed),
        "ten_instants": largest_share(adl.time_s, adl.notional, INSTANTS),
        "profitable": profitable_share(closed),
        "three_coins": largest_share(adl.coin, adl.notional, COINS),
        "backstop": backstop_share(closed),
        "adl_once": float(adl.notional.sum()) / once if once else float("nan"),
        "adl_interest": float(adl.notional.sum()) / watcher.interest,
        "forced_interest": once / watcher.interest,
        "taken_interest": float(closed.notional[kind == int(Event.TAKEOVER)].sum()) / watcher.interest,
        "adl_instants": float(len(np.unique(adl.time_s))),
        "adl_coins": float(len(np.unique(adl.coin))),
        "adl_accounts": float(len(by_account)),
        "adl_gini": gini(by_account) if len(by_account) else float("nan"),
        "peak_minute": float(minutes.max() / minutes.sum()) if len(minutes) else float("nan"),
        "depth_lost": 1.0 - float(np.median(depth[12:60])) / depth[0] if len(depth) > 60 and depth[0] > 0 else np.nan,
        "vault_gain": watcher.vault_gain(),
        "interest": watcher.interest,
        **made_by(closed.time_s, entries(closed), "forced"),
        **made_by(adl.time_s, np.ones(len(adl.time_s)), "adl"),
    }


def made_by(time_s: Floats, weights: NDArray[np.generic], name: str) -> dict[str, float]:
    """Return which share of all was made within so many seconds of the crash, by a name for each of TIMES_S."""
    sums = np.bincount(np.searchsorted(TIMES_S, time_s), weights=weights, minlength=len(TIMES_S) + 1)
    made = np.cumsum(sums) / max(sums.sum(), 1.0)
    return {f"{name}_{second}": float(share) for second, share in zip(TIMES_S.tolist(), made, strict=False)}


def checks(runs: pd.DataFrame) -> list[Check]:
    """Return the seven, each as the median over seeds."""
    return [median_check(words, column(runs, GROUP, ARM, key), low, high) for key, words, low, high in TARGETS]


def figure(runs: pd.DataFrame) -> Figure:
    """What was closed by force, and deleveraged, by second, beside the day; and the seven against their ranges."""
    sheet_of, axes = sheet(3, 1, titled("10 October 2025: the model and the day", runs), height=14.0, join_x=False)
    panels = (("forced", "liquidation fills", REAL_FORCED_S), ("adl", "deleveraged pairs", REAL_ADL_S))
    for axis, (name, words, real_s) in zip(axes[:, 0], panels, strict=False):
        shares = runs[[f"{name}_{second}" for second in TIMES_S.tolist()]].to_numpy(dtype=np.float64)
        low, middle, high = 100 * np.percentile(shares, [5, 50, 95], axis=0)
        axis.fill_between(TIMES_S, low, high, color=BLUE, alpha=0.2, linewidth=0)
        axis.plot(TIMES_S, middle, color=BLUE, label="the model; band: 5th to 95th percentile")
        axis.plot(real_s, 100 * np.array(REAL_SHARES), "o--", color=VERMILION, label="the day, from 21:15:03 UTC")
        heading(axis, f"{words} made so far")
        axis.set_xlabel("seconds since the fall began")
        axis.set_ylabel("percent of all")
        axis.legend(frameon=False, loc="lower right")
    seven_panel(axes[2, 0], runs)
    return sheet_of


def seven_panel(axis: Axes, runs: pd.DataFrame) -> None:
    """Draw each of the seven as its place in its range: 0 is the lower end, 1 the upper end."""
    for place, (key, _, low, high) in enumerate(TARGETS):
        values = runs[key].dropna().to_numpy(dtype=np.float64)
        if len(values):
            least, middle, most = np.clip((np.percentile(values, [5, 50, 95]) - low) / (high - low), -1.5, 2.5)
            axis.hlines(-place, least, most, color=BLUE, linewidth=3, alpha=0.5)
            axis.plot(middle, -place, "o", color=BLUE, markersize=8)
        axis.plot((REAL[key] - low) / (high - low), -place, "D", color=VERMILION, markersize=8)
    axis.axvspan(0, 1, color="#dddddd", zorder=0)
    axis.set_yticks([-place for place in range(len(TARGETS))], SHORT)
    axis.set_xlim(-1.6, 2.6)
    axis.set_xlabel("place in the range: 0 lower end, 1 upper end")
    heading(axis, "the seven (diamond: the day)")


STUDY = Study(
    name=GROUP,
    question=QUESTION,
    seeds=20,
    arms=design,
    simulate=observe,
    measures=(
        Measure("first_adl_s", "first deleveraging after first liquidation", "seconds"),
        Measure("half_fills_s", "half of forced fills after first liquidation", "seconds"),
        Measure("adl_ratio", "deleveraged over liquidated notional, as the record counts", "share"),
        Measure("ten_instants", "of deleveraged notional, in the ten largest instants", "share"),
        Measure("profitable", "of deleveraged pairs, winner in profit", "share"),
        Measure("three_coins", "of deleveraged notional, in three coins", "share"),
        Measure("backstop", "of deleveraged notional, against the vault", "share"),
        Measure("adl_once", "deleveraged over all closed, each fill and takeover once", "share"),
        Measure("forced_interest", "closed by force, each once, over open interest", "share"),
        Measure("taken_interest", "taken over by the vault, over open interest", "share"),
        Measure("adl_interest", "deleveraged, over open interest", "share"),
        Measure("adl_instants", "instants with deleveraging (real: 100)", "number"),
        Measure("adl_coins", "coins with deleveraging, of 24 (real: all 162)", "number"),
        Measure("adl_accounts", "accounts deleveraged (real: 19,337)", "number"),
        Measure("adl_gini", "Gini of deleveraged notional by account (real: 0.982)", "number"),
        Measure("peak_minute", "of liquidated notional, in the largest minute", "share"),
        Measure("depth_lost", "bids within 1 % of the mark: lost, median of minutes 2 to 5", "share"),
        Measure("vault_gain", "gain of the vault to the end", "quote"),
        Measure("interest", "open interest before the fall", "quote"),
    ),
    checks=checks,
    figure=figure,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study ten-october` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
