"""Money: `post` is the only code that moves it."""

from __future__ import annotations

from .events import Code, Event, record
from .kernel import kernel
from .tables import (
    BAD_DEBT,
    FLAG_LOOKED,
    FLAG_TOUCHED,
    FUND,
    NONE,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    U_FLAGS,
    V_ACCOUNTS,
    V_JOURNAL,
    V_TOUCHED_COUNT,
    V_TRADER_UNITS_END,
    VENUE_UNITS,
    Tables,
)

POST = int(Event.POST)
SOCIALISED = int(Code.SOCIALISED)


@kernel
def balance_atoms(t: Tables, unit: int) -> int:
    """Return the balance of a unit: credits less debits."""
    return t.units[unit, U_CREDITS_ATOMS] - t.units[unit, U_DEBITS_ATOMS]


@kernel
def touch(t: Tables, unit: int) -> None:
    """Note that a unit traded or moved money, so that its health is looked at (R-A8, R-W2)."""
    units = t.units
    traders = t.venue[V_ACCOUNTS]
    if traders <= unit < traders + VENUE_UNITS or unit >= t.venue[V_TRADER_UNITS_END]:
        return  # the fund and the venue's own pots are never liquidated by rank and file rules
    flags = units[unit, U_FLAGS]
    if flags & (FLAG_TOUCHED | FLAG_LOOKED) == 0:
        t.touched[t.venue[V_TOUCHED_COUNT]] = unit
        t.venue[V_TOUCHED_COUNT] += 1
    units[unit, U_FLAGS] = flags | FLAG_TOUCHED


@kernel
def note_looked(t: Tables, unit: int) -> None:
    """Note that a trader's unit must be looked at, though nothing was moved (R-W2)."""
    flags = t.units[unit, U_FLAGS]
    if flags & (FLAG_TOUCHED | FLAG_LOOKED) == 0:
        t.touched[t.venue[V_TOUCHED_COUNT]] = unit
        t.venue[V_TOUCHED_COUNT] += 1
    t.units[unit, U_FLAGS] = flags | FLAG_LOOKED


@kernel
def post(t: Tables, debit: int, credit: int, amount_atoms: int, code: int, cause: int) -> None:
    """Move money from the unit `debit` to the unit `credit` (R-M2).

    Modifies both units' cumulative columns, notes both as touched, and records the posting if the journal is on or
    the insurance fund, bad debt or socialised loss is concerned.
    """
    assert amount_atoms > 0, "a posting moves a positive amount"
    assert debit != credit, "a posting has two sides"
    units, venue = t.units, t.venue
    units[debit, U_DEBITS_ATOMS] += amount_atoms
    units[credit, U_CREDITS_ATOMS] += amount_atoms
    fund = venue[V_ACCOUNTS] + FUND
    bad_debt = venue[V_ACCOUNTS] + BAD_DEBT
    touch(t, debit)
    touch(t, credit)
    own_fund = max(debit, credit) >= venue[V_TRADER_UNITS_END]
    if venue[V_JOURNAL] or debit == fund or credit == fund or own_fund or debit == bad_debt or code == SOCIALISED:
        record(t, POST, NONE, debit, credit, 0, 0, amount_atoms, cause, code)
