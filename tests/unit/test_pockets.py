"""Pockets that the venue fills and empties (R-A40 to R-A43): levels, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from delever.engine.commands import Kind, batch
from delever.engine.margin import equity_atoms, health_atoms
from delever.engine.pockets import filled_level_atoms, search_level_atoms
from delever.engine.rules.margin import Margin
from delever.engine.rules.pockets import SearchPockets
from delever.engine.rules.ruleset import RuleSet
from delever.engine.state import Market
from delever.engine.venue import Venue

VEGA = {"kind": "search", "search_ppm": 1_100_000, "initial_ppm": 1_200_000, "release_ppm": 1_400_000}
# vegaprotocol/vega, core/integration/features/verified: the margin levels that the features print
PUBLISHED = [
    (15, (1_100_000, 1_200_000, 1_400_000), (16, 18, 21)),
    (29, (1_100_000, 1_200_000, 1_400_000), (31, 34, 40)),
    (8, (1_100_000, 1_200_000, 1_400_000), (8, 9, 11)),
    (156, (1_100_000, 1_200_000, 1_400_000), (171, 187, 218)),
    (2000, (3_200_000, 4_000_000, 5_000_000), (6400, 8000, 10000)),
]


def opened(pockets: dict[str, Any], **liquidation: Any) -> Venue:
    """Return a venue with two traders and one market of one atom a lot and tick."""
    rules = RuleSet.model_validate(
        {
            "margin": {"mode": "isolated", "pockets": pockets},
            "mark": {"components": ["index"]},
            "charges": {"maker_ppm": 0, "taker_ppm": 0, "funding": None},
            "liquidation": liquidation,
        }
    )
    return Venue(rules, [Market("M0", 1, 1000)], np.arange(2), first_index_ticks=[100], check=True)


@pytest.mark.parametrize(("maintenance", "factors", "levels"), PUBLISHED)
def test_levels_are_the_published_ones(
    maintenance: int, factors: tuple[int, int, int], levels: tuple[int, int, int]
) -> None:
    """R-A41: maintenance margin times each factor, cut to whole units; rule and kernels agree."""
    search, initial, release = factors
    rule = SearchPockets(search_ppm=search, initial_ppm=initial, release_ppm=release)
    assert rule.levels_atoms(maintenance) == levels
    t = opened(rule.model_dump()).tables
    assert (search_level_atoms(t, maintenance), filled_level_atoms(t, maintenance)) == levels[:2]


def test_a_fill_leaves_the_initial_level_in_the_pocket() -> None:
    """R-A42: whatever the fill moved, after the look the pocket stands at the initial level of its maintenance."""
    venue = opened(VEGA)
    deposits = batch(2, account=[0, 1], kind=Kind.DEPOSIT, amount=100_000)
    orders = batch(2, account=[0, 1], kind=Kind.LIMIT, side=[1, -1], lots=77, price_ticks=100)
    venue.process(np.concatenate([deposits, orders]), np.array([100]))
    for pocket in range(len(venue.tables.units) - 2, len(venue.tables.units)):
        equity, maintenance = health_atoms(venue.tables, pocket)
        assert maintenance == 193  # 7,700 * 2.5 % up
        assert equity == 231  # 193 * 1.2 = 231.6 down


def test_with_at_or_below_nobody_is_filled_to_a_level_in_distress() -> None:
    """R-A41: at a maintenance of 3 the initial level is 3 as well; the search goes one further."""
    venue = opened(VEGA, trigger="at_or_below")
    deposits = batch(2, account=[0, 1], kind=Kind.DEPOSIT, amount=1_000)
    orders = batch(2, account=[0, 1], kind=Kind.LIMIT, side=[1, -1], lots=1, price_ticks=100)
    report = venue.process(np.concatenate([deposits, orders]), np.array([100]))
    assert report.distressed == 0
    assert equity_atoms(venue.tables, len(venue.tables.units) - 2) == 4


@pytest.mark.parametrize(
    ("margin", "message"),
    [
        ({"mode": "cross", "pockets": VEGA}, "needs mode = 'isolated'"),
        ({"isolated_allowed": False, "pockets": {"kind": "strict"}}, "needs isolated_allowed = true"),
        ({"mode": "isolated", "pockets": VEGA | {"search_ppm": 1_300_000}}, "levels must rise"),
    ],
)
def test_what_means_nothing_is_refused(margin: dict[str, Any], message: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ValueError, match=message):
        Margin.model_validate(margin)
