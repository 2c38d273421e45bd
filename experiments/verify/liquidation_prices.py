"""Liquidation and bankruptcy prices: an account with money and positions, and where the engine calls it distressed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from delever.engine.contract import bankruptcy_microticks, bankruptcy_ticks
from delever.engine.liquidation_price import liquidation_microticks
from delever.engine.margin import equity_atoms
from delever.engine.tables import M_MARK_TICKS, P_LOTS

from .desk import Desk, Grid, Number, exact, fine_atom, fine_coin_atom, fine_grid
from .examples import Situation, example
from .rules import PPM, flat, ppm, rates, under

TRADER, MARKET, OTHER = "trader", "X", "Y"


def liquidation_price(desk: Desk, symbol: str = MARKET) -> Fraction:
    """Return the liquidation price that the engine shows for the trader's position."""
    microticks = int(liquidation_microticks(desk.venue.tables, desk.names[TRADER], desk.market(symbol)))
    return Fraction(microticks, PPM) * desk.grids[symbol][1].tick


def bankruptcy_price(desk: Desk, symbol: str = MARKET, *, on_grid: bool = False) -> Fraction:
    """Return the bankruptcy price of the trader's position, rounded to the grid by the venue's rule if asked."""
    t, market = desk.venue.tables, desk.market(symbol)
    lots = int(t.positions[desk.names[TRADER] * len(desk.grids) + market, P_LOTS])
    equity, mark = int(equity_atoms(t, desk.unit(TRADER, symbol))), int(t.markets[market, M_MARK_TICKS])
    if on_grid:
        return desk.price(symbol, int(bankruptcy_ticks(t, market, lots, mark, equity)))
    microticks = int(bankruptcy_microticks(t, market, lots, mark, equity))
    return Fraction(microticks, PPM) * desk.grids[symbol][1].tick


def published(rate: Number, deduction: Number, atom: Fraction) -> dict[str, Any]:
    """Return a schedule of one bracket with a deduction as venues publish it."""
    tier = {
        "floor_quote": 0,
        "initial_ppm": PPM,
        "maintenance_ppm": ppm(rate),
        "deduction_atoms": round(exact(deduction) / atom),
    }
    return {"kind": "bracketed", "tiers": [tier]}


@example("liq_price", "Binance USD-M", needs="wb side size entry mmr cum", answers="liq_price")
def with_maintenance_amount(case: Situation) -> dict[str, Any]:
    """A wallet balance behind one position, or two of which the other is marked at a price of its own."""
    other = case.get("other", None)
    grids = [fine_grid(MARKET, case.entry, case.size)]
    if other is not None:
        grids.append(fine_grid(OTHER, other["mark"], other["size"]))
    atom = fine_atom(*grids)
    schedules = {MARKET: published(case.mmr, case.cum, atom)}
    if other is not None:
        schedules[OTHER] = published(other["mmr"], other["cum"], atom)
    rules = under("binance-usdm", {"margin.schedules": schedules, "margin.call_ppm": 0})
    prices = [case.entry, *([other["mark"]] if other is not None else [])]
    desk = Desk(rules, grids, prices, [TRADER], atom=atom)
    desk.deposit(TRADER, case.wb)
    desk.open(TRADER, MARKET, case.side * exact(case.size), case.entry)
    if other is not None:
        desk.open(TRADER, OTHER, other["size"], other["entry"])
    return {"liq_price": liquidation_price(desk)}


@example("liq_price", "Binance USD-M", needs="side leverage entry size mmr cum", answers="liq_price")
def isolated_with_maintenance_amount(case: Situation) -> dict[str, Any]:
    """An isolated position with the margin that its leverage asks for."""
    grid = fine_grid(MARKET, case.entry, case.size)
    atom = fine_atom(grid)
    rules = under("binance-usdm", {"margin.schedules": {MARKET: published(case.mmr, case.cum, atom)},
                                   "margin.mode": "isolated", "margin.call_ppm": 0})  # fmt: skip
    return {"liq_price": liquidation_price(_isolated(rules, grid, atom, case))}


