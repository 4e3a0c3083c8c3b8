"""How long customers stay within a horizon, on average: the restricted mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from loyaltykit import _checks, _frame, _horizons, _intervals, _results, _spells, _survival
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Result

_METHOD, _UNIT = "normal", "duration"
_MOST = 1e50  # of a horizon: its square over that of a weight is still a number


def restricted_mean(
    data: Data[Result],
    duration: str,
    event: str,
    *,
    horizon: float,
    by: str | Sequence[str] | None = None,
    entry: str | None = None,
    counts: str | None = None,
    weights: str | None = None,
    confidence_level: float = 0.95,
    errors: _checks.Errors = "raise",
) -> Result:
    r"""Return the mean time to the event within a horizon, from durations that may be censored.

    It is the area under the Kaplan-Meier curve S from 0 to the horizon :math:`\tau`,

    .. math:: \mu = E[\min(T, \tau)] = \int_0^\tau S(t) \, dt,

    in the unit of the duration. With the area :math:`A_i` from the time :math:`t_i` of
    :math:`d_i` events among :math:`Y_i` at risk to the horizon, its standard error is the root of

    .. math:: \widehat{Var}(\hat\mu) = \sum_{t_i \le \tau} A_i^2 \frac{d_i}{Y_i (Y_i - d_i)},

    and the interval is :math:`\hat\mu \pm z \, se`, cut off at 0 and at the horizon.

    Parameters
    ----------
    data : DataFrame
        One row per customer or contract, in any supported engine, as `customer_lifetimes` returns.
    duration, event : str
        Columns of the time until the event or the end of observation (a finite number, 0 or more),
        and of whether it ended with the event: true and false, or 1 and 0.
    horizon : float
        Up to which time the mean is taken: above 0, in the unit of the duration. Choose it before
        looking, and one that every group has been observed for.
    by : str or sequence of str, optional
        Columns to split by; a null is a group of its own.
    entry : str, optional
        Column of the time after which a row is under observation (left truncation), on the same
        clock as the duration and below it. 0 and null are none. A row is at risk at times above
        its entry; one without is at risk at time 0 too.
    counts : str, optional
        Column of frequencies: how many customers a row stands for.
    weights : str, optional
        Column of sampling weights: how much of the population a row speaks for. Ten times the
        weights change nothing. Excludes `counts`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    errors : {"raise", "coerce"}, optional
        Whether rows without a duration, an event code or a weight are refused, or left out with a
        warning and counted in n_missing. A group of which all are left out has n = 0.

    Returns
    -------
    DataFrame
        A row per group, in the engine of `data` (pandas for lazy and distributed ones): the keys,
        metric, n (customers), n_missing (those left out), events (those up to the horizon),
        estimate, std_error, ci_low, ci_high, confidence_level, method ("normal"), unit
        ("duration"), definition.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in the frame.
    DataError
        If a duration, an entry, an event code, a count or a weight cannot be read as such, or an
        entry is not below its duration.
    ParameterError
        If no group has been observed up to the horizon; or if a parameter has a value that is not
        allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.
    EmptyRiskSetWarning
        If all at risk have the event by the horizon while others enter later: no time after it
        counts.

    See Also
    --------
    survival_curve : The curve whose area this is.
    logrank : Whether the curves of groups differ at all.

    Notes
    -----
    The standard error is that of the estimate, and shrinks as customers are added. It is not the
    spread of lifetimes: what a well-known library returns as the variance of its restricted mean is
    :math:`Var(\min(T, \tau))`, that of one customer's lifetime. For the data of Freireich and a
    horizon of 20 that is 30.9, and the squared error of the estimate 1.57.

    A group whose longest duration falls short of the horizon, with customers left, has a null row:
    nobody knows how its curve goes on. Where the curve has come down to 0 it is known. Where
    nothing has happened up to the horizon the estimate is the horizon; the error and interval are
    null there, and where all of a group ended at once, because nothing shows how far off it is.

    With `weights`, Y and d are sums of weights, and the variance is that of the infinitesimal
    jackknife, :math:`\sum w_j^2 U_j^2` with

    .. math:: U_j = \sum_{e_j < t_i \le \min(x_j, \tau)} A_i \frac{d_i}{Y_i (Y_i - d_i)}
        - \delta_j 1(x_j \le \tau) \frac{A(x_j)}{Y(x_j) - d(x_j)}

    for entry e, duration x and event :math:`\delta` of a row. With equal weights and no late entry
    it is the same as the one above. The rows are taken as independent, and n counts those with a
    weight above 0.

    With late entry the curve begins at 1 and stays there until somebody who is at risk has the
    event, whatever became of those who left before they could be observed.

    References
    ----------
    Irwin, J. O. (1949). The standard error of an estimate of expectation of life, with special
    reference to expectation of tumourless life in experiments with mice. Journal of Hygiene 47(2),
    188-189. https://doi.org/10.1017/S0022172400014443

    Royston, P. and Parmar, M. K. B. (2013). Restricted mean survival time: an alternative to the
    hazard ratio for the design and analysis of randomized trials with a time-to-event outcome. BMC
    Medical Research Methodology 13, 152. https://doi.org/10.1186/1471-2288-13-152

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> lives = pd.DataFrame({"months": [2, 5, 8, 10], "left": [True, False, True, False]})
    >>> table = lk.restricted_mean(lives, "months", "left", horizon=10)
    >>> table[["n", "events", "estimate", "std_error"]].round(3)
       n  events  estimate  std_error
    0  4       2      7.25      1.606
    """
    until = _check_horizon(horizon)
    level = _checks.check_confidence_level(confidence_level)
    spells = _spells.read(
        data,
        duration,
        event,
        by=by,
        entry=entry,
        counts=counts,
        weights=weights,
        errors=errors,
    )
    table = _survival.life_table(
        *(spells.group, spells.duration, spells.event, spells.entry, spells.n, spells.size)
    )
    weighted = None
    if spells.weight is not None and spells.square is not None:
        weighted = _horizons.Weights(spells.event, spells.weight, spells.square)
    curve = _horizons.curve(table, weighted)
    area = _horizons.restricted_mean(table, curve, weighted, until)
    _check_observed(area, until)
    _spells.warn_of_empty_risk_sets(spells, table, curve.survival, until)
    n, events = _horizons.numbers(table, until)
    margin = _intervals.normal_quantile(level) * area.std_error
    columns: dict[str, Any] = {
        "metric": _results.AREA,
        "n": n,
        "n_missing": spells.missing,
        "events": events,
        "estimate": area.estimate,
        "std_error": area.std_error,
        "ci_low": np.maximum(area.estimate - margin, 0.0),
        "ci_high": np.minimum(area.estimate + margin, until),
        "confidence_level": level,
        "method": _METHOD,
        "unit": _UNIT,
        "definition": _results.horizon_definition(until),
    }
    made: Result = _frame.table(spells.keys, columns, spells.size)
    return made


def _check_horizon(value: object) -> float:
    """Return a horizon whose square a computer holds, as the error needs it."""
    horizon = _checks.check_positive("horizon", value)
    if not 1.0 / _MOST <= horizon <= _MOST:
        msg = (
            f"horizon={horizon:g} is beyond what can be squared: take one from {1.0 / _MOST:g} to "
            f"{_MOST:g}. Count durations in a unit that makes ordinary numbers of them."
        )
        raise ParameterError(msg)
    return horizon


def _check_observed(area: _horizons.Area, horizon: float) -> None:
    """Refuse a horizon that no group has been observed up to."""
    some = ~np.isnan(area.longest)
    if some.any() and np.isnan(area.estimate[some]).all():
        msg = (
            f"horizon={horizon:g} is beyond the longest duration, {area.longest[some].max():g}, at "
            "which some were still there: how their curve goes on is not known. Name an earlier "
            "one."
        )
        raise ParameterError(msg)
