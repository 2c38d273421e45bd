"""Does leverage make fat tails? Value funds that buy on credit, by how much of it they may have.

The model of Thurner, Farmer and Geanakoplos, "Leverage causes fat tails and clustered volatility", Quantitative Finance
12 (2012), on the venue's own call auctions, accounts and margin. 60,000 steps a run, of which the first 5,000 are left
out of returns. What is asked of it is a re-computation of the model without a venue, 16 seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from delever.agents.value_fund import ValueFund
from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.experiments.drawing import BLUE, VERMILION, heading, sheet
from delever.experiments.errors import UserError
from delever.experiments.metrics.returns import autocorrelation, excess_kurtosis, hill_index, log_returns
from delever.experiments.runner import Kept
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, load_scenario, set_values

from .pictures import spread_panel, titled
from .study import Arm, Check, Measure, Own, Study, column, median_check, run_alone

QUESTION = "Does leverage make tails fat, and do limits that follow volatility help?"
GROUP = "value funds"
STEPS, STEP_S = 60_000, 3_600
LEFT_OUT_SHARE = 1 / 12
LEVERAGE_MIN, LEVERAGE_MAX = 0.001, 100.0
LIMITS = ("constant", "volatility")

TABLE = (0.001, 1.0, 3.0, 5.0, 10.0)
PAIR = ((3.45, "constant"), (3.0, "volatility"))
"""Two worlds in which funds use the same leverage on average."""
VOLATILITY_PPM, VOLATILITY_ROOM = 29_000, 3.0
"""Volatility of a step at which the second limit is what it says, and how many times that it may become."""

HILL_FALLS = {
    0.001: (8.630, 0.618),
    1.0: (7.868, 0.912),
    3.0: (5.219, 0.335),
    5.0: (3.176, 0.310),
    10.0: (2.033, 0.108),
}
"""Median and standard deviation over seeds of the tail index of falls, by largest leverage: the re-computation."""
KURTOSIS = {0.001: (0.008, 0.038), 1.0: (0.391, 0.093), 3.0: (3.194, 0.492), 5.0: (13.79, 3.96), 10.0: (38.13, 21.93)}
"""The same of excess kurtosis."""
EXITS = {1.0: (0.0, 1.0), 3.0: (0.0, 12.0), 5.0: (23.0, 56.0), 10.0: (38.0, 96.0)}
"""Exits in 10,000 steps: its medians (0, 6, 40, 67) and three standard deviations."""


def venue(largest: float) -> RuleSet:
    """Return rules under which the margin call, at four times maintenance, comes at the funds' limit."""
    ppm = int(250_000 / max(largest, 1.0))
    tiers = [{"floor_quote": 0, "initial_ppm": ppm, "maintenance_ppm": ppm}]
    return replace(load_scenario("tfg").settle(TEXTBOOK)[1], {"margin.tiers": tiers})


def world(given: Mapping[str, str]) -> Arm:
    """Return the world of a largest leverage and a kind of limit. Raises UserError."""
    text, limit = given.get("max_leverage", "5"), given.get("limit", "constant").strip('"')
    try:
        leverage = float(text)
    except ValueError:
        leverage = float("nan")
    if not LEVERAGE_MIN <= leverage <= LEVERAGE_MAX:
        raise UserError(f"--set max_leverage: from {LEVERAGE_MIN:g} to {LEVERAGE_MAX:g} (got {text})")
    if limit not in LIMITS:
        raise UserError(f"--set limit: one of {', '.join(LIMITS)} (got {limit})")
    sets, largest = [f"duration_s={STEPS * STEP_S}", f"cohorts.value_fund.leverage={leverage!r}"], leverage
    if limit == "volatility":
        sets += [f"cohorts.value_fund.volatility_ppm={VOLATILITY_PPM}"]
        sets += [f"cohorts.value_fund.volatility_room={VOLATILITY_ROOM}"]
        largest = leverage * VOLATILITY_ROOM
    scenario = set_values(load_scenario("tfg").settle(TEXTBOOK)[0], sets)
    shown = int(leverage) if leverage.is_integer() else leverage
    return Arm(GROUP, label(leverage, limit), scenario, venue(largest), {"max_leverage": shown, "limit": limit})


def label(leverage: float, limit: str) -> str:
    """Return the name of a world."""
    return f"{leverage:g} {limit}"


