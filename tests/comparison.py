"""Two venues, the same commands: what is compared after every step, and where they first differ.

A side is anything with `process(commands, index_ticks) -> list[str]` and `observe() -> dict`. The keys of an
observation are:

- ("balance", unit): atoms, units ("cross", a), ("pocket", a, m), "FUND", "FEES", ... ; only those not zero
- ("holding", unit, asset): asset atoms; only those not zero
- ("position", owner, m): (lots, cost), owner a row or "FUND"; only those not flat
- ("liquidation price", a, m): ticks, of traders' open positions, if `prices`: the reference goes through every tick
- ("isolated", a, m), ("own_ppm", a, m): only those not cross, not zero
- ("book", m, side): [(account, tag, price, lots, reduce_only)] in order of priority
- ("waiting", m): [(account, tag, kind, side, lots, trigger)], oldest first
- ("mark", m), ("basis", m), ("rate", m): ticks, microticks, ppb
- "distressed": {unit: since}, "notices": set of units
- "fills": [(taker, maker, market, signed lots, price, cause)] of the step
- "liquidations": [(id, step, account, market or -1, parent)] so far
- "takeovers": [(step, id, account, market, taker, lots, price)] so far
- "adl": [(step, id, account or "FUND", market, counterparty, lots, price)] so far
- "refusals": {code: count} so far, "unfinished": steps so far
- "postings": {(code, debit, credit): atoms} of the step
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, Protocol

from tests.reference.margin import liquidation_price
from tests.reference.state import FUND, owner_of
from tests.reference.venue import ReferenceVenue
from tests.reference.wide_prices import said_by_sources
from tests.reference.workload import Command, World, random_commands, random_path

Observation = dict[Any, Any]

PRICES_EVERY = 10
"""Liquidation prices, which the reference takes longer for than for all else, are compared in every so manyth step."""


class Side(Protocol):
    """One of the venues compared."""

    def limit_liquidations(self, units: int | None, value_atoms: int | None) -> None:
        """Impair the liquidation engine from the next step on (R-W61)."""

    def process(self, commands: list[Command], index_ticks: list[Any]) -> list[str]:
        """Run one step and return a result per command."""

    def observe(self, *, prices: bool = True) -> Observation:
        """Return everything that is compared."""


class ReferenceSide:
    """The reference venue, observed."""

    def __init__(self, world: World, rules: dict[str, Any]) -> None:
        self.venue: ReferenceVenue = world.venue(rules)
        self._postings = 0

    def limit_liquidations(self, units: int | None, value_atoms: int | None) -> None:
        """Impair the liquidation engine."""
        self.venue.limit_liquidations(units, value_atoms)

    def process(self, commands: list[Command], index_ticks: list[Any]) -> list[str]:
        """Run one step and check the laws."""
        self._postings = len(self.venue.postings)
        results = self.venue.process(commands, index_ticks)
        self.venue.check_laws()
        return results

    def observe(self, *, prices: bool = True) -> Observation:
        """Return everything that is compared."""
        venue, state = self.venue, self.venue.state
        seen: Observation = {("balance", unit): atoms for unit, atoms in state.balances.items() if atoms}
        seen |= {("holding", *where): atoms for where, atoms in state.holdings.items() if atoms}
        for (owner, m), position in state.positions.items():
            if position.lots:
                seen["position", owner, m] = (position.lots, position.cost)
                if owner != FUND and prices:
                    seen["liquidation price", owner, m] = liquidation_price(state, state.unit_of(owner, m), m)
        seen |= {("isolated", *where): True for where, isolated in state.isolated.items() if isolated}
        seen |= {("own_ppm", *where): ppm for where, ppm in state.own_ppm.items() if ppm}
        for m in range(len(state.markets)):
            seen |= {("book", m, side): orders for side, orders in venue.book(m).items()}
            seen["waiting", m] = venue.waiting(m)
            seen["mark", m], seen["basis", m], seen["rate", m] = state.mark[m], state.basis[m], state.rate[m]
        seen["distressed"], seen["notices"] = dict(state.distressed), set(state.notices)
        seen["fills"] = [(f.taker, f.maker, f.market, f.lots, f.price, f.cause) for f in state.fills]
        seen["liquidations"] = [tuple(row.values()) for row in venue.liquidations]
        seen["takeovers"] = [tuple(row.values()) for row in venue.takeovers]
        seen["adl"] = [
            (
                row["step"],
                row["id"],
                FUND if row["unit"] == FUND else owner_of(row["unit"]),
                row["market"],
                row["counterparty"],
                row["lots"],
                row["price"],
            )
            for row in venue.adl
        ]
        seen["refusals"], seen["unfinished"] = dict(state.refusals), state.unfinished_cascades
        moved: Counter[Any] = Counter()
        for row in venue.postings[self._postings :]:
            moved[row.code, row.debit, row.credit] += row.amount
        seen["postings"] = dict(moved)
        return seen


def first_difference(expected: Observation, found: Observation) -> str:
    """Return what differs first, or an empty string."""
    for key in [*expected, *(key for key in found if key not in expected)]:
        if expected.get(key) != found.get(key):
            return f"{key}: reference {expected.get(key)!r}, engine {found.get(key)!r}"
    return ""


def compare(
    reference: ReferenceSide,
    other: Side,
    world: World,
    seed: int,
    steps: int,
    *,
    only_laws: bool = False,
    commands_max: int | None = None,
    impaired: bool = False,
) -> tuple[int, str]:
    """Feed both sides with drawn commands; return (commands run, first difference or "").

    `only_laws`: the sides have different rules, so that only the laws each of them asserts are looked at. `impaired`:
    the liquidation engine is stopped, slowed and capped at drawn times.
    """
    commands_run = 0
    for step, path_ticks in enumerate(random_path(seed, world, steps)):
        if impaired:
            limits = drawn_limits(seed, step)
            reference.limit_liquidations(*limits)
            other.limit_liquidations(*limits)
        index_ticks = said_by_sources(seed, step, path_ticks, reference.venue.state.rules["mark"]["index"])
        commands = random_commands(seed, step, world, reference.venue)
        commands_run += len(commands)
        if commands_max is not None and commands_run > commands_max:
            break
        expected = reference.process(commands, index_ticks)
        found = other.process(commands, index_ticks)
        if only_laws:
            continue
        for i, (left, right) in enumerate(zip(expected, found, strict=True)):
            if left != right:
                return commands_run, f"step {step}: {commands[i]}: reference {left}, engine {right}"
        prices = (step + seed) % PRICES_EVERY == 0
        difference = first_difference(reference.observe(prices=prices), other.observe(prices=prices))
        if difference:
            return commands_run, f"step {step}: {difference}"
    return commands_run, ""


def drawn_limits(seed: int, step: int) -> tuple[int | None, int | None]:
    """Return what the liquidation engine may do in a step: units, and value in atoms; none of it is no limit."""
    rng = Random(f"impaired {seed} {step // 5}")
    units = rng.choice([None, None, 0, 1, 2, 5])
    return units, rng.choice([None, None, 1, 10**6, 10**8])
