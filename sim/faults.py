"""What fails in a world, when and for how long: the liquidation engine, the oracle, the venue's door, the data feed.

Each kind is a frozen value; `Faults` is what the world asks in every step. A fault is in force in the steps whose time,
counted from the end of the warm-up, lies from `at_s` on and before `at_s + length_s`, and in one step at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from delever.agents.cohort import NO_COMMANDS
from delever.engine.tables import (
    M_BEST_ASK,
    M_BEST_BID,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_INDEX_TICKS,
    M_LAST_TICKS,
    M_MARK_TICKS,
    M_VOLUME_LOTS,
    Tables,
)

from .gateway import Gateway
from .history import MarkHistory
from .sources import SILENT, SOURCES_MAX, TICKS_MAX, last_before

if TYPE_CHECKING:
    from delever.engine.venue import Venue

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

FAULTS_MAX = 100
LENGTH_S_MAX = 10 * 366 * 86_400.0
# What a feed of market data carries. Not the depth behind the best prices: no built-in trader asks for it.
FEED = (
    M_BEST_BID, M_BEST_ASK, M_LAST_TICKS, M_MARK_TICKS, M_INDEX_TICKS, M_COLLAR_LOW, M_COLLAR_HIGH, M_VOLUME_LOTS,
)  # fmt: skip


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    at_s: Annotated[float, Field(ge=0.0, le=LENGTH_S_MAX)]
    """Seconds after the end of the warm-up."""
    length_s: Annotated[float, Field(gt=0.0, le=LENGTH_S_MAX)]
    """Seconds until all is sound again."""


class _EngineFault(_Fault):
    def limits(self, since_steps: int, dt_s: int, atoms_per_quote: float) -> tuple[int | None, int | None]:
        """Return how many units, and how many atoms of value, the engine gets to in a step; none is no limit."""
        raise NotImplementedError


class EngineStopped(_EngineFault):
    """The liquidation engine stands still: nobody is liquidated, taken over or deleveraged, the fund sells nothing."""

    kind: Literal["engine_stopped"]

    def limits(self, since_steps: int, dt_s: int, atoms_per_quote: float) -> tuple[int | None, int | None]:
        """See `_EngineFault`."""
        return 0, None


class EngineSlowed(_EngineFault):
    """The liquidation engine acts only in one step every so often."""

    kind: Literal["engine_slowed"]
    every_s: Annotated[float, Field(gt=0.0, le=LENGTH_S_MAX)]
    """Seconds from one step in which it acts to the next; the first comes so long after the beginning."""

    def limits(self, since_steps: int, dt_s: int, atoms_per_quote: float) -> tuple[int | None, int | None]:
        """See `_EngineFault`."""
        acts = (since_steps + 1) % ceil(self.every_s / dt_s) == 0
        return None if acts else 0, None


class EngineCapped(_EngineFault):
    """The liquidation engine gets to so many accounts, or so much value, in a step; the others wait."""

    kind: Literal["engine_capped"]
    liquidations: Annotated[int | None, Field(ge=1, le=10**9)] = None
    """Units treated in a step, one counting once a round; none: no such limit."""
    notional_quote: Annotated[float | None, Field(ge=1.0, le=1e12)] = None
    """A unit is treated only while those before it in the step are worth less; none: no such limit."""

    @model_validator(mode="after")
    def _caps_something(self) -> EngineCapped:
        if self.liquidations is None and self.notional_quote is None:
            raise ValueError("engine_capped needs liquidations or notional_quote")
        return self

    def limits(self, since_steps: int, dt_s: int, atoms_per_quote: float) -> tuple[int | None, int | None]:
        """See `_EngineFault`."""
        value = None if self.notional_quote is None else max(1, round(self.notional_quote * atoms_per_quote))
        return self.liquidations, value


class OracleFault(_Fault):
    """The index that the venue is given is not the price outside."""

    market: str | None = None
    """Symbol of the market, none for all."""
    source: Annotated[int | None, Field(ge=0, lt=SOURCES_MAX)] = None
    """Number of the one source that fails, from 0, where the rules make the index of several; none: all of them."""
    believed: bool = False
    """Whether traders take the venue's index for the price outside; if not, they see the true path meanwhile."""

    def failing(self, said: Integers, during: NDArray[np.bool_]) -> Integers | int:
        """Return what is said instead of `said` (steps + 1,) in the steps `during` which the fault is in force."""
        raise NotImplementedError


