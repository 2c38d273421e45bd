"""One line per mistake: where it is, what was wrong, what would be right. For rules and scenarios alike."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

Place = tuple[str, ...]

_KEY = r"(?:\"[^\"]*\"|'[^']*'|[\w-]+)"
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=(.*)")
_QUOTED_OR_COMMENT = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*")

_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table of keys",
    "model": "a table of keys",
}


def explain(error: ValidationError, model: type[BaseModel], source: str = "", text: str = "") -> str:
    """Return all mistakes of a file or table, one a line: `file.toml:12: margin.mode: must be ... (got ...)`.

    `model` is what was validated (it knows the keys that would be right), `source` the name to show, `text`
    the TOML in which lines are looked up; a mistake whose key is not in it has no line number.
    """
    lines = line_numbers(text)
    mistakes = []
    for mistake in error.errors(include_url=False):
        path, keys = _locate(model, mistake["loc"])
        line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 0)
        where = [at_line(source, line), ".".join(path)]
        mistakes.append(": ".join([part for part in where if part] + [_sentence(mistake, path, keys)]))
    assert len(mistakes) == error.error_count() > 0, "a line for every mistake"
    return "\n".join(mistakes)


def at_line(source: str, line: int) -> str:
    """Return `source:line`, or the source alone where the line is not known (0)."""
    assert line >= 0
    return f"{source}:{line}" if source and line else source


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the word most like it, or nothing."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def line_numbers(text: str) -> dict[Place, int]:
    """Return the line (from 1) of every table and key of a TOML text, by path; array items by their number.

    A table that has no line of its own has that of the first line in it. It reads lines, not TOML: keys
    inside inline tables are not found, and a multi-line string that looks like TOML is taken for it.
    """
    found: dict[Place, int] = {}
    arrays: dict[Place, int] = {}  # path of an array of tables, or of an open array -> number of its last item
    table: Place = ()
    array, depth = (), 0  # type: tuple[Place, int]
    for number, line in enumerate(text.splitlines(), start=1):
        if depth > 0:
            if line.lstrip().startswith("{"):
                arrays[array] = arrays.get(array, -1) + 1
                found.setdefault((*array, str(arrays[array])), number)
            depth += _opened(line)
        elif header := _HEADER.match(line):
            *parents, last = _keys(header[2])
            table = (*_absolute(parents, arrays), last)
            if header[1] == "[[":
                arrays[table] = arrays.get(table, -1) + 1
                table = (*table, str(arrays[table]))
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            array = (*table, *_keys(assignment[1]))
            found.setdefault(array, number)
            depth = _opened(assignment[2])
    for path, number in list(found.items()):
        for length in range(1, len(path)):
            found.setdefault(path[:length], number)
    return found


def _keys(dotted: str) -> list[str]:
    return [key.strip("\"'") for key in re.findall(_KEY, dotted)]


def _absolute(keys: Iterable[str], arrays: Mapping[Place, int]) -> Place:
    """Return the path in which `[a.b]` after `[[a]]` means the last item of a."""
    path: Place = ()
    for key in keys:
        path = (*path, key)
        if path in arrays:
            path = (*path, str(arrays[path]))
    return path


def _opened(fragment: str) -> int:
    """Return how many more square brackets are opened than closed, strings and comments left out."""
    bare = _QUOTED_OR_COMMENT.sub("", fragment)
    return bare.count("[") - bare.count("]")


def _locate(model: type[BaseModel], location: Sequence[int | str]) -> tuple[Place, list[str]]:
    """Return the path as a user writes it, and the keys that would be right beside its last one."""
    kind: Any = model
    path: Place = ()
    keys: list[str] = []
    for element in location:
        kind = _bare(kind)
        if isinstance(kind, tuple):  # a choice of tables: here pydantic names the chosen one, which no file does
            kind = next((member for member in kind if _is_called(member, element)), None)
            continue
        keys = list(kind.model_fields) if _is_model(kind) else []
        path = (*path, str(element))
        kind = _inside(kind, element)
    assert len(path) <= len(location), "a place is left out, never added"
    return path, keys


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _bare(kind: Any) -> Any:
    """Return the type without annotations and without None; a tuple of types if it is a choice of several."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        members = tuple(_bare(member) for member in get_args(kind) if member is not type(None))
        return members if len(members) > 1 else members[0]
    return kind


def _is_called(member: Any, tag: int | str) -> bool:
    """Say whether pydantic calls this member of a union `tag`: by its class, or a key with a fixed value."""
    if not _is_model(member):
        return bool(getattr(member, "__name__", None) == tag)
    fixed = [field.annotation for field in member.model_fields.values() if get_origin(field.annotation) is Literal]
    return member.__name__ == tag or any(tag in get_args(annotation) for annotation in fixed)


def _inside(kind: Any, element: int | str) -> Any:
    """Return the type of what lies under a key or number."""
    if _is_model(kind):
        field = kind.model_fields.get(element)
        return field.annotation if field else None
    inner = get_args(kind)
    if not inner:
        return None
    return inner[-1] if isinstance(element, str) else inner[0]


def _sentence(mistake: Any, path: Place, keys: list[str]) -> str:
    """Return what was wrong and what would be right."""
    name, context, got = mistake["type"], mistake.get("ctx", {}), f"(got {_shown(mistake['input'])})"
    if name == "extra_forbidden":
        known = did_you_mean(path[-1], keys) or (f"; known keys: {', '.join(keys)}" if keys else "")
        return f"unknown key{known}"
    if name == "missing":
        return "is missing"
    if name in _BOUNDS:
        words, bound = _BOUNDS[name]
        return f"must be {words} {context[bound]} {got}"
    if name == "literal_error":
        close = did_you_mean(str(mistake["input"]), re.findall(r"'([^']*)'", context["expected"]))
        return f"must be {context['expected']} {got}{close}"
    if name in ("union_tag_invalid", "union_tag_not_found"):
        choices = context.get("expected_tags", "one of the known kinds")
        return f"{context['discriminator']} must be {choices} (got {context.get('tag', 'none')})"
    if name == "value_error":
        return str(context["error"])
    family, _, rest = name.partition("_")
    if family in _KINDS and rest in ("type", "parsing", "from_float", "attributes_type"):
        return f"must be {_KINDS[family]} {got}"
    said = str(mistake["msg"])
    return f"{said[:1].lower()}{said[1:]} {got}"


def _shown(value: object) -> str:
    """Return a value as it would stand in TOML, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    shown = "none" if value is None else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
