"""Vega's prices: the mark out of trades, book and oracles, the bounds of price monitoring, and funding."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np

from delever.engine.commands import FLAG_IOC
from delever.engine.rules.halts import YEAR_S as MONITORING_YEAR_S
from delever.engine.rules.halts import VolatilityAuction
from delever.engine.tables import IN_HALT, M_AUCTION, M_MARK_TICKS

from .desk import HOUSE, LOTS_FINE, Desk, Grid, Number, decimal_step, exact
from .examples import Situation, Unsupported, example
from .rules import PPM, flat, under
from .vega import MARKET, TRADER, YEAR_S, model, vega

PPB = 10**9


@example("mark_price", "Vega", needs="", answers="mark trade_price", labels="den")
def composite_mark(case: Situation) -> dict[str, Any]:
    """Trades, the book and oracles, as far as a case gives them; a weighted mean if it gives weights, else a median."""
    parts = _components(case)
    weights = [exact(weight) for weight in case.get("w", [])]
    scale = math.lcm(*(weight.denominator for weight in weights)) if weights else 1
    composite = {"method": "mean" if weights else "median", "weights": [int(weight * scale) for weight in weights]}
    answers = {"mark": _mark(case, parts, composite)}
    if "trades" in parts:
        answers["trade_price"] = _mark(case, ["trades"], {"method": "median"})
    return answers


def _oracles(case: Situation) -> list[Number]:
    """Return the prices of the oracles: `oracle`, or `o1`, `o2` and so on."""
    found = (case.get(name, None) for name in ("oracle", *(f"o{i}" for i in range(1, 9))))
    return [price for price in found if price is not None]


def _trades(case: Situation) -> list[tuple[Number, Number, Fraction]]:
    """Return price, size and age, as a part of the window, of every trade; one that is given alone is new."""
    if case.gives("trade"):
        return [(case.trade, 1, Fraction(0))]
    return [(row[0], row[1], 1 - exact(row[2] if len(row) > 2 else 1)) for row in case.get("trades", [])]


def _components(case: Situation) -> list[str]:
    known = (["trades"] if _trades(case) else []) + (["impact"] if case.gives("book") else [])
    if not known and not _oracles(case):
        raise Unsupported("a mark out of none of trades, book and oracles")
    return known + [f"source_{i + 1}" for i in range(len(_oracles(case)))]


def _mark(case: Situation, parts: list[str], composite: dict[str, Any]) -> Fraction:
    """Return the mark that the engine makes of some components after so many steps as the oldest trade is old."""
    trades, oracles = _trades(case), _oracles(case)
    book = [exact(case.book)] if "impact" in parts else []
    tick = decimal_step(*(price for price, _, _ in trades), *book, *oracles)
    window = math.lcm(*(age.denominator for _, _, age in trades)) if trades else 1
    first = [price for price, _, _ in trades] + book + oracles
    mark = {
        "components": parts,
        "window_s": 1,
        "renew_in_rounds": False,
        "composite": composite,
        "trades": {"window_s": window, "decay_ppm": PPM} if "trades" in parts else None,
        "impact": {"notional_quote": 1} if book else None,
        "index": {"weights": [1] * max(1, len(oracles)), "method": "median"},
    }
    lot = decimal_step(*(size for _, size, _ in trades))
    rules = vega({"margin.schedule": model("1/100", "1/100", 0), "mark": mark})
    desk = Desk(rules, [Grid(MARKET, tick, lot)], [first[0]], [TRADER], atom=tick * lot)
    desk.deposit(TRADER, 10**6 * exact(first[0]) * LOTS_FINE)
    index = np.array([[desk.ticks(MARKET, price) for price in oracles or first[:1]]], dtype=np.int64)
    for step in range(window + 1):
        now = [(price, size) for price, size, age in trades if age * window == window - step]
        orders = []
        for price, size in now:
            orders.append(desk.order(HOUSE, MARKET, -exact(size), price))
            orders.append(desk.order(TRADER, MARKET, size, price, flags=FLAG_IOC))
        if book and step == window:
            for size, price in ((LOTS_FINE * lot, book[0] - tick), (-LOTS_FINE * lot, book[0] + tick)):
                orders.append(desk.order(HOUSE, MARKET, size, price))
        report = desk.step_with(orders, index)
        assert not report.results.any(), "all orders are accepted"
    return desk.price(MARKET, int(desk.venue.tables.markets[0, M_MARK_TICKS]))


@example("price_band", "Vega", needs="ref lower upper", answers="auction_triggered")
def monitored_price(case: Situation) -> dict[str, Any]:
    """An order meets one at a price, while log-normal bounds around the reference are those given."""
    price = case.bid if case.gives("bid") else case.ask
    tick = decimal_step(case.ref, case.lower, case.upper, price)
    low, ref, high = (int(exact(price) / tick) for price in (case.lower, case.ref, case.upper))
    changes = {"halts.volatility_auction": bounds_between(low, ref, high), "contract.lots_max": 100}
    grid = Grid(MARKET, tick, Fraction(1))
    rules = under("vega-0.79", {"margin.schedule": flat(1, "1/2"), **changes})
    desk = Desk(rules, [grid], [case.ref], [TRADER], atom=tick)
    desk.deposit(TRADER, 1_000 * exact(case.ref))
    desk.trade(TRADER, HOUSE, MARKET, 1, ref)
    desk.step()
    side = 1 if exact(price) >= exact(case.ref) else -1
    report = desk.step_with(
        [desk.order(HOUSE, MARKET, -side, price), desk.order(TRADER, MARKET, side, price)], desk.index
    )
    assert not report.results.any()
    return {"auction_triggered": bool(desk.venue.tables.markets[0, M_AUCTION] == IN_HALT)}


def bounds_between(low: int, reference: int, high: int) -> dict[str, Any]:
    """Return log-normal price monitoring whose bounds around a reference are those a venue reports, in ticks."""
    down, up = math.log((low - 0.5) / reference), math.log((high + 0.5) / reference)
    deviation = math.sqrt(max(0.0, -(down + up)))
    if not deviation:
        raise Unsupported("bounds that lie higher than log-normal ones do")
    horizon_s = 3_600
    rule = {
        "horizon_s": horizon_s,
        "probability_ppm": round(PPM * (2 * NormalDist().cdf((up - down) / 2 / deviation) - 1)),
        "volatility_ppm": round(PPM * deviation / math.sqrt(horizon_s / MONITORING_YEAR_S)),
    }
    if VolatilityAuction.model_validate(rule).bounds(reference) != (low, high):
        raise Unsupported(f"bounds of {low} and {high} around {reference} are not log-normal")
    return rule


@example("funding", "Vega", needs="s_twap dt ir", answers="payment_per_unit_position funding_payment aux2_long_2")
def funding_payment(case: Situation) -> dict[str, Any]:
    """What positions of one and of two units pay at the end of an interval; without bounds the carry is paid whole."""
    index, mark = exact(case.s_twap), exact(case.get("f_twap", case.s_twap))
    seconds = max(1, round(exact(case.dt) * YEAR_S))
    funding = {
        "interval_s": seconds,
        "period_s": seconds,
        "notional": "index",
        "twap": {
            "interest_year_ppb": round(exact(case.ir) * PPB) if exact(case.dt) else 0,
            "low_ppb": round(exact(case.get("lb", -1)) * PPB),
            "high_ppb": round(exact(case.get("ub", 1)) * PPB),
        },
    }
    changes = {
        "margin.schedule": model("1/100", "1/100", 0),
        "mark": {"components": ["last"], "window_s": 1, "renew_in_rounds": False},
        "charges.funding": funding,
    }
    lot = exact(case.get("lot", 1))
    grid = Grid(MARKET, decimal_step(index, mark), lot)
    names = ["one", "two"]
    atom = decimal_step(lot) * grid.tick / 1_000
    desk = Desk(vega(changes), [grid], [index], names, atom=atom, dt_s=seconds)
    for size, name in enumerate(names, start=1):
        desk.deposit(name, 100 * index * grid.lot)
        desk.open(name, MARKET, size * grid.lot, mark)
    desk.marks({})
    desk.step()
    before = [desk.balance(name) + desk.balance(name, MARKET) for name in names]
    desk.step()
    paid = [was - desk.balance(name) - desk.balance(name, MARKET) for name, was in zip(names, before, strict=True)]
    return {"payment_per_unit_position": paid[0], "funding_payment": paid[0], "aux2_long_2": paid[1]}
