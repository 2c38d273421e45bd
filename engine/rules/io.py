"""Rule sets in and out: names and files, reforms, TOML, JSON schema, differences, hashes."""

from __future__ import annotations

import hashlib
import json
import operator
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

import tomli_w
from pydantic import BaseModel, ValidationError

from .base import NONE
from .flat import Plain, fields, plain
from .messages import at_line, did_you_mean, explain, line_numbers
from .presets import PRESETS
from .ruleset import RuleSet

ABSENT = "(absent)"
KIND = "kind"  # which of several tables may stand in a place (discriminators of unions)
Value = TypeVar("Value")


class RuleError(ValueError):
    """A rule set that cannot be: a line per mistake, with the place, what was wrong, what would be right."""


class _RuleFile(RuleSet):
    """What may stand in a rules file: a rule set, on top of a preset or of the defaults."""

    base: str | None = None
    """Preset that holds wherever the file says nothing."""


def load_rules(spec: str) -> RuleSet:
    """Return the rule set called `spec`: a preset or TOML file, and reforms after commas.

    `hyperliquid`, `my/venue.toml`, `hyperliquid,liquidation.act=false,margin.leverage_max=5`. With reforms
    the whole spec becomes the name. A venue that watches but never acts is `NAME,liquidation.act=false`;
    there is no other word for it. Raises RuleError.
    """
    head, *reforms = split_spec(spec)
    base = _preset_or_file(head.strip())
    if not reforms:
        return base
    data: dict[str, Any] = {**plain(base), "name": spec}
    changes = []
    for reform in reforms:
        path, equals, raw = reform.partition("=")
        if not equals or not path.strip():
            raise RuleError(f"{spec}: a reform is written key=value, e.g. margin.leverage_max=5 (got {reform!r})")
        changes.append((path.strip(), raw))
    for path, raw in _kinds_first(changes):
        set_value(data, path, raw)
    return _validate(data, head)


def from_toml(text: str, source: str) -> RuleSet:
    """Return the rule set a TOML text describes; `source` names it in messages. Raises RuleError.

    `base = "hyperliquid"` at the top takes every value the text does not give from that preset (tables are
    merged key by key; arrays such as `tiers` and tables of another `kind` are replaced whole); without it they are the
    defaults. Without
    `name` the rule set is called like the file, without folder and ending.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise RuleError(f"{at_line(source, int(line[1]) if line else 0)}: not TOML: {error}") from None
    merged: dict[str, Any] = {"name": Path(source).stem, **data}
    if "base" in merged:
        base = merged.pop("base")
        if not isinstance(base, str) or base not in PRESETS:
            where = at_line(source, line_numbers(text).get(("base",), 0))
            raise RuleError(f"{where}: base: must be one of {', '.join(PRESETS)} (got {base!r})")
        merged = _merged(plain(PRESETS[base]), merged)
    return _validate(merged, source, text)


def to_toml(rules: RuleSet) -> str:
    """Return the rule set as TOML, every field written out; `from_toml` gives back an equal one."""
    text = tomli_w.dumps(_with_words(plain(rules)))
    assert from_toml(text, rules.name) == rules, "what is written reads back as it was"
    return text


def _with_words(value: Any) -> Any:
    """Return plain values with the word for nothing in place of None."""
    if isinstance(value, dict):
        return {key: _with_words(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_with_words(item) for item in value]
    return NONE if value is None else value


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and everything in it: the kinds of a union, the values of a table."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _without_words(data: Mapping[str, Any], rule: type[BaseModel]) -> dict[str, Any]:
    """Return plain values of a rule with None for the word for nothing, wherever a rule may be left out."""
    found = dict(data)
    for key, value in data.items():
        field = rule.model_fields.get(key)
        kinds = [] if field is None else list(_parts(field.annotation))
        below = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if value == NONE and NoneType in kinds:
            found[key] = None
        elif isinstance(value, dict):
            for kind in below:
                entries = {name: _without_words(row, kind) for name, row in found[key].items() if isinstance(row, dict)}
                found[key] = _without_words({**found[key], **entries}, kind)
        elif isinstance(value, list):
            for kind in below:
                found[key] = [_without_words(row, kind) if isinstance(row, dict) else row for row in found[key]]
    return found


def replace(base: RuleSet, changes: Mapping[str, object], name: str = "") -> RuleSet:
    """Return `base` with values changed by dotted path: `replace(HYPERLIQUID, {"liquidation.act": False})`.

    Values are plain or rules (`{"charges.funding": None}`). Without `name` the result is called like the spec
    that would load it. Nothing is modified. Raises RuleError.
    """
    data: dict[str, Any] = plain(base)
    data["name"] = name or ",".join([base.name, *(f"{path}={_word(value)}" for path, value in changes.items())])
    for path, value in _kinds_first(changes.items()):
        _assign(data, path, value)
    return _with_own_classes(base, _validate(data, base.name))


def _with_own_classes(base: RuleSet, changed: RuleSet) -> RuleSet:
    """Return `changed` with the axes for which `base` has a class of the user's own made of that class again."""
    update = {}
    for axis in RuleSet.model_fields:
        before, after = getattr(base, axis), getattr(changed, axis)
        if type(before) is not type(after) and isinstance(before, type(after)):
            update[axis] = before.model_copy(update={name: getattr(after, name) for name in type(after).model_fields})
    return changed.model_copy(update=update) if update else changed


