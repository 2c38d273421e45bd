"""Mark, funding, liquidation, fund, deleveraging and loss sharing of the reference venue, by hand.

The usual scene: account 0 has 100 atoms and is long 10 lots at 100. At index p its equity is
100 + 10 (p - 100), its maintenance margin ceil(p / 2): healthy at 95 (50, 48), distressed at 94 (40, 47),
bankrupt below 90.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference import margin

from .desk import PLAIN, Desk

RICH = 100_000


def scene(others: tuple[int, ...] = (RICH,), sellers: tuple[int, ...] = (10,), **axes: Any) -> Desk:
    """Account 0 is long 10 at 100, bought from the accounts 1, 2, ... in the given sizes."""
    desk = Desk([100, *others], **axes)
    for seller, lots in enumerate(sellers, start=1):
        desk.trade(0, seller, lots, 100)
    return desk


def test_mark_components() -> None:
    """R-P1, R-P2: bid 101, ask 103, index 100: basis sample 2 ticks; alpha 1/4: e = 0.5, then 0.875 ticks."""
    mark = {"components": ["index_basis"], "window_s": 4}
    desk = Desk([RICH], mark=mark)
    desk.limit(0, 1, 1, 101)
    assert desk.venue.state.basis == [0]
    desk.limit(0, -1, 1, 103)
    assert (desk.venue.state.basis, desk.venue.mark(0)) == ([500_000], 101)
    desk.step()
    assert (desk.venue.state.basis, desk.venue.mark(0)) == ([875_000], 101)


@pytest.mark.parametrize(
    ("components", "mark"),
    [
        (["last"], 90),
        (["mid"], 102),
        (["book"], 101),
        (["mid", "index", "last"], 100),
        (["index_funding"], 100),
    ],
)
def test_mark_of_a_two_sided_book(components: list[str], mark: int) -> None:
    """R-P2, R-P3: bid 101, ask 104, last 90, index 100; mid = 205 // 2."""
    desk = Desk([RICH, RICH], mark={"components": components})
    desk.trade(0, 1, 1, 90)
    desk.limit(0, 1, 1, 101)
    desk.limit(0, -1, 1, 104)
    assert desk.venue.mark(0) == mark


def test_funding_without_book_is_the_interest() -> None:
    """R-F2, R-F3: P = 0, F = 0.01 % of 1000 atoms = 0.1: the long pays 1, the short gets 0."""
    funding = {"interval_s": 6, "period_s": 6}
    desk = scene(charges={"maker_ppm": 0, "taker_ppm": 0, "funding": funding})
    while desk.venue.state.step <= 6:
        desk.step()
    assert desk.venue.funding_rate(0) == 100_000
    assert (desk.cash(0), desk.cash(1), desk.venue.balance("ROUNDING")) == (99, RICH, 1)


def test_funding_follows_the_premium() -> None:
    """R-F1, R-F2: mid 102 over index 100 = 2 %; F = 2 % - 0.05 %; half a period: 0.975 %."""
    funding = {"interval_s": 2, "period_s": 4}
    desk = Desk([RICH], charges={"maker_ppm": 0, "taker_ppm": 0, "funding": funding})
    desk.limit(0, 1, 1, 101)
    desk.limit(0, -1, 1, 103)
    for _ in range(3):
        desk.step()
    assert desk.venue.state.step == 6
    desk.step()
    assert desk.venue.funding_rate(0) == 9_750_000


def test_margin_call_stands_until_touched_and_cured() -> None:
    """R-A8: level 1.5: at 97 equity 70 < 73.5; at 98 80 > 73.5, but the notice goes only after a deposit."""
    desk = scene(margin=PLAIN["margin"] | {"call_ppm": 1_500_000})
    desk.step(index=97)
    assert desk.venue.notices == {("cross", 0)}
    desk.step(index=98)
    assert desk.venue.notices == {("cross", 0)}
    desk.do("DEPOSIT", 0, amount=1)
    assert desk.venue.notices == set()
    assert desk.venue.state.events["margin_call"] == 1


