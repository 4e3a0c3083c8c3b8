"""The same answer from every engine, and the same refusals: eager, lazy and distributed.

What a case must give is what plain pandas gives, and the central ones are held against naive loops
and numbers written out. Spark has no categories: its answer is that of plain text.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import hazard_cases
import history_cases
import narwhals.stable.v2 as nw
import numpy as np
import oracles
import pandas as pd
import pyarrow as pa
import pytest
import spell_cases
from conftest import (
    CONSTRUCTORS,
    WRAPPED,
    Engine,
    Rows,
    collected,
    column_names,
    dtype_names,
    frame_rows,
)
from engine_cases import (
    ANSWERS,
    AS_OF,
    AWARE,
    CASES,
    CATEGORIES,
    CHANGES,
    FREQUENCIES,
    LOG,
    MOMENTS,
    NEW_YORK,
    OWN_KIND,
    PANEL,
    REPEATED,
    SECTORS,
    TIERS,
    VISITS,
    Case,
    Columns,
    aware_log,
    log,
    visits_at,
    without,
)
from flow_cases import REFUSALS as FLOW_REFUSALS
from flow_cases import SPANS
from revenue_cases import REFUSALS as REVENUE_REFUSALS

import loyaltykit as lk
from loyaltykit._partitions import Part
from loyaltykit.errors import ColumnNotFoundError, DataError, LoyaltyKitError, ParameterError

# ---- the suite ----------------------------------------------------------------------------------


@functools.cache
def expected(name: str, *, categories: bool) -> tuple[Rows, dict[str, str]]:
    """Return the rows and the dtypes that plain pandas gives."""
    table = CASES[name](Engine("pandas", categories=categories))
    return frame_rows(table), dtype_names(table)


@functools.cache
def result_of(engine: Engine, name: str) -> Any:
    """Return what a case gives; several tests look at it, and Spark takes its time."""
    return CASES[name](engine)


def same_value(value: Any, wanted: Any) -> bool:
    """Compare to the bit, but floats to 1e-12."""
    if isinstance(value, float) and isinstance(wanted, float):
        return math.isclose(value, wanted, rel_tol=1e-12, abs_tol=1e-12)
    return bool(value == wanted)


def differences(rows: Rows, wanted: Rows) -> list[str]:
    """Return what differs, one line a cell."""
    return [
        f"row {i}, {name}: {row.get(name)!r} instead of {want[name]!r}"
        for i, (row, want) in enumerate(zip(rows, wanted, strict=False))
        for name in want
        if not same_value(row.get(name), want[name])
    ]


def in_order(rows: Rows, keys: Sequence[str]) -> Rows:
    return sorted(rows, key=lambda row: [(row[key] is None, row[key]) for key in keys])


@pytest.mark.parametrize("name", CASES)
def test_same_answer(any_engine: Engine, name: str) -> None:
    result = result_of(any_engine, name)
    rows = frame_rows(result)
    wanted, dtypes = expected(name, categories=any_engine.has_categories)
    assert column_names(result) == list(dtypes)
    if name in OWN_KIND and not any_engine.is_eager:
        rows = in_order(rows, OWN_KIND[name])
    if name == "retention_by_tier_through_time" and not any_engine.has_categories:
        # Spark's tiers are texts, and texts are in the order of the alphabet.
        wanted = in_order(wanted, ["tier", "period"])
    assert len(rows) == len(wanted)
    assert differences(rows, wanted) == []
    if isinstance(result, pd.DataFrame) and name not in OWN_KIND:
        # Those of plain pandas, but for the keys, which are the caller's: counts are integers even
        # where an engine counted in decimals or floats.
        own = [column for column in dtypes if column not in (*keys_of(list(dtypes)), "cluster")]
        found = dtype_names(result)
        assert {column: found[column] for column in own} == {c: dtypes[c] for c in own}


@pytest.mark.parametrize("name", ["nps_by_two_keys_and_quarter", "flow_by_month", *OWN_KIND])
def test_kind_of_the_result(any_engine: Engine, name: str) -> None:
    result = result_of(any_engine, name)
    own = any_engine.is_eager or name in OWN_KIND
    assert type(result) is (type(log(any_engine)) if own else pd.DataFrame)


def keys_of(columns: Sequence[str]) -> Sequence[str]:
    """Return the columns before the first that is the library's own, and tiers."""
    firsts = ("period", "cohort", "metric", "answer", "gap", "duration", "share", "n")
    first = min(columns.index(name) for name in firsts if name in columns)
    return [*columns[:first], "from_tier", "to_tier"]


@pytest.mark.parametrize(
    "name",
    [
        "nps_by_categories_in_their_order",
        "churn_by_categories",
        "cohorts_by_segments_with_valid_from",
        "tier_as_of_a_date",
        "attach_categories",
    ],
)
def test_categories_stay_ordered(any_engine: Engine, name: str) -> None:
    result = collected(result_of(any_engine, name))
    tiers = sorted({row["tier"] for row in frame_rows(result)} - {None}, key=TIERS.index)
    assert tiers
    if isinstance(result, pd.DataFrame) and any_engine.has_categories:
        assert list(result["tier"].cat.categories) == TIERS
        assert result["tier"].cat.ordered


# ---- what plain pandas gives is right -----------------------------------------------------------


def answer_rows() -> Rows:
    return [dict(zip(ANSWERS, row, strict=True)) for row in zip(*ANSWERS.values(), strict=True)]


def reference(name: str) -> Rows:
    return expected(name, categories=True)[0]


