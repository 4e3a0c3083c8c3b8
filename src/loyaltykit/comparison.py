"""Result tables held against each other. So far: pool, which adds groups up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _estimates, _frame, _results
from loyaltykit.errors import ParameterError

_CONSTANT = ("metric", *_results.WORDS)
_TIME = ("period", "cohort")


def pool(result: Any, *, over: str | Sequence[str]) -> Any:
    """Add up the counts of a result table over some of its keys, and estimate anew.

    The estimate of the pooled row is that of all its answers or customers together, never a mean of
    rates.

    Parameters
    ----------
    result : DataFrame
        A table of one metric function.
    over : str or sequence of str
        Keys to drop: a column of `by`, "period" or "cohort".

    Returns
    -------
    DataFrame
        The table without those keys, in the engine of `result`.

    Raises
    ------
    ParameterError
        If `result` is no metric table or mixes metrics, methods, confidence levels or definitions,
        or if `over` is no key of it; or if its method is "bootstrap", whose draws it does not keep.

    Notes
    -----
    Partial and unobserved cells stay out when periods or cohorts are pooled: only cells that have
    been observed in full are added up. When other keys are pooled, a period that is partial stays
    partial and one that is unobserved stays unobserved.

    Pooled periods count a customer once in each: their interval treats those as separate trials.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.csat_from_counts(satisfied=[80, 45], n=[100, 50], labels=["B2B", "B2C"])
    >>> lk.pool(table, over="group")[["n", "satisfied", "estimate"]]
         n  satisfied   estimate
    0  150        125  83.333333
    """
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _CONSTANT, "a metric function")
    dropped = _checks.check_names("over", over)
    head = list(frame.columns[: frame.columns.index("metric")])
    _check_over(dropped, head)
    keys = [name for name in head if name not in (*dropped, "coverage")]
    if not len(frame):
        gone = dropped if _has_time(keys) else [*dropped, "coverage"]
        return frame.drop(gone, strict=False).to_native()
    words = {name: _constant(frame, name) for name in _CONSTANT}
    if words["metric"] not in _results.COUNTS:
        msg = f"pool does not know the metric {words['metric']!r}."
        raise ParameterError(msg)
    _refuse_bootstrap(words["method"])
    counts = _results.COUNTS[words["metric"]]
    _checks.check_result(frame.columns, ("n", "n_missing", *counts), words["metric"])
    groups = _frame.group(frame, keys)
    coverage, known = _coverage(frame, groups, across_time=any(name in _TIME for name in dropped))
    added = _sums(frame, groups, known, ("n", "n_missing", *counts))
    return _results.metric_table(
        groups.keys,
        words["metric"],
        added,
        added["n"],
        added["n_missing"],
        before={} if coverage is None or not _has_time(keys) else {"coverage": coverage},
        after=_as_of(frame, groups.size),
        method=words["method"],
        confidence_level=words["confidence_level"],
        definition=words["definition"],
    )


def _check_over(dropped: Sequence[str], head: Sequence[str]) -> None:
    if not dropped:
        msg = "over is empty: name the keys to pool."
        raise ParameterError(msg)
    allowed = [name for name in head if name not in ("coverage", "cohort_age")]
    wrong = [name for name in dropped if name not in allowed]
    if wrong:
        msg = (
            f"over={_checks.listed(wrong)} is not a key of the table: it has "
            f"{_checks.listed(allowed, 20) or 'none'}."
        )
        raise ParameterError(msg)


def _constant(frame: _frame.Frame, name: str) -> Any:
    values = frame[name].unique().to_list()
    if len(values) > 1:
        msg = f"result mixes {name}: {_checks.listed(sorted(values, key=str))}. Pool each alone."
        raise ParameterError(msg)
    return values[0]


def _refuse_bootstrap(method: str) -> None:
    if method == _estimates.BOOTSTRAP:
        msg = (
            "result has bootstrap intervals, which cannot be drawn anew from a table. Make it "
            "by another method and pool that, or call the metric without those keys."
        )
        raise ParameterError(msg)


def _has_time(keys: Sequence[str]) -> bool:
    return any(name in (*_TIME, "cohort_age") for name in keys)


def _coverage(
    frame: _frame.Frame, groups: _frame.Groups, *, across_time: bool
) -> tuple[npt.NDArray[Any] | None, npt.NDArray[np.bool_]]:
    """Return the coverage of each pooled row, and which rows go into the sums."""
    if "coverage" not in frame.columns:
        return None, np.ones(len(frame), dtype=np.bool_)
    covered = np.array(frame["coverage"].to_list(), dtype=object)
    observed, partial = covered == "observed", covered == "partial"
    known = observed if across_time else observed | partial
    some = [
        np.bincount(groups.codes[rows & known], minlength=groups.size) > 0
        for rows in (observed, partial)
    ]
    return _results.coverage(some[0], some[1] & ~some[0]), known


def _sums(
    frame: _frame.Frame,
    groups: _frame.Groups,
    known: npt.NDArray[np.bool_],
    names: Sequence[str],
) -> dict[str, npt.NDArray[Any]]:
    """Return integer sums by group; null where a table from a log has nothing observed."""
    rows = frame.filter(known.tolist())
    codes = groups.codes[known]
    none = np.bincount(codes, minlength=groups.size) == 0
    sums = {}
    for name in names:
        total = np.zeros(groups.size, dtype=np.int64)
        np.add.at(total, codes, _frame.numbers(rows[name])[0].astype(np.int64))
        if "as_of" in frame.columns:
            total = np.ma.masked_array(total, mask=none if name != "n_missing" else np.ma.nomask)
        sums[name] = total
    return sums


def _as_of(frame: _frame.Frame, length: int) -> dict[str, npt.NDArray[Any]]:
    if "as_of" not in frame.columns:
        return {}
    day = _frame.read_times(frame["as_of"], None, None).values.astype("datetime64[D]")
    if (day != day[0]).any():
        msg = "result mixes tables of several as_of dates. Pool each alone."
        raise ParameterError(msg)
    return {"as_of": np.full(length, day[0])}
