"""Twenty facts about real markets, where they lie, and what counts as like them.

`real` is the 5 % to 95 % range over 58 months of one-minute candles of perpetuals (2023 to 2026) for rows 1 to 9; one
sample, 5.7 minutes of BTCUSDT on 8 August 2024, for rows 11 and 13 to 16; Sato and Kanazawa (2024) for row 12;
Hardiman, Bercot and Bouchaud (2013) for row 17; Cheng, Deng, Wang and Yu (2021) for row 19; 19 falls of single coins on
six days for row 20. Rows 10 and 18 have no such range. `low` and `high` are what passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from delever.experiments.metrics import order_flow, returns
from delever.experiments.metrics.crash_shape import crash_shape, deepest_trough
from delever.experiments.metrics.impact import impact_exponent

from .observed import BANDS_BP, Observed

Values = tuple[float, ...] | None
Bound = float | None

MINUTES_MIN = 1_000
"""Fewer minutes say nothing about the returns of a minute: ten of these are the largest percent."""


class Fact(NamedTuple):
    """One row of the scorecard."""

    row: int
    name: str
    parts: tuple[str, ...]
    """What each of its numbers is; one number may go without a name."""
    low: tuple[Bound, ...]
    high: tuple[Bound, ...]
    real: tuple[tuple[float, float], ...]
    """Range of each number in real markets; empty where none is known."""
    measure: Callable[[Observed], Values]
    """Its numbers in a market; None if what is known of the market does not tell."""
    compulsory: bool = False
    falling: bool = False
    """Whether the numbers have to fall from the first to the last as well."""

    def passes(self, values: Values) -> bool | None:
        """Say whether numbers are like those of real markets; None if there are none."""
        if values is None or any(np.isnan(values)):
            return None
        inside = all(
            (low is None or value >= low) and (high is None or value <= high)
            for value, low, high in zip(values, self.low, self.high, strict=True)
        )
        falls = all(before > after for before, after in pairwise(values))
        return inside and (falls or not self.falling)


def _returns(seen: Observed) -> np.ndarray:
    close = seen.minutes.close
    return returns.log_returns(close) if len(close) >= MINUTES_MIN else np.full(3, np.nan)


def _tail(seen: Observed) -> Values:
    return (returns.hill_index(np.abs(_returns(seen))),)


def _two_tails(seen: Observed) -> Values:
    moves = _returns(seen)
    return returns.hill_index(-moves[moves < 0]), returns.hill_index(moves[moves > 0])


def _kurtosis(seen: Observed) -> Values:
    close = seen.minutes.close
    if len(close) < MINUTES_MIN:
        return None
    one, five, hour = (returns.excess_kurtosis(returns.log_returns(close, every)) for every in (1, 5, 60))
    return one, five, hour


def _memory(seen: Observed) -> Values:
    moves = _returns(seen)
    one, two, ten = (returns.autocorrelation(moves, lag) for lag in (1, 2, 10))
    return one, two, ten


def _skewness(seen: Observed) -> Values:
    return (returns.skewness(_returns(seen)),)


def _clustering(seen: Observed) -> Values:
    sizes = np.abs(_returns(seen))
    one, ten, hundred, five_hundred = (returns.autocorrelation(sizes, lag) for lag in (1, 10, 100, 500))
    return one, ten, hundred, five_hundred


def _decay(seen: Observed) -> Values:
    return (returns.decay_exponent(np.abs(_returns(seen)), returns.DECAY_LAGS),)


def _volume(seen: Observed) -> Values:
    if seen.minutes.volume is None or len(seen.minutes.volume) < MINUTES_MIN:
        return None
    with np.errstate(divide="ignore"):
        busy = np.log(seen.minutes.volume[1:])
    return (returns.correlation(np.abs(_returns(seen)), busy),)


def _leverage(seen: Observed) -> Values:
    moves = _returns(seen)
    return (returns.correlation(moves[:-1], np.abs(moves[1:])),)


def _variance(seen: Observed) -> Values:
    return None if len(seen.minutes.close) < MINUTES_MIN else (returns.variance_ratio(seen.minutes.close, 10),)


def _signs(seen: Observed) -> Values:
    if seen.orders is None:
        return None
    signs = seen.orders["sign"].to_numpy(dtype=np.float64)
    return returns.autocorrelation(signs, 1), returns.decay_exponent(signs, order_flow.SIGN_LAGS)


def _impact(seen: Observed) -> Values:
    return None if seen.impacts is None else (impact_exponent(*seen.impacts),)


def _sizes(seen: Observed) -> Values:
    return None if seen.orders is None else (order_flow.size_tail(seen.orders["size"].to_numpy(dtype=np.float64)),)


def _spread(seen: Observed) -> Values:
    return None if seen.quotes is None else order_flow.held_shares(seen.quotes.spread_ticks, seen.quotes.held_s)


def _added(seen: Observed) -> Values:
    return None if seen.added_per_order is None else (seen.added_per_order,)


def _depth(seen: Observed) -> Values:
    return None if seen.depth is None else order_flow.depth_profile(BANDS_BP, seen.depth)


def _endogenous(seen: Observed) -> Values:
    if seen.quotes is None:
        return None
    moved = np.flatnonzero(np.diff(seen.quotes.middle) != 0) + 1
    duration_s = float(seen.quotes.times_s[-1] + seen.quotes.held_s[-1])
    return (order_flow.branching_ratio(seen.quotes.times_s[moved], duration_s),)


def _asymmetry(seen: Observed) -> Values:
    falls, rises = _two_tails(seen) or (float("nan"), float("nan"))
    return (falls - rises,)


def _forced(seen: Observed) -> Values:
    return None if seen.forced is None else (seen.forced.long_daily, seen.forced.short_daily)


def _crash(seen: Observed) -> Values:
    minutes = seen.minutes
    trough = deepest_trough(minutes.low, minutes.close)
    if trough is None or minutes.volume is None:
        return None
    shape = crash_shape(minutes.low, minutes.close, minutes.volume, minutes.taker_buy, trough)
    return shape.depth, shape.volume_ratio, shape.sigma_ratio, shape.recovered


FACTS = (
    Fact(1, "tail exponent of 1-minute returns", ("",), (2.3,), (4.5,), ((2.58, 4.07),), _tail, compulsory=True),
    Fact(2, "tail exponents of falls and of rises", ("falls", "rises"), (2.0, 2.0), (5.0, 5.0),
         ((2.19, 4.38), (2.58, 4.84)), _two_tails),
    Fact(3, "excess kurtosis, falling with the horizon", ("1 min", "5 min", "60 min"), (4.0, None, None),
         (None, None, None), ((5, 1186), (5, 747), (1.6, 30)), _kurtosis, falling=True),
    Fact(4, "autocorrelation of returns", ("lag 1", "lag 2", "lag 10"), (-0.2, -0.2, -0.05), (0.1, 0.1, 0.05),
         ((-0.17, 0.03), (-0.03, 0.02), (-0.02, 0.04)), _memory, compulsory=True),
    Fact(5, "skewness of returns", ("",), (-10.0,), (0.5,), ((-9.8, 0.4),), _skewness),
    Fact(6, "autocorrelation of absolute returns", ("1 min", "10 min", "100 min", "500 min"),
         (0.1, 0.05, 0.02, 0.0), (0.5, 0.35, None, None),
         ((0.15, 0.40), (0.07, 0.24), (0.03, 0.15), (0.01, 0.10)), _clustering, compulsory=True),
    Fact(7, "how fast that memory decays (exponent)", ("",), (0.1,), (0.6,), ((0.16, 0.48),), _decay),
    Fact(8, "correlation of absolute return and log volume", ("",), (0.25,), (0.75,), ((0.34, 0.52),), _volume),
    Fact(9, "leverage effect: correlation of return and next absolute return", ("",), (-0.25,), (0.05,),
         ((-0.15, 0.02),), _leverage),
    Fact(10, "variance ratio, 10 minutes to 1", ("",), (0.8,), (1.1,), (), _variance),
    Fact(11, "signs of market orders: autocorrelation and decay", ("lag 1", "exponent"), (0.05, 0.3), (0.5, 0.8),
         ((0.21, 0.21), (0.52, 0.52)), _signs),
    Fact(12, "impact of meta-orders grows as size to the power", ("",), (0.40,), (0.60,), ((0.4875, 0.4905),), _impact,
         compulsory=True),
    Fact(13, "tail exponent of market order sizes", ("",), (1.0,), (2.5,), ((1.06, 1.19),), _sizes),
    Fact(14, "spread", ("mean, ticks", "time at one tick"), (1.0, 0.5), (3.0, None),
         ((1.14, 1.14), (0.991, 0.991)), _spread),
    Fact(15, "growths of a level for one market order", ("",), (5.0,), (50.0,), ((21, 21),), _added),
    Fact(16, "depth grows away from the best price", ("densest band ends, bp", "10 bp over 1 bp"), (2.0, 5.0),
         (None, 60.0), ((5, 5), (26, 26)), _depth),
    Fact(17, "branching ratio of moves of the middle", ("",), (0.5,), (1.0,), ((0.6, 1.0),), _endogenous),
    Fact(18, "falls heavier than rises: difference of their tail exponents", ("",), (None,), (0.0,),
         (), _asymmetry),
    Fact(19, "liquidated in a day, of open interest", ("longs", "shorts"), (0.005, 0.005), (0.06, 0.06),
         ((0.0351, 0.0351), (0.0189, 0.0189)), _forced),
    Fact(20, "shape of the deepest fall", ("depth", "volume ×", "sigma ×", "back in 60 min"), (0.11, 12.0, 3.0, 0.40),
         (0.34, 69.0, 21.0, 0.94), ((0.11, 0.34), (12, 69), (3, 21), (0.40, 0.94)), _crash),
)  # fmt: skip
"""All rows, by number."""


def measured(seen: Observed) -> dict[str, Any]:
    """Return the numbers of every row of a market, as lists or None: what a run of `delever validate` keeps."""
    found = {str(fact.row): fact.measure(seen) for fact in FACTS}
    return {row: None if values is None else [float(value) for value in values] for row, values in found.items()}


class Scored(NamedTuple):
    """A row with its numbers (median over markets or seeds) and whether it passes; None: not to be told."""

    fact: Fact
    each: list[list[float]]
    """Its numbers in every market in which it can be told."""
    values: Values
    passed: bool | None


def scored(found: Sequence[dict[str, Any]]) -> list[Scored]:
    """Return every row with the medians over what `measured` found in one or more markets; NaN counts as not found.

    A row that less than half of the markets tell is not told.
    """
    rows = []
    for fact in FACTS:
        known = [values for one in found if (values := one[str(fact.row)]) is not None and not any(np.isnan(values))]
        enough = known and 2 * len(known) >= len(found)
        medians = tuple(float(value) for value in np.median(known, axis=0)) if enough else None
        rows.append(Scored(fact, known, medians, fact.passes(medians)))
    return rows


def score(rows: Sequence[Scored]) -> int:
    """Return how many rows pass."""
    return sum(row.passed is True for row in rows)
