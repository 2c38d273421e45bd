"""Value traders: they trade the contract towards what they believe it is worth, the index give or take an
error.

Their position is the larger the further the mark is from their belief, so they tie the mark to the index;
their orders stop part of the way and rest there, so that together they fill a gap between mark and index with
a ladder of orders.

The demand is linear in the distance (Chiarella 1992, "The dynamics of speculative behaviour", Annals of Operations
Research 37), or has a cubic part, as in Majewski, Ciliberti and Bouchaud, "Co-existence of trend and value in financial
markets", Journal of Economic Dynamics and Control 112 (2020): then small mispricings are left to others.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from delever.engine.commands import FLAG_REDUCE_ONLY
from delever.engine.kernel import kernel
from delever.engine.tables import (
    A_ORDERS,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_INDEX_TICKS,
    M_MARK_TICKS,
    P_LOTS,
    Table,
    Tables,
)

from .account import is_called, largest_lots, position_row
from .cohort import Cohort, Commands, Floats
from .draw_kernels import Words, pick_market, uniform
from .draws import Stream
from .outbox import write_cancel_all, write_limit, write_market, write_use_cross
from .parameters import CohortParameters, Numbers, Record
from .quantiles import element, standard_normal
from .view import Ints, View

VALUE = int(Stream.VALUE)
COMMANDS_MAX = 3

# Traits, drawn once for each trader.
TRAIT_BELIEF = 0
TRAIT_PATIENCE = 1


class ValueParameters(CohortParameters):
    """Value traders: arbitrage between the contract and the index."""

    mean_interval_s: float = Field(default=30.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=60_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    wealth_ratio_max: float = Field(default=20.0, ge=1.0, le=1e9)
    """Nobody deposits more than this multiple of the median."""
    leverage: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Value of a full position as a multiple of equity."""
    full_ppm: float = Field(default=3_000.0, gt=0.0, le=1e6)
    """Distance of the mark from the belief at which the position is full; below it is in proportion, or less."""
    cubic_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the demand that grows with the third power of the distance; the rest is in proportion to it."""
    threshold_ppm: float = Field(default=300.0, ge=0.0, le=1e6)
    """A position is not enlarged while mark and belief are nearer than this (costs of trading)."""
    belief_mean_ppm: float = Field(default=0.0, ge=-5e5, le=5e5)
    """Mean of beliefs, as a distance from the index: above 0 the cohort is of buyers, below of sellers."""
    belief_sd_ppm: float = Field(default=300.0, ge=0.0, le=1e6)
    """Spread of beliefs between traders, fixed for life."""
    noise_sd_ppm: float = Field(default=150.0, ge=0.0, le=1e6)
    """Error of a belief at one waking."""
    horizon_s: float = Field(default=120.0, gt=0.0, le=1e9)
    """Time over which a trader moves to the wanted position."""
    steps_max: int = Field(default=50, ge=1, le=1_000_000)
    """Changes smaller than this fraction of a full position are not worth an order."""
    patience_min: float = Field(default=0.2, ge=0.0, le=1.0)
    """Orders stop at this share of the way from mark to belief for the most patient trader, ..."""
    patience_max: float = Field(default=0.9, ge=0.0, le=1.0)
    """... and at this share for the least patient."""


class Value(Cohort):
    """Buys below its belief and sells above it, in proportion to the distance, with limit orders between."""

    Parameters = ValueParameters
    parameters: ValueParameters

    def prepare(self) -> None:
        """Draw what is fixed for life."""
        parameters = self.parameters
        normal = standard_normal()
        self.errors = normal.values
        mean = 1.0 + parameters.belief_mean_ppm / 1e6
        self.belief = mean + normal(self.trait(TRAIT_BELIEF)) * parameters.belief_sd_ppm / 1e6
        span = parameters.patience_max - parameters.patience_min
        self.way = parameters.patience_min + span * self.trait(TRAIT_PATIENCE)
        self.pace = min(1.0, parameters.mean_interval_s / parameters.horizon_s)

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return the cancellation of the old order, if there is one, and at most one new order per waker."""
        out = self.outbox(len(wakers) * COMMANDS_MAX)
        return self.written(
            decide_value(
                view.tables, self.numbers, self.errors, self.belief, self.way, self.pace, self.roots, self.rows,
                self.keys, self.wakings, wakers, out,
            )
        )  # fmt: skip


@kernel
def decide_value(
    t: Tables, numbers: Numbers, errors: Floats, beliefs: Floats, ways: Floats, pace: float, roots: Words,
    rows: Ints, keys: Ints, wakings: Ints, wakers: Ints, out: Table,
) -> int:  # fmt: skip
    """Write the commands of all wakers to `out` and return how many there are."""
    p = numbers[0]
    row = 0
    for i in range(wakers.shape[0]):
        waker = wakers[i]
        key, waking = keys[waker], wakings[waker]
        market = pick_market(t, roots, key, waking)
        error = element(errors, uniform(roots, VALUE, key, waking, 0)) * p["noise_sd_ppm"] / 1e6
        worth = t.markets[market, M_INDEX_TICKS] * (beliefs[waker] + error)
        row = _act(t, p, worth, ways[waker], pace, rows[waker], market, out, row)
    return row


@kernel
def _act(
    t: Tables, p: Record, worth: float, way: float, pace: float, account: int, market: int, out: Table, row: int
) -> int:
    """Write what one trader does who believes the contract to be worth so many ticks."""
    mark = t.markets[market, M_MARK_TICKS]
    held = t.positions[position_row(t, account, market), P_LOTS]
    row = write_use_cross(t, out, row, account, market)
    # The old order is cancelled first, so that the position alone counts.
    if t.accounts[account, A_ORDERS] > 0:
        row = write_cancel_all(out, row, account, market)
    if is_called(t, account):
        rest = abs(held) // 2
        return write_market(out, row, account, market, -1 if held > 0 else 1, abs(held) - rest, FLAG_REDUCE_ONLY)
    gap_ppm = (worth - mark) * 1e6 / mark
    largest = largest_lots(t, account, market, p["leverage"])
    gap = min(max(-1.0, gap_ppm / p["full_ppm"]), 1.0)
    target = int(gap * (1.0 - p["cubic_share"] + p["cubic_share"] * gap * gap) * largest)
    if abs(gap_ppm) < p["threshold_ppm"]:
        # Inside the threshold a position may shrink but not grow.
        target = min(max(min(held, 0), target), max(held, 0))
    change = abs(target - held)
    if change * p["steps_max"] < largest:
        return row
    price = int(np.rint(mark + way * (worth - mark)))
    price = min(max(t.markets[market, M_COLLAR_LOW], price), t.markets[market, M_COLLAR_HIGH])
    return write_limit(out, row, account, market, 1 if target > held else -1, int(np.ceil(change * pace)), price, 0)
