"""Users of stop-losses: a random entry, and exits that are left to the venue.

A stop lies so many average true ranges from the entry (Wilder, "New concepts in technical trading systems", 1978). It
may trail: it is moved up as the price goes the position's way, never back. It may be half of a bracket, whose other
half takes the profit at a multiple of the distance of the stop, the ratio of reward to risk; without a drift the target
is reached first with probability 1 / (1 + ratio). Stops sell into a fall, together where they lie together: Osler,
"Stop-loss orders and price cascades in currency markets", Journal of International Money and Finance 24 (2005).
"""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from .cohort import Cohort, Commands, join, within
from .draws import Stream
from .parameters import CohortParameters
from .ranges import check_ranges
from .view import Bools, Ints, View
from .volatility import average_true_range_ticks

# Traits, drawn once for each trader.
TRAIT_STOP = 0
TRAIT_TRAILING = 1
TRAIT_TARGET = 2
TRAIT_DISTANCE = 3
TRAIT_REWARD = 4
TRAIT_MARKET = 5

CHOICE_DRAW, CLOSE_DRAW = 0, 1


class StopsParameters(CohortParameters):
    """Users of stop-losses."""

    mean_interval_s: float = Field(default=30.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=5_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    open_share: float = Field(default=0.05, ge=0.0, le=1.0)
    """Share of wakings without a position at which one is opened."""
    close_share: float = Field(default=0.005, ge=0.0, le=1.0)
    """Share of wakings with a position at which it is closed for no reason."""
    long_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of openings that are long."""
    leverage: float = Field(default=2.0, gt=0.0, le=1000.0)
    """Value of a position as a multiple of equity."""
    bar_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Length of a bar, ..."""
    bars: int = Field(default=14, ge=1, le=1000)
    """... and how many bars the average true range is a mean of. Nobody opens before the first bar is over."""
    distance_min: float = Field(default=2.0, gt=0.0, le=1000.0)
    """Distance of a stop from the mark at the entry, in average true ranges: nearest of the cohort, ..."""
    distance_max: float = Field(default=4.0, gt=0.0, le=1000.0)
    """... and furthest."""
    distance_floor_ppm: float = Field(default=500.0, ge=0.0, le=5e5)
    """No stop is nearer than this."""
    stop_share: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of traders that set stops at all."""
    trailing_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of traders whose stops trail, if they set them."""
    trail_step: float = Field(default=0.2, gt=0.0, le=1.0)
    """A stop is moved when it can be moved by this share of its distance."""
    target_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of traders that take profits at a target."""
    reward_min: float = Field(default=1.0, gt=0.0, le=100.0)
    """Distance of the target as a multiple of that of the stop: lowest ratio of the cohort, ..."""
    reward_max: float = Field(default=3.0, gt=0.0, le=100.0)
    """... and highest."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        check_ranges(self, ("distance_min", "distance_max"), ("reward_min", "reward_max"))
        return self


class Stops(Cohort):
    """Opens by chance in the one market it trades, protects the position, and tidies up when it is closed."""

    Parameters = StopsParameters
    parameters: StopsParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the columns: triggers and distance of the running position."""
        parameters = self.parameters
        self.sets_stop = self.trait(TRAIT_STOP) < parameters.stop_share
        self.trails = self.sets_stop & (self.trait(TRAIT_TRAILING) < parameters.trailing_share)
        self.sets_target = self.trait(TRAIT_TARGET) < parameters.target_share
        span = parameters.distance_max - parameters.distance_min
        self.ranges = parameters.distance_min + span * self.trait(TRAIT_DISTANCE)
        self.reward = parameters.reward_min + (parameters.reward_max - parameters.reward_min) * self.trait(TRAIT_REWARD)
        self.place = self.trait(TRAIT_MARKET)
        names = ("stop_ticks", "target_ticks", "distance_ticks")
        self.columns = {name: np.zeros(self.n, dtype=np.int64) for name in names}

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return the orders of those who open, close, or move their stops, each after the old ones are cancelled."""
        parameters = self.parameters
        market = (self.place[wakers] * view.markets).astype(np.int64)
        limits = self.limits(view, self.rows[wakers], market, parameters.leverage)
        held, has_orders = limits.at.lots, view.open_orders(self.rows[wakers]) > 0
        opens = (held == 0) & (self.uniform(Stream.CHOICE, wakers, CHOICE_DRAW) < parameters.open_share)
        closes = (held != 0) & (self.uniform(Stream.CHOICE, wakers, CLOSE_DRAW) < parameters.close_share)
        protects = (held != 0) & ~closes & (self._trail(view, wakers, market, held) | self._is_bare(wakers, has_orders))
        # What is left of a bracket would hit the next position.
        tidies = has_orders & ((held == 0) | closes | protects)
        opening = self._open(view, wakers[opens], market[opens], limits.lots[opens])
        return join(
            self.use_cross(wakers, market, limits.at),
            self.cancel_all(wakers[tidies], market[tidies]),
            self.market(wakers[closes], market[closes], -np.sign(held[closes]), np.abs(held[closes]), reduce_only=True),
            opening,
            self._protection(view, wakers[protects], market[protects], held[protects]),
        )

    def _open(self, view: View, wakers: Ints, market: Ints, largest: Ints) -> Commands:
        """Return entries with their protection, and note where it lies."""
        parameters, columns = self.parameters, self.columns
        each = range(view.markets)
        ranges = np.array([average_true_range_ticks(view, one, parameters.bar_s, parameters.bars) for one in each])
        mark = view.mark_ticks[market]
        side = np.where(self.uniform(Stream.SIDE, wakers) < parameters.long_share, 1, -1)
        facing = np.where(side > 0, view.ask_ticks[market], view.bid_ticks[market])
        lots = np.where((ranges[market] > 0.0) & (facing > 0), largest, 0)
        wanted = np.maximum(self.ranges[wakers] * ranges[market], parameters.distance_floor_ppm * mark / 1e6)
        distance = np.maximum(np.rint(wanted), 1.0).astype(np.int64)
        reward = np.maximum(np.rint(self.reward[wakers] * distance), 1.0).astype(np.int64)
        columns["distance_ticks"][wakers] = distance
        columns["stop_ticks"][wakers] = mark - side * distance
        columns["target_ticks"][wakers] = mark + side * reward
        return join(self.market(wakers, market, side, lots), self._protection(view, wakers, market, side * lots))

    def _trail(self, view: View, wakers: Ints, market: Ints, held: Ints) -> Bools:
        """Move the stops that can be moved by enough, and say which were."""
        stops, distance = self.columns["stop_ticks"], self.columns["distance_ticks"][wakers]
        side = np.sign(held)
        further = view.mark_ticks[market] - side * distance
        moves = self.trails[wakers] & (held != 0) & (distance > 0)
        moves &= side * (further - stops[wakers]) >= self.parameters.trail_step * distance
        stops[wakers] = np.where(moves, further, stops[wakers])
        return moves

    def _is_bare(self, wakers: Ints, has_orders: Bools) -> Bools:
        """Say whose position has lost its protection: the venue cancels the orders of those it liquidates."""
        wants = self.sets_stop[wakers] | self.sets_target[wakers]
        return wants & ~has_orders & (self.columns["distance_ticks"][wakers] > 0)

    def _protection(self, view: View, wakers: Ints, market: Ints, lots: Ints) -> Commands:
        """Return stops and targets of positions of signed `lots`, at the triggers that are noted."""
        highest = view.price_max_ticks[market] - 1
        stop = within(1, self.columns["stop_ticks"][wakers], highest)
        target = within(1, self.columns["target_ticks"][wakers], highest)
        side, size = np.where(lots > 0, -1, 1), np.abs(lots)
        return join(
            self.stop(wakers, market, side, np.where(self.sets_stop[wakers], size, 0), stop),
            self.take_profit(wakers, market, side, np.where(self.sets_target[wakers], size, 0), target),
        )
