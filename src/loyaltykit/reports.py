"""A scorecard as a page of its own, for a mail or a wiki: one file, with nothing to fetch."""

from __future__ import annotations

import base64
import html
import io
import math
from typing import TYPE_CHECKING, Any

from loyaltykit import _cards, _checks, _drawing, _language, _panels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loyaltykit._language import Language

# So many groups are drawn; of more, the table is easier to read than a picture.
_DRAWN = 30
_FORMS = {"points": "{:+.1f}", "percent": "{:.1f}%", "scale_points": "{:.2f}"}
_DPI = 110

_STYLE = """
body { font: 16px/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif;
  color: #1b1b1b; background: #fff; max-width: 76rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h1, h2, th, td, dt, dd { overflow-wrap: anywhere; }
.about, figcaption, small, .ci, .n { color: #555; }
.scroll { overflow: auto; max-height: 85vh; border: 1px solid #d0d0d0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem;
  border-bottom: 1px solid #e4e4e4; min-width: 6.5rem; }
thead th { position: sticky; top: 0; background: #f3f5f7; z-index: 1; }
tbody th { font-weight: 600; }
td b { font-size: 1.05rem; }
td span { display: block; font-size: .85rem; }
small { white-space: nowrap; }
tbody th { position: sticky; left: 0; background: #fff; }
.rise { color: #00578f; font-weight: 600; }
.fall { color: #8a4b00; font-weight: 600; }
.wide td, .wide th { padding: .25rem .5rem; font-size: .85rem; }
figure { margin: 1rem 0; overflow-x: auto; }
img { max-width: 100%; min-width: 40rem; height: auto; }
dt { font-weight: 600; margin-top: .4rem; }
dd { margin: 0; }
summary { cursor: pointer; margin: 1.2rem 0 .4rem; }
@media print { .scroll { max-height: none; overflow: visible; border: 0; }
  thead th { position: static; } tr, figure { break-inside: avoid; } }
""".strip()


def scorecard_html(card: Any, *, title: str | None = None, language: Language = "en") -> str:
    """Return a scorecard as one HTML page: tables, pictures, and how to read them.

    The page stands alone: it has no script, fetches nothing, and its pictures are within it. It can
    be written to a file, attached to a mail or put on a wiki.

    Parameters
    ----------
    card : DataFrame
        A table of `scorecard`; a pandas, Polars or PyArrow frame.
    title : str, optional
        The heading; "Customer scorecard" by default.
    language : {"en", "id"}, optional
        The language of the words and numbers on the page: English or Indonesian.

    Returns
    -------
    str
        The page, to be written as UTF-8.

    Raises
    ------
    ParameterError
        If `card` is no scorecard, or holds a name twice for one group and period.

    Notes
    -----
    There is a section per dimension, with a row per level and a column per name. A cell holds the
    estimate of the latest period that is observed in full, its interval and its base size and,
    where the card holds changes (``scorecard(..., reference="previous")``), what moved since the
    period before: a rise or a fall where the adjusted p-value is below 1 minus the confidence
    level, or that there is no clear change. All periods follow in a table that unfolds. The
    definition of every name closes the page.

    Everything that comes from the card or from `title` is escaped. Sections of more than 30 levels
    have a table alone.

    Examples
    --------
    >>> import loyaltykit as lk
    >>> nps = lk.nps_from_counts(promoters=[50, 9], detractors=[20, 8], n=[100, 30])
    >>> page = lk.scorecard_html(lk.scorecard(nps), title="Q3 <draft>")
    >>> page[:15], "<h1>Q3 &lt;draft&gt;</h1>" in page, "n = 100" in page
    ('<!DOCTYPE html>', True, True)
    """
    _language.check_language(language)
    if title is not None:
        _checks.check_name("title", title)
    read = _cards.read(card)
    heading = title or _language.say("Customer scorecard", language)
    parts = [f"<h1>{_text(heading)}</h1>", _about(read, language)]
    for dimension in dict.fromkeys(dimension for dimension, _ in read.groups):
        parts.append(_section(_part(read, dimension), dimension, language))
    if any(one.period is not None for one in read.entries):
        parts.append(_all_periods(read, language))
    if read.entries:
        parts += [_reading(read, language), _definitions(read, language)]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(heading)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _about(read: _cards.Card, language: str) -> str:
    """Return what the page shows, and until when."""
    if not read.entries:
        return f'<p class="about">{_language.say("no rows", language)}</p>'
    said = [_language.say("Estimates with intervals and base sizes.", language)]
    if any(period is not None for period in read.latest.values()):
        said.append(_language.say("The latest periods that are observed in full.", language))
    seen = sorted({one.as_of for one in read.entries if one.as_of is not None})
    if seen:
        said.append(_language.say("Observed until {day}.", language, day=seen[-1]))
    return f'<p class="about">{_text(" ".join(said))}</p>'


