"""All worked examples that can be played."""

from __future__ import annotations

from types import ModuleType

from . import (
    binance,
    bitmex,
    drift,
    dydx,
    dydx_offsets,
    dydx_rates,
    halts,
    inverse_prices,
    liquidation_prices,
    mango,
    matching,
    synthetix,
    vega,
    vega_network,
    vega_prices,
    venues,
)
from .examples import Example

MODULES: tuple[ModuleType, ...] = (
    binance,
    bitmex,
    drift,
    dydx,
    dydx_offsets,
    dydx_rates,
    halts,
    inverse_prices,
    liquidation_prices,
    mango,
    matching,
    synthetix,
    vega,
    vega_network,
    vega_prices,
    venues,
)

EXAMPLES: list[Example] = [
    found for module in MODULES for thing in vars(module).values() for found in getattr(thing, "examples", [])
]
