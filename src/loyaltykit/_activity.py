"""From an interaction log to who was active when, and from there to flows and cohorts.

A log is reduced once, to its distinct (customer, period) pairs in order. Everything a rate needs
follows from each pair and the one before it. The counts of shards split by customer add up.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _frame, _parallel
from loyaltykit.errors import DataError, ParameterError

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

VALID_FROM = "valid_from"
KIND = "lk kind"
_CELL = (_frame.PERIOD, KIND, _frame.N)
NO_CUSTOMER_OR_DATE = "no customer or no usable date"
_MOST_ROWS = 5_000_000
_MICROSECONDS_PER_DAY = 86_400_000_000


class Log:
    """The usable rows of a log: who, and when.

    ``ids`` are the customers, and ``customer`` is the place of each row's among them. Ids that are
    integers, or can be, serve as they are; they are numbered only for who asks.
    """

    def __init__(
        self,
        who: _frame.Compact | _frame.Keys,
        times: _frame.TimeArray,
        kept: BoolArray | None,
        end: np.datetime64 | None,
        zone: str | None,
    ) -> None:
        self.times, self.kept, self.end, self.zone = times, kept, end, zone
        self._who = who

    @functools.cached_property
    def ids(self) -> _frame.Series:
        """Return the distinct customers."""
        if isinstance(self._who, _frame.Compact):
            return self._who.levels
        return self._who.named(_codes.unique(self._who.values))

    @functools.cached_property
    def customer(self) -> IntArray:
        """Return the place of each row's customer in ``ids``."""
        if isinstance(self._who, _frame.Compact):
            return self._who.codes.astype(np.int64, copy=False)
        return _frame.ranks(self._who.values)

    @functools.cached_property
    def day(self) -> IntArray:
        """Return the day number of each row."""
        return _calendar.day_numbers(self.times)

    def pairs(self, period: Integers, span: int) -> tuple[IntArray, IntArray]:
        """Return the distinct pairs of customer and period, sorted."""
        if isinstance(self._who, _frame.Keys):
            keys = self._who.values
            low, high = int(keys.min()), int(keys.max())
            if high < 1 << 63 and (high - low + 1) * span < 1 << 63:
                return self._pairs_of_keys(self._who, low, high, period, span)
        codes = self._who.codes if isinstance(self._who, _frame.Compact) else self.customer
        made = _codes.distinct_pairs(codes, period, span, len(self.ids))
        customer = made // span
        return customer, made - customer * span

    def _pairs_of_keys(
        self, who: _frame.Keys, low: int, high: int, period: Integers, span: int
    ) -> tuple[IntArray, IntArray]:
        # Sorted as numbers, the pairs name the customers by the way.
        made = _codes.distinct_pairs(who.values, period, span, high - low + 1, low)
        key = made // span
        first = _codes.starts_of_runs(key)
        self.ids = who.named(key[first] + low)
        return np.cumsum(first) - 1, made - key * span


class Activity(NamedTuple):
    """Distinct (customer, period) pairs, sorted; periods count from the log's first one."""

    customer: IntArray
    period: IntArray
    first: int
    span: int
    freq: str


class Split(NamedTuple):
    """The key combinations of customers, which may change from day to day.

    ``keys`` holds the combinations; a code equal to its length means all null. When they hold for
    good, ``group`` has one code per customer and ``moment`` is None. Otherwise there is a row per
    change, sorted by customer and by the moment from which it holds.
    """

    keys: _frame.Frame
    length: int
    group: IntArray
    customer: IntArray | None
    moment: IntArray | None


class Counts(NamedTuple):
    """What a log was counted to: groups down, periods across, then kinds of flow or ages.

    Only groups that are present have a row. Counts of shards that are split by customer add up.
    """

    keys: _frame.Frame
    table: IntArray
    starts: npt.NDArray[np.datetime64]
    complete: bool
    as_of: np.datetime64


# ---- reading a log ------------------------------------------------------------------------------


def counted(
    frame: _frame.Frame,
    customer: str,
    time: str,
    kind: str,
    *,
    by: Sequence[str],
    lookup: _frame.Frame | None,
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
) -> Counts:
    """Reduce a log to its activity and its split, and count "flows" or "cohorts"."""
    log = read_log(frame, customer, time, as_of=as_of, tz=tz, errors=errors, ordered=False)
    active = activity(log, freq)
    split = read_split(frame, log, customer, by, lookup)
    table = COUNTS[kind](active, split)
    groups = np.flatnonzero(table.any(axis=(1, 2)))
    return _counts(keys_of(split, groups), table[groups], active, log.end)


