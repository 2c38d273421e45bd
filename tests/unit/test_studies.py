"""Studies: their settings, rows and claims by hand, their worlds in small, and the command from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from delever.engine.rules.io import diff
from delever.experiments.errors import UserError
from delever.experiments.metrics.closing import lowest_price, open_loss_atoms, premium, refill_s
from delever.experiments.runner import PARTS
from delever.experiments.studies import disposal_speed, two_funds, zero_intelligence
from delever.experiments.studies.large_holder import HOLDER, SELLER
from delever.experiments.studies.study import Measure, arms_of, median_check, rows_of, settings, sign_check, tasks_of
from delever.experiments.studying import STUDIES, run_study
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import ScenarioError

SMALL = ["traders=20", "duration_s=200"]


def series(**columns: list[int]) -> pd.DataFrame:
    length = len(next(iter(columns.values())))
    return pd.DataFrame({"time_s": np.arange(length) * 10, **columns})


def test_the_price_of_a_window_is_weighted_by_volume() -> None:
    """30 lots at 90 and one at 10, index 100: (2700 + 10) / 3100 - 1; a window without trades stands at the index."""
    rows = series(volume_lots=[0, 30, 1, 0, 0], volume_atoms=[0, 30 * 90 * 7, 10 * 7, 0, 0], index_ticks=[100] * 5)
    found = premium(rows, 20, 7)
    assert found.tolist() == pytest.approx([0.0, -0.1, 2710 / 3100 - 1, 10 / 100 - 1, 0.0])


def test_the_lowest_price_is_of_all_trades_of_a_window_and_windows_without_any_do_not_count() -> None:
    """One lot at 10 alone is low; with the 30 lots at 90 before it the window stands at 2,710 / 31."""
    rows = series(volume_lots=[0, 30, 1, 0, 0, 5], volume_atoms=[0, 30 * 90 * 7, 10 * 7, 0, 0, 5 * 95 * 7])
    every = np.ones(6, dtype=np.bool_)
    assert lowest_price(rows, 10, 7, every) == 10
    assert lowest_price(rows, 20, 7, every & (np.arange(6) != 3)) == pytest.approx(2710 / 31)
    assert lowest_price(rows, 20, 7, np.arange(6) == 5) == 95
    assert np.isnan(lowest_price(rows, 10, 7, np.arange(6) == 0))


def test_an_open_loss_is_what_equity_lacks_to_the_balance_and_a_gain_is_none() -> None:
    rows = series(fund_balance_atoms=[100, 100, 90], fund_equity_atoms=[100, 70, 95])
    assert open_loss_atoms(rows).tolist() == [0, 30, 0]


def test_the_fund_is_refilled_when_it_is_above_its_start_after_its_lowest() -> None:
    assert refill_s(series(fund_equity_atoms=[100, 120, 80, 100, 101])) == 20
    assert np.isnan(refill_s(series(fund_equity_atoms=[100, 120, 80, 100, 100])))


def test_settings_are_all_combinations_and_lists_are_one_value() -> None:
    assert settings([]) == [[]]
    assert settings(["a=1,2", "b.c=[1,2],[3]"]) == [
        ["a=1", "b.c=[1,2]"], ["a=1", "b.c=[3]"], ["a=2", "b.c=[1,2]"], ["a=2", "b.c=[3]"],
    ]  # fmt: skip
    assert settings(['a="x,y",z']) == [['a="x,y"'], ["a=z"]]


def test_rows_are_medians_and_paired_differences_of_seeds_that_every_arm_has() -> None:
    frame = pd.DataFrame(
        [("g", "one", seed, value) for seed, value in ((0, 1.0), (1, 2.0), (2, 4.0), (3, 9.0))]
        + [("g", "two", seed, value) for seed, value in ((2, 3.0), (0, 2.0), (1, 5.0))],
        columns=["group", "arm", "seed", "x"],
    )
    one, two = rows_of(frame, [Measure("x", "x", "number")])
    assert (one["median"], one["seeds"], "difference" in one) == (2.0, 3, False)
    assert two["median"] == 3.0
    assert two["difference"] == pytest.approx((1 + 3 - 1) / 3)
    assert two["low"] < 1 < two["high"]


def test_the_sign_test_is_one_sided_and_needs_p_below_a_hundredth() -> None:
    """10 of 10 is 1 in 1,024; 9 of 10 is 11 in 1,024; no difference counts against the claim."""
    assert sign_check("", np.ones(10)).value == pytest.approx(1 / 1024)
    assert sign_check("", np.ones(10)).holds
    ninth = sign_check("", np.array([1.0] * 9 + [0.0]))
    assert ninth.value == pytest.approx(11 / 1024)
    assert not ninth.holds
    assert median_check("", np.array([0.01, 0.05, 0.2]), 0.02, 0.1).seeds_inside == 1


def test_arms_differ_in_the_fund_and_in_how_positions_are_closed_and_in_nothing_else() -> None:
    for study in (two_funds, disposal_speed):
        arms = study.design()
        assert len({arm.label for arm in arms}) == len(arms)
        first = {arm.group: arm for arm in reversed(arms)}
        for arm in arms:
            assert arm.scenario == first[arm.group].scenario
            changed = {path for path, _, _ in diff(first[arm.group].rules, arm.rules)} - {"name"}
            closing = ("insurance.initial_quote", "insurance.disposal", "insurance.sale", "liquidation.")
            assert all(path.startswith(closing) for path in changed), changed


def test_the_large_holder_has_five_times_the_bids_within_a_hundredth_and_somebody_sold_it() -> None:
    arm = next(each for each in disposal_speed.design() if each.group == disposal_speed.LARGE)
    model = MarketModel(arm.scenario, rules=arm.rules, seed=3, cohorts=[disposal_speed.HOLDER], collect=False)
    depth = 0
    while not model.cohorts[-1].columns["stands"].all():
        view = model.look()
        bids = view.depth_lots(0, 1, int(view.bid_ticks[0]) // 100)
        model.step()
        if depth == 0 and model.cohorts[-1].columns["target_lots"][HOLDER] > 0:
            depth = bids
        assert view.time_s < 400, "the position is never complete"
    held = model.look().lots(model.cohorts[-1].rows, 0)
    assert held[HOLDER] == 5 * depth > 0
    assert held[SELLER] < 0
    model.close()


def test_what_forced_closing_brings_beyond_bankruptcy_is_written_down_by_name(tmp_path: Path) -> None:
    """Codes of postings have gaps; every one has its name in fund.parquet."""
    market = next(
        arm for arm in disposal_speed.design()
        if (arm.group, arm.name) == (disposal_speed.FALLING, disposal_speed.MARKET_ORDER)
    )  # fmt: skip
    simulate(market.scenario.replaced({"traders": 60}), market.rules, 1, out=tmp_path)
    codes = set(pd.read_parquet(tmp_path / "fund.parquet")["code"])
    assert "SURPLUS" in codes
    assert codes <= {"DEPOSIT", "SURPLUS", "DEFICIT"}


def test_the_command_makes_rows_figure_and_claims_and_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [*SMALL, "warmup_s=60", "rules.insurance.initial_quote=1000,50000"]
    run_study("disposal-speed", sets=sets, seeds=1, jobs=1, out=tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert set(told) >= {"study", "question", "seeds", "rows", "checks", "failed"}
    arms = len(disposal_speed.design())
    assert len(told["rows"]) == 2 * arms * len(disposal_speed.STUDY.measures)
    assert {row["rules.insurance.initial_quote"] for row in told["rows"]} == {1000, 50000}
    parts = {file: file.stat().st_mtime_ns for file in (tmp_path / PARTS).iterdir()}
    assert len(parts) == 2 * arms
    run_study("disposal-speed", sets=sets, seeds=1, jobs=1, out=tmp_path, as_json=False)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / PARTS).iterdir()} == parts
    assert "one-sided fall" in capsys.readouterr().out
    assert (tmp_path / "disposal-speed-2.png").read_bytes().startswith(b"\x89PNG")
    assert pd.read_parquet(tmp_path / "runs.parquet")["conservation_error"].eq(0).all()


def test_two_funds_in_an_hour_of_few_traders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing happens in the first five hours; what is tested is that every claim and the figure are made."""
    sets = ["traders=40", "duration_s=15000", "dt_s=50"]
    run_study("two-funds", sets=sets, seeds=2, jobs=1, out=tmp_path, as_json=False)
    text = capsys.readouterr().out
    assert text.count("holds") + text.count("does not hold") >= 10
    assert (tmp_path / "two-funds.png").exists()


