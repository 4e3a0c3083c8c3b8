"""Histories of customers as queries of lazy engines: tiers, stages, lifetimes, moves.

Each query says the same as the NumPy path of `_histories`, which it is tested against. What has one
row per customer is a query as well, in the caller's engine; only facts for the checks are
collected.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _answer_queries,
    _calendar,
    _contract_queries,
    _contracts,
    _histories,
    _lazy,
    _queries,
)
from loyaltykit._contract_queries import FIRST, LAST
from loyaltykit._engines import SPARK
from loyaltykit._frame import DAY, ID, PERIOD, ROWS, Frame, N, Query
from loyaltykit._lazy import CLOCK

IntArray = npt.NDArray[np.int64]

_START, _ROW, _DATE, _CURRENT, NEXT_DAY, NEXT_TIER, _END = (
    f"lk {name}" for name in ("start", "row", "date", "current", "next", "to", "end")
)
_PURCHASES, _MONTHS, _MONTH, _FIRST, _LAST, _ANSWER, _KNOWN = (
    f"lk {name}" for name in ("purchases", "months", "month", "first", "last", "answer", "known")
)
_REACH, _BEFORE, _LIFE = (f"lk {name}" for name in ("reach", "before", "life"))
_NEVER, _FAR = -(2**40), 2**40  # before and after every day and every month
_MARCH_TO_1970 = 719_468  # days from 1 March of the year 0 to 1970-01-01


# ---- where customers stand ----------------------------------------------------------------------


class Track(NamedTuple):
    """What a column of a history is where nothing happened, and how it adds up along the starts."""

    nothing: int
    adds_up: str


_TRACKS = {
    _PURCHASES: Track(0, "sum"),
    _MONTHS: Track(0, "sum"),
    _MONTH: Track(_NEVER, "max"),
    _FIRST: Track(_FAR, "min"),
    _LAST: Track(_NEVER, "max"),
    _ANSWER: Track(_NEVER, "max"),
    _KNOWN: Track(0, "sum"),
}


def tiers(
    log: _queries.Log,
    customer: str,
    customers: Query | None,
    purchase: str | None,
    starts: IntArray,
    *,
    freq: str | None,
    name: str,
    labels: tuple[str, ...],
    periods: int,
    window: int,
    lapsed_after: int | None,
) -> Any:
    """Return the tier of every customer at every start, as `tiers._tier` makes it."""
    rows, customers, bought = _rows(log, customer, customers, purchase, freq)
    month = _lazy.period("month").alias(_MONTH)
    days = bought.with_columns(month).select(ID, DAY, _MONTH, _START).unique()
    opened = days.group_by(ID, _MONTH).agg(nw.col(_START).min())
    closed = opened.with_columns(_leaves(window, starts, log.active.first, freq).alias(_START))
    one, last = _lazy.integer(1, _PURCHASES), nw.col(_MONTH)
    tracks = [_PURCHASES, _MONTHS, *([] if lapsed_after is None else [_MONTH])]
    changes = [
        _changes(days, tracks, {_PURCHASES: one, _MONTH: last}),
        _changes(opened, tracks, {_MONTHS: _lazy.integer(1, _MONTHS)}),
        _changes(closed, tracks, {_MONTHS: _lazy.integer(-1, _MONTHS)}),
    ]
    at = _at_starts(changes, tracks, rows, customers, starts, freq)
    bought_days, (prospect, *lapsed, new, repeat, loyal) = nw.col(_PURCHASES), map(nw.lit, labels)
    loyalty = nw.when(nw.col(_MONTHS) < periods).then(repeat).otherwise(loyal)
    tier = nw.when(bought_days == 1).then(new).otherwise(loyalty)
    if lapsed_after is not None:
        silent = nw.col(_CURRENT) - nw.col(_MONTH) >= lapsed_after
        tier = nw.when(silent).then(lapsed[0]).otherwise(tier)
    tier = nw.when(bought_days == 0).then(prospect).otherwise(tier)
    return _labelled(at, customer, freq, tier, name, labels)


def stages(
    log: _queries.Log,
    customer: str,
    customers: Query | None,
    purchase: str | None,
    starts: IntArray,
    *,
    freq: str | None,
    name: str,
    labels: tuple[str, ...],
    answers: Query | None = None,
    onboarding: int,
    usual_gap: float,
    least_gap: float,
    at_risk_after: float,
    churned_after: float,
) -> Any:
    """Return the stage of every customer at every start, as `stages._stage` makes it."""
    if answers is not None:
        rows, answers = _lazy.alike(log.rows, answers, ID, customer, ("data", "answers"))
        log = log._replace(rows=rows)
    rows, customers, bought = _rows(log, customer, customers, purchase, freq)
    days, day = bought.select(ID, DAY, _START).unique(), nw.col(DAY)
    tracks = [_PURCHASES, _FIRST, _LAST, *([] if answers is None else [_ANSWER])]
    facts = {_PURCHASES: _lazy.integer(1, _PURCHASES), _FIRST: day, _LAST: day}
    changes = [_changes(days, tracks, facts)]
    if answers is not None:  # listed customers may have made the ids of another type
        rows, answers = _lazy.alike(rows, answers, ID, customer, ("data", "answers"))
        told = answers.with_columns(_counts_from(starts, log.active.first, freq).alias(_START))
        changes.append(_changes(told, tracks, {_ANSWER: nw.col(_ANSWER)}))
    at = _at_starts(changes, tracks, rows, customers, starts, freq)
    bought_days, first, last = (nw.col(track) for track in tracks[:3])
    span, between = (last - first).cast(nw.Float64), (bought_days - 1).cast(nw.Float64)
    rhythm = nw.when(bought_days > 1).then(span / between).otherwise(nw.lit(float(usual_gap)))
    rhythm = nw.when(rhythm > least_gap).then(rhythm).otherwise(nw.lit(float(least_gap)))
    silence, tenure = (nw.col(_DATE) - last).cast(nw.Float64), nw.col(_DATE) - first
    acquisition, young, kept, at_risk, churned, advocacy = map(nw.lit, labels)
    best = kept
    if answers is not None:  # the lowest bit says whether it was a promoter's
        best = nw.when(nw.col(_ANSWER) % 2 == 1).then(advocacy).otherwise(kept)
    stage = (
        nw.when(bought_days == 0)
        .then(acquisition)
        .when(silence > rhythm * churned_after)
        .then(churned)
        .when(silence > rhythm * at_risk_after)
        .then(at_risk)
        .when(tenure <= onboarding)
        .then(young)
        .otherwise(best)
    )
    return _labelled(at, customer, freq, stage, name, labels)


def read_answers(
    query: Query,
    score: str,
    answered: str,
    customer: str,
    freq: str | None,
    tz: str | None,
    errors: str,
) -> Query:
    """Return ID, DAY, PERIOD and ANSWER, whose order is that of days; a day's lowest one counts."""
    log = _queries.read_log(
        query,
        customer,
        answered,
        keep=[score],
        freq=freq or "month",
        as_of=None,
        tz=tz,
        errors=errors,
    )
    found = _answer_queries.distinct_answers(
        log.rows,
        score,
        _histories.NPS_SCALE,
        by=[],
        counts=None,
        time=None,
        freq="day",
        errors="coerce",
    )
    every, best, off = _histories.judged(found[score], found[ROWS].to_numpy())
    column = nw.col(score)
    if log.rows.collect_schema()[score].is_numeric():
        column = column.cast(nw.Float64)
    told = column.is_in(every) if every else _lazy.never(score)
    if off:
        others = log.rows.filter(~told & ~nw.col(score).is_null())
        _histories.refuse_scores(score, off, _lazy.shown(others, score), errors)
    rows = log.rows.filter(told)
    flag = nw.when(column.is_in(best)).then(nw.lit(1)).otherwise(nw.lit(0)) if best else nw.lit(0)
    rows = rows.select(ID, DAY, PERIOD, flag.cast(nw.Int64).alias(_ANSWER))
    lowest = rows.group_by(ID, DAY, PERIOD).agg(nw.col(_ANSWER).min())
    return lowest.with_columns((nw.col(DAY) * 2 + nw.col(_ANSWER)).alias(_ANSWER))


