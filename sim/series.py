"""One row per recorded step and market: prices, depth, volume, open interest, and how healthy accounts are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delever.agents.account import account_equity_atoms, account_maintenance_atoms, held_atoms, position_row
from delever.engine.kernel import kernel
from delever.engine.tables import (
    A_KEY,
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
    P_LOTS,
    V_CALLED,
    V_LISTED_COUNT,
    V_MARKETS,
    Tables,
)
from delever.engine.venue import Venue

Integers = NDArray[np.int64]

PPM = 1_000_000
DEPTH_PPM = 10_000
SAMPLE_MAX = 4_096
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
        self._ratios_ppm = np.zeros(len(self.sampled), dtype=np.int64)
        self._sides = np.zeros((len(venue.markets), 2, 2), dtype=np.int64)
        self.counters = np.zeros((len(venue.markets), len(COUNTERS)), dtype=np.int64)

    def sample(self, fund: tuple[int, int], lost: tuple[int, int]) -> list[tuple[int, ...]]:
        """Return one row per market, columns as in SERIES_COLUMNS.

        `fund` is equity and balance of the fund, `lost` bad debt and socialised loss so far, all in atoms.
        """
        venue, t = self.venue, self.venue.tables
        step = venue.step - 1
        counters = t.markets[:, COUNTERS]
        added, self.counters = counters - self.counters, counters
        called, distressed = t.venue.item(V_CALLED), t.venue.item(V_LISTED_COUNT)
        venue.lap("record")
        backstop = equity_together_atoms(t, self.backstops)
        holders = survey(t, self.sampled, self._ratios_ppm, self._sides)
        venue.lap("survey")
        middle, high = quantiles(self._ratios_ppm[:holders], (50, 90))
        rows = []
        for market, row in enumerate(t.markets.tolist()):
            ask = row[M_BEST_ASK] if row[M_BEST_ASK] < row[M_PRICE_MAX_TICKS] else 0
            values = (
                step, step * self.dt_s, market, row[M_INDEX_TICKS], row[M_MARK_TICKS], row[M_LAST_TICKS],
                row[M_BEST_BID], ask, *self._depth_lots(market, row), *added[market].tolist(), row[M_LONG_LOTS],
                row[M_FUNDING_PPB], distressed, called, *fund, backstop, *lost, middle, high,
                *(leverage_ppm(*side) for side in self._sides[market].tolist()),
            )  # fmt: skip
            rows.append(values)
        return rows

    def _depth_lots(self, market: int, row: list[int]) -> tuple[int, int]:
        """Return the lots bid and offered within DEPTH_PPM of the mark; `row` is that of the market."""
        mark, bid, ask = row[M_MARK_TICKS], row[M_BEST_BID], row[M_BEST_ASK]
        width = mark * DEPTH_PPM // PPM
        levels = self.venue.tables.levels[market, :, L_LOTS]
        bids = levels[max(mark - width, 1) : bid + 1].sum()
        asks = levels[ask : mark + width + 1].sum()
        return int(bids), int(asks)


@kernel
def survey(t: Tables, accounts: Integers, ratios_ppm: Integers, sides: Integers) -> int:
    """Describe the health of accounts; return how many hold a position.

    The first so many of `ratios_ppm` (n,) get maintenance margin over equity of those who do, at most RATIO_MAX_PPM,
    which is also that of an account without equity. `sides` (M, 2, 2) gets for longs and for shorts of each market the
    value of their positions and the equity of the accounts that have them.
    """
    sides[:] = 0
    count = 0
    for i in range(accounts.shape[0]):
        account = accounts[i]
        equity = account_equity_atoms(t, account)
        holds = False
        for market in range(t.venue[V_MARKETS]):
            lots = t.positions[position_row(t, account, market), P_LOTS]
            if lots != 0:
                holds = True
                side = 0 if lots > 0 else 1
                sides[market, side, 0] += held_atoms(t, market, lots)
                sides[market, side, 1] += equity
        if holds:
            ratio = RATIO_MAX_PPM
            if equity > 0:
                share = account_maintenance_atoms(t, account) / equity * PPM
                ratio = int(min(share, float(RATIO_MAX_PPM)))
            ratios_ppm[count] = ratio
            count += 1
    return count


@kernel
def equity_together_atoms(t: Tables, accounts: Integers) -> int:
    """Return the sum of the equities of accounts."""
    total = 0
    for i in range(accounts.shape[0]):
        total += account_equity_atoms(t, accounts[i])
    return total


def quantiles(values: Integers, percents: Sequence[int]) -> list[int]:
    """Return the elements that so many percent of the values do not exceed; zeros of no values."""
    if not len(values):
        return [0] * len(percents)
    places = [(len(values) - 1) * percent // 100 for percent in percents]
    ordered = np.partition(values, places)
    return [ordered.item(place) for place in places]


def leverage_ppm(value_atoms: int, equity_atoms: int) -> int:
    """Return the value of positions over the equity of the accounts that have them; 0 without any equity."""
    return value_atoms * PPM // equity_atoms if equity_atoms > 0 else 0
