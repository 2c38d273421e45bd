"""Drawn rules for collateral in several assets (R-C1 to R-C7)."""

from __future__ import annotations

from random import Random
from typing import Any

PPM = 1_000_000


def collateral(rng: Random, rules: dict[str, Any]) -> None:
    """Draw one to three assets, one of them of a market that not every world has, and how they are sold."""
    inverse = rules.get("contract", {}).get("payoff") == "inverse"
    fund = rules["insurance"]["initial_quote"]
    rules["margin"]["collateral"] = {
        "assets": [_asset(rng, place, inverse) for place in range(rng.randint(1, 3))],
        "sale_order": rng.choice(["listed", "haircut"]),
        "sale": rng.choice(["before_positions", "after_positions"]),
        "buyer": rng.choice(["outside", "fund"]) if fund else "outside",
        "conversion_ppm": rng.choice([0, 1_000, 20_000, 500_000]),
        "exchange_below_quote": rng.choice([None, 0, 0, 1]),
    }


def _asset(rng: Random, place: int, inverse: bool) -> dict[str, Any]:
    market = None if inverse else rng.choice(["M0", "M0", "M1", None])
    haircuts, floor = [], 0
    for _ in range(rng.choice([1, 1, 2, 3])):
        haircuts.append({"floor_quote": floor, "haircut_ppm": rng.choice([0, 50_000, 100_000, 300_000, PPM])})
        floor = floor * rng.randint(2, 20) + rng.randint(1, 50)
    price = None if market else rng.choice([PPM, 999_999, 3, 1000 * PPM])
    return {"symbol": f"A{place}", "market": market, "price_ppm": price, "haircuts": haircuts}
