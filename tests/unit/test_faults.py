"""What fails: when, what the venue and the traders notice of it, and what each fault does to a crash."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from delever.engine.commands import C_ACCOUNT, C_KIND, Kind, batch
from delever.engine.rules.io import load_rules
from delever.engine.tables import M_INDEX_TICKS, V_DUE_UNITS_MAX, V_DUE_VALUE_MAX_ATOMS
from delever.experiments.figures import price_figure
from delever.experiments.folder import RunFolder
from delever.experiments.paired import paired_difference
from delever.experiments.story import tell
from delever.sim.faults import (
    EngineCapped,
    EngineSlowed,
    EngineStopped,
    Fault,
    Faults,
    OracleStale,
    OracleWrong,
    Outage,
    span_of,
)
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import ScenarioError, load_scenario, set_values
from tests.twins import change, crash
from tests.two_venues import two_venues

FALL = {"at_s": 600, "length_s": 200}
MARK_IS_INDEX = {"mark": {"components": ["index"]}}
PLAIN_MARKET = {"symbol": "X", "tick_size": "0.5", "lot_size": "0.001", "path": {"kind": "constant", "price": 8000}}
CALM = {"duration_s": 60, "markets": [PLAIN_MARKET]}
NO_TOP_UPS = "cohorts.retail.top_up_share=0"


def model_of(seed: int = 1, **changes: Any) -> MarketModel:
    return MarketModel(crash(**changes), seed=seed, collect=False)


def go(model: MarketModel, steps: int) -> MarketModel:
    for _ in range(steps):
        model.step()
    return model


@pytest.mark.parametrize(
    ("at_s", "length_s", "dt_s", "warmup", "span"),
    [(60, 30, 1, 0, (60, 90)), (60, 30, 10, 5, (11, 14)), (61, 1, 10, 0, (7, 8)), (0, 0.5, 1, 0, (0, 1))],
)
def test_a_fault_lasts_for_the_steps_of_its_time_and_one_at_least(
    at_s: float, length_s: float, dt_s: int, warmup: int, span: tuple[int, int]
) -> None:
    fault = Outage(kind="outage", at_s=at_s, length_s=length_s)
    assert tuple(span_of(fault, dt_s, warmup)) == span


def limits_by_step(*faults: Fault) -> list[tuple[int, int]]:
    """Return what the engine is allowed in steps 0 to 9, -1 without a limit; 100 atoms to the quote unit."""
    model = model_of(**CALM)
    planned = Faults(faults, ["X"], (1,), 1, 0)
    seen = []
    for step in range(10):
        planned.impair(model.venue, step, 100.0)
        row = model.venue.tables.venue
        seen.append((int(row[V_DUE_UNITS_MAX]), int(row[V_DUE_VALUE_MAX_ATOMS])))
    return seen


def test_the_engine_is_told_what_it_may_do() -> None:
    sound = (-1, -1)
    stopped = EngineStopped(kind="engine_stopped", at_s=2, length_s=2)
    assert limits_by_step(stopped) == [sound] * 2 + [(0, -1)] * 2 + [sound] * 6
    slowed = EngineSlowed(kind="engine_slowed", at_s=1, length_s=8, every_s=3)
    assert limits_by_step(slowed) == [sound] + [(0, -1), (0, -1), sound] * 2 + [(0, -1)] * 2 + [sound]
    capped = EngineCapped(kind="engine_capped", at_s=1, length_s=4, liquidations=5, notional_quote=7.5)
    assert limits_by_step(capped, stopped) == [sound, (5, 750), (0, 750), (0, 750), (5, 750)] + [sound] * 5


def test_an_impaired_engine_is_part_of_digest_and_snapshot() -> None:
    """R-W61: two states with one digest have one future."""
    model = go(model_of(), 5)
    before, saved = model.venue.digest(), model.snapshot()
    model.venue.limit_liquidations(units=3)
    assert model.venue.digest() != before
    model.restore(saved)
    assert model.venue.digest() == before
    with pytest.raises(ValueError, match="value_atoms must be 0 or more"):
        model.venue.limit_liquidations(value_atoms=-1)


EVERYTHING = [
    {"kind": "engine_capped", "at_s": 610, "length_s": 30, "liquidations": 1},
    {"kind": "engine_stopped", "at_s": 640, "length_s": 20},
    {"kind": "oracle_wrong", "at_s": 630, "length_s": 10, "size": 0.02},
    {"kind": "oracle_stale", "at_s": 645, "length_s": 10},
    {"kind": "outage", "at_s": 650, "length_s": 15, "commands": "held"},
    {"kind": "data_delay", "at_s": 620, "length_s": 60, "delay_s": 25},
]


@pytest.mark.parametrize("cut", [625, 655])
def test_a_run_cut_in_the_middle_of_faults_goes_on_as_if_it_had_not_been(cut: int) -> None:
    changes = {"faults": EVERYTHING, "duration_s": 700, "blocks": {"capacity": 9}}
    whole, first, second = (model_of(**changes) for _ in range(3))
    go(first, cut)
    second.restore(first.snapshot())
    go(second, 700 - cut)
    assert go(whole, 700).venue.digest() == second.venue.digest()


def test_who_has_no_faults_has_the_run_of_always() -> None:
    calm = {"kind": "engine_capped", "at_s": 0, "length_s": 1, "liquidations": 1}
    assert go(model_of(), 300).venue.digest() == go(model_of(faults=[calm]), 300).venue.digest()


# The oracle


def heard(said: NDArray[np.int64], *faults: Fault) -> NDArray[np.int64]:
    """Return what the venue hears at each step of what is said at each, in the same shape."""
    planned = Faults(faults, ["X", "Y"], said.shape[1:], 1, 0)
    limit = np.array([1_000, 1_000])
    return np.array([planned.heard(row, limit, step) for step, row in enumerate(said)])


def test_a_stale_index_stands_still_and_a_wrong_one_is_off_for_its_time() -> None:
    said = np.column_stack([np.arange(100, 110), np.arange(500, 510)])
    stale = OracleStale(kind="oracle_stale", at_s=6, length_s=3, market="Y")
    wrong = OracleWrong(kind="oracle_wrong", at_s=4, length_s=3, size=0.5)
    found = heard(said, stale, wrong)
    assert found[:, 0].tolist() == [100, 101, 102, 103, 156, 158, 159, 107, 108, 109]
    assert found[:, 1].tolist() == [500, 501, 502, 503, 756, 758, 758, 758, 758, 509], "it repeats what was wrong"
    assert heard(said, OracleStale(kind="oracle_stale", at_s=0, length_s=4))[:4, 0].tolist() == [100] * 4
    double = OracleWrong(kind="oracle_wrong", at_s=1, length_s=1, size=9.0)
    assert heard(said, double)[1].tolist() == [1_000, 1_000], "there is no room for more"


def test_one_source_of_several_may_fail_and_the_silent_stay_silent_unless_they_repeat() -> None:
    said = np.tile([[[100, 0, 102], [200, 201, 0]]], (8, 1, 1))
    said[::2, 0, 1] = 101
    wrong = OracleWrong(kind="oracle_wrong", at_s=3, length_s=2, size=-0.5, source=1)
    found = heard(said, wrong)
    assert found[3].tolist() == [[100, 0, 102], [200, 100, 0]]
    assert found[4].tolist() == [[100, 50, 102], [200, 100, 0]]
    stale = OracleStale(kind="oracle_stale", at_s=3, length_s=2, market="X", source=1)
    assert heard(said, stale)[3].tolist() == [[100, 101, 102], [200, 201, 0]]
    assert (heard(said[:, :, 0], stale) == said[:, :, 0]).all(), "an index of one price has no source 1"


def test_a_median_of_three_sources_does_not_mind_one_that_stands_still() -> None:
    stale = {"kind": "oracle_stale", "source": 1, **FALL}
    rules = load_rules("textbook,mark.index.weights=[1,1,1]")
    failing, sound = (MarketModel(crash(faults=faults), rules=rules, seed=1, collect=False) for faults in ([stale], []))
    index = [int(go(model, 700).venue.tables.markets[0, M_INDEX_TICKS]) for model in (failing, sound)]
    assert index == [14_080, 14_080]


def test_a_fault_befalls_the_venue_it_names() -> None:
    stopped = {"kind": "engine_stopped", "venue": "spot", "at_s": 0, "length_s": 1}
    model = go(MarketModel(two_venues(faults=[stopped]), seed=1, collect=False), 60)
    assert [int(site.venue.tables.venue[V_DUE_UNITS_MAX]) for site in model.sites] == [-1, 0]


def test_an_index_out_of_the_book_of_another_venue_may_fail_too() -> None:
    wrong = {"kind": "oracle_wrong", "at_s": 0, "length_s": 1, "size": -0.5}
    index = []  # in the step that ends the warm-up of a minute
    for faults in ([], [wrong]):
        model = go(MarketModel(two_venues(faults=faults), seed=1, collect=False), 60)
        index.append(int(model.venue.tables.markets[0, M_INDEX_TICKS]))
        assert model.look().index_ticks[0] == index[0], "traders see what the book says"
    assert index[1] == round(index[0] / 2)


@pytest.mark.parametrize(("believed", "seen"), [(False, 16_000), (True, 12_000)])
def test_traders_see_the_true_price_unless_they_believe_the_oracle(believed: bool, seen: int) -> None:
    wrong = {"kind": "oracle_wrong", "at_s": 3, "length_s": 2, "size": -0.25, "believed": believed}
    model = go(model_of(faults=[wrong]), 3)
    assert model.look().index_ticks[0] == seen
    assert model.venue.tables.markets[0, M_INDEX_TICKS] == 12_000
    assert go(model, 2).look().index_ticks[0] == 16_000


def test_an_index_that_is_too_high_has_room_above_it() -> None:
    wrong = {"kind": "oracle_wrong", "at_s": 3, "length_s": 2, "size": 9.0}
    assert go(model_of(faults=[wrong]), 4).venue.tables.markets[0, M_INDEX_TICKS] == 160_000


# The door, and the feed


def test_in_an_outage_commands_are_held_and_come_in_a_burst_or_are_lost() -> None:
    door = {"kind": "outage", "at_s": 20, "length_s": 10}
    runs = {}
    for commands in ("held", "lost"):
        model = model_of(faults=[{**door, "commands": commands}], **CALM)
        runs[commands] = [len(go(model, 1).arrived) for _ in range(60)]
    plain = model_of(**CALM)
    all_of_them = [len(go(plain, 1).arrived) for _ in range(60)]
    assert runs["held"][:19] == runs["lost"][:19] == all_of_them[:19]
    assert sum(runs["held"][19:29]) == sum(runs["lost"][19:29]) == 0 < sum(all_of_them[19:29])
    assert runs["held"][29] > 3 * max(all_of_them[25:40]) > 3 * runs["lost"][29]


def test_deposits_of_an_outage_are_credited_when_it_ends() -> None:
    """In order, before what arrives then; orders are lost."""

    class Post:
        def collect(self, step: int) -> NDArray[np.int64]:
            kinds = [Kind.MARKET, Kind.DEPOSIT, Kind.WITHDRAW, Kind.DEPOSIT_ASSET]
            return batch(4, account=step, kind=kinds)

    planned = Faults([Outage(kind="outage", commands="lost", at_s=2, length_s=2)], ["X"], (1,), 1, 0)
    other = Faults([Outage(kind="outage", commands="lost", at_s=2, length_s=2)], ["X"], (1,), 1, 0)
    found = [planned.arrivals(Post(), step) for step in range(4)]  # type: ignore[arg-type]
    assert [len(each) for each in found] == [4, 4, 0, 0]
    other.restore(planned.snapshot())
    for each in (planned, other):
        last = each.arrivals(Post(), 4)  # type: ignore[arg-type]
        assert last[:, C_ACCOUNT].tolist() == [2, 2, 3, 3, 4, 4, 4, 4]
        assert last[:5, C_KIND].tolist() == [Kind.DEPOSIT, Kind.DEPOSIT_ASSET] * 2 + [Kind.MARKET]
        assert len(each.arrivals(Post(), 5)) == 4  # type: ignore[arg-type]


def test_late_data_stall_and_then_lag_behind_and_own_accounts_are_known() -> None:
    late = {"kind": "data_delay", "at_s": 630, "length_s": 40, "delay_s": 15}
    model = model_of(faults=[late])
    marks, seen = [], []
    for _ in range(680):
        view = model.look()
        seen.append(int(view.mark_ticks[0]))
        assert len(view.mark_history) == 0 or view.mark_history[-1, 0] == seen[-1]
        rows = model.sites[0].roster.rows
        assert (view.lots(rows, 0) == model.venue.tables.positions[rows, 0]).all()
        marks.append(int(model.history.marks()[-1, 0]))
        model.step()
    # What is seen at the start of the n-th step is the mark of the step before, unless the feed is late.
    age = [min(15, step - 630) if 630 <= step < 670 else 0 for step in range(1, 681)]
    assert seen == [marks[step - behind] for step, behind in enumerate(age)]
    assert marks[669] != marks[654]


# What each fault does, in pairs of the same seeds


def test_an_engine_that_stands_still_in_a_fall_leaves_bad_debt() -> None:
    """In a world where nobody tops up, the fund has next to nothing and nobody is deleveraged."""
    poor = {"insurance": {"initial_quote": 0, "floor_quote": 0}, "deleveraging": {"trigger": "none"}}
    poor["socialisation"] = {"rule": "none"}
    twin = crash(NO_TOP_UPS, rules=poor)
    stopped = crash(NO_TOP_UPS, rules=poor, faults=[{"kind": "engine_stopped", **FALL}])
    assert change("bad_debt", stopped, twin, seeds=4).low > 0


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "engine_slowed", "every_s": 60},
        {"kind": "engine_capped", "liquidations": 1},
        {"kind": "engine_capped", "notional_quote": 100},
    ],
    ids=str,
)
def test_a_slow_engine_costs_who_waits_for_it(fault: dict[str, Any]) -> None:
    """Accounts lose more of their margin, because they are closed later in the fall."""
    twin = crash(NO_TOP_UPS)
    slow = crash(NO_TOP_UPS, faults=[{**fault, **FALL}])
    assert change("waterfall.own_margin", slow, twin, seeds=4).low > 1_000


def test_a_stale_oracle_hides_a_fall_until_it_is_too_late() -> None:
    """Marks are the index: liquidations begin when it moves again, and the fund pays for what has been lost by then."""
    twin = crash(NO_TOP_UPS, rules=MARK_IS_INDEX)
    stale = crash(NO_TOP_UPS, rules=MARK_IS_INDEX, faults=[{"kind": "oracle_stale", **FALL}])
    assert change("insurance_fund_end", stale, twin, seeds=4).high < 0


def test_a_wrong_oracle_liquidates_accounts_that_are_sound() -> None:
    wrong = {"kind": "oracle_wrong", "at_s": 300, "length_s": 60, "size": -0.1}
    calm = {"rules": MARK_IS_INDEX, "duration_s": 500, "markets": [PLAIN_MARKET]}
    assert change("liquidations", crash(**calm, faults=[wrong]), crash(**calm), seeds=4).low > 10


def test_an_index_of_several_sources_spares_who_a_wrong_one_would_liquidate() -> None:
    """Paired twin: an index of the source that is wrong; of three, the median does not follow one."""
    wrong = {"kind": "oracle_wrong", "at_s": 300, "length_s": 60, "size": -0.1, "source": 0}
    three, one = (
        crash(
            duration_s=500, markets=[PLAIN_MARKET], faults=[wrong],
            rules={"mark": {"components": ["index"], "index": {"weights": weights}}},
        )
        for weights in ([1, 1, 1], [1])
    )  # fmt: skip
    assert change("liquidations", three, one, seeds=4).high < -10


@pytest.mark.parametrize("commands", ["held", "lost"])
def test_in_an_outage_nobody_can_save_themselves(commands: str) -> None:
    outage = {"kind": "outage", "commands": commands, **FALL}
    twin = crash(rules=MARK_IS_INDEX)
    assert change("liquidations", crash(rules=MARK_IS_INDEX, faults=[outage]), twin, seeds=4).low > 5


def test_who_decides_on_old_data_is_liquidated_more() -> None:
    """Top-ups are reckoned at marks that have long been left."""
    late = {"kind": "data_delay", "delay_s": 60, **FALL}
    twin = crash(rules=MARK_IS_INDEX)
    assert change("liquidations", crash(rules=MARK_IS_INDEX, faults=[late]), twin, seeds=4).low > 3


def test_in_the_scenario_of_an_outage_winners_pay_for_it() -> None:
    """Paired twin: the same world without the fault. The share of what others than the liquidated lose."""
    world = set_values(load_scenario("engine-outage"), ["traders=300", "duration_s=2700"])
    shares = []
    for each in (world, set_values(world, ["faults=[]"])):
        paid = [simulate(each, "binance-usdm", seed).summary["waterfall"] for seed in range(1, 7)]
        shares.append(np.array([layers["adl"] / (layers["adl"] + layers["fund"]) for layers in paid]))
    assert paired_difference(*shares).low > 0


# What is told of it


def test_the_report_says_what_failed_and_when(tmp_path: Path) -> None:
    faults = [
        {"kind": "oracle_wrong", "market": "X", "source": 2, "at_s": 640, "length_s": 30, "size": -0.25},
        {"kind": "engine_stopped", "at_s": 600, "length_s": 120},
        {"kind": "engine_slowed", "at_s": 601, "length_s": 1, "every_s": 60},
        {"kind": "engine_capped", "at_s": 602, "length_s": 1, "liquidations": 2, "notional_quote": 5_000},
        {"kind": "oracle_stale", "at_s": 700, "length_s": 5},
        {"kind": "outage", "at_s": 710, "length_s": 5, "commands": "lost"},
        {"kind": "data_delay", "at_s": 720, "length_s": 5, "delay_s": 90},
    ]
    rules = load_rules("textbook,mark.index.weights=[1,1,1]")
    simulate(crash(NO_TOP_UPS, "warmup_s=60", "record_every_s=10", faults=faults), rules, 1, out=tmp_path)
    chapter = tell(RunFolder(tmp_path))[0]
    assert chapter.heading == "What failed"
    stopped, slowed, capped, wrong, stale, outage, late = chapter.paragraphs
    assert re.fullmatch(
        r"From 0:11 for 2 minutes the liquidation engine stood still\. Up to [1-9]\d* accounts waited for it at once\.",
        stopped,
    )
    assert "acted only every 1 minute" in slowed
    assert "no more than 2 accounts and positions worth 5,000 quote in a step" in capped
    assert "source 2 of the index of X was 25 % too low" in wrong
    assert "the index stood still" in stale
    assert "what was sent was lost" in outage
    assert "up to 1.5 minutes old" in late
    figure, _ = price_figure(RunFolder(tmp_path), 0)
    assert "something fails" in figure.axes[0].get_legend_handles_labels()[1]


# What cannot be


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            {"kind": "engine_stopped", "at_s": 900, "length_s": 5},
            "engine_stopped at 900 s comes after the end at 900 s",
        ),
        ({"kind": "oracle_stale", "market": "Y", **FALL}, r"faults.0.market: no market 'Y'; there are X"),
        ({"kind": "engine_capped", **FALL}, "engine_capped needs liquidations or notional_quote"),
        ({"kind": "oracle_wrong", **FALL}, "size"),
        ({"kind": "melted", **FALL}, "melted"),
        ({"kind": "outage", "at_s": 5, "length_s": 0}, "length_s"),
        (
            {"kind": "outage", "venue": "mian", **FALL},
            r"faults.0.venue: no venue is called 'mian'; did you mean 'main'",
        ),
    ],
)
def test_faults_that_cannot_be_are_refused(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        crash(faults=[fault])


def test_a_source_that_the_rules_do_not_weigh_is_refused() -> None:
    wrong = {"kind": "oracle_stale", "source": 3, **FALL}
    rules = load_rules("textbook,mark.index.weights=[1,1,1]")
    with pytest.raises(ScenarioError, match=r"source: mark\.index of the rules weighs 3 sources"):
        MarketModel(crash(faults=[wrong]), rules=rules)
    with pytest.raises(ScenarioError, match=r"source: the rules make the index of one price"):
        MarketModel(crash(faults=[wrong]), rules="textbook")
