"""Loss sharing at the end of a step: fund, winners, bad debt (R-L)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .default_fund import cover
from .events import Code, has_room
from .funds import fund_at, fund_count, fund_of
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import market_of, open_positions
from .payers import (
    SHARE_ATOMS,
    SHARE_COLUMNS,
    SHARE_KEY,
    SHARE_LIMIT,
    SHARE_MARKET,
    SHARE_UNIT,
    SHARING,
    begin_session,
    describe,
    find_payers,
    split_over_units,
)
from .tables import (
    BAD_DEBT,
    FLAG_OWING,
    NONE,
    U_FLAGS,
    V_ACCOUNTS,
    V_CARRIED_ATOMS,
    V_FUND_FLOOR_ATOMS,
    V_OWING_COUNT,
    V_SESSION,
    Table,
    Tables,
)

if TYPE_CHECKING:
    from .venue import Venue

SOCIALISED = int(Code.SOCIALISED)
BAD_DEBT_CODE = int(Code.BAD_DEBT)
Integers = NDArray[np.int64]

# progress of collecting: the winner and the deficit that are next, and what the winner has paid
X_WINNER, X_DEFICIT, X_PAID = range(3)


def share(venue: Venue) -> None:
    """Cover the deficits of flat units: by the fund, then by others if the rule says so, then as bad debt."""
    t, rule = venue.tables, venue.rules.socialisation
    if not is_settled(t):
        owed = _deficits(venue)
        if len(owed) > 0:
            if rule.session is not None and rule.session.at_end:
                t.venue[V_CARRIED_ATOMS] += sum(owed[:, SHARE_ATOMS].tolist())
            elif rule.rule != "none":
                _collect_from_payers(venue, owed)
            venue.for_each(write_off, owed)
    if rule.session is not None and (venue.step + 1) % venue.steps(rule.session.length_s) == 0:
        _end_session(venue)


def _deficits(venue: Venue) -> Integers:
    """Let the fund pay what it may (R-L1); return unit and atoms of what is still owed, in order."""
    t = venue.tables
    owing = np.zeros((int(t.venue[V_OWING_COUNT]) + 1, SHARE_COLUMNS), dtype=np.int64)
    owing = owing[: take_owing(t, owing)]
    # A cross unit has market NONE and so stands before its pockets (R-L1).
    owing = owing[np.lexsort((owing[:, SHARE_MARKET], owing[:, SHARE_KEY]))]
    cover(venue, np.ascontiguousarray(owing[:, SHARE_UNIT]))
    owed = np.zeros((len(owing) + int(fund_count(t)), 2), dtype=np.int64)
    return owed[: still_owed(t, owing, owed)]


def _end_session(venue: Venue) -> None:
    """Claw back what the venue carried for the session, and begin the next one (R-L6, R-L7)."""
    t = venue.tables
    carried = int(t.venue[V_CARRIED_ATOMS])
    t.venue[V_CARRIED_ATOMS] = 0
    bad_debt = int(t.venue[V_ACCOUNTS]) + BAD_DEBT
    assert 0 <= carried <= -balance_atoms(t, bad_debt), "what is carried was written off before"
    if carried > 0:
        _collect_from_payers(venue, np.array([[bad_debt, carried]]))
    if t.venue[V_SESSION]:
        begin_session(t)


def _collect_from_payers(venue: Venue, owed: Integers) -> None:
    """Post what payers pay, in their order, to the deficits in order; lowers what is owed (R-L2, R-L4, R-L5)."""
    t, rule = venue.tables, venue.rules.socialisation
    payers = np.empty((len(t.units), SHARE_COLUMNS), dtype=np.int64)
    payers = payers[: find_payers(t, SHARING.index(rule.rule), payers)]
    first = np.zeros(len(payers), dtype=np.int64) if rule.in_order_of_keys else -payers[:, SHARE_ATOMS]
    payers = payers[np.lexsort((payers[:, SHARE_MARKET], payers[:, SHARE_KEY], first))]
    deficits = sum(owed[:, SHARE_ATOMS].tolist())
    limits = (payers[:, SHARE_LIMIT],) if rule.rule == "open_interest" else ()
    found = rule.shares_atoms(deficits, payers[:, SHARE_ATOMS], *limits)
    shares = np.ascontiguousarray(found, dtype=np.int64)
    assert shares.shape == (len(payers),) and (shares >= 0).all() and shares.sum() <= deficits
    units = np.ascontiguousarray(payers[:, SHARE_UNIT])
    if rule.rule == "session_profit":
        rows = np.empty((len(t.units), SHARE_COLUMNS), dtype=np.int64)
        rows = rows[: split_over_units(t, units, shares, rows)]
        units, shares = np.ascontiguousarray(rows[:, SHARE_UNIT]), np.ascontiguousarray(rows[:, SHARE_ATOMS])
    progress = np.zeros(3, dtype=np.int64)
    while not collect(t, units, shares, owed, progress):
        venue.flush()


@kernel
def is_settled(t: Tables) -> bool:
    """Say whether nothing is owed: no flat unit was found below zero, and the fund is not flat below its floor."""
    if t.venue[V_OWING_COUNT] > 0:
        return False
    settled = True
    for number in range(fund_count(t)):
        settled = settled and not _is_short(t, fund_at(t, number))
    return settled


@kernel
def _is_short(t: Tables, fund: int) -> bool:
    """Say whether a fund is flat and below its floor; the row of a market without a fund of its own never is."""
    if balance_atoms(t, fund) >= t.venue[V_FUND_FLOOR_ATOMS] or open_positions(t, fund) > 0:
        return False
    market = market_of(t, fund)
    return market == NONE or fund_of(t, market) == fund


@kernel
def take_owing(t: Tables, rows: Table) -> int:
    """Empty the list of units owing; describe those still flat and below zero in `rows` (n, 5), return how many."""
    count = 0
    for i in range(t.venue[V_OWING_COUNT]):
        unit = t.owing[i]
        t.units[unit, U_FLAGS] &= ~FLAG_OWING
        if balance_atoms(t, unit) < 0 and open_positions(t, unit) == 0:
            describe(t, unit, -balance_atoms(t, unit), 0, rows, count)
            count += 1
    assert count <= t.venue[V_OWING_COUNT] < rows.shape[0]
    t.venue[V_OWING_COUNT] = 0
    return count


@kernel
def still_owed(t: Tables, owing: Table, owed: Table) -> int:
    """Write unit and deficit of those still below zero into `owed`, last the flat funds below their floor (R-L1)."""
    count = 0
    for i in range(owing.shape[0]):
        if balance_atoms(t, owing[i, SHARE_UNIT]) < 0:
            owed[count, SHARE_UNIT] = owing[i, SHARE_UNIT]
            owed[count, SHARE_ATOMS] = -balance_atoms(t, owing[i, SHARE_UNIT])
            count += 1
    for number in range(fund_count(t)):
        fund = fund_at(t, number)
        if _is_short(t, fund):
            owed[count, SHARE_UNIT] = fund
            owed[count, SHARE_ATOMS] = t.venue[V_FUND_FLOOR_ATOMS] - balance_atoms(t, fund)
            count += 1
    assert count <= owed.shape[0]
    return count


@kernel
def collect(t: Tables, winners: Table, shares: Table, owed: Table, progress: Table) -> bool:
    """Post the shares of winners to the deficits, both in order, from where `progress` stands on.

    Lowers what is owed. Returns False if the event buffer is full: empty it and call again with the same arrays.
    """
    while progress[X_WINNER] < winners.shape[0]:
        i = progress[X_WINNER]
        while progress[X_PAID] < shares[i]:
            if not has_room(t):
                return False
            debtor = progress[X_DEFICIT]
            paid = min(shares[i] - progress[X_PAID], owed[debtor, SHARE_ATOMS])
            if paid > 0:
                post(t, winners[i], owed[debtor, SHARE_UNIT], paid, SOCIALISED, 0)
            progress[X_PAID] += paid
            owed[debtor, SHARE_ATOMS] -= paid
            assert owed[debtor, SHARE_ATOMS] >= 0
            if owed[debtor, SHARE_ATOMS] == 0:
                progress[X_DEFICIT] += 1
        assert progress[X_PAID] == shares[i], "a winner pays its share and no more"
        progress[X_WINNER] += 1
        progress[X_PAID] = 0
    return True


@kernel
def write_off(t: Tables, owed: Table, start: int) -> int:
    """Post what is left as bad debt (R-L3); return the next deficit to do, below n if the event buffer is full."""
    for i in range(start, owed.shape[0]):
        if not has_room(t):
            return i
        assert owed[i, SHARE_ATOMS] >= 0
        if owed[i, SHARE_ATOMS] > 0:
            post(t, t.venue[V_ACCOUNTS] + BAD_DEBT, owed[i, SHARE_UNIT], owed[i, SHARE_ATOMS], BAD_DEBT_CODE, 0)
    return owed.shape[0]
