"""Scenarios are read, checked, changed and written back, and mistakes are told where they are."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from delever.engine.rules.io import RuleError, load_rules
from delever.engine.rules.presets import HYPERLIQUID, TEXTBOOK
from delever.sim.index import index_ticks
from delever.sim.price_files import PriceFileError
from delever.sim.scenario import (
    Scenario,
    ScenarioError,
    apply_sets,
    from_toml,
    load_scenario,
    scenario_names,
    set_values,
    to_toml,
    with_index,
)

MINIMAL = """
name = "minimal"
duration_s = 600
traders = 10

[[markets]]
symbol = "BTC"
tick_size = 0.5
lot_size = "0.001"
[markets.path]
kind = "constant"
price = 100

[[cohorts]]
kind = "noise"
share = 1.0
"""


def told(text: str, *, source: str = "mine.toml") -> str:
    with pytest.raises(ScenarioError) as error:
        from_toml(text, source)
    return str(error.value)


def told_set(*sets: str) -> str:
    with pytest.raises((ScenarioError, RuleError)) as error:
        apply_sets(load_scenario("flash-shock"), TEXTBOOK, sets)
    return str(error.value)


@pytest.mark.parametrize("name", scenario_names())
def test_built_in_scenarios_read_back_what_is_written(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.title
    assert scenario.description
    assert from_toml(to_toml(scenario), "written.toml") == scenario


# The model of tfg has ten funds and a holder of the rest, whatever the number of traders.
@pytest.mark.parametrize("name", sorted(set(scenario_names()) - {"tfg"}))
@pytest.mark.parametrize("traders", [1_000, 100_000])
def test_one_number_sizes_a_scenario(name: str, traders: int) -> None:
    scenario = load_scenario(name).replaced({"traders": traders})
    few = sum(cohort.count for cohort in scenario.cohorts if cohort.wealth_traders is not None)  # their money grows
    assert abs(scenario.accounts - few - traders) <= len(scenario.cohorts)


def test_the_three_built_in_scenarios_are_there() -> None:
    assert set(scenario_names()) >= {"black-thursday", "flash-shock", "calm"}


def test_steps_hold_the_whole_duration_and_the_warm_up_stands_still() -> None:
    scenario = from_toml(MINIMAL, "mine.toml").replaced({"dt_s": 7, "warmup_s": 10})
    assert (scenario.warmup_steps, scenario.steps) == (2, 2 + 86)
    jump = set_values(
        scenario, ['markets.BTC.path={kind="constant", price=100, shocks=[{kind="instant", at_s=0, size=0.1}]}']
    )
    assert index_ticks(jump, 0, 1).tolist() == [220] * 89
    later = set_values(
        scenario, ['markets.BTC.path={kind="constant", price=100, shocks=[{kind="instant", at_s=7, size=0.1}]}']
    )
    assert index_ticks(later, 0, 1).tolist() == [200] * 3 + [220] * 86


def test_ticks_and_lots_are_exact_decimals() -> None:
    market = from_toml(MINIMAL.replace("tick_size = 0.5", "tick_size = 0.1"), "mine.toml").markets[0]
    assert market.tick_size == Decimal("0.1")
    assert market.multiplier_atoms == 100


def test_a_lot_is_worth_whole_atoms() -> None:
    message = told(MINIMAL.replace('lot_size = "0.001"', 'lot_size = "0.000001"'))
    assert message.startswith("mine.toml:6: markets.BTC: ")
    assert "0.5 millionths" in message


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ("traders = 10", "trader = 10", ("mine.toml:4: trader: unknown key; did you mean 'traders'?",)),
        ("traders = 10", "traders = 0", ("mine.toml:4: traders: must be at least 1 (got 0)",)),
        ("traders = 10", "traders = 10.0", ("mine.toml:4: traders: must be a whole number",)),
        ("share = 1.0", "share = -0.1", ("mine.toml:16: cohorts.noise.share: must be at least 0",)),
        ("share = 1.0", "share = 0.0", ("0 traders in all", "give shares or counts")),
        ("share = 1.0", "share = nan", ("cohorts.noise.share",)),
        ('kind = "noise"', 'kind = "nose"', ("cohorts.nose", "'noise'", "'retail'")),
        ('kind = "constant"', 'kind = "constat"', ("markets.BTC.path", "'constant'", "'file'")),
        ("price = 100", "price = 0", ("markets.BTC.path.price: must be above 0",)),
        ("duration_s = 600", "", ("duration_s: is missing",)),
        ("duration_s = 600", "duration_s = 600\nmarkets = []", ("markets",)),
        ("duration_s = 600", "duration_s = = 600", ("mine.toml:3: not TOML",)),
        ("share = 1.0", "share = 1.0\n[rules.margin]\nleverage_mx = 1", ("leverage_mx", "did you mean 'leverage_max'")),
        ("share = 1.0", 'share = 1.0\n[[cohorts]]\nkind = "noise"\nshare = 0.5', ("'noise' stands twice",)),
    ],
)
def test_mistakes_are_told_with_their_place_and_what_would_be_right(
    wrong: str, right: str, words: tuple[str, ...]
) -> None:
    assert wrong in MINIMAL
    message = told(MINIMAL.replace(wrong, right))
    for word in words:
        assert word in message
    assert "Traceback" not in message


def test_sets_reach_scenario_cohorts_markets_and_rules() -> None:
    scenario, rules = apply_sets(
        load_scenario("flash-shock"),
        HYPERLIQUID,
        [
            "traders=500",
            "latency.base_ms=10",
            "cohorts.retail.open_share=0.2",
            "markets.BTC.path.shocks.0.size=-0.25",
            "rules.margin.leverage_max=5",
            'rules.liquidation.leftover="retry"',
            "rules.liquidation.size=full",
        ],
    )
    retail = next(cohort for cohort in scenario.cohorts if cohort.name == "retail")
    assert (scenario.traders, scenario.latency.base_ms, retail.open_share) == (500, 10.0, 0.2)
    assert scenario.markets[0].path.shocks[0].size == -0.25
    assert (rules.margin.leverage_max, rules.liquidation.leftover, rules.liquidation.size) == (5, "retry", "full")
    assert rules.name.startswith("hyperliquid,")
    unchanged = load_scenario("flash-shock")
    assert scenario.cohorts[0] == unchanged.cohorts[0]
    assert apply_sets(unchanged, TEXTBOOK, [])[1].name == "textbook"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tradres=500", ("unknown key", "did you mean 'traders'")),
        ("cohorts.retial.share=0.5", ("no entry 'retial' in cohorts", "did you mean 'retail'")),
        ("cohorts.retail.leverage_median=20", ("cohorts.retail.leverage_median: unknown key",)),
        ("cohorts.retail.share=-1", ("cohorts.retail.share: must be at least 0.0 (got -1)",)),
        ("markets.ETH.tick_size=1", ("no entry 'ETH' in markets; there are BTC",)),
        ("markets.BTC.path.shocks.3.size=-0.1", ("3", "number of an item")),
        ("markets.BTC.path.volatility=-0.1", ("markets.BTC.path.volatility: must be at least 0",)),
        ("traders", ("dotted.key=value",)),
        ("traders=many", ("traders: must be a whole number (got 'many')",)),
        ("rules.margin.leverage_mx=5", ("--set rules.margin.leverage_mx=5", "did you mean 'leverage_max'")),
        ("rules.margin.leverage_max=-5", ("margin.leverage_max: must be at least 0 (got -5)",)),
    ],
)
def test_a_set_that_cannot_be_is_explained(text: str, words: tuple[str, ...]) -> None:
    message = told_set(text)
    for word in words:
        assert word in message


def test_the_fund_grows_with_the_traders_but_a_set_has_the_last_word() -> None:
    scenario = load_scenario("flash-shock")
    assert scenario.fund_traders is not None
    whole = TEXTBOOK.insurance.initial_quote
    for traders in (scenario.fund_traders, 3 * scenario.fund_traders):
        _, rules = apply_sets(scenario, TEXTBOOK, [f"traders={traders}"])
        assert rules.insurance.initial_quote == whole * traders // scenario.fund_traders
        assert rules.name == "textbook"
    changed, rules = apply_sets(scenario, TEXTBOOK, ["rules.insurance.initial_quote=7"])
    assert rules.insurance.initial_quote == 7
    assert changed.venue_rules(rules) == rules


def test_the_funds_of_single_markets_grow_with_the_traders_too() -> None:
    scenario = load_scenario("flash-shock")
    assert scenario.fund_traders is not None
    own = load_rules("textbook,insurance.market_funds.initial_quote=3000")
    _, rules = apply_sets(scenario, own, [f"traders={scenario.fund_traders // 2}"])
    assert rules.insurance.market_funds is not None
    assert rules.insurance.market_funds.initial_quote == 1500
    assert rules.insurance.initial_quote == TEXTBOOK.insurance.initial_quote // 2


def test_rules_of_a_scenario_are_laid_over_any_rule_set() -> None:
    scenario = from_toml(MINIMAL + "[rules.liquidation]\nlatency_s = 3\n", "mine.toml")
    for rules in (TEXTBOOK, HYPERLIQUID):
        changed = scenario.venue_rules(rules)
        assert (changed.liquidation.latency_s, changed.name) == (3, rules.name)
        assert changed.liquidation.size == rules.liquidation.size


def test_names_and_files_that_are_not_there(tmp_path: Path) -> None:
    for name, words in (
        ("flash-shok", "did you mean 'flash-shock'"),
        (str(tmp_path / "none.toml"), "no such file"),
        ("none.toml", "no such file"),
    ):
        with pytest.raises(ScenarioError, match=words):
            load_scenario(name)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load_scenario(tmp_path / "binary.toml")


def test_a_file_is_called_like_itself_unless_it_says_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "copy-of-mine.toml"
    file.write_text(MINIMAL.replace('name = "minimal"\n', ""), encoding="utf-8")
    assert load_scenario(file).name == "copy-of-mine"


def test_an_index_file_takes_the_place_of_the_path_and_keeps_the_scale(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    price = 25.0 + np.sin(np.arange(121) / 10)
    rows = [f"{60 * i},{value:.4f}" for i, value in enumerate(price)]
    file.write_text("time_s,price\n" + "\n".join(rows) + "\n", encoding="utf-8")
    scenario = with_index(load_scenario("flash-shock"), file)
    market, before = scenario.markets[0], load_scenario("flash-shock").markets[0]
    assert scenario.duration_s == 7200
    ticks = index_ticks(scenario, 0, 1)
    assert ticks[0] * market.tick_size == pytest.approx(25, rel=0.01)
    assert 1_600 < ticks[0] < 160_000
    assert market.multiplier_atoms == before.multiplier_atoms
    assert isinstance(scenario, Scenario)
    with pytest.raises(PriceFileError, match="nowhere"):
        with_index(scenario, tmp_path / "nowhere.csv")


def test_a_shock_after_the_end_is_told_with_its_market() -> None:
    late = set_values(load_scenario("flash-shock"), ["markets.BTC.path.shocks.0.at_s=99999"])
    with pytest.raises(ScenarioError, match=r"markets\.BTC\.path: the shock at 99999 s comes after the end"):
        index_ticks(late, 0, 1)
