"""The five pictures of a run. A picture that would have nothing to show is a sentence that says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from .drawing import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    heading,
    legend,
    logarithmic,
    save,
    scale,
    sentence_figure,
    separators,
    sheet,
    time_axis,
)
from .facts import backstop_equity, fund_movements, waterfall_paid
from .failures import failures
from .folder import Currency, RunFolder
from .metrics.cascades import causal_cascades, episodes
from .metrics.losses import LAYERS
from .words import LAYER_NAMES, amount, code_words, count_of, duration

LAYER_COLOURS = (GREY, BLUE, GREEN, SKY, ORANGE, PURPLE, VERMILION)
NOTHING_RECORDED = "The run was interrupted before anything was recorded."
BUCKETS = 200
MARKETS_DRAWN_MAX = 4
PPM = 1e-6
PERCENT_OF_PPM = 1e-4
RATIO_LOW_PERCENT = 0.1


class Drawn(NamedTuple):
    """One picture of a run: the file, its title and the sentence that explains it."""

    file: Path
    title: str
    caption: str


def draw_run(run: RunFolder) -> list[Drawn]:
    """Draw all pictures of a run into its folder `figures` and return them in the order in which they are read.

    Runs with several markets get one price picture each, for at most the four with the most forced volume.
    """
    series = run.series
    forced = series.groupby("market")["forced_atoms"].sum().sort_values(ascending=False, kind="stable")
    wanted: list[tuple[str, str, Callable[[], tuple[Figure, str]]]] = []
    for market in sorted(int(m) for m in forced.index[:MARKETS_DRAWN_MAX]):
        name = "price" if len(run.symbols) == 1 else f"price-{run.symbols[market]}"
        title = f"Price and forced trading, {run.symbols[market]}"
        wanted.append((name, title, partial(price_figure, run, market)))
    wanted += [
        ("margin", "Open interest and margin health", partial(margin_figure, run)),
        ("fund", "The insurance fund and the backstop providers", partial(fund_figure, run)),
        ("losses", "Who lost what", partial(losses_figure, run)),
        ("sizes", "How large the liquidations were", partial(sizes_figure, run)),
    ]
    folder = run.path / "figures"
    folder.mkdir(exist_ok=True)
    drawn = []
    for name, title, draw in wanted:
        figure, caption = draw()
        file = folder / f"{name}.png"
        save(figure, file)
        drawn.append(Drawn(file, title, caption))
    return drawn


def price_figure(run: RunFolder, market: int) -> tuple[Figure, str]:
    """Index and mark above, how far mark and trades are from the index, value traded by force; with its caption."""
    series = run.series[run.series["market"] == market]
    tick = run.price(1, market)
    title = f"{run.symbols[market]}: price, and what was traded by force"
    figure, axes = sheet(3, 1, title, height=7.6, heights=(2.0, 1.1, 1))
    above, middle, below = axes[:, 0]
    times = series["time_s"]
    above.plot(times, series["index_ticks"] * tick, color=SKY, linewidth=3.0, label="index (outside price)")
    above.plot(times, series["mark_ticks"] * tick, color=BLACK, linewidth=1.4, label="mark price (venue)")
    warmup_s = int(run.manifest["scenario"].get("warmup_s", 0))
    if warmup_s:
        above.axvspan(0, warmup_s, color="#EEEEEE", zorder=0, label="warm-up (index stands still)")
    for number, failure in enumerate(failures(run)):
        span = above.axvspan(failure.begin_s, failure.end_s, color=ORANGE, alpha=0.15, linewidth=0, zorder=0)
        span.set_label("" if number else "something fails")
    above.set_ylabel("price (quote)")
    for column, name, colour, width in (("last", "last trade", ORANGE, 0.9), ("mark", "mark price", BLACK, 1.4)):
        away = percent_of_index(series[f"{column}_ticks"], series["index_ticks"])
        middle.plot(times, away, color=colour, linewidth=width, label=name)
    heading(middle, "above or below the index")
    middle.set_ylabel("% of the index")
    for axis in (above, middle):
        separators(axis)
        legend(axis)
    _forced_bars(below, series, run.currency)
    time_axis(below, times.to_numpy())
    caption = (
        "Above, the price at which the venue values positions (mark) and the price outside it (index). In the middle, "
        "how far the mark and the last trade stand from the index: where they run below it, selling has pushed this "
        "venue's price away from the rest of the world. Below, the value of forced orders that found a counterparty "
        "in the book."
    )
    return figure, caption


def percent_of_index(ticks: ArrayLike, index_ticks: ArrayLike) -> np.ndarray:
    """Return how far prices stand from the index, in per cent of it; NaN while there is no price (0 ticks)."""
    prices, index = np.asarray(ticks, dtype=np.float64), np.asarray(index_ticks, dtype=np.float64)
    return np.where(prices > 0, 100.0 * (prices / index - 1.0), np.nan)


def _forced_bars(axis: Axes, series: pd.DataFrame, currency: Currency) -> None:
    """Draw the value traded by force over time, and say which share of all trading it was."""
    times = series["time_s"].to_numpy()
    edges, width = _buckets(times)
    forced = np.histogram(times, edges, weights=series["forced_atoms"] / currency.atoms_per_unit)[0]
    divisor, word = scale(forced)
    axis.stairs(forced / divisor, edges, fill=True, color=VERMILION)
    axis.set_ylabel(f"{word}{currency.name}\nper {duration(width)}")
    axis.set_ylim(bottom=0)
    separators(axis)
    traded, by_force = float(series["volume_atoms"].sum()), float(series["forced_atoms"].sum())
    heading(axis, f"traded by force: {by_force / traded if traded else 0:.2%} of all volume")
    if by_force == 0:
        axis.set_yticks([0])
        axis.text(0.5, 0.5, "Nothing was traded by force.", transform=axis.transAxes, ha="center", fontsize=14)


def _buckets(times_s: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the edges of at most about BUCKETS equal stretches that cover all times, and their length, in seconds."""
    low, high = float(times_s.min()), float(times_s.max())
    steps = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400)
    width = float(next((s for s in steps if (high - low) / s <= BUCKETS), steps[-1]))
    return np.arange(low // width, high // width + 2) * width, width


def margin_figure(run: RunFolder) -> tuple[Figure, str]:
    """Open interest, leverage, margin use and accounts in trouble; returns the figure and its caption."""
    series, title = run.series, "Open interest and margin health"
    if series.empty:
        return sentence_figure(title, NOTHING_RECORDED), ""
    figure, axes = sheet(2, 2, title, height=7.0)
    (interest, leverage), (ratio, trouble) = axes
    for market, symbol in enumerate(run.symbols[:MARKETS_DRAWN_MAX]):
        one = series[series["market"] == market]
        colour = BLACK if len(run.symbols) == 1 else CYCLE[market]
        interest.plot(one["time_s"], run.size(1, market) * one["open_interest_lots"], color=colour, label=symbol)
    heading(interest, "open interest")
    interest.set_ylabel("contracts")
    if len(run.symbols) > 1:
        legend(interest)
    whole = series[series["market"] == series["market"].min()]
    times = whole["time_s"]
    leverage.plot(times, whole["long_leverage_ppm"] * PPM, color=BLUE, label="longs")
    leverage.plot(times, whole["short_leverage_ppm"] * PPM, color=ORANGE, label="shorts")
    heading(leverage, "leverage")
    leverage.set_ylabel("positions / equity")
    legend(leverage)
    for number, (column, percent) in enumerate(_ratio_columns(whole)):
        used = whole[column] * PERCENT_OF_PPM
        if used.max() > RATIO_LOW_PERCENT:
            label = "median" if percent == 50 else f"worst {100 - percent} %"
            ratio.plot(times, used.clip(lower=RATIO_LOW_PERCENT), color=(GREEN, PURPLE)[number % 2], label=label)
    ratio.axhline(100, color=VERMILION, linestyle="--", linewidth=1.4)
    ratio.annotate(
        "liquidation", (1, 100), (0, 3), ratio.get_yaxis_transform(), "offset points", color=VERMILION, ha="right"
    )
    heading(ratio, "margin used")
    ratio.set_ylabel("maintenance / equity (%)")
    logarithmic(ratio, y=True)
    ratio.set_ylim(RATIO_LOW_PERCENT, 300)
    legend(ratio)
    trouble.plot(times, whole["called"], color=ORANGE, label="called")
    trouble.plot(times, whole["distressed"], color=VERMILION, label="in liquidation")
    heading(trouble, "in trouble")
    trouble.set_ylabel("accounts")
    trouble.set_ylim(bottom=0)
    legend(trouble)
    for axis in (interest, leverage, trouble):
        separators(axis, whole=axis is trouble)
    for axis in axes[1]:
        time_axis(axis, times.to_numpy())
    caption = (
        "Open interest counts contracts that are open; forced closing shrinks it. Leverage is the value of all long "
        "(or short) positions over the equity behind them. Margin used is maintenance margin over equity, for the "
        "median of the accounts with a position and for the one that a tenth of them exceeds; an account that comes to "
        "100 % is liquidated. Called are accounts that were asked for more margin."
    )
    return figure, caption


def _ratio_columns(series: pd.DataFrame) -> list[tuple[str, int]]:
    """Return the columns that hold percentiles of the margin ratio, with their percentage."""
    found = (re.fullmatch(r"margin_ratio_p(\d+)_ppm", column) for column in series.columns)
    return [(match[0], int(match[1])) for match in found if match]


def fund_figure(run: RunFolder) -> tuple[Figure, str]:
    """What the fund holds, its payments, and the equity of backstop providers; returns the figure and its caption."""
    title = "The insurance fund and those behind it"
    series, fund = run.series, fund_movements(run)
    if series.empty:
        return sentence_figure(title, NOTHING_RECORDED), ""
    whole = series[series["market"] == series["market"].min()]
    backstop = backstop_equity(run)
    currency = run.currency
    cash = currency.told(whole["fund_balance_atoms"].iloc[-1])
    held = f"Nothing came into the fund and nothing left it; it holds {cash}."
    if fund.empty and backstop is None:
        return sentence_figure(title, held), ""
    panels = ([] if fund.empty else ["held", "moved"]) + ([] if backstop is None else ["backstop"])
    figure, axes = sheet(len(panels), 1, title, height=1.0 + 2.9 * len(panels))
    axis_of = dict(zip(panels, axes[:, 0], strict=True))
    told = []
    if fund.empty:
        told.append(held)
    else:
        _fund_lines(axis_of["held"], whole, currency)
        _flow_bars(axis_of["moved"], fund, whole["time_s"].to_numpy(), currency, labelled=backstop is None)
        told.append(
            "What the fund holds: cash, and cash plus the profit or loss of positions it has taken over (equity). "
            "Then every payment into the fund (up) and out of it (down), by reason."
        )
    if backstop is not None:
        _backstop_line(axis_of["backstop"], whole["time_s"], backstop, currency)
        told.append(
            "Backstop providers are accounts that take over what the book leaves; their equity is what they have "
            "left for it."
        )
    time_axis(axes[-1, 0], whole["time_s"].to_numpy())
    return figure, " ".join(told)


def _fund_lines(axis: Axes, whole: pd.DataFrame, currency: Currency) -> None:
    """Draw cash and equity of the fund."""
    divisor, word = scale(whole["fund_balance_atoms"] / currency.atoms_per_unit)
    lines = (("fund_equity_atoms", SKY, 3.0, "equity (with positions)"), ("fund_balance_atoms", BLUE, 1.6, "cash"))
    for column, colour, width, name in lines:
        held = whole[column] / (currency.atoms_per_unit * divisor)
        axis.plot(whole["time_s"], held, color=colour, linewidth=width, label=name)
    axis.set_ylabel(f"{word}{currency.name}")
    heading(axis, "what the fund holds")
    legend(axis)
    separators(axis)


def _backstop_line(axis: Axes, times: pd.Series, equity: np.ndarray, currency: Currency) -> None:
    """Draw the equity of all backstop providers together."""
    divisor, word = scale(equity)
    axis.plot(times, equity / divisor, color=PURPLE, linewidth=1.6)
    axis.set_ylabel(f"{word}{currency.name}")
    heading(axis, "equity of the backstop providers")
    axis.set_ylim(bottom=min(0.0, float(equity.min()) / divisor))
    separators(axis)


def _flow_bars(axis: Axes, fund: pd.DataFrame, times: np.ndarray, currency: Currency, *, labelled: bool) -> None:
    """Stack payments by reason, inflows above zero and outflows below, largest total next to zero."""
    edges, width = _buckets(times)
    inward = np.where(fund["amount_atoms"] > 0, ", in", ", out")
    paid = fund["amount_atoms"] / currency.atoms_per_unit
    rows = pd.DataFrame({"reason": fund["code"].map(code_words) + inward, "paid": paid})
    rows["time_s"] = fund["time_s"]
    by_reason = {
        str(name): np.histogram(one["time_s"], edges, weights=one["paid"])[0] for name, one in rows.groupby("reason")
    }
    ends = {side: np.zeros(len(edges) - 1) for side in ("in", "out")}
    for name, heights in by_reason.items():
        ends[name.rpartition(", ")[2]] += heights
    divisor, word = scale(np.concatenate(list(ends.values())))
    base = {side: np.zeros(len(edges) - 1) for side in ends}
    largest_first = sorted(by_reason, key=lambda name: -abs(float(by_reason[name].sum())))
    for number, name in enumerate(largest_first):
        side = name.rpartition(", ")[2]
        top = base[side] + by_reason[name] / divisor
        axis.stairs(top, edges, baseline=base[side], fill=True, label=name, color=CYCLE[number % len(CYCLE)])
        base[side] = top
    axis.axhline(0, color=BLACK, linewidth=0.8)
    axis.set_ylabel(f"{word}{currency.name}\nper {duration(width)}")
    heading(axis, "what came in (up) and went out (down)")
    separators(axis)
    # Up to a dozen reasons would cover the bars; they stand below, and below the labels of time if those are here.
    below = -0.26 if labelled else -0.08
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, below), ncols=2, frameon=False, fontsize=11.5)


