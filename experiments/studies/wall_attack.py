"""What does an attack with a false wall cost the vault, and does a position limit help?

`delever study wall-attack`. What came out, with the numbers: docs/studies.md.
"""

from __future__ import annotations

import sys

import pandas as pd
from matplotlib.figure import Figure

from delever.engine.rules.io import replace
from delever.engine.rules.presets import PRESETS
from delever.engine.rules.ruleset import RuleSet
from delever.experiments.drawing import BLUE, VERMILION, heading, sheet
from delever.experiments.folder import RunFolder
from delever.experiments.runner import Kept
from delever.sim.populations import traders_of
from delever.sim.scenario import Scenario, load_scenario

from .pictures import name_arms, spread_panel, titled
from .study import Arm, Check, Measure, Study, column, median_check, run_alone, seen

QUESTION = "What does an attack with a false wall of bids cost the vault, and does a position limit help?"
GROUP, ATTACKER = "wall-attack", "attacker"
NO_LIMIT, WIDE, BY_DEPTH = "no limit", "600,000 each", "150,000 each"
LIMITS = {NO_LIMIT: 0, WIDE: 600_000, BY_DEPTH: 150_000}
"""Largest position of an account; the last is about a fifth of the bids within 5 % of the price before the attack."""
WALL = "no wall"
REAL_RATIO = (0.8, 3.0)
"""4.9 M lost by the vault over 3 M lost by the attacker is 1.63; a range of about a factor of two around it."""


def venue(limit_quote: int) -> RuleSet:
    """Return the venue of the case, with a position limit unless it is 0."""
    rules = PRESETS["hyperliquid"]
    if not limit_quote:
        return rules
    return replace(rules, {"halts.position_limit.value_quote": limit_quote}, name=f"hyperliquid-{limit_quote}")


def design() -> list[Arm]:
    """Return the attack without and with two limits, and without its wall."""
    world = load_scenario(GROUP)
    attack = next(cohort for cohort in world.cohorts if cohort.name == ATTACKER)
    bare = attack.model_copy(update={"wall_leverage": 0.0})
    without = world.model_copy(update={"cohorts": tuple(bare if c is attack else c for c in world.cohorts)})
    arms = [Arm(GROUP, name, world, venue(limit)) for name, limit in LIMITS.items()]
    return [*arms, Arm(GROUP, WALL, without, venue(0))]


def accounts_of(scenario: Scenario, name: str) -> range:
    """Return the accounts of a cohort: traders are numbered cohort by cohort."""
    first = 0
    for cohort in scenario.cohorts:
        count = traders_of(cohort, scenario.traders)
        if cohort.name == name:
            return range(first, first + count)
        first += count
    raise ValueError(f"scenario {scenario.name!r} has no cohort {name!r}")


def equity_quote(run: RunFolder, accounts: range) -> float:
    """Return what accounts are worth at the end: money in all their units, and positions at the last mark."""
    units, positions, last = run.table("balances"), run.table("positions"), run.series.iloc[-1]
    own = units[units["owner"].isin([str(account) for account in accounts])]
    held = positions[positions["account"].isin(accounts)]
    multiplier = run.manifest["markets"][0]["multiplier_atoms"]
    worth = (held["lots"] * int(last["mark_ticks"]) * multiplier - held["cost_atoms"]).sum()
    return run.currency.units(float((own["credits_atoms"] - own["debits_atoms"]).sum() + worth))


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run of the study."""
    accounts = accounts_of(scenario, ATTACKER)
    brought = next(each for each in scenario.cohorts if each.name == ATTACKER).wealth_quote_median * len(accounts)

    def look(run: RunFolder) -> dict[str, float]:
        attacked = run.liquidations[run.liquidations["cohort"] == ATTACKER]
        atoms = (attacked["takeover_lots"].abs() * attacked["bankruptcy_ticks"]).sum()
        lost = brought - equity_quote(run, accounts)
        vault = run.summary["waterfall"]["backstop"]
        interest, unit = run.series["open_interest_lots"], run.manifest["markets"][0]["multiplier_atoms"]
        return {
            "attacker": lost,
            "vault": vault,
            "ratio": vault / lost if lost > 0 else 0.0,
            "inherited": run.currency.units(float(atoms) * unit),
            "interest": run.currency.units(float((interest * run.series["mark_ticks"]).max()) * unit),
        }

    return seen(scenario, rules, seed, look, journal=True)


def checks(runs: pd.DataFrame) -> list[Check]:
    """Return what was foretold: the ratio of the case without a limit, less than 1 with one that knows the depth."""
    low, high = REAL_RATIO
    return [
        median_check("no limit: vault's loss over attacker's", column(runs, GROUP, NO_LIMIT, "ratio"), low, high),
        median_check("limit of a fifth of the depth: the same", column(runs, GROUP, BY_DEPTH, "ratio"), 0.0, 1.0),
    ]


def figure(runs: pd.DataFrame) -> Figure:
    """What vault and attacker lose, and the ratio of the two, against the limit."""
    arms = [*LIMITS, WALL]
    sheet_of, axes = sheet(1, 2, titled("An attack with a wall, by position limit", runs), height=6.0)
    for key, words, colour, shift in (("vault", "the vault", VERMILION, -0.1), ("attacker", "the attacker", BLUE, 0.1)):
        spread_panel(axes[0, 0], runs, arms, key, 1e-6, colour, shift, words)
    spread_panel(axes[0, 1], runs, arms, "ratio", 1.0, BLUE)
    axes[0, 1].axhspan(*REAL_RATIO, color="#dddddd", zorder=0)
    told = (
        ("who lost", "million quote"),
        ("loss of the vault over that of the attacker", "grey: the case, within a factor of 2"),
    )
    for axis, (words, unit) in zip(axes[0], told, strict=True):
        heading(axis, words)
        axis.set_ylabel(unit)
        name_arms(axis, arms)
    axes[0, 0].legend(frameon=False)
    return sheet_of


STUDY = Study(
    name=GROUP,
    question=QUESTION,
    seeds=20,
    arms=design,
    simulate=observe,
    measures=(
        Measure("attacker", "lost by the attacker", "quote"),
        Measure("vault", "lost by the vault", "quote"),
        Measure("ratio", "loss of the vault over loss of the attacker", "number"),
        Measure("inherited", "taken over from the attacker, at bankruptcy prices", "quote"),
        Measure("interest", "largest open interest", "quote"),
    ),
    checks=checks,
    figure=figure,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study wall-attack` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
