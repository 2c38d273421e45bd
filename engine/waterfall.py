"""The rounds of a step: cancel, liquidate, take over, let the fund pay, deleverage, until nobody is distressed (R-W).

Rules propose on arrays of the distressed; the engine disposes. A stage is one call of a kernel over all units of the
round, and another one each time the event buffer is full; Python does nothing for a single unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import adl_terms, deleverage, drawdown, keepers, limits, rounds, steps, takeover
from .allowance import Allowance
from .auction import find_waiting
from .cancelling import leave_the_cured
from .commands import Column
from .conversion import sell_before
from .default_fund import cover
from .disposal import dispose
from .forced import FORCED_FLAGS, FORCED_FOK_FLAGS, forced_orders
from .halts import keep_tradable
from .rounds import (
    CLOSING_COLUMNS,
    K_ACCOUNT,
    K_BANKRUPTCY,
    K_EQUITY,
    K_LOTS,
    K_MAINTENANCE,
    K_MARK,
    K_MARKET,
    K_SINCE_PARTIAL,
    K_UNIT,
    K_VALUE,
    S_EQUITY_ATOMS,
    S_KEY,
    S_MAINTENANCE_ATOMS,
    S_MARKET,
    S_POSITIONS,
    S_RATIO_PPM,
    S_SINCE,
    S_UNIT,
    SURVEY_COLUMNS,
)
from .rules.liquidation import Distressed, scale_up
from .rules.steps import Ladder, Slices
from .steps import PLAN_COLUMNS, Q_LOTS
from .tables import (
    CANCEL_WORST_FIRST,
    M_AUCTION,
    M_PRICE_MAX_TICKS,
    U_COOLDOWN_STEP,
    U_LIQUIDATION,
    V_AUCTIONS,
    V_CANCELS,
    V_LISTED_COUNT,
    V_SELLS_BEFORE,
)

if TYPE_CHECKING:
    from .venue import Venue

UNLIMITED = 2**62
Rows = NDArray[np.int64]
NO_UNITS = np.zeros((0, SURVEY_COLUMNS), dtype=np.int64)


class Rounds(NamedTuple):
    """What the rounds of a step did."""

    rounds: int
    forced_orders: int
    unfinished: bool


def run(venue: Venue) -> Rounds:
    """Run the liquidation rounds of a step (R-W2); modifies everything a forced order may modify."""
    rule, t = venue.rules.liquidation, venue.tables
    allowance = Allowance(t)
    if not rule.act or allowance.stopped:
        venue.look()
        return Rounds(0, 0, False)
    sent = dispose(venue)
    acted: list[Rows] = []
    orders_left = rule.orders_per_step_max or UNLIMITED
    rounds_max = rule.rounds_max
    if isinstance(rule.step, Slices):
        rounds_max = min(rounds_max, rule.step.rounds * venue.dt_s)
    while True:
        venue.look()
        drawdown.look_at_watches(t)
        due = allowance.cut(due_units(venue))
        funds_due = [fund for fund in venue.fund_units if adl_terms.fund_is_due(t, fund)]
        if len(acted) == rounds_max or (len(due) == 0 and not funds_due):
            break
        units = np.append(due[:, S_UNIT], np.array(funds_due, dtype=np.int64))
        before = np.zeros((len(units), len(venue.markets)), dtype=np.int64)
        rounds.lots_of(t, units, before)
        used = _Round(venue, due, orders_left).play()
        rounds.end_treatment(t, units, before)
        acted.append(units)
        orders_left -= used
        sent += used
        assert orders_left >= 0
    for units in acted:
        rounds.wake(t, units)
    return Rounds(len(acted), sent, len(due) > 0 and rounds_max == rule.rounds_max)


def due_units(venue: Venue) -> Rows:
    """Return the survey rows of all units to be treated now, in order of treatment (R-W2)."""
    t = venue.tables
    listed = int(t.venue[V_LISTED_COUNT])
    if listed == 0:
        return NO_UNITS
    rows = np.empty((listed, SURVEY_COLUMNS), dtype=np.int64)
    rows = rows[: rounds.survey(t, venue.step - venue.steps(venue.rules.liquidation.latency_s), rows)]
    pause = venue.rules.halts.liquidation_pause
    if pause is not None:
        rows = rows[: keep_tradable(t, rows, S_UNIT, pause.in_auctions)]
    order = np.lexsort((rows[:, S_MARKET], rows[:, S_KEY], rows[:, S_RATIO_PPM], rows[:, S_SINCE]))
    return rows[order]


class _Round:
    """One round over the units due (R-W3 to R-W12); `play` runs its stages in order."""

    def __init__(self, venue: Venue, due: Rows, orders_left: int) -> None:
        self.venue = venue
        self.t = venue.tables
        self.rule = venue.rules.liquidation
        self.window = venue.steps(self.rule.rolling.window_s) if self.rule.rolling is not None else 0
        assert self.window <= self.t.windows.shape[1]
        self.straight = self._goes_straight(due)
        self.direct = bool(adl_terms.goes_direct(self.t))
        booked = np.zeros(len(due), dtype=np.int64)
        if self.rule.stage != "takeover_only" and not self.direct:
            booked = np.where(self.straight | self._skips(due), 0, due[:, S_POSITIONS])
        room = booked
        if self.rule.stage == "book":
            room = np.clip(orders_left - np.cumsum(booked) + booked, 0, booked)
        treated = (room > 0) | (booked == 0)
        self.due = due[treated]
        self.straight = self.straight[treated]
        self.orders_of_unit = room[treated]
        self.units = np.ascontiguousarray(self.due[:, S_UNIT])

    def _goes_straight(self, due: Rows) -> Rows:
        """Return 1 for units that skip the book because they are under the backstop threshold (R-W6), else 0."""
        if self.rule.backstop_ppm == 0 or not (self.venue.backstops or self.rule.leftover != "retry"):
            return np.zeros(len(due), dtype=np.int64)
        levels = scale_up(due[:, S_MAINTENANCE_ATOMS], self.rule.backstop_ppm)
        return (due[:, S_EQUITY_ATOMS] < levels).astype(np.int64)

    def _skips(self, due: Rows) -> Rows:
        """Return 1 for units that skip book and keepers because they are below zero (R-W36), else 0.

        Not where nobody else could take them: the book would then be their only way out.
        """
        others = self.rule.leftover != "retry" or self.venue.rules.deleveraging.trigger != "none"
        if self.rule.insolvent is None or not others:
            return np.zeros(len(due), dtype=np.int64)
        return (due[:, S_EQUITY_ATOMS] < 0).astype(np.int64)

    def play(self) -> int:
        """Run the stages and return how many orders went to the book."""
        self.venue.for_each(rounds.begin_treatment, self.units)
        self.venue.for_each(sell_before, self.units)
        if self.t.venue[V_CANCELS] == CANCEL_WORST_FIRST or self.t.venue[V_SELLS_BEFORE]:
            # R-W33, R-C6: who is out of distress by cancelled orders or sold assets alone is not closed.
            leave_the_cured(self.t, self.units, self.orders_of_unit)
        sent = self._closing_stage()
        self._leave_waiting()
        if not self.direct:
            takeover.stage(self.venue, self.units, self.straight)
        cover(self.venue, self.units)
        deleverage.stage(self.venue, self.units)
        cover(self.venue, self.units)
        if self.venue.rules.mark.renew_in_rounds:
            self.venue.renew_marks()
        return sent

    def _closing_stage(self) -> int:
        """Send forced orders to the book, or ask keepers, as the liquidation rule proposes; return how many orders."""
        booked = np.flatnonzero(self.orders_of_unit)
        if len(booked) == 0:
            return 0
        rows = self._closing_rows(self.units[booked])
        # The rows of a unit lie together, one for each of its positions: the first so many are sent.
        positions = self.due[booked, S_POSITIONS]
        assert positions.sum() == len(rows)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(positions) - positions, positions)
        rows = rows[place < np.repeat(self.orders_of_unit[booked], positions)]
        plan = self._plan(rows)
        sent = 0
        if self.rule.stage == "keepers":
            keepers.stage(self.venue, rows, plan)
        else:
            wanted = plan[:, Q_LOTS] > 0
            sent = int(wanted.sum())
            self.venue.execute(self._forced_orders(rows[wanted], plan[wanted, Q_LOTS]), forced=True)
        if self.rule.step is not None or self.window > 0:
            steps.settle(self.t, rows, plan, self.window)
        return sent

    def _plan(self, rows: Rows) -> Rows:
        """Return how many lots of each position to close and at what fees, PLAN_COLUMNS wide (R-W4, R-W20 to R-W25)."""
        plan = np.zeros((len(rows), PLAN_COLUMNS), dtype=np.int64)
        if self.rule.step is None:
            proposal = self.rule.propose(self._distressed(rows))
            held = np.abs(rows[:, K_LOTS])
            assert (proposal.lots >= 1).all() and (proposal.lots <= held).all(), "propose 1 .. |lots|"
            self.t.units[rows[proposal.partial, K_UNIT], U_COOLDOWN_STEP] = self.venue.step
            plan[:, Q_LOTS] = proposal.lots
        if self.rule.step is not None or self.rule.keepers is not None:
            steps.plan_lots(self.t, steps.numbers_of(self.venue), rows, plan)
        if self.window > 0:
            steps.reserve(self.t, rows, plan, self.window)
        return plan

    def _leave_waiting(self) -> None:
        """Leave out of the later stages the units of which a forced order waits in an auction (R-H6)."""
        if self.t.venue[V_AUCTIONS]:
            waiting = np.zeros(len(self.units), dtype=np.int64)
            find_waiting(self.t, self.units, waiting)
            self.units = np.ascontiguousarray(self.units[waiting == 0])
            self.straight = self.straight[waiting == 0]

    def _closing_rows(self, units: Rows) -> Rows:
        """Return one row per position of the units, CLOSING_COLUMNS wide."""
        rows = np.zeros((len(units) * len(self.venue.markets), CLOSING_COLUMNS), dtype=np.int64)
        return rows[: rounds.describe_all(self.t, units, rows)]

    def _distressed(self, rows: Rows) -> Distressed:
        """Show positions to the liquidation rule."""

        def maintenance_of(row: Rows, lots: Rows) -> Rows:
            amounts = np.zeros(len(row), dtype=np.int64)
            accounts, markets, marks = (
                np.ascontiguousarray(rows[row, column]) for column in (K_ACCOUNT, K_MARKET, K_MARK)
            )
            rounds.maintenance_many(self.t, accounts, markets, np.ascontiguousarray(lots), marks, amounts)
            return amounts

        return Distressed(
            lots=rows[:, K_LOTS],
            value_atoms=rows[:, K_VALUE],
            equity_atoms=rows[:, K_EQUITY],
            maintenance_atoms=rows[:, K_MAINTENANCE],
            bankruptcy_ticks=rows[:, K_BANKRUPTCY],
            mark_ticks=rows[:, K_MARK],
            in_cooldown=rows[:, K_SINCE_PARTIAL] < self.venue.steps(self.rule.cooldown_s),
            maintenance_of=maintenance_of,
        )

    def _forced_orders(self, rows: Rows, lots: Rows) -> Rows:
        """Return commands that close so many lots of each position."""
        side = -np.sign(rows[:, K_LOTS])
        price_max = self.t.markets[rows[:, K_MARKET], M_PRICE_MAX_TICKS]
        price = np.where(side > 0, price_max - 1, 1)
        if self.rule.price == "bankruptcy":
            price = rows[:, K_BANKRUPTCY]
        if self.rule.limit is not None:
            price = np.zeros(len(rows), dtype=np.int64)
            limits.limit_ticks(self.t, limits.numbers_of(self.rule.limit), rows, price)
        cause = self.t.units[rows[:, K_UNIT], U_LIQUIDATION]
        flags: Column = FORCED_FLAGS
        if isinstance(self.rule.step, Ladder) and self.rule.step.fill_or_kill:
            # In an auction nothing can be filled at once, so that a cut waits there like every forced order (R-H6).
            at_once = self.t.markets[rows[:, K_MARKET], M_AUCTION] == 0
            flags = np.where((lots < np.abs(rows[:, K_LOTS])) & at_once, FORCED_FOK_FLAGS, FORCED_FLAGS)
        return forced_orders(rows[:, K_ACCOUNT], rows[:, K_MARKET], side, lots, price, cause, flags)
