"""NPS, CSAT, CES and the tally: every engine, against naive loops over rows."""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import oracles
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import (
    Engine,
    categories_of,
    column,
    column_names,
    dtype_names,
    frame_rows,
    only_row,
    snapshot,
    stacked,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit import _results
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    ParameterError,
    ScaleWarning,
)

Columns = dict[str, list[Any]]

# Fits the scales of all three metrics, passes the middle of each, and has one of everything: nulls
# in keys and answers, a group that is all missing, a group of one.
ANSWERS: Columns = {
    "tier": ["new", "new", "loyal", None, "loyal", "new", None, "loyal", "once", "empty", "empty"],
    "sector": [*["B2B", "B2C", "B2B", "B2B", None, "B2C", None, "B2B", "B2C", "B2B", "B2B"]],
    "score": [5, 4, 3, 5, None, 1, 2, 5, 5, None, None],
}
TIERS = ["prospect", "new", "loyal", "once", "empty"]
SHARED = ["metric", "confidence_level", "method", "unit", "definition"]


FIVE_POINTS: dict[str, Any] = {"promoter_min": 5, "detractor_max": 3}


def cuts(metric: Callable[..., Any]) -> dict[str, Any]:
    """Return the cut-offs that a scale of 1 to 5 needs."""
    return FIVE_POINTS if metric is lk.nps else {}


def to_rows(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def counted(table: Any, names: list[str]) -> list[dict[str, Any]]:
    """Return the rows of a table with the named columns only."""
    return [{name: row[name] for name in names} for row in frame_rows(table)]


def assert_rows(table: Any, expected: list[dict[str, Any]]) -> None:
    """Compare the columns that the oracle knows; floats to 1e-9, all else exactly."""
    found = frame_rows(table)
    assert len(found) == len(expected)
    for row, oracle in zip(found, expected, strict=True):
        for name, value in oracle.items():
            close = pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
            assert row[name] == close, name


def estimates(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("estimate", "std_error", "ci_low", "ci_high"))


# ---- against the oracles -------------------------------------------------------------------------

BY = [[], ["tier"], ["sector"], ["tier", "sector"], ["sector", "tier"]]


@pytest.mark.parametrize("by", BY)
def test_nps(engine: Engine, by: list[str]) -> None:
    table = lk.nps(engine.frame(ANSWERS), "score", by=by, scale=(1, 5), **FIVE_POINTS)
    assert_rows(table, oracles.nps(to_rows(ANSWERS), "score", by, None, 5, 3))
    assert column_names(table) == [*by, *_results.NPS]


@pytest.mark.parametrize("by", BY)
def test_csat(engine: Engine, by: list[str]) -> None:
    table = lk.csat(engine.frame(ANSWERS), "score", by=by)
    assert_rows(table, oracles.csat(to_rows(ANSWERS), "score", by, 4))
    assert column_names(table) == [*by, *_results.CSAT]


@pytest.mark.parametrize("by", BY)
def test_ces(engine: Engine, by: list[str]) -> None:
    table = lk.ces(engine.frame(ANSWERS), "score", by=by)
    assert_rows(table, oracles.ces(to_rows(ANSWERS), "score", by, {5, 6, 7}, {1, 2, 3}))
    assert column_names(table) == [*by, *_results.CES]


@pytest.mark.parametrize("by", BY)
def test_tally(engine: Engine, by: list[str]) -> None:
    table = lk.tally(engine.frame(ANSWERS), "score", by=by, scale=(1, 5))
    assert frame_rows(table) == oracles.tally(to_rows(ANSWERS), "score", by)
    assert column_names(table) == [*by, *_results.TALLY]


def test_nps_interval_is_tangos(engine: Engine) -> None:
    row = only_row(lk.nps(engine.frame({"s": [10] * 6 + [9] + [8] * 2 + [3]}), "s"))
    low, high = oracles.tango_interval(7, 1, 10, 0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((100 * low, 100 * high))
    assert row["estimate"] == 60.0


@pytest.mark.parametrize("method", ["wald", "adjusted_wald"])
def test_nps_interval_by_name(engine: Engine, method: Any) -> None:
    row = only_row(lk.nps(engine.frame({"s": [10, 10, 8, 3]}), "s", method=method))
    added = Fraction(3, 4) if method == "adjusted_wald" else Fraction(0)
    low, high = oracles.wald_interval(2, 1, 4, 0.95, added)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((100 * low, 100 * high))
    assert row["method"] == method


def test_ces_box_and_net(engine: Engine) -> None:
    frame = engine.frame({"s": [7, 6, 5, 4, 3, 1, 7, None]})
    box = only_row(lk.ces(frame, "s", statistic="box"))
    low, high = oracles.wilson_interval(4, 7, 0.95)
    assert box["estimate"] == pytest.approx(400 / 7)
    assert (box["ci_low"], box["ci_high"]) == pytest.approx((100 * low, 100 * high))
    assert (box["method"], box["unit"]) == ("wilson", "percent")
    net = only_row(lk.ces(frame, "s", statistic="net"))
    low, high = oracles.tango_interval(4, 2, 7, 0.95)
    assert net["estimate"] == pytest.approx(200 / 7)
    assert (net["ci_low"], net["ci_high"]) == pytest.approx((100 * low, 100 * high))
    assert (net["method"], net["unit"]) == ("score", "points")


def test_effort_is_low_when_things_are_good(engine: Engine) -> None:
    frame = engine.frame({"s": [1, 2, 2, 3, 4, 7]})
    mean = only_row(lk.ces(frame, "s", direction="effort"))
    assert (mean["easy"], mean["neutral"], mean["hard"]) == (4, 1, 1)
    assert mean["estimate"] == pytest.approx(19 / 6)  # as asked, never reversed
    box = only_row(lk.ces(frame, "s", direction="effort", statistic="box"))
    assert box["estimate"] == pytest.approx(400 / 6)
    net = only_row(lk.ces(frame, "s", direction="effort", statistic="net"))
    assert net["estimate"] == pytest.approx(50.0)


# "top two points of a scale of four or more, the top one of two or three" (DESIGN.md, Definitions).
@pytest.mark.parametrize(
    ("scale", "satisfied_min", "satisfied"),
    [
        ((1, 5), None, 2),
        ((1, 10), None, 2),
        ((0, 10), None, 2),
        ((1, 4), None, 2),
        ((1, 3), None, 1),
        ((0, 1), None, 1),
        ((-1, 1), None, 1),
        ((-2, 2), None, 2),
        ((1, 10), 7, 4),
        ((1, 5), 2, 4),
    ],
)
def test_csat_satisfied_follows_the_scale(
    scale: tuple[int, int], satisfied_min: int | None, satisfied: int
) -> None:
    one_each = list(range(scale[0], scale[1] + 1))
    row = only_row(lk.csat(one_each, scale=scale, satisfied_min=satisfied_min))
    assert row["satisfied"] == satisfied
    lowest = one_each[-satisfied]
    assert row["definition"] == f"scale={scale[0]}..{scale[1]};satisfied>={lowest}"


def test_csat_never_looks_at_the_highest_answer_seen(engine: Engine) -> None:
    with pytest.warns(ScaleWarning):
        row = only_row(lk.csat(engine.frame({"s": [3, 3, 2, 3, 1]}), "s"))
    assert row["estimate"] == 0.0


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (lambda: lk.nps([10]), ("nps", "score", "points", "scale=0..10;promoter>=9;detractor<=6")),
        (
            lambda: lk.nps([5], scale=(1, 5), **FIVE_POINTS),
            ("nps", "score", "points", "scale=1..5;promoter>=5;detractor<=3"),
        ),
        (lambda: lk.csat([5]), ("csat", "wilson", "percent", "scale=1..5;satisfied>=4")),
        (
            lambda: lk.ces([5]),
            (
                *("ces", "t", "scale_points"),
                "scale=1..7;direction=ease;statistic=mean;easy>=5;hard<=3",
            ),
        ),
        (
            lambda: lk.ces([5], easy_min=6, statistic="box"),
            (
                *("ces", "wilson", "percent"),
                "scale=1..7;direction=ease;statistic=box;easy>=6;hard<=3",
            ),
        ),
        (
            lambda: lk.ces([5], direction="effort", statistic="net", method="wald"),
            (
                *("ces", "wald", "points"),
                "scale=1..7;direction=effort;statistic=net;easy<=3;hard>=5",
            ),
        ),
    ],
)
def test_words_of_a_table(table: Callable[[], Any], expected: tuple[str, ...]) -> None:
    row = only_row(table())
    assert tuple(row[name] for name in ("metric", "method", "unit", "definition")) == expected
    assert row["confidence_level"] == 0.95


