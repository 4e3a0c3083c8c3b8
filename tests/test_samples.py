"""A metric's table read back as arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import loyaltykit as lk
from loyaltykit import _frame, _samples
from loyaltykit.errors import ParameterError


def read(table: object) -> _samples.Sample:
    return _samples.read(_frame.open_frame(table, "result"))


def test_a_table_of_counts() -> None:
    table = lk.nps_from_counts(promoters=[15, 12], passives=[13, 7], detractors=[8, 12])
    sample = read(table)
    assert (sample.metric, sample.kind, sample.weighted) == ("nps", "net", None)
    assert sample.n.tolist() == [36, 31]
    assert [part.tolist() for part in sample.moments] == [[36.0, 31.0], [7.0, 0.0], [23.0, 24.0]]
    both = _samples.added(sample, np.array([0, 0]), 1)
    assert (both.n.tolist(), both.counts["promoters"].tolist()) == ([67], [27])
    assert _samples.take(sample, np.array([1, 1])).n.tolist() == [31, 31]
    made = _samples.estimated(sample, "score", 0.95)
    assert made.estimate.tolist() == table["estimate"].tolist()
    assert made.ci_low.tolist() == table["ci_low"].tolist()


def test_unobserved_and_partial_rows_are_not_known() -> None:
    log = pd.DataFrame({"id": [1, 2, 1], "day": ["2026-01-05", "2026-01-06", "2026-02-03"]})
    table = lk.retention_rate(log, "id", "day", as_of="2026-02-10")
    sample = read(table)
    assert table["coverage"].tolist() == ["unobserved", "partial"]
    assert sample.known.tolist() == [False, False]
    assert sample.n.tolist() == [0, 2]


def test_what_is_refused() -> None:
    table = lk.csat_from_counts(satisfied=[1, 2], n=[4, 5])
    other = lk.nps_from_counts(promoters=1, detractors=0, n=3)
    with pytest.raises(ParameterError, match="mixes metric: 'csat', 'nps'"):
        read(pd.concat([table, other]))
    with pytest.raises(ParameterError, match="lacks 'satisfied'"):
        read(table.drop(columns="satisfied"))
    with pytest.raises(ParameterError, match="'grr', which is none of a metric function"):
        read(table.assign(metric="grr"))
