"""Partial liquidation, takeover, funding and shared losses of single venues."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from delever.engine import adl_terms, drawdown
from delever.engine.commands import Kind
from delever.engine.formulas_liquidation import portion_atoms
from delever.engine.rules.charges import Funding
from delever.engine.rules.presets import PRESETS
from delever.engine.tables import M_FUNDING_PPB, M_PREMIUM_COUNT, M_PREMIUM_SUM_PPB

from .desk import HOUSE, Desk, Grid, decimal_step, exact
from .examples import Situation, Unsupported, example
from .rules import PPM, flat, ppm, under

TRADER, VAULT, MARKET = "trader", "vault", "X"
MICRO = Fraction(1, PPM)
PPB = 10**9


def _funding(venue: str, **changes: Any) -> Funding:
    rule = PRESETS[venue].charges.funding
    assert rule is not None
    return Funding.model_validate({**rule.model_dump(), **changes})


@example("funding", "Hyperliquid", needs="interest cl", answers="premium clamped rate_8h rate_1h hourly_rate")
def rate_from_impact_prices(case: Situation) -> dict[str, Any]:
    """Bids or offers away from the oracle price rest on the book; the rate that the venue pays for their premium.

    A premium that is given without prices is that of a bid, or of an offer, so far from an oracle price.
    """
    eight_hours, premium = _paid_rate(case, 1)
    hourly, _ = _paid_rate(case, 8)
    return {
        "premium": premium,
        "clamped": eight_hours - premium,
        "rate_8h": eight_hours,
        "rate_1h": hourly,
        "hourly_rate": hourly,
    }


def _paid_rate(case: Situation, payments: int) -> tuple[Fraction, Fraction]:
    """Return the rate that a venue pays, one of so many payments of a period, and the premium that it saw."""
    oracle = exact(case.get("oracle", 10_000))
    away = exact(case.get("premium", 0))
    bid = case.get("impact_bid", oracle * (1 + away) if away > 0 else None)
    ask = case.get("impact_ask", oracle * (1 + away) if away < 0 else None)
    quotes = [(side, exact(price)) for side, price in ((1, bid), (-1, ask)) if price is not None]
    prices = [oracle, *(price for _, price in quotes)]
    if min(prices) <= 0:
        raise Unsupported(f"a price of {min(prices)}")
    tick = decimal_step(*prices)
    while max(prices) / tick < 1_000:
        tick /= 10
    impact = {"source": "impact", "impact": {"notional_quote": 1}}
    funding = _funding("hyperliquid", premium=impact, interest_ppb=round(exact(case.interest) * PPB),
                       clamp_ppb=round(exact(case.cl) * PPB), interval_s=1, period_s=payments)  # fmt: skip
    # Who quotes away from the oracle price is not liquidated for what is paid.
    rules = under("hyperliquid", {"charges.funding": funding.model_dump(), "liquidation.act": False})
    desk = Desk(rules, [Grid(MARKET, tick, Fraction(1))], [oracle], [TRADER], atom=MICRO)
    desk.deposit(TRADER, 10 * max(prices))
    for side, price in quotes:
        desk.limit(TRADER, MARKET, side, 1, price)
    desk.step()
    row = desk.venue.tables.markets[0]
    premium = Fraction(int(row[M_PREMIUM_SUM_PPB]), PPB * max(1, int(row[M_PREMIUM_COUNT])))
    desk.step()
    return Fraction(int(row[M_FUNDING_PPB]), PPB), premium


@example("funding", "Hyperliquid", needs="size oracle rate_8h", answers="hourly_payment")
def payment_of_an_hour(case: Situation) -> dict[str, Any]:
    """A position over one payment, an eighth of the rate of eight hours, of its value at the oracle price."""
    size, hour = exact(case.size), 3_600
    rate = round(exact(case.rate_8h) * PPB)
    # Without a premium the rate is the interest, which the clamp would bound.
    funding = _funding("hyperliquid", interest_ppb=rate, clamp_ppb=PPB, interval_s=hour, period_s=8 * hour)
    lot = abs(size) / 1000
    rules = under("hyperliquid", {"charges.funding": funding.model_dump()})
    grid = Grid(MARKET, exact(case.oracle), lot, 8)
    desk = Desk(rules, [grid], [case.oracle], [TRADER], atom=_atom_of(lot * grid.tick), dt_s=hour)
    desk.lend(HOUSE, 100 * abs(size) * grid.tick)
    desk.deposit(TRADER, 2 * abs(size) * grid.tick)
    desk.open(TRADER, MARKET, size, case.oracle)
    before = desk.balance(TRADER)
    desk.step()
    desk.step()
    return {"hourly_payment": before - desk.balance(TRADER)}


def _atom_of(value: Fraction) -> Fraction:
    """Return an atom of which a value is a whole number, at most a millionth."""
    return value / max(1, math.ceil(value * PPM))


@example("partial_liq", "Hyperliquid", needs="k mmr", answers="backstop_equity_ratio")
def taken_over_below(case: Situation) -> dict[str, Any]:
    """The share of equity in the position's value below which the vault takes it over before the book is asked."""
    changes = {
        "margin.schedule": flat(1, case.mmr),
        "margin.markets": {},
        "liquidation.backstop_ppm": ppm(case.k),
        "contract.lots_max": 8,
    }
    value = 1_000
    grid = Grid(MARKET, Fraction(value), Fraction(1), 8)
    desk = Desk(under("hyperliquid", changes), [grid], [value], [TRADER, VAULT], atom=MICRO, backstops=[VAULT])
    desk.deposit(VAULT, 100 * value)
    desk.open(TRADER, MARKET, 1, value)
    saved = desk.venue.snapshot()

    def taken(atoms: int) -> bool:
        desk.venue.restore(saved)
        desk.lend(TRADER, desk.money(atoms))
        desk.step()
        return desk.position(VAULT, MARKET) != 0

    return {"backstop_equity_ratio": desk.money(first_false(taken, desk.atoms(value))) / value}


