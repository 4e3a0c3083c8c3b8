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
    freq: str
    as_of: dt.date | None
    changes: list[Change]
    spelling: str

    @property
    def end(self) -> dt.date:
        return self.as_of or max(day for _, day in self.log)

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
