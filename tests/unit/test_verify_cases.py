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


def test_ids_are_distinct_from_those_of_the_shared_cases() -> None:
    read_cases([TESTS / "cases", TESTS / "more_cases"])
