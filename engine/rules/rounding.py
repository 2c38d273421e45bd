"""The rounding axis: every direction has a name, every remainder an owner."""

from __future__ import annotations

from typing import Literal

from .base import Rule


class Rounding(Rule):
    """Directions of rounding of requirements, fees and bankruptcy prices (R-A2, R-M6, R-A9)."""

    requirement: Literal["up", "down"] = "up"
    """Initial and maintenance margin, to whole atoms."""
    fee: Literal["up", "down"] = "up"
    """Fees charged, to whole atoms; rebates are always paid rounded down."""
    bankruptcy_price: Literal["inward", "outward"] = "inward"
    """To whole ticks: inward is towards the mark (long up, short down), in favour of the venue."""
