"""Whoever is deleveraged is whom a ranking of everybody, made anew for each position, would have put first (R-W9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delever.engine import deleverage, state
from delever.engine.book import cancel_all
from delever.engine.commands import Kind, batch
from delever.engine.contract import bankruptcy_ticks
from delever.engine.events import E_ACCOUNT, E_KIND, E_MARKET, E_OTHER, Event
from delever.engine.formulas import entry_leverage, fund_accepts, pnl_margin
from delever.engine.funds import fund_room_atoms
from delever.engine.kernel import kernel
from delever.engine.ledger import balance_atoms
from delever.engine.margin import (
    equity_atoms,
    open_positions,
    owner_of,
    position_equity_atoms,
    unit_maintenance_atoms,
    unit_of,
)
from delever.engine.positions import release_flat_pocket
from delever.engine.rules.deleveraging import Deleveraging, Holders
from delever.engine.rules.insurance import Insurance
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import (
    A_KEY,
    ADL_RANKS,
    FAIREST,
    FLAG_REFUSED,
    FLAG_TREATED,
    M_INDEX_TICKS,
    M_MARK_BEFORE_TICKS,
    M_MARK_TICKS,
    M_MULTIPLIER_ATOMS,
    P_COST_ATOMS,
    P_LOTS,
    QUEUE,
    U_FLAGS,
    U_LIQUIDATION,
    V_STEP,
)
from delever.engine.transfer import transfer
from delever.engine.venue import Venue
from tests.reference import adl_ranks

Commands = np.ndarray[Any, np.dtype[np.int64]]


class AskedDeleveraging(Deleveraging):
    """The venue's own ranks, by a method of the user's own."""

    def scores(self, holders: Holders) -> np.ndarray[Any, np.dtype[np.float64]]:
        return super().scores(holders)


class LampDeleveraging(Deleveraging):
    """What venues show their traders: in which fifth of all holders one stands; a score that depends on the others."""

    def scores(self, holders: Holders) -> np.ndarray[Any, np.dtype[np.float64]]:
        plain = super().scores(holders)
        return np.floor(5.0 * np.searchsorted(np.sort(plain), plain) / len(plain))


class AskedInsurance(Insurance):
    """The venue's own fund, by a method of the user's own."""

    def accepts(self, loss_atoms: int, equity_atoms: int, warehouse_after_atoms: int) -> bool:
        return super().accepts(loss_atoms, equity_atoms, warehouse_after_atoms)


def stage_from_scratch(venue: Venue, units: Commands) -> None:
    """Do what `deleverage.stage` does, position by position in Python."""
    t, rule = venue.tables, venue.rules.deleveraging
    if rule.trigger == "none":
        return
    for unit in [*units.tolist(), venue.fund_unit]:
        equity, room = int(equity_atoms(t, unit)), fund_room_atoms(t, venue.fund_unit)
        if unit == venue.fund_unit:
            equity -= venue.rules.insurance.floor_atoms
            due = equity < 0
        elif rule.trigger == "equity_below_zero":
            due = equity < 0
        else:
            due = bool(t.units[unit, U_FLAGS] & FLAG_REFUSED) or (equity < 0 and -equity > room)
        if open_positions(t, unit) and due:
            close_unit(venue, unit, equity)


def close_unit(venue: Venue, unit: int, equity: int) -> None:
    """Close every position of a unit against ranked counterparties, all prices taken before the first."""
    t, markets = venue.tables, len(venue.markets)
    account, price_rule = int(owner_of(t, unit)), venue.rules.deleveraging.price
    prices = {}
    for market in range(markets):
        lots = int(t.positions[account * markets + market, P_LOTS])
        if lots == 0 or unit_of(t, account, market) != unit:
            continue
        mark = int(t.markets[market, M_MARK_TICKS])
        if price_rule == "bankruptcy" or unit == venue.fund_unit:
            share = position_equity_atoms(t, unit, market, equity)
            prices[market] = int(bankruptcy_ticks(t, market, lots, mark, share))
        else:
            prices[market] = mark if price_rule == "mark" else int(t.markets[market, M_MARK_BEFORE_TICKS])
    cause = int(t.units[unit, U_LIQUIDATION])
    for market, price in prices.items():
        for other, most in ranked_from_scratch(venue, market, account):
            lots = int(t.positions[account * markets + market, P_LOTS])
            if lots == 0:
                break
            venue.make_room()
            if venue.rules.deleveraging.cancel_orders and other != venue.fund_unit:
                cancel_all(t, other, market, cause)
            size = min(abs(lots), most)
            transfer(t, int(Event.ADL), account, other, market, size if lots > 0 else -size, price, cause)
        release_flat_pocket(t, account, market, cause)


def ranked_from_scratch(venue: Venue, market: int, account: int) -> list[tuple[int, int]]:
    """Return all who hold the opposite of a position, ranked now, and for how many lots at most.

    The fund last, score descending, key ascending; where the position is split, the largest part first.
    """
    t, markets = venue.tables, len(venue.markets)
    held = t.positions[market::markets, P_LOTS]
    others = [
        other
        for other in np.flatnonzero(held * held[account] < 0).tolist()
        if not t.units[unit_of(t, other, market), U_FLAGS] & FLAG_TREATED
    ]
    rows = []
    for other in others:
        row, unit = t.positions[other * markets + market], unit_of(t, other, market)
        worth = row[P_LOTS] * t.markets[market, M_MULTIPLIER_ATOMS] * t.markets[market, M_MARK_TICKS]
        cost = row[P_COST_ATOMS]
        money = balance_atoms(t, unit), equity_atoms(t, unit), unit_maintenance_atoms(t, unit)
        key, index = int(t.accounts[other, A_KEY]), int(t.markets[market, M_INDEX_TICKS])
        drawn = 2**63 - 1 if other == venue.fund_unit else adl_ranks.draw(int(t.venue[V_STEP]), market, index, key)
        rows.append((row[P_LOTS], cost, abs(worth), worth - cost, *money, key, drawn))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 9).T
    scores = venue.rules.deleveraging.scores(Holders(*columns))
    keys = t.accounts[others, A_KEY]
    of_fund = np.array(others) == venue.fund_unit
    caps = dict(zip(others, np.abs(held[others]).tolist(), strict=True))
    if venue.rules.deleveraging.spread == QUEUE:
        return [(others[i], caps[others[i]]) for i in np.lexsort((keys, -scores, of_fund))]
    weights = {a: float(w) for a, w in zip(others, scores, strict=True) if a != venue.fund_unit}
    due = parts_from_scratch(venue, weights, caps, abs(int(held[account])))
    ranked = sorted(weights, key=lambda a: (-due[a], t.accounts[a, A_KEY]))
    fund = [(a, caps[a]) for a in others if a == venue.fund_unit]
    return [(a, due[a]) for a in ranked if due[a]] + fund


def parts_from_scratch(venue: Venue, weights: dict[int, float], caps: dict[int, int], lots: int) -> dict[int, int]:
    """Return the lots each gives of a position that is split, by the reference venue's arithmetic."""
    keys = {a: int(venue.tables.accounts[a, A_KEY]) for a in weights}
    fair = venue.rules.deleveraging.spread == FAIREST
    due = adl_ranks.shares(weights, caps, keys, lots, len(weights), fair)
    rest = {a: float(caps[a]) for a in weights if due[a] == 0}
    return due | adl_ranks.shares(rest, caps, keys, lots - sum(due.values()), len(weights), fair)


