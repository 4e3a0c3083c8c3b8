"""Dask: what a partition makes of its answers. Clusters are in test_partitions."""

from __future__ import annotations

import pandas as pd

from loyaltykit import _answer_partitions
from loyaltykit._frame import PERIOD, ROWS, N


def test_a_partition_is_reduced_to_distinct_answers() -> None:
    part = pd.DataFrame(
        {
            "sector": ["B2B", "B2B", None, "B2B"],
            "nps": [9, 9, 3, 9],
            "day": ["2026-01-05", "2026-01-31", "2026-01-05", "soon"],
        }
    )
    told = _answer_partitions._distinct_answers(
        part, ["sector", "nps"], None, "day", "month", "raise", None
    )
    assert (told.without_time, told.not_a_time, told.shown) == (1, 1, ["soon"])
    found = told.rows.astype(object).where(told.rows.notna(), None).values.tolist()
    assert list(told.rows.columns) == ["sector", "nps", PERIOD, N, ROWS]
    assert found == [["B2B", 9, 672, 2.0, 2], [None, 3, 672, 1.0, 1]]  # 672 is January 2026
