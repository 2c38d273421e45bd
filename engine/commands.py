"""What may be asked of a venue: the columns of a command, its kinds and flags, and the answers.

A batch of commands is an int64 array of shape (n, COMMAND_COLUMNS). Refusals are data: each has its own code (R-O9).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

C_ACCOUNT = 0
C_MARKET = 1  # of DEPOSIT_ASSET and WITHDRAW_ASSET: the asset
C_KIND = 2
C_SIDE = 3  # +1 buy, -1 sell
C_LOTS = 4
C_PRICE_TICKS = 5
C_TRIGGER_TICKS = 6
C_FLAGS = 7
C_TAG = 8  # chosen by the trader; CANCEL and REPLACE find the newest order with it
C_AMOUNT = 9  # atoms, ppm or mode, by kind
C_CAUSE = 10  # liquidation that caused a forced order; 0 for everybody else
COMMAND_COLUMNS = 11

CAUSE_DISPOSAL = -1  # the insurance fund trades what it took over

FLAG_IOC = 1
FLAG_FOK = 2
FLAG_POST_ONLY = 4
FLAG_REDUCE_ONLY = 8
FLAG_BY_MARK = 16  # a waiting order watches the mark instead of the last trade
FLAG_FORCED = 32  # only the engine sets it


class Kind(IntEnum):
    """Kinds of command (R-O2, R-O9 to R-O11, R-C3)."""

    LIMIT = 1
    MARKET = 2
    STOP = 3
    TAKE_PROFIT = 4
    CANCEL = 5
    CANCEL_ALL = 6
    REPLACE = 7
    DEPOSIT = 8
    WITHDRAW = 9
    MOVE_MARGIN = 10
    SET_LEVERAGE = 11
    SET_MODE = 12
    DEPOSIT_ASSET = 13
    WITHDRAW_ASSET = 14


class Result(IntEnum):
    """Answers to a command; everything but OK is a refusal that changed nothing (R-O9)."""

    OK = 0
    ACCOUNT = 1
    MARKET = 2
    KIND = 3
    SIDE = 4
    LOTS = 5
    PRICE = 6
    TRIGGER = 7
    FLAGS = 8
    UNKNOWN_ORDER = 9
    COLLAR = 10
    NOT_REDUCING = 11
    WOULD_CROSS = 12
    NOT_FILLABLE = 13
    BOOK_FULL = 14
    ORDER_LIMIT = 15
    POSITION_LIMIT = 16
    MARGIN = 17
    AMOUNT = 18
    MODE = 19
    HALTED = 21
    EXPIRED = 22


Column = int | Sequence[int] | NDArray[np.int64]


def batch(
    count: int,
    *,
    account: Column,
    kind: Column,
    market: Column = 0,
    side: Column = 0,
    lots: Column = 0,
    price_ticks: Column = 0,
    trigger_ticks: Column = 0,
    flags: Column = 0,
    tag: Column = 0,
    amount: Column = 0,
) -> NDArray[np.int64]:
    """Return `count` commands as an int64 array (count, COMMAND_COLUMNS); every field is a scalar or a column."""
    commands = np.zeros((count, COMMAND_COLUMNS), dtype=np.int64)
    columns = (account, market, kind, side, lots, price_ticks, trigger_ticks, flags, tag, amount)
    for column, values in enumerate(columns):
        commands[:, column] = values
    return commands
