"""`delever compare`: rule sets under the same luck, paired by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .bearers import NAME_WIDTH, bearers_figure, print_bearers, who_bears
from .bearers import as_json as bearers_as_json
from .errors import UserError, advised, whole_file
from .paired import METHOD, Row
from .paired import compare as compare_runs
from .runner import Finished, Progress, Simulate, Task, run_all, task
from .summary import in_quote
from .words import MANY, MEASURES, count_of, letters, measure_words, written

MAIN = {
    "max_drawdown": "deepest fall",
    "liquidations": "times liquidated",
    "liquidated_notional": "value liquidated",
    "forced_share": "forced share",
    "insurance_fund_min": "fund at its lowest",
    "adl_notional": "value closed by ADL",
    "conservation_error": "conservation error",
}

KEPT = "The runs themselves are kept in {}."
WIDTHS = (10, 21, 12, 24)
NOT_MEASURED = ("rules", "seed", "digest", "scenario", "events_chain", "currency", "quote_per_unit")


def run_comparison(
    scenario: BaseModel,
    rules: Sequence[tuple[str, BaseModel]],
    seeds: Sequence[int],
    folder: Path,
    *,
    jobs: int,
    simulate: Simulate,
    progress: Progress,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Make all runs (or find them in `folder`), and store runs.parquet, comparison.json and the figure.

    Returns the table of runs, one row per rule set and seed, and the comparison as one JSON object. The result does not
    depend on `jobs`. Raises UserError if no run succeeded, Interrupted on Ctrl-C.
    """
    tasks = [task(scenario, chosen, label, seed) for seed in seeds for label, chosen in rules]
    finished = run_all(tasks, folder, jobs, simulate, progress)
    if not finished.summaries:
        first = next(iter(finished.failures.values()))
        raise UserError(f"every run failed; the first because: {first}")
    runs = table_of(tasks, finished)
    rows = compare_runs(runs, measures_in(runs))
    summary = as_json(scenario, [label for label, _ in rules], seeds, finished, rows, folder)
    summary["losses"] = bearers_as_json(who_bears(runs))
    _store(folder, runs, summary)
    return runs, summary


def table_of(tasks: Sequence[Task], finished: Finished) -> pd.DataFrame:
    """Return a row per run that was made: rules, seed, digest, then every measure of its summary.

    Nested objects become columns `outer.inner`; a count that only some runs have is 0 in the others.
    """
    rows = []
    labels = list(dict.fromkeys(one.label for one in tasks))
    for one in sorted(tasks, key=lambda one: (labels.index(one.label), one.seed)):
        summary = finished.summaries.get((one.label, one.seed))
        if summary is not None:
            rows.append({**in_quote(summary), "rules": one.label, "seed": one.seed})
    first = ["rules", "seed", "digest"]
    columns = list(dict.fromkeys(key for row in rows for key in row if key not in first))
    frame = pd.DataFrame(rows, columns=first + columns)
    counts = [name for name in columns if name.startswith("refusals.")]
    frame[counts] = frame[counts].fillna(0).astype("int64")
    return frame


def measures_in(runs: pd.DataFrame) -> list[str]:
    """Return the columns that are measures, the known ones in their order first; speeds are left out."""
    numeric = [name for name in runs.select_dtypes("number").columns if name not in NOT_MEASURED]
    known = [name for name in MEASURES if name in numeric and MEASURES[name].kind != "speed"]
    return known + [name for name in numeric if name not in MEASURES]


def as_json(
    scenario: BaseModel,
    labels: Sequence[str],
    seeds: Sequence[int],
    finished: Finished,
    rows: Sequence[Row],
    folder: Path,
) -> dict[str, Any]:
    """Return the comparison as one object: what was run, what failed, and every measure by rule set."""
    measures: dict[str, dict[str, Any]] = {}
    for row in rows:
        entry: dict[str, Any] = {"median": row.spread.median, "p5": row.spread.low, "p95": row.spread.high}
        if row.difference is not None:
            ends = [None if math.isnan(end) else end for end in (row.difference.low, row.difference.high)]
            entry["difference"] = {"mean": row.difference.mean, "low": ends[0], "high": ends[1]}
        measures.setdefault(row.measure, {})[row.rules] = entry
    failed = [{"rules": label, "seed": seed, "reason": why} for (label, seed), why in finished.failures.items()]
    return {
        "scenario": scenario.model_dump(mode="json").get("name", ""),
        "rules": list(labels),
        "base": labels[0],
        "seeds": list(seeds),
        "runs": len(finished.summaries),
        "failed": failed,
        "interval": METHOD,
        "measures": measures,
        "out": str(folder),
    }


