"""The deleveraging axis (ADL): when winners are closed against the bankrupt, in what order, at what price."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .base import Rule


class Holders(NamedTuple):
    """Candidate counterparties of one market, one row each, money in atoms at the current mark."""

    lots: NDArray[np.int64]
    cost_atoms: NDArray[np.int64]
    value_atoms: NDArray[np.int64]
    unrealised_atoms: NDArray[np.int64]
    balance_atoms: NDArray[np.int64]
    equity_atoms: NDArray[np.int64]
    maintenance_atoms: NDArray[np.int64]


class Deleveraging(Rule):
    """Auto-deleveraging: trigger, rank and price (R-W9)."""

    trigger: Literal["none", "fund_empty", "equity_below_zero"] = "fund_empty"
    """`fund_empty`: what the fund could not take; `equity_below_zero`: every bankrupt unit."""
    rank: Literal["pnl_margin", "entry_leverage"] = "pnl_margin"
    """`pnl_margin`: profit share x margin ratio (Binance); `entry_leverage`: mark / entry x leverage (Hyperliquid)."""
    price: Literal["bankruptcy", "mark", "previous_mark"] = "bankruptcy"
    """Price at which both sides are closed."""
    cancel_orders: bool = True
    """Whether the counterparty's open orders in the market are cancelled."""

    def scores(self, holders: Holders) -> NDArray[np.float64]:
        """Return a score per holder; the highest is deleveraged first, ties by key (R-W9)."""
        solvent = holders.equity_atoms > 0
        equity = np.where(solvent, holders.equity_atoms, 1).astype(np.float64)
        if self.rank == "pnl_margin":
            gain = np.maximum(0, holders.unrealised_atoms) / np.maximum(1, holders.balance_atoms)
            return gain * np.where(solvent, holders.maintenance_atoms / equity, 0.0)
        cost = np.abs(holders.cost_atoms).astype(np.float64)
        value = holders.value_atoms.astype(np.float64)
        assert (holders.lots != 0).all()
        ratio = np.where(holders.lots > 0, value / np.maximum(cost, 1.0), cost / np.maximum(value, 1.0))
        return ratio * np.where(solvent, value / equity, 0.0)
