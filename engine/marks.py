"""The mark of every market and the collar around it, by the venue's own rules (R-P2, R-P3, R-O8)."""

from __future__ import annotations

from . import formulas
from .book import best_ask_ticks
from .events import Event, has_room, record
from .formulas import INDEX_FUNDING
from .kernel import kernel
from .tables import (
    M_BASIS_MICROTICKS,
    M_BEST_BID,
    M_COLLAR_HIGH,
    M_COLLAR_LOW,
    M_FUNDING_PPB,
    M_INDEX_TICKS,
    M_LAST_TICKS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    NONE,
    V_COLLAR_PPM,
    V_FUNDING_STEPS,
    V_JOURNAL,
    V_MARK_FIRST,
    V_MARK_SECOND,
    V_MARK_THIRD,
    V_MARKETS,
    V_STEP,
    Tables,
)

MARK = int(Event.MARK)

median_of_three = kernel(formulas.median_of_three)
mark_component_ticks = kernel(formulas.mark_component_ticks)
index_funding_ticks = kernel(formulas.index_funding_ticks)
collar_ticks = kernel(formulas.collar_ticks)


@kernel
def renew_marks(t: Tables, market: int) -> int:
    """Take the marks from `market` on from their components; return the next market, below M if events are full."""
    venue, markets = t.venue, t.markets
    while market < venue[V_MARKETS]:
        if venue[V_JOURNAL] and not has_room(t):
            return market
        price_max = markets[market, M_PRICE_MAX_TICKS]
        mark = median_of_three(
            _component(t, market, venue[V_MARK_FIRST]),
            _component(t, market, venue[V_MARK_SECOND]),
            _component(t, market, venue[V_MARK_THIRD]),
        )
        mark = max(1, min(price_max - 1, mark))
        low, high = collar_ticks(mark, venue[V_COLLAR_PPM], price_max)
        assert 1 <= low <= mark <= high < price_max
        markets[market, M_MARK_TICKS] = mark
        markets[market, M_COLLAR_LOW] = low
        markets[market, M_COLLAR_HIGH] = high
        if venue[V_JOURNAL]:
            record(t, MARK, market, NONE, NONE, 0, mark, markets[market, M_INDEX_TICKS], 0, 0)
        market += 1
    return market


@kernel
def _component(t: Tables, market: int, code: int) -> int:
    """Return one price component of a market."""
    markets, venue = t.markets, t.venue
    if code == INDEX_FUNDING:
        interval = venue[V_FUNDING_STEPS]
        if interval == 0:
            return markets[market, M_INDEX_TICKS]
        left = interval - venue[V_STEP] % interval
        return index_funding_ticks(markets[market, M_INDEX_TICKS], markets[market, M_FUNDING_PPB], left, interval)
    return mark_component_ticks(
        code,
        markets[market, M_LAST_TICKS],
        markets[market, M_BEST_BID],
        best_ask_ticks(t, market),
        markets[market, M_INDEX_TICKS],
        markets[market, M_BASIS_MICROTICKS],
    )
