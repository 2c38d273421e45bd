"""Margin schedules beside brackets: how the rates of a market follow from the size and side of a position."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from .base import ATOMS_PER_QUOTE, PPM, Rule

LOTS_MAX = 2**30
SLOPE_LOTS_MIN = 4
SLOPE_MAX_PPM = 100 * PPM


class _TwoRates(Rule):
    """An initial and a maintenance rate, the second not above the first."""

    initial_ppm: int = Field(ge=1, le=PPM)
    """Initial margin rate."""
    maintenance_ppm: int = Field(ge=0, le=PPM)
    """Maintenance margin rate; not above the initial rate."""

    @model_validator(mode="after")
    def _maintenance_below_initial(self) -> _TwoRates:
        check_rates(self.initial_ppm, self.maintenance_ppm)
        return self


class Tier(Rule):
    """One bracket of position value: from its floor upwards these rates hold (R-A1)."""

    floor_quote: int = Field(ge=0, le=10**12)
    """Smallest position value of the bracket, in quote units."""
    initial_ppm: int = Field(ge=1, le=PPM)
    """Initial margin rate = 1 / largest leverage."""
    maintenance_ppm: int = Field(ge=1, le=PPM)
    """Maintenance margin rate; not above the initial rate."""

    @model_validator(mode="after")
    def _maintenance_below_initial(self) -> Tier:
        check_rates(self.initial_ppm, self.maintenance_ppm)
        return self


class PublishedTier(Tier):
    """One bracket of position value with the deduction that the venue publishes for it (R-A27)."""

    deduction_atoms: int = Field(ge=0, le=10**18)
    """Maintenance amount, taken off the requirement."""


class LotStep(_TwoRates):
    """One step of position size: from its floor upwards these rates hold for the whole position (R-A21)."""

    floor_lots: int = Field(ge=0, le=LOTS_MAX)
    """Smallest size of the step."""


class Flat(_TwoRates):
    """The same rates for every position (R-A20)."""

    kind: Literal["flat"] = "flat"
    """Name of the schedule."""


class Bracketed(Rule):
    """Brackets by value with published deductions, where they are not those of R-A1 (R-A27)."""

    kind: Literal["bracketed"] = "bracketed"
    """Name of the schedule."""
    tiers: tuple[PublishedTier, ...]
    """Brackets by position value, the first from 0."""

    @model_validator(mode="after")
    def _sound(self) -> Bracketed:
        check_tiers(self.tiers)
        before: PublishedTier | None = None
        for tier in self.tiers:
            joined = self.joined_atoms(before, tier)
            if before is not None and tier.deduction_atoms > joined:
                raise ValueError(
                    f"deduction_atoms of floor_quote {tier.floor_quote} must be at most {joined}, or the requirement "
                    f"would fall as the position grows (got {tier.deduction_atoms})"
                )
            before = tier
        return self

    @staticmethod
    def joined_atoms(before: PublishedTier | None, tier: PublishedTier) -> int:
        """Return the deduction with which a bracket joins the one before it; of the first, its own."""
        if before is None:
            return tier.deduction_atoms
        rise = tier.maintenance_ppm - before.maintenance_ppm
        return before.deduction_atoms + tier.floor_quote * ATOMS_PER_QUOTE * rise // PPM

    @classmethod
    def by_leverage(cls, *brackets: tuple[int, int]) -> Bracketed:
        """Return brackets from (floor in quote units, largest leverage): maintenance is half of initial margin.

        Deductions are those of the exact rates, rates are rounded up to ppm (R-A27). Source: Hyperliquid, margin tiers.
        """
        tiers: list[PublishedTier] = []
        exact = Fraction(0)
        for i, (floor, leverage) in enumerate(brackets):
            if i > 0:
                exact += floor * ATOMS_PER_QUOTE * (Fraction(1, 2 * leverage) - Fraction(1, 2 * brackets[i - 1][1]))
            initial, maintenance = -(-PPM // leverage), -(-PPM // (2 * leverage))
            tier = PublishedTier(floor_quote=floor, initial_ppm=initial, maintenance_ppm=maintenance, deduction_atoms=0)
            joined = cls.joined_atoms(tiers[-1] if tiers else None, tier)
            tiers.append(tier.model_copy(update={"deduction_atoms": min(int(exact), joined)}))
        return cls(tiers=tuple(tiers))

    def jumps(self) -> bool:
        """Say whether the requirement jumps anywhere, because a deduction is below the one that joins."""
        rows = zip((None, *self.tiers), self.tiers, strict=False)
        return any(tier.deduction_atoms != self.joined_atoms(before, tier) for before, tier in rows)


class Stepped(Rule):
    """The rates of the step into which the value of a position falls hold for all of it, without deduction (R-A21)."""

    kind: Literal["stepped"] = "stepped"
    """Name of the schedule."""
    steps: tuple[Tier, ...]
    """Steps by position value, the first from 0."""

    @model_validator(mode="after")
    def _sound(self) -> Stepped:
        check_tiers(self.steps, "steps")
        return self


class SteppedLots(Rule):
    """The rates of the step into which the lots of a position fall hold for all of it, without deduction (R-A21)."""

    kind: Literal["stepped_lots"] = "stepped_lots"
    """Name of the schedule."""
    steps: tuple[LotStep, ...]
    """Steps by number of lots, the first from 0."""

    @model_validator(mode="after")
    def _sound(self) -> SteppedLots:
        if not self.steps or self.steps[0].floor_lots != 0:
            raise ValueError("at least one step is needed, the first with floor_lots = 0")
        for lower, upper in pairwise(self.steps):
            if upper.floor_lots <= lower.floor_lots:
                raise ValueError(f"floor_lots must rise (got {upper.floor_lots} after {lower.floor_lots})")
            if upper.maintenance_ppm < lower.maintenance_ppm or upper.initial_ppm < lower.initial_ppm:
                raise ValueError(f"rates must not fall from step to step (at floor_lots {upper.floor_lots})")
        return self


class Affine(_TwoRates):
    """Rates that rise by the same amount with every lot, as on Deribit (R-A22)."""

    kind: Literal["affine"] = "affine"
    """Name of the schedule."""
    slope_ppm: int = Field(ge=0, le=SLOPE_MAX_PPM)
    """What `slope_lots` add to both rates."""
    slope_lots: int = Field(ge=1, le=LOTS_MAX)
    """Lots that add `slope_ppm`: of a contract on one coin, the lots of one coin."""
    rate_max_ppm: int = Field(default=PPM, ge=1, le=PPM)
    """Highest rate, whatever the size."""

    @model_validator(mode="after")
    def _below_the_highest(self) -> Affine:
        check_rate_max(self.initial_ppm, self.rate_max_ppm)
        return self


class SquareRoot(_TwoRates):
    """Rates that rise with the square root of the size once that passes the base rate, as on Drift (R-A23)."""

    kind: Literal["square_root"] = "square_root"
    """Name of the schedule."""
    share_ppm: int = Field(default=800_000, ge=0, le=PPM)
    """Part of the base rate to which the size premium is added."""
    slope_ppm: int = Field(ge=0, le=SLOPE_MAX_PPM)
    """Size premium at a size of `slope_lots`; at four times the size it is twice as high."""
    slope_lots: int = Field(ge=SLOPE_LOTS_MIN, le=LOTS_MAX)
    """Lots at which the premium is `slope_ppm`: of a contract on one coin, the lots of one coin."""
    rate_max_ppm: int = Field(default=PPM, ge=1, le=PPM)
    """Highest rate, whatever the size."""

    @model_validator(mode="after")
    def _below_the_highest(self) -> SquareRoot:
        check_rate_max(self.initial_ppm, self.rate_max_ppm)
        return self


class SkewScaled(Rule):
    """Initial rate in proportion to the size as a share of the market's skew scale, as on Synthetix (R-A24)."""

    kind: Literal["skew_scaled"] = "skew_scaled"
    """Name of the schedule."""
    initial_ppm: int = Field(ge=0, le=PPM)
    """Initial rate of the smallest position."""
    slope_ppm: int = Field(ge=0, le=SLOPE_MAX_PPM)
    """What a size of the whole skew scale adds to the initial rate."""
    slope_lots: int = Field(ge=1, le=LOTS_MAX)
    """Skew scale."""
    maintenance_scale_ppm: int = Field(ge=0, le=PPM)
    """Maintenance margin as a part of initial margin."""
    minimum_atoms: int = Field(default=0, ge=0, le=10**15)
    """Margin that every position needs besides, initial and maintenance."""
    rate_max_ppm: int = Field(default=PPM, ge=1, le=PPM)
    """Highest rate, whatever the size."""

    @model_validator(mode="after")
    def _sound(self) -> SkewScaled:
        check_rate_max(self.initial_ppm, self.rate_max_ppm)
        if self.initial_ppm == 0 and self.slope_ppm == 0:
            raise ValueError("initial_ppm or slope_ppm must be above 0, or nothing but the minimum would be asked for")
        return self


