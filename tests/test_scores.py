"""Kernels of scores: where they begin, and that parts add up."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loyaltykit import _scores

values = st.lists(st.integers(0, 9), min_size=1, max_size=40)


@given(values=values, bins=st.integers(2, 9))
def test_the_rule_for_ties(values: list[int], bins: int) -> None:
    array = np.array(values, dtype=np.float64)
    cuts = _scores.cuts(*_scores.counted(array), bins)
    expected = [1 + bins * sum(y < x for y in values) // len(values) for x in values]
    assert _scores.scored(array, cuts).tolist() == expected


@given(values=values, at=st.integers(0, 40))
def test_parts_add_up(values: list[int], at: int) -> None:
    array = np.array(values, dtype=np.float64)
    parts = [_scores.counted(array[:at]), _scores.counted(array[at:])]
    merged = _scores.merged(parts)
    assert [found.tolist() for found in merged] == [
        found.tolist() for found in _scores.counted(array)
    ]


def test_nobody() -> None:
    cuts = _scores.cuts(*_scores.merged([]), 5)
    assert cuts.values.tolist() == []
    assert _scores.scored(np.zeros(0), cuts).tolist() == []


def test_the_grid_covers_every_pair_of_scores_once() -> None:
    cells = [(r, f) for rows, columns in _scores.GRID.values() for r in rows for f in columns]
    assert sorted(cells) == [(r, f) for r in range(1, 6) for f in range(1, 6)]
    codes = _scores.segment_codes(np.array([5, 1, 3]), np.array([5, 5, 3]))
    assert [_scores.SEGMENTS[code] for code in codes] == [
        "champions",
        "cant_lose",
        "need_attention",
    ]


def test_sums_are_equal_to_a_millionth() -> None:
    sums = np.array([0.1 + 0.2, 0.3, -0.1 - 0.2, -0.3, 0.300001])
    assert _scores.rounded(sums).tolist() == [300_000, 300_000, -300_000, -300_000, 300_001]
