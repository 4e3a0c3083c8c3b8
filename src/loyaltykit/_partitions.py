"""Counts over the partitions of a Dask frame: the pandas path in each, then a small merge.

Answers need no shuffle, because tallies add up. Customers are shuffled, reduced to distinct rows
first, so that each is in one partition; what is counted there adds up as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _activity,
    _calendar,
    _checks,
    _codes,
    _dask,
    _designs,
    _frame,
    _logs,
    _tally,
)
from loyaltykit._frame import ID, PERIOD, ROWS, SQUARE, WEIGHT, Frame, N
from loyaltykit.errors import DataError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_BOUGHT = "lk bought"
_MOST_SHOWN = 6


class _Part(NamedTuple):
    """What one partition says of itself before anything is counted; moments are microseconds."""

    rows: Any
    without_time: int
    not_a_time: int
    without_id: int
    dropped: int
    moments: tuple[int, int] | None
    timed: bool
    zone: str | None
    shown: list[Any]


def series_as_frame(data: object, name: str) -> _dask.Partitions | None:
    """Return a Dask series as a frame of one column; None for anything else."""
    if not type(data).__module__.startswith("dask.") or not hasattr(data, "to_frame"):
        return None
    return _dask.Partitions(data.to_frame(name))


# ---- answers ------------------------------------------------------------------------------------


def distinct_answers(
    source: _dask.Partitions,
    score: str,
    *,
    by: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
    design: _designs.Design | None = None,
) -> Frame:
    """Return the distinct rows of keys, [PERIOD] and answer, with their N answers in ROWS rows.

    With a design its columns are keys too, and the sums WEIGHT and SQUARE stand beside N.
    """
    keys, roles = (list(by), {}) if design is None else ([*by, *design.keys], design.roles)
    names = list(dict.fromkeys([*keys, score]))
    used = (*names, counts, time, *roles.values())
    needed = [*dict.fromkeys(name for name in used if name is not None)]
    reduce = functools.partial(
        _distinct_answers,
        names=names,
        counts=counts,
        time=time,
        freq=freq,
        errors=errors,
        design=design,
    )
    parts = _dask.each(_dask.known(source.frame[needed], keys), reduce)
    if time is not None:
        _refuse_times(parts, time, errors)
        gone = sum(part.without_time for part in parts)
        if gone:
            _checks.warn_of_dropped(gone, f"no usable date in {time!r}")
    return _frame.open_frame(_dask.stacked([part.rows for part in parts]))


def _distinct_answers(
    part: Any,
    names: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
    design: _designs.Design | None,
) -> _Part:
    frame = _frame.positional(_frame.open_frame(part))
    told, periods = _told_nothing(), None
    if time is not None:
        times, told = _times(frame, time, None)
        kept = np.flatnonzero(~np.isnat(times))
        frame = _frame.rows(frame, kept)
        periods = _calendar.period_codes(_calendar.day_numbers(times[kept]), freq)
    codes, keys, starts = _group_periods(_frame.group(frame, names), periods)
    if design is None:
        n = np.ones(len(frame)) if counts is None else _tally.row_counts(frame[counts])
        sums = {N: n}
    else:
        rows = _designs.read_rows(frame, counts, design, errors)
        sums = {N: rows.n, WEIGHT: rows.weight, SQUARE: rows.square}
        codes, keys, starts = _apart(codes, keys, starts, sums[WEIGHT] > 0)
    columns = {
        PERIOD: starts,
        **{
            name: np.bincount(codes, weights=values, minlength=len(starts))
            for name, values in sums.items()
        },
        ROWS: np.bincount(codes, minlength=len(starts)).astype(np.int64),
    }
    return told._replace(rows=_frame.table(keys, columns, len(starts)))


def distinct_rows(source: _dask.Partitions, names: Sequence[str], by: Sequence[str]) -> Frame:
    """Return the distinct rows of some columns; ROWS says how often each stands in a partition."""
    frame = _dask.known(source.frame[list(names)], by)
    parts = _dask.each(frame, functools.partial(_distinct_rows_of, names=names))
    return _frame.open_frame(_dask.stacked(parts))


def _distinct_rows_of(part: Any, names: Sequence[str]) -> Any:
    groups = _frame.group(_frame.positional(_frame.open_frame(part)), names)
    rows = np.bincount(groups.codes, minlength=groups.size).astype(np.int64)
    return _frame.table(groups.keys, {ROWS: rows}, groups.size)


def _group_periods(
    groups: _frame.Groups, periods: IntArray | None
) -> tuple[IntArray, Frame, IntArray]:
    """Split groups by period: the code of each row, and the keys and the period of each code."""
    if periods is None:
        return groups.codes, groups.keys, np.zeros(groups.size, dtype=np.int64)
    counted_from = _calendar.narrowed(periods)
    cells = _codes.paired(groups.codes, counted_from.codes, counted_from.span)
    codes, present = _codes.renumber(cells, groups.size * counted_from.span)
    group, period = np.divmod(present, counted_from.span)
    return codes, _frame.rows(groups.keys, group), period + counted_from.first


def _apart(
    codes: IntArray, keys: Frame, starts: IntArray, weighed: BoolArray
) -> tuple[IntArray, Frame, IntArray]:
    """Split groups again, so that answers without a weight are not counted with the others."""
    codes, present = _codes.renumber(2 * codes + weighed, 2 * len(starts))
    return codes, _frame.rows(keys, present // 2), starts[present // 2]


def _told_nothing() -> _Part:
    return _Part(None, 0, 0, 0, 0, None, False, None, [])


def _times(frame: Frame, time: str, tz: str | None) -> tuple[_frame.TimeArray, _Part]:
    """Return the wall-clock times of a partition, and how many are missing or none."""
    times = _frame.read_times(frame[time], tz, "coerce")
    timed = not np.isnat(times.values).all()
    told = _told_nothing()._replace(timed=timed, zone=times.zone if timed else None)
    if times.lost is None:
        return times.values, told
    bad = times.lost & ~frame[time].is_null().to_numpy()
    shown = _frame.sample(frame[time], np.flatnonzero(bad))
    gone, strange = int(times.lost.sum()), int(bad.sum())
    return times.values, told._replace(without_time=gone, not_a_time=strange, shown=shown)


def _refuse_times(parts: Sequence[_Part], time: str, errors: str | None) -> None:
    zones = {part.zone for part in parts if part.timed}
    if len(zones) > 1:
        msg = f"{time!r} holds times of several zones or none: bring them to one first."
        raise DataError(msg)
    if errors == "coerce":
        return
    bad = sum(part.not_a_time for part in parts)
    if bad:
        shown = [value for part in parts for value in part.shown][:_MOST_SHOWN]
        _checks.bad_times(time, bad, shown, coercible=errors is not None)
    gone = sum(part.without_time for part in parts)
    if gone:
        _checks.null_values(time, gone, "date", coercible=errors is not None)


# ---- logs ---------------------------------------------------------------------------------------


def _observed(
    source: _dask.Partitions,
    customer: str,
    time: str,
    purchase: str | None,
    *,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
) -> tuple[_logs.Activity, np.datetime64 | None, str | None]:
    """Check every partition of a log; return its periods, the end of observation and the zone."""
    names = [name for name in (customer, time, purchase) if name is not None]
    names = list(dict.fromkeys(names))
    tell = functools.partial(_facts, customer=customer, time=time, purchase=purchase, tz=tz)
    parts = _dask.each(source.frame[names], tell)
    _refuse_times(parts, time, errors)
    nobody = sum(part.without_id for part in parts)
    if nobody and errors == "raise":
        _checks.null_values(customer, nobody, "customer")
    dropped = sum(part.dropped for part in parts)
    if dropped:
        _checks.warn_of_dropped(dropped, _logs.NO_CUSTOMER_OR_DATE)
    moments = [part.moments for part in parts if part.moments]
    first = min((low for low, _ in moments), default=None)
    last = max((high for _, high in moments), default=None)
    zone = next((part.zone for part in parts if part.zone), tz)
    return *_logs.observed(first, last, freq, as_of, zone), zone


def _facts(part: Any, customer: str, time: str, purchase: str | None, tz: str | None) -> _Part:
    frame = _frame.positional(_frame.open_frame(part))
    times, told = _times(frame, time, tz)
    nobody = frame[customer].is_null().to_numpy()
    if purchase is not None:
        _frame.flags(frame[purchase])
    usable = times[~nobody & ~np.isnat(times)]
    moments = None
    if len(usable):
        ends = _activity.microseconds(np.array([usable.min(), usable.max()]))
        moments = int(ends[0]), int(ends[1])
    dropped = len(times) - len(usable)
    return told._replace(without_id=int(nobody.sum()), dropped=dropped, moments=moments)


def counted(
    source: _dask.Partitions,
    customer: str,
    time: str,
    kind: str,
    *,
    by: Sequence[str],
    lookup: _dask.Partitions | None,
    freq: str,
    **options: Any,
) -> _activity.Counts:
    """Count the "flows" or the "cohorts" of a log."""
    active, end, zone = _observed(source, customer, time, None, freq=freq, **options)
    own = [] if lookup is not None else by
    if end is None or not active.span:
        meta = source.frame if lookup is None else lookup.frame
        cells = _frame.open_frame(_no_cells(meta._meta[list(by)]))
        return _activity.from_cells(cells, by, kind, active, end)
    pairs = _distinct(source, customer, time, own, options["tz"], end, freq=freq)
    parts = [pairs.shuffle(on=_dask.HOME)]
    if lookup is not None:
        beside = _dask.known(lookup.frame, [customer, *by])
        parts.append(_dask.at_home(beside, [customer], parts[0]))
    cell = functools.partial(
        _cells, customer=customer, by=by, kind=kind, active=active, end=end, zone=zone
    )
    cells = _frame.open_frame(_dask.over(parts, cell).compute().reset_index(drop=True))
    return _activity.from_cells(cells, by, kind, active, end)


def _no_cells(keys: Any) -> Any:
    columns = {name: np.zeros(0, dtype=np.int64) for name in (PERIOD, _activity.KIND, N)}
    return keys.assign(**columns)


def _distinct(
    source: _dask.Partitions,
    customer: str,
    time: str,
    own: Sequence[str],
    tz: str | None,
    end: np.datetime64,
    *,
    freq: str,
    purchase: str | None = None,
) -> Any:
    """Return the distinct rows of ID, PERIOD, [BOUGHT], and columns of the log's own."""
    extra = [name for name in (time, purchase, *own) if name is not None]
    frame = _dask.known(source.frame[list(dict.fromkeys([customer, *extra]))], [customer, *own])
    reduce = functools.partial(
        _distinct_rows,
        customer=customer,
        time=time,
        own=own,
        tz=tz,
        end=end,
        freq=freq,
        purchase=purchase,
    )
    types = frame._meta.dtypes.to_dict()
    checked = functools.partial(_dask.typed, reduce, types=types, names=[customer, *own])
    return _dask.over([frame], checked)


