"""R-U4: what could overflow or makes no sense is refused before there is a venue; snapshots fit or are refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from delever.engine import digest as digests
from delever.engine import tables
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import PRICE_TICKS_LIMIT, VALUE_MAX_ATOMS, Market, allocate
from delever.engine.tables import (
    LINE_BYTES,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_EXPIRY_STEP,
    M_FILLS,
    M_FORCED_ATOMS,
    M_FORCED_LOTS,
    M_LAST_TRADING_STEP,
    M_LONG_INITIAL_PPM,
    M_LONG_LOTS,
    M_LONG_MAINTENANCE_PPM,
    M_MINIMUM_ATOMS,
    M_OPEN_INTEREST_LOWER_ATOMS,
    M_OPEN_INTEREST_UPPER_ATOMS,
    M_RATE_MAX_PPM,
    M_SCALE_PPM,
    M_SCHEDULE,
    M_SHORT_INITIAL_PPM,
    M_SHORT_MAINTENANCE_PPM,
    M_SLOPE_LOTS,
    M_SLOPE_PPM,
    M_SUM_COST_ATOMS,
    M_TIER_COUNT,
    M_TIERS,
    M_VOLUME_ATOMS,
    M_VOLUME_LOTS,
    M_WINDOW_MAX_LOTS,
    NONE,
    O_NEXT,
    ORDER_COLUMNS,
    P_LOOK_BEFORE,
    P_LOOK_NEXT,
    POSITION_COLUMNS,
    V_ACCOUNTS,
    V_CALLS,
    V_CARRIED_ATOMS,
    V_DUE_UNITS_MAX,
    V_DUE_VALUE_MAX_ATOMS,
    V_FEES_SEEN_ATOMS,
    V_FREE_ORDER,
    V_FREE_ORDERS,
    V_FRESH_ORDER,
    V_GATE_UNTIL,
    V_LIQUIDATIONS,
    V_MARKETS,
    V_POCKETS_AT,
    V_SEQUENCE,
    V_STEP,
    V_TOUCHED_COUNT,
    Tables,
)
from delever.engine.venue import Venue

from .desk import PLAIN, command
from .engine_desk import EngineDesk

Ints = NDArray[np.int64]

SOUND: dict[str, Any] = {
    "rules": RuleSet(),
    "markets": [Market("BTC", 1, 1_000)],
    "keys": np.arange(3),
    "first_index_ticks": [100],
    "orders_max": 10,
}
LOTS_MAX = RuleSet().contract.lots_max


def allocated(**changes: Any) -> Tables:
    """Allocate a sound venue with some arguments changed."""
    chosen = SOUND | changes
    return allocate(*(chosen[name] for name in SOUND), False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"markets": [], "first_index_ticks": []}, "at least one market and one first index each (got 0 markets)"),
        ({"first_index_ticks": [100, 100]}, "one first index each (got 1 markets)"),
        ({"keys": np.array([], dtype=np.int64)}, "at least one account, and keys must be distinct"),
        ({"keys": np.array([4, 7, 4])}, "at least one account, and keys must be distinct"),
        ({"orders_max": 0}, "orders_max must be at least 1 (got 0)"),
        ({"first_index_ticks": [0]}, "BTC: the first index (0 ticks) must lie below price_max_ticks (1000)"),
        ({"first_index_ticks": [1_000]}, "BTC: the first index (1000 ticks) must lie below price_max_ticks (1000)"),
        ({"markets": [Market("BTC", 1, 1)], "first_index_ticks": [1]}, "price_max_ticks (1)"),
        ({"markets": [Market("BTC", 1, PRICE_TICKS_LIMIT + 1)]}, f"at most {PRICE_TICKS_LIMIT}; choose a larger tick"),
        ({"markets": [Market("BTC", 0, 1_000)]}, "BTC: multiplier_atoms must be at least 1 (got 0)"),
        ({"markets": [Market("BTC", -3, 1_000)]}, "BTC: multiplier_atoms must be at least 1 (got -3)"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    """R-U1, R-P3: the message says what was wrong, where, and what would be right."""
    with pytest.raises(ValueError, match=re.escape(said)):
        allocated(**changes)


def test_the_proof_against_overflow_is_sharp() -> None:
    """R-U4: what all markets may hold together has a limit, and one atom more is refused."""
    sharp = VALUE_MAX_ATOMS // (2 * LOTS_MAX * 1_000)
    assert allocated(markets=[Market("BTC", sharp, 1_000)]).markets.shape[0] == 1
    for multipliers in ([sharp + 1], [sharp, 1]):
        markets = [Market(f"M{m}", multiplier, 1_000) for m, multiplier in enumerate(multipliers)]
        with pytest.raises(ValueError, match="could overflow 64 bits") as refused:
            allocated(markets=markets, first_index_ticks=[100] * len(markets))
        assert f"is {2 * LOTS_MAX * 1_000 * (sharp + 1)} atoms" in str(refused.value)
        assert f"lower contract.lots_max ({LOTS_MAX}) until it is at most {VALUE_MAX_ATOMS}" in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dt_s": 0}, "dt_s must be at least 1 second (got 0)"),
        ({"backstops": [3]}, "backstop account 3 is not a trader: rows are 0 .. 2"),
        ({"backstops": [1, -1]}, "backstop account -1 is not a trader: rows are 0 .. 2"),
    ],
)
def test_a_venue_refuses_what_its_tables_do_not_show(changes: dict[str, Any], said: str) -> None:
    """R-U1, R-W5: the step length and the backstop accounts."""
    chosen = SOUND | changes
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        Venue(chosen.pop("rules"), chosen.pop("markets"), chosen.pop("keys"), **chosen)


def test_there_are_pockets_only_where_isolated_margin_is_allowed() -> None:
    """R-M1: one cross unit each, the fund, six of the venue, and a pocket per account and market."""
    with_pockets = allocated()
    without = allocated(rules=RuleSet.model_validate({"margin": {"isolated_allowed": False}}))
    assert (len(with_pockets.units), len(without.units)) == (3 + 7 + 3, 3 + 7)
    assert with_pockets.accounts.shape[0] == without.accounts.shape[0] == 4


def busy_desk() -> EngineDesk:
    """Return a desk with positions, resting and waiting orders."""
    desk = EngineDesk([10_000, 10_000, 10_000])
    desk.trade(0, 1, 10, 100)
    desk.limit(2, 1, 5, 95, tag=1)
    desk.do("STOP", 0, side=-1, lots=10, trigger=90)
    return desk


def test_restore_undoes_everything() -> None:
    """A snapshot is a copy: what happens after it is gone after restore, and it can be restored twice."""
    desk = busy_desk()
    saved, digest = desk.engine.snapshot(), desk.engine.digest()
    for _ in range(2):
        desk.step(command("MARKET", 1, side=-1, lots=4), index=80)
        assert desk.engine.digest() != digest
        desk.engine.restore(saved)
        assert desk.engine.digest() == digest
        assert all((saved[name] == array).all() for name, array in desk.t.as_dict().items())


@pytest.mark.parametrize(
    ("other", "table"), [({"accounts": 4}, "units"), ({"orders_max": 99}, "orders"), ({"price_max": 999}, "levels")]
)
def test_a_snapshot_of_another_size_is_refused_whole(other: dict[str, int], table: str) -> None:
    """The first table that does not fit is named, and nothing has been written."""
    sizes = {"accounts": 3, "orders_max": 100, "price_max": 1_000} | other
    rules = RuleSet.model_validate(PLAIN)
    venue = Venue(
        rules,
        [Market("M0", 1, sizes["price_max"])],
        np.arange(sizes["accounts"]),
        first_index_ticks=[100],
        orders_max=sizes["orders_max"],
    )
    before = venue.snapshot()
    with pytest.raises(ValueError, match=f"snapshot does not fit: {table} has shape"):
        venue.restore(busy_desk().engine.snapshot())
    assert all((before[name] == array).all() for name, array in venue.tables.as_dict().items())


def linked(t: Tables) -> Ints:
    """Return `orders` with every row that was never used linked to the next, as if done when the venue opened."""
    orders = t.orders.copy()
    fresh = int(t.venue[V_FRESH_ORDER])
    orders[fresh:, O_NEXT] = np.append(np.arange(fresh + 1, len(orders)), NONE)[: len(orders) - fresh]
    return orders


@pytest.mark.parametrize("rows_at_once", [1, 7, 65_536])
def test_digest_is_one_however_many_rows_are_hashed_at_once(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether all orders, some or none were ever used; free rows count as if linked when the venue opened."""
    full = EngineDesk([10_000, 10_000], orders_max=4)
    for tag in range(9):
        full.limit(tag % 2, 1, 1, 90, tag=tag)
    full.do("MARKET", 0, side=-1, lots=1)
    for t in (allocated(), busy_desk().t, full.t):
        monkeypatch.setattr(digests, "ROWS_AT_ONCE", 1_000_000)
        whole = digests.digest(t)
        monkeypatch.setattr(digests, "ROWS_AT_ONCE", rows_at_once)
        assert digests.digest(t) == whole
        t.orders[:] = linked(t)
        t.venue[V_FRESH_ORDER] = len(t.orders)
        assert digests.digest(t) == whole
    assert (allocated().orders == 0).all()


