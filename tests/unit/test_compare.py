"""Runs are paired by seed, the same on one job as on two, never lost, and compared by sound arithmetic."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel
from rich.console import Console

from delever.engine.rules.io import load_rules
from delever.experiments.bearers import who_bears
from delever.experiments.compare import measures_in, print_comparison, run_comparison
from delever.experiments.errors import Interrupted, UserError
from delever.experiments.paired import compare, paired_difference, spread
from delever.experiments.runner import PARTS, Finished, Task, run_all, task
from delever.sim.run import simulate as simulate_for_real
from tests.golden.shocks import shock_world
from tests.made_up import (
    Rules,
    World,
    full_disk_at_three,
    interrupted_at_three,
    killed_always,
    killed_once,
    made_up,
    unlucky_at_one,
)

RULES = [("a", Rules(name="a")), ("b", Rules(name="b", factor=0.5))]


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "traces").mkdir()
    return World(traces=str(tmp_path / "traces"))


def silent(done: int, total: int) -> None:
    assert 0 <= done <= total


def tasks_of(world: World, seeds: int) -> list[Task]:
    return [task(world, rules, label, seed) for seed in range(seeds) for label, rules in RULES]


def compared(world: World, folder: Path, jobs: int, seeds: int = 5) -> tuple[pd.DataFrame, dict[str, Any]]:
    return run_comparison(world, RULES, range(seeds), folder, jobs=jobs, simulate=made_up, progress=silent)


def traces(world: World) -> dict[str, int]:
    return {file.name: len(file.read_text()) for file in Path(world.traces).iterdir()}


def test_one_job_and_two_jobs_give_the_same_table(world: World, tmp_path: Path) -> None:
    one, told_one = compared(world, tmp_path / "one", 1)
    two, told_two = compared(world, tmp_path / "two", 2)
    pd.testing.assert_frame_equal(one.drop(columns="wall_s"), two.drop(columns="wall_s"))
    assert {**told_one, "out": ""} == {**told_two, "out": ""}


def test_the_table_has_one_row_per_rule_set_and_seed_and_every_measure(world: World, tmp_path: Path) -> None:
    compared(world, tmp_path, 1)
    runs = pd.read_parquet(tmp_path / "runs.parquet")
    assert list(runs.columns[:3]) == ["rules", "seed", "digest"]
    assert list(zip(runs["rules"], runs["seed"], strict=True)) == [(name, s) for name in "ab" for s in range(5)]
    assert {"liquidations", "bad_debt", "waterfall.fund", "refusals.MARGIN", "wall_s"} <= set(runs.columns)
    assert runs["refusals.MARGIN"].tolist() == [0, 3, 0, 3, 0] * 2
    assert {file.name for file in tmp_path.iterdir()} >= {"runs.parquet", "comparison.json", "figures"}
    assert (tmp_path / "figures" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_finished_is_not_made_again(world: World, tmp_path: Path) -> None:
    compared(world, tmp_path, 1, seeds=3)
    _, told = compared(world, tmp_path, 1, seeds=5)
    assert set(traces(world).values()) == {1}
    assert told["runs"] == 10


def test_other_rules_are_another_run(world: World, tmp_path: Path) -> None:
    compared(world, tmp_path, 1, seeds=1)
    changed = [RULES[0], ("b", Rules(name="b", factor=0.6))]
    run_comparison(world, changed, range(1), tmp_path, jobs=1, simulate=made_up, progress=silent)
    assert traces(world) == {"a-0": 1, "b-0": 2}


def test_a_price_file_that_changed_makes_another_run(tmp_path: Path) -> None:
    class Filed(BaseModel):
        markets: list[dict[str, Any]]

    file = tmp_path / "prices.csv"
    filed = Filed(markets=[{"path": {"kind": "file", "path": str(file)}}])
    file.write_text("1")
    before = task(filed, RULES[0][1], "a", 0).key
    file.write_text("2")
    assert task(filed, RULES[0][1], "a", 0).key != before


def test_a_killed_worker_costs_one_retry(world: World, tmp_path: Path) -> None:
    finished = run_all(tasks_of(world, 4), tmp_path, 2, killed_once, silent)
    assert (len(finished.summaries), finished.failures) == (8, {})
    assert set(traces(world)) >= {"killed", "a-2", "b-2"}


def test_a_run_whose_worker_is_always_killed_is_listed_and_the_others_are_kept(world: World, tmp_path: Path) -> None:
    finished = run_all(tasks_of(world, 4), tmp_path, 2, killed_always, silent)
    assert list(finished.failures) == [("b", 2)]
    assert "killed" in finished.failures["b", 2]
    assert len(finished.summaries) == 7
    assert len(list((tmp_path / PARTS).glob("*.json"))) == 7


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_broken_law_fails_its_own_run_only(world: World, tmp_path: Path, jobs: int) -> None:
    finished = run_all(tasks_of(world, 3), tmp_path, jobs, unlucky_at_one, silent)
    assert set(finished.failures) == {("a", 1), ("b", 1)}
    assert finished.failures["a", 1] == "AssertionError: I2 does not hold in step 5"
    assert len(finished.summaries) == 4


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(world: World, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="6 of 10 runs are kept"):
        run_all(tasks_of(world, 5), tmp_path, 1, interrupted_at_three, silent)
    finished = run_all(tasks_of(world, 5), tmp_path, 1, made_up, silent)
    assert (len(finished.summaries), finished.reused) == (10, 6)
    assert set(traces(world).values()) == {1}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_is_a_message_and_keeps_what_is_finished(world: World, tmp_path: Path, jobs: int) -> None:
    with pytest.raises(UserError, match=r"the disk is full.* of 10 runs are kept"):
        run_all(tasks_of(world, 5), tmp_path, jobs, full_disk_at_three, silent)
    assert list((tmp_path / PARTS).glob("*.json"))


def test_failed_seeds_are_left_out_of_pairs(world: World, tmp_path: Path) -> None:
    runs, told = run_comparison(world, RULES, range(4), tmp_path, jobs=2, simulate=killed_always, progress=silent)
    assert len(runs) == 7
    assert told["failed"][0]["seed"] == 2
    paired = [made_up(world, RULES[0][1], seed).summary["liquidations"] for seed in (0, 1, 3)]
    assert told["measures"]["liquidations"]["a"]["median"] == float(np.median(paired))


def test_nothing_to_compare_is_a_message(world: World, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="every run failed"):
        run_comparison(world, RULES, [1], tmp_path, jobs=1, simulate=unlucky_at_one, progress=silent)


def test_the_interval_is_that_of_students_t() -> None:
    found = paired_difference(np.array([3.0, 5.0, 4.0, 8.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    # Differences 2, 3, 1, 4: mean 2.5, standard error sqrt(5/3)/2, t with 3 degrees of freedom 3.182446.
    assert found.mean == 2.5
    assert found.high - found.mean == pytest.approx(3.1824463 * np.sqrt(5 / 3) / 2)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_equal_runs_differ_by_exactly_zero() -> None:
    values = np.array([0.1, 0.2, 0.3])
    assert paired_difference(values, values) == (0.0, 0.0, 0.0)


def test_one_seed_has_no_interval() -> None:
    found = paired_difference(np.array([3.0]), np.array([1.0]))
    assert found.mean == 2.0
    assert np.isnan([found.low, found.high]).all()


def test_the_spread_is_median_and_outer_percentiles() -> None:
    assert spread(np.arange(101.0)) == (50.0, 5.0, 95.0)


def test_pairs_are_made_by_seed_not_by_order() -> None:
    runs = pd.DataFrame(
        {"rules": ["a", "a", "b", "b", "b"], "seed": [0, 1, 1, 0, 7], "x": [10.0, 20.0, 25.0, 15.0, 1e9]}
    )
    base, other = compare(runs, ["x"])
    assert base.difference is None
    assert other.difference == (5.0, 5.0, 5.0)


def test_speeds_and_seeds_are_no_measures(world: World, tmp_path: Path) -> None:
    runs, _ = compared(world, tmp_path, 1, seeds=1)
    assert measures_in(runs) == ["liquidations", "bad_debt", "waterfall.fund"]


@pytest.mark.parametrize("seeds", [1, 4])
def test_the_table_fits_into_80_columns_and_writes_exact_zeros(world: World, tmp_path: Path, seeds: int) -> None:
    _, told = compared(world, tmp_path, 1, seeds=seeds)
    told["out"] = "results"
    console = Console(width=80, record=True, quiet=True)
    console.quiet = False
    with console.capture() as captured:
        print_comparison(told, console)
    text = captured.get()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "  bad debt: 0" in text
    assert ("one seed" in text) == (seeds == 1)


def test_real_runs_are_the_same_in_workers_and_here(tmp_path: Path) -> None:
    rules = [(name, load_rules(name)) for name in ("hyperliquid", "hyperliquid,liquidation.act=false")]
    tables = [
        run_comparison(
            shock_world(), rules, [1], tmp_path / str(jobs), jobs=jobs, simulate=simulate_for_real, progress=silent
        )[0].drop(columns=["wall_s", "commands_per_s"])
        for jobs in (1, 2)
    ]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["liquidations"].tolist()[0] > 0
    assert tables[0]["liquidations"].tolist()[1] == 0


def test_summaries_are_found_by_label_and_seed(world: World, tmp_path: Path) -> None:
    finished: Finished = run_all(tasks_of(world, 2), tmp_path, 1, made_up, silent)
    assert {key: summary["seed"] for key, summary in finished.summaries.items()} == {
        ("a", 0): 0, ("b", 0): 0, ("a", 1): 1, ("b", 1): 1,
    }  # fmt: skip


def test_who_bears_the_loss_is_the_mean_by_layer_over_the_seeds_all_rules_have() -> None:
    """A layer that gained stays negative and is no loss; a seed that one rule set lacks is left out."""
    rows = [("a", 0, 10.0, 4.0), ("a", 1, 30.0, 0.0), ("a", 2, 99.0, 99.0), ("b", 0, 1.0, -6.0), ("b", 1, 3.0, 2.0)]
    runs = pd.DataFrame(rows, columns=["rules", "seed", "waterfall.own_margin", "waterfall.fund"])
    losses = who_bears(runs)
    assert losses.index.tolist() == ["a", "b"]
    assert losses[["own_margin", "fund", "total"]].to_numpy().tolist() == [[20.0, 2.0, 22.0], [2.0, -2.0, 2.0]]


def test_runs_without_layers_bear_nothing() -> None:
    assert who_bears(pd.DataFrame({"rules": ["a"], "seed": [0]})).empty
