"""The liquidation rounds of a step: look, cancel, book, take over, fund, deleverage (R-W)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from . import (
    adl,
    allocation,
    assets,
    auction,
    book,
    keepers,
    margin,
    marks,
    pockets,
    schedules,
    takeover,
    terms,
    watch,
)
from .prices import is_guarded
from .state import ATOMS_PER_QUOTE, FUND, PPM, State, ceil_div, clamp, sign


@dataclass
class Round:
    """What one round treats, in order of treatment."""

    treated: list[Any] = field(default_factory=list)
    straight: set[Any] = field(default_factory=set)
    """Units that skip the book stage (R-W6, takeover_only)."""
    backstop_only: set[Any] = field(default_factory=set)
    """Units under the backstop threshold (R-W6)."""
    orders_for: dict[Any, list[int]] = field(default_factory=dict)
    """Markets in which a unit gets a forced order."""
    refused: set[Any] = field(default_factory=set)
    direct: bool = False
    """Everybody treated is deleveraged at once (R-W51)."""


@dataclass
class ForcedOrder:
    """One immediate-or-cancel, reduce-only order of the liquidation engine."""

    owner: Any
    market: int
    side: int
    lots: int
    limit: int
    cause: int
    fok: bool = False


def look(state: State) -> None:
    """Find the newly distressed and the cured, and send margin calls (R-W2, R-A8)."""
    assets.exchange_all(state)
    pockets.search_all(state)
    call_ppm = state.rules["margin"]["call_ppm"]
    for unit in state.trader_units():
        flat = not state.held(unit)
        equity, maintenance = margin.equity(state, unit), margin.maintenance(state, unit)
        distressed = terms.is_due(state, unit)
        if distressed and unit not in state.distressed:
            state.distressed[unit] = state.step
            state.events["distressed"] += 1
        if not distressed and unit in state.distressed:
            del state.distressed[unit]
            state.liquidation_of.pop(unit, None)
            state.events["cured"] += not flat
        above = equity * PPM >= maintenance * call_ppm
        if unit in state.notices and (flat or (unit in state.touched and above)):
            state.notices.remove(unit)
        if call_ppm and not flat and not distressed and not above and unit not in state.notices:
            state.notices.add(unit)
            state.events["margin_call"] += 1
    state.touched.clear()


def due_units(state: State) -> list[Any]:
    """Return the units to be treated, in order of treatment (R-W2)."""
    latency = state.steps(state.rules["liquidation"]["latency_s"])
    due = [
        unit
        for unit, since in state.distressed.items()
        if since + latency <= state.step
        and unit not in state.no_effect
        and not any(is_guarded(state, m) for m in state.held(unit))
    ]
    due.sort(key=lambda unit: (state.distressed[unit], badness(state, unit), state.unit_order(unit)))
    return within_limits(state, due)


def within_limits(state: State, due: list[Any]) -> list[Any]:
    """Return those that an impaired engine still gets to (R-W61)."""
    found: list[Any] = []
    spent = list(state.spent)
    for unit in due:
        if state.units_max is not None and len(spent) >= state.units_max:
            break
        if state.value_max is not None and sum(spent) >= state.value_max:
            break
        spent.append(terms.total_value(state, unit))
        found.append(unit)
    return found


def badness(state: State, unit: Any) -> int:
    """Return equity / maintenance in ppm, the worst unit lowest (R-W2)."""
    maintenance = margin.maintenance(state, unit)
    return -(2**62) if maintenance == 0 else margin.equity(state, unit) * PPM // maintenance


def fund_is_due(state: State) -> bool:
    """Say whether the FUND has to be deleveraged itself (R-W10, R-W53)."""
    if FUND in state.no_effect or not state.held(FUND):
        return False
    return fund_is_distressed(state) or bool(adl.over_ratio(state))


def fund_is_distressed(state: State) -> bool:
    """Say whether the FUND has lots and is below its floor (R-W10)."""
    below = bool(state.held(FUND)) and margin.equity(state, FUND) < state.floor()
    return below and state.rules["deleveraging"]["trigger"] != "none"


def run_rounds(state: State) -> None:
    """Run the rounds of one step (R-W2 to R-W12)."""
    state.no_effect.clear()
    state.forced_orders = 0
    state.spent.clear()
    look(state)
    if not state.rules["liquidation"]["act"] or stands_still(state):
        return
    most: int = state.rules["liquidation"]["rounds_max"]
    step = state.rules["liquidation"].get("step") or {"kind": ""}
    if step["kind"] == "slices":
        most = min(most, step["rounds"] * state.dt_s)
    for number in range(most):
        watch.look(state)
        due = due_units(state)
        if not due and not fund_is_due(state):
            return
        state.events["round"] += 1
        state.events["later_round"] += number > 0
        run_round(state, due)
        look(state)
    watch.look(state)  # R-W50: a round would start here if one more were allowed
    if due_units(state) and most == state.rules["liquidation"]["rounds_max"]:
        state.unfinished_cascades += 1


def stands_still(state: State) -> bool:
    """Say whether the engine does nothing at all (R-W61)."""
    return 0 in (state.units_max, state.value_max)


def run_round(state: State, due: list[Any]) -> None:
    """Treat the due units once."""
    before = {unit: holdings(state, unit) for unit in due}
    state.spent += [terms.total_value(state, unit) for unit in due]
    state.lost.clear()
    state.unpayable.clear()
    now = plan(state, due)
    for unit in now.treated:
        begin_treatment(state, unit)
    for unit in now.treated:
        level = terms.needs(state, margin.maintenance(state, unit), terms.total_value(state, unit))
        assets.sell_before(state, unit, level)
    paced = close(state, now)
    waiting = {unit for unit in now.treated if auction.waits(state, unit)}
    if not now.direct:
        takeover_stage(state, now, waiting | paced)
    fund_stage(state, now.treated)
    adl_stage(state, now, waiting)
    fund_stage(state, now.treated)
    if state.rules["mark"]["renew_in_rounds"]:
        marks.take_marks(state)
    state.no_effect.update(unit for unit in due if holdings(state, unit) == before[unit])


def holdings(state: State, unit: Any) -> list[int]:
    """Return the lots of a unit's positions."""
    owner = FUND if unit == FUND else unit[1]
    return [state.position(owner, m).lots for m in state.markets_of(unit)]


