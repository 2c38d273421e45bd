"""Market makers: quotes on both sides at several levels, moved against their inventory, widened by
volatility.

The quotes stand around a reservation price: what the maker thinks the contract is worth, less (when long) or
more (when short) the further its inventory is from nothing. How far, and how wide the spread is, is in
proportion to how full the maker is and how volatile the market, or follows from Avellaneda and Stoikov,
"High-frequency trading in a limit order book", Quantitative Finance 8 (2008). A maker leaves the market when
equity has fallen too far below its peak, when the market moves too much, or on a margin call; the side that
would take it past its inventory limit shrinks to nothing on the way there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from delever.engine.book import best_ask_ticks
from delever.engine.commands import C_LOTS, FLAG_POST_ONLY, FLAG_REDUCE_ONLY
from delever.engine.kernel import kernel
from delever.engine.tables import (
    A_ORDERS,
    M_BEST_BID,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_INDEX_TICKS,
    M_MARK_TICKS,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_LOTS,
    V_MARKETS,
    Table,
    Tables,
)

from .account import (
    account_equity_atoms,
    fullness,
    is_called,
    is_liquidated,
    largest_lots,
    lot_atoms,
    opposite_ticks,
    position_row,
)
from .cohort import Cohort, Commands, Floats
from .elementary import log
from .outbox import write_cancel_all, write_limit, write_market, write_use_cross
from .parameters import CohortParameters, Numbers, Record
from .view import Ints, View
from .volatility import SD_PER_MEAN_ABSOLUTE

# Besides the quotes: the choice of cross margin, a cancellation, an order that unwinds.
OTHER_COMMANDS_MAX = 3

# Traits, drawn once for each maker.
TRAIT_WIDTH = 0
TRAIT_SHADE = 1

# No price is further from worth than this, however large the risk.
SHIFT_MAX_PPM = 400_000.0

# What a maker remembers of its ladder in a market: first prices, and lots of both sides.
Q_BID_TICKS, Q_ASK_TICKS, Q_BIDS_LOTS, Q_ASKS_LOTS = range(4)


class MakerParameters(CohortParameters):
    """Market makers."""

    mean_interval_s: float = Field(default=5.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a maker, in seconds."""
    wealth_quote_median: float = Field(default=300_000.0, gt=0.0, le=9e9)
    """Median of what a maker deposits at the start, in quote units."""
    wealth_tail: float = Field(default=0.5, gt=0.0, le=100.0)
    """Lognormal: standard deviation of the logarithm. Pareto: exponent, smaller is more unequal."""
    wealth_ratio_max: float = Field(default=10.0, ge=1.0, le=1e9)
    """Nobody deposits more than this multiple of the median."""
    levels: int = Field(default=8, ge=1, le=100)
    """Quotes on each side; their sizes grow in proportion to 1, 2, 3, ... outwards."""
    half_spread_ppm: float = Field(default=80.0, gt=0.0, le=1e6)
    """Distance of the first quote from the reservation price in calm times, for the average maker."""
    level_step_ppm: float = Field(default=150.0, gt=0.0, le=1e6)
    """Distance from one quote to the next in calm times."""
    width_spread: float = Field(default=0.4, ge=0.0, lt=1.0)
    """Makers' spreads and steps lie this share around the average."""
    shade_ppm: float = Field(default=40.0, ge=0.0, le=1e6)
    """What makers think the contract is worth lies so far around the common estimate."""
    index_share: float = Field(default=0.8, ge=0.0, le=1.0)
    """Weight of the index in that estimate; the rest is the middle of the book."""
    quote_leverage: float = Field(default=0.25, gt=0.0, le=1000.0)
    """Value of the quotes of one side without inventory, as a multiple of equity, over all markets by their weights;
    grows and shrinks with the float."""
    inventory_leverage: float = Field(default=2.0, gt=0.0, le=1000.0)
    """Inventory limit as a multiple of equity."""
    skew_ppm: float = Field(default=600.0, ge=0.0, le=1e6)
    """Shift of the reservation price at the inventory limit in calm times."""
    volatility_calm_ppm: float = Field(default=120.0, gt=0.0, le=1e6)
    """Mean absolute change of the mark in one second that counts as calm."""
    widening: float = Field(default=1.0, ge=0.0, le=1000.0)
    """Spread, step and skew grow by this share for each calm volatility above calm."""
    pricing: Literal["proportional", "avellaneda_stoikov"] = "proportional"
    """Spread and skew by the numbers above, or by the four that follow; the step stays."""
    risk_aversion_per_ppm: float = Field(default=1e-4, gt=0.0, le=1.0)
    """Risk aversion gamma of the average maker, where prices are in ppm and inventory in orders of one side."""
    fill_decay_per_ppm: float = Field(default=0.01, gt=0.0, le=1.0)
    """Rate k at which fills become rarer with the distance of a quote."""
    risk_horizon_s: float = Field(default=60.0, gt=0.0, le=1e9)
    """Time over which inventory is a risk: what is left of the session in the paper, constant here."""
    skew_share: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of the paper's shift against the inventory; 0 is its symmetric maker, who has the same spread."""
    requote_ppm: float = Field(default=60.0, ge=0.0, le=1e6)
    """A ladder is left alone while its prices are no further off than this ..."""
    requote_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """... and neither side has lost more than this share of its lots."""
    drawdown_share: float = Field(default=0.15, gt=0.0, le=1.0)
    """A maker whose equity is so far below its peak withdraws, ..."""
    volatility_limit_ppm: float = Field(default=1e6, gt=0.0, le=1e6)
    """The average maker withdraws too when the mean absolute change of the mark in one second is above this, ..."""
    pause_s: float = Field(default=900.0, ge=0.0, le=1e9)
    """... for so long; then it starts again from what it has."""
    unload_from: float = Field(default=1.0, gt=0.0, le=1.0)
    """With more than this share of its inventory limit a maker trades at market, in no hurry at 1, ..."""
    unload_to: float = Field(default=0.5, ge=0.0, le=1.0)
    """... until this share of the limit is left. Makers who unload to each other pass a hot potato."""
    unwind_share: float = Field(default=0.25, gt=0.0, le=1.0)
    """Share of the inventory sold or bought back at market at each waking under a margin call."""


