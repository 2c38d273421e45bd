"""Pockets that the venue itself fills and empties: the search of the general account (R-A41 to R-A43).

Under the search every position has a pocket, its margin account, and the cross unit, which then never holds lots, is
the general account behind all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .events import Code, has_room
from .kernel import kernel
from .ledger import balance_atoms, note_looked, post
from .levels import start_atoms
from .margin import health_atoms, owner_of
from .rules.pockets import SearchPockets, StrictPockets
from .tables import (
    FLAG_TOUCHED,
    P_LOTS,
    POCKETS_FREE,
    POCKETS_SEARCH,
    POCKETS_STRICT,
    U_FLAGS,
    V_ACCOUNTS,
    V_AT_OR_BELOW,
    V_LISTED_COUNT,
    V_MARKETS,
    V_POCKETS,
    V_POCKETS_AT,
    V_SEARCH_INITIAL_PPM,
    V_SEARCH_PPM,
    V_SEARCH_RELEASE_PPM,
    V_TOUCHED_COUNT,
    Table,
    Tables,
)
from .units import ppm_down

if TYPE_CHECKING:
    from .rules.margin import Margin

MARGIN_IN = int(Code.MARGIN_IN)
MARGIN_OUT = int(Code.MARGIN_OUT)


def fill_pockets(venue: Table, rule: Margin) -> None:
    """Copy what kernels need of the rule for pockets into the row `venue`."""
    venue[V_POCKETS] = POCKETS_FREE
    if isinstance(rule.pockets, StrictPockets):
        venue[V_POCKETS] = POCKETS_STRICT
    elif isinstance(rule.pockets, SearchPockets):
        venue[V_POCKETS] = POCKETS_SEARCH
        venue[V_SEARCH_PPM] = rule.pockets.search_ppm
        venue[V_SEARCH_INITIAL_PPM] = rule.pockets.initial_ppm
        venue[V_SEARCH_RELEASE_PPM] = rule.pockets.release_ppm


@kernel
def general_atoms(t: Tables, unit: int) -> int:
    """Return what a search could bring into a pocket: its account's general balance; 0 without the search (R-A41)."""
    if t.venue[V_POCKETS] != POCKETS_SEARCH:
        return 0
    account = owner_of(t, unit)
    return max(0, balance_atoms(t, account)) if unit != account < t.venue[V_ACCOUNTS] else 0


@kernel
def search_level_atoms(t: Tables, maintenance: int) -> int:
    """Return the equity below which a pocket's general account is searched (R-A41)."""
    return ppm_down(maintenance, t.venue[V_SEARCH_PPM])


@kernel
def filled_level_atoms(t: Tables, maintenance: int) -> int:
    """Return the equity that search and release aim at: the initial level, but never one in distress (R-A41)."""
    return max(
        ppm_down(maintenance, t.venue[V_SEARCH_INITIAL_PPM]), start_atoms(t, maintenance) + t.venue[V_AT_OR_BELOW]
    )


@kernel
def search_all(t: Tables) -> bool:
    """Release and search for every account that a look would look at (R-A42); return False if the events are full.

    Modifies balances, and the list of touched units: whoever paid or got money is on it afterwards. What was done once
    is not done again, so that the caller drains the events and begins anew.
    """
    i = 0
    while i < t.venue[V_TOUCHED_COUNT]:  # the list grows while it is read
        if not _settle_account(t, owner_of(t, t.touched[i])):
            return False
        i += 1
    i = 0
    while i < t.venue[V_LISTED_COUNT]:
        if not _settle_account(t, owner_of(t, t.listed[i])):
            return False
        i += 1
    assert i == t.venue[V_LISTED_COUNT], "settling lists nobody: that is for the look behind it"
    return True


@kernel
def _settle_account(t: Tables, account: int) -> bool:
    """Bring the pockets of an account to their levels: all releases, then all searches, market ascending (R-A42)."""
    venue = t.venue
    if account >= venue[V_ACCOUNTS]:
        return True  # funds of single markets are pockets too, and nobody's general account stands behind them
    first = venue[V_POCKETS_AT] + account * venue[V_MARKETS]
    rich = balance_atoms(t, account) > 0
    active = t.units[account, U_FLAGS] & FLAG_TOUCHED != 0
    for market in range(venue[V_MARKETS]):
        active = active or t.units[first + market, U_FLAGS] & FLAG_TOUCHED != 0 or _is_short(t, account, market, rich)
    if not active:
        return True
    for market in range(venue[V_MARKETS]):
        if not has_room(t):
            return False
        _release(t, account, market)
    for market in range(venue[V_MARKETS]):
        if not has_room(t):
            return False
        _search(t, account, market)
    return True


@kernel
def _is_short(t: Tables, account: int, market: int, rich: bool) -> bool:
    """Say whether a pocket with lots is in distress or, with a general account that is `rich`, below its search level.

    A pocket between the two that nothing can be done for is not looked at (distress.py), and so must not count.
    """
    row = account * t.venue[V_MARKETS] + market
    if t.positions[row, P_LOTS] == 0:
        return False
    equity, maintenance = health_atoms(t, t.venue[V_POCKETS_AT] + row)
    distress = start_atoms(t, maintenance) + t.venue[V_AT_OR_BELOW]
    return equity < (max(search_level_atoms(t, maintenance), distress) if rich else distress)


@kernel
def _release(t: Tables, account: int, market: int) -> None:
    """Give what a pocket has above its release level, down to the initial level, to the general account (R-A42).

    Profit not yet realised counts: the pocket's balance may go below zero while that profit stands behind it. The
    pocket is looked at afterwards in any case: how it is looked out for depends on the general account.
    """
    row = account * t.venue[V_MARKETS] + market
    if t.positions[row, P_LOTS] == 0:
        return
    pocket = t.venue[V_POCKETS_AT] + row
    note_looked(t, pocket)
    equity, maintenance = health_atoms(t, pocket)
    spare = equity - filled_level_atoms(t, maintenance)
    if equity > ppm_down(maintenance, t.venue[V_SEARCH_RELEASE_PPM]) and spare > 0:
        post(t, pocket, account, spare, MARGIN_OUT, 0)


@kernel
def _search(t: Tables, account: int, market: int) -> None:
    """Fill a pocket below its search level up to the initial level, with what the general account has (R-A42)."""
    if not _is_short(t, account, market, True):
        return
    pocket = t.venue[V_POCKETS_AT] + account * t.venue[V_MARKETS] + market
    equity, maintenance = health_atoms(t, pocket)
    amount = min(filled_level_atoms(t, maintenance) - equity, general_atoms(t, pocket))
    assert amount >= 0, "a pocket below its search level is below its initial level"
    if amount > 0:
        post(t, account, pocket, amount, MARGIN_IN, 0)


@kernel
def pay_from_general(t: Tables, unit: int, cause: int) -> None:
    """Let the general account pay the deficit of a flat pocket before anybody else does (R-A43)."""
    deficit = -balance_atoms(t, unit)
    amount = min(deficit, general_atoms(t, unit))
    if amount > 0:
        assert unit >= t.venue[V_POCKETS_AT]
        post(t, owner_of(t, unit), unit, amount, MARGIN_IN, cause)
