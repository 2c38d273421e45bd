"""Deleveraging queues with their lights, prices of deleveraging, the fund's part of fills, and funding in a coin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from delever.engine.contract import bankruptcy_microticks
from delever.engine.events import Event
from delever.engine.formulas import RATE_MAX_PPB
from delever.engine.margin import equity_atoms
from delever.engine.rules.presets import PRESETS
from delever.engine.standings import standings
from delever.engine.tables import M_FUNDING_PPB, M_MARK_TICKS, P_LOTS

from .desk import HOUSE, Desk, Grid, Number, exact, fine_coin_atom
from .examples import Situation, Unsupported, example
from .liquidation_prices import signed
from .rules import PPM, flat, under

MARKET = "X"
LEVERAGE_MOST = 8  # of whoever is first in a queue: far from its own liquidation
DAY_S = 86_400


def common_tick(*prices: Number) -> Fraction:
    """Return the largest number of which all prices are multiples, or a part of it that leaves room for rounding."""
    tick = exact(prices[0])
    for price in prices[1:]:
        other = exact(price)
        whole = math.lcm(tick.denominator, other.denominator)
        tick = Fraction(math.gcd(int(tick * whole), int(other * whole)), whole)
    return tick


class Queue(NamedTuple):
    """Holders of one side, [account, quantity, score] each."""

    side: int
    rows: list[list[Any]]


def queue_of(case: Situation) -> Queue:
    """Return the holders of a case, its `longs` or its `shorts`."""
    side = 1 if case.gives("longs") else -1
    rows = case.longs if side > 0 else case.shorts
    if len({str(row[0]) for row in rows}) != len(rows) or any(exact(row[1]) <= 0 for row in rows):
        raise Unsupported("a queue in which somebody stands twice, or without a position")
    return Queue(side, rows)


def queue_desk(queue: Queue, price: Number, traders: Sequence[str], changes: dict[str, Any]) -> Desk:
    """Return a venue with holders of one side at a mark.

    They entered far on the side of the mark where they gain (who has no score at the mark, who is below zero on the
    other side), and have as much money as gives them their score up to a factor: profit share times leverage, of
    losers divided by it.
    """
    tick = exact(price) / 2**16
    # a lot is worth a whole number of atoms at the mark, so that prices come back as they were
    sizes = [exact(row[1]) for row in queue.rows]
    lot = Fraction(1, math.lcm(*(size.denominator for size in sizes)))
    atom = lot / tick / (2**16 * 10**4)
    most = 4 * int(sum(sizes) / lot)
    rules = under("bitmex", {"margin.schedule": flat(Fraction(1, 100), Fraction(1, 200)),
                             "margin.leverage_max": 0, "contract.lots_max": most, **changes})  # fmt: skip
    names = [str(row[0]) for row in queue.rows]
    desk = Desk(rules, [Grid(MARKET, tick, lot)], [price], [*names, *traders], atom=atom)
    desk.lend(HOUSE, 100 * sum(sizes) / exact(price))
    scores = [exact(row[2]) for row in queue.rows]
    best, worst = max([*scores, Fraction(0)]), min([abs(score) for score in scores if score < 0], default=Fraction(1))
    for name, size, score in zip(names, sizes, scores, strict=True):
        away = (1 if score < 0 else -1 if score > 0 else 0) * queue.side
        entry = exact(price) * (1 + Fraction(away, 2))
        desk.open(name, MARKET, queue.side * size, entry)
        leverage = LEVERAGE_MOST * (score / best if score > 0 else worst / -score if score < 0 else 1)
        value = size / exact(price)
        profit = queue.side * (size / entry - value)
        desk.lend(name, value / leverage - profit)
    return desk


@example("adl_rank", "BitMEX", "BTCMEX", needs="longs", answers="order percentile")
@example("adl_rank", "BitMEX", "BTCMEX", needs="shorts", answers="order percentile")
def queue_with_lights(case: Situation) -> dict[str, Any]:
    """Holders by quantity and score: the order in which the engine would close them, and the light each is shown."""
    queue = queue_of(case)
    desk = queue_desk(queue, 2**10, [], {})
    names = {row: name for name, row in desk.names.items()}
    found = [row for row in standings(desk.venue, 0, queue.side) if names[row.account] != HOUSE]
    return {
        "order": [names[row.account] for row in found],
        "percentile": {names[row.account]: row.light_percent for row in found},
    }


@example("adl_execution", "BitMEX", "BTCMEX", needs="longs size bankruptcy_price", answers="fills price left")
@example("adl_execution", "BitMEX", "BTCMEX", needs="shorts size bankruptcy_price", answers="fills price left")
def bankrupt_against_the_queue(case: Situation) -> dict[str, Any]:
    """A position that is bankrupt at a price is closed against the first of the other side's queue, at that price."""
    queue = queue_of(case)
    desk = queue_desk(queue, case.bankruptcy_price, ["bankrupt"], {"liquidation.step": None})
    desk.open("bankrupt", MARKET, -queue.side * abs(exact(case.size)), exact(case.bankruptcy_price))
    desk.events(int(Event.ADL))
    desk.step()
    names = {row: name for name, row in desk.names.items()}
    rows = desk.events(int(Event.ADL))
    (price,) = {row["price_ticks"] for row in rows}
    closed: dict[str, Fraction] = {}
    for row in rows:
        name = names[row["other"]]
        closed[name] = closed.get(name, Fraction(0)) + abs(desk.size(MARKET, row["lots"]))
    return {
        "fills": closed,
        "price": desk.price(MARKET, price),
        "left": {str(row[0]): abs(desk.position(str(row[0]), MARKET)) for row in queue.rows},
    }


