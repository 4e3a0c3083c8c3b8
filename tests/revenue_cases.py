"""What the suite over every engine asks of recurring revenue."""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from engine_cases import (
    AS_OF,
    CASES,
    CATEGORIES,
    CHANGES,
    LOG,
    MOMENTS,
    NEW_YORK,
    SECTORS,
    Case,
    case,
    cycle,
    without,
)
from flow_cases import CONTRACTS, LISTED, TERMS

import loyaltykit as lk
from loyaltykit.errors import (
    ColumnNotFoundError,
    ConcentrationWarning,
    DataError,
    DroppedRowsWarning,
    LoyaltyKitError,
)

if TYPE_CHECKING:
    from conftest import Engine

ROWS, SPANS = len(LOG["id"]), len(CONTRACTS["id"])
# Quarters add up without rounding; a customer keeps about what he pays, and some pay nothing.
PAID: dict[str, list[Any]] = {
    **LOG,
    "mrr": [(40 + who % 7 * 10 + i * 5 % 11) / 4 * (i % 9 != 0) for i, who in enumerate(LOG["id"])],
    "told": [who % 4 == 0 for who in LOG["id"]],
    "currency": [["EUR", "USD", "USD"][who % 3] for who in LOG["id"]],
}
SOLD: dict[str, list[Any]] = {
    **CONTRACTS,
    "mrr": cycle([0.0, 12.5, 30.25, 8.0, 100.0, 30.25, 2.75], SPANS, 3),
    "told": [who % 5 == 0 for who in CONTRACTS["id"]],
    "currency": [["EUR", "USD", "USD"][who % 3] for who in CONTRACTS["id"]],
}
DRAWN: dict[str, Any] = {"method": "bootstrap", "rng": 7, "n_resamples": 200}


def revenue(engine: Engine, changed: dict[str, Any] | None = None, **options: Any) -> Any:
    """Return the revenue of the log, with columns changed."""
    frame = engine.frame({**PAID, **(changed or {})})
    return retained(frame, "day", {"as_of": AS_OF, **options})


def contracted(engine: Engine, changed: dict[str, Any] | None = None, **options: Any) -> Any:
    frame = engine.frame({**SOLD, **(changed or {})})
    return retained(frame, "start", {**TERMS, **options})


