"""What must make no difference makes none: how a run is stepped, cut in two, labelled, mirrored, or merely watched."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from delever.engine.commands import C_ACCOUNT
from delever.engine.events import E_KIND, E_STEP, Event
from delever.engine.rules.io import load_rules, replace
from delever.engine.rules.mark import Mark, MarkInputs
from delever.engine.rules.presets import BINANCE_USDM, HYPERLIQUID, TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import (
    M_COLLAR_LOW,
    M_INDEX_TICKS,
    M_MARK_TICKS,
    P_COST_ATOMS,
    P_LOTS,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    V_CHAIN,
    V_LIQUIDATIONS,
)
from delever.sim.model import MarketModel
from delever.sim.run import simulate

from .shocks import calm_world, shock_world

PRESETS = pytest.mark.parametrize("rules", [TEXTBOOK, HYPERLIQUID, BINANCE_USDM], ids=lambda rules: rules.name)


def finished(model: MarketModel) -> MarketModel:
    while model.running:
        model.step()
    return model


def state(model: MarketModel) -> tuple[str, int]:
    """The whole state of a venue, and the running hash of everything that ever happened in it."""
    return model.venue.digest(), int(model.venue.tables.venue[V_CHAIN])


@PRESETS
def test_same_seed_same_bits_and_another_seed_others(rules: RuleSet) -> None:
    world = shock_world()
    first, again, other = (simulate(world, rules, seed).summary for seed in (1, 1, 2))
    for summary in (first, again, other):
        del summary["wall_s"], summary["commands_per_s"]
    assert first == again
    assert first["digest"] != other["digest"]
    assert first["liquidations"] > 0
    assert first["conservation_error"] == 0


@PRESETS
def test_stepped_equals_run(rules: RuleSet) -> None:
    world = shock_world()
    model = finished(MarketModel(world, rules=rules, seed=3))
    summary = simulate(world, rules, 3).summary
    assert model.venue.digest() == summary["digest"]
    assert model.venue.step == summary["steps"] == world.steps + 1


@PRESETS
@pytest.mark.parametrize("cut", [7, 470])
def test_resumed_from_a_snapshot_equals_run(rules: RuleSet, cut: int) -> None:
    world = shock_world("latency.jitter_ms=2500")
    whole = MarketModel(world, rules=rules, seed=4)
    for _ in range(cut):
        whole.step()
    assert whole.gateway.waiting > 0, "commands are under way"
    kept = whole.snapshot()
    untouched = {name: array.copy() for name, array in kept.items()}
    finished(whole)

    resumed = MarketModel(world, rules=rules, seed=4)
    resumed.restore(kept)
    finished(resumed)
    assert state(resumed) == state(whole)
    assert all(np.array_equal(kept[name], array) for name, array in untouched.items()), "resuming changed the snapshot"

    whole.restore(untouched)
    assert state(finished(whole)) == state(resumed), "a model that has run on can go back"


@PRESETS
def test_relabelling_accounts_changes_nothing_but_labels(rules: RuleSet) -> None:
    world = shock_world()
    plain = MarketModel(world, rules=rules, seed=5)
    labels = np.random.default_rng(0).permutation(world.accounts)
    relabelled = MarketModel(world, rules=rules, seed=5, labels=labels.tolist())
    finished(plain)
    finished(relabelled)
    a, b = plain.venue.tables, relabelled.venue.tables
    assert a.venue[V_LIQUIDATIONS] > 0
    assert np.array_equal(a.markets[:, : M_COLLAR_LOW + 2], b.markets[:, : M_COLLAR_LOW + 2])
    columns = [U_DEBITS_ATOMS, U_CREDITS_ATOMS]
    assert np.array_equal(a.units[: world.accounts, columns], b.units[labels][:, columns])
    assert np.array_equal(a.units[world.accounts :][:7, columns], b.units[world.accounts :][:7, columns])
    held = [P_LOTS, P_COST_ATOMS]
    assert np.array_equal(a.positions[: world.accounts, held], b.positions[labels][:, held])
    assert np.array_equal(a.levels[:, :, -1], b.levels[:, :, -1])


def test_a_watching_margin_engine_changes_nothing_where_nobody_is_liquidated() -> None:
    world = calm_world()
    for rules in (TEXTBOOK, HYPERLIQUID, BINANCE_USDM):
        unlevered = replace(rules, {"margin.leverage_max": 1})
        acting = simulate(world, unlevered, 1).summary
        watching = simulate(world, replace(unlevered, {"liquidation.act": False}), 1).summary
        assert acting["liquidations"] == 0
        assert acting["fills"] > 100
        assert acting["digest"] == watching["digest"]
        assert acting["events_chain"] == watching["events_chain"]


class Diary:
    """What a model did in each step: commands that arrived, fills, liquidations, and how often everybody has woken."""

    def __init__(self, rules: RuleSet) -> None:
        model = MarketModel(shock_world(), rules=rules, seed=6)
        self.steps: list[tuple[bytes, bytes]] = []
        self.wakings: list[bytes] = []
        self.first_liquidation = -1
        rows: list[NDArray[np.int64]] = []
        model.listen(rows.append)
        rows.clear()
        while model.running:
            model.step()
            events = np.concatenate(rows) if rows else np.zeros((0, 12), dtype=np.int64)
            rows.clear()
            fills = events[events[:, E_KIND] == Event.FILL]
            self.steps.append((model.arrived.tobytes(), fills.tobytes()))
            self.wakings.append(model.wakings.tobytes())
            forced = events[events[:, E_KIND] == Event.LIQUIDATION]
            if len(forced) and self.first_liquidation < 0:
                self.first_liquidation = int(forced[0, E_STEP])


@pytest.mark.parametrize(
    "reform",
    [
        {"liquidation.act": False},
        {"liquidation.size": "target"},
        {"liquidation.backstop_ppm": 0},
        {"deleveraging.trigger": "none"},
    ],
    ids=str,
)
def test_twins_are_identical_before_the_first_liquidation_and_keep_their_luck_after_it(
    reform: dict[str, object],
) -> None:
    base = load_rules("hyperliquid")
    one, other = Diary(base), Diary(replace(base, reform))
    first = one.first_liquidation
    assert first > 100
    assert one.steps[: first - 1] == other.steps[: first - 1]
    assert one.wakings == other.wakings
    assert one.steps != other.steps, "a reform that changes nothing proves nothing"


def test_another_cohort_shifts_nobodys_luck() -> None:
    """Others trade with whom they like; when they wake and what they bring stays."""
    from delever.agents.noise import Noise

    world = shock_world()
    alone = MarketModel(world, rules=TEXTBOOK, seed=7)
    joined = MarketModel(world, rules=TEXTBOOK, seed=7, cohorts=[(Noise, {"name": "crowd", "count": 20})])
    newcomers = 0
    for _ in range(100):
        alone.step()
        joined.step()
        newcomers += np.count_nonzero(joined.arrived[:, C_ACCOUNT] >= world.accounts)
    assert newcomers > 0
    assert np.array_equal(joined.wakings[: world.accounts], alone.wakings)
    assert np.array_equal(joined.cohorts[0].initial_deposit_atoms(), alone.cohorts[0].initial_deposit_atoms())


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (lambda: MarketModel(shock_world("traders=401"), rules=TEXTBOOK, seed=1), "scenario"),
        (lambda: MarketModel(shock_world(), rules=HYPERLIQUID, seed=1), "scenario|rule set"),
        (lambda: MarketModel(shock_world(), rules=TEXTBOOK, seed=2), "seed"),
    ],
)
def test_a_snapshot_does_not_fit_another_world(other: Callable[[], MarketModel], differs: str) -> None:
    kept = MarketModel(shock_world(), rules=TEXTBOOK, seed=1).snapshot()
    stranger = other()
    before = state(stranger)
    with pytest.raises(ValueError, match=f"another ({differs})"):
        stranger.restore(kept)
    assert state(stranger) == before


def test_a_snapshot_leaves_the_rules_that_are_asked() -> None:
    class Marks(Mark):
        def mark_ticks(self, inputs: MarkInputs, price_max_ticks: int) -> int:
            return inputs.index_ticks

    asked = TEXTBOOK.model_copy(update={"mark": Marks(**TEXTBOOK.mark.model_dump())})
    world = shock_world().replaced({"fund_traders": None})
    plain, own = (MarketModel(world, rules=rules, seed=1) for rules in (TEXTBOOK, asked))
    for _ in range(100):
        plain.step()
    own.restore(plain.snapshot())
    for _ in range(20):
        own.step()
        assert own.venue.tables.markets[0, M_MARK_TICKS] == own.venue.tables.markets[0, M_INDEX_TICKS]


def test_what_was_collected_goes_back_with_the_rest() -> None:
    model = MarketModel(shock_world(), rules=TEXTBOOK, seed=1)
    for _ in range(5):
        model.step()
    kept, collected = model.snapshot(), model.datacollector.get_model_vars_dataframe()
    finished(model)
    model.restore(kept)
    assert model.datacollector.get_model_vars_dataframe().equals(collected)
    assert len(collected) == 6
