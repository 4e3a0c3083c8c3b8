"""The picture of a tally: how often each answer was given, group by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loyaltykit import _checks, _drawing, _fitting, _frame, _language, _results
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

FloatArray = npt.NDArray[np.float64]

_CLUSTER = _results.TALLY_WEIGHTED[0]
_BASE, _HIGHEST = 0.40, 0.66  # where bars stand below a row's middle, and how high they may be
_FEW = 12  # rows that leave each the height to read its values


class _Bars(NamedTuple):
    """What is drawn: the rows of the picture, and one bar an answer that was given."""

    labels: list[str]
    row: npt.NDArray[np.int64]
    answer: FloatArray
    share: FloatArray
    weighted: bool


def answers(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    r"""Draw how often each answer was given: a row of bars for every group of a tally.

    The rows stand in the order of the table, from top to bottom, each with its base size and how
    many answers are missing. The bars of all rows have one scale, so that their heights compare.

    Parameters
    ----------
    result : DataFrame
        A table of `tally`, or several of the same answers stacked: rows of one group and answer
        are added up. A pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as high as the rows need.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the bars.

    Raises
    ------
    ParameterError
        If `result` is no table of `tally`, or has a row without a number of answers, or an answer
        that is no number.

    Notes
    -----
    The share of an answer a in its group is

    .. math:: 100 \frac{n_a}{\sum_b n_b} \text{ percent, or } 100 \frac{w_a}{\sum_b w_b}

    by the sums of the weights, where the table has them; the base size is the number of answers
    in both. Missing answers are no part of it, and are counted in the label. The axis reaches from
    the lowest to the highest answer that anybody gave: a tally does not tell the scale. Shares
    below 1 % and above 99 % are written as such. Clusters are added up.

    Examples
    --------
    >>> import pandas as pd
    >>> import loyaltykit as lk
    >>> frame = pd.DataFrame({"csat": [5, 5, 4, 2, None]})
    >>> ax = lk.plot.answers(lk.tally(frame, "csat", scale=(1, 5)))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['All (n = 4, 1 missing)']
    >>> [text.get_text() for text in ax.texts]
    ['25%', '25%', '50%']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _results.TALLY, "tally")
    bars = _read(frame, language)
    most = max((label.count("\n") + 1 for label in bars.labels), default=1)
    each = max(4.4 if len(bars.labels) <= _FEW else 3.0, 1.3 * most + 1.0)
    ax = _drawing.opened(ax, 7.5, 8.5 + each * max(len(bars.labels), 1))
    _drawing.prepared(ax, bars.labels, width=7.5, language=language)
    title = "Share of each answer, by weight" if bars.weighted else "Share of each answer"
    ax.set_title(_language.word(title, language))
    _drawing.tidy(ax)
    ax.spines["bottom"].set_visible(False)
    if not bars.labels:
        ax.set_xticks([])
        return ax
    highest = float(bars.share.max(initial=0.0)) or 1.0
    height = _HIGHEST * bars.share / highest
    foot = bars.row + _BASE
    ax.bar(bars.answer, height, 0.8, bottom=foot - height, color=_drawing.BLUE)
    ax.hlines(
        np.arange(len(bars.labels)) + _BASE,
        *_ends(bars.answer),
        color=_drawing.GUIDE,
        linewidth=0.8,
        zorder=0.9,
    )
    _name_answers(ax, bars.answer, language)
    if not _write(ax, bars, foot - height, language) and len(bars.answer):
        # Without values the height of a bar needs a measure.
        top = _drawing.value_text(highest, "{:.1f}%", language)
        said = _language.say("highest bar: {share}", language, share=top)
        ax.set_title(f"{ax.get_title()}\n({said})")
    return _fitting.fit(ax)


# ---- reading ------------------------------------------------------------------------------------


