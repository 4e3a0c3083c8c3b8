"""Counts as queries of lazy engines: answers, flows, cohorts. Only small tables are collected.

Each query says the same as the NumPy path of `_tally` and `_activity`, which it is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

from loyaltykit import _activity, _checks, _designs, _frame, _lazy, _logs, _tally
from loyaltykit._activity import CHURNED, KIND, NEW, RETAINED, RETURNED, VALID_FROM
from loyaltykit._frame import DAY, ID, PERIOD, ROWS, SQUARE, WEIGHT, N, Query
from loyaltykit._lazy import CLOCK, MOMENT

SINCE = "lk since"
_IDLE = "lk idle"
_COHORT, _ORDER, _BEFORE, _AFTER = (f"lk {name}" for name in ("cohort", "order", "before", "after"))
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


# ---- answers ------------------------------------------------------------------------------------


def distinct_answers(
    query: Query,
    score: str,
    scale: _tally.Scale,
    *,
    by: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
    design: _designs.Design | None = None,
) -> _frame.Frame:
    """Return the distinct rows of keys, [PERIOD] and answer, with their N answers in ROWS rows.

    With a design its columns are keys too, and the sums WEIGHT and SQUARE stand beside N.
    """
    names = list(dict.fromkeys([*by, *([] if design is None else design.keys), score]))
    keys = list(names)
    query = query.with_columns(_lazy.value(query, name) for name in names)
    if time is not None:
        query, _ = _lazy.with_clock(query, time, None)
    if time is not None or counts is not None:
        query = _usable(query, counts, time, errors)
    if time is not None:
        query = query.with_columns(_lazy.period(freq))
        keys.append(PERIOD)
    number = nw.lit(1.0) if counts is None else nw.col(counts).cast(nw.Float64)
    query = query.with_columns(number.alias(N), nw.lit(1).alias(ROWS))
    totals = [nw.col(N).sum(), _lazy.total(nw.col(ROWS), ROWS)]
    if design is not None:
        query = _weighed(query, design, errors)
        keys.append(_IDLE)
        totals += [nw.col(WEIGHT).sum(), nw.col(SQUARE).sum()]
    off = None if score in by else _off_scale(query, score, scale)
    marked = query
    if off is not None:
        # Numbers off the scale may be as many as there are rows; one says as much as all.
        one = nw.when(off).then(nw.lit(float("inf"))).otherwise(nw.col(score).cast(nw.Float64))
        marked = query.with_columns(one.alias(score))
    sums = [N, ROWS] if design is None else [N, ROWS, WEIGHT, SQUARE]
    found = _lazy.collected(marked.select(*keys, *sums).group_by(keys).agg(*totals))
    if off is not None and errors == "raise":
        count = int(found.filter(nw.col(score) == float("inf"))[ROWS].sum())
        if count:
            shown = _lazy.shown(query.filter(off), score)
            _checks.bad_answers(score, count, shown, (scale.low, scale.high), _tally.ADVICE)
    return found


def _weighed(query: Query, design: _designs.Design, errors: str) -> Query:
    """Return the rows with WEIGHT, SQUARE, and _IDLE where an answer has no weight."""
    if design.weights is None:
        query = query.with_columns(nw.col(N).alias(WEIGHT), nw.col(N).alias(SQUARE))
    else:
        _refuse_weights(query, design, errors)
        weight = _or_zero(query, design.weights)
        squares = design.squares
        square = weight * weight if squares is None else _or_zero(query, squares)
        query = query.with_columns(weight.alias(WEIGHT), square.alias(SQUARE))
    idle = nw.when(nw.col(WEIGHT) > 0).then(nw.lit(0)).otherwise(nw.lit(1))
    return query.with_columns(idle.alias(_IDLE))


def _or_zero(query: Query, name: str) -> nw.Expr:
    weight = _lazy.value(query, name).cast(nw.Float64)
    return nw.when(~weight.is_null()).then(weight).otherwise(nw.lit(0.0))


def _refuse_weights(query: Query, design: _designs.Design, errors: str) -> None:
    """Refuse what makes no weight, as `_designs.read_rows` does."""
    columns = [name for name in (design.weights, design.squares) if name is not None]
    schema = query.collect_schema()
    for name in columns:
        if not schema[name].is_numeric():
            _checks.weights_are_numbers(name, schema[name])
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
            _checks.bad_weights(name, found[f"bad {i}"], _lazy.shown(query.filter(bad[i]), name))
        if found[f"null {i}"] and errors == "raise":
            _checks.missing_weights(name, found[f"null {i}"])
    if found.get("squares"):
        _designs.refuse_squares(design, found["squares"])


def distinct_rows(query: Query, names: Sequence[str]) -> _frame.Frame:
    """Return the distinct rows of some columns; ROWS says how often each stands there."""
    query = query.with_columns(_lazy.value(query, name) for name in names)
    return _lazy.collected(_lazy.counted(query, names, ROWS))


def _off_scale(query: Query, score: str, scale: _tally.Scale) -> nw.Expr | None:
    """Return where a number is neither on the scale nor a blank code; None for other columns."""
    if not query.collect_schema()[score].is_numeric():
        return None
    number = nw.col(score).cast(nw.Float64)
    on = (number >= scale.low) & (number <= scale.high) & (number % 1 == 0)
    return ~(on | number.is_in(scale.missing_numbers.tolist())) & ~number.is_null()


def _usable(query: Query, counts: str | None, time: str | None, errors: str | None) -> Query:
    """Return the rows that have a time; refuse what makes no count, and no date."""
    facts = {} if time is None else _time_facts(query, time)
    if counts is not None:
        dtype = query.collect_schema()[counts]
        if not dtype.is_numeric():
            _checks.counts_are_numbers(counts, dtype)
        number = nw.col(counts).cast(nw.Float64)
        fine = (number >= 0) & (number < 2**53) & (number % 1 == 0)
        wrong = ~fine | number.is_null()
        facts["wrong"] = _lazy.number(wrong, "wrong")
    found = _lazy.only_row(query.select(*facts.values()))
    if counts is not None and found["wrong"]:
        _checks.bad_counts(counts, found["wrong"], _lazy.shown(query.filter(wrong), counts))
    if time is None:
        return query
    _refuse_times(query, time, errors, found)
    if not found["gone"]:
        return query
    _checks.warn_of_dropped(found["gone"], f"no usable date in {time!r}")
    return query.filter(~nw.col(CLOCK).is_null())


def _time_facts(query: Query, time: str) -> dict[str, nw.Expr]:
    """Return what counts the rows without a time, and with something that is none."""
    gone = nw.col(CLOCK).is_null()
    rows = {"gone": gone, "bad": gone & ~nw.col(time).is_null()}
    odd = _lazy.odd_texts(query, time)
    if odd is not None:
        rows |= {"zoned": odd[0], "other": odd[1]}
    return {name: _lazy.number(condition, name) for name, condition in rows.items()}


def _refuse_times(query: Query, time: str, errors: str | None, facts: dict[str, int]) -> None:
    odd = _lazy.odd_texts(query, time)
    if odd is not None and facts["zoned"]:
        shown = _lazy.shown(query.filter(odd[0]), time)
        _checks.zones_in_text(time, facts["zoned"], shown)
    if odd is not None and facts["other"]:
        shown = _lazy.shown(query.filter(odd[1]), time)
        _checks.bad_times(time, facts["other"], shown, coercible=False)
    if errors == "coerce":
        return
    if facts["bad"]:
        bad = query.filter(nw.col(CLOCK).is_null() & ~nw.col(time).is_null())
        shown = _lazy.shown(bad, time)
        _checks.bad_times(time, facts["bad"], shown, coercible=errors is not None)
    if facts["gone"]:
        _checks.null_values(time, facts["gone"], "date", coercible=errors is not None)


def refuse_no_one_and_no_time(query: Query, customer: str, time: str) -> None:
    """Refuse rows that have no customer in ID, and those without a time in CLOCK."""
    facts = _time_facts(query, time)
    facts["nobody"] = _lazy.number(nw.col(ID).is_null(), "nobody")
    found = _lazy.only_row(query.select(*facts.values()))
    if found["nobody"]:
        _checks.null_values(customer, found["nobody"], "customer", coercible=False)
    _refuse_times(query, time, None, found)


def refuse_bad_times(query: Query, time: str) -> None:
    """Refuse what is neither a time nor null."""
    facts = _lazy.only_row(query.select(*_time_facts(query, time).values()))
    _refuse_times(query, time, None, {**facts, "gone": 0})


# ---- logs ---------------------------------------------------------------------------------------


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
) -> Log:
    """Return the rows up to ``as_of`` that have a customer and a time."""
    query, zone = _lazy.with_clock(query, time, tz)
    query = query.with_columns(_lazy.value(query, customer).alias(ID), _lazy.moment(query))
    no_id, no_time = nw.col(ID).is_null(), nw.col(CLOCK).is_null()
    usable = nw.when(~no_id & ~no_time).then(nw.col(MOMENT))
    facts = _lazy.only_row(
        query.select(
            *_time_facts(query, time).values(),
            _lazy.number(no_id, "nobody"),
            _lazy.number(no_id | no_time, "dropped"),
            usable.min().alias("first"),
            usable.max().alias("last"),
        )
    )
    if tz is not None and zone is None and facts["first"] is not None:
        _checks.naive_times(tz, time)
    _refuse_times(query, time, errors, facts)
    if facts["nobody"] and errors == "raise":
        _checks.null_values(customer, facts["nobody"], "customer")
    if facts["dropped"]:
        _checks.warn_of_dropped(facts["dropped"], _logs.NO_CUSTOMER_OR_DATE)
    active, end = _logs.observed(facts["first"], facts["last"], freq, as_of, zone)
    rows = query.filter(~no_id & ~no_time)
    if end is not None and facts["first"] is not None:
        # From the first: a table may have grown at its start since its facts were told.
        last = int(end.astype("datetime64[us]").astype(np.int64)) - 1
        rows = rows.filter(nw.col(MOMENT).is_between(facts["first"], last))
    rows = rows.with_columns(_lazy.day_number(), _lazy.period(freq))
    kept = (_lazy.value(rows, name) for name in keep)
    return Log(rows.select(ID, CLOCK, DAY, PERIOD, *kept), active, end, zone)


# ---- splits -------------------------------------------------------------------------------------


def _split(log: Log, customer: str, by: Sequence[str], lookup: Query | None) -> tuple[Query, Split]:
    """Return the rows of a log and who belongs to which group, with ids of one type."""
    if lookup is not None:
        return _split_of_segments(log, customer, by, lookup)
    rows = log.rows.select(ID, *by).unique()
    several = _lazy.counted(rows, [ID]).filter(nw.col(N) > 1)
    count = _lazy.only_row(several.select(nw.len().alias(N)))[N]
    if count:
        _checks.changes_within_customer(by, count, _lazy.shown(several, ID))
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
        _checks.zone_on_one_side(name, own)
    lookup, _ = _lazy.with_clock(lookup, name, None if own is None else zone)
    lookup = _usable(lookup, None, name, None)
    return lookup.with_columns(_lazy.moment(lookup))


def refuse_null_keys(lookup: Query, column: str, name: str, frame: str = "segments") -> None:
    """Refuse a lookup frame with a null key."""
    count = _lazy.only_row(lookup.select(_lazy.number(nw.col(column).is_null(), N)))[N]
    if count:
        _checks.null_keys(frame, name, count)


def refuse_duplicates(lookup: Query, keys: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a lookup frame with two rows for one key."""
    again = _lazy.counted(lookup, keys).filter(nw.col(N) > 1)
    count = _lazy.only_row(again.select(_lazy.total(nw.col(N) - 1, N)))[N]
    if count:
        _checks.duplicate_keys("segments", names, count, _lazy.shown(again, keys[0]))