def _rows(
    log: _queries.Log,
    customer: str,
    customers: Query | None,
    purchase: str | None,
    freq: str | None,
) -> tuple[Query, Query | None, Query]:
    """Return the rows with the start from which they count, the listed customers, and purchases."""
    rows = log.rows
    if customers is not None:
        customers = customers.with_columns(_lazy.value(customers, customer).alias(ID))
        _queries.refuse_null_keys(customers, ID, customer, "customers")
        rows, customers = _lazy.alike(rows, customers, ID, customer, ("data", "customers"))
    # What happens on a day counts from the next start on; a single start counts all.
    counts_from = nw.col(PERIOD) - log.active.first + 1 if freq else _lazy.integer(0, _START)
    rows = rows.with_columns(counts_from.alias(_START))
    return rows, customers, rows if purchase is None else rows.filter(_lazy.flag(rows, purchase)[1])


def _counts_from(starts: IntArray, first: int, freq: str | None) -> nw.Expr:
    """Return the first start after an answer, which may lie before the log."""
    start = nw.col(PERIOD) - first + 1
    early = nw.col(DAY) < int(starts[0]) if len(starts) else _lazy.never(DAY)
    late = _lazy.integer(1, _START) if freq is None else start
    return nw.when(early).then(nw.lit(0)).otherwise(late).cast(nw.Int64)


