"""What the functions of behaviour share: where a log is, what is asked of it, who counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    _revenue,
    _revenue_queries,
    _sources,
    _splits,
)
from loyaltykit.errors import ParameterError

_IN_MEMORY: dict[str, Callable[..., Any]] = {
    "flows": _flows.counted,
    "cohorts": _cohorts.counted,
    "revenue": _revenue.counted,
}
_QUERIES: dict[str, Callable[..., Any]] = {
    "flows": _flow_queries.counted,
    "cohorts": _cohort_queries.counted,
    "revenue": _revenue_queries.counted,
}
_PARTITIONS: dict[str, Callable[..., Any]] = {
    "flows": _log_partitions.flows,
    "cohorts": _log_partitions.cohorts,
    "revenue": _log_partitions.revenue,
}


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
    asked: _cohort_rows.Asked | _revenue.Asked | None = None,
    contract_end: str | None = None,
    observed_from: Any = None,
    **more: Any,
) -> Any:
    """Count the "flows", "cohorts" or "revenue" of a log, or of contracts, where the data are."""
    source = _sources.opened(data)
    names = {"customer": customer, "time": time}
    names |= {} if asked is None else asked.columns
    if contract_end is not None:
        names["contract_end"] = contract_end
    for role, name in names.items():
        _checks.check_name(role, name)
    _checks.check_freq(freq)
    _checks.check_errors(errors)
    keys = _checks.check_names("by", by)
    columns = _sources.columns_of(source)
    _checks.check_columns(names, columns)
    if contract_end is not None:
        check_contracts(time, contract_end, as_of)
    _checks.check_reserved(keys, _results.RESERVED)
    lookup = None if segments is None else _sources.opened_beside(source, segments, "segments")
    beside = None if lookup is None else _sources.columns_of(lookup)
    if not _splits.keys_in_segments(columns, beside, customer, keys):
        lookup = None
    elif lookup is not None and beside is not None:
        since = [name for name in beside if name == _splits.VALID_FROM]
        lookup = _sources.only(lookup, [customer, *since, *keys])
    options: dict[str, Any] = {"by": keys, "lookup": lookup, "freq": freq, "as_of": as_of}
    options |= {"tz": _checks.check_zone(tz), "errors": errors, **more}
    given = {"contract_end": contract_end, "observed_from": observed_from, "asked": asked}
    options |= {name: value for name, value in given.items() if value is not None}
    if isinstance(source, _dask.Partitions):
        return _PARTITIONS[kind](source, customer, time, **options)
    if isinstance(source, _frame.EagerFrame):
        return _IN_MEMORY[kind](source, customer, time, **options)
    used = [*names.values(), *(keys if lookup is None else [])]
    return _QUERIES[kind](_sources.only(source, used), customer, time, **options)


def check_contracts(time: str, contract_end: str, as_of: object) -> None:
    """Refuse ends that are the starts, and contracts without an end of observation."""
    if contract_end == time:
        msg = f"contract_end={contract_end!r} is the column of the starts: name that of the ends."
        raise ParameterError(msg)
    if as_of is None:
        msg = (
            "as_of is needed with contract_end: contracts run on until it, and no row says when "
            "observation ended. Name the day on which the contracts were listed."
        )
        raise ParameterError(msg)
