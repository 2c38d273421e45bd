"""Arbitrageurs: they buy at the cheaper of two venues and sell at the dearer, while their capital at both lasts.

A gap between two venues stays open as far as costs and capital leave it: no arbitrage happens inside the fees, and who
has no money left at one of the venues waits for a transfer. Shleifer and Vishny, "The limits of arbitrage", Journal of
Finance 52 (1997); Gromb and Vayanos, "Equilibrium and welfare in markets with financially constrained arbitrageurs",
Journal of Financial Economics 66 (2002); Makarov and Schoar, "Trading and arbitrage in cryptocurrency markets", Journal
of Financial Economics 135 (2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from delever.engine.commands import C_ACCOUNT
from delever.engine.rules.base import PPM

from .cohort import NO_COMMANDS, Commands, join
from .pair import HERE, THERE, Pair, PairParameters, depth_to, quotes
from .view import Ints, View


class ArbitrageParameters(PairParameters):
    """Arbitrageurs between two venues."""

    mean_interval_s: float = Field(default=5.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=100_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start at both venues together, in quote units."""
    profit_ppm: float = Field(default=200.0, ge=0.0, le=1e6)
    """What a round trip must earn beyond the fees of its four trades, as a share of its value."""
    close_ppm: float = Field(default=300.0, ge=-1e6, le=1e6)
    """A round trip is ended once its closing pair of trades costs no more than this, fees aside."""
    leverage: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Largest position at each venue as a multiple of equity there."""
    settle_s: float = Field(default=3.0, ge=0.0, le=1e9)
    """Time that passes after an order before the next, so that it is known what was filled."""
    dry_share: float = Field(default=0.3, ge=0.0, le=0.5)
    """Money is moved when less than this share of a trader's equity is at one of the venues."""


