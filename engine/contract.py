"""The payoff of a contract: value, worth, profit, bankruptcy price (R-U2, R-U5, R-U6, R-A4, R-A9).

A *value* is the size of a position in money and has the sign of its lots. A *worth* is what a position adds to its
unit's equity when entry cost is taken off: it always rises for a long when the price does. The two are the same for
linear and quanto contracts; the worth of an inverse one is its value with the other sign, because a long owes coins and
owes fewer of them at a higher price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kernel import kernel
from .tables import (
    M_MULTIPLIER_ATOMS,
    M_PRICE_MAX_TICKS,
    V_CLOSING_FEE_PPM,
    V_INVERSE,
    V_ROUND_BANKRUPTCY_INWARD,
    Table,
    Tables,
)
from .units import PPM, muldiv_down, muldiv_up, ppm_up

if TYPE_CHECKING:
    from .rules.contract import Contract

CONTRACT_SWITCHES = [V_INVERSE, V_CLOSING_FEE_PPM]


def fill_contract(venue: Table, contract: Contract) -> None:
    """Copy the payoff of the rule set into the venue's columns."""
    venue[V_INVERSE] = int(contract.payoff == "inverse")
    venue[V_CLOSING_FEE_PPM] = 0 if contract.closing_fee is None else contract.closing_fee.fee_ppm


@kernel
def value_atoms(t: Tables, market: int, lots: int, price_ticks: int) -> int:
    """Return the value of `lots` at a price; signed like the lots, an inverse one rounded towards zero (R-U2, R-U5)."""
    if t.venue[V_INVERSE]:
        assert price_ticks >= 1
        size = abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS] // price_ticks
        return size if lots > 0 else -size
    return lots * t.markets[market, M_MULTIPLIER_ATOMS] * price_ticks


@kernel
def worth_atoms(t: Tables, market: int, lots: int, price_ticks: int) -> int:
    """Return the worth of signed `lots` at a price: its difference between two prices is the profit (R-U5, R-A4)."""
    return worth_of(t, value_atoms(t, market, lots, price_ticks))


@kernel
def worth_of(t: Tables, value: int) -> int:
    """Return the worth that a signed value has: a long of an inverse contract owes it."""
    return -value if t.venue[V_INVERSE] else value


@kernel
def entry_ticks(t: Tables, market: int, lots: int, cost_atoms: int) -> int:
    """Return the average entry price of signed lots, rounded down; 0 without a position (R-M3)."""
    if lots == 0:
        return 0
    assert cost_atoms != 0, "an open position has a cost"
    per_tick = abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS]
    return per_tick // abs(cost_atoms) if t.venue[V_INVERSE] else abs(cost_atoms) // per_tick


@kernel
def bankruptcy_ticks(t: Tables, market: int, lots: int, mark_ticks: int, equity_atoms: int) -> int:
    """Return the price at which a position's share of equity is used up (R-A9), within 1 .. price_max - 1.

    `lots` is signed and not zero, `equity_atoms` the position's share of its unit's equity at the mark. Where the rule
    leaves room for the closing fee, it is the price at which that and the loss use the equity up (R-U6).
    """
    assert lots != 0 and mark_ticks >= 1
    inward = t.venue[V_ROUND_BANKRUPTCY_INWARD] != 0
    if t.venue[V_INVERSE] == 0 and t.venue[V_CLOSING_FEE_PPM] == 0:
        per_tick = abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS]
        away = equity_atoms // per_tick if inward else -(-equity_atoms // per_tick)
        # mark - E / per_tick: rounded up is mark - floor(E / per_tick)
        price = mark_ticks - away if lots > 0 else mark_ticks + away
    else:
        price = price_of_value(t, market, lots, 1, exit_value_atoms(t, market, lots, mark_ticks, equity_atoms), inward)
    return max(1, min(t.markets[market, M_PRICE_MAX_TICKS] - 1, price))


@kernel
def bankruptcy_microticks(t: Tables, market: int, lots: int, mark_ticks: int, equity_atoms: int) -> int:
    """Return the price of `bankruptcy_ticks` in millionths of a tick, rounded likewise; 0 or above, not bounded above.

    What a venue publishes before it rounds to a tick.
    """
    inward = t.venue[V_ROUND_BANKRUPTCY_INWARD] != 0
    value = exit_value_atoms(t, market, lots, mark_ticks, equity_atoms)
    return price_of_value(t, market, lots, PPM, value, inward)


