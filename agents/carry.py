"""Carry traders: long in a fully paid market, short as much in a perpetual, for the funding and the basis it pays.

They hold no view of the price: what one leg loses the other gains, as long as both are there. When the venue of the
perpetual takes the short leg away (auto-deleveraging, or liquidation on the way up), the other is left bare, and what
they do about it is their style. Brunnermeier, Nagel and Pedersen, "Carry trades and currency crashes", NBER
Macroeconomics Annual 23 (2008); Schmeling, Schrimpf and Todorov, "Crypto carry", BIS Working Papers 1087 (2023); He,
Manela, Ross and von Wachter, "Fundamentals of perpetual futures" (2022), for the band in which fees leave the basis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from delever.engine.rules.base import PPM

from .cohort import Commands, join
from .pair import HERE, THERE, Pair, PairParameters, quotes
from .ranges import check_ranges
from .view import Ints, View

PPB_PER_PPM = 1e3


class CarryParameters(PairParameters):
    """Carry traders; `venue` is that of the perpetual, `other_venue` that of the fully paid market."""

    mean_interval_s: float = Field(default=15.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=100_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start at both venues together, in quote units."""
    here_share: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Share of what a trader brings that it deposits as margin of the short leg."""
    horizon_s: float = Field(default=86_400.0, gt=0.0, le=1e9)
    """How long a trader thinks to hold: so much funding counts beside the basis."""
    open_ppm: float = Field(default=3_000.0, ge=-1e6, le=1e6)
    """Basis and funding over the horizon at which both legs are built, as a share of their value, ..."""
    close_ppm: float = Field(default=0.0, ge=-1e6, le=1e6)
    """... and at which they are taken down."""
    open_spread_ppm: float = Field(default=0.0, ge=0.0, le=1e6)
    """Traders' `open_ppm` lie so far above the one given, evenly, fixed for life."""
    leverage: float = Field(default=2.5, gt=0.0, le=1000.0)
    """Largest short leg as a multiple of equity at its venue."""
    part_share: float = Field(default=0.2, gt=0.0, le=1.0)
    """Share of the largest position that one order is for, so that both legs are built and taken down in parts."""
    bare: Literal["sell", "rehedge", "wait"] = "sell"
    """What is done when the short leg was taken: sell the long leg at once, build a new short leg, or nothing."""
    pause_s: float = Field(default=3_600.0, ge=0.0, le=1e9)
    """Time after that in which nothing is built."""

    @model_validator(mode="after")
    def _closes_below_opening(self) -> CarryParameters:
        check_ranges(self, ("close_ppm", "open_ppm"))
        return self


TRAIT_OPEN = 0


class Carry(Pair):
    """Sells the perpetual first and buys as much beside it; takes the long leg down first, and buys the short one back.

    So a long leg that is larger than the short one is never of its own making: something took the short leg.
    """

    Parameters = CarryParameters
    parameters: CarryParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the column."""
        self.columns = {"away_until_s": np.zeros(self.n, dtype=np.int64)}
        self.open_ppm = self.parameters.open_ppm + self.parameters.open_spread_ppm * self.trait(TRAIT_OPEN)

    def decide_at(self, views: Sequence[View], wakers: Ints) -> tuple[Commands, ...]:
        """Return at most one order for each waker, at one of the venues."""
        here, there = [], []
        shared = self.shared_markets(views)
        looks = self.picks(wakers, max(1, len(shared)))
        for number, markets in enumerate(shared):
            short, long = self._act(views, markets, wakers[looks == number])
            here.append(short)
            there.append(long)
        return join(*here), join(*there)

    def _act(self, views: Sequence[View], markets: tuple[int, int], wakers: Ints) -> tuple[Commands, Commands]:
        """Return the orders in one market: first what makes the legs equal, else the next part up or down."""
        lots = [view.lots(rows[wakers], m) for view, rows, m in zip(views, self.accounts, markets, strict=True)]
        bare = lots[HERE] + lots[THERE]
        opening, closing = self._pays(views, markets)
        away = self.columns["away_until_s"]
        time_s = views[HERE].time_s
        away[wakers[bare > 0]] = time_s + int(np.ceil(self.parameters.pause_s))
        opens = (opening >= self.open_ppm[wakers]) & (away[wakers] <= time_s)
        leaves = np.full(len(wakers), closing < self.parameters.close_ppm)
        most = self._largest(views, markets, wakers)
        part = np.ceil(most * self.parameters.part_share).astype(np.int64)
        even = bare == 0

        style = self.parameters.bare
        sells = np.where(even & opens, np.minimum(part, most + lots[HERE]), 0)
        if style == "rehedge":
            sells = np.where(bare > 0, bare, sells)
        buys_back = np.where((bare < 0) & leaves, -bare, 0)
        buys = np.where((bare < 0) & ~leaves, -bare, 0)
        drops = np.where(even & leaves & ~opens, np.minimum(part, lots[THERE]), 0)
        if style == "sell":
            drops = np.where(bare > 0, np.minimum(bare, lots[THERE]), drops)
        here, there = markets
        return (
            join(
                self.market(wakers, here, -1, np.maximum(sells, 0), seat=HERE),
                self.market(wakers, here, 1, buys_back, reduce_only=True, seat=HERE),
            ),
            join(
                self.market(wakers, there, 1, buys, seat=THERE),
                self.market(wakers, there, -1, np.maximum(drops, 0), reduce_only=True, seat=THERE),
            ),
        )

    def _pays(self, views: Sequence[View], markets: tuple[int, int]) -> tuple[float, float]:
        """Return basis plus funding over the horizon at the prices of building both legs, and of taking them down, ppm.

        Without a price on the side that is needed nothing is built (minus infinity) or taken down (infinity).
        """
        short, long = (quotes(view, market) for view, market in zip(views, markets, strict=True))
        rule = views[HERE].rules.charges.funding
        payments = 0.0 if rule is None else self.parameters.horizon_s / rule.interval_s
        funding_ppm = payments * int(views[HERE].funding_ppb[markets[HERE]]) / PPB_PER_PPM
        builds = short.bid_atoms > 0 and long.ask_atoms > 0
        ends = short.ask_atoms > 0 and long.bid_atoms > 0
        return (
            (short.bid_atoms / long.ask_atoms - 1.0) * PPM + funding_ppm if builds else -np.inf,
            (short.ask_atoms / long.bid_atoms - 1.0) * PPM + funding_ppm if ends else np.inf,
        )

    def _largest(self, views: Sequence[View], markets: tuple[int, int], wakers: Ints) -> Ints:
        """Return the lots of a full position: what the money at both venues is enough for."""
        full = []
        for seat, leverage in ((HERE, self.parameters.leverage), (THERE, 1.0)):
            market = np.full(len(wakers), markets[seat])
            full.append(self.limits(views[seat], self.accounts[seat][wakers], market, leverage).lots)
        return np.minimum(full[HERE], full[THERE])
