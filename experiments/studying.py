"""`delever study`: the runs of a study, its table, its figure and what was claimed."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape

from .choose import mistakes_of_users
from .compare import KEPT, table_of
from .drawing import save
from .errors import UserError, advised, at_least, whole_file, writable_folder
from .paired import METHOD
from .runner import Finished, Progress, Task, run_all
from .single import progress_bar
from .studies import (
    behaviours,
    disposal_speed,
    impact,
    six_may,
    ten_october,
    tfg,
    two_funds,
    wall_attack,
    zero_intelligence,
)
from .studies.study import Arm, Study, arms_of, complete, medians_of, rows_of, settings, tasks_of
from .warmup import compile_before_workers, told_when_compiling
from .words import short, three_figures

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        two_funds.STUDY, disposal_speed.STUDY, tfg.STUDY, zero_intelligence.STUDY, wall_attack.STUDY, ten_october.STUDY,
        impact.STUDY, behaviours.STUDY, six_may.STUDY,
    )
}  # fmt: skip
WIDTHS = (12, 24, 12, 24)


def study_by_name(name: str) -> Study:
    """Return a study; raises UserError with the names there are."""
    if name not in STUDIES:
        raise UserError(f"unknown study {name!r}. There are: {'; '.join(asked())}")
    return STUDIES[name]


def asked() -> list[str]:
    """Return the name of each study with what it asks."""
    return [f"{study.name}: {study.question}" for study in STUDIES.values()]


def run_study(
    name: str | None, *, sets: list[str], seeds: int | None, jobs: int, out: Path | None, as_json: bool
) -> None:
    """Do what `delever study` says; see there. Raises UserError and Interrupted."""
    if name is None:
        there = [{"study": study.name, "question": study.question} for study in STUDIES.values()]
        print(json.dumps(there) if as_json else "\n".join(asked()))
        return
    chosen = study_by_name(name)
    count = at_least("--seeds", chosen.seeds if seeds is None else seeds, 1)
    jobs = min(at_least("--jobs", jobs, 1), os.cpu_count() or 1)
    with mistakes_of_users():
        arms, rest = arms_of(chosen, sets)
        planned = [(each, tasks_of(arms, each, count)) for each in settings(rest)]
    folder = writable_folder(out or Path("results") / f"study-{chosen.name}")
    rows: list[dict[str, Any]] = []
    checks: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    told = {
        "study": chosen.name, "question": chosen.question, "seeds": count, "interval": METHOD, "rows": rows,
        "checks": checks, "failed": failed, "out": str(folder),
    }  # fmt: skip
    frames = []
    with mistakes_of_users(), progress_bar("runs") as moved, told_when_compiling():
        if jobs > 1:
            compile_before_workers()
        for number, (setting, tasks) in enumerate(planned, start=1):
            runs, lost = make_runs(chosen, arms, tasks, folder, jobs, moved)
            given = {key: plain(value) for key, value in (each.split("=", 1) for each in setting)}
            found = rows_of(runs, chosen.measures) if chosen.own is None else medians_of(runs, arms, chosen.measures)
            rows += [{**given, **row} for row in found]
            claimed = chosen.checks(complete(runs))
            checks += [
                {**given, **check._asdict(), "value": known(check.value), "holds": check.holds} for check in claimed
            ]
            failed += [{**given, **each} for each in lost]
            frames.append(runs.assign(**given))
            _store(folder, pd.concat(frames, ignore_index=True), told)
            _draw(chosen, complete(runs), folder, "" if len(planned) == 1 else f"-{number}")
    if as_json:
        print(json.dumps(told))
    else:
        print_study(chosen, told, Console())


def plain(value: str) -> float | str:
    """Return the value of a setting: a number or a truth value where it is one, else its text."""
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, int | float) and math.isfinite(found) else value


def known(value: float) -> float | None:
    """Return a number, or None for one that no run has (NaN), which JSON does not know."""
    return None if math.isnan(value) else value


def make_runs(
    study: Study, arms: Sequence[Arm], tasks: Sequence[Task], folder: Path, jobs: int, progress: Progress
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Make the runs that `folder` does not hold, and return all as a table, and those that failed with the reason.

    The table has a row per run: group, arm, seed, every number of the summary and of the study. Raises UserError if an
    arm has no run at all, Interrupted on Ctrl-C.
    """
    finished: Finished = run_all(tasks, folder, jobs, study.simulate, progress)
    frame = table_of(tasks, finished)
    for arm in arms:
        if not (frame["rules"] == arm.label).any():
            reason = next((why for (label, _), why in finished.failures.items() if label == arm.label), "")
            raise UserError(f"every run of {arm.label!r} failed; the first because: {reason}")
    by_label = {arm.label: arm for arm in arms}
    frame.insert(0, "group", [by_label[label].group for label in frame["rules"]])
    frame.insert(1, "arm", [by_label[label].name for label in frame["rules"]])
    lost = [{"arm": label, "seed": seed, "reason": why} for (label, seed), why in finished.failures.items()]
    return frame.drop(columns="rules"), lost


