"""Formulas of rules that kernels need too: one source for both, compiled where they are used.

Each is written so that the same line works on whole columns (a rule's method) and on single numbers (a kernel), to the
same bit: int64 is divided as float64 in both, and a condition is a factor 0 or 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .tables import (
    LEVERAGE,
    LEVERAGED_RETURN,
    PNL,
    PNL_LEVERAGE,
    PRO_RATA_EQUITY,
    PRO_RATA_LEVERAGE_PNL,
    PRO_RATA_LOTS,
    PRO_RATA_WEALTH,
    RANDOM_START,
    SIZE,
)

PPM = 1_000_000
PPB = 1_000_000_000
RATE_MAX_PPB = 5 * PPB  # of a funding payment: 500 % of the value
# Components of a mark price that are of one market and one moment.
LEVERAGE_LEAST = 1e-300  # below any leverage there is, so that nothing is divided by zero
MARK_COMPONENTS = ("last", "mid", "book", "index", "index_basis", "index_funding")
LAST, MID, BOOK, INDEX, INDEX_BASIS, INDEX_FUNDING = range(6)

# Whole columns or numbers; typing a formula once for both would need four overloads each.
Numbers = Any


def pnl_margin(unrealised: Numbers, balance: Numbers, equity: Numbers, maintenance: Numbers, least: int) -> Numbers:
    """Return profit as a share of the unit's balance times its margin ratio, 0 without equity; amounts in atoms (R-W9).

    `least`: what a balance counts for at least, so that hardly any money is not a huge profit. Source: Binance,
    auto-deleveraging; see the presets.
    """
    gain = np.maximum(0, unrealised) / np.maximum(least, balance)
    return gain * ((equity > 0) * (maintenance / np.maximum(1, equity)))


def entry_leverage(cost: Numbers, value: Numbers, equity: Numbers) -> Numbers:
    """Return mark / entry (short: the inverse) times the position's leverage, 0 without equity; in atoms (R-W9).

    Source: Hyperliquid, auto-deleveraging; see the presets.
    """
    paid = np.maximum(1, abs(cost))
    worth = np.maximum(1, value)
    # The cost has the sign of the lots, of an inverse contract the other one; there value falls as the price rises.
    ratio = (cost > 0) * (value / paid) + (cost < 0) * (paid / worth)
    return ratio * ((equity > 0) * (value / np.maximum(1, equity)))


def profit_share(unrealised: Numbers, cost: Numbers) -> Numbers:
    """Return the unrealised profit as a share of the value at entry (R-W80); in atoms."""
    return unrealised / np.maximum(1, abs(cost))


def position_leverage(value: Numbers, equity: Numbers) -> Numbers:
    """Return the value of a position over the equity of its unit, 0 without equity (R-W80); in atoms."""
    return (equity > 0) * (value / np.maximum(1, equity))


def rank_score(
    rank: int, gain: Numbers, leverage: Numbers, lots: Numbers, value: Numbers, unrealised: Numbers, equity: Numbers
) -> Numbers:
    """Return the score, or for pro rata the weight, of a holder by a rank of ADL_RANKS (R-W80, R-W81, R-W83, R-W84).

    `gain`: profit_share, `leverage`: position_leverage; money in atoms. Source of `pnl_leverage`: BitMEX,
    auto-deleveraging; effective leverage is value over (value less bankrupt value), which is the equity.
    """
    assert rank >= PNL_LEVERAGE and rank != RANDOM_START
    profit = np.maximum(0, unrealised)
    wealth = np.maximum(0, equity)
    if rank == PNL_LEVERAGE:
        lent = (leverage > 0) / np.maximum(LEVERAGE_LEAST, leverage)
        return gain * ((gain > 0) * leverage + (gain <= 0) * lent)
    if rank == LEVERAGED_RETURN:
        return gain * leverage
    if rank == PNL:
        return 1.0 * unrealised
    if rank == LEVERAGE:
        return 1.0 * leverage
    if rank == SIZE:
        return 1.0 * value
    if rank == PRO_RATA_EQUITY:
        return 1.0 * wealth
    if rank == PRO_RATA_LOTS:
        return 1.0 * abs(lots)
    if rank == PRO_RATA_WEALTH:
        return 1.0 * np.minimum(profit, wealth)
    if rank == PRO_RATA_LEVERAGE_PNL:
        return leverage * profit
    # PRO_RATA_PNL and MIN_MAX
    return 1.0 * profit


def light_percent(above: Numbers, total: Numbers) -> Numbers:
    """Return the light a trader is shown, 20 to 100 percent: `above` of `total` lots are his or before his (R-W85).

    Rounded up to fifths; 20 percent is deleveraged first. Source: BitMEX, auto-deleveraging examples.
    """
    return -(-5 * above // total) * 20


def fund_accepts(
    loss_atoms: int, equity_atoms: int, warehouse_atoms: int, floor_atoms: int, cap_atoms: int, leverage: int
) -> bool:
    """Say whether the fund takes a position over, from its loss at mark and its state before and after (R-W5)."""
    room = equity_atoms - loss_atoms - floor_atoms
    capped = cap_atoms > 0 and loss_atoms > cap_atoms
    # warehouse <= leverage * room, without a product that could overflow
    return not capped and room >= 0 and -(-warehouse_atoms // leverage) <= room


def median_of_three(one: int, other: int, third: int) -> int:
    """Return the middle one of three numbers."""
    return max(min(one, other), min(max(one, other), third))


def mark_component_ticks(code: int, last: int, bid: int, ask: int, index: int, basis_microticks: int) -> int:
    """Return one component of a mark price in ticks (R-P2): that at place `code` of MARK_COMPONENTS; 0 is no price.

    The last one, INDEX_FUNDING, has a formula of its own.
    """
    assert LAST <= code <= INDEX_BASIS
    traded = last if last > 0 else index
    two_sided = bid > 0 and ask > 0
    if code == INDEX:
        return index
    if code == INDEX_BASIS:
        return index + (2 * basis_microticks + PPM) // (2 * PPM)
    if code == LAST or not two_sided:
        return traded
    if code == MID:
        return (bid + ask) // 2
    # BOOK: the last trade, kept between bid and ask
    return max(bid, min(ask, traded))


def index_funding_ticks(index: int, rate_ppb: int, left: int, interval: int) -> int:
    """Return the index with what is left of the last funding rate, in ticks (R-P2).

    That is index + index * rate * left // (10**9 * interval), in an order in which nothing overflows: the floor of a
    floor is the floor of the whole.
    """
    assert 0 <= left <= interval and interval > 0
    carried = index * rate_ppb
    return index + (carried // PPB * left + carried % PPB * left // PPB) // interval


def collar_ticks(mark_ticks: int, collar_ppm: int, price_max_ticks: int) -> tuple[int, int]:
    """Return the lowest and highest admissible price around a mark; a collar of 0 means none (R-O8)."""
    if collar_ppm == 0:
        return 1, price_max_ticks - 1
    low = -(-mark_ticks * (PPM - collar_ppm) // PPM)
    high = mark_ticks * (PPM + collar_ppm) // PPM
    return max(1, low), min(price_max_ticks - 1, high)
