"""What fails in a world, when and for how long: the liquidation engine, the oracle, the venue's door, the data feed.

Each kind is a frozen value; `Faults` is what the world asks in every step. A fault is in force in the steps whose time,
counted from the end of the warm-up, lies from `at_s` on and before `at_s + length_s`, and in one step at least.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from delever.agents.cohort import NO_COMMANDS
from delever.agents.parameters import MAIN
from delever.engine.commands import C_KIND, Kind
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
from .sources import SILENT, SOURCES_MAX, TICKS_MAX

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
    venue: str = MAIN
    """Name of the venue that it befalls."""


class _EngineFault(_Fault, ABC):
    @abstractmethod
    def limits(self, since_steps: int, dt_s: int, atoms_per_quote: float) -> tuple[int | None, int | None]:
        """Return how many units, and how many atoms of value, the engine gets to in a step; none is no limit."""


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
    """Whether traders take the venue's index for the price outside; if not, they see that price meanwhile."""


class OracleStale(OracleFault):
    """The index, or a source, repeats its last price as if it were new."""

    kind: Literal["oracle_stale"]


class OracleWrong(OracleFault):
    """The index, or a source, is off."""

    kind: Literal["oracle_wrong"]
    size: Annotated[float, Field(gt=-1.0, le=100.0)]
    """Error as a share of the price: -0.2 is 20 % too low."""


class Outage(_Fault):
    """No command of a trader reaches the venue, which goes on without them: it marks, funds, triggers, liquidates."""

    kind: Literal["outage"]
    commands: Literal["lost", "held"] = "held"
    """What arrives meanwhile comes in a burst at the end, in the order of arrival; or is lost, but for deposits."""


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
        self, faults: Sequence[Fault], symbols: Sequence[str], said_shape: tuple[int, ...], dt_s: int,
        warmup_steps: int,
    ) -> None:  # fmt: skip
        """Plan the faults of markets; what is said of their index in a step is (M,) or (M, sources)."""
        planned = [(fault, span_of(fault, dt_s, warmup_steps)) for fault in faults]
        self._engine = [(fault, span) for fault, span in planned if isinstance(fault, _EngineFault)]
        self._oracle = [(fault, span) for fault, span in planned if isinstance(fault, OracleFault)]
        self._outages = [(fault, span) for fault, span in planned if isinstance(fault, Outage)]
        self._delays = [(fault, span) for fault, span in planned if isinstance(fault, DataDelay)]
        self._symbols = tuple(symbols)
        self._dt_s = dt_s
        self._deposits: Integers = NO_COMMANDS
        # The last price that everybody said who is sound, and the price outside.
        self._last_said = np.zeros(said_shape, dtype=np.int64)
        self._outside = np.zeros(len(self._symbols), dtype=np.int64)
        # What the feed said at the end of each of the last steps, as many as the longest delay asks for.
        rows = 1 + max((ceil(fault.delay_s / dt_s) for fault, _ in self._delays), default=-1)
        self._feed = np.zeros((rows, len(self._symbols), len(FEED)), dtype=np.int64)
        self._volatility_ppm = np.zeros((rows, len(self._symbols)))

    def heard(self, said: Integers, ticks_max: Integers, step: int) -> Integers:
        """Return what the venue hears of its index in `step` where sources say `said`, of which 0 is nothing.

        Both are (M,) or (M, sources); nothing is higher than `ticks_max` (M,). Once for each step.
        """
        if not self._oracle:
            return said
        self._note_outside(said)
        found = said.copy()
        highest = ticks_max if said.ndim == 1 else ticks_max[:, np.newaxis]
        for fault, span in self._oracle:
            if isinstance(fault, OracleWrong) and span.holds(step):
                off = np.clip(np.rint(found * (1.0 + fault.size)), 1, highest).astype(np.int64)
                found = np.where(self._concerned(fault, said) & (found != SILENT), off, found)
        # As with sources: whoever stands still repeats what it said, wrong or not.
        still = np.zeros(said.shape, dtype=np.bool_)
        for fault, span in self._oracle:
            if isinstance(fault, OracleStale) and span.holds(step):
                still |= self._concerned(fault, said)
        still &= self._last_said != SILENT
        found = np.where(still, self._last_said, found)
        self._last_said = np.where(found != SILENT, found, self._last_said)
        return found

    def highest_ticks(self, market: int, highest: int) -> int:
        """Return the highest price that is said of a market whose true path goes up to `highest`."""
        factor = 1.0
        for fault, _ in self._oracle:
            if isinstance(fault, OracleWrong) and fault.market in (None, self._symbols[market]):
                factor *= max(1.0, 1.0 + fault.size)
        return min(ceil(highest * factor), max(highest, TICKS_MAX))

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
        if failing:
            # Who sends money has parted with it: it is credited when the venue is back.
            deposits = arrived[np.isin(arrived[:, C_KIND], (Kind.DEPOSIT, Kind.DEPOSIT_ASSET))]
            self._deposits = np.concatenate([self._deposits, deposits])
            return NO_COMMANDS
        if len(self._deposits):
            arrived = np.concatenate([self._deposits, arrived])
            self._deposits = NO_COMMANDS
        return arrived

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
        markets[outside, M_INDEX_TICKS] = self._outside[outside]
        return Tables(**{**tables.as_dict(), "markets": markets}), marks, volatility_ppm

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return a copy of what is remembered; all else follows from the step."""
        return {
            "feed": self._feed.copy(),
            "volatility_ppm": self._volatility_ppm.copy(),
            "last_said": self._last_said.copy(),
            "outside": self._outside.copy(),
            "deposits": self._deposits.copy(),
        }

    def restore(self, snapshot: dict[str, NDArray[Any]]) -> None:
        """Go back to a snapshot of the same faults."""
        self._feed[:] = snapshot["feed"]
        self._volatility_ppm[:] = snapshot["volatility_ppm"]
        self._last_said[:] = snapshot["last_said"]
        self._outside[:] = snapshot["outside"]
        self._deposits = snapshot["deposits"].copy()

    def _age_steps(self, step: int) -> int:
        """Return how many steps the feed is behind in `step`: it stalls first, so that nobody sees time run back."""
        ages = [
            min(ceil(fault.delay_s / self._dt_s), step - span.first) for fault, span in self._delays if span.holds(step)
        ]
        return max(ages, default=0)

    def _concerned(self, fault: OracleFault, said: Integers) -> NDArray[np.bool_]:
        """Return which of the prices in `said` a fault concerns, in its shape."""
        found = np.zeros(said.shape, dtype=np.bool_)
        markets = [market for market, symbol in enumerate(self._symbols) if fault.market in (None, symbol)]
        if said.ndim == 2:
            found[markets, slice(None) if fault.source is None else fault.source] = True
        elif fault.source is None:
            # An index of one price is no index of several, of which one could fail.
            found[markets] = True
        return found

    def _note_outside(self, said: Integers) -> None:
        """Note the price outside of each market: the middle of what sources say before anything fails."""
        for market, prices in enumerate(said.reshape(len(said), -1)):
            spoken = np.sort(prices[prices != SILENT])
            if len(spoken):
                self._outside[market] = spoken[(len(spoken) - 1) // 2]
