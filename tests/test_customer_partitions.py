"""Dask: rows of one partition's customers. Clusters are in test_partitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loyaltykit import _customer_partitions, _frame
from loyaltykit.errors import DataError


def test_ties_are_refused_unless_the_rows_are_equal() -> None:
    rows = pd.DataFrame({"id": [1, 1, 2, 2], "day": ["2026-01-05"] * 4, "nps": [9, 9, 3, 4]})
    frame, codes = _frame.open_frame(rows), np.array([0, 0, 1, 1])
    equal = np.array([0, 1])
    _customer_partitions.refuse_ties(frame, equal, codes[equal], "id", "day", "latest")
    with pytest.raises(DataError, match=r"'id': 1 customer has different rows .* \(ids 2\)"):
        _customer_partitions.refuse_ties(frame, np.arange(4), codes, "id", "day", "latest")
