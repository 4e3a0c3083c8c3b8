"""Raking and design effects: by hand, against a naive loop, over every engine."""

from __future__ import annotations

import collections
import datetime as dt
import math
import warnings
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import Columns, Engine, column, column_names, frame_rows
from hypothesis import given, settings
from hypothesis import strategies as st

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    ConvergenceWarning,
    DataError,
    LoyaltyKitError,
    ParameterError,
)

ADDED = ["weight", "converged", "iterations", "design_effect", "weight_max"]

# 12 rows: m has ages 1, 1, 1, 2 and f has 1, 2, 2, 2 twice.
PEOPLE: dict[str, list[Any]] = {
    "sex": [*"mmmm", *"ffffffff"],
    "age": [1, 1, 1, 2, *[1, 2, 2, 2] * 2],
    "nps": [10, 9, 3, 7, 8, 10, 0, 9, 6, 5, 10, 9],
}
TARGETS: dict[str, dict[Any, float]] = {"sex": {"m": 0.5, "f": 0.5}, "age": {1: 0.4, 2: 0.6}}


def naive(
    rows: Columns, targets: Mapping[str, Mapping[Any, float]], base: list[float], times: int
) -> list[float]:
    """Row by row, as the paper describes it: one margin after the other."""
    weights = list(base)
    for _ in range(times):
        for name, wanted in targets.items():
            have: dict[Any, float] = collections.defaultdict(float)
            for level, weight in zip(rows[name], weights, strict=True):
                have[level] += weight
            every, asked = sum(weights), sum(wanted.values())
            weights = [
                weight * wanted[level] / asked * every / have[level]
                for level, weight in zip(rows[name], weights, strict=True)
            ]
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]


def shares(table: Any, name: str) -> dict[Any, float]:
    """Return the weighted share of every level."""
    made: dict[Any, float] = collections.defaultdict(float)
    for row in frame_rows(table):
        made[row[name]] += row["weight"]
    return {level: total / sum(made.values()) for level, total in made.items()}


# ---- by hand ------------------------------------------------------------------------------------


def test_one_column_is_post_stratification() -> None:
    frame = pd.DataFrame({"sector": ["B2B", "B2C", "B2C", "B2C"]})
    made = lk.rake(frame, {"sector": {"B2B": 1, "B2C": 1}})
    # Half of 4 rows' weight for one row, half for three.
    assert made["weight"].tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    # n sum w^2 / (sum w)^2 = 4 (4 + 3 * 4/9) / 16 = 4/3.
    assert made["design_effect"].tolist() == pytest.approx([4 / 3] * 4)
    assert made["weight_max"].tolist() == pytest.approx([2] * 4)
    assert made["converged"].tolist() == [True] * 4
    assert made["iterations"].tolist() == [1] * 4


def test_independent_columns_fit_at_once() -> None:
    """With every combination once, the weight is the product of the targets over a quarter."""
    frame = pd.DataFrame({"sex": [*"mmff"], "age": [1, 2, 1, 2]})
    made = lk.rake(frame, {"sex": {"m": 0.3, "f": 0.7}, "age": {1: 0.6, 2: 0.4}})
    assert made["weight"].tolist() == pytest.approx([0.72, 0.48, 1.68, 1.12])
    assert made["iterations"].tolist() == [1] * 4


def test_dependent_columns_solved_on_paper() -> None:
    """Cells 3, 1, 2, 6 to equal margins.

    The odds ratio stays 3 * 6 / (1 * 2) = 9, and equal margins make the diagonal cells equal, so
    that the share x of m, 1 solves x^2 / (1/2 - x)^2 = 9: x = 3/8.
    """
    made = lk.rake(
        pd.DataFrame(PEOPLE), {"sex": {"m": 1, "f": 1}, "age": {1: 1, 2: 1}}, tolerance=1e-12
    )
    cells = made.groupby(["sex", "age"])["weight"].sum() / 12
    assert cells.to_dict() == pytest.approx(
        {("m", 1): 3 / 8, ("m", 2): 1 / 8, ("f", 1): 1 / 8, ("f", 2): 3 / 8}
    )


