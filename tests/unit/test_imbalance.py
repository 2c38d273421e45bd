"""Traders who read the book: which side they join, when they leave, and that a wall leads them astray."""

from __future__ import annotations

import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.agents.imbalance import Imbalance, ImbalanceParameters, tilts
from delever.engine.commands import C_LOTS, C_SIDE
from delever.engine.tables import L_LOTS
from tests.unit.board import MARK, Board, everybody, make
from tests.watched import NOISE, WARMUP_S, Seen, between, change, see, world

ALIKE = {"threshold_min": 0.5, "threshold_max": 0.5, "leverage": 2.0, "order_share": 0.5, "reach_ppm": 10_000.0}
REACH_TICKS = MARK // 100


def book(bids: int, asks: int, held: int = 0) -> Board:
    """Return a venue with so many lots at the end of their reach, and as many again just beyond it."""
    board = Board(1)
    for side, lots in ((-1, bids), (1, asks)):
        for away in (REACH_TICKS, REACH_TICKS + 1):
            board.tables.levels[0, MARK + side * (1 + away), L_LOTS] = lots
    board.hold(0, held)
    return board


@pytest.mark.parametrize(
    ("bids", "asks", "held", "expected"),
    [
        (300, 100, 0, [[1, 10_000]]),  # a tilt of a half: half of a full position of twice the equity
        (299, 101, 0, []),
        (100, 300, 0, [[-1, 10_000]]),
        (100, 300, 5_000, [[-1, 10_000]]),
        (200, 150, 5_000, []),  # 0.14 of 0.5 is above a quarter
        (200, 160, 5_000, [[-1, 5_000]]),
        (0, 0, -5_000, [[1, 5_000]]),
    ],
)
def test_they_join_the_heavier_side_and_leave_when_the_tilt_is_over(
    bids: int, asks: int, held: int, expected: list[list[int]]
) -> None:
    reader = make(Imbalance, 1, **ALIKE)
    orders = reader.decide(book(bids, asks, held).view(), everybody(reader))
    assert orders[:, [C_SIDE, C_LOTS]].tolist() == expected


def test_they_see_what_is_within_their_reach() -> None:
    assert tilts(book(300, 100).view(), 10_000.0) == pytest.approx([0.5])
    assert tilts(book(300, 100).view(), 5_000.0).tolist() == [0.0]


def test_they_conform() -> None:
    check_cohort(make(Imbalance, 20, first_row=3))


def test_a_range_that_falls_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold_min must not be above threshold_max"):
        ImbalanceParameters(threshold_min=0.5, threshold_max=0.2)


OPEN_S, BUILD_S, HOLD_S = 1_800, 300, 600
READERS = {
    "kind": "imbalance", "count": 40, "mean_interval_s": 20, "reach_ppm": 20_000, "wealth_quote_median": 5_000,
    "threshold_min": 0.4, "exit_share": 0.8,
}  # fmt: skip
SPOOFER = {
    "kind": "attacker", "count": 3, "wealth_quote_median": 200_000, "leverage": 0.2, "open_at_s": OPEN_S,
    "build_s": BUILD_S, "hold_s": HOLD_S, "wall_ppm": 10_000, "reach_ppm": 3_000,
}  # fmt: skip


def spoofed(wall_leverage: float) -> str:
    """Return a market around a constant index whose makers listen to trades, with readers and a wall, or none."""
    makers = {"kind": "maker", "count": 6, "index_share": 0.3}
    return world([makers, NOISE, READERS, SPOOFER | {"wall_leverage": wall_leverage}])


UP_S, PULLED_S = OPEN_S + BUILD_S - WARMUP_S, OPEN_S + BUILD_S + HOLD_S - WARMUP_S
"""Seconds after the warm-up at which the wall stands, and is pulled."""


def stands_bp(market: Seen) -> float:
    return market.premium_bp(UP_S + 60, PULLED_S)


def falls_bp(market: Seen) -> float:
    return market.premium_bp(PULLED_S + 60, PULLED_S + 360) - stands_bp(market)


def test_a_wall_lifts_the_price_while_it_stands_and_lets_it_fall_when_it_is_pulled() -> None:
    """Paired twin: the same owner without a wall."""
    wall, none = spoofed(3.0), spoofed(0.0)
    assert change(wall, none, range(1, 9), stands_bp).low > 0.0
    assert change(wall, none, range(1, 9), falls_bp).high < 0.0
    held = see(wall, 1).lots["imbalance"].sum(axis=1)
    assert held[between(UP_S + 60, PULLED_S)].min() > 0, "they are long while it stands"
    assert not np.any(held[between(PULLED_S + 360)]), "and have gone after it"
