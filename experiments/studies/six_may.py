"""Can one large seller make a market fall by a twentieth and come back within the hour? 6 May 2010.

`delever study six-may`. Six statements about that day (Kirilenko, Kyle, Samadi and Tuzun, "The flash crash:
high-frequency trading in an electronic market", Journal of Finance 72, 2017; CFTC and SEC, "Findings regarding the
market events of May 6, 2010") and three about what makes such falls deeper (participation, limits of makers, frequency
of fundamental traders). What came out, with the numbers: docs/studies.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from delever.agents.maker import Maker
from delever.engine.events import E_ACCOUNT, E_CODE, E_KIND, E_LOTS, E_OTHER, E_STEP, IN_AUCTION, Event
from delever.engine.rules.io import replace
from delever.engine.rules.presets import PRESETS
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import M_LAST_TICKS, M_VOLUME_LOTS, P_LOTS
from delever.experiments.drawing import BLUE, GREEN, GREY, VERMILION, heading, legend, separators, sheet, time_axis
from delever.experiments.errors import UserError
from delever.experiments.metrics.plunge import fall_after, first_plunge, further_fall, worst_minute
from delever.experiments.runner import Kept
from delever.sim.model import MarketModel
from delever.sim.populations import MakerPopulation, ProgrammePopulation, ValuePopulation, traders_of
from delever.sim.scenario import Scenario, ScenarioError, load_scenario, set_values

from .pictures import spread_panel
from .study import Arm, Check, Measure, Own, Study, column, median_check, run_alone, sign_check

QUESTION = "Can one seller at a share of volume make a flash crash, and does a halt of five seconds stop it?"
GROUP, SELLER = "six-may", "seller"
DEFAULTS = {
    "participation": 0.09,
    "maker_limit": 1.0,
    "fundamental_frequency": 1.0,
    "contracts": 75_000.0,
    "halt_s": 5.0,
}
RANGES = {
    "participation": (0.001, 0.9),
    "maker_limit": (0.1, 10.0),
    "fundamental_frequency": (0.1, 10.0),
    "contracts": (0.0, 1_000_000.0),
    "halt_s": (0.0, 3_600.0),
}
"""Keys of the study's own, and from where to where; two are multiples of the scenario's own numbers."""
WITHOUT = (("halt_s", 0.0), ("contracts", 0.0), ("maker_limit", 0.5))
"""Twins of the day itself: no halt, no seller, half of the makers' limits."""
SWEEPS = {"participation": (0.03, 0.09, 0.2), "maker_limit": (0.5, 1.0, 2.0), "fundamental_frequency": (0.5, 1.0, 2.0)}
RISES = {"participation": 1.0, "maker_limit": -1.0, "fundamental_frequency": -1.0}
"""Whether the fall is to grow (1) or to shrink with a key."""
WINDOW_S, REGAIN_S, FURTHER_S = 60, 1_800, 300
PLUNGE, PLUNGE_S = 0.0053, 5
"""What the stop logic of the scenario acts on; measured from prices, in runs with and without it."""
CRASH = 0.02
"""A fall that counts as a crash where there is no seller."""
PATH_S, PATH_BEFORE_S, PATH_AFTER_S = 5, 300, 2_700
"""How often paths are kept for the figure, from when to when around the beginning of the programme."""


def world(given: Mapping[str, str]) -> Arm:
    """Return the world of some keys, the others as on the day. Raises UserError."""
    return arm_of({key: _number(key, text) for key, text in given.items()})


def _number(key: str, text: str) -> float:
    low, high = RANGES[key]
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high or (key == "halt_s" and not value.is_integer()):
        whole = " in whole seconds" if key == "halt_s" else ""
        raise UserError(f"--set {key}: a number from {low:g} to {high:g}{whole} is needed (got {text})")
    return value


