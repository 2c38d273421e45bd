"""Whales: few accounts of one owner with a large leveraged position; and attackers, who make a vault inherit it.

An attacker builds a long in a thin market, which its own buying lifts, puts up a wall of bids below the price that
looks like depth, takes it away, and lets itself be liquidated: what its margin does not cover is the backstop's. So it
was, by press reports, with POPCAT on Hyperliquid on 12 November 2025: about 3 M of margin in 19 accounts, a long of 20
to 30 M, a wall of bids that was pulled, and a loss of 4.9 M for the vault that inherited more than 25 M.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from .cohort import NO_COMMANDS, Cohort, Commands, join, within
from .parameters import CohortParameters
from .view import Bools, Ints, View

MARKET = 0


class WhaleParameters(CohortParameters):
    """Accounts of one owner that build a large position together, and hold it."""

    count: int = Field(default=1, ge=0, le=10_000_000)
    """Number of accounts; 0 takes `share` of the scenario's traders."""
    mean_interval_s: float = Field(default=10.0, gt=0.0, le=1e9)
    """Mean time between two wakings of an account, in seconds."""
    wealth_quote_median: float = Field(default=3_000_000.0, gt=0.0, le=9e9)
    """Median of what an account deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto", "measured"] = "equal"
    """Distribution of it: everybody the median, lognormal, Pareto, or as measured on a venue (`agents/wealth.py`)."""
    direction: Literal["long", "short"] = "long"
    """Side of the position, in the scenario's first market."""
    leverage: float = Field(default=7.0, gt=0.0, le=1000.0)
    """Value of the whole position as a multiple of equity; never more than the venue allows."""
    open_at_s: float = Field(default=3_600.0, ge=0.0, le=1e9)
    """Time from which it is built, in seconds of the run, ..."""
    build_s: float = Field(default=3_600.0, gt=0.0, le=1e9)
    """... evenly over so long."""
    reach_ppm: float = Field(default=20_000.0, ge=0.0, lt=1e6)
    """An order trades up to so far from the mark; what it does not find waits for the next waking."""


class AttackerParameters(WhaleParameters):
    """Whales who hold the price up with a wall until they pull it."""

    count: int = Field(default=19, ge=0, le=10_000_000)
    """Number of accounts; 0 takes `share` of the scenario's traders."""
    wealth_quote_median: float = Field(default=160_000.0, gt=0.0, le=9e9)
    """Median of what an account deposits at the start, in quote units."""
    wall_leverage: float = Field(default=3.0, ge=0.0, le=1000.0)
    """Value of the wall as a multiple of equity, as far as margin is left for it; 0: no wall."""
    wall_ppm: float = Field(default=30_000.0, gt=0.0, lt=1e6)
    """Distance of the wall from the mark when it is put up, which is when the position stands."""
    hold_s: float = Field(default=1_800.0, ge=0.0, le=1e9)
    """How long the wall stands before it is pulled."""
    dump_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the accounts that build nothing, but trade against the position when the wall is pulled."""


class Whale(Cohort):
    """Builds a position evenly over a time, as far as the book gives it, and holds it."""

    Parameters = WhaleParameters
    parameters: WhaleParameters

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one order for each waker."""
        p = self.parameters
        elapsed = view.time_s - p.open_at_s
        return self.build(view, wakers, elapsed / p.build_s) if 0.0 <= elapsed < p.build_s else NO_COMMANDS

    @property
    def sign(self) -> int:
        """1 if the position is long, -1 if it is short."""
        return 1 if self.parameters.direction == "long" else -1

    def build(self, view: View, wakers: Ints, share: float, sign: int = 0) -> Commands:
        """Return orders that bring each position to a share of the largest; `sign` is the position's own if 0."""
        side = sign or self.sign
        mark = int(view.mark_ticks[MARKET])
        limits = self.limits(view, self.rows[wakers], np.full(len(wakers), MARKET), self.parameters.leverage)
        lots = np.minimum((limits.lots * share).astype(np.int64) - side * limits.at.lots, limits.room_lots(side))
        price = within(
            view.collar_low[MARKET], mark * (1.0 + side * self.parameters.reach_ppm / 1e6), view.collar_high[MARKET]
        )
        cross = self.use_cross(wakers, np.full(len(wakers), MARKET), limits.at)
        return join(cross, self.limit(wakers, MARKET, side, np.maximum(lots, 0), price, ioc=True))


class Attacker(Whale):
    """Builds, puts up its wall, pulls it, and may trade against itself from accounts that were kept for it."""

    Parameters = AttackerParameters
    parameters: AttackerParameters

    def prepare(self) -> None:
        """Keep the last accounts for the end; make the column that says whose wall has been put up."""
        kept = int(self.n * self.parameters.dump_share + 0.5)
        self.dumps: Bools = np.arange(self.n) >= self.n - kept
        self.columns = {"walled": np.zeros(self.n, dtype=np.bool_)}

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return what the phase of the attack asks of each waker."""
        p = self.parameters
        dumps = self.dumps[wakers]
        builders, others = wakers[~dumps], wakers[dumps]
        stands_at_s = p.open_at_s + p.build_s
        if view.time_s < stands_at_s:
            return super().decide(view, builders)
        if view.time_s < stands_at_s + p.hold_s:
            return self._wall(view, builders[~self.columns["walled"][builders]])
        ordered = builders[view.open_orders(self.rows[builders]) > 0]
        return join(self.cancel_all(ordered, MARKET), self.build(view, others, 1.0, -self.sign))

    def _wall(self, view: View, wakers: Ints) -> Commands:
        """Return the wall: resting orders at one price, as large as margin allows."""
        p, rows = self.parameters, self.rows[wakers]
        limits = self.limits(view, rows, np.full(len(wakers), MARKET), p.leverage + p.wall_leverage)
        wanted = p.wall_leverage * np.maximum(limits.at.equity_atoms, 0) / limits.at.lot_atoms
        lots = np.minimum(wanted, limits.room_lots(self.sign))
        price = view.mark_ticks[MARKET] * (1.0 - self.sign * p.wall_ppm / 1e6)
        self.columns["walled"][wakers] = True
        return self.limit(wakers, MARKET, self.sign, lots, within(1.0, price, float(view.price_max_ticks[MARKET] - 1)))
