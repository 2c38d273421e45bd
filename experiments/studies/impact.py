"""How far does a large order move the price, in a book in which nobody has been told?

`delever study impact`. Large orders of 1/10,000 to 1/10 of a day's volume are worked evenly in `slow-liquidity`, at a
quarter of the volume of others; impact is the difference to the same seed without them. Sato and Kanazawa, "Does the
square-root price impact law hold universally?", arXiv 2411.13965 (2024), find that it grows as size to the power 0.489
in Tokyo. What came out, with the numbers: docs/studies.md.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import M_BEST_ASK, M_BEST_BID, M_PRICE_MAX_TICKS, M_VOLUME_LOTS
from delever.experiments.drawing import BLUE, GREY, ORANGE, heading, logarithmic, sheet
from delever.experiments.metrics.impact import impact_exponent, mean_impacts
from delever.experiments.runner import Kept
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, load_scenario

from . import cascade_size
from .meta_orders import DAY_S, MARKET, MetaOrder, MetaOrders, MetaOrdersParameters, schedule
from .study import Arm, Check, Measure, Study, run_alone

Floats = NDArray[np.float64]

QUESTION = "How far does a large order move the price, and how much of that stays?"
WORLD, GROUP, ARM = "slow-liquidity", "impact", "worked evenly"
SHARES = tuple(float(share) for share in np.geomspace(1e-4, 1e-1, 25))
DAILY_LOTS = 6_000_000
"""Lots a day by which orders are sized (measured: 5.8 to 6.1 million, three seeds). Sizes are told over what was really
traded."""
BY_THE_BOOK = replace(TEXTBOOK, {"mark.components": ["book"]}, name="textbook-book")
"""Traders see the middle of the book as mark, not a price that lags it."""
MINUTE_S = 60
SIZES = range(len(SHARES))


def orders_of(scenario: Scenario, seed: int) -> MetaOrdersParameters:
    """Return the orders of a run, as much larger in a world of another size as its volume; odd seeds sell first."""
    lots = max(1, round(DAILY_LOTS * scenario.traders / load_scenario(WORLD).traders))
    return MetaOrdersParameters(
        count=1, mean_interval_s=scenario.dt_s, wealth_law="equal", wealth_quote_median=5e9, volume_shares=SHARES,
        start_s=scenario.warmup_s, daily_lots=lots, buys_first=seed % 2 == 0,
    )  # fmt: skip


def design() -> list[Arm]:
    """Return the market, as long as the orders need."""
    world = load_scenario(WORLD)
    last = schedule(orders_of(world, 0))[-1]
    needed = 2 * last.end_s - last.begin_s - world.warmup_s
    worked = Arm(GROUP, ARM, world.model_copy(update={"duration_s": needed}), BY_THE_BOOK)
    return [worked, *cascade_size.design()]


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make two runs, with the orders and without, and return what each order moved the price by its end, and what was
    left of that as long after.

    A run of the other group is that of `cascade_size`.
    """
    if scenario.name != WORLD:
        return cascade_size.observe(scenario, rules, seed)
    p = orders_of(scenario, seed)
    never = p.model_copy(update={"start_s": scenario.warmup_s + scenario.duration_s})
    worked, _ = _watched(scenario, rules, seed, p)
    alone, traded = _watched(scenario, rules, seed, never)
    return Kept(measured(np.log(worked), np.log(alone), schedule(p), traded, scenario))


def _watched(scenario: Scenario, rules: RuleSet, seed: int, p: MetaOrdersParameters) -> tuple[Floats, int]:
    """Make a run and return the middle of the book at the ends of steps, and lots traded after the warm-up."""
    given = p.model_dump(exclude_unset=True) | {"name": "meta-orders"}
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False, cohorts=[(MetaOrders, given)])
    try:
        middle = np.empty(scenario.steps)
        row = model.venue.tables.markets[MARKET]
        before = 0
        for step in range(scenario.steps):
            model.step()
            middle[step] = _middle_ticks(row, middle[max(step - 1, 0)])
            before = row.item(M_VOLUME_LOTS) if step < scenario.warmup_steps else before
        return middle, row.item(M_VOLUME_LOTS) - before
    finally:
        model.close()


def _middle_ticks(row: NDArray[np.int64], otherwise: float) -> float:
    """Return the middle of the book of a market, or another price if a side is empty."""
    bid, ask = row.item(M_BEST_BID), row.item(M_BEST_ASK)
    return (bid + ask) / 2.0 if bid > 0 and ask < row[M_PRICE_MAX_TICKS] else float(otherwise)