def arm_of(given: Mapping[str, float]) -> Arm:
    """Return the world in which some keys have values."""
    value = DEFAULTS | dict(given)
    scenario, rules = load_scenario(GROUP).settle(PRESETS["ccp-futures"])
    seller = seller_of(scenario)
    lots = round(value["contracts"] / traders_of(seller, scenario.traders))
    sets = [f"cohorts.{SELLER}.participation={value['participation']!r}", f"cohorts.{SELLER}.order_lots={lots}"]
    for cohort in scenario.cohorts:
        if isinstance(cohort, MakerPopulation):
            sets.append(
                f"cohorts.{cohort.name}.inventory_leverage={cohort.inventory_leverage * value['maker_limit']!r}"
            )
        elif isinstance(cohort, ValuePopulation):
            often = value["fundamental_frequency"]
            sets.append(f"cohorts.{cohort.name}.mean_interval_s={cohort.mean_interval_s / often!r}")
            sets.append(f"cohorts.{cohort.name}.horizon_s={cohort.horizon_s / often!r}")
    pause_s = int(value["halt_s"])
    changes: dict[str, Any] = {"halts.breaker.pause_s": pause_s} if pause_s else {"halts.breaker": None}
    return Arm(GROUP, label(value), set_values(scenario, sets), replace(rules, changes), {**value})


def seller_of(scenario: Scenario) -> ProgrammePopulation:
    """Return the cohort that works the programme."""
    return next(cohort for cohort in scenario.cohorts if isinstance(cohort, ProgrammePopulation))


def label(value: Mapping[str, float]) -> str:
    """Return the name of a world: what is not as on the day."""
    changed = [f"{key}={value[key]:g}" for key in DEFAULTS if value[key] != DEFAULTS[key]]
    return ", ".join(changed) or "the day"


def design() -> list[Arm]:
    """Return the day, its twins, and the sweeps of three keys, each world once."""
    changes = [{}, *({key: value} for key, value in WITHOUT)]
    changes += [{key: value} for key, values in SWEEPS.items() for value in values]
    arms = {label(DEFAULTS | change): change for change in changes}
    return [arm_of(change) for change in arms.values()]


