"""Survey metrics: NPS, CSAT and CES from answers or from counts of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loyaltykit import _answers, _checks, _estimates, _results, _tally

if TYPE_CHECKING:
    from loyaltykit._typing import Answers, Result, Seed


def nps(
    data: Answers[Result],
    score: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    weights: str | None = None,
    counts: str | None = None,
    clusters: str | None = None,
    strata: str | None = None,
    population: _answers.Population = None,
    time: str | None = None,
    freq: _checks.Frequency | None = None,
    missing: Sequence[float | str] = (),
    errors: _checks.Errors = "raise",
    confidence_level: float = 0.95,
    rng: Seed | None = None,
    n_resamples: int = 9999,
    scale: tuple[int, int] = (0, 10),
    promoter_min: int = 9,
    detractor_max: int = 6,
    method: _estimates.NetMethod = "score",
) -> Result:
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
    weights : str, optional
        Column of sampling weights: how much of the population an answer speaks for. Only their
        ratios matter; they are no counts. With `counts` they are the sums of `tally`.
    counts : str, optional
        Column that says how many answers a row stands for, as in the table of `tally`.
    clusters : str, optional
        Column of the units that were sampled, where several answers come from one, as from one
        account.
    strata : str, optional
        Column of the strata within which they were sampled.
    population : str, float or mapping, optional
        How many there were to sample: a number or, by stratum, a column or a mapping of stratum to
        number. Of clusters where there are any, else of people.
    time : str, optional
        Column of dates or ISO text. Adds a period to the keys.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period; months when only `time` is given.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer", such as ``(11, "Blank")``. They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale or without a weight are refused, or counted as missing; and
        rows without a usable date refused, or left out with a `DroppedRowsWarning`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the bootstrap's draws.
    n_resamples : int, optional
        How many of them, at least 100. With a hundred thousand groups take a few hundred.
    scale : tuple of int, optional
        Lowest and highest point that could be chosen.
    promoter_min, detractor_max : int, optional
        The lowest answer of a promoter and the highest of a detractor.
    method : {"score", "adjusted_wald", "wald", "bootstrap"}, optional
        The interval: Tango's score interval for the difference of paired shares (it stays on the
        scale and always holds the estimate), the adjusted Wald interval of Rocks (3/4 of an answer
        added at each end, 3 to n; clipped to the scale), Wald (clipped; too short when n is
        small), or the percentiles of multinomial draws (as short as Wald, and to the same score).

    Returns
    -------
    DataFrame
        One row per group, in the engine of `data` (pandas for lazy and distributed ones): the keys,
        [period, coverage], metric, n, n_missing, promoters, passives, detractors, estimate,
        std_error, ci_low, ci_high, confidence_level, method, unit, definition. A group without a
        valid answer has n = 0 and a null estimate. With weights, clusters, strata or a population
        also w_promoters, ..., w2_promoters, ... (the sums of the weights and of their squares)
        after the counts, and n_effective and df after the interval.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number, or a date cannot be read; if a
        weight is missing, negative or infinite; if a cluster or stratum is null, a cluster lies in
        several strata, a stratum has one cluster (or answer) only, or a population is less than
        what was sampled of it.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    ScaleWarning
        If five or more answers all lie in the lower half of the scale.

    Notes
    -----
    Null, NaN and the codes of `missing` are no answers: they are counted in n_missing and left out
    of n, as are answers with a weight of 0. On the exact coverage of the intervals see Rocks (2016)
    [1]_; the score interval is Tango's (1998) [2]_; the score itself is Reichheld's (2003) [3]_.

    With weights the shares are those of the weights, and the standard error is linearised: with
    :math:`u = w (y - \bar y) / \sum w` for an answer of a group and 0 for the others,

    .. math:: se^2 = \sum_h (1 - m_h / N_h) \frac{m_h}{m_h - 1} \sum_c (u_{hc} - \bar u_h)^2

    over the m clusters (answers, where there are none) of each stratum h, those of other groups
    included: a group is a domain of one sample. What has no valid answer is no part of that sample.
    n_effective is the number of answers of a simple random sample with that error, :math:`(p + d -
    (p - d)^2) / se^2` (Korn and Graubard [4]_), or :math:`(\sum w)^2 / \sum w^2` over the clusters
    where the error is 0, or null because all of a group is in one cluster. The interval is that of
    n_effective answers with Student's t, df = clusters - strata, for the normal quantile. Where
    clusters, strata or a population are named, the definition says so.

    References
    ----------
    .. [1] B. Rocks (2016). Interval Estimation for the "Net Promoter Score". The American
       Statistician 70(4), 365-372. https://doi.org/10.48550/arXiv.1601.07235
    .. [2] T. Tango (1998). Equivalence test and confidence interval for the difference in
       proportions for the paired-sample design. Statistics in Medicine 17(8), 891-908.
       https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C891::AID-SIM780%3E3.0.CO;2-B
    .. [3] F. F. Reichheld (2003). The one number you need to grow. Harvard Business Review 81(12).
    .. [4] E. L. Korn and B. I. Graubard (1998). Confidence intervals for proportions with small
       expected number of positive counts estimated from survey data. Survey Methodology 24(2),
       193-201.

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

    Ten answers of three accounts, of which one is asked for six:

    >>> answers = pd.DataFrame({"account": list("aaaaaabbcc"), "nps": [10] * 6 + [8, 9, 3, 5]})
    >>> table = lk.nps(answers, "nps", clusters="account")
    >>> table[["n", "n_effective", "df", "ci_low", "ci_high"]].round(1)
        n  n_effective   df  ci_low  ci_high
    0  10          2.4  2.0   -86.1     98.2
    """
    points = _checks.check_scale(scale)
    promoter, detractor = _checks.check_nps_cutoffs(points, promoter_min, detractor_max)
    _checks.check_choice("method", method, (*_estimates.NET_METHODS, _estimates.BOOTSTRAP))
    each = _tally.points(points)
    metric = _answers.Metric(
        "nps",
        _results.nps_definition(points, promoter, detractor),
        method,
        lambda answers: _tally.nps_buckets(answers, each, promoter, detractor),
        _checks.check_confidence_level(confidence_level),
    )
    made: Result = _answers.table(
        metric,
        data,
        score,
        points,
        by=by,
        weights=weights,
        counts=counts,
        clusters=clusters,
        strata=strata,
        population=population,
        time=time,
        freq=freq,
        missing=missing,
        errors=errors,
        rng=rng,
        n_resamples=n_resamples,
    )
    return made


