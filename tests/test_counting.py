"""Counting by blocks, bytes and pairs, against plain Python over one row after another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyaltykit import _counting, _parallel

IntArray = npt.NDArray[np.int64]
NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
HUGE = [2.0**52, 2.0**52 + 1, 2.0**53, -(2.0**52), 2.0**63, 2.0**64, 1e300, -1e300]
TRICKY = [9.5, 0.5, 1e-300, 5e-324, 9.999999999999998, 10.000000000000002, math.inf, -math.inf]


# ---- numbers to slots ---------------------------------------------------------------------------


def oracle_slots(values: list[float], low: int, high: int) -> list[int] | None:
    slots = []
    for value in values:
        if math.isnan(value):
            slots.append(high - low + 1)
        elif low <= value <= high and value == int(value):
            slots.append(int(value) - low)
        else:
            return None
    return slots


def found(values: npt.NDArray[Any], low: int, high: int) -> list[int] | None:
    before = values.copy()
    slots = _counting.slots_of_whole(values, low, high)
    assert np.array_equal(values, before, equal_nan=values.dtype.kind == "f")
    return None if slots is None else slots.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("low", "high"), [(0, 10), (1, 5), (-2, 2), (0, 1), (-120, 130)])
@given(data=st.data())
def test_slots_of_floats(dtype: str, low: int, high: int, data: st.DataObject) -> None:
    whole = st.integers(low - 1, high + 1).map(float)
    drawn = st.one_of(whole, whole, whole, st.just(math.nan), st.just(-0.0), st.floats(width=16))
    values = np.array(data.draw(st.lists(drawn, min_size=1, max_size=20)), dtype=dtype)
    assert found(values, low, high) == oracle_slots(values.tolist(), low, high)


@pytest.mark.parametrize("value", [11.0, -1.0, *TRICKY, *HUGE])
@pytest.mark.parametrize("company", [[], [math.nan], [3.0, math.nan, -0.0]])
def test_one_number_off_the_scale_is_seen(value: float, company: list[float]) -> None:
    """Neither in a valid slot nor in the one for missing."""
    assert found(np.array([*company, value]), 0, 10) is None
    assert found(np.array([value, *company]), 0, 10) is None


def test_a_nan_may_carry_anything() -> None:
    """R's NA is a NaN with a number in its last bytes."""
    bits = [0x7FF00000000007A2, 0x7FF8000000000001, 0xFFF8000000000005, 0x7FF0000000000003]
    values = np.array(bits, dtype=np.uint64).view(np.float64)
    assert found(values, 0, 10) == [11, 11, 11, 11]
    assert found(np.append(values, 11.0), 0, 10) is None


def test_nan_alone() -> None:
    assert found(np.full(3, np.nan), 0, 10) == [11, 11, 11]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(("low", "high"), [(0, 10), (-2, 2), (100, 120)])
@given(data=st.data())
def test_slots_of_integers(dtype: str, low: int, high: int, data: st.DataObject) -> None:
    limits = np.iinfo(dtype)
    near = st.integers(max(low - 1, limits.min), min(high + 1, limits.max))
    drawn = st.one_of(near, near, st.integers(limits.min, limits.max))
    values = data.draw(st.lists(drawn, min_size=1, max_size=10))
    on = all(low <= value <= high for value in values)
    expected = [value - low for value in values] if on else None
    assert found(np.array(values, dtype=dtype), low, high) == expected


def test_scales_beyond_a_byte_are_left_to_others() -> None:
    assert _counting.slots_of_whole(np.array([1.0]), 0, 253) is not None
    assert _counting.slots_of_whole(np.array([1.0]), 0, 254) is None
    assert _counting.slots_of_whole(np.array([2.0**51]), 2**51, 2**51 + 2) is None
    assert _counting.slots_of_whole(np.array([True]), 0, 1) is None


def test_strided_numbers() -> None:
    values = np.array([[1.0, 9.5], [2.0, 9.5]])[:, 0]
    assert found(values, 0, 10) == [1, 2]


# ---- slots to a table ---------------------------------------------------------------------------


def oracle_table(codes: IntArray, slots: IntArray, size: int, width: int) -> IntArray:
    table = np.zeros((size, width), dtype=np.int64)
    for code, slot in zip(codes.tolist(), slots.tolist(), strict=True):
        table[code, slot] += 1
    return table


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("length", [0, 1, 2, 63, 64, 65, 1000, 1001])
@pytest.mark.parametrize(
    ("size", "width"),
    [(1, 13), (4, 13), (19, 13), (20, 13), (1, 255), (1, 256), (300, 13), (5041, 13), (5042, 13)],
)
def test_count_cells(
    monkeypatch: pytest.MonkeyPatch, threads: int, length: int, size: int, width: int
) -> None:
    """From 255 cells on a byte is too small, from 65,535 on two bytes are."""
    monkeypatch.setattr(_counting, "_BLOCK", 64)
    monkeypatch.setattr(_parallel, "_THREADS", threads)
    monkeypatch.setattr(_parallel, "_FEWEST_ROWS", 2)
    rng = np.random.default_rng(length)
    codes, slots = rng.integers(0, size, length), rng.integers(0, width, length)
    if length > 1:
        codes[-1], slots[-1] = size - 1, width - 1  # the last cell, in the last row
    expected = oracle_table(codes, slots, size, width)
    for kind in (np.int64, np.uint16, np.uint8 if size <= 256 else np.int32):
        table = _counting.count_cells(codes.astype(kind), size, width, slots.__getitem__, length)
        assert table.dtype == np.int64
        assert np.array_equal(table, expected)
    times = rng.integers(0, 5, length)
    expected = oracle_table(codes.repeat(times), slots.repeat(times), size, width)
    weights = times.astype(np.float64)
    table = _counting.count_cells(codes, size, width, slots.__getitem__, length, weights)
    assert np.array_equal(table, expected)
    alone = _counting.count_cells(None, 1, width, slots.__getitem__, length)
    assert np.array_equal(alone[0], np.bincount(slots, minlength=width))


def test_no_groups() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert _counting.count_cells(nothing, 0, 13, nothing.__getitem__, 0).shape == (0, 13)


def test_signed_codes_of_a_category() -> None:
    codes = np.array([126, 0, 126], dtype=np.int8)
    slots = np.array([1, 0, 1], dtype=np.uint8)
    table = _counting.count_cells(codes, 127, 3, slots.__getitem__, 3)
    assert table[126].tolist() == [0, 2, 0]
    assert table.sum() == 3
