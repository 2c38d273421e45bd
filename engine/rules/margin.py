"""The margin axis: how much collateral a position needs at the start and to stay alive."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from .base import ATOMS_PER_QUOTE, PPM, Rule
from .pockets import Pockets, SearchPockets


class Tier(Rule):
    """One bracket of position value: from its floor upwards these rates hold (R-A1)."""

    floor_quote: int = Field(ge=0, le=10**12)
    """Smallest position value of the bracket, in quote units."""
    initial_ppm: int = Field(ge=1, le=PPM)
    """Initial margin rate = 1 / largest leverage."""
    maintenance_ppm: int = Field(ge=1, le=PPM)
    """Maintenance margin rate; not above the initial rate."""

    @model_validator(mode="after")
    def _maintenance_below_initial(self) -> Tier:
        if self.maintenance_ppm > self.initial_ppm:
            raise ValueError(
                f"maintenance_ppm must not be above initial_ppm (got {self.maintenance_ppm} > {self.initial_ppm})"
            )
        return self


def check_tiers(tiers: tuple[Tier, ...]) -> None:
    """Raise ValueError unless brackets start at 0, do not overlap and have rising rates."""
    if not tiers:
        raise ValueError("at least one tier is needed, the first with floor_quote = 0")
    if tiers[0].floor_quote != 0:
        raise ValueError(f"the first tier must start at floor_quote = 0 (got {tiers[0].floor_quote})")
    for lower, upper in pairwise(tiers):
        if upper.floor_quote <= lower.floor_quote:
            raise ValueError(
                f"tiers overlap: floor_quote {upper.floor_quote} follows {lower.floor_quote}; floors must rise"
            )
        if upper.maintenance_ppm < lower.maintenance_ppm or upper.initial_ppm < lower.initial_ppm:
            raise ValueError(f"rates must not fall from tier to tier (at floor_quote {upper.floor_quote})")


class Margin(Rule):
    """Bracketed initial and maintenance margin, cross or isolated (R-A1 to R-A8)."""

    tiers: tuple[Tier, ...] = (Tier(floor_quote=0, initial_ppm=50_000, maintenance_ppm=25_000),)
    """Brackets of every market that has none of its own."""
    markets: dict[str, tuple[Tier, ...]] = {}
    """Brackets by market symbol."""
    leverage_max: int = Field(default=0, ge=0, le=1000)
    """Venue-wide largest leverage; 0 leaves the tiers as they are."""
    mode: Literal["cross", "isolated"] = "cross"
    """Mode in which every account starts."""
    isolated_allowed: bool = True
    """Whether a trader may choose isolated margin for a market."""
    call_ppm: int = Field(default=0, ge=0, le=100 * PPM)
    """Margin-call level as a multiple of maintenance margin (1.5 = 1,500,000 ppm); 0 sends no notices."""
    pockets: Pockets | None = None
    """How margin gets into and out of a pocket besides fills: strict, search; none leaves it to the trader."""

    @model_validator(mode="after")
    def _sound(self) -> Margin:
        for name, tiers in {"tiers": self.tiers, **self.markets}.items():
            try:
                check_tiers(tiers)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        if 0 < self.call_ppm <= PPM:
            raise ValueError(f"call_ppm must be above maintenance, i.e. above {PPM} (got {self.call_ppm})")
        steepest = max(tier.maintenance_ppm for tiers in (self.tiers, *self.markets.values()) for tier in tiers)
        if self.call_ppm * steepest > PPM * PPM:
            raise ValueError(
                f"call_ppm times the highest maintenance_ppm must not exceed the position's value: at most "
                f"{PPM * PPM // steepest} (got {self.call_ppm})"
            )
        if self.mode == "isolated" and not self.isolated_allowed:
            raise ValueError("mode = 'isolated' needs isolated_allowed = true")
        if self.pockets is not None and not self.isolated_allowed:
            raise ValueError("pockets needs isolated_allowed = true: without isolated margin there are no pockets")
        if isinstance(self.pockets, SearchPockets) and self.mode != "isolated":
            raise ValueError(
                "pockets.kind = 'search' needs mode = 'isolated': every position has a pocket, "
                f"and the cross unit is the general account behind them (got mode = {self.mode!r})"
            )
        return self

    def table(self, symbol: str) -> list[tuple[int, int, int, int]]:
        """Return rows (floor_atoms, initial_ppm, maintenance_ppm, deduction_atoms) of a market (R-A1)."""
        least = -(-PPM // self.leverage_max) if self.leverage_max else 1
        rows: list[tuple[int, int, int, int]] = []
        deduction, before = 0, 0
        for tier in self.markets.get(symbol, self.tiers):
            floor = tier.floor_quote * ATOMS_PER_QUOTE
            deduction += floor * (tier.maintenance_ppm - before) // PPM
            assert deduction >= 0
            before = tier.maintenance_ppm
            rows.append((floor, max(least, tier.initial_ppm), tier.maintenance_ppm, deduction))
        return rows
