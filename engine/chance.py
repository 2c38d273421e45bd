"""Draws of the venue itself: a number for each account, step and market, the same in every repetition (R-W82)."""

from __future__ import annotations

from .kernel import kernel

WORD = 2**32 - 1
# An odd factor below 2**31, so that no product of it with 32 bits exceeds int64 (a mixing step of hash functions).
FACTOR = 0x45D9F3B


@kernel
def draw(step: int, market: int, index_ticks: int, key: int) -> int:
    """Return a number from 0 to 2**32 - 1 that looks random and depends on nothing but the four given."""
    state = 0
    for word in (step, market, index_ticks, key & WORD, (key >> 32) & WORD):
        state = ((state ^ (word & WORD)) + FACTOR) & WORD
        for _ in range(2):
            state = (((state >> 16) ^ state) * FACTOR) & WORD
        state = (state >> 16) ^ state
    assert 0 <= state <= WORD
    return state