def test_confidence_level_reaches_the_interval(engine: Engine) -> None:
    frame = engine.frame({"s": [5, 4, 3, 2, 1, 5]})
    row = only_row(lk.csat(frame, "s", confidence_level=0.8))
    low, high = oracles.wilson_interval(3, 6, 0.8)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((100 * low, 100 * high))
    assert row["confidence_level"] == 0.8


# ---- edges: a defined row, never an exception and never a false 0 --------------------------------

METRICS: dict[str, Callable[..., Any]] = {"nps": lk.nps, "csat": lk.csat, "ces": lk.ces}
EVERY_METRIC = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@EVERY_METRIC
@pytest.mark.parametrize("answers", [[], [None], [None, None, None]])
def test_no_valid_answer(engine: Engine, metric: Callable[..., Any], answers: list[None]) -> None:
    row = only_row(metric(engine.frame({"s": answers}), "s"))
    assert (row["n"], row["n_missing"]) == (0, len(answers))
    assert estimates(row) == (None, None, None, None)
    counts = _results.COUNTS[row["metric"]]
    assert [row[name] for name in counts] == [0] * len(counts)


@EVERY_METRIC
def test_typed_frame_without_rows(engine: Engine, metric: Callable[..., Any]) -> None:
    frame = engine.frame({"tier": ["new"], "day": [dt.date(2026, 1, 1)], "s": [5]})[:0]
    assert only_row(metric(frame, "s"))["n"] == 0
    for options in ({"by": "tier"}, {"time": "day"}, {"by": ["tier"], "time": "day"}):
        table = metric(frame, "s", **options)
        assert frame_rows(table) == []
        assert column_names(table)[-1] == "definition"


@EVERY_METRIC
def test_groups_that_are_empty_keep_their_row(engine: Engine, metric: Callable[..., Any]) -> None:
    frame = engine.frame({"key": ["a", "b", None], "s": [None, 5, None]})
    empty, full, null = frame_rows(metric(frame, "s", by="key"))
    for row, key in ((empty, "a"), (null, None)):
        assert (row["key"], row["n"], row["n_missing"]) == (key, 0, 1)
        assert estimates(row) == (None, None, None, None)
    assert (full["key"], full["n"], full["n_missing"]) == ("b", 1, 0)


def test_nan_and_null_are_both_missing(engine: Engine) -> None:
    frame = engine.frame({"s": [10.0, float("nan"), None, 0.0]})
    row = only_row(lk.nps(frame, "s"))
    assert (row["n"], row["n_missing"], row["estimate"]) == (2, 2, 0.0)


def test_nan_and_null_keys_are_one_row(engine: Engine) -> None:
    frame = engine.frame({"key": [2.5, float("nan"), None, 1.5], "s": [10, 10, 10, 10]})
    assert counted(lk.nps(frame, "s", by="key"), ["key", "n"]) == [
        {"key": 1.5, "n": 1},
        {"key": 2.5, "n": 1},
        {"key": None, "n": 2},
    ]


def test_one_answer(engine: Engine) -> None:
    nps = only_row(lk.nps(engine.frame({"s": [10]}), "s"))
    assert (nps["n"], nps["estimate"], nps["std_error"]) == (1, 100.0, 0.0)
    assert nps["ci_high"] == 100.0
    assert nps["ci_low"] < 100.0  # one answer is no certainty
    csat = only_row(lk.csat(engine.frame({"s": [5]}), "s"))
    low, high = oracles.wilson_interval(1, 1, 0.95)
    assert (csat["ci_low"], csat["ci_high"]) == pytest.approx((100 * low, 100 * high))
    ces = only_row(lk.ces(engine.frame({"s": [5]}), "s"))
    assert estimates(ces) == (5.0, None, None, None)


def test_all_of_a_kind(engine: Engine) -> None:
    promoters = only_row(lk.nps(engine.frame({"s": [10] * 20}), "s"))
    assert (promoters["estimate"], promoters["ci_high"]) == (100.0, 100.0)
    assert 0 < promoters["ci_low"] < 100
    detractors = only_row(lk.nps(engine.frame({"s": [0] * 4}), "s"))
    assert (detractors["estimate"], detractors["ci_low"]) == (-100.0, -100.0)
    assert -100 < detractors["ci_high"] < 100
    passives = only_row(lk.nps(engine.frame({"s": [7] * 20}), "s"))
    assert (passives["estimate"], passives["std_error"]) == (0.0, 0.0)
    assert passives["ci_low"] < 0 < passives["ci_high"]
    equal = only_row(lk.ces(engine.frame({"s": [6] * 20}), "s"))
    assert estimates(equal) == (6.0, 0.0, 6.0, 6.0)


