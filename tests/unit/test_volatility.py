"""Realised volatility and average true range, against what they are of marks one knows."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.volatility import SAMPLES, average_true_range_ticks, equal_weights, fading_weights, realised_ppm
from tests.unit.board import MARK, Board, Ints

HERE = np.zeros(1, dtype=np.int64)


def zigzag(steps: int, ticks: int) -> Ints:
    """Return marks that move up and down by `ticks`, a step each way."""
    return (MARK + ticks * (np.arange(steps) % 2)).astype(np.int64)[:, np.newaxis]


def walk(steps: int, sd_ppm: float, seed: int) -> Ints:
    moves = np.random.default_rng(seed).normal(0.0, sd_ppm / 1e6, steps)
    return (1e9 * np.exp(np.cumsum(moves)))[:, np.newaxis].astype(np.int64)


def test_a_move_every_step_is_the_volatility_whatever_the_weights() -> None:
    view = Board().view(100, zigzag(100, 16))
    for weights in (equal_weights(), fading_weights(0.8)):
        assert realised_ppm(view, HERE, np.array([float(SAMPLES)]), weights) == pytest.approx(1_000, rel=0.002)
    # Every other move of a zigzag is none.
    assert realised_ppm(view, HERE, np.array([2.0 * SAMPLES]), equal_weights()) == 0.0


def test_a_random_walk_is_measured_right_over_any_horizon() -> None:
    for horizon_s in (32.0, 320.0, 1_600.0):
        found = [
            float(
                realised_ppm(
                    Board().view(2_000, walk(2_000, 50.0, seed)), HERE, np.array([horizon_s]), equal_weights()
                )[0]
            )
            for seed in range(40)
        ]
        assert np.sqrt(np.mean(np.square(found))) == pytest.approx(50.0, rel=0.06)


def test_fading_weights_fall_by_their_ratio_and_forget() -> None:
    weights = fading_weights(0.94)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights[1:] / weights[:-1] == pytest.approx(0.94)
    marks = np.concatenate([zigzag(100, 160), np.full((100, 1), MARK)])
    quiet = [
        realised_ppm(Board().view(200, marks[: 101 + age]), HERE, np.array([32.0]), weights)[0] for age in (1, 9, 20)
    ]
    assert quiet[0] > quiet[1] > quiet[2] > 0.0


def test_the_true_range_includes_the_gap_from_the_bar_before() -> None:
    """Bars of four steps: 100 to 104, then a gap to 110 to 112, whose range begins at the 104 before it."""
    marks = np.array([100, 100, 102, 101, 104, 110, 111, 112, 110], dtype=np.int64)[:, np.newaxis]
    view = Board().view(9, marks)
    assert average_true_range_ticks(view, 0, 4.0, 14) == ((104 - 100) + (112 - 104)) / 2
    assert average_true_range_ticks(view, 0, 4.0, 1) == 8.0
    assert average_true_range_ticks(view, 0, 9.0, 14) == 0.0, "no bar is over"
