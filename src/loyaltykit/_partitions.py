"""A log over the partitions of a Dask frame: what each says of itself, and its distinct rows.

Customers are shuffled, reduced to distinct rows first, so that each is in one partition.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _calendar,
    _checks,
    _cohort_rows,
    _dask,
    _frame,
    _logs,
    _refusals,
    _revenue,
    _splits,
)
from loyaltykit._frame import ID, OWN, PERIOD, Frame
from loyaltykit.errors import DataError

IntArray = npt.NDArray[np.int64]

BOUGHT = "lk bought"
AMOUNT, _TURNED = OWN + "amount", OWN + "turned"
_CLOCK, _EXACT, _STARTS, _RETURNS = (OWN + name for name in ("clock", "exact", "starts", "returns"))
_MOST_SHOWN = 6


class Part(NamedTuple):
    """What one partition says of itself before anything is counted; moments are microseconds."""

    rows: Any
    without_time: int
    not_a_time: int
    without_id: int
    without_amount: int
    dropped: int
    moments: tuple[int, int] | None
    timed: bool
    zone: str | None
    shown: list[Any]


def told_nothing() -> Part:
    return Part(None, 0, 0, 0, 0, 0, None, False, None, [])


def times_of(frame: Frame, time: str, tz: str | None) -> tuple[_frame.TimeArray, Part]:
    """Return the wall-clock times of a partition, and how many are missing or none."""
    times = _frame.read_times(frame[time], tz, "coerce")
    timed = not np.isnat(times.values).all()
    told = told_nothing()._replace(timed=timed, zone=times.zone if timed else None)
    if times.lost is None:
        return times.values, told
    bad = times.lost & ~frame[time].is_null().to_numpy()
    shown = _frame.sample(frame[time], np.flatnonzero(bad))
    gone, strange = int(times.lost.sum()), int(bad.sum())
    return times.values, told._replace(without_time=gone, not_a_time=strange, shown=shown)


def refuse_times(parts: Sequence[Part], time: str, errors: str | None) -> None:
    zones = {part.zone for part in parts if part.timed}
    if len(zones) > 1:
        msg = f"{time!r} holds times of several zones or none: bring them to one first."
        raise DataError(msg)
    if errors == "coerce":
        return
    bad = sum(part.not_a_time for part in parts)
    if bad:
        shown = [value for part in parts for value in part.shown][:_MOST_SHOWN]
        _refusals.bad_times(time, bad, shown, coercible=errors is not None)
    gone = sum(part.without_time for part in parts)
    if gone:
        _refusals.null_values(time, gone, "date", coercible=errors is not None)


def observed(
    source: _dask.Partitions,
    customer: str,
    time: str,
    purchase: str | None,
    *,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
    asked: _cohort_rows.Asked | None = None,
    observed_from: Any = None,
) -> tuple[_logs.Activity, np.datetime64 | None, str | None]:
    """Check every partition of a log; return its periods, the end of observation and the zone."""
    names = [name for name in (customer, time, purchase) if name is not None]
    names = list(dict.fromkeys([*names, *(asked.columns.values() if asked else [])]))
    tell = functools.partial(
        facts, customer=customer, time=time, purchase=purchase, tz=tz, asked=asked
    )
    parts = _dask.each(source.frame[names], tell)
    refuse_amounts(parts, None if asked is None else asked.amount, errors)
    first, last, zone = together(parts, customer, time, tz=tz, errors=errors)
    return *_logs.observed(first, last, freq, as_of, zone, observed_from), zone


def together(
    parts: Sequence[Part],
    customer: str,
    time: str,
    *,
    tz: str | None,
    errors: str,
    unusable: str = _logs.NO_CUSTOMER_OR_DATE,
) -> tuple[int | None, int | None, str | None]:
    """Refuse what partitions say is wrong; return the first and last moment, and the zone."""
    refuse_times(parts, time, errors)
    nobody = sum(part.without_id for part in parts)
    if nobody and errors == "raise":
        _refusals.null_values(customer, nobody, "customer")
    dropped = sum(part.dropped for part in parts)
    if dropped:
        _checks.warn_of_dropped(dropped, unusable)
    moments = [part.moments for part in parts if part.moments]
    first = min((low for low, _ in moments), default=None)
    last = max((high for _, high in moments), default=None)
    return first, last, next((part.zone for part in parts if part.zone), tz)


def refuse_amounts(parts: Sequence[Part], amount: str | None, errors: str) -> None:
    """Refuse rows without an amount, unless they are to be left out."""
    count = sum(part.without_amount for part in parts)
    if not count or amount is None:
        return
    if errors == "raise":
        _refusals.null_values(amount, count, "finite amount")
    _checks.warn_of_dropped(count, _cohort_rows.NO_AMOUNT)


def facts(
    part: Any,
    customer: str,
    time: str,
    purchase: str | None,
    tz: str | None,
    asked: _cohort_rows.Asked | None = None,
) -> Part:
    frame, without_amount = _frame.positional(_frame.open_frame(part)), 0
    for name in asked.flags if asked else []:
        _frame.flags(frame[name])
    if asked and asked.amount is not None:
        frame, _, without_amount = with_amounts(frame, asked.amount, asked.return_event)
    times, told = times_of(frame, time, tz)
    told = told._replace(without_amount=without_amount)
    if purchase is not None:
        _frame.flags(frame[purchase])
    nobody = frame[customer].is_null().to_numpy()
    usable = times[~nobody & ~np.isnat(times)]
    moments = None
    if len(usable):
        ends = _splits.microseconds(np.array([usable.min(), usable.max()]))
        moments = int(ends[0]), int(ends[1])
    dropped = len(times) - len(usable)
    return told._replace(without_id=int(nobody.sum()), dropped=dropped, moments=moments)


def distinct(
    source: _dask.Partitions,
    customer: str,
    time: str,
    own: Sequence[str],
    tz: str | None,
    end: np.datetime64,
    *,
    freq: str,
    purchase: str | None = None,
    asked: _revenue.Asked | None = None,
) -> Any:
    """Return the distinct rows of ID, PERIOD, [BOUGHT], and columns of the log's own.

    With amounts asked for, these are added up, as by `added_up`.
    """
    extra = [name for name in (time, purchase, *own) if name is not None]
    extra += [] if asked is None else asked.columns.values()
    reduce = functools.partial(
        _distinct_rows,
        customer=customer,
        time=time,
        own=own,
        tz=tz,
        end=end,
        freq=freq,
        purchase=purchase,
        asked=asked,
    )
    frame = source.frame[list(dict.fromkeys([customer, *extra]))]
    return _dask.reduced(frame, [customer, *own], reduce)


def _distinct_rows(
    part: Any,
    customer: str,
    time: str,
    own: Sequence[str],
    tz: str | None,
    end: np.datetime64,
    freq: str,
    purchase: str | None,
    asked: _revenue.Asked | None = None,
) -> Any:
    frame = _frame.positional(_frame.open_frame(part))
    frame, more = (frame, {}) if asked is None else amounts_of(frame, asked)
    times, _ = times_of(frame, time, tz)
    times = times.astype("datetime64[us]", copy=False)
    kept = ~frame[customer].is_null().to_numpy() & (times < end)  # NaT is not before anything
    days = _calendar.day_numbers(times[kept])
    made = frame.to_native()[kept]
    ids = _dask.plain(made[customer])
    columns = {ID: ids, _dask.HOME: _dask.home(ids), PERIOD: _calendar.period_codes(days, freq)}
    if purchase is not None:
        columns[BOUGHT] = _frame.flags(frame[purchase])[kept]
    columns |= {name: made[name] for name in own} | {name: more[name][kept] for name in more}
    made = made[[]].assign(**columns)
    return made.drop_duplicates() if asked is None else added_up(made)


def with_amounts(frame: Frame, name: str, counts: str | None = None) -> tuple[Frame, Any, int]:
    """Return the rows that have an amount, their amounts, and how many have none."""
    amounts, missing = _cohort_rows.without_amount(frame, name, counts)
    kept = np.flatnonzero(~missing)
    return _frame.rows(frame, kept), amounts[kept], int(missing.sum())


def amounts_of(frame: Frame, asked: _revenue.Asked) -> tuple[Frame, dict[str, Any]]:
    """Return the rows that have an amount, and what is asked of them as columns."""
    frame, amounts, _ = with_amounts(frame, asked.amount)
    columns = {AMOUNT: amounts, _TURNED: amounts < 0}
    if asked.referred is not None:
        columns[_revenue.REFERRED] = _frame.flags(frame[asked.referred])
    return frame, columns


def added_up(rows: Any) -> Any:
    """Return the distinct rows with the sums of their amounts; those below 0 are rows apart.

    So it stays known how much was turned around where they cancel out.
    """
    keys = [name for name in rows.columns if name != AMOUNT]
    groups = rows.groupby(keys, dropna=False, sort=False, observed=True)
    return groups[AMOUNT].sum().reset_index()


def rows(
    source: _dask.Partitions,
    customer: str,
    time: str,
    own: Sequence[str],
    tz: str | None,
    end: np.datetime64,
    *,
    freq: str,
    asked: _cohort_rows.Asked,
) -> Any:
    """Return the rows of ID, PERIOD, what is asked of them, and columns of the log's own."""
    names = list(dict.fromkeys([customer, time, *asked.columns.values(), *own]))
    made = functools.partial(
        _asked_rows, customer=customer, time=time, own=own, tz=tz, end=end, freq=freq, asked=asked
    )
    return _dask.reduced(source.frame[names], [customer, *own], made)


