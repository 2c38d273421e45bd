"""Synthetix: margin by size, positions opened at prices moved by the skew, and the cap on liquidations in a window."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from delever.engine.margin import initial_atoms, unrealised_atoms

from .desk import LOTS_FINE, VALUE_MAX_ATOMS, Desk, Grid, Number, decimal_step, exact, lots_max
from .examples import Situation, example
from .rules import PPM, flat, ppm, under

TRADER, KEEPER, MARKET = "trader", "keeper", "X"
RICH_ATOMS = 2**51


def _bare(changes: dict[str, Any]) -> Any:
    return under("synthetix-v3", {"liquidation.rolling.scale_lots": 1, **changes})


@example(
    "margin",
    "Synthetix",
    needs="size skew_scale imf min_imr mm_scalar price",
    answers="initial_margin_ratio maintenance_margin",
)
def margin_by_size(case: Situation) -> dict[str, Any]:
    """Initial rate in proportion to the size, maintenance margin as a part of it."""
    lot = decimal_step(case.size, case.skew_scale)
    schedule = {
        "kind": "skew_scaled",
        "initial_ppm": ppm(case.min_imr),
        "slope_ppm": ppm(case.imf),
        "slope_lots": int(exact(case.skew_scale) / lot),
        "maintenance_scale_ppm": ppm(case.mm_scalar),
    }
    lots = abs(int(exact(case.size) / lot))
    rules = _bare({"margin.schedule": schedule, "contract.lots_max": 4 * max(LOTS_FINE, lots)})
    grid = Grid(MARKET, decimal_step(case.price), lot)
    desk = Desk(rules, [grid], [case.price], [TRADER], atom=grid.tick * lot / PPM)
    value = abs(exact(case.size)) * exact(case.price)
    desk.deposit(TRADER, 2 * value)
    desk.open(TRADER, MARKET, case.size, case.price)
    t, account = desk.venue.tables, desk.names[TRADER]
    initial = desk.money(int(initial_atoms(t, account, 0, desk.lots(MARKET, case.size))))
    return {"initial_margin_ratio": initial / value, "maintenance_margin": desk.maintenance(TRADER)}


@example("margin", "Synthetix", needs="collateral mk px", answers="pnl available_margin")
def available_margin(case: Situation) -> dict[str, Any]:
    """Positions in empty markets, opened at the index moved by half their skew; profit and equity at later prices."""
    grids, entries = [], []
    for (symbol, size, index, scale), now in zip(case.mk, case.px, strict=True):
        entry = exact(index) * (1 + exact(size) / 2 / exact(scale))
        grids.append(_grid(symbol, size, entry, index, now))
        entries.append(entry)
    # as fine as the limits allow, so that every lot and tick is a whole number of atoms
    most = 2 * lots_max(LOTS_FINE) * sum(grid.lot * grid.tick * grid.price_max_ticks for grid in grids)
    atom = Fraction(1, 10**12)
    while most / atom > VALUE_MAX_ATOMS:
        atom *= 10
    rules = _bare({"margin.schedule": flat("1/100", "1/200")})
    desk = Desk(rules, grids, [row[2] for row in case.mk], [TRADER], atom=atom)
    desk.deposit(TRADER, case.collateral)
    for (symbol, size, *_), entry in zip(case.mk, entries, strict=True):
        desk.open(TRADER, symbol, size, entry)
    desk.marks({row[0]: now for row, now in zip(case.mk, case.px, strict=True)})
    t, account = desk.venue.tables, desk.names[TRADER]
    pnl = [desk.money(int(unrealised_atoms(t, account, desk.market(row[0])))) for row in case.mk]
    return {"pnl": pnl, "available_margin": desk.equity(TRADER)}


def _grid(symbol: str, size: Number, *prices: Number) -> Grid:
    """Return the coarsest grid on which all prices lie."""
    exactly = [exact(price) for price in prices]
    scale = math.lcm(*(price.denominator for price in exactly))
    tick = Fraction(math.gcd(*(int(price * scale) for price in exactly)), scale)
    return Grid(symbol, tick, abs(exact(size)) / LOTS_FINE, min(2**20, 4 * int(max(exactly) / tick)))


# When somebody looks, in seconds, and at which of the positions in their order: the times of the source's test.
LOOKS = (("t=0", 0, 0), ("t=0+", 0, 0), ("t=6", 6, 0), ("t=11", 11, 0), ("t=11", 11, 1), ("t=23", 23, 1))


@example(
    "partial_liq",
    "Synthetix",
    needs="maker taker skew_scale mult window positions",
    answers="capacity_per_window timeline",
)
def throttle(case: Situation) -> dict[str, Any]:
    """Accounts that are all to be liquidated, one after another, as fast as the window allows."""
    sizes = {f"acct{name}": exact(size) for name, size in case.positions.items()}
    lot = decimal_step(case.skew_scale, *sizes.values())
    rolling = {
        "scale_lots": int(exact(case.skew_scale) / lot),
        "rate_ppm": ppm(exact(case.maker) + exact(case.taker)),
        "multiplier_ppm": ppm(case.mult),
        "window_s": case.window,
    }
    held = int(sum(abs(size) for size in sizes.values()) / lot)
    changes = {"liquidation.rolling": rolling, "margin.schedule": flat("1/10", "1/20"), "contract.lots_max": 4 * held}
    rules, price = under("synthetix-v3", changes), 100
    desk = Desk(rules, [Grid(MARKET, Fraction(1), lot)], [price], [*sizes, KEEPER], atom=lot, backstops=[KEEPER])
    desk.lend(KEEPER, RICH_ATOMS * desk.atom)
    for name, size in sizes.items():
        desk.open(name, MARKET, size, price)
    left = []
    for _ in range(1 + max(seconds for _, seconds, _ in LOOKS)):
        desk.step()
        left.append({name: abs(desk.position(name, MARKET)) for name in sizes})
    order = list(sizes)
    looks = [[when, order[place], left[at][order[place]]] for when, at, place in LOOKS if place < len(order)]
    assert rules.liquidation.rolling is not None
    return {"capacity_per_window": rules.liquidation.rolling.capacity_lots * lot, "timeline": looks}
