"""Funds that target a volatility and desks with a value at risk: their positions, and what they do to a fall."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.proprietary import Proprietary, ProprietaryParameters
from delever.agents.volatility import YEAR_S
from delever.agents.volatility_target import VolatilityTarget, VolatilityTargetParameters
from delever.engine.commands import C_ACCOUNT, C_FLAGS, C_LOTS, C_SIDE, FLAG_REDUCE_ONLY
from tests.unit.board import Board, everybody, make
from tests.unit.test_volatility import zigzag
from tests.watched import SHOCK_AT_S, Seen, between, change, falling

SEEDS = range(1, 5)
ROOT_YEAR = np.sqrt(YEAR_S)
EQUITY_LOTS = 10_000
# A zigzag of 16 ticks moves by 0.1 % every second.
MOVING = 1e-3 * ROOT_YEAR
STILL_S = {"horizon_min_s": 32.0, "horizon_max_s": 32.0}


@pytest.mark.parametrize(("target", "multiple"), [(0.5, 0.5), (1.0, 1.0), (9.0, 3.0)])
def test_a_fund_holds_target_over_realised_volatility_within_its_cap(target: float, multiple: float) -> None:
    numbers = {"target_min": target * MOVING, "target_max": target * MOVING, "leverage_max": 3.0}
    cohort = make(VolatilityTarget, 3, **numbers, **STILL_S)
    orders = cohort.decide(Board(3, equity_lots=EQUITY_LOTS).view(100, zigzag(100, 16)[::-1]), everybody(cohort))
    assert (orders[:, C_SIDE] == 1).all()
    assert orders[:, C_LOTS] == pytest.approx(multiple * EQUITY_LOTS, rel=0.005)


def test_a_fund_sells_what_is_too_much_by_its_speed_and_leaves_little_alone() -> None:
    board = Board(3, equity_lots=EQUITY_LOTS)
    for trader, held in enumerate((20_000, 10_500, 9_200)):
        board.hold(trader, held)
    numbers = {"target_min": MOVING, "target_max": MOVING, "band_share": 0.1}
    view = board.view(100, zigzag(100, 16)[::-1])
    for speed in (1.0, 0.25):
        cohort = make(VolatilityTarget, 3, speed=speed, **numbers, **STILL_S)
        orders = cohort.decide(view, everybody(cohort))
        assert orders[:, [C_ACCOUNT, C_SIDE]].tolist() == [[0, -1]]
        assert orders[0, C_LOTS] == pytest.approx(speed * 10_000, rel=0.02)


def test_a_fund_waits_until_it_has_seen_its_horizon() -> None:
    cohort = make(VolatilityTarget, 200, horizon_min_s=50.0, horizon_max_s=200.0)
    orders = cohort.decide(Board(200).view(100, zigzag(100, 16)), everybody(cohort))
    assert len(orders) == pytest.approx(100, abs=20), "half of the horizons are shorter than what has passed"


def test_a_desk_may_lose_its_budget_on_a_bad_day_and_no_more() -> None:
    """0.1 % a second over 100 seconds is 1 % a day; 2.33 of that with a budget of 2 % is a position of 0.858."""
    numbers = {
        "budget_share": 0.02, "risk_horizon_s": 100.0, "sample_min_s": 1.0, "sample_max_s": 1.0, "use_min": 1.0,
        "long_share": 1.0, "build_share": 1.0,
    }  # fmt: skip
    board = Board(3, equity_lots=EQUITY_LOTS)
    board.hold(1, 12_000)
    board.hold(2, -12_000)
    view = board.view(100, zigzag(100, 16))
    orders = make(Proprietary, 3, **numbers).decide(view, np.arange(3))
    limit = 0.02 / (2.33 * 0.01) * EQUITY_LOTS
    assert orders[np.argsort(orders[:, C_ACCOUNT]), C_SIDE].tolist() == [1, -1, 1]
    for trader, lots in enumerate((limit, 12_000 - limit, 12_000 - limit)):
        assert orders[orders[:, C_ACCOUNT] == trader, C_LOTS] == pytest.approx(lots, rel=0.005)
    assert (orders[orders[:, C_ACCOUNT] > 0, C_FLAGS] == FLAG_REDUCE_ONLY).all()
    # With a constant limit of 3 % a day the same desks look away.
    constant = {"limit": "constant", "volatility_usual": 0.003 * ROOT_YEAR, "leverage_max": 5.0}
    bound = 0.02 / (2.33 * 0.03) * EQUITY_LOTS
    orders = make(Proprietary, 1, **(numbers | constant)).decide(view, np.arange(1))
    assert orders[:, C_LOTS] == pytest.approx(bound, rel=0.005)


def test_views_are_long_as_often_as_said_and_last() -> None:
    cohort = make(Proprietary, 4_000, long_share=0.7, mean_interval_s=60.0, view_s=600.0)
    view = Board(4_000).view()
    cohort.decide(view, everybody(cohort))
    first = cohort.columns["view"].copy()
    assert (first == 1).mean() == pytest.approx(0.7, abs=0.03)
    cohort.wakings += 1
    cohort.decide(view, everybody(cohort))
    # A tenth takes a new view at a waking, of which 42 % are the other one.
    assert (cohort.columns["view"] != first).mean() == pytest.approx(0.042, abs=0.012)


@pytest.mark.parametrize("kind", [VolatilityTarget, Proprietary])
def test_they_conform(kind: type[VolatilityTarget] | type[Proprietary]) -> None:
    check_cohort(make(kind, 60, first_row=3))


def test_ranges_must_rise() -> None:
    with pytest.raises(ValueError, match="horizon_min_s must not be above horizon_max_s"):
        VolatilityTargetParameters(horizon_min_s=1e6)
    with pytest.raises(ValueError, match="use_min must not be above use_max"):
        ProprietaryParameters(use_min=0.9, use_max=0.5)


FUNDS = {
    "kind": "volatility_target", "count": 10, "mean_interval_s": 20, "wealth_quote_median": 60_000,
    "wealth_law": "equal", "horizon_min_s": 600, "horizon_max_s": 900, "target_min": 0.5, "target_max": 1.0,
}  # fmt: skip
DESKS = {
    "kind": "proprietary", "count": 10, "mean_interval_s": 20, "wealth_quote_median": 150_000, "long_share": 1.0,
    "build_share": 0.02,
}  # fmt: skip


@pytest.mark.parametrize("calm", [{"band_share": 1.0}, {"speed": 0.02}], ids=["never sells", "adjusts slowly"])
def test_funds_that_adjust_deepen_a_fall(calm: dict[str, float]) -> None:
    """Twins: funds that keep what they have built, and funds that go a fiftieth of the way each time."""
    assert change(falling([FUNDS]), falling([FUNDS | calm]), SEEDS, Seen.discount_bp).high < 0.0


def sold_share(market: Seen) -> float:
    """Return which share of what the desks held when the index fell they sold later."""
    held = market.lots["proprietary"].sum(axis=1)[between(SHOCK_AT_S)]
    return float(1.0 - held.min() / held[0])


def test_desks_are_cut_into_a_shock_by_their_limit() -> None:
    """Twin: the limit takes volatility to be what it usually is."""
    limited, unlimited = falling([DESKS]), falling([DESKS | {"limit": "constant"}])
    assert change(limited, unlimited, SEEDS, sold_share).low > 0.4
    assert change(limited, unlimited, SEEDS, Seen.discount_bp).high < 0.0