def test_an_account_takes_at_most_three_hundred_bytes() -> None:
    """What every account and market takes, however many orders there may be: with pockets, all tables of rows."""
    small, large = allocated(keys=np.arange(10)), allocated(keys=np.arange(110))
    tables = {name: (array, getattr(large, name)) for name, array in small.as_dict().items()}
    assert sum(more.nbytes - less.nbytes for less, more in tables.values()) <= 300 * 100


def test_tables_begin_with_a_cache_line() -> None:
    """So that a row of `positions` is one line; `tiers` is small and always near, and an empty table begins nowhere."""
    tables = {name: array for name, array in allocated().as_dict().items() if name != "tiers" and array.size}
    assert "positions" in tables
    assert all(array.ctypes.data % LINE_BYTES == 0 for array in tables.values())
    assert 8 * POSITION_COLUMNS == LINE_BYTES


# What the digest leaves out: tables whole, and of the others these columns (engine/digest.py says why).
TABLES_LEFT_OUT = {
    "tiers", "leads", "assets", "haircuts", "occupied", "triggers", "index_looks", "listed", "shares", "triggered",
    "owing", "events",
}  # fmt: skip
COLUMNS_LEFT_OUT = {
    "positions": {P_LOOK_NEXT, P_LOOK_BEFORE},
    "markets": {
        M_COLLAR_LOW, M_COLLAR_HIGH, M_LONG_LOTS, M_TIERS, M_TIER_COUNT, M_RATE_MAX_PPM, M_FILLS, M_VOLUME_LOTS,
        M_VOLUME_ATOMS, M_FORCED_LOTS, M_FORCED_ATOMS, M_SUM_COST_ATOMS, M_EXPIRY_STEP, M_LAST_TRADING_STEP, M_SCHEDULE,
        M_LONG_INITIAL_PPM, M_LONG_MAINTENANCE_PPM, M_SHORT_INITIAL_PPM, M_SHORT_MAINTENANCE_PPM, M_SLOPE_PPM,
        M_SLOPE_LOTS, M_SCALE_PPM, M_MINIMUM_ATOMS, M_OPEN_INTEREST_LOWER_ATOMS, M_OPEN_INTEREST_UPPER_ATOMS,
        M_WINDOW_MAX_LOTS,
    },
}  # fmt: skip
# Of `venue` what is hashed is the shorter list: all others are rules, scratch or counters.
VENUE_COLUMNS_HASHED = {
    V_STEP, V_SEQUENCE, V_ACCOUNTS, V_MARKETS, V_POCKETS_AT, V_FREE_ORDER, V_FREE_ORDERS, V_LIQUIDATIONS,
    V_TOUCHED_COUNT, V_CARRIED_ATOMS, V_FEES_SEEN_ATOMS, V_GATE_UNTIL, V_FRESH_ORDER,
    V_DUE_UNITS_MAX, V_DUE_VALUE_MAX_ATOMS,
}  # fmt: skip


