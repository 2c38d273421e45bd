"""Choices a mark may add to its components: each one frozen value, each left out by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from delever.engine.averages import PPM, weighted_mean, weighted_median

from .base import ATOMS_PER_QUOTE, Rule

SECONDS_MAX = 3_600
MISSING = -1
"""Age of a component that does not exist."""


class ImpactAmount(Rule):
    """The cash amount of one market (R-P7). Source: Hyperliquid, funding."""

    notional_quote: int = Field(ge=1, le=10**9)
    """Value to be bought and sold, in quote units."""


class Impact(Rule):
    """A cash amount that is walked into both sides of the book, and the average prices it would get (R-P7)."""

    notional_quote: int = Field(ge=1, le=10**9)
    """Value to be bought and sold, in quote units."""
    over_initial_rate: bool = False
    """Whether the amount is margin: it is then divided by the initial margin rate of the market's first tier."""
    markets: dict[str, ImpactAmount] | None = None
    """Markets with an amount of their own, by symbol; none: all have the same."""

    def notional_atoms(self, initial_ppm: int, symbol: str = "") -> int:
        """Return the value to walk in a market in atoms, rounded down.

        Source: dYdX v4, funding (500 USDC / initial fraction); Hyperliquid, funding (amounts by market).
        """
        assert initial_ppm > 0
        own = (self.markets or {}).get(symbol)
        whole = (self.notional_quote if own is None else own.notional_quote) * ATOMS_PER_QUOTE
        return whole * PPM // initial_ppm if self.over_initial_rate else whole


class Trades(Rule):
    """Which trades `last`, `book` and `trades` look at, and how `trades` weighs them by age (R-P8)."""

    count_forced: bool = True
    """Whether trades of forced orders count."""
    window_s: int = Field(default=60, ge=1, le=SECONDS_MAX)
    """Trades older than this have no weight in `trades`."""
    decay_ppm: int = Field(default=0, ge=0, le=PPM)
    """Part of its weight that a trade loses over the window."""
    decay_power: int = Field(default=1, ge=1, le=8)
    """Power of the age with which it loses it."""

    def average_ticks(self, lots: Sequence[int], value_ticks: Sequence[int], dt_s: int) -> int:
        """Return the average price of trades in ticks, rounded down; 0 if none has weight.

        `lots` and `value_ticks` (sum of lots times price) are of the steps 0, 1, 2, ... steps ago. A trade of age a has
        the weight 1 - decay * (a / window) ** power. Source: Vega, mark price (0009-MRKP).
        """
        assert len(lots) == len(value_ticks)
        whole = PPM * self.window_s**self.decay_power
        weight = value = 0
        for age, (traded, paid) in enumerate(zip(lots, value_ticks, strict=True)):
            if age * dt_s > self.window_s:
                break
            share = whole - self.decay_ppm * (age * dt_s) ** self.decay_power
            weight += share * traded
            value += share * paid
        return value // weight if weight else 0


class SpareAverage(Rule):
    """The moving average of `book` that joins if exactly two components exist (R-P9)."""

    window_s: int = Field(default=30, ge=1, le=SECONDS_MAX)
    """Window of the average. Source: Hyperliquid, robust price indices."""


class Composite(Rule):
    """How components become one price if some may be missing or stale: those drop out (R-P6)."""

    method: Literal["median", "mean"] = "median"
    """Weighted median or weighted mean; halves and fractions are rounded down."""
    weights: tuple[int, ...] = ()
    """Weight of each component, 0 leaves it out; none given: all alike."""
    stale_s: tuple[int, ...] = ()
    """A component whose price is older than this drops out; none given: no component gets too old."""
    spare: SpareAverage | None = None
    """What joins if exactly two components exist, or none."""

    @model_validator(mode="after")
    def _numbers_are_sound(self) -> Composite:
        if self.weights and (min(self.weights) < 0 or max(self.weights) > PPM or sum(self.weights) == 0):
            raise ValueError(f"weights must be 0 .. {PPM}, one above 0 (got {list(self.weights)})")
        if self.stale_s and min(self.stale_s) < 0:
            raise ValueError(f"stale_s must not be negative (got {list(self.stale_s)})")
        return self

    def price_ticks(self, prices: Sequence[int], ages_s: Sequence[int], spare_ticks: int) -> int:
        """Return the price in ticks of what exists and is fresh; 0 if nothing is. An age of MISSING: does not exist."""
        assert len(prices) == len(ages_s)
        found: list[int] = []
        weights: list[int] = []
        for place, (price, age) in enumerate(zip(prices, ages_s, strict=True)):
            weight = self.weights[place] if self.weights else 1
            if weight > 0 and age != MISSING and (not self.stale_s or age <= self.stale_s[place]):
                found.append(price)
                weights.append(weight)
        if self.spare is not None and len(found) == 2 and spare_ticks > 0:
            found.append(spare_ticks)
            weights.append(max(1, sum(weights) // 2))
        if not found:
            return 0
        return weighted_mean(found, weights) if self.method == "mean" else weighted_median(found, weights)


class Update(Rule):
    """How often a mark is taken; between two times it stays (R-P10)."""

    every_s: int = Field(default=1, ge=1, le=86_400)
    """Seconds between two marks. Source: Vega, market.value.markPriceUpdateMaximumFrequency."""


class Band(Rule):
    """How far the mark may be from the index (R-P11)."""

    width_ppm: int = Field(ge=1, le=PPM)
    """Largest distance as a share of the index. Source: Deribit, mark price of futures (from memory)."""


class Guard(Rule):
    """No liquidation in a market whose index is far from its own average (R-P12)."""

    deviation_ppm: int = Field(default=500_000, ge=1, le=PPM)
    """Distance from the average, as a share of it, from which on liquidation waits. Source: Drift v2, oracle guards."""
    window_s: int = Field(default=300, ge=1, le=86_400)
    """Window of the average of the index."""
