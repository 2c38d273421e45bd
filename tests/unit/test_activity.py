"""Busy and quiet hours: what the pattern is, whose luck it leaves alone, and that volume follows it."""

import numpy as np
import pytest

from delever.engine.tables import M_VOLUME_LOTS
from delever.experiments.paired import paired_difference
from delever.sim.activity import Activity
from delever.sim.calendar import Calendar
from delever.sim.model import MarketModel
from delever.sim.scenario import ScenarioError
from tests.golden.shocks import shock_world
from tests.twins import crash

DAY = tuple(1.0 + hour % 3 for hour in range(24))
"""In threes of hours: 1, 2, 3, which is a half, 1 and one and a half of the mean."""


def test_hours_and_weekdays_multiply_and_are_shares_of_their_mean() -> None:
    week = Activity(hours=DAY, weekdays=(2, 2, 2, 2, 2, 2, 9), start_hour=22, start_weekday=5)
    hours = np.array([-1.0, 0.0, 1.0, 2.0, 26.0]) * 3_600
    # Saturday 21:00, 22:00, 23:00, Sunday 0:00, Monday 0:00.
    expected = np.array([0.5 * 2, 1.0 * 2, 1.5 * 2, 0.5 * 9, 0.5 * 2]) / 3
    assert week.factor(hours) == pytest.approx(expected)
    assert week.factor(np.arange(168) * 3_600.0).mean() == pytest.approx(1.0)


def test_the_clock_counts_from_the_end_of_the_warm_up() -> None:
    clock = Activity(hours=DAY, start_hour=1).clock(steps=4, dt_s=1_800, warmup_steps=2)
    assert np.diff(clock) == pytest.approx([0.5, 1.0, 1.0, 1.5])
    assert clock[0] == 0.0


def wakings(steps: int = 400, **numbers: object) -> list[list[int]]:
    """Return the steps in which each of 60 traders wakes."""
    calendar = Calendar(3, np.arange(60) * 5, 7.0, steps, **numbers)  # type: ignore[arg-type]
    found: list[list[int]] = [[] for _ in range(60)]
    for step in range(1, steps + 1):
        for trader in calendar.pop(step)[0].tolist():
            found[trader].append(step)
        calendar.put_back()
    return found


def test_a_clock_that_gains_one_in_every_step_changes_nothing() -> None:
    assert wakings(clock=np.arange(401.0)) == wakings()


def test_the_next_waking_is_the_same_wait_on_another_clock() -> None:
    """The law of the calendar: the k-th waking of a trader follows from its draws and the clock, and nothing else."""
    clock = np.concatenate([[0.0], np.cumsum(np.where(np.arange(400) % 40 < 20, 1.75, 0.25))])
    changed = wakings(clock=clock)
    alone = Calendar(3, [35], 7.0, 400, clock=clock)
    seen = [step for step in range(1, 401) if len(pop(alone, step))]
    assert seen == changed[7]
    busy = sum(step % 40 in range(1, 21) for steps in changed for step in steps)
    assert busy / sum(map(len, changed)) == pytest.approx(7 / 8, abs=0.02)
    assert sum(map(len, changed)) == pytest.approx(sum(map(len, wakings())), rel=0.05)


def pop(calendar: Calendar, step: int) -> list[int]:
    found = calendar.pop(step)[0].tolist()
    calendar.put_back()
    return found


def test_who_is_steady_knows_no_hours_and_nobody_wakes_in_hours_of_nothing() -> None:
    clock = np.concatenate([np.zeros(201), np.arange(1.0, 201.0)])
    steady = np.arange(60) % 2 == 0
    changed, plain = wakings(clock=clock, steady=steady), wakings()
    assert changed[::2] == plain[::2]
    assert min(steps[0] for steps in changed[1::2]) > 200


def test_a_clock_that_does_not_fit_is_refused() -> None:
    for clock in (np.arange(5.0), np.zeros(401) - np.arange(401)):
        with pytest.raises(ValueError, match="clock must be 401 times that never fall"):
            Calendar(1, [1], 2.0, 400, clock=clock)


