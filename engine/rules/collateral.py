"""The collateral axis: which assets besides money count as margin, for how much, and how they are sold (R-C)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from .base import PPM, Rule

ASSETS_MAX = 8  # what one unit sells and loses at once must fit into the event buffer
CONVERSION_MAX_PPM = 500_000


class Haircut(Rule):
    """One step of an asset's haircut: it holds for the part of a holding's value from its floor to the next one."""

    floor_quote: int = Field(ge=0, le=10**10)
    """Value at which the step begins, in quote units."""
    haircut_ppm: int = Field(ge=0, le=PPM)
    """Share of that part of the value that does not count; 1,000,000 ppm caps what counts."""


class Asset(Rule):
    """An asset that is taken as margin (R-C1)."""

    symbol: str = Field(min_length=1, max_length=20)
    """Name of the asset."""
    market: str | None = None
    """Market whose index values it, an atom being a millionth of a lot; none for a fixed price."""
    price_ppm: int | None = Field(default=None, ge=1, le=1000 * PPM)
    """Fixed price: quote atoms that a million atoms of it are worth; none if a market values it."""
    haircuts: tuple[Haircut, ...]
    """Haircut by value of the holding, like marginal rates; the first step from 0."""

    @model_validator(mode="after")
    def _sound(self) -> Asset:
        if (self.market is None) == (self.price_ppm is None):
            raise ValueError(f"asset {self.symbol}: either market or price_ppm must be given, the other one none")
        if not self.haircuts or self.haircuts[0].floor_quote != 0:
            raise ValueError(f"asset {self.symbol}: the first haircut must start at floor_quote = 0")
        for lower, upper in pairwise(self.haircuts):
            if upper.floor_quote <= lower.floor_quote:
                raise ValueError(
                    f"asset {self.symbol}: floors of haircuts must rise "
                    f"(floor_quote {upper.floor_quote} follows {lower.floor_quote})"
                )
        return self


class Collateral(Rule):
    """Assets besides money as margin of cross units, and how the venue turns them into money (R-C1 to R-C7)."""

    assets: tuple[Asset, ...] = Field(min_length=1, max_length=ASSETS_MAX)
    """Assets, in order; commands name them by their place."""
    sale_order: Literal["listed", "haircut"]
    """Which is sold first: in the order listed, or the one with the largest first haircut."""
    sale: Literal["before_positions", "after_positions"]
    """Whether a distressed unit's assets are sold before its positions are closed, or when it is flat and in debt."""
    buyer: Literal["outside", "fund"]
    """Who buys: a provider outside, or the insurance fund as long as it can pay."""
    conversion_ppm: int = Field(ge=0, le=CONVERSION_MAX_PPM)
    """What the buyer keeps of the value."""
    exchange_below_quote: int | None = Field(default=None, ge=0, le=10**9)
    """Automatic exchange: a unit owing more than this sells assets until it owes nothing; none only when liquidated."""

    @model_validator(mode="after")
    def _named_once(self) -> Collateral:
        names = [asset.symbol for asset in self.assets]
        if len(set(names)) < len(names):
            raise ValueError(f"assets must have different symbols (got {', '.join(names)})")
        return self

    def sold_order(self) -> list[int]:
        """Return the places of the assets in the order in which they are sold; equal haircuts as listed (R-C5)."""
        places = list(range(len(self.assets)))
        if self.sale_order == "haircut":
            places.sort(key=lambda place: -self.assets[place].haircuts[0].haircut_ppm)
        assert sorted(places) == list(range(len(self.assets)))
        return places