@pytest.mark.parametrize(("direction", "price"), [("inward", 90), ("outward", 89)])
def test_bankruptcy_and_liquidation_price(direction: str, price: int) -> None:
    """R-A9: equity 105 over 10 lots: 100 - 10.5 = 89.5; at 95 55 >= 48 is enough, at 94 45 < 47 is not."""
    desk = scene(rounding={"bankruptcy_price": direction})
    desk.do("DEPOSIT", 0, amount=5)
    state = desk.venue.state
    assert margin.bankruptcy_price(state, ("cross", 0), 0) == price
    assert margin.liquidation_price(state, ("cross", 0), 0) == 94


def test_equity_is_shared_by_maintenance() -> None:
    """R-A9: long 10 and 30 lots at 100, equity 100 + 1000: MM 50 and 150: shares 275 and 825."""
    desk = Desk([1_100, RICH], markets=2)
    desk.trade(0, 1, 10, 100, market=0)
    desk.trade(0, 1, 30, 100, market=1)
    state = desk.venue.state
    assert margin.equity_share(state, ("cross", 0), 0, 1_100) == 275
    assert margin.bankruptcy_price(state, ("cross", 0), 0) == 73  # 100 - 27.5 up
    assert margin.bankruptcy_price(state, ("cross", 0), 1) == 73


def test_full_liquidation() -> None:
    """R-W1 to R-W4: at 95 nothing; at 94 all 10 lots go to the bid at 93: 30 left, orders cancelled."""
    desk = scene((RICH, RICH))
    desk.limit(2, 1, 20, 93)
    desk.limit(0, -1, 1, 150)
    desk.step(index=95)
    assert desk.traded() == []
    desk.step(index=94)
    assert desk.traded() == [(0, 2, -10, 93, 1)]
    assert desk.cash(0) == 30
    assert desk.book(-1) == []
    assert desk.venue.liquidations == [{"id": 1, "step": 8, "account": 0, "market": -1, "parent": 0}]


def test_liquidation_to_target() -> None:
    """R-W4: 40 >= 1.2 * MM(k) = 1.2 * ceil(4.7 k) holds for k = 7 (39.6), not for 8 (45.6): 3 lots go."""
    desk = scene((RICH, RICH), liquidation={"size": "target"})
    desk.limit(2, 1, 20, 93)
    desk.step(index=94)
    assert desk.traded() == [(0, 2, -3, 93, 1)]
    assert desk.venue.distressed == {}


def test_liquidation_by_share_then_whole() -> None:
    """R-W4: a fifth first; at 90 that leaves 80 - 48 = 32 < 38, and in the cooldown the whole rest goes."""
    desk = scene((RICH, RICH), liquidation={"size": "share", "full_below_quote": 0})
    desk.limit(2, 1, 20, 90)
    desk.step(index=94)
    assert [row[2] for row in desk.traded()] == [-2, -8]


def test_isolated_partial_liquidation_keeps_its_margin() -> None:
    """R-M7: as in the target test, but the pocket keeps 100 - 21 and is cured."""
    desk = scene((RICH, RICH), liquidation={"size": "target"}, margin=PLAIN["margin"] | {"mode": "isolated"})
    desk.limit(2, 1, 20, 93)
    desk.step(index=94)
    assert (desk.cash(0), desk.pocket(0), desk.held(0)[0]) == (0, 79, 7)
    assert desk.venue.distressed == {}


def test_liquidation_fee_goes_to_the_fund_out_of_what_is_left() -> None:
    """R-W7: 5 % of 930 = 46.5 up to 47, but only 30 are left."""
    desk = scene((RICH, RICH), charges=PLAIN["charges"] | {"liquidation_ppm": 50_000})
    desk.limit(2, 1, 20, 93)
    desk.step(index=94)
    assert (desk.cash(0), desk.venue.balance("FUND")) == (0, 30)


