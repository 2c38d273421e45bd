"""The margin axis: how much collateral a position needs at the start and to stay alive."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .add_ons import Concentration, OpenInterestScaling, SkewScaling, Volatility
from .base import ATOMS_PER_QUOTE, PPM, Rule
from .collateral import Collateral
from .pockets import Pockets, SearchPockets
from .schedules import Schedule, Tier, check_tiers, highest_maintenance_ppm

__all__ = ["ClosingFee", "Margin", "Tier", "Valuation"]


class Valuation(Rule):
    """Price at which a position is valued for its maintenance margin (R-A28)."""

    price: Literal["mark", "entry"]
    """The mark, or the average entry: then the requirement does not move with the price."""


class ClosingFee(Rule):
    """Fee of closing the position, asked for as part of maintenance margin (R-A29)."""

    rate_ppm: int = Field(ge=0, le=100_000)
    """Rate of the fee, usually that of a taker."""
    price: Literal["mark", "bankruptcy"]
    """Price at which the close is thought to happen."""


class Margin(Rule):
    """Initial and maintenance margin: brackets or another schedule, add-ons, cross or isolated (R-A)."""

    tiers: tuple[Tier, ...] = (Tier(floor_quote=0, initial_ppm=50_000, maintenance_ppm=25_000),)
    """Brackets of every market that has none of its own."""
    markets: dict[str, tuple[Tier, ...]] = {}
    """Brackets by market symbol."""
    leverage_max: int = Field(default=0, ge=0, le=1000)
    """Venue-wide largest leverage; 0 leaves the tiers as they are."""
    mode: Literal["cross", "isolated"] = "cross"
    """Mode in which every account starts."""
    isolated_allowed: bool = True
    """Whether a trader may choose isolated margin for a market."""
    call_ppm: int = Field(default=0, ge=0, le=100 * PPM)
    """Margin-call level as a multiple of maintenance margin (1.5 = 1,500,000 ppm); 0 sends no notices."""
    pockets: Pockets | None = None
    """How margin gets into and out of a pocket besides fills: strict, search; none leaves it to the trader."""
    schedule: Schedule | None = None
    """Schedule of every market that has neither one nor brackets of its own; none: `tiers`."""
    schedules: dict[str, Schedule] | None = None
    """Schedules by market symbol; they stand before `markets`."""
    valuation: Valuation | None = None
    """What maintenance margin is worked out from; none: the mark."""
    closing_fee: ClosingFee | None = None
    """Closing fee inside maintenance margin; none: no such fee."""
    open_interest: OpenInterestScaling | None = None
    """Initial margin that grows with the market's open interest; none: it does not."""
    skew: SkewScaling | None = None
    """Initial margin that grows with size or imbalance; none: it does not."""
    concentration: Concentration | None = None
    """Initial margin that grows with the share of open interest; none: it does not."""
    volatility: Volatility | None = None
    """Margin that follows volatility; none: it does not."""
    collateral: Collateral | None = None
    """Assets besides money that count as margin of cross units; none takes money only."""

    @model_validator(mode="after")
    def _closing_fee_of_what_stays(self) -> Margin:
        at_bankruptcy = self.closing_fee is not None and self.closing_fee.price == "bankruptcy"
        if at_bankruptcy and isinstance(self.pockets, SearchPockets):
            raise ValueError(
                "closing_fee.price = 'bankruptcy' means nothing with pockets.kind = 'search': a pocket that is filled "
                "again is not bankrupt when its balance is used up; closing_fee.price = 'mark' does"
            )
        return self

    @model_validator(mode="after")
    def _sound(self) -> Margin:
        for name, tiers in {"tiers": self.tiers, **self.markets}.items():
            try:
                check_tiers(tiers)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        if 0 < self.call_ppm <= PPM:
            raise ValueError(f"call_ppm must be above maintenance, i.e. above {PPM} (got {self.call_ppm})")
        steepest = self.highest_maintenance_ppm()
        if self.call_ppm * steepest > PPM * PPM:
            raise ValueError(
                f"call_ppm times the highest maintenance_ppm must not exceed the position's value: at most "
                f"{PPM * PPM // steepest} (got {self.call_ppm})"
            )
        if self.mode == "isolated" and not self.isolated_allowed:
            raise ValueError("mode = 'isolated' needs isolated_allowed = true")
        if self.pockets is not None and not self.isolated_allowed:
            raise ValueError("pockets needs isolated_allowed = true: without isolated margin there are no pockets")
        if isinstance(self.pockets, SearchPockets) and self.mode != "isolated":
            raise ValueError(
                "pockets.kind = 'search' needs mode = 'isolated': every position has a pocket, "
                f"and the cross unit is the general account behind them (got mode = {self.mode!r})"
            )
        return self

    def highest_maintenance_ppm(self) -> int:
        """Return the highest rate at which maintenance margin can grow with the value of a position."""
        rates = [tier.maintenance_ppm for tiers in (self.tiers, *self.markets.values()) for tier in tiers]
        schedules = [*(self.schedules or {}).values(), *([self.schedule] if self.schedule else [])]
        rates += [highest_maintenance_ppm(schedule) for schedule in schedules]
        if self.volatility is not None:
            rates.append(self.volatility.maintenance_max_ppm())
        return max(rates) + (self.closing_fee.rate_ppm if self.closing_fee else 0)

    def schedule_of(self, symbol: str) -> Schedule | None:
        """Return the schedule that holds in a market; None: its brackets do."""
        own = (self.schedules or {}).get(symbol)
        return own if own is not None or symbol in self.markets else self.schedule

    def table(self, symbol: str) -> list[tuple[int, int, int, int]]:
        """Return rows (floor_atoms, initial_ppm, maintenance_ppm, deduction_atoms) of a market's brackets (R-A1)."""
        rows: list[tuple[int, int, int, int]] = []
        deduction, before = 0, 0
        for tier in self.markets.get(symbol, self.tiers):
            floor = tier.floor_quote * ATOMS_PER_QUOTE
            deduction += floor * (tier.maintenance_ppm - before) // PPM
            assert deduction >= 0
            before = tier.maintenance_ppm
            rows.append((floor, max(self.least_ppm(), tier.initial_ppm), tier.maintenance_ppm, deduction))
        return rows

    def least_ppm(self) -> int:
        """Return the initial rate that `leverage_max` asks for at least (R-A3)."""
        return -(-PPM // self.leverage_max) if self.leverage_max else 1
