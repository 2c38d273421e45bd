"""dYdX v4: bankruptcy quotes, fillable prices and the fund's part of a fill."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from delever.engine import limits, rounds
from delever.engine.bankruptcy import bankruptcy_quote_atoms
from delever.engine.commands import Kind
from delever.engine.state import PRICE_TICKS_LIMIT

from .desk import HOUSE, Desk, Grid, Number, decimal_step, exact
from .examples import Situation, Unsupported, example
from .limits import DIGITS_MAX
from .rules import PPM, flat, ppm, under

USDC = Fraction(1, 10**6)
TRADER = "trader"


def account(desk: Desk, name: str, quote_balance: Number, positions: dict[str, Number]) -> None:
    """Give an account positions at the present marks, and money so that its quote balance is what it should be."""
    for symbol, size in positions.items():
        if exact(size):
            desk.open(name, symbol, size, desk.price(symbol, int(desk.index[desk.market(symbol)])))
    desk.lend(name, exact(quote_balance) - quote_balance_of(desk, name))


def quote_balance_of(desk: Desk, name: str) -> Fraction:
    """Return the balance as the venue counts it: money less the value at entry of what is held."""
    return desk.balance(name) - sum((desk.cost(name, symbol) for symbol in desk.grids), Fraction(0))


def grid_of(symbol: str, price: Number, lot: Fraction, *others: Number) -> Grid:
    """Return a grid on which prices lie, with lots that are whole quantums per tick: as fine as the book allows."""
    exactly = [exact(price), *map(exact, others)]
    if min(exactly) <= 0:
        raise Unsupported(f"a price of {min(exactly)} of {symbol}")
    tick = decimal_step(*exactly) / 10**DIGITS_MAX
    while max(exactly) * 2 > tick * PRICE_TICKS_LIMIT or (lot * tick / USDC).denominator != 1:
        tick *= 10
        if any((one / tick).denominator != 1 for one in exactly):
            raise Unsupported(f"a price of {price} of {symbol}, of which {lot} is not worth whole quantums")
    return Grid(symbol, tick, lot, min(PRICE_TICKS_LIMIT, int(4 * max(exactly) / tick)))


def portfolio(positions: Sequence[dict[str, Any]], lot: Fraction, names: list[str], changes: dict[str, Any]) -> Desk:
    """Return a desk with the markets of some positions, at their oracle prices and margin fractions."""
    grids = [grid_of(p["market"], p["oracle_price"], lot) for p in positions]
    schedules = {p["market"]: flat(1, p["mmf"]) for p in positions}
    most = max([abs(exact(p["size"])) / lot for p in positions] + [Fraction(1)])
    rules = under("dydx-v4", {"margin.schedules": schedules, "margin.open_interest": None,
                              "contract.lots_max": 4 * int(most), **changes})  # fmt: skip
    return Desk(rules, grids, [p["oracle_price"] for p in positions], names, atom=USDC, backstops=[HOUSE])


def _held(case: Situation, *sizes: Number, changes: dict[str, Any] | None = None) -> Desk:
    """Return a desk with the trader of a case and its positions."""
    lot = decimal_step(*sizes, *(p["size"] for p in case.positions))
    desk = portfolio(case.positions, lot, [TRADER], changes or {})
    account(desk, TRADER, case.quote_balance, {p["market"]: p["size"] for p in case.positions})
    return desk


def quote_delta(desk: Desk, symbol: str, delta: Number) -> Fraction:
    """Return what the trader receives for closing a part of a position at its bankruptcy price."""
    unit, lots = desk.unit(TRADER, symbol), desk.lots(symbol, delta)
    return desk.money(int(bankruptcy_quote_atoms(desk.venue.tables, unit, desk.market(symbol), lots)))


@example("bankruptcy_price", "dYdX", needs="quote_balance positions close_market delta", answers="quote_delta")
def bankruptcy_quote(case: Situation) -> dict[str, Any]:
    """An account closes a position, or a part of it."""
    desk = _held(case, case.delta)
    return {"quote_delta": quote_delta(desk, case.close_market, case.delta)}


@example("liq_price", "dYdX", needs="quote_balance positions market ba smmr", answers="fillable_price")
def fillable_price(case: Situation) -> dict[str, Any]:
    """The limit of the liquidation order of one position."""
    limit = {"kind": "fillable", "adjustment_ppm": ppm(case.ba), "spread_ppm": ppm(case.smmr)}
    desk = _held(case, changes={"liquidation.limit": limit})
    t, unit = desk.venue.tables, desk.unit(TRADER)
    rows = np.zeros((len(desk.grids), rounds.CLOSING_COLUMNS), dtype=np.int64)
    rows = rows[: rounds.describe_all(t, np.array([unit]), rows)]
    rule = desk.venue.rules.liquidation.limit
    assert rule is not None
    row = rows[:, rounds.K_MARKET].tolist().index(desk.market(case.market))
    microticks = int(limits.limit_of(t, limits.numbers_of(rule), rows[row], PPM))
    return {"fillable_price": Fraction(microticks, PPM) * desk.grids[case.market][1].tick}


@example(
    "insurance_flow",
    "dYdX",
    needs="quote_balance position oracle_price mmf size px max_fee",
    answers="insurance_fund_delta",
    labels="bankruptcy_quote is_buy",
)
def insurance_delta(case: Situation) -> dict[str, Any]:
    """A liquidated account's order meets one at a price; what the fund gets, or pays."""
    lot = decimal_step(case.position, case.size)
    changes = {
        "margin.schedule": flat(1, case.mmf),
        "margin.tiers": [{"floor_quote": 0, "initial_ppm": PPM, "maintenance_ppm": PPM}],
        "margin.markets": {},
        "margin.open_interest": None,
        "contract.lots_max": max(100, 4 * round(abs(exact(case.position)) / lot)),
        "liquidation.step": None,
        "liquidation.limit": None,
        "liquidation.surplus.cap_ppm": ppm(case.max_fee),
        "liquidation.rounds_max": 1,
        "deleveraging.trigger": "none",
        "deleveraging.eligible": None,
    }
    fund = 10**6
    grid = grid_of("X", case.oracle_price, lot, case.px)
    desk = Desk(under("dydx-v4", changes), [grid], [case.oracle_price], [TRADER], atom=USDC)
    account(desk, TRADER, case.quote_balance, {"X": case.position})
    desk.fund(fund)
    lots, price = desk.lots("X", case.size), desk.ticks("X", case.px)
    desk.command(
        HOUSE, Kind.LIMIT, symbol="X", side=1 if exact(case.position) > 0 else -1, lots=lots, price_ticks=price
    )
    desk.step()
    return {"insurance_fund_delta": desk.fund_balance() - fund}


