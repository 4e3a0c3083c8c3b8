"""loyaltykit: customer metrics that people can defend."""

from loyaltykit import datasets, errors, plot
from loyaltykit.cohorts import cohort_matrix, cohort_retention
from loyaltykit.comparison import compare
from loyaltykit.explanation import explain_change
from loyaltykit.flows import customer_flow
from loyaltykit.growth import quick_ratio
from loyaltykit.hazards import logrank
from loyaltykit.horizons import restricted_mean
from loyaltykit.labels import (
    normalize_loyalty_tier,
    normalize_relationship,
    normalize_sector,
    nps_group,
)
from loyaltykit.lifetimes import customer_lifetimes, inactivity_gap
from loyaltykit.pooling import pool
from loyaltykit.precounted import (
    ces_from_counts,
    churn_rate_from_counts,
    csat_from_counts,
    nps_from_counts,
    retention_rate_from_counts,
)
from loyaltykit.records import from_records, record_schema, to_records
from loyaltykit.repeats import compare_paired, one_answer
from loyaltykit.reports import scorecard_html
from loyaltykit.retention import churn_rate, retention_rate
from loyaltykit.revenue import revenue_retention
from loyaltykit.scorecards import scorecard, scorecard_matrix
from loyaltykit.scoring import rfm
from loyaltykit.segments import attach_segments
from loyaltykit.stages import lifecycle_stage
from loyaltykit.survey import ces, csat, nps
from loyaltykit.survival import survival_curve, survival_quantile
from loyaltykit.tallies import tally
from loyaltykit.tiers import loyalty_tier
from loyaltykit.transitions import tier_transitions
from loyaltykit.weighting import design_effect, rake

__version__ = "0.1.0"
__all__ = [
    "attach_segments",
    "ces",
    "ces_from_counts",
    "churn_rate",
    "churn_rate_from_counts",
    "cohort_matrix",
    "cohort_retention",
    "compare",
    "compare_paired",
    "csat",
    "csat_from_counts",
    "customer_flow",
    "customer_lifetimes",
    "datasets",
    "design_effect",
    "errors",
    "explain_change",
    "from_records",
    "inactivity_gap",
    "lifecycle_stage",
    "logrank",
    "loyalty_tier",
    "normalize_loyalty_tier",
    "normalize_relationship",
    "normalize_sector",
    "nps",
    "nps_from_counts",
    "nps_group",
    "one_answer",
    "plot",
    "pool",
    "quick_ratio",
    "rake",
    "record_schema",
    "restricted_mean",
    "retention_rate",
    "retention_rate_from_counts",
    "revenue_retention",
    "rfm",
    "scorecard",
    "scorecard_html",
    "scorecard_matrix",
    "survival_curve",
    "survival_quantile",
    "tally",
    "tier_transitions",
    "to_records",
]


def __dir__() -> list[str]:
    """Show public names only, to ``dir`` and to whoever completes ``lk.``."""
    return ["__version__", *__all__]