def test_without_a_name_every_study_says_what_it_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_study(None, sets=[], seeds=None, jobs=1, out=tmp_path, as_json=False)
    assert capsys.readouterr().out.count("?\n") == len(STUDIES)
    run_study(None, sets=[], seeds=None, jobs=1, out=tmp_path, as_json=True)
    assert [each["study"] for each in json.loads(capsys.readouterr().out)] == list(STUDIES)


def test_a_value_that_is_given_twice_is_one_world() -> None:
    arms, _ = arms_of(STUDIES["tfg"], ["max_leverage=5,5,5.0"])
    assert [arm.given["max_leverage"] for arm in arms] == [5.0]


def test_runs_that_are_too_short_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"duration_s: at least 1200 s are needed"):
        run_study("zero-intelligence", sets=["duration_s=200"], seeds=1, jobs=1, out=tmp_path, as_json=True)
    short = ["contracts=0", "duration_s=300", "traders=300"]
    with pytest.raises(UserError, match=r"duration_s: the programme begins after 900 s, .* at least 720 s"):
        run_study("six-may", sets=short, seeds=1, jobs=1, out=tmp_path, as_json=False)


def test_worlds_without_trades_are_no_points_of_a_line_and_the_figure_says_so() -> None:
    nothing = dict.fromkeys(zero_intelligence.COMPARED, 0.0)
    runs = pd.DataFrame([{"arm": name, "seed": 0, **nothing} for name in "abc"])
    assert all(np.isnan(value) for fit in zero_intelligence.fits(runs).values() for value in fit)
    assert "No run is long enough to tell." in [text.get_text() for text in zero_intelligence.figure(runs).texts]


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown study 'x'"):
        run_study("x", sets=[], seeds=None, jobs=1, out=tmp_path, as_json=False)
    with pytest.raises(UserError, match="tradres"):
        run_study("two-funds", sets=["tradres=1,2"], seeds=1, jobs=1, out=tmp_path, as_json=False)
    with pytest.raises(ScenarioError):
        tasks_of(two_funds.design(), ["traders=none"], 1)
