"""Sharing of the losses that everything before left over (R-L)."""

from __future__ import annotations

from typing import Any

from . import margin
from .state import FUND, State
from .waterfall import fund_stage


def share_losses(state: State) -> None:
    """Bring every flat unit (and a flat fund to its floor) out of its deficit (R-L1 to R-L3)."""
    bankrupt: list[Any] = [u for u in state.trader_units() if not state.held(u) and state.balances[u] < 0]
    fund_stage(state, bankrupt)
    deficits = {unit: -state.balances[unit] for unit in bankrupt}
    if not state.held(FUND) and state.balances[FUND] < state.floor():
        deficits[FUND] = state.floor() - state.balances[FUND]
        state.events["fund_refilled"] += 1
    for unit, share in shares(state, sum(deficits.values())):
        for debtor in deficits:
            paid = min(share, deficits[debtor])
            state.post(unit, debtor, paid, "SOCIALISED")
            state.events["socialised"] += paid > 0
            deficits[debtor] -= paid
            share -= paid
    for debtor, left in deficits.items():
        state.events["bad_debt"] += left > 0
        state.post("BAD_DEBT", debtor, left, "BAD_DEBT")


def shares(state: State, loss: int) -> list[tuple[Any, int]]:
    """Return what each winning unit pays, largest winner first (R-L2)."""
    if state.rules["socialisation"]["rule"] == "none":
        return []
    gains = []
    for unit in state.trader_units():
        gain = min(margin.unit_unrealised(state, unit), margin.equity(state, unit))
        if gain > 0 and state.held(unit):
            gains.append((unit, gain))
    gains.sort(key=lambda row: (-row[1], state.unit_order(row[0])))
    total = sum(gain for _, gain in gains)
    covered = min(loss, total)
    if covered == 0:
        return []
    parts = [covered * gain // total for _, gain in gains]
    for i in range(covered - sum(parts)):
        parts[i] += 1
    return [(unit, part) for (unit, _), part in zip(gains, parts, strict=True)]
