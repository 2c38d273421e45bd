"""The deleveraging axis (ADL): when winners are closed against the bankrupt, in what order, at what price."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from delever.engine.formulas import entry_leverage, pnl_margin, position_leverage, profit_share, rank_score
from delever.engine.tables import ADL_RANKS, ENTRY_LEVERAGE, FAIREST, MIN_MAX, PNL_MARGIN, PRO_RATA, QUEUE, RANDOM_START

from .adl_terms import Eligibility, FarFromMark, PoolRatio
from .base import ATOMS_PER_QUOTE, Rule
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
    keys: NDArray[np.int64]
    draws: NDArray[np.int64]
    """Of this step and market, below 2**32; larger for the fund, which no draw concerns."""

    @property
    def gain(self) -> NDArray[np.float64]:
        """Unrealised profit as a share of the value at entry."""
        share: NDArray[np.float64] = profit_share(self.unrealised_atoms, self.cost_atoms)
        return share

    @property
    def leverage(self) -> NDArray[np.float64]:
        """Value of the position over the equity of its unit, 0 without equity."""
        leverage: NDArray[np.float64] = position_leverage(self.value_atoms, self.equity_atoms)
        return leverage


class Deleveraging(Rule):
    """Auto-deleveraging: trigger, rank and price (R-W9)."""

    trigger: Literal["none", "fund_empty", "equity_below_zero"] = "fund_empty"
    """`fund_empty`: what the fund could not take; `equity_below_zero`: every bankrupt unit."""
    rank: Literal[
        "pnl_margin", "entry_leverage", "pnl_leverage", "leveraged_return", "pnl", "leverage", "size",
        "random_start",
        "pro_rata_pnl", "pro_rata_equity", "pro_rata_lots", "pro_rata_wealth", "pro_rata_leverage_pnl", "min_max",
    ] = "pnl_margin"  # fmt: skip
    """One after another: `pnl_margin`: profit share x margin ratio (Binance); `entry_leverage`: mark / entry x leverage
    (Hyperliquid); `pnl_leverage`: profit share x leverage, of losers over leverage (BitMEX); `leveraged_return`: profit
    share x leverage (Bybit, OKX); `pnl`, `leverage`, `size`; `random_start`: by key, from a drawn one on (dYdX). All at
    once: `pro_rata_pnl`, `_equity`, `_lots`, `_wealth` (profit, at most equity), `_leverage_pnl` (profit x leverage);
    `min_max`: whole lots, the largest share of a profit as small as can be."""
    price: Literal["bankruptcy", "mark", "previous_mark", "index"] = "bankruptcy"
    """Price at which both sides are closed; `index` is the oracle price."""
    least_balance_quote: int | None = Field(default=None, ge=1, le=10**12)
    """With `pnl_margin`: what a balance counts for at least when a profit is divided by it; none: one atom."""
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
        if self.least_balance_quote is not None and self.rank != "pnl_margin":
            raise ValueError(f"least_balance_quote is of rank = 'pnl_margin' (got {self.rank!r})")
        if self.pool is not None and self.price == "bankruptcy":
            raise ValueError(
                "pool closes positions of a solvent fund: it needs price = 'mark', 'previous_mark' or 'index'"
            )
        return self

    @property
    def least_balance_atoms(self) -> int:
        return 1 if self.least_balance_quote is None else self.least_balance_quote * ATOMS_PER_QUOTE

    @property
    def spread(self) -> int:
        """How a position goes to its counterparties: QUEUE (one after another), PRO_RATA or FAIREST (R-W83, R-W84)."""
        rank = ADL_RANKS.index(self.rank)
        if rank == MIN_MAX:
            return FAIREST
        return PRO_RATA if rank > RANDOM_START else QUEUE

    def scores(self, holders: Holders) -> NDArray[np.float64]:
        """Return a score per holder: in a queue the highest is first, ties by key; pro rata it is the weight (R-W9).

        A rank of your own is this method in a subclass; `rank` then only says whether it is a queue or pro rata.
        """
        h, rank = holders, ADL_RANKS.index(self.rank)
        assert (h.lots != 0).all()
        scores: NDArray[np.float64]
        if rank == PNL_MARGIN:
            least = self.least_balance_atoms
            scores = pnl_margin(h.unrealised_atoms, h.balance_atoms, h.equity_atoms, h.maintenance_atoms, least)
        elif rank == ENTRY_LEVERAGE:
            scores = entry_leverage(h.cost_atoms, h.value_atoms, h.equity_atoms)
        elif rank == RANDOM_START:
            scores = (h.keys >= h.keys[np.lexsort((h.keys, h.draws))[:1]]).astype(np.float64)
        else:
            scores = rank_score(rank, h.gain, h.leverage, h.lots, h.value_atoms, h.unrealised_atoms, h.equity_atoms)
        return scores
