"""Choices of the deleveraging axis beside trigger, rank and price: one frozen value each."""

from __future__ import annotations

from pydantic import Field, model_validator

from .base import ATOMS_PER_QUOTE, PPM, Rule


class PoolRatio(Rule):
    """Close the pool's positions in part when winners' profit against it is too large a share of it (R-W53).

    The pool is the fund: what it holds, it holds against the winners. Source: GMX v2, maxPnlFactorForAdl and
    minPnlFactorAfterAdl.
    """

    above_ppm: int = Field(gt=0, le=PPM)
    """It begins when the winners' unrealised profit in a market is more than this share of the pool's balance."""
    until_ppm: int = Field(ge=0, le=PPM)
    """So much is closed that it is at most this share."""

    @model_validator(mode="after")
    def _ends_below(self) -> PoolRatio:
        if self.until_ppm > self.above_ppm:
            raise ValueError(f"until_ppm must be at most above_ppm (got {self.until_ppm} > {self.above_ppm})")
        return self


class FarFromMark(Rule):
    """Close at the mark where the bankruptcy price is too far from it (R-W55). Source: Bybit, 2025."""

    distance_ppm: int = Field(ge=0, le=PPM)
    """Largest distance from the mark, as a share of the mark, at which the bankruptcy price is used."""


class Eligibility(Rule):
    """Who may be a counterparty; whoever fails one of the tests is passed over (R-W56)."""

    overlap: bool = False
    """Pass over an account that would owe money after closing its whole position at the price (dYdX)."""
    profitable: bool = False
    """Pass over an account whose position shows no profit at the mark."""
    minimum_quote: int = Field(default=0, ge=0, le=10**12)
    """Pass over a position worth less than this at the mark; 0 means none."""
    hedged_ppm: int | None = Field(default=None, ge=0, le=PPM)
    """Pass over a unit whose positions net to at most this share of their gross value; left out: nobody is."""
    spare_backstops: bool = False
    """Pass over backstop accounts."""

    @property
    def minimum_atoms(self) -> int:
        return self.minimum_quote * ATOMS_PER_QUOTE
