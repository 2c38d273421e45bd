"""`delever allocate`: the rules on a table of accounts, by hand, against published numbers, and its messages."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delever.engine.allocation import PART_CAP, PART_COLUMNS, PART_DUE, PART_KEY, split, spread
from delever.experiments import allocating
from delever.experiments.cli import main
from delever.experiments.haircuts import POLICIES, gini
from tests.tree import ROOT

SHARED = ROOT.parent / "shared" / "data"
REAL = SHARED / "hl_adl_2025-10-10" / "adl_by_user_anon.csv.gz"
REFERENCE = SHARED / "reference" / "adl_policy_reference.csv"
EXAMPLE = ROOT / "docs" / "examples" / "accounts.csv"
COLUMNS = [
    "budget_usd", "policy", "accounts_hit", "accounts_fully_wiped", "max_haircut_frac", "gini_haircut_frac",
    "gini_haircut_usd", "hhi_haircut_usd", "top_winner_haircut_frac", "ptsr_like_max_post_pnl_over_budget",
]  # fmt: skip

SMALL = """
user_id  closed_pnl  account_value_realtime  leverage_realtime  pnl_percent  adl_notional
1               100                     400                  2           10           800
2               100                     100                 80            5          4000
3                50                      10                 10           20           100
4                20                       0                  0           50           600
5               -30                      90                  1           -3            90
"""
# What each account gives of 130.
TAKEN = """
rule                           1      2     3     4
queue_pnlpct_x_leverage        0    100    30     0
queue_pnl_usd                100     30     0     0
queue_leverage                 0    100    30     0
queue_effective_leverage       0    100    30     0
queue_size                    30    100     0     0
prorata_capped_wealth   61.90476  61.90476  6.190476  0
prorata_pnl             48.14815  48.14815  24.07407  9.62963
prorata_equity_capped        100     27.27273  2.727273  0
prorata_leverage_x_pnl_capped  8.571429  100  21.42857  0
"""


def table(text: str) -> pd.DataFrame:
    rows = [line.split() for line in text.strip().splitlines()]
    return pd.DataFrame(rows[1:], columns=rows[0]).apply(pd.to_numeric)


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figure, which takes most of the time, where it is not what is tested."""
    if "drawn" not in request.node.name:
        monkeypatch.setattr(allocating, "allocation_figure", lambda *_: None)
        monkeypatch.setattr(allocating, "save", lambda _, file: file.write_bytes(b""))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.csv"
    table(SMALL).to_csv(file, index=False)
    return file


