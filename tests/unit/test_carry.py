"""Carry traders: when they build and take down, and what they do, and do to prices, when a leg is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from delever.agents.carry import Carry, CarryParameters
from delever.agents.conformance import check_cohort, sample_scenes
from delever.engine.commands import C_SIDE, Kind
from delever.engine.events import E_KIND, E_LOTS, E_OTHER, Event
from delever.engine.rules.io import replace
from delever.engine.rules.presets import TEXTBOOK
from delever.engine.tables import M_FUNDING_PPB, M_INDEX_TICKS, M_MARK_TICKS, P_LOTS
from delever.experiments.paired import paired_difference
from delever.sim.model import MarketModel
from delever.sim.scenario import Scenario, load_scenario, set_values
from tests.unit.board import MARK, Board, everybody, make

FULLY_PAID = replace(TEXTBOOK, {"margin.leverage_max": 1})
CRASH_S = 500
SEEDS = range(1, 7)


def said(short: int, long: int, basis_ticks: int, **numbers: Any) -> list[list[int]]:
    """Return side and lots of what a trader with 10,000 lots' worth at each venue orders, holding -short and long."""
    perpetual, spot = Board(1, rules=TEXTBOOK), Board(1, rules=FULLY_PAID)
    perpetual.price(MARK + basis_ticks, index=MARK)
    perpetual.hold(0, -short)
    spot.hold(0, long)
    funding = numbers.pop("funding_ppb", 0)
    perpetual.tables.markets[0, M_FUNDING_PPB] = funding
    cohort = make(Carry, 1, other_venue="spot", part_share=0.25, open_ppm=1_000.0, close_ppm=0.0, **numbers)
    commands = cohort.decide_at((perpetual.view(), spot.view()), everybody(cohort))
    return [[int(row[C_SIDE] * row[4]) for row in part] for part in commands]


@pytest.mark.parametrize(
    ("short", "long", "basis_ticks", "expected"),
    [
        # 1,000 ppm are 16 ticks, the two spreads 2. A full position is nine tenths of the money in coins.
        (0, 0, 17, [[], []]),
        (0, 0, 19, [[-2250], []]),
        (2250, 0, 19, [[], [2250]]),
        (2250, 2250, 19, [[-2250], []]),
        (9000, 9000, 19, [[], []]),
        (9000, 9000, 0, [[], []]),
        (9000, 9000, -4, [[], [-2250]]),
        (9000, 6750, -4, [[2250], []]),
        # The short leg was taken: the venue did it, for the long leg is always taken down first.
        (5000, 9000, 19, [[], [-4000]]),
    ],
)
def test_both_legs_are_built_and_taken_down_in_parts(
    short: int, long: int, basis_ticks: int, expected: list[list[int]]
) -> None:
    assert said(short, long, basis_ticks) == expected


def test_funding_counts_as_much_as_is_paid_over_the_horizon() -> None:
    """Three payments a day of 0.04 % are 1,200 ppm."""
    assert said(0, 0, 2, funding_ppb=400_000) == [[-2250], []]
    assert said(0, 0, 2, funding_ppb=400_000, horizon_s=28_800.0) == [[], []]
    assert said(9000, 9000, 0, funding_ppb=-400_000) == [[], [-2250]]


@pytest.mark.parametrize(
    ("bare", "expected"), [("sell", [[], [-4000]]), ("rehedge", [[-4000], []]), ("wait", [[], []])]
)
def test_styles_differ_when_the_short_leg_was_taken(bare: str, expected: list[list[int]]) -> None:
    assert said(5000, 9000, 19, bare=bare) == expected


def test_who_lost_a_leg_builds_nothing_for_a_while() -> None:
    cohort = make(Carry, 1, other_venue="spot", open_ppm=1_000.0, pause_s=50.0)
    perpetual, spot = Board(1, rules=TEXTBOOK), Board(1, rules=FULLY_PAID)
    perpetual.price(MARK + 30, index=MARK)
    counts = []
    for step, held in ((100, 500), (101, 0), (149, 0), (150, 0)):
        spot.hold(0, held)
        commands = cohort.decide_at((perpetual.view(step), spot.view(step)), everybody(cohort))
        counts.append([len(part) for part in commands])
    assert counts == [[0, 1], [0, 0], [0, 0], [1, 0]]


def test_numbers_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="close_ppm must not be above open_ppm"):
        CarryParameters(other_venue="spot", open_ppm=1, close_ppm=2)
    with pytest.raises(ValueError, match="other_venue must be another venue"):
        CarryParameters(other_venue="main")


