"""The shape of the deepest fall in a series of minutes: how deep, how busy, how rough, how much came back.

The windows are those behind `cascade_event_metrics` of the scorecard's bands, found again from published events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEFORE = (119, 59)
"""The price before: median close of the hour that ends about an hour before the trough, in minutes before it."""
DAY = 1440
BUSY, ROUGH, AFTER = 10, 30, 60


class CrashShape(NamedTuple):
    """One fall, in shares of the price before it and multiples of what was usual in the day before."""

    trough: int
    """Row of the lowest price."""
    depth: float
    """How far the low was below the price before, as a share of it."""
    volume_ratio: float
    """Mean volume of a minute within ten minutes of the trough, over the median before; NaN without volumes."""
    sigma_ratio: float
    """Standard deviation of returns within half an hour of the trough, over that before."""
    recovered: float
    """Share of the fall that had come back 60 minutes later."""
    half_recovery_min: float
    """Minutes until half of the fall had come back; NaN if it did not."""
    taker_sell_share: float
    """Share of sellers in what takers traded in the ten minutes up to the trough; NaN if unknown."""
    worst_log_return: float
    """Lowest log return of a minute within ten minutes of the trough."""


def deepest_trough(low: Floats, close: Floats) -> int | None:
    """Return the row of the low that is deepest below the price before it, with room for all windows; None without."""
    first, last = BEFORE[0] + 1, len(close) - AFTER
    if last <= first:
        return None
    depths = [low[row] / np.median(close[row - BEFORE[0] : row - BEFORE[1]]) for row in range(first, last)]
    return first + int(np.argmin(depths))


def crash_shape(
    low: Floats, close: Floats, volume: Floats | None, taker_buy: Floats | None, trough: int
) -> CrashShape:  # fmt: skip
    """Return the shape of the fall to the low of row `trough`; all arrays (n,), a row a minute, money volumes.

    `trough` has at least BEFORE[0] + 1 rows before it and AFTER after it.
    """
    assert BEFORE[0] < trough < len(close) - AFTER
    before = float(np.median(close[trough - BEFORE[0] : trough - BEFORE[1]]))
    lowest = float(low[trough])
    depth = 1.0 - lowest / before
    returns = np.diff(np.log(close), prepend=np.nan)
    usual = slice(max(1, trough - DAY), trough - BEFORE[1])
    busy, rough = slice(trough - BUSY, trough + BUSY + 1), slice(trough - ROUGH, trough + ROUGH + 1)
    came_back = np.flatnonzero(close[trough:] >= lowest + (before - lowest) / 2)
    quiet = returns[usual].std(ddof=1)
    return CrashShape(
        trough=trough,
        depth=depth,
        volume_ratio=_ratio(volume[busy].mean(), np.median(volume[usual])) if volume is not None else float("nan"),
        sigma_ratio=_ratio(returns[rough].std(ddof=1), quiet),
        recovered=_ratio(float(close[trough + AFTER]) - lowest, before - lowest),
        half_recovery_min=float(came_back[0]) if len(came_back) else float("nan"),
        taker_sell_share=_sold(volume, taker_buy, slice(trough - BUSY, trough + 1)),
        worst_log_return=float(returns[busy].min()),
    )


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else float("nan")


def _sold(volume: Floats | None, taker_buy: Floats | None, rows: slice) -> float:
    if volume is None or taker_buy is None or volume[rows].sum() <= 0:
        return float("nan")
    return 1.0 - float(taker_buy[rows].sum() / volume[rows].sum())
