"""Hand-made venues for tests of agents: tables as a venue has them, set directly, and views of them."""

import mesa
import numpy as np
from numpy.typing import NDArray

from delever.agents.cohort import Cohort, Commands
from delever.agents.view import View
from delever.engine.commands import C_KIND, Kind
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market, allocate
from delever.engine.tables import (
    A_ORDERS,
    FLAG_NOTICE,
    M_BEST_ASK,
    M_BEST_BID,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_INDEX_TICKS,
    M_MARK_TICKS,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_LOTS,
    U_CREDITS_ATOMS,
    U_FLAGS,
)

Ints = NDArray[np.int64]

QUOTE = 1_000_000
MULTIPLIER_ATOMS = 500  # a lot of 0.001 at ticks of 0.5
MARK = 16_000
LOT = MULTIPLIER_ATOMS * MARK  # value of a lot: 8 quote units
PRICE_MAX = 40_000


class Board:
    """A hand-made venue: tables of `traders` accounts that each have `equity` in lots of value, flat."""

    def __init__(
        self, traders: int = 1, *, rules: RuleSet | None = None, markets: int = 1, equity_lots: int = 10_000
    ) -> None:
        self.rules = rules or RuleSet()
        self.symbols = [f"M{market}" for market in range(markets)]
        listed = [Market(symbol, MULTIPLIER_ATOMS, PRICE_MAX) for symbol in self.symbols]
        self.tables = allocate(self.rules, listed, np.arange(traders), [MARK] * markets, 10, False)
        self.tables.units[:traders, U_CREDITS_ATOMS] = equity_lots * LOT
        self.price(MARK, index=MARK)

    def price(self, mark: int, *, index: int, bid: int | None = None, ask: int | None = None) -> None:
        """Set mark, index and best prices (a tick either side of the mark; 0: that side is empty)."""
        row = self.tables.markets
        row[:, M_MARK_TICKS], row[:, M_INDEX_TICKS] = mark, index
        row[:, M_COLLAR_LOW], row[:, M_COLLAR_HIGH] = self.rules.halts.bounds_ticks(mark, PRICE_MAX)
        row[:, M_BEST_BID] = mark - 1 if bid is None else bid
        row[:, M_BEST_ASK] = (mark + 1 if ask is None else ask) or PRICE_MAX

    def hold(self, trader: int, lots: int, entry: int = MARK, market: int = 0) -> None:
        """Give a trader a position."""
        row = self.tables.positions[trader * len(self.symbols) + market]
        row[P_LOTS], row[P_COST_ATOMS] = lots, lots * MULTIPLIER_ATOMS * entry

    def orders(self, trader: int, *, bids: int = 0, asks: int = 0) -> None:
        """Let a trader have resting orders."""
        row = self.tables.positions[trader * len(self.symbols)]
        row[P_BIDS_LOTS], row[P_ASKS_LOTS] = bids, asks
        self.tables.accounts[trader, A_ORDERS] = (bids > 0) + (asks > 0)

    def call(self, trader: int) -> None:
        """Let a margin call stand."""
        self.tables.units[trader, U_FLAGS] = FLAG_NOTICE

    def view(self, step: int = 100, history: Ints | None = None, volatility_ppm: float = 50.0) -> View:
        markets = len(self.symbols)
        if history is None:
            history = np.full((step, markets), self.tables.markets[0, M_MARK_TICKS])
        return View(self.tables, self.rules, self.symbols, step, 1, history, np.full(markets, volatility_ppm))


def make(kind: type[Cohort], traders: int = 1, *, first_row: int = 0, seed: int = 7, **numbers: object) -> Cohort:
    rows = np.arange(first_row, first_row + traders)
    parameters = kind.Parameters(**numbers) if numbers else None
    return kind(mesa.Model(), kind.__name__.lower(), rows, rows * 11 + 5, seed, parameters)


def everybody(cohort: Cohort) -> Ints:
    return np.arange(cohort.n)


def of_kind(commands: Commands, kind: Kind) -> Commands:
    return commands[commands[:, C_KIND] == kind]