def design() -> list[Arm]:
    """Return the worlds of the table, and the pair that differs in what the limit follows."""
    worlds = [(leverage, "constant") for leverage in TABLE] + list(PAIR)
    return [world({"max_leverage": repr(leverage), "limit": limit}) for leverage, limit in worlds]


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run of the study; every auction's leverage is looked at."""
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False)
    try:
        funds = next(each for each in model.cohorts if isinstance(each, ValueFund))
        used, calls, forced = Used(funds), 0, 0
        while model.running:
            model.step()
            calls += used.look(model)
            forced += model.report.forced_orders
        marks = model.history.marks()[:, 0] / funds.parameters.value_ticks
        steps = len(marks) - 1
        exits = 1e4 * float(funds.columns["fund"]["exits"].sum()) / steps
        mine = {"exits_per_10k": exits, "mean_leverage": used.mean(), "limit_used": used.most, "margin_calls": calls}
        return Kept({**tails(marks, int(steps * LEFT_OUT_SHARE)), **mine, "forced_orders": forced})
    finally:
        model.close()


class Used:
    """Leverage of funds after each auction, redemptions that have not left yet taken off their wealth."""

    def __init__(self, funds: ValueFund) -> None:
        """Look at these funds."""
        self.funds = funds
        self.most = 0.0
        """Largest leverage seen, as a share of the largest limit."""
        self._sum, self._count = 0.0, 0

    def look(self, model: MarketModel) -> int:
        """Note the leverage of funds in business while the price is below the value; return how many are called."""
        view, funds, p = model.look(), self.funds, self.funds.parameters
        fund = funds.columns["fund"]
        wealth = view.equity_atoms(funds.rows) - np.maximum(-fund["flow_atoms"], 0)
        mark = int(view.mark_ticks[0])
        active = (fund["out_wakings"] == 0) & (wealth > 0)
        value = view.lots(funds.rows, 0) * mark * int(view.multiplier_atoms[0])
        leverage = value[active] / wealth[active]
        largest = p.leverage * (p.volatility_room if p.volatility_ppm else 1.0)
        self.most = max(self.most, float(leverage.max(initial=0.0)) / max(largest, min(p.leverage, 1.0)))
        if mark < p.value_ticks:
            self._sum += float(leverage.sum())
            self._count += len(leverage)
        return int(view.called(funds.rows).sum())

    def mean(self) -> float:
        """Return the mean over auctions and funds."""
        return self._sum / self._count if self._count else float("nan")


def tails(prices: NDArray[np.float64], left_out: int) -> dict[str, float]:
    """Return the statistics of a price in units of the value: of returns that began below it, and of all returns."""
    prices = prices[left_out:]
    every = log_returns(prices)
    cheap = every[prices[:-1] < 1.0]
    found = {
        "hill_falls": hill_index(-cheap[cheap < 0]),
        "hill_rises": hill_index(cheap[cheap > 0]),
        "excess_kurtosis": excess_kurtosis(cheap),
        "excess_kurtosis_all": excess_kurtosis(every),
    }
    lags = {f"acf_abs_{lag}": autocorrelation(np.abs(every), lag) for lag in (1, 10, 50)}
    return {**found, **lags, "worst_log_return": float(every.min(initial=0.0))}


def claims(runs: pd.DataFrame) -> list[Check]:
    """Return what the re-computation, and experiment E4, say about the worlds that were run."""
    arms = set(runs["arm"])

    def of(leverage: float, key: str, limit: str = "constant") -> NDArray[np.float64]:
        return column(runs, GROUP, label(leverage, limit), key)

    found = []
    table = [leverage for leverage in TABLE if label(leverage, "constant") in arms]
    for leverage in table:
        for key, words, known in (
            ("hill_falls", "tail index of falls", HILL_FALLS), ("excess_kurtosis", "excess kurtosis", KURTOSIS),
        ):  # fmt: skip
            middle, deviation = known[leverage]
            reach = (middle - 3 * deviation, middle + 3 * deviation)
            found.append(median_check(f"leverage {leverage:g}: {words}", of(leverage, key), *reach))
        if leverage in EXITS:
            found.append(median_check(f"leverage {leverage:g}: exits", of(leverage, "exits_per_10k"), *EXITS[leverage]))
    if 0.001 in table:
        found.append(median_check("no leverage: acf of abs. returns", np.abs(of(0.001, "acf_abs_1")), 0.0, 0.01))
    if 5.0 in table:
        found.append(median_check("leverage 5: acf of abs. returns", of(5.0, "acf_abs_1"), 0.16, 0.20))
    if len(table) > 1:
        index = [float(np.median(of(leverage, "hill_falls"))) for leverage in table]
        found.append(median_check("tail index falls with leverage: smallest step", -np.diff(index).max(), 1e-9, 1e9))
    most = runs.groupby("seed")["limit_used"].max().to_numpy(dtype=np.float64)
    found.append(median_check("leverage never above the limit: largest share of it", most, 0.0, 1.0))
    if {label(*each) for each in PAIR} <= arms:
        found += _of_the_pair(of)
    return found


