"""Moving positions off the book: takeover and auto-deleveraging, and covering a deficit (R-W5, R-W8, R-W9)."""

from __future__ import annotations

from .contract import value_atoms
from .conversion import sell
from .events import Code, Event, has_room, record
from .funds import fund_for, fund_room_atoms
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import open_positions
from .pockets import pay_from_general
from .positions import settle_value
from .tables import (
    M_MARK_TICKS,
    P_LOTS,
    U_LIQUIDATION,
    V_FUND_CAP_ATOMS,
    V_FUND_FLOOR_ATOMS,
    V_MARKETS,
    Table,
    Tables,
)

TAKEOVER = int(Event.TAKEOVER)
ADL = int(Event.ADL)
DEFICIT = int(Code.DEFICIT)


@kernel
def transfer(
    t: Tables, kind: int, bankrupt: int, taker: int, market: int, lots: int, price_ticks: int, cause: int
) -> None:
    """Move `lots` (signed, the bankrupt's) of a position from one account to another at a price; see below."""
    value = value_atoms(t, market, abs(lots), price_ticks)
    transfer_value(t, kind, bankrupt, taker, market, lots, price_ticks, value, cause)


@kernel
def transfer_value(
    t: Tables, kind: int, bankrupt: int, taker: int, market: int, lots: int, price_ticks: int, value: int, cause: int
) -> None:
    """Move `lots` (signed, the bankrupt's) of a position between accounts for so much money, without fees.

    `kind` is TAKEOVER or ADL; the price is what the event shows, and sizes the margin of a pocket. Modifies both
    positions and units, records one event.
    """
    assert bankrupt != taker
    held = t.positions[bankrupt * t.venue[V_MARKETS] + market, P_LOTS]
    assert held * lots > 0 and abs(lots) <= abs(held), "only lots that are there can be moved"
    assert price_ticks >= 1
    record(t, kind, market, bankrupt, taker, -lots, price_ticks, value, cause, t.markets[market, M_MARK_TICKS])
    settle_value(t, bankrupt, market, -lots, price_ticks, value, 0, True, cause)
    settle_value(t, taker, market, lots, price_ticks, value, 0, False, cause)


@kernel
def own_deficit_atoms(t: Tables, unit: int) -> int:
    """Return what a flat unit still owes after its own means: the general account (R-A43), then its assets (R-C6).

    0 if the unit owes nothing or still holds positions, and then nothing is moved.
    """
    if balance_atoms(t, unit) >= 0 or open_positions(t, unit) > 0:
        return 0
    pay_from_general(t, unit, t.units[unit, U_LIQUIDATION])
    sell(t, unit, -balance_atoms(t, unit), t.units[unit, U_LIQUIDATION])
    return max(0, -balance_atoms(t, unit))


@kernel
def cover_deficits(t: Tables, units: Table, start: int) -> int:
    """Let the fund pay the deficits of flat units as far as it may (R-W8); return the next, below n if events are full.

    Each posting carries the liquidation the unit is in, 0 once that has ended.
    """
    for i in range(start, units.shape[0]):
        if not has_room(t):
            return i
        unit = units[i]
        deficit = own_deficit_atoms(t, unit)
        if deficit == 0:
            continue
        fund = fund_for(t, unit)
        amount = min(deficit, fund_room_atoms(t, fund))
        if t.venue[V_FUND_CAP_ATOMS] > 0:
            amount = min(amount, t.venue[V_FUND_CAP_ATOMS])
        if amount > 0:
            post(t, fund, unit, amount, DEFICIT, t.units[unit, U_LIQUIDATION])
            assert balance_atoms(t, unit) <= 0 <= balance_atoms(t, fund) - t.venue[V_FUND_FLOOR_ATOMS]
    return units.shape[0]
