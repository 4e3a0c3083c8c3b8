"""What pictures share: tables read for drawing, the texts of labels and values, Axes and legends.

matplotlib is imported when a picture is drawn: a service that only counts never loads it.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _frame, _language
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

FloatArray = npt.NDArray[np.float64]

# Orange and blue are told apart with every kind of colour vision; with the light grey between them
# also in grey print.
BLUE = "#00578F"
ORANGE = "#E08A00"
LIGHT = "#DEDEDE"
GUIDE = "#D0D0D0"
LINE = "#808080"
# Told apart with every kind of colour vision: after Okabe and Ito 2008, https://jfly.uni-koeln.de/
# color/, with the blue and orange of the other pictures.
LINES = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#7A3B00", "#404040")
BANDS = 4  # more of them hide each other
HATCH = "////"  # what is still running

# What one axis can show only one of. Definitions are among them, as everywhere.
_CONSTANT = ("metric", "unit", "definition", "confidence_level")
_LABEL_WIDTH, _TITLE_WIDTH = 34, 50  # characters
_LEAST_SPREAD = 5.0  # less would make a part of a percent look like a fall
# Every how many periods a label may stand, where there is no room for all.
_STEPS = {
    "day": (1, 7, 14, 28, 91, 182, 364),
    "week": (1, 2, 4, 13, 26, 52, 104),
    "month": (1, 2, 3, 6, 12, 24, 60, 120),
    "quarter": (1, 2, 4, 8, 20, 40, 80),
    "year": (1, 2, 5, 10, 20, 50, 100),
}
_ANY_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Rows(NamedTuple):
    """What is drawn: one entry a row of the table, NaN for null."""

    labels: list[str]
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    partial: npt.NDArray[np.bool_]
    name: str
    unit: str
    axis: str
    language: str


# ---- reading ------------------------------------------------------------------------------------


def read(frame: _frame.Frame, language: str = "en") -> Rows:
    """Return the rows of a metric table as labels and numbers; refuse what one axis cannot show."""
    words = {name: constant(frame, name) for name in _CONSTANT}
    metric, unit = words["metric"] or "", words["unit"] or ""
    n, estimate, low, high = (
        floats(frame, name) for name in ("n", "estimate", "ci_low", "ci_high")
    )
    coverage = coverages(frame)
    nothing = "no answers" if metric in ("nps", "csat", "ces") else "no data"
    names = _names(frame, words["definition"] or "", language)
    notes = [_note(*row, nothing, language) for row in zip(n, estimate, coverage, strict=True)]
    name = metric_name(metric, language)
    level = None if np.isnan(low).all() else words["confidence_level"]
    return Rows(
        labels=[row_label(*row) for row in zip(names, notes, strict=True)],
        estimate=estimate,
        low=low,
        high=high,
        partial=np.array([word == "partial" for word in coverage], dtype=np.bool_),
        name=name,
        unit=unit,
        axis=axis_name(name, unit, level, language) if metric else "",
        language=language,
    )


def _names(frame: _frame.Frame, definition: str, language: str) -> list[str]:
    """Return the keys of each row as one text."""
    head = frame.columns[: frame.columns.index("metric")]
    keys = [name for name in head if name != "coverage"]
    return _joined(frame, keys, definition, len(frame), language)


def group_names(
    groups: _frame.Groups, keys: Sequence[str], definition: str, language: str = "en"
) -> list[str]:
    """Return the keys of each group as one text, "All" where there are none."""
    return _joined(groups.keys, keys, definition, groups.size, language)


def _joined(
    frame: _frame.Frame, keys: Sequence[str], definition: str, size: int, language: str
) -> list[str]:
    if not keys:
        return [_language.say("All", language)] * size
    texts = [
        key_texts(_frame.python_values(frame[name]), name, definition, language) for name in keys
    ]
    return [", ".join(filter(None, parts)) for parts in zip(*texts, strict=True)]


def floats(frame: _frame.Frame, name: str) -> FloatArray:
    """Return a column as floats, NaN for null."""
    # None becomes NaN, also in a column of nothing else, whatever its type.
    return np.array(_frame.python_values(frame[name]), dtype=np.float64)


def coverages(frame: _frame.Frame) -> list[str]:
    """Return the word of each row: observed where the table says nothing else."""
    if "coverage" not in frame.columns:
        return ["observed"] * len(frame)
    return [word or "observed" for word in _frame.python_values(frame["coverage"])]


def days(frame: _frame.Frame, name: str) -> npt.NDArray[np.int64]:
    """Return a column of periods as days since 1970-01-01; refuse rows without a date."""
    values = _frame.python_values(frame[name])
    bad = [value for value in values if not isinstance(value, (str, dt.date))]
    try:
        dates = np.array([str(value)[:10] for value in values], dtype="datetime64[D]")
    except ValueError:
        bad = bad or values
    if bad:
        found = _checks.listed(dict.fromkeys(bad))
        msg = (
            f"result: {name!r} must hold a date in every row, not {found}. Leave out the rows "
            "without one."
        )
        raise ParameterError(msg)
    return dates.astype(np.int64)


def constant(frame: _frame.Frame, name: str) -> Any:
    """Return the one value of a column, None where there is no row; refuse several."""
    values = sorted(set(_frame.python_values(frame[name])), key=str)
    if len(values) > 1:
        msg = f"result mixes {name}: {_checks.listed(values)}. Draw each alone."
        raise ParameterError(msg)
    return values[0] if values else None


def one_level(frame: _frame.Frame, name: str, what: str = "several") -> list[Any]:
    """Return the one level of a key, in a list that is empty where there is no row."""
    values = _frame.python_values(frame[name])
    some = sorted({plain_text(value) for value in values})
    if len(some) > 1:
        msg = f"result holds {what} {name!r}: {_checks.listed(some)}. Select one."
        raise ParameterError(msg)
    return values[:1]


def parted(frame: _frame.Frame, keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the keys of several levels, and those of one."""
    several = [name for name in keys if len(set(_frame.python_values(frame[name]))) > 1]
    return several, [name for name in keys if name not in several]


