"""What differs between what a source says and what the engine did."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from .cases import Tolerance

Answer = Any


class Timeline(Protocol):
    """An answer to a list of questions: rows of when, who (or nothing), and then what is expected there."""

    def at(self, when: str, *who: str) -> Any:
        """Return what there is at a time; raises LookupError where nobody can say."""
        ...


def mistakes(expected: Any, got: Answer, tolerance: Tolerance, place: str = "") -> list[str]:
    """Return a line for each value that is not what was expected; numbers may differ by the tolerance."""
    if isinstance(expected, dict):
        return _of_table(expected, got, tolerance, place)
    if isinstance(expected, list):
        ask = getattr(got, "at", None)
        if ask is not None:
            got = _asked(expected, ask)
        return _of_list(expected, got, tolerance, place)
    if _is_number(expected) and _is_number(got):
        # Half an ulp of room: the published number is itself a decimal fraction written as a float.
        room = tolerance.of(float(expected)) + math.ulp(float(expected))
        return [] if abs(float(got) - float(expected)) <= room else [_line(place, expected, float(got))]
    same = type(expected) is type(got) and expected == got
    return [] if same else [_line(place, expected, got)]


def _of_table(expected: Mapping[str, Any], got: Answer, tolerance: Tolerance, place: str) -> list[str]:
    if not isinstance(got, Mapping):
        return [_line(place, expected, got)]
    found = {str(key): value for key, value in got.items()}
    lines = []
    for key, value in expected.items():
        where = f"{place}.{key}" if place else key
        lines += mistakes(value, found[key], tolerance, where) if key in found else [f"{where}: no answer"]
    return lines


def _of_list(expected: Sequence[Any], got: Answer, tolerance: Tolerance, place: str) -> list[str]:
    if not isinstance(got, Sequence) or isinstance(got, str) or len(got) != len(expected):
        return [_line(place, expected, got)]
    pairs = zip(expected, got, strict=True)
    return [line for i, (left, right) in enumerate(pairs) for line in mistakes(left, right, tolerance, f"{place}[{i}]")]


def _asked(expected: Sequence[Any], ask: Callable[..., Any]) -> list[Any]:
    """Return the rows of a timeline with what the engine did at their times in the place of what is expected."""
    rows = [row if isinstance(row, list) else [row] for row in expected]
    return [[*row[:-1], ask(*row[:-1])] for row in rows]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Fraction) and not isinstance(value, bool)


def _line(place: str, expected: Any, got: Answer) -> str:
    return f"{place}: expected {expected!r}, got {_plain(got)!r}"


def _plain(value: Any) -> Any:
    """Return an answer with its fractions as numbers, to be shown."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return float(value) if isinstance(value, Fraction) else value
