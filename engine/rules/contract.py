"""The contract axis: what a lot is worth and how much of it anybody may hold."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Rule


class Contract(Rule):
    """Linear contract: value of n lots at p ticks is n * multiplier * p atoms (R-U2)."""

    payoff: Literal["linear"] = "linear"
    """Payoff of the contract; linear contracts are margined and settled in the quote currency."""
    lots_max: int = Field(default=100_000_000, ge=1, le=2**30 - 1)
    """Largest order, position and exposure, in lots (R-U4)."""
    orders_per_account_max: int = Field(default=200, ge=1, le=100_000)
    """Most resting and waiting orders an account may have over all markets (R-O9)."""
