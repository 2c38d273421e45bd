"""A fall while a large order is worked: how deep, what comes back, and what intermediaries do in its worst minute.

Prices are those of the last trade at the end of each step, (steps,); `start` is the step at which the order begins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Fall(NamedTuple):
    """The deepest point after an order has begun."""

    before: float
    """Mean price of the window before."""
    trough: int
    """Step of the lowest price."""
    depth: float
    """How far that is below the price before, as a share of it."""
    regained: float
    """Share of the fall that has come back some time later; NaN if the run is over by then, or nothing fell."""


class WorstMinute(NamedTuple):
    """The window in which the price falls most, after an order has begun."""

    first: int
    """Step at its beginning."""
    change: float
    """Change of the price, as a share of that before the order."""
    hot_potato: float
    """Volume of intermediaries over the change of what they hold together, in absolute lots; at least 1 lot."""


def fall_after(prices: Floats, start: int, window: int, horizon: int) -> Fall:
    """Return the fall from the mean of `window` steps before `start`, and what is regained `horizon` steps later."""
    assert window <= start < len(prices)
    before = float(prices[start - window : start].mean())
    trough = start + int(prices[start:].argmin())
    lost = before - prices[trough]
    later = trough + horizon
    known = later < len(prices) and lost > 0.0
    return Fall(
        before, trough, float(lost) / before, float(prices[later] - prices[trough]) / lost if known else float("nan")
    )


def worst_minute(prices: Floats, held: Floats, traded: Floats, start: int, window: int) -> WorstMinute:
    """Return the worst window; `held` and `traded` are intermediaries' position and the sum of their trades so far."""
    changes = prices[start + window :] - prices[start:-window]
    first = start + int(changes.argmin())
    volume = traded[first + window] - traded[first]
    net = abs(held[first + window] - held[first])
    before = float(prices[start - window : start].mean())
    return WorstMinute(first, float(changes.min()) / before, float(volume / max(net, 1.0)))


def first_plunge(prices: Floats, start: int, width: float, window: int) -> int | None:
    """Return the first step from `start` on whose price is a share `width` below the highest of `window` before it."""
    for step in range(max(start, window), len(prices)):
        if prices[step] <= (1.0 - width) * prices[step - window : step].max():
            return step
    return None


def further_fall(prices: Floats, step: int | None, horizon: int, before: float) -> float:
    """Return how far the price falls below that of `step` within `horizon` steps, as a share of `before`; or NaN."""
    if step is None:
        return float("nan")
    return float(prices[step] - prices[step : step + horizon + 1].min()) / before
