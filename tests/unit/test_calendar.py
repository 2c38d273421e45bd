"""The calendar wakes whom it should, when it should, and nobody's wakings depend on anybody else."""

import numpy as np
import pytest

from delever.sim.calendar import NONE, Calendar, wake_gaps

SEED = 7
STEPS = 300


def wakings(keys, seed=SEED, mean_steps=20.0, drop_at=None):
    """(key, step) of all wakings of one run; `drop_at` = (key, step) from which one trader sleeps on."""
    keys = np.asarray(keys)
    calendar = Calendar(keys, STEPS)
    k = np.zeros(keys.size, dtype=np.int64)
    calendar.schedule(np.arange(keys.size), wake_gaps(seed, keys, k, mean_steps) - 1)
    seen = []
    for step in range(STEPS + 1):
        rows = calendar.pop(step)
        seen += [(int(key), step) for key in keys[rows]]
        if drop_at is not None and step >= drop_at[1]:
            rows = rows[keys[rows] != drop_at[0]]
        k[rows] += 1
        calendar.schedule(rows, step + wake_gaps(seed, keys[rows], k[rows], mean_steps))
    return seen


def test_wakings_are_those_of_the_plain_sum_of_gaps():
    keys = np.array([3, 11, 4, 90, 17, 2, 55])
    expected = []
    for key in keys.tolist():
        step, k = -1, 0
        while (step := step + int(wake_gaps(SEED, key, k, 20.0))) <= STEPS:
            expected.append((step, key))
            k += 1
    assert [(step, key) for key, step in wakings(keys)] == sorted(expected)
    assert len(expected) > 60


def test_wakers_of_a_step_come_by_key_however_rows_are_labelled():
    keys = np.arange(100, 140)
    shuffled = np.roll(keys[::-1], 7)
    assert wakings(keys, mean_steps=2.0) == wakings(shuffled, mean_steps=2.0)


def test_a_trader_who_leaves_shifts_nobody():
    keys = np.arange(1, 31)
    alone = [waking for waking in wakings(keys) if waking[0] != 5]
    assert wakings(keys[keys != 5]) == alone
    left = wakings(keys, drop_at=(5, 100))
    assert [waking for waking in left if waking[0] != 5] == alone
    assert max(step for key, step in left if key == 5) < 150


def test_another_seed_wakes_at_other_times():
    assert wakings([1, 2, 3], seed=1) != wakings([1, 2, 3], seed=2)


@pytest.mark.parametrize("mean_steps", [1.0, 1.2, 10.0, 5000.0])
def test_gaps_are_geometric_with_the_stated_mean(mean_steps):
    gaps = wake_gaps(SEED, np.arange(2000)[:, None], np.arange(20), mean_steps)
    assert gaps.dtype == np.int64
    assert gaps.min() >= 1
    # Standard deviation of a geometric number of mean m: sqrt(m (m - 1)).
    error = 4.0 * np.sqrt(mean_steps * (mean_steps - 1.0) / gaps.size)
    assert abs(gaps.mean() - mean_steps) <= error
    share_of_ones = np.mean(gaps == 1)
    assert abs(share_of_ones - 1.0 / mean_steps) <= 4.0 * np.sqrt(1.0 / mean_steps / gaps.size)


def test_gaps_take_a_mean_for_each_trader():
    keys = np.arange(5)
    means = np.array([1.0, 5.0, 30.0, 2.0, 100.0])
    together = wake_gaps(SEED, keys, np.arange(5), means)
    alone = [int(wake_gaps(SEED, i, i, means[i])) for i in range(5)]
    assert together.tolist() == alone


def test_a_state_restores_the_calendar():
    keys = np.arange(50)
    calendar = Calendar(keys, STEPS)
    calendar.schedule(keys, wake_gaps(SEED, keys, 0, 30.0))
    for step in range(20):
        calendar.pop(step)
    state = calendar.state()
    rest = [calendar.pop(step).tolist() for step in range(20, STEPS + 1)]
    calendar.restore(state)
    assert [calendar.pop(step).tolist() for step in range(20, STEPS + 1)] == rest
    fresh = Calendar(keys, STEPS)
    fresh.restore(state)
    assert [fresh.pop(step).tolist() for step in range(20, STEPS + 1)] == rest
    assert sum(map(len, rest)) > 0


def test_a_state_is_a_copy():
    calendar = Calendar([0, 1], 5)
    calendar.schedule([0], [3])
    state = calendar.state()
    calendar.schedule([1], [4])
    assert state["wake_step"].tolist() == [3, NONE]
    assert state["now_step"].tolist() == [NONE]


def test_a_waking_after_the_last_step_never_comes():
    calendar = Calendar([0, 1], 5)
    calendar.schedule([0, 1], [6, 5])
    assert [calendar.pop(step).tolist() for step in range(6)] == [[], [], [], [], [], [1]]
    assert calendar.wake_step.tolist() == [6, NONE]


def test_steps_without_wakers_may_be_passed_over():
    calendar = Calendar([0, 1], 9)
    calendar.schedule([0, 1], 7)
    assert calendar.pop(7).tolist() == [0, 1]
    assert calendar.pop(9).tolist() == []


def test_an_empty_calendar_works():
    calendar = Calendar([], 3)
    calendar.schedule([], [])
    assert calendar.pop(3).tolist() == []


def waiting_calendar():
    calendar = Calendar([5, 6, 7], 9)
    calendar.schedule([0], [4])
    calendar.pop(2)
    return calendar


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda calendar: calendar.schedule([3], [5]), r"rows 0 to 2 \(got 3 to 3\)"),
        (lambda calendar: calendar.schedule([-1], [5]), r"rows 0 to 2 \(got -1 to -1\)"),
        (
            lambda calendar: calendar.schedule([1, 2], [5, 2]),
            r"step 2 is over: the calendar stands at step 2",
        ),
        (lambda calendar: calendar.schedule([0], [5]), r"trader 0 already waits for step 4"),
        (lambda calendar: calendar.schedule([1, 2, 1], [5, 6, 5]), r"trader 1 is scheduled twice"),
        (lambda calendar: calendar.pop(2), r"step must be from 3 to 9 \(got 2\)"),
        (lambda calendar: calendar.pop(10), r"step must be from 3 to 9 \(got 10\)"),
        (lambda calendar: calendar.pop(5), r"traders still wait for step 4"),
        (
            lambda calendar: calendar.restore(Calendar([1], 9).state()),
            r"state is of 1 traders, the calendar has 3",
        ),
        (lambda _: Calendar([1, 1], 9), r"all different"),
        (lambda _: Calendar([1], -1), r"steps must not be negative"),
        (lambda _: wake_gaps(0, 1, 0, 0.5), r"mean_steps must be 1 or more"),
        (lambda _: wake_gaps(0, 1, 0, np.nan), r"mean_steps must be 1 or more"),
        (lambda _: wake_gaps(0, 1, 0, np.inf), r"mean_steps must be 1 or more"),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(call, message):
    calendar = waiting_calendar()
    with pytest.raises(ValueError, match=message):
        call(calendar)
    calendar.schedule([1, 2], [4, 5])
    assert [calendar.pop(step).tolist() for step in range(3, 7)] == [[], [0, 1], [2], []]
