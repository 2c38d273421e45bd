"""What every picture shares: colours, style, axes, and how it becomes a file. Nothing here knows what is drawn.

Colours are those of Okabe and Ito, which people with any kind of colour blindness can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from .words import clock, short

BLACK, ORANGE, SKY, GREEN = "#222222", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE, GREY = "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, GREY)

DPI = 150
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#BBBBBB",
    "axes.grid": True,
    "axes.labelcolor": BLACK,
    "axes.labelsize": 13.8,
    "axes.linewidth": 1.25,
    "axes.spines.right": False,
    "axes.spines.top": False,
    # A place of its own: matplotlib would measure all ticks at every drawing to find one.
    "axes.titley": 1.0,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 1,
    "text.color": BLACK,
    "xtick.bottom": False,
    "xtick.color": BLACK,
    "xtick.labelsize": 12.6,
    "ytick.color": BLACK,
    "ytick.labelsize": 12.6,
    "ytick.left": False,
}


def sheet(
    rows: int,
    columns: int,
    title: str,
    *,
    height: float,
    heights: Sequence[float] | None = None,
    join_x: bool = True,
) -> tuple[Figure, np.ndarray]:
    """Return a figure 10 inches wide with its axes (rows, columns); `heights` are relative."""
    figure = Figure(figsize=(10, height), dpi=DPI, layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.1))
    with mpl.rc_context(STYLE):
        axes = figure.subplots(
            rows,
            columns,
            sharex=join_x,
            squeeze=False,
            gridspec_kw={"height_ratios": heights} if heights else None,
        )
    figure.suptitle(title, fontsize=17, fontweight="bold", x=0.01, ha="left")
    return figure, axes


def save(figure: Figure, file: Path) -> None:
    """Write a figure as PNG. Its own `savefig` would draw everything twice."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    imsave(file, np.asarray(canvas.buffer_rgba()), format="png", dpi=figure.dpi, pil_kwargs={"compress_level": 3})


def sentence_figure(title: str, sentence: str) -> Figure:
    """Return a picture that says in words why there is nothing to draw."""
    figure = Figure(figsize=(10, 1.8), dpi=DPI, layout="constrained")
    figure.suptitle(title, fontsize=17, fontweight="bold", x=0.01, ha="left")
    figure.text(0.5, 0.35, sentence, ha="center", va="center", fontsize=15, color="#444444", wrap=True)
    return figure


def heading(axis: Axes, text: str) -> None:
    """Write the title of one of several axes."""
    axis.set_title(text, loc="left", fontsize=13, fontweight="bold", y=1.0)


def legend(axis: Axes) -> None:
    """Name the lines above the axes, right of the title: inside, a legend would lie on them somewhere."""
    axis.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(axis.get_legend_handles_labels()[1]), frameon=False,
        fontsize=11.5, borderaxespad=0.3, handlelength=1.4, handletextpad=0.5, columnspacing=1.2,
    )  # fmt: skip


def time_axis(axis: Axes, times_s: Sequence[float] | np.ndarray) -> None:
    """Label seconds as h:mm (or m:ss for short runs) and put ticks on round times."""
    low, high = (float(min(times_s)), float(max(times_s))) if len(times_s) else (0.0, 1.0)
    span = max(1.0, high - low)
    steps = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800)
    step = next((s for s in steps if span / s <= 8), steps[-1])
    axis.set_xticks(np.arange(np.ceil(low / step) * step, high + 1, step))
    axis.set_xlim(low, high + 0.01 * span)
    brief = span < 1800
    axis.xaxis.set_major_formatter(FuncFormatter(lambda second, _: clock(second, seconds=brief)))
    axis.set_xlabel(f"time since the start ({'minutes:seconds' if brief else 'hours:minutes'})")


def scale(values: ArrayLike) -> tuple[float, str]:
    """Return the divisor and the word for amounts of this size."""
    largest = float(np.nanmax(np.abs(np.asarray(values, dtype=np.float64)))) if np.size(values) else 0.0
    for divisor, word in ((1e9, "billion "), (1e6, "million "), (1e4, "thousand ")):
        if largest >= divisor:
            return (1e3 if divisor == 1e4 else divisor), word
    return 1.0, ""


class RoundNumbers(Formatter):
    """Writes all ticks of an axis with thousands separators and as many decimals as they need, not one more."""

    decimals = 0

    def set_locs(self, locs: ArrayLike) -> None:
        """Take the ticks of the axis."""
        ticks = np.asarray(locs, dtype=np.float64)
        gap = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
        enough = (d for d in range(9) if np.allclose(ticks, np.round(ticks, d), rtol=0, atol=gap / 1000))
        self.decimals = next(enough, 9)

    def __call__(self, value: float, pos: int | None = None) -> str:
        """Return one tick as text."""
        return f"{value:,.{self.decimals}f}"


def separators(axis: Axes, *, x: bool = False, whole: bool = False) -> None:
    """Put ticks on round numbers (whole ones if asked) and write them as RoundNumbers does."""
    side = axis.xaxis if x else axis.yaxis
    side.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10], integer=whole))
    side.set_major_formatter(RoundNumbers())


def logarithmic(axis: Axes, *, x: bool = False, y: bool = False, between: bool = False) -> None:
    """Make scales logarithmic, ticks at powers of ten, or at 2 and 5 `between` them too, written with k, M and bn."""
    for chosen, side, set_scale in ((x, axis.xaxis, axis.set_xscale), (y, axis.yaxis, axis.set_yscale)):
        if chosen:
            set_scale("log")
            if between:
                side.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            side.set_minor_locator(NullLocator())
            side.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
