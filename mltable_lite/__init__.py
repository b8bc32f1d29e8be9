"""Load tables that are described in a file.

``mltable_lite.load("MLTable").to_pandas_dataframe()`` validates the file, compiles it into a lazy plan, pushes
filters, columns, limits and samples down to the files and executes it with pyarrow.

Importing this package loads none of pyarrow, pandas, dask, adlfs or deltalake: public names are resolved when
first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mltable_lite.errors import MLTableError, MLTableWarning, UserErrorException
    from mltable_lite.loading import (
        from_delimited_files,
        from_delta_lake,
        from_json_lines_files,
        from_parquet_files,
        from_paths,
        install_as_mltable,
        load,
    )
    from mltable_lite.output.write import write
    from mltable_lite.table import MLTable
    from mltable_lite.types import (
        DataType,
        MLTableFileEncoding,
        MLTableHeaders,
        MLTablePartitionSize,
        MLTableSaveOverwriteOption,
    )

__version__ = "0.1.0"

_HOMES = {
    "mltable_lite.errors": ("MLTableError", "MLTableWarning", "UserErrorException"),
    "mltable_lite.loading": (
        "from_delimited_files",
        "from_delta_lake",
        "from_json_lines_files",
        "from_parquet_files",
        "from_paths",
        "install_as_mltable",
        "load",
    ),
    "mltable_lite.output.write": ("write",),
    "mltable_lite.table": ("MLTable",),
    "mltable_lite.types": (
        "DataType",
        "MLTableFileEncoding",
        "MLTableHeaders",
        "MLTablePartitionSize",
        "MLTableSaveOverwriteOption",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DataType",
    "MLTable",
    "MLTableError",
    "MLTableFileEncoding",
    "MLTableHeaders",
    "MLTablePartitionSize",
    "MLTableSaveOverwriteOption",
    "MLTableWarning",
    "UserErrorException",
    "from_delimited_files",
    "from_delta_lake",
    "from_json_lines_files",
    "from_parquet_files",
    "from_paths",
    "install_as_mltable",
    "load",
    "write",
]


_MODULES = ("assets", "datastores", "transfer")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mltable_lite.{name}")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
