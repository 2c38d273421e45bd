"""Market makers: quotes on both sides at several levels, moved against their inventory, widened by
volatility.

The quotes stand around a reservation price: what the maker thinks the contract is worth, less (when long) or
more (when short) the further its inventory is from nothing, as in Avellaneda and Stoikov (2008). A maker
leaves the market when equity has fallen too far below its peak, or on a margin call; the side that would take
it past its inventory limit shrinks to nothing on the way there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydantic import Field

from delever.engine.commands import C_LOTS, FLAG_POST_ONLY, Kind, batch

from .cohort import Cohort, Commands, Floats, Limits, join, within
from .parameters import CohortParameters
from .view import Bools, Ints, View

# Traits, drawn once for each maker.
TRAIT_WIDTH = 0
TRAIT_SHADE = 1


class MakerParameters(CohortParameters):
    """Market makers."""

    mean_interval_s: float = Field(default=5.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a maker, in seconds."""
    wealth_quote_median: float = Field(default=300_000.0, gt=0.0, le=9e9)
    """Median of what a maker deposits at the start, in quote units."""
    wealth_tail: float = Field(default=0.5, gt=0.0, le=100.0)
    """Lognormal: standard deviation of the logarithm. Pareto: exponent, smaller is more unequal."""
    wealth_ratio_max: float = Field(default=10.0, ge=1.0, le=1e9)
    """Nobody deposits more than this multiple of the median."""
    levels: int = Field(default=8, ge=1, le=100)
    """Quotes on each side; their sizes grow in proportion to 1, 2, 3, ... outwards."""
    half_spread_ppm: float = Field(default=80.0, gt=0.0, le=1e6)
    """Distance of the first quote from the reservation price in calm times, for the average maker."""
    level_step_ppm: float = Field(default=150.0, gt=0.0, le=1e6)
    """Distance from one quote to the next in calm times."""
    width_spread: float = Field(default=0.4, ge=0.0, lt=1.0)
    """Makers' spreads and steps lie this share around the average."""
    shade_ppm: float = Field(default=40.0, ge=0.0, le=1e6)
    """What makers think the contract is worth lies so far around the common estimate."""
    index_share: float = Field(default=0.8, ge=0.0, le=1.0)
    """Weight of the index in that estimate; the rest is the middle of the book."""
    quote_leverage: float = Field(default=0.25, gt=0.0, le=1000.0)
    """Value of the quotes of one side without inventory, as a multiple of equity."""
    inventory_leverage: float = Field(default=2.0, gt=0.0, le=1000.0)
    """Inventory limit as a multiple of equity."""
    skew_ppm: float = Field(default=600.0, ge=0.0, le=1e6)
    """Shift of the reservation price at the inventory limit in calm times."""
    volatility_calm_ppm: float = Field(default=120.0, gt=0.0, le=1e6)
    """Mean absolute change of the mark in one second that counts as calm."""
    widening: float = Field(default=1.0, ge=0.0, le=1000.0)
    """Spread, step and skew grow by this share for each calm volatility above calm."""
    requote_ppm: float = Field(default=60.0, ge=0.0, le=1e6)
    """A ladder is left alone while its prices are no further off than this ..."""
    requote_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """... and neither side has lost more than this share of its lots."""
    drawdown_share: float = Field(default=0.15, gt=0.0, le=1.0)
    """A maker whose equity is so far below its peak withdraws, ..."""
    pause_s: float = Field(default=900.0, ge=0.0, le=1e9)
    """... for so long; then it starts again from what it has."""
    unwind_share: float = Field(default=0.25, gt=0.0, le=1.0)
    """Share of the inventory sold or bought back at market at each waking under a margin call."""


class Ladder(NamedTuple):
    """Prices of quotes, one element per maker, in ticks."""

    bid_ticks: Ints
    ask_ticks: Ints
    step_ticks: Ints


