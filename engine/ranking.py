"""Who is deleveraged next: the holders of one side of a market, kept in order of rank while a stage goes on (R-W9).

A *seat* is one side of one market. The holders of a seat are gathered when its first position is deleveraged, as a heap
in the order (score descending, key ascending). A transfer changes the scores of the counterparty, in all markets its
units margin, and of the account it was paired with, where a pocket gives back what is left; these are scored anew at
once, so that the first of the heap is always whom a new ranking of everybody would put first. Positions only shrink in
the stage, so that nobody joins a seat later.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import formulas
from .allocation import PART_COLUMNS
from .chance import draw
from .contract import worth_atoms
from .kernel import kernel
from .ledger import balance_atoms
from .margin import health_atoms, unit_of
from .tables import (
    A_KEY,
    ENTRY_LEVERAGE,
    FLAG_TREATED,
    M_INDEX_TICKS,
    M_MARK_TICKS,
    NONE,
    P_COST_ATOMS,
    P_LOTS,
    PNL_MARGIN,
    QUEUE,
    U_FLAGS,
    V_ACCOUNTS,
    V_ADL_AT_TURN,
    V_ADL_BALANCE_ATOMS,
    V_ADL_FILTERS,
    V_ADL_RANK,
    V_ADL_SPREAD,
    V_MARKETS,
    V_STEP,
    Table,
    Tables,
)

pnl_margin = kernel(formulas.pnl_margin)
entry_leverage = kernel(formulas.entry_leverage)
profit_share = kernel(formulas.profit_share)
position_leverage = kernel(formulas.position_leverage)
rank_score = kernel(formulas.rank_score)

SEAT_FIRST, SEAT_COUNT = range(2)
USED = 0
HOLDING_COLUMNS = 9
GATHER_BLOCK = 256
LAST_OF_ALL = -np.inf  # score of who was passed over
NO_DRAW = 2**63 - 1


class Ranking(NamedTuple):
    """The seats of a stage; A traders, M markets."""

    seats: Table
    """(2 M, 2): first row in `holders` and number of holders, row = 2 * market, + 1 for shorts; NONE: not gathered."""
    holders: Table
    """(A * M + 1,): accounts; the rows of a seat are a heap, the first in rank in front. One row to spare."""
    scores: NDArray[np.float64]
    """(A * M + 1,): score of each row of `holders`."""
    places: Table
    """(A * M,): row in `holders` of each position, any number for one in no seat: `seat_of` tells."""
    counts: Table
    """(1,): rows of `holders` used."""
    weights: NDArray[np.float64]
    """(A * M + 1,): while a position is split, the weight of each row of `holders`."""
    parts: Table
    """(A * M + 1, PART_COLUMNS): while a position is split, cap, key and part of each row of `holders`."""
    dues: Table
    """(A * M,): lots each position in the seat of the turn has to give, if positions are split."""


def allocate(traders: int, markets: int) -> Ranking:
    """Return a ranking without any seat gathered; memory is only used as far as seats are."""
    rows = traders * markets
    return Ranking(
        seats=np.full((2 * markets if rows else 0, 2), NONE, dtype=np.int64),
        holders=np.empty(rows + 1, dtype=np.int64),
        scores=np.empty(rows + 1, dtype=np.float64),
        places=np.empty(rows, dtype=np.int64),
        counts=np.zeros(1, dtype=np.int64),
        weights=np.empty(rows + 1, dtype=np.float64),
        parts=np.empty((rows + 1, PART_COLUMNS), dtype=np.int64),
        dues=np.empty(rows, dtype=np.int64),
    )


@kernel
def seat_against(market: int, lots: int) -> int:
    """Return the seat of those who hold the opposite of `lots`."""
    return 2 * market + (1 if lots > 0 else 0)


@kernel
def holding(t: Tables, account: int, market: int) -> tuple[int, int, int, int, int, int, int, int, int]:
    """Return what `Holders` says of a position: lots, cost, value, profit; balance, equity, maintenance; key, draw."""
    row = account * t.venue[V_MARKETS] + market
    unit = unit_of(t, account, market)
    lots = t.positions[row, P_LOTS]
    cost = t.positions[row, P_COST_ATOMS]
    worth = worth_atoms(t, market, lots, t.markets[market, M_MARK_TICKS])
    equity, maintenance = health_atoms(t, unit)
    key = t.accounts[account, A_KEY]
    drawn = draw_of(t, account, market)
    return lots, cost, abs(worth), worth - cost, balance_atoms(t, unit), equity, maintenance, key, drawn


@kernel
def draw_of(t: Tables, account: int, market: int) -> int:
    """Return the draw of an account for this step and market, NO_DRAW for the fund (R-W82)."""
    if account == t.venue[V_ACCOUNTS]:
        return NO_DRAW
    return draw(t.venue[V_STEP], market, t.markets[market, M_INDEX_TICKS], t.accounts[account, A_KEY])


@kernel
def describe_rows(t: Tables, market: int, holders: Table, first: int, columns: Table) -> None:
    """Write the holding of each account in the rows of `holders` from `first` on into `columns` (n, 9)."""
    for i in range(columns.shape[0]):
        values = holding(t, holders[first + i], market)
        for column in range(HOLDING_COLUMNS):
            columns[i, column] = values[column]


@kernel
def score_of(t: Tables, account: int, market: int) -> float:
    """Return the score of a position by one of the venue's own ranks, but `random_start` (R-W9, R-W80)."""
    row = account * t.venue[V_MARKETS] + market
    unit = unit_of(t, account, market)
    lots, cost = t.positions[row, P_LOTS], t.positions[row, P_COST_ATOMS]
    worth = worth_atoms(t, market, lots, t.markets[market, M_MARK_TICKS])
    value = abs(worth)
    equity, maintenance = health_atoms(t, unit)
    rank = t.venue[V_ADL_RANK]
    assert lots != 0
    if rank == PNL_MARGIN:
        return pnl_margin(worth - cost, balance_atoms(t, unit), equity, maintenance, t.venue[V_ADL_BALANCE_ATOMS])
    if rank == ENTRY_LEVERAGE:
        return entry_leverage(cost, value, equity)
    gain, leverage = profit_share(worth - cost, cost), position_leverage(value, equity)
    return rank_score(rank, gain, leverage, lots, value, worth - cost, equity)


