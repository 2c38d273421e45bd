"""The liquidation price a venue would display for a position (R-A9)."""

from __future__ import annotations

from .contract import worth_atoms
from .distress import is_distressed
from .kernel import kernel
from .margin import equity_atoms, maintenance_atoms, unit_maintenance_atoms, unit_of
from .pockets import general_atoms
from .tables import M_MARK_TICKS, M_PRICE_MAX_TICKS, P_LOTS, V_MARKETS, Table, Tables


@kernel
def liquidation_ticks(t: Tables, account: int, market: int) -> int:
    """Return the nearest mark in the losing direction at which the position's unit is distressed, in ticks.

    Other marks stay. 0 if the account is flat or no price within 1 .. price_max - 1 does it; the mark itself if the
    unit is distressed now.
    What a search of the general account would bring counts as equity (R-A41).
    Found by bisection: on the way to a loss equity falls at least as fast as the requirement.
    """
    lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
    if lots == 0:
        return 0
    mark = t.markets[market, M_MARK_TICKS]
    unit = unit_of(t, account, market)
    equity = equity_atoms(t, unit) + general_atoms(t, unit) - worth_atoms(t, market, lots, mark)
    maintenance = unit_maintenance_atoms(t, unit) - maintenance_atoms(t, market, lots, mark)
    direction = -1 if lots > 0 else 1
    furthest = mark - 1 if lots > 0 else t.markets[market, M_PRICE_MAX_TICKS] - 1 - mark
    safe, hit = -1, furthest + 1
    while hit - safe > 1:
        distance = (safe + hit) // 2
        price = mark + direction * distance
        need = maintenance + maintenance_atoms(t, market, lots, price)
        if is_distressed(t, equity + worth_atoms(t, market, lots, price), need):
            hit = distance
        else:
            safe = distance
    assert hit >= 0
    return 0 if hit > furthest else mark + direction * hit


@kernel
def liquidation_ticks_of(t: Tables, others: Table, market: int, amounts: Table) -> None:
    """Write the liquidation price of each account's position in a market into `amounts` (n,)."""
    for i in range(others.shape[0]):
        amounts[i] = liquidation_ticks(t, others[i], market)
