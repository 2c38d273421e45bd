"""Index prices: where they come from (a file, a table, a process) and the shocks laid over them.

Every kind is a frozen value with `ticks(...)`, and a pure function of it, the seed and the market. All draws
are keyed by step, so that a longer run of the same seed begins with the same prices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import accumulate
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from delever.agents.draws import Stream, exponential, normal
from delever.agents.elementary import exp, log

from .bridge import bridge_prices
from .price_files import PriceFileError, Prices, load_table, read_prices, table_names, time_text

__all__ = [
    "ConstantIndex",
    "FileIndex",
    "GbmIndex",
    "IndexPath",
    "InstantShock",
    "JumpDiffusionIndex",
    "MeanRevertingIndex",
    "PriceFileError",
    "Prices",
    "RampShock",
    "Shock",
    "TableIndex",
    "load_table",
    "read_prices",
    "table_names",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DAY_S = 86_400.0
YEAR_S = 365.0 * DAY_S
ROOT_YEAR = float(np.sqrt(YEAR_S))  # a volatility per root of a second is the annual one over this
TICKS_MAX = 2**53  # up to here a float64 holds every integer

Positive = Annotated[float, Field(gt=0.0, le=1e15)]
NotNegative = Annotated[float, Field(ge=0.0, le=1e15)]
LogRate = Annotated[float, Field(ge=-100.0, le=100.0)]
Volatility = Annotated[float, Field(ge=0.0, le=100.0)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class _Shock(_Value, ABC):
    at_s: NotNegative
    """Seconds after the start of the run."""
    size: Annotated[float, Field(gt=-1.0, le=10.0)]
    """Change of the price as a share of it: -0.2 is a fall by 20 %."""
    recovery_s: Positive | None = None
    """Seconds in which the part still to recover shrinks to 1/e of itself, or none for a shock that stays."""
    recovery_share: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    """Share of the shock that recovers in the end."""

    @property
    @abstractmethod
    def end_s(self) -> float:
        """Time at which the shock is complete and begins to recover."""

    def factor(self, time_s: Floats) -> Floats:
        """Return what the price is multiplied with at each time, in the shape of `time_s`."""
        left: Floats = np.ones_like(time_s)
        if self.recovery_s is not None:
            since = np.maximum(time_s - self.end_s, 0.0)
            left = 1.0 - self.recovery_share * (1.0 - exp(-since / self.recovery_s))
        return 1.0 + self.size * self.grown(time_s) * left

    @abstractmethod
    def grown(self, time_s: Floats) -> Floats:
        """Return the share of the shock that has happened at each time, recovery left out."""


class InstantShock(_Shock):
    """The price changes from one step to the next."""

    kind: Literal["instant"] = "instant"

    @property
    def end_s(self) -> float:
        """See `_Shock`."""
        return self.at_s

    def grown(self, time_s: Floats) -> Floats:
        """See `_Shock`."""
        return (time_s >= self.at_s).astype(np.float64)


class RampShock(_Shock):
    """The price changes linearly over some time."""

    kind: Literal["ramp"] = "ramp"
    length_s: Positive
    """Seconds from the start of the shock to its full size."""

    @property
    def end_s(self) -> float:
        """See `_Shock`."""
        return self.at_s + self.length_s

    def grown(self, time_s: Floats) -> Floats:
        """See `_Shock`."""
        return np.clip((time_s - self.at_s) / self.length_s, 0.0, 1.0)


Shock = Annotated[InstantShock | RampShock, Field(discriminator="kind")]


class _Index(_Value, ABC):
    shocks: tuple[Shock, ...] = ()
    """Shocks laid over the path; several multiply."""

    def ticks(self, seed: int, market: int, steps: int, dt_s: float, tick_size: float) -> Integers:
        """Return the index price in ticks at steps 0 to `steps`, shape (steps + 1,), every one at least 1.

        A step is `dt_s` seconds; `market` picks the draws. Prices are rounded to the nearest tick. Raises a
        PriceFileError if a file cannot be used or is shorter than the run, a ValueError if a shock comes
        after the end or a price is too large to count in ticks.
        """
        if steps < 0:
            raise ValueError(f"steps must not be negative (got {steps})")
        if not (0.0 < dt_s < np.inf and 0.0 < tick_size < np.inf):
            raise ValueError(f"dt_s and tick_size must be above 0 (got {dt_s} and {tick_size})")
        price = self.prices(seed, market, steps, dt_s)
        assert price.shape == (steps + 1,)
        time_s = np.arange(steps + 1, dtype=np.float64) * dt_s
        for shock in self.shocks:
            if shock.at_s > time_s[-1]:
                raise ValueError(f"the shock at {shock.at_s:g} s comes after the end of the run at {time_s[-1]:g} s")
            price = price * shock.factor(time_s)
        with np.errstate(over="ignore"):
            ticks = np.rint(price / tick_size)
        high = np.flatnonzero(ticks > TICKS_MAX)
        if high.size:
            raise ValueError(
                f"the index price at step {high[0]} is {price[high[0]]:g}: too many ticks of {tick_size:g}; "
                "choose larger ticks, a lower volatility or smaller jumps"
            )
        return np.maximum(ticks, 1.0).astype(np.int64)

    @abstractmethod
    def prices(self, seed: int, market: int, steps: int, dt_s: float) -> Floats:
        """Return the price at each step before shocks, shape (steps + 1,)."""


class FileIndex(_Index):
    """Prices of a CSV or Parquet file (`price_files.read_prices` says of which layout), bridged to steps.

    The path goes through every close. Of a file with lows and highs it stays between them and visits both,
    the low first if the price rises over the row and the high first if it falls, where a row has two steps or
    more inside.
    """

    kind: Literal["file"] = "file"
    path: Annotated[str, Field(min_length=1)]
    """File, relative to the folder in which the command runs."""
    symbol: str | None = None
    """Symbol to pick from a file that holds several."""
    time_column: str | None = None
    """Name of the time column, or none for the usual names."""
    price_column: str | None = None
    """Name of the price column, or none for the usual names."""
    start_s: NotNegative = 0.0
    """Seconds of the file to leave out at its beginning."""
    bridge_volatility: Volatility | None = None
    """Annual volatility between rows; none takes it from each row's low and high (straight lines without)."""

    def prices(self, seed: int, market: int, steps: int, dt_s: float) -> Floats:
        """See `_Index`."""
        prices = read_prices(self.path, self.symbol, time_column=self.time_column, price_column=self.price_column)
        name = self.path if self.symbol is None else f"{self.path} ({self.symbol})"
        _check_length(name, prices, self.start_s, steps * dt_s)
        volatility = None if self.bridge_volatility is None else self.bridge_volatility / ROOT_YEAR
        return bridge_prices(prices, seed, market, steps, dt_s, start_s=self.start_s, volatility=volatility)


