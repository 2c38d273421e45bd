"""Marks so far and how much they move: what views show of the past."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delever.engine.kernel import kernel

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
        note_marks(marks, self._marks, self.count, self.volatility_ppm, self._weight)
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
        self.volatility_ppm[:] = snapshot["volatility_ppm"]


@kernel
def note_marks(
    marks: Integers, history: Integers, count: int, volatility_ppm: NDArray[np.float64], weight: float
) -> None:
    """Write `marks` into row `count` of `history`, and take their change since the row before into the average."""
    for market in range(marks.shape[0]):
        history[count, market] = marks[market]
        if count > 0:
            before = history[count - 1, market]
            change_ppm = abs(marks[market] - before) * PPM / before
            volatility_ppm[market] += weight * (change_ppm - volatility_ppm[market])
