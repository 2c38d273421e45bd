"""Equity, margin requirements and free collateral of units and accounts (R-A)."""

from __future__ import annotations

from .assets import credited_atoms
from .contract import value_atoms, worth_atoms
from .kernel import kernel
from .ledger import balance_atoms
from .schedules import full_initial_atoms, measured_tier, requirement_atoms, rounded, tier_of
from .tables import (
    AT_ENTRY,
    BY_ITSELF,
    BY_LOTS,
    BY_OTHERS,
    CLOSING_AT_BANKRUPTCY,
    M_MARK_TICKS,
    M_SCHEDULE,
    NONE,
    OF_POSITION,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_INITIAL_PPM,
    P_ISOLATED,
    P_LOTS,
    TIER_DEDUCTION_ATOMS,
    TIER_INITIAL_PPM,
    TIER_MAINTENANCE_PPM,
    V_ASSETS,
    V_CLOSING_PPM,
    V_MARKETS,
    V_POCKETS_AT,
    V_REQUIREMENTS,
    Tables,
)
from .units import PPM, muldiv_down, muldiv_up


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
def maintenance_atoms(t: Tables, market: int, lots: int, mark_ticks: int) -> int:
    """Return the maintenance margin of lots at a mark, of any position of so many (R-A2)."""
    if lots == 0:
        return 0
    value = value_atoms(t, market, abs(lots), mark_ticks)
    if t.venue[V_REQUIREMENTS]:
        return requirement_atoms(t, market, lots, value)
    row = tier_of(t, market, value)
    need = rounded(t, value, t.tiers[row, TIER_MAINTENANCE_PPM], PPM) - t.tiers[row, TIER_DEDUCTION_ATOMS]
    assert need <= value, "maintenance margin is never more than the position's value"
    return max(0, need)


@kernel
def position_maintenance_atoms(t: Tables, account: int, market: int, lots: int, mark_ticks: int) -> int:
    """Return the maintenance margin of signed lots, all or some of an account's position, at a mark (R-A28, R-A29)."""
    if t.venue[V_REQUIREMENTS] & OF_POSITION == 0 or lots == 0:
        return maintenance_atoms(t, market, lots, mark_ticks)
    row = account * t.venue[V_MARKETS] + market
    held, cost = t.positions[row, P_LOTS], t.positions[row, P_COST_ATOMS]
    assert abs(lots) <= abs(held) and (lots > 0) == (held > 0), "of lots it has"
    value = abs(value_atoms(t, market, lots, mark_ticks))
    if t.venue[V_REQUIREMENTS] & AT_ENTRY:
        value = muldiv_down(abs(cost), abs(lots), abs(held))
    need = requirement_atoms(t, market, lots, value)
    if t.venue[V_REQUIREMENTS] & CLOSING_AT_BANKRUPTCY:
        need += muldiv_up(_closing_fee_atoms(t, account, market, cost), abs(lots), abs(held))
    return need


@kernel
def _closing_fee_atoms(t: Tables, account: int, market: int, cost: int) -> int:
    """Return the fee of closing a position at the price at which that fee uses up the unit's balance (R-A29)."""
    left = cost - balance_atoms(t, unit_of(t, account, market))
    fee_ppm = t.venue[V_CLOSING_PPM]
    if cost > 0:
        # what the position is sold for, less the fee, is what is missing
        return muldiv_up(max(0, left), fee_ppm, PPM - fee_ppm)
    return muldiv_up(max(0, -left), fee_ppm, PPM + fee_ppm)


@kernel
def initial_ppm(t: Tables, account: int, market: int, lots: int, value: int) -> int:
    """Return the initial margin rate at which a pocket is filled for signed lots of a value (R-M7, R-A30)."""
    scheduled = t.markets[market, M_SCHEDULE] > BY_LOTS or t.venue[V_REQUIREMENTS] & BY_ITSELF != 0
    if scheduled and value > 0:
        switches = t.venue[V_REQUIREMENTS] & ~BY_OTHERS
        return muldiv_up(full_initial_atoms(t, account, market, lots, value, switches), PPM, value)
    own = t.positions[account * t.venue[V_MARKETS] + market, P_INITIAL_PPM]
    return max(own, t.tiers[measured_tier(t, market, lots, value), TIER_INITIAL_PPM])


