"""The terms of deleveraging: whose turn it is, at what price, who may be on the other side (R-W9, R-W51 to R-W56)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .contract import bankruptcy_ticks, value_atoms, worth_atoms
from .default_fund import default_room_atoms
from .drawdown import is_down
from .funds import fund_for, fund_room_atoms, is_fund
from .kernel import kernel
from .ledger import balance_atoms
from .margin import equity_atoms, in_unit, open_positions, owner_of, position_equity_atoms, unit_of, unrealised_atoms
from .rules.ruleset import RuleSet
from .tables import (
    ADL_WATCH,
    AT_BANKRUPTCY,
    AT_INDEX,
    AT_MARK,
    EQUITY_BELOW_ZERO,
    FLAG_IDLE,
    FLAG_REFUSED,
    FLAG_SPARED,
    M_INDEX_TICKS,
    M_MARK_BEFORE_TICKS,
    M_MARK_TICKS,
    M_PRICE_MAX_TICKS,
    NO_ADL,
    NONE,
    P_COST_ATOMS,
    P_LOTS,
    PASS_BACKSTOPS,
    PASS_HEDGED,
    PASS_NO_OVERLAP,
    PASS_NO_PROFIT,
    PASS_SMALL,
    U_FLAGS,
    V_ACCOUNTS,
    V_ADL_FAR_PPM,
    V_ADL_FILTERS,
    V_ADL_HEDGED_PPM,
    V_ADL_MINIMUM_ATOMS,
    V_ADL_PRICE,
    V_ADL_TRIGGER,
    V_ADL_WINDOW_STEPS,
    V_FUND_FLOOR_ATOMS,
    V_MARKETS,
    V_POOL_ABOVE_PPM,
    V_POOL_UNTIL_PPM,
    Table,
    Tables,
)
from .units import ppm_down, share_down

# prices: rows of what a position is closed at, 0 if it is not, and how many lots of it stay
PRICE, KEEP = range(2)

TERM_SWITCHES = [
    V_ADL_FAR_PPM, V_ADL_FILTERS, V_ADL_MINIMUM_ATOMS, V_ADL_HEDGED_PPM, V_POOL_ABOVE_PPM, V_POOL_UNTIL_PPM,
]  # fmt: skip


def fill_terms(venue: NDArray[np.int64], rules: RuleSet) -> None:
    """Copy what kernels need of prices, filters and the pool."""
    adl, who = rules.deleveraging, rules.deleveraging.eligible
    venue[V_ADL_FAR_PPM] = NONE if adl.far_from_mark is None else adl.far_from_mark.distance_ppm
    if who is not None:
        tests = (who.overlap, who.profitable, who.minimum_quote > 0, who.hedged_ppm is not None, who.spare_backstops)
        bits = (PASS_NO_OVERLAP, PASS_NO_PROFIT, PASS_SMALL, PASS_HEDGED, PASS_BACKSTOPS)
        venue[V_ADL_FILTERS] = sum(bit for bit, wanted in zip(bits, tests, strict=True) if wanted)
        venue[V_ADL_MINIMUM_ATOMS] = who.minimum_atoms
        venue[V_ADL_HEDGED_PPM] = who.hedged_ppm or 0
    venue[V_POOL_ABOVE_PPM] = NONE if adl.pool is None else adl.pool.above_ppm
    venue[V_POOL_UNTIL_PPM] = 0 if adl.pool is None else adl.pool.until_ppm


def spare(t: Tables, accounts: Iterable[int]) -> None:
    """Flag accounts that are never deleveraged, if the rule spares them; once, at the opening (R-W56)."""
    if t.venue[V_ADL_FILTERS] & PASS_BACKSTOPS:
        for account in accounts:
            assert 0 <= account < t.venue[V_ACCOUNTS]
            t.units[account, U_FLAGS] |= FLAG_SPARED


@kernel
def goes_direct(t: Tables) -> bool:
    """Say whether distressed units are deleveraged at once, because the fund fell too far (R-W51)."""
    return is_down(t, ADL_WATCH, t.venue[V_ADL_WINDOW_STEPS])


@kernel
def is_deleveraged(t: Tables, unit: int) -> bool:
    """Say whether a unit's turn has come: what the trigger names, or the fund below its floor (R-W9, R-W10)."""
    if open_positions(t, unit) == 0:
        return False
    equity = equity_atoms(t, unit)
    if is_fund(t, unit):
        return t.venue[V_ADL_TRIGGER] != NO_ADL and equity < t.venue[V_FUND_FLOOR_ATOMS]
    if goes_direct(t):
        return True
    if t.venue[V_ADL_TRIGGER] == NO_ADL:
        return False
    if t.venue[V_ADL_TRIGGER] == EQUITY_BELOW_ZERO:
        return equity < 0
    return t.units[unit, U_FLAGS] & FLAG_REFUSED != 0 or (
        equity < 0 and -equity > fund_room_atoms(t, fund_for(t, unit)) + default_room_atoms(t)
    )


