"""Pictures of tables with two sides: cohorts by age, tiers by the tiers that follow them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _drawing, _fitting, _frame, _language, _shades
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PLAIN = _drawing.LIGHT  # known without looking
EMPTY = "#F2F2F2"  # nobody was there: no estimate, and no blank either
HATCH = "////"
DASH = "\N{EN DASH}"

_COHORT = ("cohort", "cohort_age", "coverage", "metric", "n", "estimate", "unit", "definition")
_TIERS = ("from_tier", "to_tier", "metric", "n", "moved", "estimate", "unit", "definition")


class _Grid(NamedTuple):
    """The cells, rows down and columns across; a cell that is not known is blank."""

    values: FloatArray  # NaN without an estimate
    known: Mask
    partial: Mask
    plain: Mask


# ---- public -------------------------------------------------------------------------------------


def cohort_heatmap(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw a cohort table as a heat map: cohorts down, ages across, the estimate as colour.

    A cell that nobody can know yet is blank, never 0. One that is still running is hatched. A
    cohort without customers has dashes. Values are written where there is room for them.

    Parameters
    ----------
    result : DataFrame
        A table of `cohort_retention` for one group; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as large as the cells need, up to a page.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the cells. The colour bar lies beside it: ``ax.child_axes[0]``, if any cell
        is coloured.

    Raises
    ------
    ParameterError
        If `result` is no table of `cohort_retention`, mixes metrics, units or definitions, or holds
        several groups: select one of them.

    Notes
    -----
    The colours are those of the estimates in percent, from pale to dark in steps that are equal to
    the eye [1]_, and told apart by lightness alone, whatever the colour vision. The scale ends
    at the largest value. It begins as far below the lowest as the values spread (5 points or more),
    but not below 0, unless a value is.

    At age 0 every customer of a cohort is there. Where all of that column is 100 %, it is grey and
    does not stretch the scale, which would hide how the other ages differ.

    References
    ----------
    .. [1] Ottosson 2020, "A perceptual color space for image processing",
       https://bottosson.github.io/posts/oklab/.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> log = pd.DataFrame(
    ...     {
    ...         "id": [1, 1, 2, 3, 3],
    ...         "day": ["2026-01-05", "2026-02-06", "2026-01-09", "2026-02-03", "2026-03-02"],
    ...     }
    ... )
    >>> table = lk.cohort_retention(log, "id", "day", as_of="2026-03-31")
    >>> ax = lk.plot.cohort_heatmap(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['2026-01 (n = 2)', '2026-02 (n = 1)', '2026-03 (n = 0, no customers)']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _COHORT, "cohort_retention")
    metric, unit, definition = _words(frame)
    keys = _keys(frame, ("cohort", "cohort_age"))
    group = _drawing.group_title(frame, keys, definition, language)
    _drawing.refuse_twice(frame, ("cohort", "cohort_age"))
    cohorts, ages = (
        sorted(set(_frame.python_values(frame[name]))) for name in ("cohort", "cohort_age")
    )
    grid, sizes = _grid(frame, ("cohort", "cohort_age"), (cohorts, ages))
    first = np.array([age == 0 for age in ages], dtype=np.bool_) & grid.known
    told = grid.values[first & ~np.isnan(grid.values)]
    grid = grid._replace(plain=first & ~np.isnan(grid.values) & bool(np.isclose(told, 100).all()))
    labels = [
        _drawing.row_label(name, _note(size, language))
        for name, size in zip(
            _drawing.key_texts(cohorts, "cohort", definition), sizes.tolist(), strict=True
        )
    ]
    columns = _drawing.age_texts(ages, definition)
    ax = _opened(ax, labels, columns, language, cell=0.52)
    ax.set_xlabel(_drawing.ages_label(definition, language) if cohorts else "")
    title = _drawing.titled(_drawing.metric_name(metric, language), group, definition, language)
    ax.set_title(title if metric else "", parse_math=False)
    cell = _draw(ax, grid, unit, language)
    for axis, texts, room in ((ax.xaxis, columns, cell[0]), (ax.yaxis, labels, cell[1])):
        step = _drawing.step_of(len(texts), room * len(texts), _need(axis, texts), definition)
        axis.set_ticks(range(0, len(texts), step), texts[::step], parse_math=False)
    return _fitting.fit(ax)


def tier_transitions(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw who moved from which tier to which, as a matrix of shares: from down, to across.

    Every row adds up to 100 %. The cells of those who stayed are outlined, the base size of a row
    stands beside its tier. A tier without customers has dashes.

    Parameters
    ----------
    result : DataFrame
        A table of `tier_transitions` for one group and one period; a pandas, Polars or PyArrow
        frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as large as the cells need.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the cells. The colour bar lies beside it: ``ax.child_axes[0]``, if any cell
        is coloured.

    Raises
    ------
    ParameterError
        If `result` is no table of `tier_transitions`, mixes units or definitions, or holds several
        groups or periods: select one of them, or pool the periods.

    Notes
    -----
    Colours and their scale are those of `cohort_heatmap`. Tiers stand in the order
    of their categories; tiers that are text, in the order in which the table has them.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> table = pd.DataFrame(
    ...     {
    ...         "from_tier": ["new", "new", "loyal", "loyal"],
    ...         "to_tier": ["new", "loyal", "new", "loyal"],
    ...         "metric": "tier_transitions",
    ...         "n": [40, 40, 20, 20],
    ...         "moved": [30, 10, 1, 19],
    ...         "estimate": [75.0, 25.0, 5.0, 95.0],
    ...         "unit": "percent",
    ...         "definition": "basis=log;freq=month",
    ...     }
    ... )
    >>> ax = lk.plot.tier_transitions(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['new (n = 40)', 'loyal (n = 20)']
    >>> [text.get_text() for text in ax.texts]
    ['75.0%', '25.0%', '5.0%', '95.0%']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _TIERS, "tier_transitions")
    _, unit, definition = _words(frame)
    if "period" in frame.columns and len(set(_frame.python_values(frame["period"]))) > 1:
        msg = (
            "result holds the transitions of several periods. Draw "
            'pool(result, over="period") first, or select one period.'
        )
        raise ParameterError(msg)
    keys = _keys(frame, ("from_tier", "to_tier"))
    group = _drawing.group_title(frame, keys, definition, language)
    _drawing.refuse_twice(frame, ("from_tier", "to_tier"))
    levels = _levels(frame)
    present = [set(_frame.python_values(frame[name])) for name in ("from_tier", "to_tier")]
    before, after = ([tier for tier in levels if tier in tiers] for tiers in present)
    grid, sizes = _grid(frame, ("from_tier", "to_tier"), (before, after))
    labels = [
        _drawing.row_label(_drawing.plain_text(tier, language), _note(size, language))
        for tier, size in zip(before, sizes.tolist(), strict=True)
    ]
    columns = [_drawing.plain_text(tier, language) for tier in after]
    ax = _opened(ax, labels, columns, language, cell=1.0)
    sides = [_language.say("To", language), _language.say("From", language)] if labels else ["", ""]
    ax.set(xlabel=sides[0], ylabel=sides[1])
    name = _language.say("Tier transitions", language)
    ax.set_title(_drawing.titled(name, group, definition, language), parse_math=False)
    cell = _draw(ax, grid, unit, language, sign="%")
    _wrap(ax, columns, cell[0])
    _outline(ax, [(row, after.index(t)) for row, t in enumerate(before) if t in after])
    return _fitting.fit(ax)


# ---- reading ------------------------------------------------------------------------------------


def _words(frame: _frame.Frame) -> tuple[str, str, str]:
    metric, unit, definition = (
        _drawing.constant(frame, name) or "" for name in ("metric", "unit", "definition")
    )
    return metric, unit, definition


def _keys(frame: _frame.Frame, sides: tuple[str, str]) -> list[str]:
    head = frame.columns[: frame.columns.index("metric")]
    return [name for name in head if name not in (*sides, "coverage")]


def _grid(
    frame: _frame.Frame, names: tuple[str, str], levels: tuple[list[Any], list[Any]]
) -> tuple[_Grid, FloatArray]:
    """Return the cells, and the base size of each row; NaN where no cell tells it."""
    places = []
    for name, side in zip(names, levels, strict=True):
        place = {level: i for i, level in enumerate(side)}
        codes = [place[value] for value in _frame.python_values(frame[name])]
        places.append(np.array(codes, dtype=np.int64))
    at, shape = tuple(places), (len(levels[0]), len(levels[1]))
    values, sizes = np.full(shape, np.nan), np.full(shape, np.nan)
    values[at], sizes[at] = (_drawing.floats(frame, name) for name in ("estimate", "n"))
    coverage = np.full(shape, "unobserved", dtype="U10")
    coverage[at] = "observed"
    if "coverage" in frame.columns:
        coverage[at] = [word or "observed" for word in _frame.python_values(frame["coverage"])]
    known = coverage != "unobserved"
    partial = (coverage == "partial") & ~np.isnan(values)
    size = np.where(np.isnan(sizes), -1.0, sizes).max(axis=1, initial=-1.0)
    values[~known] = np.nan
    grid = _Grid(values, known, partial, np.zeros(shape, dtype=np.bool_))
    return grid, np.where(size < 0, np.nan, size)


def _levels(frame: _frame.Frame) -> list[Any]:
    """Return the tiers in the order of their categories, or as they come; nulls last."""
    levels: list[Any] = []
    for name in ("from_tier", "to_tier"):
        column = frame.get_column(name)
        if not _frame.is_text(column):
            column = _frame.compact(column).levels
        levels += _frame.python_values(column)
    return sorted(dict.fromkeys([*levels, None]), key=lambda level: level is None)


def _note(size: float, language: str) -> str:
    if np.isnan(size):
        return f"({_language.say('unobserved', language)})"
    nobody = [] if size else [_language.say("no customers", language)]
    return _drawing.base(size, language, *nobody)


# ---- drawing ------------------------------------------------------------------------------------


def _opened(
    ax: Axes | None, labels: list[str], columns: list[str], language: str, *, cell: float
) -> Axes:
    """Return Axes with a labelled place for each row and column, a cell as wide in inches."""
    rows, across = max(len(labels), 1), max(len(columns), 1)
    most = max((label.count("\n") + 1 for label in labels), default=1)
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    inch = 72 / _drawing.font_size("medium")
    columns = [textwrap.fill(text, max(int(cell * inch / 0.65), 1)) for text in columns]
    deep = max((text.count("\n") for text in columns), default=0)
    width = max(min(cell * across, 11.0), 3.6) + longest * 0.6 / inch + 1.0
    lines = max(min((0.9 + 1.3 * most) * rows, 10 * inch), 3.0)
    ax = _drawing.opened(ax, width, lines + 1.2 * deep + 9.5)
    labels[:] = _drawing.narrower(ax, labels)  # the caller thins them
    for axis, texts in ((ax.xaxis, columns), (ax.yaxis, labels)):
        # Names are text: the dollars of "$10 to $20" enclose no formula.
        axis.set_ticks(range(len(texts)), texts, parse_math=False)
    ax.set_xlim(-0.5, across - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    if not labels:
        ax.set_xticks([])
        _drawing.say_empty(ax, language)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


def _draw(
    ax: Axes, grid: _Grid, unit: str, language: str, *, sign: str = ""
) -> tuple[float, float]:
    """Draw the cells and what they mean; return the size of one in points."""
    from matplotlib.colors import ListedColormap, Normalize, to_rgba

    empty = grid.known & np.isnan(grid.values)
    shown = ~np.isnan(grid.values) & ~grid.plain
    meshes = [
        _shades.mesh(ax, np.ones(mask.shape), mask, ListedColormap([colour]), Normalize(0, 1))
        for mask, colour in ((empty, EMPTY), (grid.plain, PLAIN))
        if mask.any()
    ]
    colours = _shades.pale_to_dark()
    rgba = np.ones((*grid.values.shape, 4))
    rgba[grid.plain] = to_rgba(PLAIN)
    if shown.any():
        values = grid.values[shown]
        norm = Normalize(_drawing.scale_start(values), values.max() or 100.0)
        meshes.append(_shades.mesh(ax, grid.values, shown, colours, norm))
        _shades.colour_bar(ax, meshes[-1], unit, language)
        rgba[shown] = colours(norm(values))
    keys = _hatched(ax, rgba, grid.partial)
    if empty.any():
        from matplotlib.patches import Patch

        keys["no customers"] = Patch(facecolor=EMPTY, edgecolor=_drawing.GUIDE)
    if keys:
        _drawing.legend(ax, keys, language=language)
    width, height = _drawing.extent(ax)
    cell = width / max(grid.values.shape[1], 1), height / max(grid.values.shape[0], 1)
    for mesh in meshes:
        mesh.set(edgecolor="white", linewidth=1.0 if min(cell) > 16 else 0.0)
    _write(ax, grid, rgba, cell, sign, language)
    return cell


def _hatched(ax: Axes, rgba: FloatArray, partial: Mask) -> dict[str, Any]:
    """Hatch the cells that are still running, light on dark and dark on light."""
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    if not partial.any():
        return {}
    corners = 0.47 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    dark = _shades.is_dark(rgba)
    for rows, ink in ((partial & dark, "#FFFFFF90"), (partial & ~dark, "#00000070")):
        if rows.any():
            places = np.argwhere(rows)[:, None, ::-1] + corners
            cells = PolyCollection(
                list(places), facecolors="none", edgecolors=ink, linewidths=0, hatch=HATCH
            )
            ax.add_collection(cells, autolim=False)
    return {"partial": Patch(facecolor="white", edgecolor=_drawing.LINE, hatch=HATCH)}


def _write(
    ax: Axes, grid: _Grid, rgba: FloatArray, cell: tuple[float, float], sign: str, language: str
) -> None:
    """Write the values where they fit, in the ink that stands out, and dashes for the empty."""
    size = _drawing.font_size("small")
    values = grid.values[~np.isnan(grid.values)]
    forms = ("{:,.1f}" + sign, "{:,.0f}" + sign)
    known = grid.known.nonzero()
    longest = [max((len(form.format(v)) for v in values), default=1) for form in forms]
    fits = [long * 0.64 * size + 4 < cell[0] and 1.4 * size < cell[1] for long in longest]
    if not any(fits):
        return
    form, dark = forms[fits.index(True)], _shades.is_dark(rgba)
    for row, column in zip(*(side.tolist() for side in known), strict=True):
        value = grid.values[row, column]
        shown = forms[1] if grid.plain[row, column] else form
        # No line of the hatch runs through a value.
        box = {"facecolor": rgba[row, column], "edgecolor": "none", "pad": 1.0}
        ax.text(
            column,
            row,
            DASH if np.isnan(value) else _drawing.value_text(value, shown, language),
            color="white" if dark[row, column] else "black",
            fontsize="small",
            ha="center",
            va="center",
            bbox=box if grid.partial[row, column] else None,
        )


def _wrap(ax: Axes, columns: list[str], room: float) -> None:
    """Break the names of the columns, so that each has its own room."""
    boxes = [label.get_window_extent().width for label in ax.get_xticklabels()]
    wide = [max(map(len, label.get_text().split("\n"))) for label in ax.get_xticklabels()]
    points = 72 / ax.figure.dpi
    letter = max(
        (box * points / max(size, 1) for box, size in zip(boxes, wide, strict=True)), default=1
    )
    most = max(int(0.92 * room / max(letter, 1)), 1)
    ax.set_xticks(
        range(len(columns)), [textwrap.fill(text, most) for text in columns], parse_math=False
    )


def _outline(ax: Axes, places: list[tuple[int, int]]) -> None:
    """Outline cells in a colour that is seen on pale and on dark."""
    from matplotlib.patches import Rectangle

    for row, column in places:
        ax.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5),
                1,
                1,
                fill=False,
                edgecolor=_drawing.ORANGE,
                linewidth=2,
                clip_on=False,
            )
        )


def _need(axis: Any, texts: list[str]) -> float:
    """Return the room in points that one label takes along its axis."""
    lines = [text.split("\n") for text in texts]
    if axis.axis_name == "y":
        return 1.35 * _drawing.font_size("medium") * max((len(some) for some in lines), default=1)
    longest = max((len(line) for some in lines for line in some), default=1)
    return (0.64 * longest + 0.8) * _drawing.font_size("medium")
