"""Attention: how often traders act grows with what the price has done of late, over horizons from a minute to hours.

Each trader looks back over a horizon of its own and acts the more often the larger the realised variance there. With
horizons spread evenly over the logarithm, memory of past variance falls off about as one over time, and quiet and busy
times last: Müller and others, "Volatilities of different time resolutions", Journal of Empirical Finance 4 (1997). A
move that kept its direction may count for more than its parts: Blanc, Donier and Bouchaud, "Quadratic Hawkes processes
for financial prices", Quantitative Finance 17 (2017), to whom that is what makes tails fat.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from delever.engine.kernel import kernel
from delever.engine.tables import M_MARK_TICKS, Tables

from .account import mark_before_ticks
from .parameters import CohortParameters, Record
from .ranges import check_ranges
from .view import Ints

MOVES = 16
"""Moves that a realised variance is made of."""


class AttentionParameters(CohortParameters):
    """Numbers of traders who act more often after large moves."""

    horizon_min_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Shortest horizon; horizons are spread evenly over the logarithm, ..."""
    horizon_max_s: float = Field(default=21_600.0, gt=0.0, le=1e9)
    """... up to the longest."""
    calm_ppm: float = Field(default=60.0, gt=0.0, le=1e6)
    """Standard deviation of the price in one second that counts as usual."""
    attention_calm: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of wakings at which a trader acts though nothing has moved, ..."""
    attention_gain: float = Field(default=0.0, ge=0.0, le=1000.0)
    """... and what the usual variance over its horizon adds; twice the variance adds twice that, up to always."""
    trend_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Weight in that variance of the square of the whole move; the rest are the squares of its parts."""

    @model_validator(mode="after")
    def _horizons_in_order(self) -> Self:
        check_ranges(self, ("horizon_min_s", "horizon_max_s"))
        return self


@kernel
def attends(t: Tables, p: Record, mark_history: Ints, market: int, horizon_s: float, dt_s: int, uniform: float) -> bool:
    """Say whether a trader acts at this waking."""
    if uniform < p["attention_calm"]:
        return True
    if p["attention_gain"] == 0.0:
        return False
    variance = variance_ppm(t, mark_history, market, horizon_s, dt_s, p["trend_share"]) / (
        p["calm_ppm"] * p["calm_ppm"]
    )
    return uniform < p["attention_calm"] + p["attention_gain"] * variance


@kernel
def variance_ppm(t: Tables, mark_history: Ints, market: int, horizon_s: float, dt_s: int, trend_share: float) -> float:
    """Return the variance of the mark over a horizon, in squared ppm in one second."""
    lag = int(max(horizon_s / (MOVES * dt_s), 1.0))
    now = t.markets[market, M_MARK_TICKS]
    later, before = now, now
    squares = 0.0
    for number in range(1, MOVES + 1):
        before = mark_before_ticks(t, mark_history, number * lag, market)
        part = (later - before) * 1e6 / before
        squares += part * part
        later = before
    whole = (now - before) * 1e6 / before
    return ((1.0 - trend_share) * squares + trend_share * whole * whole) / (MOVES * lag * dt_s)
