"""Collateral in several assets (R-C1 to R-C7): what is refused, look-outs, conservation, snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from delever.engine.asset_columns import H_ATOMS
from delever.engine.assets import credited_atoms, weighted_atoms
from delever.engine.commands import Kind, batch
from delever.engine.events import E_KIND, Event
from delever.engine.invariants import check_assets, conservation_error
from delever.engine.rules.collateral import Collateral
from delever.engine.rules.io import from_toml, to_toml
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.tables import OUTSIDE, V_LIQUIDATIONS
from delever.engine.venue import Venue

COIN = {"symbol": "COIN", "market": "M0", "haircuts": [{"floor_quote": 0, "haircut_ppm": 100_000}]}
STEPPED = {
    "symbol": "STEP",
    "price_ppm": 1_000_000,
    "haircuts": [{"floor_quote": f, "haircut_ppm": h} for f, h in ((0, 0), (1, 333_333), (3, 1_000_000))],
}
RULE = {
    "assets": [COIN, STEPPED],
    "sale_order": "haircut",
    "sale": "after_positions",
    "buyer": "outside",
    "conversion_ppm": 0,
}


def opened(**margin: Any) -> Venue:
    """Return a venue with forty traders, two markets, and collateral."""
    rules = RuleSet.model_validate(
        {
            "margin": {"collateral": RULE} | margin,
            "mark": {"components": ["last"]},
            "charges": {"maker_ppm": 0, "taker_ppm": 0, "funding": None},
            "halts": {"collar_ppm": 0},
        }
    )
    markets = [Market("M0", 10, 1000), Market("M1", 7, 1000)]
    return Venue(rules, markets, np.arange(40), first_index_ticks=[500, 500], check=True)


def deposits() -> np.ndarray:
    """Return money for the even accounts and coins for the odd ones."""
    money = batch(20, account=np.arange(0, 40, 2), kind=Kind.DEPOSIT, amount=1_000_000)
    coins = batch(20, account=np.arange(1, 40, 2), kind=Kind.DEPOSIT_ASSET, market=0, amount=20_000_000)
    return np.concatenate([money, coins])


def test_each_step_of_a_haircut_is_rounded_down() -> None:
    """R-C1: 1 quote whole, 2 quote at 666,667 ppm, nothing beyond."""
    t = opened().tables
    assert weighted_atoms(t, 1, 1_000_000) == 1_000_000
    assert weighted_atoms(t, 1, 1_000_002) == 1_000_001  # 1.333334
    assert weighted_atoms(t, 1, 3_000_000) == 1_000_000 + 1_333_334
    assert weighted_atoms(t, 1, 2**50) == 2_333_334


def test_a_falling_index_finds_whom_it_brings_below() -> None:
    """R-C4, R-W2: the mark stands still, only the index moves; the sweep of `check` proves that nobody is missed."""
    venue = opened()
    venue.process(deposits(), np.array([500, 500]))
    sells = batch(20, account=np.arange(0, 40, 2), kind=Kind.LIMIT, side=-1, lots=range(60, 80), price_ticks=500)
    buys = batch(20, account=np.arange(1, 40, 2), kind=Kind.LIMIT, side=1, lots=range(60, 80), price_ticks=500)
    venue.process(np.concatenate([sells, buys]), np.array([500, 500]))
    liquidated = []
    for index in range(500, 20, -2):
        venue.process(np.zeros((0, 11), dtype=np.int64), np.array([index, 500]))
        liquidated.append(int(venue.tables.venue[V_LIQUIDATIONS]))
        assert conservation_error(venue.tables) == 0
    assert liquidated[0] == 0
    assert liquidated[-1] == 20, "everybody who brought coins"
    assert len(set(liquidated)) > 5, "one after another"


def test_nothing_of_it_is_lost_in_a_snapshot() -> None:
    """Holdings are part of snapshot and digest."""
    venue = opened()
    venue.process(deposits(), np.array([500, 500]))
    saved, before = venue.snapshot(), venue.digest()
    out = batch(1, account=1, kind=Kind.WITHDRAW_ASSET, market=0, amount=5)
    assert venue.process(out, np.array([500, 500])).results.tolist() == [0]
    assert venue.digest() != before
    venue.restore(saved)
    assert venue.digest() == before
    assert credited_atoms(venue.tables, 1) == 20 * 10 * 500 * 9 // 10


def test_an_asset_that_comes_from_nowhere_is_found() -> None:
    """I10, and the number that a run reports."""
    venue = opened()
    venue.process(deposits(), np.array([500, 500]))
    check_assets(venue.tables)
    venue.tables.holdings[3, 0, H_ATOMS] += 7
    assert conservation_error(venue.tables) == 7
    with pytest.raises(AssertionError, match="I10 holdings of asset 0 sum to 7"):
        check_assets(venue.tables)
    venue.tables.holdings[3, 0, H_ATOMS] -= 7 + 20_000_001
    venue.tables.holdings[40 + OUTSIDE, 0, H_ATOMS] += 20_000_001
    with pytest.raises(AssertionError, match="I10 somebody owes asset 0"):
        check_assets(venue.tables)


def test_movements_of_assets_are_events() -> None:
    """R-C2: one event each, whether or not there is a journal."""
    venue = opened()
    venue.process(deposits(), np.array([500, 500]))
    kinds = venue.drain_events()[:, E_KIND].tolist()
    assert kinds.count(Event.ASSET) == 20


def test_rules_with_assets_are_written_and_read_as_toml() -> None:
    """What an asset leaves out has its word within a list of tables too."""
    rules = RuleSet.model_validate({"margin": {"collateral": RULE}})
    assert 'price_ppm = "none"' in to_toml(rules)
    assert from_toml(to_toml(rules), "custom.toml") == rules


def test_a_venue_of_money_has_no_room_for_assets() -> None:
    """R-C3: without the rule there is no asset to name, and no table."""
    venue = opened(collateral=None)
    refused = batch(2, account=1, kind=[Kind.DEPOSIT_ASSET, Kind.WITHDRAW_ASSET], market=0, amount=5)
    names = venue.process(refused, np.array([500, 500])).results.tolist()
    assert names == [2, 2]
    assert venue.tables.holdings.size == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"assets": [COIN, COIN]}, "different symbols"),
        ({"assets": [COIN | {"price_ppm": 5}]}, "either market or price_ppm"),
        ({"assets": [COIN | {"market": None}]}, "either market or price_ppm"),
        ({"assets": [COIN | {"haircuts": [{"floor_quote": 1, "haircut_ppm": 0}]}]}, "must start at floor_quote = 0"),
        ({"assets": [COIN | {"haircuts": [{"floor_quote": 0, "haircut_ppm": 0}] * 2}]}, "floors of haircuts must rise"),
        ({"conversion_ppm": 500_001}, "less than or equal to 500000"),
    ],
)
def test_what_means_nothing_is_refused(change: dict[str, Any], message: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ValueError, match=message):
        Collateral.model_validate(RULE | change)
