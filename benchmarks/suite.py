"""Running benchmarks in interleaved rounds, and what is printed and stored of them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from delever.experiments.errors import EXIT_FOUND, UserError, at_least

from .catalogue import BENCHMARKS

Row = dict[str, Any]
Sample = list[Row]
"""What one run of a benchmark read."""
HEADINGS = ("benchmark", "value", "unit", "low to high", "kernel loop x", "Python loop x", "peak MiB")
MODULES_WITH_KERNELS = ("book", "path", "storm", "worlds")
WARM_SCALE = 0.002
LEFT = (0, 2)  # columns of words
PREFIXES = ((1e9, " G"), (1e6, " M"), (1e3, " k"))


def bench(only: Sequence[str], runs: int, scale: float, file: Path | None, markdown: bool) -> int:
    """Do what `delever bench` says; return its exit code. Raises UserError."""
    at_least("--runs", runs, 1)
    if not 0 < scale <= 1:
        raise UserError(f"--scale must be above 0 and at most 1 (got {scale})")
    names = chosen(only)
    if file is not None:
        _must_be_writable(file)
    samples, failures = run_rounds(names, runs, scale)
    rows = [row for name in names for row in rows_of(name, samples[name], scale)]
    print("\n".join(markdown_lines(rows, command(only, runs, scale)) if markdown else text_lines(rows)))
    if file is not None:
        file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    for name, failure in failures.items():
        print(f"delever: {name} failed: {failure}", file=sys.stderr)
    return EXIT_FOUND if failures else 0


def _must_be_writable(file: Path) -> None:
    """Find out before the first round, not after the last, whether the figures can be written; raises UserError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot write to {file}: {reason}. Choose another file with --json.") from None


def chosen(only: Sequence[str]) -> list[str]:
    """Return the names to run: those asked for, else all whose packages are installed. Raises UserError."""
    for name in only:
        if name not in BENCHMARKS:
            raise UserError(f"there is no benchmark {name!r}; choose from {', '.join(BENCHMARKS)}")
        if not _is_installed(name):
            raise UserError(f"{name} needs {BENCHMARKS[name].needs}: {BENCHMARKS[name].install}")
    return list(dict.fromkeys(only)) or [name for name in BENCHMARKS if _is_installed(name)]


def _is_installed(name: str) -> bool:
    needs = BENCHMARKS[name].needs
    return not needs or find_spec(needs) is not None


def run_rounds(names: Sequence[str], runs: int, scale: float) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Run all benchmarks once, then all again, so that a slow minute of the machine meets all of them.

    Returns what each run read, by name, and why a benchmark failed; what failed once is not tried again.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    failures: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        warm_up(warmed(names), folder)
        for number in range(1, runs + 1):
            for name in names:
                if name in failures:
                    continue
                print(f"run {number} of {runs}: {name} ({BENCHMARKS[name].about})", file=sys.stderr)
                done = work("worker", name, str(scale), folder)
                if done.returncode == 0:
                    samples[name].append(json.loads(done.stdout))
                else:
                    failures[name] = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return samples, failures


def warmed(names: Sequence[str]) -> list[str]:
    """Return which of the benchmarks to run small first: between them they compile all kernels, if they are not yet."""
    first = {BENCHMARKS[name].module: name for name in reversed(names)}
    return [first[module] for module in MODULES_WITH_KERNELS if module in first]


def warm_up(names: Sequence[str], folder: str) -> None:
    """Run benchmarks small, without looking at what they read; what fails here fails again when it counts."""
    for name in names:
        work("worker", name, str(WARM_SCALE), folder)


def work(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the benchmarks in a process of its own."""
    words = [sys.executable, "-m", f"{__package__}.{module}", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def rows_of(name: str, samples: Sequence[Sample], scale: float) -> list[Row]:
    """Return the rows of a benchmark, one a figure: the median over its runs, lowest and highest, and the ratios."""
    found: dict[str, list[Row]] = {}
    for sample in samples:
        for reading in sample:
            found.setdefault(reading["part"], []).append(reading)
    return [_row(name, part, readings, scale) for part, readings in found.items()]


def _row(name: str, part: str, readings: Sequence[Row], scale: float) -> Row:
    values = [reading["value"] for reading in readings]
    return {
        "name": f"{name}.{part}" if part else name,
        "value": statistics.median(values),
        "unit": readings[0]["unit"],
        "low": min(values),
        "high": max(values),
        "runs": len(values),
        "peak_mib": round(statistics.median(reading["peak_mib"] for reading in readings), 1),
        "reference_ratio": _median(reading["kernel"] for reading in readings),
        "reference_ratio_python": _median(reading["python"] for reading in readings),
        "note": readings[-1]["note"],
        "command": command([name], len(values), scale),
    }


def _median(ratios: Iterable[float | None]) -> float | None:
    known = [ratio for ratio in ratios if ratio is not None]
    return statistics.median(known) if known else None


def command(only: Sequence[str], runs: int, scale: float) -> str:
    """Return the command that measures this again."""
    words = ["delever", "bench"]
    if only:
        words += ["--only", *only]
    words += ["--runs", str(runs)]
    if scale != 1:
        words += ["--scale", f"{scale:g}"]
    return " ".join(words)


def brief(value: float | None) -> str:
    """Return a number with three digits that mean something, large ones with k, M or G."""
    if value is None:
        return "-"
    for size, letter in PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def cells(row: Row) -> tuple[str, ...]:
    """Return what the table says of a row."""
    return (
        row["name"], brief(row["value"]), row["unit"], f"{brief(row['low'])} to {brief(row['high'])}",
        brief(row["reference_ratio"]), brief(row["reference_ratio_python"]), f"{row['peak_mib']:.0f}",
    )  # fmt: skip


def text_lines(rows: Sequence[Row]) -> list[str]:
    """Return the table as text, and below it what belongs to each figure."""
    table = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    lines = []
    for line in table:
        padded = [cell.ljust(width) if column in LEFT else cell.rjust(width) for column, (cell, width) in
                  enumerate(zip(line, widths, strict=True))]  # fmt: skip
        lines.append("  ".join(padded).rstrip())
    return [*lines, "", *(f"{row['name']}: {row['note']}" for row in rows if row["note"])]


def markdown_lines(rows: Sequence[Row], said: str) -> list[str]:
    """Return the table as Markdown, with date, machine and command."""
    lines = [f"{machine()}, {datetime.now(UTC):%Y-%m-%d}: `{said}`", ""]
    lines += [f"| {' | '.join((*HEADINGS, 'remarks'))} |", f"|{'---|' * (len(HEADINGS) + 1)}"]
    lines += [f"| `{first}` | {' | '.join(rest)} | {row['note']} |" for row in rows for first, *rest in [cells(row)]]
    return lines


def machine() -> str:
    """Return processor, cores and versions in a few words."""
    model = platform.processor() or platform.machine()
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        model = next(line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
