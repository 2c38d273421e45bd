"""Integer arithmetic with named rounding; see docs/units.md for what is measured in what.

All functions take non-negative amounts and are exact as long as the result fits into int64 (R-U3).
"""

from __future__ import annotations

import math

from .formulas import RATE_MAX_PPB
from .kernel import kernel

PPM = 1_000_000
PPB = 1_000_000_000
RATIO_MIN_PPM = -(2**62)
INT64_MAX = 2**63 - 1


@kernel
def ppm_down(amount: int, rate_ppm: int) -> int:
    """Return amount * rate / 10**6 rounded down."""
    assert amount >= 0 and rate_ppm >= 0
    return amount // PPM * rate_ppm + amount % PPM * rate_ppm // PPM


@kernel
def ppm_up(amount: int, rate_ppm: int) -> int:
    """Return amount * rate / 10**6 rounded up."""
    assert amount >= 0 and rate_ppm >= 0
    return amount // PPM * rate_ppm - (-(amount % PPM * rate_ppm) // PPM)


@kernel
def ppb_down(amount: int, rate_ppb: int) -> int:
    """Return amount * rate / 10**9 rounded down."""
    assert amount >= 0 and 0 <= rate_ppb <= RATE_MAX_PPB
    return amount // PPB * rate_ppb + amount % PPB * rate_ppb // PPB


@kernel
def ppb_up(amount: int, rate_ppb: int) -> int:
    """Return amount * rate / 10**9 rounded up."""
    assert amount >= 0 and 0 <= rate_ppb <= RATE_MAX_PPB
    return amount // PPB * rate_ppb - (-(amount % PPB * rate_ppb) // PPB)


@kernel
def share_down(amount: int, part: int, whole: int) -> int:
    """Return amount * part / whole rounded down, for part, whole < 2**31 and part <= whole."""
    assert amount >= 0 and 0 <= part <= whole < 2**31
    return amount // whole * part + amount % whole * part // whole


@kernel
def muldiv_down(amount: int, part: int, whole: int) -> int:
    """Return amount * part / whole rounded down for any non-negative int64 below 2**61, if need be bit by bit."""
    assert 0 < whole < 2**61 and amount >= 0 and part >= 0
    quotient = amount // whole * part
    rest = amount % whole
    if rest == 0 or part == 0:
        return quotient
    if part <= INT64_MAX // rest:
        return quotient + rest * part // whole
    # rest * part / whole, one bit of part at a time: no product ever exceeds 2 * whole.
    bit = 1
    while bit <= part // 2:
        bit *= 2
    inner = 0
    left = 0
    while bit > 0:
        inner *= 2
        left *= 2
        if part & bit:
            left += rest
        while left >= whole:
            left -= whole
            inner += 1
        bit //= 2
    assert inner >= 0 and left < whole
    return quotient + inner


@kernel
def muldiv_up(amount: int, part: int, whole: int) -> int:
    """Return amount * part / whole rounded up, within the bounds of `muldiv_down`."""
    # The rest r counts as part less (whole - r) * part / whole, and that is rounded down.
    return amount // whole * part + part - muldiv_down(whole - amount % whole, part, whole)


@kernel
def root_down(square: int) -> int:
    """Return the square root rounded down, of 0 .. 9 * 10**18."""
    assert 0 <= square <= 9 * 10**18
    root = int(math.sqrt(float(square)))  # within one of it: a float64 holds 53 bits
    while root * root > square:
        root -= 1
    while (root + 1) * (root + 1) <= square:
        root += 1
    return root


@kernel
def ratio_ppm(equity: int, maintenance: int) -> int:
    """Return equity * 10**6 / maintenance rounded down, not below RATIO_MIN_PPM; equity may be negative (R-W2)."""
    if maintenance == 0:
        return RATIO_MIN_PPM
    assert maintenance > 0
    whole = equity // maintenance
    if whole <= RATIO_MIN_PPM // PPM:
        return RATIO_MIN_PPM
    return whole * PPM + muldiv_down(equity % maintenance, PPM, maintenance)
