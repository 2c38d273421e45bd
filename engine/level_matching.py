"""Matching by other orders than time: a level at once, its lots shared among its orders (R-O21 to R-O24)."""

from __future__ import annotations

from .admission import CANCEL_BOTH, CANCEL_OLDEST, crosses
from .book import cancel, holds_own, within_band
from .commands import FLAG_FORCED, FLAG_REDUCE_ONLY
from .events import has_room
from .kernel import kernel
from .matching import CANCEL_NOT_REDUCING, CANCEL_SELF_TRADE, match, trade
from .positions import closable_lots
from .shares import share_out, tradable_lots
from .surplus import is_refused
from .tables import (
    L_HEAD,
    M_BEST_ASK,
    M_BEST_BID,
    NONE,
    O_ACCOUNT,
    O_FLAGS,
    O_LOTS,
    O_MARKET,
    O_NEXT,
    O_PRICE_TICKS,
    O_SIDE,
    V_ALLOCATION,
    V_SELF_TRADE,
    V_SHARING,
    Tables,
)


@kernel
def match_by_rule(t: Tables, order: int) -> bool:
    """Trade a taker against the book by the venue's allocation; return False if it must be resumed (see `match`)."""
    if t.venue[V_ALLOCATION]:
        return _match_levels(t, order)
    return match(t, order)


@kernel
def _match_levels(t: Tables, order: int) -> bool:
    """Trade a taker level by level, best price first; each level's lots are shared among all its orders (R-O21)."""
    orders, markets, venue = t.orders, t.markets, t.venue
    account, market, side = orders[order, O_ACCOUNT], orders[order, O_MARKET], orders[order, O_SIDE]
    limit = orders[order, O_PRICE_TICKS]
    while venue[V_SHARING] or (
        orders[order, O_LOTS] > 0 and crosses(t, market, side, within_band(t, market, side, limit))
    ):
        if not has_room(t):
            return False
        price = markets[market, M_BEST_ASK] if side > 0 else markets[market, M_BEST_BID]
        if venue[V_SHARING] == 0:
            if not _clear_idle(t, market, price):
                return False
            if _best_moved(t, market, side, price):
                continue
            if holds_own(t, account, market, price):
                if not _prevent_self_trade(t, order, price):
                    return False
                continue
            lots = orders[order, O_LOTS]
            if orders[order, O_FLAGS] & FLAG_REDUCE_ONLY:
                lots = min(lots, closable_lots(t, account, market, side))
            if lots == 0:
                orders[order, O_LOTS] = 0
                break
            share_out(t, market, price, lots)
            venue[V_SHARING] = price
        if not _trade_shares(t, order, market, side, venue[V_SHARING]):
            return False
        venue[V_SHARING] = 0
    return True


@kernel
def _best_moved(t: Tables, market: int, side: int, price: int) -> bool:
    """Say whether the level a taker of `side` was looking at is gone."""
    return price != (t.markets[market, M_BEST_ASK] if side > 0 else t.markets[market, M_BEST_BID])


@kernel
def _clear_idle(t: Tables, market: int, price: int) -> bool:
    """Cancel the reduce-only orders of a level that have nothing to reduce; return False if events are full."""
    order = t.levels[market, price, L_HEAD]
    while order != NONE:
        after = t.orders[order, O_NEXT]
        if tradable_lots(t, market, order) == 0:
            if not has_room(t):
                return False
            cancel(t, order, CANCEL_NOT_REDUCING)
        order = after
    return True


@kernel
def _prevent_self_trade(t: Tables, order: int, price: int) -> bool:
    """Cancel the taker's own orders at a price, its remainder, or both (R-O24); return False if events are full."""
    orders, policy = t.orders, t.venue[V_SELF_TRADE]
    forced = orders[order, O_FLAGS] & FLAG_FORCED != 0
    if forced or policy == CANCEL_OLDEST or policy == CANCEL_BOTH:
        maker = t.levels[orders[order, O_MARKET], price, L_HEAD]
        while maker != NONE:
            after = orders[maker, O_NEXT]
            if orders[maker, O_ACCOUNT] == orders[order, O_ACCOUNT]:
                if not has_room(t):
                    return False
                cancel(t, maker, CANCEL_SELF_TRADE)
            maker = after
    if not forced and policy != CANCEL_OLDEST:
        orders[order, O_LOTS] = 0
    return True


@kernel
def _trade_shares(t: Tables, order: int, market: int, side: int, price: int) -> bool:
    """Trade what was shared out at a price, oldest order first; return False if it must be resumed.

    An order whose fills have left another of its account nothing to reduce is cut here; the next pass shares the rest.
    """
    forced = t.orders[order, O_FLAGS] & FLAG_FORCED != 0
    maker = t.levels[market, price, L_HEAD]
    while maker != NONE:
        after = t.orders[maker, O_NEXT]
        if t.shares[maker] > 0:
            if not has_room(t):
                return False
            lots = min(t.shares[maker], tradable_lots(t, market, maker))
            t.shares[maker] = 0
            assert lots <= t.orders[order, O_LOTS]
            if lots == 0:
                cancel(t, maker, CANCEL_NOT_REDUCING)
            elif forced and is_refused(t, t.orders[order, O_ACCOUNT], market, side * lots, price):
                t.orders[order, O_LOTS] = 0
                _forget_shares(t, after)
                return True
            else:
                trade(t, order, maker, market, side, lots, price)
        maker = after
    return True


@kernel
def _forget_shares(t: Tables, maker: int) -> None:
    """Take back what was shared out to an order and those behind it, when their taker has ended (R-W37)."""
    while maker != NONE:
        assert t.shares[maker] >= 0
        t.shares[maker] = 0
        maker = t.orders[maker, O_NEXT]
