"""The order book equals the reference book under any stream of commands; nobody ever lacks margin."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from delever.engine.rules.ruleset import RuleSet
from tests.comparison import ReferenceSide, first_difference
from tests.engine_side import EngineSide
from tests.plain_world import plain_world
from tests.unit.desk import PLAIN, command

from .streams import ACCOUNTS, HIGH, LOW, Step, streams

RICH = 2**40


def both_sides(**axes: dict[str, Any]) -> tuple[ReferenceSide, EngineSide]:
    """Return the two venues, all accounts rich, the index at 100."""
    rules = RuleSet.model_validate(PLAIN | axes).model_dump()
    world = plain_world(ACCOUNTS, orders_max=40)
    sides = ReferenceSide(world, rules), EngineSide(world, rules)
    deposits = [command("DEPOSIT", account, amount=RICH) for account in range(ACCOUNTS)]
    for side in sides:
        side.process(deposits, [100])
    return sides


@settings(max_examples=250)
@given(
    stream=streams,
    indices=st.lists(st.integers(LOW, HIGH), min_size=8, max_size=8),
    self_trade=st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both"]),
    orders_per_account=st.sampled_from([3, 200]),
    lots_max=st.sampled_from([15, 100_000]),
    collar_ppm=st.sampled_from([0, 20_000]),
)
def test_book_equals_reference(
    stream: list[Step],
    indices: list[int],
    self_trade: str,
    orders_per_account: int,
    lots_max: int,
    collar_ppm: int,
) -> None:
    """R-O1 to R-O9, R-O12: answers, fills, queues, waiting orders, lots and money agree after every step."""
    reference, engine = both_sides(
        matching={"self_trade": self_trade},
        contract={"orders_per_account_max": orders_per_account, "lots_max": lots_max},
        halts={"collar_ppm": collar_ppm},
    )
    # One more step without commands: what was triggered last is executed too.
    for commands, index in zip([*stream, []], [*indices, indices[-1]], strict=False):
        assert engine.process(commands, [index]) == reference.process(commands, [index])
        assert first_difference(reference.observe(), engine.observe()) == ""


@settings(max_examples=50)
@given(stream=streams)
def test_one_step_or_many(stream: list[Step]) -> None:
    """R-S: without waiting orders it makes no difference to book, lots and money how commands fall into steps."""
    whole = [one for step in stream for one in step if one["kind"] not in ("STOP", "TAKE_PROFIT")]
    _, at_once = both_sides()
    _, singly = both_sides()
    answers = at_once.process(whole, [100])
    assert [singly.process([one], [100])[0] for one in whole] == answers
    left, right = at_once.observe(), singly.observe()
    for seen in (left, right):
        del seen["fills"], seen["postings"], seen["basis", 0]  # of the last step, or sampled once a step
    assert first_difference(left, right) == ""
