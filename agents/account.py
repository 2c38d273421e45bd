"""What kernels of traders read of one account: the scalar side of `View`, to the same numbers."""

from __future__ import annotations

from delever.engine.assets import credited_atoms
from delever.engine.book import best_ask_ticks
from delever.engine.contract import value_atoms
from delever.engine.kernel import kernel
from delever.engine.ledger import balance_atoms
from delever.engine.margin import (
    exposure_initial_atoms,
    exposure_lots,
    initial_atoms,
    position_maintenance_atoms,
    unrealised_atoms,
)
from delever.engine.schedules import quoted_ppm, tier_of
from delever.engine.tables import (
    FLAG_NOTICE,
    M_BEST_BID,
    M_MARK_TICKS,
    NONE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_INITIAL_PPM,
    P_ISOLATED,
    P_LOTS,
    TIER_INITIAL_PPM,
    U_FLAGS,
    U_SINCE_STEP,
    V_ASSETS,
    V_LOTS_MAX,
    V_MARKETS,
    V_POCKETS_AT,
    V_REQUIREMENTS,
    Table,
    Tables,
)
from delever.engine.units import PPM, ppm_up

# Margin that is left free when an order is sized: for fees, and for prices that move before it arrives.
MARGIN_USED_MAX = 0.9


@kernel
def position_row(t: Tables, account: int, market: int) -> int:
    """Return the row of a position in `positions`."""
    return account * t.venue[V_MARKETS] + market


@kernel
def lot_atoms(t: Tables, market: int) -> int:
    """Return the value of one lot at the mark."""
    return held_atoms(t, market, 1)


@kernel
def held_atoms(t: Tables, market: int, lots: int) -> int:
    """Return the value of |lots| at the mark."""
    return value_atoms(t, market, abs(lots), t.markets[market, M_MARK_TICKS])


@kernel
def mark_before_ticks(t: Tables, mark_history: Table, steps: int, market: int) -> int:
    """Return the mark so many steps before the newest, or the oldest; the mark if none is."""
    count = mark_history.shape[0]
    if count == 0:
        return t.markets[market, M_MARK_TICKS]
    return mark_history[max(count - 1 - steps, 0), market]


@kernel
def move_ppm(t: Tables, mark_history: Table, market: int, horizon_s: float, dt_s: int) -> float:
    """Return the change of the mark over a horizon, as a share of the mark before."""
    before = mark_before_ticks(t, mark_history, int(max(horizon_s / dt_s, 1.0)), market)
    return (t.markets[market, M_MARK_TICKS] - before) * 1e6 / before


@kernel
def opposite_ticks(t: Tables, market: int, side: int) -> int:
    """Return the best price that an order to buy (side +1) or sell (-1) would meet, 0 if there is none."""
    return best_ask_ticks(t, market) if side > 0 else t.markets[market, M_BEST_BID]


@kernel
def account_equity_atoms(t: Tables, account: int) -> int:
    """Return the money of the whole account, pockets included, what its assets count for, and all unrealised profit."""
    venue = t.venue
    equity = balance_atoms(t, account)
    if venue[V_ASSETS] != 0:
        equity += credited_atoms(t, account)
    for market in range(venue[V_MARKETS]):
        equity += unrealised_atoms(t, account, market)
        if venue[V_POCKETS_AT] != NONE:
            equity += balance_atoms(t, venue[V_POCKETS_AT] + position_row(t, account, market))
    return equity


@kernel
def account_maintenance_atoms(t: Tables, account: int) -> int:
    """Return the maintenance margin of all positions of the account."""
    need = 0
    for market in range(t.venue[V_MARKETS]):
        lots = t.positions[position_row(t, account, market), P_LOTS]
        need += position_maintenance_atoms(t, account, market, lots, t.markets[market, M_MARK_TICKS])
    return need


@kernel
def account_initial_atoms(t: Tables, account: int, market: int, lots: int) -> int:
    """Return the initial margin of signed lots in a market; of brackets, rounded up whatever the venue does."""
    if t.venue[V_REQUIREMENTS]:
        return initial_atoms(t, account, market, lots)
    value = held_atoms(t, market, lots)
    own = t.positions[position_row(t, account, market), P_INITIAL_PPM]
    return ppm_up(value, max(own, t.tiers[tier_of(t, market, value), TIER_INITIAL_PPM]))


@kernel
def account_exposure_atoms(t: Tables, account: int, market: int) -> int:
    """Return the initial margin of position and resting orders in a market."""
    if t.venue[V_REQUIREMENTS]:
        return exposure_initial_atoms(t, account, market, 0, 0, 0)
    return account_initial_atoms(t, account, market, exposure_lots(t, account, market, 0, 0))


