"""Why a metric moved: parts that add up, published splits, errors from raw answers."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest
from conftest import Engine, categories_of, column, column_names, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit import _estimates, _frame, _results
from loyaltykit.errors import DataError, ParameterError

FloatArray = npt.NDArray[np.float64]
Row = dict[str, Any]


def csat(rows: Sequence[tuple[Any, ...]], *keys: str) -> pd.DataFrame:
    """Return a table of rows of keys, satisfied and n."""
    *labels, satisfied, n = zip(*rows, strict=True)
    table: pd.DataFrame = lk.csat_from_counts(
        satisfied=satisfied, n=n, labels=dict(zip(keys, map(list, labels), strict=True))
    )
    return table


def weighted_nps(
    frame: pd.DataFrame, keys: Sequence[str], suffix: str = "", df: float | None = None
) -> pd.DataFrame:
    """Return a weighted table of answers in "score" with weights in "weight", summed in pandas."""
    bucket = pd.cut(frame["score"], [-1, 6, 8, 10], labels=["detractors", "passives", "promoters"])
    sums = frame.assign(bucket=bucket.astype(str), square=frame["weight"] ** 2, n=1)
    cells = sums.pivot_table(
        index=list(keys), columns="bucket", values=["weight", "square", "n"], aggfunc="sum"
    ).fillna(0.0)
    names = _results.COUNTS["nps"]
    weights, squares, counts = (
        {name: cells[value, name].to_numpy(dtype=np.float64) for name in names}
        for value in ("weight", "square", "n")
    )
    size = len(cells)
    moments = [_estimates.moments("nps", "net", part) for part in (weights, squares)]
    freedom = np.full(size, len(frame) - 1.0 if df is None else df)
    n = sum(counts.values())
    table: pd.DataFrame = _results.metric_table(
        _frame.open_frame(cells.index.to_frame(index=False)),
        "nps",
        {name: values.astype(np.int64) for name, values in counts.items()},
        np.asarray(n).astype(np.int64),
        np.zeros(size, dtype=np.int64),
        weighted=_estimates.Weighted(
            weights,
            squares,
            _estimates.moments_variance(moments[0], moments[1], freedom + 1.0),
            _estimates.kish(moments[0], moments[1]),
            np.full(size, np.inf),
            freedom,
        ),
        method="score",
        confidence_level=0.95,
        definition=_results.nps_definition((0, 10), 9, 6) + suffix,
    )
    return table


def totals(parts: Any) -> dict[str, float]:
    rows = frame_rows(parts)
    return {
        part: sum(row["estimate"] for row in rows if row["part"] == part)
        for part in ("mix", "within")
    }


SIMPSON = csat(
    [(2025, "B2B", 64, 80), (2025, "B2C", 8, 20), (2026, "B2B", 34, 40), (2026, "B2C", 27, 60)],
    *("year", "sector"),
)


# ---- published splits ---------------------------------------------------------------------------

# Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. U.S. Bureau of
# the Census, Current Population Reports P23-186. Example 5.1: households per 100 people of an age
# (15-19, 20-24, ... 75 and older) in 1970 and 1985, and the ages' shares in percent.
AGE_SHARES = {
    1970: (12.9, 10.9, 9.5, 8.0, 7.8, 8.4, 8.6, 7.8, 7.0, 5.9, 4.7, 3.6, 4.9),
    1985: (10.1, 11.2, 11.6, 10.9, 9.4, 7.7, 6.3, 6.0, 6.3, 5.9, 5.1, 4.0, 5.5),
}
HEADSHIP = {
    1970: (1.9, 25.8, 45.7, 49.6, 51.2, 51.6, 51.8, 54.9, 58.7, 60.4, 62.8, 66.6, 66.8),
    1985: (2.2, 24.3, 45.8, 52.5, 56.1, 55.6, 56.0, 57.4, 57.2, 61.2, 63.9, 68.6, 72.2),
}


def test_household_heads_of_das_gupta() -> None:
    """Example 5.1: 1.2269 by age, 1.7403 by the rates, 2.9672 together."""
    rows = [
        (year, age, round(share * 10) * round(rate * 10), round(share * 10) * 1000)
        for year in (1970, 1985)
        for age, (share, rate) in enumerate(zip(AGE_SHARES[year], HEADSHIP[year], strict=True))
    ]
    parts = lk.explain_change(csat(rows, "year", "age"), "year", reference=1970, segment="age")
    found = totals(parts)
    assert found["mix"] == pytest.approx(1.2269, abs=5e-5)
    assert found["within"] == pytest.approx(1.7403, abs=5e-5)
    assert sum(found.values()) == pytest.approx(2.9672, abs=5e-5)


# Example 4.3: Taiwan, women of 15-19, ... 45-49: births per 1000 married ones, those married among
# all of the age, and these among all people, in thousandths.
TAIWAN = {
    1960: (
        (393, 407, 369, 274, 184, 90, 16),
        (122, 622, 903, 930, 916, 873, 800),
        (43, 41, 36, 32, 26, 20, 18),
    ),
    1970: (
        (488, 452, 338, 156, 63, 22, 3),
        (82, 527, 866, 941, 942, 923, 876),
        (58, 38, 32, 30, 26, 23, 19),
    ),
}


def test_birth_rate_of_das_gupta() -> None:
    """Example 4.3, per 1000: births -7.285632, married -2.720633, ages -1.565181.

    The two shares are nested: the married within an age, the ages within the population.
    """
    rows: list[tuple[Any, ...]] = []
    for year, factors in TAIWAN.items():
        for age, (births, married, women) in enumerate(zip(*factors, strict=True)):
            rows.append((year, age, "married", women * married * births, women * married * 1000))
            rows.append((year, age, "single", 0, women * (1000 - married) * 1000))
        rows.append((year, None, "the rest", 0, (1000 - sum(factors[2])) * 1_000_000))
    table = csat(rows, "year", "age", "status")
    found = totals(lk.explain_change(table, "year", reference=1960, segment=["age", "status"]))
    assert 10 * found["within"] == pytest.approx(-7.285632, abs=1e-6)
    assert 10 * found["mix"] == pytest.approx(-2.720633 - 1.565181, abs=2e-6)


def test_every_sector_gains_and_the_whole_falls() -> None:
    """80 % of 80 and 40 % of 20 become 85 % of 40 and 45 % of 60: by hand."""
    rows = frame_rows(lk.explain_change(SIMPSON, "year", reference=2025, segment="sector"))
    found = {(row["sector"], row["part"]): row["estimate"] for row in rows}
    assert found == pytest.approx(
        {
            ("B2B", "mix"): -40 * (0.825 - 0.665),
            ("B2B", "within"): 0.6 * 5,
            ("B2C", "mix"): 40 * (0.425 - 0.665),
            ("B2C", "within"): 0.4 * 5,
        }
    )
    assert sum(found.values()) == pytest.approx(-11, rel=1e-12)
    # The influence of an answer on B2B's own part, written out for one side: see the module.
    w0, w1, r0, r1 = 0.8, 0.4, 0.8, 0.85
    half = (r1 - r0) / 2, (w0 + w1) / 2
    squares = [
        half[0] ** 2 * w * (1 - w) + half[1] ** 2 * r * (1 - r) / w for w, r in ((w0, r0), (w1, r1))
    ]
    assert rows[1]["std_error"] == pytest.approx(100 * np.sqrt(sum(squares) / 100), rel=1e-12)


# ---- errors, from raw answers -------------------------------------------------------------------


def answers(seed: int, n: int, *, weighted: bool) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sector = rng.choice(["B2B", "B2C", "NPO"], n, p=[0.5, 0.3, 0.2])
    return pd.DataFrame(
        {
            "year": rng.choice([2025, 2026], n),
            "sector": sector,
            "tier": rng.choice(["new", "loyal"], n),
            "score": np.minimum(rng.integers(0, 11, n) + 3 * (sector == "NPO"), 10),
            "weight": rng.gamma(4.0, 0.25, n) if weighted else np.ones(n),
        }
    )


def plain_parts(frame: pd.DataFrame, weight: FloatArray, segment: Sequence[str]) -> FloatArray:
    """Return mix and within of each cell in points, from the answers one by one."""
    y = np.where(frame["score"] >= 9, 100.0, np.where(frame["score"] <= 6, -100.0, 0.0))
    made: list[float] = []
    sides = [(frame["year"] == year).to_numpy() for year in (2025, 2026)]
    means = [np.average(y[side], weights=weight[side]) for side in sides]
    for cell in sorted(set(frame[list(segment)].itertuples(index=False, name=None))):
        inside = np.ones(len(frame), dtype=np.bool_)
        factors: list[list[float]] = [[], []]
        for name, level in zip(segment, cell, strict=True):
            smaller = inside & (frame[name] == level).to_numpy()
            for side, own in zip(sides, factors, strict=True):
                own.append(weight[side & smaller].sum() / weight[side & inside].sum())
            inside = smaller
        for side, own in zip(sides, factors, strict=True):
            own.append(np.average(y[side & inside], weights=weight[side & inside]))
        gained = np.zeros(len(segment) + 1)
        orders = list(itertools.permutations(range(len(gained))))
        for order in orders:
            now = list(factors[0])
            for i in order:
                before, now[i] = np.prod(now), factors[1][i]
                gained[i] += (np.prod(now) - before) / len(orders)
        shares = [np.prod(own[:-1]) for own in factors]
        centre = (shares[1] - shares[0]) * (means[0] + means[1]) / 2
        made += [float(gained[:-1].sum() - centre), float(gained[-1])]
    return np.array(made)


@pytest.mark.parametrize("segment", [["sector"], ["sector", "tier"], ["tier", "sector"]])
@pytest.mark.parametrize("weighted", [False, True])
def test_parts_and_errors_from_the_answers(segment: list[str], weighted: bool) -> None:
    """An error is that of the slopes of a part by the weight of each answer, all found anew."""
    frame = answers(7, 160, weighted=weighted)
    keys = ["year", *segment]
    table = weighted_nps(frame, keys) if weighted else lk.nps(frame, "score", by=keys)
    parts = lk.explain_change(table, "year", reference=2025, segment=segment, confidence_level=0.9)
    weight = frame["weight"].to_numpy()
    np.testing.assert_allclose(parts["estimate"], plain_parts(frame, weight, segment), atol=1e-10)
    moved = []
    for i in range(len(frame)):
        step = 1e-5 * weight[i] * (np.arange(len(frame)) == i)
        up, down = (plain_parts(frame, weight + sign * step, segment) for sign in (1, -1))
        moved.append((up - down) / 2e-5)
    factor = len(frame) / (len(frame) - 1) if weighted else 1.0
    error = np.sqrt(factor * np.square(moved).sum(axis=0))
    np.testing.assert_allclose(parts["std_error"], error, rtol=1e-6)
    # 1.6448536269514722 is the normal quantile of 0.95.
    margin = 1.6448536269514722 * parts["std_error"]
    np.testing.assert_allclose(parts["ci_high"], parts["estimate"] + margin, rtol=1e-12)
    np.testing.assert_allclose(parts["ci_low"], parts["estimate"] - margin, rtol=1e-12)


def test_weights_are_no_frequencies() -> None:
    frame = answers(11, 90, weighted=True)
    keys = ["year", "sector"]
    options: Any = {"reference": 2025, "segment": "sector"}
    one = lk.explain_change(weighted_nps(frame, keys), "year", **options)
    ten = lk.explain_change(
        weighted_nps(frame.assign(weight=10 * frame["weight"]), keys), "year", **options
    )
    for name in ("estimate", "std_error", "ci_low", "ci_high"):
        np.testing.assert_allclose(ten[name], one[name], rtol=1e-9)


def test_tables_of_clusters_have_parts_and_no_errors() -> None:
    frame, keys = answers(12, 90, weighted=True), ["year", "sector"]
    options: Any = {"reference": 2025, "segment": "sector"}
    clustered = weighted_nps(frame, keys, ";sampling=clusters+strata")
    parts = lk.explain_change(clustered, "year", **options)
    assert parts[["std_error", "ci_low", "ci_high"]].isna().all(axis=None)
    plain = lk.explain_change(weighted_nps(frame, keys), "year", **options)
    assert parts["estimate"].tolist() == plain["estimate"].tolist()
    assert set(parts["definition"]) == {
        "scale=0..10;promoter>=9;detractor<=6;sampling=clusters+strata"
    }


def test_one_answer_in_all_has_no_error() -> None:
    frame = answers(13, 60, weighted=True)
    table = weighted_nps(frame, ["year", "sector"], df=0.0)
    parts = lk.explain_change(table, "year", reference=2025, segment="sector")
    assert parts["estimate"].notna().all()
    assert parts["std_error"].isna().all()


# ---- real data ----------------------------------------------------------------------------------


def test_sfo_weighted(real_data: Callable[[str], Path]) -> None:
    """From 40.40 to 35.11: -5.28 points by weight, where the plain change is -8.86."""
    names = ["NETPRO", "PEAK", "WEIGHT"]
    tables = []
    for year in (2017, 2018):
        frame = pd.read_csv(real_data(f"sfo/sfo_{year}.csv")).rename(columns=str.strip)[names]
        frame = frame[frame["NETPRO"] != 11].set_axis(["score", "PEAK", "weight"], axis=1)
        tables.append(weighted_nps(frame.assign(year=year), ["year", "PEAK"]))
    table = pd.concat(tables)
    parts = lk.explain_change(table, "year", reference=2017, segment="PEAK")
    assert round(sum(totals(parts).values()), 2) == -5.28
    assert (parts["std_error"] > 0).all()


# ---- properties ---------------------------------------------------------------------------------

COUNTS = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: (pair[0], sum(pair)))
# By year, sector (one of three) and tier (one of two): satisfied and n.
CELLS = st.lists(COUNTS, min_size=12, max_size=12).filter(
    lambda cells: sum(n for _, n in cells[:6]) and sum(n for _, n in cells[6:])
)
PLACES = list(itertools.product((2025, 2026), ("B2B", "B2C", None), ("loyal", "new")))
SEGMENTS = st.sampled_from([["sector"], ["tier"], ["sector", "tier"], ["tier", "sector"]])


def table_of(cells: Sequence[tuple[int, int]]) -> pd.DataFrame:
    rows = [(*place, *cell) for place, cell in zip(PLACES, cells, strict=True)]
    return csat(rows, "year", "sector", "tier")


def over(segment: Sequence[str]) -> list[str]:
    return [name for name in ("sector", "tier") if name not in segment]


def pooled(table: pd.DataFrame, segment: Sequence[str]) -> pd.DataFrame:
    dropped = over(segment)
    made: pd.DataFrame = lk.pool(table, over=dropped) if dropped else table
    return made


@settings(deadline=None, max_examples=60)
@given(cells=CELLS, segment=SEGMENTS, order=st.randoms(use_true_random=False))
def test_parts_add_up_and_turn_around(
    cells: list[tuple[int, int]], segment: list[str], order: Any
) -> None:
    table = pooled(table_of(cells), segment)
    parts = lk.explain_change(table, "year", reference=2025, segment=segment)
    whole = lk.pool(table, over=segment)["estimate"].tolist()
    assert parts["estimate"].sum() == pytest.approx(whole[1] - whole[0], abs=1e-10)
    assert parts["std_error"].notna().all()
    assert (parts["ci_low"] <= parts["estimate"]).all()
    back = lk.explain_change(table, "year", reference=2026, segment=segment)
    np.testing.assert_allclose(back["estimate"], -parts["estimate"], atol=1e-10)
    np.testing.assert_allclose(back["std_error"], parts["std_error"], atol=1e-10)
    rows = list(range(len(table)))
    order.shuffle(rows)
    mixed = lk.explain_change(table.iloc[rows], "year", reference=2025, segment=segment)
    pd.testing.assert_frame_equal(mixed, parts)


@settings(deadline=None, max_examples=30)
@given(cells=CELLS, factor=st.integers(1, 4))
def test_equal_shares_leave_no_mix(cells: list[tuple[int, int]], factor: int) -> None:
    later = [(min(satisfied, factor * n), factor * n) for satisfied, n in cells[:6]]
    table = table_of([*cells[:6], *later])
    for segment in (["sector"], ["sector", "tier"]):
        parts = lk.explain_change(pooled(table, segment), "year", reference=2025, segment=segment)
        mix = parts.loc[parts["part"] == "mix", "estimate"]
        np.testing.assert_allclose(mix, 0.0, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(0, 20), min_size=12, max_size=12))
def test_equal_rates_leave_nothing(sizes: list[int]) -> None:
    sizes[0], sizes[6] = sizes[0] + 1, sizes[6] + 1
    table = table_of([(3 * size, 4 * size) for size in sizes])
    parts = lk.explain_change(table, "year", reference=2025, segment=["sector", "tier"])
    np.testing.assert_allclose(parts["estimate"], 0.0, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(cells=CELLS)
def test_halves_of_a_segment_add_up_to_it(cells: list[tuple[int, int]]) -> None:
    whole = pooled(table_of([(2 * satisfied, 2 * n) for satisfied, n in cells]), ["sector"])
    halves = pd.concat([whole.assign(half=half) for half in ("a", "b")], ignore_index=True)
    halves[["satisfied", "n"]] //= 2
    halves = halves[["half", *whole.columns]]
    one = lk.explain_change(whole, "year", reference=2025, segment="sector")
    two = lk.explain_change(halves, "year", reference=2025, segment=["sector", "half"])
    summed = two.groupby(["sector", "part"], dropna=False)["estimate"].sum()
    np.testing.assert_allclose(summed, one["estimate"], atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(cells=CELLS)
def test_a_second_column_of_one_level_changes_nothing(cells: list[tuple[int, int]]) -> None:
    table = pooled(table_of(cells), ["sector"])
    nested = table.assign(kind="all")[["kind", *table.columns]]
    plain = lk.explain_change(table, "year", reference=2025, segment="sector")
    for segment in (["sector", "kind"], ["kind", "sector"]):
        parts = lk.explain_change(nested, "year", reference=2025, segment=segment)
        for name in ("estimate", "std_error", "ci_low", "ci_high"):
            np.testing.assert_allclose(parts[name], plain[name], atol=1e-10)


# ---- segments that come and go ------------------------------------------------------------------


def test_new_and_vanished_segments_are_all_mix() -> None:
    table = csat(
        [
            (1, "old", 4, 8),
            (1, "stays", 6, 8),
            (2, "stays", 7, 8),
            (2, "new", 2, 8),
            (2, "void", 0, 0),
        ],
        *("wave", "kind"),
    )
    rows = frame_rows(lk.explain_change(table, "wave", reference=1, segment="kind"))
    found = {(row["kind"], row["part"]): row for row in rows}
    # Overall 10/16 and 9/16, so 19/32 in the middle; each new or gone segment has half the answers.
    assert found["new", "mix"]["estimate"] == pytest.approx(50 * (2 / 8 - 19 / 32))
    assert found["old", "mix"]["estimate"] == pytest.approx(-50 * (4 / 8 - 19 / 32))
    for kind in ("new", "old"):
        assert found[kind, "within"]["estimate"] == found[kind, "within"]["std_error"] == 0
        assert found[kind, "mix"]["std_error"] > 0
    # One without an answer on either side is there, and does nothing.
    for part in ("mix", "within"):
        assert found["void", part]["estimate"] == found["void", part]["std_error"] == 0


def test_a_null_segment_is_one_of_its_own() -> None:
    table = csat([(1, "a", 4, 8), (1, None, 6, 8), (2, "a", 7, 8), (2, None, 2, 4)], "wave", "kind")
    parts = lk.explain_change(table, "wave", reference=1, segment="kind")
    assert column(parts, "kind") == ["a", "a", None, None]
    assert parts["estimate"].sum() == pytest.approx(75 - 62.5)


def test_a_side_without_answers_is_null() -> None:
    rows = [("x", 1, 0, 0), ("x", 2, 3, 4), ("y", 1, 2, 4), ("y", 2, 3, 4), ("z", 2, 3, 4)]
    table = csat(rows, "land", "wave").assign(kind="a")
    table = table[["kind", *table.columns[:-1]]]
    parts = lk.explain_change(table, "wave", reference=1, segment="kind")
    assert column(parts, "land") == ["x", "x", "y", "y", "z", "z"]
    assert column(parts, "estimate") == [None, None, 0.0, 25.0, None, None]
    assert column(parts, "std_error")[:2] == column(parts, "ci_low")[4:] == [None, None]


# ---- periods, references, keys ------------------------------------------------------------------

LOG: dict[str, list[Any]] = {
    "id": [1, 2, 3, 4, 5, 1, 2, 4, 1, 4, 5, 1],
    "day": [*["2026-01-05"] * 5, *["2026-02-05"] * 3, *["2026-03-02"] * 3, "2026-04-02"],
}
SECTORS: dict[str, list[Any]] = {"id": [1, 2, 3, 4, 5], "sector": ["a", "a", "b", "b", "b"]}


@pytest.mark.parametrize("rate", [lk.retention_rate, lk.churn_rate])
def test_rates_by_period(engine: Engine, rate: Callable[..., Any]) -> None:
    table = rate(
        *(engine.frame(LOG), "id", "day"),
        by="sector",
        segments=engine.frame(SECTORS),
        as_of="2026-04-10",
    )
    rows = frame_rows(lk.explain_change(table, "period", reference="previous", segment="sector"))
    whole = column(lk.pool(table, over="sector"), "estimate")
    periods = [dt.date(2026, month, 1) for month in (2, 3, 4)]
    assert [row["period"] for row in rows[::4]] == periods
    assert [row["reference"] for row in rows[::4]] == [dt.date(2026, 1, 1), *periods[:2]]
    march = [row["estimate"] for row in rows if row["period"] == periods[1]]
    assert sum(march) == pytest.approx(whole[2] - whole[1])
    # January has no start, and April is not over.
    assert {row["estimate"] for row in rows if row["period"] != periods[1]} == {None}
    assert {row["unit"] for row in rows} == {"percentage_points"}
    for reference in ("2026-02-01", dt.date(2026, 2, 1), np.datetime64("2026-02-01")):
        again = lk.explain_change(table, "period", reference=reference, segment="sector")
        made = [row for row in frame_rows(again) if row["period"] == periods[1]]
        assert made == [row for row in rows if row["period"] == periods[1]]


def test_cohorts_stay_at_their_age() -> None:
    table = lk.cohort_retention(
        *(pd.DataFrame(LOG), "id", "day"), by="sector", segments=pd.DataFrame(SECTORS)
    )
    parts = lk.explain_change(table, "cohort", reference="previous", segment="sector")
    assert list(parts.columns[:5]) == ["cohort_age", "metric", "cohort", "reference", "sector"]
    # Nobody joined after January: the later cohorts have no answer, or have not happened.
    assert parts["estimate"].isna().all()
    first = table[table["cohort"] == "2026-01-01"]
    twin = first.assign(cohort=first["cohort"] + pd.DateOffset(months=1))
    both = pd.concat([first, twin], ignore_index=True)
    parts = lk.explain_change(both, "cohort", reference="previous", segment="sector")
    assert parts.loc[parts["cohort_age"] < 3, "estimate"].tolist() == [0.0] * 12


def test_rates_without_inference_have_no_errors() -> None:
    table = lk.retention_rate(
        *(pd.DataFrame(LOG), "id", "day"),
        by="sector",
        segments=pd.DataFrame(SECTORS),
        as_of="2026-04-30",
        method="none",
    )
    parts = lk.explain_change(table, "period", reference="2026-02-01", segment="sector")
    known = parts["estimate"].notna()
    assert known.sum() == 8
    assert parts[["std_error", "ci_low", "ci_high"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("days", "freq", "expected"),
    [
        (["2026-01-05", "2026-02-05", "2026-04-05", "2026-05-05"], "month", {2: 1, 5: 4}),
        (["2025-11-05", "2026-02-05", "2026-08-05"], "quarter", {1: 10}),
        (["2024-11-05", "2025-02-05", "2025-08-05"], "year", {1: 1}),
    ],
)
def test_previous_is_the_calendar_period_before(
    days: list[str], freq: Any, expected: dict[int, int]
) -> None:
    frame = pd.DataFrame({"day": days * 2, "score": [9, 3] * len(days), "kind": "a"})
    table = lk.nps(frame, "score", by="kind", time="day", freq=freq)
    parts = lk.explain_change(table, "period", reference="previous", segment="kind")
    pairs = dict(zip(parts["period"].dt.month, parts["reference"].dt.month, strict=True))
    assert pairs == expected


def test_weeks_and_days_before() -> None:
    days = pd.to_datetime(["2026-03-30", "2026-04-06", "2026-04-20"])
    frame = pd.DataFrame({"day": days, "score": 9, "kind": "a"})
    cases: list[tuple[Any, int]] = [("week", 1), ("day", 0)]
    for freq, count in cases:
        table = lk.nps(frame, "score", by="kind", time="day", freq=freq)
        # Days a week apart look like weeks, and the pair says which days it is of.
        parts = lk.explain_change(table, "period", reference="previous", segment="kind")
        assert set(parts["reference"].dt.day) <= {30}
        assert len(parts) == 2, (freq, count)
    shifted = frame.assign(day=days + pd.Timedelta(days=1))
    table = lk.nps(shifted, "score", by="kind", time="day", freq="day")
    assert len(lk.explain_change(table, "period", reference="previous", segment="kind")) == 0


def test_previous_level_in_the_order_of_the_table(engine: Engine) -> None:
    frame = engine.frame(
        {
            "tier": ["new", "loyal", "new", "loyal", "gone", None],
            "kind": ["a"] * 6,
            "score": [10, 3, 8, 9, 5, 9],
        },
        {"tier": ["new", "loyal", "gone"]},
    )
    table = lk.nps(frame, "score", by=["tier", "kind"])
    parts = lk.explain_change(table, "tier", reference="previous", segment="kind")
    rows = frame_rows(parts)
    assert [(row["tier"], row["reference"]) for row in rows[::2]] == [
        ("loyal", "new"),
        ("gone", "loyal"),
    ]
    assert categories_of(parts["reference"]) == ["new", "loyal", "gone"]
    named = lk.explain_change(table, "tier", reference="new", segment="kind")
    assert column(named, "tier") == ["loyal", "loyal", "gone", "gone", None, None]


def test_table_that_went_through_json() -> None:
    frame = pd.DataFrame({"day": ["2026-01-05", "2026-02-05"] * 2, "score": [9, 3, 10, 8]})
    table = lk.nps(frame.assign(kind="a"), "score", by="kind", time="day")
    parts = lk.explain_change(table, "period", reference="previous", segment="kind")
    text = pd.DataFrame(lk.to_records(table))
    for reference in ("previous", "2026-01-01", dt.date(2026, 1, 1), pd.Timestamp("2026-01-01")):
        again = lk.explain_change(text, "period", reference=reference, segment="kind")
        assert again["reference"].tolist() == ["2026-01-01"] * 2
        assert again["estimate"].tolist() == parts["estimate"].tolist()


# ---- the table ----------------------------------------------------------------------------------

ROWS: dict[str, list[Any]] = {
    "land": ["x", "x", "y", "y", "x", "x", "y", "y"],
    "wave": [1, 2] * 4,
    "sector": ["B2B", "B2B", "B2B", "B2B", None, None, "NPO", "NPO"],
    "answer": [7, 6, 3, 2, 5, 7, 7, 1],
}


@pytest.mark.parametrize(
    ("make", "unit"),
    [
        (lambda frame, **by: lk.nps(frame, "answer", **by), "points"),
        (lambda frame, **by: lk.csat(frame, "answer", scale=(1, 7), **by), "percentage_points"),
        (lambda frame, **by: lk.ces(frame, "answer", **by), "scale_points"),
        (lambda frame, **by: lk.ces(frame, "answer", statistic="box", **by), "percentage_points"),
        (lambda frame, **by: lk.ces(frame, "answer", statistic="net", **by), "points"),
    ],
)
def test_every_metric_in_every_engine(engine: Engine, make: Callable[..., Any], unit: str) -> None:
    def parts_of(frame: Any) -> tuple[Any, Any]:
        table = make(frame, by=["land", "wave", "sector"])
        return table, lk.explain_change(table, "wave", reference=1, segment="sector")

    table, parts = parts_of(engine.frame(ROWS))
    assert type(parts) is type(engine.frame(ROWS))
    assert column_names(parts) == [
        *("land", "metric", "wave", "reference", "sector", "part"),
        *("estimate", "std_error", "ci_low", "ci_high", "unit", "definition"),
    ]
    assert frame_rows(parts) == frame_rows(parts_of(Engine("pandas").frame(ROWS))[1])
    rows, whole = frame_rows(parts), frame_rows(lk.pool(table, over="sector"))
    assert [row["land"] for row in rows] == ["x"] * 4 + ["y"] * 4
    assert [row["part"] for row in rows] == ["mix", "within"] * 4
    assert {row["unit"] for row in rows} == {unit}
    assert {row["definition"] for row in rows} == {row["definition"] for row in whole}
    for land, (before, after) in (("x", whole[:2]), ("y", whole[2:])):
        change = sum(row["estimate"] for row in rows if row["land"] == land)
        assert change == pytest.approx(after["estimate"] - before["estimate"], abs=1e-12)


def test_every_level_against_one(engine: Engine) -> None:
    frame = engine.frame(
        {"wave": [1, 2, 3] * 2, "kind": ["a"] * 3 + ["b"] * 3, "score": [9, 8, 3, 10, 2, 9]}
    )
    table = lk.nps(frame, "score", by=["wave", "kind"])
    parts = frame_rows(lk.explain_change(table, "wave", reference=2, segment="kind"))
    assert [row["wave"] for row in parts] == [1] * 4 + [3] * 4
    assert {row["reference"] for row in parts} == {2}
    only = frame_rows(table)
    assert sum(row["estimate"] for row in parts[:4]) == pytest.approx(
        np.mean([row["estimate"] for row in only if row["wave"] == 1])
        - np.mean([row["estimate"] for row in only if row["wave"] == 2])
    )


def test_table_without_rows(engine: Engine) -> None:
    table = lk.nps(engine.frame(ROWS)[:0], "answer", by=["wave", "sector"])
    parts = lk.explain_change(table, "wave", reference=1, segment="sector")
    assert frame_rows(parts) == []
    assert column_names(parts)[:5] == ["metric", "wave", "reference", "sector", "part"]
    one = lk.nps(engine.frame(ROWS)[:1], "answer", by=["wave", "sector"])
    assert frame_rows(lk.explain_change(one, "wave", reference=1, segment="sector")) == []
    assert frame_rows(lk.explain_change(one, "wave", reference="previous", segment="sector")) == []


def test_many_groups_in_one_call() -> None:
    """No loop over groups: as many as this would take minutes."""
    lands, rng = 5_000, np.random.default_rng(3)
    keys = pd.MultiIndex.from_product([range(lands), [1, 2], list("abc")]).to_frame(index=False)
    n = rng.integers(1, 50, len(keys))
    table = lk.csat_from_counts(
        satisfied=rng.integers(0, n + 1),
        n=n,
        labels=dict(
            zip(("land", "wave", "kind"), (keys[i].tolist() for i in range(3)), strict=True)
        ),
    )
    parts = lk.explain_change(table, "wave", reference=1, segment="kind")
    assert len(parts) == lands * 6
    whole = lk.pool(table, over="kind")["estimate"].to_numpy().reshape(lands, 2)
    change = parts["estimate"].to_numpy().reshape(lands, 6).sum(axis=1)
    np.testing.assert_allclose(change, whole[:, 1] - whole[:, 0], atol=1e-10)
    alone = table[table["land"] == 1234]
    one = lk.explain_change(alone, "wave", reference=1, segment="kind")
    many = parts[parts["land"] == 1234].reset_index(drop=True)
    pd.testing.assert_frame_equal(many, one, rtol=1e-12)


# ---- refusals -----------------------------------------------------------------------------------


def explain(**options: Any) -> Any:
    call: Row = {"across": "year", "reference": 2025, "segment": "sector"} | options
    return lk.explain_change(call.pop("result", SIMPSON), call.pop("across"), **call)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"across": "period"}, r"across='period' is no key of the table: it has 'year', 'sector'"),
        ({"across": "coverage"}, "across='coverage' is no key"),
        ({"segment": "tier"}, r"segment='tier' is no key of the table: it has 'sector' beside"),
        ({"segment": "year"}, "segment='year' is what the change is across"),
        ({"segment": ["sector", "year"]}, "segment='year' is what the change is across"),
        ({"segment": ["sector", "sector"]}, "segment names 'sector' more than once"),
        ({"segment": []}, "segment is empty"),
        ({"segment": None}, "segment is empty"),
        ({"reference": 2024}, r"reference=2024 is no level of 'year': it has 2025, 2026, or"),
        ({"reference": "2025"}, "reference='2025' is no level"),
        ({"reference": True}, "reference=True is no level"),
        ({"reference": float("nan")}, "reference=nan is no level"),
        ({"confidence_level": 95}, "Did you mean 0.95"),
        (
            {"result": SIMPSON.assign(metric="margin")},
            "'margin', which is none of a metric function",
        ),
        ({"result": SIMPSON.drop(columns="satisfied")}, "lacks 'satisfied'"),
        ({"result": pd.DataFrame(ROWS)}, "result is not a table of a metric function"),
        ({"result": pd.concat([SIMPSON, SIMPSON])}, "4 rows too many for the key 'sector', 'year'"),
    ],
)
def test_what_is_refused(options: Row, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        explain(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": None}, "reference must be a level of 'year' or \"previous\", not NoneType"),
        ({"reference": [2025]}, "reference must be one level of"),
        ({"across": 3}, "across must be a column name"),
        ({"segment": 3}, "segment must be a column name or a sequence"),
        ({"segment": ["sector", 3]}, r"segment\[1\] must be a column name"),
        ({"result": [1, 2]}, "result must be a DataFrame"),
        ({"result": pl.DataFrame(ROWS).lazy()}, "result must be a DataFrame of pandas, Polars"),
        ({"confidence_level": "95"}, "confidence_level must be a number"),
    ],
)
def test_wrong_types(options: Row, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        explain(**options)


def test_definitions_are_not_mixed() -> None:
    other = SIMPSON.assign(definition="scale=1..7;satisfied>=6", year=2027)
    with pytest.raises(ParameterError, match="result mixes definition"):
        explain(result=pd.concat([SIMPSON, other]))


def test_periods_that_are_no_dates() -> None:
    table = SIMPSON.rename(columns={"year": "period"}).assign(coverage="observed")
    with pytest.raises(DataError, match="'period' holds Int64, not dates"):
        lk.explain_change(table, "period", reference="previous", segment="sector")


def test_inputs_stay_as_they_were() -> None:
    before = SIMPSON.copy(deep=True)
    explain(result=SIMPSON)
    pd.testing.assert_frame_equal(SIMPSON, before)