def _distinct_rows(
    part: Any,
    customer: str,
    time: str,
    own: Sequence[str],
    tz: str | None,
    end: np.datetime64,
    freq: str,
    purchase: str | None,
) -> Any:
    frame = _frame.positional(_frame.open_frame(part))
    times, _ = _times(frame, time, tz)
    times = times.astype("datetime64[us]", copy=False)
    kept = ~frame[customer].is_null().to_numpy() & (times < end)  # NaT is not before anything
    days = _calendar.day_numbers(times[kept])
    made = frame.to_native()[kept]
    ids = _dask.plain(made[customer])
    columns = {ID: ids, _dask.HOME: _dask.home(ids), PERIOD: _calendar.period_codes(days, freq)}
    if purchase is not None:
        columns[_BOUGHT] = _frame.flags(frame[purchase])[kept]
    columns |= {name: made[name] for name in own}
    return made[[]].assign(**columns).drop_duplicates()


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
) -> Any:
    """Count the customers of one partition: rows of keys, PERIOD, kind or age, and N."""
    frame = _frame.positional(_frame.open_frame(part))
    periods = frame[PERIOD].to_numpy()
    log = _log(frame, customer, periods, end, zone)
    owner, period = log.pairs(periods - active.first, active.span)
    mine = active._replace(customer=owner, period=period)
    beside = None if lookup is None else _frame.positional(_frame.open_frame(lookup))
    split = _activity.read_split(frame, log, customer, by, beside)
    table = _activity.COUNTS[kind](mine, split)
    group, at, place = np.nonzero(table)
    columns = {PERIOD: active.first + at, _activity.KIND: place, N: table[group, at, place]}
    return _frame.table(_activity.keys_of(split, group), columns, len(group))


