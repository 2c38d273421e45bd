"""Call auctions and batch auctions, by trying every price (R-H1 to R-H6, R-O20)."""

from __future__ import annotations

from typing import Any

from . import book, schedules
from .accounts import settle
from .state import FUND, Fill, Order, State, ppm_up


def begin_batch(state: State) -> None:
    """Let orders collect, if the venue holds batch auctions (R-O20)."""
    if state.rules["matching"].get("batch"):
        state.auction = [True] * len(state.markets)


def end_batch(state: State) -> None:
    """Uncross all markets at the end of an interval (R-O20)."""
    batch = state.rules["matching"].get("batch")
    if batch and (state.step + 1) % state.steps(batch["interval_s"]) == 0:
        for m in range(len(state.markets)):
            uncross(state, m)


def _lots(state: State, market: int, price: int) -> tuple[int, int]:
    """Return the lots bid at a price or above and those offered at it or below."""
    bid = sum(o.lots for o in state.resting[market] if o.side > 0 and o.price >= price)
    offered = sum(o.lots for o in state.resting[market] if o.side < 0 and o.price <= price)
    return bid, offered


def price_of(state: State, market: int) -> int | None:
    """Return the price at which the market would uncross, None if nothing can trade (R-H2)."""
    ticks = range(1, state.markets[market].price_max)
    bids, asks = book.queue(state, market, 1), book.queue(state, market, -1)
    if not bids or not asks or bids[0].price < asks[0].price:
        return None
    volume = {p: min(_lots(state, market, p)) for p in ticks}
    largest = max(volume.values())
    most = [p for p in ticks if volume[p] == largest]
    surplus = {p: bid - offered for p in most for bid, offered in [_lots(state, market, p)]}
    least = min(abs(surplus[p]) for p in most)
    best = [p for p in most if abs(surplus[p]) == least]
    tie = (state.rules["matching"].get("auction") or {"tie": "reference"})["tie"]
    if tie == "middle":
        return (most[0] + most[-1]) // 2
    if tie == "pressure" and all(surplus[p] > 0 for p in best):
        return best[-1]
    if tie == "pressure" and all(surplus[p] < 0 for p in best):
        return best[0]
    last = state.last[market]
    reference = state.mark[market] if last is None else last
    nearest = min(abs(p - reference) for p in best)
    (price,) = [p for p in best if abs(p - reference) == nearest]
    return price


def uncross(state: State, market: int) -> None:
    """Trade at the auction's price, again as long as what was cancelled leaves the book crossed; open (R-H3, R-H5)."""
    while (price := price_of(state, market)) is not None:
        state.events["uncrossed"] += 1
        while True:
            bids = [o for o in book.queue(state, market, 1) if o.price >= price]
            asks = [o for o in book.queue(state, market, -1) if o.price <= price]
            if not bids or not asks:
                break
            _meet(state, bids[0], asks[0], price)
    for order in list(state.resting[market]):
        if order.ioc:
            book.remove(state, order)
    state.auction[market] = False
    state.top[market, 1] = state.top[market, -1] = None


def _meet(state: State, bid: Order, ask: Order, price: int) -> None:
    """Let two orders trade, or cancel what may not (R-H3)."""
    older, younger = sorted((bid, ask), key=lambda o: o.sequence)
    if bid.account == ask.account:
        state.events["self_trade"] += 1
        policy = state.rules["matching"]["self_trade"]
        out = {"cancel_newest": [younger], "cancel_oldest": [older], "cancel_both": [older, younger]}[policy]
        forced = [o for o in (older, younger) if o.cause != 0]
        if forced:
            out = [o for o in (older, younger) if o is not forced[0]]
        for order in out:
            book.remove(state, order)
        return
    lots = min(bid.lots, ask.lots)
    for order in (bid, ask):
        if order.reduce_only:
            lots = min(lots, book.reducible(state, order.account, order.market, order.side))
            if lots == 0:
                state.events["reduce_only_cancelled"] += 1
                book.remove(state, order)
                return
    taker, maker = younger, older
    if maker.cause != 0 and taker.cause == 0:
        taker, maker = maker, taker
    _trade(state, taker, maker, lots, price)
    for order in (taker, maker):
        idle = order.reduce_only and book.reducible(state, order.account, order.market, order.side) == 0
        if order.lots == 0 or idle:
            book.remove(state, order)


def _trade(state: State, taker: Order, maker: Order, lots: int, price: int) -> None:
    """Book both sides of a trade at the auction's price."""
    market = taker.market
    for order, role in ((taker, "taker"), (maker, "maker")):
        order.lots -= lots
        if order.cause:
            settle(state, order.account, market, order.side * lots, price, "forced", keep_margin="until_flat")
        else:
            settle(state, order.account, market, order.side * lots, price, role)
    if taker.cause:
        state.forced_fill[market] = (state.step, taker.cause)
    state.last[market] = price
    low, high = state.low[market], state.high[market]
    state.low[market] = price if low is None else min(low, price)
    state.high[market] = price if high is None else max(high, price)
    state.fills.append(Fill(taker.account, maker.account, market, taker.side * lots, price, taker.cause))


def dearer_margin(state: State, account: int, market: int, lots: int, price: int | None) -> int:
    """Return what an order in an auction needs beyond its initial margin at the mark (R-H4)."""
    rule = state.rules["matching"].get("auction")
    if not rule or rule["margin"] == "mark":
        return 0
    prices = [p for p in (state.mark[market], price, price_of(state, market)) if p is not None]
    value = max(state.value(market, abs(lots), p) for p in prices)
    rate = schedules.pocket_rate_ppm(state, account, market, lots, value)
    return ppm_up(value - state.value(market, abs(lots), state.mark[market]), rate)


def join_forced(state: State, order: Any, sequence: int) -> None:
    """Let a forced order wait in the auction, in place of an earlier one (R-H5)."""
    for earlier in book.orders_of(state, order.owner, order.market):
        if earlier.cause != 0:
            book.remove(state, earlier)
    if book.orders_in_table(state) >= state.orders_max:
        return
    state.resting[order.market].append(
        Order(
            sequence,
            order.owner,
            order.market,
            "LIMIT",
            order.side,
            order.lots,
            order.limit,
            0,
            reduce_only=True,
            ioc=True,
            cause=order.cause,
        )
    )
    state.events["forced_joined"] += 1


def waits(state: State, unit: Any) -> bool:
    """Say whether a forced order of the unit waits in an auction (R-H6)."""
    owner = FUND if unit == FUND else unit[1]
    return any(o.cause != 0 for m in state.markets_of(unit) for o in book.orders_of(state, owner, m))
