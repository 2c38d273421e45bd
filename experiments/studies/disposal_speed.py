"""How fast should a venue's fund sell what it took over from bankrupt traders?

`delever study disposal-speed`. What came out, with the numbers: docs/studies.md.
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.experiments.drawing import BLUE, ORANGE, heading, scale, sheet
from delever.experiments.folder import RunFolder
from delever.experiments.metrics.closing import open_loss_atoms, premium
from delever.experiments.runner import Kept
from delever.sim.model import Extra
from delever.sim.scenario import Scenario, from_toml

from .large_holder import LargeHolder
from .pictures import losses_panel, name_arms, spread_panel, titled
from .study import Arm, Check, Measure, Study, run_alone, seen

QUESTION = (
    "How fast should the fund of a venue sell what it took over, and is that better than closing positions in the "
    "market at once?"
)
DT_S = 5
WINDOW_S = 30

TWO_SIDED, FALLING, LARGE = "small, both sides", "one-sided fall", "one large position"
STATES = (TWO_SIDED, FALLING, LARGE)
MARKET_ORDER = "market order"
SPEEDS = {"at once": (1_000_000, 5), "1 min": (80_000, 5), "5 min": (33_000, 10), "20 min": (8_300, 10)}
"""Share of what is left that is sent every so many seconds; 63 % is sold after the time of the name, if the book
takes it."""

WORLD = """
name = "{name}"
title = "{title}"
dt_s = {dt_s}
duration_s = 1800
warmup_s = 300
record_every_s = {dt_s}
traders = 200

[[markets]]
symbol = "BTC"
tick_size = "0.5"
lot_size = "0.001"
{path}

[[cohorts]]
kind = "maker"
count = 4
mean_interval_s = 15
wealth_quote_median = 15_000
quote_leverage = 0.5
inventory_leverage = 1.0
half_spread_ppm = 200
level_step_ppm = 500
skew_ppm = 5000
index_share = 0.5

[[cohorts]]
kind = "value"
count = 6
mean_interval_s = 60
wealth_quote_median = 10_000
leverage = 2
full_ppm = 20_000
horizon_s = 300

[[cohorts]]
kind = "noise"
share = 0.2
mean_interval_s = 60

[[cohorts]]
kind = "retail"
share = 0.74
mean_interval_s = 300
herd_share = 0.0
start_share = 0.8
stop_share = 0.0
{retail}
"""
PATHS = {
    TWO_SIDED: """
[markets.path]
kind = "gbm"
start_price = 8000
volatility = 6.0
""",
    FALLING: """
[markets.path]
kind = "gbm"
start_price = 8000
volatility = 0.6

[[markets.path.shocks]]
kind = "ramp"
at_s = 120
size = -0.15
length_s = 600
""",
    LARGE: """
[markets.path]
kind = "gbm"
start_price = 8000
volatility = 0.6

[[markets.path.shocks]]
kind = "ramp"
at_s = 120
size = -0.05
length_s = 60
""",
}
RETAIL = {
    TWO_SIDED: """
long_share = 0.5
wealth_quote_median = 500
wealth_law = "equal"
leverages = [10, 20]
leverage_weights = [0.5, 0.5]
""",
    FALLING: """
long_share = 0.65
leverages = [10, 20]
leverage_weights = [0.5, 0.5]
""",
    LARGE: """
