"""What a user can put right is one message and exit code 2, never a traceback.

Exit codes: 0 done, 1 an audit found a broken row, a worked example failed or a run broke a law,
2 something the user can put right, 130 interrupted with Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EXIT_FOUND = 1
EXIT_USER = 2
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """Something the user can put right; the message says what was wrong, where, and what would be right."""


class LawBroken(Exception):
    """A law of the venue does not hold in a run: a defect of the program, not of the user."""


class Interrupted(Exception):
    """Ctrl-C; the message says what is kept and where."""


def at_least(what: str, value: int, least: int) -> int:
    """Return `value`; raise UserError if it is below `least`."""
    if value < least:
        raise UserError(f"{what} must be {least} or more (got {value})")
    return value


def writable_folder(folder: Path) -> Path:
    """Make `folder` and write to it once, so that a run does not find out at its end that it cannot be stored.

    Raises UserError if the folder cannot be made or written to.
    """
    probe = folder / f".delever-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"delever")
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write to the folder {folder}: {_reason(error)}. Choose another with --out.") from None
    return folder


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to that becomes `path` at the end, so that a file appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    yield part
    os.replace(part, path)


@contextmanager
def advised(advice: str) -> Iterator[None]:
    """Turn errors of the operating system into UserError that ends with what to do, or what is kept."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{describe_os_error(error)} {advice}") from None


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    return (error.strerror or str(error)).lower()


def describe_os_error(error: OSError) -> str:
    """Return a sentence for an error of the operating system that no command foresaw."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"the disk is full{where}. What was written before is kept; make room and run the command again."
    return f"{_reason(error)}{where}"


def guarded(command: Callable[[], object]) -> int:
    """Call `command` and return the exit code: its own if it returns an integer, else 0; errors become messages."""
    try:
        code = command()
        sys.stdout.flush()
    except UserError as error:
        return _fail(str(error))
    except LawBroken as error:
        print(f"delever: {error}", file=sys.stderr)
        return EXIT_FOUND
    except (Interrupted, KeyboardInterrupt) as error:
        print(f"delever: interrupted. {error or 'Nothing was stored.'}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has left; Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(describe_os_error(error))
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    print(f"delever: error: {message}", file=sys.stderr)
    return EXIT_USER