# ---- keys ----------------------------------------------------------------------------------------


def test_null_keys_keep_a_row_of_their_own_and_come_last(engine: Engine) -> None:
    table = lk.csat(engine.frame(ANSWERS), "score", by=["tier", "sector"])
    assert counted(table, ["tier", "sector", "n"]) == [
        {"tier": "empty", "sector": "B2B", "n": 0},
        {"tier": "loyal", "sector": "B2B", "n": 2},
        {"tier": "loyal", "sector": None, "n": 0},
        {"tier": "new", "sector": "B2B", "n": 1},
        {"tier": "new", "sector": "B2C", "n": 2},
        {"tier": "once", "sector": "B2C", "n": 1},
        {"tier": None, "sector": "B2B", "n": 1},
        {"tier": None, "sector": None, "n": 1},
    ]


def test_categories_keep_order_and_dtype_and_get_no_empty_rows(engine: Engine) -> None:
    table = lk.csat(engine.frame(ANSWERS, {"tier": TIERS}), "score", by="tier")
    assert column(table, "tier") == ["new", "loyal", "once", "empty", None]
    assert categories_of(table["tier"]) == TIERS


def test_categories_survive_a_tally(engine: Engine) -> None:
    frame = engine.frame(ANSWERS, {"tier": TIERS})
    tally = lk.tally(frame, "score", by="tier", scale=(1, 5))
    assert categories_of(tally["tier"]) == TIERS
    table = lk.csat(tally, "answer", counts="n", by="tier")
    assert categories_of(table["tier"]) == TIERS


@pytest.mark.parametrize(
    "keys",
    [
        [2, 1, 2, 10],
        [True, False, True, True],
        [dt.date(2026, 2, 1), dt.date(2025, 12, 31), dt.date(2026, 2, 1), dt.date(2026, 10, 1)],
        [dt.datetime(2026, 2, 1, 9), dt.datetime(2025, 2, 1, 9)] * 2,
        ["2", "10", "1", "2"],
    ],
)
def test_keys_of_every_type(engine: Engine, keys: list[Any]) -> None:
    frame = engine.frame({"key": keys, "s": [5, 4, 1, 2]})
    table = lk.csat(frame, "s", by="key")
    assert column(table, "key") == sorted(set(keys))
    assert column(table, "n") == [keys.count(key) for key in sorted(set(keys))]
    assert dtype_names(table)["key"] == dtype_names(frame)["key"]


def test_by_may_be_a_name_a_list_a_tuple_or_nothing(engine: Engine) -> None:
    frame = engine.frame(ANSWERS)
    one = frame_rows(lk.csat(frame, "score", by="tier"))
    assert frame_rows(lk.csat(frame, "score", by=["tier"])) == one
    assert frame_rows(lk.csat(frame, "score", by=("tier",))) == one
    total = frame_rows(lk.csat(frame, "score"))
    assert frame_rows(lk.csat(frame, "score", by=[])) == total
    assert len(total) == 1


def test_the_answers_may_be_a_key_too(engine: Engine) -> None:
    table = lk.csat(engine.frame({"s": [5, 1, 5]}), "s", by="s")
    assert counted(table, ["s", "n", "satisfied"]) == [
        {"s": 1, "n": 1, "satisfied": 0},
        {"s": 5, "n": 2, "satisfied": 2},
    ]


@pytest.mark.parametrize("name", sorted(_results.RESERVED))
def test_every_name_of_the_contract_is_refused_as_a_key(name: str) -> None:
    frame = pd.DataFrame({name: ["a"], "s": [5]})
    message = f"by='{name}': a result table has a column of that name.*'{name}_group'"
    with pytest.raises(ParameterError, match=message):
        lk.csat(frame, "s", by=name)


# ---- time ----------------------------------------------------------------------------------------

# Days around the turn of an ISO year, of a month, a quarter and a leap day.
DAYS = ["2024-12-29", "2024-12-30", "2025-01-05", "2025-01-06", "2024-02-29", "2024-03-31"]


@pytest.mark.parametrize(
    ("freq", "periods"),
    [
        ("day", sorted(DAYS)),
        ("week", ["2024-02-26", "2024-03-25", "2024-12-23", "2024-12-30", "2025-01-06"]),
        ("month", ["2024-02-01", "2024-03-01", "2024-12-01", "2025-01-01"]),
        ("quarter", ["2024-01-01", "2024-10-01", "2025-01-01"]),
        ("year", ["2024-01-01", "2025-01-01"]),
    ],
)
def test_every_frequency(engine: Engine, freq: Any, periods: list[str]) -> None:
    frame = engine.frame({"day": DAYS, "s": [5] * 6})
    table = lk.csat(frame, "s", time="day", freq=freq)
    assert column_names(table) == ["period", "coverage", *_results.CSAT]
    assert column(table, "period") == [dt.date.fromisoformat(day) for day in periods]
    assert set(column(table, "coverage")) == {"observed"}
    assert sum(column(table, "n")) == 6


def test_time_alone_means_months(engine: Engine) -> None:
    frame = engine.frame({"day": DAYS, "s": [5] * 6})
    months = lk.csat(frame, "s", time="day", freq="month")
    assert frame_rows(lk.csat(frame, "s", time="day")) == frame_rows(months)


@pytest.mark.parametrize(
    "times",
    [
        ["2026-01-31", "2026-02-01", "2026-01-01"],
        ["2026-01-31T23:59:59", "2026-02-01 00:00:00", "2026-01-01T00:00"],
        [dt.date(2026, 1, 31), dt.date(2026, 2, 1), dt.date(2026, 1, 1)],
        [dt.datetime(2026, 1, 31, 23, 59), dt.datetime(2026, 2, 1), dt.datetime(2026, 1, 1)],
    ],
)
def test_times_of_every_kind(engine: Engine, times: list[Any]) -> None:
    table = lk.nps(engine.frame({"when": times, "s": [10, 9, 8]}), "s", time="when")
    assert counted(table, ["period", "n", "promoters"]) == [
        {"period": dt.date(2026, 1, 1), "n": 2, "promoters": 1},
        {"period": dt.date(2026, 2, 1), "n": 1, "promoters": 1},
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("zone", "month"), [(None, 1), ("UTC", 1), ("Asia/Jakarta", 2), ("America/New_York", 1)]
)
def test_times_of_every_unit_in_their_own_zone(
    engine: Engine, unit: str, zone: str | None, month: int
) -> None:
    """17:30 UTC on 31 January is half past midnight on 1 February in Jakarta."""
    columns: Columns = {"when": [dt.datetime(2026, 1, 31, 17, 30)], "s": [10]}
    frame = engine.typed(columns, "when", pa.timestamp(unit, zone))
    assert column(lk.nps(frame, "s", time="when"), "period") == [dt.date(2026, month, 1)]


