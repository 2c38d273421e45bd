"""Which orders of a distressed unit are cancelled before anything is closed (R-W3, R-W33)."""

from __future__ import annotations

from .book import cancel, cancel_all
from .contract import value_atoms
from .distress import is_distressed, stays_distressed
from .kernel import kernel
from .margin import health_atoms, in_unit
from .tables import (
    A_FIRST_ORDER,
    CANCEL_EVERYTHING,
    CANCEL_NOTHING,
    CANCEL_WORST_FIRST,
    NONE,
    O_ACCOUNT_NEXT,
    O_LOTS,
    O_MARKET,
    O_PRICE_TICKS,
    P_LOTS,
    U_LIQUIDATION,
    V_CANCELS,
    V_MARKETS,
    Table,
    Tables,
)


@kernel
def cancel_orders(t: Tables, unit: int, account: int) -> None:
    """Cancel the orders of a unit under treatment: all of them, or what the rule names."""
    venue = t.venue
    mode = venue[V_CANCELS]
    assert t.units[unit, U_LIQUIDATION] > 0, "only a unit under liquidation loses its orders"
    if mode == CANCEL_NOTHING:
        return
    if mode == CANCEL_WORST_FIRST:
        while _is_distressed_now(t, unit) and _cancel_largest(t, unit, account):
            pass
        return
    for market in range(venue[V_MARKETS]):
        if in_unit(t, unit, account, market):
            lots = t.positions[account * venue[V_MARKETS] + market, P_LOTS]
            if lots != 0 or mode == CANCEL_EVERYTHING:
                cancel_all(t, account, market, t.units[unit, U_LIQUIDATION])


@kernel
def leave_the_cured(t: Tables, units: Table, orders: Table) -> None:
    """Set the number of forced orders to 0 for units that are out of distress by cancelled orders alone (R-W33)."""
    for i in range(units.shape[0]):
        if not _is_distressed_now(t, units[i]):
            orders[i] = 0


@kernel
def _is_distressed_now(t: Tables, unit: int) -> bool:
    """Say whether a unit is distressed as things stand now (R-W1, R-W28)."""
    equity, maintenance = health_atoms(t, unit)
    return is_distressed(t, equity, maintenance) or stays_distressed(t, unit, equity, maintenance)


@kernel
def _cancel_largest(t: Tables, unit: int, account: int) -> bool:
    """Cancel the order of a unit with the largest value at its price, the newest of equals; False if there is none.

    Waiting orders have no price yet and go last.
    """
    orders = t.orders
    largest, found = -1, NONE
    order = t.accounts[account, A_FIRST_ORDER]
    while order != NONE:
        market = orders[order, O_MARKET]
        if in_unit(t, unit, account, market):
            price = orders[order, O_PRICE_TICKS]
            value = value_atoms(t, market, orders[order, O_LOTS], price) if price > 0 else 0
            if value > largest:
                largest, found = value, order
        order = orders[order, O_ACCOUNT_NEXT]
    if found == NONE:
        return False
    cancel(t, found, t.units[unit, U_LIQUIDATION])
    return True