def drawn_rules(rng: np.random.Generator) -> RuleSet:
    """Draw what bears on deleveraging; the fund is small and mostly falls below its floor."""
    fund = int(rng.choice([0, 3, 15]))
    stage = str(rng.choice(["book", "takeover_only"]))
    return RuleSet.model_validate(
        {
            "mark": {"components": ["index"]},
            "halts": {"collar_ppm": 0},
            "margin": {"isolated_allowed": True, "mode": str(rng.choice(["cross", "isolated"]))},
            "liquidation": {
                "stage": stage,
                "leftover": "fund" if stage == "takeover_only" else str(rng.choice(["fund", "retry"])),
                "size": str(rng.choice(["full", "target"])),
                "seize_margin": bool(rng.integers(2)),
            },
            "insurance": {"initial_quote": fund, "floor_quote": fund // 3, "warehouse_leverage": 5},
            "deleveraging": {
                "trigger": str(rng.choice(["fund_empty", "equity_below_zero"])),
                "rank": str(rng.choice(ADL_RANKS)),
                "price": str(rng.choice(["bankruptcy", "mark", "previous_mark"])),
                "cancel_orders": bool(rng.integers(2)),
            },
        }
    )


def drawn_steps(rng: np.random.Generator, traders: int, markets: int) -> list[tuple[Commands, Commands]]:
    """Draw positions taken at several prices, many alike so that scores tie, then marks that jump to and fro."""
    accounts = np.arange(traders)
    index = np.full(markets, 1000)
    modes = batch(
        traders, account=accounts, kind=Kind.SET_MODE, market=rng.integers(markets, size=traders),
        amount=rng.integers(2, size=traders),
    )  # fmt: skip
    money = batch(traders, account=accounts, kind=Kind.DEPOSIT, amount=rng.choice([3, 4, 20], size=traders) * 10**6)
    steps = [(np.concatenate([money, modes]), index)]
    for _ in range(4):
        n = 4 * traders
        side = rng.choice([-1, 1], size=n)
        orders = batch(
            n, account=rng.integers(traders, size=n), kind=Kind.LIMIT, market=rng.integers(markets, size=n), side=side,
            lots=rng.choice([5, 10, 10, 30], size=n), price_ticks=index[0] + rng.integers(-4, 5, size=n),
        )  # fmt: skip
        steps.append((orders, index))
        index = index + rng.integers(-15, 16, size=markets)
    for _ in range(4):
        index = np.maximum(200, index + rng.choice([-200, -60, 60, 150], size=markets))
        steps.append((batch(0, account=0, kind=Kind.LIMIT), index))
    return steps


def played(seed: int, change: Callable[[RuleSet], RuleSet] = lambda rules: rules) -> tuple[str, Commands]:
    """Return digest and events of the world of a seed, under its rules as changed."""
    rng = np.random.default_rng(seed)
    rules = drawn_rules(rng)
    traders, markets = int(rng.integers(6, 26)), int(rng.integers(1, 4))
    keys = rng.permutation(traders)
    venue = Venue(
        change(rules), [state.Market(f"M{i}", 1000, 4096) for i in range(markets)], keys,
        first_index_ticks=[1000] * markets, orders_max=2000, journal=True, check=True,
    )  # fmt: skip
    for commands, index in drawn_steps(rng, traders, markets):
        venue.process(commands, index)
    return venue.digest(), venue.drain_events()


def asked(rules: RuleSet) -> RuleSet:
    """Return the same rules as subclasses, whose methods the engine has to ask."""
    insurance = AskedInsurance(**rules.insurance.model_dump())
    return rules.model_copy(
        update={"insurance": insurance, "deleveraging": AskedDeleveraging(**rules.deleveraging.model_dump())}
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=2**31))
def test_order_is_that_of_ranking_everybody_anew(seed: int) -> None:
    """R-W9, R-W10, R-W80 to R-W84: every event is the same, kept in order or ranked anew for each position."""
    digest, events = played(seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deleverage, "stage", stage_from_scratch)
        expected, expected_events = played(seed)
    np.testing.assert_array_equal(events, expected_events)
    assert digest == expected


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=2**31))
def test_a_rule_of_the_users_own_is_asked(seed: int) -> None:
    """The same rank and the same fund, but as methods of subclasses, which kernels cannot call: the same events."""
    digest, events = played(seed)
    asked_digest, asked_events = played(seed, asked)
    np.testing.assert_array_equal(events, asked_events)
    assert digest == asked_digest


