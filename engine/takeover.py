"""Takeover: the fund or a backstop account takes a distressed unit's positions at their bankruptcy price (R-W5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .contract import value_atoms
from .distress import is_distressed
from .events import Code, Event
from .ledger import balance_atoms, post
from .margin import (
    equity_atoms,
    exposure_with_lots,
    free_collateral_atoms,
    open_positions,
    unit_maintenance_atoms,
    unit_of,
)
from .positions import release_flat_pocket
from .rounds import K_ACCOUNT, K_BANKRUPTCY, K_LOTS, K_MARKET, K_UNIT
from .tables import M_MARK_TICKS, P_LOTS, U_LIQUIDATION
from .transfer import transfer

if TYPE_CHECKING:
    from .venue import Venue

TAKEOVER = int(Event.TAKEOVER)
TAKEOVER_MARGIN = int(Code.TAKEOVER_MARGIN)


def take_over(venue: Venue, rows: NDArray[np.int64], straight: bool) -> bool:
    """Offer each position of one unit (closing rows, market ascending) to a taker; return False if any was refused.

    `straight`: the unit is under the backstop threshold, so that a backstop comes first whatever the leftover rule.
    """
    t = venue.tables
    unit = int(rows[0, K_UNIT])
    cause = int(t.units[unit, U_LIQUIDATION])
    assert cause > 0, "a takeover belongs to a liquidation"
    to_backstop = venue.rules.liquidation.leftover == "backstop" or (straight and len(venue.backstops) > 0)
    last_taker = None
    for row in rows.tolist():
        account, market, lots, price = row[K_ACCOUNT], row[K_MARKET], row[K_LOTS], row[K_BANKRUPTCY]
        if to_backstop:
            taker = next(
                (b for b in venue.backstops if _backstop_accepts(venue, b, account, market, lots, price)),
                None,
            )
        else:
            taker = venue.fund_unit if _fund_accepts(venue, market, lots, price) else None
        if taker is None:
            continue
        venue.make_room()
        transfer(t, TAKEOVER, account, taker, market, lots, price, cause)
        last_taker = taker
    if open_positions(t, unit) > 0:
        return False
    venue.make_room()
    left = balance_atoms(t, unit)
    if left > 0 and last_taker is not None and venue.rules.liquidation.seize_margin:
        post(t, unit, last_taker, left, TAKEOVER_MARGIN, cause)
    for row in rows.tolist():
        release_flat_pocket(t, row[K_ACCOUNT], row[K_MARKET], cause)
    return True


def _loss_atoms(venue: Venue, market: int, lots: int, price_ticks: int) -> int:
    """Return what a taker of signed lots at a price loses at the mark, at least 0."""
    t = venue.tables
    return max(0, int(value_atoms(t, market, lots, price_ticks - int(t.markets[market, M_MARK_TICKS]))))


def _backstop_accepts(venue: Venue, backstop: int, account: int, market: int, lots: int, price_ticks: int) -> bool:
    """Say whether a backstop account takes a position: solvent, within its limit and free collateral (R-W5)."""
    t = venue.tables
    if backstop == account:
        return False
    for unit in {backstop, int(unit_of(t, backstop, market))}:
        if open_positions(t, unit) and is_distressed(t, equity_atoms(t, unit), unit_maintenance_atoms(t, unit)):
            return False
    exposure = exposure_with_lots(t, backstop, market, lots)
    if exposure > venue.rules.contract.lots_max:
        return False
    loss = _loss_atoms(venue, market, lots, price_ticks)
    return bool(free_collateral_atoms(t, backstop, market, exposure) - loss >= 0)


def _fund_accepts(venue: Venue, market: int, lots: int, price_ticks: int) -> bool:
    """Say whether the insurance fund takes a position (R-W5)."""
    t, fund = venue.tables, venue.fund_unit
    markets = len(venue.markets)
    held = t.positions[fund * markets : (fund + 1) * markets, P_LOTS].copy()
    held[market] += lots
    if abs(held[market]) > venue.rules.contract.lots_max:
        return False
    warehouse = sum(
        int(value_atoms(t, other, abs(int(held[other])), int(t.markets[other, M_MARK_TICKS])))
        for other in range(markets)
    )
    equity = int(equity_atoms(t, fund))
    return venue.rules.insurance.accepts(_loss_atoms(venue, market, lots, price_ticks), equity, warehouse)
