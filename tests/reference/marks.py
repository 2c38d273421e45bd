"""Mark price and funding (R-P, R-F)."""

from __future__ import annotations

from statistics import median_low
from typing import Any

from .book import best_price
from .state import FUND, PPB, PPM, State, ceil_div, clamp


def best(state: State, market: int) -> tuple[int, int] | None:
    """Return (best bid, best ask), or None unless both sides exist."""
    bid, ask = best_price(state, market, 1), best_price(state, market, -1)
    return None if bid is None or ask is None else (bid, ask)


def sample(state: State, market: int) -> None:
    """Sample the premium and the basis of one step (R-F1, R-P1)."""
    both = best(state, market)
    index = state.index[market]
    premium = 0
    if both is not None:
        mid2 = both[0] + both[1]
        premium = (mid2 * PPB - 2 * index * PPB) // (2 * index)
        alpha_ppm = clamp(ceil_div(PPM * state.dt_s, state.rules["mark"]["window_s"]), 1, PPM)
        basis = (mid2 - 2 * index) * 500_000
        state.basis[market] += (basis - state.basis[market]) * alpha_ppm // PPM
    state.premium_sum[market] += premium
    state.premium_count[market] += 1


def take_marks(state: State) -> None:
    """Take the mark of every market (R-P3)."""
    for m in range(len(state.markets)):
        prices = [component(state, m, name) for name in state.rules["mark"]["components"]]
        state.mark[m] = clamp(median_low(prices), 1, state.markets[m].price_max - 1)


def component(state: State, market: int, name: str) -> int:
    """Return one price component in ticks (R-P2)."""
    index, traded = state.index[market], state.last[market]
    last = index if traded is None else traded
    both = best(state, market)
    if name == "last":
        return last
    if name == "mid":
        return last if both is None else (both[0] + both[1]) // 2
    if name == "book":
        return last if both is None else median_low([*both, last])
    if name == "index_basis":
        return index + (2 * state.basis[market] + PPM) // (2 * PPM)
    if name == "index_funding":
        funding = state.rules["charges"]["funding"]
        if funding is None:
            return index
        interval = state.steps(funding["interval_s"])
        left = interval - state.step % interval
        return index + index * state.rate[market] * left // (PPB * interval)
    assert name == "index", name
    return index


def fund_if_due(state: State) -> None:
    """Pay funding in every market if this is a funding step (R-F2, R-F3)."""
    funding = state.rules["charges"]["funding"]
    if funding is None or state.step == 0 or state.step % state.steps(funding["interval_s"]) != 0:
        return
    for m in range(len(state.markets)):
        count = state.premium_count[m]
        premium = state.premium_sum[m] // count if count else 0
        correction = clamp(funding["interest_ppb"] - premium, -funding["clamp_ppb"], funding["clamp_ppb"])
        rate = (premium + correction) * funding["interval_s"] // funding["period_s"]
        state.rate[m] = clamp(rate, -funding["cap_ppb"], funding["cap_ppb"])
        state.premium_sum[m] = state.premium_count[m] = 0
        state.events["funding"] += 1
        pay_funding(state, m, state.mark[m] if funding["notional"] == "mark" else state.index[m])


def pay_funding(state: State, market: int, price: int) -> None:
    """Move the funding of one market: payers first, the FUND last of them (R-F3)."""
    rate = state.rate[market]
    owners: list[Any] = [*state.accounts(), FUND]
    for owner in owners:
        lots = state.position(owner, market).lots
        if lots * rate <= 0:
            continue
        amount = ceil_div(state.value(market, abs(lots), price) * abs(rate), PPB)
        if owner == FUND:
            paid = min(amount, state.fund_room())
            state.post(FUND, "FUNDING", paid, "FUNDING")
            state.post("BAD_DEBT", "FUNDING", amount - paid, "BAD_DEBT")
            state.events["fund_cannot_pay_funding"] += paid < amount
        else:
            state.post(state.unit_of(owner, market), "FUNDING", amount, "FUNDING")
    for owner in owners:
        lots = state.position(owner, market).lots
        if lots * rate < 0:
            amount = state.value(market, abs(lots), price) * abs(rate) // PPB
            state.post("FUNDING", state.unit_of(owner, market), amount, "FUNDING")
    state.post("FUNDING", "ROUNDING", state.balances["FUNDING"], "ROUNDING")