def from_cells(
    cells: _frame.Frame,
    by: Sequence[str],
    kind: str,
    active: Activity,
    end: np.datetime64 | None,
) -> Counts:
    """Put together what was counted elsewhere: rows of keys, PERIOD, KIND (or age) and N.

    Of ``active`` only the periods matter, not the customers.
    """
    groups = _frame.group(cells, by)
    period, place, n = (cells[name].to_numpy().astype(np.int64) for name in _CELL)
    rows, width = (active.span, KINDS) if kind == "flows" else (active.span**2, active.span)
    refuse_blow_up(groups.size * rows, active, _MOST_ROWS)
    table = np.zeros((groups.size, active.span, width), dtype=np.int64)
    np.add.at(table, (groups.codes, period - active.first, place), n)
    return _counts(groups.keys, table, active, end)


def _counts(
    keys: _frame.Frame, table: IntArray, active: Activity, end: np.datetime64 | None
) -> Counts:
    return Counts(keys, table, starts(active), last_is_complete(end, active), as_of_day(end))


def read_log(
    frame: _frame.Frame,
    customer: str,
    time: str,
    *,
    as_of: object,
    tz: str | None,
    errors: str,
    ordered: bool = True,
) -> Log:
    """Return the rows up to ``as_of`` that have a customer and a time.

    Without ``ordered`` the customers come in any order, which saves a sort of their names.
    """
    remedy = "bring them to one, or name the zone to read them in with tz="
    tz = _checks.check_zone(tz)
    times, zone, lost = _frame.read_times(frame[time], tz, errors, remedy=remedy)
    keys = _frame.integer_keys(frame[customer])
    who: _frame.Compact | _frame.Keys
    if keys is not None:
        who = keys
    else:
        who = _frame.compact(frame[customer], ordered=ordered)
        lost = _without_id(who.codes, lost, customer, errors)
    end = None if as_of is None else _calendar.observation_end(as_of, zone)
    kept = None if lost is None else ~lost
    if lost is not None:
        _checks.warn_of_dropped(int(lost.sum()), NO_CUSTOMER_OR_DATE)
    if end is not None:
        # Nanoseconds end in 2262, and would wrap around at an end beyond it.
        times = times.astype("datetime64[us]", copy=False)
        usable = times if kept is None else times[kept]
        refuse_early_end(as_of, end, usable.min() if len(usable) else None)
        seen = times < end
        kept = seen if kept is None else kept & seen
    if kept is not None and not kept.all():
        who, times = who.only(kept), times[kept]
    else:
        kept = None
    if end is None and len(times):
        end = np.datetime64(int(_calendar.day_numbers(times.max()[np.newaxis])[0]) + 1, "D")
    return Log(who, times, kept, end, zone)


def _without_id(
    codes: Integers, lost: BoolArray | None, customer: str, errors: str
) -> BoolArray | None:
    missing = codes < 0
    if not missing.any():
        return lost
    if errors == "raise":
        _checks.null_values(customer, int(missing.sum()), "customer")
    return missing if lost is None else lost | missing


def refuse_early_end(as_of: object, end: np.datetime64, first: np.datetime64 | None) -> None:
    """Refuse an end of observation before everything that was observed."""
    if first is not None and end <= first:
        msg = f"as_of={as_of!s} lies before the first row of the log, {str(first)[:10]}."
        raise ParameterError(msg)


def activity(log: Log, freq: str) -> Activity:
    """Return the distinct (customer, period) pairs of a log."""
    if log.end is None or not len(log.times):
        nothing = np.zeros(0, dtype=np.int64)
        return Activity(nothing, nothing, 0, 0, freq)
    codes, first, _ = _calendar.periods(log.times, freq)
    span = int(last_period(log.end, freq)) - first + 1
    customer, period = log.pairs(codes, span)
    return Activity(customer, period, first, span, freq)


