"""What kernels need of the matching rule, in columns of `venue`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .rules.ruleset import RuleSet
from .tables import AUCTION_TIES, V_AUCTION_MARGIN, V_AUCTION_TIE, V_AUCTIONS

MATCHING_SWITCHES = [V_AUCTION_TIE, V_AUCTION_MARGIN]


def holds_auctions(rules: RuleSet) -> bool:
    """Say whether a market of the venue may ever be in auction, so that bids need a ladder of their own (R-H1)."""
    return rules.matching.auction is not None or rules.matching.batch is not None or rules.halts.holds_auctions


def fill_matching(venue: NDArray[np.int64], rules: RuleSet) -> None:
    """Copy the numbers of auctions; modifies `venue` (VENUE_COLUMNS,)."""
    matching = rules.matching
    venue[V_AUCTIONS] = int(holds_auctions(rules))
    if matching.auction is not None:
        venue[V_AUCTION_TIE] = AUCTION_TIES.index(matching.auction.tie)
        venue[V_AUCTION_MARGIN] = int(matching.auction.margin == "indicative")
