"""Parameter checks, and the messages that several modules share."""

from __future__ import annotations

import difflib
import sys
import warnings
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import NoReturn

from numpy.random import Generator, default_rng

from loyaltykit.errors import (
    ColumnNotFoundError,
    DataError,
    DroppedRowsWarning,
    ParameterError,
)

FREQUENCIES = ("day", "week", "month", "quarter", "year")
_FREQUENCY_SPELLINGS = {
    "d": "day",
    "daily": "day",
    "days": "day",
    "w": "week",
    "weekly": "week",
    "weeks": "week",
    "m": "month",
    "ms": "month",
    "me": "month",
    "1d": "day",
    "1w": "week",
    "1mo": "month",
    "1q": "quarter",
    "1y": "year",
    "monthly": "month",
    "months": "month",
    "q": "quarter",
    "qs": "quarter",
    "qe": "quarter",
    "quarterly": "quarter",
    "quarters": "quarter",
    "y": "year",
    "ys": "year",
    "ye": "year",
    "a": "year",
    "annual": "year",
    "yearly": "year",
    "years": "year",
}
_CES_METHODS = {
    "mean": ("t", "bootstrap"),
    "box": ("wilson", "agresti_coull", "clopper_pearson", "jeffreys", "bootstrap"),
    "net": ("score", "adjusted_wald", "wald", "bootstrap"),
}
_FEWEST_RESAMPLES = 100
_COMPARISONS = {
    "net": ("mover", "adjusted_wald"),
    "share": ("mover", "adjusted_wald", "n_minus_1"),
    "mean": ("welch",),
}
_ALTERNATIVES = ("two-sided", "greater", "less")
_MOST_SCALE_POINTS = 1001


def listed(values: Iterable[object], most: int = 5) -> str:
    """Return the first few values as they would be typed, and an ellipsis when there are more."""
    values = list(values)
    shown = ", ".join(repr(_plain(value)) for value in values[:most])
    return shown + (", ..." if len(values) > most else "")


def rows(count: int) -> str:
    """Return ``1 row`` or ``1,234 rows``."""
    return f"{count:,} row" + ("" if count == 1 else "s")


def _plain(value: object) -> object:
    # NumPy scalars print as np.float64(4.5): nobody typed that.
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def wrong_type(name: str, value: object, expected: str) -> NoReturn:
    """Raise the TypeError for a parameter of the wrong Python type."""
    msg = f"{name} must be {expected}, not {type(value).__name__}."
    raise TypeError(msg)