def _changes(rows: Query, tracks: list[str], facts: dict[str, nw.Expr]) -> Query:
    """Return what begins or ceases to hold at a start."""
    columns = (
        facts[name].cast(nw.Int64).alias(name)
        if name in facts
        else _lazy.integer(_TRACKS[name].nothing, name)
        for name in tracks
    )
    return rows.select(ID, _START, *columns)


def _at_starts(
    changes: list[Query],
    tracks: list[str],
    rows: Query,
    customers: Query | None,
    starts: IntArray,
    freq: str | None,
) -> Query:
    """Return what each customer's columns are at every start at which the customer was known."""
    grid = _grid(rows, customers, len(starts))
    both = [*changes, _changes(grid, tracks, {})]
    if _ANSWER in tracks:  # who had answered need not have been known
        tracks = [*tracks, _KNOWN]
        known = _changes(grid, tracks, {_KNOWN: _lazy.integer(1, _KNOWN)})
        both = [*(change.with_columns(_lazy.integer(0, _KNOWN)) for change in changes), known]
    rows = nw.concat(both, how="vertical").filter(nw.col(_START) < len(starts))
    made = {name: (nw.col(name), _TRACKS[name].adds_up) for name in tracks}
    found = rows.group_by(ID, _START).agg(
        *(
            _lazy.total(column, name) if kind == "sum" else _extreme(column, kind).alias(name)
            for name, (column, kind) in made.items()
        )
    )
    running = {"sum": nw.Expr.cum_sum, "min": nw.Expr.cum_min, "max": nw.Expr.cum_max}
    at = found.with_columns(
        running[kind](column).over(ID, order_by=_START).alias(name)
        for name, (column, kind) in made.items()
        if name != _KNOWN
    )
    if _KNOWN in tracks:
        at = at.filter(nw.col(_KNOWN) > 0)
    current = _calendar.period_codes(starts - 1, "month")
    if freq is None:
        date = _lazy.integer(int(starts[0]) - 1, _DATE)
        return at.with_columns(date, _lazy.integer(int(current[0]), _CURRENT))
    columns = {
        _START: list(range(len(starts))),
        _DATE: (starts - 1).tolist(),
        _CURRENT: current.tolist(),
        "valid_from": starts.astype("datetime64[D]").tolist(),
    }
    known = _lazy.table_beside(at, columns, [int, int, int, dt.date])
    return at.join(known, on=_START, how="inner")


def _extreme(column: nw.Expr, kind: str) -> nw.Expr:
    return column.min() if kind == "min" else column.max()