def plan(state: State, due: list[Any]) -> Round:
    """Decide who is treated, who skips the book and who gets how many orders (R-W4, R-W6)."""
    rule = state.rules["liquidation"]
    now = Round(direct="deleveraging" in state.fund_down)
    for unit in due:
        if now.direct:
            state.events["direct"] += 1
            now.treated.append(unit)
            continue
        ratio_too_low = margin.equity(state, unit) * PPM < margin.maintenance(state, unit) * rule["backstop_ppm"]
        if rule["backstop_ppm"] > 0 and ratio_too_low and (state.backstops or rule["leftover"] != "retry"):
            now.backstop_only.add(unit)
        if unit in now.backstop_only or rule["stage"] == "takeover_only":
            now.straight.add(unit)
            now.treated.append(unit)
            continue
        if skips(state, unit):
            state.events["insolvent"] += 1
            now.treated.append(unit)
            continue
        held = state.held(unit)
        if rule["stage"] == "keepers":
            now.orders_for[unit] = held
            now.treated.append(unit)
            continue
        if rule["orders_per_step_max"] > 0:
            held = held[: rule["orders_per_step_max"] - state.forced_orders]
        if not held:
            state.events["order_limit_of_the_engine"] += 1
            continue
        state.forced_orders += len(held)
        now.orders_for[unit] = held
        now.treated.append(unit)
    return now


def skips(state: State, unit: Any) -> bool:
    """Say whether a unit skips book and keepers because it is below zero and others may take it (R-W36)."""
    rule = state.rules["liquidation"]
    others = rule["leftover"] != "retry" or state.rules["deleveraging"]["trigger"] != "none"
    return rule["insolvent"] == "skip" and others and margin.equity(state, unit) < 0


