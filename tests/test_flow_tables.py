"""Rows of flows: which periods know their start, and which groups are present."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from loyaltykit import _flow_tables
from loyaltykit._flows import CHURNED, NEW, RETAINED
from loyaltykit.errors import ParameterError

LOG = pd.DataFrame(
    {"id": [1, 1, 2], "day": ["2026-01-05", "2026-02-06", "2026-02-07"], "key": ["a", "a", "b"]}
)
OPTIONS: dict[str, Any] = {
    **{"freq": "month", "by": None, "segments": None, "as_of": "2026-03-20"},
    **{"observed_from": None, "tz": None, "errors": "raise"},
}


def test_rows_of_a_log() -> None:
    flow = _flow_tables.counted(LOG, "id", "day", contract_end=None, grace=0, **OPTIONS)
    assert flow.coverage.tolist() == ["unobserved", "observed", "partial"]
    assert flow.all_of(NEW).tolist() == [1, 1, 0]
    assert flow.sum_of(RETAINED, CHURNED).tolist() == [None, 1, 2]
    assert flow.first.tolist() == [True, False, False]
    assert not flow.changes


def test_starts_that_look_back_are_partial() -> None:
    flow = _flow_tables.counted(LOG, "id", "day", contract_end=None, grace=1, **OPTIONS)
    assert flow.coverage.tolist() == ["unobserved", "partial", "partial"]
    long = _flow_tables.counted(LOG, "id", "day", contract_end=None, grace=9, **OPTIONS)
    assert long.coverage.tolist() == ["unobserved", "partial", "partial"]


def test_groups_without_a_base_are_left_out() -> None:
    options = {**OPTIONS, "by": "key", "as_of": "2026-02-28"}
    flow = _flow_tables.counted(
        *(LOG, "id", "day"), contract_end=None, grace=0, base=(RETAINED, CHURNED), **options
    )
    assert flow.keys["key"].to_list() == ["a", "a"]
    whole = _flow_tables.counted(LOG, "id", "day", contract_end=None, grace=0, **options)
    assert whole.keys["key"].to_list() == ["a", "a", "b", "b"]


def test_grace_is_refused_beside_contracts() -> None:
    assert _flow_tables.check_grace(2, None) == 2
    assert _flow_tables.check_grace(0, "end") == 0
    with pytest.raises(ParameterError, match="grace=2 beside contract_end"):
        _flow_tables.check_grace(2, "end")
