"""Weighted answers: sums of weights by group and answer, and the sampling design behind them.

The rows counted here are answers as they were given, rows of a tally, or what a lazy engine has
reduced: each stands for ``n`` answers with a sum of weights and a sum of squared weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _frame, _refusals, _tally, _variance
from loyaltykit.errors import DataError, ParameterError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Population = str | float | Mapping[Any, float] | None

# A weight of rounding away from 0 and beyond what n answers may have.
ROUNDING = 1e-9
# Weights whose squares floats can hold.
LEAST, MOST = 1e-100, 1e100


class Design(NamedTuple):
    """The columns of a sampling design; ``squares`` those of the squared weights of a tally."""

    weights: str | None
    squares: str | None
    clusters: str | None
    strata: str | None
    population: Population

    @property
    def keys(self) -> list[str]:
        """Return the columns that must be kept apart when answers are added up."""
        names = (self.strata, self.clusters, self.population)
        return list(dict.fromkeys(name for name in names if isinstance(name, str)))

    @property
    def roles(self) -> dict[str, str]:
        """Return every column under the parameter that names it."""
        roles = self._asdict()
        squares = roles.pop("squares")
        named = {role: name for role, name in roles.items() if isinstance(name, str)}
        return named if squares is None else {**named, "squares of the weights": squares}


class Rows(NamedTuple):
    """How many answers each row stands for, and the sums of their weights and their squares."""

    n: FloatArray
    weight: FloatArray
    square: FloatArray


class Weighed(NamedTuple):
    """Answers by group: counts, sums of weights and of squares, and the cells of the variance.

    ``weight`` and ``square`` have a row per group and a column per point of the scale, and after
    these one for what is missing. ``slot`` is the point of each cell.
    """

    tally: _tally.Tally
    weight: FloatArray
    square: FloatArray
    cells: _variance.Cells
    slot: IntArray
    strata: _variance.Strata
    sampling: list[str]


def make_design(
    weights: object, clusters: object, strata: object, population: object, counts: str | None
) -> Design | None:
    """Return the design, or None where there is none."""
    given = {"weights": weights, "clusters": clusters, "strata": strata}
    if population is None and all(value is None for value in given.values()):
        return None
    names = {
        role: None if value is None else _checks.check_name(role, value)
        for role, value in given.items()
    }
    weight = names["weights"]
    squares = None if weight is None or counts is None else f"{weight}_sq"
    return Design(squares=squares, population=_check_population(population, strata), **names)


def _check_population(population: Any, strata: object) -> Population:
    if population is None or isinstance(population, str):
        return population
    if isinstance(population, Mapping):
        if strata is None:
            msg = "population= names strata, but strata= is not given: name its column."
            raise ParameterError(msg)
        return population
    if isinstance(population, bool) or not isinstance(population, Real):
        _checks.wrong_type("population", population, "a column name, a number or a mapping")
    if strata is not None:
        msg = (
            f"population={population!r} is one number, but there are strata: give the size of each "
            "as a column or as a mapping of stratum to size."
        )
        raise ParameterError(msg)
    return _check_size(population)


def _check_size(size: Any) -> float:
    if isinstance(size, bool) or not isinstance(size, Real):
        _checks.wrong_type("a size of population", size, "a number")
    return float(size)


# ---- rows ---------------------------------------------------------------------------------------


def read_rows(frame: _frame.Frame, counts: str | None, design: Design, errors: str) -> Rows:
    """Return what each row of a frame stands for; refuse weights that are none."""
    n = np.ones(len(frame)) if counts is None else _tally.row_counts(frame[counts])
    if design.weights is None:
        return Rows(n, n, n)
    weight = _weights(frame[design.weights], errors)
    if design.squares is None:
        return Rows(n, weight, weight * weight)
    square = _weights(frame[design.squares], errors)
    least, most = weight * weight / np.maximum(n, 1.0), weight * weight
    slack = ROUNDING * most
    wrong = (square < least - slack) | (square > most + slack) | ((n == 0) & (weight > 0))
    if wrong.any():
        refuse_squares(design, int(wrong.sum()))
    return Rows(n, weight, square)


def refuse_squares(design: Design, count: int) -> NoReturn:
    """Raise for sums of squared weights that contradict the sums of weights beside them."""
    msg = (
        f"{design.squares!r}: {_checks.rows(count)} that cannot be the sum of the squared weights "
        f"of as many answers with the sum {design.weights!r}. With counts=, the two columns are "
        "weight and weight_sq of `tally`."
    )
    raise DataError(msg)


def _weights(series: _frame.Series, errors: str) -> FloatArray:
    """Return a column of weights; a missing one is 0 where that is asked for."""
    weight = read_weights(series)
    missing = np.isnan(weight)
    if missing.any():
        if errors == "raise":
            _refusals.missing_weights(series.name, int(missing.sum()))
        weight[missing] = 0.0
    return weight


def read_weights(series: _frame.Series) -> FloatArray:
    """Return a column of weights, NaN for null; refuse numbers that are no weights."""
    values, codes = _frame.numbers(series)
    if codes is not None:
        if not all(isinstance(value, (Real, Decimal)) for value in values):
            _refusals.weights_are_numbers(series.name, series.dtype)
        values = np.append(values.astype(np.float64), np.nan)[codes]
    weight = values.astype(np.float64)
    missing = np.isnan(weight)
    fine = (weight == 0) | ((weight >= LEAST) & (weight <= MOST))
    bad = np.flatnonzero(~missing & ~fine)
    if len(bad):
        _refusals.bad_weights(series.name, len(bad), weight[bad][:6])
    return weight


# ---- counting -----------------------------------------------------------------------------------


def count_answers(
    frame: _frame.Frame,
    score: str,
    scale: _tally.Scale,
    *,
    by: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
    design: Design,
) -> Weighed:
    """Count answers in memory, with their weights."""
    periods = None
    if time is not None:
        used = [score, counts, design.weights, design.squares, *by, *design.keys]
        needed = list(dict.fromkeys(name for name in used if name is not None))
        frame, periods = _tally.with_periods(frame, needed, time, freq, errors)
    rows = read_rows(frame, counts, design, errors)
    slot = _tally.slots(_tally.as_asked(frame[score], scale), scale, errors=errors)
    return _weighed(frame, slot, rows, scale, by, periods, freq, design)


def count_distinct(
    frame: _frame.Frame,
    score: str,
    scale: _tally.Scale,
    *,
    by: Sequence[str],
    counts: str | None,
    timed: bool,
    freq: str,
    errors: str,
    design: Design,
) -> Weighed:
    """Count answers that an engine has added up before, as `_tally.count_distinct` does."""
    told = frame[_frame.ROWS].to_numpy().astype(np.int64)
    slot = _tally.slots(_tally.as_asked(frame[score], scale), scale, rows=told, errors=errors)
    n, weight, square = (
        frame[name].to_numpy().astype(np.float64)
        for name in (_frame.N, _frame.WEIGHT, _frame.SQUARE)
    )
    _refusals.check_total(counts, float(n.sum()))
    periods = _calendar.narrowed(frame[_frame.PERIOD].to_numpy()) if timed else None
    rows = Rows(n, weight, square)
    return _weighed(frame, slot, rows, scale, by, periods, freq, design, told)


def _weighed(
    frame: _frame.Frame,
    slot: IntArray,
    rows: Rows,
    scale: _tally.Scale,
    by: Sequence[str],
    periods: _calendar.Periods | None,
    freq: str,
    design: Design,
    told: IntArray | None = None,
) -> Weighed:
    # An answer that nobody weighs is none, and one off the scale was refused or is missing.
    slot = np.where((rows.weight > 0) & (slot < scale.no_answer), slot, scale.no_answer)
    group, keys, starts, size = _groups(frame, by, periods, freq)
    width = scale.no_answer + 1
    cell = group * width + slot
    n, weight, square = (
        _variance.sums(cell, part, size * width).reshape(size, width) for part in rows
    )
    counted = n.astype(np.int64)
    tally = _tally.Tally(keys, starts, counted[:, :-1], counted[:, -1])
    _refuse_nulls(frame, design, told)
    if design.clusters is None and design.strata is None:
        whole = _one_stratum(frame, slot < scale.no_answer, counted[:, :-1].sum(), design)
        at, place = np.nonzero(counted[:, :-1])
        sums = weight[at, place], square[at, place]
        cells = _variance.Cells(at, np.zeros(len(at), dtype=np.int64), None, *sums)
        return Weighed(tally, weight, square, cells, place, whole, _sampling(design))
    kept = np.flatnonzero(slot < scale.no_answer)
    units, at = _units(frame, kept, rows.n[kept], design), group[kept]
    cells, place = _cells(at, slot[kept], rows, kept, units, width)
    shared = {}
    if units.unit is not None:
        shared["clusters"] = _across(at, units.unit, units.size, size)
    if design.strata is not None:
        shared["strata"] = _across(at, units.stratum, len(units.strata.units), size)
    sampling = _sampling(design, shared)
    return Weighed(tally, weight, square, cells, place, units.strata, sampling)


def _across(group: IntArray, unit: IntArray, units: int, groups: int) -> bool:
    """Return whether a unit has answers in several groups."""
    return len(_codes.distinct_pairs(group, unit, units, groups)) > units


def _sampling(design: Design, shared: Mapping[str, bool] | None = None) -> list[str]:
    """Return the parts of a design beyond weights, as a definition names them.

    Those that lie in several rows of the table are shared.
    """
    parts = {name: getattr(design, name) for name in ("clusters", "strata", "population")}
    named = [name for name, given in parts.items() if given is not None]
    return [f"shared_{name}" if shared and shared.get(name) else name for name in named]


def _groups(
    frame: _frame.Frame, by: Sequence[str], periods: _calendar.Periods | None, freq: str
) -> tuple[IntArray, _frame.Frame, Any, int]:
    """Return each row's group, and the keys and the period of every group."""
    groups = _frame.group(frame, by)
    codes: IntArray = groups.codes
    if periods is None:
        return codes, groups.keys, None, groups.size
    pairs = _codes.paired(codes, periods.codes, periods.span)
    codes, present = _codes.renumber(pairs, groups.size * periods.span)
    starts = _calendar.period_starts(present % periods.span + periods.first, freq)
    return codes, _frame.rows(groups.keys, present // periods.span), starts, len(present)


class _Units(NamedTuple):
    """The stratum and the cluster of every answer counted, and the strata of the whole sample."""

    stratum: IntArray
    unit: IntArray | None
    size: int
    strata: _variance.Strata


def _cells(
    group: IntArray, slot: IntArray, rows: Rows, kept: IntArray, units: _Units, width: int
) -> tuple[_variance.Cells, IntArray]:
    weight, square = rows.weight[kept], rows.square[kept]
    if units.unit is not None:
        return _variance.Cells(group, units.stratum, units.unit, weight, square), slot
    strata = len(units.strata.units)
    cell = (group * strata + units.stratum) * width + slot
    size = int(cell.max(initial=-1)) + 1
    cell, present = _codes.renumber(cell, size)
    weight, square = (_variance.sums(cell, part, len(present)) for part in (weight, square))
    place, slot = np.divmod(present, width)
    return _variance.Cells(place // strata, place % strata, None, weight, square), slot


# ---- strata and clusters ------------------------------------------------------------------------


def _refuse_nulls(frame: _frame.Frame, design: Design, told: IntArray | None) -> None:
    for role, name in (("clusters", design.clusters), ("strata", design.strata)):
        if name is None:
            continue
        null = frame[name].is_null().to_numpy()
        if null.any():
            count = int(null.sum() if told is None else told[null].sum())
            _refusals.null_units(role, name, count)


def _units(frame: _frame.Frame, kept: IntArray, n: FloatArray, design: Design) -> _Units:
    frame = _frame.rows(frame.select(design.keys), kept) if design.keys else frame
    stratum = np.zeros(len(kept), dtype=np.int64)
    names: _frame.Series | None = None
    if design.strata is not None:
        groups = _frame.group(frame, [design.strata])
        stratum, names = groups.codes, groups.keys[design.strata]
    count = 1 if names is None else len(names)
    unit, size = None, 0
    if design.clusters is None:
        units = _variance.sums(stratum, n, count)
    else:
        clusters = _frame.group(frame, [design.clusters])
        unit, size = clusters.codes, clusters.size
        pairs = _codes.distinct_pairs(stratum, unit, size, count)
        if len(pairs) > size:
            several = np.flatnonzero(np.bincount(pairs % size, minlength=size) > 1)
            shown = _frame.sample(clusters.keys[design.clusters], several)
            msg = (
                f"clusters={design.clusters!r}: {len(several):,} of them lie in several strata of "
                f"{design.strata!r}: {_checks.listed(shown)}. If the ids begin anew in each "
                "stratum, make them unique first."
            )
            raise DataError(msg)
        units = np.bincount(pairs // size, minlength=count).astype(np.float64)
    population = _population(frame, stratum, names, units, design)
    strata = _variance.Strata(units, population)
    lonely = np.flatnonzero((units == 1) & (strata.unsampled > 0))
    if names is not None and len(lonely):
        what = "answer" if design.clusters is None else "cluster"
        shown = _frame.sample(names, lonely)
        msg = (
            f"strata={design.strata!r}: {len(lonely):,} with a single {what}, which tells nothing "
            f"of the spread: {_checks.listed(shown)}. Join them with a stratum like them."
        )
        raise DataError(msg)
    return _Units(stratum, unit, size, strata)


def _one_stratum(
    frame: _frame.Frame, kept: BoolArray, n: float, design: Design
) -> _variance.Strata:
    units, stratum = np.array([float(n)]), np.zeros(0, dtype=np.int64)
    if isinstance(design.population, str):
        kept_rows = np.flatnonzero(kept)
        frame = _frame.rows(frame.select([design.population]), kept_rows)
        stratum = np.zeros(len(kept_rows), dtype=np.int64)
    return _variance.Strata(units, _population(frame, stratum, None, units, design))


def _population(
    frame: _frame.Frame,
    stratum: IntArray,
    names: _frame.Series | None,
    units: FloatArray,
    design: Design,
) -> FloatArray:
    """Return how many sampling units there are in the population of each stratum."""
    given = design.population
    if given is None:
        return np.full(len(units), np.inf)
    if isinstance(given, str):
        sizes = _sizes_by_row(frame[given], stratum, names, len(units))
    elif isinstance(given, Mapping):
        levels = [] if names is None else _frame.python_values(names)
        unnamed = [level for level in levels if level not in given]
        if unnamed:
            msg = f"population= has no size for {_checks.listed(unnamed)} of {design.strata!r}."
            raise ParameterError(msg)
        sizes = np.array([_check_size(given[level]) for level in levels])
    else:
        sizes = np.full(len(units), given)
    small = np.flatnonzero(~(sizes >= units))
    if len(small):
        first = small[0]
        where = "" if names is None else f" in the stratum {_frame.sample(names, small)[0]!r}"
        msg = (
            f"population={sizes[first]:g} is less than the {units[first]:g} sampled{where}. It is "
            "the number of clusters, or of answers where there are none, that could be sampled."
        )
        raise DataError(msg)
    return sizes


def _sizes_by_row(
    series: _frame.Series, stratum: IntArray, names: _frame.Series | None, count: int
) -> FloatArray:
    values, codes = _frame.numbers(series)
    if codes is not None or np.isnan(values.astype(np.float64)).any():
        msg = f"population={series.name!r} must be a number in every row."
        raise DataError(msg)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, stratum, values)
    np.maximum.at(high, stratum, values)
    varying = np.flatnonzero(low < high)
    if len(varying):
        shown = ["the sample"] if names is None else _frame.sample(names, varying)
        msg = (
            f"population={series.name!r} must be one number for each stratum, but it varies within "
            f"{_checks.listed(shown)}."
        )
        raise DataError(msg)
    return low
