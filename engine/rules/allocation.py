"""Who gets how much of an incoming order among the resting orders of one price (R-O21 to R-O24).

Sources: CME Group, "CME Globex Matching Algorithm Steps" (client systems wiki) and Globex notice 020705-1 of
2005-02-07; MarketsWiki, "Pro rata allocation"; TSX dark liquidity guide, page 44 (board lots).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from delever.engine.tables import LEAD_MAKERS_MAX

from .base import PPM, Rule


class Top(Rule):
    """Privilege of the order that bettered the market: it is filled before all others of its price (R-O22)."""

    minimum_lots: int = Field(default=1, ge=1, le=10**9)
    """Lots with which an order must come to rest to have it."""
    maximum_lots: int = Field(default=0, ge=0, le=10**9)
    """Most lots it gets of one incoming order before the others; 0 means no limit."""


class ProRata(Rule):
    """In proportion to size, what rounding leaves to the oldest: without TOP, as algorithm C of CME Globex (R-O21)."""

    kind: Literal["pro_rata"] = "pro_rata"
    """Name of the algorithm."""
    minimum_lots: int = Field(default=1, ge=1, le=10**9)
    """Smaller proportions get nothing before the oldest are served."""
    board_lots: int = Field(default=1, ge=1, le=10**9)
    """Proportions are multiples of so many lots."""
    rounding: Literal["down", "nearest"] = "down"
    """How a proportion becomes a multiple of `board_lots`; halves go up."""


class TopProRata(Rule):
    """The order that bettered the market first, then in proportion, then the oldest: algorithms A and O (R-O22)."""

    kind: Literal["top_pro_rata"] = "top_pro_rata"
    """Name of the algorithm."""
    minimum_lots: int = Field(default=2, ge=1, le=10**9)
    """Smaller proportions get nothing before the oldest are served."""
    top: Top = Top()
    """The first order's privilege."""


class Split(Rule):
    """TOP, lead market makers, a part for the oldest, a part in proportion, levelling, the oldest: K, Q, S, T (R-O23).

    A step with nothing to give is left out: without `top`, with `lead_ppm` or `fifo_ppm` 0, without `levelling`.
    """

    kind: Literal["split"] = "split"
    """Name of the algorithm."""
    top: Top | None = None
    """Privilege of the order that bettered the market; none: it has none."""
    lead_keys: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Keys of the accounts that are lead market makers."""
    lead_ppm: int = Field(default=0, ge=0, le=PPM)
    """Part of what TOP left that goes to lead market makers first."""
    fifo_ppm: int = Field(default=400_000, ge=0, le=PPM)
    """Part of what they left that goes to the oldest first; the rest is shared in proportion."""
    minimum_lots: int = Field(default=1, ge=1, le=10**9)
    """Smaller proportions get nothing."""
    levelling: bool = False
    """Whether who got nothing in proportion gets one lot each, oldest first, before the oldest are served."""

    @model_validator(mode="after")
    def _leads_and_their_part(self) -> Split:
        if (self.lead_ppm > 0) != bool(self.lead_keys):
            raise ValueError(
                f"lead_ppm and lead_keys belong together: a part of {self.lead_ppm} ppm is for "
                f"{len(self.lead_keys)} lead market makers; give both or neither"
            )
        if len(self.lead_keys) > LEAD_MAKERS_MAX or len(set(self.lead_keys)) != len(self.lead_keys):
            raise ValueError(f"lead_keys must be at most {LEAD_MAKERS_MAX} keys, each once (got {self.lead_keys})")
        return self


Allocation = Annotated[ProRata | TopProRata | Split, Field(discriminator="kind")]
