"""Cascades in a stored run: which liquidations belong together, how large, deep, wide and long they are.

Two definitions, both of the published literature. Causal: a liquidation is a child of the forced order whose fills
moved the mark last before it was found (rule R-W3, column `parent`); a cascade is a root and all its descendants.
By gap: liquidations less than so many seconds apart form one cascade, whatever caused them.
"""

from __future__ import annotations

from typing import cast

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

CASCADE_COLUMNS = (
    "root", "liquidations", "accounts", "closed_atoms", "depth", "width", "start_s", "duration_s", "t50_s", "t90_s",
)  # fmt: skip


def closed_atoms(liquidations: pd.DataFrame) -> pd.Series:
    """Return the value closed by force per row, at the mark when the liquidation began, in atoms (float)."""
    closed = liquidations["book_lots"] + liquidations["takeover_lots"] + liquidations["adl_lots"]
    return liquidations["value_atoms"] * (closed.abs() / liquidations["lots"].abs())


def episodes(liquidations: pd.DataFrame) -> pd.DataFrame:
    """Return one row per liquidation, its markets added up: liquidation, parent, account, time_s, closed_atoms."""
    rows = liquidations.assign(closed_atoms=closed_atoms(liquidations)).sort_values(["liquidation", "market"])
    return rows.groupby("liquidation", as_index=False).agg(
        parent=("parent", "first"),
        account=("account", "first"),
        time_s=("time_s", "min"),
        closed_atoms=("closed_atoms", "sum"),
    )


def forest(liquidations: pd.DataFrame) -> nx.DiGraph:
    """Return the graph parent -> child over liquidation ids.

    A parent that is no liquidation (0: none, below 0: sale by the fund) makes its child a root.
    """
    each = episodes(liquidations)
    graph = nx.DiGraph()
    graph.add_nodes_from(each["liquidation"].tolist())
    known = set(graph)
    graph.add_edges_from(
        (parent, child)
        for parent, child in zip(each["parent"].tolist(), each["liquidation"].tolist(), strict=True)
        if parent in known
    )
    return graph


def causal_cascades(liquidations: pd.DataFrame) -> pd.DataFrame:
    """Return one row per causal cascade, largest closed value first.

    Columns: root (id of the first liquidation), liquidations, accounts, closed_atoms, depth (longest chain, in
    liquidations), width (most liquidations of one generation), start_s, duration_s (first to last start), t50_s and
    t90_s (seconds until half and nine tenths of the closed value had come under liquidation).
    """
    if liquidations.empty:
        return pd.DataFrame(columns=list(CASCADE_COLUMNS))
    each = episodes(liquidations).set_index("liquidation")
    graph = forest(liquidations)
    rows = []
    for members in nx.weakly_connected_components(graph):
        generations = [len(layer) for layer in nx.topological_generations(graph.subgraph(members))]
        shape = {"depth": len(generations), "width": max(generations)}
        rows.append({"root": min(members), **_extent(each.loc[sorted(members)]), **shape})
    return _largest_first(rows)


def gap_cascades(liquidations: pd.DataFrame, gap_s: int = 5) -> pd.DataFrame:
    """Return one row per run of liquidations less than `gap_s` seconds apart, largest closed value first.

    Columns as in `causal_cascades`; width is the most liquidations that began at one moment, depth the number of
    such moments. Published analyses of deleveraging waves use 5 s; 60 s is usual as a check.
    """
    if liquidations.empty:
        return pd.DataFrame(columns=list(CASCADE_COLUMNS))
    each = episodes(liquidations).sort_values(["time_s", "liquidation"]).set_index("liquidation")
    number = (each["time_s"].diff() >= gap_s).cumsum()
    rows = []
    for _, members in each.groupby(number):
        moments = members.groupby("time_s").size()
        shape = {"depth": len(moments), "width": int(moments.max())}
        rows.append({"root": int(members.index[0]), **_extent(members), **shape})
    return _largest_first(rows)


def _extent(members: pd.DataFrame) -> dict[str, float]:
    start_s = int(members["time_s"].min())
    by_time = members.groupby("time_s")["closed_atoms"].sum().cumsum()
    total = float(by_time.iloc[-1])
    return {
        "liquidations": len(members),
        "accounts": int(members["account"].nunique()),
        "closed_atoms": total,
        "start_s": start_s,
        "duration_s": int(members["time_s"].max()) - start_s,
        "t50_s": int(cast(int, (by_time >= 0.5 * total).idxmax())) - start_s,
        "t90_s": int(cast(int, (by_time >= 0.9 * total).idxmax())) - start_s,
    }


def _largest_first(rows: list[dict[str, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)[list(CASCADE_COLUMNS)]
    return frame.sort_values(["closed_atoms", "root"], ascending=[False, True], ignore_index=True)


def branching_ratio(liquidations: pd.DataFrame) -> float:
    """Return the mean number of children per liquidation (causal definition); NaN without liquidations."""
    if liquidations.empty:
        return float("nan")
    graph = forest(liquidations)
    return graph.number_of_edges() / graph.number_of_nodes()


def branching_from_counts(counts: ArrayLike) -> float:
    """Return 1 - sqrt(mean / variance) of the counts of liquidations in equal windows; NaN if they do not vary.

    The ratio of a stationary self-exciting process seen through its counts; below 0 the counts vary less than
    those of independent events.
    """
    values = np.asarray(counts, dtype=np.float64)
    variance = float(values.var())
    return float("nan") if variance == 0 else 1.0 - float(np.sqrt(values.mean() / variance))


def counts_in_windows(times_s: ArrayLike, window_s: int, end_s: int) -> np.ndarray:
    """Return how many of `times_s` (seconds, 0 .. end_s) fall into each window of `window_s` seconds."""
    edges = np.arange(0, end_s + window_s + 1, window_s)
    return np.histogram(np.asarray(times_s, dtype=np.float64), bins=edges)[0]


def peak_minute_share(series: pd.DataFrame) -> float:
    """Return the forced value of the busiest minute as a share of all forced value; NaN if there was none."""
    total = float(series["forced_atoms"].sum())
    if total == 0:
        return float("nan")
    minutes = series.groupby(series["time_s"] // 60)["forced_atoms"].sum()
    return float(minutes.max()) / total
