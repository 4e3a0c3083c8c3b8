"""Contracts over the partitions of a Dask frame: what each says, and its distinct rows."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from loyaltykit import (
    _contracts,
    _dask,
    _frame,
    _logs,
    _partitions,
    _refusals,
    _revenue,
    _splits,
)
from loyaltykit._frame import ID, Frame

# The columns of `_contracts.Ranges`.
FIRST, LAST, BEGAN, ENDED = (f"lk {name}" for name in _contracts.Ranges._fields)
START, STOP = "lk start", "lk stop"


class Part(NamedTuple):
    """What one partition says of its starts, and of its ends."""

    starts: _partitions.Part
    ends: _partitions.Part
    backwards: int
    shown: list[Any]


def observed(
    source: _dask.Partitions,
    customer: str,
    time: str,
    contract_end: str,
    *,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
    observed_from: Any = None,
    asked: _revenue.Asked | None = None,
) -> tuple[_logs.Activity, np.datetime64 | None, str | None]:
    """Check every partition; return the periods, the end of observation and the zone."""
    names = {"customer": customer, "time": time, "contract_end": contract_end}
    tell = functools.partial(_facts, **names, tz=tz, asked=asked)
    used = [*names.values(), *([] if asked is None else asked.columns.values())]
    parts = _dask.each(source.frame[list(dict.fromkeys(used))], tell)
    starts = [part.starts for part in parts]
    _partitions.refuse_amounts(starts, None if asked is None else asked.amount, errors)
    _partitions.refuse_times([part._replace(without_time=0) for part in starts], time, errors)
    ends = [part.ends._replace(without_time=0) for part in parts]
    _partitions.refuse_times(ends, contract_end, errors)
    backwards = sum(part.backwards for part in parts)
    if backwards and errors == "raise":
        shown = [value for part in parts for value in part.shown]
        _refusals.ends_before_start(contract_end, time, backwards, shown)
    told = _partitions.together(
        starts, customer, time, tz=tz, errors=errors, unusable=_contracts.UNUSABLE
    )
    first, last, zone = told
    active, end = _logs.observed(first, last, freq, as_of, zone, observed_from)
    return _contracts.periods(active), end, zone


def _facts(
    part: Any,
    customer: str,
    time: str,
    contract_end: str,
    tz: str | None,
    asked: _revenue.Asked | None = None,
) -> Part:
    frame, without_amount = _frame.positional(_frame.open_frame(part)), 0
    if asked is not None:
        size = len(frame)
        frame, _ = _partitions.amounts_of(frame, asked)
        without_amount = size - len(frame)
    told = [_partitions.times_of(frame, name, tz)[1] for name in (time, contract_end)]
    starts, ends = _contracts.times_of(frame, time, contract_end, tz, "coerce")
    nobody = frame[customer].is_null().to_numpy()
    backwards = ends.values < starts.values
    usable = starts.values[_usable(frame, customer, starts, ends)]
    moments = None
    if len(usable):
        low, high = _splits.microseconds(np.array([usable.min(), usable.max()]))
        moments = int(low), int(high)
    told[0] = told[0]._replace(
        without_id=int(nobody.sum()),
        without_amount=without_amount,
        dropped=len(frame) - len(usable),
        moments=moments,
    )
    shown = _frame.sample(frame[contract_end], np.flatnonzero(backwards))
    return Part(told[0], told[1], int(backwards.sum()), shown)


def _usable(
    frame: Frame, customer: str, starts: _frame.Times, ends: _frame.Times
) -> _contracts.BoolArray:
    kept = ~frame[customer].is_null().to_numpy() & ~np.isnat(starts.values)
    if ends.lost is not None:
        kept &= ~ends.lost
    usable: _contracts.BoolArray = kept & ~(ends.values < starts.values)
    return usable


def distinct(
    source: _dask.Partitions,
    customer: str,
    time: str,
    contract_end: str,
    own: Sequence[str],
    tz: str | None,
    end: np.datetime64,
    *,
    freq: str,
    moments: bool = False,
    asked: _revenue.Asked | None = None,
) -> Any:
    """Return the distinct rows of ID, the columns of `_contracts.Ranges`, and keys of their own.

    With ``moments`` also START and STOP, by way of UTC. With amounts asked for, these are added
    up, as by `_partitions.added_up`.
    """
    more = [] if asked is None else asked.columns.values()
    names = list(dict.fromkeys([customer, time, contract_end, *own, *more]))
    reduce = functools.partial(
        _distinct_rows,
        customer=customer,
        time=time,
        contract_end=contract_end,
        own=own,
        tz=tz,
        end=end,
        freq=freq,
        moments=moments,
        asked=asked,
    )
    return _dask.reduced(source.frame[names], [customer, *own], reduce)


def _distinct_rows(
    part: Any,
    customer: str,
    time: str,
    contract_end: str,
    own: Sequence[str],
    tz: str | None,
    end: np.datetime64,
    freq: str,
    moments: bool = False,
    asked: _revenue.Asked | None = None,
) -> Any:
    frame = _frame.positional(_frame.open_frame(part))
    frame, more = (frame, {}) if asked is None else _partitions.amounts_of(frame, asked)
    starts, ends = _contracts.times_of(frame, time, contract_end, tz, "coerce")
    kept = _usable(frame, customer, starts, ends) & (starts.values <= end)
    made = frame.to_native()[kept]
    ids = _dask.plain(made[customer])
    ranges = _contracts.ranges(starts.values[kept], ends.values[kept], end, freq)
    columns = {ID: ids, _dask.HOME: _dask.home(ids)}
    columns |= dict(zip((FIRST, LAST, BEGAN, ENDED), ranges, strict=True))
    if moments:
        exact = starts, ends
        if starts.zone is not None:
            exact = _contracts.times_of(frame, time, contract_end, "UTC", "coerce")
        columns |= {name: t.values[kept] for name, t in zip((START, STOP), exact, strict=True)}
    columns |= {name: made[name] for name in own} | {name: more[name][kept] for name in more}
    made = made[[]].assign(**columns)
    return made.drop_duplicates() if asked is None else _partitions.added_up(made)


def ranges(
    frame: Frame, customer: str, end: np.datetime64, zone: str | None
) -> tuple[_logs.Log, _contracts.Ranges]:
    """Return the contracts of one partition, and the log of who has them."""
    columns = [frame[name].to_numpy() for name in (FIRST, LAST, BEGAN, ENDED)]
    log = _partitions.log_of(frame, customer, columns[2], end, zone)
    return log, _contracts.Ranges(*columns)


def stock(frame: Frame, log: _logs.Log, active: _logs.Activity) -> _logs.Activity:
    """Return the activity of the customers of one partition."""
    columns = (frame[name].to_numpy() for name in (FIRST, LAST, BEGAN, ENDED))
    return _contracts.stock(log.customer, _contracts.Ranges(*columns), active)
