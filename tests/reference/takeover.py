"""Takeover of whole positions at the bankruptcy price by the fund or a backstop account (R-W5)."""

from __future__ import annotations

from typing import Any

from . import assets, margin
from .accounts import settle
from .state import ATOMS_PER_QUOTE, FUND, State


def take_over(state: State, unit: Any, by_backstop: bool) -> bool:
    """Offer all positions of a unit; return whether every one was taken."""
    owner = unit[1]
    held = state.held(unit)
    terms = state.rules["liquidation"].get("takeover") or {"price": "bankruptcy"}
    prices = {m: margin.bankruptcy_price(state, unit, m) for m in held}
    if terms["price"] == "mark":
        prices = {m: state.mark[m] for m in held}
    taker = None
    refused = False
    for m in held:
        lots = state.position(owner, m).lots
        found = find_taker(state, owner, m, lots, prices[m], by_backstop)
        if found is None:
            refused = True
            state.events["takeover_refused"] += 1
            continue
        taker = found
        settle(state, owner, m, -lots, prices[m], "none", keep_margin="always")
        settle(state, taker, m, lots, prices[m], "none")
        record = {"step": state.step, "id": state.liquidation_of[unit], "account": owner, "market": m}
        state.takeovers.append(record | {"taker": taker, "lots": lots, "price": prices[m]})
    if not refused:
        hand_over_margin(state, unit, taker)
    return not refused


def find_taker(state: State, owner: int, market: int, lots: int, price: int, by_backstop: bool) -> Any:
    """Return who takes a position, or None."""
    if not by_backstop:
        return FUND if fund_accepts(state, market, lots, price) else None
    for account in state.backstops:
        if backstop_accepts(state, owner, account, market, lots, price):
            return account
    return None


def loss_at_mark(state: State, market: int, lots: int, price: int) -> int:
    """Return what buying (signed) lots at a price instead of at mark costs, at least 0."""
    return max(0, state.worth(market, lots, price) - state.worth(market, lots, state.mark[market]))


def backstop_accepts(state: State, owner: int, account: int, market: int, lots: int, price: int) -> bool:
    """Say whether a backstop account takes a position (R-W5)."""
    if account == owner:
        return False
    units = {("cross", account), state.unit_of(account, market)}
    terms = state.rules["liquidation"].get("takeover")
    exposed = margin.exposure(state, account, market, more_lots=lots)
    if exposed > state.rules["contract"]["lots_max"]:
        return False
    if terms and terms.get("backstops") == "solvent":
        free_of_loss = loss_at_mark(state, market, lots, price) == 0
        return free_of_loss and all(margin.equity(state, unit) >= 0 for unit in units)
    if any(margin.is_distressed(state, unit) for unit in units):
        return False
    free = margin.free_collateral(state, account, market, more_lots=lots)
    return free - loss_at_mark(state, market, lots, price) >= 0


def fund_accepts(state: State, market: int, lots: int, price: int) -> bool:
    """Say whether the fund takes a position (R-W5)."""
    rule = state.rules["insurance"]
    if "insurance" in state.fund_down:
        state.events["fund_refused_in_drawdown"] += 1
        return False
    terms = state.rules["liquidation"].get("takeover")
    if terms and terms["unlimited"]:
        return abs(state.position(FUND, market).lots + lots) <= int(state.rules["contract"]["lots_max"])
    loss = loss_at_mark(state, market, lots, price)
    cap = rule["cap_per_event_quote"] * ATOMS_PER_QUOTE
    room = margin.equity(state, FUND) - loss - state.floor()
    after = {m: state.position(FUND, m).lots for m in range(len(state.markets))}
    after[market] += lots
    value = sum(state.value(m, abs(after[m]), state.mark[m]) for m in after)
    return (
        (cap == 0 or loss <= cap)
        and room >= 0
        and value <= rule["warehouse_leverage"] * room
        and abs(after[market]) <= state.rules["contract"]["lots_max"]
    )


def hand_over_margin(state: State, unit: Any, taker: Any) -> None:
    """Give what is left of the unit's margin to the taker, or a pocket's to its cross unit (R-W5)."""
    assets.sell(state, unit, -state.balances[unit])
    left = max(0, state.balances[unit])
    if state.rules["liquidation"]["seize_margin"]:
        state.events["margin_seized"] += left > 0
        target = FUND if taker == FUND else ("cross", taker)
        state.post(unit, target, left, "TAKEOVER_MARGIN")
        assets.seize(state, unit, target)
    elif unit[0] == "pocket":
        state.post(unit, ("cross", unit[1]), left, "MARGIN_OUT")