def _store(folder: Path, runs: pd.DataFrame, summary: dict[str, Any]) -> None:
    """Write the results; each file appears whole or not at all."""
    import json

    from .comparison_figure import comparison_figure
    from .drawing import save

    (folder / "figures").mkdir(exist_ok=True)
    with advised(KEPT.format(folder)):
        with whole_file(folder / "runs.parquet") as part:
            runs.to_parquet(part, index=False)
        with whole_file(folder / "comparison.json") as part:
            part.write_text(json.dumps(summary, indent=2), encoding="utf-8")
        with whole_file(folder / "figures" / "comparison.png") as part:
            save(comparison_figure(runs), part)
        with whole_file(folder / "figures" / "who_bears_the_loss.png") as part:
            save(bearers_figure(who_bears(runs)), part)


def print_comparison(summary: dict[str, Any], console: Console) -> None:
    """Print each measure per rule set, with paired differences against the first; fits into 80 columns."""
    labels, seeds = summary["rules"], summary["seeds"]
    if len(labels) > MANY:
        _print_many(summary, console)
        return
    seeds_words = f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds, {seeds[0]} to {seeds[-1]}"
    names = letters(len(labels))
    lines = [f"\n[bold]{summary['scenario']}[/bold], {seeds_words}"]
    lines += [f"  [bold]{letter}[/bold]  {escape(label)}" for letter, label in zip(names, labels, strict=True)]
    lines += ["", _aligned("", "median", "5 % to 95 %", f"less {names[0]}", "95 % interval")]
    same = []
    for measure, by_rules in summary["measures"].items():
        entries = [by_rules[label] for label in labels]
        if measure.startswith("refusals."):
            continue
        if len({entry[end] for entry in entries for end in ("median", "p5", "p95")}) == 1:
            same.append(f"  {measure_words(measure)}: {written(measure, entries[0]['median'])}")
            continue
        lines.append(f"[bold]{measure_words(measure)}[/bold]")
        lines += [_aligned(letter, *_cells(measure, entry)) for letter, entry in zip(names, entries, strict=True)]
    lines += ["", "The same in every run:", *same] if same else []
    lines += ["", "Median and 5th to 95th percentile over seeds. Differences are paired by seed:", f"{METHOD}."]
    for failed in summary["failed"]:
        lines.append(f"[red]failed[/red]: {escape(failed['rules'])}, seed {failed['seed']}: {escape(failed['reason'])}")
    lines.append(f"Every run is in {summary['out']}/runs.parquet, the figure in figures/comparison.png.")
    for line in lines[:-1]:
        console.print(line, highlight=False, soft_wrap=True)
    print_bearers(summary["losses"], console)
    console.print(lines[-1], highlight=False, soft_wrap=True)


def _print_many(summary: dict[str, Any], console: Console) -> None:
    """Print many rule sets as one table with a row each: medians of the main measures, then who bears the loss."""
    labels, seeds = summary["rules"], summary["seeds"]
    console.print(f"\n[bold]{summary['scenario']}[/bold], {count_of(len(seeds), 'seed')} from {seeds[0]}: medians")
    table = Table(box=box.SIMPLE, show_edge=False, padding=0)
    table.add_column("rules", overflow="fold", no_wrap=max(map(len, labels)) <= NAME_WIDTH)
    errors = [entry["p95"] for entry in summary["measures"].get("conservation_error", {}).values()]
    measures = [name for name in MAIN if name in summary["measures"] and (name != "conservation_error" or any(errors))]
    for name in measures:
        table.add_column(MAIN[name], justify="right")
    for label in labels:
        entries = [summary["measures"][name][label]["median"] for name in measures]
        table.add_row(label, *(written(name, value, brief=True) for name, value in zip(measures, entries, strict=True)))
    console.print(table)
    if errors and not any(errors):
        console.print("The conservation error is 0 in every run.\n", highlight=False)
    print_bearers(summary["losses"], console)
    for failed in summary["failed"]:
        console.print(f"failed: {escape(failed['rules'])}, seed {failed['seed']}: {escape(failed['reason'])}")
    console.print(
        f"Every run and measure is in {summary['out']}/runs.parquet, paired differences in comparison.json, the figure "
        "of losses in figures/who_bears_the_loss.png.",
        highlight=False,
        soft_wrap=True,
    )


def _aligned(letter: str, *cells: str) -> str:
    return f"  {letter:3}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def _cells(measure: str, entry: dict[str, Any]) -> tuple[str, str, str, str]:
    def brief(value: float) -> str:
        return written(measure, value, brief=True)

    median, spread = brief(entry["median"]), f"{brief(entry['p5'])} to {brief(entry['p95'])}"
    difference = entry.get("difference")
    if difference is None:
        return median, spread, "", ""
    mean, low, high = difference["mean"], difference["low"], difference["high"]
    if low is None:
        return median, spread, brief(mean), "one seed"
    return median, spread, brief(mean), "0" if low == high == 0 else f"{brief(low)} to {brief(high)}"