def test_text_with_an_offset_stays_on_its_own_clock(engine: Engine) -> None:
    frame = engine.frame({"when": ["2026-01-31T23:30:00+07:00"], "s": [10]})
    assert column(lk.nps(frame, "s", time="when"), "period") == [dt.date(2026, 1, 1)]


def test_text_of_several_offsets_says_what_to_do(engine: Engine) -> None:
    frame = engine.frame(
        {"when": ["2026-03-28T12:00+01:00", "2026-03-30T12:00+02:00"], "s": [9, 9]}
    )
    with pytest.raises(DataError, match="'when' holds times of several zones") as caught:
        lk.nps(frame, "s", time="when")
    # A way out that this function has: there is no tz= here.
    assert "tz=" not in str(caught.value)


def test_periods_are_inside_the_keys_and_gaps_stay_gaps(engine: Engine) -> None:
    frame = engine.frame(
        {
            "tier": ["b", "a", "b", "a"],
            "day": ["2026-05-01", "2026-01-01", "2026-01-01", "2026-03-01"],
            "s": [5, 5, None, 5],
        }
    )
    table = lk.csat(frame, "s", by="tier", time="day")
    assert column_names(table)[:3] == ["tier", "period", "coverage"]
    assert counted(table, ["tier", "period", "n"]) == [
        {"tier": "a", "period": dt.date(2026, 1, 1), "n": 1},
        {"tier": "a", "period": dt.date(2026, 3, 1), "n": 1},
        {"tier": "b", "period": dt.date(2026, 1, 1), "n": 0},
        {"tier": "b", "period": dt.date(2026, 5, 1), "n": 1},
    ]


def test_bad_dates_coerced_are_left_out_and_counted_in_the_warning(engine: Engine) -> None:
    frame = engine.frame({"day": ["2026-01-01", "soon", None, "2026-01-09"], "s": [10, 9, 8, None]})
    with pytest.warns(DroppedRowsWarning, match="2 rows left out: no usable date in 'day'"):
        row = only_row(lk.nps(frame, "s", time="day", errors="coerce"))
    assert (row["n"], row["n_missing"]) == (1, 1)


# ---- counts= and tallies -------------------------------------------------------------------------


@EVERY_METRIC
def test_counts_are_rows_that_repeat(engine: Engine, metric: Callable[..., Any]) -> None:
    tier, sector, score = ANSWERS["tier"], ANSWERS["sector"], ANSWERS["score"]
    times = [i % 4 for i in range(len(score))]
    repeated: Columns = {"tier": [], "sector": [], "score": []}
    for i, count in enumerate(times):
        repeated["tier"] += [tier[i]] * count
        repeated["sector"] += [sector[i]] * count
        repeated["score"] += [score[i]] * count
    options: dict[str, Any] = {"by": ["tier", "sector"], "scale": (1, 5), **cuts(metric)}
    weighted = metric(engine.frame({**ANSWERS, "times": times}), "score", counts="times", **options)
    plain = [row for row in frame_rows(weighted) if row["n"] + row["n_missing"]]
    assert plain == frame_rows(metric(engine.frame(repeated), "score", **options))


@EVERY_METRIC
@pytest.mark.parametrize("by", [[], ["tier"], ["tier", "sector"]])
def test_tallies_of_shards_stacked_are_the_single_pass(
    engine: Engine, metric: Callable[..., Any], by: list[str]
) -> None:
    everything = engine.frame(ANSWERS, {"tier": TIERS})
    shards = [everything[0:4], everything[4:5], everything[5:11]]
    tallies = [lk.tally(shard, "score", by=by, scale=(1, 5)) for shard in shards]
    merged = metric(stacked(tallies), "answer", counts="n", by=by, scale=(1, 5), **cuts(metric))
    single = metric(everything, "score", by=by, scale=(1, 5), **cuts(metric))
    assert frame_rows(merged) == frame_rows(single)
    assert dtype_names(merged) == dtype_names(single)


def test_tallies_with_categories_of_their_own_shards(engine: Engine) -> None:
    """Shards that were made apart: each frame brings its own categories column."""
    halves = [
        {name: values[part] for name, values in ANSWERS.items()}
        for part in (slice(0, 6), slice(6, 11))
    ]
    tallies = [
        lk.tally(engine.frame(half, {"tier": TIERS}), "score", by="tier", scale=(1, 5))
        for half in halves
    ]
    merged = lk.csat(stacked(tallies), "answer", counts="n", by="tier")
    single = lk.csat(engine.frame(ANSWERS, {"tier": TIERS}), "score", by="tier")
    assert frame_rows(merged) == frame_rows(single)


@pytest.mark.parametrize("freq", ["week", "month", "quarter", "year"])
def test_daily_tallies_give_every_coarser_period(engine: Engine, freq: str) -> None:
    frame = engine.frame({"day": DAYS * 2, "tier": ["a"] * 5 + ["b"] * 7, "s": [5, 4, None] * 4})
    daily = lk.tally(frame, "s", by="tier", time="day", freq="day", scale=(1, 5))
    assert column_names(daily) == ["tier", "period", "answer", "n"]
    options: dict[str, Any] = {"by": "tier", "freq": freq}
    merged = lk.csat(daily, "answer", counts="n", time="period", **options)
    assert frame_rows(merged) == frame_rows(lk.csat(frame, "s", time="day", **options))


def test_a_tally_of_a_tally_is_itself(engine: Engine) -> None:
    once = lk.tally(engine.frame(ANSWERS), "score", by="tier", scale=(1, 5))
    again = lk.tally(once, "answer", by="tier", counts="n", scale=(1, 5))
    assert frame_rows(again) == frame_rows(once)
    assert dtype_names(again) == dtype_names(once)


