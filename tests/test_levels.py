"""The levels of a key, and the pairs of rows that they make."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyaltykit import _frame, _levels
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from conftest import Engine


def read(columns: dict[str, list[Any]], name: str, frame: Any = None) -> _levels.Levels:
    made = _frame.open_frame(pd.DataFrame(columns) if frame is None else frame, "result")
    return _levels.read(made, [key for key in made.columns if key != name], name)


def shown(pairs: tuple[Any, Any], values: list[Any]) -> list[tuple[Any, Any]]:
    return [(values[i], values[j]) for i, j in zip(*(side.tolist() for side in pairs), strict=True)]


TIERS = ["loyal", "new", "repeat"]


def test_all_pairs_take_the_level_listed_first(engine: Engine) -> None:
    levels = read({}, "tier", engine.frame({"tier": TIERS}))
    pairs = [("loyal", "new"), ("loyal", "repeat"), ("new", "repeat")]
    assert shown(_levels.all_pairs(levels), TIERS) == pairs


def test_labels_keep_the_order_that_somebody_gave_them(engine: Engine) -> None:
    labels = ["this year", "last year", "before"]
    levels = read({}, "wave", engine.frame({"wave": labels}))
    assert levels.levels == labels
    assert shown(_levels.all_pairs(levels), labels)[0] == ("this year", "last year")
    assert shown(_levels.before(levels, ""), labels)[0] == ("last year", "this year")


def test_categories_keep_their_own_order(engine: Engine) -> None:
    frame = engine.frame({"tier": ["new", "loyal"]}, {"tier": ["new", "loyal"]})
    assert read({}, "tier", frame).levels == ["new", "loyal"]


def test_the_later_date_is_the_level(engine: Engine) -> None:
    days = [dt.date(2026, month, 1) for month in (1, 2, 4)]
    levels = read({}, "period", engine.frame({"period": days}))
    pairs = [(days[1], days[0]), (days[2], days[0]), (days[2], days[1])]
    assert shown(_levels.all_pairs(levels), days) == pairs
    assert shown(_levels.before(levels, "freq=month;grace=0"), days) == [(days[1], days[0])]


def test_dates_may_be_text_as_records_have_them() -> None:
    days = ["2026-01-01", "2026-02-01"]
    levels = read({"period": days}, "period")
    assert shown(_levels.all_pairs(levels), days) == [(days[1], days[0])]


groups = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("uvwxyz")), unique=True, max_size=18
).map(sorted)


@given(groups)
def test_pairs_are_those_of_a_loop(rows: list[tuple[str, str]]) -> None:
    columns = {"key": [row[0] for row in rows], "level": [row[1] for row in rows]}
    if not rows:
        return
    levels = read(columns, "level")
    expected = [pair for pair in itertools.combinations(rows, 2) if pair[0][0] == pair[1][0]]
    assert shown(_levels.all_pairs(levels), rows) == expected
    code = levels.levels.index(rows[0][1])
    against = [
        (one, other)
        for one in rows
        for other in rows
        if one[0] == other[0] and other[1] == rows[0][1] != one[1]
    ]
    assert shown(_levels.against(levels, code), rows) == against
    alone = [row for row in rows if sum(other[0] == row[0] for other in rows) > 1]
    assert [rows[i] for i in _levels.beside_others(levels)] == alone
    order = levels.levels
    before = [
        (one, other)
        for one in rows
        for other in rows
        if one[0] == other[0] and order.index(other[1]) == order.index(one[1]) - 1
    ]
    assert shown(_levels.before(levels, ""), rows) == before


@pytest.mark.parametrize(
    ("days", "freq"),
    [
        (["2024-01-01", "2026-01-01"], "year"),
        (["2025-01-01", "2025-10-01"], "quarter"),
        (["2025-01-01", "2025-02-01"], "month"),
        (["2026-01-05", "2026-01-12"], "week"),
        (["2026-01-05", "2026-01-13"], "day"),
    ],
)
def test_the_coarsest_periods_that_fit(days: list[str], freq: str) -> None:
    numbers = np.array(days, dtype="datetime64[D]").view(np.int64)
    assert _levels.coarsest(numbers) == freq
    levels = read({"period": days}, "period")
    near = {"year": 0, "quarter": 0, "month": 1, "week": 1, "day": 0}[freq]
    assert len(_levels.before(levels, "scale=0..10")[0]) == near


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-01",
        dt.date(2026, 2, 1),
        dt.datetime(2026, 2, 1),
        pd.Timestamp("2026-02-01"),
        np.datetime64("2026-02-01"),
    ],
)
def test_a_date_in_any_spelling(engine: Engine, value: object) -> None:
    days = [dt.date(2026, month, 1) for month in (1, 2)]
    for name in ("period", "wave"):
        levels = read({}, name, engine.frame({name: days}))
        assert _levels.code_of(levels, value, "reference") == 1


def test_unknown_levels_are_named_with_what_there_is() -> None:
    levels = read({"tier": TIERS}, "tier")
    message = (
        r"reference='Loyal' is no level of 'tier': it has 'loyal', 'new', 'repeat'\. Did .*'loyal'"
    )
    with pytest.raises(ParameterError, match=message):
        _levels.code_of(levels, "Loyal", "reference")
    with pytest.raises(ParameterError, match="'repeat', or pass 'rest'"):
        _levels.code_of(levels, "rset", "reference", ["rest"])
    days = read({"period": ["2026-01-01"]}, "period")
    for value in ("2026-02-01", "soon", 3):
        with pytest.raises(ParameterError, match="is no level of 'period': it has '2026-01-01'"):
            _levels.code_of(days, value, "reference")
    with pytest.raises(TypeError, match="reference must be one level of 'tier', not list"):
        _levels.code_of(levels, ["new"], "reference")


def test_true_is_no_level_of_numbers() -> None:
    numbers, flags = read({"wave": [1, 2]}, "wave"), read({"key": [False, True]}, "key")
    assert (
        _levels.code_of(numbers, 1, "reference"),
        _levels.code_of(numbers, 2.0, "reference"),
    ) == (0, 1)
    assert _levels.code_of(flags, True, "reference") == 1
    for levels, value in ((numbers, True), (flags, 1), (numbers, "1")):
        assert not _levels.has(levels, value)


def test_a_null_level_is_compared_but_not_named(engine: Engine) -> None:
    levels = read({}, "tier", engine.frame({"tier": ["new", None]}))
    assert len(_levels.all_pairs(levels)[0]) == 1
    assert not _levels.has(levels, None)


def test_repeated_rows_are_refused(engine: Engine) -> None:
    columns: dict[str, list[Any]] = {"site": ["a", "a", "b", "b"], "wave": [1, 1, 1, 1]}
    with pytest.raises(
        ParameterError, match=r"2 rows too many for the key 'site', 'wave': \('a', 1\)"
    ):
        read({}, "wave", engine.frame(columns))


def test_previous_by_level_leaves_gaps_and_null_alone() -> None:
    months = read({"period": ["2026-01-01", "2026-02-01", "2026-04-01"]}, "period")
    assert _levels.previous(months, "").tolist() == [-1, 0, -1]
    waves = read({"wave": [3, 1, None, 7]}, "wave")
    assert waves.levels == [1, 3, 7, None]
    assert _levels.previous(waves, "").tolist() == [-1, 0, 1, -1]
    rows, others = _levels.before(waves, "")
    assert list(zip(rows.tolist(), others.tolist(), strict=True)) == [(0, 1), (3, 0)]


@pytest.mark.parametrize("value", [pd.Series([1]), [1], {"a": 1}, np.array([1])])
def test_a_reference_is_one_level(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^reference must be one level of 'wave'"):
        _levels.code_of(read({"wave": [3, 1]}, "wave"), value, "reference")


def test_a_missing_value_is_no_level() -> None:
    with pytest.raises(ParameterError, match=r"^reference=<NA> is no level of 'wave'"):
        _levels.code_of(read({"wave": [3, 1]}, "wave"), pd.NA, "reference")