POINTS = {
    "contract.payoff": "linear",
    "contract.inverse": None,
    "margin.schedule": flat(Fraction(1, 100), Fraction(1, 200)),
    "margin.leverage_max": 0,
    "liquidation.step": None,
    "liquidation.price": "market",
    "liquidation.leftover": "retry",
    "deleveraging.trigger": "none",
}
"""The examples count profit in points of the price: linear, sold by the engine at what the book pays."""


def liquidate_at(bankruptcy: Number, filled: Sequence[Number], size: Number, fund: Number) -> list[Fraction]:
    """Return the fund after each of several positions that are bankrupt at a price were sold at others."""
    names = [f"trader {row}" for row in range(len(filled))]
    tick = common_tick(bankruptcy, *filled)
    grid = Grid(MARKET, tick, abs(exact(size)))
    desk = Desk(under("bitmex", POINTS), [grid], [bankruptcy], names, atom=min(tick * grid.lot, Fraction(1)) / 10**4)
    desk.fund(fund)
    after = []
    for name, price in zip(names, filled, strict=True):
        desk.open(name, MARKET, size, exact(bankruptcy))
        desk.limit(HOUSE, MARKET, 1 if exact(size) > 0 else -1, abs(exact(size)), price)
        desk.step()
        assert desk.position(name, MARKET) == 0, "the book took it"
        after.append(desk.fund_balance())
    return after


@example("insurance_flow", needs="bankruptcy fill1 fill2", answers="after_first after_second")
def fund_after_two_fills(case: Situation) -> dict[str, Any]:
    """Two liquidations at one bankruptcy price, each sold better or worse than it."""
    fund = case.get("fund0", 0)
    first, second = liquidate_at(case.bankruptcy, [case.fill1, case.fill2], _signed(case), fund)
    return {"after_first": first, "after_second": second}


@example("insurance_flow", needs="bankruptcy fill", answers="to_fund fund_after")
def fund_after_one_fill(case: Situation) -> dict[str, Any]:
    """One liquidation: what the fund gets, or pays; without another size, of one contract."""
    enough = exact(case.get("fund0", 2 * abs(_signed(case)) * exact(case.bankruptcy)))
    (after,) = liquidate_at(case.bankruptcy, [case.fill], _signed(case), enough)
    return {"to_fund": after - enough, "fund_after": after}


def _signed(case: Situation) -> Fraction:
    return exact(case.get("side", 1)) * exact(case.get("size", 1))


