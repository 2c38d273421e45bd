"""All worked examples that can be played."""

from __future__ import annotations

from types import ModuleType

from . import dydx, liquidation_prices
from .examples import Example

MODULES: tuple[ModuleType, ...] = (liquidation_prices, dydx)

EXAMPLES: list[Example] = [
    found for module in MODULES for thing in vars(module).values() for found in getattr(thing, "examples", [])
]
