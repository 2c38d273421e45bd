"""Every picture: five of a run, one of a comparison. The only module that knows seaborn and matplotlib.

Colours are those of Okabe and Ito, which people with any kind of colour blindness can tell apart. A picture that
would have nothing to show is a sentence that says so.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .facts import fund_movements, waterfall_quote
from .folder import RunFolder
from .metrics.cascades import causal_cascades, episodes
from .metrics.losses import LAYERS
from .words import LAYER_NAMES, MEASURES, amount, clock, code_words, duration, letters, short

BLACK, ORANGE, SKY, GREEN = "#222222", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE, GREY = "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"
LAYER_COLOURS = (GREY, BLUE, SKY, ORANGE, PURPLE, VERMILION)
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, GREY)

COMPARED = (
    "max_drawdown", "liquidations", "liquidated_notional", "forced_share", "insurance_fund_min", "adl_notional",
    "socialised_loss", "bad_debt", "waterfall.own_margin",
)  # fmt: skip
NOTHING_RECORDED = "The run was interrupted before anything was recorded."
DPI = 150
BUCKETS = 200
MARKETS_DRAWN_MAX = 4
ATOMS = 1e-6
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
        ("fund", "The insurance fund", partial(fund_figure, run)),
        ("losses", "Who lost what", partial(losses_figure, run)),
        ("sizes", "How large the liquidations were", partial(sizes_figure, run)),
    ]
    folder = run.path / "figures"
    folder.mkdir(exist_ok=True)
    drawn = []
    for name, title, draw in wanted:
        figure, caption = draw()
        file = folder / f"{name}.png"
        figure.savefig(file, dpi=DPI)
        drawn.append(Drawn(file, title, caption))
    return drawn


def _sheet(
    rows: int,
    columns: int,
    title: str,
    *,
    height: float,
    heights: Sequence[float] | None = None,
    join_x: bool = True,
) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(10, height), layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.1))
    style = {"axes.edgecolor": "#BBBBBB", "grid.color": "#E6E6E6", "axes.titleweight": "bold"}
    with sns.axes_style("whitegrid", style), sns.plotting_context("notebook", font_scale=1.15):
        axes = figure.subplots(
            rows,
            columns,
            sharex=join_x,
            squeeze=False,
            gridspec_kw={"height_ratios": heights} if heights else None,
        )
    figure.suptitle(title, fontsize=17, fontweight="bold", x=0.01, ha="left")
    for axis in axes.flat:
        sns.despine(ax=axis)
        axis.title.set_fontsize(13)
    return figure, axes


def sentence_figure(title: str, sentence: str) -> Figure:
    """Return a picture that says in words why there is nothing to draw."""
    figure = Figure(figsize=(10, 1.8), layout="constrained")
    figure.suptitle(title, fontsize=17, fontweight="bold", x=0.01, ha="left")
    figure.text(0.5, 0.35, sentence, ha="center", va="center", fontsize=15, color="#444444", wrap=True)
    return figure


def _legend(axis: Axes) -> None:
    axis.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=12)


def _time_axis(axis: Axes, times_s: Sequence[float] | np.ndarray) -> None:
    """Label seconds as h:mm (or m:ss for short runs) and put ticks on round times."""
    low, high = (float(min(times_s)), float(max(times_s))) if len(times_s) else (0.0, 1.0)
    span = max(1.0, high - low)
    steps = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800)
    step = next((s for s in steps if span / s <= 8), steps[-1])
    axis.set_xticks(np.arange(np.ceil(low / step) * step, high + 1, step))
    axis.set_xlim(low, high + 0.01 * span)
    short = span < 1800
    axis.xaxis.set_major_formatter(FuncFormatter(lambda second, _: clock(second, seconds=short)))
    axis.set_xlabel(f"time since the start ({'minutes:seconds' if short else 'hours:minutes'})")


def _scale(values: Sequence[float] | np.ndarray | pd.Series) -> tuple[float, str]:
    """Return the divisor and the word for amounts of this size."""
    largest = float(np.nanmax(np.abs(np.asarray(values, dtype=np.float64)))) if len(values) else 0.0
    for divisor, word in ((1e9, "billion "), (1e6, "million "), (1e4, "thousand ")):
        if largest >= divisor:
            return (1e3 if divisor == 1e4 else divisor), word
    return 1.0, ""


def _separators(axis: Axes, *, x: bool = False, whole: bool = False) -> None:
    """Put ticks on round numbers (whole ones if asked); write thousands separators and no needless decimals."""
    side = axis.xaxis if x else axis.yaxis
    side.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10], integer=whole))

    def write(value: float, _: int) -> str:
        ticks = side.get_majorticklocs()
        gap = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
        decimals = next((d for d in range(9) if np.allclose(ticks, np.round(ticks, d), rtol=0, atol=gap / 1000)), 9)
        return f"{value:,.{decimals}f}"

    side.set_major_formatter(FuncFormatter(write))


def _buckets(series: pd.DataFrame) -> tuple[pd.Series, float]:
    """Return the start of the bucket of every row, and the width of a bucket, in seconds."""
    span = float(series["time_s"].max() - series["time_s"].min()) or 1.0
    steps = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400)
    width = next((s for s in steps if span / s <= BUCKETS), steps[-1])
    return (series["time_s"] // width) * width, float(width)


def price_figure(run: RunFolder, market: int) -> tuple[Figure, str]:
    """Mark price with the index above, value traded by force below; returns the figure and its caption."""
    series = run.series[run.series["market"] == market]
    tick = run.price(1, market)
    title = f"{run.symbols[market]}: price, and what was traded by force"
    figure, axes = _sheet(2, 1, title, height=6.5, heights=(2.2, 1))
    above, below = axes[:, 0]
    above.plot(
        series["time_s"],
        series["index_ticks"] * tick,
        color=SKY,
        linewidth=3.0,
        label="index (outside price)",
    )
    above.plot(series["time_s"], series["mark_ticks"] * tick, color=BLACK, linewidth=1.4, label="mark price (venue)")
    warmup_s = int(run.manifest["scenario"].get("warmup_s", 0))
    if warmup_s:
        above.axvspan(0, warmup_s, color="#EEEEEE", zorder=0, label="warm-up (index stands still)")
    above.set_ylabel("price (quote)")
    _separators(above)
    _legend(above)
    start, width = _buckets(series)
    forced = series.groupby(start)["forced_atoms"].sum() * ATOMS
    divisor, word = _scale(forced)
    below.bar(forced.index, forced / divisor, width=width, align="edge", color=VERMILION, linewidth=0)
    below.set_ylabel(f"{word}quote\nper {duration(width)}")
    below.set_ylim(bottom=0)
    _separators(below)
    _time_axis(below, series["time_s"].to_numpy())
    traded, by_force = float(series["volume_atoms"].sum()), float(series["forced_atoms"].sum())
    share = by_force / traded if traded else 0.0
    below.set_title(f"traded by force: {share:.2%} of all volume", loc="left")
    if by_force == 0:
        below.set_yticks([0])
        below.text(0.5, 0.5, "Nothing was traded by force.", transform=below.transAxes, ha="center", fontsize=14)
    caption = (
        "Above, the price at which the venue values positions (mark) and the price outside it (index). Below, the "
        "value of forced orders that found a counterparty in the book. Where the mark runs below the index, forced "
        "selling has pushed this venue's price away from the rest of the world."
    )
    return figure, caption


def margin_figure(run: RunFolder) -> tuple[Figure, str]:
    """Open interest, leverage, margin use and accounts in trouble; returns the figure and its caption."""
    series, title = run.series, "Open interest and margin health"
    if series.empty:
        return sentence_figure(title, NOTHING_RECORDED), ""
    figure, axes = _sheet(2, 2, title, height=7.0)
    (interest, leverage), (ratio, trouble) = axes
    for market, symbol in enumerate(run.symbols[:MARKETS_DRAWN_MAX]):
        one = series[series["market"] == market]
        colour = BLACK if len(run.symbols) == 1 else CYCLE[market]
        interest.plot(one["time_s"], run.size(1, market) * one["open_interest_lots"], color=colour, label=symbol)
    interest.set_title("open interest", loc="left")
    interest.set_ylabel("contracts")
    if len(run.symbols) > 1:
        _legend(interest)
    whole = series[series["market"] == series["market"].min()]
    times = whole["time_s"]
    leverage.plot(times, whole["long_leverage_ppm"] * ATOMS, color=BLUE, label="longs")
    leverage.plot(times, whole["short_leverage_ppm"] * ATOMS, color=ORANGE, label="shorts")
    leverage.set_title("leverage (positions / equity)", loc="left")
    leverage.set_ylabel("times equity")
    _legend(leverage)
    for number, (column, percent) in enumerate(_ratio_columns(whole)):
        used = whole[column] * PERCENT_OF_PPM
        if used.max() > RATIO_LOW_PERCENT:
            label = f"{100 - percent} % of accounts above"
            ratio.plot(times, used.clip(lower=RATIO_LOW_PERCENT), color=(GREEN, PURPLE)[number % 2], label=label)
    ratio.axhline(100, color=VERMILION, linestyle="--", linewidth=1.4, label="liquidation")
    ratio.set_title("margin used (maintenance / equity)", loc="left")
    ratio.set_ylabel("% (logarithmic)")
    ratio.set_yscale("log")
    ratio.set_ylim(RATIO_LOW_PERCENT, 300)
    ratio.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    ratio.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    _legend(ratio)
    trouble.plot(times, whole["called"], color=ORANGE, label="called for margin")
    trouble.plot(times, whole["distressed"], color=VERMILION, label="in liquidation")
    trouble.set_title("accounts in trouble", loc="left")
    trouble.set_ylabel("accounts")
    trouble.set_ylim(bottom=0)
    _legend(trouble)
    for axis in (interest, leverage, trouble):
        _separators(axis, whole=axis is trouble)
    for axis in axes[1]:
        _time_axis(axis, times.to_numpy())
    caption = (
        "Open interest counts contracts that are open; forced closing shrinks it. Leverage is the value of all long "
        "(or short) positions over the equity behind them. An account whose maintenance margin reaches 100 % of its "
        "equity is liquidated."
    )
    return figure, caption


def _ratio_columns(series: pd.DataFrame) -> list[tuple[str, int]]:
    """Return the columns that hold percentiles of the margin ratio, with their percentage."""
    found = (re.fullmatch(r"margin_ratio_p(\d+)_ppm", column) for column in series.columns)
    return [(match[0], int(match[1])) for match in found if match]


def fund_figure(run: RunFolder) -> tuple[Figure, str]:
    """Balance of the fund above, what came in and went out below; returns the figure and its caption."""
    title = "The insurance fund: what it holds, what came in, what went out"
    caption = (
        "Above, cash in the fund, and cash plus the profit or loss of positions it has taken over (equity). Below, "
        "every payment into the fund (up) and out of it (down), by reason."
    )
    series, fund = run.series, fund_movements(run)
    whole = series[series["market"] == series["market"].min()]
    if series.empty:
        return sentence_figure(title, NOTHING_RECORDED), ""
    if fund.empty:
        held = amount(float(whole["fund_balance_atoms"].iloc[-1]) * ATOMS)
        return sentence_figure(
            title, f"Nothing came into the fund and nothing left it. It holds {held} quote."
        ), caption
    figure, axes = _sheet(2, 1, title, height=7.4, heights=(1.2, 1))
    above, below = axes[:, 0]
    divisor, word = _scale(whole["fund_balance_atoms"] * ATOMS)
    quote = ATOMS / divisor
    above.plot(
        whole["time_s"],
        whole["fund_equity_atoms"] * quote,
        color=SKY,
        linewidth=3,
        label="equity (with positions)",
    )
    above.plot(whole["time_s"], whole["fund_balance_atoms"] * quote, color=BLUE, linewidth=1.6, label="cash")
    above.set_ylabel(f"{word}quote")
    above.set_title("what it holds", loc="left")
    _legend(above)
    _separators(above)
    _flow_bars(below, fund)
    below.set_title("in (up) and out (down)", loc="left")
    _time_axis(below, whole["time_s"].to_numpy())
    return figure, caption


def _flow_bars(axis: Axes, fund: pd.DataFrame) -> None:
    """Stack payments by reason, inflows above zero and outflows below, largest total next to zero."""
    start, width = _buckets(fund)
    reasons = [
        f"{code_words(code)}, {'in' if paid > 0 else 'out'}"
        for code, paid in zip(fund["code"], fund["amount_atoms"], strict=True)
    ]
    rows = pd.DataFrame(
        {"start": start.to_numpy(), "reason": reasons, "quote": fund["amount_atoms"].to_numpy() * ATOMS}
    )
    table = rows.groupby(["start", "reason"])["quote"].sum().unstack("reason", fill_value=0)
    inward = [name.endswith(", in") for name in table.columns]
    divisor, word = _scale(
        np.concatenate([table.loc[:, inward].sum(axis=1), table.loc[:, np.invert(inward)].sum(axis=1)])
    )
    ends = {"in": np.zeros(len(table)), "out": np.zeros(len(table))}
    for number, name in enumerate(table.sum().abs().sort_values(ascending=False, kind="stable").index):
        heights, side = table[name].to_numpy() / divisor, str(name).rpartition(", ")[2]
        axis.bar(
            table.index,
            heights,
            bottom=ends[side],
            width=width,
            align="edge",
            linewidth=0,
            label=name,
            color=CYCLE[number % len(CYCLE)],
        )
        ends[side] = ends[side] + heights
    axis.axhline(0, color=BLACK, linewidth=0.8)
    axis.set_ylabel(f"{word}quote\nper {duration(width)}")
    _separators(axis)
    # Up to a dozen reasons would cover the bars.
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.32), ncols=2, frameon=False, fontsize=12)


def losses_figure(run: RunFolder) -> tuple[Figure, str]:
    """Loss by layer of the waterfall, in the order in which layers pay; returns the figure and its caption."""
    title = "Who lost what: the layers of the waterfall"
    caption = (
        "When positions are closed by force, losses are paid from the top down: first the margin of the liquidated "
        "trader, then the insurance fund, then whoever the rules name next. Which layers there are, and how far each "
        "of them goes, is what rule sets differ in."
    )
    paid = waterfall_quote(run)
    total = sum(max(0.0, quote) for quote in paid.values())
    if total == 0:
        return sentence_figure(title, "Nobody lost anything through a liquidation in this run."), ""
    divisor, word = _scale(list(paid.values()))
    figure, axes = _sheet(1, 1, title, height=4.6)
    axis = axes[0, 0]
    names = [LAYER_NAMES[layer] for layer in LAYERS]
    values = [paid[layer] / divisor for layer in LAYERS]
    sns.barplot(x=values, y=names, hue=names, palette=list(LAYER_COLOURS), legend=False, ax=axis, saturation=1)
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
    axis.set_xlim(right=1.4 * max(values))
    axis.set_xlabel(f"{word}quote")
    axis.set_ylabel("")
    axis.tick_params(axis="y", labelsize=13)
    axis.grid(visible=False, axis="y")
    _separators(axis, x=True)
    return figure, caption


def sizes_figure(run: RunFolder) -> tuple[Figure, str]:
    """Values of single liquidations and sizes of cascades; returns the figure and its caption."""
    title = "How large the liquidations and the cascades were"
    caption = (
        "Left, the value closed per liquidation. Right, how many cascades had at least so many liquidations; a "
        "cascade is a liquidation and all those whose trigger was the price movement caused by it or its descendants. "
        "A straight line on these scales means that there is no typical size."
    )
    if run.liquidations.empty:
        return sentence_figure(title, "Nobody was liquidated in this run."), ""
    closed = episodes(run.liquidations)["closed_atoms"].to_numpy() * ATOMS
    closed = closed[closed > 0]
    figure, axes = _sheet(1, 2, title, height=4.8, join_x=False)
    left, right = axes[0]
    if len(closed):
        sns.histplot(
            x=closed,
            log_scale=len(set(closed)) > 1,
            bins=min(30, 5 + len(closed) // 5),
            color=BLUE,
            edgecolor="white",
            ax=left,
        )
    left.set_xlabel("value closed (quote)")
    left.set_ylabel("liquidations")
    left.set_title(f"{len(closed):,} liquidations", loc="left")
    if len(set(closed)) > 1:
        left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    _separators(left, whole=True)
    sizes = np.sort(causal_cascades(run.liquidations)["liquidations"].to_numpy(dtype=np.int64))[::-1]
    points = np.unique(sizes)
    at_least = [int((sizes >= point).sum()) for point in points]
    right.plot(points, at_least, "o-", color=VERMILION, markersize=6, linewidth=1.5)
    right.set_xscale("log")
    right.set_yscale("log")
    for side in (right.xaxis, right.yaxis):
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else ""))
        side.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    right.set_xlim(0.8, max(12.0, 1.5 * sizes[0]))
    right.set_ylim(0.8, max(12.0, 1.5 * len(sizes)))
    right.set_xlabel("liquidations in the cascade")
    right.set_ylabel("cascades at least so large")
    right.set_title(f"{len(sizes):,} cascades, largest {sizes[0]:,}", loc="left")
    return figure, caption


def comparison_figure(runs: pd.DataFrame) -> Figure:
    """Every run as a point, the same seed joined by a line, one panel a measure; those always 0 are only named."""
    names = list(dict.fromkeys(runs["rules"]))
    title = f"The same luck under {len(names)} rule sets" if len(names) > 1 else f"Runs under {names[0]}"
    there = [measure for measure in COMPARED if measure in runs.columns]
    shown = [measure for measure in there if (runs[measure] != 0).any()]
    if not shown:
        return sentence_figure(title, "All measures are 0 in every run.")
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    figure, axes = _sheet(lines, columns, title, height=1.2 + 3.4 * lines, join_x=False)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis, measure in zip(axes.flat, shown, strict=False):
        _compare_one(axis, runs, measure, names)
    _note_seeds(figure, runs, [measure for measure in there if measure not in shown])
    return figure


def _compare_one(axis: Axes, runs: pd.DataFrame, measure: str, names: list[str]) -> None:
    """Draw one measure: a column of points a rule set, the median as a bar across it."""
    kind = MEASURES[measure].kind
    divisor, word = (0.01, "%") if kind == "share" else _scale(runs[measure])
    values = runs.assign(value=runs[measure] / divisor, place=runs["rules"].map(names.index))
    for _, one in values.groupby("seed"):
        ordered = one.sort_values("place")
        axis.plot(ordered["place"], ordered["value"], color="#C4C4C4", linewidth=0.8, zorder=1)
    for number, name in enumerate(names):
        mine = values.loc[values["rules"] == name, "value"]
        colour = CYCLE[number % len(CYCLE)]
        axis.scatter([number] * len(mine), mine, color=colour, s=26, alpha=0.75, linewidths=0, zorder=2, clip_on=False)
        axis.hlines(mine.median(), number - 0.22, number + 0.22, color=BLACK, linewidth=2.4, zorder=3)
    axis.set_xticks(range(len(names)), letters(len(names)), fontweight="bold")
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_title(textwrap.fill(MEASURES[measure].label, 34), loc="left")
    axis.set_ylabel({"share": "%", "quote": f"{word}quote", "count": f"{word}count".strip()}[kind])
    if (values["value"] >= 0).all():
        axis.set_ylim(0, 1.06 * float(values["value"].max()))
    axis.grid(visible=False, axis="x")
    _separators(axis)


def _note_seeds(figure: Figure, runs: pd.DataFrame, zeros: list[str]) -> None:
    seeds = runs["seed"].nunique()
    names = list(dict.fromkeys(runs["rules"]))
    note = "\n".join(f"{letter}: {name}" for letter, name in zip(letters(len(names)), names, strict=True))
    note += f"\nA point is a run; a grey line joins the runs of one seed ({seeds} in all); the black bar is the median."
    if zeros:
        note += f"\n0 in every run: {', '.join(MEASURES[measure].label for measure in zeros)}."
    figure.supxlabel(note, fontsize=12, color="#444444", x=0.01, ha="left", multialignment="left")