@kernel
def may_deleverage(t: Tables) -> bool:
    """Say whether anybody can be deleveraged by the rules and the state of the fund."""
    return t.venue[V_ADL_TRIGGER] != NO_ADL or t.venue[V_POOL_ABOVE_PPM] != NONE or goes_direct(t)


@kernel
def fund_is_due(t: Tables, fund: int) -> bool:
    """Say whether a fund is to be deleveraged itself and not idle (R-W2, R-W10, R-W53)."""
    if open_positions(t, fund) == 0 or t.units[fund, U_FLAGS] & FLAG_IDLE:
        return False
    return is_deleveraged(t, fund) or _is_pool_due(t, fund)


@kernel
def take_terms(t: Tables, unit: int, prices: Table) -> bool:
    """Write price and lots to keep of each position of a unit into `prices` (2, M); False if its turn has not come."""
    for market in range(t.venue[V_MARKETS]):
        prices[PRICE, market] = 0
        prices[KEEP, market] = 0
    if is_deleveraged(t, unit):
        _take_prices(t, unit, prices)
        return True
    if not is_fund(t, unit) or not _is_pool_due(t, unit):
        return False
    for market in range(t.venue[V_MARKETS]):
        if _is_over_ratio(t, unit, market):
            prices[PRICE, market] = _price_named(t, market)
            prices[KEEP, market] = _lots_to_keep(t, unit, market, prices[PRICE, market])
    return True


@kernel
def _is_pool_due(t: Tables, fund: int) -> bool:
    """Say whether winners gain too much from a position of the pool (R-W53)."""
    if t.venue[V_POOL_ABOVE_PPM] == NONE:
        return False
    over = False
    for market in range(t.venue[V_MARKETS]):
        over = over or _is_over_ratio(t, fund, market)
    return over


@kernel
def _is_over_ratio(t: Tables, fund: int, market: int) -> bool:
    """Say whether the winners' profit against a position of the pool is above the ratio; a pool below 0 is empty."""
    account = owner_of(t, fund)
    if not in_unit(t, fund, account, market):
        return False
    loss, pool = -unrealised_atoms(t, account, market), max(0, balance_atoms(t, fund))
    return loss > ppm_down(pool, t.venue[V_POOL_ABOVE_PPM])


@kernel
def _lots_to_keep(t: Tables, fund: int, market: int, price_ticks: int) -> int:
    """Return how many lots the pool keeps when as few as may be are closed at a price, found by bisection (R-W53)."""
    account = owner_of(t, fund)
    row = account * t.venue[V_MARKETS] + market
    lots, cost = t.positions[row, P_LOTS], t.positions[row, P_COST_ATOMS]
    side, held = (1 if lots > 0 else -1), abs(lots)
    low, high = 1, held
    while low < high:
        closed = (low + high) // 2
        removed = share_down(abs(cost), closed, held) * (1 if cost > 0 else -1)
        pool = balance_atoms(t, fund) + worth_atoms(t, market, side * closed, price_ticks) - removed
        left = worth_atoms(t, market, side * (held - closed), t.markets[market, M_MARK_TICKS])
        loss = cost - removed - left
        if loss <= ppm_down(max(0, pool), t.venue[V_POOL_UNTIL_PPM]):
            high = closed
        else:
            low = closed + 1
    assert 1 <= low <= held
    return held - low