def same_as_oracle(rows: Rows, naive: Rows, renamed: Mapping[str, str] | None = None) -> None:
    wanted = [{(renamed or {}).get(name, name): row[name] for name in row} for row in naive]
    assert len(rows) == len(wanted) > 0
    assert differences(rows, wanted) == []


def test_survey_cases_against_naive_loops() -> None:
    rows = answer_rows()
    same_as_oracle(reference("nps_by_text_with_null_keys"), oracles.nps(rows, "nps", ["sector"]))
    same_as_oracle(
        reference("nps_of_counts"), oracles.nps(rows, "nps", ["sector"]), {}
    )  # shards, stacked
    easy_hard = ({5, 6, 7}, {1, 2, 3})
    same_as_oracle(reference("ces_mean_by_key"), oracles.ces(rows, "ces", ["sector"], *easy_hard))


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_survey_periods_against_naive_loops(freq: str) -> None:
    rows = [{**row, "period": oracles.period_start(row["day"], freq)} for row in answer_rows()]
    same_as_oracle(reference(f"tally_by_{freq}"), oracles.tally(rows, "nps", ["period"]))


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_flow_cases_against_naive_loops(freq: str) -> None:
    flow = oracles.customer_flow(VISITS, freq, dt.date.fromisoformat(AS_OF))
    same_as_oracle(
        reference(f"flow_by_{freq}"),
        [{name: row[name] for name in row if name != "key"} for row in flow],
    )


def contract_rows() -> list[tuple[int, dt.datetime, dt.datetime | None]]:
    return [(who, oracles.midnight(a), oracles.midnight(b) if b else None) for who, a, b in SPANS]


@pytest.mark.parametrize("freq", FREQUENCIES)
def test_contract_cases_against_naive_loops(freq: str) -> None:
    flow = oracles.contract_flow(contract_rows(), freq, dt.datetime(2026, 6, 1))
    hidden = ("key", "due", "not_renewed")
    same_as_oracle(
        reference(f"contract_flow_by_{freq}"),
        [{name: row[name] for name in row if name not in hidden} for row in flow],
    )


def test_split_cases_against_naive_loops() -> None:
    end = max(LOG["day"])
    changes = list(zip(CHANGES["id"], CHANGES["valid_from"], CHANGES["tier"], strict=True))
    key_at = oracles.key_as_of([(who, since, key) for who, since, key in changes])

    def ranked(rows: Rows) -> Rows:  # in the order of the categories, not of their text
        return sorted(rows, key=lambda row: TIERS.index(row["key"]) if row["key"] else len(TIERS))

    flow = ranked(oracles.customer_flow(VISITS, "month", end, key_at))
    same_as_oracle(reference("flow_by_segments_with_valid_from"), flow, {"key": "tier"})
    cohorts = ranked(oracles.cohorts(VISITS, "month", end, key_at))
    same_as_oracle(reference("cohorts_by_segments_with_valid_from"), cohorts, {"key": "tier"})


def test_tier_cases_against_naive_loops() -> None:
    purchases = list(zip(LOG["id"], LOG["day"], LOG["bought"], strict=True))
    tiers = oracles.loyalty_tier(purchases, dt.date(2026, 2, 28))
    naive = [{"id": customer, "tier": tier} for customer, tier in tiers.items()]
    same_as_oracle(reference("tier_as_of_a_date"), naive)
    through = oracles.loyalty_tiers_through_time(
        purchases, "month", dt.date(2026, 3, 31), customers=[2, 40]
    )
    naive = [{"id": who, "valid_from": start, "tier": tier} for who, start, tier in through]
    first = {who: min(day for one, day, _ in purchases if one == who) for who in LOG["id"]}
    known = [row for row in naive if row["id"] in (2, 40) or row["valid_from"] > first[row["id"]]]
    same_as_oracle(reference("tier_by_month"), known)


def test_history_cases_against_naive_loops() -> None:
    purchases = list(zip(LOG["id"], LOG["day"], LOG["bought"], strict=True))
    told = list(zip(*history_cases.ANSWERS.values(), strict=True))
    known = [(who, score, day) for who, score, day in told if score is not None]
    every = [(who, day, True) for who, day, _ in purchases]
    stages = oracles.lifecycle_stage(every, dt.date(2026, 4, 10), [43, 7], known, onboarding=60)
    naive = [{"id": customer, "stage": stage} for customer, stage in stages.items()]
    same_as_oracle(reference("stage_with_answers"), naive)
    assert {row["stage"] for row in naive} == set(history_cases.STAGES)
    tiers = oracles.loyalty_tier(purchases, dt.date(2026, 5, 31), lapsed_after=2)
    naive = [{"id": customer, "tier": tier} for customer, tier in tiers.items()]
    same_as_oracle(reference("tier_with_lapsed_customers"), naive)
    paid = list(zip(LOG["id"], LOG["day"], history_cases.AMOUNTS, strict=True))
    scores = oracles.rfm(paid, "week", dt.date(2026, 3, 10), bins=4)
    naive = [{"id": customer, **row} for customer, row in scores.items()]
    same_as_oracle(reference("scores_by_week_in_four_bins"), naive)
    lives = oracles.customer_lifetimes(VISITS, 30, max(LOG["day"]))
    naive = [
        {"id": customer, "start": start, "duration": duration, "event": event}
        for customer, (start, duration, event) in lives.items()
    ]
    same_as_oracle(reference("lifetimes_of_the_log"), naive)


