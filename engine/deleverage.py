"""Auto-deleveraging: pairing ranked counterparties with a bankrupt position (R-W9, R-W10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import ranking as ranks
from .adl_terms import KEEP, PRICE, may_be_counterparty, may_deleverage, take_terms
from .book import cancel_all
from .events import Event, has_room
from .funds import fund_at, fund_count
from .kernel import kernel
from .margin import owner_of
from .positions import release_flat_pocket
from .ranking import (
    HOLDING_COLUMNS,
    SEAT_COUNT,
    SEAT_FIRST,
    Ranking,
    gather,
    has_next,
    pass_over,
    rescore,
    seat_against,
    take_back,
)
from .rounds import ASK, DONE, FULL
from .rules.deleveraging import Holders
from .tables import (
    FUND,
    NONE,
    P_LOTS,
    U_LIQUIDATION,
    V_ACCOUNTS,
    V_ADL_AT_TURN,
    V_ADL_CANCELS,
    V_ADL_FILTERS,
    V_ADL_RANK,
    V_MARKETS,
    Table,
    Tables,
)
from .transfer import transfer
from .turns import due_lots, order_seat, score_seat, settle_due

if TYPE_CHECKING:
    from .venue import Venue

ADL = int(Event.ADL)
RANK = 3  # what the kernel returns, beside DONE, FULL and ASK: there is no room for a ranking yet
NOBODY = ranks.allocate(0, 0)

# progress: where the kernel stands, and the seat that a rule was asked for at this position
D_UNIT, D_MARKET, D_SEAT = range(3)


def stage(venue: Venue, units: Table) -> None:
    """Deleverage the treated units the rule names, in order, and last the fund if it is in distress (R-W9, R-W10)."""
    t = venue.tables
    if not may_deleverage(t):
        return
    prices = np.zeros((2, len(venue.markets)), dtype=np.int64)
    progress = np.array([0, NONE, NONE])
    ranking = NOBODY
    while (status := deleverage(t, units, prices, progress, ranking)) != DONE:
        if status == FULL:
            venue.flush()
        elif status == RANK:
            ranking = ranks.allocate(int(t.venue[V_ACCOUNTS]), len(venue.markets))
        else:
            assert status == ASK
            n = int(progress[D_UNIT])
            _score_seat(venue, ranking, progress, int(units[n]) if n < len(units) else venue.fund_unit, prices)


def _score_seat(venue: Venue, ranking: Ranking, progress: Table, unit: int, prices: Table) -> None:
    """Let the rule score all holders of a seat for the turn of a unit's position, and put them in order."""
    t, seat = venue.tables, int(progress[D_SEAT])
    market = seat // 2
    ask_rule(venue, ranking, seat)
    lots = abs(int(t.positions[int(owner_of(t, unit)) * len(venue.markets) + market, P_LOTS]))
    order_seat(t, ranking, seat, lots - int(prices[KEEP, market]), int(prices[PRICE, market]))


def ask_rule(venue: Venue, ranking: Ranking, seat: int) -> None:
    """Let the rule score all holders of a seat. It sees the fund too if that is one, though the fund comes last."""
    t, market, side = venue.tables, seat // 2, 1 - 2 * (seat % 2)
    first, count = ranking.seats[seat].tolist()
    holders = ranking.holders[first : first + count]
    if side * int(t.positions[venue.fund_unit * len(venue.markets) + market, P_LOTS]) > 0:
        holders = np.append(holders, venue.fund_unit)
    columns = np.zeros((len(holders), HOLDING_COLUMNS), dtype=np.int64)
    ranks.describe_rows(t, market, holders, 0, columns)
    scores = np.asarray(venue.rules.deleveraging.scores(Holders(*columns.T)), dtype=np.float64)
    assert scores.shape == (len(holders),) and not np.isnan(scores).any(), "a rank gives every holder a number"
    ranking.scores[first : first + count] = scores[:count]


