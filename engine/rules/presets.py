"""Rule sets that come with delever, and where each of their numbers comes from."""

from __future__ import annotations

from . import binance, hyperliquid, textbook
from .binance import BINANCE_USDM
from .flat import fields
from .hyperliquid import HYPERLIQUID
from .ruleset import RuleSet
from .sources import Source
from .textbook import TEXTBOOK

__all__ = ["BINANCE_USDM", "HYPERLIQUID", "PRESETS", "SOURCES", "TEXTBOOK", "sourced", "sources_of"]

PRESETS: dict[str, RuleSet] = {rules.name: rules for rules in (TEXTBOOK, HYPERLIQUID, BINANCE_USDM)}

SOURCES: dict[str, dict[str, Source]] = {
    TEXTBOOK.name: textbook.SOURCES,
    HYPERLIQUID.name: hyperliquid.SOURCES,
    BINANCE_USDM.name: binance.SOURCES,
}

assert PRESETS.keys() == SOURCES.keys(), "every preset has its sources"


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
