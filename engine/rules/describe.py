"""A rule set in words: every field with its unit, what it means, and where the number comes from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from pydantic import BaseModel

from .base import ATOMS_PER_QUOTE, PPB, PPM
from .flat import Plain, fields
from .margin import Margin, Tier
from .ruleset import RuleSet
from .sources import QUALITIES, Source

WIDTH = 100


def describe(rules: RuleSet, sources: Mapping[str, Source] | None = None) -> str:
    """Return the rule set as text for a person, with `sources` by dotted path (`presets.sources_of`)."""
    cited = sources or {}
    assert cited.keys() <= fields(rules).keys(), "a source of no field"
    lines = [rules.name, "=" * len(rules.name)]
    if cited:
        lines += ["", "Each value is followed by what it means and, in brackets, by how well it is known:"]
        lines += [f"  {quality}: {meaning}" for quality, meaning in QUALITIES.items()]
    for axis in RuleSet.model_fields:
        rule = getattr(rules, axis)
        if isinstance(rule, BaseModel):
            lines += ["", *_indented(f"{axis}: {_summary(rule)}", 0), *_rule(rule, axis, cited)]
    return "\n".join(lines) + "\n"


def quantity(path: str, value: Plain) -> str:
    """Return a plain value (as in `fields`, `diff`) with its unit, which is the last word of its path."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not value:
        return "none"
    if isinstance(value, list):
        return "; ".join(_row(row) for row in value) if _is_table(value) else ", ".join(map(str, value))
    if isinstance(value, dict):
        return "none" if not value else ", ".join(value)
    if isinstance(value, str):
        return value
    if path.endswith("_ppm"):
        return f"{value:,} ppm ({_percent(value, PPM)})"
    if path.endswith("_ppb"):
        return f"{value:,} ppb ({_percent(value, PPB)})"
    assert isinstance(value, int), f"{path} has an unknown kind of value"
    unit = {"quote": " quote units", "s": " s"}.get(path.rpartition("_")[2], "")
    return f"{value:,}{unit}"


def _rule(rule: BaseModel, prefix: str, cited: Mapping[str, Source]) -> list[str]:
    lines = []
    for name, field in type(rule).model_fields.items():
        path, value, doc = f"{prefix}.{name}", getattr(rule, name), field.description or ""
        if isinstance(value, BaseModel):
            lines += [*_indented(f"{path}: {_summary(value)}", 2), *_rule(value, path, cited)]
        elif isinstance(rule, Margin) and name == "tiers":
            lines += [f"  {path}", *_tiers(rule, ""), *_notes(doc, cited.get(path))]
        elif isinstance(rule, Margin) and name == "markets" and value:
            for symbol in value:
                market = f"{path}.{symbol}"
                lines += [f"  {market}", *_tiers(rule, symbol), *_notes("", cited.get(market))]
        elif isinstance(value, dict) and value:
            for key, entry in value.items():
                lines += [*_indented(f"{path}.{key}: {_summary(entry)}", 2), *_rule(entry, f"{path}.{key}", cited)]
        else:
            rows = (
                [row.model_dump() if isinstance(row, BaseModel) else row for row in value or ()]
                if isinstance(value, tuple)
                else value
            )
            shown = quantity(path, rows)
            lines += [f"  {path} = {shown}", *_notes(doc, cited.get(path))]
    return lines


def _summary(rule: BaseModel) -> str:
    return str(type(rule).__doc__).splitlines()[0]


def _notes(doc: str, source: Source | None) -> list[str]:
    notes = _indented(doc, 6)
    if source is not None:
        known = f"{source.quality}, {source.date}" if source.date else source.quality
        notes += _indented(f"[{known}] {source.text}", 6)
    return notes


def _indented(text: str, columns: int) -> list[str]:
    indent = " " * columns
    return textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)


def _tiers(margin: Margin, symbol: str) -> list[str]:
    if margin.markets.get(symbol) == margin.tiers:
        return ["    the same brackets as margin.tiers"]
    return [
        f"    from {floor // ATOMS_PER_QUOTE:,}: leverage up to {_leverage(initial)}, initial "
        f"{_percent(initial, PPM)}, maintenance {_percent(maintenance, PPM)}, "
        f"deduction {deduction // ATOMS_PER_QUOTE:,}"
        for floor, initial, maintenance, deduction in margin.table(symbol)
    ]


def _is_table(value: list[Plain]) -> bool:
    return bool(value) and isinstance(value[0], dict)


def _row(row: Plain) -> str:
    """Return a row of named numbers in words; a bracket of margin in its usual short form."""
    assert isinstance(row, dict), "a table has rows of named numbers"
    if row.keys() == Tier.model_fields.keys():
        tier = Tier.model_validate(row)
        return f"from {tier.floor_quote:,} {_leverage(tier.initial_ppm)}x/{_percent(tier.maintenance_ppm, PPM)}"
    return ", ".join(f"{name} {quantity(name, value)}" for name, value in row.items())


def _leverage(initial_ppm: int) -> str:
    return f"{round(PPM / initial_ppm, 1):g}"


def _percent(value: int, whole: int) -> str:
    return f"{100 * value / whole:.10g} %"