def group_title(
    frame: _frame.Frame, names: Sequence[str], definition: str, language: str = "en"
) -> str:
    """Return the one group that a table speaks of, "" where it has no keys; refuse several."""
    texts = [key_texts(one_level(frame, name), name, definition, language) for name in names]
    return ", ".join(text for level in texts for text in level)


def refuse_twice(frame: _frame.Frame, names: Sequence[str]) -> None:
    """Refuse a table in which several rows stand for one place of the picture."""
    places = list(zip(*(_frame.python_values(frame[name]) for name in names), strict=True))
    twice = next((place for place, times in Counter(places).items() if times > 1), None)
    if twice is not None:
        found = ", ".join(f"{name} {plain_text(v)}" for name, v in zip(names, twice, strict=True))
        msg = f"result has several rows of {found}. Select one table."
        raise ParameterError(msg)


# ---- texts --------------------------------------------------------------------------------------


def metric_name(metric: str, language: str = "en") -> str:
    """Return the metric as a reader calls it."""
    # The short metrics are abbreviations.
    return metric.upper() if len(metric) <= 4 else heading(metric, language)


def heading(name: str, language: str) -> str:
    """Return a word, or several, as they open a line."""
    text = _language.word(name, language)
    return text[:1].upper() + text[1:]


def axis_name(name: str, unit: str, level: Any, language: str) -> str:
    """Return what an axis shows, in which unit, and how sure the interval is, if there is one."""
    known = "" if level is None else f" ({interval(level, language)})"
    return f"{name}, {_language.word(unit, language)}{known}"


def interval(level: float, language: str) -> str:
    """Return for example ``95% interval``."""
    percent = _language.number(100 * level, "{:g}", language)
    return _language.say("{level}% interval", language, level=percent)


def base(n: float, language: str, *notes: str) -> str:
    """Return for example ``(n = 1,816, partial)``; the notes are said by the caller."""
    size = [] if np.isnan(n) else [size_text(n, language)]
    return f"({', '.join([*size, *notes])})"


