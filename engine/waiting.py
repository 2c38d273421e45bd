"""Collecting the waiting orders whose trigger was reached (R-O7)."""

from __future__ import annotations

from .book import file_waiting, remove_waiting, unfile_waiting
from .commands import (
    C_ACCOUNT,
    C_CAUSE,
    C_FLAGS,
    C_KIND,
    C_LOTS,
    C_MARKET,
    C_SIDE,
    C_TAG,
    Kind,
)
from .kernel import kernel
from .tables import (
    CANCEL_ONLY,
    M_HALT,
    M_HIGH_TICKS,
    M_LAST_TICKS,
    M_LOW_TICKS,
    M_MARK_TICKS,
    M_WAIT_MARK_TICKS,
    NONE,
    O_ACCOUNT,
    O_FLAGS,
    O_LOTS,
    O_MARKET,
    O_NEXT,
    O_SIDE,
    O_TAG,
    O_TRIGGER_TICKS,
    T_LAST_FALLS,
    T_LAST_RISES,
    T_MARK_FALLS,
    T_MARK_RISES,
    V_MARKETS,
    V_TRIGGERED_COUNT,
    Table,
    Tables,
)

MARKET = int(Kind.MARKET)


@kernel
def collect_triggered(t: Tables) -> int:
    """Collect all waiting orders whose watched price has reached their trigger; return how many.

    Modifies `triggered` (rows of orders, unsorted) and starts the low and high of a new step. The orders stay filed:
    `as_commands` removes them.
    """
    markets, venue = t.markets, t.venue
    venue[V_TRIGGERED_COUNT] = 0
    for market in range(venue[V_MARKETS]):
        if markets[market, M_HALT] == CANCEL_ONLY:
            continue  # they wait until the market trades again
        low = markets[market, M_LOW_TICKS]
        high = markets[market, M_HIGH_TICKS]
        if low > 0:
            _look_through(t, market, T_LAST_FALLS, 0, 0, low)
            _look_through(t, market, T_LAST_RISES, 0, 0, high)
            _look_through(t, market, T_LAST_FALLS, low, high, low)
            _look_through(t, market, T_LAST_RISES, low, high, high)
        mark = markets[market, M_MARK_TICKS]
        seen = markets[market, M_WAIT_MARK_TICKS]
        _look_through(t, market, T_MARK_FALLS, min(mark, seen), seen, mark)
        _look_through(t, market, T_MARK_RISES, seen, max(mark, seen), mark)
        markets[market, M_WAIT_MARK_TICKS] = mark
        markets[market, M_LOW_TICKS] = markets[market, M_LAST_TICKS]
        markets[market, M_HIGH_TICKS] = markets[market, M_LAST_TICKS]
    return venue[V_TRIGGERED_COUNT]


@kernel
def _look_through(t: Tables, market: int, column: int, first: int, last: int, watched: int) -> None:
    """Collect the orders filed under ticks first .. last whose condition holds; file the others under their trigger."""
    orders, venue = t.orders, t.venue
    falls = column == T_LAST_FALLS or column == T_MARK_FALLS
    for tick in range(first, last + 1):
        order = t.triggers[market, tick, column]
        while order != NONE:
            after = orders[order, O_NEXT]
            assert orders[order, O_MARKET] == market and orders[order, O_LOTS] > 0
            trigger = orders[order, O_TRIGGER_TICKS]
            if (falls and watched <= trigger) or (not falls and watched >= trigger):
                t.triggered[venue[V_TRIGGERED_COUNT]] = order
                venue[V_TRIGGERED_COUNT] += 1
            elif trigger != tick:
                unfile_waiting(t, order)
                file_waiting(t, order, trigger, column)
            order = after


@kernel
def as_commands(t: Tables, rows: Table, commands: Table) -> None:
    """Turn collected orders into MARKET commands and remove them from where they waited.

    rows: (n,) rows of orders in order of execution; commands: (n, COMMAND_COLUMNS) zeros, written.
    """
    orders = t.orders
    for i in range(rows.shape[0]):
        order = rows[i]
        commands[i, C_ACCOUNT] = orders[order, O_ACCOUNT]
        commands[i, C_MARKET] = orders[order, O_MARKET]
        commands[i, C_KIND] = MARKET
        commands[i, C_SIDE] = orders[order, O_SIDE]
        commands[i, C_LOTS] = orders[order, O_LOTS]
        commands[i, C_FLAGS] = orders[order, O_FLAGS]
        commands[i, C_TAG] = orders[order, O_TAG]
        commands[i, C_CAUSE] = 0
        remove_waiting(t, order)
