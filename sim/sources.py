"""Outside sources of an index: what each of them says, step by step, and how it fails."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from delever.agents.draws import Stream, normal

Integers = NDArray[np.int64]
Whole = NDArray[np.bool_]

SOURCES_MAX = 64
TICKS_MAX = 2**20  # the highest price a venue takes
SILENT = 0

Seconds = Annotated[float, Field(ge=0.0, le=10 * 366 * 86_400.0)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Fault(_Value):
    """A time in which a source fails."""

    kind: Literal["out", "stale", "wrong"]
    """`out`: it says nothing; `stale`: it repeats its last price as if it were new; `wrong`: its price is off."""
    at_s: Seconds
    """Seconds after the end of the warm-up."""
    length_s: Annotated[float, Field(gt=0.0, le=10 * 366 * 86_400.0)]
    """Seconds until it is sound again."""
    size: Annotated[float, Field(gt=-1.0, le=100.0)] = 0.0
    """Of `wrong`: error as a share of the price, -0.2 is 20 % too low."""


class Source(_Value):
    """What one source of an index says of a price. Without numbers: of the market's path, and at every step."""

    venue: str | None = None
    """Another venue of the world, whose book of the same symbol is what the source looks at; none: the path."""
    price: Literal["mid", "last"] = "mid"
    """Of a venue: the middle of its book, nothing while a side is empty; or its last trade."""
    offset: Annotated[float, Field(gt=-1.0, le=10.0)] = 0.0
    """Lasting difference from the price as a share of it."""
    noise: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Standard deviation of an error drawn anew at every step, as a share of the price."""
    delay_s: Seconds = 0.0
    """Age of its prices; those of a venue are one step old besides."""
    every_s: Seconds = 0.0
    """Seconds between two prices; 0: at every step."""
    faults: tuple[Fault, ...] = ()
    """When and how it fails; of two at once, `out` before `stale` before `wrong`."""

    @model_validator(mode="after")
    def _price_of_a_venue(self) -> Source:
        if self.price != "mid" and self.venue is None:
            raise ValueError("price says what is taken of another venue's book: give venue too")
        return self

    def ticks(self, path: Integers, seed: int, market: int, number: int, dt_s: float, warmup_steps: int) -> Integers:
        """Return what source `number` of a market says at each step, in the shape of `path` (ticks); 0 is nothing."""
        steps = np.arange(path.size)
        heard = path[np.maximum(steps - self.delay_steps(dt_s), 0)]
        said = self.clean_ticks(heard, steps, seed, market, number, dt_s, warmup_steps)
        for kind in ("stale", "out"):
            for fault in self.faults:
                if fault.kind == kind:
                    failing = during(fault, steps, dt_s, warmup_steps)
                    said[failing] = last_before(said, failing) if kind == "stale" else SILENT
        assert said.shape == path.shape and said.min() >= 0
        return said

    def delay_steps(self, dt_s: float) -> int:
        """Return the age of its prices in steps."""
        return int(np.ceil(self.delay_s / dt_s))

    def clean_ticks(
        self, heard: NDArray[np.float64] | Integers, steps: Integers, seed: int, market: int, number: int, dt_s: float,
        warmup_steps: int,
    ) -> Integers:  # fmt: skip
        """Return what it says at `steps` of the prices it heard (0: none), in ticks, while it is neither stale nor out.

        One step alone gives the same as the same step among others.
        """
        price = heard * (1.0 + self.offset)
        if self.noise:
            price = price * (1.0 + self.noise * normal(seed, Stream.SOURCE, market * SOURCES_MAX + number, steps))
        for fault in self.faults:
            if fault.kind == "wrong":
                price = np.where(during(fault, steps, dt_s, warmup_steps), price * (1.0 + fault.size), price)
        said = np.clip(np.rint(price), 1, TICKS_MAX).astype(np.int64)
        said[(heard == 0) | (steps % max(1, int(np.ceil(self.every_s / dt_s))) != 0)] = SILENT
        return said


def source_ticks(
    sources: tuple[Source, ...], path: Integers, count: int, seed: int, market: int, dt_s: float, warmup_steps: int
) -> Integers:
    """Return what each of `count` sources says at each step, (steps + 1, count); those not described say the path."""
    columns = [
        sources[number].ticks(path, seed, market, number, dt_s, warmup_steps)
        if number < len(sources)
        else np.minimum(path, TICKS_MAX)
        for number in range(count)
    ]
    return np.column_stack(columns)


def during(fault: Fault, steps: Integers, dt_s: float, warmup_steps: int) -> Whole:
    """Return at which steps a fault lasts."""
    time_s = (steps - warmup_steps) * dt_s
    return (time_s >= fault.at_s) & (time_s < fault.at_s + fault.length_s)


def last_before(said: Integers, failing: Whole) -> int:
    """Return the last price said before a fault begins, SILENT if there was none."""
    before = said[: int(np.argmax(failing))] if failing.any() else said[:0]
    spoken = before[before > SILENT]
    return int(spoken[-1]) if spoken.size else SILENT