def test_latency_and_orders_per_step() -> None:
    """R-W2, R-W4: found at 94, acted on two steps later; one order a step, so the second unit waits."""
    desk = Desk([100, 100, RICH, RICH], liquidation={"latency_s": 2, "orders_per_step_max": 1})
    desk.trade(0, 2, 10, 100)
    desk.trade(1, 2, 10, 100)
    desk.limit(3, 1, 20, 93)
    found = []
    for _ in range(4):
        desk.step(index=94)
        found.append([row[0] for row in desk.traded()])
    assert found == [[], [], [0], [1]]


def test_second_liquidation_names_its_parent() -> None:
    """R-W3: the forced sale of 0 at 93 is the last price; 1 falls by it and was caused by liquidation 1."""
    desk = Desk([100, 110, RICH, RICH], mark={"components": ["last"]})
    desk.trade(0, 2, 10, 100)
    desk.trade(1, 2, 10, 100)
    desk.limit(3, 1, 10, 92)
    desk.limit(3, 1, 10, 91)
    desk.trade(2, 3, 1, 94)
    assert [row["parent"] for row in desk.venue.liquidations] == [0]
    desk.step()
    assert [row["parent"] for row in desk.venue.liquidations] == [0, 1]


def test_takeover_by_backstop_at_bankruptcy_price() -> None:
    """R-W5: at 94 equity 40 over 10 lots: bankruptcy price 90; the first willing backstop buys."""
    rule = {"stage": "takeover_only", "leftover": "backstop"}
    desk = scene((RICH, 50, 5_000), backstops=[2, 3], liquidation=rule)
    desk.step(index=94)
    assert desk.held(3) == (10, 900)  # account 2 has 50 < IM 94
    assert (desk.held(0), desk.cash(0), desk.cash(3)) == ((0, 0), 0, 5_000)


def test_takeover_by_fund_and_its_refusal() -> None:
    """R-W5: at 85 the bankruptcy price is 90, a loss of 50 atoms at mark; a fund without money refuses."""
    rule = {"stage": "takeover_only", "leftover": "fund"}
    desk = scene(liquidation=rule, insurance={"initial_quote": 1, "disposal_share_ppm": 0})
    desk.step(index=85)
    assert desk.held("FUND") == (10, 900)
    assert desk.cash(0) == 0
    poor = scene(liquidation=rule)
    poor.step(index=85)
    assert poor.held("FUND") == (0, 0)
    assert poor.venue.distressed == {("cross", 0): 4}  # two deposits and two orders came before


def test_margin_is_seized_or_stays() -> None:
    """R-W5: equity 45 at 94 over 10 lots: 89.5, inward 90: the 5 atoms left go to the taker or stay."""
    for seize, left, gain in ((True, 0, 5), (False, 5, 0)):
        rule = {"stage": "takeover_only", "leftover": "backstop", "seize_margin": seize}
        desk = scene((RICH, 5_000), backstops=[2], liquidation=rule)
        desk.do("DEPOSIT", 0, amount=5)
        desk.step(index=94)
        assert (desk.cash(0), desk.cash(2)) == (left, 5_000 + gain)


def test_fund_pays_the_deficit_down_to_its_floor() -> None:
    """R-W8, R-L: sold at 80 the deficit is 100; the fund pays it, or the venue books bad debt."""
    for fund_quote, paid in ((1, 100), (0, 0)):
        desk = scene((RICH, RICH), insurance={"initial_quote": fund_quote, "disposal_share_ppm": 0})
        desk.limit(2, 1, 10, 80)
        desk.step(index=85)
        assert desk.cash(0) == 0
        assert desk.venue.balance("FUND") == fund_quote * 10**6 - paid
        assert desk.venue.balance("BAD_DEBT") == paid - 100


@pytest.mark.parametrize(("price", "level"), [("bankruptcy", 90), ("mark", 85), ("previous_mark", 100)])
def test_deleveraging_ranks_by_profit_and_leverage(price: str, level: int) -> None:
    """R-W9: at 85: 1 (6 short, 600) scores 90/600 * 26/690, 2 (4 short, 50) 60/50 * 17/110: 2 first."""
    adl = {"trigger": "equity_below_zero", "price": price}
    desk = scene((600, 50), (6, 4), deleveraging=adl)
    desk.step(index=85)
    assert [(row["counterparty"], row["lots"], row["price"]) for row in desk.venue.adl] == [
        (2, 4, level),
        (1, 6, level),
    ]
    assert desk.cash(2) == 50 + 4 * (100 - level)
    assert desk.cash(0) == max(0, 100 - 10 * (100 - level))  # at the mark 50 are missing: bad debt


