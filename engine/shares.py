"""How lots are shared among the orders of one price: TOP, lead makers, FIFO part, pro rata, levelling, FIFO (R-O23)."""

from __future__ import annotations

from .commands import FLAG_REDUCE_ONLY
from .kernel import kernel
from .positions import closable_lots
from .tables import (
    A_KEY,
    L_HEAD,
    LEAD_MAKERS_MAX,
    M_TOP_ASK,
    M_TOP_BID,
    NONE,
    O_ACCOUNT,
    O_FLAGS,
    O_LOTS,
    O_NEXT,
    O_SEQUENCE,
    O_SIDE,
    V_BOARD_LOTS,
    V_FIFO_PPM,
    V_LEAD_PPM,
    V_LEVELLING,
    V_SHARE_MINIMUM,
    V_SHARE_NEAREST,
    V_TOP_MAX,
    Tables,
)
from .units import muldiv_down, ppm_down


@kernel
def share_out(t: Tables, market: int, price: int, lots: int) -> None:
    """Share `lots` among the orders at the best price of a market; modifies `shares` of exactly these orders.

    The shares sum to `lots`, or are all an order may trade if there are not more. All orders of the level may trade.
    """
    first = t.levels[market, price, L_HEAD]
    assert lots > 0 and first != NONE
    total = 0
    order = first
    while order != NONE:
        t.shares[order] = 0
        total += _room(t, market, order)
        order = t.orders[order, O_NEXT]
    left = lots
    if lots < total:
        left -= _to_top(t, market, first, left)
        left -= _in_time(t, market, first, ppm_down(left, t.venue[V_LEAD_PPM]), True)
        left -= _in_time(t, market, first, ppm_down(left, t.venue[V_FIFO_PPM]), False)
        left -= _pro_rata(t, market, first, left)
    left -= _in_time(t, market, first, left, False)
    assert left == max(0, lots - total), "every lot is shared out"


@kernel
def tradable_lots(t: Tables, market: int, order: int) -> int:
    """Return how many lots a resting order may trade now: all, or what still reduces its position (R-O4)."""
    orders = t.orders
    if orders[order, O_FLAGS] & FLAG_REDUCE_ONLY:
        closable = closable_lots(t, orders[order, O_ACCOUNT], market, orders[order, O_SIDE])
        return min(orders[order, O_LOTS], closable)
    return orders[order, O_LOTS]


@kernel
def _room(t: Tables, market: int, order: int) -> int:
    """Return what an order may trade beyond its share so far."""
    room = tradable_lots(t, market, order) - t.shares[order]
    assert room >= 0
    return room


@kernel
def _to_top(t: Tables, market: int, first: int, left: int) -> int:
    """Give the TOP order what it may get, if there is one; return the lots given."""
    most = t.venue[V_TOP_MAX]
    top = t.markets[market, M_TOP_BID if t.orders[first, O_SIDE] > 0 else M_TOP_ASK]
    if most == NONE or top != t.orders[first, O_SEQUENCE]:
        return 0
    given = min(left, _room(t, market, first))
    if most > 0:
        given = min(given, most)
    t.shares[first] += given
    return given


@kernel
def _is_lead(t: Tables, order: int) -> bool:
    """Say whether an order is that of a lead market maker."""
    key = t.accounts[t.orders[order, O_ACCOUNT], A_KEY]
    found = False
    for i in range(LEAD_MAKERS_MAX):
        found = found or t.leads[i] == key
    return found


@kernel
def _in_time(t: Tables, market: int, first: int, lots: int, leads_only: bool) -> int:
    """Give so many lots to orders, or to those of lead market makers, oldest first; return the lots given."""
    left = lots
    order = first
    while order != NONE and left > 0:
        if not leads_only or _is_lead(t, order):
            given = min(left, _room(t, market, order))
            t.shares[order] += given
            left -= given
        order = t.orders[order, O_NEXT]
    return lots - left


@kernel
def _pro_rata(t: Tables, market: int, first: int, lots: int) -> int:
    """Share lots in proportion to what orders may still trade, then level; return the lots given."""
    orders = t.orders
    whole = 0
    order = first
    while order != NONE:
        whole += _room(t, market, order)
        order = orders[order, O_NEXT]
    spare = lots  # what rounding leaves
    order = first
    while order != NONE and whole > 0:
        spare -= min(spare, _proportion(t, _room(t, market, order), lots, whole))
        order = orders[order, O_NEXT]
    left, levelled = lots, spare if t.venue[V_LEVELLING] else 0
    order = first
    while order != NONE and whole > 0:
        room = _room(t, market, order)
        given = min(left, _proportion(t, room, lots, whole))
        if given == 0 and room > 0 and levelled > 0:
            given = 1
            levelled -= 1
        t.shares[order] += given
        left -= given
        order = orders[order, O_NEXT]
    assert left >= 0
    return lots - left


@kernel
def _proportion(t: Tables, room: int, lots: int, whole: int) -> int:
    """Return an order's part of lots, in whole board lots, nothing if it is below the minimum (R-O22)."""
    board = t.venue[V_BOARD_LOTS]
    assert 0 <= room <= whole and board >= 1
    if t.venue[V_SHARE_NEAREST]:
        part = (muldiv_down(2 * room, lots, whole) + board) // (2 * board) * board
    else:
        part = muldiv_down(room, lots, whole) // board * board
    part = min(part, room)
    return part if part >= t.venue[V_SHARE_MINIMUM] else 0
