"""Executing commands one after another: admit, match, settle (R-S, step 2)."""

from __future__ import annotations

from .admission import admit, check_form, check_room, limit_of_market_order
from .auction import join
from .bands import conclude
from .book import add_to_level, cancel, cancel_all, find_order, take_row, wait
from .commands import (
    C_ACCOUNT,
    C_AMOUNT,
    C_CAUSE,
    C_FLAGS,
    C_KIND,
    C_LOTS,
    C_MARKET,
    C_PRICE_TICKS,
    C_SIDE,
    C_TAG,
    C_TRIGGER_TICKS,
    FLAG_FORCED,
    Kind,
    Result,
)
from .events import Event, has_room, record
from .expiry import is_closed
from .kernel import kernel
from .level_matching import match_by_rule
from .prefetch import prefetch
from .tables import (
    A_FIRST_ORDER,
    CANCEL_ONLY,
    M_AUCTION,
    M_HALT,
    M_PRICE_MAX_TICKS,
    NONE,
    O_FLAGS,
    O_KIND,
    O_LOTS,
    O_MARKET,
    O_PRICE_TICKS,
    O_SIDE,
    O_TAG,
    TRADING,
    V_ACCOUNTS,
    V_CAUSE,
    V_FORCING,
    V_JOURNAL,
    V_LOTS_MAX,
    V_MARKETS,
    V_SEQUENCE,
    V_TAKER,
    Table,
    Tables,
)
from .wallet import deposit, deposit_asset, move_margin, set_leverage, set_mode, withdraw, withdraw_asset

OK = int(Result.OK)
ACCOUNT = int(Result.ACCOUNT)
BAD_MARKET = int(Result.MARKET)
BAD_KIND = int(Result.KIND)
LOTS = int(Result.LOTS)
HALTED = int(Result.HALTED)
EXPIRED = int(Result.EXPIRED)
PRICE = int(Result.PRICE)
TRIGGER = int(Result.TRIGGER)
FLAGS = int(Result.FLAGS)
UNKNOWN_ORDER = int(Result.UNKNOWN_ORDER)
LIMIT = int(Kind.LIMIT)
MARKET = int(Kind.MARKET)
STOP = int(Kind.STOP)
TAKE_PROFIT = int(Kind.TAKE_PROFIT)
CANCEL = int(Kind.CANCEL)
CANCEL_ALL = int(Kind.CANCEL_ALL)
REPLACE = int(Kind.REPLACE)
DEPOSIT = int(Kind.DEPOSIT)
WITHDRAW = int(Kind.WITHDRAW)
MOVE_MARGIN = int(Kind.MOVE_MARGIN)
SET_LEVERAGE = int(Kind.SET_LEVERAGE)
SET_MODE = int(Kind.SET_MODE)
DEPOSIT_ASSET = int(Kind.DEPOSIT_ASSET)
WITHDRAW_ASSET = int(Kind.WITHDRAW_ASSET)
COMMAND = int(Event.COMMAND)
ROWS_AHEAD = 12  # commands between asking for a row and using it
ORDERS_AHEAD = 6


@kernel
def execute(t: Tables, commands: Table, results: Table, start: int) -> int:
    """Execute commands from row `start` on and return the next row to do; below len(commands) the buffer is full.

    commands: (n, COMMAND_COLUMNS), read only; results: (n,), written: the result code of each command. Every command
    gets the next sequence number, refused or not. Drain the events and call again with the returned row.
    """
    venue = t.venue
    row = start
    assert commands.shape[0] == results.shape[0] and start >= 0
    if venue[V_TAKER] != NONE:
        if not resume(t):
            return row
        row += 1
    while row < commands.shape[0]:
        if not has_room(t):
            return row
        _look_ahead(t, commands, row)
        venue[V_SEQUENCE] += 1
        results[row] = _one(t, commands, row)
        if venue[V_JOURNAL]:
            _record_command(t, commands, row, results[row])
        if venue[V_TAKER] != NONE:
            return row
        row += 1
    return row