def lamps(rules: RuleSet) -> RuleSet:
    """Return the same rules with a rank by fifths."""
    return rules.model_copy(update={"deleveraging": LampDeleveraging(**rules.deleveraging.model_dump())})


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=2**31))
def test_a_rank_may_compare_all_holders(seed: int) -> None:
    """R-W9: a rule of the user's own sees everybody it ranks, once for each deleveraged position."""
    digest, events = played(seed, lamps)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deleverage, "stage", stage_from_scratch)
        expected, expected_events = played(seed, lamps)
    np.testing.assert_array_equal(events, expected_events)
    assert digest == expected


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=2**31))
def test_the_buffer_may_fill_anywhere_in_the_stage(seed: int) -> None:
    """Asked or not, a stage goes on where it stopped for the smallest event buffer."""
    digest, events = played(seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(state, "EVENTS_MIN", 1)
        patched.setattr(state, "EVENTS_PER_MATCH", 1)
        for change in (lambda rules: rules, asked):
            small_digest, small_events = played(seed, change)
            np.testing.assert_array_equal(events, small_events)
            assert digest == small_digest


def test_the_worlds_deleverage() -> None:
    """What the tests above compare is there: many deleveraged positions, several a stage, of the fund too."""
    events = [played(seed)[1] for seed in range(25)]
    pairs = [rows[rows[:, E_KIND] == Event.ADL] for rows in events]
    assert sum(len(rows) for rows in pairs) > 300
    assert sum(len(rows) > 10 for rows in pairs) > 8


def test_money_a_pocket_gives_back_lowers_the_rank_of_its_account() -> None:
    """R-M7, R-W9: account 0 is ahead of account 1 until its pocket is closed at the previous mark, above its own."""
    rules = RuleSet.model_validate(
        {
            "mark": {"components": ["index"]},
            "halts": {"collar_ppm": 0},
            "charges": {"maker_ppm": 0, "taker_ppm": 0},
            "liquidation": {"stage": "takeover_only", "leftover": "fund"},
            "insurance": {"initial_quote": 0},
            "deleveraging": {"trigger": "equity_below_zero", "rank": "entry_leverage", "price": "previous_mark"},
        }
    )
    markets = [state.Market("A", 1000, 4096), state.Market("B", 1000, 4096)]
    venue = Venue(rules, markets, np.arange(6), first_index_ticks=[1000, 1000], orders_max=20, check=True)
    worst, poor, rich = 2, 3, (4, 5)
    money = np.array([7_000_000, 2_100_000, 104_000, 560_000, 10**9, 10**9])
    isolated = batch(1, account=0, kind=Kind.SET_MODE, market=0, amount=1)
    deposits = batch(6, account=np.arange(6), kind=Kind.DEPOSIT, amount=money)
    venue.process(np.concatenate([deposits, isolated]), np.array([1000, 1000]))
    # In A account 0 is long in its pocket. In B accounts 0 and 1 are short, the worst, the poor and a rich one long.
    rows = (
        (rich[0], 0, -1, 100), (0, 0, 1, 100), (0, 1, -1, 13), (1, 1, -1, 10), (worst, 1, 1, 2), (poor, 1, 1, 10),
        (rich[1], 1, 1, 11),
    )  # fmt: skip
    account, market, side, lots = np.array(rows).T
    orders = batch(7, account=account, kind=Kind.LIMIT, market=market, side=side, lots=lots, price_ticks=1000)
    assert not venue.process(orders, np.array([1000, 1000])).results.any()
    # Now -0.34, -0.21 and -0.17 times maintenance margin: the worst, the pocket, the poor.
    venue.process(batch(0, account=0, kind=Kind.LIMIT), np.array([945, 940]))
    events = venue.drain_events()
    pairs = events[events[:, E_KIND] == Event.ADL][:, [E_MARKET, E_ACCOUNT, E_OTHER]]
    assert pairs.tolist() == [[1, worst, 0], [0, 0, rich[0]], [1, poor, 1]]


NUMBERS = st.integers(min_value=-(2**60), max_value=2**60)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_a_formula_is_one_for_columns_and_for_numbers(rows: list[tuple[int, int, int, int]]) -> None:
    """A kernel's score equals the rule's to the bit, so that ties are the same in both."""
    columns = np.array(rows, dtype=np.int64).T
    one, other = kernel(pnl_margin), kernel(entry_leverage)
    columns[0] |= 1  # lots
    expected = pnl_margin(*columns, 1), entry_leverage(columns[1], np.abs(columns[2]), columns[3])
    for i, (a, b, c, d) in enumerate(columns.T):
        assert one(a, b, c, d, 1) == expected[0][i]
        assert other(b, abs(c), d) == expected[1][i]


AMOUNTS = st.integers(min_value=0, max_value=2**60)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(loss=AMOUNTS, equity=NUMBERS, warehouse=AMOUNTS, floor=AMOUNTS, leverage=st.integers(1, 1000))
def test_the_fund_accepts_what_its_room_carries(
    loss: int, equity: int, warehouse: int, floor: int, leverage: int
) -> None:
    """R-W5 as it is written, with a product that int64 could not hold."""
    room = equity - loss - floor
    expected = room >= 0 and warehouse <= leverage * room
    assert fund_accepts(loss, equity, warehouse, floor, 0, leverage) == expected
