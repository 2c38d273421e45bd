"""Markets watched step by step, in pairs: the same seeds with a behaviour and without it, and an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delever.engine.rules.presets import PRESETS
from delever.engine.rules.ruleset import RuleSet
from delever.engine.tables import M_INDEX_TICKS, M_MARK_TICKS, M_VOLUME_LOTS
from delever.experiments.paired import Difference, paired_difference
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, from_toml

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Cohorts = Iterable[Mapping[str, object]]

DEPTH_PPM = 1_000
MAKERS = {"kind": "maker", "count": 6}
NOISE = {"kind": "noise", "count": 100, "mean_interval_s": 30}
CONSTANT = 'kind = "constant"\nprice = 10000'


class Seen(NamedTuple):
    """A market after every step, warm-up left out: (steps,); lots held by each cohort's traders: (steps, traders)."""

    mark_ticks: Ints
    index_ticks: Ints
    volume_lots: Ints
    depth_lots: Ints
    """Bids and asks within 0.1 % of the best, the thinner side."""
    lots: dict[str, Ints]


def world(cohorts: Cohorts, path: str = CONSTANT, *, duration_s: int = 3_600, dt_s: int = 1) -> Scenario:
    """Return a world of one market and these cohorts, with ten minutes of warm-up; ticks are one ten-thousandth."""
    parts = [
        f'name = "watched"\ntraders = 1\ndt_s = {dt_s}\nduration_s = {duration_s}\nwarmup_s = 600',
        f'[[markets]]\nsymbol = "X"\ntick_size = "1"\nlot_size = "0.001"\n[markets.path]\n{path}',
    ]
    for cohort in cohorts:
        lines = [f"{name} = {_toml(value)}" for name, value in cohort.items()]
        parts.append("\n".join(["[[cohorts]]", *lines]))
    return from_toml("\n".join(parts), "watched.toml")


def see(scenario: Scenario, seed: int, rules: RuleSet = PRESETS["textbook"]) -> Seen:
    """Make a run and return what there was to be seen."""
    model = MarketModel(scenario, rules=rules, seed=seed, collect=False)
    rows: list[tuple[int, ...]] = []
    lots: dict[str, list[Ints]] = {cohort.name: [] for cohort in model.cohorts}
    try:
        while model.running:
            model.step()
            if model.venue.step <= scenario.warmup_steps + 1:
                continue
            view = model.look()
            row = view.tables.markets[0]
            thinner = min(view.depth_lots(0, side, int(row[M_MARK_TICKS]) * DEPTH_PPM // 1_000_000) for side in (1, -1))
            rows.append((*row[[M_MARK_TICKS, M_INDEX_TICKS, M_VOLUME_LOTS]].tolist(), thinner))
            for cohort in model.cohorts:
                lots[cohort.name].append(view.lots(cohort.rows, 0))
    finally:
        model.close()
    columns = np.array(rows, dtype=np.int64).T
    return Seen(*columns, {name: np.array(held) for name, held in lots.items()})


def change(one: Scenario, other: Scenario, seeds: Iterable[int], measure: Callable[[Seen], float]) -> Difference:
    """Return what `measure` is higher in `one` than in `other`: mean and interval over the seeds."""
    measured = [np.array([measure(see(each, seed)) for seed in seeds]) for each in (one, other)]
    return paired_difference(*measured)


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
