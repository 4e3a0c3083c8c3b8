"""Why a metric moved: what its segments did, and how their shares changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _checks,
    _codes,
    _decomposition,
    _estimates,
    _frame,
    _intervals,
    _levels,
    _results,
    _samples,
)
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from loyaltykit._typing import Result, Table

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

PARTS = ("mix", "within")
_NO_KEYS = (*_levels.PERIODS, "cohort_age", "coverage", "to_tier")


class _Pairs(NamedTuple):
    """Levels beside their references, cell by cell: which rows of the table each is made of.

    A cell is a combination of segments that at least one side has; the rows are -1 where a side
    lacks it. ``level`` is by pair, the rest by cell.
    """

    level: IntArray  # a row of the pair's level
    reference: IntArray  # a row of its reference
    pair: IntArray
    segment: IntArray  # a row of the cell's segments
    nests: list[IntArray]
    rows: tuple[IntArray, IntArray]  # of the reference, of the level


# ---- public -------------------------------------------------------------------------------------


def explain_change(
    result: Table[Result],
    across: str,
    *,
    reference: Any,
    segment: str | Sequence[str],
    confidence_level: float = 0.95,
) -> Result:
    r"""Split the change of a metric into what its segments did and how their shares changed.

    .. math:: R_1 - R_0 = \sum_k \underbrace{\frac{w_{0k} + w_{1k}}{2} (r_{1k} - r_{0k})}_{within}
        + \sum_k \underbrace{(w_{1k} - w_{0k})
        \left(\frac{r_{0k} + r_{1k}}{2} - \frac{R_0 + R_1}{2}\right)}_{mix}

    where r are the rates of the segments, w their shares of the answers and R the overall rates,
    for the reference (0) and for the level explained (1). A segment's *within* is what the change
    of its own rate adds, its *mix* what the change of its share adds: positive where a segment
    better than the whole has grown, or a worse one has shrunk.

    Parameters
    ----------
    result : DataFrame
        A table of one metric function, weighted or not.
    across : str
        What the change is over: a key of the table, "period" or "cohort".
    reference : level of `across` or "previous"
        What the change is from, as it stands in the column; a date also as ISO text. "previous"
        takes for each level the one before it: for periods and cohorts the calendar period before,
        for other keys the level before in the order of the table, if it is not null. A level
        without one has no row.
    segment : str or sequence of str
        A key to split by. Several are nested in the order given: the shares of the first, the
        shares of the second within each of those, and so on.
    confidence_level : float, optional
        Confidence level of the intervals, between 0 and 1.

    Returns
    -------
    DataFrame
        Two rows per segment (the combination of several), in the engine of `result`: the remaining
        keys, metric, `across`, reference, the segment columns, part ("mix", then "within"),
        estimate, std_error, ci_low, ci_high, unit, definition. The unit is points for net scores,
        percentage_points for shares and rates, scale_points for means.

    Raises
    ------
    ParameterError
        If `result` is no metric table, mixes metrics or definitions, or has two rows for one
        group; if `across` or `segment` is no key of it, or `reference` no level.

    See Also
    --------
    plot.change_waterfall : The same as a picture.

    Notes
    -----
    The estimates of all parts add up to the level's overall metric less that of the reference, the
    estimate that `pool` over the segments would give. In a weighted table the shares are those of
    the weights.

    A segment that appears or vanishes is all mix: the rate that one side does not have is taken
    from the other. A null segment is a segment of its own. Where a period has been observed in
    part or not at all, or one side has no answer in any segment, the rows stay and are null.

    Nested segments: the share of a combination is a product of conditional shares, and times the
    rate it is what the combination adds to the overall rate. The factors of that product are
    changed one by one, and each part is its average over all orders in which that can be done (its
    Shapley value): within that of the rate, mix that of all the shares. With one segment column
    this is the equation above.

    The standard errors are linearised (the delta method), with shares as random as rates, and the
    two sides independent; the intervals are normal. In a weighted table the answers' influences
    are summed by squared weights, times n / (n - 1). No error follows from tables made with
    clusters, strata or a population, because the table does not say which segments share a
    cluster, nor from those of ``method="none"``, where no inference is wanted: the parts stand
    there, and the rest is null.

    References
    ----------
    Kitagawa, E. M. (1955). Components of a difference between two rates. Journal of the American
    Statistical Association 50(272), 1168-1194. https://doi.org/10.1080/01621459.1955.10501299

    Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. U.S. Bureau
    of the Census, Current Population Reports P23-186.

    Examples
    --------
    Both sectors are more satisfied than a year ago, and the whole is less, by 11 percentage points:
    the sector that is harder to please has grown from a fifth to three fifths.

    >>> import loyaltykit as lk
    >>> table = lk.csat_from_counts(
    ...     satisfied=[64, 8, 34, 27],
    ...     n=[80, 20, 40, 60],
    ...     labels={"year": [2025, 2025, 2026, 2026], "sector": ["B2B", "B2C"] * 2},
    ... )
    >>> lk.pool(table, over="sector")[["year", "estimate"]]
       year  estimate
    0  2025      72.0
    1  2026      61.0
    >>> parts = lk.explain_change(table, "year", reference=2025, segment="sector")
    >>> parts[["year", "reference", "sector", "part", "estimate", "ci_low", "ci_high"]].round(1)
       year  reference sector    part  estimate  ci_low  ci_high
    0  2026       2025    B2B     mix      -6.4    -9.7     -3.1
    1  2026       2025    B2B  within       3.0    -5.5     11.5
    2  2026       2025    B2C     mix      -9.6   -14.5     -4.7
    3  2026       2025    B2C  within       2.0    -8.0     12.0
    """
    level = _checks.check_confidence_level(confidence_level)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, ("metric", *_results.WORDS), "a metric function")
    head = frame.columns[: frame.columns.index("metric")]
    segments = _check_keys(across, segment, head)
    if reference is None:
        _checks.wrong_type("reference", reference, f'a level of {across!r} or "previous"')
    rest = [name for name in head if name not in (across, "coverage", *segments)]
    names = [*rest, "metric", across, "reference", *segments, *_results.EXPLAIN_CHANGE[2:]]
    if not len(frame):
        nothing: IntArray = np.empty(0, dtype=np.int64)
        empty = _pairs(frame, rest, nothing, segments, nothing)
        words = {"metric": "", "unit": "", "definition": ""}
        no_rows: Result = _table(frame, empty, names, across, words, np.empty((4, 0)))
        return no_rows
    sample = _samples.read(frame)
    _samples.refuse_ratios(sample, "explain_change")
    levels = _levels.read(frame, [*rest, *segments], across)
    before = _references(levels, reference, sample.definition)
    pairs = _pairs(frame, rest, levels.code, segments, before)
    inferred = not sample.sampling and _samples.constant(frame, "method") != "none"
    words = {
        "metric": sample.metric,
        "unit": _estimates.difference_unit(sample.kind),
        "definition": sample.definition,
    }
    found = _explained(sample, pairs, level, inferred=inferred)
    made: Result = _table(frame, pairs, names, across, words, found)
    return made


# ---- reading the call ---------------------------------------------------------------------------


def _check_keys(across: object, segment: object, head: Sequence[str]) -> list[str]:
    """Return the segment columns; refuse what is no key of the table."""
    name = _checks.check_name("across", across)
    segments = _checks.check_names("segment", segment)
    keys = [column for column in head if column not in _NO_KEYS]
    allowed = [*keys, *(column for column in _levels.PERIODS if column in head)]
    if name not in allowed:
        msg = (
            f"across={name!r} is no key of the table: it has "
            f"{_checks.listed(allowed, 20) or 'none'}."
        )
        raise ParameterError(msg)
    if not segments:
        msg = "segment is empty: name the key to split the change by."
        raise ParameterError(msg)
    if name in segments:
        msg = f"segment={name!r} is what the change is across: split it by another key."
        raise ParameterError(msg)
    wrong = [column for column in segments if column not in keys]
    if wrong:
        left = [column for column in keys if column != name]
        msg = (
            f"segment={_checks.listed(wrong)} is no key of the table: it has "
            f"{_checks.listed(left, 20) or 'none'} beside {name!r}. Call the metric with by=."
        )
        raise ParameterError(msg)
    return segments


def _references(levels: _levels.Levels, reference: object, definition: str) -> IntArray:
    """Return the code of each level's reference, -1 where it has none."""
    word = isinstance(reference, str) and not _levels.has(levels, reference)
    if word and reference == _levels.PREVIOUS:
        return _levels.previous(levels, definition)
    code = _levels.code_of(levels, reference, "reference", (_levels.PREVIOUS,))
    before = np.full(len(levels.levels), code, dtype=np.int64)
    before[code] = -1
    return before


