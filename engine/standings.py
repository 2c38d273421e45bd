"""Who would be deleveraged next, as a venue shows it to its traders (R-W85). Nothing in the engine depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import ranking as ranks
from .deleverage import ask_rule
from .formulas import light_percent
from .tables import A_KEY, NONE, P_LOTS, V_ACCOUNTS, V_ADL_AT_TURN, V_ADL_RANK
from .turns import score_seat

if TYPE_CHECKING:
    from .venue import Venue


class Standing(NamedTuple):
    """Where a holder of one side of a market stands."""

    account: int
    lots: int
    """Signed."""
    score: float
    """Of the venue's rank; where positions are split over everybody it is the weight."""
    light_percent: int
    """20 (deleveraged first) to 100."""


def standings(venue: Venue, market: int, side: int) -> list[Standing]:
    """Return the holders of a side (1 long, -1 short) of a market in the order in which they would be deleveraged now.

    Score descending, ties by key; who is under treatment is left out. Nothing is modified.
    """
    assert side in (1, -1)
    t = venue.tables
    seat = ranks.seat_against(market, -side)
    ranking = ranks.allocate(int(t.venue[V_ACCOUNTS]), len(venue.markets))
    ranks.gather(t, ranking, seat)
    if t.venue[V_ADL_RANK] == NONE:
        ask_rule(venue, ranking, seat)
    elif t.venue[V_ADL_AT_TURN]:
        score_seat(t, ranking, seat)
    first, count = ranking.seats[seat].tolist()
    holders, scores = ranking.holders[first : first + count], ranking.scores[first : first + count]
    order = np.lexsort((t.accounts[holders, A_KEY], -scores))
    lots = t.positions[holders[order] * len(venue.markets) + market, P_LOTS]
    lights = light_percent(np.cumsum(np.abs(lots)), max(1, int(np.abs(lots).sum())))
    columns = (holders[order].tolist(), lots.tolist(), scores[order].tolist(), lights.tolist())
    return [Standing(*row) for row in zip(*columns, strict=True)]
