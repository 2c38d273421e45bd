"""R-M1, R-M2: one function moves money, from one unit to another, and nothing is made or lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delever.engine.events import E_ACCOUNT, E_AMOUNT_ATOMS, E_CODE, E_KIND, E_OTHER, Code, Event
from delever.engine.ledger import balance_atoms, post
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market, allocate
from delever.engine.tables import (
    BAD_DEBT,
    FEES,
    FLAG_TOUCHED,
    FUND,
    OUTSIDE,
    SETTLEMENT,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    U_FLAGS,
    V_EVENT_COUNT,
    V_TOUCHED_COUNT,
    VENUE_UNITS,
    Tables,
)
from delever.engine.venue import Venue

TRADERS, MARKETS = 3, 2
UNITS = TRADERS + VENUE_UNITS + TRADERS * MARKETS
MARKET_ROWS = [Market("M0", 1, 1_000), Market("M1", 1, 1_000)]


def tables(journal: bool = False) -> Tables:
    """Return tables of three traders in two markets, with pockets."""
    return allocate(RuleSet(), MARKET_ROWS, np.arange(TRADERS), [100, 100], 10, journal)


def test_the_payer_pays_and_the_receiver_receives() -> None:
    """R-M2: balance = credits - debits, both of which only grow."""
    t = tables()
    post(t, 0, 1, 70, int(Code.REALISED), 0)
    post(t, 1, 0, 30, int(Code.REALISED), 0)
    assert [balance_atoms(t, unit) for unit in (0, 1)] == [-40, 40]
    assert t.units[0, [U_DEBITS_ATOMS, U_CREDITS_ATOMS]].tolist() == [70, 30]


@pytest.mark.parametrize(("debit", "credit", "amount"), [(0, 1, 0), (0, 1, -5), (1, 1, 5)])
def test_a_posting_has_two_sides_and_a_positive_amount(debit: int, credit: int, amount: int) -> None:
    """R-M2: what is no posting stops the run."""
    with pytest.raises(AssertionError):
        post(tables(), debit, credit, amount, int(Code.REALISED), 0)


@given(st.lists(st.tuples(st.integers(0, UNITS - 1), st.integers(0, UNITS - 1), st.integers(1, 2**53)), max_size=30))
def test_balances_always_sum_to_zero(postings: list[tuple[int, int, int]]) -> None:
    """Law I1, R-M2: whatever is posted; and each touched trader's unit is noted once (R-A8)."""
    t = tables()
    expected = dict.fromkeys(range(UNITS), 0)
    for debit, credit, amount in postings:
        if debit != credit:
            post(t, debit, credit, amount, int(Code.REALISED), 0)
            expected[debit] -= amount
            expected[credit] += amount
    assert [balance_atoms(t, unit) for unit in range(UNITS)] == list(expected.values())
    moved = {unit for debit, credit, _ in postings if debit != credit for unit in (debit, credit)}
    traders = {unit for unit in moved if not TRADERS <= unit < TRADERS + VENUE_UNITS}
    touched = t.touched[: t.venue[V_TOUCHED_COUNT]].tolist()
    assert sorted(touched) == sorted(traders)
    assert set(np.flatnonzero(t.units[:, U_FLAGS] & FLAG_TOUCHED).tolist()) == traders


@pytest.mark.parametrize(
    ("debit", "credit", "code", "journal", "recorded"),
    [
        (0, TRADERS + FEES, Code.FEE, False, False),
        (0, TRADERS + FEES, Code.FEE, True, True),
        (0, TRADERS + FUND, Code.LIQUIDATION_FEE, False, True),
        (TRADERS + FUND, 0, Code.DEFICIT, False, True),
        (TRADERS + BAD_DEBT, 0, Code.BAD_DEBT, False, True),
        (1, 0, Code.SOCIALISED, False, True),
        (TRADERS + SETTLEMENT, 0, Code.REALISED, False, False),
    ],
)
def test_what_is_recorded(debit: int, credit: int, code: Code, journal: bool, recorded: bool) -> None:
    """Law I8: with the journal every posting is an event, without it those of fund, bad debt and winners."""
    t = tables(journal)
    post(t, debit, credit, 9, int(code), 0)
    assert t.venue[V_EVENT_COUNT] == int(recorded)
    if recorded:
        columns = [E_KIND, E_ACCOUNT, E_OTHER, E_AMOUNT_ATOMS, E_CODE]
        assert t.events[0, columns].tolist() == [Event.POST, debit, credit, 9, code]


@pytest.mark.parametrize("quote", [0, 7])
def test_the_first_posting_is_the_fund(quote: int) -> None:
    """R-M1: OUTSIDE pays the fund's initial balance; an amount of 0 is not posted (R-M2)."""
    rules = RuleSet(insurance=Insurance(initial_quote=quote))
    venue = Venue(rules, MARKET_ROWS, np.arange(TRADERS), first_index_ticks=[100, 100], orders_max=10)
    posted = [row for row in venue.drain_events().tolist() if row[E_KIND] == Event.POST]
    assert [(row[E_ACCOUNT], row[E_OTHER], row[E_AMOUNT_ATOMS], row[E_CODE]) for row in posted] == (
        [(TRADERS + OUTSIDE, TRADERS + FUND, quote * 10**6, Code.DEPOSIT)] if quote else []
    )
    assert balance_atoms(venue.tables, venue.fund_unit) == quote * 10**6
