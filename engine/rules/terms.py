"""On what terms a position is closed by force: thresholds, order prices, surplus, keepers, takeover (R-W26-R-W33)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import ATOMS_PER_QUOTE, PPM, Rule


class Fillable(Rule):
    """A limit that moves away from the mark as the unit's margin runs out (R-W26)."""

    kind: Literal["fillable"] = "fillable"
    """Tells this limit from the others."""
    adjustment_ppm: int = Field(default=PPM, ge=0, le=2**32 - 1)
    """Factor on the missing part of maintenance margin (bankruptcy adjustment)."""
    spread_ppm: int = Field(default=1_500_000, ge=0, le=100 * PPM)
    """Largest distance from the mark, as a multiple of the position's maintenance margin."""


class Band(Rule):
    """A limit at a fixed distance from the mark or the index (R-W27)."""

    kind: Literal["band"] = "band"
    """Tells this limit from the others."""
    around: Literal["mark", "index"] = "index"
    """Price the distance is counted from."""
    range_ppm: int = Field(default=10_000, ge=0, lt=PPM)
    """Distance: below the price for sells, above it for buys."""


Limit = Annotated[Fillable | Band, Field(discriminator="kind")]


class Levels(Rule):
    """Where liquidation starts and where it stops, if that is not maintenance margin (R-W28)."""

    start_ppm: int = Field(default=PPM, ge=1, le=10 * PPM)
    """Liquidation starts when equity is below this multiple of maintenance margin."""
    stop_ppm: int = Field(default=PPM, ge=1, le=10 * PPM)
    """Once started it stops when equity has reached this multiple of maintenance margin, and the buffer."""
    buffer_ppm: int = Field(default=0, ge=0, le=PPM)
    """Part of the value of all positions of the unit that has to be there beside it."""

    @model_validator(mode="after")
    def _stops_above_start(self) -> Levels:
        if self.stop_ppm < self.start_ppm:
            raise ValueError(
                f"stop_ppm must not be below start_ppm, or liquidation would stop before it starts "
                f"(got {self.stop_ppm} < {self.start_ppm})"
            )
        return self


class Refusal(Rule):
    """A fill is not made, and the order ends, if the fund could not pay all that it lacks (R-W37). Source: dYdX v4."""

    lost_quote: int = Field(default=0, ge=0, le=10**12)
    """Most the fund pays for the fills of one unit in a round; 0 means no limit but what it has."""

    @property
    def lost_atoms(self) -> int:
        return self.lost_quote * ATOMS_PER_QUOTE


class Surplus(Rule):
    """Who gets what a forced fill brings beyond the bankruptcy price, and who bears what it lacks (R-W29)."""

    to: Literal["fund", "vault"] = "fund"
    """The insurance fund, or the first backstop account (the fund if there is none)."""
    cap_ppm: int | None = Field(default=None, ge=0, le=PPM)
    """At most this part of the fill's value is taken, the trader keeps the rest; none takes all."""
    covers: bool = True
    """Whether the fund pays at once what a fill below the bankruptcy price lacks."""
    refusal: Refusal | None = None
    """Which fills are not made because they would cost the fund too much; none: all are made."""

    @model_validator(mode="after")
    def _refuses_what_it_would_pay(self) -> Surplus:
        if self.refusal is not None and not self.covers:
            raise ValueError("refusal needs covers = true: it is about what the fund would have to pay for")
        return self


class Rise(Rule):
    """A bonus that grows while nobody comes (R-W30)."""

    grace_s: int = Field(default=0, ge=0, le=10**6)
    """So long after distress began the bonus stays as it is."""
    each_second_ppm: int = Field(default=1, ge=0, le=PPM)
    """Rise a second, counted from the beginning of distress."""
    highest_ppm: int = Field(default=50_000, ge=0, lt=PPM)
    """Largest bonus."""


class FundFee(Rule):
    """What the fund gets of each position that a keeper takes (R-W31)."""

    highest_ppm: int = Field(default=10_000, ge=0, lt=PPM)
    """Fee as a part of the value, or with `rest_ppm` its upper bound."""
    rest_ppm: int | None = Field(default=None, ge=0, le=PPM)
    """If given, the fee is this part of the margin rate that bonus and shortage leave, up to the bound."""


class Keepers(Rule):
    """Third-party liquidators: backstop accounts that take what the step names, for a bonus (R-W30, R-W31)."""

    around: Literal["mark", "index"] = "index"
    """Price at which they take lots before the bonus."""
    bonus_ppm: int = Field(default=10_000, ge=0, lt=PPM)
    """Part of the value that the liquidated unit pays the keeper."""
    rise: Rise | None = None
    """Growth of the bonus with time; none keeps it as it is."""
    fund_fee: FundFee | None = None
    """What the fund gets beside it; none for nothing."""

    @model_validator(mode="after")
    def _rises(self) -> Keepers:
        if self.rise is not None and self.rise.highest_ppm < self.bonus_ppm:
            raise ValueError(
                f"rise.highest_ppm must not be below bonus_ppm (got {self.rise.highest_ppm} < {self.bonus_ppm})"
            )
        return self


class Takeover(Rule):
    """Terms on which the fund or a backstop takes whole positions (R-W32)."""

    price: Literal["bankruptcy", "mark"] = "bankruptcy"
    """Price of the transfer; at the mark, what is left of the margin is the taker's profit."""
    unlimited: bool = False
    """Whether the fund takes whatever it is offered, however little it has (a network that has no choice)."""
    backstops: Literal["covered", "solvent"] = "covered"
    """A backstop takes what its free collateral covers; `solvent`: anything that costs it nothing at the mark, while
    its own equity is not below zero."""


class Cancel(Rule):
    """Which orders of a distressed unit are cancelled before anything is closed (R-W33)."""

    orders: Literal["none", "market", "worst_first"] = "worst_first"
    """`none`; `market`: those in markets with a position; `worst_first`: the largest first, as long as it is needed."""