def told(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    """Return what the command prints with --json."""
    assert main(["allocate", *map(str, words), "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return the message of a command that cannot be."""
    assert main(["allocate", *map(str, words)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.mark.parametrize("line", TAKEN.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_by_hand(line: str, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accounts 1 to 5 of SMALL; 2 has a leverage of 40 and ties with 3 (5 x 40, 20 x 10); 5 has nothing."""
    name, *expected = line.split()
    (row,) = told(capsys, "--accounts", small, "--budget", 130, "--rule", name, "--out", tmp_path / "o")
    taken = pd.read_csv(tmp_path / "o" / "allocation.csv")[name].to_numpy()
    assert taken == pytest.approx([*map(float, expected), 0.0], rel=1e-6)
    assert list(row) == COLUMNS
    share = taken[:4] / [100, 100, 50, 20]
    assert row["accounts_hit"] == (taken > 0).sum()
    assert row["accounts_fully_wiped"] == (share == 1).sum()
    assert row["max_haircut_frac"] == pytest.approx(share.max())
    assert row["top_winner_haircut_frac"] == pytest.approx(share[0])
    assert row["hhi_haircut_usd"] == pytest.approx(((taken / 130) ** 2).sum())
    assert row["ptsr_like_max_post_pnl_over_budget"] == pytest.approx(max([100, 100, 50, 20] - taken[:4]) / 130)


def test_gini_by_hand() -> None:
    """The mean absolute difference of all pairs over twice the mean."""
    for values in ([1.0, 1.0], [0.0, 1.0], [0.0, 0.0, 3.0], [1.0, 2.0, 4.0, 9.0]):
        x = np.array(values)
        assert gini(x) == pytest.approx(np.abs(x[:, None] - x).mean() / (2 * x.mean()))
    assert gini(np.zeros(3)) == 0


def test_min_max_closes_whole_contracts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Contracts of 25, 10 and 30 each: of all ways to bring 70 with whole ones none has a smaller largest share."""
    file = tmp_path / "few.csv"
    file.write_text("user_id,closed_pnl,contracts\n1,100,4\n2,20,2\n3,90,3\n", encoding="utf-8")
    told(
        capsys,
        "--accounts",
        file,
        "--budget",
        70,
        "--rule",
        "min_max",
        "--out",
        tmp_path,
        "--column",
        "adl_notional=contracts",
    )
    taken = pd.read_csv(tmp_path / "allocation.csv")["min_max_contracts"].to_numpy()
    ways = [(25 * a, 10 * b, 30 * c) for a in range(5) for b in range(3) for c in range(4)]
    best = min(max(a / 100, b / 20, c / 90) for a, b, c in ways if a + b + c >= 70)
    assert taken.sum() >= 70
    assert (taken / [100, 20, 90]).max() == pytest.approx(best)


@pytest.mark.skipif(not REAL.is_file(), reason="the data are not here")
def test_the_published_accounts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """19,337 real accounts: every row and column of the reference, counts exact."""
    expected = pd.read_csv(REFERENCE)
    names = [word for name in expected["policy"] for word in ("--rule", name)]
    rows = told(capsys, "--accounts", REAL, "--budget", 15_079_669.61, "--out", tmp_path, *names)
    found = {row["policy"]: row for row in rows}
    assert list(expected.columns) == COLUMNS
    assert len(expected) == 6
    for row in expected.to_dict("records"):
        got = found[row["policy"]]
        assert got["accounts_hit"] == row["accounts_hit"]
        assert got["accounts_fully_wiped"] == row["accounts_fully_wiped"]
        for column in COLUMNS[4:]:
            assert got[column] == pytest.approx(row[column], abs=1e-5), (row["policy"], column)


MONEY = st.floats(0.01, 1e6).map(lambda value: round(value, 2))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rows=st.lists(st.tuples(MONEY, st.integers(0, 50)), min_size=1, max_size=8), part=st.floats(0.001, 1.0))
def test_money_is_spread_as_lots_are(rows: list[tuple[float, int]], part: float) -> None:
    """R-W83: what is given differs from whole cents split by the engine by rounding only."""
    caps, weights = np.array([cap for cap, _ in rows]), np.array([float(weight) for _, weight in rows])
    amount = math.floor(100 * part * caps.sum()) / 100
    parts = np.zeros((len(rows), PART_COLUMNS), dtype=np.int64)
    parts[:, PART_CAP], parts[:, PART_KEY] = np.rint(100 * caps), np.arange(len(rows))
    left = split(weights, parts, 0, len(rows), round(100 * amount), False)
    given_ = spread(weights, caps, amount)
    assert np.abs(given_ - parts[:, PART_DUE] / 100).max() < 0.011 * len(rows)
    assert given_.sum() + left / 100 == pytest.approx(amount, abs=1e-6)
    assert (given_ <= caps).all()


def test_the_edges_of_a_budget(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All there is, the smallest amount, the sum of the best, and what a capped rule cannot take."""
    common = ("--accounts", small, "--out", tmp_path)
    for row in told(capsys, *common, "--budget", 270):
        no_weight = row["policy"] in ("prorata_equity_capped", "prorata_leverage_x_pnl_capped", "prorata_capped_wealth")
        assert row["accounts_fully_wiped"] == row["accounts_hit"] == (3 if no_weight else 4), row
    for row in told(capsys, *common, "--budget", "1e-9"):
        assert row["accounts_fully_wiped"] == 0
        assert row["accounts_hit"] >= 1
    (row,) = told(capsys, *common, "--budget", 100, "--rule", "queue_pnl_usd")
    assert (row["accounts_hit"], row["accounts_fully_wiped"]) == (1, 1)
    (row,) = told(capsys, *common, "--budget", 150, "--rule", "queue_pnlpct_x_leverage")
    assert (row["accounts_hit"], row["accounts_fully_wiped"]) == (2, 2)
    assert main(["allocate", *map(str, common), "--budget", "260", "--rule", "pro_rata_equity"]) == 0
    assert "prorata_equity_capped: 10.00 not covered" in capsys.readouterr().out


MISTAKES = [
    ("closed_pnl,user_id\n", 5, "has no accounts"),
    ("", 5, "is empty"),
    ("user_id,pnl\n1,5\n", 5, "has no column closed_pnl; it has: user_id, pnl"),
    ("user_id,closed_pnl\n1,5\n2,\n", 5, "row 2: closed_pnl is no number"),
    ("user_id,closed_pnl\n1,5\n2,much\n", 5, "row 2: closed_pnl is no number (much)"),
    ("user_id,closed_pnl\n1,5\n1,7\n", 5, "user_id 1 is there twice"),
    ("user_id,closed_pnl\n,5\n", 5, "row 1: user_id is empty"),
    ("user_id,closed_pnl\n1,-5\n", 5, "no account has a profit"),
    ("user_id,closed_pnl\n1,5\n2,4\n", 10, "is more than all profits of the accounts (9.00 of 2 accounts)"),
    ("user_id,closed_pnl\n1,5\n", 0, "--budget must be an amount above zero (got 0)"),
    ("user_id,closed_pnl\n1,5\n", "-3", "--budget must be an amount above zero (got -3)"),
    ("user_id,closed_pnl\n1,5\n", "nan", "--budget must be an amount above zero (got nan)"),
    ("user_id,closed_pnl\n1,5\n", "lots", "--budget must be an amount (got 'lots')"),
]


@pytest.mark.parametrize(("text", "budget", "message"), MISTAKES, ids=lambda value: str(value)[:30])
def test_mistakes(text: str, budget: object, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text, encoding="utf-8")
    found = refused(capsys, "--accounts", file, "--budget", budget, "--rule", "prorata_pnl", "--out", tmp_path / "o")
    assert message in found
    assert not (tmp_path / "o").exists()


def test_other_mistakes(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such file" in refused(capsys, "--accounts", tmp_path / "none.csv", "--budget", 5)
    found = refused(capsys, "--accounts", small, "--budget", 5, "--rule", "fairest")
    assert "unknown rule 'fairest'" in found and "min_max_contracts" in found
    assert "no such file" in refused(capsys, "--accounts", small, "--budget", 5, "--rule", "mine.py")
    assert "has no column coin" in refused(capsys, "--accounts", small, "--budget", 5, "--by-coin")
    assert "there is no column 'pnl'" in refused(capsys, "--accounts", small, "--budget", 5, "--column", "pnl=x")
    own = tmp_path / "own.py"
    for text, message in (
        ("x = 1\n", "must hold one subclass of Deleveraging"),
        ("x = 1 / 0\n", "cannot be run: ZeroDivisionError"),
        (
            "from delever.engine.rules.deleveraging import Deleveraging\n"
            "class Mine(Deleveraging):\n    def scores(self, holders):\n        return [1.0]\n",
            "must give each of the 4 accounts a number",
        ),
    ):
        own.write_text(text, encoding="utf-8")
        assert message in refused(capsys, "--accounts", small, "--budget", 5, "--rule", own, "--out", tmp_path / "o")


def test_columns_by_other_names_and_parquet(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = told(capsys, "--accounts", small, "--budget", 130, "--out", tmp_path)
    other = tmp_path / "other.parquet"
    pd.read_csv(small).rename(columns={"closed_pnl": "profit", "user_id": "who"}).to_parquet(other)
    names = ("--column", "closed_pnl=profit", "--column", "user_id=who")
    assert told(capsys, "--accounts", other, "--budget", 130, "--out", tmp_path, *names) == expected
    assert [row["policy"] for row in expected] == [
        p.name for p in POLICIES if not {"side", "maintenance"} & {*p.columns}
    ]


def test_sides_and_maintenance_open_the_last_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A long of 110 from 100 and a short of 90 from 100, both with an equity of 50: 1.1 * 2.2 against 1 / 0.9 * 1.8."""
    file = tmp_path / "t.csv"
    file.write_text(
        "user_id,closed_pnl,account_value_realtime,leverage_realtime,pnl_percent,adl_notional,side,maintenance\n"
        "1,10,50,2.2,10,110,1,5\n2,10,50,1.8,10,90,-1,6\n",
        encoding="utf-8",
    )
    told(capsys, "--accounts", file, "--budget", 12, "--out", tmp_path)
    taken = pd.read_csv(tmp_path / "allocation.csv")
    assert taken["queue_entry_x_leverage"].tolist() == [10, 2]
    assert taken["queue_pnl_x_margin_ratio"].tolist() == [2, 10]


def test_by_coin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each coin's budget from its own holders; one amount goes by value of the positions, capped at the profits."""
    file, budgets = tmp_path / "t.csv", tmp_path / "budgets.csv"
    file.write_text(
        "user_id,coin,closed_pnl,adl_notional\n1,A,10,100\n2,A,30,100\n1,B,5,600\n3,B,5,200\n", encoding="utf-8"
    )
    common = ("--accounts", file, "--rule", "prorata_pnl", "--by-coin", "--out", tmp_path)
    rows = told(capsys, *common, "--budget", 20)
    assert [(row["coin"], row["budget_usd"]) for row in rows] == [("all", 20), ("A", 10), ("B", 10)]
    assert [row["accounts_hit"] for row in rows] == [3, 2, 2]
    assert [row["accounts_fully_wiped"] for row in rows] == [1, 0, 2]
    assert pd.read_csv(tmp_path / "allocation.csv")["prorata_pnl"].tolist() == [2.5, 7.5, 5, 5]
    budgets.write_text("coin,budget\nB,4\n", encoding="utf-8")
    rows = told(capsys, *common, "--budget", budgets)
    assert [(row["coin"], row["budget_usd"]) for row in rows] == [("all", 4), ("B", 4)]
    budgets.write_text("coin,budget\nB,11\n", encoding="utf-8")
    assert "the budget of B (11.00) is more than" in refused(capsys, *common, "--budget", budgets)
    assert "is there twice" in refused(capsys, "--accounts", file, "--budget", 5, "--rule", "prorata_pnl")


def test_a_rule_of_the_users_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/examples/my_adl_rule.py: the first 500 of a profit are free."""
    rule = ROOT / "docs" / "examples" / "my_adl_rule.py"
    assert len(rule.read_text(encoding="utf-8").splitlines()) <= 18
    (row,) = told(capsys, "--accounts", EXAMPLE, "--budget", 8000, "--rule", rule, "--out", tmp_path)
    assert row["policy"] == "my_adl_rule"
    taken = pd.read_csv(tmp_path / "allocation.csv")["my_adl_rule"].to_numpy()
    above = np.array([8500, 5500, 2000, 700, 300, 0, 0, 0])
    assert taken == pytest.approx(8000 * above / above.sum())


def test_what_is_printed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["allocate", "--accounts", str(EXAMPLE), "--budget", "6000", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "6 k of 20 k profit of 7 accounts" in out or "accounts is taken" in out
    assert all(policy.name in out for policy in POLICIES)
    assert (tmp_path / "allocation.png").stat().st_size > 10_000
    assert len(pd.read_csv(tmp_path / "policies.csv")) == 12
