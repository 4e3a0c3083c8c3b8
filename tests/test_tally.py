"""From answers to counts: slots, blank codes, buckets, groups and periods."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
from conftest import Engine, frame_rows

from loyaltykit import _counting, _frame, _parallel, _tally
from loyaltykit.errors import DataError, DroppedRowsWarning, ParameterError, ScaleWarning

TEN = _tally.make_scale((0, 10), ())
NO_ANSWER, OFF = 11, 12


def count(frame: Any, score: str = "nps", **changes: Any) -> _tally.Tally:
    options: dict[str, Any] = {"by": [], "counts": None, "time": None, "freq": "month"}
    options |= {"errors": "raise", **changes}
    return _tally.count_answers(
        _frame.open_frame(frame), score, options.pop("scale", TEN), **options
    )


# ---- the scale and the codes for "no answer" ----------------------------------------------------


@pytest.mark.parametrize("scale", [(0, 10), (1, 5), (-3, 3)])
def test_slots_after_the_points(scale: tuple[int, int]) -> None:
    points = _tally.points(scale)
    made = _tally.make_scale(scale, ())
    assert points.tolist() == list(range(scale[0], scale[1] + 1))
    assert (made.no_answer, made.off) == (len(points), len(points) + 1)


@pytest.mark.parametrize(
    ("missing", "texts", "numbers"),
    [
        ((), set(), []),
        (11, set(), [11.0]),
        ("Blank", {"Blank"}, []),
        ((11, 99.5), set(), [11.0, 99.5]),
        ([" Blank ", "BLANK"], {"Blank", "BLANK"}, []),
        (("11", -1), {"11"}, [-1.0, 11.0]),  # a number in text is that number too
        ((np.int64(7), Decimal(99)), set(), [7.0, 99.0]),
    ],
)
def test_missing_codes(missing: Any, texts: set[str], numbers: list[float]) -> None:
    scale = _tally.make_scale((0, 10), missing)
    assert scale.missing_texts == texts
    assert sorted(scale.missing_numbers.tolist()) == numbers


@pytest.mark.parametrize("missing", [None, {11}, {"a": 1}, 3j])
def test_missing_of_another_type(missing: object) -> None:
    with pytest.raises(TypeError, match="missing must be a sequence of codes such as"):
        _tally.make_scale((0, 10), missing)


@pytest.mark.parametrize("missing", [[None], [(11,)], [True]])
def test_missing_holds_numbers_and_texts(missing: object) -> None:
    with pytest.raises(TypeError, match="must hold numbers and texts only"):
        _tally.make_scale((0, 10), missing)


# ---- slots --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "slots"),
    [
        ([0, 6, 10], [0, 6, 10]),
        # 11 and 12 are the numbers of the slots for missing and off: they must not land there.
        ([11, 12, -1, 13], [OFF, OFF, OFF, OFF]),
        ([10.0, math.nan, 9.5, math.inf, -math.inf, -0.0], [10, NO_ANSWER, OFF, OFF, OFF, 0]),
        ([1e300, -1e300, 2.0**63, 2.0**64], [OFF, OFF, OFF, OFF]),
    ],
)
def test_slots_of_numbers(answers: list[float], slots: list[int]) -> None:
    series = _frame.open_frame(Engine("polars").frame({"nps": answers}))["nps"]
    found = _tally._slots_of_numbers(series.to_numpy(), TEN)
    assert found.tolist() == slots


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint64"])
def test_slots_of_every_integer_type(engine: Engine, dtype: str) -> None:
    extremes = [int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)]
    frame = engine.typed({"nps": [0, 9, 10, 11, *extremes]}, "nps", dtype)
    tallied = count(frame, errors="coerce")
    expected = [0] * 11
    for answer in [0, 9, 10, *extremes]:
        if 0 <= answer <= 10:
            expected[answer] += 1
    assert tallied.answers.tolist() == [expected]
    assert tallied.missing.tolist() == [6 - sum(expected)]


def test_a_huge_unsigned_number_is_no_negative_one(engine: Engine) -> None:
    """2**64 - 1 has the bits of -1, which is a point of this scale."""
    frame = engine.typed({"score": [2**64 - 1, 1]}, "score", "uint64")
    with pytest.raises(DataError, match=r"1 row .* -2 to 2: 18446744073709551615\."):
        count(frame, "score", scale=_tally.make_scale((-2, 2), ()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slots_of_floats(engine: Engine, dtype: str) -> None:
    frame = engine.typed({"nps": [10.0, 9.0, 9.5, 11.0]}, "nps", dtype)
    tallied = count(frame, errors="coerce")
    assert tallied.answers[0, 9:].tolist() == [1, 1]
    assert tallied.missing.tolist() == [2]


@pytest.mark.parametrize(
    "answers",
    [
        ["10", " 9 ", "9.0", "1e1", None, "0"],
        [Decimal("10"), Decimal("9.0"), Decimal("9"), Decimal("1e1"), None, Decimal("0")],
        [10.0, 9.0, 9.0, 10.0, math.nan, 0.0],
        [10, 9, 9, 10, None, 0],
    ],
)
def test_the_same_answers_in_another_dress(engine: Engine, answers: list[Any]) -> None:
    tallied = count(engine.frame({"nps": answers}))
    assert tallied.answers.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2]]
    assert tallied.missing.tolist() == [1]


def test_categories_are_read_as_text(engine: Engine) -> None:
    # The category "99" is off the scale, but nobody chose it.
    levels = {"nps": ["10", "99", "9"]}
    tallied = count(engine.frame({"nps": ["9", "10", None, "9"]}, levels))
    assert tallied.answers[0, 9:].tolist() == [2, 1]
    assert tallied.missing.tolist() == [1]


@pytest.mark.parametrize(
    "answer", ["nan", "", "True", "inf", "0x9", "1_0", "ten", "9,0", "9.5", "11", "10.5."]
)
def test_text_that_is_no_point_of_the_scale(engine: Engine, answer: str) -> None:
    with pytest.raises(DataError) as caught:
        count(engine.frame({"nps": ["9", answer]}))
    expected = (
        f"'nps': 1 row with answers that are not whole points of the scale 0 to 10: {answer!r}."
    )
    assert str(caught.value).startswith(expected)


def test_truth_is_no_answer(engine: Engine) -> None:
    with pytest.raises(DataError, match="'nps'"):
        count(engine.frame({"nps": [True, False]}))
    with pytest.raises(DataError, match="'nps'"):
        count(engine.frame({"nps": [True, None]}))


@pytest.mark.parametrize("answers", [[True, 1, "10"], [1, True, "10"]])
def test_truth_among_objects_is_no_answer_in_any_order(answers: list[Any]) -> None:
    frame = Engine("pandas").frame({"nps": answers})
    with pytest.raises(DataError, match=r"1 row .*: True\."):
        count(frame)


@pytest.mark.parametrize("answer", [dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, 9)])
def test_dates_are_no_answers(engine: Engine, answer: dt.date) -> None:
    with pytest.raises(DataError, match="'nps'"):
        count(engine.frame({"nps": [answer]}))


def test_off_scale_names_rows_values_and_the_scale(engine: Engine) -> None:
    answers = [3, 11, 99, 11, 12, -1, 14, 15, 10]
    with pytest.raises(DataError) as caught:
        count(engine.frame({"nps": answers}))
    message = str(caught.value)
    assert "'nps': 7 rows" in message
    assert "scale 0 to 10: 11, 99, 11, 12, -1, ..." in message
    assert all(word in message for word in ("missing=", "scale=", 'errors="coerce"'))


def test_coerce_counts_what_is_off_as_missing(engine: Engine) -> None:
    tallied = count(engine.frame({"nps": [10, 11, 12, -1, None]}), errors="coerce")
    assert tallied.answers[0].sum() == 1
    assert tallied.missing.tolist() == [4]


# ---- missing codes in data ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "missing"),
    [
        ([10, 11, 99, 9], (11, 99)),
        ([10, 11, 99, 9], ("11", "99")),
        ([10.0, 11.0, 99.5, 9.0], (11, 99.5)),
        (["10", "11", " 99 ", "9"], (11, 99)),
        (["10", "Blank", " Blank", "9"], ("Blank",)),
        (["10", "Blank", "11", "9"], ("Blank ", 11)),
        (["10", "", " ", "9"], ("",)),
        (["10", "n/a", "N/A", "9"], ("n/a", "N/A")),
        ([10, 11, None, 9], 11),
    ],
)
def test_blank_codes_are_missing(engine: Engine, answers: list[Any], missing: Any) -> None:
    scale = _tally.make_scale((0, 10), missing)
    tallied = count(engine.frame({"nps": answers}), scale=scale)
    assert tallied.answers[0, 9:].tolist() == [1, 1]
    assert tallied.missing.tolist() == [2]


def test_a_code_on_the_scale_is_missing_when_named(engine: Engine) -> None:
    tallied = count(engine.frame({"nps": [0, 5, 0]}), scale=_tally.make_scale((0, 10), (0,)))
    assert (tallied.answers.sum(), tallied.missing.tolist()) == (1, [2])


def test_codes_are_never_guessed(engine: Engine) -> None:
    scale = _tally.make_scale((0, 10), ("Blank",))
    with pytest.raises(DataError, match=r"1 row .*'BLANK'"):
        count(engine.frame({"nps": ["10", "BLANK"]}), scale=scale)


# ---- buckets ------------------------------------------------------------------------------------

# One answer at each point, so that every bucket shows how many points it has.
ONE_EACH = np.ones((1, 11), dtype=np.int64)


@pytest.mark.parametrize(
    ("promoter_min", "detractor_max", "sizes"),
    [(9, 6, (2, 2, 7)), (8, 7, (3, 0, 8)), (10, 0, (1, 9, 1)), (1, 0, (10, 0, 1))],
)
def test_nps_buckets(promoter_min: int, detractor_max: int, sizes: tuple[int, int, int]) -> None:
    made = _tally.nps_buckets(ONE_EACH, _tally.points((0, 10)), promoter_min, detractor_max)
    assert tuple(int(bucket[0]) for bucket in made.values()) == sizes
    assert list(made) == ["promoters", "passives", "detractors"]


def test_csat_buckets() -> None:
    made = _tally.csat_buckets(np.array([[1, 2, 3, 4, 5]]), _tally.points((1, 5)), 4)
    assert {name: values.tolist() for name, values in made.items()} == {
        "satisfied": [9],
        "unsatisfied": [6],
    }


@pytest.mark.parametrize(
    ("direction", "easy_cut", "hard_cut", "easy", "hard"),
    [("ease", 5, 3, 18, 6), ("ease", 7, 3, 7, 6), ("effort", 3, 5, 6, 18)],
)
def test_ces_buckets(direction: str, easy_cut: int, hard_cut: int, easy: int, hard: int) -> None:
    answers = np.array([[1, 2, 3, 4, 5, 6, 7]])  # point 1 once, point 2 twice, ...
    made = _tally.ces_buckets(answers, _tally.points((1, 7)), direction, easy_cut, hard_cut)
    assert (made["easy"].item(), made["hard"].item()) == (easy, hard)
    assert made["neutral"].item() == 28 - easy - hard
    # Sums of squares and of cubes of 1 to 7.
    assert (made["answer_sum"].item(), made["answer_sumsq"].item()) == (140, 784)


# ---- counting -----------------------------------------------------------------------------------


def test_more_rows_than_one_block(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are counted a block at a time: here in small ones, with nulls at the seams."""
    block, length = 200, 1_050
    monkeypatch.setattr(_counting, "_BLOCK", block)
    rng = np.random.default_rng(1)
    answers: list[int | None] = rng.integers(0, 11, length).tolist()
    for seam in (0, block - 1, block, 2 * block, length - 1):
        answers[seam] = None
    keys = rng.choice(["a", "b", "c"], length).tolist()
    tallied = count(engine.frame({"key": keys, "nps": answers}), by=["key"])
    pairs = list(zip(keys, answers, strict=True))
    for i, key in enumerate("abc"):
        expected = [pairs.count((key, answer)) for answer in range(11)]
        assert tallied.answers[i].tolist() == expected
        assert tallied.missing[i] == pairs.count((key, None))


