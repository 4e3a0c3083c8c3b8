"""What the suite over every engine asks of survival curves and their quantiles."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from engine_cases import AS_OF, CASES, CATEGORIES, TIERS, Case, case, cycle, log, without

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    EmptyRiskSetWarning,
    LoyaltyKitError,
    ParameterError,
)

if TYPE_CHECKING:
    from conftest import Engine

# Whole months, some of them 0, with ties; late entries before the end of each.
MONTHS = [i * 7 % 13 + i * 3 % 5 for i in range(70)]
SPELLS: dict[str, list[Any]] = {
    "months": MONTHS,
    "left": [i % 3 != 0 for i in range(70)],
    "since": [months * (i % 4) // 4 for i, months in enumerate(MONTHS)],
    "plan": without(cycle(["basic", "plus", "basic"], 70, 2), 9),
    "tier": without(cycle(TIERS, 70, 3), 10),
    "times": [i % 4 for i in range(70)],
    "weight": [0.25 * (1 + i * 5 % 7) * (i % 11 > 0) for i in range(70)],
}


def spells(engine: Engine, **changed: Any) -> Any:
    return engine.frame({**SPELLS, **changed}, categories=CATEGORIES)


def curve(**options: Any) -> Case:
    return lambda e: lk.survival_curve(spells(e), "months", "left", **options)


CASES["curve_total"] = curve()
CASES["curve_by_text_with_null_keys"] = curve(by="plan")
CASES["curve_by_two_keys"] = curve(by=["tier", "plan"])
CASES["curve_by_categories"] = curve(by="tier", method="plain")
CASES["curve_with_late_entry"] = curve(entry="since", by="plan")
CASES["curve_of_counts"] = curve(counts="times", by="plan")
CASES["curve_of_counts_with_late_entry"] = curve(counts="times", entry="since")
CASES["curve_with_weights"] = curve(weights="weight", by="tier", method="log")
CASES["curve_with_weights_and_late_entry"] = curve(weights="weight", entry="since")
CASES["curve_by_its_own_event"] = curve(by="left")
CASES["curve_by_its_own_duration"] = curve(by="months")


@case
def curve_of_fractions(engine: Engine) -> Any:
    parts = [months + i % 3 / 4 + 0.125 for i, months in enumerate(MONTHS)]
    since = [part * (i % 5) / 8 for i, part in enumerate(parts)]
    return lk.survival_curve(spells(engine, months=parts, since=since), "months", "left")


@case
def curve_of_narrow_integers(engine: Engine) -> Any:
    columns = {**SPELLS, "left": [int(left) for left in SPELLS["left"]]}
    types = {"months": pa.int8(), "left": pa.int8(), "since": pa.uint8(), "times": pa.uint16()}
    frame = engine.with_types(columns, types)
    return lk.survival_curve(frame, "months", "left", entry="since", counts="times")


@case
def curve_of_long_durations(engine: Engine) -> Any:
    """More than can be told apart without a sort."""
    seconds = [months * 31 * 86_400 for months in MONTHS]
    return lk.survival_curve(spells(engine, months=seconds), "months", "left", by="plan")


@case
def curve_of_events_as_floats(engine: Engine) -> Any:
    left = [float(left) for left in SPELLS["left"]]
    return lk.survival_curve(spells(engine, left=left), "months", "left")


@case
def curve_with_entries_of_some(engine: Engine) -> Any:
    since = [None if i % 3 else since for i, since in enumerate(SPELLS["since"])]
    return lk.survival_curve(spells(engine, since=since), "months", "left", entry="since")


@case
def curve_with_rows_left_out(engine: Engine) -> Any:
    months = without([months + 0.5 for months in MONTHS], 20)
    frame = spells(engine, months=months, left=without(SPELLS["left"], 35))
    message = r"^5 rows left out: no duration or event\.$"
    with pytest.warns(DroppedRowsWarning, match=message):
        return lk.survival_curve(frame, "months", "left", by="plan", errors="coerce")


@case
def curve_with_weights_left_out(engine: Engine) -> Any:
    frame = spells(engine, weight=without(SPELLS["weight"], 30))
    options: dict[str, Any] = {"weights": "weight", "errors": "coerce"}
    with pytest.warns(DroppedRowsWarning, match=r"^2 rows left out: no duration, event or weight"):
        return lk.survival_curve(frame, "months", "left", **options)


# Of the plan "plus" nobody has an event code; of others some have no duration.
LEFT_OUT: dict[str, list[Any]] = {
    **SPELLS,
    "months": without([months + 0.5 for months in MONTHS], 20),
    "left": [
        None if plan == "plus" else left
        for plan, left in zip(SPELLS["plan"], SPELLS["left"], strict=True)
    ],
}


def left_out(function: str, **options: Any) -> Case:
    def call(engine: Engine) -> Any:
        frame = engine.with_types(
            LEFT_OUT, {"months": pa.float64(), "left": pa.bool_(), "plan": pa.string()}
        )
        with pytest.warns(DroppedRowsWarning, match=r"^18 rows left out: no duration or event"):
            return getattr(lk, function)(
                frame, "months", "left", by="plan", errors="coerce", **options
            )

    return call


CASES["curve_of_a_group_left_out"] = left_out("survival_curve")
CASES["curve_with_late_entry_of_a_group_left_out"] = left_out("survival_curve", entry="since")
CASES["restricted_mean_of_a_group_left_out"] = left_out("restricted_mean", horizon=5)
CASES["restricted_mean_of_counts_of_a_group_left_out"] = left_out(
    "restricted_mean", horizon=5, counts="times"
)
CASES["logrank_of_a_group_left_out"] = left_out("logrank")


@case
def curve_with_untyped_weights(engine: Engine) -> Any:
    frame = engine.with_types({**SPELLS, "weight": [None] * 70}, {"weight": pa.null()})
    with pytest.warns(DroppedRowsWarning, match=r"^70 rows left out: no duration, event or weight"):
        return lk.survival_curve(frame, "months", "left", weights="weight", errors="coerce")


@case
def curve_of_nobody(engine: Engine) -> Any:
    types = {"months": pa.int64(), "left": pa.bool_()}
    return lk.survival_curve(engine.with_types({"months": [], "left": []}, types), "months", "left")


@case
def curve_of_no_groups(engine: Engine) -> Any:
    types = {"months": pa.int64(), "left": pa.bool_(), "plan": pa.string()}
    frame = engine.with_types({name: [] for name in types}, types)
    return lk.survival_curve(frame, "months", "left", by="plan")


@case
def curve_of_groups_that_count_for_nobody(engine: Engine) -> Any:
    times = [0 if plan == "plus" else 2 for plan in SPELLS["plan"]]
    return lk.survival_curve(
        spells(engine, times=times), "months", "left", by="plan", counts="times"
    )


@case
def curve_of_one(engine: Engine) -> Any:
    return lk.survival_curve(engine.frame({"months": [4], "left": [True]}), "months", "left")


@case
def curve_whose_risk_set_runs_empty(engine: Engine) -> Any:
    frame = engine.frame({"months": [2, 2, 9, 7], "left": [1, 1, 1, 0], "since": [0, 1, 3, 5]})
    with pytest.warns(EmptyRiskSetWarning, match=r"^All at risk had the event by duration 2, and"):
        return lk.survival_curve(frame, "months", "left", entry="since")


@case
def curve_of_lifetimes(engine: Engine) -> Any:
    lives = lk.customer_lifetimes(log(engine), "id", "day", gap=30, as_of=AS_OF)
    return lk.survival_curve(lives, "duration", "event")


@case
def quantiles_of_curves(engine: Engine) -> Any:
    made = lk.survival_curve(spells(engine), "months", "left", by=["plan", "tier"])
    return lk.survival_quantile(made, share=[0.25, 0.5, 0.9])


# ---- what every engine refuses ------------------------------------------------------------------


def of(columns: dict[str, Any], **options: Any) -> Case:
    return lambda e: lk.survival_curve(e.frame(columns), "months", "left", **options)


FEW: dict[str, list[Any]] = {
    "months": [3, 5, 5, 8],
    "left": [True, False, True, True],
    "since": [0, 2, 0, 7],
    "weight": [1.0, 2.0, 0.5, 1.0],
    "times": [1, 2, 3, 4],
}
REFUSALS: dict[str, tuple[Case, type[LoyaltyKitError], str]] = {
    "events that are texts": (
        of({**FEW, "left": ["No", "Yes", "No", "No"]}),
        DataError,
        r"^event='left': 4 rows neither true nor false: 'No'.* An event is True or 1 where it was "
        r"seen, False or 0 where it was not: compare first, as in data\['left'\] == \"Yes\"\.$",
    ),
    "events of a third kind": (
        of({**FEW, "left": [1, 0, 2, 1]}),
        DataError,
        r"^event='left': 1 row neither true nor false: 2\.",
    ),
    "events that are missing": (
        of({**FEW, "left": [True, None, None, True]}),
        DataError,
        r"^'left': 2 rows without an event code\. Complete or remove them, or pass errors=",
    ),
    "durations that are negative": (
        of({**FEW, "months": [3, -5, 5, -8]}),
        DataError,
        r"^duration='months': 2 rows with a length of time that is negative or infinite: -[58], -",
    ),
    "durations without end": (
        of({**FEW, "months": [3.0, float("inf"), 5.0, 8.0]}, errors="coerce"),
        DataError,
        r"^duration='months': 1 row with a length of time that is negative or infinite: inf\.",
    ),
    "durations that are texts": (
        of({**FEW, "months": ["3", "5", "5", "8"]}),
        DataError,
        r"^duration='months' must be a column of numbers, not ",
    ),
    "durations that are true or false": (
        of({**FEW, "months": [True, False, True, True]}),
        DataError,
        r"^duration='months' must be a column of numbers, not ",
    ),
    "durations that are lengths of days": (
        of({**FEW, "months": [dt.timedelta(days=i) for i in FEW["months"]]}),
        DataError,
        r"^duration='months' must be a column of numbers, not ",
    ),
    "durations that are missing": (
        of({**FEW, "months": [3, None, 5, None]}),
        DataError,
        r"^'months': 2 rows without a duration\. Complete or remove them, or pass errors=",
    ),
    "durations that are not a number": (
        of({**FEW, "months": [3.5, float("nan"), 5.0, 8.0]}),
        DataError,
        r"^'months': 1 row without a duration\.",
    ),
    "entries at the end": (
        of({**FEW, "since": [3, 2, 6, 0]}, entry="since"),
        DataError,
        r"^entry='since': 2 rows with an entry at or after 'months': [36], [36]\. Nobody saw them",
    ),
    "entries that are negative": (
        of({**FEW, "since": [0, -2, 0, 0]}, entry="since", errors="coerce"),
        DataError,
        r"^entry='since': 1 row with a length of time that is negative or infinite: -2\.",
    ),
    "entries that are texts": (
        of({**FEW, "since": ["0", "2", "0", "7"]}, entry="since"),
        DataError,
        r"^entry='since' must be a column of numbers, not ",
    ),
    "customers by halves": (
        of({**FEW, "times": [1.0, 2.5, 1.0, 1.0]}, counts="times"),
        DataError,
        r"^counts='times': 1 row without a whole number, 0 or more: 2\.5\.",
    ),
    "customers of negative weight": (
        of({**FEW, "weight": [1.0, -2.0, 1.0, 1.0]}, weights="weight"),
        DataError,
        r"^weights='weight': 1 row with weights that are negative, infinite, or beyond .*: -2\.0",
    ),
    "customers without a weight": (
        of({**FEW, "weight": [1.0, None, 1.0, 1.0]}, weights="weight"),
        DataError,
        r"^'weight': 1 row without a weight\. Complete or remove them, or pass errors=",
    ),
    "counts beside weights": (
        of(FEW, counts="times", weights="weight"),
        ParameterError,
        r"^counts='times' and weights='weight' exclude each other",
    ),
    "a duration that is no column": (
        lambda e: lk.survival_curve(e.frame(FEW), "month", "left"),
        ColumnNotFoundError,
        r"^duration='month': data has no such column.*Did you mean 'months'",
    ),
    "a key named like a column of curves": (
        lambda e: lk.survival_curve(
            e.frame({**FEW, "at_risk": FEW["times"]}), "months", "left", by="at_risk"
        ),
        ParameterError,
        r"^by='at_risk': a result table has a column of that name",
    ),
}
