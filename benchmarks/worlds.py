"""Whole worlds with their agents: black-thursday at several sizes, and a calm day in steps of a second."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from delever.sim.profile import Profile
from delever.sim.run import simulate
from delever.sim.scenario import load_scenario

from .measure import Reading, Request, rate

RULES = "textbook"
SEED = 0
TABLE_BREAK_S = 79_200  # 10:00 UTC on 12 March 2020, half an hour before the first break, on the clock of the table
# Of 10 s: all 52 hours; both breaks; the first.
CRASH_STEPS: dict[int, int | None] = {1_000: None, 10_000: None, 100_000: 5_400, 1_000_000: 720}
CRASH_STEPS_SCALED = 5_400  # what --scale is a share of where the full size is all of it
WARM_UP = 200, 360  # traders, steps
CALM_S, CALM_TRADERS = 86_400, 10_000


class Ran(NamedTuple):
    """Seconds of a whole run and of its steps, commands and share of Python in the steps, and the summary."""

    whole_s: float
    stepping_s: float
    commands: int
    python_share: float
    summary: dict[str, Any]


def run_world(scenario: str, **changes: Any) -> Ran:
    """Run a scenario into a folder that is deleted afterwards, without figures and report."""
    world = load_scenario(scenario).replaced(changes)
    profile = Profile()
    with TemporaryDirectory() as name:
        began = time.perf_counter()
        summary = simulate(world, RULES, SEED, out=Path(name) / "run", profile=profile).summary
        whole = time.perf_counter() - began
    told = profile.report()
    return Ran(whole, told["seconds"], profile.commands, told["python_share"], summary)


def crash_world(traders: int, steps: int | None) -> Ran:
    """Run black-thursday: so many steps from half an hour before the first break, or all of it."""
    if steps is None:
        return run_world("black-thursday", traders=traders)
    scenario = load_scenario("black-thursday")
    market = scenario.markets[0].model_dump(mode="json", exclude_unset=True)
    market["path"]["start_s"] = TABLE_BREAK_S
    return run_world("black-thursday", markets=[market], duration_s=steps * scenario.dt_s, traders=traders)


def _crash(request: Request, traders: int) -> list[Reading]:
    """Measure black-thursday with so many traders: commands a second of the steps, and of the whole run.

    A small crash goes before, so that kernels are loaded.
    """
    crash_world(*WARM_UP)
    steps = CRASH_STEPS[traders]
    if request.scale < 1:
        steps = request.scaled(steps or CRASH_STEPS_SCALED, least=60)
    ran = crash_world(request.scaled(traders, least=100), steps)
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
    return [
        Reading("", ran.whole_s, "s", ran.whole_s, note),
        Reading("python", 100 * ran.python_share, "%", note="of the steps, outside kernels and cohorts' decisions"),
    ]
