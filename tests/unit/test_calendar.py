"""The calendar wakes whom it should, when it should, and nobody's wakings depend on anybody else."""

import numpy as np
import pytest

from delever.agents.draws import Stream, exponential
from delever.agents.elementary import log, log_of
from delever.sim.calendar import Calendar, wake_rates

SEED = 7
STEPS = 300


def gap(seed, key, k, mean_steps):
    """The gap before waking k, worked out by NumPy from its definition."""
    rate = -np.log(max(1.0 - 1.0 / mean_steps, 2.3e-308))
    return max(1, int(np.ceil(exponential(seed, Stream.WAKE, key, k) / rate)))


def wakings(keys, seed=SEED, mean_steps=20.0):
    """(step, key) of all wakings of one run."""
    keys = np.asarray(keys)
    calendar = Calendar(seed, keys, mean_steps, STEPS)
    seen = []
    for step in range(1, STEPS + 1):
        (wakers,) = calendar.pop(step)
        seen += [(step, int(key)) for key in keys[wakers]]
        calendar.put_back()
    assert calendar.wakings.sum() == len(seen)
    return seen


def test_wakings_are_those_of_the_plain_sum_of_gaps():
    keys = np.array([3, 11, 4, 90, 17, 2, 55])
    expected = []
    for key in keys.tolist():
        step, k = 0, 0
        while (step := step + gap(SEED, key, k, 20.0)) <= STEPS:
            expected.append((step, key))
            k += 1
    assert sorted(wakings(keys)) == sorted(expected)
    assert len(expected) > 60


def test_wakers_come_by_number_in_their_groups():
    bounds = [0, 40, 40, 1_500, 3_000]
    calendar = Calendar(SEED, np.arange(3_000) * 7, 2.0, 9, bounds=bounds)
    whole = Calendar(SEED, np.arange(3_000) * 7, 2.0, 9)
    for step in range(1, 10):
        groups, (everybody,) = calendar.pop(step), whole.pop(step)
        joined = np.concatenate([group + first for group, first in zip(groups, bounds, strict=False)])
        assert np.array_equal(joined, everybody)
        assert (np.diff(everybody) > 0).all()
        assert len(groups[1]) == 0
        assert len(everybody) > 1_000
        calendar.put_back()
        whole.put_back()


def test_a_trader_who_is_not_there_shifts_nobody():
    keys = np.arange(1, 31)
    alone = [waking for waking in wakings(keys) if waking[1] != 5]
    assert wakings(keys[keys != 5]) == alone


def test_another_seed_wakes_at_other_times():
    assert wakings([1, 2, 3], seed=1) != wakings([1, 2, 3], seed=2)


@pytest.mark.parametrize("mean_steps", [1.0, 1.2, 10.0, 5000.0])
def test_gaps_are_geometric_with_the_stated_mean(mean_steps):
    calendar = Calendar(SEED, np.arange(40_000), mean_steps, 0)
    gaps = calendar.wake_step
    assert gaps.min() >= 1
    # Standard deviation of a geometric number of mean m: sqrt(m (m - 1)).
    error = 4.0 * np.sqrt(mean_steps * (mean_steps - 1.0) / gaps.size)
    assert abs(gaps.mean() - mean_steps) <= error
    share_of_ones = np.mean(gaps == 1)
    assert abs(share_of_ones - 1.0 / mean_steps) <= 4.0 * np.sqrt(1.0 / mean_steps / gaps.size)


def test_every_trader_has_a_mean_of_their_own():
    means = np.array([1.0, 5.0, 30.0, 2.0, 100.0])
    together = Calendar(SEED, np.arange(5), means, 9).wake_step
    assert together.tolist() == [Calendar(SEED, [i], means[i], 9).wake_step[0] for i in range(5)]


def test_the_logarithm_of_kernels_has_the_bits_of_the_other():
    numbers = np.concatenate(
        (np.exp(np.linspace(-700, 700, 20_001)), [0.5, 1.0, 2.0, np.sqrt(0.5), np.nextafter(np.sqrt(0.5), 0)])
    )
    assert np.array_equal(log(numbers), [log_of(x) for x in numbers])


def test_a_state_restores_the_calendar():
    def rest(calendar, first):
        seen = []
        for step in range(first, STEPS + 1):
            seen.append(calendar.pop(step)[0].tolist())
            calendar.put_back()
        return seen

    keys = np.arange(50)
    calendar = Calendar(SEED, keys, 30.0, STEPS)
    for step in range(1, 20):
        calendar.pop(step)
        calendar.put_back()
    state = calendar.state()
    first = rest(calendar, 20)
    calendar.restore(state)
    assert rest(calendar, 20) == first
    fresh = Calendar(SEED, keys, 30.0, STEPS)
    fresh.restore(state)
    assert rest(fresh, 20) == first
    assert sum(map(len, first)) > 0
    assert state["now_step"].tolist() == [19], "a state is a copy"


def test_an_empty_calendar_works():
    assert [group.tolist() for group in Calendar(SEED, [], 1.0, 3).pop(1)] == [[]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda calendar: calendar.pop(2), r"step must be 3 and at most 9 \(got 2\)"),
        (lambda calendar: calendar.pop(4), r"step must be 3 and at most 9 \(got 4\)"),
        (lambda _: Calendar(0, [1], 2.0, 0).pop(1), r"step must be 1 and at most 0"),
        (
            lambda calendar: calendar.restore(Calendar(0, [1], 2.0, 9).state()),
            r"state is of 1 traders, the calendar has 3",
        ),
        (lambda _: Calendar(0, [1, 1], 2.0, 9), r"all different"),
        (lambda _: Calendar(0, [1], 2.0, -1), r"steps must not be negative"),
        (lambda _: Calendar(0, [1, 2], 2.0, 9, bounds=[0, 1]), r"rise from 0 to 2"),
        (lambda _: wake_rates(0.5), r"mean_steps must be 1 or more"),
        (lambda _: wake_rates(np.nan), r"mean_steps must be 1 or more"),
        (lambda _: wake_rates(np.inf), r"mean_steps must be 1 or more"),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(call, message):
    calendar = Calendar(SEED, [5, 6, 7], 1.0, 9)
    for step in (1, 2):
        calendar.pop(step)
        calendar.put_back()
    with pytest.raises(ValueError, match=message):
        call(calendar)
    assert calendar.pop(3)[0].tolist() == [0, 1, 2], "with a mean of one step everybody wakes in every step"
