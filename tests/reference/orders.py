"""Commands: checks in the order of R-O9, then what each kind does (R-O2 to R-O12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import allocation, assets, auction, book, expiry, margin, pockets
from .state import PPM, Order, State, ceil_div, clamp, ppm_up

ORDER_KINDS = ("LIMIT", "MARKET", "STOP", "TAKE_PROFIT")
WAITING_KINDS = ("STOP", "TAKE_PROFIT")
AMOUNT_MAX = 2**53
MONEY_MAX = 2**61
Command = dict[str, Any]


def run(state: State, command: Command) -> str:
    """Carry out one command and return "OK" or the name of the refusal (R-O9)."""
    state.next_sequence()
    result = _run(state, command)
    if result != "OK":
        state.refusals[result] += 1
    return result


def _run(state: State, command: Command) -> str:
    kind = command["kind"]
    if command["account"] not in state.accounts():
        return "ACCOUNT"
    if kind in ASSET_HANDLERS:
        return ASSET_HANDLERS[kind](state, command)
    if kind not in ("DEPOSIT", "WITHDRAW") and not 0 <= command["market"] < len(state.markets):
        return "MARKET"
    if kind in ORDER_KINDS:
        return _new_order(state, command)
    if kind not in HANDLERS:
        return "KIND"
    return HANDLERS[kind](state, command)


def _new_order(state: State, command: Command) -> str:
    refusal = _check_fields(state, command)
    if refusal:
        return refusal
    if command["kind"] in WAITING_KINDS:
        return "EXPIRED" if expiry.is_closed(state, command["market"]) else _wait(state, command)
    return admit(state, command)


def _check_fields(state: State, command: Command) -> str:
    """Check SIDE, LOTS, PRICE, TRIGGER and FLAGS of a new order."""
    kind = command["kind"]
    if command["side"] not in (1, -1):
        return "SIDE"
    if not 1 <= command["lots"] <= state.rules["contract"]["lots_max"]:
        return "LOTS"
    if kind == "LIMIT" and not _is_price(state, command["market"], command["price"]):
        return "PRICE"
    if kind in WAITING_KINDS and not _is_price(state, command["market"], command["trigger"]):
        return "TRIGGER"
    if command["fok"] and command["ioc"]:
        return "FLAGS"
    if command["post_only"] and (command["ioc"] or command["fok"] or kind != "LIMIT"):
        return "FLAGS"
    return ""


def _is_price(state: State, market: int, price: int) -> bool:
    return 1 <= price <= state.markets[market].price_max - 1


def _check_room(state: State, account: int) -> str:
    """Check BOOK_FULL and ORDER_LIMIT for an order that may come to rest or wait."""
    if book.orders_in_table(state) >= state.orders_max:
        return "BOOK_FULL"
    mine = [o for m in range(len(state.markets)) for o in book.orders_of(state, account, m)]
    if len(mine) >= state.rules["contract"]["orders_per_account_max"]:
        return "ORDER_LIMIT"
    return ""


def _wait(state: State, command: Command) -> str:
    refusal = _check_room(state, command["account"])
    if refusal:
        return refusal
    state.waiting.append(
        Order(
            sequence=state.next_sequence(),
            account=command["account"],
            market=command["market"],
            kind=command["kind"],
            side=command["side"],
            lots=command["lots"],
            price=0,
            tag=command["tag"],
            trigger=command["trigger"],
            reduce_only=command["reduce_only"],
            by_mark=command["by_mark"],
            fok=command["fok"],
        )
    )
    return "OK"


def collar(state: State, market: int) -> tuple[int, int]:
    """Return the lowest and highest admissible price (R-O8)."""
    top = state.markets[market].price_max - 1
    width = state.rules["halts"]["collar_ppm"]
    if width == 0:
        return 1, top
    mark = state.mark[market]
    return clamp(ceil_div(mark * (PPM - width), PPM), 1, top), clamp(mark * (PPM + width) // PPM, 1, top)


def admit(state: State, command: Command) -> str:
    """Check a LIMIT or MARKET order from COLLAR on; if admitted match it and let the rest rest."""
    account, market, side, lots = command["account"], command["market"], command["side"], command["lots"]
    if expiry.is_closed(state, market):
        return "EXPIRED"
    persistent_only = (state.rules["matching"].get("auction") or {}).get("persistent_only", False)
    in_auction = state.auction[market]
    never_rests = command["kind"] != "LIMIT" or command["ioc"] or command["fok"]
    if in_auction and persistent_only and never_rests:
        return "HALTED"
    low, high = collar(state, market)
    if command["kind"] == "LIMIT":
        limit = command["price"]
        if limit > high if side > 0 else limit < low:
            return "COLLAR"
    else:
        limit = high if side > 0 else low
    if command["reduce_only"]:
        lots = min(lots, book.reducible(state, account, market, side))
        if lots == 0:
            return "NOT_REDUCING"
    opposite = book.best_price(state, market, -side)
    if command["post_only"] and opposite is not None and book.crosses(side, limit, opposite):
        return "WOULD_CROSS"
    if command["fok"] and not book.fillable(state, account, market, side, lots, limit):
        return "NOT_FILLABLE"
    may_rest = in_auction or not never_rests
    refusal = _check_room(state, account) if may_rest else ""
    if not refusal and not command["reduce_only"]:
        price = limit if command["kind"] == "LIMIT" else opposite
        refusal = _check_margin(state, account, market, side, lots, price)
    if refusal:
        return refusal
    rest = allocation.match(state, account, market, side, lots, limit, command["reduce_only"], cause=0)
    if rest > 0 and may_rest:
        order = Order(
            state.next_sequence(),
            account,
            market,
            "LIMIT",
            side,
            rest,
            limit,
            command["tag"],
            reduce_only=command["reduce_only"],
            post_only=command["post_only"],
            ioc=never_rests,
        )
        allocation.note_top(state, order)
        state.resting[market].append(order)
    return "OK"


def _check_margin(state: State, account: int, market: int, side: int, lots: int, price: int | None) -> str:
    """Check POSITION_LIMIT and MARGIN (R-A7); price None: a MARKET order that meets nobody."""
    before = margin.exposure(state, account, market)
    more = {"more_bids": lots} if side > 0 else {"more_asks": lots}
    after = margin.exposure(state, account, market, **more)
    if after > state.rules["contract"]["lots_max"]:
        return "POSITION_LIMIT"
    if after <= before and margin.exposure_need(state, account, market, **more) <= margin.exposure_need(
        state, account, market
    ):
        return ""
    mark = state.mark[market]
    paid = mark if price is None else price
    open_loss = max(0, state.worth(market, side * lots, paid) - state.worth(market, side * lots, mark))
    taker_ppm = state.rules["charges"]["taker_ppm"]
    fee = ppm_up(state.value(market, lots, mark), taker_ppm) if taker_ppm > 0 else 0
    free = margin.free_collateral(state, account, market, **more)
    if state.auction[market]:
        free -= auction.dearer_margin(state, account, market, side * lots, price)
    return "" if free - open_loss - fee >= 0 else "MARGIN"


def _newest(state: State, command: Command) -> Order | None:
    """Return the newest resting or waiting order with the command's tag (R-O2)."""
    for order in book.orders_of(state, command["account"], command["market"]):
        if order.tag == command["tag"] and order.cause == 0:
            return order
    return None


