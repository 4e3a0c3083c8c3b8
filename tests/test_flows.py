"""Flows in memory: the counts of a log of three customers, written out."""

from __future__ import annotations

import numpy as np

from loyaltykit import _flows, _frame, _logs, _splits


def test_each_pair_is_a_kind_and_each_gap_a_loss() -> None:
    customer = np.array([0, 0, 0, 1, 2, 2])
    period = np.array([0, 1, 3, 1, 0, 3])
    active = _logs.Activity(customer, period, 672, 4, "month")
    nobody = _frame.pandas_keys()
    split = _splits.Split(nobody, 1, np.zeros(3, dtype=np.int64), None, None)
    table = _flows.flows(active, split)[0]
    assert table[:, _flows.NEW].tolist() == [2, 1, 0, 0]
    assert table[:, _flows.RETAINED].tolist() == [0, 1, 0, 0]
    assert table[:, _flows.RETURNED].tolist() == [0, 0, 0, 2]
    assert table[:, _flows.CHURNED].tolist() == [0, 1, 2, 0]
