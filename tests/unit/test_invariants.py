"""The laws are able to fail: each broken by hand, and found with its own name and the place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from delever.engine.invariants import check_all, check_distressed_listed, check_totals, conservation_error
from delever.engine.tables import (
    A_FIRST_ORDER,
    A_ORDERS,
    FUND,
    L_LOTS,
    L_TAIL,
    M_BEST_ASK,
    M_BEST_BID,
    M_LONG_LOTS,
    M_MARK_TICKS,
    M_SUM_COST_ATOMS,
    NONE,
    O_LOTS,
    O_SEQUENCE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_LOTS,
    SETTLEMENT,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    U_SINCE_STEP,
    Tables,
)

from .engine_desk import EngineDesk

TRADERS = 3
FLAT, LONG, SHORT = 2, 0, 1


def sound() -> EngineDesk:
    """Return a desk: account 0 long 10, 1 short 10, 2 flat with two bids at 95; all orders in rows 0 and 1."""
    desk = EngineDesk([100, 10_000, 10_000])
    desk.trade(0, 1, 10, 100)
    desk.limit(2, 1, 5, 95, tag=1)
    desk.limit(2, 1, 6, 95, tag=2)
    desk.limit(1, -1, 4, 105)
    return desk


def order_at(t: Tables, place: int) -> int:
    """Return the row of the first (0) or last (1) order in the queue at 95."""
    return int(t.levels[0, 95, place])


def add(table: str, row: int, column: int, amount: int) -> Callable[[Tables], None]:
    """Return what adds an amount to one cell of a two-dimensional table."""

    def change(t: Tables) -> None:
        getattr(t, table)[row, column] += amount

    return change


def _swap_sequence(t: Tables) -> None:
    first, last = order_at(t, 0), order_at(t, 1)
    t.orders[[first, last], O_SEQUENCE] = t.orders[[last, first], O_SEQUENCE]


def _flat_with_cost(t: Tables) -> None:
    t.positions[FLAT, P_COST_ATOMS] += 7
    t.positions[LONG, P_COST_ATOMS] -= 7


def _debt(t: Tables) -> None:
    t.units[FLAT, U_DEBITS_ATOMS] += 20_000
    t.units[LONG, U_CREDITS_ATOMS] += 20_000


def _hidden_distress(t: Tables) -> None:
    t.units[LONG, U_DEBITS_ATOMS] += 500
    t.units[FLAT, U_CREDITS_ATOMS] += 500


def _fund_below_floor(t: Tables) -> None:
    t.units[TRADERS + FUND, U_DEBITS_ATOMS] += 1
    t.units[FLAT, U_CREDITS_ATOMS] += 1


def _lost_in_list(t: Tables) -> None:
    t.accounts[FLAT, A_FIRST_ORDER] = NONE
    t.accounts[FLAT, A_ORDERS] = 0


BREAKS: dict[str, tuple[str, Callable[[Tables], None]]] = {
    "an atom appears": ("I1 credits exceed debits by 1 atoms", add("units", FLAT, U_CREDITS_ATOMS, 1)),
    "an atom is lost": ("I1 credits exceed debits by -1 atoms", add("units", FLAT, U_DEBITS_ATOMS, 1)),
    "a lot appears": ("I2 lots of market 0 sum to 1", add("positions", LONG, P_LOTS, 1)),
    "open interest": ("I2 open interest of market 0 is wrong", add("markets", 0, M_LONG_LOTS, 1)),
    "flat but not free": ("I3 a flat position has a cost", _flat_with_cost),
    "cost of one side": ("I3 control total of market 0", add("positions", LONG, P_COST_ATOMS, 1)),
    "control total": ("I3 control total of market 0", add("markets", 0, M_SUM_COST_ATOMS, 1)),
    "lots of a level": ("I4 lots of level 95", lambda t: t.levels.__setitem__((0, 95, L_LOTS), 12)),
    "lots of no level": ("I4 lots at an empty level", lambda t: t.levels.__setitem__((0, 50, L_LOTS), 1)),
    "tail of a level": ("I4 tail of level 95", lambda t: t.levels.__setitem__((0, 95, L_TAIL), order_at(t, 0))),
    "best bid": ("I4 best bid", add("markets", 0, M_BEST_BID, -1)),
    "best ask": ("I4 best ask", add("markets", 0, M_BEST_ASK, 1)),
    "an empty order": ("I4 empty order at rest", lambda t: t.orders.__setitem__((order_at(t, 0), O_LOTS), 0)),
    "bids of a position": ("I5 bids of a position", add("positions", FLAT, P_BIDS_LOTS, 1)),
    "asks of a position": ("I5 asks of a position", add("positions", SHORT, P_ASKS_LOTS, 1)),
    "a list loses its orders": ("I5 1 orders listed, 3 at rest", _lost_in_list),
    "an order is counted twice": ("I5 order count of account 2", add("accounts", FLAT, A_ORDERS, 1)),
    "a fund below its floor": ("I6 flat fund below its floor", _fund_below_floor),
    "a debt nobody paid": ("I7 flat unit 2 at -10000 atoms", _debt),
    "a ruin nobody saw": ("I7 unit 0 in unlisted debt", _hidden_distress),
    "a queue out of order": ("I9 queue out of sequence", _swap_sequence),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_law_is_named(name: str) -> None:
    """I1 to I7 and I9: sound before, and after one change the law that it breaks, with step and sequence."""
    said, change = BREAKS[name]
    desk = sound()
    check_all(desk.t)
    assert conservation_error(desk.t) == 0
    change(desk.t)
    with pytest.raises(AssertionError) as broken:
        check_all(desk.t)
    assert said in str(broken.value)
    assert f"at step {desk.engine.step}, sequence" in str(broken.value)


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("I3 settlement identity broken", add("units", TRADERS + SETTLEMENT, U_CREDITS_ATOMS, 1)),
        ("I4 crossed book", add("markets", 0, M_BEST_BID, 10)),
        ("I2 negative open interest", add("markets", 0, M_LONG_LOTS, -11)),
    ],
)
def test_control_totals_are_always_on(said: str, change: Callable[[Tables], None]) -> None:
    """What costs nothing is asserted after every step, checked venue or not."""
    desk = sound()
    check_totals(desk.t)
    change(desk.t)
    with pytest.raises(AssertionError, match=said):
        check_totals(desk.t)


def test_the_sweep_finds_whom_the_look_outs_missed() -> None:
    """R-W1: a unit that is distressed and not listed, and one that is listed and not distressed."""
    for since, index in ((NONE, 94), (3, 95)):
        desk = sound()
        desk.step(index=95)
        check_distressed_listed(desk.t)
        desk.t.units[LONG, U_SINCE_STEP] = since
        desk.t.markets[0, M_MARK_TICKS] = index
        with pytest.raises(AssertionError, match="look-out missed unit 0"):
            check_distressed_listed(desk.t)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (add("units", FLAT, U_CREDITS_ATOMS, 3), 3),
        (add("positions", LONG, P_LOTS, -2), 2),
        (add("positions", LONG, P_COST_ATOMS, 5), 5),
    ],
)
def test_conservation_error_is_a_number(change: Callable[[Tables], None], error: int) -> None:
    """I1 to I3 as one exact integer, as `run --json` reports it."""
    desk = sound()
    change(desk.t)
    assert conservation_error(desk.t) == error
