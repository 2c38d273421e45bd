"""The mark axis: the price at which positions are valued and liquidated."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from delever.engine.formulas import MARK_COMPONENTS, mark_component_ticks

from .base import PPB, PPM, Rule

Component = Literal["last", "mid", "index", "index_basis", "book", "index_funding"]


class MarkInputs(NamedTuple):
    """What a mark rule may look at, one market, prices in ticks; 0 means that side of the book is empty."""

    last_ticks: int
    bid_ticks: int
    ask_ticks: int
    index_ticks: int
    basis_microticks: int
    funding_ppb: int
    steps_to_funding: int
    funding_interval_steps: int


class Mark(Rule):
    """One price component, or the median of three (R-P2, R-P3)."""

    components: tuple[Component, ...] = ("index_basis", "book", "index")
    """One component, or three of which the median is taken."""
    window_s: int = Field(default=30, ge=1)
    """Window of the moving average of the basis (mid - index)."""
    renew_in_rounds: bool = False
    """Whether the mark is taken again after each liquidation round of a step."""

    @field_validator("components")
    @classmethod
    def _one_or_three(cls, value: tuple[Component, ...]) -> tuple[Component, ...]:
        if len(value) not in (1, 3):
            raise ValueError(f"give one component or three (got {len(value)})")
        return value

    def alpha_ppm(self, dt_s: int) -> int:
        """Return the weight of a new basis sample in ppm (R-P1)."""
        return max(1, min(PPM, -(-PPM * dt_s // self.window_s)))

    def mark_ticks(self, inputs: MarkInputs, price_max_ticks: int) -> int:
        """Return the mark price in ticks, 1 .. price_max_ticks - 1 (R-P3)."""
        values = sorted(component_ticks(name, inputs) for name in self.components)
        mark = values[len(values) // 2]
        assert values[0] <= mark <= values[-1]
        return max(1, min(price_max_ticks - 1, mark))


def component_ticks(name: Component, at: MarkInputs) -> int:
    """Return one price component in ticks (R-P2)."""
    if name == "index_funding":
        carried = at.index_ticks * at.funding_ppb * at.steps_to_funding
        return at.index_ticks + carried // (PPB * at.funding_interval_steps)
    code = MARK_COMPONENTS.index(name)
    return mark_component_ticks(code, at.last_ticks, at.bid_ticks, at.ask_ticks, at.index_ticks, at.basis_microticks)