def size_text(n: float, language: str) -> str:
    """Return for example ``n = 1,816``, and nothing where it is not known."""
    return "" if np.isnan(n) else f"n = {_language.number(n, '{:,.0f}', language)}"


def key_texts(values: list[Any], name: str, definition: str, language: str = "en") -> list[str]:
    """Return the values of a key as texts; the name says whether they are periods or ages."""
    if name == "cohort_age":
        return [_language.say("age {age}", language, age=value) for value in values]
    if name not in ("period", "cohort"):
        return [plain_text(value, language) for value in values]
    # In a scorecard a row may have no period; that is no missing one.
    texts = ["" if value is None else plain_text(value) for value in values]
    if "freq=year" in definition:
        return [text[:4] for text in texts]
    if "freq=quarter" in definition:
        return [f"{text[:4]}-Q{(int(text[5:7]) + 2) // 3}" if text else "" for text in texts]
    # Rates say their frequency in the definition. For survey tables the dates have to.
    monthly = "freq=month" in definition or "freq=" not in definition
    monthly &= all(getattr(value, "day", 0) == 1 for value in values if value is not None)
    if monthly and "freq=" not in definition and _is_quarterly(values):
        return key_texts(values, name, "freq=quarter", language)
    return [text[:7] for text in texts] if monthly else texts


def _is_quarterly(firsts: list[Any]) -> bool:
    """Return whether first days of months are those of quarters, and some follow each other."""
    months = sorted({12 * day.year + day.month - 1 for day in firsts if day is not None})
    steps = [after - before for before, after in itertools.pairwise(months)]
    return all(month % 3 == 0 for month in months) and 3 in steps


def ages_label(definition: str, language: str = "en") -> str:
    """Return what an axis of cohort ages counts."""
    freq = definition_parts(definition).get("freq", "")
    label = _language.say("Age of the cohort", language)
    return f"{label}, {_language.word(f'{freq}s', language)}" if freq in _STEPS else label


def age_texts(ages: Sequence[float], definition: str) -> list[str]:
    """Return the ages as texts; those that begin a bracket as the whole of it."""
    rule = definition_parts(definition).get("rule", "")
    edges = [int(edge) for edge in re.findall(r"\d+", rule)] if "brackets" in rule else []
    last = {low: high - 1 for low, high in itertools.pairwise(edges)}
    return [
        f"{age:g}" if last.get(int(age), age) == age else f"{age:g}\N{EN DASH}{last[int(age)]}"
        for age in ages
    ]


def definition_parts(definition: str) -> dict[str, str]:
    """Return for example ``{"freq": "month", "rule": "on"}``."""
    pairs = (part.partition("=") for part in definition.split(";"))
    return {name: value for name, sign, value in pairs if sign}


# What every table of a kind is, and no title has to say.
_USUAL = {
    ("basis", "log"),
    ("basis", "tiers"),
    ("column", "tier"),
    ("trailing", "1"),
    ("amount", "amount"),
    ("reactivation", "apart"),
}
_SAID_OF = {
    "column": "of {value}",
    "freq": "by {value}",
    "window": "{value} window",
    "trailing": "trailing {value}",
    "amount": "amount {value}",
}


def titled(name: str, group: str, definition: str, language: str = "en") -> str:
    """Return a title of the metric and the group, and below it how it was counted."""
    below = [
        _part_said(key, value, language)
        for key, value in definition_parts(definition).items()
        if (key, value) not in _USUAL
    ]
    # Hard blanks keep each part on one line.
    hard = [part.replace("_", " ").replace(" ", "\xa0") for part in below if part]
    lines = [f"{name}: {group}" if group else name, ", ".join(hard)]
    title = "\n".join(textwrap.fill(line, _TITLE_WIDTH) for line in lines if line)
    return title.replace("\xa0", " ")


