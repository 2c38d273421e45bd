"""Drawn choices of the matching axis (R-H, R-O20 to R-O29)."""

from __future__ import annotations

from random import Random
from typing import Any


def widen_matching(rng: Random, rules: dict[str, Any]) -> None:
    """Draw auctions at an interval, how their price is found and how their orders are margined."""
    matching = rules["matching"]
    if rng.random() < 0.6:
        matching["batch"] = {"interval_s": rng.choice([1, 1, 2, 5, 12])}
        if rng.random() < 0.7:
            matching["auction"] = {
                "tie": rng.choice(["reference", "pressure", "middle"]),
                "margin": rng.choice(["mark", "indicative"]),
            }
