"""R-W59, R-W60: the layers of a clearing house, one after another, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from .desk import command
from .engine_desk import EngineDesk

QUOTE = 1_000_000
ANN, BOB, CAT, DAN, EVE = range(5)


def clearing_house(members: list[int], trigger: str = "none") -> EngineDesk:
    """A venue with 20 of capital; cat, dan and eve have 1000 each, of which members put in 30."""
    layers = {"contribution_quote": 30, "assessment_ppm": 2_000_000}
    return EngineDesk(
        [100 * QUOTE, 100_000 * QUOTE, 1_000 * QUOTE, 1_000 * QUOTE, 1_000 * QUOTE],
        multiplier=QUOTE,
        backstops=members,
        insurance={"initial_quote": 20, "default_fund": layers},
        deleveraging={"trigger": trigger},
        contract={"lots_max": 1_000},
    )


def ann_owes(desk: EngineDesk, missing: int) -> None:
    """Ann is long 10 at 100 with all she has and is closed so low that she owes `missing` quote; bob buys."""
    price = 90 - missing // 10
    assert missing % 10 == 0
    desk.step(command("LIMIT", BOB, side=-1, lots=10, price=100), command("LIMIT", ANN, side=1, lots=10, price=100))
    desk.step(command("LIMIT", BOB, side=1, lots=10, price=price))
    desk.step(index=price)
    assert desk.held(ANN) == (0, 0)


def quotes(desk: EngineDesk, *units: Any) -> list[float]:
    """Return balances in quote units."""
    return [desk.money(unit) / QUOTE for unit in units]


ROWS = [("member", member) for member in (CAT, DAN, EVE)]


def test_members_contribute_once_they_have_money() -> None:
    """R-W59: 30 each out of the cross units, in the first step; who is no member has nothing in the fund."""
    desk = clearing_house([EVE, CAT])
    assert quotes(desk, *ROWS) == [30, 0, 30]
    assert quotes(desk, ("cross", CAT), ("cross", DAN), ("cross", EVE)) == [970, 1000, 970]


@pytest.mark.parametrize(
    ("missing", "capital", "contributions", "cross", "bad_debt"),
    [
        (10, 10, [30, 30, 30], [970, 970, 970], 0),
        (20, 0, [30, 30, 30], [970, 970, 970], 0),
        (50, 0, [20, 20, 20], [970, 970, 970], 0),
        (110, 0, [0, 0, 0], [970, 970, 970], 0),
        (140, 0, [0, 0, 0], [960, 960, 960], 0),
        (290, 0, [0, 0, 0], [910, 910, 910], 0),
        (300, 0, [0, 0, 0], [910, 910, 910], -10),
    ],
)
def test_each_layer_is_used_up_before_the_next(
    missing: int, capital: int, contributions: list[int], cross: list[int], bad_debt: int
) -> None:
    """R-W60: 20 of the venue, 90 of the members, 180 of assessments (twice 30 each), then bad debt."""
    desk = clearing_house([CAT, DAN, EVE])
    ann_owes(desk, missing)
    assert quotes(desk, "FUND") == [capital]
    assert quotes(desk, *ROWS) == contributions
    assert quotes(desk, ("cross", CAT), ("cross", DAN), ("cross", EVE)) == cross
    assert quotes(desk, "BAD_DEBT") == [bad_debt]


def test_what_was_used_is_not_made_up_for_and_assessments_end() -> None:
    """R-W59, R-W60: the second default finds nothing but the rest of the assessments: 40 less than it needs."""
    desk = clearing_house([CAT, DAN, EVE])
    ann_owes(desk, 260)
    assert quotes(desk, *ROWS, ("cross", CAT)) == [0, 0, 0, 920]
    desk.index = [100]
    desk.step(command("DEPOSIT", ANN, amount=100 * QUOTE))
    ann_owes(desk, 70)
    assert quotes(desk, *ROWS, ("cross", CAT), "BAD_DEBT") == [0, 0, 0, 910, -40]


def test_a_defaulting_member_s_own_contribution_pays_before_the_venue() -> None:
    """R-W60: ann is a member with 30 of 100 in the fund; she owes 40: 30 of her own, 10 of the venue's capital."""
    desk = EngineDesk(
        [130 * QUOTE, 100_000 * QUOTE, 1_000 * QUOTE],
        multiplier=QUOTE,
        backstops=[ANN, CAT],
        insurance={"initial_quote": 20, "default_fund": {"contribution_quote": 30, "assessment_ppm": 0}},
        contract={"lots_max": 1_000},
    )
    ann_owes(desk, 40)
    assert quotes(desk, ("member", ANN), "FUND", ("member", CAT), "BAD_DEBT") == [0, 10, 30, 0]


def test_shares_add_up_to_the_atom() -> None:
    """R-W60: 10 of 90 among three: 3.333333, 3.333333, 3.333334 in order of keys."""
    desk = clearing_house([EVE, DAN, CAT])
    ann_owes(desk, 30)
    assert [30 * QUOTE - desk.money(row) for row in ROWS] == [3_333_333, 3_333_333, 3_333_334]
    assert desk.seen["postings"]["DEFAULT_FUND", ("member", EVE), ("cross", ANN)] == 3_333_334


def test_a_member_that_could_not_contribute_is_not_assessed() -> None:
    """R-W59: dan has only 10 free of the 40 each is to put in; all 90 are used up, only cat and eve are called."""
    desk = EngineDesk(
        [100 * QUOTE, 100_000 * QUOTE, 1_000 * QUOTE, 10 * QUOTE, 1_000 * QUOTE],
        multiplier=QUOTE,
        backstops=[CAT, DAN, EVE],
        insurance={"initial_quote": 0, "default_fund": {"contribution_quote": 40, "assessment_ppm": 500_000}},
        contract={"lots_max": 1_000},
    )
    assert quotes(desk, *ROWS) == [40, 10, 40]
    ann_owes(desk, 140)
    assert quotes(desk, ("cross", CAT), ("cross", DAN), ("cross", EVE), "BAD_DEBT") == [940, 0, 940, -10]


@pytest.mark.parametrize(("price", "moved"), [(80, 0), (79, 0), (78, 10)])
def test_deleveraging_waits_until_the_contributions_are_used_up(price: int, moved: int) -> None:
    """R-W9, R-W60: nobody buys; ann is 100, 110, 120 below zero; 20 of capital and 90 of contributions are there."""
    desk = clearing_house([CAT, DAN, EVE], trigger="fund_empty")
    desk.step(command("LIMIT", BOB, side=-1, lots=10, price=100), command("LIMIT", ANN, side=1, lots=10, price=100))
    desk.step(index=price)
    assert desk.held(ANN)[0] == 10 - moved
