"""12 and 13 March 2020 through two venues that differ in the size of their fund and in how they close positions.

`delever study two-funds`. What came out, with the numbers: docs/studies.md.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.rules.ruleset import RuleSet
from delever.experiments.drawing import BLUE, ORANGE, heading, scale, sheet
from delever.experiments.folder import RunFolder
from delever.experiments.metrics.closing import lowest_price, open_loss_atoms, premium, refill_s
from delever.experiments.metrics.losses import fund_flows_atoms
from delever.experiments.runner import Kept
from delever.sim.scenario import Scenario, load_scenario, set_values

from .pictures import name_arms, spread_panel, titled
from .study import Arm, Check, Measure, Study, column, median_check, run_alone, seen, sign_check

QUESTION = (
    "On 12-13 March 2020 one fund lost 5 % and was back at a record a day later, another lost half: is the size of the "
    "fund and the way of closing enough to make that difference?"
)
TRADERS = 1000
DT_S = 10
GROUP = "12-13 March 2020"
LARGE, FAST, SLOW, HELD = "large fund", "large, at once", "large, an hour", "large, 8 hours"
SMALL, QUARTER = "small fund", "a quarter of it"
ARMS = (LARGE, FAST, SLOW, HELD, SMALL, QUARTER)
LARGE_QUOTE, SMALL_QUOTE = 1_600_000, 22_500
"""The large one is 28 % of open interest at midnight, between the 23 % and 33 % of BitMEX's, by what is counted; the
small one is twice the deficits that a venue of its kind had in the median of 100 other seeds (1000 to 1099)."""
DAY_BEGINS_S = 4 * 3600
"""The scenario begins at 20:00 UTC on 11 March: midnight is four hours in, and 48 hours later it ends."""
WINDOW_S = 300
"""The price of five minutes, weighted by volume: one trade in an empty book is no trough."""
WORLD: dict[str, float] = {
    "maker.share": 0.01,
    "maker.wealth_quote_median": 120_000,
    "maker.mean_interval_s": 30,
    "maker.level_step_ppm": 500,
    "maker.index_share": 0.1,
    "value.share": 0.04,
    "value.wealth_quote_median": 10_000,
    "retail.open_share": 0.15,
    "retail.close_share": 0.015,
    "trend.wealth_quote_median": 5_000,
}
"""What differs from the built-in scenario, so that depth, turnover and discount are nearer to those of the day; which
published figure each is for: docs/studies.md."""


def world() -> Scenario:
    """Return the scenario of the study: the built-in one with other makers and arbitrageurs, and less turnover."""
    values = {"name": "two-funds", "traders": TRADERS, "fund_traders": None, "dt_s": DT_S, "record_every_s": DT_S}
    scenario = load_scenario("black-thursday").replaced(values)
    return set_values(scenario, [f"cohorts.{key}={value}" for key, value in WORLD.items()])


def venue(name: str, fund_quote: int, closing: dict[str, Any]) -> RuleSet:
    """Return a venue; nothing but the arguments differs. No fee and no funding reaches the fund of any."""
    common = {"insurance.initial_quote": fund_quote, "charges.liquidation_ppm": 0, "charges.funding": None}
    return replace(TEXTBOOK, common | closing, name=name.replace(",", "").replace(" ", "-"))


def takes_over(share_ppm: int, interval_s: int) -> dict[str, Any]:
    """Return the closing rule of a fund that takes every position over at its bankruptcy price and sells it later."""
    return {
        "liquidation.stage": "takeover_only",
        "liquidation.leftover": "fund",
        "insurance.disposal_share_ppm": share_ppm,
        "insurance.disposal_interval_s": interval_s,
        "insurance.disposal_range_ppm": 50_000,
        "insurance.sale": {"book_share_ppm": 1_000_000},
    }


MARKET: dict[str, Any] = {"liquidation.stage": "book", "liquidation.price": "market", "liquidation.leftover": "retry"}


def design() -> list[Arm]:
    """Return the two venues, the first also closing faster and slower, the second also with a quarter of its fund."""
    rules = {
        LARGE: venue(LARGE, LARGE_QUOTE, takes_over(50_000, 60)),
        FAST: venue(FAST, LARGE_QUOTE, takes_over(1_000_000, DT_S)),
        SLOW: venue(SLOW, LARGE_QUOTE, takes_over(20_000, 60)),
        HELD: venue(HELD, LARGE_QUOTE, takes_over(2_000, 60)),
        SMALL: venue(SMALL, SMALL_QUOTE, MARKET),
        QUARTER: venue(QUARTER, SMALL_QUOTE // 4, MARKET),
    }
    return [Arm(GROUP, name, world(), rules[name]) for name in ARMS]


def look(run: RunFolder) -> dict[str, float]:
    """Return what a run is judged by; parts of the fund's change by code as shares of its start."""
    series, flows = run.series, fund_flows_atoms(run.fund)
    equity = series["fund_equity_atoms"].to_numpy(dtype=np.float64)
    start = equity[0]
    by_code = dict(zip(flows["code"], flows["in_atoms"] - flows["out_atoms"], strict=True))
    moved = {code: float(by_code.pop(code, 0)) / start for code in ("REALISED", "TAKEOVER_MARGIN", "DEFICIT")}
    by_code.pop("DEPOSIT", None)
    return {
        **market(run),
        "fund_lowest": float(equity.min() / start - 1),
        "fund_end": float(equity[-1] / start - 1),
        "refill_hours": refill_s(series) / 3600,
        "adl": float(run.summary["adl_notional"]),
        "open_loss": float(open_loss_atoms(series).max()) / run.currency.atoms_per_unit,
        "closed_above": moved["REALISED"],
        "margin_kept": moved["TAKEOVER_MARGIN"],
        "deficits": moved["DEFICIT"],
        "other_codes": float(sum(abs(each) for each in by_code.values())),
    }


