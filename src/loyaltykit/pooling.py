"""Groups and periods of a result table added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _estimates, _frame, _levels, _results, _samples
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Result, Table

_CONSTANT = ("metric", *_results.WORDS)


def pool(result: Table[Result], *, over: str | Sequence[str]) -> Result:
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
        or if `over` is no key of it; if its method is "bootstrap", whose draws it does not keep;
        or if it was made with clusters, strata or a population; if the periods of a table with
        ``trailing`` above 1, which overlap, are to be pooled.

    Notes
    -----
    Partial and unobserved cells stay out when periods or cohorts are pooled: only cells that have
    been observed in full are added up. When other keys are pooled, a period that is partial stays
    partial and one that is unobserved stays unobserved.

    Sums of weights are added up too: the pooled error is that of all weighted answers at once.

    Pooled periods count a customer once in each: their interval treats those as separate trials.
    Tables of `tier_transitions` pool over "period" and "from_tier", never over "to_tier".

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
        no_rows: Result = frame.drop(gone, strict=False).to_native()
        return no_rows
    sample = _samples.read(frame)
    _refuse_overlapping(sample, dropped)
    method, level = (_samples.constant(frame, name) for name in ("method", "confidence_level"))
    _refuse_bootstrap(method)
    groups = _frame.group(frame, keys)
    across_time = any(name in _levels.PERIODS for name in dropped)
    coverage, known = _coverage(frame, groups, across_time=across_time)
    rows = np.flatnonzero(known)
    added = _samples.added(_samples.take(sample, rows), groups.codes[rows], groups.size)
    counts: dict[str, npt.NDArray[Any]] = {"n": added.n, "n_missing": added.n_missing}
    counts |= added.counts
    if "as_of" in frame.columns or sample.metric == "quick_ratio":
        # Tables from a log are null where nothing was observed.
        nothing = np.bincount(groups.codes[rows], minlength=groups.size) == 0
        if coverage is not None:  # an empty group adds nothing to what no other has observed
            nothing |= coverage == "unobserved"
        for name, values in counts.items():
            if values.dtype.kind == "f":  # sums of amounts
                counts[name] = np.where(nothing, np.nan, values)
                continue
            mask = np.ma.nomask if name == "n_missing" else nothing
            counts[name] = np.ma.masked_array(values, mask=mask)
    made: Result = _results.metric_table(
        groups.keys,
        sample.metric,
        counts,
        counts["n"],
        counts["n_missing"],
        before={} if coverage is None or not _has_time(keys) else {"coverage": coverage},
        after=_as_of(frame, groups.size),
        weighted=added.weighted,
        method=method,
        confidence_level=level,
        definition=sample.definition,
    )
    return made


def _check_over(dropped: Sequence[str], head: Sequence[str]) -> None:
    if not dropped:
        msg = "over is empty: name the keys to pool."
        raise ParameterError(msg)
    if "to_tier" in dropped and "to_tier" in head:
        msg = (
            "over='to_tier': the customers of a from_tier are the same in each of its rows, and "
            "would be counted once for every to_tier. Pool over 'period' or 'from_tier'."
        )
        raise ParameterError(msg)
    allowed = [name for name in head if name not in ("coverage", "cohort_age", "to_tier")]
    wrong = [name for name in dropped if name not in allowed]
    if wrong:
        msg = (
            f"over={_checks.listed(wrong)} is not a key of the table: it has "
            f"{_checks.listed(allowed, 20) or 'none'}."
        )
        raise ParameterError(msg)


def _refuse_bootstrap(method: str) -> None:
    if method == _estimates.BOOTSTRAP:
        msg = (
            "result has bootstrap intervals, which cannot be drawn anew from a table. Make it "
            "by another method and pool that, or call the metric without those keys."
        )
        raise ParameterError(msg)


def _refuse_overlapping(sample: _samples.Sample, dropped: Sequence[str]) -> None:
    """Refuse periods whose spans share most of their months: the same would count many times."""
    trailing = _estimates.part_of(sample.definition, "trailing")
    if "period" in dropped and trailing not in ("", "1"):
        msg = (
            f"over='period': the rows of trailing={trailing} overlap, and would count the same "
            "change many times over. Take the last one, or pool a table of trailing=1."
        )
        raise ParameterError(msg)


def _has_time(keys: Sequence[str]) -> bool:
    return any(name in (*_levels.PERIODS, "cohort_age") for name in keys)


def _coverage(
    frame: _frame.Frame, groups: _frame.Groups, *, across_time: bool
) -> tuple[npt.NDArray[Any] | None, npt.NDArray[np.bool_]]:
    """Return the coverage of each pooled row, and which rows go into the sums."""
    if "coverage" not in frame.columns:
        return None, np.ones(len(frame), dtype=np.bool_)
    observed = _samples.covered(frame, _samples.OBSERVED)
    partial = _samples.covered(frame, _samples.PARTIAL)
    if across_time:
        some = _any(groups, observed)
        return _results.coverage(some, np.zeros_like(some)), observed
    # Rolling windows are over for some groups before others: all of them are a part then. A row
    # that counts nobody says nothing, unless there is no other.
    nobody = _samples.sizes(frame) == 0
    full, part, never = (
        _any(groups, rows) for rows in (observed & ~nobody, partial & ~nobody, ~observed & ~partial)
    )
    empty = ~(full | part | never)
    mixed = part | (full & never) | (empty & _any(groups, partial))
    return _results.coverage((full | empty) & ~mixed, mixed), observed | partial


def _any(groups: _frame.Groups, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which groups have one of the rows."""
    return np.bincount(groups.codes[rows], minlength=groups.size) > 0


def _as_of(frame: _frame.Frame, length: int) -> dict[str, npt.NDArray[Any]]:
    if "as_of" not in frame.columns:
        return {}
    day = _frame.read_times(frame["as_of"], None, None).values.astype("datetime64[D]")
    if (day != day[0]).any():
        msg = "result mixes tables of several as_of dates. Pool each alone."
        raise ParameterError(msg)
    return {"as_of": np.full(length, day[0])}
