"""What the functions of behaviour share: where a log is, what is asked of it, who counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loyaltykit import (
    _checks,
    _cohort_queries,
    _cohort_rows,
    _cohorts,
    _dask,
    _flow_queries,
    _flows,
    _frame,
    _log_partitions,
    _results,
    _sources,
    _splits,
)

_IN_MEMORY: dict[str, Any] = {"flows": _flows.counted, "cohorts": _cohorts.counted}
_QUERIES: dict[str, Any] = {"flows": _flow_queries.counted, "cohorts": _cohort_queries.counted}
_PARTITIONS: dict[str, Any] = {"flows": _log_partitions.flows, "cohorts": _log_partitions.cohorts}


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
    asked: _cohort_rows.Asked | None = None,
) -> Any:
    """Count the "flows" or the "cohorts" of a log, where the data are."""
    source = _sources.opened(data)
    names = {"customer": customer, "time": time}
    names |= {} if asked is None else asked.columns
    for role, name in names.items():
        _checks.check_name(role, name)
    _checks.check_freq(freq)
    _checks.check_choice("errors", errors, ("raise", "coerce"))
    keys = _checks.check_names("by", by)
    columns = _sources.columns_of(source)
    _checks.check_columns(names, columns)
    _checks.check_reserved(keys, _results.RESERVED)
    lookup = None if segments is None else _sources.opened_beside(source, segments, "segments")
    beside = None if lookup is None else _sources.columns_of(lookup)
    if not _splits.keys_in_segments(columns, beside, customer, keys):
        lookup = None
    elif lookup is not None and beside is not None:
        since = [name for name in beside if name == _splits.VALID_FROM]
        lookup = _sources.only(lookup, [customer, *since, *keys])
    options: dict[str, Any] = {"by": keys, "lookup": lookup, "freq": freq, "as_of": as_of}
    options |= {"tz": _checks.check_zone(tz), "errors": errors}
    options |= {} if asked is None else {"asked": asked}
    if isinstance(source, _dask.Partitions):
        return _PARTITIONS[kind](source, customer, time, **options)
    if isinstance(source, _frame.EagerFrame):
        return _IN_MEMORY[kind](source, customer, time, **options)
    used = [*names.values(), *(keys if lookup is None else [])]
    source = _sources.only(source, used)
    return _QUERIES[kind](source, customer, time, **options)
