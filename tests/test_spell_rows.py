"""Spells in memory: how many are alike, in which order, and codes of times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from loyaltykit import _spell_rows, _spells

if TYPE_CHECKING:
    from conftest import Engine

ROWS: dict[str, list[Any]] = {
    "months": [6, 6, 6, 6, 7, 9, 10, 0],
    "left": [1, 1, 1, 0, 1, 0, 1, 0],
    "plan": list("aabbaabb"),
    "since": [0, 0, 1, 0, 2, 0, 0, None],
    "weight": [1.0, 2.0, 0.0, 4.0, 5.0, 6.0, 7.0, 8.0],
    "times": [1, 0, 2, 3, 4, 5, 6, 7],
}
NOTHING: dict[str, Any] = {"by": None, "entry": None, "counts": None, "weights": None}


def read(engine: Engine, **options: Any) -> _spells.Spells:
    frame = engine.frame(ROWS)
    return _spells.read(frame, "months", "left", **{**NOTHING, **options}, errors="raise")


def test_spells_that_are_alike_are_one(engine: Engine) -> None:
    found = read(engine)
    assert found.size == 1
    assert found.duration.tolist() == [0, 6, 6, 7, 9, 10]
    assert found.duration.dtype == np.int64
    assert found.event.tolist() == [False, False, True, True, False, True]
    assert found.n.tolist() == [1, 1, 3, 1, 1, 1]
    assert (found.entry, found.weight, found.square) == (None, None, None)


def test_counts_are_added_up_and_rows_of_nobody_left_out(engine: Engine) -> None:
    found = read(engine, by="plan", counts="times")
    assert found.group.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.duration.tolist() == [6, 7, 9, 0, 6, 6, 10]
    assert found.n.tolist() == [1, 4, 5, 7, 3, 2, 6]


def test_weights_and_their_squares_are_added_up(engine: Engine) -> None:
    found = read(engine, by="plan", weights="weight", entry="since")
    assert found.entry is not None
    assert found.entry.tolist() == [0, 2, 0, 0, 0, 0]
    assert found.entry.dtype == np.int64
    assert found.n.tolist() == [2, 1, 1, 1, 1, 1]
    assert found.weight is not None
    assert found.weight.tolist() == [3, 5, 6, 8, 4, 7]
    assert found.square is not None
    assert found.square.tolist() == [5, 25, 36, 64, 16, 49]


@pytest.mark.parametrize("values", [[3, 1, 3], [1e9, 2.5, 1e9], [0.5, 0.25, 0.5], [4.0, 1.0, 4.0]])
def test_codes_lead_to_the_times(values: list[float]) -> None:
    times = np.array(values)
    codes, levels = _spell_rows.coded(times)
    assert levels[codes].tolist() == values
    assert levels.dtype == times.dtype
    assert (np.diff(levels) > 0).all()
