"""Each behaviour does its sentence on hand-made views; everybody conforms; together they trade on a venue."""

import mesa
import numpy as np
import pytest

from delever.agents import draws
from delever.agents.backstop import Backstop
from delever.agents.cohort import Cohort, Commands, join
from delever.agents.conformance import NotConforming, check_cohort, sample_views
from delever.agents.draws import Stream
from delever.agents.maker import Maker
from delever.agents.noise import Noise
from delever.agents.proprietary import Proprietary
from delever.agents.retail import Retail
from delever.agents.stops import Stops
from delever.agents.trend import Trend
from delever.agents.value import Value
from delever.agents.view import View
from delever.agents.volatility_target import VolatilityTarget
from delever.engine.commands import (
    C_ACCOUNT,
    C_AMOUNT,
    C_FLAGS,
    C_KIND,
    C_LOTS,
    C_MARKET,
    C_PRICE_TICKS,
    C_SIDE,
    C_TRIGGER_TICKS,
    FLAG_BY_MARK,
    FLAG_IOC,
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    Kind,
    Result,
    batch,
)
from delever.engine.rules.halts import Halts
from delever.engine.rules.margin import Margin
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.tables import (
    M_MARK_TICKS,
    P_ISOLATED,
    P_LOTS,
    U_SINCE_STEP,
    V_LIQUIDATIONS,
)
from delever.engine.venue import Venue
from tests.unit.board import LOT, MARK, MULTIPLIER_ATOMS, PRICE_MAX, Board, Ints, everybody, make, of_kind

KINDS: list[type[Cohort]] = [Noise, Value, Trend, Retail, Maker, Backstop, Stops, VolatilityTarget, Proprietary]
UNBORROWED = RuleSet(margin=Margin(leverage_max=1))


def bids_and_asks(commands: Commands) -> tuple[Commands, Commands]:
    return commands[commands[:, C_SIDE] == 1], commands[commands[:, C_SIDE] == -1]


# Noise.


def test_noise_places_on_both_sides_at_distances_with_the_tail_that_was_asked_for() -> None:
    cohort = make(Noise, 20_000, market_share=0.0, cancel_share=0.0, distance_scale_ppm=1_000, distance_exponent=1.5)
    orders = cohort.decide(Board(20_000).view(), everybody(cohort))
    bids, asks = bids_and_asks(of_kind(orders, Kind.LIMIT))
    assert len(bids) == pytest.approx(10_000, rel=0.03)
    assert len(asks) == pytest.approx(10_000, rel=0.03)
    for beyond in (MARK + 1 - bids[:, C_PRICE_TICKS], asks[:, C_PRICE_TICKS] - (MARK - 1)):
        assert beyond.min() == 1, "the best place is one tick before the other side"
        assert (beyond > 1 + 16).mean() == pytest.approx(2**-1.5, abs=0.02), "16 ticks are the scale"


@pytest.mark.parametrize(("shape", "share"), [(1.0, 2**-1.0), (1.5, 2**-1.5), (2.0, 2**-2.0)])
def test_a_shape_above_1_leaves_the_best_prices_thin(shape: float, share: float) -> None:
    """Far inside the scale, half of a distance has that share of what is within it."""
    cohort = make(
        Noise, 100_000, market_share=0.0, cancel_share=0.0, distance_scale_ppm=10_000, distance_exponent=0.5,
        distance_shape=shape,
    )  # fmt: skip
    orders = cohort.decide(Board(100_000).view(), everybody(cohort))
    bids, asks = bids_and_asks(of_kind(orders, Kind.LIMIT))
    beyond = np.concatenate([MARK - bids[:, C_PRICE_TICKS], asks[:, C_PRICE_TICKS] - MARK])
    near, double = (beyond < 12).sum(), (beyond < 24).sum()
    assert near / double == pytest.approx(share, rel=0.12)


def test_noise_cancels_and_trades_at_market_as_often_as_asked() -> None:
    board = Board(10_000)
    cohort = make(Noise, 10_000, market_share=0.2, cancel_share=0.3)
    commands = cohort.decide(board.view(), everybody(cohort))
    assert len(of_kind(commands, Kind.MARKET)) == pytest.approx(2_000, rel=0.06)
    assert len(of_kind(commands, Kind.CANCEL_ALL)) == pytest.approx(3_000, rel=0.06)
    board.price(MARK, index=MARK, bid=0, ask=0)
    assert not len(of_kind(cohort.decide(board.view(), everybody(cohort)), Kind.MARKET)), "nobody to trade with"


