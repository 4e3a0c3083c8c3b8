"""Metrics from counts that somebody else made: SQL, a stream, a dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _estimates, _frame, _results, _tally
from loyaltykit.errors import DataError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from loyaltykit._typing import Seed

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Counts = int | Sequence[int] | npt.NDArray[Any]
Labels = Sequence[Any] | Mapping[str, Sequence[Any]] | None

_COUNTS = "basis=counts"
_MOST = 2**53 - 1  # what a float holds exactly: shares are made of these


def nps_from_counts(
    *,
    promoters: Counts,
    detractors: Counts,
    passives: Counts | None = None,
    n: Counts | None = None,
    labels: Labels = None,
    confidence_level: float = 0.95,
    method: _estimates.NetMethod = "score",
    rng: Seed | None = None,
    n_resamples: int = 9999,
) -> pd.DataFrame:
    """Net Promoter Score from the counts of promoters, detractors and either passives or all.

    Parameters
    ----------
    promoters, detractors : int or sequence of int
        Answers of each kind. Keywords only, so that no order of arguments can flip the sign.
    passives : int or sequence of int, optional
        Answers in between; needed unless `n` is given.
    n : int or sequence of int, optional
        All valid answers; needed unless `passives` is given.
    labels : sequence or mapping of str to sequence, optional
        Names of the groups: a sequence becomes the column "group", a mapping one column per name.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"score", "adjusted_wald", "wald", "bootstrap"}, optional
        The interval, as in `nps`.
    rng : int, numpy.random.Generator or None, optional
        With ``method="bootstrap"``: seed or generator, as for `numpy.random.default_rng`.
    n_resamples : int, optional
        With ``method="bootstrap"``: replicates drawn, at least 100.

    Returns
    -------
    pandas.DataFrame
        The table of `nps`, one row per count. Scalars give one row without key; sequences without
        `labels` get a column "group" that counts from 0. n_missing is 0.

    Raises
    ------
    DataError
        If a count is negative or fractional, or the kinds add up to more than `n`.
    ParameterError
        If neither or both of `passives` and `n` are given and disagree, or lengths differ.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.nps_from_counts(promoters=60, passives=25, detractors=15)
    >>> table[["n", "promoters", "estimate"]]
         n  promoters  estimate
    0  100         60      45.0
    """
    _checks.check_choice("method", method, (*_estimates.NET_METHODS, _estimates.BOOTSTRAP))
    level = _checks.check_confidence_level(confidence_level)
    if passives is None and n is None:
        msg = "Give passives= or n=: promoters and detractors alone do not make a score."
        raise ParameterError(msg)
    given = {"promoters": promoters, "detractors": detractors}
    optional = {"passives": passives, "n": n}
    given |= {name: count for name, count in optional.items() if count is not None}
    counts, keys = _aligned(given, labels)
    above, below = counts["promoters"], counts["detractors"]
    total = counts["n"] if "n" in counts else above + below + counts["passives"]
    if "passives" in counts:
        between = counts["passives"]
        named, whole = "promoters + passives + detractors", above + between + below
        _refuse_where(whole != total, named, whole, "n", total)
    else:
        between = total - above - below
        _refuse_where(between < 0, "promoters + detractors", above + below, "n", total)
    buckets = {"promoters": above, "passives": between, "detractors": below}
    limits = None
    if method == _estimates.BOOTSTRAP:
        kinds = np.column_stack([above, between, below])
        limits = _drawn(_estimates.NET, kinds, [1, 0, -1], level, rng, n_resamples)
    return _table("nps", keys, buckets, total, method, level, _COUNTS, limits)


def csat_from_counts(
    *,
    satisfied: Counts,
    n: Counts,
    labels: Labels = None,
    confidence_level: float = 0.95,
    method: _estimates.ShareMethod = "wilson",
    rng: Seed | None = None,
    n_resamples: int = 9999,
) -> pd.DataFrame:
    """Customer satisfaction from the counts of satisfied and of all valid answers.

    Parameters
    ----------
    satisfied, n : int or sequence of int
        Satisfied answers, and all valid answers.
    labels : sequence or mapping of str to sequence, optional
        Names of the groups: a sequence becomes the column "group", a mapping one column per name.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "bootstrap"}, optional
        The interval, as in `csat`.
    rng : int, numpy.random.Generator or None, optional
        With ``method="bootstrap"``: seed or generator, as for `numpy.random.default_rng`.
    n_resamples : int, optional
        With ``method="bootstrap"``: replicates drawn, at least 100.

    Returns
    -------
    pandas.DataFrame
        The table of `csat`, one row per count. Scalars give one row without key; sequences without
        `labels` get a column "group" that counts from 0. n_missing is 0.

    Raises
    ------
    DataError
        If a count is negative or fractional, or `satisfied` exceeds `n`.
    ParameterError
        If lengths differ.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.csat_from_counts(satisfied=[80, 45], n=[100, 50], labels=["B2B", "B2C"])
    >>> table[["group", "n", "estimate"]]
      group    n  estimate
    0   B2B  100      80.0
    1   B2C   50      90.0
    """
    _checks.check_choice("method", method, (*_estimates.SHARE_METHODS, _estimates.BOOTSTRAP))
    level = _checks.check_confidence_level(confidence_level)
    counts, keys = _aligned({"satisfied": satisfied, "n": n}, labels)
    hits, total = counts["satisfied"], counts["n"]
    _refuse_more("satisfied", hits, "n", total)
    buckets = {"satisfied": hits}
    limits = None
    if method == _estimates.BOOTSTRAP:
        kinds = np.column_stack([hits, total - hits])
        limits = _drawn(_estimates.SHARE, kinds, [1, 0], level, rng, n_resamples)
    return _table("csat", keys, buckets, total, method, level, _COUNTS, limits)


def ces_from_counts(
    *,
    answers: Sequence[int] | npt.NDArray[Any],
    n: Counts | Sequence[Sequence[int]],
    labels: Labels = None,
    confidence_level: float = 0.95,
    direction: _checks.Direction = "ease",
    statistic: _checks.Statistic = "mean",
    easy_min: int | None = None,
    method: _checks.CesMethod | None = None,
    rng: Seed | None = None,
    n_resamples: int = 9999,
) -> pd.DataFrame:
    """Customer Effort Score from the number of answers at each point of the scale.

    Parameters
    ----------
    answers : sequence of int
        The points of the scale, all of them, such as ``range(1, 8)``.
    n : sequence of int, or of such sequences
        How often each point was chosen: one count per point, or one row of them per group.
    labels : sequence or mapping of str to sequence, optional
        Names of the groups: a sequence becomes the column "group", a mapping one column per name.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    direction : {"ease", "effort"}, optional
        What a high answer means, as in `ces`.
    statistic : {"mean", "box", "net"}, optional
        What is estimated, as in `ces`.
    easy_min : int, optional
        The lowest answer that counts as easy, as in `ces`.
    method : str, optional
        The interval, as in `ces`; "bootstrap" serves every statistic.
    rng : int, numpy.random.Generator or None, optional
        With ``method="bootstrap"``: seed or generator, as for `numpy.random.default_rng`.
    n_resamples : int, optional
        With ``method="bootstrap"``: replicates drawn, at least 100.

    Returns
    -------
    pandas.DataFrame
        The table of `ces`, one row per group; n_missing is 0.

    Raises
    ------
    DataError
        If a count is negative or fractional.
    ParameterError
        If `answers` is not a whole scale, or the shapes do not fit.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.ces_from_counts(answers=[1, 2, 3, 4, 5], n=[2, 3, 10, 20, 15])
    >>> table[["n", "easy", "hard", "estimate"]]
        n  easy  hard  estimate
    0  50    35     5      3.86
    """
    points = np.asarray(answers)
    if points.ndim != 1 or points.dtype.kind not in "iu" or len(points) < 2:
        msg = f"answers={answers!r} must be the whole points of the scale, such as range(1, 8)."
        raise ParameterError(msg)
    order = np.argsort(points)
    scale = _checks.check_scale((int(points[order[0]]), int(points[order[-1]])))
    if not np.array_equal(points[order], _tally.points(scale)):
        msg = (
            f"answers={_checks.listed(points.tolist(), 12)} skips or repeats a point of the scale."
        )
        raise ParameterError(msg)
    easy, hard = _checks.check_ces_cutoffs(scale, direction, easy_min)
    chosen = _checks.check_ces_method(statistic, method)
    level = _checks.check_confidence_level(confidence_level)
    counted = _whole("n", n)
    if counted.ndim not in (1, 2) or counted.shape[-1] != len(points):
        msg = f"n has shape {counted.shape}; it needs one count for each of {len(points)} answers."
        raise ParameterError(msg)
    table = np.atleast_2d(counted)[:, order]
    keys = _frame.pandas_keys(_key_columns(labels, len(table), many=counted.ndim == 2))
    buckets = _tally.ces_buckets(table, _tally.points(scale), direction, easy, hard)
    definition = _results.ces_definition(scale, direction, statistic, easy, hard)
    size, limits = table.sum(axis=1), None
    if chosen == _estimates.BOOTSTRAP:
        kind, each = _estimates.kind("ces", definition), np.eye(len(points), dtype=np.int64)
        one = _tally.ces_buckets(each, _tally.points(scale), direction, easy, hard)
        values = _estimates.moments("ces", kind, one).first
        limits = _drawn(kind, table, values, level, rng, n_resamples)
    return _table("ces", keys, buckets, size, chosen, level, definition, limits)


def retention_rate_from_counts(
    *,
    start: Counts,
    end: Counts,
    new: Counts,
    returned: Counts = 0,
    labels: Labels = None,
    confidence_level: float = 0.95,
    method: _estimates.RateMethod = "wilson",
) -> pd.DataFrame:
    r"""Customer retention rate from the customers at the start, at the end, and those won.

    .. math:: retention = 100 \frac{end - new - returned}{start}

    Parameters
    ----------
    start, end : int or sequence of int
        Customers when the period opened and when it closed.
    new : int or sequence of int
        Customers won in the period who are still there at its end.
    returned : int or sequence of int, optional
        Former customers who came back in the period: neither new nor retained.
    labels : sequence or mapping of str to sequence, optional
        Names of the groups: a sequence becomes the column "group", a mapping one column per name.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "none"}, optional
        The interval, as in `retention_rate`.

    Returns
    -------
    pandas.DataFrame
        The keys, metric, n (= start), n_missing, retained, churned, estimate, std_error, ci_low,
        ci_high, confidence_level, method, unit, definition. A start of 0 has a null rate.

    Raises
    ------
    DataError
        If a count is negative or fractional, or the retained are below 0 or above `start`: then
        the counts contradict each other, and no rate above 100 % is made of them.
    ParameterError
        If lengths differ.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.retention_rate_from_counts(start=200, end=210, new=40)
    >>> table[["n", "retained", "churned", "estimate"]]
         n  retained  churned  estimate
    0  200       170       30      85.0
    """
    _checks.check_choice("method", method, _estimates.RATE_METHODS)
    level = _checks.check_confidence_level(confidence_level)
    given = {"start": start, "end": end, "new": new, "returned": returned}
    counts, keys = _aligned(given, labels)
    retained = counts["end"] - counts["new"] - counts["returned"]
    joined = counts["new"] + counts["returned"]
    _refuse_where(retained < 0, "new + returned", joined, "end", counts["end"])
    _refuse_more("end - new - returned", retained, "start", counts["start"])
    buckets = {"retained": retained, "churned": counts["start"] - retained}
    return _table("retention_rate", keys, buckets, counts["start"], method, level, _COUNTS)


def churn_rate_from_counts(
    *,
    start: Counts,
    lost: Counts,
    labels: Labels = None,
    confidence_level: float = 0.95,
    method: _estimates.RateMethod = "wilson",
) -> pd.DataFrame:
    r"""Customer churn rate from the customers at the start and those of them who were lost.

    .. math:: churn = 100 \frac{lost}{start}

    Parameters
    ----------
    start, lost : int or sequence of int
        Customers when the period opened, and those of them who were gone when it closed.
    labels : sequence or mapping of str to sequence, optional
        Names of the groups: a sequence becomes the column "group", a mapping one column per name.
    confidence_level : float, optional
        Confidence level of the interval, between 0 and 1.
    method : {"wilson", "agresti_coull", "clopper_pearson", "jeffreys", "none"}, optional
        The interval, as in `churn_rate`.

    Returns
    -------
    pandas.DataFrame
        The keys, metric, n (= start), n_missing, retained, churned, estimate, std_error, ci_low,
        ci_high, confidence_level, method, unit, definition. A start of 0 has a null rate.

    Raises
    ------
    DataError
        If a count is negative or fractional, or `lost` exceeds `start`.
    ParameterError
        If lengths differ.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> lk.churn_rate_from_counts(start=200, lost=30)[["n", "churned", "estimate"]]
         n  churned  estimate
    0  200       30      15.0
    """
    _checks.check_choice("method", method, _estimates.RATE_METHODS)
    level = _checks.check_confidence_level(confidence_level)
    counts, keys = _aligned({"start": start, "lost": lost}, labels)
    _refuse_more("lost", counts["lost"], "start", counts["start"])
    buckets = {"retained": counts["start"] - counts["lost"], "churned": counts["lost"]}
    definition = f"{_COUNTS};denominator=start"
    return _table("churn_rate", keys, buckets, counts["start"], method, level, definition)


def _table(
    metric: str,
    keys: _frame.Frame,
    counts: Mapping[str, IntArray],
    n: IntArray,
    method: str,
    confidence_level: float,
    definition: str,
    limits: tuple[FloatArray, FloatArray] | None = None,
) -> pd.DataFrame:
    table: pd.DataFrame = _results.metric_table(
        keys,
        metric,
        counts,
        n,
        np.zeros(len(n), dtype=np.int64),
        limits=limits,
        method=method,
        confidence_level=confidence_level,
        definition=definition,
    )
    return table


def _drawn(
    kind: str,
    counts: IntArray,
    values: Sequence[float] | FloatArray,
    confidence_level: float,
    rng: object,
    n_resamples: object,
) -> tuple[FloatArray, FloatArray]:
    """Return the limits of the bootstrap, from the counts by group and value."""
    return _estimates.bootstrap_limits(
        kind,
        counts,
        np.asarray(values, dtype=np.float64),
        confidence_level,
        _checks.check_rng(rng),
        _checks.check_n_resamples(n_resamples),
    )


def _aligned(given: Mapping[str, Any], labels: Labels) -> tuple[dict[str, IntArray], _frame.Frame]:
    """Return the counts at one length, and the key columns that name them."""
    arrays = {name: _whole(name, value) for name, value in given.items()}
    for name, array in arrays.items():
        if array.ndim > 1:
            _refuse_shape(name)
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim == 1}
    if len(set(lengths.values())) > 1:
        msg = f"The counts differ in length: {lengths}."
        raise ParameterError(msg)
    length = next(iter(lengths.values()), 1)
    counts = {name: np.broadcast_to(array, (length,)) for name, array in arrays.items()}
    return counts, _frame.pandas_keys(_key_columns(labels, length, many=bool(lengths)))


def _key_columns(labels: Labels, length: int, *, many: bool) -> dict[str, Sequence[Any]]:
    if labels is None:
        return {"group": range(length)} if many else {}
    if isinstance(labels, str) or not (isinstance(labels, Mapping) or hasattr(labels, "__len__")):
        _checks.wrong_type("labels", labels, "a sequence, or a mapping of column names")
    columns = dict(labels) if isinstance(labels, Mapping) else {"group": labels}
    _checks.check_reserved(columns, _results.RESERVED, "labels")
    if not columns and many:
        msg = "labels is empty, and nothing else tells the groups apart."
        raise ParameterError(msg)
    for name, values in columns.items():
        _checks.check_name("a column of labels", name)
        if isinstance(values, str) or not hasattr(values, "__len__"):
            _checks.wrong_type(f"labels[{name!r}]", values, "a sequence")
        if len(values) != length:
            msg = f"labels[{name!r}] has {len(values)} names for {_checks.rows(length)} of counts."
            raise ParameterError(msg)
    return columns


def _whole(name: str, value: Any) -> IntArray:
    """Return one or several counts as integers; refuse what is no count."""
    try:
        values = np.asarray(value)
    except ValueError:  # sequences of different lengths
        _refuse_shape(name)
    scalar = values.dtype.kind == "O" and not values.ndim and not isinstance(value, Real)
    if scalar or values.dtype.kind not in "iufO":
        _checks.wrong_type(name, value, "a whole number, or several")
    if values.dtype.kind == "O":  # a column with nulls, or numbers too large for one
        bad = ~np.array([_is_count(item) for item in values.flat]).reshape(values.shape)
    else:
        bad = ~((values >= 0) & (values <= _MOST) & (values == np.floor(values)))
    if bad.any():
        msg = (
            f"{name} must hold whole numbers, 0 or more and below 2**53; "
            f"found {_checks.listed(values[bad][:6])}."
        )
        raise DataError(msg)
    return values.astype(np.int64)


def _is_count(item: object) -> bool:
    number = isinstance(item, Real) and not isinstance(item, bool)
    return number and 0 <= item <= _MOST and item == int(item)  # type: ignore[operator,call-overload]


def _refuse_shape(name: str) -> NoReturn:
    msg = f"{name} must be a number or one sequence of numbers."
    raise ParameterError(msg)


def _refuse_more(part: str, parts: IntArray, whole: str, wholes: IntArray) -> None:
    _refuse_where(parts > wholes, part, parts, whole, wholes)


def _refuse_where(
    wrong: npt.NDArray[np.bool_], part: str, parts: IntArray, whole: str, wholes: IntArray
) -> None:
    if not wrong.any():
        return
    first = int(np.flatnonzero(wrong)[0])
    count = int(wrong.sum())
    msg = (
        f"{part} = {parts[first]:,} does not fit {whole} = {wholes[first]:,} "
        f"({_checks.rows(count)} like this): the counts contradict each other."
    )
    raise DataError(msg)
