"""What kernels need of the matching rule, in columns of `venue`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .rules.allocation import ProRata, Split, TopProRata
from .rules.ruleset import RuleSet
from .tables import (
    AUCTION_TIES,
    LEAD_MAKERS_MAX,
    NONE,
    V_ALLOCATION,
    V_AUCTION_MARGIN,
    V_AUCTION_PERSISTENT,
    V_AUCTION_TIE,
    V_AUCTIONS,
    V_BOARD_LOTS,
    V_FIFO_PPM,
    V_LEAD_PPM,
    V_LEVELLING,
    V_SHARE_MINIMUM,
    V_SHARE_NEAREST,
    V_TOP_MAX,
    V_TOP_MIN,
)

MATCHING_SWITCHES = [
    V_AUCTION_TIE, V_AUCTION_MARGIN, V_AUCTION_PERSISTENT, V_ALLOCATION, V_TOP_MIN, V_TOP_MAX, V_LEAD_PPM, V_FIFO_PPM,
    V_SHARE_MINIMUM, V_BOARD_LOTS, V_SHARE_NEAREST, V_LEVELLING,
]  # fmt: skip


def holds_auctions(rules: RuleSet) -> bool:
    """Say whether a market of the venue may ever be in auction, so that bids need a ladder of their own (R-H1)."""
    return rules.matching.auction is not None or rules.matching.batch is not None or rules.halts.holds_auctions


def lead_keys(rules: RuleSet) -> list[int]:
    """Return the keys of the lead market makers, LEAD_MAKERS_MAX of them, NONE beyond the last (R-O23)."""
    allocation = rules.matching.allocation
    keys = allocation.lead_keys if isinstance(allocation, Split) else ()
    assert len(keys) <= LEAD_MAKERS_MAX
    return [*keys, *[NONE] * (LEAD_MAKERS_MAX - len(keys))]


def fill_matching(venue: NDArray[np.int64], rules: RuleSet) -> None:
    """Copy the numbers of auctions and of the allocation; modifies `venue` (VENUE_COLUMNS,)."""
    matching = rules.matching
    venue[V_AUCTIONS] = int(holds_auctions(rules))
    if matching.auction is not None:
        venue[V_AUCTION_TIE] = AUCTION_TIES.index(matching.auction.tie)
        venue[V_AUCTION_MARGIN] = int(matching.auction.margin == "indicative")
        venue[V_AUCTION_PERSISTENT] = int(matching.auction.persistent_only)
    allocation = matching.allocation
    venue[V_ALLOCATION] = int(allocation is not None)
    venue[V_TOP_MAX] = NONE
    venue[V_BOARD_LOTS] = 1
    if isinstance(allocation, ProRata):
        venue[V_BOARD_LOTS] = allocation.board_lots
        venue[V_SHARE_NEAREST] = int(allocation.rounding == "nearest")
    if isinstance(allocation, ProRata | TopProRata | Split):
        venue[V_SHARE_MINIMUM] = allocation.minimum_lots
    if isinstance(allocation, TopProRata | Split) and allocation.top is not None:
        venue[V_TOP_MIN] = allocation.top.minimum_lots
        venue[V_TOP_MAX] = allocation.top.maximum_lots
    if isinstance(allocation, Split):
        venue[V_LEAD_PPM] = allocation.lead_ppm
        venue[V_FIFO_PPM] = allocation.fifo_ppm
        venue[V_LEVELLING] = int(allocation.levelling)
