"""Averages of prices in whole ticks, rounded down: what indices and marks are made of.

Python integers, so that no product overflows; rules call these a few times a step.
"""

from __future__ import annotations

from collections.abc import Sequence

PPM = 1_000_000


def weighted_mean(values: Sequence[int], weights: Sequence[int]) -> int:
    """Return the sum of values times weights over the sum of weights, rounded down; some weight must be above 0."""
    assert len(values) == len(weights) and sum(weights) > 0 <= min(weights)
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) // sum(weights)


def weighted_median(values: Sequence[int], weights: Sequence[int]) -> int:
    """Return the lowest value with at least half of all weight at or below it.

    If it is exactly half, the mean of it and the next value, rounded down: with equal weights this is the median of any
    number of values. Weights must be above 0.
    """
    assert len(values) == len(weights) > 0 < min(weights)
    pairs = sorted(zip(values, weights, strict=True))
    whole, below = sum(weights), 0
    for place, (value, weight) in enumerate(pairs):
        below += weight
        if 2 * below == whole:
            return (value + pairs[place + 1][0]) // 2
        if 2 * below > whole:
            return value
    raise AssertionError("all weight is at or below the largest value")


def median(values: Sequence[int]) -> int:
    """Return the middle value, of an even number the mean of the two in the middle, rounded down."""
    return weighted_median(values, [1] * len(values))


def trimmed_mean(values: Sequence[int], weights: Sequence[int]) -> int:
    """Return the weighted mean without the lowest and the highest value, if more than two are left to it."""
    pairs = sorted(zip(values, weights, strict=True))
    inner = pairs[1:-1] if len(pairs) > 2 else pairs
    return weighted_mean([value for value, _ in inner], [weight for _, weight in inner])


def towards_zero(numerator: int, denominator: int) -> int:
    """Return the quotient without its fraction; the denominator must be above 0."""
    assert denominator > 0
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


def kept_within(value: int, centre: int, width_ppm: int) -> int:
    """Return the value, not farther than `width_ppm` from the centre; the bounds are rounded towards the centre."""
    low = -(-centre * (PPM - width_ppm) // PPM)
    high = centre * (PPM + width_ppm) // PPM
    assert low <= centre <= high
    return max(low, min(high, value))
