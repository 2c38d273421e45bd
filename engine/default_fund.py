"""The default fund of a clearing house: contributions of members, and who pays a deficit in which order (R-W59, R-W60).

Every account has a row of `units` behind the funds for its contribution; only members put anything in. What a member
has put in, assessments too, is what the row was ever credited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .events import Code, has_room
from .funds import fund_for, fund_room_atoms
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import free_collateral_atoms, open_positions, owner_of
from .tables import (
    A_KEY,
    NONE,
    U_CREDITS_ATOMS,
    U_LIQUIDATION,
    V_ACCOUNTS,
    V_FUND_CAP_ATOMS,
    V_MEMBERS_AT,
    Table,
    Tables,
)
from .transfer import cover_deficits, own_deficit_atoms
from .units import muldiv_down

if TYPE_CHECKING:
    from .venue import Venue

DEFAULT_FUND = int(Code.DEFAULT_FUND)
ASSESSMENT = int(Code.ASSESSMENT)

# progress of the members' layers: unit and member that are next, what the layer pays, what all members have for it,
# what those before have, and which layer it is
Y_UNIT, Y_MEMBER, Y_PAYS, Y_WHOLE, Y_BEFORE, Y_LAYER = range(6)
CONTRIBUTIONS, ASSESSMENTS, LAYERS_DONE = range(3)


def cover(venue: Venue, units: Table) -> None:
    """Pay the deficits of flat units: own contribution, the fund, members' contributions, assessments, in this order.

    units: (n,) int64. Without a default fund it is the fund alone (R-W8).
    """
    rule = venue.rules.insurance.default_fund
    if rule is None:
        venue.for_each(cover_deficits, units)
        return
    venue.for_each(pay_own_contribution, units)
    venue.for_each(cover_deficits, units)
    members, numbers = members_by_key(venue), np.array([rule.contribution_atoms, rule.assessment_atoms])
    progress = np.zeros(Y_LAYER + 1, dtype=np.int64)
    progress[Y_WHOLE] = NONE
    while not pay_by_members(venue.tables, units, members, numbers, progress):
        venue.flush()


def members_by_key(venue: Venue) -> Table:
    """Return the members' accounts, (k,) int64: the venue's backstop accounts in order of their keys."""
    members = np.array(venue.backstops, dtype=np.int64)
    return members[np.argsort(venue.tables.accounts[members, A_KEY], kind="stable")]


def collect_contributions(venue: Venue) -> None:
    """Take what members still have to contribute out of their free money (R-W59)."""
    rule = venue.rules.insurance.default_fund
    assert rule is not None
    for member in members_by_key(venue).tolist():
        venue.make_room()
        contribute_member(venue.tables, member, rule.contribution_atoms)


@kernel
def contribution_row(t: Tables, account: int) -> int:
    """Return the unit of an account's contribution."""
    assert t.venue[V_MEMBERS_AT] != NONE and 0 <= account < t.venue[V_ACCOUNTS]
    return t.venue[V_MEMBERS_AT] + account


@kernel
def contribute_member(t: Tables, member: int, contribution: int) -> None:
    """Move what is missing of a member's contribution to its row, as far as its free cross money goes."""
    row = contribution_row(t, member)
    missing = contribution - t.units[row, U_CREDITS_ATOMS]
    if missing > 0:
        amount = min(missing, _free_atoms(t, member))
        if amount > 0:
            post(t, member, row, amount, DEFAULT_FUND, 0)


@kernel
def _free_atoms(t: Tables, account: int) -> int:
    """Return what an account can give: its cross balance, as far as no margin needs it."""
    return max(0, min(balance_atoms(t, account), free_collateral_atoms(t, account, NONE, 0, 0, 0)))


@kernel
def default_room_atoms(t: Tables) -> int:
    """Return the contributions there are, of all accounts; 0 without a default fund."""
    total = 0
    if t.venue[V_MEMBERS_AT] != NONE:
        for account in range(t.venue[V_ACCOUNTS]):
            total += balance_atoms(t, contribution_row(t, account))
    return total


