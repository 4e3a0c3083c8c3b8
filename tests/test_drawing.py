"""What the pictures share."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import Engine
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from loyaltykit import _drawing, _frame
from loyaltykit.errors import ParameterError

mpl.use("Agg")


def test_floats_of_nulls(engine: Engine) -> None:
    frame = _frame.open_frame(engine.frame({"x": [1, None, 3], "none": [None, None, None]}))
    np.testing.assert_array_equal(_drawing.floats(frame, "x"), [1.0, np.nan, 3.0])
    assert np.isnan(_drawing.floats(frame, "none")).all()


def test_one_level_and_one_value(engine: Engine) -> None:
    frame = _frame.open_frame(engine.frame({"x": ["a", "a"], "y": ["a", None]}))
    assert _drawing.one_level(frame, "x") == ["a"]
    assert _drawing.constant(frame, "x") == "a"
    assert _drawing.one_level(frame[:0], "x") == []
    assert _drawing.constant(frame[:0], "x") is None
    with pytest.raises(
        ParameterError, match=r"^result holds several 'y': '\(missing\)', 'a'\. Sel"
    ):
        _drawing.one_level(frame, "y")
    with pytest.raises(ParameterError, match=r"^result mixes y: None, 'a'\."):
        _drawing.constant(frame, "y")


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(-0.04, "{:+.1f}", "0.0"), (-3.0, "{:+.0f}", "\N{MINUS SIGN}3"), (3.0, "{:+.0f}", "+3")],
)
def test_signs_of_values(value: float, form: str, text: str) -> None:
    assert _drawing.value_text(value, form) == text


def test_labels_break_between_words_and_never_in_a_note() -> None:
    label = _drawing.row_label("a name of more than one word, and long", "(n = 5, no answers)")
    assert label.split("\n") == ["a name of more than one word, and", "long (n = 5, no answers)"]


def test_size_of_a_new_figure() -> None:
    _drawing.opened(None, 5.0, 30.0)
    height = 30.0 * plt.rcParams["font.size"] / 72
    assert plt.gcf().get_size_inches().tolist() == pytest.approx([5.0, height])
    plt.close("all")


def test_legend_takes_colours_and_keys() -> None:
    ax = Figure().subplots()
    _drawing.legend(ax, {"one": _drawing.BLUE, "two": Line2D([], [], marker="o")})
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["One", "Two"]
    (patch,) = legend.get_patches()
    assert patch.get_facecolor()[:3] == to_rgb(_drawing.BLUE)
    assert len(legend.get_lines()) == 1
