"""The documentation says nothing that is not there: links, commands, modules, functions, writers, terms, numbers."""

import ast
import os
import re
import runpy
import shlex
import subprocess
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mesa
import numpy as np
import pytest

from delever.agents.conformance import check_cohort
from delever.engine import tables
from delever.engine.rules.flat import fields
from delever.engine.rules.io import load_rules
from delever.engine.rules.presets import PRESETS
from delever.experiments.choose import choose
from delever.experiments.cli import app
from delever.experiments.words import GLOSSARY
from delever.sim.populations import BEHAVIOURS
from delever.sim.scenario import load_scenario, scenario_names
from tests.readme_blocks import readme_blocks
from tests.tree import ROOT, project_files

DOCS = [path for path in project_files("docs") if path.suffix == ".md"]
PAGES = [Path("README.md"), Path("CONTRIBUTING.md"), *DOCS]
EXAMPLES = Path("docs/examples")
SCRIPT_LINES_MAX = 25

CODE_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)(?P<file>[^)#\s]*)(?:#(?P<heading>[^)\s]*))?\)")
OURS = re.compile(r"^(?:engine|agents|sim|experiments|tests|docs)/[\w./-]+\.\w+$")
TEST_NAME = re.compile(r"^(test_\w+\.py)::(test_\w+)$")
RULE_ID = re.compile(r"\bR-[A-Z]\d+\b")
# Columns of tables that are fixed when a venue opens are written by state.py, and by nobody afterwards.
OPENING = ("state", "margin_columns")
NOT_WRITERS = ("tables", "invariants", "digest", *OPENING)
COLUMN = re.compile(r"^(?:U|A|P|O|L|M|V)_[A-Z_]+$")


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def prose(path: Path) -> str:
    """Return the text of a page without its code blocks."""
    return CODE_BLOCK.sub("", text_of(path))


def headings(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def table_rows(path: Path) -> Iterator[list[str]]:
    """Return the cells of every table row of a page."""
    for line in text_of(path).splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


class Command(NamedTuple):
    """A `delever` command of a page, as its words."""

    page: Path
    words: list[str]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def commands() -> Iterator[Command]:
    for page in PAGES:
        for block in CODE_BLOCK.finditer(text_of(page)):
            if block["language"] != "bash":
                continue
            for part in re.split(r"\n|&&", block["body"].replace("\\\n", " ")):
                words = shlex.split(part.partition(">")[0], comments=True)
                if words and Path(words[0]).name == "delever":
                    yield Command(page, words[1:])


COMMANDS = list(commands())


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(prose(page)):
        target = (ROOT / page).parent / link["file"] if link["file"] else ROOT / page
        assert target.exists(), f"{page}: {link[0]} leads nowhere"
        if link["heading"]:
            assert link["heading"] in headings(target), f"{page}: {link[0]}: no such heading"


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_commands_are_understood(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line takes the words, and the scenarios, rules and values they name exist."""
    monkeypatch.chdir(ROOT)
    function, bound, *_ = app.parse_args(command.words, exit_on_error=False, print_error=False, help_on_error=False)
    name, given = function.__name__, bound.arguments
    if name in ("run", "compare"):
        rules = given.get("rules", "textbook")
        choose(given["scenario"], [rules] if isinstance(rules, str) else rules, sets=given.get("sets") or [])
    elif name in ("show_rules", "diff_rules", "check_rules"):
        for spec in bound.args:
            load_rules(spec)
    elif name == "show_scenario":
        load_scenario(*bound.args)


def marked_blocks() -> list[Any]:
    return [
        pytest.param(block, id=f"{page}: {block.splitlines()[0]}")
        for page in DOCS
        for block in readme_blocks("run", text_of(page))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("block", marked_blocks())
def test_marked_blocks_work(block: str, tmp_path: Path) -> None:
    """A block marked `<!-- ci: run -->` runs as one script, in a folder where `docs` is the project's."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        pytest.fail(f"exit code {done.returncode} from\n{block}\n{done.stdout}{done.stderr}", pytrace=False)


def test_every_example_is_run_by_a_page() -> None:
    run = {word for page in DOCS for block in readme_blocks("run", text_of(page)) for word in shlex.split(block)}
    files = {path.as_posix() for path in project_files(str(EXAMPLES)) if path.suffix in (".py", ".toml")}
    assert files, "there are no examples"
    assert not files - run, f"no marked block of docs uses {sorted(files - run)}"


def test_a_cohort_of_25_lines_is_all_there_is() -> None:
    script = text_of(EXAMPLES / "my_cohort.py")
    assert len(script.splitlines()) <= SCRIPT_LINES_MAX
    shown = [block["body"] for block in CODE_BLOCK.finditer(text_of(Path("docs/adding.md")))]
    assert script in shown, "docs/adding.md shows another my_cohort.py"


def test_the_cohort_of_the_example_conforms() -> None:
    dip_buyers = runpy.run_path(str(ROOT / EXAMPLES / "my_cohort.py"))["DipBuyers"]
    keys = np.arange(20, dtype=np.int64)
    check_cohort(dip_buyers(mesa.Model(), "dip", keys, keys * 7 + 3, 1))


def test_the_rule_of_the_example_changes_the_run() -> None:
    """A subclass given to the world is used: it could be lost where rules are copied as plain values."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "my_rule.py"), str(EXAMPLES / "small_crash.toml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    plain, thirds = (line.partition(": ")[2] for line in done.stdout.splitlines())
    assert plain != thirds


@pytest.mark.parametrize("page", DOCS, ids=str)
def test_files_named_exist(page: Path) -> None:
    named = {word for code in INLINE_CODE.findall(prose(page)) for word in code.split() if OURS.match(word)}
    missing = sorted(word for word in named if not (ROOT / word).exists())
    assert not missing, f"{page} names {missing}"


def defined(path: str) -> set[str]:
    """Return the functions and classes of a module, methods as Class.method."""
    found = set()
    for node in ast.parse(text_of(Path(path))).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("page", DOCS, ids=str)
def test_tests_named_exist(page: Path) -> None:
    named = [found.groups() for code in INLINE_CODE.findall(prose(page)) if (found := TEST_NAME.match(code))]
    missing = sorted(name for file, name in named if name not in defined(f"tests/unit/{file}"))
    assert not missing, f"{page} names {missing}"


def test_steps_are_done_by_the_functions_named() -> None:
    rows = [row for row in table_rows(Path("docs/architecture.md")) if len(row) == 4 and row[2].startswith("`")]
    assert len(rows) > 20, "the tables of a step were not found"
    for _, what, functions, files in rows:
        known = set().union(*(defined(path) for path in INLINE_CODE.findall(files)))
        missing = [name for name in INLINE_CODE.findall(functions) if name not in known]
        assert not missing, f"{what!r}: {missing} not in {files}"


def stored_names(target: ast.expr) -> set[str]:
    """Return the column constants in the index of what is assigned to."""
    if isinstance(target, ast.Tuple):
        return set().union(*(stored_names(part) for part in target.elts))
    if not isinstance(target, ast.Subscript):
        return set()
    return {node.id for node in ast.walk(target.slice) if isinstance(node, ast.Name) and COLUMN.match(node.id)}


def writers_in_code() -> dict[str, set[str]]:
    """Return which modules of the engine assign to a cell `table[..., COLUMN]`, by column.

    Functions called `fill_...` are left out: state.py calls them while a venue opens.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for path in project_files("engine"):
        if path.suffix != ".py" or path.parent.name != "engine" or path.stem in NOT_WRITERS:
            continue
        parts = [part for part in ast.parse(text_of(path)).body if not getattr(part, "name", "").startswith("fill_")]
        for node in (node for part in parts for node in ast.walk(part)):
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets += [node.target] if isinstance(node, ast.AugAssign) else []
            for column in set().union(*map(stored_names, targets)):
                found[column].add(path.stem)
    return dict(found)


def test_each_column_has_the_writers_named() -> None:
    modules = {path.stem for path in project_files("engine") if path.suffix == ".py"}
    named: dict[str, set[str]] = {}
    for row in table_rows(Path("docs/architecture.md")):
        columns = [code for code in INLINE_CODE.findall(row[0]) if COLUMN.match(code)]
        if len(row) == 2 and columns:
            named |= dict.fromkeys(columns, set(re.findall(r"[a-z_]+", row[1])) & modules)
    orders = {column for column in vars(tables) if column.startswith("O_")} - named.keys()
    assert "| every other `O_` column | book |" in text_of(Path("docs/architecture.md"))
    named |= {column: {"book"} for column in orders}
    assert named == writers_in_code()


def test_glossary_has_the_terms_of_the_report() -> None:
    terms = {term.lower() for term in re.findall(r"^\*\*(.+?)\.\*\*", text_of(Path("docs/glossary.md")), re.MULTILINE)}
    missing = sorted(set(GLOSSARY) - {term.replace("(adl)", "(ADL)") for term in terms})
    assert not missing, f"docs/glossary.md does not explain {missing}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_rules_named_exist(page: Path) -> None:
    written = set(re.findall(r"\*\*(R-[A-Z]\d+)\*\*", text_of(Path("docs/rules.md"))))
    missing = sorted(set(RULE_ID.findall(text_of(page))) - written)
    assert not missing, f"{page} names {missing}"


@pytest.mark.parametrize("page", DOCS, ids=str)
def test_fields_of_rules_named_exist(page: Path) -> None:
    rules = PRESETS["textbook"]
    known = {path for preset in PRESETS.values() for path in fields(preset)} | {"charges.funding"}
    axes = "|".join(axis for axis in type(rules).model_fields if axis != "name")
    pattern = re.compile(rf"(?<![\w./])(?:rules\.)?((?:{axes})(?:\.[a-z_]+)+)")
    found = {path for code in INLINE_CODE.findall(prose(page)) for path in pattern.findall(code)}
    named = {path for path in found if not path.endswith(".py")}
    missing = sorted(named - known)
    assert not missing, f"{page} names {missing}"


def test_every_scenario_has_its_section() -> None:
    assert set(scenario_names()) <= headings(Path("docs/scenarios.md"))


def test_collars_are_as_told() -> None:
    told = text_of(Path("docs/odd.md"))
    for name in ("binance-usdm", "textbook", "hyperliquid"):
        assert f"{PRESETS[name].halts.collar_ppm / 10_000:g} % in `{name}`" in told


def test_the_page_of_scenarios_has_a_row_for_every_kind_of_trader() -> None:
    named = {name for cells in table_rows(Path("docs/scenarios.md")) for name in INLINE_CODE.findall(cells[0])}
    assert set(BEHAVIOURS) - named == set()
