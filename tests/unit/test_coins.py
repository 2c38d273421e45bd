"""Whole runs of venues that settle in a coin: what is converted, what is told, what is refused (R-U5)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from delever.agents.account import account_equity_atoms, account_free_atoms, account_maintenance_atoms, lot_atoms
from delever.engine.rules.io import load_rules
from delever.engine.rules.ruleset import RuleSet
from delever.experiments.audit import audit
from delever.experiments.folder import RunFolder
from delever.experiments.story import headline
from delever.experiments.summary import in_quote, in_words
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import ScenarioError, set_values
from tests.golden.shocks import shock_world

INVERSE = """
base = "textbook"
[contract]
payoff = "inverse"
lots_max = 10_000_000
[contract.inverse]
currency = "BTC"
units_per_coin = 100
face_quote = 1
[insurance]
initial_quote = 2_000
"""
QUANTO = """
base = "textbook"
[contract]
payoff = "quanto"
[contract.quanto]
currency = "BTC"
units_per_coin = 100
point_atoms = 100
coin_quote = 8_000
"""


def rules_of(text: str, folder: Path) -> RuleSet:
    """Return the rule set of a file."""
    file = folder / "coins.toml"
    file.write_text(text, encoding="utf-8")
    return load_rules(str(file))


@pytest.mark.parametrize("text", [INVERSE, QUANTO], ids=["inverse", "quanto"])
def test_a_run_in_coins_is_proved_and_told_in_coins(text: str, tmp_path: Path) -> None:
    rules = rules_of(text, tmp_path)
    result = simulate(shock_world(), rules, 1, out=tmp_path / "run", journal=True)
    run = RunFolder(tmp_path / "run")
    assert result.summary["conservation_error"] == 0 and result.summary["liquidations"] > 0
    assert not audit(tmp_path / "run").findings
    assert run.currency == ("BTC", 100_000_000)
    assert " BTC" in headline(run) and " BTC were closed" in in_words(result.summary)
    price = result.summary["quote_per_unit"]
    assert in_quote(result.summary)["volume_notional"] == pytest.approx(result.summary["volume_notional"] * price)


def test_deposits_are_converted_at_the_first_index(tmp_path: Path) -> None:
    world = shock_world()
    quote = MarketModel(world, rules="textbook", seed=3)
    coin = MarketModel(world, rules=rules_of(INVERSE, tmp_path), seed=3)
    for one, other in zip(quote.cohorts, coin.cohorts, strict=True):
        expected = one.initial_deposit_atoms() * 100 / 8_000
        assert np.allclose(other.initial_deposit_atoms(), expected, atol=1)
    tick = Fraction(world.markets[0].tick_size)
    assert coin.venue.markets[0].multiplier_atoms == 10**8 / tick


def test_traders_see_an_inverse_account_as_the_venue_does(tmp_path: Path) -> None:
    """The view's columns are the kernels' numbers, and those are the engine's."""
    model = MarketModel(shock_world(), rules=rules_of(INVERSE, tmp_path), seed=3)
    for _ in range(200):
        model.step()
    view, t = model.look(), model.venue.tables
    rows = np.arange(model.venue.fund_unit)
    assert (view.value_atoms(rows) > 0).sum() > 50
    assert view.equity_atoms(rows).tolist() == [account_equity_atoms(t, row) for row in rows]
    assert view.maintenance_atoms(rows).tolist() == [account_maintenance_atoms(t, row) for row in rows]
    assert view.free_collateral_atoms(rows).tolist() == [account_free_atoms(t, row) for row in rows]
    assert view.lot_atoms.tolist() == [lot_atoms(t, 0)]
    held = rows[view.lots(rows, 0) != 0]
    assert np.all(np.abs(view.average_entry_ticks(held, 0) / view.mark_ticks[0] - 1.0) < 0.5)


def test_what_cannot_be_a_coin_contract_is_refused(tmp_path: Path) -> None:
    odd = set_values(shock_world(), ["markets.BTC.tick_size=0.3"])
    with pytest.raises(ScenarioError, match="face_quote x units_per_coin x 10\\^6 / tick_size must be a whole number"):
        MarketModel(odd, rules=rules_of(INVERSE, tmp_path))
    market = shock_world().markets[0].model_dump(mode="json")
    other = market | {"symbol": "ETH", "path": {"kind": "constant", "price": 200}}
    two = shock_world().replaced({"markets": [market, other]})
    with pytest.raises(ScenarioError, match=r"settles all markets in one coin, but markets\.BTC begins at"):
        MarketModel(two, rules=rules_of(INVERSE, tmp_path))
