"""The halts axis: what the venue forbids so that prices cannot run away in one order."""

from __future__ import annotations

from pydantic import Field

from delever.engine.formulas import collar_ticks

from .base import PPM, Rule


class Halts(Rule):
    """Price collar around the mark for voluntary orders (R-O8)."""

    collar_ppm: int = Field(default=50_000, ge=0, lt=PPM)
    """Largest distance of an order's price from the mark; 0 means no collar."""

    def bounds_ticks(self, mark_ticks: int, price_max_ticks: int) -> tuple[int, int]:
        """Return the lowest and highest admissible price in ticks at `mark_ticks` (R-O8)."""
        low, high = collar_ticks(mark_ticks, self.collar_ppm, price_max_ticks)
        assert low <= mark_ticks <= high
        return low, high
