"""Continuous price-time matching of one order, and what becomes of its remainder (R-O1 to R-O5)."""

from __future__ import annotations

from .admission import CANCEL_BOTH, CANCEL_NEWEST, crosses
from .book import add_to_level, cancel, give_back_row, never_rests, remove, rest, within_band
from .commands import FLAG_FORCED, FLAG_REDUCE_ONLY, Kind
from .contract import value_atoms, worth_of
from .events import Event, has_room, record
from .kernel import kernel
from .positions import charge_liquidation_fee, closable_lots, release_flat_pocket, settle_side
from .surplus import due_atoms, is_refused, settle_surplus
from .tables import (
    FUND,
    L_HEAD,
    M_BEST_ASK,
    M_BEST_BID,
    M_FILLS,
    M_FORCED_ATOMS,
    M_FORCED_CAUSE,
    M_FORCED_LOTS,
    M_FORCED_STEP,
    M_HIGH_TICKS,
    M_LAST_TICKS,
    M_LOW_TICKS,
    M_VOLUME_ATOMS,
    M_VOLUME_LOTS,
    O_ACCOUNT,
    O_FLAGS,
    O_KIND,
    O_LOTS,
    O_MARKET,
    O_PRICE_TICKS,
    O_SIDE,
    O_TAG,
    V_ACCOUNTS,
    V_CAUSE,
    V_MAKER_PPM,
    V_NOTE_TRADES,
    V_SALE_PPM,
    V_SELF_TRADE,
    V_STEP,
    V_TAGGED,
    V_TAKER_PPM,
    Tables,
)
from .trades import ALL_TRADES, note_trade

LIMIT = int(Kind.LIMIT)
FILL = int(Event.FILL)
CANCEL_SELF_TRADE = 1
CANCEL_NOT_REDUCING = 2


@kernel
def match(t: Tables, order: int) -> bool:
    """Trade a taker against the book until it is filled, out of limit or stopped; return False if it must be resumed.

    The taker is a row of `orders` in no list. A False return means the event buffer is full: drain it and call again.
    """
    orders, levels, markets, venue = t.orders, t.levels, t.markets, t.venue
    account = orders[order, O_ACCOUNT]
    market = orders[order, O_MARKET]
    side = orders[order, O_SIDE]
    flags = orders[order, O_FLAGS]
    while orders[order, O_LOTS] > 0 and crosses(
        t, market, side, within_band(t, market, side, orders[order, O_PRICE_TICKS])
    ):
        if not has_room(t):
            return False
        price = markets[market, M_BEST_ASK] if side > 0 else markets[market, M_BEST_BID]
        maker = levels[market, price, L_HEAD]
        assert maker >= 0 and orders[maker, O_SIDE] == -side, "the best level holds the other side's orders"
        lots = min(orders[order, O_LOTS], orders[maker, O_LOTS])
        if orders[maker, O_ACCOUNT] == account:
            if _prevent_self_trade(t, order, maker, venue[V_SELF_TRADE]):
                break
            continue
        if orders[maker, O_FLAGS] & FLAG_REDUCE_ONLY:
            lots = min(lots, closable_lots(t, orders[maker, O_ACCOUNT], market, -side))
            if lots == 0:
                cancel(t, maker, CANCEL_NOT_REDUCING)
                continue
        if flags & FLAG_REDUCE_ONLY:
            lots = min(lots, closable_lots(t, account, market, side))
            if lots == 0:
                orders[order, O_LOTS] = 0
                break
        if flags & FLAG_FORCED and is_refused(t, account, market, side * lots, price):
            orders[order, O_LOTS] = 0
            break
        trade(t, order, maker, market, side, lots, price)
    return True


@kernel
def _prevent_self_trade(t: Tables, order: int, maker: int, policy: int) -> bool:
    """Apply self-trade prevention; return True if the taker stops (R-O5)."""
    newest_goes = t.orders[order, O_FLAGS] & FLAG_FORCED == 0 and (policy == CANCEL_NEWEST or policy == CANCEL_BOTH)
    if not newest_goes or policy == CANCEL_BOTH:
        cancel(t, maker, CANCEL_SELF_TRADE)
    if newest_goes:
        t.orders[order, O_LOTS] = 0
    return newest_goes