class Weights(Rule):
    """Asset and liability weights: a long counts for less than its value, a short for more, as on Mango (R-A25)."""

    kind: Literal["weights"] = "weights"
    """Name of the schedule."""
    initial_asset_ppm: int = Field(ge=0, lt=PPM)
    """What a long is worth when something is opened; initial rate = 1 less it."""
    maintenance_asset_ppm: int = Field(ge=0, le=PPM)
    """What a long is worth in the check of maintenance."""
    initial_liability_ppm: int = Field(gt=PPM, le=2 * PPM)
    """What a short owes when something is opened; initial rate = it less 1."""
    maintenance_liability_ppm: int = Field(ge=PPM, le=2 * PPM)
    """What a short owes in the check of maintenance."""

    @model_validator(mode="after")
    def _maintenance_asks_less(self) -> Weights:
        if self.maintenance_asset_ppm < self.initial_asset_ppm:
            raise ValueError(
                "maintenance_asset_ppm must not be below initial_asset_ppm "
                f"(got {self.maintenance_asset_ppm} < {self.initial_asset_ppm})"
            )
        if self.maintenance_liability_ppm > self.initial_liability_ppm:
            raise ValueError(
                "maintenance_liability_ppm must not be above initial_liability_ppm "
                f"(got {self.maintenance_liability_ppm} > {self.initial_liability_ppm})"
            )
        return self