def set_value(data: dict[str, Any], path: str, raw: str) -> None:
    """Set one value of a nested dict, in place, from text as it would stand in TOML; bare words are strings.

    `path` is dotted, items of lists by number: `margin.tiers.0.initial_ppm`. Keys are checked when the whole
    is validated. Raises RuleError if the path leads through a plain value or to an item that is not there.
    """
    _assign(data, path, _parsed(raw))


def schema() -> dict[str, Any]:
    """Return the JSON schema of a rules file, for editors that complete and check TOML."""
    described = _RuleFile.model_json_schema()
    described["title"] = "delever rules"
    described["description"] = str(RuleSet.__doc__)
    described["properties"]["base"] = {
        "description": described["properties"]["base"]["description"],
        "enum": list(PRESETS),
        "type": "string",
    }
    for definition in described["$defs"].values():
        for entry in definition.get("properties", {}).values():
            if {"type": "null"} in entry.get("anyOf", []):
                entry["anyOf"] = [{"const": NONE} if kind == {"type": "null"} else kind for kind in entry["anyOf"]]
    return described


def diff(a: RuleSet, b: RuleSet) -> list[tuple[str, Plain, Plain]]:
    """Return (dotted path, value in a, value in b) of every field that differs, names left out.

    A table of tiers is one value, a list of rows. Where one side has no such field (a market, a number of a
    funding rule that is switched off) its value is ABSENT. `describe.quantity` writes values for a person.
    """
    left, right = fields(a), fields(b)
    paths = list(left) + [path for path in right if path not in left]
    pairs = ((path, left.get(path, ABSENT), right.get(path, ABSENT)) for path in paths)
    found = [(path, before, after) for path, before, after in pairs if before != after]
    assert bool(found) == (canonical_json(a) != canonical_json(b)), "a difference of rules is one of fields"
    return found


def canonical_json(rules: RuleSet) -> str:
    """Return the rules without their name as JSON with sorted keys and no spaces: equal rules, equal text."""
    content = {key: value for key, value in plain(rules).items() if key != "name"}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def rules_hash(rules: RuleSet) -> str:
    """Return the SHA-256 of the canonical JSON, 64 hexadecimal digits; a rule set renamed keeps its hash."""
    return hashlib.sha256(canonical_json(rules).encode("ascii")).hexdigest()


