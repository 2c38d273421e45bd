"""Several venues in one world: what they share and what not, how they are recorded, and an index out of a book."""

from __future__ import annotations

import gc
import weakref
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from delever.agents.cohort import Cohort, Commands
from delever.agents.view import Ints, View
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.tables import M_BEST_ASK, M_BEST_BID, M_INDEX_TICKS
from delever.experiments.audit import audit
from delever.experiments.folder import RunFolder
from delever.experiments.paired import paired_difference
from delever.sim.book_sources import BookSource, Heard
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import Scenario, ScenarioError, from_toml, set_values, to_toml
from delever.sim.sources import Fault, Source
from tests.two_venues import WORLD, two_venues


def finished(model: MarketModel) -> MarketModel:
    while model.running:
        model.step()
    return model


def digests(model: MarketModel) -> list[str]:
    return [site.venue.digest() for site in model.sites]


def told(text: str) -> str:
    with pytest.raises(ScenarioError) as error:
        from_toml(text, "two.toml")
    return str(error.value)


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ('venue = "spot"\ncount = 60', 'venue = "spt"\ncount = 60', "no venue is called 'spt'; did you mean 'spot'?"),
        ('name = "spot"\n\n[venues.rules]', 'name = "main"\n\n[venues.rules]', "'main' stands twice"),
        ("[venues.rules]", 'base = "textbok"\n[venues.rules]', "preset (got 'textbok'); did you mean 'textbook'?"),
        ("leverage_max = 1,", "leverage_mx = 1,", "leverage_mx: unknown key; did you mean 'leverage_max'?"),
        (
            'symbol = "BTC"\ntick_size = "0.1"',
            'symbol = "ETH"\ntick_size = "0.1"',
            "venues.spot.markets.ETH: give a path",
        ),
        ('{venue = "spot"}', '{venue = "main"}', "another one with a market BTC (got 'main'; there are spot)"),
        ('{venue = "spot"}', '{price = "last"}', "give venue too"),
    ],
)
def test_what_fits_nothing_is_told(wrong: str, right: str, words: str) -> None:
    assert wrong in WORLD
    assert words in told(WORLD.replace(wrong, right))


def test_a_venue_as_source_needs_rules_that_make_the_index_of_sources() -> None:
    world = from_toml(WORLD.replace("[rules.mark.index]\nweights = [1]\n", ""), "two.toml")
    with pytest.raises(ScenarioError, match=r"markets\.BTC: the venue 'spot' is a source.*mark\.index\.weights"):
        MarketModel(world, rules=TEXTBOOK)


def test_a_venue_where_nobody_trades_is_refused() -> None:
    world = two_venues()
    world = world.replaced({"cohorts": [{"kind": "noise", "count": 3}]})
    with pytest.raises(ScenarioError, match="nobody trades at the venue 'spot'"):
        MarketModel(world, rules=TEXTBOOK)


def test_sets_reach_a_venue_by_its_name_and_toml_brings_all_back() -> None:
    world = two_venues()
    changed = set_values(world, ["venues.spot.latency.base_ms=7", "venues.spot.rules.halts.collar_ppm=50000"])
    assert changed.latency_of("spot").base_ms == 7 and changed.latency_of("main") == world.latency
    assert changed.venues[0].rule_set().halts.collar_ppm == 50_000
    assert from_toml(to_toml(changed), "again.toml") == changed


def unlinked(**fields: Any) -> Scenario:
    """Return the two venues without the source that ties one to the other."""
    plain = two_venues().model_dump(mode="json", exclude_unset=True)
    market = {key: value for key, value in plain["markets"][0].items() if key != "sources"}
    return two_venues(markets=[market], **fields)


def test_a_venue_beside_it_changes_nothing_at_the_main_one() -> None:
    both = unlinked(duration_s=60)
    cohorts = both.model_dump(mode="json", exclude_unset=True)["cohorts"]
    alone = both.replaced({"venues": [], "cohorts": cohorts[:3]})
    beside = finished(MarketModel(both, rules=TEXTBOOK, seed=3))
    assert digests(beside)[0] == simulate(alone, TEXTBOOK, 3).summary["digest"]


def test_markets_that_follow_the_main_one_have_its_path_and_others_luck_of_their_own() -> None:
    plain = two_venues().model_dump(mode="json", exclude_unset=True)
    own = {**plain["venues"][0]["markets"][0], "symbol": "ETH", "path": plain["markets"][0]["path"]}
    world = two_venues(venues=[{**plain["venues"][0], "markets": [*plain["venues"][0]["markets"], own]}])
    main, spot = MarketModel(world, rules=TEXTBOOK, seed=1).sites
    paths = main._index_ticks[:, 0] * 0.5, spot._index_ticks[:, 0] * 0.1, spot._index_ticks[:, 1] * 0.1
    assert np.abs(paths[0] - paths[1]).max() < 0.5
    assert np.corrcoef(np.diff(paths[1]), np.diff(paths[2]))[0, 1] < 0.3


@pytest.fixture(scope="module")
def world() -> Scenario:
    return two_venues(duration_s=120)


@pytest.fixture(scope="module")
def whole(world: Scenario) -> MarketModel:
    return finished(MarketModel(world, rules=TEXTBOOK, seed=2, check=True))


def test_stepped_equals_run(world: Scenario, whole: MarketModel) -> None:
    summary = simulate(world, TEXTBOOK, 2).summary
    assert digests(whole) == [summary["digest"], summary["venues"]["spot"]["digest"]]
    assert summary["conservation_error"] == 0
    assert summary["fills"] > 0 and summary["venues"]["spot"]["fills"] > 0


