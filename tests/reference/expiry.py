"""Expiry of dated futures: end of trading, final price, cash settlement (R-X1 to R-X4)."""

from __future__ import annotations

from typing import Any

from . import book
from .accounts import settle
from .state import FUND, State, ceil_div, clamp


def rule_of(state: State, market: int) -> dict[str, Any] | None:
    """Return the rule under which a market expires, None if it does not."""
    rule: dict[str, Any] | None = state.rules["contract"].get("expiry")
    named = rule is not None and (not rule["markets"] or state.markets[market].symbol in rule["markets"])
    return rule if named else None


def is_closed(state: State, market: int) -> bool:
    """Say whether traders may not trade a market any more (R-X2)."""
    rule = rule_of(state, market)
    return rule is not None and state.step >= state.steps(rule["expires_s"] - rule["no_trading_s"])


def settle_if_due(state: State) -> None:
    """Note the index in the window before expiry; at expiry close everything at its mean (R-X1, R-X3)."""
    for m, market in enumerate(state.markets):
        rule = rule_of(state, m)
        if rule is None or m in state.final_price:
            continue
        last, window = state.steps(rule["expires_s"]), max(1, state.steps(rule["averaging_s"]))
        if state.step > last - window:
            state.final_samples.setdefault(m, []).append(state.index[m])
        if state.step >= last:
            samples = state.final_samples[m]
            state.final_price[m] = clamp(sum(samples) // len(samples), 1, market.price_max - 1)
            close(state, m)


def close(state: State, market: int) -> None:
    """Cancel the orders of a market and close its positions at the final price (R-X2, R-X3)."""
    price, owners = state.final_price[market], [*state.accounts(), FUND]
    for owner in owners:
        book.cancel_all(state, owner, market)
    before = state.balances["SETTLEMENT"] + sum(state.position(owner, market).cost for owner in owners)
    for owner in owners:
        lots = state.position(owner, market).lots
        if lots:
            owed = ceil_div(lots * state.markets[market].multiplier, price) if state.inverse() and lots > 0 else 0
            more = owed - state.value(market, lots, price) if owed else 0
            settle(state, owner, market, -lots, price, "none", more=more)
    rest = state.balances["SETTLEMENT"] - before
    state.post("SETTLEMENT", "ROUNDING", rest, "ROUNDING")