def _read(frame: _frame.Frame, language: str) -> _Bars:
    """Return the shares of the answers, in rows in the order of the table."""
    head = frame.columns[: frame.columns.index("answer")]
    keys = [name for name in head if name != _CLUSTER]
    groups = _frame.group(frame, keys)
    size = groups.size if len(frame) else 0
    _, first = np.unique(groups.codes, return_index=True)
    order = np.argsort(first)  # as they come in the table
    place = np.argsort(order)[groups.codes] if size else groups.codes
    answer, n = _answers(frame), _numbers(frame, "n")
    weighted = "weight" in frame.columns
    weight = _numbers(frame, "weight") if weighted else n
    given = ~np.isnan(answer)
    counted, missing = (
        np.bincount(place[rows], weights=n[rows], minlength=size) for rows in (given, ~given)
    )
    points, slot = np.unique(answer[given], return_inverse=True)
    total = np.zeros((size, len(points)))
    np.add.at(total, (place[given], slot), weight[given])
    row, column = np.nonzero(total > 0)
    share = 100 * total[row, column] / total.sum(axis=1)[row]
    names = [_drawing.group_names(groups, keys, "", language)[at] for at in order] if size else []
    notes = [_note(*sums, language) for sums in zip(counted, missing, strict=True)]
    labels = [_drawing.row_label(*pair) for pair in zip(names, notes, strict=True)]
    return _Bars(labels, row, points[column], share, weighted)


def _answers(frame: _frame.Frame) -> FloatArray:
    try:
        return _drawing.floats(frame, "answer")
    except (TypeError, ValueError):
        found = _checks.listed(dict.fromkeys(_frame.python_values(frame["answer"])))
        msg = f"result: 'answer' must hold numbers, as tally counts them, not {found}."
        raise ParameterError(msg) from None


def _numbers(frame: _frame.Frame, name: str) -> FloatArray:
    values = _drawing.floats(frame, name)
    bad = int((~(values >= 0)).sum())  # null, too
    if bad:
        msg = f"result: {name!r} must be 0 or more in every row; {bad:,} are not. Leave them out."
        raise ParameterError(msg)
    return values


def _note(n: float, missing: float, language: str) -> str:
    if missing:
        number = _language.number(missing, "{:,.0f}", language)
        return _drawing.base(
            n, language, _language.say("{number} missing", language, number=number)
        )
    return _drawing.base(n, language, *([] if n else [_language.say("no answers", language)]))


# ---- drawing ------------------------------------------------------------------------------------


def _ends(answer: FloatArray) -> tuple[float, float]:
    if not len(answer):
        return 0.0, 1.0
    return float(answer.min()) - 0.5, float(answer.max()) + 0.5


def _name_answers(ax: Axes, answer: FloatArray, language: str) -> None:
    """Name the answers on the axis: each, or as many as there is room for."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(*_ends(answer))
    if not len(answer):
        ax.set_xticks([])
        return
    low, high = answer.min(), answer.max()
    room = _drawing.extent(ax)[0] / (high - low + 1)
    if (0.64 * len(f"{high:g}") + 0.8) * _drawing.font_size("medium") < room:
        ax.set_xticks(np.arange(low, high + 1))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _drawing.number_ticks(ax.xaxis, language)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel(_language.say("Answer", language))


def _write(ax: Axes, bars: _Bars, tops: FloatArray, language: str) -> bool:
    """Write the shares above the bars, if all of them fit, and return whether they do."""
    width, height = _drawing.extent(ax)
    low, high = _ends(bars.answer)
    size = _drawing.font_size("small")
    texts = [_share_text(value, language) for value in bars.share.tolist()]
    longest = max(map(len, texts), default=0)
    above = (1 - _HIGHEST - 0.04) * height / len(bars.labels)
    if (0.64 * longest + 0.3) * size > width / (high - low) or 1.15 * size > above:
        return False
    for text, answer, top in zip(texts, bars.answer.tolist(), tops.tolist(), strict=True):
        ax.annotate(
            text,
            (answer, top),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize="small",
        )
    return True


def _share_text(share: float, language: str) -> str:
    """Return a share as a whole percent; only none and all are written as 0 and 100."""
    text = "{:.0f}%"
    if 0 < share < 1:
        text = "<1%"
    elif 99 < share < 100:
        text = ">99%"
    return _language.number(share, text, language)
