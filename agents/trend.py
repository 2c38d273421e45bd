"""Trend followers: they join a move that is large for its horizon, and leave when it is over."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from .cohort import Cohort, Commands, Floats, join
from .elementary import exp, log
from .parameters import CohortParameters
from .view import Ints, View

# Traits, drawn once for each trader.
TRAIT_HORIZON = 0
TRAIT_THRESHOLD = 1
TRAIT_LEVERAGE = 2

# The mean absolute value of a normal variable is sqrt(2 / pi) of its standard deviation.
SD_PER_MEAN_ABSOLUTE = 1.2533141373155003


class TrendParameters(CohortParameters):
    """Trend followers."""

    mean_interval_s: float = Field(default=120.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=20_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    horizon_min_s: float = Field(default=300.0, gt=0.0, le=1e9)
    """Shortest horizon over which a trader measures a move; horizons are spread evenly in logarithm."""
    horizon_max_s: float = Field(default=14_400.0, gt=0.0, le=1e9)
    """Longest horizon."""
    threshold_min: float = Field(default=1.0, gt=0.0, le=100.0)
    """A trader joins a move of so many standard deviations of its horizon; lowest threshold, ..."""
    threshold_max: float = Field(default=2.5, gt=0.0, le=100.0)
    """... and highest."""
    exit_share: float = Field(default=0.25, ge=0.0, le=1.0)
    """It leaves when the move has shrunk to this share of its threshold."""
    volatility_floor_ppm: float = Field(default=20.0, gt=0.0, le=1e6)
    """Least volatility a move is compared with: mean absolute change of the mark in one second."""
    leverage_min: float = Field(default=0.5, gt=0.0, le=1000.0)
    """Value of a full position as a multiple of equity: lowest of the cohort, ..."""
    leverage_max: float = Field(default=3.0, gt=0.0, le=1000.0)
    """... and highest."""
    order_share: float = Field(default=0.5, gt=0.0, le=1.0)
    """Largest order as a share of a full position."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> TrendParameters:
        for name, unit in (("horizon", "_s"), ("threshold", ""), ("leverage", "")):
            low, high = getattr(self, f"{name}_min{unit}"), getattr(self, f"{name}_max{unit}")
            if low > high:
                least = f"{name}_min{unit}"
                raise ValueError(f"{least} must not be above {name}_max{unit} (got {low:g} > {high:g})")
        return self


class Trend(Cohort):
    """Buys after a rise above its threshold, sells after a fall, closes when the move is over."""

    Parameters = TrendParameters
    parameters: TrendParameters

    def prepare(self) -> None:
        """Draw what is fixed for life."""
        parameters = self.parameters
        self.horizon_s = parameters.horizon_min_s * exp(
            self.trait(TRAIT_HORIZON) * log(parameters.horizon_max_s / parameters.horizon_min_s)
        )
        threshold_span = parameters.threshold_max - parameters.threshold_min
        self.threshold = parameters.threshold_min + threshold_span * self.trait(TRAIT_THRESHOLD)
        leverage_span = parameters.leverage_max - parameters.leverage_min
        self.leverage = parameters.leverage_min + leverage_span * self.trait(TRAIT_LEVERAGE)

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one market order for each waker."""
        parameters = self.parameters
        accounts, market = self.rows[wakers], self.pick_market(view, wakers)
        strength = self.strength(view, wakers, market)
        limits = self.limits(view, accounts, market, self.leverage[wakers])
        held = limits.at.lots

        joins = np.abs(strength) >= 1.0
        # A move that has ended, or turned, is left.
        leaves = strength * np.sign(held) < parameters.exit_share
        target = np.where(joins, np.sign(strength).astype(np.int64) * limits.lots, np.where(leaves, 0, held))
        target = np.where(view.called(accounts), np.sign(held) * (np.abs(held) // 2), target)
        change = target - held
        side = np.where(change > 0, 1, -1)
        step = np.maximum((limits.lots * parameters.order_share).astype(np.int64), 1)
        lots = np.where(change * side * 20 >= limits.lots, np.minimum(change * side, step), 0)

        opposite = np.where(side > 0, view.ask_ticks[market], view.bid_ticks[market])
        orders = self.market(wakers, market, side, np.where(opposite > 0, lots, 0))
        return join(self.use_cross(wakers, market, limits.at), orders)

    def strength(self, view: View, wakers: Ints, market: Ints) -> Floats:
        """Return the move of the mark over each waker's horizon in units of its threshold, signed."""
        horizon_s = self.horizon_s[wakers]
        steps = np.maximum(horizon_s / view.dt_s, 1.0).astype(np.int64)
        before = view.mark_before_ticks(steps, market)
        move_ppm = (view.mark_ticks[market] - before) * 1e6 / before
        floor_ppm = self.parameters.volatility_floor_ppm
        per_second = np.maximum(view.volatility_ppm / np.sqrt(view.dt_s), floor_ppm)
        usual_ppm = SD_PER_MEAN_ABSOLUTE * per_second[market] * np.sqrt(horizon_s)
        return move_ppm / (usual_ppm * self.threshold[wakers])