class Tape:
    """What makers traded, and when the venue halted, from the stream of events."""

    def __init__(self, makers: NDArray[np.bool_]) -> None:
        """Listen for accounts that are `makers`."""
        self.makers = makers
        self.traded = 0
        self.halts: list[int] = []
        """Steps in which a halt was called."""

    def take(self, rows: NDArray[np.int64]) -> None:
        """Take events, (n, EVENT_COLUMNS); the volume of makers counts both sides of a trade."""
        fills = rows[rows[:, E_KIND] == Event.FILL]
        lots = np.abs(fills[:, E_LOTS])
        for side in (E_ACCOUNT, E_OTHER):
            self.traded += int(lots[self.makers[fills[:, side]]].sum())
        calls = rows[(rows[:, E_KIND] == Event.HALT) & (rows[:, E_CODE] == IN_AUCTION)]
        self.halts += calls[:, E_STEP].tolist()


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run of the study; price, makers and volume are looked at in every step.

    Raises ScenarioError if the run ends before there is anything to measure.
    """
    start_s = seller_of(scenario).start_s
    least_s = start_s + 2 * WINDOW_S - scenario.warmup_s
    if scenario.duration_s < least_s:
        raise ScenarioError(
            f"{scenario.name}: duration_s: the programme begins after {start_s:g} s, warm-up included: at least "
            f"{least_s:g} s after it are needed (got {scenario.duration_s} s)"
        )
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False)
    try:
        tables = model.venue.tables
        sellers = next(cohort.rows for cohort in model.cohorts if cohort.name == SELLER)
        held_by = np.concatenate([cohort.rows for cohort in model.cohorts if isinstance(cohort, Maker)])
        makers = np.zeros(len(tables.accounts), dtype=np.bool_)
        makers[held_by] = True
        tape = Tape(makers)
        model.listen(tape.take)
        seen = np.zeros((scenario.steps, 5))
        market, positions = tables.markets[0], tables.positions[:, P_LOTS]
        for step in range(scenario.steps):
            model.step()
            sold = -positions[sellers].sum()
            seen[step] = market[M_LAST_TICKS], positions[held_by].sum(), tape.traded, market[M_VOLUME_LOTS], sold
        seller = seller_of(scenario)
        start = round(seller.start_s / scenario.dt_s)
        wanted = seller.order_lots * len(sellers)
        return Kept(measured(seen, start, wanted, scenario.dt_s) | {"halts": sum(step >= start for step in tape.halts)})
    finally:
        model.close()


def measured(seen: NDArray[np.float64], start: int, wanted: int, dt_s: int) -> dict[str, Any]:
    """Return what is kept of a run: a row of `seen` is price, makers' position and trades, volume, and lots sold.

    Shares of the programme are of the lots wanted; without a programme, of none, they are NaN.
    """
    prices, held, traded, volume, sold = seen.T
    window = WINDOW_S // dt_s
    fall = fall_after(prices, start, window, REGAIN_S // dt_s)
    worst = worst_minute(prices, held, traded, start, window)
    plunge = first_plunge(prices, start, PLUNGE, max(PLUNGE_S // dt_s, 1))
    done = np.flatnonzero(sold >= wanted) if wanted else np.empty(0)
    most = np.abs(held[start:]).max()
    path = slice(start - PATH_BEFORE_S // dt_s, start + PATH_AFTER_S // dt_s, max(PATH_S // dt_s, 1))
    return {
        "fall": fall.depth,
        "trough_s": float(fall.trough - start) * dt_s,
        "regained": fall.regained,
        "makers_most": float(most),
        "makers_share": float(most) / wanted if wanted else float("nan"),
        "worst_minute": worst.change,
        "hot_potato": worst.hot_potato,
        "plunge_s": float("nan") if plunge is None else float(plunge - start) * dt_s,
        "further_fall": further_fall(prices, plunge, FURTHER_S // dt_s, fall.before),
        "sold_share": float(sold[-1]) / wanted if wanted else float("nan"),
        "done_s": float(done[0] - start) * dt_s if len(done) else float("nan"),
        "volume_per_s": float(volume[fall.trough] - volume[start]) / max((fall.trough - start) * dt_s, 1),
        "volume_before_per_s": float(volume[start] - volume[start - window]) / WINDOW_S,
        "price_path": (100.0 * (prices[path] / fall.before - 1.0)).tolist(),
        "makers_path": held[path].tolist(),
        "volume_path": np.diff(volume[path], prepend=np.nan).tolist(),
    }


def least_share(claim: str, true: NDArray[np.bool_], least: float) -> Check:
    """Return whether something is true of at least a share of the seeds."""
    return Check(claim, float(true.mean()), least, 1.0, int(true.sum()))


def claims(runs: pd.DataFrame) -> list[Check]:
    """Return the six statements, as far as their worlds were run, and what the sweeps say."""
    of = partial(column, runs, GROUP)
    names = set(runs["arm"])
    day, no_halt, no_seller, half = (label(DEFAULTS | dict([each])) for each in (("halt_s", 5.0), *WITHOUT))
    found = []
    if day in names:
        found += [
            median_check("1. fall", of(day, "fall"), 0.035, 0.065),
            median_check("2. regained 30 minutes after the trough", np.nan_to_num(of(day, "regained")), 0.6, 10.0),
            median_check("3. largest position of makers, of the programme", of(day, "makers_share"), 0.0, 0.05),
            median_check("4. hot potato in the worst minute", of(day, "hot_potato"), 10.0, 1e9),
        ]
    if {day, no_halt} <= names:
        found.append(_halt_stops(of(day, "further_fall"), of(no_halt, "further_fall")))
    if no_seller in names:
        calm = of(no_seller, "fall") < CRASH
        found.append(least_share("6. no fall of 2 % without the seller, share of runs", calm, 0.95))
    if {day, half} <= names:
        gaps = of(half, "fall") - of(day, "fall")
        found.append(sign_check("6. deeper fall with half of the makers' limits, p", gaps))
    return found + [check for key in SWEEPS for check in _sweep(of, names, key)]


def _halt_stops(halted: NDArray[np.float64], free: NDArray[np.float64]) -> Check:
    """Return how often the halt leaves at most half of the further fall; runs without a plunge count against it."""
    plunged = ~np.isnan(free)
    stopped = plunged & (halted <= 0.5 * free) & (free > 0.0)
    claim = f"5. the halt leaves at most half of what follows in 5 minutes, share of runs ({plunged.sum()} plunge)"
    return least_share(claim, stopped, 0.8)


def _sweep(of: Any, names: set[str], key: str) -> list[Check]:
    """Return a test of each step of a key's values, from seed to seed, where the worlds differ in it alone."""
    found = []
    for low, high in pairwise(sorted(_values(names, key))):
        gaps = RISES[key] * (of(label(DEFAULTS | {key: high}), "fall") - of(label(DEFAULTS | {key: low}), "fall"))
        word = "deeper" if RISES[key] > 0 else "less deep"
        found.append(sign_check(f"{key} {high:g}: {word} fall than with {low:g}, p", gaps))
    return found


