"""Drawn choices of the fund and of the terms of deleveraging (R-W50 to R-W56)."""

from __future__ import annotations

from random import Random
from typing import Any

from .state import PPM


def fund_watches(rng: Random, rules: dict[str, Any]) -> None:
    """Draw drawdowns in which positions are deleveraged at once, or in which the fund refuses them."""
    for axis in rng.choice([("deleveraging",), ("insurance",), ("deleveraging", "insurance")]):
        drop = rng.choice([1, 1, 1_000, 300_000, PPM])
        until = rng.choice([None, max(1, drop // 2), drop])
        rules["insurance"]["initial_quote"] = max(10, rules["insurance"]["initial_quote"])
        rules["insurance"]["floor_quote"] = 0
        rules[axis]["drawdown"] = {"window_s": rng.choice([1, 10, 100, 100]), "drop_ppm": drop, "until_ppm": until}


def adl_terms(rng: Random, rules: dict[str, Any]) -> None:
    """Draw price, distance, pool and filters of deleveraging."""
    adl = rules["deleveraging"]
    adl["price"] = rng.choice(["bankruptcy", "bankruptcy", "mark", "previous_mark", "index"])
    if adl["price"] == "bankruptcy":
        adl["far_from_mark"] = rng.choice([None, {"distance_ppm": rng.choice([0, 10_000, 50_000])}])
    elif rng.random() < 0.5:
        above = rng.choice([1, 10_000, 300_000])
        stage = {"act": True, "leftover": "fund", "stage": "takeover_only", "backstop_ppm": 0, "seize_margin": False}
        rules["liquidation"] |= stage
        rules["insurance"] |= {"warehouse_leverage": 1_000, "cap_per_event_quote": 0, "disposal_share_ppm": 0}
        rules["insurance"]["initial_quote"] = max(50, rules["insurance"]["initial_quote"])
        adl["pool"] = {"above_ppm": above, "until_ppm": rng.choice([0, above // 2, above])}
    if rng.random() < 0.6:
        adl["eligible"] = {
            "overlap": rng.random() < 0.5,
            "profitable": rng.random() < 0.3,
            "minimum_quote": rng.choice([0, 0, 1, 10]),
            "hedged_ppm": rng.choice([None, None, 0, 300_000]),
            "spare_backstops": rng.random() < 0.3,
        }
    if adl["rank"] == "pnl_margin":
        adl["least_balance_quote"] = rng.choice([None, 1, 50])


def funds(rng: Random, rules: dict[str, Any]) -> None:
    """Draw funds of single markets, and what the shared one is given of the fees."""
    insurance = rules["insurance"]
    if rng.random() < 0.6:
        return  # the reference venue does not know these: let it be compared in most worlds
    if rng.random() < 0.8:
        start = insurance["floor_quote"] + rng.choice([0, 1, 100, 100_000])
        insurance["market_funds"] = {"initial_quote": start, "only": rng.choice([[], ["M0"], ["M1", "M2"], ["none"]])}
    if rng.random() < 0.6:
        share = rng.choice([0, 1, 300_000, PPM])
        most = rng.choice([0, 1, PPM, 3 * PPM])
        fund = {"contribution_quote": rng.choice([0, 1, 50, 5_000]), "assessment_ppm": most}
        insurance["default_fund"] = rng.choice([None, fund])
        insurance["contribution"] = {"trading_fee_ppm": share, "liquidation_fee_ppm": rng.choice([0, 500_000, PPM])}


def without_funds(rules: dict[str, Any]) -> None:
    """Take out what the reference venue does not know: it has one fund, which gets all liquidation fees."""
    rules["insurance"] |= {"market_funds": None, "contribution": None, "default_fund": None}