@kernel
def _look_ahead(t: Tables, commands: Table, row: int) -> None:
    """Ask for the rows that a later command needs; nearer by, for the order its account's list begins with."""
    venue = t.venue
    later = row + ROWS_AHEAD
    if later < commands.shape[0]:
        account, market = commands[later, C_ACCOUNT], commands[later, C_MARKET]
        if 0 <= account <= venue[V_ACCOUNTS] and 0 <= market < venue[V_MARKETS]:  # or their product could overflow
            prefetch(t.accounts, account)
            prefetch(t.units, account)
            prefetch(t.positions, account * venue[V_MARKETS] + market)
    later = row + ORDERS_AHEAD
    if later < commands.shape[0]:
        account = commands[later, C_ACCOUNT]
        if 0 <= account <= venue[V_ACCOUNTS]:
            assert t.accounts[account, A_FIRST_ORDER] >= NONE
            prefetch(t.orders, t.accounts[account, A_FIRST_ORDER])


@kernel
def _record_command(t: Tables, commands: Table, row: int, result: int) -> None:
    """Put a command and its answer into the journal."""
    lots = commands[row, C_LOTS]
    if lots > 0:  # the sign of the side; what was refused may hold any numbers, and their product would overflow
        lots *= max(-1, min(1, commands[row, C_SIDE]))
    record(
        t, COMMAND, commands[row, C_MARKET], commands[row, C_ACCOUNT], commands[row, C_KIND], lots,
        commands[row, C_PRICE_TICKS], commands[row, C_AMOUNT], commands[row, C_CAUSE], result,
    )  # fmt: skip


@kernel
def _one(t: Tables, commands: Table, row: int) -> int:
    """Execute one command and return its result; leaves V_TAKER set if matching has to be resumed."""
    venue = t.venue
    account = commands[row, C_ACCOUNT]
    market = commands[row, C_MARKET]
    kind = commands[row, C_KIND]
    flags = commands[row, C_FLAGS]
    if flags & FLAG_FORCED and not venue[V_FORCING]:
        return FLAGS
    venue[V_CAUSE] = commands[row, C_CAUSE] if flags & FLAG_FORCED else 0
    if account < 0 or account > venue[V_ACCOUNTS] or (account == venue[V_ACCOUNTS] and not flags & FLAG_FORCED):
        return ACCOUNT
    if kind == DEPOSIT:
        return deposit(t, account, commands[row, C_AMOUNT])
    if kind == WITHDRAW:
        return withdraw(t, account, commands[row, C_AMOUNT])
    if kind == DEPOSIT_ASSET:
        return deposit_asset(t, account, market, commands[row, C_AMOUNT])
    if kind == WITHDRAW_ASSET:
        return withdraw_asset(t, account, market, commands[row, C_AMOUNT])
    if market < 0 or market >= venue[V_MARKETS]:
        return BAD_MARKET
    if kind >= LIMIT and kind <= TAKE_PROFIT:
        return _order(
            t, account, market, kind, commands[row, C_SIDE], commands[row, C_LOTS],
            commands[row, C_PRICE_TICKS], commands[row, C_TRIGGER_TICKS], flags, commands[row, C_TAG],
        )  # fmt: skip
    if kind == CANCEL:
        return _cancel(t, account, market, commands[row, C_TAG])
    if kind == CANCEL_ALL:
        cancel_all(t, account, market, 0)
        return OK
    if kind == REPLACE:
        return _replace(t, commands, row)
    if kind == MOVE_MARGIN:
        return move_margin(t, account, market, commands[row, C_AMOUNT])
    if kind == SET_LEVERAGE:
        return set_leverage(t, account, market, commands[row, C_AMOUNT])
    if kind == SET_MODE:
        return set_mode(t, account, market, commands[row, C_AMOUNT])
    return BAD_KIND


