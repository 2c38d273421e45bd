"""Drawn ways to share a loss (R-L4 to R-L7)."""

from __future__ import annotations

from random import Random
from typing import Any

RULES = ("winners", "step_profit", "session_profit", "session_profit", "open_interest", "deposits")


def loss_sharing(rng: Random, rules: dict[str, Any]) -> None:
    """Draw who pays, how atoms are rounded, and whether losses wait for the end of a session."""
    rule = rng.choice(RULES)
    drawn: dict[str, Any] = {"rule": rule}
    at_end = rng.random() < 0.3
    if rule == "session_profit" or at_end:
        drawn["session"] = {"length_s": rng.choice([1, 5, 20, 100]), "at_end": at_end}
    if rng.random() < 0.7:
        rounded = "paid" if rule == "open_interest" else rng.choice(["paid", "kept"])
        drawn["remainder"] = {"rounded": rounded, "to": rng.choice(["largest", "first", "last"])}
    rules["socialisation"] = drawn
    if rng.random() < 0.5:
        rules["insurance"] |= {"initial_quote": 1, "floor_quote": 0}
        rules["deleveraging"]["trigger"] = "none"
