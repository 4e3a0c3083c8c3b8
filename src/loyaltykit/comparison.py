"""Groups of a result table held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _adjustment,
    _checks,
    _differences,
    _estimates,
    _frame,
    _levels,
    _results,
    _samples,
)
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Result, Table

IntArray = npt.NDArray[np.int64]

_CONSTANT = ("metric", *_results.WORDS)


# The table's own estimates and errors: any method that knows the error will do.
_PLAIN = {
    _estimates.NET: "wald",
    _estimates.SHARE: "wilson",
    _estimates.GROSS: "wilson",
    _estimates.MEAN: "t",
    **dict.fromkeys(_estimates.RATIOS_OF_AMOUNTS, "linearised"),
}
_KERNELS = {
    "mover": _differences.mover,
    "adjusted_wald": _differences.adjusted_wald,
    "n_minus_1": _differences.n_minus_1,
}
_FULL = 1e30  # answers in place of infinitely many, where all of a population was asked


def compare(
    result: Table[Result],
    across: str,
    *,
    reference: Any = None,
    adjust: _adjustment.Adjust = "holm",
    method: _checks.ComparisonMethod | None = None,
    alternative: _checks.Alternative = "two-sided",
    confidence_level: float = 0.95,
) -> Result:
    r"""Compare the groups of a result table: signed differences, how sure, and adjusted p-values.

    Every difference is that of the level minus the reference. By default its interval is MOVER,

    .. math:: D - \sqrt{(e_1 - l_1)^2 + (u_2 - e_2)^2} \text{ to }
        D + \sqrt{(u_1 - e_1)^2 + (e_2 - l_2)^2}, \quad D = e_1 - e_2,

    from each side's estimate e and its score limits l and u: Tango's for a net score, Wilson's for
    a share. Its p-value is 1 minus the confidence level at which the interval touches 0, so that
    the two never disagree. Means and ratios of amounts are compared by Welch's t, restricted means
    by the normal.

    Parameters
    ----------
    result : DataFrame
        A table of one metric function.
    across : str
        The key to compare across: a column of `by`, "period" or "cohort". All other keys are held
        fixed, so that with a sector and a period, periods are compared within sectors.
    reference : level, "rest", "previous" or None, default None
        What each level is held against.

        None: all pairs. The level is the one listed earlier, or the later one of two dates.
        A level, as it is in the column; dates may be ISO text. Groups without a row of it give no
        row.
        "rest": all other levels of the group added up, not the total that holds the level itself.
        "previous": the calendar period just before, or else the level listed just before. There is
        no row where that is missing.

        A level that is called "rest" or "previous" comes first.
    adjust : {"holm", "bh", "none"}, default "holm"
        How p-values are adjusted for their number, which is that of all rows of the call that have
        one: Holm for a few comparisons, Benjamini and Hochberg for screening many.
    method : {"mover", "adjusted_wald", "n_minus_1", "welch", "normal"} or None, default None
        None is "mover" for net scores, shares and grr, "welch" for means and other rates of
        amounts, "normal" for restricted means.

        "adjusted_wald": 3/4 of a promoter, 3/4 of a detractor and three answers are added to each
        side of a net score, one success and one failure to each side of a share. The middle of the
        interval is drawn towards 0, and `statistic` and p go with that middle, while `difference`
        is the plain one.
        "n_minus_1": the "N - 1" chi-square test of two shares; no interval.
    alternative : {"two-sided", "greater", "less"}, default "two-sided"
        With "greater" the p-value is that of a difference above 0, `ci_low` a one-sided limit at
        the confidence level and `ci_high` the end of the scale; "less" is its mirror image.
    confidence_level : float, default 0.95
        Between 0 and 1; above 0.5 with a one-sided alternative.

    Returns
    -------
    DataFrame
        In the engine of `result`, a row per comparison: the other keys, metric, the key compared
        across, reference, n, n_reference, estimate, estimate_reference, difference, std_error,
        ci_low, ci_high, statistic, df, p_value, p_adjusted, adjust, confidence_level, method, unit,
        definition. Differences are in points for a net score, in percentage_points for a share or a
        rate of amounts, in scale_points for a mean. `statistic` is the z or t of the p-value, `df`
        null for z; `std_error` is the root of the two squared errors.

    Raises
    ------
    ParameterError
        If `result` is no metric table, mixes metrics or definitions or repeats a key; if `across`
        is no key of it, or the age of cohorts or "to_tier", whose customers are the same; if
        `reference` is no level; if the method does not suit the metric; or if the rows share
        clusters, or `reference` is "rest" in a table made with a sampling design.

    Notes
    -----
    The two sides are taken as independent answers. The same customers asked twice are not.

    Rows where a side has no answer, or a period or cohort not observed in full, stay with a
    null difference. Cohorts at age 0, where all are retained, have no p. Across periods or
    cohorts, the rest leaves those cells out. Means need two answers on each side, and spread on
    one of them.

    Where a table does not say its periods, as survey tables do not, "previous" takes the coarsest
    of year, quarter, month, week and day that has all its dates for first days.

    Restricted means, of one horizon, have errors of their own, and no rest: the curve of several
    groups together does not follow from theirs. The unit of their difference is "duration".

    Rates of amounts are compared on `n_effective`, the customers that the amounts at the start are
    worth: grr as a share of so many, the others with one degree of freedom less, and not below two.
    Their errors are those of the table's intervals: in `statistic`, no smaller than the gross rate
    allows, in `std_error` the linearised ones.
    Rows of ``trailing=12`` overlap in all but one month: compare months that are twelve apart.

    Weighted tables are compared on their effective sizes, with Student's t and the degrees of
    freedom of the sample; means with Welch's, where these are fewer. Where strata go across the
    rows, these are not independent; the errors are then those without strata, which are no smaller.
    Tables of several calls are taken as independent samples: the same clusters in both are not
    seen.

    A null key is a level of its own, but cannot be named as the reference. A total that stands in
    the table beside its segments is a segment to "rest": leave it out.

    References
    ----------
    Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures: a
    general approach. Statistics in Medicine 27(10), 1693-1702. https://doi.org/10.1002/sim.3095

    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions:
    comparison of eleven methods. Statistics in Medicine 17(8), 873-890.
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I

    Agresti, A. and Caffo, B. (2000). Simple and effective confidence intervals for proportions and
    differences of proportions result from adding two successes and two failures. The American
    Statistician 54(4), 280-288. https://doi.org/10.1080/00031305.2000.10474560

    Campbell, I. (2007). Chi-squared and Fisher-Irwin tests of two-by-two tables with small sample
    recommendations. Statistics in Medicine 26(19), 3661-3675. https://doi.org/10.1002/sim.2832

    Welch, B. L. (1947). The generalization of "Student's" problem when several different population
    variances are involved. Biometrika 34(1-2), 28-35. https://doi.org/10.1093/biomet/34.1-2.28

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.csat_from_counts(
    ...     satisfied=[56, 48], n=[70, 80], labels={"site": ["north", "south"]}
    ... )
    >>> change = lk.compare(table, "site")
    >>> change[["site", "reference", "difference", "ci_low", "ci_high", "p_value"]].round(3)
        site reference  difference  ci_low  ci_high  p_value
    0  north     south        20.0   5.243   33.387    0.008
    """
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _CONSTANT, "a metric function")
    keys = _other_keys(frame, _checks.check_name("across", across))
    _checks.check_choice("adjust", adjust, _adjustment.ADJUSTMENTS)
    level = _checks.check_confidence_level(confidence_level)
    pivot = _differences.Pivot(_checks.check_alternative(alternative, level), level)
    if not len(frame):
        none: IntArray = np.zeros(0, dtype=np.int64)
        columns: dict[str, Any] = {name: np.zeros(0) for name in _results.COMPARE}
        del columns["reference"]
        columns |= {"n": none, "n_reference": none}
        columns |= dict.fromkeys(("metric", "adjust", "method", "unit", "definition"), "")
        others = None if isinstance(reference, str) and reference == _levels.REST else none
        no_rows: Result = _difference_table(frame, keys, across, none, others, columns)
        return no_rows
    if _samples.constant(frame, "metric") == _results.AREA:
        areas: Result = _areas_compared(frame, keys, across, reference, adjust, method, pivot)
        return areas
    sample = _samples.read(frame)
    _samples.refuse_ratios(sample, "compare", amounts=False)
    _refuse_shared_clusters(sample)
    if "shared_strata" in sample.sampling:
        sample = _samples.unstratified(sample)
    chosen = _checks.check_comparison(sample.kind, method, weighted=sample.weighted is not None)
    levels = _levels.read(frame, keys, across)
    rows, others = _chosen(levels, reference, sample.definition)
    one, n = _samples.take(sample, rows), _base_sizes(frame, sample)
    if others is None:
        rest, n_rest = _rest(frame, sample, levels)
        other, n_other = _samples.take(rest, rows), n_rest[rows]
    else:
        other, n_other = _samples.take(sample, others), n[others]
    columns = {"n": n[rows], "n_reference": n_other, **_compared(one, other, chosen, pivot)}
    if "cohort_age" in keys:  # all of a cohort is there at first: nothing to test
        at_first = _frame.numbers(frame["cohort_age"])[0][rows] == 0
        for name in ("statistic", "df", "p_value"):
            columns[name] = np.where(at_first, np.nan, columns[name])
    columns["p_adjusted"] = _adjustment.adjusted(columns["p_value"], adjust)
    words = {"metric": sample.metric, "adjust": adjust, "confidence_level": level, "method": chosen}
    unit = {"unit": _estimates.difference_unit(sample.kind), "definition": sample.definition}
    made: Result = _difference_table(
        frame, keys, across, rows, others, {**columns, **words, **unit}
    )
    return made


def _areas_compared(
    frame: _frame.Frame,
    keys: Sequence[str],
    across: str,
    reference: object,
    adjust: str,
    method: str | None,
    pivot: _differences.Pivot,
) -> Any:
    """Return the table of comparisons of restricted means, which bring their errors along."""
    definition, unit = (_samples.constant(frame, name) for name in ("definition", "unit"))
    horizon = _horizon(definition)
    method = "normal" if method is None else _checks.check_choice("method", method, ("normal",))
    rows, others = _chosen(_levels.read(frame, keys, across), reference, definition)
    if others is None:
        msg = (
            f"reference={_levels.REST!r}: the {_results.AREA} of the other groups together does "
            "not follow from the table. Make a column of two levels, and call it by that."
        )
        raise ParameterError(msg)
    n = _samples.integers(frame, "n")
    mean, error = _samples.estimates(frame)
    one, other = (_differences.Means(mean[at], error[at], n[at]) for at in (rows, others))
    outcome = _differences.normal(one, other, pivot, horizon)
    columns = {
        "metric": _results.AREA,
        "n": one.n,
        "n_reference": other.n,
        "estimate": one.mean,
        "estimate_reference": other.mean,
        "difference": one.mean - other.mean,
        "std_error": np.hypot(one.std_error, other.std_error),
        **outcome._asdict(),
        "p_adjusted": _adjustment.adjusted(outcome.p_value, adjust),
        "adjust": adjust,
        "confidence_level": pivot.confidence_level,
        "method": method,
        "unit": unit,
        "definition": definition,
    }
    return _difference_table(frame, keys, across, rows, others, columns)


def _horizon(definition: object) -> float:
    """Return the horizon that a definition names; refuse one that names none."""
    try:
        named = float(_estimates.part_of(str(definition), "horizon"))
    except ValueError:
        named = 0.0
    if not 0.0 < named < np.inf:
        msg = (
            f"result holds the definition {definition!r}, which names no horizon up to which its "
            f"means of the metric {_results.AREA} were taken. Write it as restricted_mean does, "
            "'horizon=20'."
        )
        raise ParameterError(msg)
    return named


def _other_keys(frame: _frame.Frame, across: str) -> list[str]:
    """Return the keys that are held fixed; refuse to compare across what is no key."""
    head = [name for name in frame.columns[: frame.columns.index("metric")] if name != "coverage"]
    if across == "cohort_age" and across in head:
        msg = (
            "across='cohort_age': the customers of a cohort are the same at every age, and no "
            "independent groups. Compare cohorts of one age with across='cohort'."
        )
        raise ParameterError(msg)
    if across == "to_tier" and across in head:
        msg = (
            "across='to_tier': the shares of one from_tier are of the same customers and add up "
            "to 100, and are no independent groups. Compare across 'from_tier' or 'period'."
        )
        raise ParameterError(msg)
    if across not in head:
        allowed = [name for name in head if name not in ("cohort_age", "to_tier")]
        msg = (
            f"across={across!r} is not a key of the table: it has "
            f"{_checks.listed(allowed, 20) or 'none'}."
        )
        raise ParameterError(msg)
    return [name for name in head if name != across]


def _refuse_shared_clusters(sample: _samples.Sample) -> None:
    if "shared_clusters" in sample.sampling:
        msg = (
            "The rows of the table share clusters: answers of one cluster lie in several rows, so "
            "that their errors are not independent. Compare the same people with compare_paired, "
            "split by something that is constant within a cluster, or call the metric for one "
            "period alone."
        )
        raise ParameterError(msg)
    if "shared_strata" in sample.sampling and "clusters" in sample.sampling:
        msg = (
            "The strata of the table go across its rows, which makes the errors of clusters "
            "depend on one another. Leave strata= out, or split by something that is constant "
            "within a stratum."
        )
        raise ParameterError(msg)


def _chosen(
    levels: _levels.Levels, reference: object, definition: str
) -> tuple[IntArray, IntArray | None]:
    """Return the rows to compare and those they are held against, None for the rest."""
    if reference is None:
        return _levels.all_pairs(levels)
    if isinstance(reference, str) and not _levels.has(levels, reference):
        if reference == _levels.REST:
            return _levels.beside_others(levels), None
        if reference == _levels.PREVIOUS:
            return _levels.before(levels, definition)
    words = (_levels.REST, _levels.PREVIOUS)
    return _levels.against(levels, _levels.code_of(levels, reference, "reference", words))


def _base_sizes(frame: _frame.Frame, sample: _samples.Sample) -> npt.NDArray[Any]:
    """Return n, null where a table from a log has observed nothing."""
    if "as_of" not in frame.columns:
        return sample.n
    return np.ma.masked_array(sample.n, mask=~_begun(frame))


def _begun(frame: _frame.Frame) -> npt.NDArray[np.bool_]:
    """Return which rows have been observed, if only in part."""
    return _samples.covered(frame, _samples.OBSERVED, _samples.PARTIAL)


def _rest(
    frame: _frame.Frame, sample: _samples.Sample, levels: _levels.Levels
) -> tuple[_samples.Sample, npt.NDArray[Any]]:
    """Return the other rows of each row's group added up, and how many answers they have."""
    counted = _begun(frame)
    if levels.name in _levels.PERIODS:
        # As where periods are pooled: what is not observed in full stays out.
        counted = sample.known
        sample = _samples.emptied(sample, ~counted)
    rest = _samples.others(sample, levels.group, levels.groups)
    if "as_of" not in frame.columns:
        return rest, rest.n
    some = np.bincount(levels.group, weights=counted, minlength=levels.groups)[levels.group]
    return rest, np.ma.masked_array(rest.n, mask=some == counted)


