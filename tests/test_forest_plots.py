"""The picture of comparisons: rows, dots, texts, and what may be chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import loyaltykit as lk
from loyaltykit.errors import ParameterError

if TYPE_CHECKING:
    from conftest import Engine

mpl.use("Agg")

MINUS = "\N{MINUS SIGN}"
COUNTS: dict[str, Any] = {
    "promoters": [60, 30, 31],
    "detractors": [10, 40, 39],
    "n": [100, 100, 1000],
    "labels": {"sector": ["B2B", "B2C", "NPO"]},
}


@pytest.fixture(autouse=True)
def _close() -> Any:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def labels(ax: Any) -> list[str]:
    return [" ".join(label.get_text().split()) for label in ax.get_yticklabels()]


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def dots(ax: Any) -> list[Any]:
    return [line for line in ax.lines if line.get_marker() == "o"]


def test_a_row_per_comparison(engine: Engine) -> None:
    frame = engine.frame({"sector": ["a"] * 30 + ["b"] * 30, "score": [10] * 30 + [3, 10, 8] * 10})
    table = lk.compare(lk.nps(frame, "score", by="sector"), "sector")
    ax = lk.plot.differences(table)
    assert labels(ax) == ["a against b (n = 30 and 30)"]
    assert texts(ax) == ["+100.0\np < 0.001"]
    assert ax.get_title() == "NPS\np adjusted by Holm, comparisons: 1"
    assert ax.get_xlabel() == "Difference in NPS, points (95% interval)"


def test_hollow_dots_may_be_chance() -> None:
    table = lk.compare(lk.nps_from_counts(**COUNTS), "sector", adjust="none")
    ax = lk.plot.differences(table)
    assert table["p_adjusted"].lt(0.05).tolist() == [True, True, False]
    fills = [dot.get_markerfacecolor() for dot in dots(ax)]
    assert fills[0] == fills[1] != fills[2]
    assert [float(dot.get_xdata()[0]) for dot in dots(ax)] == table["difference"].tolist()
    low, high = ax.get_xlim()
    assert low < 0 < high
    assert low < table["ci_low"].min()
    assert table["ci_high"].max() < high
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "Clear: p below 0.05",
        "May be chance",
    ]


def test_the_rest_and_the_other_keys() -> None:
    answers = pd.DataFrame(
        {"a": list("xxyy") * 20, "b": list("pqpq") * 20, "s": [10, 3, 9, 8] * 20}
    )
    table = lk.compare(lk.nps(answers, "s", by=["a", "b"]), "b", reference="rest", adjust="bh")
    ax = lk.plot.differences(table)
    assert labels(ax)[0] == "x, p against the rest (n = 20 and 20)"
    assert "Benjamini and Hochberg, comparisons: 4" in ax.get_title()


def test_in_indonesian() -> None:
    table = lk.compare(lk.nps_from_counts(**COUNTS), "sector", reference="rest")
    ax = lk.plot.differences(table, language="id")
    assert labels(ax)[2] == "NPO dibanding lainnya (n = 1.000 dan 200)"
    assert texts(ax)[0].startswith("+")
    assert "," in texts(ax)[0]
    assert ax.get_xlabel() == "Selisih NPS, poin (interval 95%)"


def test_paired_answers() -> None:
    answers = pd.DataFrame({"before": [3, 7, 9, 10, 8] * 8, "after": [7, 8, 10, 10, 9] * 8})
    table = lk.compare_paired(answers, "before", "after", metric="nps")
    ax = lk.plot.differences(table)
    assert labels(ax) == ["after against before (n = 40 and 40)"]


def test_rows_without_a_difference_keep_their_place() -> None:
    table = lk.compare(lk.csat_from_counts(satisfied=[5, 0], n=[9, 0], labels=["a", "b"]), "group")
    ax = lk.plot.differences(table)
    assert labels(ax) == ["a against b (n = 9 and 0)"]
    assert np.isnan(table["difference"]).all()
    assert (dots(ax), texts(ax)) == ([], [])


def test_no_rows() -> None:
    table = lk.compare(lk.nps_from_counts(**COUNTS), "sector").head(0)
    ax = lk.plot.differences(table)
    assert texts(ax) == ["no rows"]
    assert ax.get_title() == ""


def test_other_tables_are_refused() -> None:
    with pytest.raises(ParameterError, match="compare"):
        lk.plot.differences(lk.nps_from_counts(**COUNTS))
    table = lk.compare(lk.nps_from_counts(**COUNTS), "sector")
    other = lk.compare(lk.csat_from_counts(satisfied=[5, 6], n=[9, 9]), "group")
    other = other.rename(columns={"group": "sector"})
    with pytest.raises(ParameterError, match="mixes metric: 'csat', 'nps'"):
        lk.plot.differences(pd.concat([table, other]))
