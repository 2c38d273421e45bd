"""Retail traders with moods: afraid to miss a rise, euphoric, ruined or scared away, and slowly back.

Each has a mood from 0 (fear) to 1 (euphoria), which moves to what the return over a horizon of its own and the moods
of the others make of it: Lux, "Herd behaviour, bubbles and crashes", Economic Journal 105 (1995), where the opinion of
others and returns carry a crowd up and down; Brock and Hommes, "Heterogeneous beliefs and routes to chaos in a simple
asset pricing model", Journal of Economic Dynamics and Control 22 (1998). Mood decides how often, on which side and with
how much leverage a trader opens, and how much of its gains it takes out to spend: the leverage cycle of Geanakoplos
(NBER Macroeconomics Annual 2009). Who has lost too much closes everything and stays away.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from delever.engine.commands import Kind
from delever.engine.rules.base import ATOMS_PER_QUOTE

from .cohort import Cohort, Commands, Limits, join, within
from .draws import Stream
from .elementary import exp
from .parameters import CohortParameters
from .ranges import check_ranges, spread_log
from .view import Bools, Floats, Ints, View
from .wallet import AMOUNT_MAX, leave, money

# Traits, drawn once for each trader.
TRAIT_HORIZON, TRAIT_LOSS = range(2)
# Draws of the stream of choices, at one waking.
DRAW_OPENS, DRAW_SIDE, DRAW_CLOSES = range(3)

# What a trader remembers.
MEMORY = np.dtype(
    [
        ("mood", np.float64),
        ("seen_s", np.int64),  # time of its last waking, -1 before the first
        ("away_until_s", np.int64),  # it stays away until then
        ("peak_atoms", np.int64),  # highest equity since it came, what it took out left aside
        ("brought_atoms", np.int64),  # what it has brought: equity above it is gain
        ("spent_atoms", np.int64),  # gains it took out, if all came
        ("gave_up", np.int64),  # how often
    ]
)


class SentimentParameters(CohortParameters):
    """Retail traders with moods."""

    mean_interval_s: float = Field(default=3_600.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=2_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto", "measured"] = "pareto"
    """Distribution of it: everybody the median, lognormal, Pareto, or as measured on a venue (`agents/wealth.py`)."""
    wealth_tail: float = Field(default=1.2, gt=0.0, le=100.0)
    """Lognormal: standard deviation of the logarithm. Pareto: exponent, smaller is more unequal."""
    horizon_min_s: float = Field(default=43_200.0, gt=0.0, le=1e9)
    """Shortest horizon of returns; horizons are spread evenly over the logarithm, ..."""
    horizon_max_s: float = Field(default=345_600.0, gt=0.0, le=1e9)
    """... up to the longest."""
    calm: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Mood in which nothing has moved and the others are calm too; nearer to 0 is fear, to 1 euphoria."""
    rise_gain: float = Field(default=0.06, ge=0.0, le=100.0)
    """What a rise of 1 % over its horizon adds to the mood a trader moves to, and a fall takes away."""
    herd_share: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share of the way from calm to euphoria, or to fear, that a crowd of which all are there pulls a trader."""
    memory_s: float = Field(default=86_400.0, gt=0.0, le=1e9)
    """Time in which a mood goes 63 % of the way."""
    open_share: float = Field(default=0.05, ge=0.0, le=1.0)
    """Share of calm wakings without a position at which one is opened; in proportion to mood."""
    start_share: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share of traders that open a position at their first waking: a run does not start from nothing."""
    close_share: float = Field(default=0.03, ge=0.0, le=1.0)
    """Share of calm wakings at which a position is closed; a long the more often the lower the mood, a short the
    higher."""
    long_share: float = Field(default=0.6, ge=0.0, le=1.0)
    """Share of calm openings that are long; all are in euphoria, none in fear."""
    leverage_calm: float = Field(default=2.0, gt=0.0, le=1000.0)
    """Value of a position as a multiple of equity in a calm mood, in fear, and of every short, ..."""
    leverage_euphoric: float = Field(default=8.0, gt=0.0, le=1000.0)
    """... and of a long in euphoria; between them in proportion."""
    adjust_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of the way to the wanted position that is gone at one waking, ..."""
    adjust_band: float = Field(default=0.25, ge=0.0, le=1.0)
    """... where it is further off than this share of it."""
    order_quote_max: float = Field(default=100_000.0, gt=0.0, le=1e12)
    """Largest market order, in quote units."""
    spend_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of gains, as far as collateral is free, that a euphoric trader takes out at a waking; a calm one none."""
    loss_min: float = Field(default=0.3, gt=0.0, le=1.0)
    """Loss from the highest equity at which a trader gives up: closes everything and stays away; least, ..."""
    loss_max: float = Field(default=0.8, gt=0.0, le=1.0)
    """... and most."""
    away_s: float = Field(default=259_200.0, gt=0.0, le=1e9)
    """Mean time for which it stays away; it comes back afraid."""
    return_ratio: float = Field(default=0.5, ge=0.0, le=100.0)
    """What it brings when it comes back, as a multiple of its first deposit."""

    @model_validator(mode="after")
    def _in_order(self) -> SentimentParameters:
        check_ranges(
            self, ("horizon_min_s", "horizon_max_s"), ("loss_min", "loss_max"), ("leverage_calm", "leverage_euphoric")
        )
        return self


