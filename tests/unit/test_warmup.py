"""Kernels are compiled once, and whoever waits for it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest
from numba import config

from delever.experiments.warmup import DAY_S, UNUSED_DAYS, told_when_compiling, unused_folders

WAITING = "delever: compiling kernels (once, two or three minutes) ...\n"


@pytest.mark.slow
@pytest.mark.compiles
@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="kernels run interpreted")
def test_the_first_command_says_that_it_compiles_and_warmup_compiles_the_rest(tmp_path: Path) -> None:
    """Also: one JSON object on stdout all the same; after a warm-up nothing is compiled again."""
    environment = os.environ | {"DELEVER_CACHE_DIR": str(tmp_path / "kernels")}

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, *words], env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done

    run = (
        "-m",
        "delever.experiments",
        "run",
        "flash-shock",
        "--no-report",
        "--json",
        "--set",
        "traders=100",
        "--force",
    )
    first = python(*run)
    assert json.loads(first.stdout)["accounts"] == 100
    assert first.stderr.count(WAITING) == 1
    warmed = python("-m", "delever.experiments", "warmup").stdout
    assert "compiled in" in warmed
    assert f"They are in {tmp_path / 'kernels'}" in warmed
    assert "all compiled already" in python("-m", "delever.experiments", "warmup").stdout
    assert WAITING not in python(*run, "--rules", "binance-usdm").stderr


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="kernels run interpreted")
def test_waiting_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    def one(value: int) -> int:
        return value + 1

    def two(value: int) -> int:
        return value + 2

    with told_when_compiling():
        assert numba.njit(one)(1) + numba.njit(two)(1) == 5
    assert capsys.readouterr().err == WAITING


def test_only_kernels_that_nobody_used_for_long_are_removed(tmp_path: Path) -> None:
    now = time.time()
    for name, days in (("kernels-sim-1", 0.0), ("kernels-sim-2", UNUSED_DAYS + 1), ("other", 100), ("kernels-3", 30)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (now - days * DAY_S,) * 2)
    assert [folder.name for folder in unused_folders(tmp_path)] == ["kernels-3", "kernels-sim-2"]
