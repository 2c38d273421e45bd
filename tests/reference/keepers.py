"""Third-party liquidators instead of the book (R-W30, R-W31)."""

from __future__ import annotations

from typing import Any

from . import margin
from .accounts import settle
from .state import FUND, State, clamp, ppm_down, sign
from .takeover import backstop_accepts
from .terms import Plan, rule_of


def serve(state: State, plans: list[Plan]) -> None:
    """Offer every planned position to the keepers, in order."""
    for plan in plans:
        owner, market = plan.unit[1], plan.market
        by_index = rule_of(state, "keepers")["around"] == "index"
        price = state.index[market] if by_index else state.mark[market]
        price = clamp(price, 1, state.markets[market].price_max - 1)
        left = plan.lots
        for keeper in state.backstops:
            held = state.position(owner, market).lots
            wanted = min(left, abs(held)) if sign(held) == sign(plan.held) else 0
            lots = accepted(state, owner, keeper, market, sign(held), wanted, price)
            if lots:
                hand_over(state, plan, keeper, sign(held) * lots, price)
                left -= lots
        if plan.unit[0] == "pocket" and state.position(owner, market).lots == 0:
            state.post(plan.unit, ("cross", owner), max(0, state.balances[plan.unit]), "MARGIN_OUT")


def accepted(state: State, owner: int, keeper: int, market: int, side: int, lots: int, price: int) -> int:
    """Return how many lots a keeper takes: all, or what bisection finds (R-W30)."""
    if lots == 0 or backstop_accepts(state, owner, keeper, market, side * lots, price):
        return lots
    low, high = 0, lots - 1
    while low < high:
        middle = (low + high + 1) // 2
        if backstop_accepts(state, owner, keeper, market, side * middle, price):
            low = middle
        else:
            high = middle - 1
    return low


def hand_over(state: State, plan: Plan, keeper: int, lots: int, price: int) -> None:
    """Transfer signed lots and pay bonus and fee."""
    owner, market = plan.unit[1], plan.market
    settle(state, owner, market, -lots, price, "none", keep_margin="always")
    settle(state, keeper, market, lots, price, "none")
    record: dict[str, Any] = {"step": state.step, "id": state.liquidation_of[plan.unit], "account": owner}
    state.takeovers.append(record | {"market": market, "taker": keeper, "lots": lots, "price": price})
    value = state.value(market, abs(lots), price)
    state.post(plan.unit, ("cross", keeper), ppm_down(value, plan.bonus_ppm), "BONUS")
    fee = min(ppm_down(value, plan.fund_ppm), max(0, margin.equity(state, plan.unit)))
    state.post(plan.unit, FUND, fee, "LIQUIDATION_FEE")
    state.events["kept"] += 1
