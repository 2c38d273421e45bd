"""What kernels far from the waterfall need of the liquidation rules (R-W25, R-W28, R-W29, R-W32, R-W33)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .rules.liquidation import Liquidation
from .rules.steps import Cover
from .tables import (
    CANCELS,
    FUND,
    M_WINDOW_MAX_LOTS,
    NONE,
    V_ACCOUNTS,
    V_BUFFER_PPM,
    V_CANCELS,
    V_COVERED_UNIT,
    V_LOST_MAX_ATOMS,
    V_RAMPED,
    V_START_PPM,
    V_STOP_PPM,
    V_SURPLUS,
    V_SURPLUS_COVERS,
    V_SURPLUS_PPM,
    V_SURPLUS_REFUSES,
    V_SURPLUS_UNIT,
    V_TAKES_ALL,
    V_TAKES_AT_MARK,
    V_TAKES_SOLVENT,
    Tables,
)
from .units import PPM

# What `fill_liquidation` and `fill_vault` take from the rules; a snapshot does not overwrite it.
LIQUIDATION_SWITCHES = [
    V_SURPLUS, V_SURPLUS_PPM, V_SURPLUS_COVERS, V_SURPLUS_UNIT, V_START_PPM, V_STOP_PPM, V_BUFFER_PPM, V_TAKES_AT_MARK,
    V_TAKES_ALL, V_TAKES_SOLVENT, V_CANCELS, V_RAMPED, V_SURPLUS_REFUSES, V_LOST_MAX_ATOMS,
]  # fmt: skip


def fill_liquidation(venue: NDArray[np.int64], rule: Liquidation) -> None:
    """Copy thresholds, surplus, takeover and cancelling from the rule; without them it is as it always was."""
    levels, surplus, takeover = rule.levels, rule.surplus, rule.takeover
    venue[V_START_PPM] = PPM if levels is None else levels.start_ppm
    venue[V_STOP_PPM] = PPM if levels is None else levels.stop_ppm
    venue[V_BUFFER_PPM] = 0 if levels is None else levels.buffer_ppm
    venue[V_SURPLUS] = int(surplus is not None)
    if surplus is not None:
        venue[V_SURPLUS_PPM] = NONE if surplus.cap_ppm is None else surplus.cap_ppm
        venue[V_SURPLUS_COVERS] = int(surplus.covers)
        venue[V_SURPLUS_REFUSES] = int(surplus.refusal is not None)
        venue[V_LOST_MAX_ATOMS] = 0 if surplus.refusal is None else surplus.refusal.lost_atoms
    venue[V_COVERED_UNIT] = NONE
    venue[V_SURPLUS_UNIT] = venue[V_ACCOUNTS] + FUND
    if takeover is not None:
        venue[V_TAKES_AT_MARK] = int(takeover.price == "mark")
        venue[V_TAKES_ALL] = int(takeover.unlimited)
        venue[V_TAKES_SOLVENT] = int(takeover.backstops == "solvent")
    venue[V_CANCELS] = 0 if rule.cancel is None else CANCELS.index(rule.cancel.orders)
    venue[V_RAMPED] = int(isinstance(rule.step, Cover) and rule.step.ramp is not None)
    assert 0 < venue[V_START_PPM] <= venue[V_STOP_PPM]


def fill_window(market: NDArray[np.int64], rule: Liquidation) -> None:
    """Copy the most lots of a rolling window, 0 without one, into the row of a market (R-W25)."""
    market[M_WINDOW_MAX_LOTS] = 0 if rule.rolling is None else rule.rolling.capacity_lots


def window_seconds(rule: Liquidation) -> int:
    """Return how many seconds the table of rolling windows has to hold, at least 1."""
    return 1 if rule.rolling is None else rule.rolling.window_s


def fill_vault(t: Tables, rule: Liquidation, backstops: Sequence[int]) -> None:
    """Send the surplus of forced fills to the first backstop account, if the rule says so and there is one (R-W29)."""
    if rule.surplus is not None and rule.surplus.to == "vault" and backstops:
        t.venue[V_SURPLUS_UNIT] = backstops[0]
