"""A small crash, and what one change of the world does to it: the same seeds with and without, and an interval."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delever.experiments.paired import Difference, paired_difference
from delever.sim.run import simulate
from delever.sim.scenario import Scenario, from_toml, set_values

CRASH = """
duration_s = 900
traders = 300
fund_traders = 4000
[[markets]]
symbol = "X"
tick_size = "0.5"
lot_size = "0.001"
[markets.path]
kind = "constant"
price = 8000
[[markets.path.shocks]]
kind = "ramp"
at_s = 600
length_s = 100
size = -0.12
[[cohorts]]
kind = "maker"
count = 4
mean_interval_s = 5
levels = 2
wealth_quote_median = 3000000
[[cohorts]]
kind = "retail"
count = 300
mean_interval_s = 10
open_share = 0.05
close_share = 0.005
adds_max = 0
top_up_share = 1.0
reduce_share = 0.0
reserve_ratio = 5.0
stop_share = 0.0
profit_share = 0.0
"""


def crash(*sets: str, **changes: Any) -> Scenario:
    """Return ten calm minutes and a fall by an eighth in 100 seconds, in which everybody who is called tops up.

    `changes` replace fields, then `sets` set values, as texts `dotted.key=value`.
    """
    return set_values(from_toml(CRASH, "crash.toml").replaced(changes), sets)


def change(measure: str, world: Scenario, twin: Scenario, seeds: int, rules: str = "textbook") -> Difference:
    """Return what a measure of the summary is more in `world` than in `twin`: mean and interval over seeds 1 .. n.

    A part of a measure comes after a dot: `waterfall.fund`.
    """
    name, _, part = measure.partition(".")

    def measured(each: Scenario) -> NDArray[np.float64]:
        found = [summary(each.model_dump_json(), rules, seed)[name] for seed in range(1, seeds + 1)]
        return np.array([value[part] if part else value for value in found], dtype=np.float64)

    return paired_difference(measured(world), measured(twin))


@cache
def summary(world: str, rules: str, seed: int) -> dict[str, Any]:
    """Return the summary of a run; many pairs have one twin."""
    return simulate(Scenario.model_validate_json(world), rules, seed).summary
