"""Commands that move money and assets or change how a position is margined (R-O9 to R-O11, R-C3)."""

from __future__ import annotations

from .asset_columns import ASSET_ATOMS_MAX, ASSET_MARKET, H_ATOMS, NO_MARKET
from .assets import asset_value_atoms, credited_asset_atoms, post_asset, weighted_atoms
from .commands import Result
from .events import Code
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import equity_atoms, free_collateral_atoms, initial_atoms
from .tables import (
    A_FIRST_ORDER,
    NONE,
    O_ACCOUNT_NEXT,
    O_MARKET,
    OUTSIDE,
    P_INITIAL_PPM,
    P_ISOLATED,
    P_LOTS,
    POCKETS_SEARCH,
    POCKETS_STRICT,
    V_ACCOUNTS,
    V_ASSETS,
    V_GATE_UNTIL,
    V_HALTS,
    V_ISOLATED_ALLOWED,
    V_MARKETS,
    V_POCKETS,
    V_POCKETS_AT,
    V_SESSION,
    V_STEP,
    Tables,
)

OK = int(Result.OK)
MARGIN = int(Result.MARGIN)
HALTED = int(Result.HALTED)
AMOUNT = int(Result.AMOUNT)
MODE = int(Result.MODE)
BAD_MARKET = int(Result.MARKET)
DEPOSIT = int(Code.DEPOSIT)
WITHDRAW = int(Code.WITHDRAW)
MARGIN_IN = int(Code.MARGIN_IN)
MARGIN_OUT = int(Code.MARGIN_OUT)
AMOUNT_MAX_ATOMS = 2**53
MONEY_MAX_ATOMS = 2**61
PPM = 1_000_000


@kernel
def deposit(t: Tables, account: int, amount: int) -> int:
    """Bring money in from outside."""
    outside = t.venue[V_ACCOUNTS] + OUTSIDE
    if amount < 1 or amount > AMOUNT_MAX_ATOMS or amount - balance_atoms(t, outside) > MONEY_MAX_ATOMS:
        return AMOUNT
    post(t, outside, account, amount, DEPOSIT, 0)
    if t.venue[V_SESSION]:
        t.sessions[account] += amount
    return OK


@kernel
def withdraw(t: Tables, account: int, amount: int) -> int:
    """Take money out, as far as balance and free collateral go."""
    if amount < 1 or amount > AMOUNT_MAX_ATOMS:
        return AMOUNT
    if t.venue[V_HALTS] and t.venue[V_STEP] < t.venue[V_GATE_UNTIL]:
        return HALTED
    if min(free_collateral_atoms(t, account, NONE, 0, 0, 0), balance_atoms(t, account)) < amount:
        return MARGIN
    post(t, account, t.venue[V_ACCOUNTS] + OUTSIDE, amount, WITHDRAW, 0)
    if t.venue[V_SESSION]:
        t.sessions[account] -= amount
    return OK


@kernel
def deposit_asset(t: Tables, account: int, asset: int, amount: int) -> int:
    """Bring an asset in from outside (R-C3)."""
    if asset < 0 or asset >= t.venue[V_ASSETS] or t.assets[asset, ASSET_MARKET] == NO_MARKET:
        return BAD_MARKET
    outside = t.venue[V_ACCOUNTS] + OUTSIDE
    if amount < 1 or amount > AMOUNT_MAX_ATOMS:
        return AMOUNT
    if amount - t.holdings[outside, asset, H_ATOMS] > t.assets[asset, ASSET_ATOMS_MAX]:
        return AMOUNT
    before = credited_asset_atoms(t, account, asset)
    post_asset(t, outside, account, asset, amount, DEPOSIT, 0)
    if t.venue[V_SESSION]:
        t.sessions[account] += credited_asset_atoms(t, account, asset) - before
    return OK


