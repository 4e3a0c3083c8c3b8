"""Weighted and clustered tallies: what is stacked and read back is the single pass."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from conftest import Engine, column_names, frame_rows
from test_designs import sample

import loyaltykit as lk
from loyaltykit import _results
from loyaltykit.errors import DataError, ScaleWarning


def test_columns(engine: Engine) -> None:
    frame = engine.frame({**sample(1), "day": ["2026-01-05"] * 80})
    options: dict[str, Any] = {"by": "sector", "scale": (1, 7), "weights": "weight"}
    weighted = lk.tally(frame, "answer", **options)
    assert column_names(weighted) == ["sector", "answer", "n", "weight", "weight_sq"]
    table = lk.tally(frame, "answer", time="day", clusters="account", **options)
    assert column_names(table) == ["sector", "period", *_results.TALLY_WEIGHTED]
    table = lk.tally(frame, "answer", by=["account", "sector"], clusters="account", scale=(1, 7))
    assert column_names(table) == ["account", "sector", "cluster", "answer", "n"]


def test_sums_by_hand() -> None:
    data = pd.DataFrame({"a": [5, 5, 5, None, 4], "w": [1.0, 0.5, 0.0, 3.0, 2.0]})
    rows = frame_rows(lk.tally(data, "a", weights="w", scale=(1, 5)))
    assert [tuple(row.values()) for row in rows] == [
        (4, 1, 2.0, 4.0),
        (5, 2, 1.5, 1.25),
        (None, 2, 3.0, 9.0),  # the answer that nobody weighs is with the missing
    ]


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("metric", [lk.nps, lk.csat, lk.ces])
def test_shards_stacked_are_the_single_pass(metric: Any, clustered: bool) -> None:
    data = pd.DataFrame(sample(6, 300))
    scale: dict[str, Any] = {"scale": (1, 10), "by": "sector"}
    design: dict[str, Any] = {"weights": "weight", **({"clusters": "account"} if clustered else {})}
    shards = [
        lk.tally(part, "answer", **scale, **design) for part in (data[i::4] for i in range(4))
    ]
    read: dict[str, Any] = {
        "counts": "n",
        "weights": "weight",
        **({"clusters": "cluster"} if clustered else {}),
    }
    merged = metric(pd.concat(shards), "answer", **scale, **read)
    pd.testing.assert_frame_equal(merged, metric(data, "answer", **scale, **design), rtol=1e-12)
    again = lk.tally(pd.concat(shards), "answer", **scale, **read)
    once = lk.tally(data, "answer", **scale, **design)
    pd.testing.assert_frame_equal(again, once, rtol=1e-12)


def test_a_null_cluster_is_refused() -> None:
    data = pd.DataFrame({"a": [5, 4, 3], "account": ["x", None, None]})
    with pytest.raises(DataError, match=r"^clusters='account' is null in 2 rows\."):
        lk.tally(data, "a", clusters="account", scale=(1, 5))


@pytest.mark.parametrize("weights", [None, "w"])
def test_a_shorter_scale_than_the_one_named_is_suspected(weights: str | None) -> None:
    data = pd.DataFrame({"a": [1, 2, 3, 4, 5], "w": [1.0] * 5})
    with pytest.warns(ScaleWarning, match="no answer is above 5 on a scale of 0 to 10"):
        lk.tally(data, "a", weights=weights, scale=(0, 10))
