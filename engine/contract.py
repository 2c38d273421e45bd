"""The payoff of a linear contract: value, profit, bankruptcy price (R-U2, R-A4, R-A9)."""

from __future__ import annotations

from .kernel import kernel
from .tables import M_MULTIPLIER_ATOMS, M_PRICE_MAX_TICKS, V_ROUND_BANKRUPTCY_INWARD, Tables


@kernel
def value_atoms(t: Tables, market: int, lots: int, price_ticks: int) -> int:
    """Return the value of `lots` at a price; signed like the lots."""
    return lots * t.markets[market, M_MULTIPLIER_ATOMS] * price_ticks


@kernel
def bankruptcy_ticks(t: Tables, market: int, lots: int, mark_ticks: int, equity_atoms: int) -> int:
    """Return the price at which a position's share of equity is used up (R-A9), within 1 .. price_max - 1.

    `lots` is signed and not zero, `equity_atoms` the position's share of its unit's equity at the mark.
    """
    assert lots != 0 and mark_ticks >= 1
    per_tick = abs(lots) * t.markets[market, M_MULTIPLIER_ATOMS]
    inward = t.venue[V_ROUND_BANKRUPTCY_INWARD]
    if lots > 0:
        # mark - E / per_tick: rounded up is mark - floor(E / per_tick)
        price = mark_ticks - (equity_atoms // per_tick if inward else -(-equity_atoms // per_tick))
    else:
        price = mark_ticks + (equity_atoms // per_tick if inward else -(-equity_atoms // per_tick))
    return max(1, min(t.markets[market, M_PRICE_MAX_TICKS] - 1, price))