@kernel
def deleverage(t: Tables, units: Table, prices: Table, progress: Table, ranking: Ranking) -> int:
    """Deleverage treated units from where `progress` stands on; return DONE, or why it stopped.

    FULL: empty the event buffer. RANK: give it a ranking. ASK: let the rule score the seat in progress[D_SEAT].
    Then call again with the same arrays.
    """
    n = units.shape[0]
    while progress[D_UNIT] < n + fund_count(t):
        unit = units[progress[D_UNIT]] if progress[D_UNIT] < n else fund_at(t, progress[D_UNIT] - n)
        if progress[D_MARKET] == NONE:
            if not take_terms(t, unit, prices):
                progress[D_UNIT] += 1
                continue
            progress[D_MARKET] = 0
        while progress[D_MARKET] < t.venue[V_MARKETS]:
            market = progress[D_MARKET]
            if prices[PRICE, market] != 0:
                status = _close_position(t, unit, market, prices, progress, ranking)
                if status != DONE:
                    return status
            progress[D_MARKET] += 1
            progress[D_SEAT] = NONE
        progress[D_MARKET] = NONE
        progress[D_UNIT] += 1
    return DONE


@kernel
def _close_position(t: Tables, unit: int, market: int, prices: Table, progress: Table, ranking: Ranking) -> int:
    """Pair a position with its counterparties in order of rank until it is closed; return DONE or why it stopped."""
    venue, positions = t.venue, t.positions
    price, keep = prices[PRICE, market], prices[KEEP, market]
    account = owner_of(t, unit)
    row = account * venue[V_MARKETS] + market
    cause = t.units[unit, U_LIQUIDATION]
    assert positions[row, P_LOTS] != 0, "only an open position is deleveraged"
    seat = seat_against(market, positions[row, P_LOTS])
    while abs(positions[row, P_LOTS]) > keep:
        if not has_room(t):
            return FULL
        status = _see_to_ranking(t, ranking, seat, abs(positions[row, P_LOTS]) - keep, price, progress)
        if status != DONE:
            return status
        other = _next_counterparty(t, ranking, seat, positions[row, P_LOTS], price)
        if other == NONE:
            break
        if venue[V_ADL_CANCELS] and other != venue[V_ACCOUNTS] + FUND:
            cancel_all(t, other, market, cause)
        lots = positions[row, P_LOTS]
        theirs = due_lots(t, ranking, other, market)
        assert theirs > 0
        transfer(t, ADL, account, other, market, min(abs(lots) - keep, theirs) * (1 if lots > 0 else -1), price, cause)
        settle_due(t, ranking, seat, other)
        rescore(t, ranking, other)
    release_flat_pocket(t, account, market, cause)
    if ranking.seats.shape[0] > 0:
        if venue[V_ADL_FILTERS]:
            take_back(t, ranking, seat)
        rescore(t, ranking, account)
    return DONE


@kernel
def _see_to_ranking(t: Tables, ranking: Ranking, seat: int, lots: int, price: int, progress: Table) -> int:
    """Make sure that a seat is gathered and its scores are true; return DONE, RANK or ASK.

    A rule of the user's own is asked for the whole seat when a position's turn comes: scores may look at all holders.
    So it is with ranks that draw or split, which look at all of them too.
    """
    if ranking.seats.shape[0] == 0:
        return RANK
    if ranking.seats[seat, SEAT_FIRST] == NONE:
        gather(t, ranking, seat)
    if t.venue[V_ADL_AT_TURN] and progress[D_SEAT] != seat:
        progress[D_SEAT] = seat
        if ranking.seats[seat, SEAT_COUNT] > 0:
            if t.venue[V_ADL_RANK] == NONE:
                return ASK
            score_seat(t, ranking, seat)
            order_seat(t, ranking, seat, lots, price)
    return DONE


@kernel
def _next_counterparty(t: Tables, ranking: Ranking, seat: int, lots: int, price: int) -> int:
    """Return the first of a seat who may be deleveraged at the price; behind the last of them the fund; else NONE.

    Those passed over (R-W56) wait behind everybody until `take_back`. The fund is one only if it holds the opposite of
    `lots`.
    """
    while has_next(t, ranking, seat):
        other = ranking.holders[ranking.seats[seat, SEAT_FIRST]]
        if may_be_counterparty(t, other, seat // 2, price):
            return other
        pass_over(t, ranking, seat)
    fund = t.venue[V_ACCOUNTS] + FUND
    opposite = t.positions[fund * t.venue[V_MARKETS] + seat // 2, P_LOTS] * lots < 0
    return fund if opposite else NONE
