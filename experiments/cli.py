"""The command line `delever`. Nothing heavy is imported before a command runs, so that help comes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from .catalogue import rules_app, scenarios_app
from .errors import EXIT_FOUND, UserError, guarded
from .options import AsJson, Rules, RulesList, ScenarioName, Sets, Traders, VolumeIn

DESCRIPTION = """A laboratory for liquidation cascades: simulated traders, an order book, the margin rules of exchanges.

A run puts a scenario (who trades, which price comes from outside) under a rule set (margin, liquidation, insurance
fund, deleveraging) with a seed (the luck). The same three always give the same result, bit for bit.

First steps:

    delever scenarios list
    delever run flash-shock --rules textbook
    delever compare flash-shock --rules hyperliquid --rules binance-usdm --seeds 8

Exit codes: 0 done; 1 an audit found a broken row, a worked example failed, or a law was broken in a run; 2 something
you can put right (the message says what); 130 interrupted with Ctrl-C, and what was computed is kept."""

app = App(
    name="delever",
    help=DESCRIPTION,
    help_format="markdown",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
app.command(rules_app)
app.command(scenarios_app)
app.command("delever.benchmarks.command:bench_app", name="bench", help="Measure how fast delever is on this machine.")


@app.command
def run(
    scenario: ScenarioName,
    /,
    *,
    rules: Rules = "textbook",
    seed: Annotated[int, Parameter(help="The luck: a number from 0.")] = 0,
    index: Annotated[
        Path | None,
        Parameter(
            help="Price file (CSV or Parquet, plain or .gz) for the first market instead of the scenario's prices. "
            "The run then lasts as long as the file; tick and lot size follow the level of its prices."
        ),
    ] = None,
    symbol: Annotated[str | None, Parameter(help="Symbol to pick from an --index file that holds several.")] = None,
    sets: Sets = None,
    traders: Traders = None,
    out: Annotated[
        Path | None, Parameter(help="Folder to write to.", show_default=lambda _: "results/SCENARIO-RULES-SEED")
    ] = None,
    as_json: AsJson = False,
    check: Annotated[
        bool,
        Parameter(
            negative=(),
            show_default=False,
            help="Check every law of the venue after every step (slow; for finding defects).",
        ),
    ] = False,
    journal: Annotated[
        bool,
        Parameter(
            negative=(),
            show_default=False,
            help="Store every posting and command too, so that delever audit can prove the run.",
        ),
    ] = False,
    report: Annotated[
        bool, Parameter(show_default=False, help="Draw the figures and write report.html (the default).")
    ] = True,
    force: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Write over another run in the folder.")
    ] = False,
    profile: Annotated[
        bool,
        Parameter(
            negative=(),
            show_default=False,
            help="Say where the time went: by phase of a step and by cohort; with --json as one more key.",
        ),
    ] = False,
) -> None:
    """Run one scenario under one rule set.

    Writes manifest.json, summary.json, Parquet tables, figures and report.html into a folder. The same run may be made
    again into its folder; another run is only written over with --force. Ctrl-C stops it after the step; what was
    recorded until then is kept and usable.

    For example:

        delever run flash-shock
        delever run black-thursday --rules hyperliquid --traders 20000
        delever run calm --rules textbook,margin.leverage_max=1 --json
        delever run flash-shock --index prices_1m.csv.gz --symbol BTCUSDT --set record_every_s=30
    """
    from .single import run_one

    run_one(
        scenario, rules=rules, seed=seed, index=index, symbol=symbol, sets=sets or [], traders=traders, out=out,
        as_json=as_json, check=check, journal=journal, report=report, force=force, profile=profile,
    )  # fmt: skip


@app.command
def compare(
    scenario: ScenarioName,
    /,
    *,
    rules: RulesList,
    seeds: Annotated[int, Parameter(help="How many seeds; each rule set runs with each of them.")] = 8,
    first_seed: Annotated[int, Parameter(help="The first seed; the others follow.")] = 0,
    jobs: Annotated[int, Parameter(help="Runs at the same time, each in a process of its own.")] = 1,
    index: Annotated[Path | None, Parameter(help="Price file for the first market, as for run.")] = None,
    symbol: Annotated[str | None, Parameter(help="Symbol to pick from an --index file that holds several.")] = None,
    sets: Sets = None,
    traders: Traders = None,
    out: Annotated[
        Path | None, Parameter(help="Folder to write to.", show_default=lambda _: "results/SCENARIO-compare")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare rule sets under the same luck, paired by seed.

    Writes runs.parquet (one row per rule set and seed: seed, digest, every measure), comparison.json and
    figures/comparison.png. Each run is stored as soon as it is finished: after Ctrl-C, or with more seeds, the same
    command goes on where it stopped. The result does not depend on --jobs.

    For example:

        delever compare black-thursday --rules hyperliquid --rules binance-usdm --seeds 16 --jobs 2
        delever compare flash-shock --rules textbook --rules textbook,liquidation.act=false --seeds 8
        delever compare flash-shock --rules textbook --rules textbook,margin.leverage_max=5 --set traders=2000
    """
    from .several import compare_many

    compare_many(
        scenario, rules=rules, seeds=seeds, first_seed=first_seed, jobs=jobs, index=index, symbol=symbol,
        sets=sets or [], traders=traders, out=out, as_json=as_json,
    )  # fmt: skip


