"""Resting and waiting orders and the matching of takers against them (R-O1 to R-O6)."""

from __future__ import annotations

from typing import Any

from . import surplus
from .accounts import settle
from .state import Fill, Order, State, sign


def queue(state: State, market: int, side: int) -> list[Order]:
    """Return the resting orders of one side, best price first, then oldest (R-O1)."""
    orders = [o for o in state.resting[market] if o.side == side]
    return sorted(orders, key=lambda o: (-side * o.price, o.sequence))


def shown(state: State, market: int, side: int) -> list[Order]:
    """Return the orders that can be traded with now: none in an auction (R-H1)."""
    return [] if state.auction[market] else queue(state, market, side)


def best_price(state: State, market: int, side: int) -> int | None:
    """Return the best resting price of a side, or None."""
    orders = shown(state, market, side)
    return orders[0].price if orders else None


def remove(state: State, order: Order) -> None:
    """Take an order out of the book or out of the waiting orders."""
    if order.kind == "LIMIT":
        state.resting[order.market] = [o for o in state.resting[order.market] if o is not order]
    else:
        state.waiting = [o for o in state.waiting if o is not order]


def orders_of(state: State, account: int, market: int) -> list[Order]:
    """Return the resting and waiting orders of an account in a market, newest first."""
    mine = [o for o in [*state.resting[market], *state.waiting] if o.account == account and o.market == market]
    return sorted(mine, key=lambda o: -o.sequence)


def cancel_all(state: State, account: int, market: int, *, forced_too: bool = True) -> None:
    """Cancel all orders of an account in a market, newest first."""
    for order in orders_of(state, account, market):
        if forced_too or order.cause == 0:
            remove(state, order)


def orders_in_table(state: State) -> int:
    """Return the number of resting and waiting orders of all accounts and markets."""
    return sum(len(orders) for orders in state.resting) + len(state.waiting)


def reducible(state: State, owner: Any, market: int, side: int) -> int:
    """Return how many lots an order of this side can take off the owner's position (R-O4)."""
    lots = state.position(owner, market).lots
    return abs(lots) if sign(lots) == -side else 0


def crosses(side: int, limit: int, maker_price: int) -> bool:
    """Say whether a taker of this side accepts the maker's price."""
    return maker_price <= limit if side > 0 else maker_price >= limit


def fillable(state: State, account: int, market: int, side: int, lots: int, limit: int) -> bool:
    """Say whether a FOK order finds its lots (R-O3)."""
    found = 0
    by_level = state.rules["matching"].get("allocation") is not None
    own_prices = {o.price for o in shown(state, market, -side) if o.account == account}
    for maker in shown(state, market, -side):
        if not crosses(side, limit, maker.price):
            break
        if by_level and maker.price in own_prices and state.rules["matching"]["self_trade"] != "cancel_oldest":
            break
        if maker.account == account:
            if state.rules["matching"]["self_trade"] in ("cancel_newest", "cancel_both"):
                break
            continue
        if not maker.reduce_only:
            found += maker.lots
    return found >= lots


def match(
    state: State, owner: Any, market: int, side: int, lots: int, limit: int, reduce_only: bool, cause: int
) -> int:
    """Trade a taker against the book and return the lots that may come to rest (R-O1, R-O4, R-O5)."""
    policy = "cancel_oldest" if cause != 0 else state.rules["matching"]["self_trade"]
    while lots > 0:
        may_trade = min(lots, reducible(state, owner, market, side)) if reduce_only else lots
        if may_trade == 0:
            return 0
        makers = shown(state, market, -side)
        if not makers or not crosses(side, limit, makers[0].price):
            return lots
        maker = makers[0]
        if maker.account == owner:
            state.events["self_trade"] += 1
            if policy in ("cancel_oldest", "cancel_both"):
                remove(state, maker)
            if policy in ("cancel_newest", "cancel_both"):
                return 0
            continue
        available = maker.lots
        if maker.reduce_only:
            available = min(available, reducible(state, maker.account, market, maker.side))
        if available == 0:
            state.events["reduce_only_cancelled"] += 1
            remove(state, maker)
            continue
        quantity = min(available, may_trade)
        if surplus.is_refused(state, owner, market, side * quantity, maker.price, cause):
            return 0
        if quantity == available:
            remove(state, maker)
        else:
            maker.lots -= quantity
        trade(state, owner, maker, side * quantity, cause)
        lots -= quantity
    return 0


def trade(state: State, owner: Any, maker: Order, lots: int, cause: int) -> None:
    """Book both sides of one trade at the maker's price; lots are signed by the taker's side."""
    market, price = maker.market, maker.price
    if cause == 0:
        settle(state, owner, market, lots, price, "taker")
    else:
        settle(state, owner, market, lots, price, "forced", keep_margin="until_flat")
        state.forced_fill[market] = (state.step, cause)
    settle(state, maker.account, market, -lots, price, "maker")
    state.last[market] = price
    low, high = state.low[market], state.high[market]
    state.low[market] = price if low is None else min(low, price)
    state.high[market] = price if high is None else max(high, price)
    state.fills.append(Fill(owner, maker.account, market, lots, price, cause))
