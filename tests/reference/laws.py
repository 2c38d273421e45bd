"""The laws I1 to I10 as assertions that name the law."""

from __future__ import annotations

from itertools import pairwise

from . import assets, margin
from .book import best_price
from .state import FUND, State


def check_laws(state: State) -> None:
    """Raise AssertionError naming the first broken law."""
    money(state)
    books(state)
    units(state)
    numbers = state.sequences
    assert all(a < b for a, b in pairwise(numbers)), "I9: sequence numbers do not increase"
    del numbers[:-1]


def money(state: State) -> None:
    """Check I1, I2, I3, I8."""
    assert sum(state.balances.values()) == 0, "I1: money was made or lost"
    for row in state.journal[state.replayed_rows :]:
        assert row.amount > 0, f"R-M2: posting of {row.amount}"
        state.replayed[row.debit] = state.replayed.get(row.debit, 0) - row.amount
        state.replayed[row.credit] = state.replayed.get(row.credit, 0) + row.amount
    state.replayed_rows = len(state.journal)
    moved = {unit: balance for unit, balance in state.balances.items() if balance != 0}
    replayed = {unit: balance for unit, balance in state.replayed.items() if balance != 0}
    assert replayed == moved, "I8: the journal does not replay to the balances"
    assets.check(state)
    costs = sum(position.cost for position in state.positions.values())
    assert state.balances["SETTLEMENT"] + costs == 0, "I3: SETTLEMENT and costs do not cancel"
    assert state.balances["FUNDING"] == 0, "R-F3: something was left in FUNDING"
    for m in range(len(state.markets)):
        total = sum(state.position(owner, m).lots for owner in [*state.accounts(), FUND])
        assert total == 0, f"I2: lots of market {m} sum to {total}"
    for (owner, m), position in state.positions.items():
        sign = -1 if state.inverse() else 1
        assert sign * position.lots * position.cost > 0 or position.lots == position.cost == 0, (
            f"R-M3: {owner} in {m}: {position}"
        )
        assert abs(position.lots) <= 2 * state.rules["contract"]["lots_max"], f"R-U4: {owner} in {m}: {position}"


def books(state: State) -> None:
    """Check I4 and I5 on the resting orders."""
    for m, orders in enumerate(state.resting):
        bid, ask = best_price(state, m, 1), best_price(state, m, -1)
        assert bid is None or ask is None or bid < ask, f"I4: market {m} is crossed at rest, {bid} >= {ask}"
        for order in orders:
            assert order.lots > 0, f"I4: {order}"
            assert 1 <= order.price < state.markets[m].price_max, f"I4: {order}"
        for a in state.accounts():
            limit = 2 * state.rules["contract"]["lots_max"]
            assert margin.exposure(state, a, m) <= limit, f"I5: exposure of {a} in {m} above 2 lots_max"


def units(state: State) -> None:
    """Check I6 and I7."""
    if not state.held(FUND):
        assert state.balances[FUND] >= state.floor(), f"I6: the flat fund is at {state.balances[FUND]}"
    for unit in state.trader_units():
        if not state.held(unit):
            assert state.balances[unit] >= 0, f"I7: flat {unit} is at {state.balances[unit]}"
        elif margin.equity(state, unit) < 0:
            assert unit in state.distressed, f"I7: {unit} has negative equity and is not listed"
