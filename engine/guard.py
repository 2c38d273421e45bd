"""Whether an index is too far from its own average for anybody to be liquidated by it (R-P12)."""

from __future__ import annotations

from .kernel import kernel
from .tables import M_INDEX_MEAN_MICROTICKS, M_INDEX_TICKS, V_GUARD_PPM, Tables
from .units import PPM


@kernel
def is_guarded(t: Tables, market: int) -> bool:
    """Say whether the index of a market is at least V_GUARD_PPM away from its average; never without a guard."""
    limit = t.venue[V_GUARD_PPM]
    mean = t.markets[market, M_INDEX_MEAN_MICROTICKS]
    gap = abs(t.markets[market, M_INDEX_TICKS] * PPM - mean)
    assert 0 <= limit <= PPM and gap < 2**42
    return limit > 0 and gap >= mean // PPM * limit + mean % PPM * limit // PPM
