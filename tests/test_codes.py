"""Integer codes, against NumPy's sorting functions and plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyaltykit import _codes, _parallel

# A table of flags is used below the limit, a sort above it: both must give the same.
HUGE = 1 << 40
CODES = st.lists(st.integers(0, 20), max_size=40)


@pytest.mark.parametrize("size", [21, HUGE])
@given(values=CODES)
def test_distinct_are_sorted(size: int, values: list[int]) -> None:
    codes = np.array(values, dtype=np.int64)
    assert _codes.distinct(codes, size).tolist() == sorted(set(values))


@pytest.mark.parametrize("size", [21, HUGE])
@given(values=CODES)
def test_renumber_keeps_order_and_leaves_no_gap(size: int, values: list[int]) -> None:
    codes = np.array(values, dtype=np.int64)
    before = codes.copy()
    renumbered, present = _codes.renumber(codes, size)
    assert present.tolist() == sorted(set(values))
    assert present[renumbered].tolist() == values
    assert np.array_equal(codes, before)


@given(values=st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_first_rows(values: list[int]) -> None:
    codes, present = _codes.renumber(np.array(values, dtype=np.int64), 6)
    expected = [values.index(value) for value in present.tolist()]
    assert _codes.first_rows(codes, len(present)).tolist() == expected


def test_first_rows_of_no_rows() -> None:
    assert _codes.first_rows(np.empty(0, dtype=np.int64), 0).tolist() == []


def test_ranked_leaves_null_alone() -> None:
    # By appearance: 0 is "c", 1 is "a", 2 is "b"; sorted they are a, b, c.
    codes = np.array([0, 1, -1, 2, 0])
    order = np.array([1, 2, 0])
    assert _codes.ranked(codes, order).tolist() == [2, 0, -1, 1, 2]


def test_ranked_widens_small_codes() -> None:
    codes = np.array([0, 1], dtype=np.int8)
    assert _codes.ranked(codes, np.array([1, 0])).dtype == np.int64


# ---- the two ways to find what is present, and where one takes over -----------------------------


@pytest.mark.parametrize("limit", [0, 1, 20, 1 << 24])
@given(values=CODES, spare=st.integers(0, 5))
def test_the_limit_changes_nothing(limit: int, values: list[int], spare: int) -> None:
    """Whatever the limit, few rows with a large size are sorted and many rows are flagged."""
    codes = np.array(values, dtype=np.int64)
    size = max(values, default=0) + 1 + spare
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_codes, "_MOST_DIRECT", limit)
        distinct = _codes.distinct(codes, size)
        renumbered, present = _codes.renumber(codes, size)
    assert distinct.tolist() == present.tolist() == sorted(set(values))
    assert renumbered.tolist() == [sorted(set(values)).index(value) for value in values]
    assert {made.dtype for made in (distinct, renumbered, present)} == {np.dtype(np.int64)}


def test_codes_without_a_gap_stay_as_they_are() -> None:
    codes = np.array([2, 0, 1, 2])
    renumbered, present = _codes.renumber(codes, 3)
    assert renumbered.tolist() == [2, 0, 1, 2]
    assert present.tolist() == [0, 1, 2]


@pytest.mark.parametrize("size", [0, 5, HUGE])
def test_no_codes(size: int) -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert _codes.distinct(nothing, size).tolist() == []
    assert [part.tolist() for part in _codes.renumber(nothing, size)] == [[], []]


def test_ranked_is_the_inverse_of_an_order() -> None:
    """Codes by appearance, ranked by the sort of their values, find those values again."""
    values = np.array(["c", "a", "d", "b"])
    order = np.argsort(values)
    ranked = _codes.ranked(np.arange(4), order)
    assert values[order][ranked].tolist() == values.tolist()
    assert _codes.ranked(np.array([-1, -1]), np.empty(0, dtype=np.int64)).tolist() == [-1, -1]


@pytest.mark.parametrize("threads", [1, 2])
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=40))
def test_unique(threads: int, values: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_parallel, "_THREADS", threads)
        patch.setattr(_parallel, "_FEWEST_ROWS", 2)
        patch.setattr(_parallel, "BLOCK", 3)
        found = _codes.unique(np.array(values, dtype=np.int64))
    assert found.tolist() == sorted(set(values))


@given(values=st.lists(st.integers(0, 2), max_size=20), start=st.integers(0, 20))
def test_starts_of_runs(values: list[int], start: int) -> None:
    array = np.array(values, dtype=np.int64)
    expected = [i == 0 or values[i] != values[i - 1] for i in range(len(values))]
    assert _codes.starts_of_runs(array).tolist() == expected
    assert (
        _codes.starts_of_runs(array, slice(start, start + 4)).tolist()
        == expected[start : start + 4]
    )


@pytest.mark.parametrize("size", [21, HUGE])
@pytest.mark.parametrize(
    "kinds", [(np.int64, np.int64), (np.int8, np.uint8), (np.uint32, np.uint16)]
)
@given(values=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4)), max_size=40))
def test_distinct_pairs(size: int, kinds: tuple[str, str], values: list[tuple[int, int]]) -> None:
    codes, other = (
        np.array([pair[i] for pair in values], dtype=kind) for i, kind in enumerate(kinds)
    )
    found = _codes.distinct_pairs(codes, other, 5, size)
    assert found.tolist() == sorted({5 * code + rest for code, rest in values})


@pytest.mark.parametrize(("size", "kind"), [(256, np.uint8), (257, np.uint16), (65_537, np.int64)])
def test_narrowest(size: int, kind: Any) -> None:
    assert _codes.narrowest(size) is kind
    made = _codes.paired(np.array([0, 1], dtype=np.int8), np.array([3, 4]), 5, kind)
    assert (made.dtype, made.tolist()) == (kind, [3, 9])


def test_renumber_keeps_narrow_codes_narrow() -> None:
    codes, present = _codes.renumber(np.array([200, 3, 200], dtype=np.uint8), 201)
    assert codes.dtype == np.uint8
    assert (codes.tolist(), present.tolist()) == ([1, 0, 1], [3, 200])


@given(
    values=st.lists(st.tuples(st.integers(-20, 2), st.integers(0, 4)), min_size=1, max_size=40),
    far=st.sampled_from([0, 2**62, -(2**62)]),
)
def test_distinct_pairs_counted_from_the_lowest(values: list[tuple[int, int]], far: int) -> None:
    codes = np.array([code + far for code, _ in values], dtype=np.int64)
    other = np.array([rest for _, rest in values], dtype=np.uint8)
    low = min(code for code, _ in values)
    expected = sorted({5 * (code - low) + rest for code, rest in values})
    for size in (100, HUGE):
        assert _codes.distinct_pairs(codes, other, 5, size, low + far).tolist() == expected


def test_values_are_added_up_by_code_in_place_or_where_codes_are_sparse() -> None:
    codes, values = np.array([7, 2, 7, 5]), np.array([1.5, 2.0, 0.25, -1.0])
    distinct = np.array([2, 5, 7])
    for size in (8, 1 << 40):
        assert _codes.added_of(codes, distinct, values, size).tolist() == [2.0, -1.0, 1.75]
    nothing = np.zeros(0, dtype=np.int64)
    assert _codes.added(nothing, np.zeros(0), 2).dtype == np.float64


def test_runs_of_numbers_follow_their_first_ones() -> None:
    assert _codes.runs(np.array([4, 9, 0]), np.array([2, 0, 3])).tolist() == [4, 5, 0, 1, 2]
