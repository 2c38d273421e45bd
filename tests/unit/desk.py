"""A small reference venue for examples by hand: one atom a tick and lot, mark = index, no charges."""

from __future__ import annotations

from typing import Any

from delever.engine.rules.ruleset import RuleSet
from tests.reference.venue import ReferenceVenue

PLAIN: dict[str, dict[str, Any]] = {
    "margin": {"tiers": [{"floor_quote": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000}]},
    "mark": {"components": ["index"]},
    "insurance": {"initial_quote": 0, "disposal_share_ppm": 0},
    "deleveraging": {"trigger": "none"},
    "charges": {"maker_ppm": 0, "taker_ppm": 0, "funding": None},
    "halts": {"collar_ppm": 0},
}


class Desk:
    """Places commands one or many a step and keeps the index where it was unless told otherwise."""

    def __init__(
        self,
        deposits: list[int],
        markets: int = 1,
        multiplier: int = 1,
        backstops: list[int] | None = None,
        dt_s: int = 1,
        **axes: dict[str, Any],
    ) -> None:
        chosen = {axis: PLAIN.get(axis, {}) | axes.get(axis, {}) for axis in {*PLAIN, *axes}}
        rules = RuleSet.model_validate(chosen).model_dump()
        rows = [{"symbol": f"M{m}", "multiplier_atoms": multiplier, "price_max_ticks": 1000} for m in range(markets)]
        self.index = [100] * markets
        keys = list(range(len(deposits)))
        self.venue = ReferenceVenue(rules, rows, keys, dt_s, backstops or [], self.index, 100)
        for account, amount in enumerate(deposits):
            if amount:
                assert self.do("DEPOSIT", account, amount=amount) == "OK"

    def step(self, *commands: dict[str, Any], index: int | None = None) -> list[str]:
        """Run one step, with a new index in market 0 if given, and check all laws."""
        if index is not None:
            self.index = [index, *self.index[1:]]
        results = self.venue.process(list(commands), self.index)
        self.venue.check_laws()
        return results

    def do(self, kind: str, account: int, market: int = 0, **fields: Any) -> str:
        """Run one step with one command and return its result."""
        return self.step(command(kind, account, market, **fields))[0]

    def limit(self, account: int, side: int, lots: int, price: int, **fields: Any) -> str:
        """Run one step with one LIMIT order."""
        return self.do("LIMIT", account, side=side, lots=lots, price=price, **fields)

    def market(self, account: int, side: int, lots: int, **fields: Any) -> str:
        """Run one step with one MARKET order."""
        return self.do("MARKET", account, side=side, lots=lots, **fields)

    def trade(self, buyer: int, seller: int, lots: int, price: int, market: int = 0) -> None:
        """Let the buyer take an order of the seller."""
        assert self.do("LIMIT", seller, market, side=-1, lots=lots, price=price) == "OK"
        assert self.do("LIMIT", buyer, market, side=1, lots=lots, price=price) == "OK"

    def cash(self, account: int) -> int:
        """Return the balance of an account's cross unit."""
        return self.venue.balance(("cross", account))

    def pocket(self, account: int, market: int = 0) -> int:
        """Return the balance of a pocket."""
        return self.venue.balance(("pocket", account, market))

    def held(self, owner: Any, market: int = 0) -> tuple[int, int]:
        """Return (lots, cost)."""
        return self.venue.position(owner, market)

    def book(self, side: int, market: int = 0) -> list[tuple[int, int, int]]:
        """Return (account, price, lots) of one side, best first."""
        return [(row[0], row[2], row[3]) for row in self.venue.book(market)[side]]

    def traded(self) -> list[tuple[Any, int, int, int, int]]:
        """Return (taker, maker, signed lots, price, cause) of the last step's fills."""
        return [(f.taker, f.maker, f.lots, f.price, f.cause) for f in self.venue.fills]


def command(kind: str, account: int, market: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a command in which everything not given is zero or False."""
    empty = {"side": 0, "lots": 0, "price": 0, "trigger": 0, "tag": 0, "amount": 0}
    flags = dict.fromkeys(("ioc", "fok", "post_only", "reduce_only", "by_mark"), False)
    return {"kind": kind, "account": account, "market": market} | empty | flags | fields
