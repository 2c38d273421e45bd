"""Requirements, equity, exposure, free collateral, liquidation and bankruptcy price (R-A)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

from . import assets, pockets, schedules
from .state import FUND, PPM, State, clamp, owner_of, ppm_up, sign


def maintenance_of(state: State, market: int, lots: int, price: int) -> int:
    """Return the maintenance margin of so many lots at a price (R-A2)."""
    return schedules.maintenance_atoms(state, market, lots, abs(state.value(market, lots, price)))


def initial_of(state: State, account: int, market: int, lots: int) -> int:
    """Return the initial margin of so many lots at mark (R-A3)."""
    value = abs(state.value(market, lots, state.mark[market]))
    return schedules.initial_atoms(state, account, market, lots, value)


def unrealised(state: State, owner: Any, market: int, price: int | None = None) -> int:
    """Return the unrealised profit of a position at mark, or at another price (R-A4)."""
    position = state.position(owner, market)
    return state.worth(market, position.lots, state.mark[market] if price is None else price) - position.cost


def unit_unrealised(state: State, unit: Any) -> int:
    """Return the unrealised profit of all positions of a unit."""
    return sum(unrealised(state, owner_of(unit), m) for m in state.markets_of(unit))


def equity(state: State, unit: Any) -> int:
    """Return balance + unrealised profit of a unit, and what its assets count for (R-A4, R-C4)."""
    return state.balances[unit] + unit_unrealised(state, unit) + assets.credited(state, unit)


def maintenance(state: State, unit: Any) -> int:
    """Return the maintenance margin of a unit (R-A4)."""
    owner = owner_of(unit)
    return sum(maintenance_at(state, owner, m, state.mark[m]) for m in state.markets_of(unit))


def part_maintenance(state: State, owner: Any, market: int, lots: int) -> int:
    """Return the maintenance margin at mark of signed lots, all or some of a position (R-A28)."""
    return schedules.position_maintenance(state, owner, market, lots, state.mark[market])


def maintenance_at(state: State, owner: Any, market: int, price: int) -> int:
    """Return the maintenance margin of a position at a price (R-A28)."""
    return schedules.position_maintenance(state, owner, market, state.position(owner, market).lots, price)


def under(state: State, equity_atoms: int, maintenance_atoms: int) -> bool:
    """Say whether an equity is too small for a maintenance margin (R-W1, R-W28)."""
    levels = state.rules["liquidation"].get("levels")
    start = ppm_up(maintenance_atoms, levels["start_ppm"]) if levels else maintenance_atoms
    return equity_atoms < start if state.rules["liquidation"]["trigger"] == "below" else equity_atoms <= start


def is_distressed(state: State, unit: Any) -> bool:
    """Say whether a trader unit has lots and too little equity for them, now (R-W1)."""
    return bool(state.held(unit)) and under(state, equity(state, unit), maintenance(state, unit))


def exposure(
    state: State, account: int, market: int, more_lots: int = 0, more_bids: int = 0, more_asks: int = 0
) -> int:
    """Return the largest |lots| the resting orders can lead to, with something added (R-A6)."""
    up, down = exposures(state, account, market, more_lots, more_bids, more_asks)
    return max(abs(up), abs(down))


def exposures(
    state: State, account: int, market: int, more_lots: int = 0, more_bids: int = 0, more_asks: int = 0
) -> tuple[int, int]:
    """Return the signed lots if all bids trade, and if all asks do, with something added (R-A6)."""
    lots = state.position(account, market).lots + more_lots
    mine = [o for o in state.resting[market] if o.account == account and not o.reduce_only]
    bids = more_bids + sum(o.lots for o in mine if o.side > 0)
    asks = more_asks + sum(o.lots for o in mine if o.side < 0)
    return lots + bids, lots - asks


def exposure_need(state: State, account: int, market: int, **more: int) -> int:
    """Return the initial margin of the side of the exposure that needs more (R-A30)."""
    up, down = exposures(state, account, market, **more)
    return max(initial_of(state, account, market, max(0, up)), initial_of(state, account, market, min(0, down)))


def free_collateral(state: State, account: int, changed_market: int | None = None, **more: int) -> int:
    """Return the free collateral of an account, with more lots, bids or asks in one market (R-A5, R-A30)."""
    free = equity(state, ("cross", account))
    for m in range(len(state.markets)):
        required = exposure_need(state, account, m, **(more if m == changed_market else {}))
        if state.isolated[account, m]:
            required = max(0, required - initial_of(state, account, m, state.position(account, m).lots))
        free -= required
    return free


def equity_share(state: State, unit: Any, market: int, equity_atoms: int) -> int:
    """Return the part of a unit's equity that stands behind one of its positions (R-A9)."""
    held = state.held(unit)
    if held == [market]:
        return equity_atoms
    owner = owner_of(unit)
    whole = maintenance(state, unit)
    if whole == 0:
        return sign(equity_atoms) * (abs(equity_atoms) // len(held))
    part = maintenance_at(state, owner, market, state.mark[market])
    return sign(equity_atoms) * (abs(equity_atoms) * part // whole)


def bankruptcy_price(state: State, unit: Any, market: int, less: int = 0) -> int:
    """Return the price at which the position's share of the unit's equity (less something) is gone (R-A9)."""
    lots = state.position(owner_of(unit), market).lots
    share = equity_share(state, unit, market, equity(state, unit) - less)
    highest = state.markets[market].price_max - 1
    exact = zero_equity_price(state, market, lots, share)
    if exact is None:
        return highest
    inward = state.rules["rounding"]["bankruptcy_price"] == "inward"
    price = ceil(exact) if (lots > 0) == inward else floor(exact)
    return clamp(price, 1, highest)


def zero_equity_price(state: State, market: int, lots: int, share: int) -> Fraction | None:
    """Return the price at which closing signed lots leaves nothing of a share of equity, None if all are too low.

    Closing takes place at a value V of whole atoms, and costs a fee of it if the rule says so (R-A9, R-U6): who pays V
    pays V (1 + fee) = N + E at most, who receives it needs V (1 - fee) = N - E at least.
    """
    faces = abs(lots) * state.markets[market].multiplier
    value = state.value(market, abs(lots), state.mark[market])
    fee = Fraction((state.rules["contract"].get("closing_fee") or {"fee_ppm": 0})["fee_ppm"], PPM)
    if (lots < 0) == state.inverse():
        exit_value = ceil(max(0, value - share) / (1 - fee))
    else:
        exit_value = floor(max(0, value + share) / (1 + fee))
    if not state.inverse():
        return Fraction(exit_value, faces)
    return Fraction(faces, exit_value) if exit_value else None


def liquidation_price(state: State, unit: Any, market: int) -> int:
    """Return the first price in the losing direction at which the unit is distressed, or 0 (R-A9)."""
    lots = state.position(owner_of(unit), market).lots
    if lots == 0 or unit == FUND:
        return 0
    mark = state.mark[market]
    prices = range(mark, 0, -1) if lots > 0 else range(mark, state.markets[market].price_max)
    others_equity = equity(state, unit) + pockets.general(state, unit) - unrealised(state, owner_of(unit), market)
    others_maintenance = maintenance(state, unit) - maintenance_at(state, owner_of(unit), market, mark)
    for price in prices:
        at_price = others_equity + unrealised(state, owner_of(unit), market, price)
        if under(state, at_price, others_maintenance + maintenance_at(state, owner_of(unit), market, price)):
            return price
    return 0
