"""What the suite over every engine asks: calls on small frames that an engine makes.

The frames are the same on every run. Each case is one call; its name says what it is about.
"""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pytest
from conftest import Engine, frame_rows

import loyaltykit as lk
from loyaltykit.errors import DroppedRowsWarning, ParameterError, ScaleWarning

Case: TypeAlias = Callable[[Engine], Any]
Columns: TypeAlias = Mapping[str, Sequence[Any]]

CASES: dict[str, Case] = {}
# What one row per customer means: the caller's own kind comes back, in no order that is promised.
OWN_KIND: dict[str, list[str]] = {}


def case(make: Case) -> Case:
    CASES[make.__name__] = make
    return make


def own_kind(*keys: str) -> Callable[[Case], Case]:
    """Mark a case whose rows are told apart by the keys."""

    def register(make: Case) -> Case:
        OWN_KIND[make.__name__] = list(keys)
        return case(make)

    return register


# ---- frames: small, the same on every run -------------------------------------------------------

TIERS = ["prospect", "new", "repeat", "loyal"]
FREQUENCIES = ["day", "week", "month", "quarter", "year"]
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def cycle(values: Sequence[Any], length: int, step: int = 1) -> list[Any]:
    return [values[i * step % len(values)] for i in range(length)]


def days_from(first: dt.date, length: int, step: int, span: int) -> list[dt.date]:
    return [first + dt.timedelta(days=i * step % span) for i in range(length)]


def without(values: Sequence[Any], every: int) -> list[Any]:
    """Return the values with a null at every so many."""
    return [None if i % every == every - 1 else value for i, value in enumerate(values)]


# From a week that belongs to the year before, over a leap day, into the next year but one.
ANSWERS: dict[str, list[Any]] = {
    "nps": without(cycle(range(11), 90, 7), 13),
    "csat": without(cycle(range(1, 6), 90, 3), 11),
    "ces": without(cycle(range(1, 8), 90, 5), 17),
    "sector": without(cycle(["NPO", "B2B", "B2G", "B2C", "B2B"], 90), 8),
    "tier": without(cycle(TIERS, 90, 3), 10),
    "day": days_from(dt.date(2023, 12, 30), 90, 47, 400),
}
CATEGORIES = {"tier": TIERS}


def taken(columns: Columns, rows: Sequence[int]) -> dict[str, list[Any]]:
    return {name: [values[i] for i in rows] for name, values in columns.items()}


def customer_days(first: dt.date, span: int) -> list[tuple[int, dt.date]]:
    """Return 30 customers, each with a rhythm and a length of stay of its own."""
    rows = []
    for customer in range(30):
        joined, rhythm, stays = customer * 5 % 90, 9 + customer * 7 % 40, 40 + customer * 31 % 200
        for after in range(0, stays, rhythm):
            if joined + after < span:
                rows.append((customer, first + dt.timedelta(days=joined + after)))
    return rows


VISITS = customer_days(dt.date(2025, 11, 20), 190)
LOG: dict[str, list[Any]] = {
    "id": [customer for customer, _ in VISITS],
    "day": [day for _, day in VISITS],
    "sector": [[None, "B2B", "B2C"][customer % 3] for customer, _ in VISITS],
    "tier": [TIERS[customer % 4] for customer, _ in VISITS],
    "bought": [i % 3 != 0 for i in range(len(VISITS))],
}
MOMENTS = [
    dt.datetime.combine(day, dt.time(i * 5 % 24, i * 7 % 60, i % 60, i * 1000))
    for i, day in enumerate(LOG["day"])
]
AS_OF = "2026-05-31"

# Customers 24 to 29 are not in it; a null sector joins them.
SECTORS: dict[str, list[Any]] = {
    "id": list(range(24)),
    "sector": without(cycle(["NPO", "B2B", "B2C"], 24), 6),
}
# Up to three changes a customer: some before the log, two within one month, some on its first day.
CHANGES: dict[str, list[Any]] = {
    "id": [i for i in range(20) for _ in range(3)],
    "valid_from": [
        day
        for i in range(20)
        for day in (
            dt.date(2025, 6, 1) + dt.timedelta(days=i * 13),
            dt.date(2026, 1, 1) + dt.timedelta(days=i % 2 * (3 + i)),
            dt.date(2026, 1, 20) + dt.timedelta(days=i * 4),
        )
    ],
    "tier": without(cycle(TIERS, 60, 3), 7),
}


def log(engine: Engine, **changed: Sequence[Any]) -> Any:
    return engine.frame({**LOG, **changed})


# ---- survey metrics -----------------------------------------------------------------------------


@case
def nps_total(engine: Engine) -> Any:
    return lk.nps(engine.frame(ANSWERS), "nps")


@case
def nps_by_text_with_null_keys(engine: Engine) -> Any:
    return lk.nps(engine.frame(ANSWERS), "nps", by="sector")


@case
def nps_by_categories_in_their_order(engine: Engine) -> Any:
    return lk.nps(engine.frame(ANSWERS, CATEGORIES), "nps", by="tier")


@case
def nps_by_categories_of_which_some_are_absent(engine: Engine) -> Any:
    levels = {"tier": [*TIERS, "former"], "sector": ["NPO", "never", "B2G", "B2C", "B2B"]}
    return lk.nps(engine.frame(ANSWERS, levels), "nps", by=["tier", "sector"])


@case
def nps_by_two_keys_and_quarter(engine: Engine) -> Any:
    frame = engine.frame(ANSWERS, CATEGORIES)
    return lk.nps(frame, "nps", by=["tier", "sector"], time="day", freq="quarter")


@case
def nps_by_number_truth_and_date(engine: Engine) -> Any:
    keys: dict[str, Any] = {
        "number": without(cycle([30, -4, 7], 90), 9),
        "truth": cycle([True, False], 90, 1),
        "date": cycle([dt.date(2026, 1, 2), dt.date(1969, 12, 31)], 90, 1),
    }
    frame = engine.frame({**ANSWERS, **keys})
    return lk.nps(frame, "nps", by=["number", "truth", "date"])


@case
def nps_by_floats_with_nan_and_null(engine: Engine) -> Any:
    keys = cycle([0.5, math.nan, -1.0, None, 0.0, -0.0], 90)
    return lk.nps(engine.frame({**ANSWERS, "key": keys}), "nps", by="key")


@case
def nps_by_texts_that_look_alike(engine: Engine) -> Any:
    keys = cycle(["b", "B", "", " b", "ä", "z", "É", None, "10", "9"], 90)
    return lk.nps(engine.frame({**ANSWERS, "key": keys}), "nps", by="key")


@case
def nps_of_nan_and_null(engine: Engine) -> Any:
    scores = [10.0, math.nan, None, 3.0, 9.0, math.nan, 7.0, None]
    keys = ["a", "a", "a", "b", "b", "b", "c", "d"]
    return lk.nps(engine.frame({"nps": scores, "key": keys}), "nps", by="key")