@kernel
def _order(
    t: Tables,
    account: int,
    market: int,
    kind: int,
    side: int,
    lots: int,
    price_ticks: int,
    trigger_ticks: int,
    flags: int,
    tag: int,
) -> int:
    """Execute an order of any kind."""
    refusal = check_form(t, market, kind, side, lots, price_ticks, trigger_ticks, flags)
    if refusal != OK:
        return refusal
    if is_closed(t, market) and not flags & FLAG_FORCED:
        return EXPIRED
    if t.markets[market, M_HALT] == CANCEL_ONLY:
        return HALTED
    if kind == STOP or kind == TAKE_PROFIT:
        room = check_room(t, account, 0)
        if room != OK:
            return room
        wait(t, take_row(t, account, market, kind, side, lots, 0, trigger_ticks, flags, tag))
        return OK
    if kind == MARKET and not flags & FLAG_FORCED:
        price_ticks = limit_of_market_order(t, market, side)
    return place(t, account, market, kind, side, lots, price_ticks, flags, tag)


@kernel
def place(
    t: Tables,
    account: int,
    market: int,
    kind: int,
    side: int,
    lots: int,
    price_ticks: int,
    flags: int,
    tag: int,
) -> int:
    """Admit, match and finish a LIMIT or MARKET order."""
    result, lots = admit(t, account, market, kind, side, lots, price_ticks, flags)
    if result != OK:
        return result
    assert lots > 0 and price_ticks > 0
    enter(t, take_row(t, account, market, kind, side, lots, price_ticks, 0, flags, tag))
    return OK


@kernel
def enter(t: Tables, order: int) -> None:
    """Let an admitted order trade and rest or expire, or join an auction; V_TAKER is set if it has to be resumed."""
    if t.markets[t.orders[order, O_MARKET], M_AUCTION]:
        join(t, order)
    elif match_by_rule(t, order):
        conclude(t, order)
    else:
        t.venue[V_TAKER] = order


@kernel
def resume(t: Tables) -> bool:
    """Go on with the order that was being matched when the event buffer was full; return False if it is full again."""
    assert t.venue[V_TAKER] != NONE
    if not match_by_rule(t, t.venue[V_TAKER]):
        return False
    conclude(t, t.venue[V_TAKER])
    t.venue[V_TAKER] = NONE
    return True


@kernel
def _cancel(t: Tables, account: int, market: int, tag: int) -> int:
    """Cancel the newest order with a tag."""
    order = find_order(t, account, market, tag)
    if order == NONE:
        return UNKNOWN_ORDER
    cancel(t, order, 0)
    return OK


@kernel
def _replace(t: Tables, commands: Table, row: int) -> int:
    """Change price and lots of the newest order with a tag (R-O6)."""
    orders = t.orders
    account = commands[row, C_ACCOUNT]
    market = commands[row, C_MARKET]
    lots = commands[row, C_LOTS]
    price = commands[row, C_PRICE_TICKS]
    trigger = commands[row, C_TRIGGER_TICKS]
    price_max = t.markets[market, M_PRICE_MAX_TICKS]
    order = find_order(t, account, market, commands[row, C_TAG])
    waiting = order != NONE and orders[order, O_KIND] != LIMIT
    if lots < 1 or lots > t.venue[V_LOTS_MAX]:
        return LOTS
    if not waiting and (price < 1 or price >= price_max):
        return PRICE
    if waiting and (trigger < 1 or trigger >= price_max):
        return TRIGGER
    if order == NONE:
        return UNKNOWN_ORDER
    if is_closed(t, market):
        return EXPIRED
    if t.markets[market, M_HALT] != TRADING:
        return HALTED
    kind, side, flags, tag = (
        orders[order, O_KIND],
        orders[order, O_SIDE],
        orders[order, O_FLAGS],
        orders[order, O_TAG],
    )
    if not waiting and price == orders[order, O_PRICE_TICKS] and lots <= orders[order, O_LOTS]:
        add_to_level(t, order, lots - orders[order, O_LOTS])
        orders[order, O_LOTS] = lots
        return OK
    cancel(t, order, 0)
    if waiting:
        wait(t, take_row(t, account, market, kind, side, lots, 0, trigger, flags, tag))
        return OK
    return place(t, account, market, LIMIT, side, lots, price, flags, tag)
