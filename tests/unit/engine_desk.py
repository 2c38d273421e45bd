"""The desk of desk.py over the fast engine: the same hand examples, the same words, all laws checked."""

from __future__ import annotations

from typing import Any

from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import Tables
from delever.engine.venue import Venue
from tests.comparison import Observation
from tests.engine_side import EngineSide
from tests.plain_world import plain_world

from .desk import PLAIN, Desk


class EngineDesk(Desk):
    """Places commands one or many a step at the engine; the index stays unless told otherwise."""

    def __init__(
        self,
        deposits: list[int],
        markets: int = 1,
        multiplier: int = 1,
        backstops: list[int] | None = None,
        dt_s: int = 1,
        orders_max: int = 100,
        **axes: dict[str, Any],
    ) -> None:
        chosen = {axis: PLAIN.get(axis, {}) | axes.get(axis, {}) for axis in {*PLAIN, *axes}}
        self.index = [100] * markets
        self.side = EngineSide(
            plain_world(
                len(deposits),
                markets=markets,
                multiplier=multiplier,
                backstops=backstops or [],
                dt_s=dt_s,
                orders_max=orders_max,
            ),
            RuleSet.model_validate(chosen).model_dump(),
        )
        self.seen: Observation = self.side.observe()
        for account, amount in enumerate(deposits):
            if amount:
                assert self.do("DEPOSIT", account, amount=amount) == "OK"

    @property
    def engine(self) -> Venue:
        """The venue itself."""
        return self.side.venue

    @property
    def t(self) -> Tables:
        """Its tables."""
        return self.side.venue.tables

    def step(self, *commands: dict[str, Any], index: int | None = None) -> list[str]:
        """Run one step, with a new index in market 0 if given."""
        if index is not None:
            self.index = [index, *self.index[1:]]
        results = self.side.process(list(commands), self.index)
        self.seen = self.side.observe()
        return results

    def cash(self, account: int) -> int:
        """Return the balance of an account's cross unit."""
        return self.money(("cross", account))

    def pocket(self, account: int, market: int = 0) -> int:
        """Return the balance of a pocket."""
        return self.money(("pocket", account, market))

    def money(self, unit: Any) -> int:
        """Return the balance of any unit, by its name in observations."""
        return int(self.seen.get(("balance", unit), 0))

    def held(self, owner: Any, market: int = 0) -> tuple[int, int]:
        """Return (lots, cost)."""
        found: tuple[int, int] = self.seen.get(("position", owner, market), (0, 0))
        return found

    def book(self, side: int, market: int = 0) -> list[tuple[int, int, int]]:
        """Return (account, price, lots) of one side, best first."""
        return [(row[0], row[2], row[3]) for row in self.seen["book", market, side]]

    def traded(self) -> list[tuple[Any, int, int, int, int]]:
        """Return (taker, maker, signed lots, price, cause) of the last step's fills."""
        return [(taker, maker, *rest) for taker, maker, _, *rest in self.seen["fills"]]
