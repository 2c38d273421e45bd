"""How many lots a forced order closes: the steps of venues that do not close everything at once (R-W20 to R-W25)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import PPM, Rule


class Portion(Rule):
    """A share of the position, but at least a minimum value, and no more than so much of an account (R-W20)."""

    kind: Literal["portion"] = "portion"
    """Tells this step from the others."""
    share_ppm: int = Field(default=100_000, ge=1, le=PPM)
    """Largest part of the position's value in one order."""
    least_quote: int = Field(default=0, ge=0, le=10**12)
    """Positions up to this value go whole, and an order may always be for this value."""
    account_quote: int = Field(default=0, ge=0, le=10**12)
    """Most value of one unit's positions sent in one round; 0 means no limit."""


class Ramp(Rule):
    """A share of the shortage that grows with time, so that a liquidation takes its time (R-W21)."""

    initial_ppm: int = Field(default=100_000, ge=0, le=PPM)
    """Part of the shortage that may be freed at once."""
    duration_s: int = Field(default=60, ge=1, le=86_400)
    """Seconds in which a further 100 % becomes free, evenly."""
    dust_quote: int = Field(default=50, ge=0, le=10**9)
    """Shortages below this are covered at once."""


class Cover(Rule):
    """Just what brings the unit to the level at which liquidation stops, fees of the fill included (R-W21)."""

    kind: Literal["cover"] = "cover"
    """Tells this step from the others."""
    ramp: Ramp | None = None
    """Growing share of the shortage; none covers all of it at once."""


class Ladder(Rule):
    """Down the brackets of the margin table: what does not fit into a lower bracket is closed (R-W22)."""

    kind: Literal["ladder"] = "ladder"
    """Tells this step from the others."""
    cut: Literal["next", "two", "lowest"] = "next"
    """To the bracket below, two brackets down, or straight to the first one."""
    whole_tiers: int = Field(default=1, ge=1, le=100)
    """Positions within the lowest so many brackets are closed whole."""
    fill_or_kill: bool = True
    """Whether an order down the ladder trades completely or not at all."""


class Slices(Rule):
    """A fixed number of lots a round, and so many rounds a second (R-W23)."""

    kind: Literal["slices"] = "slices"
    """Tells this step from the others."""
    lots: int = Field(default=100, ge=1, le=2**30 - 1)
    """Lots of each position sent in one round."""
    rounds: int = Field(default=1, ge=1, le=1000)
    """Rounds in a second; `rounds_max` still bounds those of a step."""


class CloseFactor(Rule):
    """A share of all the unit holds while it has some margin left, all of it once it has not (R-W24)."""

    kind: Literal["close_factor"] = "close_factor"
    """Tells this step from the others."""
    share_ppm: int = Field(default=500_000, ge=1, le=PPM)
    """Share of the value of all positions of the unit that one order may close."""
    whole_below_ppm: int = Field(default=500_000, ge=0, le=PPM)
    """With equity below this multiple of maintenance margin positions are closed whole."""
    whole_quote: int = Field(default=100, ge=0, le=10**12)
    """Units whose positions are worth no more than this are closed whole."""


class Rolling(Rule):
    """At most so many lots of a market are liquidated within any window of time (R-W25)."""

    scale_lots: int = Field(default=1_000_000, ge=1, le=2**40)
    """Lots that stand for the depth of the market (skew scale)."""
    rate_ppm: int = Field(default=1_000, ge=1, le=PPM)
    """Part of the scale that may be liquidated in a second (maker and taker fee together)."""
    multiplier_ppm: int = Field(default=PPM, ge=1, le=1000 * PPM)
    """Factor on top."""
    window_s: int = Field(default=30, ge=1, le=86_400)
    """Length of the window."""

    @property
    def capacity_lots(self) -> int:
        """Return how many lots fit into one window, rounded down, at least 1."""
        return max(1, self.scale_lots * self.rate_ppm * self.multiplier_ppm * self.window_s // PPM**2)


Step = Annotated[Portion | Cover | Ladder | Slices | CloseFactor, Field(discriminator="kind")]
