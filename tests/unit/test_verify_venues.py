"""Worked examples of `delever verify` with other numbers, sides and sizes than the published ones, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from delever.engine.rules.schedules import Bracketed
from delever.experiments.verify.cases import Case
from delever.experiments.verify.catalogue import EXAMPLES
from delever.experiments.verify.command import judge

BNB = [[0, 0.0065, 0], [10_000, 0.01, 35], [50_000, 0.02, 535], [250_000, 0.05, 8035], [1_000_000, 0.1, 58035]]
LONGS = [["a", 5, 2], ["b", 7.5, -1], ["c", 2.5, 9], ["d", 5, 0], ["e", 5, -3]]

BY_HAND: list[tuple[str, str, dict[str, Any], dict[str, Any], float]] = [
    ("Binance", "adl_rank", {"upnl": 1, "wb": 0.5, "margin_ratio": 0.1}, {"pnl_percent": 1, "leverage_pnl": 0.1}, 1e-6),
    ("Binance USD-M", "margin", {"symbol": "B", "notional": 0.0, "tiers": BNB},
     {"mmr": 0.0065, "maintenance_amount": 0}, 0),
    ("Binance USD-M", "margin", {"symbol": "B", "notional": 999_999.9, "tiers": BNB},
     {"mmr": 0.05, "maintenance_amount": 8035}, 0),
    ("Binance USD-M", "margin", {"floor": 50_000, "r1": 0.005, "r0": 0.004, "prev": 0}, {"maintenance_amount": 50}, 0),
    ("Binance COIN-M", "margin", {"floor": 20, "r1": 0.025, "r0": 0.01, "prev": 0.06},
     {"maintenance_amount_btc": 0.36}, 1e-9),
    ("Binance USD-M", "adl_rank", {"upnl": -3.5, "wb": 10, "margin_ratio": 0.5}, {"leverage_pnl": 0}, 1e-9),
    ("Binance USD-M", "adl_rank", {"upnl": 500, "wb": 20.5, "margin_ratio": 0.02},
     {"pnl_percent": 24.390244, "leverage_pnl": 0.487805}, 1e-4),
    ("Binance USD-M", "adl_rank", {"upnl": 0, "wb": 20.5, "margin_ratio": 0.02},
     {"pnl_percent": 0, "leverage_pnl": 0}, 1e-9),
    ("Hyperliquid", "margin", {"max_leverage": 50}, {"mmr": 0.01}, 1e-9),
    ("Hyperliquid", "margin", {"floors": [0, 3e7], "max_leverage": [3, 2]}, {"maintenance_deduction": [0, 2.5e6]}, 40),
    ("Hyperliquid", "funding", {"impact_ask": 9900.0, "oracle": 10_000.0, "interest": 0.0001, "cl": 0.0005},
     {"premium": -0.01, "clamped": 0.0005, "rate_8h": -0.0095}, 1e-12),
    ("Hyperliquid", "funding", {"impact_bid": 10_001.5, "oracle": 10_000.0, "interest": 0.0001, "cl": 0.0005},
     {"premium": 0.00015, "clamped": -0.00005, "rate_8h": 0.0001}, 1e-12),
    ("Hyperliquid", "funding", {"size": -2.5, "oracle": 431.7, "rate_8h": 0.0004},
     {"hourly_payment": -0.0539625}, 1e-5),
    ("Hyperliquid", "partial_liq", {"k": 0.5, "mmr": 0.05}, {"backstop_equity_ratio": 0.025}, 1e-6),
    ("Hyperliquid", "partial_liq", {"threshold": 10_000.0, "portion": 0.25, "cooldown": 7},
     {"fraction_first_order_above_threshold": 0.25, "fraction_during_cooldown": 1.0, "cooldown_s": 7,
      "fraction_below_threshold": 1.0}, 0),
    ("Deribit", "margin", {"px": 2500.5, "im0": 0.02, "mm0": 0.01, "k": 2.5e-7, "size": -1234.5},
     {"initial_margin": 62690.03, "maintenance_margin": 31821.36}, 0.01),
    ("Kraken Futures", "margin", {"contracts": -500, "entry": 6400.5, "imr": 0.04, "mmr": 0.02},
     {"position_value_xbt": 0.0781189, "im_xbt": 0.00312476, "mm_xbt": 0.00156238}, 1e-7),
    ("Kraken Futures", "partial_liq", {"sizes": {"A": -1000, "B": 250}, "filled": {"A": 1, "B": 0}},
     {"assigned": {"A": -999, "B": 250}}, 0),
    ("OKX", "partial_liq", {"position": 12_001, "tier3_floor": 12_001, "tier1_max": 500, "mmr_t3": 0.03},
     {"contracts_to_close": 11_501}, 0),
    ("OKX", "adl_execution", {"peak": 33.0, "drop": 0.25, "hours": 2}, {"adl_on_when_fund_at_or_below": 24.75}, 1e-9),
    ("dYdX v4", "partial_liq", {"no": 2000, "mn": 600.5, "portion": 0.123456},
     {"min_notional": 600.5, "max_notional": 600.5}, 0),
    ("dYdX v4", "partial_liq", {"no": 2000, "mn": 100, "portion": 0.123456},
     {"min_notional": 100, "max_notional": 246.912}, 1e-9),
    ("Crypto.com", "socialised_loss", {"deficit": 99.5, "profits": [300, 0, 98]},
     {"shares": [75, 0, 24.5], "net": [225, 0, 73.5]}, 1e-4),
    ("BitMEX", "adl_rank", {"longs": LONGS},
     {"order": ["c", "a", "d", "b", "e"], "percentile": {"c": 20, "a": 40, "d": 60, "b": 80, "e": 100}}, 0),
    ("BitMEX", "adl_execution", {"longs": LONGS, "size": 10, "bankruptcy_price": 7123.5},
     {"fills": {"c": 2.5, "a": 5, "d": 2.5}, "price": 7123.5, "left": {"a": 0, "d": 2.5}}, 0),
    ("BTCMEX", "insurance_flow", {"bankruptcy": 3000.0, "fill": 2999.5, "size": 4}, {"to_fund": -2}, 1e-9),
    ("BTCMEX", "insurance_flow", {"bankruptcy": 3000.0, "fill": 2990.25, "size": 2, "side": -1}, {"to_fund": 19.5}, 0),
    ("BitMEX", "funding", {"contracts": -7000, "entry": 700.0, "exit": 560.0, "quote_rate": 0.0006,
                           "base_rate": 0.0012, "intervals": 3},
     {"entry_value_xbt": 10, "funding_rate": -0.0002, "funding_paid_xbt": 0.002, "pnl_xbt": 2.5, "net_xbt": 2.498},
     1e-9),
    ("Bybit", "bankruptcy_price", {"size": 3.0, "entry": 500.0, "mark": 480.0, "position_margin": 30.0, "wallet": 1.0,
                                   "max_dev": 0.05}, {"bankruptcy_price": 489.6666667, "uses_mark": False}, 1e-6),
    ("CME", "prorata_matching", {"o": 130, "tot": 200, "aggr": 42}, {"alloc": 27}, 0),
    ("CME", "prorata_matching", {"orders": [3, 1, 40, 40], "aggr": 20}, {"fills": [3, 1, 8, 8]}, 0),
    ("CME", "prorata_matching", {"orders": [3, 4], "aggr": 20}, {"fills": [3, 4]}, 0),
    ("generic", "prorata_matching", {"orders": [1, 1, 1], "aggr": 2}, {"fills": [1, 1, 0]}, 0),
    ("US equities LULD", "price_band", {"ref": 3.2, "pct": 0.2}, {"lower": 2.56, "upper": 3.84}, 1e-9),
    ("US equities LULD", "price_band", {"pct": 0.1, "mult": 2}, {"open_close_pct": 0.2}, 1e-12),
]  # fmt: skip


@pytest.mark.parametrize(
    ("venue", "kind", "inputs", "expected", "within"),
    BY_HAND,
    ids=[f"{row[0]} {row[1]} {i}" for i, row in enumerate(BY_HAND)],
)
def test_examples_are_played_in_general(
    venue: str, kind: str, inputs: dict[str, Any], expected: dict[str, Any], within: float
) -> None:
    tolerance = {"type": "abs", "value": within}
    rows = {"id": "x", "venue": venue, "kind": kind, "inputs": inputs, "expected": expected, "tolerance": tolerance}
    verdict = judge(Case.model_validate(rows), EXAMPLES)
    assert verdict.outcome == "passed", verdict.lines


@pytest.mark.parametrize(
    ("kind", "inputs", "expected", "says"),
    [
        ("price_band", {"pct": 0.1, "mult": 3}, {"open_close_pct": 0.3}, "doubled"),
        ("span_scenario", {"array": [1]}, {"requirement": 1}, "scenarios"),
    ],
)
def test_what_the_engine_lacks_is_named(kind: str, inputs: dict[str, Any], expected: dict[str, Any], says: str) -> None:
    tolerance = {"type": "abs", "value": 0}
    rows = {"id": "x", "venue": "Binance", "kind": kind, "inputs": inputs, "expected": expected, "tolerance": tolerance}
    verdict = judge(Case.model_validate(rows), EXAMPLES)
    assert verdict.outcome == "unsupported" and says in verdict.lines[0]


def test_brackets_by_leverage_have_the_deductions_of_exact_rates() -> None:
    """R-A27: 1/30 and 1/50 of 100 million differ by 1,333,333 and a third; no requirement falls where a tier begins."""
    by_hand = Bracketed.by_leverage((0, 25), (100_000_000, 15))
    assert [tier.deduction_atoms for tier in by_hand.tiers] == [0, 1_333_333_333_333]
    assert [tier.maintenance_ppm for tier in by_hand.tiers] == [20_000, 33_334]
    assert [tier.initial_ppm for tier in by_hand.tiers] == [40_000, 66_667]
    capped = Bracketed.by_leverage((0, 25), (100, 15), (200, 10))
    assert capped.tiers[2].deduction_atoms == capped.joined_atoms(capped.tiers[1], capped.tiers[2])
