"""Call auctions: orders collect, then all that can trade do so at one price (R-H1 to R-H6)."""

from __future__ import annotations

from .admission import CANCEL_BOTH, CANCEL_NEWEST
from .auction_price import auction_price, best_in_auction
from .book import add_to_level, cancel, give_back_row, ladder_of, remove, rest
from .commands import FLAG_FORCED, FLAG_IOC, FLAG_REDUCE_ONLY, Kind
from .contract import value_atoms
from .events import Event, has_room, record
from .kernel import kernel
from .margin import in_unit, owner_of
from .matching import CANCEL_NOT_REDUCING, CANCEL_SELF_TRADE, count_trade, record_fill, settle_taker
from .occupancy import clear, next_above, next_below, occupy
from .positions import closable_lots, settle_side
from .tables import (
    A_FIRST_ORDER,
    IN_BATCH,
    IN_HALT,
    L_HEAD,
    L_LOTS,
    L_TAIL,
    M_AUCTION,
    M_AUCTION_TICKS,
    M_BEST_ASK,
    M_BEST_BID,
    M_JOINED,
    M_PRICE_MAX_TICKS,
    M_TOP_ASK,
    M_TOP_BID,
    M_UNCROSSING_TICKS,
    NONE,
    O_ACCOUNT,
    O_ACCOUNT_NEXT,
    O_FLAGS,
    O_KIND,
    O_LOTS,
    O_MARKET,
    O_NEXT,
    O_SEQUENCE,
    O_SIDE,
    O_TRIGGER_TICKS,
    OPEN,
    V_AUCTIONS,
    V_CAUSE,
    V_FREE_ORDERS,
    V_MAKER_PPM,
    V_MARKETS,
    V_SELF_TRADE,
    Table,
    Tables,
)

LIMIT = int(Kind.LIMIT)
AUCTION = int(Event.AUCTION)
CANCEL_EXPIRED = 3


@kernel
def begin_auction(t: Tables, market: int, holder: int) -> None:
    """Stop matching in a market and let orders collect (R-H1); its bids move to a ladder of their own.

    `holder`: IN_BATCH or IN_HALT, what M_AUCTION says until `uncross`. A halt may take over a batch, nothing else.
    """
    markets = t.markets
    assert t.venue[V_AUCTIONS] and (holder == IN_BATCH or holder == IN_HALT)
    if markets[market, M_AUCTION] != OPEN:
        assert markets[market, M_AUCTION] == IN_BATCH and holder == IN_HALT, "a market is in one auction at a time"
        markets[market, M_AUCTION] = holder
        return
    _move_bids(t, market, market, market + t.venue[V_MARKETS], markets[market, M_BEST_BID])
    markets[market, M_AUCTION] = holder
    markets[market, M_BEST_BID] = 0
    markets[market, M_BEST_ASK] = markets[market, M_PRICE_MAX_TICKS]
    markets[market, M_AUCTION_TICKS] = 0
    markets[market, M_JOINED] = 0
    assert markets[market, M_UNCROSSING_TICKS] == 0


@kernel
def _move_bids(t: Tables, market: int, source: int, target: int, price: int) -> None:
    """Move the levels of a market at `price` and below from one ladder to another; the queues stay as they are."""
    levels = t.levels
    while price > 0:
        assert levels[source, price, L_LOTS] > 0 and levels[target, price, L_HEAD] == NONE
        levels[target, price, L_HEAD] = levels[source, price, L_HEAD]
        levels[target, price, L_TAIL] = levels[source, price, L_TAIL]
        levels[target, price, L_LOTS] = levels[source, price, L_LOTS]
        levels[source, price, L_HEAD] = NONE
        levels[source, price, L_TAIL] = NONE
        levels[source, price, L_LOTS] = 0
        occupy(t.occupied, target, price)
        clear(t.occupied, source, price)
        price = next_below(t.occupied, source, price)


