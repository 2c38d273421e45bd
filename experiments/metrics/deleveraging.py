"""Auto-deleveraging in time and across coins and accounts, from who was closed when, and by whom.

Counted as in the public record of 10 October 2025 (ConejoCapital/HyperMultiAssetedADL): a fill by which a position is
liquidated, in the book or by a takeover, stands there twice, once for each side; a pair that is deleveraged once, for
the side that is liquidated. So all entries of the timeline less those of deleveraging are even, and "deleveraged over
liquidated notional" of the record is that of these sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SIDES_LISTED = 2
"""Entries of a fill by which a position is liquidated; a deleveraged pair has one."""


class Closed(NamedTuple):
    """Positions closed by force, in order: forced fills, takeovers, deleveraged pairs; all arrays (n,)."""

    time_s: Floats
    is_adl: Bools
    notional: Floats
    """Value at the price of the fill, in quote."""
    coin: Ints
    by_backstop: Bools
    """Whether the account that is closed is the backstop's."""
    profit: Floats
    """What the counterparty of a deleveraged pair realises, in quote; NaN for other rows and where it is not known."""
    counterparty: Ints
    """Account of it."""


def part(closed: Closed, rows: Bools) -> Closed:
    """Return some of the rows."""
    return Closed(
        closed.time_s[rows], closed.is_adl[rows], closed.notional[rows], closed.coin[rows], closed.by_backstop[rows],
        closed.profit[rows], closed.counterparty[rows],
    )  # fmt: skip


def entries(closed: Closed) -> Ints:
    """Return how often each row stands in the public record, (n,)."""
    return np.where(closed.is_adl, 1, SIDES_LISTED)


def adl_ratio(closed: Closed) -> float:
    """Return deleveraged over liquidated notional as the record counts them; NaN if nothing was closed."""
    listed = closed.notional * entries(closed)
    return float(listed[closed.is_adl].sum() / listed.sum()) if listed.sum() > 0 else float("nan")


def first_adl_delay_s(closed: Closed) -> float:
    """Return the seconds from the first liquidation to the first deleveraged pair; NaN without any."""
    if not closed.is_adl.any():
        return float("nan")
    return float(closed.time_s[closed.is_adl].min() - closed.time_s.min())


def half_of_fills_s(closed: Closed) -> float:
    """Return the seconds from the first liquidation until half of the record's entries were made; NaN without any."""
    if not len(closed.time_s):
        return float("nan")
    order = np.argsort(closed.time_s, kind="stable")
    made = np.cumsum(entries(closed)[order])
    half = int(np.searchsorted(made, 0.5 * made[-1]))
    return float(closed.time_s[order][half] - closed.time_s.min())


def largest_share(groups: NDArray[np.generic], values: Floats, count: int) -> float:
    """Return the share of the sum of `values` that the `count` largest groups have; NaN if the sum is 0."""
    if not values.sum() > 0:
        return float("nan")
    _, place = np.unique(groups, return_inverse=True)
    sums = np.sort(np.bincount(place, weights=values))[::-1]
    return float(sums[:count].sum() / values.sum())


def profitable_share(closed: Closed) -> float:
    """Return the share of deleveraged pairs whose counterparty realises a profit; NaN if none is known."""
    known = closed.profit[~np.isnan(closed.profit)]
    return float((known > 0).mean()) if len(known) else float("nan")


def backstop_share(closed: Closed) -> float:
    """Return the share of deleveraged notional that closed positions of the backstop; NaN without any."""
    adl = part(closed, closed.is_adl)
    return float(adl.notional[adl.by_backstop].sum() / adl.notional.sum()) if len(adl.time_s) else float("nan")
