"""The same people answering more than once: one answer of each, and what has changed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from loyaltykit import (
    _adjustment,
    _answer_partitions,
    _answer_queries,
    _calendar,
    _checks,
    _codes,
    _customer_partitions,
    _customers,
    _dask,
    _differences,
    _frame,
    _pairs,
    _refusals,
    _results,
    _sources,
    _tally,
)
from loyaltykit.errors import ParameterError

Keep = Literal["latest", "first"]

if TYPE_CHECKING:
    from loyaltykit._typing import Data, Result, Rows

# ---- one answer each ----------------------------------------------------------------------------


def one_answer(
    data: Rows[Result],
    customer: str,
    time: str,
    *,
    keep: Keep = "latest",
    within: str | Sequence[str] | None = None,
) -> Result:
    """Keep one answer of every customer, the latest or the first, in all or in each wave.

    A customer who answers three times would count three times in a score, and its answers are not
    independent of each other.

    Parameters
    ----------
    data : DataFrame
        One row per answer, in any supported engine.
    customer : str
        Column that says who answered.
    time : str
        Column of dates, datetimes or ISO text that says when.
    keep : {"latest", "first"}, optional
        Which answer stays.
    within : str or sequence of str, optional
        What tells the waves: one answer per customer stays in each. A column, several columns, or,
        where `data` has no column of that name, "day", "week", "month", "quarter" or "year" for
        the period of `time`. A null wave is a wave of its own.

    Returns
    -------
    DataFrame
        The rows that stay, with all their columns, of the caller's own kind, lazy included. They
        are in the order they were in, except in DuckDB, Spark and Dask, which promise none.

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If a row has no customer, no time or one that cannot be read; or, in DuckDB, Spark and
        Dask, if a customer has different rows at one time that is the latest (or the first).
    ParameterError
        If `keep` is neither of the two.

    Notes
    -----
    Of several rows at the same time, the one that stands later in the frame is the latest and the
    one that stands earlier the first. DuckDB, Spark and Dask have no order of rows: there, rows
    that are equal in every column become one, and others are refused rather than chosen by chance.

    Times with a zone are put in order as moments; their period is that of their own zone. DuckDB
    and Spark do not keep that zone, so periods of such times are refused there.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> answers = pd.DataFrame(
    ...     {
    ...         "id": [1, 2, 1],
    ...         "day": ["2026-01-05", "2026-01-06", "2026-01-20"],
    ...         "nps": [3, 8, 9],
    ...     }
    ... )
    >>> lk.one_answer(answers, "id", "day")
       id         day  nps
    1   2  2026-01-06    8
    2   1  2026-01-20    9
    """
    names = {"customer": customer, "time": time}
    for role, name in names.items():
        _checks.check_name(role, name)
    _checks.check_choice("keep", keep, get_args(Keep))
    with _sources.turn(data):
        source = _sources.opened(data)
        columns = _sources.columns_of(source)
        waves, freq = _waves(within, columns)
        _checks.check_columns(names, columns)
        if isinstance(source, _frame.LazyFrame):
            source = _sources.only(source, columns)
            query: Result = _customers.one_answer(source, customer, time, keep, waves, freq)
            return query
        options: dict[str, Any] = {"customer": customer, "time": time, "keep": keep}
        options |= {"waves": waves, "freq": freq}
        if isinstance(source, _dask.Partitions):
            one = functools.partial(_one_answer, **options, ordered=False)
            parts: Result = _customer_partitions.one_answer(source, customer, time, one)
            return parts
        made: Result = _one_answer(source, **options)
        return made


def _waves(within: object, columns: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the columns that tell the wave, or the frequency that does."""
    if isinstance(within, str) and within in _checks.FREQUENCIES and within not in columns:
        return [], within
    waves = _checks.check_names("within", within)
    roles = {f"within[{i}]": name for i, name in enumerate(waves)}
    _checks.check_columns({"within": within} if isinstance(within, str) else roles, columns)
    return waves, None


def _one_answer(
    frame: _frame.Frame,
    customer: str,
    time: str,
    keep: str,
    waves: Sequence[str],
    freq: str | None,
    *,
    ordered: bool = True,
) -> Any:
    """Return the rows of a frame in memory that stay; without an order of rows, refuse ties."""
    who = _frame.compact(frame[customer], ordered=False)
    nobody = int((who.codes < 0).sum())
    if nobody:
        _refusals.null_values(customer, nobody, "customer", coercible=False)
    times = _frame.read_times(frame[time], None, None)
    # Their zone's clock shows one hour twice a year, so that aware times are ordered as moments.
    moments = times.values
    if times.zone is not None:
        moments = _frame.read_times(frame[time], "UTC", None).values
    groups = _frame.group(frame, waves)
    codes = _codes.paired(who.codes, groups.codes, groups.size)
    size = len(who.levels) * groups.size
    if freq is not None:
        periods = _calendar.periods(times.values, freq)
        codes = _codes.paired(codes, periods.codes, periods.span)
        size *= periods.span
    codes, present = _codes.renumber(codes, size)
    order = np.lexsort((moments, codes))  # stable: rows of one time stay in their order
    begins = _codes.starts_of_runs(codes[order])
    kept = order[begins if keep == "first" else np.roll(begins, -1)]  # a run ends where one begins
    if not ordered:
        best = np.empty(len(present), dtype=moments.dtype)
        best[codes[kept]] = moments[kept]
        tied = np.flatnonzero(moments == best[codes])
        _customer_partitions.refuse_ties(frame, tied, codes[tied], customer, time, keep)
    kept.sort()
    return _frame.kept(frame, kept).to_native()


