"""Whether an order may enter: the refusals of R-O9 and the margin check of R-A7."""

from __future__ import annotations

from .auction_price import auction_price
from .book import fillable, never_rests, within_band
from .commands import FLAG_FOK, FLAG_FORCED, FLAG_IOC, FLAG_POST_ONLY, FLAG_REDUCE_ONLY, Kind, Result
from .contract import value_atoms, worth_atoms
from .kernel import kernel
from .margin import exposure_initial_atoms, exposure_lots, free_collateral_atoms, initial_ppm
from .positions import closable_lots
from .tables import (
    A_ORDERS,
    M_AUCTION,
    M_BEST_ASK,
    M_BEST_BID,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_HALT,
    M_LONG_LOTS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    M_SUPPLY_LOTS,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    REDUCE_ONLY,
    V_AUCTION_MARGIN,
    V_AUCTION_PERSISTENT,
    V_FREE_ORDERS,
    V_LOTS_MAX,
    V_MARKETS,
    V_ORDERS_PER_ACCOUNT_MAX,
    V_POSITION_FREE_ATOMS,
    V_POSITION_INTEREST_PPM,
    V_POSITION_SUPPLY_PPM,
    V_POSITION_VALUE_ATOMS,
    V_REQUIREMENTS,
    V_SELF_TRADE,
    V_TAKER_PPM,
    Tables,
)
from .units import ppm_down, ppm_up

OK = int(Result.OK)
SIDE = int(Result.SIDE)
LOTS = int(Result.LOTS)
PRICE = int(Result.PRICE)
TRIGGER = int(Result.TRIGGER)
FLAGS = int(Result.FLAGS)
COLLAR = int(Result.COLLAR)
NOT_REDUCING = int(Result.NOT_REDUCING)
WOULD_CROSS = int(Result.WOULD_CROSS)
NOT_FILLABLE = int(Result.NOT_FILLABLE)
BOOK_FULL = int(Result.BOOK_FULL)
ORDER_LIMIT = int(Result.ORDER_LIMIT)
POSITION_LIMIT = int(Result.POSITION_LIMIT)
MARGIN = int(Result.MARGIN)
HALTED = int(Result.HALTED)
LIMIT = int(Kind.LIMIT)
MARKET = int(Kind.MARKET)

CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH = range(3)


@kernel
def check_form(
    t: Tables, market: int, kind: int, side: int, lots: int, price_ticks: int, trigger_ticks: int, flags: int
) -> int:
    """Return the refusal of an order that is wrong in itself: SIDE, LOTS, PRICE, TRIGGER or FLAGS, else OK."""
    price_max = t.markets[market, M_PRICE_MAX_TICKS]
    if side != 1 and side != -1:
        return SIDE
    # A forced order closes a position, which may be larger than any order of a trader (R-U4).
    if lots < 1 or (lots > t.venue[V_LOTS_MAX] and flags & FLAG_FORCED == 0):
        return LOTS
    if kind == LIMIT and (price_ticks < 1 or price_ticks >= price_max):
        return PRICE
    if kind != LIMIT and kind != MARKET and (trigger_ticks < 1 or trigger_ticks >= price_max):
        return TRIGGER
    at_once = flags & (FLAG_IOC | FLAG_FOK)
    if at_once == FLAG_IOC | FLAG_FOK or (flags & FLAG_POST_ONLY and (at_once or kind != LIMIT)):
        return FLAGS
    return OK


@kernel
def limit_of_market_order(t: Tables, market: int, side: int) -> int:
    """Return the price up to which a MARKET order trades: the collar (R-O8)."""
    return t.markets[market, M_COLLAR_HIGH] if side > 0 else t.markets[market, M_COLLAR_LOW]


@kernel
def check_room(t: Tables, account: int, flags: int) -> int:
    """Return BOOK_FULL or ORDER_LIMIT if an order that may rest or wait finds no room, else OK."""
    if flags & (FLAG_IOC | FLAG_FOK):
        return OK  # never rests; one row is kept free for the order being matched
    if t.venue[V_FREE_ORDERS] <= 1:
        return BOOK_FULL
    if t.accounts[account, A_ORDERS] >= t.venue[V_ORDERS_PER_ACCOUNT_MAX]:
        return ORDER_LIMIT
    return OK


@kernel
def crosses(t: Tables, market: int, side: int, price_ticks: int) -> bool:
    """Say whether an order at this price would trade on arrival."""
    if side > 0:
        return price_ticks >= t.markets[market, M_BEST_ASK]
    return price_ticks <= t.markets[market, M_BEST_BID]


