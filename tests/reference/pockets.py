"""Pockets that the venue fills and empties: the search of the general account (R-A40 to R-A43)."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from . import margin
from .state import PPM, State


def kind(state: State) -> str:
    """Return the rule for pockets: "free", "strict" or "search"."""
    rule = state.rules["margin"].get("pockets")
    return str(rule["kind"]) if rule else "free"


def general(state: State, unit: Any) -> int:
    """Return what a search could bring into a unit (R-A41)."""
    if kind(state) != "search" or unit[0] != "pocket":
        return 0
    return max(0, state.balances["cross", unit[1]])


def levels(state: State, maintenance: int) -> tuple[int, int, int]:
    """Return search, initial and release level of a maintenance margin (R-A41)."""
    rule = state.rules["margin"]["pockets"]
    search, initial, release = (maintenance * rule[f"{name}_ppm"] // PPM for name in ("search", "initial", "release"))
    return search, initial, release


def search_all(state: State) -> None:
    """Settle every account that has to be (R-A42)."""
    if kind(state) != "search":
        return
    for account in state.accounts():
        pockets = [("pocket", account, m) for m in range(len(state.markets)) if state.position(account, m).lots]
        touched = any(unit[0] in ("cross", "pocket") and unit[1] == account for unit in state.touched)
        short = any(is_short(state, unit) for unit in pockets) and state.balances["cross", account] > 0
        if touched or short or any(margin.is_distressed(state, unit) for unit in pockets):
            settle(state, pockets)


def is_short(state: State, pocket: Any) -> bool:
    """Say whether a pocket is below its search level or in distress (R-A42)."""
    below = margin.equity(state, pocket) < levels(state, margin.maintenance(state, pocket))[0]
    return below or margin.is_distressed(state, pocket)


def settle(state: State, pockets: list[Any]) -> None:
    """Let all pockets of an account release, then let all that are short search (R-A42)."""
    for pocket in pockets:
        spare = margin.equity(state, pocket) - aim(state, pocket)
        release = levels(state, margin.maintenance(state, pocket))[2]
        if margin.equity(state, pocket) > release and spare > 0:
            state.post(pocket, ("cross", pocket[1]), spare, "MARGIN_OUT")
    for pocket in pockets:
        if is_short(state, pocket):
            missing = aim(state, pocket) - margin.equity(state, pocket)
            moved = min(missing, general(state, pocket))
            state.post(("cross", pocket[1]), pocket, moved, "MARGIN_IN")
            state.events["searched"] += moved > 0
            state.events["searched in vain"] += moved < missing


def aim(state: State, pocket: Any) -> int:
    """Return the equity that search and release aim at (R-A41)."""
    maintenance = margin.maintenance(state, pocket)
    initial = levels(state, maintenance)[1]
    # A trigger far above the initial level may be thousands of millions of atoms away: too far to count there.
    enough = initial
    while margin.under(state, enough, maintenance):
        enough = 2 * enough + 1
    return bisect_left(range(enough), True, lo=initial, key=lambda equity: not margin.under(state, equity, maintenance))


def pay(state: State, unit: Any) -> None:
    """Let the general account pay the deficit of its own flat pocket (R-A43)."""
    state.post(("cross", unit[1]), unit, min(-state.balances[unit], general(state, unit)), "MARGIN_IN")
