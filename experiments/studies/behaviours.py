"""What does each behaviour of the everyday market do? The scorecard with one of them switched off at a time.

`delever study behaviours`. What the literature says of each stands beside it in OFF. What came out: docs/studies.md.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.experiments.drawing import GREY, ORANGE, sheet
from delever.experiments.paired import paired_difference
from delever.experiments.realism.scorecard import FACTS, measured
from delever.experiments.realism.watching import watch
from delever.experiments.runner import Kept
from delever.sim.scenario import Scenario, load_scenario, set_values

from .study import Arm, Check, Measure, Study, column, run_alone

QUESTION = "Which facts does each behaviour of the everyday market bring about?"
WORLD, GROUP, WHOLE = "perp-market", "perp-market", "all on"
DURATION_S = 259_200
"""Three of the scenario's five days: the first is calm, and has next to nothing for some behaviours to be missed in."""


WHITE_ABOVE = 2.5
"""Standard deviations from which a cell is so dark that its number is white."""


class Expected(NamedTuple):
    """What a number of the scorecard should do without a behaviour, and who says so."""

    row: int
    part: int
    sign: int
    """-1: it falls, 1: it rises."""
    source: str


class Off(NamedTuple):
    """A behaviour switched off: how, and what should follow."""

    sets: tuple[str, ...]
    expected: tuple[Expected, ...]


OFF = {
    "no attention": Off(
        ("cohorts.switching.attention_gain=0.0", "cohorts.switching.attention_calm=0.02"),
        (
            Expected(6, 1, -1, "Blanc, Donier and Bouchaud 2017: moves bring activity, which remembers them"),
            Expected(3, 0, -1, "and fat tails"),
        ),
    ),
    "no meta-orders": Off(
        ("cohorts.execution.share=0.0",),
        (Expected(11, 0, -1, "Lillo, Mike and Farmer 2005: splitting makes the memory of signs"),),
    ),
    "equal order sizes": Off(
        ("cohorts.switching.order_max=1.0",),
        (Expected(13, 0, 1, "Gabaix et al. 2003: sizes of orders have a tail, and with them returns"),),
    ),
    "no chartists": Off(
        ("cohorts.switching.chartist_share=0.0",),
        (Expected(10, 0, -1, "Chiarella and Iori 2002: who follows the trend carries moves on"),),
    ),
    "no makers": Off(
        ("cohorts.maker.share=0.0",),
        (Expected(14, 0, 1, "Avellaneda and Stoikov 2008: makers hold the spread"),),
    ),
    "no patient orders": Off(
        ("cohorts.patient.share=0.0",),
        (Expected(16, 1, -1, "Donier, Bonart, Mastromatteo and Bouchaud 2015: latent orders"),),
    ),
    "no leverage": Off(
        ("cohorts.retail.leverages=[1.0]", "cohorts.retail.leverage_weights=[1.0]"),
        (Expected(19, 0, -1, "who has not borrowed is not liquidated"),),
    ),
}  # fmt: skip


def key_of(row: int, part: int) -> str:
    """Return the name of one number of the scorecard among the measures of a run."""
    return f"row_{row}_{part}"


def design() -> list[Arm]:
    """Return the everyday market, and without each behaviour."""
    world = load_scenario(WORLD).model_copy(update={"duration_s": DURATION_S})
    changed = {WHOLE: world} | {name: set_values(world, off.sets) for name, off in OFF.items()}
    return [Arm(GROUP, name, scenario, TEXTBOOK) for name, scenario in changed.items()]


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run and return every number of its scorecard, NaN where it does not tell."""
    found = measured(watch(scenario, rules, seed))
    return Kept(
        {
            key_of(fact.row, part): float("nan") if found[str(fact.row)] is None else found[str(fact.row)][part]
            for fact in FACTS
            for part in range(len(fact.parts))
        }
    )


def differences(runs: pd.DataFrame, name: str, key: str) -> np.ndarray:
    """Return what one number is more without a behaviour than with all, by seed, where both tell."""
    gap = column(runs, GROUP, name, key) - column(runs, GROUP, WHOLE, key)
    return gap[~np.isnan(gap)]


def checks(runs: pd.DataFrame) -> list[Check]:
    """Return for each expected change the mean paired difference the way it should go: above 0 holds."""
    found = []
    for name, off in OFF.items():
        for row, part, sign, source in off.expected:
            gap = sign * differences(runs, name, key_of(row, part))
            fact = FACTS[row - 1]
            words = f"{name}: {fact.name} {fact.parts[part]}".rstrip() + (" rises" if sign > 0 else " falls")
            low = paired_difference(gap, np.zeros(len(gap))).low if len(gap) > 1 else float("nan")
            found.append(Check(f"{words}, lower end of the interval ({source})", low, 0.0, 1e9, int((gap > 0).sum())))
    return found


def figure(runs: pd.DataFrame) -> Figure:
    """Every number without each behaviour, as a multiple of the spread over seeds of the whole market."""
    keys = [key_of(fact.row, part) for fact in FACTS for part in range(len(fact.parts))]
    names = list(OFF)
    shift = np.full((len(keys), len(names)), np.nan)
    for i, key in enumerate(keys):
        spread = np.nanstd(column(runs, GROUP, WHOLE, key))
        for j, name in enumerate(names):
            gap = differences(runs, name, key)
            shift[i, j] = gap.mean() / spread if len(gap) and spread > 0 else np.nan
    return drawn(shift, names, runs["seed"].nunique())


def drawn(shift: np.ndarray, names: list[str], seeds: int) -> Figure:
    """Draw shifts (numbers, behaviours) as coloured cells; those that were expected have a frame."""
    labels = [f"{fact.row}. {fact.name} {part}".rstrip() for fact in FACTS for part in fact.parts]
    places = [(fact.row, part) for fact in FACTS for part in range(len(fact.parts))]
    title = f"What changes without a behaviour\nMean difference over {seeds} seeds, in standard deviations"
    picture, axes = sheet(1, 1, title, height=13.0)
    axis = axes[0, 0]
    image = axis.imshow(np.clip(shift, -4, 4), cmap="RdBu", vmin=-4, vmax=4, aspect="auto")
    for j, name in enumerate(names):
        for row, part, _, _ in OFF[name].expected:
            axis.plot(j, places.index((row, part)), "s", ms=24, mfc="none", mec=ORANGE, mew=3)
    for i, j in np.argwhere(~np.isnan(shift)):
        dark = abs(shift[i, j]) > WHITE_ABOVE
        words = f"{shift[i, j]:+.1f}" if abs(shift[i, j]) < 100 else f"{shift[i, j]:+.0f}"
        axis.text(j, i, words, ha="center", va="center", fontsize=9.5, color="white" if dark else "black")
    axis.set_xticks(range(len(names)), [name.replace(" ", "\n").replace("-", "-\n") for name in names], fontsize=10)
    axis.set_yticks(range(len(labels)), labels, fontsize=10)
    axis.grid(visible=False)
    axis.set_xlabel("frame: what the literature says should change; empty: not told", color=GREY)
    picture.colorbar(image, ax=axis, shrink=0.4, label="standard deviations")
    return picture


STUDY = Study(
    name="behaviours",
    question=QUESTION,
    seeds=10,
    arms=design,
    simulate=observe,
    measures=tuple(
        Measure(key_of(fact.row, part), f"{fact.row}. {fact.name} {name}".rstrip(), "number")
        for fact in FACTS
        for part, name in enumerate(fact.parts)
    ),
    checks=checks,
    figure=figure,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study behaviours` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