@pytest.mark.parametrize("cut", [0, 100])
def test_resumed_from_a_snapshot_equals_run(world: Scenario, whole: MarketModel, cut: int) -> None:
    begun = MarketModel(world, rules=TEXTBOOK, seed=2)
    for _ in range(cut):
        begun.step()
    resumed = MarketModel(world, rules=TEXTBOOK, seed=2)
    resumed.restore(begun.snapshot())
    assert digests(finished(resumed)) == digests(whole)


def test_each_venue_has_its_own_record_and_both_pass_the_audit(world: Scenario, tmp_path: Path) -> None:
    simulate(world, TEXTBOOK, 2, out=tmp_path, journal=True)
    main, spot = RunFolder(tmp_path), RunFolder(tmp_path / "venues" / "spot")
    assert sorted(p.name for p in spot.path.iterdir()) == sorted(p.name for p in tmp_path.iterdir() if p.is_file())
    assert (main.manifest["venue"], spot.manifest["venue"]) == ("main", "spot")
    assert [c["name"] for c in spot.manifest["cohorts"]] == ["spot-maker", "spot-value", "spot-noise"]
    assert spot.summary == main.summary["venues"]["spot"]
    assert spot.manifest["rules"]["margin"]["leverage_max"] == 1 and spot.finished
    assert len(spot.series) == len(main.series) > 2
    for run in (main, spot):
        assert audit(run.path).findings == []
    simulate(world.replaced({"duration_s": 5}), TEXTBOOK, 2, out=tmp_path)
    assert not spot.has("journal"), "what an earlier run stored is gone"


def test_it_is_gone_when_closed(world: Scenario) -> None:
    model = MarketModel(world, rules=TEXTBOOK, seed=2)
    model.step()
    venues = [weakref.ref(site.venue) for site in model.sites]
    gc.disable()
    try:
        model.close()
        assert [venue() for venue in venues] == [None, None]
    finally:
        gc.enable()


def fault(kind: Literal["out", "stale", "wrong"], at_s: int, length_s: int) -> Fault:
    return Fault(kind=kind, at_s=at_s, length_s=length_s, size=0.1)


PATH = np.concatenate([np.arange(1000, 1030), np.zeros(3, dtype=np.int64), np.arange(900, 960)])


@pytest.mark.parametrize(
    "source",
    [
        Source(venue="spot"),
        Source(venue="spot", offset=0.01, noise=0.02, delay_s=3, every_s=4),
        Source(
            venue="spot", faults=(Fault(kind="stale", at_s=10, length_s=8), Fault(kind="wrong", at_s=40, length_s=5))
        ),
        Source(venue="spot", faults=(Fault(kind="out", at_s=5, length_s=9), Fault(kind="stale", at_s=12, length_s=9))),
    ],
    ids=["plain", "late and noisy", "stale and wrong", "out and stale"],
)
def test_a_book_says_step_by_step_what_a_path_says_at_once(source: Source) -> None:
    model = MarketModel(two_venues(duration_s=1), rules=TEXTBOOK)
    tables = model.sites[1].venue.tables
    book = BookSource(
        source, Heard(tables, 0, 0.5, 10_000), market=0, number=0, seed=4, dt_s=1, warmup_steps=2, steps=len(PATH)
    )
    said = []
    for step, price in enumerate(PATH):
        tables.markets[0, [M_BEST_BID, M_BEST_ASK]] = 2 * price - 1, 2 * price + 1
        said.append(book.say(step))
    assert said == source.ticks(PATH, 4, 0, 0, 1, 2).tolist()


def test_a_source_is_silent_while_a_side_of_its_book_is_empty() -> None:
    model = MarketModel(two_venues(duration_s=1), rules=TEXTBOOK)
    assert model.sites[0].said_ticks().tolist() == [[0]]


class Seller(Cohort):
    """Sells as much as it can from the hundredth second on."""

    def decide(self, view: View, wakers: Ints) -> Commands:
        if view.time_s < 100:
            return self.limit(wakers, 0, 1, 0, 1)
        return self.market(wakers, 0, -1, self.room_lots(view, wakers, np.zeros(len(wakers), dtype=np.int64), -1))


def test_a_sale_in_the_spot_market_moves_the_index_of_the_perpetual() -> None:
    """The index of a step is the middle of the spot book as the step before left it, in the perpetual's ticks."""
    means = []
    for wealth, seed in product((1.0, 1e7), (5, 6, 7)):
        seller = {"venue": "spot", "count": 1, "mean_interval_s": 1, "wealth_law": "equal"}
        world = two_venues(duration_s=120)
        model = MarketModel(
            world, rules=TEXTBOOK, seed=seed, cohorts=[(Seller, {**seller, "wealth_quote_median": wealth})]
        )
        spot, main = model.sites[1].venue.tables.markets[0], model.venue.tables.markets[0]
        seen = []
        while model.running:
            bid, ask = int(spot[M_BEST_BID]), int(spot[M_BEST_ASK])
            has_both = bid > 0 and ask < model.sites[1].venue.markets[0].price_max_ticks
            expected = round((bid + ask) / 2 * 0.2) if has_both else int(main[M_INDEX_TICKS])
            model.step()
            assert main[M_INDEX_TICKS] == expected
            seen.append(expected)
        means.append(np.mean(seen[100:]))
    lower = paired_difference(np.array(means[3:]), np.array(means[:3]))
    assert lower.high < -5, "a dealer too poor to trade is the twin"