@case
def nps_of_nothing_but_null(engine: Engine) -> Any:
    return lk.nps(engine.with_types({"nps": [None] * 4}, {"nps": "float64"}), "nps")


@case
def nps_of_no_rows(engine: Engine) -> Any:
    types = {"nps": "int64", "sector": "string"}
    return lk.nps(engine.with_types({"nps": [], "sector": []}, types), "nps")


@case
def nps_of_no_rows_by_key(engine: Engine) -> Any:
    types = {"nps": "int64", "sector": "string"}
    return lk.nps(engine.with_types({"nps": [], "sector": []}, types), "nps", by="sector")


@case
def nps_of_parts_that_are_empty_or_null(engine: Engine) -> Any:
    """Parts without a row come first, in the middle and last; one has no answer, one no key."""
    columns = taken(ANSWERS, range(40))
    columns["nps"][10:20] = [None] * 10
    columns["sector"][20:30] = [None] * 10
    frame = engine.frame(columns, CATEGORIES, ends=[0, 10, 20, 20, 30, 40, 40])
    return lk.nps(frame, "nps", by=["sector", "tier"])


@case
def nps_of_parts_in_one_group_each(engine: Engine) -> Any:
    rows = sorted(range(90), key=lambda i: str(ANSWERS["sector"][i]))
    columns = taken(ANSWERS, rows)
    cuts = [i for i in range(1, 90) if columns["sector"][i] != columns["sector"][i - 1]]
    return lk.nps(engine.frame(columns, ends=[*cuts, 90]), "nps", by="sector", time="day")


@case
def nps_with_other_cut_offs(engine: Engine) -> Any:
    frame = engine.frame(ANSWERS)
    options: dict[str, Any] = {
        "scale": (1, 5),
        "promoter_min": 5,
        "detractor_max": 2,
        "method": "adjusted_wald",
    }
    return lk.nps(frame, "csat", by="sector", confidence_level=0.9, **options)


def number_types(kind: str, values: Sequence[Any]) -> Case:
    def make(engine: Engine) -> Any:
        columns: dict[str, Any] = {"nps": values, "key": cycle(["a", "b"], len(values))}
        return lk.nps(engine.with_types(columns, {"nps": kind}), "nps", by="key")

    return make


_WHOLE = [10, 0, 9, 7, None, 6, 8, 10]
for _kind in ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32"):
    CASES[f"nps_of_{_kind}"] = number_types(_kind, _WHOLE)
for _kind in ("float32", "float64"):
    CASES[f"nps_of_{_kind}"] = number_types(_kind, [10.0, 0.0, 9.0, 7.0, None, math.nan])


@case
def nps_of_unsigned_without_null(engine: Engine) -> Any:
    """The other half: pandas makes floats of a column with a null."""
    frame = engine.with_types({"nps": [10, 0, 9, 7]}, {"nps": "uint8"})
    return lk.nps(frame, "nps")


@case
def csat_of_decimals(engine: Engine) -> Any:
    scores = [Decimal("5.00"), None, Decimal("4.00"), Decimal("1.00"), Decimal("2.00")]
    frame = engine.with_types({"csat": scores}, {"csat": pa.decimal128(9, 2)})
    return lk.csat(frame, "csat")


@case
def csat_of_truths(engine: Engine) -> Any:
    frame = engine.frame({"solved": [True, False, None, True, True]})
    return lk.csat(frame, "solved", scale=(0, 1))


@case
def csat_of_texts_with_blank_codes(engine: Engine) -> Any:
    scores = ["5", " 4 ", "Blank", "3.0", "BLANK", None, "1", "99", "5"]
    keys = cycle(["a", "b"], len(scores))
    frame = engine.frame({"csat": scores, "key": keys})
    return lk.csat(frame, "csat", by="key", missing=("Blank", "BLANK", 99))


@case
def csat_of_categories(engine: Engine) -> Any:
    scores = ["5", "4", None, "1", "5", "2"]
    frame = engine.frame({"csat": scores}, {"csat": ["5", "4", "3", "2", "1"]})
    return lk.csat(frame, "csat")


@case
def nps_with_blank_codes_among_numbers(engine: Engine) -> Any:
    scores = [10, 11, 3, 99, None, 9, 11, 8]
    return lk.nps(engine.frame({"nps": scores}), "nps", missing=[11, 99])


@case
def nps_with_answers_off_the_scale_coerced(engine: Engine) -> Any:
    scores = [10.0, 11.0, -1.0, 7.5, None, math.inf, 9.0, math.nan, 6.0]
    keys = cycle(["a", "b", None], len(scores))
    return lk.nps(engine.frame({"nps": scores, "k": keys}), "nps", by="k", errors="coerce")


@case
def csat_with_texts_off_the_scale_coerced(engine: Engine) -> Any:
    scores = ["5", "six", "", "4", "0", None, "2.5", "3"]
    return lk.csat(engine.frame({"csat": scores}), "csat", errors="coerce")


@case
def ces_mean_by_key(engine: Engine) -> Any:
    return lk.ces(engine.frame(ANSWERS), "ces", by="sector")


@case
def ces_box_of_effort(engine: Engine) -> Any:
    frame = engine.frame(ANSWERS, CATEGORIES)
    return lk.ces(frame, "ces", by="tier", direction="effort", statistic="box")


@case
def ces_net_by_month(engine: Engine) -> Any:
    return lk.ces(engine.frame(ANSWERS), "ces", time="day", statistic="net", easy_min=6)


@case
def csat_of_a_shorter_scale(engine: Engine) -> Any:
    frame = engine.frame({"csat": [3, 1, 2, None, 3, 3, 1]})
    return lk.csat(frame, "csat", scale=(1, 3))


@case
def tally_by_two_keys(engine: Engine) -> Any:
    frame = engine.frame(ANSWERS, CATEGORIES)
    return lk.tally(frame, "nps", by=["tier", "sector"], scale=(0, 10))


@case
def nps_of_counts(engine: Engine) -> Any:
    """The stacked tallies of three shards, held by any engine, are the single pass."""
    tallies = [
        lk.tally(pd.DataFrame(taken(ANSWERS, rows)), "nps", by="sector", scale=(0, 10))
        for rows in (range(30), range(30, 50), range(50, 90))
    ]
    rows = [row for table in tallies for row in frame_rows(table)]
    columns: dict[str, Any] = {
        name: [row[name] for row in rows] for name in ("sector", "answer", "n")
    }
    return lk.nps(engine.frame(columns), "answer", counts="n", by="sector")


@case
def csat_of_counts_that_are_decimals(engine: Engine) -> Any:
    columns: dict[str, Any] = {
        "csat": [5, 4, 1, None],
        "n": [Decimal(30), Decimal(0), Decimal(12), Decimal(5)],
    }
    frame = engine.with_types(columns, {"n": pa.decimal128(38, 0)})
    return lk.csat(frame, "csat", counts="n")


