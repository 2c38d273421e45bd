"""`delever calibrate`: parameters, moments and their distances, the search, going on where it stopped, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from delever.engine.rules.presets import TEXTBOOK
from delever.experiments import calibrating
from delever.experiments.calibrating import Trials, free_parameter, search
from delever.experiments.cli import main
from delever.experiments.errors import UserError
from delever.experiments.realism.moments import DISTANCE_MAX, distance, moments_of
from delever.experiments.realism.scorecard import FACTS, scored
from delever.sim.scenario import from_toml, load_scenario

SMALL = ["--set", "duration_s=120", "--set", "traders=200", "--seeds", "1", "--population", "5", "--rows", "14"]
NOTHING = {str(fact.row): None for fact in FACTS}


def test_parameters_are_read_from_their_bounds() -> None:
    rate = free_parameter("cohorts.noise.share=0.1..0.4")
    assert (rate.value(0.0), rate.value(0.5), rate.value(1.0)) == (0.1, 0.25, 0.4)
    width = free_parameter("cohorts.maker.half_spread_ppm=10..1000:log")
    assert width.value(0.5) == 100 and width.text(0.5) == "cohorts.maker.half_spread_ppm=100"
    assert free_parameter("a.b=1..3").text(0.6) == "a.b=2", "between whole numbers it stays whole"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("share", "KEY=LOW..HIGH"),
        ("a=1", "KEY=LOW..HIGH"),
        ("a=x..2", "KEY=LOW..HIGH"),
        ("a=2..1", "the first bound must be below the second"),
        ("a=1..nan", "the first bound must be below the second"),
        ("a=0..1:log", "above 0"),
        ("rules.margin.call_ppm=1..2", "not rules"),
    ],
)
def test_bad_parameters_are_refused(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        free_parameter(text)


def test_distances_are_halves_of_the_range_of_real_markets() -> None:
    (tail,) = moments_of([1], None)
    half = (4.07 - 2.58) / 2
    far = {3.0: 0.0, 4.5 + half: 1.0, 2.3 - 2 * half: 2.0, 1e9: DISTANCE_MAX}
    for value, away in far.items():
        assert tail.distance(scored([NOTHING | {"1": [value]}])) == pytest.approx(away)
    assert tail.distance(scored([NOTHING])) == DISTANCE_MAX, "what is not told"


def test_kurtosis_that_does_not_fall_with_the_horizon_is_away_from_what_passes() -> None:
    minute, five, hour = moments_of([3], None)
    falling, rising = (scored([NOTHING | {"3": values}]) for values in ([9.0, 6.0, 5.0], [9.0, 9.0 + 371, 5.0]))
    assert [each.distance(falling) for each in (minute, five, hour)] == [0.0, 0.0, 0.0]
    assert [each.distance(rising) for each in (minute, five, hour)] == [0.0, 1.0, 0.0], "half of 5 to 747 is one away"


def test_a_market_to_come_near_has_moments_of_what_it_tells() -> None:
    against = scored([NOTHING | {"1": [3.0], "14": [1.2, 0.9]}])
    found = moments_of([1, 12, 14], against)
    assert [(moment.fact.row, moment.low, moment.high) for moment in found] == [
        (1, 3.0, 3.0), (14, 1.2, 1.2), (14, 0.9, 0.9),
    ]  # fmt: skip
    assert distance(found, against) == 0.0
    off = scored([NOTHING | {"1": [3.0 + (4.07 - 2.58) / 2]}])
    assert distance(found, off) == pytest.approx((1.0 + 2 * DISTANCE_MAX**2) / 3)


def test_the_search_finds_the_smallest_distance_and_begins_where_the_scenario_is() -> None:
    tried = []

    def bowl(shares: np.ndarray) -> np.ndarray:
        tried.append(shares.copy())
        found: np.ndarray = ((shares - np.array([[0.3], [0.7]])) ** 2).sum(axis=0)
        return found

    search(bowl, np.array([0.9, 0.1]), 30, 12)
    assert tried[0][:, 0] == pytest.approx([0.9, 0.1])
    assert sum(each.shape[1] for each in tried) == 31 * 12
    best = min(np.hstack(tried).T.tolist(), key=lambda shares: (shares[0] - 0.3) ** 2 + (shares[1] - 0.7) ** 2)
    assert best == pytest.approx([0.3, 0.7], abs=0.03)


def test_a_calibration_writes_a_scenario_and_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [
        "calibrate",
        "calm",
        *SMALL,
        "--free",
        "cohorts.maker.half_spread_ppm=20..400:log",
        "--out",
        str(tmp_path),
    ]
    assert main([*command, "--generations", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert told["trials"] == len(trials) == 10
    assert told["distance"] == trials["distance"].min() <= told["distance_before"] == trials["distance"][0]
    assert trials.iloc[0, 0] == 80.0, "the first trial is the scenario as it is"
    assert [moment["row"] for moment in told["moments"]] == [14, 14]
    written = from_toml((tmp_path / "calibrated.toml").read_text(), "calibrated.toml")
    (maker,) = [cohort for cohort in written.cohorts if cohort.name == "maker"]
    assert maker.half_spread_ppm == told["parameters"]["cohorts.maker.half_spread_ppm"]

    def never(*_: object) -> None:
        raise ValueError("no run may be made")

    monkeypatch.setattr(calibrating, "watched", never)
    assert main([*command, "--generations", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told, "all runs were there"
    assert main([*command, "--generations", "2"]) == 0
    longer = pd.read_csv(tmp_path / "trials.csv")
    assert longer[:10].equals(trials) and (longer["distance"][10:] == DISTANCE_MAX**2).any(), "new trials need runs"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name what may change"),
        (["--free", "cohorts.nobody.share=0.1..0.2"], "is no number of scenario"),
        (["--free", "cohorts.maker.levels=1..2000"], "levels"),
        (["--free", "cohorts.maker.levels=1..8", "--rows", "21"], "from 1 to 20"),
        (["--free", "cohorts.maker.levels=1..8", "--population", "3"], "--population must be 5 or more"),
        (["--free", "cohorts.maker.levels=1..8", "--against", "nothing.csv"], "nothing.csv"),
        (["--free", "cohorts.maker.levels=1..8", "--free", "cohorts.maker.levels=9..12"], "is named more than once"),
        (["--free", "cohorts.maker.levels=-3..8"], "--free"),
    ],
)
def test_mistakes_are_answered(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "calm", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert says in capsys.readouterr().err


def test_a_calibration_to_what_passes_prints_every_kind_of_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    small = ["--set", "duration_s=600", "--set", "traders=50", "--seeds", "1", "--population", "5"]
    command = ["calibrate", "calm", *small, "--free", "cohorts.maker.levels=4..8", "--generations", "0"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (five,) = [line for line in lines if "5 min" in line and "kurtosis" in line]
    assert "less than before" in five
    assert any("1 to 3" in line for line in lines) and (tmp_path / "calibrated.toml").exists()
    assert main([*command, "--rows", "1", "--out", str(tmp_path)]) == 2
    assert "no trial tells any of the rows 1" in capsys.readouterr().err


def test_a_world_that_cannot_be_run_is_as_far_as_can_be(tmp_path: Path) -> None:
    base = load_scenario("calm").replaced({"duration_s": 60, "traders": 20, "dt_s": 7})
    free = [free_parameter("cohorts.maker.levels=2..4")]
    trials = Trials(base, TEXTBOOK, free, moments_of([14], None), range(1), 1, tmp_path, lambda done: None)
    found = trials(np.array([[0.0, 1.0]]))
    assert found.tolist() == [DISTANCE_MAX**2] * 2 and trials.best is None
    assert "a minute must be a whole number of steps" in trials.failure
