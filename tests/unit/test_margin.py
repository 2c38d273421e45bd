"""Requirements, equity, exposure and bankruptcy price of the engine, by hand and by exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delever.engine.contract import bankruptcy_ticks, value_atoms
from delever.engine.margin import (
    equity_atoms,
    exposure_lots,
    exposure_with_lots,
    free_collateral_atoms,
    initial_atoms,
    maintenance_atoms,
    position_equity_atoms,
    unit_maintenance_atoms,
)
from delever.engine.rules.ruleset import RuleSet
from delever.engine.schedules import tier_of
from delever.engine.state import Market, allocate
from delever.engine.tables import (
    M_MARK_TICKS,
    NONE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_INITIAL_PPM,
    P_LOTS,
    Tables,
)
from tests.property.streams import tier_tables

from .desk import PLAIN
from .engine_desk import EngineDesk

RICH = 10**9
PPM = 1_000_000


def tables(multiplier: int = 1, price_max: int = 1_000, **axes: Any) -> Tables:
    """Return the tables of two accounts in one market under plain rules with some axes changed."""
    rules = RuleSet.model_validate(PLAIN | axes)
    return allocate(rules, [Market("M0", multiplier, price_max)], np.arange(2), [100], 10, False)


@given(tiers=tier_tables(), lots=st.integers(1, 100_000), mark=st.integers(1, 999), up=st.booleans())
def test_deductions_make_tiers_marginal(tiers: list[dict[str, int]], lots: int, mark: int, up: bool) -> None:
    """R-A1, R-A2, R-U2: MM is the sum of each bracket's part times its rate, rounded once as the rules say.

    Floors are whole quote units, so that no deduction is rounded and the two ways to count are equal.
    """
    rounding = {"requirement": "up" if up else "down"}
    t = tables(multiplier=1_000, margin={"tiers": tiers}, rounding=rounding)
    value = lots * 1_000 * mark
    ends = [tier["floor_quote"] * PPM for tier in tiers[1:]] + [value]
    exact = Fraction(0)
    for tier, end in zip(tiers, ends, strict=True):
        exact += max(0, min(value, end) - tier["floor_quote"] * PPM) * Fraction(tier["maintenance_ppm"], PPM)
    expected = math.ceil(exact) if up else math.floor(exact)
    assert maintenance_atoms(t, 0, lots, mark) == maintenance_atoms(t, 0, -lots, mark) == expected
    holds = max(i for i, tier in enumerate(tiers) if tier["floor_quote"] * PPM <= value)
    assert tier_of(t, 0, value) == holds


def test_tiers_by_hand() -> None:
    """R-A1 to R-A3: tier two from 1 quote: deduction 50,000; leverage 8 raises the first rate to 12.5 %."""
    tiers = [
        {"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000},
        {"floor_quote": 1, "initial_ppm": 200_000, "maintenance_ppm": 100_000},
    ]
    t = tables(margin={"tiers": tiers, "leverage_max": 8})
    assert [maintenance_atoms(t, 0, lots, 100) for lots in (0, 9_999, 10_000, 20_000)] == [
        0, 49_995, 50_000, 150_000,
    ]  # fmt: skip
    assert [initial_atoms(t, 0, 0, lots) for lots in (9_999, -20_000)] == [124_988, 400_000]
    t.positions[0, P_INITIAL_PPM] = 150_000
    assert [initial_atoms(t, 0, 0, lots) for lots in (9_999, 20_000)] == [149_985, 400_000]
    assert initial_atoms(t, 1, 0, 9_999) == 124_988


@given(
    lots=st.integers(-1_000, 1_000).filter(bool),
    mark=st.integers(1, 999),
    equity=st.integers(-(10**7), 10**7),
    multiplier=st.sampled_from([1, 7, 1_000]),
    inward=st.booleans(),
)
def test_bankruptcy_price_uses_equity_up(lots: int, mark: int, equity: int, multiplier: int, inward: bool) -> None:
    """R-A9: at the price the equity just suffices, one tick further it does not (outward: the other way round)."""
    t = tables(multiplier, rounding={"bankruptcy_price": "inward" if inward else "outward"})
    price = bankruptcy_ticks(t, 0, lots, mark, equity)
    away = 1 if lots > 0 else -1  # equity is used up as the price moves against the position

    def left_at(ticks: int) -> int:
        return equity + int(value_atoms(t, 0, lots, ticks)) - int(value_atoms(t, 0, lots, mark))

    assert 1 <= price <= 999
    if inward:
        # Clamped to the range, one of the two may not hold: there is no such price.
        assert left_at(price) >= 0 or price == (999 if lots > 0 else 1)
        assert left_at(price - away) < 0 or price == (1 if lots > 0 else 999)
    else:
        assert left_at(price) <= 0 or price == (1 if lots > 0 else 999)
        assert left_at(price + away) > 0 or price == (999 if lots > 0 else 1)


@pytest.mark.parametrize(
    ("lots", "equity", "inward", "outward"),
    [
        (10, 105, 90, 89),
        (10, 100, 90, 90),
        (-10, 105, 110, 111),
        (10, -5, 101, 100),
        (-10, -5, 99, 100),
        (1, 500, 1, 1),
        (-1, 5_000, 999, 999),
    ],
)
def test_bankruptcy_price_by_hand(lots: int, equity: int, inward: int, outward: int) -> None:
    """R-A9: 10 lots at 100 with 105 atoms: 89.5; inward is towards the mark, a bankrupt one's beyond it."""
    for direction, price in (("inward", inward), ("outward", outward)):
        t = tables(rounding={"bankruptcy_price": direction})
        assert bankruptcy_ticks(t, 0, lots, 100, equity) == price