def _grid(rows: Query, customers: Query | None, length: int) -> Query:
    """Return every customer with every start at which the customer was known."""
    known = rows.group_by(ID).agg(nw.col(_START).min())
    if customers is not None:
        listed = customers.select(ID, _lazy.integer(0, _START))
        both = nw.concat([known, listed], how="vertical")
        known = both.group_by(ID).agg(nw.col(_START).min())
    numbers = _lazy.table_beside(rows, {_ROW: list(range(length))}, [int])
    grid = known.join(numbers, how="cross").filter(nw.col(_ROW) >= nw.col(_START))
    return grid.select(ID, nw.col(_ROW).cast(nw.Int64).alias(_START))


def _leaves(window: int, starts: IntArray, first: int, freq: str | None) -> nw.Expr:
    """Return the first start at which a month with a purchase has left the window."""
    month = nw.col(_MONTH) + window
    day = _first_day(month)
    if freq is None:  # one start: the month is gone when the day before it lies in a later one
        gone = day < int(starts[0])
        return nw.when(gone).then(nw.lit(0)).otherwise(nw.lit(1)).cast(nw.Int64)
    code = {
        "day": day,
        "week": (day + _lazy.MONDAY) // 7,
        "month": month,
        "quarter": month // 3,
        "year": month // 12,
    }[freq]
    return (code - first + 1).cast(nw.Int64)


def _first_day(month: nw.Expr) -> nw.Expr:
    """Return the day number on which a month begins, counted in years from March to February."""
    since_march = (month % 12 + 10) % 12
    year = (month - 2) // 12 + 1970
    leaps = year // 4 - year // 100 + year // 400
    return 365 * year + leaps + (153 * since_march + 2) // 5 - _MARCH_TO_1970


def _labelled(
    at: Query,
    customer: str,
    freq: str | None,
    label: nw.Expr,
    name: str,
    labels: tuple[str, ...],
) -> Any:
    """Return each customer's label, in the caller's engine."""
    dates = [] if freq is None else [nw.col("valid_from")]
    made = at.select(nw.col(ID).alias(customer), *dates, category(at, label, labels).alias(name))
    return ordered(made, [customer, *(["valid_from"] if freq else [])]).to_native()


def category(query: Query, label: nw.Expr, labels: tuple[str, ...]) -> nw.Expr:
    """Return texts as ordered categories, where the engine has them."""
    if query.implementation is SPARK:
        return label
    return label.cast(nw.Enum(list(labels)))


def ordered(query: Query, names: list[str]) -> Query:
    """Return the rows in order, where the engine keeps one."""
    return query.sort(*names) if query.implementation.is_polars() else query


# ---- silences -----------------------------------------------------------------------------------


def lifetimes(log: _queries.Log, customer: str, gap: int, until: int) -> Any:
    """Return every customer's first lifetime, as `_histories.lifetimes` makes it."""
    days = _with_next(log.rows.group_by(ID, DAY).agg(nw.col(CLOCK).min()))
    silence = nw.col(NEXT_DAY).fill_null(until + 1) - nw.col(DAY)
    days = days.with_columns(nw.when(silence > gap).then(nw.col(DAY) + gap).alias(_END))
    first = days.group_by(ID).agg(nw.col(DAY).min(), nw.col(CLOCK).min(), nw.col(_END).min())
    ended = ~nw.col(_END).is_null()
    last = nw.when(ended).then(nw.col(_END)).otherwise(nw.lit(until))
    made = first.select(
        nw.col(ID).alias(customer),
        _date(first).alias("start"),
        (last - nw.col(DAY)).cast(nw.Int64).alias("duration"),
        ended.alias("event"),
    )
    return ordered(made, [customer]).to_native()


def _date(rows: Query) -> nw.Expr:
    clock = nw.col(CLOCK)
    return clock if rows.collect_schema()[CLOCK] == nw.Date else clock.dt.date()


def read_contracts(
    query: Query, customer: str, time: str, contract_end: str, options: dict[str, Any]
) -> _queries.Log:
    """Return the usable contracts as ranges of days."""
    names = (customer, time, contract_end)
    return _contract_queries.read(query, *names, keep=[CLOCK], freq="day", **options)


