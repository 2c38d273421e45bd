"""What a benchmark is given, what it answers, and the two loops that every time is compared with."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from delever.engine.kernel import kernel
from delever.engine.tables import Table

MESSAGES = 1_000_000  # of the flow for the book and the full path, at full size
KERNEL_ITERATIONS = 20_000_000
PYTHON_ITERATIONS = 1_000_000
TABLE_WORDS = 4_096
MIB = 2**20

COMMAND = [sys.executable, "-m", "delever.experiments"]
# A small process in between: the largest size of a child begins at that of the process that started it.
LAUNCHER = (
    "import json, resource, subprocess, sys, time\n"
    "began = time.perf_counter()\n"
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)\n"
    "seconds = time.perf_counter() - began\n"
    "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    "processor = used.ru_utime + used.ru_stime\n"
    "print(json.dumps([done.returncode, seconds, processor, used.ru_maxrss, done.stdout, done.stderr]))\n"
)


class Request(NamedTuple):
    """What a benchmark is asked for: how large (1 is full size), and a folder for what it leaves on disk."""

    scale: float
    folder: Path

    def scaled(self, number: int, least: int = 1) -> int:
        """Return a size at the scale asked for."""
        return max(least, round(number * self.scale))


class Reading(NamedTuple):
    """One figure of a run; `part` says which of the benchmark's, "" is the main one.

    `cost_s`: seconds that one of what is counted took, None where the value is no time; of the processor if `processor`
    is set, else of the clock on the wall. `peak_mib` replaces the peak of the process that ran the benchmark.
    """

    part: str
    value: float
    unit: str
    cost_s: float | None = None
    note: str = ""
    peak_mib: float | None = None
    processor: bool = False


def rate(part: str, count: int, seconds: float, unit: str, note: str = "", *, processor: bool = False) -> Reading:
    """Return the reading of `count` things done in so many seconds."""
    return Reading(part, count / seconds, unit, seconds / count, note, processor=processor)


class Loops(NamedTuple):
    """Seconds that an iteration of each reference loop takes, of the clock on the wall and of the processor."""

    kernel_s: float
    python_s: float
    kernel_processor_s: float
    python_processor_s: float

    def ratios(self, reading: Reading) -> tuple[float | None, float | None]:
        """Return how many iterations of each loop take as long as one of what the reading counts."""
        if reading.cost_s is None:
            return None, None
        if reading.processor:
            return reading.cost_s / self.kernel_processor_s, reading.cost_s / self.python_processor_s
        return reading.cost_s / self.kernel_s, reading.cost_s / self.python_s


class Launched(NamedTuple):
    """What became of a command: seconds on the wall, of processors, largest size of one process, what it printed."""

    seconds: float
    processor_s: float
    peak_mib: float
    stdout: str


def launch(*arguments: str, env: dict[str, str] | None = None) -> Launched:
    """Run `delever ARGUMENTS` in a process of its own; raises RuntimeError with its message if it fails."""
    command = [sys.executable, "-S", "-E", "-c", LAUNCHER, *COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    code, seconds, processor, peak, stdout, stderr = json.loads(done.stdout)
    if code != 0:
        raise RuntimeError(f"delever {' '.join(arguments)} ended with exit code {code}: {stderr.strip()}")
    return Launched(seconds, processor, mib(peak), stdout)


def mib(maxrss: int) -> float:
    """Return `ru_maxrss` in MiB: kibibytes, but bytes on macOS."""
    return maxrss / (MIB if sys.platform == "darwin" else 1024)


def peak_mib() -> float:
    """Return the largest size this process has had."""
    return mib(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


@kernel
def kernel_loop(iterations: int, table: Table) -> int:
    """Walk a small table at random, each place drawn from the last (xorshift); return the last state."""
    state = 1
    mask = table.shape[0] - 1
    for _ in range(iterations):
        state ^= (state << 13) & 0x7FFFFFFFFFFFFFFF
        state ^= state >> 7
        state ^= (state << 17) & 0x7FFFFFFFFFFFFFFF
        table[state & mask] += state & 0xFF
        state += table[(state >> 20) & mask] & 1
    return state


def python_loop(iterations: int) -> int:
    """Do the same in plain Python integers, without a table."""
    state = 1
    for _ in range(iterations):
        state ^= (state << 13) & 0x7FFFFFFFFFFFFFFF
        state ^= state >> 7
        state ^= (state << 17) & 0x7FFFFFFFFFFFFFFF
    return state


def reference_s() -> Loops:
    """Return how long an iteration of each loop takes now."""
    table = np.zeros(TABLE_WORDS, dtype=np.int64)
    kernel_loop(1, table)
    began = time.perf_counter(), time.process_time()
    kernel_loop(KERNEL_ITERATIONS, table)
    between = time.perf_counter(), time.process_time()
    python_loop(PYTHON_ITERATIONS)
    ended = time.perf_counter(), time.process_time()
    kernel = [(after - before) / KERNEL_ITERATIONS for before, after in zip(began, between, strict=True)]
    python = [(after - before) / PYTHON_ITERATIONS for before, after in zip(between, ended, strict=True)]
    return Loops(kernel[0], python[0], kernel[1], python[1])
