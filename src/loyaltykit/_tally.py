"""From answers to counts per group: the only step of a survey metric that touches big data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _calendar, _checks, _codes, _frame
from loyaltykit.errors import DataError, ParameterError, ScaleWarning

IntArray = npt.NDArray[np.int64]
TimeArray = npt.NDArray[np.datetime64]

# Rows counted at a time: the working arrays stay in the processor's cache.
_BLOCK = 1 << 16
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
    _, parsed = _frame.parse_numbers(np.array(sorted(texts), dtype=object))
    return [number for number in parsed.tolist() if number == number]  # noqa: PLR0124 (NaN)


def points(scale: tuple[int, int]) -> IntArray:
    """Return every point from the lowest to the highest."""
    return np.arange(scale[0], scale[1] + 1, dtype=np.int64)


def nps_buckets(
    answers: IntArray, points: IntArray, promoter_min: int, detractor_max: int
) -> dict[str, IntArray]:
    """Return promoters, passives and detractors of each group."""
    above, below = points >= promoter_min, points <= detractor_max
    return {
        "promoters": answers[:, above].sum(axis=1),
        "passives": answers[:, ~above & ~below].sum(axis=1),
        "detractors": answers[:, below].sum(axis=1),
    }


def csat_buckets(answers: IntArray, points: IntArray, satisfied_min: int) -> dict[str, IntArray]:
    """Return the satisfied answers of each group."""
    return {"satisfied": answers[:, points >= satisfied_min].sum(axis=1)}


def ces_buckets(
    answers: IntArray, points: IntArray, direction: str, easy_cut: int, hard_cut: int
) -> dict[str, IntArray]:
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


_ADVICE = (
    "Name the codes that mean 'no answer' in missing=, set scale= to the scale that was asked, or "
    'pass errors="coerce" to count them as missing.'
)


def slots(
    series: _frame.Series, scale: Scale, advice: str = _ADVICE, rows: IntArray | None = None
) -> IntArray:
    """Return the slot of every answer; refuse those off the scale.

    Where an answer stands for several rows, ``rows`` says for how many.
    """
    values, codes = _frame.numbers(series)
    if codes is None:
        found = _slots_of_numbers(values, scale)
    else:
        found = _slots_of_texts(values, scale)[codes]
    off = np.flatnonzero(found == scale.off)
    if len(off):
        shown = _frame.sample(series, off)
        count = len(off) if rows is None else int(rows[off].sum())
        _checks.bad_answers(series.name, count, shown, (scale.low, scale.high), advice)
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
    needed = dict.fromkeys(name for name in (score, *by, counts, time) if name is not None)
    frame, periods = frame.select(list(needed)), None
    if time is not None:
        frame, periods = _periods(frame, time, freq, errors)
    return _count_groups(frame, score, scale, by, periods, counts, freq, errors)


def count_distinct(
    frame: _frame.Frame,
    score: str,
    scale: Scale,
    *,
    by: Sequence[str],
    timed: bool,
    freq: str,
    errors: str,
) -> Tally:
    """Count answers that an engine has counted before: distinct rows of keys, [PERIOD], answer.

    N says how many answers each stands for, ROWS in how many rows they were.
    """
    if errors == "raise":
        rows = frame[_frame.ROWS].to_numpy().astype(np.int64)
        slots(_as_asked(frame[score], scale), scale, rows=rows)
    periods = frame[_frame.PERIOD].to_numpy().astype(np.int64) if timed else None
    return _count_groups(frame, score, scale, by, periods, _frame.N, freq, "coerce")


def _as_asked(answers: _frame.Series, scale: Scale) -> _frame.Series:
    """Return true and false as answers on a scale of 0 and 1."""
    on_two = (scale.low, scale.high) == (0, 1)
    return _frame.zeros_and_ones(answers) if on_two else answers


def _count_groups(
    frame: _frame.Frame,
    score: str,
    scale: Scale,
    by: Sequence[str],
    periods: IntArray | None,
    counts: str | None,
    freq: str,
    errors: str,
) -> Tally:
    codes, keys, starts = group_periods(_frame.group(frame, by), periods)
    table = _count(frame, score, scale, codes, len(starts), counts, errors)
    answers, missing = table[:, : scale.no_answer], table[:, scale.no_answer]
    if periods is None:
        return Tally(keys, None, answers, missing)
    return Tally(keys, _calendar.period_starts(starts, freq), answers, missing)


def group_periods(
    groups: _frame.Groups, periods: IntArray | None
) -> tuple[IntArray, _frame.Frame, IntArray]:
    """Split groups by period: the code of each row, and the keys and the period of each code.

    Without periods the groups stay, all of period 0.
    """
    if periods is None:
        return groups.codes, groups.keys, np.zeros(groups.size, dtype=np.int64)
    first = int(periods.min()) if len(periods) else 0
    span = int(periods.max()) - first + 1 if len(periods) else 1
    cells = groups.codes * span + (periods - first)
    codes, present = _codes.renumber(cells, groups.size * span)
    return codes, _frame.rows(groups.keys, present // span), present % span + first


def _periods(
    frame: _frame.Frame, time: str, freq: str, errors: str
) -> tuple[_frame.Frame, IntArray]:
    """Return the rows that have a time, and the period of each."""
    times, _, lost = _frame.read_times(frame[time], None, errors)
    if lost is not None:
        frame, times = _frame.rows(frame, np.flatnonzero(~lost)), times[~lost]
        _checks.warn_of_dropped(int(lost.sum()), f"no usable date in {time!r}")
    return frame, _calendar.period_codes(_calendar.day_numbers(times), freq)


def _count(
    frame: _frame.Frame,
    score: str,
    scale: Scale,
    codes: IntArray,
    size: int,
    counts: str | None,
    errors: str,
) -> IntArray:
    """Return counts by group and slot, off-scale answers counted as missing or refused."""
    answers = _as_asked(frame[score], scale)
    values, value_codes = _frame.numbers(answers)
    value_slots = None if value_codes is None else _slots_of_texts(values, scale)
    weights = None if counts is None else row_counts(frame[counts])
    width = scale.off + 1
    cells = np.zeros(size * width, dtype=np.int64)
    for rows in _blocks(len(frame), size * width):
        if value_slots is None or value_codes is None:
            slot = _slots_of_numbers(values[rows], scale)
        else:
            slot = value_slots[value_codes[rows]]
        cell = codes[rows] * width + slot
        if weights is None:
            cells += np.bincount(cell, minlength=size * width)
        else:
            # Float sums are exact up to 2**53, and _row_counts has seen to it that they stay there.
            sums = np.bincount(cell, weights=weights[rows], minlength=size * width)
            cells += sums.astype(np.int64)
    table = cells.reshape(size, width)
    if table[:, scale.off].any():
        if errors == "raise":
            slots(answers, scale)
        table[:, scale.no_answer] += table[:, scale.off]
    return table


def _blocks(length: int, table_size: int) -> Iterator[slice]:
    # With very many groups the table, not the rows, is what a block costs.
    step = max(_BLOCK, 4 * table_size)
    return (slice(start, start + step) for start in range(0, length, step))


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
        _checks.counts_are_numbers(name, series.dtype)
    counts = values.astype(np.float64)
    bad = ~((counts >= 0) & (counts == np.floor(counts)) & np.isfinite(counts))
    if bad.any():
        _checks.bad_counts(name, int(bad.sum()), counts[bad][:6])
    if counts.sum() >= 2**53:
        msg = f"counts={name!r} add up to more than 2**53 answers, which cannot be summed exactly."
        raise DataError(msg)
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
