"""Small random logs for hypothesis, and the frames made of them."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import oracles
from conftest import CONSTRUCTORS
from hypothesis import strategies as st

FREQUENCIES = ("day", "week", "month", "quarter", "year")
# Days in which a log of a few rows has both gaps and runs of periods.
_WIDTH = {"day": 9, "week": 60, "month": 250, "quarter": 750, "year": 2500}
_LONG_AGO = dt.date(1900, 1, 1)
_CUSTOMERS = st.integers(1, 6)
_KEYS = st.sampled_from(["a", "b", "c", None])

Change = tuple[int, dt.date, str | None]


class Case(NamedTuple):
    """A log with what is asked of it; without changes it has no segments."""

    log: list[tuple[int, dt.date]]
    freq: Any
    as_of: dt.date | None
    changes: list[Change]
    spelling: str

    @property
    def end(self) -> dt.date:
        return self.as_of or max(day for _, day in self.log)

    @property
    def migrates(self) -> bool:
        """Whether the segments say from when a key holds."""
        return bool(self.changes) and {since for _, since, _ in self.changes} != {_LONG_AGO}

    @property
    def key_at(self) -> oracles.KeyAt:
        return oracles.key_as_of(self.changes) if self.changes else oracles.no_key

    def arguments(self, engine: str) -> tuple[Any, dict[str, Any]]:
        """Return the log as a frame, and the keyword arguments of every log function."""
        keywords: dict[str, Any] = {"freq": self.freq, "as_of": self.as_of}
        if self.changes:
            keywords |= {"by": "key", "segments": segments_frame(engine, self.changes)}
        return log_frame(engine, self.log, self.spelling), keywords

    def without_key(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Drop the key of the naive rows when there is none to split by."""
        if self.changes:
            return rows
        return [{name: row[name] for name in row if name != "key"} for row in rows]


def log_frame(engine: str, log: list[tuple[int, dt.date]], spelling: str = "date") -> Any:
    days: list[Any] = [day for _, day in log]
    if spelling == "text":
        days = [day.isoformat() for day in days]
    elif spelling == "datetime":
        late = dt.time(23, 59, 59, 999_999)
        days = [dt.datetime.combine(day, late) for day in days]
    return CONSTRUCTORS[engine]({"id": [customer for customer, _ in log], "day": days})


def segments_frame(engine: str, changes: list[Change]) -> Any:
    customers, since, keys = zip(*changes, strict=True)
    columns = {"id": list(customers), "key": list(keys), "valid_from": list(since)}
    if set(since) == {_LONG_AGO}:  # one row per customer, for good
        del columns["valid_from"]
    return CONSTRUCTORS[engine](columns)


