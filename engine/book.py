"""The order book: a price ladder of first-in-first-out queues, and the waiting orders beside it.

At rest a tick holds bids or asks, never both, so one ladder serves both sides; in an auction bids have another. Links
are row numbers of `orders`; NONE (-1) ends a list. Every function here keeps law I4 (levels) and I5 (what positions
know of resting orders).
"""

from __future__ import annotations

from .commands import FLAG_BY_MARK, FLAG_FOK, FLAG_FORCED, FLAG_IOC, FLAG_REDUCE_ONLY, Kind
from .events import Event, record
from .kernel import kernel
from .occupancy import clear, next_above, next_below, occupy
from .tables import (
    A_FIRST_ORDER,
    A_ORDERS,
    L_HEAD,
    L_LOTS,
    L_TAIL,
    M_AUCTION,
    M_BAND_HIGH,
    M_BAND_LOW,
    M_BEST_ASK,
    M_BEST_BID,
    M_HIGH_TICKS,
    M_LAST_TICKS,
    M_LOW_TICKS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    M_TOP_ASK,
    M_TOP_BID,
    NONE,
    O_ACCOUNT,
    O_ACCOUNT_BEFORE,
    O_ACCOUNT_NEXT,
    O_BEFORE,
    O_FLAGS,
    O_KIND,
    O_LOTS,
    O_MARKET,
    O_NEXT,
    O_PRICE_TICKS,
    O_SEQUENCE,
    O_SIDE,
    O_TAG,
    O_TRIGGER_TICKS,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    T_LAST_FALLS,
    T_LAST_RISES,
    T_MARK_FALLS,
    T_MARK_RISES,
    V_ALLOCATION,
    V_BANDS,
    V_FREE_ORDER,
    V_FREE_ORDERS,
    V_FRESH_ORDER,
    V_JOURNAL,
    V_MARKETS,
    V_SEQUENCE,
    V_TOP_MIN,
    Tables,
)

STOP = int(Kind.STOP)
LIMIT = int(Kind.LIMIT)
CANCEL = int(Event.CANCEL)


@kernel
def best_ask_ticks(t: Tables, market: int) -> int:
    """Return the best ask, 0 if nothing is offered."""
    ask = t.markets[market, M_BEST_ASK]
    return ask if ask < t.markets[market, M_PRICE_MAX_TICKS] else 0


@kernel
def ladder_of(t: Tables, market: int, side: int) -> int:
    """Return the row of `levels` and `occupied` with the orders of a side; in an auction bids have their own (R-H1)."""
    return market + t.venue[V_MARKETS] if side > 0 and t.markets[market, M_AUCTION] else market


@kernel
def never_rests(kind: int, flags: int) -> bool:
    """Say whether what an order does not trade at once expires (R-O12)."""
    return kind != LIMIT or flags & (FLAG_IOC | FLAG_FOK) != 0


@kernel
def within_band(t: Tables, market: int, side: int, price_ticks: int) -> int:
    """Return the price up to which an order may trade: its own, but not beyond the market's band (R-H10)."""
    if t.venue[V_BANDS] == 0:
        return price_ticks
    if side > 0:
        return min(price_ticks, t.markets[market, M_BAND_HIGH])
    return max(price_ticks, t.markets[market, M_BAND_LOW])


