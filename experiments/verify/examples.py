"""Which function plays which worked example: found by kind, venue and the names of what a case gives and asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .cases import Case


class Unsupported(Exception):
    """A case that the engine cannot play; the message names what is missing."""


class Situation:
    """What a case gives, as attributes; not what its source says comes out. It remembers what was asked for."""

    def __init__(self, case: Case) -> None:
        self.venue = case.venue
        self.given = case.inputs
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        """Return an input by name."""
        if name not in self.given:
            raise Unsupported(f"the case does not give {name}")
        self.read.add(name)
        return self.given[name]

    def get(self, name: str, otherwise: Any) -> Any:
        """Return an input, or something else if the case does not give it."""
        self.read.add(name)
        return self.given.get(name, otherwise)

    def gives(self, name: str) -> bool:
        """Say whether the case gives an input, and not null."""
        return self.get(name, None) is not None

    def unread(self) -> list[str]:
        """Return the inputs that nobody has asked for."""
        return sorted(self.given.keys() - self.read)


Play = Callable[[Situation], dict[str, Any]]


class Example(NamedTuple):
    """A kind of worked example: what a case must give (`needs`) and may ask (`answers`), and who plays it.

    `labels` are inputs that name things or say again what others say: nothing depends on them.
    """

    kind: str
    venues: tuple[str, ...]
    needs: frozenset[str]
    answers: frozenset[str]
    play: Play
    labels: frozenset[str] = frozenset()

    def fits(self, case: Case) -> bool:
        """Say whether this is how a case is played; `venues` are beginnings of names, none means any."""
        of_venue = not self.venues or case.venue.startswith(self.venues)
        return (
            case.kind == self.kind
            and of_venue
            and self.needs <= case.inputs.keys()
            and case.expected.keys() <= self.answers
        )


def example(kind: str, *venues: str, needs: str, answers: str, labels: str = "") -> Callable[[Play], Play]:
    """Mark a function as the one that plays such cases; `needs`, `answers` and `labels` are names with spaces between.

    What a function can take beside `needs` it asks for with `get`.
    """

    def mark(play: Play) -> Play:
        names = (frozenset(text.split()) for text in (needs, answers, labels))
        needed, answered, named = names
        found = Example(kind, venues, needed, answered, play, named)
        play.examples = [*getattr(play, "examples", []), found]  # type: ignore[attr-defined]
        return play

    return mark


BEYOND = {"span_scenario": "portfolio margin by scenarios (options) is not part of the engine"}
"""Kinds of example about something that the engine does not have."""


def find(case: Case, known: list[Example]) -> Example:
    """Return the example that fits a case and needs most of what it gives; raises Unsupported if there is none."""
    fitting = [candidate for candidate in known if candidate.fits(case)]
    if fitting:
        return max(fitting, key=lambda candidate: (len(candidate.needs), bool(candidate.venues)))
    same_kind = [candidate for candidate in known if candidate.kind == case.kind]
    if case.kind in BEYOND:
        raise Unsupported(BEYOND[case.kind])
    if not same_kind:
        raise Unsupported(f"examples of kind {case.kind!r} are not played")
    given, asked = ", ".join(sorted(case.inputs)), ", ".join(sorted(case.expected))
    raise Unsupported(f"no example of kind {case.kind!r} takes {given} of {case.venue} and gives {asked}")
