"""What is stored of a run agrees with what happened, also when the run is cut short or the disk is full."""

import errno
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from delever.engine.events import (
    E_ACCOUNT,
    E_CAUSE,
    E_KIND,
    E_OTHER,
    EVENT_COLUMNS,
    Code,
    Event,
)
from delever.engine.rules.presets import BINANCE_USDM, HYPERLIQUID, PRESETS, TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import NONE
from delever.experiments.folder import COLUMNS, RunFolder
from delever.sim import output
from delever.sim import run as run_module
from delever.sim.episodes import (
    I_DEFICIT_ATOMS,
    I_END_STEP,
    I_LIQUIDATION,
    J_ADL_ATOMS,
    J_ADL_LOTS,
    J_BOOK_ATOMS,
    J_BOOK_LOTS,
    Episodes,
)
from delever.sim.output import OutputError
from delever.sim.recorder import EVENT_NAMES, pro_rata
from delever.sim.run import simulate
from tests.golden.shocks import shock_world

SEED = 1
ATOMS = 1_000_000


class Stored:
    """One run, stored with its journal, and what it returned."""

    def __init__(self, folder: Path, rules: RuleSet) -> None:
        self.summary = simulate(shock_world(), rules, SEED, out=folder, journal=True).summary
        self.run = RunFolder(folder)
        self.journal = self.run.table("journal")
        self.fund_row = self.summary["accounts"]

    def events(self, kind: Event) -> pd.DataFrame:
        return self.journal[self.journal["kind"] == kind]


