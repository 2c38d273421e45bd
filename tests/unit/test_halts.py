"""Halts on the engine: bands, pauses, auctions, sessions, gates and limits, one small market each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from delever.engine import tables as tb
from delever.engine.commands import FLAG_IOC, Kind, Result, batch
from delever.engine.events import E_ACCOUNT, E_KIND, E_LOTS, E_PRICE_TICKS, Event
from delever.engine.rules.halts import Halts, LimitUpDown, VolatilityAuction
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.venue import Venue

BUY, SELL = 1, -1
Order = tuple[int, int, int, int]  # account, side, lots, price


class Hall:
    """A venue with one market at 100 ticks, a thousand atoms a tick and lot, and rich traders; one step at a time."""

    def __init__(self, halts: dict[str, Any], deposits: tuple[int, ...] = (10**9,) * 3, **axes: Any) -> None:
        rules = {
            "halts": {"collar_ppm": 0, **halts},
            "mark": {"components": ["index"]},
            "charges": {"maker_ppm": 0, "taker_ppm": 0, "funding": None},
            "contract": {"lots_max": 1000},
            "insurance": {"initial_quote": 0, "disposal_share_ppm": 0},
            "deleveraging": {"trigger": "none"},
            **axes,
        }
        self.venue = Venue(
            RuleSet.model_validate(rules), [Market("X", 1000, 1000)], np.arange(len(deposits)),
            first_index_ticks=[100], check=True, orders_max=100,
        )  # fmt: skip
        accounts = np.arange(len(deposits))
        self.step(rows=batch(len(deposits), account=accounts, kind=Kind.DEPOSIT, amount=np.array(deposits)))

    def step(self, *orders: Order, index: int = 100, rows: np.ndarray | None = None) -> list[str]:
        """Process one step of LIMIT orders and return their answers."""
        made = [
            batch(1, account=account, kind=Kind.LIMIT, side=side, lots=lots, price_ticks=price)
            for account, side, lots, price in orders
        ]
        commands = rows if rows is not None else np.concatenate(made or [batch(0, account=0, kind=Kind.LIMIT)])
        report = self.venue.process(commands, np.array([index]))
        self.events = self.venue.drain_events()
        return [Result(code).name for code in report.results.tolist()]

    def trades(self) -> list[tuple[int, int, int]]:
        """Return (taker, signed lots, price) of the last step."""
        rows = self.events[self.events[:, E_KIND] == Event.FILL]
        return [tuple(row) for row in rows[:, [E_ACCOUNT, E_LOTS, E_PRICE_TICKS]].tolist()]

    @property
    def mode(self) -> str:
        """What one may do in the market now."""
        row = self.venue.tables.markets[0]
        if row[tb.M_AUCTION] == tb.IN_HALT:
            return "auction"
        return ("trading", "cancel-only", "reduce-only")[row[tb.M_HALT]]

    @property
    def band(self) -> tuple[int, int]:
        """The prices at which trades may take place."""
        row = self.venue.tables.markets[0]
        return int(row[tb.M_BAND_LOW]), int(row[tb.M_BAND_HIGH])


def wide_book(hall: Hall) -> None:
    """Let trader 0 offer five lots at 103 and five at 108."""
    hall.step((0, SELL, 5, 103), (0, SELL, 5, 108))


def test_an_order_trades_within_the_band_and_leans_against_it() -> None:
    """R-H10: what would trade at 108, beyond 105, rests at 105; an index or a seller of its own mind may meet it."""
    hall = Hall({"limit_up_down": {"limit_state_s": 100}})
    wide_book(hall)
    assert hall.band == (95, 105)
    assert hall.step((1, BUY, 20, 120)) == ["OK"]
    assert hall.trades() == [(1, 5, 103)]
    assert hall.venue.tables.markets[0, tb.M_BEST_BID] == 105
    hall.step((2, SELL, 2, 101))
    assert hall.trades() == [(2, -2, 105)]


def test_a_limit_state_that_lasts_pauses_and_reopens_by_auction() -> None:
    """R-H11: leaning in steps 2, 3 and 4, limit state of two seconds: auction from 4, uncrossed as 7 begins."""
    hall = Hall({"limit_up_down": {"limit_state_s": 2, "pause_s": 3}})
    hall.step((0, SELL, 5, 108))
    assert [hall.step((1, BUY, 20, 120)), hall.mode] == [["OK"], "trading"]
    hall.step()
    assert hall.mode == "trading"
    hall.step()
    assert hall.mode == "auction"
    hall.step((2, SELL, 4, 104))
    assert hall.trades() == []
    hall.step()
    hall.step()
    assert hall.trades() == [(2, -4, 104)]
    assert hall.mode == "trading"


def test_a_limit_state_that_ends_pauses_nothing() -> None:
    """R-H11: the bid that leaned is cancelled; the count begins anew."""
    hall = Hall({"limit_up_down": {"limit_state_s": 1, "mean_s": 1000}})
    wide_book(hall)
    hall.step((1, BUY, 20, 120))
    hall.step(rows=batch(1, account=1, kind=Kind.CANCEL_ALL))
    hall.step()
    assert hall.mode == "trading"


def test_the_band_is_doubled_at_open_and_close() -> None:
    """R-H11, US limit up, limit down: 5 % of 100 is 95 to 105; 10 % in the first 15 and last 25 minutes."""
    rule = LimitUpDown(width_ppm=50_000, session_s=23_400, doubled_first_s=900, doubled_last_s=1_500)
    assert [rule.width_at_ppm(time) for time in (0, 899, 900, 21_899, 21_900, 23_399, 23_400)] == [
        100_000, 100_000, 50_000, 50_000, 100_000, 100_000, 100_000,
    ]  # fmt: skip


@pytest.mark.parametrize(("high", "mode"), [(104, "trading"), (105, "cancel-only")])
def test_a_fast_move_pauses_trading(high: int, mode: str) -> None:
    """R-H12: five percent above the lowest of the window does, a tick less does not; then only cancellation."""
    hall = Hall({"breaker": {"width_ppm": 50_000, "window_s": 10, "pause_s": 2}})
    hall.step((0, SELL, 5, high), (1, BUY, 5, high))
    assert hall.mode == mode
    assert hall.step((0, SELL, 1, 150)) == ["OK" if mode == "trading" else "HALTED"]
    hall.step()
    assert hall.mode == "trading"


def test_a_limit_reached_becomes_the_reference() -> None:
    """R-H12, Coinbase Derivatives: from 100 up to 110, then from 110 on: 115 is no second move, 121 is."""
    rule = {
        "width_ppm": 100_000, "window_s": 1000, "reference": "interval", "limit_becomes_reference": True, "pause_s": 1,
    }  # fmt: skip
    hall = Hall({"breaker": rule})
    hall.step((0, SELL, 5, 112), (1, BUY, 5, 112))
    assert hall.mode == "cancel-only"
    hall.step((0, SELL, 1, 115), (1, BUY, 1, 115))
    assert hall.mode == "trading"
    hall.step((0, SELL, 1, 124), (1, BUY, 1, 124))
    assert hall.mode == "cancel-only"


def test_levels_of_decline_pause_each_once_and_the_last_ends_the_session() -> None:
    """R-H13: 5 % pauses for a second, 10 % until the session of eight seconds is over; a new session begins afresh."""
    levels = [{"fall_ppm": 50_000, "pause_s": 1}, {"fall_ppm": 100_000, "pause_s": 0}]
    hall = Hall({"daily": {"levels": levels, "session_s": 8}})
    hall.step((0, BUY, 5, 95), (0, BUY, 9, 89), (1, SELL, 5, 95))
    assert hall.mode == "cancel-only"
    assert hall.step((1, SELL, 1, 80)) == ["OK"]
    assert hall.mode == "cancel-only"
    assert [hall.step((1, SELL, 1, 80)) for _ in range(5)] == [["HALTED"]] * 5
    assert hall.step((1, SELL, 1, 80)) == ["OK"]
    assert hall.mode == "trading"


def test_a_hard_limit_binds_both_ways() -> None:
    """R-H13: no trade beyond seven percent of the session's reference."""
    hall = Hall({"daily": {"levels": [], "hard_ppm": 70_000}})
    hall.step((0, SELL, 5, 110), (0, BUY, 5, 90))
    assert hall.band == (93, 107)
    assert [hall.step((1, BUY, 1, 120)), hall.trades()] == [["OK"], []]
    hall.step(rows=batch(1, account=1, kind=Kind.CANCEL_ALL))
    assert [hall.step((1, SELL, 1, 80)), hall.trades()] == [["OK"], []]


