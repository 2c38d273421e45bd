"""What a forced fill brings beyond the bankruptcy price, or lacks (R-W29)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

from . import margin
from .state import ATOMS_PER_QUOTE, FUND, PPM, State, owner_of


def due_of(state: State, unit: Any, market: int, lots: int) -> int:
    """Return what a forced fill has to bring: the quote of R-A11 (R-W29)."""
    if unit == FUND or not state.rules["liquidation"].get("surplus"):
        return 0
    owner, mark = owner_of(unit), state.mark[market]
    held = state.position(owner, market).lots
    equity, whole = margin.equity(state, unit), margin.maintenance(state, unit)
    before, after = (margin.part_maintenance(state, owner, market, n) for n in (held, held + lots))
    change = state.worth(market, held + lots, mark) - state.worth(market, held, mark)
    part = Fraction(abs(after - before), whole) if whole else Fraction(abs(lots), abs(held) * len(state.held(unit)))
    return ceil(-change - equity * part)


def settle_surplus(state: State, unit: Any, market: int, lots: int, price: int, fee: int, due: int) -> None:
    """Take what a forced fill brought above what was due, or cover what it lacks (R-W29)."""
    rule = state.rules["liquidation"].get("surplus")
    if unit == FUND or not rule:
        return
    gain = -state.worth(market, lots, price) - fee - due
    receiver = ("cross", state.backstops[0]) if rule["to"] == "vault" and state.backstops else FUND
    if gain > 0 and receiver != unit:
        taken = gain
        if rule["cap_ppm"] is not None:
            taken = min(gain, state.value(market, abs(lots), price) * rule["cap_ppm"] // PPM)
        state.post(unit, receiver, taken, "SURPLUS")
        state.events["surplus"] += taken > 0
    elif gain < 0 and rule["covers"]:
        cap = state.rules["insurance"]["cap_per_event_quote"] * ATOMS_PER_QUOTE
        paid = min(-gain, state.fund_room(), cap or -gain)
        if not state.auction[market]:  # R-W37: what an auction trades is outside the limit of a round
            paid = min(paid, left_of_round(state, unit, paid))
            state.lost[unit] = state.lost.get(unit, 0) + paid
        state.post(FUND, unit, paid, "DEFICIT")
        state.events["covered at the fill"] += paid > 0


def left_of_round(state: State, unit: Any, otherwise: int) -> int:
    """Return what the fund may still pay for a unit's fills in this round (R-W37)."""
    refusal = state.rules["liquidation"]["surplus"]["refusal"] or {"lost_quote": 0}
    most = int(refusal["lost_quote"]) * ATOMS_PER_QUOTE
    return most - state.lost.get(unit, 0) if most else otherwise


def is_refused(state: State, owner: Any, market: int, lots: int, price: int, cause: int) -> bool:
    """Say whether a forced fill is not made, because the fund could not pay all that it lacks (R-W37)."""
    rule = state.rules["liquidation"].get("surplus")
    if cause == 0 or owner == FUND or not rule or not rule["refusal"]:
        return False
    unit = state.unit_of(owner, market)
    lacking = due_of(state, unit, market, lots) + state.worth(market, lots, price)
    cap = state.rules["insurance"]["cap_per_event_quote"] * ATOMS_PER_QUOTE
    bounds = [state.fund_room(), left_of_round(state, unit, lacking), cap or lacking]
    refused = lacking > 0 and any(lacking > bound for bound in bounds)
    if refused:
        state.events["fill refused"] += 1
        state.unpayable.add(unit)
    return refused
