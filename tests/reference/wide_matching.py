"""Drawn choices of the matching axis (R-H, R-O20 to R-O24)."""

from __future__ import annotations

from random import Random
from typing import Any


def widen_matching(rng: Random, rules: dict[str, Any]) -> None:
    """Draw an allocation; auctions at an interval, how their price is found and how their orders are margined."""
    matching = rules["matching"]
    if rng.random() < 0.6:
        matching["batch"] = {"interval_s": rng.choice([1, 1, 2, 5, 12])}
        if rng.random() < 0.7:
            matching["auction"] = {
                "tie": rng.choice(["reference", "pressure", "middle"]),
                "margin": rng.choice(["mark", "indicative"]),
            }
            # By a generator of its own, so that the worlds of seeds that are named somewhere stay what they were.
            matching["auction"]["persistent_only"] = Random(f"persistent {rng.getstate()[1][:4]}").random() < 0.3
    if rng.random() < 0.6:
        matching["allocation"] = _allocation(rng)


def _allocation(rng: Random) -> dict[str, Any]:
    least = rng.choice([1, 1, 2, 5])
    top = {"minimum_lots": rng.choice([1, 1, 4]), "maximum_lots": rng.choice([0, 0, 3])}
    kind = rng.choice(["pro_rata", "top_pro_rata", "split", "split"])
    if kind == "pro_rata":
        rounding = rng.choice(["down", "nearest"])
        return {"kind": kind, "minimum_lots": least, "board_lots": rng.choice([1, 1, 3, 10]), "rounding": rounding}
    if kind == "top_pro_rata":
        return {"kind": kind, "minimum_lots": least, "top": top}
    leads = rng.sample(range(8), rng.choice([0, 1, 3]))
    return {
        "kind": kind,
        "top": top if rng.random() < 0.5 else None,
        "lead_keys": leads,
        "lead_ppm": rng.choice([1, 200_000, 1_000_000]) if leads else 0,
        "fifo_ppm": rng.choice([0, 400_000, 1_000_000]),
        "minimum_lots": least,
        "levelling": rng.random() < 0.5,
    }
