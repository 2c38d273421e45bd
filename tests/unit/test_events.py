"""The chain over all events: nobody can alter a row and keep the hash."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from delever.engine.events import E_CHAIN, E_KIND, E_SEQUENCE, EVENT_COLUMNS, Event, chained
from delever.engine.tables import V_CHAIN

from .desk import command
from .engine_desk import EngineDesk

Rows = NDArray[np.int64]
RICH = 100_000


@functools.cache
def journal() -> tuple[Rows, int]:
    """Return the journal of a small life with fills, a liquidation and a takeover, and the venue's last hash."""
    rule = {"stage": "takeover_only", "leftover": "backstop"}
    desk = EngineDesk([0, 0, 0], backstops=[2], liquidation=rule)
    pieces = [desk.side.events]
    life: list[tuple[int, list[dict[str, Any]]]] = [
        (100, [command("DEPOSIT", account, amount=amount) for account, amount in enumerate((100, RICH, 5_000))]),
        (100, [command("LIMIT", account, side=side, lots=10, price=100) for account, side in ((0, 1), (1, -1))]),
        (100, [command("LIMIT", 1, side=-1, lots=3, price=120), command("CANCEL_ALL", 1)]),
        (94, []),
        (94, [command("LIMIT", 1, side=-1, lots=0, price=120)]),
    ]
    for index, commands in life:
        desk.step(*commands, index=index)
        pieces.append(desk.side.events)
    return np.concatenate(pieces), int(desk.t.venue[V_CHAIN])


def rechained(rows: Rows) -> list[int]:
    """Return the hash after each row, from the first row of a venue on."""
    chain, hashes = np.int64(0), []
    for row in rows:
        for value in row[:E_CHAIN]:
            chain = np.int64(chained(chain, value))
        hashes.append(int(chain))
    return hashes


def test_the_journal_tells_of_everything() -> None:
    """The kinds a small life must leave behind, in order of sequence number (law I9, R-O12)."""
    rows, _ = journal()
    wanted = {Event.COMMAND, Event.FILL, Event.POST, Event.LIQUIDATION, Event.BANKRUPTCY, Event.TAKEOVER}
    assert wanted | {Event.MARK, Event.CANCEL, Event.CURED} <= set(rows[:, E_KIND].tolist())
    assert (np.diff(rows[:, E_SEQUENCE]) >= 0).all()
    assert rows.shape[1] == EVENT_COLUMNS


def test_the_chain_can_be_recomputed_from_the_rows() -> None:
    """Each row carries the hash of itself and all before it, across steps and emptied buffers."""
    rows, last = journal()
    assert rows[:, E_CHAIN].tolist() == rechained(rows)
    assert rows[-1, E_CHAIN] == last


@given(data=st.data())
def test_any_altered_cell_alters_all_later_hashes(data: st.DataObject) -> None:
    """One bit anywhere is enough, and no later row hides it."""
    rows, _ = journal()
    before = rechained(rows)
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, E_CHAIN - 1))
    bits = data.draw(st.integers(-(2**63), 2**63 - 1).filter(bool))
    altered = rows.copy()
    altered[place, column] ^= bits
    after = rechained(altered)
    assert after[:place] == before[:place]
    assert all(new != old for new, old in zip(after[place:], before[place:], strict=True))