@kernel
def gather(t: Tables, ranking: Ranking, seat: int) -> None:
    """Put all holders of a seat whose units are not under treatment into the ranking; scored unless done at a turn."""
    traders = t.venue[V_ACCOUNTS]
    first = ranking.counts[USED]
    row = first
    # Block by block, so that what the first look at a position has loaded is still near at the second.
    for block in range(0, traders, GATHER_BLOCK):
        row = _gather_block(t, ranking, seat, block, min(traders, block + GATHER_BLOCK), row)
    assert row < ranking.holders.shape[0], "a position is in one seat at most"
    ranking.seats[seat, SEAT_FIRST] = first
    ranking.seats[seat, SEAT_COUNT] = row - first
    ranking.counts[USED] = row
    if not t.venue[V_ADL_AT_TURN]:
        heapify(t, ranking, seat)


@kernel
def _gather_block(t: Tables, ranking: Ranking, seat: int, begin: int, end: int, row: int) -> int:
    """Put the holders among the accounts `begin` .. `end - 1` into the rows from `row` on; return the row behind."""
    market, side = seat // 2, 1 - 2 * (seat % 2)
    markets, later = t.venue[V_MARKETS], t.venue[V_ADL_AT_TURN]
    found = row
    for account in range(begin, end):
        # Written for everybody and kept for holders only: a branch here would be a guess half of which is wrong.
        ranking.holders[found] = account
        found += 1 if t.positions[account * markets + market, P_LOTS] * side > 0 else 0
    for candidate in range(row, found):
        account = ranking.holders[candidate]
        if t.units[unit_of(t, account, market), U_FLAGS] & FLAG_TREATED:
            continue
        ranking.holders[row] = account
        position = account * markets + market
        ranking.places[position] = row
        ranking.scores[row] = 0.0 if later else score_of(t, account, market)
        row += 1
    return row


