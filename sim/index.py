"""The index prices of a run: each market's path, after a warm-up in which it stands still, and what sources say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delever.agents.parameters import MAIN
from delever.engine.rules.index import Index

from .faults import OracleFault
from .paths import IndexPath
from .places import AnyMarket
from .price_files import PriceFileError
from .scenario import Scenario, ScenarioError
from .sources import source_ticks

VENUE_MARKETS = 2**20  # markets of the venue in place n have the numbers n x this and up: its luck is its own


def index_ticks(scenario: Scenario, market: int, seed: int, venue: str = MAIN) -> NDArray[np.int64]:
    """Return the index of one market of a venue in ticks at every step of the run, (steps + 1,).

    Raises PriceFileError if a price file does not serve, ScenarioError if the path does not fit the scenario.
    """
    spec = scenario.markets_of(venue)[market]
    path, number = _path(scenario, venue, market)
    warmup = scenario.warmup_steps
    try:
        ticks = path.ticks(seed, number, scenario.steps - warmup, scenario.dt_s, float(spec.tick_size))
    except PriceFileError:
        raise
    except ValueError as error:
        raise ScenarioError(f"{scenario.told(venue)}markets.{spec.symbol}.path: {error}") from None
    return np.concatenate([np.full(warmup, ticks[0]), ticks])


def market_number(scenario: Scenario, venue: str, market: int) -> int:
    """Return the number that the draws for a market of a venue are keyed by."""
    return VENUE_MARKETS * scenario.venue_names.index(venue) + market


def said_ticks(
    scenario: Scenario, paths: NDArray[np.int64], rule: Index | None, seed: int, venue: str = MAIN
) -> NDArray[np.int64]:
    """Return what each source of a venue's index says at every step, (steps + 1, M, sources); 0 is nothing.

    `paths` are the index prices of all markets, (steps + 1, M); they are what is returned if the rules make the index
    of one price or the scenario describes no source. A source that is another venue is nothing here: what it says is
    only known as the run goes on. Raises ScenarioError if there are more sources than the rules weigh.
    """
    markets = scenario.markets_of(venue)
    for spec in markets:
        _check_sources(scenario, spec, rule, venue)
    faults = scenario.faults_of(venue)
    one_fails = any(isinstance(fault, OracleFault) and fault.source is not None for fault in faults)
    _check_faults(scenario, venue, 0 if rule is None else len(rule.weights))
    if rule is None or not (one_fails or any(market.sources for market in markets)):
        return paths
    columns = []
    for market, spec in enumerate(markets):
        number = market_number(scenario, venue, market)
        said = source_ticks(
            spec.sources, paths[:, market], len(rule.weights), seed, number, scenario.dt_s, scenario.warmup_steps
        )
        said[:, [place for place, source in enumerate(spec.sources) if source.venue is not None]] = 0
        columns.append(said)
    return np.stack(columns, axis=1)


def _path(scenario: Scenario, venue: str, market: int) -> tuple[IndexPath, int]:
    """Return the path of a market and the number its draws are keyed by: those of the main market if it follows it."""
    spec = scenario.markets_of(venue)[market]
    if spec.path is not None:
        return spec.path, market_number(scenario, venue, market)
    followed = [main.symbol for main in scenario.markets].index(spec.symbol)
    return scenario.markets[followed].path, followed


def _check_sources(scenario: Scenario, spec: AnyMarket, rule: Index | None, venue: str) -> None:
    place = f"{scenario.told(venue)}markets.{spec.symbol}"
    if rule is None:
        for source in spec.sources:
            if source.venue is not None:
                raise ScenarioError(
                    f"{place}: the venue {source.venue!r} is a source of the index, but the rules make the index of "
                    "one price: give them mark.index, e.g. mark.index.weights = [1]"
                )
    elif len(spec.sources) > len(rule.weights):
        raise ScenarioError(
            f"{place}: {len(spec.sources)} sources are described, but mark.index of the rules weighs "
            f"{len(rule.weights)}: leave some out, or give mark.index.weights as many numbers"
        )


def _check_faults(scenario: Scenario, venue: str, sources: int) -> None:
    """Refuse faults of sources that the rules of a venue do not weigh."""
    for number, fault in enumerate(scenario.faults):
        if fault.venue != venue or not isinstance(fault, OracleFault) or fault.source is None:
            continue
        if not sources:
            raise ScenarioError(
                f"faults.{number}.source: the rules make the index of one price, of which no source can fail: leave "
                "source out, or give the rules mark.index, e.g. mark.index.weights = [1, 1, 1]"
            )
        if fault.source >= sources:
            raise ScenarioError(
                f"faults.{number}.source: mark.index of the rules weighs {sources} sources, numbered from 0 "
                f"(got {fault.source})"
            )
