"""Liquidation on other terms: levels, cancelling, steps, caps, limits, sale (R-W20 to R-W28, R-W33 to R-W35)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from . import assets, book, margin, schedules
from .state import ATOMS_PER_QUOTE, FUND, PPM, State, ceil_div, clamp, owner_of, ppm_down, ppm_up


@dataclass
class Plan:
    """What is to be closed of one position, and what a keeper would cost."""

    unit: Any
    market: int
    held: int
    lots: int
    bonus_ppm: int
    fund_ppm: int


def rule_of(state: State, name: str) -> Any:
    """Return one of the optional tables of the liquidation axis, or None."""
    return state.rules["liquidation"].get(name)


def needs(state: State, maintenance: int, value: int) -> int:
    """Return what stop level and buffer ask of a maintenance margin and a value (R-W28)."""
    levels = rule_of(state, "levels")
    if not levels:
        return maintenance
    return ppm_up(maintenance, levels["stop_ppm"]) + ppm_up(value, levels["buffer_ppm"])


def total_value(state: State, unit: Any) -> int:
    """Return the value at mark of all positions of a unit."""
    return sum(value_of(state, unit, m) for m in state.held(unit))


def value_of(state: State, unit: Any, market: int) -> int:
    """Return the value at mark of a unit's position."""
    return state.value(market, abs(state.position(owner_of(unit), market).lots), state.mark[market])


def shortage(state: State, unit: Any) -> int:
    """Return what a unit lacks to be let go (R-W28)."""
    level = needs(state, margin.maintenance(state, unit), total_value(state, unit))
    return max(0, level - margin.equity(state, unit))


def is_due(state: State, unit: Any) -> bool:
    """Say whether a unit is in distress, or was and has not reached its stop level (R-W1, R-W28)."""
    if margin.is_distressed(state, unit):
        return True
    return bool(rule_of(state, "levels") and state.held(unit) and unit in state.distressed and shortage(state, unit))


def cancel_orders(state: State, unit: Any) -> None:
    """Cancel orders of a unit under treatment (R-W3, R-W33)."""
    cancel = rule_of(state, "cancel")
    mode = cancel["orders"] if cancel else "all"
    if mode == "worst_first":
        mine = [order for m in state.markets_of(unit) for order in book.orders_of(state, unit[1], m)]
        mine.sort(key=lambda o: (-(state.value(o.market, o.lots, o.price) if o.kind == "LIMIT" else 0), -o.sequence))
        for order in mine:
            if is_due(state, unit):
                book.remove(state, order)
        return
    for m in {"all": state.markets_of(unit), "market": state.held(unit), "none": []}[mode]:
        book.cancel_all(state, unit[1], m)


def is_cured(state: State, unit: Any) -> bool:
    """Say whether a unit under treatment needs no order any more (R-W33, R-C6)."""
    cancel = rule_of(state, "cancel")
    checked = bool(cancel) and cancel["orders"] == "worst_first"
    return (checked or assets.are_sold_first(state)) and not is_due(state, unit)


def plans_of(state: State, unit: Any, lots_of: dict[int, int]) -> list[Plan]:
    """Return the plan for the positions named, `lots_of` being what R-W4 would close (R-W20 to R-W24)."""
    lack = shortage(state, unit)
    seconds = (state.step - state.distressed[unit]) * state.dt_s
    plans = []
    for m in lots_of:
        value = value_of(state, unit, m)
        held = state.position(unit[1], m).lots
        need = needs(state, margin.part_maintenance(state, unit[1], m, held), value)
        bonus, fee = fees(state, seconds, need, value, lack)
        plans.append(Plan(unit, m, held, lots_of[m], bonus, fee))
    step = rule_of(state, "step")
    if step:
        {
            "portion": portion,
            "cover": cover,
            "ladder": ladder,
            "slices": slices,
            "close_factor": close_factor,
        }[step["kind"]](state, unit, plans, step)
        state.events["step " + step["kind"]] += 1
    return plans


