"""Parameter checks: what passes, and what the message says when it does not."""

from __future__ import annotations

import re
import warnings
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from loyaltykit import _checks
from loyaltykit.errors import ColumnNotFoundError, ParameterError, ScaleWarning


def says(*fragments: str) -> str:
    """Return a pattern for a message that holds the fragments in this order."""
    return ".*".join(re.escape(fragment) for fragment in fragments)


# ---- words for messages -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([11], "11"),
        (["a", None], "'a', None"),
        (range(5), "0, 1, 2, 3, 4"),
        (range(6), "0, 1, 2, 3, 4, ..."),
        (np.array([4.5, 11.0]), "4.5, 11.0"),  # never np.float64(4.5)
        ([np.int64(3), np.str_("x")], "3, 'x'"),
        ((i for i in (1, 2)), "1, 2"),
    ],
)
def test_listed_shows_values_as_they_would_be_typed(values: Any, shown: str) -> None:
    assert _checks.listed(values) == shown


def test_listed_shows_as_many_as_asked() -> None:
    assert _checks.listed(range(4), 2) == "0, 1, ..."


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234567, "1,234,567 rows")]
)
def test_rows_counts_in_words(count: int, words: str) -> None:
    assert _checks.rows(count) == words


# ---- single parameters --------------------------------------------------------------------------


def test_choice_passes_or_suggests_the_near_one() -> None:
    assert _checks.check_choice("method", "wald", ("score", "wald")) == "wald"
    expected = says("method='Wald' is not one of 'score', 'wald'.", "Did you mean 'wald'?")
    with pytest.raises(ParameterError, match=expected):
        _checks.check_choice("method", "Wald", ("score", "wald"))
    with pytest.raises(ParameterError, match=r"'score', 'wald'\.$"):
        _checks.check_choice("method", "exact", ("score", "wald"))
    with pytest.raises(TypeError, match="method must be a string, not int"):
        _checks.check_choice("method", 1, ("score", "wald"))


@pytest.mark.parametrize("freq", ["day", "week", "month", "quarter", "year"])
def test_freq_takes_the_five_names(freq: str) -> None:
    assert _checks.check_freq(freq) == freq


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        *[("D", "day"), ("d", "day"), ("daily", "day"), ("days", "day"), ("Day", "day")],
        *[("W", "week"), ("weekly", "week"), ("weeks", "week"), ("WEEK", "week")],
        *[("M", "month"), ("MS", "month"), ("ME", "month"), ("1mo", "month"), (" m ", "month")],
        *[("monthly", "month"), ("months", "month")],
        *[("Q", "quarter"), ("QS", "quarter"), ("QE", "quarter"), ("quarterly", "quarter")],
        *[("Y", "year"), ("YS", "year"), ("YE", "year"), ("A", "year"), ("yearly", "year")],
        ("annual", "year"),
    ],
)
def test_freq_points_other_spellings_to_the_name_here(spelling: str, name: str) -> None:
    expected = says(
        f"freq={spelling!r} is not one of 'day', 'week', 'month', 'quarter', 'year'.",
        f"{spelling!r} is written {name!r} here.",
    )
    with pytest.raises(ParameterError, match=expected):
        _checks.check_freq(spelling)


def test_freq_refuses_the_rest_without_a_guess() -> None:
    with pytest.raises(ParameterError, match=r"'year'\.$"):
        _checks.check_freq("fortnight")
    with pytest.raises(TypeError, match="freq must be a string, not int"):
        _checks.check_freq(1)


@pytest.mark.parametrize("level", [0.95, 1e-9, 0.999999, np.float64(0.9), Fraction(1, 2)])
def test_confidence_level_inside_the_unit_interval(level: Any) -> None:
    assert _checks.check_confidence_level(level) == float(level)
    assert type(_checks.check_confidence_level(level)) is float


