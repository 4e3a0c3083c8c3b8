"""A log, and who belongs to which group, as queries of lazy engines; what makes rows unusable.

Each query says the same as the NumPy path of `_logs` and `_splits`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

from loyaltykit import _checks, _cohort_rows, _designs, _lazy, _logs, _refusals
from loyaltykit._frame import DAY, ID, PERIOD, N, Query
from loyaltykit._lazy import CLOCK, MOMENT
from loyaltykit._splits import VALID_FROM

SINCE = "lk since"
STOP = "lk stop"  # microseconds of the end of a contract
ENDS = "ends "  # what is told of ends begins so
_ORDER = "lk order"
_NEVER = -(2**60)  # before every period and every moment


class Log(NamedTuple):
    """The rows of a log up to the end of observation: ID, DAY, PERIOD, and columns kept."""

    rows: Query
    active: _logs.Activity
    end: np.datetime64 | None
    zone: str | None


class Split(NamedTuple):
    """Rows of ID and keys; with PERIOD, the first at whose start a row holds, where they change."""

    rows: Query
    changes: bool


def usable(query: Query, counts: str | None, time: str | None, errors: str | None) -> Query:
    """Return the rows that have a time; refuse what makes no count, and no date."""
    facts = {} if time is None else _time_facts(query, time)
    if counts is not None:
        dtype = query.collect_schema()[counts]
        if not dtype.is_numeric():
            _refusals.counts_are_numbers(counts, dtype)
        number = nw.col(counts).cast(nw.Float64)
        fine = (number >= 0) & (number < 2**53) & (number % 1 == 0)
        wrong = ~fine | number.is_null()
        facts["wrong"] = _lazy.number(wrong, "wrong")
    found = _lazy.only_row(query.select(*facts.values()))
    if counts is not None and found["wrong"]:
        _refusals.bad_counts(counts, found["wrong"], _lazy.shown(query.filter(wrong), counts))
    if time is None:
        return query
    _refuse_times(query, time, errors, found)
    if not found["gone"]:
        return query
    _checks.warn_of_dropped(found["gone"], f"no usable date in {time!r}")
    return query.filter(~nw.col(CLOCK).is_null())


def _time_facts(query: Query, time: str, clock: str = CLOCK, mark: str = "") -> dict[str, nw.Expr]:
    """Return what counts the rows without a time, and with something that is none."""
    gone = nw.col(clock).is_null()
    rows = {"gone": gone, "bad": gone & ~nw.col(time).is_null()}
    odd = _lazy.odd_texts(query, time)
    if odd is not None:
        rows |= {"zoned": odd[0], "other": odd[1]}
    return {mark + name: _lazy.number(condition, mark + name) for name, condition in rows.items()}


def _refuse_times(
    query: Query, time: str, errors: str | None, facts: dict[str, int], clock: str = CLOCK
) -> None:
    odd = _lazy.odd_texts(query, time)
    if odd is not None and facts["zoned"]:
        shown = _lazy.shown(query.filter(odd[0]), time)
        _refusals.zones_in_text(time, facts["zoned"], shown)
    if odd is not None and facts["other"]:
        shown = _lazy.shown(query.filter(odd[1]), time)
        _refusals.bad_times(time, facts["other"], shown, coercible=False)
    if errors == "coerce":
        return
    if facts["bad"]:
        bad = query.filter(nw.col(clock).is_null() & ~nw.col(time).is_null())
        shown = _lazy.shown(bad, time)
        _refusals.bad_times(time, facts["bad"], shown, coercible=errors is not None)
    if facts["gone"]:
        _refusals.null_values(time, facts["gone"], "date", coercible=errors is not None)


def refuse_no_one_and_no_time(query: Query, customer: str, time: str) -> None:
    """Refuse rows that have no customer in ID, and those without a time in CLOCK."""
    facts = _time_facts(query, time)
    facts["nobody"] = _lazy.number(nw.col(ID).is_null(), "nobody")
    found = _lazy.only_row(query.select(*facts.values()))
    if found["nobody"]:
        _refusals.null_values(customer, found["nobody"], "customer", coercible=False)
    _refuse_times(query, time, None, found)


def refuse_bad_times(query: Query, time: str) -> None:
    """Refuse what is neither a time nor null."""
    facts = _lazy.only_row(query.select(*_time_facts(query, time).values()))
    _refuse_times(query, time, None, {**facts, "gone": 0})


def read_log(
    query: Query,
    customer: str,
    time: str,
    *,
    keep: Sequence[str] = (),
    freq: str,
    as_of: Any,
    tz: str | None,
    errors: str,
    observed_from: Any = None,
) -> Log:
    """Return the rows up to ``as_of`` that have a customer and a time.

    All before the periods reported is put into the first of all, as by `_logs.places`.
    """
    query, zone = timed(query, customer, time, tz)
    facts = facts_of(query, time)
    refuse(query, customer, time, tz, zone, errors, facts)
    log = until(query, facts, unusable(), freq, as_of, zone, observed_from)
    active, rows = log.active, log.rows.with_columns(_lazy.day_number(), _lazy.period(freq))
    if active.lead:
        reported = nw.col(PERIOD) >= active.first + active.lead
        place = nw.when(reported).then(nw.col(PERIOD)).otherwise(nw.lit(active.first))
        rows = rows.with_columns(place.cast(nw.Int64).alias(PERIOD))
    kept = (_lazy.value(rows, name) for name in keep)
    return log._replace(rows=rows.select(ID, CLOCK, DAY, PERIOD, *kept))


def timed(query: Query, customer: str, time: str, tz: str | None) -> tuple[Query, str | None]:
    """Return the rows with ID, CLOCK and MOMENT, and the zone of the times."""
    query, zone = _lazy.with_clock(query, time, tz)
    return query.with_columns(_lazy.value(query, customer).alias(ID), _lazy.moment(query)), zone


def unusable() -> nw.Expr:
    """Return which rows have no customer or no time."""
    return nw.col(ID).is_null() | nw.col(CLOCK).is_null()


def facts_of(query: Query, time: str, ends: str | None = None) -> dict[str, Any]:
    """Return what is wrong with the rows, and the first and last moment of those that are usable.

    With ends, a column whose moments are in STOP, also what is wrong with these, under names of
    their own.
    """
    dropped = unusable()
    told = _time_facts(query, time)
    if ends is not None:
        backwards = _lazy.known(nw.col(STOP) < nw.col(MOMENT))
        strange = nw.col(STOP).is_null() & ~nw.col(ends).is_null()
        dropped = dropped | strange | backwards
        told |= _time_facts(query, ends, STOP, ENDS)
        told |= {
            "backwards": _lazy.number(backwards, "backwards"),
            "timed": _lazy.number(~nw.col(CLOCK).is_null(), "timed"),
            "ending": _lazy.number(~nw.col(STOP).is_null(), "ending"),
        }
    usable = nw.when(~dropped).then(nw.col(MOMENT))
    return _lazy.only_row(
        query.select(
            *told.values(),
            _lazy.number(nw.col(ID).is_null(), "nobody"),
            _lazy.number(dropped, "dropped"),
            usable.min().alias("first"),
            usable.max().alias("last"),
        )
    )


def refuse(
    query: Query,
    customer: str,
    time: str,
    tz: str | None,
    zone: str | None,
    errors: str,
    facts: dict[str, Any],
) -> None:
    """Refuse rows without a time or a customer, unless they are to be left out."""
    if tz is not None and zone is None and facts["first"] is not None:
        _refusals.naive_times(tz, time)
    _refuse_times(query, time, errors, facts)
    if facts["nobody"] and errors == "raise":
        _refusals.null_values(customer, facts["nobody"], "customer")


def refuse_ends(
    query: Query, time: str, ends: str, errors: str, facts: dict[str, Any], *, one_zone: bool
) -> None:
    """Refuse starts and ends that are no times, not on one clock, or in the wrong order."""
    _refuse_times(query, time, errors, facts)
    told = {name.removeprefix(ENDS): n for name, n in facts.items() if name.startswith(ENDS)}
    _refuse_times(query, ends, errors, {**told, "gone": 0}, STOP)
    if facts["timed"] and facts["ending"] and not one_zone:
        _refusals.one_zone(time, ends)
    if facts["backwards"] and errors == "raise":
        shown = _lazy.shown(query.filter(nw.col(STOP) < nw.col(MOMENT)), ends)
        _refusals.ends_before_start(ends, time, facts["backwards"], shown)


def until(
    query: Query,
    facts: dict[str, Any],
    dropped: nw.Expr,
    freq: str,
    as_of: Any,
    zone: str | None,
    observed_from: Any,
    *,
    why: str = _logs.NO_CUSTOMER_OR_DATE,
    closing: bool = False,
) -> Log:
    """Return the usable rows up to ``as_of``, with all their columns.

    With ``closing`` the moment at which observation ends is still in.
    """
    if facts["dropped"]:
        _checks.warn_of_dropped(facts["dropped"], why)
    moments = facts["first"], facts["last"]
    active, end = _logs.observed(*moments, freq, as_of, zone, observed_from)
    rows = query.filter(~dropped)
    if end is not None and facts["first"] is not None:
        # From the first: a table may have grown at its start since its facts were told.
        last = int(end.astype("datetime64[us]").astype(np.int64)) - (0 if closing else 1)
        rows = rows.filter(nw.col(MOMENT).is_between(facts["first"], last))
    return Log(rows, active, end, zone)


def split_of(
    log: Log, customer: str, by: Sequence[str], lookup: Query | None
) -> tuple[Query, Split]:
    """Return the rows of a log and who belongs to which group, with ids of one type."""
    if lookup is not None:
        return _split_of_segments(log, customer, by, lookup)
    rows = log.rows.select(ID, *by).unique()
    several = _lazy.counted(rows, [ID]).filter(nw.col(N) > 1)
    count = _lazy.only_row(several.select(nw.len().alias(N)))[N]
    if count:
        _refusals.changes_within_customer(by, count, _lazy.shown(several, ID))
    return log.rows, Split(rows, changes=False)


def _split_of_segments(
    log: Log, customer: str, by: Sequence[str], lookup: Query
) -> tuple[Query, Split]:
    lookup = lookup.with_columns(_lazy.value(lookup, customer).alias(ID))
    lookup = lookup.with_columns(_lazy.value(lookup, name) for name in by)
    refuse_null_keys(lookup, ID, customer)
    rows, lookup = _lazy.alike(log.rows, lookup, ID, customer, ("data", "segments"))
    if VALID_FROM not in lookup.collect_schema().names():
        refuse_duplicates(lookup, [ID], [customer])
        return rows, Split(lookup.select(ID, *by), changes=False)
    lookup = with_valid_from(lookup, VALID_FROM, log.zone)
    refuse_duplicates(lookup, [ID, MOMENT], [customer, VALID_FROM])
    start = _lazy.next_start(lookup, log.active.freq)
    lookup = lookup.with_columns(start.alias(PERIOD))
    # Of several changes before one period's start, the last is the one that holds there.
    latest_first = nw.col(MOMENT).max().over(ID, PERIOD)
    lookup = lookup.filter(nw.col(MOMENT) == latest_first)
    return rows, Split(lookup.select(ID, PERIOD, *by), changes=True)


def with_valid_from(lookup: Query, name: str, zone: str | None) -> Query:
    """Return the frame with MOMENT, since when rows hold on the clock of what they are held to."""
    own = getattr(lookup.collect_schema()[name], "time_zone", None)
    if own is not None and zone is None:
        _refusals.zone_on_one_side(name, own)
    lookup, _ = _lazy.with_clock(lookup, name, None if own is None else zone)
    lookup = usable(lookup, None, name, None)
    return lookup.with_columns(_lazy.moment(lookup))


def true_rows(query: Query, name: str) -> nw.Expr:
    """Return where a column of true and false, or 1 and 0, is true; refuse anything else in it."""
    unclear, true = _lazy.flag(query, name)
    count = _lazy.only_row(query.select(_lazy.number(unclear, N)))[N]
    if count:
        _refusals.not_flags(name, count, _lazy.shown(query.filter(unclear), name))
    return true


def with_amounts(
    query: Query, name: str, made: str, errors: str, counts: nw.Expr | None = None
) -> tuple[Query, bool]:
    """Return the rows with an amount, and whether one is below 0; refuse what is no number.

    Rows that do not count need no amount: they have 0.
    """
    dtype = query.collect_schema()[name]
    if not dtype.is_numeric() and dtype != nw.Unknown:
        _refusals.amounts_are_numbers(name, dtype)
    amount = _lazy.value(query, name).cast(nw.Float64)
    missing = amount.is_null() | (amount.abs() == float("inf"))
    if counts is not None:
        missing = counts & missing
    query = query.with_columns(amount.alias(made))
    facts = query.select(_lazy.number(missing, N), _lazy.number(nw.col(made) < 0, made))
    found = _lazy.only_row(facts)
    if found[N]:
        if errors == "raise":
            _refusals.null_values(name, found[N], "finite amount")
        _checks.warn_of_dropped(found[N], _cohort_rows.NO_AMOUNT)
        query = query.filter(~missing)
    if counts is not None:
        query = query.with_columns(nw.when(counts).then(nw.col(made)).otherwise(nw.lit(0.0)))
    return query, bool(found[made])


def refuse_weights(query: Query, design: _designs.Design, errors: str) -> None:
    """Refuse what makes no weight, as `_designs.read_rows` does."""
    columns = [name for name in (design.weights, design.squares) if name is not None]
    schema = query.collect_schema()
    for name in columns:
        if not schema[name].is_numeric() and not _lazy.holds_nulls_only(query, name):
            _refusals.weights_are_numbers(name, schema[name])
    weight = [_lazy.value(query, name).cast(nw.Float64) for name in columns]
    least, most = _designs.LEAST, _designs.MOST
    fine = [(each == 0) | ((each >= least) & (each <= most)) for each in weight]
    bad = [~each & ~column.is_null() for each, column in zip(fine, weight, strict=True)]
    facts = [_lazy.number(wrong, f"bad {i}") for i, wrong in enumerate(bad)]
    facts += [_lazy.number(each.is_null(), f"null {i}") for i, each in enumerate(weight)]
    if len(columns) > 1:
        answers, (total, square) = nw.col(N), weight
        slack = _designs.ROUNDING * total * total
        narrow = (square * answers < total * total - slack * answers) & (answers > 0)
        wide = (square > total * total + slack) | ((answers == 0) & (total > 0))
        facts.append(_lazy.number(narrow | wide, "squares"))
    found = _lazy.only_row(query.select(*facts))
    for i, name in enumerate(columns):
        if found[f"bad {i}"]:
            _refusals.bad_weights(name, found[f"bad {i}"], _lazy.shown(query.filter(bad[i]), name))
        if found[f"null {i}"] and errors == "raise":
            _refusals.missing_weights(name, found[f"null {i}"])
    if found.get("squares"):
        _designs.refuse_squares(design, found["squares"])


def refuse_null_keys(lookup: Query, column: str, name: str, frame: str = "segments") -> None:
    """Refuse a lookup frame with a null key."""
    count = _lazy.only_row(lookup.select(_lazy.number(nw.col(column).is_null(), N)))[N]
    if count:
        _refusals.null_keys(frame, name, count)


def refuse_duplicates(
    lookup: Query, keys: Sequence[str], names: Sequence[str], frame: str = "segments"
) -> None:
    """Refuse a lookup frame with two rows for one key."""
    again = _lazy.counted(lookup, keys).filter(nw.col(N) > 1)
    count = _lazy.only_row(again.select(_lazy.total(nw.col(N) - 1, N)))[N]
    if count:
        _refusals.duplicate_keys(frame, names, count, _lazy.shown(again, keys[0]))


def with_keys(points: Query, split: Split, extra: Sequence[str] = ()) -> Query:
    """Return rows of ID and PERIOD with the keys that hold at the period's start."""
    if not split.changes:
        return points.join(split.rows, on=ID, how="left")
    found = latest(points, split.rows, [ID], PERIOD, extra)
    rows = split.rows.rename({PERIOD: SINCE})
    return found.join(rows, on=[ID, SINCE], how="left")


def latest(
    points: Query, changes: Query, on: Sequence[str], at: str, extra: Sequence[str] = ()
) -> Query:
    """Return the points with SINCE, the latest change of their key that is not after them.

    Both under one another, in order of time, and a running maximum: no join of every change with
    every point.
    """
    types = points.collect_schema()
    marks = changes.select(
        *on,
        at,
        nw.col(at).alias(SINCE),
        _lazy.integer(0, _ORDER),
        *(nw.lit(0, dtype=types[name]).alias(name) for name in extra),
    )
    asked = points.select(*on, at, _lazy.integer(_NEVER, SINCE), _lazy.integer(1, _ORDER), *extra)
    both = nw.concat([asked, marks], how="vertical")
    running = nw.col(SINCE).cum_max().over(*on, order_by=[at, _ORDER])
    return both.with_columns(running).filter(nw.col(_ORDER) == 1).drop(_ORDER)