def _cancel(state: State, command: Command) -> str:
    order = _newest(state, command)
    if order is None:
        return "UNKNOWN_ORDER"
    book.remove(state, order)
    return "OK"


def _cancel_all(state: State, command: Command) -> str:
    book.cancel_all(state, command["account"], command["market"], forced_too=False)
    return "OK"


def _replace(state: State, command: Command) -> str:
    order = _newest(state, command)
    waits = order is not None and order.kind in WAITING_KINDS
    if not 1 <= command["lots"] <= state.rules["contract"]["lots_max"]:
        return "LOTS"
    if not waits and not _is_price(state, command["market"], command["price"]):
        return "PRICE"
    if waits and not _is_price(state, command["market"], command["trigger"]):
        return "TRIGGER"
    if order is None:
        return "UNKNOWN_ORDER"
    if expiry.is_closed(state, command["market"]):
        return "EXPIRED"
    if not waits and command["price"] == order.price and command["lots"] <= order.lots:
        order.lots = command["lots"]
        return "OK"
    book.remove(state, order)
    renewed = as_command(order) | {
        "lots": command["lots"],
        "price": command["price"],
        "trigger": command["trigger"],
    }
    return _wait(state, renewed) if waits else admit(state, renewed)


def as_command(order: Order) -> Command:
    """Return the command that would place an order again."""
    return {
        "kind": order.kind,
        "account": order.account,
        "market": order.market,
        "side": order.side,
        "lots": order.lots,
        "price": order.price,
        "trigger": order.trigger,
        "ioc": order.ioc,
        "fok": order.fok,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
        "by_mark": order.by_mark,
        "tag": order.tag,
        "amount": 0,
    }


def note_transfer(state: State, account: int, amount: int) -> None:
    """Leave money brought in or taken out out of the session's profit (R-L6)."""
    state.session_start[account] = state.session_start.get(account, 0) + amount


