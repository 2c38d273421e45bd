"""R-U3: integer arithmetic with named rounding equals exact fractions, up to the edge of int64."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delever.engine.units import (
    PPB,
    PPM,
    RATIO_MIN_PPM,
    muldiv_down,
    ppb_down,
    ppb_up,
    ppm_down,
    ppm_up,
    ratio_ppm,
    share_down,
)

INT64_MAX = 2**63 - 1


def numbers(low: int, high: int) -> st.SearchStrategy[int]:
    """Draw any number of a range, its ends and the neighbours of round numbers more often than by chance."""
    edges = {low, low + 1, high - 1, high, *(x + d for x in (0, PPM, PPB, 2**31, 2**53) for d in (-1, 0, 1))}
    return st.sampled_from(sorted(x for x in edges if low <= x <= high)) | st.integers(low, high)


def call(function: Callable[..., int], *values: int) -> int:
    """Call a kernel with int64 values: compiled they wrap, interpreted an overflow is a warning and so an error."""
    return int(function(*(np.int64(value) for value in values)))


@pytest.mark.parametrize(
    ("down", "up", "unit", "rate_max"),
    [(ppm_down, ppm_up, PPM, 100 * PPM), (ppb_down, ppb_up, PPB, PPB)],
    ids=["ppm", "ppb"],
)
@given(data=st.data())
def test_rates_round_as_named(
    down: Callable[..., int], up: Callable[..., int], unit: int, rate_max: int, data: st.DataObject
) -> None:
    """R-U3: floor and ceil of amount * rate / unit, for every result that fits."""
    rate = data.draw(numbers(0, rate_max))
    amount = data.draw(numbers(0, min(INT64_MAX, INT64_MAX // max(1, rate) * unit)))
    exact = Fraction(amount * rate, unit)
    assert call(down, amount, rate) == math.floor(exact)
    assert call(up, amount, rate) == math.ceil(exact)


@given(amount=numbers(0, INT64_MAX), whole=numbers(1, 2**31 - 1), data=st.data())
def test_share_rounds_down(amount: int, whole: int, data: st.DataObject) -> None:
    """R-M4: the cost of the closed lots, for any cost and any lots an account may hold."""
    part = data.draw(numbers(0, whole))
    assert call(share_down, amount, part, whole) == amount * part // whole


@given(amount=numbers(0, 2**61 - 1), whole=numbers(1, 2**61 - 1), data=st.data())
def test_muldiv_is_exact_beyond_64_bits(amount: int, whole: int, data: st.DataObject) -> None:
    """R-A9: a share of equity by maintenance margin; the product has up to 122 bits."""
    part = data.draw(numbers(0, min(2**61 - 1, INT64_MAX * whole // max(1, amount))))
    assert call(muldiv_down, amount, part, whole) == amount * part // whole


@given(maintenance=numbers(0, 2**61 - 1), data=st.data())
def test_ratio_orders_the_distressed(maintenance: int, data: st.DataObject) -> None:
    """R-W2: equity * 10**6 // MM of anybody distressed, the worst clamped to -2**62."""
    equity = data.draw(numbers(-(2**62), maintenance))
    clamped = maintenance == 0 or equity // maintenance <= -(2**62) // PPM
    assert call(ratio_ppm, equity, maintenance) == (RATIO_MIN_PPM if clamped else equity * PPM // maintenance)


def test_ratio_by_hand() -> None:
    """R-W2: half, bankrupt by a third rounded down, nothing required."""
    assert [call(ratio_ppm, *pair) for pair in ((1, 2), (-1, 3), (5, 0))] == [500_000, -333_334, RATIO_MIN_PPM]
