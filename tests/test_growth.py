"""The quick ratio: against counts written out, and its limits against those of the share."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from conftest import Engine, column, column_names, frame_rows

import loyaltykit as lk
from loyaltykit import datasets
from loyaltykit.errors import ParameterError

LOG: dict[str, list[Any]] = {
    "id": [1, 2, 2, 3, 4, 5, 1],
    "day": ["2026-01-05", "2026-01-09", *["2026-02-07"] * 4, "2026-03-01"],
}
COLUMNS = [
    *("period", "coverage", "metric", "n", "n_missing", "gained", "lost"),
    *("estimate", "std_error", "ci_low", "ci_high"),
    *("confidence_level", "method", "unit", "definition"),
]


def flow(**columns: list[Any]) -> pd.DataFrame:
    """Return a flow of two observed months with the counts given."""
    base = {
        "period": pd.to_datetime(["2026-01-01", "2026-02-01"]),
        "coverage": "observed",
        **{name: [0, 0] for name in ("start", "new", "retained", "returned", "churned", "end")},
    }
    return pd.DataFrame({**base, **columns})


def test_ratio_of_three_months(engine: Engine) -> None:
    table = lk.quick_ratio(lk.customer_flow(engine.frame(LOG), "id", "day", as_of="2026-03-31"))
    assert column_names(table) == COLUMNS
    assert column(table, "coverage") == ["unobserved", "observed", "observed"]
    assert column(table, "gained") == [None, 3, 1]  # 1 returned in March
    assert column(table, "lost") == [None, 1, 4]
    assert column(table, "n") == [None, 4, 5]
    assert column(table, "estimate") == [None, 3.0, 0.25]
    assert set(column(table, "unit")) == {"ratio"}
    assert set(column(table, "definition")) == {"gained=new+returned;lost=churned"}


def test_limits_are_those_of_the_share_carried_over() -> None:
    row = frame_rows(lk.quick_ratio(flow(new=[3, 30], returned=[3, 0], churned=[4, 10])))[0]
    share = frame_rows(lk.csat_from_counts(satisfied=6, n=10))[0]
    low, high = share["ci_low"] / 100, share["ci_high"] / 100
    assert row["estimate"] == pytest.approx(1.5)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low / (1 - low), high / (1 - high)))
    # The delta method: sqrt(p q / n) / q ** 2 with p = .6, q = .4, n = 10.
    assert row["std_error"] == pytest.approx((0.6 * 0.4 / 10) ** 0.5 / 0.4**2)


def test_nobody_lost_is_null_and_nobody_gained_is_0() -> None:
    rows = frame_rows(lk.quick_ratio(flow(new=[5, 0], churned=[0, 4])))
    assert [rows[0][name] for name in ("estimate", "std_error", "ci_low", "ci_high")] == [None] * 4
    assert (rows[0]["n"], rows[0]["gained"], rows[0]["lost"]) == (5, 5, 0)
    assert (rows[1]["estimate"], rows[1]["ci_low"]) == (0.0, 0.0)
    assert rows[1]["ci_high"] > 0
    nobody = frame_rows(lk.quick_ratio(flow()))[0]
    assert (nobody["n"], nobody["estimate"]) == (0, None)


def test_who_joined_and_left_is_on_both_sides() -> None:
    table = lk.quick_ratio(flow(new=[2, 1], churned=[1, 1], joined_and_left=[3, 0]))
    assert column(table, "estimate") == [5 / 4, 1.0]
    assert column(table, "definition")[0] == (
        "gained=new+returned+joined_and_left;lost=churned+joined_and_left"
    )


@pytest.mark.parametrize("method", ["wilson", "clopper_pearson", "jeffreys"])
def test_every_method_holds_the_ratio(method: Any) -> None:
    for new, churned in (([7, 1], [3, 9]), ([9, 999], [1, 1])):
        table = lk.quick_ratio(flow(new=new, churned=churned), method=method)
        for row in frame_rows(table):
            assert row["ci_low"] < row["estimate"] < row["ci_high"] < 1e6
    counted = lk.quick_ratio(flow(new=[7, 1], churned=[3, 9]), method="none")
    assert column(counted, "ci_low") == column(counted, "std_error") == [None, None]


def test_periods_and_groups_pool() -> None:
    contracts = datasets.sample_contracts(600, rng=5)
    options: dict[str, Any] = {"contract_end": "end", "as_of": "2025-12-31"}
    split = lk.customer_flow(contracts, "customer", "start", by="sector", **options)
    whole = lk.quick_ratio(lk.customer_flow(contracts, "customer", "start", **options))
    pooled = lk.pool(lk.quick_ratio(split), over="sector")
    pd.testing.assert_frame_equal(pooled, whole)
    (year,) = frame_rows(lk.pool(whole, over="period"))
    assert year["gained"] == sum(column(whole, "gained"))
    assert year["estimate"] == pytest.approx(year["gained"] / year["lost"])
    log = lk.quick_ratio(lk.customer_flow(pd.DataFrame(LOG), "id", "day", as_of="2026-03-31"))
    (of_log,) = frame_rows(lk.pool(log, over="period"))
    assert (of_log["gained"], of_log["lost"]) == (4, 5)
    first = lk.pool(log.head(1).assign(key="x")[["key", *log.columns]], over="key")
    assert column(first, "n") == [None]


def test_no_ratios_are_compared_or_explained() -> None:
    table = lk.quick_ratio(flow(new=[7, 1], churned=[3, 9])).assign(key=["a", "b"])
    table = table[["key", *(name for name in table.columns if name != "key")]]
    with pytest.raises(ParameterError, match=r"compare takes shares.* quick_ratio is none"):
        lk.compare(table, "key")
    with pytest.raises(ParameterError, match=r"explain_change takes shares.* quick_ratio is none"):
        lk.explain_change(table, "period", reference="previous", segment="key")


def test_what_is_refused() -> None:
    with pytest.raises(ParameterError, match="flow is not a table of customer_flow: it lacks"):
        lk.quick_ratio(pd.DataFrame({"new": [1]}))
    with pytest.raises(ParameterError, match="flow: 'new' must hold whole numbers, 0 or more"):
        lk.quick_ratio(flow(new=[-1, 2]))
    with pytest.raises(TypeError, match="flow must be a DataFrame of pandas"):
        lk.quick_ratio([1, 2])  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="method='bootstrap' is not one of"):
        lk.quick_ratio(flow(), method="bootstrap")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"confidence_level=95 .*Did you mean 0\.95"):
        lk.quick_ratio(flow(), confidence_level=95)


def test_limits_that_are_cut_off_at_one_have_no_odds() -> None:
    with pytest.raises(ParameterError, match="method='agresti_coull' is not one of 'wilson'"):
        lk.quick_ratio(flow(new=[9, 9], churned=[1, 1]), method="agresti_coull")  # type: ignore[arg-type]
