"""Ranges that traits are spread over: a least and a most, in this order."""

from __future__ import annotations

from pydantic import BaseModel

from .elementary import exp, log
from .view import Floats


def check_ranges(numbers: BaseModel, *ends: tuple[str, str]) -> None:
    """Raise ValueError if of two numbers, named in each of `ends`, the first is above the second."""
    for low, high in ends:
        least, most = getattr(numbers, low), getattr(numbers, high)
        if least > most:
            raise ValueError(f"{low} must not be above {high} (got {least:g} > {most:g})")


def spread_log(least: float, most: float, uniform: Floats) -> Floats:
    """Return values between `least` and `most`, spread evenly over the logarithm, from uniform numbers in (0, 1)."""
    return least * exp(uniform * log(most / least))
