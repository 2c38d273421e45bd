"""The world as a Mesa model: keyword arguments, data collector, solo agents, custom cohorts, and what it refuses."""

import gc
import subprocess
import sys
import weakref
from typing import Any

import mesa
import numpy as np
import pytest
from numpy.typing import NDArray

from delever.agents.cohort import Cohort
from delever.agents.noise import Noise
from delever.agents.parameters import MAIN
from delever.agents.view import View
from delever.engine.commands import FLAG_POST_ONLY, Kind, batch
from delever.engine.rules.presets import HYPERLIQUID, TEXTBOOK
from delever.engine.tables import P_LOTS
from delever.sim.accounts import Directory, Member, Roster
from delever.sim.history import MarkHistory
from delever.sim.model import MarketModel
from delever.sim.run import simulate
from delever.sim.scenario import ScenarioError
from tests.golden.shocks import shock_world


class Quoter(mesa.Agent):  # type: ignore[misc]
    """An ordinary Mesa agent: one bid far below the mark, once; then a look at what it has."""

    def __init__(self, model: MarketModel, account: int, lots: int) -> None:
        super().__init__(model)
        self.account, self.lots, self.seen = account, lots, []  # type: tuple[int, int, list[tuple[int, int]]]

    def step(self) -> None:
        view = self.model.view
        mine = np.array([self.account])
        self.seen.append((view.step, int(view.balance_atoms(mine)[0])))
        if len(self.seen) == 1:
            price = int(view.mark_ticks[0]) * 99 // 100
            flags = FLAG_POST_ONLY
            order = batch(
                1, account=self.account, kind=Kind.LIMIT, side=1, lots=self.lots, price_ticks=price, flags=flags
            )
            self.model.submit(order)


