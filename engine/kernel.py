"""The one decorator for compiled functions, so that every compiler switch stands in one place.

Kernels are functions of tables and integers. They run compiled, or interpreted with `NUMBA_DISABLE_JIT=1`, to the same
digest; interpreted is the overflow test, since int64 overflow is silent when compiled.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config
from numba.core import types

if not config.DISABLE_JIT:
    from . import handles  # noqa: F401  (teaches numba the type of `Tables`)

F = TypeVar("F", bound=Callable[..., object])


def cache_folder() -> Path:
    """Return the folder of compiled kernels, named after a hash of all kernel sources.

    numba notices an edit only in the file of the function itself, never in a helper elsewhere; a folder per state of
    the sources makes a stale kernel impossible. `DELEVER_CACHE_DIR` moves it; without a writable home it is temporary.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    state = hashlib.sha256(numba.__version__.encode() + str(config.BOUNDSCHECK).encode())
    for source in sources:
        state.update(source.read_bytes())
    named = os.environ.get("DELEVER_CACHE_DIR")
    root = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "delever"
    folder = root / f"kernels-{state.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"delever-{os.getuid()}" / folder.name
        folder.mkdir(parents=True, exist_ok=True)
    return folder


CACHE_FOLDER = "" if config.DISABLE_JIT else str(cache_folder())


def kernel(function: F) -> F:
    """Compile `function` on first use, cached on disk, without reference counting.

    Kernels allocate nothing, so that numba's counting (a private switch, `_nrt`) is cost without use: 40 ns an event
    become 160 with it. A test proves results equal with and without (tests/unit/test_kernel.py).
    """
    if config.DISABLE_JIT:
        return function
    before = config.CACHE_DIR
    config.CACHE_DIR = CACHE_FOLDER
    try:
        counting = os.environ.get("DELEVER_KERNEL_COUNTING") == "1"
        compiled = numba.njit(cache=not counting, _nrt=counting, no_cfunc_wrapper=True)(function)
        _compile_once_for_constants(compiled)
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
