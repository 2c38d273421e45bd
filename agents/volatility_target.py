"""Volatility-targeting funds: long, with so much leverage that the fund moves about as much as it promised to.

The position is target volatility over realised volatility times equity, within a cap. It falls when the market has
moved a lot, so that a fall is followed by sales, the larger the more of them rebalance and the faster: the leverage
cycle of Aymanns and Farmer, "The dynamics of the leverage cycle", Journal of Economic Dynamics and Control 50 (2015),
in which a slower adjustment calms the market.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from .cohort import Cohort, Commands, join
from .parameters import CohortParameters
from .ranges import check_ranges, spread_log
from .view import Ints, View
from .volatility import YEAR_S, equal_weights, realised_ppm

# Traits, drawn once for each fund.
TRAIT_HORIZON = 0
TRAIT_TARGET = 1


class VolatilityTargetParameters(CohortParameters):
    """Volatility-targeting funds."""

    mean_interval_s: float = Field(default=600.0, gt=0.0, le=1e9)
    """Mean time between two rebalancings of a fund, in seconds."""
    wealth_quote_median: float = Field(default=200_000.0, gt=0.0, le=9e9)
    """Median of what a fund deposits at the start, in quote units."""
    target_min: float = Field(default=0.3, gt=0.0, le=100.0)
    """Volatility that a fund promises, per root of a year: lowest of the cohort, ..."""
    target_max: float = Field(default=0.8, gt=0.0, le=100.0)
    """... and highest."""
    horizon_min_s: float = Field(default=1_800.0, gt=0.0, le=1e9)
    """Shortest horizon over which a fund measures volatility; horizons are spread evenly in logarithm, ..."""
    horizon_max_s: float = Field(default=14_400.0, gt=0.0, le=1e9)
    """... up to the longest. A fund does nothing before it has seen its horizon once."""
    leverage_max: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Largest position as a multiple of equity, however little the market moves."""
    band_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """A position is left alone while it is no further than this share of itself from the wanted one."""
    speed: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the way to the wanted position that one rebalancing goes."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        check_ranges(self, ("target_min", "target_max"), ("horizon_min_s", "horizon_max_s"))
        return self


class VolatilityTarget(Cohort):
    """Buys when the market has become quieter, sells when it has become busier; never short."""

    Parameters = VolatilityTargetParameters
    parameters: VolatilityTargetParameters

    def prepare(self) -> None:
        """Draw what is fixed for life."""
        parameters = self.parameters
        self.horizon_s = spread_log(parameters.horizon_min_s, parameters.horizon_max_s, self.trait(TRAIT_HORIZON))
        target_span = parameters.target_max - parameters.target_min
        self.target = parameters.target_min + target_span * self.trait(TRAIT_TARGET)
        self.weights = equal_weights()

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one market order for each waker, and its choice of cross margin before the first."""
        parameters = self.parameters
        ready = wakers[self.horizon_s[wakers] <= view.time_s]
        market = self.pick_market(view, ready)
        usual_ppm = self.target[ready] * (1e6 / np.sqrt(YEAR_S))
        moved_ppm = realised_ppm(view, market, self.horizon_s[ready], self.weights)
        leverage = np.minimum(
            usual_ppm / np.maximum(moved_ppm, usual_ppm / parameters.leverage_max), parameters.leverage_max
        )
        limits = self.limits(view, self.rows[ready], market, leverage)
        gap = limits.lots - limits.at.lots
        change = np.where(np.abs(gap) > parameters.band_share * np.abs(limits.at.lots), gap * parameters.speed, 0.0)
        side = np.where(change > 0, 1, -1)
        return join(
            self.use_cross(ready, market, limits.at),
            self.market(ready, market, side, np.ceil(np.abs(change))),
        )
