"""Sharing of the losses that everything before left over (R-L)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from . import margin
from .state import FUND, State
from .waterfall import fund_stage


def share_losses(state: State) -> None:
    """Bring every flat unit (and a flat fund to its floor) out of its deficit (R-L1 to R-L7)."""
    bankrupt: list[Any] = [u for u in state.trader_units() if not state.held(u) and state.balances[u] < 0]
    fund_stage(state, bankrupt)
    deficits = {unit: max(0, -state.balances[unit]) for unit in bankrupt}
    if not state.held(FUND) and state.balances[FUND] < state.floor():
        deficits[FUND] = state.floor() - state.balances[FUND]
        state.events["fund_refilled"] += 1
    session = state.rules["socialisation"]["session"]
    if session is not None and session["at_end"]:
        state.carried += sum(deficits.values())
    else:
        collect(state, deficits)
    for debtor, left in deficits.items():
        state.events["bad_debt"] += left > 0
        state.post("BAD_DEBT", debtor, left, "BAD_DEBT")
    if session is not None and (state.step + 1) % state.steps(session["length_s"]) == 0:
        state.events["clawback"] += state.carried > 0
        collect(state, {"BAD_DEBT": state.carried})
        state.carried = 0
        state.session_start = {account: account_equity(state, account) for account in state.accounts()}


def collect(state: State, deficits: dict[Any, int]) -> None:
    """Let those who have to pay pay the deficits, in order; lowers what is owed."""
    for payer, share in shares(state, sum(deficits.values())):
        for unit in units_of(state, payer):
            able = min(share, payable(state, unit))
            share -= able
            for debtor in deficits:
                paid = min(able, deficits[debtor])
                state.post(unit, debtor, paid, "SOCIALISED")
                state.events["socialised"] += paid > 0
                deficits[debtor] -= paid
                able -= paid
        assert share == 0


def units_of(state: State, payer: Any) -> list[Any]:
    """Return the unit that pays; for the sharing of a session's profit those of the account (R-L6)."""
    if state.rules["socialisation"]["rule"] != "session_profit":
        return [payer]
    return [payer, *(("pocket", payer[1], m) for m in range(len(state.markets)))]


def payable(state: State, unit: Any) -> int:
    """Return what a unit has to pay from: its equity, or without lots its money only (R-C4)."""
    return max(0, margin.equity(state, unit) if state.held(unit) else state.balances[unit])


def account_equity(state: State, account: int) -> int:
    """Return the equity of all units of an account."""
    units = [("cross", account), *(("pocket", account, m) for m in range(len(state.markets)))]
    return sum(margin.equity(state, unit) for unit in units)


def weights(state: State) -> list[tuple[Any, int, int]]:
    """Return (unit, weight, the most it pays) of everybody who pays, in order of keys (R-L2, R-L4, R-L6)."""
    rule = state.rules["socialisation"]["rule"]
    rows = []
    for unit in state.trader_units():
        equity, held = margin.equity(state, unit), state.held(unit)
        if rule == "session_profit":
            if unit[0] == "cross":
                gain = account_equity(state, unit[1]) - state.session_start.get(unit[1], 0)
                units = units_of(state, unit)
                able = min(gain, sum(payable(state, own) for own in units))
                rows.append((unit, able, able))
        elif rule == "deposits":
            able = min(state.balances[unit], equity)
            rows.append((unit, able, able))
        elif held and rule == "open_interest":
            worth = sum(state.value(m, abs(state.position(unit[1], m).lots), state.mark[m]) for m in held)
            rows.append((unit, worth, equity))
        elif held and rule == "winners":
            able = min(margin.unit_unrealised(state, unit), equity)
            rows.append((unit, able, able))
        elif held and rule == "step_profit":
            lots = {m: state.position(unit[1], m).lots for m in held}
            gain = sum(state.worth(m, lots[m], state.mark[m]) for m in held)
            gain -= sum(state.worth(m, lots[m], state.previous_mark[m]) for m in held)
            rows.append((unit, min(gain, equity), min(gain, equity)))
    return [row for row in rows if row[1] > 0 and row[2] > 0]


def shares(state: State, loss: int) -> list[tuple[Any, int]]:
    """Return who pays what, in order of payment (R-L2, R-L5)."""
    remainder = state.rules["socialisation"]["remainder"] or {"rounded": "paid", "to": "largest"}
    rows = weights(state)
    if remainder["to"] == "largest":
        rows.sort(key=lambda row: -row[1])
    able = sum(limit for _, _, limit in rows)
    covered = min(loss, able)
    if covered == 0:
        return []
    if remainder["rounded"] == "kept":
        kept = parts(able - covered, rows, remainder["to"])
        return [(unit, weight - part) for (unit, weight, _), part in zip(rows, kept, strict=True)]
    return [(unit, part) for (unit, _, _), part in zip(rows, parts(covered, rows, remainder["to"]), strict=True)]


def parts(amount: int, rows: list[tuple[Any, int, int]], to: str) -> list[int]:
    """Return an amount in whole atoms pro rata to the weights, nobody above the limit (R-L5)."""
    full: set[int] = set()
    while True:
        left = amount - sum(rows[i][2] for i in full)
        whole = sum(row[1] for i, row in enumerate(rows) if i not in full)
        exact = [Fraction(left * row[1], whole) if whole else Fraction(0) for row in rows]
        over = {i for i, row in enumerate(rows) if i not in full and int(exact[i]) >= row[2]}
        if not over or left == 0:
            break
        full |= over
    found = [row[2] if i in full else int(exact[i]) for i, row in enumerate(rows)]
    order = list(range(len(rows)))
    for i in reversed(order) if to == "last" else order:
        missing = amount - sum(found)
        most = 1 if to == "largest" else missing
        found[i] += min(missing, most, rows[i][2] - found[i])
    assert sum(found) == amount
    return found
