"""Where the data are: in memory, with a lazy engine, or in the partitions of a Dask frame."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from loyaltykit import _checks, _dask, _frame, _lazy
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


def having(data: object, named: Mapping[str, str], made: frozenset[str] = frozenset()) -> Any:
    """Return what is behind the door, a query with the named columns only; it must have them.

    The customer's column must not be named like one that is made beside it.
    """
    for role, name in named.items():
        _checks.check_name(role, name)
    _checks.check_reserved([named["customer"]], made, "customer")
    source = opened(data)
    _checks.check_columns(named, columns_of(source))
    return only(source, named.values())


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
