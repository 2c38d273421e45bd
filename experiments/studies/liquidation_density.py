"""Longs whose liquidation prices lie evenly below the price, and a sale that sets them off."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from delever.agents.cohort import NO_COMMANDS, Cohort, Commands, join
from delever.agents.parameters import CohortParameters
from delever.agents.view import Ints, View
from delever.engine.rules.base import ATOMS_PER_QUOTE, PPM

SELLER = 0
MARKET = 0


class DensityParameters(CohortParameters):
    """One seller and holders, `count` in all; `wealth_quote_median` is what each deposits at first."""

    value_quote: float = Field(default=0.0, ge=0.0, le=1e12)
    """Value of all longs together; 0: the seller is alone."""
    first_ppm: float = Field(default=1_000.0, ge=0.0, lt=1e6)
    """The first of them is liquidated so far below the price at which it was made ready, ..."""
    width_ppm: float = Field(default=30_000.0, gt=0.0, lt=1e6)
    """... the last so much further."""
    open_at_s: int = Field(default=7_200, ge=0)
    """Time from which they are opened, the seller being the other side, in seconds of the run."""
    ready_at_s: int = Field(default=7_260, ge=0)
    """Time at which holders withdraw all but what puts their liquidation prices where they should be."""
    sell_at_s: int = Field(default=7_265, ge=0)
    """Time from which the seller sells, at market, ..."""
    sell_s: int = Field(default=10, ge=1)
    """... evenly over so long, ..."""
    sell_quote: float = Field(default=0.0, ge=0.0, le=1e12)
    """... so much."""


class LiquidationDensity(Cohort):
    """Opens the longs at the best ask, thins their margin, then sells."""

    Parameters = DensityParameters
    parameters: DensityParameters

    def prepare(self) -> None:
        """Make the columns: what the seller had when it began to sell, what it wants to sell, who is ready."""
        self.columns = {
            "sold_from_lots": np.zeros(self.n, dtype=np.int64),
            "sell_lots": np.zeros(self.n, dtype=np.int64),
            "ready": np.zeros(self.n, dtype=np.bool_),
        }
        rank = (np.arange(self.n - 1) + 0.5) / max(self.n - 1, 1)
        self.distance = (self.parameters.first_ppm + self.parameters.width_ppm * rank) / PPM

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return what the time asks for; everybody wakes at every step."""
        p = self.parameters
        if p.open_at_s <= view.time_s < p.ready_at_s and p.value_quote > 0:
            return self._open(view)
        if p.ready_at_s <= view.time_s < p.sell_at_s:
            return self._thin(view)
        return self._sell(view) if view.time_s >= p.sell_at_s else NO_COMMANDS

    def _open(self, view: View) -> Commands:
        """Offer at the best ask what is missing, and buy it there."""
        ask = int(view.ask_ticks[MARKET])
        holders = np.arange(1, self.n)
        wanted = self.parameters.value_quote * self.lots_per_quote(view) / len(holders)
        missing = np.maximum(int(wanted) - view.lots(self.rows[holders], MARKET), 0)
        seller = np.array([SELLER])
        cancel = self.cancel_all(seller, MARKET)
        if ask == 0 or not missing.any():
            return cancel
        offer = self.limit(seller, MARKET, -1, int(missing.sum()), ask)
        return join(cancel, offer, self.limit(holders, MARKET, 1, missing, ask, ioc=True))

    def _thin(self, view: View) -> Commands:
        """Withdraw all but the margin with which a long is liquidated at its distance below the mark, once."""
        waiting = np.flatnonzero(~self.columns["ready"])
        holders = waiting[waiting != SELLER]
        self.columns["ready"][:] = True
        if not len(holders):
            return NO_COMMANDS
        rows = self.rows[holders]
        value = view.value_atoms(rows).astype(np.float64)
        maintenance = float(view.maintenance_ppm[MARKET]) / PPM
        keep = value * (self.distance[holders - 1] * (1.0 - maintenance) + maintenance)
        surplus = view.equity_atoms(rows) - keep.astype(np.int64)
        return join(self.cancel_all(np.array([SELLER]), MARKET), self.withdraw(holders, np.maximum(surplus, 0)))

    def _sell(self, view: View) -> Commands:
        """Sell what is due by now; what was held when it began is remembered."""
        held = view.lots(self.rows[:1], MARKET)
        if self.columns["sell_lots"][SELLER] == 0:
            self.columns["sold_from_lots"][SELLER] = held[0]
            self.columns["sell_lots"][SELLER] = int(self.parameters.sell_quote * self.lots_per_quote(view))
        elapsed = min((view.time_s - self.parameters.sell_at_s + 1) / self.parameters.sell_s, 1.0)
        sold = self.columns["sold_from_lots"][SELLER] - held[0]
        due = int(elapsed * self.columns["sell_lots"][SELLER]) - sold
        return self.market(np.array([SELLER]), MARKET, -1, max(int(due), 0))

    def lots_per_quote(self, view: View) -> float:
        """Return how many lots a quote unit is worth at the mark."""
        return self.units_per_quote * ATOMS_PER_QUOTE / float(view.lot_atoms[MARKET])