def test_a_tally_of_nothing(engine: Engine) -> None:
    nothing = lk.tally(engine.frame({"s": [5]})[:0], "s", scale=(1, 5))
    assert frame_rows(nothing) == []
    assert column_names(nothing) == ["answer", "n"]
    assert only_row(lk.csat(nothing, "answer", counts="n"))["n"] == 0


def test_tally_counts_coded_and_coerced_answers_as_missing(engine: Engine) -> None:
    frame = engine.frame({"s": ["5", "Blank", "7", None, "5"]})
    table = lk.tally(frame, "s", scale=(1, 5), missing="Blank", errors="coerce")
    assert frame_rows(table) == [{"answer": 5, "n": 2}, {"answer": None, "n": 3}]


# ---- answers as they come ------------------------------------------------------------------------

DRESSED = [
    ([10, 9, 8, 0, None], ()),
    ([10.0, 9.0, 8.0, 0.0, float("nan")], ()),
    (["10", " 9", "8.0", "0", None], ()),
    ([10, 9, 8, 0, 11], (11,)),
    ([10.0, 9.0, 8.0, 0.0, 11.0], ("11",)),
    (["10", "9", "8", "0", " Blank "], ("Blank",)),
    (["10", "9", "8", "0", "11"], (11, "Blank")),
]


@pytest.mark.parametrize(("answers", "missing"), DRESSED)
def test_the_same_answers_in_another_dress(
    engine: Engine, answers: list[Any], missing: tuple[Any, ...]
) -> None:
    row = only_row(lk.nps(engine.frame({"s": answers}), "s", missing=missing))
    assert (row["n"], row["n_missing"], row["estimate"]) == (4, 1, 25.0)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64", "float32"])
def test_answers_of_small_types(engine: Engine, dtype: str) -> None:
    frame = engine.typed({"s": [10, 9, 0, 7]}, "s", dtype)
    assert only_row(lk.nps(frame, "s"))["estimate"] == 25.0


def test_eleven_is_no_answer_and_not_missing_either(engine: Engine) -> None:
    with pytest.raises(DataError, match=r"'s': 1 row .* 0 to 10: 11\."):
        lk.nps(engine.frame({"s": [10, 11]}), "s")


@EVERY_METRIC
def test_coerce_counts_as_missing_without_a_warning(
    engine: Engine, metric: Callable[..., Any]
) -> None:
    frame = engine.frame({"key": ["a", "a", "b"], "s": [5.0, 4.5, 99.0]})
    table = metric(frame, "s", by="key", errors="coerce")
    assert counted(table, ["key", "n", "n_missing"]) == [
        {"key": "a", "n": 1, "n_missing": 1},
        {"key": "b", "n": 0, "n_missing": 1},
    ]


def test_objects_of_several_types_in_pandas() -> None:
    answers = [10, "9", None, float("nan"), 8.0, " 7 ", pd.NA]
    row = only_row(lk.nps(pd.DataFrame({"s": pd.Series(answers, dtype=object)}), "s"))
    assert (row["n"], row["n_missing"], row["promoters"], row["passives"]) == (4, 3, 2, 2)


# ---- the quick look ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        [10, 9, 3, None],
        (10, 9, 3, None),
        ["10", "9", "3", None],
        np.array([10, 9, 3, np.nan]),
        np.array([10, 9, 3, None], dtype=object),
        pd.Series([10, 9, 3, None], index=[5, 5, 5, 5], name="anything"),
        pl.Series("anything", [10, 9, 3, None]),
        pa.chunked_array([[10, 9], [3, None]]),
    ],
)
def test_one_array_is_enough(data: Any) -> None:
    table = lk.nps(data)
    row = only_row(table)
    assert (row["n"], row["n_missing"]) == (3, 1)
    assert row["estimate"] == pytest.approx(100 / 3)
    expected = {"polars": pl.DataFrame, "pyarrow": pa.Table}
    engine = type(data).__module__.split(".")[0]
    assert isinstance(table, expected.get(engine, pd.DataFrame))


