"""Synthetix: margin by size, positions opened at prices moved by the skew, and the cap on liquidations in a window."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from delever.engine.margin import initial_atoms, unrealised_atoms

from .desk import HOUSE, LOTS_FINE, VALUE_MAX_ATOMS, Desk, Grid, Number, decimal_step, exact, lots_max
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
    desk.lend(TRADER, case.collateral)
    for (symbol, size, *_), entry in zip(case.mk, entries, strict=True):
        if exact(size):
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
    return Grid(symbol, tick, (abs(exact(size)) or Fraction(1)) / LOTS_FINE, min(2**20, 4 * int(max(exactly) / tick)))


@example(
    "partial_liq",
    "Synthetix",
    needs="maker taker skew_scale mult window",
    answers="capacity_per_window timeline",
)
def throttle(case: Situation) -> dict[str, Any]:
    """Accounts that are all to be liquidated, one after another, as fast as the window allows."""
    positions = case.get("positions", None) or {}
    large = _throttled(case, {"large": exact(case.skew_scale) * _window_share(case) * 2})
    large.step()
    before = exact(case.skew_scale) * _window_share(case) * 2
    answers: dict[str, Any] = {"capacity_per_window": before - abs(large.position("large", MARKET))}
    if positions:
        answers["timeline"] = Left(_throttled(case, {f"acct{name}": exact(size) for name, size in positions.items()}))
    return answers


def _window_share(case: Situation) -> Fraction:
    """Return the part of the skew scale that the fees let be liquidated in a window; 1 if that is nothing."""
    share = (exact(case.maker) + exact(case.taker)) * exact(case.mult) * int(case.window)
    return share or Fraction(1)


def _throttled(case: Situation, sizes: dict[str, Fraction]) -> Desk:
    """Return a desk with accounts that are to be liquidated, and a keeper who would take everything."""
    lot = decimal_step(case.skew_scale, *sizes.values())
    rolling = {
        "scale_lots": int(exact(case.skew_scale) / lot),
        "rate_ppm": ppm(exact(case.maker) + exact(case.taker)),
        "multiplier_ppm": ppm(case.mult),
        "window_s": int(case.window),
    }
    held = int(sum(abs(size) for size in sizes.values()) / lot)
    changes = {"liquidation.rolling": rolling, "margin.schedule": flat("1/10", "1/20"), "contract.lots_max": 4 * held}
    grid = Grid(MARKET, Fraction(1), lot, 4 * PRICE)
    desk = Desk(under("synthetix-v3", changes), [grid], [PRICE], [*sizes, KEEPER], atom=lot, backstops=[KEEPER])
    desk.lend(KEEPER, RICH_ATOMS * desk.atom)
    for name, size in sizes.items():
        desk.open(name, MARKET, size, PRICE)
    return desk


PRICE = 100
WHEN = re.compile(r"t=(\d{1,5})\+?")


class Left:
    """What is left of positions, by the second, as far as somebody asks."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.names = [name for name in desk.names if name not in (KEEPER, HOUSE)]
        self.left: list[dict[str, Fraction]] = []

    def at(self, when: str, *who: str) -> Fraction:
        """Return what is left of an account's position after the step of a second, "t=6"; a plus says: once more."""
        found, name = WHEN.fullmatch(str(when)), who[0] if who else self.names[0]
        if found is None or name not in self.names:
            raise LookupError(f"no {when!r} of {name!r}: times are t=0, t=1 and so on, accounts {self.names}")
        while len(self.left) <= int(found[1]):
            self.desk.step()
            self.left.append({each: abs(self.desk.position(each, MARKET)) for each in self.names})
        return self.left[int(found[1])][name]