@case
def nps_of_large_counts(engine: Engine) -> Any:
    frame = engine.frame({"nps": [10, 7, 0], "n": [2**51, 2**51 + 1, 2**50 + 3]})
    return lk.nps(frame, "nps", counts="n")


def survey_periods(freq: Any) -> Case:
    def make(engine: Engine) -> Any:
        frame = engine.frame(ANSWERS)
        return lk.tally(frame, "nps", time="day", freq=freq, scale=(0, 10))

    return make


def survey_moments(kind: pa.DataType, freq: Any) -> Case:
    """Times just before and at midnight, before 1970 as well."""

    def make(engine: Engine) -> Any:
        moments = [
            dt.datetime(2024, 12, 29, 23, 59, 59),
            dt.datetime(2024, 12, 30),
            dt.datetime(2025, 1, 1, 0, 0, 1),
            dt.datetime(1969, 12, 31, 23, 59, 59),
            dt.datetime(1970, 1, 1),
            dt.datetime(2000, 2, 29, 12),
        ]
        frame = engine.with_types({"csat": [1, 2, 3, 4, 5, 5], "time": moments}, {"time": kind})
        return lk.csat(frame, "csat", time="time", freq=freq)

    return make


def survey_texts(freq: Any) -> Case:
    def make(engine: Engine) -> Any:
        texts = ["2024-12-29", "2024-12-30 07:30", "2025-01-01T00:00:01", " 1969-12-31", "20250101"]
        frame = engine.frame({"csat": [1, 2, 3, 4, 5], "time": texts})
        return lk.csat(frame, "csat", time="time", freq=freq)

    return make


for _freq in FREQUENCIES:
    CASES[f"tally_by_{_freq}"] = survey_periods(_freq)
for _unit, _freq in (("s", "week"), ("ms", "day"), ("us", "quarter"), ("ns", "week")):
    CASES[f"csat_by_{_freq}_of_{_unit}"] = survey_moments(pa.timestamp(_unit), _freq)
CASES["csat_by_week_of_texts"] = survey_texts("week")


@case
def nps_with_bad_dates_coerced(engine: Engine) -> Any:
    texts = ["2026-01-05", None, "soon", "2026-02-30", "2026-02-28", "2026"]
    frame = engine.frame({"nps": [10, 9, 8, 7, 6, 5], "day": texts})
    with pytest.warns(DroppedRowsWarning, match=r"^4 rows left out: no usable date in 'day'\.$"):
        return lk.nps(frame, "nps", time="day", errors="coerce")


@case
def nps_of_a_shorter_scale_warns(engine: Engine) -> Any:
    frame = engine.frame({"nps": [1, 2, 3, 4, 5, 5, 4, None]})
    with pytest.warns(ScaleWarning, match="no answer is above 5 on a scale of 0 to 10"):
        return lk.nps(frame, "nps")


# ---- weights, clusters, strata ------------------------------------------------------------------

