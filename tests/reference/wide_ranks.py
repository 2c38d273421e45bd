"""Drawn worlds: every rank of deleveraging (R-W80 to R-W84)."""

from __future__ import annotations

from random import Random
from typing import Any

from .adl_ranks import SPLIT

QUEUES = ("pnl_leverage", "leveraged_return", "pnl", "leverage", "size", "random_start")


def draw_rank(rng: Random, rules: dict[str, Any]) -> None:
    """Draw a rank that `random_rules` does not know, and see to it that somebody is deleveraged."""
    rules["deleveraging"]["rank"] = rng.choice([*QUEUES, *SPLIT])
    rules["deleveraging"].pop("least_balance_quote", None)
    if rules["deleveraging"]["trigger"] == "none":
        rules["deleveraging"]["trigger"] = "equity_below_zero"
