"""The truth table of deleveraging: what the liquidated has left, against what the counterparty has (R-W9, R-W80 on).

ann is long 10 at 100 in M0 with a deposit of 100, so bankrupt below 90, against bob, who is long 20 in M1 as well. ann
is found distressed at 93 in step 2 and treated in step 3 (latency 1), the step in which M1 ruins bob: distressed, but
not due himself, so that he is a counterparty like any other. There is no bid and the fund is empty. `equity` is ann's
when she is treated; bob's is before and after. Whatever bob has, he takes the 10 lots at the price of the rule; what
ann cannot pay of it is bad debt. The mark is the index here. For a short all is mirrored at 100: distressed at
107, bankrupt above 110.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

import pytest

from delever.engine.rules.deleveraging import Deleveraging
from tests.unit.desk import command
from tests.unit.engine_desk import EngineDesk

CLOSED = """
    rule           equity  counterparty  price  ann_cash  counterparty_after  bad_debt
    bankruptcy         40          1000     90         0                1040         0
    bankruptcy         40            20     90         0                  60         0
    bankruptcy         40             0     90         0                  40         0
    bankruptcy         40           -20     90         0                  20         0
    bankruptcy          0          1000     90         0                1000         0
    bankruptcy          0            20     90         0                  20         0
    bankruptcy          0             0     90         0                   0         0
    bankruptcy          0           -20     90         0                 -20         0
    bankruptcy        -50          1000     90         0                 950         0
    bankruptcy        -50            20     90         0                 -30         0
    bankruptcy        -50             0     90         0                 -50         0
    bankruptcy        -50           -20     90         0                 -70         0
    mark               40          1000     94        40                1000         0
    mark               40            20     94        40                  20         0
    mark               40             0     94        40                   0         0
    mark               40           -20     94        40                 -20         0
    mark                0          1000     90         0                1000         0
    mark                0            20     90         0                  20         0
    mark                0             0     90         0                   0         0
    mark                0           -20     90         0                 -20         0
    mark              -50          1000     85         0                1000        50
    mark              -50            20     85         0                  20        50
    mark              -50             0     85         0                   0        50
    mark              -50           -20     85         0                 -20        50
    previous_mark      40          1000     93        30                1010         0
    previous_mark      40            20     93        30                  30         0
    previous_mark      40             0     93        30                  10         0
    previous_mark      40           -20     93        30                 -10         0
    previous_mark       0          1000     93        30                 970         0
    previous_mark       0            20     93        30                 -10         0
    previous_mark       0             0     93        30                 -30         0
    previous_mark       0           -20     93        30                 -50         0
    previous_mark     -50          1000     93        30                 920         0
    previous_mark     -50            20     93        30                 -60         0
    previous_mark     -50             0     93        30                 -80         0
    previous_mark     -50           -20     93        30                -100         0
    index              40          1000     94        40                1000         0
    index              40            20     94        40                  20         0
    index              40             0     94        40                   0         0
    index              40           -20     94        40                 -20         0
    index               0          1000     90         0                1000         0
    index               0            20     90         0                  20         0
    index               0             0     90         0                   0         0
    index               0           -20     90         0                 -20         0
    index             -50          1000     85         0                1000        50
    index             -50            20     85         0                  20        50
    index             -50             0     85         0                   0        50
    index             -50           -20     85         0                 -20        50
"""
# When it happens at all: the fund is empty and takes nothing.
HAPPENS = """
    trigger            equity_40  equity_0  equity_-50
    none                      no        no          no
    fund_empty               yes       yes         yes
    equity_below_zero         no        no         yes
"""

# Lots that bob and dan give of ann's 10, treated at 85. Both are short 10, bob from 100, dan from 98 with an equity of
# 300. At 85 bob has a profit of 150, dan of 130, a value of 850 each; leverage 0.85, 42.5, 0, 0 against dan's 2.83.
RANKED = """
    rank                    bob_1000  bob_20  bob_0  bob_-20
    pnl_margin                  0/10    10/0   0/10     0/10
    entry_leverage              0/10    10/0   0/10     0/10
    pnl_leverage                0/10    10/0   0/10     0/10
    leveraged_return            0/10    10/0   0/10     0/10
    pnl                         10/0    10/0   10/0     10/0
    leverage                    0/10    10/0   0/10     0/10
    size                        10/0    10/0   10/0     10/0
    random_start                 one     one    one      one
    pro_rata_pnl                 6/4     6/4    6/4      6/4
    pro_rata_equity              8/2    0/10   0/10     0/10
    pro_rata_lots                5/5     5/5    5/5      5/5
    pro_rata_wealth              6/4     1/9   0/10     0/10
    pro_rata_leverage_pnl        2/8    10/0   0/10     0/10
    min_max                      5/5     5/5    5/5      5/5
