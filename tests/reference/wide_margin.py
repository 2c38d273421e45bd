"""Drawn schedules of margin and add-ons to it (R-A20 to R-A35)."""

from __future__ import annotations

from random import Random
from typing import Any

from .state import ATOMS_PER_QUOTE, PPM, ceil_div

Rules = dict[str, Any]
KINDS = ("flat", "bracketed", "stepped", "stepped_lots", "affine", "square_root", "skew_scaled", "weights", "model")

RATE_MAX_PPM = 900_000
"""Highest rate: with a closing fee on top a requirement still rises no faster than the value (decision 0003)."""


def schedules(rng: Random, rules: Rules) -> None:
    """Draw a schedule for all markets or for one, valuation and closing fee."""
    margin = rules["margin"]
    if rng.random() < 0.7:
        margin["schedule"] = _schedule(rng, margin["tiers"])
    if rng.random() < 0.5:
        margin["schedules"] = {"M0": _schedule(rng, margin["tiers"])}
    if rng.random() < 0.25:
        margin["valuation"] = {"price": rng.choice(["mark", "entry", "entry"])}
    if rng.random() < 0.4:
        price = rng.choice(["mark", "bankruptcy"])
        margin["closing_fee"] = {"rate_ppm": rng.choice([0, 600, 5_000, 50_000]), "price": price}
        if price == "bankruptcy" and (margin.get("pockets") or {}).get("kind") == "search":
            margin["closing_fee"]["price"] = "mark"
    lower_levels(margin)


def add_ons(rng: Random, rules: Rules) -> None:
    """Draw what is added to initial margin, and to maintenance margin with volatility."""
    margin = rules["margin"]
    if rng.random() < 0.4:
        lower = rng.choice([0, 1, 100, 10_000])
        caps = {"lower_quote": lower, "upper_quote": rng.choice([0, lower + 1, lower * 3 + 5])}
        margin["open_interest"] = {**caps, "markets": rng.choice([None, {"M1": {"lower_quote": 0, "upper_quote": 7}}])}
    if rng.random() < 0.4:
        slope = rng.choice([1, 10_000, 3_000_000])
        margin["skew"] = {
            "measure": rng.choice(["own", "venue"]),
            "slope_ppm": slope,
            "slope_lots": rng.choice([1, 70]),
        }
    if rng.random() < 0.4:
        free = rng.choice([0, 100_000, 500_000])
        margin["concentration"] = {"threshold_ppm": free, "slope_ppm": rng.choice([3, 100_000, 2_000_000])}
    if rng.random() < 0.6:
        margin["volatility"] = {
            "source": rng.choice(["index", "mark"]),
            "interval_s": rng.choice([1, 3, 10]),
            "decay_ppm": rng.choice([0, 500_000, 940_000, 999_999]),
            "multiple_ppm": rng.choice([1, PPM, 3_000_000, 30_000_000]),
            "floor_ppm": rng.choice([0, 1_000, 20_000]),
            "rate_max_ppm": rng.choice([20_000, 300_000, RATE_MAX_PPM]),
            "maintenance_share_ppm": rng.choice([0, 0, 500_000, 999_999]),
        }
    lower_levels(margin)


