"""How much a price has moved of late, as traders measure it: each over a horizon of its own, from past marks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .view import Floats, Ints, View

# The mean absolute value of a normal variable is sqrt(2 / pi) of its standard deviation.
SD_PER_MEAN_ABSOLUTE = 1.2533141373155003

YEAR_S = 365.0 * 86_400.0

SAMPLES = 32
"""Moves that a horizon is cut into: the error of a standard deviation is an eighth of it."""


def realised_ppm(view: View, market: Ints, horizon_s: Floats, weights: Floats) -> Floats:
    """Return the realised volatility of each horizon, as standard deviation of the mark in one second, (n,).

    The root of the weighted mean of the squares of `len(weights)` moves that follow each other, newest first (Andersen
    and Bollerslev, "Answering the skeptics", International Economic Review 39, 1998); `weights` add up to 1. A part of
    a horizon that lies before the first mark counts as having no moves.
    """
    lag_steps = np.maximum((horizon_s / (len(weights) * view.dt_s)).astype(np.int64), 1)
    variance: NDArray[Any] = np.zeros(len(market))
    later = view.mark_before_ticks(np.zeros_like(lag_steps), market)
    for number, weight in enumerate(weights, start=1):
        earlier = view.mark_before_ticks(number * lag_steps, market)
        move_ppm = (later - earlier) * 1e6 / earlier
        variance += weight * move_ppm * move_ppm
        later = earlier
    return np.sqrt(variance / (lag_steps * view.dt_s))


def equal_weights() -> Floats:
    """Return weights that count every move of a horizon alike, (SAMPLES,)."""
    return np.full(SAMPLES, 1.0 / SAMPLES)


def fading_weights(decay: float) -> Floats:
    """Return weights that fall by `decay` from one move to the one before it and add up to 1, (SAMPLES,).

    J.P. Morgan, "RiskMetrics Technical Document" (1996): 0.94 for daily moves.
    """
    powers = np.cumprod(np.full(SAMPLES, decay)) / decay
    return powers / np.cumsum(powers)[-1]


def average_true_range_ticks(view: View, market: int, bar_s: float, bars: int) -> float:
    """Return the mean true range of the mark in the last `bars` bars of `bar_s` seconds; 0 before the first is over.

    A bar's true range is the distance of its highest from its lowest price, the last price before it included (Wilder,
    "New concepts in technical trading systems", 1978; he smooths later values, which are plain means here).
    """
    steps = max(int(bar_s / view.dt_s), 1)
    whole = min(bars, (len(view.mark_history) - 1) // steps)
    if whole < 1:
        return 0.0
    marks = view.mark_history[-(whole * steps + 1) :, market]
    before, inside = marks[:-1:steps], marks[1:].reshape(whole, steps)
    ranges = np.maximum(inside.max(axis=1), before) - np.minimum(inside.min(axis=1), before)
    return int(ranges.sum()) / whole
