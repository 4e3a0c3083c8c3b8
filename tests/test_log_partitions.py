"""Dask: what is counted of one partition's customers. Clusters are in test_partitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from loyaltykit import _cohort_rows, _dask, _log_partitions, _logs
from loyaltykit._cohorts import AGE, DONE, MEMBERS
from loyaltykit._flows import KIND
from loyaltykit._frame import ID, PERIOD, N

PART = pd.DataFrame({ID: [7, 7, 9], _dask.HOME: [0, 0, 0], PERIOD: [672, 673, 672]})
NOTHING = np.zeros(0, dtype=np.int64)
ASKED: dict[str, Any] = {
    "customer": "id",
    "by": [],
    "active": _logs.Activity(NOTHING, NOTHING, 672, 2, "month"),  # January and February 2026
    "end": np.datetime64("2026-03-01"),
    "zone": None,
}


def test_a_partition_counts_the_flow_of_its_customers() -> None:
    found = _log_partitions._flows_of(PART, **ASKED)
    assert list(found.columns) == [PERIOD, KIND, N]
    cells = [(672, 0, 2), (673, 1, 1), (673, 3, 1)]
    assert list(found.itertuples(index=False, name=None)) == cells


def test_a_partition_counts_the_cohorts_of_its_customers() -> None:
    found = _log_partitions._cohorts_of(PART, **ASKED, asked=_cohort_rows.Asked())
    assert list(found.columns) == [PERIOD, DONE, AGE, MEMBERS, N]
    # The cohort's two members, then who was active at which age.
    cells = [(672, 0, -1, 2, 0), (672, 0, 0, 0, 2), (672, 0, 1, 0, 1)]
    assert list(found.itertuples(index=False, name=None)) == cells
