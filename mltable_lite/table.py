"""The table: an immutable front over a spec. Verbs add a step and return a new table; outputs run a query."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mltable_lite import arguments
from mltable_lite.errors import ColumnNotFoundError, MissingColumnWarning, Notice, UserErrorException
from mltable_lite.spec import TableSpec, model, parse_text, to_text, to_yaml
from mltable_lite.traits import Metadata, Settable, Traits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import dask.dataframe as dd
    import pandas as pd
    import pyarrow as pa

    from mltable_lite.execute.query import Query
    from mltable_lite.output.explain import Explanation
    from mltable_lite.output.pandas import DtypeBackend
    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.types import DataType, MLTableSaveOverwriteOption


class MLTable:
    """A table described by paths and steps. Nothing is read before an output is asked for.

    Make one with `load` or a ``from_*`` function. Tables compare by content, hash, pickle (without credentials) and
    copy. Only `traits` and `metadata` can be set in place; they are no part of the hash.

    Example:
        >>> import mltable_lite as mltable
        >>> table = mltable.load("docs/examples/taxi").take(3)
        >>> len(table.to_pandas_dataframe())
        3
    """

    traits = Settable(Traits)
    metadata = Settable(Metadata)

    def __init__(self, spec: TableSpec, options: StorageOptions, *, strict: bool) -> None:
        self._spec = spec
        self._options = options
        self._strict = strict
        self.traits = Traits(spec.traits)
        self.metadata = Metadata(spec.metadata)

    # ---------------------------------------------------------------- what it is
    @property
    def paths(self) -> list[dict[str, str]]:
        """The entries of ``paths`` as written, each a mapping of ``file``, ``folder`` or ``pattern``."""
        return [{path.kind: path.value} for path in self._spec.paths]

    @property
    def partition_keys(self) -> list[str]:
        """The names of the columns that the first partition format adds, the date last; empty without one."""
        from mltable_lite.plan.partition_format import compile_format

        for step in self._spec.steps:
            if isinstance(step, model.ExtractPartitionColumns):
                return list(compile_format(step.partition_format).names)
        return []

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the result, from metadata and samples; no data is read."""
        return self._query().schema

    def __str__(self) -> str:
        return to_text(self._current())

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MLTable):
            return NotImplemented
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(to_text(replace(self._spec, traits=None, metadata=None)))

    def _current(self) -> TableSpec:
        return replace(self._spec, traits=self.traits.to_spec(), metadata=self.metadata.to_spec())

    def _with_step(self, step: model.Step, *, first: bool = False) -> MLTable:
        spec = self._current()
        steps = (step, *spec.steps) if first else (*spec.steps, step)
        lines = (None, *spec.step_lines) if first else spec.step_lines
        return MLTable(replace(spec, steps=steps, step_lines=lines), self._options, strict=self._strict)

    # ---------------------------------------------------------------- columns
    def filter(self, expression: str) -> MLTable:
        """Return the table with only the rows for which an expression is true.

        Args:
            expression: Text of the filter language, for example ``'col("age") > 30 and city == "Rome"'``.

        Raises:
            FilterSyntaxError: At once, when the text is not in the filter language.
        """
        from mltable_lite.expr import parse

        text = arguments.text("filter", "expression", expression)
        parse(text)
        return self._with_step(model.Filter(text))

    def keep_columns(self, columns: str | list[str] | tuple[str, ...] | set[str]) -> MLTable:
        """Return the table with only these columns, in the table's order. An empty list keeps all.

        Raises:
            ArgumentError: A name stands twice, or a column of the traits is missing.
        """
        names = arguments.columns("keep_columns", columns)
        missing = [name for name in self.traits.columns() if name not in names] if names else []
        if missing:
            raise UserErrorException(
                f"keep_columns: column {missing[0]!r} is named in the traits and must be kept. Add it to the columns."
            )
        return self._with_step(model.KeepColumns(_names(columns, names))) if names else self._copy()

    def drop_columns(self, columns: str | list[str] | tuple[str, ...] | set[str]) -> MLTable:
        """Return the table without these columns. A name that is not there is a warning when reading.

        Raises:
            ArgumentError: A name stands twice, or names a column of the traits.
        """
        names = arguments.columns("drop_columns", columns)
        held = [name for name in self.traits.columns() if name in names]
        if held:
            raise UserErrorException(
                f"drop_columns: column {held[0]!r} is named in the traits and cannot be dropped. Change the traits first."
            )
        return self._with_step(model.DropColumns(_names(columns, names))) if names else self._copy()

    def convert_column_types(self, column_types: Mapping[str | tuple[str, ...], DataType | str]) -> MLTable:
        """Return the table with columns converted.

        Args:
            column_types: A column's name, or a tuple of names, to a `DataType` or one of the words ``int``, ``float``,
                ``string``, ``boolean``, ``stream_info``. Values that do not convert become null, with a warning that
                counts them.

        Raises:
            ArgumentError: The mapping is empty, names a column twice, or a type is not known.
        """
        return self._with_step(model.ConvertColumnTypes(arguments.conversions(column_types)))

    def extract_columns_from_partition_format(self, partition_format: str) -> MLTable:
        """Return the table with columns taken from each file's path.

        Args:
            partition_format: For example ``/{region}/{day:yyyy/MM/dd}/``: texts, and one date.
        """
        from mltable_lite.plan.partition_format import compile_format

        text = arguments.text("extract_columns_from_partition_format", "partition_format", partition_format)
        compile_format(text)
        return self._with_step(model.ExtractPartitionColumns(text), first=True)

    # ---------------------------------------------------------------- rows
    def take(self, count: int = 20) -> MLTable:
        """Return the table's first `count` rows; an `ArgumentError` where that is no integer above 0."""
        return self._with_step(model.Take(arguments.positive("take", "count", count)))

    def skip(self, count: int) -> MLTable:
        """Return the table without its first `count` rows; an `ArgumentError` as in `take`."""
        return self._with_step(model.Skip(arguments.positive("skip", "count", count)))

    def take_random_sample(self, probability: float, seed: int | None = None) -> MLTable:
        """Return a table that keeps each row independently with a probability.

        The same rows come on every machine, engine and thread count. Without a seed one is drawn now and kept.

        Raises:
            ArgumentError: The probability is not above 0 and at most 1, or the seed no integer.
        """
        share = arguments.probability("take_random_sample", probability)
        return self._with_step(model.TakeRandomSample(share, arguments.seed("take_random_sample", seed)))

    def random_split(self, percent: float = 0.5, seed: int | None = None) -> tuple[MLTable, MLTable]:
        """Return two disjoint tables that together hold every row, the first with about `percent` (0 to 1) of them.

        Without a seed one is drawn now, for both. Errors are those of `take_random_sample`.
        """
        share = arguments.percent("random_split", percent)
        chosen = arguments.seed("random_split", seed)
        first = model.Sample(upper=share, seed=chosen)
        return self._with_step(first), self._with_step(model.Sample(lower=share, upper=1.0, seed=chosen))

    def select_partitions(self, partition_index_list: int | list[int]) -> MLTable:
        """Return only the partitions with these numbers, counted from 0, in the table's order.

        Raises:
            ArgumentError: A number is no integer from 0, or there is none; when reading, if there is no such partition.
        """
        return self._with_step(
            model.SelectPartitions(arguments.indices("select_partitions", partition_index_list))
        )

    # ---------------------------------------------------------------- outputs
    def to_pandas_dataframe(self, dtype_backend: DtypeBackend | None = None) -> pd.DataFrame:
        """Return all rows as a pandas DataFrame.

        Args:
            dtype_backend: As in pandas: ``"pyarrow"`` or ``"numpy_nullable"``; by default NumPy types, integers with
                nulls as float64 (Int64 where digits would be lost), text as ``str``.

        Raises:
            UserErrorException: Files are missing, damaged, or do not fit the steps; the text says where.
        """
        from mltable_lite.output.pandas import to_dataframe

        return to_dataframe(self._query(), dtype_backend, self._options)

    def to_arrow_table(self) -> pa.Table:
        """Return all rows as a pyarrow Table. Stream columns are text: the path or URI."""
        from mltable_lite.output.arrow import to_table

        return to_table(self._query())

    def to_arrow_batches(
        self, *, batch_rows: int | None = None, max_memory: int | str | None = None
    ) -> pa.RecordBatchReader:
        """Return the rows as a stream of record batches; the reading ends when the stream is dropped.

        Args:
            batch_rows: How many rows each batch has, but the last; by default as they are decoded.
            max_memory: About how much memory waiting batches and decoding take, such as ``"512MB"``; by default a few
                partitions, or 512 MB (128 MB a core, if that is more) where one is bigger than 64 MB in its file.

        Raises:
            SchemaMismatchError: From the reader, where a later value does not fit the type guessed from the sample.
        """
        from mltable_lite.output.iterate import to_reader

        sizes = arguments.stream_sizes("to_arrow_batches", "batch_rows", batch_rows, max_memory)
        return to_reader(self._query(), *sizes)

    def iter_pandas(
        self,
        rows: int = 100_000,
        *,
        dtype_backend: DtypeBackend | None = None,
        max_memory: int | str | None = None,
    ) -> Iterator[pd.DataFrame]:
        """Return an iterator of DataFrames that together are `to_pandas_dataframe`, all with the same dtypes.

        Only a categorical column has in each frame the categories of that frame.

        Args:
            rows: How many rows each frame has, but the last.
            dtype_backend: As in `to_dask_dataframe`.
            max_memory: As in `to_arrow_batches`.

        Raises:
            SchemaMismatchError: From the iterator, where a later value does not fit the schema or the dtypes.
        """
        from mltable_lite.output.iterate import iter_frames

        sizes = arguments.stream_sizes("iter_pandas", "rows", rows, max_memory)
        return iter_frames(self._query(), *sizes, dtype_backend, self._options)

    def to_dask_dataframe(
        self,
        *,
        index: str | None = None,
        dtype_backend: DtypeBackend | None = None,
        partition_bytes: int | str = "128MiB",
    ) -> dd.DataFrame:
        """Return the table as a dask DataFrame with the rows of `to_pandas_dataframe`. Reads metadata, no data.

        `take` and `skip` read as many rows as they count, where no metadata tells the numbers of rows.

        Args:
            index: A column that becomes the index, with divisions where statistics tell them.
            dtype_backend: As in `to_pandas_dataframe`. Without one, dtypes are decided before reading: a null in an
                integer or boolean column without evidence of nulls in metadata or the first rows is an error.
            partition_bytes: About how much memory a partition takes; smaller row groups, blocks and files are grouped.

        Raises:
            SchemaMismatchError: When dask computes, where a later value does not fit the schema or the dtypes.
        """
        from mltable_lite.output.dask import to_dask

        size = arguments.byte_count("to_dask_dataframe", "partition_bytes", partition_bytes)
        return to_dask(self._query(), dtype_backend, self._options, size, index)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow_batches().__arrow_c_stream__(requested_schema)

    def show(self, count: int = 20) -> pd.DataFrame:
        """Return the first `count` rows as a pandas DataFrame."""
        return self.take(count).to_pandas_dataframe()

    def count_rows(self) -> int:
        """Return the number of rows, from metadata where it tells."""
        from mltable_lite.output.arrow import count

        return count(self._query())

    def get_partition_count(self) -> int:
        """Return the number of partitions: row groups, blocks of text, or whole files where lines cannot be cut."""
        from mltable_lite.output.arrow import count_partitions

        return count_partitions(self._query())

    def explain(self, *, analyze: bool = False) -> Explanation:
        """Return the plan as text: as declared, as optimised, and what is pushed into the scan.

        Args:
            analyze: Also run it, with its warnings, and say what was opened, skipped and read.
        """
        from mltable_lite.output.explain import explain

        return explain(self._query(), analyze=analyze)

    def validate(self) -> None:
        """Check paths, columns, filters and traits, and read the first rows.

        Warns where the data of a data asset that the table is made of is not as it was registered.

        Raises:
            UserErrorException: With what is wrong and where.
        """
        from mltable_lite.output.arrow import to_table
        from mltable_lite.storage.assets import change_notices

        query = self._query()
        missing = [name for name in self.traits.columns() if name not in query.schema.names]
        if missing:
            raise ColumnNotFoundError("traits", missing, query.schema.names)
        first = self.take(1)._query()  # noqa: SLF001 - a table of our own
        for notice in change_notices(self._spec, self._options):
            first.catalogue.notices.add(notice)
        to_table(first)

    def save(
        self,
        path: str | None = None,
        overwrite: bool | str | MLTableSaveOverwriteOption = True,
        colocated: bool = False,
        show_progress: bool = False,
        if_err_remove_files: bool = True,  # noqa: ARG002 - for compatibility
    ) -> MLTable:
        """Write the table as an MLTable file into a folder and return this table.

        Args:
            path: The folder, local or a URI; by default the working directory. It is made when missing.
            overwrite: Whether an existing MLTable file (and with `colocated` data) may be replaced; ``"skip"`` keeps
                what is there.
            colocated: Copy the data files next to the MLTable file and refer to the copies.
            show_progress: Print each copied file.
            if_err_remove_files: Accepted for compatibility: nothing half-written is left in either case.

        Raises:
            TargetExistsError: The target exists and may not be overwritten.
            SaveError: The target cannot be written.
        """
        from mltable_lite.output.save import save

        save(
            self._current(),
            path,
            self._options,
            mode=arguments.overwrite_mode(overwrite),
            colocated=arguments.flag("save", "colocated", colocated),
            show_progress=show_progress,
        )
        return self

    # ---------------------------------------------------------------- inside
    def _add_transformation_step(self, step: str, args: Any = None) -> MLTable:
        # Private in the reference too, and called by tools all the same: one step, as the YAML file would have it.
        written = to_yaml({"paths": [], "transformations": [step if args is None else {step: args}]})
        parsed, _ = parse_text(written, source="MLTable", base=self._spec.base)
        return self._with_step(parsed.steps[0])

    def _copy(self) -> MLTable:
        return MLTable(self._current(), self._options, strict=self._strict)

    def _query(self) -> Query:
        from mltable_lite.execute.query import Query, Settings
        from mltable_lite.plan import build

        query = Query(build(self._spec), Settings(self._options, self._spec.source, self._strict))
        for notice in self._trait_notices(query):
            query.catalogue.notices.add(notice)
        return query

    def _trait_notices(self, query: Query) -> Iterator[Notice]:
        for name in self.traits.columns():
            if name not in query.schema.names:
                text = str(ColumnNotFoundError("traits", [name], query.schema.names))
                yield Notice(MissingColumnWarning, name, 1, f"column of the traits is not there. {text}")


def _names(given: object, names: tuple[str, ...]) -> model.Names:
    return model.Names(names, single=isinstance(given, str))
