"""One side of a fill: realised profit, fee and the margin of isolated pockets (R-M3 to R-M7)."""

from __future__ import annotations

from typing import Any

from . import margin, schedules, surplus
from .state import FUND, State, clamp, ppm_down, ppm_up, sign


def settle(
    state: State, owner: Any, market: int, lots: int, price: int, charge: str, keep_margin: str = "", more: int = 0
) -> None:
    """Book one side of a fill of signed lots at a price.

    `charge`: "maker", "taker", "forced" or "none". `keep_margin`: "" releases the pocket's margin in
    proportion (R-M7), "until_flat" only when the position is flat, "always" not at all.
    `more`: atoms by which the value is larger.
    """
    position = state.position(owner, market)
    unit = state.unit_of(owner, market)
    before = abs(position.lots)
    closing = min(abs(lots), before) if sign(lots) == -sign(position.lots) else 0
    opening = abs(lots) - closing
    pocket_before = state.balances[unit]

    due = surplus.due_of(state, unit, market, lots) if charge == "forced" else 0
    removed = sign(position.cost) * (abs(position.cost) * closing // before) if closing else 0
    # What opens is worth the whole less what closes, so that both sides of a fill book one total (R-U5).
    out = state.worth(market, sign(position.lots) * closing, price) - more
    realised = out - removed
    position.cost += state.worth(market, lots, price) + more + out - removed
    position.lots += lots
    state.touched.add(unit)

    fee = trading_fee(state, owner, market, lots, price, charge)
    pocket = unit[0] == "pocket"
    if pocket and closing == 0:
        margin_in(state, unit, market, opening, price, max(0, fee))
    state.transfer(unit, "SETTLEMENT", realised, "REALISED")
    if charge == "forced":
        state.transfer(unit, "FEES", -fee, "FEE")
        charged = pay_liquidation_fee(state, unit, market, lots, price)
        surplus.settle_surplus(state, unit, market, lots, price, charged, due)
    else:
        state.transfer(unit, "FEES", -fee, "FEE")
    if pocket and closing > 0:
        release(state, unit, closing, before, pocket_before, realised, keep_margin)
        if opening > 0:
            margin_in(state, unit, market, opening, price, max(0, -state.balances[unit]))


def trading_fee(state: State, owner: Any, market: int, lots: int, price: int, charge: str) -> int:
    """Return the fee of one side in atoms, negative for a rebate (R-M6)."""
    if owner == FUND:
        sells_at_a_fee = (state.rules["insurance"].get("sale") or {}).get("fee") == "taker"
        charge = "taker" if charge == "forced" and sells_at_a_fee else "none"
    if charge not in ("maker", "taker"):
        return 0
    rate = state.rules["charges"][charge + "_ppm"]
    value = state.value(market, abs(lots), price)
    if rate < 0:
        return -ppm_down(value, -rate)
    return ppm_up(value, rate) if state.rules["rounding"]["fee"] == "up" else ppm_down(value, rate)


def pay_liquidation_fee(state: State, unit: Any, market: int, lots: int, price: int) -> int:
    """Post the fee of a forced fill to the fund, out of what margin is left, and return it (R-W7)."""
    if unit == FUND:
        return 0
    rate = state.rules["charges"]["liquidation_ppm"]
    value = state.value(market, abs(lots), price)
    fee = ppm_up(value, rate) if state.rules["rounding"]["fee"] == "up" else ppm_down(value, rate)
    fee = min(fee, max(0, margin.equity(state, unit)))
    state.post(unit, FUND, fee, "LIQUIDATION_FEE")
    return fee


def margin_in(state: State, unit: Any, market: int, opening: int, price: int, extra: int) -> None:
    """Move initial margin for the opened lots from the cross unit to the pocket (R-M7)."""
    _, account, _ = unit
    after = state.position(account, market).lots
    value = abs(state.value(market, after, price))
    rate = schedules.pocket_rate_ppm(state, account, market, after, value)
    needed = ppm_up(state.value(market, opening, price), rate) + extra
    cross = ("cross", account)
    state.post(cross, unit, min(needed, max(0, state.balances[cross])), "MARGIN_IN")


def release(
    state: State, unit: Any, closing: int, before: int, pocket_before: int, realised: int, keep_margin: str
) -> None:
    """Move the margin of the closed lots from the pocket to the cross unit (R-M7)."""
    if keep_margin == "always":
        return
    now = state.balances[unit]
    if closing == before:
        amount = max(0, now)
    elif keep_margin == "until_flat":
        amount = 0
    else:
        share = max(pocket_before, 0) * closing // before
        amount = clamp(share + realised, 0, max(0, min(pocket_before + realised, now)))
    state.post(unit, ("cross", unit[1]), amount, "MARGIN_OUT")
