"""All worked examples that can be played."""

from __future__ import annotations

from types import ModuleType

from . import binance, bitmex, dydx, halts, liquidation_prices, matching, venues
from .examples import Example

MODULES: tuple[ModuleType, ...] = (liquidation_prices, dydx, matching, binance, bitmex, venues, halts)

EXAMPLES: list[Example] = [
    found for module in MODULES for thing in vars(module).values() for found in getattr(thing, "examples", [])
]
