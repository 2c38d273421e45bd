"""Each rule of docs/rules.md has an implementation, a second one, and a test: every id is named in all three."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.tree import ROOT

from .tables import RULE_ID
from .test_scenarios import SCENARIOS

RULES = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
DEFINED = [line.partition("**")[2].partition("**")[0] for line in RULES.splitlines() if line.startswith("- **R-")]
HERE = Path(__file__)


@functools.cache
def ids_in(*folders: str, suffixes: tuple[str, ...] = (".py", ".txt"), leave_out: str = "") -> set[str]:
    """Return the rule ids named in the sources below some folders."""
    found: set[str] = set()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT).as_posix()
            if path.suffix in suffixes and path != HERE and not (leave_out and inside.startswith(leave_out)):
                found |= set(RULE_ID.findall(path.read_text(encoding="utf-8")))
    return found


def test_ids_are_unique_and_found() -> None:
    """The list is read from the page itself: more than fifty rules, no id twice."""
    assert len(DEFINED) > 50
    assert len(set(DEFINED)) == len(DEFINED)
    assert all(RULE_ID.fullmatch(name) for name in DEFINED)


@pytest.mark.parametrize("name", DEFINED)
def test_a_test_names_the_rule(name: str) -> None:
    """A rule that no test names is a rule nobody proves."""
    assert name in ids_in("tests", leave_out="tests/reference/"), f"no test names {name}"


def test_sources_name_only_rules_there_are() -> None:
    """An id that the page does not know is a misprint or a rule that was removed."""
    named = ids_in("engine", "agents", "sim", "experiments", "tests", leave_out="tests/reference/")
    assert sorted(named - set(DEFINED)) == []


def test_scenarios_prove_something_each() -> None:
    """Every scenario has its own name and says which rules it is about."""
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))
    assert [scenario.name for scenario in SCENARIOS if not scenario.proves] == []