def test_deleveraging_rank_by_entry() -> None:
    """R-W9: entry / mark * value / equity: 1: 600/510 * 510/390 = 1.54; 2: 400/340 * 340/560 = 0.71."""
    adl = {"trigger": "fund_empty", "rank": "entry_leverage"}
    desk = scene((300, 500), (6, 4), deleveraging=adl)
    desk.step(index=85)
    assert [row["counterparty"] for row in desk.venue.adl] == [1, 2]


def test_fund_in_distress_is_deleveraged_to_its_floor() -> None:
    """R-W10: the fund holds 20,000 lots at 90 with 1 quote; at 30 it has lost 1.2 and is closed at 40."""
    desk = Desk(
        [200_000, 10**9],
        deleveraging={"trigger": "fund_empty"},
        insurance={"initial_quote": 1, "disposal_share_ppm": 0},
        liquidation={"stage": "takeover_only", "leftover": "fund"},
    )
    desk.trade(0, 1, 20_000, 100)
    desk.step(index=94)
    assert desk.held("FUND") == (20_000, 1_800_000)
    desk.step(index=30)
    assert [(row["unit"], row["counterparty"], row["price"]) for row in desk.venue.adl] == [("FUND", 1, 40)]
    assert desk.venue.balance("FUND") == 0


def test_disposal_of_a_taken_over_position() -> None:
    """R-W11: 10 % a step of 10 lots = 1, not below 1 % under the mark (94: 93.06 up to 94)."""
    insurance = {"initial_quote": 1, "disposal_share_ppm": 100_000, "disposal_interval_s": 1}
    desk = scene((RICH, RICH), insurance=insurance, liquidation={"stage": "takeover_only", "leftover": "fund"})
    desk.limit(2, 1, 9, 93)
    desk.step(index=94)
    desk.limit(2, 1, 9, 94)
    assert desk.traded() == [("FUND", 2, -1, 94, -1)]


def test_winners_share_the_loss_to_the_atom() -> None:
    """R-L2: 9 sold at 80, 1 at 79: deficit 101; winners 90, 60, 51 of 201: 45 + 1, 30, 25."""
    desk = scene((RICH, RICH, RICH), (6, 4), socialisation={"rule": "winners"})
    desk.limit(3, 1, 9, 80)
    desk.limit(3, 1, 1, 79)
    desk.step(index=85)
    assert [RICH - desk.cash(account) for account in (1, 2, 3)] == [46, 30, 25]
    assert (desk.cash(0), desk.venue.balance("BAD_DEBT")) == (0, 0)


def test_backstop_threshold_skips_the_book() -> None:
    """R-W6: at 91 equity 10 < 2/3 of 46: past the bid to the backstop; at 94 40 > 31: the bid."""
    for index, taken in ((91, 10), (94, 0)):
        desk = scene((RICH, RICH, 5_000), backstops=[3], liquidation={"backstop_ppm": 667_000})
        desk.limit(2, 1, 10, 93)
        desk.step(index=index)
        assert desk.held(3)[0] == taken


def test_watching_engine_counts_but_does_not_act() -> None:
    """R-W2: act = false lists the unit and leaves it alone."""
    desk = scene((RICH, RICH), liquidation={"act": False})
    desk.limit(2, 1, 10, 80)
    desk.step(index=85)
    assert (desk.held(0)[0], list(desk.venue.distressed), desk.venue.liquidations) == (10, [("cross", 0)], [])


def test_unfinished_cascade_is_counted() -> None:
    """R-W12: one round of 2 of 10 lots leaves the unit due."""
    desk = scene((RICH, RICH), liquidation={"size": "share", "full_below_quote": 0, "rounds_max": 1})
    desk.limit(2, 1, 20, 90)
    desk.step(index=94)
    assert desk.venue.unfinished_cascades == 1
