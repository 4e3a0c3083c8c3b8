"""The table contract: columns, reserved names, definition strings, dtypes, nulls."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Engine, column_names, dtype_names, frame_rows

from loyaltykit import _frame, _results

ESTIMATES = ("estimate", "std_error", "ci_low", "ci_high")
WORDS = ("confidence_level", "method", "unit", "definition")

# ---- names: column by column as in DESIGN.md, "Tables" -------------------------------------------


REVENUE = (
    *("retained", "start", "new", "expansion", "contraction", "churned", "reactivation", "end"),
    *("amount_sumsq", "amount_start_sumsq", "amount_cross", "reactivated", "reactivation_sumsq"),
)
REFERRED = ("referred", "referred_amount", "referred_sumsq")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            _results.NPS,
            ("metric", "n", "n_missing", "promoters", "passives", "detractors", *ESTIMATES, *WORDS),
        ),
        (_results.CSAT, ("metric", "n", "n_missing", "satisfied", *ESTIMATES, *WORDS)),
        (
            _results.CES,
            (
                *("metric", "n", "n_missing"),
                *("easy", "neutral", "hard", "answer_sum", "answer_sumsq"),
                *ESTIMATES,
                *WORDS,
            ),
        ),
        (
            _results.NPS_WEIGHTED,
            (
                *("metric", "n", "n_missing", "promoters", "passives", "detractors"),
                *("w_promoters", "w_passives", "w_detractors"),
                *("w2_promoters", "w2_passives", "w2_detractors"),
                *ESTIMATES,
                *("n_effective", "df"),
                *WORDS,
            ),
        ),
        (
            _results.CSAT_WEIGHTED,
            (
                *("metric", "n", "n_missing", "satisfied"),
                *("w_satisfied", "w_unsatisfied", "w2_satisfied", "w2_unsatisfied"),
                *ESTIMATES,
                *("n_effective", "df"),
                *WORDS,
            ),
        ),
        (
            _results.CES_WEIGHTED,
            (
                *("metric", "n", "n_missing"),
                *("easy", "neutral", "hard", "answer_sum", "answer_sumsq"),
                *("w_easy", "w_neutral", "w_hard", "w_answer_sum", "w_answer_sumsq"),
                *("w2_easy", "w2_neutral", "w2_hard", "w2_answer_sum", "w2_answer_sumsq"),
                *ESTIMATES,
                *("n_effective", "df"),
                *WORDS,
            ),
        ),
        (_results.RESTRICTED_MEAN, ("metric", "n", "n_missing", "events", *ESTIMATES, *WORDS)),
        (_results.LOGRANK, ("n", "events", "expected", "statistic", "df", "p_value", "method")),
        (
            _results.LOGRANK_PAIRS,
            (
                *("reference", "n", "n_reference", "events", "events_reference"),
                *("expected", "expected_reference", "statistic", "df", "p_value"),
                *("p_adjusted", "adjust", "method"),
            ),
        ),
        (_results.TALLY, ("answer", "n")),
        (_results.TALLY_WEIGHTED, ("cluster", "answer", "n", "weight", "weight_sq")),
        (
            _results.RETENTION_RATE,
            (
                *("period", "coverage", "metric", "n", "n_missing", "retained", "churned"),
                *ESTIMATES,
                *WORDS,
                "as_of",
            ),
        ),
        (
            _results.COHORT_RETENTION,
            (
                *("cohort", "cohort_age", "coverage", "metric", "n", "n_missing", "retained"),
                *ESTIMATES,
                *WORDS,
                "as_of",
            ),
        ),
        (
            _results.TIER_TRANSITIONS,
            (
                *("period", "coverage", "from_tier", "to_tier"),
                *("metric", "n", "n_missing", "moved"),
                *ESTIMATES,
                *WORDS,
            ),
        ),
        (
            _results.COHORT_REVENUE,
            (
                *("cohort", "cohort_age", "coverage", "metric", "n", "n_missing", "retained"),
                *("amount", "amount_start", "amount_sumsq", "amount_start_sumsq", "amount_cross"),
                *ESTIMATES,
                *WORDS,
                "as_of",
            ),
        ),
        (
            _results.REVENUE_RETENTION,
            (
                *("period", "coverage", "metric", "n", "n_missing", *REVENUE),
                *("logo_retention", *ESTIMATES, "n_effective", *WORDS, "as_of"),
            ),
        ),
        (
            _results.EARNED_GROWTH,
            (
                *("period", "coverage", "metric", "n", "n_missing", *REVENUE, *REFERRED),
                *("logo_retention", *ESTIMATES, "n_effective", *WORDS, "as_of"),
            ),
        ),
        (
            _results.CUSTOMER_FLOW,
            ("period", "coverage", "start", "new", "retained", "returned", "churned", "end"),
        ),
        (
            _results.COMPARE,
            (
                *("reference", "n", "n_reference", "estimate", "estimate_reference", "difference"),
                *("std_error", "ci_low", "ci_high", "statistic", "df", "p_value", "p_adjusted"),
                *("adjust", *WORDS),
            ),
        ),
        (
            _results.EXPLAIN_CHANGE,
            ("metric", "reference", "part", *ESTIMATES, "unit", "definition"),
        ),
        (
            _results.SURVIVAL,
            (
                *("duration", "at_risk", "events", "censored", "entered"),
                *(*ESTIMATES, "confidence_level", "method", "unit"),
            ),
        ),
        (
            _results.SURVIVAL_WEIGHTED,
            (
                *("duration", "at_risk", "events", "censored", "entered", "w_at_risk", "w_events"),
                *(*ESTIMATES, "confidence_level", "method", "unit"),
            ),
        ),
        (
            _results.SURVIVAL_QUANTILE,
            ("share", "estimate", "ci_low", "ci_high", "confidence_level", "method", "unit"),
        ),
        (
            _results.SCORECARD,
            ("name", "dimension", "level", "metric", "n", "n_missing", *ESTIMATES, *WORDS),
        ),
    ],
)
def test_column_tuples(columns: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert columns == expected


def test_churn_has_the_columns_of_retention() -> None:
    assert _results.CHURN_RATE == _results.RETENTION_RATE
    assert _results.COUNTS["churn_rate"] == ("retained", "churned")


# "Every column name of every contract table is reserved" (DESIGN.md, Rulings), those of tables and
# of weighted columns that later work brings included.
RESERVED = {
    *("period", "cohort", "cohort_age", "coverage", "metric", "n", "n_missing", "as_of"),
    *("promoters", "passives", "detractors", "satisfied"),
    *("easy", "neutral", "hard", "answer_sum", "answer_sumsq", "retained", "churned"),
    *ESTIMATES,
    *WORDS,
    *("n_effective", "df", "cluster", "answer", "weight", "weight_sq"),
    *("start", "new", "returned", "end", "joined_and_left", "migrated_in", "migrated_out"),
    *("gained", "lost"),
    *REVENUE,
    *REFERRED,
    "logo_retention",
    *("from_tier", "to_tier", "moved"),
    *("reference", "n_reference", "estimate_reference", "difference", "statistic"),
    *("p_value", "p_adjusted", "adjust", "part"),
    *("duration", "at_risk", "events", "censored", "entered", "w_at_risk", "w_events", "share"),
    *("expected", "events_reference", "expected_reference"),
    *("name", "dimension", "level"),
    *("amount", "amount_start", "amount_sumsq", "amount_start_sumsq", "amount_cross"),
    *("w_promoters", "w_passives", "w_detractors", "w_satisfied", "w_easy", "w_neutral", "w_hard"),
    *("w2_promoters", "w2_passives", "w2_detractors", "w2_satisfied"),
    *("w2_easy", "w2_neutral", "w2_hard"),
    *("w_unsatisfied", "w2_unsatisfied", "w_answer_sum", "w_answer_sumsq"),
    *("w2_answer_sum", "w2_answer_sumsq"),
}


def test_reserved_names() -> None:
    assert _results.RESERVED == RESERVED


def test_the_words_of_the_three_splits() -> None:
    assert _results.SECTORS == ("B2B", "B2C", "B2G", "NPO")
    assert _results.RELATIONSHIPS == ("internal", "external")
    assert _results.TIERS == ("prospect", "new", "repeat", "loyal")
    assert _results.TIERS_AND_LAPSED == ("prospect", "lapsed", "new", "repeat", "loyal")


# ---- definition strings: quoted from DESIGN.md, "Rulings" -------------------------------------


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (_results.nps_definition((0, 10), 9, 6), "scale=0..10;promoter>=9;detractor<=6"),
        (_results.nps_definition((1, 5), 5, 3), "scale=1..5;promoter>=5;detractor<=3"),
        (_results.csat_definition((1, 5), 4), "scale=1..5;satisfied>=4"),
        (
            _results.ces_definition((1, 7), "ease", "mean", 5, 3),
            "scale=1..7;direction=ease;statistic=mean;easy>=5;hard<=3",
        ),
        (
            _results.ces_definition((1, 7), "effort", "net", 3, 5),
            "scale=1..7;direction=effort;statistic=net;easy<=3;hard>=5",
        ),
        (_results.rate_definition("month", 0), "basis=log;freq=month;grace=0"),
        (
            _results.rate_definition("week", 2, denominator="average"),
            "basis=log;freq=week;grace=2;denominator=average",
        ),
        (
            _results.rate_definition("year", 0, contracts=True, denominator="renewal_due"),
            "basis=contracts;freq=year;denominator=renewal_due",
        ),
        (
            _results.ratio_definition(contracts=True),
            "gained=new+returned+joined_and_left;lost=churned+joined_and_left",
        ),
        (_results.cohort_definition("month"), "basis=log;freq=month;window=calendar;rule=on"),
        (
            _results.cohort_definition(
                "day", "rolling", "brackets(0,1,4)", "hour", {"start_event": "signed_up"}
            ),
            "basis=log;freq=day;window=rolling;rule=brackets(0,1,4);floor=hour;start_event=signed_up",
        ),
    ],
)
def test_definition_strings(made: str, expected: str) -> None:
    assert made == expected


# ---- assembly -----------------------------------------------------------------------------------

INTEGERS = {
    "pandas": "int64",
    "pandas-nullable": "int64",
    "pandas-arrow": "int64",
    "polars": "Int64",
    "pyarrow": "int64",
}
NULLABLE = {**INTEGERS, "pandas": "Int64", "pandas-nullable": "Int64", "pandas-arrow": "Int64"}
FLOATS = {
    "pandas": "float64",
    "pandas-nullable": "float64",
    "pandas-arrow": "float64",
    "polars": "Float64",
    "pyarrow": "double",
}
DATES = {
    "pandas": "datetime64[us]",
    "pandas-nullable": "datetime64[us]",
    "pandas-arrow": "datetime64[us]",
    "polars": "Date",
    "pyarrow": "date32[day]",
}


def two_periods(engine: Engine, second_is_null: bool) -> object:
    """Make a table of one observed and one empty or unobserved row."""
    mask = [False, second_is_null]
    n = np.ma.masked_array([4, 0], mask=mask) if second_is_null else np.array([4, 0])
    up = np.ma.masked_array([3, 0], mask=mask) if second_is_null else np.array([3, 0])
    return _results.metric_table(
        _frame.open_frame(engine.frame({"tier": ["new", None]})),
        "retention_rate",
        {"retained": up, "churned": n - up},
        n,
        np.zeros(2, dtype=np.int64),
        before={
            "period": np.array(["2026-01-01", "2026-02-01"], dtype="datetime64[D]"),
            "coverage": _results.coverage(
                np.array([True, False]), np.array([False, not second_is_null])
            ),
        },
        after={"as_of": np.datetime64("2026-02-10")},
        method="wilson",
        confidence_level=0.95,
        definition="d",
    )


def test_table_has_the_contract_columns(engine: Engine) -> None:
    table = two_periods(engine, second_is_null=False)
    assert column_names(table) == ["tier", *_results.RETENTION_RATE]


def test_empty_is_not_unobserved(engine: Engine) -> None:
    """Zero answers mean observed and empty; what was not observed is null (DESIGN.md, Rulings)."""
    counts = ("n", "retained", "churned")
    _, empty = frame_rows(two_periods(engine, second_is_null=False))
    assert [empty[name] for name in counts] == [0, 0, 0]
    assert [empty[name] for name in ESTIMATES] == [None] * 4
    assert empty["coverage"] == "partial"
    _, unobserved = frame_rows(two_periods(engine, second_is_null=True))
    assert [unobserved[name] for name in (*counts, *ESTIMATES)] == [None] * 7
    assert unobserved["coverage"] == "unobserved"


def test_dtypes(engine: Engine) -> None:
    dtypes = dtype_names(two_periods(engine, second_is_null=False))
    for name in ("n", "n_missing", "retained", "churned"):
        assert dtypes[name] == INTEGERS[engine.name]
    for name in (*ESTIMATES, "confidence_level"):
        assert dtypes[name] == FLOATS[engine.name]
    for name in ("period", "as_of"):
        assert dtypes[name] == DATES[engine.name]
    null_dtypes = dtype_names(two_periods(engine, second_is_null=True))
    assert null_dtypes["n"] == null_dtypes["retained"] == NULLABLE[engine.name]


def test_polars_and_arrow_hold_null_and_never_nan() -> None:
    polars = two_periods(Engine("polars"), second_is_null=True)
    arrow = two_periods(Engine("pyarrow"), second_is_null=True)
    for name in ESTIMATES:
        assert polars[name].to_list()[1] is None  # type: ignore[index]
        assert arrow[name].to_pylist()[1] is None  # type: ignore[index]


def test_words_of_coverage() -> None:
    words = _results.coverage(np.array([True, False, False]), np.array([False, True, False]))
    assert words.tolist() == ["observed", "partial", "unobserved"]
