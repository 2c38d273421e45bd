"""What interrupts trading: bands, pauses, auctions, sessions, gates (R-H10 to R-H18).

Kernels ask three columns of a market (its mode and its band); everything that takes time is decided here, a few times a
step, and only if the rules know halts at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .auction_price import auction_price
from .book import best_ask_ticks
from .events import IN_AUCTION, Event, record
from .kernel import kernel
from .ledger import balance_atoms
from .margin import equity_atoms, in_unit, owner_of
from .rules.base import ATOMS_PER_QUOTE
from .rules.halts import Band, Halts, Mode, band_around
from .tables import (
    CANCEL_ONLY,
    FUND,
    HELD_BACK,
    IN_HALT,
    M_AUCTION,
    M_BAND_HIGH,
    M_BAND_LOW,
    M_BEST_BID,
    M_BREAKER_TICKS,
    M_EXTENDED,
    M_HALT,
    M_HALT_UNTIL,
    M_LAST_TICKS,
    M_LEANING,
    M_LEVELS_USED,
    M_LIMIT_SINCE,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    M_REFERENCE_SINCE,
    M_SESSION_TICKS,
    NO_BAND,
    NONE,
    OPEN,
    P_LOTS,
    REDUCE_ONLY,
    TO_AUCTION,
    TRADING,
    V_ACCOUNTS,
    V_AUCTION_STEPS,
    V_BANDS,
    V_FUND_FLOOR_ATOMS,
    V_GATE_UNTIL,
    V_HALTS,
    V_LISTED_COUNT,
    V_MARKETS,
    V_OWING_COUNT,
    V_POSITION_FREE_ATOMS,
    V_POSITION_INTEREST_PPM,
    V_POSITION_SUPPLY_PPM,
    V_POSITION_VALUE_ATOMS,
    Table,
    Tables,
)

if TYPE_CHECKING:
    from .venue import Venue

HALT = int(Event.HALT)
MODES: dict[Mode, int] = {"cancel_only": CANCEL_ONLY, "reduce_only": REDUCE_ONLY}
HALT_SWITCHES = [
    V_HALTS, V_BANDS, V_AUCTION_STEPS, V_POSITION_VALUE_ATOMS, V_POSITION_INTEREST_PPM, V_POSITION_FREE_ATOMS,
    V_POSITION_SUPPLY_PPM,
]  # fmt: skip


def memory_s(rules: Halts) -> int:
    """Return how many seconds of last prices the rules look back, 0 if none."""
    spans = [0]
    if rules.limit_up_down is not None:
        spans.append(rules.limit_up_down.mean_s)
    if rules.breaker is not None and rules.breaker.reference == "rolling":
        spans.append(rules.breaker.window_s)
    if rules.volatility_auction is not None:
        spans.append(rules.volatility_auction.horizon_s)
    return max(spans)


def fill_halts(venue: NDArray[np.int64], rules: Halts) -> None:
    """Copy what kernels need of the rules."""
    venue[V_HALTS] = int(rules.active)
    venue[V_GATE_UNTIL] = NONE
    hard = rules.daily is not None and rules.daily.hard_ppm > 0
    venue[V_BANDS] = HELD_BACK if rules.limit_up_down is not None or hard else NO_BAND
    if rules.volatility_auction is not None:
        venue[V_BANDS] = TO_AUCTION
    limit = rules.position_limit
    if limit is not None:
        venue[V_POSITION_VALUE_ATOMS] = limit.value_quote * ATOMS_PER_QUOTE
        venue[V_POSITION_INTEREST_PPM] = limit.interest_ppm
        venue[V_POSITION_SUPPLY_PPM] = limit.supply_ppm
        venue[V_POSITION_FREE_ATOMS] = limit.free_quote * ATOMS_PER_QUOTE


class Interruptions:
    """The halts of a venue, one step after another; all that is remembered stands in its tables."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.rules = venue.rules.halts
        self.lasts = venue.tables.lasts
        if self.rules.volatility_auction is not None:
            venue.tables.venue[V_AUCTION_STEPS] = venue.steps(self.rules.volatility_auction.auction_s)

    # Begin of a step

    def begin_step(self) -> None:
        """End what is over, begin sessions, and renew references and bands, market by market."""
        for market, row in enumerate(self.venue.tables.markets):
            self._end(market, row)
            self._begin_session(market, row)
            self._renew_references(row)
            self._renew_band(market, row)

    def _end(self, market: int, row: NDArray[np.int64]) -> None:
        """End a halt whose time has come; an auction that would leave its bounds may be extended once."""
        in_auction = row[M_AUCTION] == IN_HALT
        if (row[M_HALT] == TRADING and not in_auction) or self.venue.step < row[M_HALT_UNTIL]:
            return
        if in_auction:
            if self._extends(market, row):
                return
            self.venue.uncross(market)
        row[M_HALT] = TRADING
        row[M_LIMIT_SINCE] = NONE
        row[M_REFERENCE_SINCE] = self.venue.step
        row[M_BREAKER_TICKS] = price_of(row)
        self._record(market, row)

    def _extends(self, market: int, row: NDArray[np.int64]) -> bool:
        """Extend a volatility auction that would uncross outside its bounds (R-H14)."""
        rule = self.rules.volatility_auction
        if rule is None or rule.extension_s == 0 or row[M_EXTENDED]:
            return False
        price, _, _ = auction_price(self.venue.tables, market)
        if price == 0 or row[M_BAND_LOW] <= price <= row[M_BAND_HIGH]:
            return False
        row[M_EXTENDED] = 1
        row[M_HALT_UNTIL] = self.venue.step + self.venue.steps(rule.extension_s)
        self._record(market, row)
        return True

    def _begin_session(self, market: int, row: NDArray[np.int64]) -> None:
        """Begin a time of restricted trading (R-H18); it takes over whatever halt there is."""
        for session in self.rules.sessions or ():
            if self.venue.step == self.venue.steps(session.start_s):
                self._halt(market, row, session.length_s, session.mode)

    def _renew_references(self, row: NDArray[np.int64]) -> None:
        """Take the references of sessions and intervals from the last price at their beginning (R-H12, R-H13)."""
        step, steps = self.venue.step, self.venue.steps
        if self.rules.daily is not None and step % steps(self.rules.daily.session_s) == 0:
            row[M_SESSION_TICKS] = price_of(row)
            row[M_LEVELS_USED] = 0
        breaker = self.rules.breaker
        if breaker is not None and breaker.reference == "interval" and step % steps(breaker.window_s) == 0:
            row[M_BREAKER_TICKS] = price_of(row)

    def _renew_band(self, market: int, row: NDArray[np.int64]) -> None:
        """Set the band in which trades may take place; the bounds of an auction stay until it ends."""
        if row[M_AUCTION] == IN_HALT:
            return
        bands = []
        if self.rules.limit_up_down is not None:
            rule = self.rules.limit_up_down
            seen = self._seen(market, self.venue.steps(rule.mean_s), 0)
            mean = int(seen.sum()) // len(seen) if len(seen) else price_of(row)
            bands.append(band_around(mean, rule.width_at_ppm(self.venue.step * self.venue.dt_s)))
        if self.rules.volatility_auction is not None:
            bands.append(self.rules.volatility_auction.bounds(self._price_before(market, row)))
        if self.rules.daily is not None and self.rules.daily.hard_ppm:
            bands.append(band_around(int(row[M_SESSION_TICKS]), self.rules.daily.hard_ppm))
        whole = Band(1, int(row[M_PRICE_MAX_TICKS]) - 1)
        # Bands that do not overlap leave the nearest price to both: the first wins.
        low = max([whole.low_ticks, *(band.low_ticks for band in bands)])
        high = max(low, min([whole.high_ticks, *(band.high_ticks for band in bands)]))
        row[M_BAND_LOW], row[M_BAND_HIGH] = min(low, whole.high_ticks), min(high, whole.high_ticks)
        assert 1 <= row[M_BAND_LOW] <= row[M_BAND_HIGH] < row[M_PRICE_MAX_TICKS]

    def _seen(self, market: int, steps: int, since: int) -> NDArray[np.int64]:
        """Return the last prices at the ends of the latest `steps` steps, none before step `since`."""
        first = max(since, self.venue.step - steps, 0)
        return self.lasts[market, np.arange(first, self.venue.step) % self.lasts.shape[1]]

    def _price_before(self, market: int, row: NDArray[np.int64]) -> int:
        """Return the last price a horizon ago, or the oldest since the last auction."""
        rule = self.rules.volatility_auction
        assert rule is not None
        seen = self._seen(market, self.venue.steps(rule.horizon_s), int(row[M_REFERENCE_SINCE]))
        return int(seen[0]) if len(seen) else price_of(row)

    # After the commands of a step

    def after_commands(self) -> None:
        """Note last prices, and pause the markets whose prices moved too far or lean against their band."""
        for market, row in enumerate(self.venue.tables.markets):
            self.lasts[market, self.venue.step % self.lasts.shape[1]] = price_of(row)
            if row[M_HALT] == TRADING and row[M_AUCTION] == OPEN:
                self._watch_band(market, row)
                self._watch_breaker(market, row)
                self._watch_levels(market, row)
            row[M_LEANING] = 0

    def _watch_band(self, market: int, row: NDArray[np.int64]) -> None:
        """Pause a market whose limit state has lasted too long (R-H11)."""
        rule = self.rules.limit_up_down
        if rule is None:
            return
        ask = int(best_ask_ticks(self.venue.tables, market))
        leaning = row[M_LEANING] != 0 or row[M_BEST_BID] >= row[M_BAND_HIGH] or 0 < ask <= row[M_BAND_LOW]
        if not leaning:
            row[M_LIMIT_SINCE] = NONE
            return
        if row[M_LIMIT_SINCE] == NONE:
            row[M_LIMIT_SINCE] = self.venue.step
        if self.venue.step - row[M_LIMIT_SINCE] >= self.venue.steps(rule.limit_state_s):
            self._halt(market, row, rule.pause_s, _mode_of(rule.reopening))

    def _watch_breaker(self, market: int, row: NDArray[np.int64]) -> None:
        """Pause a market whose last price has moved too far (R-H12)."""
        rule, price = self.rules.breaker, price_of(row)
        if rule is None or row[M_HALT] != TRADING or row[M_AUCTION] != OPEN:
            return
        low = high = int(row[M_BREAKER_TICKS]) or price
        if rule.reference == "rolling":
            seen = self._seen(market, self.venue.steps(rule.window_s), int(row[M_REFERENCE_SINCE]))
            low, high = (int(seen.min()), int(seen.max())) if len(seen) else (price, price)
        above, below = band_around(low, rule.width_ppm).high_ticks, band_around(high, rule.width_ppm).low_ticks
        if below < price < above:
            return
        self._halt(market, row, rule.pause_s, _mode_of(rule.reopening))
        if rule.limit_becomes_reference:
            row[M_BREAKER_TICKS] = above if price >= above else below

    def _watch_levels(self, market: int, row: NDArray[np.int64]) -> None:
        """Pause a market that has reached the next level of decline of its session (R-H13)."""
        rule, used = self.rules.daily, int(row[M_LEVELS_USED])
        if rule is None or used == len(rule.levels) or row[M_HALT] != TRADING or row[M_AUCTION] != OPEN:
            return
        price, reference = price_of(row), int(row[M_SESSION_TICKS])
        reached = [level for level in rule.levels[used:] if price <= band_around(reference, level.fall_ppm).low_ticks]
        if not reached:
            return
        row[M_LEVELS_USED] = used + len(reached)
        session = self.venue.steps(rule.session_s)
        rest_s = (session - self.venue.step % session) * self.venue.dt_s
        self._halt(market, row, reached[-1].pause_s or rest_s, _mode_of(rule.reopening))

    def watch_debts(self) -> None:
        """Close the gate for withdrawals if an account is below zero, or the fund below its floor (R-H15)."""
        rule, t = self.rules.withdrawal_gate, self.venue.tables
        if rule is None:
            return
        self.venue.look()
        if is_below_zero(t, rule.below_floor):
            t.venue[V_GATE_UNTIL] = self.venue.step + self.venue.steps(rule.duration_s)

    # Halts

    def _halt(self, market: int, row: NDArray[np.int64], length_s: int, mode: Mode) -> None:
        """Restrict trading in a market for so long from the next step on."""
        row[M_HALT_UNTIL] = self.venue.step + self.venue.steps(length_s)
        row[M_EXTENDED] = 0
        if mode == "auction":
            row[M_HALT] = TRADING
            if row[M_AUCTION] != IN_HALT:
                self.venue.begin_auction(market, IN_HALT)
        else:
            row[M_HALT] = MODES[mode]
        self._record(market, row)

    def _record(self, market: int, row: NDArray[np.int64]) -> None:
        self.venue.make_room()
        mode = IN_AUCTION if row[M_AUCTION] == IN_HALT else int(row[M_HALT])
        record(self.venue.tables, HALT, market, NONE, NONE, 0, price_of(row), int(row[M_HALT_UNTIL]), 0, mode)


