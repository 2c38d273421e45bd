"""Drawn worlds against the reference venue: `python -m tests.swarm --seed 0 --length 200 --rulesets 200`."""

from __future__ import annotations

import argparse
import sys

from delever.engine.rules.ruleset import RuleSet
from tests.comparison import ReferenceSide, compare
from tests.engine_side import EngineSide
from tests.reference.wide import known, wide_rules
from tests.reference.wide_contract import fitted
from tests.reference.workload import random_rules, random_world


def run_world(seed: int, steps: int, *, wide: bool = False) -> tuple[int, str]:
    """Return (commands run, first difference or "") of the world of a seed; a broken law counts as one.

    `wide`: rules are drawn over all axes. Where they are more than the reference venue knows, the engine alone has to
    keep the laws.
    """
    drawn = RuleSet.model_validate(wide_rules(seed) if wide else random_rules(seed)).model_dump()
    rules = RuleSet.model_validate(known(drawn)).model_dump()
    world = fitted(random_world(seed), drawn)
    reference, engine = ReferenceSide(world, rules), EngineSide(world, drawn)
    try:
        return compare(reference, engine, world, seed, steps, only_laws=drawn != rules)
    except AssertionError as error:
        return 0, f"step {engine.venue.step}: broken law: {error}"


def main() -> int:
    """Run the worlds of the seeds given; stop at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first world")
    parser.add_argument("--length", type=int, default=200, help="steps in each world")
    parser.add_argument("--rulesets", type=int, default=100, help="number of worlds, each with its own rules")
    parser.add_argument("--narrow", action="store_true", help="draw only axes that the reference venue knows")
    chosen = parser.parse_args()
    passed, commands_run, difference = 0, 0, ""
    for seed in range(chosen.seed, chosen.seed + chosen.rulesets):
        count, difference = run_world(seed, chosen.length, wide=not chosen.narrow)
        commands_run += count
        if difference:
            print(f"seed {seed}, {difference}")
            break
        passed += 1
    print(f"{commands_run} commands")
    print(f"{passed} passed, {int(bool(difference))} failed")
    return int(bool(difference))


if __name__ == "__main__":
    sys.exit(main())