def test_noise_with_too_many_orders_cancels_instead_of_placing() -> None:
    board = Board(50)
    board.tables.accounts[:50, 2] = 4
    cohort = make(Noise, 50, market_share=0.0, cancel_share=0.0, orders_max=4)
    assert set(cohort.decide(board.view(), everybody(cohort))[:, C_KIND]) == {Kind.CANCEL_ALL}


def test_noise_turns_back_at_its_largest_position() -> None:
    board = Board(200, equity_lots=1_000)
    for trader in range(200):
        board.hold(trader, 500 if trader < 100 else -500)
    orders = make(Noise, 200, leverage=0.5, cancel_share=0.0).decide(board.view(), np.arange(200))
    long = orders[:, C_ACCOUNT] < 100
    assert (orders[long, C_SIDE] == -1).all()
    assert (orders[~long, C_SIDE] == 1).all()


def test_noise_stays_inside_the_collar() -> None:
    board = Board(5_000, rules=RuleSet(halts=Halts(collar_ppm=1_000)))
    cohort = make(Noise, 5_000, market_share=0.0, cancel_share=0.0)
    prices = cohort.decide(board.view(), everybody(cohort))[:, C_PRICE_TICKS]
    assert (np.abs(prices - MARK) <= 16).all()
    assert (np.abs(prices - MARK) > 12).any()


# Value.


@pytest.mark.parametrize(("index", "side"), [(16_200, 1), (15_800, -1)])
def test_value_trades_towards_the_index_and_stops_on_the_way(index: int, side: int) -> None:
    board = Board(200)
    board.price(MARK, index=index)
    cohort = make(Value, 200)
    orders = cohort.decide(board.view(), everybody(cohort))
    assert len(orders) == 200
    assert (orders[:, C_SIDE] == side).all()
    way = (orders[:, C_PRICE_TICKS] - MARK) / (index - MARK)
    assert 0.1 < way.min() < 0.4
    assert 0.7 < way.max() < 1.0, "orders of many traders fill the gap like a ladder"


def test_value_wants_more_the_larger_the_gap_and_nothing_new_below_its_threshold() -> None:
    cohort = make(Value, 1, belief_sd_ppm=0, noise_sd_ppm=0, full_ppm=10_000, threshold_ppm=1_000)
    board, lots = Board(), []
    for index in (16_015, 16_040, 16_080, 16_160, 16_800):
        board.price(MARK, index=index)
        lots.append(int(cohort.decide(board.view(), everybody(cohort))[:, C_LOTS].sum()))
    assert lots[0] == 0
    assert 0 < lots[1] < lots[2] < lots[3] == lots[4]


def test_value_gives_back_a_position_when_the_gap_has_closed() -> None:
    board = Board(2)
    board.hold(0, 5_000)
    board.hold(1, -5_000)
    cohort = make(Value, 2, belief_sd_ppm=0, noise_sd_ppm=0)
    assert cohort.decide(board.view(), everybody(cohort))[:, C_SIDE].tolist() == [-1, 1]


def test_value_replaces_its_old_order_and_halves_its_position_on_a_call() -> None:
    board = Board(2)
    board.price(MARK, index=16_500)
    board.orders(0, bids=10)
    board.hold(1, -301)
    board.call(1)
    commands = make(Value, 2).decide(board.view(), np.arange(2))
    first, second = commands[commands[:, C_ACCOUNT] == 0], commands[commands[:, C_ACCOUNT] == 1]
    assert first[:, C_KIND].tolist() == [Kind.CANCEL_ALL, Kind.LIMIT]
    assert second[:, [C_KIND, C_SIDE, C_LOTS]].tolist() == [[Kind.MARKET, 1, 151]]
    assert second[0, C_FLAGS] == FLAG_REDUCE_ONLY


# Trend.


def rise(ppm: int, steps: int = 20_000) -> Ints:
    """Marks that stood still and have risen by `ppm` evenly over the last 3,000 steps."""
    gain = np.minimum(np.arange(steps) - (steps - 3_000), 3_000).clip(0) * ppm / 3_000
    return np.rint(MARK * (1 + (gain - ppm) / 1e6)).astype(np.int64)[:, np.newaxis]


