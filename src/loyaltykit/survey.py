"""Survey metrics: NPS, CSAT and CES from answers or from counts, and the tally beneath them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _estimates, _frame, _results, _sources, _tally

IntArray = npt.NDArray[np.int64]


def nps(
    data: Any,
    score: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    counts: str | None = None,
    time: str | None = None,
    freq: str | None = None,
    missing: Sequence[float | str] = (),
    errors: str = "raise",
    confidence_level: float = 0.95,
    scale: tuple[int, int] = (0, 10),
    promoter_min: int = 9,
    detractor_max: int = 6,
    method: str = "score",
) -> Any:
    r"""Net Promoter Score: the share of promoters less the share of detractors, in points.

    .. math:: NPS = 100 \, \frac{promoters - detractors}{n}, \qquad
        se = 100 \sqrt{\frac{p + d - (p - d)^2}{n}}

    where p and d are the two shares of the n valid answers. Passives count in n. The score runs
    from -100 to 100; it is a number of points, not a percentage.

    Parameters
    ----------
    data : DataFrame or 1-D array or Series
        One row per answer (or per count of answers), in any supported engine.
    score : str, optional
        Column of the answers to "how likely are you to recommend us". Left out only when `data` is
        one array or Series.
    by : str or sequence of str, optional
        Key columns: one row per combination that is present. A null key has a row of its own.
    counts : str, optional
        Column that says how many answers a row stands for, as in the table of `tally`.
    time : str, optional
        Column of dates or ISO text. Adds a period to the keys.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period; months when only `time` is given.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer", such as ``(11, "Blank")``. They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale are refused, or counted as missing; and rows without a
        usable date refused, or left out with a `DroppedRowsWarning`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    scale : tuple of int, optional
        Lowest and highest point that could be chosen.
    promoter_min, detractor_max : int, optional
        The lowest answer of a promoter and the highest of a detractor.
    method : {"score", "adjusted_wald", "wald"}, optional
        The interval: Tango's score interval for the difference of paired shares (it stays on the
        scale and always holds the estimate), the adjusted Wald interval of Rocks (3/4 of an answer
        added at each end, 3 to n; clipped to the scale), or Wald (clipped; too short when n is
        small).

    Returns
    -------
    DataFrame
        One row per group, in the engine of `data` (pandas for lazy and distributed ones): the keys,
        [period, coverage], metric, n, n_missing, promoters, passives, detractors, estimate,
        std_error, ci_low, ci_high, confidence_level, method, unit, definition. A group without a
        valid answer has n = 0 and a null estimate.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number, or a date cannot be read.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    ScaleWarning
        If five or more answers all lie in the lower half of the scale.

    Notes
    -----
    Null, NaN and the codes of `missing` are no answers: they are counted in n_missing and left out
    of n. On the exact coverage of the intervals see Rocks (2016) [1]_; the score interval is
    Tango's (1998) [2]_; the score itself is Reichheld's (2003) [3]_.

    References
    ----------
    .. [1] B. Rocks (2016). Interval Estimation for the "Net Promoter Score". The American
       Statistician 70(4), 365-372. https://doi.org/10.48550/arXiv.1601.07235
    .. [2] T. Tango (1998). Equivalence test and confidence interval for the difference in
       proportions for the paired-sample design. Statistics in Medicine 17(8), 891-908.
       https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C891::AID-SIM780%3E3.0.CO;2-B
    .. [3] F. F. Reichheld (2003). The one number you need to grow. Harvard Business Review 81(12).

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> answers = pd.DataFrame({"sector": ["B2B", "B2B", "B2C", "B2C"], "nps": [10, 9, 8, None]})
    >>> table = lk.nps(answers, "nps", by="sector")
    >>> table[["sector", "n", "n_missing", "promoters", "estimate"]]
      sector  n  n_missing  promoters  estimate
    0    B2B  2          0          2     100.0
    1    B2C  1          1          0       0.0
    """
    points = _checks.check_scale(scale)
    promoter, detractor = _checks.check_nps_cutoffs(points, promoter_min, detractor_max)
    _checks.check_choice("method", method, _estimates.NET_METHODS)
    level = _checks.check_confidence_level(confidence_level)
    tallied = _answers(data, score, points, by, counts, time, freq, missing, errors)
    return _survey_table(
        "nps",
        tallied,
        _tally.nps_buckets(tallied.answers, _tally.points(points), promoter, detractor),
        method=method,
        confidence_level=level,
        definition=_results.nps_definition(points, promoter, detractor),
    )


def csat(
    data: Any,
    score: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    counts: str | None = None,
    time: str | None = None,
    freq: str | None = None,
    missing: Sequence[float | str] = (),
    errors: str = "raise",
    confidence_level: float = 0.95,
    scale: tuple[int, int] = (1, 5),
    satisfied_min: int | None = None,
    method: str = "wilson",
) -> Any:
    r"""Customer satisfaction: the share of satisfied answers, in percent.

    .. math:: CSAT = 100 \, \frac{satisfied}{n}, \qquad se = 100 \sqrt{\frac{p (1 - p)}{n}}

    Satisfied are the top two points of a scale of four or more, and the top one of a scale of two
    or three. That follows from the scale that was asked, never from the highest answer seen.

    Parameters
    ----------
    data : DataFrame or 1-D array or Series
        One row per answer (or per count of answers), in any supported engine.
    score : str, optional
        Column of the answers. Left out only when `data` is one array or Series.
    by : str or sequence of str, optional
        Key columns: one row per combination that is present. A null key has a row of its own.
    counts : str, optional
        Column that says how many answers a row stands for, as in the table of `tally`.
    time : str, optional
        Column of dates or ISO text. Adds a period to the keys.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period; months when only `time` is given.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer", such as ``("Blank",)``. They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale are refused, or counted as missing; and rows without a
        usable date refused, or left out with a `DroppedRowsWarning`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    scale : tuple of int, optional
        Lowest and highest point that could be chosen: (1, 5), (1, 10), (1, 3), (0, 1).
    satisfied_min : int, optional
        The lowest answer that counts as satisfied, instead of the rule above.
    method : {"wilson"}, optional
        The interval: Wilson's score interval.

    Returns
    -------
    DataFrame
        One row per group, in the engine of `data` (pandas for lazy and distributed ones): the keys,
        [period, coverage], metric, n, n_missing, satisfied, estimate, std_error, ci_low, ci_high,
        confidence_level, method, unit, definition. A group without a valid answer has n = 0 and a
        null estimate.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number, or a date cannot be read.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    ScaleWarning
        If five or more answers all lie in the lower half of a scale of five or more points.

    Notes
    -----
    Null, NaN and the codes of `missing` are no answers: they are counted in n_missing and left out
    of n. Neutral answers stay in n. The top-two-box share of a five-point scale is what most survey
    tools call CSAT; others report the mean, which is another number. The interval is Wilson's
    [1]_, whose coverage at small n is reviewed in [2]_.

    References
    ----------
    .. [1] E. B. Wilson (1927). Probable inference, the law of succession, and statistical
       inference. JASA 22, 209-212. https://doi.org/10.1080/01621459.1927.10502953
    .. [2] L. D. Brown, T. T. Cai and A. DasGupta (2001). Interval estimation for a binomial
       proportion. Statistical Science 16(2), 101-133. https://doi.org/10.1214/ss/1009213286

    Examples
    --------
    >>> import loyaltykit as lk
    >>> lk.csat([5, 4, 3, 2, None])[["n", "n_missing", "satisfied", "estimate"]]
       n  n_missing  satisfied  estimate
    0  4          1          2      50.0
    """
    points = _checks.check_scale(scale)
    satisfied = _checks.check_satisfied_min(points, satisfied_min)
    _checks.check_choice("method", method, _estimates.SHARE_METHODS)
    level = _checks.check_confidence_level(confidence_level)
    tallied = _answers(data, score, points, by, counts, time, freq, missing, errors)
    return _survey_table(
        "csat",
        tallied,
        _tally.csat_buckets(tallied.answers, _tally.points(points), satisfied),
        method=method,
        confidence_level=level,
        definition=_results.csat_definition(points, satisfied),
    )


def ces(
    data: Any,
    score: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    counts: str | None = None,
    time: str | None = None,
    freq: str | None = None,
    missing: Sequence[float | str] = (),
    errors: str = "raise",
    confidence_level: float = 0.95,
    scale: tuple[int, int] = (1, 7),
    direction: str = "ease",
    statistic: str = "mean",
    easy_min: int | None = None,
    method: str | None = None,
) -> Any:
    r"""Customer Effort Score: how easy, or how hard, it was to get something done.

    .. math:: mean = \frac{\sum x}{n}, \qquad box = 100 \, \frac{easy}{n}, \qquad
        net = 100 \, \frac{easy - hard}{n}

    Two questions go by this name. "It was easy" (CES 2.0) is high when things are good:
    ``direction="ease"``. "How much effort" (CES 1.0) is low when things are good:
    ``direction="effort"``. The mean is always that of the answers as they were asked, never
    reversed; box and net count the easy side, above the midpoint for ease and below it for effort.

    Parameters
    ----------
    data : DataFrame or 1-D array or Series
        One row per answer (or per count of answers), in any supported engine.
    score : str, optional
        Column of the answers. Left out only when `data` is one array or Series.
    by : str or sequence of str, optional
        Key columns: one row per combination that is present. A null key has a row of its own.
    counts : str, optional
        Column that says how many answers a row stands for, as in the table of `tally`.
    time : str, optional
        Column of dates or ISO text. Adds a period to the keys.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period; months when only `time` is given.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer". They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale are refused, or counted as missing; and rows without a
        usable date refused, or left out with a `DroppedRowsWarning`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    scale : tuple of int, optional
        Lowest and highest point that could be chosen.
    direction : {"ease", "effort"}, optional
        What a high answer means.
    statistic : {"mean", "box", "net"}, optional
        The mean in scale points; the share of easy answers in percent; the share of easy less that
        of hard answers in points.
    easy_min : int, optional
        With ``direction="ease"``: the lowest answer that counts as easy, instead of the first point
        above the midpoint. Answers below it and below the midpoint are hard.
    method : str, optional
        The interval: "t" for the mean, "wilson" for box, "score" (default), "adjusted_wald" or
        "wald" for net.

    Returns
    -------
    DataFrame
        One row per group, in the engine of `data` (pandas for lazy and distributed ones): the keys,
        [period, coverage], metric, n, n_missing, easy, neutral, hard, answer_sum, answer_sumsq,
        estimate, std_error, ci_low, ci_high, confidence_level, method, unit, definition. A group
        without a valid answer has n = 0 and a null estimate; one answer has a mean, but no error
        and no interval.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number, or a date cannot be read.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    ScaleWarning
        If five or more answers all lie in the lower half of a scale of five or more points,
        and that is not the good half.

    Notes
    -----
    Null, NaN and the codes of `missing` are no answers: they are counted in n_missing and left out
    of n. The standard error of the mean is s / sqrt(n) with n - 1 in s, and its interval Student's
    t with n - 1 degrees of freedom; it is not cut at the ends of the scale, so that a limit beyond
    them says that n is too small. When all answers are equal the interval has no width. The score
    was proposed by Dixon, Freeman and Toman (2010) [1]_.

    References
    ----------
    .. [1] M. Dixon, K. Freeman and N. Toman (2010). Stop trying to delight your customers. Harvard
       Business Review 88(7/8), 116-122.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> lk.ces([7, 6, 4, 2])[["n", "easy", "neutral", "hard", "estimate", "unit"]]
       n  easy  neutral  hard  estimate          unit
    0  4     2        1     1      4.75  scale_points
    >>> lk.ces([7, 6, 4, 2], statistic="net")[["estimate", "method", "unit"]]
       estimate method    unit
    0      25.0  score  points
    """
    points = _checks.check_scale(scale)
    easy, hard = _checks.check_ces_cutoffs(points, direction, easy_min)
    method = _checks.check_ces_method(statistic, method)
    level = _checks.check_confidence_level(confidence_level)
    tallied = _answers(
        *(data, score, points, by, counts, time, freq, missing, errors),
        low_is_good=direction == "effort",
    )
    return _survey_table(
        "ces",
        tallied,
        _tally.ces_buckets(tallied.answers, _tally.points(points), direction, easy, hard),
        method=method,
        confidence_level=level,
        definition=_results.ces_definition(points, direction, statistic, easy, hard),
    )


def tally(
    data: Any,
    score: str,
    *,
    by: str | Sequence[str] | None = None,
    counts: str | None = None,
    time: str | None = None,
    freq: str | None = None,
    scale: tuple[int, int],
    missing: Sequence[float | str] = (),
    errors: str = "raise",
) -> Any:
    """Count the answers: one row per group and answer, ready to be added up with other tallies.

    Tallies of shards or of days, stacked and passed to `nps`, `csat`, `ces` or `tally` itself with
    ``score="answer"`` and ``counts="n"``, give exactly the result of a single pass. Their period is
    read back with ``time="period"`` and the `freq` wanted, which may be longer.

    Parameters
    ----------
    data : DataFrame
        One row per answer (or per count of answers), in any supported engine.
    score : str
        Column of the answers.
    by : str or sequence of str, optional
        Key columns. A null key has rows of its own.
    counts : str, optional
        Column that says how many answers a row stands for.
    time : str, optional
        Column of dates or ISO text. Adds a period to the keys.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period; months when only `time` is given.
    scale : tuple of int
        Lowest and highest point that could be chosen.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer". They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale are refused, or counted as missing; and rows without a
        usable date refused, or left out with a `DroppedRowsWarning`.

    Returns
    -------
    DataFrame
        The keys, [period], answer, n: only what is present, in the engine of `data` (pandas for
        lazy and distributed ones). A null answer counts the missing ones.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number, or a date cannot be read.
    ParameterError
        If a parameter has a value that is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> answers = pd.DataFrame({"nps": [10, 10, 7, None]})
    >>> counted = lk.tally(answers, "nps", scale=(0, 10))
    >>> counted
       answer  n
    0       7  1
    1      10  2
    2    <NA>  1
    >>> float(lk.nps(counted, "answer", counts="n").loc[0, "estimate"]) == 200 / 3
    True
    """
    points = _checks.check_scale(scale)
    tallied = _answers(
        data, _checks.check_name("score", score), points, by, counts, time, freq, missing, errors
    )
    counted = np.column_stack([tallied.answers, tallied.missing])
    group, slot = np.nonzero(counted)
    answer = np.ma.masked_array(points[0] + slot, mask=slot == points[1] - points[0] + 1)
    columns: dict[str, npt.NDArray[Any]] = {"answer": answer, "n": counted[group, slot]}
    if tallied.periods is not None:
        columns = {"period": tallied.periods[group], **columns}
    return _frame.table(_frame.rows(tallied.keys, group), columns, len(group))


def _answers(
    data: Any,
    score: str | None,
    points: tuple[int, int],
    by: str | Sequence[str] | None,
    counts: str | None,
    time: str | None,
    freq: str | None,
    missing: Sequence[float | str],
    errors: str,
    *,
    low_is_good: bool = False,
) -> _tally.Tally:
    """Check what every survey function takes, and count."""
    keys = _checks.check_names("by", by)
    _checks.check_choice("errors", errors, ("raise", "coerce"))
    freq = _tally.check_period(time, freq)
    scale = _tally.make_scale(points, missing)
    with _sources.turn(data):
        tallied = _sources.count_answers(
            data, score, scale, by=keys, counts=counts, time=time, freq=freq, errors=errors
        )
    if not low_is_good:
        _tally.warn_of_scale(score or _frame.VALUES, scale, tallied.answers)
    return tallied


def _survey_table(
    metric: str,
    tallied: _tally.Tally,
    counts: Mapping[str, IntArray],
    *,
    method: str,
    confidence_level: float,
    definition: str,
) -> Any:
    n = tallied.answers.sum(axis=1)
    before = {}
    if tallied.periods is not None:
        before = {"period": tallied.periods, "coverage": np.full(len(n), "observed")}
    return _results.metric_table(
        tallied.keys,
        metric,
        counts,
        n,
        tallied.missing,
        before=before,
        method=method,
        confidence_level=confidence_level,
        definition=definition,
    )
