"""Views show what the tables say and reckon as the engine does; cohorts draw by key and size by margin."""

import subprocess
import sys

import mesa
import numpy as np
import pytest
from pydantic import ValidationError

from delever.agents.backstop import BackstopParameters
from delever.agents.cohort import Cohort, join
from delever.agents.draws import Stream
from delever.agents.maker import MakerParameters
from delever.agents.noise import Noise, NoiseParameters
from delever.agents.parameters import CohortParameters
from delever.agents.quantiles import exponential, menu, power_law, standard_normal
from delever.agents.retail import RetailParameters
from delever.agents.trend import TrendParameters
from delever.agents.value import ValueParameters
from delever.engine import margin
from delever.engine.commands import (
    C_ACCOUNT,
    C_AMOUNT,
    C_FLAGS,
    C_KIND,
    C_TRIGGER_TICKS,
    COMMAND_COLUMNS,
    FLAG_BY_MARK,
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    Kind,
)
from delever.engine.rules.margin import Margin, Tier
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import (
    FLAG_NOTICE,
    L_LOTS,
    NONE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_INITIAL_PPM,
    P_ISOLATED,
    P_LOTS,
    U_CREDITS_ATOMS,
    U_FLAGS,
    U_SINCE_STEP,
    V_POCKETS_AT,
)
from tests.unit.board import LOT, MARK, MULTIPLIER_ATOMS, QUOTE, Board, everybody, make

# The view.


def test_view_shows_the_market_at_the_end_of_the_step_before() -> None:
    board = Board()
    board.price(16_010, index=16_020, bid=16_005, ask=0)
    view = board.view(step=50)
    assert (view.step, view.time_s, view.symbols) == (50, 50, ("M0",))
    assert (view.mark_ticks[0], view.index_ticks[0]) == (16_010, 16_020)
    assert (view.bid_ticks[0], view.ask_ticks[0]) == (16_005, 0)
    assert view.mid_ticks[0] == 16_010, "without an ask the mark stands for the middle"
    assert (view.initial_ppm[0], view.maintenance_ppm[0]) == (50_000, 25_000)


def test_view_cannot_be_written() -> None:
    view = Board().view()
    public = (getattr(view, name) for name in dir(view) if not name.startswith("_"))
    columns = [value for value in public if isinstance(value, np.ndarray)]
    assert len(columns) >= 12
    assert not any(column.flags.writeable for column in columns)


def test_view_finds_old_marks() -> None:
    view = Board().view(step=5, history=np.array([[10], [11], [12], [13], [14]]))
    steps = np.array([0, 1, 4, 99])
    assert view.mark_before_ticks(steps, np.zeros(4, dtype=np.int64)).tolist() == [14, 13, 10, 10]
    assert Board().view(step=0).mark_before_ticks(np.array([3]), np.array([0])).tolist() == [MARK]


def test_view_counts_depth_from_the_best_price_inwards() -> None:
    board = Board()
    for tick, lots in ((MARK - 1, 5), (MARK - 3, 7), (MARK + 1, 2), (MARK + 4, 9)):
        board.tables.levels[0, tick, L_LOTS] = lots
    view = board.view()
    assert [view.depth_lots(0, 1, ticks) for ticks in (0, 1, 2)] == [5, 5, 12]
    assert [view.depth_lots(0, -1, ticks) for ticks in (0, 2, 3)] == [2, 2, 11]
    board.price(MARK, index=MARK, bid=0)
    assert board.view().depth_lots(0, 1, 10) == 0


