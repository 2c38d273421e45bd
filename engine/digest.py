"""A hash of everything that decides what a venue does next: two states with one digest have one future.

That holds under the same rules and the same input. What is left out, and why:

- numbers fixed when the venue opens: the tables `tiers`, `leads`, `assets`, `haircuts`, and the columns of `markets`
  and `venue` that hold rules. So two rule sets that remember the same and never made a difference have one digest.
- what follows from what is hashed: `occupied`; in `triggers` the heads of waiting orders; in `markets` the collar, the
  open interest and the sum of costs.
- look-outs, which say when somebody has to be looked at and never what is found: the rest of `triggers`,
  `index_looks`, the links in `positions` and `holdings`; and `listed`, the units with a flag, in any order.
- scratch that is empty between steps: `shares`, `triggered`, `owing`, and what `venue` knows of the order and the round
  under way.
- what a liquidation engine may do in a step, while nothing impairs it (R-W61), and a supply that is not known.
- counters that nothing is decided by (fills, volumes, margin calls sent), and the journal: `events` and its hash.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .asset_columns import H_ATOMS
from .tables import (
    M_AUCTION,
    M_COLLAR_LOW,
    M_COUNTED_TICKS,
    M_FINAL_REST_ATOMS,
    M_FINAL_SUM_TICKS,
    M_FORCED_CAUSE,
    M_FORCED_STEP,
    M_HALT,
    M_INDEX_SUM_TICKS,
    M_MARK_SEEN_TICKS,
    M_MOVING,
    M_OWED_SCALE,
    M_REFERENCE_SINCE,
    M_SCHEDULE,
    M_SUPPLY_LOTS,
    M_TOP_ASK,
    M_WAIT_MARK_TICKS,
    M_WINDOW_LOTS,
    M_WINDOW_STEP,
    MODEL,
    NONE,
    O_NEXT,
    ORDER_COLUMNS,
    P_LOOK_NEXT,
    V_CARRIED_ATOMS,
    V_DUE_UNITS_MAX,
    V_DUE_VALUE_MAX_ATOMS,
    V_EVENT_COUNT,
    V_FEES_SEEN_ATOMS,
    V_FRESH_ORDER,
    V_GATE_UNTIL,
    V_LIQUIDATIONS,
    V_TOUCHED_COUNT,
    Tables,
)

ROWS_AT_ONCE = 65_536  # of a table while it is hashed
# Tables hashed whole; of `orders`, `positions`, `markets`, `venue`, `touched` and `holdings` a part.
WHOLE = ("units", "accounts", "levels", "history", "sources", "lasts", "windows", "sessions", "peaks")
MARKET_STATE = [
    *range(M_COLLAR_LOW),
    M_FORCED_CAUSE, M_FORCED_STEP, M_MARK_SEEN_TICKS, M_WAIT_MARK_TICKS,
    *range(M_FINAL_SUM_TICKS, M_FINAL_REST_ATOMS + 1),
    *M_MOVING,
    *range(M_COUNTED_TICKS, M_INDEX_SUM_TICKS + 1),
    M_WINDOW_LOTS, M_WINDOW_STEP,
    *range(M_AUCTION, M_TOP_ASK + 1),
    *range(M_HALT, M_REFERENCE_SINCE + 1),
]  # fmt: skip
VENUE_STATE = [
    *range(V_EVENT_COUNT), V_LIQUIDATIONS, V_TOUCHED_COUNT, V_CARRIED_ATOMS, V_FEES_SEEN_ATOMS, V_GATE_UNTIL,
]  # fmt: skip


def digest(t: Tables) -> str:
    """Return a SHA-256 over all state between two steps.

    The free list of orders is hashed as if every row had been linked when the venue opened.
    """
    state = hashlib.sha256()
    for name in WHOLE:
        state.update(getattr(t, name).data)
    fresh = t.venue.item(V_FRESH_ORDER)
    state.update(t.orders[:fresh].data)
    _hash_fresh_orders(state, fresh, len(t.orders))
    _hash_columns(state, t.positions[:, :P_LOOK_NEXT])
    state.update(t.markets[:, MARKET_STATE].tobytes())
    # With other schedules the cell holds a number of the rules.
    owed_scale = np.where(t.markets[:, M_SCHEDULE] == MODEL, t.markets[:, M_OWED_SCALE], 0)
    state.update(owed_scale.tobytes())
    state.update(t.venue[VENUE_STATE].tobytes())
    state.update(t.touched[: t.venue.item(V_TOUCHED_COUNT)].data)  # in their order: so they are looked at
    if t.markets[:, M_SUPPLY_LOTS].any():
        state.update(t.markets[:, M_SUPPLY_LOTS].tobytes())
    limits = t.venue[[V_DUE_UNITS_MAX, V_DUE_VALUE_MAX_ATOMS]]
    if (limits != NONE).any():
        state.update(limits.tobytes())
    if t.holdings.size:
        state.update(t.holdings[:, :, H_ATOMS].tobytes())
    return state.hexdigest()


def _hash_columns(state: Any, rows: NDArray[np.int64]) -> None:
    """Add columns of a table to a hash, some rows at a time, so that nothing large is copied."""
    for first in range(0, len(rows), ROWS_AT_ONCE):
        state.update(rows[first : first + ROWS_AT_ONCE].tobytes())


def _hash_fresh_orders(state: Any, first: int, last: int) -> None:
    """Add rows `first` .. `last` - 1 of `orders`, never used, to a hash: zeros, but each links to the next."""
    assert 0 <= first <= last
    for start in range(first, last, ROWS_AT_ONCE):
        rows = np.zeros((min(ROWS_AT_ONCE, last - start), ORDER_COLUMNS), dtype=np.int64)
        rows[:, O_NEXT] = np.arange(start + 1, start + 1 + len(rows))
        if start + len(rows) == last:
            rows[-1, O_NEXT] = NONE
        state.update(rows.data)