def test_a_run_with_hours_cut_in_two_goes_on_as_if_it_had_not_been() -> None:
    world = shock_world("duration_s=600", "activity={hours=[1,3,1,3,1,3,1,3,1,3,1,3,1,3,1,3,1,3,1,3,1,3,1,3]}")
    whole, first, second = (MarketModel(world, seed=4, collect=False) for _ in range(3))
    for _ in range(600):
        whole.step()
    for _ in range(300):
        first.step()
    second.restore(first.snapshot())
    for _ in range(300):
        second.step()
    assert whole.venue.digest() == second.venue.digest()


PLAIN_MARKET = {"symbol": "X", "tick_size": "0.5", "lot_size": "0.001", "path": {"kind": "constant", "price": 8000}}
COHORTS = [
    {"kind": "maker", "count": 4, "wealth_quote_median": 3e6, "levels": 2},
    {"kind": "noise", "count": 40, "mean_interval_s": 120},
]


def volume_by_hour(seed: int, **changes: object) -> np.ndarray:
    """Return the lots traded in each hour of a day."""
    given = {"duration_s": 86_400, "cohorts": COHORTS, **changes}
    world = crash(dt_s=30, markets=[PLAIN_MARKET], **given)
    model, lots = MarketModel(world, seed=seed, collect=False), [0]
    for step in range(world.steps):
        model.step()
        if (step + 1) % 120 == 0:
            lots.append(int(model.venue.tables.markets[0, M_VOLUME_LOTS]))
    return np.diff(lots)


def test_volume_follows_the_hours() -> None:
    """Paired twin: the same traders without hours; makers are machines. Hours of weight 3 against those of weight 1."""
    pattern = {"hours": DAY, "steady": ("maker",)}
    ratios = {}
    for name, changes in (("hours", {"activity": pattern}), ("none", {})):
        days = [volume_by_hour(seed, **changes) for seed in (1, 2, 3)]
        ratios[name] = np.array([day[2::3].sum() / day[0::3].sum() for day in days])
    with_hours, without = (paired_difference(ratios[name], np.zeros(3)) for name in ("hours", "none"))
    assert with_hours.low > 2.0 and with_hours.low < 3.0 < with_hours.high + 0.5
    assert without.low < 1.0 < without.high
    assert paired_difference(ratios["hours"], ratios["none"]).low > 1.0


def test_volume_falls_when_a_quiet_weekend_begins() -> None:
    """Paired twin: the same traders without days; six hours of a Friday, six of a Saturday of half the activity."""
    friday = {"weekdays": (2, 2, 2, 2, 2, 1, 1), "start_weekday": 4, "start_hour": 18, "steady": ("maker",)}
    slow = [COHORTS[0], COHORTS[1] | {"count": 100, "mean_interval_s": 1_800}]
    change = {}
    for name, changes in (("days", {"activity": friday}), ("none", {})):
        halves = [volume_by_hour(seed, duration_s=43_200, cohorts=slow, **changes) for seed in range(1, 5)]
        change[name] = np.array([np.log(hours[6:].sum() / hours[:6].sum()) for hours in halves])
    fall = paired_difference(change["days"], change["none"])
    assert fall.low < np.log(0.5) < fall.high < 0.0


@pytest.mark.parametrize(
    ("activity", "message"),
    [
        ({"hours": [1.0] * 23}, r"give 24 numbers that are not all 0 \(got 23\)"),
        ({"weekdays": [0.0] * 7}, "give 7 numbers that are not all 0"),
        ({"hours": [-1.0] * 24}, "hours"),
        ({"steady": ["robots"]}, "activity.steady: no cohort 'robots'; there are maker, retail"),
        ({"start_weekday": 7}, "start_weekday"),
    ],
)
def test_patterns_that_cannot_be_are_refused(activity: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        crash(activity=activity)
