"""Speculators who switch: when they act, which way, how much, and that they conform."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.conformance import check_cohort, sample_views
from delever.agents.switching import Switching, SwitchingParameters
from delever.engine.commands import C_ACCOUNT, C_FLAGS, C_KIND, C_LOTS, C_PRICE_TICKS, C_SIDE, FLAG_IOC, Kind
from delever.engine.tables import M_BEST_ASK, M_BEST_BID
from tests.unit.board import MARK, Board, Ints, everybody, make

HORIZON = {"horizon_min_s": 160.0, "horizon_max_s": 160.0, "calm_ppm": 100.0}
"""Sixteen moves of 10 seconds, each usually 316 ppm; a usual move over the whole is 1,265 ppm, 20 ticks."""
EAGER = HORIZON | {"attention_calm": 1.0}


def moved(ticks: int) -> Ints:
    """Return a history in which the mark stood `ticks` lower 150 steps ago."""
    history = np.full((300, 1), MARK, dtype=np.int64)
    history[:150] = MARK - ticks
    return history


@pytest.mark.parametrize("swing_ticks", [0, 5, 10, 20])
def test_attention_grows_with_realised_variance(swing_ticks: int) -> None:
    """A mark that swings by 5 ticks of 62.5 ppm every 10 seconds has about the usual variance, and goes nowhere."""
    history = np.full((321, 1), MARK, dtype=np.int64)
    history[::-1][10::20] += swing_ticks
    cohort = make(Switching, 5_000, attention_calm=0.1, attention_gain=0.2, **HORIZON)
    orders = cohort.decide(Board(5_000).view(321, history), everybody(cohort))
    assert (orders[:, C_KIND] == Kind.LIMIT).all() and (orders[:, C_FLAGS] == FLAG_IOC).all()
    share = 0.1 + 0.2 * (swing_ticks * 1e6 / MARK) ** 2 / (10 * 100.0**2)
    assert len(orders) / 5_000 == pytest.approx(min(share, 1.0), abs=0.02)


@pytest.mark.parametrize(("ticks", "weight"), [(20, 0.0), (20, 0.5), (20, 1.0)])
def test_a_move_that_kept_its_direction_may_count_for_more_than_its_parts(ticks: int, weight: float) -> None:
    """Of a rise in one of sixteen parts, and one that came in all of them, only the parts differ."""
    jump, climb = moved(ticks), moved(0)
    climb[-161:, 0] = MARK - ticks + ticks * np.arange(161) // 160
    shares = []
    for history in (jump, climb):
        cohort = make(Switching, 5_000, attention_calm=0.0, attention_gain=0.3, trend_share=weight, **HORIZON)
        shares.append(len(cohort.decide(Board(5_000).view(300, history), everybody(cohort))) / 5_000)
    whole = 0.3 * (ticks * 1e6 / MARK) ** 2 / (160 * 100.0**2)
    assert shares[0] == pytest.approx(whole, abs=0.02), "all of it in one part"
    assert shares[1] == pytest.approx(whole * (weight + (1 - weight) / 16), abs=0.02)


@pytest.mark.parametrize(("ticks", "buys"), [(0, 0.5), (20, 0.854), (-20, 0.146), (60, 0.974)])
def test_the_larger_the_move_the_surer_it_is_followed(ticks: int, buys: float) -> None:
    """(1 + x / sqrt(1 + x^2)) / 2 of a move of x usual ones."""
    cohort = make(Switching, 5_000, chartist_share=1.0, **EAGER)
    orders = cohort.decide(Board(5_000).view(300, moved(ticks)), everybody(cohort))
    assert (orders[:, C_SIDE] == 1).mean() == pytest.approx(buys, abs=0.02)


@pytest.mark.parametrize("gap_ticks", [0, 160, 320])
def test_the_further_the_price_is_from_its_worth_the_fewer_follow_a_move(gap_ticks: int) -> None:
    """At 1 % half of them still do, at 2 % a fifth; the others bet against the distance."""
    cohort = make(Switching, 5_000, chartist_share=0.8, misalignment_ppm=10_000, **EAGER)
    board = Board(5_000)
    board.price(MARK, index=MARK - gap_ticks)
    orders = cohort.decide(board.view(300, moved(60)), everybody(cohort))
    gap, move = gap_ticks / (MARK - gap_ticks) * 100, 3.0
    follow = 0.8 / (1 + gap**2)
    expected = follow * surely(move) + (1 - follow) * surely(-gap)
    assert (orders[:, C_SIDE] == 1).mean() == pytest.approx(expected, abs=0.03)


def surely(wanted: float) -> float:
    """Return how many of those who want so much of a rise buy."""
    return float(0.5 + 0.5 * wanted / np.sqrt(1 + wanted**2))


def test_an_order_reaches_no_further_than_it_may() -> None:
    board = Board(2_000)
    cohort = make(Switching, 2_000, reach_ppm=1_000.0, **EAGER)
    orders = cohort.decide(board.view(300, moved(60)), everybody(cohort))
    row = board.tables.markets[0]
    best = np.where(orders[:, C_SIDE] > 0, row[M_BEST_ASK], row[M_BEST_BID])
    assert len(orders) and (orders[:, C_PRICE_TICKS] == best + orders[:, C_SIDE] * (best // 1_000)).all()


def test_sizes_follow_a_power_law_within_the_largest_position() -> None:
    cohort = make(Switching, 5_000, order_share=0.001, order_tail=1.5, order_max=1_000.0, leverage=3.0, **EAGER)
    orders = cohort.decide(Board(5_000).view(300, moved(64)), everybody(cohort))
    assert (orders[:, C_LOTS] > 20).mean() == pytest.approx(3**-1.5, abs=0.03), "10 lots are the scale"
    eager = make(Switching, 100, order_share=1.0, leverage=0.5, **EAGER)
    board = Board(100, equity_lots=1_000)
    for trader in range(100):
        board.hold(trader, 490)
    orders = eager.decide(board.view(300, moved(64)), everybody(eager))
    bought = orders[orders[:, C_SIDE] == 1]
    assert len(bought) and (bought[:, C_LOTS] <= 10).all()


def test_a_called_trader_only_closes() -> None:
    board = Board(200)
    for trader in range(200):
        board.hold(trader, 100)
        board.call(trader)
    cohort = make(Switching, 200, order_share=0.5, **EAGER)
    orders = cohort.decide(board.view(300, moved(64)), everybody(cohort))
    assert len(orders) and (orders[:, C_SIDE] == -1).all()
    assert orders[:, C_LOTS].max() == 100, "not beyond nothing"


def test_horizons_are_spread_evenly_over_the_logarithm() -> None:
    cohort = make(Switching, 20_000, horizon_min_s=10.0, horizon_max_s=100_000.0)
    assert isinstance(cohort, Switching)
    for power in (2, 3, 4):
        assert (cohort.horizon_s < 10**power).mean() == pytest.approx((power - 1) / 4, abs=0.02)
    with pytest.raises(ValueError, match="horizon_min_s must not be above"):
        SwitchingParameters(horizon_min_s=10, horizon_max_s=5)


def test_it_conforms_and_acts() -> None:
    cohort = make(Switching, 60, first_row=3)
    check_cohort(cohort)
    said = [cohort.decide(view, everybody(cohort)) for view in sample_views(cohort)]
    assert sum(len(commands) for commands in said) > 0
    assert all(commands[:, C_ACCOUNT].min(initial=3) >= 3 for commands in said)
