"""compare: signed differences, how sure, and what it refuses."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
from conftest import Engine, column, column_names, dtype_names, frame_rows, only_row, stacked
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tables import ANSWERS, SECTORS, SURVEYS, WEIGHTED_ROWS, log_columns, weighted_table

import loyaltykit as lk
from loyaltykit import _adjustment, _estimates, _frame, _results
from loyaltykit.errors import ParameterError

unhurried = settings(deadline=None, max_examples=40)

# ---- compare: which rows, and their signs -------------------------------------------------------


def test_the_issue_s_net_scores(engine: Engine) -> None:
    answers: dict[str, list[Any]] = {
        "nps": [10] * 15 + [7] * 13 + [0] * 8 + [10] * 12 + [7] * 7 + [0] * 12
    }
    answers["wave"] = ["a"] * 36 + ["b"] * 31
    row = only_row(lk.compare(lk.nps(engine.frame(answers), "nps", by="wave"), "wave"))
    assert list(row) == ["metric", "wave", *_results.COMPARE]
    assert (row["wave"], row["reference"], row["n"], row["n_reference"]) == ("a", "b", 36, 31)
    assert row["difference"] == row["estimate"] - row["estimate_reference"]
    found = [row[name] for name in ("difference", "ci_low", "ci_high")]
    assert found == pytest.approx([19.444, -20.156, 57.255], abs=5e-4)
    errors = oracles.nps_error(15, 8, 36), oracles.nps_error(12, 12, 31)
    assert row["std_error"] == pytest.approx(100 * math.hypot(*errors))
    assert (row["df"], row["method"], row["unit"], row["adjust"]) == (
        None,
        "mover",
        "points",
        "holm",
    )
    assert row["p_value"] == row["p_adjusted"] == pytest.approx(0.34240, abs=5e-6)


def test_the_issue_s_shares() -> None:
    table = lk.csat_from_counts(satisfied=[56, 48], n=[70, 80])
    row = only_row(lk.compare(table, "group"))
    found = [row[name] for name in ("difference", "ci_low", "ci_high")]
    assert found == pytest.approx([20.0, 5.243, 33.387], abs=5e-4)
    assert row["unit"] == "percentage_points"
    turned = only_row(lk.compare(table, "group", reference=0))
    assert [turned[name] for name in ("difference", "ci_high", "ci_low")] == [-v for v in found]
    tested = only_row(lk.compare(table, "group", method="n_minus_1"))
    assert (tested["ci_low"], tested["ci_high"]) == (None, None)
    assert tested["p_value"] == pytest.approx(0.008258287929380758, rel=1e-12)  # statsmodels


def test_means_are_those_of_welch() -> None:
    answers = [[7, 6, 4, 2, 7], [5, 1, 3, 3]]
    columns = {"ces": [*answers[0], *answers[1]], "wave": [1] * 5 + [2] * 4}
    row = only_row(lk.compare(lk.ces(pd.DataFrame(columns), "ces", by="wave"), "wave"))
    # scipy 1.17: t = stats.ttest_ind(*answers, equal_var=False), t.df, t.confidence_interval(0.95)
    expected = [1.7356405540261162, 6.994691047037925, 0.1262408530888177]
    expected += [-0.79772546082549, 5.19772546082549]
    names = ("statistic", "df", "p_value", "ci_low", "ci_high")
    assert [row[name] for name in names] == pytest.approx(expected)
    assert (row["method"], row["unit"]) == ("welch", "scale_points")
    greater = only_row(
        lk.compare(lk.ces(pd.DataFrame(columns), "ces", by="wave"), "wave", alternative="greater")
    )
    assert greater["ci_high"] == 6.0  # the width of the scale: JSON has no infinity


def test_waves_within_sectors(engine: Engine) -> None:
    table = lk.nps(engine.frame(ANSWERS), "nps", by="sector", time="day")
    rows = frame_rows(lk.compare(table, "period", reference="previous"))
    months = [dt.date(2026, month, 1) for month in (1, 2, 3)]
    cells = [(row["sector"], row["period"], row["reference"]) for row in rows]
    assert cells == [
        *(("B2B", months[1], months[0]), ("B2B", months[2], months[1])),
        *(("B2C", months[1], months[0]), ("B2C", months[2], months[1])),
        (None, months[2], months[1]),
    ]
    assert {"coverage"} & rows[0].keys() == set()
    # B2C has no valid answer in February.
    empty = rows[2]
    assert (empty["n"], empty["estimate"], empty["difference"], empty["p_value"]) == (
        0,
        None,
        None,
        None,
    )
    tested = [row["p_value"] for row in rows if row["p_value"] is not None]
    adjusted = [row["p_adjusted"] for row in rows if row["p_value"] is not None]
    assert adjusted == pytest.approx(naive_holm(tested))
    first = frame_rows(lk.compare(table, "period", reference="2026-01-01"))
    assert [row["sector"] for row in first] == ["B2B", "B2B", "B2C", "B2C"]


def naive_holm(p: list[float]) -> list[float]:
    return [
        min(1.0, max((len(p) - sum(r < q for r in p)) * q for q in p if q <= value)) for value in p
    ]


def test_adjusted_p_values_in_r() -> None:
    """R: p.adjust(c(.01, .02, .03, .04), "holm") is .04 .06 .06 .06, and "BH" .04 four times."""
    table = lk.csat_from_counts(satisfied=[10, 20, 31, 45], n=[80] * 4, labels=list("abcd"))
    plain = column(lk.compare(table, "group", adjust="none"), "p_value")
    for adjust in ("holm", "bh"):
        made = column(lk.compare(table, "group", adjust=adjust), "p_adjusted")
        assert made == _adjustment.adjusted(np.array(plain), adjust).tolist()
    assert column(lk.compare(table, "group", adjust="none"), "p_adjusted") == plain
    four = np.array([0.01, 0.02, 0.03, 0.04])
    assert _adjustment.adjusted(four, "holm") == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert _adjustment.adjusted(four, "bh") == pytest.approx([0.04] * 4)
    assert column(lk.compare(table, "group"), "p_adjusted") == pytest.approx(naive_holm(plain))


def test_the_rest_is_all_others_added_up(engine: Engine) -> None:
    for function, name, options in SURVEYS:
        table = function(engine.frame(ANSWERS), name, by="sector", **options)
        rows = frame_rows(lk.compare(table, "sector", reference="rest"))
        assert [row["sector"] for row in rows] == ["B2B", "B2C", None]
        assert {row["reference"] for row in rows} == {"rest"}
        places = [i for i, sector in enumerate(ANSWERS["sector"]) if sector != "B2B"]
        kept = engine.frame({key: [ANSWERS[key][i] for i in places] for key in (name, "sector")})
        others = only_row(function(kept, name, **options))
        assert rows[0]["n_reference"] == others["n"]
        assert rows[0]["estimate_reference"] == pytest.approx(others["estimate"], rel=1e-12)


def test_the_rest_of_periods_leaves_out_what_is_not_observed_in_full(engine: Engine) -> None:
    log = engine.frame(log_columns())
    table = lk.retention_rate(log, "id", "day", as_of="2026-05-20")
    whole = frame_rows(table)
    rows = frame_rows(lk.compare(table, "period", reference="rest"))
    full = [row["n"] for row in whole[1:4]]
    assert [row["n_reference"] for row in rows] == [
        sum(full),
        *(sum(full) - n for n in full),
        sum(full),
    ]
    assert [row["n"] for row in rows] == [row["n"] for row in whole]
    assert [row["difference"] is None for row in rows] == [True, False, False, False, True]
    assert rows[-1]["estimate"] == whole[-1]["estimate"]


def test_cohorts_at_the_same_age(engine: Engine) -> None:
    table = lk.cohort_retention(engine.frame(log_columns()), "id", "day", as_of="2026-05-31")
    rows = frame_rows(lk.compare(table, "cohort", reference="previous"))
    cells = {(row["cohort"], row["cohort_age"]): row for row in frame_rows(table)}
    for row in rows:
        assert (row["cohort"].month, row["cohort"].day) == (row["reference"].month + 1, 1)
        own, before = (cells[row[name], row["cohort_age"]] for name in ("cohort", "reference"))
        assert (row["n"], row["n_reference"]) == (own["n"], before["n"])
        if own["n"] is None or before["n"] is None:
            assert row["difference"] is None
        else:
            assert row["difference"] == own["estimate"] - before["estimate"]
    with pytest.raises(ParameterError, match=r"the same at every age.*across='cohort'"):
        lk.compare(table, "cohort_age")


def test_a_level_that_is_called_like_a_word_comes_first() -> None:
    table = lk.csat_from_counts(satisfied=[3, 5, 6], n=9, labels=["best", "rest", "previous"])
    assert column(lk.compare(table, "group", reference="rest"), "group") == ["best", "previous"]
    assert column(lk.compare(table, "group", reference="previous"), "group") == ["best", "rest"]


def test_types_of_keys_and_levels_stay(engine: Engine) -> None:
    levels = ["loyal", "new"]
    frame = engine.frame(
        {"csat": [1, 5, 4, 2], "tier": [*levels] * 2, "id": [1, 1, 2, 2]}, {"tier": levels}
    )
    made = lk.compare(lk.csat(frame, "csat", by=["id", "tier"]), "tier")
    types = dtype_names(made)
    assert types["tier"] == types["reference"] == dtype_names(frame)["tier"]
    assert types["id"] == dtype_names(frame)["id"]
    waves = lk.compare(lk.csat(frame, "csat", by=["id", "tier"]), "id")
    assert column(waves, "reference") == [2, 2]
    assert dtype_names(waves)["reference"] == dtype_names(frame)["id"]


def test_nothing_to_compare(engine: Engine) -> None:
    one = lk.nps(engine.frame({"nps": [9], "sector": ["B2B"]}), "nps", by="sector")
    none = lk.retention_rate(
        engine.frame({"id": [1], "day": ["2026-01-05"], "sector": ["B2B"]}),
        "id",
        "day",
        by="sector",
    )
    for reference in (None, "rest", "previous"):
        for table in (one, none):
            made = lk.compare(table, "sector", reference=reference)
            keys = [name for name in ("period",) if name in column_names(table)]
            assert column_names(made) == [*keys, "metric", "sector", *_results.COMPARE]
            assert frame_rows(made) == []


def test_all_alike_is_no_difference() -> None:
    table = lk.nps_from_counts(promoters=[4, 9], passives=0, detractors=0)
    row = only_row(lk.compare(table, "group"))
    assert (row["difference"], row["std_error"], row["statistic"], row["p_value"]) == (0, 0, 0, 1)
    assert row["ci_low"] < 0 < row["ci_high"]
    table = lk.ces_from_counts(
        answers=range(1, 8), n=[[0] * 6 + [4], [0] * 5 + [3, 0], [1] + [0] * 6]
    )
    first, *alone = frame_rows(lk.compare(table, "group"))
    names = ("ci_low", "ci_high", "statistic", "df", "p_value", "p_adjusted")
    assert (first["difference"], first["std_error"]) == (1.0, 0.0)
    assert [first[name] for name in names] == [None] * 6
    assert [row["std_error"] for row in alone] == [None, None]


def test_table_methods_do_not_matter() -> None:
    words: dict[str, Any] = {"promoters": [15, 12], "passives": [13, 7], "detractors": [8, 12]}
    made = [lk.compare(lk.nps_from_counts(**words, method=m), "group") for m in ("score", "wald")]
    assert frame_rows(made[0]) == frame_rows(made[1])
    counts: dict[str, Any] = {"start": [80, 90], "lost": [8, 30]}
    made = [
        lk.compare(lk.churn_rate_from_counts(**counts, method=m), "group")
        for m in ("wilson", "none")
    ]
    assert frame_rows(made[0]) == frame_rows(made[1])


def test_adjusted_wald_keeps_the_plain_difference() -> None:
    table = lk.nps_from_counts(promoters=[3, 1], passives=0, detractors=[0, 1])
    row = only_row(lk.compare(table, "group", method="adjusted_wald"))
    assert (row["difference"], row["method"]) == (100.0, "adjusted_wald")
    assert row["ci_low"] < 50 < row["ci_high"] <= 200


@unhurried
@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=2, max_size=5))
def test_levels_exchanged_flip_the_sign(rows: list[tuple[int, int, int]]) -> None:
    promoters, passives, detractors = (list(values) for values in zip(*rows, strict=True))
    table = lk.nps_from_counts(promoters=promoters, passives=passives, detractors=detractors)
    pairs = {
        (row["group"], row["reference"]): row for row in frame_rows(lk.compare(table, "group"))
    }
    for level in range(len(rows)):
        for row in frame_rows(lk.compare(table, "group", reference=level, adjust="none")):
            if (other := pairs.get((level, row["group"]))) is None:
                assert pairs[row["group"], level]["difference"] == row["difference"]
                continue
            if row["difference"] is None:
                assert other["difference"] is None
                continue
            for name, mirror in (("difference",) * 2, ("ci_low", "ci_high"), ("statistic",) * 2):
                assert row[name] == -other[mirror]
            assert row["p_value"] == other["p_value"]


# ---- compare: weighted tables -------------------------------------------------------------------


def test_weighted_sides_are_compared_on_their_effective_sizes() -> None:
    table = weighted_table(WEIGHTED_ROWS, SECTORS)
    sides = {row["sector"]: row for row in frame_rows(table)}
    row = frame_rows(lk.compare(table, "sector"))[0]
    one, other = sides["B2B"], sides["B2C"]
    assert row["difference"] == one["estimate"] - other["estimate"]
    assert row["std_error"] == pytest.approx(math.hypot(one["std_error"], other["std_error"]))
    assert row["df"] == 11.0
    # The table's own limits are the same score limits at t's quantile.
    limits = [(side["estimate"], side["ci_low"], side["ci_high"]) for side in (one, other)]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(oracles.mover_interval(*limits))
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(row["statistic"]), 11))


@pytest.mark.parametrize("metric", ["ces", "csat"])
def test_weighted_means_and_shares(metric: str) -> None:
    """Two rows of answers 1 to 5, with weights, by hand; the whole sample has nine answers."""
    answers = [[(5, 1.5), (4, 0.5), (2, 1.0), (5, 0.8)], [(1, 1.0), (3, 2.0), (4, 0.6), (2, 1.1)]]
    points = np.array([[answer for answer, _ in row] for row in answers], dtype=float)
    weights = np.array([[weight for _, weight in row] for row in answers])
    parts = {"easy": points >= 4, "neutral": points == 3, "hard": points <= 2}
    if metric == "csat":
        parts = {"satisfied": points >= 4, "unsatisfied": points < 4}
    else:
        parts |= {"answer_sum": points, "answer_sumsq": points**2}
    values = points if metric == "ces" else (points >= 4).astype(float)
    total = weights.sum(axis=1)
    mean = (weights * values).sum(axis=1) / total
    moved = weights * (values - mean[:, None]) / total[:, None]
    kish = total**2 / (weights**2).sum(axis=1)
    made = _estimates.Weighted(
        {name: (weights * part).sum(axis=1) for name, part in parts.items()},
        {name: (weights**2 * part).sum(axis=1) for name, part in parts.items()},
        9 / 8 * (moved**2).sum(axis=1),
        kish,
        np.full(2, np.inf),
        np.full(2, 8.0),
    )
    counts = {name: parts[name].sum(axis=1).astype(np.int64) for name in _results.COUNTS[metric]}
    definition = "scale=1..5;satisfied>=4"
    if metric == "ces":
        definition = "scale=1..5;direction=ease;statistic=mean;easy>=4;hard<=2"
    n = np.full(2, 4)
    table = _results.metric_table(
        _frame.open_frame(pd.DataFrame({"wave": ["a", "b"]})),
        metric,
        counts,
        n,
        0 * n,
        weighted=made,
        method="t" if metric == "ces" else "wilson",
        confidence_level=0.95,
        definition=definition,
    )
    row = only_row(lk.compare(table, "wave"))
    error = math.hypot(*np.sqrt(made.variance))
    unit = 1 if metric == "ces" else 100
    assert row["difference"] == pytest.approx(unit * (mean[0] - mean[1]))
    assert row["std_error"] == pytest.approx(unit * error)
    df = 8.0
    if metric == "ces":  # Welch's, of four answers each
        v = made.variance
        df = (v[0] + v[1]) ** 2 / (v[0] ** 2 / 3 + v[1] ** 2 / 3)
    assert row["df"] == pytest.approx(df)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(row["statistic"]), df))
    if metric == "ces":
        assert row["statistic"] == pytest.approx((mean[0] - mean[1]) / error)
        assert row["ci_low"] == pytest.approx(mean[0] - mean[1] - stats.t.ppf(0.975, df) * error)
    else:
        sides = [(r["estimate"], r["ci_low"], r["ci_high"]) for r in frame_rows(table)]
        limits = oracles.mover_interval(sides[0], sides[1])
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(limits)
        with pytest.raises(ParameterError, match="tests whole counts, and the table is weighted"):
            lk.compare(table, "wave", method="n_minus_1")


def test_times_10_the_weights_change_nothing() -> None:
    heavy = [(key, answer, 10 * weight) for key, answer, weight in WEIGHTED_ROWS]
    for reference in (None, "rest"):
        made, same = (
            frame_rows(lk.compare(weighted_table(rows, SECTORS), "sector", reference=reference))
            for rows in (WEIGHTED_ROWS, heavy)
        )
        for row, other in zip(made, same, strict=True):
            for name in ("difference", "std_error", "ci_low", "ci_high", "p_value"):
                assert row[name] == pytest.approx(other[name], rel=1e-9)


def test_the_weighted_rest_is_the_pooled_rest() -> None:
    row = frame_rows(
        lk.compare(weighted_table(WEIGHTED_ROWS, SECTORS), "sector", reference="rest")
    )[0]
    merged = [
        ("B2B" if key == "B2B" else "Z", answer, weight) for key, answer, weight in WEIGHTED_ROWS
    ]
    direct = only_row(lk.compare(weighted_table(merged, ["B2B", "Z"]), "sector"))
    for name in ("n_reference", "difference", "std_error", "ci_low", "ci_high", "df", "p_value"):
        assert row[name] == pytest.approx(direct[name], rel=1e-9)


def test_designs() -> None:
    fine = weighted_table(WEIGHTED_ROWS, SECTORS, ";sampling=clusters+strata+population")
    assert len(lk.compare(fine, "sector")) == 3
    with pytest.raises(ParameterError, match="the error of rows taken together"):
        lk.compare(fine, "sector", reference="rest")
    shared = weighted_table(WEIGHTED_ROWS, SECTORS, ";sampling=shared_clusters+strata")
    with pytest.raises(ParameterError, match=r"rows of the table share clusters.*compare_paired"):
        lk.compare(shared, "sector")
    with pytest.raises(ParameterError, match="does not compare net scores"):
        lk.compare(fine, "sector", method="n_minus_1")


def test_populations_asked_in_full_leave_nothing_to_test() -> None:
    table = weighted_table(WEIGHTED_ROWS, SECTORS, ";sampling=population")
    table["n_effective"], table["std_error"] = math.inf, 0.0
    row = frame_rows(lk.compare(table, "sector"))[0]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((row["difference"],) * 2, abs=1e-9)
    assert (row["std_error"], row["statistic"], row["df"], row["p_value"]) == (0, None, None, None)
    table.loc[0, ["n_effective", "std_error"]] = [3.0, 40.0]
    row = frame_rows(lk.compare(table, "sector"))[0]
    assert 0 < row["p_value"] < 1


# ---- compare: refusals --------------------------------------------------------------------------


def test_what_compare_refuses(engine: Engine) -> None:
    table = lk.nps(engine.frame(ANSWERS), "nps", by="sector", time="day")
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("tier", {}, "across='tier' is not a key of the table: it has 'sector', 'period'"),
        ("coverage", {}, "across='coverage' is not a key"),
        ("sector", {"reference": "B2G"}, "reference='B2G' is no level of 'sector': it has 'B2B'"),
        ("period", {"reference": "2026-07-01"}, "it has '2026-01-01', '2026-02-01', '2026-03-01'"),
        (
            "sector",
            {"adjust": "bonferroni"},
            "adjust='bonferroni' is not one of 'holm', 'bh', 'none'",
        ),
        ("sector", {"method": "welch"}, "method='welch' does not compare net scores"),
        ("sector", {"alternative": "two sided"}, "Did you mean 'two-sided'"),
        ("sector", {"confidence_level": 95}, r"Did you mean 0\.95"),
        ("sector", {"confidence_level": 0.4, "alternative": "less"}, r"must be above 0\.5"),
    ]
    for across, words, message in cases:
        with pytest.raises(ParameterError, match=message):
            lk.compare(table, across, **words)
    with pytest.raises(TypeError, match="reference must be one level of 'sector', not list"):
        lk.compare(table, "sector", reference=["B2B"])
    with pytest.raises(TypeError, match="across must be a column name"):
        lk.compare(table, 1)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="rows too many for the key 'period', 'sector'"):
        lk.compare(stacked([table, table]), "sector")
    with pytest.raises(ParameterError, match="mixes definition"):
        lk.compare(
            stacked(
                [
                    table,
                    lk.nps(engine.frame(ANSWERS), "nps", by="sector", time="day", promoter_min=8),
                ]
            ),
            "sector",
        )
    with pytest.raises(ParameterError, match="not a table of a metric function"):
        lk.compare(engine.frame(ANSWERS), "sector")
    unsplit = lk.nps(engine.frame(ANSWERS), "nps")
    with pytest.raises(
        ParameterError, match="across='sector' is not a key of the table: it has none"
    ):
        lk.compare(unsplit, "sector")


def test_the_compared_table_is_not_changed(engine: Engine) -> None:
    table = engine.keep(lk.nps(engine.frame(ANSWERS), "nps", by=["sector", "tier"]))
    for reference in (None, "rest", "previous"):
        lk.compare(table, "sector", reference=reference)


def test_a_table_read_back_from_records_can_be_compared() -> None:
    table = lk.retention_rate(pd.DataFrame(log_columns()), "id", "day", by="sector")
    stored = pd.DataFrame(lk.to_records(table))
    for across, reference in (("period", "previous"), ("sector", None), ("period", "2026-03-01")):
        made = frame_rows(lk.compare(stored, across, reference=reference))
        direct = frame_rows(lk.compare(table, across, reference=reference))
        for row, other in zip(made, direct, strict=True):
            assert (row["sector"], row["n"]) == (other["sector"], other["n"])
            for name in ("difference", "ci_low", "p_adjusted"):
                assert row[name] == (other[name] and pytest.approx(other[name], rel=1e-12))


# ---- tables straight from weighted answers ------------------------------------------------------


def answers_of_accounts() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    account = rng.integers(0, 40, 400)
    return pd.DataFrame(
        {
            "sector": np.array(["B2B", "B2C", "NPO"])[account % 3],
            "channel": rng.choice(["mail", "web"], 400),
            "region": rng.choice(["east", "west"], 400),
            "account": account,
            "weight": rng.choice([0.5, 1.0, 3.0], 400),
            "nps": rng.choice([0, 7, 9, 10], 400),
        }
    )


def test_pooled_weights_are_the_direct_call() -> None:
    data = answers_of_accounts()
    split = lk.nps(data, "nps", by=["sector", "channel"], weights="weight")
    direct = lk.nps(data, "nps", by="sector", weights="weight")
    pd.testing.assert_frame_equal(lk.pool(split, over="channel"), direct, rtol=1e-12)
    rest = lk.compare(direct, "sector", reference="rest")
    data["other"] = np.where(data["sector"] == "B2B", "B2B", "rest")
    two = lk.compare(lk.nps(data, "nps", by="other", weights="weight"), "other", reference="rest")
    names = ["difference", "std_error", "ci_low", "ci_high", "statistic", "df", "p_value"]
    assert list(rest[names].iloc[0]) == pytest.approx(list(two[names].iloc[0]), rel=1e-9)


def test_rows_that_share_accounts_are_refused_and_those_that_do_not_are_compared() -> None:
    data = answers_of_accounts()
    apart = lk.nps(data, "nps", by="sector", clusters="account")
    row = lk.compare(apart, "sector").iloc[0]
    assert row["df"] == 39.0
    errors = apart["std_error"]
    assert row["std_error"] == pytest.approx(np.hypot(errors[0], errors[1]))
    for refused in ({"by": "channel"}, {"by": ["sector", "channel"]}):
        shared = lk.nps(data, "nps", clusters="account", **refused)
        with pytest.raises(ParameterError, match=r"^The rows of the table share clusters"):
            lk.compare(shared, "channel")
    with pytest.raises(ParameterError, match="does not follow from the table"):
        lk.pool(apart, over="sector")


def test_strata_across_the_rows_do_not_sharpen_a_comparison() -> None:
    data = answers_of_accounts()
    options: dict[str, Any] = {"by": "channel", "weights": "weight"}
    stratified = lk.nps(data, "nps", strata="region", **options)
    plain = lk.nps(data, "nps", **options)
    assert stratified["definition"][0].endswith(";sampling=shared_strata")
    one, other = (lk.compare(table, "channel").iloc[0] for table in (stratified, plain))
    assert one["std_error"] == pytest.approx(other["std_error"], rel=1e-4)
    assert one["df"] == other["df"] - 1
    data["account"] = data["account"].astype(str) + data["region"] + data["channel"]
    both = lk.nps(data, "nps", strata="region", clusters="account", **options)
    with pytest.raises(ParameterError, match=r"^The strata of the table go across its rows"):
        lk.compare(both, "channel")
    within = lk.nps(data, "nps", by="region", strata="region", clusters="account")
    assert within["definition"][0].endswith(";sampling=clusters+strata")
    assert lk.compare(within, "region")["p_value"].iloc[0] <= 1.0


@pytest.mark.parametrize("population", [None, 150])
def test_a_weighted_table_that_was_stored_as_json(population: int | None) -> None:
    data = answers_of_accounts()[:150]
    table = lk.nps(data, "nps", by="sector", weights="weight", population=population)
    stored = pd.DataFrame(lk.to_records(table))
    pd.testing.assert_frame_equal(lk.compare(stored, "sector"), lk.compare(table, "sector"))
    texts = table.assign(**{name: table[name].astype(str) for name in ("w_promoters", "df")})
    pd.testing.assert_frame_equal(lk.compare(texts, "sector"), lk.compare(table, "sector"))
    decimals = table["w2_promoters"].map(Decimal)
    made = lk.compare(table.assign(w2_promoters=decimals), "sector")
    pd.testing.assert_frame_equal(made, lk.compare(table, "sector"))
    with pytest.raises(ParameterError, match=r"^result: 'w_promoters' must hold numbers, not"):
        lk.compare(table.assign(w_promoters="many"), "sector")


def test_a_stored_table_without_any_error() -> None:
    data = pd.DataFrame({"k": ["a", "b"], "ces": [4, 5], "w": [1.0, 2.0]})
    table = lk.ces(data, "ces", by="k", weights="w")
    stored = pd.DataFrame(lk.to_records(table))
    assert stored["std_error"].isna().all()
    row = only_row(lk.compare(stored, "k"))
    assert (row["difference"], row["std_error"], row["p_value"]) == (-1.0, None, None)


def test_cohorts_are_all_there_at_first_and_that_is_no_test() -> None:
    log = pd.DataFrame(
        {
            "id": [1, 2, 3, 4, 5, 1, 3, 4, 5],
            "day": ["2026-01-05"] * 2 + ["2026-02-05"] * 3 + ["2026-02-07"] + ["2026-03-05"] * 3,
        }
    )
    cohorts = lk.cohort_retention(log, "id", "day", as_of="2026-04-30")
    made = lk.compare(cohorts, "cohort", reference="previous", adjust="holm")
    assert made.loc[made["cohort_age"] == 0, "p_value"].isna().all()
    later = made[(made["cohort_age"] == 1) & made["difference"].notna()]
    assert later["p_adjusted"].notna().all()


def test_an_empty_sample_beside_others_takes_nothing_from_them() -> None:
    data = answers_of_accounts()
    full = lk.nps(data, "nps", by="sector", weights="weight")
    full.insert(0, "year", 2026)
    none = lk.nps(data.assign(nps=None), "nps", by="sector", weights="weight")
    none.insert(0, "year", 2025)
    assert none["df"].isna().all()
    both = pd.concat([full, none])
    alone = lk.pool(full, over=["year", "sector"])
    pd.testing.assert_series_equal(
        lk.pool(both, over=["year", "sector"])["std_error"], alone["std_error"]
    )
    rest = lk.compare(both, "year", reference="rest")
    assert rest["difference"].isna().all()  # against nothing


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("promoters", np.nan, "'promoters' is null in 1 row that have answers"),
        ("promoters", 999, "'promoters' is more than n in 1 row"),
        ("promoters", -1, "'promoters' must hold whole numbers, 0 or more"),
        ("w_promoters", -1.0, "'w_promoters' must hold sums of weights, 0 or more"),
        ("definition", "nonsense", "mixes definition"),
    ],
)
def test_tables_that_somebody_has_changed(column: str, value: Any, message: str) -> None:
    table = lk.nps(answers_of_accounts(), "nps", by="sector", weights="weight")
    table[column] = table[column].astype(object)
    table.loc[0, column] = value
    with pytest.raises(ParameterError, match=message):
        lk.compare(table, "sector")
    with pytest.raises(ParameterError, match=message):
        lk.pool(table, over="sector")


def test_a_definition_that_says_no_statistic() -> None:
    table = lk.ces([1, 5, 7]).assign(definition="scale=1..7")
    with pytest.raises(ParameterError, match=r"holds the definition 'scale=1\.\.7', which is none"):
        lk.pool(table.assign(k="a")[["k", *table.columns]], over="k")


def test_means_of_few_weighted_answers_are_judged_by_their_own_number() -> None:
    """Two answers of a large sample: as unsure as two answers alone, but for n / (n - 1)."""
    data = pd.DataFrame({"s": [3, 6] + [1, 7, 4, 5] * 50, "g": ["few"] * 2 + ["many"] * 200})
    weighted = lk.ces(data.assign(w=1.0), "s", by="g", weights="w")
    few = weighted.iloc[0]
    quantile = stats.t.ppf(0.975, 1)
    assert few["ci_high"] - few["estimate"] == pytest.approx(quantile * few["std_error"])
    assert few["df"] == 201.0
    row = lk.compare(weighted, "g").iloc[0]
    assert row["df"] == pytest.approx(1.0, abs=0.1)  # Welch's, of which one answer is left
    census = lk.ces(data, "s", by="g", population=202)
    sure = lk.compare(census, "g").iloc[0]
    assert sure["ci_low"] == sure["ci_high"] == sure["difference"]
    assert np.isnan(sure["p_value"])


def test_answers_of_one_account_have_no_error() -> None:
    account = np.r_[np.zeros(20, int), np.repeat(np.arange(1, 11), 4)]
    data = pd.DataFrame({"account": account, "s": [3, 5, 6, 7] * 15, "g": account == 0})
    for table in (
        lk.ces(data, "s", by="g", clusters="account"),
        lk.csat(data, "s", by="g", clusters="account", scale=(1, 7)),
    ):
        solo = frame_rows(table)[1]
        assert (solo["std_error"], solo["n_effective"]) == (None, 1.0)
        row = only_row(lk.compare(table, "g"))
        assert row["std_error"] is None
        assert row["p_value"] is None or row["p_value"] > 0.05
