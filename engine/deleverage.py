"""Auto-deleveraging: pairing ranked counterparties with a bankrupt position (R-W9, R-W10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import ranking as ranks
from .book import cancel_all
from .contract import bankruptcy_ticks
from .events import Event, has_room
from .kernel import kernel
from .margin import equity_atoms, in_unit, open_positions, owner_of, position_equity_atoms
from .positions import release_flat_pocket
from .ranking import (
    HOLDING_COLUMNS,
    SEAT_COUNT,
    SEAT_FIRST,
    Ranking,
    gather,
    rescore,
    seat_against,
)
from .rounds import ASK, DONE, FULL
from .rules.deleveraging import Holders
from .tables import (
    AT_BANKRUPTCY,
    AT_MARK,
    EQUITY_BELOW_ZERO,
    FLAG_REFUSED,
    FUND,
    M_MARK_BEFORE_TICKS,
    M_MARK_TICKS,
    NO_ADL,
    NONE,
    P_LOTS,
    U_FLAGS,
    U_LIQUIDATION,
    V_ACCOUNTS,
    V_ADL_CANCELS,
    V_ADL_PRICE,
    V_ADL_RANK,
    V_ADL_TRIGGER,
    V_FUND_FLOOR_ATOMS,
    V_MARKETS,
    Table,
    Tables,
)
from .transfer import fund_room_atoms, transfer

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
    if t.venue[V_ADL_TRIGGER] == NO_ADL:
        return
    prices = np.zeros(len(venue.markets), dtype=np.int64)
    progress = np.array([0, NONE, NONE])
    ranking = NOBODY
    while (status := deleverage(t, units, prices, progress, ranking)) != DONE:
        if status == FULL:
            venue.flush()
        elif status == RANK:
            ranking = ranks.allocate(int(t.venue[V_ACCOUNTS]), len(venue.markets))
        else:
            assert status == ASK
            _score_seat(venue, ranking, int(progress[D_SEAT]))


def _score_seat(venue: Venue, ranking: Ranking, seat: int) -> None:
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
    ranks.heapify(t, ranking, seat)


@kernel
def deleverage(t: Tables, units: Table, prices: Table, progress: Table, ranking: Ranking) -> int:
    """Deleverage treated units from where `progress` stands on; return DONE, or why it stopped.

    FULL: empty the event buffer. RANK: give it a ranking. ASK: let the rule score the seat in progress[D_SEAT].
    Then call again with the same arrays.
    """
    n = units.shape[0]
    while progress[D_UNIT] <= n:
        unit = t.venue[V_ACCOUNTS] + FUND if progress[D_UNIT] == n else units[progress[D_UNIT]]
        if progress[D_MARKET] == NONE:
            if not _is_deleveraged(t, unit):
                progress[D_UNIT] += 1
                continue
            _take_prices(t, unit, prices)
            progress[D_MARKET] = 0
        while progress[D_MARKET] < t.venue[V_MARKETS]:
            market = progress[D_MARKET]
            if prices[market] != 0:
                status = _close_position(t, unit, market, prices[market], progress, ranking)
                if status != DONE:
                    return status
            progress[D_MARKET] += 1
            progress[D_SEAT] = NONE
        progress[D_MARKET] = NONE
        progress[D_UNIT] += 1
    return DONE


@kernel
def _is_deleveraged(t: Tables, unit: int) -> bool:
    """Say whether a unit's turn has come: what the trigger names, or the fund below its floor (R-W9, R-W10)."""
    if open_positions(t, unit) == 0:
        return False
    equity = equity_atoms(t, unit)
    if unit == t.venue[V_ACCOUNTS] + FUND:
        return equity < t.venue[V_FUND_FLOOR_ATOMS]
    if t.venue[V_ADL_TRIGGER] == EQUITY_BELOW_ZERO:
        return equity < 0
    return t.units[unit, U_FLAGS] & FLAG_REFUSED != 0 or (equity < 0 and -equity > fund_room_atoms(t))


