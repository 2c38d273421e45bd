"""Panels that studies share: medians with their spread over seeds, and who lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from delever.experiments.drawing import BLACK, BLUE, GREY, VERMILION, separators

LOSERS = (("owners", "liquidated traders", GREY), ("fund", "the fund", BLUE), ("winners", "other traders", VERMILION))
"""Columns of runs with losses in quote, what they are called, and their colours."""


def spread_panel(
    axis: Axes, runs: pd.DataFrame, arms: Sequence[str], key: str, factor: float, colour: str, shift: float = 0.0,
    label: str | None = None, marker: str = "o",
) -> None:  # fmt: skip
    """Draw the median over seeds of each arm as a dot and the 5th to 95th percentile as a line; values times factor."""
    values = [runs.loc[runs["arm"] == arm, key].dropna().to_numpy(dtype=np.float64) * factor for arm in arms]
    places = np.array([place for place, one in enumerate(values) if len(one)], dtype=np.float64) + shift
    spread = [np.percentile(one, [5, 50, 95]) for one in values if len(one)]
    low, middle, high = np.array(spread).reshape(-1, 3).T  # nothing measured in any run: an empty panel
    axis.vlines(places, low, high, color=colour, linewidth=3, alpha=0.5)
    axis.plot(places, middle, marker, color=colour, markersize=8, label=label)


def losses_panel(axis: Axes, runs: pd.DataFrame, arms: Sequence[str], divisor: float) -> None:
    """Draw the mean loss of each of LOSERS as stacked bars, a bar an arm; a gain lies below zero."""
    places = np.arange(len(arms))
    tops, bottoms = np.zeros(len(arms)), np.zeros(len(arms))
    for key, name, colour in LOSERS:
        means = np.array([runs.loc[runs["arm"] == arm, key].mean() for arm in arms]) / divisor
        lost, gained = np.maximum(means, 0), np.minimum(means, 0)
        axis.bar(places, lost, bottom=tops, color=colour, width=0.7, label=name)
        axis.bar(places, gained, bottom=bottoms, color=colour, width=0.7)
        tops, bottoms = tops + lost, bottoms + gained
    axis.axhline(0, color=BLACK, linewidth=1)
    axis.set_ylim(1.1 * bottoms.min(), 1.1 * max(tops.max(), 1e-9))


def titled(question: str, runs: pd.DataFrame) -> str:
    """Return a title that says what dots and lines are."""
    return f"{question}\nDot: median of {runs['seed'].nunique()} seeds, line: 5th to 95th percentile"


def name_arms(axis: Axes, arms: Sequence[str]) -> None:
    """Write the names of the arms below an axis, a word a line, and round numbers beside it."""
    axis.set_xticks(range(len(arms)), [arm.replace(" ", "\n") for arm in arms], fontsize=11)
    axis.set_xlim(-0.6, len(arms) - 0.4)
    axis.grid(visible=False, axis="x")
    separators(axis)
