"""to_records: every table of every engine as strict JSON."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, column_names, frame_rows

import loyaltykit as lk

ANSWERS: dict[str, list[Any]] = {
    "id": [1, 2, 3, 4, 5],
    "day": [dt.date(2026, month, 5) for month in (1, 1, 2, 3, 3)],
    "nps": [10, None, 3, 7, 9],
    "csat": [5, 4, None, 1, 2],
    "ces": [7, 1, 4, None, 5],
    "sector": ["B2B", "B2C", None, "B2C", "B2B"],
}


def of_answers(function: Callable[..., Any], score: str, **keywords: Any) -> Callable[[Any], Any]:
    return lambda frame: function(frame, score, **keywords)


def of_log(function: Callable[..., Any], **keywords: Any) -> Callable[[Any], Any]:
    return lambda frame: function(frame, "id", "day", **keywords)


TABLES: dict[str, Callable[[Any], Any]] = {
    "nps": of_answers(lk.nps, "nps", by="sector"),
    "nps by month": of_answers(lk.nps, "nps", by="sector", time="day"),
    "csat": of_answers(lk.csat, "csat", by="sector"),
    "ces": of_answers(lk.ces, "ces", by="sector"),
    "ces net": of_answers(lk.ces, "ces", statistic="net"),
    "tally": of_answers(lk.tally, "nps", by="sector", scale=(0, 10)),
    "retention": of_log(lk.retention_rate, by="sector"),
    "retention without an interval": of_log(lk.retention_rate, method="none"),
    "churn": of_log(lk.churn_rate, freq="week"),
    "flow": of_log(lk.customer_flow, by="sector"),
    "cohorts": of_log(lk.cohort_retention, by="sector"),
    "triangle": lambda frame: lk.cohort_matrix(lk.cohort_retention(frame, "id", "day")),
    "pooled": lambda frame: lk.pool(lk.cohort_retention(frame, "id", "day"), over="cohort"),
    "input": lambda frame: frame,
}


def strict(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records after a trip through strict JSON."""
    return json.loads(json.dumps(records, allow_nan=False))  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("categories", [False, True], ids=["text", "categories"])
def test_every_table_is_strict_json(
    engine: Engine, make: Callable[[Any], Any], categories: bool
) -> None:
    levels = {"sector": ["B2C", "B2B", "NPO"]} if categories else None
    table = engine.keep(make(engine.frame(ANSWERS, levels)))
    records = lk.to_records(table)
    assert strict(records) == records
    rows = frame_rows(table)
    assert len(records) == len(rows)
    for record, row in zip(records, rows, strict=True):
        assert list(record) == column_names(table)
        for name, value in row.items():
            if isinstance(value, dt.date):
                assert record[name] == value.isoformat()
            else:
                assert record[name] == value
                assert type(record[name]) is type(value)


def test_counts_are_integers_beside_nulls(engine: Engine) -> None:
    first, *_, last = lk.to_records(lk.retention_rate(engine.frame(ANSWERS), "id", "day"))
    assert first["n"] is None
    assert first["estimate"] is None
    assert (last["n"], last["retained"]) == (1, 0)
    assert type(last["n"]) is int
    assert type(last["estimate"]) is float


def test_dates_are_iso_text(engine: Engine) -> None:
    rates = lk.retention_rate(engine.frame(ANSWERS), "id", "day", as_of="2026-03-31")
    records = lk.to_records(rates)
    assert [record["period"] for record in records] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert {record["as_of"] for record in records} == {"2026-03-31"}


def test_null_keys_are_null(engine: Engine) -> None:
    records = lk.to_records(lk.nps(engine.frame(ANSWERS), "nps", by="sector"))
    assert [record["sector"] for record in records] == ["B2B", "B2C", None]


@pytest.mark.parametrize(
    "make",
    [
        lambda: lk.nps_from_counts(promoters=[60, 0], passives=[25, 0], detractors=[15, 0]),
        lambda: lk.csat_from_counts(satisfied=0, n=0),
        lambda: lk.ces_from_counts(answers=[1, 2, 3], n=[0, 0, 1]),
        lambda: lk.retention_rate_from_counts(start=[0, 9], end=[5, 9], new=[5, 1]),
        lambda: lk.churn_rate_from_counts(start=10, lost=0),
    ],
)
def test_tables_from_counts(make: Callable[[], Any]) -> None:
    records = lk.to_records(make())
    assert strict(records) == records
    for record in records:
        assert (record["estimate"] is None) == (record["n"] == 0)


def test_scorecards(engine: Engine) -> None:
    frame = engine.frame(ANSWERS)
    card = lk.scorecard(
        lk.nps(frame, "nps", by="sector"), lk.retention_rate(frame, "id", "day", by="sector")
    )
    records = lk.to_records(card)
    assert strict(records) == records
    assert {record["metric"] for record in records} == {"nps", "retention_rate"}
    matrix = lk.to_records(lk.scorecard_matrix(lk.scorecard(lk.nps(frame, "nps", by="sector"))))
    assert strict(matrix) == matrix


