"""The stage of the customer's life that a log of purchases shows, as of a date or through time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _histories, _history_queries, _results, _standing
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Moment, Result, Rows


def lifecycle_stage(
    data: Rows[Result],
    customer: str,
    time: str,
    *,
    as_of: Moment | None = None,
    freq: _checks.Frequency | None = None,
    customers: Data[object] | None = None,
    purchase: str | None = None,
    onboarding: int = 90,
    usual_gap: float = 90,
    least_gap: float = 7,
    at_risk_after: float = 2.0,
    churned_after: float = 4.0,
    answers: Data[object] | None = None,
    score: str = "score",
    answered: str = "time",
    tz: str | None = None,
    errors: _checks.Errors = "raise",
) -> Result:
    r"""Label every customer by the stage of its life, from tenure, silence and its own rhythm.

    Of the k days so far on which a customer bought, d(1) to d(k), and the date t:

    .. math:: silence = t - d_k, \quad tenure = t - d_1, \quad
        rhythm = \max\left(\frac{d_k - d_1}{k - 1}, least\_gap\right)

    with `usual_gap` in place of the mean gap where k = 1. The first that holds is the stage:

    .. math:: acquisition &: k = 0 \\ churned &: silence > churned\_after \times rhythm \\
        at\_risk &: silence > at\_risk\_after \times rhythm \\
        onboarding &: tenure \le onboarding \\
        advocacy &: \text{the latest answer is 9 or 10} \\ retention &: \text{otherwise}

    Parameters
    ----------
    data : DataFrame
        The log: one row per interaction, in any supported engine.
    customer, time : str
        Columns of the customer's id and of the date (a date type or ISO text).
    as_of : date, datetime or str, optional
        End of observation; a date means the end of that day, and so does a datetime at midnight or
        in a day's last second. By default the end of the last row's day. Later rows are left out.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Label at the start of every period of the log instead of once, from purchases and answers
        strictly before it: the stage at a period's start is the one as of the day before.
    customers : DataFrame, optional
        Frame with a column of the same name as `customer`: everybody who could buy; of the engine
        of `data`. Those without a purchase are in acquisition.
    purchase : str, optional
        Column of true and false that tells which rows are purchases; all of them by default.
    onboarding : int, optional
        Days after the first purchase.
    usual_gap : float, optional
        Days between two purchases where the customer has no gap of its own yet.
    least_gap : float, optional
        The shortest rhythm, in days. Whoever bought on two days in a row has a rhythm of one day,
        and would be churned after a long weekend; a week is the shortest cycle in which shops and
        offices are closed and open once.
    at_risk_after, churned_after : float, optional
        Silence in multiples of the rhythm.
    answers : DataFrame, optional
        Answers to the question of the NPS, from 0 to 10, of the engine of `data`, with a column of
        the same name as `customer`. Null scores are no answers.
    score, answered : str, optional
        Columns of `answers`: the score, and the date of the answer.
    tz : str, optional
        Zone in which aware times are read, in both frames, instead of their own.
    errors : {"raise", "coerce"}, optional
        Whether rows without customer or date, and scores off the scale, are refused, or left out
        with a warning.

    Returns
    -------
    DataFrame
        The customer's column, [valid_from,] and stage, an ordered categorical (text in Spark):
        acquisition < onboarding < retention < at_risk < churned < advocacy, the order in which
        they are usually told; it is no ranking. It is of the caller's own kind, lazy included, and
        ordered by customer, except in DuckDB, Spark and Dask, which promise no order. With `freq`
        a row per period from the first at which the customer was known, ready for ``segments=``.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in its frame.
    DataError
        If an id, a date or a score is missing where it must not be or unreadable, or `purchase` is
        not true or false.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    DroppedRowsWarning
        If ``errors="coerce"`` left rows out.

    See Also
    --------
    loyalty_tier : How often a customer has bought, whatever its rhythm.
    inactivity_gap : Proposes a number of days for `usual_gap`.

    Notes
    -----
    A purchase is a day on which a customer bought; several on one day are one. An answer counts by
    its day as well, and of several on one day the lowest. Answers of who is neither in the log nor
    among `customers` count for nobody.

    A customer at risk stays so in its first days, and one who recommends a company may have left
    it: silence speaks before tenure, and both before the answer. Without `answers` nobody is in
    advocacy. The rhythm of a few purchases is uncertain, and the multiples are a rule, no estimate:
    hold them against who came back.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 1, 2, 2, 3],
    ...         "day": [
    ...             "2025-09-01",
    ...             "2025-10-01",
    ...             "2025-10-31",
    ...             "2025-08-10",
    ...             "2026-01-20",
    ...             "2026-01-05",
    ...         ],
    ...     }
    ... )
    >>> answers = pd.DataFrame({"id": [1, 2], "score": [10, 9], "time": "2026-01-21"})
    >>> lk.lifecycle_stage(log, "id", "day", as_of="2026-01-31", answers=answers)
       id       stage
    0   1     at_risk
    1   2    advocacy
    2   3  onboarding
    """
    if answers is None and (score, answered) != ("score", "time"):
        msg = "score= and answered= name columns of answers=, which is not given."
        raise ParameterError(msg)
    rule: dict[str, Any] = {
        "onboarding": _checks.check_integer("onboarding", onboarding, low=0),
        "usual_gap": _checks.check_positive("usual_gap", usual_gap),
        "least_gap": _checks.check_positive("least_gap", least_gap),
        "at_risk_after": _checks.check_positive("at_risk_after", at_risk_after),
        "churned_after": _checks.check_positive("churned_after", churned_after),
    }
    if rule["at_risk_after"] >= rule["churned_after"]:
        msg = (
            f"at_risk_after={at_risk_after} must be below churned_after={churned_after}: a "
            "customer is at risk before it has churned."
        )
        raise ParameterError(msg)
    made: Result = _standing.labelled(
        data,
        customer,
        time,
        name="stage",
        labels=_results.STAGES,
        label=functools.partial(_stage, **rule),
        query=functools.partial(_history_queries.stages, **rule),
        freq=freq,
        customers=customers,
        purchase=purchase,
        as_of=as_of,
        tz=tz,
        errors=errors,
        answers=None if answers is None else _standing.Answers(answers, score, answered),
    )
    return made


def _stage(
    history: _histories.History,
    *,
    onboarding: int,
    usual_gap: float,
    least_gap: float,
    at_risk_after: float,
    churned_after: float,
) -> npt.NDArray[Any]:
    """Return the place of each customer's stage among the labels."""
    bought, first, last = history.purchases, history.first(), history.last()
    own = (last - first) / np.maximum(bought - 1, 1)
    rhythm = np.maximum(np.where(bought > 1, own, usual_gap), least_gap)
    silence = history.date - last
    conditions = {
        "acquisition": bought == 0,
        "churned": silence > rhythm * churned_after,
        "at_risk": silence > rhythm * at_risk_after,
        "onboarding": history.date - first <= onboarding,
        "advocacy": history.promoter(),
    }
    places = [_results.STAGES.index(name) for name in conditions]
    kept = _results.STAGES.index("retention")
    return np.select(list(conditions.values()), places, default=kept)