# ---- rows side by side --------------------------------------------------------------------------


def _pairs(
    frame: _frame.Frame,
    rest: Sequence[str],
    levels: IntArray,
    segments: Sequence[str],
    before: IntArray,
) -> _Pairs:
    """Put each level of each remaining group beside its reference; levels are codes by row."""
    wholes, cells = _frame.group(frame, rest), _frame.group(frame, segments)
    # A block is the rows of one group and level: those of one side.
    blocks = wholes.codes * max(len(before), 1) + levels
    order = np.argsort(blocks, kind="stable")
    starts = np.flatnonzero(_codes.starts_of_runs(blocks[order]))
    sizes = np.diff(np.append(starts, len(frame)))
    present, level = blocks[order[starts]], levels[order[starts]]
    one = np.flatnonzero(before[level] >= 0)
    wanted = present[one] - level[one] + before[level[one]]
    place = np.minimum(np.searchsorted(present, wanted), max(len(present) - 1, 0))
    found = present[place] == wanted
    sides = []
    for chosen, size in ((place, np.where(found, sizes[place], 0)), (one, sizes[one])):
        pair = np.repeat(np.arange(len(one)), size)
        step = np.arange(len(pair)) - np.repeat(np.cumsum(size) - size, size)
        sides.append((pair, order[starts[chosen][pair] + step]))
    keys = [pair * max(cells.size, 1) + cells.codes[rows] for pair, rows in sides]
    both = _codes.unique(np.concatenate(keys))
    made = [np.full(len(both), -1, dtype=np.int64) for _ in sides]
    for rows, key, (_, own) in zip(made, keys, sides, strict=True):
        rows[np.searchsorted(both, key)] = own
    pair, cell = np.divmod(both, max(cells.size, 1))
    segment = _codes.first_rows(cells.codes, cells.size)[cell]
    nests = [pair]
    for depth in range(1, len(segments) + 1):
        outer = _frame.group(frame, segments[:depth])
        # In order already, because the cells are.
        runs = _codes.starts_of_runs(pair * max(outer.size, 1) + outer.codes[segment])
        nests.append(np.cumsum(runs) - 1)
    return _Pairs(
        order[starts[one]],
        _codes.first_rows(levels, len(before))[before[level[one]]],
        pair,
        segment,
        nests,
        (made[0], made[1]),
    )


