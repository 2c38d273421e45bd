"""Drawn terms of liquidation and disposal (R-W20 to R-W35)."""

from __future__ import annotations

from random import Random
from typing import Any

from .state import PPM

Rules = dict[str, Any]


def liquidation_terms(rng: Random, rules: Rules) -> None:
    """Draw step, cap, limit, surplus, keepers and takeover, where the stage leaves room for them."""
    rule = rules["liquidation"]
    pool = rules["deleveraging"].get("pool") is not None
    if not pool and rng.random() < 0.8:
        rule["stage"] = rng.choice(["book", "book", "keepers"])
    if rule["stage"] == "keepers":
        rule["keepers"] = _keepers(rng)
    if rule["stage"] != "takeover_only":
        rule["step"] = rng.choice([None, *_steps(rng)])
        if rng.random() < 0.3:
            rule["rolling"] = {
                "scale_lots": rng.choice([1, 100, 10_000]),
                "rate_ppm": rng.choice([10_000, 300_000]),
                "window_s": rng.choice([1, 5, 30]),
            }
    if rule["stage"] == "book":
        fillable = {"kind": "fillable", "adjustment_ppm": rng.choice([0, PPM, 7 * PPM]), "spread_ppm": 1_500_000}
        band = {"kind": "band", "around": rng.choice(["mark", "index"]), "range_ppm": rng.choice([0, 10_000, 300_000])}
        rule["limit"] = rng.choice([None, fillable, band])
        if rng.random() < 0.5:
            rule["surplus"] = {
                "to": rng.choice(["fund", "vault"]),
                "cap_ppm": rng.choice([None, 0, 5_000, PPM]),
                "covers": rng.random() < 0.5,
            }
            whole = rule["step"] and rule["step"].get("fill_or_kill")
            if rule["surplus"]["covers"] and not whole and rng.random() < 0.7:
                rule["surplus"]["refusal"] = {"lost_quote": rng.choice([0, 0, 1, 10])}
                if not pool and rng.random() < 0.7:  # a fund that can pay for little
                    rules["insurance"]["initial_quote"] = rules["insurance"]["floor_quote"] + rng.choice([0, 0, 1])
    rule["insolvent"] = rng.choice([None, "skip"])
    if not pool and rng.random() < 0.4:
        rule["takeover"] = {
            "price": rng.choice(["bankruptcy", "mark"]),
            "unlimited": rng.random() < 0.5,
            "backstops": rng.choice(["covered", "solvent"]),
        }


def liquidation_levels(rng: Random, rules: Rules) -> None:
    """Draw thresholds and which orders are cancelled first."""
    rule = rules["liquidation"]
    if rng.random() < 0.7:
        start = rng.choice([500_000, PPM, 1_050_000])
        rule["levels"] = {
            "start_ppm": start,
            "stop_ppm": rng.choice([start, 2 * PPM]),
            "buffer_ppm": rng.choice([0, 0, 20_000]),
        }
    if rng.random() < 0.5:
        rule["cancel"] = {"orders": rng.choice(["none", "market", "worst_first"])}


def fund_sale(rng: Random, rules: Rules) -> None:
    """Draw how the fund sells what it took over."""
    rules["insurance"]["sale"] = {
        "whole_lots": rng.choice([0, 1, 50]),
        "book_share_ppm": rng.choice([1, 100_000, PPM]),
        "around": rng.choice(["mark", "mid"]),
        "fee": rng.choice(["none", "taker"]),
    }


def _steps(rng: Random) -> list[Rules]:
    ramp = {"initial_ppm": rng.choice([0, 100_000]), "duration_s": rng.choice([1, 20]), "dust_quote": 0}
    return [
        {
            "kind": "portion",
            "share_ppm": rng.choice([1, 100_000, 500_000]),
            "least_quote": rng.choice([0, 1]),
            "account_quote": rng.choice([0, 0, 3]),
        },
        {"kind": "cover", "ramp": rng.choice([None, ramp])},
        {
            "kind": "ladder",
            "cut": rng.choice(["next", "two", "lowest"]),
            "whole_tiers": rng.choice([1, 2]),
            "fill_or_kill": rng.random() < 0.7,
        },
        {"kind": "slices", "lots": rng.choice([1, 10, 1_000]), "rounds": rng.choice([1, 20])},
        {"kind": "close_factor", "whole_quote": rng.choice([0, 10])},
    ]


def _keepers(rng: Random) -> Rules:
    return {
        "around": rng.choice(["mark", "index"]),
        "bonus_ppm": rng.choice([0, 5_000, 50_000]),
        "rise": rng.choice([None, {"grace_s": 2, "each_second_ppm": 1_000, "highest_ppm": 60_000}]),
        "fund_fee": rng.choice([None, {"highest_ppm": 10_000, "rest_ppm": rng.choice([None, 950_000])}]),
    }
