"""One trader with a long position so many times the book's depth, and somebody rich who sold it."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from delever.agents.cohort import NO_COMMANDS, Cohort, Commands, join
from delever.agents.parameters import CohortParameters
from delever.agents.view import Ints, View

HOLDER, SELLER = 0, 1
MARKET = 0
DEPTH_PPM = 10_000


class LargeHolderParameters(CohortParameters):
    """A holder and its counterparty; `count` must be 2, `wealth_quote_median` is what the counterparty can lose."""

    times_depth: float = Field(default=5.0, gt=0.0, le=1000.0)
    """Position as a multiple of all bids within 1 % of the best one at the time it is opened."""
    leverage: float = Field(default=18.0, gt=0.0, le=1000.0)
    """Value of the position over the holder's equity when it is open."""
    open_at_s: int = Field(default=120, ge=0)
    """Time from which it is opened, in seconds of the run."""


class LargeHolder(Cohort):
    """The counterparty offers at the best ask and the holder buys there, until the position stands; then both wait."""

    Parameters = LargeHolderParameters
    parameters: LargeHolderParameters

    def prepare(self) -> None:
        """Make the column: lots the holder wants, once it has decided; then whether the position stands."""
        assert self.n == 2, "a holder and its counterparty"
        self.columns = {"target_lots": np.zeros(self.n, dtype=np.int64), "stands": np.zeros(self.n, dtype=np.int64)}

    def initial_deposit_atoms(self) -> Ints:
        """Return next to nothing for the holder, who deposits when it knows how much it wants."""
        deposits = super().initial_deposit_atoms()
        deposits[HOLDER] = 1
        return deposits

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return what opens the position; nothing before its time and once it stands."""
        ask, bid = int(view.ask_ticks[MARKET]), int(view.bid_ticks[MARKET])
        target = self.columns["target_lots"]
        holder, seller = wakers[wakers == HOLDER], wakers[wakers == SELLER]
        if view.time_s < self.parameters.open_at_s or self.columns["stands"][HOLDER] or ask == 0 or bid == 0:
            return NO_COMMANDS
        orders = NO_COMMANDS
        if target[HOLDER] == 0:
            if len(holder) == 0:
                return NO_COMMANDS
            depth = view.depth_lots(MARKET, 1, bid * DEPTH_PPM // 1_000_000)
            target[:] = int(self.parameters.times_depth * depth)
            value = float(target[HOLDER]) * float(view.lot_atoms[MARKET])
            orders = self.deposit(holder, int(value / self.parameters.leverage))
        held = view.lots(self.rows, MARKET)
        missing = int(target[HOLDER] - held[HOLDER])
        if missing <= 0:
            self.columns["stands"][:] = 1
            return self.cancel_all(np.array([SELLER]), MARKET)
        cancel, offer = self.cancel_all(seller, MARKET), self.limit(seller, MARKET, -1, missing, ask)
        return join(orders, cancel, offer, self.limit(holder, MARKET, 1, missing, ask, ioc=True))
