"""Every table of every engine as strict JSON, back from it, and held against its schema."""

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
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tables import same_frame
from test_contract import TABLES as CONTRACT

import loyaltykit as lk
from loyaltykit._schemas import SHAPES
from loyaltykit.errors import ColumnNotFoundError, DataError, LoyaltyKitError, ParameterError

ROWS_PER_CUSTOMER = {
    *("tier", "tier through time", "stage", "stage through time", "rfm", "lifetimes", "gap"),
}

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


# ---- back from JSON -----------------------------------------------------------------------------


def same(made: Any, table: Any) -> None:
    """Assert that two tables are equal, types included."""
    if isinstance(table, pd.DataFrame):
        same_frame(made, table)
        return
    assert made.equals(table)
    assert made.schema == table.schema


@pytest.mark.parametrize("name", CONTRACT)
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_records_make_the_table_again(kind: str, name: str) -> None:
    table = CONTRACT[name][0](Engine(kind))
    records = lk.to_records(table)
    if name in ROWS_PER_CUSTOMER:
        with pytest.raises(DataError, match="of no result table"):
            lk.from_records(records)
        return
    made = lk.from_records(strict(records), engine=kind)
    assert lk.to_records(made) == records
    if "transitions" not in name:  # their tiers are categories, which come back as text
        same(made, table)
    assert math.inf not in {value for row in records for value in row.values()}


def levels_of(kind: str) -> st.SearchStrategy[Any]:
    return {
        "text": st.sampled_from(["B2B", "a\x00", "", "inf", "2026-01-01", "\u00e9 \u2028"]),
        "integers": st.integers(-(2**63), 2**63 - 1),
        "flags": st.booleans(),
    }[kind]


