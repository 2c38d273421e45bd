"""The charges axis: trading fees, the liquidation fee and funding."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from delever.engine.formulas import RATE_MAX_PPB

from .base import PPB, Rule
from .funding_parts import (
    Continuous,
    CumulativeIndex,
    InterestRates,
    MarginCap,
    Premium,
    Twap,
    Velocity,
)


class Funding(Rule):
    """Periodic payment between longs and shorts that ties the perpetual to its index (R-F1 to R-F11)."""

    interval_s: int = Field(default=28_800, ge=1)
    """Seconds between payments."""
    period_s: int = Field(default=28_800, ge=1)
    """Seconds the premium formula is quoted for; the payment is the share interval / period of it."""
    interest_ppb: int = Field(default=100_000, ge=-PPB, le=PPB)
    """Interest part per period (0.01 % = 100,000 ppb)."""
    clamp_ppb: int = Field(default=500_000, ge=0, le=PPB)
    """Largest correction of the premium towards the interest part."""
    cap_ppb: int = Field(default=40_000_000, ge=0, le=RATE_MAX_PPB)
    """Largest rate per payment."""
    notional: Literal["mark", "index"] = "mark"
    """Price at which the position is valued for the payment."""
    premium: Premium | None = None
    """What a premium sample is; none: mid over index, the mean of all samples."""
    margin_cap: MarginCap | None = None
    """Largest rate per period out of the margin rates, beside `cap_ppb`; none: no such cap."""
    interest_rates: InterestRates | None = None
    """Two rates whose difference takes the place of `interest_ppb`; none: it stands."""
    cumulative: CumulativeIndex | None = None
    """A sum per lot by which positions are settled; none: each payment is a rate of the position's value."""
    continuous: Continuous | None = None
    """A dead band in place of interest and clamp; none: these hold."""
    velocity: Velocity | None = None
    """A rate that moves with the skew in place of the premium; none: the premium makes it."""
    twap: Twap | None = None
    """A payment per unit in place of a rate; none: a rate."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Funding:
        named = ("premium", "margin_cap", "interest_rates", "cumulative", "continuous", "velocity", "twap")
        given = [name for name in named if getattr(self, name) is not None]
        without = {
            "twap": ("premium", "margin_cap", "interest_rates", "cumulative", "continuous", "velocity"),
            "velocity": ("premium", "margin_cap", "interest_rates", "cumulative", "continuous"),
            "continuous": ("interest_rates", "cumulative"),
        }
        for chosen, others in without.items():
            for other in others:
                if chosen in given and other in given:
                    raise ValueError(f"{chosen} is a formula of its own: {other} has no place in it; leave one out")
        median_s = self.premium.median_s if self.premium is not None else None
        if median_s is not None and self.interval_s % median_s:
            raise ValueError(
                f"interval_s must be a multiple of premium.median_s (got {self.interval_s} and {median_s})"
            )
        return self

    @property
    def has_own_samples(self) -> bool:
        """Whether the plain premium sample (R-F1) is not the one that counts."""
        return self.premium is not None or self.twap is not None

    def period_rate_ppb(self, premium_ppb: int, cap_ppb: int | None = None) -> int:
        """Return the rate of a period in ppb for an average premium, within the cap, if any (R-F2, R-F5 to R-F9)."""
        interest = self.interest_ppb if self.interest_rates is None else self.interest_rates.interest_ppb()
        if self.continuous is not None:
            rate = self.continuous.damped_ppb(premium_ppb)
        elif self.premium is not None and self.premium.interest == "added":
            rate = premium_ppb + interest
        else:
            rate = premium_ppb + max(-self.clamp_ppb, min(self.clamp_ppb, interest - premium_ppb))
        return rate if cap_ppb is None else max(-cap_ppb, min(cap_ppb, rate))

    def rate_ppb(self, premium_sum_ppb: int, samples: int, cap_ppb: int | None = None) -> int:
        """Return the rate of one payment in ppb from the premium samples of the interval (R-F2).

        `cap_ppb` is that of a period (R-F6).
        """
        rate, _ = self.share_ppb(self.period_rate_ppb(premium_sum_ppb // samples if samples else 0, cap_ppb), 0)
        return rate

    def share_ppb(self, period_rate_ppb: int, rest: int) -> tuple[int, int]:
        """Return the rate of one payment in ppb and what its rounding leaves, from that of a period (R-F2, R-F9)."""
        rate, left = divmod(period_rate_ppb * self.interval_s + rest, self.period_s)
        capped = max(-self.cap_ppb, min(self.cap_ppb, rate))
        assert abs(capped) <= self.cap_ppb
        return capped, left if capped == rate else 0


class Charges(Rule):
    """Fees in ppm of the traded value, and funding (R-M6, R-W7, R-F)."""

    maker_ppm: int = Field(default=200, ge=-10_000, le=100_000)
    """Fee of a resting order that trades; negative is a rebate."""
    taker_ppm: int = Field(default=500, ge=0, le=100_000)
    """Fee of an order that trades on arrival."""
    liquidation_ppm: int = Field(default=0, ge=0, le=500_000)
    """Fee of forced orders, paid to the insurance fund out of what margin is left."""
    funding: Funding | None = Funding()
    """Funding, or none for a dated contract or a test."""

    @model_validator(mode="after")
    def _venue_does_not_pay_for_trading(self) -> Charges:
        if self.maker_ppm + self.taker_ppm < 0:
            raise ValueError(f"maker_ppm + taker_ppm must not be negative (got {self.maker_ppm} + {self.taker_ppm})")
        return self