def test_shares_met_at_once_need_no_iteration() -> None:
    made = lk.rake(pd.DataFrame(PEOPLE), {"sex": {"m": 4, "f": 8}})
    assert made["weight"].tolist() == pytest.approx([1] * 12)
    assert made["iterations"].tolist() == [0] * 12
    assert made["design_effect"].tolist() == pytest.approx([1] * 12)


# ---- properties ---------------------------------------------------------------------------------


def test_targets_are_met(engine: Engine) -> None:
    made = lk.rake(engine.frame(PEOPLE), TARGETS, tolerance=1e-9)
    for name, wanted in TARGETS.items():
        assert shares(made, name) == pytest.approx(wanted, abs=1e-9)
    assert np.mean(column(made, "weight")) == pytest.approx(1)
    assert column(made, "weight_max") == [max(column(made, "weight"))] * 12
    assert column(made, "design_effect") == [lk.design_effect(column(made, "weight"))] * 12


def test_rows_and_columns_come_back_as_they_were(engine: Engine) -> None:
    frame = engine.frame(PEOPLE)
    made = lk.rake(frame, TARGETS)
    assert type(made) is type(frame)
    assert column_names(made) == [*PEOPLE, *ADDED]
    assert {name: column(made, name) for name in PEOPLE} == PEOPLE


def test_every_engine_agrees_to_the_bit(engine: Engine) -> None:
    wanted = frame_rows(lk.rake(pd.DataFrame(PEOPLE), TARGETS))
    assert frame_rows(lk.rake(engine.frame(PEOPLE), TARGETS)) == wanted


def test_the_index_of_pandas_stays() -> None:
    frame = pd.DataFrame(PEOPLE, index=[7] * 6 + [3] * 6)
    made = lk.rake(frame, TARGETS)
    assert made.index.tolist() == frame.index.tolist()
    assert made["weight"].tolist() == lk.rake(pd.DataFrame(PEOPLE), TARGETS)["weight"].tolist()


def test_totals_say_the_same_as_shares() -> None:
    times: dict[str, dict[Any, float]] = {"sex": {"m": 50, "f": 50}, "age": {1: 4e300, 2: 6e300}}
    frame = pd.DataFrame(PEOPLE)
    assert lk.rake(frame, times)["weight"].tolist() == pytest.approx(
        lk.rake(frame, TARGETS)["weight"].tolist(), rel=1e-12
    )


def test_base_weights_begin_the_fit(engine: Engine) -> None:
    base = [1.0, 2, 3, 4, 1, 1, 2, 2, 0, 1, 5, 1]
    made = lk.rake(engine.frame({**PEOPLE, "base": base}), TARGETS, weights="base", tolerance=1e-12)
    naively = naive(PEOPLE, TARGETS, base, 200)
    assert column(made, "weight") == pytest.approx(naively, rel=1e-9)
    # Any multiple of them is the same beginning.
    tenfold = engine.frame({**PEOPLE, "base": [10 * weight for weight in base]})
    again = lk.rake(tenfold, TARGETS, weights="base", tolerance=1e-12)
    assert column(again, "weight") == pytest.approx(column(made, "weight"), rel=1e-12)


TABLES = st.lists(st.integers(1, 6), min_size=6, max_size=6)
SHARES = st.floats(0.05, 10)


@settings(max_examples=40)
@given(counts=TABLES, wanted=st.tuples(*[SHARES] * 5))
def test_odds_ratios_are_kept_and_a_naive_loop_agrees(
    counts: list[int], wanted: tuple[float, ...]
) -> None:
    """Deming and Stephan: the fit changes the margins and nothing else."""
    pairs = [(a, b) for a in range(2) for b in range(3)]
    rows = [pair for pair, n in zip(pairs, counts, strict=True) for _ in range(n)]
    frame = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    targets = {
        "a": dict(enumerate(wanted[:2])),
        "b": dict(enumerate(wanted[2:])),
    }
    made = lk.rake(pd.DataFrame(frame), targets, tolerance=1e-12, max_iterations=1000)
    weights = made["weight"].tolist()
    times = int(made["iterations"].iloc[0])
    assert weights == pytest.approx(naive(frame, targets, [1.0] * len(rows), times), rel=1e-9)
    cell = made.groupby(["a", "b"])["weight"].sum().to_numpy().reshape(2, 3)
    was = np.array(counts).reshape(2, 3)
    for other in (1, 2):
        ratio = cell[0, 0] * cell[1, other] / (cell[0, other] * cell[1, 0])
        before = was[0, 0] * was[1, other] / (was[0, other] * was[1, 0])
        assert ratio == pytest.approx(before, rel=1e-9)