@pytest.mark.parametrize(
    ("lots", "bids", "asks", "exposure", "two_more_bids", "three_more_asks"),
    [(0, 0, 0, 0, 2, 3), (5, 3, 9, 8, 10, 8), (5, 0, 12, 7, 7, 10), (-5, 3, 0, 5, 5, 8), (-5, 20, 0, 15, 17, 15)],
)
def test_exposure(lots: int, bids: int, asks: int, exposure: int, two_more_bids: int, three_more_asks: int) -> None:
    """R-A6: the larger of |lots + bids| and |lots - asks|, with lots added to either or to the position."""
    t = tables()
    t.positions[0, [P_LOTS, P_BIDS_LOTS, P_ASKS_LOTS]] = lots, bids, asks
    assert exposure_lots(t, 0, 0, 0, 0) == exposure
    assert exposure_lots(t, 0, 0, 2, 0) == two_more_bids
    assert exposure_lots(t, 0, 0, 0, 3) == three_more_asks
    assert exposure_with_lots(t, 0, 0, -lots) == max(bids, asks)


def test_equity_and_free_collateral_of_a_cross_unit() -> None:
    """R-A4, R-A5: 10 long at 100, 4 short at 100 in the next; at 103 and 100 the orders are margined too."""
    desk = EngineDesk([500, RICH], markets=2)
    desk.trade(0, 1, 10, 100, market=0)
    desk.trade(1, 0, 4, 100, market=1)
    desk.limit(0, 1, 5, 90, market=0)
    desk.step(index=103)
    assert equity_atoms(desk.t, 0) == 500 + 30
    assert unit_maintenance_atoms(desk.t, 0) == 52 + 20  # 5 % of 1,030 = 51.5 up, of 400 = 20
    assert free_collateral_atoms(desk.t, 0, NONE, 0, 0, 0) == 530 - 155 - 40  # 15 lots at 103: 154.5 up
    assert free_collateral_atoms(desk.t, 0, 1, 0, 0, 10) == 530 - 155 - 140


def test_an_isolated_market_needs_only_what_its_orders_add() -> None:
    """R-A5, R-M7: 10 lots hold 100 in the pocket; the open order for 5 more needs 50 of the cross unit."""
    isolated = PLAIN["margin"] | {"mode": "isolated"}
    desk = EngineDesk([500, RICH], margin=isolated)
    desk.trade(0, 1, 10, 100)
    assert (desk.cash(0), desk.pocket(0), free_collateral_atoms(desk.t, 0, NONE, 0, 0, 0)) == (400, 100, 400)
    desk.limit(0, 1, 5, 100)
    assert free_collateral_atoms(desk.t, 0, NONE, 0, 0, 0) == 350


@pytest.mark.parametrize(("equity", "shares"), [(1_100, [275, 825]), (-1_101, [-275, -825]), (3, [0, 2])])
def test_equity_is_shared_by_maintenance(equity: int, shares: list[int]) -> None:
    """R-A9: MM 50 and 150 of 200; shares are rounded towards zero, bankrupt or not."""
    desk = EngineDesk([1_100, RICH], markets=2)
    desk.trade(0, 1, 10, 100, market=0)
    desk.trade(0, 1, 30, 100, market=1)
    assert [position_equity_atoms(desk.t, 0, market, equity) for market in (0, 1)] == shares


def test_equity_is_shared_equally_where_nothing_is_required() -> None:
    """R-A9: rounded down the requirement of one lot is 0 in both markets."""
    desk = EngineDesk([1_100, RICH], markets=2, rounding={"requirement": "down"})
    for market in (0, 1):
        desk.trade(0, 1, 1, 10, market=market)
    desk.t.markets[:, M_MARK_TICKS] = 10
    assert unit_maintenance_atoms(desk.t, 0) == 0
    assert [position_equity_atoms(desk.t, 0, market, -7) for market in (0, 1)] == [-3, -3]
