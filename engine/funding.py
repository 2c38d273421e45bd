"""Premium samples and funding payments (R-F)."""

from __future__ import annotations

from .contract import value_atoms
from .events import Code, has_room
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import unit_of
from .tables import (
    BAD_DEBT,
    FUNDING,
    M_BASIS_MICROTICKS,
    M_BEST_ASK,
    M_BEST_BID,
    M_FUNDING_PPB,
    M_INDEX_TICKS,
    M_PREMIUM_COUNT,
    M_PREMIUM_SUM_PPB,
    M_PRICE_MAX_TICKS,
    P_LOTS,
    ROUNDING,
    V_ACCOUNTS,
    V_FUND_FLOOR_ATOMS,
    V_MARKETS,
    V_PREMIUM_RULE,
    Tables,
)
from .units import PPB, PPM, muldiv_down, ppb_down, ppb_up

FUNDING_CODE = int(Code.FUNDING)
ROUNDING_CODE = int(Code.ROUNDING)
BAD_DEBT_CODE = int(Code.BAD_DEBT)


@kernel
def sample(t: Tables, alpha_ppm: int) -> None:
    """Take one premium sample and renew the average basis of every market (R-P1, R-F1)."""
    markets = t.markets
    for market in range(t.venue[V_MARKETS]):
        bid = markets[market, M_BEST_BID]
        ask = markets[market, M_BEST_ASK]
        index = markets[market, M_INDEX_TICKS]
        assert index >= 1 and bid < ask
        markets[market, M_PREMIUM_COUNT] += 1 - t.venue[V_PREMIUM_RULE]
        if bid > 0 and ask < markets[market, M_PRICE_MAX_TICKS]:
            gap = bid + ask - 2 * index
            if not t.venue[V_PREMIUM_RULE]:
                markets[market, M_PREMIUM_SUM_PPB] += gap * PPB // (2 * index)
            basis = markets[market, M_BASIS_MICROTICKS]
            markets[market, M_BASIS_MICROTICKS] = basis + (gap * (PPM // 2) - basis) * alpha_ppm // PPM


@kernel
def pay_funding(t: Tables, market: int, price_ticks: int, per_lot: int, scale: int, row: int, receiving: bool) -> int:
    """Let positions of a market pay (or, `receiving`, get) funding, from row `row` on (R-F3).

    Each pays the market's last rate of its value at `price_ticks`, or, if `scale` is above 0, `per_lot` / `scale` atoms
    a lot (R-F8, R-F11). Rows go over traders' accounts; the fund comes last. Returns the next row; below A + 1 the
    event buffer is full.
    """
    venue = t.venue
    accounts = venue[V_ACCOUNTS]
    rate = per_lot if scale > 0 else t.markets[market, M_FUNDING_PPB]
    pot = accounts + FUNDING
    while row <= accounts:
        if not has_room(t):
            return row
        lots = t.positions[row * venue[V_MARKETS] + market, P_LOTS]
        pays = (lots > 0) == (rate > 0)
        if lots != 0 and rate != 0 and pays != receiving:
            unit = unit_of(t, row, market)
            due = _due_atoms(t, market, abs(lots), price_ticks, abs(rate), scale, not receiving)
            if receiving:
                _post_some(t, pot, unit, due, FUNDING_CODE)
            elif row < accounts:
                _post_some(t, unit, pot, due, FUNDING_CODE)
            else:
                _fund_pays(t, unit, pot, due)
        row += 1
    return row


@kernel
def _due_atoms(t: Tables, market: int, lots: int, price_ticks: int, rate: int, scale: int, up: bool) -> int:
    """Return what so many lots pay (rounded up) or get (rounded down); all numbers are positive but `scale`."""
    assert lots > 0 and rate > 0
    if scale > 0:
        due = muldiv_down(rate, lots, scale)
        exact = rate % scale * (lots % scale) % scale == 0
        return due if exact or not up else due + 1
    value = value_atoms(t, market, lots, price_ticks)
    return ppb_up(value, rate) if up else ppb_down(value, rate)


@kernel
def _fund_pays(t: Tables, fund: int, pot: int, due: int) -> None:
    """Let a fund pay what it has above its floor, and bad debt the rest."""
    assert due >= 0
    paid = min(due, max(0, balance_atoms(t, fund) - t.venue[V_FUND_FLOOR_ATOMS]))
    _post_some(t, fund, pot, paid, FUNDING_CODE)
    _post_some(t, t.venue[V_ACCOUNTS] + BAD_DEBT, pot, due - paid, BAD_DEBT_CODE)


@kernel
def clear_rounding(t: Tables) -> None:
    """Post what is left of the payments to the venue's rounding account."""
    pot = t.venue[V_ACCOUNTS] + FUNDING
    left = balance_atoms(t, pot)
    assert left >= 0, "payers pay rounded up, receivers get rounded down"
    _post_some(t, pot, t.venue[V_ACCOUNTS] + ROUNDING, left, ROUNDING_CODE)


@kernel
def _post_some(t: Tables, debit: int, credit: int, amount: int, code: int) -> None:
    """Post an amount unless it is zero."""
    if amount > 0:
        post(t, debit, credit, amount, code, 0)