class OracleStale(OracleFault):
    """The index, or a source, repeats its last price as if it were new."""

    kind: Literal["oracle_stale"]

    def failing(self, said: Integers, during: NDArray[np.bool_]) -> Integers | int:
        """See `OracleFault`; at the very beginning, where nothing was said before, the first price is repeated."""
        return last_before(said, during) or int(said[during][0])


class OracleWrong(OracleFault):
    """The index, or a source, is off."""

    kind: Literal["oracle_wrong"]
    size: Annotated[float, Field(gt=-1.0, le=100.0)]
    """Error as a share of the price: -0.2 is 20 % too low."""

    def failing(self, said: Integers, during: NDArray[np.bool_]) -> Integers | int:
        """See `OracleFault`; who says nothing says nothing wrong."""
        off = np.clip(np.rint(said[during] * (1.0 + self.size)), 1, TICKS_MAX).astype(np.int64)
        return np.where(said[during] == SILENT, SILENT, off)


class Outage(_Fault):
    """No command of a trader reaches the venue, which goes on without them: it marks, funds, triggers, liquidates."""

    kind: Literal["outage"]
    commands: Literal["lost", "held"] = "held"
    """What arrives meanwhile is lost, or comes in a burst at the end, in the order of arrival."""


class DataDelay(_Fault):
    """Market data come late: traders decide on prices that are old, while they know their own account as it is.

    The feed stalls until its data are so old, then goes on that much behind, and catches up at once at the end.
    """

    kind: Literal["data_delay"]
    delay_s: Annotated[float, Field(gt=0.0, le=86_400.0)]
    """Age of what traders see."""


Fault = Annotated[
    EngineStopped | EngineSlowed | EngineCapped | OracleStale | OracleWrong | Outage | DataDelay,
    Field(discriminator="kind"),
]


class Span(NamedTuple):
    """The steps in which a fault is in force: `first` .. `end` - 1."""

    first: int
    end: int

    def holds(self, step: int) -> bool:
        """Say whether the fault is in force in a step."""
        return self.first <= step < self.end


def span_of(fault: Fault, dt_s: int, warmup_steps: int) -> Span:
    """Return the steps of a fault, one at least."""
    first = warmup_steps + ceil(fault.at_s / dt_s)
    return Span(first, max(first + 1, warmup_steps + ceil((fault.at_s + fault.length_s) / dt_s)))


