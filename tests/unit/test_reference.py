"""Orders, money and margin of the reference venue against numbers worked out by hand."""

from __future__ import annotations

import pytest

from tests.reference import margin

from .desk import Desk, command

RICH = 100_000


def test_fill_opens_closes_part_and_flips() -> None:
    """R-M4: 10 bought at 100; 4 sold at 110; 9 sold at 90."""
    desk = Desk([RICH, RICH])
    desk.trade(0, 1, 10, 100)
    assert desk.held(0) == (10, 1000)
    desk.trade(1, 0, 4, 110)  # removed cost 1000*4//10 = 400; realised 440 - 400 = 40
    assert desk.held(0) == (6, 600)
    assert desk.cash(0) == RICH + 40
    desk.trade(1, 0, 9, 90)  # 6 close: 540 - 600 = -60; 3 open short: cost -270
    assert desk.held(0) == (-3, -270)
    assert desk.cash(0) == RICH + 40 - 60


def test_removed_cost_is_rounded_down() -> None:
    """R-M4: 1 at 100 and 2 at 101 cost 302; closing 1 removes 302//3 = 100, so 202 stay for 2 lots."""
    desk = Desk([RICH, RICH])
    desk.trade(0, 1, 1, 100)
    desk.trade(0, 1, 2, 101)
    desk.trade(1, 0, 1, 100)
    assert desk.held(0) == (2, 202)
    assert desk.cash(0) == RICH


@pytest.mark.parametrize(("direction", "fee"), [("up", 2), ("down", 1)])
def test_fees_and_rebates(direction: str, fee: int) -> None:
    """R-M6: value 30*101 = 3030; taker 500 ppm = 1.515; maker rebate 400 ppm = 1.212, paid rounded down."""
    charges = {"maker_ppm": -400, "taker_ppm": 500, "funding": None}
    desk = Desk([RICH, RICH], charges=charges, rounding={"fee": direction})
    desk.trade(0, 1, 30, 101)
    assert desk.cash(0) == RICH - fee
    assert desk.cash(1) == RICH + 1
    assert desk.venue.balance("FEES") == fee - 1


def test_time_priority_and_makers_price() -> None:
    """R-O1: the better price first, then the older order, each at its own price."""
    desk = Desk([RICH] * 4)
    desk.limit(0, -1, 2, 101)
    desk.limit(1, -1, 2, 101)
    desk.limit(2, -1, 2, 100)
    desk.limit(3, 1, 5, 105)
    assert desk.traded() == [(3, 2, 2, 100, 0), (3, 0, 2, 101, 0), (3, 1, 1, 101, 0)]


def test_time_in_force() -> None:
    """R-O2, R-O3: IOC takes what is there, FOK all or nothing, POST_ONLY never takes, MARKET never rests."""
    desk = Desk([RICH, RICH])
    desk.limit(0, -1, 3, 100)
    assert desk.limit(1, 1, 4, 100, fok=True) == "NOT_FILLABLE"
    assert desk.limit(1, 1, 1, 100, post_only=True) == "WOULD_CROSS"
    assert desk.limit(1, 1, 3, 100, fok=True) == "OK"
    desk.limit(0, -1, 3, 100)
    assert desk.limit(1, 1, 4, 100, ioc=True) == "OK"
    assert desk.market(1, 1, 4) == "OK"
    assert desk.book(1) == []
    assert desk.held(1)[0] == 6


@pytest.mark.parametrize(
    ("policy", "result", "bought", "own_left"),
    [
        ("cancel_newest", "NOT_FILLABLE", 0, 2),
        ("cancel_oldest", "OK", 3, 0),
        ("cancel_both", "NOT_FILLABLE", 0, 2),
    ],
)
def test_fok_and_own_orders(policy: str, result: str, bought: int, own_left: int) -> None:
    """R-O3, R-O5: own 2 at 100 stand before 3 of another at 101; only cancel_oldest gets past them."""
    desk = Desk([RICH, RICH], matching={"self_trade": policy})
    desk.limit(0, -1, 2, 100)
    desk.limit(1, -1, 3, 101)
    assert desk.limit(0, 1, 3, 101, fok=True) == result
    assert desk.held(0)[0] == bought
    assert sum(lots for account, _, lots in desk.book(-1) if account == 0) == own_left


