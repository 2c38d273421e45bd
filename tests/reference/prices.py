"""Indices of several sources, composite marks and what they remember (R-I, R-P5 to R-P12), slow and obvious."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from typing import Any

from . import book, schedules
from .state import PPM, Fill, State, ceil_div, clamp


def median(pairs: list[tuple[int, int]]) -> int:
    """Return the weighted median of (value, weight), counting weight by weight (R-P5)."""
    line = sorted(value for value, weight in pairs for _ in range(2 * weight))
    half = len(line) // 2
    return (line[half - 1] + line[half]) // 2


def mean(pairs: list[tuple[int, int]]) -> int:
    """Return the weighted mean, rounded down."""
    return sum(v * w for v, w in pairs) // sum(w for _, w in pairs)


def bounds(centre: int, width_ppm: int) -> tuple[int, int]:
    """Return the lowest and highest price within a share of a centre (R-P11, R-I3)."""
    return ceil_div(centre * (PPM - width_ppm), PPM), centre * (PPM + width_ppm) // PPM


def alpha(state: State, window_s: int) -> int:
    """Return the weight of a new sample (R-P1)."""
    return clamp(ceil_div(PPM * state.dt_s, window_s), 1, PPM)


def begin_step(state: State, given: list[Any]) -> None:
    """Remember the fills of the step before, average the index so far, and take the new one (R-I, R-P12)."""
    memory, mark = state.memory, state.rules["mark"]
    memory.fills += [(state.step - 1, fill) for fill in state.fills]
    for m in range(len(state.markets)):
        if mark["guard"]:
            old = memory.mean.get(m, state.index[m] * PPM)
            gap = state.index[m] * PPM - old
            memory.mean[m] = old + gap * alpha(state, mark["guard"]["window_s"]) // PPM
        state.index[m] = index_price(state, m, given[m]) if mark["index"] else given[m]


def index_price(state: State, market: int, given: Any) -> int:
    """Return the index of a step from what the sources say (R-I1 to R-I4)."""
    rule, memory, now = state.rules["mark"]["index"], state.memory, state.step
    weights = rule["weights"]
    for source in range(len(weights)):
        price = given[source] if isinstance(given, list) else given
        if price:
            memory.said[market, source] = price, now
    fresh = []
    for source, weight in enumerate(weights):
        price, at = memory.said.get((market, source), (0, 0))
        old = (now - at) * state.dt_s
        if price and (rule["stale_s"] is None or old <= rule["stale_s"]):
            fresh.append((price, weight))
    before = memory.made.get((market, now - 1), state.index[market])
    made = before
    if fresh:
        memory.index_step[market] = now
        low, high = bounds(median(fresh), rule["outlier_ppm"])
        if rule["outliers"] == "drop":
            fresh = [(p, w) for p, w in fresh if low <= p <= high] or fresh
        if rule["outliers"] == "clamp":
            fresh = [(clamp(p, low, high), w) for p, w in fresh]
        if rule["method"] == "trimmed_mean" and len(fresh) > 2:
            fresh = sorted(fresh)[1:-1]
        made = median(fresh) if rule["method"] == "median" else mean(fresh)
    memory.made[market, now] = made
    return memory.made.get((market, now - state.steps(rule["delay_s"])), state.index[market])


def average_price(state: State, market: int, side: int, amount: int) -> int:
    """Return what an amount gets on average when an order of `side` walks the book, microticks, 0 if short (R-P7)."""
    left, lots, paid = amount, 0, 0
    depth: dict[int, int] = {}
    for order in book.shown(state, market, -side):
        depth[order.price] = depth.get(order.price, 0) + order.lots
    for price, here in depth.items():
        least = bisect_left(range(1, here), left, key=lambda lots, price=price: state.value(market, lots, price))
        taken = 1 + least
        lots, paid, left = lots + taken, paid + taken * price, left - state.value(market, taken, price)
        if left <= 0:
            return paid * PPM // lots
    return 0


def first_tier(state: State, market: int) -> dict[str, int]:
    """Return the rates of the smallest position in a market, its leverage limit included (R-A1, R-A3, R-A20)."""
    initial, maintenance = schedules.smallest(state, market)
    return {"initial_ppm": max(schedules.least_ppm(state), initial), "maintenance_ppm": maintenance}


def amount_of(state: State, market: int, rule: dict[str, Any]) -> int:
    """Return the amount of an impact rule in atoms (R-P7)."""
    own = (rule["markets"] or {}).get(state.markets[market].symbol, rule)
    whole: int = own["notional_quote"] * PPM
    return whole * PPM // first_tier(state, market)["initial_ppm"] if rule["over_initial_rate"] else whole


def last_counted(state: State, market: int) -> tuple[int, int] | None:
    """Return (step, price) of the last trade that counts, None before the first (R-P8)."""
    counted = counted_fills(state, market)
    return (counted[-1][0], counted[-1][1].price) if counted else None


def counted_fills(state: State, market: int) -> list[tuple[int, Fill]]:
    """Return (step, fill) of all trades that count, oldest first (R-P8)."""
    rule = state.rules["mark"]["trades"]
    found = [*state.memory.fills, *((state.step, fill) for fill in state.fills)]
    forced_too = rule is None or rule["count_forced"]
    return [(at, fill) for at, fill in found if fill.market == market and (forced_too or fill.cause == 0)]


def sample(state: State, market: int) -> None:
    """Remember bid and ask, the impact mid, and the spare average of one step (R-P6, R-P7, R-P9)."""
    memory, rule = state.memory, state.rules["mark"]
    bid, ask = book.best_price(state, market, 1), book.best_price(state, market, -1)
    if bid is None or ask is None:
        return
    memory.seen[market] = state.step, bid, ask
    if rule["composite"] and rule["composite"]["spare"]:
        last = last_counted(state, market)
        middle = sorted([bid, ask, last[1] if last else state.index[market]])[1] * PPM
        old = memory.spare.get(market, middle)
        memory.spare[market] = old + (middle - old) * alpha(state, rule["composite"]["spare"]["window_s"]) // PPM
    if rule["impact"]:
        amount = amount_of(state, market, rule["impact"])
        low, high = (average_price(state, market, side, amount) for side in (-1, 1))
        if low and high:
            memory.impact[market] = state.step, max(1, (low + high) // (2 * PPM))


def trade_average(state: State, market: int) -> int | None:
    """Return the average of the trades in the window, the last if none has weight, None before the first (R-P8)."""
    rule = state.rules["mark"]["trades"]
    weight, paid = Fraction(0), Fraction(0)
    for at, fill in counted_fills(state, market):
        age = (state.step - at) * state.dt_s
        if age <= rule["window_s"]:
            share = 1 - Fraction(rule["decay_ppm"], PPM) * Fraction(age, rule["window_s"]) ** rule["decay_power"]
            weight += share * abs(fill.lots)
            paid += share * abs(fill.lots) * fill.price
    last = last_counted(state, market)
    return paid // weight if weight else (last[1] if last else None)


def composite(state: State, market: int, prices: list[int]) -> int:
    """Return the composite of component prices, the mark before if all drop out (R-P6, R-P9)."""
    rule, names = state.rules["mark"]["composite"], state.rules["mark"]["components"]
    left = []
    for place, (name, price) in enumerate(zip(names, prices, strict=True)):
        at = component_step(state, market, name)
        weight = rule["weights"][place] if rule["weights"] else 1
        if at is None or weight == 0:
            continue
        if not rule["stale_s"] or (state.step - at) * state.dt_s <= rule["stale_s"][place]:
            left.append((price, weight))
    if rule["spare"] and len(left) == 2 and market in state.memory.spare:
        spare = (2 * state.memory.spare[market] + PPM) // (2 * PPM)
        left.append((spare, max(1, (left[0][1] + left[1][1]) // 2)))
    if not left:
        return state.mark[market]
    return mean(left) if rule["method"] == "mean" else median(left)


def component_step(state: State, market: int, name: str) -> int | None:
    """Return the step of which a component's price is, None if there has been none (R-P6)."""
    memory = state.memory
    if name.startswith("source_"):
        said = memory.said.get((market, int(name[7:]) - 1))
        return None if said is None else said[1]
    if name in ("last", "trades"):
        last = last_counted(state, market)
        return None if last is None else last[0]
    kept: dict[int, Any] = {"mid": memory.seen, "book": memory.seen, "impact": memory.impact}.get(name, {})
    if name in ("mid", "book", "impact"):
        return kept[market][0] if market in kept else None
    return memory.index_step.get(market) if state.rules["mark"]["index"] else state.step


def is_guarded(state: State, market: int) -> bool:
    """Say whether nobody may be liquidated in a market now (R-P12)."""
    guard = state.rules["mark"]["guard"]
    if not guard:
        return False
    average = state.memory.mean[market]
    return abs(state.index[market] * PPM - average) >= average * guard["deviation_ppm"] // PPM
