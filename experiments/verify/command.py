"""`delever verify`: play worked examples on the engine and say which come out as published."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .cases import Case, read_cases
from .compare import mistakes
from .examples import Example, Situation, Unsupported, find
from .limits import check


class Verdict(NamedTuple):
    """What came of a case: passed, failed with what differs, or unsupported with what is missing."""

    case: Case
    outcome: str
    lines: list[str]


def verify(paths: Sequence[Path], *, as_json: bool = False, verbose: bool = False) -> bool:
    """Play all cases, print each failure and each unsupported case, and return whether none failed."""
    from .catalogue import EXAMPLES

    verdicts = []
    for case in read_cases(paths):
        verdicts.append(judge(case, EXAMPLES))
        # A venue and its waterfall hold each other, and the books of many would fill the memory until they are found.
        gc.collect()
    if as_json:
        rows = [{"id": v.case.id, "outcome": v.outcome, "lines": v.lines} for v in verdicts]
        print(json.dumps({**counts(verdicts), "cases": rows}, indent=2))
    else:
        _print(verdicts, verbose)
    return not any(verdict.outcome == "failed" for verdict in verdicts)


def judge(case: Case, known: list[Example]) -> Verdict:
    """Play one case and compare; an error of the engine is a failure of the case, not of the command."""
    situation = Situation(case)
    try:
        check(case.inputs)
        found = find(case, known)
        lines = mistakes(case.expected, found.play(situation), case.tolerance)
    except Unsupported as error:
        return Verdict(case, "unsupported", [str(error), *_contradiction(case)])
    except Exception as error:  # noqa: BLE001  # whatever one case holds, the others are still played
        return Verdict(case, "failed", [f"could not be played: {_reason(error)}"])
    unread = [name for name in situation.unread() if name not in found.labels]
    if lines and unread:
        return Verdict(case, "unsupported", [f"the play makes no use of {', '.join(unread)}", *lines])
    return _failed(case, lines) if lines else Verdict(case, "passed", [])


def _failed(case: Case, lines: list[str]) -> Verdict:
    """Return a failure; of a case whose source contradicts itself only that it does not come out."""
    if case.published_inconsistent:
        return Verdict(case, "unsupported", ["the source contradicts its own formula", *lines])
    return Verdict(case, "failed", lines)


def _reason(error: Exception) -> str:
    """Return what went wrong in one line."""
    text = " ".join(str(error).split()) or "the venue did not do what the play is about"
    return f"{type(error).__name__}: {text}"


def _contradiction(case: Case) -> list[str]:
    """Return what a source that contradicts itself prints, if it does."""
    if not case.published_inconsistent:
        return []
    return [f"the source contradicts its own formula; it prints {case.expected}"]


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
