"""What closing by force did to a fund and to a price, from the stored series of one market.

`series` has one row per recorded step, in order; record every step if nothing is to be missed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def open_loss_atoms(series: pd.DataFrame) -> Floats:
    """Return the unrealised loss of the fund on positions it took over and has not sold, at least 0, in atoms, (n,)."""
    gap = series["fund_balance_atoms"] - series["fund_equity_atoms"]
    return np.maximum(0.0, gap.to_numpy(dtype=np.float64))


def premium(series: pd.DataFrame, window_s: int, multiplier_atoms: int) -> Floats:
    """Return volume-weighted price / index - 1 over the `window_s` seconds up to each row, (n,); below 0 a discount.

    All trades of the window count by their size: one lot in an empty book is not a price. 0 where nothing traded.
    `multiplier_atoms` is the value of a lot at a price of one tick, of a linear contract.
    """
    rows = _rows_of(series, window_s)
    at_index = series["volume_lots"] * series["index_ticks"] * float(multiplier_atoms)
    traded = series["volume_atoms"].astype(np.float64).rolling(rows, min_periods=1).sum()
    ratio = traded / at_index.rolling(rows, min_periods=1).sum()
    return ratio.fillna(1.0).to_numpy(dtype=np.float64) - 1.0


def lowest_price(series: pd.DataFrame, window_s: int, multiplier_atoms: int, rows: NDArray[np.bool_]) -> float:
    """Return the lowest volume-weighted price of `window_s` seconds that end in one of `rows`, in ticks.

    All trades of the window count by their size; windows without any do not count, NaN if there is no other.
    """
    count = _rows_of(series, window_s)
    lots = series["volume_lots"].astype(np.float64).rolling(count, min_periods=1).sum()
    paid = series["volume_atoms"].astype(np.float64).rolling(count, min_periods=1).sum()
    return float((paid / lots.where(lots > 0) / multiplier_atoms)[rows].min())


def _rows_of(series: pd.DataFrame, window_s: int) -> int:
    """Return how many rows a window has, at least 1."""
    times = series["time_s"].to_numpy()
    return 1 if len(times) < 2 else max(1, int(window_s // (times[1] - times[0])))


def refill_s(series: pd.DataFrame) -> float:
    """Return the seconds from the fund's lowest equity until it is above that of the first row; NaN if it never is."""
    equity = series["fund_equity_atoms"].to_numpy(dtype=np.float64)
    times = series["time_s"].to_numpy(dtype=np.float64)
    lowest = int(equity.argmin())
    above = np.flatnonzero(equity[lowest:] > equity[0])
    return float(times[lowest + above[0]] - times[lowest]) if len(above) else float("nan")
