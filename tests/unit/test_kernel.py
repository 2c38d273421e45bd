"""Compiled kernels: where they are kept, and that the switches they are compiled with change no number."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
from numba import config

from delever.engine import kernel as kernel_module
from delever.engine import tables
from delever.engine.kernel import PACKAGES, cache_name, cache_root, kernel, package_of
from delever.engine.prefetch import places_in, prefetch
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market, allocate
from delever.engine.tables import A_KEY, LINE_BYTES, SHAPES, Tables


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DELEVER_CACHE_DIR first, then XDG_CACHE_HOME, then the home."""
    home, chosen, caches = tmp_path / "home", tmp_path / "chosen", tmp_path / "caches"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(caches))
    monkeypatch.setenv("DELEVER_CACHE_DIR", str(chosen))
    found = [cache_root()]
    monkeypatch.delenv("DELEVER_CACHE_DIR")
    found.append(cache_root())
    monkeypatch.delenv("XDG_CACHE_HOME")
    found.append(cache_root())
    assert found == [chosen, caches / "delever", home / ".cache" / "delever"]
    assert all(folder.is_dir() for folder in found)


def test_without_a_writable_home_the_cache_is_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that is no folder stands for one that cannot be written: that is no reason to fail."""
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("DELEVER_CACHE_DIR", str(tmp_path / "home" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = cache_root()
    assert folder.is_dir()
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_temporary_cache_that_somebody_else_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write to the cache decides what runs."""
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("DELEVER_CACHE_DIR", str(tmp_path / "home" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    me = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: me)
    theirs = tmp_path / f"delever-{me}"
    theirs.mkdir()
    mine = cache_root()
    assert mine.is_dir()
    assert mine != theirs


@pytest.mark.parametrize(
    ("edited", "changed"),
    [("engine", ["engine", "agents", "sim"]), ("agents", ["agents", "sim"]), ("sim", ["sim"]), ("experiments", [])],
)
def test_an_edit_is_another_folder_for_all_who_may_call_it(
    edited: str, changed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel compiled from other sources, in whichever file, is never found again; what lies below is."""
    for package in (*PACKAGES, "experiments"):
        (tmp_path / package).mkdir()
    monkeypatch.setattr(kernel_module, "__file__", str(tmp_path / "engine" / "kernel.py"))
    names = []
    for source in ("a = 1\n", "a = 2\n", "a = 1\n"):
        (tmp_path / edited / "helper.py").write_text(source)
        names.append({package: cache_name(package) for package in PACKAGES})
    assert names[0] == names[2]
    assert [package for package in PACKAGES if names[0][package] != names[1][package]] == changed


def test_each_kernel_is_kept_with_its_package() -> None:
    """A kernel outside delever may call every other: it is only as good as all of them."""
    modules = ["delever.engine.book", "delever.agents.retail", "delever.sim.calendar", "__main__", "mine.engine"]
    assert [package_of(module) for module in modules] == ["engine", "agents", "sim", "sim", "sim"]


def test_bounds_checked_kernels_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba's own key does not hold the switch."""
    names = set()
    for checked in (None, 1):
        monkeypatch.setattr(config, "BOUNDSCHECK", checked)
        names.add(cache_name("engine"))
    assert len(names) == 2


def test_interpreted_a_kernel_is_the_function_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """One source, two executions: NUMBA_DISABLE_JIT=1 leaves nothing in between."""

    def identity(value: int) -> int:
        return value

    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    assert kernel(identity) is identity


@kernel
def asked(t: Tables, row: int) -> int:
    """Ask for a row of every table that is asked for; return a number that asking must not change."""
    prefetch(t.accounts, row)
    prefetch(t.units, row)
    prefetch(t.positions, row)
    prefetch(t.orders, row)
    return t.accounts[0, A_KEY]


def test_any_row_may_be_asked_for() -> None:
    """Rows that exist, that do not, and that no memory could hold: asking never fails and changes nothing."""
    t = allocate(RuleSet(), [Market("BTC", 1, 1_000)], np.array([7, 8]), [100], 10, False)
    before = {name: table.copy() for name, table in t.as_dict().items()}
    assert [asked(t, row) for row in (0, 1, -1, 10**6, 2**55)] == [7] * 5
    assert all((before[name] == table).all() for name, table in t.as_dict().items())


@pytest.mark.parametrize("table", ["accounts", "units", "positions", "orders"])
def test_every_line_of_a_row_is_asked_for(table: str) -> None:
    """Wherever a row begins in a line, each line that holds a part of it is named, and none that does not."""
    row = 8 * int(getattr(tables, SHAPES[table][-1]))
    for start in range(0, LINE_BYTES, 8):
        named = {(start + place) // LINE_BYTES for place in places_in(table)}
        whole = row % LINE_BYTES == 0  # such a table's rows begin with a line
        if start == 0 or not whole:
            assert named == {(start + byte) // LINE_BYTES for byte in range(0, row, 8)}
