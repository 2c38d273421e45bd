"""What is known of a market, real or simulated, when its realism is judged; what is not known is None."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BANDS_BP = np.array([1.0, 2.0, 5.0, 10.0])
LADDER_BP = np.arange(1.0, 51.0)
MINUTE_S = 60.0


class Minutes(NamedTuple):
    """One-minute candles without gaps, arrays (n,)."""

    close: Floats
    low: Floats
    volume: Floats | None
    """Money traded."""
    taker_buy: Floats | None
    """Money that takers bought for."""


class Quotes(NamedTuple):
    """The best prices over time."""

    times_s: Floats
    """When the quote came to stand, (n,), from 0."""
    held_s: Floats
    """How long it stood, (n,)."""
    spread_ticks: Floats
    middle: Floats
    """Mean of bid and ask, in any unit, (n,)."""


class Impacts(NamedTuple):
    """Orders worked over time (meta-orders), arrays (n,)."""

    volume_share: Floats
    """Size over what is traded in a day."""
    moved: Floats
    """How far the price went their way from before the first to the last trade, in daily standard deviations."""


class Forced(NamedTuple):
    """Forced closing in the whole market."""

    long_daily: float
    """Value of longs liquidated in a day over open interest."""
    short_daily: float


class Observed(NamedTuple):
    """One market over some time."""

    minutes: Minutes
    orders: pd.DataFrame | None = None
    """Market orders in time: time_s, sign, size."""
    quotes: Quotes | None = None
    added_per_order: float | None = None
    """How often a level of the book grew, for one market order."""
    depth: Floats | None = None
    """Mean size within BANDS_BP of the best price, of both sides, (4,)."""
    ladder: Floats | None = None
    """Mean size within LADDER_BP of the best bid and of the best ask, (2, 50)."""
    impacts: Impacts | None = None
    forced: Forced | None = None
