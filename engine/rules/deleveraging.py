"""The deleveraging axis (ADL): when winners are closed against the bankrupt, in what order, at what price."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from delever.engine.formulas import entry_leverage, pnl_margin

from .adl_terms import Eligibility, FarFromMark, PoolRatio
from .base import Rule
from .drawdown import Drawdown


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
    price: Literal["bankruptcy", "mark", "previous_mark", "index"] = "bankruptcy"
    """Price at which both sides are closed; `index` is the oracle price."""
    cancel_orders: bool = True
    """Whether the counterparty's open orders in the market are cancelled."""
    drawdown: Drawdown | None = None
    """While the fund is down so far, distressed units are deleveraged at once: no orders to the book, no takeover."""
    pool: PoolRatio | None = None
    """When the fund, as a pool, is relieved of positions that winners gain from."""
    far_from_mark: FarFromMark | None = None
    """When the mark is used in place of a bankruptcy price."""
    eligible: Eligibility | None = None
    """Who may be deleveraged; left out: everybody on the other side."""

    @model_validator(mode="after")
    def _prices_fit(self) -> Deleveraging:
        if self.far_from_mark is not None and self.price != "bankruptcy":
            raise ValueError(
                f"far_from_mark corrects a bankruptcy price: it needs price = 'bankruptcy' (got {self.price!r})"
            )
        if self.pool is not None and self.price == "bankruptcy":
            raise ValueError(
                "pool closes positions of a solvent fund: it needs price = 'mark', 'previous_mark' or 'index'"
            )
        return self

    def scores(self, holders: Holders) -> NDArray[np.float64]:
        """Return a score per holder; the highest is deleveraged first, ties by key (R-W9)."""
        h = holders
        assert (h.lots != 0).all()
        scores: NDArray[np.float64]
        if self.rank == "pnl_margin":
            scores = pnl_margin(h.unrealised_atoms, h.balance_atoms, h.equity_atoms, h.maintenance_atoms)
        else:
            scores = entry_leverage(h.cost_atoms, h.value_atoms, h.equity_atoms)
        return scores