def measured(
    worked: Floats, alone: Floats, orders: list[MetaOrder], traded: int, scenario: Scenario
) -> dict[str, float]:
    """Return the numbers of a seed: log prices (steps,) at the ends of steps with the orders and without, and what was
    `traded` without them after the warm-up, in lots."""
    moved = worked - alone

    def at(time_s: int) -> float:
        return float(moved[min(max(time_s // scenario.dt_s - 1, 0), len(moved) - 1)])

    days = (len(moved) - scenario.warmup_steps) * scenario.dt_s / DAY_S
    minutes = np.diff(alone[scenario.warmup_steps :: max(1, MINUTE_S // scenario.dt_s)])
    found = {"daily_lots": traded / days, "daily_variance": float(minutes.var()) * DAY_S / MINUTE_S}
    for number, order in enumerate(orders):
        side = np.sign(order.lots)
        found[f"lots_{number}"] = abs(order.lots)
        found[f"moved_{number}"] = float(side * (at(order.end_s) - at(order.begin_s)))
        found[f"left_{number}"] = float(side * (at(2 * order.end_s - order.begin_s) - at(order.begin_s)))
    return found


class Impact(NamedTuple):
    """Orders of all runs: size over daily volume, and impact in daily standard deviations; arrays (n,)."""

    share: Floats
    moved: Floats
    left: Floats

    @property
    def prefactor(self) -> float:
        """Y of impact = Y sqrt(share); luck grows as the square root of size too, so that all orders weigh alike."""
        return float((self.moved / np.sqrt(self.share)).mean())

    @property
    def decay(self) -> float:
        """Share of the impact that is gone as long after the end as the order took."""
        return 1.0 - float((self.left / np.sqrt(self.share)).mean()) / self.prefactor


def pooled(runs: pd.DataFrame) -> Impact:
    """Return the orders of all runs together; volume and volatility are means over runs."""
    runs = runs[runs["group"] == GROUP]

    def stack(key: str) -> Floats:
        return np.concatenate([runs[f"{key}_{number}"].to_numpy(dtype=np.float64) for number in SIZES])

    deviation = float(runs["daily_variance"].mean()) ** 0.5
    return Impact(stack("lots") / runs["daily_lots"].mean(), stack("moved") / deviation, stack("left") / deviation)


def checks(runs: pd.DataFrame) -> list[Check]:
    """Return exponent, prefactor and decay over all orders."""
    found, seeds = pooled(runs), runs["seed"].nunique()
    exponent = impact_exponent(found.share, found.moved)
    return [
        Check(f"impact of {len(found.share)} orders grows as size to the power", exponent, 0.40, 0.60, seeds),
        Check("prefactor: impact in daily deviations over the root of size", found.prefactor, 0.3, 2.0, seeds),
        Check("gone as long after the end as the order took", found.decay, 0.3, 1.0, seeds),
        *cascade_size.checks(runs),
    ]


def figure(runs: pd.DataFrame) -> Figure:
    """Mean impact against size, at the end of the orders and as long after."""
    found = pooled(runs)
    title = f"Large orders and the price, and what liquidations add\n{len(found.share)} orders"
    picture, axes = sheet(1, 2, title, height=6.0, join_x=False)
    axis = axes[0, 0]
    cascade_size.panel(axes[0, 1], runs)
    for moved, colour, words in ((found.moved, BLUE, "at the end"), (found.left, ORANGE, "as long after the end")):
        sizes, means, errors = mean_impacts(found.share, moved)
        axis.errorbar(sizes * 100, means * 100, 2 * errors * 100, fmt="o", color=colour, ms=8, label=words)
    line = np.geomspace(found.share.min(), found.share.max(), 50)
    axis.plot(
        line * 100,
        found.prefactor * np.sqrt(line) * 100,
        color=GREY,
        lw=2,
        label=f"{found.prefactor:.2f} times the root of size",
    )
    logarithmic(axis, x=True, y=True)
    heading(axis, "mean impact and two standard errors")
    axis.set_xlabel("size, % of what is traded in a day")
    axis.set_ylabel("price moved, % of its\ndaily standard deviation")
    axis.legend(frameon=False, fontsize=12)
    return picture


STUDY = Study(
    name="impact",
    question=QUESTION,
    seeds=40,
    arms=design,
    simulate=observe,
    measures=(
        Measure("daily_lots", "traded in a day without the orders, lots", "number"),
        Measure("daily_variance", "variance of a day", "number"),
        Measure("sold", "sold on purpose", "quote"),
        Measure("forced", "sold by liquidations", "quote"),
        Measure("fall", "deepest fall", "share"),
        *(Measure(f"moved_{number}", f"moved by an order of {SHARES[number]:.2g} of it", "share") for number in SIZES),
        *(Measure(f"left_{number}", f"left of that, {SHARES[number]:.2g}", "share") for number in SIZES),
    ),
    checks=checks,
    figure=figure,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study impact` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
