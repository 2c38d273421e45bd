"""Who bears the loss under which rules: the layers of the waterfall of several rule sets side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich import box
from rich.console import Console
from rich.table import Table

from .drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    heading,
    scale,
    sentence_figure,
    separators,
    sheet,
)
from .metrics.losses import LAYERS
from .words import LAYER_NAMES, LAYER_WORDS, short

OWN = LAYERS[0]
GAINS_SHOWN = 0.4
NAME_WIDTH = 14  # characters of a name that stay on one line of a table, if there are many columns
COLOURS = dict(zip(LAYERS, (GREY, BLUE, GREEN, SKY, ORANGE, PURPLE, VERMILION), strict=True))


def who_bears(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean loss of each layer over seeds, in quote: one row per rule set, columns LAYERS and `total`.

    `runs` has the columns rules, seed and `waterfall.LAYER`. Only seeds that every rule set has are used. A layer that
    gained is negative; the total counts losses only. Runs that measured no losses give no rows.
    """
    names = list(dict.fromkeys(runs["rules"]))
    counts = runs.groupby("seed")["rules"].nunique()
    shared = runs[runs["seed"].isin(counts.index[counts == len(names)])]
    columns = {layer: f"waterfall.{layer}" for layer in LAYERS if f"waterfall.{layer}" in runs}
    if not columns:
        return pd.DataFrame(columns=[*LAYERS, "total"], dtype="float64")
    means = shared.groupby("rules")[list(columns.values())].mean().reindex(names)
    means.columns = pd.Index(columns)
    means = means.reindex(columns=list(LAYERS), fill_value=0.0)
    return means.assign(total=means.clip(lower=0).sum(axis=1))


def as_json(losses: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the table as {rules: {layer: mean loss in quote}}."""
    return {str(name): {str(layer): float(loss) for layer, loss in row.items()} for name, row in losses.iterrows()}


def print_bearers(losses: dict[str, dict[str, float]], console: Console) -> None:
    """Print the table: a row per rule set, a column per layer that bore or gained anything, means over seeds."""
    if not losses:
        return
    layers = [layer for layer in next(iter(losses.values())) if any(row[layer] for row in losses.values())]
    table = Table(box=box.SIMPLE, show_edge=False, padding=0)
    table.title, table.title_justify = "Who bears the loss (mean over seeds, in quote)", "left"
    table.add_column("rules", overflow="fold", no_wrap=max(map(len, losses)) <= NAME_WIDTH)
    for layer in layers:
        table.add_column("all losses" if layer == "total" else LAYER_WORDS[layer], justify="right", overflow="fold")
    for name, row in losses.items():
        table.add_row(name, *("0" if row[layer] == 0 else short(row[layer]) for layer in layers))
    console.print(table)
    if any(row[layer] < 0 for row in losses.values() for layer in layers):
        console.print("A loss below zero is a gain.", highlight=False)


def bearers_figure(losses: pd.DataFrame) -> Figure:
    """A bar a rule set: on the left what liquidated traders lost of their own, on the right who paid beyond that."""
    title = "Who bears the loss, under which rules"
    beyond = [layer for layer in losses.columns if layer not in (OWN, "total")]
    if not losses["total"].to_numpy().any():
        return sentence_figure(title, "Nobody lost anything through a liquidation in any run.")
    figure, axes = sheet(1, 2, title, height=2.6 + 0.42 * len(losses), join_x=False)
    left, right = axes[0]
    rows = np.arange(len(losses))
    _bars(left, rows, losses[[OWN]], "lost by liquidated traders themselves")
    _bars(right, rows, losses[beyond], "lost by others")
    left.set_yticks(rows, [str(name) for name in losses.index])
    right.set_yticks(rows, [""] * len(rows))
    shown = [layer for layer in beyond if (losses[layer] != 0).any()]
    if shown:
        handles = [Patch(color=COLOURS[layer]) for layer in shown]
        names = [LAYER_NAMES[layer] for layer in shown]
        figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=12)
    return figure


def _bars(axis: Axes, rows: np.ndarray, losses: pd.DataFrame, title: str) -> None:
    """Draw one stacked bar a row: losses to the right of zero, gains to the left, the sum of losses written behind."""
    divisor, word = scale(losses.clip(lower=0).sum(axis=1))
    ends, starts = np.zeros(len(rows)), np.zeros(len(rows))
    for layer in losses.columns:
        values = losses[layer].to_numpy(dtype=np.float64) / divisor
        gains, paid = np.minimum(values, 0), np.maximum(values, 0)
        axis.barh(rows, paid, left=ends, height=0.7, color=COLOURS[layer])
        axis.barh(rows, gains, left=starts, height=0.7, color=COLOURS[layer], alpha=0.45)
        ends, starts = ends + paid, starts + gains
    for row, end in zip(rows.tolist(), ends.tolist(), strict=True):
        axis.annotate(
            short(end * divisor) if end else "0", (end, row), xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=11.5,
        )  # fmt: skip
    axis.invert_yaxis()
    axis.axvline(0, color=BLACK, linewidth=0.8)
    # Losses set the scale: a gain that would not fit beside them is cut and written out.
    span = max(ends.max(initial=0.0), 1e-9)
    left = max(starts.min(initial=0.0), -GAINS_SHOWN * span)
    for row in np.flatnonzero(starts < left).tolist():
        axis.annotate(
            f"gained {short(-starts[row] * divisor)}", (left, row), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=11.5,
        )  # fmt: skip
    axis.set_xlim(left - 0.02 * span, 1.3 * span)
    axis.set_xlabel(f"{word}quote, mean over seeds")
    axis.grid(visible=False, axis="y")
    heading(axis, title)
    separators(axis, x=True)
