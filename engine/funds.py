"""The insurance funds: one for all markets, or one of its own for some (R-W57), and what they are given (R-W58).

A market's own fund is the pocket of the fund's account in that market: it holds what the fund took over there, and a
balance of its own. Everything else is in the shared fund.
"""

from __future__ import annotations

from collections.abc import Sequence

from .events import Code, has_room
from .kernel import kernel
from .ledger import balance_atoms, post
from .margin import market_of, owner_of, unit_of
from .rules.ruleset import RuleSet
from .tables import (
    FEES,
    FUND,
    NONE,
    OUTSIDE,
    P_ISOLATED,
    V_ACCOUNTS,
    V_FEE_SHARE_PPM,
    V_FEES_SEEN_ATOMS,
    V_FUND_FLOOR_ATOMS,
    V_LIQUIDATION_SHARE_PPM,
    V_MARKET_FUNDS,
    V_MARKETS,
    V_POCKETS_AT,
    V_SALE_PPM,
    Table,
    Tables,
)
from .units import PPM, ppm_down

FUND_SWITCHES = [V_FEE_SHARE_PPM, V_LIQUIDATION_SHARE_PPM, V_SALE_PPM]
DEPOSIT = int(Code.DEPOSIT)
CONTRIBUTION = int(Code.CONTRIBUTION)


def fill_funds(t: Tables, rules: RuleSet, symbols: Sequence[str]) -> None:
    """Copy the shares of fees and the fund's own fee, and say which markets have a fund of their own."""
    insurance = rules.insurance
    given = insurance.contribution
    t.venue[V_FEE_SHARE_PPM] = 0 if given is None else given.trading_fee_ppm
    t.venue[V_LIQUIDATION_SHARE_PPM] = PPM if given is None else given.liquidation_fee_ppm
    pays = insurance.sale is not None and insurance.sale.fee == "taker"
    t.venue[V_SALE_PPM] = rules.charges.taker_ppm if pays else 0
    own = insurance.market_funds
    if own is None:
        return
    t.venue[V_MARKET_FUNDS] = 1
    first = int(t.venue[V_ACCOUNTS]) * len(symbols)
    for market, symbol in enumerate(symbols):
        t.positions[first + market, P_ISOLATED] = int(not own.only or symbol in own.only)


def endow(t: Tables, rules: RuleSet) -> None:
    """Post what the funds have when the venue opens (R-M1, R-W57)."""
    outside = int(t.venue[V_ACCOUNTS]) + OUTSIDE
    own = rules.insurance.market_funds
    for number, unit in enumerate(every_fund(t)):
        quote = rules.insurance.initial_quote if number == 0 or own is None else own.initial_quote
        if quote > 0:
            post(t, outside, unit, quote * PPM, DEPOSIT, 0)


def every_fund(t: Tables) -> list[int]:
    """Return the units of all funds there are: the shared one, then those of markets that have their own (R-W57)."""
    shared = int(t.venue[V_ACCOUNTS]) + FUND
    own = {int(fund_of(t, market)) for market in range(int(t.venue[V_MARKETS]))}
    return [shared, *sorted(own - {shared})]


@kernel
def fund_count(t: Tables) -> int:
    """Return how many rows `fund_at` knows."""
    return 1 + (t.venue[V_MARKETS] if t.venue[V_MARKET_FUNDS] else 0)


@kernel
def fund_at(t: Tables, number: int) -> int:
    """Return the unit of the shared fund (0), or of the fund of market `number` - 1, which holds nothing if shared."""
    traders = t.venue[V_ACCOUNTS]
    if number == 0:
        return traders + FUND
    assert t.venue[V_POCKETS_AT] != NONE
    return t.venue[V_POCKETS_AT] + traders * t.venue[V_MARKETS] + number - 1


@kernel
def fund_of(t: Tables, market: int) -> int:
    """Return the unit of the fund behind a market."""
    return unit_of(t, t.venue[V_ACCOUNTS] + FUND, market)


@kernel
def fund_for(t: Tables, unit: int) -> int:
    """Return the fund that pays for a unit: its market's for a pocket, the shared one for a cross unit (R-W57)."""
    market = market_of(t, unit)
    return t.venue[V_ACCOUNTS] + FUND if market == NONE else fund_of(t, market)


@kernel
def is_fund(t: Tables, unit: int) -> bool:
    """Say whether a unit is one of the funds."""
    return owner_of(t, unit) == t.venue[V_ACCOUNTS] + FUND


@kernel
def fund_room_atoms(t: Tables, fund: int) -> int:
    """Return what a fund may pay before it reaches its floor."""
    assert is_fund(t, fund)
    return max(0, balance_atoms(t, fund) - t.venue[V_FUND_FLOOR_ATOMS])


@kernel
def contribute(t: Tables, rows: Table, start: int) -> int:
    """Give the shared fund its share of what the venue earned in fees since the last time (R-W58).

    `rows` is one row, so that the call can be repeated when the event buffer was full.
    """
    if not has_room(t):
        return start
    fees = t.venue[V_ACCOUNTS] + FEES
    earned = balance_atoms(t, fees) - t.venue[V_FEES_SEEN_ATOMS]
    amount = ppm_down(max(0, earned), t.venue[V_FEE_SHARE_PPM])
    if amount > 0:
        post(t, fees, t.venue[V_ACCOUNTS] + FUND, amount, CONTRIBUTION, 0)
    if earned > 0:
        t.venue[V_FEES_SEEN_ATOMS] = balance_atoms(t, fees)
    return rows.shape[0]
