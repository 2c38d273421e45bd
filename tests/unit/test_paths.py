"""Index paths go through the prices they are given, keep their bounds, and say what is wrong with a file."""

import gzip
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from delever.sim.paths import (
    ConstantIndex,
    FileIndex,
    GbmIndex,
    IndexPath,
    InstantShock,
    JumpDiffusionIndex,
    PriceFileError,
    RampShock,
    TableIndex,
    load_table,
    read_prices,
    table_names,
)
from tests.tree import ROOT

SHARED = ROOT.parent / "shared" / "data"
HOUR_S = 3600
DAY_S = 86_400
YEAR_S = 365 * DAY_S

CANDLES = """symbol,open_time_ms,open,high,low,close,volume
AUSDT,1738368000000,34.0,34.5,33.5,34.4,10
AUSDT,1738368060000,34.4,34.6,32.0,32.5,10
AUSDT,1738368120000,32.6,33.0,32.4,33.0,10
BUSDT,1738368000000,1.0,1.1,0.9,1.0,5
BUSDT,1738368060000,1.0,1.1,0.9,1.0,5
"""


def write(folder: Path, text: str, name: str = "prices.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


# Files


def test_candles_give_the_first_open_and_every_close(tmp_path):
    prices = read_prices(write(tmp_path, CANDLES), "AUSDT")
    assert prices.time_s.tolist() == [1738368000, 1738368060, 1738368120, 1738368180]
    assert prices.price.tolist() == [34.0, 34.4, 32.5, 33.0]
    assert prices.low.tolist() == [34.0, 33.5, 32.0, 32.4]
    assert prices.high.tolist() == [34.0, 34.5, 34.6, 33.0]


@pytest.mark.parametrize("packing", ["gz", "zip", "parquet", "pq"])
def test_packed_files_read_the_same(tmp_path, packing):
    expected = read_prices(write(tmp_path, CANDLES), "AUSDT")
    path = tmp_path / f"prices.csv.{packing}"
    if packing == "gz":
        path.write_bytes(gzip.compress(CANDLES.encode()))
    elif packing == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("prices.csv", CANDLES)
    else:
        pd.read_csv(tmp_path / "prices.csv").to_parquet(path)
    for found, wanted in zip(read_prices(path, "AUSDT"), expected, strict=True):
        assert np.array_equal(found, wanted)


def test_dump_without_header_is_known_by_its_twelve_columns(tmp_path):
    rows = "1738368000000,34,34.5,33.5,34.4,9,1738368059999,300,5,4,140,0\n"
    rows += "1738368060000,34.4,34.6,32,32.5,9,1738368119999,300,5,4,140,0\n"
    prices = read_prices(write(tmp_path, rows))
    assert prices.time_s.tolist() == [1738368000, 1738368060, 1738368120]
    assert prices.price.tolist() == [34.0, 34.4, 32.5]


@pytest.mark.parametrize(
    ("header", "times"),
    [
        ("time_s", ["0", "60", "120"]),
        ("time", ["1738368000", "1738368060", "1738368120"]),
        ("timestamp", ["1738368000000", "1738368060000", "1738368120000"]),
        ("ts", ["1738368000000000", "1738368060000000", "1738368120000000"]),
        ("time", ["1738368000000000000", "1738368060000000000", "1738368120000000000"]),
        ("time_ms", ["0", "60000", "120000"]),
        ("Date", ["2025-02-01", "2025-02-01 00:01", "2025-02-01T00:02:00Z"]),
        ("datetime", ["2025-02-01 02:00:00.000+02:00", "2025-02-01 02:01:00+02:00", "2025-02-01 00:02:00"]),
    ],
)
def test_times_may_be_in_any_usual_unit(tmp_path, header, times):
    rows = "".join(f"{time},{price}\n" for time, price in zip(times, [5, 6, 7], strict=True))
    prices = read_prices(write(tmp_path, f"{header},price\n{rows}"))
    start_s = 0 if header in ("time_s", "time_ms") else 1738368000
    assert prices.time_s.tolist() == [start_s, start_s + 60, start_s + 120]
    assert prices.price.tolist() == [5.0, 6.0, 7.0]
    assert prices.low is None
    assert prices.high is None


def test_times_of_a_parquet_index_are_found(tmp_path):
    times = pd.date_range("2025-02-01", periods=3, freq="min", name="time")
    pd.DataFrame({"close": [5.0, 6.0, 7.0]}, index=times).to_parquet(tmp_path / "p.parquet")
    prices = read_prices(tmp_path / "p.parquet")
    assert prices.time_s.tolist() == [1738368000, 1738368060, 1738368120]


def test_columns_may_be_named_by_the_caller(tmp_path):
    path = write(tmp_path, "when,bid,close\n0,1.5,9\n1,2.5,9\n")
    prices = read_prices(path, time_column="when", price_column="bid")
    assert prices.price.tolist() == [1.5, 2.5]


def test_bounds_beside_closes_belong_to_the_interval_before(tmp_path):
    prices = read_prices(write(tmp_path, "time_s,low,high,close\n0,1,3,2\n60,1,4,3\n"))
    assert prices.time_s.tolist() == [0, 60]
    assert prices.low.tolist() == [1.0, 1.0]
    assert prices.high.tolist() == [3.0, 4.0]


def test_numbers_are_read_to_the_last_digit(tmp_path):
    prices = read_prices(write(tmp_path, "time,price\n0,0.1234567890123456\n1,6.02214076e-5\n"))
    assert prices.price.tolist() == [0.1234567890123456, 6.02214076e-5]


def minutes(prices, times=None):
    """A file of one price a minute."""
    times = range(0, 60 * len(prices), 60) if times is None else times
    return "time_s,price\n" + "".join(f"{time},{price}\n" for time, price in zip(times, prices, strict=True))


FIVE = [100, 101, 102, 103, 104]


@pytest.mark.parametrize(
    ("text", "symbol", "message"),
    [
        ("", None, r"prices\.csv: is empty"),
        ("time,price\n", None, r"has 0 rows below the header; at least 2"),
        ("time,price\n0,5\n", None, r"has 1 row below the header; at least 2"),
        (CANDLES.splitlines()[0], None, r"has 0 rows below the header; at least 2"),
        (CANDLES, "CUSDT", r"has no symbol CUSDT; there are: AUSDT, BUSDT"),
        (CANDLES, None, r"holds several symbols, say which; there are: AUSDT, BUSDT"),
        (minutes(FIVE), "AUSDT", r"has no column symbol, so AUSDT cannot be picked"),
        ("time,bid,ask\n0,1,2\n1,1,2\n", None, r"has no price column \(price, close, .*: time, bid, ask"),
        ("when,price\n0,1\n1,1\n", None, r"has no time column .*; the columns are: when, price"),
        ("0,1,2\n1,1,2\n", None, r"has no header row and 3 columns; give it one \(time,price\)"),
        (minutes(FIVE, [0, 60, 180, 240, 300]), None, r"3: .* between 60 s and 180 s: 1 "),
        (minutes(FIVE, [0, 60, 6000, 6060, 6120]), None, r"gap between 60 s and 6000 s: 98 rows"),
        (minutes([*FIVE, 105], [0, 60, 120, 121, 180, 240]), None, r"row 4: .* 121 s comes 1 s after .* 60"),
        (minutes([100, "", 102]), None, r"row 2: price is missing \(NaN\)"),
        (minutes([100, 101, "NaN"]), None, r"row 3: price is missing \(NaN\); give a price above 0"),
        (minutes([100, "much", 102]), None, r"row 2: price much is not a finite number"),
        (minutes([100, "inf", 102]), None, r"row 2: price inf is not a finite number"),
        (minutes([100, 0, 102]), None, r"row 2: price is 0; a price must be above 0"),
        (minutes([100, 101, -3]), None, r"row 3: price is -3; a price must be above 0"),
        (minutes(FIVE, [0, 60, 120, 120, 180]), None, r"row 4: the time 120 s is there twice"),
        (minutes(FIVE, [0, 60, 180, 120, 240]), None, r"row 4: the time 120 s comes after 180 s; sort"),
        ("time,price\n0,5\nsoon,6\n2,7\n", None, r"row 2: time soon is not a time; give a number or a date"),
        ("date,price\n2025-01-01,5\n,6\n2025-01-03,7\n", None, r"row 2: date is missing; give"),
        ("time,price\n0,5\n,6\n2,7\n", None, r"row 2: time is missing; give"),
        (CANDLES.replace("32.4,33.0", "32.4,33.5"), "AUSDT", r"row 3: close 33.5 is not between"),
        (CANDLES.replace("060000,1.0", "060000,2.0"), "BUSDT", r"row 5: open 2 is not between low 0.9 and"),
        (CANDLES.replace("1.1,0.9,1.0,5\nB", "1.1,0,1.0,5\nB"), "BUSDT", r"row 4: low is 0; a price must be"),
        ("a,b\n1,2\n1,2,3,4\n", None, r"cannot be read as a table \(.*line 3.*\); give CSV or Parquet"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_why(tmp_path, text, symbol, message):
    path = write(tmp_path, text)
    with pytest.raises(PriceFileError, match=message) as caught:
        read_prices(path, symbol)
    assert str(caught.value).startswith(path)


def test_times_since_1970_are_shown_as_dates(tmp_path):
    path = write(tmp_path, minutes(FIVE, [1584010800 + second for second in (0, 60, 180, 240, 300)]))
    with pytest.raises(PriceFileError, match=r"between 2020-03-12 11:01:00 UTC and 2020-03-12 11:03:00 UTC"):
        read_prices(path)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zip", "a.parquet"])
def test_what_is_no_table_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(range(256)) * 20)
    with pytest.raises(PriceFileError, match=r"cannot be read as a table \(.*\); give CSV or Parquet"):
        read_prices(tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(PriceFileError, match=r"no\.csv: there is no such file"):
        read_prices(tmp_path / "no.csv")
    with pytest.raises(PriceFileError, match="is not a file"):
        read_prices(tmp_path)
    with pytest.raises(PriceFileError, match="no such file"):
        read_prices("https://example.org/prices.csv")


def test_a_file_cut_off_in_the_middle_is_refused(tmp_path):
    whole = gzip.compress(CANDLES.encode() * 50)
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PriceFileError, match="cannot be read as a table"):
        read_prices(tmp_path / "cut.csv.gz")


# From prices to steps


def test_the_path_goes_through_every_close_and_visits_low_and_high(tmp_path):
    index = FileIndex(path=write(tmp_path, CANDLES), symbol="AUSDT")
    for seed in range(20):
        ticks = index.ticks(seed, 0, steps=180, dt_s=1, tick_size=0.1)
        assert ticks[[0, 60, 120, 180]].tolist() == [340, 344, 325, 330]
        first, second, third = ticks[:61], ticks[60:121], ticks[120:]
        assert [(part.min(), part.max()) for part in (first, second, third)] == [
            (335, 345),
            (320, 346),
            (324, 330),
        ]
        assert first.argmin() < first.argmax(), "a rising candle visits its low first"
        assert second.argmax() < second.argmin(), "a falling candle visits its high first"
        assert 7 <= first.argmin() <= 23


def test_the_path_is_no_staircase(tmp_path):
    index = FileIndex(path=write(tmp_path, CANDLES), symbol="AUSDT")
    ticks = index.ticks(1, 0, steps=180, dt_s=1, tick_size=0.001)
    moves = np.abs(np.diff(ticks))
    assert np.median(moves) > 5
    # The second candle falls by 2.6 in at least a quarter of a minute; noise comes on top of 0.17 a second.
    assert moves.max() < 1000


@pytest.mark.parametrize("dt_s", [7, 20, 45, 60, 90, 0.5])
def test_any_step_length_keeps_the_bounds(tmp_path, dt_s):
    index = FileIndex(path=write(tmp_path, CANDLES), symbol="AUSDT")
    steps = int(180 / dt_s)
    ticks = index.ticks(3, 0, steps, dt_s, 0.01)
    assert ticks.shape == (steps + 1,)
    for step, price in enumerate(ticks):
        row = min(int(step * dt_s) // 60, 2)
        assert (3350, 3200, 3240)[row] <= price <= (3450, 3460, 3300)[row]


def test_steps_of_the_file_give_its_prices(tmp_path):
    index = FileIndex(path=write(tmp_path, minutes(FIVE)))
    assert index.ticks(0, 0, 4, 60, 1.0).tolist() == FIVE
    assert index.ticks(0, 0, 2, 120, 1.0).tolist() == [100, 102, 104]
    assert index.ticks(0, 0, 0, 60, 1.0).tolist() == [100]


def test_without_bounds_and_volatility_lines_are_straight(tmp_path):
    index = FileIndex(path=write(tmp_path, minutes([100, 400])))
    assert index.ticks(0, 0, 2, 30, 1.0).tolist() == [100, 200, 400]


def test_a_longer_run_begins_with_the_same_prices(tmp_path):
    path = write(tmp_path, CANDLES)
    for index in (
        FileIndex(path=path, symbol="AUSDT"),
        TableIndex(name="black_thursday", bridge_volatility=1.0),
        GbmIndex(start_price=100.0, volatility=0.8),
        JumpDiffusionIndex(start_price=100.0, volatility=0.8, jumps_per_day=5000, jump_mean=-0.01, jump_sd=0.01),
    ):
        long = index.ticks(5, 0, 150, 1, 0.001)
        for steps in (1, 59, 60, 61, 100):
            assert np.array_equal(index.ticks(5, 0, steps, 1, 0.001), long[: steps + 1])


def test_seed_and_market_pick_the_path():
    index = GbmIndex(start_price=100.0, volatility=0.8)
    paths = [tuple(index.ticks(seed, market, 50, 60, 0.001)) for seed, market in [(1, 0), (1, 0), (2, 0), (1, 1)]]
    assert paths[0] == paths[1]
    assert len(set(paths)) == 3


def test_a_path_never_changes():
    candles = TableIndex(name="black_thursday", bridge_volatility=1.0).ticks(1, 0, 6, 1200, 0.01)
    assert candles.tolist() == GOLDEN["table"]
    assert GbmIndex(start_price=100.0, volatility=0.8).ticks(1, 0, 6, 3600, 0.01).tolist() == GOLDEN["gbm"]
    jumps = JumpDiffusionIndex(start_price=100, volatility=0.1, jumps_per_day=8, jump_mean=-0.1, jump_sd=0.1)
    assert jumps.ticks(1, 0, 6, 3600, 0.01).tolist() == GOLDEN["jumps"]


GOLDEN = {
    "table": [782909, 781368, 786696, 785729, 783579, 790640, 785942],
    "gbm": [10000, 10002, 9894, 9957, 9863, 9851, 9783],
    "jumps": [10000, 10000, 8921, 8929, 8918, 8917, 7243],
}


def test_a_bridge_has_the_stated_volatility(tmp_path):
    path = write(tmp_path, f"time_s,price\n0,1000\n{DAY_S},1000\n{2 * DAY_S},1000\n")
    index = FileIndex(path=path, bridge_volatility=0.8)
    moves = np.diff(np.log(index.ticks(1, 0, 2880, 60, 0.0001).astype(float)))
    measured = moves.std() * np.sqrt(YEAR_S / 60)
    # The error of a standard deviation from n normal numbers is 1 / sqrt(2 n).
    assert abs(measured / 0.8 - 1.0) < 4.0 / np.sqrt(2 * moves.size)
    middle = [np.log(index.ticks(seed, 0, 2, DAY_S // 2, 0.0001)[1] / 1e7) for seed in range(200)]
    assert abs(np.std(middle) / (0.8 * np.sqrt(DAY_S / 4 / YEAR_S)) - 1.0) < 4.0 / np.sqrt(2 * 200)


def test_the_run_may_start_inside_the_file(tmp_path):
    path = write(tmp_path, CANDLES)
    later = FileIndex(path=path, symbol="AUSDT", start_s=60).ticks(0, 0, 120, 1, 0.1)
    assert later[[0, 60, 120]].tolist() == [344, 325, 330]
    between = FileIndex(path=path, symbol="AUSDT", start_s=90).ticks(0, 0, 90, 1, 0.1)
    assert between[[30, 90]].tolist() == [325, 330]
    assert between[:31].min() >= 320


def test_a_file_shorter_than_the_run_says_how_long_it_is(tmp_path):
    path = write(tmp_path, CANDLES)
    index = FileIndex(path=path, symbol="AUSDT", start_s=60)
    index.ticks(0, 0, 120, 1, 0.1)
    message = (
        r"\(AUSDT\): holds 180 s of prices, 2025-02-01 00:00:00 UTC to 2025-02-01 00:03:00 UTC; "
        r"the run needs 121 s from 60 s after its beginning"
    )
    with pytest.raises(PriceFileError, match=message):
        index.ticks(0, 0, 121, 1, 0.1)
    with pytest.raises(PriceFileError, match=r"table black_thursday: holds 259200 s of prices"):
        TableIndex(name="black_thursday", bridge_volatility=1.0).ticks(0, 0, 73, HOUR_S, 1.0)


# Tables


def test_black_thursday_holds_the_crash():
    prices = load_table("black_thursday")
    assert prices.time_s[0] == pd.Timestamp("2020-03-11 12:00", tz="UTC").timestamp()
    assert prices.time_s[-1] == pd.Timestamp("2020-03-14 12:00", tz="UTC").timestamp()
    assert set(np.diff(prices.time_s)) == {HOUR_S}
    assert (prices.low <= prices.price).all()
    assert (prices.price <= prices.high).all()
    assert prices.low.min() == 3850.0
    index = TableIndex(name="black_thursday", bridge_volatility=1.0, start_s=12 * HOUR_S)
    ticks = index.ticks(1, 0, 48 * 60, 60, 0.01)
    assert np.array_equal(ticks[::60], np.rint(prices.price[12:61] * 100))
    assert ticks.min() == 385_000
    assert ticks.max() == 796_990


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared price files are not here")
def test_black_thursday_agrees_with_its_source():
    source = pd.read_csv(SHARED / "btc" / "btcusd_1h_2018-05_2022-03.csv.gz").set_index("time_s")
    prices = load_table("black_thursday")
    hours = source.loc[(prices.time_s - HOUR_S).astype(int)]
    assert np.array_equal(hours["close"], prices.price)
    assert np.array_equal(hours["low"], prices.low)
    assert np.array_equal(hours["high"], prices.high)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared price files are not here")
@pytest.mark.parametrize(
    ("name", "symbol", "first", "last", "count"),
    [
        ("klines_1m_cascades/cascade_2025-02-03_1m.csv.gz", "AVAXUSDT", 32.279, None, 2881),
        ("klines_1m_cascades/AVAXUSDT_1m_2025-02.csv.gz", None, 34.422, None, 40_321),
        ("btc/btcusd_1h_2018-05_2022-03.csv.gz", None, 8733.86, None, None),
        ("btc/btcperp_1m_2022-01.csv.gz", None, 46_319.0, None, None),
    ],
)
def test_public_dumps_are_read_or_refused_for_a_reason(name, symbol, first, last, count):
    prices = read_prices(SHARED / name, symbol)
    assert prices.price[0] == first
    assert count is None or prices.price.size == count


def test_tables_are_listed_and_unknown_ones_refused():
    assert table_names() == ("black_thursday",)
    with pytest.raises(PriceFileError, match=r"no price table 'noon'; there are: black_thursday"):
        load_table("noon")
    with pytest.raises(ValidationError, match=r"no price table 'noon'; there are: black_thursday"):
        TableIndex(name="noon", bridge_volatility=1.0)


# Processes


def test_gbm_has_the_stated_drift_and_volatility():
    index = GbmIndex(start_price=5000.0, drift=20.0, volatility=0.8)
    ticks = index.ticks(1, 0, 20_000, 60, 0.001)
    assert ticks[0] == 5_000_000
    moves = np.diff(np.log(ticks.astype(float)))
    assert abs(moves.std() * np.sqrt(YEAR_S / 60) / 0.8 - 1.0) < 4.0 / np.sqrt(2 * moves.size)
    years = 20_000 * 60 / YEAR_S
    assert abs(moves.sum() - (20.0 - 0.32) * years) < 4.0 * 0.8 * np.sqrt(years)


def test_gbm_without_volatility_grows_at_its_drift():
    index = GbmIndex(start_price=100.0, drift=float(np.log(4.0)), volatility=0.0)
    assert index.ticks(1, 0, 2, YEAR_S / 2, 1.0).tolist() == [100, 200, 400]


def test_jumps_come_as_often_and_as_large_as_stated():
    index = JumpDiffusionIndex(start_price=1e6, volatility=0.0, jumps_per_day=24.0, jump_mean=-0.01, jump_sd=0.02)
    days = 20
    logs = np.log(index.ticks(3, 0, days * 1440, 60, 0.01).astype(float))
    jumps = np.diff(logs)
    jumps = jumps[np.abs(jumps) > 1e-6]
    expected = 24 * days
    assert abs(jumps.size - expected) < 4.0 * np.sqrt(expected)
    assert abs(jumps.mean() + 0.01) < 4.0 * 0.02 / np.sqrt(jumps.size)
    assert abs(jumps.std() / 0.02 - 1.0) < 4.0 / np.sqrt(2 * jumps.size)


def test_jumps_do_not_depend_on_the_step_length():
    index = JumpDiffusionIndex(start_price=1e6, volatility=0.0, jumps_per_day=200.0, jump_mean=-0.001, jump_sd=0.02)
    fine, coarse = index.ticks(3, 0, 86_400, 1, 0.01), index.ticks(3, 0, 24, HOUR_S, 0.01)
    assert np.array_equal(fine[::HOUR_S], coarse)
    none = index.model_copy(update={"jumps_per_day": 0.0})
    assert set(none.ticks(3, 0, 24, HOUR_S, 0.01)) == {100_000_000}


def test_prices_are_at_least_one_tick():
    index = ConstantIndex(price=100.0, shocks=(InstantShock(at_s=2, size=-0.9999),))
    assert index.ticks(0, 0, 3, 1, 1.0).tolist() == [100, 100, 1, 1]


# Shocks


def test_an_instant_shock_stays_or_recovers():
    stays = ConstantIndex(price=1000.0, shocks=(InstantShock(at_s=2, size=-0.2),))
    assert stays.ticks(0, 0, 4, 1, 1.0).tolist() == [1000, 1000, 800, 800, 800]
    half = InstantShock(at_s=2, size=-0.2, recovery_s=10, recovery_share=0.5)
    ticks = ConstantIndex(price=1000.0, shocks=(half,)).ticks(0, 0, 200, 1, 0.001)
    assert ticks[2] == 800_000
    assert ticks[12] == round(1e6 * (1 - 0.2 * (0.5 + 0.5 * np.exp(-1.0))))
    assert ticks[200] == 900_000


def test_a_ramp_grows_and_then_recovers():
    ramp = RampShock(at_s=1, length_s=4, size=-0.4)
    assert ConstantIndex(price=1000.0, shocks=(ramp,)).ticks(0, 0, 6, 1, 1.0).tolist() == [
        1000, 1000, 900, 800, 700, 600, 600,
    ]  # fmt: skip
    back = ramp.model_copy(update={"recovery_s": 2.0})
    ticks = ConstantIndex(price=1000.0, shocks=(back,)).ticks(0, 0, 7, 1, 0.001)
    assert ticks[:6].tolist() == [1_000_000, 1_000_000, 900_000, 800_000, 700_000, 600_000]
    assert ticks[7] == round(1e6 * (1 - 0.4 * np.exp(-1.0)))


def test_shocks_lie_over_any_path_and_multiply():
    shocks = (InstantShock(at_s=120, size=-0.5), InstantShock(at_s=180, size=0.2))
    plain = GbmIndex(start_price=1e6, volatility=0.8)
    shocked = plain.model_copy(update={"shocks": shocks})
    ratio = shocked.ticks(1, 0, 5, 60, 0.01) / plain.ticks(1, 0, 5, 60, 0.01)
    assert np.allclose(ratio, [1.0, 1.0, 0.5, 0.6, 0.6, 0.6])


# Wrong settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "gbm", "start_price": 0, "volatility": 1}, "greater than 0"),
        ({"kind": "gbm", "start_price": "nan", "volatility": 1}, "start_price"),
        ({"kind": "gbm", "start_price": 5, "volatility": -1}, "greater than or equal to 0"),
        ({"kind": "gbm", "start_price": 5, "volatility": 1, "speed": 3}, r"gbm\.speed\s+Extra inputs"),
        ({"kind": "walk", "price": 5}, "'file', 'table', 'gbm', 'jump_diffusion', 'mean_reverting', 'constant'"),
        (
            {"kind": "constant", "price": 5, "shocks": [{"kind": "instant", "at_s": 5, "size": -1}]},
            "greater than -1",
        ),
        ({"kind": "constant", "price": 5, "shocks": [{"kind": "ramp", "at_s": 5, "size": 1}]}, "length_s"),
        ({"kind": "constant", "price": 5, "shocks": [{"kind": "step", "at_s": 5}]}, "'instant', 'ramp'"),
        ({"kind": "table", "name": "black_thursday"}, "bridge_volatility"),
        ({"kind": "file", "path": ""}, "at least 1 character"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(IndexPath).validate_python(settings)


def test_settings_survive_a_round_trip_and_cannot_be_changed():
    adapter = TypeAdapter(IndexPath)
    index = adapter.validate_python(
        {"kind": "constant", "price": 5, "shocks": [{"kind": "ramp", "at_s": 5, "length_s": 2, "size": 1}]}
    )
    assert isinstance(index, ConstantIndex)
    assert adapter.validate_json(adapter.dump_json(index)) == index
    assert hash(index) == hash(index.model_copy())
    with pytest.raises(ValidationError, match="frozen"):
        index.price = 6.0


@pytest.mark.parametrize(
    ("index", "grid", "message"),
    [
        (ConstantIndex(price=5.0), (-1, 1, 1.0), r"steps must not be negative \(got -1\)"),
        (ConstantIndex(price=5.0), (5, 0, 1.0), r"dt_s and tick_size must be above 0 \(got 0 and 1.0\)"),
        (ConstantIndex(price=5.0), (5, 1, -1.0), r"dt_s and tick_size must be above 0"),
        (
            ConstantIndex(price=5.0, shocks=(InstantShock(at_s=6, size=0.1),)),
            (5, 1, 1.0),
            r"the shock at 6 s comes after the end of the run at 5 s",
        ),
        (
            ConstantIndex(price=1e12),
            (5, 1, 1e-9),
            r"index price at step 0 is 1e\+12: too many ticks of 1e-09",
        ),
        (
            GbmIndex(start_price=1e9, drift=100.0, volatility=0.0),
            (30, YEAR_S, 1.0),
            r"at step 1 is 2.68\d+e\+52",
        ),
    ],
)
def test_a_grid_that_does_not_fit_is_named(index, grid, message):
    with pytest.raises(ValueError, match=message):
        index.ticks(0, 0, *grid)


def test_importing_paths_does_not_import_pandas():
    program = "import sys, delever.sim.paths; print('pandas' in sys.modules, 'mesa' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
