"""What a case may hold, so that a play ends: finite numbers of some size, lists that are not too long, few steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

LARGEST = 1e18
SMALLEST = 1e-15
ENTRIES_MAX = 1_000
TEXT_MAX = 200
DEPTH_MAX = 6
STEPS_MAX = 4_000
"""Steps that one venue of a play may take."""
DIGITS_MAX = 18
"""Decimal places of a number that has to lie on a grid."""


def check(value: Any, place: str = "inputs", depth: int = 0) -> None:
    """Raise ValueError, naming the place, if an input is nothing that a venue could be built with."""
    if depth > DEPTH_MAX:
        raise ValueError(f"{place}: more than {DEPTH_MAX} levels of lists and tables")
    if isinstance(value, str):
        if len(value) > TEXT_MAX:
            raise ValueError(f"{place}: a text of more than {TEXT_MAX} characters")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, place)
    elif isinstance(value, Mapping):
        _check_length(value, place)
        for name, entry in value.items():
            check(entry, f"{place}.{name}", depth + 1)
    elif isinstance(value, list):
        _check_length(value, place)
        for row, entry in enumerate(value):
            check(entry, f"{place}[{row}]", depth + 1)


def _check_number(value: float, place: str) -> None:
    # a float that is no number is not below anything
    if abs(value) <= LARGEST and (not value or abs(value) >= SMALLEST):
        return
    shown = "a whole number of many digits" if isinstance(value, int) else f"{value!r}"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place}: must be a finite number (got {shown})")
    raise ValueError(f"{place}: must lie between {SMALLEST:g} and {LARGEST:g}, or be 0 (got {shown})")


def _check_length(value: Any, place: str) -> None:
    if len(value) > ENTRIES_MAX:
        raise ValueError(f"{place}: at most {ENTRIES_MAX} entries are played (got {len(value)})")
