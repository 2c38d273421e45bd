"""What a practitioner looks at first: how long a market remembers, and how its book fills with the distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.experiments.metrics.returns import autocorrelation, log_returns

from .observed import BANDS_BP, LADDER_BP, Observed

Floats = NDArray[np.float64]

LAGS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
"""Minutes, or market orders."""
SIGN_LAGS = tuple(lag for lag in LAGS if lag <= 100)
NORM_BP = 10.0
"""Depth is told as a multiple of what rests within so much of the best price on one side, mean of both."""


class Curves(NamedTuple):
    """Curves of one market; NaN where it does not tell."""

    sizes: Floats
    """Autocorrelation of absolute one-minute returns at LAGS, (18,)."""
    returns: Floats
    """The same of returns."""
    signs: Floats
    """Autocorrelation of signs of market orders at SIGN_LAGS, (12,)."""
    depth: Floats
    """Size within BANDS_BP over that within NORM_BP, mean of both sides, (4,)."""
    bids: Floats
    """Size within LADDER_BP of the best bid over that within NORM_BP, (50,)."""
    asks: Floats


def curves_of(seen: Observed) -> Curves:
    """Return the curves of a market."""
    moves = log_returns(seen.minutes.close)
    signs = np.empty(0) if seen.orders is None else seen.orders["sign"].to_numpy(dtype=np.float64)
    depth = np.full(len(BANDS_BP), np.nan) if seen.depth is None else seen.depth
    norm = depth[BANDS_BP == NORM_BP].item() or np.nan
    bids, asks = np.full((2, len(LADDER_BP)), np.nan) if seen.ladder is None else seen.ladder
    return Curves(
        np.array([autocorrelation(np.abs(moves), lag) for lag in LAGS]),
        np.array([autocorrelation(moves, lag) for lag in LAGS]),
        np.array([autocorrelation(signs, lag) for lag in SIGN_LAGS]),
        depth / norm, bids / norm, asks / norm,
    )  # fmt: skip


def as_lists(curves: Curves) -> dict[str, list[float]]:
    """Return curves as a run keeps them."""
    return {name: values.tolist() for name, values in curves._asdict().items()}


def stacked(found: Sequence[dict[str, Any]]) -> Curves:
    """Return the curves of several runs, as `as_lists` gave them, with a first axis for the runs."""
    return Curves(*(np.array([one[name] for one in found], dtype=np.float64) for name in Curves._fields))
