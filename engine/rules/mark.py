"""The mark axis: the price at which positions are valued and liquidated."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from pydantic import Field, field_validator, model_validator

from delever.engine.averages import kept_within, median
from delever.engine.formulas import MARK_COMPONENTS, index_funding_ticks, mark_component_ticks

from .base import PPM, Rule
from .index import Index
from .mark_parts import MISSING, Band, Composite, Guard, Impact, Trades, Update

Component = Literal[
    "last", "mid", "index", "index_basis", "book", "index_funding", "impact", "trades",
    "source_1", "source_2", "source_3", "source_4", "source_5", "source_6", "source_7", "source_8",
]  # fmt: skip
SOURCES = tuple(name for name in get_args(Component) if name.startswith("source_"))
OF_BOOK = ("mid", "book", "impact")
OF_TRADES = ("last", "trades")


class MarkInputs(NamedTuple):
    """What a mark rule may look at, one market, prices in ticks; 0 means that side of the book is empty.

    From `mark_ticks` on: what only some rules ask for, 0 (ages: MISSING) where it does not exist. With a composite,
    bid and ask are the last ones there were together, and their age says since when.
    """

    last_ticks: int
    bid_ticks: int
    ask_ticks: int
    index_ticks: int
    basis_microticks: int
    funding_ppb: int
    steps_to_funding: int
    funding_interval_steps: int
    mark_ticks: int = 0
    impact_ticks: int = 0
    trades_ticks: int = 0
    spare_ticks: int = 0
    source_ticks: tuple[int, ...] = ()
    book_age_s: int = MISSING
    impact_age_s: int = MISSING
    trade_age_s: int = MISSING
    index_age_s: int = MISSING
    source_ages_s: tuple[int, ...] = ()


class Mark(Rule):
    """One price component, or the median or a composite of several (R-P2, R-P3, R-P5 to R-P12)."""

    components: tuple[Component, ...] = ("index_basis", "book", "index")
    """One component, or several of which the median is taken unless `composite` says otherwise."""
    window_s: int = Field(default=30, ge=1)
    """Window of the moving average of the basis (mid - index)."""
    renew_in_rounds: bool = False
    """Whether the mark is taken again after each liquidation round of a step."""
    composite: Composite | None = None
    """Weights and staleness; none: the median of all components, with stand-ins for those that do not exist."""
    trades: Trades | None = None
    """Which trades count and how `trades` weighs them; none: all count."""
    impact: Impact | None = None
    """Cash amount of the component `impact`."""
    update: Update | None = None
    """How often the mark is taken; none: every step."""
    band: Band | None = None
    """How far the mark may be from the index; none: anywhere."""
    guard: Guard | None = None
    """When liquidation waits for a calmer index; none: never."""
    index: Index | None = None
    """How the index comes from several sources; none: the world gives one price."""

    @field_validator("components")
    @classmethod
    def _at_least_one(cls, value: tuple[Component, ...]) -> tuple[Component, ...]:
        if not 1 <= len(value) <= 16:
            raise ValueError(f"give at least one component and at most 16 (got {len(value)})")
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> Mark:
        for name, part in (("trades", self.trades), ("impact", self.impact)):
            if name in self.components and part is None:
                raise ValueError(f"the component {name} needs mark.{name} to say of which trades or amount it is")
        if self.impact is not None and "impact" not in self.components:
            raise ValueError("mark.impact is the amount of the component impact, which is not among the components")
        sources = [SOURCES.index(name) + 1 for name in self.components if name in SOURCES]
        if sources and (self.index is None or max(sources) > len(self.index.weights)):
            known = 0 if self.index is None else len(self.index.weights)
            raise ValueError(f"the component source_{max(sources)} needs mark.index with so many weights (got {known})")
        if self.composite is not None:
            for name, given in (("weights", self.composite.weights), ("stale_s", self.composite.stale_s)):
                if given and len(given) != len(self.components):
                    raise ValueError(
                        f"composite.{name} needs one number for each of the {len(self.components)} components "
                        f"(got {len(given)})"
                    )
        return self

    def alpha_ppm(self, dt_s: int) -> int:
        """Return the weight of a new basis sample in ppm (R-P1)."""
        return average_alpha_ppm(self.window_s, dt_s)

    def mark_ticks(self, inputs: MarkInputs, price_max_ticks: int) -> int:
        """Return the mark price in ticks, 1 .. price_max_ticks - 1 (R-P3, R-P5, R-P6, R-P11)."""
        prices = [component_ticks(name, inputs) for name in self.components]
        if self.composite is None:
            mark = median(prices)
        else:
            ages = [component_age_s(name, inputs) for name in self.components]
            mark = self.composite.price_ticks(prices, ages, inputs.spare_ticks) or inputs.mark_ticks
        if self.band is not None:
            mark = kept_within(mark, inputs.index_ticks, self.band.width_ppm)
        return max(1, min(price_max_ticks - 1, mark))


def average_alpha_ppm(window_s: int, dt_s: int) -> int:
    """Return the weight of a new sample of a moving average in ppm (R-P1)."""
    return max(1, min(PPM, -(-PPM * dt_s // window_s)))


def component_ticks(name: Component, at: MarkInputs) -> int:
    """Return one price component in ticks; where it does not exist, what stands in for it (R-P2, R-P7, R-P8)."""
    if name == "index_funding":
        return index_funding_ticks(at.index_ticks, at.funding_ppb, at.steps_to_funding, at.funding_interval_steps)
    if name in SOURCES:
        return at.source_ticks[SOURCES.index(name)] or at.index_ticks
    if name == "impact":
        return at.impact_ticks or component_ticks("mid", at)
    if name == "trades":
        return at.trades_ticks or component_ticks("last", at)
    code = MARK_COMPONENTS.index(name)
    return mark_component_ticks(code, at.last_ticks, at.bid_ticks, at.ask_ticks, at.index_ticks, at.basis_microticks)


def component_age_s(name: Component, at: MarkInputs) -> int:
    """Return how old a component's price is in seconds, MISSING if there has been none (R-P6)."""
    if name in SOURCES:
        return at.source_ages_s[SOURCES.index(name)]
    if name in OF_TRADES:
        return at.trade_age_s
    if name == "impact":
        return at.impact_age_s
    return at.book_age_s if name in OF_BOOK else at.index_age_s
