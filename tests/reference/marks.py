"""Mark price and funding (R-P, R-F)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from statistics import median_low
from typing import Any

from . import expiry, prices
from .book import best_price
from .funding import own_sample, payment_due
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
    prices.sample(state, market)
    funding = state.rules["charges"]["funding"]
    if funding and (funding["premium"] or funding["twap"]):
        own_sample(state, market)
    else:
        state.premium_sum[market] += premium
        state.premium_count[market] += 1


def take_marks(state: State) -> None:
    """Take the mark of every market, if it is time for a new one (R-P3, R-P5, R-P6, R-P10, R-P11)."""
    rule = state.rules["mark"]
    if rule["update"] and state.step % state.steps(rule["update"]["every_s"]):
        return
    for m in range(len(state.markets)):
        values = [component(state, m, name) for name in rule["components"]]
        mark = prices.composite(state, m, values) if rule["composite"] else prices.median([(v, 1) for v in values])
        if rule["band"]:
            mark = clamp(mark, *prices.bounds(state.index[m], rule["band"]["width_ppm"]))
        state.mark[m] = clamp(mark, 1, state.markets[m].price_max - 1)


def component(state: State, market: int, name: str) -> int:
    """Return one price component in ticks (R-P2)."""
    index = state.index[market]
    traded = prices.last_counted(state, market)
    last = index if traded is None else traded[1]
    both = best(state, market)
    if state.rules["mark"]["composite"]:
        both = state.memory.seen[market][1:] if market in state.memory.seen else None
    if name.startswith("source_"):
        return state.memory.said.get((market, int(name[7:]) - 1), (index, 0))[0]
    if name == "trades":
        average = prices.trade_average(state, market)
        return last if average is None else average
    if name == "impact":
        at, price = state.memory.impact.get(market, (-1, 0))
        if at == state.step or (price and state.rules["mark"]["composite"]):
            return price
        name = "mid"
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
        if expiry.rule_of(state, m):
            continue
        price = state.mark[m] if funding["notional"] == "mark" else state.index[m]
        state.rate[m], per_lot = payment_due(state, m, price)
        state.premium_sum[m] = state.premium_count[m] = 0
        state.events["funding"] += 1
        pay_funding(state, m, price, per_lot)


def pay_funding(state: State, market: int, price: int, per_lot: Fraction | None) -> None:
    """Move the funding of one market: payers first, the FUND last of them (R-F3); by lots if told so (R-F8, R-F11)."""
    rate = state.rate[market] if per_lot is None else per_lot
    owners: list[Any] = [*state.accounts(), FUND]
    for owner in owners:
        lots = state.position(owner, market).lots
        if lots * rate <= 0:
            continue
        amount = ceil(dues(state, market, abs(lots), price, per_lot))
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
            amount = floor(dues(state, market, abs(lots), price, per_lot))
            state.post("FUNDING", state.unit_of(owner, market), amount, "FUNDING")
    state.post("FUNDING", "ROUNDING", state.balances["FUNDING"], "ROUNDING")


def dues(state: State, market: int, lots: int, price: int, per_lot: Fraction | None) -> Fraction:
    """Return what so many lots pay or get before rounding, atoms."""
    if per_lot is not None:
        return lots * abs(per_lot)
    return Fraction(state.value(market, lots, price) * abs(state.rate[market]), PPB)
