"""Limit prices of forced orders (R-W26, R-W27)."""

from __future__ import annotations

import numpy as np

from .contract import price_of_value
from .formulas_liquidation import fillable_spread_atoms
from .kernel import kernel
from .margin import health_atoms
from .rounds import K_LOTS, K_MAINTENANCE, K_MARK, K_MARKET, K_UNIT, K_VALUE
from .rules.terms import Band, Fillable, Limit
from .tables import M_INDEX_TICKS, M_PRICE_MAX_TICKS, V_INVERSE, Table, Tables
from .units import PPM

FILLABLE, AROUND_MARK, AROUND_INDEX = range(3)
X_KIND, X_FIRST, X_SECOND = range(3)


def numbers_of(limit: Limit) -> Table:
    """Return kind and numbers of a limit rule."""
    if isinstance(limit, Fillable):
        return np.array([FILLABLE, limit.adjustment_ppm, limit.spread_ppm], dtype=np.int64)
    assert isinstance(limit, Band)
    return np.array([AROUND_MARK if limit.around == "mark" else AROUND_INDEX, limit.range_ppm, 0], dtype=np.int64)


@kernel
def limit_ticks(t: Tables, numbers: Table, rows: Table, prices: Table) -> None:
    """Write the limit of the order that closes each position into `prices` (n,), within 1 .. price_max - 1.

    rows: (n, CLOSING_COLUMNS). Rounded towards the mark: up for sells, down for buys.
    """
    for i in range(rows.shape[0]):
        price = limit_of(t, numbers, rows[i], 1)
        prices[i] = max(1, min(t.markets[rows[i, K_MARKET], M_PRICE_MAX_TICKS] - 1, price))


@kernel
def limit_of(t: Tables, numbers: Table, row: Table, parts: int) -> int:
    """Return the limit of the order that closes a position in ticks / `parts`, rounded likewise, not bounded.

    With a million parts it is what a venue shows before it rounds to a tick.
    """
    market, lots = row[K_MARKET], row[K_LOTS]
    assert lots != 0
    if numbers[X_KIND] == FILLABLE:
        equity, maintenance = health_atoms(t, row[K_UNIT])
        spread = fillable_spread_atoms(equity, maintenance, row[K_MAINTENANCE], numbers[X_FIRST], numbers[X_SECOND])
        receives = (lots > 0) == (t.venue[V_INVERSE] == 0)
        value = max(0, row[K_VALUE] - spread) if receives else row[K_VALUE] + spread
        return price_of_value(t, market, lots, parts, value, True)
    around = row[K_MARK] if numbers[X_KIND] == AROUND_MARK else t.markets[market, M_INDEX_TICKS]
    return band_ticks(around * parts, lots, numbers[X_FIRST])


@kernel
def band_ticks(price: int, lots: int, range_ppm: int) -> int:
    """Return a price less a range for closing longs, rounded up; plus the range for shorts, rounded down (R-W27)."""
    if lots > 0:
        return -(-price * (PPM - range_ppm) // PPM)
    return price * (PPM + range_ppm) // PPM
