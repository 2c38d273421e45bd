"""Many runs over processes: each result is stored the moment it is there, so that nothing computed is ever lost.

A run is a pure function of scenario, rules and seed. Its part file is named after a hash of these three and of the
source code, so that a second call finds what the first one finished and never takes a result of other code for its own.
"""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from joblib.externals.loky import ProcessPoolExecutor
from pydantic import BaseModel

from .errors import Interrupted, UserError, describe_os_error, whole_file

PARTS = "parts"
POOLS_MAX = 3
# A worker computes on one processor: there are as many workers as the user wants processors used.
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PACKAGES = ("engine", "agents", "sim")


class Outcome(Protocol):
    """What a simulation returns: at least its summary."""

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers of the run."""


class Kept(NamedTuple):
    """An outcome that is its summary alone."""

    summary: dict[str, Any]


Simulate = Callable[[Any, Any, int], Outcome]
"""Function (scenario, rules, seed) -> outcome; it is sent to worker processes by name."""

Progress = Callable[[int, int], None]


class Task(NamedTuple):
    """One run to be made; `task` makes one."""

    scenario: BaseModel
    rules: BaseModel
    label: str
    """Name of the rule set in tables."""
    seed: int
    key: str
    """Name of the part file: a hash of what the result depends on."""


class Finished(NamedTuple):
    """What became of the tasks: the summary of each run that was made, and why the others were not."""

    summaries: dict[tuple[str, int], dict[str, Any]]
    """By label and seed."""
    failures: dict[tuple[str, int], str]
    reused: int
    """How many summaries an earlier call had stored."""


def task(scenario: BaseModel, rules: BaseModel, label: str, seed: int, *folders: Path) -> Task:
    """Return the task of one run. The hash is taken here, once: workers must not see another state of the sources.

    `folders` hold the code, beside engine, agents and sim, that what is kept of the run depends on.
    """
    world = scenario.model_dump(mode="json")
    content = [world, _files_hash(world), rules.model_dump(mode="json"), seed, source_hash(), _code_hash(folders)]
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return Task(scenario, rules, label, seed, hashlib.sha256(text.encode("ascii")).hexdigest()[:32])


@lru_cache(maxsize=1)
def source_hash() -> str:
    """Return a hash of all source files that a result depends on."""
    root = Path(__file__).resolve().parent.parent
    state = hashlib.sha256()
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            state.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return state.hexdigest()


@lru_cache(maxsize=8)
def _code_hash(folders: tuple[Path, ...]) -> list[str]:
    files = sorted(file for folder in folders for file in folder.glob("*.py"))
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def _files_hash(world: dict[str, Any]) -> list[str]:
    """Return the hash of every price file that a scenario reads: a file that changed makes another run."""
    paths = [market["path"] for market in world.get("markets", ())]
    files = [Path(path["path"]) for path in paths if path["kind"] == "file"]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def run_all(tasks: Sequence[Task], folder: Path, jobs: int, simulate: Simulate, progress: Progress) -> Finished:
    """Make every run that `folder` does not hold yet, `jobs` at a time, and return all of them.

    A worker process that is killed costs nothing but its own run: that is tried once more, alone, and listed as failed
    if its worker is killed again. With one job everything happens in this process. Raises Interrupted on Ctrl-C and
    UserError on a full disk; what was finished before is in the folder.
    """
    parts = folder / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    waiting = [task for task in tasks if not _part(parts, task).exists()]
    reused = len(tasks) - len(waiting)
    failures: dict[tuple[str, int], str] = {}
    progress(reused, len(tasks))
    try:
        for done, (task, failure) in enumerate(_made(waiting, parts, jobs, simulate), start=reused + 1):
            if failure:
                failures[task.label, task.seed] = failure
            progress(done, len(tasks))
    except KeyboardInterrupt:
        raise Interrupted(_kept(tasks, parts, folder)) from None
    except OSError as error:
        raise UserError(f"{describe_os_error(error)} {_kept(tasks, parts, folder)}") from None
    made = [task for task in tasks if (task.label, task.seed) not in failures]
    summaries = {(task.label, task.seed): _read(_part(parts, task)) for task in made}
    return Finished(summaries, failures, reused)


def _made(tasks: list[Task], parts: Path, jobs: int, simulate: Simulate) -> Iterator[tuple[Task, str]]:
    """Yield (task, why it failed or "") as runs end; on return every task was yielded once."""
    if jobs == 1 or len(tasks) == 1:
        for task in tasks:
            yield task, make(task, parts, 0, simulate)[1]
        return
    stillborn = 0
    while tasks:
        ended: set[int] = set()
        try:
            for number, failure in _in_workers(tasks, parts, jobs, simulate):
                ended.add(number)
                yield tasks[number], failure
            return
        except BrokenProcessPool:
            # Which worker died is not told; those that had begun and did not end are tried one at a time.
            left = [task for number, task in enumerate(tasks) if number not in ended]
            stored = [task for task in left if _part(parts, task).exists()]
            yield from ((task, "") for task in stored)
            suspects = [task for task in left if task not in stored and _mark(parts, task).exists()]
            stillborn = 0 if ended or stored or suspects else stillborn + 1
            if stillborn == POOLS_MAX:
                raise UserError("worker processes are killed as soon as they start; try --jobs 1") from None
            for task in suspects:
                yield task, _alone(task, parts, simulate)
            tasks = [task for task in left if task not in stored and task not in suspects]


def _in_workers(tasks: Sequence[Task], parts: Path, jobs: int, simulate: Simulate) -> Iterator[tuple[int, str]]:
    """Yield (number of the task, why it failed or "") in the order in which workers finish.

    The pool is joblib's loky, one to a call: joblib.Parallel shares a pool between calls, and sometimes waits for ever
    on one that is still being taken down after a worker was killed.
    """
    for task in tasks:
        _mark(parts, task).unlink(missing_ok=True)
    pool = ProcessPoolExecutor(max_workers=min(jobs, len(tasks)), initializer=_ignore_interrupts, env=ONE_THREAD)
    left = enumerate(tasks)
    try:
        # As many at a time as there are workers: a queue behind them would be lost with the pool.
        running = {pool.submit(make, task, parts, number, simulate) for number, task in islice(left, jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            results = [future.result() for future in done]
            running |= {pool.submit(make, task, parts, number, simulate) for number, task in islice(left, len(done))}
            yield from results
    finally:
        pool.shutdown(kill_workers=True)


def _alone(task: Task, parts: Path, simulate: Simulate) -> str:
    """Make a run in a worker of its own; return why it failed, or ""."""
    try:
        return next(failure for _, failure in _in_workers([task], parts, 1, simulate))
    except BrokenProcessPool:
        _mark(parts, task).unlink(missing_ok=True)
        return "its worker process was killed, twice (is there enough memory? fewer --jobs need less)"


def _ignore_interrupts() -> None:
    # Ctrl-C reaches every process of the terminal; only the first one says something about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def make(task: Task, parts: Path, number: int, simulate: Simulate) -> tuple[int, str]:
    """Make one run and store its summary; return the task's number and why it failed, or "".

    A mistake in the values of a run (ValueError), a broken law (AssertionError) and too little memory are failures of
    that run alone.
    """
    mark = _mark(parts, task)
    mark.touch()
    try:
        summary = simulate(task.scenario, task.rules, task.seed).summary
    except (ValueError, AssertionError, MemoryError) as error:
        mark.unlink(missing_ok=True)
        return number, f"{type(error).__name__}: {error}"
    with whole_file(_part(parts, task)) as part:
        part.write_text(json.dumps(summary), encoding="utf-8")
    mark.unlink(missing_ok=True)
    return number, ""


def _part(parts: Path, task: Task) -> Path:
    return parts / f"{task.key}.json"


def _mark(parts: Path, task: Task) -> Path:
    """The file that says that a run has begun."""
    return parts / f"{task.key}.begun"


def _read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def _kept(tasks: Sequence[Task], parts: Path, folder: Path) -> str:
    done = sum(_part(parts, task).exists() for task in tasks)
    return f"{done} of {len(tasks)} runs are kept in {folder}; the same command goes on from there."
