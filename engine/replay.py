"""A stream of order messages through the order book, without margin: what `delever match` plays (R-O30).

Messages name orders by numbers 0 .. n-1; the tag of an order in the book is its number. Whatever matches, rests and
shares lots is the code that a venue runs; there is nobody to margin.
"""

from __future__ import annotations

from .admission import crosses
from .book import add_to_level, cancel, fillable, take_row
from .commands import FLAG_FOK, FLAG_IOC, FLAG_POST_ONLY, Kind
from .events import has_room
from .execution import enter, resume
from .kernel import kernel
from .tables import (
    M_LONG_LOTS,
    M_PRICE_MAX_TICKS,
    M_SUM_COST_ATOMS,
    NONE,
    O_ACCOUNT,
    O_FLAGS,
    O_LOTS,
    O_PRICE_TICKS,
    O_SIDE,
    O_TAG,
    P_COST_ATOMS,
    P_LOTS,
    V_ACCOUNTS,
    V_FREE_ORDERS,
    V_LOTS_MAX,
    V_SELF_TRADE,
    V_SEQUENCE,
    V_TAKER,
    Table,
    Tables,
)

# messages: one row per message
X_KIND, X_ORDER, X_SIDE, X_LOTS, X_TICKS, X_ACCOUNT = range(6)
MESSAGE_COLUMNS = 6

# X_KIND
NEW, NEW_MARKET, NEW_IOC, NEW_FOK, NEW_POST_ONLY, CANCEL, REDUCE, MODIFY, EXECUTED, PASSED = range(10)

# What became of a message.
DONE, UNKNOWN, DUPLICATE, CROSSED, NOT_FILLED, OTHERWISE = range(6)
OUTCOMES = 6

LIMIT = int(Kind.LIMIT)
MARKET = int(Kind.MARKET)
CANCEL_OLDEST = 1


@kernel
def replay(t: Tables, messages: Table, row_of: Table, outcomes: Table, start: int, stop: int) -> int:
    """Play messages `start` .. `stop` - 1 in market 0; return the next to do, below `stop` if events are full.

    messages: (n, MESSAGE_COLUMNS), read only; row_of: (orders,), the row of each order, kept here; outcomes: (n,),
    written. The sequence number of a message is its row plus one. Drain the events and call again.
    """
    row = start
    assert 0 <= start <= stop <= messages.shape[0]
    if t.venue[V_TAKER] != NONE:
        if not resume(t):
            return row
        _judge(t, messages, row_of, outcomes, row)
        row += 1
    while row < stop:
        if not has_room(t):
            return row
        t.venue[V_SEQUENCE] = row + 1
        if t.markets[0, M_LONG_LOTS] + messages[row, X_LOTS] > t.venue[V_LOTS_MAX]:
            forget_positions(t)
        outcomes[row] = _play(t, messages, row_of, row)
        if t.venue[V_TAKER] != NONE:
            return row
        _judge(t, messages, row_of, outcomes, row)
        row += 1
    return row


@kernel
def forget_positions(t: Tables) -> None:
    """Forget who holds what, so that no position of a long stream grows beyond bounds; the book stays as it is."""
    for position in range(t.venue[V_ACCOUNTS] + 1):
        t.positions[position, P_LOTS] = 0
        t.positions[position, P_COST_ATOMS] = 0
    t.markets[0, M_LONG_LOTS] = 0
    t.markets[0, M_SUM_COST_ATOMS] = 0


@kernel
def _resting(t: Tables, row_of: Table, number: int) -> int:
    """Return the row of an order that is in the book, or NONE."""
    if number < 0 or row_of[number] == NONE:
        return NONE
    order = row_of[number]
    here = t.orders[order, O_LOTS] > 0 and t.orders[order, O_TAG] == number
    return order if here else NONE


