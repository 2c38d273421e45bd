"""What a trader may see: the state of a venue at the end of the step before, read-only and dated.

Market columns are arrays of length M. Methods answer for accounts: `accounts` is an array of account rows,
`market` an array of markets of the same length, or one market for all; the answer has one element per
account. Nothing is worked out for accounts nobody asks about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from delever.engine.assets import credited_atoms_of
from delever.engine.funds import every_fund
from delever.engine.liquidation_price import liquidation_ticks_of
from delever.engine.payoff import entries_ticks, values_atoms, worths_atoms
from delever.engine.rules.base import PPM
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import (
    A_ORDERS,
    BAD_DEBT,
    FLAG_NOTICE,
    L_LOTS,
    M_BEST_ASK,
    M_BEST_BID,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_FUNDING_PPB,
    M_INDEX_TICKS,
    M_LAST_TICKS,
    M_MARK_TICKS,
    M_MULTIPLIER_ATOMS,
    M_PRICE_MAX_TICKS,
    M_TIER_COUNT,
    M_TIERS,
    NONE,
    OUTSIDE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_INITIAL_PPM,
    P_ISOLATED,
    P_LOTS,
    TIER_DEDUCTION_ATOMS,
    TIER_FLOOR_ATOMS,
    TIER_INITIAL_PPM,
    TIER_MAINTENANCE_PPM,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    U_FLAGS,
    U_SINCE_STEP,
    V_ACCOUNTS,
    V_ASSETS,
    V_ISOLATED_ALLOWED,
    V_LOTS_MAX,
    V_POCKETS_AT,
    V_REQUIREMENTS,
    V_ROUND_REQUIREMENT_UP,
    Table,
    Tables,
)

from .account import rates_at_ppm, requirements_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
IntegerOrColumn = int | Ints
Array = TypeVar("Array", bound=NDArray[Any])


class Standing(NamedTuple):
    """Where accounts stand in one market each, one element per account: lots, and money in atoms."""

    lots: Ints
    cost_atoms: Ints
    bids_lots: Ints
    asks_lots: Ints
    equity_atoms: Ints
    """Of the whole account: money in all its units, the unrealised profit of all its positions, its assets' credit."""
    lot_atoms: Ints
    """Value of one lot at the mark."""
    isolated: Bools
    """Whether the market is isolated for the account."""