def _draw(study: Study, runs: pd.DataFrame, folder: Path, suffix: str) -> None:
    """Write the figure; it appears whole or not at all."""
    with advised(KEPT.format(folder)), whole_file(folder / f"{study.name}{suffix}.png") as part:
        save(study.figure(runs), part)


def _store(folder: Path, runs: pd.DataFrame, told: dict[str, Any]) -> None:
    with advised(KEPT.format(folder)):
        with whole_file(folder / "runs.parquet") as part:
            runs.to_parquet(part, index=False)
        with whole_file(folder / "study.json") as part:
            part.write_text(json.dumps(told, indent=2), encoding="utf-8")


def print_study(study: Study, told: dict[str, Any], console: Console) -> None:
    """Print the measures, then every claim; 80 columns."""
    console.print(f"\n{escape(study.question)}\n", highlight=False)
    keys = [key for key in told["rows"][0] if "=" not in key and key not in KNOWN]
    if study.own is None:
        _print_groups(study, told["rows"], keys, console)
    else:
        keys = [key for key in keys if key not in {measure.key for measure in study.measures}]
        _print_table(study, told["rows"], keys, console)
    for check in told["checks"]:
        given = "".join(f"{key}={check[key]}: " for key in keys if key in check)
        verdict = "[green]holds[/green]" if check["holds"] else "[red]does not hold[/red]"
        value = "these runs do not tell it" if check["value"] is None else three_figures(check["value"])
        console.print(
            f"{verdict}: {escape(given + check['claim'])}: {value} (from {check['low']:g} to {check['high']:g}; "
            f"{check['seeds_inside']} seeds)", highlight=False, soft_wrap=True,
        )  # fmt: skip
    for each in told["failed"]:
        console.print(f"[red]failed[/red]: {escape(str(each))}", highlight=False, soft_wrap=True)
    console.print(f"\nMedian and 5th to 95th percentile over seeds; {METHOD}.", highlight=False, soft_wrap=True)
    console.print(f"Figure, runs.parquet and study.json are in {told['out']}.", highlight=False, soft_wrap=True)


def _print_groups(study: Study, found: list[dict[str, Any]], keys: list[str], console: Console) -> None:
    """Print each measure of each group with differences to the group's first arm."""
    blocks: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in found:
        blocks.setdefault((*(f"{key}={row[key]}" for key in keys), row["group"]), []).append(row)
    for place, rows in blocks.items():
        console.print(f"[bold]{escape(', '.join(place))}[/bold]", highlight=False)
        for measure in study.measures:
            _print_measure(measure.words, [row for row in rows if row["measure"] == measure.key], console)


def _print_table(study: Study, rows: list[dict[str, Any]], keys: list[str], console: Console) -> None:
    """Print a line per measure and a column per row of the table, as many columns at a time as 80 letters take."""
    wide = max(len(measure.words) for measure in study.measures)
    fit = max(1, (80 - wide) // 11)
    for first in range(0, len(rows), fit):
        part = rows[first : first + fit]
        for key in keys:
            cells = "".join(f"{row[key]:>11}" for row in part)
            console.print(f"[bold]{escape(f'{key:<{wide}}{cells}')}[/bold]", highlight=False)
        for measure in study.measures:
            cells = "".join(
                f"{'none' if row[measure.key] is None else _told(row[measure.key], measure.unit):>11}" for row in part
            )
            console.print(f"{measure.words:<{wide}}{cells}", highlight=False)


KNOWN = ("group", "arm", "measure", "unit", "seeds", "median", "p5", "p95", "base", "difference", "low", "high")


def _print_measure(words: str, rows: list[dict[str, Any]], console: Console) -> None:
    base = rows[0]["arm"]
    console.print(f"  {words}", highlight=False)
    for row in rows:
        if row["median"] is None:
            console.print(f"    {row['arm']:<20} has none", highlight=False)
            continue
        unit = row["unit"]
        cells = [_told(row["median"], unit), f"{_told(row['p5'], unit)} to {_told(row['p95'], unit)}"]
        if "difference" in row:
            cells += [_told(row["difference"], unit), f"{_told(row['low'], unit)} to {_told(row['high'], unit)}"]
        elif row["arm"] == base and len(rows) > 1:
            cells += ["less this:", "95 % interval"]
        padded = "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=False))
        console.print(f"    {escape(row['arm']):<20}{padded}", highlight=False, soft_wrap=True)


def _told(value: float, unit: str) -> str:
    """Write a number of a unit: shares in percent, money with k and M."""
    if unit == "share":
        return f"{three_figures(100 * value)} %"
    return short(value) if unit == "quote" else three_figures(value)
