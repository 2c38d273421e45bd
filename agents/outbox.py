"""Kernels that write commands: each takes the batch and the next free row, and returns the next free row.

The batch is int64 (rows, COMMAND_COLUMNS). Orders of no lots are left out.
"""

from __future__ import annotations

from delever.engine.commands import (
    C_ACCOUNT,
    C_AMOUNT,
    C_CAUSE,
    C_FLAGS,
    C_KIND,
    C_LOTS,
    C_MARKET,
    C_PRICE_TICKS,
    C_SIDE,
    C_TAG,
    C_TRIGGER_TICKS,
    FLAG_BY_MARK,
    FLAG_REDUCE_ONLY,
    Kind,
)
from delever.engine.kernel import kernel
from delever.engine.tables import (
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_ISOLATED,
    P_LOTS,
    POCKETS_SEARCH,
    V_POCKETS,
    Table,
    Tables,
)

from .account import position_row

LIMIT, MARKET, STOP, TAKE_PROFIT = int(Kind.LIMIT), int(Kind.MARKET), int(Kind.STOP), int(Kind.TAKE_PROFIT)
CANCEL_ALL, SET_MODE = int(Kind.CANCEL_ALL), int(Kind.SET_MODE)
STOP_FLAGS = FLAG_BY_MARK | FLAG_REDUCE_ONLY


@kernel
def write_command(
    out: Table, row: int, account: int, market: int, kind: int, side: int, lots: int, price_ticks: int,
    trigger_ticks: int, flags: int, amount: int,
) -> int:  # fmt: skip
    """Write one command of any kind."""
    assert row < out.shape[0], "a trader has more commands than the batch has room for"
    out[row, C_ACCOUNT] = account
    out[row, C_MARKET] = market
    out[row, C_KIND] = kind
    out[row, C_SIDE] = side
    out[row, C_LOTS] = lots
    out[row, C_PRICE_TICKS] = price_ticks
    out[row, C_TRIGGER_TICKS] = trigger_ticks
    out[row, C_FLAGS] = flags
    out[row, C_TAG] = 0
    out[row, C_AMOUNT] = amount
    out[row, C_CAUSE] = 0
    return row + 1


@kernel
def write_limit(
    out: Table, row: int, account: int, market: int, side: int, lots: int, price_ticks: int, flags: int
) -> int:
    """Write a limit order."""
    if lots <= 0:
        return row
    return write_command(out, row, account, market, LIMIT, side, lots, price_ticks, 0, flags, 0)


@kernel
def write_market(out: Table, row: int, account: int, market: int, side: int, lots: int, flags: int) -> int:
    """Write a market order."""
    if lots <= 0:
        return row
    return write_command(out, row, account, market, MARKET, side, lots, 0, 0, flags, 0)


@kernel
def write_stop(out: Table, row: int, account: int, market: int, side: int, lots: int, trigger_ticks: int) -> int:
    """Write a stop-loss: a reduce-only market order that waits for the mark to go against the position."""
    if lots <= 0:
        return row
    return write_command(out, row, account, market, STOP, side, lots, 0, trigger_ticks, STOP_FLAGS, 0)


@kernel
def write_take_profit(out: Table, row: int, account: int, market: int, side: int, lots: int, trigger_ticks: int) -> int:
    """Write a take-profit: a reduce-only market order that waits for the mark to go the position's way."""
    if lots <= 0:
        return row
    return write_command(out, row, account, market, TAKE_PROFIT, side, lots, 0, trigger_ticks, STOP_FLAGS, 0)


@kernel
def write_cancel_all(out: Table, row: int, account: int, market: int) -> int:
    """Write the cancelling of all resting and waiting orders in a market."""
    return write_command(out, row, account, market, CANCEL_ALL, 0, 0, 0, 0, 0, 0)


@kernel
def write_amount(out: Table, row: int, account: int, market: int, kind: int, amount: int) -> int:
    """Write a command that is a kind and an amount: money, a margin rate, or a mode."""
    return write_command(out, row, account, market, kind, 0, 0, 0, 0, 0, amount)


@kernel
def write_use_cross(t: Tables, out: Table, row: int, account: int, market: int) -> int:
    """Write the choice of cross margin where the market is isolated and nothing is in it yet (`Cohort.use_cross`).

    Where every position has a pocket (R-A41) there is no such choice.
    """
    if t.venue[V_POCKETS] == POCKETS_SEARCH:
        return row
    positions, place = t.positions, position_row(t, account, market)
    empty = positions[place, P_LOTS] == 0 and positions[place, P_BIDS_LOTS] == 0 and positions[place, P_ASKS_LOTS] == 0
    if not (empty and positions[place, P_ISOLATED]):
        return row
    return write_amount(out, row, account, market, SET_MODE, 0)
