"""Zero intelligence: orders of random side, size and place, and cancellations."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from delever.engine.commands import C_KIND, C_LOTS, Kind, batch

from .cohort import Cohort, Commands, join, within
from .draws import Stream
from .parameters import CohortParameters
from .quantiles import exponential, power_law
from .view import Ints, View

# As plain integers: an enum in an array expression is slow.
LIMIT, MARKET, CANCEL_ALL = int(Kind.LIMIT), int(Kind.MARKET), int(Kind.CANCEL_ALL)


class NoiseParameters(CohortParameters):
    """Zero-intelligence traders."""

    mean_interval_s: float = Field(default=120.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=5_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    market_share: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of wakings that send a market order."""
    cancel_share: float = Field(default=0.35, ge=0.0, le=1.0)
    """Share of wakings that cancel all own orders in a market; the rest place a limit order."""
    order_share: float = Field(default=0.05, gt=0.0, le=1.0)
    """Mean value of an order as a share of equity; sizes are exponential."""
    leverage: float = Field(default=0.5, gt=0.0, le=1000.0)
    """Largest position as a multiple of equity; the nearer it is, the likelier is an order back."""
    distance_scale_ppm: float = Field(default=300.0, gt=0.0, le=1e6)
    """Scale of the distance of limit orders from the opposite best price; half are within 0.6 of it."""
    distance_exponent: float = Field(default=1.5, gt=0.0, le=100.0)
    """Exponent of its power law: 1.5 over two decades on 50 stocks (Zovko and Farmer 2002)."""
    distance_max_ppm: float = Field(default=20_000.0, gt=0.0, le=1e6)
    """Largest distance."""
    orders_max: int = Field(default=4, ge=1, le=1000)
    """With so many open orders a trader cancels instead of placing another."""

    @model_validator(mode="after")
    def _shares_leave_room(self) -> NoiseParameters:
        if self.market_share + self.cancel_share > 1.0:
            total = self.market_share + self.cancel_share
            raise ValueError(f"market_share + cancel_share must be at most 1 (got {total:g})")
        return self


class Noise(Cohort):
    """Each waking: a market order, a cancellation, or a limit order some way from the best price."""

    Parameters = NoiseParameters
    parameters: NoiseParameters

    def prepare(self) -> None:
        """Make the tables of sizes and distances."""
        parameters = self.parameters
        self.size = exponential()
        self.distance_ppm = power_law(
            parameters.distance_scale_ppm, parameters.distance_exponent, parameters.distance_max_ppm
        )

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one order or cancellation for each waker."""
        parameters = self.parameters
        accounts, market = self.rows[wakers], self.pick_market(view, wakers)
        choice, towards, size, distance = self.uniforms(Stream.CHOICE, wakers, 4)

        limits = self.limits(view, accounts, market, parameters.leverage)
        fullness = within(-1.0, limits.at.lots / np.maximum(limits.lots, 1), 1.0)
        side = np.where(towards < 0.5 - 0.5 * fullness, 1, -1)
        value = parameters.order_share * self.size(size) * limits.at.equity_atoms
        lots = np.minimum((value / limits.at.lot_atoms).astype(np.int64), limits.room_lots(side))

        mark = view.mark_ticks[market]
        bid, ask = view.bid_ticks[market], view.ask_ticks[market]
        opposite = np.where(side > 0, ask, bid)
        beyond = 1 + (self.distance_ppm(distance) * mark / 1e6).astype(np.int64)
        price = np.where(opposite > 0, opposite, mark + side) - side * beyond

        at_market = choice < parameters.market_share
        cancels = choice >= 1.0 - parameters.cancel_share
        cancels |= ~at_market & (view.open_orders(accounts) >= parameters.orders_max)
        possible = np.where(at_market, opposite > 0, view.inside_collar(market, price))
        kind = np.where(at_market, MARKET, LIMIT)
        commands = batch(
            len(wakers),
            account=accounts,
            market=market,
            kind=np.where(cancels, CANCEL_ALL, kind),
            side=side,
            lots=np.where(possible, lots, 0),
            price_ticks=np.where(at_market, 0, price),
        )
        acts = (commands[:, C_LOTS] > 0) | (commands[:, C_KIND] == CANCEL_ALL)
        return join(self.use_cross(wakers, market, limits.at), commands[acts])
