"""Pro rata matching: orders rest at one price, another one arrives, and what the engine's book gives each of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .desk import HOUSE, Desk, Grid, Number, exact
from .examples import Situation, Unsupported, example
from .rules import under

MARKET, PRICE = "X", 4
FINE = 10**5  # parts of a lot in which a proportion is read before it is rounded
ORDERS = range(2, 10)


def fills(
    orders: Sequence[Number], arriving: Number, allocation: dict[str, Any], lot: Number = 1, preset: str = "textbook"
) -> list[Fraction]:
    """Return what each of the resting orders, oldest first, gets of an order that arrives."""
    names = [f"order {row}" for row in range(len(orders))]
    most = round((sum(map(exact, orders)) + exact(arriving)) / exact(lot))
    changes = {"matching.allocation": allocation, "contract.lots_max": 2 * most, "margin.call_ppm": 0,
               "insurance.default_fund": None}  # fmt: skip
    desk = Desk(under(preset, changes), [Grid(MARKET, Fraction(1), exact(lot), 2 * PRICE)], [PRICE], names, atom=lot)
    for name, size in zip(names, orders, strict=True):
        desk.deposit(name, PRICE * exact(size))
        if exact(size):
            _send(desk, name, 1, size)
    if exact(arriving):
        _send(desk, HOUSE, -1, arriving)
    return [desk.position(name, MARKET) for name in names]


def _send(desk: Desk, name: str, side: int, size: Number) -> None:
    desk.limit(name, MARKET, side, size, PRICE)


PRO_RATA = {"kind": "pro_rata"}
CME = "ccp-futures"
TOP = {"kind": "top_pro_rata", "top": {"minimum_lots": 1}}


@example("prorata_matching", needs="orders aggr", answers="fills")
def in_proportion(case: Situation) -> dict[str, Any]:
    """All orders in proportion to their size, in whole units, at least `min` each."""
    shares = {**PRO_RATA, "minimum_lots": int(case.get("min", 1))}
    return {"fills": fills(case.orders, case.aggr, shares)}


@example("prorata_matching", "CME", needs="orders aggr", answers="fills")
def first_order_has_priority(case: Situation) -> dict[str, Any]:
    """The first order bettered the market (none did if `top` is 0); the others share in proportion, at least two lots.

    `min` is another smallest number of lots.
    """
    least = {"minimum_lots": int(case.min)} if case.gives("min") else {}
    allocation = {**(PRO_RATA if case.get("top", 1) == 0 else TOP), **least}
    return {"fills": fills(case.orders, case.aggr, allocation, preset=CME)}


@example("prorata_matching", needs="orders aggr lot", answers="fills")
def in_board_lots(case: Situation) -> dict[str, Any]:
    """In proportion, to the nearest board lot."""
    shares = {"kind": "pro_rata", "board_lots": int(exact(case.lot)), "rounding": "nearest"}
    return {"fills": fills(case.orders, case.aggr, shares)}


@example("prorata_matching", "CME", needs="o tot aggr", answers="alloc")
def one_of_a_level(case: Situation) -> dict[str, Any]:
    """One order of a level of which the total is known; the rest is older, so that what rounding leaves goes there."""
    rest = exact(case.tot) - exact(case.o)
    if rest < 0:
        raise Unsupported("a level that is smaller than one of its orders")
    orders = [rest, case.o] if rest > 0 else [case.o]
    return {"alloc": fills(orders, case.aggr, PRO_RATA, preset=CME)[-1]}


@example(
    "prorata_matching",
    "CME",
    needs="aggr top level_total orders",
    answers=" ".join(
        ["order1_top", *(f"first_pass_order{n}_raw order{n}_first order{n}_second order{n}_total" for n in ORDERS)]
    ),
)
def passes_of_a_level(case: Situation) -> dict[str, Any]:
    """A TOP order, some orders by number, and the rest of the level; what each gets in the pass of proportions.

    Who is the youngest gets its proportion and nothing of what rounding leaves over. With a lot cut into fine parts,
    and no smallest proportion, it gets the proportion before rounding.
    """
    known = {int(name): exact(size) for name, size in case.orders.items()}
    rest = exact(case.level_total) - exact(case.top) - sum(known.values())
    answers: dict[str, Any] = {}
    for number in known:
        others = [*([rest] if rest > 0 else []), *(size for name, size in known.items() if name != number)]
        first = fills([case.top, *others, known[number]], case.aggr, TOP, preset=CME)[-1]
        fine = fills([case.top, *others, known[number]], case.aggr, {**TOP, "minimum_lots": 1}, Fraction(1, FINE), CME)[
            -1
        ]
        in_order = fills([case.top, *known.values(), *([rest] if rest > 0 else [])], case.aggr, TOP, preset=CME)
        total = in_order[1 + list(known).index(number)]
        answers["order1_top"] = in_order[0]
        answers[f"first_pass_order{number}_raw"] = fine
        answers[f"order{number}_first"] = first
        answers[f"order{number}_second"] = total - first
        answers[f"order{number}_total"] = total
    return answers
