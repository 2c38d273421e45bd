"""Look-outs of collateral: whose equity a falling index may have brought too low (R-C4, R-W2).

A holding is like a long position: as long as the index stays above its look-out price, what it counts for falls by at
most its share of the unit's buffer (see distress.py).
"""

from __future__ import annotations

from .asset_columns import (
    ASSET_HAIRCUT_COUNT,
    ASSET_INDEX_SEEN_TICKS,
    ASSET_MARKET,
    ASSET_WEIGHT_MAX_PPM,
    H_ATOMS,
    H_LOOK_BEFORE,
    H_LOOK_NEXT,
)
from .assets import asset_index_ticks, credited_asset_atoms
from .kernel import kernel
from .ledger import note_looked
from .tables import M_MULTIPLIER_ATOMS, NONE, V_ASSETS, Tables
from .units import PPM, muldiv_down, ppm_up

SLACK_ATOMS = 2  # rounding of a value, besides one atom for each step of the haircut


@kernel
def nominate_by_index(t: Tables) -> None:
    """Note all units with a holding whose look-out price the index has reached since the last look."""
    for asset in range(t.venue[V_ASSETS]):
        market = t.assets[asset, ASSET_MARKET]
        if market < 0:
            continue
        index = asset_index_ticks(t, market)
        for tick in range(index, t.assets[asset, ASSET_INDEX_SEEN_TICKS] + 1):
            unit = t.index_looks[asset, tick]
            while unit != NONE:
                note_looked(t, unit)
                unit = t.holdings[unit, asset, H_LOOK_NEXT]
        t.assets[asset, ASSET_INDEX_SEEN_TICKS] = index


@kernel
def moving_credit_atoms(t: Tables, unit: int) -> tuple[int, int]:
    """Return what a unit's assets with a moving price count for, and the rounding that its look-outs must allow for."""
    total = 0
    slack = 0
    for asset in range(t.venue[V_ASSETS]):
        if t.assets[asset, ASSET_MARKET] >= 0:
            total += credited_asset_atoms(t, unit, asset)
            slack += SLACK_ATOMS + t.assets[asset, ASSET_HAIRCUT_COUNT]
    assert total >= 0
    return total, slack


@kernel
def file_holdings(t: Tables, unit: int, buffer: int, whole: int) -> None:
    """File every holding of a unit with a moving price under its look-out price, its share of the buffer pro rata."""
    assert buffer >= 0 and whole > 0
    for asset in range(t.venue[V_ASSETS]):
        market = t.assets[asset, ASSET_MARKET]
        credit = credited_asset_atoms(t, unit, asset) if market >= 0 else 0
        if credit == 0:
            continue
        share = muldiv_down(buffer, credit, whole)
        value = muldiv_down(t.holdings[unit, asset, H_ATOMS], t.markets[market, M_MULTIPLIER_ATOMS], PPM) + 1
        per_tick = ppm_up(value, t.assets[asset, ASSET_WEIGHT_MAX_PPM])
        tick = asset_index_ticks(t, market) - share // max(1, per_tick)
        if tick >= 1:
            _file(t, unit, asset, tick)


@kernel
def _file(t: Tables, unit: int, asset: int, tick: int) -> None:
    """Put a holding at the front of the look-out list of a tick."""
    assert t.holdings[unit, asset, H_LOOK_BEFORE] == 0, "a holding is filed once"
    first = t.index_looks[asset, tick]
    t.holdings[unit, asset, H_LOOK_NEXT] = first
    t.holdings[unit, asset, H_LOOK_BEFORE] = -tick
    if first != NONE:
        t.holdings[first, asset, H_LOOK_BEFORE] = unit + 1
    t.index_looks[asset, tick] = unit


@kernel
def unfile_holdings(t: Tables, unit: int) -> None:
    """Take all holdings of a unit out of their look-out lists."""
    for asset in range(t.venue[V_ASSETS]):
        before = t.holdings[unit, asset, H_LOOK_BEFORE]
        if before == 0:
            continue
        after = t.holdings[unit, asset, H_LOOK_NEXT]
        if before > 0:
            t.holdings[before - 1, asset, H_LOOK_NEXT] = after
        else:
            assert t.index_looks[asset, -before] == unit, "the first of a list is its head"
            t.index_looks[asset, -before] = after
        if after != NONE:
            t.holdings[after, asset, H_LOOK_BEFORE] = before
        t.holdings[unit, asset, H_LOOK_BEFORE] = 0
