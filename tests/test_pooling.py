"""pool: sums of counts, never means of rates; and what it refuses."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import oracles
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, column, column_names, dtype_names, frame_rows, only_row, stacked
from hypothesis import given, settings
from random_logs import Case, cases

import loyaltykit as lk
from loyaltykit import _results
from loyaltykit.errors import LoyaltyKitError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

from tables import ANSWERS, SECTORS, SURVEYS, WEIGHTED_ROWS, log_columns, weighted_table

unhurried = settings(deadline=None, max_examples=40)
RATES = [lk.retention_rate, lk.churn_rate]


def with_column(table: Any, name: str, value: str) -> Any:
    """Return a table with one more key in front."""
    length = len(frame_rows(table))
    if isinstance(table, pd.DataFrame):
        table = table.copy()
        table.insert(0, name, value)
        return table
    if isinstance(table, pl.DataFrame):
        return table.select(pl.lit(value).alias(name), pl.all())
    return table.add_column(0, name, pa.array([value] * length))


def same_table(pooled: Any, whole: Any) -> None:
    """Check that two tables are alike: types and counts exactly, estimates nearly."""
    assert type(pooled) is type(whole)
    assert dtype_names(pooled) == dtype_names(whole)
    for left, right in zip(frame_rows(pooled), frame_rows(whole), strict=True):
        assert list(left) == list(right)
        for name, value in left.items():
            if isinstance(value, float):
                assert value == pytest.approx(right[name], rel=1e-12), name
            else:
                assert value == right[name], name


# ---- over keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [*RATES, lk.cohort_retention])
@pytest.mark.parametrize("by", ["sector", ["sector", "region"]], ids=["one", "two"])
def test_pooled_groups_are_the_unsplit_table(
    engine: Engine, function: Callable[..., Any], by: Any
) -> None:
    log = engine.frame(log_columns())
    split = function(log, "id", "day", by=by)
    same_table(lk.pool(split, over=by), function(log, "id", "day"))


@pytest.mark.parametrize("function", [*RATES, lk.cohort_retention])
def test_pooling_one_of_two_keys_keeps_the_other(
    engine: Engine, function: Callable[..., Any]
) -> None:
    log = engine.frame(log_columns())
    split = function(log, "id", "day", by=["sector", "region"])
    same_table(lk.pool(split, over="region"), function(log, "id", "day", by="sector"))
    same_table(lk.pool(split, over=["sector"]), function(log, "id", "day", by="region"))


@pytest.mark.parametrize(("function", "score", "keywords"), SURVEYS)
def test_pooled_survey_groups_are_the_unsplit_table(
    engine: Engine, function: Callable[..., Any], score: str, keywords: dict[str, Any]
) -> None:
    answers = engine.frame(ANSWERS)
    split = function(answers, score, by=["sector", "tier"], **keywords)
    whole = function(answers, score, **keywords)
    same_table(lk.pool(split, over=["sector", "tier"]), whole)
    by_sector = function(answers, score, by="sector", **keywords)
    same_table(lk.pool(split, over="tier"), by_sector)


@pytest.mark.parametrize(("function", "score", "keywords"), SURVEYS)
def test_pooled_survey_periods_are_the_whole_survey(
    engine: Engine, function: Callable[..., Any], score: str, keywords: dict[str, Any]
) -> None:
    answers = engine.frame(ANSWERS)
    monthly = function(answers, score, by="tier", time="day", **keywords)
    same_table(lk.pool(monthly, over="period"), function(answers, score, by="tier", **keywords))
    by_month = function(answers, score, time="day", **keywords)
    same_table(lk.pool(monthly, over="tier"), by_month)
    whole = function(answers, score, **keywords)
    same_table(lk.pool(monthly, over=["tier", "period"]), whole)


@pytest.mark.parametrize(
    "table",
    [
        lk.nps_from_counts(promoters=[5, 6], detractors=1, n=9, method="bootstrap", rng=1),
        lk.csat_from_counts(satisfied=[5, 6], n=9, method="bootstrap", rng=1),
        lk.ces_from_counts(answers=[1, 2], n=[[5, 6], [3, 4]], method="bootstrap", rng=1),
    ],
    ids=["nps", "csat", "ces"],
)
def test_bootstrap_tables_are_refused(table: Any) -> None:
    message = r"^result has bootstrap intervals, .* cannot be drawn anew .* another method"
    with pytest.raises(ParameterError, match=message):
        lk.pool(table, over="group")


def test_categories_stay_categories_in_their_order(engine: Engine) -> None:
    levels = ["loyal", "new", "gone"]
    answers = engine.frame(ANSWERS, {"tier": levels})
    pooled = lk.pool(lk.nps(answers, "nps", by=["sector", "tier"]), over="sector")
    assert column(pooled, "tier") == ["loyal", "new"]
    assert dtype_names(pooled)["tier"] == dtype_names(answers)["tier"]


def test_pool_sums_and_does_not_average(engine: Engine) -> None:
    scores, groups = [10] * 9 + [0], ["big"] * 8 + ["small"] * 2
    table = lk.nps(engine.frame({"nps": scores, "group": groups}), "nps", by="group")
    assert column(table, "estimate") == [100.0, 0.0]
    assert only_row(lk.pool(table, over="group"))["estimate"] == 80.0


# ---- over time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", RATES)
def test_pooled_periods_are_those_observed_in_full(
    engine: Engine, function: Callable[..., Any]
) -> None:
    log = engine.frame(log_columns())
    table = function(log, "id", "day", as_of="2026-05-20")
    rows = frame_rows(table)
    assert [row["coverage"] for row in rows] == ["unobserved", *["observed"] * 3, "partial"]
    pooled = only_row(lk.pool(table, over="period"))
    for name in ("n", "retained", "churned"):
        assert pooled[name] == sum(row[name] for row in rows[1:4])
    count = "retained" if function is lk.retention_rate else "churned"
    assert pooled["estimate"] == pytest.approx(100 * pooled[count] / pooled["n"])
    low, high = oracles.wilson_interval(pooled[count], pooled["n"], 0.95)
    assert (pooled["ci_low"], pooled["ci_high"]) == pytest.approx((100 * low, 100 * high))
    assert {"period", "coverage"} & pooled.keys() == set()
    assert pooled["as_of"] == dt.date(2026, 5, 20)


def test_pooled_periods_keep_the_keys(engine: Engine) -> None:
    log = engine.frame(log_columns())
    table = lk.retention_rate(log, "id", "day", by="sector", as_of="2026-05-31")
    pooled = frame_rows(lk.pool(table, over="period"))
    rows = frame_rows(table)
    assert [row["sector"] for row in pooled] == ["B2B", "B2C", None]
    for row in pooled:
        own = [other["n"] for other in rows if other["sector"] == row["sector"]]
        assert row["n"] == sum(n for n in own if n is not None)


def test_pooled_groups_of_a_running_period_stay_partial(engine: Engine) -> None:
    log = engine.frame(log_columns())
    split = lk.retention_rate(log, "id", "day", by="sector", as_of="2026-05-20")
    pooled = lk.pool(split, over="sector")
    assert column(pooled, "coverage") == ["unobserved", *["observed"] * 3, "partial"]
    assert column(pooled, "n")[0] is None
    assert column(pooled, "n")[-1] > 0


def test_pooling_keys_and_periods_at_once(engine: Engine) -> None:
    log = engine.frame(log_columns())
    split = lk.retention_rate(log, "id", "day", by=["sector", "region"])
    whole = lk.pool(lk.retention_rate(log, "id", "day"), over="period")
    same_table(lk.pool(split, over=["sector", "region", "period"]), whole)
    same_table(lk.pool(lk.pool(split, over=["region", "sector"]), over="period"), whole)


def test_a_pooled_rolling_cell_is_partial_where_one_group_is() -> None:
    """The window is over for the sector of 1 and 2, and not for that of 3; nobody else is there."""
    log = pd.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "day": ["2026-01-02", "2026-01-03", "2026-01-30", "2026-02-01"],
            "sector": ["B2B", "B2B", "B2C", "NPO"],
        }
    )
    options: dict[str, Any] = {"window": "rolling", "as_of": "2026-02-20"}
    split = lk.cohort_retention(log, "id", "day", by="sector", **options)
    whole = lk.cohort_retention(log, "id", "day", **options)
    first = split[split["cohort"] == "2026-01-01"]
    assert first["coverage"].tolist() == ["observed", "unobserved", "partial"]
    pd.testing.assert_frame_equal(lk.pool(split, over="sector"), whole)
    assert (whole["coverage"][0], whole["n"][0]) == ("partial", 2)


def test_pooled_cohorts_are_those_that_reached_the_age(engine: Engine) -> None:
    log = engine.frame(log_columns())
    table = lk.cohort_retention(log, "id", "day", by="region", as_of="2026-05-20")
    rows = frame_rows(table)
    for row in frame_rows(lk.pool(table, over=["cohort", "region"])):
        own = [other for other in rows if other["cohort_age"] == row["cohort_age"]]
        seen = [other for other in own if other["coverage"] == "observed"]
        assert row["n"] == (sum(other["n"] for other in seen) if seen else None)
        assert row["coverage"] == ("observed" if seen else "unobserved")
        if seen:
            retained = sum(other["retained"] for other in seen)
            assert row["estimate"] == pytest.approx(100 * retained / row["n"])


def test_nothing_observed_is_null_and_not_zero(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2], "day": [dt.date(2026, 1, 5)] * 2})
    row = only_row(lk.pool(lk.retention_rate(log, "id", "day"), over="period"))
    for name in ("n", "retained", "churned", "estimate", "std_error", "ci_low", "ci_high"):
        assert row[name] is None
    assert row["n_missing"] == 0  # a log has none, whatever was observed


def test_observed_and_empty_is_zero_and_not_null(engine: Engine) -> None:
    # February's start was 1; March's and April's were 0.
    log = engine.frame({"id": [1, 2], "day": [dt.date(2026, 1, 5), dt.date(2026, 4, 30)]})
    table = lk.retention_rate(log, "id", "day", as_of="2026-04-30")
    assert column(table, "n") == [None, 1, 0, 0]
    row = only_row(lk.pool(table, over="period"))
    assert (row["n"], row["retained"], row["estimate"]) == (1, 0, 0.0)


def test_method_none_stays_none(engine: Engine) -> None:
    log = engine.frame(log_columns())
    split = lk.retention_rate(log, "id", "day", by="sector", method="none")
    same_table(lk.pool(split, over="sector"), lk.retention_rate(log, "id", "day", method="none"))


def test_counts_from_elsewhere() -> None:
    table = lk.retention_rate_from_counts(
        start=[100, 50], end=[90, 60], new=[20, 20], labels={"sector": ["B2B", "B2C"]}
    )
    row = only_row(lk.pool(table, over="sector"))
    assert (row["n"], row["retained"], row["churned"]) == (150, 110, 40)
    assert row["estimate"] == pytest.approx(100 * 110 / 150)
    assert row["definition"] == "basis=counts"
    table = lk.nps_from_counts(promoters=[50, 1], passives=[30, 1], detractors=[20, 2])
    assert only_row(lk.pool(table, over="group"))["estimate"] == pytest.approx(100 * 29 / 104)


def test_tables_of_shards_stacked_and_pooled_are_the_table_of_the_whole(engine: Engine) -> None:
    columns = log_columns()
    shards = []
    for remainder in range(2):
        rows = [i for i, customer in enumerate(columns["id"]) if customer % 2 == remainder]
        shard = {name: [values[i] for i in rows] for name, values in columns.items()}
        table = lk.retention_rate(engine.frame(shard), "id", "day", as_of="2026-05-31")
        shards.append(with_column(table, "shard", f"s{remainder}"))
    whole = lk.retention_rate(engine.frame(columns), "id", "day", as_of="2026-05-31")
    same_table(lk.pool(stacked(shards), over="shard"), whole)


def test_an_empty_table_stays_empty(engine: Engine) -> None:
    log = engine.frame({"id": [1], "day": ["2026-01-05"], "sector": ["B2B"]})
    split = lk.retention_rate(log, "id", "day", by="sector")  # no group had a start
    for over, columns in (
        ("sector", column_names(split)[1:]),
        ("period", ["sector", *column_names(split)[3:]]),
        (["sector", "period"], column_names(split)[3:]),
    ):
        pooled = lk.pool(split, over=over)
        assert frame_rows(pooled) == []
        assert column_names(pooled) == columns


def test_the_table_is_not_changed(engine: Engine) -> None:
    table = engine.keep(lk.nps(engine.frame(ANSWERS), "nps", by=["sector", "tier"]))
    lk.pool(table, over="sector")


# ---- against the naive answer -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
@unhurried
@given(case=cases(split=True))
def test_pooled_rates_are_naive_sums(name: str, case: Case) -> None:
    log, keywords = case.arguments(name)
    table = lk.retention_rate(log, "id", "day", **keywords)
    rows = frame_rows(table)
    counts = ("n", "retained", "churned")
    by_period = oracles.pool(rows, ["period"], counts, ["observed", "partial"])
    found = frame_rows(lk.pool(table, over="key"))
    assert [{key: row[key] for key in ("period", *counts)} for row in found] == by_period
    whole = lk.retention_rate(log, "id", "day", freq=case.freq, as_of=case.as_of)
    assert not found or found == frame_rows(whole)  # no rows when no group had a start
    by_key = oracles.pool(rows, ["key"], counts, ["observed"])
    found = frame_rows(lk.pool(table, over="period"))
    assert [{key: row[key] for key in ("key", *counts)} for row in found] == by_key


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
@unhurried
@given(case=cases(split=True))
def test_pooled_cohorts_are_naive_sums(name: str, case: Case) -> None:
    log, keywords = case.arguments(name)
    table = lk.cohort_retention(log, "id", "day", **keywords)
    rows = frame_rows(table)
    counts = ("n", "retained")
    for over, keys, covered in (
        ("cohort", ["key", "cohort_age"], ["observed"]),
        (["cohort", "key"], ["cohort_age"], ["observed"]),
        ("key", ["cohort", "cohort_age"], ["observed", "partial"]),
    ):
        found = frame_rows(lk.pool(table, over=over))
        naive = oracles.pool(rows, keys, counts, covered)
        assert [{key: row[key] for key in (*keys, *counts)} for row in found] == naive
    whole = lk.cohort_retention(log, "id", "day", freq=case.freq, as_of=case.as_of)
    assert found == frame_rows(whole)


# ---- refusals -----------------------------------------------------------------------------------


def test_age_is_never_pooled(engine: Engine) -> None:
    table = lk.cohort_retention(engine.frame(log_columns()), "id", "day")
    for over in ("cohort_age", ["cohort", "cohort_age"]):
        with pytest.raises(ParameterError, match="over='cohort_age' is not a key of the table"):
            lk.pool(table, over=over)


@pytest.mark.parametrize("over", ["tier", "coverage", "metric", "n", "estimate", ""])
def test_only_keys_can_be_pooled(engine: Engine, over: str) -> None:
    table = lk.retention_rate(engine.frame(log_columns()), "id", "day", by="sector")
    with pytest.raises(ParameterError, match=f"over='{over}' is not a key.*'sector', 'period'"):
        lk.pool(table, over=over)


def test_over_names_something(engine: Engine) -> None:
    table = lk.nps(engine.frame(ANSWERS), "nps", by="sector")
    with pytest.raises(ParameterError, match="over"):
        lk.pool(table, over=[])
    with pytest.raises(ParameterError, match="over names 'sector' more than once"):
        lk.pool(table, over=["sector", "sector"])
    unsplit = lk.nps(engine.frame(ANSWERS), "nps")
    with pytest.raises(ParameterError, match="'sector' is not a key of the table: it has none"):
        lk.pool(unsplit, over="sector")
    with pytest.raises(TypeError, match="over must be a column name"):
        lk.pool(table, over=1)  # type: ignore[arg-type]


MIXTURES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "definition": ({}, {"freq": "quarter"}),
    "confidence_level": ({}, {"confidence_level": 0.9}),
    "method": ({}, {"method": "none"}),
    "as_of": ({"as_of": "2026-05-31"}, {"as_of": "2026-06-30"}),
}


@pytest.mark.parametrize("what", MIXTURES)
def test_mixed_tables_are_refused(engine: Engine, what: str) -> None:
    log = engine.frame(log_columns())
    first, second = (lk.retention_rate(log, "id", "day", **words) for words in MIXTURES[what])
    mixed = stacked([with_column(first, "part", "a"), with_column(second, "part", "b")])
    with pytest.raises(ParameterError, match=f"mixes .*{what}"):
        lk.pool(mixed, over="part")


def test_mixed_metrics_are_refused(engine: Engine) -> None:
    log = engine.frame(log_columns())
    first, second = (function(log, "id", "day") for function in RATES)
    mixed = stacked([with_column(first, "part", "a"), with_column(second, "part", "b")])
    with pytest.raises(ParameterError, match="mixes metric: 'churn_rate', 'retention_rate'"):
        lk.pool(mixed, over="part")


def test_mixed_cut_offs_are_refused(engine: Engine) -> None:
    answers = engine.frame(ANSWERS)
    first = lk.nps(answers, "nps", by="sector")
    second = lk.nps(answers, "nps", by="sector", promoter_min=8)
    with pytest.raises(ParameterError, match="mixes definition"):
        lk.pool(stacked([first, second]), over="sector")


def test_mixed_ces_statistics_are_refused(engine: Engine) -> None:
    answers = engine.frame(ANSWERS)
    first = lk.ces(answers, "ces", by="sector", statistic="mean")
    second = lk.ces(answers, "ces", by="sector", statistic="box")
    with pytest.raises(ParameterError, match="mixes"):
        lk.pool(stacked([first, second]), over="sector")


def test_frames_that_are_no_metric_tables(engine: Engine) -> None:
    log = engine.frame(log_columns())
    for frame in (
        log,
        lk.customer_flow(log, "id", "day", by="sector"),
        lk.tally(engine.frame(ANSWERS), "nps", by="sector", scale=(0, 10)),
        lk.cohort_matrix(lk.cohort_retention(log, "id", "day", by="sector")),
    ):
        with pytest.raises(ParameterError, match="not a table of a metric function"):
            lk.pool(frame, over="sector")
    with pytest.raises(TypeError, match="result must be a DataFrame"):
        lk.pool([1, 2], over="sector")  # type: ignore[arg-type]


def test_an_unknown_metric_is_refused(engine: Engine) -> None:
    table = lk.retention_rate(engine.frame(log_columns()), "id", "day", by="sector")
    renamed: dict[str, list[Any]] = {name: column(table, name) for name in column_names(table)}
    renamed["metric"] = ["happiness"] * len(renamed["metric"])
    with pytest.raises(ParameterError, match="'happiness'"):
        lk.pool(engine.frame(renamed), over="sector")


def test_a_table_that_lost_its_counts_is_refused(engine: Engine) -> None:
    table = lk.nps(engine.frame(ANSWERS), "nps", by="sector")
    kept = [name for name in column_names(table) if name != "passives"]
    cut = table.select(kept) if not engine.is_pandas else table[kept]
    with pytest.raises(LoyaltyKitError, match="passives"):
        lk.pool(cut, over="sector")


def test_a_table_read_back_from_records_can_be_pooled(engine: Engine) -> None:
    # What a service stored: dates are text, and nulls made the counts floats.
    table = lk.retention_rate(engine.frame(log_columns()), "id", "day", by="sector")
    stored = pd.DataFrame(lk.to_records(table))
    pooled = frame_rows(lk.pool(stored, over="sector"))
    direct = frame_rows(lk.pool(table, over="sector"))
    for left, right in zip(pooled, direct, strict=True):
        assert left["n"] == right["n"]
        assert left["estimate"] == pytest.approx(right["estimate"])
        assert left["period"] == right["period"].isoformat()


# ---- pool: weighted tables ----------------------------------------------------------------------


def test_pooled_weights_are_the_table_of_all_answers() -> None:
    pooled = only_row(lk.pool(weighted_table(WEIGHTED_ROWS, SECTORS), over="sector"))
    whole = only_row(weighted_table(WEIGHTED_ROWS, ["all"]))
    assert list(pooled) == list(_results.NPS_WEIGHTED)
    for name, value in whole.items():
        assert pooled[name] == (
            pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
        )
    assert pooled["df"] == 11.0


def test_designs_are_not_pooled() -> None:
    table = weighted_table(WEIGHTED_ROWS, SECTORS, ";sampling=clusters")
    with pytest.raises(ParameterError, match="clusters, strata or a population: the error of rows"):
        lk.pool(table, over="sector")
