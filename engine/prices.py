"""What a venue remembers for index and mark rules that look beyond one price and one moment (R-P5 to R-P12, R-I)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .formulas import BOOK, mark_component_ticks
from .impact import impact_microticks
from .rules.base import PPB, PPM
from .rules.mark import MarkInputs, average_alpha_ppm
from .rules.mark_parts import MISSING
from .rules.ruleset import RuleSet
from .tables import (
    G_STEP,
    G_TICKS,
    H_INDEX_TICKS,
    H_LOTS,
    H_VALUE_TICKS,
    M_BASIS_MICROTICKS,
    M_BEST_ASK,
    M_BEST_BID,
    M_COUNTED_STEP,
    M_COUNTED_TICKS,
    M_FUNDING_PPB,
    M_IMPACT_STEP,
    M_IMPACT_TICKS,
    M_INDEX_MEAN_MICROTICKS,
    M_INDEX_STEP,
    M_INDEX_TICKS,
    M_LAST_TICKS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    M_SEEN_ASK,
    M_SEEN_BID,
    M_SEEN_STEP,
    M_SPARE_MICROTICKS,
    M_TIERS,
    TIER_INITIAL_PPM,
    V_GUARD_PPM,
    V_HISTORY_ROWS,
    V_NOTE_TRADES,
    V_PREMIUM_RULE,
)
from .trades import ALL_TRADES, FREE_TRADES, NO_TRADES

if TYPE_CHECKING:
    from .venue import Venue

PAYMENT_LIMIT = 2**53  # a thousand of the largest payments fit into the sum
NEVER = -1  # step of what has not happened
PRICE_SWITCHES = (V_NOTE_TRADES, V_HISTORY_ROWS, V_GUARD_PPM, V_PREMIUM_RULE)
SEEN_STEPS = (M_COUNTED_STEP, M_SEEN_STEP, M_IMPACT_STEP)


def history_rows(rules: RuleSet) -> int:
    """Return how many steps `history` must hold at steps of one second, 0 if no rule looks back."""
    mark, funding = rules.mark, rules.charges.funding
    seconds = [mark.trades.window_s] if mark.trades is not None else []
    seconds += [mark.index.delay_s] if mark.index is not None and mark.index.delay_s else []
    if funding is not None and funding.premium is not None and funding.premium.median_s is not None:
        seconds.append(funding.premium.median_s)
    return 1 + max(seconds) if seconds else 0


def source_count(rules: RuleSet) -> int:
    """Return of how many sources the index is made, 0 if the world gives one price."""
    return 0 if rules.mark.index is None else len(rules.mark.index.weights)


def check_prices(rules: RuleSet, largest_per_lot: Sequence[tuple[str, int]]) -> None:
    """Refuse a sum of funding that 64 bits could not hold; given are (symbol, largest value of a lot in atoms)."""
    funding = rules.charges.funding
    if funding is None or funding.cumulative is None:
        return
    for symbol, atoms in largest_per_lot:
        if funding.cap_ppb * atoms * 10**funding.cumulative.decimals > PAYMENT_LIMIT * PPB:
            raise ValueError(
                f"{symbol}: a lot may be worth {atoms} atoms, and charges.funding.cumulative counts in 10**-"
                f"{funding.cumulative.decimals} atoms: the sum could overflow 64 bits; lower decimals or lots"
            )


def fill_prices(venue: NDArray[np.int64], markets: NDArray[np.int64], rules: RuleSet) -> None:
    """Copy what kernels need of index, mark and premium rules, and start what they remember."""
    mark, funding = rules.mark, rules.charges.funding
    noted = ALL_TRADES if mark.trades is None or mark.trades.count_forced else FREE_TRADES
    venue[list(PRICE_SWITCHES)] = (
        noted if mark.trades is not None or mark.composite is not None else NO_TRADES,
        history_rows(rules),
        0 if mark.guard is None else mark.guard.deviation_ppm,
        int(funding is not None and funding.has_own_samples),
    )
    for step in SEEN_STEPS:
        markets[:, step] = NEVER


class Prices:
    """The memory of one venue's index and mark rules: all of it in the tables, nothing here."""

    def __init__(self, venue: Venue) -> None:
        """Read the rules of a venue; its tables are there already."""
        self.venue = venue
        self.t = venue.tables
        self.rule = venue.rules.mark
        guard, composite = self.rule.guard, self.rule.composite
        self._guard_alpha = average_alpha_ppm(guard.window_s, venue.dt_s) if guard is not None else 0
        spare = composite.spare if composite is not None else None
        self._spare_alpha = average_alpha_ppm(spare.window_s, venue.dt_s) if spare is not None else 0
        self._rows = int(self.t.venue[V_HISTORY_ROWS])
        self._samples = composite is not None or self.rule.impact is not None

    def begin_step(self) -> None:
        """Forget the oldest step of the history, and take the index before this step's into its average (R-P12)."""
        markets = self.t.markets
        if self._rows:
            self.t.history[:, self.venue.step % self._rows] = 0
        if self._guard_alpha:
            if self.venue.step == 0:
                markets[:, M_INDEX_MEAN_MICROTICKS] = markets[:, M_INDEX_TICKS] * PPM
            gap = markets[:, M_INDEX_TICKS] * PPM - markets[:, M_INDEX_MEAN_MICROTICKS]
            markets[:, M_INDEX_MEAN_MICROTICKS] += _share(gap, self._guard_alpha)

    def index_ticks(self, given: NDArray[np.int64]) -> list[int]:
        """Return the index of every market from one price each, or one for each source (R-I1 to R-I4).

        given: (M,) for all sources alike, or (M, sources) with 0 for a source that says nothing now. Modifies `sources`
        and `history`.
        """
        rule, step = self.rule.index, self.venue.step
        if rule is None:
            return [int(price) for price in given]
        prices = []
        for market, said in enumerate(given.tolist()):
            row = self.t.sources[market]
            for source in range(len(row)):
                price = said[source] if isinstance(said, list) else said
                if price > 0:
                    row[source] = price, step
            ages = [(step - at) * self.venue.dt_s for at in row[:, G_STEP].tolist()]
            index = rule.price_ticks(row[:, G_TICKS].tolist(), ages)
            if index > 0:
                self.t.markets[market, M_INDEX_STEP] = step
            prices.append(self._delayed(market, index, self.venue.steps(rule.delay_s)))
        return prices

    def _delayed(self, market: int, index: int, steps: int) -> int:
        """Return the index of so many steps ago; without a new one (0) the last, before the first that at opening."""
        known, step = int(self.t.markets[market, M_INDEX_TICKS]), self.venue.step
        if steps == 0:
            return index or known
        history = self.t.history[market]
        if index == 0:
            index = int(history[(step - 1) % self._rows, H_INDEX_TICKS]) if step else known
        history[step % self._rows, H_INDEX_TICKS] = index
        assert steps < self._rows
        return int(history[(step - steps) % self._rows, H_INDEX_TICKS]) if step >= steps else known

    def sample(self) -> None:
        """Remember what the book of this step says (R-P6, R-P7, R-P9); part of the mark phase."""
        if not self._samples:
            return
        step = self.venue.step
        impact = self.rule.impact
        for market, row in enumerate(self.t.markets):
            bid, ask = int(row[M_BEST_BID]), int(row[M_BEST_ASK])
            if bid > 0 and ask < row[M_PRICE_MAX_TICKS]:
                row[M_SEEN_BID], row[M_SEEN_ASK], row[M_SEEN_STEP] = bid, ask, step
                if self._spare_alpha:
                    self._sample_spare(row)
            if impact is not None:
                symbol = self.venue.markets[market].symbol
                mid = self.impact_mid_ticks(market, impact.notional_atoms(self.initial_ppm(market), symbol))
                if mid > 0:
                    row[M_IMPACT_TICKS], row[M_IMPACT_STEP] = mid, step

    def _sample_spare(self, row: NDArray[np.int64]) -> None:
        """Take the median of bid, ask and last trade into its moving average; the first one starts it (R-P9)."""
        last, _ = self._last(row)
        bid, ask, index = row[[M_SEEN_BID, M_SEEN_ASK, M_INDEX_TICKS]].tolist()
        at = mark_component_ticks(BOOK, last, bid, ask, index, 0) * PPM
        before = int(row[M_SPARE_MICROTICKS])
        row[M_SPARE_MICROTICKS] = before + (at - before) * self._spare_alpha // PPM if before else at

    def _last(self, row: NDArray[np.int64]) -> tuple[int, int]:
        """Return the last trade that counts (0: none) and its step."""
        if self.rule.trades is None:
            return int(row[M_LAST_TICKS]), int(row[M_COUNTED_STEP])
        return int(row[M_COUNTED_TICKS]), int(row[M_COUNTED_STEP])

    def initial_ppm(self, market: int) -> int:
        """Return the initial margin rate of a market's first tier."""
        return int(self.t.tiers[self.t.markets[market, M_TIERS], TIER_INITIAL_PPM])

    def impact_mid_ticks(self, market: int, notional_atoms: int) -> int:
        """Return the mean of a cash amount's average prices on both sides, rounded down; 0 if the book is short."""
        bid = impact_microticks(self.t, market, -1, notional_atoms)
        ask = impact_microticks(self.t, market, 1, notional_atoms)
        return max(1, (bid + ask) // (2 * PPM)) if bid > 0 and ask > 0 else 0

    def inputs(self, market: int) -> MarkInputs:
        """Return all that a mark rule may look at, at the end of the samples of this step."""
        row, step, rule = self.t.markets[market], self.venue.step, self.rule
        last, last_step = self._last(row)
        bid, ask, top = (int(row[column]) for column in (M_BEST_BID, M_BEST_ASK, M_PRICE_MAX_TICKS))
        if rule.composite is not None:
            bid, ask = int(row[M_SEEN_BID]), int(row[M_SEEN_ASK])
        funding, interval, left = self.venue.funding_clock()
        sources: Sequence[Sequence[int]] = self.t.sources[market].tolist()
        return MarkInputs(
            last,
            bid,
            ask if ask < top else 0,
            int(row[M_INDEX_TICKS]),
            int(row[M_BASIS_MICROTICKS]),
            int(row[M_FUNDING_PPB]) if funding else 0,
            left,
            interval,
            mark_ticks=int(row[M_MARK_TICKS]),
            impact_ticks=self._impact(row),
            trades_ticks=self._trades_ticks(market, last),
            spare_ticks=(2 * int(row[M_SPARE_MICROTICKS]) + PPM) // (2 * PPM),
            source_ticks=tuple(source[G_TICKS] for source in sources),
            book_age_s=self._age(int(row[M_SEEN_STEP])),
            impact_age_s=self._age(int(row[M_IMPACT_STEP])),
            trade_age_s=self._age(last_step),
            index_age_s=self._age(int(row[M_INDEX_STEP]) if rule.index is not None else step),
            source_ages_s=tuple(self._age(source[G_STEP] if source[G_TICKS] else NEVER) for source in sources),
        )

    def _impact(self, row: NDArray[np.int64]) -> int:
        """Return the impact mid: the last there was for a composite, else that of this step or 0."""
        fresh = self.rule.composite is not None or row[M_IMPACT_STEP] == self.venue.step
        return int(row[M_IMPACT_TICKS]) if fresh else 0

    def _trades_ticks(self, market: int, last_ticks: int) -> int:
        """Return the average of the trades in the window, or the last one that counts if none has weight (R-P8)."""
        rule = self.rule.trades
        if rule is None:
            return 0
        steps = min(self.venue.step, rule.window_s // self.venue.dt_s, self._rows - 1)
        rows = (self.venue.step - np.arange(steps + 1)) % self._rows
        lots, values = self.t.history[market, rows][:, [H_LOTS, H_VALUE_TICKS]].T.tolist()
        return rule.average_ticks(lots, values, self.venue.dt_s) or last_ticks

    def _age(self, step: int) -> int:
        """Return how long ago a step was in seconds, MISSING for NEVER."""
        return (self.venue.step - step) * self.venue.dt_s if step != NEVER else MISSING


def _share(amounts: NDArray[np.int64], alpha_ppm: int) -> NDArray[np.int64]:
    """Return amounts * alpha / 10**6 rounded down; the amounts are prices in microticks."""
    assert (np.abs(amounts) < 2**42).all(), "a price is at most 2**20 ticks"
    shares: NDArray[np.int64] = amounts * alpha_ppm // PPM
    return shares
