"""The door: what may come in, how rows are grouped, what goes out."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, column_names, dtype_names, frame_rows, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

from loyaltykit import _frame
from loyaltykit.errors import DataError, LoyaltyKitError, ParameterError


def opened(native: Any) -> _frame.Frame:
    return _frame.open_frame(native)


# ---- what may come in ---------------------------------------------------------------------------


def test_open_frame(engine: Engine) -> None:
    native = engine.frame({"a": [1, 2]})
    assert opened(native).to_native() is native


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": [1]}, "segments must be a DataFrame of pandas, Polars or PyArrow, not dict"),
        (None, "not NoneType"),
        ([1, 2], "not list"),
        (pd.Series([1]), "not Series"),
        (pl.LazyFrame({"a": [1]}), r"not LazyFrame of polars\. Collect it first"),
    ],
)
def test_open_frame_refuses_the_rest(data: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        _frame.open_frame(data, "segments")


def test_two_columns_of_one_name() -> None:
    data = pd.DataFrame([[1, 2]], columns=["nps", "nps"])
    with pytest.raises(LoyaltyKitError, match=r"(?s)data cannot be read: .*'nps'"):
        _frame.open_frame(data)


@pytest.mark.parametrize(
    "values",
    [
        [10, 9, None],
        (10, 9, None),
        np.array([10, 9, math.nan]),
        np.ma.masked_array([10, 9, 8], mask=[False, False, True]),
        np.array([10, 9, None], dtype=object),
        pd.Series([10, 9, None], index=[7, 7, 7], name="other"),
        pd.Series([10, 9, None], dtype="Int64"),
        pl.Series([10, 9, None]),
        pa.chunked_array([[10], [9, None]]),
    ],
)
def test_open_values_takes_arrays_lists_and_series(values: Any) -> None:
    assert _frame.python_values(_frame.open_values(values)) == [10, 9, None]


@pytest.mark.parametrize("values", [[], (), np.array([]), pd.Series([]), pl.Series([])])
def test_open_values_may_be_empty(values: Any) -> None:
    assert _frame.python_values(_frame.open_values(values)) == []


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.array(5), [[1], [2]], [[1], [2, 3]]])
def test_open_values_has_one_dimension(values: Any) -> None:
    with pytest.raises(DataError, match="scores must have one dimension"):
        _frame.open_values(values, "scores")


@pytest.mark.parametrize("values", [None, "10", 10, {10, 9}, {"a": 1}, iter([1])])
def test_open_values_refuses_the_rest(values: object) -> None:
    with pytest.raises(TypeError, match="scores must be a Series or a 1-D array, not"):
        _frame.open_values(values, "scores")


def test_open_answers(engine: Engine) -> None:
    frame, name = _frame.open_answers(engine.series([10, 9]))
    assert (frame.columns, name, len(frame)) == (["score"], "score", 2)
    with pytest.raises(ParameterError, match="score is left out, but data is a DataFrame"):
        _frame.open_answers(engine.frame({"nps": [10]}))


def test_open_query() -> None:
    query = _frame.open_query(pl.LazyFrame({"nps": [10]}))
    assert query is not None
    assert query.collect_schema().names() == ["nps"]
    assert _frame.open_query(pl.DataFrame({"nps": [10]})) is None
    assert _frame.open_query([10]) is None
    with pytest.raises(ParameterError, match="score is left out, but data is a DataFrame"):
        _frame.open_answers(pl.LazyFrame({"nps": [10]}))


# ---- groups -------------------------------------------------------------------------------------


def grouped(native: Any, names: list[str]) -> tuple[list[dict[str, Any]], list[int]]:
    made = _frame.group(opened(native), names)
    assert made.codes.dtype == np.int64
    return frame_rows(made.keys.to_native()), made.codes.tolist()


def test_no_keys_are_one_group(engine: Engine) -> None:
    made = _frame.group(opened(engine.frame({"a": [1, 2]})), [])
    assert (made.size, made.codes.tolist(), made.keys.columns) == (1, [0, 0], [])


def test_groups_are_sorted_key_by_key_with_nulls_last(engine: Engine) -> None:
    frame = engine.frame({"a": ["y", "x", None, "x", None, "x"], "b": [1, 2, None, None, 3, 2]})
    assert grouped(frame, ["a", "b"]) == (
        [
            {"a": "x", "b": 2},
            {"a": "x", "b": None},
            {"a": "y", "b": 1},
            {"a": None, "b": 3},
            {"a": None, "b": None},
        ],
        [2, 0, 4, 1, 3, 0],
    )


def test_keys_come_in_the_order_asked(engine: Engine) -> None:
    keys, _ = grouped(engine.frame({"a": [1, 2], "b": [2, 1]}), ["b", "a"])
    assert keys == [{"b": 1, "a": 2}, {"b": 2, "a": 1}]
    assert list(keys[0]) == ["b", "a"]


def test_a_key_of_nulls_only(engine: Engine) -> None:
    assert grouped(engine.frame({"a": [None, None]}), ["a"]) == ([{"a": None}], [0, 0])


def test_unobserved_categories_make_no_group(engine: Engine) -> None:
    levels = ["prospect", "new", "repeat", "loyal"]
    frame = engine.frame({"tier": ["loyal", None, "new"]}, {"tier": levels})
    keys, codes = grouped(frame, ["tier"])
    assert keys == [{"tier": "new"}, {"tier": "loyal"}, {"tier": None}]
    assert codes == [1, 2, 0]


def test_no_rows_make_no_groups(engine: Engine) -> None:
    frame = engine.frame({"a": []})
    assert grouped(frame, ["a"]) == ([], [])


KEY_DTYPES = [
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64"),
]


@pytest.mark.parametrize("dtype", KEY_DTYPES)
def test_keys_keep_their_number_type(engine: Engine, dtype: str) -> None:
    frame = engine.typed({"key": [3, 1, 3]}, "key", dtype)
    keys = _frame.group(opened(frame), ["key"]).keys.to_native()
    assert dtype_names(keys) == dtype_names(frame)
    assert frame_rows(keys) == [{"key": 1}, {"key": 3}]


@pytest.mark.parametrize(
    "values",
    [
        ["b", None, "a"],
        [True, None, False],
        [True, False, True],
        [dt.date(2026, 1, 31), None, dt.date(2025, 1, 31)],
        [dt.datetime(2026, 1, 31, 9), None, dt.datetime(2025, 1, 31, 9)],
        [2, None, 1],
        [2.5, math.nan, 1.5],
    ],
)
def test_keys_keep_their_dtype(engine: Engine, values: list[Any]) -> None:
    frame = engine.frame({"key": values})
    keys = _frame.group(opened(frame), ["key"]).keys.to_native()
    assert dtype_names(keys) == dtype_names(frame)


@pytest.mark.parametrize(
    "key",
    [
        pd.Series(["b", "a", None], dtype=object),
        pd.Series(["b", "a", None], dtype="string"),
        pd.Series(["b", "a", None], dtype="category"),
        pd.Series(pd.to_datetime(["2026-01-31", "2025-01-31"]).tz_localize("Asia/Jakarta")),
        pd.Series(pd.to_datetime(["2026-01-31", "2025-01-31"]).tz_localize("America/New_York")),
        pd.Series(pd.to_datetime(["2026-01-31", "2025-01-31"])).astype("datetime64[ns]"),
        pd.Series(pd.period_range("2026-01", periods=2, freq="M")),
        pd.Series(pd.cut([1, 5, 9], [0, 3, 6, 10])),
        pl.Series(["b", "a", None], dtype=pl.Categorical),
        pl.Series([dt.datetime(2026, 1, 31)], dtype=pl.Datetime("ms", "Asia/Jakarta")),
        pa.chunked_array([pa.array(["b", "a"], pa.large_string())]),
        pa.chunked_array([pa.array(["b", "a"]).dictionary_encode()]),
    ],
    ids=lambda key: (
        f"{type(key).__module__.split('.')[0]}-{getattr(key, 'dtype', None) or key.type}"
    ),
)
def test_keys_keep_the_dtypes_of_one_engine(key: Any) -> None:
    series = nw.from_native(key, series_only=True).alias("key")
    keys = _frame.group(series.to_frame(), ["key"]).keys
    assert dtype_names(keys.to_native()) == dtype_names(series.to_frame().to_native())
    assert sorted(map(str, values_of(keys["key"].to_native()))) == sorted(map(str, values_of(key)))


def test_the_index_of_pandas_plays_no_part() -> None:
    frame = pd.DataFrame({"key": ["b", "a", "b"], "other": [1, 2, 1]}, index=[7, 7, 3])
    made = _frame.group(opened(frame), ["key", "other"])
    assert made.codes.tolist() == [1, 0, 1]
    assert made.keys.to_native().index.tolist() == [0, 1]


def test_the_product_of_many_keys_may_pass_64_bits() -> None:
    """Five keys of 20,000 values each: 3.2e21 combinations, 20,000 of them present."""
    size = 20_000
    columns = {name: np.roll(np.arange(size), i) for i, name in enumerate("abcde")}
    made = _frame.group(opened(pl.DataFrame(columns)), list("abcde"))
    assert made.size == size
    assert np.array_equal(made.codes, columns["a"])
    assert made.keys.to_native().equals(pl.DataFrame(columns).sort("a"))


KEYS = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", "c"]), st.sampled_from([None, 1, 2])), max_size=20
)


@settings(max_examples=20)
@given(pairs=KEYS)
def test_groups_are_those_of_a_plain_loop(engine: Engine, pairs: list[tuple[Any, Any]]) -> None:
    frame = engine.frame({"a": [a for a, _ in pairs], "b": [b for _, b in pairs]})
    keys, codes = grouped(frame, ["a", "b"])
    every = itertools.product(["a", "b", "c", None], [1, 2, None])
    assert [(row["a"], row["b"]) for row in keys] == [pair for pair in every if pair in pairs]
    assert [(keys[code]["a"], keys[code]["b"]) for code in codes] == pairs


# ---- numbers ------------------------------------------------------------------------------------


def test_numbers_by_row_or_by_distinct_value(engine: Engine) -> None:
    values, codes = _frame.numbers(opened(engine.frame({"a": [2, 1, 2]}))["a"])
    assert (values.tolist(), codes) == ([2, 1, 2], None)
    values, codes = _frame.numbers(opened(engine.frame({"a": ["2", None, "1", "2"]}))["a"])
    assert values.tolist() == ["1", "2"]
    assert codes is not None
    assert codes.tolist() == [1, -1, 0, 1]


@pytest.mark.parametrize("values", [[True, False], [dt.datetime(2026, 1, 31, 9)]])
def test_truth_and_times_are_no_numbers(engine: Engine, values: list[Any]) -> None:
    with pytest.raises(DataError, match=r"'a' holds .*, not numbers"):
        _frame.numbers(opened(engine.frame({"a": values}))["a"])


def test_parse_numbers() -> None:
    values = np.array([" 10 ", "1e1", "ten", "", 9, 9.5, True, None], dtype=object)
    texts, numbers = _frame.parse_numbers(values)
    assert texts.tolist()[:3] == ["10", "1e1", "ten"]
    expected = [10, 10, math.nan, math.nan, 9, 9.5, math.nan, math.nan]
    assert np.array_equal(numbers, expected, equal_nan=True)


# ---- times --------------------------------------------------------------------------------------

MOMENTS = [dt.datetime(2026, 1, 31, 23, 30), dt.datetime(1969, 12, 31, 1)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_of_every_unit(engine: Engine, unit: str) -> None:
    frame = engine.typed({"day": [*MOMENTS, None]}, "day", pa.timestamp(unit))
    times = _frame.read_times(opened(frame)["day"], None, "raise", nullable=True).values
    assert times.astype("datetime64[us]").tolist() == [*MOMENTS, None]


def test_dates_and_texts(engine: Engine) -> None:
    for values in ([dt.date(2026, 1, 31), None], ["2026-01-31", None]):
        series = opened(engine.frame({"day": values}))["day"]
        times = _frame.read_times(series, None, "raise", nullable=True).values
        assert times.astype("datetime64[D]").tolist() == [dt.date(2026, 1, 31), None]


JAKARTA = dt.timezone(dt.timedelta(hours=7))


def test_aware_times_stay_on_their_own_clock_or_move_to_the_zone(engine: Engine) -> None:
    """18:00 UTC on 31 January is 01:00 on 1 February in Jakarta."""
    moment = dt.datetime(2026, 1, 31, 18, tzinfo=dt.UTC)
    series = opened(engine.frame({"day": [moment, None]}))["day"]
    own = _frame.read_times(series, None, "raise", nullable=True)
    assert own.values.astype("datetime64[us]").tolist() == [dt.datetime(2026, 1, 31, 18), None]
    assert own.zone == "UTC"
    moved = _frame.read_times(series, "Asia/Jakarta", "raise", nullable=True)
    assert moved.values.astype("datetime64[us]").tolist() == [dt.datetime(2026, 2, 1, 1), None]
    assert moved.zone == "Asia/Jakarta"


# narwhals does not know every one of these as a time when they come from pandas.
ZONES = {
    "UTC": 17,
    "Asia/Jakarta": 24,
    "America/New_York": 12,
    "America/Port-au-Prince": 12,
    "Etc/GMT+7": 10,
    "+07:00": 24,
}


@pytest.mark.parametrize(("zone", "hour"), ZONES.items())
def test_every_spelling_of_a_zone(engine: Engine, zone: str, hour: int) -> None:
    """17:30 UTC on 31 January, in each zone."""
    if engine.name == "pyarrow" and zone == "+07:00" and int(pa.__version__.split(".")[0]) < 21:
        pytest.skip("this PyArrow cannot tell the clock of an offset")
    moment = dt.datetime(2026, 1, 31, 17, 30)
    frame = engine.typed({"day": [moment]}, "day", pa.timestamp("us", zone))
    local = dt.datetime(2026, 1, 31, 0, 30) + dt.timedelta(hours=hour)
    found = _frame.read_times(opened(frame)["day"], None, "raise")
    assert found.values.astype("datetime64[us]").tolist() == [local]
    assert found.zone is not None


def test_naive_times_have_no_zone(engine: Engine) -> None:
    series = opened(engine.frame({"day": [dt.datetime(2026, 1, 31, 18)]}))["day"]
    assert _frame.read_times(series, None, "raise").zone is None
    with pytest.raises(ParameterError, match="tz='Asia/Jakarta': 'day' has no time zone"):
        _frame.read_times(series, "Asia/Jakarta", "raise")


@pytest.mark.parametrize("values", [[20260131], [1.5], [True], [dt.timedelta(1)]])
def test_numbers_and_spans_are_no_dates(engine: Engine, values: list[Any]) -> None:
    with pytest.raises(DataError, match=r"'day' holds .*, not dates"):
        _frame.read_times(opened(engine.frame({"day": values}))["day"], None, "raise")


def test_read_times_refuses_or_marks_lost_rows(engine: Engine) -> None:
    series = opened(engine.frame({"day": ["2026-01-31", "31.01.2026", None, "x", "x"]}))["day"]
    with pytest.raises(DataError, match=r"'day': 3 rows .*: '31\.01\.2026', 'x', 'x'\."):
        _frame.read_times(series, None, "raise")
    found = _frame.read_times(series, None, "coerce")
    assert found.lost is not None
    assert found.lost.tolist() == [False, True, True, True, True]
    assert found.values[0] == np.datetime64("2026-01-31")
    # A null is no mistake where there may be nulls.
    nullable = _frame.read_times(series, None, "coerce", nullable=True)
    assert nullable.lost is not None
    assert nullable.lost.tolist() == [False, True, False, True, True]


def test_read_times_refuses_nulls(engine: Engine) -> None:
    series = opened(engine.frame({"day": ["2026-01-31", None]}))["day"]
    with pytest.raises(DataError, match="'day': 1 row without a date"):
        _frame.read_times(series, None, "raise")


# ---- lookups ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "lookup", "expected"),
    [
        ([3, 1, 9], [1, 2, 3], [2, 0, -1]),
        (["c", "a", "z"], ["a", "b", "c"], [2, 0, -1]),
        ([1.0, 2.0], [2, 1], [1, 0]),  # a null elsewhere makes pandas' integers floats
        ([], [1], []),
    ],
)
def test_positions(engine: Engine, ids: list[Any], lookup: list[Any], expected: list[int]) -> None:
    found = _frame.positions(
        opened(engine.frame({"id": ids}))["id"],
        opened(engine.frame({"id": lookup}))["id"],
        ("data", "segments"),
    )
    assert found.tolist() == expected


def test_positions_of_categories(engine: Engine) -> None:
    left = engine.frame({"id": ["c", "a"]}, {"id": ["a", "b", "c"]})
    right = engine.frame({"id": ["a", "c"]})
    found = _frame.positions(opened(left)["id"], opened(right)["id"], ("data", "segments"))
    assert found.tolist() == [1, 0]


def test_positions_of_different_types(engine: Engine) -> None:
    left, right = engine.frame({"id": [1, 2]}), engine.frame({"id": ["1", "2"]})
    with pytest.raises(DataError, match="'id' holds numbers in data and text in segments"):
        _frame.positions(opened(left)["id"], opened(right)["id"], ("data", "segments"))


@pytest.mark.parametrize("values", [[True, False, True], [1, 0, 1], [1.0, 0.0, 1.0]])
def test_flags(engine: Engine, values: list[Any]) -> None:
    assert _frame.flags(opened(engine.frame({"a": values}))["a"]).tolist() == [True, False, True]


def test_flags_of_pandas_objects() -> None:
    """A column of truths that once held a null."""
    frame = pd.DataFrame({"a": pd.Series([True, False], dtype=object)})
    assert _frame.flags(opened(frame)["a"]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([True, None], "'a': 1 row neither true nor false: (None|<NA>)"),
        ([1, 2, 3], "'a': 2 rows neither true nor false: 2, 3"),
        (["yes", "no"], "'a': 2 rows neither true nor false: 'yes', 'no'"),
    ],
)
def test_flags_refused(engine: Engine, values: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _frame.flags(opened(engine.frame({"a": values}))["a"])


def test_frames_of_two_engines() -> None:
    frame, other = opened(pd.DataFrame({"a": [1]})), opened(pl.DataFrame({"a": [1]}))
    _frame.same_engine(frame, frame)
    with pytest.raises(TypeError, match=r"segments is a .* frame and data a .*: pass both of one"):
        _frame.same_engine(frame, other)


def test_stacked(engine: Engine) -> None:
    first = opened(engine.frame({"id": [1, 2]}))["id"]
    second = opened(engine.frame({"id": [3]}))["id"]
    nothing = opened(engine.frame({"id": []}))["id"]
    assert _frame.python_values(_frame.stacked(first, second)) == [1, 2, 3]
    assert _frame.python_values(_frame.stacked(first, nothing)) == [1, 2]
    assert _frame.python_values(_frame.stacked(nothing, second)) == [3]


def test_sample_shows_the_first_few(engine: Engine) -> None:
    series = opened(engine.frame({"a": list(range(20))}))["a"]
    assert _frame.sample(series, np.arange(3, 20)) == [3, 4, 5, 6, 7, 8]


# ---- what goes out ------------------------------------------------------------------------------


def test_table(engine: Engine) -> None:
    keys = opened(engine.frame({"key": ["a", "b"]}))
    columns = {
        "n": np.array([1, 2]),
        "start": np.ma.masked_array([1, 2], mask=[True, False]),
        "estimate": np.array([0.5, math.nan]),
        "period": np.array(["2026-01-01", "2026-02-01"], dtype="datetime64[D]"),
        "level": 0.95,
        "unit": "points",
        "as_of": np.datetime64("2026-02-10"),
    }
    table = _frame.table(keys, columns, 2)  # type: ignore[arg-type]
    fixed = {"level": 0.95, "unit": "points", "as_of": dt.date(2026, 2, 10)}
    january, february = dt.date(2026, 1, 1), dt.date(2026, 2, 1)
    assert frame_rows(table) == [
        {"key": "a", "n": 1, "start": None, "estimate": 0.5, "period": january, **fixed},
        {"key": "b", "n": 2, "start": 2, "estimate": None, "period": february, **fixed},
    ]
    assert column_names(table) == ["key", *columns]
    assert isinstance(table, type(engine.frame({})))


def test_table_without_rows(engine: Engine) -> None:
    keys = opened(engine.frame({"key": ["a"]})).head(0)
    table = _frame.table(keys, {"n": np.array([], dtype=np.int64), "unit": "points"}, 0)
    assert frame_rows(table) == []
    assert column_names(table) == ["key", "n", "unit"]


def test_rows_may_repeat_and_a_frame_without_columns_stays(engine: Engine) -> None:
    frame = opened(engine.frame({"a": ["x", "y"], "b": [1, 2]}))
    taken = _frame.rows(frame, np.array([1, 1, 0])).to_native()
    assert frame_rows(taken) == [{"a": "y", "b": 2}, {"a": "y", "b": 2}, {"a": "x", "b": 1}]
    empty = frame.select([])
    assert _frame.rows(empty, np.array([0, 0])) is empty


def test_all_null(engine: Engine) -> None:
    frame = opened(engine.frame({"a": ["x", None], "b": [1, None]}))
    assert [_frame.all_null(frame, row) for row in (0, 1)] == [False, True]


def test_pivot(engine: Engine) -> None:
    frame = engine.frame(
        {
            "tier": ["new", "new", "loyal", None],
            "age": [0, 1, 0, 1],
            "estimate": [1.5, None, 3.5, 4.5],
        }
    )
    assert frame_rows(_frame.pivot(opened(frame), ["tier"], "age", "estimate")) == [
        {"tier": "new", "0": 1.5, "1": None},
        {"tier": "loyal", "0": 3.5, "1": None},
        {"tier": None, "0": None, "1": 4.5},
    ]


def test_stack(engine: Engine) -> None:
    first, second = engine.frame({"a": ["x", "y"]}), engine.frame({"a": ["z"]})
    stacked = _frame.stack([opened(first), opened(second)]).to_native()
    assert values_of(stacked["a"]) == ["x", "y", "z"]
    if engine.is_pandas:
        assert stacked.index.tolist() == [0, 1, 2]


def test_chosen_fills_what_a_frame_lacks(engine: Engine) -> None:
    frame = opened(engine.frame({"n": [1, 2], "estimate": [0.5, None]}))
    first = opened(engine.frame({"name": ["a", "b"]}))
    made = _frame.chosen(first, frame, ["period", "coverage", "n", "estimate"]).to_native()
    nothing = {"period": None, "coverage": None}
    assert frame_rows(made) == [
        {"name": "a", **nothing, "n": 1, "estimate": 0.5},
        {"name": "b", **nothing, "n": 2, "estimate": None},
    ]


def test_pandas_keys() -> None:
    made = _frame.pandas_keys({"group": ["a", "b"]}).to_native()
    assert made.equals(pd.DataFrame({"group": ["a", "b"]}))
    assert _frame.pandas_keys().columns == []


def test_kinds_of_columns(engine: Engine) -> None:
    frame = _frame.open_frame(
        engine.frame(
            {"text": ["a", None], "number": [1, 2], "day": [dt.date(2026, 1, 1), None]},
        )
    )
    kinds = {
        name: (_frame.is_text(frame[name]), _frame.is_dates(frame[name])) for name in frame.columns
    }
    assert kinds == {"text": (True, False), "number": (False, False), "day": (False, True)}
    tiers = _frame.open_frame(engine.frame({"tier": ["a", "b"]}, {"tier": ["b", "a"]}))["tier"]
    assert (_frame.is_text(tiers), _frame.is_dates(tiers)) == (False, False)


def test_one_more_column(engine: Engine) -> None:
    frame = _frame.open_frame(engine.frame({"a": [1, 2]}))
    made = _frame.with_column(_frame.rows(frame, np.array([1, 0])), frame["a"].alias("b"))
    assert frame_rows(made.to_native()) == [{"a": 2, "b": 1}, {"a": 1, "b": 2}]