# ---- levels -------------------------------------------------------------------------------------


def test_a_level_with_target_0_gets_no_weight() -> None:
    made = lk.rake(pd.DataFrame(PEOPLE), {"age": {1: 0, 2: 1}})
    assert made["weight"].tolist() == pytest.approx(
        [0, 0, 0, 12 / 7, 0, *[12 / 7] * 3, 0, *[12 / 7] * 3]
    )
    assert made["design_effect"].iloc[0] == pytest.approx(1)


def test_categories_without_a_row_need_no_target(engine: Engine) -> None:
    frame = engine.frame({"size": ["S", "L", "L"]}, {"size": ["S", "M", "L"]})
    made = lk.rake(frame, {"size": {"S": 1, "L": 1}})
    assert column(made, "weight") == pytest.approx([1.5, 0.75, 0.75])
    assert column(lk.rake(frame, {"size": {"S": 1, "M": 0, "L": 1}}), "weight") == column(
        made, "weight"
    )


def test_levels_may_be_truths_and_dates(engine: Engine) -> None:
    days = [dt.date(2026, 1, 5), dt.date(2026, 1, 6)] * 2
    frame = engine.frame({"yes": [True, False, False, False], "day": days})
    made = lk.rake(frame, {"yes": {True: 1, False: 1}})
    assert column(made, "weight") == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])


def test_raked_weights_of_decimals_from_sql() -> None:
    frame = pd.DataFrame({"a": [*"xy"], "w": [Decimal("1.5"), Decimal("0.5")]})
    made = lk.rake(frame, {"a": {"x": 1, "y": 1}}, weights="w")
    assert made["weight"].tolist() == [1.0, 1.0]


# ---- what does not fit --------------------------------------------------------------------------

# x has y 1 only, so that it cannot have .9 of the weight where y 1 has .1.
CROSSED: dict[str, list[Any]] = {"a": [*"xxzzv"], "y": [1, 1, 1, 2, 2]}
IMPOSSIBLE: dict[str, dict[Any, float]] = {
    "a": {"x": 0.9, "z": 0.05, "v": 0.05},
    "y": {1: 0.1, 2: 0.9},
}


def test_a_warning_names_the_worst_level(engine: Engine) -> None:
    with pytest.warns(
        ConvergenceWarning, match=r"20 iterations: 'a' has a share of .* at 'x', not"
    ):
        made = lk.rake(engine.frame(CROSSED), IMPOSSIBLE, max_iterations=20)
    assert column(made, "converged") == [False] * 5
    assert column(made, "iterations") == [20] * 5
    assert all(math.isfinite(weight) for weight in column(made, "weight"))
    assert shares(made, "y") == pytest.approx({1: 0.1, 2: 0.9})  # the last one that was fitted


def test_the_warning_points_at_the_call() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lk.rake(pd.DataFrame(CROSSED), IMPOSSIBLE, max_iterations=1)
    assert caught[0].filename == __file__
    assert "after 1 iteration:" in str(caught[0].message)


