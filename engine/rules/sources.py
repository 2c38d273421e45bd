"""Where a number comes from: one value per field of a preset."""

from __future__ import annotations

from typing import Literal, NamedTuple

Quality = Literal["read", "secondary", "memory", "choice"]

QUALITIES: dict[Quality, str] = {
    "read": "read in the venue's own text, or in a copy of it",
    "secondary": "read in somebody else's account of the venue",
    "memory": "from memory, not seen: verify before relying on it",
    "choice": "our choice; the venue publishes nothing, or the number exists only in the model",
}


class Source(NamedTuple):
    """Source of one field: what says so, when it held (empty for our choices), and how well that is known."""

    text: str
    date: str
    quality: Quality


def cite(text: str, date: str, quality: Quality, *paths: str) -> dict[str, Source]:
    """Return the same source for each of the dotted field paths."""
    assert paths, "a source without a field"
    assert bool(date) == (quality != "choice"), "what a venue says has a date, what we choose has none"
    return dict.fromkeys(paths, Source(text, date, quality))


def choose(text: str, *paths: str) -> dict[str, Source]:
    """Return `text` as the reason of our own choice for each of the dotted field paths."""
    return cite(text, "", "choice", *paths)
