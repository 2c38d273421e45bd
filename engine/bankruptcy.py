"""The money for which a part of a position changes hands at its bankruptcy price, to the atom (R-A11).

A bankruptcy price that is rounded to a tick leaves up to a tick of the position's value with the unit. Venues that
settle in money instead use the quote: what the unit receives for the part such that exactly the part's share of its
equity is used up.
"""

from __future__ import annotations

from .contract import value_atoms, worth_atoms, worth_of
from .kernel import kernel
from .margin import equity_atoms, open_positions, owner_of, position_maintenance_atoms, unit_maintenance_atoms
from .tables import M_MARK_TICKS, M_PRICE_MAX_TICKS, P_LOTS, V_INVERSE, V_MARKETS, Tables
from .units import muldiv_down, muldiv_up


@kernel
def bankruptcy_quote_atoms(t: Tables, unit: int, market: int, lots: int) -> int:
    """Return what a unit receives, signed, if it trades `lots` to close that part of its position (R-A11).

    -worth of the trade at mark - equity * |change of maintenance| / maintenance of the unit, rounded up. `lots` has the
    other sign than the position and no more lots. Without any requirement the equity is shared equally among positions
    and pro rata to lots. Source: dYdX v4, `GetBankruptcyPriceInQuoteQuantums` (v4-chain 84d4664).
    """
    held = t.positions[owner_of(t, unit) * t.venue[V_MARKETS] + market, P_LOTS]
    assert held * lots < 0 and abs(lots) <= abs(held), "only a position that is there can be closed"
    mark = t.markets[market, M_MARK_TICKS]
    change = worth_atoms(t, market, held + lots, mark) - worth_atoms(t, market, held, mark)
    equity, whole = equity_atoms(t, unit), unit_maintenance_atoms(t, unit)
    if whole > 0:
        part = _freed_atoms(t, owner_of(t, unit), market, held, held + lots, mark)
    else:
        part, whole = abs(lots), abs(held) * open_positions(t, unit)
    share = muldiv_down(equity, part, whole) if equity >= 0 else -muldiv_up(-equity, part, whole)
    return -change - share


@kernel
def _freed_atoms(t: Tables, account: int, market: int, held: int, kept: int, mark_ticks: int) -> int:
    """Return how much less maintenance margin a part of a position needs than all of it."""
    all_of_it = position_maintenance_atoms(t, account, market, held, mark_ticks)
    return abs(all_of_it - position_maintenance_atoms(t, account, market, kept, mark_ticks))


@kernel
def bankruptcy_value_atoms(t: Tables, unit: int, market: int, lots: int) -> int:
    """Return the value at which that part of a position changes hands: of the quote, within those of the price range.

    What `settle_value` and `transfer_value` take; `lots` as in `bankruptcy_quote_atoms`.
    """
    quote = bankruptcy_quote_atoms(t, unit, market, lots)
    value = worth_of(t, quote if lots < 0 else -quote)
    low = value_atoms(t, market, abs(lots), 1)
    high = value_atoms(t, market, abs(lots), t.markets[market, M_PRICE_MAX_TICKS] - 1)
    if t.venue[V_INVERSE]:
        low, high = high, low
    assert 1 <= low <= high
    return max(low, min(high, value))
