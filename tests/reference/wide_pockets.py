"""Drawn rules for pockets (R-A40 to R-A43)."""

from __future__ import annotations

from random import Random
from typing import Any


def pockets(rng: Random, rules: dict[str, Any]) -> None:
    """Draw strict pockets or the search of a general account."""
    margin = rules["margin"]
    margin["isolated_allowed"] = True
    if rng.random() < 0.3:
        margin["pockets"] = {"kind": "strict"}
        return
    margin["mode"] = "isolated"
    search, initial, release = sorted(
        rng.choice([1_000_000, 1_100_000, 1_200_000, 1_400_000, 3_000_000, 10_000_000]) for _ in range(3)
    )
    margin["pockets"] = {"kind": "search", "search_ppm": search, "initial_ppm": initial, "release_ppm": release}