def named_columns(prefix: str) -> set[int]:
    """Return the numbers of all columns of a table, by the first letter of their names."""
    found = {name: value for name, value in vars(tables).items() if re.fullmatch(f"{prefix}_[A-Z_]+", name)}
    return {value for name, value in found.items() if isinstance(value, int)}


def remembering_desk() -> EngineDesk:
    """Return a desk whose rules remember as much as rules can."""
    desk = EngineDesk(
        [10_000, 10_000, 10_000],
        mark={"components": ["trades", "index"], "trades": {"window_s": 5}, "index": {"weights": [1, 1]}},
        halts={"collar_ppm": 0, "limit_up_down": {"width_ppm": 100_000, "mean_s": 9, "limit_state_s": 3, "pause_s": 5}},
        liquidation={"rolling": {"window_s": 5}},
        insurance={"drawdown": {"window_s": 9, "drop_ppm": 1_000}},
        socialisation={"rule": "session_profit", "session": {"length_s": 60}},
    )
    desk.trade(0, 1, 10, 100)
    return desk


@pytest.mark.parametrize("name", [name for name in tables.TABLE_NAMES if name not in ("venue", "orders", "touched")])
def test_digest_sees_every_column_but_those_left_out(name: str) -> None:
    """One changed number anywhere is another digest, but in what is left out by name it is the same."""
    desk = remembering_desk()
    table, before = getattr(desk.t, name), desk.engine.digest()
    if table.size == 0:
        assert name in TABLES_LEFT_OUT | {"holdings"}, f"the rules of this test use {name}"
        return
    named = {"markets": named_columns("M") - {tables.M_OWED_SCALE}}.get(name, set(range(table.shape[-1])))
    for column in sorted(named) if table.ndim > 1 else [0]:
        cell = (0,) * (table.ndim - 1) + (column,)
        table[cell] += 1
        left_out = name in TABLES_LEFT_OUT or column in COLUMNS_LEFT_OUT.get(name, set())
        assert (desk.engine.digest() == before) == left_out, f"{name}, column {column}"
        table[cell] -= 1
    assert desk.engine.digest() == before


