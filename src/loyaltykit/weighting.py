"""Case weights: raked to the margins of a population, and what unequal weights cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _frame, _results, _variance
from loyaltykit.errors import ConvergenceWarning, DataError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from loyaltykit._typing import Array, Column, Result, Table

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_MOST_SHOWN = 6


class _Margin(NamedTuple):
    """One raking column: the levels, the share that each should have, the level of each cell."""

    name: str
    levels: list[Any]
    target: FloatArray
    level: IntArray

    def achieved(self, shares: FloatArray) -> FloatArray:
        return _variance.sums(self.level, shares, len(self.levels))


def rake(
    data: Table[Result],
    targets: Mapping[str, Mapping[Any, float] | pd.Series[Any]],
    *,
    weights: str | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
) -> Result:
    r"""Weight the rows so that several columns have the shares known of the population.

    Iterative proportional fitting: column after column, the weights are multiplied so that the
    shares of its levels are those of the target,

    .. math:: w_i \leftarrow w_i \, \frac{T_{k, l(i)}}{\sum_{j: l(j) = l(i)} w_j / \sum_j w_j},

    for row i in level l(i) of column k, until all columns fit at once. Of all weights that meet
    the targets, these are the nearest to the weights they began with, in the sense of
    Kullback and Leibler: the odds ratios between the columns stay as they were in the data.

    Parameters
    ----------
    data : DataFrame
        One row per respondent, in memory: pandas, Polars or PyArrow.
    targets : mapping of str to mapping or Series
        For each column its levels and their shares or totals in the population, as in
        ``{"sector": {"B2B": 0.2, "B2C": 0.8}}``. Each column is normalised to a sum of 1, so that
        0.2, 20 and 20,000 companies say the same. Rows of a level whose target is 0 get weight 0.
    weights : str, optional
        Column of the weights to begin with, such as those of the sampling design; otherwise all
        rows begin alike.
    max_iterations : int, optional
        How many times to go over all columns at most.
    tolerance : float, optional
        The largest difference allowed between the share that a level has and its target.

    Returns
    -------
    DataFrame
        The rows of `data` with these columns added: weight (mean 1 over the rows), converged,
        iterations (how many times all columns were gone over), design_effect (see
        `design_effect`) and weight_max (the largest weight); the last four are the same in every
        row.

    Raises
    ------
    ColumnNotFoundError
        If a column of `targets`, or `weights`, is not in `data`.
    DataError
        If a row has no level or one without a target, if a level with a positive target has no
        row of positive weight, or if a base weight is null, negative or infinite.
    ParameterError
        If `targets` is empty, has a target that is negative or not finite, or has a column whose
        targets are all 0; or if `data` has a column named like those that are added.

    Warns
    -----
    ConvergenceWarning
        If a level is still off its target after `max_iterations`; converged is False then. That is
        so when combinations without a row leave no weights that meet all targets.

    Notes
    -----
    Large weights mean that few respondents speak for many: look at weight_max and the design
    effect, and merge small levels or drop a column where they are high. The weights are usable as
    they are in ``weights="weight"``, and any multiple of them is.

    References
    ----------
    .. [1] W. E. Deming and F. F. Stephan (1940). On a least squares adjustment of a sampled
       frequency table when the expected marginal totals are known. Annals of Mathematical
       Statistics 11(4), 427-444. https://doi.org/10.1214/aoms/1177731829
    .. [2] C. T. Ireland and S. Kullback (1968). Contingency tables with given marginals.
       Biometrika 55(1), 179-188. https://doi.org/10.1093/biomet/55.1.179

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> answers = pd.DataFrame({"sector": ["B2B", "B2C", "B2C", "B2C"], "nps": [10, 9, 3, 7]})
    >>> lk.rake(answers, {"sector": {"B2B": 50, "B2C": 50}})[["sector", "weight", "weight_max"]]
      sector    weight  weight_max
    0    B2B  2.000000         2.0
    1    B2C  0.666667         2.0
    2    B2C  0.666667         2.0
    3    B2C  0.666667         2.0
    """
    wanted = _check_targets(targets)
    most = _checks.check_integer("max_iterations", max_iterations, low=1)
    within = _check_tolerance(tolerance)
    frame = _frame.open_frame(data)
    columns = {f"targets[{i}]": name for i, name in enumerate(wanted)}
    if weights is not None:
        columns["weights"] = _checks.check_name("weights", weights)
    _checks.check_columns(columns, frame.columns)
    _check_free(frame.columns)
    base = np.ones(len(frame))
    if weights is not None:
        base = _weights(frame[weights], f"weights={weights!r}")
    cells = _frame.group(frame, list(wanted))
    total = _variance.sums(cells.codes, base, cells.size)
    count = np.bincount(cells.codes, minlength=cells.size)
    margins = [_margin(cells.keys[name], wanted[name], count, total) for name in wanted]
    fitted, iterations, converged = _fit(total, margins, most, within)
    factor = np.divide(fitted, total, out=np.zeros_like(total), where=total > 0)
    weight = base * factor[cells.codes] * (len(frame) / fitted.sum())
    added = {
        "weight": weight,
        "converged": np.full(len(frame), converged),
        "iterations": np.full(len(frame), iterations),
        "design_effect": _kish(weight),
        "weight_max": float(weight.max()),
    }
    new = _frame.open_frame(_frame.table(frame.select([]), added, len(frame)))
    made: Result = frame.with_columns(*(new[name] for name in _results.RAKED)).to_native()
    return made


def design_effect(weights: Column[object] | Array) -> float:
    r"""Design effect of unequal weights (Kish): how much they inflate the variance of a mean.

    .. math:: \mathit{deff} = \frac{n \sum w_i^2}{(\sum w_i)^2} = 1 + cv^2(w)

    with n the number of positive weights and cv their coefficient of variation. n answers weigh as
    much as n / deff answers with equal weights would. It is 1 when all weights are equal, and does
    not change when they are multiplied by a number.

    Parameters
    ----------
    weights : 1-D array, list or Series
        The weights, in memory, of NumPy, pandas, Polars or PyArrow. Rows of weight 0 do not count.

    Returns
    -------
    float
        The design effect, at least 1.

    Raises
    ------
    DataError
        If a weight is null, negative, infinite or not a number, or if none is positive.

    Notes
    -----
    It holds where the weights have nothing to do with the answers; clusters and strata are not in
    it. The standard errors of the weighted metrics are linearised and do not rest on it.

    References
    ----------
    .. [1] L. Kish (1965). Survey Sampling. Wiley, New York.
    .. [2] L. Kish (1992). Weighting for unequal Pi. Journal of Official Statistics 8(2), 183-200.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> lk.design_effect([1, 1, 1, 3])
    1.3333333333333333
    """
    values = _weights(_frame.open_values(weights, "weights"), "weights")
    if not values.any():
        msg = "weights: none is positive, so they say nothing."
        raise DataError(msg)
    return _kish(values)


def _kish(weights: FloatArray) -> float:
    # In terms of the largest, so that no square leaves the range of floats.
    relative = weights / weights.max()
    n = int(np.count_nonzero(weights))
    return float(n * np.square(relative).sum() / relative.sum() ** 2)


# ---- what is asked ------------------------------------------------------------------------------


def _check_targets(targets: object) -> dict[str, dict[Any, float]]:
    """Return the targets, each column normalised to a sum of 1."""
    if not isinstance(targets, Mapping):
        _checks.wrong_type("targets", targets, "a mapping such as {'sector': {'B2B': 0.2, ...}}")
    if not targets:
        msg = "targets is empty: name a column with its levels and their shares."
        raise ParameterError(msg)
    names = _checks.check_strings("targets", list(targets))
    return {name: _check_shares(f"targets[{name!r}]", targets[name]) for name in names}


def _check_shares(name: str, shares: Any) -> dict[Any, float]:
    if not isinstance(shares, Mapping) and hasattr(shares, "to_dict"):
        shares = shares.to_dict()  # such as pandas' value_counts of a census
    if not isinstance(shares, Mapping):
        _checks.wrong_type(name, shares, "a mapping of levels to shares or totals")
    for level, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, Real):
            _checks.wrong_type(f"{name}[{level!r}]", share, "a number")
    wrong = {level: share for level, share in shares.items() if not 0 <= share < math.inf}
    if wrong:
        shown = [(_checks.plain(level), share) for level, share in wrong.items()][:_MOST_SHOWN]
        pairs = ", ".join(f"{level!r}: {share}" for level, share in shown)
        msg = f"{name} must hold finite shares or totals, 0 or more, not {{{pairs}}}."
        raise ParameterError(msg)
    largest = max(shares.values(), default=0)
    if not largest > 0:
        msg = f"{name} has no level with a share above 0."
        raise ParameterError(msg)
    # In terms of the largest, so that the sum stays within the range of floats.
    total = math.fsum(share / largest for share in shares.values())
    return {level: float(share / largest / total) for level, share in shares.items()}


def _check_tolerance(tolerance: object) -> float:
    if isinstance(tolerance, bool) or not isinstance(tolerance, Real):
        _checks.wrong_type("tolerance", tolerance, "a number")
    within = float(tolerance)
    if not 0 < within < 1:
        found = _checks.plain(tolerance)
        msg = f"tolerance={found!r} must lie between 0 and 1: it is a difference of shares."
        raise ParameterError(msg)
    return within


def _check_free(columns: Sequence[str]) -> None:
    taken = [name for name in _results.RAKED if name in columns]
    if taken:
        msg = f"data already has {_checks.listed(taken)}, which rake adds. Rename or drop them."
        raise ParameterError(msg)


def _weights(series: _frame.Series, name: str) -> FloatArray:
    """Return weights row by row; refuse what is no weight."""
    values, codes = _frame.numbers(series)
    if codes is not None:
        _, parsed = _frame.parse_numbers(values)
        if np.isnan(parsed).any() or any(isinstance(value, str) for value in values):
            msg = f"{name} must hold numbers, not {series.dtype}."
            raise DataError(msg)
        values = np.append(parsed, np.nan)[codes]  # decimals, as from SQL
    numbers = values.astype(np.float64)
    wrong = np.flatnonzero(~((numbers >= 0) & (numbers < np.inf)))
    if len(wrong):
        shown = _checks.listed(numbers[wrong][: _MOST_SHOWN + 1], _MOST_SHOWN)
        msg = (
            f"{name}: {_checks.rows(len(wrong))} without a finite weight, 0 or more: {shown}. "
            "Complete or remove them."
        )
        raise DataError(msg)
    return numbers


# ---- fitting ------------------------------------------------------------------------------------


def _margin(
    keys: _frame.Series, wanted: Mapping[Any, float], count: IntArray, total: FloatArray
) -> _Margin:
    """Return the levels of a column and their targets; refuse what the two do not share."""
    name = keys.name
    encoded = _frame.encode(keys)
    nulls = int(count[encoded.codes < 0].sum())
    if nulls:
        msg = (
            f"{name!r}: {_checks.rows(nulls)} without a level. Give them one of their own, with "
            "a target, or remove them."
        )
        raise DataError(msg)
    levels = _frame.python_values(encoded.levels)
    present = np.bincount(encoded.codes, minlength=len(levels)) > 0  # categories may have no row
    held = [level for level, there in zip(levels, present, strict=True) if there]
    unknown = [level for level in held if level not in wanted]
    if unknown:
        msg = f"targets[{name!r}] has no target for {_checks.listed(unknown)}, which data hold."
        raise DataError(msg + _hint(unknown, [key for key in wanted if key not in held]))
    weighted = _variance.sums(encoded.codes, total, len(levels)) > 0
    given = {level for level, there in zip(levels, weighted, strict=True) if there}
    empty = [level for level, share in wanted.items() if share > 0 and level not in given]
    if empty:
        _refuse_empty(name, empty, "no row of positive weight has it")
    target = np.array([wanted.get(level, 0.0) for level in levels])
    return _Margin(name, levels, target, encoded.codes)


def _hint(unknown: Sequence[Any], others: Sequence[Any]) -> str:
    """Say that a level is written in another type, as 1 and '1' are."""
    by_text = {str(key).strip(): key for key in others}
    for level in unknown:
        key = by_text.get(str(level).strip())
        if key is not None:
            kinds = type(key).__name__, type(level).__name__
            return f" The target names {key!r} ({kinds[0]}), the data hold {level!r} ({kinds[1]})."
    return " Name them all; 0 is a target as well."


def _refuse_empty(name: str, levels: Sequence[Any], why: str) -> None:
    msg = (
        f"targets[{name!r}] wants a share for {_checks.listed(levels)}, but {why}: nothing can be "
        "weighted up. Merge the level with another, or set its target to 0."
    )
    raise DataError(msg)


def _fit(
    total: FloatArray, margins: Sequence[_Margin], most: int, within: float
) -> tuple[FloatArray, int, bool]:
    """Return the share of every cell, how many times all margins were fitted, and whether it fits.

    Cells, because rows of one combination all get the same factor.
    """
    shares = total / total.max()
    for margin in margins:
        shares = np.where(margin.target[margin.level] > 0, shares, 0.0)
    for margin in margins:
        gone = (margin.target > 0) & ~(margin.achieved(shares) > 0)
        if gone.any():
            lost = [margin.levels[i] for i in np.flatnonzero(gone)]
            _refuse_empty(margin.name, lost, "all its rows have a level whose target is 0")
    shares /= shares.sum()
    iterations = 0
    while (off := _worst(margins, shares))[0] > within and iterations < most:
        for margin in margins:
            have = margin.achieved(shares)
            factor = np.divide(margin.target, have, out=np.zeros_like(have), where=have > 0)
            shares = shares * factor[margin.level]
        shares /= shares.sum()
        iterations += 1
    distance, worst = off
    if distance > within:
        _checks.warn(_not_converged(margins, shares, iterations, worst), ConvergenceWarning)
    return shares, iterations, distance <= within


def _worst(margins: Sequence[_Margin], shares: FloatArray) -> tuple[float, tuple[int, int]]:
    """Return the largest distance from a target, and the margin and level that have it."""
    off = [np.abs(margin.achieved(shares) - margin.target) for margin in margins]
    which = max(range(len(off)), key=lambda i: float(off[i].max()))
    level = int(off[which].argmax())
    return float(off[which][level]), (which, level)


def _not_converged(
    margins: Sequence[_Margin], shares: FloatArray, iterations: int, worst: tuple[int, int]
) -> str:
    margin, level = margins[worst[0]], worst[1]
    times = "1 iteration" if iterations == 1 else f"{iterations:,} iterations"
    return (
        f"The weights do not meet the targets after {times}: {margin.name!r} has a share of "
        f"{margin.achieved(shares)[level]:.6g} at {margin.levels[level]!r}, not "
        f"{margin.target[level]:.6g}. Allow more iterations, or merge levels: combinations "
        "without a row can rule the targets out."
    )
