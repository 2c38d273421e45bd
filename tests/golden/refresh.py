"""The deliberate command: `python -m tests.golden.refresh` takes what the worlds give now as what they must give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .worlds import results

DIGESTS = Path(__file__).with_name("digests.json")


def expected() -> dict[str, dict[str, Any]]:
    """Return the results that were last taken, by world."""
    found: dict[str, dict[str, Any]] = json.loads(DIGESTS.read_text(encoding="utf-8"))
    return found


def changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """Return one line per number that differs, by dotted path."""
    lines = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += changes(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: {old} -> {new}")
    return lines


def main() -> None:
    """Play the worlds, say what moved and write it down."""
    before = expected() if DIGESTS.exists() else {}
    after = results()
    moved = changes(before, after)
    DIGESTS.write_text(json.dumps(after, indent=2) + "\n", encoding="utf-8")
    print("\n".join(moved) or "nothing moved")
    if moved:
        print("\nSay in the RESULTS section of CHANGELOG.md what moved, by how much and why.")


if __name__ == "__main__":
    main()
