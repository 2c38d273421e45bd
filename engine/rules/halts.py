"""The halts axis: what the venue forbids, or interrupts, so that prices cannot run away."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from delever.engine.formulas import collar_ticks

from .base import PPM, Rule

YEAR_S = 31_557_600  # 365.25 days
Reopening = Literal["continuous", "auction"]
Mode = Literal["cancel_only", "reduce_only", "auction"]


class Band(NamedTuple):
    """Lowest and highest admissible price, in ticks."""

    low_ticks: int
    high_ticks: int


def band_around(reference_ticks: int, width_ppm: int) -> Band:
    """Return the prices not farther than a width from a reference, rounded inward (R-H10)."""
    low = -(-reference_ticks * (PPM - width_ppm) // PPM)
    high = reference_ticks * (PPM + width_ppm) // PPM
    assert low <= reference_ticks <= high
    return Band(low, high)


class LimitUpDown(Rule):
    """Trades stay in a band around a mean price; a band that is leaned against leads to a pause (R-H11).

    Source: US National Market System plan to address extraordinary volatility (limit up, limit down): 5 % (tier 1) or
    10 % (tier 2) around the mean of five minutes, doubled at open and close, limit state 15 s, pause 5 minutes.
    """

    width_ppm: int = Field(default=50_000, ge=1, lt=PPM)
    """Half width of the band."""
    mean_s: int = Field(default=300, ge=1, le=86_400)
    """Window of the mean of last prices around which the band lies."""
    limit_state_s: int = Field(default=15, ge=0, le=3_600)
    """How long orders may lean against the band before trading is paused."""
    pause_s: int = Field(default=300, ge=1, le=86_400)
    """Length of the pause."""
    reopening: Reopening = "auction"
    """`auction`: orders collect in the pause and uncross at its end; `continuous`: only cancellations in the pause."""
    session_s: int = Field(default=86_400, ge=1)
    """Length of a session; sessions follow each other from the beginning of the run."""
    doubled_first_s: int = Field(default=0, ge=0)
    """The band is twice as wide in so many first seconds of a session."""
    doubled_last_s: int = Field(default=0, ge=0)
    """The band is twice as wide in so many last seconds of a session."""

    @model_validator(mode="after")
    def _within_prices(self) -> LimitUpDown:
        if (self.doubled_first_s or self.doubled_last_s) and 2 * self.width_ppm >= PPM:
            raise ValueError(f"a doubled band must stay below 100 % (got 2 x width_ppm = {2 * self.width_ppm} ppm)")
        return self

    def width_at_ppm(self, time_s: int) -> int:
        """Return the half width of the band at a time since the beginning of the run."""
        of_session = time_s % self.session_s
        doubled = of_session < self.doubled_first_s or of_session >= self.session_s - self.doubled_last_s
        return 2 * self.width_ppm if doubled else self.width_ppm


class DynamicBreaker(Rule):
    """A move of so much within a window pauses trading (R-H12).

    Source: CME Group, equity index futures, dynamic circuit breaker: 3.5 % within 60 minutes, 2 minutes; Coinbase
    Derivatives: 10 % from an hourly reference, 2 minutes, and the limit reached becomes the reference.
    """

    width_ppm: int = Field(default=35_000, ge=1, lt=PPM)
    """Move that pauses trading."""
    window_s: int = Field(default=3_600, ge=1, le=86_400)
    """Window of the move, or time from one reference to the next."""
    reference: Literal["rolling", "interval"] = "rolling"
    """`rolling`: from the lowest or highest last price of the window; `interval`: from the last price at its begin."""
    limit_becomes_reference: bool = False
    """With `interval`: whether the limit that was reached is the reference for the rest of the interval."""
    pause_s: int = Field(default=120, ge=1, le=86_400)
    """Length of the pause."""
    reopening: Reopening = "continuous"
    """`auction`: orders collect in the pause and uncross at its end; `continuous`: only cancellations in the pause."""


class LimitLevel(Rule):
    """One level of a daily limit: how far the price may fall and what happens there."""

    fall_ppm: int = Field(ge=1, lt=PPM)
    """Fall from the session's reference."""
    pause_s: int = Field(ge=0, le=86_400)
    """Length of the pause when the level is reached; 0: trading ends for the session."""


