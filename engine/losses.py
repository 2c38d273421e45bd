"""Loss sharing at the end of a step: fund, winners, bad debt (R-L)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .events import Code
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import equity_atoms, market_of, open_positions, owner_of, unrealised_atoms
from .tables import (
    A_KEY,
    BAD_DEBT,
    FLAG_OWING,
    NONE,
    P_ISOLATED,
    U_FLAGS,
    V_ACCOUNTS,
    V_MARKETS,
    V_OWING_COUNT,
    V_POCKETS_AT,
    Table,
    Tables,
)
from .transfer import cover_deficit

if TYPE_CHECKING:
    from .venue import Venue

SOCIALISED = int(Code.SOCIALISED)
BAD_DEBT_CODE = int(Code.BAD_DEBT)


def share(venue: Venue) -> None:
    """Cover the deficits of flat units: by the fund, then by winners if the rule says so, then as bad debt."""
    t = venue.tables
    deficits = _flat_and_negative(venue)
    for unit in deficits:
        venue.make_room()
        cover_deficit(t, unit, 0)
    owed = [(unit, -int(balance_atoms(t, unit))) for unit in deficits if balance_atoms(t, unit) < 0]
    fund, floor = venue.fund_unit, venue.rules.insurance.floor_atoms
    if balance_atoms(t, fund) < floor and open_positions(t, fund) == 0:
        owed.append((fund, floor - int(balance_atoms(t, fund))))
    if not owed:
        return
    if venue.rules.socialisation.rule != "none":
        owed = _collect_from_winners(venue, owed)
    for unit, amount in owed:
        if amount > 0:
            venue.make_room()
            post(t, int(t.venue[V_ACCOUNTS]) + BAD_DEBT, unit, amount, BAD_DEBT_CODE, 0)


def _flat_and_negative(venue: Venue) -> list[int]:
    """Empty the list of units owing; return those still flat and below zero, by key and market (R-L1)."""
    t = venue.tables
    owing = t.owing[: t.venue[V_OWING_COUNT]].copy()
    t.venue[V_OWING_COUNT] = 0
    t.units[owing, U_FLAGS] &= ~FLAG_OWING
    flat = [unit for unit in owing.tolist() if balance_atoms(t, unit) < 0 and open_positions(t, unit) == 0]
    return sorted(flat, key=lambda unit: _place(venue, unit))


def _place(venue: Venue, unit: int) -> tuple[int, int]:
    """Return key and market of a unit; a cross unit has market NONE and so stands before its pockets."""
    t = venue.tables
    return int(t.accounts[owner_of(t, unit), A_KEY]), int(market_of(t, unit))


def _collect_from_winners(venue: Venue, owed: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Post what winners pay, largest first, to the deficits in order; return what is still owed (R-L2)."""
    t = venue.tables
    winners = _winners(venue)
    shares = venue.rules.socialisation.shares_atoms(sum(amount for _, amount in owed), [w for _, w in winners])
    left = [amount for _, amount in owed]
    i = 0
    for (winner, _), amount in zip(winners, shares, strict=True):
        while amount > 0:
            venue.make_room()
            paid = min(amount, left[i])
            post(t, winner, owed[i][0], paid, SOCIALISED, 0)
            amount -= paid
            assert paid > 0
            left[i] -= paid
            i += left[i] == 0
    assert min(left) >= 0
    return [(unit, amount) for (unit, _), amount in zip(owed, left, strict=True)]


def _winners(venue: Venue) -> list[tuple[int, int]]:
    """Return (unit, haircutable profit) of all winning units, largest profit first, then key and market."""
    t = venue.tables
    profits = np.zeros(len(t.units), dtype=np.int64)
    haircutable_profits(t, profits)
    found = [(int(unit), int(profits[unit])) for unit in np.flatnonzero(profits)]
    return sorted(found, key=lambda winner: (-winner[1], *_place(venue, winner[0])))


@kernel
def haircutable_profits(t: Tables, profits: Table) -> None:
    """Write max(0, min(unrealised profit, equity)) of every trader unit with lots into `profits` (units,)."""
    venue = t.venue
    markets = venue[V_MARKETS]
    for account in range(venue[V_ACCOUNTS]):
        cross = 0
        for market in range(markets):
            gain = unrealised_atoms(t, account, market)
            pocket = account if venue[V_POCKETS_AT] == NONE else venue[V_POCKETS_AT] + account * markets + market
            if pocket != account and t.positions[account * markets + market, P_ISOLATED]:
                profits[pocket] = max(0, min(gain, equity_atoms(t, pocket)))
            else:
                cross += gain
        if cross > 0:
            profits[account] = max(0, min(cross, equity_atoms(t, account)))