def test_lifetimes_of_contracts_against_naive_loops() -> None:
    until = oracles.midnight(dt.date(2026, 6, 1))
    for name, gap, since in (
        ("lifetimes_of_contracts", 0, None),
        ("lifetimes_of_contracts_from_a_day_on", 0, dt.date(2026, 1, 2)),
        ("lifetimes_of_contracts_with_a_gap", 21, dt.date(2025, 12, 11)),
        ("lifetimes_of_contracts_in_a_zone", 2, None),
    ):
        columns = ["start", "duration", "event", *([] if since is None else ["entry"])]
        lives = oracles.contract_lifetimes(contract_rows(), gap, until, since)
        naive = [
            {"id": who, **dict(zip(columns, life, strict=False))} for who, life in lives.items()
        ]
        assert len({row["event"] for row in naive}) == 2
        same_as_oracle(reference(name), naive)


def test_cases_written_out() -> None:
    """Counted by hand."""

    def columns(name: str, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(row[key] for key in names) for row in reference(name)]

    # a: 10 and two missing. b: 3 and 9, one missing. c: 7. d: nothing.
    assert columns("nps_of_nan_and_null", "key", "n", "n_missing", "estimate") == [
        ("a", 1, 2, 100.0),
        ("b", 2, 1, 0.0),
        ("c", 1, 0, 0.0),
        ("d", 0, 1, None),
    ]
    # 10, 9 and 6 are on the scale; a holds 10, 7.5 and 9, b 11, null and NaN, null -1, inf, 6.
    assert columns("nps_with_answers_off_the_scale_coerced", "k", "n", "n_missing") == [
        ("a", 2, 1),
        ("b", 0, 3),
        (None, 1, 2),
    ]
    # NaN and null are one key, and so are 0.0 and -0.0.
    assert columns("nps_by_floats_with_nan_and_null", "key") == [(-1.0,), (0.0,), (0.5,), (None,)]
    # 29 December 2024 is the last day of its ISO week, the 30th the first of 2025's week 1.
    assert columns("csat_by_week_of_s", "period", "n") == [
        (dt.date(1969, 12, 29), 2),
        (dt.date(2000, 2, 28), 1),
        (dt.date(2024, 12, 23), 1),
        (dt.date(2024, 12, 30), 2),
    ]
    # At noon of 10 February: customer 1 stays, 2 is new, 3 comes a second later.
    assert columns("flow_as_of_a_moment_in_us", "period", "coverage", "new", "retained", "end") == [
        (dt.date(2026, 1, 1), "unobserved", None, None, 1),
        (dt.date(2026, 2, 1), "partial", 1, 1, 2),
    ]
    # 03:30 in UTC on 1 November is still October in New York, and 04:59 on 1 March still February.
    assert columns("flow_by_month_in_new_york_of_ns", "period", "end") == [
        (dt.date(2025, 10, 1), 1),
        (dt.date(2025, 11, 1), 3),
        (dt.date(2025, 12, 1), 0),
        (dt.date(2026, 1, 1), 0),
        (dt.date(2026, 2, 1), 1),
        (dt.date(2026, 3, 1), 3),
    ]
    # The clock went forward on 8 March; 03:59:59 in UTC on the 9th is still the 8th in New York.
    assert columns("retention_by_day_across_a_change_of_the_clock", "period", "n")[-2:] == [
        (dt.date(2026, 3, 8), 0),
        (dt.date(2026, 3, 9), 2),
    ]
    # Customer 4 bought twice, both on 8 March in New York. Of the six months to March, 1 bought in
    # October (the 31st), November and March, and 2 in two.
    assert columns("tier_in_a_zone", "id", "tier") == [
        (1, "loyal"),
        (2, "repeat"),
        (3, "repeat"),
        (4, "new"),
    ]
    # Weeks, quarters and null keys are among what the flows with segments hold.
    assert {row["tier"] for row in reference("flow_by_segments_with_valid_from")} == {*TIERS, None}


# ---- what every engine refuses ------------------------------------------------------------------

Refusal: TypeAlias = tuple[Case, type[Exception], str]


def bad_scores(*values: Any) -> Columns:
    return {"nps": [*values, *range(11)], "key": [*"a" * len(values), *"bbbbbbbbbbb"]}


DUPLICATES: dict[str, list[Any]] = {"id": [1, 2, 2, 2], "sector": ["a", "b", "b", "c"]}

