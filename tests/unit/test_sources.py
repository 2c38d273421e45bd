"""Sources of an index: what each says, how it fails, and what the venue makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.tables import M_INDEX_TICKS
from delever.sim.model import MarketModel
from delever.sim.scenario import ScenarioError, load_scenario
from delever.sim.sources import Fault, Source, source_ticks

PATH = np.arange(100, 120)
THREE = replace(TEXTBOOK, {"mark.index": {"weights": [1, 1, 1], "stale_s": 10}}, name="three-sources")


def said(source: Source, dt_s: float = 1.0, warmup: int = 0) -> list[int]:
    """Return what a source says of PATH."""
    return source.ticks(PATH, 1, 0, 0, dt_s, warmup).tolist()


def test_a_plain_source_says_the_path() -> None:
    assert said(Source()) == PATH.tolist()
    assert source_ticks((), PATH, 2, 1, 0, 1.0, 0).tolist() == [[price, price] for price in PATH]


def test_delay_offset_and_gaps() -> None:
    assert said(Source(delay_s=3.0), dt_s=2.0)[:5] == [100, 100, 100, 101, 102]
    assert said(Source(offset=0.1))[:3] == [110, 111, 112]
    assert said(Source(every_s=3.0))[:7] == [100, 0, 0, 103, 0, 0, 106]


def test_noise_is_the_seeds_and_the_sources_own() -> None:
    path = np.full(2_000, 100_000)
    one, again = (Source(noise=0.01).ticks(path, 1, 0, 0, 1.0, 0) for _ in range(2))
    other = Source(noise=0.01).ticks(path, 1, 0, 1, 1.0, 0)
    assert (one == again).all() and (one != other).any()
    assert abs(one / path - 1.0).std() == pytest.approx(0.006, rel=0.1)  # of the absolute value: 0.603 sigma
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0.0, abs=0.08)


def test_faults_start_after_the_warm_up_and_end() -> None:
    assert said(Source(faults=(Fault(kind="out", at_s=2, length_s=2),)), warmup=3)[4:9] == [104, 0, 0, 107, 108]
    assert said(Source(faults=(Fault(kind="stale", at_s=5, length_s=3),)))[4:9] == [104, 104, 104, 104, 108]
    assert said(Source(faults=(Fault(kind="wrong", at_s=5, length_s=1, size=-0.2),)))[4:7] == [104, 84, 106]
    both = (Fault(kind="stale", at_s=5, length_s=3), Fault(kind="out", at_s=6, length_s=1))
    assert said(Source(faults=both))[4:9] == [104, 104, 0, 104, 108]
    assert said(Source(faults=(Fault(kind="stale", at_s=0, length_s=2),)))[:3] == [0, 0, 102]


def test_one_wrong_source_of_three_does_not_move_a_median_and_two_do() -> None:
    wrong = {"faults": [{"kind": "wrong", "at_s": 0, "length_s": 1e6, "size": 0.5}]}
    world = load_scenario("flash-shock").replaced({"traders": 50, "duration_s": 60, "fund_traders": None})
    market = world.model_dump(mode="json", exclude_unset=True)["markets"][0]
    market["path"] = {"kind": "constant", "price": 10_000.0}
    indices = []
    for count in (0, 1, 2):
        sources = [wrong] * count
        model = MarketModel(world.replaced({"markets": [{**market, "sources": sources}]}), rules=THREE, seed=1)
        for _ in range(model.scenario.steps):
            model.step()
        indices.append(int(model.venue.tables.markets[0, M_INDEX_TICKS]))
    assert indices[0] == indices[1]
    assert indices[2] == round(1.5 * indices[0])


def test_more_sources_than_weights_are_refused() -> None:
    world = load_scenario("flash-shock").replaced({"traders": 50, "fund_traders": None})
    market = world.model_dump(mode="json", exclude_unset=True)["markets"][0]
    crowded = world.replaced({"markets": [{**market, "sources": [{}] * 4}]})
    with pytest.raises(ScenarioError, match=r"4 sources are described, but mark\.index of the rules weighs 3"):
        MarketModel(crowded, rules=THREE, seed=1)


def test_steps_as_long_as_the_window_of_the_basis_are_refused() -> None:
    world = load_scenario("flash-shock").replaced({"dt_s": 60})
    with pytest.raises(ScenarioError, match=r"dt_s: must be below mark\.window_s of rules 'textbook', 60 s"):
        world.venue_rules(TEXTBOOK)
    assert world.venue_rules(replace(TEXTBOOK, {"mark.components": ["mid"]})).mark.components == ("mid",)
