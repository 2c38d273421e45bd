"""Halts in drawn worlds; the reference venue does not know them, so that the engine alone keeps the laws."""

from __future__ import annotations

from random import Random
from typing import Any

Rules = dict[str, Any]


def widen_halts(rng: Random, rules: Rules) -> None:
    """Draw bands, pauses, auctions, sessions, gates and limits."""
    drawn: Rules = {}
    if rng.random() < 0.4:
        drawn["limit_up_down"] = {
            "width_ppm": rng.choice([5_000, 30_000, 100_000]), "mean_s": rng.choice([1, 10, 100]),
            "limit_state_s": rng.choice([0, 2, 5]), "pause_s": rng.choice([1, 5, 20]),
            "reopening": rng.choice(["auction", "continuous"]), "session_s": rng.choice([30, 86_400]),
            "doubled_first_s": rng.choice([0, 7]),
        }  # fmt: skip
    elif rng.random() < 0.5:
        drawn["volatility_auction"] = {
            "horizon_s": rng.choice([1, 20, 3_600]), "width_ppm": rng.choice([0, 10_000, 50_000]),
            "auction_s": rng.choice([1, 4, 15]), "extension_s": rng.choice([0, 3]),
        }  # fmt: skip
    if rng.random() < 0.3:
        drawn["breaker"] = {
            "width_ppm": rng.choice([20_000, 100_000]), "window_s": rng.choice([3, 50]), "pause_s": rng.choice([1, 8]),
            "reference": rng.choice(["rolling", "interval"]), "limit_becomes_reference": rng.random() < 0.5,
            "reopening": rng.choice(["auction", "continuous"]),
        }  # fmt: skip
    if rng.random() < 0.3:
        levels = [{"fall_ppm": 50_000, "pause_s": 2}, {"fall_ppm": 200_000, "pause_s": 0}]
        drawn["daily"] = {"levels": levels, "hard_ppm": rng.choice([0, 300_000]), "session_s": rng.choice([20, 60])}
    if rng.random() < 0.3:
        drawn["withdrawal_gate"] = {"duration_s": rng.choice([1, 30]), "below_floor": rng.random() < 0.5}
    if rng.random() < 0.4:
        drawn["liquidation_pause"] = {"in_auctions": rng.random() < 0.5}
    if rng.random() < 0.3:
        drawn["position_limit"] = {"value_quote": rng.choice([0, 50]), "interest_ppm": 300_000, "free_quote": 1}
    if rng.random() < 0.3:
        modes = rng.sample(["cancel_only", "reduce_only", "auction"], 2)
        drawn["sessions"] = [
            {"start_s": rng.randint(2, 20), "length_s": rng.randint(1, 10), "mode": modes[0]},
            {"start_s": rng.randint(31, 50), "length_s": rng.randint(1, 10), "mode": modes[1]},
        ]
    rules["halts"] = rules["halts"] | drawn


def narrow_halts(rules: Rules) -> None:
    """Leave the collar alone."""
    rules["halts"] = {"collar_ppm": rules["halts"]["collar_ppm"]}
