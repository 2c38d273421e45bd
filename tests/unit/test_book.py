"""The order book of the engine against examples worked out by hand; the laws are checked after every step."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from delever.engine.book import fillable, find_order, remove, rest, take_row
from delever.engine.commands import FLAG_REDUCE_ONLY, Kind
from delever.engine.events import E_KIND, E_PRICE_TICKS, EVENTS_PER_MATCH, Event
from delever.engine.invariants import check_book
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market, allocate
from delever.engine.tables import (
    L_LOTS,
    M_BEST_ASK,
    M_BEST_BID,
    NONE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    V_EVENTS_MAX,
    V_FREE_ORDERS,
    V_SEQUENCE,
    Tables,
)
from tests.engine_side import encode

from .desk import command
from .engine_desk import EngineDesk

RICH = 100_000
LIMIT = int(Kind.LIMIT)


def ladder(orders: list[tuple[int, int, int, int]], flags: int = 0) -> tuple[Tables, list[int]]:
    """Return tables with resting orders (account, side, lots, price) and their rows."""
    t = allocate(RuleSet(), [Market("M0", 1, 5_000)], np.arange(4), [100], 100, False)
    rows = []
    for account, side, lots, price in orders:
        t.venue[V_SEQUENCE] += 1
        rows.append(take_row(t, account, 0, LIMIT, side, lots, price, 0, flags, len(rows)))
        rest(t, rows[-1])
        check_book(t)
    return t, rows


def bests(t: Tables) -> tuple[int, int]:
    """Return best bid and best ask."""
    return int(t.markets[0, M_BEST_BID]), int(t.markets[0, M_BEST_ASK])


def test_bests_follow_what_rests_and_leaves() -> None:
    """R-O1, law I4: the next best is found over empty words of the bit map, and 0 and price_max mean none."""
    t, rows = ladder([(0, 1, 1, 40), (1, 1, 2, 99), (0, 1, 3, 99), (2, -1, 4, 101), (3, -1, 5, 4_999)])
    assert bests(t) == (99, 101)
    remove(t, rows[1])
    assert bests(t) == (99, 101)
    assert t.levels[0, 99, L_LOTS] == 3
    remove(t, rows[2])
    assert bests(t) == (40, 101)
    remove(t, rows[3])
    assert bests(t) == (40, 4_999)
    for row in (rows[0], rows[4]):
        remove(t, row)
    assert bests(t) == (0, 5_000)
    assert t.venue[V_FREE_ORDERS] == 101
    check_book(t)


def test_positions_know_what_rests() -> None:
    """Law I5: bids and asks of a position are its resting lots, reduce-only ones not counted (R-A6)."""
    t, rows = ladder([(0, 1, 3, 90), (0, 1, 4, 91), (0, -1, 5, 101)])
    assert t.positions[0, [P_BIDS_LOTS, P_ASKS_LOTS]].tolist() == [7, 5]
    remove(t, rows[0])
    assert t.positions[0, [P_BIDS_LOTS, P_ASKS_LOTS]].tolist() == [4, 5]
    t, _ = ladder([(0, 1, 3, 90)], flags=FLAG_REDUCE_ONLY)
    assert t.positions[0, P_BIDS_LOTS] == 0


def test_a_resting_order_never_crosses() -> None:
    """Law I4: the book refuses to hold a bid at or above the best ask, and the other way round."""
    for wrong in ((1, 1, 1, 101), (1, -1, 1, 99)):
        with pytest.raises(AssertionError):
            ladder([(0, 1, 1, 99), (0, -1, 1, 101), wrong])


def test_newest_order_of_a_tag_is_found() -> None:
    """R-O2: of two orders with one tag the newer; nobody else's, no other market's."""
    t, rows = ladder([(0, 1, 1, 90), (0, 1, 1, 95), (1, 1, 1, 96)])
    assert [find_order(t, 0, 0, tag) for tag in (0, 1, 2)] == [rows[0], rows[1], NONE]


@pytest.mark.parametrize(
    ("lots", "limit", "stops_at_own", "found"),
    [
        (5, 101, False, True),
        (6, 101, False, False),
        (6, 103, False, True),
        (12, 103, False, True),
        (13, 103, False, False),
        (5, 101, True, True),
        (6, 103, True, False),
        (6, 5, False, False),
    ],
)
def test_fok_walks_to_its_limit(lots: int, limit: int, stops_at_own: bool, found: bool) -> None:
    """R-O3: account 3 wants to buy; 5 at 101, its own 9 at 102, 7 at 103."""
    t, _ = ladder([(0, -1, 2, 101), (1, -1, 3, 101), (3, -1, 9, 102), (0, -1, 7, 103)])
    assert fillable(t, 3, 0, 1, lots, limit, stops_at_own) == found


def test_price_then_time_at_the_makers_price() -> None:
    """R-O1: the better price first, then the older order, each at its own price; what is left rests."""
    desk = EngineDesk([RICH] * 4)
    desk.limit(0, -1, 2, 101)
    desk.limit(1, -1, 2, 101)
    desk.limit(2, -1, 2, 100)
    desk.limit(3, 1, 7, 105)
    assert desk.traded() == [(3, 2, 2, 100, 0), (3, 0, 2, 101, 0), (3, 1, 2, 101, 0)]
    assert desk.book(1) == [(3, 105, 1)]
    assert desk.book(-1) == []


def test_a_partly_filled_maker_keeps_its_place() -> None:
    """R-O1: 2 of 5 lots taken, the older maker still trades first."""
    desk = EngineDesk([RICH] * 3)
    desk.limit(0, 1, 5, 99)
    desk.limit(1, 1, 5, 99)
    desk.market(2, -1, 2)
    assert desk.book(1) == [(0, 99, 3), (1, 99, 5)]
    desk.market(2, -1, 4)
    assert desk.traded() == [(2, 0, -3, 99, 0), (2, 1, -1, 99, 0)]


def test_replace_keeps_place_only_for_fewer_lots_at_the_price() -> None:
    """R-O6: 5 -> 3 keeps the first place, 3 -> 4 loses it, so does another price and back."""
    desk = EngineDesk([RICH, RICH])
    desk.limit(0, 1, 5, 99, tag=7)
    desk.limit(1, 1, 5, 99)
    assert desk.do("REPLACE", 0, tag=7, lots=3, price=99) == "OK"
    assert desk.book(1) == [(0, 99, 3), (1, 99, 5)]
    assert desk.do("REPLACE", 0, tag=7, lots=4, price=99) == "OK"
    assert desk.book(1) == [(1, 99, 5), (0, 99, 4)]


def test_replace_may_trade() -> None:
    """R-O6: at another price the order is admitted anew and takes what it meets."""
    desk = EngineDesk([RICH, RICH])
    desk.limit(0, 1, 5, 99, tag=7)
    desk.limit(1, -1, 2, 101)
    assert desk.do("REPLACE", 0, tag=7, lots=6, price=102) == "OK"
    assert desk.traded() == [(0, 1, 2, 101, 0)]
    assert desk.book(1) == [(0, 102, 4)]


def test_cancel_takes_the_newest_of_a_tag_and_finds_the_next_best() -> None:
    """R-O2: two orders with one tag, the newer goes first, then the older; then there is none."""
    desk = EngineDesk([RICH])
    desk.limit(0, 1, 5, 60, tag=7)
    desk.limit(0, 1, 6, 98, tag=7)
    assert [bests(desk.t)[0], desk.do("CANCEL", 0, tag=7), bests(desk.t)[0]] == [98, "OK", 60]
    assert [desk.do("CANCEL", 0, tag=7), bests(desk.t)[0]] == ["OK", 0]
    assert desk.do("CANCEL", 0, tag=7) == "UNKNOWN_ORDER"


def test_cancel_all_takes_waiting_orders_too_and_nothing_of_another_market() -> None:
    """R-O2: one market is emptied of one account."""
    desk = EngineDesk([RICH, RICH], markets=2)
    desk.limit(0, 1, 5, 99)
    desk.limit(1, 1, 5, 98)
    desk.do("STOP", 0, side=1, lots=1, trigger=200)
    desk.limit(0, 1, 5, 97, market=1)
    assert desk.do("CANCEL_ALL", 0) == "OK"
    assert (desk.book(1), desk.seen["waiting", 0], desk.book(1, market=1)) == ([(1, 98, 5)], [], [(0, 97, 5)])


def test_post_only_never_takes() -> None:
    """R-O3: refused at the best ask, resting one tick below it."""
    desk = EngineDesk([RICH, RICH])
    desk.limit(1, -1, 1, 101)
    assert desk.limit(0, 1, 1, 101, post_only=True) == "WOULD_CROSS"
    assert desk.limit(0, 1, 1, 100, post_only=True) == "OK"
    assert desk.book(1) == [(0, 100, 1)]


def test_fok_and_ioc_never_rest() -> None:
    """R-O2, R-O3, R-O12: FOK all or nothing; IOC what is there; a LIMIT rests with what is left."""
    desk = EngineDesk([RICH, RICH])
    desk.limit(0, -1, 3, 100)
    assert desk.limit(1, 1, 4, 100, fok=True) == "NOT_FILLABLE"
    assert desk.limit(1, 1, 3, 100, fok=True) == "OK"
    desk.limit(0, -1, 3, 100)
    assert desk.limit(1, 1, 4, 100, ioc=True) == "OK"
    assert (desk.book(1), desk.held(1)[0]) == ([], 6)
    desk.limit(0, -1, 3, 100)
    assert desk.limit(1, 1, 4, 100) == "OK"
    assert desk.book(1) == [(1, 100, 1)]


@pytest.mark.parametrize(
    ("policy", "asks", "bids"),
    [("cancel_newest", [(0, 100, 2)], []), ("cancel_oldest", [], [(0, 100, 5)]), ("cancel_both", [], [])],
)
def test_self_trade_prevention(policy: str, asks: list[object], bids: list[object]) -> None:
    """R-O5: who is cancelled when an account meets itself."""
    desk = EngineDesk([RICH], matching={"self_trade": policy})
    desk.limit(0, -1, 2, 100)
    assert desk.limit(0, 1, 5, 100) == "OK"
    assert (desk.book(-1), desk.book(1)) == (asks, bids)


def test_reduce_only_makers_are_cut_when_reached() -> None:
    """R-O4: long 5 offers 5 twice, sells 3 elsewhere; the first trades 2 and leaves, the second leaves."""
    desk = EngineDesk([RICH, RICH, RICH])
    desk.trade(0, 1, 5, 100)
    desk.limit(0, -1, 5, 101, reduce_only=True)
    desk.limit(0, -1, 5, 102, reduce_only=True)
    desk.trade(2, 0, 3, 100)
    desk.limit(1, -1, 4, 103)
    desk.limit(2, 1, 4, 103)
    assert desk.traded() == [(2, 0, 2, 101, 0), (2, 1, 2, 103, 0)]
    assert desk.book(-1) == [(1, 103, 2)]


def test_a_long_match_survives_a_full_event_buffer() -> None:
    """R-O1: one order against 300 makers; the buffer, cut to 100 rows above its reserve, is emptied on the way."""
    makers, reserve = 300, 400 + EVENTS_PER_MATCH
    desk = EngineDesk([10**9, 10**9], orders_max=1_000, contract={"orders_per_account_max": 400})
    asks = [command("LIMIT", 0, side=-1, lots=1, price=100 + i % 5) for i in range(makers)]
    assert set(desk.step(*asks)) == {"OK"}
    desk.t.venue[V_EVENTS_MAX] = reserve + 100
    batches: list[NDArray[np.int64]] = []
    desk.engine.set_sink(batches.append)
    desk.engine.process(encode([command("MARKET", 1, side=1, lots=makers)]), np.array([100]))
    fills = [row for row in np.concatenate(batches).tolist() if row[E_KIND] == Event.FILL]
    assert len(batches) > 2
    assert [row[E_PRICE_TICKS] for row in fills] == sorted(100 + i % 5 for i in range(makers))
    assert desk.side.observe()["position", 1, 0] == (makers, 102 * makers)
