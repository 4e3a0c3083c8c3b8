"""Metrics from counts: the same numbers as from rows, and what is no count."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import oracles
import pandas as pd
import polars as pl
import pytest
from conftest import column_names, dtype_names, frame_rows, only_row
from hypothesis import given, settings
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit import _results
from loyaltykit.errors import DataError, LoyaltyKitError, ParameterError

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "nps": lk.nps_from_counts,
    "csat": lk.csat_from_counts,
    "ces": lk.ces_from_counts,
    "retention_rate": lk.retention_rate_from_counts,
    "churn_rate": lk.churn_rate_from_counts,
}
# One group each, and its estimate.
CALLS: dict[str, tuple[dict[str, Any], float]] = {
    "nps": ({"promoters": 60, "passives": 25, "detractors": 15}, 45.0),
    "csat": ({"satisfied": 80, "n": 100}, 80.0),
    "ces": ({"answers": range(1, 8), "n": [1, 0, 1, 0, 2, 4, 2]}, 5.2),
    "retention_rate": ({"start": 200, "end": 210, "new": 40, "returned": 5}, 82.5),
    "churn_rate": ({"start": 200, "lost": 30}, 15.0),
}
EVERY = pytest.mark.parametrize("name", FUNCTIONS)


def call(name: str, **changes: Any) -> Any:
    return FUNCTIONS[name](**{**CALLS[name][0], **changes})


def many(name: str, groups: int, **changes: Any) -> Any:
    """Call with the same counts for several groups."""
    counts = dict(CALLS[name][0])
    if name == "ces":
        counts["n"] = [counts["n"]] * groups
    else:
        counts = {key: [value] * groups for key, value in counts.items()}
    return FUNCTIONS[name](**{**counts, **changes})


# ---- tables --------------------------------------------------------------------------------------


@EVERY
def test_scalars_give_one_row_without_a_key(name: str) -> None:
    table = call(name)
    row = only_row(table)
    assert row["estimate"] == pytest.approx(CALLS[name][1], rel=1e-15)
    assert (row["metric"], row["n_missing"]) == (name, 0)
    estimates = ("estimate", "std_error", "ci_low", "ci_high")
    words = ("confidence_level", "method", "unit", "definition")
    expected = ["metric", "n", "n_missing", *_results.COUNTS[name], *estimates, *words]
    assert column_names(table) == expected
    assert type(table) is pd.DataFrame


@EVERY
def test_dtypes(name: str) -> None:
    dtypes = dtype_names(call(name))
    for count in ("n", "n_missing", *_results.COUNTS[name]):
        assert dtypes[count] == "int64"
    for estimate in ("estimate", "std_error", "ci_low", "ci_high", "confidence_level"):
        assert dtypes[estimate] == "float64"


@EVERY
def test_only_keywords(name: str) -> None:
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(
    ("name", "method", "unit", "definition"),
    [
        ("nps", "score", "points", "basis=counts"),
        ("csat", "wilson", "percent", "basis=counts"),
        ("ces", "t", "scale_points", "scale=1..7;direction=ease;statistic=mean;easy>=5;hard<=3"),
        ("retention_rate", "wilson", "percent", "basis=counts"),
        ("churn_rate", "wilson", "percent", "basis=counts;denominator=start"),
    ],
)
def test_words(name: str, method: str, unit: str, definition: str) -> None:
    row = only_row(call(name))
    assert (row["method"], row["unit"], row["definition"]) == (method, unit, definition)


# ---- the same numbers as from rows ---------------------------------------------------------------

ANSWERS = [10, 10, 9, 8, 7, 6, 0, 3, 9, 8]


@pytest.mark.parametrize("method", ["score", "adjusted_wald", "wald"])
def test_nps_is_that_of_the_answers(method: Any) -> None:
    from_rows = only_row(lk.nps(ANSWERS, method=method, confidence_level=0.9))
    given: list[dict[str, Any]] = [{"passives": 3}, {"n": 10}, {"passives": 3, "n": 10}]
    for rest in given:
        made = lk.nps_from_counts(
            promoters=4, detractors=3, method=method, confidence_level=0.9, **rest
        )
        assert only_row(made) == {**from_rows, "definition": "basis=counts"}


def test_csat_is_that_of_the_answers() -> None:
    from_rows = only_row(lk.csat([5, 4, 3, 2, 5]))
    made = only_row(lk.csat_from_counts(satisfied=3, n=5))
    assert made == {**from_rows, "definition": "basis=counts"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"statistic": "box"},
        {"statistic": "net"},
        {"statistic": "net", "method": "wald"},
        {"direction": "effort", "statistic": "box"},
        {"easy_min": 6, "statistic": "box", "confidence_level": 0.8},
    ],
)
def test_ces_is_that_of_the_answers(options: dict[str, Any]) -> None:
    answers = [7, 7, 6, 5, 4, 4, 2, 1]
    counts = [answers.count(point) for point in range(1, 8)]
    from_rows = only_row(lk.ces(answers, **options))
    assert only_row(lk.ces_from_counts(answers=range(1, 8), n=counts, **options)) == from_rows
    # The points may come in any order.
    down = lk.ces_from_counts(answers=range(7, 0, -1), n=counts[::-1], **options)
    assert only_row(down) == from_rows


def test_retention_and_churn_in_percent() -> None:
    """(E - N - returned) / S and lost / S: DESIGN.md, Definitions."""
    row = only_row(lk.retention_rate_from_counts(start=200, end=210, new=40, returned=5))
    assert (row["n"], row["retained"], row["churned"]) == (200, 165, 35)
    low, high = oracles.wilson_interval(165, 200, 0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((100 * low, 100 * high))
    churn = only_row(lk.churn_rate_from_counts(start=200, lost=35))
    assert churn["estimate"] == 100 - row["estimate"]
    assert (churn["retained"], churn["churned"]) == (165, 35)
    assert churn["ci_low"] == pytest.approx(100 - row["ci_high"])


@pytest.mark.parametrize("name", ["retention_rate", "churn_rate"])
def test_method_none_infers_nothing(name: str) -> None:
    row = only_row(call(name, method="none"))
    assert row["estimate"] == CALLS[name][1]
    assert [row[column] for column in ("std_error", "ci_low", "ci_high")] == [None] * 3


@settings(max_examples=50)
@given(
    start=st.integers(0, 10**6),
    kept=st.floats(0, 1),
    new=st.integers(0, 99),
    back=st.integers(0, 9),
)
def test_churn_is_the_rest_of_retention(start: int, kept: float, new: int, back: int) -> None:
    retained = int(kept * start)
    end = retained + new + back
    retention = only_row(
        lk.retention_rate_from_counts(start=start, end=end, new=new, returned=back)
    )
    churn = only_row(lk.churn_rate_from_counts(start=start, lost=start - retained))
    assert retention["retained"] == churn["retained"] == retained
    if start:
        assert churn["estimate"] == pytest.approx(100 - retention["estimate"], abs=1e-12)
        assert 0 <= retention["ci_low"] <= retention["estimate"] <= retention["ci_high"] <= 100
    else:
        assert retention["estimate"] is churn["estimate"] is None


# ---- other intervals -----------------------------------------------------------------------------

LIMITS = ("ci_low", "ci_high")
SHARES = ["agresti_coull", "clopper_pearson", "jeffreys"]
# Every call that takes the bootstrap, with the answers by value that it draws from.
DRAWN: list[tuple[str, dict[str, Any], list[int], list[float]]] = [
    ("nps", {}, [60, 25, 15], [100, 0, -100]),
    ("csat", {}, [80, 20], [100, 0]),
    ("ces", {"statistic": "mean"}, [1, 1, 2, 4, 2], [1, 3, 5, 6, 7]),
    ("ces", {"statistic": "box"}, [8, 2], [100, 0]),
    ("ces", {"statistic": "net"}, [8, 2], [100, -100]),
]


@pytest.mark.parametrize("method", SHARES)
@pytest.mark.parametrize(
    ("name", "options", "successes", "n"),
    [
        ("csat", {}, 80, 100),
        ("ces", {"statistic": "box"}, 8, 10),
        ("retention_rate", {}, 165, 200),
        ("churn_rate", {}, 30, 200),
    ],
)
def test_shares_by_the_other_methods(
    name: str, options: dict[str, Any], successes: int, n: int, method: str
) -> None:
    usual, row = only_row(call(name, **options)), only_row(call(name, method=method, **options))
    expected = getattr(oracles, f"{method}_interval")(successes, n, 0.95)
    assert [row[limit] / 100 for limit in LIMITS] == pytest.approx(expected, abs=1e-8)
    assert {**row, "method": "wilson", **{limit: usual[limit] for limit in LIMITS}} == usual


@pytest.mark.parametrize("method", SHARES)
@pytest.mark.parametrize("name", ["csat", "retention_rate", "churn_rate"])
def test_shares_at_the_boundaries(name: str, method: str) -> None:
    none = {"csat": {"satisfied": 0}, "churn_rate": {"lost": 0}}.get(name, {"end": 45})
    row = only_row(call(name, method=method, **none))
    assert row["estimate"] == row["ci_low"] == 0.0 < row["ci_high"] < 10.0
    every = {"csat": {"satisfied": 100}, "churn_rate": {"lost": 200}}.get(name, {"end": 245})
    row = only_row(call(name, method=method, **every))
    assert 90.0 < row["ci_low"] < row["estimate"] == row["ci_high"] == 100.0


@pytest.mark.parametrize(("name", "options", "counts", "values"), DRAWN)
def test_bootstrap_limits_are_quantiles_of_the_exact_distribution(
    name: str, options: dict[str, Any], counts: list[int], values: list[float]
) -> None:
    usual = only_row(call(name, **options))
    made = call(name, method="bootstrap", rng=7, n_resamples=50_000, **options)
    row = only_row(made)
    means, chances = oracles.resampled_means(counts, values)
    # Between the quantiles of tails that the chance of the draws may stand for.
    below = np.cumsum(chances)
    for limit, tail in zip(LIMITS, (0.025, 0.975), strict=True):
        least, most = (means[np.searchsorted(below, tail + shift)] for shift in (-4e-3, 4e-3))
        assert least - 1e-9 <= row[limit] <= most + 1e-9
    # Estimate, error, unit and definition are those of every other method.
    same = {"method": usual["method"], **{limit: usual[limit] for limit in LIMITS}}
    assert row["method"] == "bootstrap"
    assert {**row, **same} == usual
    assert dtype_names(made) == dtype_names(call(name, **options))


@pytest.mark.parametrize(("name", "options", "counts", "values"), DRAWN)
def test_a_seed_gives_the_same_table_and_a_generator_goes_on(
    name: str, options: dict[str, Any], counts: list[int], values: list[float]
) -> None:
    keywords = {"method": "bootstrap", "n_resamples": 100, "confidence_level": 0.5, **options}
    first = many(name, 40, rng=5, **keywords)
    pd.testing.assert_frame_equal(first, many(name, 40, rng=5, **keywords))
    pd.testing.assert_frame_equal(first, many(name, 40, rng=np.random.default_rng(5), **keywords))
    generator = np.random.default_rng(5)
    pd.testing.assert_frame_equal(first, many(name, 40, rng=generator, **keywords))
    assert not first.equals(many(name, 40, rng=generator, **keywords))
    assert first["ci_low"].nunique() > 1


def test_bootstrap_without_answers_and_with_all_alike() -> None:
    table = lk.nps_from_counts(
        promoters=[0, 5, 0, 0], passives=[0, 0, 1, 0], detractors=[0, 0, 0, 9], method="bootstrap"
    )
    rows = frame_rows(table)
    assert [[row[limit] for limit in LIMITS] for row in rows] == [
        [None, None],
        [100.0, 100.0],
        [0.0, 0.0],
        [-100.0, -100.0],
    ]
    (one,) = frame_rows(lk.ces_from_counts(answers=[1, 2, 3], n=[0, 1, 0], method="bootstrap"))
    # One answer has a mean and draws of it, but nothing to tell its error from.
    assert (one["estimate"], one["std_error"], one["ci_low"], one["ci_high"]) == (2, None, 2, 2)


def test_points_in_any_order_draw_the_same() -> None:
    n = [1, 0, 1, 0, 2, 4, 2]
    up = lk.ces_from_counts(answers=range(1, 8), n=n, method="bootstrap", rng=1)
    down = lk.ces_from_counts(answers=range(7, 0, -1), n=n[::-1], method="bootstrap", rng=1)
    pd.testing.assert_frame_equal(up, down)


@pytest.mark.parametrize("name", ["nps", "csat", "ces"])
def test_draws_that_cannot_be_made(name: str) -> None:
    with pytest.raises(ParameterError, match="n_resamples=20 must be at least 100"):
        call(name, method="bootstrap", n_resamples=20)
    with pytest.raises(TypeError, match="n_resamples must be a whole number, not float"):
        call(name, method="bootstrap", n_resamples=1e4)
    with pytest.raises(TypeError, match=r"rng must be None, a whole number .* not str"):
        call(name, method="bootstrap", rng="1")


@pytest.mark.parametrize("name", ["retention_rate", "churn_rate"])
def test_rates_take_no_bootstrap(name: str) -> None:
    with pytest.raises(ParameterError, match="method='bootstrap' is not one of 'wilson'"):
        call(name, method="bootstrap")


# ---- nothing to divide by ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("nps", {"promoters": 0, "passives": 0, "detractors": 0}),
        ("csat", {"satisfied": 0, "n": 0}),
        ("ces", {"n": [0] * 7}),
        ("retention_rate", {"start": 0, "end": 5, "new": 4, "returned": 1}),
        ("churn_rate", {"start": 0, "lost": 0}),
    ],
)
def test_no_base_is_null_and_never_zero(name: str, counts: dict[str, Any]) -> None:
    row = only_row(call(name, **counts))
    assert row["n"] == 0
    assert [row[c] for c in ("estimate", "std_error", "ci_low", "ci_high")] == [None] * 4


def test_large_counts_are_exact() -> None:
    row = only_row(lk.nps_from_counts(promoters=10**15, passives=1, detractors=10**15 - 1))
    assert (row["n"], row["passives"]) == (2 * 10**15, 1)
    assert row["estimate"] == 100 * 1 / (2 * 10**15)


# ---- several groups ------------------------------------------------------------------------------


@EVERY
def test_sequences_without_labels_are_numbered(name: str) -> None:
    table = many(name, 3)
    assert [row["group"] for row in frame_rows(table)] == [0, 1, 2]
    one = only_row(call(name))
    assert frame_rows(table) == [{"group": i, **one} for i in range(3)]


@EVERY
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["B2B", None], {"group": ["B2B", None]}),
        (("B2C", "B2B"), {"group": ["B2C", "B2B"]}),  # the caller's order stays
        (np.array([2025, 2026]), {"group": [2025, 2026]}),
        (pd.Series(["a", "b"], index=[7, 3]), {"group": ["a", "b"]}),
        (pl.Series(["a", "b"]), {"group": ["a", "b"]}),
        ({"sector": ["B2B", "B2C"]}, {"sector": ["B2B", "B2C"]}),
        (
            # Counts have no index to align with: labels are taken as they stand.
            {"x": pd.Series(["a", "b"]), "y": pd.Series(["c", "d"], index=[1, 0])},
            {"x": ["a", "b"], "y": ["c", "d"]},
        ),
    ],
)
def test_labels(name: str, labels: Any, expected: dict[str, list[Any]]) -> None:
    table = many(name, 2, labels=labels)
    rows = frame_rows(table)
    assert {column: [row[column] for row in rows] for column in expected} == expected
    assert column_names(table)[: len(expected) + 1] == [*expected, "metric"]
    assert table.index.tolist() == [0, 1]


def test_labels_keep_their_categories() -> None:
    labels: Any = pd.Categorical(["new", "loyal"], categories=["new", "loyal"], ordered=True)
    table = lk.csat_from_counts(satisfied=[1, 2], n=5, labels=labels)
    assert table["group"].cat.categories.tolist() == ["new", "loyal"]


@EVERY
def test_one_group_may_have_a_label(name: str) -> None:
    assert frame_rows(call(name, labels=["all"])) == [{"group": "all", **only_row(call(name))}]


@pytest.mark.parametrize(
    "promoters",
    [
        [4, 0],
        (4, 0),
        np.array([4, 0], dtype=np.uint8),
        np.array([4.0, 0.0]),
        pd.Series([4, 0], index=[9, 9]),
        pd.Series([4, 0], dtype="Int64"),
        pl.Series([4, 0]),
    ],
)
def test_counts_of_every_kind(promoters: Any) -> None:
    """Scalars beside sequences serve every group; small unsigned types do not wrap."""
    rows = frame_rows(lk.nps_from_counts(promoters=promoters, detractors=3, n=10))
    found = [(row["promoters"], row["passives"], row["estimate"]) for row in rows]
    assert found == [(4, 3, 10.0), (0, 7, -30.0)]


def test_no_groups_give_no_rows() -> None:
    table = lk.csat_from_counts(satisfied=[], n=[])
    assert frame_rows(table) == []
    assert column_names(table)[0] == "group"


# ---- bad counts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("nps", {"promoters": -1}, "promoters must hold whole numbers, 0 or more.* found -1"),
        ("nps", {"promoters": 1.5}, "promoters must hold whole numbers, 0 or more.* found 1.5"),
        ("nps", {"detractors": float("nan")}, "detractors must hold whole numbers"),
        ("nps", {"detractors": [1, float("inf")]}, "detractors must hold .* found inf"),
        ("nps", {"promoters": pd.Series([1, None], dtype="Int64")}, "promoters must hold"),
        ("nps", {"passives": None, "n": 70}, "= 75 does not fit n = 70 "),
        ("nps", {"n": 99}, r"= 100 does not fit n = 99 "),
        ("nps", {"n": 101}, r"= 100 does not fit n = 101 "),
        ("csat", {"satisfied": 101}, "satisfied = 101 does not fit n = 100 "),
        ("ces", {"n": [1, 0, 0, 0, 0, 0, -2]}, "n must hold whole numbers, 0 or more.* found -2"),
        ("ces", {"n": [0.5, 0, 0, 0, 0, 0, 1]}, "n must hold whole numbers, 0 or more.* found 0.5"),
        ("retention_rate", {"end": 300}, "end - new - returned = 255 does not fit start = 200 "),
        ("retention_rate", {"end": 44}, r"new \+ returned = 45 does not fit end = 44 "),
        ("churn_rate", {"lost": 201}, "lost = 201 does not fit start = 200 "),
    ],
)
def test_bad_counts(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call(name, **changes)


def test_bad_counts_among_many_are_counted_and_the_first_shown() -> None:
    with pytest.raises(DataError, match=r"satisfied = 7 does not fit n = 6 \(2 rows like this\)"):
        lk.csat_from_counts(satisfied=[1, 7, 9], n=[6, 6, 6])


@pytest.mark.parametrize("n", [2**63, 1e300])
def test_counts_beyond_64_bits(n: Any) -> None:
    with pytest.raises(LoyaltyKitError, match=r"^n "):
        lk.csat_from_counts(satisfied=1, n=n)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("nps", {"passives": None}, r"Give passives= or n=: promoters and detractors alone"),
        ("nps", {"promoters": [1, 2], "passives": [1, 2, 3]}, "counts differ in length"),
        ("nps", {"promoters": [[1, 2]]}, "promoters must be a number or one sequence"),
        ("nps", {"promoters": [[1, 2], [3]]}, "promoters must be"),
        ("ces", {"answers": [1, 2, 4], "n": [1, 1, 1]}, "answers=1, 2, 4 skips or repeats"),
        ("ces", {"answers": [1, 2, 2], "n": [1, 1, 1]}, "skips or repeats a point"),
        ("ces", {"answers": [1.0, 2.0], "n": [1, 1]}, "must be the whole points of the scale"),
        ("ces", {"answers": ["1", "2"], "n": [1, 1]}, "must be the whole points of the scale"),
        ("ces", {"answers": [], "n": []}, "must be the whole points of the scale"),
        ("ces", {"answers": [5], "n": [3]}, "must be the whole points of the scale"),
        ("ces", {"answers": range(2000), "n": [0] * 2000}, "more than 1,001 points"),
        ("ces", {"n": [1, 2]}, r"n has shape \(2,\); it needs one count for each of 7 answers"),
        ("ces", {"n": 12}, r"n has shape \(\)"),
        ("ces", {"n": [[1] * 7, [1] * 6]}, "n "),
    ],
)
def test_shapes_that_do_not_fit(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LoyaltyKitError, match=message):
        call(name, **changes)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("nps", {"promoters": None}, "promoters must be a whole number, or several, not NoneType"),
        ("nps", {"promoters": "60"}, "promoters must be a whole number, or several, not str"),
        ("nps", {"promoters": True}, "promoters must be a whole number, or several, not bool"),
        ("nps", {"promoters": Decimal(60)}, "promoters must be a whole number, or several, not D"),
        ("csat", {"n": None}, "n must be a whole number, or several, not NoneType"),
        ("churn_rate", {"lost": {"a": 1}}, "lost must be a whole number, or several, not dict"),
        ("ces", {"n": ["1"] * 7}, "n must be a whole number, or several"),
        ("nps", {"labels": "B2B"}, "labels must be a sequence, or a mapping of column names"),
        ("nps", {"labels": {"sector": "B"}}, r"labels\['sector'\] must be a sequence"),
        ("nps", {"labels": 3}, "labels must be a sequence"),
        ("nps", {"method": 1}, "method must be a string, not int"),
        ("nps", {"confidence_level": "0.95"}, "confidence_level must be a number, not str"),
    ],
)
def test_wrong_types(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(name, **changes)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("nps", {"labels": ["a", "b"]}, r"labels\['group'\] has 2 names for 1 row of counts"),
        ("csat", {"labels": {"x": []}}, r"labels\['x'\] has 0 names for 1 row"),
        ("csat", {"labels": {"n": ["a"]}}, "labels='n': a result table has a column of that name"),
        ("nps", {"confidence_level": 95}, "Did you mean 0.95?"),
        ("nps", {"method": "wilson"}, "is not one of 'score', 'adjusted_wald', 'wald'"),
        ("csat", {"method": "t"}, "is not one of 'wilson'"),
        ("retention_rate", {"method": "wald"}, r"is not one of 'wilson', .*, 'none'\."),
        ("ces", {"statistic": "box", "method": "t"}, "method='t' is not one of 'wilson'"),
        ("ces", {"direction": "effort", "easy_min": 3}, "easy_min applies to"),
    ],
)
def test_bad_parameters(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        call(name, **changes)


@EVERY
def test_the_counts_passed_in_stay_as_they_are(name: str) -> None:
    counts = {key: np.array([value, value]) for key, value in CALLS[name][0].items()}
    if name == "ces":
        counts["answers"] = np.arange(7, 0, -1)
    before = {key: value.copy() for key, value in counts.items()}
    FUNCTIONS[name](**counts)
    assert all(np.array_equal(counts[key], before[key]) for key in counts)


@pytest.mark.parametrize("n", [2**71, [2**71], [Fraction(5, 2)]])
def test_numbers_that_are_no_counts(n: Any) -> None:
    with pytest.raises(DataError, match="n must hold whole numbers, 0 or more and below"):
        lk.csat_from_counts(satisfied=1 if isinstance(n, int) else [1], n=n)


def test_labels_that_tell_nothing_apart() -> None:
    with pytest.raises(ParameterError, match="labels is empty"):
        lk.csat_from_counts(satisfied=[1, 2], n=[3, 4], labels={})