def test_more_cells_than_one_block_of_rows() -> None:
    """With a group for every row, the table is larger than a block."""
    length = _counting._BLOCK + 10
    frame = Engine("polars").frame({"id": range(length), "nps": [i % 11 for i in range(length)]})
    tallied = count(frame, by=["id"])
    assert np.array_equal(tallied.answers.argmax(axis=1), np.arange(length) % 11)
    assert (tallied.answers.sum(axis=1) == 1).all()


def test_groups_and_periods_that_are_present_only(engine: Engine) -> None:
    frame = engine.frame(
        {
            "tier": ["new", "new", None, "loyal"],
            "day": ["2026-03-31", "2026-01-01", "2026-01-31", "2026-03-01"],
            "nps": [10, None, 3, 9],
        },
        {"tier": ["prospect", "new", "loyal"]},
    )
    tallied = count(frame, by=["tier"], time="day")
    assert [row["tier"] for row in frame_rows(tallied.keys.to_native())] == [
        *("new", "new", "loyal", None)
    ]
    assert tallied.periods is not None
    assert tallied.periods.astype(str).tolist() == [
        *("2026-01-01", "2026-03-01", "2026-03-01", "2026-01-01")
    ]
    assert tallied.answers.sum(axis=1).tolist() == [0, 1, 1, 1]
    assert tallied.missing.tolist() == [1, 0, 0, 0]


