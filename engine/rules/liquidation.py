"""The liquidation axis: when an account is closed by force, how fast, at what price, and who takes the rest."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from .base import ATOMS_PER_QUOTE, PPM, Rule
from .steps import Ladder, Rolling, Step
from .terms import Cancel, Keepers, Levels, Limit, Surplus, Takeover


class Distressed(NamedTuple):
    """Positions of distressed units due for treatment, one row each, in order of treatment; money in atoms."""

    lots: NDArray[np.int64]
    value_atoms: NDArray[np.int64]
    equity_atoms: NDArray[np.int64]
    """The position's share of its unit's equity (R-A9)."""
    maintenance_atoms: NDArray[np.int64]
    bankruptcy_ticks: NDArray[np.int64]
    mark_ticks: NDArray[np.int64]
    in_cooldown: NDArray[np.bool_]
    maintenance_of: object
    """Function (row indices, lots) -> maintenance margin in atoms of so many lots of these rows' markets."""


class Proposal(NamedTuple):
    """What a liquidation rule asks for: lots to close and whether the rest starts a cooldown, one row each."""

    lots: NDArray[np.int64]
    partial: NDArray[np.bool_]


class Liquidation(Rule):
    """Forced closing: trigger, step size, order price, warehouse of the rest, speed of the engine (R-W)."""

    act: bool = True
    """False: the margin engine watches and counts, but never acts (the counterfactual of every other run)."""
    trigger: Literal["below", "at_or_below"] = "below"
    """Distressed when equity is below, or at or below, maintenance margin."""
    stage: Literal["book", "takeover_only", "keepers"] = "book"
    """Whether forced orders go to the book first, or keepers are asked instead."""
    size: Literal["full", "target", "share"] = "full"
    """`full`: whole position; `target`: just enough to reach target_ppm; `share`: a share with a cooldown."""
    target_ppm: int = Field(default=1_200_000, ge=PPM, le=10 * PPM)
    """With `target`: equity to reach, as a multiple of maintenance margin."""
    share_ppm: int = Field(default=200_000, ge=1, le=PPM)
    """With `share`: part of the position sent at once."""
    full_below_quote: int = Field(default=100_000, ge=0, le=10**12)
    """With `share`: positions up to this value are sent whole."""
    cooldown_s: int = Field(default=30, ge=0)
    """With `share`: for so long after a partial order, further orders are for the whole position."""
    price: Literal["market", "bankruptcy"] = "market"
    """Limit of forced orders: none, or the bankruptcy price."""
    leftover: Literal["retry", "fund", "backstop"] = "retry"
    """Who takes what the book did not: nobody (again next step), the insurance fund, or the backstop accounts."""
    backstop_ppm: int = Field(default=0, ge=0, le=PPM)
    """Units with equity below this multiple of maintenance margin skip the book; 0 switches this off."""
    seize_margin: bool = True
    """Whether what is left of a taken-over unit's margin goes to the taker."""
    latency_s: int = Field(default=0, ge=0)
    """Time between finding a distressed unit and acting on it."""
    orders_per_step_max: int = Field(default=0, ge=0)
    """Most forced orders the engine sends in a step; 0 means no limit."""
    rounds_max: int = Field(default=10, ge=1, le=1000)
    """Most rounds of finding and closing in a step."""
    insolvent: Literal["skip"] | None = None
    """`skip`: units with equity below zero skip book and keepers; none closes them like all others."""
    step: Step | None = None
    """Another way to say how many lots a forced order closes; none leaves it to `size`."""
    rolling: Rolling | None = None
    """Cap on what is liquidated of a market within a window; none for no cap."""
    limit: Limit | None = None
    """Another limit of forced orders; none leaves it to `price`."""
    levels: Levels | None = None
    """Other thresholds than maintenance margin; none starts and stops there."""
    cancel: Cancel | None = None
    """Which orders are cancelled first; none cancels all of the unit's."""
    surplus: Surplus | None = None
    """Who gets what a forced fill brings beyond the bankruptcy price; none leaves it to the trader."""
    keepers: Keepers | None = None
    """Terms of third-party liquidators, with stage = "keepers"."""
    takeover: Takeover | None = None
    """Terms of a takeover; none is at the bankruptcy price, within the fund's limits."""

    @model_validator(mode="after")
    def _combines(self) -> Liquidation:
        if self.stage == "takeover_only" and self.leftover == "retry":
            raise ValueError("stage = 'takeover_only' needs leftover = 'fund' or 'backstop'")
        if (self.stage == "keepers") != (self.keepers is not None):
            raise ValueError(
                "stage = 'keepers' and the table `keepers` belong together: one says that keepers are asked instead "
                f"of the book, the other on what terms (got stage = {self.stage!r} "
                f"{'with' if self.keepers else 'without'} keepers)"
            )
        if self.stage == "takeover_only" and (self.step or self.rolling or self.limit or self.surplus):
            raise ValueError(
                "stage = 'takeover_only' sends nothing to the book: step, rolling, limit and surplus mean nothing there"
            )
        if self.stage == "keepers" and (self.limit or self.surplus):
            raise ValueError("keepers take lots off the book: limit and surplus mean nothing there")
        refusal = self.surplus is not None and self.surplus.refusal is not None
        if refusal and isinstance(self.step, Ladder) and self.step.fill_or_kill:
            raise ValueError(
                "surplus.refusal may end an order half way, which step.fill_or_kill rules out: choose one of them"
            )
        return self

    def propose(self, rows: Distressed) -> Proposal:
        """Return the lots each forced order closes, 1 .. |lots| (R-W4). Arrays in, arrays out; no state is touched."""
        held = np.abs(rows.lots)
        none = np.zeros(len(held), dtype=np.bool_)
        if self.size == "full":
            return Proposal(held, none)
        if self.size == "target":
            return Proposal(self._lots_to_target(rows, held), none)
        whole = (rows.value_atoms <= self.full_below_quote * ATOMS_PER_QUOTE) | rows.in_cooldown
        part = -(-(held * self.share_ppm) // PPM)
        assert (part <= held).all()
        return Proposal(np.where(whole, held, part), ~whole)

    def _lots_to_target(self, rows: Distressed, held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bisect for the fewest lots after which equity covers the target (R-W4)."""
        row = np.arange(len(held))
        low, high = np.ones_like(held), held.copy()
        while np.any(low < high):
            middle = (low + high) // 2
            need = rows.maintenance_of(row, held - middle)  # type: ignore[operator]
            enough = rows.equity_atoms >= scale_up(need, self.target_ppm)
            high = np.where(enough, middle, high)
            low = np.where(enough, low, np.minimum(middle + 1, high))
        return high


def scale_up(amount_atoms: NDArray[np.int64], ppm: int) -> NDArray[np.int64]:
    """Return ceil(amount * ppm / 10**6) without overflow, for non-negative amounts."""
    whole, rest = amount_atoms // PPM, amount_atoms % PPM
    return whole * ppm - (-(rest * ppm) // PPM)
