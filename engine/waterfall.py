"""The rounds of a step: cancel, liquidate, take over, let the fund pay, deleverage, until nobody is distressed (R-W).

Rules propose on arrays of the distressed; the engine disposes. Everything here is Python over a handful of units;
what touches tables is a kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import deleverage, rounds, takeover
from .commands import C_CAUSE, CAUSE_DISPOSAL, FLAG_FORCED, FLAG_IOC, FLAG_REDUCE_ONLY, Column, Kind, batch
from .contract import bankruptcy_ticks
from .distress import is_distressed
from .ledger import balance_atoms
from .margin import equity_atoms, open_positions, position_equity_atoms, unit_maintenance_atoms
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
from .rules.liquidation import Distressed
from .tables import (
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    P_LOTS,
    U_COOLDOWN_STEP,
    U_LIQUIDATION,
    V_LISTED_COUNT,
    V_MARKETS,
)
from .transfer import cover_deficit
from .units import PPM, ppm_up

if TYPE_CHECKING:
    from .venue import Venue

FORCED_FLAGS = FLAG_FORCED | FLAG_IOC | FLAG_REDUCE_ONLY
Rows = NDArray[np.int64]


class Rounds(NamedTuple):
    """What the rounds of a step did."""

    rounds: int
    forced_orders: int
    unfinished: bool


def run(venue: Venue) -> Rounds:
    """Run the liquidation rounds of a step (R-W2); modifies everything a forced order may modify."""
    rule = venue.rules.liquidation
    if not rule.act:
        venue.look()
        return Rounds(0, 0, False)
    sent = _dispose(venue)
    idle: set[int] = set()
    orders_left = rule.orders_per_step_max or np.iinfo(np.int64).max
    for done in range(rule.rounds_max):
        venue.look()
        due = due_units(venue, idle)
        fund_due = venue.fund_unit not in idle and fund_in_distress(venue)
        if len(due) == 0 and not fund_due:
            return Rounds(done, sent, False)
        before = _lots(venue, due)
        fund_before = _lots(venue, np.array([[venue.fund_unit]]))
        used = _Round(venue, due, orders_left).play()
        orders_left -= used
        sent += used
        assert orders_left >= 0
        unmoved = (before == _lots(venue, due)).all(axis=1)
        idle.update(due[unmoved, S_UNIT].tolist())
        if fund_due and (fund_before == _lots(venue, np.array([[venue.fund_unit]]))).all():
            idle.add(venue.fund_unit)
    venue.look()
    return Rounds(rule.rounds_max, sent, len(due_units(venue, idle)) > 0)


def due_units(venue: Venue, idle: set[int]) -> Rows:
    """Return the survey rows of all units to be treated now, in order of treatment (R-W2)."""
    t = venue.tables
    units = t.listed[: t.venue[V_LISTED_COUNT]]
    if idle:
        units = units[~np.isin(units, list(idle))]
    rows = np.zeros((len(units), SURVEY_COLUMNS), dtype=np.int64)
    if len(units) == 0:
        return rows
    rounds.survey(t, units, rows)
    latest = venue.step - venue.steps(venue.rules.liquidation.latency_s)
    rows = rows[rows[:, S_SINCE] <= latest]
    order = np.lexsort((rows[:, S_MARKET], rows[:, S_KEY], rows[:, S_RATIO_PPM], rows[:, S_SINCE]))
    return rows[order]


def fund_in_distress(venue: Venue) -> bool:
    """Say whether the fund holds positions and its equity is below its floor (R-W10)."""
    t, fund = venue.tables, venue.fund_unit
    return open_positions(t, fund) > 0 and equity_atoms(t, fund) < venue.rules.insurance.floor_atoms


def _lots(venue: Venue, rows: Rows) -> Rows:
    """Return the lots of every position of the units in column S_UNIT, (n, M)."""
    columns = np.zeros((len(rows), len(venue.markets)), dtype=np.int64)
    rounds.lots_of(venue.tables, np.ascontiguousarray(rows[:, S_UNIT]), columns)
    return columns


class _Round:
    """One round over the units due (R-W3 to R-W12); `play` runs its stages in order."""

    def __init__(self, venue: Venue, due: Rows, orders_left: int) -> None:
        self.venue = venue
        self.t = venue.tables
        self.rule = venue.rules.liquidation
        self.straight = self._goes_straight(due)
        booked = np.zeros(len(due), dtype=np.int64)
        if self.rule.stage == "book":
            booked = np.where(self.straight, 0, due[:, S_POSITIONS])
        room = np.clip(orders_left - np.cumsum(booked) + booked, 0, booked)
        treated = (room > 0) | (booked == 0)
        self.due = due[treated]
        self.straight = self.straight[treated]
        self.orders_of_unit = room[treated]
        self.units = np.ascontiguousarray(self.due[:, S_UNIT])
        self.refused: set[int] = set()
        assert len(np.unique(self.units)) == len(self.units), "a unit is treated once a round"

    def _goes_straight(self, due: Rows) -> NDArray[np.bool_]:
        """Say which units skip the book because they are under the backstop threshold (R-W6)."""
        if self.rule.backstop_ppm == 0 or not (self.venue.backstops or self.rule.leftover != "retry"):
            return np.zeros(len(due), dtype=np.bool_)
        levels = [ppm_up(int(need), self.rule.backstop_ppm) for need in due[:, S_MAINTENANCE_ATOMS]]
        return due[:, S_EQUITY_ATOMS] < np.array(levels, dtype=np.int64)

    def play(self) -> int:
        """Run the stages and return how many orders went to the book."""
        start = rounds.begin_treatment(self.t, self.units, 0)
        while start < len(self.units):
            self.venue.flush()
            start = rounds.begin_treatment(self.t, self.units, start)
        sent = self._book_stage()
        self._takeover_stage()
        self._fund_stage()
        deleverage.stage(self.venue, self.units, self.refused)
        self._fund_stage()
        if self.venue.rules.mark.renew_in_rounds:
            self.venue.renew_marks()
        return sent

    def _book_stage(self) -> int:
        """Send forced orders to the book, as the liquidation rule proposes (R-W4)."""
        booked = np.flatnonzero(self.orders_of_unit)
        if len(booked) == 0:
            return 0
        rows = self._closing_rows(self.units[booked])
        limit = dict(zip(self.units[booked].tolist(), self.orders_of_unit[booked].tolist(), strict=True))
        rows = rows[[_counts_down(limit, unit) for unit in rows[:, K_UNIT].tolist()]]
        proposal = self.rule.propose(self._distressed(rows))
        assert (proposal.lots >= 1).all() and (proposal.lots <= np.abs(rows[:, K_LOTS])).all(), "propose 1 .. |lots|"
        self.t.units[rows[proposal.partial, K_UNIT], U_COOLDOWN_STEP] = self.venue.step
        self.venue.execute(self._forced_orders(rows, proposal.lots), forced=True)
        return len(rows)

    def _closing_rows(self, units: Rows) -> Rows:
        """Return one row per position of the units, CLOSING_COLUMNS wide."""
        rows = np.zeros((len(units) * len(self.venue.markets), CLOSING_COLUMNS), dtype=np.int64)
        return rows[: rounds.describe_all(self.t, np.ascontiguousarray(units), rows)]

    def _distressed(self, rows: Rows) -> Distressed:
        """Show positions to the liquidation rule."""

        def maintenance_of(row: Rows, lots: Rows) -> Rows:
            amounts = np.zeros(len(row), dtype=np.int64)
            markets, marks = (
                np.ascontiguousarray(rows[row, K_MARKET]),
                np.ascontiguousarray(rows[row, K_MARK]),
            )
            rounds.maintenance_many(self.t, markets, np.ascontiguousarray(lots), marks, amounts)
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
        cause = self.t.units[rows[:, K_UNIT], U_LIQUIDATION]
        return forced_orders(rows[:, K_ACCOUNT], rows[:, K_MARKET], side, lots, price, cause)

    def _takeover_stage(self) -> None:
        """Offer what the book did not take to the fund or the backstop accounts (R-W5, R-W6)."""
        for unit, straight in zip(self.units.tolist(), self.straight.tolist(), strict=True):
            if self.rule.leftover == "retry" and not straight:
                continue
            equity, maintenance = equity_atoms(self.t, unit), unit_maintenance_atoms(self.t, unit)
            if open_positions(self.t, unit) and is_distressed(self.t, equity, maintenance):
                rows = self._closing_rows(np.array([unit]))
                if not takeover.take_over(self.venue, rows, straight):
                    self.refused.add(unit)

    def _fund_stage(self) -> None:
        """Let the fund pay the deficits of treated units that are flat (R-W8)."""
        for unit in self.units.tolist():
            if balance_atoms(self.t, unit) < 0 and open_positions(self.t, unit) == 0:
                self.venue.make_room()
                cover_deficit(self.t, unit, int(self.t.units[unit, U_LIQUIDATION]))


def _counts_down(limit: dict[int, int], unit: int) -> bool:
    """Say whether a unit may still send an order, and count it."""
    limit[unit] -= 1
    return limit[unit] >= 0


def forced_orders(account: Column, market: Column, side: Rows, lots: Rows, price: Column, cause: Column) -> Rows:
    """Return immediate-or-cancel, reduce-only LIMIT commands marked as forced, with their cause."""
    commands = batch(
        len(lots), account=account, market=market, kind=Kind.LIMIT, side=side, lots=lots, price_ticks=price,
        flags=FORCED_FLAGS,
    )  # fmt: skip
    commands[:, C_CAUSE] = cause
    return commands


def _dispose(venue: Venue) -> int:
    """Let the fund trade part of what it took over back to the book (R-W11); return the number of orders."""
    rule, t, fund = venue.rules.insurance, venue.tables, venue.fund_unit
    if rule.disposal_share_ppm == 0 or venue.step % venue.steps(rule.disposal_interval_s):
        return 0
    sent = 0
    for market in range(len(venue.markets)):
        lots = int(t.positions[fund * int(t.venue[V_MARKETS]) + market, P_LOTS])
        if lots == 0:
            continue
        mark = int(t.markets[market, M_MARK_TICKS])
        share = position_equity_atoms(t, fund, market, equity_atoms(t, fund) - rule.floor_atoms)
        own = bankruptcy_ticks(t, market, lots, mark, share)
        if lots > 0:
            price = max(own, -(-mark * (PPM - rule.disposal_range_ppm) // PPM))
        else:
            price = min(own, mark * (PPM + rule.disposal_range_ppm) // PPM)
        size = np.array([-(-abs(lots) * rule.disposal_share_ppm // PPM)])
        side = np.array([-1 if lots > 0 else 1])
        venue.execute(forced_orders(fund, market, side, size, price, CAUSE_DISPOSAL), forced=True)
        assert size[0] <= abs(lots)
        sent += 1
    return sent
