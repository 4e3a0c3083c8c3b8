"""Stages of a customer's life: the rule and its edges, against a loop over customers and dates."""

from __future__ import annotations

import datetime as dt
from typing import Any

import oracles
import pandas as pd
import polars as pl
import pytest
from conftest import Engine, categories_of, column_names, dtype_names, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import days
from random_logs import Case, cases

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    LoyaltyKitError,
    ParameterError,
)

STAGES = ["acquisition", "onboarding", "retention", "at_risk", "churned", "advocacy"]
ONE_DAY = dt.timedelta(days=1)

unhurried = settings(deadline=None, max_examples=20)


def stages_of(table: Any) -> dict[Any, str]:
    return {row["id"]: row["stage"] for row in frame_rows(table)}


def stage_of_one(engine: Engine, *purchases: str, **keywords: Any) -> str:
    """Return the stage of the only customer."""
    log = engine.frame({"id": [1] * len(purchases), "day": days(*purchases)})
    return stages_of(lk.lifecycle_stage(log, "id", "day", **keywords))[1]


def answers_of(engine: Engine, *rows: tuple[int, Any, str]) -> Any:
    ids, scores, when = zip(*rows, strict=True)
    return engine.frame({"id": list(ids), "score": list(scores), "time": days(*when)})


# ---- the rule -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "stage"),
    [
        ("2026-01-31", "onboarding"),
        ("2026-04-01", "onboarding"),  # the 90th day after the first purchase
        ("2026-04-02", "retention"),  # the 91st
        ("2026-04-04", "retention"),  # 62 is twice the rhythm, and not more
        ("2026-04-05", "at_risk"),
        ("2026-06-05", "at_risk"),  # 124 is four times the rhythm, and not more
        ("2026-06-06", "churned"),
    ],
)
def test_silence_against_the_customers_own_rhythm(engine: Engine, as_of: str, stage: str) -> None:
    """First on 1 January, then on 1 February: a rhythm of 31 days."""
    assert stage_of_one(engine, "2026-01-01", "2026-02-01", as_of=as_of) == stage


@pytest.mark.parametrize(
    ("as_of", "stage"),
    [("2026-01-31", "onboarding"), ("2026-02-01", "at_risk"), ("2026-03-03", "churned")],
)
def test_who_bought_once_has_the_usual_gap(engine: Engine, as_of: str, stage: str) -> None:
    """30 days are twice 15; 61 are more than four times."""
    assert stage_of_one(engine, "2026-01-01", as_of=as_of, usual_gap=15) == stage


@pytest.mark.parametrize(
    ("as_of", "stage"),
    [
        ("2026-01-16", "onboarding"),
        ("2026-01-17", "at_risk"),
        ("2026-01-30", "at_risk"),
        ("2026-01-31", "churned"),
    ],
)
def test_two_days_in_a_row_make_no_rhythm_of_a_day(engine: Engine, as_of: str, stage: str) -> None:
    """A week is the least: silent for more than 14 days on the 17th, more than 28 on the 31st."""
    assert stage_of_one(engine, "2026-01-01", "2026-01-02", as_of=as_of) == stage


def test_the_least_gap_can_be_another(engine: Engine) -> None:
    bought = ("2026-01-01", "2026-01-02")
    assert stage_of_one(engine, *bought, as_of="2026-01-07", least_gap=1) == "churned"


def test_several_purchases_on_a_day_are_one(engine: Engine) -> None:
    """Else the rhythm would be half as long."""
    bought = ("2026-01-01", "2026-02-01", "2026-02-01", "2026-02-01")
    assert stage_of_one(engine, *bought, as_of="2026-04-04") == "retention"


@pytest.mark.parametrize(
    ("score", "stage"), [(10, "advocacy"), (9, "advocacy"), (8, "retention"), (None, "retention")]
)
def test_a_promoter_is_an_advocate(engine: Engine, score: Any, stage: str) -> None:
    answers = answers_of(engine, (1, score, "2026-03-01"), (2, 10, "2026-03-01"))
    bought = ("2026-01-01", "2026-02-01", "2026-04-01")
    assert stage_of_one(engine, *bought, as_of="2026-04-30", answers=answers) == stage