def observed(
    first: int | None, last: int | None, freq: str, as_of: object, zone: str | None
) -> tuple[Activity, np.datetime64 | None]:
    """Return the periods of a log from its first and last moment, and the end of observation.

    Moments are microseconds. The customers of the activity are left out.
    """
    nothing = np.zeros(0, dtype=np.int64)
    end = None if as_of is None else _calendar.observation_end(as_of, zone)
    if first is None or last is None:
        return Activity(nothing, nothing, 0, 0, freq), end
    moments = np.array([first, last], dtype="datetime64[us]")
    days = _calendar.day_numbers(moments)
    if end is None:
        end = np.datetime64(int(days[1]) + 1, "D")
    refuse_early_end(as_of, end, moments[0])
    start = int(_calendar.period_codes(days, freq)[0])
    return Activity(nothing, nothing, start, last_period(end, freq) - start + 1, freq), end


def last_period(end: np.datetime64, freq: str) -> int:
    """Return the period of the last moment observed."""
    last_day = (end - np.timedelta64(1, "us")).astype("datetime64[D]").astype(np.int64)
    return int(_calendar.period_codes(np.array([last_day]), freq)[0])


def as_of_day(end: np.datetime64 | None) -> np.datetime64:
    """Return the last day observed; NaT for an empty log."""
    if end is None:
        return np.datetime64("NaT", "D")
    day: np.datetime64 = (end - np.timedelta64(1, "us")).astype("datetime64[D]")
    return day


def starts(active: Activity) -> npt.NDArray[np.datetime64]:
    """Return the first day of every period from first to last."""
    codes = active.first + np.arange(active.span, dtype=np.int64)
    return _calendar.period_starts(codes, active.freq)


def last_is_complete(end: np.datetime64 | None, active: Activity) -> bool:
    """Return whether the last period had ended when observation did."""
    if end is None:
        return False
    after = _calendar.start_day(active.first + active.span, active.freq)
    return bool(np.datetime64(after, "D") <= end)


# ---- splits -------------------------------------------------------------------------------------


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
    log: Log,
    customer: str,
    by: Sequence[str],
    lookup: _frame.Frame | None,
) -> Split:
    """Return the split of customers by the key columns, from segments or from the log."""
    if not by:
        return Split(frame.select([]), 1, np.zeros(len(log.ids), dtype=np.int64), None, None)
    if lookup is not None:
        return _split_of_segments(lookup, log, customer, by)
    return _split_of_rows(frame, log, by)


def _split_of_rows(frame: _frame.Frame, log: Log, by: Sequence[str]) -> Split:
    groups = _frame.group(frame, by)
    codes = groups.codes if log.kept is None else groups.codes[log.kept]
    of_customer = np.full(len(log.ids), groups.size, dtype=np.int64)
    of_customer[log.customer] = codes
    changed = of_customer[log.customer] != codes
    if changed.any():
        customers = np.unique(log.customer[changed])
        shown = _frame.sample(log.ids, customers)
        _checks.changes_within_customer(by, len(customers), shown)
    return Split(groups.keys, groups.size, of_customer, None, None)


def _split_of_segments(lookup: _frame.Frame, log: Log, customer: str, by: Sequence[str]) -> Split:
    owners = _frame.encode(lookup[customer])
    if (owners.codes < 0).any():
        _checks.null_keys("segments", customer, int((owners.codes < 0).sum()))
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
        return Split(groups.keys, groups.size, of_customer, None, None)
    moment = valid_moments(lookup[VALID_FROM], log.zone)
    refuse_duplicates(lookup[customer], owners.codes, moment, "segments", [customer, VALID_FROM])
    order = np.lexsort((moment, in_log))
    group = np.append(groups.codes[order], unknown)
    return Split(groups.keys, groups.size, group, in_log[order], moment[order])


def valid_moments(series: _frame.Series, zone: str | None) -> IntArray:
    """Return since when rows hold, in microseconds on the clock of what they are held against.

    Naive times are taken to be on that clock already; aware ones are moved to it.
    """
    since = _frame.read_times(series, None, None)
    if since.zone in (None, zone):
        return microseconds(since.values)
    if zone is None:
        _checks.zone_on_one_side(series.name, str(since.zone))
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
        _checks.duplicate_keys(frame, names, len(again), _frame.sample(ids, again))


def groups_at(split: Split, customer: IntArray, day: IntArray) -> IntArray:
    """Return each customer's group as of the start of a day, that moment included."""
    if split.customer is None or split.moment is None:
        return split.group[customer]
    start = day * _MICROSECONDS_PER_DAY
    return split.group[as_of_rows(split.customer, split.moment, customer, start)]


