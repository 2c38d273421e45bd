"""How large a cascade becomes where impact grows as the root of size: the second half of the study `impact`.

A sale of Q0 meets longs whose liquidation prices lie evenly below the price, the first of them f below it, worth g for
each unit that it falls. If a sale of Q moves the price by k sqrt(Q), all that is sold is Q = Q0 + g (k sqrt(Q) - f):
with c = g k, the root of Q is (c + sqrt(c^2 + 4 (Q0 - g f))) / 2. Where f is small, a small sale is made larger by a
larger factor, and one of nothing would end at c^2. The factor k is measured in the same market, at the same moment,
without the longs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from delever.agents.cohort import Cohort
from delever.engine.payoff import values_atoms
from delever.engine.rules.base import ATOMS_PER_QUOTE, PPM
from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import M_MARK_TICKS, P_LOTS
from delever.experiments.drawing import BLUE, ORANGE, heading
from delever.experiments.runner import Kept
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, load_scenario, set_values

from .liquidation_density import MARKET, SELLER, LiquidationDensity
from .study import Arm, Check, column

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WORLD, GROUP = "slow-liquidity", "liquidations"
OPEN_AT_S, READY_AFTER_S, SELL_AFTER_S, SELL_S, WATCH_S = 7_200, 60, 62, 2, 20
HOLDERS = 300
MARK_QUOTE = 20_000
"""What the mark asks the book for: the best price alone is that of the first who comes back, with however little."""
ALONE_QUOTE = (100_000, 200_000, 400_000, 800_000)
"""Sales without longs, from which k is measured."""
SALES_QUOTE = (100_000, 400_000)
VALUES_QUOTE = (1_000_000, 2_000_000, 3_000_000, 4_000_000)
"""Longs over a fall of WIDTH: four values of c."""
MORE = float(np.nextafter(1.0, 2.0))
FIRST_PPM, WIDTH_PPM = 100, 30_000
TIERS = [{"floor_quote": 0, "initial_ppm": 200, "maintenance_ppm": 100}]
"""A long can be thinned to the initial margin: its liquidation price is as far away as that is above maintenance."""


class Case(NamedTuple):
    """A sale, and the longs it meets."""

    sell_quote: float
    value_quote: float

    @property
    def name(self) -> str:
        """Name of the arm."""
        if not self.value_quote:
            return f"{self.sell_quote:,.0f} alone"
        return f"{self.sell_quote:,.0f} on {self.value_quote:,.0f}"


CASES = {
    case.name: case
    for case in (
        *(Case(sale, 0.0) for sale in ALONE_QUOTE),
        *(Case(sale, value) for value in VALUES_QUOTE for sale in SALES_QUOTE),
    )
}


def venue() -> RuleSet:
    """Return a venue of next to no margin and much money, which liquidates by what orders of some size would get."""
    sets = {
        "margin.tiers": TIERS, "margin.call_ppm": 0, "insurance.initial_quote": 10**9,
        "mark.components": ["impact"], "mark.impact": {"notional_quote": MARK_QUOTE},
    }  # fmt: skip
    return replace(TEXTBOOK, sets, name="textbook-thin")


def design() -> list[Arm]:
    """Return the sales alone and on the longs; nobody else borrows."""
    sets = ["dt_s=1", f"duration_s={SELL_AFTER_S + SELL_S + WATCH_S}", f"warmup_s={OPEN_AT_S}"]
    world = set_values(load_scenario(WORLD), sets)
    arms = []
    for number, name in enumerate(CASES):
        arms.append(Arm(GROUP, name, world.model_copy(update={"name": f"{WORLD}-sale-{number}"}), venue()))
    return arms


def case_of(scenario: Scenario) -> Case:
    """Return the case of an arm's scenario, as much smaller as the world is."""
    case = list(CASES.values())[int(scenario.name.rpartition("-")[2])]
    share = scenario.traders / load_scenario(WORLD).traders
    return Case(case.sell_quote * share, case.value_quote * share)


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run: what was sold, on purpose and by force, and how far the price fell at most."""
    case = case_of(scenario)
    given = {
        "name": "density", "count": 1 + HOLDERS, "mean_interval_s": scenario.dt_s, "wealth_law": "equal",
        "wealth_quote_median": 1e8, "value_quote": case.value_quote, "sell_quote": case.sell_quote,
        "first_ppm": FIRST_PPM, "width_ppm": WIDTH_PPM, "open_at_s": scenario.warmup_s,
        "ready_at_s": scenario.warmup_s + READY_AFTER_S, "sell_at_s": scenario.warmup_s + SELL_AFTER_S,
        "sell_s": SELL_S,
    }  # fmt: skip
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False, cohorts=[(LiquidationDensity, given)])
    try:
        cohort = next(each for each in model.cohorts if isinstance(each, LiquidationDensity))
        row = model.venue.tables.markets[MARKET]
        sale_step = scenario.warmup_steps + SELL_AFTER_S // scenario.dt_s
        while model.step_now < sale_step:
            model.step()
        before, held = row.item(M_MARK_TICKS), _held(model, cohort)
        lowest = before
        while model.running:
            model.step()
            lowest = min(lowest, row.item(M_MARK_TICKS))
        after = _held(model, cohort)
        sold = held - after
        values = values_atoms(model.venue.tables, MARKET, sold, before) * np.sign(sold) / ATOMS_PER_QUOTE
    finally:
        model.close()
    return Kept({"sold": float(values[SELLER]), "forced": float(values[1:].sum()), "fall": 1.0 - lowest / before})


def _held(model: MarketModel, cohort: Cohort) -> Integers:
    """Return the positions of a cohort in lots, (n,)."""
    tables = model.venue.tables
    held: Integers = tables.positions[cohort.rows * len(tables.markets) + MARKET, P_LOTS].copy()
    return held


def roots_of(runs: pd.DataFrame) -> Floats:
    """Return k of fall = k sqrt(sold) by seed, the mean over its sales alone."""
    alone = [case.name for case in CASES.values() if not case.value_quote]
    sold = np.array([column(runs, GROUP, name, "sold") for name in alone])
    fall = np.array([column(runs, GROUP, name, "fall") for name in alone])
    roots: Floats = (fall / np.sqrt(sold)).mean(axis=0)
    return roots


def foretold(sold: Floats, value_quote: float, k: Floats) -> Floats:
    """Return all that is sold by the closed form if `sold` is sold on purpose; never less than that."""
    density = value_quote / (WIDTH_PPM / PPM)
    c, alone = density * k, sold - density * FIRST_PPM / PPM
    total: Floats = ((c + np.sqrt(np.maximum(c * c + 4.0 * alone, 0.0))) / 2.0) ** 2
    return np.maximum(total, sold)


def enlarged(runs: pd.DataFrame, name: str) -> Floats:
    """Return all that was sold over what was sold on purpose, by seed."""
    sold = column(runs, GROUP, name, "sold")
    larger: Floats = (sold + column(runs, GROUP, name, "forced")) / sold
    return larger


def expected(runs: pd.DataFrame, name: str, k: Floats) -> Floats:
    """Return what the closed form says of `enlarged`, by seed."""
    case, sold = CASES[name], column(runs, GROUP, name, "sold")
    scale = float(np.median(sold)) / case.sell_quote  # a smaller world has smaller longs
    larger: Floats = foretold(sold, case.value_quote * scale, k) / sold
    return larger


def checks(runs: pd.DataFrame) -> list[Check]:
    """Return how far each cascade is from the closed form, and that small sales are enlarged more."""
    k, seeds = roots_of(runs), runs["seed"].nunique()
    found = []
    for name, case in CASES.items():
        if case.value_quote:
            wanted = expected(runs, name, k)
            ratio = enlarged(runs, name) / wanted
            inside = int(((ratio >= 0.8) & (ratio <= 1.2)).sum())
            words = f"{name}: made {np.median(wanted):.2f} times as large by the closed form; in the book, over that"
            found.append(Check(words, float(np.median(ratio)), 0.8, 1.2, inside))
    for value in VALUES_QUOTE:
        small, large = (float(np.median(enlarged(runs, Case(sale, value).name))) for sale in SALES_QUOTE)
        words = f"longs of {value:,}: how much more the smaller sale is enlarged than the larger"
        found.append(Check(words, small / large, MORE, 1e9, seeds))
    return found


def panel(axis: Axes, runs: pd.DataFrame) -> None:
    """Draw how much sales are enlarged against the longs they meet, with the closed form."""
    k, places = roots_of(runs), np.array(VALUES_QUOTE) / 1e6
    for sale, colour in zip(SALES_QUOTE, (BLUE, ORANGE), strict=True):
        names = [Case(sale, value).name for value in VALUES_QUOTE]
        low, middle, high = np.percentile([enlarged(runs, name) for name in names], [5, 50, 95], axis=1)
        axis.vlines(places, low, high, color=colour, linewidth=3, alpha=0.4)
        axis.plot(places, middle, "o", color=colour, ms=8, label=f"sale of {sale:,}")
        axis.plot(places, [np.median(expected(runs, name, k)) for name in names], color=colour, lw=2)
    heading(axis, "sold in all over sold on purpose")
    axis.set_xscale("log")
    axis.set_xticks(places, [f"{place:g}" for place in places])
    axis.set_xlabel(f"longs over a fall of {WIDTH_PPM / 1e4:g} %, million quote")
    axis.set_ylabel("multiple; line: closed form")
    axis.legend(frameon=False, fontsize=12, loc="upper left")