@pytest.mark.parametrize(("lots_within", "traded"), [(57, []), (58, [(1, -58, 95)])])
def test_a_forced_fill_or_kill_order_counts_only_what_it_finds_within_the_band(lots_within: int, traded: Any) -> None:
    """R-H10, R-W22: 58 of 100 lots are above the lower tier; the bids at 90 are beyond the limit of 93."""
    tiers = [
        {"floor_quote": 0, "initial_ppm": 50_000, "maintenance_ppm": 25_000},
        {"floor_quote": 4, "initial_ppm": 100_000, "maintenance_ppm": 90_000},
    ]
    hall = Hall(
        {"daily": {"levels": [], "hard_ppm": 70_000}}, (10**9, 1_050_000, 10**9), margin={"tiers": tiers},
        liquidation={"step": {"kind": "ladder"}, "price": "market", "leftover": "retry"},
    )  # fmt: skip
    hall.step((0, SELL, 100, 100), (1, BUY, 100, 100))
    hall.step((2, BUY, lots_within, 95), (2, BUY, 100, 90))
    hall.step(index=95)
    assert hall.trades() == traded


def test_an_order_beyond_the_bounds_begins_an_auction() -> None:
    """R-H14: five trade at 103, the rest would at 108, beyond 105: it waits, and uncrosses two seconds later."""
    hall = Hall({"volatility_auction": {"width_ppm": 50_000, "auction_s": 2}})
    wide_book(hall)
    hall.step((1, BUY, 8, 120))
    assert (hall.trades(), hall.mode) == ([(1, 5, 103)], "auction")
    hall.step((2, SELL, 3, 104))
    assert (hall.trades(), hall.mode) == ([], "auction")
    hall.step()
    assert (hall.trades(), hall.mode) == ([(2, -3, 104)], "trading")


