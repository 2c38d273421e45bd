"""Traders who read the book: they join the side on which more rests, and believe what they see.

More resting bids than asks foretell a rise: Cao, Hansch and Wang, "The information content of an open limit-order
book", Journal of Futures Markets 29 (2009); Cont, Kukanov and Stoikov, "The price impact of order book events", Journal
of Financial Econometrics 12 (2014). Who trades on that can be led astray with orders that are not meant: Cartea,
Jaimungal and Wang, "Spoofing and price manipulation in order-driven markets", Applied Mathematical Finance 27 (2020).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from delever.engine.rules.base import PPM

from .cohort import Cohort, Commands, join
from .parameters import CohortParameters
from .ranges import check_ranges
from .view import Floats, Ints, View

# Traits, drawn once for each trader.
TRAIT_THRESHOLD = 0


class ImbalanceParameters(CohortParameters):
    """Traders who read the book."""

    mean_interval_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=10_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    reach_ppm: float = Field(default=50_000.0, gt=0.0, le=1e6)
    """How far from the best price they look, as a share of the mark."""
    threshold_min: float = Field(default=0.2, gt=0.0, le=1.0)
    """A trader joins the heavier side when bids less asks are this share of both; lowest threshold, ..."""
    threshold_max: float = Field(default=0.6, gt=0.0, le=1.0)
    """... and highest."""
    exit_share: float = Field(default=0.25, ge=0.0, le=1.0)
    """It leaves when the tilt has shrunk to this share of its threshold, or turned."""
    leverage: float = Field(default=2.0, gt=0.0, le=1000.0)
    """Value of a full position as a multiple of equity."""
    order_share: float = Field(default=0.5, gt=0.0, le=1.0)
    """Largest order as a share of a full position."""

    @model_validator(mode="after")
    def _range_rises(self) -> ImbalanceParameters:
        check_ranges(self, ("threshold_min", "threshold_max"))
        return self


class Imbalance(Cohort):
    """Buys where more bids than asks rest within reach, sells where fewer do, closes when the tilt is over."""

    Parameters = ImbalanceParameters
    parameters: ImbalanceParameters

    def prepare(self) -> None:
        """Draw what is fixed for life."""
        p = self.parameters
        self.threshold = p.threshold_min + (p.threshold_max - p.threshold_min) * self.trait(TRAIT_THRESHOLD)

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one market order for each waker, and its choice of cross margin before the first."""
        p = self.parameters
        market = self.pick_market(view, wakers)
        limits = self.limits(view, self.rows[wakers], market, p.leverage)
        held = limits.at.lots
        tilt = tilts(view, p.reach_ppm)[market]
        strength = tilt / self.threshold[wakers]
        target = np.where(np.abs(strength) >= 1.0, np.sign(strength) * limits.lots, held)
        target = np.where((np.abs(strength) < 1.0) & (strength * np.sign(held) < p.exit_share), 0, target)
        target = np.where(view.called(self.rows[wakers]), np.sign(held) * (np.abs(held) // 2), target)
        change = target - held
        step = np.maximum(limits.lots * p.order_share, 1.0)
        return join(
            self.use_cross(wakers, market, limits.at),
            self.market(wakers, market, np.where(change > 0, 1, -1), np.minimum(np.abs(change), step)),
        )


def tilts(view: View, reach_ppm: float) -> Floats:
    """Return for each market (bids - asks) / (bids + asks) within reach of the best prices, -1 .. 1, 0 if none rest."""
    found = np.zeros(view.markets)
    for market in range(view.markets):
        ticks = int(view.mark_ticks[market] * reach_ppm / PPM)
        bids, asks = (view.depth_lots(market, side, ticks) for side in (1, -1))
        found[market] = (bids - asks) / max(bids + asks, 1)
    return found
