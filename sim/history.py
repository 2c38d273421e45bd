"""Marks so far and how much they move: what views show of the past."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

WINDOW_S = 300.0
PPM = 1e6


class MarkHistory:
    """Marks of every step so far in one table made at the start, and a moving average of their absolute change."""

    def __init__(self, rows: int, markets: int, dt_s: int) -> None:
        """Make room for `rows` steps; the average forgets over WINDOW_S seconds."""
        self.count = 0
        self._marks = np.zeros((rows, markets), dtype=np.int64)
        self.volatility_ppm = np.zeros(markets)
        self._weight = min(1.0, dt_s / WINDOW_S)

    def note(self, marks: Integers) -> None:
        """Append the marks (M,) of one more step."""
        self._marks[self.count] = marks
        if self.count:
            before = self._marks[self.count - 1]
            change_ppm = np.abs(marks - before) * PPM / before
            # A new array: views of earlier steps keep what they were given.
            self.volatility_ppm = self.volatility_ppm + self._weight * (change_ppm - self.volatility_ppm)
        self.count += 1

    def marks(self) -> Integers:
        """Return the marks so far, (steps, M), newest last; not a copy."""
        return self._marks[: self.count]

    def snapshot(self) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
        """Return a copy of the state."""
        return {"marks": self.marks().copy(), "volatility_ppm": self.volatility_ppm.copy()}

    def restore(self, snapshot: dict[str, NDArray[np.int64] | NDArray[np.float64]]) -> None:
        """Go back to a snapshot of a history with as much room."""
        self.count = len(snapshot["marks"])
        self._marks[: self.count] = snapshot["marks"]
        self.volatility_ppm = snapshot["volatility_ppm"].astype(np.float64)