REFUSALS: dict[str, Refusal] = {
    "weights that are negative": (
        lambda e: lk.nps(e.frame({"nps": [9, 8, 7], "w": [1.0, -2.0, 3.0]}), "nps", weights="w"),
        DataError,
        r"^weights='w': 1 row with weights that are negative, infinite, or beyond .*: -2\.0\. ",
    ),
    "rows without a weight": (
        lambda e: lk.nps(e.frame({"nps": [9, 8], "w": [1.0, None]}), "nps", weights="w"),
        DataError,
        r"^weights='w': 1 row without a weight\. Complete them, or pass errors=\"coerce\"",
    ),
    "weights that are text": (
        lambda e: lk.nps(e.frame({"nps": [9, 8], "w": ["1", "2"]}), "nps", weights="w"),
        DataError,
        r"^weights='w' must be a column of numbers, not ",
    ),
    "a null cluster": (
        lambda e: lk.nps(e.frame({"nps": [9, 8, 7], "a": ["x", None, None]}), "nps", clusters="a"),
        DataError,
        r"^clusters='a' is null in 2 rows\. ",
    ),
    "a cluster in two strata": (
        lambda e: lk.nps(
            e.frame({"nps": [9, 8, 7], "a": ["x", "x", "y"], "h": [1, 2, 2]}),
            *("nps",),
            clusters="a",
            strata="h",
        ),
        DataError,
        r"^clusters='a': 1 of them lie in several strata of 'h': 'x'\. ",
    ),
    "a stratum with one answer": (
        lambda e: lk.nps(e.frame({"nps": [9, 8, 7], "h": [1, 2, 2]}), "nps", strata="h"),
        DataError,
        r"^strata='h': 1 with a single answer, which tells nothing of the spread: 1\. ",
    ),
    "a population below the sample": (
        lambda e: lk.nps(e.frame({"nps": [9, 8, 7]}), "nps", population=2),
        DataError,
        r"^population=2 is less than the 3 sampled\. ",
    ),
    "squares that contradict weights": (
        lambda e: lk.nps(
            e.frame({"a": [9, 8], "n": [2, 3], "w": [2.0, 3.0], "w_sq": [0.5, 3.0]}),
            *("a",),
            counts="n",
            weights="w",
        ),
        DataError,
        r"^'w_sq': 1 row that cannot be the sum of the squared weights of as many answers",
    ),
    "counts and weights without squares": (
        lambda e: lk.nps(
            e.frame({"a": [9, 8], "n": [2, 3], "w": [2.0, 3.0]}), "a", counts="n", weights="w"
        ),
        ColumnNotFoundError,
        r"^squares of the weights='w_sq': data has no such column",
    ),
    "a zone for texts that have none": (
        lambda e: lk.customer_flow(
            e.frame({"id": [1], "day": ["2026-01-05"]}), "id", "day", tz="Asia/Jakarta"
        ),
        ParameterError,
        r"^tz='Asia/Jakarta': 'day' has no time zone to convert from",
    ),
    "a score that is no column": (
        lambda e: lk.nps(e.frame(ANSWERS), "npss"),
        ColumnNotFoundError,
        r"^score='npss': data has no such column\. It has 'nps', .*Did you mean 'nps'\?$",
    ),
    "a key that is no column": (
        lambda e: lk.csat(e.frame(ANSWERS), "csat", by=["tier", "Sector"]),
        ColumnNotFoundError,
        r"^by\[1\]='Sector': data has no such column\..*Did you mean 'sector'\?$",
    ),
    "a time that is no column": (
        lambda e: lk.cohort_retention(log(e), "id", "date"),
        ColumnNotFoundError,
        r"^time='date': data has no such column",
    ),
    "a purchase that is no column": (
        lambda e: lk.loyalty_tier(log(e), "id", "day", purchase="buys"),
        ColumnNotFoundError,
        r"^purchase='buys': data has no such column",
    ),
    "a key that segments do not have": (
        lambda e: lk.attach_segments(log(e), e.frame({"who": [1]}), on="id"),
        ColumnNotFoundError,
        r"^on\[0\]='id': segments has no such column",
    ),
    "a key with a reserved name": (
        lambda e: lk.nps(e.frame({**ANSWERS, "metric": ANSWERS["tier"]}), "nps", by="metric"),
        ParameterError,
        r"^by='metric': a result table has a column of that name",
    ),
    "answers off the scale": (
        lambda e: lk.nps(e.frame(bad_scores(11, -1, 11)), "nps", by="key"),
        DataError,
        r"^'nps': 3 rows with answers that are not whole points of the scale 0 to 10: "
        r"(11|-1), (11|-1)(, (11|-1))?\. Name the codes",
    ),
    "an answer that is a fraction": (
        lambda e: lk.nps(e.frame(bad_scores(7.5, 8.0)), "nps"),
        DataError,
        r"^'nps': 1 row with answers that are not whole points .*: 7\.5\.",
    ),
    "answers that are no numbers": (
        lambda e: lk.csat(e.frame({"csat": ["5", "great", None, "great", "4"]}), "csat"),
        DataError,
        r"^'csat': 2 rows with answers that are not whole points .*: 'great'(, 'great')?\.",
    ),
    "dates as answers": (
        lambda e: lk.nps(e.frame(ANSWERS), "day"),
        DataError,
        r"'day'",
    ),
    "truths as answers": (
        lambda e: lk.nps(e.with_types({"nps": [True, False]}, {"nps": "bool"}), "nps"),
        DataError,
        r"True and False are answers on scale=\(0, 1\)",
    ),
    "counts that are negative": (
        lambda e: lk.nps(e.frame({"nps": [9, 3], "n": [4, -2]}), "nps", counts="n"),
        DataError,
        r"^counts='n': 1 row without a whole number, 0 or more: -2",
    ),
    "answers without a date": (
        lambda e: lk.nps(
            e.frame({**ANSWERS, "day": without(ANSWERS["day"], 30)}), "nps", time="day"
        ),
        DataError,
        r"^'day': 3 rows without a date",
    ),
    "numbers as dates": (
        lambda e: lk.nps(e.frame({"nps": [9, 3], "day": [20260101, 20260102]}), "nps", time="day"),
        DataError,
        r"^'day' holds .*, not dates",
    ),
    "rows without a customer": (
        lambda e: lk.customer_flow(log(e, id=without(LOG["id"], 60)), "id", "day"),
        DataError,
        rf"^'id': {len(VISITS) // 60} rows without a customer",
    ),
    "rows without a date": (
        lambda e: lk.cohort_retention(log(e, day=without(LOG["day"], 60)), "id", "day"),
        DataError,
        rf"^'day': {len(VISITS) // 60} rows without a date",
    ),
    "texts that are no dates": (
        lambda e: lk.retention_rate(
            e.frame({"id": [1, 2, 3], "day": ["2026-01-05", "soon", "2026-02-30"]}), "id", "day"
        ),
        DataError,
        r"^'day': 2 rows with times that are not ISO dates such as 2026-01-31: "
        r"('soon', '2026-02-30'|'2026-02-30', 'soon')\.",
    ),
    "an end before the first row": (
        lambda e: lk.customer_flow(log(e), "id", "day", as_of="2025-01-31"),
        ParameterError,
        r"^as_of=2025-01-31 lies before the first row of the log, 2025-11-20\.",
    ),
    "an end before the first row, for tiers": (
        lambda e: lk.loyalty_tier(log(e), "id", "day", as_of=dt.date(2025, 11, 19)),
        ParameterError,
        r"^as_of=2025-11-19 lies before the first row of the log, 2025-11-20\.",
    ),
    "rows without a finite amount": (
        lambda e: lk.cohort_retention(
            visits_at(e, spent=without(LOG["id"], 60)), "id", "at", amount="spent"
        ),
        DataError,
        rf"^'spent': {len(VISITS) // 60} rows without a finite amount",
    ),
    "amounts that are texts": (
        lambda e: lk.cohort_retention(log(e), "id", "day", amount="tier"),
        DataError,
        r"^amount='tier' must be a column of numbers, not .*",
    ),
    "amounts without an end": (
        lambda e: lk.cohort_retention(
            e.with_types(
                {"id": [1, 2], "day": ["2026-01-05"] * 2, "spent": [1.5, math.inf]},
                {"spent": "float64"},
            ),
            *("id", "day"),
            amount="spent",
        ),
        DataError,
        r"^'spent': 1 row without a finite amount",
    ),
    "flags that are neither true nor false": (
        lambda e: lk.cohort_retention(
            e.frame({"id": [1, 2, 3], "day": ["2026-01-05"] * 3, "paid": [0, 1, 2]}),
            *("id", "day"),
            return_event="paid",
        ),
        DataError,
        r"^'paid': 1 row neither true nor false: 2",
    ),
    "an event that is no column": (
        lambda e: lk.cohort_retention(log(e), "id", "day", start_event="bougth"),
        ColumnNotFoundError,
        r"^start_event='bougth': data has no such column.*Did you mean 'bought'",
    ),
    "a key that changes": (
        lambda e: lk.retention_rate(
            log(e, sector=["B2B" if i % 7 else "B2C" for i in range(len(VISITS))]),
            *("id", "day"),
            by="sector",
        ),
        DataError,
        r"^by='sector' changes within \d+ customers \(ids 0, ",
    ),
    "a key that changes to null": (
        lambda e: lk.cohort_retention(
            e.frame({"id": [5, 5, 6], "day": ["2026-01-01"] * 3, "sector": ["B2B", None, None]}),
            *("id", "day"),
            by="sector",
        ),
        DataError,
        r"^by='sector' changes within 1 customer \(ids 5\)",
    ),
    "segments with two rows for a customer": (
        lambda e: lk.customer_flow(log(e), "id", "day", by="sector", segments=e.frame(DUPLICATES)),
        DataError,
        r"^segments has 2 rows too many for the key 'id': 2(, 2)? \(repeated\)",
    ),
    "segments with two rows for a moment": (
        lambda e: lk.cohort_retention(
            *(log(e), "id", "day"),
            by="sector",
            segments=e.frame({**DUPLICATES, "valid_from": ["2026-01-01"] * 2 + ["2026-02-01"] * 2}),
        ),
        DataError,
        r"^segments has 1 row too many for the key 'id', 'valid_from': 2 \(repeated\)",
    ),
    "segments with a null key": (
        lambda e: lk.retention_rate(
            *(log(e), "id", "day"),
            by="sector",
            segments=e.frame({"id": [1, None, None], "sector": ["a", "b", "c"]}),
        ),
        DataError,
        r"^segments: 2 rows whose 'id' is null",
    ),
    "segments without a key to split by": (
        lambda e: lk.customer_flow(log(e), "id", "day", segments=e.frame(SECTORS)),
        ParameterError,
        r"^segments= is given without by=",
    ),
    "segments with ids of another type": (
        lambda e: lk.customer_flow(
            *(log(e), "id", "day"),
            by="key",
            segments=e.frame({"id": ["1", "2"], "key": ["a", "b"]}),
        ),
        DataError,
        r"^'id' holds numbers in data and text in segments, so no row would match",
    ),
    "attached segments with two rows for a key": (
        lambda e: lk.attach_segments(log(e), e.frame({"id": [1, 1], "x": [2, 3]}), on="id"),
        DataError,
        r"^segments has 1 row too many for the key 'id': 1 \(repeated\)",
    ),
    "attached segments with a null key": (
        lambda e: lk.attach_segments(log(e), e.frame({"id": [1, None], "x": [2, 3]}), on="id"),
        DataError,
        r"^segments: 1 row whose 'id' is null",
    ),
    "attached columns that are there already": (
        lambda e: lk.attach_segments(log(e), e.frame(SECTORS), on="id"),
        ParameterError,
        r"^data already has 'sector'",
    ),
    "listed customers that are null": (
        lambda e: lk.loyalty_tier(log(e), "id", "day", customers=e.frame({"id": [1, None]})),
        DataError,
        r"^customers: 1 row whose 'id' is null",
    ),
    "purchases that are neither true nor false": (
        lambda e: lk.loyalty_tier(
            log(e, bought=without(LOG["bought"], 60)), "id", "day", purchase="bought"
        ),
        DataError,
        rf"^'bought': {len(VISITS) // 60} rows neither true nor false: ",
    ),
    "a zone for times that have none": (
        lambda e: lk.customer_flow(log(e, day=MOMENTS), "id", "day", tz="Asia/Jakarta"),
        ParameterError,
        r"^tz='Asia/Jakarta': 'day' has no time zone to convert from",
    ),
    "an end with a zone for times that have none": (
        lambda e: lk.customer_flow(
            log(e), "id", "day", as_of=dt.datetime(2026, 2, 1, 12, tzinfo=NEW_YORK)
        ),
        ParameterError,
        r"has a time zone, but the times have none",
    ),
}


