"""From what the user wrote to scenario and rules; every mistake is a UserError before any work begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from delever.engine.rules.io import RuleError, load_rules
from delever.engine.rules.presets import PRESETS
from delever.engine.rules.ruleset import RuleSet
from delever.sim.index import index_ticks
from delever.sim.paths import PriceFileError
from delever.sim.scenario import Scenario, ScenarioError, apply_sets, load_scenario, with_index

from .errors import UserError, at_least

ALL = "all"
"""What stands for every preset where rule sets are listed."""


class Wanted(NamedTuple):
    """What a command was asked to run."""

    scenario: Scenario
    rules: list[tuple[str, RuleSet]]
    """(as the user wrote it, what it means), in the order given."""


@contextmanager
def mistakes_of_users() -> Iterator[None]:
    """Turn the errors that scenarios, rules and price files raise into UserErrors; their messages are for users."""
    try:
        yield
    except (RuleError, ScenarioError, PriceFileError) as error:
        raise UserError(str(error)) from None


def choose(
    scenario: str,
    rules: Sequence[str],
    *,
    traders: int | None = None,
    index: Path | None = None,
    symbol: str | None = None,
    sets: Sequence[str] = (),
) -> Wanted:
    """Return the scenario and rule sets that are meant: name or file, then --index, --traders, and --set last.

    Keys that begin with `rules.` change every rule set. Raises UserError; price paths are looked at by `check_paths`.
    """
    if symbol is not None and index is None:
        raise UserError("--symbol picks a symbol from a price file: give the file with --index")
    rules = [name for spec in rules for name in (PRESETS if spec == ALL else [spec])]
    twice = sorted({spec for spec in rules if rules.count(spec) > 1})
    if twice:
        raise UserError(f"--rules {twice[0]} is given twice; each rule set once")
    with mistakes_of_users():
        world = load_scenario(scenario)
        if index is not None:
            world = with_index(world, index, symbol)
        if traders is not None:
            world = world.replaced({"traders": at_least("--traders", traders, 1)})
        chosen = []
        changed = world
        for spec in rules:
            changed, meant = apply_sets(world, load_rules(spec), sets)
            chosen.append((spec, meant))
    return Wanted(changed, chosen)


def check_paths(scenario: Scenario, seed: int) -> None:
    """Make the index of every market once, so that a price file that does not serve is found before work begins."""
    with mistakes_of_users():
        for market in range(len(scenario.markets)):
            index_ticks(scenario, market, seed)


def folder_name(scenario: Scenario, *parts: object) -> str:
    """Return a name for a folder of results: letters, digits, dots, hyphens; long ones are cut."""
    text = "-".join([scenario.name, *map(str, parts)])
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in text)[:120]