def first_false(holds: Callable[[int], bool], top: int) -> int:
    """Return the smallest whole number up to `top` for which something no longer holds, by bisection."""
    low, high = 0, top
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if holds(middle) else (low, middle)
    return low


@example(
    "partial_liq",
    "Hyperliquid",
    needs="threshold portion cooldown",
    answers="fraction_first_order_above_threshold fraction_during_cooldown cooldown_s fraction_below_threshold",
)
def part_and_then_whole(case: Situation) -> dict[str, Any]:
    """A large position is closed in part, after that whole; how long until an order is a part again."""
    threshold = exact(case.threshold)

    def desk_of(value: Fraction) -> Desk:
        changes = {
            "margin.schedule": flat(1, Fraction(1, 20)),
            "margin.markets": {},
            "liquidation.share_ppm": ppm(case.portion),
            "liquidation.full_below_quote": int(threshold),
            "liquidation.cooldown_s": case.cooldown,
            "liquidation.backstop_ppm": 0,
            "liquidation.rounds_max": 1,
            "deleveraging.trigger": "none",
            "contract.lots_max": 10**5,
        }
        grid = Grid(MARKET, value / 10**4, Fraction(1), 8)
        desk = Desk(under("hyperliquid", changes), [grid], [grid.tick], [TRADER], atom=MICRO)
        desk.lend(HOUSE, 100 * value)
        desk.open(TRADER, MARKET, 10**4, grid.tick)
        return desk

    large = desk_of(100 * threshold)
    first = _next_fraction(large)
    saved = large.venue.snapshot()
    second = _next_fraction(large)
    large.venue.restore(saved)
    large.lend(TRADER, 200 * threshold)  # out of distress until it is taken away again
    seconds = 1
    while True:
        saved = large.venue.snapshot()
        large.lend(TRADER, -200 * threshold)
        if _next_fraction(large) < 1:
            break
        large.venue.restore(saved)
        large.step()
        seconds += large.venue.dt_s
    return {
        "fraction_first_order_above_threshold": first,
        "fraction_during_cooldown": second,
        "cooldown_s": seconds,
        "fraction_below_threshold": _next_fraction(desk_of(threshold)),
    }


