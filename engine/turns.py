"""What is worked out for a whole seat when a position's turn comes: a drawn start, or the part of each holder.

Ranks that look at one holder at a time are kept in order all through a stage (ranking.py). These here depend on
everybody in the seat, or on the lots that are to be closed (R-W82 to R-W84).
"""

from __future__ import annotations

from .adl_terms import may_be_counterparty
from .allocation import PART_CAP, PART_DUE, PART_KEY, split
from .kernel import kernel
from .ranking import SEAT_COUNT, SEAT_FIRST, Ranking, draw_of, heapify, renew, score_of
from .tables import (
    A_KEY,
    FAIREST,
    P_LOTS,
    QUEUE,
    RANDOM_START,
    V_ACCOUNTS,
    V_ADL_RANK,
    V_ADL_SPREAD,
    V_MARKETS,
    Tables,
)


@kernel
def score_seat(t: Tables, ranking: Ranking, seat: int) -> None:
    """Score all holders of a seat as they are now, by one of the venue's own ranks."""
    first, count = ranking.seats[seat, SEAT_FIRST], ranking.seats[seat, SEAT_COUNT]
    if t.venue[V_ADL_RANK] == RANDOM_START:
        start = _start_key(t, ranking, seat)
        for row in range(first, first + count):
            ranking.scores[row] = 1.0 if t.accounts[ranking.holders[row], A_KEY] >= start else 0.0
        return
    for row in range(first, first + count):
        ranking.scores[row] = score_of(t, ranking.holders[row], seat // 2)


@kernel
def _start_key(t: Tables, ranking: Ranking, seat: int) -> int:
    """Return the key of the holder with the smallest draw, of the lowest key if several have it (R-W82)."""
    first, count = ranking.seats[seat, SEAT_FIRST], ranking.seats[seat, SEAT_COUNT]
    assert count > 0
    start = t.accounts[ranking.holders[first], A_KEY]
    least = draw_of(t, ranking.holders[first], seat // 2)
    for row in range(first + 1, first + count):
        key, drawn = t.accounts[ranking.holders[row], A_KEY], draw_of(t, ranking.holders[row], seat // 2)
        if drawn < least or (drawn == least and key < start):
            start, least = key, drawn
    return start


@kernel
def order_seat(t: Tables, ranking: Ranking, seat: int, lots: int, price_ticks: int) -> None:
    """Put a seat in order by its scores; where positions are split, say first how many of `lots` each holder gives.

    Then the scores become those parts, so that the largest part goes first.
    """
    if t.venue[V_ADL_SPREAD] != QUEUE:
        _divide(t, ranking, seat, lots, price_ticks)
    heapify(t, ranking, seat)


@kernel
def _divide(t: Tables, ranking: Ranking, seat: int, lots: int, price_ticks: int) -> None:
    """Split `lots` over the holders of a seat who may be deleveraged, their scores being weights (R-W83, R-W84).

    What those with a weight cannot take is split over the others in proportion to their lots.
    """
    first, count = ranking.seats[seat, SEAT_FIRST], ranking.seats[seat, SEAT_COUNT]
    market, markets = seat // 2, t.venue[V_MARKETS]
    for row in range(first, first + count):
        account = ranking.holders[row]
        fits = may_be_counterparty(t, account, market, price_ticks)
        ranking.weights[row] = ranking.scores[row] if fits else 0.0
        ranking.parts[row, PART_CAP] = abs(t.positions[account * markets + market, P_LOTS]) if fits else 0
        ranking.parts[row, PART_KEY] = t.accounts[account, A_KEY]
        ranking.parts[row, PART_DUE] = 0
    fair = t.venue[V_ADL_SPREAD] == FAIREST
    left = split(ranking.weights, ranking.parts, first, count, lots, fair)
    if left > 0:
        for row in range(first, first + count):
            ranking.weights[row] = 1.0 * ranking.parts[row, PART_CAP]
        left = split(ranking.weights, ranking.parts, first, count, left, fair)
    total = 0
    for row in range(first, first + count):
        due = ranking.parts[row, PART_DUE]
        assert 0 <= due <= ranking.parts[row, PART_CAP]
        ranking.dues[ranking.holders[row] * markets + market] = due
        ranking.scores[row] = 1.0 * due
        total += due
    assert total + left == lots, "a position is split to the last lot, or takes all there is"


@kernel
def due_lots(t: Tables, ranking: Ranking, account: int, market: int) -> int:
    """Return how many lots a counterparty gives at most: its part if positions are split, else all it has."""
    position = account * t.venue[V_MARKETS] + market
    if t.venue[V_ADL_SPREAD] != QUEUE and account != t.venue[V_ACCOUNTS]:
        return ranking.dues[position]
    return abs(t.positions[position, P_LOTS])


@kernel
def settle_due(t: Tables, ranking: Ranking, seat: int, account: int) -> None:
    """Put a counterparty that has given its part behind all others of the seat."""
    if t.venue[V_ADL_SPREAD] != QUEUE and account != t.venue[V_ACCOUNTS]:
        assert ranking.holders[ranking.seats[seat, SEAT_FIRST]] == account, "the first of a seat gives"
        renew(t, ranking, seat, ranking.seats[seat, SEAT_FIRST], 0.0)