class Faults:
    """The faults of a world: what the venue is told, what reaches it, and what traders see, step by step."""

    def __init__(
        self, faults: Sequence[Fault], symbols: Sequence[str], paths: Integers, dt_s: int, warmup_steps: int
    ) -> None:
        """Plan the faults of markets whose true index prices are `paths` (steps + 1, M)."""
        planned = [(fault, span_of(fault, dt_s, warmup_steps)) for fault in faults]
        self._engine = [(fault, span) for fault, span in planned if isinstance(fault, _EngineFault)]
        self._oracle = [(fault, span) for fault, span in planned if isinstance(fault, OracleFault)]
        self._outages = [(fault, span) for fault, span in planned if isinstance(fault, Outage)]
        self._delays = [(fault, span) for fault, span in planned if isinstance(fault, DataDelay)]
        self._symbols = tuple(symbols)
        self._paths = paths
        self._dt_s = dt_s
        # What the feed said at the end of each of the last steps, as many as the longest delay asks for.
        rows = 1 + max((ceil(fault.delay_s / dt_s) for fault, _ in self._delays), default=-1)
        self._feed = np.zeros((rows, len(self._symbols), len(FEED)), dtype=np.int64)
        self._volatility_ppm = np.zeros((rows, len(self._symbols)))

    def said(self, prices: Integers) -> Integers:
        """Return what is said of the index at each step, (steps + 1, M) or (steps + 1, M, sources), faults included."""
        if not self._oracle:
            return prices
        found = prices.copy()
        steps = np.arange(len(prices))
        # As with sources: whoever stands still repeats what it said, wrong or not.
        for fault, span in sorted(self._oracle, key=lambda planned: isinstance(planned[0], OracleStale)):
            during = (steps >= span.first) & (steps < span.end)
            for column in self._columns(fault, found):
                column[during] = fault.failing(column, during)
        return found

    def highest_ticks(self, market: int) -> int:
        """Return the highest price of a market: of its true path, and of what is said of it where that is too high."""
        factor = 1.0
        for fault, _ in self._oracle:
            if isinstance(fault, OracleWrong) and fault.market in (None, self._symbols[market]):
                factor *= max(1.0, 1.0 + fault.size)
        return ceil(int(self._paths[:, market].max()) * factor)

    def impair(self, venue: Venue, step: int, atoms_per_quote: float) -> None:
        """Tell the venue what its liquidation engine may do in `step`: of several faults, the least (R-W61)."""
        if not self._engine:
            return
        units: list[int] = []
        values: list[int] = []
        for fault, span in self._engine:
            if span.holds(step):
                unit, value = fault.limits(step - span.first, self._dt_s, atoms_per_quote)
                units += [] if unit is None else [unit]
                values += [] if value is None else [value]
        venue.limit_liquidations(min(units, default=None), min(values, default=None))

    def arrivals(self, gateway: Gateway, step: int) -> Integers:
        """Return the commands that reach the venue in `step`; good until the next call."""
        failing = {fault.commands for fault, span in self._outages if span.holds(step)}
        if failing == {"held"}:
            return NO_COMMANDS
        arrived = gateway.collect(step)
        return NO_COMMANDS if failing else arrived

    def note(self, tables: Tables, volatility_ppm: Floats, step: int) -> None:
        """Keep what the feed says at the end of `step`, where it will be late."""
        if self._delays:
            row = step % len(self._feed)
            self._feed[row] = tables.markets[:, FEED]
            self._volatility_ppm[row] = volatility_ppm

    def seen(self, tables: Tables, history: MarkHistory, step: int) -> tuple[Tables, Integers, Floats]:
        """Return what traders see at the start of `step`: tables, marks so far, volatility (ppm, (M,))."""
        age = self._age_steps(step)
        outside = [
            market
            for market, symbol in enumerate(self._symbols)
            for fault, span in self._oracle
            if span.holds(step - 1) and not fault.believed and fault.market in (None, symbol)
        ]
        if not age and not outside:
            return tables, history.marks(), history.volatility_ppm
        markets = tables.markets.copy()
        marks, volatility_ppm = history.marks(), history.volatility_ppm
        if age:
            row = (step - 1 - age) % len(self._feed)
            markets[:, FEED] = self._feed[row]
            marks, volatility_ppm = marks[: len(marks) - age], self._volatility_ppm[row]
        markets[outside, M_INDEX_TICKS] = self._paths[step - 1, outside]
        return Tables(**{**tables.as_dict(), "markets": markets}), marks, volatility_ppm

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return a copy of what is kept of the feed; all else follows from the step."""
        return {"feed": self._feed.copy(), "volatility_ppm": self._volatility_ppm.copy()}

    def restore(self, snapshot: dict[str, NDArray[Any]]) -> None:
        """Go back to a snapshot of the same faults."""
        self._feed[:] = snapshot["feed"]
        self._volatility_ppm[:] = snapshot["volatility_ppm"]

    def _age_steps(self, step: int) -> int:
        """Return how many steps the feed is behind in `step`: it stalls first, so that nobody sees time run back."""
        ages = [
            min(ceil(fault.delay_s / self._dt_s), step - span.first) for fault, span in self._delays if span.holds(step)
        ]
        return max(ages, default=0)

    def _columns(self, fault: OracleFault, said: Integers) -> list[Integers]:
        """Return the columns of `said`, as views, that a fault concerns."""
        markets = [market for market, symbol in enumerate(self._symbols) if fault.market in (None, symbol)]
        if said.ndim == 2:
            # An index of one price is no index of several, of which one could fail.
            return [said[:, market] for market in markets if fault.source is None]
        sources = range(said.shape[2]) if fault.source is None else [fault.source]
        return [said[:, market, source] for market in markets for source in sources]
