"""Did any number change? And do other ways to run the same venue give the same numbers?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numba import config

from tests.tree import ROOT

from . import refresh
from .worlds import CRASH, STEPS, WORLDS, GoldenWorld, new_venue, play, summary

EACH_WORLD = pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)


def played_by_another_process(options: list[str], **environment: str) -> dict[str, dict[str, Any]]:
    """Play all worlds in a new interpreter with options and environment of its own; return its summaries."""
    command = [sys.executable, *options, "-m", "tests.golden.worlds"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} failed:\n{done.stderr}", pytrace=False)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def played_here() -> dict[str, dict[str, Any]]:
    """Play all worlds in this process; return their summaries."""
    found = {}
    for world in WORLDS:
        venue = new_venue(world)
        found[world.name] = summary(world, venue, play(world, venue))
    return found


@EACH_WORLD
def test_digest_is_unchanged(world: GoldenWorld) -> None:
    """Every number of a world is what it was when it was last looked at."""
    venue = new_venue(world)
    moved = refresh.changes(refresh.expected().get(world.name, {}), summary(world, venue, play(world, venue)))
    if moved:
        pytest.fail(
            f"{world.name} gives other results than before:\n  " + "\n  ".join(moved) + "\n"
            "If that was not the purpose of the change, it is a bug. If it was: python -m tests.golden.refresh, and\n"
            "write in the RESULTS section of CHANGELOG.md what moved, by how much and why.",
            pytrace=False,
        )


def test_digests_are_of_these_worlds() -> None:
    """No world is without digest, no digest without world."""
    assert list(refresh.expected()) == [world.name for world in WORLDS]


@EACH_WORLD
def test_worlds_show_what_they_are_for(world: GoldenWorld) -> None:
    """A golden world in which nothing happens would prove nothing."""
    seen = refresh.expected()[world.name]
    counts = {"triggered": seen["triggered"]} | seen["fills"] | seen["events"] | seen["refusals"] | seen["posted_atoms"]
    assert [name for name in world.shows if counts.get(name, 0) <= 0] == []


@EACH_WORLD
@pytest.mark.parametrize("cut", [1, CRASH.start + 1, CRASH.stop, STEPS - 1])
def test_resumed_from_a_snapshot_equals_run_through(world: GoldenWorld, cut: int) -> None:
    """A fresh venue goes on from a snapshot as if it had been there from the start, in the middle of a crash too."""
    whole = new_venue(world)
    events = play(world, whole)
    first, second = new_venue(world), new_venue(world)
    second.drain_events()
    before = play(world, first, 0, cut)
    second.restore(first.snapshot())
    after = play(world, second, cut, STEPS)
    assert second.digest() == whole.digest()
    assert (np.concatenate([before, after]) == events).all()
    for name, table in second.tables.as_dict().items():
        # What stands behind the last event in the buffer was left there by whichever batch came before.
        assert name == "events" or (table == getattr(whole.tables, name)).all(), name


def test_interpreted_equals_compiled() -> None:
    """One source, two executions; interpreted, an integer that overflows is an error."""
    if config.DISABLE_JIT:
        pytest.skip("this process is interpreted itself")
    interpreted = played_by_another_process(["-W", "error::RuntimeWarning"], NUMBA_DISABLE_JIT="1")
    assert refresh.changes(played_here(), interpreted) == []


@pytest.mark.slow
@pytest.mark.compiles
def test_no_index_is_out_of_bounds_and_counting_references_changes_nothing() -> None:
    """Compiled anew with numba's checking of bounds and its counting of references, every kernel gives the same.

    Kernels allocate nothing, so that counting is only a cost, and the product goes without it.
    """
    checked = played_by_another_process([], NUMBA_BOUNDSCHECK="1", DELEVER_KERNEL_COUNTING="1", NUMBA_DISABLE_JIT="0")
    assert refresh.changes(played_here(), checked) == []