# Accounts of three answers each, within one of four regions; some weigh nothing.
WEIGHED: dict[str, list[Any]] = {
    **ANSWERS,
    "weight": cycle([0.5, 1.25, 0.0, 3.0, 0.75], 90, 2),
    "account": [f"account {i // 3}" for i in range(90)],
    "region": [i // 3 % 4 for i in range(90)],
    "size": [[40, 35, 60, 30][i // 3 % 4] for i in range(90)],
}


@case
def nps_weighted_by_key(engine: Engine) -> Any:
    return lk.nps(engine.frame(WEIGHED), "nps", by="sector", weights="weight")


@case
def nps_weighted_by_whole_numbers_and_quarter(engine: Engine) -> Any:
    frame = engine.frame({**WEIGHED, "weight": cycle([1, 3, 2], 90)}, CATEGORIES)
    return lk.nps(frame, "nps", by="tier", weights="weight", time="day", freq="quarter")


@case
def nps_with_untyped_weights(engine: Engine) -> Any:
    columns = {name: WEIGHED[name] for name in ("nps", "sector")}
    frame = engine.with_types({**columns, "weight": [None] * 90}, {"weight": pa.null()})
    return lk.nps(frame, "nps", by="sector", weights="weight", errors="coerce")


@case
def nps_without_a_weight_coerced(engine: Engine) -> Any:
    frame = engine.frame({**WEIGHED, "weight": without(cycle([1.5, math.nan, 2.0], 90), 7)})
    return lk.nps(frame, "nps", by="sector", weights="weight", errors="coerce")


@case
def nps_clustered(engine: Engine) -> Any:
    return lk.nps(engine.frame(WEIGHED), "nps", by="sector", clusters="account")


@case
def nps_clustered_by_what_a_cluster_has_one_of(engine: Engine) -> Any:
    frame = engine.frame(WEIGHED)
    return lk.nps(frame, "nps", by="region", clusters="account", weights="weight")


@case
def csat_weighted_in_strata(engine: Engine) -> Any:
    frame = engine.frame(WEIGHED)
    return lk.csat(frame, "csat", by="sector", weights="weight", strata="region")


@case
def ces_of_a_whole_design(engine: Engine) -> Any:
    design: dict[str, Any] = {"clusters": "account", "strata": "region", "population": "size"}
    return lk.ces(engine.frame(WEIGHED), "ces", by="tier", weights="weight", **design)


@case
def ces_net_weighted(engine: Engine) -> Any:
    frame = engine.frame(WEIGHED)
    return lk.ces(frame, "ces", by="sector", weights="weight", statistic="net")


@case
def nps_of_a_finite_population(engine: Engine) -> Any:
    return lk.nps(engine.frame(WEIGHED), "nps", population=250)


@case
def csat_weighted_by_decimals(engine: Engine) -> Any:
    weight = [Decimal("1.50"), Decimal("0.00"), Decimal("2.25"), Decimal("1.00")]
    columns: dict[str, Any] = {"csat": [5, 4, 1, None], "weight": weight}
    frame = engine.with_types(columns, {"weight": pa.decimal128(9, 2)})
    return lk.csat(frame, "csat", weights="weight")


@case
def tally_weighted(engine: Engine) -> Any:
    return lk.tally(engine.frame(WEIGHED), "nps", by="sector", weights="weight", scale=(0, 10))


@case
def tally_by_cluster_and_month(engine: Engine) -> Any:
    frame = engine.frame(WEIGHED)
    options: dict[str, Any] = {"weights": "weight", "clusters": "account", "time": "day"}
    return lk.tally(frame, "nps", by="region", scale=(0, 10), **options)


@case
def nps_of_a_weighted_tally(engine: Engine) -> Any:
    tallied = lk.tally(pd.DataFrame(WEIGHED), "csat", weights="weight", by="region", scale=(1, 5))
    columns = {name: tallied[name].tolist() for name in ("region", "n", "weight", "weight_sq")}
    columns["answer"] = [None if pd.isna(v) else int(v) for v in tallied["answer"]]
    options: dict[str, Any] = {"counts": "n", "weights": "weight"}
    return lk.csat(engine.frame(columns), "answer", by="region", **options)


# ---- flows, rates, cohorts ----------------------------------------------------------------------


def flow_by(freq: Any) -> Case:
    return lambda engine: lk.customer_flow(log(engine), "id", "day", freq=freq, as_of=AS_OF)


def cohorts_by(freq: Any) -> Case:
    return lambda engine: lk.cohort_retention(log(engine), "id", "day", freq=freq, as_of=AS_OF)


for _freq in FREQUENCIES:
    CASES[f"flow_by_{_freq}"] = flow_by(_freq)
for _freq in ("week", "month", "quarter", "year"):
    CASES[f"cohorts_by_{_freq}"] = cohorts_by(_freq)


ROLLING: dict[str, dict[str, Any]] = {
    "on": {},
    "on_or_after": {"rule": "on_or_after"},
    "brackets": {"rule": (0, 1, 3)},
    "events": {"start_event": "bought", "return_event": "paid"},
    "revenue": {"amount": "spent"},
    "revenue_of_events_by_brackets": {
        "amount": "spent",
        "return_event": "bought",
        "rule": [1, 3],
        "by": "sector",
    },
    "observed_from": {"observed_from": "2026-01-15"},
    "without_intervals": {"method": "none"},
    "jeffreys": {"method": "jeffreys"},
}
SPENT = [round(i * 37 % 90 - 12.5, 2) for i in range(len(VISITS))]


def visits_at(engine: Engine, **more: Sequence[Any]) -> Any:
    """Return the log with moments, amounts and a flag in 0 and 1."""
    paid = [int(i % 4 < 2) for i in range(len(VISITS))]
    columns = {**LOG, "at": MOMENTS, "spent": SPENT, "paid": paid, **more}
    return engine.with_types(columns, {"at": pa.timestamp("us")})


def cohorts_asked(window: str, asked: dict[str, Any], freq: str) -> Case:
    def make(engine: Engine) -> Any:
        options: dict[str, Any] = {"as_of": "2026-05-20", "freq": freq, "window": window, **asked}
        return lk.cohort_retention(visits_at(engine), "id", "at", **options)

    return make


for _window, _freqs in (("rolling", ("month", "week", "quarter")), ("calendar", ("month",))):
    for _name, _asked in ROLLING.items():
        _freq = _freqs[len(_name) % len(_freqs)]
        CASES[f"cohorts_{_window}_{_name}"] = cohorts_asked(_window, _asked, _freq)


def cohorts_of_contracts(asked: dict[str, Any]) -> Case:
    """Return a case of contracts in UTC, on the clock of New York; some end, touch or run on."""

    def make(engine: Engine) -> Any:
        places = range(0, len(MOMENTS), 3)
        starts = [MOMENTS[i] for i in places]
        days = [i % 5 * 17 + i % 3 for i in places]
        ends = [at + dt.timedelta(days=n) for at, n in zip(starts, days, strict=True)]
        columns: dict[str, Any] = {
            "id": [LOG["id"][i] for i in places],
            "start": starts,
            "end": without(ends, 6),
            "sector": [LOG["sector"][i] for i in places],
        }
        kinds = {name: pa.timestamp("us", "UTC") for name in ("start", "end")}
        frame = engine.with_types(columns, kinds)
        options: dict[str, Any] = {"as_of": "2026-05-20", "tz": "America/New_York", **asked}
        return lk.cohort_retention(frame, "id", "start", contract_end="end", **options)

    return make


CONTRACTS: dict[str, dict[str, Any]] = {
    "calendar": {"observed_from": "2025-12-15"},
    "calendar_by_sector": {"by": "sector", "freq": "quarter"},
    "rolling": {"window": "rolling"},
    "rolling_brackets_by_sector": {"window": "rolling", "rule": (0, 2, 4), "by": "sector"},
    "rolling_on_or_after": {"window": "rolling", "rule": "on_or_after", "freq": "week"},
}
for _name, _asked in CONTRACTS.items():
    CASES[f"cohorts_of_contracts_{_name}"] = cohorts_of_contracts(_asked)


def cohorts_like(tool: Any, freq: Any) -> Case:
    def make(engine: Engine) -> Any:
        frame = visits_at(engine)
        as_of = "2026-02-20" if freq == "day" else "2026-05-20"  # every day is a cohort
        return lk.cohort_retention(frame, "id", "at", freq=freq, like=tool, as_of=as_of)

    return make


for _tool, _freq in (
    *(("amplitude", "day"), ("amplitude", "week"), ("amplitude", "month")),
    *(("mixpanel", "week"), ("posthog", "month")),
):
    CASES[f"cohorts_like_{_tool}_by_{_freq}"] = cohorts_like(_tool, _freq)


def rolling_across_a_change_of_the_clock(tz: str, start: dt.datetime, like: str | None) -> Case:
    """Return a case with moments a day of 24 hours apart, and an hour either side of that."""

    def make(engine: Engine) -> Any:
        at = [start + dt.timedelta(hours=hours) for hours in (0, 23, 24, 25, 47, 48, 49, 72)]
        ids = [1] * len(at)
        frame = engine.with_types({"id": ids, "at": at}, {"at": pa.timestamp("us", "UTC")})
        window: dict[str, Any] = {"window": "rolling"} if like is None else {"like": like}
        return lk.cohort_retention(frame, "id", "at", freq="day", tz=tz, **window)

    return make


_CHANGES_OF_THE_CLOCK = {
    "spring": dt.datetime(2024, 3, 9, 17),
    "autumn": dt.datetime(2024, 11, 2, 16, 30),
}
for _tz in ("America/New_York", "Asia/Jakarta"):
    for _season, _start in _CHANGES_OF_THE_CLOCK.items():
        _when = f"in_{_tz.rpartition('/')[2].lower()}_in_{_season}"
        CASES[f"rolling_cohorts_{_when}"] = rolling_across_a_change_of_the_clock(_tz, _start, None)
        CASES[f"cohorts_like_amplitude_{_when}"] = rolling_across_a_change_of_the_clock(
            _tz, _start, "amplitude"
        )


@case
def rolling_cohorts_of_dates(engine: Engine) -> Any:
    return lk.cohort_retention(log(engine), "id", "day", window="rolling", as_of=AS_OF)


@case
def rolling_cohorts_by_segments_with_valid_from(engine: Engine) -> Any:
    options: dict[str, Any] = {"by": "tier", "segments": engine.frame(CHANGES)}
    return lk.cohort_retention(log(engine), "id", "day", window="rolling", **options)


@case
def revenue_cohorts_pooled(engine: Engine) -> Any:
    frame = visits_at(engine)
    table = lk.cohort_retention(frame, "id", "at", amount="spent", by="sector", as_of=AS_OF)
    return lk.pool(table, over=["sector", "cohort"])


@case
def revenue_cohorts_without_some_amounts(engine: Engine) -> Any:
    spent = without(SPENT, 9)
    with pytest.warns(DroppedRowsWarning, match="rows left out: no finite amount"):
        return lk.cohort_retention(
            visits_at(engine, spent=spent), "id", "at", amount="spent", errors="coerce"
        )


@case
def rolling_cohorts_of_no_rows(engine: Engine) -> Any:
    frame = engine.with_types(
        {"id": [1], "at": [MOMENTS[0]], "spent": [1.0]}, {"at": pa.timestamp("us")}
    )
    options: dict[str, Any] = {"window": "rolling", "as_of": "1970-01-01"}
    with pytest.raises(ParameterError, match="before the first row"):
        lk.cohort_retention(frame, "id", "at", **options)
    return lk.cohort_retention(no_log(engine), "id", "day", window="rolling")


@case
def cohorts_by_day(engine: Engine) -> Any:
    rows = [i for i, day in enumerate(LOG["day"]) if day < dt.date(2025, 12, 20)]
    return lk.cohort_retention(engine.frame(taken(LOG, rows)), "id", "day", freq="day")


@case
def retention_by_text_with_null_keys(engine: Engine) -> Any:
    return lk.retention_rate(log(engine), "id", "day", by="sector", as_of=AS_OF)


@case
def churn_by_categories(engine: Engine) -> Any:
    frame = engine.frame(LOG, CATEGORIES)
    return lk.churn_rate(frame, "id", "day", by=["tier", "sector"], freq="quarter")


@case
def retention_without_an_interval(engine: Engine) -> Any:
    return lk.retention_rate(log(engine), "id", "day", freq="week", method="none")


@case
def flow_as_of_a_date_within_the_log(engine: Engine) -> Any:
    return lk.customer_flow(log(engine), "id", "day", as_of=dt.date(2026, 3, 10), by="sector")


def moments_as_of(kind: pa.DataType) -> Case:
    """A log in the middle of a day: a row at that microsecond is in, one after it is not."""

    def make(engine: Engine) -> Any:
        moments = [
            dt.datetime(2026, 1, 31, 23, 59, 59),
            dt.datetime(2026, 2, 1),
            dt.datetime(2026, 2, 10, 12),
            dt.datetime(2026, 2, 10, 12, 0, 1),
            dt.datetime(2026, 3, 1),
        ]
        frame = engine.with_types({"id": [1, 2, 1, 3, 2], "at": moments}, {"at": kind})
        return lk.customer_flow(frame, "id", "at", as_of=dt.datetime(2026, 2, 10, 12))

    return make


for _unit in ("s", "ms", "us", "ns"):
    CASES[f"flow_as_of_a_moment_in_{_unit}"] = moments_as_of(pa.timestamp(_unit))


@case
def cohorts_as_of_a_moment(engine: Engine) -> Any:
    frame = log(engine, day=MOMENTS)
    options: dict[str, Any] = {"as_of": dt.datetime(2026, 3, 10, 9, 30), "by": "sector"}
    return lk.cohort_retention(frame, "id", "day", **options)


@case
def retention_of_dates_as_text(engine: Engine) -> Any:
    frame = log(engine, day=[moment.isoformat(" ") for moment in MOMENTS])
    return lk.retention_rate(frame, "id", "day", freq="week", as_of="2026-04-30")


@case
def flow_with_rows_without_customer_or_date(engine: Engine) -> Any:
    columns: dict[str, Any] = {**LOG, "id": without(LOG["id"], 10), "day": without(LOG["day"], 14)}
    lost = sum(None in pair for pair in zip(columns["id"], columns["day"], strict=True))
    message = rf"^{lost} rows left out: no customer or no usable date\.$"
    with pytest.warns(DroppedRowsWarning, match=message):
        return lk.customer_flow(engine.frame(columns), "id", "day", errors="coerce")


@case
def cohorts_with_texts_that_are_no_dates(engine: Engine) -> Any:
    texts = [day.isoformat() for day in LOG["day"]]
    texts[5:8] = ["never", "2026-02-30", ""]
    with pytest.warns(DroppedRowsWarning, match="^3 rows left out"):
        return lk.cohort_retention(log(engine, day=texts), "id", "day", errors="coerce")


@case
def flow_of_text_ids(engine: Engine) -> Any:
    ids = [f"c-{customer:02}" for customer in LOG["id"]]
    return lk.customer_flow(log(engine, id=ids), "id", "day", by="sector")


@case
def flow_of_ids_that_floats_cannot_hold(engine: Engine) -> Any:
    return lk.customer_flow(log(engine, id=[2**60 + i for i in LOG["id"]]), "id", "day")


@case
def cohorts_of_unsigned_ids(engine: Engine) -> Any:
    frame = engine.with_types({**LOG, "id": [2**64 - 1 - i for i in LOG["id"]]}, {"id": "uint64"})
    return lk.cohort_retention(frame, "id", "day", by="sector")


@case
def flow_of_categorical_ids(engine: Engine) -> Any:
    names = [f"n{customer}" for customer in LOG["id"]]
    levels = {"id": sorted(set(names), reverse=True)}
    return lk.customer_flow(engine.frame({**LOG, "id": names}, levels), "id", "day")


@case
def flow_of_parts_that_are_empty(engine: Engine) -> Any:
    """A customer's rows are spread over the parts."""
    rows = sorted(range(len(VISITS)), key=lambda i: i * 37 % 101)
    frame = engine.frame(taken(LOG, rows), ends=[0, 50, 50, 90, len(rows), len(rows)])
    return lk.customer_flow(frame, "id", "day", by="sector")


@case
def flow_of_no_rows(engine: Engine) -> Any:
    return lk.customer_flow(no_log(engine), "id", "day")


@case
def retention_of_no_rows_by_key(engine: Engine) -> Any:
    return lk.retention_rate(no_log(engine), "id", "day", by="sector")


@case
def cohorts_of_no_rows(engine: Engine) -> Any:
    return lk.cohort_retention(no_log(engine), "id", "day")


@case
def cohorts_of_one_row(engine: Engine) -> Any:
    frame = engine.frame({"id": [7], "day": [dt.date(2026, 1, 31)]})
    return lk.cohort_retention(frame, "id", "day", as_of="2026-02-28")


def no_log(engine: Engine) -> Any:
    types = {"id": "int64", "day": "date32", "sector": "string"}
    return engine.with_types({"id": [], "day": [], "sector": []}, types)


# ---- segments= ----------------------------------------------------------------------------------


@case
def retention_by_segments_that_hold_for_good(engine: Engine) -> Any:
    options: dict[str, Any] = {"by": "sector", "segments": engine.frame(SECTORS), "as_of": AS_OF}
    return lk.retention_rate(log(engine), "id", "day", **options)


@case
def flow_by_segments_with_valid_from(engine: Engine) -> Any:
    segments = engine.frame(CHANGES, CATEGORIES)
    return lk.customer_flow(log(engine), "id", "day", by="tier", segments=segments)


@case
def retention_by_changes_within_a_quarter(engine: Engine) -> Any:
    options: dict[str, Any] = {"by": "tier", "segments": engine.frame(CHANGES), "freq": "quarter"}
    return lk.retention_rate(log(engine), "id", "day", **options)


@case
def churn_by_changes_at_a_moment(engine: Engine) -> Any:
    """What begins at the period's first microsecond holds in it; one later does not."""
    columns: dict[str, Any] = {
        "id": [0, 0, 1, 2, 3],
        "tier": ["new", "loyal", "repeat", None, "new"],
        "valid_from": [
            dt.datetime(2025, 1, 1),
            dt.datetime(2026, 1, 1, 0, 0, 0, 1),
            dt.datetime(2026, 1, 1),
            dt.datetime(2025, 1, 1),
            dt.datetime(2026, 2, 14, 12),
        ],
    }
    segments = engine.frame(columns, CATEGORIES)
    return lk.churn_rate(log(engine), "id", "day", by="tier", segments=segments)


@case
def cohorts_by_segments_with_valid_from(engine: Engine) -> Any:
    segments = engine.frame(CHANGES, CATEGORIES)
    return lk.cohort_retention(log(engine), "id", "day", by="tier", segments=segments)


@case
def cohorts_by_two_columns_of_segments(engine: Engine) -> Any:
    columns: dict[str, Any] = {**SECTORS, "size": cycle([3, 10, 1], 24, 2)}
    options: dict[str, Any] = {
        "by": ["size", "sector"],
        "segments": engine.frame(columns),
        "freq": "quarter",
    }
    return lk.cohort_retention(log(engine), "id", "day", **options)


@case
def flow_by_segments_of_nobody(engine: Engine) -> Any:
    segments = engine.with_types({"id": [], "sector": []}, {"id": "int64", "sector": "string"})
    return lk.customer_flow(log(engine), "id", "day", by="sector", segments=segments)


@case
def flow_by_the_data_where_segments_lack_the_key(engine: Engine) -> Any:
    segments = engine.frame({"id": SECTORS["id"], "other": SECTORS["sector"]})
    return lk.customer_flow(log(engine), "id", "day", by="sector", segments=segments)


@case
def retention_by_tier_through_time(engine: Engine) -> Any:
    """What `loyalty_tier` returns goes in as it is; tiers without categories sort as texts."""
    frame = log(engine)
    tiers = lk.loyalty_tier(frame, "id", "day", freq="month", purchase="bought")
    if engine.is_pandas and not engine.has_categories:
        tiers = tiers.astype({"tier": "str"})
    return lk.retention_rate(frame, "id", "day", by="tier", segments=tiers, as_of=AS_OF)


# ---- time zones ---------------------------------------------------------------------------------

# Hours around midnight and around both changes of the clock, in UTC.
AWARE: dict[str, list[Any]] = {
    "id": [1, 1, 2, 2, 3, 3, 1, 4, 4, 2],
    "at": [
        dt.datetime(2025, 11, 1, 3, 30),
        dt.datetime(2025, 11, 2, 5, 30),
        dt.datetime(2025, 11, 2, 6, 30),
        dt.datetime(2025, 11, 3, 4, 59, 59),
        dt.datetime(2025, 11, 3, 5),
        dt.datetime(2026, 3, 1, 4, 59),
        dt.datetime(2026, 3, 8, 6, 59),
        dt.datetime(2026, 3, 8, 7),
        dt.datetime(2026, 3, 9, 3, 59, 59),
        dt.datetime(2026, 3, 9, 4),
    ],
    "key": ["a", "a", "b", "b", "a", "a", "a", None, None, "b"],
}


def aware_log(engine: Engine, unit: str = "us", zone: str = "UTC") -> Any:
    return engine.with_types(AWARE, {"at": pa.timestamp(unit, zone)})


def aware_flow(tz: str, freq: Any, unit: str, zone: str) -> Case:
    def make(engine: Engine) -> Any:
        return lk.customer_flow(aware_log(engine, unit, zone), "id", "at", freq=freq, tz=tz)

    return make


for _tz, _freq, _unit, _zone in (
    ("UTC", "week", "us", "UTC"),
    ("America/New_York", "week", "us", "UTC"),
    ("America/New_York", "month", "ns", "Asia/Tokyo"),
    ("Asia/Kathmandu", "month", "ms", "America/New_York"),
    ("Asia/Jakarta", "quarter", "s", "Europe/Berlin"),
):
    _name = _tz.rpartition("/")[2].lower()
    CASES[f"flow_by_{_freq}_in_{_name}_of_{_unit}"] = aware_flow(_tz, _freq, _unit, _zone)


@case
def retention_by_day_across_a_change_of_the_clock(engine: Engine) -> Any:
    rows = [i for i, at in enumerate(AWARE["at"]) if at.year == 2026]
    frame = engine.with_types(taken(AWARE, rows), {"at": pa.timestamp("us", "UTC")})
    return lk.retention_rate(frame, "id", "at", freq="day", tz="America/New_York")


@case
def cohorts_in_a_zone_as_of_its_moment(engine: Engine) -> Any:
    as_of = dt.datetime(2026, 3, 8, 3, 0, tzinfo=NEW_YORK)  # 07:00 in UTC, an hour after 01:59
    options: dict[str, Any] = {
        "tz": "America/New_York",
        "as_of": as_of,
        "freq": "quarter",
        "by": "key",
    }
    return lk.cohort_retention(aware_log(engine), "id", "at", **options)


@case
def flow_in_a_zone_by_segments_of_another(engine: Engine) -> Any:
    """Midnight in New York is 04:00 or 05:00 in UTC: one customer changes on it, one after."""
    columns: dict[str, Any] = {
        "id": [1, 2, 1],
        "tier": ["new", "new", "loyal"],
        "valid_from": [
            dt.datetime(2025, 1, 1),
            dt.datetime(2025, 12, 1, 5),
            dt.datetime(2026, 3, 1, 5, 0, 0, 1),
        ],
    }
    segments = engine.with_types(columns, {"valid_from": pa.timestamp("us", "UTC")})
    options: dict[str, Any] = {"tz": "America/New_York", "by": "tier", "segments": segments}
    return lk.customer_flow(aware_log(engine), "id", "at", **options)


@own_kind("id")
def tier_in_a_zone(engine: Engine) -> Any:
    """Two purchases on one day in New York lie on two days in UTC, and the other way round."""
    return lk.loyalty_tier(aware_log(engine), "id", "at", tz="America/New_York")


# ---- one row per customer, one row per row ------------------------------------------------------


@own_kind("id")
def tier_as_of_the_last_row(engine: Engine) -> Any:
    return lk.loyalty_tier(log(engine), "id", "day")


@own_kind("id")
def tier_as_of_a_date(engine: Engine) -> Any:
    return lk.loyalty_tier(log(engine), "id", "day", as_of="2026-02-28", purchase="bought")


@own_kind("id")
def tier_of_listed_customers(engine: Engine) -> Any:
    listed = engine.frame({"id": [29, 40, 3, 50, 3]})
    return lk.loyalty_tier(log(engine), "id", "day", customers=listed, as_of="2026-01-31")


@own_kind("id")
def tier_of_purchases_as_numbers(engine: Engine) -> Any:
    bought = [int(value) for value in LOG["bought"]]
    options: dict[str, Any] = {"purchase": "bought", "loyal_periods": 2, "loyal_window": 4}
    return lk.loyalty_tier(log(engine, bought=bought), "id", "day", **options)


@own_kind("id")
def tier_of_text_ids_and_moments(engine: Engine) -> Any:
    frame = log(engine, id=[f"c-{customer:02}" for customer in LOG["id"]], day=MOMENTS)
    return lk.loyalty_tier(frame, "id", "day", as_of=dt.datetime(2026, 3, 10, 9, 30))


@own_kind("id")
def tier_with_rows_left_out(engine: Engine) -> Any:
    frame = log(engine, id=without(LOG["id"], 20))
    with pytest.warns(DroppedRowsWarning, match=f"^{len(VISITS) // 20} rows left out"):
        return lk.loyalty_tier(frame, "id", "day", errors="coerce")


@own_kind("id")
def tier_of_no_rows(engine: Engine) -> Any:
    return lk.loyalty_tier(no_log(engine), "id", "day")


def tier_through_time(freq: str) -> Case:
    def make(engine: Engine) -> Any:
        listed = engine.frame({"id": [2, 40]})
        options: dict[str, Any] = {
            "freq": freq,
            "customers": listed,
            "purchase": "bought",
            "as_of": "2026-03-31",
        }
        return lk.loyalty_tier(log(engine), "id", "day", **options)

    return make


for _freq in ("week", "month", "quarter"):
    OWN_KIND[f"tier_by_{_freq}"] = ["id", "valid_from"]
    CASES[f"tier_by_{_freq}"] = tier_through_time(_freq)


def numbered(engine: Engine, columns: Columns) -> Any:
    """Return a frame whose rows are told by a number, since their order need not stay."""
    length = len(next(iter(columns.values())))
    return engine.frame({"row": list(range(length)), **columns})


@own_kind("row")
def attach_by_one_key(engine: Engine) -> Any:
    data = numbered(engine, {"id": [3, 99, 0, 3, 5], "nps": [9, 10, 0, 4, 7]})
    return lk.attach_segments(data, engine.frame(SECTORS), on="id")


@own_kind("row")
def attach_where_keys_are_null(engine: Engine) -> Any:
    data = numbered(engine, {"id": ["a", None, "b", "c", None]})
    segments = engine.frame({"id": ["a", "b"], "sector": ["B2B", None], "size": [3, 4]})
    return lk.attach_segments(data, segments, on="id", columns="sector")


@own_kind("row")
def attach_by_several_keys(engine: Engine) -> Any:
    data = numbered(engine, {"id": [1, 1, 2, 2], "land": ["ID", "DE", "ID", None]})
    segments: dict[str, Any] = {
        "id": [1, 2, 1],
        "land": ["ID", "ID", "FR"],
        "sector": ["B2B", "NPO", "B2C"],
    }
    return lk.attach_segments(data, engine.frame(segments), on=["id", "land"])


@own_kind("row")
def attach_categories(engine: Engine) -> Any:
    data = numbered(engine, {"id": [2, 9, 1]})
    segments = engine.frame({"id": [1, 2], "tier": ["loyal", "new"]}, CATEGORIES)
    return lk.attach_segments(data, segments, on="id")


@own_kind("row")
def attach_what_held_at_the_time(engine: Engine) -> Any:
    """The changes of CHANGES, each asked for the day before, on the day and long after."""
    asked = [
        (customer, since + dt.timedelta(days=days))
        for customer, since in zip(CHANGES["id"][::7], CHANGES["valid_from"][::7], strict=True)
        for days in (-1, 0, 300)
    ]
    data = numbered(
        engine, {"id": [*(who for who, _ in asked), 77], "day": [*(day for _, day in asked), None]}
    )
    options: dict[str, Any] = {"on": "id", "time": "day", "valid_from": "valid_from"}
    return lk.attach_segments(data, engine.frame(CHANGES), **options)


@own_kind("row")
def attach_at_a_moment(engine: Engine) -> Any:
    moments = [dt.datetime(2026, 1, 1, 12), dt.datetime(2026, 1, 1, 12, 0, 1), None]
    data = numbered(engine, {"id": [1, 1, 1], "at": moments})
    segments: dict[str, Any] = {
        "id": [1, 1],
        "since": [dt.datetime(2025, 1, 1), dt.datetime(2026, 1, 1, 12, 0, 1)],
    }
    lookup = engine.frame({**segments, "tier": ["new", "loyal"]})
    return lk.attach_segments(data, lookup, on="id", time="at", valid_from="since")


# ---- the same people more than once -------------------------------------------------------------

# Answers at so many days that no customer has two at one time.
REPEATED: dict[str, list[Any]] = {
    "id": cycle([3, 1, 4, 1, 5, 9, 2], 60),
    "day": days_from(dt.date(2025, 11, 20), 60, 37, 101),
    "wave": without(cycle(["a", "b", "c"], 60, 2), 9),
    "size": cycle([0.5, -0.0, math.nan, 0.0, None], 60),
}
REPEATED_AT = [
    dt.datetime.combine(day, dt.time(i * 5 % 24, i * 7 % 60, i % 60, i * 1000))
    for i, day in enumerate(REPEATED["day"])
]


@own_kind("row")
def one_answer_latest(engine: Engine) -> Any:
    return lk.one_answer(numbered(engine, REPEATED), "id", "day")


@own_kind("row")
def one_answer_first_of_moments(engine: Engine) -> Any:
    frame = numbered(engine, {**REPEATED, "day": REPEATED_AT})
    return lk.one_answer(frame, "id", "day", keep="first")


@own_kind("row")
def one_answer_of_texts(engine: Engine) -> Any:
    texts = [at.isoformat(" ") for at in REPEATED_AT]
    return lk.one_answer(numbered(engine, {**REPEATED, "day": texts}), "id", "day")


@own_kind("row")
def one_answer_in_waves_with_nulls(engine: Engine) -> Any:
    return lk.one_answer(numbered(engine, REPEATED), "id", "day", within=["wave", "size"])


@own_kind("row")
def one_answer_of_each_month(engine: Engine) -> Any:
    frame = numbered(engine, {**REPEATED, "day": REPEATED_AT})
    return lk.one_answer(frame, "id", "day", within="month")


@own_kind("row")
def one_answer_of_each_week_the_first(engine: Engine) -> Any:
    return lk.one_answer(numbered(engine, REPEATED), "id", "day", within="week", keep="first")


@own_kind("id")
def one_answer_of_rows_that_are_equal(engine: Engine) -> Any:
    """What is there twice in every column is one answer, in every engine."""
    day = dt.date(2026, 1, 5)
    columns: dict[str, list[Any]] = {"id": ["b", "a", "b", "b"], "day": [day] * 4}
    return lk.one_answer(engine.frame({**columns, "nps": [9, 3, 9, 9]}), "id", "day")


@own_kind("row")
def one_answer_of_aware_times(engine: Engine) -> Any:
    at = [dt.datetime(2026, 11, 1, hour, minute, tzinfo=dt.UTC) for hour, minute in EVENING]
    frame = numbered(engine, {"id": [1, 1, 2, 2], "at": at})
    return lk.one_answer(frame, "id", "at")


@own_kind("id")
def one_answer_of_no_rows(engine: Engine) -> Any:
    return lk.one_answer(no_log(engine), "id", "day", within="month")


EVENING = [(6, 15), (5, 45), (5, 15), (5, 16)]
PANEL: dict[str, list[Any]] = {
    "sector": ANSWERS["sector"],
    "tier": ANSWERS["tier"],
    "was": without(cycle(range(11), 90, 7), 13),
    "now": without(cycle([*range(11), 9, 10], 90, 4), 17),
    "csat was": without(cycle(["5", "4", " 3", "1", "Blank"], 90, 3), 11),
    "csat now": cycle(["5", "4", "2", "Blank"], 90, 3),
}


@case
def paired_nps_by_sector(engine: Engine) -> Any:
    return lk.compare_paired(engine.frame(PANEL), "was", "now", metric="nps", by="sector")


@case
def paired_nps_by_categories(engine: Engine) -> Any:
    frame = engine.frame(PANEL, CATEGORIES)
    options: dict[str, Any] = {"by": ["tier", "sector"], "adjust": "bh"}
    return lk.compare_paired(frame, "was", "now", metric="nps", **options)


@case
def paired_csat_of_texts(engine: Engine) -> Any:
    frame = engine.frame(PANEL)
    options: dict[str, Any] = {"missing": ("Blank",), "by": "sector"}
    return lk.compare_paired(frame, "csat was", "csat now", metric="csat", **options)


@case
def paired_ces_coerced(engine: Engine) -> Any:
    frame = engine.frame(PANEL)
    options: dict[str, Any] = {"errors": "coerce", "alternative": "greater"}
    return lk.compare_paired(frame, "was", "now", metric="ces", **options)


# ---- keys of two types: one value in both, or none ----------------------------------------------

FAR = 2**32 + 1  # what 32 bits would take for 1


def two_types(engine: Engine, *, valid_from: bool = False) -> tuple[Any, Any]:
    """Return a log with ids of 32 bits, and segments with ids of 64 that do not all fit."""
    visits: dict[str, list[Any]] = {
        "row": list(range(6)),
        "id": [1, 2, 3, 1, 2, 4],
        "day": [dt.date(2026, month, 5) for month in (1, 1, 1, 2, 2, 3)],
    }
    rows: dict[str, list[Any]] = {"id": [1, FAR, 3, -2], "sector": ["B2B", "B2G", "NPO", "B2C"]}
    if valid_from:
        rows["valid_from"] = [dt.date(2025, 1, 1)] * 4
    return engine.with_types(visits, {"id": "int32"}), engine.with_types(rows, {"id": "int64"})


@case
def flow_by_segments_with_wider_ids(engine: Engine) -> Any:
    log, segments = two_types(engine)
    return lk.customer_flow(log, "id", "day", by="sector", segments=segments)


@case
def cohorts_by_changing_segments_with_wider_ids(engine: Engine) -> Any:
    log, segments = two_types(engine, valid_from=True)
    return lk.cohort_retention(log, "id", "day", by="sector", segments=segments)


@own_kind("row")
def attach_segments_with_wider_ids(engine: Engine) -> Any:
    log, segments = two_types(engine)
    return lk.attach_segments(log, segments, on="id")


@own_kind("id")
def tier_of_listed_customers_with_wider_ids(engine: Engine) -> Any:
    log, segments = two_types(engine)
    return lk.loyalty_tier(log, "id", "day", customers=segments)


@own_kind("row")
def attach_fractions_to_whole_ids(engine: Engine) -> Any:
    frame = engine.frame({"row": [0, 1, 2], "id": [1, 2, 2]})
    segments = engine.frame({"id": [1.5, 2.0], "sector": ["B2B", "B2G"]})
    return lk.attach_segments(frame, segments, on="id")


@own_kind("row")
def attach_noon_to_days(engine: Engine) -> Any:
    frame = engine.frame({"row": [0, 1], "on": [dt.date(2026, 1, 5), dt.date(2026, 1, 6)]})
    at = [dt.datetime(2026, 1, 5, 12), dt.datetime(2026, 1, 6)]
    segments = engine.frame({"on": at, "sector": ["B2B", "B2G"]})
    return lk.attach_segments(frame, segments, on="on")


@own_kind("row")
def attach_nanoseconds_to_microseconds(engine: Engine) -> Any:
    at = [dt.datetime(2026, 1, 5, 12), dt.datetime(2026, 1, 6)]
    frame = engine.with_types({"row": [0, 1], "at": at}, {"at": "timestamp[us]"})
    kind = "timestamp[us]" if engine.name == "spark" else "timestamp[ns]"
    segments = engine.with_types({"at": at, "sector": ["B2B", "B2G"]}, {"at": kind})
    return lk.attach_segments(frame, segments, on="at")


# ---- answers that are no points -----------------------------------------------------------------


@case
def nps_of_fractions_coerced(engine: Engine) -> Any:
    scores = [i / 7 for i in range(70)]
    return lk.nps(engine.frame({"nps": [*scores, None]}), "nps", errors="coerce")


@case
def nps_with_a_blank_code_just_off_the_scale(engine: Engine) -> Any:
    scores = [10.0, 11.0, 9.0, 12.0, 3.0, 11.5, None]
    return lk.nps(engine.frame({"nps": scores}), "nps", missing=(11,), errors="coerce")


@case
def flow_by_month_of_compact_texts(engine: Engine) -> Any:
    days = ["20260105", "20260206", "2026-02-07", " 2026-03-01 "]
    return lk.customer_flow(engine.frame({"id": [1, 1, 2, 2], "day": days}), "id", "day")


@own_kind("id", "valid_from")
def tier_by_month_of_no_rows(engine: Engine) -> Any:
    return lk.loyalty_tier(no_log(engine), "id", "day", freq="month")
