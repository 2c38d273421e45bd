"""The engine and the reference venue do the same, step by step, in drawn worlds under drawn rules."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.swarm import run_world


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=2**31), steps=st.integers(min_value=1, max_value=80))
def test_venue_equals_reference(seed: int, steps: int) -> None:
    """Results, money, positions, orders, marks, fills and logs agree after every step, and all laws hold."""
    _, difference = run_world(seed, steps)
    assert not difference, f"seed {seed}, {difference}"
