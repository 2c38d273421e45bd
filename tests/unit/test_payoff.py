"""Payoffs, prices finer than a tick and the bankruptcy quote: published examples and exact fractions (R-U5, R-A10)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delever.engine.bankruptcy import bankruptcy_quote_atoms, bankruptcy_value_atoms
from delever.engine.contract import (
    bankruptcy_microticks,
    bankruptcy_ticks,
    entry_ticks,
    lookout_ticks,
    value_atoms,
    worth_atoms,
)
from delever.engine.liquidation_price import liquidation_microticks, liquidation_ticks
from delever.engine.margin import equity_atoms, maintenance_atoms
from delever.engine.rules.io import RuleError, load_rules
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market, allocate
from delever.engine.tables import (
    M_MARK_TICKS,
    M_RATE_MAX_PPM,
    P_COST_ATOMS,
    P_LOTS,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    Tables,
)

from .desk import PLAIN

PPM = 1_000_000
COIN = 10**8
INVERSE: dict[str, Any] = {
    "payoff": "inverse",
    "lots_max": 10**6,
    "inverse": {"currency": "BTC", "units_per_coin": 100, "face_quote": 1},
}
LINEAR: dict[str, Any] = {"payoff": "linear"}


def tier(maintenance_ppm: int) -> dict[str, Any]:
    """Return a margin axis of one bracket."""
    return {
        "tiers": [{"floor_quote": 0, "initial_ppm": max(maintenance_ppm, 10_000), "maintenance_ppm": maintenance_ppm}]
    }


def holding(
    lots: list[int], entries: list[int], marks: list[int], multipliers: list[int], balance: int, **axes: Any
) -> Tables:
    """Return tables in which account 0 has entered positions of these sizes at these prices."""
    rules = RuleSet.model_validate(PLAIN | axes)
    markets = [Market(f"M{m}", multiplier, min(2**20, 4 * max(marks))) for m, multiplier in enumerate(multipliers)]
    t = allocate(rules, markets, np.arange(2), marks, 10, False)
    for market, size in enumerate(lots):
        t.positions[market, P_LOTS] = size
        t.positions[market, P_COST_ATOMS] = worth_atoms(t, market, size, entries[market])
    t.units[0, U_CREDITS_ATOMS if balance > 0 else U_DEBITS_ATOMS] = abs(balance)
    return t


@pytest.mark.parametrize(
    ("balance", "size", "mark", "delta", "expected"),
    [
        (-4501_000_000, 10_000_000, 50_000, -10_000_000, 4501_000_000),
        (-5000_000_000, 10_000_000, 50_000, -5_000_000, 2500_000_000),
        (5000_000_000, -10_000_000, 50_000, 10_000_000, -5000_000_000),
        (-13_000_000, 100_000_000, 50_000, -21_347, 2_776),
        (13_000_000, -100_000_000, 50_000, 21_347, -2_775),
    ],
)
def test_bankruptcy_quote_of_dydx(balance: int, size: int, mark: int, delta: int, expected: int) -> None:
    """R-A11: dYdX v4, TestGetBankruptcyPriceInQuoteQuantums: 10^8 lots a BTC, a tick of 100 USD is an atom a lot."""
    t = holding([size], [0], [mark // 100], [1], balance, contract={"lots_max": 100_000_000}, margin=tier(100_000))
    assert bankruptcy_quote_atoms(t, 0, 0, delta) == expected


def test_bankruptcy_quote_shares_equity_by_requirement() -> None:
    """R-A11: dYdX v4, TestProcessDeleveraging: equity 800, BTC needs 5,000, ETH 3,000: it ends at 50,500."""
    t = holding(
        [-100_000_000, -100_000_000], [0, 0], [500, 300], [1, 1], 80_800_000_000, margin=tier(100_000),
        contract={"lots_max": 100_000_000},
    )  # fmt: skip
    assert bankruptcy_quote_atoms(t, 0, 0, 100_000_000) == -50_500_000_000
    assert bankruptcy_value_atoms(t, 0, 0, 100_000_000) == 50_500_000_000


@given(
    contract=st.sampled_from([LINEAR, INVERSE]), lots=st.integers(1, 500), part=st.integers(1, 500),
    side=st.sampled_from([1, -1]), share_ppm=st.integers(-300_000, 900_000),
)  # fmt: skip
def test_a_close_at_the_quote_uses_up_its_share(
    contract: dict[str, Any], lots: int, part: int, side: int, share_ppm: int
) -> None:
    """R-A11: the equity lost by closing a part for the quote is the part's share of the requirement, rounded down."""
    mark, part = 100_000, min(part, lots)
    t = holding(
        [side * lots], [mark], [mark], [10**9 if contract is INVERSE else 7], 1, contract=contract, margin=tier(50_000)
    )
    equity = value_atoms(t, 0, lots, mark) * share_ppm // PPM
    t.units[0, U_CREDITS_ATOMS] = 2**40 + equity
    t.units[0, U_DEBITS_ATOMS] = 2**40
    at_mark = worth_atoms(t, 0, side * lots, mark) - worth_atoms(t, 0, side * (lots - part), mark)
    used = at_mark - bankruptcy_quote_atoms(t, 0, 0, -side * part)
    whole = maintenance_atoms(t, 0, lots, mark)
    change = whole - maintenance_atoms(t, 0, lots - part, mark)
    assert used == floor(Fraction(int(equity_atoms(t, 0)) * int(change), int(whole)))
    assert bankruptcy_value_atoms(t, 0, 0, -side * part) > 0


