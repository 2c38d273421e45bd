"""Sources of an index that are books of other venues of the same world: what they say is known step by step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.engine.tables import M_BEST_ASK, M_BEST_BID, M_LAST_TICKS, M_PRICE_MAX_TICKS, Tables

from .sources import SILENT, Source, during, last_before

Integers = NDArray[np.int64]


class Heard(NamedTuple):
    """Whose book a source looks at, and in which ticks it tells of it."""

    tables: Tables
    market: int
    ratio: float
    """Ticks of the market whose index it is, per tick of the book."""
    ticks_max: int
    """Highest price it may say."""


class BookSource:
    """One source: at each step it looks at the book as the step before left it, and says what `Source` makes of that.

    Every venue of a world is looked at before any of them trades, so that it makes no difference which trades first.
    """

    def __init__(
        self, source: Source, heard: Heard, *, market: int, number: int, seed: int, dt_s: float, warmup_steps: int,
        steps: int,
    ) -> None:  # fmt: skip
        """Begin before step 0; `market` and `number` are what the draws of `Source` are keyed by."""
        self._source, self._heard = source, heard
        self._keys = (seed, market, number, dt_s, warmup_steps)
        self._prices: NDArray[np.float64] = np.zeros(steps + 1)
        self._said: Integers = np.zeros(steps + 1, dtype=np.int64)

    def say(self, step: int) -> int:
        """Look at the book and return what the source says at `step`, in ticks; 0 is nothing. Once for each step."""
        self._prices[step] = self._price()
        dt_s, warmup_steps = self._keys[3:]
        now = np.array([step])
        heard = self._prices[max(step - self._source.delay_steps(dt_s), 0)]
        said = min(int(self._source.clean_ticks(np.array([heard]), now, *self._keys)[0]), self._heard.ticks_max)
        is_out = False
        for fault in self._source.faults:
            failing = during(fault, now, dt_s, warmup_steps)[0]
            if failing and fault.kind == "stale":
                said = last_before(self._said, during(fault, np.arange(step + 1), dt_s, warmup_steps))
            is_out |= bool(failing) and fault.kind == "out"
        self._said[step] = said
        return SILENT if is_out else said

    def snapshot(self, step: int) -> dict[str, NDArray[np.float64] | Integers]:
        """Return copies of what was heard and said before `step`."""
        return {"prices": self._prices[:step].copy(), "said": self._said[:step].copy()}

    def restore(self, prices: NDArray[np.float64], said: Integers) -> None:
        """Put back what `snapshot` returned."""
        self._prices[: len(prices)] = prices
        self._said[: len(said)] = said

    def _price(self) -> float:
        """Return the price of the book in ticks of the index, 0 if there is none."""
        row = self._heard.tables.markets[self._heard.market]
        if self._source.price == "last":
            return float(row[M_LAST_TICKS]) * self._heard.ratio
        bid, ask = int(row[M_BEST_BID]), int(row[M_BEST_ASK])
        has_both = bid > 0 and ask < row[M_PRICE_MAX_TICKS]
        return (bid + ask) / 2 * self._heard.ratio if has_both else 0.0
