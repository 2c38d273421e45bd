"""Chartists: they join a move that is large for its horizon, or bet against it, and leave when it is over.

Each looks back over a horizon of its own. Followers are the chartists of Chiarella, Iori and Perello, "The impact of
heterogeneous trading rules on the limit order book and order flows", Journal of Economic Dynamics and Control 33
(2009), who let horizons differ too; contrarians hold the opposite position for the same reason (Jegadeesh, "Evidence of
predictable behavior of security returns", Journal of Finance 45, 1990).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from delever.engine.kernel import kernel
from delever.engine.tables import P_LOTS, Table, Tables

from .account import (
    is_called,
    largest_lots,
    move_ppm,
    opposite_ticks,
    position_row,
)
from .cohort import Cohort, Commands, Floats
from .draw_kernels import Words, pick_market
from .outbox import write_market, write_use_cross
from .parameters import CohortParameters, Numbers, Record
from .quantiles import menu
from .ranges import check_ranges, spread_log
from .view import Ints, View
from .volatility import SD_PER_MEAN_ABSOLUTE

COMMANDS_MAX = 2

# Traits, drawn once for each trader.
TRAIT_HORIZON = 0
TRAIT_THRESHOLD = 1
TRAIT_LEVERAGE = 2


class TrendParameters(CohortParameters):
    """Chartists."""

    style: Literal["follow", "contrarian"] = "follow"
    """Along with a move, or against it."""
    mean_interval_s: float = Field(default=120.0, gt=0.0, le=1e9)
    """Mean time between two wakings of a trader, in seconds."""
    wealth_quote_median: float = Field(default=20_000.0, gt=0.0, le=9e9)
    """Median of what a trader deposits at the start, in quote units."""
    horizon_min_s: float = Field(default=300.0, gt=0.0, le=1e9)
    """Shortest horizon over which a trader measures a move; horizons are spread evenly in logarithm."""
    horizon_max_s: float = Field(default=14_400.0, gt=0.0, le=1e9)
    """Longest horizon."""
    horizons_s: tuple[float, ...] = ()
    """Horizons to choose from, each equally likely, instead of that range."""
    threshold_min: float = Field(default=1.0, gt=0.0, le=100.0)
    """A trader joins a move of so many standard deviations of its horizon; lowest threshold, ..."""
    threshold_max: float = Field(default=2.5, gt=0.0, le=100.0)
    """... and highest."""
    exit_share: float = Field(default=0.25, ge=0.0, le=1.0)
    """It leaves when the move has shrunk to this share of its threshold."""
    volatility_floor_ppm: float = Field(default=20.0, gt=0.0, le=1e6)
    """Least volatility a move is compared with: mean absolute change of the mark in one second."""
    leverage_min: float = Field(default=0.5, gt=0.0, le=1000.0)
    """Value of a full position as a multiple of equity: lowest of the cohort, ..."""
    leverage_max: float = Field(default=3.0, gt=0.0, le=1000.0)
    """... and highest."""
    order_share: float = Field(default=0.5, gt=0.0, le=1.0)
    """Largest order as a share of a full position."""

    @field_validator("horizons_s")
    @classmethod
    def _horizons_are_possible(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if values and not 0.0 < min(values) <= max(values) <= 1e9:
            raise ValueError(f"every horizon must be above 0 and at most 1e9 seconds (got {list(values)})")
        return values

    @model_validator(mode="after")
    def _ranges_rise(self) -> TrendParameters:
        check_ranges(
            self,
            ("horizon_min_s", "horizon_max_s"),
            ("threshold_min", "threshold_max"),
            ("leverage_min", "leverage_max"),
        )
        return self


class Trend(Cohort):
    """Buys after a rise above its threshold, sells after a fall (a contrarian the reverse), closes when it is over."""

    Parameters = TrendParameters
    parameters: TrendParameters

    def prepare(self) -> None:
        """Draw what is fixed for life."""
        parameters = self.parameters
        self.horizon_s = spread_log(parameters.horizon_min_s, parameters.horizon_max_s, self.trait(TRAIT_HORIZON))
        if parameters.horizons_s:
            listed = menu(parameters.horizons_s, [1.0] * len(parameters.horizons_s))
            self.horizon_s = listed(self.trait(TRAIT_HORIZON))
        self.sense = 1.0 if parameters.style == "follow" else -1.0
        threshold_span = parameters.threshold_max - parameters.threshold_min
        self.threshold = parameters.threshold_min + threshold_span * self.trait(TRAIT_THRESHOLD)
        leverage_span = parameters.leverage_max - parameters.leverage_min
        self.leverage = parameters.leverage_min + leverage_span * self.trait(TRAIT_LEVERAGE)

    def decide(self, view: View, wakers: Ints) -> Commands:
        """Return at most one market order for each waker."""
        out = self.outbox(len(wakers) * COMMANDS_MAX)
        return self.written(
            decide_trend(
                view.tables, self.numbers, self.sense, self.horizon_s, self.threshold, self.leverage, view.mark_history,
                view.volatility_ppm, view.dt_s, self.roots, self.rows, self.keys, self.wakings, wakers, out,
            )
        )  # fmt: skip


@kernel
def decide_trend(
    t: Tables, numbers: Numbers, sense: float, horizons_s: Floats, thresholds: Floats, leverages: Floats,
    mark_history: Ints, volatility_ppm: Floats, dt_s: int, roots: Words, rows: Ints, keys: Ints, wakings: Ints,
    wakers: Ints, out: Table,
) -> int:  # fmt: skip
    """Write the commands of all wakers to `out` and return how many there are."""
    p = numbers[0]
    row = 0
    for i in range(wakers.shape[0]):
        waker = wakers[i]
        market = pick_market(t, roots, keys[waker], wakings[waker])
        move_ppm, usual_ppm = _move(t, p, mark_history, volatility_ppm, market, horizons_s[waker], dt_s)
        strength = sense * move_ppm / (usual_ppm * thresholds[waker])
        row = _act(t, p, strength, leverages[waker], rows[waker], market, out, row)
    return row


@kernel
def _move(
    t: Tables, p: Record, mark_history: Ints, volatility_ppm: Floats, market: int, horizon_s: float, dt_s: int
) -> tuple[float, float]:
    """Return the move of the mark over a horizon, and the standard deviation of such moves."""
    per_second = max(volatility_ppm[market] / np.sqrt(float(dt_s)), p["volatility_floor_ppm"])
    return move_ppm(t, mark_history, market, horizon_s, dt_s), SD_PER_MEAN_ABSOLUTE * per_second * np.sqrt(horizon_s)


@kernel
def _act(
    t: Tables, p: Record, strength: float, leverage: float, account: int, market: int, out: Table, row: int
) -> int:
    """Write what one trader does about a move of `strength` thresholds; above 0 it wants to be long."""
    held = t.positions[position_row(t, account, market), P_LOTS]
    direction = 1 if held > 0 else -1 if held < 0 else 0
    largest = largest_lots(t, account, market, leverage)
    row = write_use_cross(t, out, row, account, market)
    target = held
    if is_called(t, account):
        target = direction * (abs(held) // 2)
    elif abs(strength) >= 1.0:
        target = largest if strength > 0 else -largest
    elif strength * direction < p["exit_share"]:
        target = 0  # a move that has ended, or turned, is left
    side = 1 if target > held else -1
    change = abs(target - held)
    if opposite_ticks(t, market, side) == 0 or change * 20 < largest:
        return row
    step = max(int(largest * p["order_share"]), 1)
    return write_market(out, row, account, market, side, min(change, step), 0)
