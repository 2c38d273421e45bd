"""Steps, limits, surplus, keepers, takeover and disposal on venues' own numbers (R-W20 to R-W35)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from delever.engine import formulas_liquidation as formulas
from delever.engine import tables as tb
from delever.engine.bankruptcy import bankruptcy_quote_atoms
from delever.engine.rules.liquidation import Liquidation
from delever.engine.rules.steps import Rolling
from delever.engine.steps import ladder_lots
from tests.unit.engine_desk import EngineDesk

USDC = 1_000_000
TENTH = {"tiers": [{"floor_quote": 0, "initial_ppm": 200_000, "maintenance_ppm": 100_000}]}


def long_position(deposit: int, lots: int, multiplier: int = 1, **axes: Any) -> EngineDesk:
    """Return a desk on which account 0 is long at 100, account 1 short, and account 2 rich and a backstop."""
    desk = EngineDesk([deposit, 10**12, 10**12], multiplier=multiplier, backstops=[2], **axes)
    desk.trade(0, 1, lots, 100)
    return desk


@pytest.mark.parametrize(
    ("value", "least", "share_ppm", "closed"),
    [(50_000 * USDC, 100, 500_000, 25_000 * USDC), (5 * USDC, 10 * USDC, 1_000_000, 5 * USDC)],
)
def test_portion_is_the_published_one(value: int, least: int, share_ppm: int, closed: int) -> None:
    """R-W20: dYdX, at most half of the position; a small position overrides both limits."""
    assert formulas.portion_atoms(value, share_ppm, least) == closed


def test_portion_of_an_account_is_bounded_in_a_round() -> None:
    """R-W20: 20 % of 100 lots, but no more than 10 of 100 atoms' worth by the account's own limit."""
    step = {"kind": "portion", "share_ppm": 200_000}
    desk = long_position(1_000, 100, liquidation={"step": step, "rounds_max": 1})
    desk.limit(2, 1, 1_000, 90)
    desk.step(index=94)
    assert desk.traded() == [(0, 2, -20, 90, 1)]


def test_cover_is_the_published_size() -> None:
    """R-W21: Drift, 10 of shortage at 10 % margin and price 100: 1 without a fee, 1.1111111 with 1 %; 18 of 20 lots."""
    lots, value = 10 * 10**8, 1_000 * USDC
    assert formulas.cover_lots(lots, 10 * USDC, value // 10, 0) == 10**8
    assert formulas.cover_lots(lots, 10 * USDC, value // 10, value // 100) == 111_111_112
    assert formulas.cover_lots(20, 90 * USDC, 140 * USDC, 40 * USDC) == 18
    assert formulas.cover_lots(20, USDC, 40 * USDC, 40 * USDC) == 20


def test_a_growing_share_of_the_shortage_is_covered() -> None:
    """R-W21: Drift, a tenth and then 1/150 a slot; what was freed counts, and less than 50 is covered at once."""
    dust = 50 * USDC
    assert formulas.freeable_ppm(49 * USDC, 0, 0, 150, 100_000, dust) == 1_000_000
    share = formulas.freeable_ppm(90 * USDC, 70_010_000, 75, 150, 100_000, dust)
    assert share == 288_844  # 0.6 * 160.01 - 70.01 = 25.996 of 90
    assert formulas.cover_lots(2_000, 90 * USDC * share // 10**6, 140 * USDC, 40 * USDC) == 520


def test_ladder_cuts_to_the_bracket_named() -> None:
    """R-W22: OKX, 15,000 contracts in the third bracket are cut by 13,000 to the first; in the first all go."""
    tiers = [
        {"floor_quote": floor, "initial_ppm": 2 * rate, "maintenance_ppm": rate}
        for floor, rate in [(0, 10_000), (2_001, 15_000), (12_001, 20_000)]
    ]
    margin = {"tiers": tiers}
    desk = EngineDesk([1, 1], multiplier=10_000, margin=margin)  # a contract is worth 1 at a price of 100
    assert ladder_lots(desk.t, 0, 15_000, 100, 0, 1) == 13_000
    assert ladder_lots(desk.t, 0, 15_000, 100, 1, 1) == 3_000
    assert ladder_lots(desk.t, 0, 15_000, 100, 2, 1) == 13_000
    assert ladder_lots(desk.t, 0, 12_000, 100, 0, 2) == 12_000


def test_a_killed_cut_goes_whole_to_the_fund() -> None:
    """R-W22, R-W34: a cut that the book cannot fill at bankruptcy or better is killed; the fund takes all."""
    tiers = [
        {"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000},
        {"floor_quote": 1, "initial_ppm": 100_000, "maintenance_ppm": 60_000},
    ]
    rule = {"step": {"kind": "ladder"}, "price": "bankruptcy", "leftover": "fund", "rounds_max": 1}
    insurance = {"initial_quote": 10}
    for depth, kept in ((10_000, 105), (9_000, 0)):
        desk = long_position(200_000, 200, 100, margin={"tiers": tiers}, liquidation=rule, insurance=insurance)
        assert desk.limit(2, 1, depth // 100, 92) == "OK"
        desk.step(index=95)
        assert desk.held(0)[0] == kept
        assert bool(desk.seen["takeovers"]) == (kept == 0)


def test_slices_of_a_round_and_rounds_of_a_second() -> None:
    """R-W23: two rounds of three lots a step of one second, and no cascade counts as unfinished."""
    rule = {"step": {"kind": "slices", "lots": 3, "rounds": 2}}
    desk = long_position(100, 10, liquidation=rule)
    desk.limit(2, 1, 50, 85)
    desk.step(index=90)
    assert desk.traded() == [(0, 2, -3, 85, 1), (0, 2, -3, 85, 1)]
    assert desk.seen["unfinished"] == 0


def test_close_factor_halves_until_half_the_margin_is_gone() -> None:
    """R-W24: Perp, half of all the unit holds, which may be all of one position; everything below MM / 2."""
    assert formulas.close_factor_lots(10, 1_000, 1_000, 500_000) == 5
    assert formulas.close_factor_lots(10, 1_000, 1_500, 500_000) == 7
    assert formulas.close_factor_lots(10, 500, 1_500, 500_000) == 10
    rule = {"step": {"kind": "close_factor", "whole_quote": 0}, "rounds_max": 1}
    for index, closed in ((94, -5), (92, -10)):
        desk = long_position(100, 10, liquidation=rule)
        desk.limit(2, 1, 50, 91)
        desk.step(index=index)
        assert [fill[2] for fill in desk.traded()] == [closed]


def test_rolling_cap_of_a_market_is_the_published_one() -> None:
    """R-W25: Synthetix, 100 units a window of 10 s: 150 of one account, then 150 of another."""
    cap = {"scale_lots": 1_000, "rate_ppm": 10_000, "window_s": 10}
    assert Rolling.model_validate(cap).capacity_lots == 100
    rule = {"rolling": cap, "rounds_max": 1}
    desk = EngineDesk([1_500, 1_500, 10**9, 10**9], liquidation=rule)
    desk.trade(0, 3, 150, 100)
    desk.trade(1, 3, 150, 100)
    desk.limit(2, 1, 1_000, 80)
    held = []
    for _ in range(25):
        desk.step(index=80)
        held.append((desk.held(0)[0], desk.held(1)[0]))
    assert held[0] == (50, 150) and held[9] == (50, 150) and held[10] == (0, 100)
    assert held[19] == (0, 100) and held[20] == (0, 0)


def test_what_does_not_trade_stays_in_the_window() -> None:
    """R-W25: a planned order that finds an empty book uses nothing up."""
    rule = {"rolling": {"scale_lots": 1_000, "rate_ppm": 10_000, "window_s": 10}, "rounds_max": 1}
    desk = long_position(1_500, 150, liquidation=rule)
    desk.step(index=85)
    assert desk.t.markets[0, tb.M_WINDOW_LOTS] == 0
    desk.limit(2, 1, 30, 85)
    desk.step()
    assert desk.t.markets[0, tb.M_WINDOW_LOTS] == 30


@pytest.mark.parametrize(
    ("equity", "adjustment_ppm", "spread_ppm", "distance"),
    [
        (499 * USDC, 2_000_000, 100_000, 200_000),  # long 0.1 at 50,000: 49,998
        (499 * USDC, 1_000_000, 200_000, 200_000),
        (0, 1_000_000, 100_000, 50 * USDC),  # at bankruptcy: 500 away
        (-500 * USDC, 1_000_000, 100_000, 50 * USDC),
        (499 * USDC, 4_294_967_295, 100_000, 50 * USDC),
        (499 * USDC, 1_000_000, 1_000_000, USDC),  # 49,990
    ],
)
def test_fillable_price_is_the_published_one(equity: int, adjustment_ppm: int, spread_ppm: int, distance: int) -> None:
    """R-W26: dYdX, a tenth of a bitcoin at 50,000 with 10 % maintenance margin."""
    need = 500 * USDC
    assert formulas.fillable_spread_atoms(equity, need, need, adjustment_ppm, spread_ppm) == distance


def test_a_fillable_limit_is_sent() -> None:
    """R-W26: at bankruptcy the limit is spread times maintenance margin below the mark: 90 - 1.5 * 4.5 = 83.25, up."""
    for bid, sold in ((83, 0), (84, -10)):
        desk = long_position(100, 10, liquidation={"limit": {"kind": "fillable"}})
        desk.limit(2, 1, 50, bid)
        desk.step(index=90)
        assert sum(fill[2] for fill in desk.traded()) == sold


def test_a_band_bounds_the_order() -> None:
    """R-W27: 1 % below an index of 90 is 89.1, for a sell 90 at the lowest."""
    for bid, sold in ((89, 0), (90, -10)):
        desk = long_position(100, 10, liquidation={"limit": {"kind": "band", "range_ppm": 10_000}})
        desk.limit(2, 1, 50, bid)
        desk.step(index=90)
        assert sum(fill[2] for fill in desk.traded()) == sold


def test_liquidation_starts_and_stops_at_other_levels() -> None:
    """R-W28: with 95 and MM 48 nobody acts below half of it; once started it goes on to twice MM."""
    rule = {"step": {"kind": "slices", "lots": 1, "rounds": 1}, "levels": {"start_ppm": 500_000, "stop_ppm": 2_000_000}}
    desk = long_position(100, 10, liquidation=rule)
    desk.limit(2, 1, 50, 92)
    desk.step(index=93)
    assert desk.seen["distressed"] == {} and desk.traded() == []
    desk.step(index=92)
    assert desk.traded() == [(0, 2, -1, 92, 1)]
    held = []
    for _ in range(9):
        desk.step(index=92)
        held.append(desk.held(0)[0])
    assert held == [8, 7, 6, 5, 4, 3, 2, 2, 2]  # equity 20, two lots need 2 * 9.2
    assert desk.seen["distressed"] == {}


@pytest.mark.parametrize(
    ("balance", "lots", "quote"),
    [(-4_501, 1, 4_501), (-5_000, 1, 5_000), (-5_100, 1, 5_100), (5_000, -1, -5_000)],
)
def test_bankruptcy_quote_is_the_published_one(balance: int, lots: int, quote: int) -> None:
    """R-W29: dYdX, all of a tenth of a bitcoin at 50,000; the position was opened at the mark."""
    size = 10**4  # a lot is 0.00001; a tick is 500, so that a lot of a tick is worth 0.005
    desk = EngineDesk([(balance + lots * 5_000) * USDC + 10_000 * USDC, 10**12], multiplier=5_000, margin=TENTH)
    desk.trade(0, 1, size, 100) if lots > 0 else desk.trade(1, 0, size, 100)
    assert desk.do("WITHDRAW", 0, amount=8_000 * USDC) == "OK"
    take_out = 2_000 * USDC
    desk.t.units[0, tb.U_DEBITS_ATOMS] += take_out  # the case is below what a withdrawal may leave
    assert bankruptcy_quote_atoms(desk.t, 0, 0, -lots * size) == quote * USDC


def test_bankruptcy_quote_is_rounded_in_favour_of_the_account() -> None:
    """R-W29: dYdX, 0.00021347 of one bitcoin: 0.002776 for a long, -0.002775 for a short."""
    for side, quote in ((1, 2_776), (-1, -2_775)):
        desk = EngineDesk([10**12, 10**12], multiplier=5, margin=TENTH)
        desk.trade(0, 1, 10**8, 100) if side > 0 else desk.trade(1, 0, 10**8, 100)
        desk.t.units[0, tb.U_DEBITS_ATOMS] += 10**12 - side * 49_987 * USDC
        assert bankruptcy_quote_atoms(desk.t, 0, 0, -side * 21_347) == quote


@pytest.mark.parametrize(
    ("gain", "value", "cap_ppm", "taken"),
    [
        (510 * USDC, 5_610 * USDC, 5_000, 28_050_000),
        (510 * USDC, 5_610 * USDC, 1_000_000, 510 * USDC),
        (490 * USDC, 4_410 * USDC, 5_000, 22_050_000),
        (5_100_000, 5_105_100_000, 5_000, 5_100_000),
        (7, 1, -1, 7),
    ],
)
def test_surplus_is_the_published_one(gain: int, value: int, cap_ppm: int, taken: int) -> None:
    """R-W29: dYdX, at most half a percent of what the fill was worth."""
    assert formulas.surplus_atoms(gain, value, cap_ppm) == taken


def test_fund_gets_what_is_better_and_bears_what_is_worse() -> None:
    """R-W29: BitMEX, bankrupt at 90: two traders, one sold at 93, one at 87; the fund ends as it began."""
    insurance = {"initial_quote": 1}
    start = USDC
    for bid, after in ((93, start + 30), (87, start - 30)):
        desk = long_position(100, 10, liquidation={"surplus": {}}, insurance=insurance)
        desk.limit(2, 1, 50, bid)
        desk.step(index=94)
        assert (desk.cash(0), desk.money("FUND")) == (0, after)
    desk = long_position(100, 10, liquidation={"surplus": {"to": "vault", "cap_ppm": 10_000}}, insurance=insurance)
    desk.limit(2, 1, 50, 93)
    desk.step(index=94)
    assert desk.seen["postings"]["SURPLUS", ("cross", 0), ("cross", 2)] == 9  # a hundredth of 930, rounded down


def test_keepers_take_at_the_index_less_their_bonus() -> None:
    """R-W30, R-W31: Mango, 1,000 at 0.6: the keeper pays 582, the liquidated account gets 570, the platform 12."""
    keepers = {"bonus_ppm": 30_000, "fund_fee": {"highest_ppm": 20_000}}
    rule = {"stage": "keepers", "keepers": keepers}
    weights = {"tiers": [{"floor_quote": 0, "initial_ppm": 400_000, "maintenance_ppm": 300_000}]}
    desk = EngineDesk([50_000, 10**9, 10**9], backstops=[2], liquidation=rule, margin=weights)
    desk.trade(0, 1, 1_000, 100)
    desk.step(index=60)
    assert desk.held(0) == (0, 0) and desk.held(2) == (1_000, 60_000)
    assert desk.seen["postings"]["BONUS", ("cross", 0), ("cross", 2)] == 1_800
    assert desk.seen["postings"]["LIQUIDATION_FEE", ("cross", 0), "FUND"] == 1_200
    assert desk.cash(0) == 50_000 - 100_000 + 57_000


def test_a_keeper_takes_what_it_can_bear() -> None:
    """R-W30: 10 % of 94 for each lot, of 50: five lots, and no more."""
    rule = {"stage": "keepers", "keepers": {"bonus_ppm": 0}}
    desk = EngineDesk([100, 10_000, 50], backstops=[2], liquidation=rule)
    desk.trade(0, 1, 10, 100)
    desk.step(index=94)
    assert desk.held(2)[0] == 5 and desk.held(0)[0] == 5


def test_a_bonus_rises_while_nobody_comes() -> None:
    """R-W30: Drift, 2 % until the grace period is over, then 1 ppm a slot, up to 5 %."""
    assert formulas.rising_ppm(20_000, 10, 1_500, 1, 50_000) == 20_000
    assert formulas.rising_ppm(20_000, 10_000, 1_500, 1, 50_000) == 30_000
    assert formulas.rising_ppm(20_000, 100_000, 1_500, 1, 50_000) == 50_000


def test_the_fund_gets_of_what_is_left() -> None:
    """R-W31: Drift, 95 % of margin rate less bonus less shortage: 1.9 %, 3.705 %, and nothing at 10 % bonus."""
    need, value = 50 * USDC, 1_000 * USDC
    assert formulas.rest_fee_ppm(need, value, 20 * USDC, 10_000, 950_000, 50_000) == 19_000
    assert formulas.rest_fee_ppm(need, value, USDC, 10_000, 950_000, 50_000) == 37_050
    assert formulas.rest_fee_ppm(need, value, 20 * USDC, 100_000, 950_000, 50_000) == 0


def test_the_network_takes_position_and_margin_at_the_mark() -> None:
    """R-W32: Vega, whatever the pool holds; the whole margin account is in it afterwards."""
    rule = {"stage": "takeover_only", "leftover": "fund", "takeover": {"price": "mark", "unlimited": True}}
    desk = long_position(100, 10, liquidation=rule)
    desk.step(index=94)
    assert desk.held("FUND") == (10, 940)
    assert (desk.cash(0), desk.money("FUND")) == (0, 40)


@pytest.mark.parametrize(("words", "taken"), [("covered", 0), ("solvent", 10)])
def test_a_solvent_backstop_takes_what_its_margin_does_not_cover(words: str, taken: int) -> None:
    """R-W38: at 85 the account has 50 left of 85 it needs; a backstop with 10 takes its ten lots, and gains the 50."""
    rule = {"backstop_ppm": 666_667, "seize_margin": True, "takeover": {"backstops": words}}
    desk = EngineDesk([200, 10_000, 10], backstops=[2], liquidation=rule, margin=TENTH)
    desk.trade(0, 1, 10, 100)
    desk.step(index=85)
    assert desk.held(2)[0] == taken and desk.held(0)[0] == 10 - taken
    if taken:
        assert desk.cash(0) == 0 and desk.cash(2) + 10 * 85 - desk.held(2)[1] == 10 + 50


def test_a_solvent_backstop_takes_nothing_that_is_under_water_nor_when_it_is_itself() -> None:
    """R-W38: at 79 the account owes 10, so that its winner is deleveraged; a backstop below zero takes nothing."""
    rule = {"backstop_ppm": 666_667, "seize_margin": True, "takeover": {"backstops": "solvent"}}
    adl = {"trigger": "equity_below_zero", "price": "mark"}
    under = EngineDesk([200, 10_000, 10**6], backstops=[2], liquidation=rule, margin=TENTH, deleveraging=adl)
    under.trade(0, 1, 10, 100)
    under.step(index=79)
    assert under.held(2)[0] == 0 and under.held(0)[0] == under.held(1)[0] == 0
    desk = EngineDesk([200, 10**6, 200, 10**6], backstops=[2], liquidation=rule, margin=TENTH)
    desk.trade(2, 1, 10, 100)
    desk.step(index=79)  # the backstop has lost 210 of 200
    desk.trade(0, 3, 10, 79)
    desk.step(index=62)  # the account has 30 left of 62 it needs
    assert desk.held(2)[0] == desk.held(0)[0] == 10


@pytest.mark.parametrize(("orders", "left"), [("none", [150, 7]), ("market", [7]), ("worst_first", [])])
def test_orders_cancelled_first(orders: str, left: list[int]) -> None:
    """R-W33: `market` spares other markets; where orders need no margin, one after another goes until none is left."""
    desk = EngineDesk([200, 10**9], markets=2, liquidation={"cancel": {"orders": orders}})
    desk.trade(0, 1, 10, 100)
    assert desk.do("LIMIT", 0, 0, side=-1, lots=5, price=150, reduce_only=True) == "OK"
    assert desk.do("LIMIT", 0, 1, side=1, lots=1, price=7) == "OK"
    desk.step(index=84)
    assert ("cross", 0) in desk.seen["distressed"]
    mine = [price for market in (0, 1) for side in (1, -1) for who, price, _ in desk.book(side, market) if who == 0]
    assert mine == left


@pytest.mark.parametrize(
    ("position", "share_ppm", "whole", "depth", "book_share_ppm", "sizes"),
    [
        (280, 500_000, 50, 10_000, 10_000, [100, 90, 45, 45]),
        (10, 200_000, 0, 1_000, 100_000, [2, 2, 2, 1, 1, 1, 1]),
    ],
)
def test_disposal_is_the_published_one(
    position: int, share_ppm: int, whole: int, depth: int, book_share_ppm: int, sizes: list[int]
) -> None:
    """R-W35: Vega, a share rounded up, the rest whole, at most 1 % of the book."""
    found = []
    for _ in sizes:
        found.append(formulas.disposal_lots(position, share_ppm, whole, depth, book_share_ppm))
        position -= found[-1]
    assert found == sizes


def test_only_lots_within_the_range_count() -> None:
    """R-W35: Vega, four lots in the range and half of them a step: two, then one."""
    rule = {"stage": "takeover_only", "leftover": "fund", "takeover": {"price": "mark", "unlimited": True}}
    sale = {"whole_lots": 10, "book_share_ppm": 500_000, "around": "mark"}
    insurance = {"sale": sale, "disposal_share_ppm": 1_000_000, "disposal_interval_s": 1, "disposal_range_ppm": 100_000}
    desk = long_position(40, 4, liquidation=rule, insurance=insurance)
    desk.step(index=94)
    assert desk.held("FUND")[0] == 4
    desk.limit(2, 1, 100, 80)
    desk.limit(2, 1, 4, 90)
    assert [fill[2] for fill in desk.traded()] == [-2]
    desk.step()
    assert [fill[2:4] for fill in desk.traded()] == [(-1, 90)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stage": "keepers"}, "belong together"),
        ({"keepers": {}}, "belong together"),
        ({"stage": "keepers", "keepers": {}, "surplus": {}}, "off the book"),
        ({"stage": "takeover_only", "leftover": "fund", "step": {"kind": "cover"}}, "mean nothing there"),
        ({"levels": {"start_ppm": 1_200_000}}, "stop before it starts"),
        ({"stage": "keepers", "keepers": {"bonus_ppm": 60_000, "rise": {}}}, "must not be below bonus_ppm"),
    ],
)
def test_what_means_nothing_is_refused_with_the_reason(fields: dict[str, Any], words: str) -> None:
    """One message for each combination that cannot be."""
    with pytest.raises(ValidationError, match=words):
        Liquidation.model_validate(fields)


def test_capacity_is_at_least_one_lot() -> None:
    """R-W25: a cap that rounds to nothing would stop liquidation for ever."""
    assert Rolling(scale_lots=1, rate_ppm=1, window_s=1).capacity_lots == 1
    assert np.iinfo(np.int64).max > Rolling(scale_lots=2**40, window_s=86_400).capacity_lots
