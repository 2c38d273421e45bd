"""Loss sharing at the end of a step: fund, winners, bad debt (R-L)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .events import Code, has_room
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import equity_atoms, market_of, open_positions, owner_of, unrealised_atoms
from .tables import (
    A_KEY,
    BAD_DEBT,
    FLAG_OWING,
    FUND,
    P_ISOLATED,
    P_LOTS,
    U_FLAGS,
    V_ACCOUNTS,
    V_FUND_FLOOR_ATOMS,
    V_MARKETS,
    V_OWING_COUNT,
    V_POCKETS_AT,
    Table,
    Tables,
)
from .transfer import cover_deficits

if TYPE_CHECKING:
    from .venue import Venue

SOCIALISED = int(Code.SOCIALISED)
BAD_DEBT_CODE = int(Code.BAD_DEBT)
Integers = NDArray[np.int64]

# a unit that owes or wins: how much, and its place among equals
SHARE_UNIT, SHARE_ATOMS, SHARE_KEY, SHARE_MARKET = range(4)
SHARE_COLUMNS = 4

# progress of collecting: the winner and the deficit that are next, and what the winner has paid
X_WINNER, X_DEFICIT, X_PAID = range(3)


def share(venue: Venue) -> None:
    """Cover the deficits of flat units: by the fund, then by winners if the rule says so, then as bad debt."""
    t = venue.tables
    if is_settled(t):
        return
    owing = np.zeros((int(t.venue[V_OWING_COUNT]) + 1, SHARE_COLUMNS), dtype=np.int64)
    owing = owing[: take_owing(t, owing)]
    # A cross unit has market NONE and so stands before its pockets (R-L1).
    owing = owing[np.lexsort((owing[:, SHARE_MARKET], owing[:, SHARE_KEY]))]
    venue.for_each(cover_deficits, np.ascontiguousarray(owing[:, SHARE_UNIT]))
    owed = np.zeros((len(owing) + 1, 2), dtype=np.int64)
    owed = owed[: still_owed(t, owing, owed)]
    if len(owed) == 0:
        return
    if venue.rules.socialisation.rule != "none":
        _collect_from_winners(venue, owed)
    venue.for_each(write_off, owed)


def _collect_from_winners(venue: Venue, owed: Integers) -> None:
    """Post what winners pay, largest first, to the deficits in order; lowers what is owed (R-L2)."""
    t = venue.tables
    winners = np.empty((len(t.units), SHARE_COLUMNS), dtype=np.int64)
    winners = winners[: find_winners(t, winners)]
    winners = winners[np.lexsort((winners[:, SHARE_MARKET], winners[:, SHARE_KEY], -winners[:, SHARE_ATOMS]))]
    deficits = sum(owed[:, SHARE_ATOMS].tolist())
    found = venue.rules.socialisation.shares_atoms(deficits, winners[:, SHARE_ATOMS])
    shares = np.ascontiguousarray(found, dtype=np.int64)
    assert shares.shape == (len(winners),) and (shares >= 0).all() and shares.sum() <= deficits
    progress = np.zeros(3, dtype=np.int64)
    while not collect(t, np.ascontiguousarray(winners[:, SHARE_UNIT]), shares, owed, progress):
        venue.flush()


@kernel
def is_settled(t: Tables) -> bool:
    """Say whether nothing is owed: no flat unit was found below zero, and the fund is not flat below its floor."""
    fund = t.venue[V_ACCOUNTS] + FUND
    if t.venue[V_OWING_COUNT] > 0:
        return False
    return balance_atoms(t, fund) >= t.venue[V_FUND_FLOOR_ATOMS] or open_positions(t, fund) > 0


@kernel
def take_owing(t: Tables, rows: Table) -> int:
    """Empty the list of units owing; describe those still flat and below zero in `rows` (n, 4), return how many."""
    count = 0
    for i in range(t.venue[V_OWING_COUNT]):
        unit = t.owing[i]
        t.units[unit, U_FLAGS] &= ~FLAG_OWING
        if balance_atoms(t, unit) < 0 and open_positions(t, unit) == 0:
            _describe(t, unit, -balance_atoms(t, unit), rows, count)
            count += 1
    assert count <= t.venue[V_OWING_COUNT] < rows.shape[0]
    t.venue[V_OWING_COUNT] = 0
    return count


@kernel
def _describe(t: Tables, unit: int, amount: int, rows: Table, row: int) -> None:
    """Write down a unit and its amount."""
    rows[row, SHARE_UNIT] = unit
    rows[row, SHARE_ATOMS] = amount
    rows[row, SHARE_KEY] = t.accounts[owner_of(t, unit), A_KEY]
    rows[row, SHARE_MARKET] = market_of(t, unit)


@kernel
def still_owed(t: Tables, owing: Table, owed: Table) -> int:
    """Write unit and deficit of those still below zero into `owed`, last the fund, flat and below its floor (R-L1)."""
    count = 0
    for i in range(owing.shape[0]):
        if balance_atoms(t, owing[i, SHARE_UNIT]) < 0:
            owed[count, SHARE_UNIT] = owing[i, SHARE_UNIT]
            owed[count, SHARE_ATOMS] = -balance_atoms(t, owing[i, SHARE_UNIT])
            count += 1
    fund, floor = t.venue[V_ACCOUNTS] + FUND, t.venue[V_FUND_FLOOR_ATOMS]
    if balance_atoms(t, fund) < floor and open_positions(t, fund) == 0:
        owed[count, SHARE_UNIT] = fund
        owed[count, SHARE_ATOMS] = floor - balance_atoms(t, fund)
        count += 1
    assert count <= owing.shape[0] + 1
    return count


@kernel
def find_winners(t: Tables, rows: Table) -> int:
    """Describe every trader unit with max(0, min(unrealised profit, equity)) above zero; return how many (R-L2)."""
    venue = t.venue
    markets = venue[V_MARKETS]
    count = 0
    for account in range(venue[V_ACCOUNTS]):
        cross = 0
        for market in range(markets):
            if t.positions[account * markets + market, P_LOTS] == 0:
                continue
            gain = unrealised_atoms(t, account, market)
            if not t.positions[account * markets + market, P_ISOLATED]:
                cross += gain
            elif gain > 0:
                pocket = venue[V_POCKETS_AT] + account * markets + market
                count += _describe_winner(t, pocket, gain, rows, count)
        if cross > 0:
            count += _describe_winner(t, account, cross, rows, count)
    assert count <= rows.shape[0]
    return count


@kernel
def _describe_winner(t: Tables, unit: int, gain: int, rows: Table, row: int) -> int:
    """Write down a unit that can pay out of its unrealised profit; return the number of rows written."""
    atoms = min(gain, equity_atoms(t, unit))
    if atoms <= 0:
        return 0
    assert atoms <= gain
    _describe(t, unit, atoms, rows, row)
    return 1


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