def market(run: RunFolder) -> dict[str, float]:
    """Return what a run did to the price, and what of it can be held against the figures of the day."""
    series, multiplier = run.series, run.manifest["markets"][0]["multiplier_atoms"]
    gap = premium(series, WINDOW_S, multiplier)
    since = (series["time_s"] >= DAY_BEGINS_S).to_numpy()
    days = series[since]
    first = days[days["time_s"] < DAY_BEGINS_S + 24 * 3600]
    night = days.iloc[0]
    interest = float(night["open_interest_lots"]) * float(night["mark_ticks"]) * multiplier
    volume = float(first["volume_atoms"].sum())
    return {
        "trough": lowest_price(series, WINDOW_S, multiplier, since) / float(days["index_ticks"].min()) - 1,
        "discount": float(gap[since].min()),
        "fund_of_interest": float(series["fund_equity_atoms"].iloc[0]) / interest,
        "turnover": volume / interest,
        "forced_share": float(first["forced_atoms"].sum()) / max(volume, 1.0),
        "forced_of_interest": float(days["forced_atoms"].sum()) / interest,
    }


def observe(scenario: Scenario, rules: RuleSet, seed: int) -> Kept:
    """Make a run of the study."""
    return seen(scenario, rules, seed, look)


def claims(runs: pd.DataFrame) -> list[Check]:
    """Return what the replay is asked to show; medians over seeds, and sign tests over pairs of runs of a seed."""

    def of(arm: str, key: str) -> np.ndarray:
        return column(runs, GROUP, arm, key)

    never = 0.0
    found = [
        median_check(f"{LARGE}: lost of its fund", -of(LARGE, "fund_lowest"), 0.02, 0.10),
        median_check(f"{LARGE}: fund after 48 hours, change", of(LARGE, "fund_end"), 1e-9, 1e9),
        median_check(f"{LARGE}: closed by ADL", of(LARGE, "adl"), never, never),
        median_check(f"{SMALL}: lost of its fund", -of(SMALL, "fund_lowest"), 0.40, 0.60),
        median_check(f"{SMALL}: closed by ADL", of(SMALL, "adl"), never, never),
        median_check(f"{QUARTER}: closed by ADL", of(QUARTER, "adl"), 1e-9, 1e12),
    ]
    elsewhere = np.max([of(arm, "other_codes") for arm in ARMS], axis=0)
    rounding = np.max([np.abs(of(arm, "margin_kept")) for arm in ARMS], axis=0)
    found.append(median_check("every fund: moved by anything but closing and deficits", elsewhere, never, never))
    found.append(median_check("every fund: kept of margins, rounding to a tick, of its start", rounding, 0.0, 0.001))
    slower = of(HELD, "open_loss") - of(FAST, "open_loss")
    found.append(sign_check("at once against 8 hours: smaller open loss, p of the sign test", slower))
    for arm, time in ((HELD, "8 hours"), (SLOW, "an hour")):
        deeper = of(arm, "trough") - of(FAST, "trough")
        found.append(sign_check(f"at once against {time}: deeper price trough, p of the sign test", deeper))
    return found


