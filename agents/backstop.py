"""Backstop providers: deep pockets that take over what liquidation leaves, and sell it again without haste.

The venue hands them positions of bankrupt accounts (R-W5); they never open one themselves.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from .cohort import Cohort, Commands, join, within
from .parameters import CohortParameters
from .view import Ints, View


class BackstopParameters(CohortParameters):
    """Backstop providers."""

    count: int = Field(default=1, ge=0, le=10_000_000)
    """Number of accounts; 0 takes `share` of the scenario's traders."""
    mean_interval_s: float = Field(default=10.0, gt=0.0, le=1e9)
    """Mean time between two wakings of an account, in seconds."""
    wealth_quote_median: float = Field(default=5_000_000.0, gt=0.0, le=9e9)
    """Median of what an account deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto"] = "equal"
    """Distribution of it: everybody the median, lognormal, or Pareto."""
    unwind_share: float = Field(default=0.02, gt=0.0, le=1.0)
    """Share of a position offered to the book at each waking."""
    range_ppm: float = Field(default=2_000.0, ge=0.0, lt=1e6)
    """Furthest distance from the mark at which it is sold or bought back."""


class Backstop(Cohort):
    """Reduces the positions it was given by a small share at a time, within a range of the mark."""

    Parameters = BackstopParameters
    parameters: BackstopParameters

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return for each waker and position one order that takes what is there and does not rest."""
        parameters = self.parameters
        parts = []
        for each in range(view.markets):
            market = np.full(len(wakers), each)
            at = view.standing(self.rows[wakers], market)
            side = -np.sign(at.lots)
            lots = np.ceil(np.abs(at.lots) * parameters.unwind_share)
            price = np.rint(view.mark_ticks[each] * (1.0 + side * parameters.range_ppm / 1e6))
            price = within(view.collar_low[each], price, view.collar_high[each])
            parts.append(self.use_cross(wakers, market, at))
            parts.append(self.limit(wakers, market, side, lots, price, ioc=True, reduce_only=True))
        return join(*parts)
