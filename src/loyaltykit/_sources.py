"""Where the counting is done: in NumPy, in a lazy engine's query, or over Dask's partitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _activity, _checks, _frame, _partitions, _queries, _results, _tally

IntArray = npt.NDArray[np.int64]
Source = _frame.Frame | _frame.Query | _partitions.Partitions
Count = Callable[[_activity.Activity, _activity.Split], IntArray]

_QUERIES: dict[Count, Callable[..., _activity.Counts]] = {
    _activity.flows: _queries.flows,
    _activity.cohorts: _queries.cohorts,
}


def opened(data: object, name: str = "data") -> Source:
    """Return the frame, the query or the partitions behind the door."""
    if _frame.is_partitioned(data):
        return _partitions.Partitions(data)
    query = _frame.open_query(data)
    return _frame.open_frame(data, name, _frame.ENGINES) if query is None else query


def columns_of(source: Source) -> list[str]:
    """Return the names of the columns; a query may have to be resolved for them."""
    if isinstance(source, _frame.LazyFrame):
        return source.collect_schema().names()
    return list(source.columns)


def opened_beside(source: Source, data: object, name: str) -> Any:
    """Return a second frame of the first one's engine; refuse any other."""
    other = opened(data, name)
    if _engine(other) != _engine(source):
        msg = (
            f"{name} is a {_engine(other)} frame and data a {_engine(source)} one: "
            "pass both of one kind."
        )
        raise TypeError(msg)
    return other


def _engine(source: Source) -> str:
    if isinstance(source, _partitions.Partitions):
        return "Dask"
    name = str(source.implementation)
    return f"{name} (lazy)" if isinstance(source, _frame.LazyFrame) else name


def count_answers(
    data: object,
    score: str | None,
    scale: _tally.Scale,
    *,
    by: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
) -> _tally.Tally:
    """Count the answers on every point of the scale, where the data are."""
    if score is None:
        source, score = _open_answers(data)
    else:
        source = opened(data)
    columns = {"score": score, "counts": counts, "time": time}
    named = {
        role: _checks.check_name(role, name) for role, name in columns.items() if name is not None
    }
    _checks.check_columns({**named, **_checks.by_roles(by)}, columns_of(source))
    _checks.check_reserved(by, _results.RESERVED)
    if isinstance(source, _frame.EagerFrame):
        return _tally.count_answers(
            source, score, scale, by=by, counts=counts, time=time, freq=freq, errors=errors
        )
    count = _queries if isinstance(source, _frame.LazyFrame) else _partitions
    reduced = count.distinct_answers(
        source, score, by=by, counts=counts, time=time, freq=freq, errors=errors
    )
    return _tally.count_distinct(
        reduced, score, scale, by=by, timed=time is not None, freq=freq, errors=errors
    )


def _open_answers(data: object) -> tuple[Source, str]:
    series = _partitions.series_as_frame(data, _frame.VALUES)
    return _frame.open_answers(data) if series is None else (series, _frame.VALUES)


def count_log(
    data: object,
    customer: str,
    time: str,
    count: Count,
    *,
    by: str | Sequence[str] | None,
    segments: object,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
) -> _activity.Counts:
    """Count a log as `_activity.flows` or `_activity.cohorts` does, where the data are."""
    source = opened(data)
    names = {"customer": customer, "time": time}
    for role, name in names.items():
        _checks.check_name(role, name)
    _checks.check_freq(freq)
    _checks.check_choice("errors", errors, ("raise", "coerce"))
    keys = _checks.check_names("by", by)
    columns = columns_of(source)
    _checks.check_columns(names, columns)
    _checks.check_reserved(keys, _results.RESERVED)
    lookup = None if segments is None else opened_beside(source, segments, "segments")
    beside = None if lookup is None else columns_of(lookup)
    if not _activity.keys_in_segments(columns, beside, customer, keys):
        lookup = None
    options = {"by": keys, "lookup": lookup, "freq": freq, "as_of": as_of}
    options |= {"tz": _checks.check_zone(tz), "errors": errors}
    if isinstance(source, _frame.LazyFrame):
        return _QUERIES[count](source, customer, time, **options)
    if isinstance(source, _partitions.Partitions):
        return _partitions.counted(source, customer, time, count, **options)
    return _activity.counted(source, customer, time, count, **options)
