"""dYdX v4: accounts that are offset against others, whole or in part, at their bankruptcy price."""

from __future__ import annotations

from typing import Any

import numpy as np

from delever.engine import deleverage, rounds, takeover

from .desk import Desk, Number, decimal_step, exact
from .dydx import account, portfolio, quote_balance_of
from .examples import Situation, Unsupported, example

REST = "rest of the liquidated"
RICH = 10**6
OFFSETTING = {
    "liquidation.stage": "takeover_only",
    "liquidation.leftover": "fund",
    "liquidation.step": None,
    "liquidation.limit": None,
    "liquidation.surplus": None,
    "deleveraging.trigger": "fund_empty",
    # The house takes the other side of what a case leaves open; it is no counterparty of an offset.
    "deleveraging.eligible.spare_backstops": True,
}
"""The venue offsets at once what nobody takes over."""


class Offset:
    """An account that is offset in one market, by `delta` at most, against others.

    The engine offsets positions whole. Who is to be offset in part is two accounts: one with that part of everything,
    which has the same bankruptcy price, and the rest, which stands by.
    """

    def __init__(self, name: str, quote: Number, positions: list[dict[str, Any]], market: str, delta: Number) -> None:
        self.name, self.quote, self.market = name, exact(quote), market
        self.positions = positions
        (held,) = [exact(p["size"]) for p in positions if p["market"] == market] or [exact(0)]
        if not held or not exact(delta) or abs(exact(delta)) > abs(held):
            raise Unsupported(f"an offset of {delta} of a position of {held}")
        self.part = abs(exact(delta)) / abs(held)

    def against(self, others: list[dict[str, Any]]) -> Desk:
        """Offset it, and return the desk afterwards; `others` are accounts with a position in the market."""
        parts = [exact(p["size"]) * share for p in self.positions for share in (self.part, 1 - self.part)]
        lot = decimal_step(*parts, *(other["position"] for other in others))
        names = [self.name, REST, *(other["account"] for other in others)]
        desk = portfolio(self.positions, lot, names, OFFSETTING)
        part = round(self.quote * self.part / desk.atom) * desk.atom
        sizes = {p["market"]: exact(p["size"]) for p in self.positions}
        account(desk, self.name, part, {market: size * self.part for market, size in sizes.items()})
        account(desk, REST, self.quote - part, {market: size * (1 - self.part) for market, size in sizes.items()})
        for other in others:
            quote = other["quote_balance"]
            account(desk, other["account"], RICH if quote is None else quote, {self.market: other["position"]})
        _offset(desk, self.name)
        return desk

    def left(self, desk: Desk) -> list[Any]:
        """Return its quote balance and its position afterwards."""
        both = (self.name, REST)
        return [
            sum(quote_balance_of(desk, name) for name in both),
            sum(desk.position(name, self.market) for name in both),
        ]


def _offset(desk: Desk, name: str) -> None:
    """Let the engine treat one account: nobody takes its position over, so that counterparties have to."""
    venue, unit = desk.venue, desk.unit(name)
    venue.look()
    units = np.array([unit], dtype=np.int64)
    venue.for_each(rounds.begin_treatment, units)
    takeover.stage(venue, units, np.zeros(1, dtype=np.int64))
    deleverage.stage(venue, units)
    before = np.zeros((1, len(desk.grids)), dtype=np.int64)
    rounds.end_treatment(venue.tables, units, before)


@example("adl_execution", "dYdX", needs="liquidated others oracle_price mmf", answers="accounts remaining")
def offset_accounts(case: Situation) -> dict[str, Any]:
    """A liquidated account is offset against others: those on its side and those without overlap are passed over."""
    liquidated = case.liquidated
    held = [{"market": "X", "size": liquidated["position"], "oracle_price": case.oracle_price, "mmf": case.mmf}]
    delta = case.get("delta", liquidated["position"])
    offset = Offset(liquidated["account"], liquidated["quote_balance"], held, "X", delta)
    desk = offset.against(case.others)
    shown = [one["account"] for one in case.others if one["quote_balance"] is not None]
    return {
        "accounts": {
            offset.name: offset.left(desk),
            **{name: [quote_balance_of(desk, name), desk.position(name, "X")] for name in shown},
        },
        "remaining": abs(desk.position(offset.name, "X")),
    }


@example(
    "adl_execution",
    "dYdX",
    needs="lq0 liquidated_position oq0 offsetting_position P",
    answers="accepted offsetting_quote liquidated_quote",
)
def offset_pair(case: Situation) -> dict[str, Any]:
    """One account is offset against another, whole or in part, if their bankruptcy prices overlap."""
    size = exact(case.liquidated_position)
    held = [{"market": "X", "size": size, "oracle_price": case.P, "mmf": case.get("mmf", 1)}]
    offset = Offset("liquidated", case.lq0, held, "X", case.get("sz", size))
    desk = offset.against([{"account": "other", "quote_balance": case.oq0, "position": case.offsetting_position}])
    if desk.position("liquidated", "X"):
        return {"accepted": False}
    quote, _ = offset.left(desk)
    return {"accepted": True, "offsetting_quote": quote_balance_of(desk, "other"), "liquidated_quote": quote}


@example("adl_execution", "dYdX", needs="quote_balance positions close_market delta", answers="quote_delta quote_after")
def offset_of_one_of_several(case: Situation) -> dict[str, Any]:
    """An account with several positions is offset in one of them, by somebody who holds the other side of it alone."""
    offset = Offset("liquidated", case.quote_balance, case.positions, case.close_market, case.delta)
    desk = offset.against([{"account": "other", "quote_balance": None, "position": case.delta}])
    after, _ = offset.left(desk)
    return {"quote_delta": after - exact(case.quote_balance), "quote_after": after}
