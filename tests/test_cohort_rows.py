"""Who joined when and came again when: windows, rules, events and amounts, customer by customer."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import frame_rows
from random_visits import ASKED, event_case

SUMS = ("amount", "amount_start", "amount_sumsq", "amount_start_sumsq", "amount_cross")


def same_cells(table: Any, naive: list[dict[str, Any]], *, by: bool) -> None:
    found = frame_rows(table)
    assert len(found) == len(naive)
    for row, cell in zip(found, naive, strict=True):
        names = ["cohort", "cohort_age", "coverage", "n", "retained"]
        assert [row[name] for name in names] == [cell[name] for name in names]
        assert not by or row["sector"] == cell["key"]
        share = None if not cell["n"] else 100 * cell["retained"] / cell["n"]
        if row["metric"] == "cohort_revenue":
            assert [row[name] for name in SUMS] == [cell[name] for name in SUMS]
            start = cell["amount_start"] or 0
            share = 100 * cell["amount"] / start if start > 0 else None
        assert row["estimate"] == (None if share is None else pytest.approx(share))


RULES = [(name, False) for name in ASKED] + [
    (name, True) for name, asked in ASKED.items() if "after" not in name and "like" not in asked
]


@pytest.mark.parametrize("kind", ["pandas", "polars-lazy", "duckdb"])
@pytest.mark.parametrize(("name", "amount"), RULES)
def test_cells_are_those_of_each_customer_followed_alone(
    kind: str, name: str, amount: bool
) -> None:
    for seed in range(10 if kind == "duckdb" else 40):
        case = event_case(seed, ASKED[name], amount=amount)
        naive = case.naive()
        if not naive and "by" not in case.keywords:
            rows = frame_rows(case.table(kind))  # nobody joined in what is reported
            assert all(not row["n"] for row in rows)
        else:
            same_cells(case.table(kind), naive, by="by" in case.keywords)