def retained(frame: Any, time: str, options: dict[str, Any]) -> Any:
    """Return the revenue, without a word on how few customers it rests on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConcentrationWarning)
        return lk.revenue_retention(frame, "id", time, "mrr", **options)


# ---- a log, and contracts -----------------------------------------------------------------------


def asked(make: Any, **options: Any) -> Case:
    return lambda engine: make(engine, **options)


for _name, _make in (("log", revenue), ("contracts", contracted)):
    for _freq, _trailing in (("week", 1), ("month", 3), ("quarter", 1), ("month", 12)):
        CASES[f"revenue_of_{_name}_by_{_freq}_against_{_trailing}_before"] = asked(
            _make, freq=_freq, trailing=_trailing
        )
    CASES[f"revenue_of_{_name}"] = asked(_make)
    CASES[f"revenue_of_{_name}_by_a_column"] = asked(_make, by="sector")
    CASES[f"revenue_of_{_name}_from_a_day_on"] = asked(_make, observed_from="2026-01-15")
    CASES[f"revenue_of_{_name}_from_a_day_on_by_quarters"] = asked(
        _make, observed_from="2025-11-30", trailing=3, by="sector"
    )
    CASES[f"revenue_of_{_name}_to_an_early_day"] = asked(_make, as_of="2026-02-10")
    CASES[f"revenue_of_{_name}_by_currency"] = asked(_make, by="currency", currency="currency")
    CASES[f"revenue_of_{_name}_that_is_earned"] = asked(_make, by="sector", referred="told")
    CASES[f"revenue_of_{_name}_drawn"] = asked(_make, **DRAWN)
    CASES[f"revenue_of_{_name}_drawn_by_a_column"] = asked(
        _make, by="sector", referred="told", like="chargify", **DRAWN
    )


@case
def revenue_by_segments(engine: Engine) -> Any:
    return revenue(engine, by="sector", segments=engine.frame(SECTORS))


@case
def revenue_by_segments_with_valid_from(engine: Engine) -> Any:
    segments = engine.frame(CHANGES, CATEGORIES)
    return revenue(engine, by="tier", segments=segments, trailing=3)


@case
def revenue_drawn_by_segments_with_valid_from(engine: Engine) -> Any:
    return revenue(engine, by="tier", segments=engine.frame(CHANGES), referred="told", **DRAWN)


@case
def revenue_of_contracts_by_segments(engine: Engine) -> Any:
    return contracted(engine, by="sector", segments=engine.frame(SECTORS), trailing=3)


@case
def revenue_of_contracts_by_segments_with_valid_from(engine: Engine) -> Any:
    return contracted(engine, by="tier", segments=engine.frame(CHANGES), observed_from="2025-12-01")


# ---- amounts ------------------------------------------------------------------------------------


def credited(columns: dict[str, list[Any]], rows: int) -> dict[str, list[Any]]:
    """Return the columns with rows that take back what every third one says."""
    back = list(range(0, rows, 3))
    made = {name: [*values, *(values[i] for i in back)] for name, values in columns.items()}
    # Tenths do not add up without rounding.
    made["mrr"] = [value / 5 for value in [*columns["mrr"], *(-columns["mrr"][i] for i in back)]]
    return made


@case
def revenue_with_credits(engine: Engine) -> Any:
    return revenue(engine, credited(PAID, ROWS), by="sector")


@case
def revenue_of_contracts_with_credits(engine: Engine) -> Any:
    return contracted(engine, credited(SOLD, SPANS), referred="told")


@case
def revenue_with_credits_before_all_that_is_observed(engine: Engine) -> Any:
    """What was before says only who is not new, and may be below 0."""
    amounts = [-1 if day < dt.date(2026, 1, 1) else 5 for day in LOG["day"]]
    return revenue(engine, {"mrr": amounts}, observed_from="2026-01-01")


@case
def revenue_of_whole_numbers(engine: Engine) -> Any:
    return revenue(engine, {"mrr": [int(value) for value in PAID["mrr"]]})


@case
def revenue_of_decimals(engine: Engine) -> Any:
    amounts = [Decimal(str(value)) for value in PAID["mrr"]]
    frame = engine.with_types({**PAID, "mrr": amounts}, {"mrr": pa.decimal128(12, 2)})
    return retained(frame, "day", {"as_of": AS_OF})


@case
def revenue_without_some_amounts(engine: Engine) -> Any:
    with pytest.warns(DroppedRowsWarning, match=r"^9 rows left out: no finite amount\.$"):
        return revenue(engine, {"mrr": without(PAID["mrr"], ROWS // 9)}, errors="coerce")


@case
def revenue_of_contracts_without_some_amounts(engine: Engine) -> Any:
    message = r"^(3 rows left out: no finite amount|1 row left out: no customer, no usable date.*)"
    changed = {"mrr": without(SOLD["mrr"], 24), "id": [None, *SOLD["id"][1:]]}
    with pytest.warns(DroppedRowsWarning, match=message):
        return contracted(engine, changed, errors="coerce")


@case
def revenue_of_nothing(engine: Engine) -> Any:
    types = {"id": pa.int64(), "day": pa.date32(), "mrr": pa.float64(), "sector": pa.string()}
    frame = engine.with_types({name: [] for name in types}, types)
    return retained(frame, "day", {"by": "sector"})


@case
def revenue_drawn_of_nothing(engine: Engine) -> Any:
    types = {"id": pa.int64(), "day": pa.date32(), "mrr": pa.float64(), "told": pa.bool_()}
    frame = engine.with_types({name: [] for name in types}, types)
    return retained(frame, "day", {"referred": "told", **DRAWN})


@case
def revenue_of_one_period(engine: Engine) -> Any:
    """No base is known of it, and no group has a row."""
    frame = engine.frame({**PAID, "day": [dt.date(2026, 3, 3)] * ROWS})
    return retained(frame, "day", {"by": "sector"})


@case
def revenue_where_nobody_pays(engine: Engine) -> Any:
    return revenue(engine, {"mrr": [0.0] * ROWS})


# ---- times --------------------------------------------------------------------------------------


@case
def revenue_of_texts(engine: Engine) -> Any:
    changed = {
        "id": [f"c{who}" for who in PAID["id"]],
        "day": [day.isoformat() for day in PAID["day"]],
    }
    return revenue(engine, changed, referred="told")


@case
def revenue_in_new_york(engine: Engine) -> Any:
    moments = [moment.replace(tzinfo=dt.UTC) for moment in MOMENTS]
    frame = engine.with_types({**PAID, "day": moments}, {"day": pa.timestamp("us", "UTC")})
    return retained(frame, "day", {"tz": "America/New_York", "trailing": 2})


@case
def revenue_of_contracts_in_new_york(engine: Engine) -> Any:
    midnights = {
        name: [
            value and dt.datetime.combine(value, dt.time(0), NEW_YORK).astimezone(dt.UTC)
            for value in CONTRACTS[name]
        ]
        for name in ("start", "end")
    }
    types = {name: pa.timestamp("us", "UTC") for name in midnights}
    frame = engine.with_types({**SOLD, **midnights}, types)
    return retained(frame, "start", {"tz": "America/New_York", **TERMS})


# ---- what every engine refuses ------------------------------------------------------------------

BELOW: dict[str, list[Any]] = {
    "id": [1, 2, 2, 2],
    "day": ["2026-01-05", "2026-01-07", "2026-02-01", "2026-02-02"],
    "end": [None, "2026-03-01", None, "2026-03-05"],
    "mrr": [10.0, 5.0, 7.0, -8.0],
}


def of(engine: Engine, time: str = "day", **changed: Any) -> Any:
    return lk.revenue_retention(engine.frame({**BELOW, **changed}), "id", time, "mrr")


CURRENCIES = r"^currency='currency' holds 'EUR', 'USD' in one group, whose amounts cannot be added"
REFUSALS: dict[str, tuple[Case, type[LoyaltyKitError], str]] = {
    "amounts that add up to less than nothing": (
        of,
        DataError,
        r"^amount='mrr' adds up to less than 0 in 1 case of a customer and a month, of the "
        r"customers 2\. What recurs is 0 or more",
    ),
    "contracts that add up to less than nothing": (
        lambda e: lk.revenue_retention(
            *(e.frame({**BELOW, "mrr": [10.0, 5.0, 2.0, -8.0]}), "id", "day", "mrr"),
            contract_end="end",
            as_of=LISTED,
        ),
        DataError,
        r"^amount='mrr' adds up to less than 0 in 1 case of a customer and a month, of the cust",
    ),
    "no amounts": (
        lambda e: of(e, mrr=[1.0, None, 3.0, None]),
        DataError,
        r"^'mrr': 2 rows without a finite amount\.",
    ),
    "contracts without amounts": (
        lambda e: contracted(e, {"mrr": without(SOLD["mrr"], 24)}),
        DataError,
        r"^'mrr': 3 rows without a finite amount\.",
    ),
    "amounts that are text": (
        lambda e: of(e, mrr=["1", "2", "3", "4"]),
        DataError,
        r"^amount='mrr' must be a column of numbers|'mrr'.*numbers",
    ),
    "amounts of several currencies": (
        lambda e: revenue(e, currency="currency"),
        DataError,
        CURRENCIES,
    ),
    "amounts of several currencies in a group": (
        lambda e: revenue(e, currency="currency", by="tier"),
        DataError,
        CURRENCIES,
    ),
    "contracts of several currencies in segments": (
        lambda e: contracted(e, currency="currency", by="sector", segments=e.frame(SECTORS)),
        DataError,
        CURRENCIES,
    ),
    "a currency that is not told": (
        lambda e: revenue(e, {"currency": [None, *["EUR"] * (ROWS - 1)]}, currency="currency"),
        DataError,
        r"^currency='currency' holds 'EUR', 'null' in one group",
    ),
    "referred or not, who knows": (
        lambda e: revenue(
            e, {"told": ["yes", "no"] * (ROWS // 2) + ["no"] * (ROWS % 2)}, referred="told"
        ),
        DataError,
        r"^'told'",
    ),
    "a column of amounts that is not there": (
        lambda e: lk.revenue_retention(e.frame(PAID), "id", "day", "mr"),
        ColumnNotFoundError,
        r"^amount='mr': data has no such column.*Did you mean 'mrr'",
    ),
    "revenue of groups that change": (
        lambda e: revenue(e, {"sector": cycle(["a", "b"], ROWS, 1)}, by="sector"),
        DataError,
        r"^by=",
    ),
}
