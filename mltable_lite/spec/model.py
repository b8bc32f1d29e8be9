"""One frozen dataclass for every construct of the MLTable YAML format.

A spec is data: it compares, hashes, pickles and prints. It knows no pyarrow and no plan. Defaults are those of the
format. Relative paths stay as written; `TableSpec.base` is the folder or URI they are relative to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mltable_lite.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mltable_lite.types import DataType

PARTITION_SIZE_BYTES = 20 * 1024 * 1024
SAMPLE_ROWS = 200

Header = Literal["no_header", "from_first_file", "all_files_different_headers", "all_files_same_headers"]
InvalidLines = Literal["error", "drop"]


@dataclass(frozen=True, slots=True)
class PathSpec:
    """One entry of ``paths``: a file, a folder (recursive) or a pattern, as written.

    A credential in its address is never shown, and stays behind when it is pickled.
    """

    kind: Literal["file", "folder", "pattern"]
    value: str
    line: int | None = field(default=None, compare=False)

    @property
    def shown(self) -> str:
        """What a person may see of the address."""
        return masked(self.value)

    def __repr__(self) -> str:
        return f"PathSpec({self.kind!r}, {self.shown!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return PathSpec, (self.kind, self.shown, self.line)


# --------------------------------------------------------------------------- columns by name or pattern
@dataclass(frozen=True, slots=True)
class Names:
    """Columns by name. `single` remembers that the YAML held one text and not a list."""

    names: tuple[str, ...]
    single: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class NamePattern:
    """Columns whose name holds a match of a regular expression, or with `invert` those without one."""

    pattern: str
    ignore_case: bool = False
    invert: bool = False


Columns = Names | NamePattern


# --------------------------------------------------------------------------- readers
@dataclass(frozen=True, slots=True)
class InferTypes:
    """``infer_column_types`` as a mapping: how many rows are looked at and which columns have a given type."""

    sample_size: int = SAMPLE_ROWS
    overrides: tuple[tuple[tuple[str, ...], DataType], ...] = ()


@dataclass(frozen=True, slots=True)
class ReadDelimited:
    """``read_delimited``."""

    delimiter: str = ","
    header: Header = "all_files_same_headers"
    encoding: str = "utf8"
    support_multi_line: bool = False
    empty_as_string: bool = False
    include_path_column: bool = False
    infer_column_types: bool | InferTypes = True
    partition_size: int = PARTITION_SIZE_BYTES
    path_column: str = "Path"


@dataclass(frozen=True, slots=True)
class ReadParquet:
    """``read_parquet``."""

    include_path_column: bool = False
    path_column: str = "Path"


@dataclass(frozen=True, slots=True)
class ReadJsonLines:
    """``read_json_lines``."""

    invalid_lines: InvalidLines = "error"
    encoding: str = "utf8"
    include_path_column: bool = False
    partition_size: int = PARTITION_SIZE_BYTES
    path_column: str = "Path"


@dataclass(frozen=True, slots=True)
class ReadDeltaLake:
    """``read_delta_lake``; without version and timestamp the latest version. The timestamp is RFC 3339 text."""

    version_as_of: int | None = None
    timestamp_as_of: str | None = None
    include_path_column: bool = False
    path_column: str = "Path"


Reader = ReadDelimited | ReadParquet | ReadJsonLines | ReadDeltaLake


# --------------------------------------------------------------------------- other steps
@dataclass(frozen=True, slots=True)
class Filter:
    """``filter``: an expression of the filter language."""

    expression: str


@dataclass(frozen=True, slots=True)
class KeepColumns:
    """``keep_columns``."""

    columns: Columns


@dataclass(frozen=True, slots=True)
class DropColumns:
    """``drop_columns``."""

    columns: Columns


@dataclass(frozen=True, slots=True)
class Conversion:
    """One item of ``convert_column_types``."""

    columns: Columns
    target: DataType


@dataclass(frozen=True, slots=True)
class ConvertColumnTypes:
    """``convert_column_types``: items are applied in order."""

    items: tuple[Conversion, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """``take``: the first rows; before the read step, the first files."""

    count: int


@dataclass(frozen=True, slots=True)
class Skip:
    """``skip``."""

    count: int


@dataclass(frozen=True, slots=True)
class TakeRandomSample:
    """``take_random_sample``: each row independently with this probability."""

    probability: float
    seed: int


@dataclass(frozen=True, slots=True)
class Sample:
    """``sample``: rows whose draw falls into [lower, upper); what ``random_split`` writes."""

    upper: float
    seed: int
    lower: float = 0.0


@dataclass(frozen=True, slots=True)
class SelectPartitions:
    """``select_partitions``."""

    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExtractPartitionColumns:
    """``extract_columns_from_partition_format``."""

    partition_format: str
    ignore_errors: bool = False
    path_column: str = "Path"


Step = (
    ReadDelimited
    | ReadParquet
    | ReadJsonLines
    | ReadDeltaLake
    | Filter
    | KeepColumns
    | DropColumns
    | ConvertColumnTypes
    | Take
    | Skip
    | TakeRandomSample
    | Sample
    | SelectPartitions
    | ExtractPartitionColumns
)


# --------------------------------------------------------------------------- the whole
@dataclass(frozen=True, slots=True)
class Traits:
    """``traits``: columns with a meaning for tools; `extra` keeps keys that mltable_lite does not know."""

    timestamp_column: str | None = None
    index_columns: tuple[str, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A whole MLTable file.

    Attributes:
        paths: The entries of ``paths``, in order.
        steps: The transformations, in order.
        base: The absolute folder or URI that relative paths are relative to.
        query_source: The mapping under ``query_source``, if any: parsed and kept, not executed.
        traits: Part of equality, not of the hash, because they can be set in place.
        metadata: Same.
        schema: The text under ``$schema``: kept, never fetched.
        source: How error texts call the file, for example ``data/MLTable``.
        step_lines: The line of each step in the file, where there is one.
        asset: The address of the data asset that it was loaded from, with its version; empty for all others.
    """

    paths: tuple[PathSpec, ...]
    steps: tuple[Step, ...] = ()
    base: str = ""
    query_source: Mapping[str, Any] | None = field(default=None, hash=False)
    traits: Traits | None = field(default=None, hash=False)
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)
    schema: str | None = field(default=None, compare=False)
    source: str = field(default="MLTable", compare=False)
    step_lines: tuple[int | None, ...] = field(default=(), compare=False)
    asset: str = field(default="", compare=False)
