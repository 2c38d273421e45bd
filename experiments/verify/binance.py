"""Margin by brackets and the deleveraging score: tables of rates, maintenance amounts, deductions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from delever.engine.margin import initial_atoms
from delever.engine.rules.schedules import Bracketed
from delever.engine.rules.venues.hyperliquid import tiers_by_leverage
from delever.engine.schedules import measured_tier
from delever.engine.standings import standings
from delever.engine.tables import (
    M_MARK_TICKS,
    M_TIER_COUNT,
    M_TIERS,
    TIER_DEDUCTION_ATOMS,
    TIER_MAINTENANCE_PPM,
)

from .desk import HOUSE, Desk, Grid, Number, decimal_step, exact, fine_atom, fine_coin_atom, fine_grid
from .examples import Situation, Unsupported, example
from .liquidation_prices import signed
from .rules import PPM, flat, ppm, under

TRADER, MARKET = "trader", "X"
MICRO = Fraction(1, PPM)


def bracket_desk(preset: str, floors: Sequence[Number], rates: Sequence[Number], unit: Number = 1) -> Desk:
    """Return a venue with brackets; the engine works the deductions out. Floors are whole multiples of `unit`."""
    tiers = [
        {"floor_quote": int(exact(floor) / exact(unit)), "initial_ppm": PPM, "maintenance_ppm": max(1, ppm(rate))}
        for floor, rate in zip(floors, rates, strict=True)
    ]
    rules = under(preset, {"margin.tiers": tiers, "margin.markets": {}, "margin.schedule": None, "margin.call_ppm": 0})
    grid = Grid(MARKET, Fraction(1), Fraction(1), 8)
    atom = exact(unit) * MICRO
    return Desk(rules, [grid], [1], [TRADER], atom=atom)


def deductions(desk: Desk) -> list[Fraction]:
    """Return what the engine takes off the requirement in each bracket."""
    t = desk.venue.tables
    first, count = t.markets[desk.market(MARKET), [M_TIERS, M_TIER_COUNT]].tolist()
    return [desk.money(atoms) for atoms in t.tiers[first : first + count, TIER_DEDUCTION_ATOMS].tolist()]


@example("margin", "Binance", needs="floors rates", answers="cum", labels="symbol")
def maintenance_amounts(case: Situation) -> dict[str, Any]:
    """A whole table: the maintenance amount of each bracket."""
    if "COIN" in case.venue:
        unit = decimal_step(*case.floors, Fraction(1, 100))
        return {"cum": deductions(bracket_desk("binance-coinm", case.floors, case.rates, unit))}
    return {"cum": deductions(bracket_desk("binance-usdm", case.floors, case.rates, decimal_step(*case.floors)))}


@example(
    "margin",
    "Hyperliquid",
    needs="floors max_leverage",
    answers="maintenance_deduction maintenance_margin",
    labels="asset",
)
def deductions_by_leverage(case: Situation) -> dict[str, Any]:
    """A table by largest leverage: maintenance is half of initial margin; what a position of a value needs."""
    pairs = zip(case.floors, case.max_leverage, strict=True)
    schedule = Bracketed.by_leverage(*((int(floor), int(leverage)) for floor, leverage in pairs))
    changes = {"margin.schedule": schedule.model_dump(), "margin.markets": {}}
    desk = _one_lot("hyperliquid", changes, case.get("notional", 0))
    return {"maintenance_deduction": deductions(desk), "maintenance_margin": desk.maintenance(TRADER)}


@example("margin", "Binance", needs="floor r1 r0 prev", answers="maintenance_amount maintenance_amount_btc")
def one_maintenance_amount(case: Situation) -> dict[str, Any]:
    """One bracket after another whose amount is known; a bracket before both gives that amount."""
    inverse = "COIN" in case.venue
    unit = Fraction(1, 100) if inverse else Fraction(1)
    floor, before = _bracket_before(exact(case.floor) / unit, ppm(case.r0), exact(case.prev) / unit)
    floors: list[Number] = [0, floor * unit, case.floor] if floor else [0, case.floor]
    rates: list[Number] = [Fraction(before, PPM), case.r0, case.r1] if floor else [case.r0, case.r1]
    amount = deductions(bracket_desk("binance-coinm" if inverse else "binance-usdm", floors, rates, unit))[-1]
    return {"maintenance_amount": amount, "maintenance_amount_btc": amount}


def _bracket_before(below: Fraction, rate_ppm: int, amount: Fraction) -> tuple[int, int]:
    """Return floor and the rate before it of a bracket with a rate that joins with an amount; (0, 0) if that is 0."""
    if amount == 0:
        return 0, 0
    for rise in range(rate_ppm - 1, 0, -1):
        floor = amount * PPM / rise
        if floor.denominator == 1 and floor < below:
            return int(floor), rate_ppm - rise
    raise Unsupported("brackets below the given ones with whole floors and rates that join with the given amount")


@example(
    "margin", "Binance", needs="notional tiers", answers="mmr maintenance_amount maintenance_margin", labels="symbol"
)
def bracket_of_a_position(case: Situation) -> dict[str, Any]:
    """A position of a value: the bracket it falls into and what it needs."""
    preset = "binance-coinm" if "COIN" in case.venue else "binance-usdm"
    tiers = [
        {
            "floor_quote": int(floor),
            "initial_ppm": PPM,
            "maintenance_ppm": ppm(rate),
            "deduction_atoms": int(exact(amount) / MICRO),
        }
        for floor, rate, amount in case.tiers
    ]
    changes = {"margin.schedule": {"kind": "bracketed", "tiers": tiers}, "margin.markets": {}, "margin.call_ppm": 0}
    desk = _one_lot(preset, changes, case.notional)
    t, value = desk.venue.tables, desk.atoms(case.notional)
    row = t.tiers[int(measured_tier(t, 0, 1, value))]
    rate, amount = Fraction(int(row[TIER_MAINTENANCE_PPM]), PPM), desk.money(int(row[TIER_DEDUCTION_ATOMS]))
    need = desk.maintenance(TRADER)
    assert abs(need - max(Fraction(0), exact(case.notional) * rate - amount)) <= MICRO, "the bracket is the one used"
    return {"mmr": rate, "maintenance_amount": amount, "maintenance_margin": need}


def _one_lot(preset: str, changes: dict[str, Any], value: Number) -> Desk:
    """Return a desk with a position of one lot at one tick that is worth so much, or none if that is 0."""
    worth = exact(value) or Fraction(1)
    rules = under(preset, {**changes, "contract.lots_max": 4})
    desk = Desk(rules, [Grid(MARKET, worth, Fraction(1), 4)], [worth], [TRADER], atom=MICRO)
    if exact(value):
        desk.deposit(TRADER, 2 * worth)
        desk.deposit(HOUSE, 4 * worth)
        desk.open(TRADER, MARKET, 1, worth)
    return desk


@example("margin", "Hyperliquid", needs="max_leverage", answers="mmr", labels="asset")
def half_of_initial(case: Situation) -> dict[str, Any]:
    """The maintenance rate of a market by its largest leverage."""
    leverage = int(exact(case.max_leverage))
    tiers = [tier.model_dump() for tier in tiers_by_leverage((0, leverage))]
    desk = _one_lot("hyperliquid", {"margin.tiers": tiers, "margin.markets": {}}, 10**6)
    return {"mmr": desk.maintenance(TRADER) / 10**6}


@example("margin", "Deribit", needs="px im0 mm0 k size", answers="initial_margin maintenance_margin", labels="coin")
def rates_that_rise_with_size(case: Situation) -> dict[str, Any]:
    """A position whose rates rise with its size in coins."""
    size, lot, coins = abs(exact(case.size)), Fraction(1), 1
    while (size / lot).denominator != 1:
        lot /= 10
    while (exact(case.k) * coins * PPM).denominator != 1:
        coins *= 10
    affine = {
        "kind": "affine",
        "initial_ppm": ppm(case.im0),
        "maintenance_ppm": ppm(case.mm0),
        "slope_ppm": ppm(exact(case.k) * coins),
        "slope_lots": int(coins / lot),
    }
    changes = {"margin.schedule": affine, "margin.schedules": None, "contract.lots_max": 4 * int(size / lot)}
    price = exact(case.px)
    desk = Desk(under("deribit", changes), [Grid(MARKET, price, lot, 4)], [price], [TRADER], atom=MICRO)
    desk.open(TRADER, MARKET, case.size, price)
    return {"initial_margin": initial_margin(desk, case.size), "maintenance_margin": desk.maintenance(TRADER)}


def initial_margin(desk: Desk, size: Number) -> Fraction:
    """Return the initial margin of the trader's position of a size."""
    atoms = initial_atoms(desk.venue.tables, desk.names[TRADER], 0, desk.lots(MARKET, size))
    return desk.money(int(atoms))