@pytest.mark.parametrize(
    ("level", "hint"),
    [
        (95, "Did you mean 0.95?"),
        (99.9, "Did you mean 0.999?"),
        (90.0, "Did you mean 0.9?"),
        (0, None),
        (1, None),
        (100, None),
        (-0.5, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_confidence_level_outside_is_refused(level: float, hint: str | None) -> None:
    with pytest.raises(ParameterError, match="must lie between 0 and 1") as caught:
        _checks.check_confidence_level(level)
    assert f"confidence_level={level!r}" in str(caught.value)
    assert ("Did you mean" in str(caught.value)) == (hint is not None)
    assert hint is None or hint in str(caught.value)


@pytest.mark.parametrize("level", ["0.95", True, None, [0.95]])
def test_confidence_level_of_another_type(level: object) -> None:
    with pytest.raises(TypeError, match="confidence_level must be a number, not"):
        _checks.check_confidence_level(level)


def test_integer() -> None:
    assert _checks.check_integer("grace", np.int8(3), low=0) == 3
    assert type(_checks.check_integer("grace", np.int8(3))) is int
    with pytest.raises(ParameterError, match="grace=-1 must be at least 0"):
        _checks.check_integer("grace", -1, low=0)
    for wrong in (True, 1.0, "1", None, Decimal(1)):
        with pytest.raises(TypeError, match="grace must be a whole number, not"):
            _checks.check_integer("grace", wrong)


@pytest.mark.parametrize(
    ("scale", "points"),
    [((0, 10), (0, 10)), ([1, 5], (1, 5)), ((-3, 3), (-3, 3)), ((np.int64(0), 1), (0, 1))],
)
def test_scale(scale: Any, points: tuple[int, int]) -> None:
    assert _checks.check_scale(scale) == points


@pytest.mark.parametrize(
    ("scale", "error", "message"),
    [
        ((10, 0), ParameterError, "the lowest point must come first"),
        ((5, 5), ParameterError, "the lowest point must come first"),
        ((0, 5, 10), ParameterError, "must be a pair"),
        ((), ParameterError, "must be a pair"),
        ((0, 1_000_000), ParameterError, "has more than 1,001 points"),
        ("0-10", TypeError, "scale must be a pair of whole numbers such as (0, 10), not str"),
        (10, TypeError, "not int"),
        (None, TypeError, "not NoneType"),
        ((0.0, 10.0), TypeError, "scale[0] must be a whole number, not float"),
        ((0, "10"), TypeError, "scale[1] must be a whole number, not str"),
        ((False, True), TypeError, "scale[0] must be a whole number, not bool"),
    ],
)
def test_scale_refused(scale: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=says(message)):
        _checks.check_scale(scale)


def test_nps_cutoffs() -> None:
    assert _checks.check_nps_cutoffs((0, 10), 9, 6) == (9, 6)
    assert _checks.check_nps_cutoffs((1, 5), 5, 4) == (5, 4)  # no passives
    assert _checks.check_nps_cutoffs((0, 10), 10, 0) == (10, 0)


@pytest.mark.parametrize(
    ("promoter", "detractor", "error", "message"),
    [
        (6, 6, ParameterError, "detractor_max=6 must be below promoter_min=6"),
        (6, 9, ParameterError, "detractor_max=9 must be below promoter_min=6"),
        (11, 6, ParameterError, "must lie on scale=(0, 10)"),
        (9, -1, ParameterError, "must lie on scale=(0, 10)"),
        (9.0, 6, TypeError, "promoter_min must be a whole number, not float"),
        (9, "6", TypeError, "detractor_max must be a whole number, not str"),
    ],
)
def test_nps_cutoffs_refused(
    promoter: object, detractor: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=says(message)):
        _checks.check_nps_cutoffs((0, 10), promoter, detractor)


def test_point_lies_above_the_lowest() -> None:
    assert _checks.check_point("satisfied_min", 5, (1, 5)) == 5
    assert _checks.check_point("satisfied_min", 2, (1, 5)) == 2
    for outside in (1, 0, 6):
        expected = says(f"satisfied_min={outside} must be above 1 and at most 5", "scale=(1, 5)")
        with pytest.raises(ParameterError, match=expected):
            _checks.check_point("satisfied_min", outside, (1, 5))
    with pytest.raises(TypeError, match="satisfied_min must be a whole number"):
        _checks.check_point("satisfied_min", 4.5, (1, 5))


# "top two points of a scale of four or more, the top one of two or three": DESIGN.md, Definitions.
@pytest.mark.parametrize(
    ("scale", "satisfied_min"),
    [((1, 5), 4), ((1, 10), 9), ((1, 4), 3), ((1, 3), 3), ((0, 1), 1), ((-2, 2), 1)],
)
def test_satisfied_min_follows_the_scale(scale: tuple[int, int], satisfied_min: int) -> None:
    assert _checks.check_satisfied_min(scale, None) == satisfied_min
    assert _checks.check_satisfied_min(scale, scale[1]) == scale[1]
    with pytest.raises(ParameterError, match="satisfied_min=11 must be above"):
        _checks.check_satisfied_min(scale, 11)


# "above the midpoint (5-7 of 1-7)" and "below the midpoint" for effort: DESIGN.md, Definitions.
@pytest.mark.parametrize(
    ("scale", "easy", "hard"),
    [
        ((1, 7), 5, 3),
        ((1, 5), 4, 2),
        ((1, 6), 4, 3),
        ((0, 10), 6, 4),
        ((0, 1), 1, 0),
        ((1, 2), 2, 1),
        ((1, 3), 3, 1),
        ((-3, 3), 1, -1),
        ((-2, 1), 0, -1),
        ((-4, -1), -2, -3),
    ],
)
def test_ces_cutoffs_lie_beside_the_midpoint(scale: tuple[int, int], easy: int, hard: int) -> None:
    assert _checks.check_ces_cutoffs(scale, "ease", None) == (easy, hard)
    # Low is good: the two sides change their names.
    assert _checks.check_ces_cutoffs(scale, "effort", None) == (hard, easy)


@pytest.mark.parametrize(("easy_min", "hard"), [(7, 3), (6, 3), (5, 3), (4, 3), (3, 2), (2, 1)])
def test_easy_min_moves_easy_and_never_lets_hard_overlap(easy_min: int, hard: int) -> None:
    assert _checks.check_ces_cutoffs((1, 7), "ease", easy_min) == (easy_min, hard)


def test_ces_cutoffs_refused() -> None:
    with pytest.raises(ParameterError, match='easy_min applies to direction="ease"'):
        _checks.check_ces_cutoffs((1, 7), "effort", 3)
    with pytest.raises(ParameterError, match="easy_min=8 must be above 1 and at most 7"):
        _checks.check_ces_cutoffs((1, 7), "ease", 8)
    with pytest.raises(ParameterError, match=says("'ease', 'effort'", "Did you mean 'ease'?")):
        _checks.check_ces_cutoffs((1, 7), "easy", None)


@pytest.mark.parametrize(
    ("statistic", "method", "chosen"),
    [
        ("mean", None, "t"),
        ("box", None, "wilson"),
        ("net", None, "score"),
        ("mean", "t", "t"),
        ("net", "wald", "wald"),
        ("net", "adjusted_wald", "adjusted_wald"),
    ],
)
def test_ces_method_follows_the_statistic(statistic: str, method: str | None, chosen: str) -> None:
    assert _checks.check_ces_method(statistic, method) == chosen


@pytest.mark.parametrize(
    ("statistic", "method"), [("mean", "wilson"), ("box", "t"), ("net", "t"), ("median", None)]
)
def test_ces_method_refused(statistic: str, method: str | None) -> None:
    with pytest.raises(ParameterError, match="is not one of"):
        _checks.check_ces_method(statistic, method)


# ---- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names"),
    [(None, []), ([], []), ((), []), ("tier", ["tier"]), (("b", "a"), ["b", "a"])],
)
def test_names(value: object, names: list[str]) -> None:
    assert _checks.check_names("by", value) == names


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (["tier", "sector", "tier"], ParameterError, "by names 'tier' more than once"),
        (1, TypeError, "by must be a column name or a sequence of column names, not int"),
        ({"tier"}, TypeError, "not set"),  # a set has no order, and keys do
        (["tier", 1], TypeError, "by[1] must be a column name (a string), not int"),
    ],
)
def test_names_refused(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=says(message)):
        _checks.check_names("by", value)


