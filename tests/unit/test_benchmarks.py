"""The benchmarks measure what they say: one flow, equal trades in every book, rows of one form; no time is a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delever.benchmarks import book, flow, path, storm, suite
from delever.benchmarks.catalogue import BENCHMARKS
from delever.benchmarks.growth import Point, at_one_speed, exponent
from delever.benchmarks.measure import Loops, Reading, Request, rate
from delever.benchmarks.worker import run
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import L_LOTS
from delever.experiments.cli import main
from tests.reference.venue import ReferenceVenue
from tests.tree import ROOT

from .desk import PLAIN, command

PLAIN_RULES = RuleSet.model_validate(PLAIN).model_dump()
MESSAGES = 20_000
TINY = 0.001
NAMES = {
    "book", "book_bourse", "book_python", "path_1k", "path_100k", "path_1m", "storm", "crash_1k", "crash_10k",
    "crash_100k", "crash_1m", "calm_day", "help", "first_figure_warm", "first_figure_cold", "sweep_overhead",
    "sweep_efficiency", "report",
}  # fmt: skip
FIELDS = {"name", "value", "unit", "low", "high", "runs", "peak_mib", "reference_ratio", "command"}


def sample(**reading: Any) -> suite.Sample:
    """What a worker answers with one reading."""
    plain = {"part": "", "value": 1.0, "unit": "things/s", "kernel": None, "python": None, "note": "", "peak_mib": 9.0}
    return [{**plain, **reading}]


def play_engine(messages: flow.Messages) -> tuple[int, dict[int, int]]:
    """Play a flow through the engine's book; return the trades and the lots that rest at each price."""
    t = book.open_book()
    trades = book.play(t, messages, np.zeros(len(messages), dtype=np.int64))
    lots = t.levels[0, :, L_LOTS]
    return trades, {price: int(lots[price]) for price in np.flatnonzero(lots).tolist()}


def play_reference(messages: flow.Messages) -> tuple[int, dict[int, int]]:
    """Do the same with the reference venue, every order from an account of its own."""
    count = len(messages)
    market = {"symbol": "BOOK", "multiplier_atoms": 1, "price_max_ticks": flow.PRICE_MAX_TICKS}
    venue = ReferenceVenue(PLAIN_RULES, [market], list(range(count)), 1, [], [flow.MID_FIRST_TICKS], count)
    index = [flow.MID_FIRST_TICKS]
    venue.process([command("DEPOSIT", account, amount=10**9) for account in range(count)], index)
    commands = []
    for kind, side, lots, price, order, _ in messages.tolist():
        name = {flow.LIMIT: "LIMIT", flow.CANCEL: "CANCEL", flow.MARKET: "MARKET"}[kind]
        commands.append(command(name, order, side=side, lots=lots, price=price, tag=order))
    assert set(venue.process(commands, index)) == {"OK"}
    resting: dict[int, int] = {}
    for orders in venue.book(0).values():
        for _, _, price, lots, _ in orders:
            resting[price] = resting.get(price, 0) + lots
    return len(venue.state.fills), resting


def test_a_flow_is_the_same_again() -> None:
    first, again, other = (flow.make_flow(1_000, seed) for seed in (1, 1, 2))
    assert first.trades == again.trades
    assert (first.messages == again.messages).all()
    assert not (first.messages == other.messages).all()


def test_a_flow_has_the_shares_it_says() -> None:
    """Half limits near the mid, 40 % cancels of orders that rest, a tenth market orders."""
    messages = flow.make_flow(MESSAGES).messages
    kinds = messages[:, flow.F_KIND]
    shares = np.bincount(kinds, minlength=3) / MESSAGES
    assert shares == pytest.approx(flow.SHARES, abs=0.02)
    limits = messages[kinds == flow.LIMIT]
    away = np.abs(limits[:, flow.F_PRICE_TICKS] - limits[:, flow.F_MID_TICKS])
    assert away.min() >= 1 and away.max() == flow.AWAY_MAX_TICKS
    wanted = messages[kinds == flow.CANCEL, flow.F_ORDER]
    assert len(np.unique(wanted)) == len(wanted)
    assert (kinds[wanted] == flow.LIMIT).all()


