"""Traders with moods: what moves a mood, what a mood makes them do, and the boom that is not in the index."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.sentiment import Sentiment, SentimentParameters
from delever.engine.commands import C_AMOUNT, C_FLAGS, C_LOTS, C_SIDE, FLAG_REDUCE_ONLY, Kind
from delever.engine.rules.presets import PRESETS
from delever.engine.tables import V_LIQUIDATIONS
from delever.experiments.paired import paired_difference
from delever.sim.model import MarketModel
from delever.sim.scenario import apply_sets, load_scenario
from tests.unit.board import LOT, MARK, Board, Ints, everybody, make, of_kind

N = 2_000
AT_ONCE = {"memory_s": 1e-3, "horizon_min_s": 100.0, "horizon_max_s": 100.0, "herd_share": 0.0}


def moved(percent: float) -> Ints:
    """Return a history in which the mark stood so much lower 100 steps ago."""
    history = np.full((300, 1), MARK, dtype=np.int64)
    history[:200] = round(MARK / (1 + percent / 100))
    return history


def in_mood(mood: float, **numbers: float) -> Sentiment:
    """Return traders who brought 2,000 each, have looked before and are all in one mood, which stays."""
    cohort = make(Sentiment, N, **({"memory_s": 1e9, "wealth_law": "equal"} | numbers))
    assert isinstance(cohort, Sentiment)
    cohort.columns["memory"]["mood"], cohort.columns["memory"]["seen_s"] = mood, 250
    return cohort


@pytest.mark.parametrize(("percent", "mood"), [(0.0, 0.3), (5.0, 0.6), (-4.0, 0.06), (20.0, 1.0), (-20.0, 0.0)])
def test_mood_goes_where_the_return_over_the_horizon_takes_it(percent: float, mood: float) -> None:
    cohort = in_mood(0.3, rise_gain=0.06, **AT_ONCE)
    cohort.decide(Board(N).view(300, moved(percent)), everybody(cohort))
    assert cohort.columns["memory"]["mood"] == pytest.approx(mood, abs=2e-3)


@pytest.mark.parametrize(("others", "mood"), [(0.9, 0.3 + 0.4 * 0.7), (0.05, 0.3 - 0.4 * 0.3), (0.4, 0.3)])
def test_a_crowd_pulls_by_its_opinion(others: float, mood: float) -> None:
    cohort = in_mood(others, **(AT_ONCE | {"herd_share": 0.4}))
    cohort.decide(Board(N).view(300, moved(0.0)), everybody(cohort)[:5])
    assert cohort.columns["memory"]["mood"][:5] == pytest.approx(mood)


@pytest.mark.parametrize(
    ("mood", "opens", "longs"), [(0.3, 0.1, 0.6), (1.0, 1 / 3, 1.0), (0.15, 0.05, 0.3), (0.0, 0.0, 0)]
)
def test_the_higher_the_mood_the_more_open_and_the_more_of_them_long(mood: float, opens: float, longs: float) -> None:
    cohort = in_mood(mood, open_share=0.1, long_share=0.6)
    orders = of_kind(cohort.decide(Board(N).view(300), everybody(cohort)), Kind.MARKET)
    assert len(orders) / N == pytest.approx(opens, abs=0.025)
    if opens:
        assert (orders[:, C_SIDE] == 1).mean() == pytest.approx(longs, abs=0.12)


@pytest.mark.parametrize(("mood", "leverage"), [(0.3, 2.0), (0.65, 5.0), (1.0, 8.0), (0.1, 2.0)])
def test_euphoria_borrows_more_and_fear_sells_down(mood: float, leverage: float) -> None:
    """Equity 1,000 lots, long 3,500: it goes all the way to what the mood wants."""
    numbers = {"adjust_share": 1.0, "close_share": 0.0, "spend_share": 0.0, "order_quote_max": 1e9}
    cohort, board = in_mood(mood, leverage_calm=2.0, leverage_euphoric=8.0, **numbers), Board(N, equity_lots=1_000)
    for trader in range(N):
        board.hold(trader, 3_500)
    orders = of_kind(cohort.decide(board.view(300), everybody(cohort)), Kind.MARKET)
    gap = int(leverage * 1_000) - 3_500
    assert len(orders) == N
    assert (orders[:, C_SIDE] == np.sign(gap)).all() and orders[:, C_LOTS] == pytest.approx(abs(gap), abs=1)


def test_gains_are_taken_out_in_euphoria_only() -> None:
    for mood, share in ((0.3, 0.0), (0.65, 0.15), (1.0, 0.3)):
        cohort = in_mood(mood, spend_share=0.3, wealth_quote_median=8_000.0)
        takes = of_kind(cohort.decide(Board(N, equity_lots=1_500).view(300), everybody(cohort)), Kind.WITHDRAW)
        assert len(takes) == (N if share else 0)
        assert takes[:, C_AMOUNT] == pytest.approx(share * 500 * LOT, rel=1e-6), "of 1,500 lots it brought 1,000"


def test_who_lost_too_much_closes_stays_away_and_comes_back_with_new_money() -> None:
    cohort = in_mood(0.3, loss_min=0.5, loss_max=0.5, away_s=1_000.0, return_ratio=0.5)
    board = Board(N, equity_lots=1_000)
    cohort.decide(board.view(300), everybody(cohort))
    for trader in range(N):
        board.hold(trader, 2_000, entry=MARK + 4_400)
    closes = cohort.decide(board.view(400), everybody(cohort))
    assert len(of_kind(closes, Kind.MARKET)) == len(closes) == N
    assert (closes[:, C_LOTS] == 2_000).all() and (closes[:, C_FLAGS] & FLAG_REDUCE_ONLY).all()
    for trader in range(N):
        board.hold(trader, 0)
    away = cohort.columns["memory"]["away_until_s"] > 1_400
    back = cohort.decide(board.view(1_400), everybody(cohort))
    assert away.mean() == pytest.approx(np.exp(-1.0), abs=0.03)
    brings = of_kind(back, Kind.DEPOSIT)
    assert len(brings) == len(back) == (~away).sum()
    assert (brings[:, C_AMOUNT] == 1_000 * 1_000_000).all(), "half of 2,000 quote"


def test_it_conforms() -> None:
    check_cohort(make(Sentiment, 60, first_row=3))
    check_cohort(make(Sentiment, 60, first_row=3, rise_gain=1.0, memory_s=1.0, loss_min=0.01, loss_max=0.02))


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="leverage_calm must not be above leverage_euphoric"):
        SentimentParameters(leverage_calm=10, leverage_euphoric=5)


COARSE = ("traders=500", "dt_s=600", "duration_s=777600", "rules.mark.window_s=7200")
OFF = ("cohorts.sentiment.rise_gain=0", "cohorts.sentiment.herd_share=0")


class Boom(NamedTuple):
    """A run of fomo-cycle: what the price does beyond the index, and what traders do before and after its peak."""

    overshoot: float
    """Highest mark over highest index, less 1."""
    rise: float
    """Of leverage in use, in the two days before the peak, ..."""
    fall: float
    """... and from there to the end."""
    liquidations: float
    leverage: float
    """In use at the peak."""
    equity: float
    """Of all traders at the peak, in atoms."""
    holders: float
    """Share of traders with a position at the end."""


@cache
def boom(seed: int, *sets: str) -> Boom:
    """Make a run of fomo-cycle in coarse steps."""
    scenario, rules = apply_sets(load_scenario("fomo-cycle"), PRESETS["textbook"], [*COARSE, *sets])
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False)
    cohort = next(each for each in model.cohorts if each.name == "sentiment")
    marks, leverage, equities, highest = [], [], [], 0
    while model.running:
        model.step()
        view = model.look()
        equity = view.equity_atoms(cohort.rows).sum()
        marks.append(int(view.mark_ticks[0]))
        equities.append(float(equity))
        leverage.append(float(view.value_atoms(cohort.rows).sum() / max(equity, 1)))
        highest = max(highest, int(view.index_ticks[0]))
    liquidations = float(model.venue.tables.venue[V_LIQUIDATIONS])
    holders = float((view.lots(cohort.rows, 0) != 0).mean())
    model.close()
    peak, day = int(np.argmax(marks)), 86_400 // 600
    rise = leverage[peak] - leverage[max(peak - 2 * day, 0)]
    fall = leverage[peak] - leverage[-1]
    return Boom(max(marks) / highest - 1, rise, fall, liquidations, leverage[peak], equities[peak], holders)


def test_moods_make_a_boom_and_a_crash_that_the_index_does_not_have() -> None:
    """Paired twins with the same luck and no moods: overshoot, leverage before and after the peak, liquidations."""
    seeds = (1, 2, 3, 4, 5)
    moody, calm = (Boom(*np.transpose([boom(seed, *sets) for seed in seeds])) for sets in ((), OFF))
    assert paired_difference(moody.overshoot, calm.overshoot).low > 0
    assert moody.rise.min() > 0, "leverage rises in the two days before the peak"
    assert paired_difference(moody.fall, calm.fall).low > 0, "and falls after it, by more than without moods"
    assert moody.liquidations.sum() > calm.liquidations.sum() == 0, "and people are liquidated"


@pytest.mark.parametrize(
    ("off", "measure", "sign"),
    [
        pytest.param("rise_gain=0", "overshoot", 1, id="fear of missing out lifts the price above what it is worth"),
        pytest.param("leverage_euphoric=2", "leverage", 1, id="euphoria borrows"),
        pytest.param("spend_share=0", "equity", -1, id="euphoria takes collateral out"),
        pytest.param("loss_min=1", "holders", -1, id="who lost too much is away"),
    ],
)
def test_each_part_of_a_mood_does_what_it_is_named_for(off: str, measure: str, sign: int) -> None:
    """Paired twins with the same luck and one part switched off."""
    twin = [f"cohorts.sentiment.{off}"]
    whole, without = (np.array([getattr(boom(seed, *sets), measure) for seed in range(1, 5)]) for sets in ((), twin))
    change = paired_difference(whole, without)
    assert min(sign * change.low, sign * change.high) > 0, f"{change}"
