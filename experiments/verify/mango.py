"""Mango: health by asset and liability weights, and what liquidators take at which price until health is restored."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from delever.engine.margin import free_collateral_atoms, initial_atoms
from delever.engine.tables import NONE

from .desk import LOTS_FINE, Desk, Grid, Number, decimal_step, exact
from .examples import Situation, example
from .rules import PPM, ppm, under

TRADER, KEEPER, MARKET = "trader", "keeper", "X"
# The weights of the venue's own tests, which its examples are from.
WEIGHTS: dict[str, Number] = {
    "initial_asset": "0.6",
    "maintenance_asset": "0.7",
    "initial_liability": "1.4",
    "maintenance_liability": "1.3",
}


def weights(given: Mapping[str, Number]) -> dict[str, Any]:
    """Return a schedule of weights."""
    return {"kind": "weights", **{f"{name}_ppm": ppm(weight) for name, weight in given.items()}}


def _desk(schedule: dict[str, Any], prices: list[Number], sizes: list[Number], changes: dict[str, Any]) -> Desk:
    """Return a desk with a trader and a liquidator, both without money, on a grid of prices and sizes."""
    grid = Grid(MARKET, decimal_step(*prices), decimal_step(*sizes))
    lots = int(sum(abs(exact(size)) for size in sizes) / grid.lot)
    rules = under("mango-v4", {"margin.schedule": schedule, "contract.lots_max": 4 * max(LOTS_FINE, lots), **changes})
    return Desk(rules, [grid], [prices[0]], [TRADER, KEEPER], atom=grid.tick * grid.lot / PPM, backstops=[KEEPER])


def health(desk: Desk) -> Fraction:
    """Return the trader's initial health: what is free beside initial margin."""
    return desk.money(int(free_collateral_atoms(desk.venue.tables, desk.names[TRADER], NONE, 0, 0, 0)))


@example("margin", "Mango", needs="lots lot wa wl q h0", answers="delta_long delta_short health_after")
def health_of_a_position(case: Situation) -> dict[str, Any]:
    """What a position opened at the oracle price does to health, as a long and as a short."""
    size, price = exact(case.lots) * exact(case.lot), exact(case.q) * exact(case.get("price", 1))
    schedule = weights({"initial_asset": case.wa, "maintenance_asset": case.wa, "initial_liability": case.wl,
                        "maintenance_liability": case.wl})  # fmt: skip
    after = []
    for side in (1, -1):
        desk = _desk(schedule, [price], [size], {})
        desk.lend(TRADER, case.h0)
        assert health(desk) == exact(case.h0)
        desk.open(TRADER, MARKET, side * size, price)
        after.append(health(desk))
    long, short = (found - exact(case.h0) for found in after)
    return {"delta_long": long, "delta_short": short, "health_after": after[0]}


@example("margin", "Mango", needs="h0 base q p0 p1", answers="delta health")
def health_at_another_price(case: Situation) -> dict[str, Any]:
    """What a move of the oracle price does to the health of an account with a position."""
    before, after = (exact(case.q) * exact(price) for price in (case.p0, case.p1))
    asset = case.get("wa", WEIGHTS["initial_asset"])
    liability = case.get("wl", WEIGHTS["initial_liability"])
    schedule = weights({"initial_asset": asset, "maintenance_asset": asset, "initial_liability": liability,
                        "maintenance_liability": liability})  # fmt: skip
    desk = _desk(schedule, [before, after], [case.base], {})
    if exact(case.base):
        desk.open(TRADER, MARKET, case.base, before)
    desk.lend(TRADER, exact(case.h0) - health(desk))
    assert health(desk) == exact(case.h0)
    desk.marks({MARKET: after})
    return {"delta": health(desk) - exact(case.h0), "health": health(desk)}


def _keepers(fee: Number, platform: Number) -> dict[str, Any]:
    terms = {"around": "index", "bonus_ppm": ppm(fee), "fund_fee": {"highest_ppm": ppm(platform)}}
    return {"liquidation.keepers": terms}


@example(
    "partial_liq",
    "Mango",
    needs="lots lot oracle fee platform",
    answers="liqor_pays liqee_gets liqor_gets liqee_pays",
)
def base_at_a_discount(case: Situation) -> dict[str, Any]:
    """A liquidator takes all lots; the account has just what both fees cost, and so needs to be rid of all of them."""
    size, price = exact(case.lots) * exact(case.lot), exact(case.oracle)
    desk = _desk(weights(WEIGHTS), [price], [size], _keepers(case.fee, case.platform))
    desk.open(TRADER, MARKET, size, price)
    desk.lend(TRADER, abs(size) * price * (exact(case.fee) + exact(case.platform)))
    desk.lend(KEEPER, 10 * abs(size) * price)
    before = [_quote(desk, name) for name in (KEEPER, TRADER)]
    desk.step()
    assert desk.position(TRADER, MARKET) == 0, "the liquidator takes all of it"
    keeper, trader = (_quote(desk, name) - was for name, was in zip((KEEPER, TRADER), before, strict=True))
    return {"liqor_pays": -keeper, "liqee_gets": trader, "liqor_gets": keeper, "liqee_pays": -trader}


def _quote(desk: Desk, name: str) -> Fraction:
    """Return the quote position: money less the value at entry of what is held."""
    return desk.balance(name) - desk.cost(name, MARKET)


CALLS = ("first", "second", "third", "fourth")


@example("partial_liq", "Mango", needs="start first", answers="remaining_lots")
def until_health_is_restored(case: Situation) -> dict[str, Any]:
    """An account short of health by the lots of some calls: the last liquidator takes any number, the others so many.

    Signs of calls are those of the transfer; only how many lots they are counts.
    """
    start, price, lot = exact(case.start), Fraction(1), 100
    calls = [abs(exact(case.get(name, 0))) for name in CALLS if case.gives(name)]
    changes = {**_keepers("0.03", "0.02"), "liquidation.rounds_max": 1}
    desk = _desk(weights(WEIGHTS), [price], [abs(start) * lot], changes)
    desk.open(TRADER, MARKET, start * lot, price)
    levels = desk.venue.rules.liquidation.levels
    assert levels is not None
    # Each lot frees its part of what has to be reached, less both fees.
    reached = desk.maintenance(TRADER) * Fraction(levels.stop_ppm, PPM)
    freed_by_all = reached - abs(start) * lot * price * Fraction(5, 100)
    desk.lend(TRADER, reached - freed_by_all * sum(calls) / abs(start))
    remaining = []
    for lots in (*calls[:-1], abs(start)):
        _let_take(desk, lots * lot, 1 if start > 0 else -1)
        desk.step()
        remaining.append(desk.position(TRADER, MARKET) / lot)
    return {"remaining_lots": remaining}


def _let_take(desk: Desk, size: Fraction, side: int) -> None:
    """Give the liquidator just the money with which it may hold so much more on a side, as the venue margins it."""
    held = desk.lots(MARKET, desk.position(KEEPER, MARKET))
    t, row = desk.venue.tables, desk.names[KEEPER]
    free = int(free_collateral_atoms(t, row, NONE, 0, 0, 0))
    more = int(initial_atoms(t, row, 0, held + side * desk.lots(MARKET, size))) - int(initial_atoms(t, row, 0, held))
    desk.lend(KEEPER, desk.money(more - free))
