"""How compiled kernels see the tables of a venue: as one pointer, not as fourteen arrays.

Passing a tuple of arrays costs numba some 130 machine words at every call that is not inlined, and most of its compile
time. Here `Tables` is a numba type of its own: one pointer to a directory of (address, rows, columns) entries, one per
table. `t.units[unit, COLUMN]` in a kernel becomes a load from the directory and a load or store at the address.
Interpreted, the very same expression indexes the NumPy array, so that kernels have one source.

The numba interfaces used are the documented ones for extension types (typeof, data models, unboxing, attributes and
getitem). With NUMBA_BOUNDSCHECK=1 every index is checked against the directory.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import config
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import (
    NativeValue,
    lower_builtin,
    lower_getattr_generic,
    models,
    register_model,
    typeof_impl,
    unbox,
)

from .tables import DIRECTORY_WORDS, SHAPES, TABLE_NAMES, Tables

WORD = ir.IntType(64)


class TablesType(types.Type):
    """Type of `Tables` in kernels: a pointer to its directory."""

    def __init__(self) -> None:
        super().__init__(name="delever.Tables")


class TableType(types.Type):
    """Type of one table in kernels: its address and lengths, loaded from the directory."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.ndim = len(SHAPES[table])
        super().__init__(name=f"delever.Table({table})")


tables_type = TablesType()
# Looked up first by numba when a kernel is called: three times quicker than asking `typeof`.
Tables._numba_type_ = tables_type  # type: ignore[attr-defined]


@typeof_impl.register(Tables)
def _typeof_tables(value: Tables, context: Any) -> TablesType:
    return tables_type


@register_model(TablesType)
class _TablesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: TablesType) -> None:
        super().__init__(manager, fe_type, WORD.as_pointer())


@register_model(TableType)
class _TableModel(models.PrimitiveModel):
    """A table is a pointer to its entry in the directory."""

    def __init__(self, manager: Any, fe_type: TableType) -> None:
        super().__init__(manager, fe_type, WORD.as_pointer())


@unbox(TablesType)
def _unbox_tables(typ: TablesType, value: Any, c: Any) -> NativeValue:
    attribute = c.pyapi.object_getattr_string(value, "address")
    address = c.pyapi.long_as_longlong(attribute)
    c.pyapi.decref(attribute)
    return NativeValue(
        c.builder.inttoptr(address, WORD.as_pointer()), is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred())
    )


@infer_getattr
class _TablesAttributes(AttributeTemplate):
    key = TablesType

    def generic_resolve(self, typ: TablesType, attr: str) -> TableType | None:
        return TableType(attr) if attr in SHAPES else None


@lower_getattr_generic(TablesType)
def _lower_table(context: Any, builder: Any, typ: TablesType, value: Any, attr: str) -> Any:
    offset = ir.Constant(WORD, DIRECTORY_WORDS * TABLE_NAMES.index(attr))
    return builder.gep(value, [offset])


def _invariant_load(builder: Any, entry: Any, word: int) -> Any:
    """Load a word of the directory, which no kernel ever writes."""
    loaded = builder.load(builder.gep(entry, [ir.Constant(WORD, word)]))
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        table, index = args
        if isinstance(table, TableType) and _fits(table, index):
            return signature(types.int64, table, index)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        table, index, value = args
        if isinstance(table, TableType) and _fits(table, index) and isinstance(value, (types.Integer, types.Boolean)):
            return signature(types.none, table, index, types.int64)
        return None


def _fits(table: TableType, index: Any) -> bool:
    """Say whether an index names one cell."""
    if table.ndim == 1:
        return isinstance(index, types.Integer)
    return isinstance(index, types.BaseTuple) and len(index) == table.ndim  # type: ignore[attr-defined]


def _cell(context: Any, builder: Any, table: TableType, entry: Any, index_type: Any, index: Any) -> Any:
    """Return the address of a cell."""
    if table.ndim == 1:
        parts, kinds = [index], [index_type]
    else:
        parts, kinds = cgutils.unpack_tuple(builder, index, table.ndim), list(index_type)
    words = [context.cast(builder, part, kind, types.int64) for part, kind in zip(parts, kinds, strict=True)]
    if config.BOUNDSCHECK:
        for axis, word in enumerate(words):
            outside = builder.icmp_unsigned(">=", word, _invariant_load(builder, entry, 1 + axis))
            with builder.if_then(outside, likely=False):
                context.call_conv.return_user_exc(builder, IndexError, (f"table {table.table}, axis {axis}",))
    place = words[0]
    for axis in range(1, table.ndim):
        place = builder.add(builder.mul(place, _invariant_load(builder, entry, 1 + axis)), words[axis])
    address = builder.inttoptr(_invariant_load(builder, entry, 0), WORD.as_pointer())
    return builder.gep(address, [place])


def row_address(context: Any, builder: Any, kinds: Any, args: Any) -> Any:
    """Return the address of a row of a two-dimensional table; the row need not exist."""
    entry, row = args[0], context.cast(builder, args[1], kinds[1], types.int64)
    start = builder.mul(row, _invariant_load(builder, entry, 2))
    return builder.gep(builder.inttoptr(_invariant_load(builder, entry, 0), WORD.as_pointer()), [start])


@lower_builtin(operator.getitem, TableType, types.Any)
def _lower_getitem(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(_cell(context, builder, sig.args[0], args[0], sig.args[1], args[1]))


@lower_builtin(operator.setitem, TableType, types.Any, types.Any)
def _lower_setitem(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _cell(context, builder, sig.args[0], args[0], sig.args[1], args[1]))
    return context.get_dummy_value()