@kernel
def heapify(t: Tables, ranking: Ranking, seat: int) -> None:
    """Put a seat whose scores are all new in order."""
    assert ranking.seats[seat, SEAT_FIRST] != NONE, "a seat is gathered before it is put in order"
    for slot in range(ranking.seats[seat, SEAT_COUNT] // 2 - 1, -1, -1):
        _sink(t, ranking, seat, slot)


@kernel
def renew(t: Tables, ranking: Ranking, seat: int, row: int, score: float) -> None:
    """Give a row of a seat another score and its new place."""
    slot = row - ranking.seats[seat, SEAT_FIRST]
    assert 0 <= slot < ranking.seats[seat, SEAT_COUNT]
    ranking.scores[row] = score
    _sink(t, ranking, seat, _rise(t, ranking, seat, slot))


@kernel
def has_next(t: Tables, ranking: Ranking, seat: int) -> bool:
    """Say whether a seat has a first that was not passed over, and lots to give if positions are split."""
    if ranking.seats[seat, SEAT_COUNT] == 0:
        return False
    score = ranking.scores[ranking.seats[seat, SEAT_FIRST]]
    if t.venue[V_ADL_SPREAD] != QUEUE:
        return score > 0.0
    return t.venue[V_ADL_FILTERS] == 0 or score > LAST_OF_ALL


@kernel
def pass_over(t: Tables, ranking: Ranking, seat: int) -> None:
    """Put the first of a seat behind everybody until the position is done (R-W56)."""
    assert has_next(t, ranking, seat)
    ranking.scores[ranking.seats[seat, SEAT_FIRST]] = LAST_OF_ALL
    _sink(t, ranking, seat, 0)


@kernel
def take_back(t: Tables, ranking: Ranking, seat: int) -> None:
    """Give those passed over their scores again, unless all are given anew at the next position's turn."""
    first = ranking.seats[seat, SEAT_FIRST]
    if first == NONE or t.venue[V_ADL_AT_TURN]:
        return
    changed = False
    for row in range(first, first + ranking.seats[seat, SEAT_COUNT]):
        if ranking.scores[row] == LAST_OF_ALL:
            ranking.scores[row] = score_of(t, ranking.holders[row], seat // 2)
            changed = True
    if changed:
        heapify(t, ranking, seat)


@kernel
def seat_of(t: Tables, ranking: Ranking, account: int, market: int) -> int:
    """Return the seat of a market in which an account is ranked, NONE if it is in neither."""
    row = ranking.places[account * t.venue[V_MARKETS] + market]
    for seat in range(2 * market, 2 * market + 2):
        first, count = ranking.seats[seat, SEAT_FIRST], ranking.seats[seat, SEAT_COUNT]
        if first != NONE and first <= row < first + count:  # `row` may be any number: a place nobody wrote
            return seat if ranking.holders[row] == account else NONE
    return NONE


@kernel
def rescore(t: Tables, ranking: Ranking, account: int) -> None:
    """Renew the scores of an account whose lots or money changed; what it no longer holds leaves its seat.

    Scores that are given at a position's turn are left: all of a seat are given anew at the next one.
    """
    if account == t.venue[V_ACCOUNTS]:
        return  # the fund is no seat's holder: it comes last without a score
    for market in range(t.venue[V_MARKETS]):
        position = account * t.venue[V_MARKETS] + market
        row = ranking.places[position]
        seat = seat_of(t, ranking, account, market)
        if seat == NONE:
            continue
        if t.positions[position, P_LOTS] == 0:
            _remove(t, ranking, seat, row)
        elif not t.venue[V_ADL_AT_TURN]:
            renew(t, ranking, seat, row, score_of(t, account, market))


@kernel
def _remove(t: Tables, ranking: Ranking, seat: int, row: int) -> None:
    """Take a row out of its seat; the seat's last row takes its place."""
    last = ranking.seats[seat, SEAT_FIRST] + ranking.seats[seat, SEAT_COUNT] - 1
    assert ranking.places[ranking.holders[row] * t.venue[V_MARKETS] + seat // 2] == row <= last
    ranking.seats[seat, SEAT_COUNT] -= 1
    if row != last:
        _put(t, ranking, seat, row, ranking.holders[last], ranking.scores[last])
        renew(t, ranking, seat, row, ranking.scores[row])


@kernel
def _precedes(t: Tables, ranking: Ranking, row: int, account: int, score: float) -> bool:
    """Say whether a row comes before an account with a score: the higher score, then the lower key."""
    if ranking.scores[row] != score:
        return ranking.scores[row] > score
    return t.accounts[ranking.holders[row], A_KEY] < t.accounts[account, A_KEY]


@kernel
def _put(t: Tables, ranking: Ranking, seat: int, row: int, account: int, score: float) -> None:
    """Write a holder into a row of a seat and note its place."""
    ranking.holders[row] = account
    ranking.scores[row] = score
    position = account * t.venue[V_MARKETS] + seat // 2
    ranking.places[position] = row


@kernel
def _rise(t: Tables, ranking: Ranking, seat: int, slot: int) -> int:
    """Let a slot of a seat change places with those above it as long as it comes before them; return where it ends."""
    first = ranking.seats[seat, SEAT_FIRST]
    account, score = ranking.holders[first + slot], ranking.scores[first + slot]
    while slot > 0:
        above = (slot - 1) // 2
        if _precedes(t, ranking, first + above, account, score):
            break
        _put(t, ranking, seat, first + slot, ranking.holders[first + above], ranking.scores[first + above])
        slot = above
    _put(t, ranking, seat, first + slot, account, score)
    return slot


@kernel
def _sink(t: Tables, ranking: Ranking, seat: int, slot: int) -> None:
    """Let a slot of a seat change places with the better of those below it as long as that comes before it."""
    first, count = ranking.seats[seat, SEAT_FIRST], ranking.seats[seat, SEAT_COUNT]
    account, score = ranking.holders[first + slot], ranking.scores[first + slot]
    while 2 * slot + 1 < count:
        below = first + 2 * slot + 1
        if 2 * slot + 2 < count and _precedes(t, ranking, below + 1, ranking.holders[below], ranking.scores[below]):
            below += 1
        if not _precedes(t, ranking, below, account, score):
            break
        _put(t, ranking, seat, first + slot, ranking.holders[below], ranking.scores[below])
        slot = below - first
    _put(t, ranking, seat, first + slot, account, score)
