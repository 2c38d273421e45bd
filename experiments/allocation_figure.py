"""The picture of an allocation: who loses which share of its profit under each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .account_table import AccountTable
from .drawing import BLUE, VERMILION, logarithmic, sheet
from .haircuts import Outcome
from .words import short

POINTS_MAX = 4_000


def allocation_figure(table: AccountTable, outcomes: Sequence[Outcome], rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A panel a rule, a point an account: its profit, and the share of it that it loses; the top winner stands out.

    `rows` are the measures, one for each outcome in front. Of many accounts some thousand are drawn, evenly over their
    ranks by profit.
    """
    columns = min(3, len(outcomes))
    lines = -(-len(outcomes) // columns)
    title = f"Who gives {short(float(rows[0]['budget_usd']))} under {len(outcomes)} rules"
    if len(outcomes) == 1:
        title = f"Who gives {short(float(rows[0]['budget_usd']))} under {outcomes[0].policy}"
    figure, axes = sheet(lines, columns, title, height=1.6 + 2.6 * lines, join_x=True)
    winners = np.flatnonzero(table.profits > 0)
    order = winners[np.argsort(table.profits[winners], kind="stable")]
    shown = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), POINTS_MAX)).astype(np.int64))]
    for axis in axes.flat[len(outcomes) :]:
        axis.set_visible(False)
    for axis, outcome, row in zip(axes.flat, outcomes, rows, strict=False):
        percent = 100 * outcome.taken / np.where(table.profits > 0, table.profits, 1.0)
        axis.scatter(table.profits[shown], percent[shown], s=5, color=BLUE, alpha=0.35, linewidth=0, rasterized=True)
        axis.scatter(
            table.profits[order[-1]], percent[order[-1]], s=44, color=VERMILION, linewidth=0, zorder=3, clip_on=False
        )
        logarithmic(axis, x=True)
        axis.set_ylim(0, 128)
        axis.set_yticks(range(0, 101, 25))
        axis.margins(x=0.04)
        axis.set_title(outcome.policy.replace("_", " "), loc="left", fontsize=12, fontweight="bold", y=1.0)
        axis.text(
            0.02, 0.86, f"{row['accounts_hit']:,} hit, {row['accounts_fully_wiped']:,} lose all",
            transform=axis.transAxes, fontsize=11, color="#444444",
        )  # fmt: skip
    for axis in axes[:, 0]:
        axis.set_ylabel("lost, % of profit")
    note = "A point is an account, at its profit (left to right, log scale). Red: the account with the largest profit."
    figure.supxlabel(note, fontsize=12, color="#444444", x=0.01, ha="left")
    return figure