def close(state: State, now: Round) -> set[Any]:
    """Close what the rule names of the treated units, in the book or with keepers; return who is paced (R-W34)."""
    wanted = [unit for unit in now.orders_for if not terms.is_cured(state, unit)]
    plans = [plan for unit in wanted for plan in terms.plans_of(state, unit, propose(state, unit, now))]
    lacks = {unit: terms.shortage(state, unit) for unit in wanted}
    terms.cut_to_window(state, plans)
    if state.rules["liquidation"]["stage"] == "keepers":
        keepers.serve(state, plans)
    else:
        orders = [order_of(state, plan) for plan in plans if plan.lots > 0]
        state.forced_orders += len(orders) - sum(len(markets) for markets in now.orders_for.values())
        for order in orders:
            send(state, order)
    return terms.book_results(state, plans, lacks)


def order_of(state: State, plan: terms.Plan) -> ForcedOrder:
    """Return the order that closes what is planned of a position (R-W4)."""
    side = -1 if plan.held > 0 else 1
    limit = 1 if side < 0 else state.markets[plan.market].price_max - 1
    if state.rules["liquidation"]["price"] == "bankruptcy":
        limit = margin.bankruptcy_price(state, plan.unit, plan.market)
    limit = terms.limit_of(state, plan, limit)
    fok = terms.is_fok(state, plan)
    state.events["forced_order"] += 1
    state.events["partial_forced_order"] += plan.lots < abs(plan.held)
    return ForcedOrder(plan.unit[1], plan.market, side, plan.lots, limit, state.liquidation_of[plan.unit], fok)


def propose(state: State, unit: Any, now: Round) -> dict[int, int]:
    """Return the lots to close of each position, by R-W4, from the unit's state at the start of the round."""
    found = {}
    owner = unit[1]
    rule = state.rules["liquidation"]
    cooldown = state.steps(rule["cooldown_s"])
    cooling = unit in state.partial_step and state.step - state.partial_step[unit] < cooldown
    for m in now.orders_for.get(unit, []):
        held = state.position(owner, m).lots
        lots = abs(held)
        if rule["size"] == "target":
            lots = lots_to_target(state, unit, m)
        elif rule["size"] == "share":
            small = state.value(m, lots, state.mark[m]) <= rule["full_below_quote"] * ATOMS_PER_QUOTE
            if not small and not cooling:
                lots = ceil_div(lots * rule["share_ppm"], PPM)
                state.partial_step[unit] = state.step
        found[m] = lots
    return found


def lots_to_target(state: State, unit: Any, market: int) -> int:
    """Return the fewest lots to close after which the position's equity share covers the target (R-W4)."""
    position = state.position(unit[1], market).lots
    held = abs(position)
    share = margin.equity_share(state, unit, market, margin.equity(state, unit))

    def enough(lots: int) -> bool:
        kept = sign(position) * (held - lots)
        left = schedules.position_maintenance(state, unit[1], market, kept, state.mark[market])
        target_ppm: int = state.rules["liquidation"]["target_ppm"]
        return share * PPM >= target_ppm * left

    # R-W4: maintenance does not rise when more is closed, so bisection finds the first.
    return 1 + bisect_left(range(1, held), True, key=enough)


def begin_treatment(state: State, unit: Any) -> None:
    """Open the episode's record if this is its first treatment, and cancel the unit's orders (R-W3)."""
    if unit not in state.liquidation_of:
        state.liquidation_id += 1
        state.liquidation_of[unit] = state.liquidation_id
        state.freed[unit] = 0
        step, cause = state.forced_fill.get(state.held(unit)[0], (-2, 0))
        state.liquidations.append(
            {
                "id": state.liquidation_id,
                "step": state.step,
                "account": unit[1],
                "market": -1 if unit[0] == "cross" else unit[2],
                "parent": cause if step >= state.step - 1 else 0,
            }
        )
    terms.cancel_orders(state, unit)


def send(state: State, order: ForcedOrder) -> None:
    """Execute a forced order; what does not trade expires, in an auction only with it (R-H5)."""
    sequence = state.next_sequence()
    if state.auction[order.market]:
        auction.join_forced(state, order, sequence)
        return
    if order.fok and not can_be_filled(state, order):
        state.events["killed"] += 1
        state.refusals["NOT_FILLABLE"] += 1
        return
    allocation.match(
        state,
        order.owner,
        order.market,
        order.side,
        order.lots,
        order.limit,
        reduce_only=True,
        cause=order.cause,
    )


