"""The price of a call auction: most volume, least surplus, then a rule for what is left (R-H2)."""

from __future__ import annotations

from .book import ladder_of
from .kernel import kernel
from .occupancy import next_above, next_below
from .tables import (
    BY_MIDDLE,
    BY_PRESSURE,
    L_LOTS,
    M_AUCTION,
    M_LAST_TICKS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    NONE,
    V_AUCTION_TIE,
    Tables,
)


@kernel
def best_in_auction(t: Tables, market: int, side: int) -> int:
    """Return the best price of a side of a market in auction; 0 without bids, price_max_ticks without asks."""
    price_max = t.markets[market, M_PRICE_MAX_TICKS]
    assert t.markets[market, M_AUCTION] != 0
    if side > 0:
        return max(0, next_below(t.occupied, ladder_of(t, market, 1), price_max))
    ask = next_above(t.occupied, market, 0)
    return price_max if ask == NONE else ask


@kernel
def auction_price(t: Tables, market: int) -> tuple[int, int, int]:
    """Return (price, lots, surplus) at which a market in auction would uncross now; (0, 0, 0) if nothing would trade.

    lots: what is executable at the price, the smaller of the lots bid at it or above and of those offered at it or
    below; surplus: bid less offered. Reduce-only and own orders count with all their lots. Reads only (R-H2).
    """
    bid, ask = best_in_auction(t, market, 1), best_in_auction(t, market, -1)
    if bid < ask:
        return 0, 0, 0
    bids = ladder_of(t, market, 1)
    wanted = 0
    price = bid
    while price >= ask:
        wanted += t.levels[bids, price, L_LOTS]
        price = next_below(t.occupied, bids, price)
    offered = 0
    most, least = 0, 0
    low, high, low_surplus, high_surplus = 0, 0, 0, 0  # the prices of most volume and least surplus
    first, last = 0, 0  # the prices of most volume
    price = ask
    while price <= bid:
        # From one price on, everything stays the same up to the next ask, or to just above the next bid.
        offered += t.levels[market, price, L_LOTS]
        end = min(bid, _same_up_to(t, market, bids, price))
        volume, surplus = min(wanted, offered), wanted - offered
        if volume > most:
            most, least, first = volume, abs(surplus) + 1, price
        if volume == most:
            last = end
            if abs(surplus) < least:
                least, low, low_surplus = abs(surplus), price, surplus
            if abs(surplus) == least:
                high, high_surplus = end, surplus
        wanted -= t.levels[bids, end, L_LOTS]
        price = end + 1
    assert most > 0 and 0 < low <= high and first <= low and high <= last
    chosen = _choose(t, market, low, high, low_surplus, high_surplus)
    if t.venue[V_AUCTION_TIE] == BY_MIDDLE:
        chosen = (first + last) // 2
    return chosen, most, _surplus_at(t, market, bids, chosen)


@kernel
def _same_up_to(t: Tables, market: int, bids: int, price: int) -> int:
    """Return the highest price up to which demand and supply are those at `price`."""
    end = t.markets[market, M_PRICE_MAX_TICKS] - 1
    ask = next_above(t.occupied, market, price)
    if ask != NONE:
        end = min(end, ask - 1)
    bid = next_above(t.occupied, bids, price - 1)
    return end if bid == NONE else min(end, bid)


@kernel
def _choose(t: Tables, market: int, low: int, high: int, low_surplus: int, high_surplus: int) -> int:
    """Return one of the prices low .. high, all of the same volume and the same size of surplus (R-H2)."""
    assert low <= high and low_surplus >= high_surplus, "demand falls with the price, supply rises"
    if t.venue[V_AUCTION_TIE] == BY_PRESSURE:
        if high_surplus > 0:
            return high
        if low_surplus < 0:
            return low
    last = t.markets[market, M_LAST_TICKS]
    reference = last if last > 0 else t.markets[market, M_MARK_TICKS]
    return max(low, min(high, reference))


@kernel
def _surplus_at(t: Tables, market: int, bids: int, price: int) -> int:
    """Return the lots bid at a price or above less those offered at it or below."""
    surplus = 0
    tick = next_above(t.occupied, bids, price - 1)
    while tick != NONE:
        surplus += t.levels[bids, tick, L_LOTS]
        tick = next_above(t.occupied, bids, tick)
    tick = next_below(t.occupied, market, price + 1)
    while tick > 0:
        surplus -= t.levels[market, tick, L_LOTS]
        tick = next_below(t.occupied, market, tick)
    return surplus
