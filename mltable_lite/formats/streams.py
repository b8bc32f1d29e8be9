"""Stream columns in Arrow: a text column that holds each file's path or URI, marked by the field's metadata."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

KIND_KEY = b"mltable_lite.kind"
STREAM_METADATA: dict[bytes | str, bytes | str] = {KIND_KEY: b"stream"}


def stream_field(name: str) -> pa.Field[Any]:
    """Return the field of a stream column."""
    return pa.field(name, pa.string(), nullable=True, metadata=STREAM_METADATA)


def is_stream(field: pa.Field[Any]) -> bool:
    """Tell whether a field is a stream column."""
    return field.metadata is not None and field.metadata.get(KIND_KEY) == b"stream"