def test_strings_may_repeat() -> None:
    assert _checks.check_strings("names", ["a", "a"]) == ["a", "a"]
    with pytest.raises(TypeError, match="names must be a sequence of strings, not str"):
        _checks.check_strings("names", "ab")
    with pytest.raises(TypeError, match=says("names[0] must be")):
        _checks.check_strings("names", [None])


def test_reserved_names_are_refused_with_a_way_out() -> None:
    _checks.check_reserved(["tier"], frozenset({"n"}))
    expected = says("by='n', 'unit'", "a result table has a column of that name", "'n_group'")
    with pytest.raises(ParameterError, match=expected):
        _checks.check_reserved(["n", "tier", "unit"], frozenset({"n", "unit"}))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("NETPRO", "NETPRO  "),  # SFO 2018
        ("netpro", "NETPRO  "),
        ("secttor", "sector"),
        ("Sector ", "sector"),
        ("revenue", None),
    ],
)
def test_missing_column_is_named_with_its_neighbours(name: str, near: str | None) -> None:
    columns = ["NETPRO  ", "sector", "tier"]
    with pytest.raises(ColumnNotFoundError) as caught:
        _checks.check_columns({"score": name, "time": "absent"}, columns)
    message = str(caught.value)
    assert message.startswith(f"score={name!r}: data has no such column. It has 'NETPRO  ', ")
    assert message.endswith(f"Did you mean {near!r}?" if near else "'tier'.")


