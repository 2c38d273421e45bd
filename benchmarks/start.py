"""What a user waits for at the prompt: help, the first figures, a report; each a command in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from .measure import Launched, Reading, Request, launch

SCENARIO = "flash-shock"


def _seconds(launched: Launched, note: str) -> list[Reading]:
    return [Reading("", launched.seconds, "s", launched.seconds, note, launched.peak_mib)]


def _run(folder: Path, request: Request, cache: Path | None = None) -> Launched:
    """Run the scenario to its figures and report; `cache`: where compiled kernels are looked for and kept."""
    arguments = ["run", SCENARIO, "--out", str(folder), "--force"]
    if request.scale < 1:
        arguments += ["--traders", str(request.scaled(1_000, least=200)), "--set", "duration_s=2400"]
    env = dict(os.environ) if cache is None else {**os.environ, "DELEVER_CACHE_DIR": str(cache)}
    return launch(*arguments, env=env)


def show_help(request: Request) -> list[Reading]:
    """Measure `delever --help`."""
    return _seconds(launch("--help"), "delever --help")


def first_figure_warm(request: Request) -> list[Reading]:
    """Measure a run to its figures and report with all kernels compiled: the second of two runs counts."""
    with TemporaryDirectory() as name:
        _run(Path(name), request)
        return _seconds(_run(Path(name), request), f"delever run {SCENARIO}, figures and report included")


def first_figure_cold(request: Request) -> list[Reading]:
    """Measure the same with an empty cache of kernels."""
    with TemporaryDirectory() as name:
        return _seconds(_run(Path(name, "run"), request, cache=Path(name, "cache")), "the same, empty cache of kernels")


def report(request: Request) -> list[Reading]:
    """Measure `delever report` on a stored run."""
    with TemporaryDirectory() as name:
        _run(Path(name), request)
        return _seconds(launch("report", name), f"delever report on a stored {SCENARIO}")
