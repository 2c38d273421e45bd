"""Places of trade as a scenario describes them: markets, the way to them, and venues beside the main one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from delever.engine.rules.base import ATOMS_PER_QUOTE
from delever.engine.rules.io import RuleError, replace
from delever.engine.rules.messages import did_you_mean
from delever.engine.rules.presets import PRESETS
from delever.engine.rules.ruleset import RuleSet

from .blocks import Blocks
from .paths import IndexPath
from .sources import SOURCES_MAX, Source
from .supply import Supply

VENUES_MAX = 16
SUPPLY_LOTS_MAX = 10**15

Amount = Annotated[Decimal, Field(gt=0, le=10**12)]


class Part(BaseModel):
    """A part of a scenario: frozen, strict about keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, validate_default=True
    )


class Latency(Part):
    """How long commands travel, of all traders whose cohort says nothing else (`latency_ms`, `jitter_ms`)."""

    base_ms: float = Field(default=50.0, ge=0.0, le=3_600_000.0)
    """Shortest time from the decision to the venue, in milliseconds."""
    jitter_ms: float = Field(default=100.0, ge=0.0, le=3_600_000.0)
    """Up to so much comes on top, equally likely, drawn anew for every waking."""


class _Market(Part):
    """What is traded and in which units."""

    symbol: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=40)]
    """Symbol; a rule set may have margin tiers of its own for it."""
    tick_size: Amount
    """Smallest price step in quote units, e.g. "0.5"."""
    lot_size: Amount
    """Smallest size in units of the underlying, e.g. "0.001"."""
    price_max: Amount | None = None
    """Prices stay below this; none takes twice the highest index price of the run."""
    weight: float = Field(default=1.0, gt=0.0, le=1e9)
    """Size beside the venue's other markets: makers quote, and portfolios are held, in proportion to it."""
    sources: Annotated[tuple[Source, ...], Field(max_length=SOURCES_MAX)] = ()
    """What the sources say where the rules make the index of several (`mark.index`); others say the path itself."""

    @property
    def multiplier_atoms(self) -> int:
        """Value of one lot at a price of one tick, in atoms (R-U2)."""
        return int(self.tick_size * self.lot_size * ATOMS_PER_QUOTE)

    @model_validator(mode="after")
    def _whole_atoms(self) -> Self:
        atoms = self.tick_size * self.lot_size * ATOMS_PER_QUOTE
        if atoms < 1 or atoms != int(atoms):
            raise ValueError(
                f"tick_size x lot_size must be a whole number of millionths of a quote unit, at least one "
                f"(got {self.tick_size} x {self.lot_size} = {atoms.normalize():f} millionths)"
            )
        return self


class MarketSpec(_Market):
    """One market: what is traded, in which units, and the index price that the outside world gives it."""

    path: IndexPath
    """Index price, with the shocks laid over it."""
    supply: Annotated[tuple[Supply, ...], Field(max_length=1_000)] = ()
    """Circulating supply of the underlying, at all venues, first at 0; without it quotes and limits know of none."""

    @model_validator(mode="after")
    def _supply_is_a_path(self) -> MarketSpec:
        times = [each.at_s for each in self.supply]
        if times and (times[0] != 0.0 or times != sorted(set(times))):
            raise ValueError(
                f"supply: at_s must begin with 0 and rise (got {', '.join(f'{time:g}' for time in times)})"
            )
        lots = max((Decimal(each.size) / self.lot_size for each in self.supply), default=Decimal(0))
        if lots > SUPPLY_LOTS_MAX:
            raise ValueError(f"supply: at most {SUPPLY_LOTS_MAX:.0e} lots can be counted (got {lots:.1e})")
        return self


class VenueMarket(_Market):
    """One market of a venue beside the main one."""

    path: IndexPath | None = None
    """Index price, with the shocks laid over it; none: that of the main venue's market of the same symbol."""


AnyMarket = MarketSpec | VenueMarket


class VenueSpec(Part):
    """A venue beside the main one: rules and markets of its own."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=40)]
    """Name, by which cohorts and sources of an index call it."""
    base: str = "textbook"
    """Preset whose rules it has ..."""
    rules: dict[str, Any] = {}
    """... and what it changes in them."""
    latency: Latency | None = None
    """How long commands to it travel; none: as long as those to the main venue."""
    blocks: Blocks | None = None
    """Blocks in which they reach it then; none: each by itself, as soon as it arrives."""
    markets: Annotated[tuple[VenueMarket, ...], Field(min_length=1)]
    """Markets, in order."""

    @field_validator("base")
    @classmethod
    def _base_exists(cls, value: str) -> str:
        if value not in PRESETS:
            hint = did_you_mean(value, PRESETS) or f"; there are {', '.join(PRESETS)}"
            raise ValueError(f"must be the name of a preset (got {value!r}){hint}")
        return value

    @model_validator(mode="after")
    def _rules_exist(self) -> VenueSpec:
        try:
            self.rule_set()
        except RuleError as error:
            raise ValueError(f"rules: {error}") from None
        return self

    def rule_set(self) -> RuleSet:
        """Return the rules of the venue, called like it."""
        return replace(PRESETS[self.base], flat(self.rules), name=self.name)


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested tables by dotted path."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        path = f"{prefix}{key}"
        found |= flat(value, f"{path}.") if isinstance(value, dict) and value else {path: value}
    return found