def _values(names: set[str], key: str) -> list[float]:
    """Return the values of a key in worlds in which all else is as on the day."""
    found = [DEFAULTS[key]] if label(DEFAULTS) in names else []
    return found + [float(name.partition("=")[2]) for name in names if name.startswith(f"{key}=") and "," not in name]


def figure(runs: pd.DataFrame) -> Figure:
    """One seed's price, makers and volume with and without the halt, and the fall of all seeds by world."""
    arms = list(dict.fromkeys(runs["arm"]))
    seed = int(runs["seed"].min())
    drawn = _drawn(arms)
    question = (
        "A large seller and a market of 15,000 accounts: with a halt of 5 seconds, without, and without the seller"
    )
    picture, axes = sheet(4, 1, question.replace(": ", ":\n"), height=15.0, join_x=False)
    panels = (
        ("price_path", "price", "change since the beginning, %"),
        ("makers_path", "held by makers, all together", "contracts"),
        ("volume_path", "volume", f"contracts in {PATH_S} seconds"),
    )
    for axis, (key, words, unit) in zip(axes[:, 0], panels, strict=False):
        for arm, (name, colour) in drawn.items():
            path = np.array(runs.loc[(runs["arm"] == arm) & (runs["seed"] == seed), key].iloc[0], dtype=np.float64)
            times_s = np.arange(len(path)) * PATH_S - PATH_BEFORE_S
            axis.plot(times_s, path, color=colour, linewidth=1.4, label=name)
        time_axis(axis, times_s)
        axis.set_xlabel(f"time since the seller began, hours:minutes (seed {seed})")
        heading(axis, words)
        axis.set_ylabel(unit)
        separators(axis)
        legend(axis)
    _amplitudes(axes[3, 0], runs, arms)
    return picture


def _drawn(arms: list[str]) -> dict[str, tuple[str, str]]:
    """Return the worlds whose paths are drawn, with name and colour: the day and two twins, or the first three."""
    twins = {
        label(DEFAULTS): ("as on the day", BLUE),
        label(DEFAULTS | {"halt_s": 0.0}): ("no halt", VERMILION),
        label(DEFAULTS | {"contracts": 0.0}): ("no seller", GREY),
    }
    known = {arm: twins[arm] for arm in twins if arm in arms}
    return known or {arm: (arm, colour) for arm, colour in zip(arms, (BLUE, VERMILION, GREEN), strict=False)}


def _amplitudes(axis: Axes, runs: pd.DataFrame, arms: list[str]) -> None:
    spread_panel(axis, runs, arms, "fall", 100.0, BLUE)
    heading(axis, f"largest fall by world: median of {runs['seed'].nunique()} seeds, 5th to 95th percentile")
    axis.set_ylabel("%")
    words = [arm.replace("_", " ").replace(", ", "\n").replace(" ", "\n").replace("=", "\n") for arm in arms]
    axis.set_xticks(range(len(arms)), words, fontsize=9.5)
    axis.set_xlim(-0.6, len(arms) - 0.4)


STUDY = Study(
    name=GROUP,
    question=QUESTION,
    seeds=24,
    arms=design,
    simulate=observe,
    measures=(
        Measure("fall", "fall", "share"),
        Measure("trough_s", "trough after, s", "s"),
        Measure("regained", "regained in 30 min", "share"),
        Measure("makers_most", "makers hold at most", "lots"),
        Measure("makers_share", "of the programme", "share"),
        Measure("worst_minute", "worst minute", "share"),
        Measure("hot_potato", "hot potato in it", "number"),
        Measure("halts", "halts", "number"),
        Measure("plunge_s", "first plunge after, s", "s"),
        Measure("further_fall", "further fall, 5 min", "share"),
        Measure("sold_share", "programme sold", "share"),
        Measure("done_s", "done after, s", "s"),
        Measure("volume_per_s", "volume a s to trough", "lots"),
        Measure("volume_before_per_s", "before", "lots"),
    ),
    checks=claims,
    figure=figure,
    own=Own(tuple(DEFAULTS), world),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study six-may` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
