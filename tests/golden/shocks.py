"""Small scenarios in which something happens, for tests of whole runs."""

from __future__ import annotations

from delever.sim.scenario import Scenario, load_scenario, set_values

SHOCK = (
    "duration_s=900",
    "traders=400",
    "markets.BTC.path.shocks.0.at_s=450",
    "cohorts.retail.mean_interval_s=120",
    "cohorts.backstop.count=1",
    "cohorts.backstop.wealth_quote_median=5_000",
)


def shock_world(*sets: str) -> Scenario:
    """Return a quarter of an hour with a fall in the middle: about two seconds to run, with liquidations and ADL."""
    return set_values(load_scenario("flash-shock"), [*SHOCK, *sets])


def calm_world() -> Scenario:
    """Return two hours of the calm scenario."""
    return set_values(load_scenario("calm"), ["duration_s=7200", "traders=400"])