@example(
    "funding",
    "BitMEX",
    needs="contracts entry exit quote_rate base_rate intervals",
    answers="entry_value_xbt funding_rate funding_paid_xbt pnl_xbt net_xbt",
)
def one_payment_of_a_coin(case: Situation) -> dict[str, Any]:
    """An inverse position is held over one payment without premium, and closed at another price."""
    rule = PRESETS["bitmex"].charges.funding
    assert rule is not None and rule.interest_rates is not None
    interest = {
        "quote_ppb": round(exact(case.quote_rate) * 10**9),
        "base_ppb": round(exact(case.base_rate) * 10**9),
        "intervals": case.intervals,
    }
    period = DAY_S // case.intervals
    # Without a premium the rate is the interest, which the clamp would bound towards it.
    funding = {**rule.model_dump(), "interest_rates": interest, "interval_s": period, "period_s": period,
               "clamp_ppb": 10**9, "cap_ppb": RATE_MAX_PPB}  # fmt: skip
    tick, size = common_tick(case.entry, case.exit), exact(case.contracts)
    grid = Grid(MARKET, tick, abs(size) / 1000)
    rules = under("bitmex", {"charges.funding": funding})
    desk = Desk(rules, [grid], [case.entry], ["trader"], atom=fine_coin_atom(grid), dt_s=period)
    desk.deposit("trader", 2 * abs(size) / exact(case.entry))
    desk.lend(HOUSE, 10 * abs(size) / exact(case.entry))
    desk.open("trader", MARKET, size, case.entry)
    start = desk.balance("trader")
    desk.step()
    desk.step()
    held, cost = desk.balance("trader"), desk.cost("trader", MARKET)
    pair = (HOUSE, "trader") if size > 0 else ("trader", HOUSE)
    desk.trade(*pair, MARKET, abs(size), desk.ticks(MARKET, case.exit))
    return {
        "entry_value_xbt": abs(cost),
        "funding_rate": Fraction(int(desk.venue.tables.markets[0, M_FUNDING_PPB]), 10**9),
        "funding_paid_xbt": start - held,
        "pnl_xbt": desk.balance("trader") - held,
        "net_xbt": desk.balance("trader") - start,
    }


@example(
    "bankruptcy_price",
    "Bybit",
    needs="size entry mark position_margin max_dev",
    answers="bankruptcy_price uses_mark settles_at",
)
def settled_at_mark_if_far(case: Situation) -> dict[str, Any]:
    """A position with its margin and a wallet behind it; the price at which the engine deleverages it at a mark."""
    size = signed(case)
    tick = common_tick(case.entry, case.mark)
    while max(exact(case.entry), exact(case.mark)) / tick < 10**5:
        tick /= 10
    changes = {
        "margin.schedule": flat(1, 1),
        "margin.leverage_max": 0,
        "margin.mode": "cross",
        "deleveraging.far_from_mark.distance_ppm": round(exact(case.max_dev) * PPM),
        "deleveraging.drawdown": None,
    }
    grid = Grid(MARKET, tick, abs(size) / 100)
    rules = under("bybit-linear", changes)
    desk = Desk(rules, [grid], [case.entry], ["trader"], atom=grid.lot * tick / 1000)
    desk.lend(HOUSE, 10 * abs(size) * exact(case.entry))
    desk.lend("trader", exact(case.position_margin) + exact(case.get("wallet", 0)))
    desk.open("trader", MARKET, size, case.entry)
    desk.marks({MARKET: case.mark})
    t, unit = desk.venue.tables, desk.unit("trader", MARKET)
    mark = int(t.markets[0, M_MARK_TICKS])
    lots = int(t.positions[desk.names["trader"], P_LOTS])
    exactly = int(bankruptcy_microticks(t, 0, lots, mark, int(equity_atoms(t, unit))))
    desk.events(int(Event.ADL))
    desk.step()
    (price,) = {row["price_ticks"] for row in desk.events(int(Event.ADL))}
    return {
        "bankruptcy_price": Fraction(exactly, PPM) * tick,
        "uses_mark": price == mark,
        "settles_at": desk.price(MARKET, price),
    }
