"""What the pictures share."""

import datetime as dt

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


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("year", ["2026", ""]),
        ("quarter", ["2026-Q2", ""]),
        ("month", ["2026-04", ""]),
        ("week", ["2026-04-01", ""]),
    ],
)
def test_periods_are_written_as_what_they_are(freq: str, expected: list[str]) -> None:
    for day in (dt.date(2026, 4, 1), dt.datetime(2026, 4, 1), "2026-04-01"):
        if freq == "month" and isinstance(day, str):
            continue  # the day of a text is not looked for
        assert _drawing.key_texts([day, None], "period", f"basis=log;freq={freq}") == expected


def test_labels_break_between_words_and_never_in_a_note() -> None:
    label = _drawing.row_label("a name of more than one word, and long", "(n = 5, no answers)")
    assert label.split("\n") == ["a name of more than one word, and", "long (n = 5, no answers)"]


def test_size_of_a_new_figure() -> None:
    _drawing.opened(None, 5.0, 30.0)
    height = 30.0 * plt.rcParams["font.size"] / 72
    assert plt.gcf().get_size_inches().tolist() == pytest.approx([5.0, height])
    plt.close("all")


def test_titles_say_how_it_was_counted() -> None:
    definition = "basis=contracts;freq=week;window=rolling;rule=on_or_after;grace=1"
    words = "contracts, by week, rolling window,\nrule on or after, grace 1"
    assert _drawing.titled("Cohort retention", "B2B", definition) == (
        f"Cohort retention: B2B\n{words}"
    )
    assert _drawing.titled("Customer flow", "", "") == "Customer flow"


def test_steps_of_labels_fit_the_room_and_the_calendar() -> None:
    assert _drawing.step_of(10, 100.0, 10.0) == 1
    assert _drawing.step_of(10, 100.0, 10.1) == 2
    assert _drawing.step_of(60, 100.0, 10.0, "freq=month") == 6
    assert _drawing.step_of(60, 100.0, 10.0, "freq=day") == 7
    assert _drawing.step_of(60, 100.0, 10.0) == 10
    assert _drawing.step_of(0, 100.0, 10.0) == 1


@pytest.mark.parametrize(
    ("values", "start"),
    [
        *(([10, 20], 0), ([0, 20], 0), ([11, 20], 2), ([82, 90], 74), ([-1, 20], -1)),
        *(([0, 0], 0), ([100, 100], 95), ([99, 100], 94)),
    ],
)
def test_scales_begin_below_the_values_and_not_below_zero(
    values: list[float], start: float
) -> None:
    assert _drawing.scale_start(np.array(values, dtype=np.float64)) == start


def test_one_row_a_place(engine: Engine) -> None:
    frame = _frame.open_frame(engine.frame({"x": ["a", "a", None], "y": [1, 2, 2]}))
    _drawing.refuse_twice(frame, ("x", "y"))
    with pytest.raises(ParameterError, match=r"^result has several rows of y 2\. Select one table"):
        _drawing.refuse_twice(frame, ("y",))
    assert _drawing.group_title(frame[:2], ("x",), "") == "a"


def test_extent_within_parts_of_a_figure() -> None:
    figure = plt.figure(figsize=(4, 2), layout="constrained")
    ax = figure.add_subfigure(figure.add_gridspec(1, 2)[0]).subplots()
    width, height = _drawing.extent(ax)
    assert 72 < width < 144
    assert 72 < height < 144
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


def test_ages_that_begin_a_bracket_are_the_whole_of_it() -> None:
    definition = "basis=log;freq=month;window=calendar;rule=brackets(0,1,4,8)"
    assert _drawing.age_texts([0, 1, 4], definition) == ["0", "1\N{EN DASH}3", "4\N{EN DASH}7"]
    assert _drawing.age_texts([0, 1, 4], "basis=log;freq=month;rule=on") == ["0", "1", "4"]


