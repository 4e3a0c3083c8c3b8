"""Cohorts of customers in memory: who joined when, and was active how much later.

Two small tables say it all: how many customers of a group and cohort have completed how many
windows, and how many of them were active in each. The counts of shards that are split by customer
add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _codes, _cohort_rows, _frame, _logs, _splits
from loyaltykit._cohort_rows import NOWHERE, Asked, People

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

AGE, DONE, MEMBERS = (_frame.OWN + name for name in ("age", "done", "members"))
# Sums over customers: of amounts at the start, and in a cell, their squares and products.
START_SUMS = ("amount_start", "amount_start_sumsq")
CELL_SUMS = ("amount", "amount_sumsq", "amount_cross")


class Counts(NamedTuple):
    """What a log was counted to: groups down, cohorts across, then ages.

    Only groups that are present have a row. ``n`` are the customers who can be judged at an age,
    and ``sums`` those of amounts.
    """

    keys: _frame.Frame
    n: IntArray
    retained: IntArray
    sums: dict[str, FloatArray]
    coverage: Coverage
    starts: npt.NDArray[np.datetime64]
    as_of: np.datetime64


class Coverage(NamedTuple):
    """Which cells have been observed in full, and which in part; the others not at all."""

    observed: BoolArray
    partial: BoolArray


class Tables(NamedTuple):
    """Customers by group, cohort and completed windows; and by group, cohort and age."""

    members: IntArray
    active: IntArray
    member_sums: dict[str, FloatArray]
    active_sums: dict[str, FloatArray]


def counted(
    frame: _frame.Frame,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: _frame.Frame | None,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
    asked: Asked,
    contract_end: str | None = None,
) -> Counts:
    """Count the cohorts of a log in memory, or of contracts."""
    options = {"as_of": as_of, "tz": tz, "errors": errors}
    amount, people = None, None
    if contract_end is not None:
        log, active, terms = _cohort_rows.read_terms(
            frame, customer, time, contract_end, freq, asked, options
        )
        if terms is not None:
            end = _cohort_rows.window_end(log.end, log.zone, asked)
            people = _cohort_rows.people_of_terms(terms, len(log.ids), end, asked)
    else:
        if asked.amount is not None:
            frame, amount = _cohort_rows.with_amounts(
                frame, asked.amount, errors, asked.return_event
            )
        log = _logs.read_log(frame, customer, time, ordered=False, **options)
        since = _logs.first_reported(asked.observed_from, log.end, log.zone, freq)
        if asked.by_periods or not len(log.times):
            active = _cohort_rows.reported(_logs.activity(log, freq), since)
        else:
            active, rows = _cohort_rows.read(frame, time, log, freq, since, asked, amount)
            end = _cohort_rows.window_end(log.end, log.zone, asked)
            people = _cohort_rows.people_of_rows(rows, len(log.ids), end, asked)
    split = _splits.read_split(frame, log, customer, by, lookup)
    tables = tables_of(active, people, split, asked)
    present = np.asarray(tables.members.any(axis=(1, 2)))
    present[:1] |= not by and active.span > 0  # all customers are a group, if nobody joined too
    groups = np.flatnonzero(present)
    return assembled(
        _splits.keys_of(split, groups), _of_groups(tables, groups), active, log.end, log.zone, asked
    )


# ---- tables -------------------------------------------------------------------------------------


def tables_of(
    active: _logs.Activity, people: People | None, split: _splits.Split, asked: Asked
) -> Tables:
    """Count customers by group, cohort and age; the group is that at the cohort's start.

    Without ``people``, the pairs of the activity tell.
    """
    if people is None:
        if not asked.after and asked.edges is None:
            return _of_each_age(cohorts(active, split))
        people = _cohort_rows.people_of_periods(active, asked)
    span, length = active.span, split.length + 1
    joined = np.flatnonzero((people.cohort >= 0) & (people.cohort < span))
    cohort = people.cohort[joined]
    # Those of the activity are numbered as their ids are; so are all people.
    group = _splits.groups_at(split, joined, _logs.starts(active).astype(np.int64)[cohort])
    done = people.done[joined]
    ages = _ages(int(done.max()) if len(done) else 0, active, asked)
    _logs.refuse_blow_up(length * span * (ages + 1), active)
    row = np.full(len(people.cohort), NOWHERE)
    row[joined] = group * span + cohort
    member = row[joined] * (ages + 1) + np.minimum(done, ages)
    cell = row[people.owner] * ages + people.age
    counted = cell >= 0
    owner, cell = people.owner[counted], cell[counted]

    def table(codes: IntArray, width: int, weights: FloatArray | None = None) -> Any:
        size, kind = length * span * width, np.int64 if weights is None else np.float64
        cells = np.bincount(codes, weights=weights, minlength=size).astype(kind, copy=False)
        return cells.reshape(length, span, width)

    member_sums, active_sums = {}, {}
    if people.amount is not None and people.start is not None:
        y, start = people.amount[counted], people.start[joined]
        x = people.start[owner]
        member_sums = {
            name: table(member, ages + 1, values)
            for name, values in zip(START_SUMS, (start, start * start), strict=True)
        }
        active_sums = {
            name: table(cell, ages, values)
            for name, values in zip(CELL_SUMS, (y, y * y, x * y), strict=True)
        }
    return Tables(
        table(member, ages + 1),
        table(cell, ages),
        member_sums,
        active_sums,
    )


def _ages(done: int, active: _logs.Activity, asked: Asked) -> int:
    """Return how many ages there are to report, given the most windows that anyone completed."""
    if asked.edges is not None:
        return len(asked.edges) - 1
    return active.span if asked.length is None else max(done, 1)


def _of_each_age(table: IntArray) -> Tables:
    """Return the tables of customers who were all active at age 0."""
    return Tables(table[:, :, :1], table, {}, {})


def cohorts(active: _logs.Activity, split: _splits.Split) -> IntArray:
    """Return active customers by group, first period and periods since then.

    The group is that at the start of the customer's first period.
    """
    customer, period, span = active.customer, active.period, active.span
    first = _codes.starts_of_runs(customer)
    index = np.flatnonzero(first)
    joined, who = period[index], customer[index]
    of_pair = np.cumsum(first) - 1
    if len(joined) and joined.min() < 0:  # of a cohort before those to report
        kept = joined >= 0
        pairs = kept[of_pair]
        of_pair, period = (np.cumsum(kept) - 1)[of_pair[pairs]], period[pairs]
        joined, who = joined[kept], who[kept]
    group = _splits.groups_at(split, who, _logs.starts(active).astype(np.int64)[joined])
    # A customer's row of the table is settled once; each pair then only adds its age.
    row = (group * span + joined) * span - joined
    size = (split.length + 1) * span * span
    _logs.refuse_blow_up(size, active)
    cells = np.bincount(row[of_pair] + period, minlength=size)
    return cells.reshape(split.length + 1, span, span).astype(np.int64)


def _of_groups(tables: Tables, groups: IntArray) -> Tables:
    return Tables(
        tables.members[groups],
        tables.active[groups],
        {name: values[groups] for name, values in tables.member_sums.items()},
        {name: values[groups] for name, values in tables.active_sums.items()},
    )


def from_cells(
    cells: _frame.Frame,
    by: Sequence[str],
    active: _logs.Activity,
    end: np.datetime64 | None,
    zone: str | None,
    asked: Asked,
) -> Counts:
    """Put together what was counted elsewhere: rows of keys, PERIOD, DONE, AGE, MEMBERS and N.

    PERIOD is that of the cohort. MEMBERS are the customers of a row who stand in no other one, N
    those who were active at its age. Of ``active`` only the periods matter, not the customers.
    """
    groups = _frame.group(cells, by)
    period, done, age, members, n = (
        cells[name].to_numpy().astype(np.int64)
        for name in (_frame.PERIOD, DONE, AGE, MEMBERS, _frame.N)
    )
    size = max(groups.size, int(not by))
    ages = _ages(int(done.max()) if len(done) else 0, active, asked)
    _logs.refuse_blow_up(size * active.span * (ages + 1), active)
    cohort = period - active.first
    inside = (age >= 0) & (age < ages)

    def table(at: IntArray, width: int, weights: npt.NDArray[Any], rows: Any) -> Any:
        made = np.zeros((size, active.span, width), dtype=weights.dtype)
        np.add.at(made, (groups.codes[rows], cohort[rows], at[rows]), weights[rows])
        return made

    def sums(names: Sequence[str], at: IntArray, width: int, rows: Any) -> dict[str, Any]:
        if asked.amount is None:
            return {}
        columns = {name: cells[_frame.OWN + name].to_numpy().astype(np.float64) for name in names}
        return {name: table(at, width, values, rows) for name, values in columns.items()}

    every, done = slice(None), np.minimum(done, ages)
    tables = Tables(
        table(done, ages + 1, members, every),
        table(age, ages, n, inside),
        sums(START_SUMS, done, ages + 1, every),
        sums(CELL_SUMS, age, ages, inside),
    )
    if not active.span:
        tables = _of_groups(tables, np.zeros(0, dtype=np.int64))
    return assembled(groups.keys, tables, active, end, zone, asked)


def assembled(
    keys: _frame.Frame,
    tables: Tables,
    active: _logs.Activity,
    end: np.datetime64 | None,
    zone: str | None,
    asked: Asked,
) -> Counts:
    """Return who can be judged at each age, who of them was active, and what is observed."""
    members, ages = tables.members, tables.active.shape[2]
    retained = _from_last(tables.active) if asked.after else tables.active
    if asked.length is None:
        n = np.repeat(members.sum(axis=2, keepdims=True), ages, axis=2)
        sums = {
            name: np.repeat(values.sum(axis=2, keepdims=True), ages, axis=2)
            for name, values in tables.member_sums.items()
        }
        coverage = _calendar_coverage(len(members), ages, active, end, asked)
    else:
        n = _from_last(members)[:, :, 1:]
        sums = {name: _from_last(v)[:, :, 1:] for name, v in tables.member_sums.items()}
        coverage = _rolling_coverage(
            members, n, active, _cohort_rows.window_end(end, zone, asked), zone, asked
        )
    sums |= tables.active_sums
    return Counts(keys, n, retained, sums, coverage, _logs.starts(active), _logs.as_of_day(end))


def _from_last(table: Any) -> Any:
    """Return the sums from each place to the last one."""
    return table[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]


def _calendar_coverage(
    groups: int, ages: int, active: _logs.Activity, end: np.datetime64 | None, asked: Asked
) -> Coverage:
    cohort, age = np.indices((active.span, ages))
    last = cohort + (age if asked.edges is None else np.array(asked.edges[1:])[age] - 1)
    running = (last == active.span - 1) & (not _logs.last_is_complete(end, active))
    observed = (last < active.span) & ~running
    shape = (groups, active.span, ages)
    return Coverage(np.broadcast_to(observed, shape), np.broadcast_to(running, shape))


def _rolling_coverage(
    members: IntArray,
    n: IntArray,
    active: _logs.Activity,
    end: int,
    zone: str | None,
    asked: Asked,
) -> Coverage:
    """Return the coverage of rolling windows: that of the cohort's customers.

    Where nobody joined, it is that of whoever could have: at the first or last moment of the
    cohort's period. So nobody changes nothing where groups are pooled.
    """
    size = members.sum(axis=2, keepdims=True)
    edges = np.append(_logs.starts(active), _after(active))
    opens = _calendar.instants(edges, None if asked.floor else zone)
    first, last = opens[:-1], opens[1:] - 1
    if asked.floor is not None:
        first, last = (times - times % asked.floor for times in (first, last))
    length = asked.length or 1
    ahead = int(asked.contracts)  # contracts are looked at when a window begins
    most, least = (
        _cohort_rows.windows(np.maximum((end - times) // length + ahead, 0), asked)[:, np.newaxis]
        for times in (first, last)
    )
    age = np.arange(n.shape[2])
    empty = size == 0
    observed = np.where(empty, least > age, (n == size) & ~empty)
    partial = np.where(empty, (least <= age) & (most > age), (n > 0) & (n < size))
    return Coverage(observed, partial)


def _after(active: _logs.Activity) -> npt.NDArray[np.datetime64]:
    """Return the first day after the last period."""
    return _calendar.period_starts(np.array([active.first + active.span]), active.freq)


def rows_of(tables: Tables, active: _logs.Activity) -> tuple[IntArray, dict[str, Any]]:
    """Return what `from_cells` puts together: the group of each row, and its columns."""
    parts = [
        (tables.members, MEMBERS, DONE, tables.member_sums),
        (tables.active, _frame.N, AGE, tables.active_sums),
    ]
    group: list[IntArray] = []
    columns: dict[str, list[npt.NDArray[Any]]] = {}
    for table, counts, place, sums in parts:
        held = np.nonzero(table)
        group.append(held[0])
        nothing = np.zeros(len(held[0]), dtype=np.int64)
        found: dict[str, npt.NDArray[Any]] = {
            _frame.PERIOD: active.first + held[1],
            DONE: nothing,
            AGE: nothing + NOWHERE,
            MEMBERS: nothing,
            _frame.N: nothing,
            place: held[2],
            counts: table[held],
        }
        for name in START_SUMS + CELL_SUMS if tables.member_sums else ():
            found[_frame.OWN + name] = sums[name][held] if name in sums else nothing * 0.0
        for name in found:
            columns.setdefault(name, []).append(found[name])
    return np.concatenate(group), {name: np.concatenate(parts) for name, parts in columns.items()}


def no_rows(asked: Asked) -> Mapping[str, npt.NDArray[Any]]:
    """Return the columns of `rows_of` where there is nobody."""
    names = (_frame.PERIOD, DONE, AGE, MEMBERS, _frame.N)
    sums = START_SUMS + CELL_SUMS if asked.amount is not None else ()
    return {name: np.zeros(0, dtype=np.int64) for name in names} | {
        _frame.OWN + name: np.zeros(0) for name in sums
    }