@kernel
def rate_at_ppm(t: Tables, market: int, value: int) -> int:
    """Return the venue's initial margin rate of a position of about this value."""
    if t.venue[V_REQUIREMENTS]:
        return quoted_ppm(t, market, value)
    return t.tiers[tier_of(t, market, value), TIER_INITIAL_PPM]


@kernel
def rates_at_ppm(t: Tables, market: int, values: Table, rates: Table) -> None:
    """Write the initial margin rate of each position value in a market into `rates` (n,)."""
    for i in range(values.shape[0]):
        rates[i] = rate_at_ppm(t, market, values[i])


@kernel
def requirements_of(t: Tables, accounts: Table, market: int, amounts: Table) -> None:
    """Write each account's maintenance margin, initial margin of position and of exposure into `amounts` (n, 3)."""
    for i in range(accounts.shape[0]):
        lots = t.positions[position_row(t, accounts[i], market), P_LOTS]
        mark = t.markets[market, M_MARK_TICKS]
        amounts[i, 0] = position_maintenance_atoms(t, accounts[i], market, lots, mark)
        amounts[i, 1] = account_initial_atoms(t, accounts[i], market, lots)
        amounts[i, 2] = account_exposure_atoms(t, accounts[i], market)


@kernel
def account_free_atoms(t: Tables, account: int) -> int:
    """Return what the cross unit has above the initial margin of positions and resting orders."""
    free = balance_atoms(t, account)
    if t.venue[V_ASSETS] != 0:
        free += credited_atoms(t, account)
    for market in range(t.venue[V_MARKETS]):
        row = position_row(t, account, market)
        exposed = account_exposure_atoms(t, account, market)
        if t.positions[row, P_ISOLATED]:
            free -= max(0, exposed - account_initial_atoms(t, account, market, t.positions[row, P_LOTS]))
        else:
            free += unrealised_atoms(t, account, market) - exposed
    return free


@kernel
def is_called(t: Tables, account: int) -> bool:
    """Say whether a margin call stands on the cross unit or on any pocket."""
    called = t.units[account, U_FLAGS] & FLAG_NOTICE != 0
    if t.venue[V_POCKETS_AT] != NONE:
        for market in range(t.venue[V_MARKETS]):
            pocket = t.venue[V_POCKETS_AT] + position_row(t, account, market)
            called = called or t.units[pocket, U_FLAGS] & FLAG_NOTICE != 0
    return called


@kernel
def is_liquidated(t: Tables, account: int) -> bool:
    """Say whether the account has a distressed unit."""
    found = t.units[account, U_SINCE_STEP] != NONE
    if t.venue[V_POCKETS_AT] != NONE:
        for market in range(t.venue[V_MARKETS]):
            pocket = t.venue[V_POCKETS_AT] + position_row(t, account, market)
            found = found or t.units[pocket, U_SINCE_STEP] != NONE
    return found


@kernel
def largest_lots(t: Tables, account: int, market: int, leverage: float) -> int:
    """Return the largest position the account may build in a market: see `Cohort.limits`."""
    here = lot_atoms(t, market)
    value_elsewhere = 0
    margin_elsewhere = 0
    for other in range(t.venue[V_MARKETS]):
        if other != market:
            value_elsewhere += held_atoms(t, other, t.positions[position_row(t, account, other), P_LOTS])
            margin_elsewhere += account_exposure_atoms(t, account, other)
    equity = float(max(account_equity_atoms(t, account), 0))
    value = max(leverage * equity - value_elsewhere, 0.0)
    margin = max(MARGIN_USED_MAX * equity - margin_elsewhere, 0.0)
    rate_ppm = rate_at_ppm(t, market, int(value))
    affordable = margin * PPM / rate_ppm
    return min(int(min(value, affordable) / here), t.venue[V_LOTS_MAX])


@kernel
def fullness(t: Tables, account: int, market: int, largest: int) -> float:
    """Return how far a position is towards the largest, from -1 (short) to 1 (long)."""
    held = t.positions[position_row(t, account, market), P_LOTS]
    return min(max(-1.0, held / max(largest, 1)), 1.0)


@kernel
def room_lots(t: Tables, account: int, market: int, side: int, largest: int) -> int:
    """Return how many lots may still be bought (side +1) or sold (-1) within `largest`, resting orders counted."""
    row = position_row(t, account, market)
    resting = t.positions[row, P_BIDS_LOTS] if side > 0 else t.positions[row, P_ASKS_LOTS]
    return max(largest - side * t.positions[row, P_LOTS] - resting, 0)
