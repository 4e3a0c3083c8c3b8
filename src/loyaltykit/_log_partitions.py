"""Flows, cohorts and revenue over the partitions of a Dask frame: each has its customers alone.

Customers are shuffled, reduced to distinct rows first; what is counted of them adds up.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _cohort_rows,
    _cohorts,
    _contract_partitions,
    _dask,
    _flows,
    _frame,
    _logs,
    _partitions,
    _revenue,
    _splits,
)
from loyaltykit._contract_partitions import START, STOP
from loyaltykit._frame import PERIOD, N


def flows(
    source: _dask.Partitions,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: _dask.Partitions | None,
    freq: str,
    contract_end: str | None = None,
    grace: int = 0,
    kinds: Sequence[int] = (),
    **options: Any,
) -> _flows.Counts:
    """Count the flows of a log, or of contracts."""
    own, tz = [] if lookup is not None else by, options["tz"]
    if contract_end is None:
        told = _partitions.observed(source, customer, time, None, freq=freq, **options)
    else:
        told = _contract_partitions.observed(
            source, customer, time, contract_end, freq=freq, **options
        )
    active, end, zone = told
    changes = lookup is not None and _splits.VALID_FROM in lookup.columns
    if end is None or not active.span:
        nobody = {name: np.zeros(0, dtype=np.int64) for name in (PERIOD, _flows.KIND, N)}
        cells = _nobody(source, lookup, by, nobody)
        return _flows.from_cells(cells, by, active, end, changes=changes)
    if contract_end is None:
        rows = _partitions.distinct(source, customer, time, own, tz, end, freq=freq)
    else:
        names = (customer, time, contract_end, own)
        rows = _contract_partitions.distinct(source, *names, tz, end, freq=freq)
    tell = functools.partial(
        _flows_of,
        customer=customer,
        by=by,
        active=active,
        end=end,
        zone=zone,
        grace=grace,
        kinds=kinds,
    )
    cells = _counted(rows, customer, by, lookup, tell)
    return _flows.from_cells(cells, by, active, end, changes=changes)


def cohorts(
    source: _dask.Partitions,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: _dask.Partitions | None,
    freq: str,
    asked: _cohort_rows.Asked,
    contract_end: str | None = None,
    **options: Any,
) -> _cohorts.Counts:
    """Count the cohorts of a log, or of contracts."""
    own, tz = [] if lookup is not None else by, options["tz"]
    if contract_end is None:
        told = _partitions.observed(source, customer, time, None, freq=freq, asked=asked, **options)
    else:
        told = _contract_partitions.observed(
            source, customer, time, contract_end, freq=freq, **options
        )
    active, end, zone = told
    active = _cohort_rows.reported_only(active)
    since = _logs.first_reported(asked.observed_from, end, zone, freq)
    if end is None or not active.span:
        nobody = _nobody(source, lookup, by, _cohorts.no_rows(asked))
        return _cohorts.from_cells(nobody, by, active, end, zone, asked)
    if contract_end is not None:
        names = (customer, time, contract_end, own)
        rows = _contract_partitions.distinct(source, *names, tz, end, freq=freq, moments=True)
    elif asked.by_periods:
        rows = _partitions.distinct(source, customer, time, own, tz, end, freq=freq)
    else:
        rows = _partitions.rows(source, customer, time, own, tz, end, freq=freq, asked=asked)
    active = _cohort_rows.reported(active, since)
    tell = functools.partial(
        _cohorts_of, customer=customer, by=by, active=active, end=end, zone=zone, asked=asked
    )
    cells = _counted(rows, customer, by, lookup, tell)
    return _cohorts.from_cells(cells, by, active, end, zone, asked)


def revenue(
    source: _dask.Partitions,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: _dask.Partitions | None,
    freq: str,
    asked: _revenue.Asked,
    contract_end: str | None = None,
    **options: Any,
) -> _revenue.Counts:
    """Add up the movements of the amounts of a log, or of contracts."""
    own, tz = [] if lookup is not None else list(by), options["tz"]
    contracts = contract_end is not None
    if contract_end is None:
        told = _partitions.observed(
            source, customer, time, None, freq=freq, asked=_amounts(asked), **options
        )
    else:
        told = _contract_partitions.observed(
            source, customer, time, contract_end, freq=freq, asked=asked, **options
        )
    active, end, zone = told
    if end is None or not active.span:
        nobody = _nobody(source, lookup, by, _revenue.no_rows(asked))
        return _revenue.from_cells(nobody, by, active, end, asked, contracts=contracts)
    kept = own if asked.currency is None else list(dict.fromkeys([*own, asked.currency]))
    if contract_end is None:
        rows = _partitions.distinct(source, customer, time, kept, tz, end, freq=freq, asked=asked)
    else:
        names = (customer, time, contract_end, kept)
        rows = _contract_partitions.distinct(source, *names, tz, end, freq=freq, asked=asked)
    if asked.currency is not None and asked.currency not in by:
        parts = _dask.each(rows[kept], lambda part: part.drop_duplicates())
        there = _frame.open_frame(_dask.stacked(parts).drop_duplicates())
        _revenue.refuse_currencies(there, asked.currency, own)
    tell = functools.partial(
        _revenue_of,
        customer=customer,
        by=by,
        active=active,
        end=end,
        zone=zone,
        asked=asked,
        contracts=contracts,
    )
    cells = _counted(rows, customer, by, lookup, tell)
    return _revenue.from_cells(cells, by, active, end, asked, contracts=contracts)


def _amounts(asked: _revenue.Asked) -> _cohort_rows.Asked:
    """Return what is to be known of the rows before they are read."""
    return _cohort_rows.Asked(amount=asked.amount, start_event=asked.referred)


def _nobody(
    source: _dask.Partitions,
    lookup: _dask.Partitions | None,
    by: Sequence[str],
    columns: Mapping[str, npt.NDArray[Any]],
) -> _frame.Frame:
    """Return the cells of a log without rows, with keys of the right types."""
    meta = source.frame if lookup is None else lookup.frame
    return _frame.open_frame(meta._meta[list(by)].assign(**columns))


def _counted(
    rows: Any,
    customer: str,
    by: Sequence[str],
    lookup: _dask.Partitions | None,
    tell: Callable[..., Any],
) -> _frame.Frame:
    """Return what is counted in each partition, once every customer is in one."""
    parts = [rows.shuffle(on=_dask.HOME)]
    if lookup is not None:
        beside = _dask.known(lookup.frame, [customer, *by])
        parts.append(_dask.at_home(beside, [customer], parts[0]))
    return _frame.open_frame(_dask.over(parts, tell).compute().reset_index(drop=True))


def _split(
    frame: _frame.Frame, log: _logs.Log, lookup: Any, customer: str, by: Sequence[str]
) -> _splits.Split:
    beside = None if lookup is None else _frame.positional(_frame.open_frame(lookup))
    return _splits.read_split(frame, log, customer, by, beside)


def _flows_of(
    part: Any,
    lookup: Any = None,
    *,
    customer: str,
    by: Sequence[str],
    active: _logs.Activity,
    end: np.datetime64,
    zone: str | None,
    grace: int = 0,
    kinds: Sequence[int] = (),
) -> Any:
    """Count the customers of one partition: rows of keys, PERIOD, KIND and N."""
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
    split = _split(frame, log, lookup, customer, by)
    table = _flows.flows(mine, split, kinds=kinds)
    group, at, place = np.nonzero(table)
    columns = {PERIOD: active.first + at, _flows.KIND: place, N: table[group, at, place]}
    return _frame.table(_splits.keys_of(split, group), columns, len(group))


def _pairs(
    frame: _frame.Frame, customer: str, active: _logs.Activity, end: np.datetime64, zone: str | None
) -> tuple[_logs.Log, _logs.Activity]:
    """Return the log of a partition, and who was active when in it."""
    periods = frame[PERIOD].to_numpy()
    log = _partitions.log_of(frame, customer, periods, end, zone)
    low = int(periods.min()) if len(periods) else active.first
    owner, place = log.pairs(periods - low, max(active.first + active.span - low, 1))
    return log, active._replace(customer=owner, period=place + (low - active.first))


def _cohorts_of(
    part: Any,
    lookup: Any = None,
    *,
    customer: str,
    by: Sequence[str],
    active: _logs.Activity,
    end: np.datetime64,
    zone: str | None,
    asked: _cohort_rows.Asked,
) -> Any:
    """Count the customers of one partition: the rows of `_cohorts.rows_of`, with their keys."""
    frame = _frame.positional(_frame.open_frame(part))
    people, until = None, _cohort_rows.window_end(end, zone, asked)
    if asked.contracts:
        log, ranges = _contract_partitions.ranges(frame, customer, end, zone)
        moments = [frame[name].to_numpy() for name in (START, STOP)]
        terms = _cohort_rows.terms_of(log.customer, ranges, moments, active)
        people = _cohort_rows.people_of_terms(terms, len(log.ids), until, asked)
    elif asked.by_periods:
        log, active = _pairs(frame, customer, active, end, zone)
    else:
        periods = frame[PERIOD].to_numpy()
        log = _partitions.log_of(frame, customer, periods, end, zone)
        rows = _partitions.rows_of(frame, log.customer, periods - active.first, asked)
        people = _cohort_rows.people_of_rows(rows, len(log.ids), until, asked)
    split = _split(frame, log, lookup, customer, by)
    group, columns = _cohorts.rows_of(_cohorts.tables_of(active, people, split, asked), active)
    return _frame.table(_splits.keys_of(split, group), columns, len(group))


def _revenue_of(
    part: Any,
    lookup: Any = None,
    *,
    customer: str,
    by: Sequence[str],
    active: _logs.Activity,
    end: np.datetime64,
    zone: str | None,
    asked: _revenue.Asked,
    contracts: bool,
) -> Any:
    """Add up the movements of the customers of one partition: rows for `_revenue.from_cells`."""
    frame = _frame.positional(_frame.open_frame(part))
    amount = frame[_partitions.AMOUNT].to_numpy()
    if contracts:
        log, ranges = _contract_partitions.ranges(frame, customer, end, zone)
        paid = _revenue.paid_in_force(log.customer, ranges, amount, active, log.ids, asked.amount)
    else:
        periods = frame[PERIOD].to_numpy()
        log = _partitions.log_of(frame, customer, periods, end, zone)
        place = _logs.places(periods, active)
        paid = _revenue.paid_of(
            log.customer, place, amount, active, len(log.ids), log.ids, asked.amount
        )
    referred = None
    if asked.referred is not None:
        told = frame[_revenue.REFERRED].to_numpy()
        referred = _revenue.who_is_referred(log.customer, told, len(log.ids))
    split = _split(frame, log, lookup, customer, by)
    opens = _revenue.known_from(active, contracts=contracts)
    moves, table = _revenue.moved(paid, split, active, opens, asked, referred)
    group, columns = _revenue.rows_of(moves, table, active, asked)
    return _frame.table(_splits.keys_of(split, group), columns, len(group))
