"""The commands of the engine itself: orders that close positions (R-W4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .commands import C_CAUSE, FLAG_FOK, FLAG_FORCED, FLAG_IOC, FLAG_REDUCE_ONLY, Column, Kind, batch

FORCED_FLAGS = FLAG_FORCED | FLAG_IOC | FLAG_REDUCE_ONLY
FORCED_FOK_FLAGS = FLAG_FORCED | FLAG_FOK | FLAG_REDUCE_ONLY
Rows = NDArray[np.int64]


def forced_orders(
    account: Column, market: Column, side: Rows, lots: Rows, price: Column, cause: Column, flags: Column = FORCED_FLAGS
) -> Rows:
    """Return reduce-only LIMIT commands marked as forced, with their cause; immediate-or-cancel unless flags differ."""
    commands = batch(
        len(lots), account=account, market=market, kind=Kind.LIMIT, side=side, lots=lots, price_ticks=price,
        flags=flags,
    )  # fmt: skip
    commands[:, C_CAUSE] = cause
    return commands