# ---- estimating ---------------------------------------------------------------------------------


def _explained(
    sample: _samples.Sample, pairs: _Pairs, confidence_level: float, *, inferred: bool
) -> FloatArray:
    """Return estimates, errors and limits; mix and within of each cell follow one another."""
    sides = [_side(sample, rows) for rows in pairs.rows]
    both = _decomposition.factors(sides, pairs.nests)
    parts = _decomposition.parts(both)
    squares = []
    for part in parts:
        of_sides = [
            _decomposition.variance(
                _decomposition.influence(part, both, period), sides[period], pairs.nests
            )
            * _sample_factor(sample, pairs, period)
            for period in (0, 1)
        ]
        squares.append(of_sides[0] + of_sides[1])
    factor = _estimates.factor(sample.kind)
    valid = _valid(sample, pairs)
    change = factor * np.where(valid, [part.change for part in parts], np.nan).T.ravel()
    error = factor * np.sqrt(np.where(valid & inferred, squares, np.nan)).T.ravel()
    margin = _intervals.normal_quantile(confidence_level) * error
    return np.stack([change, error, change - margin, change + margin])


def _side(sample: _samples.Sample, rows: IntArray) -> _decomposition.Sample:
    """Return one side's sums by cell, 0 where it lacks the cell."""

    def at(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        taken: npt.NDArray[Any] = np.append(values, values.dtype.type(0))[rows]
        return taken

    moments, squares = sample.moments, sample.square_moments
    sums = (moments.total, moments.first, squares.total, squares.first, squares.second)
    return _decomposition.Sample(at(sample.n), *map(at, sums))


def _sample_factor(sample: _samples.Sample, pairs: _Pairs, period: int) -> FloatArray:
    """Return n / (n - 1) of the whole sample where answers are weighted, and 1 elsewhere."""
    if sample.weighted is None:
        return np.ones(len(pairs.pair))
    own = np.append(sample.weighted.df, np.nan)[pairs.rows[period]]
    df = _samples.fewest_df(own, pairs.pair, len(pairs.level))
    factor: FloatArray = (1.0 + 1.0 / df)[pairs.pair]
    return factor


def _valid(sample: _samples.Sample, pairs: _Pairs) -> npt.NDArray[np.bool_]:
    """Return the cells of pairs that were observed in full and have answers on both sides."""
    valid = np.ones(len(pairs.level), dtype=np.bool_)
    total = np.append(sample.moments.total, 0.0)
    for rows in pairs.rows:
        np.logical_and.at(valid, pairs.pair, np.append(sample.known, True)[rows])
        valid &= np.bincount(pairs.pair, weights=total[rows], minlength=len(valid)) > 0.0
    return valid[pairs.pair]


# ---- writing ------------------------------------------------------------------------------------


def _table(
    frame: _frame.Frame,
    pairs: _Pairs,
    names: Sequence[str],
    across: str,
    words: dict[str, str],
    found: FloatArray,
) -> Any:
    """Return the table, two rows per cell, in the columns named."""
    own = [name for name in names if name not in _results.EXPLAIN_CHANGE]
    split = names[names.index("reference") + 1 : names.index("part")]
    twice = np.repeat(np.arange(len(pairs.pair)), len(PARTS))
    level, segment = pairs.level[pairs.pair[twice]], pairs.segment[twice]
    keys = {name: _frame.take(frame[name], segment if name in split else level) for name in own}
    keys["reference"] = _frame.take(frame[across], pairs.reference[pairs.pair[twice]])
    columns = {
        **words,
        "part": np.tile(np.array(PARTS, dtype=object), len(pairs.pair)),
        **dict(zip(_results.ESTIMATES, found, strict=True)),
    }
    made = _frame.open_frame(_frame.table(_frame.beside(keys), columns, len(twice)))
    return made.select(list(names)).to_native()
