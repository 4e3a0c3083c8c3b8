"""What every public function promises: names, signatures, columns, engines, no surprises."""

from __future__ import annotations

import inspect
import json
import pickle
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from conftest import Engine, column_names, frame_rows

import loyaltykit as lk

PUBLIC = {
    *("nps", "csat", "ces", "tally", "nps_group"),
    *("nps_from_counts", "csat_from_counts", "ces_from_counts"),
    *("retention_rate_from_counts", "churn_rate_from_counts"),
    *("retention_rate", "churn_rate", "customer_flow", "cohort_retention", "cohort_matrix"),
    *("normalize_sector", "normalize_relationship", "normalize_loyalty_tier"),
    *("rake", "design_effect", "one_answer", "compare_paired"),
    *("attach_segments", "loyalty_tier", "pool", "compare"),
    *("lifecycle_stage", "tier_transitions", "rfm", "customer_lifetimes", "inactivity_gap"),
    *("scorecard", "scorecard_html", "scorecard_matrix", "to_records"),
    *("from_records", "record_schema"),
    *("explain_change", "quick_ratio", "survival_curve", "survival_quantile"),
    *("logrank", "restricted_mean", "revenue_retention"),
}
MODULES = {"datasets", "errors", "plot"}

POSITIONAL = {
    "nps": ["data", "score"],
    "csat": ["data", "score"],
    "ces": ["data", "score"],
    "tally": ["data", "score"],
    "nps_group": ["scores"],
    "retention_rate": ["data", "customer", "time"],
    "churn_rate": ["data", "customer", "time"],
    "customer_flow": ["data", "customer", "time"],
    "cohort_retention": ["data", "customer", "time"],
    "loyalty_tier": ["data", "customer", "time"],
    "lifecycle_stage": ["data", "customer", "time"],
    "tier_transitions": ["tiers", "customer"],
    "rfm": ["data", "customer", "time", "amount"],
    "customer_lifetimes": ["data", "customer", "time"],
    "inactivity_gap": ["data", "customer", "time"],
    "cohort_matrix": ["result", "values"],
    "scorecard_html": ["card"],
    "scorecard_matrix": ["card", "values"],
    "attach_segments": ["data", "segments"],
    "rake": ["data", "targets"],
    "design_effect": ["weights"],
    "one_answer": ["data", "customer", "time"],
    "compare_paired": ["data", "before", "after"],
    "quick_ratio": ["flow"],
    "survival_curve": ["data", "duration", "event"],
    "survival_quantile": ["result"],
    "logrank": ["data", "duration", "event"],
    "restricted_mean": ["data", "duration", "event"],
    "revenue_retention": ["data", "customer", "time", "amount"],
    "pool": ["result"],
    "compare": ["result", "across"],
    "explain_change": ["result", "across"],
    "to_records": ["result"],
    "from_records": ["records"],
    "record_schema": ["table"],
    "normalize_sector": ["values"],
    "normalize_relationship": ["values"],
    "normalize_loyalty_tier": ["values"],
}

ANSWERS: dict[str, list[Any]] = {
    "sector": ["B2B", "B2B", "B2C", None, "B2C", "B2B"],
    "nps": [10, 9, 3, 7, None, 8],
    "csat": [5, 4, 2, 3, 4, None],
    "ces": [7, 6, 4, None, 2, 5],
    "day": [*["2026-01-10"] * 3, *["2026-02-10"] * 3],
}
PANEL: dict[str, list[Any]] = {
    "sector": ANSWERS["sector"],
    "was": [1, 2, 3, None, 5, 3],
    "now": [4, 2, 5, 4, 4, None],
}
LOG: dict[str, list[Any]] = {
    "id": [1, 1, 2, 3, 3, 4],
    "sector": ["B2B", "B2B", "B2C", None, None, "B2C"],
    "day": ["2026-01-05", "2026-02-06", "2026-01-09", "2026-02-03", "2026-03-02", "2026-03-05"],
}
PAID: dict[str, list[Any]] = {
    **LOG,
    "paid": [3.5, 4.5, 3, 4, 2.5, 3],
    "told": [False, False, False, True, True, False],
}
CONTRACTS: dict[str, list[Any]] = {
    "id": [1, 2, 3, 1],
    "sector": ["B2B", "B2C", None, "B2B"],
    "start": ["2026-01-01", "2026-01-15", "2026-02-03", "2026-03-01"],
    "end": ["2026-02-15", None, "2026-02-20", None],
}
TIERS: dict[str, list[Any]] = {
    "id": [1, 1, 2],
    "valid_from": ["2026-01-01", "2026-02-01", "2026-01-01"],
    "tier": ["new", "loyal", "new"],
}
SPELLS: dict[str, list[Any]] = {
    "months": [3, 5, 5, 0, 8, 2],
    "left": [True, False, True, False, True, True],
    "weight": [0.5, 1.5, 1, 2, 1, 3],
    "sector": ANSWERS["sector"],
}
TERMS: dict[str, Any] = {"contract_end": "end", "as_of": "2026-03-31"}
ESTIMATES = ["estimate", "std_error", "ci_low", "ci_high"]
WORDS = ["confidence_level", "method", "unit", "definition"]


