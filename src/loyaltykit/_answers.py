"""From answers to a survey metric's table: the steps that nps, csat and ces share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import (
    _answer_partitions,
    _answer_queries,
    _checks,
    _dask,
    _designs,
    _estimates,
    _frame,
    _results,
    _sources,
    _tally,
    _variance,
)
from loyaltykit.errors import ParameterError

FloatArray = npt.NDArray[np.float64]
Sums = npt.NDArray[Any]
Population = _designs.Population

# From answers by group and point, or the sums of their weights, to those of a metric's buckets.
Buckets = Callable[[Sums], Mapping[str, Sums]]


class Metric(NamedTuple):
    """What is asked of the answers, and how sure one wants to be of it."""

    name: str
    definition: str
    method: str
    buckets: Buckets
    confidence_level: float
    low_is_good: bool = False


def table(
    metric: Metric,
    data: Any,
    score: str | None,
    points: tuple[int, int],
    *,
    by: str | Sequence[str] | None,
    weights: str | None,
    counts: str | None,
    clusters: str | None,
    strata: str | None,
    population: Population,
    time: str | None,
    freq: str | None,
    missing: Sequence[float | str],
    errors: str,
    rng: Any,
    n_resamples: int,
) -> Any:
    """Count the answers and return the metric's table."""
    design = _designs.make_design(weights, clusters, strata, population, counts)
    generator = _checks.check_rng(rng)
    resamples = _checks.check_n_resamples(n_resamples)
    if design is not None and metric.method == _estimates.BOOTSTRAP:
        msg = (
            'method="bootstrap" draws answers one by one, which weights, clusters, strata and a '
            "population rule out. Leave method out."
        )
        raise ParameterError(msg)
    _checks.check_reserved(_checks.check_names("by", by), _results.RESERVED)
    counted = count(
        *(data, score, points, by, counts, time, freq, missing, errors, design),
        low_is_good=metric.low_is_good,
    )
    tallied: _tally.Tally = counted if design is None else counted.tally
    definition, limits, weighted = metric.definition, None, None
    if design is not None:
        weighted = _weighted(metric, counted)
        definition += _results.sampling_suffix(counted.sampling)
    elif metric.method == _estimates.BOOTSTRAP:
        limits = _bootstrapped(metric, tallied.answers, generator, resamples)
    n, before = tallied.answers.sum(axis=1), {}
    if tallied.periods is not None:
        before = {"period": tallied.periods, "coverage": np.full(len(n), "observed")}
    return _results.metric_table(
        tallied.keys,
        metric.name,
        metric.buckets(tallied.answers),
        n,
        tallied.missing,
        before=before,
        weighted=weighted,
        limits=limits,
        method=metric.method,
        confidence_level=metric.confidence_level,
        definition=definition,
    )


def count(
    data: Any,
    score: str | None,
    points: tuple[int, int],
    by: str | Sequence[str] | None,
    counts: str | None,
    time: str | None,
    freq: str | None,
    missing: Sequence[float | str],
    errors: str,
    design: _designs.Design | None,
    *,
    low_is_good: bool = False,
) -> Any:
    """Check what every survey function takes, and count: a tally, or a weighed one."""
    keys = _checks.check_names("by", by)
    _checks.check_errors(errors)
    freq = _tally.check_period(time, freq)
    scale = _tally.make_scale(points, missing)
    options: dict[str, Any] = {"by": keys, "counts": counts, "time": time, "freq": freq}
    with _sources.turn(data):
        counted = _count_answers(data, score, scale, **options, errors=errors, design=design)
    if not low_is_good:
        tallied: _tally.Tally = counted if design is None else counted.tally
        _tally.warn_of_scale(score or _frame.VALUES, scale, tallied.answers)
    return counted


def _values(metric: Metric, points: int) -> FloatArray:
    """Return the value of each point of the scale: the metric is the mean of these."""
    kind = _estimates.kind(metric.name, metric.definition)
    each = metric.buckets(np.eye(points, dtype=np.int64))
    return _estimates.moments(metric.name, kind, each).first


def _weighted(metric: Metric, counted: _designs.Weighed) -> _estimates.Weighted:
    answers = counted.tally.answers
    size, values = len(answers), _values(metric, answers.shape[1])
    made = _variance.linearised(counted.cells, values[counted.slot], size, counted.strata)
    df = counted.strata.df if counted.strata.units.sum() > 0 else np.nan
    weights, squares = (metric.buckets(part[:, :-1]) for part in (counted.weight, counted.square))
    return _estimates.Weighted(weights, squares, *made, np.full(size, df))


def _bootstrapped(
    metric: Metric, answers: npt.NDArray[np.int64], generator: Any, resamples: int
) -> tuple[FloatArray, FloatArray]:
    kind = _estimates.kind(metric.name, metric.definition)
    values = _values(metric, answers.shape[1])
    return _estimates.bootstrap_limits(
        kind, answers, values, metric.confidence_level, generator, resamples
    )


def _count_answers(
    data: object,
    score: str | None,
    scale: _tally.Scale,
    *,
    by: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
    design: _designs.Design | None = None,
) -> Any:
    """Return the tally of the answers, made where the data are; with a design a weighed one."""
    if score is None:
        source, score = _open_answers(data)
    else:
        source = _sources.opened(data)
    columns = {"score": score, "counts": counts, "time": time}
    named = {
        role: _checks.check_name(role, name) for role, name in columns.items() if name is not None
    }
    roles = {} if design is None else design.roles
    _checks.check_columns({**named, **_checks.by_roles(by), **roles}, _sources.columns_of(source))
    options: dict[str, Any] = {"by": by, "counts": counts, "freq": freq, "errors": errors}
    weighed: dict[str, Any] = {} if design is None else {"design": design}
    counted: Any = _tally if design is None else _designs
    if isinstance(source, _frame.EagerFrame):
        return counted.count_answers(source, score, scale, time=time, **options, **weighed)
    if isinstance(source, _dask.Partitions):
        reduced = _answer_partitions.distinct_answers(
            source, score, time=time, **options, **weighed
        )
    else:
        source = _sources.only(source, [score, counts, time, *by, *roles.values()])
        reduced = _answer_queries.distinct_answers(
            source, score, scale, time=time, **options, **weighed
        )
    timed = time is not None
    return counted.count_distinct(reduced, score, scale, timed=timed, **options, **weighed)


def _open_answers(data: object) -> tuple[_sources.Source, str]:
    series = _answer_partitions.series_as_frame(data, _frame.VALUES)
    return _frame.open_answers(data) if series is None else (series, _frame.VALUES)
