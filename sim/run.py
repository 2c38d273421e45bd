"""One run from beginning to end: build the world, step it, record it."""

from __future__ import annotations

import platform
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from delever.engine.rules.io import rules_hash
from delever.engine.rules.ruleset import RuleSet
from delever.engine.venue import no_lap

from .model import Extra, MarketModel
from .money import lot_size
from .output import OutputError, OutputFolder
from .profile import Profile
from .recorder import JOURNAL_TABLES, TABLES, Owners, Recorder
from .scenario import Scenario

FORMAT = 1
PACKAGES = ("numpy", "numba", "mesa", "pyarrow")
MANIFEST, SUMMARY = "manifest.json", "summary.json"

Progress = Callable[[int, int], None]


class RunResult(NamedTuple):
    """What is left of a run: its summary, as in summary.json, and the folder it was stored in."""

    summary: dict[str, Any]
    out: Path | None


def simulate(
    scenario: Scenario | str,
    rules: RuleSet | str,
    seed: int,
    *,
    out: Path | None = None,
    journal: bool = False,
    check: bool = False,
    progress: Progress | None = None,
    cohorts: Sequence[Extra] | None = None,
    profile: Profile | None = None,
) -> RunResult:
    """Run a scenario under a rule set with a seed and return its summary.

    With `out` the run is stored there as it goes (`journal`: every posting and command too); on Ctrl-C or a full disk
    the folder holds everything up to the last step, and its manifest says `finished: false`. `check` has every law
    checked at every step. `progress` is called with (steps done, steps) about a hundred times. A `profile` is filled.
    Raises ScenarioError, RuleError, PriceFileError, OutputError (each says what is wrong), KeyboardInterrupt (after
    storing), AssertionError (a law is broken: a bug, with step and seed).
    """
    began = time.perf_counter()
    model = MarketModel(
        scenario, rules=rules, seed=seed, cohorts=cohorts or (), journal=journal and out is not None, check=check,
        collect=False, lap=no_lap if profile is None else profile.lap,
    )  # fmt: skip
    stale = [f"{name}.parquet" for name in [*TABLES, *JOURNAL_TABLES]] + [MANIFEST, SUMMARY]
    folder = None if out is None else OutputFolder(Path(out), stale)
    try:
        return _run(model, folder, journal, progress, began, profile)
    finally:
        if folder is not None:
            folder.close()
        model.close()


def _run(
    model: MarketModel, folder: OutputFolder | None, journal: bool, progress: Progress | None, began: float,
    profile: Profile | None,
) -> RunResult:  # fmt: skip
    """Step the model to its end, or to what stops it (Ctrl-C, a full disk); store what there is in every case."""
    recorder = Recorder(
        model.venue,
        _owners(model),
        dt_s=model.scenario.dt_s,
        record_every_steps=model.scenario.record_every_steps,
        folder=folder,
        journal=journal,
    )
    manifest: dict[str, Any] = {}
    if folder is not None:
        manifest = _manifest(model, list(recorder.writers))
        folder.write_json(MANIFEST, manifest)
    model.listen(recorder.take)
    failure: BaseException | None = None
    try:
        recorder.after_step(model.report, model.arrived)
        with _interrupts() as interrupted:
            _step_through(model, recorder, progress, interrupted, profile)
    except BaseException as error:  # noqa: BLE001 - whatever stopped the run, what is recorded is stored first
        failure = error
    summary = _close(model, recorder, folder, manifest, began, failure)
    return RunResult(summary, None if folder is None else folder.path)


