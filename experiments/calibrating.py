"""`delever calibrate`: the method of simulated moments over parameters of a scenario.

Every trial is made with the same seeds, so that two trials differ by their parameters alone (McFadden, "A method of
simulated moments", Econometrica 57, 1989). Which to try next is said by SciPy's differential evolution (Storn and
Price, "Differential evolution", Journal of Global Optimization 11, 1997), from a generator of fixed seed: the same
command tries the same, and what it tried before is read from its folder. So a calibration goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import differential_evolution

from delever.engine.rules.io import load_rules
from delever.engine.rules.ruleset import RuleSet
from delever.sim.scenario import RULES_PREFIX, Scenario, ScenarioError, load_scenario, set_values, to_toml

from .choose import check_paths, mistakes_of_users
from .errors import UserError, advised, at_least, whole_file, writable_folder
from .realism.files import VolumeIn, read_market
from .realism.moments import DISTANCE_MAX, Moment, distance, moments_of
from .realism.scorecard import FACTS, Scored, measured, scored
from .realism.watching import watched
from .runner import run_all, task
from .single import progress_bar
from .validating import KEPT, MEASURING
from .warmup import compile_before_workers, told_when_compiling
from .words import three_figures

Floats = NDArray[np.float64]

SMALLEST_POPULATION = 5
"""Differential evolution makes a trial from four others."""
GENERATOR_SEED = 20_261_122
"""Seed of the search; luck of the market is another matter."""
FREE = re.compile(r"(?P<key>[^=\s]+)=(?P<low>[^:]+?)\.\.(?P<high>[^:]+?)(?P<log>:log)?")


class Free(NamedTuple):
    """A parameter that is calibrated."""

    key: str
    low: float
    high: float
    logarithmic: bool
    whole: bool

    def value(self, share: float) -> float:
        """Return the value at a share of the way from `low` to `high`, in its scale; a whole number where it is one."""
        if self.logarithmic:
            found = float(self.low * (self.high / self.low) ** share)
        else:
            found = self.low + share * (self.high - self.low)
        # Six figures: what is written is what was tried.
        return float(round(found)) if self.whole else float(f"{found:.6g}")

    def text(self, share: float) -> str:
        """Return the text that `--set` would take for it."""
        value = self.value(share)
        return f"{self.key}={int(value) if self.whole else value!r}"


def free_parameter(text: str) -> Free:
    """Return the parameter that `KEY=LOW..HIGH[:log]` describes; two whole bounds mean whole numbers.

    Raises UserError.
    """
    found = FREE.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        low, high = float(found["low"]), float(found["high"])
    except ValueError:
        raise UserError(
            f"--free takes KEY=LOW..HIGH or KEY=LOW..HIGH:log, e.g. cohorts.maker.skew_ppm=10..200 (got {text!r})"
        ) from None
    if not -np.inf < low < high < np.inf:
        raise UserError(f"--free {text}: the first bound must be below the second")
    if found["log"] and low <= 0:
        raise UserError(f"--free {text}: on a logarithmic scale both bounds must be above 0")
    if found["key"].startswith(RULES_PREFIX):
        raise UserError(f"--free {text}: parameters of the scenario are calibrated, not rules")
    whole = all(re.fullmatch(r"\s*[-+]?[\d_]+\s*", found[name]) for name in ("low", "high"))
    return Free(found["key"], low, high, found["log"] is not None, whole)


class Trials:
    """Tries parameters: makes the runs that its folder does not hold, and keeps a table of what came out."""

    def __init__(
        self, base: Scenario, rules: RuleSet, free: Sequence[Free], moments: Sequence[Moment], seeds: range, jobs: int,
        folder: Path, progress: Callable[[int], None],
    ) -> None:  # fmt: skip
        """Begin with no trial; `progress` is told how many runs there are so far."""
        self.base, self.rules, self.free, self.moments = base, rules, free, moments
        self.seeds, self.jobs, self.folder, self.progress = seeds, jobs, folder, progress
        self.table: list[dict[str, float]] = []
        self.best: tuple[float, Scenario, list[Scored]] | None = None
        self.failure = ""
        """Why the first run that failed did."""
        self.tells = False
        """Whether any trial has told any moment."""

    def __call__(self, shares: Floats) -> Floats:
        """Return the distance of each trial, (trials,); a column of `shares` (parameters, trials) is one."""
        worlds = [self.world(column) for column in shares.T]
        kept = self._made(worlds)
        found = np.empty(len(worlds))
        for number, world in enumerate(worlds):
            # A market that most seeds cannot even finish is as far away as can be.
            rows = scored(kept[number]) if 2 * len(kept[number]) > len(self.seeds) else None
            found[number] = DISTANCE_MAX**2 if rows is None else distance(self.moments, rows)
            self.tells |= rows is not None and any(moment.of(rows) is not None for moment in self.moments)
            values = {each.key: each.value(share) for each, share in zip(self.free, shares[:, number], strict=True)}
            self.table.append({**values, "distance": float(found[number])})
            if rows is not None and (self.best is None or found[number] < self.best[0]):
                self.best = (float(found[number]), world, rows)
        with whole_file(self.folder / "trials.csv") as part:
            pd.DataFrame(self.table).to_csv(part, index=False)
        return found

    def world(self, shares: Floats) -> Scenario:
        """Return the scenario with these parameters."""
        return set_values(self.base, [each.text(share) for each, share in zip(self.free, shares, strict=True)])

    def _made(self, worlds: Sequence[Scenario]) -> list[list[dict[str, Any]]]:
        """Return what was measured in each world, seed by seed; runs that failed are left out."""
        tasks = []
        for number, world in enumerate(worlds):
            settled, rules = world.settle(self.rules)
            tasks += [task(settled, rules, str(number), seed, *MEASURING) for seed in self.seeds]
        before = len(self.table) * len(self.seeds)
        finished = run_all(tasks, self.folder, self.jobs, watched, lambda done, _: self.progress(before + done))
        kept: list[list[dict[str, Any]]] = [[] for _ in worlds]
        self.failure = self.failure or next(iter(finished.failures.values()), "")
        for (label, _), measurement in sorted(finished.summaries.items()):
            kept[int(label)].append(measurement)
        return kept


def calibrate_scenario(
    scenario: str,
    *,
    free: list[str],
    rows: str | None,
    against: Path | None,
    symbol: str | None,
    volume_in: VolumeIn,
    rules: str,
    sets: list[str],
    traders: int | None,
    seeds: int,
    first_seed: int,
    generations: int,
    population: int,
    jobs: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Do what `delever calibrate` says; see there. Raises UserError and Interrupted."""
    parameters = _parameters(free)
    at_least("--seeds", seeds, 1)
    at_least("--seed", first_seed, 0)
    at_least("--generations", generations, 0)
    at_least("--population", population, SMALLEST_POPULATION)
    jobs = min(at_least("--jobs", jobs, 1), os.cpu_count() or 1)
    target = None if against is None else scored([measured(read_market(against, symbol, volume_in))])
    moments = moments_of(_rows(rows), target)
    if not moments:
        raise UserError(f"{against} tells none of the rows {rows}: choose others with --rows")
    with mistakes_of_users():
        base = set_values(load_scenario(scenario), sets)
        if traders is not None:
            base = base.replaced({"traders": at_least("--traders", traders, 1)})
        meant = load_rules(rules)
    here = _start(base, parameters)
    check_paths(base, first_seed)
    folder = writable_folder(out or Path("results") / f"calibrate-{base.name}")
    runs = (generations + 1) * population * seeds
    with mistakes_of_users(), progress_bar("runs") as moved, told_when_compiling():
        if jobs > 1:
            compile_before_workers()
        trials = Trials(
            base, meant, parameters, moments, range(first_seed, first_seed + seeds), jobs, folder,
            lambda done: moved(done, runs),
        )  # fmt: skip
        _check_bounds(trials)
        search(trials, here, generations, population)
    if trials.best is None:
        raise UserError(f"every trial failed; the first because: {trials.failure}")
    if not trials.tells:
        told_by = ", ".join(str(row) for row in sorted({moment.fact.row for moment in moments}))
        raise UserError(
            f"no trial tells any of the rows {told_by}, so that none is nearer than another: make longer runs "
            f"(--set duration_s=...) or choose other rows with --rows. {KEPT.format(folder)}"
        )
    first = trials.table[0]["distance"]
    told = _told(scenario, trials, first, folder)
    with advised(KEPT.format(folder)):
        with whole_file(folder / "calibrated.toml") as part:
            part.write_text(to_toml(trials.best[1]), encoding="utf-8")
        with whole_file(folder / "calibration.json") as part:
            part.write_text(json.dumps(told, indent=2), encoding="utf-8")
    if as_json:
        print(json.dumps(told))
    else:
        _print(told, folder, Console())


