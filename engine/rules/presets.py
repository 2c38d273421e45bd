"""Rule sets that come with delever, and where each of their numbers comes from."""

from __future__ import annotations

from types import ModuleType

from .flat import fields
from .ruleset import RuleSet
from .sources import Source
from .venues import (
    binance_coinm,
    binance_usdm,
    bitmex,
    bybit_inverse,
    bybit_linear,
    ccp_futures,
    deribit,
    drift_v2,
    dydx_v4,
    hyperliquid,
    kraken_futures,
    mango_v4,
    okx,
    perp_v2,
    synthetix_v3,
    textbook,
    vega,
)

__all__ = ["BINANCE_USDM", "HYPERLIQUID", "PRESETS", "SOURCES", "TEXTBOOK", "sourced", "sources_of"]

VENUES: tuple[ModuleType, ...] = (
    textbook,
    hyperliquid,
    binance_usdm,
    binance_coinm,
    bybit_linear,
    bybit_inverse,
    okx,
    bitmex,
    deribit,
    dydx_v4,
    drift_v2,
    vega,
    kraken_futures,
    synthetix_v3,
    mango_v4,
    perp_v2,
    ccp_futures,
)
"""A file each under venues/, with the constants RULES and SOURCES."""

PRESETS: dict[str, RuleSet] = {venue.RULES.name: venue.RULES for venue in VENUES}

SOURCES: dict[str, dict[str, Source]] = {venue.RULES.name: venue.SOURCES for venue in VENUES}

TEXTBOOK, HYPERLIQUID, BINANCE_USDM = textbook.RULES, hyperliquid.RULES, binance_usdm.RULES

assert len(PRESETS) == len(VENUES), "every preset has a name of its own"


def sourced(rules: RuleSet) -> set[str]:
    """Return the paths of all fields that need a source: what a rule set leaves out (None) has no number to cite."""
    return {path for path, value in fields(rules).items() if value is not None}


def sources_of(rules: RuleSet) -> dict[str, Source]:
    """Return the sources of a preset, or of a reform of one for the fields the reform left alone.

    The preset is known by the rule set's name up to the first comma; rules of any other name have no sources.
    """
    preset = rules.name.split(",")[0]
    if preset not in PRESETS:
        return {}
    before, now = fields(PRESETS[preset]), fields(rules)
    assert sourced(PRESETS[preset]) == SOURCES[preset].keys(), "a source for every field, a field for every source"
    return {path: source for path, source in SOURCES[preset].items() if now.get(path) == before[path]}
