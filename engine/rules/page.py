"""A rule set as a page of Markdown: every field by axis, where it comes from and how well it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from .describe import quantity
from .flat import fields
from .ruleset import RuleSet
from .sources import QUALITIES, Source


def page(rules: RuleSet, sources: Mapping[str, Source]) -> str:
    """Return the page of a rule set; `sources` by dotted path, as `presets.sources_of` gives them."""
    lines = [f"# {rules.name}", "", *_legend(sources)]
    values = fields(rules)
    for axis in RuleSet.model_fields:
        rule = getattr(rules, axis)
        if not isinstance(rule, BaseModel):
            continue
        rows = [path for path, value in values.items() if path.startswith(f"{axis}.") and value is not None]
        unused = [path for path, value in values.items() if path.startswith(f"{axis}.") and value is None]
        lines += ["", f"## {axis.capitalize()}", "", _first_sentence(type(rule)), ""]
        lines += ["| field | value | source | held | known |", "|---|---|---|---|---|"]
        lines += [_row(path, quantity(path, values[path]), sources.get(path)) for path in rows]
        if unused:
            lines += ["", f"Not in use: {', '.join(f'`{path}`' for path in unused)}."]
    return "\n".join([*lines, ""])


def _legend(sources: Mapping[str, Source]) -> Iterator[str]:
    """Yield what the last column means, and how many numbers are known how well."""
    if not sources:
        yield "Rules of one's own: no sources."
        return
    counts = {quality: sum(source.quality == quality for source in sources.values()) for quality in QUALITIES}
    yield f"{len(sources)} fields. How well each is known:"
    yield ""
    for quality, meaning in QUALITIES.items():
        yield f"- **{quality}** ({counts[quality]}): {meaning}"


def _row(path: str, value: str, source: Source | None) -> str:
    text, date, known = ("", "", "") if source is None else (source.text, source.date, f"**{source.quality}**")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{path}`", value, text, date, known)) + " |"


def _first_sentence(kind: type[BaseModel]) -> str:
    return (kind.__doc__ or "").strip().split("\n")[0]
