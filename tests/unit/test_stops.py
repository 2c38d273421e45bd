"""Users of stop-losses: where stops and targets lie, how they trail, and what they do to a fall."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from delever.agents.cohort import Cohort
from delever.agents.conformance import check_cohort
from delever.agents.stops import Stops, StopsParameters
from delever.engine.commands import C_ACCOUNT, C_KIND, C_LOTS, C_SIDE, C_TRIGGER_TICKS, Kind
from delever.experiments.paired import paired_difference
from tests.twins import change as difference
from tests.twins import crash
from tests.unit.board import MARK, Board, Ints, everybody, make, of_kind
from tests.watched import MAKERS, NOISE, SHOCK_AT_S, Seen, between, change, falling, see, world

SEEDS = range(1, 5)
RANGE_TICKS = 40
BARS = {"bar_s": 10.0, "bars": 5}


def swinging(mark: int = MARK) -> Ints:
    """Return marks that move over 40 ticks in every ten seconds, up to the mark now."""
    return (mark - 20 * np.abs(np.arange(100) % 4 - 2)[::-1] + 0).astype(np.int64)[:, np.newaxis]


def opening(traders: int = 1, **numbers: object) -> Cohort:
    return make(Stops, traders, **({"open_share": 1.0, "close_share": 0.0, "trailing_share": 0.0} | BARS | numbers))


def test_a_bracket_lies_around_the_mark_by_range_and_ratio() -> None:
    cohort = opening(400, distance_min=3.0, distance_max=3.0, target_share=1.0, reward_min=2.0, reward_max=2.0)
    commands = cohort.decide(Board(400).view(100, swinging()), everybody(cohort))
    entries, stops = of_kind(commands, Kind.MARKET), of_kind(commands, Kind.STOP)
    targets = of_kind(commands, Kind.TAKE_PROFIT)
    assert len(entries) == len(stops) == len(targets) == 400
    side = entries[:, C_SIDE]
    assert side.sum() == pytest.approx(0, abs=60), "the side is chance"
    assert (stops[:, C_SIDE] == -side).all() and (targets[:, C_SIDE] == -side).all()
    assert (stops[:, C_TRIGGER_TICKS] == MARK - side * 3 * RANGE_TICKS).all()
    assert (targets[:, C_TRIGGER_TICKS] == MARK + side * 6 * RANGE_TICKS).all()
    assert (stops[:, C_LOTS] == entries[:, C_LOTS]).all()


def test_who_sets_what_and_how_far_is_a_matter_of_the_trader() -> None:
    cohort = opening(4_000, stop_share=0.7, target_share=0.4, distance_min=1.0, distance_max=5.0)
    commands = cohort.decide(Board(4_000).view(100, swinging()), everybody(cohort))
    stops = of_kind(commands, Kind.STOP)
    assert len(stops) == pytest.approx(2_800, rel=0.05)
    assert len(of_kind(commands, Kind.TAKE_PROFIT)) == pytest.approx(1_600, rel=0.05)
    distance = np.abs(stops[:, C_TRIGGER_TICKS] - MARK) / RANGE_TICKS
    assert (distance.min(), np.median(distance), distance.max()) == pytest.approx((1.0, 3.0, 5.0), abs=0.15)


def test_no_stop_is_nearer_than_its_floor_and_nobody_opens_without_a_bar() -> None:
    flat = np.full((100, 1), MARK)
    cohort = opening(distance_floor_ppm=5_000.0)
    assert not len(cohort.decide(Board().view(100, flat), everybody(cohort))), "no range: nothing to go by"
    barely = flat.copy()
    barely[-1] += 1
    stop = of_kind(cohort.decide(Board().view(100, barely), everybody(cohort)), Kind.STOP)
    assert np.abs(stop[:, C_TRIGGER_TICKS] - MARK).tolist() == [80]
    assert not len(opening().decide(Board().view(9, flat[:9]), np.arange(1)))


@pytest.mark.parametrize("side", [1, -1])
def test_a_trailing_stop_follows_the_mark_one_way(side: int) -> None:
    cohort = opening(trailing_share=1.0, trail_step=0.5, target_share=0.0, long_share=0.5 + 0.5 * side)
    board = Board()
    first = of_kind(cohort.decide(board.view(100, swinging()), everybody(cohort)), Kind.STOP)[0, C_TRIGGER_TICKS]
    distance = abs(first - MARK)
    board.hold(0, side * 100)
    board.orders(0, asks=1)
    seen = []
    for move in (distance // 4, distance, distance // 2):
        board.price(MARK + side * move, index=MARK)
        commands = cohort.decide(board.view(), everybody(cohort))
        seen.append(commands[:, C_KIND].tolist())
        if move == distance:
            assert commands[1, [C_SIDE, C_LOTS, C_TRIGGER_TICKS]].tolist() == [-side, 100, first + side * distance]
    assert seen == [[], [Kind.CANCEL_ALL, Kind.STOP], []], "not by little, then up, never back"


def test_what_is_left_of_a_bracket_is_cancelled_and_a_bare_position_protected() -> None:
    board = Board(3)
    cohort = opening(3, target_share=1.0)
    cohort.decide(board.view(100, swinging()), everybody(cohort))
    cohort.parameters = StopsParameters(open_share=0.0, close_share=0.0)
    board.orders(0, asks=5)
    board.hold(1, 50)
    board.hold(2, 50)
    board.orders(2, asks=5)
    commands = cohort.decide(board.view(), everybody(cohort))
    kinds = [commands[commands[:, C_ACCOUNT] == trader][:, C_KIND].tolist() for trader in range(3)]
    assert kinds == [[Kind.CANCEL_ALL], [Kind.STOP, Kind.TAKE_PROFIT], []]


def test_it_conforms() -> None:
    check_cohort(make(Stops, 60, first_row=3))
    check_cohort(opening(60, trailing_share=1.0))
    with pytest.raises(ValueError, match="reward_min must not be above reward_max"):
        StopsParameters(reward_min=4.0)


DEEP = [
    MAKERS | {"index_share": 1.0, "skew_ppm": 0, "wealth_quote_median": 3_000_000},
    NOISE | {"count": 30},
]
WANDERING = 'kind = "gbm"\nstart_price = 10000\nvolatility = 1.5'


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_targets_are_reached_as_often_as_a_random_walk_reaches_them(ratio: float) -> None:
    """1 / (1 + ratio): small positions in a deep market without drift; over 4 seeds, with some 700 positions each."""
    traders = {
        "kind": "stops", "count": 40, "mean_interval_s": 10, "open_share": 1.0, "close_share": 0.0,
        "trailing_share": 0.0, "target_share": 1.0, "reward_min": ratio, "reward_max": ratio, "leverage": 0.02,
        "distance_min": 2.0, "distance_max": 3.0,
    }  # fmt: skip
    text = world([*DEEP, traders], WANDERING)
    shares = np.array([targets_reached(see(text, seed)) for seed in SEEDS])
    excess = paired_difference(shares, np.full(len(shares), 1.0 / (1.0 + ratio)))
    assert excess.low < 0.0 < excess.high
    assert excess.high - excess.low < 0.15, "the interval says something"


def targets_reached(market: Seen) -> float:
    """Return which share of all positions were closed at their target.

    A trader decides by the mark at the end of one step and trades in the next, and so does the venue about triggers.
    """
    gains = []
    for held in market.lots["stops"].T:
        for first, last in pairwise(np.flatnonzero(np.diff(held)) + 1):
            if held[first - 1] == 0 and held[last] == 0:
                gains.append(held[first] * (market.mark_ticks[last - 1] - market.mark_ticks[first - 1]) > 0)
    return float(np.mean(gains))


LONGS = {
    "kind": "stops", "count": 120, "wealth_law": "equal", "long_share": 1.0, "target_share": 0.0,
    "trailing_share": 0.0, "close_share": 0.0,
}  # fmt: skip


def test_stops_deepen_a_fall() -> None:
    """Twin: the same longs with the same luck, but nobody sets stops. The index falls by 3 % in a minute."""
    deeper = change(falling([LONGS]), falling([LONGS | {"stop_share": 0.0}]), SEEDS, Seen.discount_bp)
    assert deeper.high < 0.0


def sold_share(market: Seen) -> float:
    """Return which share of what its users held when the index fell was sold later."""
    held = market.lots["stops"].sum(axis=1)[between(SHOCK_AT_S)]
    return float(1.0 - held.min() / held[0])


def test_stops_that_trail_sell_when_a_rise_is_lost_again() -> None:
    """Twin: stops that stay where they were set. The index rises by 3 % in ten minutes, later falls by 2 % in one."""
    far = LONGS | {"distance_min": 6.0, "distance_max": 10.0}
    trailing, fixed = (falling([far | {"trailing_share": share}], size=-0.02, rise=0.03) for share in (1.0, 0.0))
    for measure, sign in ((sold_share, 1), (Seen.discount_bp, -1)):
        found = change(trailing, fixed, range(1, 7), measure)
        assert min(sign * found.low, sign * found.high) > 0.0


def log_turnover(market: Seen) -> float:
    """Return the logarithm of what users of stops traded."""
    return float(np.log(np.abs(np.diff(market.lots["stops"], axis=0)).sum()))


def test_stops_at_a_multiple_of_the_range_outlast_the_noise_of_a_wild_market() -> None:
    """Twin: stops at 0.25 %, which in a market of a quarter of this volatility are hit no more often (Wilder 1978)."""
    wild = WANDERING.replace("1.5", "2.0")
    users = LONGS | {"count": 60, "long_share": 0.5, "open_share": 0.3}
    ranged = {"distance_min": 3.0, "distance_max": 3.0, "distance_floor_ppm": 0.0}
    fixed = {"distance_min": 1e-3, "distance_max": 1e-3, "distance_floor_ppm": 2_500.0}
    by_range, by_price = (world([*DEEP, users | distance], wild, duration_s=1_800) for distance in (ranged, fixed))
    assert change(by_range, by_price, SEEDS, log_turnover).high < 0.0


def test_targets_of_brackets_hold_a_rise_back() -> None:
    """Twin: the same longs without targets. The index rises by 3 % in a minute, and who reached a target sells."""
    users = LONGS | {"stop_share": 0.0}
    taking, holding = (falling([users | {"target_share": share}], size=0.03) for share in (1.0, 0.0))
    assert change(taking, holding, SEEDS, Seen.discount_bp).high < 0.0


def test_stops_at_a_share_of_the_margin_spare_accounts_their_liquidation() -> None:
    """Twin: retail that sets none. Such a stop is nearer than the price of liquidation."""
    nobody_tops_up = "cohorts.retail.top_up_share=0"
    stopped, twin = crash(nobody_tops_up, "cohorts.retail.stop_share=1"), crash(nobody_tops_up)
    assert difference("liquidations", stopped, twin, seeds=4).high < -10
