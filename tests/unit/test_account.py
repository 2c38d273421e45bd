"""What kernels of traders read of one account is what views say of many."""

import numpy as np
import pytest

from delever.agents import account as kernels
from delever.agents.cohort import Cohort
from delever.agents.draw_kernels import stream_roots, uniform
from delever.agents.draws import Stream
from delever.agents.draws import uniform as uniforms
from delever.agents.quantiles import element, exponential
from delever.engine.rules.margin import Margin, Tier
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import (
    FLAG_NOTICE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_INITIAL_PPM,
    P_ISOLATED,
    P_LOTS,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    U_FLAGS,
    U_SINCE_STEP,
    V_POCKETS_AT,
)
from tests.unit.board import LOT, MARK, MULTIPLIER_ATOMS, Board, make

TRADERS = 300
TIERS = (
    Tier(floor_quote=0, initial_ppm=50_000, maintenance_ppm=25_000),
    Tier(floor_quote=20_000, initial_ppm=100_000, maintenance_ppm=50_000),
)


def random_board(markets: int, isolated: bool) -> Board:
    """A venue on which everybody has some of everything."""
    rules = RuleSet(margin=Margin(tiers=TIERS, isolated_allowed=isolated))
    board = Board(TRADERS, rules=rules, markets=markets)
    board.price(MARK + 77, index=MARK)
    random = np.random.default_rng(5)
    t, rows = board.tables, np.arange(TRADERS * markets)
    lots = random.integers(-6_000, 6_000, rows.size) * (random.random(rows.size) < 0.8)
    t.positions[rows, P_LOTS] = lots
    t.positions[rows, P_COST_ATOMS] = lots * MULTIPLIER_ATOMS * random.integers(MARK - 900, MARK + 900, rows.size)
    t.positions[rows, P_BIDS_LOTS], t.positions[rows, P_ASKS_LOTS] = random.integers(0, 500, (2, rows.size))
    t.positions[rows, P_INITIAL_PPM] = random.choice([0, 200_000], rows.size)
    if isolated:
        t.positions[rows, P_ISOLATED] = random.integers(0, 2, rows.size)
        t.units[t.venue[V_POCKETS_AT] + rows, U_CREDITS_ATOMS] = random.integers(0, 90 * LOT, rows.size)
        t.units[t.venue[V_POCKETS_AT] + rows[::7], U_FLAGS] = FLAG_NOTICE
        t.units[t.venue[V_POCKETS_AT] + rows[::5], U_SINCE_STEP] = 3
    t.units[:TRADERS, U_CREDITS_ATOMS] = random.integers(0, 9_000 * LOT, TRADERS)
    t.units[:TRADERS, U_DEBITS_ATOMS] = random.integers(0, 900 * LOT, TRADERS)
    t.units[:TRADERS:3, U_FLAGS] = FLAG_NOTICE
    t.units[:TRADERS:4, U_SINCE_STEP] = 3
    return board


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("markets", [1, 2, 3])
def test_kernels_read_what_the_view_reads(markets: int, isolated: bool) -> None:
    board = random_board(markets, isolated)
    view, t, everybody = board.view(), board.tables, np.arange(TRADERS)
    for kernel, seen in (
        (kernels.account_equity_atoms, view.equity_atoms(everybody)),
        (kernels.account_maintenance_atoms, view.maintenance_atoms(everybody)),
        (kernels.account_free_atoms, view.free_collateral_atoms(everybody)),
        (kernels.is_called, view.called(everybody)),
        (kernels.is_liquidated, view.distressed(everybody)),
    ):
        assert [kernel(t, account) for account in range(TRADERS)] == seen.tolist(), kernel.__name__
        assert len(np.unique(seen)) > 1


@pytest.mark.parametrize("markets", [1, 2, 3])
def test_kernels_size_orders_as_the_helpers_of_cohorts_do(markets: int) -> None:
    board, cohort = random_board(markets, isolated=False), make(Cohort, TRADERS)
    view, t = board.view(), board.tables
    for market in range(markets):
        chosen = np.full(TRADERS, market)
        limits = cohort.limits(view, cohort.rows, chosen, 2.5)
        largest = [kernels.largest_lots(t, account, market, 2.5) for account in range(TRADERS)]
        assert largest == limits.lots.tolist()
        assert len(set(largest)) > 50
        for side in (1, -1):
            room = [kernels.room_lots(t, i, market, side, lots) for i, lots in enumerate(largest)]
            assert room == cohort.room_lots(view, np.arange(TRADERS), chosen, side, 2.5).tolist()


def test_kernels_draw_what_cohorts_draw() -> None:
    roots, keys = stream_roots(11), np.array([0, 5, 2**40, -3])
    for stream in (Stream.CHOICE, Stream.LATENCY):
        for waking, draw in ((0, 0), (17, 1), (2**30, 1000)):
            expected = uniforms(11, stream, keys, waking + draw * 2**40)
            assert [uniform(roots, int(stream), key, waking, draw) for key in keys] == expected.tolist()
    table, numbers = exponential(), np.linspace(0.0001, 0.9999, 999)
    assert [element(table.values, number) for number in numbers] == table(numbers).tolist()