class TableIndex(_Index):
    """Prices of a table that comes with the package, bridged to steps as those of a file are."""

    kind: Literal["table"] = "table"
    name: str
    """Name of the table, e.g. black_thursday."""
    start_s: NotNegative = 0.0
    """Seconds of the table to leave out at its beginning."""
    bridge_volatility: Volatility
    """Annual volatility of the Brownian bridge between the rows of the table: 1.0 is 100 %."""

    @model_validator(mode="after")
    def _name_is_known(self) -> TableIndex:
        if self.name not in table_names():
            raise ValueError(f"there is no price table {self.name!r}; there are: {', '.join(table_names())}")
        return self

    def prices(self, seed: int, market: int, steps: int, dt_s: float) -> Floats:
        """See `_Index`."""
        prices = load_table(self.name)
        _check_length(f"table {self.name}", prices, self.start_s, steps * dt_s)
        volatility = self.bridge_volatility / ROOT_YEAR
        return bridge_prices(prices, seed, market, steps, dt_s, start_s=self.start_s, volatility=volatility)


class _Diffusion(_Index):
    start_price: Positive
    """Price at step 0, before shocks."""
    drift: LogRate = 0.0
    """Expected growth per year: 0.1 is 10 %, continuously compounded."""
    volatility: Volatility
    """Annual volatility: 0.8 is 80 %."""

    def log_growth(self, seed: int, market: int, steps: int, dt_s: float) -> Floats:
        """Return the logarithm of the price over `start_price` at each step, shape (steps + 1,)."""
        years = dt_s / YEAR_S
        noise = normal(seed, Stream.PATH, market, np.arange(1, steps + 1))
        trend = (self.drift - 0.5 * self.volatility**2) * years
        return np.append(0.0, np.cumsum(trend + self.volatility * np.sqrt(years) * noise))