@pytest.mark.parametrize(
    ("policy", "asks", "bids"),
    [("cancel_newest", [(0, 100, 2)], []), ("cancel_oldest", [], [(0, 100, 5)]), ("cancel_both", [], [])],
)
def test_self_trade_prevention(policy: str, asks: list[object], bids: list[object]) -> None:
    """R-O5: who is cancelled when an account meets itself."""
    desk = Desk([RICH], matching={"self_trade": policy})
    desk.limit(0, -1, 2, 100)
    assert desk.limit(0, 1, 5, 100) == "OK"
    assert (desk.book(-1), desk.book(1)) == (asks, bids)


def test_reduce_only_taker_is_cut() -> None:
    """R-O4: long 3, reduce-only sell of 10 sells 3; flat or wrong sign is refused."""
    desk = Desk([RICH, RICH])
    assert desk.limit(0, -1, 1, 100, reduce_only=True) == "NOT_REDUCING"
    desk.trade(0, 1, 3, 100)
    assert desk.limit(0, 1, 1, 100, reduce_only=True) == "NOT_REDUCING"
    desk.limit(1, 1, 20, 99)
    assert desk.market(0, -1, 10, reduce_only=True) == "OK"
    assert desk.held(0) == (0, 0)


def test_reduce_only_maker_is_cut_when_reached() -> None:
    """R-O4: long 5 offers 5 twice, sells 3 elsewhere; the first trades 2 and leaves, the second leaves."""
    desk = Desk([RICH, RICH, RICH])
    desk.trade(0, 1, 5, 100)
    desk.limit(0, -1, 5, 101, reduce_only=True)
    desk.limit(0, -1, 5, 102, reduce_only=True)
    desk.trade(2, 0, 3, 100)
    desk.limit(1, -1, 4, 103)
    desk.limit(2, 1, 4, 103)
    assert desk.traded() == [(2, 0, 2, 101, 0), (2, 1, 2, 103, 0)]
    assert desk.book(-1) == [(1, 103, 2)]


def test_fok_counts_no_reduce_only_maker() -> None:
    """R-O3: 5 lots offered reduce-only do not count for a FOK order of 5."""
    desk = Desk([RICH, RICH, RICH])
    desk.trade(0, 1, 5, 100)
    desk.limit(0, -1, 5, 101, reduce_only=True)
    assert desk.limit(2, 1, 5, 101, fok=True) == "NOT_FILLABLE"


def test_replace_keeps_place_only_for_fewer_lots() -> None:
    """R-O6: 5 -> 3 keeps the first place, 3 -> 4 loses it."""
    desk = Desk([RICH, RICH])
    desk.limit(0, 1, 5, 99, tag=7)
    desk.limit(1, 1, 5, 99)
    assert desk.do("REPLACE", 0, tag=7, lots=3, price=99) == "OK"
    assert desk.book(1) == [(0, 99, 3), (1, 99, 5)]
    assert desk.do("REPLACE", 0, tag=7, lots=4, price=99) == "OK"
    assert desk.book(1) == [(1, 99, 5), (0, 99, 4)]


def test_replace_refused_loses_the_old_order_and_keeps_post_only() -> None:
    """R-O6: the new order of a post-only one would cross: refused, the old one is gone."""
    desk = Desk([RICH, RICH])
    desk.limit(1, -1, 5, 101)
    desk.limit(0, 1, 5, 99, tag=7, post_only=True)
    assert desk.do("REPLACE", 0, tag=7, lots=5, price=101) == "WOULD_CROSS"
    assert desk.book(1) == []


def test_cancel_takes_the_newest_of_a_tag() -> None:
    """R-O2: two orders with one tag, the newer goes first; then CANCEL_ALL takes waiting ones too."""
    desk = Desk([RICH])
    desk.limit(0, 1, 5, 99, tag=7)
    desk.limit(0, 1, 6, 98, tag=7)
    desk.do("STOP", 0, side=1, lots=1, trigger=200)
    assert desk.do("CANCEL", 0, tag=7) == "OK"
    assert desk.book(1) == [(0, 99, 5)]
    assert desk.do("CANCEL", 0, tag=8) == "UNKNOWN_ORDER"
    assert desk.do("CANCEL_ALL", 0) == "OK"
    assert (desk.book(1), desk.venue.waiting(0)) == ([], [])


def test_stop_by_last_waits_for_the_step_after_the_trade() -> None:
    """R-O7: sell STOP at 95; 95 trades in one step, the stop sells to the bid at 90 in the next."""
    desk = Desk([RICH, RICH, RICH])
    desk.trade(0, 1, 4, 100)
    desk.limit(2, 1, 9, 90)
    assert desk.do("STOP", 0, side=-1, lots=4, trigger=95) == "OK"
    desk.trade(1, 2, 1, 95)
    assert desk.held(0)[0] == 4
    desk.step()
    assert desk.traded() == [(0, 2, -4, 90, 0)]


