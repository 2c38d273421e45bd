"""Large orders worked over time: the course of each style, children, ends, and what it does to the signs of orders."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.cohort import Cohort
from delever.agents.conformance import check_cohort
from delever.agents.execution import Execution, ExecutionParameters, course
from delever.engine.commands import C_ACCOUNT, C_FLAGS, C_KIND, C_LOTS, C_PRICE_TICKS, C_SIDE, FLAG_IOC, Kind
from delever.engine.rules.presets import PRESETS
from delever.engine.tables import M_BEST_ASK, M_BEST_BID, M_VOLUME_LOTS
from delever.experiments.metrics.returns import autocorrelation
from delever.experiments.paired import Difference, paired_difference
from delever.experiments.realism.watching import watch
from delever.sim.scenario import from_toml
from tests.unit.board import Board, everybody, make
from tests.watched import MAKERS, NOISE, between, steps, world

SEEDS = (1, 2, 3)
BUSY = NOISE | {"market_share": 0.5}
QUARTERS = (255, 511, 767, 1023)


def working(board: Board, traders: int = 1, **numbers: object) -> Cohort:
    """Return a cohort of which everybody has just begun a large order at step 100."""
    cohort = make(Execution, traders, idle_s=1.0, mean_interval_s=2.0, **numbers)
    assert not len(cohort.decide(board.view(100), everybody(cohort))), "an order is not begun with a child"
    assert (cohort.columns["task"]["side"] != 0).all()
    return cohort


@pytest.mark.parametrize(
    ("numbers", "done"),
    [
        ({"style": "twap"}, (0.25, 0.5, 0.75, 1.0)),
        ({"style": "vwap", "volume_profile": (3.0, 1.0, 1.0, 3.0)}, (0.375, 0.5, 0.625, 1.0)),
        # 1 - sinh(2 (1 - t)) / sinh(2), Almgren and Chriss.
        ({"style": "almgren_chriss", "urgency": 2.0}, (0.41292, 0.67597, 0.85632, 1.0)),
    ],
)
def test_each_style_has_its_course(numbers: dict[str, object], done: tuple[float, ...]) -> None:
    found = course(ExecutionParameters(**numbers))[list(QUARTERS)]
    assert found == pytest.approx(done, abs=1e-5)


def test_half_way_through_its_time_half_of_an_order_is_due_at_the_best_price() -> None:
    board = Board(200)
    cohort = working(board, 200)
    task = cohort.columns["task"]
    task["steps"] = 100
    orders = cohort.decide(board.view(150), everybody(cohort))
    row = board.tables.markets[0]
    assert (orders[:, C_KIND] == Kind.LIMIT).all() and (orders[:, C_FLAGS] == FLAG_IOC).all()
    assert (orders[:, C_SIDE] == task["side"]).all()
    assert (orders[:, C_LOTS] == (task["lots"] * (513 / 1024)).astype(int)).all()
    best = np.where(task["side"] > 0, row[M_BEST_ASK], row[M_BEST_BID])
    assert (orders[:, C_PRICE_TICKS] == best).all()


def test_participation_is_a_share_of_what_was_traded_since() -> None:
    board = Board()
    cohort = working(board, style="participation", participation=0.1)
    cohort.columns["task"]["lots"] = 1_000
    board.tables.markets[0, M_VOLUME_LOTS] += 400
    orders = cohort.decide(board.view(101), everybody(cohort))
    assert orders[:, C_LOTS].tolist() == [40]


@pytest.mark.parametrize(("traded", "step"), [(50, 110), (30, 301)], ids=["done", "out of time"])
def test_an_order_ends_when_it_is_done_or_has_taken_twice_its_time(traded: int, step: int) -> None:
    board = Board()
    cohort = working(board)
    task = cohort.columns["task"]
    task["lots"], task["steps"] = 50, 100
    side = int(task["side"][0])
    board.hold(0, side * traded)
    assert not len(cohort.decide(board.view(step), everybody(cohort)))
    assert task["side"][0] == 0
    last = ("last_side", "last_lots", "last_begun_step", "last_ended_step", "finished")
    assert [int(task[name][0]) for name in last] == [side, traded, 100, step, 1]


def test_nobody_works_into_an_empty_side() -> None:
    board = Board(50)
    cohort = working(board, 50)
    board.price(16_000, index=16_000, bid=0, ask=0)
    assert not len(cohort.decide(board.view(101), everybody(cohort)))


def test_a_position_turns_the_next_order_back_and_bounds_its_size() -> None:
    board = Board(400, equity_lots=1_000)
    for trader in range(400):
        board.hold(trader, 990)
    cohort = make(Execution, 400, idle_s=1.0, mean_interval_s=2.0, leverage=1.0, child_share=0.9)
    cohort.decide(board.view(100), everybody(cohort))
    task = cohort.columns["task"]
    sells = task["side"] == -1
    assert sells.mean() > 0.9
    assert (task["lots"][sells] <= 2_000).all()


def test_it_conforms() -> None:
    check_cohort(make(Execution, 60, first_row=3, idle_s=1.0, mean_interval_s=2.0))
    busy = working(Board(60), 60)
    busy.columns["task"]["steps"] = 100
    commands = busy.decide(Board(60).view(150), everybody(busy))
    assert set(commands[:, C_ACCOUNT]) == set(range(60))


WORLD = """
name = "workers"
duration_s = 14400
warmup_s = 600
traders = 200
[[markets]]
symbol = "X"
tick_size = "1"
lot_size = "0.001"
[markets.path]
kind = "constant"
price = 10000
[[cohorts]]
kind = "maker"
count = 6
mean_interval_s = 5
[[cohorts]]
kind = "noise"
count = 100
"""

WORKERS = """
[[cohorts]]
kind = "execution"
count = 20
idle_s = 300
"""


def test_signs_of_market_orders_remember_large_orders_and_nothing_else() -> None:
    """Paired twin: the same luck without the cohort. Mean autocorrelation of lags 1 to 10."""

    def memory(text: str, seed: int) -> float:
        market = watch(from_toml(text, "world.toml"), PRESETS["textbook"], seed)
        assert market.orders is not None
        assert (market.impacts is not None) == (text != WORLD), "its orders are what impact is measured by"
        signs = market.orders["sign"].to_numpy(dtype=np.float64)
        return float(np.mean([autocorrelation(signs, lag) for lag in range(1, 11)]))

    with_workers, without = (np.array([memory(text, seed) for seed in SEEDS]) for text in (WORLD + WORKERS, WORLD))
    assert paired_difference(with_workers, without).low > 0.02
    assert np.abs(without).max() < 0.02


LARGE = {
    "kind": "execution", "count": 1, "mean_interval_s": 10, "wealth_law": "equal", "wealth_quote_median": 2_000_000,
    "idle_s": 1, "children_min": 720, "children_max": 720, "child_share": 0.0005, "reach_ticks": 2,
}  # fmt: skip
ORDER_S, QUIET_S = 7_200, 3_600


def moved_bp(seed: int, from_s: float, to_s: float, **style: object) -> float:
    """Return how far one order of two hours has moved the price its way, on average between two times.

    The first of the hours is quiet, in the second traders other than makers are five times as busy.
    """
    hours = "hours = [1, 5, " + ", ".join("1" * 22) + ']\nsteady = ["maker", "execution"]\n'
    text = world(
        [MAKERS | {"index_share": 0.5, "wealth_quote_median": 100_000}, BUSY, LARGE | style], duration_s=ORDER_S
    )
    side, marks = 0, []
    for model in steps(text.replace("[[markets]]", f"[activity]\n{hours}[[markets]]", 1), seed):
        side = side or int(model.cohorts[-1].columns["task"]["side"][0])
        marks.append(int(model.look().mark_ticks[0]))
    return side * (float(np.mean(marks[between(from_s, to_s)])) / 10_000 - 1.0) * 1e4


def more_moved(from_s: float, to_s: float, **style: object) -> Difference:
    """Return by how much more a style moves the price between two times than an even course does."""
    moved = [np.array([moved_bp(seed, from_s, to_s, **each) for seed in range(1, 5)]) for each in (style, {})]
    return paired_difference(*moved)


def test_an_order_that_hurries_moves_the_price_sooner() -> None:
    """Paired twin: evenly over time. Almgren and Chriss (2001): less risk for more impact at the beginning."""
    assert more_moved(0, 1_200, style="almgren_chriss", urgency=3.0).low > 0.0


@pytest.mark.parametrize(
    "style", [{"style": "vwap", "volume_profile": [1, 5]}, {"style": "participation", "participation": 0.05}], ids=str
)
def test_an_order_that_follows_volume_spares_the_price_in_quiet_hours(style: dict[str, object]) -> None:
    """Paired twin: evenly over time. Berkowitz, Logue and Noser (1988): impact is that of the share of volume."""
    assert more_moved(QUIET_S / 2, QUIET_S, **style).high < 0.0