def _part(read: _cards.Card, dimension: str) -> _cards.Card:
    """Return the rows of one dimension, and the names that have any."""
    entries = [one for one in read.entries if one.group[0] == dimension]
    names = [name for name in read.names if any(one.name == name for one in entries)]
    now = {place: one for place, one in read.now.items() if place[1][0] == dimension}
    groups = [group for group in read.groups if group[0] == dimension]
    return read._replace(entries=entries, names=names, groups=groups, now=now)


def _section(read: _cards.Card, dimension: str, language: str) -> str:
    """Return the table of one dimension, and its picture."""
    name = _text(_drawing.heading(dimension, language))
    heads = [f'<th scope="col">{name}</th>', *(_head(read, one, language) for one in read.names)]
    rows = []
    for group in read.groups:
        cells = [_cell(read.now.get((one, group)), language) for one in read.names]
        level = _text(_level(group, language))
        rows.append(f'<tr><th scope="row">{level}</th>{"".join(cells)}</tr>')
    table = _table(heads, rows)
    if len(read.groups) > _DRAWN:
        return f"<section>\n<h2>{name}</h2>\n{table}\n</section>"
    caption = _language.say("Lines are intervals; every panel has an axis of its own.", language)
    alt = _text(f"{_drawing.heading(dimension, language)}: {', '.join(read.names)}")
    return (
        f"<section>\n<h2>{name}</h2>\n{table}\n"
        f'<figure><img alt="{alt}" src="data:image/png;base64,{_picture(read, language)}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>\n</section>"
    )


def _table(heads: Sequence[str], rows: Sequence[str], kind: str = "") -> str:
    body = "\n".join(rows)
    return (
        f'<div class="scroll{kind}" tabindex="0"><table>\n'
        f"<thead><tr>{''.join(heads)}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _level(group: _cards.Group, language: str) -> str:
    dimension, level = group
    return _language.word(level, language) if dimension == "total" else level


def _head(read: _cards.Card, name: str, language: str) -> str:
    entries = [one for one in read.entries if one.name == name]
    title = _panels.title(entries, name, language)
    period = read.latest[name]
    about = ", ".join([_language.word(entries[0].unit, language), *([period] if period else [])])
    return f'<th scope="col">{_text(title)}<br><small>{_text(about)}</small></th>'


def _cell(entry: _cards.Entry | None, language: str) -> str:
    """Return what is known of one group: how much, how sure, on how many, and what moved."""
    if entry is None:
        return "<td>\N{EN DASH}</td>"
    base = f'<span class="n">{_text(_drawing.size_text(entry.n, language))}</span>'
    if math.isnan(entry.estimate):
        nothing = _language.say("no estimate" if entry.n > 0 else "no data", language)
        return f"<td>{_text(nothing)}{base}</td>"
    value = _text(_number(entry.estimate, entry.unit, language))
    between = _text(_between(entry.low, entry.high, entry.unit, language))
    limits = f'<span class="ci">{between}</span>' if between else ""
    return f"<td><b>{value}</b>{limits}{base}{_change(entry, language)}</td>"


def _number(value: float, unit: str, language: str) -> str:
    return _drawing.value_text(value, _FORMS.get(unit, "{:.3g}"), language)


def _between(low: float, high: float, unit: str, language: str) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    first, last = (_number(limit, unit, language) for limit in (low, high))
    return _language.say("{first} to {last}", language, first=first, last=last)


def _change(entry: _cards.Entry, language: str) -> str:
    """Return what moved since the period before: in words and sign, not by colour alone."""
    change = entry.change
    if change is None:
        return ""
    by = _panels.change_text(entry, language)
    if not by:
        return f"<span>{_text(_language.say('change not known', language))}</span>"
    if not entry.is_clear:
        said = _language.say(
            "no clear change from {period} ({by})", language, period=change.reference, by=by
        )
        return f"<span>{_text(said)}</span>"
    rises = change.difference > 0
    mark, kind = (_panels.UP, "rise") if rises else (_panels.DOWN, "fall")
    word = _language.say(
        "clear rise from {period}" if rises else "clear fall from {period}",
        language,
        period=change.reference,
    )
    return f'<span class="{kind}">{mark} {_text(by)} {_text(word)}</span>'


def _picture(read: _cards.Card, language: str) -> str:
    """Return the small multiples as PNG in base64."""
    from matplotlib.figure import Figure

    # Not by pyplot: a service has no windows, and figures that it keeps would pile up.
    figure = Figure(figsize=_panels.size(read), layout="constrained")
    _panels.draw(figure.subplots(), read, language)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=_DPI)
    return base64.b64encode(target.getvalue()).decode("ascii")


