"""The picture of a scorecard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loyaltykit import _cards, _drawing, _language, _panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from loyaltykit._language import Language


def scorecard(card: Any, *, language: Language = "en", ax: Axes | None = None) -> Axes:
    r"""Draw a scorecard as small multiples: a panel per name, a row per group.

    Every panel has the latest period that is observed in full, its own axis, and beside each dot
    the estimate and the base size. Where the card holds changes, a grey stroke is the period
    before, and a triangle with the difference marks a change that is clear.

    Parameters
    ----------
    card : DataFrame
        A table of `scorecard`; a pandas, Polars or PyArrow frame.
    language : {"en", "id"}, optional
        The language of the words and numbers in the picture: English or Indonesian.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on. By default a new figure, as large as the panels need.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes that hold the panels: ``ax.child_axes``, in the order of the names.

    Raises
    ------
    ParameterError
        If `card` is no scorecard, or holds a name twice for one group and period.

    Notes
    -----
    Lines are confidence intervals. Panels have axes of their own: lengths compare within a panel,
    not across. A change is clear where its adjusted p-value is below 1 minus the confidence level.
    A group that a name has no row for has no dot; one without an estimate says so.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> nps = lk.nps_from_counts(promoters=[50, 9], detractors=[20, 8], n=[100, 30])
    >>> csat = lk.csat_from_counts(satisfied=[80, 20], n=[100, 30])
    >>> ax = lk.plot.scorecard(lk.scorecard(nps, csat))
    >>> [panel.get_title("left") for panel in ax.child_axes]
    ['NPS', 'CSAT']
    >>> [text.get_text() for text in ax.child_axes[0].texts]
    ['+30\nn = 100', '+3\nn = 30']
    """
    _language.check_language(language)
    read = _cards.read(card)
    width, height = _panels.size(read)
    ax = _drawing.opened(ax, width, height * 72 / _drawing.font_size("medium"))
    return _panels.draw(ax, read, language)
