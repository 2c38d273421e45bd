"""Takeover: the fund or a backstop account takes a distressed unit's positions at their bankruptcy price (R-W5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import formulas
from .contract import bankruptcy_ticks, value_atoms, worth_atoms
from .conversion import seize_assets, sell
from .distress import is_distressed
from .drawdown import is_down
from .events import Code, Event, has_room
from .funds import fund_of
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import (
    equity_atoms,
    exposure_with_lots,
    free_collateral_atoms,
    health_atoms,
    in_unit,
    open_positions,
    owner_of,
    position_equity_atoms,
    unit_of,
)
from .positions import release_flat_pocket
from .rounds import ASK, DONE, FULL
from .tables import (
    FLAG_PACED,
    FLAG_REFUSED,
    FUND,
    FUND_WATCH,
    M_MARK_TICKS,
    NONE,
    P_LOTS,
    RETRY,
    TO_BACKSTOP,
    U_FLAGS,
    U_LIQUIDATION,
    V_ACCOUNTS,
    V_FUND_CAP_ATOMS,
    V_FUND_FLOOR_ATOMS,
    V_FUND_WINDOW_STEPS,
    V_LEFTOVER,
    V_LOTS_MAX,
    V_MARKETS,
    V_SEIZE_MARGIN,
    V_TAKES_ALL,
    V_TAKES_AT_MARK,
    V_TAKES_SOLVENT,
    V_WAREHOUSE_LEVERAGE,
    Table,
    Tables,
)
from .transfer import transfer

if TYPE_CHECKING:
    from .venue import Venue

TAKEOVER = int(Event.TAKEOVER)
TAKEOVER_MARGIN = int(Code.TAKEOVER_MARGIN)
UNDECIDED = -2  # the rule has to be asked whether the fund accepts

fund_accepts = kernel(formulas.fund_accepts)

# progress: where the kernel stands, the last taker of the unit, and question and answer if the rule is asked
W_UNIT, W_MARKET, W_TAKER, W_LOSS, W_EQUITY, W_WAREHOUSE, W_ANSWER = range(7)
PROGRESS_COLUMNS = 7


def stage(venue: Venue, units: Table, straight: Table) -> None:
    """Offer what the book did not take of treated units, in order, to the fund or the backstop accounts (R-W5, R-W6).

    straight: (n,) int64, 1 where a unit is under the backstop threshold.
    """
    t, rule = venue.tables, venue.rules.insurance
    if t.venue[V_LEFTOVER] == RETRY and not straight.any():
        return
    prices = np.zeros(len(venue.markets), dtype=np.int64)
    progress = np.full(PROGRESS_COLUMNS, NONE, dtype=np.int64)
    progress[W_UNIT] = 0
    backstops = np.array(venue.backstops, dtype=np.int64)
    while (status := offer(t, units, straight, backstops, prices, progress)) != DONE:
        if status == FULL:
            venue.flush()
        else:
            assert t.venue[V_WAREHOUSE_LEVERAGE] == NONE, "only a rule of the user's own is asked"
            progress[W_ANSWER] = int(rule.accepts(*progress[W_LOSS : W_WAREHOUSE + 1].tolist()))


@kernel
def offer(t: Tables, units: Table, straight: Table, backstops: Table, prices: Table, progress: Table) -> int:
    """Offer units from where `progress` stands on; return DONE, or why it stopped.

    FULL: empty the event buffer. ASK: put the rule's answer to loss, equity and warehouse into `progress`. Then call
    again with the same arrays. Flags a unit of which a position was refused.
    """
    while progress[W_UNIT] < units.shape[0]:
        unit = units[progress[W_UNIT]]
        under = straight[progress[W_UNIT]] != 0
        if progress[W_MARKET] == NONE:
            if not _is_offered(t, unit, under):
                progress[W_UNIT] += 1
                continue
            _take_prices(t, unit, prices)
            progress[W_MARKET] = 0
            progress[W_TAKER] = NONE
        to_backstop = t.venue[V_LEFTOVER] == TO_BACKSTOP or (under and backstops.shape[0] > 0)
        status = _hand_over(t, unit, to_backstop, backstops, prices, progress)
        if status != DONE:
            return status
        progress[W_MARKET] = NONE
        progress[W_UNIT] += 1
    return DONE


@kernel
def _is_offered(t: Tables, unit: int, straight: bool) -> bool:
    """Say whether a unit has lots left, is still distressed, is not paced, and has somebody to be offered to."""
    if (t.venue[V_LEFTOVER] == RETRY and not straight) or open_positions(t, unit) == 0:
        return False
    if t.units[unit, U_FLAGS] & FLAG_PACED:
        return False
    equity, maintenance = health_atoms(t, unit)
    return is_distressed(t, equity, maintenance)


@kernel
def _take_prices(t: Tables, unit: int, prices: Table) -> None:
    """Write the takeover price of each position of a unit into `prices` (M,), 0 where it has none (R-W5, R-W32)."""
    account, equity = owner_of(t, unit), equity_atoms(t, unit)
    for market in range(t.venue[V_MARKETS]):
        lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
        prices[market] = 0
        if lots != 0 and in_unit(t, unit, account, market):
            share = position_equity_atoms(t, unit, market, equity)
            prices[market] = bankruptcy_ticks(t, market, lots, t.markets[market, M_MARK_TICKS], share)
            if t.venue[V_TAKES_AT_MARK]:
                prices[market] = t.markets[market, M_MARK_TICKS]
            assert prices[market] >= 1


@kernel
def _hand_over(t: Tables, unit: int, to_backstop: bool, backstops: Table, prices: Table, progress: Table) -> int:
    """Transfer the positions of a unit, market ascending, to those who take them; return DONE or why it stopped."""
    venue = t.venue
    account = owner_of(t, unit)
    cause = t.units[unit, U_LIQUIDATION]
    assert cause > 0, "a takeover belongs to a liquidation"
    while progress[W_MARKET] < venue[V_MARKETS]:
        market = progress[W_MARKET]
        if prices[market] != 0:
            if not has_room(t):
                return FULL
            lots = t.positions[account * venue[V_MARKETS] + market, P_LOTS]
            if to_backstop:
                taker = _backstop_for(t, backstops, account, market, lots, prices[market])
            else:
                taker = _fund_for(t, market, lots, prices[market], progress)
            if taker == UNDECIDED:
                return ASK
            if taker != NONE:
                transfer(t, TAKEOVER, account, taker, market, lots, prices[market], cause)
                progress[W_TAKER] = unit_of(t, taker, market) if taker == venue[V_ACCOUNTS] + FUND else taker
        progress[W_MARKET] += 1
    if not has_room(t):
        return FULL
    if open_positions(t, unit) > 0:
        t.units[unit, U_FLAGS] |= FLAG_REFUSED
        return DONE
    assert progress[W_TAKER] != NONE, "what is gone was taken by somebody"
    sell(t, unit, -balance_atoms(t, unit), cause)
    left = balance_atoms(t, unit)
    if left > 0 and venue[V_SEIZE_MARGIN]:
        post(t, unit, progress[W_TAKER], left, TAKEOVER_MARGIN, cause)
    if venue[V_SEIZE_MARGIN]:
        seize_assets(t, unit, owner_of(t, progress[W_TAKER]), cause)
    for market in range(venue[V_MARKETS]):
        if prices[market] != 0:
            release_flat_pocket(t, account, market, cause)
    return DONE


@kernel
def _loss_atoms(t: Tables, market: int, lots: int, price_ticks: int) -> int:
    """Return what a taker of signed lots at a price loses at the mark, at least 0."""
    mark = t.markets[market, M_MARK_TICKS]
    return max(0, worth_atoms(t, market, lots, price_ticks) - worth_atoms(t, market, lots, mark))


@kernel
def _backstop_for(t: Tables, backstops: Table, account: int, market: int, lots: int, price_ticks: int) -> int:
    """Return the first backstop account that takes a position, NONE if none does (R-W5)."""
    assert lots != 0
    for i in range(backstops.shape[0]):
        if backstop_accepts(t, backstops[i], account, market, lots, price_ticks):
            return backstops[i]
    return NONE


@kernel
def backstop_accepts(t: Tables, backstop: int, account: int, market: int, lots: int, price_ticks: int) -> bool:
    """Say whether a backstop account takes a position: solvent, within its limit and free collateral (R-W5, R-W38)."""
    if backstop == account or exposure_with_lots(t, backstop, market, lots) > t.venue[V_LOTS_MAX]:
        return False
    own, loss = unit_of(t, backstop, market), _loss_atoms(t, market, lots, price_ticks)
    if t.venue[V_TAKES_SOLVENT]:
        return loss == 0 and equity_atoms(t, backstop) >= 0 and equity_atoms(t, own) >= 0
    if _is_unsound(t, backstop) or _is_unsound(t, own):
        return False
    return free_collateral_atoms(t, backstop, market, lots, 0, 0) - loss >= 0


@kernel
def _is_unsound(t: Tables, unit: int) -> bool:
    """Say whether a unit is distressed now."""
    equity, maintenance = health_atoms(t, unit)
    return open_positions(t, unit) > 0 and is_distressed(t, equity, maintenance)


@kernel
def _fund_for(t: Tables, market: int, lots: int, price_ticks: int, progress: Table) -> int:
    """Return the fund if it takes a position, NONE if not, UNDECIDED if its rule has to be asked first (R-W5)."""
    venue = t.venue
    fund = venue[V_ACCOUNTS] + FUND
    if abs(t.positions[fund * venue[V_MARKETS] + market, P_LOTS] + lots) > venue[V_LOTS_MAX]:
        return NONE
    if is_down(t, FUND_WATCH, venue[V_FUND_WINDOW_STEPS]):
        return NONE
    if venue[V_TAKES_ALL]:
        return fund
    loss, equity = _loss_atoms(t, market, lots, price_ticks), equity_atoms(t, fund_of(t, market))
    warehouse = _warehouse_atoms(t, fund, market, lots)
    leverage = venue[V_WAREHOUSE_LEVERAGE]
    if leverage != NONE:
        floor, cap = venue[V_FUND_FLOOR_ATOMS], venue[V_FUND_CAP_ATOMS]
        return fund if fund_accepts(loss, equity, warehouse, floor, cap, leverage) else NONE
    answer = progress[W_ANSWER]
    progress[W_ANSWER] = NONE
    if answer == NONE:
        progress[W_LOSS] = loss
        progress[W_EQUITY] = equity
        progress[W_WAREHOUSE] = warehouse
        return UNDECIDED
    return fund if answer else NONE


@kernel
def _warehouse_atoms(t: Tables, fund: int, market: int, lots: int) -> int:
    """Return the value at mark of the positions of a market's fund with `lots` more in the market."""
    total = 0
    for other in range(t.venue[V_MARKETS]):
        if not in_unit(t, fund_of(t, market), fund, other):
            continue
        held = t.positions[fund * t.venue[V_MARKETS] + other, P_LOTS] + (lots if other == market else 0)
        total += value_atoms(t, other, abs(held), t.markets[other, M_MARK_TICKS])
    assert total >= 0
    return total