@kernel
def exit_value_atoms(t: Tables, market: int, lots: int, mark_ticks: int, equity_atoms: int) -> int:
    """Return the value at which signed lots must be closed for their equity to be used up, fee included; 0 or above.

    A linear long and an inverse short sell that value, after the fee it must be value - equity: V (1 - f) = N - E. A
    linear short and an inverse long pay it and the fee: V (1 + f) = N + E. Rounded so that the equity suffices (R-U6).
    """
    value = value_atoms(t, market, abs(lots), mark_ticks)
    fee_ppm = t.venue[V_CLOSING_FEE_PPM]
    assert 0 <= fee_ppm < PPM
    receives = (lots > 0) == (t.venue[V_INVERSE] == 0)
    if receives:
        left = max(0, value - equity_atoms)
        return left if fee_ppm == 0 else muldiv_up(left, PPM, PPM - fee_ppm)
    left = max(0, value + equity_atoms)
    return left if fee_ppm == 0 else muldiv_down(left, PPM, PPM + fee_ppm)


@kernel
def price_of_value(t: Tables, market: int, lots: int, parts: int, value: int, inward: bool) -> int:
    """Return the price, in ticks / `parts`, at which signed lots have a value; rounded up for a long if `inward`."""
    per_tick = abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS]
    up = (lots > 0) == inward
    assert value >= 0 and per_tick > 0
    amount, whole = (per_tick, value) if t.venue[V_INVERSE] else (value, per_tick)
    if whole == 0:
        return parts * t.markets[market, M_PRICE_MAX_TICKS]  # no price is high enough for an inverse value of 0
    return muldiv_up(amount, parts, whole) if up else muldiv_down(amount, parts, whole)


@kernel
def price_between_microticks(t: Tables, first_ticks: int, last_ticks: int, part_ppm: int) -> int:
    """Return the price, in millionths of a tick, at which a value is a part of the way from one price to the next.

    On an inverse contract that is a part of the way between the reciprocals (R-A10).
    """
    assert abs(first_ticks - last_ticks) == 1 and 0 <= part_ppm <= PPM
    if t.venue[V_INVERSE]:
        whole = last_ticks * PPM + (first_ticks - last_ticks) * part_ppm
        return muldiv_down(first_ticks * last_ticks * PPM, PPM, whole)
    return first_ticks * PPM + (last_ticks - first_ticks) * part_ppm


@kernel
def lookout_ticks(
    t: Tables, market: int, lots: int, mark_ticks: int, share_atoms: int, steepest_ppm: int, level_ppm: int
) -> int:
    """Return a price beyond which signed lots may have lost `share_atoms`; before it they have not.

    What the unit needs rises with the position's value, by at most `steepest_ppm` times `level_ppm`, the highest
    multiple of maintenance margin that is looked out for. A price outside 1 .. price_max - 1 says: never.
    """
    assert lots != 0 and share_atoms >= 0 and level_ppm >= PPM
    rate_ppm = ppm_up(steepest_ppm, level_ppm)
    if t.venue[V_INVERSE]:
        # Each value is rounded by less than an atom, each requirement too, and a level multiplies that.
        share = max(0, share_atoms - 2 - 2 * (level_ppm // PPM + 1))
        return _inverse_lookout_ticks(t, market, lots, mark_ticks, share, rate_ppm)
    per_tick = abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS]
    if lots > 0:
        return mark_ticks - share_atoms // per_tick
    return mark_ticks + share_atoms // (per_tick + ppm_up(per_tick, rate_ppm) + 1)


@kernel
def _inverse_lookout_ticks(t: Tables, market: int, lots: int, mark_ticks: int, share: int, rate_ppm: int) -> int:
    """Return the look-out price of an inverse position; its value is convex, so that it is solved for and not stepped.

    A long loses V(p) - V(mark) when the price falls, and what it needs rises with that; a short loses V(mark) - V(p).
    """
    faces = abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS]
    value = faces // mark_ticks
    if lots > 0:
        most = value + muldiv_down(share, PPM, PPM + rate_ppm)
        return min(mark_ticks, faces // most + 1)
    least = value + 1 - share
    if least <= 0:
        return t.markets[market, M_PRICE_MAX_TICKS]  # not even a price without end would use the share up
    return max(mark_ticks, faces // least)
