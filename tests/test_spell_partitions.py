"""Dask: what a partition makes of its durations and events."""

from __future__ import annotations

from typing import Any

import pandas as pd

from loyaltykit import _spell_partitions, _spell_rows
from loyaltykit._frame import SQUARE, WEIGHT, N
from loyaltykit._spell_rows import DURATION, EVENT, MISSING


def reduced(columns: dict[str, Any], **names: str) -> Any:
    asked = _spell_rows.Asked("t", "d", None, names.get("counts"), names.get("weights"))
    return _spell_partitions._distinct_spells(pd.DataFrame(columns), asked, ["plan"])


def test_a_partition_is_reduced_to_distinct_spells() -> None:
    columns = {"plan": ["a", "a", "b", "a"], "t": [3, 3, 5, 3], "d": [True, True, False, False]}
    part = reduced({**columns, "w": [0.5, 2.0, 1.0, 4.0]}, weights="w")
    assert list(part.rows.columns) == ["plan", DURATION, EVENT, N, WEIGHT, SQUARE, MISSING]
    assert part.rows.to_numpy().tolist() == [
        ["a", 3, 0, 1, 4.0, 16.0, 0],
        ["a", 3, 1, 2, 2.5, 4.25, 0],
        ["b", 5, 0, 1, 1.0, 1.0, 0],
    ]


def test_a_group_of_nobody_is_told_of() -> None:
    part = reduced({"plan": ["a", "b"], "t": [3, 5], "d": [1, 1], "n": [2, 0]}, counts="n")
    assert part.rows.to_numpy().tolist() == [["a", 3, 1, 2, 0], ["b", 0, 0, 0, 0]]


def test_those_left_out_are_told_of_beside_those_who_stay() -> None:
    part = reduced({"plan": ["a", "a", "b"], "t": [3.0, None, None], "d": [1, 1, 0]})
    assert part.rows.to_numpy().tolist() == [
        *(["a", 3, 1, 1, 0], ["a", 0, 0, 0, 1], ["b", 0, 0, 0, 1])
    ]


def test_what_is_wrong_is_counted_and_shown() -> None:
    part = reduced({"plan": ["a", "b", "a"], "t": [-3.0, float("inf"), None], "d": [1, 1, 1]})
    assert part.rows is None
    assert part.wrong.counted[_spell_rows.BAD_DURATION] == 2
    assert part.wrong.shown[_spell_rows.BAD_DURATION] == [-3.0, float("inf")]
    assert part.wrong.counted[_spell_rows.NO_DURATION] == 1