def test_the_latest_answer_speaks_and_nulls_are_none(engine: Engine) -> None:
    bought = ("2026-01-01", "2026-02-01", "2026-04-01")
    for latest, stage in ((3, "retention"), (None, "advocacy")):
        answers = answers_of(engine, (1, latest, "2026-03-20"), (1, 9, "2026-03-01"))
        assert stage_of_one(engine, *bought, as_of="2026-04-30", answers=answers) == stage


def test_of_answers_on_one_day_the_lowest_counts(engine: Engine) -> None:
    bought = ("2026-01-01", "2026-02-01", "2026-04-01")
    answers = answers_of(engine, (1, 10, "2026-03-20"), (1, 8, "2026-03-20"), (1, 9, "2026-03-20"))
    assert stage_of_one(engine, *bought, as_of="2026-04-30", answers=answers) == "retention"


def test_an_answer_counts_from_the_day_after(engine: Engine) -> None:
    """On the date itself it is known; at a start on that date it is not yet."""
    bought = ("2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01")
    answers = answers_of(engine, (1, 10, "2025-04-30"))
    assert stage_of_one(engine, *bought, as_of="2025-04-29", answers=answers) == "retention"
    assert stage_of_one(engine, *bought, as_of="2025-04-30", answers=answers) == "advocacy"
    log = engine.frame({"id": [1] * 4, "day": days(*bought)})
    answers = answers_of(engine, (1, 10, "2025-05-01"))
    table = lk.lifecycle_stage(
        log, "id", "day", freq="month", answers=answers, as_of="2025-06-01", onboarding=30
    )
    assert [row["stage"] for row in frame_rows(table)][-2:] == ["retention", "advocacy"]


def test_silence_speaks_before_tenure_and_both_before_the_answer(engine: Engine) -> None:
    answers = answers_of(engine, (1, 10, "2026-01-01"))
    keywords: dict[str, Any] = {"answers": answers, "usual_gap": 10}
    for as_of, stage in (("2026-01-11", "onboarding"), ("2026-01-31", "at_risk")):
        assert stage_of_one(engine, "2026-01-01", as_of=as_of, **keywords) == stage


def test_who_never_bought_is_in_acquisition(engine: Engine) -> None:
    log = engine.frame({"id": [1, 2], "day": days(*["2026-01-01"] * 2), "buy": [True, False]})
    table = lk.lifecycle_stage(
        log,
        "id",
        "day",
        purchase="buy",
        customers=engine.frame({"id": [5]}),
        answers=answers_of(engine, (5, 10, "2026-01-01"), (6, 10, "2026-01-01")),
    )
    assert stages_of(table) == {1: "onboarding", 2: "acquisition", 5: "acquisition"}


