"""The matching axis: who trades with whom on the book."""

from __future__ import annotations

from typing import Literal

from .base import Rule


class Matching(Rule):
    """Continuous price-time priority with self-trade prevention (R-O1, R-O5)."""

    priority: Literal["price_time"] = "price_time"
    """Order in which resting orders trade."""
    self_trade: Literal["cancel_newest", "cancel_oldest", "cancel_both"] = "cancel_newest"
    """What happens when an account would trade with itself."""
