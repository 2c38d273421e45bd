"""README.md says nothing that does not work."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.readme_blocks import MARKERS, README, readme_blocks
from tests.tree import ROOT, copy_project

TEXT = README.read_text(encoding="utf-8")
FENCED = "\n```bash\n"


@pytest.mark.parametrize("marker", ["main", "tests"])
def test_each_set_up_is_one_command(marker: str) -> None:
    blocks = readme_blocks(marker, TEXT)
    assert len(blocks) == 1, f"README.md has {len(blocks)} blocks marked {marker}, expected one"
    assert len(blocks[0].splitlines()) == 1, f"the set-up command marked {marker} is more than one line"


def test_ci_draws_the_same_examples_in_every_run() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "\nexport CI=1\n" in script
    assert '"CI" in os.environ' in (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")


def test_ci_runs_the_readme_command_and_no_other() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "tests/readme_blocks.py tests" in script
    for word in ("pip install", "pytest"):
        assert word not in script, f".ci/run has a {word!r} of its own; it belongs into README.md"


@pytest.mark.parametrize("block", readme_blocks("run", TEXT), ids=lambda block: block.splitlines()[0])
def test_commands_work(block: str, tmp_path: Path) -> None:
    """A block runs as one script, in a copy of the project whose .venv is the environment of this test."""
    project = tmp_path / "project"
    copy_project(project)
    (project / ".venv").symlink_to(sys.prefix)
    if (ROOT.parent / "shared").is_dir():
        (tmp_path / "shared").symlink_to(ROOT.parent / "shared")
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=project,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        pytest.fail(f"exit code {done.returncode} from\n{block}\n{done.stdout}{done.stderr}", pytrace=False)


def test_blocks_are_found_by_their_marker() -> None:
    free = f"b{FENCED}free\n```\n"
    text = f"a\n<!-- ci: run -->{FENCED}one\ntwo\n```\n{free}<!-- ci: main -->{FENCED}three\n```\n"
    assert {marker: readme_blocks(marker, text) for marker in MARKERS} == {
        "main": ["three"],
        "tests": [],
        "run": ["one\ntwo"],
    }


@pytest.mark.parametrize(
    "text",
    [
        f"<!-- ci: runs -->{FENCED}a\n```\n",  # a name nobody knows
        f"<!-- ci run -->{FENCED}a\n```\n",  # no colon
        f"<!-- ci: run -->\n{FENCED}a\n```\n",  # a line between comment and block
        "<!-- ci: run -->\n```bash\na\n",  # a block without an end
    ],
)
def test_a_comment_that_marks_nothing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1: .* marks nothing"):
        readme_blocks("run", text)


def test_an_unknown_marker_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected one of main, tests, run"):
        readme_blocks("install", TEXT)