PRESETS_BY_VENUE = {
    "Bybit inverse": "bybit-inverse",
    "Kraken": "kraken-futures",
    "BitMEX": "bitmex",
    "Bybit": "bybit-linear",
    "OKX": "okx",
}
WORDS = ("position_value", "initial_margin", "maintenance_margin", "position_value_xbt", "im_xbt", "mm_xbt")


@example("margin", *PRESETS_BY_VENUE, needs="entry leverage", answers=" ".join(WORDS), labels="symbol")
@example("margin", *PRESETS_BY_VENUE, needs="entry imr", answers=" ".join(WORDS), labels="symbol")
def margins_of_a_position(case: Situation) -> dict[str, Any]:
    """A position at its entry price and its margins, by leverage or by rates; an inverse one in coins."""
    preset = next(preset for venue, preset in PRESETS_BY_VENUE.items() if case.venue.startswith(venue))
    if case.gives("leverage") and exact(case.leverage) < 1:
        raise Unsupported(f"a leverage of {case.leverage}")
    initial = 1 / exact(case.leverage) if case.gives("leverage") else case.imr
    size = signed(case)
    grid = fine_grid(MARKET, case.entry, size)
    changes = {"margin.schedule": flat(initial, case.get("mmr", 0)), "margin.markets": {}, "margin.closing_fee": None}
    rules = under(preset, changes)
    inverse = rules.contract.payoff == "inverse"
    atom = fine_coin_atom(grid) if inverse else fine_atom(grid)
    desk = Desk(rules, [grid], [case.entry], [TRADER], atom=atom)
    desk.open(TRADER, MARKET, size, case.entry)
    found = (abs(desk.cost(TRADER, MARKET)), initial_margin(desk, size), desk.maintenance(TRADER))
    return dict(zip(WORDS, found * 2, strict=True))


