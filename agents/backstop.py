"""Backstop providers: deep pockets that take over what liquidation leaves, and sell it again without haste.

The venue hands them positions of bankrupt accounts (R-W5); they never open one themselves. After Hyperliquid's
liquidator vault, which takes over what is below two thirds of maintenance margin and trades out of it (its
documentation, "Liquidations"); that they sell a share at each waking, and no further from the mark than a range, is
our choice.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field

from delever.engine.commands import FLAG_IOC, FLAG_REDUCE_ONLY
from delever.engine.kernel import kernel
from delever.engine.tables import M_COLLAR_HIGH, M_COLLAR_LOW, M_MARK_TICKS, P_LOTS, V_MARKETS, Table, Tables

from .account import position_row
from .cohort import Cohort, Commands
from .outbox import write_limit, write_use_cross
from .parameters import CohortParameters, Numbers
from .view import Ints, View

FLAGS = FLAG_IOC | FLAG_REDUCE_ONLY
COMMANDS_PER_MARKET_MAX = 2


class BackstopParameters(CohortParameters):
    """Backstop providers."""

    count: int = Field(default=1, ge=0, le=10_000_000)
    """Number of accounts; 0 takes `share` of the scenario's traders."""
    mean_interval_s: float = Field(default=10.0, gt=0.0, le=1e9)
    """Mean time between two wakings of an account, in seconds."""
    wealth_quote_median: float = Field(default=5_000_000.0, gt=0.0, le=9e9)
    """Median of what an account deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto", "measured"] = "equal"
    """Distribution of it: everybody the median, lognormal, Pareto, or as measured on a venue (`agents/wealth.py`)."""
    unwind_share: float = Field(default=0.02, gt=0.0, le=1.0)
    """Share of a position offered to the book at each waking."""
    range_ppm: float = Field(default=2_000.0, ge=0.0, lt=1e6)
    """Furthest distance from the mark at which it is sold or bought back."""


class Backstop(Cohort):
    """Reduces the positions it was given by a small share at a time, within a range of the mark."""

    Parameters = BackstopParameters
    parameters: BackstopParameters

    @cached_property
    def numbers(self) -> Numbers:
        """Those that every backstop provider has: a subclass with more of them shares the kernel."""
        given = {name: getattr(self.parameters, name) for name in BackstopParameters.model_fields}
        return BackstopParameters(**given).record()

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return one order for each waker and market in which it holds something."""
        out = self.outbox(len(wakers) * view.markets * COMMANDS_PER_MARKET_MAX)
        return self.written(decide_backstop(view.tables, self.numbers, self.rows, wakers, out))


@kernel
def decide_backstop(t: Tables, numbers: Numbers, rows: Ints, wakers: Ints, out: Table) -> int:
    """Write the commands of all wakers to `out` and return how many there are."""
    p = numbers[0]
    row = 0
    for market in range(t.venue[V_MARKETS]):
        low, high = t.markets[market, M_COLLAR_LOW], t.markets[market, M_COLLAR_HIGH]
        for i in range(wakers.shape[0]):
            account = rows[wakers[i]]
            held = t.positions[position_row(t, account, market), P_LOTS]
            side = -1 if held > 0 else 1
            lots = int(np.ceil(abs(held) * p["unwind_share"]))
            price = int(np.rint(t.markets[market, M_MARK_TICKS] * (1.0 + side * p["range_ppm"] / 1e6)))
            row = write_use_cross(t, out, row, account, market)
            row = write_limit(out, row, account, market, side, lots, min(max(low, price), high), FLAGS)
    return row
