"""Dask: what is counted of one partition's customers. Clusters are in test_partitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loyaltykit import _dask, _log_partitions, _logs
from loyaltykit._frame import ID, PERIOD, N


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        # (period or cohort, kind or age, customers): 672 is January 2026
        ("flows", [(672, 0, 2), (673, 1, 1), (673, 3, 1)]),
        ("cohorts", [(672, 0, 2), (672, 1, 1)]),
    ],
)
def test_a_partition_counts_its_customers(kind: str, cells: list[tuple[int, int, int]]) -> None:
    part = pd.DataFrame({ID: [7, 7, 9], _dask.HOME: [0, 0, 0], PERIOD: [672, 673, 672]})
    nothing = np.zeros(0, dtype=np.int64)
    active = _logs.Activity(nothing, nothing, 672, 2, "month")
    found = _log_partitions._cells(
        part,
        customer="id",
        by=[],
        kind=kind,
        active=active,
        end=np.datetime64("2026-03-01"),
        zone=None,
    )
    assert list(found.columns) == [PERIOD, _log_partitions._PLACES[kind], N]
    assert list(found.itertuples(index=False, name=None)) == cells
