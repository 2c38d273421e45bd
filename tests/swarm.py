"""Drawn worlds against the reference venue: `python -m tests.swarm --seed 0 --length 200 --rulesets 200`."""

from __future__ import annotations

import argparse
import sys
from random import Random

from joblib import Parallel, delayed

from delever.engine.rules.ruleset import RuleSet
from tests.comparison import ReferenceSide, compare
from tests.engine_side import EngineSide
from tests.reference.wide import known, wide_rules
from tests.reference.wide_contract import fitted
from tests.reference.workload import random_rules, random_world

IMPAIRED_SHARE = 0.2
"""Share of the worlds in which the liquidation engine is stopped or capped at times (R-W61)."""


def run_world(seed: int, steps: int, *, wide: bool = False, commands_max: int | None = None) -> tuple[int, str]:
    """Return (commands run, first difference or "") of the world of a seed; a broken law counts as one.

    It ends after so many steps, or commands.

    `wide`: rules are drawn over all axes. Where they are more than the reference venue knows, the engine alone has to
    keep the laws.
    """
    drawn = RuleSet.model_validate(wide_rules(seed) if wide else random_rules(seed)).model_dump()
    rules = RuleSet.model_validate(known(drawn)).model_dump()
    world = fitted(random_world(seed), drawn)
    reference, engine = ReferenceSide(world, rules), EngineSide(world, drawn)
    try:
        impaired = Random(f"impaired engine {seed}").random() < IMPAIRED_SHARE
        return compare(
            reference, engine, world, seed, steps, only_laws=drawn != rules, commands_max=commands_max,
            impaired=impaired,
        )  # fmt: skip
    except AssertionError as error:
        return 0, f"step {engine.venue.step}: broken law: {error}"


def main() -> int:
    """Run the worlds of the seeds given; say which differ or break a law."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first world")
    parser.add_argument("--rulesets", type=int, default=100, help="number of worlds, each with its own rules")
    parser.add_argument("--length", type=int, default=200, help="steps in each world")
    parser.add_argument(
        "--commands", type=int, help="steps until a world has run so many commands, instead of --length"
    )
    parser.add_argument("--jobs", type=int, default=1, help="worlds at the same time")
    parser.add_argument("--narrow", action="store_true", help="draw only axes that the reference venue knows")
    chosen = parser.parse_args()
    seeds = range(chosen.seed, chosen.seed + chosen.rulesets)
    steps = chosen.commands or chosen.length  # a world runs more than a command a step
    runs = Parallel(n_jobs=chosen.jobs, return_as="generator")(
        delayed(run_world)(seed, steps, wide=not chosen.narrow, commands_max=chosen.commands) for seed in seeds
    )
    failed, commands_run = 0, 0
    for seed, (count, difference) in zip(seeds, runs, strict=True):
        commands_run += count
        if difference:
            failed += 1
            print(f"seed {seed}, {difference}", flush=True)
    print(f"{commands_run} commands")
    print(f"{len(seeds) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
