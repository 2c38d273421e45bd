"""The queues of a one-tick book are empty first as often as the chain says: Cont, Stoikov and Talreja (2010)."""

from __future__ import annotations

import numpy as np
import pytest

from delever.experiments.queue_model import Rates, chances_up, play

PUBLISHED = (
    (0.500, 0.336, 0.259, 0.216, 0.188),
    (0.664, 0.500, 0.407, 0.348, 0.307),
    (0.741, 0.593, 0.500, 0.437, 0.391),
    (0.784, 0.652, 0.563, 0.500, 0.452),
    (0.812, 0.693, 0.609, 0.548, 0.500),
)
"""Their table of the chance of a rise, from Laplace transforms, by bids and asks of 1 to 5 lots; quoted from memory."""


def test_the_chain_is_solved_as_published() -> None:
    assert chances_up(Rates())[:5, :5] == pytest.approx(np.array(PUBLISHED), abs=1.5e-3)


def test_without_cancellations_and_limit_orders_it_is_a_coin_tossed_until_one_side_is_gone() -> None:
    """From (1, 2) the asks are empty first if two market orders in a row take one: a quarter; from (2, 3) 5 in 16."""
    found = chances_up(Rates(limit=0.0, market=1.0, cancel=0.0))
    assert found[0, 1] == pytest.approx(1 / 4)
    assert found[1, 2] == pytest.approx(5 / 16)


def test_swapped_queues_swap_the_chances() -> None:
    found = chances_up(Rates(limit=1.0, market=0.5, cancel=0.2))
    assert found[:20, :20] + found[:20, :20].T == pytest.approx(np.ones((20, 20)))


def test_races_in_the_book_end_as_the_chain_says_within_a_hundredth() -> None:
    """75,000 races; three standard errors of the rarest state are less than a hundredth."""
    races = play(Rates(), seed=1, races=75_000, longest=3)
    error = np.sqrt(0.25 / races.seen)
    assert 3 * error.max() < 0.01
    assert np.abs(races.up / races.seen - chances_up(Rates())[:3, :3]).max() < 0.01
