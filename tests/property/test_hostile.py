"""Nothing that is sent to a venue can break it: what is wrong is refused with its own code, or is no batch at all."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from delever.engine.commands import (
    C_ACCOUNT,
    C_AMOUNT,
    C_FLAGS,
    C_KIND,
    C_LOTS,
    C_MARKET,
    C_PRICE_TICKS,
    C_SIDE,
    C_TRIGGER_TICKS,
    COMMAND_COLUMNS,
    FLAG_FORCED,
    FLAG_REDUCE_ONLY,
    Kind,
    Result,
    batch,
)
from delever.engine.invariants import check_all
from delever.engine.state import PRICE_TICKS_LIMIT
from delever.engine.tables import V_CAUSE, V_CHAIN, V_EVENT_COUNT, V_FORCING, V_SEQUENCE
from tests.unit.desk import PLAIN, command
from tests.unit.engine_desk import EngineDesk

Ints = NDArray[np.int64]

ACCOUNTS, MARKETS = 4, 2
EDGES = [0, 1, -1, 2, -2, 99, 100, 2**31 - 1, 2**31, 2**40, 2**53, 2**53 + 1, 2**61, 2**62, 2**63 - 1]
HOSTILE = st.sampled_from([*EDGES, *(-edge for edge in EDGES[9:]), -(2**63)])
MAY_LOSE_THE_OLD_ORDER = {
    Result.COLLAR, Result.NOT_REDUCING, Result.WOULD_CROSS, Result.NOT_FILLABLE, Result.POSITION_LIMIT, Result.MARGIN,
}  # fmt: skip


def busy_desk() -> EngineDesk:
    """Return the one busy venue of this module as it was when it was made."""
    desk, saved = made_once()
    desk.engine.restore(saved)
    desk.index, desk.seen = [100] * MARKETS, desk.side.observe()
    return desk


@functools.cache
def made_once() -> tuple[EngineDesk, dict[str, Ints]]:
    """Return a venue in the middle of its life and its snapshot: positions, resting and waiting orders, a pocket."""
    rules = {axis: value for axis, value in PLAIN.items() if axis != "halts"}
    desk = EngineDesk([5_000, 5_000, 5_000, 90], markets=MARKETS, **rules, contract={"lots_max": 100})
    desk.do("SET_MODE", 1, 1, amount=1)
    desk.trade(0, 1, 10, 100)
    desk.trade(1, 2, 5, 100, market=1)
    for side, price in ((1, 95), (-1, 105)):
        desk.limit(2, side, 9, price, tag=1)
        desk.limit(1, side, 3, price, market=1, tag=2)
    desk.do("STOP", 0, side=-1, lots=10, trigger=90, tag=3, reduce_only=True)
    desk.do("TAKE_PROFIT", 2, 1, side=1, lots=5, trigger=80, tag=1)
    return desk, desk.engine.snapshot()


@st.composite
def hostile_rows(draw: st.DrawFn) -> list[int]:
    """Draw a command of which up to four fields may be anything."""
    price = draw(st.integers(90, 110))
    row = [
        draw(st.integers(0, ACCOUNTS - 1)),
        draw(st.integers(0, MARKETS - 1)),
        draw(st.sampled_from(list(Kind))),
        draw(st.sampled_from([1, -1])),
        draw(st.integers(1, 20)),
        price,
        price,
        draw(st.integers(0, 31)),
        draw(st.integers(0, 3)),
        draw(st.integers(-10, 100)),
        0,
    ]
    for column in draw(st.sets(st.integers(0, COMMAND_COLUMNS - 1), max_size=4)):
        row[column] = draw(HOSTILE)
    return row


def must_refuse(row: list[int]) -> bool:
    """Say whether a command is wrong in itself, whatever the state of the venue (R-O9)."""
    kind, order = row[C_KIND], row[C_KIND] in (Kind.LIMIT, Kind.MARKET, Kind.STOP, Kind.TAKE_PROFIT)
    return (
        not 0 <= row[C_ACCOUNT] < ACCOUNTS
        or kind not in list(Kind)
        or (kind not in (Kind.DEPOSIT, Kind.WITHDRAW) and not 0 <= row[C_MARKET] < MARKETS)
        or (order and row[C_SIDE] not in (1, -1))
        or ((order or kind == Kind.REPLACE) and not 1 <= row[C_LOTS] <= 100)
        or (kind == Kind.LIMIT and not 1 <= row[C_PRICE_TICKS] < 1_000)
        or (kind in (Kind.STOP, Kind.TAKE_PROFIT) and not 1 <= row[C_TRIGGER_TICKS] < 1_000)
        or (kind in (Kind.DEPOSIT, Kind.WITHDRAW) and not 1 <= row[C_AMOUNT] <= 2**53)
        or (kind == Kind.SET_MODE and row[C_AMOUNT] not in (0, 1))
        or bool(row[C_FLAGS] & FLAG_FORCED)
    )


@settings(max_examples=300)
@given(row=hostile_rows())
def test_what_is_wrong_is_refused_and_changes_nothing(row: list[int]) -> None:
    """R-O9: a refusal has a code and leaves every table as it was, but for the sequence number and the journal."""
    desk = busy_desk()
    before = desk.engine.snapshot()
    (answer,) = desk.engine.execute(np.array([row], dtype=np.int64)).tolist()
    if must_refuse(row):
        assert answer != Result.OK
    check_all(desk.t)
    if answer == Result.OK:
        return
    if row[C_KIND] == Kind.REPLACE and answer in MAY_LOSE_THE_OLD_ORDER:
        return  # R-O6: the old order is gone
    after = desk.engine.snapshot()
    assert after["venue"][V_SEQUENCE] == before["venue"][V_SEQUENCE] + 1
    for counter in (V_SEQUENCE, V_CAUSE, V_FORCING, V_CHAIN, V_EVENT_COUNT):
        after["venue"][counter] = before["venue"][counter]
    assert [name for name in before if name != "events" and (before[name] != after[name]).any()] == []


@settings(max_examples=60)
@given(rows=st.lists(hostile_rows(), max_size=30))
def test_a_step_of_hostile_commands_breaks_no_law(rows: list[list[int]]) -> None:
    """Laws I1 to I10 hold through a whole step of them (asserted by the venue), and each has an answer."""
    desk = busy_desk()
    commands = np.array(rows, dtype=np.int64).reshape(-1, COMMAND_COLUMNS)
    report = desk.engine.process(commands, np.array([100, 100]))
    assert len(report.results) == len(rows)
    assert set(report.results.tolist()) <= {int(result) for result in Result}
    desk.step(index=97)


@pytest.mark.parametrize("lots", [0, -1, -(2**62), 2**31, 2**62, 2**63 - 1])
def test_impossible_lots(lots: int) -> None:
    """R-O9: an order of zero or 2**62 lots is refused for its lots."""
    desk = EngineDesk([100])
    commands = batch(1, account=0, kind=Kind.LIMIT, side=1, lots=lots, price_ticks=100)
    assert desk.engine.process(commands, np.array([100])).results.tolist() == [Result.LOTS]


@pytest.mark.parametrize("kind", [Kind.LIMIT, Kind.MARKET, Kind.CANCEL, Kind.WITHDRAW])
@pytest.mark.parametrize("account", [0, ACCOUNTS])
def test_nobody_else_may_force(kind: Kind, account: int) -> None:
    """R-W4: a forced order from outside, in the name of a trader or of the fund, is refused for its flags."""
    desk = busy_desk()
    commands = batch(
        1, account=account, kind=kind, side=1, lots=1, price_ticks=999, amount=1, flags=FLAG_FORCED | FLAG_REDUCE_ONLY
    )
    assert desk.engine.process(commands, np.array([100, 100])).results.tolist() == [Result.FLAGS]


def test_the_fund_takes_no_commands() -> None:
    """R-O9: neither the fund's row nor what lies beyond it is an account."""
    desk = busy_desk()
    rows = batch(3, account=[ACCOUNTS, ACCOUNTS + 1, -1], kind=Kind.DEPOSIT, amount=1)
    assert desk.engine.process(rows, np.array([100, 100])).results.tolist() == [Result.ACCOUNT] * 3


