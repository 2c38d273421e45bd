"""What of a book comes from chance alone? Spread and diffusion of zero intelligence, and the race of two queues.

Daniels, Farmer, Gillemot, Iori and Smith (2003) predict from the rates of orders alone that the spread is
m/a f(d s/m), with f(u) = 0.28 + 1.86 u^(3/4), and that the variance of the mid per unit of time is in proportion to
m^(5/2) d^(1/2) s^(-1/2) a^(-2): m market orders (lots per second), a limit orders (lots per tick and second), d
cancellations (per order and second), s lots of an order. Farmer, Patelli and Zovko, "The predictive power of zero
intelligence in financial markets", PNAS 102 (2005), find that this explains 96 % and 76 % of the variance of the
logarithms over eleven stocks. Here the eleven stocks are worlds of the cohort `zero_intelligence` on the venue's book,
and rates are measured, not taken from its parameters.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import linregress

from delever.agents.zero_intelligence import ZeroIntelligenceParameters
from delever.engine.commands import C_KIND, Kind, Result
from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import A_ORDERS, M_BEST_ASK, M_BEST_BID, M_PRICE_MAX_TICKS
from delever.experiments.drawing import BLUE, GREY, heading, logarithmic, sentence_figure, sheet
from delever.experiments.errors import UserError
from delever.experiments.queue_model import Rates, chances_up, play
from delever.experiments.runner import Kept
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, ScenarioError, from_toml

from .study import Arm, Check, Measure, Own, Study, run_alone

QUESTION = "How much of spread and volatility is chance, and which queue is empty first?"
GROUP = "zero intelligence"
KEYS = ("limit_share", "market_share", "traders")
GRID = {"limit_share": (0.1, 0.14, 0.2), "market_share": (0.01, 0.02, 0.04), "traders": (3_000, 9_000)}
WARMUP_MEANS = 3
"""The book fills for so many mean lives of an order before anything is measured."""
LAGS = (50, 100, 200, 400)
"""Steps over which the variance of the mid is taken."""
RACES, QUEUES_MAX = 75_000, 3
COMPARED = ["spread_ticks", "spread_predicted", "diffusion", "diffusion_predicted"]
WORLDS_MIN = 3
"""A line through fewer worlds explains nothing."""

WORLD = """
name = "zero-intelligence"
title = "Orders by chance"
dt_s = 1
duration_s = 20_000
traders = {traders}
latency = {{ base_ms = 0, jitter_ms = 0 }}
[[markets]]
symbol = "ZI"
tick_size = "0.01"
lot_size = "0.01"
price_max = 2_000
path = {{ kind = "constant", price = 1_000 }}
[[cohorts]]
kind = "zero_intelligence"
share = 1.0
limit_share = {limit_share}
market_share = {market_share}
[rules]
charges = {{ maker_ppm = 0, taker_ppm = 0, liquidation_ppm = 0, funding = "none" }}
halts = {{ collar_ppm = 0 }}
mark = {{ components = ["book"] }}
"""


def world(given: Mapping[str, str]) -> Arm:
    """Return the world of two shares and a number of traders. Raises UserError or ScenarioError."""
    chosen: dict[str, float | str] = {}
    for key in KEYS:
        text = given.get(key, str(GRID[key][1 if key == "market_share" else 0]))
        try:
            chosen[key] = int(text) if key == "traders" else float(text)
        except ValueError:
            raise UserError(f"--set {key}: a number is needed (got {text})") from None
        if not float(chosen[key]) > 0:
            raise UserError(f"--set {key}: above 0 (got {text})")
    scenario, rules = from_toml(WORLD.format(**chosen), "zero-intelligence").settle(TEXTBOOK)
    name = ", ".join(f"{key}={chosen[key]:g}" for key in KEYS)
    return Arm(GROUP, name, scenario, replace(rules, {}, name="textbook"), chosen)


def design() -> list[Arm]:
    """Return a world for each point of the grid."""
    return [world(dict(zip(KEYS, map(str, values), strict=True))) for values in product(*(GRID[key] for key in KEYS))]


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run of the study: measure rates, spread and diffusion after the book has filled.

    Raises ScenarioError if the run is too short for the longest lag.
    """
    if scenario.steps < 3 * LAGS[-1]:
        least_s = 3 * LAGS[-1] * scenario.dt_s
        raise ScenarioError(
            f"{scenario.name}: duration_s: at least {least_s} s are needed, up to half of them to fill the book (got "
            f"{scenario.duration_s} s)"
        )
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False)
    try:
        (cohort,) = model.cohorts
        warmup = min(int(WARMUP_MEANS * cohort.mean_interval_s / scenario.dt_s), scenario.steps // 2)
        best = np.zeros((scenario.steps - warmup, 2), dtype=np.int64)
        counts, resting = np.zeros(len(Kind) + 1), 0
        row = model.venue.tables.markets[0]
        while model.running:
            model.step()
            step = model.step_now - 1 - warmup
            if step > 0:
                best[step - 1] = row[M_BEST_BID], row[M_BEST_ASK]
                done = model.report.results == Result.OK
                counts += np.bincount(model.arrived[done, C_KIND], minlength=len(counts))
                resting += int(model.venue.tables.accounts[: cohort.n, A_ORDERS].sum()) if step % 100 == 0 else 0
        best[best[:, 1] == row[M_PRICE_MAX_TICKS]] = 0
        p = cohort.parameters
        assert isinstance(p, ZeroIntelligenceParameters)
        return Kept(measured(best, counts, resting * 100, p.order_lots, p.window_ticks, scenario.dt_s))
    finally:
        model.close()


def measured(
    best: NDArray[np.int64], counts: NDArray[np.float64], resting: int, lots: int, window: int, dt_s: int
) -> dict[str, float]:
    """Return rates, and spread and diffusion as measured and as predicted.

    best: bid and ask of each step, 0 where there is none; counts: orders and cancellations by kind; resting: the sum of
    orders over steps. A number that needs orders of which there were none, or a book of two sides for longer, is NaN.
    """
    seconds = len(best) * dt_s
    whole = (best > 0).all(axis=1)
    mid = best[whole].mean(axis=1)
    limit = float(counts[Kind.LIMIT]) * lots / (2 * window) / seconds
    market = float(counts[Kind.MARKET]) * lots / 2 / seconds
    cancel = float(counts[Kind.CANCEL_ALL]) / max(resting * dt_s, 1)
    known = limit > 0.0 and market > 0.0
    slope = spread = np.nan
    if len(mid) > LAGS[-1]:
        slope = float(np.polyfit(LAGS, [np.var(mid[lag:] - mid[:-lag]) for lag in LAGS], 1)[0]) / dt_s
        spread = float((best[whole, 1] - best[whole, 0]).mean())
    return {
        "limit_rate": limit,
        "market_rate": market,
        "cancel_rate": cancel,
        "spread_ticks": spread,
        "spread_predicted": market / limit * (0.28 + 1.86 * (cancel * lots / market) ** 0.75) if known else np.nan,
        "diffusion": slope,
        "diffusion_predicted": market**2.5 * cancel**0.5 * lots**-0.5 * limit**-2.0 if known else np.nan,
        "empty_share": 1.0 - float(whole.mean()),
    }


@lru_cache(maxsize=1)
def queue_error() -> float:
    """Return the largest difference between how often asks were empty first in the book and how often they should."""
    races = play(Rates(), seed=0, races=RACES, longest=QUEUES_MAX)
    return float(np.abs(races.up / races.seen - chances_up(Rates())[:QUEUES_MAX, :QUEUES_MAX]).max())


def told(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have a logarithm: a short run may have no orders of a kind, or a mid that only came back."""
    numbers = frame[COMPARED]
    return frame[(numbers.gt(0.0) & numbers.lt(np.inf)).all(axis=1)]


def fits(runs: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return R squared and slope of the regressions of logarithms over worlds, medians over seeds of each; NaN if fewer
    than three worlds have all numbers."""
    middle = told(runs.groupby("arm", sort=False)[COMPARED].median())
    if len(middle) < WORLDS_MIN:
        return {"spread": (np.nan, np.nan), "diffusion": (np.nan, np.nan)}
    found = {}
    for name in ("spread", "diffusion"):
        seen = np.log(middle["spread_ticks" if name == "spread" else name])
        line = linregress(np.log(middle[f"{name}_predicted"]), seen)
        found[name] = (float(line.rvalue**2), float(line.slope))
    return found


def claims(runs: pd.DataFrame) -> list[Check]:
    """Return how much of spread and diffusion is explained, and how far the race of queues is from its chance."""
    seeds = runs["seed"].nunique()
    found = [Check("queues: largest error of the chance that asks are empty first", queue_error(), 0.0, 0.01, seeds)]
    if runs["arm"].nunique() >= WORLDS_MIN:
        fitted = fits(runs)
        for name, least in (("spread", 0.9), ("diffusion", 0.7)):
            explained, slope = fitted[name]
            found.append(Check(f"{name}: R2 over worlds (slope {slope:.2f})", explained, least, 1.0, seeds))
    return found


def figure(runs: pd.DataFrame) -> Figure:
    """Spread and diffusion against what is predicted, a dot a run."""
    title = "Zero intelligence: measured against predicted from rates of orders"
    runs = told(runs)
    if runs.empty:
        return sentence_figure(title, "No run is long enough to tell.")
    picture, axes = sheet(1, 2, title, height=5.5, join_x=False)
    spread, diffusion = axes.flat
    ends = [runs["spread_predicted"].min(), runs["spread_predicted"].max()]
    spread.plot(ends, ends, color=GREY, lw=2, label="equal")
    spread.legend(frameon=False, fontsize=12)
    for axis, key, name, unit in (
        (spread, "spread_ticks", "spread", "ticks"),
        (diffusion, "diffusion", "diffusion", "ticks² a second"),
    ):
        axis.plot(runs[f"{name}_predicted"], runs[key], "o", color=BLUE, alpha=0.6)
        logarithmic(axis, x=True, y=True, between=True)
        heading(axis, name)
        axis.set_xlabel(f"predicted, {unit}")
        axis.set_ylabel(f"measured, {unit}")
    diffusion.set_xlabel("predicted, up to a factor")
    return picture


STUDY = Study(
    name="zero-intelligence",
    question=QUESTION,
    seeds=3,
    arms=design,
    simulate=observe,
    measures=(
        Measure("spread_ticks", "spread, ticks", "number"),
        Measure("spread_predicted", "predicted", "number"),
        Measure("diffusion", "diffusion", "number"),
        Measure("diffusion_predicted", "predicted, up to a factor", "number"),
        Measure("limit_rate", "limit orders", "number"),
        Measure("market_rate", "market orders", "number"),
        Measure("cancel_rate", "cancellations", "number"),
        Measure("empty_share", "steps with an empty side", "share"),
    ),
    checks=claims,
    figure=figure,
    own=Own(KEYS, world),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study zero-intelligence` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
