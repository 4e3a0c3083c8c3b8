"""Small random logs of events: moments, what the rows are, and what is asked."""

from __future__ import annotations

import datetime as dt
import random
import zoneinfo
from typing import Any, NamedTuple

import oracles
import pyarrow as pa
from conftest import Engine

import loyaltykit as lk

_WIDTH = {"day": 9, "week": 60, "month": 250, "quarter": 750, "year": 2500}
# What a table is asked; brackets begin late, or leave ages out.
ASKED: dict[str, dict[str, Any]] = {
    "calendar": {},
    "calendar, on or after": {"rule": "on_or_after"},
    "calendar, brackets": {"rule": (0, 1, 3, 6)},
    "calendar, one bracket": {"rule": (1, 3)},
    "rolling": {"window": "rolling"},
    "rolling, on or after": {"window": "rolling", "rule": "on_or_after"},
    "rolling, brackets": {"window": "rolling", "rule": [0, 1, 3]},
    "rolling, one bracket": {"window": "rolling", "rule": (1, 4)},
    "amplitude": {"like": "amplitude"},
}
# The clocks of New York change within days of the first two.
_FIRSTS = [dt.date(2024, 3, 6), dt.date(2024, 10, 30), dt.date(1968, 12, 20)]


class EventCase(NamedTuple):
    """A log of events with what is asked of it."""

    visits: list[oracles.Visit]
    freq: Any
    end: dt.datetime
    keywords: dict[str, Any]
    sectors: dict[int, str]

    def table(self, engine: str, visits: list[oracles.Visit] | None = None) -> Any:
        """Return the table that an engine makes, of some of the rows or of all."""
        rows = self.visits if visits is None else visits
        columns = {
            "id": [visit.customer for visit in rows],
            "at": [visit.moment for visit in rows],
            "starts": [visit.starts for visit in rows],
            "returns": [visit.returns for visit in rows],
            "amount": [visit.amount for visit in rows],
            "sector": [self.sectors[visit.customer] for visit in rows],
        }
        kinds = {"at": pa.timestamp("us", self.keywords["tz"])}
        frame = Engine(engine).with_types(columns, kinds)
        return lk.cohort_retention(frame, "id", "at", **self.keywords)

    def naive(self, visits: list[oracles.Visit] | None = None) -> list[dict[str, Any]]:
        """Return the cells that the oracle finds."""
        asked = self.keywords
        rows = self.visits if visits is None else visits
        events = [
            visit._replace(
                starts=visit.starts or "start_event" not in asked,
                returns=visit.returns or "return_event" not in asked,
                amount=visit.amount if "amount" in asked else 0.0,
            )
            for visit in rows
        ]
        floors = {"amplitude": {"day": "hour"}.get(self.freq, "day")}
        window, rule = asked.get("window", "calendar"), asked.get("rule", "on")
        if "like" in asked:
            window, rule = "rolling", "on_or_after"
        sector = self.sectors if "by" in asked else dict.fromkeys(self.sectors)
        return oracles.cohort_cells(
            events,
            self.freq,
            self.end,
            window=window,
            rule=rule,
            floor=floors.get(asked.get("like", "")),
            observed_from=asked.get("observed_from"),
            key_at=lambda customer, _: sector[customer],
        )


def event_case(seed: int, asked: dict[str, Any], *, amount: bool = False) -> EventCase:
    """Return a log of events that a seed makes, and the other parameters of `cohort_retention`."""
    rng = random.Random(seed)
    freq = rng.choice(["day", "week", "month"] if "like" in asked else sorted(_WIDTH))
    name = rng.choice([None, "America/New_York", "Asia/Jakarta"])
    zone = None if name is None else zoneinfo.ZoneInfo(name)
    first, width = rng.choice(_FIRSTS), _WIDTH[freq]
    opening = dt.datetime.combine(first, dt.time(), None if zone is None else dt.UTC)

    def moment() -> dt.datetime:
        # Whole hours and half ones, so that windows end on the moment; some a microsecond aside.
        aside = rng.choice([0, 0, -1])
        found = opening + dt.timedelta(minutes=30 * rng.randrange(width * 48), microseconds=aside)
        return found if zone is None else found.astimezone(zone)

    visits = [
        oracles.Visit(
            rng.randint(1, 6),
            moment(),
            rng.random() < 0.5,
            rng.random() < 0.6,
            float(rng.randint(-3, 9)),
        )
        for _ in range(rng.randint(4, 40))
    ]
    low = min(visit.moment.date() for visit in visits)
    as_of = low + dt.timedelta(days=rng.randint(0, width + width // 3))
    keywords: dict[str, Any] = {"freq": freq, "as_of": as_of, "tz": name, **asked}
    end = dt.datetime.combine(as_of + dt.timedelta(days=1), dt.time(), zone)
    for role, column in (("start_event", "starts"), ("return_event", "returns")):
        if rng.random() < 0.4:
            keywords[role] = column
    if rng.random() < 0.4:
        keywords["by"] = "sector"
    if amount:
        keywords["amount"] = "amount"
    since = low + dt.timedelta(days=rng.randint(-width // 4, width // 2))
    starts = oracles.calendar_of(since, as_of, freq)
    if rng.random() < 0.4 and any(start >= since for start in starts):
        keywords["observed_from"] = since
    sectors = {customer: "ab"[customer % 2] for customer in range(1, 7)}
    return EventCase(visits, freq, end, keywords, sectors)
