"""The payoff for whole columns: what `contract` computes for one position, for readers of the tables (R-U2, R-U5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tables import M_MULTIPLIER_ATOMS, V_INVERSE, Tables

Integers = NDArray[np.int64]
Column = int | Integers


def values_atoms(t: Tables, market: Column, lots: Integers, price_ticks: Column) -> Integers:
    """Return the value of |lots| at prices, (n,); `market` and prices are columns too, or numbers. Modifies nothing."""
    faces: Any = np.abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS]
    assert np.all(np.asarray(price_ticks) >= 1), "a value needs a price"
    values: Integers = faces // price_ticks if t.venue[V_INVERSE] else faces * price_ticks
    return values


def worths_atoms(t: Tables, market: Column, lots: Integers, price_ticks: Column) -> Integers:
    """Return the worth of signed lots at prices, (n,): differences are profits. Modifies nothing."""
    rising = -np.sign(lots) if t.venue[V_INVERSE] else np.sign(lots)
    worths: Integers = rising * values_atoms(t, market, lots, price_ticks)
    return worths


def entries_ticks(t: Tables, market: Column, lots: Integers, cost_atoms: Integers) -> Integers:
    """Return the average entry price of signed lots, rounded down, 0 without a position; (n,) (R-M3)."""
    faces: Any = np.abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS]
    paid = np.abs(cost_atoms)
    entries: Integers = faces // np.maximum(paid, 1) if t.venue[V_INVERSE] else paid // np.maximum(faces, 1)
    return entries
