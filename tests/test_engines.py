"""What each engine does in its own way: codes and levels, gaps, categories, times, columns."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import PANDAS_2, Engine, categories_of, dtype_names, frame_rows, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

from loyaltykit import _engines
from loyaltykit.errors import DataError, ParameterError


def series_of(native: Any) -> nw.Series[Any]:
    return nw.from_native(native, series_only=True)


def encoded(native: Any) -> tuple[list[int], list[Any]]:
    """Return codes and levels as lists."""
    made = _engines.encode(series_of(native))
    assert made.codes.dtype == np.int64
    return made.codes.tolist(), values_of(made.levels.to_native())


# ---- codes and levels ---------------------------------------------------------------------------

DAY = dt.date(2026, 1, 2)
NOON = dt.datetime(2026, 1, 2, 12)


@pytest.mark.parametrize(
    ("values", "codes", "levels"),
    [
        (["b", "a", None, "b"], [1, 0, -1, 1], ["a", "b"]),
        ([3, 1, 3, 2], [2, 0, 2, 1], [1, 2, 3]),
        ([10, None, 9], [1, -1, 0], [9, 10]),  # by value, not as text
        ([2.5, math.nan, None, 1.5], [1, -1, -1, 0], [1.5, 2.5]),
        ([True, False, None, True], [1, 0, -1, 1], [False, True]),
        ([DAY, None, dt.date(2025, 1, 2)], [1, -1, 0], [dt.date(2025, 1, 2), DAY]),
        ([NOON, None, dt.datetime(2025, 1, 2, 12)], [1, -1, 0], [NOON.replace(year=2025), NOON]),
        ([Decimal("2"), None, Decimal("1")], [1, -1, 0], [Decimal(1), Decimal(2)]),
        ([], [], []),
        (["a"], [0], ["a"]),
    ],
)
def test_encode_sorts_and_leaves_nulls_out(
    engine: Engine, values: list[Any], codes: list[int], levels: list[Any]
) -> None:
    assert encoded(engine.series(values)) == (codes, levels)


def test_encode_nothing_but_nulls(engine: Engine) -> None:
    codes, _ = encoded(engine.series([None, None]))
    assert codes == [-1, -1]


def test_encode_keeps_the_order_of_categories(engine: Engine) -> None:
    frame = engine.frame({"tier": ["new", "loyal", None]}, {"tier": ["prospect", "new", "loyal"]})
    made = _engines.encode(series_of(frame["tier"]))
    assert made.codes.tolist() == [1, 2, -1]
    assert values_of(made.levels.to_native()) == ["prospect", "new", "loyal"]
    assert categories_of(made.levels.to_native()) == ["prospect", "new", "loyal"]


def test_encode_more_categories_than_a_byte_holds(engine: Engine) -> None:
    labels = [f"c{i:03}" for i in range(300)]
    frame = engine.frame({"key": labels[::-1]}, {"key": labels})
    codes, levels = encoded(frame["key"])
    assert (codes, levels) == (list(range(300))[::-1], labels)


@pytest.mark.parametrize(
    "native",
    [
        pd.Series(["z", "a", None, "m"], dtype="category"),  # no order of its own: sorted
        pl.Series(["z", "a", None, "m"], dtype=pl.Categorical),
    ],
)
def test_encode_unordered_categories(native: Any) -> None:
    assert encoded(native) == ([2, 0, -1, 1], ["a", "m", "z"])


@pytest.mark.parametrize("dtype", ["Float64", pd.ArrowDtype(pa.float64())])
def test_nan_is_null_beside_null(dtype: Any) -> None:
    """A masked or Arrow column may hold both, and both mean the same."""
    if dtype == "Float64":
        mask = np.array([False, False, True])
        native = pd.Series(pd.arrays.FloatingArray(np.array([math.nan, 1.0, 0.0]), mask))
    else:
        native = pd.Series(pd.arrays.ArrowExtensionArray(pa.array([math.nan, 1.0, None])))
    assert encoded(native) == ([-1, 0, -1], [1.0])


def test_encode_pandas_objects_of_several_types() -> None:
    codes, levels = encoded(pd.Series(["b", 2, None, 1.5, "a"], dtype=object))
    assert [None if code < 0 else levels[code] for code in codes] == ["b", 2, None, 1.5, "a"]
    assert levels == [1.5, 2, "a", "b"]


def test_encode_pandas_dictionary_of_arrow() -> None:
    array = pa.DictionaryArray.from_arrays([1, 0, None], ["new", "loyal"], ordered=True)
    native = pd.Series(pd.arrays.ArrowExtensionArray(array))
    assert encoded(native) == ([1, 0, -1], ["new", "loyal"])


def dictionary(values: list[str | None], levels: list[str | None]) -> pa.DictionaryArray:
    codes = [None if value is None else levels.index(value) for value in values]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(levels))


def test_encode_arrow_chunks_with_dictionaries_of_their_own() -> None:
    """Every row group of a Parquet file brings its own."""
    native = pa.chunked_array([dictionary(["b", "a"], ["b", "a"]), dictionary(["b"], ["c", "b"])])
    codes, levels = encoded(native)
    assert [levels[code] for code in codes] == ["b", "a", "b"]


def test_encode_arrow_null_inside_a_dictionary() -> None:
    array = pa.DictionaryArray.from_arrays([0, 1, 2], pa.array(["b", None, "a"]))
    codes, levels = encoded(pa.chunked_array([array]))
    assert [None if code < 0 else levels[code] for code in codes] == ["b", None, "a"]
    assert None not in levels


def test_encode_arrow_the_same_level_twice() -> None:
    array = pa.DictionaryArray.from_arrays([0, 1, 2], pa.array(["b", "a", "b"]))
    codes, _ = encoded(pa.chunked_array([array]))
    assert codes[0] == codes[2]


@pytest.mark.parametrize("kind", ["large_string", "string_view"])
def test_encode_the_other_texts_of_arrow(kind: str) -> None:
    if not hasattr(pa, kind):
        pytest.skip(f"PyArrow {pa.__version__} has no {kind}")
    native = pa.chunked_array([pa.array(["b", None, "a"]).cast(getattr(pa, kind)())])
    assert encoded(native) == ([1, -1, 0], ["a", "b"])


# ---- plain values and numbers -------------------------------------------------------------------


def test_python_values(engine: Engine) -> None:
    for values in (["a", None], [1.5, math.nan, None], [True, None, False], [DAY, None], [1, 2]):
        made = _engines.python_values(series_of(engine.series(values)))
        assert made == [None if value != value else value for value in values]  # noqa: PLR0124
        assert not any(isinstance(value, np.generic) for value in made)


def test_numeric(engine: Engine) -> None:
    whole = _engines.numeric(series_of(engine.series([1, 2])))
    assert whole.tolist() == [1, 2]
    assert whole.dtype.kind == "i"
    with_null = _engines.numeric(series_of(engine.series([1, None, 3])))
    assert np.array_equal(with_null, [1, math.nan, 3], equal_nan=True)


# ---- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "zone", "expected"),
    [
        (["2026-01-31", "2026-02-28T23:59:59"], None, ["2026-01-31", "2026-02-28T23:59:59"]),
        (["2026-01-31", "yesterday", ""], None, ["2026-01-31", "NaT", "NaT"]),
        ([dt.date(2026, 1, 31), NOON], None, ["2026-01-31", "2026-01-02T12"]),
        ([dt.date(2026, 1, 31), "2026-02-01"], None, ["2026-01-31", "2026-02-01"]),
        pytest.param(
            *(["9999-12-31", "0001-01-01"], None, ["9999-12-31", "0001-01-01"]),
            marks=pytest.mark.skipif(PANDAS_2, reason="beyond the nanoseconds of pandas 2"),
        ),
        ([20260131, "2026-02-01"], None, ["NaT", "2026-02-01"]),  # a number is no date
        # Their own clock, unless a zone is named.
        (["2026-01-31T23:30:00+07:00"], None, ["2026-01-31T23:30"]),
        (["2026-01-31T23:30:00+07:00"], "UTC", ["2026-01-31T16:30"]),
        (["2026-01-31T23:30+07:00", "2026-01-31T16:30Z"], "UTC", ["2026-01-31T16:30"] * 2),
        ([], None, []),
    ],
)
def test_parse_times(texts: list[Any], zone: str | None, expected: list[str]) -> None:
    parsed, _ = _engines.parse_times(texts, zone, "day", "one first")
    assert np.array_equal(parsed, np.array(expected, dtype="datetime64[us]"), equal_nan=True)


@pytest.mark.parametrize(
    "texts",
    [
        ["2026-01-31T23:30+07:00", "2026-01-31T16:30+08:00"],
        ["2026-01-31T23:30+07:00", "2026-01-31T16:30"],
    ],
)
def test_times_of_several_zones_cannot_be_read_as_one(texts: list[str]) -> None:
    with pytest.raises(DataError, match="'day' holds times of several zones or none"):
        _engines.parse_times(texts, None, "day", "one first")


def test_naive_text_has_no_zone_to_convert_from() -> None:
    with pytest.raises(ParameterError, match="tz='UTC': 'day' has no time zone"):
        _engines.parse_times(["2026-01-31"], "UTC", "day", "one first")


# ---- gaps and categories ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values", [["a", "b"], [1, 2], [1.5, 2.5], [True, False], [DAY, dt.date(2027, 1, 1)]]
)
def test_take_with_and_without_gaps(engine: Engine, values: list[Any]) -> None:
    native = engine.series(values)
    full = _engines.take(series_of(native), np.array([1, 0, 1])).to_native()
    assert values_of(full) == [values[1], values[0], values[1]]
    assert str(getattr(full, "dtype", None) or full.type) == str(
        getattr(native, "dtype", None) or native.type
    )
    gaps = _engines.take(series_of(native), np.array([1, -1])).to_native()
    assert values_of(gaps) == [values[1], None]


def test_take_keeps_categories(engine: Engine) -> None:
    frame = engine.frame({"tier": ["new", "loyal"]}, {"tier": ["prospect", "new", "loyal"]})
    taken = _engines.take(series_of(frame["tier"]), np.array([1, -1])).to_native()
    assert values_of(taken) == ["loyal", None]
    assert categories_of(taken) == ["prospect", "new", "loyal"]


def test_take_keeps_pandas_objects() -> None:
    native = pd.Series(["b", "a"], dtype=object)
    assert _engines.take(series_of(native), np.array([1, 0])).to_native().dtype == object


def test_categories(engine: Engine) -> None:
    like = engine.series([1, 2, 3])
    made = _engines.categories(series_of(like), np.array([1, -1, 0]), ("low", "high")).to_native()
    assert values_of(made) == ["high", None, "low"]
    assert categories_of(made) == ["low", "high"]
    if engine.is_pandas:
        assert made.cat.ordered
        assert made.name == like.name


# ---- writing ------------------------------------------------------------------------------------


def test_build(engine: Engine) -> None:
    columns = {
        "whole": np.array([1, 2]),
        "gap": np.ma.masked_array([1, 2], mask=[False, True]),
        "share": np.array([0.5, math.nan]),
        "day": np.array(["2026-01-31", "NaT"], dtype="datetime64[D]"),
        "word": np.array(["a", "b"]),
        "perhaps": np.array(["a", None], dtype=object),
    }
    keys = nw.from_native(engine.frame({"key": ["x", "y"]}), eager_only=True)
    if engine.is_pandas:
        table = _engines.build_pandas(columns).to_native()
    else:
        table = _engines.build(keys, columns).to_native()
    assert frame_rows(table) == [
        {"whole": 1, "gap": 1, "share": 0.5, "day": dt.date(2026, 1, 31), "word": "a"}
        | {"perhaps": "a"},
        {"whole": 2, "gap": None, "share": None, "day": None, "word": "b", "perhaps": None},
    ]
    dtypes = dtype_names(table)
    text = str(pd.Series([], dtype="str").dtype)  # object before pandas 3
    expected = {
        "pandas": ["int64", "Int64", "float64", "datetime64[us]", text, text],
        "polars": ["Int64", "Int64", "Float64", "Date", "String", "String"],
        "pyarrow": ["int64", "int64", "double", "date32[day]", "string", "string"],
    }
    assert list(dtypes.values()) == expected["pandas" if engine.is_pandas else engine.name]


# ---- codes and levels: there and back -----------------------------------------------------------

UTC_NOON = NOON.replace(tzinfo=dt.UTC)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**40), 2**40),
    "float": st.floats(-1e9, 1e9).map(lambda value: value + 0.0),  # no minus zero
    "text": st.text("abÄ ", max_size=3),
    "bool": st.booleans(),
    "date": st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)),
    "datetime": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)).map(
        lambda time: time.replace(hour=12)  # one at midnight would be read back as a date
    ),
    "decimal": st.decimals(-1000, 1000, places=2),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_levels_and_codes_give_the_values_back(
    engine: Engine, kind: str, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | KINDS[kind], max_size=12))
    if not any(value is not None for value in values):
        return  # a column without a type: see below
    made = _engines.encode(series_of(engine.series(values)))
    levels = values_of(made.levels.to_native())
    known = {value for value in values_of(engine.series(values)) if value is not None}
    assert levels == sorted(known)
    back = _engines.take(made.levels, made.codes).to_native()
    assert values_of(back) == values_of(engine.series(values))


@pytest.mark.parametrize(
    "value",
    [UTC_NOON, dt.time(12, 30), dt.timedelta(hours=36), b"raw", 2**62, -0.5, ""],
    ids=lambda value: type(value).__name__,
)
def test_encode_any_kind_of_value(engine: Engine, value: Any) -> None:
    native = engine.series([None, value, value])
    codes, levels = encoded(native)
    assert codes == [-1, 0, 0]
    assert levels == [value]


@pytest.mark.parametrize("values", [[None, None], []])
def test_levels_are_never_null(engine: Engine, values: list[Any]) -> None:
    _, levels = encoded(engine.series(values))
    assert levels == []


def test_levels_are_never_null_in_categories(engine: Engine) -> None:
    frame = engine.frame({"tier": [None, None]}, {"tier": ["new", "loyal"]})
    assert encoded(frame["tier"]) == ([-1, -1], ["new", "loyal"])


def test_minus_zero_is_zero(engine: Engine) -> None:
    """They are equal, and print alike: two groups of 0.0 would puzzle anybody."""
    codes, levels = encoded(engine.series([0.0, -0.0, None]))
    assert codes == [0, 0, -1]
    assert levels == [0.0]


def test_the_index_of_pandas_plays_no_part() -> None:
    native = pd.Series(["b", "a", "b"], index=[5, 5, 0])
    made = _engines.encode(series_of(native))
    assert made.codes.tolist() == [1, 0, 1]
    assert made.levels.to_native().index.tolist() == [0, 1]


@pytest.mark.parametrize("levels", [[3, 2, 1], [dt.date(2026, 1, 2), DAY.replace(year=2020)]])
def test_pandas_categories_need_not_be_text(levels: list[Any]) -> None:
    native = pd.Series(pd.Categorical([levels[1], None, levels[0]], categories=levels))
    assert encoded(native) == ([1, -1, 0], levels)


@given(order=st.permutations(["b", 2, 1.5, dt.date(2026, 1, 1), "a", (1, 2)]))
def test_objects_of_several_types_have_one_order(order: list[Any]) -> None:
    """Whatever the order of the rows: by the name of the type, then as text."""
    native = pd.Series(order, dtype=object)
    codes, levels = encoded(native)
    assert levels == [dt.date(2026, 1, 1), 1.5, 2, "a", "b", (1, 2)]
    assert [levels[code] for code in codes] == order


# ---- Arrow dictionaries -------------------------------------------------------------------------


def test_entries_of_a_dictionary_that_no_row_uses() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([2, None, 0]), pa.array(["c", "b", "a"]))
    codes, levels = encoded(pa.chunked_array([array]))
    assert [None if code < 0 else levels[code] for code in codes] == ["a", None, "c"]


def test_a_slice_of_a_dictionary() -> None:
    array = dictionary(["c", "b", None, "a"], ["a", "b", "c"]).slice(1, 2)
    codes, levels = encoded(pa.chunked_array([array]))
    assert [None if code < 0 else levels[code] for code in codes] == ["b", None]


def test_an_ordered_dictionary_keeps_order_and_type() -> None:
    array = pa.DictionaryArray.from_arrays(
        pa.array([1, 0, None], pa.uint8()), pa.array(["z", "a"]), ordered=True
    )
    native = pa.chunked_array([array, array])
    made = _engines.encode(series_of(native))
    assert made.codes.tolist() == [1, 0, -1, 1, 0, -1]
    assert made.levels.to_native().type == native.type
    assert categories_of(made.levels.to_native()) == ["z", "a"]


@pytest.mark.parametrize(
    "native",
    [
        pa.chunked_array([], type=pa.string()),
        pa.chunked_array([], type=pa.dictionary(pa.int8(), pa.string())),
        pa.chunked_array([dictionary([], ["a"])]),
        pa.chunked_array([], type=pa.null()),
        pa.chunked_array([pa.array([], pa.null())]),
    ],
    ids=["text", "dictionary", "chunk of a dictionary", "null", "chunk of null"],
)
def test_columns_of_arrow_without_rows(native: pa.ChunkedArray) -> None:
    made = _engines.encode(series_of(native))
    assert made.codes.tolist() == []


def test_dictionary_of_nulls_beside_null_codes() -> None:
    """Null by its code and null by its entry are the same null."""
    array = pa.DictionaryArray.from_arrays(pa.array([0, None, 1], pa.int8()), pa.array([None, "a"]))
    native = pa.chunked_array([array, dictionary(["a", None], ["a"])])
    codes, levels = encoded(native)
    assert [None if code < 0 else levels[code] for code in codes] == [None, None, "a", "a", None]
    assert levels == ["a"]


# ---- gaps: more kinds of columns ----------------------------------------------------------------


@pytest.mark.parametrize("value", [NOON, UTC_NOON, Decimal("1.50"), dt.timedelta(days=1), b"raw"])
def test_take_of_other_kinds(engine: Engine, value: Any) -> None:
    native = engine.series([None, value])
    taken = _engines.take(series_of(native), np.array([1, -1, 0])).to_native()
    assert values_of(taken) == [value, None, None]
    if engine.name == "pyarrow":
        assert taken.type == native.type
    else:
        assert taken.dtype == native.dtype


@pytest.mark.parametrize("values", [["a"], [1], [1.5], [True], [DAY], [NOON]])
def test_take_from_no_rows(engine: Engine, values: list[Any]) -> None:
    native = engine.series(values)
    nothing = series_of(native.slice(0, 0) if engine.name == "pyarrow" else native[:0])
    assert values_of(_engines.take(nothing, np.array([-1, -1])).to_native()) == [None, None]
    assert values_of(_engines.take(nothing, np.empty(0, dtype=np.int64)).to_native()) == []


def test_take_nothing_at_all(engine: Engine) -> None:
    native = engine.series([1, 2])
    taken = _engines.take(series_of(native), np.empty(0, dtype=np.int64)).to_native()
    assert values_of(taken) == []
    if engine.name == "pyarrow":
        assert taken.type == native.type
    else:
        assert taken.dtype == native.dtype


def test_take_across_chunks() -> None:
    positions = np.array([3, -1, 0, 2])
    for native in (
        pa.chunked_array([["a"], [], ["b", "c"], ["d"]]),
        pl.concat([pl.Series(["a"]), pl.Series(["b", "c"]), pl.Series(["d"])], rechunk=False),
    ):
        assert values_of(_engines.take(series_of(native), positions).to_native()) == [
            *("d", None, "a", "c")
        ]


def test_take_ignores_the_index_of_pandas() -> None:
    native = pd.Series(["a", "b", "c"], index=[2, 0, 1])
    taken = _engines.take(series_of(native), np.array([0, 2])).to_native()
    assert taken.tolist() == ["a", "c"]
    assert taken.index.tolist() == [0, 1]
