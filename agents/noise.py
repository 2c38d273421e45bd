"""Noise traders: orders of random side, size and place, near the price or patiently far from it, and cancellations.

Zero intelligence in the manner of Daniels, Farmer, Gillemot, Iori and Smith, "Quantitative model of price diffusion and
market friction based on trading as a mechanistic random process", Physical Review Letters 90 (2003), with accounts:
sizes follow equity, and who holds much is likelier to trade back. How far from the best price orders are put is that of
Zovko and Farmer, "The power of patience", Quantitative Finance 2 (2002).
"""

from __future__ import annotations

from pydantic import Field, model_validator

from delever.engine.kernel import kernel
from delever.engine.tables import (
    A_ORDERS,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_MARK_TICKS,
    Table,
    Tables,
)

from .account import account_equity_atoms, fullness, largest_lots, lot_atoms, opposite_ticks, room_lots
from .attention import AttentionParameters, attends
from .cohort import Cohort, Commands, Floats
from .draw_kernels import DRAW_STRIDE, Words, pick_market, trader_word, uniform_of
from .draws import Stream
from .outbox import write_cancel_all, write_limit, write_market, write_use_cross
from .parameters import Numbers, Record
from .quantiles import element, exponential, power_law
from .ranges import spread_log
from .view import Ints, View

CHOICE = int(Stream.CHOICE)
COMMANDS_MAX = 2

# Traits, drawn once for each trader.
TRAIT_HORIZON = 0


class NoiseParameters(AttentionParameters):
    """Zero-intelligence traders."""

    mean_interval_s: float = Field(default=120.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=5_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    market_share: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of wakings that send a market order."""
    cancel_share: float = Field(default=0.35, ge=0.0, le=1.0)
    """Share of wakings that cancel all own orders in a market; the rest place a limit order."""
    order_share: float = Field(default=0.05, gt=0.0, le=1.0)
    """Mean value of an order as a share of equity; sizes are exponential."""
    leverage: float = Field(default=0.5, gt=0.0, le=1000.0)
    """Largest position as a multiple of equity; the nearer it is, the likelier is an order back."""
    distance_scale_ppm: float = Field(default=300.0, gt=0.0, le=1e6)
    """Scale of the distance of limit orders from the opposite best price; half are within 0.6 of it."""
    distance_exponent: float = Field(default=1.5, gt=0.0, le=100.0)
    """Exponent of its power law: 1.5 over two decades on 50 stocks (Zovko and Farmer 2002)."""
    distance_shape: float = Field(default=1.0, ge=1.0, le=10.0)
    """How orders thin out towards the best price: as many at every distance near it at 1, in proportion to the distance
    at 2, the linear book of Donier, Bonart, Mastromatteo and Bouchaud (2015)."""
    distance_max_ppm: float = Field(default=20_000.0, gt=0.0, le=1e6)
    """Largest distance."""
    orders_max: int = Field(default=4, ge=1, le=1000)
    """With so many open orders a trader cancels instead of placing another."""

    @model_validator(mode="after")
    def _shares_leave_room(self) -> NoiseParameters:
        if self.market_share + self.cancel_share > 1.0:
            total = self.market_share + self.cancel_share
            raise ValueError(f"market_share + cancel_share must be at most 1 (got {total:g})")
        return self


class Noise(Cohort):
    """Each waking: a market order, a cancellation, or a limit order some way from the best price."""

    Parameters = NoiseParameters
    parameters: NoiseParameters

    def prepare(self) -> None:
        """Make the tables of sizes and distances."""
        parameters = self.parameters
        self.horizon_s = spread_log(parameters.horizon_min_s, parameters.horizon_max_s, self.trait(TRAIT_HORIZON))
        self.size = exponential().values
        self.distance_ppm = power_law(
            parameters.distance_scale_ppm, parameters.distance_exponent, parameters.distance_max_ppm,
            parameters.distance_shape,
        ).values  # fmt: skip

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one order or cancellation for each waker."""
        out = self.outbox(len(wakers) * COMMANDS_MAX)
        return self.written(
            decide_noise(
                view.tables, self.numbers, self.horizon_s, self.size, self.distance_ppm, view.mark_history, view.dt_s,
                self.roots, self.rows, self.keys, self.wakings, wakers, out,
            )
        )  # fmt: skip


@kernel
def decide_noise(
    t: Tables, numbers: Numbers, horizons_s: Floats, sizes: Floats, distances_ppm: Floats, mark_history: Ints,
    dt_s: int, roots: Words, rows: Ints, keys: Ints, wakings: Ints, wakers: Ints, out: Table,
) -> int:  # fmt: skip
    """Write the commands of all wakers to `out` and return how many there are."""
    row = 0
    for i in range(wakers.shape[0]):
        waker = wakers[i]
        key, waking = keys[waker], wakings[waker]
        market = pick_market(t, roots, key, waking)
        word = trader_word(roots[CHOICE], key)
        draw = uniform_of(word, waking + 4 * DRAW_STRIDE)
        if not attends(t, numbers[0], mark_history, market, horizons_s[waker], dt_s, draw):
            continue
        row = write_use_cross(t, out, row, rows[waker], market)
        row = _act(t, numbers[0], sizes, distances_ppm, word, waking, rows[waker], market, out, row)
    return row


@kernel
def _act(
    t: Tables, p: Record, sizes: Floats, distances_ppm: Floats, word: int, waking: int, account: int, market: int,
    out: Table, row: int,
) -> int:  # fmt: skip
    """Write what one trader does: draw 0 chooses, 1 gives the side, 2 the size, 3 the distance."""
    choice = uniform_of(word, waking)
    at_market = choice < p["market_share"]
    cancels = choice >= 1.0 - p["cancel_share"]
    if cancels or (not at_market and t.accounts[account, A_ORDERS] >= p["orders_max"]):
        return write_cancel_all(out, row, account, market)
    largest = largest_lots(t, account, market, p["leverage"])
    full = fullness(t, account, market, largest)
    side = 1 if uniform_of(word, waking + DRAW_STRIDE) < 0.5 - 0.5 * full else -1
    size = element(sizes, uniform_of(word, waking + 2 * DRAW_STRIDE))
    value = p["order_share"] * size * account_equity_atoms(t, account)
    lots = min(int(value / lot_atoms(t, market)), room_lots(t, account, market, side, largest))

    opposite = opposite_ticks(t, market, side)
    if at_market:
        return write_market(out, row, account, market, side, lots if opposite > 0 else 0, 0)
    mark = t.markets[market, M_MARK_TICKS]
    distance_ppm = element(distances_ppm, uniform_of(word, waking + 3 * DRAW_STRIDE))
    beyond = 1 + int(distance_ppm * mark / 1e6)
    price = (opposite if opposite > 0 else mark + side) - side * beyond
    if not t.markets[market, M_COLLAR_LOW] <= price <= t.markets[market, M_COLLAR_HIGH]:
        return row
    return write_limit(out, row, account, market, side, lots, price, 0)
