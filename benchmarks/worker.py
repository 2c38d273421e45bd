"""One run of one benchmark, in a process of its own, so that memory and caches do not leak from one into the next."""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from .catalogue import BENCHMARKS
from .measure import Loops, Reading, Request, peak_mib, reference_s


def run(name: str, request: Request) -> list[dict[str, Any]]:
    """Run a benchmark once, between two runs of the reference loops, and return what it read."""
    module, _, function = BENCHMARKS[name].place.partition(":")
    job = getattr(importlib.import_module(f".{module}", __package__), function)
    before = reference_s()
    readings: list[Reading] = job(request)
    peak = peak_mib()
    loops = Loops(*((first + last) / 2 for first, last in zip(before, reference_s(), strict=True)))
    return [_told(reading, loops, peak) for reading in readings]


def _told(reading: Reading, loops: Loops, peak: float) -> dict[str, Any]:
    kernel, python = loops.ratios(reading)
    return {
        "part": reading.part,
        "value": reading.value,
        "unit": reading.unit,
        "kernel": kernel,
        "python": python,
        "peak_mib": peak if reading.peak_mib is None else reading.peak_mib,
        "note": reading.note,
    }


def main(name: str, scale: str, folder: str) -> None:
    """Print what a benchmark read as JSON; what it prints itself goes to stderr."""
    with redirect_stdout(sys.stderr):
        result = run(name, Request(float(scale), Path(folder)))
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