@pytest.mark.parametrize(("ioc", "mode", "bid"), [(False, "auction", 0), (True, "trading", 0)])
def test_an_order_that_never_rests_begins_no_auction_where_it_may_not(ioc: bool, mode: str, bid: int) -> None:
    """R-H10, Vega: five trade at 103 within 105; what is left of an IOC order expires. In the auction it is refused."""
    bounds = {"volatility_auction": {"width_ppm": 50_000, "auction_s": 5}}
    hall = Hall(bounds, matching={"auction": {"persistent_only": True}})
    wide_book(hall)
    flags = FLAG_IOC if ioc else 0
    order = batch(1, account=1, kind=Kind.LIMIT, side=BUY, lots=8, price_ticks=120, flags=flags)
    assert (hall.step(rows=order), hall.trades(), hall.mode) == (["OK"], [(1, 5, 103)], mode)
    assert hall.venue.tables.markets[0, tb.M_BEST_BID] == bid
    if mode == "auction":
        market = batch(1, account=2, kind=Kind.MARKET, side=SELL, lots=3)
        assert [hall.step(rows=each) for each in (order[:0], market, order)] == [[], ["HALTED"], ["OK"]]


def test_an_auction_that_would_leave_its_bounds_is_extended_once() -> None:
    """R-H14: nobody sells below 108, so that it ends there, but only after the extension."""
    hall = Hall({"volatility_auction": {"width_ppm": 50_000, "auction_s": 2, "extension_s": 3}})
    wide_book(hall)
    hall.step((1, BUY, 8, 120))
    for _ in range(4):
        hall.step()
        assert (hall.trades(), hall.mode) == ([], "auction")
    hall.step()
    assert (hall.trades(), hall.mode) == ([(1, 3, 108)], "trading")


def test_log_normal_bounds_are_those_vega_reports() -> None:
    """R-H14, Vega 0.79: horizon 10^5 s, probability 0.99, volatility 1.5: 802 to 1238 around 1,000."""
    rule = VolatilityAuction(horizon_s=100_000, probability_ppm=990_000, volatility_ppm=1_500_000)
    assert rule.bounds(1000) == (802, 1238)


