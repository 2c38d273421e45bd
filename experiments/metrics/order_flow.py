"""Statistics of market orders, quotes and depth, the same for a real feed and for a simulated book."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .returns import hill_index

Floats = NDArray[np.float64]

SIGN_LAGS = tuple(range(1, 101))
SIZE_SHARE = 0.01
COUNT_WINDOW_S = 60.0
COUNT_WINDOWS_MIN = 30


def market_orders(trades: pd.DataFrame) -> pd.DataFrame:
    """Return one row per market order: time_s, sign, size, from trades (time_s, sign, size) in their order.

    A feed tells trades: those of one aggressor at one time are taken for one order.
    """
    return trades.groupby(["time_s", "sign"], sort=False, as_index=False).agg({"size": "sum"})


def size_tail(sizes: Floats) -> float:
    """Return the tail exponent of the sizes of market orders, from the largest percent of them."""
    return hill_index(sizes, SIZE_SHARE)


def held_shares(spread_ticks: Floats, held_s: Floats) -> tuple[float, float]:
    """Return (mean spread in ticks, share of time it was one tick); each spread (n,) stood for so many seconds (n,)."""
    total = held_s.sum()
    if total <= 0:
        return float("nan"), float("nan")
    one = held_s[np.round(spread_ticks) == 1].sum()
    return float((spread_ticks * held_s).sum() / total), float(one / total)


def depth_profile(bands_bp: Floats, depth: Floats) -> tuple[float, float]:
    """Return (outer edge in bp of the band with most lots per bp, depth within 10 bp over that within 1 bp).

    `depth` (k,) is what rests within `bands_bp` (k,) of the best price, a mean over time and both sides.
    """
    inner = np.concatenate(([0.0], bands_bp[:-1]))
    below = np.concatenate(([0.0], depth[:-1]))
    density = (depth - below) / (bands_bp - inner)
    within = dict(zip(bands_bp.tolist(), depth.tolist(), strict=True))
    ratio = within[10.0] / within[1.0] if within[1.0] > 0 else float("nan")
    return float(bands_bp[int(density.argmax())]), ratio


def branching_ratio(times_s: Floats, duration_s: float) -> float:
    """Return how many further events an event causes on average, 1 - sqrt(mean / variance) of counts in windows.

    Windows last a minute, or a thirtieth of the time if that is less. 0 of a Poisson process, NaN without an event.
    Hardiman and Bouchaud, "Branching-ratio approximation for the self-exciting Hawkes process", Physical Review E 90
    (2014).
    """
    window_s = min(COUNT_WINDOW_S, duration_s / COUNT_WINDOWS_MIN)
    if not window_s > 0:
        return float("nan")
    windows = int(round(duration_s / window_s, 6))
    counts = np.histogram(times_s, bins=windows, range=(0.0, windows * window_s))[0]
    mean, variance = float(counts.mean()), float(counts.var(ddof=1))
    if mean == 0:
        return float("nan")
    return max(0.0, 1.0 - (mean / variance) ** 0.5) if variance > 0 else 0.0
