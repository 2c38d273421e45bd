"""R-W1, R-W2, R-A8: the look-outs find exactly the distressed, and look at few others."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delever.engine.commands import Kind, batch
from delever.engine.distress import _nominate_crossed
from delever.engine.events import E_ACCOUNT, E_KIND, Event
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.tables import (
    FLAG_NOTICE,
    M_INDEX_TICKS,
    U_FLAGS,
    U_SINCE_STEP,
    V_LISTED_COUNT,
    V_TOUCHED_COUNT,
)
from delever.engine.venue import Venue

from .desk import PLAIN
from .engine_desk import EngineDesk

RICH = 10**9
FIRST = 1_000
TOP = 4_000
TIERS = [
    {"floor_quote": 0, "initial_ppm": 50_000, "maintenance_ppm": 20_000},
    {"floor_quote": 10, "initial_ppm": 200_000, "maintenance_ppm": 90_000},
]


def crowd(traders: int, markets: int, seed: int, check: bool, **margin: Any) -> Venue:
    """Return a venue that only watches, whose traders took drawn positions from the last account, a rich one."""
    rules = PLAIN | {"margin": {"tiers": TIERS} | margin, "liquidation": {"act": False}}
    rows = [Market(f"M{m}", 7 + 100 * m, TOP) for m in range(markets)]
    venue = Venue(
        RuleSet.model_validate(rules),
        rows,
        np.arange(traders + 1),
        first_index_ticks=[FIRST] * markets,
        orders_max=10,
        check=check,
    )
    rng = Random(f"crowd {seed}")
    index = np.full(markets, FIRST)
    wealth = [rng.randint(300_000, 5_000_000) for _ in range(traders)]
    everybody = np.arange(traders + 1)
    venue.process(batch(traders + 1, account=everybody, kind=Kind.DEPOSIT, amount=[*wealth, 10**13]), index)
    for trader in range(traders):
        for m, row in enumerate(rows):
            side, most = rng.choice([-1, 1]), wealth[trader] // (220 * markets * row.multiplier_atoms)
            orders = batch(
                2, account=[trader, traders], kind=Kind.LIMIT, market=m, side=[side, -side],
                lots=rng.randint(most // 2, most), price_ticks=FIRST,
            )  # fmt: skip
            assert not venue.execute(orders).any()
    venue.process(batch(0, account=0, kind=0), index)
    return venue


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    markets=st.integers(1, 3),
    mode=st.sampled_from(["cross", "isolated"]),
    call_ppm=st.sampled_from([0, 1_500_000]),
    moves=st.lists(st.lists(st.integers(-150, 150), min_size=3, max_size=3), min_size=1, max_size=12),
)
def test_look_outs_equal_the_sweep(seed: int, markets: int, mode: str, call_ppm: int, moves: list[list[int]]) -> None:
    """R-W1, R-W2: after every move the listed are those a sweep of all finds (asserted by the venue's check)."""
    venue = crowd(12, markets, seed, check=True, mode=mode, call_ppm=call_ppm)
    index = np.full(markets, FIRST)
    for move in moves:
        index = np.clip(index + index * np.array(move[:markets]) // 1_000, 1, TOP - 1)
        report = venue.process(batch(0, account=0, kind=0), index)
        listed = np.count_nonzero(venue.tables.units[:, U_SINCE_STEP] != -1)
        assert report.distressed == listed


def test_everybody_is_found_and_let_go_again() -> None:
    """R-W2: a fall ruins the longs, a rise the shorts, and back at the start nobody is listed."""
    venue = crowd(40, 1, 5, check=True)
    found = [
        venue.process(batch(0, account=0, kind=0), np.array([price])).distressed
        for price in (FIRST, FIRST // 2, FIRST * 2, FIRST)
    ]
    assert found[0] == found[3] == 0
    assert min(found[1], found[2]) > 10


def looked_at(venue: Venue, index: list[int]) -> tuple[int, int]:
    """Move the marks and return how many units a look visits and how many are distressed after it."""
    t = venue.tables
    t.markets[:, M_INDEX_TICKS] = index
    venue.renew_marks()
    _nominate_crossed(t)
    visited = int(t.venue[V_TOUCHED_COUNT] + t.venue[V_LISTED_COUNT])
    venue.look()
    return visited, int(t.venue[V_LISTED_COUNT])


@pytest.mark.parametrize("markets", [1, 3])
def test_few_are_looked_at_while_nothing_happens(markets: int) -> None:
    """Design 6: 500 traders with leverage 2 to 4.5: moves within 5 % visit hardly anybody, a crash finds many."""
    venue = crowd(500, markets, 11, check=False)
    assert looked_at(venue, [FIRST] * markets) == (0, 0)
    visits = 0
    for step in range(20):
        index = [FIRST + 5 * ((7 * step + 5 * m) % 21 - 10) for m in range(markets)]
        visited, distressed = looked_at(venue, index)
        visits += visited
        assert distressed == 0
    assert visits <= 20 * 500 // 50
    visited, distressed = looked_at(venue, [FIRST // 2] * markets)
    assert 50 < distressed <= visited


def test_margin_call_comes_once_and_goes_when_met() -> None:
    """R-A8: level 1.5: at 97 equity 70 < 73.5; a deposit of 1 is not enough, one of 10 is; flat ends it too."""
    desk = EngineDesk([100, RICH], margin=PLAIN["margin"] | {"call_ppm": 1_500_000})
    desk.trade(0, 1, 10, 100)

    def noticed() -> bool:
        return bool(desk.t.units[0, U_FLAGS] & FLAG_NOTICE)

    calls = []
    for index, deposit in ((98, 0), (97, 0), (97, 0), (98, 0), (97, 1), (97, 10), (95, 0)):
        desk.step(index=index)
        if deposit:
            desk.do("DEPOSIT", 0, amount=deposit)
        calls.append((noticed(), [e[E_ACCOUNT] for e in desk.side.events.tolist() if e[E_KIND] == Event.MARGIN_CALL]))
    assert [standing for standing, _ in calls] == [False, True, True, True, True, False, True]
    assert [called for _, called in calls] == [[], [0], [], [], [], [], [0]]
    desk.trade(1, 0, 10, 100)
    assert not noticed()
