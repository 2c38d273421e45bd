"""Programmes: one owner who sells, or buys, a fixed number of lots as a share of volume, whatever the price.

The seller of 6 May 2010 had an algorithm sell 75,000 futures at 9 % of the volume of the minute before, "without regard
to price or time": CFTC and SEC, "Findings regarding the market events of May 6, 2010" (2010). Such an order sells the
faster the more others trade, among them those who pass on what it has sold to them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from delever.engine.tables import M_VOLUME_LOTS

from .cohort import NO_COMMANDS, Cohort, Commands, join
from .parameters import CohortParameters
from .view import Ints, View

MARKET = 0


class ProgrammeParameters(CohortParameters):
    """Accounts of one owner that work one order together, in the scenario's first market."""

    count: int = Field(default=1, ge=0, le=10_000_000)
    """Number of accounts; 0 takes `share` of the scenario's traders."""
    mean_interval_s: float = Field(default=1.0, gt=0.0, le=1e9)
    """Mean time between two wakings of an account, in seconds: between two children of its part of the order."""
    wealth_quote_median: float = Field(default=1_000_000.0, gt=0.0, le=9e9)
    """Median of what an account deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto", "measured"] = "equal"
    """Distribution of it: everybody the median, lognormal, Pareto, or as measured on a venue (`agents/wealth.py`)."""
    side: Literal["sell", "buy"] = "sell"
    """What is done with the lots."""
    order_lots: int = Field(default=1_000, ge=0, le=10**9)
    """Lots of the order for each account; 0: no order."""
    start_s: float = Field(default=3_600.0, ge=0.0, le=1e9)
    """Time from which it is worked, in seconds of the run."""
    participation: float = Field(default=0.09, gt=0.0, lt=1.0)
    """Share of all volume that the accounts together want to be."""
    window_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """The volume that counts is that of the last whole window of this length, counted from the first waking."""
    leverage: float = Field(default=2.0, gt=0.0, le=1000.0)
    """Largest position as a multiple of equity."""


class Programme(Cohort):
    """Sends at each waking the market order that is due by the volume of the last window; nothing is due in a halt."""

    Parameters = ProgrammeParameters
    parameters: ProgrammeParameters

    def prepare(self) -> None:
        """Make the columns: begin of the running window, volume of the last one, and what has been due and sent."""
        self.columns = {
            "seen_s": np.full(self.n, -1, dtype=np.int64),
            "window_begin_s": np.zeros(self.n, dtype=np.int64),
            "window_begin_lots": np.zeros(self.n, dtype=np.int64),
            "lots_per_s": np.zeros(self.n),
            "due_lots": np.zeros(self.n),
        }

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one market order for each waker."""
        p, columns = self.parameters, self.columns
        since_s = np.where(columns["seen_s"][wakers] < 0, 0, view.time_s - columns["seen_s"][wakers])
        self._measure(view, wakers)
        side = 1 if p.side == "buy" else -1
        facing = view.ask_ticks[MARKET] if side > 0 else view.bid_ticks[MARKET]
        if view.time_s < p.start_s or facing == 0:
            return NO_COMMANDS
        market = np.full(len(wakers), MARKET)
        limits = self.limits(view, self.rows[wakers], market, p.leverage)
        due = columns["due_lots"][wakers] + p.participation / self.n * columns["lots_per_s"][wakers] * since_s
        columns["due_lots"][wakers] = due = np.minimum(due, p.order_lots)
        lots = np.minimum(due.astype(np.int64) - side * limits.at.lots, limits.room_lots(side))
        return join(self.use_cross(wakers, market, limits.at), self.market(wakers, market, side, lots))

    def _measure(self, view: View, wakers: Ints) -> None:
        """Take the mean volume per second of a window that is over, and begin the next."""
        columns = self.columns
        volume = int(view.tables.markets[MARKET, M_VOLUME_LOTS])
        new = columns["seen_s"][wakers] < 0
        elapsed_s = view.time_s - columns["window_begin_s"][wakers]
        over = ~new & (elapsed_s >= self.parameters.window_s)
        ended = wakers[over]
        columns["lots_per_s"][ended] = (volume - columns["window_begin_lots"][ended]) / np.maximum(elapsed_s[over], 1)
        begins = wakers[over | new]
        columns["window_begin_s"][begins] = view.time_s
        columns["window_begin_lots"][begins] = volume
        columns["seen_s"][wakers] = view.time_s
