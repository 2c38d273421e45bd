"""The stream of what happened: one row per event, in order, each chained to the one before by a running hash.

Fills, liquidations, takeovers, deleveraging, socialised loss, margin calls, funding and every movement of the
insurance fund are always recorded; with the journal switched on every posting and every command as well.
"""

from __future__ import annotations

from enum import IntEnum

from .kernel import kernel
from .tables import V_CHAIN, V_EVENT_COUNT, V_EVENTS_MAX, V_ORDERS_PER_ACCOUNT_MAX, V_SEQUENCE, V_STEP, Tables

EVENTS_PER_MATCH = 64

E_SEQUENCE = 0  # of the command that was being executed
E_STEP = 1
E_KIND = 2
E_MARKET = 3  # NONE where it means nothing
E_ACCOUNT = 4  # taker, bankrupt account, or debited unit
E_OTHER = 5  # maker, counterparty, or credited unit
E_LOTS = 6  # signed from the point of view of E_ACCOUNT
E_PRICE_TICKS = 7
E_AMOUNT_ATOMS = 8
E_CAUSE = 9  # liquidation id
E_CODE = 10  # posting code, result code or parent liquidation, by kind
E_CHAIN = 11  # hash of this row and all before it
EVENT_COLUMNS = 12


class Event(IntEnum):
    """Kinds of event, and what their columns hold where it is not obvious."""

    COMMAND = 1  # other = kind of command, lots signed by side, amount; code = result (journal only)
    FILL = 2  # account = taker, other = maker, amount = value; in a replay of messages cause and code = tags of both
    POST = 3  # account = debited unit row, other = credited unit row, code = posting code
    LIQUIDATION = 4  # account, other = unit row, lots, price = mark, amount = equity, code = parent liquidation
    BANKRUPTCY = 5  # like LIQUIDATION, one row per position: price = bankruptcy price, amount = maintenance margin
    TAKEOVER = 6  # account = bankrupt, other = taker, amount = value
    ADL = 7  # account = bankrupt, other = counterparty, amount = value, code = mark at that moment
    MARGIN_CALL = 8  # account, other = unit row, amount = equity
    FUNDING = 9  # market, price = mark, amount = rate in ppb
    MARK = 10  # market, price = mark, amount = index (journal only)
    CANCEL = 11  # account, lots still open, price, code = reason (journal only)
    CURED = 12  # account, other = unit row: the liquidation has ended, amount = balance of the unit
    SETTLED = 18  # account, lots that close its position at expiry, final price, amount = value
    HALT = 17  # market, price = last, amount = step in which it ends, code = M_HALT from now on, 3 for an auction
    ASSET = 13  # market = asset, account = unit row that gives, other = unit row that gets, amount in asset atoms, code
    AUCTION = 16  # market, price at which its auction uncrosses, lots executable, amount = lots bid less lots offered


IN_AUCTION = 3  # code of a HALT event, beside those of M_HALT


class Code(IntEnum):
    """Why money moved."""

    DEPOSIT = 1
    WITHDRAW = 2
    REALISED = 3
    FEE = 4
    LIQUIDATION_FEE = 5
    FUNDING = 6
    ROUNDING = 7
    MARGIN_IN = 8
    MARGIN_OUT = 9
    TAKEOVER_MARGIN = 10
    DEFICIT = 11
    SOCIALISED = 12
    BAD_DEBT = 13
    CONTRIBUTION = 14
    DEFAULT_FUND = 15  # a contribution to the default fund, or paid out of it
    ASSESSMENT = 16
    CONVERSION = 20
    SURPLUS = 30  # of a forced fill over the bankruptcy price
    BONUS = 31  # of a keeper


CHAIN_ROTATION = 7
CHAIN_MASK = (1 << CHAIN_ROTATION) - 1


@kernel
def chained(chain: int, value: int) -> int:
    """Return the running hash after one more value: rotate the 64 bits left by 7, then exclusive or.

    Linear and invertible on purpose: any single altered value alters every later hash, at two cycles a value.
    """
    return ((chain << CHAIN_ROTATION) | ((chain >> (64 - CHAIN_ROTATION)) & CHAIN_MASK)) ^ value


@kernel
def record(
    t: Tables,
    kind: int,
    market: int,
    account: int,
    other: int,
    lots: int,
    price_ticks: int,
    amount_atoms: int,
    cause: int,
    code: int,
) -> None:
    """Append one event and chain it. Modifies `events` and the counters in `venue`."""
    venue, events = t.venue, t.events
    n = venue[V_EVENT_COUNT]
    assert n < venue[V_EVENTS_MAX], "the event buffer is full: a kernel went on without room"
    events[n, E_SEQUENCE] = venue[V_SEQUENCE]
    events[n, E_STEP] = venue[V_STEP]
    events[n, E_KIND] = kind
    events[n, E_MARKET] = market
    events[n, E_ACCOUNT] = account
    events[n, E_OTHER] = other
    events[n, E_LOTS] = lots
    events[n, E_PRICE_TICKS] = price_ticks
    events[n, E_AMOUNT_ATOMS] = amount_atoms
    events[n, E_CAUSE] = cause
    events[n, E_CODE] = code
    chain = venue[V_CHAIN]
    for column in range(E_CHAIN):
        chain = chained(chain, events[n, column])
    events[n, E_CHAIN] = chain
    venue[V_CHAIN] = chain
    venue[V_EVENT_COUNT] = n + 1


@kernel
def has_room(t: Tables) -> bool:
    """Say whether the buffer still holds whatever one match, cancellation of all orders, or posting may write."""
    return t.venue[V_EVENTS_MAX] - t.venue[V_EVENT_COUNT] > t.venue[V_ORDERS_PER_ACCOUNT_MAX] + EVENTS_PER_MATCH
