"""What a study is made of: worlds that differ in one thing, what is measured in each, and how runs become rows.

A study runs every arm with the same seeds. Arms that are compared with each other share a `group`; the first arm of a
group is what the others of it are compared with, paired by seed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import binomtest

from delever.engine.rules.messages import did_you_mean
from delever.engine.rules.ruleset import RuleSet
from delever.experiments.errors import UserError
from delever.experiments.folder import RunFolder
from delever.experiments.paired import paired_difference, spread
from delever.experiments.runner import Kept, Simulate, Task, task
from delever.sim.model import Extra
from delever.sim.run import simulate
from delever.sim.scenario import Scenario, apply_sets

MEASURING = (Path(__file__).resolve().parent, Path(__file__).resolve().parent.parent / "metrics")
"""Code that what is kept of a run depends on, beside what the run itself does."""


class Arm(NamedTuple):
    """One world of a study."""

    group: str
    """Arms of a group are compared with its first one."""
    name: str
    """What is special about this arm within its group."""
    scenario: Scenario
    rules: RuleSet
    given: dict[str, float | str] = {}
    """What was asked of the arm by keys of the study's own."""

    @property
    def label(self) -> str:
        """Name of the arm among all of the study."""
        return f"{self.group}: {self.name}"


class Measure(NamedTuple):
    """A number of a run, and what it is called."""

    key: str
    words: str
    unit: str


class Check(NamedTuple):
    """A claim with a range, and whether the runs bear it out."""

    claim: str
    value: float
    low: float
    high: float
    seeds_inside: int
    """Seeds of which the number alone lies in the range; as many as there are if it is one number of all seeds."""

    @property
    def holds(self) -> bool:
        """Say whether the value lies in the range."""
        return self.low <= self.value <= self.high


class Own(NamedTuple):
    """Keys of a study's own after `--set`: each combination of their values is an arm, and a row of the table."""

    keys: tuple[str, ...]
    arm: Callable[[Mapping[str, str]], Arm]
    """From the texts of some of the keys. Raises UserError."""


class Study(NamedTuple):
    """A question, the runs that answer it, and how the answer is shown."""

    name: str
    question: str
    seeds: int
    """How many unless the user says otherwise."""
    arms: Callable[[], list[Arm]]
    simulate: Simulate
    """At the top of its module, so that worker processes find it."""
    measures: tuple[Measure, ...]
    checks: Callable[[pd.DataFrame], list[Check]]
    """From a row per run with the columns group, arm, seed and every measure."""
    figure: Callable[[pd.DataFrame], Figure]
    own: Own | None = None
    """If it has keys of its own: `arms` are then those of a call that gives none of them."""


def seen(
    scenario: Scenario, rules: RuleSet, seed: int, look: Callable[[RunFolder], dict[str, float]],
    cohorts: Sequence[Extra] = (), *, journal: bool = False,
) -> Kept:  # fmt: skip
    """Make a run, look at its tables, and keep its summary with what `look` found in them."""
    with TemporaryDirectory() as folder:
        told = simulate(scenario, rules, seed, out=Path(folder), cohorts=cohorts, journal=journal).summary
        return Kept({**told, **look(RunFolder(Path(folder)))})


def settings(sets: Sequence[str]) -> list[list[str]]:
    """Return every combination of `key=v1,v2,...`, each as a list of `key=value`; one empty list without any.

    A value that is given twice counts once.
    """
    parts = []
    for text in sets:
        key, _, values = text.partition("=")
        parts.append(list(dict.fromkeys(f"{key}={value}" for value in _split(values))) if values else [text])
    return [list(chosen) for chosen in product(*parts)]


def _split(values: str) -> Iterator[str]:
    """Split at commas outside brackets and quotes, which belong to lists and texts of TOML."""
    depth, quoted, start = 0, False, 0
    for place, letter in enumerate(values):
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0 and not quoted:
            yield values[start:place]
            start = place + 1
    yield values[start:]


def arms_of(study: Study, sets: Sequence[str]) -> tuple[list[Arm], list[str]]:
    """Return the arms that settings ask for by keys of the study's own, and the settings left for scenario and rules.

    Raises UserError if one of those keys has a value that cannot be, or a key is like none there is.
    """
    if study.own is None:
        return study.arms(), list(sets)
    own = [text for text in sets if text.partition("=")[0].strip() in study.own.keys]
    rest = [text for text in sets if text not in own]
    for key in (text.partition("=")[0].strip() for text in rest):
        if "." not in key and key not in Scenario.model_fields:
            keys = ", ".join(study.own.keys)
            hint = did_you_mean(key, study.own.keys)
            raise UserError(
                f"--set {key}: the study {study.name} has no such key; its own are {keys}, and any of the "
                f"scenario and rules{hint}"
            )
    if not own:
        return study.arms(), rest
    arms = [study.own.arm(dict(_pair(text) for text in chosen)) for chosen in settings(own)]
    worlds = {tuple(arm.given.items()): arm for arm in arms}  # 5 and 5.0 are one world
    if len({arm.label for arm in worlds.values()}) < len(worlds):
        raise UserError(f"--set {', '.join(own)}: give values that differ in their first six figures")
    return list(worlds.values()), rest


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip(), value.strip()


