"""From prices at some times to a price at every step: Brownian bridges that keep to what is known.

The bridge runs in the logarithm of the price. It goes through every known price. Where the low and the high
of an interval are known it never leaves them (it is reflected) and visits both: the low first if the price
rises over the interval, the high first if it falls; one between an eighth and three eighths of the interval,
the other as long before its end, at random. That order and these times are assumptions: candles do not tell.
The eighths keep the path from jumping, where chance would put an extreme next to another known price.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.agents.draws import Stream, normal, uniform
from delever.agents.elementary import exp, log

from .price_files import Prices

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# The range of a Brownian path over a time T has the mean square 4 ln 2 · variance · T: M. Parkinson, "The
# extreme value method for estimating the variance of the rate of return", Journal of Business 53 (1980).
PARKINSON = 4.0 * float(log(2.0))


class _Rows(NamedTuple):
    """Known prices as logarithms; interval i lies between rows i and i + 1."""

    time_s: Floats
    """(n,): seconds after the start of the run, the first not above 0."""
    value: Floats
    """(n,)"""
    low: Floats | None
    """(n - 1,): of the interval"""
    high: Floats | None
    number: Integers
    """(n - 1,): number of the interval in the source; draws are keyed by it"""


def bridge_prices(
    prices: Prices,
    seed: int,
    market: int,
    steps: int,
    dt_s: float,
    *,
    start_s: float = 0.0,
    volatility: float | None = None,
) -> Floats:
    """Return the price at steps 0 to `steps`, shape (steps + 1,), step 0 being `start_s` after the first
    price.

    `volatility` is per square root of a second; None takes each interval's own from its low and high, and
    draws straight lines (of the logarithm) where these are unknown. The prices must reach the last step.
    """
    time_s = np.arange(steps + 1, dtype=np.float64) * dt_s
    rows = _needed_rows(prices, start_s, float(time_s[-1]))
    knot_time_s, knot_value = _knots(rows, seed, market, dt_s)
    first_step = int(np.floor(rows.time_s[0] / dt_s))
    noise = _noise(seed, market, first_step, int(np.ceil(rows.time_s[-1] / dt_s)), dt_s)

    knot = np.clip(np.searchsorted(knot_time_s, time_s, side="right") - 1, 0, knot_time_s.size - 2)
    part = (time_s - knot_time_s[knot]) / (knot_time_s[knot + 1] - knot_time_s[knot])
    noise_at_knots = _interpolate(noise, knot_time_s / dt_s - first_step)
    free = noise[np.arange(steps + 1) - first_step] - noise_at_knots[knot]
    free -= part * (noise_at_knots[knot + 1] - noise_at_knots[knot])

    interval = np.clip(np.searchsorted(rows.time_s, time_s, side="right") - 1, 0, rows.number.size - 1)
    value = knot_value[knot] + part * (knot_value[knot + 1] - knot_value[knot])
    value += _volatility(rows, volatility)[interval] * free
    if rows.low is not None and rows.high is not None:
        value = _reflect(value, rows.low[interval], rows.high[interval])
    return exp(value)


def _needed_rows(prices: Prices, start_s: float, end_s: float) -> _Rows:
    """Return the rows from the last one at or before the start to the first one at or after the end."""
    time_s = prices.time_s - prices.time_s[0] - start_s
    first = int(np.searchsorted(time_s, 0.0, side="right")) - 1
    last = int(np.searchsorted(time_s, end_s, side="left"))
    assert first >= 0, "the prices begin after the run"
    assert last < time_s.size, "the prices end before the run"
    first, last = min(first, time_s.size - 2), max(last, first + 1)
    price = prices.price[first : last + 1]
    low = high = None
    if prices.low is not None and prices.high is not None:
        # A candle may open outside its range, away from the close before.
        low = log(np.minimum(prices.low[first + 1 : last + 1], np.minimum(price[:-1], price[1:])))
        high = log(np.maximum(prices.high[first + 1 : last + 1], np.maximum(price[:-1], price[1:])))
    return _Rows(time_s[first : last + 1], log(price), low, high, np.arange(first, last))


def _knots(rows: _Rows, seed: int, market: int, dt_s: float) -> tuple[Floats, Floats]:
    """Return times and values of what the path visits: the rows, and low and high where there is room."""
    if rows.low is None or rows.high is None:
        return rows.time_s, rows.value
    first = np.floor(rows.time_s[:-1] / dt_s).astype(np.int64) + 1
    count = np.ceil(rows.time_s[1:] / dt_s).astype(np.int64) - first
    room = np.flatnonzero(count >= 2)
    first, count = first[room], count[room]
    chance = uniform(seed, Stream.EXTREME, market, 2 * rows.number[room] + np.array([[0], [1]]))
    from_border = np.floor(count * (0.125 + 0.25 * chance)).astype(np.int64)
    after_start, before_end = np.minimum(from_border, count // 2 - 1)
    one, other = first + after_start, first + count - 1 - before_end
    rises = rows.value[1:][room] >= rows.value[:-1][room]
    low, high = rows.low[room], rows.high[room]
    time_s = np.concatenate([rows.time_s, one * dt_s, other * dt_s])
    value = np.concatenate([rows.value, np.where(rises, low, high), np.where(rises, high, low)])
    order = np.argsort(time_s, kind="stable")
    return time_s[order], value[order]


def _noise(seed: int, market: int, first_step: int, last_step: int, dt_s: float) -> Floats:
    """Return a Brownian motion at steps `first_step` to `last_step`, 0 at the first."""
    increments = normal(seed, Stream.BRIDGE, market, np.arange(first_step + 1, last_step + 1))
    return np.append(0.0, np.cumsum(increments)) * np.sqrt(dt_s)


def _interpolate(values: Floats, place: Floats) -> Floats:
    """Return `values` at places from 0 to n - 1, linear in between."""
    before = np.clip(np.floor(place).astype(np.int64), 0, values.size - 1)
    after = np.minimum(before + 1, values.size - 1)
    return values[before] + (place - before) * (values[after] - values[before])


def _volatility(rows: _Rows, stated: float | None) -> Floats:
    """Return the volatility of each interval per square root of a second."""
    if stated is not None:
        return np.full(rows.number.size, stated)
    if rows.low is None or rows.high is None:
        return np.zeros(rows.number.size)
    return (rows.high - rows.low) / np.sqrt(PARKINSON * np.diff(rows.time_s))


def _reflect(value: Floats, low: Floats, high: Floats) -> Floats:
    """Return `value` folded into [low, high]; what lies inside is not touched."""
    span = high - low
    folded = np.mod(value - low, np.where(span > 0.0, 2.0 * span, 1.0))
    folded = low + np.minimum(folded, 2.0 * span - folded)
    return np.where((value < low) | (value > high), np.clip(folded, low, high), value)
