"""What the band does to an order that would trade beyond it: held back, or into an auction (R-H10, R-H14)."""

from __future__ import annotations

from .admission import crosses
from .auction import begin_auction, join
from .book import give_back_row, never_rests, within_band
from .commands import Kind
from .events import IN_AUCTION, Event, record
from .kernel import kernel
from .matching import finish
from .tables import (
    A_ORDERS,
    IN_HALT,
    M_EXTENDED,
    M_HALT_UNTIL,
    M_LAST_TICKS,
    M_LEANING,
    NONE,
    O_ACCOUNT,
    O_FLAGS,
    O_KIND,
    O_LOTS,
    O_MARKET,
    O_PRICE_TICKS,
    O_SIDE,
    TO_AUCTION,
    V_AUCTION_PERSISTENT,
    V_AUCTION_STEPS,
    V_BANDS,
    V_FREE_ORDERS,
    V_ORDERS_PER_ACCOUNT_MAX,
    V_STEP,
    Tables,
)

LIMIT = int(Kind.LIMIT)
HALT = int(Event.HALT)


@kernel
def conclude(t: Tables, order: int) -> None:
    """Let what is left of a matched taker rest, expire, lean against the band, or begin an auction.

    Modifies the order, and the market's mode or the note that orders lean against its band.
    """
    orders, market = t.orders, t.orders[order, O_MARKET]
    price, side = orders[order, O_PRICE_TICKS], orders[order, O_SIDE]
    if t.venue[V_BANDS] == 0 or orders[order, O_LOTS] == 0 or not crosses(t, market, side, price):
        finish(t, order)
        return
    # What still crosses was stopped by the band, not by its own limit.
    begins_none = t.venue[V_AUCTION_PERSISTENT] and never_rests(orders[order, O_KIND], orders[order, O_FLAGS])
    if t.venue[V_BANDS] == TO_AUCTION and not begins_none:
        begin_auction(t, market, IN_HALT)
        t.markets[market, M_HALT_UNTIL] = t.venue[V_STEP] + t.venue[V_AUCTION_STEPS]
        t.markets[market, M_EXTENDED] = 0
        until = t.markets[market, M_HALT_UNTIL]
        record(t, HALT, market, NONE, NONE, 0, t.markets[market, M_LAST_TICKS], until, 0, IN_AUCTION)
        # An order that was not to rest was admitted without asking for room.
        full = t.accounts[orders[order, O_ACCOUNT], A_ORDERS] >= t.venue[V_ORDERS_PER_ACCOUNT_MAX]
        if full or t.venue[V_FREE_ORDERS] == 0:
            give_back_row(t, order)
        else:
            join(t, order)
        return
    t.markets[market, M_LEANING] = 1
    orders[order, O_PRICE_TICKS] = within_band(t, market, side, price)
    assert not crosses(t, market, side, orders[order, O_PRICE_TICKS])
    finish(t, order)