def test_counts_add_up_as_rows_would(engine: Engine) -> None:
    rows: list[dict[str, Any]] = [
        {"key": "a", "nps": 10, "times": 3},
        {"key": "b", "nps": 10, "times": 0},
        {"key": "a", "nps": None, "times": 2},
        {"key": "a", "nps": 10, "times": 4},
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    tallied = count(engine.frame(columns), by=["key"], counts="times")
    expected = oracles.tally(rows, "nps", ["key"], "times")
    assert expected == [
        {"key": "a", "answer": 10, "n": 7},
        {"key": "a", "answer": None, "n": 2},
    ]
    # A row that stands for nobody still makes its group present.
    assert tallied.answers[:, 10].tolist() == [7, 0]
    assert tallied.missing.tolist() == [2, 0]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "float64"])
def test_counts_of_every_type(engine: Engine, dtype: str) -> None:
    frame = engine.typed({"nps": [10, 9], "times": [100, 100]}, "times", dtype)
    assert count(frame, counts="times").answers.sum() == 200


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1, None], "counts='times': 1 row without a whole number, 0 or more: nan"),
        ([1, -1], "counts='times': 1 row without a whole number"),
        ([1.5, 2.5], r"counts='times': 2 rows without .*: 1\.5, 2\.5"),
        ([1.0, math.inf], "1 row without"),
        (["1", "2"], "counts='times' must be a column of whole numbers, not String"),
        ([True, False], "'times'"),
    ],
)
def test_counts_refused(engine: Engine, times: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        count(engine.frame({"nps": [10, 9], "times": times}), counts="times")


@pytest.mark.parametrize("times", [[2**53, 1], [2**53 + 1, 0], [2**62, 2**62]])
def test_counts_that_floats_cannot_hold_are_refused(engine: Engine, times: list[int]) -> None:
    with pytest.raises(DataError, match=r"add up to more than 2\*\*53"):
        count(engine.frame({"nps": [10, 10], "times": times}), counts="times")


def test_counts_up_to_that_are_exact(engine: Engine) -> None:
    times = [2**53 - 4, 1, 1, 1]
    tallied = count(engine.frame({"nps": [10, 10, 9, None], "times": times}), counts="times")
    assert tallied.answers[0, 9:].tolist() == [1, 2**53 - 3]
    assert tallied.missing.tolist() == [1]


def test_off_scale_rows_that_stand_for_nobody_pass(engine: Engine) -> None:
    tallied = count(engine.frame({"nps": [10, 99], "times": [1, 0]}), counts="times")
    assert (tallied.answers.sum(), tallied.missing.sum()) == (1, 0)


# ---- times --------------------------------------------------------------------------------------


def test_coerced_dates_are_left_out_with_a_warning(engine: Engine) -> None:
    frame = engine.frame({"nps": [10, 9, 8], "day": ["2026-01-01", None, "01.02.2026"]})
    with pytest.warns(DroppedRowsWarning, match="2 rows left out: no usable date in 'day'"):
        tallied = count(frame, time="day", errors="coerce")
    assert (tallied.answers.sum(), tallied.missing.sum()) == (1, 0)


def test_all_rows_left_out(engine: Engine) -> None:
    frame = engine.frame({"nps": [10, 9], "day": ["soon", "later"]})
    with pytest.warns(DroppedRowsWarning, match="2 rows left out"):
        tallied = count(frame, time="day", errors="coerce")
    assert tallied.answers.shape == (0, 11)


@pytest.mark.parametrize(
    ("time", "freq", "expected"),
    [(None, None, "month"), ("day", None, "month"), ("day", "week", "week")],
)
def test_time_alone_means_months(time: str | None, freq: str | None, expected: str) -> None:
    assert _tally.check_period(time, freq) == expected


def test_freq_needs_time() -> None:
    with pytest.raises(ParameterError, match="freq='month' needs time=, the column with"):
        _tally.check_period(None, "month")
    with pytest.raises(ParameterError, match="'M' is written 'month' here"):
        _tally.check_period("day", "M")


# ---- a scale that was not used ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "answers"),
    [((0, 10), [1, 2, 3, 4, 5]), ((1, 7), [4] * 5), ((1, 5), [1, 2, 3, 3, 2]), ((-2, 2), [0] * 5)],
)
def test_warning_when_nobody_passes_the_middle(scale: tuple[int, int], answers: list[int]) -> None:
    table = np.array([[answers.count(p) for p in _tally.points(scale).tolist()]])
    message = f"'nps': no answer is above {max(answers)} on a scale of {scale[0]} to {scale[1]}"
    with pytest.warns(ScaleWarning, match=message):
        _tally.warn_of_scale("nps", _tally.make_scale(scale, ()), table)