class Buyer(Cohort):
    """Everybody buys one lot at market at every waking."""

    def decide(self, view: View, wakers: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.market(wakers, 0, 1, 1)


class Thief(Cohort):
    """Gives commands for somebody else's account."""

    def decide(self, view: View, wakers: NDArray[np.int64]) -> NDArray[np.int64]:
        return batch(1, account=int(self.rows[0]) - 1, kind=Kind.CANCEL_ALL)


class Sloppy(Cohort):
    """Returns what is no batch of commands."""

    def decide(self, view: View, wakers: NDArray[np.int64]) -> Any:
        return [1, 2, 3]


class Hoarder(Cohort):
    """Buys, and keeps every array it was ever given."""

    def prepare(self) -> None:
        self.kept: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def decide(self, view: View, wakers: NDArray[np.int64]) -> NDArray[np.int64]:
        self.kept.append((wakers, wakers.copy()))
        return self.market(wakers, 0, 1, 1)


class Clumsy(Cohort):
    """Works out prices that are no numbers."""

    def decide(self, view: View, wakers: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.limit(wakers, 0, 1, 1, float("nan"))


def step_many(model: MarketModel, steps: int) -> MarketModel:
    for _ in range(steps):
        model.step()
    return model


def test_mesa_users_find_what_they_know() -> None:
    model = MarketModel("calm", rules="binance-usdm", seed=3, traders=300, duration_s=300, fund_traders=100)
    assert isinstance(model, mesa.Model)
    assert (model.scenario.steps, model.rules.insurance.initial_quote) == (30, 3_000_000)
    model = MarketModel(shock_world("traders=100", "duration_s=460"), rules=HYPERLIQUID, seed=3)
    steps = 0
    while model.running:
        model.step()
        steps += 1
    frame = model.datacollector.get_model_vars_dataframe()
    assert steps == 460
    assert list(frame.columns) == ["mark", "index", "open_interest", "fund", "distressed"]
    assert len(frame) == steps + 1
    assert frame["mark"].iloc[0] == pytest.approx(8000)
    assert frame["open_interest"].iloc[-1] > 0
    with pytest.raises(ValueError, match="is over: it has 460 steps"):
        model.step()


def test_solo_agents_trade_beside_cohorts() -> None:
    solos = [(Quoter, {"deposit_quote": 5_000, "lots": 7}), (Quoter, {"deposit_quote": 10, "lots": 1})]
    model = MarketModel(shock_world(), rules=TEXTBOOK, seed=1, solos=solos)
    first, second = model.solos
    assert isinstance(first, Quoter)
    step_many(model, 3)
    assert [step for step, _ in first.seen] == [1, 2, 3]
    assert first.seen[0][1] == 5_000_000_000
    assert first.account != second.account
    assert model.view is not None
    assert model.look().bids_lots(np.array([first.account]), 0)[0] == 7
    step_many(model, 455)
    assert model.venue.tables.positions[first.account, P_LOTS] > 0, "the bid is hit when the market falls by 18 %"


def test_a_solo_agent_commands_only_itself_and_needs_money() -> None:
    model = MarketModel(shock_world(), solos=[(Quoter, {"deposit_quote": 1, "lots": 1})])
    with pytest.raises(ValueError, match="only command its own account"):
        model.submit(batch(1, account=0, kind=Kind.CANCEL_ALL))
    with pytest.raises(ValueError, match=r"int64 array of shape \(n, 11\)"):
        model.submit(np.zeros((2, 3), dtype=np.int64))
    with pytest.raises(ScenarioError, match="deposit_quote must be above 0"):
        MarketModel(shock_world(), solos=[(Quoter, {"lots": 1})])


def test_a_cohort_of_ones_own_trades_like_those_that_come_along() -> None:
    extra = [(Buyer, {"count": 50, "mean_interval_s": 10.0})]
    model = step_many(MarketModel(shock_world(), rules=TEXTBOOK, seed=1, cohorts=extra), 100)
    buyers = model.cohorts[-1]
    assert isinstance(buyers, Buyer)
    assert buyers.name == "buyer"
    held = model.venue.tables.positions[buyers.rows, P_LOTS]
    assert np.array_equal(held > 0, buyers.wakings > 0) or held.sum() > 200
    assert 50 * 100 / 10 * 0.8 < buyers.wakings.sum() < 50 * 100 / 10 * 1.2
    summary = simulate(shock_world("duration_s=20", "markets.BTC.path.shocks=[]"), TEXTBOOK, 1, cohorts=extra).summary
    assert summary["accounts"] == shock_world().accounts + 50


@pytest.mark.parametrize(
    ("cohort", "words"), [(Thief, "an account that is not in the cohort"), (Sloppy, "'sloppy' must return an int64")]
)
def test_a_cohort_that_misbehaves_is_named(cohort: type[Cohort], words: str) -> None:
    model = MarketModel(shock_world(), cohorts=[(cohort, {"count": 3, "mean_interval_s": 1.0})])
    with pytest.raises(ValueError, match=words):
        step_many(model, 5)


def test_what_cannot_be_is_refused() -> None:
    for keywords, words in (
        ({"seed": -1}, "seed must be from 0"),
        ({"seed": 2**63}, "seed must be from 0"),
        ({"tradres": 5}, "did you mean 'traders'"),
        ({"cohorts": [(Noise, {"name": "retail", "count": 1})]}, "'retail' stands twice"),
        ({"labels": [0, 0, 1]}, "labels must be a permutation"),
    ):
        with pytest.raises(ValueError, match=words):
            MarketModel(shock_world(), **keywords)  # type: ignore[arg-type]
    low = shock_world("markets.BTC.price_max=5000")
    with pytest.raises(ScenarioError, match=r"the index rises to 8\d+.*price_max is 5000"):
        MarketModel(low)


def test_mesas_generators_are_not_used() -> None:
    model = step_many(MarketModel(shock_world(), rules=TEXTBOOK, seed=1), 50)
    untouched = MarketModel(shock_world(), rules=TEXTBOOK, seed=1)
    assert model.random.random() == untouched.random.random()
    assert model.rng.random() == untouched.rng.random()
    disturbed = MarketModel(shock_world(), rules=TEXTBOOK, seed=1)
    disturbed.random.random()
    disturbed.rng.random()
    assert step_many(disturbed, 50).venue.digest() == model.venue.digest()


def test_a_model_is_asleep_until_it_is_stepped_and_gone_when_closed() -> None:
    model = MarketModel(shock_world(), rules=TEXTBOOK, seed=1)
    assert model.step_now == 1
    assert model.venue.conservation_error_atoms() == 0
    table, shell = weakref.ref(model.venue.tables.orders), weakref.ref(model)
    # Whole sweeps run between two looks of the garbage collector at what is old: it must not be needed for the tables.
    gc.disable()
    try:
        model.close()
        assert table() is None
    finally:
        gc.enable()
    assert not model.running
    assert len(model.agents) == 0
    del model
    gc.collect()
    assert shell() is None, "Mesa must forget the model too"


def test_importing_the_world_leaves_the_way_processes_start_alone() -> None:
    code = (
        "import multiprocessing as m; before = m.get_start_method(allow_none=True);"
        "import delever.sim.run; assert m.get_start_method(allow_none=True) == before, 'changed'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_keys_stay_with_traders_when_others_come_and_grow() -> None:
    def member(name: str, count: int) -> Member:
        return Member(name, "noise", count, Noise, None, {})

    small = Directory([member("a", 3), member("b", 4)])
    large = Directory([member("new", 5), member("b", 4), member("a", 9)])
    assert np.array_equal(small.keys[3:], large.keys[5:9])
    assert np.array_equal(small.keys[:3], large.keys[9:12])
    assert len(set(large.keys.tolist())) == 18
    relabelled = Roster(small, MAIN, labels=[6, 5, 4, 3, 2, 1, 0])
    assert np.array_equal(relabelled.keys_by_row, small.keys[::-1])
    assert relabelled.place_of_row().tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert small.cohorts_end == 7


def test_volatility_is_the_moving_average_of_absolute_changes() -> None:
    history = MarkHistory(1000, 1, 60)
    assert history.volatility_ppm[0] == 0
    mark = 100_000
    for step in range(400):
        mark = 100_100 if step % 2 else 100_000
        history.note(np.array([mark]))
    assert history.volatility_ppm[0] == pytest.approx(1_000, rel=0.01)
    assert history.marks().shape == (400, 1)
    kept = history.snapshot()
    other = MarkHistory(1000, 1, 60)
    other.restore(kept)
    history.note(np.array([101_000]))
    other.note(np.array([101_000]))
    assert history.volatility_ppm[0] == other.volatility_ppm[0]
    assert other.count == 401


def test_what_a_cohort_or_a_script_keeps_stays_as_it_was() -> None:
    model = MarketModel(shock_world(), rules=TEXTBOOK, cohorts=[(Hoarder, {"count": 50, "mean_interval_s": 10.0})])
    arrived = []
    for _ in range(30):
        model.step()
        arrived.append((model.arrived, model.arrived.copy()))
    assert all(np.array_equal(kept, then) for kept, then in [*arrived, *model.cohorts[-1].kept])
    assert len({tuple(kept) for kept, _ in model.cohorts[-1].kept}) > 5


def test_an_error_in_decide_names_the_cohort_and_the_step() -> None:
    extra = [(Clumsy, {"count": 5, "mean_interval_s": 1.0})]
    model = MarketModel(shock_world(), rules=TEXTBOOK, cohorts=extra)
    with pytest.raises(ValueError, match="NaN") as caught:
        step_many(model, 1)
    assert caught.value.__notes__ == ["raised by decide of cohort 'clumsy' in step 1"]