def figure(runs: pd.DataFrame) -> Figure:
    """Fund at its lowest and at the end; open loss and price trough; by venue."""
    arms = list(ARMS)
    picture, axes = sheet(2, 2, titled("Two funds, one shock: 12-13 March 2020", runs), height=9.5)
    (fund, adl), (loss, trough) = axes
    spread_panel(fund, runs, arms, "fund_lowest", 100.0, BLUE, -0.12, "at its lowest")
    spread_panel(fund, runs, arms, "fund_end", 100.0, ORANGE, 0.12, "48 hours later", "s")
    fund.axhline(0, color="#888888", linewidth=1)
    fund.legend(frameon=False, fontsize=11.5)
    heading(fund, "insurance fund")
    fund.set_ylabel("change, % of start")
    for axis, key, title in (
        (adl, "adl", "winners' positions closed (ADL)"),
        (loss, "open_loss", "open loss of the fund"),
    ):
        divisor, word = scale(runs[key])
        spread_panel(axis, runs, arms, key, 1 / divisor, BLUE)
        heading(axis, title)
        axis.set_ylabel(f"{word}quote")
    spread_panel(trough, runs, arms, "trough", 100.0, BLUE)
    heading(trough, "lowest price of five minutes")
    trough.set_ylabel("against the lowest index price, %")
    for axis in axes.flat:
        name_arms(axis, arms)
    return picture


STUDY = Study(
    name="two-funds",
    question=QUESTION,
    seeds=40,
    arms=design,
    simulate=observe,
    measures=(
        Measure("fund_of_interest", "fund as a share of open interest at midnight of 12 March", "share"),
        Measure("fund_lowest", "fund at its lowest, change from its start", "share"),
        Measure("fund_end", "fund 48 hours after that midnight, change from its start", "share"),
        Measure("refill_hours", "hours from its lowest until it was above its start", "hours"),
        Measure("adl", "value closed by ADL", "quote"),
        Measure("open_loss", "largest open loss on what it took over", "quote"),
        Measure("trough", "lowest price of five minutes, 48 hours, against the lowest index price", "share"),
        Measure("discount", "deepest discount of five minutes to the index, 48 hours", "share"),
        Measure("closed_above", "fund's gain from closing against the bankruptcy price, of its start", "share"),
        Measure("margin_kept", "margin it kept at takeovers (rounding), of its start", "share"),
        Measure("deficits", "deficits it paid, of its start", "share"),
        Measure("other_codes", "all other movements of it, of its start", "share"),
        Measure("turnover", "volume of 12 March, of open interest at midnight", "number"),
        Measure("forced_share", "forced closing as a share of the volume of 12 March", "share"),
        Measure("forced_of_interest", "forced closing of 48 hours, of open interest at midnight", "number"),
    ),
    checks=claims,
    figure=figure,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the study as `delever study two-funds` does; return the exit code."""
    return run_alone(STUDY.name, arguments)


if __name__ == "__main__":
    sys.exit(main())
