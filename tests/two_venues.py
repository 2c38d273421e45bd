"""A small world of a perpetual and a spot market, for tests of venues and of who trades at both."""

from __future__ import annotations

from typing import Any

from delever.sim.scenario import Scenario, from_toml

WORLD = """
name = "two-venues"
duration_s = 600
warmup_s = 60
traders = 100
latency = {base_ms = 50, jitter_ms = 900}

[rules.mark.index]
weights = [1]

[[markets]]
symbol = "BTC"
tick_size = "0.5"
lot_size = "0.001"
path = {kind = "gbm", start_price = 8000, volatility = 0.8}
sources = [{venue = "spot"}]

[[venues]]
name = "spot"

[venues.rules]
margin = {leverage_max = 1, isolated_allowed = false}
mark.components = ["mid"]
charges.funding = "none"

[[venues.markets]]
symbol = "BTC"
tick_size = "0.1"
lot_size = "0.001"

[[cohorts]]
kind = "maker"
count = 4

[[cohorts]]
kind = "value"
count = 6

[[cohorts]]
kind = "noise"
count = 60

[[cohorts]]
kind = "maker"
name = "spot-maker"
venue = "spot"
count = 4

[[cohorts]]
kind = "value"
name = "spot-value"
venue = "spot"
count = 6

[[cohorts]]
kind = "noise"
name = "spot-noise"
venue = "spot"
count = 60
"""


def two_venues(*cohorts: dict[str, Any], **fields: Any) -> Scenario:
    """Return the world with further cohorts, and with some of its fields replaced."""
    world = from_toml(WORLD, "two_venues.toml")
    plain = world.model_dump(mode="json", exclude_unset=True)
    return world.replaced({"cohorts": [*plain["cohorts"], *cohorts], **fields})
