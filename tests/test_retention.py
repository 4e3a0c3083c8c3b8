"""Customer flow, retention and churn: against sets of customers, by period and by group."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import oracles
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import CONSTRUCTORS, Engine, column, column_names, dtype_names, frame_rows
from hypothesis import given, settings
from random_logs import Case, Contracts, cases, contracts, log_frame

import loyaltykit as lk
from loyaltykit import datasets
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

RATES = [lk.retention_rate, lk.churn_rate]
FUNCTIONS = [lk.customer_flow, *RATES]

unhurried = settings(deadline=None, max_examples=40)


def days(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(text) for text in texts]


def log_of(rows: str) -> dict[str, list[Any]]:
    """Return columns from text such as ``1 2026-01-05, 2 2026-01-09``."""
    pairs = [row.split() for row in rows.split(",")]
    return {"id": [int(who) for who, _ in pairs], "day": days(*[day for _, day in pairs])}


# ---- the shape of the tables --------------------------------------------------------------------

FLOW = ("period", "coverage", "start", "new", "retained", "returned", "churned", "end")
RATE = (
    *("period", "coverage", "metric", "n", "n_missing", "retained", "churned"),
    *("estimate", "std_error", "ci_low", "ci_high"),
    *("confidence_level", "method", "unit", "definition", "as_of"),
)
TWO_MONTHS = "1 2026-01-05, 2 2026-01-09, 3 2026-01-20, 1 2026-02-06, 3 2026-02-07"

# dtypes in each engine's own words: counts, estimates, dates
DTYPES = {
    "pandas": ("Int64", "float64", "datetime64[us]"),
    "polars": ("Int64", "Float64", "Date"),
    "pyarrow": ("int64", "double", "date32[day]"),
}


@pytest.mark.parametrize(
    ("function", "names"),
    [(lk.customer_flow, FLOW), (lk.retention_rate, RATE), (lk.churn_rate, RATE)],
)
def test_columns_and_their_types(
    engine: Engine, function: Callable[..., Any], names: tuple[str, ...]
) -> None:
    table = function(engine.frame(log_of(TWO_MONTHS)), "id", "day")
    assert column_names(table) == list(names)
    count, number, date = DTYPES["pandas" if engine.is_pandas else engine.name]
    kinds = dtype_names(table)
    counts = set(names) & {"n", "n_missing", *FLOW[2:]}
    assert {kinds[name] for name in counts} == {count}
    assert {kinds[name] for name in names if name in {"period", "as_of"}} == {date}
    numbers = set(names) & {"estimate", "std_error", "ci_low", "ci_high", "confidence_level"}
    assert {kinds[name] for name in numbers} <= {number}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_table_is_of_the_engine_of_the_log(
    engine: Engine, function: Callable[..., Any]
) -> None:
    kinds = {"polars": pl.DataFrame, "pyarrow": pa.Table}
    table = function(engine.frame(log_of(TWO_MONTHS)), "id", "day")
    assert type(table) is kinds.get(engine.name, pd.DataFrame)
    if engine.is_pandas:
        assert table.attrs == {}
        assert table.index.equals(pd.RangeIndex(len(table)))


def test_what_a_rate_says_of_itself(engine: Engine) -> None:
    log = engine.frame(log_of(TWO_MONTHS))
    for function, definition in (
        (lk.retention_rate, "basis=log;freq=month;grace=0"),
        (lk.churn_rate, "basis=log;freq=month;grace=0;denominator=start"),
    ):
        for row in frame_rows(function(log, "id", "day", as_of="2026-02-28")):
            assert row["metric"] == function.__name__
            assert row["definition"] == definition
            words = (row["unit"], row["method"], row["confidence_level"], row["n_missing"])
            assert words == ("percent", "wilson", 0.95, 0)
            assert row["as_of"] == dt.date(2026, 2, 28)


# ---- counts by hand -----------------------------------------------------------------------------


def test_flow_of_two_months(engine: Engine) -> None:
    flow = lk.customer_flow(engine.frame(log_of(TWO_MONTHS)), "id", "day", as_of="2026-02-28")
    january, february = days("2026-01-01", "2026-02-01")
    assert [tuple(row.values()) for row in frame_rows(flow)] == [
        (january, "unobserved", None, None, None, None, None, 3),
        (february, "observed", 3, 0, 2, 0, 1, 2),
    ]


def test_rates_of_two_months(engine: Engine) -> None:
    log = engine.frame(log_of(TWO_MONTHS))
    unobserved, retained = frame_rows(lk.retention_rate(log, "id", "day", as_of="2026-02-28"))
    nulls = ("n", "retained", "churned", "estimate", "std_error", "ci_low", "ci_high")
    assert [unobserved[name] for name in nulls] == [None] * 7
    assert unobserved["coverage"] == "unobserved"
    assert (retained["n"], retained["retained"], retained["churned"]) == (3, 2, 1)
    assert retained["estimate"] == pytest.approx(200 / 3)
    assert retained["std_error"] == pytest.approx(100 * (2 / 3 * 1 / 3 / 3) ** 0.5)
    assert (retained["ci_low"], retained["ci_high"]) == pytest.approx((20.765960, 93.850806))


def test_who_comes_back_is_neither_new_nor_retained(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-05, 2 2026-01-06, 2 2026-02-06, 1 2026-03-01"))
    flow = lk.customer_flow(log, "id", "day", as_of="2026-03-31")
    march = frame_rows(flow)[2]
    kinds = ("start", "new", "retained", "returned", "churned", "end")
    assert [march[kind] for kind in kinds] == [1, 0, 0, 1, 1, 1]


def test_a_gap_of_several_periods_has_rows(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-31, 1 2026-05-31"))
    flow = lk.customer_flow(log, "id", "day")
    assert [column(flow, name) for name in ("start", "returned", "churned", "end")] == [
        [None, 1, 0, 0, 0],
        [None, 0, 0, 0, 1],
        [None, 1, 0, 0, 0],
        [1, 0, 0, 0, 1],
    ]
    rates = lk.retention_rate(log, "id", "day")
    assert column(rates, "n") == [None, 1, 0, 0, 0]  # 0 is observed and empty, not unknown
    assert column(rates, "estimate") == [None, 0.0, None, None, None]
    assert column(rates, "coverage") == ["unobserved", *["observed"] * 4]


def test_one_row(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-05"))
    (flow,) = frame_rows(lk.customer_flow(log, "id", "day"))
    assert (flow["start"], flow["end"], flow["coverage"]) == (None, 1, "unobserved")
    for function in RATES:
        (rate,) = frame_rows(function(log, "id", "day"))
        assert (rate["n"], rate["estimate"], rate["coverage"]) == (None, None, "unobserved")


def test_one_customer_who_stays(engine: Engine) -> None:
    log = engine.frame(log_of("7 2026-01-05, 7 2026-02-05, 7 2026-03-31"))
    assert column(lk.retention_rate(log, "id", "day"), "estimate") == [None, 100.0, 100.0]
    assert column(lk.churn_rate(log, "id", "day"), "estimate") == [None, 0.0, 0.0]


def test_a_running_period_is_partial_and_keeps_its_numbers(engine: Engine) -> None:
    log = engine.frame(log_of(TWO_MONTHS))
    rate = frame_rows(lk.retention_rate(log, "id", "day", as_of="2026-02-27"))[1]
    assert rate["coverage"] == "partial"
    assert (rate["n"], rate["retained"]) == (3, 2)
    assert rate["estimate"] == pytest.approx(200 / 3)
    assert rate["ci_low"] < rate["estimate"] < rate["ci_high"]


def test_the_first_period_is_unobserved_even_when_it_is_still_running(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-05"))
    flow = lk.customer_flow(log, "id", "day", as_of="2026-01-15")
    assert column(flow, "coverage") == ["unobserved"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_duplicates_count_once(engine: Engine, function: Callable[..., Any]) -> None:
    once = log_of(TWO_MONTHS)
    thrice = {name: [*values, *values[::-1], *values] for name, values in once.items()}
    assert frame_rows(function(engine.frame(thrice), "id", "day")) == frame_rows(
        function(engine.frame(once), "id", "day")
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_order_of_rows_does_not_matter(engine: Engine, function: Callable[..., Any]) -> None:
    rng = np.random.default_rng(7)
    ids = rng.integers(0, 20, 200).tolist()
    offsets = rng.integers(0, 300, 200).tolist()
    times = [dt.date(2025, 6, 1) + dt.timedelta(days=offset) for offset in offsets]
    sectors = [["B2B", "B2C", "NPO"][i % 3] for i in ids]
    columns = {"id": ids, "day": times, "sector": sectors}
    expected = frame_rows(function(engine.frame(columns), "id", "day", by="sector"))
    for order in (np.argsort(offsets), np.argsort(ids)[::-1], rng.permutation(200)):
        shuffled = {name: [values[i] for i in order] for name, values in columns.items()}
        assert frame_rows(function(engine.frame(shuffled), "id", "day", by="sector")) == expected


# ---- frequencies --------------------------------------------------------------------------------

# Rows of one customer, and the periods they lie in; 29 December 2025 is a Monday.
YEAR_END = "1 2025-12-28, 1 2025-12-29, 1 2026-01-04, 1 2026-01-05"
QUARTERS = ["2025-10-01", "2026-01-01", "2026-04-01"]
BY_FREQ = [
    ("day", "1 2024-02-28, 1 2024-02-29, 1 2024-03-01", ["2024-02-28", "2024-02-29", "2024-03-01"]),
    ("week", YEAR_END, ["2025-12-22", "2025-12-29", "2026-01-05"]),
    # 2020 has 53 ISO weeks: the last one ends on 3 January 2021.
    ("week", "1 2020-12-28, 1 2021-01-03, 1 2021-01-04", ["2020-12-28", "2021-01-04"]),
    ("month", YEAR_END, ["2025-12-01", "2026-01-01"]),
    ("quarter", "1 2025-12-31, 1 2026-03-31, 1 2026-04-01", QUARTERS),
    ("year", YEAR_END, ["2025-01-01", "2026-01-01"]),
    ("month", "1 1969-12-31, 1 1970-01-01", ["1969-12-01", "1970-01-01"]),
    ("week", "1 1969-12-28, 1 1969-12-31, 1 1970-01-04", ["1969-12-22", "1969-12-29"]),
    ("quarter", "1 1969-09-30, 1 1969-12-31", ["1969-07-01", "1969-10-01"]),
    ("year", "1 1969-12-31, 1 1970-01-01", ["1969-01-01", "1970-01-01"]),
]


@pytest.mark.parametrize(("freq", "rows", "periods"), BY_FREQ)
def test_periods_of_every_frequency(
    engine: Engine, freq: Any, rows: str, periods: list[str]
) -> None:
    flow = lk.customer_flow(engine.frame(log_of(rows)), "id", "day", freq=freq)
    assert column(flow, "period") == days(*periods)
    assert column(flow, "retained")[1:] == [1] * (len(periods) - 1)


LAST_DAYS = [
    ("day", "2026-03-31", "2026-04-01"),
    ("week", "2026-01-04", "2026-01-05"),
    ("month", "2026-02-28", "2026-03-01"),
    ("month", "2024-02-29", "2024-03-01"),
    ("quarter", "2026-06-30", "2026-07-01"),
    ("year", "2026-12-31", "2027-01-01"),
]


@pytest.mark.parametrize(("freq", "last", "after"), LAST_DAYS)
def test_a_period_is_observed_when_its_last_day_is(
    engine: Engine, freq: Any, last: str, after: str
) -> None:
    end = dt.date.fromisoformat(last)
    log = engine.frame({"id": [1, 1], "day": [dt.date(2020, 1, 1), end]})
    flow = lk.customer_flow(log, "id", "day", freq=freq, as_of=end)
    assert column(flow, "coverage")[-1] == "observed"
    if freq != "day":  # a day that has begun is over by its end
        day_before = end - dt.timedelta(days=1)
        flow = lk.customer_flow(log, "id", "day", freq=freq, as_of=day_before)
        assert column(flow, "coverage")[-1] == "partial"
        flow = lk.customer_flow(log, "id", "day", freq=freq, as_of=after)
        assert column(flow, "coverage")[-2:] == ["observed", "partial"]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("freq", "meant"), [("M", "month"), ("W", "week"), ("QS", "quarter")])
def test_an_unknown_frequency_names_the_one_meant(
    function: Callable[..., Any], freq: str, meant: str
) -> None:
    log = pd.DataFrame(log_of("1 2026-01-05"))
    with pytest.raises(ParameterError, match=f"freq='{freq}' .*'{freq}' is written '{meant}' here"):
        function(log, "id", "day", freq=freq)


def test_the_definition_names_the_frequency(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-05"))
    rates = lk.churn_rate(log, "id", "day", freq="week")
    assert column(rates, "definition") == ["basis=log;freq=week;grace=0;denominator=start"]


# ---- splits -------------------------------------------------------------------------------------


def test_every_count_of_a_row_is_of_its_group_at_the_start(engine: Engine) -> None:
    # Customer 1 is new until February, and repeat when March starts.
    log = engine.frame(log_of("1 2026-01-05, 1 2026-02-06, 2 2026-02-07, 1 2026-03-08"))
    tiers = engine.frame(
        {
            "id": [1, 1, 2],
            "valid_from": days("2026-01-01", "2026-03-01", "2026-02-01"),
            "tier": ["new", "repeat", "new"],
        }
    )
    flow = lk.customer_flow(log, "id", "day", by="tier", segments=tiers, as_of="2026-03-31")
    names = ("tier", "start", "new", "retained", "returned", "churned", "end")
    assert [tuple(row[name] for name in names) for row in frame_rows(flow)] == [
        ("new", None, None, None, None, None, 1),
        ("new", 1, 1, 1, 0, 0, 2),
        ("new", 1, 0, 0, 0, 1, 0),
        ("repeat", None, None, None, None, None, 0),
        ("repeat", 0, 0, 0, 0, 0, 0),
        ("repeat", 1, 0, 1, 0, 0, 1),
    ]


def test_a_group_that_never_had_a_start_has_no_rate(engine: Engine) -> None:
    # B2C comes in the last month only: there is a flow to show, but nothing to retain.
    log = engine.frame(log_of("1 2026-01-05, 1 2026-02-06, 2 2026-02-28"))
    customers = engine.frame({"id": [1, 2], "sector": ["B2B", "B2C"]})
    keywords = {"by": "sector", "segments": customers}
    assert set(column(lk.customer_flow(log, "id", "day", **keywords), "sector")) == {"B2B", "B2C"}
    for function in RATES:
        rates = function(log, "id", "day", **keywords)
        assert column(rates, "sector") == ["B2B", "B2B"]


def test_without_by_a_start_of_nobody_keeps_its_row(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-05"))
    rates = lk.retention_rate(log, "id", "day")
    assert column(rates, "coverage") == ["unobserved"]
    by_group = engine.frame({**log_of("1 2026-01-05"), "sector": ["B2B"]})
    split = lk.retention_rate(by_group, "id", "day", by="sector")
    assert frame_rows(split) == []
    assert column_names(split) == ["sector", *RATE]


def test_a_group_has_every_period_of_the_log(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-05, 2 2026-03-06, 2 2026-04-30"))
    customers = engine.frame({"id": [1, 2], "sector": ["B2B", "B2C"]})
    rates = lk.retention_rate(log, "id", "day", by="sector", segments=customers)
    months = days("2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01")
    assert column(rates, "period") == months * 2
    assert column(rates, "n") == [None, 1, 0, 0, None, 0, 0, 1]
    # For all groups it is the log's first period that has no start.
    assert column(rates, "coverage") == ["unobserved", *["observed"] * 3] * 2


def test_an_unknown_start_makes_no_group_present(engine: Engine) -> None:
    # B2C was there in December, of which not all was observed, and in February; never at a start.
    rows = "1 2026-01-05, 1 2026-02-05, 2 2025-12-05, 2 2026-02-07"
    log = engine.frame({**log_of(rows), "sector": ["B2B", "B2B", "B2C", "B2C"]})
    options: dict[str, Any] = {"by": "sector", "observed_from": "2026-01-01"}
    assert column(lk.retention_rate(log, "id", "day", **options), "sector") == ["B2B", "B2B"]


# ---- intervals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_intervals_are_wilsons(engine: Engine, level: float) -> None:
    rng = np.random.default_rng(3)
    ids, offsets = rng.integers(0, 60, 300).tolist(), rng.integers(0, 150, 300).tolist()
    times = [dt.date(2026, 1, 1) + dt.timedelta(days=offset) for offset in offsets]
    log = engine.frame({"id": ids, "day": times})
    for function, count in ((lk.retention_rate, "retained"), (lk.churn_rate, "churned")):
        rates = frame_rows(function(log, "id", "day", confidence_level=level))
        assert len(rates) == 5
        for row in rates[1:]:
            low, high = oracles.wilson_interval(row[count], row["n"], level)
            share = row[count] / row["n"]
            assert row["ci_low"] == pytest.approx(100 * low)
            assert row["ci_high"] == pytest.approx(100 * high)
            assert row["std_error"] == pytest.approx(100 * (share * (1 - share) / row["n"]) ** 0.5)
            assert row["confidence_level"] == level


@pytest.mark.parametrize("method", ["agresti_coull", "clopper_pearson", "jeffreys"])
def test_other_intervals(engine: Engine, method: Any) -> None:
    log = engine.frame({"id": [1, 2, 3, 1, 2], "day": [*["2026-01-05"] * 3, *["2026-02-05"] * 2]})
    for function, count in ((lk.retention_rate, "retained"), (lk.churn_rate, "churned")):
        row = frame_rows(function(log, "id", "day", method=method))[1]
        low, high = getattr(oracles, f"{method}_interval")(row[count], 3, 0.95)
        assert (row["method"], row["estimate"]) == (method, 100 * row[count] / 3)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((100 * low, 100 * high), abs=1e-6)


@pytest.mark.parametrize("function", RATES)
def test_method_none_infers_nothing(engine: Engine, function: Callable[..., Any]) -> None:
    log = engine.frame(log_of(TWO_MONTHS))
    counted = frame_rows(function(log, "id", "day", method="none"))
    inferred = frame_rows(function(log, "id", "day"))
    for row, other in zip(counted, inferred, strict=True):
        assert row["method"] == "none"
        assert [row[name] for name in ("std_error", "ci_low", "ci_high")] == [None] * 3
        same = ("n", "retained", "churned", "estimate", "unit", "definition")
        assert [row[name] for name in same] == [other[name] for name in same]


@pytest.mark.parametrize("function", RATES)
def test_parameters_that_are_refused(function: Callable[..., Any]) -> None:
    log = pd.DataFrame(log_of(TWO_MONTHS))
    with pytest.raises(ParameterError, match=r"confidence_level=95 .*Did you mean 0\.95"):
        function(log, "id", "day", confidence_level=95)
    with pytest.raises(ParameterError, match=r"method='wilsen' .*Did you mean 'wilson'"):
        function(log, "id", "day", method="wilsen")
    with pytest.raises(ParameterError, match=r"method='bootstrap' is not one of 'wilson'"):
        function(log, "id", "day", method="bootstrap")
    with pytest.raises(TypeError, match="freq must be a string"):
        function(log, "id", "day", freq=None)
    with pytest.raises(TypeError, match="data must be a DataFrame"):
        function([1, 2], "id", "day")


# ---- denominators of churn ----------------------------------------------------------------------

# In February: 3 at the start, of whom 1 leaves; 1 is new, and 1 joins and leaves.
TERMS: dict[str, list[Any]] = {
    "id": [1, 2, 3, 4, 5],
    "start": ["2026-01-01", "2026-01-01", "2026-01-20", "2026-02-10", "2026-02-11"],
    "end": ["2026-02-15", "2026-03-01", None, None, "2026-02-25"],
}


def churn_of(engine: Engine, **options: Any) -> dict[str, Any]:
    """Return the row of February."""
    words: dict[str, Any] = {"contract_end": "end", "as_of": "2026-02-28", **options}
    row: dict[str, Any] = frame_rows(lk.churn_rate(engine.frame(TERMS), "id", "start", **words))[1]
    return row


@pytest.mark.parametrize(
    ("denominator", "n", "churned", "estimate"),
    [
        ("start", 3, 2, 200 / 3),  # the end of February is no longer in force when that closes
        ("average", 3, 2, 100 * 2 / 2.5),
        ("start_plus_new", 5, 3, 60.0),
        ("renewal_due", 2, 2, 100.0),
    ],
)
def test_churn_by_denominator(
    engine: Engine, denominator: str, n: int, churned: int, estimate: float
) -> None:
    row = churn_of(engine, denominator=denominator)
    assert (row["n"], row["churned"], row["retained"]) == (n, churned, n - churned)
    assert row["estimate"] == pytest.approx(estimate)
    assert row["definition"] == f"basis=contracts;freq=month;denominator={denominator}"
    assert row["unit"] == "percent"
    if denominator != "average":
        low, high = oracles.wilson_interval(churned, n, 0.95)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((100 * low, 100 * high))


def test_a_renewal_keeps_the_customer(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {
        "id": [1, 1, 2, 3],
        "start": ["2026-01-01", "2026-02-15", "2026-01-01", "2026-01-01"],
        "end": ["2026-02-15", None, "2026-02-15", "2026-06-01"],
    }
    rates = lk.churn_rate(
        *(engine.frame(columns), "id", "start"),
        contract_end="end",
        as_of="2026-02-28",
        denominator="renewal_due",
    )
    february = frame_rows(rates)[1]
    assert (february["n"], february["retained"], february["churned"]) == (2, 1, 1)


@pytest.mark.parametrize("method", ["wilson", "clopper_pearson", "jeffreys", "agresti_coull"])
def test_limits_by_the_average_are_those_of_the_share(engine: Engine, method: str) -> None:
    """R(p) = p S / (S - p S / 2 + J / 2), with S = 3 and J = 1 of 2 at the end."""
    row = churn_of(engine, denominator="average", method=method)
    assert (row["n"], row["churned"], row["end"]) == (3, 2, 2)
    share = getattr(oracles, f"{method}_interval")(2, 3, 0.95)
    low, high = (100 * p * 3 / (3 - p * 3 / 2 + 1 / 2) for p in share)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), abs=1e-5)
    near = (2 / 3 - 1e-6, 2 / 3 + 1e-6)
    below, above = (100 * p * 3 / (3 - p * 3 / 2 + 1 / 2) for p in near)
    derivative = (above - below) / 2e-6
    assert row["std_error"] == pytest.approx(derivative * (2 / 3 * 1 / 3 / 3) ** 0.5)


def test_the_average_can_pass_100_and_is_null_without_a_start(engine: Engine) -> None:
    log = engine.frame(log_of("1 2026-01-05, 2 2026-01-09, 3 2026-03-01"))
    rates = frame_rows(lk.churn_rate(log, "id", "day", denominator="average"))
    assert [row["estimate"] for row in rates] == [None, 200.0, None]
    assert [row["n"] for row in rates] == [None, 2, 0]
    assert [row["end"] for row in rates] == [None, 0, 1]
    assert 0 <= rates[1]["ci_low"] < 200 == rates[1]["ci_high"]
    none = frame_rows(lk.churn_rate(log, "id", "day", denominator="average", method="none"))
    assert (none[1]["estimate"], none[1]["ci_low"]) == (200.0, None)


@pytest.mark.parametrize("denominator", ["start", "average", "start_plus_new", "renewal_due"])
@unhurried
@given(case=contracts())
def test_every_denominator_is_made_of_sets(denominator: Any, case: Contracts) -> None:
    frame, keywords = case.arguments("pandas")
    rates = frame_rows(lk.churn_rate(frame, "id", "start", denominator=denominator, **keywords))
    naive = oracles.contract_flow(
        case.rows, case.freq, case.until, case.key_at, observed_from=case.observed_from
    )
    wanted = []
    for row in naive:
        base, gone = row["start"], row["churned"]
        if denominator == "start_plus_new":
            brief = row["joined_and_left"]
            base, gone = base + row["new"] + row["returned"] + brief, gone + brief
        if denominator == "renewal_due":
            base, gone = row["due"], row["not_renewed"]
        whole = (row["start"] + row["end"]) / 2 if denominator == "average" else base
        rate = 100 * gone / whole if base else None
        wanted.append((row["key"], row["period"], base, gone, rate, whole))
    there = {key for key, *_, whole in wanted if whole or not case.changes}
    found = [(r.get("key"), r["period"], r["n"], r["churned"]) for r in rates]
    assert found == [row[:4] for row in wanted if row[0] in there]
    for row, other in zip(rates, [w for w in wanted if w[0] in there], strict=True):
        assert row["estimate"] == pytest.approx(other[4])
        if row["estimate"] is not None:
            assert 0 <= row["ci_low"] <= row["estimate"] <= row["ci_high"]


@unhurried
@given(case=contracts(split=True))
def test_retention_by_segment_pools_to_retention(case: Contracts) -> None:
    frame, keywords = case.arguments("pandas")
    split = lk.retention_rate(frame, "id", "start", **keywords)
    keywords = {name: keywords[name] for name in keywords if name not in ("by", "segments")}
    whole = frame_rows(lk.retention_rate(frame, "id", "start", **keywords))
    pooled = {row["period"]: row for row in frame_rows(lk.pool(split, over="key"))}
    for row in whole:
        # Where nobody was ever at the start, no group has a rate.
        assert pooled.get(row["period"], {"n": 0})["n"] == row["n"]
        if row["n"]:
            assert pooled[row["period"]] == row


@pytest.mark.parametrize("denominator", ["average", "start_plus_new", "renewal_due"])
def test_denominators_pool_over_periods_and_groups(denominator: str) -> None:
    table = datasets.sample_contracts(900, rng=2)
    options: dict[str, Any] = {"contract_end": "end", "as_of": "2025-12-31"}
    options |= {"denominator": denominator, "observed_from": "2025-01-01"}
    whole = lk.churn_rate(table, "customer", "start", **options)
    split = lk.churn_rate(table, "customer", "start", by="sector", **options)
    pd.testing.assert_frame_equal(lk.pool(split, over="sector"), whole)
    (year,) = frame_rows(lk.pool(whole, over="period"))
    assert year["churned"] == sum(column(whole, "churned"))
    base = year["n"]
    if denominator == "average":
        base = (year["n"] + year["end"]) / 2
        assert year["end"] == sum(column(whole, "end"))
    assert year["estimate"] == pytest.approx(100 * year["churned"] / base)
    if denominator == "average":
        with pytest.raises(ParameterError, match=r"compare takes shares.* denominator='average'"):
            lk.compare(split, "sector")
        with pytest.raises(ParameterError, match=r"explain_change takes shares.* is none"):
            lk.explain_change(split, "period", reference="previous", segment="sector")
    else:
        assert len(lk.compare(split, "sector")) > 0
        assert len(lk.explain_change(split, "period", reference="previous", segment="sector")) > 0


# ---- presets ------------------------------------------------------------------------------------


def test_presets_name_the_denominator(engine: Engine) -> None:
    """ChartMogul's page: 100 at the start, 12 churned, of whom 1 came back and 1 had joined."""
    ids = [*range(100), 2, 200]
    start = [*["2026-01-01"] * 100, "2026-02-20", "2026-02-10"]
    end = [*["2026-02-15"] * 11, *[None] * 89, None, "2026-02-20"]
    frame = engine.frame({"id": ids, "start": start, "end": end})
    options: dict[str, Any] = {"contract_end": "end", "as_of": "2026-02-28"}
    rates = lk.churn_rate(frame, "id", "start", like="chartmogul", **options)
    assert (frame_rows(rates)[1]["n"], frame_rows(rates)[1]["estimate"]) == (100, 10.0)
    plain = lk.churn_rate(frame, "id", "start", **options)
    assert frame_rows(rates) == frame_rows(plain)
    stripe = lk.churn_rate(frame, "id", "start", like="stripe", **options)
    named = lk.churn_rate(frame, "id", "start", denominator="start_plus_new", **options)
    assert frame_rows(stripe) == frame_rows(named)
    assert (frame_rows(stripe)[1]["n"], frame_rows(stripe)[1]["churned"]) == (101, 11)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"denominator": "begin"}, r"^denominator='begin' is not one of 'start', 'average'"),
        ({"like": "mogul"}, r"^like='mogul' is not one of 'chartmogul', 'stripe'"),
        (
            {"like": "chartmogul", "denominator": "average"},
            r"^denominator='average' contradicts like='chartmogul', whose is 'start'",
        ),
        (
            {"like": "stripe", "denominator": "renewal_due"},
            r"^denominator='renewal_due' contradicts like='stripe', whose is 'start_plus_new'",
        ),
        (
            {"like": "stripe", "contract_end": None},
            r"^like='stripe' needs contract_end: that tool counts subscriptions",
        ),
        (
            {"denominator": "renewal_due", "contract_end": None},
            r"^denominator='renewal_due' needs contract_end",
        ),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], message: str) -> None:
    words: dict[str, Any] = {"contract_end": "end", "as_of": "2026-02-28", **options}
    with pytest.raises(ParameterError, match=message):
        lk.churn_rate(pd.DataFrame(TERMS), "id", "start", **words)


