"""Integer shares: an amount split in proportion to weights, exactly, with a named rule for the atoms left over."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Receiver = Literal["largest", "first", "last"]


def floor_shares(amount: int, weights: Integers) -> Integers:
    """Return amount * weight // sum of weights, for amount <= that sum; weights are at least 0 and not all 0."""
    total = sum(weights.tolist())
    assert amount >= 0 and total > 0
    if amount * int(weights.max()) < 2**63:
        return amount * weights // total
    # in Python's integers, which do not overflow
    return np.array([amount * weight // total for weight in weights.tolist()], dtype=np.int64)


def split(amount: int, weights: Integers, limits: Integers, receiver: Receiver) -> Integers:
    """Split an amount pro rata to weights, nobody above its limit; the shares add up to it exactly.

    Who would get more than its limit gets the limit, and the rest is split anew among the others. Shares are rounded
    down; the atoms left over go to the `receiver` among those below their limit: one each in the order given
    (`largest`: it is the order of the weights), or all to the first or last as far as its limit goes, then to the next.
    """
    assert (weights > 0).all() and (limits >= 0).all() and 0 <= amount <= sum(limits.tolist())
    shares = np.zeros_like(weights)
    open_to = np.ones(len(weights), dtype=bool)
    left = amount
    while left > 0:
        found = floor_shares(left, weights[open_to]) if open_to.any() else shares[:0]
        full = np.flatnonzero(open_to)[found >= limits[open_to]]
        if len(full) == 0:
            shares[open_to] = found
            break
        shares[full] = limits[full]
        open_to[full] = False
        left -= sum(limits[full].tolist())
        assert left >= 0
    _give(amount - sum(shares.tolist()), shares, limits, receiver)
    assert sum(shares.tolist()) == amount and (shares <= limits).all() and (shares >= 0).all()
    return shares


def _give(left: int, shares: Integers, limits: Integers, receiver: Receiver) -> None:
    """Give the atoms left over to the receiver; modifies `shares`."""
    places = range(len(shares)) if receiver != "last" else range(len(shares) - 1, -1, -1)
    for place in places:
        if left == 0:
            break
        room = int(limits[place] - shares[place])
        atoms = min(left, room, 1) if receiver == "largest" else min(left, room)
        shares[place] += atoms
        left -= atoms
    assert left == 0, "there are fewer atoms left over than receivers below their limit"
