"""What a fill does to one side: lots, cost, realised profit, fees and pocket (R-M4 to R-M7)."""

from __future__ import annotations

from .contract import value_atoms, worth_of
from .events import Code
from .kernel import kernel
from .ledger import balance_atoms, post, touch
from .margin import equity_atoms, initial_ppm, unit_of
from .tables import (
    FEES,
    FUND,
    M_LONG_LOTS,
    M_SUM_COST_ATOMS,
    P_COST_ATOMS,
    P_LOTS,
    SETTLEMENT,
    V_ACCOUNTS,
    V_LIQUIDATION_PPM,
    V_LIQUIDATION_SHARE_PPM,
    V_LOTS_MAX,
    V_MARKETS,
    V_ROUND_FEE_UP,
    Tables,
)
from .units import ppm_down, ppm_up, share_down

REALISED = int(Code.REALISED)
FEE = int(Code.FEE)
LIQUIDATION_FEE = int(Code.LIQUIDATION_FEE)
MARGIN_IN = int(Code.MARGIN_IN)
MARGIN_OUT = int(Code.MARGIN_OUT)


@kernel
def settle_side(
    t: Tables,
    account: int,
    market: int,
    lots: int,
    price_ticks: int,
    fee_ppm: int,
    liquidating: bool,
    cause: int,
) -> int:
    """Settle one side of a fill of signed `lots` at a price; return the value of the fill. See `settle_value`."""
    assert lots != 0 and price_ticks >= 1
    value = value_atoms(t, market, abs(lots), price_ticks)
    settle_value(t, account, market, lots, price_ticks, value, fee_ppm, liquidating, cause)
    return value


@kernel
def settle_value(
    t: Tables,
    account: int,
    market: int,
    lots: int,
    price_ticks: int,
    value: int,
    fee_ppm: int,
    liquidating: bool,
    cause: int,
) -> None:
    """Settle one side of a fill of signed `lots` that are worth `value` atoms, at about a price (R-M4, R-U5).

    Both sides of a fill settle the same value, whatever each of them closes and opens: what opens is worth the value
    less that of what closes. Modifies the position, open interest and cost control total of its market, and posts
    realised profit, the fee at `fee_ppm`, and margin moved into or out of a pocket. `liquidating`: the unit is being
    liquidated by this fill, so that its pocket releases nothing while lots are left (R-M7).
    """
    positions, markets, venue = t.positions, t.markets, t.venue
    row = account * venue[V_MARKETS] + market
    unit = unit_of(t, account, market)
    pocketed = unit != account and account < venue[V_ACCOUNTS]
    held = positions[row, P_LOTS]
    closing = min(abs(lots), abs(held)) if held * lots < 0 else 0
    opening = abs(lots) - closing
    after = held + lots
    assert value >= 1, "lots are worth something at any price"
    assert closing >= 0 and opening >= 0 and closing <= abs(held)
    assert abs(after) <= 2 * venue[V_LOTS_MAX], "R-U4: a position is at most twice lots_max"
    closed_value = share_of_value(t, market, closing, abs(lots), price_ticks, value)
    fee = fee_atoms(t, value, fee_ppm)
    before = balance_atoms(t, unit)
    if pocketed and closing == 0:
        _move_margin_in(t, account, market, unit, opening, after, price_ticks, max(0, fee), cause)
    cost = positions[row, P_COST_ATOMS]
    removed = 0
    realised = 0
    if closing > 0:
        direction = 1 if held > 0 else -1
        removed = share_down(abs(cost), closing, abs(held)) * (1 if cost > 0 else -1)
        realised = direction * worth_of(t, closed_value) - removed
    direction = 1 if lots > 0 else -1
    positions[row, P_LOTS] = after
    positions[row, P_COST_ATOMS] = cost - removed + direction * worth_of(t, value - closed_value)
    markets[market, M_SUM_COST_ATOMS] += positions[row, P_COST_ATOMS] - cost
    markets[market, M_LONG_LOTS] += max(0, after) - max(0, held)
    assert after != 0 or positions[row, P_COST_ATOMS] == 0, "a flat position has no cost"
    assert after == 0 or (after > 0) == (worth_of(t, positions[row, P_COST_ATOMS]) > 0), "cost has its sign"
    assert markets[market, M_LONG_LOTS] >= 0
    touch(t, unit)
    _post_signed(t, venue[V_ACCOUNTS] + SETTLEMENT, unit, realised, REALISED, cause)
    _post_signed(t, unit, venue[V_ACCOUNTS] + FEES, fee, FEE, cause)
    if pocketed and closing > 0 and not liquidating:
        _release_margin(t, account, unit, before, realised, closing, abs(held), cause)
        if opening > 0:
            debt = max(0, -balance_atoms(t, unit))
            _move_margin_in(t, account, market, unit, opening, after, price_ticks, debt, cause)


