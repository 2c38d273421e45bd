"""Keyed randomness: a draw is a function of (seed, stream, key, k), and nothing is carried along.

`key` says whose draw it is (a trader's key, a market), `k` which of them (the k-th waking, the k-th step).
The same four numbers give the same bits whatever else is drawn, before or after, for however many others: a
trader who was liquidated early shifts nobody's luck, and two rule sets meet the same draws. Two decisions of
one waking must use two streams, or two values of `k`.

The bits come from the output function of SplitMix64 (Steele, Lea and Flood 2014, with Stafford's constants),
applied once for each of the four numbers. It is a bijection: for three numbers fixed, different fourth
numbers never collide. Distributions are built from exact operations (see elementary.py), so one seed gives
one result on every machine.

In all functions `seed` is an integer from 0 to 2^63 - 1, `stream` a `Stream` or an integer from
`Stream.CUSTOM` up, `key` and `k` are integers or integer arrays that broadcast together; the result has the
broadcast shape. A ValueError says what is wrong with a seed, stream or parameter, a TypeError what is wrong
with a type.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from operator import index

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .elementary import exp, log_unchecked, normal_quantile

SEED_MAX = 2**63 - 1
WORD = 2**64 - 1

INCREMENT = 0x9E3779B97F4A7C15
MULTIPLIER_FIRST = 0xBF58476D1CE4E5B9
MULTIPLIER_SECOND = 0x94D049BB133111EB
INCREMENT_WORD, FIRST_WORD, SECOND_WORD = (
    np.array(number, np.uint64) for number in (INCREMENT, MULTIPLIER_FIRST, MULTIPLIER_SECOND)
)
SHIFT_12, SHIFT_27, SHIFT_30, SHIFT_31 = (np.array(places, np.uint64) for places in (12, 27, 30, 31))

INTEGERS_SPAN_MAX = 2**48


class Stream(IntEnum):
    """What a draw is for; the list only grows, and a number never changes its meaning."""

    WAKE = 1
    """Gap to the next waking of a trader."""
    LATENCY = 2
    """Time a command needs to reach the venue."""
    SIDE = 3
    """Buy or sell."""
    SIZE = 4
    """Size of an order."""
    PRICE = 5
    """Limit price of an order."""
    LEVERAGE = 6
    """Leverage with which a trader opens."""
    WEALTH = 7
    """Money a trader starts with."""
    TYPE = 8
    """Traits fixed for the life of a trader."""
    CHOICE = 9
    """What a trader does at a waking."""
    CANCEL = 10
    """Whether an order is cancelled."""
    STOP = 11
    """Whether and where a stop-loss is placed."""
    TOP_UP = 12
    """Whether and how much a trader adds at a margin call."""
    VALUE = 13
    """What a trader believes the asset is worth."""
    HOLD = 14
    """How long a position is meant to be held."""
    PATH = 15
    """Diffusion of an index price."""
    BRIDGE = 16
    """Path between two known index prices."""
    EXTREME = 17
    """When the path between two known prices visits its low and its high."""
    JUMP = 18
    """Time of a jump of an index price."""
    JUMP_SIZE = 19
    """Size of a jump of an index price."""
    SOURCE = 20
    """Error of one source of an index price."""
    FEE = 21
    """Priority fee that a trader bids for a place in a block."""
    BLOCK = 22
    """Place of a trader in a block that is ordered by lot."""
    WALLET = 23
    """Whether and how much money is brought to a venue or taken away."""
    CUSTOM = 1000
    """First of the numbers that are free for users' own scripts; this package never uses them."""


def bits(seed: int, stream: int, key: ArrayLike, k: ArrayLike) -> NDArray[np.uint64]:
    """Return 64 random bits for each (key, k), as uint64."""
    start = root(index(seed), index(stream))
    whose = _mix(np.asarray(_words(key, "key") ^ start))
    return _mix(np.asarray(whose ^ _words(k, "k")))