def metric(*counts: str) -> list[str]:
    return ["metric", "n", "n_missing", *counts, *ESTIMATES, *WORDS]


Call = Callable[[Engine], Any]
NPS = metric("promoters", "passives", "detractors")
CSAT = metric("satisfied")
CES = metric("easy", "neutral", "hard", "answer_sum", "answer_sumsq")
RATE = ["period", "coverage", *metric("retained", "churned"), "as_of"]
REVENUE = [
    *("cohort", "cohort_age", "coverage"),
    *metric(
        *("retained", "amount", "amount_start"),
        *("amount_sumsq", "amount_start_sumsq", "amount_cross"),
    ),
    "as_of",
]
MOVED = [
    *("retained", "start", "new", "expansion", "contraction", "churned", "reactivation", "end"),
    *("amount_sumsq", "amount_start_sumsq", "amount_cross", "reactivated", "reactivation_sumsq"),
]
EARNED = ["referred", "referred_amount", "referred_sumsq"]


def recurring(*more: str) -> list[str]:
    counts = ["metric", "n", "n_missing", *MOVED, *more, "logo_retention", *ESTIMATES]
    return ["period", "coverage", *counts, "n_effective", *WORDS, "as_of"]


COHORT = ["cohort", "cohort_age", "coverage", *metric("retained"), "as_of"]
FLOW = ["period", "coverage", "start", "new", "retained", "returned", "churned", "end"]
RATIO = ["period", "coverage", *metric("gained", "lost")]


def moves(engine: Engine) -> Any:
    tiers = lk.loyalty_tier(engine.frame(LOG), "id", "day", freq="month")
    return lk.tier_transitions(tiers, "id")


COMPARE = [
    *("reference", "n", "n_reference", "estimate", "estimate_reference", "difference", "std_error"),
    *("ci_low", "ci_high", "statistic", "df", "p_value", "p_adjusted", "adjust", *WORDS),
]

SURVIVAL = [
    *("duration", "at_risk", "events", "censored", "entered"),
    *(*ESTIMATES, "confidence_level", "method", "unit"),
]


def curve(engine: Engine, **options: Any) -> Any:
    return lk.survival_curve(engine.frame(SPELLS), "months", "left", **options)


def means(engine: Engine, **options: Any) -> Any:
    return lk.restricted_mean(engine.frame(SPELLS), "months", "left", horizon=4, **options)


