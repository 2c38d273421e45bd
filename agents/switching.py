"""Speculators who switch between following a move and betting on the return to what the contract is worth.

Each looks back over a horizon of its own and acts the more often the more the price has moved there (attention.py).
Which of the two it does depends on how far the price is from its worth, as in Franke and Westerhoff, "Structural
stochastic volatility in asset pricing dynamics", Journal of Economic Dynamics and Control 36 (2012): the further, the
fewer follow. The larger the move, or the distance, the surer is the side.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from delever.engine.commands import FLAG_IOC
from delever.engine.kernel import kernel
from delever.engine.tables import M_INDEX_TICKS, M_MARK_TICKS, M_PRICE_MAX_TICKS, P_LOTS, Table, Tables

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
from .attention import AttentionParameters, attends
from .cohort import Cohort, Commands, Floats
from .draw_kernels import DRAW_STRIDE, Words, pick_market, trader_word, uniform_of
from .draws import Stream
from .outbox import write_limit, write_use_cross
from .parameters import Numbers, Record
from .quantiles import element, power_law
from .ranges import spread_log
from .view import Ints, View

CHOICE = int(Stream.CHOICE)
COMMANDS_MAX = 2

# Traits, drawn once for each trader.
TRAIT_HORIZON = 0


class SwitchingParameters(AttentionParameters):
    """Speculators who switch between chartism and fundamentalism."""

    mean_interval_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=20_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    calm_ppm: float = Field(default=60.0, gt=0.0, le=1e6)
    """Standard deviation of the price in one second that counts as usual, for attention and for moves."""
    attention_calm: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of wakings at which a trader acts though nothing has moved."""
    attention_gain: float = Field(default=0.2, ge=0.0, le=1000.0)
    """What the usual variance over its horizon adds to that; twice the variance adds twice that, up to always."""
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
    reach_ppm: float = Field(default=2_000.0, ge=0.0, le=1e6)
    """An order trades up to so far beyond the best price; the rest of it is not wanted at a worse one."""
    leverage: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Largest position as a multiple of equity."""


class Switching(Cohort):
    """Acts on what moved over its horizon: along with it, or against it where the price has gone too far."""

    Parameters = SwitchingParameters
    parameters: SwitchingParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the table of sizes."""
        parameters = self.parameters
        self.horizon_s = spread_log(parameters.horizon_min_s, parameters.horizon_max_s, self.trait(TRAIT_HORIZON))
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
        if not attends(t, p, mark_history, market, horizons_s[waker], dt_s, uniform_of(word, waking)):
            continue
        move = _move(t, p, mark_history, market, horizons_s[waker], dt_s)
        side = _side(t, p, move, word, waking, market)
        size = element(sizes, uniform_of(word, waking + 3 * DRAW_STRIDE))
        row = _order(t, p, account, market, side, size, out, row)
    return row


@kernel
def _move(t: Tables, p: Record, mark_history: Ints, market: int, horizon_s: float, dt_s: int) -> float:
    """Return the move of the mark over a horizon, in usual moves."""
    return move_ppm(t, mark_history, market, horizon_s, dt_s) / (p["calm_ppm"] * np.sqrt(horizon_s))


@kernel
def _side(t: Tables, p: Record, move: float, word: int, waking: int, market: int) -> int:
    """Return 1 to buy, -1 to sell: draw 1 says which of the two ways, 2 the side."""
    mark, index = t.markets[market, M_MARK_TICKS], t.markets[market, M_INDEX_TICKS]
    gap = (mark - index) * 1e6 / index / p["misalignment_ppm"]
    follows = uniform_of(word, waking + DRAW_STRIDE) < p["chartist_share"] / (1.0 + gap * gap)
    wanted = move if follows else -gap
    buys = 0.5 + 0.5 * wanted / np.sqrt(1.0 + wanted * wanted)
    return 1 if uniform_of(word, waking + 2 * DRAW_STRIDE) < buys else -1


@kernel
def _order(t: Tables, p: Record, account: int, market: int, side: int, size: float, out: Table, row: int) -> int:
    """Write an order that takes what stands within reach; a position that is called is only made smaller."""
    held = t.positions[position_row(t, account, market), P_LOTS]
    if is_called(t, account) and side * held > 0:
        return row
    best = opposite_ticks(t, market, side)
    if best == 0:
        return row
    value = p["order_share"] * size * account_equity_atoms(t, account)
    largest = largest_lots(t, account, market, p["leverage"])
    lots = min(int(value / lot_atoms(t, market)), room_lots(t, account, market, side, largest))
    if is_called(t, account):
        lots = min(lots, abs(held))
    price = best + side * int(p["reach_ppm"] * best / 1e6)
    if not 0 < price < t.markets[market, M_PRICE_MAX_TICKS]:
        return row
    return write_limit(out, row, account, market, side, lots, price, FLAG_IOC)
