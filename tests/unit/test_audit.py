"""The audit proves an honest run, and finds any single cell that was altered, with its row."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from delever.engine.rules.io import load_rules
from delever.experiments.audit import audit, print_audit
from delever.experiments.errors import UserError
from delever.experiments.folder import COLUMNS
from delever.experiments.replay import CHAIN_COLUMNS, Chain, Finding, Replay, Terms
from delever.sim.run import simulate
from tests.golden.shocks import shock_world

COMMAND, FILL, POST, TAKEOVER, ADL = 1, 2, 3, 6, 7
REALISED, FEE, DEPOSIT = 3, 4, 1


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest")
    simulate(shock_world(), load_rules("textbook,insurance.initial_quote=20000"), 1, out=folder, journal=True)
    return folder


@pytest.fixture(scope="module")
def journal(honest: Path) -> pd.DataFrame:
    return pd.read_parquet(honest / "journal.parquet")


@pytest.fixture
def copy(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "copy"))


@pytest.mark.parametrize(
    "rules",
    [
        "hyperliquid",
        "binance-usdm",
        "hyperliquid,margin.mode=isolated",
        "textbook,margin.mode=isolated,deleveraging.trigger=none,insurance.initial_quote=0",
        "textbook,insurance.market_funds.initial_quote=1000,insurance.contribution.trading_fee_ppm=200000,"
        "insurance.default_fund.contribution_quote=1000,insurance.default_fund.assessment_ppm=500000",
        "textbook,charges.funding.interval_s=60,charges.maker_ppm=-100,rounding.fee=down",
    ],
)
def test_a_run_under_any_rules_is_proved(rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate(shock_world(), load_rules(rules), 2, out=tmp_path, journal=True)
    assert print_audit(tmp_path)
    rows = len(pd.read_parquet(tmp_path / "journal.parquet"))
    assert f"{rows:,} rows of the journal replayed" in capsys.readouterr().out


def test_the_run_that_is_tampered_with_has_every_kind_of_trade(journal: pd.DataFrame) -> None:
    assert {COMMAND, FILL, POST, TAKEOVER, ADL} <= set(journal["kind"])


@pytest.mark.parametrize("column", COLUMNS["journal"])
@pytest.mark.parametrize("kind", [COMMAND, FILL, POST, TAKEOVER, ADL])
def test_any_altered_cell_is_found_with_its_row(copy: Path, journal: pd.DataFrame, column: str, kind: int) -> None:
    rows = np.flatnonzero(journal["kind"] == kind)
    row = int(rows[len(rows) // 2])
    altered = journal.copy()
    altered.loc[row, column] += 1
    altered.to_parquet(copy / "journal.parquet")
    assert any(found.row == row and f"row {row:,}" in found.sentence for found in audit(copy).findings)


@pytest.mark.parametrize("place", [0, -1])
def test_the_first_and_the_last_row_are_no_exception(copy: Path, journal: pd.DataFrame, place: int) -> None:
    row = range(len(journal))[place]
    altered = journal.copy()
    altered.loc[row, "chain"] ^= 1
    altered.to_parquet(copy / "journal.parquet")
    assert row in [found.row for found in audit(copy).findings]


def rechained(journal: pd.DataFrame) -> pd.DataFrame:
    """The same rows with all hashes made anew, as a forger would who knows how; written a bit at a time."""
    chain, hashes = 0, []
    for row in journal[list(CHAIN_COLUMNS)].itertuples(index=False):
        for value in row:
            chain = ((chain << 7 | chain >> 57) & (2**64 - 1)) ^ (int(value) & (2**64 - 1))
        hashes.append(chain - 2**64 if chain >= 2**63 else chain)
    return journal.assign(chain=np.array(hashes, dtype=np.int64))


def test_the_hash_of_the_audit_is_that_of_the_engine(journal: pd.DataFrame) -> None:
    assert rechained(journal)["chain"].equals(journal["chain"])


@pytest.mark.parametrize(
    ("kind", "code", "column", "says"),
    [
        (POST, REALISED, "amount_atoms", "implies a profit"),
        (POST, FEE, "amount_atoms", "implies a fee"),
        (FILL, 0, "amount_atoms", "are worth"),
        (FILL, 0, "price_ticks", "are worth"),
        (ADL, None, "lots", "are worth"),
        (COMMAND, 0, "sequence", "their numbers must rise"),
        (POST, DEPOSIT, "amount_atoms", "balances.parquet gives unit"),
        (POST, DEPOSIT, "other", "balances.parquet gives unit"),
    ],
)
def test_altered_books_are_found_even_with_hashes_made_anew(
    copy: Path, journal: pd.DataFrame, kind: int, code: int | None, column: str, says: str
) -> None:
    chosen = journal["kind"] == kind
    rows = np.flatnonzero(chosen if code is None else chosen & (journal["code"] == code))
    row = int(rows[len(rows) // 2])
    altered = journal.copy()
    altered.loc[row, column] += 1
    rechained(altered).to_parquet(copy / "journal.parquet")
    said = [found.sentence for found in audit(copy).findings]
    assert any(says in sentence for sentence in said), said
    assert any("summary.json" in sentence for sentence in said)


def test_rows_cut_off_at_the_end_are_missed(copy: Path, journal: pd.DataFrame) -> None:
    journal.iloc[:-1].to_parquet(copy / "journal.parquet")
    assert any("not the one in summary.json" in found.sentence for found in audit(copy).findings)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("balances", "debits_atoms"),
        ("balances", "credits_atoms"),
        ("positions", "lots"),
        ("positions", "cost_atoms"),
        ("fund", "amount_atoms"),
        ("fund", "balance_atoms"),
    ],
)
def test_altered_results_are_found(copy: Path, table: str, column: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_parquet(copy / f"{table}.parquet")
    frame.loc[len(frame) - 1, column] += 1
    frame.to_parquet(copy / f"{table}.parquet")
    assert not print_audit(copy)
    assert f"{table}.parquet" in capsys.readouterr().out


def test_a_run_without_a_journal_is_a_users_mistake(copy: Path) -> None:
    (copy / "journal.parquet").unlink()
    with pytest.raises(UserError, match="--journal"):
        audit(copy)


def test_a_journal_that_is_no_table_is_a_users_mistake(copy: Path) -> None:
    (copy / "journal.parquet").write_bytes(b"no table")
    with pytest.raises(UserError, match="cannot be read as a journal"):
        audit(copy)


# What follows replays rows made by hand: two accounts (units 0 and 1), the fund (2), its pots (2 .. 8).

TERMS = Terms(
    accounts=2,
    multipliers_atoms=[10],
    pockets=False,
    isolated_at_start=False,
    fund_floor_atoms=0,
    taker_ppm=0,
    maker_ppm=0,
    fee_up=True,
)
SETTLEMENT, OUTSIDE = 4, 8


def post(step: int, debit: int, credit: int, amount: int, code: int) -> tuple[int, ...]:
    return (step, step, POST, -1, debit, credit, 0, 0, amount, 0, code)


def fill(step: int, taker: int, maker: int, lots: int, price: int) -> tuple[int, ...]:
    return (step, step, FILL, 0, taker, maker, lots, price, abs(lots) * price * 10, 0, 0)


def replayed(*rows: tuple[int, ...], terms: Terms = TERMS) -> Iterator[Finding]:
    replay = Replay(terms)
    table = np.array(rows, dtype=np.int64)
    replay.feed({name: table[:, column] for column, name in enumerate(CHAIN_COLUMNS)})
    replay.finish()
    return iter(replay.findings)


MONEY = (post(0, OUTSIDE, 0, 1000, DEPOSIT), post(0, OUTSIDE, 1, 1000, DEPOSIT))
OPENED = (*MONEY, fill(1, 0, 1, 3, 20))  # cost of 600 atoms


def test_an_average_entry_is_rounded_as_the_rules_say() -> None:
    # Two lots at 20 and one at 21 cost 610; one of three costs 610 // 3 = 203, so that selling it at 22 earns 17.
    bought = (*MONEY, fill(1, 0, 1, 2, 20), fill(1, 0, 1, 1, 21))
    sold = (fill(2, 0, 1, -1, 22), post(2, SETTLEMENT, 0, 17, REALISED), post(2, 1, SETTLEMENT, 17, REALISED))
    assert list(replayed(*bought, *sold)) == []


def test_a_missing_profit_is_found_at_the_next_step() -> None:
    found = next(replayed(*OPENED, fill(2, 0, 1, -3, 22), post(3, OUTSIDE, 0, 1, DEPOSIT)))
    assert found.row == 4
    assert "never came" in found.sentence


def test_a_profit_out_of_nothing_is_found() -> None:
    assert "no trade before it implies that" in next(replayed(*OPENED, post(1, SETTLEMENT, 0, 5, REALISED))).sentence


def test_debt_without_positions_is_found_at_the_end_of_the_step() -> None:
    found = list(replayed(*OPENED, post(1, 0, OUTSIDE, 1500, 2), *closed_at(2, 20)))
    assert len(found) == 1
    assert "unit 0 500 atoms in debt and without positions" in found[0].sentence


def closed_at(step: int, price: int) -> tuple[tuple[int, ...], ...]:
    assert price == 20, "closed where it was opened: nothing is realised"
    return (fill(step, 0, 1, -3, price),)


def test_a_fund_below_its_floor_is_found() -> None:
    found = list(replayed(post(0, OUTSIDE, 2, 50, DEPOSIT), terms=TERMS._replace(fund_floor_atoms=100)))
    assert ["below its floor of 100" in finding.sentence for finding in found] == [True]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (post(1, 0, 0, 5, DEPOSIT), "two different units"),
        (post(1, 0, 99, 5, DEPOSIT), "two different units"),
        (post(1, 0, 1, -5, DEPOSIT), "positive amount"),
        (fill(1, 0, 0, 5, 20), "two accounts"),
        ((1, 1, 99, 0, 0, 0, 0, 0, 0, 0, 0), "no kind of event 99"),
        ((1, 1, FILL, 7, 0, 1, 1, 1, 10, 0, 0), "no market 7"),
        ((1, -5, POST, -1, 0, 1, 0, 0, 1, 0, DEPOSIT), "time must not run backwards"),
    ],
)
def test_rows_that_make_no_sense_are_found(row: tuple[int, ...], says: str) -> None:
    assert says in next(replayed(*MONEY, row)).sentence


def test_fees_are_rounded_as_the_rules_say() -> None:
    charged = (*MONEY, fill(1, 0, 1, 3, 20), post(1, 0, 3, 1, FEE))  # 500 ppm of 600 atoms
    assert list(replayed(*charged, terms=TERMS._replace(taker_ppm=500))) == []
    assert list(replayed(*OPENED, terms=TERMS._replace(taker_ppm=500, fee_up=False))) == []


def test_the_chain_goes_on_from_part_to_part(journal: pd.DataFrame) -> None:
    columns = {name: journal[name].to_numpy() for name in COLUMNS["journal"]}
    chain = Chain()
    for first in range(0, len(journal), 1000):
        part = {name: values[first : first + 1000] for name, values in columns.items()}
        assert chain.check(part, first) == []
