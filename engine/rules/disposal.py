"""How the fund sells what it took over, beyond share, interval and range (R-W35)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import PPM, Rule


class Sale(Rule):
    """Gradual disposal bounded by what the book holds, not by the fund's own bankruptcy price."""

    whole_lots: int = Field(default=0, ge=0, le=2**30 - 1)
    """Positions of up to this many lots are sent whole."""
    book_share_ppm: int = Field(default=100_000, ge=1, le=PPM)
    """Most of the lots within the range on the other side of the book that one order may take."""
    around: Literal["mark", "mid"] = "mid"
    """Price from which the range is counted; without two sides of the book the mid is the mark."""
    fee: Literal["none", "taker"] = "none"
    """Fee that the fund pays for what it trades: none, or that of a taker."""