@kernel
def _play(t: Tables, messages: Table, row_of: Table, row: int) -> int:
    """Play one message and return its outcome; of an execution, OUTCOMES plus the lots its order had before."""
    kind, number, lots = messages[row, X_KIND], messages[row, X_ORDER], messages[row, X_LOTS]
    if kind == PASSED:
        return DONE
    order = _resting(t, row_of, number)
    if kind <= NEW_POST_ONLY:
        if order != NONE:
            return DUPLICATE
        return _new(t, messages, row_of, row)
    if order == NONE:
        return UNKNOWN
    held = t.orders[order, O_LOTS]
    if kind == EXECUTED:
        _execute(t, order, lots)
        return OUTCOMES + held
    if kind == CANCEL or (kind == REDUCE and lots >= held):
        cancel(t, order, 0)
    elif kind == REDUCE or (messages[row, X_TICKS] == t.orders[order, O_PRICE_TICKS] and lots <= held):
        left = held - lots if kind == REDUCE else lots
        add_to_level(t, order, left - held)
        t.orders[order, O_LOTS] = left
    else:
        account, side, flags = t.orders[order, O_ACCOUNT], t.orders[order, O_SIDE], t.orders[order, O_FLAGS]
        cancel(t, order, 0)
        _place(t, row_of, number, account, LIMIT, side, lots, messages[row, X_TICKS], flags)
    return DONE


@kernel
def _new(t: Tables, messages: Table, row_of: Table, row: int) -> int:
    """Play a new order and return its outcome."""
    kind, side, lots = messages[row, X_KIND], messages[row, X_SIDE], messages[row, X_LOTS]
    ticks, account = messages[row, X_TICKS], messages[row, X_ACCOUNT]
    if kind == NEW_POST_ONLY and crosses(t, 0, side, ticks):
        return CROSSED
    if kind == NEW_FOK and not fillable(t, account, 0, side, lots, ticks, t.venue[V_SELF_TRADE] != CANCEL_OLDEST):
        return NOT_FILLED
    if kind == NEW_MARKET:
        ticks = t.markets[0, M_PRICE_MAX_TICKS] - 1 if side > 0 else 1
    flags = 0
    if kind == NEW_IOC or kind == NEW_FOK:
        flags = FLAG_IOC if kind == NEW_IOC else FLAG_FOK
    elif kind == NEW_POST_ONLY:
        flags = FLAG_POST_ONLY
    _place(
        t, row_of, messages[row, X_ORDER], account, MARKET if kind == NEW_MARKET else LIMIT, side, lots, ticks, flags
    )
    return DONE


@kernel
def _place(
    t: Tables, row_of: Table, number: int, account: int, kind: int, side: int, lots: int, ticks: int, flags: int
) -> None:
    """Let an order into the book."""
    assert t.venue[V_FREE_ORDERS] > 1 and lots > 0, "the table is as large as the stream needs"
    order = take_row(t, account, 0, kind, side, lots, ticks, 0, flags, number)
    if number >= 0:
        row_of[number] = order
    enter(t, order)


@kernel
def _execute(t: Tables, order: int, lots: int) -> None:
    """Send the order that an execution message does not show: it takes so many lots at the price of `order`."""
    side = -t.orders[order, O_SIDE]
    assert lots > 0 and t.venue[V_FREE_ORDERS] > 1
    price = t.orders[order, O_PRICE_TICKS]
    enter(t, take_row(t, 0 if side > 0 else 1, 0, LIMIT, side, lots, price, 0, FLAG_IOC, NONE))


@kernel
def _judge(t: Tables, messages: Table, row_of: Table, outcomes: Table, row: int) -> None:
    """Say of an execution whether its order, and no other, gave the lots."""
    before = outcomes[row] - OUTCOMES
    if before >= 0:
        order = _resting(t, row_of, messages[row, X_ORDER])
        left = 0 if order == NONE else t.orders[order, O_LOTS]
        outcomes[row] = DONE if before - left == messages[row, X_LOTS] else OTHERWISE
