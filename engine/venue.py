"""A venue: the ordered pass over one step's commands, and nothing else (R-S)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import auction, invariants, losses, state, waterfall
from .adl_terms import spare
from .commands import COMMAND_COLUMNS
from .default_fund import collect_contributions
from .digest import digest as digest_of
from .distress import look
from .drawdown import note_balances, open_watches
from .events import Event, has_room, record
from .execution import execute
from .expiry import open_expiry, settle_if_due
from .funding import sample
from .funds import contribute, endow, every_fund
from .halts import Interruptions
from .liquidating import fill_vault
from .marks import renew_marks
from .premium import pay_if_due, sample_premiums
from .prices import Prices, source_count
from .rules.ruleset import RuleSet
from .tables import (
    FUND,
    IN_BATCH,
    IN_HALT,
    M_AUCTION,
    M_AUCTION_TICKS,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_INDEX_TICKS,
    M_MARK_BEFORE_TICKS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    M_SUPPLY_LOTS,
    NONE,
    O_MARKET,
    O_SEQUENCE,
    OPEN,
    V_ACCOUNTS,
    V_DUE_UNITS_MAX,
    V_DUE_VALUE_MAX_ATOMS,
    V_EVENT_COUNT,
    V_FEE_SHARE_PPM,
    V_FORCING,
    V_FUNDING_STEPS,
    V_LISTED_COUNT,
    V_MARK_FIRST,
    V_MEMBERS_AT,
    V_PREMIUM_RULE,
    V_STEP,
    V_TAKER,
    Tables,
)
from .volatility import moves, renew_requirements
from .waiting import as_commands, collect_triggered

ORDERS_MAX = 1_000_000
INT64 = np.dtype(np.int64)
Sink = Callable[[NDArray[np.int64]], None]


def no_lap(phase: str) -> None:
    """Measure nothing: what `Venue.lap` is unless somebody wants to know how long each phase of a step takes."""


class StepReport(NamedTuple):
    """What one step did: an answer per command given, and counts."""

    results: NDArray[np.int64]
    commands: int
    forced_orders: int
    rounds: int
    unfinished: bool
    distressed: int


class Venue:
    """An exchange as a state machine: `process` takes a step's commands and index prices, all else follows from rules.

    `tables` is the state and may be read by anybody; only the engine writes it. Events go to the sink, or are kept
    until `drain_events`. With `check` every law is asserted after every step. `lap` is called with the name of each
    phase of a step at its end. `fund_units` are the rows of the insurance funds in `units`, the shared one first.
    """

    def __init__(
        self,
        rules: RuleSet,
        markets: Sequence[state.Market],
        keys: NDArray[np.int64],
        *,
        first_index_ticks: Sequence[int],
        dt_s: int = 1,
        backstops: Sequence[int] = (),
        orders_max: int = ORDERS_MAX,
        journal: bool = False,
        check: bool = False,
    ) -> None:
        """Open a venue for `len(keys)` traders; raises ValueError if sizes make no sense (see state.allocate)."""
        if dt_s < 1:
            raise ValueError(f"dt_s must be at least 1 second (got {dt_s})")
        for account in backstops:
            if not 0 <= account < len(keys):
                raise ValueError(f"backstop account {account} is not a trader: rows are 0 .. {len(keys) - 1}")
        self.rules = rules
        self.markets = tuple(markets)
        self.dt_s = dt_s
        self.backstops = tuple(int(account) for account in backstops)
        self.check = check
        self.tables = state.allocate(rules, markets, keys, first_index_ticks, orders_max, journal)
        fill_vault(self.tables, rules.liquidation, self.backstops)
        open_expiry(self.tables.markets, [market.symbol for market in markets], rules.contract.expiry, dt_s)
        self._market_rows = tuple(self.tables.markets)
        self._journal = journal
        self._requirements_move = moves(rules.margin, [market.symbol for market in markets])
        self._knows_marks = self.tables.venue[V_MARK_FIRST] != NONE
        self.lap: Callable[[str], None] = no_lap
        self._sink: Sink | None = None
        self._kept: list[NDArray[np.int64]] = []
        self._alpha_ppm = rules.mark.alpha_ppm(dt_s)
        funding = rules.charges.funding
        self.tables.venue[V_FUNDING_STEPS] = 0 if funding is None else self.steps(funding.interval_s)
        self._sources = source_count(rules)
        self.prices = Prices(self)
        endow(self.tables, rules)
        self.fund_units = tuple(every_fund(self.tables))
        self.interruptions = Interruptions(self) if rules.halts.active else None
        open_watches(self.tables, rules, self.steps)
        spare(self.tables, self.backstops)
        for market, row in enumerate(self._market_rows):
            self._set_mark(market, row, int(first_index_ticks[market]), markets[market].price_max_ticks)

    @property
    def step(self) -> int:
        """Steps processed so far; also the number of the next step."""
        return self.tables.venue.item(V_STEP)

    @property
    def fund_unit(self) -> int:
        """Row of the insurance fund in `units`, and its account row."""
        return int(self.tables.venue[V_ACCOUNTS]) + FUND

    def steps(self, seconds: int) -> int:
        """Return how many steps so many seconds are, rounded up (R-U1)."""
        return -(-seconds // self.dt_s)

    def process(self, commands: NDArray[np.int64], index_ticks: NDArray[np.int64]) -> StepReport:
        """Process one step (R-S): (1) triggered orders, (2) commands, (3) funding, (4) mark, (5) liquidation rounds,
        (6) loss sharing, (7) laws.

        commands: (n, COMMAND_COLUMNS) int64 in order of execution; index_ticks: (M,), or (M, sources) where the index
        is made of several, 0 for a source that says nothing now. Raises ValueError if shapes, types or prices are
        wrong, AssertionError if a law is broken.
        """
        t = self.tables
        lap = self.lap
        given = self._check_input(commands, index_ticks)
        self.prices.begin_step()
        prices = self.prices.index_ticks(given) if self._sources else given.tolist()
        for row, price in zip(self._market_rows, prices, strict=True):
            row[M_INDEX_TICKS] = price
            row[M_MARK_BEFORE_TICKS] = row[M_MARK_TICKS]
        if self.interruptions is not None:
            self.interruptions.begin_step()
        self._begin_batch()
        lap("checks")
        triggered = int(collect_triggered(t))  # a number of numpy where kernels are interpreted
        if triggered:
            self.execute(self._triggered_commands(triggered))
        lap("triggered orders")
        results = self.execute(commands)
        self._end_batch()
        if self.interruptions is not None:
            self.interruptions.after_commands()
        lap("commands")
        pay_if_due(self)
        lap("funding")
        sample(t, self._alpha_ppm)
        self.prices.sample()
        if t.venue[V_PREMIUM_RULE]:
            sample_premiums(self)
        lap("premium sample")
        self.renew_marks()
        if self._requirements_move:
            renew_requirements(self)
        if self.rules.contract.expiry is not None:
            settle_if_due(self, self.rules.contract.expiry)
        lap("mark")
        if self.interruptions is not None:
            self.interruptions.watch_debts()
        if t.venue[V_FEE_SHARE_PPM]:
            self.for_each(contribute, np.zeros(1, dtype=np.int64))
        if t.venue[V_MEMBERS_AT] != NONE:
            collect_contributions(self)
        rounds = waterfall.run(self)
        lap("liquidation rounds")
        losses.share(self)
        note_balances(t, self.step)
        lap("loss sharing")
        invariants.check_totals(t)
        if self.check:
            invariants.check_all(t)
        lap("laws")
        done = len(commands) + triggered + rounds.forced_orders
        t.venue[V_STEP] += 1
        self.flush()
        lap("events")
        distressed = t.venue.item(V_LISTED_COUNT)
        return StepReport(results, done, rounds.forced_orders, rounds.rounds, rounds.unfinished, distressed)

    def _check_input(self, commands: NDArray[np.int64], index_ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index prices; refuse what is not a batch of commands, or not a price per market (R-U4, R-I1)."""
        if type(commands) is not np.ndarray or commands.dtype != INT64 or commands.shape[1:] != (COMMAND_COLUMNS,):
            got = getattr(commands, "dtype", type(commands).__name__)
            raise ValueError(
                f"commands must be an int64 array of shape (n, {COMMAND_COLUMNS}) "
                f"(got {got} of shape {np.shape(commands)})"
            )
        index = np.asarray(index_ticks)
        count = len(self.markets)
        per_source = self._sources > 0 and index.shape == (count, self._sources)
        whole = index.dtype.kind == "i" and (index.shape == (count,) or per_source)
        prices = index.ravel().tolist()  # a few: quicker in a list
        if not whole or min(prices) < (0 if per_source else 1) or max(prices) > state.PRICE_TICKS_LIMIT:
            sources = f", or ({count}, {self._sources}) with 0 for a silent source" if self._sources else ""
            raise ValueError(
                f"index_ticks needs one whole price of 1 .. {state.PRICE_TICKS_LIMIT} ticks per market{sources} "
                f"(got {index_ticks})"
            )
        return index

    def execute(self, commands: NDArray[np.int64], *, forced: bool = False) -> NDArray[np.int64]:
        """Execute commands in order through the one path there is; return their results.

        `forced`: the commands are the engine's own, so that FLAG_FORCED is allowed.
        """
        if len(commands) == 0:
            return np.zeros(0, dtype=np.int64)
        t = self.tables
        t.venue[V_FORCING] = forced
        if not (commands.flags.c_contiguous and commands.flags.writeable):
            # Another memory layout, or a read-only array, would be another kernel to compile.
            commands = np.require(commands, requirements=["C", "W"])
        results = np.zeros(len(commands), dtype=np.int64)
        row = execute(t, commands, results, 0)
        while row < len(commands):
            self.flush()
            row = execute(t, commands, results, row)
        assert t.venue[V_TAKER] == NONE
        return results

    def begin_auction(self, market: int, holder: int = IN_HALT) -> None:
        """Let the orders of a market collect from here on; in a batch auction, let them wait longer (R-H1).

        The rules must know auctions (`matching_columns.holds_auctions`), and it must be nobody else's halt.
        """
        auction.begin_auction(self.tables, market, holder)

    def uncross(self, market: int) -> int:
        """End the auction of a market; return the price of its last trades in ticks, 0 if there were none (R-H2)."""
        while not auction.uncross(self.tables, market):
            self.flush()
        return self.tables.markets.item(market, M_AUCTION_TICKS)

    def _begin_batch(self) -> None:
        """Begin an interval of batch auctions in every market that trades (R-O20)."""
        if self.rules.matching.batch is not None:
            for market, row in enumerate(self._market_rows):
                if row[M_AUCTION] == OPEN:
                    auction.begin_auction(self.tables, market, IN_BATCH)

    def _end_batch(self) -> None:
        """Uncross every market at the end of an interval of batch auctions (R-O20)."""
        batch = self.rules.matching.batch
        if batch is not None and (self.step + 1) % self.steps(batch.interval_s) == 0:
            for market, row in enumerate(self._market_rows):
                if row[M_AUCTION] == IN_BATCH:
                    self.uncross(market)

    def _triggered_commands(self, count: int) -> NDArray[np.int64]:
        """Return the waiting orders just collected as commands, by market and sequence number (R-O7)."""
        t = self.tables
        assert 0 < count < len(t.orders)
        commands = np.zeros((count, COMMAND_COLUMNS), dtype=np.int64)
        rows = t.triggered[:count]
        order = np.lexsort((t.orders[rows, O_SEQUENCE], t.orders[rows, O_MARKET]))
        as_commands(t, rows[order], commands)
        return commands

    def funding_clock(self) -> tuple[bool, int, int]:
        """Return whether there is funding, the steps from one payment to the next, and those left (1, 1 without)."""
        interval = self.tables.venue.item(V_FUNDING_STEPS)
        return (True, interval, interval - self.step % interval) if interval else (False, 1, 1)

    def renew_marks(self) -> None:
        """Take the mark of every market from its rule, if it is time for a new one (R-P, R-P10)."""
        rule = self.rules.mark
        if rule.update is not None and self.step % self.steps(rule.update.every_s):
            return
        if self._knows_marks:
            market = renew_marks(self.tables, 0)
            while market < len(self.markets):
                self.flush()
                market = renew_marks(self.tables, market)
            return
        for market, row in enumerate(self._market_rows):
            price_max = row.item(M_PRICE_MAX_TICKS)
            mark = rule.mark_ticks(self.prices.inputs(market), price_max)
            if mark != row[M_MARK_TICKS] or self._journal:  # the collar follows from the mark
                self._set_mark(market, row, mark, price_max)

    def _set_mark(self, market: int, row: NDArray[np.int64], mark_ticks: int, price_max: int) -> None:
        """Store a mark and the collar around it."""
        assert 1 <= mark_ticks < price_max, "a mark rule must stay within the price range"
        row[M_MARK_TICKS] = mark_ticks
        row[M_COLLAR_LOW], row[M_COLLAR_HIGH] = self.rules.halts.bounds_ticks(mark_ticks, price_max)
        if self._journal:
            self.make_room()
            record(self.tables, int(Event.MARK), market, NONE, NONE, 0, mark_ticks, int(row[M_INDEX_TICKS]), 0, 0)

    def look(self) -> None:
        """Bring the list of distressed units up to date at the current marks (R-W2)."""
        while not look(self.tables):
            self.flush()
        if self.check:
            invariants.check_distressed_listed(self.tables)

    def limit_liquidations(self, units: int | None = None, value_atoms: int | None = None) -> None:
        """Impair the liquidation engine from the next step on, until called again; no arguments: it is sound (R-W61).

        It treats at most `units` units a step (0: it stands still), and units only as long as those before them in the
        step hold positions worth less than `value_atoms`. Raises ValueError if a limit is negative.
        """
        for name, limit in (("units", units), ("value_atoms", value_atoms)):
            if limit is not None and limit < 0:
                raise ValueError(f"{name} must be 0 or more, or None for no limit (got {limit})")
        self.tables.venue[V_DUE_UNITS_MAX] = NONE if units is None else units
        self.tables.venue[V_DUE_VALUE_MAX_ATOMS] = NONE if value_atoms is None else value_atoms

    def set_supply(self, lots: NDArray[np.int64]) -> None:
        """Take note of the circulating supply of each market's underlying, (M,) lots, 0 if not known (R-H17)."""
        if np.shape(lots) != (len(self.markets),) or np.min(lots) < 0:
            raise ValueError(f"lots must be {len(self.markets)} numbers of 0 or more (got {lots})")
        self.tables.markets[:, M_SUPPLY_LOTS] = lots

    def set_sink(self, sink: Sink) -> None:
        """Send event rows to `sink` whenever the buffer fills and at the end of every step; the array is a copy."""
        self._sink = sink

    def flush(self) -> None:
        """Empty the event buffer into the sink, or keep its rows for `drain_events`."""
        count = self.tables.venue.item(V_EVENT_COUNT)
        if count == 0:
            return
        rows = self.tables.events[:count].copy()
        self.tables.venue[V_EVENT_COUNT] = 0
        if self._sink is not None:
            self._sink(rows)
        else:
            self._kept.append(rows)

    def make_room(self) -> None:
        """Empty the event buffer if it could not hold what one match, transfer or posting may write."""
        if not has_room(self.tables):
            self.flush()

    def for_each(self, do: Callable[[Tables, NDArray[np.int64], int], int], rows: NDArray[np.int64]) -> None:
        """Let a kernel (tables, rows, first to do) -> next to do go through all rows, however often events fill."""
        done = do(self.tables, rows, 0)
        while done < len(rows):
            self.flush()
            done = do(self.tables, rows, done)

    def drain_events(self) -> NDArray[np.int64]:
        """Return all events since the last call, (k, EVENT_COLUMNS), and forget them."""
        self.flush()
        kept = self._kept or [self.tables.events[:0].copy()]
        self._kept = []
        return np.concatenate(kept)

    def snapshot(self) -> dict[str, NDArray[np.int64]]:
        """Return a copy of all state between two steps."""
        return state.snapshot(self.tables)

    def restore(self, saved: dict[str, NDArray[np.int64]]) -> None:
        """Go back to a snapshot of a venue of the same size."""
        state.restore(self.tables, saved)

    def digest(self) -> str:
        """Return a hash of all state: under one rule set, what has one digest has one future (see digest.py)."""
        return digest_of(self.tables)

    def conservation_error_atoms(self) -> int:
        """Return how far I1, I2 and I3 are violated in all; 0 unless the code is wrong."""
        return invariants.conservation_error(self.tables)