class Maker(Cohort):
    """Replaces its ladder of post-only quotes when it traded or the price moved; withdraws in stress."""

    Parameters = MakerParameters
    parameters: MakerParameters

    def prepare(self) -> None:
        """Draw what is fixed for life, and make the columns."""
        parameters = self.parameters
        self.width = 1.0 + parameters.width_spread * (2.0 * self.trait(TRAIT_WIDTH) - 1.0)
        self.aversion = np.zeros(self.n)
        self.half_ppm = parameters.half_spread_ppm * self.width
        if parameters.pricing == "avellaneda_stoikov":
            self.aversion = parameters.risk_aversion_per_ppm * self.width
            self.half_ppm = log(1.0 + self.aversion / parameters.fill_decay_per_ppm) / self.aversion
        self.shade = 1.0 + parameters.shade_ppm / 1e6 * (2.0 * self.trait(TRAIT_SHADE) - 1.0)
        weights = np.arange(1, parameters.levels + 1, dtype=np.float64)
        self.weights = weights / (parameters.levels * (parameters.levels + 1) / 2)
        self.columns = {
            "peak_equity_atoms": np.zeros(self.n, dtype=np.int64),
            "away_until_s": np.zeros(self.n, dtype=np.int64),
        }

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return for each waker and market a cancellation and new quotes, or nothing."""
        if "quoted" not in self.columns:  # the number of markets is not known before
            self.columns["quoted"] = np.zeros((self.n, view.markets, 4), dtype=np.int64)
            self.columns["quoted_supply"] = np.ones((self.n, view.markets))
        per_market = 2 * self.parameters.levels + OTHER_COMMANDS_MAX
        size = view.supply_ratio * view.market_weight
        out = self.outbox(len(wakers) * view.markets * per_market)
        return self.written(
            decide_maker(
                view.tables, self.numbers, self.weights, self.width, self.aversion, self.half_ppm, self.shade,
                self.columns["peak_equity_atoms"], self.columns["away_until_s"], self.columns["quoted"],
                self.columns["quoted_supply"], size, view.volatility_ppm, view.time_s, view.dt_s, self.rows,
                wakers, out,
            )
        )  # fmt: skip


@kernel
def decide_maker(
    t: Tables, numbers: Numbers, weights: Floats, widths: Floats, aversions: Floats, halves_ppm: Floats,
    shades: Floats, peaks_atoms: Ints, until_s: Ints, quoted: Ints, quoted_supply: Floats, supply: Floats,
    volatility_ppm: Floats, time_s: int, dt_s: int, rows: Ints, wakers: Ints, out: Table,
) -> int:  # fmt: skip
    """Write the commands of all wakers to `out` and return how many there are; modifies peaks, until and quoted."""
    p = numbers[0]
    row = 0
    for i in range(wakers.shape[0]):
        waker = wakers[i]
        account = rows[waker]
        stressed = is_called(t, account) or is_liquidated(t, account)
        busy = _highest(volatility_ppm) / np.sqrt(float(dt_s)) > p["volatility_limit_ppm"] * widths[waker]
        away = _withdraws(t, p, account, waker, busy, peaks_atoms, until_s, time_s) or stressed
        for market in range(t.venue[V_MARKETS]):
            row = write_use_cross(t, out, row, account, market)
            largest = largest_lots(t, account, market, p["inventory_leverage"])
            per_second = volatility_ppm[market] / np.sqrt(float(dt_s))
            row = _quote(
                t, p, weights, widths[waker], aversions[waker], halves_ppm[waker], shades[waker], per_second, largest,
                waker, account, market, away, quoted, quoted_supply, supply[market], out, row,
            )  # fmt: skip
            if stressed:
                held = t.positions[position_row(t, account, market), P_LOTS]
                lots = int(np.ceil(abs(held) * p["unwind_share"]))
                row = write_market(out, row, account, market, -1 if held > 0 else 1, lots, FLAG_REDUCE_ONLY)
    return row


@kernel
def _highest(values: Floats) -> float:
    """Return the highest of values that are at least 0."""
    highest = 0.0
    for i in range(values.shape[0]):
        highest = max(highest, values[i])
    return highest


@kernel
def _withdraws(
    t: Tables, p: Record, account: int, waker: int, busy: bool, peaks_atoms: Ints, until_s: Ints, time_s: int
) -> bool:
    """Say whether a maker stays away, and note a new peak of equity or a new withdrawal; a `busy` market is one."""
    equity = account_equity_atoms(t, account)
    peak = max(peaks_atoms[waker], equity)
    lost = equity < (1.0 - p["drawdown_share"]) * peak
    if until_s[waker] <= time_s and (busy or lost):
        until_s[waker] = time_s + int(p["pause_s"])
        peak = equity if lost else peak
    peaks_atoms[waker] = peak
    return until_s[waker] > time_s


@kernel
def _quote(
    t: Tables, p: Record, weights: Floats, width: float, aversion: float, half_ppm: float, shade: float,
    volatility_ppm: float, largest: int, waker: int, account: int, market: int, away: bool, quoted: Ints,
    quoted_supply: Floats, supply: float, out: Table, row: int,
) -> int:  # fmt: skip
    """Write the cancellation of a ladder that no longer stands right, and a new one unless the maker is away."""
    place = position_row(t, account, market)
    held = t.positions[place, P_LOTS]
    inventory = fullness(t, account, market, largest)
    wanted = _side_lots(t, p, account, market) * supply
    orders = held / max(wanted, 1.0)
    bid, ask, step = _ladder(t, p, width, aversion, half_ppm, shade, volatility_ppm, inventory, orders, market)
    left = 1.0 - p["requote_share"]
    unloads = abs(inventory) > p["unload_from"]
    stands = (
        not (away or unloads)
        and quoted_supply[waker, market] == supply
        and abs(bid - quoted[waker, market, Q_BID_TICKS]) * 1e6 <= p["requote_ppm"] * bid
        and abs(ask - quoted[waker, market, Q_ASK_TICKS]) * 1e6 <= p["requote_ppm"] * ask
        and t.positions[place, P_BIDS_LOTS] >= left * quoted[waker, market, Q_BIDS_LOTS]
        and t.positions[place, P_ASKS_LOTS] >= left * quoted[waker, market, Q_ASKS_LOTS]
    )
    if stands:
        return row
    if t.accounts[account, A_ORDERS] > 0:
        row = write_cancel_all(out, row, account, market)
    if away:
        return row
    if unloads and opposite_ticks(t, market, -1 if held > 0 else 1) > 0:
        lots = abs(held) - int(p["unload_to"] * largest)
        row = write_market(out, row, account, market, -1 if held > 0 else 1, lots, FLAG_REDUCE_ONLY)
    first = row
    row = _side(t, weights, wanted, largest, held, inventory, account, market, 1, bid, step, out, row)
    asks = row
    row = _side(t, weights, wanted, largest, held, inventory, account, market, -1, ask, step, out, row)
    quoted[waker, market, Q_BID_TICKS] = bid
    quoted[waker, market, Q_ASK_TICKS] = ask
    quoted[waker, market, Q_BIDS_LOTS] = _lots_written(out, first, asks)
    quoted[waker, market, Q_ASKS_LOTS] = _lots_written(out, asks, row)
    quoted_supply[waker, market] = supply
    return row


@kernel
def _side_lots(t: Tables, p: Record, account: int, market: int) -> float:
    """Return the lots of all quotes of one side without inventory."""
    equity = max(account_equity_atoms(t, account), 0)
    return p["quote_leverage"] * equity / (lot_atoms(t, market) * t.venue[V_MARKETS])


@kernel
def _lots_written(out: Table, first: int, last: int) -> int:
    """Return the lots of commands first .. last - 1."""
    lots = 0
    for row in range(first, last):
        lots += out[row, C_LOTS]
    return lots


@kernel
def _ladder(
    t: Tables, p: Record, width: float, aversion: float, half_ppm: float, shade: float, volatility_ppm: float,
    inventory: float, orders: float, market: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Return first bid, first ask and step of a maker.

    Its inventory goes from -1 (full short) to 1 (full long), or is so many `orders` of one side; an aversion of 0 says
    that prices are in proportion to the former.
    """
    index, mark = t.markets[market, M_INDEX_TICKS], t.markets[market, M_MARK_TICKS]
    best_bid, best_ask = t.markets[market, M_BEST_BID], best_ask_ticks(t, market)
    middle = (best_bid + best_ask) // 2 if best_bid > 0 and best_ask > 0 else mark
    worth = (middle + p["index_share"] * (index - middle)) * shade
    excess = max(volatility_ppm / p["volatility_calm_ppm"] - 1.0, 0.0)
    tick_per_ppm = worth * (1.0 + p["widening"] * excess) / 1e6
    reservation = worth - inventory * p["skew_ppm"] * tick_per_ppm
    half = half_ppm * tick_per_ppm
    if aversion > 0.0:
        deviation_ppm = SD_PER_MEAN_ABSOLUTE * volatility_ppm
        risk_ppm = aversion * deviation_ppm * deviation_ppm * p["risk_horizon_s"]
        shift_ppm = p["skew_share"] * orders * risk_ppm
        reservation = worth * (1.0 - min(max(-SHIFT_MAX_PPM, shift_ppm), SHIFT_MAX_PPM) / 1e6)
        half = worth * min(half_ppm + risk_ppm / 2.0, SHIFT_MAX_PPM) / 1e6
    bid, ask = int(np.floor(reservation - half)), int(np.ceil(reservation + half))
    # Post-only orders that would cross are refused: a maker stops one tick before the other side.
    if best_ask > 0:
        bid = min(bid, best_ask - 1)
    step = max(np.rint(p["level_step_ppm"] * width * tick_per_ppm), 1.0)
    return bid, max(ask, best_bid + 1), int(step)


@kernel
def _side(
    t: Tables, weights: Floats, wanted: float, largest: int, held: int, inventory: float, account: int, market: int,
    side: int, first_ticks: int, step_ticks: int, out: Table, row: int,
) -> int:  # fmt: skip
    """Write the quotes of one side; those outside the collar are left out."""
    # Own orders are cancelled first; the side that reduces the inventory may always do so.
    room = max(largest - side * held, 0)
    total = min(wanted, float(room)) * (1.0 - max(side * inventory, 0.0))
    for level in range(weights.shape[0]):
        price = first_ticks - side * step_ticks * level
        if t.markets[market, M_COLLAR_LOW] <= price <= t.markets[market, M_COLLAR_HIGH]:
            row = write_limit(out, row, account, market, side, int(total * weights[level]), price, FLAG_POST_ONLY)
    return row