# ---- the same people, twice ---------------------------------------------------------------------


def compare_paired(
    data: Data[Result],
    before: str,
    after: str,
    *,
    metric: _pairs.Metric,
    by: str | Sequence[str] | None = None,
    scale: tuple[int, int] | None = None,
    promoter_min: int = 9,
    detractor_max: int = 6,
    satisfied_min: int | None = None,
    direction: _checks.Direction = "ease",
    statistic: _checks.Statistic = "mean",
    easy_min: int | None = None,
    missing: Sequence[float | str] = (),
    errors: _checks.Errors = "raise",
    alternative: _checks.Alternative = "two-sided",
    adjust: _adjustment.Adjust = "holm",
    confidence_level: float = 0.95,
) -> Result:
    r"""Compare two answers of the same people, to tell whether the score has moved.

    With d the change of one person, of the n who gave both answers,

    .. math:: \bar d \pm t_{n-1} \frac{s_d}{\sqrt n}, \qquad t = \frac{\bar d}{s_d / \sqrt n}

    for NPS (d from -2 to 2, reported in points), for the mean of CES and for its net score. For
    CSAT and the box score of CES only those count who changed sides, b to the better and c to the
    worse:

    .. math:: d = \frac{b - c}{n}, \qquad z = \frac{b - c}{\sqrt{b + c}}

    with Tango's score interval, which is McNemar's test turned round: it holds 0 exactly when the
    test does not reject. Two waves of the same people compared as if they were different people
    would lose what the pairs know.

    Parameters
    ----------
    data : DataFrame
        One row per person with both answers, in any supported engine.
    before, after : str
        Columns of the first and the second answer; the difference is after less before.
    metric : {"nps", "csat", "ces"}
        What to make of the answers.
    by : str or sequence of str, optional
        Key columns: one row per combination that is present. A null key has a row of its own.
    scale : tuple of int, optional
        Lowest and highest point that could be chosen; by default (0, 10), (1, 5) or (1, 7), as
        the metric has it.
    promoter_min, detractor_max : int, optional
        For "nps": the lowest answer of a promoter and the highest of a detractor.
    satisfied_min : int, optional
        For "csat": the lowest satisfied answer, as in `csat`.
    direction : {"ease", "effort"}, optional
        For "ces": what a high answer means.
    statistic : {"mean", "box", "net"}, optional
        For "ces": which score, as in `ces`.
    easy_min : int, optional
        For "ces" and ``direction="ease"``: the lowest easy answer.
    missing : sequence of numbers and str, optional
        Codes that mean "no answer", in either column. They are never guessed.
    errors : {"raise", "coerce"}, optional
        Whether answers off the scale are refused, or counted as missing.
    alternative : {"two-sided", "greater", "less"}, optional
        What the test is to show: any difference, after above before, or after below it. A one-sided
        interval ends where the scale does.
    adjust : {"holm", "bh", "none"}, optional
        How p_adjusted allows for the number of rows: Holm, Benjamini-Hochberg, or not at all. The
        family is all rows of the call that have a p-value.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1; above 0.5 for a one-sided one.

    Returns
    -------
    DataFrame
        One row per group, in the engine of `data` (pandas for lazy and distributed ones): the keys,
        metric, level (the name of `after`), reference (that of `before`), n and n_reference (both
        the number of complete pairs), n_missing (rows that lack an answer), estimate,
        estimate_reference, difference, std_error, ci_low, ci_high, statistic, df, p_value,
        p_adjusted, adjust, confidence_level, method ("paired_t" or "mcnemar"), unit, definition.
        The difference is in "points" (NPS, net), "percentage_points" (CSAT, box) or
        "scale_points" (mean).

    Raises
    ------
    ColumnNotFoundError
        If a named column is not in `data`.
    DataError
        If an answer is off the scale, fractional or not a number.
    ParameterError
        If a parameter has a value that is not allowed, or belongs to another metric.

    Warns
    -----
    ScaleWarning
        If five or more answers of a column all lie in the lower half of a scale of five or more
        points, and that is not the good half.

    Notes
    -----
    Null, NaN and the codes of `missing` are no answers; a person who lacks one of the two counts in
    n_missing only, and both estimates are those of the complete pairs. They can differ from the
    scores of each wave as a whole.

    Without a complete pair all is null, n apart. One pair has a difference, but no error and no
    interval. Where all changed by the same, the standard error of paired_t is 0, and there is no
    interval, no statistic and no p-value, because nothing tells the spread. With few people of whom
    hardly any changed its interval is too short. Where nobody changed sides, the statistic of
    mcnemar is 0. The interval of paired_t is cut at the ends of the scale where the unit is points.

    References
    ----------
    .. [1] Student (1908). The probable error of a mean. Biometrika 6(1), 1-25.
       https://doi.org/10.1093/biomet/6.1.1
    .. [2] Q. McNemar (1947). Note on the sampling error of the difference between correlated
       proportions or percentages. Psychometrika 12, 153-157. https://doi.org/10.1007/BF02295996
    .. [3] T. Tango (1998). Equivalence test and confidence interval for the difference in
       proportions for the paired-sample design. Statistics in Medicine 17(8), 891-908.
       https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C891::AID-SIM780%3E3.0.CO;2-B

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> panel = pd.DataFrame({"2025": [3, 8, 9, 6, 7, None], "2026": [7, 9, 10, 8, 6, 10]})
    >>> table = lk.compare_paired(panel, "2025", "2026", metric="nps")
    >>> table[["level", "reference", "n", "n_missing", "estimate_reference", "estimate"]]
      level reference  n  n_missing  estimate_reference  estimate
    0  2026      2025  5          1               -20.0      20.0
    >>> table[["difference", "ci_low", "ci_high", "p_value"]].round(3)
       difference  ci_low  ci_high  p_value
    0        40.0 -71.058  151.058    0.374
    """
    rule = _pairs.rule_of(
        metric,
        scale,
        {
            "nps": {"promoter_min": promoter_min, "detractor_max": detractor_max},
            "csat": {"satisfied_min": satisfied_min},
            "ces": {"direction": direction, "statistic": statistic, "easy_min": easy_min},
        },
    )
    _checks.check_errors(errors)
    _checks.check_choice("adjust", adjust, _adjustment.ADJUSTMENTS)
    level = _checks.check_confidence_level(confidence_level)
    pivot = _differences.Pivot(_checks.check_alternative(alternative, level), level)
    points = _tally.make_scale(rule.scale, missing)
    keys, pairs = _counted(data, before, after, by, rule, points, errors)
    difference = pairs.after - pairs.before
    tested = _pairs.tested(pairs, rule, pivot)
    columns: dict[str, Any] = {
        "metric": rule.metric,
        "level": after,
        "reference": before,
        "n": pairs.n,
        "n_reference": pairs.n,
        "n_missing": pairs.missing,
        "estimate": _pairs.per_pair(pairs.after, pairs.n, rule),
        "estimate_reference": _pairs.per_pair(pairs.before, pairs.n, rule),
        "difference": _pairs.per_pair(difference, pairs.n, rule),
        **tested._asdict(),
        "p_adjusted": _adjustment.adjusted(tested.p_value, adjust),
        "adjust": adjust,
        "confidence_level": confidence_level,
        "method": rule.method,
        "unit": rule.unit,
        "definition": rule.definition,
    }
    for name in ("std_error", "ci_low", "ci_high"):
        columns[name] = rule.factor * columns[name]
    made: Result = _frame.table(
        keys, {name: columns[name] for name in _results.COMPARE_PAIRED}, len(pairs.n)
    )
    return made