class Maker(Cohort):
    """Replaces its ladder of post-only quotes when it traded or the price moved; withdraws in stress."""

    Parameters = MakerParameters
    parameters: MakerParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the columns."""
        parameters = self.parameters
        self.width = 1.0 + parameters.width_spread * (2.0 * self.trait(TRAIT_WIDTH) - 1.0)
        self.shade = 1.0 + parameters.shade_ppm / 1e6 * (2.0 * self.trait(TRAIT_SHADE) - 1.0)
        weights = np.arange(1, parameters.levels + 1, dtype=np.float64)
        self.weights = weights / (parameters.levels * (parameters.levels + 1) / 2)
        self.columns = {
            "peak_equity_atoms": np.zeros(self.n, dtype=np.int64),
            "away_until_s": np.zeros(self.n, dtype=np.int64),
        }

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return for each waker and market a cancellation and new quotes, or nothing."""
        accounts = self.rows[wakers]
        called = view.called(accounts) | view.distressed(accounts)
        away = self._withdrawn(view, wakers, view.equity_atoms(accounts)) | called
        has_orders = view.open_orders(accounts) > 0
        if "quoted" not in self.columns:  # the number of markets is not known before
            self.columns["quoted"] = np.zeros((self.n, view.markets, 4), dtype=np.int64)
        parts = []
        for each in range(view.markets):
            market = np.full(len(wakers), each)
            limits = self.limits(view, accounts, market, self.parameters.inventory_leverage)
            parts.append(self.use_cross(wakers, market, limits.at))
            parts.append(self._quote(view, wakers, market, limits, away, has_orders))
            if called.any():
                parts.append(self._unwind(wakers, market, limits, called))
        return join(*parts)

    def ladder(self, view: View, wakers: Ints, market: Ints, inventory: Floats) -> Ladder:
        """Return where each waker would quote with this inventory, from -1 (full short) to 1 (full long)."""
        parameters = self.parameters
        index, middle = view.index_ticks[market], view.mid_ticks[market]
        worth = (middle + parameters.index_share * (index - middle)) * self.shade[wakers]
        per_second = (view.volatility_ppm / np.sqrt(view.dt_s))[market]
        excess = np.maximum(per_second / parameters.volatility_calm_ppm - 1.0, 0.0)
        tick_per_ppm = worth * (1.0 + parameters.widening * excess) / 1e6
        reservation = worth - inventory * parameters.skew_ppm * tick_per_ppm
        half = parameters.half_spread_ppm * self.width[wakers] * tick_per_ppm
        bid = np.floor(reservation - half).astype(np.int64)
        ask = np.ceil(reservation + half).astype(np.int64)
        # Post-only orders that would cross are refused: a maker stops one tick before the other side.
        best_bid, best_ask = view.bid_ticks[market], view.ask_ticks[market]
        bid = np.where(best_ask > 0, np.minimum(bid, best_ask - 1), bid)
        ask = np.maximum(ask, best_bid + 1)
        step = np.rint(parameters.level_step_ppm * self.width[wakers] * tick_per_ppm)
        return Ladder(bid, ask, np.maximum(step, 1.0).astype(np.int64))

    def _quote(
        self, view: View, wakers: Ints, market: Ints, limits: Limits, away: Bools, has_orders: Bools
    ) -> Commands:
        """Return the cancellation of ladders that no longer stand right, and new ones for those not away."""
        inventory = within(-1.0, limits.at.lots / np.maximum(limits.lots, 1), 1.0)
        ladder = self.ladder(view, wakers, market, inventory)
        quoted = self.columns["quoted"][wakers, market]
        price_ticks = np.column_stack((ladder.bid_ticks, ladder.ask_ticks))
        near = np.abs(price_ticks - quoted[:, :2]) * 1e6 <= self.parameters.requote_ppm * price_ticks
        left = 1.0 - self.parameters.requote_share
        full = (limits.at.bids_lots >= left * quoted[:, 2]) & (limits.at.asks_lots >= left * quoted[:, 3])
        stands = near.all(axis=1) & full & ~away
        cancels, quotes = has_orders & ~stands, ~stands & ~away

        bids = self._side(view, market, limits, inventory, 1, ladder.bid_ticks, ladder.step_ticks)
        asks = self._side(view, market, limits, inventory, -1, ladder.ask_ticks, ladder.step_ticks)
        new = np.column_stack((price_ticks, bids[1].sum(axis=1), asks[1].sum(axis=1)))
        self.columns["quoted"][wakers[quotes], market[quotes]] = new[quotes]
        return join(
            self.cancel_all(wakers[cancels], market[cancels]),
            self._posts(wakers[quotes], market[quotes], 1, bids[0][quotes], bids[1][quotes]),
            self._posts(wakers[quotes], market[quotes], -1, asks[0][quotes], asks[1][quotes]),
        )

    def _side(
        self,
        view: View,
        market: Ints,
        limits: Limits,
        inventory: Floats,
        side: int,
        first_ticks: Ints,
        step_ticks: Ints,
    ) -> tuple[Ints, Ints]:
        """Return prices and lots of one side, both (makers, levels); no lots outside the collar."""
        parameters = self.parameters
        level = np.arange(parameters.levels)
        price = first_ticks[:, np.newaxis] - side * step_ticks[:, np.newaxis] * level
        equity = np.maximum(limits.at.equity_atoms, 0)
        wanted = parameters.quote_leverage * equity / (limits.at.lot_atoms * view.markets)
        # Own orders are cancelled first; the side that reduces the inventory may always do so.
        room = np.maximum(limits.lots - side * limits.at.lots, 0)
        total = np.minimum(wanted, room) * (1.0 - np.maximum(side * inventory, 0.0))
        lots = (total[:, np.newaxis] * self.weights).astype(np.int64)
        inside = view.inside_collar(market[:, np.newaxis], price)
        return price, np.where(inside, lots, 0)

    def _posts(self, wakers: Ints, market: Ints, side: int, price_ticks: Ints, lots: Ints) -> Commands:
        orders = batch(
            lots.size,
            account=np.repeat(self.rows[wakers], self.parameters.levels),
            market=np.repeat(market, self.parameters.levels),
            kind=Kind.LIMIT,
            side=side,
            lots=lots.ravel(),
            price_ticks=price_ticks.ravel(),
            flags=FLAG_POST_ONLY,
        )
        return orders[orders[:, C_LOTS] > 0]

    def _withdrawn(self, view: View, wakers: Ints, equity_atoms: Ints) -> Bools:
        """Say who stays away, and note new peaks of equity and new withdrawals."""
        peak = np.maximum(self.columns["peak_equity_atoms"][wakers], equity_atoms)
        until_s = self.columns["away_until_s"][wakers]
        breaks = (until_s <= view.time_s) & (equity_atoms < (1.0 - self.parameters.drawdown_share) * peak)
        until_s = np.where(breaks, view.time_s + int(self.parameters.pause_s), until_s)
        self.columns["peak_equity_atoms"][wakers] = np.where(breaks, equity_atoms, peak)
        self.columns["away_until_s"][wakers] = until_s
        return until_s > view.time_s

    def _unwind(self, wakers: Ints, market: Ints, limits: Limits, called: Bools) -> Commands:
        held = limits.at.lots
        lots = np.where(called, np.ceil(np.abs(held) * self.parameters.unwind_share), 0)
        return self.market(wakers, market, -np.sign(held), lots, reduce_only=True)