def _isolated(rules: Any, grid: Grid, atom: Fraction, case: Situation) -> Desk:
    """Return a desk with a position isolated with its initial margin, entry value / leverage."""
    size = exact(case.get("size", 1))
    desk = Desk(rules, [grid], [case.entry], [TRADER], atom=atom)
    desk.open(TRADER, MARKET, case.side * size, case.entry)
    desk.pocket(TRADER, MARKET, size * exact(case.entry) / exact(case.leverage))
    return desk


@example("liq_price", "Bybit", needs="side leverage entry mmr", answers="liq_price")
def maintenance_at_entry(case: Situation) -> dict[str, Any]:
    """An isolated USDT position whose maintenance margin is worked out at its entry price."""
    grid = fine_grid(MARKET, case.entry, 1)
    changes = {"margin.schedule": flat(1, case.mmr), "margin.valuation": {"price": "entry"}, "margin.mode": "isolated"}
    return {"liq_price": liquidation_price(_isolated(under("bybit-linear", changes), grid, fine_atom(grid), case))}


@example("liq_price", "OKX", "Gate", needs="side leverage entry size mmr taker", answers="liq_price")
def closing_fee_at_mark(case: Situation) -> dict[str, Any]:
    """An isolated position whose maintenance margin holds the fee of closing at the mark."""
    grid = fine_grid(MARKET, case.entry, case.size)
    changes = {
        "margin.schedule": flat(1, case.mmr),
        "margin.closing_fee": {"rate_ppm": ppm(case.taker), "price": "mark"},
        "margin.mode": "isolated",
    }
    return {"liq_price": liquidation_price(_isolated(under("okx", changes), grid, fine_atom(grid), case))}


