"""Which files belong to the project: asked by the tests of the house and by those that need a copy of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Left behind by tools and runs; .gitignore says the same to git.
_LEFT_AT_ROOT = {"build", "dist", "results"}
_HIDDEN_BUT_OURS = {".ci", ".typing"}


def _is_ours(folder: Path) -> bool:
    if folder.parent == ROOT and folder.name in _LEFT_AT_ROOT:
        return False
    if folder.name.startswith("."):
        return folder.name in _HIDDEN_BUT_OURS
    return folder.name != "__pycache__" and not folder.name.endswith(".egg-info")


def project_files(*folders: str) -> Iterator[Path]:
    """The project's files below `folders` (everywhere if none is named), relative to ROOT, without links."""
    for top in [ROOT / folder for folder in folders] or [ROOT]:
        for folder, subfolders, names in os.walk(top):
            subfolders[:] = sorted(name for name in subfolders if _is_ours(Path(folder, name)))
            for name in sorted(names):
                path = Path(folder, name)
                if not path.is_symlink() and name != ".git" and not name.startswith(".coverage"):
                    yield path.relative_to(ROOT)


def copy_project(target: Path) -> None:
    """Copies every file of the project into the new folder `target`."""
    for path in project_files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path)
