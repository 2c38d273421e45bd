"""The picture of a comparison: every run of several rule sets, paired by seed. The only module that needs seaborn."""

from __future__ import annotations

import textwrap

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .drawing import BLACK, CYCLE, heading, scale, sentence_figure, separators, sheet
from .words import MANY, MEASURES, letters

COMPARED = (
    "max_drawdown", "liquidations", "liquidated_notional", "forced_share", "insurance_fund_min", "adl_notional",
    "socialised_loss", "bad_debt", "waterfall.own_margin",
)  # fmt: skip


def comparison_figure(runs: pd.DataFrame) -> Figure:
    """Every run as a point, the same seed joined by a line, one panel a measure; those always 0 are only named."""
    names = list(dict.fromkeys(runs["rules"]))
    title = f"The same luck under {len(names)} rule sets" if len(names) > 1 else f"Runs under {names[0]}"
    there = [measure for measure in COMPARED if measure in runs.columns]
    shown = [measure for measure in there if (runs[measure] != 0).any()]
    if not shown:
        return sentence_figure(title, "All measures are 0 in every run.")
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    many = len(names) > MANY
    height = 1.6 + (1.4 + 0.32 * len(names) if many else 3.4) * lines
    figure, axes = sheet(lines, columns, title, height=height, join_x=False)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for number, (axis, measure) in enumerate(zip(axes.flat, shown, strict=False)):
        if many:
            _compare_many(axis, runs, measure, names, named=number % columns == 0)
        else:
            _compare_one(axis, runs, measure, names)
    _note_seeds(figure, runs, [measure for measure in there if measure not in shown])
    return figure


def _compare_one(axis: Axes, runs: pd.DataFrame, measure: str, names: list[str]) -> None:
    """Draw one measure: a column of points a rule set, the median as a bar across it."""
    kind = MEASURES[measure].kind
    divisor, word = (0.01, "%") if kind == "share" else scale(runs[measure])
    values = runs.assign(value=runs[measure] / divisor, place=runs["rules"].map(names.index))
    sns.lineplot(
        values, x="place", y="value", units="seed", estimator=None, color="#C4C4C4", linewidth=0.8, zorder=1, ax=axis
    )
    colours = {name: CYCLE[number % len(CYCLE)] for number, name in enumerate(names)}
    sns.scatterplot(
        values, x="place", y="value", hue="rules", palette=colours, legend=False, s=26, alpha=0.75, linewidth=0,
        zorder=2, clip_on=False, ax=axis,
    )  # fmt: skip
    for number, name in enumerate(names):
        median = values.loc[values["rules"] == name, "value"].median()
        axis.hlines(median, number - 0.22, number + 0.22, color=BLACK, linewidth=2.4, zorder=3)
    axis.set_xticks(range(len(names)), letters(len(names)), fontweight="bold")
    axis.set_xlim(-0.5, len(names) - 0.5)
    heading(axis, textwrap.fill(MEASURES[measure].label, 34))
    axis.set_xlabel("")
    axis.set_ylabel({"share": "%", "quote": f"{word}quote", "count": f"{word}count".strip()}[kind])
    if (values["value"] >= 0).all():
        axis.set_ylim(0, 1.06 * float(values["value"].max()))
    axis.grid(visible=False, axis="x")
    separators(axis)


def _compare_many(axis: Axes, runs: pd.DataFrame, measure: str, names: list[str], *, named: bool) -> None:
    """Draw one measure for more rule sets than columns can be told apart: a line of points each, names at the left."""
    kind = MEASURES[measure].kind
    divisor, word = (0.01, "%") if kind == "share" else scale(runs[measure])
    for number, name in enumerate(names):
        values = runs.loc[runs["rules"] == name, measure] / divisor
        axis.axhline(number, color="#E4E4E4", linewidth=0.8, zorder=1)
        axis.scatter(values, [number] * len(values), color=CYCLE[0], s=26, alpha=0.75, linewidth=0, zorder=2)
        axis.vlines(values.median(), number - 0.32, number + 0.32, color=BLACK, linewidth=2.4, zorder=3)
    axis.set_yticks(range(len(names)), names if named else [""] * len(names))
    axis.set_ylim(len(names) - 0.4, -0.6)
    if (runs[measure] >= 0).all():
        axis.set_xlim(left=0)
    heading(axis, textwrap.fill(MEASURES[measure].label, 24))
    axis.set_xlabel({"share": "%", "quote": f"{word}quote", "count": f"{word}count".strip()}[kind])
    axis.set_ylabel("")
    axis.grid(visible=False, axis="y")
    separators(axis, x=True)


def _note_seeds(figure: Figure, runs: pd.DataFrame, zeros: list[str]) -> None:
    seeds = runs["seed"].nunique()
    names = list(dict.fromkeys(runs["rules"]))
    if len(names) > MANY:
        note = f"A point is a run ({seeds} seeds); the black bar is the median."
    else:
        note = "\n".join(f"{letter}: {name}" for letter, name in zip(letters(len(names)), names, strict=True))
        joins = f"a grey line joins the runs of one seed ({seeds} in all)"
        note += f"\nA point is a run; {joins}; the black bar is the median."
    if zeros:
        note += f"\n0 in every run: {', '.join(MEASURES[measure].label for measure in zeros)}."
    figure.supxlabel(note, fontsize=12, color="#444444", x=0.01, ha="left", multialignment="left")