class DailyLimits(Rule):
    """Levels of decline from a session's reference that pause trading, and a hard limit (R-H13).

    Source: CME Group, equity index futures: 7, 13 and 20 % declines in US hours; +-7 % overnight.
    """

    levels: tuple[LimitLevel, ...] = (
        LimitLevel(fall_ppm=70_000, pause_s=900),
        LimitLevel(fall_ppm=130_000, pause_s=900),
        LimitLevel(fall_ppm=200_000, pause_s=0),
    )
    """Declines, smallest first; each is used once a session."""
    hard_ppm: int = Field(default=0, ge=0, lt=PPM)
    """No trade farther than this from the reference, up or down; 0: no hard limit."""
    session_s: int = Field(default=86_400, ge=1)
    """Length of a session; its reference is the last price at its beginning."""
    reopening: Reopening = "continuous"
    """`auction`: orders collect in the pause and uncross at its end; `continuous`: only cancellations in the pause."""

    @model_validator(mode="after")
    def _levels_rise(self) -> DailyLimits:
        falls = [level.fall_ppm for level in self.levels]
        if falls != sorted(set(falls)):
            raise ValueError(f"levels must be ordered by fall_ppm, each once (got {falls})")
        if not falls and not self.hard_ppm:
            raise ValueError("daily limits need at least one level, or a hard_ppm above 0")
        return self


class VolatilityAuction(Rule):
    """An order that would trade outside bounds begins a call auction instead (R-H14).

    The bounds hold a share of all moves over a horizon if prices are log-normal, or are a plain width. Source: Vega
    protocol 0.79, price monitoring (spec 0032-PRIM): horizon, probability, auction with extension.
    """

    horizon_s: int = Field(default=3_600, ge=1, le=200_000)
    """The reference is the last price so long ago (since the last auction, if that was later)."""
    probability_ppm: int = Field(default=990_000, ge=0, lt=PPM)
    """Share of moves over the horizon that lies within the bounds; not used with a width."""
    volatility_ppm: int = Field(default=1_500_000, ge=1, le=100 * PPM)
    """Volatility per square root of a year; not used with a width."""
    width_ppm: int = Field(default=0, ge=0, lt=PPM)
    """Half width of the bounds, instead of probability and volatility; 0: these hold."""
    auction_s: int = Field(default=60, ge=1, le=86_400)
    """Length of the auction."""
    extension_s: int = Field(default=0, ge=0, le=86_400)
    """If the auction would uncross outside the bounds, it goes on for so long, once."""

    def bounds(self, reference_ticks: int) -> Band:
        """Return the bounds around a reference, rounded inward (R-H14)."""
        if self.width_ppm:
            return band_around(reference_ticks, self.width_ppm)
        years = self.horizon_s / YEAR_S
        sigma = self.volatility_ppm / PPM
        reach = NormalDist().inv_cdf((1 + self.probability_ppm / PPM) / 2) * sigma * math.sqrt(years)
        drift = -sigma * sigma / 2 * years
        low = math.ceil(reference_ticks * math.exp(drift - reach))
        high = math.floor(reference_ticks * math.exp(drift + reach))
        return Band(min(low, reference_ticks), max(high, reference_ticks))


class WithdrawalGate(Rule):
    """No withdrawals for some time after an account below zero was seen (R-H15).

    Source: dYdX v4: 50 blocks after a subaccount with negative total net collateral (block of about a second).
    """

    duration_s: int = Field(default=50, ge=1, le=10**6)
    """How long after the last such account withdrawals are refused."""
    below_floor: bool = False
    """Whether a fund below its floor closes the gate too."""


class LiquidationPause(Rule):
    """No liquidation while a market is halted (R-H16)."""

    in_auctions: bool = True
    """Whether auctions count as halts."""


