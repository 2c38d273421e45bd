"""The rules of the house that no tool knows: sizes, asserts, packages, engine imports, paths, wheel."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tree import ROOT, copy_project, project_files

FOLDERS = ("engine", "agents", "sim", "experiments", "benchmarks")
LINES_PER_FILE_MAX = 500
LINES_PER_FUNCTION_MAX = 70
ASSERTS_PER_1000_LINES_MIN = 20
LINES_BEFORE_ASSERTS_COUNT = 200
ENGINE_NEVER_LOADS = ("mesa", "pandas", "seaborn", "matplotlib", "joblib", "cyclopts", "networkx")
EXCEPTIONS = Path("docs/decisions/exceptions.md")


def setuptools_settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def product_sources() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".py" and path.parts[0] not in ("tests", "docs")]


def source_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def function_lengths(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Qualified name and number of lines of every function in `tree`: no decorators, but the docstring."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not isinstance(node, ast.ClassDef):
                assert node.end_lineno is not None
                yield prefix + node.name, node.end_lineno - node.lineno + 1
            yield from function_lengths(node, f"{prefix}{node.name}.")
        else:
            yield from function_lengths(node, prefix)


def argued_exceptions() -> dict[tuple[str, str], str]:
    """The table of exceptions.md: (file, function) -> why."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        for line in source_of(EXCEPTIONS).splitlines()
        if line.startswith("|")
    ]
    assert rows[0] == ["file", "function", "why"], f"{EXCEPTIONS}: the table has the columns {rows[0]}"
    for row in rows[2:]:
        assert len(row) == 3, f"{EXCEPTIONS}: expected three cells in {row}"
        assert len(row[2].split()) >= 5, f"{EXCEPTIONS}: {row[1]} needs a reason, not {row[2]!r}"
    return {(file, function): why for file, function, why in rows[2:]}


def report(problems: list[str], rule: str) -> None:
    if problems:
        pytest.fail(rule + "\n  " + "\n  ".join(problems), pytrace=False)


def test_no_file_is_too_long() -> None:
    lengths = {path: source_of(path).count("\n") for path in product_sources()}
    report(
        [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > LINES_PER_FILE_MAX],
        f"A file outside tests and docs has at most {LINES_PER_FILE_MAX} lines:",
    )


def test_no_function_is_too_long_without_a_reason() -> None:
    too_long = {
        (path.as_posix(), name): lines
        for path in product_sources()
        for name, lines in function_lengths(ast.parse(source_of(path), filename=str(path)))
        if lines > LINES_PER_FUNCTION_MAX
    }
    argued = argued_exceptions()
    problems = [
        f"{file}: {name} has {lines} lines" for (file, name), lines in too_long.items() if (file, name) not in argued
    ]
    problems += [
        f"{EXCEPTIONS}: {file}: {name} is not too long, or not there: remove its row"
        for file, name in argued
        if (file, name) not in too_long
    ]
    report(problems, f"A function has at most {LINES_PER_FUNCTION_MAX} lines or an argument in {EXCEPTIONS}:")


def test_engine_asserts_what_it_believes() -> None:
    # Presets are numbers with their sources: there is nothing in them to be asserted.
    files = [path for path in project_files("engine") if path.suffix == ".py" and path.parent.name != "venues"]
    sources = [source_of(path) for path in files]
    lines = sum(source.count("\n") for source in sources)
    asserts = sum(isinstance(node, ast.Assert) for source in sources for node in ast.walk(ast.parse(source)))
    if lines < LINES_BEFORE_ASSERTS_COUNT:
        pytest.skip(f"engine/ has {lines} lines; the rule starts at {LINES_BEFORE_ASSERTS_COUNT}")
    assert 1000 * asserts >= ASSERTS_PER_1000_LINES_MIN * lines, (
        f"engine/ has {asserts} asserts in {lines} lines, {1000 * asserts / lines:.1f} per 1000; "
        f"at least {ASSERTS_PER_1000_LINES_MIN} are wanted"
    )


def test_packages_are_the_folders() -> None:
    folders = {path.parent for path in project_files(*FOLDERS) if path.name == "__init__.py"}
    expected = {"delever." + ".".join(folder.parts) for folder in folders}
    listed = setuptools_settings()["packages"]
    assert len(listed) == len(set(listed)), f"[tool.setuptools] packages names one twice: {listed}"
    report(
        [f"{name}: the folder has __init__.py but is not listed" for name in sorted(expected - set(listed))]
        + [f"{name}: listed, but no such folder has __init__.py" for name in sorted(set(listed) - expected)],
        "[tool.setuptools] packages lists every folder with __init__.py, and nothing else:",
    )
    assert setuptools_settings()["package-dir"] == {f"delever.{folder}": folder for folder in FOLDERS}


def test_type_checkers_find_the_names() -> None:
    link = ROOT / ".typing" / "delever"
    assert link.is_symlink(), ".typing/delever is not a link: mypy would not find delever.engine"
    assert link.readlink() == Path(".."), f".typing/delever points to {link.readlink()}, expected .."


def test_engine_loads_nothing_of_the_world_around_it(tmp_path: Path) -> None:
    program = (
        "import importlib, pkgutil, sys\n"
        "import delever.engine\n"
        "for module in pkgutil.walk_packages(delever.engine.__path__, 'delever.engine.'):\n"
        "    importlib.import_module(module.name)\n"
        f"print(*[name for name in {ENGINE_NEVER_LOADS!r} if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, f"delever.engine cannot be imported whole:\n{found.stderr}"
    assert not found.stdout.split(), f"importing delever.engine loads {found.stdout.strip()}"


def test_no_path_of_one_machine_is_written_down() -> None:
    # Not preceded by what makes it the rest of a longer, relative path or of an address.
    starts = r"(?<![\w.~/\\$}>*-])"
    usual = r"/(?:home|root|tmp|Users|work|workspace|mnt|srv|builds)/\w|[A-Z]:\\\w"
    pattern = re.compile(f"{starts}(?:{re.escape(str(ROOT))}(?![\\w-])|{usual})")
    problems = []
    for path in project_files():
        content = (ROOT / path).read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
            if found := pattern.search(line):
                problems.append(f"{path}:{number}: ...{line[found.start() : found.start() + 60]}")
    report(problems, "No file names a place on one machine; use a path relative to the project, or tmp_path:")


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    # In a copy: setuptools packs whatever an earlier build left in build/.
    copy_project(tmp_path / "project")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), "."]
    built = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True)
    assert built.returncode == 0, f"the wheel cannot be built:\n{built.stdout}{built.stderr}"
    (wheel,) = tmp_path.glob("delever-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"delever/{path.as_posix()}" for path in project_files(*FOLDERS)}
    report(
        [f"{name}: missing" for name in sorted(expected - packed)]
        + [f"{name}: should not be there" for name in sorted(packed - expected)],
        "The wheel holds the files of the five folders and nothing else ([tool.setuptools.package-data]):",
    )