def as_of_rows(
    row_key: IntArray, row_moment: IntArray, key: IntArray, moment: IntArray
) -> IntArray:
    """Return the latest row of each key that holds at the moment, -1 where none does.

    Rows are sorted by key and moment. Both become one number, so that one binary search finds them.
    """
    moments = _codes.unique(row_moment)
    width = len(moments) + 1
    row = row_key * width + np.searchsorted(moments, row_moment, side="right")
    wanted = key * width + np.searchsorted(moments, moment, side="right")
    found = np.searchsorted(row, wanted, side="right") - 1
    ok = found >= 0
    ok[ok] = row_key[found[ok]] == key[ok]
    return np.where(ok, found, -1)


def keys_of(split: Split, groups: IntArray) -> _frame.Frame:
    """Return the key columns of the groups, in the order given."""
    return _frame.rows(split.keys, np.where(groups < split.length, groups, -1))


# ---- flows and cohorts --------------------------------------------------------------------------

NEW, RETAINED, RETURNED, CHURNED = range(4)
KINDS = 4
_MOST_CELLS = 1 << 16


def flows(active: Activity, split: Split) -> IntArray:
    """Return counts by group, period and kind: new, retained, returned, churned.

    A customer is retained in a period when also active in the one before, new when never active
    before, else returned; and churned in the period after one, when not active in it.
    """
    customer, period, span = active.customer, active.period, active.span
    refuse_blow_up((split.length + 1) * span, active, _MOST_ROWS)
    same = ~_codes.starts_of_runs(customer)
    follows = same.copy()
    follows[1:] &= period[1:] == period[:-1] + 1
    stays = np.append(follows[1:], np.False_)
    day = starts(active).astype(np.int64)
    size = (split.length + 1) * span * KINDS

    def count(part: slice) -> IntArray:
        cells = np.zeros(size, dtype=np.int64)
        for rows in _parallel.blocks(part, max(_parallel.BLOCK, size)):
            who, when = customer[rows], period[rows]
            kind = np.where(follows[rows], RETAINED, np.where(same[rows], RETURNED, NEW))
            group = groups_at(split, who, day[when])
            cells += np.bincount((group * span + when) * KINDS + kind, minlength=size)
            left = ~stays[rows] & (when + 1 < span)
            who, when = who[left], when[left] + 1
            group = groups_at(split, who, day[when])
            cells += np.bincount((group * span + when) * KINDS + CHURNED, minlength=size)
        return cells

    # Each thread has a table of its own, so that large ones are counted in one.
    whole = [slice(0, len(customer))]
    parts = _parallel.in_parts(count, len(customer)) if size <= _MOST_CELLS else map(count, whole)
    counted = sum(parts, np.zeros(size, dtype=np.int64))
    return counted.reshape(split.length + 1, span, KINDS)


def refuse_blow_up(rows: int, active: Activity, most: int) -> None:
    """Refuse the tables that one stray date, or very short periods, would make."""
    if rows <= most:
        return
    days = starts(active)
    msg = (
        f"The log spans {active.span:,} periods of a {active.freq}, from {days[0]} to {days[-1]}: "
        f"a table of up to {rows:,} rows. Check the dates, or choose a longer freq."
    )
    raise DataError(msg)


def cohorts(active: Activity, split: Split) -> IntArray:
    """Return active customers by group, first period and periods since then.

    The group is that at the start of the customer's first period.
    """
    customer, period, span = active.customer, active.period, active.span
    first = np.ones(len(customer), dtype=np.bool_)
    first[1:] = customer[1:] != customer[:-1]
    index = np.flatnonzero(first)
    joined = period[index]
    group = groups_at(split, customer[index], starts(active).astype(np.int64)[joined])
    of_pair = np.cumsum(first) - 1
    # A customer's row of the table is settled once; each pair then only adds its age.
    row = (group * span + joined) * span - joined
    size = (split.length + 1) * span * span
    refuse_blow_up(size, active, _MOST_ROWS)
    cells = np.bincount(row[of_pair] + period, minlength=size)
    return cells.reshape(split.length + 1, span, span).astype(np.int64)


COUNTS = {"flows": flows, "cohorts": cohorts}