def _step_through(
    model: MarketModel, recorder: Recorder, progress: Progress | None, interrupted: Callable[[], bool],
    profile: Profile | None,
) -> None:  # fmt: skip
    steps = model.scenario.steps
    every = max(1, steps // 100)
    if profile is not None:
        profile.start(recorder.event_bytes)
    while model.running:
        model.step()
        recorder.after_step(model.report, model.arrived)
        if profile is not None:
            profile.end_step(model.report, recorder.event_bytes)
        done = model.venue.step - 1
        if progress is not None and (done % every == 0 or done == steps):
            progress(done, steps)
        if interrupted():
            raise KeyboardInterrupt


def _close(
    model: MarketModel,
    recorder: Recorder,
    folder: OutputFolder | None,
    manifest: dict[str, Any],
    began: float,
    failure: BaseException | None,
) -> dict[str, Any]:
    """Close the record, write summary and manifest, and raise `failure` again if there was one."""
    wall = time.perf_counter() - began
    try:
        recorder.finish()
    except OutputError as error:
        failure = failure or error
    summary = {
        "scenario": model.scenario.name,
        "rules": model.rules.name,
        "seed": model.master_seed,
        "currency": model.money.currency,
        "quote_per_unit": float(model.money.quote_per_unit),
        **recorder.summary(),
        "commands_per_s": round(recorder.counts["commands"] / wall, 1),
        "wall_s": round(wall, 3),
    }
    if folder is not None:
        try:
            folder.write_json(SUMMARY, summary)
            folder.write_json(MANIFEST, {**manifest, "finished": failure is None})
        except OutputError as error:
            failure = failure or error
    if isinstance(failure, OutputError) and folder is not None:
        done, steps = model.venue.step - 1, model.scenario.steps
        raise OutputError(
            f"{failure}; the run was stopped at step {done} of {steps}. What was recorded until then is kept in "
            f"{folder.path}, as far as there was room"
        ) from None
    if failure is not None:
        raise failure
    return summary


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C back until the step is complete; yield a function that says whether it was pressed.

    A step half done cannot be recorded. Where Ctrl-C means something else already (a worker that ignores it, a thread
    that is not the main one) it is left alone.
    """
    pressed: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _owners(model: MarketModel) -> Owners:
    directory = model.directory
    names = [place.member.name for place in directory.places]
    return Owners(names, directory.place_of_row(), directory.backstops())


def _manifest(model: MarketModel, tables: Sequence[str]) -> dict[str, Any]:
    """Return what the manifest of a run says while the run goes on."""
    scenario = model.scenario
    specs = zip(scenario.markets, model.venue.markets, strict=True)
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "delever": _version("delever"),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        **_sources()._asdict(),
        "scenario": scenario.model_dump(mode="json"),
        "rules": model.rules.model_dump(mode="json"),
        "rules_hash": rules_hash(model.rules),
        "seed": model.master_seed,
        "markets": [
            {
                "symbol": spec.symbol,
                "tick_size": f"{spec.tick_size:f}",
                "lot_size": f"{lot_size(model.rules.contract, spec):f}",
                "multiplier_atoms": market.multiplier_atoms,
                "price_max_ticks": market.price_max_ticks,
            }
            for spec, market in specs
        ],
        "money": {
            "currency": model.money.currency,
            "atoms_per_unit": model.money.atoms_per_unit,
            "quote_per_unit": float(model.money.quote_per_unit),
        },
        "cohorts": [
            {"name": member.name, "kind": member.kind, "first_row": first, "count": last - first}
            for member, first, last in model.directory.places
        ],
        "files": [*(f"{name}.parquet" for name in tables), SUMMARY],
        "finished": False,
    }


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Sources(NamedTuple):
    """Where this code comes from: the commit it was checked out from, and whether anything differs from that commit.

    Both are None for an installed package, also one that was installed somewhere inside another checkout.
    """

    commit: str | None
    dirty: bool | None


@cache
def _sources() -> Sources:
    """Ask git, once in a process."""
    here = Path(__file__).resolve().parent
    if _git(here, "ls-files", Path(__file__).name) != Path(__file__).name:
        return Sources(None, None)
    changes = _git(here.parent, "status", "--porcelain")
    return Sources(_git(here, "rev-parse", "HEAD"), None if changes is None else bool(changes))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        asked = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
