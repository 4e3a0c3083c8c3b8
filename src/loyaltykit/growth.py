"""Growth of the customer base: what was gained beside what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from loyaltykit import _checks, _estimates, _frame, _results, _samples

if TYPE_CHECKING:
    from loyaltykit._typing import Result, Table


def quick_ratio(
    flow: Table[Result], *, confidence_level: float = 0.95, method: _estimates.OddsMethod = "wilson"
) -> Result:
    r"""Quick ratio of customers by period: gained for each one lost.

    .. math:: quick\ ratio_t = \frac{new_t + returned_t}{churned_t}

    Above 1 the base grows. Where the flow is one of contracts, those who joined and left within the
    period are in the numerator and in the denominator.

    Parameters
    ----------
    flow : DataFrame
        A table of `customer_flow`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "clopper_pearson", "jeffreys", "none"}, optional
        The interval of a share, as in `churn_rate`, that is carried over.

    Returns
    -------
    DataFrame
        A row per row of `flow`, in its engine: the keys, period, coverage, metric, n (customers
        gained and lost), n_missing (0), gained, lost, estimate, std_error, ci_low, ci_high,
        confidence_level, method, unit ("ratio"), definition.

    Raises
    ------
    ParameterError
        If `flow` is no table of `customer_flow`, or a parameter has a value that is not allowed.

    See Also
    --------
    customer_flow : The counts that it is made from.
    pool : The ratio of several periods or groups together, from their sums.

    Notes
    -----
    A period in which nobody was lost has no ratio: it is null, not infinite. So is one whose start
    is not known.

    Of all n customers gained or lost, the share p was gained, and the ratio is its odds,
    p / (1 - p). The limits are those of the share, carried over; the error is by the delta method.
    The interval speaks of gains and losses as of so many separate trials.

    `compare` and `explain_change` take no ratios. A flow does not say the length of its periods nor
    its grace, and nor does the ratio: do not stack those of several. In a split by tier, who
    migrates from one tier to another is neither gained nor lost.

    References
    ----------
    The ratio of users gained and lost is from J. Hsu, "Diligence at Social Capital Part 1:
    Accounting for User Growth" (2015),
    https://medium.com/swlh/diligence-at-social-capital-part-1-accounting-for-user-growth-4a8a449fddfc

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 2, 2, 3, 4, 5],
    ...         "day": ["2026-01-05", "2026-01-09", *["2026-02-07"] * 4],
    ...     }
    ... )
    >>> flow = lk.customer_flow(log, "id", "day", as_of="2026-02-28")
    >>> lk.quick_ratio(flow)[["period", "coverage", "gained", "lost", "estimate"]]
          period    coverage  gained  lost  estimate
    0 2026-01-01  unobserved    <NA>  <NA>       NaN
    1 2026-02-01    observed       3     1       3.0
    """
    _checks.check_choice("method", method, _estimates.ODDS_METHODS)
    level = _checks.check_confidence_level(confidence_level)
    frame = _frame.open_frame(flow, "flow")
    _checks.check_result(frame.columns, _results.CUSTOMER_FLOW, "customer_flow", "flow")
    contracts = _results.BRIEF in frame.columns
    names = ["new", "returned", "churned", *([_results.BRIEF] if contracts else [])]
    unknown = np.logical_or.reduce([frame[name].is_null().to_numpy() for name in names])
    counts = {name: _samples.integers(frame, name, "flow") for name in names}
    both = counts.get(_results.BRIEF, 0)
    gained, lost = (
        np.ma.masked_array(part + both, mask=unknown)
        for part in (counts["new"] + counts["returned"], counts["churned"])
    )
    period = _frame.read_times(frame["period"], None, None).values.astype("datetime64[D]")
    coverage = np.array(frame["coverage"].to_list(), dtype=object)
    made: Result = _results.metric_table(
        frame.select(list(frame.columns[: frame.columns.index("period")])),
        "quick_ratio",
        {"gained": gained, "lost": lost},
        gained + lost,
        np.ma.masked_array(np.zeros(len(frame), dtype=np.int64), mask=np.ma.nomask),
        before={"period": period, "coverage": coverage},
        method=method,
        confidence_level=level,
        definition=_results.ratio_definition(contracts=contracts),
    )
    return made
