"""Ranks, lights, draws and the splitting of lots, each on its own (R-W80 to R-W85)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delever.engine.allocation import PART_CAP, PART_COLUMNS, PART_DUE, PART_KEY, fill_queue, split
from delever.engine.chance import draw
from delever.engine.commands import Kind, batch
from delever.engine.events import E_ACCOUNT, E_KIND, E_LOTS, E_OTHER, E_PRICE_TICKS, Event
from delever.engine.formulas import light_percent, position_leverage, profit_share, rank_score
from delever.engine.kernel import kernel
from delever.engine.rules.deleveraging import Deleveraging, Holders
from delever.engine.rules.ruleset import RuleSet
from delever.engine.standings import Standing, standings
from delever.engine.state import Market
from delever.engine.tables import ADL_RANKS, P_LOTS, RANDOM_START
from delever.engine.venue import Venue
from delever.experiments.haircuts import find_policy
from tests.reference import adl_ranks
from tests.tree import ROOT

from .desk import PLAIN, command
from .engine_desk import EngineDesk


def divided(weights: list[float], caps: list[int], amount: int, *, fair: bool = False) -> tuple[list[int], int]:
    """Return the part of each, keys ascending, and what nobody with a weight could take."""
    parts = np.zeros((len(caps), PART_COLUMNS), dtype=np.int64)
    parts[:, PART_CAP] = caps
    parts[:, PART_KEY] = np.arange(len(caps))
    left = split(np.array(weights, dtype=np.float64), parts, 0, len(caps), amount, fair)
    return parts[:, PART_DUE].tolist(), left


def test_split_by_hand() -> None:
    """R-W83: rounded down, the rest to the largest weights; who is full gives what it has, the others share again."""
    assert divided([1.0, 1.0, 1.0], [10, 10, 10], 8) == ([3, 3, 2], 0)
    assert divided([1.0, 2.0, 3.0], [10, 10, 10], 7) == ([1, 2, 4], 0)
    assert divided([0.1, 0.2, 0.3], [10, 10, 10], 7) == ([1, 2, 4], 0)
    assert divided([5.0, 1.0, 1.0], [2, 10, 10], 8) == ([2, 3, 3], 0)
    assert divided([5.0, 0.0, -1.0], [2, 10, 10], 8) == ([2, 0, 0], 6)
    assert divided([1.0, 1.0], [3, 3], 9) == ([3, 3], 3)
    assert divided([0.0, 0.0], [3, 3], 4) == ([0, 0], 4)
    assert divided([1.0], [3], 0) == ([0], 0)
    huge = 2**57
    assert divided([2.0**60, 2.0**60, 1.0], [huge, huge, huge], huge + 1) == ([huge // 2 + 1, huge // 2, 0], 0)


def test_the_fairest_split_by_hand() -> None:
    """R-W84: bob would lose 5 of 228, cat 2 of 150; one lot the other way the worst off loses less."""
    assert divided([228.0, 150.0], [12, 10], 7) == ([5, 2], 0)
    assert divided([228.0, 150.0], [12, 10], 7, fair=True) == ([4, 3], 0)


SMALL = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), min_size=1, max_size=5)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rows=SMALL, amount=st.integers(0, 20))
def test_nobody_loses_a_larger_share_than_must_be(rows: list[tuple[int, int]], amount: int) -> None:
    """R-W84: of all ways to split the lots, none has a smaller largest share of a weight; found by trying all."""
    weights, caps = [float(weight) for weight, _ in rows], [cap for _, cap in rows]
    found, left = divided(weights, caps, amount, fair=True)
    room = sum(cap for weight, cap in rows if weight)
    assert sum(found) == min(amount, room) == amount - left
    ways = itertools.product(*(range(cap + 1) if weight else [0] for weight, cap in rows))
    worst = min(
        max((n / weight for n, weight in zip(way, weights, strict=True) if n), default=0.0)
        for way in ways
        if sum(way) == min(amount, room)
    )
    assert max((n / weight for n, weight in zip(found, weights, strict=True) if n), default=0.0) == worst


ROWS = st.lists(
    st.tuples(st.floats(-1e9, 1e18) | st.integers(0, 9).map(float), st.integers(1, 2**55)), min_size=1, max_size=9
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rows=ROWS, share=st.floats(0, 1.1), fair=st.booleans())
def test_split_is_that_of_the_reference(rows: list[tuple[float, int]], share: float, fair: bool) -> None:
    """R-W83, R-W84: to the lot, up to amounts of 2**58; nobody above its cap; all of it, or all there is."""
    weights, caps = [weight for weight, _ in rows], [cap for _, cap in rows]
    amount = int(sum(caps) * share)
    if fair:
        caps, amount = [1 + cap % 50 for cap in caps], amount % 100
    found, left = divided(weights, caps, amount, fair=fair)
    indices = range(len(rows))
    expected = adl_ranks.shares(
        dict(enumerate(weights)), dict(enumerate(caps)), {i: i for i in indices}, amount, len(rows), fair
    )
    assert found == [expected[i] for i in indices]
    assert sum(found) + left == amount


def test_a_queue_fills_the_best_first() -> None:
    """Score descending, ties by key; the last one gives a part."""
    parts = np.zeros((4, PART_COLUMNS), dtype=np.int64)
    parts[:, PART_CAP], parts[:, PART_KEY] = [5, 5, 5, 5], [3, 2, 1, 0]
    assert fill_queue(np.array([1.0, 2.0, 1.0, 0.5]), parts, 12) == 0
    assert parts[:, PART_DUE].tolist() == [2, 5, 5, 0]
    assert fill_queue(np.array([1.0, 2.0, 1.0, 0.5]), parts, 25) == 5


def test_draws_look_random() -> None:
    """R-W82: over steps each of eight holders is first about equally often, whatever their keys look like."""
    for keys in (range(8), [2**40 * k for k in range(8)], [7**k for k in range(8)]):
        first = [min(keys, key=lambda key: draw(step, 0, 1000, key)) for step in range(2000)]
        counts = [first.count(key) for key in keys]
        assert min(counts) > 200 and max(counts) < 300, counts
    assert draw(5, 1, 1000, -3) == adl_ranks.draw(5, 1, 1000, -3)
    assert len({draw(s, m, i, k) for s in (1, 2) for m in (1, 2) for i in (1, 2) for k in (1, 2)}) == 16


NUMBERS = st.integers(min_value=-(2**58), max_value=2**58)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_a_rank_is_one_formula_for_columns_and_for_numbers(rows: list[tuple[int, int, int, int]]) -> None:
    """R-W80, R-W81: a kernel's score equals the rule's to the bit."""
    share, leverage, score = kernel(profit_share), kernel(position_leverage), kernel(rank_score)
    lots, cost, worth, equity = np.array(rows, dtype=np.int64).T
    lots = lots | 1
    value, gained, zeros = np.abs(worth), worth - cost, np.zeros_like(lots)
    holders = Holders(lots, cost, value, gained, zeros, equity, zeros, zeros, zeros)
    for name in ADL_RANKS[2:]:
        rank = ADL_RANKS.index(name)
        if rank == RANDOM_START:
            continue
        expected = Deleveraging(rank=name).scores(holders)
        for i in range(len(rows)):
            numbers = share(gained[i], cost[i]), leverage(value[i], equity[i])
            assert score(rank, *numbers, lots[i], value[i], gained[i], equity[i]) == expected[i], name


class Published(Deleveraging):
    """Scores as BitMEX's example gives them, by key."""

    def scores(self, holders: Holders) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([3.0, 6.0, 1.0, 4.0, 5.0, 2.0])[holders.keys - 1]


