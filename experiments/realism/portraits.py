"""Two pictures of a market beside real ones: how long it remembers, and how its book fills with the distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from delever.experiments.drawing import BLUE, GREY, ORANGE, logarithmic, save, sheet
from delever.experiments.errors import whole_file

from .curves import LAGS, NORM_BP, SIGN_LAGS, Curves
from .observed import BANDS_BP, LADDER_BP
from .scorecard import FACTS

Floats = NDArray[np.float64]

REAL_DEPTH = np.array([10.0, 21.0, 136.0, 258.0])
"""Coins within BANDS_BP of the best price, mean of a side: BTCUSDT, 5.7 minutes of 8 August 2024."""
REAL_SIGNS = (0.21, 0.52)
"""Autocorrelation of the signs of its market orders at lag 1, and the exponent of its decay."""
LEAST = 0.003
"""Correlations are drawn on a logarithmic scale from here; what is below is luck."""


def draw_portraits(here: Curves, file: Curves | None, title: str, folder: Path) -> None:
    """Write memory.png and depth.png into `folder`; curves have a first axis for runs, `file` is a market beside."""
    _draw_memory(here, file, f"{title}: how long it remembers", folder / "memory.png")
    if np.isfinite(here.depth).any():
        _draw_depth(here, file, f"{title}: how its book fills with the distance", folder / "depth.png")


def _draw_memory(here: Curves, file: Curves | None, title: str, path: Path) -> None:
    picture, axes = sheet(1, 3, title, height=4.6, join_x=False)
    sizes, returns, signs = axes[0]
    draw_lines(sizes, LAGS, here.sizes, None if file is None else file.sizes, least=LEAST)
    _ranges(sizes, (1, 10, 100, 500), FACTS[5].real)
    draw_lines(returns, LAGS, here.returns, None if file is None else file.returns)
    _ranges(returns, (1, 2, 10), FACTS[3].real)
    draw_lines(signs, SIGN_LAGS, here.signs, None if file is None else file.signs, least=LEAST)
    first, exponent = REAL_SIGNS
    signs.plot(SIGN_LAGS, first * np.array(SIGN_LAGS) ** -exponent, color=GREY, lw=5, alpha=0.5, label="real")
    returns.set_ylim(-0.25, 0.25)
    for axis, name, unit in (
        (sizes, "size of returns", "minutes"),
        (returns, "returns", "minutes"),
        (signs, "signs of market orders", "orders"),
    ):
        axis.set_title(name, fontsize=13.8, loc="left")
        axis.set_xlabel(f"lag, {unit}")
        logarithmic(axis, x=True, y=axis is not returns)
    for axis in (sizes, signs):
        axis.set_ylim(LEAST, 1.0)
    sizes.set_ylabel("autocorrelation")
    _explain(picture, sizes)
    with whole_file(path) as part:
        save(picture, part)


def draw_lines(axis: Axes, lags: tuple[int, ...], runs: Floats, file: Floats | None, least: float = -np.inf) -> None:
    """Draw every run faintly, the median of all, and the file beside; what is not above `least` is left out."""

    def shown(values: Floats) -> Floats:
        return np.where(values > least, values, np.nan)

    for run in runs:
        axis.plot(lags, shown(run), color=BLUE, alpha=0.2, lw=1)
    axis.plot(lags, shown(np.median(runs, axis=0)), color=BLUE, lw=2.5, marker=".", ms=8, label=_here(runs))
    if file is not None:
        axis.plot(lags, shown(file[0]), color=ORANGE, lw=2, label="the file beside it")


def _here(runs: Floats) -> str:
    return "here" if len(runs) == 1 else "here, median of seeds"


def _ranges(axis: Axes, lags: tuple[int, ...], real: tuple[tuple[float, float], ...]) -> None:
    """Draw the range of real markets at some lags."""
    for lag, (low, high) in zip(lags, real, strict=True):
        axis.plot(
            [lag, lag],
            [low, high],
            color=GREY,
            lw=7,
            alpha=0.5,
            solid_capstyle="butt",
            label="real markets" if lag == 1 else None,
        )


def _draw_depth(here: Curves, file: Curves | None, title: str, path: Path) -> None:
    """Draw how depth grows with the distance, and both sides of the book where they are known band by band."""
    both = (here.bids + here.asks) / 2.0
    fine = bool(np.isfinite(both).any())
    picture, axes = sheet(1, 2 if fine else 1, title, height=5.0, join_x=False)
    grows = axes[0, -1]
    if fine:
        _draw_sides(axes[0, 0], here)
        places, runs, marker = LADDER_BP, both, ""
    else:
        places, runs, marker = BANDS_BP, here.depth, "o"
    for run in runs:
        grows.plot(places, run, color=BLUE, alpha=0.2, lw=1)
    grows.plot(places, np.median(runs, axis=0), color=BLUE, lw=2.5, marker=marker, label=_here(runs))
    real = REAL_DEPTH / REAL_DEPTH[BANDS_BP == NORM_BP]
    grows.plot(BANDS_BP, real, "D", color=GREY, ms=9, label="BTCUSDT, 8 August 2024")
    if file is not None and np.isfinite(file.depth).any():
        grows.plot(BANDS_BP, file.depth[0], "s", color=ORANGE, ms=6, label="the file beside it")
    logarithmic(grows, x=True, y=True)
    grows.set_title("mean of both sides, logarithmic", fontsize=13.8, loc="left")
    grows.set_xlabel("distance from the best price, bp")
    axes[0, 0].set_ylabel(f"size up to there, as a multiple\nof that within {NORM_BP:g} bp")
    _explain(picture, grows)
    with whole_file(path) as part:
        save(picture, part)


def _draw_sides(mirror: Axes, here: Curves) -> None:
    """Draw bids to the left and asks to the right, every run faintly and the median filled."""
    for sign, sides in ((-1.0, here.bids), (1.0, here.asks)):
        for run in sides:
            mirror.plot(sign * LADDER_BP, run, color=BLUE, alpha=0.2, lw=1)
        middle = np.median(sides, axis=0)
        mirror.plot(sign * LADDER_BP, middle, color=BLUE, lw=2.5)
        mirror.fill_between(sign * LADDER_BP, middle, color=BLUE, alpha=0.12, lw=0)
    mirror.set_ylim(bottom=0.0)
    mirror.set_title("bids left, asks right", fontsize=13.8, loc="left")
    mirror.set_xlabel("distance from the best price, bp")


def _explain(picture: Figure, axis: Axes) -> None:
    signs, words = axis.get_legend_handles_labels()
    picture.legend(signs, words, loc="outside lower left", ncols=len(words), frameon=False, fontsize=12)