def can_be_filled(state: State, order: ForcedOrder) -> bool:
    """Say whether a forced fill-or-kill order finds its lots; its own account's orders do not count (R-W22)."""
    makers = [o for o in book.shown(state, order.market, -order.side) if o.account != order.owner and not o.reduce_only]
    return sum(o.lots for o in makers if book.crosses(order.side, order.limit, o.price)) >= order.lots


def takeover_stage(state: State, now: Round, waiting: set[Any]) -> None:
    """Offer what is left to the takers (R-W5), but not of units that are paced or wait in an auction (R-W34, R-H6)."""
    leftover = state.rules["liquidation"]["leftover"]
    for unit in now.treated:
        if unit in waiting:
            continue
        if leftover == "retry" and unit not in now.backstop_only:
            continue
        if margin.is_distressed(state, unit):
            by_backstop = leftover == "backstop" or (unit in now.backstop_only and bool(state.backstops))
            if not takeover.take_over(state, unit, by_backstop):
                now.refused.add(unit)


def fund_stage(state: State, units: list[Any]) -> None:
    """Let the fund pay the deficits of flat units (R-W8)."""
    cap = state.rules["insurance"]["cap_per_event_quote"] * ATOMS_PER_QUOTE
    for unit in units:
        if state.held(unit) or state.balances[unit] >= 0:
            continue
        pockets.pay(state, unit)
        assets.sell(state, unit, -state.balances[unit])
        paid = min(max(0, -state.balances[unit]), state.fund_room())  # a sale may have brought a little more
        if cap > 0:
            paid = min(paid, cap)
        state.post(FUND, unit, paid, "DEFICIT")
        state.events["fund_paid"] += paid > 0


def adl_stage(state: State, now: Round, waiting: set[Any]) -> None:
    """Deleverage winners against treated units, then against the FUND (R-W9, R-W10)."""
    trigger = state.rules["deleveraging"]["trigger"]
    for unit in now.treated:
        equity = margin.equity(state, unit)
        wanted = {
            "none": False,
            "equity_below_zero": equity < 0,
            "fund_empty": unit in now.refused | state.unpayable or (equity < 0 and -equity > state.fund_room()),
        }[trigger]
        if (wanted or now.direct) and state.held(unit) and unit not in waiting:
            adl.deleverage(state, unit, now.treated)
    if fund_is_due(state):
        before = holdings(state, FUND)
        if fund_is_distressed(state):
            state.events["fund_in_distress"] += 1
            adl.deleverage(state, FUND, now.treated)
        else:
            state.events["pool_over_ratio"] += 1
            adl.relieve_pool(state, now.treated)
        if holdings(state, FUND) == before:
            state.no_effect.add(FUND)


def dispose(state: State) -> None:
    """Send part of the FUND's positions to the book (R-W11)."""
    rule = state.rules["insurance"]
    if not state.rules["liquidation"]["act"] or stands_still(state) or rule["disposal_share_ppm"] == 0:
        return
    if state.step % state.steps(rule["disposal_interval_s"]) != 0:
        return
    for m in state.held(FUND):
        lots = state.position(FUND, m).lots
        part = ceil_div(abs(lots) * rule["disposal_share_ppm"], PPM)
        mark, reach = state.mark[m], rule["disposal_range_ppm"]
        bankrupt = margin.bankruptcy_price(state, FUND, m, less=state.floor())
        if lots > 0:
            limit = max(ceil_div(mark * (PPM - reach), PPM), bankrupt)
        else:
            limit = min(mark * (PPM + reach) // PPM, bankrupt)
        limit = clamp(limit, 1, state.markets[m].price_max - 1)
        if rule.get("sale"):
            part, limit = terms.sale(state, m, rule, rule["sale"])
            if part == 0:
                continue
        state.events["disposal"] += 1
        send(state, ForcedOrder(FUND, m, -1 if lots > 0 else 1, part, limit, -1))