REFUSALS |= FLOW_REFUSALS
REFUSALS |= {
    "answers without a customer": (
        lambda e: lk.one_answer(e.frame({**REPEATED, "id": without([1] * 60, 20)}), "id", "day"),
        DataError,
        r"^'id': 3 rows without a customer\. Complete or remove them\.$",
    ),
    "repeated answers without a date": (
        lambda e: lk.one_answer(
            e.frame({**REPEATED, "day": without(REPEATED["day"], 20)}), "id", "day"
        ),
        DataError,
        r"^'day': 3 rows without a date\. Complete or remove them\.$",
    ),
    "repeated answers at no time": (
        lambda e: lk.one_answer(
            e.frame({"id": [1, 2, 3], "day": ["2026-01-05", "soon", None]}), "id", "day"
        ),
        DataError,
        r"^'day': 1 row with times that are not ISO dates such as 2026-01-31: 'soon'\. Parse",
    ),
    "a wave that is no column": (
        lambda e: lk.one_answer(e.frame(REPEATED), "id", "day", within="waves"),
        ColumnNotFoundError,
        r"^within='waves': data has no such column",
    ),
    "paired answers off the scale": (
        lambda e: lk.compare_paired(
            e.frame({"was": [9, 3, 8, 9], "now": [11, 11, 7, 12]}), "was", "now", metric="nps"
        ),
        DataError,
        r"^'now': 3 rows with answers that are not whole points of the scale 0 to 10: ",
    ),
    "a pair that lacks a column": (
        lambda e: lk.compare_paired(e.frame(PANEL), "was", "then", metric="nps"),
        ColumnNotFoundError,
        r"^after='then': data has no such column",
    ),
}


