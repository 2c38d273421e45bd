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


def test_a_result_that_differs_says_which_inputs_nobody_used() -> None:
    extra = case(inputs={"a": 1, "b": 2, "c": 3}, expected={"sum": 6})
    assert judge(extra, KNOWN).outcome == "unsupported"
    assert judge(extra, KNOWN).lines == ["the play makes no use of c", "sum: expected 6, got 3.0"]
    assert judge(case(inputs={"a": 1, "b": 2, "c": 3}), KNOWN).outcome == "passed"


def test_a_contradiction_says_what_is_printed_and_what_comes_out() -> None:
    assert judge(case(expected={"sum": 4}, published_inconsistent=True), KNOWN).lines[-1] == "sum: expected 4, got 3.0"
    unknown = judge(case(kind="product", published_inconsistent=True), KNOWN)
    assert unknown.lines[-1] == "the source contradicts its own formula; it prints {'sum': 3}"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "inputs.a: must be a finite number (got nan)"),
        (float("inf"), "inputs.a: must be a finite number (got inf)"),
        (1e300, "inputs.a: must lie between 1e-15 and 1e+18, or be 0 (got 1e+300)"),
        (10**400, "inputs.a: must lie between 1e-15 and 1e+18, or be 0 (got a whole number of many digits)"),
        (1e-40, "inputs.a: must lie between"),
        ([0] * 5_000, "inputs.a: at most 1000 entries are played (got 5000)"),
        ([[[[[[[1]]]]]]], "more than 6 levels of lists and tables"),
        ("9" * 500, "inputs.a: a text of more than 200 characters"),
        ({"deep": [float("nan")]}, "inputs.a.deep[0]: must be a finite number"),
    ],
)
def test_inputs_that_no_venue_can_be_built_with_are_named(value: Any, says: str) -> None:
    verdict = judge(case(inputs={"a": value, "b": 2}), KNOWN)
    assert verdict.outcome == "failed"
    assert says in verdict.lines[0]


def test_who_plays_a_case_never_sees_what_is_expected() -> None:
    situation = Situation(case())
    assert "3" not in str(vars(situation))
    with pytest.raises(Unsupported, match="does not give expected"):
        situation.expected  # noqa: B018
    with pytest.raises(Unsupported):
        find(case(venue="Y"), KNOWN)