def _deposit(state: State, command: Command) -> str:
    if not 1 <= command["amount"] <= AMOUNT_MAX:
        return "AMOUNT"
    if command["amount"] - state.balances["OUTSIDE"] > MONEY_MAX:
        return "AMOUNT"
    state.post("OUTSIDE", ("cross", command["account"]), command["amount"], "DEPOSIT")
    note_transfer(state, command["account"], command["amount"])
    return "OK"


def _withdraw(state: State, command: Command) -> str:
    account, amount = command["account"], command["amount"]
    if not 1 <= amount <= AMOUNT_MAX:
        return "AMOUNT"
    if min(margin.free_collateral(state, account), state.balances["cross", account]) < amount:
        return "MARGIN"
    state.post(("cross", account), "OUTSIDE", amount, "WITHDRAW")
    note_transfer(state, account, -amount)
    return "OK"


def _move_margin(state: State, command: Command) -> str:
    account, market, amount = command["account"], command["market"], command["amount"]
    if amount == 0 or abs(amount) > AMOUNT_MAX:
        return "AMOUNT"
    if not state.isolated[account, market] or pockets.kind(state) == "search":
        return "MODE"
    if amount < 0 and pockets.kind(state) == "strict" and state.position(account, market).lots:
        return "MODE"
    cross, pocket = ("cross", account), ("pocket", account, market)
    if amount > 0:
        if min(margin.free_collateral(state, account), state.balances[cross]) < amount:
            return "MARGIN"
        state.post(cross, pocket, amount, "MARGIN_IN")
        return "OK"
    required = margin.initial_of(state, account, market, state.position(account, market).lots)
    if state.balances[pocket] + amount < 0 or margin.equity(state, pocket) + amount < required:
        return "MARGIN"
    state.post(pocket, cross, -amount, "MARGIN_OUT")
    return "OK"


def _set_leverage(state: State, command: Command) -> str:
    account, market, amount = command["account"], command["market"], command["amount"]
    if not 0 <= amount <= PPM:
        return "AMOUNT"
    before, old = margin.free_collateral(state, account), state.own_ppm[account, market]
    state.own_ppm[account, market] = amount
    after = margin.free_collateral(state, account)
    if after < 0 and after < before:
        state.own_ppm[account, market] = old
        return "MARGIN"
    return "OK"


def _set_mode(state: State, command: Command) -> str:
    account, market, amount = command["account"], command["market"], command["amount"]
    if amount not in (0, 1):
        return "AMOUNT"
    if amount == 1 and not state.rules["margin"]["isolated_allowed"]:
        return "MODE"
    if amount == 0 and pockets.kind(state) == "search":
        return "MODE"
    if state.position(account, market).lots != 0 or book.orders_of(state, account, market):
        return "MODE"
    state.isolated[account, market] = amount == 1
    if amount == 0:
        pocket = ("pocket", account, market)
        state.post(pocket, ("cross", account), max(0, state.balances[pocket]), "MARGIN_OUT")
    return "OK"


HANDLERS: dict[str, Callable[[State, Command], str]] = {
    "CANCEL": _cancel,
    "CANCEL_ALL": _cancel_all,
    "REPLACE": _replace,
    "DEPOSIT": _deposit,
    "WITHDRAW": _withdraw,
    "MOVE_MARGIN": _move_margin,
    "SET_LEVERAGE": _set_leverage,
    "SET_MODE": _set_mode,
}

ASSET_HANDLERS: dict[str, Callable[[State, Command], str]] = {
    "DEPOSIT_ASSET": assets.deposit,
    "WITHDRAW_ASSET": assets.withdraw,
}


def collect_triggered(state: State) -> list[Order]:
    """Take the triggered orders out of the waiting ones and return them in order (R-O7)."""
    hit = [o for o in state.waiting if _is_triggered(state, o)]
    for order in hit:
        book.remove(state, order)
    state.low, state.high = list(state.last), list(state.last)
    return sorted(hit, key=lambda o: (o.market, o.sequence))


def _is_triggered(state: State, order: Order) -> bool:
    m = order.market
    low, high = (state.mark[m], state.mark[m]) if order.by_mark else (state.low[m], state.high[m])
    if low is None or high is None:
        return False
    falling = (order.side < 0) == (order.kind == "STOP")
    return low <= order.trigger if falling else high >= order.trigger


def run_triggered(state: State, order: Order) -> None:
    """Execute a triggered order as a MARKET order, admission included (R-O7)."""
    state.next_sequence()
    state.events["triggered"] += 1
    result = admit(state, as_command(order) | {"kind": "MARKET"})
    if result != "OK":
        state.refusals[result] += 1
        state.events["triggered_refused"] += 1
