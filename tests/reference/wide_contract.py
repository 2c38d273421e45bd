"""The contract axis of drawn worlds: inverse and quanto payoffs, and the closing fee in bankruptcy prices."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from .workload import World

Rules = dict[str, Any]
POSITIONS_MAX_ATOMS = 2**57


def widen_contract(rng: Random, rules: Rules) -> None:
    """Draw a payoff, and whether bankruptcy prices leave room for a fee."""
    contract = rules["contract"]
    payoff = rng.choice(["inverse", "inverse", "quanto", "linear"])
    if payoff == "inverse":
        contract |= {"payoff": payoff, "inverse": {"currency": "BTC", "units_per_coin": 100, "face_quote": 1}}
    elif payoff == "quanto":
        coin = {"currency": "BTC", "units_per_coin": 100, "point_atoms": 100, "coin_quote": 50_000}
        contract |= {"payoff": payoff, "quanto": coin}
    if rng.random() < 0.3:
        expires_s = rng.randint(1, 120)
        contract["expiry"] = {
            "expires_s": expires_s,
            "averaging_s": rng.choice([0, 1, expires_s // 3, expires_s]),
            "no_trading_s": rng.choice([0, expires_s // 10, expires_s // 2]),
            "markets": rng.choice([[], [], ["M0"]]),
        }
    if rng.random() < 0.4:
        contract["closing_fee"] = {"fee_ppm": rng.choice([1, 600, 5_000, 100_000])}


def fitted(world: World, rules: Rules) -> World:
    """Return the world with a face for each inverse lot that makes it worth what the linear one is at first."""
    if rules["contract"].get("payoff") != "inverse":
        return world
    most = POSITIONS_MAX_ATOMS // rules["contract"]["lots_max"] // len(world.markets)
    markets = [
        market | {"multiplier_atoms": min(most, max(market["price_max_ticks"], market["multiplier_atoms"] * first**2))}
        for market, first in zip(world.markets, world.first_index_ticks, strict=True)
    ]
    return replace(world, markets=markets)
