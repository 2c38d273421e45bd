"""The engine and the reference venue do the same, step by step, in drawn worlds under drawn rules."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delever.engine import state
from delever.engine.commands import Kind, batch
from delever.engine.rules.ruleset import RuleSet
from delever.engine.venue import Venue
from tests.comparison import ReferenceSide, compare
from tests.engine_side import EngineSide
from tests.reference import surplus, takeover, waterfall
from tests.reference.workload import random_rules, random_world
from tests.swarm import run_world


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=2**31), steps=st.integers(min_value=1, max_value=80))
def test_venue_equals_reference(seed: int, steps: int) -> None:
    """Results, money, positions, orders, marks, fills and logs agree after every step, and all laws hold."""
    _, difference = run_world(seed, steps)
    assert not difference, f"seed {seed}, {difference}"


def test_a_position_larger_than_any_order_is_closed_by_force() -> None:
    """Seed 9094: a forced order of more than lots_max, which the engine refused and the reference did not (R-W4)."""
    _, difference = run_world(9094, 150)
    assert not difference, difference


def test_at_expiry_the_order_of_the_fund_that_waits_in_an_auction_goes_too() -> None:
    """Seed 880166: the engine cancelled it, the reference did not (R-X2)."""
    _, difference = run_world(880166, 115, wide=True)
    assert not difference, difference


def test_a_small_event_buffer_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the buffer fills in a step, whichever stage fills it, the venue goes on where it stopped."""
    monkeypatch.setattr(state, "EVENTS_MIN", 1)
    for seed in range(40, 52):
        _, difference = run_world(seed, 60)
        assert not difference, f"seed {seed}, {difference}"


def test_both_impair_the_liquidation_engine_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-W61: stopped, capped by units or by value; in these worlds the limits keep somebody waiting."""
    cut = []
    plain = waterfall.within_limits
    monkeypatch.setattr(
        waterfall,
        "within_limits",
        lambda state, due: cut.append(len(due) - len(plain(state, due))) or plain(state, due),
    )
    for seed in range(60, 66):
        rules, world = RuleSet.model_validate(random_rules(seed)).model_dump(), random_world(seed)
        sides = ReferenceSide(world, rules), EngineSide(world, rules)
        _, difference = compare(*sides, world, seed, 80, impaired=True)
        assert not difference, f"seed {seed}, {difference}"
    assert np.count_nonzero(cut) >= 20


def rules_of_a_poor_fund(seed: int) -> dict[str, Any]:
    """Return drawn rules in which forced orders go to the book and the fund may pay for few of their fills (R-W37)."""
    rng, rules = Random(f"poor fund {seed}"), random_rules(seed)
    refusal = {"lost_quote": rng.choice([0, 1, 3])}
    rules["liquidation"] |= {"stage": "book", "price": "market", "backstop_ppm": 0}
    rules["liquidation"]["insolvent"] = rng.choice([None, "skip"])
    rules["liquidation"]["surplus"] = {"cap_ppm": rng.choice([0, None]), "refusal": refusal}
    rules["insurance"]["initial_quote"] = rules["insurance"]["floor_quote"] + rng.choice([0, 1, 20])
    rules["matching"]["allocation"] = rng.choice([None, None, {"kind": "pro_rata"}])
    return RuleSet.model_validate(rules).model_dump()


@pytest.mark.parametrize("events_min", [1, state.EVENTS_MIN])
def test_both_refuse_the_fills_a_fund_could_not_pay_for(events_min: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-W36, R-W37: in drawn worlds with a poor fund, with an event buffer that is full all the time and without."""
    monkeypatch.setattr(state, "EVENTS_MIN", events_min)
    refused = []
    plain = surplus.is_refused
    monkeypatch.setattr(surplus, "is_refused", lambda *fill: refused.append(plain(*fill)) or refused[-1])
    for seed in (2, 3, 7, 8):
        rules, world = rules_of_a_poor_fund(seed), random_world(seed)
        _, difference = compare(ReferenceSide(world, rules), EngineSide(world, rules), world, seed, 60)
        assert not difference, f"seed {seed}, {difference}"
    assert sum(refused) >= 5


def test_both_let_solvent_backstops_take_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-W38: in drawn worlds whose bankrupt go to backstops, who accept some and refuse others."""
    answers = []
    plain = takeover.backstop_accepts
    monkeypatch.setattr(takeover, "backstop_accepts", lambda *offer: answers.append(plain(*offer)) or answers[-1])
    for seed in (7, 8, 10, 26, 32):
        drawn = random_rules(seed)
        drawn["liquidation"] |= {"backstop_ppm": 900_000, "takeover": {"backstops": "solvent"}}
        rules, world = RuleSet.model_validate(drawn).model_dump(), random_world(seed)
        _, difference = compare(ReferenceSide(world, rules), EngineSide(world, rules), world, seed, 60)
        assert not difference, f"seed {seed}, {difference}"
    assert {True, False} == set(answers) and sum(answers) >= 30


CRASHES = {
    "takeover by the fund": {"liquidation": {"stage": "takeover_only", "leftover": "fund"}},
    "deficits paid by the fund": {"insurance": {"initial_quote": 10**6}, "deleveraging": {"price": "mark"}},
    "shared among winners": {
        "insurance": {"initial_quote": 0},
        "deleveraging": {"trigger": "equity_below_zero", "price": "mark"},
        "socialisation": {"rule": "winners"},
    },
    "only watched, all called": {"liquidation": {"act": False}, "margin": {"call_ppm": 3_000_000}},
}


def crowd_in_a_crash(changes: dict[str, dict[str, object]]) -> tuple[str, int]:
    """Return digest and number of events of 400 longs against one short, the index down 30 % and half way back."""
    base = {"mark": {"components": ["index"]}, "halts": {"collar_ppm": 0}, "contract": {"orders_per_account_max": 5}}
    rules = RuleSet.model_validate({**base, **changes})
    venue = Venue(
        rules, [state.Market("X", 1000, 4096)], np.arange(401), first_index_ticks=[1000], orders_max=500, journal=True
    )
    count = 400
    longs = np.arange(1, count + 1)
    events = 0
    for commands, index in (
        (batch(count, account=longs, kind=Kind.DEPOSIT, amount=10**7), 1000),
        (batch(1, account=0, kind=Kind.DEPOSIT, amount=2**52), 1000),
        (batch(1, account=0, kind=Kind.LIMIT, side=-1, lots=100 * count, price_ticks=1000), 1000),
        (batch(count, account=longs, kind=Kind.LIMIT, side=1, lots=100, price_ticks=1000), 1000),
        (batch(0, account=0, kind=Kind.LIMIT), 700),
        (batch(0, account=0, kind=Kind.LIMIT), 960),
    ):
        venue.process(commands, np.array([index]))
        events += len(venue.drain_events())
    return venue.digest(), events


@pytest.mark.parametrize("name", CRASHES)
def test_a_crash_of_many_at_once_fits_any_event_buffer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takeovers, deficits, loss sharing and notices of 400 units in one step do not depend on the buffer's size."""
    expected = crowd_in_a_crash(CRASHES[name])
    monkeypatch.setattr(state, "EVENTS_MIN", 1)
    assert crowd_in_a_crash(CRASHES[name]) == expected
