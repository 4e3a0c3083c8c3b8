"""Result tables as strict JSON."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

from loyaltykit import _frame

Record = dict[str, "str | int | float | bool | None"]


def to_records(result: Any) -> list[Record]:
    """Return a table as a list of records that ``json.dumps(..., allow_nan=False)`` accepts.

    Parameters
    ----------
    result : DataFrame
        Any result table; a pandas, Polars or PyArrow frame.

    Returns
    -------
    list of dict
        One record per row, in order, with the columns as keys. Null, NaN and NaT become None;
        dates ISO text, without the time when it is midnight; numbers stay numbers.

    Examples
    --------
    >>> import json
    >>> import loyaltykit as lk
    >>> record = lk.to_records(lk.csat_from_counts(satisfied=0, n=0))[0]
    >>> json.dumps({name: record[name] for name in ("metric", "n", "estimate")}, allow_nan=False)
    '{"metric": "csat", "n": 0, "estimate": null}'
    """
    frame = _frame.open_frame(result, "result")
    columns = {name: _frame.python_values(frame[name]) for name in frame.columns}
    # A result table is small: this is the one place that walks its cells.
    plain = {name: [_plain(value) for value in values] for name, values in columns.items()}
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _plain(value: Any) -> str | int | float | bool | None:
    """Return the JSON form of one value."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (float, Decimal)):
        # JSON has no word for infinity either, so it goes as text and is not lost.
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, dt.datetime) and value.time() == dt.time(0) and value.tzinfo is None:
        return value.date().isoformat()
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return str(value)