def _check_bounds(trials: Trials) -> None:
    """Raise UserError if the scenario refuses a bound of a parameter, before any run."""
    for share in (0.0, 1.0):
        try:
            trials.world(np.full(len(trials.free), share))
        except ScenarioError as error:
            raise UserError(str(error).replace("--set", "--free", 1)) from None


def search(trials: Callable[[Floats], Floats], start: Floats, generations: int, population: int) -> None:
    """Try a population of parameters, `start` among them, and so many generations more.

    The first trial is `start`. `trials` is asked for the distances of many at once.
    """
    rng = np.random.default_rng(GENERATOR_SEED)
    parameters = len(start)
    # Latin hypercube: each parameter's range is cut into as many parts as there are trials, and each part is tried.
    parts = np.array([rng.permutation(population) for _ in range(parameters)]).T
    first = (parts + rng.random((population, parameters))) / population
    first[0] = start
    differential_evolution(
        trials, [(0.0, 1.0)] * parameters, init=first, maxiter=generations, tol=0.0, polish=False, rng=rng,
        vectorized=True, updating="deferred",
    )  # fmt: skip


def _parameters(free: Sequence[str]) -> list[Free]:
    """Return the parameters that are calibrated, one at least and none twice."""
    parameters = [free_parameter(text) for text in free]
    if not parameters:
        raise UserError("name what may change, e.g. --free cohorts.maker.half_spread_ppm=10..200:log")
    keys = [each.key for each in parameters]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"--free {key}: is named more than once; give each parameter one pair of bounds")
    return parameters


