"""How cost grows in accounts, markets, traders, steps and liquidations: a table and a log-log figure."""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from delever.experiments.errors import UserError, at_least, writable_folder

FLOW = 1_000_000
FLOW_ACCOUNTS = 10_000
STEPS_TRADERS = 1_000
CRASH_STEPS = 180
BY_PROCESSOR = ("accounts", "markets", "liquidations")  # timed by the processor's clock, the others by that on the wall
FORMATS = (".pdf", ".png", ".svg")


class Axis(NamedTuple):
    """What grows: the sizes, and what stays the same."""

    sizes: tuple[int, ...]
    about: str


AXES = {
    "accounts": Axis((1_000, 10_000, 100_000, 1_000_000), "1 M order messages"),
    "markets": Axis((1, 2, 4, 8, 16), "1 M order messages, 10 k accounts"),
    "traders": Axis((1_000, 10_000, 100_000, 1_000_000), "black-thursday, 180 steps"),
    "steps": Axis((500, 2_000, 8_000, 32_000), "calm, 1 k traders"),
    "liquidations": Axis((1_000, 10_000, 100_000), "the storm"),
}


class Point(NamedTuple):
    """How large it really was, how long it took, and how long an iteration of the kernel loop took meanwhile."""

    size: int
    seconds: float
    kernel_s: float


def point(axis: str, size: int, scale: float, folder: Path) -> tuple[int, float]:
    """Measure one size of an axis and return (size, seconds)."""
    if axis in ("accounts", "markets"):
        from .flow import stored_flow
        from .path import open_venue, owners, play

        messages = stored_flow(folder, max(100, round(FLOW * scale))).messages
        accounts, markets = (size, 1) if axis == "accounts" else (max(10, round(FLOW_ACCOUNTS * scale)), size)
        play(open_venue(10), messages[:100], owners(messages[:100], 10))
        return size, play(open_venue(accounts, markets), messages, owners(messages, accounts), markets).seconds
    if axis == "liquidations":
        from .storm import run_storm

        run_storm(200, check=False)
        stormed = run_storm(size, check=False)
        return max(1, stormed.counts["liquidations"]), stormed.seconds
    from .worlds import WARM_UP, crash_world, run_world

    crash_world(*WARM_UP)
    if axis == "traders":
        return size, crash_world(size, max(60, round(CRASH_STEPS * scale))).stepping_s
    run_world("calm", duration_s=600, traders=STEPS_TRADERS)
    return size, run_world("calm", duration_s=10 * size, traders=STEPS_TRADERS).stepping_s


Measured = dict[str, list[list[Point]]]
"""By axis and size: the points of all rounds."""


def measured(runs: int, scale: float) -> Measured:
    """Measure every size of every axis, each in a process of its own, in rounds. Raises UserError if one fails."""
    from .suite import warm_up, work

    points: Measured = {name: [[] for _ in axis.sizes] for name, axis in AXES.items()}
    with TemporaryDirectory() as folder:
        warm_up(["path_1k", "storm", "calm_day"], folder)
        for number in range(1, runs + 1):
            for name, axis in AXES.items():
                for place, size in enumerate(axis.sizes):
                    wanted = size if name == "markets" else max(1, round(size * scale))
                    print(f"run {number} of {runs}: {wanted:,} {name}", file=sys.stderr)
                    done = work("growth", name, str(wanted), str(scale), folder)
                    if done.returncode != 0:
                        raise UserError(f"{name} {wanted} failed: {done.stderr.strip().splitlines()[-1]}")
                    points[name][place].append(Point(*json.loads(done.stdout)))
    return points


def at_one_speed(points: Measured) -> dict[str, list[tuple[int, float]]]:
    """Return (size, median seconds) as if the reference loop had always run as fast as at its fastest."""
    fastest = min(point.kernel_s for sizes in points.values() for rounds in sizes for point in rounds)
    return {
        name: [
            (rounds[0].size, statistics.median(point.seconds * fastest / point.kernel_s for point in rounds))
            for rounds in sizes
        ]
        for name, sizes in points.items()
    }


def exponent(line: list[tuple[int, float]]) -> float:
    """Return the slope of the last stretch on log-log axes: 1 is proportional, 0 does not grow."""
    (size, seconds), (size_last, seconds_last) = line[-2:]
    return math.log(seconds_last / seconds) / math.log(size_last / size)


def draw_growth(out: Path, runs: int, scale: float) -> int:
    """Measure, print and draw; return the exit code. Raises UserError."""
    at_least("--runs", runs, 1)
    if not 0 < scale <= 1:
        raise UserError(f"--scale must be above 0 and at most 1 (got {scale})")
    if out.suffix not in FORMATS:
        raise UserError(f"--out must end in one of {', '.join(FORMATS)} (got {out.name})")
    writable_folder(out.parent)
    lines = at_one_speed(measured(runs, scale))
    for name, line in lines.items():
        told = ", ".join(f"{size:,}: {seconds:.3g} s" for size, seconds in line)
        print(f"{name} ({AXES[name].about}): {told}; last exponent {exponent(line):.2f}")
    _draw(lines, out)
    print(f"Figure: {out}")
    return 0


def _draw(lines: dict[str, list[tuple[int, float]]], out: Path) -> None:
    """Draw a panel an axis, with a dashed line for cost that is proportional."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.2), layout="constrained")
    panels = figure.subplots(1, len(lines))
    for panel, (name, line) in zip(panels, lines.items(), strict=True):
        sizes = [size for size, _ in line]
        seconds = [took for _, took in line]
        panel.loglog(sizes, seconds, marker="o", color="C0")
        panel.loglog(sizes, [seconds[-1] * size / sizes[-1] for size in sizes], "--", color="0.6", linewidth=1)
        panel.set_title(AXES[name].about, fontsize=9, color="0.4")
        panel.set_xlabel(name)
    panels[0].set_ylabel("seconds")
    figure.savefig(out, dpi=150)


def _main(axis: str, size: str, scale: str, folder: str) -> None:
    from .measure import reference_s

    before = reference_s()
    found = point(axis, int(size), float(scale), Path(folder))
    after = reference_s()
    if axis in BY_PROCESSOR:
        loops = before.kernel_processor_s, after.kernel_processor_s
    else:
        loops = before.kernel_s, after.kernel_s
    print(json.dumps([*found, sum(loops) / 2]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