@pytest.mark.parametrize("ppm", [30_000, -30_000])
def test_trend_follows_a_move(ppm: int) -> None:
    cohort = make(Trend, 300)
    orders = cohort.decide(Board(300).view(20_000, rise(ppm)), everybody(cohort))
    assert len(orders) > 200
    assert set(orders[:, C_KIND]) == {Kind.MARKET}
    assert (orders[:, C_SIDE] == np.sign(ppm)).all()


def test_trend_has_thresholds_and_horizons_of_its_own() -> None:
    cohort, counts = make(Trend, 300), []
    for ppm in (100, 2_000, 5_000, 10_000, 30_000):
        orders = cohort.decide(Board(300).view(20_000, rise(ppm)), everybody(cohort))
        counts.append(len(orders))
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert len(set(counts)) >= 4, "not everybody at once"


def test_trend_leaves_when_the_move_is_over_and_stays_while_it_weakens() -> None:
    board = Board(300)
    for trader in range(300):
        board.hold(trader, 5_000)
    cohort = make(Trend, 300, horizon_min_s=3_000, horizon_max_s=3_000, threshold_min=1, threshold_max=1)
    over = cohort.decide(board.view(20_000, rise(0)), everybody(cohort))
    assert len(over) == 300
    assert (over[:, C_SIDE] == -1).all()
    one = 1.2533 * 50 * np.sqrt(3_000)
    assert not len(cohort.decide(board.view(20_000, rise(int(one * 0.5))), everybody(cohort)))


def test_trend_needs_a_larger_move_when_volatility_is_higher() -> None:
    cohort = make(Trend, 300)
    counts = [
        len(cohort.decide(Board(300).view(20_000, rise(10_000), volatility_ppm=ppm), everybody(cohort)))
        for ppm in (30.0, 100.0, 300.0)
    ]
    assert counts[0] > counts[1] > counts[2]


# Retail.


def test_retail_opens_mostly_long_with_the_leverage_of_the_menu() -> None:
    board = Board(4_000, equity_lots=1_000)
    cohort = make(
        Retail, 4_000, start_share=1.0, long_share=0.7, leverages=(2, 5), leverage_weights=(1, 3), first_share=1.0,
        isolated_share=0.0, stop_share=0.0, profit_share=0.0, wealth_law="equal",
    )  # fmt: skip
    orders = cohort.decide(board.view(), everybody(cohort))
    assert len(orders) == 4_000
    assert (orders[:, C_SIDE] == 1).mean() == pytest.approx(0.7, abs=0.03)
    sizes, counts = np.unique(orders[:, C_LOTS], return_counts=True)
    assert sizes.tolist() == [2_000, 5_000]
    assert counts / 4_000 == pytest.approx([0.25, 0.75], abs=0.03)


def test_retail_buys_less_after_a_fall() -> None:
    shares = []
    for ppm in (-50_000, 0, 50_000):
        cohort = make(Retail, 2_000, start_share=1.0, isolated_share=0, stop_share=0, profit_share=0)
        orders = cohort.decide(Board(2_000).view(20_000, rise(ppm)), everybody(cohort))
        shares.append((orders[:, C_SIDE] == 1).mean())
    assert shares[0] < shares[1] - 0.05 < shares[2] - 0.1


@pytest.mark.parametrize("side", [1, -1])
def test_retail_adds_to_a_winner_and_not_to_a_loser(side: int) -> None:
    board = Board(400, equity_lots=1_000)
    for trader in range(400):
        winning = trader < 200
        board.hold(trader, side * 800, entry=MARK - side * (300 if winning else -300))
    cohort = make(Retail, 400, close_share=0.0, stop_share=0.0, profit_share=0.0)
    cohort.columns["memory"]["leverage"][:] = 5.0
    orders = cohort.decide(board.view(), everybody(cohort))
    assert set(orders[:, C_ACCOUNT]) == set(range(200))
    assert (orders[:, C_SIDE] == side).all()
    once = len(orders)
    for _ in range(5):
        orders = cohort.decide(board.view(), everybody(cohort))
    assert once == 200
    assert not len(orders), "adds_max"


