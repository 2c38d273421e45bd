"""The workload reaches every layer of the venue: an oracle that never gets there proves nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from delever.engine.rules.ruleset import RuleSet
from tests.reference.workload import random_commands, random_path, random_rules, random_world

STEPS = 100
# Common things come in any dozen worlds; the last four seeds are known to put the fund itself in distress.
SEEDS = [*range(40), 43, 44, 60, 78]
REFUSALS = (
    "ACCOUNT MARKET KIND SIDE LOTS PRICE TRIGGER FLAGS UNKNOWN_ORDER COLLAR NOT_REDUCING WOULD_CROSS "
    "NOT_FILLABLE BOOK_FULL ORDER_LIMIT POSITION_LIMIT MARGIN AMOUNT MODE"
)
CODES = (
    "DEPOSIT WITHDRAW REALISED FEE FUNDING ROUNDING MARGIN_IN MARGIN_OUT LIQUIDATION_FEE TAKEOVER_MARGIN "
    "DEFICIT SOCIALISED BAD_DEBT"
)
EVENTS = (
    "triggered triggered_refused self_trade reduce_only_cancelled distressed cured margin_call round "
    "later_round forced_order partial_forced_order order_limit_of_the_engine takeover_refused margin_seized "
    "fund_paid adl_found_too_few disposal fund_in_distress fund_refilled "
    "fund_cannot_pay_funding socialised bad_debt"
)


def test_everything_happens_and_every_law_holds() -> None:
    """Each refusal, posting code and event occurs, and takeovers and ADL of every kind."""
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        world = random_world(seed)
        venue = world.venue(RuleSet.model_validate(random_rules(seed)).model_dump())
        for step, index_ticks in enumerate(random_path(seed, world, STEPS)):
            venue.process(random_commands(seed, step, world, venue), index_ticks)
            venue.check_laws()
        seen.update(venue.refusals + venue.state.events + Counter(row.code for row in venue.postings))
        seen["takeover by fund"] += sum(row["taker"] == "FUND" for row in venue.takeovers)
        seen["takeover by backstop"] += sum(row["taker"] != "FUND" for row in venue.takeovers)
        seen["ADL of a pocket"] += sum(row["unit"][0] == "pocket" for row in venue.adl)
        seen["ADL of a cross unit"] += sum(row["unit"][0] == "cross" for row in venue.adl)
        seen["ADL of the fund"] += sum(row["unit"] == "FUND" for row in venue.adl)
        seen["ADL against the fund"] += sum(row["counterparty"] == "FUND" for row in venue.adl)
        seen["cascade"] += sum(row["parent"] > 0 for row in venue.liquidations)
        seen["unfinished"] += venue.unfinished_cascades
    wanted = [*REFUSALS.split(), *CODES.split(), *EVENTS.split(), *seen]
    assert [name for name in wanted if seen[name] == 0] == []


def test_the_seed_decides_everything() -> None:
    """Two venues of one seed are asked for the same and say the same."""
    logs = []
    for _ in range(2):
        world = random_world(7)
        venue = world.venue(RuleSet.model_validate(random_rules(7)).model_dump())
        log = []
        for step, index_ticks in enumerate(random_path(7, world, 40)):
            commands = random_commands(7, step, world, venue)
            log.append((commands, venue.process(commands, index_ticks)))
        logs.append(log)
    assert logs[0] == logs[1]


@pytest.mark.parametrize("seed", range(12))
def test_relabelled_accounts_have_the_same_fate(seed: int) -> None:
    """Account rows may be numbered in any order: only keys break ties."""
    world = random_world(seed)
    rules = RuleSet.model_validate(random_rules(seed)).model_dump()
    count = len(world.keys)
    new_row = [(3 + 5 * a if count % 5 else 3 + 7 * a) % count for a in range(count)]
    keys = [key for _, key in sorted(zip(new_row, world.keys, strict=True))]
    venue = world.venue(rules)
    other = replace(world, keys=keys, backstops=[new_row[a] for a in world.backstops]).venue(rules)
    for step, index_ticks in enumerate(random_path(seed, world, STEPS)):
        commands = random_commands(seed, step, world, venue)
        other.process([relabelled(command, new_row) for command in commands], index_ticks)
        venue.process(commands, index_ticks)
    for unit, atoms in venue.state.balances.items():
        same = unit if isinstance(unit, str) else (unit[0], new_row[unit[1]], *unit[2:])
        assert other.balance(same) == atoms, unit


def relabelled(command: dict[str, Any], new_row: list[int]) -> dict[str, Any]:
    """Return a command with the account's new row; what is no account stays none."""
    account = command["account"]
    return command | {"account": new_row[account] if 0 <= account < len(new_row) else account}
