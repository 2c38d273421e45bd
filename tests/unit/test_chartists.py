"""Chartists and fundamentalists: what each choice does on hand-made views, and alone to a market, with its twin."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.trend import Trend, TrendParameters
from delever.agents.value import Value
from delever.engine.commands import C_ACCOUNT, C_LOTS, C_SIDE
from tests.unit.board import MARK, Board, Ints, everybody, make
from tests.watched import DT_S, MAKERS, NOISE, Seen, change, world

SEEDS = range(1, 5)
HORIZON_S = 60
# Makers who follow the book alone: without others the price drifts away from what the contract is worth.
DRIFTING = [MAKERS | {"index_share": 0.0}, NOISE]
WANDERING = 'kind = "gbm"\nstart_price = 10000\nvolatility = 0.8'
FUNDAMENTALISTS = {"kind": "value", "count": 20}
CHARTISTS = {
    "kind": "trend", "count": 60, "mean_interval_s": 15, "horizons_s": [HORIZON_S], "threshold_min": 0.5,
    "threshold_max": 1.5,
}  # fmt: skip


def risen(ticks: int, steps: int) -> Ints:
    """Return a history of 500 steps in which the mark stood `ticks` lower until `steps` ago."""
    history = np.full((500, 1), MARK, dtype=np.int64)
    history[: 499 - steps] = MARK - ticks
    return history


def test_a_contrarian_is_the_opposite_of_a_follower() -> None:
    view = Board(200).view(500, risen(400, 50))
    numbers = {"horizons_s": (100.0,), "threshold_max": 1.0}
    followers, contrarians = (
        cohort.decide(view, everybody(cohort))
        for cohort in (make(Trend, 200, style=style, **numbers) for style in ("follow", "contrarian"))
    )
    assert len(followers) == len(contrarians) == 200
    assert (followers[:, C_SIDE] == 1).all() and (contrarians[:, C_SIDE] == -1).all()
    assert (followers[:, [C_ACCOUNT, C_LOTS]] == contrarians[:, [C_ACCOUNT, C_LOTS]]).all()


def test_a_contrarian_closes_when_the_move_has_come_back() -> None:
    board = Board(2)
    board.hold(0, -3_000)
    cohort = make(Trend, 2, style="contrarian", horizons_s=(100.0,))
    assert cohort.decide(board.view(500), everybody(cohort))[:, [C_ACCOUNT, C_SIDE]].tolist() == [[0, 1]]


def test_horizons_may_be_a_list() -> None:
    cohort = make(Trend, 9_000, horizons_s=(3_600.0, 60.0, 600.0))
    assert isinstance(cohort, Trend)
    horizons, counts = np.unique(cohort.horizon_s, return_counts=True)
    assert horizons.tolist() == [60.0, 600.0, 3_600.0]
    assert counts == pytest.approx(3_000, rel=0.06)
    for wrong in ((0.0, 60.0), (60.0, 1e10)):
        with pytest.raises(ValueError, match="every horizon must be above 0"):
            TrendParameters(horizons_s=wrong)


@pytest.mark.parametrize(("cubic_share", "share"), [(0.0, 0.5), (1.0, 0.125), (0.5, 0.3125)])
def test_cubic_demand_leaves_small_mispricings_alone(cubic_share: float, share: float) -> None:
    """Half of the distance at which a position is full: a half, or an eighth, or between, of it."""
    numbers = {"belief_sd_ppm": 0, "noise_sd_ppm": 0, "full_ppm": 20_000, "threshold_ppm": 0, "leverage": 1.0}
    board = Board()
    cohort = make(Value, 1, cubic_share=cubic_share, horizon_s=1.0, **numbers)
    lots = []
    for index in (MARK + 160, MARK + 800):
        board.price(MARK, index=index)
        lots.append(int(cohort.decide(board.view(), everybody(cohort))[0, C_LOTS]))
    assert lots[0] / lots[1] == pytest.approx(share, abs=0.001)


def test_they_conform() -> None:
    check_cohort(make(Trend, 60, first_row=3, style="contrarian", horizons_s=(60.0, 600.0)))
    check_cohort(make(Value, 60, first_row=3, cubic_share=1.0))


def mispricing(market: Seen) -> float:
    """Return the logarithm of the variance of mark over index."""
    return float(np.log(np.var(market.mark_ticks / market.index_ticks)))


@pytest.mark.parametrize("cubic_share", [0.0, 1.0])
def test_fundamentalists_reduce_the_variance_of_mispricing(cubic_share: float) -> None:
    demand = FUNDAMENTALISTS | {"cubic_share": cubic_share}
    less = change(world([*DRIFTING, demand], WANDERING), world(DRIFTING, WANDERING), SEEDS, mispricing)
    assert less.high < np.log(1 / 2), "to less than half"


def test_cubic_demand_leaves_more_mispricing_than_linear() -> None:
    cubic, linear = (world([*DRIFTING, FUNDAMENTALISTS | {"cubic_share": share}], WANDERING) for share in (1.0, 0.0))
    assert change(cubic, linear, SEEDS, mispricing).low > 0.0


def persistence(market: Seen) -> float:
    """Return the correlation of a return over the chartists' horizon with the one after it."""
    returns = np.diff(np.log(market.mark_ticks[:: HORIZON_S // DT_S]))
    return float(np.corrcoef(returns[:-1], returns[1:])[0, 1])


def test_followers_make_returns_persist_and_contrarians_make_them_reverse() -> None:
    alone = world(DRIFTING)
    follow, contrarian = (world([*DRIFTING, CHARTISTS | {"style": style}]) for style in ("follow", "contrarian"))
    assert change(follow, alone, SEEDS, persistence).low > 0.0
    assert change(contrarian, alone, SEEDS, persistence).high < 0.0


@pytest.mark.parametrize("horizon_s", [HORIZON_S, 5 * HORIZON_S])
def test_followers_of_several_horizons_make_returns_persist_over_each(horizon_s: int) -> None:
    """Paired twin: nobody follows. Chiarella, Iori and Perello (2009) let horizons differ; here half have each."""

    def over(market: Seen) -> float:
        moves = np.log(market.mark_ticks)[horizon_s // DT_S :] - np.log(market.mark_ticks)[: -horizon_s // DT_S]
        return float(np.corrcoef(moves[: -horizon_s // DT_S], moves[horizon_s // DT_S :])[0, 1])

    both = [*DRIFTING, CHARTISTS | {"horizons_s": [HORIZON_S, 5 * HORIZON_S]}]
    assert change(world(both, duration_s=7_200), world(DRIFTING, duration_s=7_200), SEEDS, over).low > 0.0


SPECULATORS = {
    "kind": "switching", "count": 60, "mean_interval_s": 15, "horizon_min_s": 60, "horizon_max_s": 600,
    "attention_calm": 0.3, "chartist_share": 0.9,
}  # fmt: skip


def test_who_switches_when_the_price_has_gone_too_far_brings_it_back() -> None:
    """Paired twin: chartists of whom none switches, however far it goes. Franke and Westerhoff (2012)."""
    switch, never = (world([*DRIFTING, SPECULATORS | {"misalignment_ppm": ppm}]) for ppm in (3_000, 1e6))
    assert change(switch, never, SEEDS, mispricing).high < np.log(1 / 10), "a tenth of the variance, and less"
