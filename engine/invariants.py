"""The laws of a venue, one function each (design 2). A broken law is an error of the code and stops the run."""

from __future__ import annotations

import numpy as np

from .asset_columns import H_ATOMS
from .commands import FLAG_FORCED, FLAG_IOC, FLAG_REDUCE_ONLY, Kind
from .distress import is_distressed, stays_distressed
from .funds import every_fund, fund_at, fund_count
from .kernel import kernel
from .ledger import balance_atoms
from .margin import equity_atoms, open_positions, unit_maintenance_atoms
from .tables import (
    A_FIRST_ORDER,
    A_ORDERS,
    L_HEAD,
    L_LOTS,
    L_TAIL,
    M_AUCTION,
    M_BEST_ASK,
    M_BEST_BID,
    M_LONG_LOTS,
    M_PRICE_MAX_TICKS,
    M_SUM_COST_ATOMS,
    NONE,
    O_ACCOUNT,
    O_ACCOUNT_NEXT,
    O_FLAGS,
    O_KIND,
    O_LOTS,
    O_MARKET,
    O_NEXT,
    O_PRICE_TICKS,
    O_SEQUENCE,
    O_SIDE,
    OUTSIDE,
    P_ASKS_LOTS,
    P_BIDS_LOTS,
    P_COST_ATOMS,
    P_LOTS,
    SETTLEMENT,
    U_CREDITS_ATOMS,
    U_DEBITS_ATOMS,
    U_SINCE_STEP,
    V_ACCOUNTS,
    V_AUCTIONS,
    V_FUND_FLOOR_ATOMS,
    V_MARKETS,
    V_SEQUENCE,
    V_STEP,
    V_TRADER_UNITS_END,
    VENUE_UNITS,
    Tables,
)

SETTLEMENT_BROKEN, BOOK_CROSSED, INTEREST_NEGATIVE = 1, 2, 3


def where(t: Tables) -> str:
    """Return step and sequence number for the message of a broken law."""
    return f"at step {t.venue[V_STEP]}, sequence {t.venue[V_SEQUENCE]}"


def check_totals(t: Tables) -> None:
    """Assert the control total of I3, in O(markets): settlement against the running sum of entry cost."""
    broken = _broken_total(t)
    assert broken != SETTLEMENT_BROKEN, f"I3 settlement identity broken {where(t)}"
    assert broken != BOOK_CROSSED, f"I4 crossed book {where(t)}"
    assert broken != INTEREST_NEGATIVE, f"I2 negative open interest {where(t)}"


@kernel
def _broken_total(t: Tables) -> int:
    """Return which control total is broken, 0 if none is."""
    total = balance_atoms(t, t.venue[V_ACCOUNTS] + SETTLEMENT)
    crossed, negative = False, False
    for market in range(t.venue[V_MARKETS]):
        total += t.markets[market, M_SUM_COST_ATOMS]
        crossed = crossed or t.markets[market, M_BEST_BID] >= t.markets[market, M_BEST_ASK]
        negative = negative or t.markets[market, M_LONG_LOTS] < 0
    if total != 0:
        return SETTLEMENT_BROKEN
    if crossed:
        return BOOK_CROSSED
    return INTEREST_NEGATIVE if negative else 0


def check_all(t: Tables) -> None:
    """Assert laws I1 to I7, I9 and I10 by sweeping everything; I8 is proved by `delever audit`."""
    check_debits_equal_credits(t)
    check_lots_sum_to_zero(t)
    check_settlement(t)
    check_book(t)
    check_fund_floor(t)
    check_nobody_in_hidden_debt(t)
    check_assets(t)


def conservation_error(t: Tables) -> int:
    """Return |sum of balances| + |sum of lots per market| + |settlement + entry cost| + |sum of each asset|; 0 always.

    In atoms and lots.
    """
    markets = len(t.markets)
    money = abs(int(t.units[:, U_CREDITS_ATOMS].sum()) - int(t.units[:, U_DEBITS_ATOMS].sum()))
    lots = sum(abs(int(t.positions[market::markets, P_LOTS].sum())) for market in range(markets))
    unit = int(t.venue[V_ACCOUNTS]) + SETTLEMENT
    settlement = int(t.units[unit, U_CREDITS_ATOMS]) - int(t.units[unit, U_DEBITS_ATOMS])
    assets = int(np.abs(t.holdings[:, :, H_ATOMS].sum(axis=0)).sum())
    return money + lots + abs(settlement + int(t.positions[:, P_COST_ATOMS].sum())) + assets


