"""One row per recorded step and market: prices, depth, volume, open interest, and how healthy accounts are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delever.agents.view import View
from delever.engine.tables import (
    A_KEY,
    FLAG_NOTICE,
    L_LOTS,
    M_BEST_ASK,
    M_BEST_BID,
    M_FILLS,
    M_FORCED_ATOMS,
    M_FORCED_LOTS,
    M_FUNDING_PPB,
    M_INDEX_TICKS,
    M_LAST_TICKS,
    M_LONG_LOTS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    M_VOLUME_ATOMS,
    M_VOLUME_LOTS,
    U_FLAGS,
    V_LISTED_COUNT,
)
from delever.engine.venue import Venue

Integers = NDArray[np.int64]

PPM = 1_000_000
DEPTH_PPM = 10_000
SAMPLE_MAX = 20_000
RATIO_MAX_PPM = 10 * PPM

SERIES_COLUMNS = (
    "step", "time_s", "market", "index_ticks", "mark_ticks", "last_ticks", "bid_ticks", "ask_ticks",
    "depth_bid_lots", "depth_ask_lots", "volume_lots", "volume_atoms", "forced_lots", "forced_atoms", "fills",
    "open_interest_lots", "funding_ppb", "distressed", "called", "fund_equity_atoms", "fund_balance_atoms",
    "backstop_equity_atoms", "bad_debt_atoms", "socialised_atoms", "margin_ratio_p50_ppm", "margin_ratio_p90_ppm",
    "long_leverage_ppm", "short_leverage_ppm",
)  # fmt: skip
COUNTERS = (M_VOLUME_LOTS, M_VOLUME_ATOMS, M_FORCED_LOTS, M_FORCED_ATOMS, M_FILLS)


class SeriesSampler:
    """Describes the state of a venue at the end of a step; counters are reported as what was added since the last row.

    The health of accounts is that of at most SAMPLE_MAX of them, every so manyth by key: enough for a figure, and a
    row costs the same however many accounts there are.
    """

    def __init__(self, venue: Venue, dt_s: int) -> None:
        """Start counting at the present state."""
        self.venue = venue
        self.dt_s = dt_s
        traders = venue.fund_unit
        by_key = np.argsort(venue.tables.accounts[:traders, A_KEY], kind="stable")
        self.sampled = np.sort(by_key[:: -(-traders // SAMPLE_MAX)])
        self.backstops = np.array(venue.backstops, dtype=np.int64)
        self.counters = np.zeros((len(venue.markets), len(COUNTERS)), dtype=np.int64)

    def sample(self, fund: tuple[int, int], lost: tuple[int, int]) -> list[tuple[int, ...]]:
        """Return one row per market, columns as in SERIES_COLUMNS.

        `fund` is equity and balance of the fund, `lost` bad debt and socialised loss so far, all in atoms.
        """
        venue, t = self.venue, self.venue.tables
        symbols = [market.symbol for market in venue.markets]
        marks = np.empty((0, len(symbols)), dtype=np.int64)
        view = View(t, venue.rules, symbols, venue.step, self.dt_s, marks, np.zeros(len(symbols)))
        step = venue.step - 1
        counters = t.markets[:, COUNTERS]
        added, self.counters = counters - self.counters, counters
        called = int(np.count_nonzero(t.units[:, U_FLAGS] & FLAG_NOTICE))
        distressed = int(t.venue[V_LISTED_COUNT])
        held = np.array([view.lots(self.sampled, market) for market in range(len(symbols))])
        equity = view.equity_atoms(self.sampled)
        backstop = int(view.equity_atoms(self.backstops).sum())
        ratios = margin_ratios_ppm(view.maintenance_atoms(self.sampled), equity)[(held != 0).any(axis=0)]
        middle, high = quantile(ratios, 50), quantile(ratios, 90)
        rows = []
        for market in range(len(symbols)):
            row = t.markets[market]
            ask = row[M_BEST_ASK] if row[M_BEST_ASK] < row[M_PRICE_MAX_TICKS] else 0
            values = (
                step, step * self.dt_s, market, row[M_INDEX_TICKS], row[M_MARK_TICKS], row[M_LAST_TICKS],
                row[M_BEST_BID], ask, *self._depth_lots(market), *added[market], row[M_LONG_LOTS],
                row[M_FUNDING_PPB], distressed, called, *fund, backstop, *lost, middle, high,
                *(
                    leverage_ppm(np.maximum(side * held[market], 0) * view.lot_atoms[market], equity)
                    for side in (1, -1)
                ),
            )  # fmt: skip
            rows.append(tuple(int(value) for value in values))
        return rows

    def _depth_lots(self, market: int) -> tuple[int, int]:
        """Return the lots bid and offered within DEPTH_PPM of the mark."""
        t = self.venue.tables
        row = t.markets[market]
        mark, bid, ask = int(row[M_MARK_TICKS]), int(row[M_BEST_BID]), int(row[M_BEST_ASK])
        width = mark * DEPTH_PPM // PPM
        levels = t.levels[market, :, L_LOTS]
        bids = levels[max(mark - width, 1) : bid + 1].sum()
        asks = levels[ask : mark + width + 1].sum()
        return int(bids), int(asks)


def margin_ratios_ppm(maintenance_atoms: Integers, equity_atoms: Integers) -> Integers:
    """Return maintenance margin over equity, at most RATIO_MAX_PPM, which is also that of an account without equity."""
    ratio = maintenance_atoms / np.maximum(equity_atoms, 1) * PPM
    ratio = np.where(equity_atoms > 0, ratio, RATIO_MAX_PPM)
    return np.minimum(ratio, RATIO_MAX_PPM).astype(np.int64)


def quantile(values: Integers, percent: int) -> int:
    """Return the element that `percent` of the values do not exceed; 0 of no values."""
    if not len(values):
        return 0
    place = (len(values) - 1) * percent // 100
    return int(np.partition(values, place)[place])


def leverage_ppm(value_atoms: Integers, equity_atoms: Integers) -> int:
    """Return the value of all positions over the equity of all accounts that have one; 0 without any equity."""
    equity = int(equity_atoms[value_atoms > 0].sum())
    return int(value_atoms.sum()) * PPM // equity if equity > 0 else 0