@kernel
def admit(
    t: Tables, account: int, market: int, kind: int, side: int, lots: int, price_ticks: int, flags: int
) -> tuple[int, int]:
    """Return (result, lots): the refusal of a well-formed LIMIT or MARKET order, or OK and its lots (R-O9).

    `price_ticks` is the order's limit; a MARKET order has the collar's. Reduce-only orders may be cut. Forced orders
    pass without any check but FOK (R-W22); they are reduce-only and cut at every match.
    """
    if flags & FLAG_FORCED:
        reach = within_band(t, market, side, price_ticks)
        if flags & FLAG_FOK and not fillable(t, account, market, side, lots, reach, False):
            return NOT_FILLABLE, lots
        return OK, lots
    markets = t.markets
    if markets[market, M_AUCTION] and t.venue[V_AUCTION_PERSISTENT] and never_rests(kind, flags):
        return HALTED, lots
    if markets[market, M_HALT] == REDUCE_ONLY and not _only_reduces(t, account, market, side, lots, flags):
        return HALTED, lots
    outside = price_ticks > markets[market, M_COLLAR_HIGH] if side > 0 else price_ticks < markets[market, M_COLLAR_LOW]
    if kind == LIMIT and outside:
        return COLLAR, lots
    if flags & FLAG_REDUCE_ONLY:
        lots = min(lots, closable_lots(t, account, market, side))
        if lots == 0:
            return NOT_REDUCING, lots
    if flags & FLAG_POST_ONLY and crosses(t, market, side, price_ticks):
        return WOULD_CROSS, lots
    if flags & FLAG_FOK:
        stops_at_own = t.venue[V_SELF_TRADE] != CANCEL_OLDEST
        reach = within_band(t, market, side, price_ticks)
        if not fillable(t, account, market, side, lots, reach, stops_at_own):
            return NOT_FILLABLE, lots
    if markets[market, M_AUCTION]:
        flags &= ~FLAG_IOC  # it waits for the uncrossing like any other
    if kind == LIMIT or markets[market, M_AUCTION]:
        room = check_room(t, account, flags)
        if room != OK:
            return room, lots
    if flags & FLAG_REDUCE_ONLY:
        return OK, lots
    return check_margin(t, account, market, kind, side, lots, price_ticks), lots


@kernel
def _only_reduces(t: Tables, account: int, market: int, side: int, lots: int, flags: int) -> bool:
    """Say whether an order can only shrink a position, together with the orders that rest beside it (R-H18)."""
    if flags & FLAG_REDUCE_ONLY:
        return True
    row = account * t.venue[V_MARKETS] + market
    resting = t.positions[row, P_BIDS_LOTS if side > 0 else P_ASKS_LOTS]
    return lots + resting <= closable_lots(t, account, market, side)


@kernel
def _within_position_limit(t: Tables, market: int, exposure: int) -> bool:
    """Say whether one account may have so much exposure in a market (R-H17)."""
    venue = t.venue
    of_interest, of_supply = venue[V_POSITION_INTEREST_PPM], venue[V_POSITION_SUPPLY_PPM]
    if venue[V_POSITION_VALUE_ATOMS] == 0 and of_interest == 0 and of_supply == 0:
        return True
    value = value_atoms(t, market, exposure, t.markets[market, M_MARK_TICKS])
    assert value >= 0
    if 0 < venue[V_POSITION_VALUE_ATOMS] < value:
        return False
    if value <= venue[V_POSITION_FREE_ATOMS]:
        return True
    supply = t.markets[market, M_SUPPLY_LOTS]
    if of_supply > 0 and supply > 0 and exposure > ppm_down(supply, of_supply):
        return False
    return of_interest == 0 or exposure <= ppm_down(t.markets[market, M_LONG_LOTS], of_interest)


@kernel
def _needs_more(t: Tables, account: int, market: int, bids: int, asks: int) -> bool:
    """Say whether an order raises initial margin though the exposure stays: its side may need more (R-A30)."""
    if t.venue[V_REQUIREMENTS] == 0:
        return False
    before = exposure_initial_atoms(t, account, market, 0, 0, 0)
    return exposure_initial_atoms(t, account, market, 0, bids, asks) > before


@kernel
def check_margin(t: Tables, account: int, market: int, kind: int, side: int, lots: int, price_ticks: int) -> int:
    """Return POSITION_LIMIT or MARGIN if the account may not take on the order's exposure, else OK (R-A7, R-A30)."""
    bids, asks = lots if side > 0 else 0, lots if side < 0 else 0
    before = exposure_lots(t, account, market, 0, 0)
    after = exposure_lots(t, account, market, bids, asks)
    if after > t.venue[V_LOTS_MAX]:
        return POSITION_LIMIT
    if after <= before and not _needs_more(t, account, market, bids, asks):
        return OK
    if not _within_position_limit(t, market, after):
        return POSITION_LIMIT
    mark = t.markets[market, M_MARK_TICKS]
    price = price_ticks
    if kind == MARKET:
        price = t.markets[market, M_BEST_ASK] if side > 0 else t.markets[market, M_BEST_BID]
        if price == 0 or price == t.markets[market, M_PRICE_MAX_TICKS]:
            price = mark
    open_loss = max(0, worth_atoms(t, market, side * lots, price) - worth_atoms(t, market, side * lots, mark))
    fee = ppm_up(value_atoms(t, market, lots, mark), t.venue[V_TAKER_PPM])
    free = free_collateral_atoms(t, account, market, 0, bids, asks)
    if t.venue[V_AUCTION_MARGIN] and t.markets[market, M_AUCTION]:
        free -= _dearer_margin_atoms(t, account, market, side * lots, price if kind == LIMIT else 0)
    return OK if free - open_loss - fee >= 0 else MARGIN


@kernel
def _dearer_margin_atoms(t: Tables, account: int, market: int, lots: int, price_ticks: int) -> int:
    """Return what an order of signed lots in an auction needs beyond its initial margin at the mark (R-H4).

    Its value is the largest of those at the mark, at its own price (0: none) and at the price of the auction now.
    """
    at_mark = value_atoms(t, market, abs(lots), t.markets[market, M_MARK_TICKS])
    value = at_mark
    if price_ticks > 0:
        value = max(value, value_atoms(t, market, abs(lots), price_ticks))
    indicative, _, _ = auction_price(t, market)
    if indicative > 0:
        value = max(value, value_atoms(t, market, abs(lots), indicative))
    assert value >= at_mark >= 0
    return ppm_up(value - at_mark, initial_ppm(t, account, market, lots, value))
