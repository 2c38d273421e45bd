"""What every cohort is described by: how many traders, how often they wake, how much money they bring."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from .wallet import WalletParameters

Numbers = NDArray[Any]
"""All single numbers of a behaviour as a structured array of one element: what its kernels read."""
Record = Any
"""An element of a structured array: its fields are read, and written, by name."""

# The largest deposit a venue takes is 2^53 atoms (R-O9), a little more than 9 billion quote units.
WEALTH_QUOTE_MAX = 9_000_000_000.0

MAIN = "main"
"""Name of the venue that every scenario has; the rule set of a run is its rule set."""


class CohortParameters(BaseModel):
    """Numbers that describe a cohort; frozen, unknown keys refused. A share is a number from 0 to 1."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, validate_default=True
    )

    count: int = Field(default=0, ge=0, le=10_000_000)
    """Number of traders; 0 takes `share` of the scenario's traders."""
    share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the scenario's traders, where `count` is 0."""
    mean_interval_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    latency_ms: float | None = Field(default=None, ge=0.0, le=3_600_000.0)
    """Shortest time from these traders' decisions to the venue, in milliseconds; none takes the scenario's."""
    jitter_ms: float | None = Field(default=None, ge=0.0, le=3_600_000.0)
    """Up to so much comes on top, equally likely, drawn anew for every waking; none takes the scenario's."""
    wealth_quote_median: float = Field(default=10_000.0, gt=0.0, le=WEALTH_QUOTE_MAX)
    """Median of what a trader deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto", "measured"] = "lognormal"
    """Distribution of it: everybody the median, lognormal, Pareto, or as measured on a venue (`agents/wealth.py`)."""
    wealth_tail: float = Field(default=1.0, gt=0.0, le=100.0)
    """Lognormal: standard deviation of the logarithm. Pareto: exponent, smaller is more unequal. Measured: not used."""
    wealth_ratio_max: float = Field(default=100.0, ge=1.0, le=1e9)
    """Nobody deposits more than this multiple of the median."""
    wealth_draw: Literal["each", "dealt"] = "each"
    """Each trader's drawn on its own; or as many quantiles of the law as there are traders, dealt out in random order:
    a cohort is then as rich, and its money as unequal, under every seed."""
    wealth_traders: int | None = Field(default=None, ge=1, le=10_000_000)
    """Number of traders of the scenario for which `wealth_quote_median` is meant: with more or fewer it is scaled; none
    leaves it."""
    venue: str = MAIN
    """Venue at which the cohort trades, by its name in the scenario."""

    @property
    def venues(self) -> tuple[str, ...]:
        """Names of the venues at which each trader has an account, in the order of `Cohort.accounts`."""
        return (self.venue,)

    wallet: WalletParameters | None = None
    """Money that comes and goes, and the run when trust in the venue is gone; none: what is brought stays."""

    @model_validator(mode="after")
    def _deposits_are_possible(self) -> Self:
        largest = self.wealth_quote_median * self.wealth_ratio_max
        if self.wealth_law != "equal" and largest > WEALTH_QUOTE_MAX:
            raise ValueError(
                f"wealth_quote_median x wealth_ratio_max must be at most {WEALTH_QUOTE_MAX:.0f} (got {largest:.0f})"
            )
        return self

    def scaled(self, traders: int) -> Self:
        """Return these parameters for a scenario of so many traders. Raises ValueError if money gets out of bounds."""
        if self.wealth_traders is None:
            return self
        median = self.wealth_quote_median * traders / self.wealth_traders
        return type(self).model_validate({**dict(self), "wealth_quote_median": median, "wealth_traders": None})

    def record(self) -> Numbers:
        """Return all single numbers as a structured array of one element, fields by name: what kernels read."""
        kinds = {float: np.float64, int: np.int64}
        fields = type(self).model_fields
        single = [(name, kinds[field.annotation]) for name, field in fields.items() if field.annotation in kinds]
        record = np.zeros(1, dtype=single)
        for name, _ in single:
            record[name] = getattr(self, name)
        return record
