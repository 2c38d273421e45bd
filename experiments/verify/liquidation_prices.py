"""Liquidation and bankruptcy prices of linear positions: where the engine calls an account distressed, or broke."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from delever.engine.contract import bankruptcy_microticks, bankruptcy_ticks
from delever.engine.liquidation_price import liquidation_microticks
from delever.engine.margin import equity_atoms
from delever.engine.tables import M_MARK_TICKS, P_LOTS

from .desk import ROOMS, Desk, Number, exact, fine_atom, fine_grid
from .examples import Situation, Unsupported, example
from .rules import PPM, TIERS, flat, ppm, under

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


# What a venue's maintenance margin is worked out with, beside rate and amount: the preset, and the changes to it.
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "Binance": ("binance-usdm", {"margin.call_ppm": 0}),
    "Bybit": ("bybit-linear", {"margin.valuation": {"price": "entry"}}),
    "OKX": ("okx", {}),
    "Gate": ("okx", {}),
    "Drift": ("drift-v2", {"margin.tiers": TIERS}),
}


@example("liq_price", *RULES, needs="entry mmr", answers="liq_price bankruptcy_price", labels="symbol")
def behind_a_position(case: Situation) -> dict[str, Any]:
    """A linear position with money behind it: its leverage's in isolated margin, or a wallet, with others if given."""
    return first_found(lambda room: _behind(case, room))


def first_found(make: Callable[[int], Desk]) -> dict[str, Any]:
    """Return the prices that a desk shows; where it finds none, those of one that looks further."""
    answers: dict[str, Any] = {}
    for room in ROOMS:
        desk = make(room)
        answers = {"liq_price": liquidation_price(desk), "bankruptcy_price": bankruptcy_price(desk)}
        if answers["liq_price"]:
            break
    return answers


def _behind(case: Situation, room: int) -> Desk:
    preset, changes = next(rules for venue, rules in RULES.items() if case.venue.startswith(venue))
    size, entry = signed(case), exact(case.entry)
    others = _others(case)
    grids = [fine_grid(MARKET, entry, size, room)]
    grids += [fine_grid(f"{OTHER}{row}", other["mark"], other["size"], room) for row, other in enumerate(others)]
    isolated = case.gives("leverage") and not case.gives("wb")
    money = leverage_money(case, abs(size) * entry) if isolated else wallet(case)
    atom = fine_atom(*grids, amounts=[money])
    schedules = {MARKET: published(case.mmr, case.get("cum", 0), atom)}
    for grid, other in zip(grids[1:], others, strict=True):
        schedules[grid.symbol] = published(other["mmr"], other.get("cum", 0), atom)
    taker = exact(case.get("taker", 0))
    changes = {
        **changes,
        "margin.schedules": schedules,
        "margin.closing_fee": {"rate_ppm": ppm(taker), "price": "mark"} if taker else None,
        "margin.mode": "isolated" if isolated else "cross",
    }
    prices = [entry, *(other["mark"] for other in others)]
    desk = Desk(under(preset, changes), grids, prices, [TRADER], atom=atom)
    desk.open(TRADER, MARKET, size, entry)
    for grid, other in zip(grids[1:], others, strict=True):
        desk.open(TRADER, grid.symbol, exact(other.get("side", 1)) * exact(other["size"]), other["entry"])
    if isolated:
        desk.pocket(TRADER, MARKET, money)
    else:
        desk.lend(TRADER, money)
    return desk


@example(
    "liq_price",
    "Hyperliquid",
    needs="price margin_available position_size",
    answers="liq_price bankruptcy_price",
    labels="asset",
)
def margin_available_at_a_price(case: Situation) -> dict[str, Any]:
    """A position at a price with so much money beside its maintenance margin there: half of 1 / `max_leverage`.

    The rate may be given as it is, `l` or `mmr`, or by `maintenance_leverage`.
    """
    size, price = exact(case.get("side", 1)) * exact(case.position_size), exact(case.price)
    rate = case.get("mmr", case.get("l", None))
    if rate is None:
        twice = case.gives("max_leverage")
        rate = 1 / exact(case.max_leverage) / 2 if twice else 1 / exact(case.maintenance_leverage)

    def make(room: int) -> Desk:
        grid = fine_grid(MARKET, price, size, room)
        rules = under("hyperliquid", {"margin.schedule": flat(1, rate), "margin.markets": {}})
        desk = Desk(rules, [grid], [price], [TRADER], atom=fine_atom(grid, amounts=[case.margin_available]))
        desk.open(TRADER, MARKET, size, price)
        desk.lend(TRADER, exact(case.margin_available) + desk.maintenance(TRADER))
        return desk

    return first_found(make)