def _log(
    frame: Frame, customer: str, day: IntArray, end: np.datetime64, zone: str | None
) -> _logs.Log:
    who = _frame.compact(frame[ID].alias(customer))
    return _logs.Log(who, day.astype("datetime64[D]"), None, end, zone)


# ---- rows per customer --------------------------------------------------------------------------


def labelled(
    source: _dask.Partitions,
    customer: str,
    time: str,
    customers: _dask.Partitions | None,
    purchase: str | None,
    label: Callable[..., Any],
    make_starts: Callable[..., IntArray],
    rule: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    """Return the tiers of every customer as a Dask frame, made partition by partition."""
    freq = rule["freq"]
    active, end, zone = _observed(source, customer, time, purchase, freq=freq or "month", **options)
    starts = make_starts(active, end, freq)
    until = np.datetime64(0, "D") if end is None else end
    days = _distinct(
        source, customer, time, [], options["tz"], until, freq="day", purchase=purchase
    )
    parts = [days.shuffle(on=_dask.HOME)]
    if customers is not None:
        beside = _dask.known(customers.frame, [customer])
        parts.append(_dask.at_home(beside, [customer], parts[0]))
    one = functools.partial(
        _label_part, customer=customer, label=label, starts=starts, end=until, zone=zone, rule=rule
    )
    return _dask.over(parts, one)


def _label_part(
    part: Any,
    customers: Any = None,
    *,
    customer: str,
    label: Callable[..., Any],
    starts: IntArray,
    end: np.datetime64,
    zone: str | None,
    rule: dict[str, Any],
) -> Any:
    frame = _frame.positional(_frame.open_frame(part))
    log = _log(frame, customer, frame[PERIOD].to_numpy(), end, zone)  # periods of a day are days
    bought = np.ones(len(frame), dtype=np.bool_)
    if _BOUGHT in frame.columns:
        bought = frame[_BOUGHT].to_numpy().astype(np.bool_)
    beside = None if customers is None else _frame.positional(_frame.open_frame(customers))
    return label(log, bought, customer, beside, starts, **rule)


def attached(
    source: _dask.Partitions,
    lookup: _dask.Partitions,
    keys: Sequence[str],
    columns: Sequence[str],
    time: str | None,
    valid_from: str | None,
    attach: Callable[..., Any],
) -> Any:
    """Return the rows with columns of the segments, joined where rows of one key are together."""
    data, beside = (_dask.known(frame.frame, keys) for frame in (source, lookup))
    together = _dask.at_home(data, keys)
    beside = _dask.at_home(beside, keys, together)
    one = functools.partial(
        _attach_part,
        keys=keys,
        columns=columns,
        time=time,
        valid_from=valid_from,
        attach=attach,
    )
    return _dask.over([together, beside], one)


def _attach_part(part: Any, lookup: Any, *, attach: Callable[..., Any], **options: Any) -> Any:
    frame, beside = (_frame.open_frame(each.drop(columns=_dask.HOME)) for each in (part, lookup))
    keys, columns = options["keys"], options["columns"]
    return attach(frame, beside, keys, columns, options["time"], options["valid_from"])


def one_answer(
    source: _dask.Partitions, customer: str, time: str, one: Callable[[Frame], Any]
) -> Any:
    """Return the rows that a function keeps of every customer, whose rows are brought together."""
    names = list(dict.fromkeys([customer, time]))
    tell = functools.partial(_facts, customer=customer, time=time, purchase=None, tz=None)
    parts = _dask.each(source.frame[names], tell)
    nobody = sum(part.without_id for part in parts)
    if nobody:
        _checks.null_values(customer, nobody, "customer", coercible=False)
    _refuse_times(parts, time, None)
    together = _dask.at_home(_dask.known(source.frame, [customer]), [customer])
    return _dask.over([together], functools.partial(_keep_in_part, one=one))


def _keep_in_part(part: Any, one: Callable[[Frame], Any]) -> Any:
    return one(_frame.open_frame(part.drop(columns=_dask.HOME)))


def refuse_ties(
    frame: Frame, tied: IntArray, codes: _frame.Integers, customer: str, time: str, keep: str
) -> None:
    """Refuse customers with different rows at one time; the codes tell whose rows they are."""
    again = frame.to_native().iloc[tied].duplicated().to_numpy()
    codes, tied = codes[~again], tied[~again]
    _, first = np.unique(codes, return_index=True)
    several = np.setdiff1d(np.arange(len(codes)), first)
    if len(several):
        whose = tied[several[np.unique(codes[several], return_index=True)[1]]]
        ids = _frame.sample(frame[customer], whose)
        _checks.tied_answers(customer, time, keep, len(whose), ids)