@kernel
def withdraw_asset(t: Tables, account: int, asset: int, amount: int) -> int:
    """Take an asset out, as far as the holding goes and free collateral without it stays at or above zero (R-C3)."""
    if asset < 0 or asset >= t.venue[V_ASSETS] or t.assets[asset, ASSET_MARKET] == NO_MARKET:
        return BAD_MARKET
    if amount < 1 or amount > AMOUNT_MAX_ATOMS:
        return AMOUNT
    if t.venue[V_HALTS] and t.venue[V_STEP] < t.venue[V_GATE_UNTIL]:
        return HALTED
    held = t.holdings[account, asset, H_ATOMS]
    if held < amount:
        return MARGIN
    left = weighted_atoms(t, asset, asset_value_atoms(t, asset, held - amount))
    lost = credited_asset_atoms(t, account, asset) - left
    assert lost >= 0, "less of an asset never counts for more"
    if free_collateral_atoms(t, account, NONE, 0, 0, 0) < lost:
        return MARGIN
    post_asset(t, account, t.venue[V_ACCOUNTS] + OUTSIDE, asset, amount, WITHDRAW, 0)
    if t.venue[V_SESSION]:
        t.sessions[account] -= lost
    return OK


@kernel
def move_margin(t: Tables, account: int, market: int, amount: int) -> int:
    """Move money between the cross unit and the pocket of an isolated market (R-O10, R-A40, R-A41)."""
    row = account * t.venue[V_MARKETS] + market
    if amount == 0 or amount > AMOUNT_MAX_ATOMS or amount < -AMOUNT_MAX_ATOMS:
        return AMOUNT
    if t.positions[row, P_ISOLATED] == 0 or t.venue[V_POCKETS] == POCKETS_SEARCH:
        return MODE
    if amount < 0 and t.venue[V_POCKETS] == POCKETS_STRICT and t.positions[row, P_LOTS] != 0:
        return MODE
    pocket = t.venue[V_POCKETS_AT] + row
    if amount > 0:
        if min(free_collateral_atoms(t, account, NONE, 0, 0, 0), balance_atoms(t, account)) < amount:
            return MARGIN
        post(t, account, pocket, amount, MARGIN_IN, 0)
        return OK
    need = initial_atoms(t, account, market, t.positions[row, P_LOTS])
    if balance_atoms(t, pocket) < -amount or equity_atoms(t, pocket) + amount < need:
        return MARGIN
    post(t, pocket, account, -amount, MARGIN_OUT, 0)
    assert balance_atoms(t, pocket) >= 0
    return OK


@kernel
def set_leverage(t: Tables, account: int, market: int, initial_ppm: int) -> int:
    """Set the trader's own initial margin rate in a market (R-O11)."""
    if initial_ppm < 0 or initial_ppm > PPM:
        return AMOUNT
    row = account * t.venue[V_MARKETS] + market
    before = t.positions[row, P_INITIAL_PPM]
    free_before = free_collateral_atoms(t, account, NONE, 0, 0, 0)
    t.positions[row, P_INITIAL_PPM] = initial_ppm
    free_after = free_collateral_atoms(t, account, NONE, 0, 0, 0)
    if free_after < 0 and free_after < free_before:
        t.positions[row, P_INITIAL_PPM] = before
        return MARGIN
    return OK


@kernel
def set_mode(t: Tables, account: int, market: int, isolated: int) -> int:
    """Choose cross or isolated margin for a market without position or orders (R-O11, R-A41)."""
    if isolated != 0 and isolated != 1:
        return AMOUNT
    row = account * t.venue[V_MARKETS] + market
    if (isolated and t.venue[V_ISOLATED_ALLOWED] == 0) or t.positions[row, P_LOTS] != 0:
        return MODE
    if isolated == 0 and t.venue[V_POCKETS] == POCKETS_SEARCH:
        return MODE
    order = t.accounts[account, A_FIRST_ORDER]
    while order != NONE:
        if t.orders[order, O_MARKET] == market:
            return MODE
        order = t.orders[order, O_ACCOUNT_NEXT]
    if isolated == 0 and t.positions[row, P_ISOLATED]:
        left = balance_atoms(t, t.venue[V_POCKETS_AT] + row)
        if left > 0:
            post(t, t.venue[V_POCKETS_AT] + row, account, left, MARGIN_OUT, 0)
    t.positions[row, P_ISOLATED] = isolated
    return OK
