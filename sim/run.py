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

from delever.engine.rules.base import ATOMS_PER_QUOTE
from delever.engine.rules.ruleset import RuleSet
from delever.engine.venue import no_lap

from .model import Extra, MarketModel
from .output import OutputError
from .profile import Profile
from .record import Record, open_records
from .scenario import Scenario

FORMAT = 1
PACKAGES = ("numpy", "numba", "mesa", "pyarrow")

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
    try:
        records = open_records(model, None if out is None else Path(out), journal)
        try:
            return _run(model, records, progress, began, profile)
        finally:
            for record in records:
                record.close()
    finally:
        model.close()


def _run(
    model: MarketModel, records: Sequence[Record], progress: Progress | None, began: float, profile: Profile | None
) -> RunResult:
    """Step the model to its end, or to what stops it (Ctrl-C, a full disk); store what there is in every case."""
    common = _manifest(model)
    for record in records:
        record.begin(common)
    failure: BaseException | None = None
    try:
        for record in records:
            record.after_step()
        with _interrupts() as interrupted:
            _step_through(model, records, progress, interrupted, profile)
    except BaseException as error:  # noqa: BLE001 - whatever stopped the run, what is recorded is stored first
        failure = error
    summary = _close(model, records, began, failure)
    return RunResult(summary, records[0].path)


def _step_through(
    model: MarketModel, records: Sequence[Record], progress: Progress | None, interrupted: Callable[[], bool],
    profile: Profile | None,
) -> None:  # fmt: skip
    steps = model.scenario.steps
    every = max(1, steps // 100)
    if profile is not None:
        profile.start(_event_bytes(records))
    while model.running:
        model.step()
        for record in records:
            record.after_step()
        if profile is not None:
            profile.end_step(model.report, _event_bytes(records))
        done = model.venue.step - 1
        if progress is not None and (done % every == 0 or done == steps):
            progress(done, steps)
        if interrupted():
            raise KeyboardInterrupt


def _event_bytes(records: Sequence[Record]) -> int:
    return sum(record.recorder.event_bytes for record in records)


def _close(
    model: MarketModel, records: Sequence[Record], began: float, failure: BaseException | None
) -> dict[str, Any]:
    """Close the records, write summaries and manifests, and raise `failure` again if there was one.

    The summary is that of the main venue; a run of several venues has the others' below `venues`, and its
    `conservation_error` is the largest of all venues and of the money under way between them.
    """
    wall = time.perf_counter() - began
    for record in records:
        trouble = record.finish()
        failure = failure or trouble
    told = {"scenario": model.scenario.name, "seed": model.master_seed}
    summaries = [record.summary(told, wall) for record in records]
    summary = summaries[0]
    if len(records) > 1:
        errors = [each["conservation_error"] for each in summaries] + [model.transfers.lost_atoms]
        summary["conservation_error"] = max(errors, key=abs)
        summary["transferred"] = {
            "sent": model.transfers.sent_atoms / ATOMS_PER_QUOTE,
            "under_way": model.transfers.under_way_atoms / ATOMS_PER_QUOTE,
        }
        summary["venues"] = {record.site.name: each for record, each in zip(records[1:], summaries[1:], strict=True)}
    for record, each in zip(records, summaries, strict=True):
        trouble = record.write(each, finished=failure is None)
        failure = failure or trouble
    if isinstance(failure, OutputError) and records[0].path is not None:
        done, steps = model.venue.step - 1, model.scenario.steps
        raise OutputError(
            f"{failure}; the run was stopped at step {done} of {steps}. What was recorded until then is kept in "
            f"{records[0].path}, as far as there was room"
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


def _manifest(model: MarketModel) -> dict[str, Any]:
    """Return what the manifests of all venues of a run have in common while the run goes on."""
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "delever": _version("delever"),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        **_sources()._asdict(),
        "scenario": model.scenario.model_dump(mode="json"),
        "seed": model.master_seed,
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
