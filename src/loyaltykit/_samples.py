"""A metric's result table read back as arrays: what its rows say of their answers.

Comparing, pooling and explaining work on these, and need no raw data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _estimates, _frame, _results, _variance
from loyaltykit.errors import ParameterError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CONSTANT = ("metric", "definition")
OBSERVED, PARTIAL = "observed", "partial"
# Whole numbers that are no parts of n.
_NO_PARTS = frozenset(("answer_sum", "answer_sumsq", "end", "reactivated", "referred"))


class Sample(NamedTuple):
    """The rows of a metric table. Null counts are 0; ``known`` says which rows are whole.

    A row is whole unless its period or cohort has been observed in part or not at all.
    """

    metric: str
    kind: str
    definition: str
    n: IntArray
    n_missing: IntArray
    counts: dict[str, npt.NDArray[Any]]
    known: BoolArray
    weighted: _estimates.Weighted | None

    @property
    def moments(self) -> _estimates.Moments:
        """Return the moments of the values: of the answers or, where weighted, of their weights."""
        sums = self.counts if self.weighted is None else self.weighted.weights
        return _estimates.moments(self.metric, self.kind, {"n": self.n, **sums})

    @property
    def square_moments(self) -> _estimates.Moments:
        """Return the moments by squared weights; those of the answers where nothing is weighted."""
        if self.weighted is None:
            return self.moments
        return _estimates.moments(self.metric, self.kind, self.weighted.squares)

    @property
    def sampling(self) -> list[str]:
        """Return the parts of the sampling design beyond weights, as the definition names them."""
        named = _estimates.part_of(self.definition, _results.SAMPLING)
        return named.split("+") if named else []


def read(frame: _frame.Frame) -> Sample:
    """Return the rows of a metric table; refuse other tables, and tables that mix metrics."""
    _checks.check_result(frame.columns, ("metric", *_results.WORDS), "a metric function")
    metric, definition = (constant(frame, name) for name in CONSTANT)
    if not isinstance(definition, str) or (metric == "ces" and "statistic=" not in definition):
        msg = f"result holds the definition {definition!r}, which is none of a metric function."
        raise ParameterError(msg)
    if metric not in _results.COUNTS:
        msg = f"result holds the metric {metric!r}, which is none of a metric function."
        raise ParameterError(msg)
    if metric == _results.AREA:
        msg = (
            f"A {metric} is the area under a curve, which does not follow from n and events: rows "
            "cannot be added up or explained. Call it again with the keys wanted; compare holds "
            "its groups against each other."
        )
        raise ParameterError(msg)
    of_metric = _results.counts_of(metric, definition)
    names = ("n", "n_missing", *of_metric)
    _checks.check_result(frame.columns, names, metric)
    amounts = _results.amounts_of(metric)
    counts: dict[str, Any] = {
        name: sums(frame, name) if name in amounts else integers(frame, name) for name in names
    }
    others = amounts | _NO_PARTS
    for name in of_metric:
        _refuse_gaps(frame, name, counts["n"], counts[name], part=name not in others)
    return Sample(
        metric,
        _estimates.kind(metric, definition),
        definition,
        counts.pop("n"),
        counts.pop("n_missing"),
        counts,
        covered(frame, OBSERVED),
        _weighted(frame, metric, definition),
    )


def sizes(frame: _frame.Frame) -> npt.NDArray[Any]:
    """Return n of every row, NaN where it is null."""
    return _floats(frame, "n")


def estimates(frame: _frame.Frame) -> tuple[FloatArray, FloatArray]:
    """Return the estimates of a table and their errors, NaN where they are null."""
    return _floats(frame, "estimate"), _floats(frame, "std_error")


def refuse_ratios(sample: Sample, function: str, *, amounts: bool = True) -> None:
    """Refuse estimates that are no mean of values; ratios of amounts only where asked to."""
    if amounts and sample.kind in (*_estimates.RATIOS_OF_AMOUNTS, _estimates.GROSS):
        msg = (
            f"{function} takes shares, net scores and means, and {sample.metric} is a ratio of "
            "amounts. Take the shares of customers: retention_rate, or cohort_retention without "
            "amount=."
        )
        raise ParameterError(msg)
    if sample.kind in (_estimates.AVERAGE, _estimates.RATIO):
        name = sample.metric
        if sample.kind == _estimates.AVERAGE:
            name += " with denominator='average'"
        msg = (
            f"{function} takes shares, net scores and means, and {name} is none: its denominator "
            "moves with what is counted. Take a churn rate by the start."
        )
        raise ParameterError(msg)


def constant(frame: _frame.Frame, name: str) -> Any:
    """Return the one value of a column; refuse a table that mixes several."""
    values = frame[name].unique().to_list()
    if len(values) > 1:
        msg = (
            f"result mixes {name}: {_checks.listed(sorted(values, key=str))}. "
            "Take each of them alone."
        )
        raise ParameterError(msg)
    return values[0]


def take(sample: Sample, rows: IntArray) -> Sample:
    """Return the rows at the positions, which may repeat."""
    weighted = sample.weighted
    if weighted is not None:
        weighted = weighted._replace(
            weights={name: values[rows] for name, values in weighted.weights.items()},
            squares={name: values[rows] for name, values in weighted.squares.items()},
            variance=weighted.variance[rows],
            kish=weighted.kish[rows],
            units=weighted.units[rows],
            df=weighted.df[rows],
        )
    return sample._replace(
        n=sample.n[rows],
        n_missing=sample.n_missing[rows],
        counts={name: values[rows] for name, values in sample.counts.items()},
        known=sample.known[rows],
        weighted=weighted,
    )


def added(sample: Sample, codes: IntArray, size: int) -> Sample:
    """Return the sums of the rows of each code, and the variances that follow from them."""
    if sample.weighted is not None and sample.sampling:
        msg = (
            "The table was made with clusters, strata or a population: the error of rows taken "
            "together does not follow from the table. Call the metric again with the keys wanted."
        )
        raise ParameterError(msg)

    def total(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        made = np.zeros(size, dtype=values.dtype)
        np.add.at(made, codes, values)
        return made

    whole = np.ones(size, dtype=np.bool_)
    np.logical_and.at(whole, codes, sample.known)
    made = sample._replace(
        n=total(sample.n),
        n_missing=total(sample.n_missing),
        counts={name: total(values) for name, values in sample.counts.items()},
        known=whole,
    )
    if sample.weighted is None:
        return made
    return made._replace(weighted=_added_weights(made, sample.weighted, codes, size))


def _added_weights(
    made: Sample, weighted: _estimates.Weighted, codes: IntArray, size: int
) -> _estimates.Weighted:
    def sums(parts: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {name: _variance.sums(codes, values, size) for name, values in parts.items()}

    added = weighted._replace(
        weights=sums(weighted.weights),
        squares=sums(weighted.squares),
        units=np.full(size, np.inf),
        df=fewest_df(weighted.df, codes, size),
    )
    return _with_variance(made, added)


def fewest_df(df: FloatArray, codes: IntArray, size: int) -> FloatArray:
    """Return the fewest degrees of freedom among the rows of each code, NaN where none has any.

    Rows of several samples have degrees of freedom of their own: the fewest are the safest.
    """
    fewest = np.full(size, np.inf)
    told = np.flatnonzero(df > 0.0)
    np.minimum.at(fewest, codes[told], df[told])
    fewest[np.isinf(fewest)] = np.nan
    return fewest


def _with_variance(sample: Sample, weighted: _estimates.Weighted) -> _estimates.Weighted:
    """Return the weights with the variances that follow from their sums."""
    sample = sample._replace(weighted=weighted)
    moments, squares = sample.moments, sample.square_moments
    return weighted._replace(
        variance=_estimates.moments_variance(moments, squares, weighted.df + 1.0),
        kish=_estimates.kish(moments, squares),
    )


def unstratified(sample: Sample) -> Sample:
    """Return a sample with the errors it would have without strata, which are no smaller."""
    if sample.weighted is None:
        return sample
    return sample._replace(weighted=_with_variance(sample, sample.weighted))


def emptied(sample: Sample, rows: BoolArray) -> Sample:
    """Return the sample with nothing in the flagged rows, which are then known to be empty."""

    def left(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.where(rows, 0, values)

    weighted = sample.weighted
    if weighted is not None:
        weighted = weighted._replace(
            weights={name: left(values) for name, values in weighted.weights.items()},
            squares={name: left(values) for name, values in weighted.squares.items()},
        )
    return sample._replace(
        n=left(sample.n),
        n_missing=left(sample.n_missing),
        counts={name: left(values) for name, values in sample.counts.items()},
        known=sample.known | rows,
        weighted=weighted,
    )


def others(sample: Sample, codes: IntArray, size: int) -> Sample:
    """Return, for each row, the sums of the other rows of its code; known where all those are."""
    total, unknown = take(added(sample, codes, size), codes), ~sample.known
    # What is left of amounts where nobody is left is rounding.
    left, amounts = total.n - sample.n, _results.amounts_of(sample.metric)
    counts = {name: total.counts[name] - values for name, values in sample.counts.items()}
    counts |= {name: np.where(left > 0, counts[name], 0.0) for name in amounts}
    made = sample._replace(
        n=left,
        n_missing=total.n_missing - sample.n_missing,
        counts=counts,
        known=np.bincount(codes, weights=unknown, minlength=size)[codes] == unknown,
    )
    if sample.weighted is None or total.weighted is None:
        return made

    def less(parts: Mapping[str, FloatArray], own: Mapping[str, FloatArray]) -> dict[str, Any]:
        # What is left of nothing is rounding, and no weight is negative.
        return {name: np.maximum(parts[name] - own[name], 0.0) for name in parts}

    weighted = total.weighted._replace(
        weights=less(total.weighted.weights, sample.weighted.weights),
        squares=less(total.weighted.squares, sample.weighted.squares),
    )
    return made._replace(weighted=_with_variance(made, weighted))


def effective(sample: Sample) -> FloatArray:
    """Return the effective number of answers, or of customers where these are worth amounts."""
    if sample.kind in (*_estimates.RATIOS_OF_AMOUNTS, _estimates.GROSS):
        customers = np.minimum(_estimates.effective_customers(sample.counts), sample.n)
        return np.where(np.isnan(customers), 0.0, customers)
    if sample.weighted is None:
        return sample.n.astype(np.float64)
    _, spread = _estimates.mean_and_spread(sample.moments)
    return _variance.effective_size(spread, sample.weighted.variance, sample.weighted.kish)


def estimated(sample: Sample, method: str, confidence_level: float) -> _estimates.Estimate:
    """Return the estimates of the rows, NaN where there is no answer."""
    options: dict[str, Any] = {"method": method, "confidence_level": confidence_level}
    if sample.weighted is None:
        return _estimates.from_counts(
            sample.metric, sample.kind, sample.counts, sample.n, **options
        )
    return _estimates.from_weights(
        sample.metric, sample.kind, sample.weighted, sample.n, **options
    )[0]


def error_of_limits(sample: Sample, std_error: FloatArray) -> FloatArray:
    """Return the errors that limits are made from: no smaller where few customers changed."""
    return _estimates.with_least_error(sample.kind, sample.counts, std_error, sample.n)


def sums(frame: _frame.Frame, name: str) -> FloatArray:
    """Return a column of sums of amounts, 0 for null."""
    values = _floats(frame, name)
    return np.where(np.isnan(values), 0.0, values)


def integers(frame: _frame.Frame, name: str, parameter: str = "result") -> IntArray:
    """Return a column of counts, 0 for null."""
    counts = sums(frame, name)
    if not ((counts >= 0) & (counts == np.floor(counts)) | (name == "answer_sum")).all():
        msg = f"{parameter}: {name!r} must hold whole numbers, 0 or more."
        raise ParameterError(msg)
    return counts.astype(np.int64)


def _refuse_gaps(
    frame: _frame.Frame, name: str, n: IntArray, count: npt.NDArray[Any], *, part: bool
) -> None:
    """Refuse counts that are null beside answers, or parts that are more than these."""
    null = frame[name].is_null().to_numpy() & (n > 0)
    if null.any():
        msg = (
            f"result: {name!r} is null in {_checks.rows(int(null.sum()))} that have answers. "
            "Leave those rows out, or make the table anew."
        )
        raise ParameterError(msg)
    if part and (count > n).any():
        msg = f"result: {name!r} is more than n in {_checks.rows(int((count > n).sum()))}."
        raise ParameterError(msg)


def _floats(frame: _frame.Frame, name: str) -> FloatArray:
    values = _frame.floats(frame[name])
    if values is None:
        msg = f"result: {name!r} must hold numbers, not {frame[name].dtype}."
        raise ParameterError(msg)
    return values


def covered(frame: _frame.Frame, *words: str) -> BoolArray:
    """Return the rows whose coverage is one of the words; all of a table that has none."""
    if "coverage" not in frame.columns:
        return np.ones(len(frame), dtype=np.bool_)
    return np.isin(np.array(frame["coverage"].to_list(), dtype=str), words)


def _weighted(frame: _frame.Frame, metric: str, definition: str) -> _estimates.Weighted | None:
    names = () if metric not in _results.WEIGHTED else _results.weighted_names(metric)
    if not names or names[0] not in frame.columns:
        return None
    _checks.check_result(frame.columns, (*names, *_results.DESIGN), f"a weighted {metric}")
    floats = {name: _floats(frame, name) for name in (*names, "std_error", *_results.DESIGN)}
    if np.isnan(floats[names[0]]).any():
        msg = (
            f"result mixes weighted and unweighted rows: {names[0]!r} is null in "
            f"{_checks.rows(int(np.isnan(floats[names[0]]).sum()))}."
        )
        raise ParameterError(msg)
    for name in names:
        if not name.endswith("answer_sum") and not (floats[name] >= 0).all():
            msg = f"result: {name!r} must hold sums of weights, 0 or more."
            raise ParameterError(msg)
    buckets = _results.WEIGHTED[metric]
    weights, squares = (
        {name: floats[f"{sign}_{name}"] for name in buckets} for sign in ("w", "w2")
    )
    error = floats["std_error"] / _estimates.factor(_estimates.kind(metric, definition))
    unknown = np.full(len(frame), np.inf)
    return _estimates.Weighted(
        weights, squares, error * error, floats["n_effective"], unknown, floats["df"]
    )
