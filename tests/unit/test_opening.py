"""What traders bring at the start (R-C3): a share of each deposit in assets, where the venue takes them."""

from __future__ import annotations

import numpy as np
import pytest

from delever.engine.asset_columns import H_ATOMS
from delever.engine.assets import credited_atoms
from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.tables import M_FILLS, U_CREDITS_ATOMS, U_DEBITS_ATOMS
from delever.sim.model import MarketModel
from delever.sim.scenario import ScenarioError, load_scenario

ASSETS = {
    "assets": [
        {"symbol": "COIN", "market": "BTC", "haircuts": [{"floor_quote": 0, "haircut_ppm": 100_000}]},
        {"symbol": "ELSE", "market": "NONE", "haircuts": [{"floor_quote": 0, "haircut_ppm": 0}]},
    ],
    "sale_order": "listed",
    "sale": "after_positions",
    "buyer": "outside",
    "conversion_ppm": 10_000,
}


def opened(shares: dict[str, float], *, assets: bool) -> MarketModel:
    """Return a small world after its opening."""
    scenario = load_scenario("docs/examples/small_crash.toml")
    symbol = scenario.markets[0].symbol
    coin = {**ASSETS["assets"][0], "market": symbol}  # type: ignore[index]
    rules = replace(TEXTBOOK, {"margin.collateral": {**ASSETS, "assets": [coin, ASSETS["assets"][1]]}})
    return MarketModel(scenario, rules=rules if assets else TEXTBOOK, seed=3, traders=60, collateral=shares)


def money(model: MarketModel) -> np.ndarray:
    """Return the balance of each trader's cross unit."""
    units = model.venue.tables.units[: model.directory.traders]
    return units[:, U_CREDITS_ATOMS] - units[:, U_DEBITS_ATOMS]


def test_a_share_of_every_deposit_comes_as_an_asset() -> None:
    """Half is worth half, to an atom of the asset, and counts after its haircut."""
    plain, shared = opened({}, assets=True), opened({"COIN": 0.5}, assets=True)
    assert plain.venue.tables.holdings[: plain.directory.traders, 0, H_ATOMS].sum() == 0
    whole, half = money(plain), money(shared)
    assert (half == whole - whole // 2).all()
    credited = [int(credited_atoms(shared.venue.tables, row)) for row in range(shared.directory.traders)]
    assert np.allclose(credited, 0.9 * (whole // 2), rtol=1e-3, atol=2)


def test_a_venue_that_takes_no_assets_gets_money() -> None:
    """The same scenario under rules without the asset, or without its market: everybody is as rich."""
    whole = money(opened({}, assets=True))
    assert (money(opened({"COIN": 0.5}, assets=False)) == whole).all()
    assert (money(opened({"ELSE": 0.5}, assets=True)) == whole).all()


def test_a_world_with_assets_runs_to_its_end_and_keeps_all_laws() -> None:
    """Traders see what their assets count for, and trade on it."""
    model = opened({"COIN": 0.7}, assets=True)
    while model.running and model.step_now < 120:
        model.step()
    assert model.venue.conservation_error_atoms() == 0
    assert model.venue.tables.markets[0, M_FILLS] > 0


def test_shares_beyond_a_whole_are_refused() -> None:
    """Nobody can bring more than the deposit."""
    with pytest.raises(ScenarioError, match="at most 1"):
        opened({"COIN": 0.7, "ELSE": 0.4}, assets=True)
