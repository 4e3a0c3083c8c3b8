"""Time loyaltykit beside lifetimes and lifelines, which need an older pandas.

Run it in their environment: ``make bench`` does, from requirements/peers.lock. What the libraries
have in common is little, and each case says what it is; where the figures mean the same they must
be equal before anything is timed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import harness
import numpy as np
import pandas as pd
from harness import Case, Counts
from lifelines import KaplanMeierFitter
from lifetimes.utils import summary_data_from_transaction_data

import loyaltykit as lk

SEED = 20_260_101
START = np.datetime64("2024-01-01", "us")
DAY = 86_400_000_000
MONTHS = 12
CONTINUE = 0.8  # of the customers of a month
ROWS_PER_CUSTOMER = 10


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    harness.restart_clean()
    versions = harness.environment(["lifetimes", "lifelines"])
    results: dict[str, Any] = {"environment": versions, "rows": options.rows, "groups": []}
    for title, note, cases in groups(options.rows):
        medians = harness.summary(harness.timed(title, cases, options.repeats or 5))
        harness.show(title, medians)
        print(f"  {note}")
        results["groups"].append({"title": title, "note": note, "cases": medians})
    harness.write(options.json, results)


def groups(rows: int) -> Iterator[tuple[str, str, list[Case]]]:
    log = purchases(rows)
    both = "Checked equal: customers with one purchase day, and the others."
    yield f"Purchase days per customer, {rows:,} rows", both, tier_cases(log)
    log = one_cohort(rows)
    same = (
        "Nobody returns and nobody joins late in this log, so that the share of the cohort that "
        "is active at an age is the Kaplan-Meier estimate; checked equal to 1e-9. In a log where "
        "customers return it is not, and neither replaces the other. lifelines needs durations: "
        "they are made in pandas, and timed alone too. It adds intervals, as loyaltykit does."
    )
    yield f"Curve of one cohort, {len(log):,} rows", same, curve_cases(log)
    customers = spells(rows)
    limits = "Checked equal to 1e-9: the curve and both limits of its interval, at every duration."
    yield f"Survival of customers, {rows:,} durations", limits, survival_cases(customers)


# ---- purchase days per customer ------------------------------------------------------------------


def purchases(rows: int) -> pd.DataFrame:
    """Return two years of purchases in no order."""
    rng = np.random.default_rng(SEED)
    customers = max(rows // ROWS_PER_CUSTOMER, 1)
    days = 731 * rng.random(rows) ** 2
    times = START + (days * DAY).astype("timedelta64[us]")
    return pd.DataFrame({"customer": rng.integers(0, customers, rows), "time": times})


def tier_cases(log: pd.DataFrame) -> list[Case]:
    summary = partial(summary_data_from_transaction_data, log, "customer", "time", freq="D")
    tiers = partial(lk.loyalty_tier, log, "customer", "time")
    return [
        Case(f"{harness.OURS}, loyalty_tier", tiers, new),
        Case("lifetimes, summary_data_from_transaction_data", summary, without_repeats),
    ]


def new(table: pd.DataFrame) -> Counts:
    return {"new": int((table["tier"] == "new").sum()), "all": len(table)}


def without_repeats(table: pd.DataFrame) -> Counts:
    return {"new": int((table["frequency"] == 0).sum()), "all": len(table)}


# ---- the curve of one cohort ---------------------------------------------------------------------


def one_cohort(rows: int) -> pd.DataFrame:
    """Return customers who come every month from January on until they leave for good."""
    rng = np.random.default_rng(SEED)
    per_customer = (1 - CONTINUE**MONTHS) / (1 - CONTINUE)
    months = np.minimum(rng.geometric(1 - CONTINUE, max(int(rows / per_customer), 10)), MONTHS)
    customer = np.repeat(np.arange(len(months)), months)
    age = np.arange(len(customer)) - np.repeat(np.cumsum(months) - months, months)
    first = (np.datetime64("2024-01", "M") + age).astype("datetime64[us]")
    times = first + (27 * DAY * rng.random(len(customer))).astype("timedelta64[us]")
    return pd.DataFrame({"customer": customer, "time": times})


def curve_cases(log: pd.DataFrame) -> list[Case]:
    lasted = durations(log)
    cohorts = partial(lk.cohort_retention, log, "customer", "time", as_of="2024-12-31")
    return [
        Case(f"{harness.OURS}, cohort_retention", cohorts, our_curve),
        Case("pandas durations + lifelines", lambda: kaplan_meier(durations(log)), their_curve),
        Case("lifelines alone, KaplanMeierFitter", partial(kaplan_meier, lasted), their_curve),
    ]


def durations(log: pd.DataFrame) -> pd.Series:
    """Return the months that each customer lasted."""
    month = log["time"].dt.year * 12 + log["time"].dt.month
    spans = month.groupby(log["customer"]).agg(["min", "max"])
    lasted: pd.Series = spans["max"] - spans["min"] + 1
    return lasted


def kaplan_meier(lasted: pd.Series) -> KaplanMeierFitter:
    return KaplanMeierFitter().fit(lasted, event_observed=lasted < MONTHS)


def our_curve(table: pd.DataFrame) -> Counts:
    table = table[table["n"] > 0]  # the later months have cohorts too, of nobody
    curve = zip(table["cohort_age"], table["estimate"] / 100, strict=True)
    return {int(age): round(share, 9) for age, share in curve}


def their_curve(fitted: KaplanMeierFitter) -> Counts:
    survival = fitted.survival_function_at_times(range(MONTHS))
    return {int(age): round(share, 9) for age, share in survival.items()}


# ---- survival ------------------------------------------------------------------------------------


def spells(rows: int) -> pd.DataFrame:
    """Return whole durations of 1 to 1000, of which 30 % ended."""
    rng = np.random.default_rng(SEED)
    return pd.DataFrame({"days": rng.integers(1, 1001, rows), "left": rng.random(rows) < 0.3})


def survival_cases(customers: pd.DataFrame) -> list[Case]:
    ours = partial(lk.survival_curve, customers, "days", "left")
    return [
        Case(f"{harness.OURS}, survival_curve", ours, our_limits),
        Case("lifelines, KaplanMeierFitter", lambda: fitted(customers), their_limits),
    ]


def fitted(customers: pd.DataFrame) -> KaplanMeierFitter:
    return KaplanMeierFitter().fit(customers["days"], event_observed=customers["left"])


def our_limits(table: pd.DataFrame) -> Counts:
    shares = table[["estimate", "ci_low", "ci_high"]] / 100
    return limits(table["duration"], shares)


def their_limits(fit: KaplanMeierFitter) -> Counts:
    shares = fit.survival_function_.join(fit.confidence_interval_)
    return limits(shares.index, shares)


def limits(duration: Any, shares: pd.DataFrame) -> Counts:
    """Return the three columns by duration; the row of 0 has no limits here, and there 1 and 1."""
    rows = zip(duration, shares.to_numpy().round(9).tolist(), strict=True)
    return {int(day): tuple(values) for day, values in rows if day > 0}


if __name__ == "__main__":
    main()
