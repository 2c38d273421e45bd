"""Pictures of a scorecard: one for each fact, and all of them on one sheet.

Every number has a line and a scale of its own, which holds what passes, real markets, and what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from delever.experiments.drawing import BLUE, GREEN, GREY, ORANGE, VERMILION, save, sheet
from delever.experiments.errors import whole_file
from delever.experiments.words import three_figures

from .scorecard import Bound, Scored

Floats = NDArray[np.float64]

LINE_INCHES = 0.34
MARGIN_INCHES = 1.9


class Line(NamedTuple):
    """One number of one fact."""

    label: str
    low: Bound
    high: Bound
    real: tuple[float, float] | None
    each: Floats
    """In every market it was measured in."""
    median: float | None
    passed: bool | None
    """Of its row."""
    beside: float | None
    """In the market beside it."""

    def scale(self) -> tuple[float, float]:
        """Return the ends of the line's scale."""
        known = [bound for bound in (self.low, self.high, self.beside) if bound is not None]
        known += [*(self.real or ()), *self.each.tolist()]
        left, right = (min(known), max(known)) if known else (0.0, 1.0)
        pad = 0.08 * (right - left) or 0.5
        return left - pad, right + pad


def draw_scorecard(rows: Sequence[Scored], against: Sequence[Scored] | None, title: str, folder: Path) -> None:
    """Write scorecard.png and fact-NN.png for every row into `folder`."""
    others: Sequence[Scored | None] = against or [None] * len(rows)
    by_row = [_lines(row, other) for row, other in zip(rows, others, strict=True)]
    everything = [line for lines in by_row for line in lines]
    _draw(everything, title, folder / "scorecard.png", beside=against is not None, ends=False)
    for row, lines in zip(rows, by_row, strict=True):
        bare = [line._replace(label=part) for line, part in zip(lines, row.fact.parts, strict=True)]
        name = f"{row.fact.row}. {row.fact.name}"
        _draw(bare, name, folder / f"fact-{row.fact.row:02}.png", beside=against is not None, ends=True)


def _lines(row: Scored, other: Scored | None) -> list[Line]:
    fact = row.fact
    lines = []
    for place, part in enumerate(fact.parts):
        name = f"{fact.row}. {fact.name}" if place == 0 else ""
        joined = f"{name}, {part}" if name and part else name + part
        lines.append(
            Line(
                joined, fact.low[place], fact.high[place], fact.real[place] if fact.real else None,
                np.array([values[place] for values in row.each]), None if row.values is None else row.values[place],
                row.passed, None if other is None or other.values is None else other.values[place],
            )
        )  # fmt: skip
    return lines


def _draw(lines: Sequence[Line], title: str, file: Path, *, beside: bool, ends: bool) -> None:
    picture, axes = sheet(1, 1, title, height=MARGIN_INCHES + LINE_INCHES * len(lines) * (2 if ends else 1))
    axis = axes[0, 0]
    for place, line in enumerate(lines):
        _draw_line(axis, -place, line, beside, ends)
    axis.set_xlim(0.0, 1.0)
    axis.set_ylim(0.7 - len(lines), 0.7)
    axis.set_yticks([-place for place in range(len(lines))], [line.label for line in lines])
    axis.set_xticks([])
    axis.tick_params(labelsize=10.5)
    axis.grid(visible=False)
    axis.spines[["left", "bottom"]].set_visible(False)
    _explain(picture, beside, lines)
    with whole_file(file) as part:
        save(picture, part)


def _draw_line(axis: Axes, height: float, line: Line, beside: bool, ends: bool) -> None:
    left, right = line.scale()

    def at(value: float) -> float:
        return (value - left) / (right - left)

    begin = 0.0 if line.low is None else at(line.low)
    end = 1.0 if line.high is None else at(line.high)
    axis.barh(height, end - begin, left=begin, height=0.62, color=GREEN, alpha=0.28, linewidth=0)
    if line.real is not None:
        low, high = (at(bound) for bound in line.real)
        axis.barh(
            height,
            max(high - low, 0.012),
            left=low - (0.006 if high - low < 0.012 else 0.0),
            height=0.24,
            color=GREY,
            alpha=0.8,
            linewidth=0,
        )
    axis.plot((line.each - left) / (right - left), np.full(len(line.each), height), "o", color=BLUE, alpha=0.4, ms=4.5)
    if line.median is not None:
        axis.plot(at(line.median), height, "D", color=BLUE if line.passed else VERMILION, ms=7.5)
    if line.beside is not None:
        axis.plot(at(line.beside), height, "s", color=ORANGE, ms=6.5)
    told = "–" if line.median is None else three_figures(line.median)
    other = "" if not beside else "–" if line.beside is None else three_figures(line.beside)
    axis.text(1.02, height, told, va="center", fontsize=10.5, clip_on=False)
    axis.text(1.21, height, other, va="center", fontsize=10.5, color=ORANGE, clip_on=False)
    if ends:
        for bound, place in ((line.low, begin), (line.high, end)):
            if bound is not None:
                axis.text(place, height - 0.36, f"{bound:g}", ha="center", va="top", fontsize=10, color="#3B7A57")


def _explain(picture: Figure, beside: bool, lines: Sequence[Line]) -> None:
    many = any(len(line.each) > 1 for line in lines)
    signs = [
        Patch(color=GREEN, alpha=0.28, label="passes"),
        Patch(color=GREY, alpha=0.8, label="real markets"),
        Line2D([], [], marker="D", ls="", color=BLUE, label="median of seeds, passes" if many else "here, passes"),
        Line2D([], [], marker="D", ls="", color=VERMILION, label="fails"),
    ]
    signs += [Line2D([], [], marker="o", ls="", color=BLUE, alpha=0.4, label="a seed")] if many else []
    signs += [Line2D([], [], marker="s", ls="", color=ORANGE, label="the file beside it")] if beside else []
    picture.legend(handles=signs, loc="outside lower left", ncols=len(signs), frameon=False, fontsize=10.5)