# Every table that reports on groups, written out in full.
TABLES: dict[str, tuple[Call, list[str]]] = {
    "nps": (lambda e: lk.nps(e.frame(ANSWERS), "nps"), NPS),
    "nps by": (lambda e: lk.nps(e.frame(ANSWERS), "nps", by="sector"), ["sector", *NPS]),
    "nps by time": (
        lambda e: lk.nps(e.frame(ANSWERS), "nps", by=["sector"], time="day"),
        ["sector", "period", "coverage", *NPS],
    ),
    "csat": (lambda e: lk.csat(e.frame(ANSWERS), "csat"), CSAT),
    "ces": (lambda e: lk.ces(e.frame(ANSWERS), "ces"), CES),
    "tally": (
        lambda e: lk.tally(e.frame(ANSWERS), "nps", by="sector", time="day", scale=(0, 10)),
        ["sector", "period", "answer", "n"],
    ),
    "retention": (lambda e: lk.retention_rate(e.frame(LOG), "id", "day"), RATE),
    "churn": (lambda e: lk.churn_rate(e.frame(LOG), "id", "day"), RATE),
    "retention by": (
        lambda e: lk.retention_rate(e.frame(LOG), "id", "day", by="sector"),
        ["sector", *RATE],
    ),
    "flow": (lambda e: lk.customer_flow(e.frame(LOG), "id", "day"), FLOW),
    "flow of contracts": (
        lambda e: lk.customer_flow(e.frame(CONTRACTS), "id", "start", **TERMS),
        [*FLOW, "joined_and_left"],
    ),
    "flow with migration": (
        lambda e: lk.customer_flow(
            e.frame(CONTRACTS), "id", "start", by="tier", segments=e.frame(TIERS), **TERMS
        ),
        ["tier", *FLOW, "joined_and_left", "migrated_in", "migrated_out"],
    ),
    "flow of a log with migration": (
        lambda e: lk.customer_flow(
            e.frame(LOG), "id", "day", by="tier", segments=e.frame(TIERS), grace=1
        ),
        ["tier", *FLOW, "migrated_in", "migrated_out"],
    ),
    "churn by the average": (
        lambda e: lk.churn_rate(e.frame(CONTRACTS), "id", "start", denominator="average", **TERMS),
        ["period", "coverage", *metric("retained", "churned", "end"), "as_of"],
    ),
    "churn of renewals": (
        lambda e: lk.churn_rate(
            e.frame(CONTRACTS), "id", "start", denominator="renewal_due", by="sector", **TERMS
        ),
        ["sector", *RATE],
    ),
    "quick ratio": (
        lambda e: lk.quick_ratio(
            lk.customer_flow(e.frame(CONTRACTS), "id", "start", by="sector", **TERMS)
        ),
        ["sector", *RATIO],
    ),
    "pooled churn by the average": (
        lambda e: lk.pool(
            lk.churn_rate(e.frame(CONTRACTS), "id", "start", denominator="average", **TERMS),
            over="period",
        ),
        [*metric("retained", "churned", "end"), "as_of"],
    ),
    "cohorts": (lambda e: lk.cohort_retention(e.frame(LOG), "id", "day"), COHORT),
    "pooled cohorts": (
        lambda e: lk.pool(lk.cohort_retention(e.frame(LOG), "id", "day"), over="cohort"),
        [name for name in COHORT if name != "cohort"],
    ),
    "pooled sectors": (
        lambda e: lk.pool(lk.nps(e.frame(ANSWERS), "nps", by="sector"), over="sector"),
        NPS,
    ),
    "compare": (
        lambda e: lk.compare(lk.nps(e.frame(ANSWERS), "nps", by="sector"), "sector"),
        ["metric", "sector", *COMPARE],
    ),
    "compare within": (
        lambda e: lk.compare(
            lk.ces(e.frame(ANSWERS), "ces", by="sector", time="day"), "period", reference="previous"
        ),
        ["sector", "metric", "period", *COMPARE],
    ),
    "revenue retention": (
        lambda e: lk.revenue_retention(e.frame(PAID), "id", "day", "paid", by="sector"),
        ["sector", *recurring()],
    ),
    "revenue retention of contracts": (
        lambda e: lk.revenue_retention(
            e.frame({**CONTRACTS, "paid": [9.5, 8, 7, 9.5]}), "id", "start", "paid", **TERMS
        ),
        recurring(),
    ),
    "earned growth": (
        lambda e: lk.revenue_retention(e.frame(PAID), "id", "day", "paid", referred="told"),
        recurring(*EARNED),
    ),
    "revenue of cohorts": (
        lambda e: lk.cohort_retention(
            e.frame({**LOG, "spent": [1.5] * len(LOG["id"])}), "id", "day", amount="spent"
        ),
        REVENUE,
    ),
    "compare with the rest": (
        lambda e: lk.compare(
            lk.retention_rate(e.frame(LOG), "id", "day", by="sector"), "sector", reference="rest"
        ),
        ["period", "metric", "sector", *COMPARE],
    ),
    "change": (
        lambda e: lk.explain_change(
            lk.nps(e.frame(ANSWERS), "nps", by="sector", time="day"),
            "period",
            reference="previous",
            segment="sector",
        ),
        ["metric", "period", "reference", "sector", "part", *ESTIMATES, "unit", "definition"],
    ),
    "tier": (lambda e: lk.loyalty_tier(e.frame(LOG), "id", "day"), ["id", "tier"]),
    "tier through time": (
        lambda e: lk.loyalty_tier(e.frame(LOG), "id", "day", freq="month"),
        ["id", "valid_from", "tier"],
    ),
    "stage": (lambda e: lk.lifecycle_stage(e.frame(LOG), "id", "day"), ["id", "stage"]),
    "stage through time": (
        lambda e: lk.lifecycle_stage(e.frame(LOG), "id", "day", freq="month"),
        ["id", "valid_from", "stage"],
    ),
    "transitions": (
        moves,
        ["period", "coverage", "from_tier", "to_tier", *metric("moved")],
    ),
    "pooled transitions": (
        lambda e: lk.pool(moves(e), over="period"),
        ["from_tier", "to_tier", *metric("moved")],
    ),
    "rfm": (
        lambda e: lk.rfm(e.frame({**LOG, "paid": [1.5, 2, 0, 4, -5, 6]}), "id", "day", "paid"),
        [
            *("id", "frequency", "recency", "T", "monetary"),
            *("recency_score", "frequency_score", "monetary_score", "segment"),
        ],
    ),
    "lifetimes": (
        lambda e: lk.customer_lifetimes(e.frame(LOG), "id", "day", gap=30),
        ["id", "start", "duration", "event"],
    ),
    "gap": (
        lambda e: lk.inactivity_gap(e.frame(LOG), "id", "day"),
        ["gap", "n", "within", "proposed"],
    ),
    "survival": (lambda e: curve(e, by="sector"), ["sector", *SURVIVAL]),
    "weighted survival": (
        lambda e: curve(e, weights="weight"),
        [*SURVIVAL[:5], "w_at_risk", "w_events", *SURVIVAL[5:]],
    ),
    "logrank": (
        lambda e: lk.logrank(e.frame(SPELLS), "months", "left", by="sector"),
        ["sector", "n", "events", "expected", "statistic", "df", "p_value", "method"],
    ),
    "logrank of pairs": (
        lambda e: lk.logrank(e.frame(SPELLS), "months", "left", by="sector", pairwise=True),
        [
            *("sector", "reference", "n", "n_reference", "events", "events_reference"),
            *("expected", "expected_reference", "statistic", "df", "p_value"),
            *("p_adjusted", "adjust", "method"),
        ],
    ),
    "restricted mean": (lambda e: means(e, by="sector"), ["sector", *metric("events")]),
    "weighted restricted mean": (lambda e: means(e, weights="weight"), metric("events")),
    "compare restricted means": (
        lambda e: lk.compare(means(e, by="sector"), "sector"),
        ["metric", "sector", *COMPARE],
    ),
    "quantiles of survival": (
        lambda e: lk.survival_quantile(curve(e, by="sector"), share=[0.25, 0.5]),
        [
            *("sector", "share", "estimate", "ci_low", "ci_high"),
            *("confidence_level", "method", "unit"),
        ],
    ),
    "paired": (
        lambda e: lk.compare_paired(e.frame(PANEL), "was", "now", metric="csat", by="sector"),
        [
            *("sector", "metric", "level", "reference", "n", "n_reference", "n_missing"),
            *("estimate", "estimate_reference", "difference", "std_error", "ci_low", "ci_high"),
            *("statistic", "df", "p_value", "p_adjusted", "adjust", *WORDS),
        ],
    ),
    "scorecard": (
        lambda e: lk.scorecard(
            lk.nps(e.frame(ANSWERS), "nps", by="sector"), lk.csat(e.frame(ANSWERS), "csat")
        ),
        ["name", "dimension", "level", "metric", "n", "n_missing", *ESTIMATES, *WORDS],
    ),
    "scorecard with periods": (
        lambda e: lk.scorecard(
            lk.retention_rate(e.frame(LOG), "id", "day"), lk.csat(e.frame(ANSWERS), "csat")
        ),
        [
            *("name", "dimension", "level", "period", "coverage", "metric", "n", "n_missing"),
            *(*ESTIMATES, *WORDS, "as_of"),
        ],
    ),
}