def test_view_adds_up_what_an_account_has() -> None:
    board = Board(2, equity_lots=100)
    board.hold(1, -20, entry=MARK + 10)
    pocket = int(board.tables.venue[V_POCKETS_AT]) + 1
    board.tables.units[pocket, U_CREDITS_ATOMS] = 5 * LOT
    view, accounts = board.view(), np.array([0, 1])
    assert view.balance_atoms(accounts).tolist() == [100 * LOT, 105 * LOT]
    assert view.equity_atoms(accounts).tolist() == [100 * LOT, 105 * LOT + 20 * MULTIPLIER_ATOMS * 10]
    assert view.average_entry_ticks(accounts, 0).tolist() == [0, MARK + 10]
    assert view.value_atoms(accounts).tolist() == [0, 20 * LOT]
    assert view.maintenance_atoms(accounts).tolist() == [0, 20 * LOT * 25_000 // 10**6]


def test_view_says_who_is_called_and_who_is_distressed_in_any_unit() -> None:
    board = Board(4)
    board.call(1)
    pocket = int(board.tables.venue[V_POCKETS_AT])
    board.tables.units[pocket + 2, U_FLAGS] = FLAG_NOTICE
    board.tables.units[pocket + 3, U_SINCE_STEP] = 99
    view, accounts = board.view(), np.arange(4)
    assert view.called(accounts).tolist() == [False, True, True, False]
    assert view.distressed(accounts).tolist() == [False, False, False, True]


@pytest.mark.parametrize("leverage_max", [0, 1, 7])
def test_view_reckons_margin_as_the_engine_does(leverage_max: int) -> None:
    tiers = (
        Tier(floor_quote=0, initial_ppm=20_000, maintenance_ppm=10_000),
        Tier(floor_quote=3_000, initial_ppm=50_000, maintenance_ppm=25_000),
        Tier(floor_quote=9_000, initial_ppm=333_333, maintenance_ppm=166_667),
    )
    rules = RuleSet(margin=Margin(tiers=tiers, leverage_max=leverage_max))
    board = Board(60, rules=rules, markets=2, equity_lots=500)
    random = np.random.default_rng(3)
    rows = board.tables.positions[:120]
    rows[:, P_LOTS] = random.integers(-2_000, 2_000, 120)
    rows[:, P_COST_ATOMS] = rows[:, P_LOTS] * MULTIPLIER_ATOMS * random.integers(15_000, 17_000, 120)
    rows[:, P_BIDS_LOTS], rows[:, P_ASKS_LOTS] = random.integers(0, 900, (2, 120))
    rows[:, P_INITIAL_PPM] = random.choice([0, 0, 70_001], 120)
    rows[:, P_ISOLATED] = random.choice([0, 0, 1], 120)
    view, accounts = board.view(), np.arange(60)
    assert view.free_collateral_atoms(accounts).tolist() == [
        margin.free_collateral_atoms(board.tables, account, NONE, 0, 0, 0) for account in accounts
    ]
    assert view.maintenance_atoms(accounts).tolist() == [
        sum(
            margin.maintenance_atoms(board.tables, market, abs(view.lots(accounts, market)[account]), MARK)
            for market in (0, 1)
        )
        for account in accounts
    ]


# What all cohorts share.


def test_a_subset_of_wakers_draws_what_it_draws_among_all() -> None:
    cohort = make(Noise, 50)
    cohort.wakings[:] = np.arange(50) * 3
    all_draws, few = cohort.uniforms(Stream.CHOICE, everybody(cohort), 3), np.array([40, 2, 17])
    assert np.array_equal(cohort.uniforms(Stream.CHOICE, few, 3), all_draws[:, few])
    assert np.array_equal(cohort.uniform(Stream.CHOICE, few, draw=2), all_draws[2, few])
    assert len(np.unique(all_draws)) == 150
    before = cohort.normal(Stream.VALUE, few), cohort.exponential(Stream.SIZE, few)
    cohort.wakings[few] += 1
    assert not np.isin(before, (cohort.normal(Stream.VALUE, few), cohort.exponential(Stream.SIZE, few))).any()


def test_draws_follow_the_key_not_the_row_and_the_seed() -> None:
    here, elsewhere = make(Noise, 20), make(Noise, 20)
    elsewhere.rows = elsewhere.rows + 500
    wakers = everybody(here)
    assert np.array_equal(here.uniform(Stream.SIDE, wakers), elsewhere.uniform(Stream.SIDE, wakers))
    assert not np.array_equal(here.uniform(Stream.SIDE, wakers), make(Noise, 20, seed=8).uniform(Stream.SIDE, wakers))


@pytest.mark.parametrize(
    ("law", "tail", "share_above_double"),
    [("equal", 1.0, 0.0), ("lognormal", 1.0, 0.244), ("pareto", 1.2, 0.5 * 2**-1.2)],
)
def test_wealth_has_the_median_and_tail_that_were_asked_for(law: str, tail: float, share_above_double: float) -> None:
    cohort = make(Cohort, 20_000, wealth_law=law, wealth_tail=tail, wealth_quote_median=100, wealth_ratio_max=30)
    deposits = cohort.initial_deposit_atoms()
    assert np.median(deposits) == pytest.approx(100 * QUOTE, rel=0.02)
    assert (deposits > 200 * QUOTE).mean() == pytest.approx(share_above_double, abs=0.01)
    assert deposits.max() <= 3_000 * QUOTE


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (CohortParameters, {"mean_interval_s": 0}, "greater than 0"),
        (CohortParameters, {"count": -1}, "greater than or equal to 0"),
        (CohortParameters, {"colour": 1}, "Extra inputs"),
        (CohortParameters, {"wealth_quote_median": float("nan")}, "finite number"),
        (CohortParameters, {"wealth_quote_median": 1e9}, "wealth_ratio_max must be at most"),
        (NoiseParameters, {"leverage": -1}, "greater than 0"),
        (NoiseParameters, {"market_share": 0.8, "cancel_share": 0.3}, "at most 1"),
        (ValueParameters, {"leverage": -2}, "greater than 0"),
        (TrendParameters, {"leverage_min": 4, "leverage_max": 3}, "leverage_min must not be above"),
        (RetailParameters, {"leverages": (5, -3)}, "each above 0"),
        (RetailParameters, {"leverages": (5, 3)}, "equally long"),
        (RetailParameters, {"top_up_share": 0.7, "reduce_share": 0.7}, "at most 1"),
        (MakerParameters, {"inventory_leverage": -1}, "greater than 0"),
        (BackstopParameters, {"unwind_share": 2}, "less than or equal to 1"),
    ],
)
def test_senseless_parameters_are_refused(kind: type[CohortParameters], wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        kind(**wrong)


def test_a_cohort_refuses_parameters_of_another_kind() -> None:
    with pytest.raises(TypeError, match="needs NoiseParameters"):
        Noise(mesa.Model(), "x", np.arange(2), np.arange(2), 1, ValueParameters())


def test_helpers_make_commands_in_order_and_leave_out_orders_of_no_lots() -> None:
    cohort = make(Cohort, 3, first_row=10)
    wakers = everybody(cohort)
    commands = join(
        cohort.cancel_all(wakers[:1], 0),
        cohort.limit(wakers, 0, np.array([1, -1, 1]), np.array([4, 0, 6]), 100, post_only=True, tag=9),
        cohort.market(wakers[1:2], 0, -1, 3, reduce_only=True),
        cohort.stop(wakers[1:2], 0, 1, 3, 120),
        cohort.deposit(wakers[2:], 50),
    )
    assert commands.dtype == np.int64
    assert commands[:, C_ACCOUNT].tolist() == [10, 10, 12, 11, 11, 12]
    kinds = [Kind.CANCEL_ALL, Kind.LIMIT, Kind.LIMIT, Kind.MARKET, Kind.STOP, Kind.DEPOSIT]
    assert commands[:, C_KIND].tolist() == kinds
    stop_flags = FLAG_BY_MARK | FLAG_REDUCE_ONLY
    assert commands[:, C_FLAGS].tolist() == [
        0,
        FLAG_POST_ONLY,
        FLAG_POST_ONLY,
        FLAG_REDUCE_ONLY,
        stop_flags,
        0,
    ]
    assert commands[4, C_TRIGGER_TICKS] == 120
    assert commands[5, C_AMOUNT] == 50
    assert join().shape == (0, COMMAND_COLUMNS)


@pytest.mark.parametrize(("leverage_max", "lots"), [(0, 10_000 * 3), (1, 9_000), (2, 18_000)])
def test_room_follows_own_leverage_and_the_venues(leverage_max: int, lots: int) -> None:
    board = Board(3, rules=RuleSet(margin=Margin(leverage_max=leverage_max)))
    board.hold(1, 600)
    board.orders(2, bids=50, asks=70)
    cohort = make(Cohort, 3)
    wakers, market = everybody(cohort), np.zeros(3, dtype=np.int64)
    assert cohort.room_lots(board.view(), wakers, market, 1, 3.0).tolist() == [lots, lots - 600, lots - 50]
    assert cohort.room_lots(board.view(), wakers, market, -1, 3.0).tolist() == [lots, lots + 600, lots - 70]


def test_room_in_one_market_is_less_by_what_is_held_in_others() -> None:
    board = Board(1, markets=2, rules=RuleSet(margin=Margin(leverage_max=1)))
    board.hold(0, 4_000, market=1)
    cohort, market = make(Cohort), np.array([0])
    assert cohort.room_lots(board.view(), everybody(cohort), market, 1).tolist() == [5_000]
    assert cohort.room_lots(board.view(), everybody(cohort), market + 1, 1).tolist() == [5_000]


def test_tables_of_quantiles_have_the_moments_of_their_laws() -> None:
    points = 102_400
    grid = (np.arange(points) + 0.5) / points
    assert standard_normal()(grid).mean() == pytest.approx(0.0, abs=1e-9)
    assert standard_normal()(grid).std() == pytest.approx(1.0, abs=0.005)
    assert exponential()(grid).mean() == pytest.approx(1.0, abs=0.005)
    lomax = power_law(300.0, 1.5, 20_000.0)(grid)
    assert (lomax > 300.0).mean() == pytest.approx(2**-1.5, abs=0.001)
    assert lomax.max() <= 20_000.0
    values, counts = np.unique(menu((5.0, 2.0, 9.0), (2, 1, 1))(grid), return_counts=True)
    assert values.tolist() == [2.0, 5.0, 9.0]
    assert counts / points == pytest.approx([0.25, 0.5, 0.25], abs=0.001)


def test_importing_cohorts_leaves_the_start_method_of_processes_alone() -> None:
    program = (
        "import multiprocessing; multiprocessing.set_start_method('fork')\n"
        "import delever.agents.cohort; print(multiprocessing.get_start_method())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "fork"