@kernel
def take_row(
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
    """Return a free row of `orders`, filled in. Modifies `orders` and the free list; there must be a free row.

    Rows given back come first, the latest first; then those never used, in order, which nothing has written yet.
    """
    orders, venue = t.orders, t.venue
    order = venue[V_FREE_ORDER]
    assert order != NONE and order <= venue[V_FRESH_ORDER], "no row is skipped"
    if order == venue[V_FRESH_ORDER]:
        venue[V_FRESH_ORDER] = order + 1
        venue[V_FREE_ORDER] = order + 1 if venue[V_FREE_ORDERS] > 1 else NONE
    else:
        venue[V_FREE_ORDER] = orders[order, O_NEXT]
    venue[V_FREE_ORDERS] -= 1
    orders[order, O_ACCOUNT] = account
    orders[order, O_MARKET] = market
    orders[order, O_SIDE] = side
    orders[order, O_LOTS] = lots
    orders[order, O_PRICE_TICKS] = price_ticks
    orders[order, O_TRIGGER_TICKS] = trigger_ticks
    orders[order, O_KIND] = kind
    orders[order, O_FLAGS] = flags
    orders[order, O_TAG] = tag
    orders[order, O_SEQUENCE] = venue[V_SEQUENCE]
    orders[order, O_NEXT] = NONE
    orders[order, O_BEFORE] = NONE
    assert venue[V_FREE_ORDERS] >= 0
    return order


@kernel
def give_back_row(t: Tables, order: int) -> None:
    """Return a row of `orders` to the free list; the order must be in no list."""
    assert 0 <= order < t.venue[V_FRESH_ORDER]
    t.orders[order, O_LOTS] = 0
    t.orders[order, O_NEXT] = t.venue[V_FREE_ORDER]
    t.venue[V_FREE_ORDER] = order
    t.venue[V_FREE_ORDERS] += 1


@kernel
def _list_for_account(t: Tables, order: int) -> None:
    """Put an order at the front of its account's list."""
    orders, accounts = t.orders, t.accounts
    account = orders[order, O_ACCOUNT]
    first = accounts[account, A_FIRST_ORDER]
    orders[order, O_ACCOUNT_NEXT] = first
    orders[order, O_ACCOUNT_BEFORE] = NONE
    if first != NONE:
        orders[first, O_ACCOUNT_BEFORE] = order
    accounts[account, A_FIRST_ORDER] = order
    accounts[account, A_ORDERS] += 1


@kernel
def _unlist_for_account(t: Tables, order: int) -> None:
    """Take an order out of its account's list."""
    orders, accounts = t.orders, t.accounts
    account = orders[order, O_ACCOUNT]
    after = orders[order, O_ACCOUNT_NEXT]
    before = orders[order, O_ACCOUNT_BEFORE]
    if before == NONE:
        accounts[account, A_FIRST_ORDER] = after
    else:
        orders[before, O_ACCOUNT_NEXT] = after
    if after != NONE:
        orders[after, O_ACCOUNT_BEFORE] = before
    accounts[account, A_ORDERS] -= 1
    assert accounts[account, A_ORDERS] >= 0


@kernel
def add_to_level(t: Tables, order: int, lots: int) -> None:
    """Change the open lots of a resting order's level and position by `lots` (negative: less)."""
    orders = t.orders
    market = orders[order, O_MARKET]
    t.levels[ladder_of(t, market, orders[order, O_SIDE]), orders[order, O_PRICE_TICKS], L_LOTS] += lots
    if orders[order, O_FLAGS] & FLAG_REDUCE_ONLY == 0:
        row = orders[order, O_ACCOUNT] * t.venue[V_MARKETS] + market
        assert lots > 0 or t.positions[row, P_BIDS_LOTS if orders[order, O_SIDE] > 0 else P_ASKS_LOTS] >= -lots
        t.positions[row, P_BIDS_LOTS if orders[order, O_SIDE] > 0 else P_ASKS_LOTS] += lots


@kernel
def _top(t: Tables, order: int) -> int:
    """Return the sequence number of an order that betters the market and is large enough to be TOP, else 0 (R-O22)."""
    return t.orders[order, O_SEQUENCE] if t.orders[order, O_LOTS] >= t.venue[V_TOP_MIN] else 0


@kernel
def rest(t: Tables, order: int) -> None:
    """Let an order rest in the book, last at its price (R-O1). It must not cross, but in an auction (R-H1)."""
    orders, levels, markets = t.orders, t.levels, t.markets
    market = orders[order, O_MARKET]
    price = orders[order, O_PRICE_TICKS]
    ladder = ladder_of(t, market, orders[order, O_SIDE])
    assert orders[order, O_LOTS] > 0
    if markets[market, M_AUCTION]:
        assert markets[market, M_BEST_BID] == 0, "in an auction a market shows no prices"
    elif orders[order, O_SIDE] > 0:
        assert price < markets[market, M_BEST_ASK], "a resting bid must not cross"
        if price > markets[market, M_BEST_BID]:
            markets[market, M_BEST_BID] = price
            markets[market, M_TOP_BID] = _top(t, order)
    else:
        assert price > markets[market, M_BEST_BID], "a resting ask must not cross"
        if price < markets[market, M_BEST_ASK]:
            markets[market, M_BEST_ASK] = price
            markets[market, M_TOP_ASK] = _top(t, order)
    tail = levels[ladder, price, L_TAIL]
    orders[order, O_NEXT] = NONE
    orders[order, O_BEFORE] = tail
    if tail == NONE:
        levels[ladder, price, L_HEAD] = order
        occupy(t.occupied, ladder, price)
    else:
        orders[tail, O_NEXT] = order
    levels[ladder, price, L_TAIL] = order
    add_to_level(t, order, orders[order, O_LOTS])
    _list_for_account(t, order)


@kernel
def remove(t: Tables, order: int) -> None:
    """Take a resting order out of the book and free its row; its open lots may be zero."""
    orders, levels = t.orders, t.levels
    market = orders[order, O_MARKET]
    price = orders[order, O_PRICE_TICKS]
    ladder = ladder_of(t, market, orders[order, O_SIDE])
    add_to_level(t, order, -orders[order, O_LOTS])
    assert levels[ladder, price, L_LOTS] >= 0
    before = orders[order, O_BEFORE]
    after = orders[order, O_NEXT]
    if before == NONE:
        levels[ladder, price, L_HEAD] = after
    else:
        orders[before, O_NEXT] = after
    if after == NONE:
        levels[ladder, price, L_TAIL] = before
    else:
        orders[after, O_BEFORE] = before
    if levels[ladder, price, L_HEAD] == NONE:
        _level_emptied(t, market, ladder, price)
    _unlist_for_account(t, order)
    give_back_row(t, order)


@kernel
def _level_emptied(t: Tables, market: int, ladder: int, price: int) -> None:
    """Forget an empty level and, if it was the best, find the next."""
    markets = t.markets
    assert t.levels[ladder, price, L_LOTS] == 0, "an empty level has no lots"
    clear(t.occupied, ladder, price)
    if price == markets[market, M_BEST_BID]:
        markets[market, M_BEST_BID] = max(0, next_below(t.occupied, market, price))
    elif price == markets[market, M_BEST_ASK]:
        above = next_above(t.occupied, market, price)
        markets[market, M_BEST_ASK] = markets[market, M_PRICE_MAX_TICKS] if above == NONE else above


@kernel
def _watch_list(kind: int, side: int, flags: int) -> int:
    """Return the column of `triggers` a waiting order belongs to (R-O7)."""
    falls = (side < 0) == (kind == STOP)
    if flags & FLAG_BY_MARK:
        return T_MARK_FALLS if falls else T_MARK_RISES
    return T_LAST_FALLS if falls else T_LAST_RISES


@kernel
def _watch_tick(t: Tables, order: int, column: int) -> int:
    """Return the tick a waiting order is filed under: its trigger, or the watched price if that is past it already."""
    orders, markets = t.orders, t.markets
    market = orders[order, O_MARKET]
    trigger = orders[order, O_TRIGGER_TICKS]
    if column == T_MARK_FALLS:
        return min(trigger, markets[market, M_MARK_TICKS])
    if column == T_MARK_RISES:
        return max(trigger, markets[market, M_MARK_TICKS])
    if markets[market, M_LAST_TICKS] == 0:
        return 0  # nothing to watch before the first trade: looked through once there is one
    if column == T_LAST_FALLS:
        return min(trigger, markets[market, M_HIGH_TICKS])
    return max(trigger, markets[market, M_LOW_TICKS])


@kernel
def file_waiting(t: Tables, order: int, tick: int, column: int) -> None:
    """Link a waiting order at the front of the list of `tick`; its price column remembers the tick."""
    orders, triggers = t.orders, t.triggers
    market = orders[order, O_MARKET]
    first = triggers[market, tick, column]
    orders[order, O_PRICE_TICKS] = tick
    orders[order, O_NEXT] = first
    orders[order, O_BEFORE] = NONE
    if first != NONE:
        orders[first, O_BEFORE] = order
    triggers[market, tick, column] = order
    assert 0 <= tick < t.markets[market, M_PRICE_MAX_TICKS]


@kernel
def unfile_waiting(t: Tables, order: int) -> None:
    """Take a waiting order out of its trigger list; the row stays."""
    orders = t.orders
    column = _watch_list(orders[order, O_KIND], orders[order, O_SIDE], orders[order, O_FLAGS])
    before = orders[order, O_BEFORE]
    after = orders[order, O_NEXT]
    if before == NONE:
        t.triggers[orders[order, O_MARKET], orders[order, O_PRICE_TICKS], column] = after
    else:
        orders[before, O_NEXT] = after
    if after != NONE:
        orders[after, O_BEFORE] = before


@kernel
def wait(t: Tables, order: int) -> None:
    """Let a STOP or TAKE_PROFIT order wait for its trigger (R-O7)."""
    assert t.orders[order, O_KIND] != LIMIT and t.orders[order, O_TRIGGER_TICKS] > 0
    column = _watch_list(t.orders[order, O_KIND], t.orders[order, O_SIDE], t.orders[order, O_FLAGS])
    file_waiting(t, order, _watch_tick(t, order, column), column)
    _list_for_account(t, order)


@kernel
def remove_waiting(t: Tables, order: int) -> None:
    """Take a waiting order out of its lists and free its row."""
    unfile_waiting(t, order)
    _unlist_for_account(t, order)
    give_back_row(t, order)


@kernel
def cancel(t: Tables, order: int, code: int) -> None:
    """Cancel a resting or waiting order; the journal records it with `code` (0: asked for)."""
    orders = t.orders
    if t.venue[V_JOURNAL]:
        record(
            t, CANCEL, orders[order, O_MARKET], orders[order, O_ACCOUNT], NONE,
            orders[order, O_SIDE] * orders[order, O_LOTS], orders[order, O_PRICE_TICKS], orders[order, O_TAG], 0, code,
        )  # fmt: skip
    if orders[order, O_KIND] == LIMIT:
        remove(t, order)
    else:
        remove_waiting(t, order)


@kernel
def cancel_all(t: Tables, account: int, market: int, code: int) -> None:
    """Cancel all orders of an account in a market, newest first; forced ones only the engine may (`code` not 0)."""
    order = t.accounts[account, A_FIRST_ORDER]
    while order != NONE:
        after = t.orders[order, O_ACCOUNT_NEXT]
        if t.orders[order, O_MARKET] == market and (code != 0 or t.orders[order, O_FLAGS] & FLAG_FORCED == 0):
            cancel(t, order, code)
        order = after


@kernel
def find_order(t: Tables, account: int, market: int, tag: int) -> int:
    """Return the newest resting or waiting order of an account with this tag in the market, or NONE; none forced."""
    orders = t.orders
    order = t.accounts[account, A_FIRST_ORDER]
    while order != NONE:
        forced = orders[order, O_FLAGS] & FLAG_FORCED != 0
        if orders[order, O_MARKET] == market and orders[order, O_TAG] == tag and not forced:
            return order
        order = orders[order, O_ACCOUNT_NEXT]
    return NONE


@kernel
def holds_own(t: Tables, account: int, market: int, price: int) -> bool:
    """Say whether an account has an order at a price."""
    order = t.levels[market, price, L_HEAD]
    while order != NONE:
        if t.orders[order, O_ACCOUNT] == account:
            return True
        order = t.orders[order, O_NEXT]
    return False


@kernel
def fillable(t: Tables, account: int, market: int, side: int, lots: int, limit_ticks: int, stops_at_own: bool) -> bool:
    """Say whether an FOK order finds its lots within its limit (R-O3)."""
    orders, levels, markets = t.orders, t.levels, t.markets
    price = markets[market, M_BEST_ASK] if side > 0 else markets[market, M_BEST_BID]
    found = 0
    while 0 < price < markets[market, M_PRICE_MAX_TICKS] and side * (limit_ticks - price) >= 0:
        order = levels[market, price, L_HEAD]
        if stops_at_own and t.venue[V_ALLOCATION] and holds_own(t, account, market, price):
            return False
        while order != NONE:
            if orders[order, O_ACCOUNT] == account:
                if stops_at_own:
                    return False
            elif orders[order, O_FLAGS] & FLAG_REDUCE_ONLY == 0:
                found += orders[order, O_LOTS]
                if found >= lots:
                    return True
            order = orders[order, O_NEXT]
        price = next_above(t.occupied, market, price) if side > 0 else next_below(t.occupied, market, price)
    return False


@kernel
def lots_within(t: Tables, market: int, side: int, limit_ticks: int) -> int:
    """Return the lots that an order of `side` would meet up to its limit, whoever's they are (R-W35)."""
    markets = t.markets
    price = markets[market, M_BEST_ASK] if side > 0 else markets[market, M_BEST_BID]
    found = 0
    while 0 < price < markets[market, M_PRICE_MAX_TICKS] and side * (limit_ticks - price) >= 0:
        found += t.levels[market, price, L_LOTS]
        price = next_above(t.occupied, market, price) if side > 0 else next_below(t.occupied, market, price)
    assert found >= 0
    return found