ROWS = st.integers(1, 12)
# The kinds of table that hypothesis chooses among, of a frame with a key, a wave and answers.
DRAWN: dict[str, Callable[[pd.DataFrame], Any]] = {
    "nps": lambda f: lk.nps(f, "answer", by="key"),
    "nps by month": lambda f: lk.nps(f, "answer", by="key", time="day"),
    "csat": lambda f: lk.csat(f, "answer", by="key", scale=(0, 10)),
    "ces": lambda f: lk.ces(f, "answer", by="key", scale=(0, 10), statistic="net"),
    "weighted": lambda f: lk.nps(f, "answer", by="key", weights="weight"),
    "clustered": lambda f: lk.ces(f, "answer", by="key", scale=(0, 10), clusters="id"),
    "tally": lambda f: lk.tally(f, "answer", by="key", scale=(0, 10), weights="weight"),
    "retention": lambda f: lk.retention_rate(f, "id", "day"),
    "retention from counts": lambda f: lk.retention_rate_from_counts(start=9, end=len(f), new=12),
    "churn": lambda f: lk.pool(lk.churn_rate(f, "id", "day", freq="week"), over="period"),
    "flow": lambda f: lk.customer_flow(f, "id", "day", freq="quarter"),
    "ratio": lambda f: lk.quick_ratio(lk.customer_flow(f, "id", "day")),
    "cohorts": lambda f: lk.cohort_retention(f, "id", "day"),
    "cohort revenue": lambda f: lk.cohort_retention(f, "id", "day", amount="weight"),
    "revenue": lambda f: lk.revenue_retention(f, "id", "day", "weight"),
    "survival": lambda f: lk.survival_curve(f, "weight", "left", by="key"),
    "quantiles": lambda f: lk.survival_quantile(lk.survival_curve(f, "id", "left", by="key")),
    "mean": lambda f: lk.restricted_mean(f, "weight", "left", horizon=2, by="key"),
    "compare": lambda f: lk.compare(lk.nps(f, "answer", by=["left", "key"]), "key"),
    "compare with the rest": lambda f: lk.compare(
        lk.csat(f, "answer", by="key", scale=(0, 10)), "key", reference="rest"
    ),
    "compare months": lambda f: lk.compare(
        lk.nps(f, "answer", by="key", time="day"), "period", reference="previous"
    ),
    "explain": lambda f: lk.explain_change(
        lk.nps(f, "answer", by="key", time="day"), "period", reference="previous", segment="key"
    ),
    "scorecard": lambda f: lk.scorecard(
        lk.nps(f, "answer", by="key", time="day"),
        lk.retention_rate(f, "id", "day"),
        names=["nps", "kept"],
        reference="previous",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(
    name=st.sampled_from([*DRAWN]),
    kind=st.sampled_from(["text", "integers", "flags"]),
    data=st.data(),
)
@settings(max_examples=70)
def test_what_went_through_json_is_what_it_was(name: str, kind: str, data: st.DataObject) -> None:
    size = data.draw(ROWS)

    def drawn(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(values, min_size=size, max_size=size))

    frame = pd.DataFrame(
        {
            "key": drawn(levels_of(kind)),
            "answer": pd.array(drawn(st.none() | st.integers(0, 10)), dtype="Int64"),
            "weight": drawn(st.floats(0.1, 9.0)),
            "id": drawn(st.integers(1, 4)),
            "left": drawn(st.booleans()),
            "day": pd.to_datetime(drawn(st.sampled_from(["2026-01-05", "2026-02-09"]))),
        }
    )
    try:
        table = DRAWN[name](frame)
    except LoyaltyKitError:  # nothing to compare with, or to explain
        assume(False)
    if not len(table):
        return
    made = lk.from_records(strict(lk.to_records(table)))
    same_frame(made, table)
    records = lk.to_records(table)
    for engine in ("polars", "pyarrow"):
        assert lk.to_records(lk.from_records(records, engine=engine)) == records


def test_what_is_read_back_is_worked_with_as_before() -> None:
    waves = lk.nps(Engine("pandas").frame(ANSWERS), "nps", by="sector", time="day")
    made = lk.from_records(strict(lk.to_records(waves)))
    same(lk.pool(made, over="period"), lk.pool(waves, over="period"))
    same(lk.compare(made, "sector"), lk.compare(waves, "sector"))


def test_null_keys_and_numbers_without_a_point_come_back() -> None:
    frame = pd.DataFrame({"nps": [10, 0, 9], "flag": [True, None, True], "size": [1.5, 2.0, None]})
    table = lk.nps(frame, "nps", by=["flag", "size"])
    records = strict(lk.to_records(table))
    for row in records:  # JavaScript writes 100.0 as 100
        for name, value in row.items():
            if isinstance(value, float) and value.is_integer() and name != "size":
                row[name] = int(value)
    made = lk.from_records(records)
    assert lk.to_records(made) == lk.to_records(table)
    assert made.dtypes.astype(str).to_dict() == table.dtypes.astype(str).to_dict()


def test_infinite_numbers_come_back() -> None:
    record = lk.to_records(lk.nps_from_counts(promoters=1, passives=0, detractors=0))[0]
    made = lk.from_records([record | {"ci_low": "-inf", "ci_high": "inf"}])
    assert made[["ci_low", "ci_high"]].iloc[0].tolist() == [-math.inf, math.inf]


PLAIN: dict[str, Any] = lk.to_records(
    lk.nps_from_counts(promoters=[6, 1], passives=[2, 1], detractors=[2, 3], labels=["a", "b"])
)[0]
WITHOUT = {name: value for name, value in PLAIN.items() if name != "estimate"}
REFUSED: dict[str, tuple[Any, str]] = {
    "no records": ([], r"^records is empty"),
    "another table": ([{"a": 1, "b": 2}], r"'a', 'b', which are those of no result table"),
    "lacking": ([WITHOUT], r"look like a table of nps, and lack 'estimate'"),
    "half a group": ([PLAIN | {"coverage": "observed"}], r"table of nps, and lack 'period'"),
    "unknown": ([{**PLAIN, "note": 1}], r"no column 'note' in that place.*by="),
    "other table's": ([{"satisfied": 1, **PLAIN}], r"nps, which has no column 'satisfied'"),
    "rows that differ": ([PLAIN, WITHOUT], r"^records\[1\] lacks 'estimate'"),
    "text": ([PLAIN | {"n": "ten"}], r"'n' holds whole numbers.*no null, and 1 row has 'ten'"),
    "a fraction": ([PLAIN | {"n": 1.5}], r"'n' holds whole numbers from 0 up.*1\.5"),
    "a negative count": ([PLAIN | {"n": -1}], r"'n' holds whole numbers from 0 up.*-1"),
    "a null count": ([PLAIN | {"n": None}], r"'n' holds whole numbers.*no null.*None"),
    "truth": ([PLAIN | {"n": True}], r"'n' holds whole numbers.*True"),
    "too large": ([PLAIN | {"promoters": 2**63}], r"'promoters' holds whole numbers"),
    "too large a float": ([PLAIN | {"estimate": 10**400}], r"'estimate' holds numbers"),
    "NaN": ([PLAIN | {"estimate": math.nan}], r"'estimate' holds numbers \(null for none.*nan"),
    "infinity": ([PLAIN | {"estimate": math.inf}], r"'estimate' holds numbers.*\"inf\".*inf"),
    "a list": ([PLAIN | {"group": [1]}], r"'group' holds values of one type.*\[1\]"),
    "two types": ([PLAIN, PLAIN | {"group": 1}], r"'group' holds values of one type.*'a', 1"),
    "a word": ([PLAIN | {"unit": 3}], r"'unit' holds text.*3"),
}


@pytest.mark.parametrize(("records", "reason"), REFUSED.values(), ids=REFUSED)
def test_records_that_are_no_table(records: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        lk.from_records(records)


@pytest.mark.parametrize("day", ["2026-02-30", "20260201", "2026-02-01T00:00:00", 20260201])
def test_days_that_are_none(day: Any) -> None:
    records = lk.to_records(lk.retention_rate(Engine("pandas").frame(ANSWERS), "id", "day"))
    with pytest.raises(DataError, match="'period' holds dates as ISO text"):
        lk.from_records([records[0] | {"period": day}])


@pytest.mark.parametrize("records", ["[]", b"[]", None, {"n": 1}, 3, [3], [PLAIN, None]])
def test_what_is_no_list_of_records(records: Any) -> None:
    with pytest.raises(TypeError, match=r"^records(\[\d\])? must be a"):
        lk.from_records(records)


def test_keys_that_are_named() -> None:
    table = lk.nps_from_counts(promoters=[6, 1], passives=[2, 1], detractors=[2, 3], labels=[1, 2])
    sorted_rows = [dict(sorted(row.items())) for row in lk.to_records(table)]  # as a database may
    same(lk.from_records(sorted_rows, by="group"), table)
    with pytest.raises(DataError, match="in that place"):
        lk.from_records(sorted_rows)
    with pytest.raises(DataError, match="has no column 'note'"):
        lk.from_records([{"note": "", **PLAIN}], by="group")
    with pytest.raises(ColumnNotFoundError, match=r"by\[0\]='groop'.*mean 'group'"):
        lk.from_records([PLAIN], by="groop")
    with pytest.raises(ParameterError, match=r"engine='spark' is not one of"):
        lk.from_records([PLAIN], engine="spark")


# ---- the schema ---------------------------------------------------------------------------------

SECTOR = {"by": {"sector": "string"}}
MONTHS = {"by": {"sector": "string", "period": "date"}}
# For each table of the contract, how its schema is asked for.
SCHEMAS: dict[str, tuple[str, dict[str, Any]]] = {
    "nps": ("nps", {}),
    "nps by": ("nps", SECTOR),
    "nps by time": ("nps", {"by": "sector", "period": True}),
    "csat": ("csat", {}),
    "ces": ("ces", {}),
    "tally": ("tally", SECTOR | {"period": True}),
    "retention": ("retention_rate", {}),
    "churn by the average": ("churn_rate", {}),
    "pooled churn by the average": ("churn_rate", {"period": False}),
    "flow with migration": ("customer_flow", {"by": ["tier"]}),
    "quick ratio": ("quick_ratio", SECTOR),
    "cohorts": ("cohort_retention", {}),
    "pooled cohorts": ("cohort_retention", {"period": False}),
    "revenue of cohorts": ("cohort_revenue", {}),
    "revenue retention": ("revenue_retention", SECTOR),
    "earned growth": ("revenue_retention", {}),
    "transitions": ("tier_transitions", {}),
    "compare": ("compare", SECTOR),
    "compare within": ("compare", MONTHS),
    "change": ("explain_change", MONTHS),
    "paired": ("compare_paired", SECTOR),
    "survival": ("survival_curve", SECTOR),
    "weighted survival": ("survival_curve", {"weighted": True}),
    "quantiles of survival": ("survival_quantile", SECTOR),
    "logrank": ("logrank", SECTOR),
    "logrank of pairs": ("logrank_pairs", SECTOR),
    "restricted mean": ("restricted_mean", SECTOR),
    "scorecard": ("scorecard", {}),
    "scorecard with periods": ("scorecard", {"period": True}),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_records_fit_their_schema_and_no_other_does(name: str) -> None:
    table, options = SCHEMAS[name]
    schema = lk.record_schema(table, **options)
    Draft202012Validator.check_schema(schema)
    fits = Draft202012Validator(schema).is_valid
    records: list[dict[str, Any]] = strict(lk.to_records(CONTRACT[name][0](Engine("pandas"))))
    assert fits(records)
    assert not fits([{**records[0], "note": 1}])
    for column in schema["items"]["required"]:
        assert not fits([{key: value for key, value in records[0].items() if key != column}])
        assert not fits([records[0] | {column: [1]}])
    for column in {"n", "at_risk", "start"} & {*schema["items"]["required"]}:
        assert not fits([records[0] | {column: "many"}])
        assert table == "revenue_retention" or not fits([records[0] | {column: -1}])
    assert json.loads(json.dumps(schema)) == schema


def test_every_table_has_a_schema_that_was_tried() -> None:
    assert {table for table, _ in SCHEMAS.values()} == set(SHAPES)


def test_weighted_records_fit_the_weighted_schema() -> None:
    frame = pd.DataFrame({"nps": [10, 0, 9], "weight": [1.0, 2.0, 1.5]})
    records = lk.to_records(lk.nps(frame, "nps", weights="weight"))
    assert Draft202012Validator(lk.record_schema("nps", weighted=True)).is_valid(records)
    assert not Draft202012Validator(lk.record_schema("nps")).is_valid(records)


@pytest.mark.parametrize(
    ("table", "options", "reason"),
    [
        ("npss", {}, r"table='npss' is not one of.*mean 'nps'"),
        ("nps", {"by": {"sector": "text"}}, r"by\['sector'\]='text' is not one of 'string'"),
        ("nps", {"by": "n"}, r"by='n': a result table has a column of that name"),
        ("customer_flow", {"period": False}, r"always have their calendar columns"),
        ("compare", {"period": True}, r"never have their calendar columns. Name the column in by="),
        ("logrank", {"weighted": True}, r"logrank has no weights"),
        ("scorecard", {"by": "sector"}, r"in dimension and level"),
    ],
)
def test_schemas_that_there_are_not(table: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        lk.record_schema(table, **options)


@pytest.mark.parametrize("options", [{"period": 1}, {"weighted": None}, {"by": {"a": 1}}])
def test_wrong_types_of_options(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"must be"):
        lk.record_schema("nps", **options)
