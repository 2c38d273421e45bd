"""Splitting whole lots over many at once: by weight, nobody beyond a cap, to the last lot (R-W83, R-W84).

The same functions split lots of a position over a seat and, in `delever allocate`, a sum of money over accounts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .kernel import kernel
from .tables import Table
from .units import muldiv_down

# Columns of a table of parts, one row for each who may have to give.
PART_CAP, PART_KEY, PART_DUE, PART_ROW = range(4)
PART_COLUMNS = 4
WEIGHT_BITS = 60


@kernel
def split(weights: NDArray[np.float64], parts: Table, first: int, count: int, amount: int, fair: bool) -> int:
    """Split `amount` over rows `first` .. `first + count - 1` by weight; return what nobody with a weight can take.

    `parts` (rows, 4) holds caps and keys; writes PART_DUE, and PART_ROW as scratch. Rows whose due is not 0 on entry
    are left out. What rounding down leaves over goes out one by one: to the largest weights, or, if `fair`, each to
    whoever then has given least for its weight (R-W84); ties by key.
    """
    assert amount >= 0
    shift = _shift(weights, first, count)
    left = amount
    while True:
        total = 0
        for row in range(first, first + count):
            if parts[row, PART_DUE] == 0:
                total += _whole(weights[row], shift)
        if total == 0 or left == 0:
            return left
        full = 0
        for row in range(first, first + count):
            weight = _whole(weights[row], shift) if parts[row, PART_DUE] == 0 else 0
            if weight > 0 and muldiv_down(left, weight, total) >= parts[row, PART_CAP]:
                parts[row, PART_DUE] = parts[row, PART_CAP]
                full += parts[row, PART_CAP]
        assert full <= left, "who is capped gives no more than its share"
        left -= full
        if full == 0:
            break
    waiting = 0
    given = 0
    for row in range(first, first + count):
        weight = _whole(weights[row], shift) if parts[row, PART_DUE] == 0 else 0
        if weight > 0:
            parts[row, PART_DUE] = muldiv_down(left, weight, total)
            assert parts[row, PART_DUE] < parts[row, PART_CAP]
            given += parts[row, PART_DUE]
            parts[first + waiting, PART_ROW] = row
            waiting += 1
    _hand_out(weights, parts, first, waiting, left - given, fair)
    return 0


@kernel
def _shift(weights: NDArray[np.float64], first: int, count: int) -> int:
    """Return by which power of two weights are scaled so that the sum of all, as whole numbers, is below 2**60."""
    largest = 0.0
    for row in range(first, first + count):
        largest = max(largest, weights[row])
    assert largest < np.inf, "a weight is a finite number"
    bits = 0
    while count >> bits:
        bits += 1
    return WEIGHT_BITS - bits - math.frexp(largest)[1]


@kernel
def _whole(weight: float, shift: int) -> int:
    """Return a weight as a whole number, rounded down; 0 for a weight that is not above zero."""
    return int(math.ldexp(weight, shift)) if weight > 0.0 else 0


@kernel
def _hand_out(weights: NDArray[np.float64], parts: Table, first: int, waiting: int, amount: int, fair: bool) -> None:
    """Give one each to the first of those waiting, a heap in PART_ROW from `first` on, until `amount` is used up."""
    assert 0 <= amount <= waiting
    for slot in range(waiting // 2 - 1, -1, -1):
        _sink(weights, parts, first, slot, waiting, fair)
    for _ in range(amount):
        assert waiting > 0, "what rounding left over is less than there are rows"
        row = parts[first, PART_ROW]
        parts[row, PART_DUE] += 1
        if not fair or parts[row, PART_DUE] == parts[row, PART_CAP]:
            waiting -= 1
            parts[first, PART_ROW] = parts[first + waiting, PART_ROW]
        _sink(weights, parts, first, 0, waiting, fair)


@kernel
def _sink(weights: NDArray[np.float64], parts: Table, first: int, slot: int, waiting: int, fair: bool) -> None:
    """Let a slot of the heap change places with the better of those below it as long as that comes before it."""
    while 2 * slot + 1 < waiting:
        below = 2 * slot + 1
        if below + 1 < waiting and _precedes(weights, parts, first + below + 1, first + below, fair):
            below += 1
        if not _precedes(weights, parts, first + below, first + slot, fair):
            return
        row = parts[first + below, PART_ROW]
        parts[first + below, PART_ROW] = parts[first + slot, PART_ROW]
        parts[first + slot, PART_ROW] = row
        slot = below


@kernel
def _precedes(weights: NDArray[np.float64], parts: Table, one: int, other: int, fair: bool) -> bool:
    """Say whether the row in slot `one` is to give before that in slot `other`."""
    left, right = parts[one, PART_ROW], parts[other, PART_ROW]
    first, second = weights[left], weights[right]
    if fair:
        first /= parts[left, PART_DUE] + 1
        second /= parts[right, PART_DUE] + 1
    if first != second:
        return first > second
    return parts[left, PART_KEY] < parts[right, PART_KEY]


def fill_queue(scores: NDArray[np.float64], parts: Table, amount: int) -> int:
    """Take `amount` from the rows in order, best score first, ties by key, each up to its cap; return what is left.

    `scores` (n,), `parts` (n, 4) with caps and keys; writes PART_DUE.
    """
    assert len(scores) == len(parts) and amount >= 0
    order = np.lexsort((parts[:, PART_KEY], -scores))
    caps = parts[order, PART_CAP]
    before = np.cumsum(caps) - caps
    parts[order, PART_DUE] = np.clip(amount - before, 0, caps)
    return amount - int(parts[:, PART_DUE].sum())


def spread(weights: NDArray[np.float64], caps: NDArray[np.float64], amount: float) -> NDArray[np.float64]:
    """Return what each gives of an amount that need not be whole, by weight, none beyond its cap (R-W83).

    The passes are those of `split`; where that rounds down to whole lots, money is given to the last digit there is.
    The sum falls short of `amount` if all with a weight are full.
    """
    assert weights.shape == caps.shape and amount >= 0
    due = np.zeros(len(caps))
    hungry = (weights > 0) & (caps > 0)
    while hungry.any() and amount > 0:
        share = amount * (weights / weights[hungry].sum())
        full = hungry & (share >= caps)
        if not full.any():
            due[hungry] = share[hungry]
            break
        due[full] = caps[full]
        amount = max(0.0, amount - float(caps[full].sum()))
        hungry &= ~full
    return due