def test_an_empty_table_has_no_records(engine: Engine) -> None:
    frame = engine.frame(ANSWERS)
    empty = engine.keep(frame.slice(0, 0) if isinstance(frame, pa.Table) else frame[:0])
    assert lk.to_records(lk.customer_flow(empty, "id", "day")) == []


# ---- values that JSON has no word for -----------------------------------------------------------

JAKARTA = ZoneInfo("Asia/Jakarta")

VALUES: dict[str, tuple[Any, Any]] = {
    "text": ("a", "a"),
    "integer": (3, 3),
    "large integer": (2**62 + 1, 2**62 + 1),
    "float": (0.1, 0.1),
    "true": (True, True),
    "false": (False, False),
    "NaN": (float("nan"), None),
    "date": (dt.date(2026, 1, 31), "2026-01-31"),
    "midnight": (dt.datetime(2026, 1, 31), "2026-01-31"),
    "datetime": (dt.datetime(2026, 1, 31, 12, 30, 5), "2026-01-31T12:30:05"),
    "microseconds": (dt.datetime(2026, 1, 31, 0, 0, 0, 7), "2026-01-31T00:00:00.000007"),
    "decimal": (Decimal("1.50"), 1.5),
}


@pytest.mark.parametrize(("value", "expected"), VALUES.values(), ids=VALUES)
def test_values_beside_a_null(engine: Engine, value: Any, expected: Any) -> None:
    assert strict(lk.to_records(engine.frame({"x": [value]}))) == [{"x": expected}]
    records = strict(lk.to_records(engine.frame({"x": [value, None]})))
    if value == 2**62 + 1 and engine.name in {"pandas", "pandas-nullable"}:
        expected = 2**62  # beside a null, the constructor has made it a float
    assert records == [{"x": expected}, {"x": None}]


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity_goes_as_text(engine: Engine, value: float) -> None:
    records = lk.to_records(engine.frame({"x": [value, 1.5]}))
    assert strict(records) == [{"x": str(value)}, {"x": 1.5}]


def test_times_with_a_zone_keep_their_offset(engine: Engine) -> None:
    moment = dt.datetime(2026, 1, 31, tzinfo=JAKARTA)
    instants = pa.table({"x": pa.array([moment, None], pa.timestamp("us", "Asia/Jakarta"))})
    table: Any = instants
    if engine.name == "polars":
        table = pl.from_arrow(instants)
    elif engine.is_pandas:
        arrow = engine.name == "pandas-arrow"
        table = instants.to_pandas(types_mapper=pd.ArrowDtype if arrow else None)
    records = lk.to_records(engine.keep(table))
    assert strict(records) == [{"x": "2026-01-31T00:00:00+07:00"}, {"x": None}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int8(3), 3),
        (np.uint64(2**63), 2**63),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.float64("inf"), "inf"),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.datetime64("2026-01-31"), "2026-01-31"),
        (np.datetime64("2026-01-31T12:00", "ns"), "2026-01-31T12:00:00"),
        (np.datetime64("NaT"), None),
        (pd.Timestamp("2026-01-31"), "2026-01-31"),
        (pd.NaT, None),
        (pd.NA, None),
        (None, None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), "Infinity"),
        (dt.time(9, 30), "09:30:00"),
        (pd.Interval(0, 10), "(0, 10]"),
        (pd.Period("2026-01", "M"), "2026-01"),
    ],
    ids=repr,
)
def test_scalars_in_an_object_column(value: Any, expected: Any) -> None:
    cells = np.empty(2, dtype=object)
    cells[:] = [value, "other"]
    records = lk.to_records(pd.DataFrame({"x": cells}))
    assert strict(records) == [{"x": expected}, {"x": "other"}]
    assert type(records[0]["x"]) is type(expected)


@pytest.mark.parametrize(
    "levels",
    [
        [3, 1, 2],
        [0.5, 1.5, 2.5],
        [True, False],
        pd.to_datetime(["2026-01-31", "2026-02-28"]),
        pd.interval_range(0, 30, 3),
    ],
    ids=["integers", "floats", "flags", "dates", "intervals"],
)
def test_categories_of_any_kind(levels: Any) -> None:
    values = pd.Categorical.from_codes([1, -1, 0], categories=levels)
    records = lk.to_records(pd.DataFrame({"x": values}))
    first = strict(records)[0]["x"]
    expected = {
        "Timestamp": "2026-02-28",
        "Interval": "(10, 20]",
    }.get(type(levels[1]).__name__, levels[1])
    assert (first, records[1]["x"]) == (expected, None)


def test_bins_are_keys() -> None:
    # pd.cut is how an analyst makes age groups; the bins are intervals.
    binned = pd.DataFrame({"nps": [10, 3, 9], "bin": pd.cut(pd.Series([15, 25, 35]), [0, 20, 40])})
    records = lk.to_records(lk.nps(binned, "nps", by="bin"))
    assert [(record["bin"], record["n"]) for record in records] == [("(0, 20]", 1), ("(20, 40]", 2)]
    assert strict(records) == records


@pytest.mark.parametrize("result", [[{"a": 1}], {"a": [1]}, None, "table"])
def test_only_frames_have_records(result: Any) -> None:
    with pytest.raises(TypeError, match="result must be a DataFrame"):
        lk.to_records(result)