def test_take_profit_by_mark_and_refused_when_triggered() -> None:
    """R-O7, R-O9: sell TAKE_PROFIT at mark 105; reduce-only on a flat position is refused when triggered."""
    desk = Desk([RICH, RICH])
    assert desk.do("TAKE_PROFIT", 0, side=-1, lots=1, trigger=105, by_mark=True, reduce_only=True) == "OK"
    desk.step(index=104)
    desk.step(index=105)
    assert len(desk.venue.waiting(0)) == 1
    desk.step()
    assert desk.venue.waiting(0) == []
    assert desk.venue.refusals == {"NOT_REDUCING": 1}


def test_collar_bounds_orders() -> None:
    """R-O8: 5 % around 101: a sell from 95.95 up to 96, a buy to 106.05 down to 106; a MARKET order stops there."""
    desk = Desk([RICH, RICH], halts={"collar_ppm": 50_000})
    desk.step(index=101)
    assert desk.limit(0, -1, 1, 95) == "COLLAR"
    assert desk.limit(0, 1, 1, 107) == "COLLAR"
    assert desk.limit(0, 1, 1, 90) == "OK"  # far and passive
    desk.step(index=113)
    desk.limit(0, -1, 1, 112)
    desk.step(index=106)
    assert desk.market(1, 1, 2) == "OK"  # 106 * 1.05 = 111.3 -> 111: the offer at 112 is out of reach
    assert desk.held(1) == (0, 0)


REFUSALS = [
    ("ACCOUNT", {"account": 9, "market": 9}),
    ("MARKET", {"market": 1, "kind": "NONE"}),
    ("KIND", {"kind": "NONE", "side": 0}),
    ("SIDE", {"side": 0, "lots": 0}),
    ("LOTS", {"lots": 2**62, "price": 0}),
    ("PRICE", {"price": 1000, "fok": True, "ioc": True}),
    ("TRIGGER", {"kind": "STOP", "trigger": 0, "fok": True, "ioc": True}),
    ("FLAGS", {"fok": True, "ioc": True}),
    ("FLAGS", {"kind": "MARKET", "post_only": True}),
    ("PRICE", {"kind": "REPLACE", "price": 0}),
    ("UNKNOWN_ORDER", {"kind": "REPLACE"}),
    ("AMOUNT", {"kind": "DEPOSIT", "amount": 2**53 + 1, "market": 9}),
    ("AMOUNT", {"kind": "SET_MODE", "amount": 2}),
    ("MODE", {"kind": "MOVE_MARGIN", "amount": 1}),
]


@pytest.mark.parametrize(("code", "fields"), REFUSALS)
def test_refusals_in_order(code: str, fields: dict[str, object]) -> None:
    """R-O9: of two things wrong the first in the list is named, and nothing changes."""
    desk = Desk([RICH])
    sound = command("LIMIT", 0, side=1, lots=1, price=100, trigger=100)
    assert desk.step(sound | fields) == [code]
    assert desk.venue.refusals == {code: 1}
    assert desk.book(1) == []


def test_order_limits() -> None:
    """R-O9: three orders an account; IOC needs no room; exposure is limited by lots_max."""
    desk = Desk([RICH], contract={"orders_per_account_max": 3, "lots_max": 5})
    assert desk.limit(0, 1, 5, 99) == "OK"
    assert desk.limit(0, 1, 1, 99) == "POSITION_LIMIT"
    assert desk.do("STOP", 0, side=1, lots=5, trigger=200) == "OK"
    assert desk.limit(0, -1, 5, 101) == "OK"
    assert desk.limit(0, -1, 1, 101) == "ORDER_LIMIT"
    assert desk.limit(0, -1, 1, 101, ioc=True) == "POSITION_LIMIT"


