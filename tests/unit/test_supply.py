"""Circulating supply: its path, what makers quote of it, and limits that are a share of it."""

from typing import Any

import numpy as np
import pytest

from delever.engine.tables import M_SUPPLY_LOTS
from delever.experiments.paired import paired_difference
from delever.sim.model import MarketModel
from delever.sim.scenario import ScenarioError
from delever.sim.supply import Supplies, Supply
from tests.twins import crash
from tests.unit.test_halts import BUY, SELL, Hall

MARKET = {"symbol": "X", "tick_size": "0.5", "lot_size": "0.001", "path": {"kind": "constant", "price": 8000}}
HALVED = [{"at_s": 0, "size": 2_000_000}, {"at_s": 60, "size": 1_000_000}]


def world(supply: list[dict[str, float]], **changes: Any) -> MarketModel:
    scenario = crash(duration_s=120, markets=[{**MARKET, "supply": supply}], **changes)
    return MarketModel(scenario, seed=1, collect=False)


def test_a_supply_holds_from_its_time_on() -> None:
    path = tuple(Supply(at_s=at_s, size=size) for at_s, size in ((0, 100.0), (35, 50.0), (50, 200.0)))
    supplies = Supplies([path, ()], [0.5, 1.0], dt_s=10, warmup_steps=3)
    ratios = np.array([supplies.ratio(step) for step in range(10)])
    assert ratios[:, 0].tolist() == [1.0] * 7 + [0.5] + [2.0] * 2
    assert (ratios[:, 1] == 1.0).all()


def test_the_venue_knows_the_supply_in_lots_and_it_is_part_of_its_state() -> None:
    model = world(HALVED)
    assert model.venue.tables.markets[0, M_SUPPLY_LOTS] == 2_000_000_000
    before = model.venue.digest()
    model.venue.set_supply(np.array([1]))
    assert model.venue.digest() != before
    with pytest.raises(ValueError, match="lots must be 1 numbers of 0 or more"):
        model.venue.set_supply(np.array([-1]))


def quoted(model: MarketModel) -> np.ndarray:
    """Return the lots that makers have in the book, bids and asks."""
    return model.cohorts[0].columns["quoted"][:, 0, 2:]


def test_makers_quote_half_when_the_float_halves() -> None:
    """At 2 quotes a side, in a market that stands still: at once, without anything else that moves them."""
    model = world(HALVED)
    for _ in range(59):
        model.step()
    before = quoted(model).copy()
    for _ in range(60):
        model.step()
    assert before.min() > 1_000
    assert quoted(model).sum() / before.sum() == pytest.approx(0.5, abs=0.03)


def test_with_half_of_the_float_there_is_less_depth() -> None:
    """Paired twin: the same makers and seeds with a float that stays."""

    def depth(supply: list[dict[str, float]], seed: int) -> float:
        scenario = crash(duration_s=200, markets=[{**MARKET, "supply": supply}])
        model, seen = MarketModel(scenario, seed=seed, collect=False), []
        while model.running:
            model.step()
            view = model.look()
            seen.append(view.depth_lots(0, 1, 200) + view.depth_lots(0, -1, 200))
        return float(np.mean(seen[100:]))

    seeds = range(1, 6)
    less, twin = (np.array([depth(path, seed) for seed in seeds]) for path in (HALVED, HALVED[:1]))
    ratio = paired_difference(less / twin, np.zeros(len(seeds)))
    assert ratio.low > 0.45 and ratio.high < 0.55


def test_without_a_supply_all_is_as_with_one_that_stays() -> None:
    plain, stated = world([]), world(HALVED[:1])
    for _ in range(100):
        plain.step()
        stated.step()
        assert np.array_equal(plain.arrived, stated.arrived)


def test_a_position_is_limited_to_a_share_of_supply() -> None:
    """R-H17: a tenth of 300 lots, then of 100; beyond it nobody may grow, who is beyond it may shrink."""
    hall = Hall({"position_limit": {"supply_ppm": 100_000}}, (10**9,) * 5)
    hall.venue.set_supply(np.array([300]))
    assert hall.step((0, SELL, 31, 100), (0, SELL, 30, 100), (1, BUY, 30, 100)) == ["POSITION_LIMIT", "OK", "OK"]
    hall.venue.set_supply(np.array([100]))
    answers = hall.step((1, BUY, 1, 99), (1, SELL, 5, 100), (2, BUY, 5, 100), (3, BUY, 11, 99), (3, BUY, 10, 99))
    assert answers == ["POSITION_LIMIT", "OK", "OK", "POSITION_LIMIT", "OK"]
    hall.venue.set_supply(np.array([0]))
    assert hall.step((3, BUY, 900, 99)) == ["OK"], "of a supply that is not known there is no share"


def built_coins(supply: list[dict[str, float]], seed: int) -> float:
    """Return how long a whale gets under a limit of a twentieth of supply."""
    plain = crash().model_dump(mode="json", exclude_unset=True)["cohorts"]
    whale = {"kind": "whale", "mean_interval_s": 2, "wealth_quote_median": 2e6, "open_at_s": 400, "build_s": 200}
    model = MarketModel(
        crash(
            duration_s=800, markets=[{**MARKET, "supply": supply}], cohorts=[*plain, whale | {"leverage": 1.0}],
            rules={"halts": {"position_limit": {"supply_ppm": 50_000}}},
        ),
        seed=seed, collect=False,
    )  # fmt: skip
    while model.running:
        model.step()
    lots = int(model.look().lots(model.cohorts[-1].rows, 0)[0])
    model.close()
    return lots / 1_000


def test_of_a_small_float_nobody_can_build_a_large_position() -> None:
    """Paired twin: a float of 2,000,000 coins in the same book; here it is 2,000, of which 100 may be held."""
    seeds = range(1, 5)
    thin, twin = (
        np.array([built_coins(path, seed) for seed in seeds]) for path in ([{"at_s": 0, "size": 2_000}], HALVED[:1])
    )
    assert thin.max() <= 100
    assert paired_difference(thin, 0.5 * twin).high < 0


@pytest.mark.parametrize(
    ("supply", "message"),
    [
        ([{"at_s": 5, "size": 1}], r"at_s must begin with 0 and rise \(got 5\)"),
        ([{"at_s": 0, "size": 1}, {"at_s": 9, "size": 1}, {"at_s": 9, "size": 2}], "rise"),
        ([{"at_s": 0, "size": 1e17}], "at most 1e\\+15 lots can be counted"),
        ([{"at_s": 0, "size": 0}], "size"),
        (
            [{"at_s": 0, "size": 2}, {"at_s": 120, "size": 1}],
            r"supply\.1: the change at 120 s comes after the end at 120",
        ),
    ],
)
def test_supplies_that_cannot_be_are_refused(supply: list[dict[str, float]], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        world(supply)


def test_a_limit_by_supply_needs_a_supply_and_linear_contracts() -> None:
    rules = {"halts": {"position_limit": {"supply_ppm": 1_000}}}
    with pytest.raises(ScenarioError, match="rules 'textbook' is a share of the circulating supply of X: state it in"):
        world([], rules=rules)
    with pytest.raises(ScenarioError, match="needs contracts whose lots are units of the underlying"):
        MarketModel(crash(markets=[{**MARKET, "supply": HALVED}], rules=rules, duration_s=120), rules="binance-coinm")
