"""The matching axis: who trades with whom on the book, and when."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .allocation import Allocation
from .base import Rule


class Auction(Rule):
    """Call auctions: who holds one is another axis, this is how it ends (R-H1 to R-H6)."""

    tie: Literal["reference", "pressure", "middle"] = "reference"
    """Which of several prices of most volume: nearest to the last trade; by the side with more; or the middle one."""
    margin: Literal["mark", "indicative"] = "mark"
    """Price at which an order in an auction is margined: the mark, or the highest of mark, limit and auction price."""
    persistent_only: bool = False
    """Whether orders that never rest (MARKET, IOC, FOK) are refused in an auction, and begin none."""


class Batch(Rule):
    """Frequent batch auctions: the orders of an interval uncross at once (R-O20)."""

    interval_s: int = Field(default=1, ge=1, le=86_400)
    """Seconds from one uncrossing to the next."""


class Matching(Rule):
    """Continuous price-time priority with self-trade prevention (R-O1, R-O5)."""

    priority: Literal["price_time"] = "price_time"
    """Order in which resting orders trade."""
    self_trade: Literal["cancel_newest", "cancel_oldest", "cancel_both"] = "cancel_newest"
    """What happens when an account would trade with itself."""
    allocation: Allocation | None = None
    """How the lots of an incoming order are shared among the orders of one price; none: the oldest first."""
    auction: Auction | None = None
    """How call auctions find their price; none: the usual way."""
    batch: Batch | None = None
    """Batch auctions at an interval instead of continuous matching; none: continuous."""
