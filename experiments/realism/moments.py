"""Moments that a scenario is calibrated to: the numbers of the scorecard, and how far a market is from a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .scorecard import FACTS, Fact, Scored

DISTANCE_MAX = 5.0
"""Nothing counts for more, so that one number that is far off does not hide all others; so far is what is not told."""


class Moment(NamedTuple):
    """One number of a fact, and where it should be."""

    fact: Fact
    part: int
    low: float | None
    high: float | None
    """From here to here the distance is 0; equal where the target is a number; none where there is no bound."""
    scale: float
    """What counts as one away."""
    falls: bool = False
    """Whether it has to be below the number before it in its fact as well."""

    @property
    def name(self) -> str:
        """Name for tables."""
        return f"{self.fact.name} {self.fact.parts[self.part]}".strip()

    def of(self, rows: Sequence[Scored]) -> float | None:
        """Return this number among all rows of a scorecard; none if it is not told."""
        values = next(row.values for row in rows if row.fact.row == self.fact.row)
        return None if values is None else values[self.part]

    def distance(self, rows: Sequence[Scored]) -> float:
        """Return how far this number is from where it should be, in multiples of the scale, from 0 to DISTANCE_MAX."""
        value = self.of(rows)
        if value is None:
            return DISTANCE_MAX
        before = self._replace(part=self.part - 1).of(rows) if self.falls else None
        below = 0.0 if self.low is None else self.low - value
        above = max((value - bound for bound in (self.high, before) if bound is not None), default=0.0)
        return min(max(below, above, 0.0) / self.scale, DISTANCE_MAX)


def moments_of(rows: Sequence[int], against: Sequence[Scored] | None) -> list[Moment]:
    """Return the moments of some rows of the scorecard: of a market if there is one, else what passes.

    What the market does not tell has no moment. One away is half the range of real markets, or half of what passes.
    """
    found = []
    for fact in FACTS:
        if fact.row not in rows:
            continue
        if against is None:
            found += [
                Moment(fact, part, fact.low[part], fact.high[part], _scale(fact, part), fact.falling and part > 0)
                for part in range(len(fact.parts))
            ]
            continue
        values = next(row.values for row in against if row.fact.row == fact.row)
        found += [Moment(fact, part, value, value, _scale(fact, part)) for part, value in enumerate(values or ())]
    return found


def distance(moments: Sequence[Moment], rows: Sequence[Scored]) -> float:
    """Return the mean of the squared distances of all moments: what a calibration makes small."""
    return sum(moment.distance(rows) ** 2 for moment in moments) / len(moments)


def _scale(fact: Fact, part: int) -> float:
    """Return half the range of real markets, else of what passes, else the size of its only bound (1 if that is 0)."""
    low, high = fact.low[part], fact.high[part]
    if fact.real and fact.real[part][0] < fact.real[part][1]:
        low, high = fact.real[part]
    if low is not None and high is not None:
        return (high - low) / 2
    only = low if low is not None else high
    return abs(only) if only else 1.0