class View:
    """The market and the accounts as agents see them in one step; every array is read-only."""

    def __init__(
        self,
        tables: Tables,
        rules: RuleSet,
        symbols: Sequence[str],
        step: int,
        dt_s: int,
        mark_history: Ints,
        volatility_ppm: Floats,
        supply_ratio: Floats | None = None,
        market_weight: Floats | None = None,
    ) -> None:
        """Look at `tables` at the start of `step`.

        `mark_history` holds the marks of the steps so far, (steps, M), newest last; `volatility_ppm` (M,) the
        moving average of the absolute change of the mark per step, `supply_ratio` (M,) the circulating supply as a
        multiple of that of the beginning, `market_weight` (M,) the size of each market as a multiple of their mean (1
        if left out). None of them is copied, nor are the tables: the view is good until the venue moves on. What is
        not asked for is not worked out.
        """
        self.step = step
        self.dt_s = dt_s
        self.time_s = step * dt_s
        self.rules = rules
        self.symbols = tuple(symbols)
        self.tables = tables  # the venue's own: for reading what no method answers
        self.mark_history = _sealed(mark_history.view())
        self.volatility_ppm = _sealed(volatility_ppm.view())
        self.supply_ratio = _sealed(np.ones(len(self.symbols)) if supply_ratio is None else supply_ratio.view())
        self.market_weight = _sealed(np.ones(len(self.symbols)) if market_weight is None else market_weight.view())

    # Markets: arrays of length M.

    @cached_property
    def multiplier_atoms(self) -> Ints:
        """Value of a lot per tick; of an inverse lot, its value at one tick (R-U5)."""
        return self._column(M_MULTIPLIER_ATOMS)

    @cached_property
    def price_max_ticks(self) -> Ints:
        """First price that is too high."""
        return self._column(M_PRICE_MAX_TICKS)

    @cached_property
    def bid_ticks(self) -> Ints:
        """Best bid, 0 if there is none."""
        return self._column(M_BEST_BID)

    @cached_property
    def ask_ticks(self) -> Ints:
        """Best ask, 0 if there is none."""
        best = self._column(M_BEST_ASK)
        return _sealed(best * (best < self.price_max_ticks))

    @cached_property
    def last_ticks(self) -> Ints:
        """Price of the last trade, 0 before the first."""
        return self._column(M_LAST_TICKS)

    @cached_property
    def mark_ticks(self) -> Ints:
        """Mark price."""
        return self._column(M_MARK_TICKS)

    @cached_property
    def index_ticks(self) -> Ints:
        """Index price."""
        return self._column(M_INDEX_TICKS)

    @cached_property
    def funding_ppb(self) -> Ints:
        """Rate of the last funding payment."""
        return self._column(M_FUNDING_PPB)

    @cached_property
    def collar_low(self) -> Ints:
        """Lowest admissible price."""
        return self._column(M_COLLAR_LOW)

    @cached_property
    def collar_high(self) -> Ints:
        """Highest admissible price."""
        return self._column(M_COLLAR_HIGH)

    @cached_property
    def lot_atoms(self) -> Ints:
        """Value of one lot at the mark."""
        one = np.ones(self.markets, dtype=np.int64)
        return _sealed(values_atoms(self.tables, np.arange(self.markets), one, self.mark_ticks))

    @cached_property
    def initial_ppm(self) -> Ints:
        """Initial margin rate of the first tier."""
        return self._first_tier(TIER_INITIAL_PPM)

    @cached_property
    def maintenance_ppm(self) -> Ints:
        """Maintenance margin rate of the first tier."""
        return self._first_tier(TIER_MAINTENANCE_PPM)

    @cached_property
    def lots_max(self) -> int:
        """Largest position and order."""
        return int(self.tables.venue[V_LOTS_MAX])

    @cached_property
    def cover_atoms(self) -> int:
        """What the venue's funds hold, less all losses that were written off."""
        written_off = self._balance_of(BAD_DEBT)
        return int(self._balances(np.array(every_fund(self.tables))).sum()) + min(written_off, 0)

    @cached_property
    def deposits_atoms(self) -> int:
        """What everybody has brought to the venue and not taken away, the first money of its funds included."""
        return -self._balance_of(OUTSIDE)

    @cached_property
    def isolated_allowed(self) -> bool:
        """Whether a trader may choose isolated margin."""
        return bool(self.tables.venue[V_ISOLATED_ALLOWED])

    @cached_property
    def _pockets_at(self) -> int:
        return int(self.tables.venue[V_POCKETS_AT])

    def _balance_of(self, unit: int) -> int:
        """Return the balance of one of the venue's own units."""
        return int(self._balances(self.tables.venue[[V_ACCOUNTS]] + unit)[0])

    def _column(self, column: int) -> Ints:
        return _sealed(self.tables.markets[:, column].copy())

    def _first_tier(self, column: int) -> Ints:
        return _sealed(self.tables.tiers[self.tables.markets[:, M_TIERS], column])

    @property
    def markets(self) -> int:
        """Number of markets."""
        return len(self.symbols)

    @property
    def mid_ticks(self) -> Ints:
        """Middle of the book, rounded down; the mark where a side is empty."""
        middle = (self.bid_ticks + self.ask_ticks) // 2
        return _sealed(np.where((self.bid_ticks > 0) & (self.ask_ticks > 0), middle, self.mark_ticks))

    def mark_before_ticks(self, steps: IntegerOrColumn, market: IntegerOrColumn) -> Ints:
        """Return the mark so many steps (>= 0) before the newest, or the oldest; the mark if none is."""
        if len(self.mark_history) == 0:
            return self.mark_ticks[market] + np.zeros_like(steps)
        row = np.maximum(len(self.mark_history) - 1 - steps, 0)
        return self.mark_history[row, market]

    def depth_lots(self, market: int, side: int, ticks: int) -> int:
        """Return the lots resting on one side (+1 bids, -1 asks) at most `ticks` away from the best price."""
        best = int(self.bid_ticks[market] if side > 0 else self.ask_ticks[market])
        if best == 0:
            return 0
        low, high = (max(best - ticks, 0), best) if side > 0 else (best, best + ticks)
        return int(self.tables.levels[market, low : high + 1, L_LOTS].sum())

    def standing(self, accounts: Ints, market: Ints) -> Standing:
        """Return what an order is sized by, in one reading; `market` is an array here."""
        position = self._positions(accounts, market)
        return Standing(
            position[:, P_LOTS],
            position[:, P_COST_ATOMS],
            position[:, P_BIDS_LOTS],
            position[:, P_ASKS_LOTS],
            self._equity_atoms(accounts, position if self.markets == 1 else None),
            self.lot_atoms[market],
            position[:, P_ISOLATED] != 0,
        )

    def lots(self, accounts: Ints, market: IntegerOrColumn) -> Ints:
        """Return the signed position."""
        return self._positions(accounts, market)[:, P_LOTS]

    def cost_atoms(self, accounts: Ints, market: IntegerOrColumn) -> Ints:
        """Return the signed value of the entries still open."""
        return self._positions(accounts, market)[:, P_COST_ATOMS]

    def average_entry_ticks(self, accounts: Ints, market: IntegerOrColumn) -> Ints:
        """Return the average entry price, rounded down; 0 without a position."""
        position = self._positions(accounts, market)
        return entries_ticks(self.tables, market, position[:, P_LOTS], position[:, P_COST_ATOMS])

    def liquidation_ticks(self, accounts: Ints, market: int) -> Ints:
        """Return the liquidation price the venue displays, 0 without a position or a price that would do it (R-A9)."""
        prices = np.zeros(len(accounts), dtype=np.int64)
        liquidation_ticks_of(self.tables, np.ascontiguousarray(accounts, dtype=np.int64), market, prices)
        return prices

    def bids_lots(self, accounts: Ints, market: IntegerOrColumn) -> Ints:
        """Return the resting buys that are not reduce-only."""
        return self._positions(accounts, market)[:, P_BIDS_LOTS]

    def asks_lots(self, accounts: Ints, market: IntegerOrColumn) -> Ints:
        """Return the resting sells that are not reduce-only."""
        return self._positions(accounts, market)[:, P_ASKS_LOTS]

    def isolated(self, accounts: Ints, market: IntegerOrColumn) -> Bools:
        """Say for which accounts the market is isolated."""
        return self._positions(accounts, market)[:, P_ISOLATED] != 0

    def open_orders(self, accounts: Ints) -> Ints:
        """Return the number of resting and waiting orders over all markets."""
        return self.tables.accounts[accounts, A_ORDERS]

    def balance_atoms(self, accounts: Ints) -> Ints:
        """Return the money of the whole account, pockets included."""
        balance = self._balances(accounts)
        if self._pockets_at != NONE:
            for market in range(self.markets):
                balance += self._balances(self._pockets(accounts, market))
        return balance

    def equity_atoms(self, accounts: Ints) -> Ints:
        """Return the money of the whole account, all unrealised profit, and what its assets count for (R-A4, R-C4)."""
        return self._equity_atoms(accounts, None)

    def value_atoms(self, accounts: Ints) -> Ints:
        """Return the value of all positions at their marks, longs and shorts added."""
        value = np.zeros(len(accounts), dtype=np.int64)
        for market in range(self.markets):
            value += self._held_atoms(market, self.lots(accounts, market))
        return value

    def maintenance_atoms(self, accounts: Ints) -> Ints:
        """Return the maintenance margin of all positions of the account (R-A2)."""
        margin = np.zeros(len(accounts), dtype=np.int64)
        if self._scheduled:
            for market in range(self.markets):
                margin += self._requirements(accounts, market)[:, 0]
            return margin
        up = self.tables.venue[V_ROUND_REQUIREMENT_UP] != 0
        for market in range(self.markets):
            value = self._held_atoms(market, self.lots(accounts, market))
            tier = self._tiers(market, value)
            gross = _share(value, tier[:, TIER_MAINTENANCE_PPM], up=up)
            margin += np.maximum(gross - tier[:, TIER_DEDUCTION_ATOMS], 0)
        return margin

    def initial_atoms(self, accounts: Ints, market: int) -> Ints:
        """Return the initial margin of position and resting orders in one market (R-A3, R-A6), rounded up."""
        if self._scheduled:
            return self._requirements(accounts, market)[:, 2]
        position = self._positions(accounts, market)
        return self._initial_atoms(position, market, _exposure_lots(position))

    def free_collateral_atoms(self, accounts: Ints) -> Ints:
        """Return what the cross unit has above the initial margin of positions and resting orders (R-A5)."""
        free = self._balances(accounts)
        self._add_assets(accounts, free)
        for market in range(self.markets):
            position = self._positions(accounts, market)
            if self._scheduled:
                _, held, exposed = self._requirements(accounts, market).T
            else:
                exposed = self._initial_atoms(position, market, _exposure_lots(position))
                held = self._initial_atoms(position, market, np.abs(position[:, P_LOTS]))
            cross = self._unrealised_atoms(position, market) - exposed
            isolated = -np.maximum(exposed - held, 0)
            free += np.where(position[:, P_ISOLATED] != 0, isolated, cross)
        return free

    def withdrawable_atoms(self, accounts: Ints) -> Ints:
        """Return what the venue would pay out, at least 0: free collateral, at most the cross unit's money (R-O9)."""
        return np.asarray(np.maximum(np.minimum(self.free_collateral_atoms(accounts), self._balances(accounts)), 0))

    def debits_atoms(self, accounts: Ints) -> Ints:
        """Return all that was ever taken from the cross unit: withdrawals, losses, fees."""
        return self.tables.units[accounts, U_DEBITS_ATOMS]

    def initial_ppm_at(self, market: Ints, value_atoms: Ints) -> Ints:
        """Return the venue's initial margin rate at position values, both arrays (R-A1, R-A3)."""
        if self.markets == 1:
            return self._rates_ppm(0, value_atoms)
        rate = np.zeros(len(value_atoms), dtype=np.int64)
        for each in range(self.markets):
            here = market == each
            rate[here] = self._rates_ppm(each, value_atoms[here])
        return rate

    @cached_property
    def _scheduled(self) -> bool:
        """Whether what a position needs is more than brackets: then the venue's own kernels say it (R-A20 to R-A35)."""
        return bool(self.tables.venue[V_REQUIREMENTS])

    def _rates_ppm(self, market: int, value_atoms: Ints) -> Ints:
        if not self._scheduled:
            return self._tiers(market, value_atoms)[:, TIER_INITIAL_PPM]
        rates = np.zeros(len(value_atoms), dtype=np.int64)
        rates_at_ppm(self.tables, market, np.array(value_atoms, dtype=np.int64), rates)
        return rates

    def _requirements(self, accounts: Ints, market: int) -> Ints:
        """Return maintenance, initial margin of the position and of the exposure in a market, (n, 3) atoms."""
        amounts = np.zeros((len(accounts), 3), dtype=np.int64)
        requirements_of(self.tables, np.array(accounts, dtype=np.int64), market, amounts)
        return amounts

    def called(self, accounts: Ints) -> Bools:
        """Say for which accounts a margin call stands, on the cross unit or on any pocket (R-A8)."""
        return self._any_unit(accounts, lambda units: (units[:, U_FLAGS] & FLAG_NOTICE) != 0)

    def distressed(self, accounts: Ints) -> Bools:
        """Say which accounts have a distressed unit, i.e. are being liquidated (R-W1)."""
        return self._any_unit(accounts, lambda units: units[:, U_SINCE_STEP] != NONE)

    def _positions(self, accounts: Ints, market: IntegerOrColumn) -> Table:
        return self.tables.positions[accounts * self.markets + market]

    def _equity_atoms(self, accounts: Ints, only_positions: Table | None) -> Ints:
        equity = self.balance_atoms(accounts)
        self._add_assets(accounts, equity)
        if only_positions is not None:
            return equity + self._unrealised_atoms(only_positions, 0)
        for market in range(self.markets):
            equity += self._unrealised_atoms(self._positions(accounts, market), market)
        return equity

    def _add_assets(self, accounts: Ints, amounts: Ints) -> None:
        """Add what the assets of each account count for (R-C4)."""
        if self.tables.venue[V_ASSETS] != 0:
            credited_atoms_of(self.tables, np.ascontiguousarray(accounts, dtype=np.int64), amounts)

    def _pockets(self, accounts: Ints, market: int) -> Ints:
        return self._pockets_at + accounts * self.markets + market

    def _balances(self, units: Ints) -> Ints:
        unit = self.tables.units[units]
        return unit[:, U_CREDITS_ATOMS] - unit[:, U_DEBITS_ATOMS]

    def _unrealised_atoms(self, position: Table, market: int) -> Ints:
        worth = worths_atoms(self.tables, market, position[:, P_LOTS], int(self.mark_ticks[market]))
        return worth - position[:, P_COST_ATOMS]

    def _held_atoms(self, market: int, lots: Ints) -> Ints:
        """Return the value of |lots| in one market at its mark."""
        return values_atoms(self.tables, market, lots, int(self.mark_ticks[market]))

    def _tiers(self, market: int, value_atoms: Ints) -> Table:
        """Return the row of `tiers` that each value falls into (R-A1)."""
        first = self.tables.markets[market, M_TIERS]
        floors = self.tables.tiers[first : first + self.tables.markets[market, M_TIER_COUNT], TIER_FLOOR_ATOMS]
        return self.tables.tiers[first + np.searchsorted(floors, value_atoms, side="right") - 1]

    def _initial_atoms(self, position: Table, market: int, lots: Ints) -> Ints:
        value = self._held_atoms(market, lots)
        rate = np.maximum(self._tiers(market, value)[:, TIER_INITIAL_PPM], position[:, P_INITIAL_PPM])
        return _share(value, rate, up=True)

    def _any_unit(self, accounts: Ints, holds: Callable[[Table], Bools]) -> Bools:
        found = holds(self.tables.units[accounts])
        if self._pockets_at != NONE:
            for market in range(self.markets):
                found |= holds(self.tables.units[self._pockets(accounts, market)])
        return found


def _sealed(array: Array) -> Array:
    array.setflags(write=False)
    return array


def _exposure_lots(position: Table) -> Ints:
    """Return the larger of the positions that result if all bids, or all asks, are filled (R-A6)."""
    lots = position[:, P_LOTS]
    return np.maximum(np.abs(lots + position[:, P_BIDS_LOTS]), np.abs(lots - position[:, P_ASKS_LOTS]))


def _share(amount_atoms: Ints, rate_ppm: Ints, *, up: bool) -> Ints:
    """Return amount * rate / 10**6 rounded up or down, without overflow (R-U3)."""
    whole, rest = np.divmod(amount_atoms, PPM)
    return whole * rate_ppm + (rest * rate_ppm + (PPM - 1 if up else 0)) // PPM