@kernel
def _take_prices(t: Tables, unit: int, prices: Table) -> None:
    """Write the price of each position of a unit into `prices` (M,), 0 where it has none (R-W9)."""
    venue, markets = t.venue, t.markets
    account = owner_of(t, unit)
    of_fund = unit == venue[V_ACCOUNTS] + FUND
    equity = equity_atoms(t, unit) - (venue[V_FUND_FLOOR_ATOMS] if of_fund else 0)
    for market in range(venue[V_MARKETS]):
        lots = t.positions[account * venue[V_MARKETS] + market, P_LOTS]
        if lots == 0 or not in_unit(t, unit, account, market):
            prices[market] = 0
        elif of_fund or venue[V_ADL_PRICE] == AT_BANKRUPTCY:
            share = position_equity_atoms(t, unit, market, equity)
            prices[market] = bankruptcy_ticks(t, market, lots, markets[market, M_MARK_TICKS], share)
        elif venue[V_ADL_PRICE] == AT_MARK:
            prices[market] = markets[market, M_MARK_TICKS]
        else:
            prices[market] = markets[market, M_MARK_BEFORE_TICKS]
        assert prices[market] >= 0


@kernel
def _close_position(t: Tables, unit: int, market: int, price: int, progress: Table, ranking: Ranking) -> int:
    """Pair a position with its counterparties in order of rank until it is closed; return DONE or why it stopped."""
    venue, positions = t.venue, t.positions
    account = owner_of(t, unit)
    row = account * venue[V_MARKETS] + market
    cause = t.units[unit, U_LIQUIDATION]
    assert positions[row, P_LOTS] != 0, "only an open position is deleveraged"
    seat = seat_against(market, positions[row, P_LOTS])
    while positions[row, P_LOTS] != 0:
        if not has_room(t):
            return FULL
        status = _see_to_ranking(t, ranking, seat, progress)
        if status != DONE:
            return status
        other = _next_counterparty(t, ranking, seat, positions[row, P_LOTS])
        if other == NONE:
            break
        if venue[V_ADL_CANCELS] and other != venue[V_ACCOUNTS] + FUND:
            cancel_all(t, other, market, cause)
        lots = positions[row, P_LOTS]
        theirs = abs(positions[other * venue[V_MARKETS] + market, P_LOTS])
        assert theirs > 0
        transfer(t, ADL, account, other, market, min(abs(lots), theirs) * (1 if lots > 0 else -1), price, cause)
        rescore(t, ranking, other)
    release_flat_pocket(t, account, market, cause)
    if ranking.seats.shape[0] > 0:
        rescore(t, ranking, account)
    return DONE


@kernel
def _see_to_ranking(t: Tables, ranking: Ranking, seat: int, progress: Table) -> int:
    """Make sure that a seat is gathered and its scores are true; return DONE, RANK or ASK.

    A rule of the user's own is asked for the whole seat when a position's turn comes: scores may look at all holders.
    """
    if ranking.seats.shape[0] == 0:
        return RANK
    if ranking.seats[seat, SEAT_FIRST] == NONE:
        gather(t, ranking, seat)
    if t.venue[V_ADL_RANK] == NONE and progress[D_SEAT] != seat:
        progress[D_SEAT] = seat
        if ranking.seats[seat, SEAT_COUNT] > 0:
            return ASK
    return DONE


@kernel
def _next_counterparty(t: Tables, ranking: Ranking, seat: int, lots: int) -> int:
    """Return the first of a seat; behind the last of them the fund, if it holds the opposite of `lots`; else NONE."""
    if ranking.seats[seat, SEAT_COUNT] > 0:
        return ranking.holders[ranking.seats[seat, SEAT_FIRST]]
    fund = t.venue[V_ACCOUNTS] + FUND
    opposite = t.positions[fund * t.venue[V_MARKETS] + seat // 2, P_LOTS] * lots < 0
    return fund if opposite else NONE
