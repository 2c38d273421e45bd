"""Equity, margin requirements and free collateral of units and accounts (R-A)."""

from __future__ import annotations

from .contract import value_atoms, worth_atoms
from .kernel import kernel
from .ledger import balance_atoms
from .tables import (
    M_MARK_TICKS,
    M_TIER_COUNT,
    M_TIERS,
    NONE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_INITIAL_PPM,
    P_ISOLATED,
    P_LOTS,
    TIER_DEDUCTION_ATOMS,
    TIER_FLOOR_ATOMS,
    TIER_INITIAL_PPM,
    TIER_MAINTENANCE_PPM,
    V_MARKETS,
    V_POCKETS_AT,
    V_ROUND_REQUIREMENT_UP,
    Tables,
)
from .units import PPM, muldiv_down


@kernel
def unit_of(t: Tables, account: int, market: int) -> int:
    """Return the margin unit that stands behind an account's position in a market (R-M1)."""
    markets = t.venue[V_MARKETS]
    if t.positions[account * markets + market, P_ISOLATED]:
        return t.venue[V_POCKETS_AT] + account * markets + market
    return account


@kernel
def owner_of(t: Tables, unit: int) -> int:
    """Return the account a unit belongs to."""
    pockets = t.venue[V_POCKETS_AT]
    if pockets != NONE and unit >= pockets:
        return (unit - pockets) // t.venue[V_MARKETS]
    return unit


@kernel
def market_of(t: Tables, unit: int) -> int:
    """Return the market of a pocket, NONE for a cross unit."""
    pockets = t.venue[V_POCKETS_AT]
    if pockets != NONE and unit >= pockets:
        return (unit - pockets) % t.venue[V_MARKETS]
    return NONE


@kernel
def in_unit(t: Tables, unit: int, account: int, market: int) -> bool:
    """Say whether the account's position in the market is margined by the unit."""
    isolated = t.positions[account * t.venue[V_MARKETS] + market, P_ISOLATED] != 0
    only = market_of(t, unit)
    if only != NONE:
        return isolated and only == market
    return not isolated


@kernel
def tier_of(t: Tables, market: int, value: int) -> int:
    """Return the row of `tiers` whose bracket holds a position value (R-A1)."""
    row = t.markets[market, M_TIERS]
    last = row + t.markets[market, M_TIER_COUNT] - 1
    assert t.tiers[row, TIER_FLOOR_ATOMS] <= value, "the first tier starts at zero"
    while row < last and t.tiers[row + 1, TIER_FLOOR_ATOMS] <= value:
        row += 1
    return row


@kernel
def _rounded(t: Tables, value: int, rate_ppm: int) -> int:
    """Return a requirement, rounded as the rules say (R-A2)."""
    assert value >= 0
    up = PPM - 1 if t.venue[V_ROUND_REQUIREMENT_UP] else 0
    return value // PPM * rate_ppm + (value % PPM * rate_ppm + up) // PPM


@kernel
def maintenance_atoms(t: Tables, market: int, lots: int, mark_ticks: int) -> int:
    """Return the maintenance margin of |lots| at a mark (R-A2)."""
    if lots == 0:
        return 0
    value = value_atoms(t, market, abs(lots), mark_ticks)
    row = tier_of(t, market, value)
    need = _rounded(t, value, t.tiers[row, TIER_MAINTENANCE_PPM]) - t.tiers[row, TIER_DEDUCTION_ATOMS]
    assert need <= value, "maintenance margin is never more than the position's value"
    return max(0, need)


@kernel
def initial_ppm(t: Tables, account: int, market: int, value: int) -> int:
    """Return the initial margin rate that holds for an account at a position value (R-A3)."""
    own = t.positions[account * t.venue[V_MARKETS] + market, P_INITIAL_PPM]
    return max(own, t.tiers[tier_of(t, market, value), TIER_INITIAL_PPM])


@kernel
def initial_atoms(t: Tables, account: int, market: int, lots: int) -> int:
    """Return the initial margin of |lots| at the mark (R-A3)."""
    if lots == 0:
        return 0
    value = value_atoms(t, market, abs(lots), t.markets[market, M_MARK_TICKS])
    return _rounded(t, value, initial_ppm(t, account, market, value))


@kernel
def unrealised_atoms(t: Tables, account: int, market: int) -> int:
    """Return the unrealised profit of a position at the mark (R-A4)."""
    row = account * t.venue[V_MARKETS] + market
    lots = t.positions[row, P_LOTS]
    return worth_atoms(t, market, lots, t.markets[market, M_MARK_TICKS]) - t.positions[row, P_COST_ATOMS]


