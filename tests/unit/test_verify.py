"""`delever verify`: reading cases, finding who plays them, comparing, and what it says."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from delever.experiments.errors import UserError
from delever.experiments.verify.cases import Case, Tolerance, read_cases
from delever.experiments.verify.command import counts, judge
from delever.experiments.verify.compare import mistakes
from delever.experiments.verify.examples import Example, Situation, Unsupported, example, find

GOOD: dict[str, Any] = {
    "id": "x-1",
    "venue": "X",
    "kind": "sum",
    "inputs": {"a": 1, "b": 2},
    "expected": {"sum": 3},
    "tolerance": {"type": "abs", "value": 0},
}


@example("sum", "X", needs="a b", answers="sum")
def add(case: Situation) -> dict[str, Any]:
    """Add two numbers: an example that needs no engine."""
    return {"sum": case.a + case.b}


KNOWN: list[Example] = add.examples  # type: ignore[attr-defined]


def case(**changes: Any) -> Case:
    return Case.model_validate({**GOOD, **changes})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1: not JSON"),
        ("{}", "must be a list of cases"),
        ("[]", "no cases in"),
        ("[3]", "case 1: must be an object"),
        ('[{"id": "x"}]', "case 1 (x): venue is missing"),
        (json.dumps([{**GOOD, "tolerance": {"type": "near", "value": 1}}]), "tolerance.type: input should be"),
        (json.dumps([{**GOOD, "tolerance": {"type": "abs", "value": -1}}]), "tolerance.value: input should be"),
        (json.dumps([{**GOOD, "expected": {}}]), "expected: "),
        (json.dumps([GOOD, GOOD]), "case 'x-1' is there already"),
    ],
)
def test_a_malformed_file_is_named_with_its_mistake(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_cases([file])
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_folder_is_read_with_those_below_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.json").write_text(json.dumps([{**GOOD, "id": "b"}]))
    (tmp_path / "a.json").write_text(json.dumps([{**GOOD, "id": "a"}]))
    assert [found.id for found in read_cases([tmp_path])] == ["a", "b"]


@pytest.mark.parametrize(
    ("expected", "got", "lines"),
    [
        (1.0, 1.1, []),
        (1.0, 1.2, ["x: expected 1.0, got 1.2"]),
        (1, Fraction(11, 10), []),
        (True, 1, ["x: expected True, got 1"]),
        (True, True, []),
        ({"a": 1}, {}, ["x.a: no answer"]),
        ({"2": 5}, {2: 5}, []),
        ([1, 2], (1, 2), []),
        ([1, 2], [1], ["x: expected [1, 2], got [1]"]),
        ([["t", 1]], [["t", 2]], ["x[0][1]: expected 1, got 2.0"]),
        ("mark", "book", ["x: expected 'mark', got 'book'"]),
    ],
)
def test_numbers_may_differ_by_the_tolerance_and_nothing_else_may(expected: Any, got: Any, lines: list[str]) -> None:
    assert mistakes(expected, got, Tolerance(type="abs", value=0.1), "x") == lines


def test_a_case_passes_fails_or_is_unsupported() -> None:
    assert judge(case(), KNOWN).outcome == "passed"
    assert judge(case(expected={"sum": 4}), KNOWN).lines == ["sum: expected 4, got 3.0"]
    assert judge(case(inputs={"a": 1, "b": "two"}), KNOWN).outcome == "failed"
    unsupported = judge(case(kind="product"), KNOWN)
    assert unsupported.outcome == "unsupported"
    assert unsupported.lines == ["examples of kind 'product' are not played"]
    assert "no example of kind 'sum' takes a of X" in judge(case(inputs={"a": 1}), KNOWN).lines[0]
    contradiction = judge(case(expected={"sum": 4}, published_inconsistent=True), KNOWN)
    assert contradiction.outcome == "unsupported"
    assert counts([unsupported, contradiction]) == {"passed": 0, "failed": 0, "unsupported": 2}


def test_who_plays_a_case_never_sees_what_is_expected() -> None:
    situation = Situation(case())
    assert "3" not in str(vars(situation))
    with pytest.raises(AttributeError, match="does not give expected"):
        situation.expected  # noqa: B018
    with pytest.raises(Unsupported):
        find(case(venue="Y"), KNOWN)