@example("adl_rank", "Binance", needs="upnl wb margin_ratio", answers="pnl_percent leverage_pnl", labels="symbol")
def profit_and_margin(case: Situation) -> dict[str, Any]:
    """An account by wallet balance, profit and margin ratio: the score that the engine ranks it by.

    The profit share is the score where the margin ratio is one, on which it does not depend.
    """
    wealthy = exact(case.wb) + exact(case.upnl) > 0
    return {
        "pnl_percent": _score(case, Fraction(1)) if wealthy else _score(case, Fraction(0)),
        "leverage_pnl": _score(case, exact(case.margin_ratio)),
    }


def _score(case: Situation, ratio: Fraction) -> Fraction:
    """Return the score of an account whose maintenance margin is so large a part of its equity."""
    equity = exact(case.wb) + exact(case.upnl)
    need = max(Fraction(0), ratio * equity)
    value = max(20 * need, 4 * abs(exact(case.upnl)), abs(equity), Fraction(1))
    changes = {"margin.schedule": flat(1, need / value), "margin.markets": {}, "margin.call_ppm": 0}
    grid = fine_grid(MARKET, value, 1)
    atom = grid.lot * grid.tick / 2**20
    # A quote unit of the engine is a million atoms, whatever these are: so many of them are 1 USDT.
    changes["deleveraging.least_balance_quote"] = max(1, round(1 / (atom * 10**6)))
    desk = Desk(under("binance-usdm", changes), [grid], [value], [TRADER], atom=atom)
    desk.lend(HOUSE, 10 * value)
    desk.open(TRADER, MARKET, 1, value - exact(case.upnl))
    desk.lend(TRADER, case.wb)
    found = {row.account: row.score for row in standings(desk.venue, 0, 1)}[desk.names[TRADER]]
    assert int(desk.venue.tables.markets[0, M_MARK_TICKS]) == desk.ticks(MARKET, value)
    return Fraction(found)