def signed(case: Situation) -> Fraction:
    """Return the signed size of a position: `size`, `qty` or `contracts`, one if none is given, by `side` if it is."""
    names = [name for name in ("size", "qty", "contracts") if case.gives(name)]
    size = exact(case.get(names[0], 1)) if names else Fraction(1)
    if not size:
        raise Unsupported("the price at which a position of no size is liquidated")
    return exact(case.get("side", 1)) * size


def leverage_money(case: Situation, value: Fraction) -> Fraction:
    """Return what is behind an isolated position: its value by its leverage, and what its holder has added to it."""
    leverage = exact(case.leverage)
    if leverage <= 0:
        raise Unsupported(f"a leverage of {case.leverage}")
    return value / leverage + exact(case.get("extra", 0))


def wallet(case: Situation) -> Fraction:
    """Return the money behind positions in cross margin, by the word that the venue has for it."""
    words = [word for word in ("wb", "balance", "deposit", "margin") if case.gives(word)]
    if not words:
        raise Unsupported("a position without any money behind it; none of wb, balance, deposit, margin is given")
    return exact(case.get(words[0], 0)) - exact(case.get("order_margin", 0))


def _others(case: Situation) -> list[dict[str, Any]]:
    """Return the other positions of the wallet: a list, one, or none."""
    others = case.get("other", None) or []
    return others if isinstance(others, list) else [others]


@example("liq_price", "dYdX", needs="e s p mmf", answers="liq_price equity_at_liq bankruptcy_price")
def net_collateral(case: Situation) -> dict[str, Any]:
    """Equity e before s is opened at p; the requirement of another position, which stays, counts as well."""
    size, other = exact(case.s), exact(case.get("mmr_other", 0))
    answers = first_found(lambda room: _collateral_desk(case, size, exact(case.p), other, room))
    found = answers["liq_price"]
    if found:
        # Once more on a grid that holds the price found, to read the equity there.
        there = _collateral_desk(case, size, found, other)
        answers["equity_at_liq"] = there.equity(TRADER) - other
    return answers


def _collateral_desk(case: Situation, size: Fraction, mark: Fraction, other: Fraction, room: int = 1) -> Desk:
    """Return a desk with a position marked at a price, and another worth ten times its fixed requirement."""
    grids = [fine_grid(MARKET, mark, size, room)]
    prices: list[Number] = [mark]
    if other:
        grids.append(fine_grid(OTHER, 10 * other, 1, room))
        prices.append(10 * other)
    schedules = {MARKET: flat(1, case.mmf), **({OTHER: flat(1, Fraction(1, 10))} if other else {})}
    desk = Desk(under("dydx-v4", {"margin.schedules": schedules, "margin.open_interest": None}), grids, prices,
                [TRADER], atom=fine_atom(*grids, amounts=[exact(case.e)]))  # fmt: skip
    desk.lend(TRADER, case.e)
    desk.open(TRADER, MARKET, size, exact(case.p))
    if other:
        desk.open(TRADER, OTHER, 1, 10 * other)
    return desk


@example("bankruptcy_price", "Bybit", needs="entry leverage", answers="bankruptcy_price")
def linear_bankruptcy(case: Situation) -> dict[str, Any]:
    """An isolated linear position with the margin of its leverage."""
    size, entry = signed(case), exact(case.entry)
    grid = fine_grid(MARKET, entry, size)
    rules = under("bybit-linear", {"margin.schedule": flat(1, 0), "margin.mode": "isolated"})
    desk = Desk(rules, [grid], [entry], [TRADER], atom=fine_atom(grid))
    desk.open(TRADER, MARKET, size, entry)
    desk.pocket(TRADER, MARKET, leverage_money(case, abs(size) * entry))
    return {"bankruptcy_price": bankruptcy_price(desk)}
