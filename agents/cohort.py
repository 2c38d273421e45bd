"""The base of all traders: n traders of one behaviour, held as columns by one Mesa agent.

A behaviour is a subclass with one method, `decide(view, wakers) -> commands`, for all traders that wake in a
step at once. It reads the view, draws by key, keeps what it must remember in `columns`, and returns commands
made with the helpers below; whatever else happens is the venue's business.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.engine.commands import (
    C_LOTS,
    COMMAND_COLUMNS,
    FLAG_BY_MARK,
    FLAG_IOC,
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    Kind,
    batch,
)
from delever.engine.rules.base import ATOMS_PER_QUOTE, PPM

from . import draws
from .account import MARGIN_USED_MAX
from .draw_kernels import DRAW_STRIDE, MARKET_DRAW, Words, stream_roots
from .draws import Stream
from .elementary import exp, log, normal_quantile
from .parameters import CohortParameters, Numbers
from .view import IntegerOrColumn, Ints, Standing, View
from .wallet import Wallets
from .wealth import measured_ratios

# Mesa 3.3 sets the start method of all processes when it is imported; who imports delever keeps their own.
_START_METHOD = multiprocessing.get_start_method(allow_none=True)
import mesa  # noqa: E402

multiprocessing.set_start_method(_START_METHOD, force=True)

Commands = NDArray[np.int64]
Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]
NumberOrColumn = float | Ints | Floats

NO_COMMANDS: Commands = np.zeros((0, COMMAND_COLUMNS), dtype=np.int64)
NO_COMMANDS.setflags(write=False)


def join(*parts: Commands) -> Commands:
    """Return the commands of all `parts` in this order."""
    filled = [part for part in parts if len(part)]
    if len(filled) == 1:
        return filled[0]
    return np.concatenate(filled) if filled else NO_COMMANDS.copy()


class Cohort(mesa.Agent):
    """n traders of one behaviour; subclass it, write `decide`.

    `rows` are their account rows, `keys` their label-free identities, both int64 (n,). `wakings` counts how
    often each has woken; the world raises it, and draws are keyed by it. What a trader remembers is a column
    of `columns`: an array whose first axis has length n. The number of wakings never depends on what happens.
    `accounts` holds the rows at each venue of the cohort, one (n,) after the other; `rows` is the first of them.
    """

    Parameters: ClassVar[type[CohortParameters]] = CohortParameters
    """Class of the parameters of this behaviour."""

    def __init__(
        self,
        model: mesa.Model,
        name: str,
        rows: Ints,
        keys: Ints,
        seed: int,
        parameters: CohortParameters | None = None,
    ) -> None:
        """Hold the traders of account rows `rows`; without `parameters` the behaviour's own defaults."""
        super().__init__(model)
        if parameters is None:
            parameters = self.Parameters()
        if not isinstance(parameters, self.Parameters):
            given, wanted = type(parameters).__name__, self.Parameters.__name__
            raise TypeError(f"cohort {name!r} of kind {type(self).__name__} needs {wanted} (got {given})")
        if len(rows) != len(keys):
            raise ValueError(f"cohort {name!r}: {len(rows)} rows but {len(keys)} keys")
        self.name = name
        self.rows = np.asarray(rows, dtype=np.int64)
        self.keys = np.asarray(keys, dtype=np.int64)
        self.n = len(self.rows)
        self.accounts: tuple[Ints, ...] = (self.rows,) * len(parameters.venues)
        self.seed = seed
        self.parameters = parameters
        self.mean_interval_s = parameters.mean_interval_s
        self.wakings = np.zeros(self.n, dtype=np.int64)
        self.columns: Columns = {}
        self._out = NO_COMMANDS.copy()
        self.prepare()
        self._wallets = None if parameters.wallet is None else Wallets(self, parameters.wallet)

    def prepare(self) -> None:
        """Make the columns and tables of the behaviour; called once, by the constructor."""

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return the commands of the traders awake now, int64 (k, COMMAND_COLUMNS).

        `wakers` are indices 0..n-1, each at most once. The commands of one trader keep their order.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method decide(self, view, wakers)")

    def act(self, view: View, wakers: Ints) -> Commands:
        """Return all commands of the traders awake now: what their wallets send, then what the behaviour decides."""
        if self._wallets is None:
            return self.decide(view, wakers)
        money, stay = self._wallets.act(self, view, wakers)
        commands = join(money, self.decide(view, stay)) if len(stay) else money
        self._wallets.remember(self, view, wakers, commands)
        return commands

    def decide_at(self, views: Sequence[View], wakers: Ints) -> tuple[Commands, ...]:
        """Return the commands for each venue of the cohort; `views` are of the same venues.

        Behaviours with one account write `decide`; those with several override this (see `pair`).
        """
        return (self.act(views[0], wakers),)

    def deposits_atoms(self, seat: int) -> Ints:
        """Return what each trader deposits at the start at the venue in place `seat` of its venues, int64 (n,)."""
        assert seat == 0, "a behaviour with several accounts says how money is shared between them"
        return self.initial_deposit_atoms()

    def initial_deposit_atoms(self) -> Ints:
        """Return what each trader deposits at the start in atoms of the venue's money, int64 (n,), at least 1."""
        parameters = self.parameters
        median = parameters.wealth_quote_median
        if parameters.wealth_law == "equal":
            quote = np.full(self.n, median)
        elif parameters.wealth_law == "lognormal":
            quote = median * exp(normal_quantile(self._wealth_levels()) * parameters.wealth_tail)
        elif parameters.wealth_law == "measured":
            quote = median * measured_ratios(self._wealth_levels())
        else:
            rank = 2.0 * (1.0 - self._wealth_levels())
            quote = median * exp(-log(rank) / parameters.wealth_tail)
        quote = np.minimum(quote, median * parameters.wealth_ratio_max)
        return np.maximum(quote * self.units_per_quote * ATOMS_PER_QUOTE, 1.0).astype(np.int64)

    def _wealth_levels(self) -> Floats:
        """Return where in the law of wealth each trader stands, numbers in (0, 1), shape (n,)."""
        drawn = draws.uniform(self.seed, Stream.WEALTH, self.keys, 0)
        if self.parameters.wealth_draw == "each":
            return drawn
        levels = np.empty(self.n)
        levels[np.argsort(drawn, kind="stable")] = (np.arange(self.n) + 0.5) / self.n
        return levels

    def snapshot(self) -> Columns:
        """Return a copy of all state: every column, and `wakings`."""
        return {
            "wakings": self.wakings.copy(),
            **{name: column.copy() for name, column in self.columns.items()},
        }

    def restore(self, snapshot: Columns) -> None:
        """Take over a copy of the state in `snapshot`."""
        self.wakings[:] = snapshot["wakings"]
        self.columns = {name: column.copy() for name, column in snapshot.items() if name != "wakings"}

    # Draws. Keyed by (seed, stream, key of the trader, waking number) and by `draw`, the number of the draw.

    def uniform(self, stream: int, wakers: Ints, draw: int = 0) -> Floats:
        """Return one uniform number in (0, 1) for each waker."""
        return draws.uniform(self.seed, stream, self.keys[wakers], self._occasion(wakers, draw))

    def uniforms(self, stream: int, wakers: Ints, count: int) -> Floats:
        """Return draws 0..count-1 of each waker as (count, wakers): quicker than calling `uniform` often."""
        occasions = self.wakings[wakers] + (np.arange(count) * DRAW_STRIDE)[:, np.newaxis]
        return draws.uniform(self.seed, stream, self.keys[wakers], occasions)

    def normal(self, stream: int, wakers: Ints, draw: int = 0) -> Floats:
        """Return one standard normal number for each waker."""
        return draws.normal(self.seed, stream, self.keys[wakers], self._occasion(wakers, draw))

    def exponential(self, stream: int, wakers: Ints, draw: int = 0) -> Floats:
        """Return one exponential number of mean 1 for each waker."""
        return draws.exponential(self.seed, stream, self.keys[wakers], self._occasion(wakers, draw))

    def trait(self, number: int) -> Floats:
        """Return one uniform number in (0, 1) for each of the n traders, fixed for life."""
        return draws.uniform(self.seed, Stream.TYPE, self.keys, number)

    def pick_market(self, view: View, wakers: Ints) -> Ints:
        """Return the market each waker looks at this time: each market equally likely."""
        if view.markets == 1:
            return np.zeros(len(wakers), dtype=np.int64)
        return (self.uniform(Stream.CHOICE, wakers, MARKET_DRAW) * view.markets).astype(np.int64)

    def _occasion(self, wakers: Ints, draw: int) -> Ints:
        return self.wakings[wakers] + draw * DRAW_STRIDE

    # For behaviours whose `decide` is a kernel.

    @cached_property
    def numbers(self) -> Numbers:
        """The single numbers of `parameters`, as kernels read them; amounts in the venue's units of account."""
        record = self.parameters.record()
        for name in record.dtype.names or ():
            if "_quote_" in name:
                record[name] *= self.units_per_quote
        return record

    @cached_property
    def units_per_quote(self) -> float:
        """How many units of account of the venue one quote unit is: 1, unless contracts are settled in a coin."""
        told = getattr(self.model, "units_per_quote_at", None)
        return 1.0 if told is None else float(told(self.parameters.venue))

    @cached_property
    def roots(self) -> Words:
        """What kernels draw from: see `draw_kernels`."""
        return stream_roots(self.seed)

    def outbox(self, rows: int) -> Commands:
        """Return a batch with room for so many commands, to write to; the next call may return the same."""
        if len(self._out) < rows:
            self._out = np.zeros((2 * rows, COMMAND_COLUMNS), dtype=np.int64)
        return self._out

    def written(self, count: int) -> Commands:
        """Return a copy of the first `count` commands of the outbox."""
        return self._out[:count].copy()

    # Sizes.

    def limits(self, view: View, accounts: Ints, market: Ints, leverage: NumberOrColumn) -> Limits:
        """Return the largest position each account may build in its market, and where it stands now.

        The value of all its positions stays within `leverage` times equity, and the initial margin the venue
        asks for within nine tenths of equity, whatever the venue's largest leverage is.
        """
        at = view.standing(accounts, market)
        equity = np.maximum(at.equity_atoms, 0).astype(np.float64)
        value: Floats = leverage * equity
        margin = MARGIN_USED_MAX * equity
        if view.markets > 1:
            value_elsewhere, margin_elsewhere = _elsewhere(view, accounts, market, at)
            value, margin = value - value_elsewhere, margin - margin_elsewhere
        value = np.maximum(value, 0.0)
        affordable = np.maximum(margin, 0.0) * PPM / view.initial_ppm_at(market, value.astype(np.int64))
        lots = (np.minimum(value, affordable) / at.lot_atoms).astype(np.int64)
        return Limits(at, np.minimum(lots, view.lots_max))

    def room_lots(
        self, view: View, wakers: Ints, market: Ints, side: IntegerOrColumn, leverage: NumberOrColumn = 1.0
    ) -> Ints:
        """Return how many lots each waker may still buy (side +1) or sell (-1) within `limits`, resting
        orders counted.

        Lots that only reduce a position are always included.
        """
        return self.limits(view, self.rows[wakers], market, leverage).room_lots(side)

    # Commands. An argument is one value for all wakers, or one for each; fractions are cut off. Orders of no
    # lots are left out.

    def limit(
        self,
        wakers: Ints,
        market: IntegerOrColumn,
        side: IntegerOrColumn,
        lots: NumberOrColumn,
        price_ticks: NumberOrColumn,
        *,
        ioc: bool = False,
        post_only: bool = False,
        reduce_only: bool = False,
        tag: IntegerOrColumn = 0,
        seat: int = 0,
    ) -> Commands:
        """Return limit orders, for the venue in place `seat` of the cohort's venues."""
        flags = ioc * FLAG_IOC + post_only * FLAG_POST_ONLY + reduce_only * FLAG_REDUCE_ONLY
        return self._orders(wakers, Kind.LIMIT, market, side, lots, flags, price_ticks=price_ticks, tag=tag, seat=seat)

    def market(
        self,
        wakers: Ints,
        market: IntegerOrColumn,
        side: IntegerOrColumn,
        lots: NumberOrColumn,
        *,
        reduce_only: bool = False,
        seat: int = 0,
    ) -> Commands:
        """Return market orders, for the venue in place `seat` of the cohort's venues."""
        return self._orders(wakers, Kind.MARKET, market, side, lots, reduce_only * FLAG_REDUCE_ONLY, seat=seat)

    def stop(
        self,
        wakers: Ints,
        market: IntegerOrColumn,
        side: IntegerOrColumn,
        lots: NumberOrColumn,
        trigger_ticks: NumberOrColumn,
    ) -> Commands:
        """Return stop-losses: reduce-only market orders that wait for the mark to go against the position."""
        flags = FLAG_BY_MARK | FLAG_REDUCE_ONLY
        return self._orders(wakers, Kind.STOP, market, side, lots, flags, trigger_ticks=trigger_ticks)

    def take_profit(
        self,
        wakers: Ints,
        market: IntegerOrColumn,
        side: IntegerOrColumn,
        lots: NumberOrColumn,
        trigger_ticks: NumberOrColumn,
    ) -> Commands:
        """Return take-profits: reduce-only market orders that wait for the mark to go the position's way."""
        flags = FLAG_BY_MARK | FLAG_REDUCE_ONLY
        return self._orders(wakers, Kind.TAKE_PROFIT, market, side, lots, flags, trigger_ticks=trigger_ticks)

    def cancel_all(self, wakers: Ints, market: IntegerOrColumn) -> Commands:
        """Return the cancelling of all resting and waiting orders in a market."""
        return batch(len(wakers), account=self.rows[wakers], kind=Kind.CANCEL_ALL, market=market)

    def deposit(self, wakers: Ints, amount_atoms: IntegerOrColumn) -> Commands:
        """Return deposits into the cross unit."""
        return batch(len(wakers), account=self.rows[wakers], kind=Kind.DEPOSIT, amount=amount_atoms)

    def withdraw(self, wakers: Ints, amount_atoms: Ints, *, seat: int = 0) -> Commands:
        """Return withdrawals from the cross unit at a venue; those of nothing are left out.

        What a trader with accounts at two venues takes out of one arrives at the other (see `pair`).
        """
        rows = self.accounts[seat][wakers]
        commands = batch(len(wakers), account=rows, kind=Kind.WITHDRAW, amount=amount_atoms)
        return commands[amount_atoms > 0]

    def use_cross(self, wakers: Ints, market: Ints, at: Standing) -> Commands:
        """Return the choice of cross margin for those whose market is isolated and who have nothing in it
        yet.

        A trader who borrows little is not to be liquidated because a pocket holds no more than the least
        margin.
        """
        if not at.isolated.any():
            return NO_COMMANDS
        switches = at.isolated & (at.lots == 0) & (at.bids_lots == 0) & (at.asks_lots == 0)
        rows = self.rows[wakers[switches]]
        return batch(len(rows), account=rows, market=market[switches], kind=Kind.SET_MODE, amount=0)

    def _orders(
        self,
        wakers: Ints,
        kind: Kind,
        market: IntegerOrColumn,
        side: IntegerOrColumn,
        lots: NumberOrColumn,
        flags: IntegerOrColumn,
        *,
        price_ticks: NumberOrColumn = 0,
        trigger_ticks: NumberOrColumn = 0,
        tag: IntegerOrColumn = 0,
        seat: int = 0,
    ) -> Commands:
        commands = batch(
            len(wakers),
            account=self.accounts[seat][wakers],
            kind=kind,
            market=market,
            side=side,
            lots=_whole(lots),
            flags=flags,
            price_ticks=_whole(price_ticks),
            trigger_ticks=_whole(trigger_ticks),
            tag=tag,
        )
        return commands[commands[:, C_LOTS] > 0]


