"""Pairs of answers by the same people: how they count, their sums by group, the paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _codes, _differences, _frame, _intervals, _results, _tally
from loyaltykit.errors import ParameterError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

Metric = Literal["nps", "csat", "ces"]

_SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
# The parameters of each metric, and what they are when nobody names them.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "nps": {"promoter_min": 9, "detractor_max": 6},
    "csat": {"satisfied_min": None},
    "ces": {"direction": "ease", "statistic": "mean", "easy_min": None},
}


class Rule(NamedTuple):
    """How an answer counts: a whole number for each point of the scale, and how it is reported.

    ``reach`` is the largest difference that there can be, in the unit of ``value``.
    """

    metric: str
    scale: tuple[int, int]
    value: IntArray
    reach: int
    factor: float
    method: str
    unit: str
    definition: str
    low_is_good: bool = False


class Pairs(NamedTuple):
    """Sums by group over the complete pairs, in the unit of `Rule.value`."""

    n: IntArray
    missing: IntArray
    before: IntArray
    after: IntArray
    squares: IntArray
    gained: IntArray
    lost: IntArray


class Test(NamedTuple):
    """What `tested` says of each group, in the unit of `Rule.value`; NaN where it says nothing."""

    std_error: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray


# ---- how an answer counts -----------------------------------------------------------------------


def rule_of(metric: str, scale: tuple[int, int] | None, options: dict[str, dict[str, Any]]) -> Rule:
    """Return how the answers of a metric count; refuse what belongs to another metric."""
    _checks.check_choice("metric", metric, get_args(Metric))
    for other, given in options.items():
        changed = [name for name, value in given.items() if value != _DEFAULTS[other][name]]
        if changed and other != metric:
            msg = (
                f"{_checks.listed(changed)} belongs to metric={other!r}, and metric is {metric!r}."
            )
            raise ParameterError(msg)
    ends = _checks.check_scale(_SCALES[metric] if scale is None else scale)
    points = _tally.points(ends)
    if metric == "nps":
        promoter, detractor = _checks.check_nps_cutoffs(ends, **options["nps"])
        net = _net(points >= promoter, points <= detractor)
        definition = _results.nps_definition(ends, promoter, detractor)
        return Rule(metric, ends, net, 2, 100.0, "paired_t", "points", definition)
    if metric == "csat":
        satisfied = _checks.check_satisfied_min(ends, **options["csat"])
        definition = _results.csat_definition(ends, satisfied)
        return _share_rule(metric, ends, points >= satisfied, definition)
    return _ces_rule(ends, points, **options["ces"])


def _ces_rule(
    ends: tuple[int, int],
    points: IntArray,
    direction: str,
    statistic: str,
    easy_min: int | None,
) -> Rule:
    _checks.check_ces_method(statistic, None)
    easy, hard = _checks.check_ces_cutoffs(ends, direction, easy_min)
    definition = _results.ces_definition(ends, direction, statistic, easy, hard)
    effort = direction == "effort"
    up, down = (points <= easy, points >= hard) if effort else (points >= easy, points <= hard)
    if statistic == "box":
        return _share_rule("ces", ends, up, definition)._replace(low_is_good=effort)
    if statistic == "net":
        net, unit = _net(up, down), "points"
        return Rule("ces", ends, net, 2, 100.0, "paired_t", unit, definition, effort)
    reach, unit = ends[1] - ends[0], "scale_points"
    return Rule("ces", ends, points, reach, 1.0, "paired_t", unit, definition, effort)


def _share_rule(
    metric: str, ends: tuple[int, int], counts: npt.NDArray[np.bool_], definition: str
) -> Rule:
    value = counts.astype(np.int64)
    return Rule(metric, ends, value, 1, 100.0, "mcnemar", "percentage_points", definition)


def _net(up: npt.NDArray[np.bool_], down: npt.NDArray[np.bool_]) -> IntArray:
    return up.astype(np.int64) - down.astype(np.int64)


# ---- counting -----------------------------------------------------------------------------------


def counted(
    frame: _frame.Frame,
    before: str,
    after: str,
    keys: Sequence[str],
    rule: Rule,
    scale: _tally.Scale,
    errors: str,
    rows: IntArray | None,
) -> tuple[_frame.Frame, Pairs]:
    """Reduce rows to distinct pairs of answers in each group, and those to sums by group."""
    groups = _frame.group(frame, keys)
    width = scale.no_answer + 1
    codes: _frame.Integers = groups.codes
    for name in (before, after):
        codes = _codes.paired(codes, _slots(frame[name], scale, errors, rows), width)
    codes, present = _codes.renumber(codes, groups.size * width * width)
    n = np.bincount(codes, weights=rows, minlength=len(present)).astype(np.int64)
    group, first, second = present // width**2, present // width % width, present % width
    for name, slot in ((before, first), (after, second)):
        if not rule.low_is_good:
            given = np.bincount(slot, weights=n, minlength=width)[None, : scale.no_answer]
            _tally.warn_of_scale(name, scale, given.astype(np.int64))
    complete = (first < scale.no_answer) & (second < scale.no_answer)
    was, now = (np.append(rule.value, 0)[slot] for slot in (first, second))

    def total(values: npt.NDArray[Any]) -> IntArray:
        # Sums of floats, exact as long as they stay below 2**53.
        summed = np.bincount(group, weights=values * n, minlength=groups.size)
        return summed.astype(np.int64)

    return groups.keys, Pairs(
        n=total(complete),
        missing=total(~complete),
        before=total(was * complete),
        after=total(now * complete),
        squares=total((now - was) ** 2 * complete),
        gained=total((now > was) & complete),
        lost=total((now < was) & complete),
    )


def _slots(
    series: _frame.Series, scale: _tally.Scale, errors: str, rows: IntArray | None
) -> IntArray:
    """Return the slot of every answer; those off the scale are refused, or are no answers."""
    found = _tally.slots(_tally.as_asked(series, scale), scale, rows=rows, errors=errors)
    return np.minimum(found, scale.no_answer)


# ---- testing ------------------------------------------------------------------------------------


def per_pair(total: IntArray, n: IntArray, rule: Rule) -> FloatArray:
    """Return means in the unit that is reported; NaN where there is no pair."""
    means = np.full(len(n), np.nan)
    np.divide(rule.factor * total, n, out=means, where=n > 0)
    return means


def tested(pairs: Pairs, rule: Rule, pivot: _differences.Pivot) -> Test:
    """Return the test of a rule, in the unit of its values."""
    test = _mcnemar if rule.method == "mcnemar" else _paired_t
    return test(pairs, rule, pivot)


def _paired_t(pairs: Pairs, rule: Rule, pivot: _differences.Pivot) -> Test:
    change = pairs.after - pairs.before
    mean, error, low, high = _intervals.mean_t(change, pairs.squares, pairs.n, pivot.level)
    nothing, spread = np.full(len(mean), np.nan), error > 0
    t = np.divide(mean, error, out=nothing, where=spread)
    df = np.where(spread, pairs.n - 1.0, np.nan)
    if rule.unit == "points" or pivot.alternative != "two-sided":
        low, high = pivot.limits(low, high, rule.reach)
    # Changes that are all alike say nothing of how others would change.
    low, high = np.where(spread, low, np.nan), np.where(spread, high, np.nan)
    return Test(error, low, high, t, df, pivot._replace(df=df).p_value(t))


def _mcnemar(pairs: Pairs, rule: Rule, pivot: _differences.Pivot) -> Test:
    low, high = _intervals.tango(pairs.gained, pairs.lost, pairs.n, pivot.level)
    error = _intervals.nps_std_error(pairs.gained, pairs.lost, pairs.n)
    # Nobody who changed sides is as little a sign of change as can be.
    sides = np.maximum(pairs.gained + pairs.lost, 1)
    z = np.where(pairs.n > 0, (pairs.gained - pairs.lost) / np.sqrt(sides), np.nan)
    low, high = pivot.limits(low, high, rule.reach)
    return Test(error, low, high, z, np.full(len(z), np.nan), pivot.p_value(z))
