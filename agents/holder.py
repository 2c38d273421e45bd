"""Holders of an asset's whole supply, whose demand in money is given from outside.

Their demand in money is the supply at the index price, whatever the price: at a price p they want supply x index / p
lots, so that alone they would trade at the index. Each quotes this curve as a ladder of limit orders, a rung a tick.
Source: Thurner, Farmer and Geanakoplos, "Leverage causes fat tails and clustered volatility", Quantitative Finance 12
(2012), whose noise traders' demand reverts to the value: the index path has to (`mean_reverting`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from delever.engine.kernel import kernel
from delever.engine.tables import A_ORDERS, M_INDEX_TICKS, M_PRICE_MAX_TICKS, P_LOTS, Table, Tables

from .account import position_row
from .cohort import Cohort, Commands
from .outbox import write_cancel_all, write_limit
from .parameters import CohortParameters, Numbers
from .view import Ints, View

FIRST_MARKET = 0


class HolderParameters(CohortParameters):
    """Holders of the supply of the first market, who quote their whole demand curve."""

    mean_interval_s: float = Field(default=1.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds; as long as a step or shorter: every step."""
    wealth_quote_median: float = Field(default=100_000_000.0, gt=0.0, le=9e9)
    """What a trader deposits at the start, in quote units: enough to be nobody's forced seller."""
    wealth_law: Literal["equal", "lognormal", "pareto"] = "equal"
    """Distribution of it: everybody the median, lognormal, or Pareto."""
    supply_lots: int = Field(default=10_000_000, ge=1, le=2**30 - 1)
    """Lots a trader holds outside the venue; its position is what it wants beyond them, a short one if less."""
    anchor_ticks: int = Field(default=1_000, ge=1, le=2**40)
    """Price to which the index reverts; the ladder reaches from the index to it, and a little further."""
    reach_ppm: int = Field(default=20_000, ge=0, le=500_000)
    """How much further, as a share of the price."""
    rungs_max: int = Field(default=3_000, ge=1, le=20_000)
    """Most orders on each side; those farthest from the price are left out."""


class Holder(Cohort):
    """Quotes its demand curve anew at every waking."""

    Parameters = HolderParameters
    parameters: HolderParameters

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return the cancellation of the old ladder and the new one, bids from the best down, asks from the best up."""
        out = self.outbox(len(wakers) * (2 * self.parameters.rungs_max + 1))
        return self.written(decide_holder(view.tables, self.numbers, self.rows, wakers, out))


@kernel
def decide_holder(t: Tables, numbers: Numbers, rows: Ints, wakers: Ints, out: Table) -> int:
    """Write the commands of all wakers to `out` and return how many there are."""
    p = numbers[0]
    row = 0
    index, price_max = t.markets[FIRST_MARKET, M_INDEX_TICKS], t.markets[FIRST_MARKET, M_PRICE_MAX_TICKS]
    for i in range(wakers.shape[0]):
        account = rows[wakers[i]]
        if t.accounts[account, A_ORDERS] > 0:
            row = write_cancel_all(out, row, account, FIRST_MARKET)
        supply, held = p["supply_lots"], t.positions[position_row(t, account, FIRST_MARKET), P_LOTS]
        best = best_bid_rung(supply, index, held)
        low = int(min(index, best) * (1.0 - p["reach_ppm"] / 1e6)) - 1
        high = int(max(index, p["anchor_ticks"], best) * (1.0 + p["reach_ppm"] / 1e6)) + 1
        low, high = max(1, low, best - p["rungs_max"] + 1), min(price_max - 1, high, best + p["rungs_max"])
        before = held
        for price in range(min(best, price_max - 1), low - 1, -1):
            after = bid_lots(supply, index, price)
            row = write_limit(out, row, account, FIRST_MARKET, 1, after - before, price, 0)
            before = max(before, after)
        before = held
        for price in range(max(best + 1, 1), high + 1):
            after = ask_lots(supply, index, price)
            row = write_limit(out, row, account, FIRST_MARKET, -1, before - after, price, 0)
            before = min(before, after)
    return row


@kernel
def bid_lots(supply: int, index: int, price: int) -> int:
    """Return the position a holder has when all its bids at `price` and above are filled: demand half a tick below."""
    return int(supply * (index / (price - 0.5)) + 0.5) - supply


@kernel
def ask_lots(supply: int, index: int, price: int) -> int:
    """Return the position a holder has when all its asks at `price` and below are filled: demand half a tick above."""
    return int(supply * (index / (price + 0.5)) + 0.5) - supply


@kernel
def best_bid_rung(supply: int, index: int, held: int) -> int:
    """Return the highest price at which a holder of `held` lots wants more; its asks begin a tick above. May be 0.

    Who is short of the whole supply, or more, wants more at any price: it is taken to be short of all but a lot.
    """
    held = max(held, 1 - supply)
    price = int(supply * index / (supply + held + 0.5) + 0.5)  # but for rounding the answer
    while price > 0 and bid_lots(supply, index, price) <= held:
        price -= 1
    while bid_lots(supply, index, price + 1) > held:
        price += 1
    return price


@kernel
def rung_of_trade(supply: int, index: int, held: int, after: int) -> int:
    """Return the price at which an auction takes a holder from `held` lots to `after`, its ladder the only one."""
    best, after = best_bid_rung(supply, index, held), max(after, 1 - supply)
    if after <= held:
        price = max(best + 1, int(supply * index / (supply + after + 0.5) - 0.5))
        while ask_lots(supply, index, price) > after:
            price += 1
        return price
    price = min(best, int(supply * index / (supply + after - 0.5) + 1.5))
    while price > 1 and bid_lots(supply, index, price) < after:
        price -= 1
    return price
