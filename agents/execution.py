"""Execution of large orders over time (meta-orders): by the clock, by volume, by participation, or to a risk.

A trader that has something large to do splits it into children that never reach far into the book. The number of
children follows a power law: from that alone signs of market orders have a long memory. Lillo, Mike and Farmer, "Theory
for long memory in supply and demand", Physical Review E 71 (2005): sizes of exponent a give an autocorrelation that
decays as lag^-(a - 1).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from delever.engine.commands import FLAG_IOC
from delever.engine.kernel import kernel
from delever.engine.tables import M_PRICE_MAX_TICKS, M_VOLUME_LOTS, P_LOTS, Table, Tables

from .account import (
    account_equity_atoms,
    fullness,
    is_called,
    largest_lots,
    lot_atoms,
    opposite_ticks,
    position_row,
    room_lots,
)
from .cohort import Cohort, Commands, Floats
from .draw_kernels import Words, pick_market, uniform
from .draws import Stream
from .elementary import exp
from .outbox import write_limit, write_use_cross
from .parameters import CohortParameters, Numbers, Record
from .quantiles import VALUES, element, power_law
from .view import Ints, View

CHOICE, SIDE, SIZE = int(Stream.CHOICE), int(Stream.SIDE), int(Stream.SIZE)
COMMANDS_MAX = 2

# What a trader works on, and what it finished last; steps are those of decisions, lots of a task are above 0.
TASK = np.dtype(
    [
        ("side", np.int64),  # 1 buys, -1 sells, 0 works on nothing
        ("market", np.int64),
        ("lots", np.int64),
        ("begun_step", np.int64),
        ("steps", np.int64),  # it should last
        ("held_lots", np.int64),  # position when it began
        ("volume_lots", np.int64),  # traded in the market when it began
        ("finished", np.int64),  # how many, so far
        ("last_side", np.int64),
        ("last_market", np.int64),
        ("last_lots", np.int64),  # traded of it
        ("last_begun_step", np.int64),
        ("last_ended_step", np.int64),
    ]
)


class ExecutionParameters(CohortParameters):
    """Traders who work large orders."""

    mean_interval_s: float = Field(default=20.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds: between two children while it works."""
    wealth_quote_median: float = Field(default=500_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    style: Literal["twap", "vwap", "participation", "almgren_chriss"] = "twap"
    """Evenly over time; along `volume_profile`; a share of all volume, its own included; or early, against risk."""
    idle_s: float = Field(default=1_800.0, gt=0.0, le=1e9)
    """Mean time between the end of one large order and the beginning of the next."""
    child_share: float = Field(default=0.002, gt=0.0, le=1.0)
    """Value of a child as a share of equity; a large order lasts as many mean intervals as it has children."""
    children_min: float = Field(default=5.0, ge=1.0, le=1e6)
    """Least number of children, ..."""
    children_tail: float = Field(default=1.5, gt=0.0, le=100.0)
    """... and exponent of its power law (1.5: Gabaix, Gopikrishnan, Plerou and Stanley 2003)."""
    children_max: float = Field(default=1_000.0, ge=1.0, le=1e6)
    """No more than so many."""
    reach_ticks: int = Field(default=0, ge=0, le=1_000_000)
    """A child trades up to so many ticks beyond the best price; what it does not find waits for the next."""
    participation: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Share of all volume that a trader of that style wants to be."""
    urgency: float = Field(default=2.0, gt=0.0, le=100.0)
    """Of that style, kappa T: how much of the order is done early (Almgren and Chriss 2001)."""
    volume_profile: tuple[float, ...] = (1.0,)
    """Volume expected over the course of an order, in parts of equal length."""
    leverage: float = Field(default=1.0, gt=0.0, le=1000.0)
    """Largest position as a multiple of equity; the nearer it is, the likelier is an order back."""


class Execution(Cohort):
    """Works one large order at a time, in children that take what stands at the best price."""

    Parameters = ExecutionParameters
    parameters: ExecutionParameters

    def prepare(self) -> None:
        """Make the course of an order, the table of sizes and the memory."""
        parameters = self.parameters
        least, most = parameters.children_min, max(parameters.children_max, parameters.children_min)
        self.children = least + power_law(least, parameters.children_tail, most - least).values
        self.course = course(parameters)
        self.columns = {"task": np.zeros(self.n, dtype=TASK)}

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one child order for each waker."""
        out = self.outbox(len(wakers) * COMMANDS_MAX)
        return self.written(
            decide_execution(
                view.tables, self.numbers, self.children, self.course, self.parameters.style == "participation",
                self.columns["task"], view.step, view.dt_s, self.roots, self.rows, self.keys, self.wakings, wakers, out,
            )
        )  # fmt: skip


def course(parameters: ExecutionParameters) -> Floats:
    """Return the share of an order that should be done after each 1/1024 of its time, (1024,), rising to 1."""
    elapsed = (np.arange(VALUES, dtype=np.float64) + 1.0) / VALUES
    if parameters.style == "almgren_chriss":
        kappa = parameters.urgency
        left = (exp(kappa * (1.0 - elapsed)) - exp(-kappa * (1.0 - elapsed))) / (exp(kappa) - exp(-kappa))
        return 1.0 - left
    if parameters.style == "vwap":
        volume = np.asarray(parameters.volume_profile, dtype=np.float64)
        parts = np.arange(VALUES) * len(volume) // VALUES
        return np.cumsum(volume[parts]) / volume[parts].sum()
    return elapsed


@kernel
def decide_execution(
    t: Tables, numbers: Numbers, children: Floats, done_by: Floats, participates: bool, tasks: Table, step: int,
    dt_s: int, roots: Words, rows: Ints, keys: Ints, wakings: Ints, wakers: Ints, out: Table,
) -> int:  # fmt: skip
    """Write the commands of all wakers to `out` and return how many there are; modifies tasks."""
    p = numbers[0]
    row = 0
    for i in range(wakers.shape[0]):
        waker = wakers[i]
        account, key, waking = rows[waker], keys[waker], wakings[waker]
        task = tasks[waker]
        if task["side"] == 0:
            if uniform(roots, CHOICE, key, waking, 0) * p["idle_s"] < p["mean_interval_s"]:
                market = pick_market(t, roots, key, waking)
                row = write_use_cross(t, out, row, account, market)
                _begin(t, p, children, task, account, market, step, dt_s, roots, key, waking)
            continue
        row = _work(t, p, done_by, participates, task, account, step, out, row)
    return row


@kernel
def _begin(
    t: Tables, p: Record, children: Floats, task: Record, account: int, market: int, step: int, dt_s: int,
    roots: Words, key: int, waking: int,
) -> None:  # fmt: skip
    """Take on a new order, if there is room for one."""
    largest = largest_lots(t, account, market, p["leverage"])
    held = t.positions[position_row(t, account, market), P_LOTS]
    full = fullness(t, account, market, largest)
    side = 1 if uniform(roots, SIDE, key, waking, 0) < 0.5 - 0.5 * full else -1
    number = element(children, uniform(roots, SIZE, key, waking, 0))
    child = p["child_share"] * account_equity_atoms(t, account) / lot_atoms(t, market)
    lots = min(int(number * child), room_lots(t, account, market, side, largest))
    if lots <= 0:
        return
    task["side"], task["market"], task["lots"] = side, market, lots
    task["begun_step"], task["held_lots"] = step, held
    task["steps"] = max(1, int(number * p["mean_interval_s"] / dt_s))
    task["volume_lots"] = t.markets[market, M_VOLUME_LOTS]


@kernel
def _work(
    t: Tables, p: Record, done_by: Floats, participates: bool, task: Record, account: int, step: int, out: Table,
    row: int,
) -> int:  # fmt: skip
    """Write the next child of an order, or end it: when it is done, or has taken twice its time."""
    market, side = task["market"], task["side"]
    held = t.positions[position_row(t, account, market), P_LOTS]
    done = side * (held - task["held_lots"])
    elapsed = (step - task["begun_step"]) / task["steps"]
    if done >= task["lots"] or elapsed >= 2.0:
        task["finished"] += 1
        task["last_side"], task["last_market"], task["last_lots"] = side, market, max(done, 0)
        task["last_begun_step"], task["last_ended_step"] = task["begun_step"], step
        task["side"] = 0
        return row
    if participates:
        traded = t.markets[market, M_VOLUME_LOTS] - task["volume_lots"]
        wanted = p["participation"] * traded
    else:
        wanted = task["lots"] * done_by[min(int(elapsed * VALUES), VALUES - 1)]
    lots = min(int(wanted), task["lots"]) - done
    best = opposite_ticks(t, market, side)
    if best == 0 or lots <= 0 or (is_called(t, account) and side * held >= 0):
        return row
    price = best + side * p["reach_ticks"]
    if not 0 < price < t.markets[market, M_PRICE_MAX_TICKS]:
        return row
    return write_limit(out, row, account, market, side, lots, price, FLAG_IOC)
