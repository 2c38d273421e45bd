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
        market, lots, mark = rows[i, K_MARKET], rows[i, K_LOTS], rows[i, K_MARK]
        assert lots != 0
        if numbers[X_KIND] == FILLABLE:
            equity, maintenance = health_atoms(t, rows[i, K_UNIT])
            spread = fillable_spread_atoms(
                equity, maintenance, rows[i, K_MAINTENANCE], numbers[X_FIRST], numbers[X_SECOND]
            )
            receives = (lots > 0) == (t.venue[V_INVERSE] == 0)
            value = max(0, rows[i, K_VALUE] - spread) if receives else rows[i, K_VALUE] + spread
            price = price_of_value(t, market, lots, 1, value, True)
        else:
            price = band_ticks(mark if numbers[X_KIND] == AROUND_MARK else t.markets[market, M_INDEX_TICKS], lots,
                               numbers[X_FIRST])  # fmt: skip
        prices[i] = max(1, min(t.markets[market, M_PRICE_MAX_TICKS] - 1, price))


@kernel
def band_ticks(price: int, lots: int, range_ppm: int) -> int:
    """Return a price less a range for closing longs, rounded up; plus the range for shorts, rounded down (R-W27)."""
    if lots > 0:
        return -(-price * (PPM - range_ppm) // PPM)
    return price * (PPM + range_ppm) // PPM
