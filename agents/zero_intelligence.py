"""Zero intelligence in its purest form: orders and cancellations arrive by chance at constant rates, sizes are equal.

A trader without an order sends at some wakings a limit order of random side and place, at fewer a market order; one
with an order cancels it. While few of them have orders, their number hardly changes the rates. Limit orders are spread
evenly over a window behind the best opposite price: Daniels, Farmer, Gillemot, Iori and Smith, "Quantitative model of
price diffusion and market impact based on trading as a mechanistic random process", Physical Review Letters 90 (2003).
Their behaviour does not depend on wealth or position, unlike that of `noise`.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from .cohort import Cohort, Commands, Floats, join
from .draws import Stream
from .parameters import CohortParameters
from .view import Ints, View

# Limit orders of BTCUSDT perpetuals on one exchange, 8 August 2024, 23:54 to 24:00 (raw feed, a sample of hftbacktest):
# how many were added at a distance from the best price of their own side of more than the edge before, up to this one.
MEASURED_EDGES_TICKS = (-1, 0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
MEASURED_ORDERS = (5134, 252, 180, 440, 800, 1985, 5983, 12713, 26694, 60353)
# The same sample: which share of the lots that rest at a distance of up to this edge, or beyond the last, is taken away
# in a second. Removals over twice the mean depth of the bids there (one ask of 500 lots came and went); at the best
# price the falls of its size, less all trades. Of what came and went between two messages nothing is known: true rates
# are higher. They fall in Tokyo too, from 0.71 to 0.47 over five ticks: Cont, Stoikov and Talreja, "A stochastic model
# for order book dynamics", Operations Research 58 (2010).
CANCELLED_EDGES_TICKS = (0, 62, 123, 308)
CANCELLED_PER_S = (1.73, 1.44, 0.89, 0.57, 0.46)

# The order a trader sent last: the one that rests, if one does.
ORDER = np.dtype([("market", np.int64), ("side", np.int64), ("price_ticks", np.int64)])


class ZeroIntelligenceParameters(CohortParameters):
    """Poisson flow of limit orders, market orders and cancellations."""

    mean_interval_s: float = Field(default=600.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=10_000_000.0, gt=0.0, le=9e9)
    """What a trader deposits at the start, in quote units: so much that margin never matters."""
    wealth_law: Literal["equal", "lognormal", "pareto"] = "equal"
    """Distribution of it: everybody the median, lognormal, or Pareto."""
    limit_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of wakings without an order that send a limit order."""
    market_share: float = Field(default=0.02, ge=0.0, le=1.0)
    """Share of wakings without an order that send a market order."""
    cancel_share: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of wakings with an order that cancel it, ..."""
    cancellation: Literal["constant", "measured"] = "constant"
    """... wherever it rests, or at the best price; then less the further it is from there, as measured."""
    order_lots: int = Field(default=10, ge=1, le=2**30 - 1)
    """Size of every order."""
    placement: Literal["uniform", "measured"] = "uniform"
    """Evenly over a window from the best opposite price on, or at distances measured from the own best price."""
    window_ticks: int = Field(default=1_000, ge=1, le=2**40)
    """Length of that window."""

    @model_validator(mode="after")
    def _shares_leave_room(self) -> Self:
        if self.limit_share + self.market_share > 1.0:
            total = self.limit_share + self.market_share
            raise ValueError(f"limit_share + market_share must be at most 1 (got {total:g})")
        return self


class ZeroIntelligence(Cohort):
    """Each waking: a cancellation with an order, a limit order, a market order or nothing without."""

    Parameters = ZeroIntelligenceParameters
    parameters: ZeroIntelligenceParameters

    def prepare(self) -> None:
        """Make the memory."""
        self.columns = {"order": np.zeros(self.n, dtype=ORDER)}

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one order or cancellation for each waker."""
        p = self.parameters
        market = self.pick_market(view, wakers)
        choice = self.uniform(Stream.CHOICE, wakers)
        resting = view.open_orders(self.rows[wakers]) > 0
        cancel_share: float | Floats = p.cancel_share
        if p.cancellation == "measured":
            own = self.columns["order"][wakers]
            market = np.where(resting, own["market"], market)
            distance = own["side"] * (self._best_ticks(view, market, own["side"]) - own["price_ticks"])
            cancel_share = p.cancel_share * cancelled_ratio(distance)
        cancels = resting & (choice < cancel_share)
        takes = ~resting & (choice < p.market_share)
        quotes = ~resting & ~takes & (choice < p.market_share + p.limit_share)
        side = np.where(self.uniform(Stream.SIDE, wakers) < 0.5, 1, -1)
        price = self._prices(view, wakers[quotes], market[quotes], side[quotes])
        inside = (price >= 1) & (price < view.price_max_ticks[market[quotes]])
        sent = wakers[quotes][inside]
        for name, values in (("market", market[quotes]), ("side", side[quotes]), ("price_ticks", price)):
            self.columns["order"][name][sent] = values[inside]
        return join(
            self.cancel_all(wakers[cancels], market[cancels]),
            self.market(wakers[takes], market[takes], side[takes], p.order_lots),
            self.limit(sent, market[quotes][inside], side[quotes][inside], p.order_lots, price[inside]),
        )

    def _prices(self, view: View, wakers: Ints, market: Ints, side: Ints) -> Ints:
        """Return the price of each limit order in ticks."""
        place = self.uniform(Stream.PRICE, wakers)
        opposite = self._best_ticks(view, market, -side)
        if self.parameters.placement == "measured":
            own, distance = self._best_ticks(view, market, side), measured_distance_ticks(place)
            # The spread of the sample was a tick: an order at the best price closes one that is wider by a tick.
            distance -= (distance == 0) & (side * (opposite - own) > 1)
            return own - side * distance
        return opposite - side * (1 + (place * self.parameters.window_ticks).astype(np.int64))

    def _best_ticks(self, view: View, market: Ints, side: Ints) -> Ints:
        """Return the best price of a side of the book in ticks; one that is empty is a tick from the mark."""
        best = np.where(side > 0, view.bid_ticks[market], view.ask_ticks[market])
        return np.where(best > 0, best, view.mark_ticks[market] - side)


def measured_distance_ticks(uniform: Floats) -> Ints:
    """Return distances from the own best price as measured, for uniform numbers (n,): a bucket, evenly within it."""
    edges = np.array(MEASURED_EDGES_TICKS)
    reached = np.cumsum(MEASURED_ORDERS) / np.sum(MEASURED_ORDERS)
    bucket = np.searchsorted(reached, uniform, side="right")
    below = np.append(0.0, reached)[bucket]
    within = (uniform - below) / (reached[bucket] - below)
    distance: Ints = edges[bucket] + 1 + (within * (edges[bucket + 1] - edges[bucket])).astype(np.int64)
    return np.minimum(distance, edges[bucket + 1])


def cancelled_ratio(distance_ticks: Ints) -> Floats:
    """Return how often orders so far from their own best price are cancelled, as a share of those at it, (n,)."""
    bucket = np.searchsorted(CANCELLED_EDGES_TICKS, distance_ticks)
    ratio: Floats = np.array(CANCELLED_PER_S)[bucket] / CANCELLED_PER_S[0]
    return ratio
