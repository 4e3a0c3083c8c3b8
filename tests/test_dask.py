"""Partitions: their types, and the home of equal ids. Clusters are in test_partitions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loyaltykit import _dask
from loyaltykit.errors import DataError


def test_a_partition_of_another_type_is_brought_to_the_frames() -> None:
    wanted = {"id": np.dtype("int64")}
    part = pd.DataFrame({"id": ["1", "2"]})
    same = _dask.typed(lambda made: made, part, types=wanted, names=["id"])
    assert same["id"].tolist() == [1, 2]
    with pytest.raises(DataError, match=r"'id': one partition holds (str|object).* says int64"):
        _dask.typed(len, pd.DataFrame({"id": ["x"]}), types=wanted, names=["id"])


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.5, 2.0], "int64"),
        ([5, 0], "bool"),
        ([2**32 + 1], "int32"),
        ([3], "str"),
        (["01"], "int64"),
    ],
)
def test_a_partition_is_never_brought_to_another_value(values: list[Any], dtype: str) -> None:
    assert _dask._same_values(pd.Series(values), pd.Series([], dtype=dtype).dtype) is None


def test_equal_ids_have_one_home() -> None:
    """Whatever the type that they come in; those of Dask's own hash would differ."""
    at = pd.Series(pd.to_datetime(["2026-01-05", "2026-01-06"]))
    alike: list[list[pd.Series[Any]]] = [
        [
            pd.Series([1, 2]),
            pd.Series([1.0, 2.0]),
            pd.Series([1, 2], dtype="int8"),
            pd.Series([1, 2], dtype="Int64"),
            pd.Series([1, 2], dtype=object),
            pd.Series([Decimal("1.0"), Decimal("2.00")]),
        ],
        [at.astype("datetime64[us]"), at.astype("datetime64[ns]"), at.dt.date],
        [pd.Series(["a", "b"]), pd.Series(["a", "b"], dtype=object)],
        [pd.Series([True, False]), pd.Series([True, False], dtype=object)],
    ]
    for same in alike:
        homes = [_dask.home(values).tolist() for values in same]
        assert all(home == homes[0] for home in homes)
        assert homes[0][0] != homes[0][1]
    with pytest.raises(DataError, match="holds mixed-integer values"):
        _dask.home(pd.Series([1, "a"], dtype=object))