def test_retail_protects_a_new_position_in_proportion_to_its_margin() -> None:
    board = Board(1_000, equity_lots=1_000)
    cohort = make(
        Retail, 1_000, start_share=1.0, stop_share=1.0, profit_share=1.0, isolated_share=0.0, long_share=1.0,
        leverages=(10,), leverage_weights=(1,), first_share=1.0, wealth_law="equal",
    )  # fmt: skip
    commands = cohort.decide(board.view(), everybody(cohort))
    stops, goals = of_kind(commands, Kind.STOP), of_kind(commands, Kind.TAKE_PROFIT)
    assert len(stops) == len(goals) == 1_000
    assert (commands[:, C_FLAGS][commands[:, C_TRIGGER_TICKS] > 0] == FLAG_BY_MARK | FLAG_REDUCE_ONLY).all()
    assert (stops[:, C_SIDE] == -1).all()
    loss = (MARK - stops[:, C_TRIGGER_TICKS]) / MARK
    gain = (goals[:, C_TRIGGER_TICKS] - MARK) / MARK
    assert (loss.min(), loss.max()) == pytest.approx((0.03, 0.08), abs=0.001), "0.3 to 0.8 of a tenth"
    assert (gain.min(), gain.max()) == pytest.approx((0.025, 0.2), abs=0.002), "0.25 to 2 times a tenth"


def test_retail_answers_a_margin_call_by_topping_up_reducing_or_not_at_all() -> None:
    board = Board(300, equity_lots=100)
    for trader in range(300):
        board.hold(trader, 3_001)
        board.call(trader)
    cohort = make(Retail, 300, top_up_share=0.3, reduce_share=0.3, isolated_share=0.0)
    commands = cohort.decide(board.view(), everybody(cohort))
    deposits, sales = of_kind(commands, Kind.DEPOSIT), of_kind(commands, Kind.MARKET)
    assert len(deposits) == pytest.approx(90, abs=25)
    assert len(sales) == pytest.approx(90, abs=25)
    assert len(deposits) + len(sales) == len(commands)
    assert not set(deposits[:, C_ACCOUNT]) & set(sales[:, C_ACCOUNT])
    assert (sales[:, [C_SIDE, C_LOTS, C_FLAGS]] == (-1, 1_501, FLAG_REDUCE_ONLY)).all()
    need = 3 * 3_001 * LOT * 25_000 // 10**6 - 100 * LOT
    assert (np.abs(deposits[:, C_AMOUNT] - need) <= 1).mean() > 0.5, "three times maintenance margin"
    assert (deposits[:, C_AMOUNT] <= need + 1).all(), "or all there is"