@example(
    "liq_price", "Bybit inverse", needs="qty entry balance order_margin mmr taker", answers="bankruptcy_price liq_price"
)
def inverse_with_closing_fee(case: Situation) -> dict[str, Any]:
    """An inverse long in cross margin; maintenance at entry and the fee of closing at the bankruptcy price."""
    changes = {
        "margin.schedule": flat(1, case.mmr),
        "margin.valuation": {"price": "entry"},
        "margin.closing_fee": {"rate_ppm": ppm(case.taker), "price": "bankruptcy"},
        "contract.closing_fee.fee_ppm": ppm(case.taker),
    }
    rules = under("bybit-inverse", changes)
    fine = _inverse(rules, fine_grid(MARKET, case.entry, case.qty), case)
    # The venue shows prices on its tick: the first one at which a long is distressed lies above the exact price.
    exactly = liquidation_price(fine)
    return {"bankruptcy_price": bankruptcy_price(fine), "liq_price": -(-exactly // TICK) * TICK}


TICK = Fraction(1, 2)


def _inverse(rules: Any, grid: Grid, case: Situation) -> Desk:
    """Return a desk with an inverse long and the balance that is not held for orders."""
    desk = Desk(rules, [grid], [case.entry], [TRADER], atom=fine_coin_atom(grid))
    desk.deposit(TRADER, exact(case.balance) - exact(case.order_margin))
    desk.open(TRADER, MARKET, case.qty, case.entry)
    return desk


@example("liq_price", "Kraken", needs="contracts entry margin imr mmr", answers="liq_price ioc_limit")
def equity_protection(case: Situation) -> dict[str, Any]:
    """An inverse long with its margin; the limit of the forced order is the price at which equity is zero."""
    grid = fine_grid(MARKET, case.entry, case.contracts)
    rules = under("kraken-futures", {"margin.schedule": flat(case.imr, case.mmr)})
    desk = Desk(rules, [grid], [case.entry], [TRADER], atom=fine_coin_atom(grid))
    desk.deposit(TRADER, case.margin)
    desk.open(TRADER, MARKET, case.contracts, case.entry)
    return {"liq_price": liquidation_price(desk), "ioc_limit": bankruptcy_price(desk)}


@example("liq_price", "Drift", needs="deposit size entry mmr", answers="liq_price")
def deposit_behind_a_position(case: Situation) -> dict[str, Any]:
    """A deposit behind a position at its entry price."""
    grid = fine_grid(MARKET, case.entry, case.size)
    desk = Desk(under("drift-v2", rates(1, case.mmr)), [grid], [case.entry], [TRADER], atom=fine_atom(grid))
    desk.deposit(TRADER, case.deposit)
    desk.open(TRADER, MARKET, case.size, case.entry)
    return {"liq_price": liquidation_price(desk)}


@example("liq_price", "dYdX", needs="e s p mmf", answers="liq_price equity_at_liq")
def net_collateral(case: Situation) -> dict[str, Any]:
    """Equity e before s is opened at p; the requirement of another position, which stays, counts as well."""
    size, other = exact(case.s), exact(case.get("mmr_other", 0))
    desk = _collateral_desk(case, size, exact(case.p), other)
    found = liquidation_price(desk)
    # Once more on a grid that holds the price found, to read the equity there.
    there = _collateral_desk(case, size, found, other)
    return {"liq_price": found, "equity_at_liq": there.equity(TRADER) - other}


def _collateral_desk(case: Situation, size: Fraction, mark: Fraction, other: Fraction) -> Desk:
    """Return a desk with a position marked at a price, and another worth ten times its fixed requirement."""
    grids = [fine_grid(MARKET, mark, size)]
    prices: list[Number] = [mark]
    if other:
        grids.append(fine_grid(OTHER, 10 * other, 1))
        prices.append(10 * other)
    schedules = {MARKET: flat(1, case.mmf), **({OTHER: flat(1, Fraction(1, 10))} if other else {})}
    desk = Desk(under("dydx-v4", {"margin.schedules": schedules, "margin.open_interest": None}), grids, prices,
                [TRADER], atom=fine_atom(*grids))  # fmt: skip
    desk.deposit(TRADER, case.e)
    desk.open(TRADER, MARKET, size, exact(case.p))
    if other:
        desk.open(TRADER, OTHER, 1, 10 * other)
    return desk


@example("bankruptcy_price", "Bybit inverse", needs="entry leverage tick", answers="raw rounded")
def inverse_bankruptcy(case: Situation) -> dict[str, Any]:
    """An isolated inverse long with the margin of its leverage; exact, and rounded to the tick by the venue's rule."""
    answers = {}
    rules = under("bybit-inverse", {"margin.schedule": flat(1, 0), "contract.closing_fee": None})
    for name, grid in (
        ("raw", fine_grid(MARKET, case.entry, 1000)),
        ("rounded", Grid(MARKET, exact(case.tick), Fraction(1))),
    ):
        desk = Desk(rules, [grid], [_on_grid(case.entry, grid)], [TRADER], atom=fine_coin_atom(grid))
        desk.deposit(TRADER, Fraction(1000) / exact(case.entry) / exact(case.leverage))
        desk.open(TRADER, MARKET, 1000, case.entry)
        answers[name] = bankruptcy_price(desk, on_grid=name == "rounded")
    return answers


def _on_grid(price: Number, grid: Grid) -> Fraction:
    return round(exact(price) / grid.tick) * grid.tick


@example("bankruptcy_price", "Bybit", needs="entry leverage side", answers="bankruptcy_price")
def linear_bankruptcy(case: Situation) -> dict[str, Any]:
    """An isolated linear position with the margin of its leverage."""
    grid = fine_grid(MARKET, case.entry, 1)
    rules = under("bybit-linear", {"margin.schedule": flat(1, 0), "margin.mode": "isolated"})
    return {"bankruptcy_price": bankruptcy_price(_isolated(rules, grid, fine_atom(grid), case))}