@kernel
def join(t: Tables, order: int) -> None:
    """Let an admitted order rest in the auction; one that never rests otherwise expires with it (R-H4, R-H5).

    The order is a row of `orders` in no list.
    """
    orders, venue = t.orders, t.venue
    market, account = orders[order, O_MARKET], orders[order, O_ACCOUNT]
    forced = orders[order, O_FLAGS] & FLAG_FORCED != 0
    if forced:
        _cancel_forced(t, account, market)
        if venue[V_FREE_ORDERS] == 0:  # one row is kept free for the order being executed
            give_back_row(t, order)
            return
        orders[order, O_TRIGGER_TICKS] = venue[V_CAUSE]
    assert venue[V_FREE_ORDERS] > 0, "admission leaves a row free"
    if orders[order, O_KIND] != LIMIT or orders[order, O_FLAGS] & FLAG_IOC:
        orders[order, O_KIND] = LIMIT
        orders[order, O_FLAGS] |= FLAG_IOC
        t.markets[market, M_JOINED] = 1
    rest(t, order)


@kernel
def _cancel_forced(t: Tables, account: int, market: int) -> None:
    """Cancel the forced orders of an account that wait in the auction of a market."""
    order = t.accounts[account, A_FIRST_ORDER]
    while order != NONE:
        after = t.orders[order, O_ACCOUNT_NEXT]
        if t.orders[order, O_MARKET] == market and t.orders[order, O_FLAGS] & FLAG_FORCED:
            cancel(t, order, CANCEL_EXPIRED)
        order = after


@kernel
def find_waiting(t: Tables, units: Table, waiting: Table) -> None:
    """Say of each unit whether a forced order of it waits in an auction (R-H6); modifies `waiting` (n,), 1 or 0."""
    for i in range(units.shape[0]):
        account = owner_of(t, units[i])
        waiting[i] = 0
        order = t.accounts[account, A_FIRST_ORDER]
        while order != NONE:
            if t.orders[order, O_FLAGS] & FLAG_FORCED and in_unit(t, units[i], account, t.orders[order, O_MARKET]):
                assert t.markets[t.orders[order, O_MARKET], M_AUCTION] != OPEN, "forced orders rest in auctions only"
                waiting[i] = 1
            order = t.orders[order, O_ACCOUNT_NEXT]


@kernel
def uncross(t: Tables, market: int) -> bool:
    """End the auction of a market: trade at its price, let expire what never rests, open (R-H2, R-H3, R-H5).

    Returns False if it must be resumed: the event buffer is full, drain it and call again.
    """
    markets = t.markets
    assert markets[market, M_AUCTION] != OPEN
    bids = ladder_of(t, market, 1)
    while True:
        if not has_room(t):
            return False
        price = markets[market, M_UNCROSSING_TICKS]
        if price == 0:
            price, lots, surplus = auction_price(t, market)
            if price == 0:
                break
            markets[market, M_UNCROSSING_TICKS] = price
            markets[market, M_AUCTION_TICKS] = price
            record(t, AUCTION, market, NONE, NONE, lots, price, surplus, 0, 0)
        bid, ask = best_in_auction(t, market, 1), best_in_auction(t, market, -1)
        if bid < price or ask > price:
            markets[market, M_UNCROSSING_TICKS] = 0
        else:
            _meet(t, market, t.levels[bids, bid, L_HEAD], t.levels[market, ask, L_HEAD], price)
    if markets[market, M_JOINED] and not (_expire(t, bids) and _expire(t, market)):
        return False
    _open(t, market)
    return True


@kernel
def _meet(t: Tables, market: int, bid: int, ask: int, price: int) -> None:
    """Let the first bid and the first ask trade at the auction's price, or cancel what may not (R-H3)."""
    orders = t.orders
    if orders[bid, O_ACCOUNT] == orders[ask, O_ACCOUNT]:
        _prevent_self_trade(t, bid, ask)
        return
    lots = min(orders[bid, O_LOTS], orders[ask, O_LOTS])
    for order in (bid, ask):
        if orders[order, O_FLAGS] & FLAG_REDUCE_ONLY:
            lots = min(lots, closable_lots(t, orders[order, O_ACCOUNT], market, orders[order, O_SIDE]))
            if lots == 0:
                cancel(t, order, CANCEL_NOT_REDUCING)
                return
    bid_forced, ask_forced = orders[bid, O_FLAGS] & FLAG_FORCED, orders[ask, O_FLAGS] & FLAG_FORCED
    bid_takes = orders[bid, O_SEQUENCE] > orders[ask, O_SEQUENCE]
    if bid_forced != ask_forced:
        bid_takes = bid_forced != 0
    if bid_takes:
        _trade(t, bid, ask, market, lots, price)
    else:
        _trade(t, ask, bid, market, lots, price)