class PositionLimit(Rule):
    """How much one account may hold in a market, beyond the venue's largest order (R-H17)."""

    value_quote: int = Field(default=0, ge=0, le=10**12)
    """Largest value of the exposure at the mark, in quote units; 0: no limit."""
    interest_ppm: int = Field(default=0, ge=0, le=PPM)
    """Largest share of open interest; 0: no limit."""
    supply_ppm: int = Field(default=0, ge=0, le=PPM)
    """Largest share of the circulating supply, which the scenario states; 0: no limit."""
    free_quote: int = Field(default=0, ge=0, le=10**12)
    """Exposures up to this value are free of the limits by share, in quote units."""

    @model_validator(mode="after")
    def _limits_something(self) -> PositionLimit:
        if not self.value_quote and not self.interest_ppm and not self.supply_ppm:
            raise ValueError("a position limit needs value_quote, interest_ppm or supply_ppm above 0")
        return self


class Session(Rule):
    """A time in which the venue does not trade as usual (R-H18)."""

    start_s: int = Field(ge=0)
    """Begin, in seconds since the beginning of the run."""
    length_s: int = Field(ge=1)
    """Length."""
    mode: Mode = "cancel_only"
    """`cancel_only`: orders can only be cancelled; `reduce_only`: positions can only shrink; `auction`: orders collect
    and uncross at the end."""


class Halts(Rule):
    """Price collar around the mark for voluntary orders (R-O8), and what interrupts trading (R-H10 to R-H18)."""

    collar_ppm: int = Field(default=50_000, ge=0, lt=PPM)
    """Largest distance of an order's price from the mark; 0 means no collar."""
    limit_up_down: LimitUpDown | None = None
    """Band around a mean price, with limit state and pause; none: no band."""
    breaker: DynamicBreaker | None = None
    """Pause after a fast move; none: no such pause."""
    daily: DailyLimits | None = None
    """Pauses at levels of decline in a session, and a hard limit; none: no daily limits."""
    volatility_auction: VolatilityAuction | None = None
    """Auction instead of trades outside bounds; none: no such auction."""
    withdrawal_gate: WithdrawalGate | None = None
    """No withdrawals after an account below zero was seen; none: no gate."""
    liquidation_pause: LiquidationPause | None = None
    """No liquidations while a market is halted; none: they go on, off the book if they must."""
    position_limit: PositionLimit | None = None
    """Limit per account and market; none: only contract.lots_max."""
    sessions: tuple[Session, ...] | None = None
    """Times at which trading is restricted; none: the venue is always open."""

    @model_validator(mode="after")
    def _one_band(self) -> Halts:
        if self.limit_up_down is not None and self.volatility_auction is not None:
            raise ValueError(
                "limit_up_down and volatility_auction both say what happens at a bound (a pause after a limit state, "
                "an auction at once): choose one"
            )
        spans = sorted((session.start_s, session.start_s + session.length_s) for session in self.sessions or ())
        for (_, end), (start, _) in pairwise(spans):
            if start < end:
                raise ValueError(f"sessions must not overlap (one begins at {start} s, before another ends at {end} s)")
        return self

    @property
    def active(self) -> bool:
        """Whether the venue has to look after halts in every step."""
        kinds = (self.limit_up_down, self.breaker, self.daily, self.volatility_auction, self.withdrawal_gate)
        return bool(self.sessions) or any(kind is not None for kind in kinds)

    @property
    def holds_auctions(self) -> bool:
        """Whether a halt may be an auction."""
        reopenings = [rule.reopening for rule in (self.limit_up_down, self.breaker, self.daily) if rule is not None]
        in_sessions = any(session.mode == "auction" for session in self.sessions or ())
        return "auction" in reopenings or self.volatility_auction is not None or in_sessions

    def bounds_ticks(self, mark_ticks: int, price_max_ticks: int) -> tuple[int, int]:
        """Return the lowest and highest admissible price in ticks at `mark_ticks` (R-O8)."""
        low, high = collar_ticks(mark_ticks, self.collar_ppm, price_max_ticks)
        assert low <= mark_ticks <= high
        return low, high