# In quote units, with forced fills in the book: what the sums of these tests are about. test_presets_run has the rest.
@pytest.fixture(scope="module", params=["textbook", "hyperliquid", "binance-usdm"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(tmp_path_factory.mktemp(request.param) / "run", PRESETS[request.param])


def test_the_folder_is_complete_and_its_manifest_says_so(stored: Stored) -> None:
    manifest = stored.run.manifest
    assert stored.run.finished
    names = {file.name for file in stored.run.path.iterdir()}
    assert names == {*manifest["files"], "manifest.json"}
    assert names == {f"{name}.parquet" for name in COLUMNS} | {"summary.json", "manifest.json"}
    assert sum(cohort["count"] for cohort in manifest["cohorts"]) == stored.summary["accounts"]
    assert manifest["seed"] == SEED
    assert len(manifest["rules_hash"]) == 64
    market = manifest["markets"][0]
    assert market["multiplier_atoms"] == round(float(market["tick_size"]) * float(market["lot_size"]) * ATOMS)


@pytest.mark.parametrize("name", list(COLUMNS))
def test_tables_have_their_columns_and_whole_numbers(stored: Stored, name: str) -> None:
    table = pd.read_parquet(stored.run.path / f"{name}.parquet")
    assert tuple(table.columns) == COLUMNS[name]
    texts = {column for column, kind in table.dtypes.items() if not pd.api.types.is_integer_dtype(kind)}
    assert texts <= {"cohort", "counterparty_cohort", "owner"} | ({"code"} if name == "fund" else set())


def test_summary_without_a_folder_is_the_same(stored: Stored) -> None:
    bare = simulate(shock_world(), PRESETS[stored.summary["rules"]], SEED).summary
    for key in ("wall_s", "commands_per_s", "events_chain"):
        assert bare.pop(key)
    assert bare == {key: value for key, value in stored.summary.items() if key in bare}
    assert json.loads((stored.run.path / "summary.json").read_text(encoding="utf-8")) == stored.summary


def test_series_adds_up_to_the_journal(stored: Stored) -> None:
    series, fills = stored.run.series, stored.events(Event.FILL)
    assert series["fills"].sum() == len(fills) == stored.summary["fills"]
    assert series["volume_lots"].sum() == fills["lots"].abs().sum()
    assert series["volume_atoms"].sum() == fills["amount_atoms"].sum()
    forced = fills[fills["cause"] != 0]
    assert series["forced_atoms"].sum() == forced["amount_atoms"].sum() > 0
    assert np.array_equal(np.diff(series["time_s"]), np.full(len(series) - 1, 5))
    assert series["step"].iloc[-1] == stored.summary["steps"] - 1
    last = series.iloc[-1]
    assert last["fund_balance_atoms"] == stored.run.fund["amount_atoms"].sum()
    assert (series["bid_ticks"] < series["ask_ticks"])[series["ask_ticks"] > 0].all()
    assert (series[["depth_bid_lots", "depth_ask_lots"]].to_numpy() >= 0).all()


def test_open_interest_and_positions_agree(stored: Stored) -> None:
    positions = stored.run.table("positions")
    longs = positions["lots"].clip(lower=0).sum()
    assert stored.run.series["open_interest_lots"].iloc[-1] == longs
    assert positions["lots"].sum() == 0


def test_liquidations_are_those_of_the_journal(stored: Stored) -> None:
    rows, begun = stored.run.liquidations, stored.events(Event.BANKRUPTCY)
    assert len(rows) == len(begun) > 0
    assert stored.summary["liquidations"] == rows["liquidation"].nunique()
    by_id = rows.set_index("liquidation").sort_index()
    begun = begun.set_index("cause").sort_index()
    for ours, theirs in (("lots", "lots"), ("bankruptcy_ticks", "price_ticks"), ("maintenance_atoms", "amount_atoms")):
        assert np.array_equal(by_id[ours], begun[theirs]), ours
    for column, kind in (("book_lots", Event.FILL), ("takeover_lots", Event.TAKEOVER), ("adl_lots", Event.ADL)):
        closed = stored.events(kind)
        closed = closed[closed["cause"] > 0].groupby("cause")["lots"].apply(lambda lots: lots.abs().sum())
        assert by_id[column][by_id[column] > 0].to_dict() == closed.to_dict(), column
    gone = rows["book_lots"] + rows["takeover_lots"] + rows["adl_lots"]
    assert (gone <= rows["lots"].abs()).all() or stored.summary["rules"] == "hyperliquid"
    ended = rows["end_step"] >= 0
    assert (rows["end_step"] >= rows["step"])[ended].all()
    assert (rows["margin_lost_atoms"] <= rows["maintenance_atoms"]).all()
    assert set(rows["cohort"]) <= {cohort["name"] for cohort in stored.run.manifest["cohorts"]}


def test_haircuts_are_what_counterparties_lost_against_the_mark(stored: Stored) -> None:
    rows, market = stored.run.adl, stored.run.manifest["markets"][0]
    assert len(rows) == len(stored.events(Event.ADL)) == stored.summary["adl_fills"]
    # A counterparty that buys pays price - mark too much, one that sells gets mark - price too little.
    bought = -rows["lots"]
    expected = bought * market["multiplier_atoms"] * (rows["price_ticks"] - rows["mark_ticks"])
    assert np.array_equal(rows["haircut_atoms"], expected)
    assert stored.summary["waterfall"]["adl"] == round(rows["haircut_atoms"].clip(lower=0).sum() / ATOMS, 6)


def test_the_fund_table_is_the_ledger_of_the_fund(stored: Stored) -> None:
    fund, posts = stored.run.fund, stored.events(Event.POST)
    posts = posts[(posts["account"] == stored.fund_row) | (posts["other"] == stored.fund_row)]
    signed = np.where(posts["other"] == stored.fund_row, 1, -1) * posts["amount_atoms"]
    assert np.array_equal(fund["amount_atoms"], signed)
    assert np.array_equal(fund["balance_atoms"], np.cumsum(signed))
    assert fund["code"].tolist() == [Code(code).name for code in posts["code"]]
    balances = stored.run.table("balances").set_index("owner").loc["FUND"]
    left = int(balances["credits_atoms"] - balances["debits_atoms"])
    assert left == (fund["balance_atoms"].iloc[-1] if len(fund) else 0)


def test_layers_of_the_waterfall(stored: Stored) -> None:
    waterfall, rows = stored.summary["waterfall"], stored.run.liquidations
    assert waterfall["own_margin"] == round(rows["margin_lost_atoms"].sum() / ATOMS, 6) > 0
    assert all(amount >= 0 for layer, amount in waterfall.items() if layer != "fund")
    first, last = stored.summary["insurance_fund_start"], stored.summary["insurance_fund_end"]
    fees = stored.run.fund.loc[stored.run.fund["code"] == "LIQUIDATION_FEE", "amount_atoms"].sum() / ATOMS
    assert waterfall["fund"] == pytest.approx(first + fees - last, abs=1e-5)
    assert stored.summary["insurance_fund_min"] <= min(first, last)


def test_the_presets_meet_the_layers_the_tests_above_look_at() -> None:
    """Else they would prove little: Hyperliquid uses backstops and ADL, Binance its fund, textbook the book."""
    hyperliquid = simulate(shock_world(), HYPERLIQUID, SEED).summary
    binance = simulate(shock_world(), BINANCE_USDM, SEED).summary
    assert hyperliquid["waterfall"]["backstop"] > 0
    assert hyperliquid["adl_fills"] > 0
    assert binance["waterfall"]["fund"] > 0
    assert binance["insurance_fund_min"] < binance["insurance_fund_start"]


def test_ctrl_c_leaves_a_folder_that_can_be_read(tmp_path: Path) -> None:
    def press(done: int, steps: int) -> None:
        if done >= 500:
            os.kill(os.getpid(), signal.SIGINT)

    # A shell starts what runs in its background deaf to Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            simulate(shock_world(), TEXTBOOK, SEED, out=tmp_path, journal=True, progress=press)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    run = RunFolder(tmp_path)
    assert not run.finished
    assert run.summary["steps"] == 505
    assert run.series["step"].max() == 504
    whole = simulate(shock_world(), TEXTBOOK, SEED, out=tmp_path / "whole").out
    assert whole is not None
    recorded = RunFolder(whole).series
    pd.testing.assert_frame_equal(run.series.iloc[:-1], recorded[recorded["step"] < 504].reset_index(drop=True))
    for name in COLUMNS:
        assert run.has(name)
        run.table(name)
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".reserve"))


