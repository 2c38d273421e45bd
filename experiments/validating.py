"""`delever validate`: does a market behave like a real one, fact by fact."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .choose import check_paths, choose, mistakes_of_users
from .errors import UserError, advised, at_least, whole_file, writable_folder
from .realism.curves import Curves, as_lists, curves_of, stacked
from .realism.files import VolumeIn, read_market
from .realism.pictures import draw_scorecard
from .realism.portraits import draw_portraits
from .realism.scorecard import MINUTES_MIN, Scored, measured, score, scored
from .realism.watching import check_minutes, watched
from .runner import run_all, task
from .single import progress_bar
from .warmup import compile_before_workers, told_when_compiling
from .words import three_figures

HERE = Path(__file__).resolve().parent
MEASURING = (HERE / "realism", HERE / "metrics")
FROM_MINUTES = frozenset(range(1, 11)) | {18}
"""Rows made of one-minute returns; without enough of them none is told."""
KEPT = "What was computed is kept in {}; the same command goes on from there."


def validate_market(
    scenario: str | None,
    *,
    rules: str,
    against: Path | None,
    symbol: str | None,
    volume_in: VolumeIn,
    sets: list[str],
    traders: int | None,
    seeds: int,
    first_seed: int,
    jobs: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Do what `delever validate` says; see there. Raises UserError and Interrupted."""
    if scenario is None and against is None:
        raise UserError("give a scenario (delever scenarios list), a file with --against, or both")
    at_least("--seeds", seeds, 1)
    at_least("--seed", first_seed, 0)
    real, curves = (None, None) if against is None else _market(against, symbol, volume_in)
    named = scenario if scenario is not None else str(against)
    folder = writable_folder(out or Path("results") / f"validate-{Path(named).name.split('.')[0]}")
    if scenario is None:
        assert real is not None and curves is not None
        rows, others, number, failed, here, beside = real, None, 0, 0, curves, None
    else:
        found = _runs(scenario, rules, sets, traders, range(first_seed, first_seed + seeds), jobs, folder)
        failed = seeds - len(found)
        rows, others, number = scored(found), real, len(found)
        here, beside = stacked([one["curves"] for one in found]), curves
    told = {
        "scenario": named, "seeds": number, "failed": failed, "score": score(rows), "told": _told(rows),
        "rows": [_row(row) for row in rows], "out": str(folder),
    }  # fmt: skip
    if others is not None:
        beside_it = {"score": score(others), "told": _told(others), "rows": [_row(row) for row in others]}
        told["against"] = {"file": str(against)} | beside_it
    with advised(KEPT.format(folder)):
        with whole_file(folder / "scorecard.json") as part:
            part.write_text(json.dumps(told, indent=2), encoding="utf-8")
        title = f"{Path(named).name}: {score(rows)} of {_told(rows)} facts that it tells are as in real markets"
        draw_scorecard(rows, others, title, folder)
        draw_portraits(here, beside, Path(named).name, folder)
    if as_json:
        print(json.dumps(told))
    else:
        _print(rows, others, told, Console())


def _market(file: Path, symbol: str | None, volume_in: VolumeIn) -> tuple[list[Scored], Curves]:
    """Return scorecard and curves of a market in a file."""
    seen = read_market(file, symbol, volume_in)
    return scored([measured(seen)]), stacked([as_lists(curves_of(seen))])


def _runs(
    scenario: str, rules: str, sets: list[str], traders: int | None, seeds: range, jobs: int, folder: Path
) -> list[dict[str, Any]]:
    """Make the runs that `folder` does not hold and return what was measured in each."""
    wanted = choose(scenario, [rules], traders=traders, sets=sets)
    world, (spec, meant) = wanted.scenario, wanted.rules[0]
    check_paths(world, seeds[0])
    tasks = [task(world, meant, spec, seed, *MEASURING) for seed in seeds]
    jobs = min(at_least("--jobs", jobs, 1), os.cpu_count() or 1)
    with mistakes_of_users(), progress_bar("runs") as moved, told_when_compiling():
        check_minutes(world)
        if jobs > 1 and len(tasks) > 1:
            compile_before_workers()
        finished = run_all(tasks, folder, jobs, watched, moved)
    if not finished.summaries:
        raise UserError(f"every run failed; the first because: {next(iter(finished.failures.values()))}")
    return [finished.summaries[key] for key in sorted(finished.summaries, key=lambda key: key[1])]