def uniform(seed: int, stream: int, key: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
    """Return uniform numbers in (0, 1): odd multiples of 2^-53, so never 0 or 1, and 1 - u is another one."""
    words = bits(seed, stream, key, k)
    words >>= SHIFT_12
    values = words.astype(np.float64)
    values += 0.5
    values *= 2.0**-52
    return values


def normal(seed: int, stream: int, key: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
    """Return standard normal numbers (quantiles of `uniform`, hence within 8.3 of 0)."""
    return normal_quantile(uniform(seed, stream, key, k))


def exponential(seed: int, stream: int, key: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
    """Return exponential numbers of mean 1, all above 0."""
    return -log_unchecked(uniform(seed, stream, key, k))


def integers(
    low: ArrayLike, high: ArrayLike, seed: int, stream: int, key: ArrayLike, k: ArrayLike
) -> NDArray[np.int64]:
    """Return integers from `low` to `high` - 1, equally likely to within 2^-52 times `high` - `low`.

    `low` and `high` broadcast with `key` and `k`; `high` - `low` must be from 1 to 2^48.
    """
    first = np.asarray(low, dtype=np.int64)
    span = np.asarray(high, dtype=np.int64) - first
    if span.size and (span.min() < 1 or span.max() > INTEGERS_SPAN_MAX):
        raise ValueError(f"integers: high - low must be from 1 to 2^48 (got {span.min()} to {span.max()})")
    return first + np.floor(uniform(seed, stream, key, k) * span).astype(np.int64)


def pareto(alpha: ArrayLike, seed: int, stream: int, key: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
    """Return Pareto numbers of minimum 1: P(X > x) = x^-alpha; `alpha` > 0 broadcasts with `key` and `k`."""
    exponent = np.asarray(alpha, dtype=np.float64)
    if exponent.size and not exponent.min() > 0.0:
        raise ValueError(f"pareto: alpha must be above 0 (got {exponent.min()})")
    return exp(exponential(seed, stream, key, k) / exponent)


def lognormal(
    mean_log: ArrayLike, sd_log: ArrayLike, seed: int, stream: int, key: ArrayLike, k: ArrayLike
) -> NDArray[np.float64]:
    """Return numbers whose logarithm is normal with this mean and standard deviation (median: e^mean_log).

    `mean_log` and `sd_log` >= 0 broadcast with `key` and `k`.
    """
    spread = np.asarray(sd_log, dtype=np.float64)
    if spread.size and not spread.min() >= 0.0:
        raise ValueError(f"lognormal: sd_log must not be negative (got {spread.min()})")
    return exp(np.asarray(mean_log, dtype=np.float64) + spread * normal(seed, stream, key, k))


@lru_cache(maxsize=1024)
def root(seed: int, stream: int) -> np.uint64:
    """Return the state after the seed and the stream, the two parts that are one number for many draws."""
    if not 0 <= seed <= SEED_MAX:
        raise ValueError(f"seed must be from 0 to 2^63 - 1 (got {seed})")
    if not (stream in list(Stream) or Stream.CUSTOM <= stream <= SEED_MAX):
        raise ValueError(f"stream must be a Stream, or an integer of your own from {Stream.CUSTOM} up (got {stream})")
    return np.uint64(mix_number(mix_number(0, seed), stream))


def mix_number(state: int, value: int) -> int:
    """Return the scrambled `state` ^ `value`, in Python's integers."""
    word = ((state ^ value) + INCREMENT) & WORD
    word = ((word ^ (word >> 30)) * MULTIPLIER_FIRST) & WORD
    word = ((word ^ (word >> 27)) * MULTIPLIER_SECOND) & WORD
    return word ^ (word >> 31)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble every word of `state` in place and return it; the same function as `mix_number`.

    In-place operations are computed modulo 2^64 in silence even where `state` is a single word.
    """
    state += INCREMENT_WORD
    state ^= state >> SHIFT_30
    state *= FIRST_WORD
    state ^= state >> SHIFT_27
    state *= SECOND_WORD
    state ^= state >> SHIFT_31
    return state


def _words(values: ArrayLike, name: str) -> NDArray[np.uint64]:
    """Return integers as 64-bit words; a negative one counts as 2^64 + value."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers (got {array.dtype})")
    return array.astype(np.uint64, copy=False)
