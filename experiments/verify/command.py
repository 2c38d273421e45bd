"""`delever verify`: play worked examples on the engine and say which come out as published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .cases import Case, read_cases
from .compare import mistakes
from .examples import Example, Situation, Unsupported, find


class Verdict(NamedTuple):
    """What came of a case: passed, failed with what differs, or unsupported with what is missing."""

    case: Case
    outcome: str
    lines: list[str]


def verify(paths: Sequence[Path], *, as_json: bool = False, verbose: bool = False) -> bool:
    """Play all cases, print each failure and each unsupported case, and return whether none failed."""
    from .catalogue import EXAMPLES

    verdicts = [judge(case, EXAMPLES) for case in read_cases(paths)]
    if as_json:
        rows = [{"id": v.case.id, "outcome": v.outcome, "lines": v.lines} for v in verdicts]
        print(json.dumps({**counts(verdicts), "cases": rows}, indent=2))
    else:
        _print(verdicts, verbose)
    return not any(verdict.outcome == "failed" for verdict in verdicts)


def judge(case: Case, known: list[Example]) -> Verdict:
    """Play one case and compare; an error of the engine is a failure of the case, not of the command."""
    try:
        got = find(case, known).play(Situation(case))
    except Unsupported as error:
        return Verdict(case, "unsupported", [str(error)])
    except (AssertionError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        return Verdict(case, "failed", [f"could not be played: {type(error).__name__}: {error}"])
    found = mistakes(case.expected, got, case.tolerance)
    if found and case.published_inconsistent:
        return Verdict(case, "unsupported", ["the source contradicts its own formula", *found])
    return Verdict(case, "failed" if found else "passed", found)


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Return the number of cases by outcome."""
    outcomes = [verdict.outcome for verdict in verdicts]
    return {outcome: outcomes.count(outcome) for outcome in ("passed", "failed", "unsupported")}


def _print(verdicts: Sequence[Verdict], verbose: bool) -> None:
    for verdict in verdicts:
        if verdict.outcome != "passed" or verbose:
            case = verdict.case
            print(f"{verdict.outcome.upper()}  {case.id}  ({case.venue}, {case.kind})")
            for line in verdict.lines:
                print(f"    {line}")
    found = counts(verdicts)
    print(f"{found['passed']} passed, {found['failed']} failed, {found['unsupported']} unsupported")