"""


class Line(NamedTuple):
    """One line of the table."""

    rule: str
    equity: int
    counterparty: int
    price: int
    ann_cash: int
    counterparty_after: int
    bad_debt: int


def words(field: str) -> list[str]:
    """Return the words of a field of the axis."""
    return list(get_args(Deleveraging.model_fields[field].annotation))


LINES = [Line(rule, *map(int, numbers)) for rule, *numbers in map(str.split, CLOSED.strip().splitlines()[1:])]
ANN, BOB, CAT, DAN, FAY = range(5)
SIDES = {"long": 1, "short": -1}


def scene(side: int, equity: int, counterparty: int, **deleveraging: str) -> EngineDesk:
    """Return the desk after ann was treated."""

    def mirrored(ticks: int) -> int:
        return 100 + side * (ticks - 100)

    desk = EngineDesk(
        [100, 900 + equity, 10**9],
        markets=2,
        liquidation={"stage": "takeover_only", "leftover": "fund", "latency_s": 1, "rounds_max": 1},
        deleveraging=deleveraging,
    )
    deals = [(0, ANN, side, 10), (0, BOB, -side, 10), (1, BOB, 1, 20), (1, CAT, -1, 20)]
    answers = desk.step(*(command("LIMIT", who, m, side=s, lots=lots, price=100) for m, who, s, lots in deals))
    assert answers == ["OK"] * 4
    desk.step(index=mirrored(93))
    desk.index = [mirrored(90 + equity // 10), 100 if counterparty == 1_000 else 50 + counterparty // 20]
    desk.step()
    return desk


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("rank", words("rank"))
@pytest.mark.parametrize("price", words("price"))
def test_closed(price: str, rank: str, side: str) -> None:
    """R-W9, R-W80 to R-W84: at which price, and who has what after it; whichever way winners are ranked."""
    lines = [line for line in LINES if line.rule == price]
    cases = {(line.equity, line.counterparty) for line in lines}
    assert cases == {(mine, other) for mine in (40, 0, -50) for other in (1000, 20, 0, -20)}, f"{price} has 12 lines"
    for line in lines:
        desk = scene(SIDES[side], line.equity, line.counterparty, trigger="fund_empty", rank=rank, price=price)
        ticks = 100 + SIDES[side] * (line.price - 100)
        moved = [(row[2], row[4], row[5], row[6]) for row in desk.side.adl]
        assert moved == [(ANN, BOB, 10 * SIDES[side], ticks)], line
        assert desk.held(ANN)[0] == desk.held(BOB)[0] == 0
        found = desk.cash(ANN), equity_of(desk, BOB), -desk.money("BAD_DEBT")
        assert found == (line.ann_cash, line.counterparty_after, line.bad_debt), line


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("row", HAPPENS.strip().splitlines()[1:], ids=lambda row: row.split()[0])
def test_happens(row: str, side: str) -> None:
    """R-W9: what the trigger says; the counterparty's equity never matters, and nothing moves otherwise."""
    trigger, *answers = row.split()
    for equity, answer in zip((40, 0, -50), answers, strict=True):
        for counterparty in (1000, 20, 0, -20):
            desk = scene(SIDES[side], equity, counterparty, trigger=trigger)
            assert bool(desk.side.adl) == (answer == "yes")
            if answer == "no":
                assert (equity_of(desk, ANN), equity_of(desk, BOB)) == (equity, counterparty)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("rank", words("rank"))
def test_ranked(rank: str, side: str) -> None:
    """R-W9, R-W80 to R-W84: how a counterparty stands, by what it has, next to one that stays the same."""
    table = {row.split()[0]: row.split()[1:] for row in RANKED.strip().splitlines()[1:]}
    drawn = set()
    for counterparty, expected in zip((1000, 20, 0, -20), table[rank], strict=True):
        desk = two_winners(SIDES[side], counterparty, rank)
        given = {row[4]: abs(row[5]) for row in desk.side.adl}
        found = f"{given.get(BOB, 0)}/{given.get(DAN, 0)}"
        if expected == "one":
            drawn.add(found)
        else:
            assert found == expected, counterparty
    assert drawn <= {"10/0"} or drawn <= {"0/10"}, "a draw does not look at money"


def two_winners(side: int, counterparty: int, rank: str) -> EngineDesk:
    """Return the desk after ann was treated, with bob and dan to close her, and fay on her side."""
    desk = EngineDesk(
        [100, 850, 10**9, 170, 10**9],
        markets=2,
        liquidation={"stage": "takeover_only", "leftover": "fund", "latency_s": 1, "rounds_max": 1},
        deleveraging={"trigger": "equity_below_zero", "rank": rank, "price": "bankruptcy"},
    )
    deals = [
        (0, ANN, side, 10, 100), (0, BOB, -side, 10, 100), (0, FAY, side, 10, 100 - 2 * side),
        (0, DAN, -side, 10, 100 - 2 * side), (1, BOB, 1, 20, 100), (1, CAT, -1, 20, 100),
    ]  # fmt: skip
    answers = desk.step(*(command("LIMIT", who, m, side=s, lots=n, price=p) for m, who, s, n, p in deals))
    assert answers == ["OK"] * 6
    desk.step(index=100 - 7 * side)
    desk.index = [100 - 15 * side, 100 if counterparty == 1_000 else 50 + counterparty // 20]
    desk.step()
    return desk


def equity_of(desk: EngineDesk, account: int) -> int:
    """Return the equity of a cross unit, worked out from what can be seen."""
    total = desk.cash(account)
    for market in (0, 1):
        lots, cost = desk.held(account, market)
        total += lots * desk.seen["mark", market] - cost
    return total
