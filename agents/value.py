"""Value traders: they trade the contract towards what they believe it is worth, the index give or take an
error.

Their position is the larger the further the mark is from their belief, so they tie the mark to the index;
their orders stop part of the way and rest there, so that together they fill a gap between mark and index with
a ladder of orders.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from .cohort import Cohort, Commands, join, within
from .draws import Stream
from .parameters import CohortParameters
from .quantiles import standard_normal
from .view import Ints, View

# Traits, drawn once for each trader.
TRAIT_BELIEF = 0
TRAIT_PATIENCE = 1


class ValueParameters(CohortParameters):
    """Value traders: arbitrage between the contract and the index."""

    mean_interval_s: float = Field(default=30.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=60_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    wealth_ratio_max: float = Field(default=20.0, ge=1.0, le=1e9)
    """Nobody deposits more than this multiple of the median."""
    leverage: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Value of a full position as a multiple of equity."""
    full_ppm: float = Field(default=3_000.0, gt=0.0, le=1e6)
    """Distance of the mark from the belief at which the position is full; below it is in proportion."""
    threshold_ppm: float = Field(default=300.0, ge=0.0, le=1e6)
    """A position is not enlarged while mark and belief are nearer than this (costs of trading)."""
    belief_sd_ppm: float = Field(default=300.0, ge=0.0, le=1e6)
    """Spread of beliefs between traders, fixed for life."""
    noise_sd_ppm: float = Field(default=150.0, ge=0.0, le=1e6)
    """Error of a belief at one waking."""
    horizon_s: float = Field(default=120.0, gt=0.0, le=1e9)
    """Time over which a trader moves to the wanted position."""
    steps_max: int = Field(default=50, ge=1, le=1_000_000)
    """Changes smaller than this fraction of a full position are not worth an order."""
    patience_min: float = Field(default=0.2, ge=0.0, le=1.0)
    """Orders stop at this share of the way from mark to belief for the most patient trader, ..."""
    patience_max: float = Field(default=0.9, ge=0.0, le=1.0)
    """... and at this share for the least patient."""


class Value(Cohort):
    """Buys below its belief and sells above it, in proportion to the distance, with limit orders between."""

    Parameters = ValueParameters
    parameters: ValueParameters

    def prepare(self) -> None:
        """Draw what is fixed for life."""
        parameters = self.parameters
        self.normal_table = standard_normal()
        self.belief = 1.0 + self.normal_table(self.trait(TRAIT_BELIEF)) * parameters.belief_sd_ppm / 1e6
        span = parameters.patience_max - parameters.patience_min
        self.way = parameters.patience_min + span * self.trait(TRAIT_PATIENCE)
        self.pace = min(1.0, parameters.mean_interval_s / parameters.horizon_s)

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return the cancellation of the old order, if there is one, and at most one new order per waker."""
        parameters = self.parameters
        accounts, market = self.rows[wakers], self.pick_market(view, wakers)
        error = self.normal_table(self.uniform(Stream.VALUE, wakers)) * parameters.noise_sd_ppm / 1e6
        worth = view.index_ticks[market] * (self.belief[wakers] + error)
        mark = view.mark_ticks[market]
        gap_ppm = (worth - mark) * 1e6 / mark

        limits = self.limits(view, accounts, market, parameters.leverage)
        # The old order is cancelled first, so that the position alone counts.
        held = limits.at.lots
        target = (within(-1.0, gap_ppm / parameters.full_ppm, 1.0) * limits.lots).astype(np.int64)
        # Inside the threshold a position may shrink but not grow.
        near = np.abs(gap_ppm) < parameters.threshold_ppm
        target = np.where(near, within(np.minimum(held, 0), target, np.maximum(held, 0)), target)
        called = view.called(accounts)
        target = np.where(called, np.sign(held) * (np.abs(held) // 2), target)

        side = np.where(target > held, 1, -1)
        change = np.abs(target - held)
        worthwhile = change * parameters.steps_max >= limits.lots
        lots = np.where(worthwhile, np.ceil(change * self.pace), 0.0).astype(np.int64)
        price = np.rint(mark + self.way[wakers] * (worth - mark)).astype(np.int64)
        price = within(view.collar_low[market], price, view.collar_high[market])

        old = view.open_orders(accounts) > 0
        return join(
            self.use_cross(wakers, market, limits.at),
            self.cancel_all(wakers[old], market[old]),
            self.limit(wakers, market, side, np.where(called, 0, lots), price),
            self.market(wakers, market, side, np.where(called, change, 0), reduce_only=True),
        )
