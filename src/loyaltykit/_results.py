"""The result tables: their columns, their definition strings, and how they are put together.

Column names are API. Each public table has one tuple here, and a test that compares it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _estimates, _frame

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.datetime64]

# The labels of the three splits that the field uses everywhere, in their order.
SECTORS = ("B2B", "B2C", "B2G", "NPO")
RELATIONSHIPS = ("internal", "external")
TIERS = ("prospect", "new", "repeat", "loyal")
TIERS_AND_LAPSED = ("prospect", "lapsed", "new", "repeat", "loyal")
STAGES = ("acquisition", "onboarding", "retention", "at_risk", "churned", "advocacy")

_REVENUE = (
    *("retained", "start", "new", "expansion", "contraction", "churned", "reactivation", "end"),
    *("amount_sumsq", "amount_start_sumsq", "amount_cross", "reactivated", "reactivation_sumsq"),
)
_REFERRED = ("referred", "referred_amount", "referred_sumsq")
AREA = "restricted_mean"  # which is made from a curve, and not from its counts
# The counts that each metric's estimate is made from: what pool sums.
COUNTS = {
    "nps": ("promoters", "passives", "detractors"),
    "csat": ("satisfied",),
    "ces": ("easy", "neutral", "hard", "answer_sum", "answer_sumsq"),
    "retention_rate": ("retained", "churned"),
    "churn_rate": ("retained", "churned"),
    "cohort_retention": ("retained",),
    "cohort_revenue": (
        *("retained", "amount", "amount_start"),
        *("amount_sumsq", "amount_start_sumsq", "amount_cross"),
    ),
    "quick_ratio": ("gained", "lost"),
    "tier_transitions": ("moved",),
    **dict.fromkeys(("grr", "nrr"), _REVENUE),
    "earned_growth": (*_REVENUE, *_REFERRED),
    AREA: ("events",),
}
REVENUE_METRICS = ("grr", "nrr", "earned_growth")
# Those that are whole numbers beside sums of amounts.
_CUSTOMERS = ("retained", "reactivated", "referred")
# The sums of weights that it is made from where answers are weighted: a name is w_ or w2_ and this.
WEIGHTED = {
    "nps": COUNTS["nps"],
    "csat": ("satisfied", "unsatisfied"),
    "ces": COUNTS["ces"],
}
DESIGN = ("n_effective", "df")
ESTIMATES = ("estimate", "std_error", "ci_low", "ci_high")
WORDS = ("confidence_level", "method", "unit", "definition")


def amounts_of(metric: str) -> frozenset[str]:
    """Return the counts of a metric that are sums of amounts, and no whole numbers."""
    ratio = metric in ("cohort_revenue", *REVENUE_METRICS)
    return frozenset(COUNTS[metric]) - set(_CUSTOMERS) if ratio else frozenset()


def counts_of(metric: str, definition: str) -> tuple[str, ...]:
    """Return the counts that an estimate is made from, which its definition may add to."""
    average = _estimates.kind(metric, definition) == _estimates.AVERAGE
    return (*COUNTS[metric], "end") if average else COUNTS[metric]


def _metric_columns(metric: str) -> tuple[str, ...]:
    return ("metric", "n", "n_missing", *COUNTS[metric], *ESTIMATES, *WORDS)


def _weighted_columns(metric: str) -> tuple[str, ...]:
    head = ("metric", "n", "n_missing", *COUNTS[metric])
    return (*head, *weighted_names(metric), *ESTIMATES, *DESIGN, *WORDS)


def weighted_names(metric: str) -> tuple[str, ...]:
    """Return the columns with the sums of weights and of squared weights."""
    return tuple(f"{sign}_{name}" for sign in ("w", "w2") for name in WEIGHTED[metric])


# What follows the key columns. Survey tables made with time= have period and coverage before them.
PERIOD = ("period", "coverage")
NPS = _metric_columns("nps")
CSAT = _metric_columns("csat")
CES = _metric_columns("ces")
NPS_WEIGHTED = _weighted_columns("nps")
CSAT_WEIGHTED = _weighted_columns("csat")
CES_WEIGHTED = _weighted_columns("ces")
TALLY = ("answer", "n")
TALLY_WEIGHTED = ("cluster", "answer", "n", "weight", "weight_sq")
RETENTION_RATE = (*PERIOD, *_metric_columns("retention_rate"), "as_of")
CHURN_RATE = (*PERIOD, *_metric_columns("churn_rate"), "as_of")
COHORT_RETENTION = (
    *("cohort", "cohort_age", "coverage"),
    *_metric_columns("cohort_retention"),
    "as_of",
)
COHORT_REVENUE = (
    *("cohort", "cohort_age", "coverage"),
    *_metric_columns("cohort_revenue"),
    "as_of",
)
REVENUE_RETENTION, EARNED_GROWTH = (
    (
        *(*PERIOD, "metric", "n", "n_missing", *COUNTS[metric], "logo_retention"),
        *(*ESTIMATES, "n_effective", *WORDS, "as_of"),
    )
    for metric in ("nrr", "earned_growth")
)
QUICK_RATIO = (*PERIOD, *_metric_columns("quick_ratio"))
TIER_TRANSITIONS = (*PERIOD, "from_tier", "to_tier", *_metric_columns("tier_transitions"))
CUSTOMER_FLOW = (*PERIOD, "start", "new", "retained", "returned", "churned", "end")
# After these: of contracts, and where customers may change groups.
BRIEF = "joined_and_left"
MIGRATION = ("migrated_in", "migrated_out")
RESTRICTED_MEAN = _metric_columns(AREA)
LOGRANK = ("n", "events", "expected", "statistic", "df", "p_value", "method")
LOGRANK_PAIRS = (
    *("reference", "n", "n_reference", "events", "events_reference"),
    *("expected", "expected_reference", "statistic", "df", "p_value", "p_adjusted", "adjust"),
    "method",
)
# Of compare: the remaining keys, metric, the key compared across, and these.
COMPARE = (
    *("reference", "n", "n_reference", "estimate", "estimate_reference", "difference"),
    *("std_error", "ci_low", "ci_high", "statistic", "df", "p_value", "p_adjusted", "adjust"),
    *WORDS,
)
# Beside these: the other keys first, the key explained before its reference, the segments after it.
EXPLAIN_CHANGE = ("metric", "reference", "part", *ESTIMATES, "unit", "definition")
COMPARE_PAIRED = (
    *("metric", "level", "reference", "n", "n_reference", "n_missing"),
    *COMPARE[COMPARE.index("estimate") :],
)
SURVIVAL_COUNTS = ("duration", "at_risk", "events", "censored", "entered")
SURVIVAL = (*SURVIVAL_COUNTS, *ESTIMATES, *WORDS[:-1])
SURVIVAL_WEIGHTED = (*SURVIVAL_COUNTS, "w_at_risk", "w_events", *ESTIMATES, *WORDS[:-1])
SURVIVAL_QUANTILE = ("share", "estimate", "ci_low", "ci_high", *WORDS[:-1])
RAKED = ("weight", "converged", "iterations", "design_effect", "weight_max")  # added to the rows
SCORECARD = ("name", "dimension", "level", "metric", "n", "n_missing", *ESTIMATES, *WORDS)
# After these, where a scorecard holds each row against the period before.
CHANGE = (
    *("reference", "estimate_reference", "difference", "difference_ci_low", "difference_ci_high"),
    *("p_value", "p_adjusted", "adjust"),
)

# A key of such a name could never be told from a column of a result table.
RESERVED = frozenset(
    (
        *NPS,
        *CSAT,
        *CES,
        *NPS_WEIGHTED,
        *CSAT_WEIGHTED,
        *CES_WEIGHTED,
        *TALLY,
        *TALLY_WEIGHTED,
        *RETENTION_RATE,
        *COHORT_RETENTION,
        *COHORT_REVENUE,
        *EARNED_GROWTH,
        *QUICK_RATIO,
        *TIER_TRANSITIONS,
        *CUSTOMER_FLOW,
        BRIEF,
        *MIGRATION,
        *COMPARE,
        *LOGRANK,
        *LOGRANK_PAIRS,
        *RESTRICTED_MEAN,
        *SCORECARD,
        *EXPLAIN_CHANGE,
        *SURVIVAL_WEIGHTED,
        *SURVIVAL_QUANTILE,
    )
)


# ---- definition strings -------------------------------------------------------------------------


def nps_definition(scale: tuple[int, int], promoter_min: int, detractor_max: int) -> str:
    """Return for example ``scale=0..10;promoter>=9;detractor<=6``."""
    return f"{_scale(scale)};promoter>={promoter_min};detractor<={detractor_max}"


def csat_definition(scale: tuple[int, int], satisfied_min: int) -> str:
    """Return for example ``scale=1..5;satisfied>=4``."""
    return f"{_scale(scale)};satisfied>={satisfied_min}"


def ces_definition(
    scale: tuple[int, int], direction: str, statistic: str, easy: int, hard: int
) -> str:
    """Return for example ``scale=1..7;direction=ease;statistic=mean;easy>=5;hard<=3``."""
    signs = (">=", "<=") if direction == "ease" else ("<=", ">=")
    ends = f"easy{signs[0]}{easy};hard{signs[1]}{hard}"
    return f"{_scale(scale)};direction={direction};statistic={statistic};{ends}"


# What a definition says of clusters, strata and a finite population; weights alone say nothing.
SAMPLING = "sampling"


def sampling_suffix(parts: Sequence[str]) -> str:
    """Return for example ``;sampling=clusters+strata``, to follow a definition."""
    return f";{SAMPLING}={'+'.join(parts)}" if parts else ""


def without_sharing(definition: str) -> str:
    """Return the definition of a metric whatever the rows of its table share."""
    return definition.replace("shared_", "")


def rate_definition(
    freq: str, grace: int, *, contracts: bool = False, denominator: str | None = None
) -> str:
    """Return for example ``basis=log;freq=month;grace=0;denominator=start``."""
    basis = f"basis=contracts;freq={freq}" if contracts else f"basis=log;freq={freq};grace={grace}"
    return basis if denominator is None else f"{basis};denominator={denominator}"


def ratio_definition(*, contracts: bool) -> str:
    """Return the definition of the ratio of customers gained and lost."""
    brief = "+joined_and_left" if contracts else ""
    return f"gained=new+returned{brief};lost=churned{brief}"


def cohort_definition(
    freq: str,
    window: str = "calendar",
    rule: str = "on",
    floor: str | None = None,
    columns: Mapping[str, str] | None = None,
    basis: str = "log",
) -> str:
    """Return for example ``basis=log;freq=month;window=rolling;rule=brackets(0,1,4)``.

    ``columns`` are those of events and amounts, which the number depends on.
    """
    words = f"basis={basis};freq={freq};window={window};rule={rule}"
    words += "" if floor is None else f";floor={floor}"
    return words + "".join(f";{role}={name}" for role, name in (columns or {}).items())


def revenue_definition(
    freq: str, trailing: int, reactivation: str, amount: str, *, contracts: bool
) -> str:
    """Return for example ``basis=log;freq=month;trailing=1;reactivation=apart;amount=mrr``."""
    basis = "contracts" if contracts else "log"
    words = f"basis={basis};freq={freq};trailing={trailing};reactivation={reactivation}"
    return f"{words};amount={amount}"


def transitions_definition(freq: str, column: str) -> str:
    """Return for example ``basis=tiers;column=tier;freq=month``."""
    return f"basis=tiers;column={column};freq={freq}"


def horizon_definition(horizon: float) -> str:
    """Return for example ``horizon=20``."""
    return f"horizon={int(horizon) if horizon.is_integer() else horizon}"


def _scale(scale: tuple[int, int]) -> str:
    return f"scale={scale[0]}..{scale[1]}"


# ---- assembly -----------------------------------------------------------------------------------


def metric_table(
    keys: _frame.Frame,
    metric: str,
    counts: Mapping[str, npt.NDArray[Any]],
    n: npt.NDArray[Any],
    n_missing: npt.NDArray[Any],
    *,
    before: Mapping[str, npt.NDArray[Any]] | None = None,
    after: Mapping[str, Any] | None = None,
    weighted: _estimates.Weighted | None = None,
    limits: tuple[FloatArray, FloatArray] | None = None,
    method: str,
    confidence_level: float,
    definition: str,
) -> Any:
    """Return a metric's table as a native frame of the keys' engine.

    ``before`` holds period, cohort and coverage columns, ``after`` holds as_of. Masked counts are
    null, and so is everything estimated from them. ``limits`` are those of a bootstrap, in the unit
    of the estimate.
    """
    plain = {name: np.ma.filled(values, 0) for name, values in counts.items()}
    kind, size = _estimates.kind(metric, definition), np.ma.filled(n, 0)
    options: dict[str, Any] = {"method": method, "confidence_level": confidence_level}
    sums: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    design: dict[str, Any] = {}
    names = counts_of(metric, definition)
    if metric in REVENUE_METRICS:
        names = tuple(name for name in COUNTS["earned_growth"] if name in counts)
        beside["logo_retention"] = _estimates.percent(plain["retained"], size)
        design["n_effective"] = _estimates.effective_customers(plain)
    if weighted is None:
        estimate = _estimates.from_counts(metric, kind, plain, size, **options)
    else:
        estimate, effective = _estimates.from_weights(metric, kind, weighted, size, **options)
        values = [part[name] for part in weighted[:2] for name in WEIGHTED[metric]]
        sums = dict(zip(weighted_names(metric), values, strict=True))
        design = dict(zip(DESIGN, (effective, weighted.df), strict=True))
    if limits is not None:
        estimate = estimate._replace(ci_low=limits[0], ci_high=limits[1])
    columns = {
        **(before or {}),
        "metric": metric,
        "n": n,
        "n_missing": n_missing,
        **{name: counts[name] for name in names},
        **sums,
        **beside,
        **estimate._asdict(),
        **design,
        "confidence_level": confidence_level,
        "method": method,
        "unit": _estimates.unit(kind),
        "definition": definition,
        **(after or {}),
    }
    return _frame.table(keys, columns, len(n))


def coverage(observed: npt.NDArray[np.bool_], partial: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Return the word for each cell; what is neither observed nor partial is unobserved."""
    words = np.where(partial, "partial", "unobserved")
    return np.where(observed, "observed", words)
