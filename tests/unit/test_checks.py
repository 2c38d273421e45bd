"""The four tools find nothing: ruff's rules and format, mypy's types, import-linter's directions."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.tree import ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))

COMMANDS = {
    "ruff check": [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "."],
    "ruff format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "mypy": [sys.executable, "-m", "mypy"],
    "lint-imports": [str(SCRIPTS / "lint-imports"), "--no-logo"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_tool_finds_nothing(name: str) -> None:
    found = subprocess.run(COMMANDS[name], cwd=ROOT, capture_output=True, text=True)
    if found.returncode != 0:
        pytest.fail(f"{name}:\n{found.stdout}{found.stderr}", pytrace=False)
