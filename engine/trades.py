"""Which trades a mark looks at, step by step (R-P8)."""

from __future__ import annotations

from .kernel import kernel
from .tables import (
    H_LOTS,
    H_VALUE_TICKS,
    M_COUNTED_STEP,
    M_COUNTED_TICKS,
    V_HISTORY_ROWS,
    V_STEP,
    Tables,
)

NO_TRADES, ALL_TRADES, FREE_TRADES = range(3)  # values of V_NOTE_TRADES


@kernel
def note_trade(t: Tables, market: int, lots: int, price_ticks: int) -> None:
    """Remember a trade that counts for the mark: its price, and its lots among those of the step."""
    t.markets[market, M_COUNTED_TICKS] = price_ticks
    t.markets[market, M_COUNTED_STEP] = t.venue[V_STEP]
    rows = t.venue[V_HISTORY_ROWS]
    if rows > 0:
        row = t.venue[V_STEP] % rows
        t.history[market, row, H_LOTS] += lots
        t.history[market, row, H_VALUE_TICKS] += lots * price_ticks
        assert t.history[market, row, H_VALUE_TICKS] > 0, "lots times price of a step fit into 64 bits"