def test_ctrl_c_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        simulate(shock_world("duration_s=60", "markets.BTC.path.shocks=[]"), TEXTBOOK, SEED)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


class SmallDisk:
    """A raw file on a disk with room for `room` bytes in all, the reserve's once it is given up."""

    used = 0

    def __init__(self, path: Path, room: int) -> None:
        self.raw, self.room = path.open("wb", buffering=0), room
        self.reserve = path.parent / ".reserve"

    def write(self, data: Any) -> int:
        room = self.room + (0 if self.reserve.exists() else output.RESERVE_BYTES)
        if SmallDisk.used >= room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = memoryview(data)[: room - SmallDisk.used]
        SmallDisk.used += len(part)
        return self.raw.write(part)

    def tell(self) -> int:
        return self.raw.tell()

    def close(self) -> None:
        self.raw.close()


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_small_disk(self: Any, folder: output.OutputFolder, path: Path) -> None:
        self._folder, self._raw = folder, SmallDisk(path, 40_000)

    SmallDisk.used = 0
    monkeypatch.setattr(output._File, "__init__", on_small_disk)
    monkeypatch.setattr(output, "CHUNK_ROWS", 500)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_stops_the_run_and_keeps_what_was_recorded(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the disk is full; the run was stopped at step \d+ of 900") as error:
        simulate(shock_world(), TEXTBOOK, SEED, out=tmp_path, journal=True)
    assert str(tmp_path) in str(error.value)
    run = RunFolder(tmp_path)
    assert not run.finished
    assert 0 < run.summary["steps"] < 900
    assert len(run.table("journal")) >= 500
    assert run.series["step"].max() == run.summary["steps"] - 1


def test_a_folder_that_cannot_be_written_to_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot write to the folder"):
        simulate(shock_world(), TEXTBOOK, SEED, out=tmp_path / "file" / "run")


def test_a_second_run_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    short = shock_world("duration_s=60", "markets.BTC.path.shocks=[]")
    simulate(short, TEXTBOOK, SEED, out=tmp_path, journal=True)
    assert (tmp_path / "journal.parquet").exists()
    simulate(short, TEXTBOOK, SEED, out=tmp_path)
    assert not (tmp_path / "journal.parquet").exists()
    assert RunFolder(tmp_path).table("liquidations").empty


def test_the_series_of_the_backstop_ends_with_what_it_lost(stored: Stored) -> None:
    equity = stored.run.series["backstop_equity_atoms"]
    lost = max(0, int(equity.iloc[0] - equity.iloc[-1]))
    assert lost == round(stored.summary["waterfall"]["backstop"] * ATOMS)
    if stored.summary["rules"] == "hyperliquid":
        assert lost > 0


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_the_manifest_says_whether_the_sources_are_those_of_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> str:
        me = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        return subprocess.run(["git", *me, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    source = tmp_path / "sim" / "run.py"
    source.parent.mkdir()
    source.write_text("a = 1\n")
    monkeypatch.setattr(run_module, "__file__", str(source))
    found = [run_module._sources.__wrapped__()]
    git("init", "-q")
    found.append(run_module._sources.__wrapped__())
    git("add", ".")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD").strip()
    found.append(run_module._sources.__wrapped__())
    (tmp_path / "agents.py").write_text("a = 2\n")
    found.append(run_module._sources.__wrapped__())
    assert found == [(None, None), (None, None), (commit, False), (commit, True)]


def told(kind: Event, cause: int, **columns: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return one event of a liquidation of unit 7."""
    row = np.zeros(EVENT_COLUMNS, dtype=np.int64)
    row[[E_KIND, E_CAUSE, E_ACCOUNT, E_OTHER]] = kind, cause, 7, 7
    for name, value in columns.items():
        row[EVENT_NAMES.index(name)] = value
    return row


def test_a_unit_liquidated_twice_within_a_batch_ends_once() -> None:
    """The first liquidation is cured; the second, of the same unit and told of in the same batch, goes on."""
    episodes = Episodes()
    rows = [
        told(Event.LIQUIDATION, 1, amount_atoms=5), told(Event.BANKRUPTCY, 1, lots=10, amount_atoms=3),
        told(Event.FILL, 1, lots=-10, amount_atoms=70), told(Event.POST, 1, code=Code.DEFICIT, amount_atoms=4),
        told(Event.CURED, 1, step=6),
        told(Event.LIQUIDATION, 2), told(Event.BANKRUPTCY, 2, lots=-8), told(Event.ADL, 2, lots=8, amount_atoms=50),
        told(Event.POST, 0, code=Code.BAD_DEBT, amount_atoms=9),
    ]  # fmt: skip
    episodes.take(np.array(rows))
    over, rest = episodes.ended(), episodes.rest()
    assert episodes.count == 2
    assert over.episodes[:, [I_LIQUIDATION, I_DEFICIT_ATOMS, I_END_STEP]].tolist() == [[1, 4, 6]]
    assert over.parts[:, [J_BOOK_LOTS, J_BOOK_ATOMS, J_ADL_LOTS]].tolist() == [[10, 70, 0]]
    assert rest.episodes[:, [I_LIQUIDATION, I_DEFICIT_ATOMS, I_END_STEP]].tolist() == [[2, 9, NONE]]
    assert rest.parts[:, [J_BOOK_LOTS, J_ADL_LOTS, J_ADL_ATOMS]].tolist() == [[0, 8, 50]]
    assert len(episodes.ended().episodes) == len(episodes.rest().episodes) == 0


def test_a_share_is_exact_beyond_64_bits() -> None:
    amount, share, whole = np.array([-(2**58) - 1, 7]), np.array([2**40, 2]), np.array([2**41 + 1, 3])
    expected = [a * s // w for a, s, w in zip(amount.tolist(), share.tolist(), whole.tolist(), strict=True)]
    assert pro_rata(amount, share, whole).tolist() == expected
    assert pro_rata(amount[1:], share[1:], whole[1:]).tolist() == [4]
