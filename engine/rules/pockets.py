"""How margin gets into and out of a pocket, besides what fills move (R-A40 to R-A43)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import PPM, Rule

LEVEL_MAX_PPM = 10 * PPM  # leaves room for the level of any requirement in 64 bits


class StrictPockets(Rule):
    """Strict isolated margin: what is in a pocket stays there until the position shrinks (R-A40).

    Source: Hyperliquid docs, trading/margining, as of 2026-08-22: "margin cannot be removed".
    """

    kind: Literal["strict"] = "strict"
    """The name of this choice."""


class SearchPockets(Rule):
    """The cross unit is a general account: the venue searches it for margin and releases what is too much (R-A41).

    Source: Vega 0.79, protocol/0019-MCAL-margin_calculator.md and 0010-MARG-margin_orchestration.md.
    """

    kind: Literal["search"] = "search"
    """The name of this choice."""
    search_ppm: int = Field(ge=PPM, le=LEVEL_MAX_PPM)
    """Below this multiple of maintenance margin the general account is searched (Vega: 1.1 = 1,100,000 ppm)."""
    initial_ppm: int = Field(ge=PPM, le=LEVEL_MAX_PPM)
    """Multiple of maintenance margin up to which a search fills the pocket, and down to which a release empties it."""
    release_ppm: int = Field(ge=PPM, le=LEVEL_MAX_PPM)
    """Above this multiple of maintenance margin the rest goes back to the general account."""

    @model_validator(mode="after")
    def _levels_rise(self) -> SearchPockets:
        if not self.search_ppm <= self.initial_ppm <= self.release_ppm:
            raise ValueError(
                "levels must rise: search_ppm <= initial_ppm <= release_ppm "
                f"(got {self.search_ppm}, {self.initial_ppm}, {self.release_ppm})"
            )
        return self

    def levels_atoms(self, maintenance_atoms: int) -> tuple[int, int, int]:
        """Return the search, initial and release level of a maintenance margin, each rounded down (R-A41)."""
        assert maintenance_atoms >= 0
        search, initial, release = (
            maintenance_atoms * factor // PPM for factor in (self.search_ppm, self.initial_ppm, self.release_ppm)
        )
        return search, initial, release


Pockets = Annotated[StrictPockets | SearchPockets, Field(discriminator="kind")]