def test_days_of_periods(engine: Engine) -> None:
    frame = _frame.open_frame(engine.frame({"x": [dt.date(1970, 1, 2), dt.date(1969, 12, 31)]}))
    assert _drawing.days(frame, "x").tolist() == [1, -1]
    assert _drawing.days(frame[:0], "x").tolist() == []
    texts = _frame.open_frame(engine.frame({"x": ["1970-01-03", "1970-01-01T00:00:00"]}))
    assert _drawing.days(texts, "x").tolist() == [2, 0]
    for bad in ([2025, 2026], [dt.date(1970, 1, 2), None], ["1970-01-01", "1970-Q2"]):
        rows = _frame.open_frame(engine.frame({"x": bad}))
        with pytest.raises(
            ParameterError, match=r"^result: 'x' must hold a date in every row, not"
        ):
            _drawing.days(rows, "x")


def test_coverage_is_observed_where_nothing_is_said(engine: Engine) -> None:
    frame = _frame.open_frame(engine.frame({"coverage": ["partial", None], "x": [1, 2]}))
    assert _drawing.coverages(frame) == ["partial", "observed"]
    assert _drawing.coverages(frame.select("x")) == ["observed", "observed"]


def test_keys_of_one_level_and_of_several(engine: Engine) -> None:
    frame = _frame.open_frame(engine.frame({"x": ["a", None], "y": [1, 1]}))
    assert _drawing.parted(frame, ["x", "y"]) == (["x"], ["y"])
    assert _drawing.group_names(_frame.group(frame, ["x", "y"]), ["x", "y"], "") == [
        "a, 1",
        "(missing), 1",
    ]
    assert _drawing.group_names(_frame.group(frame, []), [], "") == ["All"]


def test_definitions_of_revenue_are_told_by_what_is_unusual() -> None:
    usual = "basis=log;freq=month;trailing=1;reactivation=apart;amount=mrr"
    assert _drawing.titled("NRR", "", usual) == "NRR\nby month, amount mrr"
    plain = usual.replace("=mrr", "=amount")
    assert _drawing.titled("NRR", "", plain) == "NRR\nby month"
    other = "basis=contracts;freq=month;trailing=12;reactivation=included;amount=mrr"
    assert _drawing.titled("NRR", "", other) == (
        "NRR\ncontracts, by month, trailing 12,\nwith reactivation, amount mrr"
    )


def test_texts_in_indonesian() -> None:
    definition = "basis=log;freq=month;window=rolling;rule=on_or_after"
    assert _drawing.titled("Retensi kohor", "B2B", definition, "id") == (
        "Retensi kohor: B2B\nper bulan, jendela bergulir,\naturan tepat atau sesudah"
    )
    assert _drawing.ages_label(definition, "id") == "Umur kohor, bulan"
    assert _drawing.axis_name("NPS", "points", 0.999, "id") == "NPS, poin (interval 99,9%)"
    assert _drawing.base(1816, "id", "belum lengkap") == "(n = 1.816, belum lengkap)"
    assert _drawing.value_text(-1234.5, "{:,.1f}", "id") == "\N{MINUS SIGN}1.234,5"
    assert _drawing.plain_text(None, "id") == "(kosong)"


def test_periods_that_step_by_quarters_are_written_as_quarters() -> None:
    quarters = [dt.date(2025, 7, 1), dt.date(2025, 10, 1), None]
    assert _drawing.key_texts(quarters, "period", "scale=0..10") == ["2025-Q3", "2025-Q4", ""]
    # A year apart they may be anything, and one month between them makes them months.
    years = [dt.date(2024, 1, 1), dt.date(2025, 1, 1)]
    assert _drawing.key_texts(years, "period", "") == ["2024-01", "2025-01"]
    months = [dt.date(2025, 7, 1), dt.date(2025, 8, 1), dt.date(2025, 10, 1)]
    assert _drawing.key_texts(months, "period", "")[2] == "2025-10"
