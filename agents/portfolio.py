"""Portfolios: accounts that hold several contracts on one margin, long or short, at the leverage of a real venue.

Account values and leverage are as measured among the winners whom Hyperliquid deleveraged on 10 October 2025
(`agents/wealth.py`). Each trader comes once, at a time of its own, with limit orders at the index, and renews what was
not filled as the index moves: entries are spread over prices of the past, and nobody's arrival moves the price. Then it
holds. How many contracts an account holds and how its value is split between them are choices; which contracts follows
their weights.

Accounts that are so unequal do not find as much on the other side. What is left over is taken by hedgers: traders who
have the opposite elsewhere, borrow nothing, and come for what rests at the index while portfolios are built.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from delever.engine.rules.base import ATOMS_PER_QUOTE

from . import draws
from .account import MARGIN_USED_MAX
from .cohort import NO_COMMANDS, Cohort, Commands, join
from .draws import Stream
from .elementary import log
from .parameters import CohortParameters
from .view import Floats, Ints, View
from .wealth import measured_leverages

# Traits, drawn once for each trader.
TRAIT_TIME = 0
TRAIT_SIDE = 1
TRAIT_LEVERAGE = 2
TRAIT_COUNT = 3
# First of two for each contract held: which one, and how much of it.
TRAIT_CONTRACTS = 16
CONTRACTS_MAX = 8
# A position that lacks less than this share of what is wanted is complete.
COMPLETE_SHARE = 0.02


class PortfolioParameters(CohortParameters):
    """Accounts with several contracts, built once and held."""

    mean_interval_s: float = Field(default=30.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=958.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units; the measured one."""
    wealth_law: Literal["equal", "lognormal", "pareto", "measured"] = "measured"
    """Distribution of it: everybody the median, lognormal, Pareto, or as measured on a venue (`agents/wealth.py`)."""
    wealth_ratio_max: float = Field(default=330_000.0, ge=1.0, le=1e9)
    """Nobody deposits more than this multiple of the median; the largest measured account had 316 million."""
    long_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of traders that are long."""
    contracts_mean: float = Field(default=2.5, ge=1.0, le=8.0)
    """Mean number of contracts picked, one at least and eight at most: geometric; the same may be picked twice."""
    spread_ratio: float = Field(default=1_000.0, gt=0.0, le=1e12)
    """An account of so many medians holds half of its value in all contracts by their weights, larger ones more: no
    single contract would take them."""
    leverage_factor: float = Field(default=1.0, gt=0.0, le=100.0)
    """Leverage as a multiple of the measured one; never more than the venue allows with a tenth of equity to spare."""
    build_s: float = Field(default=1_800.0, gt=0.0, le=1e9)
    """Traders come at times spread evenly over so long from the beginning, ..."""
    patience_s: float = Field(default=300.0, ge=0.0, le=1e9)
    """... and so long after it all give up what was not filled."""


class HedgerParameters(CohortParameters):
    """Traders who take what portfolios leave over, and have the opposite elsewhere."""

    mean_interval_s: float = Field(default=10.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=10_000_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto", "measured"] = "equal"
    """Distribution of it: everybody the median, lognormal, Pareto, or as measured on a venue (`agents/wealth.py`)."""
    leverage: float = Field(default=1.0, gt=0.0, le=1000.0)
    """Largest value of all positions as a multiple of equity."""
    reach_ppm: float = Field(default=100.0, ge=0.0, lt=1e6)
    """They trade with what rests no worse than so far from the index."""
    until_s: float = Field(default=2_100.0, ge=0.0, le=1e9)
    """Time after which they hold what they have, in seconds of the run."""


class Portfolio(Cohort):
    """Builds its positions with limit orders at the index, once, and holds them."""

    Parameters = PortfolioParameters
    parameters: PortfolioParameters

    def prepare(self) -> None:
        """Draw who comes when, on which side, and at what leverage."""
        p = self.parameters
        self.deposit_atoms = self.initial_deposit_atoms()
        self.wealth = self.deposit_atoms / (p.wealth_quote_median * ATOMS_PER_QUOTE * self.units_per_quote)
        self.comes_s = p.build_s * self.trait(TRAIT_TIME)
        self.sign = np.where(self.trait(TRAIT_SIDE) < p.long_share, 1, -1)
        self.leverage = p.leverage_factor * measured_leverages(self.trait(TRAIT_LEVERAGE), self.wealth)
        self.wanted: Floats | None = None

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return for each waker who is building the renewal of its orders, and after that their cancellation."""
        p = self.parameters
        if self.wanted is None:
            self.wanted = self._values(view)  # how many contracts there are is not known before
        ordered = wakers[view.open_orders(self.rows[wakers]) > 0]
        cleared = self._clear(view, ordered)
        if view.time_s >= p.build_s + p.patience_s:
            return cleared
        come = wakers[self.comes_s[wakers] <= view.time_s]
        which, market = np.nonzero(self.wanted[come])
        who = come[which]
        side = self.sign[who]
        full = (self.wanted[who, market] / view.lot_atoms[market]).astype(np.int64)
        lacking = full - side * view.lots(self.rows[who], market)
        lots = np.where(lacking > COMPLETE_SHARE * full, np.minimum(lacking, view.lots_max), 0)
        return join(cleared, self.limit(who, market, side, lots, view.index_ticks[market]))

    def _clear(self, view: View, ordered: Ints) -> Commands:
        """Return the cancellation of all orders of some traders, in the contracts they want."""
        assert self.wanted is not None
        which, market = np.nonzero(self.wanted[ordered])
        return self.cancel_all(ordered[which], market)

    def _values(self, view: View) -> Floats:
        """Return what each trader wants to hold of each contract, (n, M) atoms."""
        picked, part = self._picks(view)
        shares = np.zeros((self.n, view.markets))
        for contract in range(CONTRACTS_MAX):
            shares[np.arange(self.n), picked[contract]] += part[contract]
        shares /= np.cumsum(shares, axis=1)[:, -1:]  # added up in one order on every machine
        spread = (self.wealth / (self.wealth + self.parameters.spread_ratio))[:, np.newaxis]
        shares = (1.0 - spread) * shares + spread * view.market_weight / view.markets
        first = self.leverage * self.deposit_atoms
        rate = sum(
            shares[:, market]
            * view.initial_ppm_at(np.full(self.n, market), (first * shares[:, market]).astype(np.int64))
            for market in range(view.markets)
        )
        allowed = MARGIN_USED_MAX * 1e6 / rate
        return np.minimum(self.leverage, allowed)[:, np.newaxis] * self.deposit_atoms[:, np.newaxis] * shares

    def _picks(self, view: View) -> tuple[Ints, Floats]:
        """Return the contracts each trader picks and the parts it gives to them, both (CONTRACTS_MAX, n)."""
        goes_on = 1.0 - 1.0 / self.parameters.contracts_mean
        luck = draws.uniform(
            self.seed, Stream.TYPE, self.keys, TRAIT_CONTRACTS + np.arange(2 * CONTRACTS_MAX)[:, np.newaxis]
        )
        bounds = np.cumsum(view.market_weight)
        bounds /= bounds[-1]
        picked = np.minimum(np.searchsorted(bounds, luck[:CONTRACTS_MAX]), view.markets - 1)
        count = np.ones(self.n)
        if goes_on > 0.0:
            count += np.floor(log(self.trait(TRAIT_COUNT)) / log(goes_on))
        counted = np.arange(CONTRACTS_MAX)[:, np.newaxis] < count
        return picked, np.where(counted, -log(luck[CONTRACTS_MAX:]), 0.0)