# ---- against the naive answer -------------------------------------------------------------------


@pytest.mark.parametrize("name", CONSTRUCTORS)
@unhurried
@given(case=cases())
def test_flow_is_that_of_sets_of_customers(name: str, case: Case) -> None:
    log, keywords = case.arguments(name)
    flow = frame_rows(lk.customer_flow(log, "id", "day", **keywords))
    naive = oracles.customer_flow(
        case.log, case.freq, case.end, case.key_at, migration=case.migrates
    )
    assert flow == case.without_key(naive)
    for row in flow:
        if row["start"] is not None:
            assert row["end"] == row["start"] - row["churned"] + row["new"] + row["returned"]
            assert row["start"] == row["retained"] + row["churned"]


@pytest.mark.parametrize("name", CONSTRUCTORS)
@unhurried
@given(case=cases())
def test_rates_are_those_of_sets_of_customers(name: str, case: Case) -> None:
    log, keywords = case.arguments(name)
    flow = oracles.customer_flow(case.log, case.freq, case.end, case.key_at)
    expected = case.without_key(oracles.retention(flow, split=bool(case.changes)))
    retention = frame_rows(lk.retention_rate(log, "id", "day", **keywords))
    churn = frame_rows(lk.churn_rate(log, "id", "day", **keywords))
    for found, stays, leaves in zip(expected, retention, churn, strict=True):
        for table, share in ((stays, "retention"), (leaves, "churn")):
            same = found.keys() - {"retention", "churn"}
            assert {key: table[key] for key in same} == {key: found[key] for key in same}
            assert table["estimate"] == pytest.approx(found[share])
            if table["estimate"] is not None:
                assert 0 <= table["ci_low"] <= table["estimate"] <= table["ci_high"] <= 100
        if stays["estimate"] is not None:
            assert leaves["estimate"] == pytest.approx(100 - stays["estimate"])
            assert leaves["ci_low"] == pytest.approx(100 - stays["ci_high"])