long_share = 0.5
leverages = [2, 3]
leverage_weights = [0.5, 0.5]
""",
}
TITLES = {
    TWO_SIDED: "A nervous market: small longs and shorts are liquidated in turn",
    FALLING: "A fall of 15 percent in ten minutes: longs are liquidated, one after another",
    LARGE: "One position five times the depth of the book is liquidated in a fall of 5 percent",
}
HOLDER: Extra = (
    LargeHolder,
    {"count": 2, "mean_interval_s": 5.0, "wealth_quote_median": 2_000_000.0, "wealth_law": "equal", "open_at_s": 120},
)


def world(state: str) -> Scenario:
    """Return the scenario of a state."""
    name = state.replace(",", "").replace(" ", "-")
    text = WORLD.format(name=name, title=TITLES[state], dt_s=DT_S, path=PATHS[state], retail=RETAIL[state])
    return from_toml(text, f"{name}.toml")


def venue(speed: str) -> RuleSet:
    """Return a venue that differs from the others in nothing but how positions of the bankrupt are closed."""
    common: dict[str, Any] = {
        "insurance.initial_quote": 20_000,
        "charges.liquidation_ppm": 0,
        "charges.funding": None,
        "deleveraging.trigger": "fund_empty",
    }
    if speed == MARKET_ORDER:
        own: dict[str, Any] = {"liquidation.stage": "book", "liquidation.leftover": "retry", "liquidation.surplus": {}}
    else:
        share, interval_s = SPEEDS[speed]
        own = {
            "liquidation.stage": "takeover_only",
            "liquidation.takeover": {"unlimited": True},
            "insurance.disposal_share_ppm": share,
            "insurance.disposal_interval_s": interval_s,
            "insurance.disposal_range_ppm": 50_000,
            "insurance.sale": {"book_share_ppm": 1_000_000},
        }
    return replace(TEXTBOOK, common | own, name=speed.replace(" ", "-"))


def design() -> list[Arm]:
    """Return three states, each under four speeds, the fastest first, and under market orders instead of a fund."""
    return [Arm(state, speed, world(state), venue(speed)) for state in STATES for speed in (*SPEEDS, MARKET_ORDER)]


def look(run: RunFolder) -> dict[str, float]:
    """Return what a run is judged by."""
    series = run.series
    start = float(series["fund_equity_atoms"].iloc[0])
    equity = series["fund_equity_atoms"].to_numpy(dtype=float)
    told = run.summary["waterfall"]
    gap = premium(series, WINDOW_S, run.manifest["markets"][0]["multiplier_atoms"])
    return {
        "fund_lowest": float(equity.min() / start - 1),
        "fund_end": float(equity[-1] / start - 1),
        "open_loss": float(open_loss_atoms(series).max() / start),
        "trough": float(gap.min()),
        "dislocation": float(-gap.clip(max=0).sum() * DT_S / 60 * 1e4),
        "forced": run.summary["liquidated_notional"],
        "owners": told["own_margin"],
        "fund": run.summary["insurance_fund_start"] - run.summary["insurance_fund_end"],
        "winners": told["adl"] + told["socialised"],
    }


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run of the study; the state with the large holder gets it."""
    return seen(scenario, rules, seed, look, [HOLDER] if scenario.name == world(LARGE).name else [])


def no_claims(runs: pd.DataFrame) -> list[Check]:
    """Nothing was foretold: the rows with their intervals are the result."""
    return []


ROWS = (
    ("fund_lowest", 100.0, "fund at its lowest", "change, % of start"),
    ("fund_end", 100.0, "fund at the end", "change, % of start"),
    ("trough", 100.0, "price below the index", "deepest discount, %"),
)


def figure(runs: pd.DataFrame) -> Figure:
    """A column a state; fund at its lowest and at the end, price trough, and who lost, against how it was closed."""
    arms = [*SPEEDS, MARKET_ORDER]
    title = titled("How fast should the fund sell what it took over?", runs)
    sheet_of, axes = sheet(len(ROWS) + 1, len(STATES), title, height=13.5)
    for place, state in enumerate(STATES):
        here = runs[runs["group"] == state]
        for row, (key, factor, words, unit) in enumerate(ROWS):
            axis = axes[row, place]
            axis.axhline(0, color="#888888", linewidth=1)
            spread_panel(axis, here[here["arm"] != MARKET_ORDER], arms, key, factor, BLUE)
            spread_panel(axis, here[here["arm"] == MARKET_ORDER], arms, key, factor, ORANGE, marker="s")
            heading(axis, f"{state}:\n{words}" if row == 0 else words)
            if place == 0:
                axis.set_ylabel(unit)
            name_arms(axis, arms)
        means = here.groupby("arm")[["owners", "fund", "winners"]].mean()
        divisor, word = scale(means.abs().sum(axis=1))
        losses_panel(axes[-1, place], here, arms, divisor)
        heading(axes[-1, place], "who lost")
        axes[-1, place].set_ylabel(f"{word}quote, mean")
        if place == 1:
            axes[-1, place].set_xlabel("time in which the fund sells; last: no fund takes over, market orders")
        name_arms(axes[-1, place], arms)
    handles, names = axes[-1, 0].get_legend_handles_labels()
    sheet_of.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=13)
    return sheet_of


STUDY = Study(
    name="disposal-speed",
    question=QUESTION,
    seeds=100,
    arms=design,
    simulate=observe,
    measures=(
        Measure("fund_lowest", "fund at its lowest, change from its start", "share"),
        Measure("fund_end", "fund at the end, change from its start", "share"),
        Measure("open_loss", "largest open loss on what it took over, of its start", "share"),
        Measure("trough", "deepest discount of the price to the index", "share"),
        Measure("dislocation", "discount summed over time, basis points x minutes", "number"),
        Measure("forced", "value liquidated", "quote"),
        Measure("owners", "lost by liquidated traders", "quote"),
        Measure("fund", "lost by the fund", "quote"),
        Measure("winners", "lost by other traders (ADL, shared losses)", "quote"),
    ),
    checks=no_claims,
    figure=figure,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study disposal-speed` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
