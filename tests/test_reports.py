"""Scorecards as pages: valid, self-contained, escaped, and saying what the card says."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from conftest import Engine

import loyaltykit as lk
from loyaltykit.errors import ParameterError

HOSTILE = "<script>alert(\"1\")</script> & 'quoted' $x$ \N{HEBREW LETTER SHIN} \N{GRINNING FACE}"
VOID = {"meta", "br", "img"}
UP = "\N{BLACK UP-POINTING TRIANGLE}"
# Of 20 promoters among 20: the score interval ends where a detractor among them is likely enough.
LOW = f"{lk.nps_from_counts(promoters=20, detractors=0, n=20)['ci_low'][0]:+.1f}"


class Page(HTMLParser):
    """Reads a page, refuses tags that do not nest, and keeps texts and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def answers() -> dict[str, list[Any]]:
    return {
        "sector": ["B2B", "B2C"] * 40,
        "score": [10, 9, 3, 8] * 10 + [10, 9, 9, 10] * 10,
        "day": ["2026-01-15"] * 40 + ["2026-02-15"] * 40,
    }


def card(engine: Engine, **options: Any) -> Any:
    table = lk.nps(engine.frame(answers()), "score", by="sector", time="day")
    total = lk.pool(table, over="sector")
    return lk.scorecard(table, total, reference="previous", adjust="none", **options)


def test_a_page_says_what_the_card_says(engine: Engine) -> None:
    page = Page(lk.scorecard_html(card(engine), title="February"))
    assert page.text.startswith("February body {")
    assert "Sector" in page.text
    assert "NPS points, 2026-02-01" in page.text
    assert f"B2B +100.0 {LOW} to +100.0 n = 20 {UP} +100.0 clear rise from 2026-01-01" in page.text
    assert "All periods: 6 rows" in page.text
    assert "scale=0..10;promoter>=9;detractor<=6 , score, 95% interval" in page.text
    assert page.tags.count("section") == page.tags.count("img") == 2


def test_it_stands_alone() -> None:
    page = Page(lk.scorecard_html(card(Engine("pandas"))))
    sources = [value for name, value in page.attributes if name in ("src", "href", "srcset")]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert base64.b64decode(sources[0].partition(",")[2]).startswith(b"\x89PNG")
    assert {"script", "link", "iframe", "object"} & set(page.tags) == set()
    style = lk.scorecard_html(card(Engine("pandas")))
    assert re.findall(r"url\(|@import|https?:|\bon\w+=", style) == []


def test_texts_of_the_caller_are_escaped() -> None:
    table = lk.csat_from_counts(satisfied=[5], n=[9], labels={HOSTILE: [HOSTILE]})
    whole = lk.scorecard_html(lk.scorecard(table, names=[HOSTILE]), title=HOSTILE)
    page = Page(whole)
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) >= 5
    assert HOSTILE not in whole
    assert 'lang="en"' in whole


def test_in_indonesian() -> None:
    whole = lk.scorecard_html(card(Engine("pandas")), language="id")
    text = Page(whole).text
    assert 'lang="id"' in whole
    assert text.startswith("Kartu skor pelanggan")
    assert f"+100,0 {LOW.replace('.', ',')} sampai +100,0 n = 20" in text
    assert "naik dengan jelas sejak 2026-01-01" in text
    assert "Cara membaca" in text


def test_a_change_that_is_none() -> None:
    same = pd.DataFrame(
        {
            "score": [10, 3] * 40,
            "day": ["2026-01-15", "2026-01-15"] * 20 + ["2026-02-15", "2026-02-15"] * 20,
        }
    )
    table = lk.nps(same, "score", time="day")
    text = Page(lk.scorecard_html(lk.scorecard(table, reference="previous"))).text
    assert "no clear change from 2026-01-01 (0.0)" in text
    assert "clear rise from" not in text


def test_groups_without_an_estimate_or_a_row() -> None:
    nps = lk.nps_from_counts(
        promoters=[5, 0], detractors=[1, 0], n=[9, 0], labels={"site": ["north", "south"]}
    )
    csat = lk.csat_from_counts(satisfied=[3], n=[4], labels={"site": ["north"]})
    text = Page(lk.scorecard_html(lk.scorecard(nps, csat))).text
    assert "south no data n = 0 \N{EN DASH}" in text
    assert "All periods" not in text


def test_many_rows_have_a_table_alone() -> None:
    table = lk.csat_from_counts(satisfied=[5] * 300, n=[9] * 300)
    whole = lk.scorecard_html(lk.scorecard(table))
    page = Page(whole)
    assert page.tags.count("img") == 0
    assert page.tags.count("tr") == 301
    assert len(whole) < 100_000


def test_no_rows() -> None:
    assert "no rows" in Page(lk.scorecard_html(card(Engine("pandas")).head(0))).text


def test_pyplot_keeps_no_figure() -> None:
    import matplotlib.pyplot as plt

    plt.close("all")
    lk.scorecard_html(card(Engine("pandas")))
    assert plt.get_fignums() == []


def test_bad_input() -> None:
    with pytest.raises(ParameterError, match="scorecard"):
        lk.scorecard_html(lk.csat_from_counts(satisfied=5, n=9))
    with pytest.raises(ParameterError, match="language='fr' is not one of 'en', 'id'"):
        lk.scorecard_html(card(Engine("pandas")), language="fr")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="title"):
        lk.scorecard_html(card(Engine("pandas")), title=5)  # type: ignore[arg-type]