@kernel
def trade(t: Tables, order: int, maker: int, market: int, side: int, lots: int, price: int) -> None:
    """Exchange lots between taker and maker at the maker's price and take them off both orders."""
    orders, venue = t.orders, t.venue
    assert lots > 0
    taker_account = orders[order, O_ACCOUNT]
    maker_account = orders[maker, O_ACCOUNT]
    forced = orders[order, O_FLAGS] & FLAG_FORCED != 0
    cause = venue[V_CAUSE]
    value = value_atoms(t, market, lots, price)
    reduce_only = orders[maker, O_FLAGS] & FLAG_REDUCE_ONLY != 0
    orders[order, O_LOTS] -= lots
    orders[maker, O_LOTS] -= lots
    add_to_level(t, maker, -lots)
    record_fill(t, order, maker, market, side * lots, price, value, cause)
    count_trade(t, market, lots, price, value, forced, cause)
    settle_taker(t, taker_account, market, side * lots, price, value, forced, cause)
    settle_side(t, maker_account, market, -side * lots, price, venue[V_MAKER_PPM], False, cause)
    assert orders[maker, O_LOTS] >= 0 and orders[order, O_LOTS] >= 0
    if orders[maker, O_LOTS] == 0:
        remove(t, maker)
    elif reduce_only and closable_lots(t, maker_account, market, -side) == 0:
        cancel(t, maker, CANCEL_NOT_REDUCING)


@kernel
def record_fill(t: Tables, taker: int, maker: int, market: int, lots: int, price: int, value: int, cause: int) -> None:
    """Record a fill of two orders; in a replay of messages with their tags, where causes and codes are otherwise."""
    orders, code = t.orders, 0
    if t.venue[V_TAGGED]:
        cause, code = orders[taker, O_TAG], orders[maker, O_TAG]
    assert lots != 0 and price > 0
    record(t, FILL, market, orders[taker, O_ACCOUNT], orders[maker, O_ACCOUNT], lots, price, value, cause, code)


@kernel
def settle_taker(
    t: Tables, account: int, market: int, lots: int, price: int, value: int, forced: bool, cause: int
) -> None:
    """Settle the side of a fill that pays the taker fee or, forced, liquidation fee and surplus (R-M6, R-W7, R-W29)."""
    due = due_atoms(t, account, market, lots) if forced else 0
    fee_ppm = t.venue[V_TAKER_PPM]
    if forced:  # only the fund may have to pay for trading beside R-W7 (R-W35)
        fee_ppm = t.venue[V_SALE_PPM] if account == t.venue[V_ACCOUNTS] + FUND else 0
    settle_side(t, account, market, lots, price, fee_ppm, forced, cause)
    if forced:
        fee = charge_liquidation_fee(t, account, market, value, cause)
        proceeds = -worth_of(t, value if lots > 0 else -value) - fee
        settle_surplus(t, account, market, proceeds, value, due, cause)
        release_flat_pocket(t, account, market, cause)


@kernel
def count_trade(t: Tables, market: int, lots: int, price: int, value: int, forced: bool, cause: int) -> None:
    """Keep last, low, high and the counters of a market."""
    markets = t.markets
    markets[market, M_LAST_TICKS] = price
    low = markets[market, M_LOW_TICKS]
    markets[market, M_LOW_TICKS] = price if low == 0 else min(price, low)
    markets[market, M_HIGH_TICKS] = max(price, markets[market, M_HIGH_TICKS])
    markets[market, M_FILLS] += 1
    markets[market, M_VOLUME_LOTS] += lots
    markets[market, M_VOLUME_ATOMS] += value
    noted = t.venue[V_NOTE_TRADES]
    if noted == ALL_TRADES or (noted and not forced):
        note_trade(t, market, lots, price)
    if forced:
        markets[market, M_FORCED_LOTS] += lots
        markets[market, M_FORCED_ATOMS] += value
        markets[market, M_FORCED_CAUSE] = cause
        markets[market, M_FORCED_STEP] = t.venue[V_STEP]


@kernel
def finish(t: Tables, order: int) -> None:
    """Let what is left of a matched taker rest, or expire (R-O12)."""
    orders = t.orders
    left = orders[order, O_LOTS]
    assert left >= 0
    if left > 0 and not never_rests(orders[order, O_KIND], orders[order, O_FLAGS]):
        rest(t, order)
    else:
        give_back_row(t, order)