def losses_figure(run: RunFolder) -> tuple[Figure, str]:
    """Loss by layer of the waterfall, in the order in which layers pay; returns the figure and its caption."""
    title = "Who lost what: the layers of the waterfall"
    caption = (
        "When positions are closed by force, losses are paid from the top down: first the margin of the liquidated "
        "trader, then the insurance fund, then whoever the rules name next. Which layers there are, and how far each "
        "of them goes, is what rule sets differ in."
    )
    paid = waterfall_paid(run)
    total = sum(max(0.0, units) for units in paid.values())
    if total == 0:
        return sentence_figure(title, "Nobody lost anything through a liquidation in this run."), ""
    divisor, word = scale(list(paid.values()))
    figure, axes = sheet(1, 1, title, height=4.6)
    axis = axes[0, 0]
    values = [paid[layer] / divisor for layer in LAYERS]
    axis.barh([LAYER_NAMES[layer] for layer in LAYERS], values, height=0.78, color=LAYER_COLOURS)
    axis.invert_yaxis()
    for row, layer in enumerate(LAYERS):
        text = f"{amount(paid[layer])}  ({paid[layer] / total:.1%})" if paid[layer] else "0"
        text = f"gained {amount(-paid[layer])}" if paid[layer] < 0 else text
        axis.annotate(
            text,
            (max(0.0, values[row]), row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=13,
        )
    # Room for the longest label, which stands beside the longest bar.
    axis.set_xlim(min(0.0, 1.05 * min(values)), 1.7 * max(values))
    axis.set_xlabel(f"{word}{run.currency.name}")
    axis.tick_params(axis="y", labelsize=13)
    axis.grid(visible=False, axis="y")
    separators(axis, x=True)
    return figure, caption


def sizes_figure(run: RunFolder) -> tuple[Figure, str]:
    """Values of single liquidations and sizes of cascades; returns the figure and its caption."""
    title = "How large the liquidations and the cascades were"
    caption = (
        "Every liquidation that began is counted on both sides, also one that closed nothing because the account "
        "recovered first or the run ended; having no size, those have no bar. Left, the value closed per liquidation. "
        "Right, how many cascades had at least so many liquidations; a cascade is a liquidation and all those whose "
        "trigger was the price movement caused by it or its descendants. A straight line on these scales means that "
        "there is no typical size."
    )
    if run.liquidations.empty:
        return sentence_figure(title, "Nobody was liquidated in this run."), ""
    figure, axes = sheet(1, 2, title, height=4.8, join_x=False)
    left, right = axes[0]
    closed = episodes(run.liquidations)["closed_atoms"].to_numpy() / run.currency.atoms_per_unit
    _closed_bars(left, closed, run.currency.name)
    sizes = np.sort(causal_cascades(run.liquidations)["liquidations"].to_numpy(dtype=np.int64))[::-1]
    points = np.unique(sizes)
    at_least = [int((sizes >= point).sum()) for point in points]
    right.plot(points, at_least, "o-", color=VERMILION, markersize=6, linewidth=1.5)
    logarithmic(right, x=True, y=True)
    for side in (right.xaxis, right.yaxis):
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else ""))
    right.set_xlim(0.8, max(12.0, 1.5 * sizes[0]))
    right.set_ylim(0.8, max(12.0, 1.5 * len(sizes)))
    right.set_xlabel("liquidations in the cascade")
    right.set_ylabel("cascades at least so large")
    heading(right, f"{count_of(len(sizes), 'cascade')}, largest {sizes[0]:,}")
    return figure, caption


def _closed_bars(axis: Axes, every: np.ndarray, currency: str) -> None:
    """Draw how many liquidations closed how much; those that closed nothing are counted in the title."""
    closed = every[every > 0]
    none = len(every) - len(closed)
    told = f"{count_of(len(every), 'liquidation')}" + (f", {none:,} closed nothing" if none else "")
    heading(axis, told)
    axis.set_xlabel(f"value closed ({currency})")
    axis.set_ylabel("liquidations")
    bins = min(30, 5 + len(closed) // 5)
    if len(np.unique(closed)) > 1:
        edges = np.geomspace(closed.min(), closed.max(), bins + 1)
        edges[-1] = closed.max()
        logarithmic(axis, x=True)
    else:
        edges = np.array([0.5, 1.5]) * (closed[0] if len(closed) else 1.0)
    axis.hist(closed, edges.tolist(), color=BLUE, edgecolor="white")
    separators(axis, whole=True)
