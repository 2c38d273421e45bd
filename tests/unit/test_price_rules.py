"""Rules of mark, index and funding alone: averages, published numbers, and combinations that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from delever.engine.averages import kept_within, median, towards_zero, trimmed_mean, weighted_mean, weighted_median
from delever.engine.rules.charges import Funding
from delever.engine.rules.funding_parts import (
    Continuous,
    CumulativeIndex,
    InterestRates,
    MarginCap,
    Premium,
    Twap,
    Velocity,
    index_settlement,
)
from delever.engine.rules.index import Index
from delever.engine.rules.io import RuleError, load_rules
from delever.engine.rules.mark import Mark
from delever.engine.rules.mark_parts import MISSING, Composite, Impact, SpareAverage, Trades


def test_medians_of_any_number() -> None:
    assert [median(values) for values in ([7], [7, 4], [9, 1, 5], [4, 1, 2, 9])] == [7, 5, 5, 3]
    assert weighted_median([1, 2, 3], [1, 1, 2]) == 2  # half of the weight is at or below 2: (2 + 3) // 2
    assert weighted_median([1, 2, 3], [1, 1, 3]) == 3
    assert weighted_mean([1, 2], [1, 2]) == 1
    assert trimmed_mean([9, 1, 5, 6], [1, 1, 1, 1]) == 5 and trimmed_mean([9, 1], [1, 1]) == 5
    assert [towards_zero(value, 4) for value in (7, -7, 8, -8)] == [1, -1, 2, -2]
    assert [kept_within(value, 101, 50_000) for value in (90, 100, 120)] == [96, 100, 106]


def test_composite_of_what_exists() -> None:
    mean = Composite(method="mean", weights=(1, 4, 5))
    assert mean.price_ticks((15_930, 15_900, 16_000), (0, 0, 0), 0) == 15_953
    assert mean.price_ticks((15_930, 15_900, 16_000), (MISSING, 0, 0), 0) == 15_955
    assert mean.price_ticks((1, 2, 3), (MISSING,) * 3, 0) == 0
    spare = Composite(spare=SpareAverage())
    assert spare.price_ticks((100, 110, 90), (0, 0, MISSING), 103) == 103
    assert spare.price_ticks((100, 110, 90), (0, 0, 0), 103) == 100


def test_trades_lose_weight_over_the_window() -> None:
    rule = Trades(window_s=4, decay_ppm=1_000_000)
    lots, prices = (0, 5, 3, 1, 2), (0, 15_990, 15_960, 15_940, 15_920)
    values = [lot * price for lot, price in zip(lots, prices, strict=True)]
    assert rule.average_ticks(lots, values, 1) == 15_979
    assert rule.average_ticks((0,) * 4 + (2,), (0,) * 4 + (31_840,), 1) == 0
    assert Trades(window_s=4).average_ticks((1, 0, 1), (100, 0, 200), 2) == 150


def test_index_of_several_sources() -> None:
    rule = Index(weights=(3, 2, 1), outliers="drop", stale_s=5)
    assert rule.price_ticks((100, 101, 160), (0, 0, 0)) == 100
    assert rule.price_ticks((100, 101, 160), (6, 6, 0)) == 160
    assert rule.price_ticks((100, 101, 160), (6, 6, 6)) == 0
    assert Index(weights=(1, 1), outliers="drop").price_ticks((100, 200), (0, 0)) == 150


def test_published_funding() -> None:
    """DYdX v4 liquidity tiers and funding index; Vega 0019-MCAL-026 to 030; BitMEX and Hyperliquid examples."""
    assert MarginCap(factor_ppm=6_000_000).cap_ppb(50_000, 30_000) == 120_000_000
    assert MarginCap(factor_ppm=6_000_000).cap_ppb(150_000, 120_000) == 180_000_000
    assert MarginCap(factor_ppm=3_000_000).cap_ppb(1_000_000, 0) == 3_000_000_000
    assert Impact(notional_quote=500, over_initial_rate=True).notional_atoms(100_000) == 5_000_000_000
    assert CumulativeIndex(decimals=0).delta(-1_001_999_000, 1_000, 1, 28_800, 28_800) == -1_001
    assert index_settlement(100, -100, 30_000) == -6_000_000
    assert index_settlement(-50, 100, -5_000_000) == -750_000_000
    nano = 10**9
    assert Twap(low_ppb=-nano, high_ppb=nano).payment_nanoticks(1_600 * nano, 1_600 * nano, 100_000) == 160_000_000
    assert Twap(low_ppb=-nano, high_ppb=50_000_000).payment_nanoticks(1_500 * nano, 1_600 * nano, 0) == -20 * nano
    assert Twap(low_ppb=-50_000_000, high_ppb=nano).payment_nanoticks(1_700 * nano, 1_600 * nano, 0) == 20 * nano
    assert InterestRates(quote_ppb=10_000_000, base_ppb=2_500_000).interest_ppb() == 2_500_000
    hourly = Funding(interval_s=3_600)
    assert hourly.period_rate_ppb(10_000_000) == 9_500_000
    assert hourly.rate_ppb(10_000_000, 1) == 1_187_500


def test_damper_and_speed() -> None:
    rule = Continuous(damper_ppb=500_000)
    assert [rule.damped_ppb(premium) for premium in (600_000, 500_000, 0, -700_000)] == [100_000, 0, 0, -200_000]
    speed = Velocity(skew_scale_lots=100, velocity_ppb=86_400_000)
    assert [speed.change_ppb(skew, 10) for skew in (50, 100, 500, -50)] == [5_000, 10_000, 10_000, -5_000]
    assert Funding(interval_s=1, period_s=7, continuous=rule).share_ppb(9_500_000, 6) == (1_357_143, 5)


@pytest.mark.parametrize(
    ("rule", "parts", "message"),
    [
        (Mark, {"components": ("trades",)}, "the component trades needs mark.trades"),
        (Mark, {"components": ("impact",)}, "the component impact needs mark.impact"),
        (Mark, {"impact": Impact(notional_quote=1)}, "which is not among the components"),
        (Mark, {"components": ("source_2",), "index": Index()}, "source_2 needs mark.index with so many weights"),
        (Mark, {"composite": Composite(weights=(1,))}, "one number for each of the 3 components"),
        (Composite, {"weights": (0, 0)}, "one above 0"),
        (Index, {"weights": (0,)}, "weights must be 1 to 64 numbers"),
        (Premium, {"source": "impact"}, "give both or neither"),
        (Twap, {"low_ppb": 1}, "low_ppb must not be above high_ppb"),
        (Funding, {"twap": Twap(), "premium": Premium()}, "premium has no place in it"),
        (Funding, {"continuous": Continuous(), "cumulative": CumulativeIndex()}, "cumulative has no place in it"),
        (Funding, {"interval_s": 90, "premium": Premium(median_s=60)}, "must be a multiple of premium.median_s"),
    ],
)
def test_what_means_nothing_is_refused(rule: Any, parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule(**parts)


def test_no_payment_per_tick_for_inverse_contracts() -> None:
    inverse = 'contract.payoff="inverse",contract.inverse={currency="BTC",units_per_coin=100,face_quote=1}'
    with pytest.raises(RuleError, match=r"charges.funding.twap pays so much per lot for each tick"):
        load_rules(f"textbook,{inverse},charges.funding.twap={{low_ppb=0}}")
