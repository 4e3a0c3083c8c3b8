"""Pictures of result tables. Each draws on one matplotlib Axes, and returns it.

matplotlib is imported when a picture is drawn: a service that only counts never loads it.

Which picture for which table:

====================================================== =============================================
table of                                               picture
====================================================== =============================================
`nps`, `nps_from_counts`                               `nps_bars`, `estimates`; with periods `trend`
`csat`, `ces`, `csat_from_counts`, `ces_from_counts`   `estimates`; with periods `trend`
`tally`                                                `answers`
`retention_rate`, `churn_rate`, `quick_ratio`          `trend`, `estimates`
`retention_rate_from_counts`, `churn_rate_from_counts` `estimates`
`customer_flow`                                        `customer_flow`
`cohort_retention`                                     `cohort_heatmap`, `retention_curves`
`revenue_retention`                                    `trend`, `revenue_bridge`
`survival_curve`                                       `survival`
`restricted_mean`                                      `estimates`
`loyalty_tier`                                         `loyalty_tiers`
`tier_transitions`                                     `tier_transitions`
`lifecycle_stage`                                      `lifecycle_stages`
`rfm`                                                  `rfm`
`inactivity_gap`                                       `inactivity_gap`
`compare`, `compare_paired`                            `differences`
`explain_change`                                       `change_waterfall`
`scorecard`                                            `scorecard`
====================================================== =============================================

No picture of their own have:

========================================================= =========================================
result of                                                 what is drawn instead, or why nothing
========================================================= =========================================
`pool`                                                    that of the table that was pooled
`survival_quantile`                                       `survival` marks the medians
`logrank`                                                 `survival` draws the curves that it tests
`customer_lifetimes`                                      `survival`, after `survival_curve`
`cohort_matrix`, `scorecard_matrix`                       their tables, before they are made wide
`scorecard_html`                                          is a page, and holds pictures
`attach_segments`, `one_answer`, `rake`                   are rows to count, and no result
`nps_group`, `normalize_sector`, `normalize_relationship` are labels to count by
`normalize_loyalty_tier`                                  is labels to count by
`design_effect`                                           is a number
`to_records`, `from_records`, `record_schema`             are a way out and back
========================================================= =========================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from loyaltykit import _checks, _dots, _drawing, _fitting, _frame, _language, _results
from loyaltykit._answer_plots import answers
from loyaltykit._bar_plots import customer_flow, inactivity_gap
from loyaltykit._curve_plots import retention_curves
from loyaltykit._customer_plots import lifecycle_stages, loyalty_tiers, rfm
from loyaltykit._forest_plots import differences
from loyaltykit._matrix_plots import cohort_heatmap, tier_transitions
from loyaltykit._scorecard_plots import scorecard
from loyaltykit._survival_plots import survival
from loyaltykit._trend_plots import trend
from loyaltykit._waterfall_plots import change_waterfall, revenue_bridge

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language

__all__ = [
    "answers",
    "change_waterfall",
    "cohort_heatmap",
    "customer_flow",
    "differences",
    "estimates",
    "inactivity_gap",
    "lifecycle_stages",
    "loyalty_tiers",
    "nps_bars",
    "retention_curves",
    "revenue_bridge",
    "rfm",
    "scorecard",
    "survival",
    "tier_transitions",
    "trend",
]


def __dir__() -> list[str]:
    return __all__


# Dark, middle and light, each with the colour of the text on it, of a contrast above 4.5.
SHARES = {
    "detractors": (_drawing.ORANGE, "black"),
    "passives": (_drawing.LIGHT, "black"),
    "promoters": (_drawing.BLUE, "white"),
}

# Compare and survival tables lack one of these: their interval is not that of an estimate.
_NEEDED = ("metric", "n", "n_missing", *_results.ESTIMATES, *_results.WORDS)

_SHARES_END, _SCORES_START = 0.60, 0.67  # of the width of the Axes


def nps_bars(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw NPS by group: the shares as stacked bars, and beside them the score with its interval.

    The rows stand in the order of the table, from top to bottom, each with its base size. A group
    without an answer keeps its row and says so.

    Parameters
    ----------
    result : DataFrame
        A table of `nps`; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as high as the rows need.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the bars. The panel with the scores lies within it: ``ax.child_axes[0]``.

    Raises
    ------
    ParameterError
        If `result` is no table of `nps`, or mixes definitions or confidence levels.

    Notes
    -----
    The shares are in percent of the valid answers, or of their weights, and add up to 100. Segments
    too narrow for their label have none. The score is in points, from -100 to 100: the share of
    promoters less that of detractors.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.nps_from_counts(promoters=[120, 40], detractors=[30, 50], n=[200, 130])
    >>> ax = lk.plot.nps_bars(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0 (n = 200)', '1 (n = 130)']
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, (*_NEEDED, *SHARES), "nps")
    table = _drawing.read(frame, language)
    ax = _drawing.prepared(ax, table.labels, width=8.5, language=language)
    weighted = _results.weighted_names("nps")[0] in frame.columns
    counts = {name: _drawing.floats(frame, f"w_{name}" if weighted else name) for name in SHARES}
    _stack(ax, counts, language)
    scores = ax.inset_axes((_SCORES_START, 0.0, 1 - _SCORES_START, 1.0), sharey=ax)
    scores.tick_params(axis="y", labelleft=False)
    _dots.draw(scores, table)
    scores.set_xlabel(table.axis.replace(" (", "\n("))  # in two lines it fits below the panel
    ax.set_title("Net Promoter Score")
    return _fitting.fit(ax)


def estimates(result: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    """Draw the estimates of any metric as dots, each with its interval as a line.

    The rows stand in the order of the table, from top to bottom, each with its base size. A row
    without an estimate keeps its place, and its label says why. A hollow dot is a period that is
    still running.

    Parameters
    ----------
    result : DataFrame
        A table of one metric function; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on, best of a figure with ``layout="constrained"``: it leaves room for the
        labels. By default a new figure, as high as the rows need.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the dots.

    Raises
    ------
    ParameterError
        If `result` is no metric table, or mixes metrics, units, definitions or confidence levels.

    Notes
    -----
    The axis follows the data: dots need no zero to start from. Points are the exception, as their
    zero means something: it is always shown. Periods that all begin with a month are written as
    months.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> table = lk.csat_from_counts(satisfied=[160, 60], n=[200, 80], labels=["B2B", "B2C"])
    >>> ax = lk.plot.estimates(table)
    >>> ax.get_xlabel()
    'CSAT, percent (95% interval)'
    """
    _language.check_language(language)
    frame = _frame.open_frame(result, "result")
    _checks.check_result(frame.columns, _NEEDED, "a metric function")
    table = _drawing.read(frame, language)
    ax = _drawing.prepared(ax, table.labels, width=7.0, language=language)
    _dots.draw(ax, table)
    ax.set_title(table.name)
    return _fitting.fit(ax)


def _stack(ax: Axes, counts: dict[str, _drawing.FloatArray], language: str) -> None:
    """Draw the shares in percent, on the left part of the Axes."""
    total = np.sum(list(counts.values()), axis=0)
    rows = np.flatnonzero(total > 0)
    left = np.zeros(len(rows))
    points = _drawing.extent(ax)[0] * _SHARES_END
    for name, (colour, ink) in SHARES.items():
        share = 100 * counts[name][rows] / total[rows]
        bars = ax.barh(rows, share, 0.7, left=left, color=colour, edgecolor="white", label=name)
        texts = [
            _language.number(value, "{:.0f}%", language) if value * points / 100 > 24 else ""
            for value in share.tolist()
        ]
        ax.bar_label(bars, texts, label_type="center", color=ink, fontsize="small")
        left = left + share
    ax.set_xlim(0, 100 / _SHARES_END)
    ax.set_xticks([0, 25, 50, 75, 100])
    ax.get_xticklabels()[-1].set_horizontalalignment("right")  # off the panel beside it
    ax.set_xlabel(_language.say("Share of answers, percent", language), x=_SHARES_END / 2)
    _drawing.tidy(ax)
    ax.spines["bottom"].set_bounds(0, 100)
    colours = {name: colour for name, (colour, _) in SHARES.items()}
    _drawing.legend(ax, colours, _SHARES_END / 2, language=language)
