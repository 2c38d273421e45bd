"""`delever match`: what is read, what is traded, what is left, and what is said of mistakes (R-O30)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from delever.experiments import cli
from tests.tree import ROOT

EXAMPLE = ROOT / "docs/examples/messages.csv"
HEAD = "time,type,id,side,price,quantity"
Played = Callable[..., tuple[dict[str, Any], list[Any], list[Any]]]


@pytest.fixture
def play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Played:
    """Play lines or a file; return summary, trades (taker, maker, quantity, price) and depth."""

    def played(content: Any, *options: str) -> tuple[dict[str, Any], list[Any], list[Any]]:
        file = content
        if not isinstance(content, Path):
            file = tmp_path / "messages.csv"
            file.write_text("\n".join(content) + "\n", encoding="utf-8")
        code = cli.main(["match", str(file), "--out", str(tmp_path / "out"), "--json", *options])
        said = capsys.readouterr()
        assert code == 0, said.err
        trades = pd.read_csv(tmp_path / "out/trades.csv", dtype={"taker_id": str, "maker_id": str})
        depth = pd.read_csv(tmp_path / "out/depth.csv")
        rows = trades[["taker_id", "maker_id", "quantity", "price"]].to_numpy().tolist()
        return json.loads(said.out), rows, depth.to_numpy().tolist()

    return played


def test_the_example(play: Played) -> None:
    summary, trades, depth = play(EXAMPLE)
    assert trades == [
        ["m1", "a1", 6, 100.5],
        ["m1", "a2", 3, 100.5],
        ["i1", "b1", 6, 100.0],
        ["i1", "b2", 15, 100.0],
        ["m2", "c2", 3, 101.0],
        ["m2", "a3", 1, 101.0],
        ["c1", "a3", 12, 101.0],
    ]
    assert depth == [["sell", 101.0, 7, 1]]
    assert (summary["tick"], summary["lot"], summary["messages"]) == (0.1, 1.0, 19)
    assert (summary["unknown_id"], summary["post_only_refused"], summary["fok_refused"]) == (1, 1, 1)


def test_shares_of_the_published_notice(play: Played) -> None:
    """CME Globex notice 020705-1: the order that bettered the market, proportions, the oldest (R-O22)."""
    resting = [f"{i},limit,o{i},buy,97.04,{lots}" for i, lots in enumerate((10, 5, 20, 50, 75))]
    _, trades, _ = play([HEAD, *resting, "9,limit,t,sell,97.04,60"], "--matching", "top_pro_rata")
    assert [row[2] for row in trades] == [10, 3, 6, 16, 25]


def test_changes_after_commas(play: Played) -> None:
    """Without TOP and with proportions of one lot the oldest gets what rounding leaves."""
    resting = [f"{i},limit,o{i},buy,100,{lots}" for i, lots in enumerate((130, 50, 20))]
    orders = [HEAD, *resting, "9,limit,t,sell,100,42"]
    assert [row[2] for row in play(orders, "--matching", "pro-rata")[1]] == [28, 10, 4]
    assert [row[2] for row in play(orders, "--matching", "split,fifo_ppm=1000000")[1]] == [42]
    assert [row[2] for row in play(orders, "--matching", "split,fifo_ppm=500000")[1]] == [35, 5, 2]


def test_batches_of_an_interval(play: Played) -> None:
    lines = ["0,limit,a,buy,105,5", "1,limit,b,sell,95,5", "2,limit,c,buy,105,1", "3,limit,d,sell,90,4"]
    _, trades, depth = play([HEAD, *lines], "--matching", "batch,interval_s=2,auction.tie=middle")
    assert trades == [["b", "a", 5, 100.0], ["d", "c", 1, 97.0]]
    assert depth == [["sell", 90.0, 3, 1]]


def test_lobster(play: Played) -> None:
    lines = [
        "34200.1,1,11,100,1000100,-1", "34200.2,1,12,50,1000100,-1", "34200.3,1,13,70,1000000,1",
        "34200.4,2,11,30,1000100,-1",  # 70 are left
        "34200.5,4,11,70,1000100,-1",
        "34200.6,4,12,20,1000100,-1",
        "34200.7,4,99,10,1000000,1",  # was there before the file began
        "34200.8,5,0,500,1000050,1",
        "34200.9,1,14,40,1000000,1",
        "34201.0,4,14,40,1000000,1",  # the book serves 13 first
        "34201.1,3,12,30,1000100,-1",
    ]  # fmt: skip
    summary, trades, depth = play(lines)
    assert [row[1:] for row in trades] == [["11", 70, 100.01], ["12", 20, 100.01], ["13", 40, 100.0]]
    assert depth == [["buy", 100.0, 70, 2]]
    assert (summary["unknown_id"], summary["execution_differs"], summary["outside"]) == (1, 1, 1)
    assert summary["format"] == "lobster"


def test_accounts_prevent_self_trades(play: Played) -> None:
    lines = ["0,limit,a,buy,10,5,7", "1,limit,b,sell,10,5,7", "2,limit,c,sell,10,2,8"]
    _, trades, _ = play([f"{HEAD},account", *lines])
    assert trades == [["c", "a", 2, 10.0]]


MISTAKES = [
    (["0,limt,a,buy,10,5"], [":2: the type must be one of limit", "'limt'"]),
    (["0,limit,a,buy,ten,5"], [":2: the price must be a number above 0", "'ten'"]),
    (["0,limit,a,buy,10,5", "0,limit,b,buy,10,-5"], [":3: the quantity must be a number above 0", "'-5'"]),
    (["0,limit,a,up,10,5"], [":2: the side must be buy or sell"]),
    (["0,limit,,buy,10,5"], [":2: the id is missing"]),
    (["5,limit,a,buy,10,5", "4,limit,b,buy,10,5"], [":3: the time is before that of the line above"]),
    (["0,limit,a,buy,10,5,9,9"], ["cannot be read as CSV", "line 2"]),
    ([], ["holds no messages"]),
]


@pytest.mark.parametrize(("lines", "words"), MISTAKES)
def test_mistakes_have_lines(
    lines: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    assert cli.main(["match", str(file), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    for word in words:
        assert word in said


def test_other_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], play: Played) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["match", "nowhere.csv", *out]) == 2
    assert "nowhere.csv: no such file" in capsys.readouterr().err
    assert cli.main(["match", str(EXAMPLE), "--tick", "1", *out]) == 2
    assert ":2: the price 100.5 is not a multiple of 1; see --tick" in capsys.readouterr().err
    assert cli.main(["match", str(EXAMPLE), "--matching", "lifo", *out]) == 2
    assert "unknown rules 'lifo'" in capsys.readouterr().err
    assert cli.main(["match", str(EXAMPLE), "--matching", "split,fifo_pm=3", *out]) == 2
    assert "did you mean 'fifo_ppm'" in capsys.readouterr().err
    (tmp_path / "few.csv").write_text("time,type,id\n0,cancel,a\n", encoding="utf-8")
    assert cli.main(["match", str(tmp_path / "few.csv"), *out]) == 2
    assert "no column side, price, quantity" in capsys.readouterr().err
    summary, trades, _ = play([HEAD, "0,limit,a,buy,10,5", "x,limit,b,sell,10,5", "1,ioc,c,sell,10,2"], "--skip-bad")
    assert summary["left_out"] == 1
    assert trades == [["c", "a", 2, 10.0]]
