"""Ranks beyond the first two, a drawn start, and splitting a position over everybody (R-W80 to R-W84)."""

from __future__ import annotations

import math

from . import margin
from .state import State

WORD = 2**32
SPLIT = ("pro_rata_pnl", "pro_rata_equity", "pro_rata_lots", "pro_rata_wealth", "pro_rata_leverage_pnl", "min_max")


def score(state: State, account: int, market: int) -> float:
    """Return the score of a queue, or the weight where positions are split (R-W80, R-W81)."""
    unit = state.unit_of(account, market)
    position = state.position(account, market)
    equity = float(margin.equity(state, unit))
    value = float(state.value(market, abs(position.lots), state.mark[market]))
    gained = float(margin.unrealised(state, account, market))
    leverage = value / max(1.0, equity) if equity > 0 else 0.0
    profit = max(0.0, gained)
    rank = state.rules["deleveraging"]["rank"]
    if rank == "leveraged_return":
        return gained / max(1.0, float(abs(position.cost))) * leverage
    if rank == "pnl_leverage":
        share = gained / max(1.0, float(abs(position.cost)))
        if share > 0:
            return share * leverage
        return share * (1.0 / leverage) if leverage > 0 else 0.0
    return {
        "pnl": gained,
        "leverage": leverage,
        "size": value,
        "pro_rata_pnl": profit,
        "pro_rata_equity": max(0.0, equity),
        "pro_rata_lots": float(abs(position.lots)),
        "pro_rata_wealth": min(profit, max(0.0, equity)),
        "pro_rata_leverage_pnl": leverage * profit,
        "min_max": profit,
    }[rank]


def from_a_drawn_start(state: State, accounts: list[int], market: int) -> list[int]:
    """Return the accounts by key, beginning with the one that has the smallest draw (R-W82)."""
    by_key = sorted(accounts, key=lambda a: state.keys[a])
    draws = [draw(state.step, market, state.index[market], state.keys[a]) for a in by_key]
    start = draws.index(min(draws)) if draws else 0
    return by_key[start:] + by_key[:start]


def draw(step: int, market: int, index: int, key: int) -> int:
    """Return the number below 2**32 that the four determine (R-W82)."""
    found = 0
    for word in (step, market, index, key % WORD, (key >> 32) % WORD):
        found = ((found ^ (word % WORD)) + 0x45D9F3B) % WORD
        for _ in range(2):
            found = ((found >> 16) ^ found) * 0x45D9F3B % WORD
        found = (found >> 16) ^ found
    return found


def parts(state: State, accounts: list[int], market: int, lots: int, holders: int) -> list[tuple[int, int]]:
    """Return (account, lots it gives) of those who give any, the largest part first (R-W83, R-W84).

    `holders`: how many hold that side, those who are passed over too.
    """
    caps = {a: abs(state.position(a, market).lots) for a in accounts}
    fair = state.rules["deleveraging"]["rank"] == "min_max"
    keys = {a: state.keys[a] for a in accounts}
    given = shares({a: score(state, a, market) for a in accounts}, caps, keys, lots, holders, fair)
    rest = {a: float(caps[a]) for a in accounts if given[a] == 0}
    given |= shares(rest, caps, keys, lots - sum(given.values()), holders, fair)
    ranked = sorted(accounts, key=lambda a: (-given[a], keys[a]))
    return [(a, given[a]) for a in ranked if given[a]]


def shares(
    weights: dict[int, float], caps: dict[int, int], keys: dict[int, int], amount: int, holders: int, fair: bool
) -> dict[int, int]:
    """Return what each gives of an amount, in proportion to weights, none above its cap (R-W83, R-W84)."""
    given = dict.fromkeys(weights, 0)
    largest = max(0.0, max(weights.values(), default=0.0))
    scale = 60 - holders.bit_length() - math.frexp(largest)[1]
    whole = {a: math.floor(math.ldexp(w, scale)) if w > 0 else 0 for a, w in weights.items()}
    hungry = {a for a, w in whole.items() if w > 0}
    while hungry and amount:
        total = sum(whole[a] for a in hungry)
        full = {a for a in hungry if amount * whole[a] // total >= caps[a]}
        if not full:
            break
        for a in full:
            given[a] = caps[a]
        amount -= sum(caps[a] for a in full)
        hungry -= full
    if not hungry or not amount:
        return given
    total = sum(whole[a] for a in hungry)
    for a in hungry:
        given[a] = amount * whole[a] // total
    over = amount - sum(given[a] for a in hungry)
    if not fair:
        for a in sorted(hungry, key=lambda a: (-weights[a], keys[a]))[:over]:
            given[a] += 1
        return given
    for _ in range(over):
        most = min(hungry, key=lambda a: (-weights[a] / (given[a] + 1), keys[a]))
        given[most] += 1
        if given[most] == caps[most]:
            hungry.remove(most)
    return given
