"""Parameter checks, and the words of messages."""

from __future__ import annotations

import difflib
import sys
import warnings
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, NoReturn, get_args

from numpy.random import Generator, default_rng

from loyaltykit.errors import (
    ColumnNotFoundError,
    DroppedRowsWarning,
    ParameterError,
)

# What a parameter may be, for type checkers too.
Frequency = Literal["day", "week", "month", "quarter", "year"]
Errors = Literal["raise", "coerce"]
Direction = Literal["ease", "effort"]
Statistic = Literal["mean", "box", "net"]
Alternative = Literal["two-sided", "greater", "less"]
ComparisonMethod = Literal["mover", "adjusted_wald", "n_minus_1", "welch", "normal"]
NetOfEase = Literal["score", "adjusted_wald", "wald"]
BoxOfEase = Literal["wilson", "agresti_coull", "clopper_pearson", "jeffreys"]
CesMethod = Literal["t", "bootstrap"] | NetOfEase | BoxOfEase

FREQUENCIES: tuple[str, ...] = get_args(Frequency)
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
    "box": (*get_args(BoxOfEase), "bootstrap"),
    "net": (*get_args(NetOfEase), "bootstrap"),
}
_FEWEST_RESAMPLES = 100
_COMPARISONS = {
    "net": ("mover", "adjusted_wald"),
    "share": ("mover", "adjusted_wald", "n_minus_1"),
    "mean": ("welch",),
    "gross_revenue": ("mover", "adjusted_wald"),
}
_MOST_SCALE_POINTS = 1001


def listed(values: Iterable[object], most: int = 5) -> str:
    """Return the first few values as they would be typed, and an ellipsis when there are more."""
    values = list(values)
    shown = ", ".join(repr(plain(value)) for value in values[:most])
    return shown + (", ..." if len(values) > most else "")


def rows(count: int) -> str:
    """Return ``1 row`` or ``1,234 rows``."""
    return f"{count:,} row" + ("" if count == 1 else "s")


def plain(value: object) -> object:
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


def check_errors(errors: object) -> str:
    """Return what becomes of unusable rows."""
    return check_choice("errors", errors, get_args(Errors))


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
    return check_fraction("confidence_level", value)


def check_fraction(name: str, value: object) -> float:
    """Return a number inside (0, 1)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        wrong_type(name, value, "a number")
    fraction = float(value)
    if not 0 < fraction < 1:
        hint = f" Did you mean {fraction / 100:g}?" if 1 < fraction < 100 else ""
        msg = f"{name}={plain(value)!r} must lie between 0 and 1 (both excluded).{hint}"
        raise ParameterError(msg)
    return fraction


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
    check_choice("direction", direction, get_args(Direction))
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
    allowed = _COMPARISONS.get(kind, _COMPARISONS["mean"])  # all others are ratios
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
        what = {"net": "net scores", "share": "shares", "mean": "means"}.get(kind, "revenue")
        msg = f"method={method!r} does not compare {what}. Take {listed(allowed)}, or none."
        raise ParameterError(msg)
    return check_choice("method", method, allowed)


def check_alternative(alternative: object, confidence_level: float) -> str:
    """Return the alternative; a one-sided limit needs a level that leaves the middle out."""
    alternative = check_choice("alternative", alternative, get_args(Alternative))
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


def check_log(as_of: object, tz: object, errors: object) -> dict[str, Any]:
    """Return how a log is to be read, as the functions that read one take it."""
    return {
        "as_of": as_of,
        "tz": check_zone(tz),
        "errors": check_errors(errors),
    }


def check_definable(name: str, value: object) -> str:
    """Return a column name that a definition can hold."""
    text = check_name(name, value)
    if set(text) & set(";="):
        msg = f"{name}={text!r}: a definition cannot hold ';' or '='. Rename the column."
        raise ParameterError(msg)
    return text


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


def warn_of_dropped(count: int, why: str) -> None:
    """Warn that rows were left out."""
    warn(f"{rows(count)} left out: {why}.", DroppedRowsWarning)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's code that made the call."""
    depth, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == "loyaltykit":
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, category, stacklevel=depth)
