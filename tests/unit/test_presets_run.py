"""Every preset runs a world in which much goes wrong, and every law of the venue holds in every step of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from delever.engine.rules.presets import PRESETS
from delever.experiments.metrics.losses import LAYERS
from delever.sim.run import simulate
from delever.sim.scenario import Scenario, load_scenario, set_values

SETS = (
    "duration_s=300",
    "traders=120",
    "markets.BTC.path.shocks.0.at_s=120",
    "markets.BTC.path.shocks.0.size=-0.35",
    "cohorts.retail.mean_interval_s=60",
    "cohorts.retail.leverages=[10,20,50]",
    "cohorts.retail.leverage_weights=[0.2,0.4,0.4]",
    "cohorts.maker.share=0.02",
    "cohorts.backstop.count=2",
)


def world() -> Scenario:
    """Return five minutes of 120 traders with much leverage and a fall of 35 %."""
    return set_values(load_scenario("flash-shock"), SETS)


@cache
def told(name: str) -> dict[str, Any]:
    """Return the summary of the world under a preset; every law is checked after every step."""
    return simulate(world(), PRESETS[name], 3, check=True).summary


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_every_law_holds_under_every_preset(name: str) -> None:
    summary = told(name)
    assert summary["conservation_error"] == 0
    assert summary["currency"] == PRESETS[name].contract.currency
    assert list(summary["waterfall"]) == list(LAYERS)
    assert sum(summary["refusals"].values()) < summary["commands"] / 5 or PRESETS[name].halts.daily is not None
    if PRESETS[name].liquidation.latency_s < 60:
        assert summary["liquidations"] > 0
        assert summary["waterfall"]["own_margin"] > 0


@pytest.mark.slow
def test_keepers_take_positions_where_they_are_asked() -> None:
    keepers = [name for name, rules in PRESETS.items() if rules.liquidation.stage == "keepers"]
    assert keepers == ["drift-v2", "synthetix-v3", "mango-v4", "perp-v2"]
    for name in keepers:
        assert told(name)["liquidated_notional"] > 0
        assert told(name)["forced_notional"] == 0, "keepers are asked instead of the book"


def test_what_members_put_in_is_no_loss() -> None:
    """A clearing house without any loss: contributions are there, and nobody paid."""
    quiet = set_values(load_scenario("flash-shock"), ["duration_s=20", "traders=20", "markets.BTC.path.shocks=[]",
                                                      "cohorts.backstop.count=2"])  # fmt: skip
    waterfall = simulate(quiet, PRESETS["ccp-futures"], 1, check=True).summary["waterfall"]
    assert set(waterfall.values()) == {0.0}
