"""Markets watched step by step, in pairs: the same seeds with a behaviour and without it, and an interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
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
Floats = NDArray[np.float64]
Cohorts = Iterable[Mapping[str, object]]

DT_S = 2
WARMUP_S = 600
DEPTH_PPM = 1_000
MAKERS = {"kind": "maker", "count": 6}
NOISE = {"kind": "noise", "count": 100, "mean_interval_s": 30}
CONSTANT = 'kind = "constant"\nprice = 10000'
SHOCK_AT_S, SHOCK_LENGTH_S = 1_800, 60
QUIET = 'kind = "gbm"\nstart_price = 10000\nvolatility = 0.5'
RAMP = '\n[[markets.path.shocks]]\nkind = "ramp"\nat_s = {at_s}\nsize = {size}\nlength_s = {length_s}'
RISE_AT_S, RISE_LENGTH_S = 600, 600


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
        return self.premium_bp(SHOCK_AT_S + SHOCK_LENGTH_S, SHOCK_AT_S + 5 * SHOCK_LENGTH_S)

    def premium_bp(self, from_s: float, to_s: float) -> float:
        """Return the mean of mark over index between two times after the warm-up."""
        return float((self.mark_ticks / self.index_ticks)[between(from_s, to_s)].mean() - 1.0) * 1e4


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


def falling(cohorts: Cohorts, *, size: float = -0.03, rise: float = 0.0, **makers: object) -> str:
    """Return 40 minutes of a thin market in which the index falls by 3 % within one, `cohorts` among others.

    It may move by another `size`, and rise before by `rise` in ten minutes; `makers` are numbers of the makers.
    """
    others = (
        MAKERS | {"count": 5, "index_share": 0.5, "wealth_quote_median": 60_000} | makers,
        NOISE,
        {"kind": "value", "count": 20, "wealth_quote_median": 30_000, "full_ppm": 5_000},
    )
    path = QUIET + RAMP.format(at_s=SHOCK_AT_S, size=size, length_s=SHOCK_LENGTH_S)
    if rise:
        path += RAMP.format(at_s=RISE_AT_S, size=rise, length_s=RISE_LENGTH_S)
    return world([*others, *cohorts], path, duration_s=SHOCK_AT_S + 600)


def steps(text: str, seed: int, rules: str = "textbook") -> Iterator[MarketModel]:
    """Make a run of a world and yield its model after every step, warm-up left out."""
    model = MarketModel(from_toml(text, "watched.toml"), rules=PRESETS[rules], seed=seed, collect=False)
    try:
        while model.running:
            model.step()
            if model.venue.step > model.scenario.warmup_steps + 1:
                yield model
    finally:
        model.close()


@lru_cache(maxsize=16)
def see(text: str, seed: int) -> Seen:
    """Make a run of a world under the textbook's rules and return what there was to be seen."""
    columns = [M_MARK_TICKS, M_INDEX_TICKS, M_LAST_TICKS, M_VOLUME_LOTS]
    rows: list[list[int]] = []
    lots: dict[str, list[Ints]] = defaultdict(list)
    for model in steps(text, seed):
        view = model.look()
        row = view.tables.markets[0]
        width = int(row[M_MARK_TICKS]) * DEPTH_PPM // 1_000_000
        rows.append([*row[columns].tolist(), min(view.depth_lots(0, side, width) for side in (1, -1))])
        for cohort in model.cohorts:
            lots[cohort.name].append(view.lots(cohort.rows, 0))
    return Seen(*np.array(rows, dtype=np.int64).T, {name: np.array(held) for name, held in lots.items()})


def edges_ppm(text: str, seed: int, *names: str) -> Floats:
    """Return what cohorts earn by trading, in ppm of what they trade, by name: at the index, without their inventory's
    gains and losses."""
    rows = []
    for model in steps(text, seed):
        view, held = model.look(), {cohort.name: cohort.rows for cohort in model.cohorts}
        lots = [view.lots(held[name], 0).sum() for name in names]
        money = [(view.balance_atoms(held[name]) - view.cost_atoms(held[name], 0)).sum() for name in names]
        rows.append([[view.index_ticks[0] * view.multiplier_atoms[0]] * len(names), lots, money])
    value, lots, money = np.moveaxis(np.array(rows, dtype=np.float64), 1, 0)
    bought = np.diff(lots, axis=0)
    earned = np.diff(money, axis=0) + bought * value[1:]
    return np.asarray(earned.sum(axis=0) / (np.abs(bought) * value[1:]).sum(axis=0) * 1e6)


def change(one: str, other: str, seeds: Iterable[int], measure: Callable[[Seen], float]) -> Difference:
    """Return what `measure` is higher in `one` than in `other`: mean and interval over the seeds."""
    measured = [np.array([measure(see(each, seed)) for seed in seeds]) for each in (one, other)]
    return paired_difference(*measured)


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
