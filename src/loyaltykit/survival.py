"""Survival curves and their quantiles: how long customers stay when many have not left yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _codes, _frame, _results, _samples, _spells, _survival
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Result, Table

FloatArray = npt.NDArray[np.float64]


def survival_curve(
    data: Data[Result],
    duration: str,
    event: str,
    *,
    by: str | Sequence[str] | None = None,
    entry: str | None = None,
    counts: str | None = None,
    weights: str | None = None,
    method: _survival.Method = "log-log",
    confidence_level: float = 0.95,
    errors: _checks.Errors = "raise",
) -> Result:
    r"""Return the share of customers who stay longer than t, for every t: Kaplan-Meier's estimate.

    .. math:: S(t) = \prod_{u \le t} \left(1 - \frac{D(u)}{Y(u)}\right), \qquad
        se^2 = S(t)^2 \sum_{u \le t} \frac{D(u)}{Y(u) \, (Y(u) - D(u))}

    Y(u) are the customers at risk at duration u, who have come under observation before it and are
    still there; D(u) those of them who have the event at u. Customers who have not left yet count
    for as long as they were seen: they are neither left out nor taken to stay for ever.

    Parameters
    ----------
    data : DataFrame
        One row per customer (or per count of customers), in any supported engine; for example what
        `customer_lifetimes` returns.
    duration : str
        Column of how long each customer was seen, from the beginning: numbers, 0 or more.
    event : str
        Column that says whether that time ended with the event: true and false, or 1 and 0. False
        means censored: still a customer when last seen.
    by : str or sequence of str, optional
        Key columns: one curve per combination that is present. A null key has a curve of its own.
    entry : str, optional
        Column of the duration at which each came under observation, for customers who had been
        such before records began: late entry. Null and 0 mean from the beginning.
    counts : str, optional
        Column that says how many customers a row stands for: frequencies.
    weights : str, optional
        Column of sampling weights: how much of the population a customer speaks for. Only their
        ratios matter, and the error is that of the sample as it was weighted. Not with `counts`.
    method : {"log-log", "log", "plain"}, optional
        The scale on which the interval is symmetric: log(-log S), log S, or S itself.
    confidence_level : float, optional
        Confidence level of the pointwise interval, between 0 and 1.
    errors : {"raise", "coerce"}, optional
        Whether rows without a duration, an event or a weight are refused, or left out with a
        warning. A group of which all are left out stays, as one of nobody.

    Returns
    -------
    DataFrame
        A row per group and duration, in the engine of `data` (pandas for lazy and distributed
        ones): the keys, duration, at_risk, events, censored, entered, [w_at_risk, w_events],
        estimate (100 S), std_error, ci_low, ci_high, confidence_level, method, unit. The durations
        are 0, and all at which somebody leaves or, with `entry`, comes under observation.

        std_error is null where the estimate is 0. The interval is null where the estimate is 0 or
        100, which the data cannot tell from almost 0 and almost 100. All are null in a group of
        nobody.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If a duration or entry is negative, infinite or no number, an entry is not before the
        duration, an event is neither true nor false, a weight is negative, or a value is missing.
    ParameterError
        If a parameter has a value that is not allowed, or one that contradicts another.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.
    EmptyRiskSetWarning
        If all at risk have the event while others enter later: the estimate is 0 from there on.

    See Also
    --------
    survival_quantile : The median, and other quantiles, of such a table.
    customer_lifetimes : Durations and events from a log.

    Notes
    -----
    Censored customers are at risk at the duration at which they were last seen: events come before
    censorings of the same duration. Who entered late, at e, and was last seen at x is at risk where
    e < u <= x; who did not, also at u = 0: a duration of 0 with an event lowers the curve at once.
    entered is how many come under observation at that duration. In every row

    .. math:: at\_risk_{i+1} = at\_risk_i - events_i - censored_i + entered_i

    where entered in the row of duration 0 is not added, being at risk there.

    A customer who was not observed for some time may have several rows, each with its own `entry`:
    each duration counts once. The error takes the rows for independent.

    The estimate is that of Kaplan and Meier [1]_, the error Greenwood's [2]_. The interval on the
    scale of log(-log S) [3]_ stays inside 0 and 100 and holds its level in small samples; that on
    the scale of log S is cut at 100, and the plain one at 0 and 100: a limit there says that the
    interval was cut. An interval holds for one duration, not for the whole curve at once.

    With weights, Y and D are sums of weights, and the error is the infinitesimal jackknife [4]_:

    .. math:: se^2 = S(t)^2 \sum_i w_i^2 \left( \sum_{u \le t,\; e_i < u \le x_i}
        \frac{D(u)}{Y(u) \, (Y(u) - D(u))} - \frac{\delta_i(t)}{Y(x_i) - D(x_i)} \right)^2

    where customer i entered at e and was last seen at x, and delta is 1 after an event by t.
    Without late entry, equal weights give Greenwood's error exactly. Customers with a weight of 0
    are left out.

    The curve is that of customers who leave for one reason, or for any. It is not the share who
    leave for a reason in the presence of others (competing risks), where the others are no
    censoring.

    References
    ----------
    .. [1] E. L. Kaplan and P. Meier (1958). Nonparametric estimation from incomplete observations.
       JASA 53, 457-481. https://doi.org/10.1080/01621459.1958.10501452
    .. [2] M. Greenwood (1926). The natural duration of cancer. Reports on Public Health and Medical
       Subjects 33, 1-26.
    .. [3] J. D. Kalbfleisch and R. L. Prentice (2002). The statistical analysis of failure time
       data, 2nd ed. Wiley. https://doi.org/10.1002/9781118032985
    .. [4] T. M. Therneau and P. M. Grambsch (2000). Modeling survival data: extending the Cox
       model. Springer. https://doi.org/10.1007/978-1-4757-3294-8

    Examples
    --------
    Six customers, of whom three have left.

    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> customers = pd.DataFrame(
    ...     {"months": [2, 3, 3, 5, 8, 9], "left": [True, True, False, True, False, False]}
    ... )
    >>> curve = lk.survival_curve(customers, "months", "left")
    >>> curve[["duration", "at_risk", "events", "censored", "estimate", "ci_low", "ci_high"]].round(
    ...     1
    ... )
       duration  at_risk  events  censored  estimate  ci_low  ci_high
    0         0        6       0         0     100.0     NaN      NaN
    1         2        6       1         0      83.3    27.3     97.5
    2         3        5       1         1      66.7    19.5     90.4
    3         5        3       1         0      44.4     6.6     78.5
    4         8        2       0         1      44.4     6.6     78.5
    5         9        1       0         1      44.4     6.6     78.5
    """
    _checks.check_choice("method", method, _survival.METHODS)
    level = _checks.check_confidence_level(confidence_level)
    spells = _spells.read(
        data, duration, event, by=by, entry=entry, counts=counts, weights=weights, errors=errors
    )
    table = _survival.life_table(
        *(spells.group, spells.duration, spells.event, spells.entry, spells.n, spells.size)
    )
    columns: dict[str, Any] = {name: getattr(table, name) for name in _results.SURVIVAL_COUNTS}
    if spells.weight is None or spells.square is None:
        curve = _survival.kaplan_meier(table)
    else:
        sums = _survival.weigh(table, spells.event, spells.weight)
        curve = _survival.weighted_kaplan_meier(table, sums, spells.event, spells.square)
        columns |= {"w_at_risk": sums.at_risk, "w_events": sums.events}
    _spells.warn_of_empty_risk_sets(spells, table, curve.survival)
    low, high = _survival.interval(curve, method, level)
    columns |= {
        "estimate": 100.0 * curve.survival,
        "std_error": 100.0 * _survival.std_error(curve),
        "ci_low": 100.0 * low,
        "ci_high": 100.0 * high,
        "confidence_level": level,
        "method": method,
        "unit": "percent",
    }
    made: Result = _frame.table(_frame.rows(spells.keys, table.group), columns, len(table.group))
    return made


# ---- quantiles ----------------------------------------------------------------------------------


def survival_quantile(
    result: Table[Result], *, share: float | Sequence[float] | FloatArray = 0.5
) -> Result:
    r"""Return the duration by which a share of customers has left: the median, or another quantile.

    .. math:: t_p = \min \{t : S(t) \le 1 - p\}

    and, where the curve stays at exactly 1 - p for a while, the middle of that stretch.

    Parameters
    ----------
    result : DataFrame
        A table of `survival_curve`.
    share : float or sequence of float, optional
        The share p that has left, between 0 and 1: 0.5 for the median.

    Returns
    -------
    DataFrame
        A row per group and share, in the engine of `result`: the keys, share, estimate, ci_low,
        ci_high, confidence_level, method, unit ("duration", whatever that was counted in). A
        quantile that the curve does not reach is null, and so is a limit.

    Raises
    ------
    ParameterError
        If `result` is no table of `survival_curve`, mixes several of them, or a share is not
        between 0 and 1.

    See Also
    --------
    survival_curve : The table.

    Notes
    -----
    The limits are the durations at which the limits of the curve reach 1 - p: those p for which the
    pointwise interval at t holds 1 - p (Brookmeyer and Crowley [1]_), on the scale that `method`
    of the curve names. As in R, a stretch at exactly 1 - p that lasts to the end of the table has
    its middle half way to the last duration. A limit that falls below 1 - p and rises again, as
    that of ``method="log"`` may near the end, counts where it falls first.

    An upper limit that is null means that the data do not bound the quantile from above: too few
    have left.

    References
    ----------
    .. [1] R. Brookmeyer and J. Crowley (1982). A confidence interval for the median survival time.
       Biometrics 38, 29-41. https://doi.org/10.2307/2530286

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> customers = pd.DataFrame(
    ...     {"months": [2, 3, 3, 5, 8, 9], "left": [True, True, False, True, False, False]}
    ... )
    >>> curve = lk.survival_curve(customers, "months", "left")
    >>> lk.survival_quantile(curve, share=[0.25, 0.5])[["share", "estimate", "ci_low", "ci_high"]]
       share  estimate  ci_low  ci_high
    0   0.25       3.0     2.0      NaN
    1   0.50       5.0     2.0      NaN
    """
    shares = _check_shares(share)
    frame = _frame.positional(_frame.open_frame(result, "result"))
    _checks.check_result(frame.columns, _results.SURVIVAL, "survival_curve")
    words: dict[str, Any] = {"confidence_level": np.nan, "method": ""}
    if len(frame):
        words = {name: _samples.constant(frame, name) for name in words}
    keys = list(frame.columns[: frame.columns.index("duration")])
    groups = _frame.group(frame, keys)
    size = groups.size if len(frame) else 0
    duration = _numbers(frame, "duration")
    order = np.lexsort((duration, groups.codes))
    codes, duration = groups.codes[order], duration[order]
    if bool(((np.diff(codes) == 0) & (np.diff(duration) == 0)).any()):
        msg = (
            f"result has several rows for one duration{' of a group' if keys else ''}: it holds "
            "more than one table of survival_curve. Take each of them alone."
        )
        raise ParameterError(msg)
    first = np.flatnonzero(_codes.starts_of_runs(codes))
    found = {
        name: np.column_stack(
            [_survival.first_at_most(values, 1.0 - level, duration, first) for level in shares]
        ).ravel()
        for name, values in (
            (name, _numbers(frame, name)[order] / 100.0)
            for name in ("estimate", "ci_low", "ci_high")
        )
    }
    columns = {"share": np.tile(shares, size), **found, **words, "unit": "duration"}
    place = np.repeat(np.arange(size), len(shares))
    made: Result = _frame.table(_frame.rows(groups.keys, place), columns, len(place))
    return made


def _check_shares(share: object) -> FloatArray:
    if isinstance(share, str) or not isinstance(share, (Sequence, np.ndarray)):
        return np.array([_checks.check_fraction("share", share)])
    if not len(share):
        msg = "share names no share: 0.5 is the median."
        raise ParameterError(msg)
    return np.array([_checks.check_fraction(f"share[{i}]", each) for i, each in enumerate(share)])


def _numbers(frame: _frame.Frame, name: str) -> FloatArray:
    values = _frame.floats(frame[name])
    if values is None:
        msg = f"result holds something in {name!r} that is no number."
        raise ParameterError(msg)
    return values