def _with_keys(points: Query, split: Split, extra: Sequence[str] = ()) -> Query:
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
    marks = changes.select(
        *on,
        at,
        nw.col(at).alias(SINCE),
        _lazy.integer(0, _ORDER),
        *(_lazy.integer(0, name) for name in extra),
    )
    asked = points.select(*on, at, _lazy.integer(_NEVER, SINCE), _lazy.integer(1, _ORDER), *extra)
    both = nw.concat([asked, marks], how="vertical")
    running = nw.col(SINCE).cum_max().over(*on, order_by=[at, _ORDER])
    return both.with_columns(running).filter(nw.col(_ORDER) == 1).drop(_ORDER)


# ---- flows and cohorts --------------------------------------------------------------------------


def flows(
    query: Query,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: Query | None,
    **options: Any,
) -> _activity.Counts:
    """Count new, retained, returned and churned customers, as `_activity.flows`."""
    log = read_log(query, customer, time, keep=[] if lookup else by, **options)
    last = log.active.first + log.active.span - 1
    period = nw.col(PERIOD)
    rows, split = _split(log, customer, by, lookup) if by else (log.rows, None)
    seen = rows.select(ID, PERIOD).unique()
    seen = seen.with_columns(
        period.shift(1).over(ID, order_by=PERIOD).alias(_BEFORE),
        period.shift(-1).over(ID, order_by=PERIOD).alias(_AFTER),
    )
    kind = (
        nw.when(nw.col(_BEFORE) == period - 1)
        .then(nw.lit(RETAINED))
        .when(nw.col(_BEFORE).is_null())
        .then(nw.lit(NEW))
        .otherwise(nw.lit(RETURNED))
    )
    stayed = nw.col(_AFTER) == period + 1
    left = seen.filter((nw.col(_AFTER).is_null() | ~stayed) & (period < last))
    events = nw.concat(
        [
            seen.select(ID, PERIOD, kind.cast(nw.Int64).alias(KIND)),
            left.select(ID, (period + 1).alias(PERIOD), _lazy.integer(CHURNED, KIND)),
        ],
        how="vertical",
    )
    if split is not None:
        events = _with_keys(events, split, [KIND])
    cells = _lazy.collected(_lazy.counted(events, [*by, PERIOD, KIND]))
    return _activity.from_cells(cells, by, "flows", log.active, log.end)


def cohorts(
    query: Query,
    customer: str,
    time: str,
    *,
    by: Sequence[str],
    lookup: Query | None,
    **options: Any,
) -> _activity.Counts:
    """Count active customers by first period and periods since then, as `_activity.cohorts`."""
    log = read_log(query, customer, time, keep=[] if lookup else by, **options)
    rows, split = _split(log, customer, by, lookup) if by else (log.rows, None)
    seen = rows.select(ID, PERIOD).unique()
    seen = seen.with_columns(nw.col(PERIOD).min().over(ID).alias(_COHORT))
    if split is not None:
        joined = seen.select(ID, nw.col(_COHORT).alias(PERIOD)).unique()
        seen = seen.join(_with_keys(joined, split).select(ID, *by), on=ID, how="left")
    age = (nw.col(PERIOD) - nw.col(_COHORT)).alias(KIND)
    aged = seen.select(*by, nw.col(_COHORT).alias(PERIOD), age)
    cells = _lazy.collected(_lazy.counted(aged, [*by, PERIOD, KIND]))
    return _activity.from_cells(cells, by, "cohorts", log.active, log.end)


COUNTS = {"flows": flows, "cohorts": cohorts}