def check_debits_equal_credits(t: Tables) -> None:
    """I1: every atom credited to a unit was debited from another."""
    error = int(t.units[:, U_CREDITS_ATOMS].sum()) - int(t.units[:, U_DEBITS_ATOMS].sum())
    assert error == 0, f"I1 credits exceed debits by {error} atoms {where(t)}"
    assert (t.units[:, [U_CREDITS_ATOMS, U_DEBITS_ATOMS]] >= 0).all(), f"I1 a ledger column overflowed {where(t)}"


def check_lots_sum_to_zero(t: Tables) -> None:
    """I2: every lot held long is held short by somebody, and open interest is the sum of the longs."""
    for market in range(len(t.markets)):
        lots = t.positions[market :: len(t.markets), P_LOTS]
        assert lots.sum() == 0, f"I2 lots of market {market} sum to {lots.sum()} {where(t)}"
        longs = lots[lots > 0].sum()
        assert longs == t.markets[market, M_LONG_LOTS], f"I2 open interest of market {market} is wrong {where(t)}"


def check_settlement(t: Tables) -> None:
    """I3: the settlement unit's balance and the sum of entry cost cancel, and flat positions have no cost."""
    flat = t.positions[:, P_LOTS] == 0
    assert (t.positions[flat, P_COST_ATOMS] == 0).all(), f"I3 a flat position has a cost {where(t)}"
    for market in range(len(t.markets)):
        cost = t.positions[market :: len(t.markets), P_COST_ATOMS].sum()
        assert cost == t.markets[market, M_SUM_COST_ATOMS], f"I3 control total of market {market} {where(t)}"


def check_book(t: Tables) -> None:
    """I4, I5 and I9: levels, bests, account lists and positions agree with the resting orders in the queues."""
    seen_bids = np.zeros(len(t.positions), dtype=np.int64)
    seen_asks = np.zeros(len(t.positions), dtype=np.int64)
    resting = 0
    for market in range(len(t.markets)):
        resting += _check_ladder(t, market, seen_bids, seen_asks)
    assert (t.positions[:, P_BIDS_LOTS] == seen_bids).all(), f"I5 bids of a position {where(t)}"
    assert (t.positions[:, P_ASKS_LOTS] == seen_asks).all(), f"I5 asks of a position {where(t)}"
    _check_account_lists(t, resting)


def _check_ladder(t: Tables, market: int, seen_bids: np.ndarray, seen_asks: np.ndarray) -> int:
    """Walk all queues of a market; return the number of resting orders and add up what positions must know.

    A market in auction has a ladder for each side, may be crossed, and shows no best prices (R-H1).
    """
    price_max = int(t.markets[market, M_PRICE_MAX_TICKS])
    bids, asks = [0], [price_max]
    resting = _check_queues(t, market, market, bids, asks, seen_bids, seen_asks)
    if t.venue[V_AUCTIONS]:
        trades = t.markets[market, M_AUCTION] == 0
        own_bids: list[int] = []
        resting += _check_queues(t, market, market + len(t.markets), own_bids, asks, seen_bids, seen_asks)
        assert not (trades and own_bids), f"I4 bids left in the auction of market {market} {where(t)}"
        assert trades or len(bids) == 1, f"I4 bids outside of the auction of market {market} {where(t)}"
        if not trades:
            bids, asks = [0], [price_max]
    assert max(bids) == t.markets[market, M_BEST_BID], f"I4 best bid {where(t)}"
    assert min(asks) == t.markets[market, M_BEST_ASK], f"I4 best ask {where(t)}"
    assert max(bids) < min(asks), f"I4 crossed at rest {where(t)}"
    return resting