def _told(rows: Sequence[Scored]) -> int:
    """Return how many rows can be told at all."""
    return sum(row.passed is not None for row in rows)


def _of_all(rows: Sequence[Scored]) -> str:
    told = _told(rows)
    return f"{told} rows" if told == len(rows) else f"{told} rows that can be told"


def _row(row: Scored) -> dict[str, Any]:
    """Return a row as it stands in JSON; one number is a number, several are a list."""

    def plain(values: Sequence[float | None] | None) -> Any:
        if values is None:
            return None
        return values[0] if len(row.fact.parts) == 1 else list(values)

    fact = row.fact
    return {
        "row": fact.row, "fact": fact.name, "parts": [part for part in fact.parts if part], "value": plain(row.values),
        "low": plain(fact.low), "high": plain(fact.high), "passed": row.passed, "compulsory": fact.compulsory,
        "real": [list(each) for each in fact.real],
    }  # fmt: skip


def _print(rows: Sequence[Scored], others: Sequence[Scored] | None, told: dict[str, Any], console: Console) -> None:
    """Print a line per number: what it is here, what passes, what real markets have, and whether the row passes."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("", "fact", "here", *(("file",) if others else ()), "passes from", "to", "real", ""):
        table.add_column(name, justify="left" if name in ("fact", "") else "right", overflow="fold")
    for place, row in enumerate(rows):
        fact = row.fact
        for part, name in enumerate(fact.parts):
            first = part == 0
            words = (fact.name if first else "") + (f" [dim]{name}[/dim]" if name else "")
            cells = [str(fact.row) if first else "", words.strip(), _number(row, part)]
            cells += [_number(others[place], part)] if others else []
            low, high = fact.low[part], fact.high[part]
            cells += ["" if low is None else f"{low:g}", "" if high is None else f"{high:g}", _real(row, part)]
            table.add_row(*cells, _verdict(row) if first else "")
    console.print(table)
    missing = [str(row.fact.row) for row in rows if row.passed is None]
    if missing:
        words = f"Not to be told from this: rows {', '.join(missing)}."
        if {row.fact.row for row in rows if row.passed is None} >= FROM_MINUTES:
            words += f" Rows 1 to 10 and 18 need {MINUTES_MIN:,} minutes."
        console.print(words, highlight=False, soft_wrap=True)
    needed = [str(row.fact.row) for row in rows if row.fact.compulsory and row.passed is False]
    of_seeds = f", medians of {told['seeds']} seeds" if told["seeds"] else ""
    if told["failed"]:
        console.print(f"{told['failed']} runs failed and are left out.", style="red", highlight=False, soft_wrap=True)
    console.print(f"\n{told['score']} of {_of_all(rows)} pass{of_seeds}.", highlight=False, soft_wrap=True)
    if needed:
        console.print(f"Rows that have to pass and do not: {', '.join(needed)}.", highlight=False, soft_wrap=True)
    console.print(f"Figures and scorecard.json are in {told['out']}.", highlight=False, soft_wrap=True)


def _number(row: Scored, part: int) -> str:
    return "-" if row.values is None else three_figures(row.values[part])


def _real(row: Scored, part: int) -> str:
    if not row.fact.real:
        return ""
    low, high = row.fact.real[part]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _verdict(row: Scored) -> str:
    return {True: "[green]passes[/green]", False: "[red]fails[/red]", None: "[dim]not told[/dim]"}[row.passed]