def _rows(text: str | None) -> list[int]:
    """Return the rows of the scorecard that are meant: all, or those listed."""
    known = [fact.row for fact in FACTS]
    if text is None:
        return known
    try:
        rows = [int(each) for each in text.split(",")]
    except ValueError:
        rows = [0]
    wrong = [row for row in rows if row not in known]
    if wrong:
        raise UserError(f"--rows takes numbers of the scorecard from 1 to {len(known)}, e.g. 1,4,6,12 (got {text!r})")
    return rows


def _start(base: Scenario, free: Sequence[Free]) -> Floats:
    """Return where the scenario is between the bounds of each parameter: shares, those outside on the bound."""
    shares = np.empty(len(free))
    for number, each in enumerate(free):
        value = _value(base, each.key)
        if each.logarithmic:
            share = np.log(max(value, each.low) / each.low) / np.log(each.high / each.low)
        else:
            share = (value - each.low) / (each.high - each.low)
        shares[number] = min(max(float(share), 0.0), 1.0)
    return shares


def _value(scenario: Scenario, key: str) -> float:
    """Return the number at a dotted key of `--set`. Raises UserError if there is none."""
    path = key.split(".")
    found: Any = scenario
    if path[0] in ("cohorts", "markets") and len(path) > 2:
        named = {getattr(each, "name", getattr(each, "symbol", "")): each for each in getattr(scenario, path[0])}
        found, path = named.get(path[1]), path[2:]
    for part in path:
        found = getattr(found, part, None)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise UserError(f"--free {key}: is no number of scenario {scenario.name!r}")
    return float(found)


def _told(scenario: str, trials: Trials, first: float, folder: Path) -> dict[str, Any]:
    """Return what a calibration found, as it stands in JSON."""
    assert trials.best is not None
    found, world, rows = trials.best
    values = {each.key: _value(world, each.key) for each in trials.free}
    moments = [
        {
            "row": moment.fact.row, "moment": moment.name, "low": moment.low, "high": moment.high,
            "falls": moment.falls, "value": moment.of(rows), "distance": moment.distance(rows),
        }
        for moment in trials.moments
    ]  # fmt: skip
    return {
        "scenario": scenario, "seeds": len(trials.seeds), "trials": len(trials.table), "parameters": values,
        "distance_before": first, "distance": found, "moments": moments, "out": str(folder),
    }  # fmt: skip


def _print(told: dict[str, Any], folder: Path, console: Console) -> None:
    """Print parameters, and for each moment where it is, where it should be, and how far that is."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("", "moment", "here", "wanted", "away"):
        table.add_column(name, justify="left" if name in ("", "moment") else "right", overflow="fold")
    for moment in told["moments"]:
        value = "not told" if moment["value"] is None else three_figures(moment["value"])
        table.add_row(str(moment["row"]), moment["moment"], value, _wanted(moment), three_figures(moment["distance"]))
    console.print(table)
    for key, value in told["parameters"].items():
        console.print(f"{key} = {value:g}", highlight=False, soft_wrap=True)
    now, before = three_figures(told["distance"]), three_figures(told["distance_before"])
    console.print(
        f"\nMean squared distance {now}, at first {before}; {told['trials']} trials of {told['seeds']} seeds. "
        "One away is half the range of real markets.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    console.print(
        f"{folder}/calibrated.toml is the scenario, trials.csv what was tried.", highlight=False, soft_wrap=True
    )


def _wanted(moment: dict[str, Any]) -> str:
    low, high = moment["low"], moment["high"]
    if low is not None and low == high:
        return three_figures(low)
    if low is None and high is None:
        return "less than before" if moment["falls"] else "any"
    return "to ".join("" if bound is None else f"{bound:g} " for bound in (low, high)).strip()