@kernel
def share_of_value(t: Tables, market: int, part: int, lots: int, price_ticks: int, value: int) -> int:
    """Return what `part` of so many lots is worth of the value they are exchanged for, below it unless all close."""
    if part == lots:
        return value
    if part == 0:
        return 0
    whole = value_atoms(t, market, lots, price_ticks)
    if value == whole:
        return value_atoms(t, market, part, price_ticks)
    return min(value - 1, share_down(value, part, lots))


@kernel
def fee_atoms(t: Tables, value: int, rate_ppm: int) -> int:
    """Return the fee of a fill, negative for a rebate (R-M6)."""
    if rate_ppm == 0:
        return 0
    if rate_ppm < 0:
        return -ppm_down(value, -rate_ppm)
    return ppm_up(value, rate_ppm) if t.venue[V_ROUND_FEE_UP] else ppm_down(value, rate_ppm)


@kernel
def _post_signed(t: Tables, source: int, target: int, amount: int, code: int, cause: int) -> None:
    """Post `amount` from source to target, or back if it is negative."""
    if amount > 0:
        post(t, source, target, amount, code, cause)
    elif amount < 0:
        post(t, target, source, -amount, code, cause)


@kernel
def charge_liquidation_fee(t: Tables, account: int, market: int, value: int, cause: int) -> int:
    """Pay the liquidation fee of a forced fill to the market's fund, out of what equity is left; return it (R-W7)."""
    if account == t.venue[V_ACCOUNTS] + FUND:
        return 0
    unit = unit_of(t, account, market)
    fee = min(fee_atoms(t, value, t.venue[V_LIQUIDATION_PPM]), max(0, equity_atoms(t, unit)))
    if fee > 0:
        share = ppm_down(fee, t.venue[V_LIQUIDATION_SHARE_PPM])
        _post_signed(t, unit, unit_of(t, t.venue[V_ACCOUNTS] + FUND, market), share, LIQUIDATION_FEE, cause)
        _post_signed(t, unit, t.venue[V_ACCOUNTS] + FEES, fee - share, LIQUIDATION_FEE, cause)
    return max(0, fee)


@kernel
def release_flat_pocket(t: Tables, account: int, market: int, cause: int) -> None:
    """Give what is left in the pocket of a closed position back to the cross unit (R-M7)."""
    unit = unit_of(t, account, market)
    left = balance_atoms(t, unit)
    if account >= t.venue[V_ACCOUNTS]:
        return  # a fund keeps what it has
    if unit != account and t.positions[account * t.venue[V_MARKETS] + market, P_LOTS] == 0 and left > 0:
        post(t, unit, account, left, MARGIN_OUT, cause)


@kernel
def _move_margin_in(
    t: Tables,
    account: int,
    market: int,
    unit: int,
    opening: int,
    lots_after: int,
    price_ticks: int,
    extra: int,
    cause: int,
) -> None:
    """Move the margin of newly opened lots, and `extra` atoms, from the cross unit to the pocket (R-M7)."""
    rate = initial_ppm(t, account, market, lots_after, value_atoms(t, market, abs(lots_after), price_ticks))
    wanted = ppm_up(value_atoms(t, market, opening, price_ticks), rate) + extra
    assert wanted >= 0 and unit != account
    amount = min(wanted, max(0, balance_atoms(t, account)))
    if amount > 0:
        post(t, account, unit, amount, MARGIN_IN, cause)


@kernel
def _release_margin(
    t: Tables, account: int, unit: int, before: int, realised: int, closing: int, held: int, cause: int
) -> None:
    """Move the closed lots' share of the pocket, with their profit, back to the cross unit (R-M7)."""
    assert 0 < closing <= held
    left = balance_atoms(t, unit)
    amount = max(0, left)
    if closing < held:
        share = share_down(max(0, before), closing, held)
        amount = max(0, min(share + realised, before + realised, left))
    if amount > 0:
        post(t, unit, account, amount, MARGIN_OUT, cause)


@kernel
def closable_lots(t: Tables, account: int, market: int, side: int) -> int:
    """Return how many lots an order of `side` may trade if it may only reduce the position (R-O4)."""
    held = t.positions[account * t.venue[V_MARKETS] + market, P_LOTS]
    return max(0, -side * held)
