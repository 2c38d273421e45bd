"""A rule set as plain values by dotted path: what is compared, cited and printed."""

from __future__ import annotations

from typing import TypeAlias

from .ruleset import RuleSet

Plain: TypeAlias = bool | int | str | list["Plain"] | dict[str, "Plain"] | None


def plain(rules: RuleSet) -> dict[str, Plain]:
    """Return the rule set as nested dicts and lists of bool, int, str and None."""
    dumped: dict[str, Plain] = rules.model_dump(mode="json")
    return dumped


def fields(rules: RuleSet) -> dict[str, Plain]:
    """Return value by dotted field path, in order of declaration, without the name.

    A table of tiers is one value: `margin.tiers`, and `margin.markets.SYMBOL` for each market with its own.
    """
    return _flatten({key: value for key, value in plain(rules).items() if key != "name"})


def _flatten(table: dict[str, Plain], prefix: str = "") -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for key, value in table.items():
        below = _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {prefix + key: value}
        assert not below.keys() & found.keys(), f"two fields are called {prefix}{key}"
        found.update(below)
    return found