@st.composite
def cases(draw: st.DrawFn, *, split: bool | None = None) -> Case:
    """Draw a log; split says whether it comes with segments."""
    freq = draw(st.sampled_from(FREQUENCIES))
    width = _WIDTH[freq]
    first = draw(st.dates(dt.date(1968, 1, 1), dt.date(2030, 12, 31)))
    days = st.integers(0, width).map(lambda i: first + dt.timedelta(days=i))
    log = draw(st.lists(st.tuples(_CUSTOMERS, days), min_size=1, max_size=20))
    ends = st.dates(min(day for _, day in log), first + dt.timedelta(days=width + width // 3))
    changes = draw(_changes(first, width)) if split is not False else []
    if split is None and draw(st.booleans()):
        changes = []
    spelling = draw(st.sampled_from(["date", "datetime", "text"]))
    return Case(log, freq, draw(st.none() | ends), changes, spelling)


@st.composite
def _changes(draw: st.DrawFn, first: dt.date, width: int) -> list[Change]:
    """Draw keys with the days from which they hold, or one key per customer for good."""
    days = st.integers(-width // 3, width).map(lambda i: first + dt.timedelta(days=i))
    since = days if draw(st.booleans()) else st.just(_LONG_AGO)
    rows = st.lists(
        st.tuples(_CUSTOMERS, since, _KEYS),
        min_size=1,
        max_size=10,
        unique_by=lambda row: row[:2],
    )
    # A column of nothing but nulls has no type; that case has a test of its own.
    return draw(rows.filter(lambda found: any(key for _, _, key in found)))


class Options(NamedTuple):
    """A case, and what flows may be asked beside it."""

    case: Case
    grace: int
    observed_from: dt.date | None

    def keywords(self) -> dict[str, Any]:
        return {"grace": self.grace, "observed_from": self.observed_from}


@st.composite
def options(draw: st.DrawFn, *, split: bool | None = None) -> Options:
    """Draw a log with a grace, and a day from which all of it was observed."""
    case = draw(cases(split=split))
    last = oracles.period_start(case.end, case.freq)
    days = st.dates(last - dt.timedelta(days=_WIDTH[case.freq]), last)
    return Options(case, draw(st.integers(0, 3)), draw(st.none() | days))


# ---- contracts ----------------------------------------------------------------------------------

Contract = tuple[int, dt.datetime, dt.datetime | None]


class Contracts(NamedTuple):
    """Contracts with what is asked of them; without changes they have no segments."""

    rows: list[Contract]
    freq: Any
    as_of: dt.date | dt.datetime
    observed_from: dt.date | None
    changes: list[Change]
    spelling: str

    @property
    def until(self) -> dt.datetime:
        """Return the first moment that is no longer observed."""
        if isinstance(self.as_of, dt.datetime):
            return self.as_of + dt.timedelta(microseconds=1)
        return oracles.midnight(self.as_of + dt.timedelta(days=1))

    @property
    def key_at(self) -> oracles.KeyAt:
        return oracles.key_as_of(self.changes) if self.changes else oracles.no_key

    @property
    def migrates(self) -> bool:
        return bool(self.changes) and {since for _, since, _ in self.changes} != {_LONG_AGO}

    def arguments(self, engine: str, rows: list[Contract] | None = None) -> tuple[Any, Any]:
        """Return the contracts as a frame, and the keyword arguments of every flow function."""
        rows = self.rows if rows is None else rows
        columns: dict[str, list[Any]] = {
            "id": [who for who, _, _ in rows],
            "start": [_spelled(start, self.spelling) for _, start, _ in rows],
            "end": [_spelled(end, self.spelling) for _, _, end in rows],
        }
        keywords: dict[str, Any] = {"contract_end": "end", "freq": self.freq, "as_of": self.as_of}
        keywords["observed_from"] = self.observed_from
        if self.changes:
            keywords |= {"by": "key", "segments": segments_frame(engine, self.changes)}
        return CONSTRUCTORS[engine](columns), keywords


def _spelled(moment: dt.datetime | None, spelling: str) -> Any:
    if moment is None or spelling == "datetime":
        return moment
    return moment.isoformat() if spelling == "text" else moment.date()


@st.composite
def contracts(draw: st.DrawFn, *, split: bool | None = None) -> Contracts:
    """Draw contracts that overlap, touch, end as they start, and run on; many at a boundary."""
    freq = draw(st.sampled_from(FREQUENCIES))
    width = _WIDTH[freq]
    first = draw(st.dates(dt.date(1968, 1, 1), dt.date(2030, 12, 31)))
    spelling = draw(st.sampled_from(["date", "datetime", "text"]))
    days = st.integers(0, width).map(lambda i: oracles.midnight(first + dt.timedelta(days=i)))
    moments = days | days.map(lambda m: oracles.midnight(oracles.period_start(m.date(), freq)))
    if spelling != "date":
        late = dt.timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999)
        moments = moments | moments.map(lambda m: m + late)
    pairs = st.tuples(moments, moments).map(sorted)
    spans = pairs.map(tuple) | moments.map(lambda m: (m, None)) | moments.map(lambda m: (m, m))
    drawn = st.tuples(st.integers(1, 4), spans)
    rows = [(who, *span) for who, span in draw(st.lists(drawn, min_size=1, max_size=14))]
    if all(end is None for _, _, end in rows):  # nulls only have no type
        rows.append((1, rows[0][1], rows[0][1]))
    start = min(begin for _, begin, _ in rows).date()
    as_of: dt.date | dt.datetime = draw(st.dates(start, start + dt.timedelta(days=width)))
    if spelling != "date" and draw(st.booleans()):
        as_of = dt.datetime.combine(as_of, dt.time(12))
    end = as_of.date() if isinstance(as_of, dt.datetime) else as_of
    if oracles.midnight(start) < min(begin for _, begin, _ in rows):
        # It has to come after the first start.
        as_of = end + dt.timedelta(days=1)
        end = as_of
    last = oracles.period_start(end, freq)
    since = st.none() | st.dates(last - dt.timedelta(days=width), last)
    changes = draw(_changes(first, width)) if split is not False else []
    if split is None and draw(st.booleans()):
        changes = []
    return Contracts(rows, freq, as_of, draw(since), changes, spelling)
