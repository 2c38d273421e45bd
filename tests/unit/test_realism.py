"""The scorecard of realism: statistics with known answers, published numbers of real files, bad files, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm

from delever.engine.rules.presets import PRESETS
from delever.experiments.cli import main
from delever.experiments.errors import UserError
from delever.experiments.metrics import crash_shape, impact, order_flow, returns
from delever.experiments.realism.curves import LAGS, curves_of
from delever.experiments.realism.files import read_market
from delever.experiments.realism.observed import BANDS_BP, LADDER_BP, Impacts, Minutes, Observed, Quotes
from delever.experiments.realism.portraits import draw_lines
from delever.experiments.realism.scorecard import FACTS, measured, score, scored
from delever.experiments.realism.watching import watch
from delever.sim.scenario import load_scenario, set_values
from tests.tree import ROOT

SHARED = ROOT.parent / "shared" / "data"
KLINES = SHARED / "klines_1m_cascades"
real_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared price files are not here")


def walk(count: int, seed: int = 0) -> np.ndarray:
    """Return prices whose log returns are independent and normal."""
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-3, count)))


def numbers(seen: Observed, row: int) -> list[float] | None:
    values = measured(seen)[str(row)]
    assert values is None or isinstance(values, list)
    return values


def test_hill_finds_the_exponent_of_a_power_law() -> None:
    """Quantiles of a Pareto law of exponent 3, no luck in them: the estimate is within 2 %."""
    values = (1.0 - (np.arange(100_000) + 0.5) / 100_000) ** (-1 / 3)
    assert returns.hill_index(values) == pytest.approx(3.0, rel=0.02)


def test_a_random_walk_has_no_memory_no_tails_and_variance_in_proportion_to_time() -> None:
    close = walk(50_000)
    seen = Observed(Minutes(close, close, None, None))
    assert all(abs(value) < 0.02 for value in numbers(seen, 4) or [1.0])
    assert all(abs(value) < 0.02 for value in numbers(seen, 6) or [1.0])
    assert abs((numbers(seen, 3) or [1.0])[0]) < 0.1
    assert (numbers(seen, 10) or [0.0])[0] == pytest.approx(1.0, abs=0.03)
    # Hill's estimate from the largest percent of normal values, whose quantiles are known.
    largest = norm.isf(np.linspace(0.5 / 50_000, 0.01, 500) / 2)
    expected = 1 / np.mean(np.log(largest / largest[-1]))
    assert (numbers(seen, 1) or [0.0])[0] == pytest.approx(expected, rel=0.1)


def test_the_decay_exponent_of_a_power_law_memory_is_found() -> None:
    """A sum of autoregressions with times 1 to 1000 in powers of two, weighted as time^-0.3, decays like lag^-0.3."""
    rng = np.random.default_rng(1)
    total = np.zeros(200_000)
    for time in 2.0 ** np.arange(11):
        keep = np.exp(-1 / time)
        part = pd.Series(rng.normal(0, np.sqrt(1 - keep**2), len(total))).ewm(alpha=1 - keep, adjust=False).mean()
        total += time**-0.15 * part.to_numpy() / (1 - keep)
    assert returns.decay_exponent(total, (1, 2, 5, 10, 20, 50, 100)) == pytest.approx(0.3, abs=0.1)


def test_a_poisson_process_has_no_branching_and_clusters_have() -> None:
    """Clusters of Borel size n = 0.7, all at the time of the first: the estimate is n; mean / variance is (1 - n)^2."""
    rng = np.random.default_rng(2)
    roots = np.sort(rng.uniform(0, 60_000, 60_000))
    assert order_flow.branching_ratio(roots, 60_000) < 0.1
    sizes = np.ones(len(roots), dtype=np.int64)
    growing = sizes.copy()
    while growing.any():
        growing = rng.poisson(0.7 * growing)
        sizes += growing
    clustered = np.repeat(roots, sizes)
    assert order_flow.branching_ratio(clustered, 60_000) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(("exponent", "luck"), [(0.5, 0.05), (0.5, 0.2), (1.0, 0.02), (0.2, 0.05)])
def test_the_exponent_of_impact_is_found_or_not_told(exponent: float, luck: float) -> None:
    """Also where the luck of one order is a hundred times the impact of a small one, and some means are below 0."""
    rng = np.random.default_rng(3)
    size = 10 ** rng.uniform(-4, -1, 2_000)
    moved = 0.8 * size**exponent + rng.normal(0, luck, len(size))
    assert impact.impact_exponent(size, moved) == pytest.approx(exponent, abs=0.1)
    assert np.isnan(impact.impact_exponent(size[:50], moved[:50])), "too few"
    assert np.isnan(impact.impact_exponent(size, rng.normal(0, luck, len(size)))), "no impact"


def test_a_fall_is_described_by_what_happened_around_its_trough() -> None:
    """100 until the fall; in minute 2000 to 80, back by 10 within the hour; ten times the volume for 21 minutes."""
    close = np.full(3_000, 100.0) + 0.01 * (-1.0) ** np.arange(3_000)
    close[2000:2060], close[2060:] = 85.0, 90.0
    low = close.copy()
    low[2000] = 80.0
    volume = np.full(3_000, 7.0)
    volume[1990:2011] = 70.0
    bought = 0.3 * volume
    trough = crash_shape.deepest_trough(low, close)
    assert trough == 2000
    shape = crash_shape.crash_shape(low, close, volume, bought, trough)
    assert shape.depth == pytest.approx(0.2, abs=1e-3)
    assert shape.recovered == pytest.approx(0.5, abs=1e-3)
    assert shape.volume_ratio == pytest.approx(10.0)
    assert shape.taker_sell_share == pytest.approx(0.7)
    assert shape.half_recovery_min == 60
    assert shape.sigma_ratio > 10


def test_depth_and_spread_are_means_over_time() -> None:
    seen = Observed(
        Minutes(walk(10), walk(10), None, None), depth=np.array([1.0, 2.0, 11.0, 20.0]),
        quotes=Quotes(np.array([0.0, 1.0]), np.array([1.0, 3.0]), np.array([3.0, 1.0]), np.array([10.0, 11.0])),
    )  # fmt: skip
    assert BANDS_BP.tolist() == [1, 2, 5, 10]
    assert numbers(seen, 16) == [5.0, 20.0]
    assert numbers(seen, 14) == [1.5, 0.75]


def test_what_cannot_be_told_does_not_pass() -> None:
    rows = scored([measured(Observed(Minutes(walk(5), walk(5), None, None)))])
    assert score(rows) == 0
    assert all(row.values is None and row.passed is None for row in rows)
    assert [fact.row for fact in FACTS] == list(range(1, 21))
    assert [fact.row for fact in FACTS if fact.compulsory] == [1, 4, 6, 12]


@real_data
@pytest.mark.parametrize(
    ("coin", "month"), [("AVAX", "2025-02"), ("LINK", "2026-02"), ("NEAR", "2025-09")], ids=lambda value: value
)
def test_published_numbers_of_a_month_come_out(coin: str, month: str) -> None:
    """stylised_facts_58_coin_months.csv, rounded to four digits; the decay exponent is not exact (docs/realism.md)."""
    table = pd.read_csv(KLINES / "stylised_facts_58_coin_months.csv")
    known = table[(table["coin"] == coin) & (table["month"] == month)].iloc[0]
    found = measured(read_market(KLINES / f"{coin}USDT_1m_{month}.csv.gz"))
    expected = {
        1: ["hill1"], 2: ["hill_neg", "hill_pos"], 3: ["kurt1m", "kurt5m", "kurt60m"], 4: ["acf1", "acf2", "acf10"],
        5: ["skew"], 8: ["corr_absr_vol"], 9: ["lev"],
    }  # fmt: skip
    for row, names in expected.items():
        assert found[str(row)] == pytest.approx([known[name] for name in names], abs=6e-5), f"row {row}"
    memory = [known[name] for name in ("aacf1", "aacf10", "aacf100", "aacf500")]
    assert found["6"] == pytest.approx(memory, abs=1e-3)
    assert found["7"] == pytest.approx([known["beta"]], abs=0.002)


@real_data
def test_ranges_of_real_markets_are_those_of_58_months() -> None:
    """5 % to 95 %, rounded as they stand in the scorecard."""
    table = pd.read_csv(KLINES / "stylised_facts_58_coin_months.csv")
    names = {
        1: ["hill1"], 2: ["hill_neg", "hill_pos"], 3: ["kurt1m", "kurt5m", "kurt60m"], 4: ["acf1", "acf2", "acf10"],
        5: ["skew"], 6: ["aacf1", "aacf10", "aacf100", "aacf500"], 7: ["beta"], 8: ["corr_absr_vol"], 9: ["lev"],
    }  # fmt: skip
    assert len(table) == 58
    for fact in FACTS[:9]:
        for name, written in zip(names[fact.row], fact.real, strict=True):
            found = table[name].quantile([0.05, 0.95])
            decimals = [len(str(bound).partition(".")[2]) for bound in written]
            rounded = [round(value, places) for value, places in zip(found, decimals, strict=True)]
            assert rounded == pytest.approx(list(written)), f"row {fact.row}, {name}"


@real_data
def test_published_numbers_of_bitcoin_come_out() -> None:
    """science.md 4: January 2022 by the minute, 2018 to 2022 by the hour."""
    minutes = measured(read_market(SHARED / "btc" / "btcperp_1m_2022-01.csv.gz", volume_in="money"))
    assert minutes["1"] == pytest.approx([2.91], abs=0.005)
    assert minutes["4"][0] == pytest.approx(0.017, abs=5e-4)
    assert minutes["6"] == pytest.approx([0.33, 0.24, 0.15, 0.07], abs=0.006)
    assert minutes["8"] == pytest.approx([0.52], abs=0.005)
    hourly = pd.read_csv(SHARED / "btc" / "btcusd_1h_2018-05_2022-03.csv.gz")["close"].to_numpy()
    moves = returns.log_returns(hourly)
    assert returns.hill_index(np.abs(moves)) == pytest.approx(3.02, abs=0.005)
    assert returns.skewness(moves) == pytest.approx(-0.24, abs=0.005)
    assert returns.correlation(moves[:-1], np.abs(moves[1:])) == pytest.approx(-0.04, abs=0.005)
    by_horizon = [returns.excess_kurtosis(returns.log_returns(hourly, every)) for every in (1, 24, 168)]
    assert by_horizon == pytest.approx([45, 9, 1.5], rel=0.05)
    assert returns.decay_exponent(np.abs(moves), returns.DECAY_LAGS) == pytest.approx(0.29, abs=0.005)


@real_data
@pytest.mark.parametrize("day", ["2023-06-10", "2023-08-17", "2024-02-28", "2024-04-12", "2025-02-03"])
def test_published_shapes_of_falls_come_out(day: str) -> None:
    """cascade_event_metrics.csv; the window of its volume ratio is known to 0.3 %."""
    table = pd.read_csv(KLINES / "cascade_event_metrics.csv")
    for known in table[table["event"] == day].itertuples():
        minutes = read_market(KLINES / f"cascade_{day}_1m.csv.gz", f"{known.coin}USDT").minutes
        trough = crash_shape.deepest_trough(minutes.low, minutes.close)
        assert trough is not None
        shape = crash_shape.crash_shape(minutes.low, minutes.close, minutes.volume, minutes.taker_buy, trough)
        assert shape.depth == pytest.approx(-known.depth, abs=2e-4)
        assert shape.recovered == pytest.approx(known.recovered_frac_60m, abs=6e-4)
        assert shape.half_recovery_min == known.half_recovery_min
        assert shape.taker_sell_share == pytest.approx(known.taker_sell_share_10m, abs=6e-5)
        assert shape.worst_log_return == pytest.approx(known.worst_1m_logret, abs=6e-5)
        assert shape.volume_ratio == pytest.approx(known.vol_ratio, rel=0.006)
        assert shape.sigma_ratio == pytest.approx(known.vol_ratio_sigma, rel=0.002)


@real_data
def test_published_numbers_of_the_order_book_sample_come_out() -> None:
    """science.md 4, rows 11 and 13 to 17."""
    found = measured(read_market(SHARED / "lob_btcusdt_2024-08-08"))
    assert found["11"] == pytest.approx([0.21, 0.52], abs=0.01)
    assert 1.06 <= found["13"][0] <= 1.19
    assert found["14"] == pytest.approx([1.14, 0.991], abs=5e-4)
    assert found["15"] == pytest.approx([21], abs=0.5)
    assert found["16"] == pytest.approx([5, 258 / 10], rel=0.01)
    assert 0.6 <= found["17"][0] <= 1.0


def test_a_simulated_market_is_watched_from_the_end_of_its_warm_up() -> None:
    scenario = set_values(load_scenario("calm"), ["traders=60", "duration_s=3600", "warmup_s=600"])
    seen = watch(scenario, PRESETS["textbook"], 3)
    assert seen.orders is not None and seen.quotes is not None and seen.depth is not None
    assert len(seen.minutes.close) == 60
    assert seen.orders["time_s"].between(0, 3600).all()
    assert set(seen.orders["sign"]) <= {-1, 1}
    assert (np.diff(seen.depth) >= 0).all()
    assert seen.ladder is not None and seen.ladder[:, [0, 1, 4, 9]].mean(axis=0) == pytest.approx(seen.depth)
    assert seen.quotes.spread_ticks.min() >= 1
    assert seen.minutes.volume is not None and seen.minutes.volume.sum() > 0
    assert (seen.minutes.low <= seen.minutes.close).all()


def test_curves_hold_the_numbers_of_the_scorecard_and_depth_in_multiples_of_ten_basis_points() -> None:
    close = walk(2_000)
    ladder = np.vstack([LADDER_BP, 3.0 * LADDER_BP])
    seen = Observed(
        Minutes(close, close, None, None), depth=ladder.mean(axis=0)[np.isin(LADDER_BP, BANDS_BP)], ladder=ladder
    )
    curves = curves_of(seen)
    places = [LAGS.index(lag) for lag in (1, 10, 100, 500)]
    assert curves.sizes[places].tolist() == numbers(seen, 6)
    assert curves.returns[[LAGS.index(lag) for lag in (1, 2, 10)]].tolist() == numbers(seen, 4)
    assert np.isnan(curves.signs).all(), "no orders are known"
    assert curves.depth == pytest.approx(BANDS_BP / 10.0)
    assert (curves.bids[9], curves.asks[9]) == pytest.approx((0.5, 1.5))


BAD = {
    "time,open,high,low,close\n0,1,1,1,1\n3600,1,1,1,1\n": "a candle every 3600 s",
    "time,price,size,side\n0,1,1,buy\n1,1,1,sideways\n": "row 2: side sideways does not say who was the aggressor",
    "time,price,size\n0,1,1\n1,1,1\n": "has no aggressor column",
    "time,price,size,side\n0,1,-1,buy\n1,1,1,buy\n": "row 1: size is -1; an amount is not below 0",
    "time,price,size,side\n5,1,1,buy\n1,1,1,buy\n": "row 2: the time 1 s comes after 5 s; sort the rows by time",
    "time,price,size,side\n": "0 rows",
    "time,open,high,low,close\n0,50,90,40,50\n60,50,90,120,50\n": "row 2: open 50 is not between low 120 and high 90",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_file_is_answered_with_what_is_wrong(text: str, tmp_path: Path) -> None:
    file = tmp_path / "market.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=BAD[text]):
        read_market(file)


@pytest.mark.parametrize(
    ("quotes", "says"),
    [
        ("0,1,2\n50,1,2\n20,1,2\n", "row 3: the time 20 s comes after 50 s"),
        ("0,1,2\n5,3,2\n", "row 2: the bid is above the ask"),
    ],
)
def test_bad_quotes_are_refused(quotes: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "trades.csv").write_text("time,price,size,side\n0,1,1,buy\n1,1,1,buy\n")
    (tmp_path / "top_of_book.csv").write_text("time,bid,ask\n" + quotes)
    with pytest.raises(UserError, match=says):
        read_market(tmp_path)


def test_before_the_first_trade_the_price_of_a_minute_is_the_mark() -> None:
    alone = set_values(load_scenario("calm"), ["traders=1", "warmup_s=0", "duration_s=300", "dt_s=1"])
    seen = watch(alone.replaced({"cohorts": [{"kind": "depositor", "share": 1.0}]}), PRESETS["textbook"], 1)
    assert seen.orders is not None and not len(seen.orders)
    assert len(seen.minutes.close) == 5 and seen.minutes.close.min() > 0


def test_steps_that_do_not_fill_a_minute_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["validate", "calm", "--set", "dt_s=7", "--set", "traders=20", "--out", str(tmp_path)]) == 2
    assert "a minute must be a whole number of steps (got 7 s)" in capsys.readouterr().err


def test_a_folder_without_trades_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no trades.csv"):
        read_market(tmp_path)


def test_the_command_judges_a_file_and_says_what_cannot_be_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trades = ROOT / "docs" / "examples" / "trades.csv"
    assert main(["validate", "--against", str(trades), "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["score"] == sum(row["passed"] is True for row in told["rows"])
    assert [row["row"] for row in told["rows"]] == list(range(1, 21))
    by_row = {row["row"]: row for row in told["rows"]}
    assert by_row[12]["value"] is None and by_row[12]["passed"] is None
    assert len(by_row[11]["value"]) == len(by_row[11]["low"]) == 2
    assert isinstance(by_row[13]["value"], float)
    assert {file.name for file in tmp_path.iterdir()} >= {
        "scorecard.png",
        "scorecard.json",
        "fact-01.png",
        "memory.png",
    }
    assert not (tmp_path / "depth.png").exists(), "trades do not tell a book"


def test_a_folder_with_depth_gets_a_picture_of_it_and_may_have_one_row(tmp_path: Path) -> None:
    """Depth within four distances is known, not that of every basis point."""
    (tmp_path / "trades.csv").write_text("time,price,size,side\n0,1,1,buy\n1,1,1,buy\n")
    bands = [f"{side}qty_{band:g}bp" for side in ("bid", "ask") for band in BANDS_BP]
    (tmp_path / "depth_bands_1s.csv").write_text(f"{','.join(bands)}\n1,2,5,10,3,6,15,30\n")
    assert main(["validate", "--against", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "depth.png").is_file()
    assert measured(read_market(tmp_path))["16"] == pytest.approx([1.0, 10.0])


def test_the_command_tells_what_fails_from_what_cannot_be_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{60 * minute},1,1,1,1\n" for minute in range(5))
    (tmp_path / "short.csv").write_text(f"time,open,high,low,close\n{rows}")
    assert main(["validate", "--against", str(tmp_path / "short.csv"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "0 of 0 rows that can be told pass." in said and "Rows 1 to 10 and 18 need 1,000 minutes." in said
    assert "have to pass and do not" not in said


def test_the_command_needs_a_scenario_or_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 2
    assert "give a scenario" in capsys.readouterr().err


def test_meta_orders_are_told_from_impacts() -> None:
    size = np.geomspace(1e-4, 1e-1, 200)
    seen = Observed(Minutes(walk(5), walk(5), None, None), impacts=Impacts(size, size**0.5))
    assert numbers(seen, 12) == pytest.approx([0.5], abs=0.02)


def test_the_median_line_counts_runs_that_a_logarithmic_scale_cannot_show() -> None:
    axis = Figure().subplots()
    draw_lines(axis, (1, 10, 100), np.array([[0.3, 0.1, -0.1], [0.2, -0.01, -0.2], [0.4, 0.2, 0.1]]), None, least=0.003)
    *runs, median = axis.lines
    np.testing.assert_array_equal(runs[1].get_ydata(), [0.2, np.nan, np.nan])
    np.testing.assert_array_equal(median.get_ydata(), [0.3, 0.1, np.nan])
