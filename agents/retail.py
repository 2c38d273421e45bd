"""Leveraged retail: long-biased traders who borrow much, add when they win, and may answer a margin call.

Leverage is drawn at each opening from a menu of the round numbers that venues offer, so that liquidation
prices cluster. The weights are our choice (median 5, mean 8), between two measurements: BitMEX published
average effective leverages of 22 to 30 and a 80 % quantile near 50 for 2018-19, a venue of small speculative
accounts; the 19,337 accounts deleveraged on Hyperliquid on 10 October 2025 had a median of 0.43 and a 95 %
quantile of 6.5 over the whole account. Richer traders use less: leverage falls with the fourth root of the
deposit above its median.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from delever.engine.commands import Kind, batch
from delever.engine.rules.base import PPM

from .cohort import MARGIN_USED_MAX, Cohort, Commands, Floats, Limits, join, within
from .draws import Stream
from .parameters import CohortParameters
from .quantiles import menu
from .view import Bools, Ints, View

# Traits, drawn once for each trader.
TRAIT_STOP = 0
TRAIT_PROFIT = 1
TRAIT_ANSWER = 2
TRAIT_ISOLATED = 3

# Furthest distance of a stop-loss or take-profit from the price, as a share of the price.
DISTANCE_MAX = 0.5
# Furthest that herding moves the share of longs.
HERD_MAX = 0.3
# Less than this fraction of the position is not worth adding.
SMALLEST_ADD = 20


class RetailParameters(CohortParameters):
    """Leveraged retail traders."""

    mean_interval_s: float = Field(default=900.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=2_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto"] = "pareto"
    """Distribution of it: everybody the median, lognormal, or Pareto."""
    wealth_tail: float = Field(default=1.2, gt=0.0, le=100.0)
    """Lognormal: standard deviation of the logarithm. Pareto: exponent, smaller is more unequal."""
    leverages: tuple[float, ...] = (2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
    """Menu of leverages; a position never exceeds what the venue allows with a tenth of equity to spare."""
    leverage_weights: tuple[float, ...] = (0.2, 0.2, 0.25, 0.2, 0.12, 0.03)
    """How often each is chosen."""
    open_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of wakings without a position at which one is opened."""
    start_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of traders that open a position at their first waking: a run does not start from nothing."""
    close_share: float = Field(default=0.03, ge=0.0, le=1.0)
    """Share of wakings with a position at which it is closed."""
    long_share: float = Field(default=0.7, ge=0.0, le=1.0)
    """Share of openings that are long while the price stands still."""
    herd_share: float = Field(default=0.03, ge=0.0, le=1.0)
    """What a rise of 1 % over the herding horizon adds to that share, and a fall takes away (up to 0.3)."""
    herd_horizon_s: float = Field(default=3_600.0, gt=0.0, le=1e9)
    """Herding horizon."""
    first_share: float = Field(default=0.6, gt=0.0, le=1.0)
    """Share of the full position that is opened first."""
    add_step_ppm: float = Field(default=7_500.0, gt=0.0, le=1e6)
    """A trader adds when the mark is so far on the right side of the average entry."""
    adds_max: int = Field(default=2, ge=0, le=1000)
    """A position is added to at most so often."""
    add_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of what is missing to the full position, at the higher equity, that is added at once."""
    order_quote_max: float = Field(default=100_000.0, gt=0.0, le=1e12)
    """Largest market order, in quote units."""
    stop_share: float = Field(default=0.35, ge=0.0, le=1.0)
    """Share of traders that set stop-losses, watched by the mark."""
    profit_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of traders that set take-profits."""
    stop_min: float = Field(default=0.3, gt=0.0, le=1.0)
    """Loss at a stop as a share of the margin of the position: least, ..."""
    stop_max: float = Field(default=0.8, gt=0.0, le=1.0)
    """... and most."""
    profit_min: float = Field(default=0.25, gt=0.0, le=100.0)
    """Profit at a take-profit as a multiple of the margin of the position: least, ..."""
    profit_max: float = Field(default=2.0, gt=0.0, le=100.0)
    """... and most."""
    top_up_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of traders that add money at a margin call, ..."""
    reduce_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """... and share that halve the position; the rest do nothing."""
    top_up_ratio: float = Field(default=3.0, ge=1.0, le=1000.0)
    """Money is added until equity is this multiple of maintenance margin, if there is so much."""
    reserve_ratio: float = Field(default=0.5, ge=0.0, le=1000.0)
    """Money kept outside the venue at the start, as a multiple of the deposit."""
    isolated_share: float = Field(default=0.25, ge=0.0, le=1.0)
    """Share of traders that choose isolated margin where the venue offers it."""
    isolated_stake: float = Field(default=0.3, gt=0.0, le=0.9)
    """Share of equity that these put behind a full position."""
    ruin_share: float = Field(default=0.4, ge=0.0, le=1.0)
    """A trader whose equity is below this share of what it was at the last opening has had enough, ..."""
    return_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """... and opens again with what remains so much less often than others."""

    @field_validator("leverages", "leverage_weights")
    @classmethod
    def _positive(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not values or min(values) <= 0.0:
            raise ValueError(f"give at least one number, each above 0 (got {list(values)})")
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> RetailParameters:
        if len(self.leverages) != len(self.leverage_weights):
            sizes = f"{len(self.leverages)} and {len(self.leverage_weights)}"
            raise ValueError(f"leverages and leverage_weights must be equally long (got {sizes})")
        for name in ("stop", "profit"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low > high:
                raise ValueError(f"{name}_min must not be above {name}_max (got {low:g} > {high:g})")
        if self.top_up_share + self.reduce_share > 1.0:
            total = self.top_up_share + self.reduce_share
            raise ValueError(f"top_up_share + reduce_share must be at most 1 (got {total:g})")
        return self


class Retail(Cohort):
    """Opens mostly long with leverage, adds to winners, sets stops, meets calls, may return after ruin."""

    Parameters = RetailParameters
    parameters: RetailParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the columns."""
        parameters = self.parameters
        self.menu = menu(parameters.leverages, parameters.leverage_weights)
        deposit = self.initial_deposit_atoms()
        richer = np.maximum(deposit / (parameters.wealth_quote_median * PPM), 1.0)
        self.caution = np.sqrt(np.sqrt(richer))
        self.sets_stop = self.trait(TRAIT_STOP) < parameters.stop_share
        self.takes_profit = self.trait(TRAIT_PROFIT) < parameters.profit_share
        self.isolates = self.trait(TRAIT_ISOLATED) < parameters.isolated_share
        answer = self.trait(TRAIT_ANSWER)
        self.tops_up = answer < parameters.top_up_share
        self.reduces = ~self.tops_up & (answer < parameters.top_up_share + parameters.reduce_share)
        self.columns = {
            "leverage": np.ones(self.n),  # of the running or the last position
            "adds": np.zeros(self.n, dtype=np.int64),  # to the running position
            "looked": np.zeros(self.n, dtype=np.int64),  # 1 after the first waking
            "opening_equity_atoms": deposit,
            "reserve_atoms": (deposit * parameters.reserve_ratio).astype(np.int64),
        }

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return what the few who act want; most wakers look and do nothing."""
        parameters = self.parameters
        accounts, market = self.rows[wakers], self.pick_market(view, wakers)
        choice, towards = self.uniforms(Stream.CHOICE, wakers, 2)
        lots = view.lots(accounts, market)
        holds, called = lots != 0, view.called(accounts)

        before = self.columns["opening_equity_atoms"][wakers]
        ruined = view.equity_atoms(accounts) < parameters.ruin_share * before
        eager = parameters.open_share * np.where(ruined, parameters.return_share, 1.0)
        eager = np.where(self.columns["looked"][wakers] == 0, parameters.start_share, eager)
        self.columns["looked"][wakers] = 1
        opens = ~holds & ~called & (choice < eager)
        closes = holds & ~called & (choice < parameters.close_share)
        entry = view.average_entry_ticks(accounts, market)
        gain_ppm = (view.mark_ticks[market] - entry) * np.sign(lots) * 1e6
        adds = holds & ~called & ~closes & (gain_ppm >= parameters.add_step_ppm * entry)
        adds &= self.columns["adds"][wakers] < parameters.adds_max
        # A stop or take-profit that has lost its position would hit the next one.
        tidies = (closes | ~holds) & (view.open_orders(accounts) > 0)

        parts = [self.cancel_all(wakers[tidies], market[tidies])] if tidies.any() else []
        if called.any():
            parts.append(self._answer_call(view, wakers[called], market[called]))
        if closes.any():
            side, size = -np.sign(lots[closes]), np.abs(lots[closes])
            parts.append(self.market(wakers[closes], market[closes], side, size, reduce_only=True))
        if opens.any():
            parts.append(self._open(view, wakers[opens], market[opens], towards[opens]))
        if adds.any():
            parts.append(self._add(view, wakers[adds], market[adds]))
        return join(*parts)

    def _open(self, view: View, wakers: Ints, market: Ints, towards: Floats) -> Commands:
        parameters = self.parameters
        accounts = self.rows[wakers]
        chosen = np.maximum(self.menu(self.uniform(Stream.LEVERAGE, wakers)) / self.caution[wakers], 1.0)
        was_isolated = view.isolated(accounts, market)
        isolated = was_isolated | (self.isolates[wakers] & view.isolated_allowed)
        stake = self._stake(wakers, isolated)
        leverage = chosen * stake

        mark = view.mark_ticks[market]
        before = view.mark_before_ticks(int(parameters.herd_horizon_s / view.dt_s), market)
        herd = within(-HERD_MAX, parameters.herd_share * 100.0 * (mark - before) / before, HERD_MAX)
        side = np.where(towards < parameters.long_share + herd, 1, -1)
        limits = self.limits(view, accounts, market, leverage)
        wanted = np.minimum(limits.room_lots(side), np.ceil(limits.lots * parameters.first_share))
        lots = self._executable(view, market, side, wanted, limits)
        opens = lots > 0
        self.columns["leverage"][wakers[opens]] = leverage[opens]
        self.columns["adds"][wakers[opens]] = 0
        self.columns["opening_equity_atoms"][wakers[opens]] = limits.at.equity_atoms[opens]

        sets_up = isolated & opens
        return join(
            self._isolate(wakers[sets_up], market[sets_up], was_isolated[sets_up], chosen[sets_up]),
            self.market(wakers, market, side, lots),
            self._protect(view, wakers, market, side, lots, limits.at.equity_atoms * stake),
        )

    def _add(self, view: View, wakers: Ints, market: Ints) -> Commands:
        accounts = self.rows[wakers]
        limits = self.limits(view, accounts, market, self.columns["leverage"][wakers])
        held, side = np.abs(limits.at.lots), np.sign(limits.at.lots)
        wanted = np.ceil(limits.room_lots(side) * self.parameters.add_share)
        isolated = view.isolated(accounts, market)
        stake = self._stake(wakers, isolated)
        if isolated.any():
            # The profit in a pocket is equity, but only what is outside it can margin more.
            outside = np.maximum(view.free_collateral_atoms(accounts), 0) * MARGIN_USED_MAX
            payable = outside * self.columns["leverage"][wakers] / (stake * limits.at.lot_atoms)
            wanted = np.where(isolated, np.minimum(wanted, payable), wanted)
        more = self._executable(view, market, side, wanted, limits)
        more = np.where(more * SMALLEST_ADD >= held, more, 0)
        after = np.where(more > 0, held + more, 0)
        margin_atoms = limits.at.equity_atoms * stake
        self.columns["adds"][wakers] += more > 0
        renews = (more > 0) & (view.open_orders(accounts) > 0)
        return join(
            self.cancel_all(wakers[renews], market[renews]),
            self.market(wakers, market, side, more),
            self._protect(view, wakers, market, side, after, margin_atoms),
        )

    def _answer_call(self, view: View, wakers: Ints, market: Ints) -> Commands:
        accounts = self.rows[wakers]
        lots = view.lots(accounts, market)
        halves = np.where(self.reduces[wakers], -(-np.abs(lots) // 2), 0)
        reducing = self.market(wakers, market, -np.sign(lots), halves, reduce_only=True)

        # A pocket is filled from the cross unit, the cross unit from outside.
        isolated = view.isolated(accounts, market) & (lots != 0)
        free = np.maximum(view.free_collateral_atoms(accounts), 0)
        need = view.maintenance_atoms(accounts) * self.parameters.top_up_ratio - view.equity_atoms(accounts)
        reserve = self.columns["reserve_atoms"][wakers]
        amount = np.where(isolated, free // 2, np.minimum(reserve, np.ceil(need).astype(np.int64)))
        pays = self.tops_up[wakers] & (amount > 0)
        self.columns["reserve_atoms"][wakers] = np.where(pays & ~isolated, reserve - amount, reserve)
        paying = batch(
            int(pays.sum()),
            account=accounts[pays],
            market=market[pays],
            kind=np.where(isolated[pays], Kind.MOVE_MARGIN, Kind.DEPOSIT),
            amount=amount[pays],
        )
        return join(reducing, paying)

    def _isolate(self, wakers: Ints, market: Ints, already: Bools, leverage: Floats) -> Commands:
        """Return the choice of isolated margin, where it is not made already, and of leverage."""
        accounts, count = self.rows[wakers], len(wakers)
        mode = batch(count, account=accounts, market=market, kind=Kind.SET_MODE, amount=1)
        rate_ppm = np.minimum(np.ceil(PPM / leverage), PPM)
        rate = batch(count, account=accounts, market=market, kind=Kind.SET_LEVERAGE, amount=rate_ppm)
        return join(mode[~already], rate)

    def _executable(self, view: View, market: Ints, side: Ints, lots: Floats, limits: Limits) -> Ints:
        """Return the lots of market orders: at most `order_quote_max`, none if the other side is empty."""
        largest = np.maximum(self.parameters.order_quote_max * PPM / limits.at.lot_atoms, 1.0)
        opposite = np.where(side > 0, view.ask_ticks[market], view.bid_ticks[market])
        return np.where(opposite > 0, np.minimum(lots, largest), 0.0).astype(np.int64)

    def _stake(self, wakers: Ints, isolated: Bools) -> Floats:
        """Return the share of equity behind a full position: all of it, unless the market is isolated."""
        pocket = np.where(self.isolates[wakers], self.parameters.isolated_stake, MARGIN_USED_MAX)
        return np.where(isolated, pocket, 1.0)

    def _protect(
        self, view: View, wakers: Ints, market: Ints, side: Ints, lots: Ints, margin_atoms: Floats
    ) -> Commands:
        """Return stop-losses and take-profits for positions of `lots`, at distances set by their margin."""
        parameters = self.parameters
        mark = view.mark_ticks[market]
        value = np.maximum(lots * view.lot_atoms[market], 1)
        margin = within(0.0, margin_atoms / value, DISTANCE_MAX)
        low, high = self.uniforms(Stream.STOP, wakers, 2)
        loss = margin * (parameters.stop_min + (parameters.stop_max - parameters.stop_min) * low)
        gain = margin * (parameters.profit_min + (parameters.profit_max - parameters.profit_min) * high)
        stop = np.rint(mark * (1.0 - side * loss)).astype(np.int64)
        goal = np.rint(mark * (1.0 + side * np.minimum(gain, DISTANCE_MAX))).astype(np.int64)
        highest = view.price_max_ticks[market] - 1
        stop, goal = np.minimum(stop, highest), np.minimum(goal, highest)
        return join(
            self.stop(wakers, market, -side, np.where(self.sets_stop[wakers], lots, 0), stop),
            self.take_profit(wakers, market, -side, np.where(self.takes_profit[wakers], lots, 0), goal),
        )
