"""Auto-deleveraging: rank, price and pairing (R-W9, R-W10)."""

from __future__ import annotations

from typing import Any

from . import book, margin
from .accounts import settle
from .state import FUND, State, owner_of, sign


def deleverage(state: State, unit: Any, treated: list[Any]) -> None:
    """Close the positions of a unit against ranked counterparties, off the book."""
    owner = owner_of(unit)
    held = state.held(unit)
    prices = {m: price_of(state, unit, m) for m in held}
    for m in held:
        for other in counterparties(state, unit, m, treated):
            needed = state.position(owner, m).lots
            if needed == 0:
                break
            if other != FUND and state.rules["deleveraging"]["cancel_orders"]:
                book.cancel_all(state, other, m)
            lots = sign(needed) * min(abs(needed), abs(state.position(other, m).lots))
            settle(state, owner, m, -lots, prices[m], "none", keep_margin="until_flat")
            settle(state, other, m, lots, prices[m], "none")
            identity = 0 if unit == FUND else state.liquidation_of[unit]
            record = {"step": state.step, "id": identity, "unit": unit, "market": m}
            state.adl.append(record | {"counterparty": other, "lots": lots, "price": prices[m]})
        state.events["adl_found_too_few"] += state.position(owner, m).lots != 0


def price_of(state: State, unit: Any, market: int) -> int:
    """Return the price at which a position is deleveraged (R-W9, R-W10)."""
    if unit == FUND:
        return margin.bankruptcy_price(state, FUND, market, less=state.floor())
    rule = state.rules["deleveraging"]["price"]
    if rule == "bankruptcy":
        return margin.bankruptcy_price(state, unit, market)
    return state.mark[market] if rule == "mark" else state.previous_mark[market]


def counterparties(state: State, unit: Any, market: int, treated: list[Any]) -> list[Any]:
    """Return who is deleveraged against a position, first to last; the FUND comes last (R-W9)."""
    wanted = -sign(state.position(owner_of(unit), market).lots)
    found = [
        account
        for account in state.accounts()
        if sign(state.position(account, market).lots) == wanted and state.unit_of(account, market) not in treated
    ]
    ranked: list[Any] = sorted(found, key=lambda a: (-score(state, a, market), state.keys[a]))
    if unit != FUND and sign(state.position(FUND, market).lots) == wanted:
        ranked.append(FUND)
    return ranked


def score(state: State, account: int, market: int) -> float:
    """Return the rank score of an account's position, in float64 and in this order of operations (R-W9)."""
    unit = state.unit_of(account, market)
    position = state.position(account, market)
    equity = float(margin.equity(state, unit))
    value = float(state.value(market, abs(position.lots), state.mark[market]))
    if state.rules["deleveraging"]["rank"] == "pnl_margin":
        profit = float(max(0, margin.unrealised(state, account, market)))
        gain = profit / float(max(1, state.balances[unit]))
        return gain * (float(margin.maintenance(state, unit)) / equity if equity > 0 else 0.0)
    cost = float(abs(position.cost))
    ratio = value / cost if position.lots > 0 else cost / value
    return ratio * (value / equity if equity > 0 else 0.0)
