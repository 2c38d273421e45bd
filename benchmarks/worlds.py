"""Whole worlds with their agents: black-thursday at several sizes, and a calm day in steps of a second."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from delever.sim.run import simulate
from delever.sim.scenario import load_scenario

from .measure import Reading, Request, rate

RULES = "textbook"
SEED = 0
TABLE_BREAK_S = 79_200  # 10:00 UTC on 12 March 2020, half an hour before the first break, on the clock of the table
CRASH_STEPS = {1_000: 5_400, 10_000: 5_400, 100_000: 720, 1_000_000: 360}  # of 10 s: both breaks, or the first
WARM_UP = 200, 360  # traders, steps
CALM_S, CALM_TRADERS = 86_400, 10_000


class Ran(NamedTuple):
    """Seconds of a whole run and of its steps, commands of the steps, and the summary."""

    whole_s: float
    stepping_s: float
    commands: int
    summary: dict[str, Any]


def run_world(scenario: str, **changes: Any) -> Ran:
    """Run a scenario into a folder that is deleted afterwards, without figures and report.

    The steps begin when the manifest has been written and end with the last call of `progress`.
    """
    world = load_scenario(scenario).replaced(changes)
    times: list[float] = []
    with TemporaryDirectory() as name:
        folder = Path(name) / "run"

        def progress(done: int, steps: int) -> None:
            if not times:
                times.append((folder / "manifest.json").stat().st_mtime)
            times.append(time.time())

        began = time.perf_counter()
        summary = simulate(world, RULES, SEED, out=folder, progress=progress).summary
        whole = time.perf_counter() - began
    return Ran(whole, times[-1] - times[0], summary["commands"], summary)


def crash_world(traders: int, steps: int) -> Ran:
    """Run so many steps of black-thursday, from half an hour before the first break."""
    scenario = load_scenario("black-thursday")
    market = scenario.markets[0].model_dump(mode="json", exclude_unset=True)
    market["path"]["start_s"] = TABLE_BREAK_S
    return run_world("black-thursday", markets=[market], duration_s=steps * scenario.dt_s, traders=traders)


def _crash(request: Request, traders: int) -> list[Reading]:
    """Measure black-thursday with so many traders: commands a second of the steps, and of the whole run.

    A small crash goes before, so that kernels are loaded.
    """
    crash_world(*WARM_UP)
    ran = crash_world(request.scaled(traders, least=100), request.scaled(CRASH_STEPS[traders], least=60))
    note = f"{ran.commands:,} commands, {ran.summary['liquidations']:,} liquidations in {ran.summary['steps']:,} steps"
    return [
        rate("", ran.commands, ran.stepping_s, "commands/s", note),
        rate("whole", ran.commands, ran.whole_s, "commands/s", "building and storing included"),
    ]


def crash_1k(request: Request) -> list[Reading]:
    """Measure the crash with a thousand traders."""
    return _crash(request, 1_000)


def crash_10k(request: Request) -> list[Reading]:
    """Measure the crash with ten thousand traders."""
    return _crash(request, 10_000)


def crash_100k(request: Request) -> list[Reading]:
    """Measure the crash with a hundred thousand traders."""
    return _crash(request, 100_000)


def crash_1m(request: Request) -> list[Reading]:
    """Measure the crash with a million traders."""
    return _crash(request, 1_000_000)


def calm_day(request: Request) -> list[Reading]:
    """Measure a calm day in steps of one second."""
    crash_world(*WARM_UP)
    seconds = request.scaled(CALM_S, least=60)
    ran = run_world("calm", dt_s=1, duration_s=seconds, traders=request.scaled(CALM_TRADERS, least=100))
    note = f"{seconds:,} steps, {ran.commands:,} commands"
    return [Reading("", ran.whole_s, "s", ran.whole_s, note)]
