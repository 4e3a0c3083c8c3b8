"""What the suite over every engine asks of the log-rank test and the restricted mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from engine_cases import CASES, Case, case, without
from spell_cases import FEW, MONTHS, SPELLS, spells

import loyaltykit as lk
from loyaltykit.errors import DataError, DroppedRowsWarning, LoyaltyKitError, ParameterError

if TYPE_CHECKING:
    from conftest import Engine


def tested(**options: Any) -> Case:
    return lambda e: lk.logrank(spells(e), "months", "left", **options)


def mean(**options: Any) -> Case:
    return lambda e: lk.restricted_mean(spells(e), "months", "left", **{"horizon": 9, **options})


CASES["logrank_of_text_with_null_keys"] = tested(by="plan")
CASES["logrank_of_categories"] = tested(by="tier")
CASES["logrank_of_two_keys_with_late_entry"] = tested(by=["tier", "plan"], entry="since")
CASES["logrank_of_counts"] = tested(by="tier", counts="times")
CASES["logrank_of_pairs"] = tested(by="tier", pairwise=True, adjust="bh")
CASES["logrank_of_pairs_with_null_keys"] = tested(by="plan", pairwise=True, entry="since")
CASES["mean_total"] = mean()
CASES["mean_by_text_with_null_keys"] = mean(by="plan")
CASES["mean_by_two_keys"] = mean(by=["tier", "plan"], horizon=12.5)
CASES["mean_with_late_entry"] = mean(by="plan", entry="since")
CASES["mean_of_counts"] = mean(by="plan", counts="times")
CASES["mean_with_weights"] = mean(by="tier", weights="weight", confidence_level=0.9)
CASES["mean_with_weights_and_late_entry"] = mean(weights="weight", entry="since")


@case
def logrank_of_fractions(engine: Engine) -> Any:
    parts = [months + i % 3 / 4 + 0.125 for i, months in enumerate(MONTHS)]
    return lk.logrank(spells(engine, months=parts), "months", "left", by="plan")


@case
def logrank_without_an_event(engine: Engine) -> Any:
    return lk.logrank(spells(engine, left=[False] * 70), "months", "left", by="plan")


@case
def logrank_of_no_rows(engine: Engine) -> Any:
    types = {"months": pa.int64(), "left": pa.bool_(), "plan": pa.string()}
    frame = engine.with_types({name: [] for name in types}, types)
    return lk.logrank(frame, "months", "left", by="plan")


@case
def logrank_of_a_level_that_counts_for_nobody(engine: Engine) -> Any:
    times = [0 if plan == "plus" else 2 for plan in SPELLS["plan"]]
    return lk.logrank(spells(engine, times=times), "months", "left", by="plan", counts="times")


@case
def mean_of_no_rows(engine: Engine) -> Any:
    types = {"months": pa.int64(), "left": pa.bool_()}
    frame = engine.with_types({name: [] for name in types}, types)
    return lk.restricted_mean(frame, "months", "left", horizon=3)


@case
def mean_of_groups_that_count_for_nobody(engine: Engine) -> Any:
    times = [0 if plan == "plus" else 2 for plan in SPELLS["plan"]]
    frame = spells(engine, times=times)
    return lk.restricted_mean(frame, "months", "left", by="plan", counts="times", horizon=6)


@case
def mean_of_a_group_that_was_not_observed_for_so_long(engine: Engine) -> Any:
    frame = engine.frame({"months": [2, 9, 4, 3], "left": [1, 0, 0, 1], "plan": list("aabb")})
    return lk.restricted_mean(frame, "months", "left", by="plan", horizon=6)


@case
def mean_with_rows_left_out(engine: Engine) -> Any:
    frame = spells(engine, months=without([months + 0.5 for months in MONTHS], 20))
    with pytest.warns(DroppedRowsWarning, match=r"^3 rows left out: no duration or event\.$"):
        return lk.restricted_mean(frame, "months", "left", horizon=8, errors="coerce")


REFUSALS: dict[str, tuple[Case, type[LoyaltyKitError], str]] = {
    "a test of one group": (
        lambda e: lk.logrank(e.frame({**FEW, "plan": ["a"] * 4}), "months", "left", by="plan"),
        ParameterError,
        r"^by='plan' makes a single group, 'a', and there is nothing to hold it against\.",
    ),
    "a test of entries at the end": (
        lambda e: lk.logrank(
            e.frame({**FEW, "since": [3, 2, 6, 0]}), "months", "left", by="times", entry="since"
        ),
        DataError,
        r"^entry='since': 2 rows with an entry at or after 'months'",
    ),
    "a horizon that nobody was observed to": (
        lambda e: lk.restricted_mean(
            e.frame({**FEW, "left": [True, False, True, False]}), "months", "left", horizon=10
        ),
        ParameterError,
        r"^horizon=10 is beyond the longest duration, 8, at which some were still there",
    ),
}
