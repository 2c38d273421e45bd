"""The bit map of occupied ticks does what a set of integers does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delever.engine.occupancy import clear, next_above, next_below, occupy, words_needed
from delever.engine.state import PRICE_TICKS_LIMIT
from delever.engine.tables import NONE, Table

SIZES = (2, 31, 32, 33, 63, 64, 1_024, 1_025, 40_000, 32_768, 32_769, PRICE_TICKS_LIMIT)


def empty_map(ticks: int, markets: int = 3) -> Table:
    """Return a map as state.allocate makes it."""
    occupied = np.zeros((markets, words_needed(ticks)), dtype=np.int64)
    occupied[:, 0] = -(-ticks // 32)
    return occupied


@given(ticks=st.sampled_from(SIZES), data=st.data())
def test_map_equals_set(ticks: int, data: st.DataObject) -> None:
    """After any calls the neighbours of any tick are those a set gives, and other markets are untouched."""
    near_edges = st.sampled_from([t for t in (0, 1, 31, 32, 33, ticks - 2, ticks - 1) if 0 <= t < ticks])
    tick = st.integers(0, ticks - 1) | near_edges
    # Ticks are drawn from a small pool, so that what was occupied is cleared again.
    pool = data.draw(st.lists(tick, min_size=1, max_size=12))
    occupied, other, expected = empty_map(ticks), empty_map(ticks), set[int]()
    for chosen, fills in data.draw(st.lists(st.tuples(st.sampled_from(pool), st.booleans()), max_size=40)):
        if fills:
            occupy(occupied, 1, chosen)
            expected.add(chosen)
        else:
            clear(occupied, 1, chosen)
            expected.discard(chosen)
        start = data.draw(tick)
        above, below = [t for t in expected if t > start], [t for t in expected if t < start]
        assert next_above(occupied, 1, start) == (min(above) if above else NONE)
        assert next_below(occupied, 1, start) == (max(below) if below else NONE)
    for chosen in expected:
        clear(occupied, 1, chosen)
    assert (occupied == other).all()


@pytest.mark.parametrize("ticks", SIZES)
def test_both_ends_are_found(ticks: int) -> None:
    """The lowest and the highest tick of a ladder see each other across all storeys."""
    occupied = empty_map(ticks)
    for tick in (0, ticks - 1):
        occupy(occupied, 2, tick)
    assert next_above(occupied, 2, 0) == ticks - 1
    assert next_below(occupied, 2, ticks) == ticks - 1, "from above all prices"
    assert next_below(occupied, 2, ticks - 1) == 0
    assert next_above(occupied, 2, ticks - 1) == NONE
    assert next_below(occupied, 2, 0) == NONE