def _next_fraction(desk: Desk, name: str = TRADER) -> Fraction:
    """Let the book take whatever the engine sends in a step; return the share of the position that is closed."""
    before = desk.position(name, MARKET)
    price = desk.price(MARKET, int(desk.index[0]))
    desk.limit(HOUSE, MARKET, 1 if before > 0 else -1, abs(before), price)
    desk.step()
    left = desk.position(name, MARKET)
    if left:
        desk.command(HOUSE, Kind.CANCEL_ALL, symbol=MARKET)
    return 1 - left / before


@example("partial_liq", "OKX", needs="position tier3_floor tier1_max mmr_t3", answers="contracts_to_close")
def cut_to_the_lowest_tier(case: Situation) -> dict[str, Any]:
    """A position in the third tier or above is cut to the first one by one order."""
    position, third = abs(int(exact(case.position))), ppm(case.mmr_t3)
    steps = [
        {"floor_lots": floor, "initial_ppm": PPM, "maintenance_ppm": rate}
        for floor, rate in (
            (0, third // 4), (int(exact(case.tier1_max)) + 1, third // 2), (int(exact(case.tier3_floor)), third),
        )
    ]  # fmt: skip
    changes = {
        "margin.schedule": {"kind": "stepped_lots", "steps": steps},
        "margin.closing_fee": None,
        "margin.leverage_max": 0,
        "liquidation.step.cut": "lowest",
        "liquidation.rounds_max": 1,
        "contract.lots_max": 8 * position,
    }
    grid = Grid(MARKET, Fraction(1), Fraction(1))
    desk = Desk(under("okx", changes), [grid], [10**5], [TRADER], atom=Fraction(1))
    desk.open(TRADER, MARKET, position, 10**5)
    desk.lend(TRADER, desk.maintenance(TRADER) / 2)
    return {"contracts_to_close": position * _next_fraction(desk)}


@example("adl_execution", "OKX", "Bybit", needs="peak drop hours", answers="adl_on_when_fund_at_or_below")
def deleveraging_after_a_fall(case: Situation) -> dict[str, Any]:
    """The highest balance of the fund, after its peak of the window, at which the engine deleverages at once."""
    watch = {"window_s": int(exact(case.hours) * 3600), "drop_ppm": ppm(case.drop)}
    venue = "bybit-linear" if case.venue.startswith("Bybit") else "okx"
    grid = Grid(MARKET, Fraction(1), Fraction(1), 8)
    desk = Desk(under(venue, {"deleveraging.drawdown": watch}), [grid], [1], [TRADER], atom=MICRO, dt_s=60)
    desk.fund(case.peak)
    desk.step()
    t = desk.venue.tables

    def on(atoms: int) -> bool:
        desk.fund(desk.money(atoms))
        drawdown.look_at_watches(t)
        return bool(adl_terms.goes_direct(t))

    return {"adl_on_when_fund_at_or_below": desk.money(first_false(on, desk.atoms(case.peak)) - 1)}


@example("partial_liq", "Kraken", needs="sizes filled", answers="assigned")
def assignment_of_the_rest(case: Situation) -> dict[str, Any]:
    """All positions of a margin account go to the book; what it does not take is assigned to a liquidity provider."""
    sizes = {name: exact(size) for name, size in case.sizes.items()}
    filled = {name: exact(case.filled.get(name, 0)) for name in sizes}
    lot = Fraction(1, math.lcm(*(size.denominator for size in (*sizes.values(), *filled.values()))))
    most = 4 * int(max(map(abs, sizes.values())) / lot)
    price = 500_000  # ticks: fine enough for a limit just below the mark
    changes = {
        "margin.schedule": flat(Fraction(2, 100), Fraction(1, 100)),
        "margin.leverage_max": 0,
        "contract.lots_max": most,
    }
    # A lot is worth some atoms at the price, so that values come out whole.
    grids = [Grid(name, Fraction(1), lot) for name in sizes]
    rules = under("kraken-futures", changes)
    atom = lot / (price * 100)
    desk = Desk(rules, grids, [price] * len(grids), [TRADER, VAULT], atom=atom, backstops=[VAULT])
    total = sum(abs(size) for size in sizes.values()) / price
    for name in (HOUSE, VAULT):
        desk.lend(name, 100 * total)
    for name, size in sizes.items():
        if size:
            desk.open(TRADER, name, size, price)
    desk.lend(TRADER, desk.maintenance(TRADER) / 1000)
    for name, size in sizes.items():
        if filled[name]:
            desk.limit(HOUSE, name, 1 if size > 0 else -1, abs(filled[name]), price)
    desk.step()
    assert all(desk.position(TRADER, name) == 0 for name in sizes), "everything is sold or assigned"
    return {"assigned": {name: desk.position(VAULT, name) for name in sizes}}


@example("partial_liq", "dYdX", needs="no mn portion", answers="min_notional max_notional")
def block_limits(case: Situation) -> dict[str, Any]:
    """The smallest and the largest value that one order may close of a position of a value."""
    value, least = exact(case.no), exact(case.mn)
    unit = decimal_step(value, least)  # of money: whole numbers of it, as the rule counts
    changes = {
        "liquidation.step": {
            "kind": "portion", "share_ppm": max(1, ppm(case.portion)), "least_quote": int(least / unit),
        },
        "liquidation.limit": None,
        "liquidation.surplus": None,
        "deleveraging.trigger": "none",
        "deleveraging.eligible": None,
        "margin.schedule": flat(1, Fraction(1, 20)),
        "margin.markets": {},
        "margin.open_interest": None,
        "contract.lots_max": 4 * 10**6,
    }  # fmt: skip
    lots = 10**6
    grid = Grid(MARKET, value / lots, Fraction(1), 8)
    rules = under("dydx-v4", changes)
    desk = Desk(rules, [grid], [grid.tick], [TRADER], atom=unit * MICRO)
    desk.lend(HOUSE, 100 * value)
    desk.open(TRADER, MARKET, lots, grid.tick)
    smallest = desk.money(int(portion_atoms(desk.atoms(value), 0, desk.atoms(least))))
    return {"min_notional": smallest, "max_notional": value * _next_fraction(desk)}


@example("socialised_loss", "Crypto.com", needs="deficit profits", answers="shares net")
def by_session_profit(case: Situation) -> dict[str, Any]:
    """A loser's account ends below zero; those who made a profit in the session pay in proportion to it."""
    profits, deficit = [exact(profit) for profit in case.profits], exact(case.deficit)
    names = [f"winner {row}" for row in range(len(profits))]
    lot = Fraction(1, math.lcm(*(amount.denominator for amount in (*profits, deficit))))
    changes = {
        "socialisation": {"rule": "session_profit", "session": {"length_s": 86_400}},
        "deleveraging.trigger": "none",
        "liquidation.leftover": "retry",
        "liquidation.price": "market",
        "margin.call_ppm": 0,
        "contract.lots_max": 4 * int((sum(map(abs, profits)) + deficit) / lot),
    }
    desk = Desk(under("textbook", changes), [Grid(MARKET, Fraction(1), lot, 8)], [1], [*names, "loser"],
                atom=lot * MICRO)  # fmt: skip
    for name, profit in zip(names, profits, strict=True):
        desk.deposit(name, 10 * abs(profit))
        if profit:
            desk.open(name, MARKET, profit, 1)
    if deficit:
        desk.open("loser", MARKET, -deficit, 1)
        desk.limit(HOUSE, MARKET, -1, deficit, 2)
    desk.marks({MARKET: 2})
    before = [desk.balance(name) for name in names]
    desk.step()
    shares = [start - desk.balance(name) for name, start in zip(names, before, strict=True)]
    return {"shares": shares, "net": [profit - share for profit, share in zip(profits, shares, strict=True)]}
