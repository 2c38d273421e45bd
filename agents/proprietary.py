"""Proprietary desks with a value-at-risk limit: they hold what they believe in, as far as the limit lets them.

The largest position is what would lose the desk's risk budget in a bad day as the market moves now: budget / (z x
volatility). When volatility rises the limit falls, and what is above it is sold, whatever the desk believes: Adrian and
Shin, "Liquidity and leverage", Journal of Financial Intermediation 19 (2010), and "Procyclical leverage and
value-at-risk", Review of Financial Studies 27 (2014). Volatility is an average that fades (RiskMetrics 1996).
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from .cohort import Cohort, Commands, Floats, join
from .draws import Stream
from .parameters import CohortParameters
from .ranges import check_ranges, spread_log
from .view import Ints, View
from .volatility import SAMPLES, YEAR_S, fading_weights, realised_ppm

# Traits, drawn once for each desk.
TRAIT_SAMPLE = 0
TRAIT_USE = 1


class ProprietaryParameters(CohortParameters):
    """Proprietary desks with a limit of value at risk."""

    mean_interval_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a desk, in seconds."""
    wealth_quote_median: float = Field(default=1_000_000.0, gt=0.0, le=9e9)
    """Median of what a desk deposits at the start, in quote units."""
    wealth_tail: float = Field(default=0.5, gt=0.0, le=100.0)
    """Lognormal: standard deviation of the logarithm. Pareto: exponent, smaller is more unequal."""
    limit: Literal["value_at_risk", "constant"] = "value_at_risk"
    """The limit follows volatility as it is measured, or takes it to be `volatility_usual` always."""
    budget_share: float = Field(default=0.05, gt=0.0, le=1.0)
    """Loss that is exceeded on bad days only, as a share of equity: the budget."""
    quantile_z: float = Field(default=2.33, gt=0.0, le=10.0)
    """How many standard deviations the loss of such a day is (2.33: one day in a hundred, if normal)."""
    risk_horizon_s: float = Field(default=86_400.0, gt=0.0, le=1e9)
    """Length of the "day"; volatility grows with its root."""
    volatility_usual: float = Field(default=0.6, gt=0.0, le=100.0)
    """Volatility per root of a year before a desk has seen enough, and always where the limit is constant."""
    sample_min_s: float = Field(default=30.0, gt=0.0, le=1e9)
    """Shortest interval between the prices a desk compares (32 moves count); spread evenly in logarithm, ..."""
    sample_max_s: float = Field(default=120.0, gt=0.0, le=1e9)
    """... up to the longest."""
    decay: float = Field(default=0.94, gt=0.0, le=1.0)
    """Weight of a move relative to the one after it."""
    leverage_max: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Largest position as a multiple of equity, however little the market moves."""
    use_min: float = Field(default=0.6, ge=0.0, le=1.0)
    """Share of the limit that a desk wants to use: lowest of the cohort, ..."""
    use_max: float = Field(default=1.0, ge=0.0, le=1.0)
    """... and highest."""
    long_share: float = Field(default=0.7, ge=0.0, le=1.0)
    """Probability that a new view is that prices will rise."""
    view_s: float = Field(default=28_800.0, gt=0.0, le=1e9)
    """Mean life of a view, in seconds."""
    build_share: float = Field(default=0.1, gt=0.0, le=1.0)
    """Share of what is missing to the wanted position that is traded at a waking, ..."""
    cut_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """... and share of what is above the limit."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        check_ranges(self, ("sample_min_s", "sample_max_s"), ("use_min", "use_max"))
        return self


class Proprietary(Cohort):
    """Builds a position slowly, towards its view; cuts at once what the limit no longer allows."""

    Parameters = ProprietaryParameters
    parameters: ProprietaryParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the column of views: 1 prices rise, -1 they fall, 0 none yet."""
        parameters = self.parameters
        self.horizon_s = SAMPLES * spread_log(
            parameters.sample_min_s, parameters.sample_max_s, self.trait(TRAIT_SAMPLE)
        )
        self.use = parameters.use_min + (parameters.use_max - parameters.use_min) * self.trait(TRAIT_USE)
        self.weights = fading_weights(parameters.decay)
        self.columns = {"view": np.zeros(self.n, dtype=np.int64)}

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one market order for each waker, and its choice of cross margin before the first."""
        parameters = self.parameters
        market = self.pick_market(view, wakers)
        limits = self.limits(view, self.rows[wakers], market, self._leverage(view, wakers, market))
        held = limits.at.lots
        excess = np.abs(held) - limits.lots
        missing = self._renewed_views(wakers) * (self.use[wakers] * limits.lots) - held
        cuts = excess > 0
        # Orders that are worth little beside the limit would never end.
        builds = ~cuts & (np.abs(missing) * 20 > limits.lots)
        return join(
            self.use_cross(wakers, market, limits.at),
            self.market(
                wakers[cuts], market[cuts], -np.sign(held[cuts]), np.ceil(excess[cuts] * parameters.cut_share),
                reduce_only=True,
            ),
            self.market(
                wakers[builds], market[builds], np.where(missing[builds] > 0, 1, -1),
                np.ceil(np.abs(missing[builds]) * parameters.build_share),
            ),
        )  # fmt: skip

    def _leverage(self, view: View, wakers: Ints, market: Ints) -> Floats:
        """Return the largest position of each waker as a multiple of equity: budget over the loss of a bad day."""
        parameters = self.parameters
        horizon_s = self.horizon_s[wakers]
        deviation = np.full(len(wakers), parameters.volatility_usual / np.sqrt(YEAR_S))
        if parameters.limit == "value_at_risk":
            measured = realised_ppm(view, market, horizon_s, self.weights) / 1e6
            deviation = np.where(view.time_s >= horizon_s, measured, deviation)
        loss = parameters.quantile_z * deviation * np.sqrt(parameters.risk_horizon_s)
        least = parameters.budget_share / parameters.leverage_max
        return parameters.budget_share / np.maximum(loss, least)

    def _renewed_views(self, wakers: Ints) -> Ints:
        """Return the views of the wakers, after some have taken a new one."""
        views = self.columns["view"]
        ends = self.uniform(Stream.HOLD, wakers) * self.parameters.view_s < self.mean_interval_s
        fresh = np.where(self.uniform(Stream.SIDE, wakers) < self.parameters.long_share, 1, -1)
        views[wakers] = np.where(ends | (views[wakers] == 0), fresh, views[wakers])
        return views[wakers]
