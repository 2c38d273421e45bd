"""Studies of the everyday market: what is measured, foretold and claimed, on tables made by hand and in small runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from delever.engine.rules.presets import TEXTBOOK
from delever.experiments.realism.scorecard import FACTS
from delever.experiments.studies import behaviours, cascade_size, impact
from delever.experiments.studies.liquidation_density import LiquidationDensity
from delever.experiments.studies.meta_orders import MetaOrder, MetaOrders, MetaOrdersParameters, schedule
from delever.sim.model import MarketModel
from delever.sim.scenario import load_scenario, set_values


def runs_of(group: str, arms: dict[str, dict[str, float]], seeds: int = 3) -> pd.DataFrame:
    """Return runs in which every seed has the same numbers."""
    rows = [
        {"group": group, "arm": arm, "seed": seed, **numbers} for arm, numbers in arms.items() for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_orders_follow_each_other_after_a_rest_and_change_sides() -> None:
    p = MetaOrdersParameters(
        count=1, start_s=1_000, volume_shares=(0.001, 0.01), daily_lots=86_400, participation=0.25, rest=1.5
    )
    first, second = schedule(p)
    assert (first.begin_s, first.end_s, first.lots) == (1_000, 1_346, 86)  # 0.001 / 0.25 of a day
    assert (second.begin_s, second.end_s, second.lots) == (1_346 + 519, 1_865 + 3_456, -864)


def test_a_large_order_is_worked_evenly_and_whole() -> None:
    """Half of it is done after half its time, all of it at the end, within what a step sends."""
    scenario = set_values(load_scenario("calm"), ["traders=200", "dt_s=1", "duration_s=900"])
    given = {"count": 1, "start_s": 100, "volume_shares": (0.001,), "daily_lots": 100_000, "mean_interval_s": 1}
    given |= {"wealth_law": "equal", "wealth_quote_median": 1e8, "participation": 0.25}
    model = MarketModel(scenario, rules=TEXTBOOK, seed=2, collect=False, cohorts=[(MetaOrders, given)])
    cohort = model.cohorts[-1]
    held = []
    while model.running:
        model.step()
        held.append(int(model.venue.tables.positions[cohort.rows[0], 0]))
    model.close()
    assert held[99] == 0
    assert held[100 + 173] == pytest.approx(50, abs=5)
    assert held[-1] == 100


def test_a_root_law_gives_its_prefactor_exponent_and_decay() -> None:
    """Impact of 0.8 daily deviations times the root of size, half of it gone afterwards; a day moves 2 %."""
    shares = np.array(impact.SHARES)
    numbers = {"daily_lots": 1e6, "daily_variance": 0.02**2}
    for number, share in enumerate(shares):
        moved = 0.8 * 0.02 * share**0.5
        numbers |= {f"lots_{number}": share * 1e6, f"moved_{number}": moved, f"left_{number}": moved / 2}
    found = impact.pooled(runs_of(impact.GROUP, {impact.ARM: numbers}, seeds=10))
    assert (found.prefactor, found.decay) == (pytest.approx(0.8), pytest.approx(0.5))
    assert impact.impact_exponent(found.share, found.moved) == pytest.approx(0.5, abs=0.01)


def test_the_closed_form_solves_its_equation_and_enlarges_small_sales_more() -> None:
    k = np.array([0.001 / 100**0.5, 0.002 / 100**0.5])
    value, density = 4e6, 4e6 / (cascade_size.WIDTH_PPM / 1e6)
    gap = density * cascade_size.FIRST_PPM / 1e6
    larger = []
    for sold in (1e5, 4e5):
        total = cascade_size.foretold(np.full(2, sold), value, k)
        assert total == pytest.approx(sold - gap + density * k * total**0.5)
        larger.append(total / sold)
    assert (larger[0] > larger[1]).all()


def test_a_sale_that_does_not_reach_the_first_long_is_not_enlarged() -> None:
    assert cascade_size.foretold(np.array([1e3]), 4e6, np.array([1e-9])) == pytest.approx([1e3])


def test_cascades_that_follow_the_closed_form_are_found_to() -> None:
    k = np.array([1e-5])
    arms = {}
    for name, case in cascade_size.CASES.items():
        total = cascade_size.foretold(np.array([case.sell_quote]), case.value_quote, k).item()
        arms[name] = {"sold": case.sell_quote, "forced": total - case.sell_quote, "fall": k.item() * total**0.5}
    runs = runs_of(cascade_size.GROUP, arms)
    assert cascade_size.roots_of(runs) == pytest.approx(k.item())
    claims = cascade_size.checks(runs)
    assert all(claim.holds for claim in claims)
    assert [claim.value for claim in claims[:8]] == pytest.approx([1.0] * 8)
    none = runs.assign(forced=0.0)
    assert not any(claim.holds for claim in cascade_size.checks(none)), "without liquidations nothing is enlarged"


def test_a_sale_on_longs_sets_them_off_and_alone_it_does_not() -> None:
    """A fifth of the market; the longs are opened, thinned, and some are closed by force once the sale has begun."""
    arms = {arm.name: arm for arm in cascade_size.design()}
    names = list(cascade_size.CASES)
    alone, on_longs = arms[names[1]], arms[names[-1]]
    sets = ["traders=400", "warmup_s=7200"]
    found = {
        arm.name: cascade_size.observe(set_values(arm.scenario, sets), arm.rules, 3).summary
        for arm in (alone, on_longs)
    }
    assert found[alone.name]["forced"] == 0.0
    assert found[on_longs.name]["forced"] > 0.0
    assert found[on_longs.name]["fall"] > found[alone.name]["fall"]


def test_the_first_longs_are_liquidated_where_they_should_be() -> None:
    """Not where the initial margin of the venue would have let them be thinned to."""
    rules = cascade_size.venue()
    given = {"count": 31, "value_quote": 1e5, "first_ppm": cascade_size.FIRST_PPM, "mean_interval_s": 1}
    given |= {"width_ppm": cascade_size.WIDTH_PPM}
    given |= {"open_at_s": 600, "ready_at_s": 660, "sell_at_s": 700, "wealth_law": "equal", "wealth_quote_median": 1e7}
    scenario = set_values(load_scenario("slow-liquidity"), ["traders=400", "dt_s=1", "warmup_s=0", "duration_s=690"])
    model = MarketModel(scenario, rules=rules, seed=5, collect=False, cohorts=[(LiquidationDensity, given)])
    cohort = model.cohorts[-1]
    while model.step_now < 661:
        model.step()
    view = model.view
    assert view is not None
    rows = cohort.rows[1:]
    margin = view.equity_atoms(rows) / view.value_atoms(rows)
    model.close()
    distance = (cascade_size.FIRST_PPM + cascade_size.WIDTH_PPM * (np.arange(30) + 0.5) / 30) / 1e6
    assert margin == pytest.approx(distance + 100e-6 * (1 - distance), abs=20e-6)


def test_an_order_moves_the_price_against_the_same_seed_without_it() -> None:
    """Two orders of a minute each, in steps of a second; the second has lost half as long after its end."""
    scenario = set_values(load_scenario("slow-liquidity"), ["dt_s=1", "warmup_s=60", "duration_s=540"])
    orders = [MetaOrder(60, 120, 50), MetaOrder(300, 360, -80)]
    alone = np.cumsum(np.random.default_rng(1).normal(0, 1e-3, 600))
    moved = np.zeros(600)
    moved[119:299] = 0.01
    moved[359:419] = -0.02
    moved[419:] = -0.01
    found = impact.measured(alone + moved, alone, orders, 5_400, scenario)
    assert (found["lots_0"], found["lots_1"]) == (50, 80)
    assert found["moved_0"] == pytest.approx(0.01) == found["left_0"]
    assert (found["moved_1"], found["left_1"]) == (pytest.approx(0.02), pytest.approx(0.01))
    assert found["daily_lots"] == pytest.approx(864_000)


def test_each_behaviour_that_is_switched_off_is_in_the_market_and_each_expected_number_is_in_the_scorecard() -> None:
    arms = behaviours.design()
    assert [arm.name for arm in arms] == [behaviours.WHOLE, *behaviours.OFF]
    assert all(arm.scenario != arms[0].scenario for arm in arms[1:])
    keys = {measure.key for measure in behaviours.STUDY.measures}
    assert {behaviours.key_of(one.row, one.part) for off in behaviours.OFF.values() for one in off.expected} <= keys
    assert len(keys) == sum(len(fact.parts) for fact in FACTS)


def test_an_expected_change_holds_only_where_the_interval_is_on_its_side() -> None:
    keys = [measure.key for measure in behaviours.STUDY.measures]
    rng = np.random.default_rng(1)
    rows = []
    for arm in (behaviours.WHOLE, *behaviours.OFF):
        for seed in range(6):
            numbers = {key: float(rng.normal(0, 0.01)) for key in keys}
            for one in behaviours.OFF[arm].expected if arm in behaviours.OFF else ():
                numbers[behaviours.key_of(one.row, one.part)] += one.sign
            rows.append({"group": behaviours.GROUP, "arm": arm, "seed": seed, **numbers})
    runs = pd.DataFrame(rows)
    assert all(claim.holds for claim in behaviours.checks(runs))
    backwards = runs.assign(**{key: -runs[key] for key in keys})
    assert not any(claim.holds for claim in behaviours.checks(backwards))
