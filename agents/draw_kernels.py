"""The draws of draws.py one at a time, for kernels: the same bits from the same four numbers.

Compiled, words are unsigned 64-bit numbers; interpreted they are Python's integers, because NumPy's single numbers warn
of the overflow that scrambling relies on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config
from numpy.typing import NDArray

from delever.engine.kernel import kernel
from delever.engine.tables import V_MARKETS, Tables

from .draws import INCREMENT, MULTIPLIER_FIRST, MULTIPLIER_SECOND, WORD, Stream, mix_number, root

# Draws of one waking from one stream lie this far apart in k; nobody wakes so often.
DRAW_STRIDE = 2**40
# Number of the draw, in the stream of choices, that picks a market.
MARKET_DRAW = 1000
CHOICE = int(Stream.CHOICE)

Words = NDArray[np.uint64]


def stream_roots(seed: int) -> Words:
    """Return the scrambled (seed, stream) of every `Stream`, at the place of its number; kernels draw from these."""
    roots = np.zeros(max(stream for stream in Stream if stream < Stream.CUSTOM) + 1, dtype=np.uint64)
    for stream in Stream:
        if stream < Stream.CUSTOM:
            roots[stream] = root(seed, stream)
    return roots


if config.DISABLE_JIT:

    def trader_word(root: Any, key: int) -> Any:
        """Return the scrambled (seed, stream, key); `root` is an element of `stream_roots`."""
        return mix_number(int(root), int(key) & WORD)

    def uniform_of(word: Any, k: int) -> float:
        """Return the k-th uniform number in (0, 1) of a `trader_word`."""
        return ((mix_number(word, int(k) & WORD) >> 12) + 0.5) * 2.0**-52

else:
    INCREMENT_WORD, FIRST_WORD, SECOND_WORD = (
        np.uint64(number) for number in (INCREMENT, MULTIPLIER_FIRST, MULTIPLIER_SECOND)
    )
    SHIFT_12, SHIFT_27, SHIFT_30, SHIFT_31 = (np.uint64(places) for places in (12, 27, 30, 31))

    @kernel
    def _scrambled(word: Any) -> Any:
        """Return the output function of SplitMix64 of a word."""
        word += INCREMENT_WORD
        word = (word ^ (word >> SHIFT_30)) * FIRST_WORD
        word = (word ^ (word >> SHIFT_27)) * SECOND_WORD
        return word ^ (word >> SHIFT_31)

    @kernel
    def trader_word(root: Any, key: int) -> Any:
        """Return the scrambled (seed, stream, key); `root` is an element of `stream_roots`."""
        return _scrambled(np.uint64(key) ^ root)

    @kernel
    def uniform_of(word: Any, k: int) -> float:
        """Return the k-th uniform number in (0, 1) of a `trader_word`."""
        return (np.float64(_scrambled(word ^ np.uint64(k)) >> SHIFT_12) + 0.5) * 2.0**-52


@kernel
def uniform(roots: Words, stream: int, key: int, waking: int, draw: int) -> float:
    """Return draw number `draw` of a waking of a trader from a stream: what `Cohort.uniform` returns."""
    return uniform_of(trader_word(roots[stream], key), waking + draw * DRAW_STRIDE)


@kernel
def pick_market(t: Tables, roots: Words, key: int, waking: int) -> int:
    """Return the market a waker looks at this time: each equally likely (`Cohort.pick_market`)."""
    markets = t.venue[V_MARKETS]
    if markets == 1:
        return 0
    return int(uniform(roots, CHOICE, key, waking, MARKET_DRAW) * markets)