SOUND = batch(2, account=0, kind=Kind.CANCEL_ALL)
NO_BATCH: list[Any] = [
    SOUND[0],
    SOUND[:, :-1],
    np.zeros((2, COMMAND_COLUMNS + 1), dtype=np.int64),
    SOUND[None],
    SOUND.astype(np.float64),
    SOUND.astype(np.int32),
    SOUND.astype(np.uint64),
    SOUND.astype(object),
    SOUND.tolist(),
    None,
]


@pytest.mark.parametrize("commands", NO_BATCH, ids=lambda value: f"{type(value).__name__}")
def test_what_is_no_batch_is_no_command(commands: Any) -> None:
    """Shape and type of a batch are checked before anything moves, and the message says what they should be."""
    desk = busy_desk()
    before = desk.engine.digest()
    with pytest.raises(ValueError, match=rf"commands must be an int64 array of shape \(n, {COMMAND_COLUMNS}\)"):
        desk.engine.process(commands, np.array([100, 100]))
    assert desk.engine.digest() == before


NO_INDEX: list[Any] = [
    np.array([100]),
    np.array([100, 100, 100]),
    np.array([[100, 100]]),
    np.array([100, 0]),
    np.array([-5, 100]),
    np.array([100.5, 100.0]),
    np.array([100.0, np.nan]),
    np.array([100, 2**62]),
    np.array([100, 2**32]),
    None,
]


@pytest.mark.parametrize("index", NO_INDEX, ids=str)
def test_what_is_no_index_is_refused(index: Any) -> None:
    """R-P1, R-P3: whole ticks, one per market, of which no mark, basis or premium can overflow."""
    desk = busy_desk()
    before = desk.engine.digest()
    with pytest.raises(ValueError, match=f"one whole price of 1 .. {PRICE_TICKS_LIMIT} ticks per market"):
        desk.engine.process(batch(0, account=0, kind=0), index)
    assert desk.engine.digest() == before


def test_a_batch_of_any_memory_layout_is_a_batch() -> None:
    """Columns may come from a transposed or sliced array: only values count."""
    rows = batch(4, account=[0, 1, 2, 3], kind=Kind.DEPOSIT, amount=[1, 2, 3, 4])
    digests = set()
    for commands in (rows, np.asfortranarray(rows), np.repeat(rows, 2, axis=0)[::2]):
        desk = busy_desk()
        desk.engine.process(commands, np.array([100, 100]))
        digests.add(desk.engine.digest())
    assert len(digests) == 1


def test_a_desk_is_busy() -> None:
    """What the hostile find is worth protecting: positions, a pocket, books on both sides, waiting orders."""
    desk = busy_desk()
    assert [desk.held(0)[0], desk.held(1)[0], desk.held(1, 1)[0], desk.pocket(1, 1)] == [10, -10, 5, 50]
    assert [len(desk.book(side, market)) for market in (0, 1) for side in (1, -1)] == [1, 1, 1, 1]
    assert [len(desk.seen["waiting", market]) for market in (0, 1)] == [1, 1]
    assert desk.step(command("LIMIT", 3, side=1, lots=10, price=100)) == ["MARGIN"]