def fees(state: State, seconds: int, need: int, value: int, lack: int) -> tuple[int, int]:
    """Return the ppm that a keeper and the fund get (R-W30, R-W31), or the fee of a forced fill."""
    keepers = rule_of(state, "keepers")
    if not keepers:
        return 0, state.rules["charges"]["liquidation_ppm"]
    bonus, rise, fund = keepers["bonus_ppm"], keepers["rise"], keepers["fund_fee"]
    if rise and seconds >= rise["grace_s"]:
        bonus = min(rise["highest_ppm"], bonus + seconds * rise["each_second_ppm"])
    if not fund:
        return bonus, 0
    if fund["rest_ppm"] is None:
        return bonus, fund["highest_ppm"]
    rest = max(0, need * PPM // value - bonus - lack * PPM // value)
    return bonus, min(fund["highest_ppm"], rest * fund["rest_ppm"] // PPM)


def portion(state: State, unit: Any, plans: list[Plan], step: dict[str, Any]) -> None:
    """A share of each position, at least a minimum, within the unit's limit (R-W20)."""
    limit, used = step["account_quote"] * ATOMS_PER_QUOTE, 0
    for plan in plans:
        value, held = value_of(state, unit, plan.market), abs(plan.held)
        most = max(min(step["least_quote"] * ATOMS_PER_QUOTE, value), ppm_down(value, step["share_ppm"]))
        if limit:
            most = min(most, max(0, limit - used))
        plan.lots = held * most // value
        if used == 0:
            plan.lots = max(1, plan.lots)
        used += value * plan.lots // held


def cover(state: State, unit: Any, plans: list[Plan], step: dict[str, Any]) -> None:
    """What brings the unit to its stop level, one position after another (R-W21)."""
    lack = shortage(state, unit)
    left = lack
    ramp = step["ramp"]
    if ramp and lack > 0 and lack >= ramp["dust_quote"] * ATOMS_PER_QUOTE:
        seconds = (state.step - state.distressed[unit]) * state.dt_s
        share = min(PPM, ramp["initial_ppm"] + seconds * PPM // ramp["duration_s"])
        freed = state.freed.get(unit, 0)
        left = lack * min(PPM, max(0, (lack + freed) * share // PPM - freed) * PPM // lack) // PPM
    for plan in plans:
        value, held = value_of(state, unit, plan.market), abs(plan.held)
        need = needs(state, margin.part_maintenance(state, unit[1], plan.market, plan.held), value)
        frees = need - ppm_up(value, plan.bonus_ppm + plan.fund_ppm)
        if left == 0 and (lack > 0 or plan is not plans[0]):
            plan.lots = 0
        else:
            plan.lots = held if frees <= 0 else clamp(ceil_div(held * left, frees), 1, held)
        left = max(0, left - max(0, frees) * plan.lots // held)


def ladder(state: State, unit: Any, plans: list[Plan], step: dict[str, Any]) -> None:
    """What does not fit into a lower bracket (R-W22)."""
    for plan in plans:
        m, held = plan.market, abs(plan.held)
        row = bracket(state, m, held)
        target = 0 if step["cut"] == "lowest" else max(0, row - {"next": 1, "two": 2}[step["cut"]])
        if row < step["whole_tiers"]:
            plan.lots = held
        else:
            low, high = 0, held  # low fits, high does not
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if bracket(state, m, middle) <= target else (low, middle)
            plan.lots = held - low


def bracket(state: State, market: int, lots: int) -> int:
    """Return the number of the bracket of so many lots at the mark, from 0."""
    return schedules.row_number(state, market, lots, state.value(market, lots, state.mark[market]))


def slices(state: State, unit: Any, plans: list[Plan], step: dict[str, Any]) -> None:
    """A fixed number of lots (R-W23)."""
    for plan in plans:
        plan.lots = min(abs(plan.held), step["lots"])


def close_factor(state: State, unit: Any, plans: list[Plan], step: dict[str, Any]) -> None:
    """A share of all the unit holds, or everything (R-W24)."""
    total = total_value(state, unit)
    poor = margin.equity(state, unit) < ppm_up(margin.maintenance(state, unit), step["whole_below_ppm"])
    for plan in plans:
        plan.lots = abs(plan.held)
        if not poor and total > step["whole_quote"] * ATOMS_PER_QUOTE:
            ratio = min(PPM, ppm_down(total, step["share_ppm"]) * PPM // value_of(state, unit, plan.market))
            plan.lots = max(1, ppm_down(plan.lots, ratio))


def cut_to_window(state: State, plans: list[Plan]) -> None:
    """Leave of the plans, in order, what fits into each market's rolling window (R-W25)."""
    rolling = rule_of(state, "rolling")
    if not rolling:
        return
    full = rolling["scale_lots"] * rolling["rate_ppm"] * rolling["multiplier_ppm"] * rolling["window_s"] // PPM**2
    oldest = state.step - state.steps(rolling["window_s"])
    left = {
        m: max(1, full) - sum(lots for step, at, lots in state.closed if at == m and step > oldest)
        for m in range(len(state.markets))
    }
    for plan in plans:
        state.events["window full"] += left[plan.market] < plan.lots
        plan.lots = min(plan.lots, left[plan.market])
        left[plan.market] -= plan.lots


def limit_of(state: State, plan: Plan, otherwise: int) -> int:
    """Return the limit of the order that closes a position (R-W26, R-W27)."""
    rule, m, held = rule_of(state, "limit"), plan.market, plan.held
    if not rule:
        return otherwise
    exact: Fraction | int
    if rule["kind"] == "band":
        price = state.mark[m] if rule["around"] == "mark" else state.index[m]
        exact = Fraction(price * (PPM - rule["range_ppm"] if held > 0 else PPM + rule["range_ppm"]), PPM)
    else:
        need = margin.maintenance(state, plan.unit)
        spread = ppm_down(margin.part_maintenance(state, plan.unit[1], m, held), rule["spread_ppm"])
        missing = ppm_down(max(0, need - margin.equity(state, plan.unit)), rule["adjustment_ppm"])
        if missing < need:
            spread = spread * missing // need
        value, faces = value_of(state, plan.unit, m), abs(held) * state.markets[m].multiplier
        value = max(0, value - spread) if (held > 0) != state.inverse() else value + spread
        if state.inverse():
            exact = Fraction(faces, value) if value else state.markets[m].price_max
        else:
            exact = Fraction(value, faces)
    return clamp(ceil(exact) if held > 0 else floor(exact), 1, state.markets[m].price_max - 1)


def is_fok(state: State, plan: Plan) -> bool:
    """Say whether an order must be filled at once or be killed (R-W22)."""
    step = rule_of(state, "step")
    cut = bool(step) and step["kind"] == "ladder" and step["fill_or_kill"]
    return cut and plan.lots < abs(plan.held)


def book_results(state: State, plans: list[Plan], lacks: dict[Any, int]) -> set[Any]:
    """Note what came of the plans; return the units that the takeover stage leaves alone (R-W21, R-W25, R-W34)."""
    paced = {plan.unit for plan in plans}
    for plan in plans:
        now = state.position(plan.unit[1], plan.market).lots
        same = max(0, now) if plan.held > 0 else max(0, -now)
        traded = clamp(abs(plan.held) - same, 0, plan.lots)
        state.closed.append((state.step, plan.market, traded))
        if traded < plan.lots or plan.lots == abs(plan.held):
            paced.discard(plan.unit)
    for unit, lack in lacks.items():
        state.freed[unit] = state.freed.get(unit, 0) + max(0, lack - shortage(state, unit))
    stepwise = rule_of(state, "step") or rule_of(state, "rolling")
    state.events["paced"] += len(paced) if stepwise else 0
    return paced if stepwise else set()


def sale(state: State, market: int, rule: dict[str, Any], terms: dict[str, Any]) -> tuple[int, int]:
    """Return lots and limit of a sale by the FUND (R-W35)."""
    held = state.position(FUND, market).lots
    side, reach, around = -1 if held > 0 else 1, rule["disposal_range_ppm"], state.mark[market]
    bid, ask = book.best_price(state, market, 1), book.best_price(state, market, -1)
    if terms["around"] == "mid" and bid is not None and ask is not None:
        around = (bid + ask) // 2
    exact = Fraction(around * (PPM + side * reach), PPM)
    limit = clamp(ceil(exact) if side < 0 else floor(exact), 1, state.markets[market].price_max - 1)
    depth = sum(o.lots for o in book.shown(state, market, -side) if book.crosses(side, limit, o.price))
    share = abs(held) if abs(held) <= terms["whole_lots"] else ceil_div(abs(held) * rule["disposal_share_ppm"], PPM)
    return min(share, depth * terms["book_share_ppm"] // PPM), limit
