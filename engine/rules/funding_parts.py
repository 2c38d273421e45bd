"""Choices a funding rule may add: each one frozen value, each left out by default."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from delever.engine.averages import PPM, towards_zero

from .base import PPB, Rule
from .mark_parts import Impact

DAY_S = 86_400
NANO = 1_000_000_000


class Premium(Rule):
    """What a premium sample is, and what becomes of the samples of an interval (R-F4, R-F5)."""

    source: Literal["mid", "impact", "mark", "last"] = "mid"
    """Price compared with the index: the mid, the average prices of a cash amount, the mark, or the last trade."""
    impact: Impact | None = None
    """The cash amount of `impact`."""
    median_s: int | None = Field(default=None, ge=1, le=3_600)
    """Seconds of which the median is taken before the mean of the interval, or none for the mean of all samples."""
    every_s: int | None = Field(default=None, ge=1, le=3_600)
    """Seconds between two samples, or none for a sample in every step."""
    interest: Literal["clamped", "added"] = "clamped"
    """Whether the interest part pulls the premium within `clamp_ppb`, or is added to it whole."""

    @model_validator(mode="after")
    def _amount_fits(self) -> Premium:
        if (self.source == "impact") != (self.impact is not None):
            raise ValueError('premium.impact gives the amount of source = "impact": give both or neither')
        if self.median_s is not None and self.every_s is not None:
            raise ValueError("premium.median_s is the median of a sample in every step: leave premium.every_s out")
        return self


class MarginCap(Rule):
    """Largest rate of a period as a multiple of initial less maintenance margin rate, first tier (R-F6)."""

    factor_ppm: int = Field(ge=0, le=2**32 - 1)
    """The multiple, as large as the chain's own number can be. Source: dYdX v4, funding (600 %)."""

    def cap_ppb(self, initial_ppm: int, maintenance_ppm: int) -> int:
        """Return the largest absolute rate of a period in ppb, rounded down."""
        assert initial_ppm >= maintenance_ppm >= 0
        return self.factor_ppm * (initial_ppm - maintenance_ppm) * (PPB // PPM) // PPM


class InterestRates(Rule):
    """The interest part as the difference of two currencies' daily rates (R-F7)."""

    quote_ppb: int = Field(ge=-PPB, le=PPB)
    """Daily rate of the quote currency."""
    base_ppb: int = Field(ge=-PPB, le=PPB)
    """Daily rate of the base currency."""
    intervals: int = Field(default=3, ge=1, le=DAY_S)
    """Periods in a day. Source: BitMEX, perpetual contracts guide."""

    def interest_ppb(self) -> int:
        """Return the interest of a period in ppb, rounded down."""
        return (self.quote_ppb - self.base_ppb) // self.intervals


class Twap(Rule):
    """A payment per unit out of two time-weighted averages, mark and index, instead of a rate (R-F8)."""

    interest_year_ppb: int = Field(default=0, ge=-PPB, le=PPB)
    """Interest of a year of 365 days."""
    low_ppb: int = Field(default=0, ge=-PPB, le=PPB)
    """Lower bound of the correction as a share of the index average."""
    high_ppb: int = Field(default=0, ge=-PPB, le=PPB)
    """Upper bound of it."""

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Twap:
        if self.low_ppb > self.high_ppb:
            raise ValueError(f"low_ppb must not be above high_ppb (got {self.low_ppb} and {self.high_ppb})")
        return self

    def accrued_ppb(self, seconds: int) -> int:
        """Return the interest of so many seconds in ppb, rounded down."""
        return self.interest_year_ppb * seconds // (365 * DAY_S)

    def payment_nanoticks(self, mark_nanoticks: int, index_nanoticks: int, accrued_ppb: int) -> int:
        """Return what a long pays per unit in 10**-9 ticks, from the averages of mark f and index s.

        f - s + clamp((1 + interest) * s - f, low * s, high * s), products rounded down. Source: Vega, perpetuals
        (0053-PERP).
        """
        carry = index_nanoticks + index_nanoticks * accrued_ppb // PPB - mark_nanoticks
        low, high = (index_nanoticks * bound // PPB for bound in (self.low_ppb, self.high_ppb))
        assert low <= high
        return mark_nanoticks - index_nanoticks + max(low, min(high, carry))


class Continuous(Rule):
    """The premium beyond a dead band, without interest; what rounding takes off a rate comes back later (R-F9)."""

    damper_ppb: int = Field(default=500_000, ge=0, le=PPB)
    """A premium within this pays nothing, beyond it the excess. Source: Deribit, perpetuals (0.025 % from memory)."""

    def damped_ppb(self, premium_ppb: int) -> int:
        """Return max(damper, premium) + min(-damper, premium)."""
        return max(self.damper_ppb, premium_ppb) + min(-self.damper_ppb, premium_ppb)


class Velocity(Rule):
    """A rate that rises while the traders are long and falls while they are short (R-F10)."""

    skew_scale_lots: int = Field(ge=1, le=2**53)
    """Skew at which the rate moves fastest; skew: the traders' lots without the fund's and the backstop accounts'."""
    velocity_ppb: int = Field(ge=0, le=1_000 * PPB)
    """Change of the daily rate in a day at full skew. Source: Synthetix v3, perps market (maxFundingVelocity)."""

    def change_ppb(self, skew_lots: int, seconds: int) -> int:
        """Return the change of the daily rate over so many seconds in ppb, without its fraction."""
        skew = max(-self.skew_scale_lots, min(self.skew_scale_lots, skew_lots))
        return towards_zero(skew * self.velocity_ppb * seconds, self.skew_scale_lots * DAY_S)


class CumulativeIndex(Rule):
    """Funding per lot kept as a sum whose steps lose their fraction towards zero (R-F11)."""

    decimals: int = Field(default=6, ge=0, le=9)
    """The sum counts in 10**-decimals atoms per lot. Source: dYdX v4, GetFundingIndexDelta."""

    def delta(self, rate_ppb: int, price_ticks: int, multiplier_atoms: int, seconds: int, period_s: int) -> int:
        """Return the step of the sum for a rate per period over so many seconds, at a price."""
        value = rate_ppb * seconds * price_ticks * multiplier_atoms * 10**self.decimals
        return towards_zero(value, period_s * PPB)


def index_settlement(index_now: int, index_before: int, lots: int) -> int:
    """Return what a position gets in units of the cumulative index, negative if it pays (R-F11)."""
    return -(index_now - index_before) * lots