def test_retail_pays_from_a_reserve_that_ends() -> None:
    board = Board(50, equity_lots=100)
    for trader in range(50):
        board.hold(trader, 3_000)
        board.call(trader)
    cohort = make(Retail, 50, top_up_share=1.0, reduce_share=0.0, isolated_share=0.0, reserve_ratio=0.5)
    start = cohort.columns["memory"]["reserve_atoms"].copy()
    paid = np.zeros(50, dtype=np.int64)
    for _ in range(1_000):
        deposits = cohort.decide(board.view(), everybody(cohort))
        paid[deposits[:, C_ACCOUNT]] += deposits[:, C_AMOUNT]
    assert np.array_equal(paid, start)
    assert np.array_equal(start, cohort.initial_deposit_atoms() // 2)


def test_retail_chooses_isolated_margin_and_its_leverage_before_it_opens() -> None:
    cohort = make(
        Retail, 100, start_share=1.0, isolated_share=1.0, leverages=(8,), leverage_weights=(1,), wealth_law="equal",
        stop_share=0, profit_share=0,
    )  # fmt: skip
    commands = cohort.decide(Board(100).view(), everybody(cohort))
    one = commands[commands[:, C_ACCOUNT] == 3]
    assert one[:, C_KIND].tolist() == [Kind.SET_MODE, Kind.SET_LEVERAGE, Kind.MARKET]
    assert one[:2, C_AMOUNT].tolist() == [1, 125_000]
    never = Board(100, rules=RuleSet(margin=Margin(isolated_allowed=False)))
    cohort.columns["memory"]["looked"][:] = 0
    assert set(cohort.decide(never.view(), everybody(cohort))[:, C_KIND]) == {Kind.MARKET}


def test_retail_fills_a_pocket_from_its_own_cross_unit() -> None:
    board = Board(20, equity_lots=100)
    for trader in range(20):
        board.hold(trader, 500)
        board.call(trader)
    board.tables.positions[:20, P_ISOLATED] = 1
    cohort = make(Retail, 20, top_up_share=1.0, reduce_share=0.0)
    commands = cohort.decide(board.view(), everybody(cohort))
    assert (commands[:, C_KIND] == Kind.MOVE_MARGIN).all()
    assert (commands[:, C_AMOUNT] == 50 * LOT).all()


def test_retail_that_is_ruined_rarely_returns_and_with_what_remains() -> None:
    board = Board(4_000, equity_lots=10)
    cohort = make(Retail, 4_000, open_share=1.0, return_share=0.25, ruin_share=0.4, isolated_share=0.0)
    cohort.columns["memory"]["looked"][:] = 1
    cohort.columns["memory"]["opening_equity_atoms"][:] = np.where(np.arange(4_000) < 2_000, 100 * LOT, 20 * LOT)
    orders = of_kind(cohort.decide(board.view(), everybody(cohort)), Kind.MARKET)
    assert (orders[:, C_ACCOUNT] >= 2_000).sum() == 2_000
    returned = orders[orders[:, C_ACCOUNT] < 2_000, C_ACCOUNT]
    assert len(returned) == pytest.approx(500, abs=60)
    assert (cohort.columns["memory"]["opening_equity_atoms"][returned] == 10 * LOT).all()


def test_retail_tidies_up_what_a_closed_position_left_behind() -> None:
    board = Board(1)
    board.orders(0, asks=5)
    cohort = make(Retail, 1, start_share=0.0)
    assert cohort.decide(board.view(), np.arange(1))[:, C_KIND].tolist() == [Kind.CANCEL_ALL]
    board.hold(0, 5)
    cohort = make(Retail, 1, close_share=1.0)
    commands = cohort.decide(board.view(), np.arange(1))
    assert commands[:, C_KIND].tolist() == [Kind.CANCEL_ALL, Kind.MARKET]
    assert commands[1, [C_SIDE, C_LOTS, C_FLAGS]].tolist() == [-1, 5, FLAG_REDUCE_ONLY]


# Makers.

CENTRED = {"shade_ppm": 0, "width_spread": 0, "wealth_law": "equal"}


def quotes(board: Board, volatility_ppm: float = 50.0, **numbers: object) -> tuple[Commands, Commands]:
    """Bids and asks of one maker that has not quoted before."""
    cohort = make(Maker, 1, **{**CENTRED, **numbers})
    commands = cohort.decide(board.view(volatility_ppm=volatility_ppm), np.arange(1))
    bids, asks = bids_and_asks(of_kind(commands, Kind.LIMIT))
    assert (commands[commands[:, C_KIND] == Kind.LIMIT, C_FLAGS] == FLAG_POST_ONLY).all()
    return bids, asks


def test_maker_quotes_levels_on_both_sides_around_the_index() -> None:
    board = Board()
    board.price(MARK, index=MARK, bid=0, ask=0)
    bids, asks = quotes(board, levels=4, half_spread_ppm=125, level_step_ppm=250)
    assert (MARK - bids[:, C_PRICE_TICKS]).tolist() == [2, 6, 10, 14]
    assert (asks[:, C_PRICE_TICKS] - MARK).tolist() == [2, 6, 10, 14]
    assert bids[:, C_LOTS].tolist() == asks[:, C_LOTS].tolist() == [250, 500, 750, 1_000], "a quarter of equity"


def test_maker_skews_against_its_inventory() -> None:
    tops = []
    for lots in (-15_000, 0, 15_000):
        board = Board()
        board.price(MARK, index=MARK, bid=0, ask=0)
        board.hold(0, lots)
        bids, asks = quotes(board)
        tops.append((bids[0, C_PRICE_TICKS], asks[0, C_PRICE_TICKS], bids[:, C_LOTS].sum(), asks[:, C_LOTS].sum()))
    short, flat, long = np.array(tops)
    assert (long[:2] < flat[:2]).all()
    assert (flat[:2] < short[:2]).all()
    assert long[2] < flat[2] == short[2], "who is long bids for less"
    assert short[3] < flat[3] == long[3]


def test_maker_stops_quoting_the_side_that_would_pass_its_limit() -> None:
    board = Board()
    board.hold(0, 20_000)
    for leverage in (2.0, 0.1):
        bids, asks = quotes(board, inventory_leverage=leverage)
        assert len(bids) == 0
        assert asks[:, C_LOTS].sum() == pytest.approx(2_500, abs=8), "the other side stays as it was"


def test_maker_widens_with_volatility() -> None:
    board = Board()
    board.price(MARK, index=MARK, bid=0, ask=0)
    spreads, spans = [], []
    for ppm in (50.0, 240.0, 600.0):
        bids, asks = quotes(board, volatility_ppm=ppm)
        spreads.append(asks[0, C_PRICE_TICKS] - bids[0, C_PRICE_TICKS])
        spans.append(asks[-1, C_PRICE_TICKS] - bids[-1, C_PRICE_TICKS])
    assert spreads[0] < spreads[1] < spreads[2]
    assert spans[2] > 3 * spans[0]


def test_maker_follows_the_index_more_than_the_book_and_never_crosses() -> None:
    board = Board()
    board.price(MARK, index=MARK + 100, bid=MARK - 1, ask=MARK + 1)
    bids, asks = quotes(board, index_share=0.8)
    assert bids[0, C_PRICE_TICKS] == MARK, "one tick before the ask it would like to pass"
    assert asks[0, C_PRICE_TICKS] - MARK == pytest.approx(81, abs=2)


def test_maker_leaves_its_ladder_alone_until_it_traded_or_the_price_moved() -> None:
    board, cohort = Board(), make(Maker, 1, **CENTRED)
    board.price(MARK, index=MARK, bid=0, ask=0)
    orders = cohort.decide(board.view(), np.arange(1))
    bids, asks = (int(side[:, C_LOTS].sum()) for side in bids_and_asks(orders))
    board.orders(0, bids=bids, asks=asks)
    assert not len(cohort.decide(board.view(), np.arange(1)))
    board.orders(0, bids=bids, asks=asks * 95 // 100)
    assert not len(cohort.decide(board.view(), np.arange(1)))
    board.orders(0, bids=bids, asks=asks * 85 // 100)
    assert cohort.decide(board.view(), np.arange(1))[0, C_KIND] == Kind.CANCEL_ALL
    board.orders(0, bids=bids, asks=asks)
    board.price(MARK, index=MARK + 10, bid=0, ask=0)
    moved = cohort.decide(board.view(), np.arange(1))
    assert moved[:, C_KIND].tolist() == [Kind.CANCEL_ALL] + [Kind.LIMIT] * 16


def test_maker_withdraws_after_a_drawdown_and_comes_back_after_its_pause() -> None:
    board = Board(equity_lots=10_000)
    cohort = make(Maker, 1, drawdown_share=0.15, pause_s=900, **CENTRED)
    cohort.decide(board.view(step=50), np.arange(1))
    board.orders(0, bids=5)
    board.hold(0, 1_000, entry=MARK + MARK)
    assert len(of_kind(cohort.decide(board.view(step=100), np.arange(1)), Kind.LIMIT)) == 16, "ten per cent down"
    board.hold(0, 2_000, entry=MARK + MARK)
    assert cohort.decide(board.view(step=200), np.arange(1))[:, C_KIND].tolist() == [Kind.CANCEL_ALL]
    assert cohort.decide(board.view(step=1_099), np.arange(1))[:, C_KIND].tolist() == [Kind.CANCEL_ALL]
    assert len(of_kind(cohort.decide(board.view(step=1_100), np.arange(1)), Kind.LIMIT)) == 16


def test_maker_withdraws_and_unwinds_on_a_margin_call_or_in_distress() -> None:
    board = Board(2)
    board.hold(0, 4_000)
    board.call(0)
    board.hold(1, -4_000)
    board.tables.units[1, U_SINCE_STEP] = 99
    orders = make(Maker, 2, unwind_share=0.25).decide(board.view(), np.arange(2))
    assert (orders[:, C_KIND] == Kind.MARKET).all()
    assert orders[:, [C_ACCOUNT, C_SIDE, C_LOTS]].tolist() == [[0, -1, 1_000], [1, 1, 1_000]]


def test_maker_quotes_every_market() -> None:
    commands = make(Maker, 1).decide(Board(markets=3).view(), np.arange(1))
    assert np.unique(commands[:, C_MARKET], return_counts=True)[1].tolist() == [16, 16, 16]


# Backstop.


def test_backstop_unwinds_slowly_within_its_range_and_does_nothing_else() -> None:
    board = Board(3)
    board.hold(0, 1_000)
    board.hold(1, -1_001)
    orders = make(Backstop, 3, unwind_share=0.02, range_ppm=5_000).decide(board.view(), np.arange(3))
    assert orders[:, [C_ACCOUNT, C_SIDE, C_LOTS]].tolist() == [[0, -1, 20], [1, 1, 21]]
    assert orders[:, C_PRICE_TICKS].tolist() == [MARK - 80, MARK + 80]
    assert (orders[:, C_FLAGS] == FLAG_IOC | FLAG_REDUCE_ONLY).all()


# Everybody.


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_borrows_where_the_venue_lends_nothing(kind: type[Cohort]) -> None:
    board = Board(500, rules=UNBORROWED, equity_lots=1_000)
    board.price(MARK, index=MARK + 800)
    cohort = make(kind, 500)
    commands = cohort.decide(board.view(20_000, rise(30_000)), everybody(cohort))
    bought = np.zeros(500, dtype=np.int64)
    opens = np.isin(commands[:, C_KIND], (Kind.LIMIT, Kind.MARKET)) & (commands[:, C_SIDE] == 1)
    np.add.at(bought, commands[opens, C_ACCOUNT], commands[opens, C_LOTS])
    assert bought.max() <= 900
    assert kind is Backstop or bought.max() > 0


@pytest.mark.parametrize("kind", [Noise, Value, Trend, Maker, Backstop, Stops, Proprietary])
def test_who_borrows_little_switches_an_isolated_market_to_cross(kind: type[Cohort]) -> None:
    board = Board(2, rules=RuleSet(margin=Margin(mode="isolated")))
    board.hold(1, 10)
    commands = of_kind(make(kind, 2).decide(board.view(), np.arange(2)), Kind.SET_MODE)
    assert commands[:, [C_ACCOUNT, C_AMOUNT]].tolist() == [[0, 0]], "possible only without a position"


@pytest.mark.parametrize("kind", KINDS)
def test_every_behaviour_conforms(kind: type[Cohort]) -> None:
    cohort = make(kind, 60, first_row=3)
    check_cohort(cohort)
    said = [len(cohort.decide(view, everybody(cohort))) for view in sample_views(cohort)[:3]]
    assert sum(said) > 0, "the samples make it act"


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_commands_whoever_else_is_awake(kind: type[Cohort]) -> None:
    first, second = make(kind, 80), make(kind, 80)
    view = sample_views(first)[2]
    few = np.arange(80)[::7]
    together, alone = first.decide(view, everybody(first)), second.decide(view, few)
    assert np.array_equal(together[np.isin(together[:, C_ACCOUNT], few)], alone)


# Conformance finds what does not conform.


class Contrarian(Cohort):
    """A user's cohort: buys after falls, sells after rises."""

    def decide(self, view: View, wakers: Ints) -> Commands:
        market = self.pick_market(view, wakers)
        change = view.mark_ticks[market] - view.mark_before_ticks(600, market)
        side = np.where(change < 0, 1, -1)
        room = self.room_lots(view, wakers, market, side, leverage=2.0)
        eager = self.uniform(Stream.CUSTOM, wakers) < 0.5
        return self.market(wakers, market, side, np.where(eager, room // 10, 0))


class OwnGenerator(Contrarian):
    def decide(self, view: View, wakers: Ints) -> Commands:
        random = self.generator = getattr(self, "generator", np.random.default_rng(1))
        return self.market(wakers, 0, 1, random.integers(1, 1_000, len(wakers)))


class HiddenState(Contrarian):
    calls = 0

    def decide(self, view: View, wakers: Ints) -> Commands:
        self.calls += 1
        return self.market(wakers, 0, 1, self.calls)


class LooksAtOthers(Contrarian):
    def decide(self, view: View, wakers: Ints) -> Commands:
        return self.market(wakers, 0, 1, 1 + len(wakers))


class WritesTables(Contrarian):
    def decide(self, view: View, wakers: Ints) -> Commands:
        view.tables.positions[0, P_LOTS] += 1
        return self.market(wakers, 0, 1, 1)


class SpeaksForOthers(Contrarian):
    def decide(self, view: View, wakers: Ints) -> Commands:
        return batch(1, account=10_000, kind=Kind.MARKET, side=1, lots=1)


class SendsFloats(Contrarian):
    def decide(self, view: View, wakers: Ints) -> Commands:
        return self.market(wakers, 0, 1, 1).astype(np.float64)


class PricesAtZero(Contrarian):
    def decide(self, view: View, wakers: Ints) -> Commands:
        return self.limit(wakers, 0, 1, 1, 0)


class WrongMarket(Contrarian):
    def decide(self, view: View, wakers: Ints) -> Commands:
        return self.market(wakers, 7, 1, 1)


class CountsWakings(Contrarian):
    def decide(self, view: View, wakers: Ints) -> Commands:
        self.wakings[wakers] += 1
        return self.market(wakers, 0, 1, 1)


def test_a_users_cohort_conforms() -> None:
    check_cohort(make(Contrarian, 40))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (OwnGenerator, "draw with self.uniform"),
        (HiddenState, "keep it in columns"),
        (LooksAtOthers, "who else is awake"),
        (WritesTables, "changed the tables"),
        (SpeaksForOthers, "accounts that are not awake"),
        (SendsFloats, "int64"),
        (PricesAtZero, "price_ticks of a command is out of range"),
        (WrongMarket, "market 7 does not exist"),
        (CountsWakings, "changed wakings"),
    ],
)
def test_conformance_says_what_is_wrong(kind: type[Cohort], reason: str) -> None:
    with pytest.raises(NotConforming, match=reason):
        check_cohort(make(kind, 40))


def test_a_cohort_without_decide_says_so() -> None:
    with pytest.raises(NotImplementedError, match="needs a method decide"):
        check_cohort(make(Cohort, 2))


# On a venue.


def trade(rules: RuleSet, index_ticks: Ints) -> tuple[Venue, list[tuple[int, int]]]:
    """Let a small crowd trade for a step of 5 s per index price; the venue, and (kind, result) of all commands."""
    counts = {Noise: 60, Value: 10, Trend: 20, Retail: 120, Maker: 5, Backstop: 1, Contrarian: 5}
    keys = np.arange(sum(counts.values()), dtype=np.int64) * 13 + 1
    market = Market("M0", MULTIPLIER_ATOMS, PRICE_MAX)
    venue = Venue(rules, [market], keys, dt_s=5, first_index_ticks=[MARK], orders_max=20_000)
    cohorts, row = [], 0
    for kind, count in counts.items():
        rows = np.arange(row, row + count)
        cohorts.append(kind(mesa.Model(), kind.__name__, rows, keys[rows], 1))
        row += count
    deposits = np.concatenate([cohort.initial_deposit_atoms() for cohort in cohorts])
    venue.process(batch(row, account=np.arange(row), kind=Kind.DEPOSIT, amount=deposits), index_ticks[:1])
    marks, answers = [venue.tables.markets[:, M_MARK_TICKS].copy()], []
    for step in range(1, len(index_ticks)):
        view = View(venue.tables, rules, ["M0"], step, 5, np.array(marks), np.array([200.0]))
        parts = []
        for cohort in cohorts:
            awake = draws.uniform(2, Stream.WAKE, cohort.keys, step) < min(1.0, 15.0 / cohort.mean_interval_s)
            wakers = np.flatnonzero(awake)
            parts.append(cohort.decide(view, wakers))
            cohort.wakings[wakers] += 1
        commands = join(*parts)
        results = venue.process(commands, index_ticks[step : step + 1]).results
        answers += zip(commands[:, C_KIND].tolist(), results.tolist(), strict=True)
        marks.append(venue.tables.markets[:, M_MARK_TICKS].copy())
    return venue, answers


def test_a_crowd_trades_near_the_index_and_is_hardly_ever_refused() -> None:
    index = MARK + (np.sin(np.arange(400) / 40) * 60).astype(np.int64)
    venue, answers = trade(RuleSet(margin=Margin(call_ppm=1_500_000)), index)
    assert venue.conservation_error_atoms() == 0
    view = View(venue.tables, venue.rules, ["M0"], 400, 5, index[:, np.newaxis], np.array([200.0]))
    assert abs(view.mark_ticks[0] - index[-1]) <= index[-1] * 0.001
    assert 1 <= view.ask_ticks[0] - view.bid_ticks[0] <= 20
    opened = [result for kind, result in answers if kind in (Kind.LIMIT, Kind.MARKET)]
    assert len(opened) > 10_000
    assert opened.count(Result.MARGIN) < len(opened) / 1_000
    refused = {Result(result) for _, result in answers}
    assert refused <= {Result.OK, Result.MARGIN, Result.WOULD_CROSS, Result.NOT_REDUCING}


def test_a_crash_liquidates_the_crowd_unless_it_cannot_borrow() -> None:
    index = np.concatenate((np.full(150, MARK), np.linspace(MARK, MARK * 0.7, 150).astype(np.int64)))
    borrowed, _ = trade(RuleSet(), index)
    unborrowed, _ = trade(UNBORROWED, index)
    assert borrowed.tables.venue[V_LIQUIDATIONS] > 10
    assert unborrowed.tables.venue[V_LIQUIDATIONS] == 0
