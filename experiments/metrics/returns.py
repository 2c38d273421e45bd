"""Statistics of returns of a price, the same for real candles and for simulated ones.

Definitions are those behind the bands of the scorecard (`experiments/realism/scorecard.py`): returns are differences of
the logarithm of closes, moments are unbiased, an autocorrelation is the correlation of the series with itself, shifted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kurtosis, skew

Floats = NDArray[np.float64]

HILL_SHARE = 0.01
DECAY_LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def log_returns(close: Floats, every: int = 1) -> Floats:
    """Return the log returns of every so manyth price: (n,) to (about n / every - 1,)."""
    returns: Floats = np.diff(np.log(close[::every]))
    return returns


def hill_index(values: Floats, share: float = HILL_SHARE) -> float:
    """Return Hill's estimate of the tail exponent of positive values, from the largest `share` of them; NaN if too few.

    Hill, "A simple general approach to inference about the tail of a distribution", Annals of Statistics 3 (1975).
    """
    ordered = np.sort(values)[::-1]
    count = int(len(ordered) * share)
    if count < 2 or ordered[count] <= 0:
        return float("nan")
    excess = float(np.mean(np.log(ordered[:count] / ordered[count])))
    return 1.0 / excess if excess > 0 else float("nan")


def autocorrelation(values: Floats, lag: int) -> float:
    """Return the correlation of values (n,) with those `lag` earlier; NaN if they do not vary or are too few."""
    if len(values) < lag + 3:
        return float("nan")
    before, after = values[:-lag], values[lag:]
    if np.ptp(before) == 0 or np.ptp(after) == 0:
        return float("nan")
    return float(np.corrcoef(before, after)[0, 1])


def decay_exponent(values: Floats, lags: Sequence[int]) -> float:
    """Return b of autocorrelation ~ lag^-b, by least squares of logarithms where it is positive; NaN if nowhere."""
    lags = [lag for lag in lags if lag < len(values) // 3]
    found = np.array([autocorrelation(values, lag) for lag in lags])
    positive = found > 0
    if positive.sum() < 3:
        return float("nan")
    slope = np.polyfit(np.log(np.array(lags)[positive]), np.log(found[positive]), 1)[0]
    return -float(slope)


def excess_kurtosis(values: Floats) -> float:
    """Return the unbiased excess kurtosis; NaN of fewer than four values."""
    return float(kurtosis(values, bias=False)) if len(values) > 3 else float("nan")


def skewness(values: Floats) -> float:
    """Return the unbiased skewness; NaN of fewer than three values."""
    return float(skew(values, bias=False)) if len(values) > 2 else float("nan")


def variance_ratio(close: Floats, every: int) -> float:
    """Return the variance of log returns over `every` intervals, over so many times that of one; 1 of a random walk.

    Returns overlap. Lo and MacKinlay, "Stock market prices do not follow random walks", Review of Financial Studies 1
    (1988).
    """
    logs = np.log(close)
    if len(logs) <= 2 * every:
        return float("nan")
    mean = (logs[-1] - logs[0]) / (len(logs) - 1)
    one = float(np.mean((np.diff(logs) - mean) ** 2))
    many = float(np.mean((logs[every:] - logs[:-every] - every * mean) ** 2))
    return many / (every * one) if one > 0 else float("nan")


def correlation(first: Floats, second: Floats) -> float:
    """Return the correlation of two series; pairs with a number that is not finite are left out; NaN if one is flat."""
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