@kernel
def _take_prices(t: Tables, unit: int, prices: Table) -> None:
    """Write the price of each position of a unit into the first row of `prices` (R-W9)."""
    venue, markets = t.venue, t.markets
    account = owner_of(t, unit)
    of_fund = is_fund(t, unit)
    equity = equity_atoms(t, unit) - (venue[V_FUND_FLOOR_ATOMS] if of_fund else 0)
    for market in range(venue[V_MARKETS]):
        lots = t.positions[account * venue[V_MARKETS] + market, P_LOTS]
        if lots == 0 or not in_unit(t, unit, account, market):
            continue
        if of_fund or venue[V_ADL_PRICE] == AT_BANKRUPTCY:
            mark = markets[market, M_MARK_TICKS]
            price = bankruptcy_ticks(t, market, lots, mark, position_equity_atoms(t, unit, market, equity))
            prices[PRICE, market] = mark if not of_fund and is_too_far(t, price, mark) else price
        else:
            prices[PRICE, market] = _price_named(t, market)
        assert prices[PRICE, market] >= 1


@kernel
def is_too_far(t: Tables, price_ticks: int, mark_ticks: int) -> bool:
    """Say whether a bankruptcy price is so far from the mark that the mark is used (R-W55)."""
    far = t.venue[V_ADL_FAR_PPM]
    return far != NONE and abs(price_ticks - mark_ticks) > ppm_down(mark_ticks, far)


@kernel
def _price_named(t: Tables, market: int) -> int:
    """Return the price of a rule that does not look at the bankrupt: a mark, or the index (R-W9, R-W54)."""
    rule, markets = t.venue[V_ADL_PRICE], t.markets
    if rule == AT_MARK:
        return markets[market, M_MARK_TICKS]
    if rule == AT_INDEX:
        return max(1, min(markets[market, M_PRICE_MAX_TICKS] - 1, markets[market, M_INDEX_TICKS]))
    return markets[market, M_MARK_BEFORE_TICKS]


@kernel
def may_be_counterparty(t: Tables, account: int, market: int, price_ticks: int) -> bool:
    """Say whether an account with lots in a market may be deleveraged at a price (R-W56)."""
    filters = t.venue[V_ADL_FILTERS]
    if filters == 0:
        return True
    unit = unit_of(t, account, market)
    lots, mark = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS], t.markets[market, M_MARK_TICKS]
    assert lots != 0 and price_ticks >= 1
    if filters & PASS_BACKSTOPS and t.units[account, U_FLAGS] & FLAG_SPARED:
        return False
    if filters & PASS_NO_PROFIT and unrealised_atoms(t, account, market) <= 0:
        return False
    if filters & PASS_SMALL and value_atoms(t, market, abs(lots), mark) < t.venue[V_ADL_MINIMUM_ATOMS]:
        return False
    if filters & PASS_HEDGED and _is_hedged(t, unit):
        return False
    if filters & PASS_NO_OVERLAP:
        share = position_equity_atoms(t, unit, market, equity_atoms(t, unit))
        return share + worth_atoms(t, market, lots, price_ticks) - worth_atoms(t, market, lots, mark) >= 0
    return True


@kernel
def _is_hedged(t: Tables, unit: int) -> bool:
    """Say whether the positions of a unit, long and short, nearly cancel at the marks (R-W56)."""
    account = owner_of(t, unit)
    net, gross = 0, 0
    for market in range(t.venue[V_MARKETS]):
        if in_unit(t, unit, account, market):
            lots = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
            worth = value_atoms(t, market, lots, t.markets[market, M_MARK_TICKS])
            net += worth
            gross += abs(worth)
    return abs(net) <= ppm_down(gross, t.venue[V_ADL_HEDGED_PPM])
