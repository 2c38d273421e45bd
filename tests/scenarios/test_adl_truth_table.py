"""The truth table of deleveraging: what the liquidated has left, against what the counterparty has (R-W9).

ann is long 10 at 100 in M0 against bob, who is long 20 in M1 as well. ann is found distressed in step 2 and treated in
step 3 (latency 1), the step in which M1 ruins bob: distressed, but not due himself, so that he is a counterparty like
any other. There is no bid and the fund is empty. `equity` is ann's when she is treated; bob's is before and after.
Whatever bob has, he takes the 10 lots at ann's bankruptcy price, 90: his equity changes by what ann's was.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.unit.desk import command
from tests.unit.engine_desk import EngineDesk

TABLE = """
    trigger            equity  counterparty  moved  price  ann_cash  counterparty_after
    fund_empty             40          1000     10     90         0                1040
    fund_empty             40             0     10     90         0                  40
    fund_empty             40           -20     10     90         0                  20
    fund_empty              0          1000     10     90         0                1000
    fund_empty              0             0     10     90         0                   0
    fund_empty              0           -20     10     90         0                 -20
    fund_empty            -50          1000     10     90         0                 950
    fund_empty            -50             0     10     90         0                 -50
    fund_empty            -50           -20     10     90         0                 -70
    equity_below_zero      40          1000      0      0       100                1000
    equity_below_zero      40             0      0      0       100                   0
    equity_below_zero      40           -20      0      0       100                 -20
    equity_below_zero       0          1000      0      0       100                1000
    equity_below_zero       0             0      0      0       100                   0
    equity_below_zero       0           -20      0      0       100                 -20
    equity_below_zero     -50          1000     10     90         0                 950
    equity_below_zero     -50             0     10     90         0                 -50
    equity_below_zero     -50           -20     10     90         0                 -70
    none                  -50          1000      0      0       100                1000
"""


class Line(NamedTuple):
    """One line of the table."""

    trigger: str
    equity: int
    counterparty: int
    moved: int
    price: int
    ann_cash: int
    counterparty_after: int


LINES = [Line(trigger, *map(int, numbers)) for trigger, *numbers in map(str.split, TABLE.strip().splitlines()[1:])]
ANN, BOB, CAT = range(3)


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.trigger} {line.equity} {line.counterparty}")
@pytest.mark.parametrize("rank", ["pnl_margin", "entry_leverage"])
def test_line(line: Line, rank: str) -> None:
    """R-W9: who is deleveraged, at which price, and who has what after it; whichever way winners are ranked."""
    first = 90 + line.equity // 10
    second = 100 if line.counterparty == 1_000 else 50 + line.counterparty // 20
    desk = EngineDesk(
        [100, 1_000 - 10 * (100 - first), 10**9],
        markets=2,
        liquidation={"stage": "takeover_only", "leftover": "fund", "latency_s": 1, "rounds_max": 1},
        deleveraging={"trigger": line.trigger, "rank": rank, "price": "bankruptcy"},
    )
    deals = [(0, ANN, 1, 10), (0, BOB, -1, 10), (1, BOB, 1, 20), (1, CAT, -1, 20)]
    answers = desk.step(*(command("LIMIT", who, m, side=side, lots=lots, price=100) for m, who, side, lots in deals))
    assert answers == ["OK"] * 4
    desk.step(index=first)
    desk.index = [first, second]
    desk.step()
    moved = [(row[2], row[4], row[5], row[6]) for row in desk.side.adl]
    assert moved == ([(ANN, BOB, line.moved, line.price)] if line.moved else [])
    assert desk.held(ANN)[0] == -desk.held(BOB)[0] == 10 - line.moved
    assert desk.cash(ANN) == line.ann_cash
    assert equity(desk, BOB) == line.counterparty_after
    if not line.moved:
        assert equity(desk, ANN) == line.equity
    assert desk.money("BAD_DEBT") == 0


def equity(desk: EngineDesk, account: int) -> int:
    """Return the equity of a cross unit, worked out from what can be seen."""
    total = desk.cash(account)
    for market in (0, 1):
        lots, cost = desk.held(account, market)
        total += lots * desk.seen["mark", market] - cost
    return total
