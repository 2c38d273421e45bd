"""The commands of README.md, found by their marker comments.

A code block is marked by a comment on the line before it: `<!-- ci: main -->` and `<!-- ci: tests -->` are
the two set-up commands, `<!-- ci: run -->` is any other block that must work.
`python3 tests/readme_blocks.py tests` prints the blocks of one marker; it needs nothing but Python, because
`.ci/run` calls it before anything is installed.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
MARKERS = ("main", "tests", "run")

_BLOCK = re.compile(r"^<!-- ci: (?P<marker>\w+) -->\n```\w*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^[ \t]*<!-- *ci\b.*$", re.MULTILINE)


def readme_blocks(marker: str, text: str) -> list[str]:
    """The bodies of the code blocks of `text` marked `marker`, in order.

    Raises ValueError for an unknown marker and for a marker comment that is not directly followed by a code
    block: a misspelt comment would otherwise take its commands out of the tests without a word.
    """
    if marker not in MARKERS:
        raise ValueError(f"unknown marker {marker!r}: expected one of {', '.join(MARKERS)}")
    blocks = list(_BLOCK.finditer(text))
    understood = {block.start() for block in blocks if block["marker"] in MARKERS}
    for comment in _COMMENT.finditer(text):
        if comment.start() not in understood:
            line = text.count("\n", 0, comment.start()) + 1
            raise ValueError(
                f"README.md line {line}: {comment[0].strip()!r} marks nothing: expected "
                f"`<!-- ci: NAME -->` at the start of the line, NAME one of {', '.join(MARKERS)}, "
                "and a code block on the next line"
            )
    return [block["body"].strip() for block in blocks if block["marker"] == marker]


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in MARKERS:
        sys.exit(f"usage: python3 tests/readme_blocks.py {{{'|'.join(MARKERS)}}}")
    found = readme_blocks(sys.argv[1], README.read_text(encoding="utf-8"))
    if not found:
        sys.exit(f"README.md has no code block marked <!-- ci: {sys.argv[1]} -->")
    print("\n".join(found))
