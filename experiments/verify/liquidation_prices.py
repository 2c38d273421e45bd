"""Liquidation prices: an account with its positions, and the price at which the engine calls it distressed."""

from __future__ import annotations

from typing import Any

from delever.engine.liquidation_price import liquidation_ticks
from delever.engine.rules.io import replace
from delever.engine.rules.ruleset import RuleSet

from .desk import Desk, exact, fine_atom, fine_grid, lots_max
from .examples import Situation, example

PPM = 10**6


def plain_rules(maintenance: float) -> RuleSet:
    """Return rules with one maintenance rate, marked by the index, without charges."""
    rate = round(exact(maintenance) * PPM)
    tier = {"floor_quote": 0, "initial_ppm": max(rate, 1), "maintenance_ppm": max(rate, 1)}
    return replace(
        RuleSet(),
        {
            "contract.lots_max": lots_max(1000),
            "margin.tiers": [tier],
            "mark.components": ["index"],
            "charges": {"maker_ppm": 0, "taker_ppm": 0, "funding": None},
            "halts.collar_ppm": 0,
            "insurance.initial_quote": 0,
        },
    )


@example("liq_price", "dYdX", needs="e s p mmf", answers="liq_price equity_at_liq")
def net_collateral(case: Situation) -> dict[str, Any]:
    """An account whose deposit is its equity opens s at p."""
    grid = fine_grid("X", case.p, case.s)
    desk = Desk(plain_rules(case.mmf), [grid], [case.p], ["trader"], atom=fine_atom(grid))
    desk.deposit("trader", exact(case.e) - exact(case.get("mmr_other", 0)))
    desk.open("trader", "X", case.s, case.p)
    ticks = liquidation_ticks(desk.venue.tables, desk.names["trader"], desk.market("X"))
    desk.marks({"X": desk.price("X", ticks)})
    return {"liq_price": desk.price("X", ticks), "equity_at_liq": desk.equity("trader")}