@example(
    "insurance_flow",
    "dYdX",
    needs="deposit size entry mark mmf fill max_spread_mult",
    answers="mmr_at_entry equity_at_mark max_spread pnl_at_fill fund_pays",
)
def insurance_of_the_docs(case: Situation) -> dict[str, Any]:
    """The documentation's long: margin at entry, equity at the mark, the fill below bankruptcy and who pays for it."""
    changes = {
        "margin.schedule": flat(1, case.mmf),
        "margin.markets": {},
        "margin.open_interest": None,
        "liquidation.step": None,
        "liquidation.limit.spread_ppm": ppm(case.max_spread_mult),
        "liquidation.limit.adjustment_ppm": 10**9,
        "contract.lots_max": max(100, 4 * int(abs(exact(case.size)) / decimal_step(case.size))),
        "deleveraging.trigger": "none",
        "deleveraging.eligible": None,
    }
    rules, fund = under("dydx-v4", changes), 10**4
    lot = decimal_step(case.size)
    grid = grid_of("X", case.entry, lot, case.mark, case.fill)
    desk = Desk(rules, [grid], [case.entry], [TRADER], atom=USDC)
    desk.lend(TRADER, case.deposit)
    desk.open(TRADER, "X", case.size, case.entry)
    desk.fund(fund)
    at_entry = desk.maintenance(TRADER)
    desk.marks({"X": case.mark})
    at_mark, before = desk.equity(TRADER), desk.balance(TRADER)
    limit = rules.liquidation.limit
    assert limit is not None and limit.kind == "fillable"
    desk.limit(HOUSE, "X", 1 if exact(case.size) > 0 else -1, abs(exact(case.size)), case.fill)
    desk.step()
    paid = fund - desk.fund_balance()
    return {
        "mmr_at_entry": at_entry,
        "equity_at_mark": at_mark,
        "max_spread": exact(case.mmf) * Fraction(limit.spread_ppm, PPM),
        "pnl_at_fill": desk.balance(TRADER) - paid - before,
        "fund_pays": paid,
    }