def test_public_names() -> None:
    assert set(lk.__all__) == PUBLIC | MODULES
    assert all(hasattr(lk, name) for name in lk.__all__)
    assert lk.__all__ == sorted(lk.__all__)


@pytest.mark.parametrize("name", sorted(PUBLIC - {"scorecard"}))
def test_only_columns_and_values_are_positional(name: str) -> None:
    parameters = inspect.signature(getattr(lk, name)).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == POSITIONAL.get(name, [])


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_function_is_annotated_and_shows_an_example(name: str) -> None:
    function = getattr(lk, name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    assert ">>> " in (function.__doc__ or "")


@pytest.mark.parametrize("name", TABLES)
def test_columns(engine: Engine, name: str) -> None:
    make, columns = TABLES[name]
    assert column_names(make(engine)) == columns


@pytest.mark.parametrize("name", TABLES)
def test_same_engine_out(engine: Engine, name: str) -> None:
    result = TABLES[name][0](engine)
    assert type(result) is type(engine.frame(ANSWERS))


@pytest.mark.parametrize("name", TABLES)
def test_all_engines_agree_to_the_bit(engine: Engine, name: str) -> None:
    make, _ = TABLES[name]
    assert frame_rows(make(engine)) == frame_rows(make(Engine("pandas")))


@pytest.mark.parametrize("name", TABLES)
def test_strict_json(engine: Engine, name: str) -> None:
    records = lk.to_records(TABLES[name][0](engine))
    assert json.loads(json.dumps(records, allow_nan=False)) == records


@pytest.mark.parametrize("name", TABLES)
def test_plain_pandas_tables(name: str) -> None:
    result = TABLES[name][0](Engine("pandas"))
    assert type(result) is pd.DataFrame
    assert result.attrs == {}
    assert result.index.equals(pd.RangeIndex(len(result)))
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(result)), result)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_same_twice(engine: Engine, name: str) -> None:
    make, _ = TABLES[name]
    assert frame_rows(make(engine)) == frame_rows(make(engine))
