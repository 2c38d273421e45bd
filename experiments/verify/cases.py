"""Worked examples as files: what a case is, reading them, and what makes a file unreadable."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from delever.experiments.errors import UserError


class Tolerance(BaseModel):
    """How far a number may be from the published one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["abs", "rel"]
    """`abs`: in the unit of the number; `rel`: as a share of the published number."""
    value: float = Field(ge=0, allow_inf_nan=False)

    def of(self, published: float) -> float:
        """Return the largest difference from a published number that passes."""
        return self.value if self.type == "abs" else self.value * abs(published)


class Case(BaseModel):
    """One worked example: a situation at a venue in its own units, and what its source says comes out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1)
    venue: str = Field(min_length=1)
    kind: str = Field(min_length=1)
    inputs: dict[str, Any]
    expected: dict[str, Any] = Field(min_length=1)
    tolerance: Tolerance
    source: str = ""
    notes: str = ""
    derived: bool = False
    published_inconsistent: bool = False
    """Whether the source contradicts itself: its printed result does not follow from its own formula."""


def read_cases(paths: Iterable[Path]) -> list[Case]:
    """Return the cases of files, and of all JSON files below folders, in order of path.

    Raises UserError if nothing is found, if a file is not what it should be (saying where), or if an id comes twice.
    """
    cases: list[Case] = []
    seen: dict[str, Path] = {}
    for file in _files(paths):
        for case in _cases_of(file):
            if case.id in seen:
                raise UserError(f"{file}: case {case.id!r} is there already, in {seen[case.id]}; ids must be distinct")
            seen[case.id] = file
            cases.append(case)
    if not cases:
        raise UserError(f"no cases in {', '.join(map(str, paths))}; a file of cases is a JSON list of objects")
    return cases


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob("*.json"))
            if not found:
                raise UserError(f"{path}: no .json file in this folder")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise UserError(f"{path}: no such file or folder")


def _cases_of(file: Path) -> Iterator[Case]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UserError(f"{file}: is not UTF-8 text; cases are JSON") from None
    except RecursionError:
        raise UserError(f"{file}: brackets within brackets without end") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{file}, line {error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(rows, list):
        raise UserError(f"{file}: must be a list of cases, [{{...}}, ...] (got {type(rows).__name__})")
    for number, row in enumerate(rows, start=1):
        name = row.get("id") if isinstance(row, dict) else None
        where = f"{file}, case {number}" + (f" ({name})" if isinstance(name, str) else "")
        if not isinstance(row, dict):
            raise UserError(f"{where}: must be an object with id, venue, kind, inputs, expected and tolerance")
        try:
            yield Case.model_validate(row)
        except ValidationError as error:
            raise UserError("\n".join(f"{where}: {_mistake(found)}" for found in error.errors())) from None


def _mistake(found: Any) -> str:
    place = ".".join(map(str, found["loc"]))
    if found["type"] == "missing":
        return f"{place} is missing"
    return f"{place}: {found['msg'][0].lower()}{found['msg'][1:]} (got {found['input']!r})"
