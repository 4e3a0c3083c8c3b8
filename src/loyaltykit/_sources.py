"""Where the counting is done: in NumPy, in a lazy engine's query, or over Dask's partitions."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from loyaltykit import (
    _activity,
    _checks,
    _dask,
    _designs,
    _frame,
    _lazy,
    _partitions,
    _queries,
    _results,
    _tally,
)
from loyaltykit.errors import ParameterError

Source = _frame.Frame | _frame.Query | _dask.Partitions


# DuckDB runs one query of a connection at a time, and refuses what another thread asks meanwhile.
# Older versions of Polars do so with a lazy frame.
_ONE_AT_A_TIME = threading.RLock()


def turn(data: object) -> contextlib.AbstractContextManager[Any]:
    """Return what a thread holds while it counts in an engine that serves one at a time."""
    alone = type(data).__name__ in ("DuckDBPyRelation", "LazyFrame")
    return _ONE_AT_A_TIME if alone else contextlib.nullcontext()


def opened(data: object, name: str = "data") -> Source:
    """Return the frame, the query or the partitions behind the door."""
    source: _frame.Query | _dask.Partitions | None
    try:  # most are in memory, and small calls are to stay quick
        return _frame.open_frame(data, name, _frame.ENGINES)
    except TypeError:
        partitioned = _frame.is_partitioned(data)
        source = _dask.Partitions(data) if partitioned else _frame.open_query(data)
        if source is None:
            raise
    taken = [column for column in columns_of(source) if str(column).startswith(_frame.OWN)]
    if taken:
        msg = (
            f"{name} has columns that are named like those of a count in progress: "
            f"{_checks.listed(taken)}. Rename them."
        )
        raise ParameterError(msg)
    return source


def only(source: Source, names: Iterable[str | None]) -> Any:
    """Return a query with the columns in use; refuse names that its engine would take apart."""
    if not isinstance(source, _frame.LazyFrame):
        return source
    used = list(dict.fromkeys(name for name in names if name is not None))
    return _lazy.only(source, used)


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
    if isinstance(source, _dask.Partitions):
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
    design: _designs.Design | None = None,
) -> Any:
    """Return the tally of the answers, made where the data are; with a design a weighed one."""
    if score is None:
        source, score = _open_answers(data)
    else:
        source = opened(data)
    columns = {"score": score, "counts": counts, "time": time}
    named = {
        role: _checks.check_name(role, name) for role, name in columns.items() if name is not None
    }
    roles = {} if design is None else design.roles
    _checks.check_columns({**named, **_checks.by_roles(by), **roles}, columns_of(source))
    options: dict[str, Any] = {"by": by, "counts": counts, "freq": freq, "errors": errors}
    weighed: dict[str, Any] = {} if design is None else {"design": design}
    counted: Any = _tally if design is None else _designs
    if isinstance(source, _frame.EagerFrame):
        return counted.count_answers(source, score, scale, time=time, **options, **weighed)
    if isinstance(source, _dask.Partitions):
        reduced = _partitions.distinct_answers(source, score, time=time, **options, **weighed)
    else:
        source = only(source, [score, counts, time, *by, *roles.values()])
        reduced = _queries.distinct_answers(source, score, scale, time=time, **options, **weighed)
    timed = time is not None
    return counted.count_distinct(reduced, score, scale, timed=timed, **options, **weighed)


def _open_answers(data: object) -> tuple[Source, str]:
    series = _partitions.series_as_frame(data, _frame.VALUES)
    return _frame.open_answers(data) if series is None else (series, _frame.VALUES)


def count_log(
    data: object,
    customer: str,
    time: str,
    kind: str,
    *,
    by: str | Sequence[str] | None,
    segments: object,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
) -> _activity.Counts:
    """Count the "flows" or the "cohorts" of a log, where the data are."""
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
    elif lookup is not None and beside is not None:
        since = [name for name in beside if name == _activity.VALID_FROM]
        lookup = only(lookup, [customer, *since, *keys])
    options: dict[str, Any] = {"by": keys, "lookup": lookup, "freq": freq, "as_of": as_of}
    options |= {"tz": _checks.check_zone(tz), "errors": errors}
    if isinstance(source, _dask.Partitions):
        return _partitions.counted(source, customer, time, kind, **options)
    if isinstance(source, _frame.EagerFrame):
        return _activity.counted(source, customer, time, kind, **options)
    source = only(source, [customer, time, *(keys if lookup is None else [])])
    return _queries.COUNTS[kind](source, customer, time, **options)
