"""What a cash amount would pay or get on average if it were walked into the book (R-P7)."""

from __future__ import annotations

from .contract import value_atoms
from .kernel import kernel
from .occupancy import next_above, next_below
from .tables import L_LOTS, M_BEST_ASK, M_BEST_BID, M_PRICE_MAX_TICKS, Tables
from .units import PPM, muldiv_down


@kernel
def impact_microticks(t: Tables, market: int, side: int, notional_atoms: int) -> int:
    """Return the average price in microticks at which an order of `side` trades so much value; 0 if the book is short.

    Levels from the best on are taken whole until what is left is no more than the next is worth; of that one the fewest
    whole lots that reach the amount. All lots of a level count, whoever they belong to. Rounded down.
    """
    assert notional_atoms > 0 and (side == 1 or side == -1)
    markets = t.markets
    price = markets[market, M_BEST_ASK] if side > 0 else markets[market, M_BEST_BID]
    left = notional_atoms
    lots = 0
    paid_ticks = 0
    while 0 < price < markets[market, M_PRICE_MAX_TICKS]:
        here = t.levels[market, price, L_LOTS]
        worth = value_atoms(t, market, here, price)
        assert here > 0 and worth > 0, "an occupied level holds lots"
        if worth >= left:
            taken = min(here, muldiv_down(here, left, worth) + 1)
            while taken > 1 and value_atoms(t, market, taken - 1, price) >= left:
                taken -= 1  # at most a few times: values of whole levels are rounded by less than an atom
            lots += taken
            paid_ticks += taken * price
            return paid_ticks // lots * PPM + muldiv_down(paid_ticks % lots, PPM, lots)
        left -= worth
        lots += here
        paid_ticks += here * price
        price = next_above(t.occupied, market, price) if side > 0 else next_below(t.occupied, market, price)
    return 0