class Sentiment(Cohort):
    """Feels, then holds what its mood wants: more, longer and with more leverage the higher it is."""

    Parameters = SentimentParameters
    parameters: SentimentParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the memory."""
        p = self.parameters
        self.horizon_s = spread_log(p.horizon_min_s, p.horizon_max_s, self.trait(TRAIT_HORIZON))
        self.loss: Floats = p.loss_min + (p.loss_max - p.loss_min) * self.trait(TRAIT_LOSS)
        self.deposit_atoms = self.initial_deposit_atoms()
        memory = np.zeros(self.n, dtype=MEMORY)
        memory["mood"], memory["seen_s"] = p.calm, -1
        memory["brought_atoms"] = memory["peak_atoms"] = self.deposit_atoms
        self.columns = {"memory": memory}

    @property
    def opinion(self) -> float:
        """Share of the cohort that is nearer to euphoria than to calm, less the share nearer to fear."""
        mood, calm = self.columns["memory"]["mood"], self.parameters.calm
        euphoric, afraid = np.count_nonzero(mood > (1.0 + calm) / 2), np.count_nonzero(mood < calm / 2)
        return (euphoric - afraid) / max(self.n, 1)

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return money, then closings and market orders."""
        opinion, rows = self.opinion, self.rows[wakers]
        mine = self.columns["memory"][wakers]
        market = self.pick_market(view, wakers)
        equity = view.equity_atoms(rows)
        first = mine["seen_s"] < 0
        self._feel(view, wakers, market, opinion, mine)
        away = mine["away_until_s"] > view.time_s
        back = (mine["away_until_s"] > 0) & ~away
        here = ~(away | back)
        mine["peak_atoms"] = np.where(here, np.maximum(mine["peak_atoms"], equity), mine["peak_atoms"])
        gives_up = here & (equity < (1.0 - self.loss[wakers]) * mine["peak_atoms"])
        stays = here & ~gives_up
        self._give_up(view, wakers, mine, gives_up)
        brings = self._come_back(wakers, mine, equity, back)
        takes = self._spend(view, rows, mine, equity, stays)
        self.columns["memory"][wakers] = mine
        return join(
            money(Kind.DEPOSIT, rows, brings),
            money(Kind.WITHDRAW, rows, takes),
            leave(view, rows[away | gives_up]),
            self._trade(view, wakers[stays], market[stays], mine[stays], first[stays]),
        )

    def _feel(self, view: View, wakers: Ints, market: Ints, opinion: float, mine: NDArray[Any]) -> None:
        """Move each mood towards what return and others make of it."""
        p = self.parameters
        steps = np.maximum(self.horizon_s[wakers] / view.dt_s, 1.0).astype(np.int64)
        before = view.mark_before_ticks(steps, market)
        rise = (view.mark_ticks[market] - before) * 100.0 / before
        herd = p.herd_share * opinion * (1.0 - p.calm if opinion > 0.0 else p.calm)
        target = within(0.0, p.calm + p.rise_gain * rise + herd, 1.0)
        since = np.where(mine["seen_s"] < 0, 0, view.time_s - mine["seen_s"])
        mine["mood"] += (target - mine["mood"]) * (1.0 - exp(-since / p.memory_s))
        mine["seen_s"] = view.time_s

    def _come_back(self, wakers: Ints, mine: NDArray[Any], equity: Ints, back: Bools) -> Ints:
        """Let those whose time away is over begin anew, and return what they bring."""
        brings = (self.deposit_atoms[wakers] * self.parameters.return_ratio * back).astype(np.int64)
        mine["away_until_s"][back] = 0
        mine["peak_atoms"][back] = 0
        mine["brought_atoms"] = np.where(back, equity + brings, mine["brought_atoms"])
        return np.minimum(brings, AMOUNT_MAX)

    def _give_up(self, view: View, wakers: Ints, mine: NDArray[Any], gives_up: Bools) -> None:
        """Send those who lost too much away for a time of their own."""
        stays_s = self.exponential(Stream.HOLD, wakers) * self.parameters.away_s
        mine["away_until_s"] = np.where(gives_up, view.time_s + 1 + stays_s.astype(np.int64), mine["away_until_s"])
        mine["mood"][gives_up] = 0.0
        mine["gave_up"] += gives_up

    def _spend(self, view: View, rows: Ints, mine: NDArray[Any], equity: Ints, stays: Bools) -> Ints:
        """Return what each takes out of its gains."""
        share = self.parameters.spend_share * self._euphoria(mine["mood"]) * stays
        if not share.any():
            return np.zeros(len(rows), dtype=np.int64)
        gains = np.minimum(equity - mine["brought_atoms"], view.withdrawable_atoms(rows))
        takes = (share * np.maximum(gains, 0)).astype(np.int64)
        takes[takes < ATOMS_PER_QUOTE] = 0
        mine["peak_atoms"] -= takes
        mine["spent_atoms"] += takes
        return takes

    def _euphoria(self, mood: Floats) -> Floats:
        """Return how far a mood is from calm (0) to euphoria (1); 0 below calm."""
        return np.asarray(np.maximum(mood - self.parameters.calm, 0.0) / (1.0 - self.parameters.calm))

    def _trade(self, view: View, wakers: Ints, market: Ints, mine: NDArray[Any], first: Bools) -> Commands:
        """Return the market orders that bring positions towards what moods want."""
        p, mood = self.parameters, mine["mood"]
        euphoria = self._euphoria(mood)
        held = view.lots(self.rows[wakers], market)
        side = np.where(held != 0, np.sign(held), self._side(wakers, mood, euphoria))
        leverage = p.leverage_calm + (p.leverage_euphoric - p.leverage_calm) * euphoria * (side > 0)
        limits = self.limits(view, self.rows[wakers], market, leverage)
        wanted = side * limits.lots
        part = np.where(np.abs(wanted - held) > p.adjust_band * np.abs(wanted), p.adjust_share, 0.0)
        opening = np.where(first, p.start_share, p.open_share * mood / p.calm)
        part = np.where(held == 0, self.uniform(Stream.CHOICE, wakers, DRAW_OPENS) < opening, part)
        mood_against = np.where(side > 0, (1.0 - mood) / (1.0 - p.calm), mood / p.calm)
        closes = (held != 0) & (self.uniform(Stream.CHOICE, wakers, DRAW_CLOSES) < p.close_share * mood_against)
        lots = np.where(closes, -held, ((wanted - held) * part).astype(np.int64))
        return self._orders_at_market(view, wakers, market, limits, held, lots)

    def _side(self, wakers: Ints, mood: Floats, euphoria: Floats) -> Ints:
        """Return the side each would open on: long with a probability that rises with mood, from 0 to 1."""
        p = self.parameters
        long_share = p.long_share * np.minimum(mood / p.calm, 1.0) + (1.0 - p.long_share) * euphoria
        return np.where(self.uniform(Stream.CHOICE, wakers, DRAW_SIDE) < long_share, 1, -1)

    def _orders_at_market(
        self, view: View, wakers: Ints, market: Ints, limits: Limits, held: Ints, lots: Ints
    ) -> Commands:
        """Return orders of signed lots: within the largest order, and only smaller positions under a call."""
        side = np.sign(lots)
        largest_atoms = self.parameters.order_quote_max * self.units_per_quote * ATOMS_PER_QUOTE
        largest = np.maximum(largest_atoms / limits.at.lot_atoms, 1.0)
        opposite = np.where(side > 0, view.ask_ticks[market], view.bid_ticks[market])
        reduces = side * held < 0
        size = np.minimum(np.abs(lots), largest) * (opposite > 0) * (reduces | ~view.called(self.rows[wakers]))
        parts = [
            self.market(wakers[some], market[some], side[some], size[some], reduce_only=only)
            for some, only in ((reduces, True), (~reduces, False))
        ]
        return join(self.use_cross(wakers, market, limits.at), *parts)
