"""`python -m benchmarks` is the command `delever bench`."""

from __future__ import annotations

import sys

from delever.experiments.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
