"""Cascades in a stored run: which liquidations belong together, how large, deep, wide and long they are.

Two definitions, both of the published literature. Causal: a liquidation is a child of the forced order whose fills
moved the mark last before it was found (rule R-W3, column `parent`); a cascade is a root and all its descendants.
By gap: liquidations less than so many seconds apart form one cascade, whatever caused them.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

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
    each = episodes(liquidations)
    parents = pd.Index(each["liquidation"]).get_indexer(each["parent"])
    root, generation = np.arange(len(each)), np.ones(len(each), dtype=np.int64)
    born = np.flatnonzero(parents < 0)
    while len(born):
        born = np.flatnonzero(np.isin(parents, born))
        root[born], generation[born] = root[parents[born]], generation[parents[born]] + 1
    return _extents(each, each["liquidation"].to_numpy()[root], generation)


def gap_cascades(liquidations: pd.DataFrame, gap_s: int = 5) -> pd.DataFrame:
    """Return one row per run of liquidations less than `gap_s` seconds apart, largest closed value first.

    Columns as in `causal_cascades`; width is the most liquidations that began at one moment, depth the number of
    such moments. Published analyses of deleveraging waves use 5 s; 60 s is usual as a check.
    """
    if liquidations.empty:
        return pd.DataFrame(columns=list(CASCADE_COLUMNS))
    each = episodes(liquidations).sort_values(["time_s", "liquidation"])
    number = (each["time_s"].diff() >= gap_s).cumsum()
    first = each["liquidation"].groupby(number).transform("first").to_numpy()
    return _extents(each, first, each["time_s"].to_numpy())


def _extents(each: pd.DataFrame, root: NDArray[np.int64], layer: NDArray[np.int64]) -> pd.DataFrame:
    """Return one row per cascade from its liquidations: `root` names the cascade of each, `layer` its generation."""
    rows = each.assign(root=root, layer=layer).sort_values(["root", "time_s"])
    whole = rows.groupby("root").agg(
        liquidations=("liquidation", "size"),
        accounts=("account", "nunique"),
        closed_atoms=("closed_atoms", "sum"),
        depth=("layer", "nunique"),
        start_s=("time_s", "min"),
        end_s=("time_s", "max"),
    )
    whole["width"] = rows.groupby(["root", "layer"]).size().groupby("root").max()
    whole["duration_s"] = whole["end_s"] - whole["start_s"]
    reached = rows.groupby(["root", "time_s"], as_index=False)["closed_atoms"].sum()
    reached["closed_atoms"] = reached.groupby("root")["closed_atoms"].cumsum()
    total = reached.groupby("root")["closed_atoms"].transform("last")
    for name, share in (("t50_s", 0.5), ("t90_s", 0.9)):
        first = reached[reached["closed_atoms"] >= share * total].groupby("root")["time_s"].first()
        whole[name] = first - whole["start_s"]
    frame = whole.reset_index()[list(CASCADE_COLUMNS)]
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
