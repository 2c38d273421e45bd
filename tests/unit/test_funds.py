"""R-W57, R-W58: funds of single markets, and what the fund is given of the fees; worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from .desk import command
from .engine_desk import EngineDesk

QUOTE = 1_000_000
ANN, BOB, CAT = range(3)


def desk_with(**insurance: Any) -> EngineDesk:
    """Two markets of one quote a tick; each has a fund of 100 beside the shared one of 50, unless told otherwise."""
    chosen = {"initial_quote": 50, "market_funds": {"initial_quote": 100}} | insurance
    return EngineDesk(
        [100 * QUOTE, 10_000 * QUOTE, 10_000 * QUOTE],
        markets=2,
        multiplier=QUOTE,
        insurance=chosen,
        margin={"mode": "isolated", "isolated_allowed": True},
        contract={"lots_max": 1_000},
    )


def ruin_ann(desk: EngineDesk, market: int, bid: int) -> None:
    """Ann buys 10 at 100 with all she has; Bob stands ready to buy at `bid` when the index falls there."""
    desk.step(
        command("LIMIT", BOB, market, side=-1, lots=10, price=100),
        command("LIMIT", ANN, market, side=1, lots=10, price=100),
    )
    desk.step(command("LIMIT", CAT, market, side=1, lots=10, price=bid))
    desk.index = [bid if m == market else 100 for m in (0, 1)]
    desk.step()


def test_a_pocket_is_paid_for_by_the_fund_of_its_market() -> None:
    """R-W57: 30 are missing in M1; the fund of M1 pays, the others keep what they have."""
    desk = desk_with()
    assert [desk.money(name) for name in ("FUND", "FUND/M0", "FUND/M1")] == [50 * QUOTE, 100 * QUOTE, 100 * QUOTE]
    ruin_ann(desk, 1, 87)
    assert [desk.money(name) for name in ("FUND", "FUND/M0", "FUND/M1")] == [50 * QUOTE, 100 * QUOTE, 70 * QUOTE]
    assert desk.seen["postings"]["DEFICIT", "FUND/M1", ("pocket", ANN, 1)] == 30 * QUOTE


def test_a_fund_that_is_empty_is_not_helped_by_the_others() -> None:
    """R-W57: the fund of M1 has 100 of 150; 50 are bad debt while 150 lie in the others."""
    desk = desk_with()
    ruin_ann(desk, 1, 75)
    assert [desk.money(name) for name in ("FUND", "FUND/M0", "FUND/M1")] == [50 * QUOTE, 100 * QUOTE, 0]
    assert desk.money("BAD_DEBT") == -50 * QUOTE


def test_a_market_that_is_not_named_shares_the_fund() -> None:
    """R-W57: only M0 has its own; the deficit in M1 falls on the shared fund."""
    desk = desk_with(market_funds={"initial_quote": 100, "only": ["M0"]})
    assert desk.money("FUND/M1") == 0
    ruin_ann(desk, 1, 87)
    assert [desk.money(name) for name in ("FUND", "FUND/M0", "FUND/M1")] == [20 * QUOTE, 100 * QUOTE, 0]


@pytest.mark.parametrize(("price", "lots"), [(93, 10), (60, 0)])
def test_a_market_s_fund_takes_over_with_its_own_money(price: int, lots: int) -> None:
    """R-W5, R-W57: at 93 buying at 90 gains; at 60 it would lose 300, three times what the fund has."""
    desk = EngineDesk(
        [100 * QUOTE, 10_000 * QUOTE, 10_000 * QUOTE],
        multiplier=QUOTE,
        insurance={"initial_quote": 100_000, "market_funds": {"initial_quote": 100}},
        liquidation={"stage": "takeover_only", "leftover": "fund"},
        contract={"lots_max": 1_000},
    )
    desk.step(
        command("LIMIT", BOB, side=-1, lots=10, price=100),
        command("LIMIT", ANN, side=1, lots=10, price=100),
    )
    desk.step(index=price)
    assert desk.held("FUND") == (lots, lots * 90 * QUOTE)
    desk.step(index=100)
    assert desk.money("FUND/M0") == 100 * QUOTE


def test_fees_are_shared_between_fund_and_venue() -> None:
    """R-W58: a tenth of the trading fees in the next step, half of a liquidation fee at once."""
    desk = EngineDesk(
        [200 * QUOTE, 10_000 * QUOTE, 10_000 * QUOTE],
        multiplier=QUOTE,
        insurance={"initial_quote": 0, "contribution": {"trading_fee_ppm": 100_000, "liquidation_fee_ppm": 500_000}},
        charges={"taker_ppm": 1_000, "maker_ppm": 0, "liquidation_ppm": 10_000},
        contract={"lots_max": 1_000},
    )
    desk.step(
        command("LIMIT", BOB, side=-1, lots=10, price=100),
        command("LIMIT", ANN, side=1, lots=10, price=100),
    )
    assert desk.money("FUND") == QUOTE // 10  # a tenth of 1 quote, 0.1 % of 1000
    assert desk.money("FEES") == QUOTE * 9 // 10
    desk.step(command("LIMIT", CAT, side=1, lots=10, price=83))
    desk.step(index=83)  # ann has 200 - 1 - 170 = 29 and owes 8.3 of fee
    assert desk.seen["postings"]["LIQUIDATION_FEE", ("cross", ANN), "FUND"] == 4_150_000
    assert desk.seen["postings"]["LIQUIDATION_FEE", ("cross", ANN), "FEES"] == 4_150_000
    assert ("CONTRIBUTION", "FEES", "FUND") not in desk.seen["postings"]
    desk.step()
    assert desk.seen["postings"]["CONTRIBUTION", "FEES", "FUND"] == 415_000
