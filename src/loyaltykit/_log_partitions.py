"""Flows and cohorts counted over the partitions of a Dask frame: each has its customers alone.

Customers are shuffled, reduced to distinct rows first; what is counted of them adds up.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from loyaltykit import (
    _cohorts,
    _contract_partitions,
    _dask,
    _flows,
    _frame,
    _logs,
    _partitions,
    _splits,
)
from loyaltykit._frame import PERIOD, N

_TABLES: dict[str, Callable[..., Any]] = {"flows": _flows.flows, "cohorts": _cohorts.cohorts}
_FROM_CELLS: dict[str, Callable[..., Any]] = {
    "flows": _flows.from_cells,
    "cohorts": _cohorts.from_cells,
}
_PLACES = {"flows": _flows.KIND, "cohorts": _cohorts.AGE}


def counted(
    source: _dask.Partitions,
    customer: str,
    time: str,
    kind: str,
    *,
    by: Sequence[str],
    lookup: _dask.Partitions | None,
    freq: str,
    contract_end: str | None = None,
    grace: int = 0,
    kinds: Sequence[int] = (),
    **options: Any,
) -> Any:
    """Count the "flows" or the "cohorts" of a log, or of contracts."""
    own, tz = [] if lookup is not None else by, options["tz"]
    if contract_end is None:
        told = _partitions.observed(source, customer, time, None, freq=freq, **options)
    else:
        told = _contract_partitions.observed(
            source, customer, time, contract_end, freq=freq, **options
        )
    active, end, zone = told
    changes = lookup is not None and _splits.VALID_FROM in lookup.columns
    put_together = _FROM_CELLS[kind]
    if kind == "flows":
        put_together = functools.partial(_flows.from_cells, changes=changes)
    if end is None or not active.span:
        meta = source.frame if lookup is None else lookup.frame
        cells = _frame.open_frame(_no_cells(meta._meta[list(by)], kind))
        return put_together(cells, by, active, end)
    if contract_end is None:
        rows = _partitions.distinct(source, customer, time, own, tz, end, freq=freq)
    else:
        names = (customer, time, contract_end, own)
        rows = _contract_partitions.distinct(source, *names, tz, end, freq=freq)
    parts = [rows.shuffle(on=_dask.HOME)]
    if lookup is not None:
        beside = _dask.known(lookup.frame, [customer, *by])
        parts.append(_dask.at_home(beside, [customer], parts[0]))
    cell = functools.partial(
        _cells,
        customer=customer,
        by=by,
        kind=kind,
        active=active,
        end=end,
        zone=zone,
        grace=grace,
        kinds=kinds,
    )
    cells = _frame.open_frame(_dask.over(parts, cell).compute().reset_index(drop=True))
    return put_together(cells, by, active, end)


def _no_cells(keys: Any, kind: str) -> Any:
    columns = {name: np.zeros(0, dtype=np.int64) for name in (PERIOD, _PLACES[kind], N)}
    return keys.assign(**columns)


def _cells(
    part: Any,
    lookup: Any = None,
    *,
    customer: str,
    by: Sequence[str],
    kind: str,
    active: _logs.Activity,
    end: np.datetime64,
    zone: str | None,
    grace: int = 0,
    kinds: Sequence[int] = (),
) -> Any:
    """Count the customers of one partition: rows of keys, PERIOD, kind or age, and N."""
    frame = _frame.positional(_frame.open_frame(part))
    if PERIOD in frame.columns:
        periods = frame[PERIOD].to_numpy()
        log = _partitions.log_of(frame, customer, periods, end, zone)
        owner, period = log.pairs(_logs.places(periods, active), active.span)
        mine = _logs.lasting(active._replace(customer=owner, period=period), grace)
    else:
        began = frame[_contract_partitions.BEGAN].to_numpy()
        log = _partitions.log_of(frame, customer, began, end, zone)
        mine = _contract_partitions.stock(frame, log, active)
    beside = None if lookup is None else _frame.positional(_frame.open_frame(lookup))
    split = _splits.read_split(frame, log, customer, by, beside)
    more = {"kinds": kinds} if kind == "flows" else {}
    table = _TABLES[kind](mine, split, **more)
    group, at, place = np.nonzero(table)
    columns = {PERIOD: active.first + at, _PLACES[kind]: place, N: table[group, at, place]}
    return _frame.table(_splits.keys_of(split, group), columns, len(group))
