"""Is the insurance fund far below its peak of a rolling window? (R-W50)

A watch keeps the balances that may still become a peak in a ring, each lower than the one before it; what is older than
the window leaves at the front, what is not above a newer one at the back. So a look costs nothing however long the
window is.
"""

from __future__ import annotations

from collections.abc import Callable

from .funds import fund_at, fund_count
from .kernel import kernel
from .ledger import balance_atoms
from .rules.ruleset import RuleSet
from .tables import (
    ADL_WATCH,
    FUND_WATCH,
    NONE,
    PEAK_HEAD_ROWS,
    V_ADL_DROP_PPM,
    V_ADL_UNTIL_PPM,
    V_ADL_WINDOW_STEPS,
    V_FUND_DROP_PPM,
    V_FUND_UNTIL_PPM,
    V_FUND_WINDOW_STEPS,
    Tables,
)
from .units import PPM, ppm_down

# Rows of a watch that are no samples: (first row of the ring, number of samples), (whether it is on, nothing).
RING, STATE = range(PEAK_HEAD_ROWS)
AT_STEP, BALANCE = range(2)

WATCH_SWITCHES = [
    V_ADL_WINDOW_STEPS, V_ADL_DROP_PPM, V_ADL_UNTIL_PPM, V_FUND_WINDOW_STEPS, V_FUND_DROP_PPM, V_FUND_UNTIL_PPM,
]  # fmt: skip


def peak_rows(rules: RuleSet) -> int:
    """Return how many rows `peaks` needs, one if nobody watches; a step is a second at least."""
    watches = [rules.deleveraging.drawdown, rules.insurance.drawdown]
    return max((PEAK_HEAD_ROWS + watch.window_s + 1 for watch in watches if watch is not None), default=1)


def open_watches(t: Tables, rules: RuleSet, steps: Callable[[int], int]) -> None:
    """Copy the numbers of the watches and take their first sample; `steps` turns seconds into steps."""
    for watch, first in (
        (rules.deleveraging.drawdown, V_ADL_WINDOW_STEPS),
        (rules.insurance.drawdown, V_FUND_WINDOW_STEPS),
    ):
        if watch is not None:
            t.venue[first : first + 3] = steps(watch.window_s), watch.drop_ppm, watch.end_ppm
            assert t.peaks.shape[1] >= PEAK_HEAD_ROWS + t.venue[first] + 1
    note_balances(t, NONE)


@kernel
def watched_atoms(t: Tables) -> int:
    """Return what the watches look at: the balance of all funds together."""
    total = 0
    for number in range(fund_count(t)):
        total += balance_atoms(t, fund_at(t, number))
    return total


@kernel
def peak_atoms(t: Tables, watch: int) -> int:
    """Return the highest balance of the window, today's included."""
    now = watched_atoms(t)
    if t.peaks[watch, RING, 1] == 0:
        return now
    return max(now, t.peaks[watch, PEAK_HEAD_ROWS + t.peaks[watch, RING, 0], BALANCE])


@kernel
def look_at_watches(t: Tables) -> None:
    """Bring the state of the watches up to date (R-W50)."""
    venue = t.venue
    if venue[V_ADL_WINDOW_STEPS] > 0:
        _look(t, ADL_WATCH, venue[V_ADL_DROP_PPM], venue[V_ADL_UNTIL_PPM])
    if venue[V_FUND_WINDOW_STEPS] > 0:
        _look(t, FUND_WATCH, venue[V_FUND_DROP_PPM], venue[V_FUND_UNTIL_PPM])


@kernel
def _look(t: Tables, watch: int, drop_ppm: int, until_ppm: int) -> None:
    """Switch a watch on or off: on from `drop_ppm` below the peak, off again nearer to it than `until_ppm`."""
    peak = peak_atoms(t, watch)
    share = until_ppm if t.peaks[watch, STATE, 0] else drop_ppm
    assert 0 < share <= PPM
    down = peak > 0 and watched_atoms(t) <= ppm_down(max(0, peak), PPM - share)
    t.peaks[watch, STATE, 0] = 1 if down else 0


@kernel
def is_down(t: Tables, watch: int, window: int) -> bool:
    """Say whether a watch with so long a window, 0 for none, was on at the last look."""
    return window > 0 and t.peaks[watch, STATE, 0] != 0


@kernel
def note_balances(t: Tables, step: int) -> None:
    """Take the sample of a step that ends (NONE: of the opening), for every watch there is, and look."""
    if t.venue[V_ADL_WINDOW_STEPS] > 0:
        _note(t, ADL_WATCH, t.venue[V_ADL_WINDOW_STEPS], step)
    if t.venue[V_FUND_WINDOW_STEPS] > 0:
        _note(t, FUND_WATCH, t.venue[V_FUND_WINDOW_STEPS], step)
    look_at_watches(t)


@kernel
def _note(t: Tables, watch: int, window: int, step: int) -> None:
    """Put a sample into the ring of a watch."""
    peaks = t.peaks
    size, balance = window + 1, watched_atoms(t)
    first, count = peaks[watch, RING, 0], peaks[watch, RING, 1]
    while count > 0 and peaks[watch, PEAK_HEAD_ROWS + (first + count - 1) % size, BALANCE] <= balance:
        count -= 1
    row = PEAK_HEAD_ROWS + (first + count) % size
    peaks[watch, row, AT_STEP] = step
    peaks[watch, row, BALANCE] = balance
    count += 1
    while peaks[watch, PEAK_HEAD_ROWS + first, AT_STEP] < step + 1 - window:
        first = (first + 1) % size
        count -= 1
    assert 0 < count <= size, "the newest sample is never too old"
    peaks[watch, RING, 0] = first
    peaks[watch, RING, 1] = count