def test_an_account_below_zero_closes_the_gate() -> None:
    """R-H15: 100 lots at 100 with 600,000 atoms are below zero at 90, in step 3: no withdrawal in steps 3 to 7."""
    hall = Hall(
        {"withdrawal_gate": {"duration_s": 5}}, (10**9, 600_000, 10**9), liquidation={"act": False},
    )  # fmt: skip
    hall.step((0, SELL, 100, 100), (1, BUY, 100, 100))
    withdraw = batch(1, account=2, kind=Kind.WITHDRAW, amount=1)
    assert hall.step(rows=withdraw) == ["OK"]
    hall.step(index=90)
    hall.step(index=100)
    assert [hall.step(rows=withdraw) for _ in range(4)] == [["HALTED"]] * 3 + [["OK"]]


@pytest.mark.parametrize(("pause", "closed"), [(None, False), ({}, True)])
def test_in_a_halt_forced_orders_are_refused_and_liquidation_may_be_paused(pause: Any, closed: bool) -> None:
    """R-H16: without the pause the unit is liquidated off the book; with it nobody is due until the halt ends."""
    hall = Hall(
        {"sessions": [{"start_s": 2, "length_s": 2}], "liquidation_pause": pause}, (10**9, 600_000, 10**9),
        liquidation={"leftover": "fund"}, insurance={"initial_quote": 10**6, "disposal_share_ppm": 0},
    )  # fmt: skip
    hall.step((0, SELL, 100, 100), (1, BUY, 100, 100))
    hall.step((0, BUY, 100, 95), index=95)
    kinds = hall.events[:, E_KIND].tolist()
    assert (Event.LIQUIDATION in kinds) is not closed
    assert Event.FILL not in kinds
    hall.step((0, BUY, 100, 95), index=95)
    hall.step((0, BUY, 100, 95), index=95)
    assert (Event.FILL in hall.events[:, E_KIND].tolist()) is closed


def test_a_position_is_limited_by_value_and_by_its_share_of_open_interest() -> None:
    """R-H17: up to 1 quote unit (10 lots at 100) always, beyond it a quarter of open interest, never above 4 units."""
    limit = {"value_quote": 4, "interest_ppm": 250_000, "free_quote": 1}
    hall = Hall({"position_limit": limit}, (10**9,) * 9)
    assert hall.step((0, SELL, 10, 100), (1, BUY, 11, 100), (1, BUY, 10, 100)) == ["OK", "POSITION_LIMIT", "OK"]
    for pair in (2, 4, 6):
        hall.step((pair, SELL, 10, 100), (pair + 1, BUY, 10, 100))
    assert hall.step((0, SELL, 1, 100), (8, BUY, 41, 100)) == ["POSITION_LIMIT", "POSITION_LIMIT"]


def test_sessions_restrict_what_orders_may_do() -> None:
    """R-H18: reduce-only in steps 2 and 3: closing five of five passes, more, or opening, does not; then an auction."""
    sessions = [{"start_s": 2, "length_s": 2, "mode": "reduce_only"}, {"start_s": 4, "length_s": 2, "mode": "auction"}]
    hall = Hall({"sessions": sessions})
    hall.step((0, SELL, 5, 103), (1, BUY, 5, 103))
    answers = hall.step((1, BUY, 1, 103), (1, SELL, 6, 103), (1, SELL, 3, 103), (1, SELL, 3, 104), (1, SELL, 2, 104))
    assert answers == ["HALTED", "HALTED", "OK", "HALTED", "OK"]
    assert hall.mode == "reduce-only"
    hall.step()
    hall.step((2, BUY, 5, 104))
    assert (hall.trades(), hall.mode) == ([], "auction")
    hall.step()
    hall.step()
    assert hall.trades() == [(2, 3, 104), (2, 2, 104)]


@pytest.mark.parametrize(
    ("halts", "says"),
    [
        ({"limit_up_down": {}, "volatility_auction": {}}, "choose one"),
        ({"sessions": [{"start_s": 0, "length_s": 5}, {"start_s": 4, "length_s": 1}]}, "sessions must not overlap"),
        ({"daily": {"levels": []}}, "at least one level"),
        ({"daily": {"levels": [{"fall_ppm": 2, "pause_s": 1}, {"fall_ppm": 1, "pause_s": 1}]}}, "ordered by fall_ppm"),
        ({"position_limit": {}}, "needs value_quote, interest_ppm or supply_ppm"),
        ({"limit_up_down": {"width_ppm": 600_000, "doubled_first_s": 1}}, "must stay below 100 %"),
    ],
)
def test_halts_that_mean_nothing_are_refused(halts: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Halts.model_validate(halts)