class Model(Rule):
    """Risk factor of the side plus slippage, and a part of the funding that is owed, as on Vega (R-A26)."""

    kind: Literal["model"] = "model"
    """Name of the schedule."""
    long_ppm: int = Field(ge=0, le=PPM)
    """Risk factor of longs."""
    short_ppm: int = Field(ge=0, le=PPM)
    """Risk factor of shorts."""
    slippage_ppm: int = Field(ge=0, le=PPM)
    """Loss by closing out, as a part of the value."""
    initial_scale_ppm: int = Field(ge=PPM, le=10 * PPM)
    """Initial margin as a multiple of maintenance margin, rounded down."""
    funding_share_ppm: int = Field(default=0, ge=0, le=PPM)
    """Part of the funding a position would pay now that is added to its maintenance margin."""

    @model_validator(mode="after")
    def _at_most_the_value(self) -> Model:
        highest = max(self.long_ppm, self.short_ppm) + self.slippage_ppm
        if not 0 < highest <= PPM:
            raise ValueError(f"risk factor plus slippage_ppm must be 1 to {PPM} (got {highest})")
        return self


Schedule: TypeAlias = Annotated[
    Flat | Bracketed | Stepped | SteppedLots | Affine | SquareRoot | SkewScaled | Weights | Model,
    Field(discriminator="kind"),
]


def check_rates(initial_ppm: int, maintenance_ppm: int) -> None:
    """Raise ValueError if maintenance margin would ask for more than initial margin."""
    if maintenance_ppm > initial_ppm:
        raise ValueError(f"maintenance_ppm must not be above initial_ppm (got {maintenance_ppm} > {initial_ppm})")


def check_rate_max(initial_ppm: int, rate_max_ppm: int) -> None:
    """Raise ValueError if the smallest position already needs more than the highest rate."""
    if initial_ppm > rate_max_ppm:
        raise ValueError(f"initial_ppm must not be above rate_max_ppm (got {initial_ppm} > {rate_max_ppm})")


def check_tiers(tiers: Sequence[Tier], name: str = "tiers") -> None:
    """Raise ValueError unless brackets start at 0, do not overlap and have rising rates."""
    if not tiers:
        raise ValueError(f"at least one {name[:-1]} is needed, the first with floor_quote = 0")
    if tiers[0].floor_quote != 0:
        raise ValueError(f"the first {name[:-1]} must start at floor_quote = 0 (got {tiers[0].floor_quote})")
    for lower, upper in pairwise(tiers):
        if upper.floor_quote <= lower.floor_quote:
            raise ValueError(
                f"{name} overlap: floor_quote {upper.floor_quote} follows {lower.floor_quote}; floors must rise"
            )
        if upper.maintenance_ppm < lower.maintenance_ppm or upper.initial_ppm < lower.initial_ppm:
            raise ValueError(
                f"rates must not fall from {name[:-1]} to {name[:-1]} (at floor_quote {upper.floor_quote})"
            )


def highest_maintenance_ppm(schedule: Schedule) -> int:
    """Return the highest maintenance rate of a schedule, whatever the size of the position."""
    if isinstance(schedule, Bracketed):
        return schedule.tiers[-1].maintenance_ppm
    if isinstance(schedule, Stepped | SteppedLots):
        return schedule.steps[-1].maintenance_ppm
    if isinstance(schedule, Affine | SquareRoot):
        return schedule.rate_max_ppm
    if isinstance(schedule, SkewScaled):
        return -(-schedule.rate_max_ppm * schedule.maintenance_scale_ppm // PPM)
    if isinstance(schedule, Weights):
        return max(PPM - schedule.maintenance_asset_ppm, schedule.maintenance_liability_ppm - PPM)
    if isinstance(schedule, Model):
        # what is owed counts up to the value of the position
        return max(schedule.long_ppm, schedule.short_ppm) + schedule.slippage_ppm + schedule.funding_share_ppm
    return schedule.maintenance_ppm
