"""Published worked examples beyond the shared ones: neighbours in the same tables of tests, all of which come out."""

from __future__ import annotations

from pathlib import Path

import pytest

from delever.experiments.verify.cases import Case, read_cases
from delever.experiments.verify.catalogue import EXAMPLES
from delever.experiments.verify.command import judge

TESTS = Path(__file__).resolve().parents[1]
MORE = read_cases([TESTS / "more_cases"])


@pytest.mark.parametrize("case", MORE, ids=[case.id for case in MORE])
def test_more_published_examples_come_out(case: Case) -> None:
    verdict = judge(case, EXAMPLES)
    assert verdict.outcome == "passed", verdict.lines
    assert case.source, "it is published somewhere"


def test_of_the_shared_cases_nine_are_not_played_and_none_fails() -> None:
    """docs/verify.md argues the nine."""
    outcomes = {case.id: judge(case, EXAMPLES).outcome for case in read_cases([TESTS / "cases"])}
    assert [name for name, outcome in outcomes.items() if outcome == "failed"] == []
    unsupported = {name for name, outcome in outcomes.items() if outcome == "unsupported"}
    assert len(outcomes) - len(unsupported) == 181
    said = (TESTS.parent / "docs" / "verify.md").read_text(encoding="utf-8")
    assert len(unsupported) == 9 and all(f"`{name}`" in said for name in unsupported)


def test_ids_are_distinct_from_those_of_the_shared_cases() -> None:
    read_cases([TESTS / "cases", TESTS / "more_cases"])
