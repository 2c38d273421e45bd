"""How far orders that are worked over time (meta-orders) move the price."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit

Floats = NDArray[np.float64]

BINS = 10
ORDERS_MIN = 100
ERROR_MAX = 0.1


def mean_impacts(volume_share: Floats, moved: Floats, bins: int = BINS) -> tuple[Floats, Floats, Floats]:
    """Return (size, mean impact, its standard error) of meta-orders in groups of equal number by size, (bins,) each.

    A single impact is mostly luck: only means say anything, and some may be below 0.
    """
    order = np.argsort(volume_share, kind="stable")
    groups = [part for part in np.array_split(order, bins) if len(part) > 1]
    sizes = np.array([np.exp(np.log(volume_share[part]).mean()) for part in groups])
    errors = np.array([moved[part].std(ddof=1) / len(part) ** 0.5 for part in groups])
    return sizes, np.array([moved[part].mean() for part in groups]), errors


def impact_exponent(volume_share: Floats, moved: Floats) -> float:
    """Return b of mean impact ~ size^b, by least squares of group means in multiples of their errors.

    Means below 0 count like all others: in a fit of logarithms they would drop out, and what is left of small orders
    would be good luck. NaN of too few meta-orders, or if b is not known to ERROR_MAX (standard error). Sato and
    Kanazawa, "Does the square-root price impact law hold universally?", arXiv 2411.13965 (2024).
    """
    if len(volume_share) < ORDERS_MIN:
        return float("nan")
    sizes, means, errors = mean_impacts(volume_share, moved)
    if not (errors > 0).all():
        return float(np.polyfit(np.log(sizes), np.log(means), 1)[0]) if (means > 0).all() else float("nan")
    middle = float(np.exp(np.log(sizes).mean()))
    start = (float(np.average(means, weights=errors**-2)), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            found, spread = curve_fit(_power, sizes / middle, means, start, sigma=errors, absolute_sigma=True)
        except RuntimeError:  # it does not converge: nothing grows as a power
            return float("nan")
    known = found[0] > 0 and spread[1, 1] ** 0.5 <= ERROR_MAX
    return float(found[1]) if known else float("nan")


def _power(size: Floats, scale: float, exponent: float) -> Floats:
    return scale * size**exponent