@kernel
def initial_atoms(t: Tables, account: int, market: int, lots: int) -> int:
    """Return the initial margin of signed lots at the mark (R-A3)."""
    if lots == 0:
        return 0
    value = value_atoms(t, market, abs(lots), t.markets[market, M_MARK_TICKS])
    if t.venue[V_REQUIREMENTS]:
        return full_initial_atoms(t, account, market, lots, value, t.venue[V_REQUIREMENTS])
    own = t.positions[account * t.venue[V_MARKETS] + market, P_INITIAL_PPM]
    return rounded(t, value, max(own, t.tiers[tier_of(t, market, value), TIER_INITIAL_PPM]), PPM)


@kernel
def unrealised_atoms(t: Tables, account: int, market: int) -> int:
    """Return the unrealised profit of a position at the mark (R-A4)."""
    row = account * t.venue[V_MARKETS] + market
    lots = t.positions[row, P_LOTS]
    return worth_atoms(t, market, lots, t.markets[market, M_MARK_TICKS]) - t.positions[row, P_COST_ATOMS]


@kernel
def health_atoms(t: Tables, unit: int) -> tuple[int, int]:
    """Return equity and maintenance margin of a unit at the marks (R-A4, R-C4)."""
    markets = t.venue[V_MARKETS]
    account, only = owner_of(t, unit), market_of(t, unit)
    isolated = 0 if only == NONE else 1
    equity = balance_atoms(t, unit)
    if t.venue[V_ASSETS] != 0:
        equity += credited_atoms(t, unit)
    maintenance = 0
    for market in range(max(0, only), markets if only == NONE else only + 1):
        row = account * markets + market
        lots = t.positions[row, P_LOTS]
        if lots != 0 and t.positions[row, P_ISOLATED] == isolated:
            mark = t.markets[market, M_MARK_TICKS]
            equity += worth_atoms(t, market, lots, mark) - t.positions[row, P_COST_ATOMS]
            maintenance += position_maintenance_atoms(t, account, market, lots, mark)
    return equity, maintenance


@kernel
def equity_atoms(t: Tables, unit: int) -> int:
    """Return balance, unrealised profit at the marks and what assets count for, of a unit (R-A4, R-C4)."""
    account = owner_of(t, unit)
    total = balance_atoms(t, unit)
    if t.venue[V_ASSETS] != 0:
        total += credited_atoms(t, unit)
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
            total += position_maintenance_atoms(t, account, market, lots, t.markets[market, M_MARK_TICKS])
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
def exposure_initial_atoms(t: Tables, account: int, market: int, more_lots: int, more_bids: int, more_asks: int) -> int:
    """Return the initial margin of an account's exposure in a market, with something added to it (R-A5, R-A6, R-A30).

    Where the rate depends on the side, that of the side that needs more.
    """
    row = account * t.venue[V_MARKETS] + market
    held = t.positions[row, P_LOTS] + more_lots
    up = held + t.positions[row, P_BIDS_LOTS] + more_bids
    down = held - t.positions[row, P_ASKS_LOTS] - more_asks
    assert down <= up
    if t.venue[V_REQUIREMENTS] == 0:
        return initial_atoms(t, account, market, max(abs(up), abs(down)))
    return max(initial_atoms(t, account, market, max(0, up)), initial_atoms(t, account, market, min(0, down)))


@kernel
def free_collateral_atoms(
    t: Tables, account: int, market_changed: int, more_lots: int, more_bids: int, more_asks: int
) -> int:
    """Return the free collateral of an account (R-A5).

    In `market_changed` so many lots are added to its position, bids and asks; pass NONE for the state as it is.
    """
    free = equity_atoms(t, account)
    for market in range(t.venue[V_MARKETS]):
        if market == market_changed:
            need = exposure_initial_atoms(t, account, market, more_lots, more_bids, more_asks)
        else:
            need = exposure_initial_atoms(t, account, market, 0, 0, 0)
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
    part = position_maintenance_atoms(t, account, market, lots, t.markets[market, M_MARK_TICKS])
    assert 0 <= part <= whole
    share = muldiv_down(abs(equity), part, whole)
    return share if equity >= 0 else -share
