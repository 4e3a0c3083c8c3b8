"""The picture of a tally: rows, bars, shares, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

import loyaltykit as lk
from loyaltykit import _answer_plots
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from conftest import Engine

mpl.use("Agg")

# B2C has been asked and gave no answer; of the 200 in NPO one gave a 1.
ANSWERS: dict[str, list[Any]] = {
    "sector": [*["B2B"] * 5, *["B2C"] * 2, *["NPO"] * 200],
    "score": [5, 5, 4, 2, None, None, None, *[1], *[5] * 199],
    "weight": [1.0, 2.0, 1.0, 4.0, 1.0, 1.0, 1.0, *[1.0] * 200],
}


@pytest.fixture(autouse=True)
def _close() -> Any:
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # where matplotlib warns
    plt.close("all")


def tally(frame: Any = None, **options: Any) -> Any:
    frame = pd.DataFrame(ANSWERS) if frame is None else frame
    return lk.tally(frame, "score", by="sector", scale=(1, 5), **options)


def labels(ax: Any) -> list[str]:
    return [" ".join(label.get_text().split()) for label in ax.get_yticklabels()]


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def bars(ax: Any) -> list[tuple[int, float, float]]:
    """Return the row of each bar, its answer and its height against the highest."""
    drawn = [bar for series in ax.containers for bar in series]
    highest = max((bar.get_height() for bar in drawn), default=1.0)
    return [
        (
            round(bar.get_y() + bar.get_height()),
            round(bar.get_x() + bar.get_width() / 2, 9),
            round(bar.get_height() / highest, 9),
        )
        for bar in drawn
    ]


def test_a_row_of_bars_for_every_group(engine: Engine) -> None:
    ax = lk.plot.answers(engine.keep(tally(engine.frame(ANSWERS))))
    assert labels(ax) == ["B2B (n = 4, 1 missing)", "B2C (n = 0, 2 missing)", "NPO (n = 200)"]
    # 25, 25, 50 percent of four answers; half a percent and all the others of 200.
    heights = {(row, answer): height for row, answer, height in bars(ax)}
    assert heights == {
        (0, 2): round(25 / 99.5, 9),
        (0, 4): round(25 / 99.5, 9),
        (0, 5): round(50 / 99.5, 9),
        (2, 1): round(0.5 / 99.5, 9),
        (2, 5): 1.0,
    }
    assert sorted(texts(ax)) == ["25%", "25%", "50%", "<1%", ">99%"]
    assert [tick for tick in ax.get_xticks() if 1 <= tick <= 5] == [1, 2, 3, 4, 5]
    assert (ax.get_title(), ax.get_xlabel()) == ("Share of each answer", "Answer")


def test_shares_by_weight() -> None:
    ax = lk.plot.answers(tally(weights="weight"))
    assert ax.get_title() == "Share of each answer, by weight"
    assert texts(ax)[:3] == ["50%", "12%", "38%"]  # 4, 1 and 3 of 8
    assert labels(ax)[0] == "B2B (n = 4, 1 missing)"


def test_stacked_tallies_and_clusters_are_added_up() -> None:
    one = lk.plot.answers(pd.concat([tally(), tally()]))
    assert labels(one)[0] == "B2B (n = 8, 2 missing)"
    assert bars(one) == bars(lk.plot.answers(tally()))
    frame = pd.DataFrame(ANSWERS).assign(shop=[i % 3 for i in range(207)])
    assert bars(lk.plot.answers(tally(frame, clusters="shop"))) == bars(one)


def test_periods_and_order_of_the_table() -> None:
    frame = pd.DataFrame({"score": [1, 5, 5], "day": ["2026-01-05", "2026-02-06", "2026-02-07"]})
    table = lk.tally(frame, "score", time="day", scale=(1, 5))
    assert labels(lk.plot.answers(table)) == ["2026-01 (n = 1)", "2026-02 (n = 2)"]
    assert labels(lk.plot.answers(table[::-1])) == ["2026-02 (n = 2)", "2026-01 (n = 1)"]
    assert labels(lk.plot.answers(lk.tally(frame, "score", scale=(1, 5)))) == ["All (n = 3)"]


def test_in_indonesian_and_small() -> None:
    _, ax = plt.subplots(figsize=(3, 3), layout="constrained")
    lk.plot.answers(tally(), language="id", ax=ax)
    assert "4, 1 kosong" in labels(ax)[0]
    assert ax.get_title().split("\n")[0] == "Bagian tiap jawaban"
    assert ax.get_xlabel() == "Jawaban"


def test_without_room_the_title_says_how_high_the_bars_are() -> None:
    frame = pd.DataFrame({"score": [*range(101), 7]})
    ax = lk.plot.answers(lk.tally(frame, "score", scale=(0, 100)))
    assert texts(ax) == []
    assert ax.get_title() == "Share of each answer\n(highest bar: 2.0%)"


@pytest.mark.parametrize(
    ("share", "text"), [(0.49, "<1%"), (1.0, "1%"), (99.6, ">99%"), (100.0, "100%")]
)
def test_only_none_and_all_are_written_as_such(share: float, text: str) -> None:
    assert _answer_plots._share_text(share, "en") == text


def test_no_answers_and_no_rows() -> None:
    nobody = tally()[lambda t: t["sector"] == "B2C"]
    ax = lk.plot.answers(nobody)
    assert (labels(ax), bars(ax), texts(ax)) == (["B2C (n = 0, 2 missing)"], [], [])
    ax = lk.plot.answers(tally().head(0))
    assert (labels(ax), texts(ax)) == ([], ["no rows"])
    zero = pd.DataFrame({"answer": [3], "n": [0]})
    assert labels(lk.plot.answers(zero)) == ["All (n = 0, no answers)"]


def test_other_tables_are_refused() -> None:
    with pytest.raises(ParameterError, match="result is not a table of tally: it lacks 'answer'"):
        lk.plot.answers(lk.nps_from_counts(promoters=1, detractors=1, n=3))
    with pytest.raises(ParameterError, match=r"'answer' must hold numbers.*'good'"):
        lk.plot.answers(pd.DataFrame({"answer": ["good"], "n": [3]}))
    with pytest.raises(ParameterError, match="'n' must be 0 or more in every row; 2 are not"):
        lk.plot.answers(pd.DataFrame({"answer": [1, 2, 3], "n": [3, None, -1]}))
