"""Keepers: third-party liquidators who stand by only as long as a liquidation would pay.

Under rules with keepers (R-W30) the venue hands liquidated lots to backstop accounts for a bonus, as far as their free
collateral reaches. A keeper reckons what the largest position it could carry would bring: the bonus less what selling
it into the book would cost, less fee and gas. While that is not above nothing it keeps its money elsewhere, and the
venue finds nobody. Source: Perez, Werner, Xu and Livshits, "Liquidations: DeFi on a knife-edge" (2021), and Qin, Zhou,
Gamito, Jovanovic and Gervais, "An empirical study of DeFi liquidations" (2021): bonus against slippage and gas.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from delever.engine.commands import Kind, batch
from delever.engine.rules.base import ATOMS_PER_QUOTE, PPM
from delever.engine.tables import L_LOTS

from .account import MARGIN_USED_MAX
from .backstop import Backstop, BackstopParameters
from .cohort import Commands, join
from .view import Ints, View
from .wallet import AMOUNT_MAX, has_come


class KeeperParameters(BackstopParameters):
    """Third-party liquidators."""

    mean_interval_s: float = Field(default=5.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a keeper, in seconds."""
    wealth_quote_median: float = Field(default=100_000.0, gt=0.0, le=9e9)
    """Median of what a keeper deposits at the start, in quote units."""
    unwind_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of a position offered to the book at each waking."""
    range_ppm: float = Field(default=10_000.0, ge=0.0, lt=1e6)
    """Furthest distance from the mark at which it is sold or bought back."""
    leverage: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Value of the largest position it reckons with, as a multiple of all its money, divided over the markets."""
    gas_quote: float = Field(default=5.0, ge=0.0, le=1e9)
    """Cost of one liquidation beside price and fee, in quote units; reckoned with, but paid to nobody."""


class Keeper(Backstop):
    """Sells what it was given at once, and brings or takes its money as liquidating pays or does not."""

    Parameters = KeeperParameters
    parameters: KeeperParameters

    def prepare(self) -> None:
        """Make the columns: money that is elsewhere, and on its way there."""
        names = ("outside_atoms", "asked_atoms", "debits_atoms")
        self.columns = {name: np.zeros(self.n, dtype=np.int64) for name in names}

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return money brought or taken, then what every backstop provider sends."""
        rows = self.rows[wakers]
        outside, asked, debits = (
            self.columns[name][wakers] for name in ("outside_atoms", "asked_atoms", "debits_atoms")
        )
        outside += np.where(has_come(view, rows, asked, debits), asked, 0)
        wealth = np.maximum(view.equity_atoms(rows), 0) + outside
        pays = np.array([self._profit_atoms(view, int(atoms)) > 0.0 for atoms in wealth], dtype=np.bool_)
        flat = (view.value_atoms(rows) == 0) & (view.open_orders(rows) == 0)
        brings = np.where(pays, np.minimum(outside, AMOUNT_MAX), 0)
        takes = np.where(~pays & flat, np.minimum(view.withdrawable_atoms(rows), AMOUNT_MAX), 0)
        self.columns["outside_atoms"][wakers] = outside - brings
        self.columns["asked_atoms"][wakers] = takes
        self.columns["debits_atoms"][wakers] = view.debits_atoms(rows)
        money = batch(len(rows), account=rows, kind=np.where(pays, Kind.DEPOSIT, Kind.WITHDRAW), amount=brings + takes)
        return join(money[brings + takes > 0], super().decide(view, wakers))

    def _profit_atoms(self, view: View, wealth_atoms: int) -> float:
        """Return what taking over the largest position in the worst market, on its worse side, would bring."""
        rule = view.rules.liquidation.keepers
        if rule is None:
            return 0.0
        around = view.index_ticks if rule.around == "index" else view.mark_ticks
        earned_ppm = rule.bonus_ppm - view.rules.charges.taker_ppm
        value = self.parameters.leverage * wealth_atoms / view.markets
        profits = [
            value * earned_ppm / PPM - _slippage_atoms(view, market, side, value, int(around[market]))
            for market in range(view.markets)
            for side in (1, -1)
        ]
        return min(profits) - self.parameters.gas_quote * self.units_per_quote * ATOMS_PER_QUOTE


def _slippage_atoms(view: View, market: int, side: int, value_atoms: float, price_ticks: int) -> float:
    """Return what selling a value into the bids (side +1), or buying it from the asks (-1), costs against a price.

    What finds nobody counts as lost.
    """
    best = int(view.bid_ticks[market] if side > 0 else view.ask_ticks[market])
    if best == 0:
        return value_atoms
    reach = int(price_ticks * MARGIN_USED_MAX) if side > 0 else int(price_ticks / MARGIN_USED_MAX)
    low, high = (max(min(reach, best), 0), best) if side > 0 else (best, max(reach, best))
    lots = view.tables.levels[market, low : high + 1, L_LOTS].astype(np.float64)
    ticks = np.arange(low, low + len(lots), dtype=np.float64)
    if side > 0:
        lots, ticks = lots[::-1], ticks[::-1]
    wanted = value_atoms / float(view.lot_atoms[market])
    before = np.cumsum(lots) - lots
    found = np.minimum(lots, np.maximum(wanted - before, 0.0))
    cost = found * side * (price_ticks - ticks) / price_ticks
    missing = max(wanted - float(np.cumsum(found)[-1]), 0.0)
    return float(np.cumsum(cost)[-1] + missing) * float(view.lot_atoms[market])
