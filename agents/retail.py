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

from delever.engine.commands import FLAG_REDUCE_ONLY, Kind
from delever.engine.contract import entry_ticks
from delever.engine.kernel import kernel
from delever.engine.rules.base import PPM
from delever.engine.tables import (
    A_ORDERS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    P_COST_ATOMS,
    P_ISOLATED,
    P_LOTS,
    V_ISOLATED_ALLOWED,
    Table,
    Tables,
)

from .account import (
    MARGIN_USED_MAX,
    account_equity_atoms,
    account_free_atoms,
    account_maintenance_atoms,
    is_called,
    largest_lots,
    lot_atoms,
    mark_before_ticks,
    opposite_ticks,
    position_row,
    room_lots,
)
from .cohort import Cohort, Commands, Floats
from .draw_kernels import Words, pick_market, uniform
from .draws import Stream
from .outbox import write_amount, write_cancel_all, write_market, write_stop, write_take_profit
from .parameters import CohortParameters, Numbers, Record
from .quantiles import element, menu
from .ranges import check_ranges
from .view import Ints, View

CHOICE, LEVERAGE, STOP = int(Stream.CHOICE), int(Stream.LEVERAGE), int(Stream.STOP)
DEPOSIT, MOVE_MARGIN = int(Kind.DEPOSIT), int(Kind.MOVE_MARGIN)
SET_LEVERAGE, SET_MODE = int(Kind.SET_LEVERAGE), int(Kind.SET_MODE)
# A cancellation, the choice of isolated margin and of leverage, an order, its stop-loss and its take-profit.
COMMANDS_MAX = 6

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

# What a trader is, for life. Whole numbers are 0 or 1.
CHARACTER = np.dtype(
    [
        ("caution", np.float64),
        ("sets_stop", np.int64),
        ("takes_profit", np.int64),
        ("isolates", np.int64),
        ("tops_up", np.int64),
        ("reduces", np.int64),
    ]
)
# What a trader remembers: leverage of the running or the last position, and how often it was added to; 1 after the
# first waking; equity at the last opening; money kept outside the venue.
MEMORY = np.dtype(
    [
        ("leverage", np.float64),
        ("adds", np.int64),
        ("looked", np.int64),
        ("opening_equity_atoms", np.int64),
        ("reserve_atoms", np.int64),
    ]
)


