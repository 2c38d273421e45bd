"""Ten October: what the public record counts, by hand; the world in small; what is given is what is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from delever.agents.portfolio import Portfolio
from delever.engine.events import E_ACCOUNT, E_AMOUNT_ATOMS, E_CODE, E_KIND, E_OTHER, Code, Event
from delever.engine.rules.presets import PRESETS
from delever.experiments.metrics.deleveraging import (
    Closed,
    adl_ratio,
    backstop_share,
    entries,
    first_adl_delay_s,
    half_of_fills_s,
    largest_share,
    profitable_share,
)
from delever.experiments.studies import ten_october
from delever.experiments.studies.ten_october import REAL_ADL_S, REAL_FORCED_S, REAL_SHARES, TARGETS, Watcher
from delever.experiments.studying import run_study
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import Scenario, load_scenario
from tests.tree import ROOT
from tests.unit.board import QUOTE

FILE = ROOT.parent / "shared" / "data" / "hl_adl_2025-10-10" / "liq_adl_timeline.csv"
here = pytest.mark.skipif(not FILE.is_file(), reason="the data are not here")


def closed(*rows: tuple[Any, ...]) -> Closed:
    """Return a record from rows (time_s, is_adl, notional, coin, by_backstop, profit)."""
    time_s, is_adl, notional, coin, by_backstop, profit = (np.array(column) for column in zip(*rows, strict=True))
    return Closed(
        time_s.astype(np.float64), is_adl, notional.astype(np.float64), coin, by_backstop, profit, np.arange(len(rows))
    )


NONE = float("nan")
RECORD = closed(
    (10, False, 100, 0, False, NONE),
    (40, False, 50, 1, False, NONE),
    (70, True, 60, 0, True, 5.0),
    (70, True, 30, 1, True, -1.0),
    (90, True, 10, 2, False, 2.0),
    (95, False, 20, 0, True, NONE),
)


def test_a_fill_stands_twice_in_the_record_and_a_deleveraged_pair_once() -> None:
    assert entries(RECORD).tolist() == [2, 2, 1, 1, 1, 2]
    assert adl_ratio(RECORD) == pytest.approx(100 / (2 * 170 + 100))
    assert first_adl_delay_s(RECORD) == 60.0


def test_half_of_the_fills_is_counted_by_entries() -> None:
    """Nine entries: 2, 4, 5, 6 ...; the fifth is made at 70, 60 s after the first."""
    assert half_of_fills_s(RECORD) == 60.0
    assert half_of_fills_s(closed((0, False, 1, 0, False, NONE), (9, True, 1, 0, False, 1.0))) == 0.0


def test_shares_are_of_the_largest_groups() -> None:
    adl = np.array(RECORD.is_adl)
    values, coins, times = RECORD.notional[adl], RECORD.coin[adl], RECORD.time_s[adl]
    assert largest_share(coins, values, 1) == 0.6 and largest_share(coins, values, 2) == 0.9
    assert largest_share(times, values, 1) == 0.9 and largest_share(times, values, 10) == 1.0
    assert np.isnan(largest_share(coins, values * 0.0, 1))


def test_profit_and_vault_are_of_what_is_known() -> None:
    assert profitable_share(RECORD) == pytest.approx(2 / 3)
    assert backstop_share(RECORD) == 0.9
    calm = closed((0, False, 1, 0, False, NONE))
    assert all(np.isnan(number(calm)) for number in (profitable_share, backstop_share, first_adl_delay_s))
    assert adl_ratio(calm) == 0.0


def small() -> Scenario:
    """Return the first and the last three coins of the world and 300 traders; they build in four minutes."""
    world = load_scenario("ten-october")
    cohorts = []
    for cohort in world.cohorts:
        if cohort.kind == "portfolio":
            cohort = cohort.model_copy(update={"build_s": 240.0, "patience_s": 30.0, "mean_interval_s": 15.0})
        if cohort.kind == "hedger":
            cohort = cohort.model_copy(update={"until_s": 280.0})
        cohorts.append(cohort)
    markets = []
    for market in (*world.markets[:1], *world.markets[-3:]):
        crash = market.path.shocks[-1].model_copy(update={"at_s": 300.0, "length_s": 120.0})
        markets.append(market.model_copy(update={"path": market.path.model_copy(update={"shocks": (crash,)})}))
    return world.model_copy(
        update={"cohorts": tuple(cohorts), "markets": tuple(markets), "traders": 300, "duration_s": 600}
    )


def test_what_is_watched_is_what_is_recorded() -> None:
    """The watcher's sums are those of an independent record of the same run, and winners' profit is what they got."""
    world, rules = small(), PRESETS["hyperliquid"]
    found = ten_october.observe(world, rules, 1).summary
    told = simulate(world, rules, 1).summary
    assert told["conservation_error"] == 0
    assert told["adl_fills"] > 0 and found["interest"] > 0
    assert found["adl_interest"] * found["interest"] == pytest.approx(told["adl_notional"], rel=1e-9)
    assert found["forced_interest"] * found["interest"] == pytest.approx(told["liquidated_notional"], rel=0.02)
    assert 0 <= found["profitable"] <= 1 and found["first_adl_s"] >= 0


def test_a_winners_profit_is_what_the_ledger_posts() -> None:
    """Of each deleveraged pair: entry price and lots kept by the watcher give what the venue pays the counterparty."""
    model = MarketModel(small(), rules="hyperliquid", seed=1, collect=False, journal=True)
    watcher, told = Watcher(model), []
    model.listen(lambda rows: (told.append(rows.copy()), watcher.take(rows))[1])
    while model.running:
        model.step()
        watcher.after_step()
    model.close()
    events, paid = np.concatenate(told), []
    for place in np.flatnonzero(events[:, E_KIND] == Event.ADL).tolist():
        winner, paid_atoms = events[place, E_OTHER], 0
        for row in events[place + 1 :]:
            if row[E_KIND] != Event.POST:
                break
            if row[E_CODE] == Code.REALISED:
                paid_atoms += row[E_AMOUNT_ATOMS] * (int(row[E_OTHER] == winner) - int(row[E_ACCOUNT] == winner))
        paid.append(paid_atoms / QUOTE)
    found, _ = watcher.closed()
    assert len(paid) > 20
    assert found.profit[found.is_adl] == pytest.approx(np.array(paid), abs=1e-5)


def test_without_the_fall_nobody_is_deleveraged() -> None:
    """Paired by seed: with a hundredth of the fall next to nothing is closed by force, and nobody deleveraged."""
    world, rules = small(), PRESETS["hyperliquid"]
    soft = tuple(
        m.model_copy(update={"path": m.path.model_copy(update={"shocks": (gentle(m),)})}) for m in world.markets
    )
    for seed in (1, 2):
        fallen = ten_october.observe(world, rules, seed).summary
        quiet = ten_october.observe(world.model_copy(update={"markets": soft}), rules, seed).summary
        assert fallen["adl_interest"] > 0.0
        assert quiet["forced_interest"] < 0.1 * fallen["forced_interest"]
        assert quiet["adl_interest"] == 0.0 and np.isnan(quiet["backstop"])


def gentle(market: Any) -> Any:
    """Return the crash of a market at a hundredth of its size."""
    crash = market.path.shocks[-1]
    return crash.model_copy(update={"size": crash.size / 100})


def test_the_study_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_study(
        "ten-october", sets=["traders=100", "duration_s=2400", "dt_s=10"], seeds=1, jobs=1, out=tmp_path, as_json=True
    )
    told = json.loads(capsys.readouterr().out)
    assert [check["claim"] for check in told["checks"]] == [words for _, words, _, _ in TARGETS]
    assert (tmp_path / "ten-october.png").read_bytes().startswith(b"\x89PNG")


def test_a_claim_about_what_no_run_has_does_not_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without leverage nobody is deleveraged: told in words and, in JSON, as null."""
    sets = ["traders=20", "duration_s=2400", "dt_s=30", "rules.margin.leverage_max=1"]
    for as_json in (False, True):
        run_study("ten-october", sets=sets, seeds=1, jobs=1, out=tmp_path, as_json=as_json)
        told = capsys.readouterr().out
        if not as_json:
            assert "against the vault (real: 0.95): these runs do not tell it" in told
    assert {check["claim"]: (check["value"], check["holds"]) for check in json.loads(told)["checks"]}[
        TARGETS[-1][1]
    ] == (None, False)