# ---- against the naive answer -------------------------------------------------------------------


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw rhythms that the random logs have, and multiples that are exact."""
    at_risk = draw(st.integers(1, 8)) / 4
    return {
        "onboarding": draw(st.integers(0, 60)),
        "usual_gap": draw(st.integers(1, 90)),
        "least_gap": draw(st.integers(1, 9)),
        "at_risk_after": at_risk,
        "churned_after": at_risk + draw(st.integers(1, 8)) / 4,
    }


@st.composite
def told(draw: st.DrawFn, case: Case) -> list[tuple[int, int, dt.date]]:
    around = st.integers(-40, 300).map(lambda i: case.log[0][1] + dt.timedelta(days=i))
    return draw(st.lists(st.tuples(st.integers(1, 8), st.integers(7, 10), around), max_size=12))


def arguments_of(
    engine: Engine, case: Case, answers: list[tuple[int, int, dt.date]]
) -> tuple[Any, dict[str, Any]]:
    log, keywords = case.arguments(engine.name)
    del keywords["freq"]
    if answers:
        ids, scores, when = (list(values) for values in zip(*answers, strict=True))
        keywords["answers"] = engine.frame({"id": ids, "score": scores, "time": when})
    return log, keywords


@given(data=st.data(), case=cases(split=False), rule=rules())
@unhurried
def test_stage_as_of_a_date(
    engine: Engine, data: st.DataObject, case: Case, rule: dict[str, Any]
) -> None:
    answers = data.draw(told(case))
    frame, keywords = arguments_of(engine, case, answers)
    log = [(*row, True) for row in case.log]
    expected = oracles.lifecycle_stage(log, case.end, (), answers, **rule)
    assert stages_of(lk.lifecycle_stage(frame, "id", "day", **keywords, **rule)) == expected


@given(data=st.data(), case=cases(split=False), rule=rules())
@unhurried
def test_stage_at_a_start_is_that_as_of_the_day_before(
    engine: Engine, data: st.DataObject, case: Case, rule: dict[str, Any]
) -> None:
    frame, keywords = arguments_of(engine, case, data.draw(told(case)))
    keywords |= rule
    table = frame_rows(lk.lifecycle_stage(frame, "id", "day", freq=case.freq, **keywords))
    first = min(day for _, day in case.log)
    for start in {row["valid_from"] for row in table if row["valid_from"] > first}:
        at_start = {row["id"]: row["stage"] for row in table if row["valid_from"] == start}
        keywords["as_of"] = start - ONE_DAY
        assert at_start == stages_of(lk.lifecycle_stage(frame, "id", "day", **keywords))


# ---- the table ----------------------------------------------------------------------------------


@pytest.mark.parametrize("freq", [None, "month"])
def test_types_of_the_columns(engine: Engine, freq: Any) -> None:
    log = engine.frame({"id": [2, 1], "day": days("2026-01-05", "2026-02-06")})
    table = lk.lifecycle_stage(log, "id", "day", freq=freq)
    assert type(table) is type(log)
    assert column_names(table) == ["id", *(["valid_from"] if freq else []), "stage"]
    assert categories_of(table["stage"]) == STAGES
    assert dtype_names(table)["id"] == dtype_names(log)["id"]


def test_stages_are_ready_for_segments() -> None:
    log = pd.DataFrame({"id": [1, 1, 2], "day": days("2026-01-05", "2026-02-06", "2026-01-09")})
    stages = lk.lifecycle_stage(log, "id", "day", freq="month")
    rates = lk.retention_rate(log, "id", "day", by="stage", segments=stages)
    found = [(row["stage"], row["n"], row["retained"]) for row in frame_rows(rates) if row["n"]]
    assert found == [("onboarding", 2, 1)]


def test_a_log_without_rows(engine: Engine) -> None:
    log = engine.typed({"id": [], "day": []}, "id", "int64")
    answers = answers_of(engine, (1, 10, "2026-01-01"))
    assert frame_rows(lk.lifecycle_stage(log, "id", "day", answers=answers)) == []
    listed = engine.frame({"id": [1]})
    table = lk.lifecycle_stage(log, "id", "day", customers=listed, answers=answers)
    assert stages_of(table) == {1: "acquisition"}


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (
            [11, 9],
            r"^'score': 1 row with answers that are not whole points of the scale 0 to 10: 11",
        ),
        ([7.5, 9.0], r"^'score': 1 row .*: 7\.5\. Make codes that mean 'no answer' null"),
        (["good", "9"], r"^'score': 1 row .*: 'good'\."),
    ],
)
def test_scores_off_the_scale(engine: Engine, scores: list[Any], message: str) -> None:
    log = engine.frame({"id": [1, 2], "day": days("2026-01-01", "2026-01-02")})
    answers = engine.frame(
        {"id": [1, 1], "score": scores, "time": days("2026-01-01", "2026-01-02")}
    )
    with pytest.raises(DataError, match=message):
        lk.lifecycle_stage(log, "id", "day", answers=answers)
    with pytest.warns(
        DroppedRowsWarning, match=r"^1 row left out: no answer from 0 to 10 in 'scor"
    ):
        table = lk.lifecycle_stage(
            log, "id", "day", answers=answers, errors="coerce", onboarding=0, as_of="2026-01-10"
        )
    assert stages_of(table) == {1: "advocacy", 2: "retention"}


def test_answers_without_a_customer_or_a_date(engine: Engine) -> None:
    log = engine.frame({"id": ["a"], "day": days("2026-01-01")})
    columns: dict[str, list[Any]]
    columns = {"id": ["a", None], "score": [9, 9], "time": days("2026-01-01", "2026-01-02")}
    with pytest.raises(DataError, match=r"^'id': 1 row without a customer"):
        lk.lifecycle_stage(log, "id", "day", answers=engine.frame(columns))
    columns = {"id": ["a", "a"], "score": [9, 9], "time": ["2026-01-01", "soon"]}
    with pytest.raises(
        DataError, match=r"^'time': 1 row with times that are not ISO dates .*'soon'"
    ):
        lk.lifecycle_stage(log, "id", "day", answers=engine.frame(columns))
    with pytest.warns(DroppedRowsWarning, match="^1 row left out: no customer or no usable date"):
        lk.lifecycle_stage(log, "id", "day", answers=engine.frame(columns), errors="coerce")


def test_answers_of_another_kind() -> None:
    log = pd.DataFrame({"id": [1], "day": days("2026-01-01")})
    answers: dict[str, list[Any]] = {"id": ["a"], "score": [9], "time": days("2026-01-01")}
    with pytest.raises(TypeError, match=r"answers is a .* frame and data a .* one"):
        lk.lifecycle_stage(log, "id", "day", answers=pl.DataFrame(answers))
    with pytest.raises(DataError, match="'id' holds numbers in data and text in answers"):
        lk.lifecycle_stage(log, "id", "day", answers=pd.DataFrame(answers))
    with pytest.raises(ColumnNotFoundError, match="score='nps': answers has no such column"):
        lk.lifecycle_stage(log, "id", "day", answers=pd.DataFrame(answers), score="nps")


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"onboarding": -1}, ParameterError, "onboarding=-1 must be at least 0"),
        ({"onboarding": 2.5}, TypeError, "onboarding must be a whole number"),
        ({"usual_gap": 0}, ParameterError, "usual_gap=0 must be a number above 0"),
        ({"least_gap": float("nan")}, ParameterError, "least_gap=nan must be a number above 0"),
        ({"churned_after": "4"}, TypeError, "churned_after must be a number, not str"),
        ({"at_risk_after": 4}, ParameterError, "at_risk_after=4 must be below churned_after=4.0"),
        ({"freq": "M"}, ParameterError, "'M' is written 'month' here"),
        ({"errors": "ignore"}, ParameterError, "errors='ignore' is not one of"),
    ],
)
def test_bad_parameters(keywords: dict[str, Any], error: type[Exception], message: str) -> None:
    log = pd.DataFrame({"id": [1], "day": days("2026-01-01")})
    with pytest.raises(error, match=message) as caught:
        lk.lifecycle_stage(log, "id", "day", **keywords)
    assert isinstance(caught.value, (TypeError, LoyaltyKitError))


def test_a_customer_named_as_the_column_made() -> None:
    log = pd.DataFrame({"stage": [1], "day": days("2026-01-01")})
    with pytest.raises(ParameterError, match="customer='stage': a result table has a column"):
        lk.lifecycle_stage(log, "stage", "day")


def test_names_of_columns_of_answers_need_answers() -> None:
    log = pd.DataFrame({"id": [1], "day": ["2026-01-05"]})
    with pytest.raises(ParameterError, match="score= and answered= name columns of answers="):
        lk.lifecycle_stage(log, "id", "day", score="nps")