def _schedule(rng: Random, tiers: list[dict[str, int]]) -> Rules:
    kind = rng.choice(KINDS)
    initial = rng.choice([7_001, 20_000, 50_000, 100_000])
    maintenance = rng.randint(initial // 5, initial * 4 // 5)
    two: Rules = {"kind": kind, "initial_ppm": initial, "maintenance_ppm": maintenance}
    sized = two | {
        "slope_ppm": rng.choice([0, 1, 333, 20_000, 2_000_000]),
        "slope_lots": rng.choice([4, 7, 1_000]),
        "rate_max_ppm": rng.choice([initial, min(RATE_MAX_PPM, 3 * initial), RATE_MAX_PPM]),
    }
    if kind == "bracketed":
        return {"kind": kind, "tiers": _published(rng, tiers)}
    if kind == "stepped":
        return {"kind": kind, "steps": tiers}
    if kind == "stepped_lots":
        rows = [{**row, "floor_lots": min(i * 9, row["floor_quote"])} for i, row in enumerate(tiers)]
        return {"kind": kind, "steps": [{k: v for k, v in row.items() if k != "floor_quote"} for row in rows]}
    if kind == "square_root":
        return sized | {"share_ppm": rng.choice([0, 800_000, PPM])}
    if kind == "skew_scaled":
        del sized["maintenance_ppm"]
        scale = rng.choice([300_000, 500_000, PPM])
        return sized | {"maintenance_scale_ppm": scale, "minimum_atoms": rng.choice([0, 1, 1_000, 10**8])}
    if kind == "weights":
        short = rng.choice([initial, 2 * initial])
        return {
            "kind": kind,
            "initial_asset_ppm": PPM - initial,
            "maintenance_asset_ppm": PPM - maintenance,
            "initial_liability_ppm": PPM + short,
            "maintenance_liability_ppm": PPM + maintenance * short // initial,
        }
    if kind == "model":
        return {
            "kind": kind,
            "long_ppm": maintenance,
            "short_ppm": rng.choice([0, maintenance, 3 * maintenance]),
            "slippage_ppm": rng.choice([1, 10_000, 100_000]),
            "initial_scale_ppm": rng.choice([PPM, 1_200_000, 2_000_000]),
            "funding_share_ppm": rng.choice([0, 500_000, PPM]),
        }
    return two if kind == "flat" else sized


def _published(rng: Random, tiers: list[dict[str, int]]) -> list[dict[str, int]]:
    """Return tiers with deductions that join, or that let the requirement jump up."""
    found: list[dict[str, int]] = []
    for tier in tiers:
        highest = 0
        if found:
            rise = tier["maintenance_ppm"] - found[-1]["maintenance_ppm"]
            highest = found[-1]["deduction_atoms"] + tier["floor_quote"] * ATOMS_PER_QUOTE * rise // PPM
        found.append({**tier, "deduction_atoms": rng.choice([highest, highest, highest // 2])})
    return found


def lower_levels(margin: Rules) -> None:
    """Bring the levels of margin calls and of the search within what the steepest of the drawn requirements allows."""
    drawn = [margin.get("schedule"), *(margin.get("schedules") or {}).values()]
    steepest = max([_steepest(schedule) for schedule in drawn if schedule] + [_steepest({"tiers": margin["tiers"]})])
    steepest = max([steepest, *(_steepest({"tiers": tiers}) for tiers in margin["markets"].values())])
    if rule := margin.get("volatility"):
        steepest = max(steepest, ceil_div(rule["rate_max_ppm"] * rule["maintenance_share_ppm"], PPM))
    if rule := margin.get("closing_fee"):
        steepest += rule["rate_ppm"]
    call = min(margin["call_ppm"], PPM * PPM // steepest)
    margin["call_ppm"] = call if call > PPM else 0
    if (rule := margin.get("pockets")) and rule["kind"] == "search":
        rule["search_ppm"] = max(PPM, min(rule["search_ppm"], PPM * PPM // steepest))


def _steepest(schedule: Rules) -> int:
    """Return the highest maintenance rate of a schedule."""
    if rows := schedule.get("tiers") or schedule.get("steps"):
        return max(row["maintenance_ppm"] for row in rows)
    if schedule["kind"] == "weights":
        return max(PPM - schedule["maintenance_asset_ppm"], schedule["maintenance_liability_ppm"] - PPM)
    if schedule["kind"] == "model":
        factor = max(schedule["long_ppm"], schedule["short_ppm"])
        return int(factor + schedule["slippage_ppm"] + schedule["funding_share_ppm"])
    return int(schedule.get("rate_max_ppm", schedule.get("maintenance_ppm")))
