"""What happened in a stored run, as numbers: the facts that the report and the pictures tell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .folder import RunFolder
from .metrics.losses import LAYERS, waterfall_atoms

MINUTE_S = 60


class Fall(NamedTuple):
    """Deepest fall of the mark price of one market: share of the price, times and prices of its two ends."""

    share: float
    from_s: int
    to_s: int
    from_price: float
    to_price: float


def waterfall_paid(run: RunFolder) -> dict[str, float]:
    """Return the loss borne by each layer in units of the run's currency, in the order in which layers pay.

    Taken from the summary; for a run that was interrupted, from its tables so far.
    """
    stored = run.summary.get("waterfall")
    if isinstance(stored, dict):
        return {layer: float(stored.get(layer, 0.0)) for layer in LAYERS}
    atoms = waterfall_atoms(run.liquidations, run.adl, run.fund, run.series)
    return {layer: run.currency.units(amount) for layer, amount in atoms.items()}


def fund_movements(run: RunFolder) -> pd.DataFrame:
    """Return the movements of the fund but for the deposit it began with."""
    return run.fund[run.fund["code"] != "DEPOSIT"]


def backstop_equity(run: RunFolder) -> NDArray[np.float64] | None:
    """Return the equity of all backstop providers together at each recorded step, in units of the currency.

    None if there are no providers, or nothing ever came to them.
    """
    atoms = run.series.drop_duplicates("step")["backstop_equity_atoms"].to_numpy(dtype=np.float64)
    return atoms / run.currency.atoms_per_unit if len(atoms) and np.ptp(atoms) else None


def deepest_fall(run: RunFolder, market: int) -> Fall | None:
    """Return the deepest fall of the mark from an earlier high, as a share of that high; None without records."""
    rows = run.series[run.series["market"] == market]
    if rows.empty:
        return None
    mark, times = rows["mark_ticks"].to_numpy(dtype=np.float64), rows["time_s"].to_numpy()
    high = np.maximum.accumulate(mark)
    low_at = int((mark / high).argmin())
    high_at = int(mark[: low_at + 1].argmax())
    return Fall(
        share=1.0 - float(mark[low_at] / high[low_at]),
        from_s=int(times[high_at]),
        to_s=int(times[low_at]),
        from_price=run.price(mark[high_at], market),
        to_price=run.price(mark[low_at], market),
    )


def steepest_minute(run: RunFolder, market: int) -> Fall | None:
    """Return the largest fall of the mark within a minute; None if it never fell, or was recorded less often."""
    rows = run.series[run.series["market"] == market]
    mark, times = rows["mark_ticks"].to_numpy(dtype=np.float64), rows["time_s"].to_numpy()
    if len(mark) < 2 or times[1] - times[0] > MINUTE_S:
        return None
    seconds = pd.Series(mark, index=pd.to_timedelta(times, unit="s"))
    fallen = 1.0 - mark / seconds.rolling(f"{MINUTE_S + 1}s").max().to_numpy()
    at = int(fallen.argmax())
    if fallen[at] <= 0:
        return None
    first = int(np.searchsorted(times, times[at] - MINUTE_S))
    high = first + int(mark[first : at + 1].argmax())
    prices = run.price(mark[high], market), run.price(mark[at], market)
    return Fall(float(fallen[at]), int(times[high]), int(times[at]), *prices)


def most_forced_market(run: RunFolder) -> int:
    """Return the market with the most forced volume; the first if there was none."""
    forced = run.series.groupby("market")["forced_atoms"].sum()
    return int(forced.index[int(forced.to_numpy().argmax())]) if len(forced) else 0


def liquidations_by_cohort(run: RunFolder) -> pd.DataFrame:
    """Return cohort, accounts (liquidated at least once), liquidations, lost, largest loss first."""
    rows = run.liquidations
    table = rows.groupby("cohort", as_index=False).agg(
        accounts=("account", "nunique"),
        liquidations=("liquidation", "nunique"),
        lost=("margin_lost_atoms", "sum"),
    )
    table["lost"] = table["lost"] / run.currency.atoms_per_unit
    return table.sort_values(["lost", "cohort"], ascending=[False, True], ignore_index=True)
