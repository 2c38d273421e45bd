"""The index prices of a run: each market's path, after a warm-up in which it stands still, and what sources say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delever.engine.rules.index import Index

from .faults import OracleFault
from .price_files import PriceFileError
from .scenario import Scenario, ScenarioError
from .sources import source_ticks


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


def said_ticks(scenario: Scenario, paths: NDArray[np.int64], rule: Index | None, seed: int) -> NDArray[np.int64]:
    """Return what each source of the index says at every step, (steps + 1, M, sources); 0 is nothing.

    `paths` are the index prices of all markets, (steps + 1, M); they are what is returned if the rules make the index
    of one price or the scenario describes no source. Raises ScenarioError if it describes more than the rules weigh.
    """
    one_fails = any(isinstance(fault, OracleFault) and fault.source is not None for fault in scenario.faults)
    if rule is None or not (one_fails or any(market.sources for market in scenario.markets)):
        return paths
    sources = len(rule.weights)
    for number, fault in enumerate(scenario.faults):
        if isinstance(fault, OracleFault) and fault.source is not None and fault.source >= sources:
            raise ScenarioError(
                f"faults.{number}.source: mark.index of the rules weighs {sources} sources, numbered from 0 "
                f"(got {fault.source})"
            )
    columns = []
    for market, spec in enumerate(scenario.markets):
        if len(spec.sources) > sources:
            raise ScenarioError(
                f"markets.{spec.symbol}: {len(spec.sources)} sources are described, but mark.index of the rules weighs "
                f"{sources}: leave some out, or give mark.index.weights as many numbers"
            )
        columns.append(
            source_ticks(spec.sources, paths[:, market], sources, seed, market, scenario.dt_s, scenario.warmup_steps)
        )
    return np.stack(columns, axis=1)
