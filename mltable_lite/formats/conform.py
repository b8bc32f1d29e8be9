"""Arrays of a file's types -> arrays of the table's types, without losing a value.

A target field may carry the name or the id under which the file stores it, as metadata `STORED_NAME` or `STORED_ID`,
on any level of nesting; without them a field is found by its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from mltable_lite.formats.unify import is_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

STORED_NAME = b"mltable_lite.stored_name"
STORED_ID = b"mltable_lite.stored_id"
_PARQUET_ID = b"PARQUET:field_id"
_LIST_VIEWS = (pt.is_list_view, pt.is_large_list_view)
_VIEWS = (pt.is_string_view, pt.is_binary_view, *_LIST_VIEWS)


def stored_field(stored: Iterable[pa.Field], wanted: pa.Field) -> int | None:
    """Return the index of the stored field that holds the wanted one, or `None` when the file lacks it."""
    metadata = wanted.metadata or {}
    if STORED_ID in metadata:
        identity = metadata[STORED_ID]
        return next(
            (i for i, f in enumerate(stored) if (f.metadata or {}).get(_PARQUET_ID) == identity), None
        )
    name = metadata[STORED_NAME].decode() if STORED_NAME in metadata else wanted.name
    return next((i for i, f in enumerate(stored) if f.name == name), None)


def stored_fields(stored: Sequence[pa.Field], wanted: Iterable[pa.Field]) -> list[int | None]:
    """Return the indices of the stored fields that hold the wanted ones, as `stored_field` does for one."""
    names = {f.name: i for i, f in enumerate(stored)}
    return [stored_field(stored, f) if f.metadata else names.get(f.name) for f in wanted]


def conform(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Return the array with the target type; the same object where it already has it.

    Struct fields are taken by (stored) name: missing ones are null, further ones are left out.

    Raises:
        pa.ArrowInvalid: A value does not fit the target type.
        pa.ArrowNotImplementedError: Arrow knows no cast between the types.
    """
    if array.type == target and not renames(target):
        return array
    if isinstance(array, pa.ExtensionArray) and not isinstance(target, pa.BaseExtensionType):
        return conform(array.storage, target)
    if pt.is_struct(array.type) and pt.is_struct(target) and target.num_fields:
        return _conform_struct(array, target)
    if is_list(array.type) and is_list(target) and _is_rebuilt(array.type, target):
        return _conform_list(array, target)
    if pt.is_map(array.type) and pt.is_map(target) and _is_rebuilt(array.type, target):
        return _conform_map(array, target)
    return array.cast(target)


def batch_of(arrays: Sequence[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """Return the arrays as a batch with the schema's fields, save for those that came dictionary-encoded."""
    fields = [f if f.type == a.type else f.with_type(a.type) for f, a in zip(schema, arrays, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _conform_struct(array: pa.Array, target: pa.DataType) -> pa.Array:
    stored = list(array.type)
    children = []
    for field in target:
        index = stored_field(stored, field)
        children.append(
            pa.nulls(len(array), field.type) if index is None else conform(array.field(index), field.type)
        )
    return pa.StructArray.from_arrays(
        children, fields=list(target), mask=array.is_null() if array.null_count else None
    )


def _conform_list(array: pa.Array, target: pa.DataType) -> pa.Array:
    offsets, mask = _layout(array)
    values = conform(array.flatten(), target.value_type)
    lists = pa.LargeListArray.from_arrays(offsets, values, type=pa.large_list(target.value_field), mask=mask)
    return lists.cast(target)


def _conform_map(array: pa.Array, target: pa.DataType) -> pa.Array:
    entries = array.cast(pa.list_(pa.struct([array.type.key_field, array.type.item_field])))
    offsets, mask = _layout(entries)
    keys, items = entries.flatten().flatten()
    keys, items = conform(keys, target.key_type), conform(items, target.item_type)
    return pa.MapArray.from_arrays(offsets.cast(pa.int32()), keys, items, type=target, mask=mask)


def _layout(array: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """Return the offsets and the nulls of a list, anew: those of a slice do not begin at 0, null entries leave gaps."""
    lengths = pc.list_value_length(array).cast(pa.int64()).fill_null(0)
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    return offsets, array.is_null() if array.null_count else None


def without_views(t: pa.DataType) -> pa.DataType:
    """Return the type with plain texts, binaries and lists for views, which many of Arrow's functions do not know.

    Texts and binaries become the large ones, because a batch of views may hold more than 2 GB. An extension type whose
    storage has views gives way to the storage.
    """
    if not _holds(t, *_VIEWS):
        return t
    if pt.is_string_view(t) or pt.is_binary_view(t):
        return pa.large_string() if pt.is_string_view(t) else pa.large_binary()
    if isinstance(t, pa.BaseExtensionType):
        return without_views(t.storage_type)
    return with_inner(t, without_views)


def with_inner(t: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return a struct, map, list or dictionary type after a change of the types inside; list views become lists."""

    def changed(field: pa.Field) -> pa.Field:
        return field.with_type(change(field.type))

    if pt.is_dictionary(t):
        return pa.dictionary(t.index_type, change(t.value_type), ordered=t.ordered)
    if pt.is_struct(t):
        return pa.struct([changed(f) for f in t])
    if pt.is_map(t):
        return pa.map_(changed(t.key_field), changed(t.item_field), keys_sorted=t.keys_sorted)
    if pt.is_fixed_size_list(t):
        return pa.list_(changed(t.value_field), t.list_size)
    if pt.is_large_list(t) or pt.is_large_list_view(t):
        return pa.large_list(changed(t.value_field))
    return pa.list_(changed(t.value_field)) if is_list(t) else t


def _holds(t: pa.DataType, *kinds: Callable[[pa.DataType], bool]) -> bool:
    """Tell whether a type is of one of these kinds, or has such a one inside."""
    if any(kind(t) for kind in kinds):
        return True
    if isinstance(t, pa.BaseExtensionType):
        return _holds(t.storage_type, *kinds)
    if pt.is_dictionary(t):
        return _holds(t.value_type, *kinds)
    return any(_holds(t.field(i).type, *kinds) for i in range(t.num_fields))


def without_marks(t: pa.DataType) -> pa.DataType:
    """Return the type as users see it, without the marks of how files store its fields."""
    if not renames(t):
        return t
    if pt.is_struct(t):
        return pa.struct([pa.field(f.name, without_marks(f.type), f.nullable) for f in t])
    if pt.is_map(t):
        return pa.map_(without_marks(t.key_type), without_marks(t.item_type))
    return pa.list_(t.value_field.with_type(without_marks(t.value_type)))


def _is_rebuilt(t: pa.DataType, target: pa.DataType) -> bool:
    """Tell whether lists and maps are taken apart: the fields inside are to be found, or Arrow's cast is no good.

    It loses values of list views that are slices, or stand in another list.
    """
    return _has_struct(target) or _holds(t, *_LIST_VIEWS)


def _has_struct(t: pa.DataType) -> bool:
    if pt.is_struct(t):
        return True
    if pt.is_map(t):
        return _has_struct(t.key_type) or _has_struct(t.item_type)
    return is_list(t) and _has_struct(t.value_type)


def renames(t: pa.DataType) -> bool:
    """Tell whether a field inside the type is stored under another name or found by an id."""
    if not t.num_fields:
        return False
    if pt.is_struct(t):
        return any(
            STORED_NAME in (f.metadata or {}) or STORED_ID in (f.metadata or {}) or renames(f.type) for f in t
        )
    if pt.is_map(t):
        return renames(t.key_type) or renames(t.item_type)
    return is_list(t) and renames(t.value_type)
