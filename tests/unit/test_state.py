"""R-U4: what could overflow or makes no sense is refused before there is a venue; snapshots fit or are refused."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from delever.engine import state
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import PRICE_TICKS_LIMIT, VALUE_MAX_ATOMS, Market, allocate
from delever.engine.tables import (
    LINE_BYTES,
    M_COLLAR_LOW,
    NONE,
    O_NEXT,
    P_LOOK_NEXT,
    POSITION_COLUMNS,
    V_EVENT_COUNT,
    V_FRESH_ORDER,
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
def test_digest_is_the_hash_of_whole_tables(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are hashed at once, and whether all orders, some or none were ever used."""
    monkeypatch.setattr(state, "ROWS_AT_ONCE", rows_at_once)
    full = EngineDesk([10_000, 10_000], orders_max=4)
    for tag in range(9):
        full.limit(tag % 2, 1, 1, 90, tag=tag)
    full.do("MARKET", 0, side=-1, lots=1)
    for t in (allocated(), busy_desk().t, full.t):
        whole = [t.units, t.accounts, linked(t), t.levels, t.positions[:, :P_LOOK_NEXT], t.markets[:, :M_COLLAR_LOW]]
        hashed = hashlib.sha256(b"".join(table.tobytes() for table in whole) + t.venue[:V_EVENT_COUNT].tobytes())
        assert state.digest(t) == hashed.hexdigest()
    assert full.t.venue[V_FRESH_ORDER] == len(full.t.orders)
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


def test_digest_sees_every_table_of_state() -> None:
    """One changed number in ledger, accounts, positions, orders, levels or markets is another digest."""
    desk = busy_desk()
    digests = {desk.engine.digest()}
    for name in ("units", "accounts", "positions", "orders", "levels", "markets", "venue"):
        table = getattr(desk.t, name)
        table.flat[0] += 1
        digests.add(desk.engine.digest())
        table.flat[0] -= 1
    assert len(digests) == 8
