"""The base of traders with an account at each of two venues, and the money they move between them.

What such a trader withdraws at one venue is deposited for it at the other `transfer_s` later, by the world: a
withdrawal that the venue refuses moves nothing. Meanwhile the money works nowhere, which is what limits arbitrage:
Shleifer and Vishny, "The limits of arbitrage", Journal of Finance 52 (1997); for crypto venues, Makarov and Schoar,
"Trading and arbitrage in cryptocurrency markets", Journal of Financial Economics 135 (2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from .cohort import Cohort, Commands
from .draw_kernels import MARKET_DRAW
from .draws import Stream
from .parameters import CohortParameters
from .view import Ints, View

HERE, THERE = 0, 1
"""Places of the two venues in `Cohort.accounts`, in the views and in the commands."""


class PairParameters(CohortParameters):
    """What every cohort with accounts at two venues is described by."""

    other_venue: str
    """Venue of the second account, by its name in the scenario."""
    transfer_s: float = Field(default=1_800.0, ge=0.0, le=1e9)
    """Time from a withdrawal at one venue to the deposit at the other."""
    here_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of what a trader brings that it deposits at the first venue."""

    @property
    def venues(self) -> tuple[str, ...]:
        """Names of both venues."""
        return (self.venue, self.other_venue)

    @model_validator(mode="after")
    def _venues_differ(self) -> Self:
        if self.wallet is not None:
            raise ValueError("wallet is of traders with one account; those with two move money between them")
        if self.venue == self.other_venue:
            raise ValueError(f"other_venue must be another venue than venue (both are {self.venue!r})")
        return self


class Pair(Cohort):
    """n traders with two accounts; subclass it, write `decide_at(views, wakers) -> (commands, commands)`."""

    Parameters = PairParameters
    parameters: PairParameters

    def decide_at(self, views: Sequence[View], wakers: Ints) -> tuple[Commands, ...]:
        """Return the commands for each of the two venues."""
        raise NotImplementedError(f"{type(self).__name__} needs a method decide_at(self, views, wakers)")

    def shared_markets(self, views: Sequence[View]) -> list[tuple[int, int]]:
        """Return the numbers here and there of each market that both venues have, by symbol."""
        here, there = (view.symbols for view in views)
        return [(number, there.index(symbol)) for number, symbol in enumerate(here) if symbol in there]

    def picks(self, wakers: Ints, count: int) -> Ints:
        """Return which of `count` things each waker looks at this time, each equally likely."""
        if count == 1:
            return np.zeros(len(wakers), dtype=np.int64)
        return (self.uniform(Stream.CHOICE, wakers, MARKET_DRAW) * count).astype(np.int64)

    def deposits_atoms(self, seat: int) -> Ints:
        """Return what each trader deposits at the start at one of its venues, int64 (n,); it may be nothing."""
        whole = self.initial_deposit_atoms()
        here: Ints = (whole * self.parameters.here_share).astype(np.int64)
        return here if seat == HERE else whole - here


class Quotes(NamedTuple):
    """What a lot of a market costs and fetches at the best prices of a venue, in atoms; 0: that side is empty."""

    bid_atoms: int
    ask_atoms: int


def quotes(view: View, market: int) -> Quotes:
    """Return the best prices of a market as values of a lot: comparable between venues whose lots are equal."""
    tick = int(view.multiplier_atoms[market])
    return Quotes(int(view.bid_ticks[market]) * tick, int(view.ask_ticks[market]) * tick)


def depth_to(view: View, market: int, side: int, value_atoms: float) -> tuple[int, int]:
    """Return the lots that can be bought (side 1) or sold (-1) at no worse than `value_atoms`, and that in ticks."""
    best = int(view.ask_ticks[market] if side > 0 else view.bid_ticks[market])
    worst = value_atoms / int(view.multiplier_atoms[market])
    limit = int(np.floor(worst)) if side > 0 else int(np.ceil(worst))
    away = side * (limit - best)
    if best == 0 or away < 0:
        return 0, best
    return view.depth_lots(market, -side, away), limit