@pytest.mark.parametrize(
    ("scale", "answers"),
    [
        ((0, 10), [1, 2, 3, 4, 6]),  # one answer passes the middle
        ((0, 10), [0, 0, 0, 0]),  # too few to say
        ((0, 1), [0] * 50),  # a scale of two points has no half to speak of
        ((1, 4), [1] * 50),
        ((0, 10), []),
    ],
)
def test_no_warning_otherwise(scale: tuple[int, int], answers: list[int]) -> None:
    table = np.array([[answers.count(p) for p in _tally.points(scale).tolist()]])
    _tally.warn_of_scale("nps", _tally.make_scale(scale, ()), table)


# ---- the fast paths together --------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "int8", "uint64", "Int8", "Float64", "str"]
)
@pytest.mark.parametrize("groups", [1, 19, 20, 300, 70_000])
@pytest.mark.parametrize("missing", [(), (11, 12), (3, 99), (-1000, 2.5)])
def test_counts_are_those_of_pandas(
    monkeypatch: pytest.MonkeyPatch, dtype: str, groups: int, missing: tuple[float, ...]
) -> None:
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 1000)
    monkeypatch.setattr(_counting, "_BLOCK", 700)
    rng = np.random.default_rng(groups)
    codes = [11, 12, 99, *range(11), *range(11), *range(11)]
    score = pd.Series(rng.choice(codes, 5000)).astype("float64")
    gap = rng.random(5000) < (0.0 if dtype in ("int8", "uint64") else 0.1)
    plain = score.mask(gap)
    frame = pd.DataFrame(
        {
            "key": rng.integers(0, groups, 5000),
            "nps": plain.astype(pd.api.types.pandas_dtype(dtype)),
        }
    )
    if dtype == "str":
        frame["nps"] = score.astype(int).astype(str).mask(gap)
    scale = _tally.make_scale((0, 10), missing)
    tallied = count(frame, by=["key"], scale=scale, errors="coerce")
    valid = plain.where(plain.between(0, 10) & ~plain.isin(missing))
    size = frame.groupby("key").size()
    expected = pd.crosstab(frame["key"], valid).reindex(
        index=size.index, columns=range(11), fill_value=0
    )
    assert tallied.keys.to_native()["key"].tolist() == size.index.tolist()
    assert np.array_equal(tallied.answers, expected.to_numpy())
    assert np.array_equal(tallied.missing, size.to_numpy() - expected.to_numpy().sum(axis=1))
