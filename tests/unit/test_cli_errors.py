"""The command line: what it prints where, and that every mistake a user can make is one clear message."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from delever.experiments import cli, single
from delever.experiments.errors import guarded
from delever.sim.output import OutputError
from tests.golden.shocks import SHOCK

SMALL = [argument for value in SHOCK for argument in ("--set", value)]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def delever(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


COMPARE = ("compare", "flash-shock", "--rules", "textbook", "--rules", "hyperliquid")

MISTAKES = [
    (("run", "flash-shok"), ["unknown scenario 'flash-shok'", "did you mean 'flash-shock'"]),
    (("run", "nowhere/x.toml"), ["no such file"]),
    (("run", "flash-shock", "--rules", "hyperliquit"), ["unknown rules", "did you mean 'hyperliquid'"]),
    (("run", "flash-shock", "--rules", "textbook,margin.leverage_max=-3"), ["margin.leverage_max", "at least 0"]),
    (("run", "flash-shock", "--seed", "-1"), ["--seed must be 0 or more (got -1)"]),
    (("run", "flash-shock", "--seed", "ten"), ["--seed", "ten"]),
    (("run", "flash-shock", "--seed", 2**63), ["seed must be"]),
    (("run", "flash-shock", "--sed", "1"), ["Did you mean --seed?"]),
    (("run",), ["SCENARIO"]),
    (("frobnicate",), ["frobnicate", "compare"]),
    (("run", "flash-shock", "--traders", "0"), ["--traders must be 1 or more"]),
    (("run", "flash-shock", "--set", "tradors=5"), ["tradors", "unknown key", "traders"]),
    (("run", "flash-shock", "--set", "traders"), ["dotted.key=value"]),
    (("run", "flash-shock", "--set", "cohorts.retial.share=1"), ["did you mean 'retail'"]),
    (("run", "flash-shock", "--set", "cohorts.retail.leverages=[-2]"), ["leverages"]),
    (("run", "flash-shock", "--set", "rules.margin.x=1"), ["margin.x: unknown key"]),
    (("run", "flash-shock", "--index", "nowhere.csv"), ["nowhere.csv", "no such file"]),
    (("run", "flash-shock", "--symbol", "BTC"), ["--index"]),
    (("run", "flash-shock", "--set", "markets.BTC.path.shocks.0.at_s=9999"), ["after the end of the run"]),
    (("run", "flash-shock", "--out", "/dev/null"), ["/dev/null is a file"]),
    (("run", "flash-shock", "--out", "/proc/nowhere"), ["cannot write to the folder /proc/nowhere"]),
    ((*COMPARE, "--seeds", "0"), ["--seeds must be 1 or more (got 0)"]),
    ((*COMPARE, "--jobs", "0"), ["--jobs must be 1 or more (got 0)"]),
    ((*COMPARE, "--first-seed", "-2"), ["--first-seed must be 0 or more"]),
    ((*COMPARE, "--first-seed", 2**63 - 1), ["2^63 - 1"]),
    ((*COMPARE, "--rules", "textbook"), ["--rules textbook is given twice"]),
    ((*COMPARE[:4],), ["at least two rule sets"]),
    ((*COMPARE, "--out", "/proc/nowhere"), ["cannot write to the folder"]),
    (("audit", "nowhere"), ["there is no folder nowhere"]),
    (("report", "."), ["is not the folder of a run"]),
    (("rules", "show", "textbok"), ["did you mean 'textbook'"]),
    (("rules", "check", "nowhere.toml"), ["no such file"]),
    (("rules", "diff", "textbook", "x"), ["unknown rules 'x'"]),
    (("scenarios", "show", "kalm"), ["did you mean 'calm'"]),
    (("scenarios", "check", "kalm"), ["did you mean 'calm'"]),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=lambda value: " ".join(map(str, value))[:60])
def test_a_mistake_is_one_message_and_exit_code_2(delever: Run, arguments: tuple[str, ...], says: list[str]) -> None:
    code, out, error = delever(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("delever: error: ")
    assert "Traceback" not in error
    for words in says:
        assert words in error
    assert not Path("results").exists() or not any(Path("results").rglob("*.parquet"))


PRICES = "time_s,price\n0,100\n60,101\n120,102\n180,103\n240,104\n300,105\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PRICES.replace("120,102\n", ""), "gap"),
        (PRICES.replace("101", "nan"), "NaN"),
        (PRICES.replace("101", "0"), "above 0"),
        (PRICES.replace("60,101\n120,102", "120,102\n60,101"), "sort the rows"),
        ("", "empty"),
        ("a,b\n1,2\n3,4\n", "no time column"),
    ],
)
def test_a_price_file_that_does_not_serve_is_named_with_its_row(delever: Run, text: str, says: str) -> None:
    Path("prices.csv").write_text(text)
    code, _, error = delever("run", "flash-shock", "--index", "prices.csv")
    assert code == 2
    assert "prices.csv" in error
    assert says in error


FILES = {
    "bad.toml": "[margin\n",
    "base.toml": 'base = "dxdy"\n',
    "combination.toml": 'base = "dydx-v4"\n[liquidation]\nstage = "keepers"\n',
    "kind.toml": 'base = "dydx-v4"\nliquidation.step = {kind = "cover", share_ppm = 5}\n',
    "empty.csv": "",
    "header.csv": "user_id,closed_pnl\n",
    "accounts.csv": "user_id,closed_pnl\n1,100\n",
    "words.csv": "user_id,closed_pnl\n1,much\n",
    "rule.py": "x = (",
    "cases.json": '[{"id": "a"}]',
    "list.json": '{"id": "a"}',
    "half.json": "[{",
    "orders.csv": "time,type,id,side,price,quantity\n1,add,1,buy,5,1\n",
}
ALLOCATE = ("allocate", "--out", "made", "--rule", "prorata_pnl", "--accounts")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("rules", "check", "bad.toml"), ["bad.toml:1: not TOML"]),
        (("rules", "check", "base.toml"), ["base.toml:1: base: must be one of textbook"]),
        (("rules", "check", "combination.toml"), ["combination.toml:2: liquidation", "keepers", "belong together"]),
        (("rules", "check", "kind.toml"), ["liquidation.step.share_ppm: unknown key", "kind, ramp"]),
        (("rules", "check", "dydx-v4,liquidation.step.kind=slicez"), ["'portion', 'cover'", "slicez"]),
        ((*ALLOCATE, "empty.csv", "--budget", "5"), ["empty.csv: is empty"]),
        ((*ALLOCATE, "header.csv", "--budget", "5"), ["header.csv: has no accounts"]),
        ((*ALLOCATE, "words.csv", "--budget", "5"), ["words.csv, row 1: closed_pnl is no number"]),
        ((*ALLOCATE, "accounts.csv", "--budget", "500"), ["more than all profits", "at most"]),
        ((*ALLOCATE, "accounts.csv", "--budget", "-5"), ["--budget must be an amount above zero"]),
        ((*ALLOCATE, "accounts.csv", "--budget", "5", "--rule", "rule.py"), ["rule.py: cannot be run: SyntaxError"]),
        (("verify", "cases.json"), ["cases.json, case 1 (a): venue is missing"]),
        (("verify", "list.json"), ["list.json: must be a list of cases"]),
        (("verify", "half.json"), ["half.json, line 1: not JSON"]),
        (("verify", "nowhere"), ["nowhere: no such file or folder"]),
        (("match", "orders.csv", "--out", "made"), ["orders.csv:2: the type must be one of limit"]),
    ],
    ids=lambda value: " ".join(map(str, value))[:60],
)
def test_a_file_that_does_not_serve_is_one_message(delever: Run, arguments: tuple[str, ...], says: list[str]) -> None:
    for name, text in FILES.items():
        Path(name).write_text(text)
    code, out, error = delever(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("delever: error: ")
    assert "Traceback" not in error
    for words in says:
        assert words in error


def test_wrong_files_are_named_with_their_lines(delever: Run) -> None:
    Path("mine.toml").write_text("[margin]\nleverage_max = -1\n")
    assert "mine.toml:2: margin.leverage_max" in delever("rules", "check", "mine.toml")[2]
    tiers = "[[margin.tiers]]\nfloor_quote = 0\ninitial_ppm = 50000\nmaintenance_ppm = 25000\n"
    Path("tiers.toml").write_text(tiers + tiers)
    assert "tiers overlap" in delever("rules", "check", "tiers.toml")[2]
    Path("world.toml").write_text("duration_s = 10\ntraders = -5\n")
    assert "world.toml:2: traders" in delever("scenarios", "check", "world.toml")[2]


def test_a_run_prints_one_json_object_and_leaves_a_complete_folder(delever: Run) -> None:
    code, out, _ = delever("run", "flash-shock", *SMALL, "--json", "--journal", "--seed", 1, "--out", "made")
    assert code == 0
    summary = json.loads(out)
    assert summary == json.loads(Path("made/summary.json").read_text())
    assert {"scenario", "rules", "seed", "digest", "conservation_error", "wall_s"} <= set(summary)
    assert summary["conservation_error"] == 0
    assert Path("made/report.html").is_file()
    assert len(list(Path("made/figures").glob("*.png"))) == 5
    code, out, _ = delever("audit", "made")
    assert code == 0
    assert "rows of the journal replayed" in out


def test_a_run_without_out_says_where_it_went(delever: Run) -> None:
    code, out, _ = delever("run", "flash-shock", *SMALL, "--no-report", "--rules", "textbook,margin.leverage_max=5")
    assert code == 0
    assert "results/flash-shock-textbook_margin.leverage_max_5-0" in out
    assert "conservation error (atoms)" in out
    assert not list(Path("results").rglob("report.html"))


def test_the_same_run_may_be_made_again_and_another_is_not_written_over(delever: Run) -> None:
    first = ("run", "flash-shock", *SMALL, "--no-report", "--json", "--out", "made")
    digest = json.loads(delever(*first)[1])["digest"]
    assert json.loads(delever(*first)[1])["digest"] == digest
    code, _, error = delever(*first, "--seed", 5)
    assert code == 2
    assert "made holds another run" in error
    assert json.loads(Path("made/summary.json").read_text())["digest"] == digest
    assert delever(*first, "--seed", 5, "--force")[0] == 0


def test_an_index_from_a_file_sets_length_and_ticks(delever: Run) -> None:
    rows = "".join(f"{minute * 60},{0.35 - 0.01 * (minute > 5)}\n" for minute in range(11))
    Path("coin.csv").write_text("time_s,price\n" + rows)
    sets = ("--set", "traders=200", "--no-report", "--json", "--out", "coin")
    code, out, error = delever("run", "flash-shock", "--index", "coin.csv", *sets)
    assert (code, error) == (0, error)
    assert json.loads(out)["steps"] == 601
    market = json.loads(Path("coin/manifest.json").read_text())["markets"][0]
    assert 5_000 <= 0.35 / float(market["tick_size"]) <= 50_000


def test_a_full_disk_is_a_message(delever: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **keywords: object) -> None:
        raise OutputError("the disk is full; the run was stopped at step 5 of 10. What was recorded is kept in made")

    monkeypatch.setattr(single, "simulate", full)
    code, _, error = delever("run", "flash-shock", "--out", "made")
    assert code == 2
    assert "the disk is full" in error
    assert "Traceback" not in error


def test_a_broken_law_is_a_message_and_exit_code_1(delever: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **keywords: object) -> None:
        raise AssertionError("a law is broken in step 7 of 'flash-shock' under 'textbook', seed 3: I2")

    monkeypatch.setattr(single, "simulate", broken)
    code, _, error = delever("run", "flash-shock", "--out", "made")
    assert code == 1
    assert "step 7" in error
    assert "report it" in error


def test_ctrl_c_leaves_a_usable_folder_and_says_so(tmp_path: Path) -> None:
    sets = ["--set", "duration_s=2000000", "--set", "traders=100"]
    command = [sys.executable, "-m", "delever.experiments", "run", "flash-shock", *sets, "--out", "made"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in its background deaf to Ctrl-C, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    manifest = tmp_path / "made" / "manifest.json"
    deadline = time.monotonic() + 300
    while not manifest.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert "interrupted" in error
    assert "is kept in made" in error
    assert "Traceback" not in error
    assert out == ""
    assert not json.loads(manifest.read_text())["finished"]
    assert (tmp_path / "made" / "series.parquet").is_file()


def test_a_reader_who_leaves_early_is_no_error() -> None:
    shown = subprocess.run(
        f"{sys.executable} -m delever.experiments rules schema | head -1", shell=True, capture_output=True, text=True
    )
    assert shown.stdout == "{\n"
    assert shown.stderr == ""


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["compare", "--help"], ["rules", "--help"]], ids=" ".join
)
def test_help_needs_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from delever.experiments.__main__ import cli; code = cli.main(sys.argv[1:])\n"
        "heavy = {'jinja2', 'joblib', 'matplotlib', 'mesa', 'networkx', 'numba', 'numpy', 'pandas', 'pyarrow',"
        " 'pydantic', 'scipy', 'seaborn'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: delever")


@pytest.mark.parametrize("command", ["run", "compare", "audit", "report", "rules show", "rules diff", "scenarios show"])
def test_every_command_has_an_example(delever: Run, command: str) -> None:
    code, out, _ = delever(*command.split(), "--help")
    assert code == 0
    assert "For example" in out
    assert f"delever {command}" in out


def test_lists_and_schema(delever: Run) -> None:
    assert all(name in delever("rules", "list")[1] for name in ("textbook", "hyperliquid", "binance-usdm"))
    assert all(name in delever("scenarios", "list")[1] for name in ("calm", "flash-shock", "black-thursday"))
    assert "properties" in json.loads(delever("rules", "schema")[1])
    assert "are the same rules" in delever("rules", "diff", "textbook", "textbook")[1]
    assert "margin.tiers" in delever("rules", "diff", "textbook", "hyperliquid")[1]
    assert "is right: 1,000 traders" in delever("scenarios", "check", "flash-shock")[1]


def test_what_is_shown_as_toml_can_be_read_again(delever: Run) -> None:
    Path("mine.toml").write_text(delever("rules", "show", "hyperliquid", "--toml")[1])
    assert delever("rules", "diff", "hyperliquid", "mine.toml")[1] == "hyperliquid and mine.toml are the same rules.\n"
    Path("world.toml").write_text(delever("scenarios", "show", "calm")[1])
    assert delever("scenarios", "check", "world.toml")[0] == 0


def test_errors_of_the_system_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied", "results/x")

    assert guarded(refuse) == 2
    assert capsys.readouterr().err == "delever: error: permission denied (results/x)\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission_is_named(delever: Run, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert "permission denied" in delever("run", "flash-shock", "--out", locked / "x")[2]
