"""One row of a fidelity table: small files and steps, and exactly what must come of them."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mltable_lite.errors import MLTableWarning, UserErrorException


@dataclass(frozen=True)
class Warned:
    """A warning: its class, how many values it counts, and texts it holds (the first value, its place, the fix)."""

    category: type[MLTableWarning]
    count: int
    texts: tuple[str, ...]


def warned(category: type[MLTableWarning], count: int, *texts: str) -> Warned:
    return Warned(category, count, texts)


@dataclass(frozen=True)
class Case:
    """What is read, and what must come.

    Attributes:
        name: The test's name.
        files: Their content by path, in the order in which they are read; a table becomes a Parquet file.
        steps: The YAML list of transformations.
        frame: The values by column, in order, null as `None`; `None` where an error must come.
        dtypes: The dtypes of the frame, separated by blanks.
        tail: Compare only so many last rows.
        warns: Every warning, in order.
        error: The class of the error and texts that it holds.
        paths: The YAML list of paths, where it is not the files one by one.
    """

    name: str
    files: Mapping[str, str | bytes | pa.Table]
    steps: str = "[read_delimited]"
    frame: Mapping[str, Sequence[Any]] | None = None
    dtypes: str = ""
    tail: int = 0
    warns: tuple[Warned, ...] = ()
    error: tuple[type[UserErrorException], tuple[str, ...]] | None = None
    paths: str = field(default="")

    def check(self, folder: Path) -> None:
        """Read the table in a folder and compare all that is said about it."""
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            if self.error is None:
                self._check_frame(self.load(folder).to_pandas_dataframe())
            else:
                with pytest.raises(self.error[0]) as raised:
                    self.load(folder).to_pandas_dataframe()
                assert type(raised.value) is self.error[0]
                for text in self.error[1]:
                    assert text in str(raised.value)
        assert [w.category for w in shown] == [w.category for w in self.warns]
        for warning, wanted in zip(shown, self.warns, strict=True):
            message = str(warning.message)
            assert re.search(rf"^(column '.*': )?{wanted.count} ", message), message
            for text in wanted.texts:
                assert text in message

    def load(self, folder: Path) -> mltable.MLTable:
        """Write the files and the MLTable file, and load it."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pa.Table):
                pq.write_table(content, path)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths = self.paths or "[" + ", ".join(f"{{file: {name}}}" for name in self.files) + "]"
        (folder / "MLTable").write_text(f"paths: {paths}\ntransformations: {self.steps}\n")
        return mltable.load(folder)

    def _check_frame(self, frame: pd.DataFrame) -> None:
        assert self.frame is not None
        assert list(frame) == list(self.frame)
        assert " ".join(map(str, frame.dtypes)) == self.dtypes
        for name, wanted in self.frame.items():
            got = [plain(value) for value in frame[name].tolist()]
            got = got[-self.tail :] if self.tail else got
            assert got == list(wanted), name
            assert [type(value) is bool for value in got] == [type(value) is bool for value in wanted], name


def plain(value: Any) -> Any:
    """Return a value of a frame as Python has it, null as `None`."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def by_name(cases: Sequence[Case]) -> Any:
    """Return the decorator that runs a test once a case."""
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    return pytest.mark.parametrize("case", cases, ids=names)
