"""Many runs: what each costs beside its steps, what a second process gains, whether a worker grows."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from delever.engine.rules.io import load_rules
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import Scenario, load_scenario

from .measure import Launched, Reading, Request, launch

RULE_SETS = ("textbook", "hyperliquid")
TINY, WORK = "calm", "flash-shock"
TINY_SIZE = {"traders": 100, "duration_s": 600}
TINY_SEEDS = 50
WORK_TRADERS, WORK_SEEDS = 10_000, 100
RUNS_OF_A_WORKER, WARM_RUNS = 500, 100


def _compare(scenario: str, folder: Path, seeds: int, jobs: int, **changes: int) -> Launched:
    """Run `delever compare` over two rule sets into a new folder."""
    arguments = ["compare", scenario, "--seeds", str(seeds), "--jobs", str(jobs), "--out", str(folder), "--json"]
    for rules in RULE_SETS:
        arguments += ["--rules", rules]
    for key, value in changes.items():
        arguments += ["--set", f"{key}={value}"]
    return launch(*arguments)


def _tiny() -> Scenario:
    return load_scenario(TINY).replaced(TINY_SIZE)


def stepping_s(scenario: Scenario, rules: str) -> float:
    """Return the seconds that the steps of a run take, without building the world and without a record."""
    model = MarketModel(scenario, rules=rules, seed=0, collect=False)
    began = time.perf_counter()
    while model.running:
        model.step()
    return time.perf_counter() - began


def overhead(request: Request) -> list[Reading]:
    """Measure (wall clock of a comparison of tiny runs - seconds of their steps) / runs, in one process.

    The start of the command, its table and its figure are spread over the runs.
    """
    seeds = request.scaled(TINY_SEEDS, least=2)
    runs = seeds * len(RULE_SETS)
    for rules in RULE_SETS:
        stepping_s(_tiny(), rules)
    stepping = sum(stepping_s(_tiny(), rules) for rules in RULE_SETS) / len(RULE_SETS)
    with TemporaryDirectory() as name:
        compared = _compare(TINY, Path(name), seeds, 1, **TINY_SIZE)
    each = compared.seconds / runs - stepping
    note = f"{runs} runs, {1000 * stepping:.0f} ms of steps each"
    return [Reading("", 1000 * each, "ms/run", each, note, compared.peak_mib)]


def efficiency(request: Request) -> list[Reading]:
    """Measure the wall clock of one process over twice that of two, on the same runs; then the same in processor time.

    The second says what two processes compute in vain, and does not mind other programs on the machine.
    """
    seeds = request.scaled(WORK_SEEDS, least=2)
    traders = request.scaled(WORK_TRADERS, least=200)
    with TemporaryDirectory() as name:
        _compare(TINY, Path(name, "warm"), 1, 1, **TINY_SIZE)
        one = _compare(WORK, Path(name, "one"), seeds, 1, traders=traders)
        two = _compare(WORK, Path(name, "two"), seeds, 2, traders=traders)
    note = f"{seeds * len(RULE_SETS)} runs: {one.seconds:.1f} s with one process, {two.seconds:.1f} s with two"
    used = f"{one.processor_s:.1f} s of processors with one, {two.processor_s:.1f} s with two"
    return [
        Reading("", one.seconds / (2 * two.seconds), "of 1", None, note, two.peak_mib),
        Reading("processor", one.processor_s / two.processor_s, "of 1", None, used, two.peak_mib),
    ]


def memory(request: Request) -> list[Reading]:
    """Measure how much a process that makes run after run grows between its 100th and 500th."""
    scenario, rules = _tiny(), [load_rules(name) for name in RULE_SETS]
    runs, warm = request.scaled(RUNS_OF_A_WORKER, least=10), request.scaled(WARM_RUNS, least=2)
    sizes = {}
    for run in range(1, runs + 1):
        simulate(scenario, rules[run % len(rules)], run)
        if run in (warm, runs):
            sizes[run] = resident_mib()
    note = f"{sizes[warm]:.1f} MiB after {warm} runs, {sizes[runs]:.1f} MiB after {runs}"
    return [Reading("", sizes[runs] - sizes[warm], "MiB", None, note)]


def resident_mib() -> float:
    """Return the size of this process now; needs /proc."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