def test_the_world_has_the_accounts_of_the_public_record() -> None:
    """E6: tail exponent 0.75 to 0.93, median leverage below 1; half of the positions of losers above 4.1 times."""
    model = MarketModel("ten-october", rules="hyperliquid", seed=1, collect=False, traders=20_000)
    cohorts = {cohort.name: cohort for cohort in model.cohorts if isinstance(cohort, Portfolio)}
    wealth = np.concatenate([cohort.deposit_atoms for cohort in cohorts.values()]).astype(np.float64)
    leverage = np.concatenate([cohort.leverage for cohort in cohorts.values()])
    highest = np.sort(wealth)[::-1][: len(wealth) // 40]
    assert 0.75 <= 1.0 / np.log(highest[:-1] / highest[-1]).mean() <= 0.93
    assert np.median(leverage) < 1.0
    longs = cohorts["longs"]
    order = np.argsort(longs.leverage)
    held = np.cumsum((longs.leverage * longs.deposit_atoms)[order])
    middle = longs.leverage[order][np.searchsorted(held, held[-1] / 2)]
    assert 2.5 < middle < 6.5
    model.close()


@here
def test_the_times_of_the_day_are_those_of_the_record() -> None:
    record = pd.read_csv(FILE)
    assert ((record["liquidations"] - record["adls"]) % 2 == 0).all(), "fills stand there twice"
    for column, times in (("liquidations", REAL_FORCED_S), ("adls", REAL_ADL_S)):
        made = record[column].cumsum() / record[column].sum()
        assert tuple(record["second"].to_numpy()[np.searchsorted(made, REAL_SHARES)]) == times