def csat(
    data: Answers[Result],
    score: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    weights: str | None = None,
    counts: str | None = None,
    clusters: str | None = None,
    strata: str | None = None,
    population: _answers.Population = None,
    time: str | None = None,
    freq: _checks.Frequency | None = None,
    missing: Sequence[float | str] = (),
    errors: _checks.Errors = "raise",
    confidence_level: float = 0.95,
    rng: Seed | None = None,
    n_resamples: int = 9999,
    scale: tuple[int, int] = (1, 5),
    satisfied_min: int | None = None,
    method: _estimates.ShareMethod = "wilson",
) -> Result:
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
    weights : str, optional
        Column of sampling weights: how much of the population an answer speaks for. Only their
        ratios matter; they are no counts. With `counts` they are the sums of `tally`.
    counts : str, optional
        Column that says how many answers a row stands for, as in the table of `tally`.
    clusters : str, optional
        Column of the units that were sampled, where several answers come from one, as from one
        account.
    strata : str, optional
        Column of the strata within which they were sampled.
    population : str, float or mapping, optional
        How many there were to sample: a number or, by stratum, a column or a mapping of stratum to
        number. Of clusters where there are any, else of people.
    time : str, optional
        Column of dates or ISO text. Adds a period to the keys.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period; months when only `time` is given.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer", such as ``("Blank",)``. They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale or without a weight are refused, or counted as missing; and
        rows without a usable date refused, or left out with a `DroppedRowsWarning`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the bootstrap's draws.
    n_resamples : int, optional
        How many of them, at least 100. With a hundred thousand groups take a few hundred.
    scale : tuple of int, optional
        Lowest and highest point that could be chosen: (1, 5), (1, 10), (1, 3), (0, 1).
    satisfied_min : int, optional
        The lowest answer that counts as satisfied, instead of the rule above.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "bootstrap"}, optional
        The interval: Wilson's score interval, that of Agresti and Coull, the exact one of Clopper
        and Pearson (never too short, often too long), the equal-tailed one of Jeffreys' prior (0
        and 100 at the ends), or the percentiles of binomial draws (too short when n is small).

    Returns
    -------
    DataFrame
        One row per group, in the engine of `data` (pandas for lazy and distributed ones): the keys,
        [period, coverage], metric, n, n_missing, satisfied, estimate, std_error, ci_low, ci_high,
        confidence_level, method, unit, definition. A group without a valid answer has n = 0 and a
        null estimate. With weights, clusters, strata or a population also w_satisfied,
        w_unsatisfied, w2_satisfied, w2_unsatisfied, n_effective and df, as in `nps`.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number, or a date cannot be read; if a
        weight is missing, negative or infinite; if a cluster or stratum is null, a cluster lies in
        several strata, a stratum has one cluster (or answer) only, or a population is less than
        what was sampled of it.
    ParameterError
        If a parameter has a value that is not allowed.

    Warns
    -----
    ScaleWarning
        If five or more answers all lie in the lower half of a scale of five or more points.

    Notes
    -----
    Null, NaN and the codes of `missing` are no answers: they are counted in n_missing and left out
    of n, as are answers with a weight of 0. Neutral answers stay in n. Weights and sampling designs
    are treated as in `nps`. The top-two-box share of a five-point scale is what most survey
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
    _checks.check_choice("method", method, (*_estimates.SHARE_METHODS, _estimates.BOOTSTRAP))
    each = _tally.points(points)
    metric = _answers.Metric(
        "csat",
        _results.csat_definition(points, satisfied),
        method,
        lambda answers: _tally.csat_buckets(answers, each, satisfied),
        _checks.check_confidence_level(confidence_level),
    )
    made: Result = _answers.table(
        metric,
        data,
        score,
        points,
        by=by,
        weights=weights,
        counts=counts,
        clusters=clusters,
        strata=strata,
        population=population,
        time=time,
        freq=freq,
        missing=missing,
        errors=errors,
        rng=rng,
        n_resamples=n_resamples,
    )
    return made


