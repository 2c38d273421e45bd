"""The index of a market out of the prices of several outside sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from delever.engine.averages import kept_within, trimmed_mean, weighted_mean, weighted_median

from .base import PPM, Rule

SECONDS_MAX = 3_600


class Index(Rule):
    """Weighted median or mean of the sources that are fresh and no outliers (R-I1 to R-I4)."""

    weights: tuple[int, ...] = (1,)
    """Weight of each source, in the order of the world's sources."""
    method: Literal["median", "mean", "trimmed_mean"] = "median"
    """Weighted median, weighted mean, or the mean without the lowest and the highest price."""
    outliers: Literal["keep", "drop", "clamp"] = "keep"
    """What happens to a price far from the median of all fresh ones: nothing, left out, or moved to the limit."""
    outlier_ppm: int = Field(default=50_000, ge=1, le=PPM)
    """How far from the median a price may be."""
    stale_s: int | None = Field(default=None, ge=0, le=10 * 86_400)
    """A source without a new price for longer than this drops out; none: never."""
    delay_s: int = Field(default=0, ge=0, le=SECONDS_MAX)
    """Age of the index when the venue sees it."""

    @model_validator(mode="after")
    def _weights_are_positive(self) -> Index:
        if not 1 <= len(self.weights) <= 64 or min(self.weights) < 1 or max(self.weights) > PPM:
            raise ValueError(f"weights must be 1 to 64 numbers, each 1 .. {PPM} (got {list(self.weights)})")
        return self

    def price_ticks(self, prices: Sequence[int], ages_s: Sequence[int]) -> int:
        """Return the index in ticks from the sources' last prices (0: none yet) and their ages; 0 if none is fresh.

        Sources: Hyperliquid, oracle (weighted median, weights by exchange); Deribit, index (highest and lowest left
        out); BitMEX and Binance, index (a source far from the median leaves or is limited).
        """
        assert len(prices) == len(ages_s) == len(self.weights), "a price and an age for each source"
        fresh = [
            (price, weight)
            for price, age, weight in zip(prices, ages_s, self.weights, strict=True)
            if price > 0 and (self.stale_s is None or age <= self.stale_s)
        ]
        if not fresh:
            return 0
        centre = weighted_median(*zip(*fresh, strict=True))
        if self.outliers == "drop":
            near = [one for one in fresh if kept_within(one[0], centre, self.outlier_ppm) == one[0]]
            fresh = near or fresh  # two prices far apart: neither is nearer to the median
        elif self.outliers == "clamp":
            fresh = [(kept_within(price, centre, self.outlier_ppm), weight) for price, weight in fresh]
        combine = {"median": weighted_median, "mean": weighted_mean, "trimmed_mean": trimmed_mean}[self.method]
        return combine(*zip(*fresh, strict=True))
