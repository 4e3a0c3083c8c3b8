"""Result tables as strict JSON, back from it, and its schema."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _frame, _refusals, _results, _schemas
from loyaltykit.errors import DataError, ParameterError

Record = dict[str, "str | int | float | bool | None"]

_INFINITE = {"inf": math.inf, "-inf": -math.inf}
_EXPECTED = {
    _schemas.TEXT: "text",
    _schemas.INTEGER: "whole numbers of 64 bits",
    _schemas.COUNT: "whole numbers from 0 up",
    _schemas.NUMBER: 'numbers (null for none, "inf" and "-inf" for infinite ones)',
    _schemas.DATE: "dates as ISO text, such as '2026-01-31'",
    _schemas.ANY: "values of one type, and strict JSON",
}


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
        dates ISO text, without the time when it is midnight; numbers stay numbers, but for
        infinite ones, which JSON lacks: they become the texts "inf" and "-inf". No result table
        holds one.

    See Also
    --------
    from_records : Make the table of the records again.
    record_schema : What records of a table look like, as JSON Schema.

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


def from_records(
    records: Sequence[Mapping[str, Any]],
    *,
    by: str | Sequence[str] | None = None,
    engine: str = "pandas",
) -> Any:
    """Return the result table that `to_records` made these records of.

    Parameters
    ----------
    records : sequence of mappings
        What `to_records` returned, or ``json.loads`` made of it again.
    by : str or sequence of str, optional
        The key columns. Without them they are told by their place in front of the table's own
        columns; with them any other column is refused wherever it stands, and the columns may come
        in any order where keys stand in one place only, which is not so in tables of `compare` and
        `explain_change`.
    engine : {"pandas", "polars", "pyarrow"}, optional
        The kind of frame to return.

    Returns
    -------
    DataFrame
        The table, in the types of the function that makes it: whole numbers, in pandas ``Int64``
        where they may be unknown; floats; text; and the columns `period`, `cohort` and `as_of`,
        and a `reference` among them, as dates. Keys are text, whole numbers, floats or booleans, as
        JSON has them. So ``from_records(to_records(table))`` equals a table whose keys are such;
        categories come back as text, and keys that are dates as ISO text. In pandas older than 3,
        whose texts are objects, a null among them comes back as None where it may have been NaN.

    Raises
    ------
    TypeError
        If `records` is not a sequence of mappings.
    DataError
        If there is no record, the records differ in their columns, these are no table's, or a
        column holds what it cannot: text for a number, a count below 0, NaN.
    ParameterError
        If `engine` is no such kind.
    ColumnNotFoundError
        If `by` names a column that the records lack.

    See Also
    --------
    to_records : Make the records.

    Notes
    -----
    Only what a column can hold is checked, not that the numbers belong together: of records from
    elsewhere, recompute the estimates from the counts, for example with `nps_from_counts`.

    An empty table has no records, and so no columns to be known by: an empty list is refused. A
    service that may have nothing to report looks at the list first.

    Examples
    --------
    >>> import json
    >>> import loyaltykit as lk
    >>> table = lk.nps_from_counts(promoters=[60, 0], passives=[25, 0], detractors=[15, 0])
    >>> text = json.dumps(lk.to_records(table), allow_nan=False)
    >>> lk.from_records(json.loads(text)).equals(table)
    True
    """
    keys = None if by is None else _checks.check_names("by", by)
    if keys is not None:
        _checks.check_reserved(set(keys) - {*_schemas.KEYS_OF_COMPARISONS}, _results.RESERVED)
    engine = _checks.check_choice("engine", engine, ("pandas", "polars", "pyarrow"))
    rows = _opened(records)
    read = _schemas.recognised(list(rows[0]), rows[0], keys)
    columns = {
        name: _column(name, kind, [row[name] for row in rows], name in read.nullable)
        for name, kind in read.kinds.items()
    }
    return _frame.made(engine, columns, len(rows))


def record_schema(
    table: str,
    *,
    by: str | Sequence[str] | Mapping[str, str] | None = None,
    period: bool | None = None,
    weighted: bool = False,
) -> dict[str, Any]:
    """Return the JSON Schema of the records that `to_records` makes of a table.

    Parameters
    ----------
    table : str
        The name of the function that makes the table, such as "nps" or "compare"; "cohort_revenue"
        for `cohort_retention` with an amount, "logrank_pairs" for `logrank` of pairs.
    by : str, sequence of str or mapping of str to str, optional
        The key columns; in a mapping with their types: "string", "integer", "number", "boolean" or
        "date". Keys without a type may be of any. For `compare`, the last is the one compared.
    period : bool, optional
        Whether the calendar columns are there: `period` and `coverage`, or `cohort`. By default as
        the function gives them without being asked: not in surveys and tallies, else yes. In a
        scorecard they may be there, unless said.
    weighted : bool, optional
        Whether the sums of weights are there.

    Returns
    -------
    dict
        A schema of draft 2020-12 for the list of records. Columns that depend on anything else, as
        `end` does on the denominator of `churn_rate`, may be there or not; no others may.

    Raises
    ------
    ParameterError
        If there is no such table or type, a key has a column's name, or the table has no such
        columns.

    See Also
    --------
    to_records : Make the records.

    Notes
    -----
    The columns come from the tuples that the tables themselves are made with. A key may be null:
    rows without a value have a row of their own.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> schema = lk.record_schema("nps", by={"sector": "string"})
    >>> schema["items"]["required"][:5]
    ['sector', 'metric', 'n', 'n_missing', 'promoters']
    >>> schema["items"]["properties"]["estimate"]
    {'type': ['number', 'null']}
    """
    table = _checks.check_choice("table", table, tuple(_schemas.SHAPES))
    keys: dict[str, str | None]
    if isinstance(by, Mapping):
        keys = {
            _checks.check_name("by", name): _checks.check_choice(
                f"by[{name!r}]", kind, _schemas.KEY_TYPES
            )
            for name, kind in by.items()
        }
    else:
        keys = dict.fromkeys(_checks.check_names("by", by))
    comparison = table in ("compare", "explain_change")
    free = _schemas.KEYS_OF_COMPARISONS if comparison else ()
    _checks.check_reserved(set(keys) - {*free}, _results.RESERVED)
    for name, flag in (("period", period), ("weighted", weighted)):
        if not isinstance(flag, bool) and not (name == "period" and flag is None):
            _checks.wrong_type(name, flag, "True or False")
    if table == "scorecard" and keys:
        msg = f"by={_checks.listed(keys)}: a scorecard holds its keys in dimension and level."
        raise ParameterError(msg)
    return _schemas.json_schema(table, keys, period, weighted)


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


# ---- reading ------------------------------------------------------------------------------------


def _opened(records: object) -> list[Mapping[str, Any]]:
    """Return the records when they are mappings of the same columns."""
    if isinstance(records, (str, bytes)):
        _checks.wrong_type("records", records, "a list of records: read the text with json.loads")
    if isinstance(records, Mapping) or not isinstance(records, Sequence):
        _checks.wrong_type("records", records, "a list of records, as to_records returns it")
    if not records:
        msg = "records is empty: without a record there are no columns that tell the table."
        raise DataError(msg)
    for i, row in enumerate(records):
        if not isinstance(row, Mapping):
            _checks.wrong_type(f"records[{i}]", row, "a mapping of column names to values")
        extra = [name for name in row if name not in records[0]]
        absent = [name for name in records[0] if name not in row]
        if extra or absent:
            _refusals.different_fields(i, extra, absent)
    for name in records[0]:
        _checks.check_name("a column of records", name)
    return list(records)


def _column(name: str, kind: str, values: list[Any], nullable: bool) -> npt.NDArray[Any]:
    """Return the values of a column in its type; refuse those that it cannot hold."""
    if kind == _schemas.ANY:
        kind = _kind_of(name, values)
        nullable = kind == _schemas.INTEGER and None in values
    if kind == _schemas.SIZE:
        whole_ones = all(isinstance(value, int) for value in values)
        kind = _schemas.INTEGER if whole_ones else _schemas.NUMBER
    fits = _FITS[kind]
    whole = kind in (_schemas.INTEGER, _schemas.COUNT)
    # A count that is always known has no null; that of a whole number is its mask.
    empty = not whole or nullable
    bad = [value for value in values if not (empty if value is None else fits(value))]
    if bad:
        known = "" if empty else ", and no null"
        expected = _EXPECTED.get(kind, kind) + known
        _refusals.bad_cells(name, len(bad), bad, expected)
    if whole:
        numbers = np.array([0 if value is None else int(value) for value in values], np.int64)
        mask = [value is None for value in values]
        return np.ma.MaskedArray(numbers, mask) if nullable else numbers
    if kind == _schemas.NUMBER:
        parsed = [_INFINITE.get(value, value) if value is not None else np.nan for value in values]
        return np.array(parsed, dtype=np.float64)
    if kind == _schemas.DATE:
        return np.array(values, dtype="datetime64[D]")
    if kind == _schemas.BOOLEAN and None not in values:
        return np.array(values, dtype=np.bool_)
    if kind == _schemas.BOOLEAN:
        mask = [value is None for value in values]
        return np.ma.MaskedArray(np.array([bool(value) for value in values]), mask)
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _kind_of(name: str, values: Sequence[object]) -> str:
    """Return what a key holds: its values are of one type, as JSON has them."""
    kinds = {_JSON.get(type(value), "") for value in values if value is not None}
    if kinds == {_schemas.INTEGER, _schemas.NUMBER}:
        return _schemas.NUMBER
    if len(kinds) > 1 or "" in kinds:
        _refusals.bad_cells(name, len(values), values, _EXPECTED[_schemas.ANY])
    return kinds.pop() if kinds else _schemas.TEXT


_JSON = {
    str: _schemas.TEXT,
    bool: _schemas.BOOLEAN,
    int: _schemas.INTEGER,
    float: _schemas.NUMBER,
}


def _is_whole(value: object, low: int = -(2**63)) -> bool:
    # JSON has one kind of number: a writer may give 5 as 5.0.
    if isinstance(value, float):
        return value.is_integer() and low <= value < 2**63
    return isinstance(value, int) and not isinstance(value, bool) and low <= value < 2**63


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return value in _INFINITE
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    # NaN is what None stands for; an integer may be too large for a float.
    return abs(value) <= _LARGEST


_LARGEST = np.finfo(np.float64).max.item()


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and bool(dt.date.fromisoformat(value))
    except ValueError:
        return False


_FITS = {
    _schemas.TEXT: lambda value: isinstance(value, str),
    _schemas.BOOLEAN: lambda value: isinstance(value, bool),
    _schemas.INTEGER: _is_whole,
    _schemas.COUNT: lambda value: _is_whole(value, 0),
    _schemas.NUMBER: _is_number,
    _schemas.DATE: _is_date,
}
