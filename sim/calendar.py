"""Who wakes when: a calendar queue, in which a step costs what its wakers cost.

Each step has a linked list of the traders who wake in it (`head[step]`, `next_trader[trader]`). A trader
waits for one waking at a time: popped, they act, and are scheduled again. When the k-th waking comes depends
only on the seed, the trader's key and k (`wake_gaps`), never on other traders or on what happened to this
one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delever.agents.draws import Stream, exponential
from delever.agents.elementary import SMALLEST_NORMAL, log
from delever.engine.kernel import kernel

Integers = NDArray[np.int64]

NONE = -1


def wake_gaps(seed: int, keys: ArrayLike, k: ArrayLike, mean_steps: ArrayLike) -> Integers:
    """Return for each trader the steps from waking k - 1 to waking k (from the start, for k = 0); at least 1.

    An exponential time rounded up to whole steps; its rate is set so that the mean is `mean_steps` (>= 1)
    exactly. `keys`, `k` and `mean_steps` broadcast together. Raises a ValueError if a mean is below 1 or not
    finite.
    """
    means = np.asarray(mean_steps, dtype=np.float64)
    if means.size and not (means.min() >= 1.0 and means.max() < np.inf):
        raise ValueError(
            f"mean_steps must be 1 or more and finite (got {means.min()} to {means.max()}): "
            "a trader wakes at most once a step"
        )
    rate = -log(np.maximum(1.0 - 1.0 / means, SMALLEST_NORMAL))
    waits = exponential(seed, Stream.WAKE, keys, k) / rate
    return np.maximum(np.ceil(waits), 1.0).astype(np.int64)


class Calendar:
    """Wake-ups of n traders over steps 0 to `steps`.

    A trader is a row from 0 to n - 1; `keys` (n, all different) are their lasting identities. A waking after
    the last step is remembered and never popped. ValueErrors name the row or step that does not fit; nothing
    is changed then.
    """

    def __init__(self, keys: ArrayLike, steps: int) -> None:
        self.keys: Integers = np.array(keys, dtype=np.int64)
        if self.keys.ndim != 1 or np.unique(self.keys).size != self.keys.size:
            raise ValueError("keys must be one column of integers that are all different")
        if steps < 0:
            raise ValueError(f"steps must not be negative (got {steps})")
        self.steps = steps
        self.now_step = NONE
        """Last step popped."""
        self.head: Integers = np.full(steps + 1, NONE, dtype=np.int64)
        self.next_trader: Integers = np.full(self.keys.size, NONE, dtype=np.int64)
        self.wake_step: Integers = np.full(self.keys.size, NONE, dtype=np.int64)
        """Step for which each trader waits, NONE if for none."""

    def schedule(self, traders: ArrayLike, steps: ArrayLike) -> None:
        """Let each of `traders` wake at its step.

        The rows are all different and none of them waits; the steps come after the last popped.
        """
        rows = np.atleast_1d(np.asarray(traders, dtype=np.int64))
        wanted = np.array(np.broadcast_to(np.asarray(steps, dtype=np.int64), rows.shape))
        if rows.size == 0:
            return
        if rows.min() < 0 or rows.max() >= self.keys.size:
            raise ValueError(f"traders are rows 0 to {self.keys.size - 1} (got {rows.min()} to {rows.max()})")
        if wanted.min() <= self.now_step:
            raise ValueError(f"step {wanted.min()} is over: the calendar stands at step {self.now_step}")
        waiting = rows[self.wake_step[rows] != NONE]
        if waiting.size:
            raise ValueError(f"trader {waiting[0]} already waits for step {self.wake_step[waiting[0]]}")
        # Of a row named twice the later place stays; links of rows that do not wait are free for this.
        places = np.arange(rows.size)
        self.next_trader[rows] = places
        twice = rows[self.next_trader[rows] != places]
        if twice.size:
            raise ValueError(f"trader {twice[0]} is scheduled twice in one call")
        self.wake_step[rows] = wanted
        link_traders(self.head, self.next_trader, rows, wanted)

    def pop(self, step: int) -> Integers:
        """Move on to `step`, leaving nobody behind, and return the rows of its wakers by rising key."""
        if not self.now_step < step <= self.steps:
            raise ValueError(f"step must be from {self.now_step + 1} to {self.steps} (got {step})")
        skipped = np.flatnonzero(self.head[self.now_step + 1 : step] != NONE)
        if skipped.size:
            raise ValueError(f"step {step}: traders still wait for step {self.now_step + 1 + skipped[0]}")
        count = count_traders(self.head, self.next_trader, step)
        rows = np.empty(count, dtype=np.int64)
        unlink_traders(self.head, self.next_trader, step, rows)
        self.wake_step[rows] = NONE
        self.now_step = step
        return rows[np.argsort(self.keys[rows], kind="stable")]

    def state(self) -> dict[str, Integers]:
        """Return copies of all that `restore` needs: wake_step (n,) and now_step (1,)."""
        return {"wake_step": self.wake_step.copy(), "now_step": np.array([self.now_step], dtype=np.int64)}

    def restore(self, state: dict[str, Integers]) -> None:
        """Go back to a `state()` of a calendar with as many traders and steps."""
        wake_step = np.asarray(state["wake_step"], dtype=np.int64)
        if wake_step.shape != self.wake_step.shape:
            raise ValueError(f"the state is of {wake_step.size} traders, the calendar has {self.wake_step.size}")
        self.now_step = int(state["now_step"][0])
        self.wake_step[:] = wake_step
        self.head[:] = NONE
        rows = np.flatnonzero(wake_step != NONE)
        link_traders(self.head, self.next_trader, rows, wake_step[rows])


@kernel
def link_traders(head: Integers, next_trader: Integers, rows: Integers, steps: Integers) -> None:
    """Put each row at the front of the list of its step, if there is one; writes head and next_trader."""
    for place in range(rows.shape[0]):
        step = steps[place]
        if step < head.shape[0]:
            row = rows[place]
            next_trader[row] = head[step]
            head[step] = row


@kernel
def count_traders(head: Integers, next_trader: Integers, step: int) -> int:
    """Return the length of the list of `step`."""
    count = 0
    row = head[step]
    while row != NONE:
        count += 1
        assert count <= next_trader.shape[0], "the list of a step runs in a circle"
        row = next_trader[row]
    return count


@kernel
def unlink_traders(head: Integers, next_trader: Integers, step: int, rows: Integers) -> None:
    """Move the list of `step` to `rows`, which has its length; writes head and rows."""
    row = head[step]
    for place in range(rows.shape[0]):
        rows[place] = row
        row = next_trader[row]
    head[step] = NONE
