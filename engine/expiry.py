"""Expiry of dated futures: the final settlement price, the end of trading, the cash settlement (R-X1 to R-X4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .book import cancel_all
from .contract import value_atoms, worth_of
from .events import Code, Event, has_room, record
from .kernel import kernel
from .ledger import post
from .positions import settle_value
from .tables import (
    A_ORDERS,
    M_EXPIRY_STEP,
    M_FINAL_COUNT,
    M_FINAL_REST_ATOMS,
    M_FINAL_SUM_TICKS,
    M_FINAL_TICKS,
    M_INDEX_TICKS,
    M_LAST_TRADING_STEP,
    M_PRICE_MAX_TICKS,
    NONE,
    P_LOTS,
    ROUNDING,
    SETTLEMENT,
    V_ACCOUNTS,
    V_INVERSE,
    V_MARKETS,
    V_STEP,
    Table,
    Tables,
)

if TYPE_CHECKING:
    from .rules.contract import Expiry
    from .venue import Venue

SETTLED = int(Event.SETTLED)
ROUNDING_CODE = int(Code.ROUNDING)
CANCEL_EXPIRED = -2  # reason of a cancellation: nobody can trade the contract any more


def open_expiry(markets: Table, symbols: Sequence[str], expiry: Expiry | None, dt_s: int) -> None:
    """Write when each market expires into its columns, at the opening; raises ValueError for a market there is not."""
    if expiry is None:
        return
    unknown = sorted(set(expiry.markets) - set(symbols))
    if unknown:
        raise ValueError(f"contract.expiry.markets names {unknown[0]!r}; the markets are {', '.join(symbols)}")
    for row, symbol in zip(markets, symbols, strict=True):
        if not expiry.markets or symbol in expiry.markets:
            row[M_EXPIRY_STEP] = -(-expiry.expires_s // dt_s)
            row[M_LAST_TRADING_STEP] = -(-(expiry.expires_s - expiry.no_trading_s) // dt_s)


def settle_if_due(venue: Venue, expiry: Expiry) -> None:
    """Take a sample of the final price where the window has begun, and settle the markets whose time has come."""
    t = venue.tables
    window = max(1, venue.steps(expiry.averaging_s))
    for market, row in enumerate(t.markets):
        last = int(row[M_EXPIRY_STEP])
        if last == 0 or row[M_FINAL_TICKS] != 0 or venue.step <= last - window:
            continue
        row[M_FINAL_SUM_TICKS] += row[M_INDEX_TICKS]
        row[M_FINAL_COUNT] += 1
        if venue.step >= last:
            mean = int(row[M_FINAL_SUM_TICKS]) // int(row[M_FINAL_COUNT])
            row[M_FINAL_TICKS] = max(1, min(int(row[M_PRICE_MAX_TICKS]) - 1, mean))
            for close in (_close_orders_of, _close_positions_of):
                venue.for_each(partial(close, market), _accounts(t))
            venue.make_room()
            clear_rest(t, market)


def _close_orders_of(market: int, t: Tables, accounts: Table, start: int) -> int:
    return int(close_orders(t, market, accounts, start))


def _close_positions_of(market: int, t: Tables, accounts: Table, start: int) -> int:
    return int(close_positions(t, market, accounts, start))


def _accounts(t: Tables) -> Table:
    """Return the rows of all traders, and the fund's last."""
    return np.arange(int(t.venue[V_ACCOUNTS]) + 1)


@kernel
def is_closed(t: Tables, market: int) -> bool:
    """Say whether traders may not trade a market any more (R-X2)."""
    return t.markets[market, M_EXPIRY_STEP] > 0 and t.venue[V_STEP] >= t.markets[market, M_LAST_TRADING_STEP]


@kernel
def close_orders(t: Tables, market: int, accounts: Table, start: int) -> int:
    """Cancel all orders in a market; return the next account, below n if the event buffer is full (R-X2)."""
    for i in range(start, accounts.shape[0]):
        if not has_room(t):
            return i
        if t.accounts[accounts[i], A_ORDERS] > 0:
            cancel_all(t, accounts[i], market, CANCEL_EXPIRED)
    return accounts.shape[0]


@kernel
def close_positions(t: Tables, market: int, accounts: Table, start: int) -> int:
    """Close all positions of a market at its final price; return the next account, below n if it must stop (R-X3)."""
    price = t.markets[market, M_FINAL_TICKS]
    assert price >= 1
    for i in range(start, accounts.shape[0]):
        if not has_room(t):
            return i
        lots = t.positions[accounts[i] * t.venue[V_MARKETS] + market, P_LOTS]
        if lots == 0:
            continue
        value = final_value_atoms(t, market, lots, price)
        t.markets[market, M_FINAL_REST_ATOMS] -= worth_of(t, value if lots > 0 else -value)
        record(t, SETTLED, market, accounts[i], NONE, -lots, price, value, 0, 0)
        settle_value(t, accounts[i], market, -lots, price, value, 0, False, 0)
    return accounts.shape[0]


@kernel
def final_value_atoms(t: Tables, market: int, lots: int, price_ticks: int) -> int:
    """Return the value at which signed lots are settled: one that is owed (an inverse long's) is rounded up (R-X3)."""
    value = value_atoms(t, market, abs(lots), price_ticks)
    rounded = t.venue[V_INVERSE] != 0 and value * price_ticks != value_atoms(t, market, abs(lots), 1)
    return value + 1 if rounded and lots > 0 else value


@kernel
def clear_rest(t: Tables, market: int) -> None:
    """Post what the rounding of inverse values left in SETTLEMENT to ROUNDING (R-X3)."""
    rest = t.markets[market, M_FINAL_REST_ATOMS]
    assert rest >= 0, "what is owed is rounded up, what is received down"
    if rest > 0:
        accounts = t.venue[V_ACCOUNTS]
        post(t, accounts + SETTLEMENT, accounts + ROUNDING, rest, ROUNDING_CODE, 0)
        t.markets[market, M_FINAL_REST_ATOMS] = 0
