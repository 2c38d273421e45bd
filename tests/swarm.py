"""Drawn worlds against the reference venue: `python -m tests.swarm --seed 0 --length 200 --rulesets 200`."""

from __future__ import annotations

import argparse
import sys

from delever.engine.rules.ruleset import RuleSet
from tests.comparison import ReferenceSide, compare
from tests.engine_side import EngineSide
from tests.reference.workload import random_rules, random_world


def run_world(seed: int, steps: int) -> tuple[int, str]:
    """Return (commands run, first difference or "") of the world of a seed; a broken law counts as one."""
    rules = RuleSet.model_validate(random_rules(seed)).model_dump()
    world = random_world(seed)
    reference, engine = ReferenceSide(world, rules), EngineSide(world, rules)
    try:
        return compare(reference, engine, world, seed, steps)
    except AssertionError as error:
        return 0, f"step {reference.venue.state.step - 1}: broken law: {error}"


def main() -> int:
    """Run the worlds of the seeds given; stop at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first world")
    parser.add_argument("--length", type=int, default=200, help="steps in each world")
    parser.add_argument("--rulesets", type=int, default=100, help="number of worlds, each with its own rules")
    chosen = parser.parse_args()
    passed, commands_run, difference = 0, 0, ""
    for seed in range(chosen.seed, chosen.seed + chosen.rulesets):
        count, difference = run_world(seed, chosen.length)
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