REFUSED: dict[str, tuple[Columns, Any, dict[str, Any], type[Exception], str]] = {
    "a level without a target": (
        PEOPLE,
        {"age": {1: 1.0}},
        {},
        DataError,
        r"^targets\['age'\] has no target for 2, which data hold\. Name them all",
    ),
    "a level of another type": (
        PEOPLE,
        {"age": {"1": 0.5, "2": 0.5}},
        {},
        DataError,
        r"no target for 1, 2, which data hold\. The target names '1' \(str\), the data hold 1 ",
    ),
    "a level with blanks": (
        PEOPLE,
        {"sex": {"m ": 0.5, "f": 0.5}},
        {},
        DataError,
        r"no target for 'm', which data hold\. The target names 'm ' \(str\)",
    ),
    "rows without a level": (
        {"sex": ["m", None, "f", None]},
        {"sex": {"m": 0.5, "f": 0.5}},
        {},
        DataError,
        r"^'sex': 2 rows without a level",
    ),
    "a target without a row": (
        PEOPLE,
        {"sex": {"m": 0.4, "f": 0.4, "x": 0.2}},
        {},
        DataError,
        r"^targets\['sex'\] wants a share for 'x', but no row of positive weight has it",
    ),
    "a target with rows of no weight only": (
        {**PEOPLE, "w": [0.0] * 4 + [1.0] * 8},
        {"sex": {"m": 0.5, "f": 0.5}},
        {"weights": "w"},
        DataError,
        r"wants a share for 'm', but no row of positive weight",
    ),
    "a target whose rows another target rules out": (
        {"a": [*"xxz"], "b": [1, 1, 2]},
        {"a": {"x": 0.5, "z": 0.5}, "b": {1: 0, 2: 1}},
        {},
        DataError,
        r"^targets\['a'\] wants a share for 'x', but all its rows have a level whose target is 0",
    ),
    "no rows": (
        {"sex": []},
        {"sex": {"m": 1.0}},
        {},
        DataError,
        r"wants a share for 'm', but no row",
    ),
    "base weights that are none": (
        {**PEOPLE, "w": [1.0, -2.0, None, math.inf, *[1.0] * 8]},
        TARGETS,
        {"weights": "w"},
        DataError,
        r"^weights='w': 3 rows without a finite weight, 0 or more: -2\.0, nan, inf\.",
    ),
    "base weights that are text": (
        {**PEOPLE, "w": ["1"] * 12},
        TARGETS,
        {"weights": "w"},
        DataError,
        r"^weights='w' must hold numbers",
    ),
    "no target": (PEOPLE, {}, {}, ParameterError, r"^targets is empty"),
    "no level": (PEOPLE, {"sex": {}}, {}, ParameterError, r"^targets\['sex'\] has no level with"),
    "all targets 0": (
        PEOPLE,
        {"sex": {"m": 0, "f": 0}},
        {},
        ParameterError,
        r"^targets\['sex'\] has no level with a share above 0",
    ),
    "targets that are no shares": (
        PEOPLE,
        {"sex": {"m": -0.5, "f": math.nan, "x": math.inf, "y": 1}},
        {},
        ParameterError,
        r"^targets\['sex'\] must hold .* not \{'m': -0\.5, 'f': nan, 'x': inf\}\.",
    ),
    "a column of that name": (
        {**PEOPLE, "weight": [1.0] * 12, "converged": [True] * 12},
        TARGETS,
        {},
        ParameterError,
        r"^data already has 'weight', 'converged', which rake adds",
    ),
    "no such column": (
        PEOPLE,
        {"gender": {"m": 1}},
        {},
        ColumnNotFoundError,
        r"^targets\[0\]='gender': data has no such column",
    ),
    "no such weights": (
        PEOPLE,
        TARGETS,
        {"weights": "w"},
        ColumnNotFoundError,
        r"^weights='w': data has no such column",
    ),
    "no tolerance": (PEOPLE, TARGETS, {"tolerance": 0}, ParameterError, r"^tolerance=0 must lie"),
    "no iteration": (PEOPLE, TARGETS, {"max_iterations": 0}, ParameterError, r"^max_iterations=0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(engine: Engine, name: str) -> None:
    columns, targets, options, error, message = REFUSED[name]
    frame = engine.frame(columns)
    with pytest.raises(LoyaltyKitError, match=message) as caught:
        lk.rake(frame, targets, **options)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (["sex"], {}, r"^targets must be a mapping"),
        ({"sex": [0.5, 0.5]}, {}, r"^targets\['sex'\] must be a mapping"),
        ({"sex": {"m": "0.5", "f": 0.5}}, {}, r"^targets\['sex'\]\['m'\] must be a number"),
        ({1: {"m": 0.5}}, {}, r"^targets\[0\] must be a column name"),
        (TARGETS, {"weights": 3}, r"^weights must be a column name"),
        (TARGETS, {"tolerance": "1e-6"}, r"^tolerance must be a number"),
        (TARGETS, {"max_iterations": 2.5}, r"^max_iterations must be a whole number"),
    ],
)
def test_wrong_types(targets: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        lk.rake(pd.DataFrame(PEOPLE), targets, **options)


def test_a_lazy_frame_is_to_be_collected_first() -> None:
    with pytest.raises(TypeError, match="Collect it first"):
        lk.rake(pl.LazyFrame(PEOPLE), TARGETS)  # type: ignore[arg-type]


# ---- the design effect --------------------------------------------------------------------------


def test_design_effect_by_hand() -> None:
    assert lk.design_effect([1, 1, 1, 3]) == pytest.approx(4 * 12 / 36)
    assert lk.design_effect([2.5] * 7) == pytest.approx(1)
    assert lk.design_effect(np.array([5.0])) == 1.0


def test_rows_of_weight_0_do_not_count() -> None:
    assert lk.design_effect([1, 0, 3, 0]) == lk.design_effect([1, 3]) == pytest.approx(20 / 16)


def test_design_effect_of_every_engine(engine: Engine) -> None:
    weights = [1, 4, 2, 0, 9]
    assert lk.design_effect(engine.series(weights)) == lk.design_effect(weights)


@given(
    weights=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20),
    times=st.sampled_from([1e-300, 0.5, 7.0, 1e300]),
)
def test_design_effect_is_one_plus_the_relative_variance(
    weights: list[float], times: float
) -> None:
    values = np.array(weights)
    relative = values.var() / values.mean() ** 2
    assert lk.design_effect(values) == pytest.approx(1 + relative, rel=1e-9)
    assert lk.design_effect(values * times) == pytest.approx(1 + relative, rel=1e-9)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], "none is positive"),
        ([0, 0.0], "none is positive"),
        ([1, None, 2], r"1 row without a finite weight"),
        ([1, -1, math.inf], r"2 rows without a finite weight, 0 or more: -1\.0, inf"),
        (["heavy", "light"], "must hold numbers"),
        ([[1, 2], [3, 4]], "one dimension"),
    ],
)
def test_what_is_no_weight(weights: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        lk.design_effect(weights)


def test_no_weights_at_all() -> None:
    with pytest.raises(TypeError, match=r"^weights must be a Series or a 1-D array, not int"):
        lk.design_effect(3)  # type: ignore[arg-type]


def test_sfo_weights(real_data: Any) -> None:
    """The survey of 2017: a Kish design effect of 1.21, reproduced from the file by itself."""
    weights = pd.read_csv(real_data("sfo/sfo_2017.csv"))["WEIGHT"]
    assert lk.design_effect(weights) == pytest.approx(1.21, abs=0.005)


def test_raked_weights_weigh_a_score() -> None:
    data = pd.DataFrame({"sector": ["B2B"] * 6 + ["B2C"] * 2, "nps": [10] * 6 + [0, 10]})
    weighted = lk.rake(data, {"sector": {"B2B": 50, "B2C": 50}})
    table = lk.nps(weighted, "nps", weights="weight")
    assert table.loc[0, "estimate"] == pytest.approx(50.0)  # the mean of 100 and 0
    assert table.loc[0, "w_promoters"] == pytest.approx(6.0)
    assert lk.design_effect(weighted["weight"]) == pytest.approx(weighted["design_effect"][0])


def test_targets_may_be_the_value_counts_of_a_census() -> None:
    data = pd.DataFrame({"sector": ["B2B"] * 6 + ["B2C"] * 2})
    census = pd.Series(["B2B", "B2C"] * 50).value_counts()
    made = lk.rake(data, {"sector": census})
    pd.testing.assert_frame_equal(made, lk.rake(data, {"sector": {"B2B": 1, "B2C": 1}}))


def test_messages_show_numbers_as_they_are_typed() -> None:
    data = pd.DataFrame({"sector": [1, 2]})
    with pytest.raises(ParameterError, match=r"tolerance=2\.0 must lie"):
        lk.rake(data, {"sector": {1: 1, 2: 1}}, tolerance=np.float64(2.0))
    with pytest.raises(ParameterError, match=r"not \{1: -1\.0\}"):
        lk.rake(data, {"sector": {np.int64(1): -1.0, np.int64(2): 1.0}})
