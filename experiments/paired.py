"""Paired comparison: each measure per rule set, and its difference to the first rule set on the same seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

CONFIDENCE = 0.95
METHOD = "mean of the paired differences with the 95 % interval of Student's t"


class Difference(NamedTuple):
    """Mean of paired differences and its interval; the ends are NaN if there are fewer than two seeds."""

    mean: float
    low: float
    high: float


class Spread(NamedTuple):
    """Median and 5th and 95th percentile over seeds."""

    median: float
    low: float
    high: float


class Row(NamedTuple):
    """One measure under one rule set; `difference` is None for the rule set that others are compared with."""

    measure: str
    rules: str
    spread: Spread
    difference: Difference | None


def spread(values: NDArray[np.float64]) -> Spread:
    """Return median, 5th and 95th percentile (linear interpolation)."""
    low, median, high = np.percentile(values, [5, 50, 95])
    return Spread(float(median), float(low), float(high))


def paired_difference(values: NDArray[np.float64], base: NDArray[np.float64]) -> Difference:
    """Return the mean of `values - base` with its 95 % interval from Student's t distribution.

    Both arrays are ordered by seed. Differences that are all the same have an interval of no width: if all are
    exactly 0, all three numbers are exactly 0. One seed has no interval.
    """
    gaps = values - base
    mean = float(gaps.mean())
    if len(gaps) < 2:
        return Difference(mean, float("nan"), float("nan"))
    if np.ptp(gaps) == 0:
        return Difference(float(gaps[0]), float(gaps[0]), float(gaps[0]))
    half = float(stdtrit(len(gaps) - 1, 0.5 + CONFIDENCE / 2) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
    return Difference(mean, mean - half, mean + half)


def compare(runs: pd.DataFrame, measures: list[str]) -> list[Row]:
    """Return a row per measure and rule set, in the order of `measures` and of first appearance in `runs`.

    `runs` has the columns rules, seed and every measure, one row per run. The first rule set is the base. Only seeds
    that every rule set has are used, so that all differences are paired.
    """
    names = list(dict.fromkeys(runs["rules"]))
    counts = runs.groupby("seed")["rules"].nunique()
    shared = runs[runs["seed"].isin(counts.index[counts == len(names)])].sort_values("seed")
    rows = []
    for measure in measures:
        columns = {name: shared.loc[shared["rules"] == name, measure].to_numpy(dtype=np.float64) for name in names}
        if any(len(values) == 0 for values in columns.values()):
            continue
        for name in names:
            difference = None if name == names[0] else paired_difference(columns[name], columns[names[0]])
            rows.append(Row(measure, name, spread(columns[name]), difference))
    return rows
