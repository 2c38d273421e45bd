"""The index prices of a run: each market's path, after a warm-up in which it stands still."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .price_files import PriceFileError
from .scenario import Scenario, ScenarioError


def index_ticks(scenario: Scenario, market: int, seed: int) -> NDArray[np.int64]:
    """Return the index of one market in ticks at every step of the run, (steps + 1,).

    Raises PriceFileError if a price file does not serve, ScenarioError if the path does not fit the scenario.
    """
    spec = scenario.markets[market]
    warmup = scenario.warmup_steps
    try:
        ticks = spec.path.ticks(seed, market, scenario.steps - warmup, scenario.dt_s, float(spec.tick_size))
    except PriceFileError:
        raise
    except ValueError as error:
        raise ScenarioError(f"markets.{spec.symbol}.path: {error}") from None
    return np.concatenate([np.full(warmup, ticks[0]), ticks])