def _asked_rows(
    part: Any,
    customer: str,
    time: str,
    own: Sequence[str],
    tz: str | None,
    end: np.datetime64,
    freq: str,
    asked: _cohort_rows.Asked,
) -> Any:
    frame = _frame.positional(_frame.open_frame(part))
    times, told = times_of(frame, time, tz)
    times = times.astype("datetime64[us]", copy=False)
    kept = ~frame[customer].is_null().to_numpy() & (times < end)
    columns: dict[str, Any] = {}
    if asked.amount is not None:
        amounts, missing = _cohort_rows.without_amount(frame, asked.amount, asked.return_event)
        kept, columns[AMOUNT] = kept & ~missing, amounts
    zoned = told.zone is not None
    exact = times_of(frame, time, "UTC")[0] if zoned else times
    columns |= {_CLOCK: _splits.microseconds(times), _EXACT: _splits.microseconds(exact)}
    for column, name in ((_STARTS, asked.start_event), (_RETURNS, asked.return_event)):
        if name is not None:
            columns[column] = _frame.flags(frame[name])
    days = _calendar.day_numbers(times[kept])
    made = frame.to_native()[kept]
    ids = _dask.plain(made[customer])
    told_of = {name: values[kept] for name, values in columns.items()}
    own_columns = {name: made[name] for name in own}
    places = {ID: ids, _dask.HOME: _dask.home(ids), PERIOD: _calendar.period_codes(days, freq)}
    return made[[]].assign(**places, **told_of, **own_columns)


def rows_of(
    frame: Frame, customer: IntArray, period: IntArray, asked: _cohort_rows.Asked
) -> _cohort_rows.Rows:
    """Return the rows of a partition, whose customers and periods are numbered."""

    def column(name: str) -> Any:
        return frame[name].to_numpy() if name in frame.columns else None

    clock, exact = column(_CLOCK), column(_EXACT)
    told = exact if asked.floor is None else clock - clock % asked.floor
    flags = column(_STARTS), column(_RETURNS)
    return _cohort_rows.Rows(customer, period, exact, told, *flags, column(AMOUNT))


def log_of(
    frame: Frame, customer: str, day: IntArray, end: np.datetime64, zone: str | None
) -> _logs.Log:
    who = _frame.compact(frame[ID].alias(customer))
    return _logs.Log(who, day.astype("datetime64[D]"), None, end, zone)