def ces(
    data: Answers[Result],
    score: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    weights: str | None = None,
    counts: str | None = None,
    clusters: str | None = None,
    strata: str | None = None,
    population: _answers.Population = None,
    time: str | None = None,
    freq: _checks.Frequency | None = None,
    missing: Sequence[float | str] = (),
    errors: _checks.Errors = "raise",
    confidence_level: float = 0.95,
    rng: Seed | None = None,
    n_resamples: int = 9999,
    scale: tuple[int, int] = (1, 7),
    direction: _checks.Direction = "ease",
    statistic: _checks.Statistic = "mean",
    easy_min: int | None = None,
    method: _checks.CesMethod | None = None,
) -> Result:
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
    weights : str, optional
        Column of sampling weights: how much of the population an answer speaks for. Only their
        ratios matter; they are no counts. With `counts` they are the sums of `tally`.
    counts : str, optional
        Column that says how many answers a row stands for, as in the table of `tally`.
    clusters : str, optional
        Column of the units that were sampled, where several answers come from one, as from one
        account.
    strata : str, optional
        Column of the strata within which they were sampled.
    population : str, float or mapping, optional
        How many there were to sample: a number or, by stratum, a column or a mapping of stratum to
        number. Of clusters where there are any, else of people.
    time : str, optional
        Column of dates or ISO text. Adds a period to the keys.
    freq : {"day", "week", "month", "quarter", "year"}, optional
        Length of the period; months when only `time` is given.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer". They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale or without a weight are refused, or counted as missing; and
        rows without a usable date refused, or left out with a `DroppedRowsWarning`.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    rng : int or numpy.random.Generator, optional
        Seed or generator of the bootstrap's draws.
    n_resamples : int, optional
        How many of them, at least 100. With a hundred thousand groups take a few hundred.
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
        The interval: "t" for the mean, those of `csat` for box ("wilson" by default) and those of
        `nps` for net ("score" by default); "bootstrap" for each.

    Returns
    -------
    DataFrame
        One row per group, in the engine of `data` (pandas for lazy and distributed ones): the keys,
        [period, coverage], metric, n, n_missing, easy, neutral, hard, answer_sum, answer_sumsq,
        estimate, std_error, ci_low, ci_high, confidence_level, method, unit, definition. A group
        without a valid answer has n = 0 and a null estimate; one answer has a mean, but no error
        and no interval. With weights, clusters, strata or a population also w_easy, ...,
        w_answer_sumsq, w2_easy, ..., w2_answer_sumsq, n_effective and df, as in `nps`.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number, or a date cannot be read; if a
        weight is missing, negative or infinite; if a cluster or stratum is null, a cluster lies in
        several strata, a stratum has one cluster (or answer) only, or a population is less than
        what was sampled of it.
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
    of n, as are answers with a weight of 0. The standard error of the mean is s / sqrt(n) with n -
    1 in s, and its interval Student's t with n - 1 degrees of freedom; it is not cut at the ends of
    the scale, so that a limit beyond them says that n is too small. When all answers are equal the
    interval has no width. Weights and sampling designs are treated as in `nps`; the interval of a
    weighted mean is Student's with df degrees of freedom, or with one less than the group has
    clusters (answers, where there are none) if these are fewer. The score was proposed by Dixon,
    Freeman and Toman (2010) [1]_.

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
    each = _tally.points(points)
    metric = _answers.Metric(
        "ces",
        _results.ces_definition(points, direction, statistic, easy, hard),
        _checks.check_ces_method(statistic, method),
        lambda answers: _tally.ces_buckets(answers, each, direction, easy, hard),
        _checks.check_confidence_level(confidence_level),
        low_is_good=direction == "effort",
    )
    made: Result = _answers.table(
        metric,
        data,
        score,
        points,
        by=by,
        weights=weights,
        counts=counts,
        clusters=clusters,
        strata=strata,
        population=population,
        time=time,
        freq=freq,
        missing=missing,
        errors=errors,
        rng=rng,
        n_resamples=n_resamples,
    )
    return made
