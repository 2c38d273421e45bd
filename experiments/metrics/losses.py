"""Who paid, and what it did to the insurance fund, from the stored tables of a run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

LAYERS = ("own_margin", "fund", "members", "backstop", "adl", "socialised", "bad_debt")
"""The layers of the waterfall in the order in which they pay; the keys of `waterfall` in summary.json."""

WAYS = ("book", "takeover", "adl")
"""How a position is closed by force: columns `WAY_lots` of the liquidations."""


class Drawdown(NamedTuple):
    """Deepest fall of a curve below its highest value so far."""

    depth: float
    peak_s: int
    trough_s: int


def drawdown(time_s: ArrayLike, values: ArrayLike) -> Drawdown:
    """Return the deepest fall of `values` below their running maximum, in their unit, and when it began and ended."""
    times, curve = np.asarray(time_s), np.asarray(values, dtype=np.float64)
    if len(curve) == 0:
        return Drawdown(0.0, 0, 0)
    below = np.maximum.accumulate(curve) - curve
    trough = int(below.argmax())
    peak = int(curve[: trough + 1].argmax())
    return Drawdown(float(below[trough]), int(times[peak]), int(times[trough]))


def time_under_water_s(time_s: ArrayLike, values: ArrayLike) -> int:
    """Return the longest time in seconds that `values` stayed below their highest value so far."""
    times, curve = np.asarray(time_s), np.asarray(values, dtype=np.float64)
    longest, since = 0, None
    highest = -np.inf
    for time, value in zip(times.tolist(), curve.tolist(), strict=True):
        if value >= highest:
            highest, since = value, time
        elif since is not None:
            longest = max(longest, time - since)
    return int(longest)


def shortfall_atoms(liquidations: pd.DataFrame) -> int:
    """Return how far liquidated accounts ended below zero, added up, in atoms."""
    return int(liquidations["deficit_atoms"].sum())


def bad_debt_ratio(liquidations: pd.DataFrame, closed_atoms: float) -> float:
    """Return the shortfall as a share of the value closed by force; NaN if nothing was closed."""
    return shortfall_atoms(liquidations) / closed_atoms if closed_atoms > 0 else float("nan")


def closed_by_way_atoms(liquidations: pd.DataFrame) -> dict[str, float]:
    """Return the value closed by force in the book, by takeover and by deleveraging, at the marks of the beginnings."""
    value_of_lot = liquidations["value_atoms"] / liquidations["lots"].abs()
    return {way: float((value_of_lot * liquidations[f"{way}_lots"].abs()).sum()) for way in WAYS}


def recovery_rate(liquidations: pd.DataFrame) -> float:
    """Return the share of the value closed by force that was recovered without help; NaN if nothing was closed.

    That is what found a counterparty in the book, less the shortfall. What was taken over or closed against winners
    counts as helped in full: at the bankruptcy price it leaves no shortfall because somebody else bears the loss.
    """
    closed = closed_by_way_atoms(liquidations)
    whole = sum(closed.values())
    return (closed["book"] - shortfall_atoms(liquidations)) / whole if whole > 0 else float("nan")


def fund_flows_atoms(fund: pd.DataFrame) -> pd.DataFrame:
    """Return what came into and left the insurance fund by code: columns code, in_atoms, out_atoms (both >= 0)."""
    rows = fund.assign(
        in_atoms=fund["amount_atoms"].clip(lower=0).astype("int64"),
        out_atoms=(-fund["amount_atoms"]).clip(lower=0).astype("int64"),
    )
    return rows.groupby("code", as_index=False)[["in_atoms", "out_atoms"]].sum().sort_values("code", ignore_index=True)


def waterfall_atoms(
    liquidations: pd.DataFrame, adl: pd.DataFrame, fund: pd.DataFrame, series: pd.DataFrame
) -> dict[str, int]:
    """Return the loss borne by each layer in atoms, in the order in which layers pay, from the tables alone.

    Own margin is what liquidated units lost of their margin; the fund's part its payments of deficits; deleveraging
    what counterparties got less than at the mark (gains of others not set against it); socialised loss and bad debt
    the last of the cumulative columns. What a backstop lost later on positions it took over, and what members paid out
    of their contributions, is not in the tables: 0.
    """
    paid = fund.loc[fund["code"] == "DEFICIT", "amount_atoms"].sum()
    last = series.iloc[-1] if len(series) else {"socialised_atoms": 0, "bad_debt_atoms": 0}
    return {
        "own_margin": int(liquidations["margin_lost_atoms"].sum()),
        "fund": -int(paid),
        "members": 0,
        "backstop": 0,
        "adl": int(adl["haircut_atoms"].clip(lower=0).sum()),
        "socialised": int(last["socialised_atoms"]),
        "bad_debt": int(last["bad_debt_atoms"]),
    }
