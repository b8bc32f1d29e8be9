"""What a read gave, as plain data: runs in this project's environment and in that of the reference."""

import datetime as dt
import decimal
import math


def read(module, folder):
    """Return the answer of `module` to the MLTable file in a folder: a frame or an error."""
    when = "load"
    try:
        table = module.load(folder)
        when = "read"
        return frame(table.to_pandas_dataframe())
    except Exception as error:  # noqa: BLE001 - any class is an answer
        names = [cls.__name__ for cls in type(error).__mro__]
        return {"error": names[0], "tree": names, "when": when, "text": str(error)[:1500]}


def frame(df):
    columns = [df.iloc[:, i] for i in range(df.shape[1])]
    return {
        "columns": [str(name) for name in df.columns],
        "dtypes": [str(column.dtype) for column in columns],
        "values": [[plain(value) for value in column] for column in columns],
        "rows": len(df),
    }


def plain(value):
    """Return a value as JSON has it; what JSON lacks becomes a list of the kind's name and a text."""
    import numpy as np
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, np.timedelta64):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return _float(float(value))
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        return ["list", [plain(item) for item in value]]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return _other(value)


def _float(value):
    if math.isnan(value):
        return None
    return ["float", "inf" if value > 0 else "-inf"] if math.isinf(value) else value


def _other(value):
    import numpy as np
    import pandas as pd

    if isinstance(value, (pd.Timedelta, np.timedelta64, dt.timedelta)):
        return ["duration", str(pd.Timedelta(value))]
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, dt.datetime):
        utc = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
        return ["datetime", utc.isoformat()]
    if isinstance(value, dt.date):
        return ["date", value.isoformat()]
    if isinstance(value, dt.time):
        return ["time", value.isoformat()]
    if isinstance(value, decimal.Decimal):
        return ["decimal", format(value, "f")]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    return ["other", type(value).__name__, str(value)]