def medians_of(runs: pd.DataFrame, arms: Sequence[Arm], measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """Return a flat object per arm: what was asked of it, the number of seeds, and the median of every measure.

    Only seeds that every arm has are used; a measure that no run has is null.
    """
    shared = complete(runs)
    rows: list[dict[str, Any]] = []
    for arm in arms:
        part = shared[(shared["group"] == arm.group) & (shared["arm"] == arm.name)]
        middle = part[[measure.key for measure in measures]].median()
        row: dict[str, Any] = {**arm.given, "seeds": len(part)}
        row |= {str(key): None if np.isnan(value) else float(value) for key, value in middle.items()}
        rows.append(row)
    return rows


def tasks_of(arms: Sequence[Arm], sets: Sequence[str], seeds: int) -> list[Task]:
    """Return the runs of a study under one combination of settings, seed by seed.

    Raises ScenarioError or RuleError if an arm does not know a setting.
    """
    made = []
    for arm in arms:
        scenario, rules = apply_sets(arm.scenario, arm.rules, sets)
        made.append([task(scenario, rules, arm.label, seed, *MEASURING) for seed in range(seeds)])
    return [each for one in zip(*made, strict=True) for each in one]


def rows_of(runs: pd.DataFrame, measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """Return a flat object per arm and measure: median, 5th and 95th percentile, paired difference to the group's base.

    Only seeds that every arm has are used. Of a measure that some run does not have (NaN), such runs are left out.
    """
    shared = complete(runs)
    rows = []
    for (group, arm), part in shared.groupby(["group", "arm"], sort=False):
        base = shared[(shared["group"] == group)]["arm"].iloc[0]
        first = shared[(shared["group"] == group) & (shared["arm"] == base)]
        for measure in measures:
            values, others = (frame.sort_values("seed")[measure.key].to_numpy(np.float64) for frame in (part, first))
            known = ~np.isnan(values)
            middle = spread(values[known]) if known.any() else None
            row: dict[str, Any] = {
                "group": group, "arm": arm, "measure": measure.key, "unit": measure.unit, "seeds": int(known.sum()),
                "median": None if middle is None else middle.median, "p5": None if middle is None else middle.low,
                "p95": None if middle is None else middle.high,
            }  # fmt: skip
            both = known & ~np.isnan(others)
            if arm != base and both.sum() > 1:
                gap = paired_difference(values[both], others[both])
                row |= {"base": base, "difference": gap.mean, "low": gap.low, "high": gap.high}
            rows.append(row)
    return rows


def complete(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of seeds that every arm has."""
    arms = len(runs.groupby(["group", "arm"]))
    counts = runs.groupby("seed")["arm"].size()
    return runs[runs["seed"].isin(counts.index[counts == arms])]


def column(runs: pd.DataFrame, group: str, arm: str, key: str) -> np.ndarray:
    """Return one measure of one arm by seed."""
    part = runs[(runs["group"] == group) & (runs["arm"] == arm)].sort_values("seed")
    return part[key].to_numpy(dtype=np.float64)


def median_check(claim: str, values: np.ndarray, low: float, high: float) -> Check:
    """Return whether the median over seeds lies in a range, and of how many seeds the number does.

    Seeds that do not have the number (NaN) are left out; if none has it, the claim does not hold.
    """
    known = values[~np.isnan(values)]
    inside = int(((known >= low) & (known <= high)).sum())
    return Check(claim, float(np.median(known)) if len(known) else float("nan"), low, high, inside)


def sign_check(claim: str, gaps: np.ndarray) -> Check:
    """Return whether gaps are above 0 more often than luck allows: one-sided, p < 0.01; zeros count against it."""
    above = int((gaps > 0).sum())
    return Check(claim, float(binomtest(above, len(gaps), 0.5, alternative="greater").pvalue), 0.0, 0.01, above)


def run_alone(name: str, arguments: list[str] | None) -> int:
    """Do what `delever study NAME` does with the arguments of a command line; return the exit code."""
    from delever.experiments.cli import main

    return main(["study", name, *(sys.argv[1:] if arguments is None else arguments)])
