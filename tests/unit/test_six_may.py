"""6 May 2010: the programme, makers who unload, beliefs with a mean, the measures of a fall, and the study in small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.maker import Maker
from delever.agents.programme import Programme
from delever.agents.value import Value
from delever.engine.commands import C_FLAGS, C_LOTS, C_SIDE, FLAG_REDUCE_ONLY, Kind
from delever.engine.tables import M_VOLUME_LOTS
from delever.experiments.errors import UserError
from delever.experiments.metrics.plunge import fall_after, first_plunge, further_fall, worst_minute
from delever.experiments.paired import paired_difference
from delever.experiments.studies import six_may
from delever.experiments.studies.six_may import DEFAULTS, GROUP, arm_of, claims, design, label, world
from delever.experiments.studying import run_study
from delever.sim.model import MarketModel
from delever.sim.scenario import load_scenario
from tests.unit.board import MARK, Board, everybody, make, of_kind

SMALL = ["traders=600", "dt_s=5"]


def worked(board: Board, programme: Programme, seconds: int, volume_per_s: int) -> list[int]:
    """Return the lots that all accounts send in each second of a market with that volume; each order is filled."""
    sent = []
    for second in range(1, seconds + 1):
        board.tables.markets[0, M_VOLUME_LOTS] = second * volume_per_s
        orders = of_kind(programme.decide(board.view(second), everybody(programme)), Kind.MARKET)
        assert (orders[:, C_SIDE] == -1).all()
        sent.append(int(orders[:, C_LOTS].sum()))
        for trader in range(programme.n):
            board.hold(trader, -int(programme.columns["due_lots"][trader]))
    return sent


def test_a_programme_sells_its_share_of_the_last_minute_until_it_is_done() -> None:
    """100 lots a second and 9 %: 9 a second by two accounts, from the second minute on, 450 lots in all."""
    board = Board(2, equity_lots=10_000)
    sent = worked(board, make(Programme, 2, start_s=70.0, order_lots=225, participation=0.09), 150, 100)
    assert sum(sent[:69]) == 0
    assert np.diff(np.cumsum(sent)[70:110:10]).tolist() == pytest.approx([90] * 3, abs=2)
    assert sum(sent) == 450
    assert not any(sent[125:])


def test_nothing_is_due_while_nothing_can_be_traded() -> None:
    board = Board(1)
    programme = make(Programme, 1, start_s=0.0, order_lots=10_000, participation=0.5)
    worked(board, programme, 100, 100)
    before = float(programme.columns["due_lots"][0])
    board.price(MARK, index=MARK, bid=0, ask=0)
    assert not len(programme.decide(board.view(110), everybody(programme)))
    assert programme.columns["due_lots"][0] == before > 0


def test_a_maker_unloads_what_is_above_its_share_of_the_limit_and_never_by_default() -> None:
    board = Board(1, equity_lots=1_000)
    numbers = {"inventory_leverage": 1.0, "unload_from": 0.5, "unload_to": 0.2}
    for held, lots in ((400, []), (600, [400]), (-600, [400])):
        board.hold(0, held)
        orders = of_kind(make(Maker, 1, **numbers).decide(board.view(), np.arange(1)), Kind.MARKET)
        assert orders[:, C_LOTS].tolist() == lots
        assert (orders[:, C_SIDE] == -np.sign(held)).all()
        assert (orders[:, C_FLAGS] == FLAG_REDUCE_ONLY).all()
    board.hold(0, 1_000)
    plain = make(Maker, 1, inventory_leverage=1.0).decide(board.view(), np.arange(1))
    assert not len(of_kind(plain, Kind.MARKET))


def test_buyers_believe_in_a_higher_price_than_sellers() -> None:
    board = Board(1)
    for mean_ppm, side in ((2_000.0, 1), (-2_000.0, -1)):
        trader = make(Value, 1, belief_mean_ppm=mean_ppm, belief_sd_ppm=0.0, noise_sd_ppm=0.0)
        orders = of_kind(trader.decide(board.view(), np.arange(1)), Kind.LIMIT)
        assert orders[:, C_SIDE].tolist() == [side]


def test_they_conform() -> None:
    check_cohort(make(Programme, 6, first_row=3, start_s=0.0, window_s=1.0))
    check_cohort(make(Maker, 6, first_row=3, unload_from=0.1, unload_to=0.0))


def test_a_fall_by_hand() -> None:
    """From 100 to 95 and back to 98 in three steps: 3 of 5 regained; a run that ends before that does not know."""
    prices = np.array([100.0, 100.0, 99.0, 95.0, 96.0, 97.0, 98.0])
    fall = fall_after(prices, 2, 2, 3)
    assert (fall.before, fall.trough, fall.depth, fall.regained) == (100.0, 3, 0.05, pytest.approx(0.6))
    assert np.isnan(fall_after(prices, 2, 2, 4).regained)
    held, traded = np.array([0.0, 0, 5, 8, 8, 8, 8]), np.array([0.0, 10, 20, 80, 90, 95, 99])
    worst = worst_minute(prices, held, traded, 2, 1)
    assert (worst.first, worst.change, worst.hot_potato) == (2, -0.04, 60 / 3)
    assert first_plunge(prices, 2, 0.03, 1) == 3
    assert first_plunge(prices, 2, 0.06, 1) is None
    assert further_fall(prices, 2, 3, 100.0) == 0.04
    assert np.isnan(further_fall(prices, None, 3, 100.0))


def test_the_worlds_of_the_study_differ_from_the_day_in_one_thing() -> None:
    arms = design()
    assert arms[0].name == label(DEFAULTS) == "the day"
    assert arms[0].scenario.accounts == load_scenario(GROUP).accounts
    assert len({arm.name for arm in arms}) == len(arms)
    assert all(sum(arm.given[key] != DEFAULTS[key] for key in DEFAULTS) <= 1 for arm in arms)
    assert arms[0].rules.halts.breaker is not None
    assert arm_of({"halt_s": 0.0}).rules.halts.breaker is None
    assert six_may.seller_of(arm_of({"contracts": 30_000.0}).scenario).order_lots == 1_000


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"participation": "two"}, "--set participation: a number from 0.001 to 0.9 is needed (got two)"),
        ({"participation": "1.5"}, "(got 1.5)"),
        ({"halt_s": "2.5"}, "in whole seconds is needed (got 2.5)"),
        ({"maker_limit": "0"}, "--set maker_limit: a number from 0.1 to 10"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_would_be_right(given: dict[str, str], words: str) -> None:
    with pytest.raises(UserError) as error:
        world(given)
    assert words in str(error.value)


def frame(falls: dict[str, list[float]], further: dict[str, list[float]] | None = None) -> pd.DataFrame:
    """Return runs with these falls and further falls; all else holds."""
    rows = []
    for name, values in falls.items():
        for seed, fall in enumerate(values):
            later = (further or {}).get(name, [0.01] * len(values))[seed]
            rows.append(
                {
                    "group": GROUP, "arm": name, "seed": seed, "fall": fall, "regained": 0.7, "makers_share": 0.03,
                    "hot_potato": 20.0, "further_fall": later,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_claims_count_what_was_run_and_nothing_else() -> None:
    day, free, calm, half = ("the day", "halt_s=0", "contracts=0", "maker_limit=0.5")
    nan = float("nan")
    falls = {day: [0.05] * 10, free: [0.06] * 10, calm: [0.01] * 9 + [0.03], half: [0.06] * 10}
    further = {day: [0.004] * 8 + [nan] * 2, free: [0.01] * 8 + [nan] * 2}
    found = {check.claim.partition(",")[0]: check for check in claims(frame(falls, further))}
    assert found["1. fall"].holds and found["2. regained 30 minutes after the trough"].holds
    halt = next(check for check in found.values() if check.claim.startswith("5."))
    assert (halt.value, halt.seeds_inside, halt.holds) == (0.8, 8, True)
    assert "8 plunge" in halt.claim
    assert not found["6. no fall of 2 % without the seller"].holds, "nine of ten are too few"
    assert found["6. deeper fall with half of the makers' limits"].value == pytest.approx(2.0**-10)
    assert [check.claim[:2] for check in claims(frame({calm: [0.01]}))] == ["6."]
    swept = claims(frame({"participation=0.03": [0.02] * 10, day: [0.05] * 10, "participation=0.2": [0.04] * 10}))
    assert [check.holds for check in swept[-2:]] == [True, False]


def test_the_study_in_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = [*SMALL, "duration_s=1500", "participation=0.09,0.2"]
    run_study(GROUP, sets=sets, seeds=1, jobs=1, out=tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [row["participation"] for row in told["rows"]] == [0.09, 0.2]
    assert [check["claim"][:2] for check in told["checks"][:4]] == ["1.", "2.", "3.", "4."]
    assert all(row["fall"] > 0.0 for row in told["rows"])
    assert (tmp_path / "six-may.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="did you mean"):
        run_study(GROUP, sets=["participaton=0.1"], seeds=1, jobs=1, out=tmp_path, as_json=True)


def mean_mark(seed: int, order_lots: int) -> float:
    """Return the mean price in the half hour after a programme begins, in ticks, in a calm market of 100 traders."""
    numbers = {"wealth_quote_median": 1e7, "start_s": 1_800.0, "participation": 0.3, "order_lots": order_lots}
    world = load_scenario("calm").replaced({"traders": 100, "duration_s": 3_600})
    model = MarketModel(world, seed=seed, cohorts=[(Programme, numbers)], collect=False)
    while model.running:
        model.step()
    marks = model.history.marks()[180:, 0]
    model.close()
    return float(marks.mean())


def test_a_programme_lowers_the_price() -> None:
    """Paired by seed: the same market with a programme of no lots."""
    lower = [mean_mark(seed, 0) - mean_mark(seed, 10**6) for seed in range(1, 7)]
    assert paired_difference(np.array(lower), np.zeros(6)).low > 0.0