def _preset_or_file(name: str) -> RuleSet:
    if name in PRESETS:
        return PRESETS[name]
    file = Path(name)
    try:
        if file.is_file():
            return from_toml(file.read_text(encoding="utf-8"), name)
        if file.is_dir() and name:
            raise RuleError(f"{name}: is a folder; rules are a preset ({', '.join(PRESETS)}) or a TOML file")
    except OSError as error:
        raise RuleError(f"{name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RuleError(f"{name}: is not UTF-8 text; rules files are TOML") from None
    except ValueError as error:
        raise error if isinstance(error, RuleError) else RuleError(f"{name!r}: no such file") from None
    if file.suffix == ".toml" or len(file.parts) > 1:
        raise RuleError(f"{name}: no such file; the presets are {', '.join(PRESETS)}")
    raise RuleError(
        f"unknown rules {name!r}: the presets are {', '.join(PRESETS)}, and a path to a TOML file works too"
        + did_you_mean(name, PRESETS)
    )


def _validate(data: dict[str, Any], source: str, text: str = "") -> RuleSet:
    """Return the rule set of plain data; strict, as JSON, so that 5.0, "5" and true are no whole numbers."""
    data = _without_words(data, RuleSet)
    try:
        return RuleSet.model_validate_json(json.dumps(data, default=_jsonable), strict=True)
    except ValidationError as error:
        raise RuleError(explain(error, _RuleFile if text else RuleSet, source, text)) from None


def _jsonable(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return operator.index(value) if hasattr(value, "__index__") else str(value)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both tables in one; where both have a value the one above counts, and one of another kind counts alone."""
    if KIND in above and above[KIND] != below.get(KIND):
        return dict(above)
    both = dict(below)
    for key, value in above.items():
        under = both.get(key)
        both[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    assert both.keys() == below.keys() | above.keys()
    return both


def _kinds_first(changes: Iterable[tuple[str, Value]]) -> list[tuple[str, Value]]:
    """Return changes by dotted path with those of a `kind` in front, for they take away what another kind had."""
    return sorted(changes, key=lambda change: change[0].rpartition(".")[2] != KIND)


def _assign(data: dict[str, Any], path: str, value: object) -> None:
    assert isinstance(data, dict), "values are set in a table"
    *parents, last = path.split(".")
    if not all([*parents, last]):
        raise RuleError(f"{path!r}: must be keys with dots between them, e.g. margin.leverage_max")
    place: Any = data
    for depth, key in enumerate(parents, start=1):
        if isinstance(place, dict) and (place.get(key) is None or place[key] == NONE):
            place[key] = {}
        place = place[_item(place, key, path)] if isinstance(place, list) else place[key]
        if not isinstance(place, dict | list):
            raise RuleError(f"{path}: {'.'.join(parents[:depth])} is a value, it has no key {path.split('.')[depth]!r}")
    if isinstance(place, list):
        place[_item(place, last, path)] = value
    elif last == KIND and place.get(KIND) != value:
        place.clear()
        place[KIND] = value
    else:
        place[last] = value


def _item(place: list[Any], key: str, path: str) -> int:
    if not key.isdecimal() or int(key) >= len(place):
        raise RuleError(f"{path}: {key!r} must be the number of an item, 0 to {len(place) - 1}")
    return int(key)


def _parsed(raw: str) -> Any:
    """Return the TOML value of a text: number, boolean, quoted string, array, table; other text as it is."""
    word = raw.strip()
    try:
        parsed = tomllib.loads(f"value = {word}")
    except tomllib.TOMLDecodeError:
        return word
    value = parsed["value"]
    plain_value = isinstance(value, bool | int | float | str | list | dict)
    return value if plain_value and len(parsed) == 1 else word


def _word(value: object) -> str:
    """Return a value as it would stand in a spec."""
    if isinstance(value, str) or value is None:
        return value or NONE
    return json.dumps(value, default=_jsonable, separators=(",", ":"))


def split_spec(spec: str) -> list[str]:
    """Split at commas outside brackets and quotes."""
    pieces, depth, quote = [""], 0, ""
    for letter in spec:
        if letter == "," and depth == 0 and not quote:
            pieces.append("")
            continue
        pieces[-1] += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
    assert ",".join(pieces) == spec, "nothing is lost by splitting"
    return pieces