def _whole(value: NumberOrColumn) -> Ints:
    return np.asarray(value, dtype=np.int64)


def within(low: NumberOrColumn, value: NumberOrColumn, high: NumberOrColumn) -> Floats:
    """Return `value`, or the bound that it is beyond; quicker than numpy.clip."""
    return np.minimum(np.maximum(value, low), high)


class Limits(NamedTuple):
    """Largest position of each account in its market, in lots, and where the account stands."""

    at: Standing
    lots: Ints

    def room_lots(self, side: IntegerOrColumn) -> Ints:
        """Return how many lots may still be bought (side +1) or sold (-1), resting orders counted."""
        resting = np.where(np.asarray(side) > 0, self.at.bids_lots, self.at.asks_lots)
        return np.maximum(self.lots - side * self.at.lots - resting, 0)


def _elsewhere(view: View, accounts: Ints, market: Ints, at: Standing) -> tuple[Ints, Ints]:
    """Return value and initial margin of each account in the markets it is not looking at, in atoms."""
    here: Ints = np.abs(at.lots) * at.lot_atoms
    margin = np.zeros(len(accounts), dtype=np.int64)
    for each in range(view.markets):
        margin += np.where(market == each, 0, view.initial_atoms(accounts, each))
    return view.value_atoms(accounts) - here, margin
