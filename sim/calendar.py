"""Who wakes when: a calendar queue, in which a step costs what its wakers cost.

Each step has a stack of chunks with the traders who wake in it. A trader waits for one waking at a time: popped, they
act, and are put back for their next. When the k-th waking comes depends only on the seed, the trader's key and k, and
on the clock, if one runs faster at some hours than at others; never on other traders or on what happened to this one.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delever.agents.draw_kernels import Words, stream_roots, uniform
from delever.agents.draws import Stream
from delever.agents.elementary import SMALLEST_NORMAL, log, log_of
from delever.engine.kernel import kernel

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NONE = -1
WAKE = int(Stream.WAKE)
# A row of `chunks`: the next chunk of the same step (or of the free list), how many traders it holds, who they are.
# Sixteen words are two cache lines; a list of single traders would be a cache miss for each.
NEXT, FILLED, FIRST = 0, 1, 2
CHUNK_WORDS = 16
CHUNK_TRADERS = CHUNK_WORDS - FIRST
# Wakers are put in order by a bit for each of them, in words of so many; a bit of the storey above says which words.
BITS = 32
SHIFT = 5


class Calendar:
    """Wake-ups of n traders over steps 1 to `steps`.

    A trader is a number from 0 to n - 1; `keys` (n, all different) are their lasting identities. Numbers that follow
    one another form groups: group g is `bounds[g]` .. `bounds[g + 1]` - 1. `wakings` (n,) counts how often each has
    woken. Wakings after the last step are remembered and never come.
    """

    def __init__(
        self,
        seed: int,
        keys: ArrayLike,
        mean_steps: ArrayLike,
        steps: int,
        *,
        bounds: ArrayLike | None = None,
        wakings: Integers | None = None,
        clock: Floats | None = None,
        steady: ArrayLike = False,
    ) -> None:
        """Give everybody a first waking; `wakings` (n,), all zero, is counted in if it is given.

        The time from one waking to the next is exponential, rounded up to whole steps, with a rate that makes its mean
        exactly `mean_steps` (one number, or one per trader; 1 or more). With a `clock`, whose time at the end of each
        step is (steps + 1,) and never falls, that time is measured on it, except for traders that are `steady` (one
        bool, or one each). Raises ValueError if something does not fit.
        """
        self.keys: Integers = np.array(keys, dtype=np.int64)
        if self.keys.ndim != 1 or np.unique(self.keys).size != self.keys.size:
            raise ValueError("keys must be one column of integers that are all different")
        if steps < 0:
            raise ValueError(f"steps must not be negative (got {steps})")
        count = self.keys.size
        self.bounds: Integers = np.array([0, count] if bounds is None else bounds, dtype=np.int64)
        if self.bounds[0] != 0 or self.bounds[-1] != count or (np.diff(self.bounds) < 0).any():
            raise ValueError(f"bounds must rise from 0 to {count} (got {self.bounds.tolist()})")
        self.steps = steps
        self.now_step = 0
        """Last step popped."""
        self.wakings: Integers = np.zeros(count, dtype=np.int64) if wakings is None else wakings
        self._rates = np.ascontiguousarray(np.broadcast_to(wake_rates(mean_steps), (count,)))
        self._roots = stream_roots(seed)
        if clock is not None and (clock.shape != (steps + 1,) or (np.diff(clock) < 0.0).any()):
            raise ValueError(f"clock must be {steps + 1} times that never fall (got {clock.shape})")
        self._clock = clock
        self._steady = np.ascontiguousarray(np.broadcast_to(steady, (count,)), dtype=np.bool_)
        self._head: Integers = np.full(steps + 1, NONE, dtype=np.int64)
        # Full chunks, and one that is not for every step at which somebody may wake.
        chunks = count // CHUNK_TRADERS + min(count, steps + 1) + 1
        self._chunks: Integers = np.zeros((chunks, CHUNK_WORDS), dtype=np.int64)
        self._free: Integers = np.zeros(1, dtype=np.int64)
        free_all_chunks(self._chunks, self._free)
        self.wake_step: Integers = np.zeros(count, dtype=np.int64)
        """Step for which each trader waits; that of the last waking if it has been popped and not put back."""
        self._wakers: Integers = np.zeros(count, dtype=np.int64)
        self._local: Integers = np.zeros(count, dtype=np.int64)
        self._ends: Integers = np.zeros(len(self.bounds), dtype=np.int64)
        words = -(-count // BITS)
        self._words: Integers = np.zeros(words, dtype=np.int64)
        self._storey: Integers = np.zeros(-(-words // BITS), dtype=np.int64)
        self._popped = 0
        self._put_back(np.arange(count), 0)

    def pop(self, step: int) -> list[Integers]:
        """Move on to `step`, the next one, and return for each group its wakers, rising, counted from its first.

        The arrays are good until the next call.
        """
        if step != self.now_step + 1 or step > self.steps:
            raise ValueError(f"step must be {self.now_step + 1} and at most {self.steps} (got {step})")
        self._popped = pop_traders(
            self._head, self._chunks, self._free, step, self.bounds, self._words, self._storey, self._wakers,
            self._local, self._ends,
        )  # fmt: skip
        self.now_step = step
        ends = self._ends.tolist()
        return [self._local[ends[group] : ends[group + 1]] for group in range(len(ends) - 1)]

    def put_back(self) -> None:
        """Count the waking of everybody popped last, and let each wait for the next."""
        wakers = self._wakers[: self._popped]
        count_wakings(self.wakings, wakers)
        self._put_back(wakers, self.now_step)
        self._popped = 0

    def state(self) -> dict[str, Integers]:
        """Return copies of all that `restore` needs: wake_step (n,), wakings (n,) and now_step (1,)."""
        return {
            "wake_step": self.wake_step.copy(),
            "wakings": self.wakings.copy(),
            "now_step": np.array([self.now_step], dtype=np.int64),
        }

    def restore(self, state: dict[str, Integers]) -> None:
        """Go back to a `state()` of a calendar with as many traders and steps, taken when nobody was popped."""
        wake_step = np.asarray(state["wake_step"], dtype=np.int64)
        if wake_step.shape != self.wake_step.shape:
            raise ValueError(f"the state is of {wake_step.size} traders, the calendar has {self.wake_step.size}")
        self.now_step = int(state["now_step"][0])
        self.wakings[:] = state["wakings"]
        self.wake_step[:] = wake_step
        self._head[:] = NONE
        free_all_chunks(self._chunks, self._free)
        push_traders(self._head, self._chunks, self._free, self.wake_step, np.arange(wake_step.size))

    def _put_back(self, traders: Integers, step: int) -> None:
        waits = (self.wake_step, traders, self.wakings, self._roots, self.keys, self._rates, step)
        if self._clock is None:
            set_wake_steps(*waits)
        else:
            set_wake_steps_by_clock(*waits, self._clock, self._steady)
        push_traders(self._head, self._chunks, self._free, self.wake_step, traders)


def wake_rates(mean_steps: ArrayLike) -> Floats:
    """Return the rate of the exponential law whose numbers, rounded up, have these means; in their shape.

    Raises ValueError if a mean is below 1 or not finite.
    """
    means = np.asarray(mean_steps, dtype=np.float64)
    if means.size and not (means.min() >= 1.0 and means.max() < np.inf):
        raise ValueError(
            f"mean_steps must be 1 or more and finite (got {means.min()} to {means.max()}): "
            "a trader wakes at most once a step"
        )
    return -log(np.maximum(1.0 - 1.0 / means, SMALLEST_NORMAL))


@kernel
def count_wakings(wakings: Integers, traders: Integers) -> None:
    """Add 1 to the wakings of each trader."""
    for i in range(traders.shape[0]):
        wakings[traders[i]] += 1


@kernel
def set_wake_steps(
    wake_step: Integers, traders: Integers, wakings: Integers, roots: Words, keys: Integers, rates: Floats, step: int
) -> None:
    """Write the step of the next waking of each trader into `wake_step`: waking number `wakings`, after `step`."""
    for i in range(traders.shape[0]):
        trader = traders[i]
        wait = -log_of(uniform(roots, WAKE, keys[trader], wakings[trader], 0)) / rates[trader]
        wake_step[trader] = step + max(ceil(wait), 1)


@kernel
def set_wake_steps_by_clock(
    wake_step: Integers, traders: Integers, wakings: Integers, roots: Words, keys: Integers, rates: Floats, step: int,
    clock: Floats, steady: Bools,
) -> None:  # fmt: skip
    """Do as `set_wake_steps`, with waits measured on a clock: the first step at whose end one is over.

    On a clock that gains one in every step that is the same. A waking beyond the last step never comes.
    """
    for i in range(traders.shape[0]):
        trader = traders[i]
        wait = -log_of(uniform(roots, WAKE, keys[trader], wakings[trader], 0)) / rates[trader]
        if steady[trader]:
            wake_step[trader] = step + max(ceil(wait), 1)
            continue
        due = clock[step] + wait
        first, end = step + 1, clock.shape[0]
        while first < end:
            middle = (first + end) // 2
            if clock[middle] >= due:
                end = middle
            else:
                first = middle + 1
        wake_step[trader] = first


@kernel
def free_all_chunks(chunks: Integers, free: Integers) -> None:
    """Put every chunk on the free list."""
    for chunk in range(chunks.shape[0]):
        chunks[chunk, NEXT] = chunk + 1
    chunks[chunks.shape[0] - 1, NEXT] = NONE
    free[0] = 0


@kernel
def push_traders(head: Integers, chunks: Integers, free: Integers, wake_step: Integers, traders: Integers) -> None:
    """Add each trader to those of its step, if there is such a step; writes head, chunks and free."""
    for i in range(traders.shape[0]):
        step = wake_step[traders[i]]
        if step >= head.shape[0]:
            continue
        chunk = head[step]
        if chunk == NONE or chunks[chunk, FILLED] == CHUNK_TRADERS:
            fresh = free[0]
            assert fresh != NONE, "there are chunks for everybody"
            free[0] = chunks[fresh, NEXT]
            chunks[fresh, NEXT] = chunk
            chunks[fresh, FILLED] = 0
            head[step] = fresh
            chunk = fresh
        chunks[chunk, FIRST + chunks[chunk, FILLED]] = traders[i]
        chunks[chunk, FILLED] += 1


@kernel
def pop_traders(
    head: Integers, chunks: Integers, free: Integers, step: int, bounds: Integers, words: Integers, storey: Integers,
    wakers: Integers, local: Integers, ends: Integers,
) -> int:  # fmt: skip
    """Empty the chunks of `step` into `wakers`, rising, and return how many there are.

    `local` gets their numbers counted from the first of their group, `ends` (groups + 1,) where each group begins and
    ends in both. `words` and `storey` are all zero before and after.
    """
    chunk = head[step]
    head[step] = NONE
    while chunk != NONE:
        for place in range(FIRST, FIRST + chunks[chunk, FILLED]):
            trader = chunks[chunk, place]
            words[trader >> SHIFT] |= 1 << (trader & (BITS - 1))
            storey[trader >> (2 * SHIFT)] |= 1 << ((trader >> SHIFT) & (BITS - 1))
        after = chunks[chunk, NEXT]
        chunks[chunk, NEXT] = free[0]
        free[0] = chunk
        chunk = after
    count = 0
    for above in range(storey.shape[0]):
        marked = storey[above]
        storey[above] = 0
        word = above * BITS
        while marked:
            if marked & 1:
                count = _unfold(words, word, wakers, count)
            marked >>= 1
            word += 1
    group = 0
    ends[0] = 0
    for i in range(count):
        while wakers[i] >= bounds[group + 1]:
            group += 1
            ends[group] = i
        local[i] = wakers[i] - bounds[group]
    for rest in range(group + 1, ends.shape[0]):
        ends[rest] = count
    return count


@kernel
def _unfold(words: Integers, word: int, wakers: Integers, count: int) -> int:
    """Append the numbers of the set bits of a word to `wakers`, clear it, and return the new count."""
    bits = words[word]
    words[word] = 0
    number = word * BITS
    while bits:
        if bits & 1:
            wakers[count] = number
            count += 1
        bits >>= 1
        number += 1
    return count