def test_a_stored_flow_is_the_flow(tmp_path: Path) -> None:
    for _ in range(2):
        stored = flow.stored_flow(tmp_path, 500)
        assert stored.trades == flow.make_flow(500).trades
        assert (stored.messages == flow.make_flow(500).messages).all()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_the_book_trades_like_the_book_in_plain_python(seed: int) -> None:
    made = flow.make_flow(MESSAGES, seed)
    assert made.trades > MESSAGES / 10
    assert play_engine(made.messages)[0] == made.trades == flow.play_python(made.messages.tolist())


def test_the_book_ends_like_that_of_the_reference_venue() -> None:
    messages = flow.make_flow(400).messages
    assert play_engine(messages) == play_reference(messages)


def test_the_path_makes_the_trades_of_the_flow() -> None:
    """With an account for every order nobody is refused, so that accounts and margin change no trade."""
    made = flow.make_flow(2_000)
    venue = path.open_venue(2_000, check=True)
    played = path.play(venue, made.messages, made.messages[:, flow.F_ORDER])
    assert (played.fills, played.refused) == (made.trades, 0)


def test_a_cancel_comes_from_the_owner_of_its_order() -> None:
    messages = flow.make_flow(2_000).messages
    accounts = path.owners(messages, 50)
    assert (accounts == accounts[messages[:, flow.F_ORDER]]).all()
    assert accounts.min() == 0 and accounts.max() == 49


def test_bourse_gets_the_same_orders() -> None:
    """It numbers orders as they come: a cancel must name the number its order was given."""
    messages = flow.make_flow(2_500).messages
    batches = book.bourse_batches(messages)
    assert [len(batch[0]) for batch in batches] == [1_000, 1_000, 500]
    what, buys, lots, _, price, order = (np.concatenate(columns) for columns in zip(*batches, strict=True))
    new = messages[what == book.BOURSE_NEW]
    assert (messages[what == book.BOURSE_NEW, flow.F_KIND] != flow.CANCEL).all()
    cancelled = new[order[what == book.BOURSE_CANCEL].astype(np.int64)]
    assert (cancelled[:, flow.F_ORDER] == messages[what == book.BOURSE_CANCEL, flow.F_ORDER]).all()
    assert (buys[what == book.BOURSE_NEW] == (new[:, flow.F_SIDE] > 0)).all()
    limits = messages[:, flow.F_KIND] == flow.LIMIT
    assert (price[limits] == messages[limits, flow.F_PRICE_TICKS]).all()
    assert (lots == messages[:, flow.F_LOTS]).all()


def test_the_storm_reaches_every_stage_and_equals_the_sweep_of_everybody() -> None:
    checked, plain = (storm.run_storm(2_000, check=check) for check in (True, False))
    assert checked[1:] == plain[1:]
    assert all(plain.counts.values()), plain.counts
    assert plain.counts["liquidations"] == pytest.approx(400, rel=0.05)


@pytest.mark.parametrize("name", ["book", "book_python", "path_1k", "path_1m", "crash_1k", "calm_day"])
def test_a_benchmark_reads_its_main_figure_first(name: str, tmp_path: Path) -> None:
    first, *others = run(name, Request(TINY, tmp_path))
    assert first["part"] == ""
    assert first["kernel"] > first["python"] > 0
    assert all(reading["part"] for reading in others)


def test_all_benchmarks_are_there() -> None:
    assert set(BENCHMARKS) >= NAMES


def test_rows_hold_the_median_and_the_ratio_to_the_loops() -> None:
    samples = [sample(value=value, kernel=1e8 / value, python=1e7 / value) for value in (1e6, 4e6, 2e6)]
    (row,) = suite.rows_of("book", samples, 1.0)
    assert set(row) >= FIELDS
    assert (row["value"], row["low"], row["high"], row["runs"]) == (2e6, 1e6, 4e6, 3)
    assert row["reference_ratio"] == pytest.approx(50)
    assert row["reference_ratio_python"] == pytest.approx(5)
    assert row["command"] == "delever bench --only book --runs 3"


def test_times_are_compared_with_the_loops_by_the_same_clock() -> None:
    loops = Loops(2e-8, 4e-7, 1e-8, 2e-7)
    assert loops.ratios(rate("", 100, 2.0, "things/s")) == pytest.approx((1e6, 5e4))
    assert loops.ratios(rate("", 100, 2.0, "things/s", processor=True)) == pytest.approx((2e6, 1e5))
    assert loops.ratios(Reading("", 5.0, "MiB")) == (None, None)


