"""How unequal accounts are: the account values of a real venue, as multiples of their median.

Fitted to the 19,213 accounts with money among the 19,337 winners whom Hyperliquid deleveraged on 10 October 2025
(ConejoCapital/HyperMultiAssetedADL; account values are cash): quantiles up to 95 %, beyond that a Pareto tail. Hill
estimates of its exponent are 0.74 to 0.82 at 5 to 1 % of the accounts; the mean would be infinite, so that a world
needs `wealth_ratio_max`. The median was 958 dollars. Leverage fell with wealth: from a median of 1.0 at a tenth of the
median value to 0.2 at two hundred times of it, as value^-0.22 (leverages of 40 and more, artefacts of accounts with
next to no cash, left out); `retail` lets it fall as value^-0.25 above the median. `portfolio` draws it from the
quantiles of classes of wealth: in the largest accounts one in ten borrows, though the median falls on.
"""

from __future__ import annotations

import numpy as np

from .elementary import exp, log
from .quantiles import Floats

PROBABILITIES = np.array([0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95])
RATIOS = np.array([0.00044, 0.0156, 0.046, 0.296, 0.581, 1.0, 1.91, 6.37, 46.2, 189.0])
TAIL_EXPONENT = 0.78

LEVERAGE_PROBABILITIES = np.array([0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
CLASS_RATIOS = np.array([0.1, 1.0, 10.0, 100.0, 1_000.0])
"""Ends of the classes of wealth, as multiples of the median account value, ..."""
LEVERAGES = np.array(
    [
        [0.0366, 0.137, 0.227, 0.553, 1.46, 3.97, 8.02, 11.3, 24.5],
        [0.0084, 0.0772, 0.112, 0.212, 0.545, 0.922, 2.52, 4.96, 12.5],
        [0.00285, 0.00452, 0.00843, 0.117, 0.286, 0.774, 1.49, 2.78, 7.75],
        [0.00303, 0.00568, 0.00593, 0.0967, 0.26, 0.736, 1.54, 2.84, 6.42],
        [0.00557, 0.0171, 0.0321, 0.0794, 0.189, 0.59, 1.45, 2.25, 5.07],
        [0.00347, 0.0143, 0.0234, 0.0509, 0.144, 0.437, 1.37, 2.02, 3.02],
    ]
)
"""... and quantiles of leverage in each, from the same accounts."""


def measured_ratios(uniform: Floats) -> Floats:
    """Return multiples of the median for uniform numbers in (0, 1); straight in the logarithm between the quantiles."""
    levels = log(RATIOS)
    upper = np.clip(np.searchsorted(PROBABILITIES, uniform), 1, len(RATIOS) - 1)
    low, high = PROBABILITIES[upper - 1], PROBABILITIES[upper]
    way = np.clip((uniform - low) / (high - low), 0.0, 1.0)
    body = levels[upper - 1] + way * (levels[upper] - levels[upper - 1])
    share = 1.0 - PROBABILITIES[-1]
    return exp(body + log(share / np.minimum(1.0 - uniform, share)) / TAIL_EXPONENT)


def measured_leverages(uniform: Floats, ratio: Floats) -> Floats:
    """Return the value of all positions over equity, for uniform numbers in (0, 1) and multiples of the median wealth.

    Straight in the logarithm between the quantiles of the class of wealth, the outermost beyond them.
    """
    levels = log(LEVERAGES)[np.searchsorted(CLASS_RATIOS, ratio, side="right")]
    inside = np.minimum(np.maximum(uniform, LEVERAGE_PROBABILITIES[0]), LEVERAGE_PROBABILITIES[-1])
    upper = np.clip(np.searchsorted(LEVERAGE_PROBABILITIES, inside), 1, len(LEVERAGE_PROBABILITIES) - 1)
    low, high = LEVERAGE_PROBABILITIES[upper - 1], LEVERAGE_PROBABILITIES[upper]
    everybody = np.arange(len(upper))
    first, last = levels[everybody, upper - 1], levels[everybody, upper]
    return exp(first + (inside - low) / (high - low) * (last - first))
