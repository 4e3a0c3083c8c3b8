"""What the suite over every engine asks of tiers, stages, moves, scores and lifetimes."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from conftest import Engine, Rows, frame_rows
from engine_cases import (
    CASES,
    LOG,
    MOMENTS,
    OWN_KIND,
    TIERS,
    VISITS,
    Case,
    aware_log,
    case,
    cycle,
    log,
    no_log,
    own_kind,
    without,
)
from flow_cases import BACKWARDS, CONTRACTS, TERMS, contracts, midnights, moments, no_contracts

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    ParameterError,
)

STAGES = ["acquisition", "onboarding", "retention", "at_risk", "churned", "advocacy"]

# Several answers a customer, some on one day, some null, some before the log; 40 to 43 are unknown.
ANSWERS: dict[str, list[Any]] = {
    "id": [i for i in range(44) if i % 7 for _ in range(3)],
    "score": without(cycle([9, 10, 3, 10, 9, 10, 8], 111, 3), 10),
    "time": [dt.date(2025, 11, 1) + dt.timedelta(days=i * 37 % 190 // 2 * 2) for i in range(111)],
}
# Every fifth row is a return, and some are free.
AMOUNTS = [[12.5, 30.1, 0.0, 7.25, -10.1][i * 3 % 5] for i in range(len(VISITS))]


def stage(engine: Engine, **options: Any) -> Any:
    answers = engine.frame(ANSWERS)
    return lk.lifecycle_stage(log(engine), "id", "day", answers=answers, **options)


# ---- tiers --------------------------------------------------------------------------------------


@own_kind("id")
def tier_with_lapsed_customers(engine: Engine) -> Any:
    options: dict[str, Any] = {"as_of": "2026-05-31", "purchase": "bought"}
    return lk.loyalty_tier(log(engine), "id", "day", lapsed_after=2, **options)


def lapsed_through_time(freq: str) -> Case:
    def make(engine: Engine) -> Any:
        listed = engine.frame({"id": [2, 40]})
        options: dict[str, Any] = {"freq": freq, "customers": listed, "purchase": "bought"}
        return lk.loyalty_tier(log(engine), "id", "day", lapsed_after=1, **options)

    return make


for _freq in ("week", "month"):
    OWN_KIND[f"tier_with_lapsed_by_{_freq}"] = ["id", "valid_from"]
    CASES[f"tier_with_lapsed_by_{_freq}"] = lapsed_through_time(_freq)


# ---- stages -------------------------------------------------------------------------------------


@own_kind("id")
def stage_as_of_the_last_row(engine: Engine) -> Any:
    return lk.lifecycle_stage(log(engine), "id", "day")


@own_kind("id")
def stage_with_answers(engine: Engine) -> Any:
    return stage(engine, as_of="2026-04-10", onboarding=60, customers=engine.frame({"id": [43, 7]}))


@own_kind("id", "valid_from")
def stage_by_month(engine: Engine) -> Any:
    options: dict[str, Any] = {"purchase": "bought", "at_risk_after": 0.75, "churned_after": 1.5}
    listed = engine.frame({"id": [43, 7]})
    return stage(engine, freq="month", onboarding=20, usual_gap=40, customers=listed, **options)


@own_kind("id", "valid_from")
def stage_by_week_with_answers(engine: Engine) -> Any:
    return stage(engine, freq="week", onboarding=10, as_of=dt.date(2026, 2, 10))


@own_kind("id")
def stage_with_scores_as_texts(engine: Engine) -> Any:
    texts = [None if score is None else f"{score} " for score in ANSWERS["score"]]
    texts[4] = "good"
    frame = engine.frame(
        {"id": [f"c-{i:02}" for i in ANSWERS["id"]], "x": texts, "at": ANSWERS["time"]}
    )
    ids = [f"c-{customer:02}" for customer in LOG["id"]]
    options: dict[str, Any] = {"answers": frame, "score": "x", "answered": "at", "onboarding": 15}
    with pytest.warns(DroppedRowsWarning, match=r"^1 row left out: no answer from 0 to 10 in 'x'"):
        return lk.lifecycle_stage(
            log(engine, id=ids, day=MOMENTS), "id", "day", errors="coerce", **options
        )


@own_kind("id")
def stage_with_scores_off_the_scale(engine: Engine) -> Any:
    columns = {**ANSWERS, "score": [11.5 if i % 50 == 7 else 9.0 for i in range(111)]}
    frame = engine.frame(columns)
    with pytest.warns(DroppedRowsWarning, match=r"^3 rows left out: no answer from 0 to 10 in"):
        return lk.lifecycle_stage(
            log(engine), "id", "day", answers=frame, onboarding=15, errors="coerce"
        )


@own_kind("id")
def stage_in_a_zone(engine: Engine) -> Any:
    return lk.lifecycle_stage(aware_log(engine), "id", "at", tz="America/New_York", onboarding=3)


@own_kind("id", "valid_from")
def stage_by_month_of_no_rows(engine: Engine) -> Any:
    answers = engine.frame(ANSWERS)
    return lk.lifecycle_stage(no_log(engine), "id", "day", freq="month", answers=answers)


# ---- moves --------------------------------------------------------------------------------------


@functools.cache
def tier_rows() -> Rows:
    frame = pd.DataFrame({name: LOG[name] for name in ("id", "day")})
    rows = frame_rows(lk.loyalty_tier(frame, "id", "day", freq="month"))
    # Some are missing here and there, others have no tier.
    kept = [row for i, row in enumerate(rows) if i % 11]
    return [{**row, "tier": None if i % 13 == 5 else row["tier"]} for i, row in enumerate(kept)]


def tiers(engine: Engine, rows: Rows, *, ranked: bool = True) -> Any:
    columns = {name: [row[name] for row in rows] for name in ("id", "valid_from", "tier")}
    return engine.frame(columns, {"tier": TIERS} if ranked else {})


@case
def moves_between_categories(engine: Engine) -> Any:
    complete = [row for row in tier_rows() if row["tier"] is not None]
    return lk.tier_transitions(tiers(engine, complete), "id")


@case
def moves_with_null_tiers(engine: Engine) -> Any:
    return lk.tier_transitions(tiers(engine, tier_rows()), "id", method="jeffreys")


@case
def moves_between_texts(engine: Engine) -> Any:
    rows = [{**row, "valid_from": row["valid_from"].isoformat()} for row in tier_rows()]
    return lk.tier_transitions(tiers(engine, rows, ranked=False), "id")


@case
def moves_of_one_date(engine: Engine) -> Any:
    frame = engine.frame({"id": [1, 2], "valid_from": ["2026-01-01"] * 2, "tier": ["new", "loyal"]})
    return lk.tier_transitions(frame, "id")


@case
def moves_between_stages(engine: Engine) -> Any:
    """What `lifecycle_stage` returns goes in as it is."""
    frame = stage(engine, freq="month", onboarding=30)
    made = lk.tier_transitions(frame, "id", tier="stage")
    if not engine.has_categories:  # texts are in another order
        rank = [STAGES.index(value) for value in made["from_tier"]]
        other = [STAGES.index(value) for value in made["to_tier"]]
        order = made.assign(a=rank, b=other).sort_values(["period", "a", "b"]).index
        made = made.loc[order].reset_index(drop=True)
    return made


# ---- scores -------------------------------------------------------------------------------------


def rfm(engine: Engine, **options: Any) -> Any:
    return lk.rfm(log(engine, paid=AMOUNTS), "id", "day", "paid", **options)


@own_kind("id")
def scores_of_the_log(engine: Engine) -> Any:
    return rfm(engine)


@own_kind("id")
def scores_by_week_in_four_bins(engine: Engine) -> Any:
    return rfm(engine, freq="week", bins=4, as_of="2026-03-10")


@own_kind("id")
def scores_of_whole_amounts(engine: Engine) -> Any:
    """Customers 0 to 4 have only returned things; many sums are equal."""
    paid = [-5 if customer < 5 else customer % 3 for customer in LOG["id"]]
    return lk.rfm(log(engine, paid=paid), "id", "day", "paid", freq="month")


@own_kind("id")
def scores_with_amounts_left_out(engine: Engine) -> Any:
    """All amounts of customer 3 are missing, and so is the customer."""
    paid = [None if customer == 3 else 1.5 * customer for customer in LOG["id"]]
    paid[0] = float("inf")
    lost = 1 + LOG["id"].count(3)
    with pytest.warns(DroppedRowsWarning, match=rf"^{lost} rows left out: no finite amount in"):
        return lk.rfm(log(engine, paid=paid), "id", "day", "paid", errors="coerce")


@own_kind("id")
def scores_in_a_zone(engine: Engine) -> Any:
    return lk.rfm(aware_log(engine), "id", "at", "id", tz="America/New_York")


@own_kind("id")
def scores_of_no_rows(engine: Engine) -> Any:
    return lk.rfm(no_log(engine), "id", "day", "id")


# ---- lifetimes ----------------------------------------------------------------------------------


@own_kind("id")
def lifetimes_of_the_log(engine: Engine) -> Any:
    return lk.customer_lifetimes(log(engine), "id", "day", gap=30)


@own_kind("id")
def lifetimes_of_moments(engine: Engine) -> Any:
    frame = log(engine, id=[f"c-{customer:02}" for customer in LOG["id"]], day=MOMENTS)
    as_of = dt.datetime(2026, 3, 10, 9, 30)
    return lk.customer_lifetimes(frame, "id", "day", gap=12, as_of=as_of)


@own_kind("id")
def lifetimes_in_a_zone(engine: Engine) -> Any:
    return lk.customer_lifetimes(aware_log(engine), "id", "at", gap=60, tz="America/New_York")


@own_kind("id")
def lifetimes_of_no_rows(engine: Engine) -> Any:
    return lk.customer_lifetimes(no_log(engine), "id", "day", gap=30)


def contract_lives(engine: Engine, **changed: Any) -> Callable[..., Any]:
    """Return lifetimes of the contracts, some of whose columns are others."""

    def make(**options: Any) -> Any:
        frame = contracts(engine, **changed)
        return lk.customer_lifetimes(frame, "id", "start", **{**TERMS, **options})

    return make


@own_kind("id")
def lifetimes_of_contracts(engine: Engine) -> Any:
    return contract_lives(engine)()


@own_kind("id")
def lifetimes_of_contracts_from_a_day_on(engine: Engine) -> Any:
    return contract_lives(engine)(observed_from="2026-01-02")


@own_kind("id")
def lifetimes_of_contracts_with_a_gap(engine: Engine) -> Any:
    return contract_lives(engine)(gap=21, observed_from=dt.datetime(2025, 12, 10, 9))


@own_kind("id")
def lifetimes_of_contracts_to_the_middle_of_a_day(engine: Engine) -> Any:
    columns = {
        "start": moments(CONTRACTS["start"], 6),
        "end": [end and end + dt.timedelta(hours=20) for end in moments(CONTRACTS["end"], 7)],
    }
    as_of = dt.datetime(2026, 4, 17, 11, 30)
    return contract_lives(engine, **columns)(gap=3, as_of=as_of)


@own_kind("id")
def lifetimes_of_contracts_written_as_texts(engine: Engine) -> Any:
    columns = {
        name: [value and value.isoformat() for value in CONTRACTS[name]]
        for name in ("start", "end")
    }
    return contract_lives(engine, **columns, id=[f"c{who:02}" for who in CONTRACTS["id"]])()


@own_kind("id")
def lifetimes_of_contracts_in_a_zone(engine: Engine) -> Any:
    frame = midnights(engine)
    return lk.customer_lifetimes(frame, "id", "start", tz="America/New_York", gap=2, **TERMS)


@own_kind("id")
def lifetimes_of_contracts_with_rows_left_out(engine: Engine) -> Any:
    backwards = list(CONTRACTS["end"])
    backwards[10] = CONTRACTS["start"][10] - dt.timedelta(days=1)
    make = contract_lives(engine, end=backwards, id=without(CONTRACTS["id"], 30))
    with pytest.warns(DroppedRowsWarning, match=r"^3 rows left out: no customer, no usable date,"):
        return make(errors="coerce")


@own_kind("id")
def lifetimes_of_no_contracts(engine: Engine) -> Any:
    frame = no_contracts(engine)
    return lk.customer_lifetimes(frame, "id", "start", observed_from="2026-01-01", **TERMS)


@case
def gaps_of_the_log(engine: Engine) -> Any:
    return lk.inactivity_gap(log(engine), "id", "day", share=0.8)


@case
def gaps_with_rows_left_out(engine: Engine) -> Any:
    frame = log(engine, id=without(LOG["id"], 20))
    with pytest.warns(DroppedRowsWarning, match=f"^{len(VISITS) // 20} rows left out"):
        return lk.inactivity_gap(frame, "id", "day", errors="coerce", as_of="2026-03-01")


@case
def gaps_of_no_rows(engine: Engine) -> Any:
    return lk.inactivity_gap(no_log(engine), "id", "day")


# ---- what every engine refuses ------------------------------------------------------------------

MOVES: dict[str, list[Any]] = {
    "id": [1, 2, 2, 1],
    "valid_from": ["2026-01-01", "2026-01-01", "2026-01-01", "2026-02-01"],
    "tier": ["new", "new", "loyal", "new"],
}
REFUSALS: dict[str, tuple[Case, type[Exception], str]] = {
    "scores off the scale": (
        lambda e: lk.lifecycle_stage(
            log(e), "id", "day", answers=e.frame({**ANSWERS, "score": [9, 11, 10] * 37})
        ),
        DataError,
        r"^'score': 37 rows with answers that are not whole points of the scale 0 to 10: 11(, 11)*"
        r"(, \.\.\.)?\. Make codes that mean 'no answer' null",
    ),
    "scores that are no column": (
        lambda e: lk.lifecycle_stage(log(e), "id", "day", answers=e.frame(ANSWERS), score="nps"),
        ColumnNotFoundError,
        r"^score='nps': answers has no such column",
    ),
    "answers without an id": (
        lambda e: lk.lifecycle_stage(
            log(e), "id", "day", answers=e.frame({**ANSWERS, "id": without(ANSWERS["id"], 37)})
        ),
        DataError,
        r"^'id': 3 rows without a customer\. Complete or remove them, or pass errors=",
    ),
    "answers of ids of another type": (
        lambda e: lk.lifecycle_stage(
            log(e), "id", "day", answers=e.frame({**ANSWERS, "id": [str(i) for i in ANSWERS["id"]]})
        ),
        DataError,
        r"^'id' holds numbers in data and text in answers, so no row would match",
    ),
    "amounts that are missing": (
        lambda e: lk.rfm(log(e, paid=without(AMOUNTS, 60)), "id", "day", "paid"),
        DataError,
        rf"^'paid': {len(VISITS) // 60} rows without a finite amount\. Complete or remove them",
    ),
    "amounts that are texts": (
        lambda e: lk.rfm(log(e, paid=["1.50"] * len(VISITS)), "id", "day", "paid"),
        DataError,
        r"^amount='paid' must be a column of numbers, not ",
    ),
    "two tiers on one date": (
        lambda e: lk.tier_transitions(e.frame(MOVES), "id"),
        DataError,
        r"^tiers has 1 row too many for the key 'id', 'valid_from': 2 \(repeated\)",
    ),
    "tiers without a customer": (
        lambda e: lk.tier_transitions(e.frame({**MOVES, "id": [1, 2, None, None]}), "id"),
        DataError,
        r"^'id': 2 rows without a customer\. Complete or remove them\.$",
    ),
    "tiers without a date": (
        lambda e: lk.tier_transitions(
            e.frame({**MOVES, "valid_from": ["2026-01-01", None, "2026-02-01", "2026-02-02"]}), "id"
        ),
        DataError,
        r"^'valid_from': 1 row without a date\. Complete or remove them\.$",
    ),
    "contracts that end before they start, for lives": (
        lambda e: lk.customer_lifetimes(e.frame(BACKWARDS), "id", "start", **TERMS),
        DataError,
        r"^contract_end='end': 2 rows with an end before 'start': '2026-0[12]-0[14]', '2026-0",
    ),
    "a gap that leaves no day observed": (
        lambda e: contract_lives(e)(gap=300),
        ParameterError,
        r"^gap=300: .* from the first start, 2025-09-01, to the end of observation, 2026-05-31, ",
    ),
    "a gap that leaves no day after the first": (
        lambda e: contract_lives(e)(gap=30, observed_from="2026-05-02"),
        ParameterError,
        r"^gap=30: .* from observed_from, 2026-05-02, to the end of observation, 2026-05-31, that",
    ),
    "contracts from after the end of observation on": (
        lambda e: contract_lives(e)(observed_from="2026-06-01"),
        ParameterError,
        r"^observed_from=2026-06-01: no day starts between it and the end of observation",
    ),
    "ends that are no column, for lives": (
        lambda e: contract_lives(e)(contract_end="ende"),
        ColumnNotFoundError,
        r"^contract_end='ende': data has no such column\. .* Did you mean 'end'\?",
    ),
    "an end before the first row, for lives": (
        lambda e: lk.customer_lifetimes(log(e), "id", "day", gap=9, as_of=dt.date(2025, 11, 19)),
        ParameterError,
        r"^as_of=2025-11-19 lies before the first row of the log, 2025-11-20\.",
    ),
}