@pytest.mark.parametrize("bare", ["sell", "rehedge", "wait"])
def test_it_conforms_and_acts(bare: str) -> None:
    cohort = make(Carry, 60, first_row=3, other_venue="spot", bare=bare)
    check_cohort(cohort)
    commands = [part for scene in sample_scenes(cohort) for part in cohort.decide_at(scene, everybody(cohort))]
    assert sum(len(part) for part in commands) > 0
    assert all((part[:, 2] == Kind.MARKET).all() for part in commands)


class Break:
    """One run of delta-neutral-break, shortened: prices, the legs of the carry traders, and who was deleveraged."""

    def __init__(self, world: Scenario, seed: int, changes: Mapping[str, object] | None = None) -> None:
        world = set_values(world, [f"duration_s={CRASH_S + 200}", f"markets.BTC.path.shocks.0.at_s={CRASH_S}"])
        world = world.replaced({"rules": {**world.rules, **(changes or {})}})
        model = MarketModel(world, rules=TEXTBOOK, seed=seed, collect=False)
        carry = next(cohort for cohort in model.cohorts if cohort.name == "carry")
        events: list[Any] = []
        model.listen(events.append)
        rows = []
        while model.running:
            model.step()
            main, spot = (site.venue.tables for site in model.sites)
            rows.append(
                (
                    main.markets[0, M_MARK_TICKS], main.markets[0, M_INDEX_TICKS],
                    main.positions[carry.accounts[0], P_LOTS].sum(), spot.positions[carry.accounts[1], P_LOTS].sum(),
                )
            )  # fmt: skip
        found = np.array(rows, dtype=np.float64)
        self.at = world.warmup_steps + CRASH_S
        self.mark, self.index, self.short, self.long = found.T
        told = np.concatenate(events)
        taken = told[(told[:, E_KIND] == Event.ADL) & np.isin(told[:, E_OTHER], carry.accounts[0])]
        self.deleveraged_lots = int(np.abs(taken[:, E_LOTS]).sum())
        self.errors = [site.venue.conservation_error_atoms() for site in model.sites]
        model.close()

    @property
    def basis_ppm(self) -> float:
        """Mean of mark over index in the three minutes before the crash."""
        calm = slice(self.at - 180, self.at)
        return float(np.mean(self.mark[calm] / self.index[calm] - 1.0) * 1e6)

    @property
    def lowest(self) -> float:
        """Lowest middle of the spot book after it, which is the lowest index, as a share of that before."""
        return float(self.index[self.at :].min() / self.index[self.at - 1])

    @property
    def bare_lots(self) -> float:
        """Coins without a short leg at the end."""
        return float(self.long[-1] + self.short[-1])


@pytest.fixture(scope="module")
def broken() -> list[Break]:
    return [Break(load_scenario("delta-neutral-break"), seed) for seed in SEEDS]


def test_carry_traders_shrink_the_basis(broken: list[Break]) -> None:
    none = set_values(load_scenario("delta-neutral-break"), ["cohorts.carry.open_ppm=1000000"])
    change = paired_difference(
        np.array([run.basis_ppm for run in broken]), np.array([Break(none, seed).basis_ppm for seed in SEEDS])
    )
    assert change.high < 0, f"{change}"


def test_what_deleveraging_leaves_bare_is_sold_and_the_spot_price_falls_further(broken: list[Break]) -> None:
    """Its twins: traders who keep the coins, and the same crash without deleveraging."""
    world = load_scenario("delta-neutral-break")
    waiting = [Break(set_values(world, ["cohorts.carry.bare=wait"]), seed) for seed in SEEDS]
    spared = [Break(world, seed, {"deleveraging": {"trigger": "none"}}) for seed in SEEDS]
    for run, keeps, twin in zip(broken, waiting, spared, strict=True):
        assert run.errors == [0, 0]
        assert run.deleveraged_lots > 0.05 * run.long[run.at - 1], "short legs are taken ..."
        assert keeps.bare_lots > 0.5 * keeps.deleveraged_lots, "... and leave coins that hedge nothing, ..."
        assert abs(run.bare_lots) < 0.5 * run.deleveraged_lots, "... most of which are sold"
        assert twin.deleveraged_lots == 0
    lowest = np.array([run.lowest for run in broken])
    for twins in (waiting, spared):
        change = paired_difference(lowest, np.array([run.lowest for run in twins]))
        assert change.high < 0, f"{change}"