# Dask stops at the first partition that refuses: it says so, and counts no other.
REFUSALS |= history_cases.REFUSALS
REFUSALS |= REVENUE_REFUSALS
REFUSALS |= spell_cases.REFUSALS
REFUSALS |= hazard_cases.REFUSALS

IN_ONE_PARTITION = "In one of the partitions: "


@pytest.mark.parametrize("name", REFUSALS)
def test_same_refusal(any_engine: Engine, name: str) -> None:
    make, kind, message = REFUSALS[name]
    with pytest.raises(kind) as caught:
        collected(make(any_engine))
    assert type(caught.value) is kind
    found = str(caught.value)
    if any_engine.name == "dask" and found.startswith(IN_ONE_PARTITION):
        found = found.removeprefix(IN_ONE_PARTITION)
        message = re.sub(r"\d+ rows?", r"\\d+ rows?", message).replace("ids 0", r"ids \d+")
    assert re.search(message, found), found


# Customer 2 has two rows on its last day, and 3 the same one twice.
TIED: dict[str, list[Any]] = {
    "id": [1, 2, 2, 3, 3],
    "day": [dt.date(2026, 1, 5)] * 5,
    "nps": [9, 3, 8, 7, 7],
}


def test_ties_are_settled_by_the_order_of_rows_or_refused(any_engine: Engine) -> None:
    frame = any_engine.frame(TIED)
    if any_engine.is_eager or any_engine.name == "polars-lazy":
        cases: list[tuple[Any, list[int]]] = [("latest", [9, 8, 7]), ("first", [9, 3, 7])]
        for keep, kept in cases:
            rows = frame_rows(lk.one_answer(frame, "id", "day", keep=keep))
            assert [row["nps"] for row in rows] == kept
        return
    message = r"'id': 1 customer has different rows at one 'day' that is the latest \(ids 2\)"
    with pytest.raises(DataError, match=message):
        collected(lk.one_answer(frame, "id", "day"))


def test_repeated_answers_in_periods_of_aware_times(any_engine: Engine) -> None:
    """Periods are those of the times' own zone, or refused where there is none."""
    frame = any_engine.with_types(AWARE, {"at": pa.timestamp("us", "Asia/Tokyo")})
    if any_engine.name in WITHOUT_ZONES:
        with pytest.raises(LoyaltyKitError, match=r"'at'.* zone"):
            lk.one_answer(frame, "id", "at", within="month")
        return
    tokyo = zoneinfo.ZoneInfo("Asia/Tokyo")
    there = [at.astimezone(tokyo) for at in AWARE["at"]]
    months = {(who, at.year, at.month) for who, at in zip(AWARE["id"], there, strict=True)}
    assert len(frame_rows(lk.one_answer(frame, "id", "at", within="month"))) == len(months)


# Where a time is a moment, and says nothing about the clock that people read it on.
WITHOUT_ZONES = ("duckdb", "spark")


