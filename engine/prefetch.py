"""Asking the processor for a row some commands before it is needed, so that a million accounts cost little more
than a thousand (docs/decisions/0009-scale.md).

Asking changes no state and cannot fail, whatever the row; interpreted, nothing happens.
"""

from __future__ import annotations

from typing import Any

from numba import config

from . import tables
from .tables import LINE_BYTES, SHAPES, Table


def places_in(table: str) -> list[int]:
    """Return the bytes of a row, counted from its begin, by which all cache lines of the row are named."""
    row = 8 * int(getattr(tables, SHAPES[table][-1]))
    assert row >= 8
    return [*range(0, row, LINE_BYTES), *([row - 8] if row % LINE_BYTES else [])]


if config.DISABLE_JIT:

    def prefetch(table: Table, row: int) -> None:
        """Do nothing: the interpreter has no use for it."""

else:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    from .handles import row_address

    FOR_WRITING, KEPT_LONG, DATA = 1, 3, 1

    @intrinsic
    def prefetch(typing_context: Any, table: Any, row: Any) -> Any:
        """Ask for the cache lines of a row of a two-dimensional table; the row need not exist."""

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
            ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
            first = builder.bitcast(row_address(context, builder, sig.args, args), byte)
            for place in places_in(table.table):
                address = builder.gep(first, [ir.Constant(ir.IntType(64), place)])
                builder.call(ask, [address, *(ir.Constant(flag, value) for value in (FOR_WRITING, KEPT_LONG, DATA))])
            return context.get_dummy_value()

        return types.none(table, row), generate