def test_quick_look_for_every_metric(engine: Engine) -> None:
    series = engine.series([5, 4, 2, None])
    assert only_row(lk.csat(series))["estimate"] == pytest.approx(200 / 3)
    assert only_row(lk.ces(series))["estimate"] == pytest.approx(11 / 3)
    assert only_row(lk.nps(series, scale=(1, 5), **FIVE_POINTS))["estimate"] == 0.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lk.nps(pd.DataFrame({"s": [1]})), ParameterError, "score is left out"),
        (lambda: lk.nps([10, 9], "s"), TypeError, "data must be a DataFrame"),
        (lambda: lk.nps([10, 9], by="tier"), ColumnNotFoundError, "by[0]='tier'"),
        (lambda: lk.nps("10"), TypeError, "data must be a DataFrame, a Series or a 1-D array"),  # type: ignore[arg-type]
        (lambda: lk.nps(None), TypeError, "not NoneType"),  # type: ignore[arg-type]
        (lambda: lk.nps({"s": [10]}, "s"), TypeError, "not dict"),  # type: ignore[arg-type]
        (lambda: lk.nps(np.zeros((2, 2))), DataError, "data must have one dimension"),
        (lambda: lk.nps(pl.LazyFrame({"s": [10]})), ParameterError, "score is left out"),
        (lambda: lk.nps([True, False]), DataError, "Boolean, not numbers"),
    ],
)
def test_what_is_no_data(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# ---- bad input: what was found, where, how often, and what is allowed ----------------------------

GOOD: Columns = {
    "nps": [10, 9, 3],
    "tier": ["new", "loyal", None],
    "n": [1, 1, 1],
    "day": ["2026-01-31"] * 3,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {**METRICS, "tally": lk.tally}


def bad(changes: Columns, **options: Any) -> tuple[Columns, dict[str, Any]]:
    return {**GOOD, **changes}, {"scale": (0, 10), **options}


BAD_DATA = {
    "off the scale": (
        bad({"nps": [10, 11, -1]}),
        ["'nps'", "2 rows", "scale 0 to 10", "11, -1", "missing=", 'errors="coerce"'],
    ),
    "fractional": (bad({"nps": [9.5, 10.0, 3.25]}), ["'nps'", "2 rows", "whole points", "9.5, 3."]),
    "infinite": (bad({"nps": [10.0, float("inf"), 3.0]}), ["'nps'", "1 row", "inf"]),
    "text that is no number": (
        bad({"nps": ["10", "ten", ""]}),
        ["'nps'", "2 rows", "'ten', ''", "scale 0 to 10"],
    ),
    "a bad date": (
        bad({"day": ["2026-01-31", "31/01/2026", "2026-02-30"]}, time="day"),
        ["'day'", "2 rows", "'31/01/2026', '2026-02-30'", "ISO dates such as 2026-01-31"],
    ),
    "a null date": (
        bad({"day": ["2026-01-31", None, None]}, time="day"),
        ["'day'", "2 rows", "without a date", 'errors="coerce"'],
    ),
    "dates as integers": (
        bad({"day": [20260131, 20260201, 20260301]}, time="day"),
        ["'day'", "not dates"],
    ),
    "negative counts": (
        bad({"n": [1, -2, 3]}, counts="n"),
        ["counts='n'", "1 row", "whole number", "0 or more", "-2"],
    ),
    "fractional counts": (
        bad({"n": [1.5, 2.0, 3.0]}, counts="n"),
        ["counts='n'", "1 row", "whole number", "1.5"],
    ),
    "null counts": (bad({"n": [1, None, 3]}, counts="n"), ["counts='n'", "1 row"]),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize(("case", "fragments"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data(
    engine: Engine,
    function: Callable[..., Any],
    case: tuple[Columns, dict[str, Any]],
    fragments: list[str],
) -> None:
    columns, options = case
    with pytest.raises(DataError) as caught:
        function(engine.frame(columns), "nps", **options)
    message = str(caught.value)
    assert [fragment for fragment in fragments if fragment not in message] == []


BAD_PARAMETERS: dict[str, tuple[dict[str, Any], type[Exception], list[str]]] = {
    "missing score": ({"score": "NPS "}, ColumnNotFoundError, ["score='NPS '", "'nps'?"]),
    "missing key": ({"by": "teir"}, ColumnNotFoundError, ["by[0]='teir'", "mean 'tier'?"]),
    "second key": ({"by": ["tier", "x"]}, ColumnNotFoundError, ["by[1]='x'", "'nps', 'tier'"]),
    "missing counts": ({"counts": "N"}, ColumnNotFoundError, ["counts='N'", "mean 'n'?"]),
    "missing time": ({"time": "date"}, ColumnNotFoundError, ["time='date'", "no such column"]),
    "reserved key": ({"by": "n"}, ParameterError, ["by='n'", "'n_group'"]),
    "key twice": ({"by": ["tier", "tier"]}, ParameterError, ["'tier' more than once"]),
    "alias of pandas": ({"time": "day", "freq": "M"}, ParameterError, ["'M' is written 'month'"]),
    "unknown freq": ({"time": "day", "freq": "h"}, ParameterError, ["freq='h'", "'day', 'week'"]),
    "freq alone": ({"freq": "month"}, ParameterError, ["freq='month' needs time="]),
    "errors": ({"errors": "ignore"}, ParameterError, ["errors='ignore'", "'raise', 'coerce'"]),
    "scale reversed": ({"scale": (10, 0)}, ParameterError, ["scale=(10, 0)", "come first"]),
    "scale of one": ({"scale": (1,)}, ParameterError, ["must be a pair"]),
    "score is a number": ({"score": 1}, TypeError, ["score must be a column name"]),
    "by is a number": ({"by": 1}, TypeError, ["by must be a column name or a sequence"]),
    "by holds a number": ({"by": ["tier", 1]}, TypeError, ["by[1] must be a column name"]),
    "counts is a list": ({"counts": [1, 2, 3]}, TypeError, ["counts must be a column name"]),
    "time is a list": ({"time": ["day"]}, TypeError, ["time must be a column name"]),
    "freq is a number": ({"time": "day", "freq": 1}, TypeError, ["freq must be a string"]),
    "errors is none": ({"errors": None}, TypeError, ["errors must be a string"]),
    "scale is a number": ({"scale": 10}, TypeError, ["scale must be a pair of whole numbers"]),
    "missing is none": ({"missing": None}, TypeError, ["missing must be a sequence of codes"]),
    "missing holds none": ({"missing": [None]}, TypeError, ["numbers and texts only"]),
    "weights is a list": ({"weights": ["n"]}, TypeError, ["weights must be a column name"]),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize(
    ("options", "error", "fragments"), BAD_PARAMETERS.values(), ids=BAD_PARAMETERS
)
def test_bad_parameters(
    function: Callable[..., Any],
    options: dict[str, Any],
    error: type[Exception],
    fragments: list[str],
) -> None:
    frame = pd.DataFrame(GOOD)
    before = snapshot(frame)
    with pytest.raises(error) as caught:
        function(frame, **{"score": "nps", "scale": (0, 10), **options})
    assert [text for text in fragments if text not in str(caught.value)] == []
    assert snapshot(frame) == before


@pytest.mark.parametrize(
    ("call", "error", "fragments"),
    [
        (
            lambda: lk.nps([10], confidence_level=95),
            ParameterError,
            ["confidence_level=95", "between 0 and 1", "Did you mean 0.95?"],
        ),
        (lambda: lk.csat([5], confidence_level=1), ParameterError, ["confidence_level=1 "]),
        (lambda: METRICS["ces"]([5], confidence_level="0.95"), TypeError, ["a number, not str"]),
        (
            lambda: lk.nps([10], promoter_min=6),
            ParameterError,
            ["detractor_max=6 must be below promoter_min=6"],
        ),
        (lambda: lk.nps([10], promoter_min=11), ParameterError, ["scale=(0, 10)"]),
        (
            lambda: METRICS["nps"]([10], promoter_min=9.0),
            TypeError,
            ["promoter_min", "whole number"],
        ),
        (lambda: lk.nps([5], scale=(1, 5)), ParameterError, ["must lie on scale=(1, 5)"]),
        (
            lambda: lk.nps([10], method="wilson"),  # type: ignore[arg-type]
            ParameterError,
            ["'score', 'adjusted_wald', 'wald'"],
        ),
        (lambda: lk.nps([10], method="Score"), ParameterError, ["Did you mean 'score'?"]),  # type: ignore[arg-type]
        (lambda: lk.csat([5], method="score"), ParameterError, ["is not one of 'wilson'"]),  # type: ignore[arg-type]
        (lambda: lk.csat([5], satisfied_min=6), ParameterError, ["satisfied_min=6", "at most 5"]),
        (lambda: lk.csat([5], satisfied_min=1), ParameterError, ["must be above 1"]),
        (lambda: lk.ces([5], statistic="median"), ParameterError, ["'mean', 'box', 'net'"]),  # type: ignore[arg-type]
        (lambda: lk.ces([5], direction="easy"), ParameterError, ["Did you mean 'ease'?"]),  # type: ignore[arg-type]
        (lambda: lk.ces([5], method="wilson"), ParameterError, ["method='wilson'", "'t'"]),
        (
            lambda: lk.ces([5], direction="effort", easy_min=3),
            ParameterError,
            ['easy_min applies to direction="ease"'],
        ),
    ],
)
def test_bad_parameters_of_one_metric(
    call: Callable[[], Any], error: type[Exception], fragments: list[str]
) -> None:
    with pytest.raises(error) as caught:
        call()
    assert [text for text in fragments if text not in str(caught.value)] == []


def test_columns_without_a_string_for_a_name() -> None:
    """As pandas names them when a file has no header."""
    frame = pd.DataFrame([[10, "a"], [9, "b"]])
    with pytest.raises(ColumnNotFoundError, match=r"score='nps': data has no such column"):
        lk.nps(frame, "nps")


BEYOND_REACH = {
    "objects of Polars": pl.DataFrame({"s": pl.Series([1, "10"], dtype=pl.Object)}),
    "128 bits": pl.DataFrame({"s": pl.Series([1, 10], dtype=pl.Int128)}),
    "an extension of Arrow": pa.table(
        {"s": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8()))}
    ),
}


@pytest.mark.parametrize("frame", BEYOND_REACH.values(), ids=BEYOND_REACH)
def test_columns_beyond_reach_are_counted_or_refused_by_name(frame: Any) -> None:
    """Never with an error of the engine, which names neither the column nor a way out."""
    try:
        table = lk.nps(frame, "s")
    except (DataError, TypeError) as error:
        assert "'s'" in str(error)  # noqa: PT017  (both ways out are fine)
    else:
        assert only_row(table)["n"] == 2


def test_keys_that_cannot_be_hashed_are_refused_by_name() -> None:
    frame = pd.DataFrame({"tags": [["a"], ["b"]], "s": [9, 10]})
    with pytest.raises((DataError, TypeError), match="'tags'"):
        lk.nps(frame, "s", by="tags")


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_all_but_data_and_score_are_keywords(function: Callable[..., Any]) -> None:
    kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    assert kinds[2:] == [inspect.Parameter.KEYWORD_ONLY] * (len(kinds) - 2)


# ---- the warning about the scale -----------------------------------------------------------------


@EVERY_METRIC
def test_a_shorter_scale_is_noticed(engine: Engine, metric: Callable[..., Any]) -> None:
    frame = engine.frame({"s": [1, 2, 3, 3, 1]})
    with pytest.warns(ScaleWarning, match="'s': no answer is above 3 on a scale of") as caught:
        metric(frame, "s")
    assert caught[0].filename == __file__


def test_good_effort_is_no_shorter_scale(engine: Engine) -> None:
    frame = engine.frame({"s": [1, 2, 3, 3, 1]})
    assert only_row(lk.ces(frame, "s", direction="effort"))["estimate"] == 2.0


# ---- tables --------------------------------------------------------------------------------------


def test_dtypes_of_metric_tables(engine: Engine) -> None:
    whole = "Int64" if engine.name == "polars" else "int64"
    real = {"polars": "Float64", "pyarrow": "double"}.get(engine.name, "float64")
    date = {"polars": "Date", "pyarrow": "date32[day]"}.get(engine.name, "datetime64[us]")
    frame = engine.frame({**ANSWERS, "day": ["2026-01-31"] * 11})
    for metric in (lk.nps, lk.csat, lk.ces):
        table = metric(frame, "score", by="tier", time="day", scale=(1, 5), **cuts(metric))
        dtypes = dtype_names(table)
        name = frame_rows(table)[0]["metric"]
        for count in ("n", "n_missing", *_results.COUNTS[name]):
            assert dtypes[count] == whole
        for estimate in ("estimate", "std_error", "ci_low", "ci_high", "confidence_level"):
            assert dtypes[estimate] == real
        assert dtypes["period"] == date


def test_dtypes_of_tallies(engine: Engine) -> None:
    """Only the answer can be null, so only it is nullable."""
    expected = {"polars": ("Int64", "Int64"), "pyarrow": ("int64", "int64")}
    for answers in ([5, None], [5, 4]):
        dtypes = dtype_names(lk.tally(engine.frame({"s": answers}), "s", scale=(1, 5)))
        assert (dtypes["answer"], dtypes["n"]) == expected.get(engine.name, ("Int64", "int64"))


def test_tables_hold_null_and_never_nan() -> None:
    columns = {"key": ["a", "b"], "s": [5.0, None]}
    polars = lk.csat(pl.DataFrame(columns), "s", by="key")
    assert polars.null_count().row(0, named=True)["estimate"] == 1
    assert polars["estimate"].is_nan().sum() == 0
    arrow = lk.csat(pa.table(columns), "s", by="key")
    assert arrow["ci_low"].null_count == 1
    assert arrow["ci_low"].to_pylist()[1] is None


def test_pandas_tables_have_a_plain_index_and_nothing_in_attrs() -> None:
    frame = pd.DataFrame(ANSWERS, index=[7] * 11)
    frame.attrs["note"] = "kept"
    table = lk.csat(frame, "score", by="tier")
    assert table.index.equals(pd.RangeIndex(5))
    assert table.attrs == {}
    assert type(table) is pd.DataFrame
    assert frame.attrs == {"note": "kept"}


def test_views_and_read_only_arrays_are_fine() -> None:
    values = np.array([10, 9, 3], dtype=np.int64)
    values.flags.writeable = False
    assert only_row(lk.nps(values))["n"] == 3
    assert only_row(lk.nps(values[::2]))["n"] == 2


def test_row_order_does_not_matter(engine: Engine) -> None:
    back = {name: values[::-1] for name, values in ANSWERS.items()}
    for by in BY:
        table = lk.csat(engine.frame(ANSWERS), "score", by=by)
        assert frame_rows(lk.csat(engine.frame(back), "score", by=by)) == frame_rows(table)


# ---- what always holds ---------------------------------------------------------------------------

ANSWER_ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "c"]),
        st.one_of(st.none(), st.integers(0, 10)),
        st.integers(0, 3),
    ),
    max_size=30,
)
AnswerRows = list[tuple[str | None, int | None, int]]


