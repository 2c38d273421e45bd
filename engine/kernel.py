"""The one decorator for compiled functions, so that every compiler switch stands in one place.

Kernels are functions of tables and integers. They run compiled, or interpreted with `NUMBA_DISABLE_JIT=1`, to the same
digest; interpreted is the overflow test, since int64 overflow is silent when compiled.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config
from numba.core import types

if not config.DISABLE_JIT:
    from . import handles  # noqa: F401  (teaches numba the type of `Tables`)

F = TypeVar("F", bound=Callable[..., object])

PACKAGES = ("engine", "agents", "sim")
"""Packages that have kernels; those of one call only those of packages to its left and its own."""
KERNELS: list[Any] = []
"""All kernels of the modules imported so far, as numba's dispatchers; none where kernels run interpreted."""


def cache_root() -> Path:
    """Return the folder below which compiled kernels are kept, made if need be, where this user may write.

    `DELEVER_CACHE_DIR`, else `delever` in `XDG_CACHE_HOME` or `~/.cache`, else a folder of this user's in the temporary
    one.
    """
    named = os.environ.get("DELEVER_CACHE_DIR")
    root = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "delever"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError:
        root = Path(tempfile.gettempdir()) / f"delever-{os.getuid()}"
        root.mkdir(mode=0o700, exist_ok=True)
        # Compiled code is run as it is found: a folder that somebody else made there first is not to be trusted.
        if root.stat().st_uid != os.getuid():
            root = Path(tempfile.mkdtemp(prefix="delever-"))
    return root


def cache_name(package: str) -> str:
    """Return the name of the folder of `package`'s kernels: a hash of all sources they may have been compiled from.

    Those are the sources of the package itself and of the packages below it. numba notices an edit only in the file of
    the function itself, never in a helper elsewhere; a folder for each state of the sources makes a stale kernel
    impossible, and an edit in the agents leaves the engine's kernels as they are.
    """
    state = hashlib.sha256(f"{numba.__version__} {config.BOUNDSCHECK}".encode())
    for below in PACKAGES[: PACKAGES.index(package) + 1]:
        for source in sorted((Path(__file__).parent.parent / below).glob("*.py")):
            state.update(f"{below}/{source.name}\n".encode() + source.read_bytes())
    return f"kernels-{package}-{state.hexdigest()[:16]}"


@cache
def cache_folder(package: str) -> Path:
    """Return the folder of the compiled kernels of `package`, made if need be and marked as used today."""
    folder = cache_root() / cache_name(package)
    folder.mkdir(exist_ok=True)
    os.utime(folder)
    return folder


def package_of(module: str) -> str:
    """Return which of PACKAGES keeps the kernels of `module`: the last for all others, for they may call any kernel."""
    own = module.startswith("delever.")
    return next((name for name in PACKAGES if own and module.split(".")[1] == name), PACKAGES[-1])


def kernel(function: F) -> F:
    """Compile `function` on first use, cached on disk, without reference counting.

    Kernels allocate nothing, so that numba's counting (a private switch, `_nrt`) is cost without use: 40 ns an event
    become 160 with it. A test proves results equal with and without (tests/unit/test_kernel.py).
    """
    if config.DISABLE_JIT:
        return function
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder(package_of(function.__module__)))
    try:
        counting = os.environ.get("DELEVER_KERNEL_COUNTING") == "1"
        compiled = numba.njit(cache=not counting, _nrt=counting, no_cfunc_wrapper=True)(function)
        _compile_once_for_constants(compiled)
        KERNELS.append(compiled)
        return cast(F, compiled)
    finally:
        config.CACHE_DIR = before


def _compile_once_for_constants(compiled: Any) -> None:
    """Let a kernel treat constant arguments like any other integer.

    numba would compile it anew for every event kind and posting code that a caller names: seventeen times `record`.
    """
    template = compiled.get_call_template

    def without_literals(args: Any, kws: Any) -> Any:
        unliteral: Any = types.unliteral  # type: ignore[attr-defined]
        return template(tuple(unliteral(a) for a in args), {name: unliteral(a) for name, a in kws.items()})

    compiled.get_call_template = without_literals
