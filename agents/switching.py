"""Speculators who switch between following a move and betting on the return to what the contract is worth.

Each looks back over a horizon of its own, from minutes to a day, and acts the more often the larger the move it sees
there: attention at many horizons makes quiet and busy times that last. Which of the two it does depends on how far the
price is from its worth, as in Franke and Westerhoff, "Structural stochastic volatility in asset pricing dynamics",
Journal of Economic Dynamics and Control 36 (2012): the further, the fewer follow. The horizons follow Müller and
others, "Volatilities of different time resolutions", Journal of Empirical Finance 4 (1997).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from delever.engine.kernel import kernel
from delever.engine.tables import M_INDEX_TICKS, M_MARK_TICKS, P_LOTS, Table, Tables

from .account import (
    account_equity_atoms,
    is_called,
    largest_lots,
    lot_atoms,
    move_ppm,
    opposite_ticks,
    position_row,
    room_lots,
)
from .cohort import Cohort, Commands, Floats
from .draw_kernels import DRAW_STRIDE, Words, pick_market, trader_word, uniform_of
from .draws import Stream
from .elementary import exp, log
from .outbox import write_market, write_use_cross
from .parameters import CohortParameters, Numbers, Record
from .quantiles import element, power_law
from .view import Ints, View

CHOICE = int(Stream.CHOICE)
COMMANDS_MAX = 2

# Traits, drawn once for each trader.
TRAIT_HORIZON = 0


class SwitchingParameters(CohortParameters):
    """Speculators who switch between chartism and fundamentalism."""

    mean_interval_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=20_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    horizon_min_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Shortest horizon; horizons are spread evenly over the logarithm, ..."""
    horizon_max_s: float = Field(default=86_400.0, gt=0.0, le=1e9)
    """... up to the longest."""
    calm_ppm: float = Field(default=60.0, gt=0.0, le=1e6)
    """Move in one second that counts as usual; over a horizon of h seconds it is this times the root of h."""
    attention_calm: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of wakings at which a trader acts though nothing has moved, ..."""
    attention_gain: float = Field(default=0.2, ge=0.0, le=1000.0)
    """... and what a usual move over its horizon adds; a move twice as large adds four times that, up to always."""
    chartist_share: float = Field(default=0.7, ge=0.0, le=1.0)
    """Share of acts that follow the move where price and worth agree."""
    misalignment_ppm: float = Field(default=10_000.0, gt=0.0, le=1e6)
    """Distance of price and worth at which half of these bet on the return instead."""
    order_share: float = Field(default=0.02, gt=0.0, le=1.0)
    """Scale of the value of an order as a share of equity; sizes follow a power law."""
    order_tail: float = Field(default=1.5, gt=0.0, le=100.0)
    """Its exponent."""
    order_max: float = Field(default=50.0, gt=0.0, le=1e6)
    """No order is more than so many times the scale."""
    leverage: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Largest position as a multiple of equity."""

    @model_validator(mode="after")
    def _horizons_in_order(self) -> SwitchingParameters:
        if self.horizon_min_s > self.horizon_max_s:
            raise ValueError(
                f"horizon_min_s must not be above horizon_max_s (got {self.horizon_min_s:g} > {self.horizon_max_s:g})"
            )
        return self


class Switching(Cohort):
    """Acts on what moved over its horizon: along with it, or against it where the price has gone too far."""

    Parameters = SwitchingParameters
    parameters: SwitchingParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the table of sizes."""
        parameters = self.parameters
        span = log(parameters.horizon_max_s / parameters.horizon_min_s)
        self.horizon_s = parameters.horizon_min_s * exp(self.trait(TRAIT_HORIZON) * span)
        self.size = power_law(1.0, parameters.order_tail, parameters.order_max).values

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one market order for each waker."""
        out = self.outbox(len(wakers) * COMMANDS_MAX)
        return self.written(
            decide_switching(
                view.tables, self.numbers, self.horizon_s, self.size, view.mark_history, view.dt_s, self.roots,
                self.rows, self.keys, self.wakings, wakers, out,
            )
        )  # fmt: skip


@kernel
def decide_switching(
    t: Tables, numbers: Numbers, horizons_s: Floats, sizes: Floats, mark_history: Ints, dt_s: int, roots: Words,
    rows: Ints, keys: Ints, wakings: Ints, wakers: Ints, out: Table,
) -> int:  # fmt: skip
    """Write the commands of all wakers to `out` and return how many there are."""
    p = numbers[0]
    row = 0
    for i in range(wakers.shape[0]):
        waker = wakers[i]
        account, key, waking = rows[waker], keys[waker], wakings[waker]
        market = pick_market(t, roots, key, waking)
        row = write_use_cross(t, out, row, account, market)
        word = trader_word(roots[CHOICE], key)
        move = _move(t, p, mark_history, market, horizons_s[waker], dt_s)
        side = _side(t, p, move, word, waking, market)
        if side != 0:
            size = element(sizes, uniform_of(word, waking + 3 * DRAW_STRIDE))
            row = _order(t, p, account, market, side, size, out, row)
    return row


@kernel
def _move(t: Tables, p: Record, mark_history: Ints, market: int, horizon_s: float, dt_s: int) -> float:
    """Return the move of the mark over a horizon, in usual moves."""
    return move_ppm(t, mark_history, market, horizon_s, dt_s) / (p["calm_ppm"] * np.sqrt(horizon_s))


@kernel
def _side(t: Tables, p: Record, move: float, word: int, waking: int, market: int) -> int:
    """Return 1 to buy, -1 to sell, 0 to wait: draw 0 says whether, 1 which of the two ways, 2 a side by chance."""
    if uniform_of(word, waking) >= p["attention_calm"] + p["attention_gain"] * move * move:
        return 0
    mark, index = t.markets[market, M_MARK_TICKS], t.markets[market, M_INDEX_TICKS]
    gap = (mark - index) * 1e6 / index / p["misalignment_ppm"]
    follows = uniform_of(word, waking + DRAW_STRIDE) < p["chartist_share"] / (1.0 + gap * gap)
    wanted = move if follows else -gap
    if wanted == 0.0:
        return 1 if uniform_of(word, waking + 2 * DRAW_STRIDE) < 0.5 else -1
    return 1 if wanted > 0.0 else -1


@kernel
def _order(t: Tables, p: Record, account: int, market: int, side: int, size: float, out: Table, row: int) -> int:
    """Write a market order; a position that is called is only made smaller."""
    held = t.positions[position_row(t, account, market), P_LOTS]
    if is_called(t, account) and side * held > 0:
        return row
    if opposite_ticks(t, market, side) == 0:
        return row
    value = p["order_share"] * size * account_equity_atoms(t, account)
    largest = largest_lots(t, account, market, p["leverage"])
    lots = min(int(value / lot_atoms(t, market)), room_lots(t, account, market, side, largest))
    if is_called(t, account):
        lots = min(lots, abs(held))
    return write_market(out, row, account, market, side, lots, 0)
