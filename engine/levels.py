"""Where liquidation starts and stops, as amounts of equity (R-W28)."""

from __future__ import annotations

from .contract import value_atoms
from .kernel import kernel
from .margin import in_unit, owner_of
from .tables import M_MARK_TICKS, P_LOTS, V_BUFFER_PPM, V_MARKETS, V_START_PPM, V_STOP_PPM, Tables
from .units import PPM, ppm_up


@kernel
def start_atoms(t: Tables, maintenance: int) -> int:
    """Return the equity below which a unit with this maintenance margin is distressed."""
    assert maintenance >= 0
    return maintenance if t.venue[V_START_PPM] == PPM else ppm_up(maintenance, t.venue[V_START_PPM])


@kernel
def unit_value_atoms(t: Tables, unit: int) -> int:
    """Return the value at mark of all positions of a unit."""
    account = owner_of(t, unit)
    total = 0
    for market in range(t.venue[V_MARKETS]):
        lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
        if lots != 0 and in_unit(t, unit, account, market):
            total += value_atoms(t, market, abs(lots), t.markets[market, M_MARK_TICKS])
    assert total >= 0
    return total


@kernel
def stop_atoms(t: Tables, unit: int, maintenance: int) -> int:
    """Return the equity a unit under liquidation has to reach to be left alone; never below `start_atoms`."""
    stop = ppm_up(maintenance, t.venue[V_STOP_PPM])
    if t.venue[V_BUFFER_PPM] > 0:
        stop += ppm_up(unit_value_atoms(t, unit), t.venue[V_BUFFER_PPM])
    assert stop >= start_atoms(t, maintenance)
    return stop
