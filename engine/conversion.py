"""Turning collateral into money: how much is sold, when, to whom, and what is seized (R-C5 to R-C7)."""

from __future__ import annotations

from .asset_columns import ASSET_SOLD, H_ATOMS
from .assets import asset_price_atoms, asset_value_atoms, credited_atoms, post_asset
from .events import Code, has_room
from .kernel import kernel
from .ledger import balance_atoms, post
from .levels import start_atoms, stop_atoms
from .margin import health_atoms
from .tables import (
    FLAG_TOUCHED,
    FUND,
    NONE,
    OUTSIDE,
    U_FLAGS,
    U_LIQUIDATION,
    V_ACCOUNTS,
    V_ASSET_BUYER,
    V_ASSETS,
    V_AT_OR_BELOW,
    V_CONVERSION_PPM,
    V_EXCHANGE_ATOMS,
    V_FUND_FLOOR_ATOMS,
    V_SELLS_BEFORE,
    V_TOUCHED_COUNT,
    Table,
    Tables,
)
from .units import PPM, muldiv_down, ppm_down

CONVERSION = int(Code.CONVERSION)
TAKEOVER_MARGIN = int(Code.TAKEOVER_MARGIN)


@kernel
def sell(t: Tables, unit: int, shortage: int, cause: int) -> int:
    """Sell assets of a unit, one after another in the order of the rule, until they have brought in `shortage` (R-C5).

    Modifies holdings and balances; records at most two events an asset. Returns what came in, 0 for a pocket.
    """
    if unit >= t.venue[V_ACCOUNTS]:
        return 0
    got = 0
    for place in range(t.venue[V_ASSETS]):
        if got < shortage:
            got += _sell_one(t, unit, t.assets[place, ASSET_SOLD], shortage - got, cause)
    return got


@kernel
def _sell_one(t: Tables, unit: int, asset: int, shortage: int, cause: int) -> int:
    """Sell as little of one asset as brings in `shortage`, or all of it; return what came in (R-C5)."""
    venue = t.venue
    amount = t.holdings[unit, asset, H_ATOMS]
    if amount == 0:
        return 0
    kept = PPM - venue[V_CONVERSION_PPM]
    # The value of which the seller's part is the shortage: shortage * PPM / kept, rounded up.
    wanted = shortage // kept * PPM - (-(shortage % kept * PPM) // kept)
    if asset_value_atoms(t, asset, amount) > wanted:
        price = asset_price_atoms(t, asset)
        amount = muldiv_down(wanted, PPM, price)
        if asset_value_atoms(t, asset, amount) < wanted:
            amount += 1
    proceeds = ppm_down(asset_value_atoms(t, asset, amount), kept)
    if proceeds == 0:
        return 0
    fund, buyer = venue[V_ACCOUNTS] + FUND, venue[V_ACCOUNTS] + OUTSIDE
    if venue[V_ASSET_BUYER] == FUND and balance_atoms(t, fund) - venue[V_FUND_FLOOR_ATOMS] >= proceeds:
        buyer = fund
    assert amount <= t.holdings[unit, asset, H_ATOMS]
    post_asset(t, unit, buyer, asset, amount, CONVERSION, cause)
    post(t, buyer, unit, proceeds, CONVERSION, cause)
    return proceeds


@kernel
def exchange_all(t: Tables) -> bool:
    """Let touched units that owe more than the threshold sell (R-C6); return False if the event buffer is full.

    What was sold once is not sold again, so that the caller drains the events and begins anew.
    """
    threshold = t.venue[V_EXCHANGE_ATOMS]
    if threshold == NONE:
        return True
    i = 0
    while i < t.venue[V_TOUCHED_COUNT]:  # who sells is on the list already, who buys is no trader
        if not has_room(t):
            return False
        unit = t.touched[i]
        owed = -balance_atoms(t, unit)
        if owed > threshold and t.units[unit, U_FLAGS] & FLAG_TOUCHED:
            sell(t, unit, owed, t.units[unit, U_LIQUIDATION])
        i += 1
    return True


@kernel
def sell_before(t: Tables, units: Table, start: int) -> int:
    """Sell assets of distressed units until money alone brings them out of liquidation (R-C6).

    Returns the next unit, below n if events are full.
    """
    if t.venue[V_SELLS_BEFORE] == 0:
        return units.shape[0]
    for i in range(start, units.shape[0]):
        if not has_room(t):
            return i
        unit = units[i]
        equity, maintenance = health_atoms(t, unit)
        needed = max(stop_atoms(t, unit, maintenance), start_atoms(t, maintenance) + t.venue[V_AT_OR_BELOW])
        shortage = needed - (equity - credited_atoms(t, unit))
        assert t.units[unit, U_LIQUIDATION] > 0, "only a unit under treatment is made to sell"
        if shortage > 0:
            sell(t, unit, shortage, t.units[unit, U_LIQUIDATION])
    return units.shape[0]


@kernel
def seize_assets(t: Tables, unit: int, taker: int, cause: int) -> None:
    """Give all assets a unit has left to the taker of its last position (R-C7)."""
    if unit >= t.venue[V_ACCOUNTS]:
        return
    for asset in range(t.venue[V_ASSETS]):
        amount = t.holdings[unit, asset, H_ATOMS]
        if amount > 0:
            post_asset(t, unit, taker, asset, amount, TAKEOVER_MARGIN, cause)
