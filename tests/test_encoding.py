"""Columns as integers: keys in the values' own order, narrow codes, and dictionaries in parts."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Engine, values_of

from loyaltykit import _encoding, _parallel

NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def series_of(native: Any) -> Any:
    return nw.from_native(native, series_only=True).alias("id")


def keys_of(series: Any) -> _encoding.Keys:
    keys = _encoding.integer_keys(series)
    assert keys is not None
    return keys


# ---- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", NUMBERS)
def test_integers_are_their_own_keys(engine: Engine, dtype: str) -> None:
    extremes = [int(np.iinfo(dtype).max), int(np.iinfo(dtype).min)]
    series = nw.from_native(engine.typed({"id": [3, *extremes]}, "id", dtype), eager_only=True)[
        "id"
    ]
    keys = keys_of(series)
    assert keys.values.tolist() == [3, *extremes]
    again = keys.named(np.sort(keys.values))
    assert again.dtype == series.dtype
    assert type(again.to_native()) is type(series.to_native())
    assert again.to_list() == sorted([3, *extremes])
    assert keys.only(np.array([True, False, True])).values.tolist() == [3, extremes[1]]


@pytest.mark.parametrize(
    "native",
    [
        pd.Series(["C12", "", "C2"], dtype="string[pyarrow]"),
        pd.concat([pd.Series(["C12", ""], dtype="str"), pd.Series(["C2"], dtype="str")]),
        pd.Series(["C12", "", "C2"], dtype=pd.ArrowDtype(pa.string())),
        pl.Series(["C12", "", "C2"]),
        pa.chunked_array([["C12", ""], [], ["C2"]]),
        pa.chunked_array([pa.array(["-", "C12", "", "C2"], pa.large_string()).slice(1)]),
    ],
    ids=lambda native: type(native).__module__.partition(".")[0],
)
def test_short_texts_have_keys(native: Any) -> None:
    series = series_of(native)
    keys = _encoding.integer_keys(series)
    if keys is None:  # pandas 2 holds str as objects
        assert not hasattr(native, "array") or not _encoding._held_by_arrow(native)
        return
    assert np.argsort(keys.values).tolist() == [1, 0, 2]
    again = keys.named(keys.values[[1, 0, 2]])
    assert again.to_list() == ["", "C12", "C2"]
    assert again.dtype == series.dtype
    assert again.name == "id"
    assert getattr(again.to_native(), "dtype", None) == getattr(native, "dtype", None)
    assert getattr(again.to_native(), "type", None) == getattr(native, "type", None)


@pytest.mark.parametrize("values", [[1, None], ["a", None], ["a" * 17], [1.5, 2.0], [True], []])
def test_other_columns_have_no_keys(engine: Engine, values: list[Any]) -> None:
    assert _encoding.integer_keys(series_of(engine.series(values))) is None


def test_ranks() -> None:
    codes, distinct = _encoding.ranks(np.array([7, -3, 7, 100]))
    assert (codes.tolist(), distinct.tolist()) == ([1, 0, 1, 2], [-3, 7, 100])
    codes, distinct = _encoding.ranks(np.zeros(0, dtype=np.int64))
    assert (codes.tolist(), distinct.tolist()) == ([], [])


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64"])
def test_ranks_of_the_widest_integers(dtype: str) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    for values in ([high, low, high - 1, high], [high, high - 2, high], [low + 1, low, low + 1]):
        keys = np.array(values, dtype=dtype)
        codes, distinct = _encoding.ranks(keys)
        assert codes.tolist() == [sorted(set(values)).index(v) for v in values]
        assert (distinct.tolist(), distinct.dtype) == (sorted(set(values)), keys.dtype)


# ---- codes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "native",
    [
        pd.Series(pd.Categorical(["b", "a", None, "b"])),
        pl.Series(["b", "a", None, "b"], dtype=pl.Enum(["a", "b", "c"])),
        pd.Series(["b", "a", None, "b"], dtype="string[pyarrow]"),
        pa.chunked_array([["b", "a"], [None, "b"]]),
        pl.Series(["b", "a", None, "b"], dtype=pl.Categorical),
        pl.Series(["b", "a", None, "b"]),
    ],
    ids=lambda native: (
        f"{type(native).__module__.partition('.')[0]}-{getattr(native, 'dtype', '')}"
    ),
)
@pytest.mark.parametrize("ordered", [True, False])
def test_codes_lead_back_to_the_values(native: Any, ordered: bool) -> None:
    made = _encoding.compact(series_of(native), ordered=ordered)
    levels = np.array([*made.levels.to_list(), None], dtype=object)
    assert levels[made.codes].tolist() == ["b", "a", None, "b"]
    assert made.codes.dtype.kind == "i"
    if ordered:
        assert _encoding.encode(series_of(native)).codes.tolist() == [1, 0, -1, 1]
    assert _encoding.encode(series_of(native)).codes.dtype == np.int64


def test_categories_are_not_copied() -> None:
    native = pd.Series(pd.Categorical(["b", "a", "b"]))
    codes = _encoding.compact(series_of(native)).codes
    assert codes.dtype == np.int8
    assert np.shares_memory(codes, native.array.codes)


@pytest.mark.parametrize("values", [[5, -5, 5], [10**6, 10**6 + 60_000], [2**62, 2**62 + 3, 2**62]])
def test_integers_close_together(engine: Engine, values: list[int]) -> None:
    made = _encoding.compact(series_of(engine.series(values)))
    assert made.levels.to_list() == sorted(set(values))
    assert np.array(made.levels.to_list())[made.codes].tolist() == values
    assert made.codes.dtype.itemsize <= 2


@pytest.mark.parametrize("values", [[0, 1 << 16], [-(2**63), 2**63 - 1], [-1, 2**40]])
def test_integers_far_apart(engine: Engine, values: list[int]) -> None:
    made = _encoding.compact(series_of(engine.series(values)))
    assert made.levels.to_list() == values
    assert made.codes.tolist() == [0, 1]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("ordered", [True, False])
def test_dictionaries_of_parts_become_one(
    monkeypatch: pytest.MonkeyPatch, threads: int, ordered: bool
) -> None:
    monkeypatch.setattr(_parallel, "_THREADS", threads)
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    rng = np.random.default_rng(threads)
    values = [None if i % 7 == 0 else f"k{i}" for i in rng.integers(0, 300, 1000).tolist()]
    chunks = [values[:10], [], values[10:999], values[999:]]
    native = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks])
    codes, levels = _encoding._dictionary(native, ordered)
    listed = [*levels.to_pylist(), None]
    assert [listed[code] for code in codes] == values
    assert len(set(listed)) == len(listed)
    assert not ordered or listed[:-1] == sorted(listed[:-1])
    assert codes.dtype == np.int16


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_polars_texts_beyond_the_first_rows(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(_encoding, "_FIRST_ROWS", rows)
    values = ["b", None, "a", "b", "z", None, "a"]
    made = _encoding.compact(series_of(pl.Series(values)))
    assert made.levels.to_list() == ["a", "b", "z"]
    assert made.codes.tolist() == [1, -1, 0, 1, 2, -1, 0]


def test_numbers_run_by_run(engine: Engine) -> None:
    series = series_of(engine.series([1.0, None, 3.0, 4.0]))
    runs = _encoding.numeric_runs(series)
    assert np.array_equal(runs(slice(0, 2)), [1, np.nan], equal_nan=True)
    assert np.array_equal(runs(slice(2, 4)), [3, 4])
    assert values_of(series.to_native())[0] == 1
