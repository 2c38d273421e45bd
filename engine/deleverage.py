"""Auto-deleveraging: pairing ranked counterparties with a bankrupt position (R-W9, R-W10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .book import cancel_all
from .contract import bankruptcy_ticks
from .events import Event
from .kernel import kernel
from .ledger import balance_atoms
from .margin import (
    equity_atoms,
    open_positions,
    owner_of,
    position_equity_atoms,
    unit_maintenance_atoms,
    unit_of,
)
from .positions import release_flat_pocket
from .rules.deleveraging import Holders
from .tables import (
    A_KEY,
    M_MARK_BEFORE_TICKS,
    M_MARK_TICKS,
    M_MULTIPLIER_ATOMS,
    P_COST_ATOMS,
    P_LOTS,
    U_LIQUIDATION,
    V_MARKETS,
    Table,
    Tables,
)
from .transfer import fund_room_atoms, transfer

if TYPE_CHECKING:
    from .venue import Venue

ADL = int(Event.ADL)
Rows = NDArray[np.int64]


def stage(venue: Venue, units: Rows, refused: set[int]) -> None:
    """Deleverage the treated units the rule names, in order, and last the fund if it is in distress (R-W9, R-W10)."""
    rule, t = venue.rules.deleveraging, venue.tables
    if rule.trigger == "none":
        return
    treated = set(units.tolist())
    for unit in units.tolist():
        if open_positions(t, unit) > 0 and _is_triggered(venue, unit, refused):
            _deleverage_unit(venue, unit, int(equity_atoms(t, unit)), treated)
    fund = venue.fund_unit
    shortage = int(equity_atoms(t, fund)) - venue.rules.insurance.floor_atoms
    if open_positions(t, fund) > 0 and shortage < 0:
        _deleverage_unit(venue, fund, shortage, treated | {fund})


def _is_triggered(venue: Venue, unit: int, refused: set[int]) -> bool:
    """Say whether a unit is deleveraged now (R-W9)."""
    equity = int(equity_atoms(venue.tables, unit))
    if venue.rules.deleveraging.trigger == "equity_below_zero":
        return equity < 0
    return unit in refused or (equity < 0 and -equity > fund_room_atoms(venue.tables))


def _deleverage_unit(venue: Venue, unit: int, equity: int, treated: set[int]) -> None:
    """Close every position of a unit against ranked counterparties, all prices taken before the first."""
    t, rule = venue.tables, venue.rules.deleveraging
    markets = len(venue.markets)
    account = int(owner_of(t, unit))
    prices = {}
    for market in range(markets):
        lots = int(t.positions[account * markets + market, P_LOTS])
        if lots != 0 and unit_of(t, account, market) == unit:
            mark = int(t.markets[market, M_MARK_TICKS])
            if rule.price == "bankruptcy" or unit == venue.fund_unit:
                share = position_equity_atoms(t, unit, market, equity)
                prices[market] = int(bankruptcy_ticks(t, market, lots, mark, share))
            else:
                prices[market] = mark if rule.price == "mark" else int(t.markets[market, M_MARK_BEFORE_TICKS])
    for market, price in prices.items():
        _close_position(venue, unit, account, market, price, treated)


def _close_position(venue: Venue, unit: int, account: int, market: int, price: int, treated: set[int]) -> None:
    """Pair a position with its counterparties in order of rank until it is closed."""
    t, markets = venue.tables, len(venue.markets)
    cause = int(t.units[unit, U_LIQUIDATION])
    for other in ranked_counterparties(venue, market, account, treated).tolist():
        lots = int(t.positions[account * markets + market, P_LOTS])
        if lots == 0:
            break
        venue.make_room()
        if venue.rules.deleveraging.cancel_orders and other != venue.fund_unit:
            cancel_all(t, other, market, cause)
        theirs = abs(int(t.positions[other * markets + market, P_LOTS]))
        assert theirs > 0
        amount = min(abs(lots), theirs) * (1 if lots > 0 else -1)
        transfer(t, ADL, account, other, market, amount, price, cause)
    release_flat_pocket(t, account, market, cause)


def ranked_counterparties(venue: Venue, market: int, account: int, treated: set[int]) -> Rows:
    """Return the accounts that hold the opposite of an account's position, first to be deleveraged first (R-W9).

    Units in `treated` and the account itself are left out; the fund comes last.
    """
    t, markets = venue.tables, len(venue.markets)
    held = t.positions[market::markets, P_LOTS]
    sign = np.sign(held[account])
    assert sign != 0, "only an open position is deleveraged"
    others = np.flatnonzero(np.sign(held) == -sign)
    columns = np.zeros((len(others), 8), dtype=np.int64)
    describe_holders(t, market, others, columns)
    keep = ~np.isin(columns[:, 7], list(treated))
    others, columns = others[keep], columns[keep]
    lots, cost, value, unrealised, balance, equity, maintenance = (columns[:, i] for i in range(7))
    scores = venue.rules.deleveraging.scores(Holders(lots, cost, value, unrealised, balance, equity, maintenance))
    is_fund = others == venue.fund_unit
    return others[np.lexsort((t.accounts[others, A_KEY], -scores, is_fund))]


@kernel
def describe_holders(t: Tables, market: int, others: Table, columns: Table) -> None:
    """Write lots, cost, value, unrealised profit, and balance, equity, maintenance and row of the unit of each account.

    others: (n,) account rows; columns: (n, 8), written.
    """
    mark = t.markets[market, M_MARK_TICKS]
    multiplier = t.markets[market, M_MULTIPLIER_ATOMS]
    for i in range(others.shape[0]):
        row = others[i] * t.venue[V_MARKETS] + market
        unit = unit_of(t, others[i], market)
        lots = t.positions[row, P_LOTS]
        columns[i, 0] = lots
        columns[i, 1] = t.positions[row, P_COST_ATOMS]
        columns[i, 2] = abs(lots) * multiplier * mark
        columns[i, 3] = lots * multiplier * mark - t.positions[row, P_COST_ATOMS]
        columns[i, 4] = balance_atoms(t, unit)
        columns[i, 5] = equity_atoms(t, unit)
        columns[i, 6] = unit_maintenance_atoms(t, unit)
        columns[i, 7] = unit
