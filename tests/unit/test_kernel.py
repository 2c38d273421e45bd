"""Compiled kernels: where they are kept, and that the switches they are compiled with change no number."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from numba import config

from delever.engine import kernel as kernel_module
from delever.engine.kernel import cache_folder, kernel
from tests.golden import refresh
from tests.golden.test_golden import played_by_another_process, played_here


@pytest.mark.slow
def test_reference_counting_changes_nothing() -> None:
    """Kernels allocate nothing, so that numba's counting of references is only a cost: all golden worlds are equal."""
    counted = played_by_another_process([], DELEVER_KERNEL_COUNTING="1", NUMBA_DISABLE_JIT="0")
    assert refresh.changes(played_here(), counted) == []


def test_the_cache_folder_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DELEVER_CACHE_DIR first, then XDG_CACHE_HOME, then the home; always a folder of its own below."""
    home, chosen, cache = tmp_path / "home", tmp_path / "chosen", tmp_path / "cache"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("DELEVER_CACHE_DIR", str(chosen))
    found = [cache_folder()]
    monkeypatch.delenv("DELEVER_CACHE_DIR")
    found.append(cache_folder())
    monkeypatch.delenv("XDG_CACHE_HOME")
    found.append(cache_folder())
    assert [folder.parent for folder in found] == [chosen, cache / "delever", home / ".cache" / "delever"]
    assert {folder.name for folder in found} == {found[0].name}
    assert all(folder.is_dir() for folder in found)


def test_without_a_writable_home_the_cache_is_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that is no folder stands for one that cannot be written: that is no reason to fail."""
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("DELEVER_CACHE_DIR", str(tmp_path / "home" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = cache_folder()
    assert folder.is_dir()
    assert tmp_path in folder.parents
    assert folder.name.startswith("kernels-")


def test_an_edit_anywhere_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that was compiled from other sources, in whichever file, is never found again."""
    monkeypatch.setenv("DELEVER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(kernel_module, "__file__", str(tmp_path / "kernel.py"))
    names = []
    for source in ("a = 1\n", "a = 2\n", "a = 1\n"):
        (tmp_path / "helper.py").write_text(source)
        names.append(cache_folder().name)
    assert names[0] == names[2] != names[1]


def test_bounds_checked_kernels_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numba's own key does not hold the switch."""
    monkeypatch.setenv("DELEVER_CACHE_DIR", str(tmp_path))
    names = set()
    for checked in (None, 1):
        monkeypatch.setattr(config, "BOUNDSCHECK", checked)
        names.add(cache_folder().name)
    assert len(names) == 2


def test_interpreted_a_kernel_is_the_function_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """One source, two executions: NUMBA_DISABLE_JIT=1 leaves nothing in between."""

    def identity(value: int) -> int:
        return value

    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    assert kernel(identity) is identity