def _mode_of(reopening: str) -> Mode:
    return "auction" if reopening == "auction" else "cancel_only"


def price_of(row: NDArray[np.int64]) -> int:
    """Return the last price of a market, the mark before the first trade, in ticks."""
    return int(row[M_LAST_TICKS] or row[M_MARK_TICKS])


@kernel
def is_below_zero(t: Tables, below_floor: bool) -> bool:
    """Say whether a distressed or flat unit has negative equity, or, if asked, the fund is below its floor (R-H15)."""
    if t.venue[V_OWING_COUNT] > 0:
        return True
    for i in range(t.venue[V_LISTED_COUNT]):
        if equity_atoms(t, t.listed[i]) < 0:
            return True
    return below_floor and balance_atoms(t, t.venue[V_ACCOUNTS] + FUND) < t.venue[V_FUND_FLOOR_ATOMS]


@kernel
def keep_tradable(t: Tables, rows: Table, unit_column: int, in_auctions: bool) -> int:
    """Move the rows of units without a position in a halted market to the front; return how many (R-H16)."""
    kept = 0
    for i in range(rows.shape[0]):
        unit = rows[i, unit_column]
        account = owner_of(t, unit)
        halted = False
        for market in range(t.venue[V_MARKETS]):
            stopped = t.markets[market, M_HALT] == CANCEL_ONLY
            stopped = stopped or (in_auctions and t.markets[market, M_AUCTION] == IN_HALT)
            if stopped and in_unit(t, unit, account, market):
                halted = halted or t.positions[account * t.venue[V_MARKETS] + market, P_LOTS] != 0
        if not halted:
            for column in range(rows.shape[1]):
                rows[kept, column] = rows[i, column]
            kept += 1
    assert kept <= rows.shape[0]
    return kept