def test_columns_that_are_there() -> None:
    _checks.check_columns({"score": "a", **_checks.by_roles(["b"])}, ["b", "a"])
    with pytest.raises(ColumnNotFoundError, match=says("by[1]='c': segments has no such")):
        _checks.check_columns(_checks.by_roles(["a", "c"]), ["a"], "segments")


def test_result_of_another_kind_is_refused_with_what_it_lacks() -> None:
    _checks.check_result(["a", "b", "c"], ["c", "a"], "nps")
    expected = says("result is not a table of nps: it lacks 'metric', 'n', 'estimate'.")
    with pytest.raises(ParameterError, match=expected):
        _checks.check_result(["tier"], ["tier", "metric", "n", "estimate"], "nps")


# ---- draws --------------------------------------------------------------------------------------


def test_a_seed_makes_a_generator_and_a_generator_is_the_callers_own() -> None:
    first, second = _checks.check_rng(5), _checks.check_rng(np.int64(5))
    assert first.random() == second.random() == np.random.default_rng(5).random()
    assert _checks.check_rng(first) is first
    assert _checks.check_rng(None).random() != _checks.check_rng(None).random()


@pytest.mark.parametrize("rng", ["7", 7.0, True, [1, 2], np.random.RandomState(1)])
def test_rng_of_wrong_type(rng: object) -> None:
    with pytest.raises(TypeError, match=r"^rng must be None, a whole number .* or a numpy Gen"):
        _checks.check_rng(rng)


def test_rng_below_zero() -> None:
    with pytest.raises(ParameterError, match=r"^rng=-3 must be at least 0"):
        _checks.check_rng(-3)


@pytest.mark.parametrize("number", [100, 9999, np.int64(2000)])
def test_n_resamples(number: Any) -> None:
    assert _checks.check_n_resamples(number) == number


@pytest.mark.parametrize("number", [99, 1, 0, -5])
def test_too_few_resamples_are_refused_with_the_reason(number: int) -> None:
    match = rf"^n_resamples={number} must be at least 100: .* tails .* 9999 is usual"
    with pytest.raises(ParameterError, match=match):
        _checks.check_n_resamples(number)


@pytest.mark.parametrize("number", [9999.0, "9999", None, True])
def test_n_resamples_of_wrong_type(number: object) -> None:
    with pytest.raises(TypeError, match=r"^n_resamples must be a whole number, not "):
        _checks.check_n_resamples(number)


def test_wrong_type_names_parameter_and_type() -> None:
    with pytest.raises(TypeError, match=r"^as_of must be a date, not int\.$"):
        _checks.wrong_type("as_of", 3, "a date")


def test_warnings_point_at_the_callers_line() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _checks.warn("look here", ScaleWarning)
    (warning,) = caught
    assert warning.category is ScaleWarning
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("kind", "default", "others"),
    [
        ("net", "mover", ["adjusted_wald"]),
        ("share", "mover", ["adjusted_wald", "n_minus_1"]),
        ("mean", "welch", []),
    ],
)
def test_comparisons(kind: str, default: str, others: list[str]) -> None:
    assert _checks.check_comparison(kind, None, weighted=False) == default
    for name in (default, *others):
        assert _checks.check_comparison(kind, name, weighted=False) == name


def test_comparisons_that_do_not_suit() -> None:
    cases = [
        ("net", "welch", "does not compare net scores. Take 'mover', 'adjusted_wald'"),
        ("mean", "mover", "does not compare means. Take 'welch'"),
        ("net", "n_minus_1", "does not compare net scores"),
        ("share", "movr", "method='movr' is not one of .* Did you mean 'mover'"),
    ]
    for kind, method, message in cases:
        with pytest.raises(ParameterError, match=message):
            _checks.check_comparison(kind, method, weighted=False)
    with pytest.raises(ParameterError, match="tests whole counts, and the table is weighted"):
        _checks.check_comparison("share", "n_minus_1", weighted=True)
    with pytest.raises(TypeError, match="method must be a string"):
        _checks.check_comparison("share", 1, weighted=False)


def test_one_sided_alternatives_need_a_level_above_a_half() -> None:
    assert _checks.check_alternative("less", 0.51) == "less"
    assert _checks.check_alternative("two-sided", 0.1) == "two-sided"
    with pytest.raises(ParameterError, match=r"confidence_level=0\.5 must be above 0\.5"):
        _checks.check_alternative("greater", 0.5)
    with pytest.raises(ParameterError, match="alternative='larger' is not one of 'two-sided'"):
        _checks.check_alternative("larger", 0.95)
