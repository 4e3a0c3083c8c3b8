"""One answer of each customer, and the same people twice: by hand, published, naive."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import numpy as np
import oracles
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, Rows, column, column_names, frame_rows, only_row, values_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import loyaltykit as lk
from loyaltykit import _results
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    LoyaltyKitError,
    ParameterError,
    ScaleWarning,
)

# ---- one answer each ----------------------------------------------------------------------------


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


# Customer 1 answers twice on one day, 2 in two months, 3 around a new year, "row" tells them apart.
ANSWERS: dict[str, list[Any]] = {
    "row": [0, 1, 2, 3, 4, 5, 6],
    "id": [1, 2, 3, 1, 2, 3, 1],
    "day": [
        *(day("2026-03-05"), day("2026-02-09"), day("2026-01-01")),
        *(day("2026-03-05"), day("2026-01-08"), day("2025-12-31"), day("2026-01-02")),
    ],
    "wave": ["a", "a", None, "b", "b", None, "b"],
}


def naive(
    rows: Rows, keep: str, wave: Callable[[dict[str, Any]], Any] = lambda row: None
) -> list[Any]:
    """Go through the rows; the later of two at one time wins for the latest."""
    best: dict[Any, dict[str, Any]] = {}
    for row in rows:
        key = row["id"], wave(row)
        held = best.get(key)
        later = held is None or row["day"] >= held["day"]
        earlier = held is None or row["day"] < held["day"]
        if later if keep == "latest" else earlier:
            best[key] = row
    return sorted(row["row"] for row in best.values())


def rows_of(columns: dict[str, list[Any]]) -> Rows:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


WITHIN: dict[str, tuple[Any, Callable[[dict[str, Any]], Any]]] = {
    "all": (None, lambda row: None),
    "a column": ("wave", lambda row: row["wave"]),
    "two columns": (["wave", "day"], lambda row: (row["wave"], row["day"])),
    "no columns": ([], lambda row: None),
    "days": ("day_", lambda row: row["day"]),
    "months": ("month", lambda row: row["day"].replace(day=1)),
    "weeks": ("week", lambda row: row["day"].isocalendar()[:2]),
    "quarters": ("quarter", lambda row: (row["day"].year, (row["day"].month - 1) // 3)),
    "years": ("year", lambda row: row["day"].year),
}


@pytest.mark.parametrize("keep", ["latest", "first"])
@pytest.mark.parametrize("name", WITHIN)
def test_against_a_naive_loop(engine: Engine, name: str, keep: Any) -> None:
    within, wave = WITHIN[name]
    columns = dict(ANSWERS)
    if within == "day_":  # a frequency is meant where there is no column of that name
        columns["at"], within = columns.pop("day"), "day"
    made = lk.one_answer(
        engine.frame(columns), "id", "at" if "at" in columns else "day", keep=keep, within=within
    )
    assert column(made, "row") == naive(rows_of(ANSWERS), keep, wave)


def test_by_hand(engine: Engine) -> None:
    frame = engine.frame(ANSWERS)
    made = lk.one_answer(frame, "id", "day")
    assert type(made) is type(frame)
    assert column_names(made) == list(ANSWERS)
    # Of 1's two rows on 5 March the later one.
    assert frame_rows(made) == [rows_of(ANSWERS)[i] for i in (1, 2, 3)]
    assert column(lk.one_answer(frame, "id", "day", keep="first"), "row") == [4, 5, 6]


def test_a_column_goes_before_a_frequency(engine: Engine) -> None:
    frame = engine.frame({"id": [1, 1], "on": [day("2026-01-05")] * 2, "month": ["x", "y"]})
    assert column(lk.one_answer(frame, "id", "on", within="month"), "month") == ["x", "y"]


def test_texts_and_datetimes_are_times(engine: Engine) -> None:
    texts = ["2026-01-05", "2026-01-05T09:30", "2026-01-04 23:59:59"]
    made = lk.one_answer(engine.frame({"id": [1] * 3, "at": texts, "row": [0, 1, 2]}), "id", "at")
    assert column(made, "row") == [1]


def test_nanoseconds_decide(engine: Engine) -> None:
    frame = engine.with_types(
        {"id": [1, 1], "at": [1_000_000_002, 1_000_000_001], "row": [0, 1]},
        {"at": pa.timestamp("ns")},
    )
    assert values_of(lk.one_answer(frame, "id", "at")["row"]) == [0]
    assert values_of(lk.one_answer(frame, "id", "at", keep="first")["row"]) == [1]


NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def test_moments_decide_where_the_clock_goes_back(engine: Engine) -> None:
    """01:45 in summer time comes before 01:15 in winter time, half an hour later."""
    at = [
        dt.datetime(2026, 11, 1, 1, 45, tzinfo=NEW_YORK),
        dt.datetime(2026, 11, 1, 1, 15, fold=1, tzinfo=NEW_YORK),
    ]
    frame = engine.with_types(
        {"id": [1, 1], "at": at, "row": [0, 1]}, {"at": pa.timestamp("us", "America/New_York")}
    )
    lazily = [pl.from_arrow(frame).lazy()] if engine.name == "pyarrow" else []  # type: ignore[union-attr]
    for kind in (frame, *lazily):
        assert column(lk.one_answer(kind, "id", "at"), "row") == [1]
        assert column(lk.one_answer(kind, "id", "at", keep="first"), "row") == [0]


def test_periods_are_those_of_the_times_own_zone(engine: Engine) -> None:
    """04:30 on 1 March in UTC is still February in New York."""
    at = [dt.datetime(2026, 3, 1, hour, 30, tzinfo=dt.UTC) for hour in (4, 6)]
    columns: dict[str, list[Any]] = {"id": [1, 1], "at": at, "row": [0, 1]}
    there = engine.with_types(columns, {"at": pa.timestamp("us", "America/New_York")})
    assert column(lk.one_answer(there, "id", "at", within="month"), "row") == [0, 1]
    in_utc = engine.with_types(columns, {"at": pa.timestamp("us", "UTC")})
    assert column(lk.one_answer(in_utc, "id", "at", within="month"), "row") == [1]


def test_categories_and_texts_are_customers(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"id": ["b", "a", "b"], "on": [day("2026-01-05")] * 3}
    frame = engine.frame({**columns, "row": [0, 1, 2]}, {"id": ["z", "b", "a"]})
    assert column(lk.one_answer(frame, "id", "on"), "row") == [1, 2]


def test_no_rows(engine: Engine) -> None:
    frame = engine.with_types({"id": [], "on": []}, {"id": "int64", "on": "date32"})
    for within in (None, "id", "month"):
        assert frame_rows(lk.one_answer(frame, "id", "on", within=within)) == []


def test_the_index_of_pandas_stays() -> None:
    frame = pd.DataFrame(ANSWERS, index=list("abcdefa"))
    assert lk.one_answer(frame, "id", "day").index.tolist() == ["b", "c", "d"]


@pytest.mark.parametrize("keep", ["latest", "first"])
@settings(max_examples=50)
@given(
    data=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=20),
    wave=st.sampled_from([None, "month"]),
)
def test_random_answers_against_a_naive_loop(
    data: list[tuple[int, int]], keep: Any, wave: str | None
) -> None:
    days = [day("2026-01-30") + dt.timedelta(days=after) for _, after in data]
    columns: dict[str, list[Any]] = {
        "row": list(range(len(data))),
        "id": [who for who, _ in data],
        "day": days,
    }
    types = {"row": pl.Int64, "id": pl.Int64, "day": pl.Date}
    of_row = WITHIN["months" if wave else "all"][1]
    wanted = naive(rows_of(columns), keep, of_row)
    eager = lk.one_answer(pl.DataFrame(columns, schema=types), "id", "day", keep=keep, within=wave)
    lazy = lk.one_answer(pl.LazyFrame(columns, schema=types), "id", "day", keep=keep, within=wave)
    assert eager["row"].to_list() == lazy.collect()["row"].to_list() == wanted


REFUSED: dict[str, tuple[dict[str, list[Any]], dict[str, Any], type[Exception], str]] = {
    "rows without a customer": (
        {**ANSWERS, "id": [1, None, 2, None, 3, 3, 3]},
        {},
        DataError,
        r"^'id': 2 rows without a customer\. Complete or remove them\.$",
    ),
    "rows without a time": (
        {**ANSWERS, "day": [*ANSWERS["day"][:5], None, None]},
        {},
        DataError,
        r"^'day': 2 rows without a date\. Complete or remove them\.$",
    ),
    "a text that is no time": (
        {"id": [1, 2], "day": ["2026-01-05", "soon"]},
        {},
        DataError,
        r"^'day': 1 row with times that are not ISO dates .*'soon'\. Parse them first\.$",
    ),
    "numbers as times": (
        {"id": [1], "day": [20260105]},
        {},
        DataError,
        r"^'day' holds .*not dates",
    ),
    "another word for keep": (
        ANSWERS,
        {"keep": "last"},
        ParameterError,
        r"^keep='last' is not one of 'latest', 'first'",
    ),
    "no such customer": (
        {"who": [1], "day": [day("2026-01-05")]},
        {},
        ColumnNotFoundError,
        r"^customer='id': data has no such column",
    ),
    "no such wave": (
        ANSWERS,
        {"within": "waves"},
        ColumnNotFoundError,
        r"^within='waves': data has no such column\..* Did you mean 'wave'\?$",
    ),
    "no such wave among several": (
        ANSWERS,
        {"within": ["wave", "month"]},
        ColumnNotFoundError,
        r"^within\[1\]='month': data has no such column",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(engine: Engine, name: str) -> None:
    columns, options, error, message = REFUSED[name]
    with pytest.raises(LoyaltyKitError, match=message) as caught:
        lk.one_answer(engine.frame(columns), "id", "day", **options)
    assert type(caught.value) is error


def test_wrong_types() -> None:
    frame = pd.DataFrame(ANSWERS)
    with pytest.raises(TypeError, match=r"^customer must be a column name"):
        lk.one_answer(frame, 1, "day")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^keep must be a string"):
        lk.one_answer(frame, "id", "day", keep=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^within must be a column name or a sequence"):
        lk.one_answer(frame, "id", "day", within=3)  # type: ignore[arg-type]


# ---- without an order of rows -------------------------------------------------------------------


def test_ties_are_not_settled_by_chance() -> None:
    """What every engine without an order does is in test_every_engine.py; here the message."""
    relation = duckdb.from_arrow(pa.table(ANSWERS))
    message = r"^'id': 1 customer has different rows at one 'day' that is the latest \(ids 1\)"
    with pytest.raises(DataError, match=message):
        lk.one_answer(relation, "id", "day")
    firsts = lk.one_answer(relation, "id", "day", keep="first")
    assert sorted(column(firsts, "row")) == [4, 5, 6]


# ---- the same people, twice ---------------------------------------------------------------------

COLUMNS = [
    *("metric", "level", "reference", "n", "n_reference", "n_missing"),
    *("estimate", "estimate_reference", "difference", "std_error", "ci_low", "ci_high"),
    *("statistic", "df", "p_value", "p_adjusted", "adjust"),
    *("confidence_level", "method", "unit", "definition"),
]
PANEL: dict[str, list[Any]] = {
    "sector": ["B2B"] * 6 + ["B2C"] * 5 + [None] * 2,
    "was": [3, 8, 9, 6, 7, None, 10, 9, 4, 11, 8, 5, None],
    "now": [7, 9, 10, 8, 6, 10, 9, 9, 7, 10, 8, 5, None],
}


def paired(frame: Any, before: str = "was", after: str = "now", **options: Any) -> Any:
    return lk.compare_paired(frame, before, after, **{"metric": "nps", **options})


def test_columns(engine: Engine) -> None:
    assert list(_results.COMPARE_PAIRED) == COLUMNS
    frame = engine.frame(PANEL)
    made = paired(frame, by="sector", missing=(11,))
    assert type(made) is type(frame)
    assert column_names(made) == ["sector", *COLUMNS]
    assert column_names(paired(frame, missing=(11,))) == COLUMNS


def test_nps_by_hand(engine: Engine) -> None:
    """B2B: -1 0 1 -1 0 becomes 0 1 1 0 -1, so d = 1 1 0 1 -1: mean .4, variance .8, t = 1."""
    made = paired(engine.frame(PANEL), by="sector", missing=(11,))
    b2b, b2c, unknown = frame_rows(made)
    assert [b2b[name] for name in ("sector", "metric", "level", "reference")] == [
        *("B2B", "nps", "now", "was")
    ]
    assert [b2b[name] for name in ("n", "n_reference", "n_missing")] == [5, 5, 1]
    assert [b2b[name] for name in ("estimate", "estimate_reference", "difference")] == [20, -20, 40]
    assert [b2b[name] for name in ("std_error", "statistic", "df")] == pytest.approx([40, 1, 4])
    # t(4) at .975 is 2.776, as every table has it.
    assert [b2b["ci_low"], b2b["ci_high"]] == pytest.approx([40 - 111.06, 40 + 111.06], abs=0.01)
    assert b2b["p_value"] == pytest.approx(2 * stats.t.sf(1, 4))
    assert (b2b["method"], b2b["unit"]) == ("paired_t", "points")
    assert b2b["definition"] == "scale=0..10;promoter>=9;detractor<=6"
    # 1 1 -1 0 becomes 1 1 0 0.
    assert [b2c[name] for name in ("n", "n_missing", "difference")] == [4, 1, 25]
    # One pair: a difference, and nothing to judge it by. It is no part of the family.
    assert [unknown[name] for name in ("sector", "n", "n_missing", "difference")] == [None, 1, 1, 0]
    empty = ("std_error", "ci_low", "ci_high", "statistic", "df", "p_value", "p_adjusted")
    assert [unknown[name] for name in empty] == [None] * 7
    ordered = sorted([b2b["p_value"], b2c["p_value"]])
    assert b2b["p_adjusted"] == pytest.approx(max(2 * ordered[0], ordered[1]))


def table(pairs: dict[tuple[int, int], int]) -> dict[str, list[int]]:
    """Return the two columns that a table of pairs of answers stands for."""
    rows = [pair for pair, n in pairs.items() for _ in range(n)]
    return {"was": [was for was, _ in rows], "now": [now for _, now in rows]}


def test_agresti_approval_of_the_prime_minister(engine: Engine) -> None:
    """Two ratings by 1,600 people: 794 approve twice, 150 stop, 86 begin, 570 never do.

    Agresti, Categorical Data Analysis, chapter on matched pairs: difference -.04, standard
    error .0095, McNemar's z^2 = (86 - 150)^2 / (86 + 150) = 17.36.
    """
    frame = engine.frame(table({(1, 1): 794, (1, 0): 150, (0, 1): 86, (0, 0): 570}))
    row = only_row(paired(frame, metric="csat", scale=(0, 1)))
    assert (row["n"], row["estimate_reference"], row["estimate"]) == (1600, 59.0, 55.0)
    assert row["difference"] == pytest.approx(-4)
    assert row["std_error"] == pytest.approx(0.95, abs=0.005)
    assert row["statistic"] ** 2 == pytest.approx(17.36, abs=0.005)
    assert row["p_value"] == pytest.approx(stats.chi2.sf(64**2 / 236, 1), rel=1e-12)
    # Agresti's Wald interval is (-.06, -.02); Tango's is close to it at this n.
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([-6, -2], abs=0.2)
    assert (row["df"], row["method"], row["unit"]) == (None, "mcnemar", "percentage_points")
    assert row["definition"] == "scale=0..1;satisfied>=1"


def test_mcnemar_has_tangos_interval() -> None:
    """Of 30 pairs 9 gained and 3 lost: the limits are where the score test just rejects."""
    frame = pd.DataFrame(table({(5, 1): 3, (1, 5): 9, (5, 5): 14, (1, 1): 4}))
    row = only_row(paired(frame, metric="csat", confidence_level=0.9))
    low, high = oracles.tango_interval(9, 3, 30, 0.9)
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([100 * low, 100 * high], rel=1e-9)


def test_ces_mean_against_scipy(engine: Engine) -> None:
    rng = np.random.default_rng(20260105)
    was, now = (rng.integers(1, 8, 40) for _ in range(2))
    row = only_row(paired(engine.frame({"was": was.tolist(), "now": now.tolist()}), metric="ces"))
    wanted = stats.ttest_rel(now, was)
    interval = wanted.confidence_interval(0.95)
    assert [row["statistic"], row["df"], row["p_value"], row["ci_low"], row["ci_high"]] == (
        pytest.approx([wanted.statistic, 39, wanted.pvalue, interval.low, interval.high], rel=1e-10)
    )
    assert row["difference"] == pytest.approx(now.mean() - was.mean())
    assert [row["estimate"], row["estimate_reference"]] == pytest.approx([now.mean(), was.mean()])
    assert row["unit"] == "scale_points"
    assert row["definition"] == "scale=1..7;direction=ease;statistic=mean;easy>=5;hard<=3"


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("options", [{"metric": "nps"}, {"metric": "ces", "scale": (0, 10)}])
def test_alternatives_against_scipy(alternative: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(7)
    was, now = rng.integers(3, 11, 30), rng.integers(5, 11, 30)
    frame = pd.DataFrame({"was": was, "now": now})
    row = only_row(paired(frame, alternative=alternative, confidence_level=0.9, **options))
    factor = 1
    if options["metric"] == "nps":
        was, now = ((values >= 9) * 1 - (values <= 6) for values in (was, now))
        factor = 100
    wanted = stats.ttest_rel(now, was, alternative=alternative)
    interval = wanted.confidence_interval(0.9)
    assert row["p_value"] == pytest.approx(wanted.pvalue, rel=1e-10)
    end = {"nps": 200, "ces": 10}[options["metric"]]
    assert row["ci_low"] == pytest.approx(max(factor * interval.low, -end))
    assert row["ci_high"] == pytest.approx(min(factor * interval.high, end))


def test_one_sided_mcnemar() -> None:
    frame = pd.DataFrame(table({(5, 1): 3, (1, 5): 9, (5, 5): 20, (1, 1): 4}))
    both, greater, less = (
        only_row(paired(frame, metric="csat", alternative=word, confidence_level=level))
        for word, level in (("two-sided", 0.9), ("greater", 0.95), ("less", 0.95))
    )
    z = 6 / math.sqrt(12)
    assert both["p_value"] == pytest.approx(2 * stats.norm.sf(z))
    assert greater["p_value"] == pytest.approx(stats.norm.sf(z))
    assert less["p_value"] == pytest.approx(stats.norm.cdf(z))
    assert (greater["ci_low"], greater["ci_high"]) == (pytest.approx(both["ci_low"]), 100)
    assert (less["ci_low"], less["ci_high"]) == (-100, pytest.approx(both["ci_high"]))
    assert greater["confidence_level"] == 0.95


def test_ces_net_and_box_and_effort(engine: Engine) -> None:
    frame = engine.frame({"was": [1, 2, 4, 6, 7], "now": [6, 4, 5, 3, 7]})
    net = only_row(paired(frame, metric="ces", statistic="net"))
    # Ease: -1 -1 0 1 1 becomes 1 0 1 -1 1.
    assert [net["estimate_reference"], net["estimate"], net["difference"]] == [0, 40, 40]
    assert (net["unit"], net["method"]) == ("points", "paired_t")
    box = only_row(paired(frame, metric="ces", statistic="box"))
    assert [box["estimate_reference"], box["estimate"], box["difference"]] == [40, 60, 20]
    assert (box["unit"], box["method"]) == ("percentage_points", "mcnemar")
    assert box["statistic"] == pytest.approx((2 - 1) / math.sqrt(3))
    effort = only_row(paired(frame, metric="ces", statistic="box", direction="effort"))
    assert [effort["estimate_reference"], effort["estimate"]] == [40, 20]
    mean = only_row(paired(frame, metric="ces", direction="effort"))
    assert mean["difference"] == pytest.approx(1)  # as asked, never reversed
    stricter = only_row(paired(frame, metric="ces", statistic="box", easy_min=6))
    assert [stricter["estimate_reference"], stricter["estimate"]] == [40, 40]


# ---- edges --------------------------------------------------------------------------------------


def test_no_complete_pair(engine: Engine) -> None:
    frame = engine.frame({"was": [10.0, None, None], "now": [None, 3.0, None]})
    for metric in ("nps", "csat", "ces"):
        row = only_row(paired(frame, metric=metric, scale=(0, 10)))
        assert [row["n"], row["n_reference"], row["n_missing"]] == [0, 0, 3]
        numbers = COLUMNS[COLUMNS.index("estimate") : COLUMNS.index("adjust")]
        assert [row[name] for name in numbers] == [None] * len(numbers)


def test_no_rows_no_pairs(engine: Engine) -> None:
    frame = engine.with_types({"key": [], "was": [], "now": []}, {"was": "int64", "now": "int64"})
    assert only_row(paired(frame))["n"] == 0
    assert frame_rows(paired(frame, by="key")) == []


def test_all_changed_by_the_same() -> None:
    row = only_row(paired(pd.DataFrame({"was": [6, 5, 2], "now": [7, 8, 7]})))
    assert (row["difference"], row["std_error"]) == (100, 0)
    names = ("ci_low", "ci_high", "statistic", "df", "p_value", "p_adjusted")
    assert [row[name] for name in names] == [None] * 6


def test_nobody_changed_sides() -> None:
    row = only_row(paired(pd.DataFrame({"was": [5, 4, 1], "now": [4, 5, 2]}), metric="csat"))
    assert [row["difference"], row["std_error"], row["statistic"], row["p_value"]] == [0, 0, 0, 1]
    assert row["ci_low"] == pytest.approx(-row["ci_high"])
    assert row["ci_high"] > 0


def test_limits_are_cut_at_the_ends_of_the_scale() -> None:
    row = only_row(paired(pd.DataFrame({"was": [0, 10], "now": [10, 9]})))
    assert [row["difference"], row["ci_low"], row["ci_high"]] == [100, -200, 200]


def test_a_single_pair_of_shares_has_an_interval() -> None:
    """The score interval needs no spread: all of n gained gives an upper limit of 100."""
    row = only_row(paired(pd.DataFrame({"was": [1], "now": [5]}), metric="csat"))
    assert [row["difference"], row["ci_high"], row["statistic"]] == [100, 100, 1]
    assert row["ci_low"] < 0


# ---- properties ---------------------------------------------------------------------------------

PAIRS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=30)
METRICS: list[dict[str, Any]] = [
    {"metric": "nps", "scale": (1, 5), "promoter_min": 5, "detractor_max": 3},
    {"metric": "csat"},
    {"metric": "ces", "scale": (1, 5)},
    {"metric": "ces", "scale": (1, 5), "statistic": "box"},
    {"metric": "ces", "scale": (1, 5), "statistic": "net"},
]


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.ScaleWarning")
@pytest.mark.parametrize("options", METRICS)
@settings(max_examples=40)
@given(
    pairs=PAIRS,
    level=st.sampled_from([0.6, 0.8, 0.95, 0.99]),
    alternative=st.sampled_from(["two-sided", "greater", "less"]),
)
def test_the_interval_excludes_0_when_the_test_rejects(
    options: dict[str, Any], pairs: list[tuple[int, int]], level: float, alternative: str
) -> None:
    frame = pd.DataFrame(pairs, columns=["was", "now"])
    made = paired(frame, confidence_level=level, alternative=alternative, **options)
    row = only_row(made)
    if row["p_value"] is None or math.isclose(row["p_value"], 1 - level, rel_tol=1e-9):
        return
    excluded = row["ci_low"] > 0 or row["ci_high"] < 0
    assert excluded == (row["p_value"] < 1 - level)
    assert row["ci_low"] <= row["ci_high"]


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.ScaleWarning")
@pytest.mark.parametrize("options", METRICS)
@settings(max_examples=40)
@given(pairs=PAIRS)
def test_swapped_columns_flip_every_sign(
    options: dict[str, Any], pairs: list[tuple[int, int]]
) -> None:
    frame = pd.DataFrame(pairs, columns=["was", "now"])
    there = only_row(paired(frame, **options))
    back = only_row(paired(frame, "now", "was", **options))
    swapped = {
        **{"level": "reference", "estimate": "estimate_reference", "ci_low": "ci_high"},
        **{"difference": "difference", "statistic": "statistic", "p_value": "p_value"},
    }
    for name, other in swapped.items():
        turned = name in ("ci_low", "difference", "statistic")
        value = there[name]
        if isinstance(value, float):
            value = -value if turned else value
            assert back[other] == pytest.approx(value, rel=1e-9, abs=1e-9)
        else:
            assert back[other] == value


def naive_paired(was: Sequence[Any], now: Sequence[Any], value: Callable[[int], int]) -> Any:
    """One pair after the other, in exact fractions until the root."""
    complete = [(a, b) for a, b in zip(was, now, strict=True) if None not in (a, b)]
    changes = [value(b) - value(a) for a, b in complete]
    n = len(changes)
    mean = sum(changes) / n
    variance = sum((change - mean) ** 2 for change in changes) / (n - 1)
    return n, len(was) - n, mean, math.sqrt(variance / n)


def test_groups_against_a_naive_loop(engine: Engine) -> None:
    rng = np.random.default_rng(3)
    size = 300
    was, now = ([*map(int, rng.integers(0, 11, size))] for _ in range(2))
    was[::7], now[::11] = [None] * len(was[::7]), [None] * len(now[::11])  # type: ignore[list-item]
    keys = [["x", "y", "z"][i] for i in rng.integers(0, 3, size)]
    made = paired(engine.frame({"key": keys, "was": was, "now": now}), by="key", adjust="bh")
    for row in frame_rows(made):
        own = [i for i in range(size) if keys[i] == row["key"]]
        n, lost, mean, error = naive_paired(
            [was[i] for i in own], [now[i] for i in own], lambda a: (a >= 9) - (a <= 6)
        )
        assert (row["n"], row["n_missing"]) == (n, lost)
        assert [row["difference"], row["std_error"]] == pytest.approx([100 * mean, 100 * error])
    low, middle, high = sorted(column(made, "p_value"))
    wanted = {low: min(3 * low, 1.5 * middle, high), middle: min(1.5 * middle, high), high: high}
    assert column(made, "p_adjusted") == pytest.approx([wanted[p] for p in column(made, "p_value")])


def test_scores_of_the_pairs_are_those_of_the_metric() -> None:
    """Where nobody is missing, both estimates are what `nps`, `csat` and `ces` say."""
    frame = pd.DataFrame({"was": [3, 5, 2, 4, 4, 1, 5], "now": [5, 5, 4, 4, 2, 3, 5]})
    for name, function in (("csat", lk.csat), ("ces", lk.ces)):
        row = only_row(paired(frame, metric=name, scale=(1, 5)))
        for which, score in (("estimate", "now"), ("estimate_reference", "was")):
            wanted = only_row(function(frame, score, scale=(1, 5)))
            assert row[which] == pytest.approx(wanted["estimate"])
            assert row["definition"] == wanted["definition"]
    limits = oracles.ces(
        [{"d": b - a} for a, b in zip(frame["was"], frame["now"], strict=True)],
        "d",
        [],
        set(),
        set(),
    )
    row = only_row(paired(frame, metric="ces", scale=(1, 5)))
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(
        [limits[0]["ci_low"], limits[0]["ci_high"]]
    )


# ---- what the answers may be --------------------------------------------------------------------


def test_blank_codes_and_texts(engine: Engine) -> None:
    frame = engine.frame(
        {"was": ["9", "Blank", "3 ", "10"], "now": ["10", "8", "7", None]},
    )
    row = only_row(paired(frame, missing=("Blank",)))
    assert [row["n"], row["n_missing"], row["difference"]] == [2, 2, 50]


def test_answers_off_the_scale(engine: Engine) -> None:
    frame = engine.frame({"was": [9.0, 11, 3, 7.5, 8], "now": [10.0, 9, -1, 9, 9]})
    with pytest.raises(DataError, match=r"^'was': 2 rows with answers .*: 11\.0, 7\.5\."):
        paired(frame)
    row = only_row(paired(frame, errors="coerce"))
    assert [row["n"], row["n_missing"], row["difference"]] == [2, 3, 50]


def test_texts_off_the_scale_coerced(engine: Engine) -> None:
    frame = engine.frame({"was": ["9", "great", "11", "3"], "now": ["9", "9", "9", "Blank"]})
    row = only_row(paired(frame, errors="coerce", missing=("Blank", 11)))
    assert [row["n"], row["n_missing"]] == [1, 3]


def test_truths_on_a_scale_of_two(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"was": [True, False, False], "now": [True, True, None]}
    for errors in ("raise", "coerce"):
        row = only_row(paired(engine.frame(columns), metric="csat", scale=(0, 1), errors=errors))
        assert [row["n"], row["n_missing"], row["difference"]] == [2, 1, 50]


def test_small_integers_on_a_scale_below_0(engine: Engine) -> None:
    frame = engine.with_types({"was": [0, 2, 200], "now": [1, 2, 2]}, {"was": "uint8"})
    row = only_row(paired(frame, metric="ces", scale=(-3, 3), errors="coerce"))
    assert [row["n"], row["n_missing"], row["difference"]] == [2, 1, 0.5]


def test_a_short_scale_is_noticed() -> None:
    frame = pd.DataFrame({"was": [5, 4, 3, 5, 1], "now": [8, 9, 10, 7, 8]})
    with pytest.warns(ScaleWarning, match=r"^'was': no answer is above 5 on a scale of 0 to 10"):
        paired(frame)


def test_low_is_no_sign_of_a_short_scale_for_effort() -> None:
    frame = pd.DataFrame({"was": [1, 2, 3, 2, 1], "now": [1, 1, 1, 2, 3]})
    row = only_row(paired(frame, metric="ces", direction="effort"))  # a warning would be an error
    assert row["n"] == 5


# ---- refusals -----------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no such metric": ({"metric": "NPS"}, ParameterError, r"^metric='NPS' .*Did you mean 'nps'\?"),
    "a parameter of another metric": (
        {"satisfied_min": 4},
        ParameterError,
        r"^'satisfied_min' belongs to metric='csat', and metric is 'nps'\.$",
    ),
    "cut-offs of another metric": (
        {"metric": "ces", "promoter_min": 5},
        ParameterError,
        r"^'promoter_min' belongs to metric='nps', and metric is 'ces'\.$",
    ),
    "a statistic of another metric": (
        {"metric": "csat", "statistic": "box", "direction": "effort"},
        ParameterError,
        r"^'direction', 'statistic' belongs to metric='ces'",
    ),
    "cut-offs off the scale": ({"scale": (1, 5)}, ParameterError, r"^promoter_min=9 and detractor"),
    "a level in percent": ({"confidence_level": 95}, ParameterError, r"Did you mean 0\.95\?"),
    "a one-sided level that says nothing": (
        {"confidence_level": 0.5, "alternative": "less"},
        ParameterError,
        r"^confidence_level=0\.5 must be above 0\.5 with alternative='less'",
    ),
    "no such alternative": ({"alternative": "two_sided"}, ParameterError, r"^alternative="),
    "no such adjustment": ({"adjust": "bonferroni"}, ParameterError, r"^adjust='bonferroni'"),
    "no such key": ({"by": "sectors"}, ColumnNotFoundError, r"^by\[0\]='sectors'"),
    "no such column": ({"before": "x"}, ColumnNotFoundError, r"^before='x'"),
    "one column twice": ({"before": "now"}, ParameterError, r"^before and after are the same"),
    "errors in another word": ({"errors": "ignore"}, ParameterError, r"^errors='ignore'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters(name: str) -> None:
    options, error, message = WRONG[name]
    with pytest.raises(LoyaltyKitError, match=message) as caught:
        paired(pd.DataFrame(PANEL), **options)
    assert type(caught.value) is error


def test_a_reserved_key() -> None:
    frame = pd.DataFrame({**PANEL, "level": PANEL["sector"]})
    with pytest.raises(ParameterError, match=r"^by='level': a result table has a column"):
        paired(frame, by="level")


def test_columns_are_names() -> None:
    with pytest.raises(TypeError, match=r"^after must be a column name"):
        lk.compare_paired(pd.DataFrame(PANEL), "was", 2, metric="nps")  # type: ignore[arg-type]
