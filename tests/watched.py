"""Markets watched step by step, in pairs: the same seeds with a behaviour and without it, and an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.engine.rules.presets import PRESETS
from delever.engine.tables import M_INDEX_TICKS, M_LAST_TICKS, M_MARK_TICKS, M_VOLUME_LOTS
from delever.experiments.paired import Difference, paired_difference
from delever.sim.model import MarketModel
from delever.sim.scenario import from_toml

Ints = NDArray[np.int64]
Cohorts = Iterable[Mapping[str, object]]

DT_S = 2
WARMUP_S = 600
DEPTH_PPM = 1_000
MAKERS = {"kind": "maker", "count": 6}
NOISE = {"kind": "noise", "count": 100, "mean_interval_s": 30}
CONSTANT = 'kind = "constant"\nprice = 10000'
SHOCK_AT_S, SHOCK_LENGTH_S = 1_800, 60
FALL = f"""kind = "gbm"
start_price = 10000
volatility = 0.5
[[markets.path.shocks]]
kind = "ramp"
at_s = {SHOCK_AT_S}
size = -0.03
length_s = {SHOCK_LENGTH_S}
"""


class Seen(NamedTuple):
    """A market after every step, warm-up left out: (steps,); lots held by each cohort's traders: (steps, traders)."""

    mark_ticks: Ints
    index_ticks: Ints
    last_ticks: Ints
    volume_lots: Ints
    depth_lots: Ints
    """Bids and asks within 0.1 % of the best, the thinner side."""
    lots: dict[str, Ints]

    def discount_bp(self) -> float:
        """Return the mean of mark over index in the four minutes after the fall."""
        after = between(SHOCK_AT_S + SHOCK_LENGTH_S, SHOCK_AT_S + 5 * SHOCK_LENGTH_S)
        return float((self.mark_ticks / self.index_ticks)[after].mean() - 1.0) * 1e4


def between(from_s: float, to_s: float | None = None) -> slice:
    """Return the steps between two times after the warm-up, or from one time on."""
    return slice(int(from_s / DT_S), None if to_s is None else int(to_s / DT_S))


def world(cohorts: Cohorts, path: str = CONSTANT, *, duration_s: int = 3_600) -> str:
    """Return a world of one market and these cohorts as TOML; a tick is about a ten-thousandth of the price."""
    parts = [
        f'name = "watched"\ntraders = 1\ndt_s = {DT_S}\nduration_s = {duration_s}\nwarmup_s = {WARMUP_S}',
        f'[[markets]]\nsymbol = "X"\ntick_size = "1"\nlot_size = "0.001"\n[markets.path]\n{path}',
    ]
    for cohort in cohorts:
        lines = [f"{name} = {_toml(value)}" for name, value in cohort.items()]
        parts.append("\n".join(["[[cohorts]]", *lines]))
    return "\n".join(parts)


def falling(cohorts: Cohorts, **makers: object) -> str:
    """Return 40 minutes of a thin market in which the index falls by 3 % within one, `cohorts` among others."""
    others = (
        MAKERS | {"count": 5, "index_share": 0.5, "wealth_quote_median": 60_000} | makers,
        NOISE,
        {"kind": "value", "count": 20, "wealth_quote_median": 30_000, "full_ppm": 5_000},
    )
    return world([*others, *cohorts], FALL, duration_s=SHOCK_AT_S + 600)


@lru_cache(maxsize=16)
def see(text: str, seed: int) -> Seen:
    """Make a run of a world under the textbook's rules and return what there was to be seen."""
    model = MarketModel(from_toml(text, "watched.toml"), rules=PRESETS["textbook"], seed=seed, collect=False)
    columns = [M_MARK_TICKS, M_INDEX_TICKS, M_LAST_TICKS, M_VOLUME_LOTS]
    rows: list[list[int]] = []
    lots: dict[str, list[Ints]] = {cohort.name: [] for cohort in model.cohorts}
    try:
        while model.running:
            model.step()
            if model.venue.step <= model.scenario.warmup_steps + 1:
                continue
            view = model.look()
            row = view.tables.markets[0]
            width = int(row[M_MARK_TICKS]) * DEPTH_PPM // 1_000_000
            rows.append([*row[columns].tolist(), min(view.depth_lots(0, side, width) for side in (1, -1))])
            for cohort in model.cohorts:
                lots[cohort.name].append(view.lots(cohort.rows, 0))
    finally:
        model.close()
    return Seen(*np.array(rows, dtype=np.int64).T, {name: np.array(held) for name, held in lots.items()})


def change(one: str, other: str, seeds: Iterable[int], measure: Callable[[Seen], float]) -> Difference:
    """Return what `measure` is higher in `one` than in `other`: mean and interval over the seeds."""
    measured = [np.array([measure(see(each, seed)) for seed in seeds]) for each in (one, other)]
    return paired_difference(*measured)


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