def published_venue(rule: Deleveraging) -> Venue:
    """Return a venue with the example's six longs at 640, and a short of 20 lots that is bankrupt above 650."""
    tier = {"floor_quote": 0, "initial_ppm": 10_000, "maintenance_ppm": 5_000}
    closing = {"stage": "takeover_only", "leftover": "fund"}
    plain = RuleSet.model_validate({**PLAIN, "margin": {"tiers": [tier]}, "liquidation": closing})
    rules = plain.model_copy(update={"deleveraging": rule})
    venue = Venue(rules, [Market("XBT", 1, 4096)], np.arange(8), first_index_ticks=[640], orders_max=50, check=True)
    money = [200, *[10**9] * 7]
    lots = np.array([10, 10, 20, 30, 20, 10])
    deposits = batch(8, account=np.arange(8), kind=Kind.DEPOSIT, amount=np.array(money))
    longs = batch(6, account=np.arange(1, 7), kind=Kind.LIMIT, side=1, lots=lots, price_ticks=640)
    shorts = batch(2, account=np.array([0, 7]), kind=Kind.LIMIT, side=-1, lots=np.array([20, 80]), price_ticks=640)
    assert not venue.process(np.concatenate([deposits, longs, shorts]), np.array([640])).results.any()
    return venue


def test_the_published_example() -> None:
    """R-W85, R-W9: BitMEX's queue with its lights, and who closes the 20 lots at the bankruptcy price 650."""
    venue = published_venue(Published(trigger="fund_empty", price="bankruptcy"))
    found = standings(venue, 0, 1)
    assert [(row.account, row.score, row.light_percent) for row in found] == [
        (2, 6.0, 20), (5, 5.0, 40), (4, 4.0, 60), (1, 3.0, 80), (6, 2.0, 80), (3, 1.0, 100),
    ]  # fmt: skip
    venue.drain_events()
    venue.process(batch(0, account=0, kind=Kind.LIMIT), np.array([651]))
    rows = venue.drain_events()
    rows = rows[rows[:, E_KIND] == Event.ADL]
    assert rows[:, [E_ACCOUNT, E_OTHER, E_LOTS, E_PRICE_TICKS]].tolist() == [[0, 2, 10, 650], [0, 5, 10, 650]]
    assert venue.tables.positions[[2, 5], P_LOTS].tolist() == [0, 10]