def to_columns(rows: AnswerRows) -> Columns:
    """Return columns; the last answer passes the middle, or there might be a warning."""
    names = ("key", "s", "times")
    return {name: [row[i] for row in [*rows, ("a", 10, 1)]] for i, name in enumerate(names)}


@settings(max_examples=15)
@given(rows=ANSWER_ROWS)
def test_metrics_are_those_of_plain_loops(engine: Engine, rows: AnswerRows) -> None:
    columns = to_columns(rows)
    frame, plain = engine.frame(columns), to_rows(columns)
    options: dict[str, Any] = {"by": "key", "counts": "times", "scale": (0, 10)}
    assert_rows(lk.nps(frame, "s", **options), oracles.nps(plain, "s", ["key"], "times"))
    assert_rows(lk.csat(frame, "s", **options), oracles.csat(plain, "s", ["key"], 9, "times"))
    easy, hard = set(range(6, 11)), set(range(5))
    assert_rows(
        lk.ces(frame, "s", **options), oracles.ces(plain, "s", ["key"], easy, hard, "times")
    )
    tally = lk.tally(frame, "s", **options)
    assert frame_rows(tally) == oracles.tally(plain, "s", ["key"], "times")


@pytest.mark.filterwarnings("ignore::loyaltykit.errors.ScaleWarning")  # random answers may be low
@settings(max_examples=15)
@given(rows=ANSWER_ROWS, cut=st.integers(0, 30))
def test_shards_and_order_do_not_matter(engine: Engine, rows: AnswerRows, cut: int) -> None:
    frame = engine.frame(to_columns(rows))
    single = frame_rows(lk.nps(frame, "s", by="key"))
    backwards = engine.frame({name: values[::-1] for name, values in to_columns(rows).items()})
    assert frame_rows(lk.nps(backwards, "s", by="key")) == single
    shards = [shard for shard in (frame[:cut], frame[cut:]) if len(shard)]
    tallies = [lk.tally(shard, "s", by="key", scale=(0, 10)) for shard in shards[::-1]]
    merged = lk.nps(stacked(tallies), "answer", counts="n", by="key")
    assert frame_rows(merged) == single