def terms(log: _queries.Log, customer: str, gap: int, seen: _histories.Window) -> Any:
    """Return the first lifetimes of all customers with contracts, as `_histories.terms`."""
    first, last, day = nw.col(FIRST), nw.col(LAST), nw.col(DAY)
    none_yet = nw.col(PERIOD) == _contracts.NEVER
    began = nw.when(none_yet).then(nw.lit(_FAR)).otherwise(nw.col(PERIOD)).cast(nw.Int64)
    rows = log.rows.with_columns(began.alias(DAY))
    rows = rows.group_by(ID, FIRST).agg(last.max(), nw.col(CLOCK).min(), day.min())
    rows = rows.with_columns(last.cum_max().over(ID, order_by=FIRST).alias(_REACH))
    rows = rows.with_columns(nw.col(_REACH).shift(1).over(ID, order_by=FIRST).alias(_BEFORE))
    silent = _lazy.known(first - nw.col(_BEFORE) > gap + 1)
    rows = rows.with_columns(nw.when(silent).then(nw.lit(1)).otherwise(nw.lit(0)).alias(_LIFE))
    rows = rows.with_columns(nw.col(_LIFE).cum_sum().over(ID, order_by=FIRST))
    lives = rows.group_by(ID, _LIFE).agg(first.min(), last.max(), nw.col(CLOCK).min(), day.min())
    lives = lives.filter(day <= seen.until)
    if seen.since is not None:
        lives = lives.filter((last >= seen.since - 1) | (day >= seen.since))
    lives = lives.filter(first == first.min().over(ID))
    event = last < seen.until
    until = nw.when(event).then(last + 1).otherwise(nw.lit(seen.until))
    columns = [
        nw.col(ID).alias(customer),
        _date(lives).alias("start"),
        (until - first).cast(nw.Int64).alias("duration"),
        event.alias("event"),
    ]
    if seen.since is not None:
        before = first < seen.since - 1
        late = nw.when(before).then(seen.since - 1 - first).otherwise(nw.lit(0))
        columns.append(late.cast(nw.Int64).alias("entry"))
    return ordered(lives.select(*columns), [customer]).to_native()


def gaps(log: _queries.Log) -> tuple[IntArray, IntArray]:
    """Return the lengths in days from one active day to the next, and how many of each."""
    days = _with_next(log.rows.select(ID, DAY).unique())
    between = days.filter(~nw.col(NEXT_DAY).is_null())
    found = _lazy.collected(
        _lazy.counted(between.select((nw.col(NEXT_DAY) - nw.col(DAY)).alias(DAY)), [DAY])
    )
    length, count = (found[name].to_numpy().astype(np.int64) for name in (DAY, N))
    order = np.argsort(length)
    return length[order], count[order]


def _with_next(days: Query) -> Query:
    """Return distinct days with the customer's next one, null after the last."""
    return days.with_columns(nw.col(DAY).shift(-1).over(ID, order_by=DAY).alias(NEXT_DAY))


# ---- moves --------------------------------------------------------------------------------------


def moves(query: Query, customer: str, tier: str, valid_from: str) -> Frame:
    """Count the rows of a frame of tiers by day and tier, and the customer's next day and tier."""
    query = query.with_columns(_lazy.value(query, customer).alias(ID))
    query, _ = _lazy.with_clock(query, valid_from, None)
    _queries.refuse_no_one_and_no_time(query, customer, valid_from)
    held = _lazy.value(query, tier).alias(tier)
    rows = query.with_columns(_lazy.day_number()).select(ID, DAY, held)
    _queries.refuse_duplicates(rows, [ID, DAY], [customer, valid_from], "tiers")
    later = nw.col(tier).shift(-1).over(ID, order_by=DAY).alias(NEXT_TIER)
    return _lazy.collected(
        _lazy.counted(_with_next(rows.with_columns(later)), [DAY, tier, NEXT_DAY, NEXT_TIER])
    )
