"""Collateral in several assets: what it is worth, what of it counts, and how it moves (R-C1, R-C2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .asset_columns import (
    ASSET_ATOMS_MAX,
    ASSET_HAIRCUT_COUNT,
    ASSET_HAIRCUTS,
    ASSET_INDEX_SEEN_TICKS,
    ASSET_MARKET,
    ASSET_PRICE_ATOMS,
    ASSET_SOLD,
    ASSET_WEIGHT_MAX_PPM,
    H_ATOMS,
    HAIRCUT_FLOOR_ATOMS,
    HAIRCUT_PPM,
    NO_MARKET,
)
from .events import Event, record
from .kernel import kernel
from .ledger import touch
from .tables import (
    FUND,
    M_INDEX_TICKS,
    M_MULTIPLIER_ATOMS,
    M_PRICE_MAX_TICKS,
    NONE,
    OUTSIDE,
    V_ACCOUNTS,
    V_ASSET_BUYER,
    V_ASSETS,
    V_CONVERSION_PPM,
    V_EXCHANGE_ATOMS,
    V_SELLS_BEFORE,
    Table,
    Tables,
)
from .units import PPM, muldiv_down, ppm_down

if TYPE_CHECKING:
    from .rules.collateral import Collateral
    from .state import Market

ASSET = int(Event.ASSET)
ATOMS_MAX = 2**53
VALUE_MAX_ATOMS = 2**54  # of all there is of one asset, at the highest price


def fill_assets(
    t: Tables, rule: Collateral | None, markets: Sequence[Market], first_index_ticks: Sequence[int]
) -> None:
    """Copy what kernels need of the rule for collateral, if there is one, into `venue`, `assets` and `haircuts`."""
    if rule is None:
        return
    symbols = [market.symbol for market in markets]
    t.venue[V_ASSETS] = len(rule.assets)
    t.venue[V_ASSET_BUYER] = FUND if rule.buyer == "fund" else OUTSIDE
    t.venue[V_CONVERSION_PPM] = rule.conversion_ppm
    t.venue[V_SELLS_BEFORE] = int(rule.sale == "before_positions")
    threshold = rule.exchange_below_quote
    t.venue[V_EXCHANGE_ATOMS] = NONE if threshold is None else threshold * PPM
    first = 0
    for row, asset in zip(t.assets, rule.assets, strict=True):
        highest = row[ASSET_PRICE_ATOMS] = asset.price_ppm or 0
        row[ASSET_MARKET] = NONE if asset.market is None else NO_MARKET
        if asset.market in symbols:
            market = row[ASSET_MARKET] = symbols.index(asset.market)
            highest = markets[market].multiplier_atoms * markets[market].price_max_ticks
            row[ASSET_INDEX_SEEN_TICKS] = first_index_ticks[market]
        if row[ASSET_MARKET] != NO_MARKET:
            row[ASSET_ATOMS_MAX] = min(ATOMS_MAX, VALUE_MAX_ATOMS * PPM // int(highest))
        row[ASSET_HAIRCUTS], row[ASSET_HAIRCUT_COUNT] = first, len(asset.haircuts)
        row[ASSET_WEIGHT_MAX_PPM] = PPM - min(step.haircut_ppm for step in asset.haircuts)
        for step in asset.haircuts:
            t.haircuts[first, HAIRCUT_FLOOR_ATOMS] = step.floor_quote * PPM
            t.haircuts[first, HAIRCUT_PPM] = step.haircut_ppm
            first += 1
    t.assets[:, ASSET_SOLD] = rule.sold_order()
    t.index_looks.fill(NONE)
    assert first == len(t.haircuts)


@kernel
def asset_index_ticks(t: Tables, market: int) -> int:
    """Return the index at which a market values assets: like the mark below its highest price (R-C1)."""
    return min(t.markets[market, M_INDEX_TICKS], t.markets[market, M_PRICE_MAX_TICKS] - 1)


@kernel
def asset_price_atoms(t: Tables, asset: int) -> int:
    """Return what a million atoms of an asset are worth now, in quote atoms (R-C1)."""
    market = t.assets[asset, ASSET_MARKET]
    assert market != NO_MARKET, "what cannot be valued is never held"
    if market == NONE:
        return t.assets[asset, ASSET_PRICE_ATOMS]
    return t.markets[market, M_MULTIPLIER_ATOMS] * asset_index_ticks(t, market)


@kernel
def asset_value_atoms(t: Tables, asset: int, amount: int) -> int:
    """Return the value of so many asset atoms in quote atoms, rounded down (R-C1)."""
    assert 0 <= amount <= ATOMS_MAX
    return muldiv_down(amount, asset_price_atoms(t, asset), PPM)


@kernel
def weighted_atoms(t: Tables, asset: int, value: int) -> int:
    """Return what counts of an asset's value: each part by its step's haircut, each rounded down (R-C1)."""
    first = t.assets[asset, ASSET_HAIRCUTS]
    last = first + t.assets[asset, ASSET_HAIRCUT_COUNT] - 1
    total = 0
    for row in range(first, last + 1):
        floor = t.haircuts[row, HAIRCUT_FLOOR_ATOMS]
        top = value if row == last else min(value, t.haircuts[row + 1, HAIRCUT_FLOOR_ATOMS])
        if top > floor:
            total += ppm_down(top - floor, PPM - t.haircuts[row, HAIRCUT_PPM])
    assert 0 <= total <= value
    return total


@kernel
def credited_asset_atoms(t: Tables, unit: int, asset: int) -> int:
    """Return what counts of a unit's holding of one asset, in quote atoms (R-C1)."""
    amount = t.holdings[unit, asset, H_ATOMS]
    return weighted_atoms(t, asset, asset_value_atoms(t, asset, amount)) if amount > 0 else 0


@kernel
def credited_atoms(t: Tables, unit: int) -> int:
    """Return what all assets of a unit add to its equity (R-C4); 0 for pockets and without such assets."""
    if t.venue[V_ASSETS] == 0 or unit > t.venue[V_ACCOUNTS]:
        return 0
    total = 0
    for asset in range(t.venue[V_ASSETS]):
        total += credited_asset_atoms(t, unit, asset)
    return total


@kernel
def credited_atoms_of(t: Tables, accounts: Table, amounts: Table) -> None:
    """Add what the assets of each account count for to `amounts` (n,)."""
    for i in range(accounts.shape[0]):
        amounts[i] += credited_atoms(t, accounts[i])


@kernel
def post_asset(t: Tables, giver: int, getter: int, asset: int, amount: int, code: int, cause: int) -> None:
    """Move an asset from one unit to another: the only code that does (R-C2).

    Modifies both holdings, notes both units as touched, records one event.
    """
    assert amount > 0, "a movement of an asset moves a positive amount"
    assert giver != getter, "a movement of an asset has two sides"
    t.holdings[giver, asset, H_ATOMS] -= amount
    t.holdings[getter, asset, H_ATOMS] += amount
    assert t.holdings[giver, asset, H_ATOMS] >= 0 or giver == t.venue[V_ACCOUNTS] + OUTSIDE
    touch(t, giver)
    touch(t, getter)
    record(t, ASSET, asset, giver, getter, 0, 0, amount, cause, code)