@pytest.mark.parametrize("function", ["customer_flow", "cohort_retention", "loyalty_tier"])
def test_aware_times_without_tz(any_engine: Engine, function: str) -> None:
    call = getattr(lk, function)
    frame = aware_log(any_engine, zone="Asia/Tokyo")
    if any_engine.name in WITHOUT_ZONES:
        with pytest.raises(LoyaltyKitError, match=r"'at'.*tz="):
            call(frame, "id", "at")
        return
    there = collected(call(frame, "id", "at", tz="Asia/Tokyo"))
    assert frame_rows(call(frame, "id", "at")) == frame_rows(there)


def test_aware_times_of_answers(any_engine: Engine) -> None:
    """Survey functions have no tz=: the times are read in their own zone, or refused by name."""
    columns: dict[str, Any] = {"nps": [9] * 10, "at": AWARE["at"]}
    frame = any_engine.with_types(columns, {"at": pa.timestamp("us", "Asia/Tokyo")})
    if any_engine.name in WITHOUT_ZONES:
        with pytest.raises(LoyaltyKitError, match=r"'at'.* zone"):
            lk.nps(frame, "nps", time="at")
        return
    # 15:00 in UTC opens a day in Tokyo; none of these hours moves a row into another month.
    periods = [(row["period"], row["n"]) for row in frame_rows(lk.nps(frame, "nps", time="at"))]
    assert periods == [(dt.date(2025, 11, 1), 5), (dt.date(2026, 3, 1), 5)]


@pytest.mark.parametrize("other", CONSTRUCTORS)
def test_two_engines_in_one_call(any_engine: Engine, other: str) -> None:
    """It works, or the error says which two they are; never another table."""
    segments = Engine(other).frame(SECTORS)
    calls: dict[str, Callable[[], Any]] = {
        "segments": lambda: lk.customer_flow(
            log(any_engine), "id", "day", by="sector", segments=segments
        ),
        "customers": lambda: lk.loyalty_tier(log(any_engine), "id", "day", customers=segments),
        "attached": lambda: lk.attach_segments(
            any_engine.frame({"id": [3, 99, 0]}), segments, on="id"
        ),
    }
    own = {
        "segments": lk.customer_flow(
            pd.DataFrame(LOG), "id", "day", by="sector", segments=pd.DataFrame(SECTORS)
        ),
        "customers": lk.loyalty_tier(
            pd.DataFrame(LOG), "id", "day", customers=pd.DataFrame(SECTORS)
        ),
        "attached": lk.attach_segments(
            pd.DataFrame({"id": [0, 3, 99]}), pd.DataFrame(SECTORS), on="id"
        ),
    }
    for name, call in calls.items():
        try:
            rows = frame_rows(call())
        except (TypeError, LoyaltyKitError) as error:
            found = f"{type(error).__name__}: {error}"
            assert re.search("(segments|customers) (is|must)", found), found
        else:
            wanted = frame_rows(own[name])
            if name != "segments":
                rows = in_order(rows, ["id"])
            assert differences(rows, wanted) == []
            assert len(rows) == len(wanted)


RESULT_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "pool": lambda table: lk.pool(table, over="sector"),
    "compare": lambda table: lk.compare(table, "sector"),
    "explain_change": lambda table: lk.explain_change(table, "wave", reference=1, segment="sector"),
    "scorecard": lk.scorecard,
    "scorecard_matrix": lk.scorecard_matrix,
    "scorecard_html": lk.scorecard_html,
    "cohort_matrix": lk.cohort_matrix,
    "to_records": lk.to_records,
    "plot.nps_bars": lk.plot.nps_bars,
    "plot.estimates": lk.plot.estimates,
    "plot.change_waterfall": lk.plot.change_waterfall,
    "plot.cohort_heatmap": lk.plot.cohort_heatmap,
    "plot.retention_curves": lk.plot.retention_curves,
    "plot.customer_flow": lk.plot.customer_flow,
    "plot.tier_transitions": lk.plot.tier_transitions,
    "plot.inactivity_gap": lk.plot.inactivity_gap,
    "plot.differences": lk.plot.differences,
    "plot.scorecard": lk.plot.scorecard,
    "plot.answers": lk.plot.answers,
    "plot.loyalty_tiers": lk.plot.loyalty_tiers,
    "plot.lifecycle_stages": lk.plot.lifecycle_stages,
    "plot.rfm": lk.plot.rfm,
}


@pytest.mark.parametrize("function", RESULT_FUNCTIONS)
def test_result_tables_are_eager(any_engine: Engine, function: str) -> None:
    """What has been reduced to a table is not lazy any more: a lazy frame is some other frame."""
    frame = any_engine.frame(SECTORS)
    if any_engine.is_eager and function == "to_records":  # it takes any table
        assert lk.to_records(frame)[0] == {"id": 0, "sector": "NPO"}
        return
    if any_engine.is_eager:
        with pytest.raises(ParameterError, match=r"^(result|results|card)"):
            RESULT_FUNCTIONS[function](frame)
        return
    with pytest.raises(TypeError, match=r"pandas, Polars.*PyArrow"):
        RESULT_FUNCTIONS[function](frame)


def test_kinds_that_are_no_frames(any_engine: Engine) -> None:
    """A group-by, a column and the like are refused with the list of what may come."""
    frame = any_engine.frame(SECTORS)
    grouped = {
        "polars": lambda: frame.group_by("sector"),
        "polars-lazy": lambda: frame.group_by("sector"),
        "pyarrow": lambda: frame.group_by("sector"),
        "spark": lambda: frame.groupBy("sector"),
        "duckdb": lambda: frame.types,
    }.get(any_engine.name, lambda: frame.groupby("sector"))()
    wrongs: list[Any] = [grouped, {"sector": ["a"]}, "segments.csv", None]
    for wrong in wrongs:
        with pytest.raises(TypeError, match=r"^data must be a DataFrame of pandas"):
            lk.nps(wrong, "sector")
        with pytest.raises(TypeError, match=r"^data must be a DataFrame of pandas"):
            lk.customer_flow(wrong, "id", "day")
        with pytest.raises(TypeError, match=r"^segments must be a DataFrame of pandas"):
            lk.attach_segments(frame, wrong, on="id")