class Arbitrage(Pair):
    """Trades a gap that is wider than its costs, closes when it is gone, keeps both legs equal, moves money."""

    Parameters = ArbitrageParameters
    parameters: ArbitrageParameters

    def prepare(self) -> None:
        """Make the columns."""
        self.columns = {
            "busy_until_s": np.zeros(self.n, dtype=np.int64),
            "moving_until_s": np.zeros(self.n, dtype=np.int64),
        }

    def decide_at(self, views: Sequence[View], wakers: Ints) -> tuple[Commands, ...]:
        """Return at most one order a leg, and at most one withdrawal, for each waker."""
        said: tuple[list[Commands], list[Commands]] = ([], [])
        shared = self.shared_markets(views)
        time_s = views[HERE].time_s
        looks = self.picks(wakers, max(1, len(shared)))
        for number, markets in enumerate(shared):
            idle = wakers[(looks == number) & (self.columns["busy_until_s"][wakers] <= time_s)]
            for seat, commands in enumerate(self._trade(views, markets, idle)):
                said[seat].append(commands)
        for seat, commands in enumerate(self._move(views, wakers)):
            said[seat].append(commands)
        return join(*said[HERE]), join(*said[THERE])

    def _trade(self, views: Sequence[View], markets: tuple[int, int], wakers: Ints) -> list[Commands]:
        """Return what evens the legs of those whose legs differ, and what the gap is worth to the others."""
        lots = [view.lots(rows[wakers], m) for view, rows, m in zip(views, self.accounts, markets, strict=True)]
        bare = lots[HERE] + lots[THERE]
        parts = [self._even(markets, wakers, lots, bare)]
        hedged, held = wakers[bare == 0], lots[HERE][bare == 0]
        parts += [self._pair(views, markets, hedged, held, side) for side in (1, -1)]
        said = [join(*(part[seat] for part in parts)) for seat in (HERE, THERE)]
        acts = np.zeros(self.n, dtype=np.bool_)
        for commands, rows in zip(said, self.accounts, strict=True):
            acts[wakers] |= np.isin(rows[wakers], commands[:, C_ACCOUNT])
        self.columns["busy_until_s"][acts] = views[HERE].time_s + int(np.ceil(self.parameters.settle_s))
        return said

    def _even(self, markets: tuple[int, int], wakers: Ints, lots: Sequence[Ints], bare: Ints) -> list[Commands]:
        """Return the orders that cut the longer leg: what one account has more than the other has less."""
        side = -np.sign(bare)
        own = [np.where(side * held < 0, np.abs(held), 0) for held in lots]
        here = own[HERE] >= own[THERE]
        return [
            self.market(wakers, market, side, np.where(longer, np.minimum(np.abs(bare), leg), 0), seat=seat)
            for seat, (market, longer, leg) in enumerate(zip(markets, (here, ~here), own, strict=True))
        ]

    def _pair(
        self, views: Sequence[View], markets: tuple[int, int], wakers: Ints, held: Ints, side: int
    ) -> list[Commands]:
        """Return orders to buy here and sell there (side 1), or the other way round (-1), where that pays.

        Both orders stop where the gap is no longer worth it. Who holds the opposite closes, and needs less for it.
        """
        said = [NO_COMMANDS, NO_COMMANDS]
        cheap, dear = (HERE, THERE) if side > 0 else (THERE, HERE)
        at = [quotes(view, market) for view, market in zip(views, markets, strict=True)]
        if at[cheap].ask_atoms == 0 or at[dear].bid_atoms == 0:
            return said
        gap_ppm = (at[dear].bid_atoms / at[cheap].ask_atoms - 1.0) * PPM
        middle = (at[dear].bid_atoms + at[cheap].ask_atoms) / 2.0
        p = self.parameters
        fees_ppm = sum(view.rules.charges.taker_ppm for view in views)
        closes = side * held < 0
        for chosen, needed_ppm in ((closes, -p.close_ppm), (~closes, 2 * fees_ppm + p.profit_ppm + p.close_ppm)):
            if gap_ppm < needed_ppm or not chosen.any():
                continue
            who = wakers[chosen]
            lots = np.abs(held[chosen])
            limits = []
            for seat, way in ((cheap, 1), (dear, -1)):
                depth, limit = depth_to(views[seat], markets[seat], way, middle * (1.0 - way * needed_ppm / 2.0 / PPM))
                limits.append((seat, way, limit))
                if needed_ppm > 0:
                    market = np.full(len(who), markets[seat])
                    room = self.limits(views[seat], self.accounts[seat][who], market, p.leverage).room_lots(way)
                    lots = room if seat == cheap else np.minimum(lots, room)
                lots = np.minimum(lots, depth)
            for seat, way, limit in limits:
                said[seat] = join(said[seat], self.limit(who, markets[seat], way, lots, limit, ioc=True, seat=seat))
        return said

    def _move(self, views: Sequence[View], wakers: Ints) -> list[Commands]:
        """Return withdrawals at the venue where a trader has plenty, if it has little left at the other."""
        p, time_s = self.parameters, views[HERE].time_s
        waiting = self.columns["moving_until_s"][wakers] > time_s
        equity = [
            np.maximum(view.equity_atoms(rows[wakers]), 0) for view, rows in zip(views, self.accounts, strict=True)
        ]
        whole = equity[HERE] + equity[THERE]
        said = []
        for seat in (HERE, THERE):
            rich, poor = equity[seat], equity[1 - seat]
            rows = self.accounts[seat][wakers]
            spare = np.minimum(views[seat].free_collateral_atoms(rows), views[seat].balance_atoms(rows))
            moves = ~waiting & (rich > poor) & (poor < p.dry_share * whole) & (spare > 0)
            amount = np.where(moves, np.minimum((rich - poor) // 2, spare), 0)
            self.columns["moving_until_s"][wakers[amount > 0]] = time_s + int(np.ceil(p.transfer_s + p.settle_s))
            said.append(self.withdraw(wakers, amount, seat=seat))
        return said
