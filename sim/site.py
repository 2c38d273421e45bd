"""What belongs to one venue in a world: the exchange itself, who has accounts there, the way to it, and its past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delever.agents.view import View
from delever.engine.rules.base import ATOMS_PER_QUOTE
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.tables import M_MARK_TICKS, M_PRICE_MAX_TICKS
from delever.engine.venue import StepReport, Venue, no_lap

from .accounts import Directory, Roster
from .blocks import BlockGateway
from .book_sources import BookSource, Heard
from .faults import Faults
from .gateway import Gateway
from .history import MarkHistory
from .index import index_ticks, market_number, said_ticks
from .money import money_of, multiplier_atoms
from .scenario import Scenario, ScenarioError
from .supply import Supplies

Integers = NDArray[np.int64]
Snapshot = dict[str, NDArray[Any]]

ORDERS_MIN = 20_000
ORDERS_MAX = 4_000_000
ORDERS_PER_ACCOUNT = 32


class Site:
    """One venue of a world.

    In a step a world asks every site for its `said_ticks` before any of them trades: then who trades first makes no
    difference.
    """

    def __init__(
        self,
        scenario: Scenario,
        name: str,
        rules: RuleSet,
        directory: Directory,
        wakings: Integers,
        seed: int,
        *,
        labels: Sequence[int] | None = None,
        journal: bool = False,
        check: bool = False,
        lap: Callable[[str], None] = no_lap,
    ) -> None:
        """Open the venue `name` of a scenario under `rules`; `wakings` (traders of the world,) is kept and read.

        Raises ScenarioError if markets, rules and scenario do not fit one another.
        """
        self.name, self.rules = name, rules
        self.markets = scenario.markets_of(name)
        self.symbols = tuple(market.symbol for market in self.markets)
        self.roster = Roster(directory, name, labels)
        self._scenario, self._seed = scenario, seed
        paths = [index_ticks(scenario, market, seed, name) for market in range(len(self.markets))]
        self._index_ticks = np.column_stack(paths)
        self._said_ticks = said_ticks(scenario, self._index_ticks, rules.mark.index, seed, name)
        self._books: list[tuple[int, int, BookSource]] = []
        self.money = money_of(rules.contract, self.markets, self._index_ticks[0].tolist())
        self._atoms_per_quote = self.money.units_per_quote * ATOMS_PER_QUOTE  # a fraction is slow to divide by
        self.faults = Faults(
            scenario.faults_of(name), self.symbols, self._said_ticks.shape[1:], scenario.dt_s, scenario.warmup_steps
        )
        weights = np.array([market.weight for market in self.markets])
        self._market_weight = weights * len(weights) / np.cumsum(weights)[-1]
        lot_sizes = [float(market.lot_size) for market in self.markets]
        self.supplies = Supplies(scenario.supplies_of(name), lot_sizes, scenario.dt_s, scenario.warmup_steps)
        self.venue = self._open(journal, check)
        self.venue.lap = lap
        self.gateway = self._make_gateway(wakings)
        self.history = MarkHistory(scenario.steps + 1, len(self.markets), scenario.dt_s)
        self.arrived: Integers
        """Commands of the newest step, in the order of execution."""
        self.report: StepReport
        """What the venue made of them."""
        self._listening = False

    def look_at(self, sites: Sequence[Site]) -> None:
        """Find the books that are sources of an index here; `sites` are all of the world."""
        scenario = self._scenario
        by_name = {site.name: site for site in sites}
        for market, spec in enumerate(self.markets):
            for place, source in enumerate(spec.sources):
                if source.venue is None:
                    continue
                other = by_name[source.venue]
                theirs = other.symbols.index(spec.symbol)
                ratio = float(other.markets[theirs].tick_size / spec.tick_size)
                heard = Heard(other.venue.tables, theirs, ratio, self.venue.markets[market].price_max_ticks - 1)
                book = BookSource(
                    source, heard, market=market_number(scenario, self.name, market), number=place, seed=self._seed,
                    dt_s=scenario.dt_s, warmup_steps=scenario.warmup_steps, steps=scenario.steps,
                )  # fmt: skip
                self._books.append((market, place, book))

    def view(self) -> View:
        """Return the view of the venue as it stands, dated at the step to come."""
        step = self.venue.step
        tables, marks, volatility_ppm = self.faults.seen(self.venue.tables, self.history, step)
        dt_s, supply = self._scenario.dt_s, self.supplies.ratio(step)
        return View(tables, self.rules, self.symbols, step, dt_s, marks, volatility_ppm, supply, self._market_weight)

    def collect(self, step: int) -> Integers:
        """Return the commands that reach the venue in `step`, in the order of arrival."""
        return self.faults.arrivals(self.gateway, step).copy()

    def said_ticks(self) -> Integers:
        """Return what the sources of the index say at the step to come, (M,) or (M, sources); once for each step."""
        step = self.venue.step
        said: Integers = self._said_ticks[step]
        if self._books:
            said = said.copy()
            for market, place, book in self._books:
                said[market, place] = book.say(step)
        return self.faults.heard(said, self.venue.tables.markets[:, M_PRICE_MAX_TICKS] - 1, step)

    def trade(self, commands: Integers, said: Integers) -> None:
        """Let the venue process a step; a broken law stops the run with seed and step."""
        step = self.venue.step
        self.arrived = commands
        self.supplies.tell(self.venue, step)
        self.faults.impair(self.venue, step, self._atoms_per_quote)
        try:
            self.report = self.venue.process(commands, said)
        except AssertionError as error:
            raise AssertionError(
                f"a law is broken in step {step} of {self._scenario.name!r} under {self.rules.name!r}, "
                f"seed {self._seed}: {error}"
            ) from error
        if not self._listening and step > 0:
            self.venue.drain_events()

    def remember(self) -> None:
        """Note the marks for later views."""
        self.history.note(self.venue.tables.markets[:, M_MARK_TICKS])
        self.faults.note(self.venue.tables, self.history.volatility_ppm, self.venue.step - 1)

    def listen(self, sink: Callable[[Integers], None]) -> None:
        """Send the venue's events to `sink` from now on, beginning with those of the opening if no step was made."""
        sink(self.venue.drain_events())
        self.venue.set_sink(sink)
        self._listening = True

    def parts(self) -> dict[str, Snapshot]:
        """Return the whole state as arrays by name, in named parts."""
        books = {}
        for market, place, book in self._books:
            for name, array in book.snapshot(self.venue.step).items():
                books[f"{market}.{place}.{name}"] = array
        return {
            "venue": self.venue.snapshot(),
            "gateway": dict(self.gateway.snapshot()),
            "history": dict(self.history.snapshot()),
            "faults": self.faults.snapshot(),
            "books": books,
        }

    def restore(self, part: Callable[[str], Snapshot]) -> None:
        """Go back to the `parts` of a site made with the same arguments; `part` returns them by name."""
        self.venue.restore(part("venue"))
        self.gateway.restore(part("gateway"))
        self.history.restore(part("history"))
        self.faults.restore(part("faults"))
        books = part("books")
        for market, place, book in self._books:
            book.restore(books[f"{market}.{place}.prices"], books[f"{market}.{place}.said"])

    def close(self) -> None:
        """Let go of everything at once."""
        # The venue and its waterfall hold each other: without this the tables wait for the garbage collector.
        vars(self.venue).clear()
        vars(self).clear()

    def _open(self, journal: bool, check: bool) -> Venue:
        """Return the venue, with a price range for each of its markets."""
        markets = []
        for number, spec in enumerate(self.markets):
            highest = self.faults.highest_ticks(number, int(self._index_ticks[:, number].max()))
            price_max = 2 * highest if spec.price_max is None else int(spec.price_max / spec.tick_size)
            if highest >= price_max:
                raise ScenarioError(
                    f"{self._scenario.told(self.name)}markets.{spec.symbol}: the index rises to "
                    f"{highest * spec.tick_size:f}, price_max is {spec.price_max}: raise it, or leave it out"
                )
            markets.append(Market(spec.symbol, multiplier_atoms(self.rules.contract, spec), price_max))
        roster = self.roster
        return Venue(
            self.rules,
            markets,
            roster.keys_by_row,
            dt_s=self._scenario.dt_s,
            backstops=roster.backstops(),
            first_index_ticks=self._index_ticks[0].tolist(),
            orders_max=min(max(ORDERS_MIN, ORDERS_PER_ACCOUNT * roster.accounts), ORDERS_MAX),
            journal=journal,
            check=check,
        )

    def _make_gateway(self, wakings: Integers) -> Gateway:
        """Return the way to the venue."""
        latency, blocks = self._scenario.latency_of(self.name), self._scenario.blocks_of(self.name)
        gateway = Gateway if blocks is None else partial(BlockGateway, blocks)
        return gateway(
            self._seed,
            self.roster.keys_by_row,
            self.roster.trader_of,
            wakings,
            base_ms=latency.base_ms,
            jitter_ms=latency.jitter_ms,
            dt_s=self._scenario.dt_s,
        )