def _part_said(key: str, value: str, language: str) -> str:
    """Return one part of a definition in words."""
    if key == "basis":
        return _language.word(value, language)
    if key == "reactivation":
        return _language.say("with reactivation", language)
    said = value if key in ("column", "amount") else _language.word(value, language)
    if key in _SAID_OF:
        # In a name of its own: the test of the words finds literals alone.
        text = _SAID_OF[key]
        return _language.say(text, language, value=said)
    return f"{_language.word(key, language)} {said}"


def plain_text(value: Any, language: str = "en") -> str:
    """Return a key's value as text."""
    if value is None:
        return f"({_language.say('missing', language)})"
    return str(value).removesuffix(" 00:00:00")  # pandas has no dates, only midnights


def _note(n: float, estimate: float, coverage: str, nothing: str, language: str) -> str:
    """Return the base size, and why there is no estimate or not yet a whole one."""
    if coverage != "observed":
        return base(n, language, _language.word(coverage, language))
    if not np.isnan(estimate):
        return base(n, language)
    return base(n, language, _language.word("no estimate" if n > 0 else nothing, language))


def row_label(name: str, note: str) -> str:
    """Return a row's name and its note, in lines of a length that leaves room for the picture."""
    # Hard blanks keep the note on one line.
    hard = note.replace(" ", "\xa0")
    return textwrap.fill(f"{name} {hard}", _LABEL_WIDTH).replace("\xa0", " ")


def narrower(ax: Axes, labels: list[str]) -> list[str]:
    """Return the labels of rows in shorter lines, where there is no room for the usual ones."""
    most = int(0.4 * cell(ax).width * 72 / ax.figure.dpi / (0.56 * font_size("medium")))
    if most >= _LABEL_WIDTH:
        return labels
    # The first words of a note stay together.
    texts = [label.replace("\n", " ").replace("(n = ", "(n\xa0=\xa0") for label in labels]
    return [textwrap.fill(text, max(most, 10)).replace("\xa0", " ") for text in texts]


def line_name(name: str, note: str) -> str:
    """Return the name of a line and its note, for a legend."""
    label = row_label(name, note)
    return f" {label}" if label.startswith("_") else label  # matplotlib would leave it out


def value_text(value: float, form: str, language: str = "en") -> str:
    """Return a number in its form, with a true minus sign."""
    text = _language.number(value, form, language)
    if text.startswith(("+", "-")) and not text.strip("+-0.,%"):
        text = text[1:]  # nothing has no sign
    return text.replace("-", "\N{MINUS SIGN}")


# ---- drawing ------------------------------------------------------------------------------------


def opened(ax: Axes | None, width: float, lines: float) -> Axes:
    """Return the Axes, or those of a new figure: its width in inches, its height in font sizes."""
    from matplotlib.axes import Axes

    if ax is None:
        import matplotlib.pyplot as plt

        height = lines * plt.rcParams["font.size"] / 72
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    elif not isinstance(ax, Axes):
        _checks.wrong_type("ax", ax, "a matplotlib Axes")
    return ax


def prepared(ax: Axes | None, labels: list[str], *, width: float, language: str = "en") -> Axes:
    """Return the Axes with a labelled place for each row."""
    most = max((label.count("\n") + 1 for label in labels), default=1)
    ax = opened(ax, width, 8.5 + (1.3 + 1.3 * most) * max(len(labels), 1))
    labels = narrower(ax, labels)
    # Names are text: the dollars of "$10 to $20" enclose no formula.
    ax.set_yticks(range(len(labels)), labels, parse_math=False)
    ax.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    if not labels:
        say_empty(ax, language)
    return ax


def say_empty(ax: Axes, language: str = "en", text: str = "no rows") -> None:
    """Say that the table has no rows, or what else there is nothing to draw for."""
    ax.text(0.02, 0.5, _language.word(text, language), transform=ax.transAxes, va="center")


