"""How far orders that are worked over time (meta-orders) move the price."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 10
ORDERS_MIN = 50


def mean_impacts(volume_share: Floats, moved: Floats, bins: int = BINS) -> tuple[Floats, Floats]:
    """Return (size, mean impact) of meta-orders in `bins` groups of equal number, by size; arrays (bins,).

    A single impact is mostly luck: only means say anything, and some may be below 0.
    """
    order = np.argsort(volume_share, kind="stable")
    groups = [part for part in np.array_split(order, bins) if len(part)]
    sizes = np.array([np.exp(np.log(volume_share[part]).mean()) for part in groups])
    return sizes, np.array([moved[part].mean() for part in groups])


def impact_exponent(volume_share: Floats, moved: Floats) -> float:
    """Return b of mean impact ~ size^b, fitted to the logarithms of group means above 0; NaN of too few meta-orders.

    Sato and Kanazawa, "Does the square-root price impact law hold universally?", arXiv 2411.13965 (2024).
    """
    if len(volume_share) < ORDERS_MIN:
        return float("nan")
    sizes, means = mean_impacts(volume_share, moved)
    above = means > 0
    if above.sum() < BINS // 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes[above]), np.log(means[above]), 1)[0])
