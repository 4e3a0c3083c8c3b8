"""Who belongs to which group, for good or as of a day: the split of a log's customers by keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _codes, _frame, _logs, _refusals
from loyaltykit.errors import ParameterError

IntArray = npt.NDArray[np.int64]

VALID_FROM = "valid_from"
_MICROSECONDS_PER_DAY = 86_400_000_000


class Split(NamedTuple):
    """The key combinations of customers, which may change from day to day.

    ``keys`` holds the combinations; a code equal to its length means all null. When they hold for
    good, ``group`` has one code per customer and ``changes`` is None. Otherwise it has one per
    change, and one more for who has none.
    """

    keys: _frame.Frame
    length: int
    group: IntArray
    changes: Changes | None


class Changes(NamedTuple):
    """Rows of keys that hold from a moment on, as one number each, sorted: found by one search."""

    moments: IntArray
    row: IntArray


def keys_in_segments(
    columns: Sequence[str], lookup: Sequence[str] | None, customer: str, by: Sequence[str]
) -> bool:
    """Return whether the keys are columns of ``segments``, else of the data; refuse a mixture."""
    if lookup is None:
        _checks.check_columns(_checks.by_roles(by), columns)
        return False
    if not by:
        msg = "segments= is given without by=: name the columns of it to split by."
        raise ParameterError(msg)
    _checks.check_columns({"customer": customer}, lookup, "segments")
    missing = [name for name in by if name not in lookup]
    if missing and len(missing) < len(by):
        msg = (
            f"by={_checks.listed(missing)} is not in segments while other keys are: put all keys "
            "in one frame with attach_segments."
        )
        raise ParameterError(msg)
    if missing:
        both = [*lookup, *columns]
        _checks.check_columns(_checks.by_roles(by), both, "segments and data")
    return not missing


def read_split(
    frame: _frame.Frame,
    log: _logs.Log,
    customer: str,
    by: Sequence[str],
    lookup: _frame.Frame | None,
) -> Split:
    """Return the split of customers by the key columns, from segments or from the log."""
    if not by:
        return Split(frame.select([]), 1, np.zeros(len(log.ids), dtype=np.int64), None)
    if lookup is not None:
        return _split_of_segments(lookup, log, customer, by)
    return _split_of_rows(frame, log, by)


def _split_of_rows(frame: _frame.Frame, log: _logs.Log, by: Sequence[str]) -> Split:
    groups = _frame.group(frame, by)
    codes = groups.codes if log.kept is None else groups.codes[log.kept]
    of_customer = np.full(len(log.ids), groups.size, dtype=np.int64)
    of_customer[log.customer] = codes
    changed = of_customer[log.customer] != codes
    if changed.any():
        customers = np.unique(log.customer[changed])
        shown = _frame.sample(log.ids, customers)
        _refusals.changes_within_customer(by, len(customers), shown)
    return Split(groups.keys, groups.size, of_customer, None)


def _split_of_segments(
    lookup: _frame.Frame, log: _logs.Log, customer: str, by: Sequence[str]
) -> Split:
    owners = _frame.encode(lookup[customer])
    if (owners.codes < 0).any():
        _refusals.null_keys("segments", customer, int((owners.codes < 0).sum()))
    groups = _frame.group(lookup, by)
    # A customer without a row joins those whose keys are all null, where there are any.
    unknown = groups.size
    if groups.size and _frame.all_null(groups.keys, groups.size - 1):
        unknown = groups.size - 1
    in_log = _frame.positions(owners.levels, log.ids, ("segments", "data"))[owners.codes]
    if VALID_FROM not in lookup.columns:
        refuse_duplicates(lookup[customer], owners.codes, None, "segments", [customer])
        of_customer = np.full(len(log.ids), unknown, dtype=np.int64)
        of_customer[in_log[in_log >= 0]] = groups.codes[in_log >= 0]
        return Split(groups.keys, groups.size, of_customer, None)
    moment = valid_moments(lookup[VALID_FROM], log.zone)
    refuse_duplicates(lookup[customer], owners.codes, moment, "segments", [customer, VALID_FROM])
    order = np.lexsort((moment, in_log))
    group = np.append(groups.codes[order], unknown)
    return Split(groups.keys, groups.size, group, changes_of(in_log[order], moment[order]))


def valid_moments(series: _frame.Series, zone: str | None) -> IntArray:
    """Return since when rows hold, in microseconds on the clock of what they are held against.

    Naive times are taken to be on that clock already; aware ones are moved to it.
    """
    since = _frame.read_times(series, None, None)
    if since.zone in (None, zone):
        return microseconds(since.values)
    if zone is None:
        _refusals.zone_on_one_side(series.name, str(since.zone))
    return microseconds(_frame.read_times(series, zone, None).values)


def microseconds(times: _frame.TimeArray) -> IntArray:
    """Return times as microseconds since 1970."""
    return times.astype("datetime64[us]").view(np.int64)


def refuse_duplicates(
    ids: _frame.Series, codes: IntArray, moment: IntArray | None, frame: str, names: Sequence[str]
) -> None:
    """Refuse a lookup frame with two rows for one key."""
    order = np.argsort(codes, kind="stable") if moment is None else np.lexsort((moment, codes))
    same = codes[order][1:] == codes[order][:-1]
    if moment is not None:
        same &= moment[order][1:] == moment[order][:-1]
    again = order[1:][same]
    if again.size:
        _refusals.duplicate_keys(frame, names, len(again), _frame.sample(ids, again))


def groups_at(split: Split, customer: IntArray, day: IntArray) -> IntArray:
    """Return each customer's group as of the start of a day, that moment included."""
    if split.changes is None:
        return split.group[customer]
    return split.group[as_of_rows(split.changes, customer, day * _MICROSECONDS_PER_DAY)]


def changes_of(key: IntArray, moment: IntArray) -> Changes:
    """Return rows, sorted by key and moment, to be found by both."""
    moments = _codes.unique(moment)
    return Changes(
        moments, key * (len(moments) + 1) + np.searchsorted(moments, moment, side="right")
    )


def as_of_rows(changes: Changes, key: IntArray, moment: IntArray) -> IntArray:
    """Return the latest row of each key that holds at the moment, -1 where none does."""
    width = len(changes.moments) + 1
    place = np.searchsorted(changes.moments, moment, side="right")
    found = np.searchsorted(changes.row, key * width + place, side="right") - 1
    # A row of this key lies at most as far back as the key's own numbers begin.
    ok = found >= 0
    ok[ok] = changes.row[found[ok]] >= key[ok] * width
    return np.where(ok, found, -1)


def keys_of(split: Split, groups: IntArray) -> _frame.Frame:
    """Return the key columns of the groups, in the order given."""
    return _frame.rows(split.keys, np.where(groups < split.length, groups, -1))
