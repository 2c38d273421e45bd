"""Compiling kernels: all of them at once (`delever warmup`), and a word to whoever has to wait for it meanwhile."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numba.core import event
from rich.console import Console

from delever.engine import kernel
from delever.engine.ranking import HOLDING_COLUMNS, describe_rows
from delever.engine.rules.io import load_rules
from delever.engine.rules.presets import PRESETS
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import apply_sets, load_scenario

from .words import count_of

WORLDS = (
    ("hyperliquid", "charges.funding.interval_s=60"),
    ("textbook", "deleveraging.trigger=none", "insurance.initial_quote=0", "liquidation.size=target"),
    *((name,) for name in PRESETS if name not in ("hyperliquid", "textbook")),
)
"""Rule sets, with changes, whose kernels a crash calls; one that only a rare event calls is compiled when it comes."""
WARM = "warm"
"""File beside the kernels that says that all of these have run."""
CRASH = (
    "traders=300",
    "duration_s=200",
    "cohorts.backstop.count=1",
    "cohorts.backstop.share=0",
    "cohorts.retail.mean_interval_s=60",
    "markets.BTC.path.shocks.0.at_s=120",
    "markets.BTC.path.shocks.0.size=-0.5",
)
UNUSED_DAYS = 7
DAY_S = 86_400


class Warmed(NamedTuple):
    """What a warm-up did: kernels there are, and how many of them had to be compiled."""

    kernels: int
    compiled: int


class _Compilations(event.Listener):
    """Calls `each` with the name of every kernel that is compiled, when that begins or ends."""

    def __init__(self, at: str, each: Callable[[str], None]) -> None:
        self.at = at
        self.each = each

    def on_start(self, event: event.Event) -> None:
        """Called by numba before a compilation; kernels that this kernel calls come in between."""
        if self.at == "start":
            self.each(event.data["dispatcher"].__name__)

    def on_end(self, event: event.Event) -> None:
        """Called by numba after a compilation."""
        if self.at == "end":
            self.each(event.data["dispatcher"].__name__)


@contextmanager
def told_when_compiling() -> Iterator[None]:
    """Say once on stderr that kernels are being compiled, if the block meets one that is not in the cache."""
    told: list[str] = []

    def tell(name: str) -> None:
        if not told:
            told.append(name)
            print("delever: compiling kernels (once, two or three minutes) ...", file=sys.stderr)

    with event.install_listener("numba:compile", _Compilations("start", tell)):
        yield


def compile_kernels(progress: Callable[[int, int], None] = lambda done, total: None) -> Warmed:
    """Have every kernel compiled that is not in the cache; quick if all are. Calls `progress(compiled, kernels)`."""
    compiled: list[str] = []

    def count(name: str) -> None:
        compiled.append(name)
        progress(min(len(compiled), len(kernel.KERNELS)), len(kernel.KERNELS))

    with event.install_listener("numba:compile", _Compilations("end", count)):
        for rules, *changes in WORLDS:
            sets = [*CRASH, *(f"rules.{change}" for change in changes)]
            world, meant = apply_sets(load_scenario("flash-shock"), load_rules(rules), sets)
            with TemporaryDirectory() as folder:
                simulate(world, meant, 0, out=Path(folder) / "run")
        model = MarketModel("flash-shock", traders=1)
        first = np.zeros(1, dtype=np.int64)
        model.look().liquidation_ticks(first, 0)
        # Only a rank of the user's own needs these.
        describe_rows(model.venue.tables, 0, first, 0, np.zeros((1, HOLDING_COLUMNS), dtype=np.int64))
        model.close()
    (kernel.cache_folder(kernel.PACKAGES[-1]) / WARM).touch()
    return Warmed(len(kernel.KERNELS), len(compiled))


def compile_before_workers() -> None:
    """Compile what is missing in the cache, so that several workers do not compile the same at the same time."""
    if kernel.KERNELS and not (kernel.cache_folder(kernel.PACKAGES[-1]) / WARM).exists():
        compile_kernels()


def warm_up() -> None:
    """Do what `delever warmup` says; see there."""
    from .single import progress_bar

    if not kernel.KERNELS:
        print("Kernels run interpreted (NUMBA_DISABLE_JIT): there is nothing to compile.")
        return
    began = time.perf_counter()
    with progress_bar("kernels") as moved:
        done = compile_kernels(moved)
    took = (
        f"{done.compiled} compiled in {time.perf_counter() - began:.0f} s" if done.compiled else "all compiled already"
    )
    console = Console()
    console.print(f"{done.kernels} kernels, {took}.", highlight=False)
    root = kernel.cache_root()
    ours = [kernel.cache_folder(package) for package in kernel.PACKAGES]
    console.print(f"They are in {root} ({_megabytes(ours)}).", highlight=False, soft_wrap=True)
    unused = unused_folders(root)
    if unused:
        size = _megabytes(unused)
        for folder in unused:
            shutil.rmtree(folder, ignore_errors=True)
        console.print(
            f"Removed {count_of(len(unused), 'folder')} there of kernels of other versions that nobody has used for "
            f"{UNUSED_DAYS} days ({size}).",
            highlight=False,
        )


def unused_folders(root: Path) -> list[Path]:
    """Return the folders of kernels below `root` that no process has used for UNUSED_DAYS."""
    oldest = time.time() - UNUSED_DAYS * DAY_S
    return sorted(folder for folder in root.glob("kernels-*") if folder.is_dir() and folder.stat().st_mtime < oldest)


def _megabytes(folders: list[Path]) -> str:
    size = sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
    return f"{size / 1e6:.1f} MB"
