"""Allocation among the orders of one price, in plain fractions (R-O21 to R-O24)."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

from . import book, surplus
from .state import PPM, Order, State


def note_top(state: State, order: Order) -> None:
    """Let an order that is about to rest become TOP if it betters the market (R-O22)."""
    m, side = order.market, order.side
    if state.auction[m]:
        return
    best = book.best_price(state, m, side)
    if best is None or side * (order.price - best) > 0:
        rule = state.rules["matching"].get("allocation") or {}
        least = (rule.get("top") or {"minimum_lots": 0})["minimum_lots"]
        state.top[m, side] = order if order.lots >= least else None


def match(
    state: State, owner: Any, market: int, side: int, lots: int, limit: int, reduce_only: bool, cause: int
) -> int:
    """Trade a taker against the book and return the lots that may come to rest."""
    rule = state.rules["matching"].get("allocation")
    if not rule:
        return book.match(state, owner, market, side, lots, limit, reduce_only, cause)
    policy = "cancel_oldest" if cause != 0 else state.rules["matching"]["self_trade"]
    while lots > 0:
        makers = book.shown(state, market, -side)
        if not makers or not book.crosses(side, limit, makers[0].price):
            return lots
        level = [o for o in makers if o.price == makers[0].price]
        idle = [o for o in level if tradable(state, o) == 0]
        for order in idle:
            state.events["reduce_only_cancelled"] += 1
            book.remove(state, order)
        if len(idle) == len(level):
            continue
        level = [o for o in level if o not in idle]
        own = [o for o in level if o.account == owner]
        if own:
            state.events["self_trade"] += 1
            for order in own if policy != "cancel_newest" else []:
                book.remove(state, order)
            if policy != "cancel_oldest":
                return 0
            continue
        may_trade = min(lots, book.reducible(state, owner, market, side)) if reduce_only else lots
        if may_trade == 0:
            return 0
        traded = _trade_level(state, owner, side, level, share_out(state, rule, level, may_trade), cause)
        if traded is None:
            return 0
        lots -= traded
    return 0


def tradable(state: State, order: Order) -> int:
    """Return the lots a resting order may trade (R-O4)."""
    if not order.reduce_only:
        return order.lots
    return min(order.lots, book.reducible(state, order.account, order.market, order.side))


def _trade_level(state: State, owner: Any, side: int, level: list[Order], shares: list[int], cause: int) -> int | None:
    """Trade the shares, oldest first; return the lots traded, None if a fill was refused (R-W37)."""
    done = 0
    for order, share in zip(level, shares, strict=True):
        if share == 0:
            continue
        quantity = min(share, tradable(state, order))
        if quantity == 0:
            book.remove(state, order)
            continue
        if surplus.is_refused(state, owner, order.market, side * quantity, order.price, cause):
            return None
        order.lots -= quantity
        book.trade(state, owner, order, side * quantity, cause)
        done += quantity
        if order.lots == 0 or tradable(state, order) == 0:
            book.remove(state, order)
    return done


def share_out(state: State, rule: dict[str, Any], level: list[Order], lots: int) -> list[int]:
    """Return the share of each order of a level, oldest first."""
    rooms = [tradable(state, order) for order in level]
    got = [0] * len(level)
    left = lots

    def give(i: int, wanted: int) -> None:
        nonlocal left
        given = min(wanted, rooms[i] - got[i], left)
        got[i] += given
        left -= given

    def give_oldest(wanted: int, chosen: list[bool]) -> None:
        for i in range(len(level)):
            before = left
            if chosen[i]:
                give(i, wanted)
                wanted -= before - left

    everybody = [True] * len(level)
    if lots < sum(rooms):
        top = rule.get("top")
        if top and state.top.get((level[0].market, level[0].side)) is level[0]:
            give(0, top["maximum_lots"] or left)
        if rule["kind"] == "split":
            leads = [state.keys[o.account] in rule["lead_keys"] for o in level]
            give_oldest(left * rule["lead_ppm"] // PPM, leads)
            give_oldest(left * rule["fifo_ppm"] // PPM, everybody)
        open_lots, whole = left, sum(rooms) - sum(got)
        parts = [proportion(rule, rooms[i] - got[i], open_lots, whole) for i in range(len(level))]
        hungry = [parts[i] == 0 and rooms[i] > got[i] for i in range(len(level))]
        for i, part in enumerate(parts):
            give(i, part)
        if rule.get("levelling"):
            for i in range(len(level)):
                give(i, int(hungry[i]))
    give_oldest(left, everybody)
    return got


def proportion(rule: dict[str, Any], room: int, lots: int, whole: int) -> int:
    """Return an order's part of the lots in proportion to its room (R-O21)."""
    if whole == 0:
        return 0
    board = rule.get("board_lots", 1)
    boards = Fraction(room * lots, whole * board)
    nearest = rule.get("rounding") == "nearest"
    part = min(room, floor(boards + Fraction(1, 2) if nearest else boards) * board)
    return part if part >= rule["minimum_lots"] else 0