def test_tiers_and_deduction() -> None:
    """R-A1, R-A2: tier two from 1 quote: deduction 10**6 * 5 % = 50,000; MM(2 quote) = 150,000."""
    tiers = [
        {"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000},
        {"floor_quote": 1, "initial_ppm": 200_000, "maintenance_ppm": 100_000},
    ]
    desk = Desk([RICH], margin={"tiers": tiers, "leverage_max": 8})
    state = desk.venue.state
    assert margin.maintenance_of(state, 0, 9_999, 100) == 49_995
    assert margin.maintenance_of(state, 0, 10_000, 100) == 50_000
    assert margin.maintenance_of(state, 0, 20_000, 100) == 150_000
    assert margin.initial_of(state, 0, 0, 9_999) == 124_988  # 999,900 / 8 = 124,987.5 up
    assert margin.initial_of(state, 0, 0, 20_000) == 400_000


def test_open_orders_are_margined_by_exposure() -> None:
    """R-A5 to R-A7: 100 atoms carry 10 lots; an order on the other side costs nothing; open loss counts."""
    desk = Desk([100, RICH])
    assert desk.limit(0, 1, 10, 101) == "MARGIN"  # 10 over mark: open loss 10, IM 100
    assert desk.limit(0, 1, 10, 100) == "OK"
    assert desk.limit(0, 1, 1, 100) == "MARGIN"
    assert desk.limit(0, -1, 10, 101) == "OK"
    assert desk.do("WITHDRAW", 0, amount=1) == "MARGIN"


def test_market_order_open_loss_is_from_the_best_opposite_price() -> None:
    """R-A7: 10 lots, IM 100; best ask 103 = open loss 30, fee ceil(1000 * 0.05 %) = 1."""
    charges = {"taker_ppm": 500, "maker_ppm": 0, "funding": None}
    for wealth, result in ((130, "MARGIN"), (131, "OK")):
        desk = Desk([wealth, RICH], charges=charges)
        desk.limit(1, -1, 1, 103)
        assert desk.market(0, 1, 10) == result


def test_own_leverage() -> None:
    """R-O11, R-A3: own initial 50 %: 10 lots need 500; a rate that cannot be carried is refused."""
    desk = Desk([499, RICH])
    assert desk.do("SET_LEVERAGE", 0, amount=500_000) == "OK"
    assert desk.limit(0, 1, 10, 100) == "MARGIN"
    assert desk.do("SET_LEVERAGE", 0, amount=0) == "OK"
    assert desk.limit(0, 1, 10, 100) == "OK"
    assert desk.do("SET_LEVERAGE", 0, amount=500_000) == "MARGIN"
    assert desk.do("SET_LEVERAGE", 0, amount=499_000) == "OK"


def test_isolated_margin_goes_in_and_out() -> None:
    """R-M7: 10 lots at 100 take 100 along; selling 4 at 110 releases 100*4//10 + 40 = 80."""
    desk = Desk([500, RICH], margin=PLAIN_ISOLATED)
    desk.trade(0, 1, 10, 100)
    assert (desk.cash(0), desk.pocket(0)) == (400, 100)
    desk.trade(1, 0, 4, 110)
    assert (desk.cash(0), desk.pocket(0)) == (480, 60)
    desk.trade(1, 0, 3, 95)  # r = -15; 60*3//6 - 15 = 15
    assert (desk.cash(0), desk.pocket(0)) == (495, 30)
    desk.trade(1, 0, 3, 95)  # flat: all of 30 - 15
    assert (desk.cash(0), desk.pocket(0)) == (510, 0)


def test_isolated_flip_keeps_margin_for_the_new_side() -> None:
    """R-M7: long 10 at 100, sell 15 at 110: 100 + 100 go out, then 5*110*10 % = 55 go in."""
    desk = Desk([500, RICH], margin=PLAIN_ISOLATED)
    desk.trade(0, 1, 10, 100)
    desk.trade(1, 0, 15, 110)
    assert desk.held(0) == (-5, -550)
    assert (desk.cash(0), desk.pocket(0)) == (545, 55)


def test_move_margin_and_mode() -> None:
    """R-O10, R-O11: out only above IM; a flat pocket's money goes home with the mode."""
    desk = Desk([500, RICH], margin=PLAIN_ISOLATED)
    desk.trade(0, 1, 10, 100)
    assert desk.do("MOVE_MARGIN", 0, amount=401) == "MARGIN"
    assert desk.do("MOVE_MARGIN", 0, amount=50) == "OK"
    assert desk.do("MOVE_MARGIN", 0, amount=-51) == "MARGIN"
    assert desk.do("MOVE_MARGIN", 0, amount=-20) == "OK"
    assert (desk.cash(0), desk.pocket(0)) == (370, 130)
    assert desk.do("SET_MODE", 0, amount=0) == "MODE"
    desk.trade(1, 0, 10, 100)
    assert desk.do("MOVE_MARGIN", 0, amount=50) == "OK"
    assert desk.do("SET_MODE", 0, amount=0) == "OK"
    assert (desk.cash(0), desk.pocket(0)) == (500, 0)


PLAIN_ISOLATED = {
    "mode": "isolated",
    "tiers": [{"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000}],
}
