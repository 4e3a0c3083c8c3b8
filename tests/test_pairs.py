"""How answers count in pairs: values by point of the scale, sums by group, the two tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from loyaltykit import _differences, _frame, _pairs, _tally
from loyaltykit.errors import ParameterError

DEFAULTS: dict[str, dict[str, Any]] = {
    "nps": {"promoter_min": 9, "detractor_max": 6},
    "csat": {"satisfied_min": None},
    "ces": {"direction": "ease", "statistic": "mean", "easy_min": None},
}


def rule(metric: str, **changed: Any) -> _pairs.Rule:
    scale = changed.pop("scale", None)
    return _pairs.rule_of(metric, scale, {**DEFAULTS, metric: {**DEFAULTS[metric], **changed}})


@pytest.mark.parametrize(
    ("made", "values", "unit", "method"),
    [
        (rule("nps"), [*[-1] * 7, 0, 0, 1, 1], "points", "paired_t"),
        (rule("csat"), [0, 0, 0, 1, 1], "percentage_points", "mcnemar"),
        (rule("csat", scale=(1, 3)), [0, 0, 1], "percentage_points", "mcnemar"),
        (rule("ces"), [1, 2, 3, 4, 5, 6, 7], "scale_points", "paired_t"),
        (rule("ces", statistic="box"), [0] * 4 + [1] * 3, "percentage_points", "mcnemar"),
        (rule("ces", statistic="net"), [-1] * 3 + [0] + [1] * 3, "points", "paired_t"),
        (
            rule("ces", statistic="net", direction="effort"),
            [1] * 3 + [0] + [-1] * 3,
            "points",
            "paired_t",
        ),
        (rule("ces", statistic="box", easy_min=7), [0] * 6 + [1], "percentage_points", "mcnemar"),
    ],
)
def test_values(made: _pairs.Rule, values: list[int], unit: str, method: str) -> None:
    assert made.value.tolist() == values
    assert (made.unit, made.method) == (unit, method)
    # No two answers differ by more than the reach.
    assert np.ptp(made.value) == made.reach
    assert made.low_is_good == ("direction=effort" in made.definition)


TWO_SIDED = _differences.Pivot("two-sided", 0.95)


def test_parameters_of_another_metric() -> None:
    with pytest.raises(ParameterError, match=r"^'promoter_min' belongs to metric='nps', and"):
        _pairs.rule_of("csat", None, {**DEFAULTS, "nps": {"promoter_min": 8, "detractor_max": 6}})


def test_rows_may_stand_for_several() -> None:
    """Distinct rows with their number give what the rows give one by one."""
    rows = pd.DataFrame({"key": [*"aabab"], "x": [9, 3, 10, None, 7], "y": [9, 9, None, 4, 10]})
    times = np.array([3, 1, 2, 4, 5])
    scale = _tally.make_scale((0, 10), ())

    def counted(frame: pd.DataFrame, rows: Any) -> Any:
        opened = _frame.open_frame(frame)
        return _pairs.counted(opened, "x", "y", ["key"], rule("nps"), scale, "raise", rows)

    once, each = counted(rows, times), counted(rows.loc[rows.index.repeat(times)], None)
    assert once[0].to_dict(as_series=False) == each[0].to_dict(as_series=False)
    assert [field.tolist() for field in once[1]] == [field.tolist() for field in each[1]]
    # a: 9 to 9 three times, 3 to 9 once; b: 7 to 10 five times.
    assert once[1].n.tolist() == [4, 5]
    assert once[1].missing.tolist() == [4, 2]
    assert once[1].before.tolist() == [2, 0]
    assert once[1].after.tolist() == [4, 5]
    assert once[1].squares.tolist() == [4, 5]
    assert once[1].gained.tolist() == [1, 5]
    assert once[1].lost.tolist() == [0, 0]


def pairs(**sums: list[int]) -> _pairs.Pairs:
    zeros = dict.fromkeys(_pairs.Pairs._fields, [0] * len(sums["n"]))
    return _pairs.Pairs(**{name: np.array(v) for name, v in {**zeros, **sums}.items()})


def test_paired_t_of_100000_groups_at_once() -> None:
    """All groups in one call: the first is checked by itself."""
    rng = np.random.default_rng(5)
    change = rng.integers(-2, 3, (100_000, 6))
    sums = pairs(
        n=[6] * 100_000,
        after=change.sum(axis=1).tolist(),
        squares=(change**2).sum(axis=1).tolist(),
    )
    made = _pairs.tested(sums, rule("nps"), TWO_SIDED)
    wanted = stats.ttest_1samp(change[0], 0)
    assert [made.statistic[0], made.p_value[0]] == pytest.approx(
        [wanted.statistic, wanted.pvalue], rel=1e-10
    )
    flat = (change == change[:, :1]).all(axis=1)
    assert np.isnan(made.p_value).sum() == flat.sum() > 0


def test_mcnemar_depends_on_those_who_changed_only() -> None:
    sums = pairs(n=[20, 2000, 0, 5], gained=[9, 9, 0, 0], lost=[3, 3, 0, 0])
    made = _pairs.tested(sums, rule("csat"), TWO_SIDED)
    # z = 6 / sqrt(12), p from the normal table.
    assert made.statistic[:2] == pytest.approx([3**0.5] * 2)
    assert made.p_value[:2] == pytest.approx([0.0833] * 2, abs=5e-5)
    assert np.isnan(made.p_value[2])
    assert np.isnan(made.ci_low[2])
    assert (made.statistic[3], made.p_value[3]) == (0, 1)
    assert np.isnan(made.df).all()
