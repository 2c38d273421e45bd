"""Requirements, equity, exposure, free collateral, liquidation and bankruptcy price (R-A)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

from . import pockets
from .state import ATOMS_PER_QUOTE, FUND, PPM, State, ceil_div, clamp, owner_of, ppm_down, ppm_up, sign


def tier(state: State, market: int, value: int) -> tuple[int, int, int]:
    """Return (initial ppm, maintenance ppm, deduction atoms) of the tier of a position value (R-A1, R-A3)."""
    margin = state.rules["margin"]
    tiers = margin["markets"].get(state.markets[market].symbol, margin["tiers"])
    found, deduction, before = None, 0, None
    for row in tiers:
        floor_atoms = row["floor_quote"] * ATOMS_PER_QUOTE
        if before is not None:
            deduction += floor_atoms * (row["maintenance_ppm"] - before) // PPM
        before = row["maintenance_ppm"]
        if floor_atoms <= value:
            initial = row["initial_ppm"]
            if margin["leverage_max"] > 0:
                initial = max(initial, ceil_div(PPM, margin["leverage_max"]))
            found = (initial, row["maintenance_ppm"], deduction)
    assert found is not None
    return found


def rounded(state: State, value: int, rate_ppm: int) -> int:
    """Return a requirement rounded as the rule says (R-A2)."""
    up = state.rules["rounding"]["requirement"] == "up"
    return ppm_up(value, rate_ppm) if up else ppm_down(value, rate_ppm)


def maintenance_of(state: State, market: int, lots: int, price: int) -> int:
    """Return the maintenance margin of so many lots at a price (R-A2)."""
    value = state.value(market, abs(lots), price)
    _, maintenance_ppm, deduction = tier(state, market, value)
    return max(0, rounded(state, value, maintenance_ppm) - deduction)


def initial_of(state: State, account: int, market: int, lots: int) -> int:
    """Return the initial margin of so many lots at mark (R-A3)."""
    value = state.value(market, abs(lots), state.mark[market])
    initial_ppm = tier(state, market, value)[0]
    return max(rounded(state, value, initial_ppm), rounded(state, value, state.own_ppm[account, market]))


def unrealised(state: State, owner: Any, market: int, price: int | None = None) -> int:
    """Return the unrealised profit of a position at mark, or at another price (R-A4)."""
    position = state.position(owner, market)
    return state.worth(market, position.lots, state.mark[market] if price is None else price) - position.cost


def unit_unrealised(state: State, unit: Any) -> int:
    """Return the unrealised profit of all positions of a unit."""
    return sum(unrealised(state, owner_of(unit), m) for m in state.markets_of(unit))


def equity(state: State, unit: Any) -> int:
    """Return balance + unrealised profit of a unit (R-A4)."""
    return state.balances[unit] + unit_unrealised(state, unit)


def maintenance(state: State, unit: Any) -> int:
    """Return the maintenance margin of a unit (R-A4)."""
    owner = owner_of(unit)
    return sum(maintenance_of(state, m, state.position(owner, m).lots, state.mark[m]) for m in state.markets_of(unit))


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
    lots = state.position(account, market).lots + more_lots
    mine = [o for o in state.resting[market] if o.account == account and not o.reduce_only]
    bids = more_bids + sum(o.lots for o in mine if o.side > 0)
    asks = more_asks + sum(o.lots for o in mine if o.side < 0)
    return max(abs(lots + bids), abs(lots - asks))


def free_collateral(state: State, account: int, changed_market: int | None = None, changed_exposure: int = 0) -> int:
    """Return the free collateral of an account, with another exposure in one market if given (R-A5)."""
    free = equity(state, ("cross", account))
    for m in range(len(state.markets)):
        exposed = changed_exposure if m == changed_market else exposure(state, account, m)
        required = initial_of(state, account, m, exposed)
        if state.isolated[account, m]:
            held = abs(state.position(account, m).lots)
            required = max(0, required - initial_of(state, account, m, held))
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
    part = maintenance_of(state, market, state.position(owner, market).lots, state.mark[market])
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
    others_maintenance = maintenance(state, unit) - maintenance_of(state, market, lots, mark)
    for price in prices:
        at_price = others_equity + unrealised(state, owner_of(unit), market, price)
        if under(state, at_price, others_maintenance + maintenance_of(state, market, lots, price)):
            return price
    return 0