def check_choice(name: str, value: object, allowed: Sequence[str]) -> str:
    """Return ``value`` when it is one of ``allowed``."""
    if not isinstance(value, str):
        wrong_type(name, value, "a string")
    if value not in allowed:
        near = difflib.get_close_matches(value.lower(), allowed, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = f"{name}={value!r} is not one of {listed(allowed, 20)}.{hint}"
        raise ParameterError(msg)
    return value


def check_freq(freq: object) -> str:
    """Return the frequency, or point a pandas alias to its name here."""
    if not isinstance(freq, str):
        wrong_type("freq", freq, "a string")
    if freq in FREQUENCIES:
        return freq
    meant = _FREQUENCY_SPELLINGS.get(freq.strip().lower(), freq.strip().lower())
    hint = f" {freq!r} is written {meant!r} here." if meant in FREQUENCIES else ""
    msg = f"freq={freq!r} is not one of {listed(FREQUENCIES)}.{hint}"
    raise ParameterError(msg)


def check_confidence_level(value: object) -> float:
    """Return the level as a float inside (0, 1)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        wrong_type("confidence_level", value, "a number")
    level = float(value)
    if not 0 < level < 1:
        hint = f" Did you mean {level / 100:g}?" if 1 < level < 100 else ""
        msg = f"confidence_level={value!r} must lie between 0 and 1 (both excluded).{hint}"
        raise ParameterError(msg)
    return level


def check_integer(name: str, value: object, *, low: int | None = None) -> int:
    """Return a whole number, at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        wrong_type(name, value, "a whole number")
    if low is not None and value < low:
        msg = f"{name}={value} must be at least {low}."
        raise ParameterError(msg)
    return int(value)


def check_positive(name: str, value: object) -> float:
    """Return a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, Real):
        wrong_type(name, value, "a number")
    number = float(value)
    if not 0 < number < float("inf"):
        msg = f"{name}={value} must be a number above 0."
        raise ParameterError(msg)
    return number


def check_rng(rng: object) -> Generator:
    """Return a generator of one's own, or the caller's, which then goes on from where it was."""
    if rng is None or isinstance(rng, Generator):
        return default_rng(rng)
    if isinstance(rng, bool) or not isinstance(rng, Integral):
        wrong_type("rng", rng, "None, a whole number (a seed) or a numpy Generator")
    return default_rng(check_integer("rng", rng, low=0))


def check_n_resamples(value: object) -> int:
    """Return the number of bootstrap replicates, enough of them to have tails."""
    number = check_integer("n_resamples", value)
    if number < _FEWEST_RESAMPLES:
        msg = (
            f"n_resamples={number} must be at least {_FEWEST_RESAMPLES}: fewer replicates have no "
            "tails to read limits from. 9999 is usual."
        )
        raise ParameterError(msg)
    return number


def check_scale(scale: object) -> tuple[int, int]:
    """Return the lowest and highest point of a scale of whole points."""
    if isinstance(scale, str) or not isinstance(scale, Sequence):
        wrong_type("scale", scale, "a pair of whole numbers such as (0, 10)")
    if len(scale) != 2:
        msg = f"scale={scale!r} must be a pair: the lowest and the highest point, as in (0, 10)."
        raise ParameterError(msg)
    low, high = check_integer("scale[0]", scale[0]), check_integer("scale[1]", scale[1])
    if low >= high:
        msg = f"scale=({low}, {high}): the lowest point must come first and be below the highest."
        raise ParameterError(msg)
    if high - low + 1 > _MOST_SCALE_POINTS:
        msg = f"scale=({low}, {high}) has more than {_MOST_SCALE_POINTS:,} points."
        raise ParameterError(msg)
    return low, high


def check_nps_cutoffs(
    scale: tuple[int, int], promoter_min: object, detractor_max: object
) -> tuple[int, int]:
    """Return the two cut-offs, which lie on the scale and leave no overlap."""
    promoter = check_integer("promoter_min", promoter_min)
    detractor = check_integer("detractor_max", detractor_max)
    if detractor >= promoter:
        msg = (
            f"detractor_max={detractor} must be below promoter_min={promoter}: "
            "an answer cannot be both."
        )
        raise ParameterError(msg)
    low, high = scale
    if not (low <= detractor and promoter <= high):
        msg = (
            f"promoter_min={promoter} and detractor_max={detractor} must lie on "
            f"scale=({low}, {high})."
        )
        raise ParameterError(msg)
    return promoter, detractor


def check_point(name: str, value: object, scale: tuple[int, int]) -> int:
    """Return a cut-off above the scale's lowest point and up to its highest."""
    point = check_integer(name, value)
    low, high = scale
    if not low < point <= high:
        msg = (
            f"{name}={point} must be above {low} and at most {high}, the points of "
            f"scale=({low}, {high})."
        )
        raise ParameterError(msg)
    return point


def check_satisfied_min(scale: tuple[int, int], satisfied_min: object) -> int:
    """Return the lowest satisfied answer: the top two points of four or more, else the top one."""
    if satisfied_min is not None:
        return check_point("satisfied_min", satisfied_min, scale)
    low, high = scale
    return high - 1 if high - low + 1 >= 4 else high


def check_ces_cutoffs(
    scale: tuple[int, int], direction: object, easy_min: object
) -> tuple[int, int]:
    """Return the easy and the hard cut-off: the points next to the midpoint, unless named."""
    check_choice("direction", direction, ("ease", "effort"))
    low, high = scale
    # On a scale with a middle point, that point is neither easy nor hard.
    below, above = (low + high - 1) // 2, (low + high) // 2 + 1
    if direction == "effort":
        if easy_min is not None:
            msg = 'easy_min applies to direction="ease"; for effort, easy is below the midpoint.'
            raise ParameterError(msg)
        return below, above
    if easy_min is None:
        return above, below
    easy = check_point("easy_min", easy_min, scale)
    return easy, min(below, easy - 1)


def check_ces_method(statistic: object, method: object) -> str:
    """Return the interval's method, which depends on the statistic."""
    statistic = check_choice("statistic", statistic, tuple(_CES_METHODS))
    allowed = _CES_METHODS[statistic]
    return allowed[0] if method is None else check_choice("method", method, allowed)


def check_result(
    columns: Sequence[str], needed: Sequence[str], maker: str, parameter: str = "result"
) -> None:
    """Refuse a frame that is not a result table of the kind that is wanted."""
    missing = [name for name in needed if name not in columns]
    if missing:
        msg = f"{parameter} is not a table of {maker}: it lacks {listed(missing)}."
        raise ParameterError(msg)


def check_comparison(kind: str, method: object, *, weighted: bool) -> str:
    """Return how two groups of the kind are compared: by the default, unless another is named."""
    allowed = _COMPARISONS[kind]
    if weighted:
        allowed = tuple(name for name in allowed if name != "n_minus_1")
    if method is None:
        return allowed[0]
    if method == "n_minus_1" and weighted and kind == "share":
        msg = (
            "method='n_minus_1' tests whole counts, and the table is weighted. Use "
            f"{listed(allowed)}."
        )
        raise ParameterError(msg)
    known = {name for names in _COMPARISONS.values() for name in names}
    if isinstance(method, str) and method in known and method not in allowed:
        what = {"net": "net scores", "share": "shares", "mean": "means"}[kind]
        msg = f"method={method!r} does not compare {what}. Take {listed(allowed)}, or none."
        raise ParameterError(msg)
    return check_choice("method", method, allowed)


def check_alternative(alternative: object, confidence_level: float) -> str:
    """Return the alternative; a one-sided limit needs a level that leaves the middle out."""
    alternative = check_choice("alternative", alternative, _ALTERNATIVES)
    if alternative != "two-sided" and confidence_level <= 0.5:
        msg = (
            f"confidence_level={confidence_level} must be above 0.5 with "
            f"alternative={alternative!r}: the limit would lie beyond the difference."
        )
        raise ParameterError(msg)
    return alternative


def by_roles(keys: Iterable[str]) -> dict[str, str]:
    """Return the key columns under a name each, for `check_columns`."""
    return {f"by[{i}]": key for i, key in enumerate(keys)}


def check_name(name: str, value: object) -> str:
    """Return a column name."""
    if not isinstance(value, str):
        wrong_type(name, value, "a column name (a string)")
    return value


def check_names(name: str, value: object) -> list[str]:
    """Return column names from one name, a sequence of names or None."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Sequence):
        wrong_type(name, value, "a column name or a sequence of column names")
    names = [check_name(f"{name}[{i}]", item) for i, item in enumerate(value)]
    twice = sorted({item for item in names if names.count(item) > 1})
    if twice:
        msg = f"{name} names {listed(twice)} more than once."
        raise ParameterError(msg)
    return names


def check_zone(tz: object) -> str | None:
    """Return the name of a time zone, or None."""
    if tz is None:
        return None
    if not isinstance(tz, str):
        wrong_type("tz", tz, "the name of a time zone (a string)")
    try:
        zoneinfo.ZoneInfo(tz)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"tz={tz!r} is not a known time zone. Name one such as 'Asia/Jakarta' or 'UTC'."
        raise ParameterError(msg) from None
    return tz


def check_strings(name: str, value: object) -> list[str]:
    """Return a sequence of strings, which may repeat."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        wrong_type(name, value, "a sequence of strings")
    return [check_name(f"{name}[{i}]", item) for i, item in enumerate(value)]


def check_reserved(names: Iterable[str], reserved: frozenset[str], parameter: str = "by") -> None:
    """Refuse key columns that a result table could not tell from its own."""
    clash = [name for name in names if name in reserved]
    if clash:
        msg = (
            f"{parameter}={listed(clash)}: a result table has a column of that name. Rename the "
            f"column, for example to {clash[0] + '_group'!r}."
        )
        raise ParameterError(msg)


def check_columns(wanted: Mapping[str, str], columns: Sequence[str], frame: str = "data") -> None:
    """Refuse names that are not columns of the frame, with the nearest ones that are."""
    missing = {role: name for role, name in wanted.items() if name not in columns}
    if not missing:
        return
    role, name = next(iter(missing.items()))
    near = _near_names(name, columns)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    msg = f"{role}={name!r}: {frame} has no such column. It has {listed(columns, 20)}.{hint}"
    raise ColumnNotFoundError(msg)


def _near_names(name: str, columns: Sequence[str]) -> list[str]:
    wanted = name.strip().casefold()
    # Case and blanks first: "NETPRO  " is the commonest near miss, and difflib rates it low.
    same = [column for column in columns if str(column).strip().casefold() == wanted]
    return same or difflib.get_close_matches(name, [str(c) for c in columns], n=1, cutoff=0.6)


def unknown_level(
    parameter: str, value: object, column: str, levels: Sequence[object], also: Sequence[str]
) -> NoReturn:
    """Raise for a level that a key of a result table does not have."""
    texts = {str(level): level for level in [*levels, *also]}
    near = difflib.get_close_matches(str(value), list(texts), n=1)
    hint = f" Did you mean {texts[near[0]]!r}?" if near else ""
    words = f", or pass {' or '.join(repr(word) for word in also)}" if also else ""
    msg = (
        f"{parameter}={_plain(value)!r} is no level of {column!r}: it has {listed(levels, 20)}"
        f"{words}.{hint}"
    )
    raise ParameterError(msg)


def bad_answers(
    column: str, count: int, values: Iterable[object], scale: tuple[int, int], advice: str
) -> NoReturn:
    """Raise for answers that are off the scale, fractional or not numbers at all."""
    low, high = scale
    msg = (
        f"{column!r}: {rows(count)} with answers that are not whole points of the scale "
        f"{low} to {high}: {listed(values)}. {advice}"
    )
    raise DataError(msg)


def unknown_labels(
    column: str, count: int, values: Iterable[object], known: Sequence[str]
) -> NoReturn:
    """Raise for labels that are no spelling of any known one."""
    msg = (
        f"{column!r}: {rows(count)} with labels that are none of {listed(known)}: "
        f'{listed(values)}. Correct them, or pass unknown="null" or unknown="other".'
    )
    raise DataError(msg)


def bad_times(column: str, count: int, values: Iterable[object], *, coercible: bool) -> NoReturn:
    """Raise for times that are not dates."""
    way_out = ', or pass errors="coerce" to leave those rows out' if coercible else ""
    msg = (
        f"{column!r}: {rows(count)} with times that are not ISO dates such as 2026-01-31: "
        f"{listed(values)}. Parse them first{way_out}."
    )
    raise DataError(msg)


def bad_counts(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for counts that are missing, negative or fractional."""
    msg = (
        f"counts={column!r}: {rows(count)} without a whole number of answers, "
        f"0 or more: {listed(values, 6)}."
    )
    raise DataError(msg)


def check_total(column: str | None, total: float) -> None:
    """Refuse counts that are too many to be summed exactly."""
    if total >= 2**53:
        msg = (
            f"counts={column!r} add up to more than 2**53 answers, which cannot be summed exactly."
        )
        raise DataError(msg)


def counts_are_numbers(column: str, dtype: object) -> NoReturn:
    """Raise for a column of counts that holds no numbers."""
    msg = f"counts={column!r} must be a column of whole numbers, not {dtype}."
    raise DataError(msg)


def bad_weights(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for weights that are negative or infinite."""
    msg = (
        f"weights={column!r}: {rows(count)} with weights that are negative, infinite, or beyond "
        f"1e-100 to 1e100: {listed(values, 6)}. A weight is how much of the population an answer "
        "speaks for."
    )
    raise DataError(msg)


def missing_weights(column: str, count: int) -> NoReturn:
    """Raise for rows without a weight."""
    msg = (
        f"weights={column!r}: {rows(count)} without a weight. Complete them, or pass "
        'errors="coerce" to count those answers as missing.'
    )
    raise DataError(msg)


def weights_are_numbers(column: str, dtype: object) -> NoReturn:
    """Raise for a column of weights that holds no numbers."""
    msg = f"weights={column!r} must be a column of numbers, not {dtype}."
    raise DataError(msg)


def null_units(parameter: str, column: str, count: int) -> NoReturn:
    """Raise for answers that belong to no cluster or stratum."""
    msg = (
        f"{parameter}={column!r} is null in {rows(count)}. Complete or remove them; an answer that "
        "shares its unit with no other takes an id of its own."
    )
    raise DataError(msg)


def zones_in_text(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for texts that name a zone, where the engine cannot read them."""
    msg = (
        f"{column!r}: {rows(count)} with texts that name a time zone: {listed(values)}. A lazy "
        "engine reads none from text: cast the column to a timestamp first."
    )
    raise DataError(msg)


def not_dates(column: str, dtype: object) -> NoReturn:
    """Raise for a column of a type that tells no date."""
    msg = (
        f"{column!r} holds {dtype}, not dates. Convert it first: a number alone does not "
        "say its unit or its epoch."
    )
    raise DataError(msg)


def not_flags(column: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for a column that should hold true and false."""
    msg = f"{column!r}: {rows(count)} neither true nor false: {listed(values)}."
    raise DataError(msg)


def amounts_are_numbers(column: str, dtype: object) -> NoReturn:
    """Raise for a column of amounts that holds something else."""
    msg = f"amount={column!r} must be a column of numbers, not {dtype}. Convert it first."
    raise DataError(msg)


def null_values(column: str, count: int, what: str, *, coercible: bool = True) -> NoReturn:
    """Raise for rows without an id or a time."""
    way_out = ', or pass errors="coerce" to leave them out with a warning' if coercible else ""
    article = "an" if what[0] in "aeiou" else "a"
    msg = f"{column!r}: {rows(count)} without {article} {what}. Complete or remove them{way_out}."
    raise DataError(msg)


def changes_within_customer(names: Sequence[str], count: int, ids: Iterable[object]) -> NoReturn:
    """Raise for a key column that is not constant within a customer."""
    noun = "customer" if count == 1 else "customers"
    msg = (
        f"by={listed(names)} changes within {count:,} {noun} (ids {listed(ids)}). A split of a "
        "rate is read as of the period's start: pass segments=, a frame with one row per customer, "
        "or one with a valid_from column."
    )
    raise DataError(msg)


def tied_answers(
    customer: str, time: str, keep: str, count: int, ids: Iterable[object]
) -> NoReturn:
    """Raise for rows of one time, of which none is the later one without an order of rows."""
    noun = "customer has" if count == 1 else "customers have"
    msg = (
        f"{customer!r}: {count:,} {noun} different rows at one {time!r} that is the {keep} (ids "
        f"{listed(ids)}), and this engine keeps no order of rows that would settle it. Name a "
        "finer time, drop all of them but one, or collect first: in memory the order counts."
    )
    raise DataError(msg)


def null_keys(frame: str, column: str, count: int) -> NoReturn:
    """Raise for a lookup frame with a null key."""
    msg = f"{frame}: {rows(count)} whose {column!r} is null. Remove them: they match nobody."
    raise DataError(msg)


def duplicate_keys(
    frame: str, names: Sequence[str], count: int, keys: Iterable[object]
) -> NoReturn:
    """Raise for a lookup frame with more than one row for a key."""
    msg = (
        f"{frame} has {rows(count)} too many for the key {listed(names)}: {listed(keys)} "
        "(repeated). Keep one row per key."
    )
    raise DataError(msg)


def different_key_types(column: str, frames: Sequence[str], kinds: Sequence[str]) -> NoReturn:
    """Raise for keys that could never match, the data first."""
    held = sorted(zip(frames, kinds, strict=True), key=lambda pair: pair[0] != "data")
    found = " and ".join(f"{kind} in {frame}" for frame, kind in held)
    msg = f"{column!r} holds {found}, so no row would match. Convert one of them first."
    raise DataError(msg)


def naive_times(tz: str, column: str) -> NoReturn:
    """Raise for a zone where the times have none to convert from."""
    msg = f"tz={tz!r}: {column!r} has no time zone to convert from. Leave tz out, or localize it."
    raise ParameterError(msg)


def zone_on_one_side(column: str, zone: str) -> NoReturn:
    """Raise for moments of segments that cannot be placed among naive times."""
    msg = (
        f"{column!r} in segments has the time zone {zone}, and the times in data "
        "have none: they cannot be compared. Give both a zone, or neither."
    )
    raise DataError(msg)


def one_zone(start: str, end: str) -> NoReturn:
    """Raise for starts and ends of contracts of which only one kind has a time zone."""
    msg = f"Only one of {start!r} and {end!r} has a time zone. Give both a zone, or neither."
    raise DataError(msg)


def ends_before_start(end: str, start: str, count: int, values: Iterable[object]) -> NoReturn:
    """Raise for contracts that end before they start."""
    msg = (
        f"contract_end={end!r}: {rows(count)} with an end before {start!r}: {listed(values)}. "
        'Correct them, or pass errors="coerce" to leave those rows out.'
    )
    raise DataError(msg)


def warn_of_dropped(count: int, why: str) -> None:
    """Warn that rows were left out."""
    warn(f"{rows(count)} left out: {why}.", DroppedRowsWarning)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's code that made the call."""
    depth, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == "loyaltykit":
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, category, stacklevel=depth)