@app.command
def allocate(
    *,
    accounts: Annotated[Path, Parameter(help="Table of accounts, CSV or Parquet; columns as below.")],
    budget: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="Profit to be taken, in the money of the table; with --by-coin also a file with columns coin, budget.",
        ),
    ],
    rule: Annotated[
        list[str] | None,
        Parameter(
            negative=(),
            help="Rule by name, or a Python file with one of your own; as often as you like. Left out: every rule.",
        ),
    ] = None,
    by_coin: Annotated[
        bool,
        Parameter(
            negative=(),
            show_default=False,
            help="The table has a column coin: each coin's budget is taken from its own holders. One amount is shared "
            "out over the coins by the value of their positions.",
        ),
    ] = False,
    columns: Annotated[
        list[str] | None,
        Parameter(name="--column", negative=(), help="Column by another name: --column closed_pnl=profit."),
    ] = None,
    seed: Annotated[int, Parameter(help="The luck of queue_random_start.")] = 0,
    out: Annotated[
        Path | None, Parameter(help="Folder to write to.", show_default=lambda _: "results/FILE-allocate")
    ] = None,
    as_json: Annotated[
        bool,
        Parameter(name="--json", negative=(), show_default=False, help="Print exactly one JSON list on stdout."),
    ] = False,
) -> None:
    """Deleverage a table of accounts by any rule, without a simulation: who loses how much.

    Columns: user_id, closed_pnl (its positive part can be taken), account_value_realtime (equity), leverage_realtime
    (clipped to 0-40), pnl_percent, adl_notional; also used if there: side, maintenance, balance, contracts, coin.
    Queues take all of the best score first, ties by user_id; pro rata takes in proportion to a weight, at most each
    account's profit, and what is left again from the others. Writes allocation.csv, policies.csv and allocation.png.

    For example:

        delever allocate --accounts accounts.csv --budget 15e6
        delever allocate --accounts accounts.csv --budget 15e6 --rule prorata_pnl --rule my_adl_rule.py --json
    """
    from .allocating import allocate_accounts

    allocate_accounts(
        accounts, budget, rules=rule or [], by_coin=by_coin, columns=columns or [], seed=seed, out=out, as_json=as_json
    )


@app.command
def audit(folder: Annotated[Path, Parameter(help="Folder of a run made with --journal.")]) -> int:
    """Prove a stored run: replay its journal and compare it with all balances and positions.

    A second book-keeping, which shares no code with the engine, replays every row. If something does not follow, it
    says which row breaks what, and the exit code is 1.

    For example:

        delever run flash-shock --journal --out results/proof
        delever audit results/proof
    """
    from .audit import print_audit

    return 0 if print_audit(folder) else EXIT_FOUND


@app.command
def report(folder: Annotated[Path, Parameter(help="Folder of a run, finished or interrupted.")]) -> None:
    """Make figures and report.html of a stored run again.

    For example:

        delever report results/black-thursday
    """
    from .folder import RunFolder
    from .report import write_report

    RunFolder(folder)
    print(f"Report: {write_report(folder)}")


@app.command
def verify(
    paths: Annotated[list[Path], Parameter(help="Files of cases, or folders with such files.")],
    /,
    *,
    as_json: AsJson = False,
    verbose: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Also name the cases that came out as published.")
    ] = False,
) -> int:
    """Play published worked examples on the engine and compare what comes out.

    Each case describes an account, a book or a fund at a venue and what the venue says happens. It is built under the
    venue's rules, the engine acts, and the result is compared within the case's tolerance. Prints each failure with
    what was expected and what came out, each unsupported case with what is missing, and the counts; the exit code is 1
    if a case failed. docs/verify.md says what a file of cases looks like.

    For example:

        delever verify tests/cases
        delever verify tests/cases/bybit.json --verbose
    """
    from .verify.command import verify as play

    return 0 if play(paths, as_json=as_json, verbose=verbose) else EXIT_FOUND


