"""From answers to counts per group: the only step of a survey metric that touches big data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _counting, _frame, _refusals
from loyaltykit.errors import ParameterError, ScaleWarning

IntArray = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer[Any]]
TimeArray = npt.NDArray[np.datetime64]
Sums = npt.NDArray[Any]  # counts of answers, or sums of their weights

# How far from the scale a blank code may lie to be counted like an answer.
_REACH = 120
# Fewer answers than this say nothing about the scale, nor does a scale of fewer points.
_FEWEST_ANSWERS = 5
_FEWEST_POINTS = 5


class Tally(NamedTuple):
    """Counts per group: ``answers`` has a row per group and a column per point of the scale."""

    keys: _frame.Frame
    periods: TimeArray | None
    answers: IntArray
    missing: IntArray


class Scale(NamedTuple):
    """The points that may be answered, and the codes that mean no answer."""

    low: int
    high: int
    missing_texts: frozenset[str]
    missing_numbers: npt.NDArray[np.float64]

    @property
    def no_answer(self) -> int:
        """Return the slot after the last point: answers that are missing."""
        return self.high - self.low + 1

    @property
    def off(self) -> int:
        """Return the slot after that: answers that are not on the scale."""
        return self.no_answer + 1


def make_scale(scale: tuple[int, int], missing: object) -> Scale:
    """Return the scale with its blank codes; a number in text counts as that number too."""
    codes = [missing] if isinstance(missing, (str, int, float)) else missing
    if not isinstance(codes, Sequence):
        _checks.wrong_type("missing", missing, "a sequence of codes such as (11, 'Blank')")
    if not all(
        isinstance(code, (str, Real, Decimal)) and not isinstance(code, bool) for code in codes
    ):
        msg = f"missing={missing!r} must hold numbers and texts only."
        raise TypeError(msg)
    texts = {code.strip() for code in codes if isinstance(code, str)}
    numbers = [float(code) for code in codes if not isinstance(code, str)]
    return Scale(*scale, frozenset(texts), np.array(numbers + _as_numbers(texts)))


def _as_numbers(texts: Sequence[str] | set[str]) -> list[float]:
    if not texts:
        return []
    _, parsed = _frame.parse_numbers(np.array(sorted(texts), dtype=object))
    return [number for number in parsed.tolist() if number == number]  # noqa: PLR0124 (NaN)


def points(scale: tuple[int, int]) -> IntArray:
    """Return every point from the lowest to the highest."""
    return np.arange(scale[0], scale[1] + 1, dtype=np.int64)


def nps_buckets(
    answers: Sums, points: IntArray, promoter_min: int, detractor_max: int
) -> dict[str, Sums]:
    """Return promoters, passives and detractors of each group."""
    above, below = points >= promoter_min, points <= detractor_max
    return {
        "promoters": answers[:, above].sum(axis=1),
        "passives": answers[:, ~above & ~below].sum(axis=1),
        "detractors": answers[:, below].sum(axis=1),
    }


def csat_buckets(answers: Sums, points: IntArray, satisfied_min: int) -> dict[str, Sums]:
    """Return the satisfied answers of each group, and the rest."""
    top = points >= satisfied_min
    return {
        "satisfied": answers[:, top].sum(axis=1),
        "unsatisfied": answers[:, ~top].sum(axis=1),
    }


def ces_buckets(
    answers: Sums, points: IntArray, direction: str, easy_cut: int, hard_cut: int
) -> dict[str, Sums]:
    """Return easy, neutral and hard answers, and the sums of answers and of their squares."""
    easy, hard = points >= easy_cut, points <= hard_cut
    if direction == "effort":
        easy, hard = points <= easy_cut, points >= hard_cut
    return {
        "easy": answers[:, easy].sum(axis=1),
        "neutral": answers[:, ~easy & ~hard].sum(axis=1),
        "hard": answers[:, hard].sum(axis=1),
        "answer_sum": answers @ points,
        "answer_sumsq": answers @ points**2,
    }


ADVICE = (
    "Name the codes that mean 'no answer' in missing=, set scale= to the scale that was asked, or "
    'pass errors="coerce" to count them as missing.'
)


def slots(
    series: _frame.Series,
    scale: Scale,
    advice: str = ADVICE,
    rows: IntArray | None = None,
    errors: str = "raise",
) -> IntArray:
    """Return the slot of every answer; refuse those off the scale, unless errors are coerced.

    Where an answer stands for several rows, ``rows`` says for how many.
    """
    values, codes = _frame.numbers(series)
    if codes is None:
        found = _slots_of_numbers(values, scale)
    else:
        found = _slots_of_texts(values, scale)[codes]
    off = np.flatnonzero(found == scale.off)
    if len(off) and errors == "raise":
        shown = _frame.sample(series, off)
        count = len(off) if rows is None else int(rows[off].sum())
        _refusals.bad_answers(series.name, count, shown, (scale.low, scale.high), advice)
    return found


def count_answers(
    frame: _frame.Frame,
    score: str,
    scale: Scale,
    *,
    by: Sequence[str],
    counts: str | None,
    time: str | None,
    freq: str,
    errors: str,
) -> Tally:
    """Count every point of the scale, and the missing answers, in each group that is present."""
    periods = None
    if time is not None:
        needed = dict.fromkeys(name for name in (score, *by, counts) if name is not None)
        frame, periods = with_periods(frame, list(needed), time, freq, errors)
    return _count_groups(frame, score, scale, by, periods, counts, freq, errors)


def count_distinct(
    frame: _frame.Frame,
    score: str,
    scale: Scale,
    *,
    by: Sequence[str],
    counts: str | None,
    timed: bool,
    freq: str,
    errors: str,
) -> Tally:
    """Count answers that an engine has counted before: distinct rows of keys, [PERIOD], answer.

    N says how many answers each stands for, ROWS in how many rows they were.
    """
    if errors == "raise":
        rows = frame[_frame.ROWS].to_numpy().astype(np.int64)
        slots(as_asked(frame[score], scale), scale, rows=rows)
    _refusals.check_total(counts, float(frame[_frame.N].to_numpy().sum()))
    periods = _calendar.narrowed(frame[_frame.PERIOD].to_numpy()) if timed else None
    return _count_groups(frame, score, scale, by, periods, _frame.N, freq, "coerce")


def as_asked(answers: _frame.Series, scale: Scale) -> _frame.Series:
    """Return true and false as answers on a scale of 0 and 1."""
    on_two = (scale.low, scale.high) == (0, 1)
    return _frame.zeros_and_ones(answers) if on_two else answers


def _count_groups(
    frame: _frame.Frame,
    score: str,
    scale: Scale,
    by: Sequence[str],
    periods: _calendar.Periods | None,
    counts: str | None,
    freq: str,
    errors: str,
) -> Tally:
    groups = _frame.cells(frame, by)
    codes, size, span = groups.codes, groups.size, 1
    if periods is not None:
        span = periods.span
        size *= span
        kind = _codes.narrowest(size + 1)
        codes = periods.codes if codes is None else _codes.paired(codes, periods.codes, span, kind)
    present: IntArray | None = None
    # Rows that stand for no answer make a group too, so with counts= a table cannot tell of it.
    if codes is not None and (counts is not None or size > _frame.FEW_CELLS):
        codes, present = _codes.renumber(codes, size)
        size = len(present)
    table = _count(frame, score, scale, codes, size, counts, errors)
    if present is None:
        present = np.arange(1) if codes is None else np.flatnonzero(table.any(axis=1))
        table = table if len(present) == size else table[present]
    keys = groups.keys
    if periods is not None or len(present) < groups.size:
        keys = _frame.rows(keys, present // span)
    starts = None
    if periods is not None:
        starts = _calendar.period_starts(present % span + periods.first, freq)
    return Tally(keys, starts, table[:, : scale.no_answer], table[:, scale.no_answer])


def with_periods(
    frame: _frame.Frame, needed: list[str], time: str, freq: str, errors: str
) -> tuple[_frame.Frame, _calendar.Periods]:
    """Return the rows that have a time, and the period of each."""
    times, _, lost = _frame.read_times(frame[time], None, errors)
    if lost is not None:
        rows = np.flatnonzero(~lost)
        frame, times = _frame.rows(frame.select(needed), rows), times[rows]
        _checks.warn_of_dropped(int(lost.sum()), f"no usable date in {time!r}")
    return frame, _calendar.periods(times, freq)


def _count(
    frame: _frame.Frame,
    score: str,
    scale: Scale,
    codes: Integers | None,
    size: int,
    counts: str | None,
    errors: str,
) -> IntArray:
    """Return counts by group and slot, off-scale answers counted as missing or refused."""
    answers = as_asked(frame.get_column(score), scale)
    slots_of, wide = _slots_by_run(answers, scale)
    weights = None if counts is None else row_counts(frame[counts])
    width = wide.off + 1
    table = _counting.count_cells(codes, size, width, slots_of, len(frame), weights)
    table = _narrowed(table, wide, scale)
    if table[:, scale.off].any():
        if errors == "raise":
            slots(answers, scale)
        table[:, scale.no_answer] += table[:, scale.off]
    return table


def _slots_by_run(
    answers: _frame.Series, scale: Scale
) -> tuple[Callable[[slice], Integers], Scale]:
    """Return what gives the slots of a run of rows, and the scale that has these slots."""
    numbers = _frame.number_runs(answers)
    if numbers is None:
        values, codes = _frame.numbers(answers)
        of_value = _slots_of_texts(values, scale)
        return lambda rows: of_value[None if codes is None else codes[rows]], scale
    wide = _widened(scale)

    def of_numbers(rows: slice) -> Integers:
        run = numbers(rows)
        quick = _counting.slots_of_whole(run, wide.low, wide.high)
        return _slots_of_numbers(run, wide) if quick is None else quick

    return of_numbers, wide


def _widened(scale: Scale) -> Scale:
    """Return a scale that takes in the blank codes not far from its points, as 11 or 99 are.

    They are counted like answers, so that they need no search in every run of rows.
    """
    codes = scale.missing_numbers
    codes = codes[(codes >= scale.high - _REACH) & (codes <= scale.low + _REACH)]
    codes = codes[codes == np.floor(codes)]
    points = [scale.low, scale.high, *map(int, codes)]
    return scale._replace(low=min(points), high=max(points))


def _narrowed(table: IntArray, wide: Scale, scale: Scale) -> IntArray:
    """Return the counts of the slots of the scale, from those of the wider one."""
    if not scale.missing_numbers.size:
        return table
    slot = _slots_of_numbers(np.arange(wide.low, wide.high + 1), scale)
    made = np.zeros((scale.off + 1, len(table)), dtype=np.int64)
    np.add.at(made, np.append(slot, [scale.no_answer, scale.off]), table.T)
    return made.T


def _slots_of_numbers(values: npt.NDArray[Any], scale: Scale) -> IntArray:
    """Return the slot of each number of one block."""
    with np.errstate(
        invalid="ignore"
    ):  # NaN and infinity have no integer; they are told apart below
        whole = values.astype(np.int64)
    on = (whole >= scale.low) & (whole <= scale.high)
    if values.dtype.kind != "i":
        on &= whole == values
    slots = np.where(on, whole - scale.low, scale.off)
    if values.dtype.kind == "f":
        slots[np.isnan(values)] = scale.no_answer
    if scale.missing_numbers.size:
        slots[np.isin(values, scale.missing_numbers)] = scale.no_answer
    return slots


def _slots_of_texts(values: npt.NDArray[Any], scale: Scale) -> IntArray:
    """Return the slot of each distinct value, and last that of a null, which has code -1."""
    texts, parsed = _frame.parse_numbers(values)
    slots = _slots_of_numbers(parsed, scale)
    slots[np.isnan(parsed)] = scale.off
    slots[np.isin(texts, sorted(scale.missing_texts))] = scale.no_answer
    return np.append(slots, scale.no_answer)


def row_counts(series: _frame.Series) -> npt.NDArray[np.float64]:
    """Return how many answers each row stands for."""
    values, codes = _frame.numbers(series)
    name = series.name
    if codes is not None and all(isinstance(value, (int, Decimal)) for value in values):
        values, codes = np.append(values.astype(np.float64), np.nan)[codes], None  # sums from SQL
    if codes is not None:
        _refusals.counts_are_numbers(name, series.dtype)
    counts = values.astype(np.float64)
    bad = ~((counts >= 0) & (counts == np.floor(counts)) & np.isfinite(counts))
    if bad.any():
        _refusals.bad_counts(name, int(bad.sum()), counts[bad][:6])
    _refusals.check_total(name, float(counts.sum()))
    return counts


def warn_of_scale(score: str, scale: Scale, answers: IntArray) -> None:
    """Warn when nobody used the upper half, as when answers of 1 to 5 are read as 0 to 10."""
    given = answers.sum(axis=0)
    if given.sum() < _FEWEST_ANSWERS or scale.no_answer < _FEWEST_POINTS:
        return
    highest = scale.low + int(np.flatnonzero(given)[-1])
    if 2 * highest > scale.low + scale.high:
        return
    _checks.warn(
        f"{score!r}: no answer is above {highest} on a scale of {scale.low} to {scale.high}. "
        "If a shorter scale was asked, name it in scale=.",
        ScaleWarning,
    )


def check_period(time: str | None, freq: str | None) -> str:
    """Return the frequency: months where only ``time`` is given."""
    if freq is None:
        return "month"
    if time is None:
        msg = f"freq={freq!r} needs time=, the column with each answer's date."
        raise ParameterError(msg)
    return _checks.check_freq(freq)