@kernel
def pay_own_contribution(t: Tables, units: Table, start: int) -> int:
    """Let the contributions of those in deficit pay first (R-W60); return the next unit, below n if events are full."""
    for i in range(start, units.shape[0]):
        if not has_room(t):
            return i
        unit = units[i]
        row = contribution_row(t, owner_of(t, unit))
        amount = min(own_deficit_atoms(t, unit), balance_atoms(t, row))
        if amount > 0:
            post(t, row, unit, amount, DEFAULT_FUND, t.units[unit, U_LIQUIDATION])
        assert balance_atoms(t, row) >= 0
    return units.shape[0]


@kernel
def pay_by_members(t: Tables, units: Table, members: Table, numbers: Table, progress: Table) -> bool:
    """Let members pay what the fund did not, pro rata: contributions first, then assessments (R-W60).

    members: (k,) accounts by key; numbers: contribution and largest assessment of a member, atoms. Returns False if
    the event buffer is full: empty it and call again with the same arrays.
    """
    while progress[Y_UNIT] < units.shape[0]:
        unit = units[progress[Y_UNIT]]
        owes = balance_atoms(t, unit) < 0 and open_positions(t, unit) == 0
        if progress[Y_WHOLE] == NONE and (not owes or progress[Y_LAYER] == LAYERS_DONE):
            progress[Y_UNIT] += 1
            progress[Y_LAYER] = CONTRIBUTIONS
            continue
        if progress[Y_WHOLE] == NONE:
            _begin_layer(t, unit, members, numbers, progress)
        while progress[Y_MEMBER] < members.shape[0]:
            if not has_room(t):
                return False
            _pay_share(t, unit, members[progress[Y_MEMBER]], numbers, progress)
            progress[Y_MEMBER] += 1
        assert progress[Y_BEFORE] == progress[Y_WHOLE], "every member was asked for its share"
        progress[Y_WHOLE] = NONE
        progress[Y_MEMBER] = 0
        progress[Y_LAYER] += 1
    return True


@kernel
def _begin_layer(t: Tables, unit: int, members: Table, numbers: Table, progress: Table) -> None:
    """Work out what a layer has and what it pays; the layers before it must be used up."""
    fund = fund_for(t, unit)
    assert fund_room_atoms(t, fund) == 0 or t.venue[V_FUND_CAP_ATOMS] > 0, "venue capital pays before members"
    whole = 0
    for i in range(members.shape[0]):
        whole += _able_atoms(t, members[i], numbers, progress[Y_LAYER])
    progress[Y_WHOLE] = whole
    progress[Y_BEFORE] = 0
    progress[Y_PAYS] = min(whole, -balance_atoms(t, unit))


@kernel
def _able_atoms(t: Tables, member: int, numbers: Table, layer: int) -> int:
    """Return what a member has for a layer: its contribution, or what it can be assessed for and has free."""
    row = contribution_row(t, member)
    if layer == CONTRIBUTIONS:
        return balance_atoms(t, row)
    assessed = t.units[row, U_CREDITS_ATOMS] - numbers[0]
    if assessed < 0:
        return 0  # a member that could not even contribute
    return max(0, min(numbers[1] - assessed, _free_atoms(t, member)))


@kernel
def _pay_share(t: Tables, unit: int, member: int, numbers: Table, progress: Table) -> None:
    """Post a member's share: the difference of two rounded-down running totals, so that all shares add up."""
    able, whole, before = _able_atoms(t, member, numbers, progress[Y_LAYER]), progress[Y_WHOLE], progress[Y_BEFORE]
    if able == 0:
        return
    pays, cause = progress[Y_PAYS], t.units[unit, U_LIQUIDATION]
    share = muldiv_down(pays, before + able, whole) - muldiv_down(pays, before, whole)
    progress[Y_BEFORE] = before + able
    assert 0 <= share <= able
    if share > 0:
        row = contribution_row(t, member)
        if progress[Y_LAYER] == ASSESSMENTS:
            assert balance_atoms(t, row) == 0, "contributions are used up before anybody is assessed"
            post(t, member, row, share, ASSESSMENT, cause)
        post(t, row, unit, share, DEFAULT_FUND, cause)
