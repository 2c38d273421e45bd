"""One rich trader who works large orders of given sizes one after the other, evenly over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydantic import Field

from delever.agents.cohort import NO_COMMANDS, Cohort, Commands, join
from delever.agents.parameters import CohortParameters
from delever.agents.view import Ints, View

MARKET = 0
DAY_S = 86_400.0


class MetaOrder(NamedTuple):
    """A large order: lots bought (above 0) or sold between two times of the run."""

    begin_s: int
    end_s: int
    lots: int


class MetaOrdersParameters(CohortParameters):
    """The trader; `count` must be 1."""

    start_s: int = Field(default=14_400, ge=0)
    """When the first order begins, in seconds of the run."""
    volume_shares: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1)
    """Sizes of the orders over what is traded in a day."""
    daily_lots: int = Field(default=10_000_000, ge=1)
    """Lots that others trade in a day."""
    participation: float = Field(default=0.25, gt=0.0, le=1.0)
    """Speed: an order takes as long as others take to trade its size over this."""
    rest: float = Field(default=1.5, ge=1.0)
    """The next order begins so many times the last one's length after it has ended."""
    buys_first: bool = True
    """Whether the first order buys; sides alternate."""


def schedule(p: MetaOrdersParameters) -> list[MetaOrder]:
    """Return the orders in time."""
    orders, begin_s, side = [], p.start_s, 1 if p.buys_first else -1
    for share in p.volume_shares:
        length_s = max(1, round(share / p.participation * DAY_S))
        orders.append(MetaOrder(begin_s, begin_s + length_s, side * max(1, round(share * p.daily_lots))))
        begin_s += length_s + int(p.rest * length_s)
        side = -side
    return orders


class MetaOrders(Cohort):
    """Sends at each waking the market order that brings its position to where the schedule wants it."""

    Parameters = MetaOrdersParameters
    parameters: MetaOrdersParameters

    def prepare(self) -> None:
        """Make the schedule."""
        assert self.n == 1, "one trader works the orders"
        orders = schedule(self.parameters)
        times = [time for order in orders for time in (order.begin_s, order.end_s)]
        held = np.cumsum([0] + [order.lots for order in orders])
        self.times_s = np.array(times, dtype=np.float64)
        self.held_lots = np.repeat(held, 2)[1:-1].astype(np.float64)

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one market order."""
        if view.time_s <= self.times_s[0]:
            return NO_COMMANDS
        market = np.full(len(wakers), MARKET)
        at = view.standing(self.rows[wakers], market)
        missing = int(np.interp(view.time_s, self.times_s, self.held_lots)) - at.lots
        return join(self.use_cross(wakers, market, at), self.market(wakers, market, np.sign(missing), np.abs(missing)))
