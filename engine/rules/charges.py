"""The charges axis: trading fees, the liquidation fee and funding."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import PPB, Rule


class Funding(Rule):
    """Periodic payment between longs and shorts that ties the perpetual to its index (R-F1 to R-F3)."""

    interval_s: int = Field(default=28_800, ge=1)
    """Seconds between payments."""
    period_s: int = Field(default=28_800, ge=1)
    """Seconds the premium formula is quoted for; the payment is the share interval / period of it."""
    interest_ppb: int = Field(default=100_000, ge=-PPB, le=PPB)
    """Interest part per period (0.01 % = 100,000 ppb)."""
    clamp_ppb: int = Field(default=500_000, ge=0, le=PPB)
    """Largest correction of the premium towards the interest part."""
    cap_ppb: int = Field(default=40_000_000, ge=0, le=PPB)
    """Largest rate per payment."""
    notional: Literal["mark", "index"] = "mark"
    """Price at which the position is valued for the payment."""

    def rate_ppb(self, premium_sum_ppb: int, samples: int) -> int:
        """Return the rate of one payment in ppb from the premium samples of the interval (R-F2)."""
        premium = premium_sum_ppb // samples if samples else 0
        correction = max(-self.clamp_ppb, min(self.clamp_ppb, self.interest_ppb - premium))
        rate = (premium + correction) * self.interval_s // self.period_s
        assert abs(correction) <= self.clamp_ppb
        return max(-self.cap_ppb, min(self.cap_ppb, rate))


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