class GbmIndex(_Diffusion):
    """Geometric Brownian motion."""

    kind: Literal["gbm"] = "gbm"

    def prices(self, seed: int, market: int, steps: int, dt_s: float) -> Floats:
        """See `_Index`."""
        return exp(log(self.start_price) + self.log_growth(seed, market, steps, dt_s))


class JumpDiffusionIndex(_Diffusion):
    """Geometric Brownian motion with jumps at exponential intervals, their logarithm normal (Merton 1976).

    The drift is that of the diffusion; jumps come on top of it. When they happen does not depend on `dt_s`.
    """

    kind: Literal["jump_diffusion"] = "jump_diffusion"
    jumps_per_day: Annotated[float, Field(ge=0.0, le=DAY_S)]
    """Expected number of jumps a day."""
    jump_mean: LogRate
    """Mean of a jump of the logarithm of the price: -0.03 is a fall by about 3 %."""
    jump_sd: Volatility
    """Standard deviation of a jump of the logarithm of the price."""

    def prices(self, seed: int, market: int, steps: int, dt_s: float) -> Floats:
        """See `_Index`."""
        jumps = np.zeros(steps + 1)
        at_steps = np.ceil(self.jump_times_s(seed, market, steps * dt_s) / dt_s).astype(np.int64)
        noise = normal(seed, Stream.JUMP_SIZE, market, np.arange(at_steps.size))
        np.add.at(jumps, at_steps, self.jump_mean + self.jump_sd * noise)
        growth = self.log_growth(seed, market, steps, dt_s) + np.cumsum(jumps)
        return exp(log(self.start_price) + growth)

    def jump_times_s(self, seed: int, market: int, end_s: float) -> Floats:
        """Return the times of all jumps up to `end_s`, rising."""
        if self.jumps_per_day == 0.0:
            return np.empty(0)
        count = 16
        while True:
            gaps = exponential(seed, Stream.JUMP, market, np.arange(count))
            times_s = np.cumsum(gaps) * (DAY_S / self.jumps_per_day)
            if times_s[-1] > end_s:
                return times_s[times_s <= end_s]
            count *= 2


class MeanRevertingIndex(_Index):
    """A price whose logarithm reverts to a mean (Ornstein and Uhlenbeck), exact at the steps whatever their length."""

    kind: Literal["mean_reverting"] = "mean_reverting"
    start_price: Positive
    """Price at step 0, before shocks."""
    mean_price: Positive
    """Price to which it reverts: the logarithm of it is the mean of the logarithm in the long run."""
    reversion_s: Positive
    """Seconds in which a distance from the mean shrinks to 1/e of itself."""
    volatility: Volatility
    """Annual volatility of short intervals: 0.8 is 80 %."""

    def prices(self, seed: int, market: int, steps: int, dt_s: float) -> Floats:
        """See `_Index`."""
        kept = float(exp(-dt_s / self.reversion_s))
        variance = 0.5 * self.reversion_s * (1.0 - kept * kept) / YEAR_S
        shocks = self.volatility * np.sqrt(variance) * normal(seed, Stream.PATH, market, np.arange(1, steps + 1))
        first = float(log(self.start_price / self.mean_price))
        distances = accumulate(shocks.tolist(), lambda distance, shock: kept * distance + shock, initial=first)
        return self.mean_price * exp(np.fromiter(distances, dtype=np.float64, count=steps + 1))


class ConstantIndex(_Index):
    """One price throughout, but for the shocks."""

    kind: Literal["constant"] = "constant"
    price: Positive
    """The price."""

    def prices(self, seed: int, market: int, steps: int, dt_s: float) -> Floats:
        """See `_Index`."""
        return np.full(steps + 1, self.price)


IndexPath = Annotated[
    FileIndex | TableIndex | GbmIndex | JumpDiffusionIndex | MeanRevertingIndex | ConstantIndex,
    Field(discriminator="kind"),
]


def _check_length(name: str, prices: Prices, start_s: float, run_s: float) -> None:
    """Raise a PriceFileError unless the prices last from `start_s` for `run_s` seconds."""
    first_s, last_s = float(prices.time_s[0]), float(prices.time_s[-1])
    if first_s + start_s + run_s > last_s:
        raise PriceFileError(
            f"{name}: holds {last_s - first_s:g} s of prices, {time_text(first_s)} to {time_text(last_s)}; "
            f"the run needs {run_s:g} s from {start_s:g} s after its beginning"
        )
