"""Requirements by schedule and add-ons, in exact fractions (R-A20 to R-A35)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, isqrt
from typing import Any

from . import funding
from .state import ATOMS_PER_QUOTE, FUND, PPB, PPM, State, ceil_div, clamp, ppm_down, ppm_up


def schedule_of(state: State, market: int) -> dict[str, Any]:
    """Return the schedule of a market, brackets as one of their own kind (R-A20)."""
    margin, symbol = state.rules["margin"], state.markets[market].symbol
    if symbol in (margin.get("schedules") or {}):
        return dict(margin["schedules"][symbol])
    if symbol not in margin["markets"] and margin.get("schedule"):
        return dict(margin["schedule"])
    return {"kind": "brackets", "tiers": margin["markets"].get(symbol, margin["tiers"])}


def rounded(state: State, amount: Fraction) -> int:
    """Return a requirement rounded as the rule says (R-A2)."""
    return ceil(amount) if state.rules["rounding"]["requirement"] == "up" else floor(amount)


def row_of(rows: list[dict[str, int]], name: str, measure: int, scale: int) -> int:
    """Return the number of the last row whose floor is not above a measure."""
    return max(i for i, row in enumerate(rows) if row[name] * scale <= measure)


def rates(state: State, market: int, lots: int, value: int) -> tuple[Fraction, Fraction, int]:
    """Return (initial rate, maintenance rate, deduction in atoms) of signed lots of a value (R-A1, R-A20 to R-A27)."""
    rule, size = schedule_of(state, market), abs(lots)
    least = Fraction(least_ppm(state), PPM)
    if rule["kind"] in ("brackets", "bracketed", "stepped"):
        rows = rule["steps"] if rule["kind"] == "stepped" else rule["tiers"]
        here = row_of(rows, "floor_quote", value, ATOMS_PER_QUOTE)
    elif rule["kind"] == "stepped_lots":
        rows = rule["steps"]
        here = row_of(rows, "floor_lots", size, 1)
    elif rule["kind"] == "flat":
        rows, here = [rule], 0
    else:
        return (*sized_rates(rule, lots, size), 0)
    initial, maintenance = (Fraction(rows[here][f"{name}_ppm"], PPM) for name in ("initial", "maintenance"))
    return max(least, initial), maintenance, deduction(rule, rows, here)


def row_number(state: State, market: int, lots: int, value: int) -> int:
    """Return the number of the bracket or step of a position, 0 where a schedule has none."""
    rule = schedule_of(state, market)
    rows = rule.get("tiers") or rule.get("steps")
    if not rows:
        return 0
    by_lots = rule["kind"] == "stepped_lots"
    return row_of(rows, *(("floor_lots", abs(lots), 1) if by_lots else ("floor_quote", value, ATOMS_PER_QUOTE)))


def smallest(state: State, market: int) -> tuple[int, int]:
    """Return the initial and maintenance rate of the smallest position in ppm, of the side that needs more."""
    rule = schedule_of(state, market)
    if rule["kind"] == "model":
        rates_ppm = [rule[name] + rule["slippage_ppm"] for name in ("long_ppm", "short_ppm")]
        return max(rate * rule["initial_scale_ppm"] // PPM for rate in rates_ppm), max(rates_ppm)
    if rule["kind"] == "skew_scaled":
        return rule["initial_ppm"], rule["initial_ppm"] * rule["maintenance_scale_ppm"] // PPM
    if rule["kind"] in ("affine", "square_root"):
        return rule["initial_ppm"], rule["maintenance_ppm"]
    found = [rates(state, market, side, 0)[:2] for side in (1, -1)]
    initial, maintenance = (max(int(pair[i] * PPM) for pair in found) for i in range(2))
    return initial, maintenance


def deduction(rule: dict[str, Any], rows: list[dict[str, int]], here: int) -> int:
    """Return the deduction of a bracket: published, or by recursion (R-A1, R-A27)."""
    if rule["kind"] == "bracketed":
        return rows[here]["deduction_atoms"]
    if rule["kind"] != "brackets":
        return 0
    found = 0
    for lower, upper in pairwise(rows[: here + 1]):
        rise = upper["maintenance_ppm"] - lower["maintenance_ppm"]
        found += upper["floor_quote"] * ATOMS_PER_QUOTE * rise // PPM
    return found


def sized_rates(rule: dict[str, Any], lots: int, size: int) -> tuple[Fraction, Fraction]:
    """Return (initial, maintenance) of a schedule by size or side (R-A22 to R-A26)."""
    if rule["kind"] == "weights":
        asset = lots > 0
        weights = [rule[f"{name}_{'asset' if asset else 'liability'}_ppm"] for name in ("initial", "maintenance")]
        initial, maintenance = (Fraction(abs(PPM - weight), PPM) for weight in weights)
        return initial, maintenance
    if rule["kind"] == "model":
        factor = rule["long_ppm"] if lots > 0 else rule["short_ppm"]
        return Fraction(0), Fraction(factor + rule["slippage_ppm"], PPM)
    highest = Fraction(rule["rate_max_ppm"], PPM)
    slope = Fraction(rule["slope_ppm"] * size, PPM * rule["slope_lots"])
    if rule["kind"] == "skew_scaled":
        return min(highest, Fraction(rule["initial_ppm"], PPM) + slope), Fraction(0)
    bases = [rule["initial_ppm"], rule["maintenance_ppm"]]
    if rule["kind"] == "affine":
        initial, maintenance = (min(highest, Fraction(base, PPM) + slope) for base in bases)
        return initial, maintenance
    root = isqrt(10**10 * size // rule["slope_lots"])
    premium = rule["slope_ppm"] * 1_000 * root // 10**5
    initial, maintenance = (
        min(highest, Fraction(max(base * 1_000, base * rule["share_ppm"] // 1_000 + premium), PPB)) for base in bases
    )
    return initial, maintenance


def maintenance_atoms(state: State, market: int, lots: int, value: int) -> int:
    """Return the maintenance margin of signed lots of a value (R-A2, R-A20 to R-A27, R-A29, R-A35)."""
    if lots == 0:
        return 0
    rule, margin = schedule_of(state, market), state.rules["margin"]
    initial, maintenance, less = rates(state, market, lots, value)
    need = max(0, rounded(state, value * maintenance) - less)
    if rule["kind"] == "skew_scaled":
        whole = rounded(state, value * initial)
        need = rounded(state, Fraction(whole * rule["maintenance_scale_ppm"], PPM)) + rule["minimum_atoms"]
    due = state.moving[market]["owed"]
    if rule["kind"] == "model" and due * lots > 0:
        by_lot = state.rules["charges"]["funding"]["twap"]
        whole = ceil(abs(due) * abs(lots) if by_lot else abs(due) * value / PPB)
        need += ppm_up(min(whole, value), rule["funding_share_ppm"])
    if margin.get("volatility"):
        share = ppm_up(state.moving[market]["volatility"], margin["volatility"]["maintenance_share_ppm"])
        need = max(need, rounded(state, Fraction(value * share, PPM)))
    if margin.get("closing_fee") and margin["closing_fee"]["price"] == "mark":
        need += rounded(state, Fraction(value * margin["closing_fee"]["rate_ppm"], PPM))
    return need


def position_maintenance(state: State, owner: Any, market: int, lots: int, price: int) -> int:
    """Return the maintenance margin of signed lots, all or part of a position, at a price (R-A28, R-A29)."""
    margin, position = state.rules["margin"], state.position(owner, market)
    value = abs(state.value(market, lots, price))
    if lots and margin.get("valuation") and margin["valuation"]["price"] == "entry":
        value = abs(position.cost) * abs(lots) // abs(position.lots)
    need = maintenance_atoms(state, market, lots, value)
    if lots and margin.get("closing_fee") and margin["closing_fee"]["price"] == "bankruptcy":
        fee = Fraction(margin["closing_fee"]["rate_ppm"], PPM)
        missing = position.cost - state.balances[state.unit_of(owner, market)]
        if position.cost > 0:
            whole = ceil(max(0, missing) * fee / (1 - fee))
        else:
            whole = ceil(max(0, -missing) * fee / (1 + fee))
        need += ceil_div(whole * abs(lots), abs(position.lots))
    return need


def initial_atoms(state: State, account: int, market: int, lots: int, value: int) -> int:
    """Return the initial margin of signed lots of a value (R-A3, R-A20 to R-A34)."""
    if lots == 0:
        return 0
    rule, margin = schedule_of(state, market), state.rules["margin"]
    if rule["kind"] == "model":
        level = ppm_down(maintenance_atoms(state, market, lots, value), rule["initial_scale_ppm"])
        base = min(PPM, ceil_div(level * PPM, value))
        need = level + rounded(state, Fraction(value * added_ppm(state, market, lots, base), PPM))
    else:
        initial, _, _ = rates(state, market, lots, value)
        added = Fraction(added_ppm(state, market, lots, ceil(initial * PPM)), PPM)
        need = rounded(state, value * (initial + added))
    least = [state.own_ppm[account, market], least_ppm(state)]
    if margin.get("volatility"):
        least.append(state.moving[market]["volatility"])
    need = max([need, *(rounded(state, Fraction(value * ppm, PPM)) for ppm in least)])
    return need + (rule["minimum_atoms"] if rule["kind"] == "skew_scaled" else 0)


def pocket_rate_ppm(state: State, account: int, market: int, lots: int, value: int) -> int:
    """Return the rate at which a pocket gets margin for newly opened lots (R-M7, R-A30)."""
    others = replace(state, rules={**state.rules, "margin": _without_others(state.rules["margin"])})
    tiers = schedule_of(state, market)["kind"] in ("brackets", "bracketed", "stepped", "stepped_lots", "flat")
    if tiers and not any(others.rules["margin"].get(name) for name in ("skew", "volatility")):
        return max(state.own_ppm[account, market], int(rates(state, market, lots, value)[0] * PPM))
    return ceil_div(initial_atoms(others, account, market, lots, value) * PPM, value)


def _without_others(margin: dict[str, Any]) -> dict[str, Any]:
    """Return the margin rules without what depends on the positions of others."""
    own = (margin.get("skew") or {}).get("measure") == "own"
    return {**margin, "open_interest": None, "concentration": None, "skew": margin["skew"] if own else None}


def least_ppm(state: State) -> int:
    """Return the initial rate that the largest leverage of the venue asks for (R-A3)."""
    leverage = state.rules["margin"]["leverage_max"]
    return ceil_div(PPM, leverage) if leverage else 0


def added_ppm(state: State, market: int, lots: int, base: int) -> int:
    """Return what open interest, skew and concentration add to a rate (R-A30 to R-A33)."""
    margin, symbol = state.rules["margin"], state.markets[market].symbol
    longs = sum(max(0, p.lots) for (_, m), p in state.positions.items() if m == market)
    added = 0
    if scaling := margin.get("open_interest"):
        caps = (scaling["markets"] or {}).get(symbol, scaling)
        lower, upper = caps["lower_quote"] * ATOMS_PER_QUOTE, caps["upper_quote"] * ATOMS_PER_QUOTE
        if upper > 0:
            filled = clamp(state.value(market, longs, state.mark[market]), lower, upper) - lower
            added += max(0, PPM - base) * filled // (upper - lower)
    if skew := margin.get("skew"):
        fund = state.position(FUND, market).lots
        measure = abs(lots) if skew["measure"] == "own" else abs(fund) * (fund * lots < 0)
        added += ceil_div(skew["slope_ppm"] * measure, skew["slope_lots"])
    if (rule := margin.get("concentration")) and longs > 0:
        share = min(PPM, PPM * abs(lots) // longs)
        added += ppm_up(max(0, share - rule["threshold_ppm"]), rule["slope_ppm"])
    return min(added, max(0, PPM - base))


def renew(state: State) -> None:
    """Take the returns that are due, and the funding owed now (R-A26, R-A34)."""
    rule, rule_of_funding = state.rules["margin"].get("volatility"), state.rules["charges"]["funding"]
    for m, moving in enumerate(state.moving):
        if rule and state.step % state.steps(rule["interval_s"]) == 0:
            price = state.mark[m] if rule["source"] == "mark" else state.index[m]
            before, moving["sample"] = moving["sample"], price
            if before:
                change = min(PPB, abs(price - before) * PPB // before)
                kept = ppm_down(moving["variance"], rule["decay_ppm"])
                moving["variance"] = kept + ppm_down(change * change, PPM - rule["decay_ppm"])
                wanted = ceil_div(rule["multiple_ppm"] * isqrt(moving["variance"]), PPB)
                moving["volatility"] = clamp(wanted, rule["floor_ppm"], rule["rate_max_ppm"])
        if rule_of_funding and schedule_of(state, m).get("funding_share_ppm"):
            moving["owed"] = owed(state, m, rule_of_funding)


def owed(state: State, market: int, rule: dict[str, Any]) -> Fraction:
    """Return what a lot would pay now, in ppb of its value or, where funding is by the lot, in atoms (R-A26)."""
    if rule["twap"]:
        memory = deepcopy(state.memory)
        per_lot = funding.twap(state, market)[1]
        state.memory = memory
        return per_lot or Fraction(0)
    if rule["velocity"]:
        return Fraction(state.rate[market])
    count = state.premium_count[market]
    rate = funding.period_rate(state, market, state.premium_sum[market] // count if count else 0)
    return Fraction(clamp(rate * rule["interval_s"] // rule["period_s"], -rule["cap_ppb"], rule["cap_ppb"]))
