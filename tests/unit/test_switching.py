"""Speculators who switch: when they act, which way, how much, and that they conform."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.conformance import check_cohort, sample_views
from delever.agents.switching import Switching, SwitchingParameters
from delever.engine.commands import C_ACCOUNT, C_KIND, C_LOTS, C_SIDE, Kind
from tests.unit.board import MARK, Board, Ints, everybody, make

HORIZON = {"horizon_min_s": 100.0, "horizon_max_s": 100.0, "calm_ppm": 100.0}
"""A usual move is 1,000 ppm, 16 ticks."""


def moved(ticks: int) -> Ints:
    """Return a history in which the mark stood `ticks` lower 100 steps ago."""
    history = np.full((300, 1), MARK, dtype=np.int64)
    history[:200] = MARK - ticks
    return history


@pytest.mark.parametrize(("ticks", "share"), [(0, 0.1), (16, 0.3), (-16, 0.3), (32, 0.9), (64, 1.0)])
def test_attention_grows_with_the_square_of_the_move(ticks: int, share: float) -> None:
    cohort = make(Switching, 5_000, attention_calm=0.1, attention_gain=0.2, **HORIZON)
    orders = cohort.decide(Board(5_000).view(300, moved(ticks)), everybody(cohort))
    assert (orders[:, C_KIND] == Kind.MARKET).all()
    assert len(orders) / 5_000 == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(("gap_ticks", "follow"), [(0, 0.8), (160, 0.4), (320, 0.16)])
def test_the_further_the_price_is_from_its_worth_the_fewer_follow_a_move(gap_ticks: int, follow: float) -> None:
    """At 1 % the share is half, at 2 % a fifth; who does not follow a rise above the index sells."""
    cohort = make(Switching, 5_000, chartist_share=0.8, misalignment_ppm=10_000, **HORIZON)
    board = Board(5_000)
    board.price(MARK, index=MARK - gap_ticks)
    orders = cohort.decide(board.view(300, moved(64)), everybody(cohort))
    buys = (orders[:, C_SIDE] == 1).mean()
    # Without a gap, those who do not follow have no side of their own: a coin decides.
    assert buys == pytest.approx(follow if gap_ticks else 0.8 + 0.1, abs=0.03)


def test_sizes_follow_a_power_law_within_the_largest_position() -> None:
    cohort = make(Switching, 5_000, order_share=0.001, order_tail=1.5, order_max=1_000.0, leverage=3.0, **HORIZON)
    orders = cohort.decide(Board(5_000).view(300, moved(64)), everybody(cohort))
    assert (orders[:, C_LOTS] > 20).mean() == pytest.approx(3**-1.5, abs=0.03), "10 lots are the scale"
    eager = make(Switching, 100, order_share=1.0, leverage=0.5, **HORIZON)
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
    cohort = make(Switching, 200, order_share=0.5, **HORIZON)
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