def _check_queues(
    t: Tables, market: int, ladder: int, bids: list[int], asks: list[int], seen_bids: np.ndarray, seen_asks: np.ndarray
) -> int:
    """Walk the queues of one ladder; return the number of orders, append their prices, add up their lots."""
    levels, resting = t.levels[ladder], 0
    waits = t.markets[market, M_AUCTION] != 0
    heads = np.flatnonzero(levels[:, L_HEAD] != NONE)
    for price in heads.tolist():
        order, before, lots = int(levels[price, L_HEAD]), NONE, 0
        sequence = -1
        while order != NONE:
            row = t.orders[order].tolist()
            assert row[O_PRICE_TICKS] == price and row[O_MARKET] == market, f"I4 order in the wrong queue {where(t)}"
            assert row[O_LOTS] > 0, f"I4 empty order at rest {where(t)}"
            assert waits or not row[O_FLAGS] & (FLAG_IOC | FLAG_FORCED), f"I4 an order that never rests {where(t)}"
            assert sequence < row[O_SEQUENCE] <= t.venue[V_SEQUENCE], f"I9 queue out of sequence {where(t)}"
            sequence = row[O_SEQUENCE]
            lots += row[O_LOTS]
            resting += 1
            (bids if row[O_SIDE] > 0 else asks).append(price)
            if not row[O_FLAGS] & FLAG_REDUCE_ONLY:
                seen = seen_bids if row[O_SIDE] > 0 else seen_asks
                seen[row[O_ACCOUNT] * len(t.markets) + market] += row[O_LOTS]
            before, order = order, row[O_NEXT]
        assert before == levels[price, L_TAIL], f"I4 tail of level {price} {where(t)}"
        assert lots == levels[price, L_LOTS], f"I4 lots of level {price} {where(t)}"
    empty = levels[:, L_HEAD] == NONE
    assert (levels[empty, L_LOTS] == 0).all(), f"I4 lots at an empty level {where(t)}"
    return resting


def _check_account_lists(t: Tables, resting: int) -> None:
    """I5: every resting or waiting order is in its account's list once."""
    listed = 0
    for account in np.flatnonzero(t.accounts[:, A_FIRST_ORDER] != NONE).tolist():
        order, count = int(t.accounts[account, A_FIRST_ORDER]), 0
        while order != NONE:
            assert t.orders[order, O_ACCOUNT] == account, f"I5 order in the wrong account list {where(t)}"
            listed += int(t.orders[order, O_KIND] == Kind.LIMIT)
            count += 1
            order = int(t.orders[order, O_ACCOUNT_NEXT])
        assert count == t.accounts[account, A_ORDERS], f"I5 order count of account {account} {where(t)}"
    assert listed == resting, f"I5 {listed} orders listed, {resting} at rest {where(t)}"


def check_assets(t: Tables) -> None:
    """I10: every atom of an asset came from outside, and only OUTSIDE holds less than nothing."""
    outside = int(t.venue[V_ACCOUNTS]) + OUTSIDE
    for asset in range(t.holdings.shape[1]):
        held = t.holdings[:, asset, H_ATOMS]
        assert held.sum() == 0, f"I10 holdings of asset {asset} sum to {held.sum()} {where(t)}"
        assert (np.delete(held, outside) >= 0).all(), f"I10 somebody owes asset {asset} {where(t)}"


def check_fund_floor(t: Tables) -> None:
    """I6: each flat fund is at or above its floor; a market without a fund of its own has no money in that row."""
    funds = every_fund(t)
    for number in range(int(fund_count(t))):
        fund = int(fund_at(t, number))
        balance = int(t.units[fund, U_CREDITS_ATOMS] - t.units[fund, U_DEBITS_ATOMS])
        flat = open_positions(t, fund) == 0
        if fund in funds:
            assert not flat or balance >= t.venue[V_FUND_FLOOR_ATOMS], f"I6 flat fund below its floor {where(t)}"
        else:
            assert flat and balance == 0, f"I6 money in a fund that is not there {where(t)}"


def _trader_units(t: Tables) -> list[int]:
    """Return the rows of all cross units and pockets of traders."""
    traders = int(t.venue[V_ACCOUNTS])
    return [*range(traders), *range(traders + VENUE_UNITS, int(t.venue[V_TRADER_UNITS_END]))]


def check_nobody_in_hidden_debt(t: Tables) -> None:
    """I7: after loss sharing no flat unit is below zero, and negative equity is found on the list of the distressed."""
    for unit in _trader_units(t):
        if open_positions(t, unit) == 0:
            balance = int(t.units[unit, U_CREDITS_ATOMS] - t.units[unit, U_DEBITS_ATOMS])
            assert balance >= 0, f"I7 flat unit {unit} at {balance} atoms {where(t)}"
        elif equity_atoms(t, unit) < 0:
            assert t.units[unit, U_SINCE_STEP] != NONE, f"I7 unit {unit} in unlisted debt {where(t)}"


def check_distressed_listed(t: Tables) -> None:
    """After a look exactly the distressed units are listed: the sweep of everybody that distress.py saves."""
    for unit in _trader_units(t):
        distressed = False
        if open_positions(t, unit) > 0:
            equity, maintenance = equity_atoms(t, unit), unit_maintenance_atoms(t, unit)
            distressed = bool(is_distressed(t, equity, maintenance) or stays_distressed(t, unit, equity, maintenance))
        listed = t.units[unit, U_SINCE_STEP] != NONE
        assert listed == distressed, f"look-out missed unit {unit} {where(t)}"