def test_bankruptcy_price_of_bybit_inverse() -> None:
    """R-U6, R-A9: entry 7,890.08, leverage 50: 7,735.372549, to the tick of 0.5 it is 7,735.5 (Bybit, ADL page)."""
    t = holding([10**6], [789_008], [789_008], [100 * COIN], 1, contract=INVERSE)
    margin = value_atoms(t, 0, 10**6, 789_008) // 50
    assert bankruptcy_microticks(t, 0, 10**6, 789_008, margin) == pytest.approx(773_537.2549e6, abs=1e3)
    half = holding([10**6], [15_780], [15_780], [2 * COIN], 1, contract=INVERSE)
    assert bankruptcy_ticks(half, 0, 10**6, 15_780, value_atoms(half, 0, 10**6, 15_780) // 50) == 2 * 7_735.5


def test_bankruptcy_price_of_bybit_with_the_closing_fee() -> None:
    """R-U6: (1 + 0.075 %) 10,000 / (10,000 / 8,000 + 0.5) = 5,718.57 (Bybit, liquidation price, inverse)."""
    fee = INVERSE | {"closing_fee": {"fee_ppm": 750}}
    t = holding([10_000], [800_000], [800_000], [100 * COIN], COIN // 2, contract=fee)
    assert bankruptcy_microticks(t, 0, 10_000, 800_000, COIN // 2) / 1e8 == pytest.approx(5_718.57, abs=0.005)


def test_liquidation_price_of_kraken() -> None:
    """R-A10, R-U5: 1,000 contracts at 8,000 with 0.01 XBT: 7,481.48, no equity at 7,407.4 (Kraken, EPP)."""
    t = holding([1_000], [800_000], [800_000], [100 * COIN], COIN // 100, contract=INVERSE, margin=tier(10_000))
    assert liquidation_microticks(t, 0, 0) / 1e8 == pytest.approx(1_010 / 0.135, abs=0.001)
    assert bankruptcy_microticks(t, 0, 1_000, 800_000, COIN // 100) / 1e8 == pytest.approx(7_407.4, abs=0.01)
    assert value_atoms(t, 0, 1_000, 800_000) == COIN // 8
    assert entry_ticks(t, 0, 1_000, -COIN // 8) == 800_000


def test_liquidation_price_of_gate_finer_than_a_tick() -> None:
    """R-A10: short 1 at 10, margin 2, 1.06 % to keep: 12 / 1.0106 = 11.874134..., on ticks of 0.0001."""
    lots, multiplier = 1_000_000, 100
    t = holding([-lots], [100_000], [100_000], [multiplier], 2 * 10_000 * lots * multiplier, margin=tier(10_600))
    exact = Fraction(12 * 10_000 * PPM * PPM, PPM + 10_600)
    assert abs(liquidation_microticks(t, 0, 0) - exact) <= 2
    assert liquidation_ticks(t, 0, 0) == ceil(exact / PPM)


@settings(max_examples=200)
@given(
    contract=st.sampled_from([LINEAR, INVERSE]), side=st.sampled_from([1, -1]), leverage=st.integers(2, 60),
    rate=st.sampled_from([1_000, 5_000, 12_345]), lots=st.integers(1, 10**5),
)  # fmt: skip
def test_liquidation_price_lies_within_its_tick(
    contract: dict[str, Any], side: int, leverage: int, rate: int, lots: int
) -> None:
    """R-A10: the fine price is the exact root as far as whole atoms tell, and within the tick found distressed."""
    mark = 100_000
    t = holding(
        [side * lots], [mark], [mark], [10**11 if contract is INVERSE else 1_000], 1, contract=contract,
        margin=tier(rate),
    )  # fmt: skip
    value = int(value_atoms(t, 0, lots, mark))
    equity = value // leverage
    t.units[0, U_CREDITS_ATOMS] = equity
    keep = side * Fraction(rate, PPM)
    root = Fraction(mark * (value - side * equity), value) / (1 - keep)
    if contract is INVERSE:
        root = mark * value * (1 + keep) / (value + side * equity)
    fine, tick = int(liquidation_microticks(t, 0, 0)), int(liquidation_ticks(t, 0, 0))
    if not 1 <= root <= 4 * mark - 2:
        assert (fine == 0) == (tick == 0)
        return
    assert abs(fine - root * PPM) <= PPM * Fraction(6 * mark, value) * max(1, root / mark) ** 2 + 3
    assert abs(fine - tick * PPM) <= PPM


@settings(max_examples=300)
@given(
    side=st.sampled_from([1, -1]), lots=st.integers(1, 10**4), mark=st.integers(50, 5_000), face=st.integers(13, 30),
    share_ppm=st.integers(0, 1_200_000), rate=st.integers(1, 500_000), moves=st.lists(st.integers(1, 9_999)),
)  # fmt: skip
def test_an_inverse_look_out_comes_in_time(
    side: int, lots: int, mark: int, face: int, share_ppm: int, rate: int, moves: list[int]
) -> None:
    """R-W2, R-U5: at every price before the look-out, loss and rise of the requirement are within the share."""
    margin = {"tiers": [{"floor_quote": 0, "initial_ppm": PPM, "maintenance_ppm": rate}], "call_ppm": 0}
    rules = RuleSet.model_validate(PLAIN | {"contract": INVERSE | {"lots_max": 10**4}, "margin": margin})
    t = allocate(rules, [Market("M0", 2**face + 10_000, 10_000)], np.arange(1), [mark], 10, False)
    t.markets[0, M_MARK_TICKS] = mark
    share = value_atoms(t, 0, lots, mark) * share_ppm // PPM
    look = lookout_ticks(t, 0, side * lots, mark, share, int(t.markets[0, M_RATE_MAX_PPM]), PPM)
    assert (look <= mark) if side > 0 else (look >= mark)
    for price in [*moves, look + side]:
        if (side > 0 and look < price <= mark) or (side < 0 and mark <= price < min(look, 10_000)):
            lost = worth_atoms(t, 0, side * lots, mark) - worth_atoms(t, 0, side * lots, price)
            more = maintenance_atoms(t, 0, lots, price) - maintenance_atoms(t, 0, lots, mark)
            assert lost + more <= max(share, 0) or lost + more <= 0


def test_a_payoff_and_its_table_belong_together() -> None:
    with pytest.raises(RuleError, match=r"payoff = 'inverse' and the table \[contract.inverse\] belong together"):
        load_rules("textbook,contract.payoff=inverse")


def test_an_inverse_lot_is_worth_something_everywhere() -> None:
    rules = RuleSet.model_validate(PLAIN | {"contract": INVERSE | {"lots_max": 100}})
    with pytest.raises(ValueError, match="an inverse lot would be worth less than an atom at high prices"):
        allocate(rules, [Market("BTC", 999, 1_000)], np.arange(1), [100], 10, False)
    most = 2**58 // 200
    allocate(rules, [Market("BTC", most, 1_000)], np.arange(1), [100], 10, False)
    with pytest.raises(ValueError, match="2 x lots_max x multiplier_atoms, over all markets"):
        allocate(rules, [Market("BTC", most + 1, 1_000)], np.arange(1), [100], 10, False)
