"""Add-ons to initial margin: open interest, skew, concentration, volatility."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import PPM, Rule
from .schedules import LOTS_MAX, SLOPE_MAX_PPM


class OpenInterestCaps(Rule):
    """Open interest between whose ends the initial rate rises to 1 (R-A31)."""

    lower_quote: int = Field(ge=0, le=10**12)
    """Value of open interest up to which the rate is the schedule's."""
    upper_quote: int = Field(ge=0, le=10**12)
    """Value of open interest from which the whole value is asked for; 0 leaves the rate alone."""

    @model_validator(mode="after")
    def _in_order(self) -> OpenInterestCaps:
        if self.upper_quote and self.upper_quote <= self.lower_quote:
            raise ValueError(
                f"upper_quote must be above lower_quote, or 0 for no scaling (got {self.upper_quote} after "
                f"{self.lower_quote})"
            )
        return self


class OpenInterestScaling(OpenInterestCaps):
    """Initial rate that rises from the schedule's to 1 as open interest fills a market's caps, as on dYdX (R-A31)."""

    markets: dict[str, OpenInterestCaps] | None = None
    """Caps by market symbol, where they differ."""


class SkewScaling(Rule):
    """Initial rate that rises with an account's size, or with the imbalance it adds to (R-A32)."""

    measure: Literal["own", "venue"]
    """The account's own exposure, or what all traders hold net against the fund, for accounts on that side."""
    slope_ppm: int = Field(ge=0, le=SLOPE_MAX_PPM)
    """What a measure of the whole skew scale adds to the initial rate."""
    slope_lots: int = Field(ge=1, le=LOTS_MAX)
    """Skew scale."""


class Concentration(Rule):
    """Initial rate that rises once an account's exposure is a large share of open interest (R-A33)."""

    threshold_ppm: int = Field(ge=0, le=PPM)
    """Share of open interest up to which nothing is added."""
    slope_ppm: int = Field(ge=0, le=SLOPE_MAX_PPM)
    """What the share above the threshold is multiplied with; the product is added to the initial rate."""


class Volatility(Rule):
    """Rate that follows an exponentially weighted volatility of returns (R-A34, R-A35)."""

    source: Literal["index", "mark"] = "index"
    """Price whose returns are taken."""
    interval_s: int = Field(default=60, ge=1)
    """Seconds from one return to the next."""
    decay_ppm: int = Field(default=970_000, ge=0, lt=PPM)
    """Weight that the variance so far keeps at each return (lambda)."""
    multiple_ppm: int = Field(ge=1, le=1000 * PPM)
    """Rate as a multiple of the volatility of one interval: coverage, and the square root of the horizon."""
    floor_ppm: int = Field(ge=0, le=PPM)
    """Lowest rate; it holds until there are returns."""
    rate_max_ppm: int = Field(default=PPM, ge=1, le=PPM)
    """Highest rate."""
    maintenance_share_ppm: int = Field(default=0, ge=0, le=PPM)
    """Part of the rate that maintenance margin asks for too; 0: only initial margin follows volatility."""

    @model_validator(mode="after")
    def _in_order(self) -> Volatility:
        if self.floor_ppm > self.rate_max_ppm:
            raise ValueError(f"floor_ppm must not be above rate_max_ppm (got {self.floor_ppm} > {self.rate_max_ppm})")
        return self

    def maintenance_max_ppm(self) -> int:
        """Return the highest rate it can ask maintenance margin for."""
        return -(-self.rate_max_ppm * self.maintenance_share_ppm // PPM)