def _all_periods(read: _cards.Card, language: str) -> str:
    """Return every row of the card that has a period, in a table that unfolds."""
    entries = [one for one in read.entries if one.period is not None]
    names = ("name", "group", "period", "n", "missing", "estimate", "interval", "change", "p")
    heads = [f'<th scope="col">{_text(_drawing.heading(name, language))}</th>' for name in names]
    rows = [f"<tr>{''.join(_cells(one, language))}</tr>" for one in entries]
    count = _language.number(len(entries), "{:,.0f}", language)
    said = _text(_language.say("All periods: {count} rows", language, count=count))
    table = _table(heads, rows, " wide")
    return f"<details>\n<summary>{said}</summary>\n{table}\n</details>"


def _cells(entry: _cards.Entry, language: str) -> list[str]:
    """Return one row of the card in full."""
    known = not math.isnan(entry.estimate)
    open_ = "" if entry.coverage == "observed" else _language.word(entry.coverage, language)
    texts = [
        entry.name,
        _level(entry.group, language),
        " ".join(filter(None, [entry.period, f"({open_})" if open_ else ""])),
        *(
            "" if math.isnan(size) else _language.number(size, "{:,.0f}", language)
            for size in (entry.n, entry.n_missing)
        ),
        _number(entry.estimate, entry.unit, language) if known else "",
        _between(entry.low, entry.high, entry.unit, language),
        _panels.change_text(entry, language),
        ""
        if entry.change is None or math.isnan(entry.change.p)
        else _language.number(entry.change.p, "{:.3f}", language),
    ]
    return [f"<td>{_text(text)}</td>" for text in texts]


def _reading(read: _cards.Card, language: str) -> str:
    """Return how to read the page, in plain words."""
    level = _language.number(100 * read.entries[0].confidence_level, "{:g}", language)
    said = [
        _language.say(
            "The range below a number holds the true value in {level}% of such surveys or periods.",
            language,
            level=level,
        ),
        _language.say("n is how many answers or customers a number rests on.", language),
    ]
    if any(one.change is not None for one in read.entries):
        clear = (
            "A clear rise or fall is more than chance would explain, also given how many changes "
            "were looked at; without one, nothing is shown to have moved."
        )
        said.append(_language.say(clear, language))
    items = "".join(f"<li>{_text(text)}</li>" for text in said)
    return f"<h2>{_text(_language.say('How to read this', language))}</h2>\n<ul>{items}</ul>"


def _definitions(read: _cards.Card, language: str) -> str:
    """Return under which definition and method each name was computed."""
    terms = []
    for name in read.names:
        found = dict.fromkeys(
            (one.definition, one.method, one.confidence_level)
            for one in read.entries
            if one.name == name
        )
        for definition, method, level in found:
            interval = "" if math.isnan(level) else f", {_drawing.interval(level, language)}"
            terms.append(
                f"<dt>{_text(name)}</dt><dd><code>{_text(definition)}</code>, "
                f"{_text(method)}{_text(interval)}</dd>"
            )
    return f"<h2>{_text(_language.say('Definitions', language))}</h2>\n<dl>{''.join(terms)}</dl>"