@app.command
def match(
    file: Annotated[Path, Parameter(help="CSV file of order messages, plain or .gz.")],
    /,
    *,
    matching: Annotated[
        str,
        Parameter(
            help="fifo, pro_rata, top_pro_rata, split or batch, or a rule set; changes after commas: "
            "split,fifo_ppm=300000 or batch,interval_s=5."
        ),
    ] = "fifo",
    tick: Annotated[float | None, Parameter(help="Step of prices.", show_default=lambda _: "found out")] = None,
    lot: Annotated[float | None, Parameter(help="Step of quantities.", show_default=lambda _: "found out")] = None,
    out: Annotated[Path | None, Parameter(help="Folder.", show_default=lambda _: "results/match-FILE")] = None,
    parquet: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Write Parquet files instead of CSV files.")
    ] = False,
    skip_bad: Annotated[
        bool, Parameter(negative=(), show_default=False, help="Leave out lines that cannot be understood.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play a stream of order messages through the order book.

    Columns time, type, id, side, price, quantity (docs/match.md says what each type needs), or a message file of
    LOBSTER: six columns without a header. Writes trades and depth, the book that is left. What the book cannot do, such
    as a cancellation of an order that is not there, is counted.

    For example:

        delever match docs/examples/messages.csv --out results/matched
        delever match docs/examples/messages.csv --matching top_pro_rata --json
    """
    from .match import match_file

    match_file(
        file, matching=matching, tick=tick, lot=lot, out=out, parquet=parquet, skip_bad=skip_bad, as_json=as_json
    )


@app.command
def study(
    name: Annotated[str | None, Parameter(help="Name of a study; left out: says what each asks.")] = None,
    /,
    *,
    sets: Annotated[
        list[str] | None,
        Parameter(
            name="--set",
            negative=(),
            help="Change one value in all of its runs, as for run; several values after commas are all tried, and "
            "several --set in every combination: traders=100,200 or rules.insurance.initial_quote=50000,100000.",
        ),
    ] = None,
    seeds: Annotated[
        int | None, Parameter(help="How many seeds, from 0.", show_default=lambda _: "what the study needs")
    ] = None,
    jobs: Annotated[int, Parameter(help="Runs at the same time, each in a process of its own.")] = 1,
    out: Annotated[
        Path | None, Parameter(help="Folder to write to.", show_default=lambda _: "results/study-NAME")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question by runs that differ in one thing, with the same luck.

    Without a name it says which studies there are and what each asks. Writes a figure, runs.parquet (a row per run) and
    study.json (what --json prints: rows with median, 5th and 95th percentile and paired difference of every measure,
    and what was claimed). Each run is stored as soon as it is finished: the same command goes on where it stopped.

    For example:

        delever study two-funds --jobs 2
        delever study disposal-speed --seeds 20 --jobs 2
        delever study tfg --set max_leverage=1,3,5,10 --seeds 4 --jobs 2
        delever study disposal-speed --seeds 8 --set rules.insurance.initial_quote=20000,100000 --json
    """
    from .studying import run_study

    run_study(name, sets=sets or [], seeds=seeds, jobs=jobs, out=out, as_json=as_json)


@app.command
def validate(
    scenario: Annotated[
        str | None,
        Parameter(help="Built-in scenario or a TOML file; left out: only the file of --against is judged."),
    ] = None,
    /,
    *,
    against: Annotated[
        Path | None,
        Parameter(
            help="A market of your own beside it: a file of one-minute candles or of trades, or a folder with trades "
            "and quotes (docs/realism.md says which columns)."
        ),
    ] = None,
    symbol: Annotated[str | None, Parameter(help="Symbol to pick from a file that holds several.")] = None,
    volume_in: VolumeIn = "coins",
    rules: Rules = "textbook",
    sets: Sets = None,
    traders: Traders = None,
    seeds: Annotated[int, Parameter(help="How many seeds; numbers are medians over them.")] = 1,
    first_seed: Annotated[int, Parameter(name="--seed", help="The first of them.")] = 0,
    jobs: Annotated[int, Parameter(help="Runs at the same time, each in a process of its own.")] = 1,
    out: Annotated[
        Path | None, Parameter(help="Folder to write to.", show_default=lambda _: "results/validate-SCENARIO")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge how real a market looks: twenty facts, each beside what real markets have.

    Writes a picture for each fact, one of all, and scorecard.json (what --json prints). A fact that cannot be told from
    what there is (order flow from candles) does not pass and is said. Each run is stored as soon as it is finished: the
    same command goes on where it stopped.

    For example:

        delever validate calm --seeds 4 --jobs 2
        delever validate --against BTCUSDT-1m-2025-02.csv.gz
    """
    from .validating import validate_market

    validate_market(
        scenario, rules=rules, against=against, symbol=symbol, volume_in=volume_in, sets=sets or [], traders=traders,
        seeds=seeds, first_seed=first_seed, jobs=jobs, out=out, as_json=as_json,
    )  # fmt: skip


@app.command
def calibrate(
    scenario: Annotated[str, Parameter(help="Built-in scenario or a TOML file.")],
    /,
    *,
    free: Annotated[
        list[str] | None,
        Parameter(
            help="A parameter that may change, KEY=LOW..HIGH or KEY=LOW..HIGH:log, keys as for --set; once for each. "
            "Between whole numbers it stays whole."
        ),
    ] = None,
    rows: Annotated[
        str | None, Parameter(help="Rows of the scorecard that count, e.g. 1,4,6.", show_default=lambda _: "all")
    ] = None,
    against: Annotated[
        Path | None,
        Parameter(help="Market to come near, a file as for delever validate; none: what passes in real markets."),
    ] = None,
    symbol: Annotated[str | None, Parameter(help="Symbol to pick from a file that holds several.")] = None,
    volume_in: VolumeIn = "coins",
    rules: Rules = "textbook",
    sets: Sets = None,
    traders: Traders = None,
    seeds: Annotated[int, Parameter(help="Seeds of each trial, the same for all.")] = 2,
    first_seed: Annotated[int, Parameter(name="--seed", help="The first of them.")] = 0,
    generations: Annotated[int, Parameter(help="Generations of trials after the first.")] = 10,
    population: Annotated[int, Parameter(help="Trials of a generation, at least 5.")] = 16,
    jobs: Annotated[int, Parameter(help="Runs at the same time, each in a process of its own.")] = 1,
    out: Annotated[
        Path | None, Parameter(help="Folder to write to.", show_default=lambda _: "results/calibrate-SCENARIO")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change parameters of a scenario until it looks like a market: the method of simulated moments.

    The moments are the numbers of delever validate; what is made small is their mean squared distance to those of a
    file, or to what passes. Writes calibrated.toml (the scenario), calibration.json (what --json prints) and
    trials.csv. Each run is stored as soon as it is finished: the same command goes on where it stopped.

    For example:

        delever calibrate calm --free cohorts.maker.half_spread_ppm=20..200:log --rows 14,16 --jobs 2
        delever calibrate mine.toml --free cohorts.noise.share=0.05..0.5 --against BTCUSDT-1m-2025-02.csv.gz
    """
    from .calibrating import calibrate_scenario

    calibrate_scenario(
        scenario, free=free or [], rows=rows, against=against, symbol=symbol, volume_in=volume_in, rules=rules,
        sets=sets or [], traders=traders, seeds=seeds, first_seed=first_seed, generations=generations,
        population=population, jobs=jobs, out=out, as_json=as_json,
    )  # fmt: skip


@app.command
def warmup() -> None:
    """Compile all kernels now, so that no later command waits for it.

    The first command of a new version compiles what it needs; this compiles what a crash under any preset needs, says
    where the compiled kernels are kept, and removes those of other versions that nobody has used for a week. They are
    kept in DELEVER_CACHE_DIR if it is set, else in delever below XDG_CACHE_HOME or ~/.cache, else in the folder for
    temporary files.

    For example:

        delever warmup
        DELEVER_CACHE_DIR=/scratch/kernels delever warmup
    """
    from .warmup import warm_up

    warm_up()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; errors of users become one message on stderr."""

    def command() -> object:
        try:
            return app(
                arguments, exit_on_error=False, print_error=False, help_on_error=False, result_action="return_value"
            )
        except CycloptsError as error:
            raise UserError(f"{error}".strip()) from None

    return guarded(command)