def test_digest_sees_the_columns_of_the_venue_that_are_memory() -> None:
    desk = remembering_desk()
    before = desk.engine.digest()
    for column in sorted(named_columns("V") - {V_FRESH_ORDER, V_TOUCHED_COUNT}):
        desk.t.venue[column] += 1
        assert (desk.engine.digest() != before) == (column in VENUE_COLUMNS_HASHED), f"column {column}"
        desk.t.venue[column] -= 1


def test_digest_sees_orders_and_who_is_to_be_looked_at() -> None:
    desk = busy_desk()
    assert desk.t.venue[V_FRESH_ORDER] > 0
    desk.t.touched[:2] = 0, 1
    desk.t.venue[V_TOUCHED_COUNT] = 2
    before = {desk.engine.digest()}
    for cell in range(ORDER_COLUMNS):
        desk.t.orders[0, cell] += 1
        before.add(desk.engine.digest())
        desk.t.orders[0, cell] -= 1
    desk.t.touched[:2] = desk.t.touched[1::-1].copy()
    before.add(desk.engine.digest())
    assert len(before) == 2 + ORDER_COLUMNS


def test_counters_that_are_left_out_decide_nothing() -> None:
    """What goes on from other counters goes on the same."""
    one, other = remembering_desk(), remembering_desk()
    other.t.markets[:, [M_FILLS, M_VOLUME_LOTS, M_VOLUME_ATOMS, M_FORCED_LOTS, M_FORCED_ATOMS]] += 7
    other.t.venue[V_CALLS] += 7
    for price in (95, 80, 99, 120):
        for desk in (one, other):
            desk.step(command("LIMIT", 2, side=1, lots=3, price=price), index=price)
            desk.step(command("MARKET", 0, side=-1, lots=2))
    assert one.engine.digest() == other.engine.digest()
