"""Third-party liquidators take over what the step names, at a bonus, instead of the book (R-W30, R-W31)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .contract import value_atoms
from .events import Code, Event, has_room
from .funds import fund_of
from .kernel import kernel
from .ledger import post
from .margin import equity_atoms
from .positions import release_flat_pocket
from .rounds import DONE, FULL, K_ACCOUNT, K_LOTS, K_MARKET, K_UNIT
from .steps import Q_BONUS_PPM, Q_FUND_PPM, Q_LOTS
from .tables import (
    M_INDEX_TICKS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    P_LOTS,
    U_LIQUIDATION,
    V_MARKETS,
    Table,
    Tables,
)
from .takeover import backstop_accepts
from .transfer import transfer
from .units import ppm_down

if TYPE_CHECKING:
    from .venue import Venue

TAKEOVER = int(Event.TAKEOVER)
BONUS = int(Code.BONUS)
LIQUIDATION_FEE = int(Code.LIQUIDATION_FEE)

# progress: the row and the keeper that are next, and the lots of the row already taken
Y_ROW, Y_KEEPER, Y_TAKEN = range(3)


def stage(venue: Venue, rows: Table, plan: Table) -> None:
    """Let keepers take the planned lots of each position, in order; rows, plan: see rounds.py and steps.py."""
    rule = venue.rules.liquidation.keepers
    assert rule is not None
    accounts = np.array(venue.backstops, dtype=np.int64)
    progress = np.zeros(3, dtype=np.int64)
    while take(venue.tables, rows, plan, accounts, int(rule.around == "index"), progress) != DONE:
        venue.flush()


@kernel
def take(t: Tables, rows: Table, plan: Table, accounts: Table, by_index: int, progress: Table) -> int:
    """Hand lots to keepers from where `progress` stands on; return DONE, or FULL if the event buffer is full."""
    while progress[Y_ROW] < rows.shape[0]:
        i = progress[Y_ROW]
        account, market = rows[i, K_ACCOUNT], rows[i, K_MARKET]
        price = t.markets[market, M_INDEX_TICKS] if by_index else t.markets[market, M_MARK_TICKS]
        price = max(1, min(t.markets[market, M_PRICE_MAX_TICKS] - 1, price))
        while progress[Y_KEEPER] < accounts.shape[0] and progress[Y_TAKEN] < plan[i, Q_LOTS]:
            if not has_room(t):
                return FULL
            # An earlier transfer of this round may have changed the position: the unit may be a keeper itself.
            held = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
            left = min(plan[i, Q_LOTS] - progress[Y_TAKEN], abs(held)) if held * rows[i, K_LOTS] > 0 else 0
            keeper = accounts[progress[Y_KEEPER]]
            lots = _lots_accepted(t, keeper, account, market, left, 1 if held > 0 else -1, price)
            if lots > 0:
                signed = lots if held > 0 else -lots
                transfer(t, TAKEOVER, account, keeper, market, signed, price, t.units[rows[i, K_UNIT], U_LIQUIDATION])
                _pay(t, rows[i, K_UNIT], market, keeper, value_atoms(t, market, lots, price), plan, i)
                progress[Y_TAKEN] += lots
            progress[Y_KEEPER] += 1
        release_flat_pocket(t, account, market, t.units[rows[i, K_UNIT], U_LIQUIDATION])
        progress[Y_ROW] += 1
        progress[Y_KEEPER] = 0
        progress[Y_TAKEN] = 0
    return DONE


@kernel
def _lots_accepted(t: Tables, keeper: int, account: int, market: int, lots: int, side: int, price: int) -> int:
    """Return how many of `lots` a keeper takes: all, or what bisection finds below that (R-W30)."""
    if lots == 0 or backstop_accepts(t, keeper, account, market, side * lots, price):
        return lots
    low, high = 0, lots - 1
    while low < high:
        middle = (low + high + 1) // 2
        if backstop_accepts(t, keeper, account, market, side * middle, price):
            low = middle
        else:
            high = middle - 1
    assert 0 <= low < lots
    return low


@kernel
def _pay(t: Tables, unit: int, market: int, keeper: int, value: int, plan: Table, i: int) -> None:
    """Pay bonus and fee out of the liquidated unit; the fund gets no more than what equity is left (R-W30, R-W31)."""
    cause = t.units[unit, U_LIQUIDATION]
    bonus = ppm_down(value, plan[i, Q_BONUS_PPM])
    if bonus > 0:
        post(t, unit, keeper, bonus, BONUS, cause)
    fee = min(ppm_down(value, plan[i, Q_FUND_PPM]), max(0, equity_atoms(t, unit)))
    assert fee >= 0
    if fee > 0:
        post(t, unit, fund_of(t, market), fee, LIQUIDATION_FEE, cause)
