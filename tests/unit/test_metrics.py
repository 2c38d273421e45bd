"""Measures are what their definitions say, on tables small enough to work out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from delever.experiments.folder import COLUMNS
from delever.experiments.metrics.cascades import (
    branching_from_counts,
    branching_ratio,
    causal_cascades,
    closed_atoms,
    counts_in_windows,
    gap_cascades,
    peak_minute_share,
)
from delever.experiments.metrics.losses import (
    LAYERS,
    bad_debt_ratio,
    closed_by_way_atoms,
    drawdown,
    fund_flows_atoms,
    recovery_rate,
    shortfall_atoms,
    time_under_water_s,
    waterfall_atoms,
)


def liquidations(*rows: tuple[int, int, int, int]) -> pd.DataFrame:
    """Liquidations from (id, parent, second, value); all lots went to the book, account = id."""
    frame = pd.DataFrame(rows, columns=["liquidation", "parent", "time_s", "value_atoms"])
    frame = frame.assign(account=frame["liquidation"], lots=10, book_lots=10)
    return frame.reindex(columns=list(COLUMNS["liquidations"]), fill_value=0)


#      1 -> 2 -> 4        6 (no child)
#        -> 3 -> 5
TREE = liquidations((1, 0, 0, 10), (2, 1, 1, 20), (3, 1, 1, 30), (4, 2, 4, 15), (5, 3, 5, 25), (6, 0, 300, 40))


def test_a_causal_cascade_is_a_root_and_all_its_descendants() -> None:
    large, small = causal_cascades(TREE).to_dict("records")
    assert (large["root"], large["liquidations"], large["accounts"], large["closed_atoms"]) == (1, 5, 5, 100.0)
    assert (large["depth"], large["width"], large["start_s"], large["duration_s"]) == (3, 2, 0, 5)
    assert (small["root"], small["liquidations"], small["depth"], small["width"]) == (6, 1, 1, 1)


def test_half_and_nine_tenths_of_a_cascade_are_timed_by_value() -> None:
    large = causal_cascades(TREE).iloc[0]
    assert large["t50_s"] == 1  # 10, then 60 of 100
    assert large["t90_s"] == 5  # 75 at 4 s, 100 at 5 s


def test_a_sale_by_the_fund_is_no_parent() -> None:
    assert len(causal_cascades(liquidations((1, -1, 0, 1), (2, -1, 1, 1)))) == 2


def test_a_liquidation_in_two_markets_counts_once() -> None:
    twice = pd.concat([TREE, TREE.assign(market=1)], ignore_index=True)
    first = causal_cascades(twice).iloc[0]
    assert (first["liquidations"], first["closed_atoms"]) == (5, 200.0)


@pytest.mark.parametrize(("gap_s", "sizes"), [(1, [4, 1, 1]), (4, [5, 1]), (3, [3, 2, 1]), (296, [6])])
def test_liquidations_less_than_a_gap_apart_are_one_wave(gap_s: int, sizes: list[int]) -> None:
    if gap_s == 1:
        together = liquidations((1, 0, 0, 10), (2, 0, 0, 20), (3, 0, 0, 30), (4, 0, 0, 1), (5, 0, 1, 1), (6, 0, 9, 1))
    else:
        together = TREE
    assert sorted(gap_cascades(together, gap_s)["liquidations"], reverse=True) == sizes


def test_only_what_was_closed_counts() -> None:
    part = TREE.assign(book_lots=2, takeover_lots=1, adl_lots=1)
    assert closed_atoms(part).tolist() == pytest.approx([0.4 * value for value in (10, 20, 30, 15, 25, 40)])


def test_branching_is_the_mean_number_of_children() -> None:
    assert branching_ratio(TREE) == 4 / 6
    assert math.isnan(branching_ratio(TREE.iloc[:0]))


def test_branching_from_counts_is_zero_for_independent_events_and_near_n_for_self_exciting_ones() -> None:
    random = np.random.default_rng(5)
    assert branching_from_counts(random.poisson(50, 20_000)) == pytest.approx(0.0, abs=0.02)
    # Clusters of Borel size with branching ratio n = 0.5: variance / mean of their counts is 1 / (1 - n)^2.
    starts = random.poisson(50, 20_000)
    sizes = [sum(cluster(random, 0.5) for _ in range(count)) for count in starts[:1000]]
    assert branching_from_counts(sizes) == pytest.approx(0.5, abs=0.04)
    assert math.isnan(branching_from_counts([3, 3, 3]))


def cluster(random: np.random.Generator, ratio: float) -> int:
    size = alive = 1
    while alive:
        alive = int(random.poisson(ratio * alive))
        size += alive
    return size


def test_counts_fall_into_windows() -> None:
    assert counts_in_windows([0, 1, 59, 60, 130], 60, 179).tolist() == [3, 1, 1]


def test_no_liquidations_make_no_cascades() -> None:
    none = TREE.iloc[:0]
    assert causal_cascades(none).empty
    assert gap_cascades(none).empty


def test_the_busiest_minute_is_a_calendar_minute() -> None:
    series = pd.DataFrame({"time_s": [0, 30, 59, 60, 125], "forced_atoms": [1, 2, 3, 10, 4]})
    assert peak_minute_share(series) == 10 / 20
    assert math.isnan(peak_minute_share(series.assign(forced_atoms=0)))


def test_drawdown_is_the_deepest_fall_from_an_earlier_high() -> None:
    found = drawdown([0, 10, 20, 30, 40, 50], [100, 120, 90, 130, 105, 80])
    assert found == (50.0, 30, 50)
    assert drawdown([0, 1], [1, 2]).depth == 0.0
    assert drawdown([], []).depth == 0.0


def test_time_under_water_is_the_longest_time_below_a_high() -> None:
    assert time_under_water_s([0, 10, 20, 30, 40, 90], [5, 4, 5, 3, 4, 4]) == 70
    assert time_under_water_s([0, 10], [1, 1]) == 0


def test_ratios_of_shortfall() -> None:
    hit = TREE.assign(deficit_atoms=[7, 0, 0, 0, 0, 0])
    assert shortfall_atoms(hit) == 7
    assert bad_debt_ratio(hit, 140.0) == 0.05
    assert math.isnan(bad_debt_ratio(hit.iloc[:0], 0.0))
    assert math.isnan(recovery_rate(hit.iloc[:0]))


def test_only_what_the_book_took_is_recovered_without_help() -> None:
    """Of 140: 20 taken over, 15 closed against winners, and 7 of the rest not covered by the accounts themselves."""
    lots = TREE["book_lots"]
    hit = TREE.assign(
        book_lots=[lots[0], 0, lots[2], 0, *lots[4:]],
        takeover_lots=[0, lots[1], 0, 0, 0, 0],
        adl_lots=[0, 0, 0, lots[3], 0, 0],
        deficit_atoms=[7, 0, 0, 0, 0, 0],
    )
    assert closed_by_way_atoms(hit) == {"book": 105.0, "takeover": 20.0, "adl": 15.0}
    assert recovery_rate(hit) == pytest.approx((105 - 7) / 140)
    assert recovery_rate(TREE) == 1.0


def test_flows_of_the_fund_are_added_by_reason_and_direction() -> None:
    fund = pd.DataFrame({"code": ["DEFICIT", "FUNDING", "FUNDING", "DEFICIT"], "amount_atoms": [-5, 3, -1, -2]})
    assert fund_flows_atoms(fund).to_dict("records") == [
        {"code": "DEFICIT", "in_atoms": 0, "out_atoms": 7},
        {"code": "FUNDING", "in_atoms": 3, "out_atoms": 1},
    ]


def test_the_waterfall_of_an_interrupted_run_comes_from_its_tables() -> None:
    hit = TREE.assign(margin_lost_atoms=[1, 2, 3, 0, 0, 0])
    adl = pd.DataFrame({"haircut_atoms": [5, -4]})
    fund = pd.DataFrame({"code": ["DEFICIT", "LIQUIDATION_FEE"], "amount_atoms": [-9, 2]})
    series = pd.DataFrame({"socialised_atoms": [0, 11], "bad_debt_atoms": [0, 13]})
    found = waterfall_atoms(hit, adl, fund, series)
    assert found == dict(zip(LAYERS, (6, 9, 0, 0, 5, 11, 13), strict=True))
    assert set(waterfall_atoms(hit.iloc[:0], adl.iloc[:0], fund.iloc[:0], series.iloc[:0]).values()) == {0}