@settings(max_examples=25)
@given(rows=ANSWER_ROWS, level=st.floats(0.01, 0.9999))
def test_bounds_and_sums(rows: AnswerRows, level: float) -> None:
    frame = pd.DataFrame(to_columns(rows))
    for method in ("score", "adjusted_wald", "wald"):
        for row in frame_rows(lk.nps(frame, "s", by="key", method=method, confidence_level=level)):
            assert row["promoters"] + row["passives"] + row["detractors"] == row["n"]
            if row["n"]:
                assert -100 <= row["ci_low"] <= row["ci_high"] <= 100
                assert -100 <= row["estimate"] <= 100
                assert 0 <= row["std_error"] <= 100
            if row["n"] and method == "score":
                assert row["ci_low"] <= row["estimate"] <= row["ci_high"]
    for row in frame_rows(lk.csat(frame, "s", by="key", scale=(0, 10), confidence_level=level)):
        if row["n"]:
            assert 0 <= row["ci_low"] <= row["estimate"] <= row["ci_high"] <= 100
    for row in frame_rows(lk.ces(frame, "s", by="key", scale=(0, 10), confidence_level=level)):
        assert row["easy"] + row["neutral"] + row["hard"] == row["n"]
        if row["n"] > 1:
            assert row["ci_low"] <= row["estimate"] <= row["ci_high"]


@settings(max_examples=25)
@given(rows=ANSWER_ROWS, times=st.integers(2, 4))
def test_duplicated_rows_keep_the_estimate_and_narrow_the_interval(
    rows: AnswerRows, times: int
) -> None:
    columns = to_columns(rows)
    many = {name: values * times for name, values in columns.items()}
    for metric in (lk.nps, lk.csat, lk.ces):
        once = frame_rows(metric(pd.DataFrame(columns), "s", by="key", scale=(0, 10)))
        more = frame_rows(metric(pd.DataFrame(many), "s", by="key", scale=(0, 10)))
        assert [row["estimate"] for row in more] == [row["estimate"] for row in once]
        assert [row["n"] for row in more] == [row["n"] * times for row in once]
        for single, multiple in zip(once, more, strict=True):
            if single["n"] > 1:
                width = single["ci_high"] - single["ci_low"]
                assert multiple["ci_high"] - multiple["ci_low"] <= width + 1e-9


# ---- kinds of values that few columns hold ------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [pa.array([10, 9, None]), pd.array([10, 9, None]), pd.Index([10, 9, None]), [10, 9, None]],
    ids=["pyarrow array", "pandas array", "pandas index", "list"],
)
def test_a_quick_look_at_any_one_dimensional_array(values: Any) -> None:
    row = only_row(lk.nps(values))
    assert (row["n"], row["n_missing"], row["estimate"]) == (2, 1, 100.0)


def test_a_quick_look_at_a_range() -> None:
    assert only_row(lk.nps(range(11)))["n"] == 11


def test_counts_may_be_decimals_as_sums_from_sql_are(engine: Engine) -> None:
    frame = engine.frame({"s": [10, 3], "n": [Decimal(3), Decimal(1)]})
    assert only_row(lk.nps(frame, "s", counts="n"))["n"] == 4


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"s": [9, 10], "key": [["a"], ["b"]]}),
        pl.DataFrame({"s": [9, 10], "key": [["a"], ["b"]]}),
        pl.DataFrame({"s": [9, 10], "key": pl.Series([1, 2], dtype=pl.Object)}),
        pa.table({"s": [9, 10], "key": [["a"], ["b"]]}),
    ],
    ids=["pandas lists", "polars lists", "polars objects", "pyarrow lists"],
)
def test_keys_that_cannot_be_compared_are_refused_by_name(frame: Any) -> None:
    with pytest.raises(DataError, match="'key' holds values of the type"):
        lk.nps(frame, "s", by="key")


def test_integers_of_128_bits() -> None:
    frame = pl.DataFrame({"s": pl.Series([1, 10], dtype=pl.Int128)})
    assert only_row(lk.nps(frame, "s"))["n"] == 2


def test_low_answers_are_no_warning_where_low_is_good(engine: Engine) -> None:
    frame = engine.frame({"s": [1, 1, 2, 2, 1, 3]})
    assert only_row(lk.ces(frame, "s", direction="effort"))["easy"] == 6
    with pytest.warns(ScaleWarning):
        lk.ces(frame, "s")


def test_true_and_false_are_answers_on_a_scale_of_two(engine: Engine) -> None:
    frame = engine.frame({"s": [True, False, None, True]})
    row = only_row(lk.csat(frame, "s", scale=(0, 1)))
    assert (row["n"], row["n_missing"], row["satisfied"]) == (3, 1, 2)
