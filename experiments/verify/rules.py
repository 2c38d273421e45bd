"""Rule sets for worked examples: a preset's, or plain ones, with the numbers that a case gives in place of its own."""

from __future__ import annotations

from typing import Any

from delever.engine.rules.io import replace
from delever.engine.rules.presets import PRESETS
from delever.engine.rules.ruleset import RuleSet

from .desk import LOTS_FINE, Number, exact, lots_max

PPM = 10**6

# A state is built by trades: without charges, collars and a fund of its own the case's money is all there is.
BARE: dict[str, Any] = {
    "contract.lots_max": lots_max(LOTS_FINE),
    "contract.orders_per_account_max": 100,
    "charges.maker_ppm": 0,
    "charges.taker_ppm": 0,
    "charges.liquidation_ppm": 0,
    "charges.funding": None,
    "halts.collar_ppm": 0,
    "insurance.initial_quote": 0,
    "mark": {"components": ["index"], "window_s": 1, "renew_in_rounds": False},
}


def ppm(rate: Number) -> int:
    """Return a rate in parts per million, to the nearest."""
    return round(exact(rate) * PPM)


def under(preset: str, changes: dict[str, Any] | None = None, *, bare: bool = True) -> RuleSet:
    """Return the rules of a preset with what a case changes; `bare` takes away charges, collar, fund and mark."""
    return replace(PRESETS[preset], {**(BARE if bare else {}), **(changes or {})}, name=preset)


def rates(initial: Number, maintenance: Number) -> dict[str, Any]:
    """Return the changes that give every market one pair of rates, in cross margin."""
    return {"margin": {"schedule": flat(initial, maintenance), "tiers": TIERS, "mode": "cross"}}


TIERS = [{"floor_quote": 0, "initial_ppm": PPM, "maintenance_ppm": 1}]


def flat(initial: Number, maintenance: Number) -> dict[str, Any]:
    """Return a schedule with one pair of rates."""
    return {"kind": "flat", "initial_ppm": max(1, ppm(initial)), "maintenance_ppm": ppm(maintenance)}
