"""Requirements by schedule and add-ons: the numbers that venues publish, by the engine's own functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from delever.engine.digest import digest
from delever.engine.liquidation_price import liquidation_microticks
from delever.engine.margin import (
    exposure_initial_atoms,
    initial_atoms,
    maintenance_atoms,
    position_maintenance_atoms,
)
from delever.engine.rules.describe import describe
from delever.engine.rules.io import from_toml, to_toml
from delever.engine.rules.ruleset import RuleSet
from delever.engine.schedules import quoted_ppm
from delever.engine.state import Market, allocate
from delever.engine.tables import (
    FUND,
    M_LONG_LOTS,
    M_VARIANCE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_LOTS,
    U_CREDITS_ATOMS,
    V_ACCOUNTS,
    Tables,
)

from .desk import PLAIN
from .engine_desk import EngineDesk

COIN = 10**6  # atoms of one quote unit: a lot of one coin, a tick of one quote unit
MODEL = {
    "kind": "model", "long_ppm": 100_000, "short_ppm": 110_000, "slippage_ppm": 250_000, "initial_scale_ppm": 1_200_000,
}  # fmt: skip


def tables(mark: int, multiplier: int = COIN, *, price_max: int = 200_000, **margin: Any) -> Tables:
    """Return the tables of two accounts in one market with rules of margin laid over the plain ones."""
    axes = {"contract": {"lots_max": 10_000}, "margin": PLAIN["margin"] | margin}
    rules = RuleSet.model_validate(PLAIN | axes | {"liquidation": {"trigger": "at_or_below"}})
    return allocate(rules, [Market("M0", multiplier, price_max)], np.arange(2), [mark], 10, False)


@pytest.mark.parametrize(
    ("mark", "schedule", "lots", "initial", "maintenance"),
    [
        # Deribit: 0.005 % a BTC on 2 % and 1 %, 0.0005 % a SOL on 4 % and 2 %
        (100_000, {"initial_ppm": 20_000, "maintenance_ppm": 10_000, "slope_ppm": 50}, 350, 1_312_500, 962_500),
        (200, {"initial_ppm": 40_000, "maintenance_ppm": 20_000, "slope_ppm": 5}, 25, 200.625, 100.625),
    ],
)
def test_margin_that_rises_with_every_coin(
    mark: int, schedule: dict[str, int], lots: int, initial: float, maintenance: float
) -> None:
    """R-A22: what Deribit publishes for its linear perpetuals."""
    t = tables(mark, schedule={"kind": "affine", "slope_lots": 1, **schedule})
    assert initial_atoms(t, 0, 0, lots) == initial * COIN
    assert maintenance_atoms(t, 0, -lots, mark) == maintenance * COIN


def test_margin_by_skew_scale() -> None:
    """R-A24: Synthetix, 150 of a scale of 1,000 at 3.0: 45 %, and half of it to stay."""
    schedule = {"kind": "skew_scaled", "initial_ppm": 0, "slope_ppm": 3 * COIN, "slope_lots": 1_000}
    t = tables(10, schedule=schedule | {"maintenance_scale_ppm": 500_000})
    assert initial_atoms(t, 0, 0, 150) == 675 * COIN
    assert maintenance_atoms(t, 0, 150, 10) == 337.5 * COIN


def test_the_riskier_side_of_a_model() -> None:
    """R-A26, R-A30: Vega, 10 long with bids for 4 and asks for 8 at 144: 14 long are riskiest, 705.6 times 1.2."""
    t = tables(144, schedule=MODEL)
    t.positions[0, [P_LOTS, P_BIDS_LOTS, P_ASKS_LOTS]] = 10, 4, 8
    assert exposure_initial_atoms(t, 0, 0, 0, 0, 0) == 705.6 * 1.2 * COIN
    whole = tables(145, multiplier=1, schedule=MODEL | {"long_ppm": 0, "short_ppm": 0})
    assert maintenance_atoms(whole, 0, 250, 145) == 9_063  # 9,062.5 rounded up


@pytest.mark.parametrize(("open_quote", "need"), [(25, 100_000), (26, 116_000), (37, 292_000), (50, 500_000)])
def test_open_interest_scales_the_rate(open_quote: int, need: int) -> None:
    """R-A31: dYdX, 20 % rises to 1 between 25 and 50 of open interest."""
    tier = {"floor_quote": 0, "initial_ppm": 200_000, "maintenance_ppm": 1}
    t = tables(1, tiers=[tier], open_interest={"lower_quote": 25, "upper_quote": 50})
    t.markets[0, M_LONG_LOTS] = open_quote
    assert initial_atoms(t, 0, 0, 1) == need * 2
    assert maintenance_atoms(t, 0, 1, 1) == 1


def test_weights_of_a_long_and_a_short() -> None:
    """R-A25: Mango, 20 lots of 100 at weights 0.6 and 1.4 take 1,120 from health at a price of 1.4."""
    weights = {"initial_asset_ppm": 600_000, "maintenance_asset_ppm": 700_000}
    weights |= {"initial_liability_ppm": 1_400_000, "maintenance_liability_ppm": 1_300_000}
    t = tables(14, multiplier=10 * COIN, schedule={"kind": "weights", **weights})
    assert [initial_atoms(t, 0, 0, lots) for lots in (20, -20)] == [1_120 * COIN, 1_120 * COIN]


def test_the_fund_makes_the_market_lean() -> None:
    """R-A32: what the fund is short the others are long net; on that side it costs 5 % more."""
    t = tables(100, skew={"measure": "venue", "slope_ppm": 100_000, "slope_lots": 20})
    t.positions[int(t.venue[V_ACCOUNTS]) + FUND, P_LOTS] = -10
    assert [initial_atoms(t, 0, 0, lots) for lots in (2, -2)] == [30 * COIN, 20 * COIN]


def test_isolated_price_with_margin_of_the_entry() -> None:
    """R-A28, R-A10: Bybit, 10 times leverage at 10 with 1 % of the entry: a long goes at 9.1, a short at 10.9."""
    tier = {"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 10_000}
    t = tables(10_000, multiplier=1_000, tiers=[tier], valuation={"price": "entry"})
    for account, lots in ((0, 1_000), (1, -1_000)):
        t.positions[account, [P_LOTS, P_COST_ATOMS]] = lots, lots * 1_000 * 10_000
        t.units[account, U_CREDITS_ATOMS] = 10**9
    assert [liquidation_microticks(t, account, 0) for account in (0, 1)] == [9_100 * COIN, 10_900 * COIN]


def test_fee_at_the_bankruptcy_price_of_an_inverse_long() -> None:
    """R-A29, R-A28: Bybit inverse, 10,000 at 8,000 with 0.5 behind it: the fee of a close at 5,718.57."""
    rules = RuleSet.model_validate(
        PLAIN
        | {
            "contract": {
                "payoff": "inverse",
                "lots_max": 10_000,
                "inverse": {"currency": "BTC", "units_per_coin": 10_000, "face_quote": 1},
            },
            "margin": {
                "tiers": [{"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 5_000}],
                "valuation": {"price": "entry"},
                "closing_fee": {"rate_ppm": 750, "price": "bankruptcy"},
            },
        }
    )
    t = allocate(rules, [Market("M0", 10**10, 20_000)], np.arange(1), [8_000], 10, False)
    t.positions[0, [P_LOTS, P_COST_ATOMS]] = 10_000, -(10**14) // 8_000  # 1.25 coins of 10**10 atoms
    t.units[0, U_CREDITS_ATOMS] = 5 * 10**9
    fee = position_maintenance_atoms(t, 0, 0, 10_000, 8_000) - 125 * 10**8 * 5_000 // COIN
    assert fee == -(-(17_500_000_000 * 750) // 1_000_750)  # what is owed then, 1.75 coins, less the fee, times 0.075 %


@pytest.mark.parametrize(
    ("margin", "says"),
    [
        ({"schedule": {"kind": "stepped", "steps": []}}, "at least one step"),
        ({"schedule": {"kind": "affine", "initial_ppm": 9, "maintenance_ppm": 10, "slope_ppm": 0, "slope_lots": 1}},
         "must not be above initial_ppm"),
        ({"schedule": MODEL | {"slippage_ppm": 900_000}}, "must be 1 to 1000000"),
        ({"call_ppm": 1_500_000, "schedule": MODEL | {"slippage_ppm": 800_000}}, "not exceed the position's value"),
        ({"open_interest": {"lower_quote": 5, "upper_quote": 4}}, "upper_quote must be above lower_quote"),
        ({"closing_fee": {"rate_ppm": 5, "price": "bankruptcy"}, "mode": "isolated",
          "pockets": {"kind": "search", "search_ppm": 1_100_000, "initial_ppm": 1_200_000,
                      "release_ppm": 1_400_000}}, "means nothing with pockets.kind = 'search'"),
        ({"schedule": {"kind": "bracketed", "tiers": [
            {"floor_quote": 0, "initial_ppm": 50, "maintenance_ppm": 20, "deduction_atoms": 0},
            {"floor_quote": 1, "initial_ppm": 50, "maintenance_ppm": 30, "deduction_atoms": 11}]}}, "at most 10"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(margin: dict[str, Any], says: str) -> None:
    """Each combination that cannot be says why."""
    with pytest.raises(ValueError, match=says):
        RuleSet.model_validate({"margin": PLAIN["margin"] | margin})


def test_schedules_are_written_and_shown() -> None:
    """A rule set with everything reads back as it was written, and is described row by row."""
    steps = [{"floor_lots": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000}]
    margin = {
        "schedule": {"kind": "stepped_lots", "steps": steps},
        "schedules": {"M0": MODEL},
        "open_interest": {"lower_quote": 1, "upper_quote": 9, "markets": {"M1": {"lower_quote": 0, "upper_quote": 0}}},
    }
    rules = RuleSet.model_validate({"name": "all", "margin": margin})
    assert from_toml(to_toml(rules), "all") == rules
    shown = describe(rules)
    assert "initial_ppm 100,000 ppm (10 %)" in shown and "floor_lots 0" in shown
    assert "margin.schedules.M0.long_ppm = 100,000 ppm (10 %)" in shown
    assert "margin.open_interest.markets.M1.upper_quote = 0 quote units" in shown


def test_traders_reckon_with_the_rate_of_the_schedule() -> None:
    """R-A22, R-A24: the rate quoted for a value is that of so many lots; a minimum is spread over the value."""
    schedule = {"kind": "affine", "initial_ppm": 100_000, "maintenance_ppm": 50_000, "slope_ppm": 1_000}
    t = tables(100, schedule=schedule | {"slope_lots": 1})
    assert [quoted_ppm(t, 0, lots * 100 * COIN) for lots in (0, 1, 50)] == [101_000, 101_000, 150_000]
    scaled = {"kind": "skew_scaled", "initial_ppm": 100_000, "slope_ppm": 0, "slope_lots": 1}
    t = tables(100, schedule=scaled | {"maintenance_scale_ppm": 500_000, "minimum_atoms": 10 * COIN})
    assert quoted_ppm(t, 0, 100 * COIN) == 200_000


def test_variance_is_part_of_the_state() -> None:
    """R-A34: a run goes on from a snapshot as if nothing had been, and the digest knows the variance."""
    volatility = {"interval_s": 1, "decay_ppm": 900_000, "multiple_ppm": 3 * COIN, "floor_ppm": 0}
    margin = PLAIN["margin"] | {"volatility": volatility | {"maintenance_share_ppm": 500_000}}
    desk, other = (EngineDesk([500, 10**6], margin=margin) for _ in range(2))
    for each in (desk, other):
        each.trade(0, 1, 10, 100)
        each.step(index=103)
    saved = desk.engine.snapshot()
    desk.step(index=101)
    other.engine.restore(saved)
    other.step(index=101)
    assert desk.t.markets[0, M_VARIANCE] > 0
    assert digest(desk.t) == digest(other.t)
    other.t.markets[0, M_VARIANCE] += 1
    assert digest(desk.t) != digest(other.t)
