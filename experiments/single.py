"""`delever run`: one run, its folder, its pictures and report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from delever.engine.rules.ruleset import RuleSet
from delever.sim.output import OutputError
from delever.sim.profile import Profile
from delever.sim.run import simulate
from delever.sim.scenario import Scenario

from .choose import check_paths, choose, folder_name, mistakes_of_users
from .errors import Interrupted, LawBroken, UserError, at_least, writable_folder
from .summary import print_profile, print_summary
from .warmup import told_when_compiling

LEFT_OVER = ("report.html", "figures/*.png")


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while the block runs; yield the function that moves it (done, of so many)."""
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("getting ready", total=None)
        yield lambda done, total: bar.update(task, description="running", completed=done, total=total)


def run_one(
    scenario: str,
    *,
    rules: str,
    seed: int,
    index: Path | None,
    symbol: str | None,
    sets: list[str],
    traders: int | None,
    out: Path | None,
    as_json: bool,
    check: bool,
    journal: bool,
    report: bool,
    force: bool,
    profile: bool,
) -> None:
    """Do what `delever run` says; see there. Raises UserError and Interrupted."""
    at_least("--seed", seed, 0)
    wanted = choose(scenario, [rules], traders=traders, index=index, symbol=symbol, sets=sets)
    world, (spec, meant) = wanted.scenario, wanted.rules[0]
    folder = out or Path("results") / folder_name(world, spec, seed)
    _may_replace(folder, world, meant, seed, force)
    writable_folder(folder)
    check_paths(world, seed)
    for pattern in LEFT_OVER:
        for file in folder.glob(pattern):
            file.unlink()
    clock = Profile() if profile else None
    summary = _simulate(world, meant, seed, folder, journal=journal, check=check, profile=clock)
    if report:
        from .report import write_report

        with Console(stderr=True).status("drawing the report"):
            write_report(folder)
    timed = {} if clock is None else {"profile": clock.report()}
    if as_json:
        print(json.dumps(summary | timed))
        return
    console = Console()
    print_summary(summary, console)
    if clock is not None:
        print_profile(clock.report(), console)
    told = f"Report: {folder}/report.html" if report else f"Folder: {folder} (delever report makes its report)"
    console.print(told, highlight=False, soft_wrap=True)


def _simulate(
    world: Scenario, rules: RuleSet, seed: int, folder: Path, *, journal: bool, check: bool, profile: Profile | None
) -> dict[str, Any]:
    try:
        with mistakes_of_users(), progress_bar("steps") as moved, told_when_compiling():
            return simulate(
                world, rules, seed, out=folder, journal=journal, check=check, progress=moved, profile=profile
            ).summary
    except KeyboardInterrupt:
        raise Interrupted(
            f"What was recorded until then is kept in {folder}; delever report {folder} makes a report of it."
        ) from None
    except OutputError as error:
        raise UserError(f"{error}.") from None
    except AssertionError as error:
        raise LawBroken(
            f"{error}. This is a defect of delever: please report it with the command you ran. What was recorded until "
            f"then is kept in {folder}."
        ) from error


def _may_replace(folder: Path, world: Scenario, rules: RuleSet, seed: int, force: bool) -> None:
    """Refuse to write over another run: the same run may be made again, it comes out the same."""
    manifest = folder / "manifest.json"
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder. Choose another with --out.")
    if force or not manifest.is_file():
        return
    try:
        there = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        there = {}
    mine = (world.model_dump(mode="json"), rules.model_dump(mode="json"), seed)
    if (there.get("scenario"), there.get("rules"), there.get("seed")) != mine:
        raise UserError(f"{folder} holds another run. Choose another folder with --out, or write over it with --force.")