# ---- the frames are what they say ---------------------------------------------------------------


def test_frames_hold_what_was_asked_for(any_engine: Engine) -> None:
    """Or the suite would compare less than it claims."""
    frame = any_engine.frame(ANSWERS, CATEGORIES)
    rows = frame_rows(frame)
    assert column_names(frame) == list(ANSWERS)
    assert rows == answer_rows()


def test_null_and_nan_are_two_things_where_they_are(any_engine: Engine) -> None:
    frame = any_engine.frame({"x": [1.0, math.nan, None]})
    held = collected(frame)
    if any_engine.is_pandas or any_engine.name == "dask":
        expected_nan = {"pandas-arrow": 1}.get(any_engine.name, 0)
        values = [value for value in held["x"] if value is not pd.NA]
        assert any_engine.name == "pandas-arrow" or held["x"].isna().sum() == 2
        assert expected_nan <= sum(value != value for value in values)  # noqa: PLR0124
        return
    values = held["x"].to_pylist() if isinstance(held, pa.Table) else held["x"].to_list()
    assert values[0] == 1.0
    assert np.isnan(values[1])
    assert values[2] is None


def test_partitions(any_engine: Engine) -> None:
    frame = any_engine.frame({"x": [1, 2, 3, 4]}, ends=[0, 3, 3, 4])
    assert [row["x"] for row in frame_rows(frame)] == [1, 2, 3, 4]
    if any_engine.name == "dask":
        sizes = frame.map_partitions(len).compute().tolist()
        assert sizes == [0, 3, 0, 1]
        # Without ends as well, one is empty.
        assert any_engine.frame({"x": [1, 2, 3]}).map_partitions(len).compute().tolist() == [
            1,
            0,
            2,
        ]


def test_every_kind_is_in_the_suite() -> None:
    assert [*CONSTRUCTORS, *WRAPPED] == [
        *("pandas", "pandas-nullable", "pandas-arrow", "polars", "pyarrow"),
        *("polars-lazy", "duckdb", "spark", "dask"),
    ]
    assert len(CASES) >= 40


# ---- several callers at once --------------------------------------------------------------------


def test_eight_threads_get_the_tables_of_one(any_engine: Engine) -> None:
    """They share a frame, and in DuckDB a connection that serves one at a time."""
    answers, visits = any_engine.frame(ANSWERS), log(any_engine)

    def both(_: int) -> tuple[Rows, Rows]:
        flow = lk.customer_flow(visits, "id", "day", by="sector")
        return frame_rows(lk.nps(answers, "nps", by="sector")), frame_rows(flow)

    alone = both(0)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(both, range(16))) == [alone] * 16


# ---- no raw rows reach the driver ---------------------------------------------------------------


@pytest.fixture
def fetched(any_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all that an engine gives out of its own memory, from here on."""
    sizes: list[int] = []

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            result = method(*args, **keywords)
            parts = result if isinstance(result, tuple) else (result,)
            tables = [part.rows if isinstance(part, Part) else part for part in parts]
            sizes.extend(len(table) for table in tables if table is not None)
            return result

        return call

    places: list[tuple[Any, str]] = [(nw.LazyFrame, "collect")]
    if any_engine.name == "spark":
        from pyspark.sql.classic.dataframe import DataFrame

        places += [(DataFrame, name) for name in ("collect", "toArrow", "toPandas", "take")]
    if any_engine.name == "dask":
        import dask

        places += [(dask, "compute"), (dask.base, "compute")]
    for owner, name in places:
        monkeypatch.setattr(owner, name, counting(getattr(owner, name)))
    return sizes


def test_no_raw_rows_reach_the_driver(any_engine: Engine, fetched: list[int]) -> None:
    """8,000 rows of 2,000 customers at as many moments: whatever is asked, counts come out."""
    if any_engine.is_eager:
        assert fetched == []  # there is no driver
        return
    size = 8_000
    times = [dt.datetime(2026, 1, 1) + dt.timedelta(seconds=900 * i) for i in range(size)]
    log = any_engine.frame(
        {
            "id": [i * i % 2_000 for i in range(size)],
            "time": times,
            "text": [time.isoformat(" ") for time in times],
            "nps": [i % 11 for i in range(size)],
        }
    )
    segments = any_engine.frame({"id": list(range(2_000)), "sector": list("ABCD") * 500})
    fetched.clear()
    for time in ("time", "text"):
        lk.nps(log, "nps", time=time, freq="week")
        lk.customer_flow(log, "id", time, by="sector", segments=segments)
        lk.cohort_retention(log, "id", time)
    tiers = lk.loyalty_tier(log, "id", "time", freq="month")
    lk.retention_rate(log, "id", "time", by="tier", segments=tiers)
    lk.attach_segments(log, segments, on="id")
    lk.one_answer(log, "id", "time", within="month")
    assert len(fetched) >= 8
    # The largest: 11 answers in 13 weeks; over Dask those of every partition, 3 of them.
    assert max(fetched) <= 11 * 13
