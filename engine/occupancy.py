"""Which ticks of a ladder hold orders: a bit map in storeys, so that the next occupied tick is found in a few steps.

One row of `occupied` per market; a word holds 32 bits (in int64, so that no sign bit is in the way). Storey 0 has one
bit a tick, each higher storey one bit a word of the storey below. Four storeys reach 32**4 = 1,048,576 ticks.
"""

from __future__ import annotations

from .kernel import kernel
from .tables import NONE, Table

BITS = 32
SHIFT = 5
STOREYS = 4


def words_needed(ticks: int) -> int:
    """Return the words of one row for so many ticks, all storeys."""
    total = 0
    for _ in range(STOREYS):
        ticks = -(-ticks // BITS)
        total += ticks
    return total + 1


@kernel
def _storey_words(occupied: Table, market: int) -> int:
    """Return the words of storey 0, kept in the first word of the row."""
    return occupied[market, 0]


@kernel
def _lowest_bit(word: int) -> int:
    """Return the number of the lowest set bit of a word that is not zero."""
    assert word > 0
    position = 0
    if word & 0xFFFF == 0:
        word >>= 16
        position += 16
    if word & 0xFF == 0:
        word >>= 8
        position += 8
    if word & 0xF == 0:
        word >>= 4
        position += 4
    if word & 0x3 == 0:
        word >>= 2
        position += 2
    if word & 0x1 == 0:
        position += 1
    return position


@kernel
def _highest_bit(word: int) -> int:
    """Return the number of the highest set bit of a word that is not zero."""
    assert word > 0
    position = 0
    if word >> 16:
        word >>= 16
        position += 16
    if word >> 8:
        word >>= 8
        position += 8
    if word >> 4:
        word >>= 4
        position += 4
    if word >> 2:
        word >>= 2
        position += 2
    if word >> 1:
        position += 1
    return position


@kernel
def occupy(occupied: Table, market: int, tick: int) -> None:
    """Mark a tick as occupied."""
    assert 0 <= tick < _storey_words(occupied, market) * BITS
    base = 1
    words = _storey_words(occupied, market)
    for _ in range(STOREYS):
        occupied[market, base + (tick >> SHIFT)] |= 1 << (tick & (BITS - 1))
        tick >>= SHIFT
        base += words
        words = (words + BITS - 1) >> SHIFT


@kernel
def clear(occupied: Table, market: int, tick: int) -> None:
    """Mark a tick as empty."""
    assert 0 <= tick < _storey_words(occupied, market) * BITS
    base = 1
    words = _storey_words(occupied, market)
    for _ in range(STOREYS):
        word = base + (tick >> SHIFT)
        occupied[market, word] &= ~(1 << (tick & (BITS - 1)))
        if occupied[market, word] != 0:
            return
        tick >>= SHIFT
        base += words
        words = (words + BITS - 1) >> SHIFT


@kernel
def next_above(occupied: Table, market: int, tick: int) -> int:
    """Return the lowest occupied tick above `tick`, or NONE."""
    base = 1
    words = _storey_words(occupied, market)
    for storey in range(STOREYS):
        word = tick >> SHIFT
        rest = occupied[market, base + word] >> (tick & (BITS - 1)) >> 1
        if rest:
            return _descend_low(occupied, market, storey, tick + 1 + _lowest_bit(rest))
        tick = word
        base += words
        words = (words + BITS - 1) >> SHIFT
    return NONE


@kernel
def next_below(occupied: Table, market: int, tick: int) -> int:
    """Return the highest occupied tick below `tick`, or NONE."""
    base = 1
    words = _storey_words(occupied, market)
    for storey in range(STOREYS):
        if tick == 0:
            return NONE
        last = tick - 1  # in the word of the bit below, so that one past the end of the ladder may be asked for
        word = last >> SHIFT
        rest = occupied[market, base + word] & ((2 << (last & (BITS - 1))) - 1)
        if rest:
            return _descend_high(occupied, market, storey, (word << SHIFT) + _highest_bit(rest))
        tick = word
        base += words
        words = (words + BITS - 1) >> SHIFT
    return NONE


@kernel
def _storey_base(occupied: Table, market: int, storey: int) -> int:
    """Return where a storey begins in the row."""
    base = 1
    words = _storey_words(occupied, market)
    for _ in range(storey):
        base += words
        words = (words + BITS - 1) >> SHIFT
    return base


@kernel
def _descend_low(occupied: Table, market: int, storey: int, index: int) -> int:
    """Follow the lowest bits from bit `index` of a storey down to a tick."""
    for below in range(storey - 1, -1, -1):
        base = _storey_base(occupied, market, below)
        index = (index << SHIFT) + _lowest_bit(occupied[market, base + index])
    return index


@kernel
def _descend_high(occupied: Table, market: int, storey: int, index: int) -> int:
    """Follow the highest bits from bit `index` of a storey down to a tick."""
    for below in range(storey - 1, -1, -1):
        base = _storey_base(occupied, market, below)
        index = (index << SHIFT) + _highest_bit(occupied[market, base + index])
    return index