def test_kernels_are_compiled_before_anything_is_measured() -> None:
    assert suite.warmed(["help", "path_1m", "path_1k", "book"]) == ["book", "path_1m"]


def test_what_is_no_time_has_no_ratio() -> None:
    (row,) = suite.rows_of("path_1m", [sample(part="bytes", value=200.0, unit="bytes")], 0.5)
    assert row["name"] == "path_1m.bytes"
    assert row["reference_ratio"] is None
    assert row["command"] == "delever bench --only path_1m --runs 1 --scale 0.5"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.2345, "0.234"), (17.0, "17"), (999.0, "999"), (2_340_000.0, "2.34 M"), (3e9, "3 G")],
)
def test_numbers_are_written_short(value: float | None, text: str) -> None:
    assert suite.brief(value) == text


def test_the_command_writes_rows_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "figures.json"
    words = ["bench", "--only", "book", "help", "--runs", "2", "--scale", str(TINY), "--json", str(file)]
    assert main(words) == 0
    rows = json.loads(file.read_text())
    assert [row["name"] for row in rows] == ["book", "help"]
    for row in rows:
        assert set(row) >= FIELDS
        assert row["runs"] == 2
        assert row["low"] <= row["value"] <= row["high"]
        assert row["reference_ratio"] > 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:3]] == ["benchmark", "book", "help"]


def test_figures_that_cannot_be_written_are_known_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--only", "help", "--runs", "1", "--json", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert "Choose another file with --json" in told.err
    assert "run 1 of 1" not in told.out + told.err


def test_the_table_can_be_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--only", "help", "--runs", "1", "--scale", str(TINY), "--markdown"]) == 0
    first, _, heading, line, row = capsys.readouterr().out.splitlines()
    assert f"`delever bench --only help --runs 1 --scale {TINY}`" in first
    assert heading.count("|") == line.count("|") == row.count("|")
    assert row.startswith("| `help` |")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "bok"], ["there is no benchmark 'bok'", "book_bourse", "report"]),
        (["--runs", "0"], ["--runs must be 1 or more"]),
        (["--scale", "2"], ["--scale must be above 0 and at most 1 (got 2.0)"]),
        (["growth", "--out", "growth.txt"], ["--out must end in", ".png", "growth.txt"]),
        (["growth", "--out", "growth.png", "--scale", "0"], ["--scale must be above 0"]),
        (["growth", "--out", "growth.png", "--runs", "0"], ["--runs must be 1 or more"]),
    ],
)
def test_mistakes_are_answered_in_one_message(
    words: list[str], told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == 2
    message = capsys.readouterr().err
    assert all(part in message for part in told), message


def test_a_peer_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "find_spec", lambda name: None)
    assert not {"book_bourse", "agents_pams"} & set(suite.chosen([]))
    with pytest.raises(suite.UserError, match=r"book_bourse needs bourse: pip install 'delever\[bench\]'"):
        suite.chosen(["book", "book_bourse"])


def test_a_benchmark_that_fails_is_told_and_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(module: str, name: str, *_: str) -> subprocess.CompletedProcess[str]:
        answer = json.dumps(sample())
        return subprocess.CompletedProcess([], int(name == "book"), answer, "Traceback ...\nAssertionError: 3 trades")

    monkeypatch.setattr(suite, "work", work)
    assert main(["bench", "--only", "book", "help", "--runs", "2"]) == 1
    said = capsys.readouterr()
    assert "book failed: AssertionError: 3 trades" in said.err
    assert said.err.count("run 2 of 2: book") == 0
    assert said.out.splitlines()[1].split()[0] == "help"


def test_the_checkout_has_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "nothing"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "there is no benchmark 'nothing'" in done.stderr


def test_growth_is_told_as_an_exponent_at_one_speed() -> None:
    """The second measurement met a machine of half the speed: what took 20 s would have taken 10."""
    points = {"steps": [[Point(10, seconds, 1e-8) for seconds in (1.0, 0.5, 7.0)], [Point(100, 20.0, 2e-8)]]}
    (line,) = at_one_speed(points).values()
    assert line == [(10, 1.0), (100, 10.0)]
    assert exponent(line) == pytest.approx(1)