def _compared(
    one: _samples.Sample, other: _samples.Sample, method: str, pivot: _differences.Pivot
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of numbers but for the adjusted p-values, in the unit of the kind."""
    kind, sides = one.kind, (one, other)
    plain = [_samples.estimated(side, _PLAIN[kind], pivot.confidence_level) for side in sides]
    estimates, errors = ([part[i] for part in plain] for i in range(2))
    fits = one.known & other.known & ~np.isnan(estimates[0]) & ~np.isnan(estimates[1])
    if kind in _estimates.RATIOS_OF_AMOUNTS:  # whose own limits are null as well
        fits &= (_samples.effective(one) >= 2) & (_samples.effective(other) >= 2)
    if one.weighted is not None and other.weighted is not None:
        pivot = pivot._replace(df=np.minimum(one.weighted.df, other.weighted.df))
    if method == "welch":
        means = [
            _differences.Means(
                np.where(fits, estimate, np.nan),
                _samples.error_of_limits(side, error),
                _size(side),
            )
            for estimate, error, side in zip(estimates, errors, sides, strict=True)
        ]
        widest = _width(one.definition) if kind == _estimates.MEAN else np.inf
        outcome = _differences.welch(means[0], means[1], pivot, widest)
    else:
        outcome = _KERNELS[method](_counted(one, fits), _counted(other, fits), pivot)
    # Nothing is left to chance where all of both populations was asked, and nothing to test.
    certain = np.isinf(_samples.effective(one)) & np.isinf(_samples.effective(other))
    tested = [np.where(certain, np.nan, part) for part in outcome[2:]]
    factor = _estimates.factor(kind)
    difference = np.where(fits, estimates[0] - estimates[1], np.nan)
    low, high = (
        np.where(certain, difference, factor * limit) for limit in (outcome.ci_low, outcome.ci_high)
    )
    return {
        "estimate": estimates[0],
        "estimate_reference": estimates[1],
        "difference": difference,
        "std_error": np.where(fits, np.hypot(*errors), np.nan),
        "ci_low": low,
        "ci_high": high,
        **dict(zip(("statistic", "df", "p_value"), tested, strict=True)),
    }


def _size(side: _samples.Sample) -> npt.NDArray[Any]:
    """Return how many answers tell the spread of a side, or customers worth its amounts."""
    return side.n if side.kind == _estimates.MEAN else _samples.effective(side)


def _counted(side: _samples.Sample, fits: npt.NDArray[np.bool_]) -> _differences.Side:
    """Return the answers as the kernels take them: weighted ones by their effective number."""
    sums, size = side.moments, np.where(fits, _samples.effective(side), 0.0)
    above, below = sums.first, None
    if side.kind == _estimates.NET:
        above, below = (sums.second + sums.first) / 2.0, (sums.second - sums.first) / 2.0
    if side.weighted is not None:
        size = np.minimum(size, _FULL)
        total = np.where(sums.total > 0, sums.total, 1.0)
        above = size * (above / total)
        below = None if below is None else size * (below / total)
    return _differences.Side(above, below, size)


def _width(definition: str) -> float:
    low, _, high = _estimates.part_of(definition, "scale").partition("..")
    return float(high) - float(low)


def _difference_table(
    frame: _frame.Frame,
    keys: Sequence[str],
    across: str,
    rows: IntArray,
    others: IntArray | None,
    columns: Mapping[str, Any],
) -> Any:
    """Return the table of comparisons, in the engine of the frame."""
    made = _frame.rows(frame.select([*keys, across]), rows)
    if others is None:
        columns = {**columns, "reference": _levels.REST}
    else:
        reference = _frame.take(frame[across], others).alias("reference")
        made = _frame.with_column(made, reference)
    table = _frame.open_frame(_frame.table(made, columns, len(rows)))
    return table.select([*keys, "metric", across, *_results.COMPARE]).to_native()
