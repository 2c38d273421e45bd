"""The liquidation price a venue would display for a position (R-A9, R-A10)."""

from __future__ import annotations

from .contract import price_between_microticks, value_atoms, worth_atoms
from .distress import is_distressed
from .kernel import kernel
from .margin import equity_atoms, position_maintenance_atoms, unit_maintenance_atoms, unit_of
from .pockets import general_atoms
from .schedules import tier_of
from .tables import M_MARK_TICKS, M_PRICE_MAX_TICKS, M_SCHEDULE, P_LOTS, STEPPED, V_MARKETS, Table, Tables
from .units import PPM, muldiv_down

NEVER = -1
SCALED_MAX = 2**58  # money inside a tick is counted in parts of an atom, as fine as fits


@kernel
def liquidation_ticks(t: Tables, account: int, market: int) -> int:
    """Return the nearest mark in the losing direction at which the position's unit is distressed, in ticks.

    Other marks stay. 0 if the account is flat or no price within 1 .. price_max - 1 does it; the mark itself if the
    unit is distressed now.
    What a search of the general account would bring counts as equity (R-A41).
    Found by bisection: on the way to a loss equity falls at least as fast as the requirement, as long as the position's
    value stays on one step (R-A21); so steps are searched one after another.
    """
    lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
    if lots == 0:
        return 0
    distance = _distance_ticks(t, account, market, lots)
    return 0 if distance == NEVER else t.markets[market, M_MARK_TICKS] + _losing(lots) * distance


@kernel
def liquidation_microticks(t: Tables, account: int, market: int) -> int:
    """Return the liquidation price in millionths of a tick, where `liquidation_ticks` gives the tick (R-A10).

    Between the last safe tick and the first distressed one, equity and requirement are taken to be straight lines in
    the position's value: so they are for every payoff, as long as no bracket begins between the two ticks.
    """
    lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
    if lots == 0:
        return 0
    distance = _distance_ticks(t, account, market, lots)
    mark = t.markets[market, M_MARK_TICKS]
    if distance <= 0:
        return 0 if distance == NEVER else mark * PPM
    unsafe = mark + _losing(lots) * distance
    safe = unsafe - _losing(lots)
    equity, need = _health_at(t, account, market, lots, safe)
    equity_after, need_after = _health_at(t, account, market, lots, unsafe)
    parts = max(1, min(PPM, SCALED_MAX // max(1, abs(equity), abs(equity_after), need, need_after)))
    low, high = 0, PPM
    while high - low > 1:
        middle = (low + high) // 2
        equity_here = _between(equity * parts, equity_after * parts, middle)
        if is_distressed(t, equity_here, _between(need * parts, need_after * parts, middle)):
            high = middle
        else:
            low = middle
    return price_between_microticks(t, safe, unsafe, high)


@kernel
def _losing(lots: int) -> int:
    """Return the direction in which a position loses: down for a long."""
    return -1 if lots > 0 else 1


@kernel
def _between(first: int, last: int, part_ppm: int) -> int:
    """Return the number at a part of the way from `first` to `last`, rounded towards the first."""
    way = muldiv_down(abs(last - first), part_ppm, PPM)
    return first + way if last > first else first - way


@kernel
def _health_at(t: Tables, account: int, market: int, lots: int, price_ticks: int) -> tuple[int, int]:
    """Return equity and maintenance margin of a position's unit if its market were marked at a price."""
    mark = t.markets[market, M_MARK_TICKS]
    unit = unit_of(t, account, market)
    equity = equity_atoms(t, unit) + general_atoms(t, unit) - worth_atoms(t, market, lots, mark)
    need = unit_maintenance_atoms(t, unit) - position_maintenance_atoms(t, account, market, lots, mark)
    equity += worth_atoms(t, market, lots, price_ticks)
    return equity, need + position_maintenance_atoms(t, account, market, lots, price_ticks)


@kernel
def _distance_ticks(t: Tables, account: int, market: int, lots: int) -> int:
    """Return how far the mark may go in the losing direction until the unit is distressed, NEVER if without end."""
    mark = t.markets[market, M_MARK_TICKS]
    furthest = mark - 1 if lots > 0 else t.markets[market, M_PRICE_MAX_TICKS] - 1 - mark
    equity, need = _health_at(t, account, market, lots, mark)
    equity -= worth_atoms(t, market, lots, mark)
    need -= position_maintenance_atoms(t, account, market, lots, mark)
    first = 0
    while first <= furthest:
        last = _end_of_step(t, market, lots, first, furthest)
        safe, hit = first - 1, last + 1
        while hit - safe > 1:
            distance = (safe + hit) // 2
            price = mark + _losing(lots) * distance
            needed = need + position_maintenance_atoms(t, account, market, lots, price)
            if is_distressed(t, equity + worth_atoms(t, market, lots, price), needed):
                hit = distance
            else:
                safe = distance
        assert hit >= first
        if hit <= last:
            return hit
        first = last + 1
    return NEVER


@kernel
def _end_of_step(t: Tables, market: int, lots: int, first: int, furthest: int) -> int:
    """Return the last distance from `first` on up to which the value of lots stays on one step of the schedule."""
    if t.markets[market, M_SCHEDULE] != STEPPED:
        return furthest
    mark = t.markets[market, M_MARK_TICKS]
    here = tier_of(t, market, value_atoms(t, market, abs(lots), mark + _losing(lots) * first))
    inside, beyond = first, furthest + 1
    while beyond - inside > 1:
        distance = (inside + beyond) // 2
        if tier_of(t, market, value_atoms(t, market, abs(lots), mark + _losing(lots) * distance)) == here:
            inside = distance
        else:
            beyond = distance
    assert first <= inside <= furthest
    return inside


@kernel
def liquidation_ticks_of(t: Tables, others: Table, market: int, amounts: Table) -> None:
    """Write the liquidation price of each account's position in a market into `amounts` (n,)."""
    for i in range(others.shape[0]):
        amounts[i] = liquidation_ticks(t, others[i], market)