class Hedger(Cohort):
    """Trades with what rests at the index until a time, whatever its side, and holds what that adds up to."""

    Parameters = HedgerParameters
    parameters: HedgerParameters

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one order for each waker, contract and side."""
        if view.time_s >= self.parameters.until_s:
            return NO_COMMANDS
        found = [
            (market, side, *self._resting(view, market, side)) for market in range(view.markets) for side in (1, -1)
        ]
        orders = np.array([order for order in found if order[2] > 0], dtype=np.int64).reshape(-1, 4)
        rows = self.rows[wakers]
        free = self.parameters.leverage * view.equity_atoms(rows) - view.value_atoms(rows)
        each = np.maximum(free, 0.0) / max(len(orders), 1)
        who = np.repeat(wakers, len(orders))
        market, side, resting, worst = np.tile(orders, (len(wakers), 1)).T
        lots = np.minimum(resting, np.repeat(each, len(orders)) / view.lot_atoms[market])
        return self.limit(who, market, side, lots, worst, ioc=True)

    def _resting(self, view: View, market: int, side: int) -> tuple[int, int]:
        """Return the lots that a purchase (side +1) or sale (-1) would find within reach, and the worst price of it."""
        best = int(view.ask_ticks[market] if side > 0 else view.bid_ticks[market])
        worst = int(np.rint(view.index_ticks[market] * (1.0 + side * self.parameters.reach_ppm / 1e6)))
        if best == 0 or side * (worst - best) < 0:
            return 0, worst
        return view.depth_lots(market, -side, abs(worst - best)), worst