def _of_the_pair(of: Any) -> list[Check]:
    """Return what is claimed of a limit inverse to volatility against a constant one at the same mean leverage."""
    (constant, _), (scaled, kind) = PAIR
    ratio = of(scaled, "mean_leverage", kind) / of(constant, "mean_leverage")
    thinner = of(constant, "hill_falls") - of(scaled, "hill_falls", kind)
    deeper = of(constant, "worst_log_return") - of(scaled, "worst_log_return", kind)
    more = of(scaled, "exits_per_10k", kind) - of(constant, "exits_per_10k")
    return [
        median_check("limit by volatility: mean leverage over that of the constant limit", ratio, 0.98, 1.02),
        median_check("limit by volatility: tail index of falls, lower by", thinner, 1e-9, 1e9),
        median_check("limit by volatility: worst return, lower by", deeper, 1e-9, 1e9),
        median_check("limit by volatility: exits, more by", more, 1e-9, 1e9),
    ]


def figure(runs: pd.DataFrame) -> Figure:
    """Tail indices, memory of volatility, exits and worst return by world."""
    arms = list(dict.fromkeys(runs["arm"]))
    picture, axes = sheet(2, 2, titled("Leverage and tails", runs), height=9.5)
    (index, memory), (exits, worst) = axes
    spread_panel(index, runs, arms, "hill_falls", 1.0, VERMILION, -0.1, "falls")
    spread_panel(index, runs, arms, "hill_rises", 1.0, BLUE, 0.1, "rises", "s")
    index.legend(frameon=False, fontsize=11.5)
    heading(index, "tail index (Hill, 1 %) below the value")
    for axis, key, factor, title in (
        (memory, "acf_abs_1", 1.0, "autocorrelation of absolute returns"),
        (exits, "exits_per_10k", 1.0, "exits in 10,000 steps"),
        (worst, "worst_log_return", 100.0, "worst return, % (log)"),
    ):
        spread_panel(axis, runs, arms, key, factor, BLUE)
        heading(axis, title)
    for axis in axes.flat:
        axis.set_xticks(
            range(len(arms)), [arm.replace(" constant", "").replace(" ", "\n") for arm in arms], fontsize=11
        )
        axis.set_xlim(-0.6, len(arms) - 0.4)
        axis.set_xlabel("largest leverage")
    return picture


STUDY = Study(
    name="tfg",
    question=QUESTION,
    seeds=16,
    arms=design,
    simulate=observe,
    measures=(
        Measure("hill_falls", "tail index, falls", "number"),
        Measure("hill_rises", "tail index, rises", "number"),
        Measure("excess_kurtosis", "excess kurtosis", "number"),
        Measure("excess_kurtosis_all", "the same, all steps", "number"),
        Measure("acf_abs_1", "acf of |returns|, 1", "number"),
        Measure("acf_abs_10", "10 steps", "number"),
        Measure("acf_abs_50", "50 steps", "number"),
        Measure("exits_per_10k", "exits in 10,000 steps", "number"),
        Measure("worst_log_return", "worst log return", "number"),
        Measure("mean_leverage", "mean leverage used", "number"),
        Measure("limit_used", "largest, of the limit", "share"),
        Measure("margin_calls", "margin calls", "number"),
        Measure("forced_orders", "forced orders", "number"),
    ),
    checks=claims,
    figure=figure,
    own=Own(("max_leverage", "limit"), world),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study tfg` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