@kernel
def _prevent_self_trade(t: Tables, bid: int, ask: int) -> None:
    """Cancel the younger, the older or both orders of one account; a forced one stays (R-H3)."""
    orders, policy = t.orders, t.venue[V_SELF_TRADE]
    older, younger = bid, ask
    if orders[bid, O_SEQUENCE] > orders[ask, O_SEQUENCE]:
        older, younger = ask, bid
    if orders[older, O_FLAGS] & FLAG_FORCED:
        cancel(t, younger, CANCEL_SELF_TRADE)
        return
    keeps_younger = orders[younger, O_FLAGS] & FLAG_FORCED != 0
    if keeps_younger or policy != CANCEL_NEWEST:
        cancel(t, older, CANCEL_SELF_TRADE)
    if not keeps_younger and (policy == CANCEL_NEWEST or policy == CANCEL_BOTH):
        cancel(t, younger, CANCEL_SELF_TRADE)


@kernel
def _trade(t: Tables, taker: int, maker: int, market: int, lots: int, price: int) -> None:
    """Exchange lots between two orders at rest: a forced one, else the younger, is the taker (R-H3)."""
    orders, venue = t.orders, t.venue
    assert lots > 0 and orders[taker, O_SIDE] == -orders[maker, O_SIDE]
    side = orders[taker, O_SIDE]
    taker_account, maker_account = orders[taker, O_ACCOUNT], orders[maker, O_ACCOUNT]
    forced = orders[taker, O_FLAGS] & FLAG_FORCED != 0
    cause = orders[taker, O_TRIGGER_TICKS] if forced else 0
    value = value_atoms(t, market, lots, price)
    for order in (taker, maker):
        orders[order, O_LOTS] -= lots
        add_to_level(t, order, -lots)
    record_fill(t, taker, maker, market, side * lots, price, value, cause)
    count_trade(t, market, lots, price, value, forced, cause)
    settle_taker(t, taker_account, market, side * lots, price, value, forced, cause)
    if orders[maker, O_FLAGS] & FLAG_FORCED:
        own_cause = orders[maker, O_TRIGGER_TICKS]
        settle_taker(t, maker_account, market, -side * lots, price, value, True, own_cause)
    else:
        settle_side(t, maker_account, market, -side * lots, price, venue[V_MAKER_PPM], False, cause)
    _after_trade(t, taker, market)
    _after_trade(t, maker, market)


@kernel
def _after_trade(t: Tables, order: int, market: int) -> None:
    """Remove an order that is filled, or that has nothing more to reduce."""
    orders = t.orders
    if orders[order, O_LOTS] == 0:
        remove(t, order)
        return
    reduce_only = orders[order, O_FLAGS] & FLAG_REDUCE_ONLY != 0
    if reduce_only and closable_lots(t, orders[order, O_ACCOUNT], market, orders[order, O_SIDE]) == 0:
        cancel(t, order, CANCEL_NOT_REDUCING)


@kernel
def _expire(t: Tables, ladder: int) -> bool:
    """Cancel the orders of a ladder that expire with the auction; return False if the event buffer is full (R-H5)."""
    price = next_above(t.occupied, ladder, 0)
    while price != NONE:
        order = t.levels[ladder, price, L_HEAD]
        while order != NONE:
            after = t.orders[order, O_NEXT]
            if t.orders[order, O_FLAGS] & FLAG_IOC:
                if not has_room(t):
                    return False
                cancel(t, order, CANCEL_EXPIRED)
            order = after
        price = next_above(t.occupied, ladder, price)
    return True


@kernel
def _open(t: Tables, market: int) -> None:
    """Let a market trade again, with what the auction left (R-H1)."""
    markets = t.markets
    bid, ask = best_in_auction(t, market, 1), best_in_auction(t, market, -1)
    assert bid < ask, "what an auction leaves does not cross"
    markets[market, M_AUCTION] = OPEN
    markets[market, M_JOINED] = 0
    _move_bids(t, market, market + t.venue[V_MARKETS], market, bid)
    markets[market, M_BEST_BID] = bid
    markets[market, M_BEST_ASK] = ask
    markets[market, M_TOP_BID] = 0  # nobody has bettered the market since it opened
    markets[market, M_TOP_ASK] = 0