@kernel
def health_atoms(t: Tables, unit: int) -> tuple[int, int]:
    """Return equity and maintenance margin of a unit at the marks (R-A4)."""
    markets = t.venue[V_MARKETS]
    account, only = owner_of(t, unit), market_of(t, unit)
    isolated = 0 if only == NONE else 1
    equity = balance_atoms(t, unit)
    maintenance = 0
    for market in range(max(0, only), markets if only == NONE else only + 1):
        row = account * markets + market
        lots = t.positions[row, P_LOTS]
        if lots != 0 and t.positions[row, P_ISOLATED] == isolated:
            mark = t.markets[market, M_MARK_TICKS]
            equity += worth_atoms(t, market, lots, mark) - t.positions[row, P_COST_ATOMS]
            maintenance += maintenance_atoms(t, market, lots, mark)
    return equity, maintenance


@kernel
def equity_atoms(t: Tables, unit: int) -> int:
    """Return balance plus unrealised profit of a unit at the marks (R-A4)."""
    account = owner_of(t, unit)
    total = balance_atoms(t, unit)
    for market in range(t.venue[V_MARKETS]):
        if in_unit(t, unit, account, market):
            total += unrealised_atoms(t, account, market)
    return total


@kernel
def unit_maintenance_atoms(t: Tables, unit: int) -> int:
    """Return the maintenance margin of all positions of a unit at the marks (R-A4)."""
    account = owner_of(t, unit)
    total = 0
    for market in range(t.venue[V_MARKETS]):
        if in_unit(t, unit, account, market):
            lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
            total += maintenance_atoms(t, market, lots, t.markets[market, M_MARK_TICKS])
    return total


@kernel
def open_positions(t: Tables, unit: int) -> int:
    """Return how many positions of a unit have lots."""
    account = owner_of(t, unit)
    count = 0
    for market in range(t.venue[V_MARKETS]):
        if in_unit(t, unit, account, market) and t.positions[account * t.venue[V_MARKETS] + market, P_LOTS] != 0:
            count += 1
    return count


@kernel
def exposure_lots(t: Tables, account: int, market: int, more_bids: int, more_asks: int) -> int:
    """Return the larger one-sided exposure of an account, with lots added to its resting orders (R-A6)."""
    row = account * t.venue[V_MARKETS] + market
    lots = t.positions[row, P_LOTS]
    up = abs(lots + t.positions[row, P_BIDS_LOTS] + more_bids)
    down = abs(lots - t.positions[row, P_ASKS_LOTS] - more_asks)
    return max(up, down)


@kernel
def exposure_with_lots(t: Tables, account: int, market: int, lots: int) -> int:
    """Return the exposure of an account after `lots` (signed) are added to its position (R-A6, R-W5)."""
    row = account * t.venue[V_MARKETS] + market
    held = t.positions[row, P_LOTS] + lots
    return max(abs(held + t.positions[row, P_BIDS_LOTS]), abs(held - t.positions[row, P_ASKS_LOTS]))


@kernel
def free_collateral_atoms(t: Tables, account: int, market_changed: int, exposure_changed: int) -> int:
    """Return the free collateral of an account (R-A5).

    `exposure_changed` replaces the exposure in `market_changed`; pass NONE for the state as it is.
    """
    free = equity_atoms(t, account)
    for market in range(t.venue[V_MARKETS]):
        exposure = exposure_changed if market == market_changed else exposure_lots(t, account, market, 0, 0)
        need = initial_atoms(t, account, market, exposure)
        row = account * t.venue[V_MARKETS] + market
        if t.positions[row, P_ISOLATED]:
            need = max(0, need - initial_atoms(t, account, market, t.positions[row, P_LOTS]))
        free -= need
    return free


@kernel
def position_equity_atoms(t: Tables, unit: int, market: int, equity: int) -> int:
    """Return the share of a unit's `equity` that stands behind its position in a market (R-A9).

    Shares are pro rata to maintenance margin, or equal if there is none.
    """
    count = open_positions(t, unit)
    if count <= 1:
        return equity
    account = owner_of(t, unit)
    whole = unit_maintenance_atoms(t, unit)
    if whole == 0:
        return abs(equity) // count if equity >= 0 else -(abs(equity) // count)
    lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
    part = maintenance_atoms(t, market, lots, t.markets[market, M_MARK_TICKS])
    assert 0 <= part <= whole
    share = muldiv_down(abs(equity), part, whole)
    return share if equity >= 0 else -share