@pytest.mark.parametrize("name", ["pandas", "pyarrow"])
@unhurried
@given(case=cases(split=True))
def test_groups_add_up_to_the_whole(name: str, case: Case) -> None:
    log, keywords = case.arguments(name)
    split = frame_rows(lk.customer_flow(log, "id", "day", **keywords))
    keywords = {"freq": case.freq, "as_of": case.as_of}
    for row in frame_rows(lk.customer_flow(log, "id", "day", **keywords)):
        parts = [part for part in split if part["period"] == row["period"]]
        for count in FLOW[2:]:
            numbers = [part[count] for part in parts]
            total = None if None in numbers else sum(numbers)
            assert total == row[count]


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
@unhurried
@given(case=cases(split=False))
def test_shards_split_by_customer_add_up(name: str, case: Case) -> None:
    # Somebody in each shard was there from the beginning, so that all of them begin together.
    first = min(day for _, day in case.log)
    log = [*case.log, *[(customer, first) for customer in (101, 102, 103)]]
    shards = [[row for row in log if row[0] % 3 == remainder] for remainder in range(3)]
    keywords: dict[str, Any] = {"freq": case.freq, "as_of": case.end}
    parts = [
        frame_rows(lk.customer_flow(log_frame(name, shard), "id", "day", **keywords))
        for shard in shards
    ]
    whole = frame_rows(lk.customer_flow(log_frame(name, log), "id", "day", **keywords))
    for total, *rows in zip(whole, *parts, strict=True):
        for count in FLOW[2:]:
            numbers = [row[count] for row in rows]
            assert total[count] == (None if None in numbers else sum(numbers))