def _counted(
    data: Any,
    before: str,
    after: str,
    by: str | Sequence[str] | None,
    rule: _pairs.Rule,
    scale: _tally.Scale,
    errors: str,
) -> tuple[_frame.Frame, _pairs.Pairs]:
    """Return the groups, and the sums of each over its pairs, counted where the data are."""
    answers = {"before": before, "after": after}
    for role, name in answers.items():
        _checks.check_name(role, name)
    if before == after:
        msg = f"before and after are the same column, {before!r}: name two."
        raise ParameterError(msg)
    keys = _checks.check_names("by", by)
    with _sources.turn(data):
        source = _sources.opened(data)
        _checks.check_columns({**answers, **_checks.by_roles(keys)}, _sources.columns_of(source))
        _checks.check_reserved(keys, _results.RESERVED)
        names = list(dict.fromkeys([*keys, before, after]))
        if isinstance(source, _frame.LazyFrame):
            source = _answer_queries.distinct_rows(_sources.only(source, names), names)
        elif isinstance(source, _dask.Partitions):
            source = _answer_partitions.distinct_rows(source, names, keys)
        rows = None
        if _frame.ROWS in source.columns:
            rows = source[_frame.ROWS].to_numpy().astype(np.int64)
    return _pairs.counted(source, before, after, keys, rule, scale, errors, rows)