def number_ticks(axis: Axis, language: str, form: str = "") -> None:
    """Write the numbers along an axis with the separators of the language.

    By default in the digits that matplotlib finds them to need.
    """
    from matplotlib.ticker import ScalarFormatter

    class Localised(ScalarFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            text = form.format(x) if form else super().__call__(x, pos)
            return _language.localised(text, language)

    axis.set_major_formatter(Localised(useOffset=False))


def extent(ax: Axes) -> tuple[float, float]:
    """Return width and height of the Axes in points, once labels and titles have their room."""
    figure: Any = ax.figure
    while figure.figure is not figure:  # a part of a figure
        figure = figure.figure
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    box = ax.get_window_extent()
    return box.width * 72 / ax.figure.dpi, box.height * 72 / ax.figure.dpi


def cell(ax: Axes) -> Any:
    """Return the part of the figure, in pixels, that the Axes and all around it may take."""
    from matplotlib.transforms import Bbox

    figure: Any = ax.figure
    spec = ax.get_subplotspec()
    if spec is None:
        return figure.bbox
    grid = spec.get_gridspec()
    wide, high = figure.bbox.width / grid.ncols, figure.bbox.height / grid.nrows
    left, top = (
        figure.bbox.x0 + spec.colspan.start * wide,
        figure.bbox.y1 - spec.rowspan.start * high,
    )
    right, low = (
        figure.bbox.x0 + spec.colspan.stop * wide,
        figure.bbox.y1 - spec.rowspan.stop * high,
    )
    return Bbox.from_extents(left, low, right, top)


def font_size(name: str) -> float:
    """Return a font size in points."""
    from matplotlib.font_manager import FontProperties

    return float(FontProperties(size=name).get_size_in_points())


def step_of(count: int, room: float, need: float, definition: str = "") -> int:
    """Return every how many places a label of the size needed stands free in the room."""
    least = need * count / max(room, 1.0)
    steps = _STEPS.get(definition_parts(definition).get("freq", ""), _ANY_STEPS)
    return next((step for step in steps if step >= least), max(count, 1))


def scale_start(values: FloatArray) -> float:
    """Return where a scale begins: as far below the values as they spread, but not below 0.

    So the lowest is never drawn as if it were nothing, and high values still differ.
    """
    low, high = float(values.min()), float(values.max())
    return low if low < 0 else max(low - max(high - low, _LEAST_SPREAD), 0.0)


def legend(
    ax: Axes,
    keys: Mapping[str, str | Artist],
    middle: float = 0.5,
    pad: float = 3.6,
    *,
    language: str = "en",
) -> None:
    """Say below the Axes what its colours mean, or a key that shows more than a colour.

    The padding is in font sizes: 3.6 are below the label of the axis.
    """
    from matplotlib.patches import Patch

    handles = [Patch(color=key) if isinstance(key, str) else key for key in keys.values()]
    ax.legend(
        handles,
        [heading(name, language) for name in keys],
        loc="upper center",
        bbox_to_anchor=(middle, 0),
        borderaxespad=pad,
        ncols=4 if len(keys) > 6 else 3,
        frameon=False,
        fontsize="small",
        handlelength=1,
    )


def line_legend(ax: Axes, lines: Sequence[Artist], length: float = 2.0) -> None:
    """Say at the right which line is which, from top to bottom."""
    legend = ax.legend(
        handles=lines,
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        frameon=False,
        handlelength=length,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def beside(ax: Axes, rows: npt.NDArray[np.int64], texts: list[str]) -> None:
    """Write the values at the right."""
    # In font sizes: room for the longest.
    lines = [line for text in texts for line in text.split("\n")]
    place = (1.2 + 0.62 * max(map(len, lines), default=0), 0.0)
    for row, text in zip(rows.tolist(), texts, strict=True):
        ax.annotate(
            text,
            (1, row),
            xycoords=ax.get_yaxis_transform(),
            xytext=place,
            textcoords="offset fontsize",
            ha="right",
            va="center",
            fontsize="small",
        )


def tidy(ax: Axes) -> None:
    """Leave only the axis below."""
    ax.spines[["left", "top", "right"]].set_visible(False)
    ax.tick_params(axis="y", length=0, pad=7)  # a dot at the edge stays off the label
