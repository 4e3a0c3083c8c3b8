"""What the suite over every engine asks of contracts, grace and the denominators of churn."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from conftest import PANDAS_2
from engine_cases import AS_OF, CASES, CHANGES, NEW_YORK, Case, case, log, without

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    LoyaltyKitError,
    ParameterError,
)

if TYPE_CHECKING:
    from conftest import Engine

LISTED = "2026-05-31"  # when the contracts were listed


def spans() -> list[tuple[int, dt.date, dt.date | None]]:
    """Return contracts of 24 customers: some overlap, touch, are over at once or run on."""
    rows: list[tuple[int, dt.date, dt.date | None]] = []
    for i in range(72):
        start = dt.date(2025, 9, 1) + dt.timedelta(days=i * 37 % 280)
        if i % 6 == 0:
            start = start.replace(day=1)
        days = [0, 9, 20, 61, 130, 400][i * 5 % 6]
        end = None if i % 8 == 7 else start + dt.timedelta(days=days)
        if end is not None and i % 5 == 0:
            end = max(start, end.replace(day=1))
        rows.append((i * 7 % 24, start, end))
    return rows


SPANS = spans()
CONTRACTS: dict[str, list[Any]] = {
    "id": [who for who, _, _ in SPANS],
    "start": [start for _, start, _ in SPANS],
    "end": [end for _, _, end in SPANS],
    "sector": [[None, "B2B", "B2C"][who % 3] for who, _, _ in SPANS],
}
TERMS: dict[str, Any] = {"contract_end": "end", "as_of": LISTED}


def contracts(engine: Engine, **changed: Any) -> Any:
    return engine.frame({**CONTRACTS, **changed})


def moments(days: list[dt.date | None], late: int) -> list[dt.datetime | None]:
    """Return the days with a time of day."""
    return [
        None if day is None else dt.datetime.combine(day, dt.time(late * (i % 3), i * 7 % 60))
        for i, day in enumerate(days)
    ]


# ---- contracts ----------------------------------------------------------------------------------


def flow_by(freq: Any) -> Case:
    return lambda e: lk.customer_flow(contracts(e), "id", "start", freq=freq, **TERMS)


for _freq in ("day", "week", "month", "quarter", "year"):
    CASES[f"contract_flow_by_{_freq}"] = flow_by(_freq)


@case
def contract_flow_from_a_day_on(engine: Engine) -> Any:
    options = {**TERMS, "observed_from": "2026-01-02"}
    return lk.customer_flow(contracts(engine), "id", "start", **options)


@case
def contract_flow_to_the_middle_of_a_day(engine: Engine) -> Any:
    columns = {
        "start": moments(CONTRACTS["start"], 6),
        "end": [end and end + dt.timedelta(hours=20) for end in moments(CONTRACTS["end"], 7)],
    }
    options: dict[str, Any] = {"contract_end": "end", "as_of": dt.datetime(2026, 4, 17, 11, 30)}
    return lk.customer_flow(contracts(engine, **columns), "id", "start", freq="week", **options)


@case
def contract_flow_of_texts(engine: Engine) -> Any:
    columns = {
        name: [value and value.isoformat() for value in CONTRACTS[name]]
        for name in ("start", "end")
    }
    ids = [f"c{who}" for who in CONTRACTS["id"]]
    return lk.customer_flow(contracts(engine, **columns, id=ids), "id", "start", **TERMS)


@case
def contract_flow_that_all_run(engine: Engine) -> Any:
    frame = engine.with_types(
        {**CONTRACTS, "end": [None] * len(SPANS)}, {"end": pa.timestamp("us")}
    )
    return lk.customer_flow(frame, "id", "start", **TERMS)


@case
def contract_flow_to_the_last_day_of_the_calendar(engine: Engine) -> Any:
    """9999-12-31 is how many systems write "still running"."""
    if PANDAS_2:
        pytest.skip("beyond the nanoseconds of pandas 2")
    ends = [end or dt.date(9999, 12, 31) for end in CONTRACTS["end"]]
    return lk.customer_flow(contracts(engine, end=ends), "id", "start", **TERMS)


@case
def contract_flow_by_a_column(engine: Engine) -> Any:
    return lk.customer_flow(contracts(engine), "id", "start", by="sector", **TERMS)


@case
def contract_flow_with_migration(engine: Engine) -> Any:
    segments = engine.frame(CHANGES)
    options = {**TERMS, "by": "tier", "segments": segments}
    return lk.customer_flow(contracts(engine), "id", "start", **options)


def midnights(engine: Engine) -> Any:
    """Return contracts that begin and end at midnight in New York, kept in UTC."""
    kept = {
        name: [
            value and dt.datetime.combine(value, dt.time(0), NEW_YORK).astimezone(dt.UTC)
            for value in CONTRACTS[name]
        ]
        for name in ("start", "end")
    }
    types = {name: pa.timestamp("us", "UTC") for name in kept}
    return engine.with_types({**CONTRACTS, **kept}, types)


@case
def contract_flow_in_a_zone(engine: Engine) -> Any:
    frame = midnights(engine)
    return lk.customer_flow(frame, "id", "start", tz="America/New_York", **TERMS)


@case
def contract_flow_with_rows_left_out(engine: Engine) -> Any:
    backwards = list(CONTRACTS["end"])
    backwards[10] = CONTRACTS["start"][10] - dt.timedelta(days=1)
    frame = contracts(engine, end=backwards, id=without(CONTRACTS["id"], 30))
    message = r"^3 rows left out: no customer, no usable date, or an end before the start\.$"
    with pytest.warns(DroppedRowsWarning, match=message):
        return lk.customer_flow(frame, "id", "start", errors="coerce", **TERMS)


def no_contracts(engine: Engine) -> Any:
    types = {"id": pa.int64(), "start": pa.date32(), "end": pa.date32(), "sector": pa.string()}
    return engine.with_types({name: [] for name in types}, types)


@case
def contract_flow_of_nothing(engine: Engine) -> Any:
    return lk.customer_flow(no_contracts(engine), "id", "start", by="sector", **TERMS)


@case
def retention_of_contracts(engine: Engine) -> Any:
    options = {**TERMS, "by": "sector", "observed_from": "2025-11-01"}
    return lk.retention_rate(contracts(engine), "id", "start", **options)


def churn_by(denominator: str, **options: Any) -> Case:
    def make(engine: Engine) -> Any:
        words = {**TERMS, "denominator": denominator, **options}
        return lk.churn_rate(contracts(engine), "id", "start", **words)

    return make


for _denominator in ("start", "average", "start_plus_new", "renewal_due"):
    CASES[f"contract_churn_by_{_denominator}"] = churn_by(_denominator)
CASES["contract_churn_of_renewals_by_sector"] = churn_by("renewal_due", by="sector", freq="quarter")


@case
def contract_churn_of_renewals_with_migration(engine: Engine) -> Any:
    options = {**TERMS, "by": "tier", "segments": engine.frame(CHANGES)}
    options |= {"denominator": "renewal_due", "observed_from": "2025-11-15"}
    return lk.churn_rate(contracts(engine), "id", "start", **options)


@case
def churn_as_stripe_has_it(engine: Engine) -> Any:
    return lk.churn_rate(contracts(engine), "id", "start", like="stripe", **TERMS)


@case
def quick_ratio_of_contracts(engine: Engine) -> Any:
    flow = lk.customer_flow(contracts(engine), "id", "start", by="sector", **TERMS)
    return lk.quick_ratio(flow)


# ---- a log: grace, and the day from which it is complete ----------------------------------------


@case
def flow_with_grace(engine: Engine) -> Any:
    return lk.customer_flow(log(engine), "id", "day", grace=2, freq="week", as_of=AS_OF)


@case
def flow_with_grace_beyond_the_log(engine: Engine) -> Any:
    return lk.customer_flow(log(engine), "id", "day", grace=1000, as_of=AS_OF)


@case
def flow_from_a_day_on(engine: Engine) -> Any:
    return lk.customer_flow(log(engine), "id", "day", observed_from="2026-01-15", by="sector")


@case
def flow_from_a_moment_on(engine: Engine) -> Any:
    since = dt.datetime(2026, 2, 1)
    return lk.customer_flow(log(engine), "id", "day", observed_from=since, as_of=AS_OF)


@case
def flow_from_before_the_log(engine: Engine) -> Any:
    return lk.customer_flow(log(engine), "id", "day", observed_from="2025-08-20", as_of=AS_OF)


@case
def flow_with_grace_and_migration(engine: Engine) -> Any:
    options: dict[str, Any] = {"by": "tier", "segments": engine.frame(CHANGES)}
    options |= {"grace": 1, "observed_from": "2026-01-01", "as_of": AS_OF}
    return lk.customer_flow(log(engine), "id", "day", **options)


@case
def retention_with_grace(engine: Engine) -> Any:
    options: dict[str, Any] = {"grace": 1, "observed_from": dt.date(2025, 12, 1), "by": "sector"}
    return lk.retention_rate(log(engine), "id", "day", **options)


@case
def churn_of_a_log_by_start_plus_new(engine: Engine) -> Any:
    return lk.churn_rate(log(engine), "id", "day", grace=1, denominator="start_plus_new")


@case
def churn_of_a_log_by_the_average(engine: Engine) -> Any:
    return lk.churn_rate(log(engine), "id", "day", by="sector", denominator="average")


# ---- what every engine refuses ------------------------------------------------------------------


def flow(engine: Engine, columns: dict[str, Any], **options: Any) -> Any:
    return lk.customer_flow(engine.frame(columns), "id", "start", **{**TERMS, **options})


BACKWARDS: dict[str, list[Any]] = {
    "id": [1, 2, 3],
    "start": ["2026-01-05", "2026-02-07", "2026-03-01"],
    "end": ["2026-01-04", None, "2026-02-01"],
}
STRANGE = {**BACKWARDS, "end": ["2026-01-09", "soon", None]}
REFUSALS: dict[str, tuple[Case, type[LoyaltyKitError], str]] = {
    "contracts that end before they start": (
        lambda e: flow(e, BACKWARDS),
        DataError,
        r"^contract_end='end': 2 rows with an end before 'start': '2026-0[12]-0[14]', '2026-0",
    ),
    "ends that are no dates": (
        lambda e: flow(e, STRANGE),
        DataError,
        r"^'end': 1 row with times that are not ISO dates such as 2026-01-31: 'soon'\.",
    ),
    "contracts without a start": (
        lambda e: flow(e, {**BACKWARDS, "start": [None, "2026-01-01", None]}),
        DataError,
        r"^'start': 2 rows without a date",
    ),
    "contracts without a customer": (
        lambda e: flow(e, {**BACKWARDS, "id": [1, 2, None], "end": [None, None, "2026-03-01"]}),
        DataError,
        r"^'id': 1 row without a customer",
    ),
    "a zone at one side of the contracts": (
        lambda e: lk.customer_flow(
            e.with_types(
                {name: moments(CONTRACTS[name], 0) for name in ("start", "end")}
                | {"id": CONTRACTS["id"]},
                {"start": pa.timestamp("us", "UTC"), "end": pa.timestamp("us")},
            ),
            *("id", "start"),
            tz="UTC",
            **TERMS,
        ),
        ParameterError,
        r"^tz='UTC': 'end' has no time zone to convert from",
    ),
    "contracts without the end of observation": (
        lambda e: flow(e, CONTRACTS, as_of=None),
        ParameterError,
        r"^as_of is needed with contract_end",
    ),
    "an end of observation before the contracts": (
        lambda e: flow(e, CONTRACTS, as_of="2025-08-31"),
        ParameterError,
        r"^as_of=2025-08-31 lies before the first row of the log, 2025-09-01",
    ),
    "an observation that begins after its end": (
        lambda e: flow(e, CONTRACTS, observed_from="2026-06-02"),
        ParameterError,
        r"^observed_from=2026-06-02: no month starts between it and the end of observation",
    ),
    "a log of which no period is observed": (
        lambda e: lk.customer_flow(log(e), "id", "day", as_of=AS_OF, observed_from="2026-05-02"),
        ParameterError,
        r"^observed_from=2026-05-02: no month starts between it and the end of observation",
    ),
    "ends that are not there": (
        lambda e: flow(e, CONTRACTS, contract_end="ends"),
        ColumnNotFoundError,
        r"^contract_end='ends': data has no such column.*Did you mean 'end'",
    ),
}
