"""`python -m delever.experiments` is the command `delever`."""

from __future__ import annotations

import gc
import sys

# Imports make hundreds of thousands of objects that stay: looking through them again and again is a sixth of the start.
gc.set_threshold(100_000, 50, 100)

from . import cli  # noqa: E402


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