def test_the_rule_of_the_example_in_a_venue() -> None:
    """docs/examples/my_adl_rule.py: at 700 the longs are 100, 100, 700, 1300, 700 and 100 above their allowance."""
    venue = published_venue(find_policy(str(ROOT / "docs" / "examples" / "my_adl_rule.py")).rule)
    venue.drain_events()
    venue.process(batch(0, account=0, kind=Kind.LIMIT), np.array([700]))
    rows = venue.drain_events()
    rows = rows[rows[:, E_KIND] == Event.ADL]
    assert rows[:, [E_OTHER, E_LOTS, E_PRICE_TICKS]].tolist() == [[4, 9, 650], [3, 5, 650], [5, 5, 650], [1, 1, 650]]


def test_lights_by_hand() -> None:
    """R-W85: rounded up to fifths of the side's lots; 16, 20 and 4 atoms of profit at 100."""
    assert light_percent(np.cumsum([10, 20, 30, 10, 10, 20]), 100).tolist() == [20, 40, 60, 80, 80, 100]
    assert light_percent(1, 100) == 20
    desk = EngineDesk([1000, 600, 40, 10**6], deleveraging={"rank": "pnl"})
    for who, lots, price in ((0, 4, 104), (1, 10, 102), (2, 1, 104)):
        sold = command("LIMIT", who, side=-1, lots=lots, price=price)
        assert desk.step(sold, command("LIMIT", 3, side=1, lots=lots, price=price)) == ["OK", "OK"]
    assert standings(desk.engine, 0, -1) == [
        Standing(1, -10, 20.0, 80), Standing(0, -4, 16.0, 100), Standing(2, -1, 4.0, 100),
    ]  # fmt: skip
    assert standings(desk.engine, 0, 1) == [Standing(3, 15, -40.0, 100)]


@pytest.mark.parametrize("rank", ADL_RANKS)
def test_anybody_may_see_how_he_stands(rank: str) -> None:
    """Whatever the rank, looking at the standings changes nothing and leaves nobody out."""
    desk = EngineDesk([1000, 600, 10**6], deleveraging={"rank": rank})
    desk.step(command("LIMIT", 0, side=-1, lots=4, price=104), command("LIMIT", 2, side=1, lots=4, price=104))
    desk.step(command("LIMIT", 1, side=-1, lots=5, price=102), command("LIMIT", 2, side=1, lots=5, price=102))
    before = desk.engine.digest()
    assert {row.account for row in standings(desk.engine, 0, -1)} == {0, 1}
    assert desk.engine.digest() == before
