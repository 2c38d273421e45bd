"""The folder of a run: Parquet tables written in chunks, JSON files, and what to do when the disk is full.

A table grows under the name `NAME.parquet.part` and gets its own name when it is closed. A Parquet file cannot be read
before its last bytes are written, so the folder holds a reserve from its first moment: when the disk is full, the
reserve is given up, the tables are closed with what they have, and the run stops with a message.
"""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

RESERVE_BYTES = 8 << 20
CHUNK_ROWS = 16_384
FULL = (errno.ENOSPC, errno.EDQUOT)


class OutputError(Exception):
    """The run cannot be stored; the message says why, and what is kept where."""


class OutputFolder:
    """The folder a run writes to.

    Opening it, `table`, `write_json` and `close_tables` raise OutputError if the folder or the disk refuses. Rows are
    given from the middle of a step, where nothing may fail: `check` tells afterwards.
    """

    def __init__(self, path: Path, stale: Sequence[str]):
        """Make the folder, set the reserve aside and remove `stale` files that an earlier run left there."""
        self.path = path
        self.full = False
        self.failure: OSError | None = None
        self._reserve = path / ".reserve"
        self._tables: list[TableWriter] = []
        try:
            path.mkdir(parents=True, exist_ok=True)
            for name in stale:
                (path / name).unlink(missing_ok=True)
            with self._reserve.open("wb") as file:
                # Written out, not merely declared: a file with a hole in it reserves nothing.
                file.write(bytes(RESERVE_BYTES))
        except OSError as error:
            self._reserve_gone()
            raise OutputError(f"cannot write to the folder {path}: {reason(error)}") from None

    def table(self, name: str, columns: Mapping[str, pa.DataType]) -> TableWriter:
        """Open the table NAME.parquet with these columns."""
        try:
            table = TableWriter(self, name, pa.schema(list(columns.items())))
        except OSError as error:
            raise OutputError(f"cannot write {name}.parquet in {self.path}: {reason(error)}") from None
        self._tables.append(table)
        return table

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file, whole or not at all."""
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        part = self.path / f"{name}.part"
        try:
            with part.open("wb", buffering=0) as file:
                self.write_all(file, text.encode())
            part.replace(self.path / name)
        except OSError as error:
            raise OutputError(f"cannot write {name} in {self.path}: {reason(error)}") from None

    def write_all(self, file: io.RawIOBase | io.FileIO, data: bytes | memoryview) -> None:
        """Write all of `data`; on a full disk give up the reserve, note it in `full` and go on."""
        rest = memoryview(data).cast("B")
        while len(rest):
            try:
                rest = rest[file.write(rest) or 0 :]
            except OSError as error:
                if error.errno not in FULL or self.full:
                    raise
                self.full = True
                self._reserve_gone()

    def check(self) -> None:
        """Raise OutputError if rows could not be written, or the disk has become full, since the start."""
        if self.failure is not None:
            raise OutputError(reason(self.failure))
        if self.full:
            raise OutputError("the disk is full")

    def close_tables(self) -> None:
        """Write out what is buffered and close every table, so that all of them can be read."""
        for table in self._tables:
            try:
                table.close()
            except OSError as error:
                self.failure = self.failure or error
        self._tables = []
        self.check()

    def close(self) -> None:
        """Give the reserve back to the disk; tables must be closed before."""
        self._reserve_gone()

    def _reserve_gone(self) -> None:
        try:
            self._reserve.unlink(missing_ok=True)
        except OSError:
            # Whoever may not delete it could not have written it: the error that led here says more.
            return


class TableWriter:
    """One Parquet table that is written a chunk at a time."""

    def __init__(self, folder: OutputFolder, name: str, schema: pa.Schema):
        """Open the table; `folder.table` is the way to make one."""
        self.schema = schema
        self._folder = folder
        self._path = folder.path / f"{name}.parquet"
        self._part = folder.path / f"{name}.parquet.part"
        self._file: _File | None = _File(folder, self._part)
        self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")
        self._parts: list[tuple[Mapping[str, Any], int]] = []
        self._rows = 0

    def append(self, columns: Mapping[str, Any]) -> None:
        """Add rows: one array, list or scalar for every column of the table. Trouble is noted in the folder.

        Arrays are kept as they are until a chunk is full, and must not be written to any more.
        """
        assert set(columns) == set(self.schema.names), f"{set(columns) ^ set(self.schema.names)} in {self._path.name}"
        count = next(len(value) for value in columns.values() if hasattr(value, "__len__") and type(value) is not str)
        self._parts.append((columns, count))
        self._rows += count
        if self._rows >= CHUNK_ROWS:
            try:
                self.flush()
            except OSError as error:
                self._folder.failure = self._folder.failure or error

    def flush(self) -> None:
        """Write what is buffered as row groups of at most CHUNK_ROWS rows; raises OSError."""
        if self._parts:
            parts, self._parts, self._rows = self._parts, [], 0
            arrays = [_joined([(part[field.name], n) for part, n in parts], field.type) for field in self.schema]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema), row_group_size=CHUNK_ROWS)

    def close(self) -> None:
        """Write the rest, close the file and give it its name; raises OSError."""
        if self._file is None:
            return
        self.flush()
        self._writer.close()
        self._file.close()
        self._file = None
        self._part.replace(self._path)


class _File(io.RawIOBase):
    """A file that survives a full disk once, by giving up the folder's reserve."""

    def __init__(self, folder: OutputFolder, path: Path):
        self._folder = folder
        self._raw = path.open("wb", buffering=0)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._folder.write_all(self._raw, data)
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._raw.tell()

    def close(self) -> None:
        self._raw.close()
        super().close()


def _joined(parts: Sequence[tuple[Any, int]], kind: pa.DataType) -> pa.Array:
    """Return one column from its parts: arrays, lists or scalars, each for so many rows."""
    dtype = np.int64 if pa.types.is_integer(kind) else np.object_
    columns = [
        value if isinstance(value, np.ndarray) else np.broadcast_to(np.asarray(value, dtype=dtype), (count,))
        for value, count in parts
    ]
    return pa.array(np.concatenate(columns), kind)


def reason(error: OSError) -> str:
    """Return in a few words why the operating system refused."""
    if error.errno in FULL:
        return "the disk is full"
    return f"{(error.strerror or str(error)).lower()}{f' ({os.fspath(error.filename)})' if error.filename else ''}"