class RetailParameters(CohortParameters):
    """Leveraged retail traders."""

    mean_interval_s: float = Field(default=900.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=2_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    wealth_law: Literal["equal", "lognormal", "pareto", "measured"] = "pareto"
    """Distribution of it: everybody the median, lognormal, Pareto, or as measured on a venue (`agents/wealth.py`)."""
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
        check_ranges(self, ("stop_min", "stop_max"), ("profit_min", "profit_max"))
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
        self.menu = menu(parameters.leverages, parameters.leverage_weights).values
        deposit = self.initial_deposit_atoms()
        richer = np.maximum(deposit / (parameters.wealth_quote_median * PPM * self.units_per_quote), 1.0)
        answer = self.trait(TRAIT_ANSWER)
        self.character = np.zeros(self.n, dtype=CHARACTER)
        self.character["caution"] = np.sqrt(np.sqrt(richer))
        self.character["sets_stop"] = self.trait(TRAIT_STOP) < parameters.stop_share
        self.character["takes_profit"] = self.trait(TRAIT_PROFIT) < parameters.profit_share
        self.character["isolates"] = self.trait(TRAIT_ISOLATED) < parameters.isolated_share
        self.character["tops_up"] = answer < parameters.top_up_share
        self.character["reduces"] = (answer >= parameters.top_up_share) & (
            answer < parameters.top_up_share + parameters.reduce_share
        )
        memory = np.zeros(self.n, dtype=MEMORY)
        memory["leverage"] = 1.0
        memory["opening_equity_atoms"] = deposit
        memory["reserve_atoms"] = (deposit * parameters.reserve_ratio).astype(np.int64)
        self.columns = {"memory": memory}

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return what the few who act want; most wakers look and do nothing."""
        out = self.outbox(len(wakers) * COMMANDS_MAX)
        return self.written(
            decide_retail(
                view.tables, self.numbers, self.menu, self.character, self.columns["memory"], view.mark_history,
                view.dt_s, self.roots, self.rows, self.keys, self.wakings, wakers, out,
            )
        )  # fmt: skip


@kernel
def decide_retail(
    t: Tables, numbers: Numbers, leverages: Floats, characters: Numbers, memories: Numbers, mark_history: Ints,
    dt_s: int, roots: Words, rows: Ints, keys: Ints, wakings: Ints, wakers: Ints, out: Table,
) -> int:  # fmt: skip
    """Write the commands of all wakers to `out` and return how many there are; modifies `memories`."""
    p = numbers[0]
    horizon_steps = int(p["herd_horizon_s"] / dt_s)
    row = 0
    for i in range(wakers.shape[0]):
        waker = wakers[i]
        account, key, waking = rows[waker], keys[waker], wakings[waker]
        character, memory = characters[waker], memories[waker]
        market = pick_market(t, roots, key, waking)
        choice = uniform(roots, CHOICE, key, waking, 0)
        lots = t.positions[position_row(t, account, market), P_LOTS]
        first_time = memory["looked"] == 0
        memory["looked"] = 1
        if is_called(t, account):
            # A stop or take-profit that has lost its position would hit the next one.
            row = row if lots != 0 else _tidy(t, account, market, out, row)
            row = _answer_call(t, p, character, memory, account, market, lots, out, row)
        elif lots == 0:
            row = _tidy(t, account, market, out, row)
            if choice < _eagerness(t, p, memory, account, first_time):
                before = mark_before_ticks(t, mark_history, horizon_steps, market)
                row = _open(t, p, leverages, character, memory, before, roots, account, market, key, waking, out, row)
        elif choice < p["close_share"]:
            row = _tidy(t, account, market, out, row)
            row = write_market(out, row, account, market, -1 if lots > 0 else 1, abs(lots), FLAG_REDUCE_ONLY)
        elif memory["adds"] < p["adds_max"] and _gains(t, p, account, market, lots):
            row = _add(t, p, character, memory, roots, account, market, key, waking, out, row)
    return row


@kernel
def _tidy(t: Tables, account: int, market: int, out: Table, row: int) -> int:
    """Write the cancelling of what orders there are."""
    return write_cancel_all(out, row, account, market) if t.accounts[account, A_ORDERS] > 0 else row


@kernel
def _eagerness(t: Tables, p: Record, memory: Record, account: int, first_time: bool) -> float:
    """Return the probability of opening a position now."""
    if first_time:
        return p["start_share"]
    ruined = account_equity_atoms(t, account) < p["ruin_share"] * memory["opening_equity_atoms"]
    return p["open_share"] * (p["return_share"] if ruined else 1.0)


@kernel
def _gains(t: Tables, p: Record, account: int, market: int, lots: int) -> bool:
    """Say whether the mark is far enough on the right side of the average entry to add to the position."""
    row = position_row(t, account, market)
    entry = entry_ticks(t, market, lots, t.positions[row, P_COST_ATOMS])
    gain_ppm = (t.markets[market, M_MARK_TICKS] - entry) * (1 if lots > 0 else -1) * 1e6
    return gain_ppm >= p["add_step_ppm"] * entry


@kernel
def _open(
    t: Tables, p: Record, leverages: Floats, character: Record, memory: Record, before_ticks: int, roots: Words,
    account: int, market: int, key: int, waking: int, out: Table, row: int,
) -> int:  # fmt: skip
    """Write the opening of a position: the choice of margin, the order, its protection."""
    chosen = max(element(leverages, uniform(roots, LEVERAGE, key, waking, 0)) / character["caution"], 1.0)
    was_isolated = t.positions[position_row(t, account, market), P_ISOLATED] != 0
    isolated = was_isolated or (character["isolates"] != 0 and t.venue[V_ISOLATED_ALLOWED] != 0)
    stake = _stake(p, character, isolated)
    leverage = chosen * stake

    move = t.markets[market, M_MARK_TICKS] - before_ticks
    herd = min(max(-HERD_MAX, p["herd_share"] * 100.0 * move / before_ticks), HERD_MAX)
    side = 1 if uniform(roots, CHOICE, key, waking, 1) < p["long_share"] + herd else -1
    largest = largest_lots(t, account, market, leverage)
    wanted = min(float(room_lots(t, account, market, side, largest)), np.ceil(largest * p["first_share"]))
    lots = _executable_lots(t, p, market, side, wanted)
    if lots == 0:
        return row
    equity = account_equity_atoms(t, account)
    memory["leverage"] = leverage
    memory["adds"] = 0
    memory["opening_equity_atoms"] = equity
    if isolated:
        if not was_isolated:
            row = write_amount(out, row, account, market, SET_MODE, 1)
        row = write_amount(out, row, account, market, SET_LEVERAGE, int(min(np.ceil(PPM / chosen), float(PPM))))
    row = write_market(out, row, account, market, side, lots, 0)
    return _protect(t, p, character, roots, account, market, key, waking, side, lots, equity * stake, out, row)


@kernel
def _add(
    t: Tables, p: Record, character: Record, memory: Record, roots: Words, account: int, market: int, key: int,
    waking: int, out: Table, row: int,
) -> int:  # fmt: skip
    """Write an order that adds to a winning position, and new protection for the whole."""
    place = position_row(t, account, market)
    held, side = abs(t.positions[place, P_LOTS]), 1 if t.positions[place, P_LOTS] > 0 else -1
    isolated = t.positions[place, P_ISOLATED] != 0
    stake = _stake(p, character, isolated)
    largest = largest_lots(t, account, market, memory["leverage"])
    wanted = np.ceil(room_lots(t, account, market, side, largest) * p["add_share"])
    if isolated:
        # The profit in a pocket is equity, but only what is outside it can margin more.
        outside = max(account_free_atoms(t, account), 0) * MARGIN_USED_MAX
        wanted = min(wanted, outside * memory["leverage"] / (stake * lot_atoms(t, market)))
    more = _executable_lots(t, p, market, side, wanted)
    if more == 0 or more * SMALLEST_ADD < held:
        return row
    memory["adds"] += 1
    row = _tidy(t, account, market, out, row)
    row = write_market(out, row, account, market, side, more, 0)
    margin = account_equity_atoms(t, account) * stake
    return _protect(t, p, character, roots, account, market, key, waking, side, held + more, margin, out, row)


@kernel
def _answer_call(
    t: Tables, p: Record, character: Record, memory: Record, account: int, market: int, lots: int, out: Table,
    row: int,
) -> int:  # fmt: skip
    """Write what the trader does about a margin call: halve the position, or pay, or nothing."""
    if character["reduces"]:
        return write_market(out, row, account, market, -1 if lots > 0 else 1, (abs(lots) + 1) // 2, FLAG_REDUCE_ONLY)
    if not character["tops_up"]:
        return row
    # A pocket is filled from the cross unit, the cross unit from outside.
    if lots != 0 and t.positions[position_row(t, account, market), P_ISOLATED]:
        amount = max(account_free_atoms(t, account), 0) // 2
        return write_amount(out, row, account, market, MOVE_MARGIN, amount) if amount > 0 else row
    need = account_maintenance_atoms(t, account) * p["top_up_ratio"] - account_equity_atoms(t, account)
    amount = min(memory["reserve_atoms"], int(np.ceil(need)))
    if amount <= 0:
        return row
    memory["reserve_atoms"] -= amount
    return write_amount(out, row, account, market, DEPOSIT, amount)


@kernel
def _executable_lots(t: Tables, p: Record, market: int, side: int, lots: float) -> int:
    """Return the lots of a market order: at most `order_quote_max`, none if the other side is empty."""
    opposite = opposite_ticks(t, market, side)
    largest = max(p["order_quote_max"] * PPM / lot_atoms(t, market), 1.0)
    return int(min(lots, largest)) if opposite > 0 else 0


@kernel
def _stake(p: Record, character: Record, isolated: bool) -> float:
    """Return the share of equity behind a full position: all of it, unless the market is isolated."""
    if not isolated:
        return 1.0
    return p["isolated_stake"] if character["isolates"] else MARGIN_USED_MAX


@kernel
def _protect(
    t: Tables, p: Record, character: Record, roots: Words, account: int, market: int, key: int, waking: int,
    side: int, lots: int, margin_atoms: float, out: Table, row: int,
) -> int:  # fmt: skip
    """Write a stop-loss and a take-profit for a position of `lots`, at distances set by its margin."""
    mark, highest = t.markets[market, M_MARK_TICKS], t.markets[market, M_PRICE_MAX_TICKS] - 1
    margin = min(max(0.0, margin_atoms / max(lots * lot_atoms(t, market), 1)), DISTANCE_MAX)
    if character["sets_stop"]:
        low = uniform(roots, STOP, key, waking, 0)
        loss = margin * (p["stop_min"] + (p["stop_max"] - p["stop_min"]) * low)
        trigger = min(int(np.rint(mark * (1.0 - side * loss))), highest)
        row = write_stop(out, row, account, market, -side, lots, trigger)
    if character["takes_profit"]:
        high = uniform(roots, STOP, key, waking, 1)
        gain = margin * (p["profit_min"] + (p["profit_max"] - p["profit_min"]) * high)
        trigger = min(int(np.rint(mark * (1.0 + side * min(gain, DISTANCE_MAX)))), highest)
        row = write_take_profit(out, row, account, market, -side, lots, trigger)
    return row
