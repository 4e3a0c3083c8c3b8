"""A metric's table read back as arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import loyaltykit as lk
from loyaltykit import _estimates, _frame, _results, _samples
from loyaltykit.errors import ParameterError


def read(table: object) -> _samples.Sample:
    return _samples.read(_frame.open_frame(table, "result"))


def test_a_table_of_counts() -> None:
    table = lk.nps_from_counts(promoters=[15, 12], passives=[13, 7], detractors=[8, 12])
    sample = read(table)
    assert (sample.metric, sample.kind, sample.weighted) == ("nps", "net", None)
    assert sample.n.tolist() == [36, 31]
    assert [part.tolist() for part in sample.moments] == [[36.0, 31.0], [7.0, 0.0], [23.0, 24.0]]
    both = _samples.added(sample, np.array([0, 0]), 1)
    assert (both.n.tolist(), both.counts["promoters"].tolist()) == ([67], [27])
    assert _samples.take(sample, np.array([1, 1])).n.tolist() == [31, 31]
    made = _samples.estimated(sample, "score", 0.95)
    assert made.estimate.tolist() == table["estimate"].tolist()
    assert made.ci_low.tolist() == table["ci_low"].tolist()


def test_unobserved_and_partial_rows_are_not_known() -> None:
    log = pd.DataFrame({"id": [1, 2, 1], "day": ["2026-01-05", "2026-01-06", "2026-02-03"]})
    table = lk.retention_rate(log, "id", "day", as_of="2026-02-10")
    sample = read(table)
    assert table["coverage"].tolist() == ["unobserved", "partial"]
    assert sample.known.tolist() == [False, False]
    assert sample.n.tolist() == [0, 2]


def weighted(weights: list[list[float]], squares: list[list[float]]) -> _samples.Sample:
    """Return answers of two rows with sums of weights by bucket, as a sample of ten has them."""
    sample = read(lk.nps_from_counts(promoters=[3, 1], passives=[1, 2], detractors=[1, 2]))
    names = ("promoters", "passives", "detractors")
    columns = [np.array(sums).T for sums in (weights, squares)]
    sums = [dict(zip(names, each, strict=True)) for each in columns]
    df = np.full(2, 9.0)
    given = _estimates.Weighted(
        sums[0], sums[1], np.ones(2), np.full(2, 4.0), np.full(2, np.inf), df
    )
    return sample._replace(weighted=given)


def test_the_others_of_each_row() -> None:
    table = lk.ces_from_counts(answers=range(1, 4), n=[[1, 2, 3], [4, 0, 1], [0, 0, 0], [2, 2, 2]])
    sample = read(table)
    codes = np.array([0, 0, 0, 1])
    rest = _samples.others(sample, codes, 2)
    assert rest.n.tolist() == [5, 6, 11, 0]
    assert rest.counts["answer_sum"].tolist() == [7, 14, 21, 0]
    assert rest.known.tolist() == [True] * 4
    doubtful = sample._replace(known=np.array([True, False, True, True]))
    assert _samples.others(doubtful, codes, 2).known.tolist() == [False, True, False, True]
    without = _samples.emptied(sample, np.array([True, False, False, False]))
    assert _samples.others(without, codes, 2).n.tolist() == [5, 0, 5, 0]


def test_the_others_of_weighted_rows_are_each_other() -> None:
    sample = weighted([[3.5, 1.0, 0.25], [0.5, 2.5, 2.0]], [[5.0, 1.0, 0.0625], [0.25, 3.2, 2.5]])
    rest = _samples.others(sample, np.array([0, 0]), 1)
    alone = _samples.take(_samples.added(sample, np.array([0, 1]), 2), np.array([1, 0]))
    assert rest.weighted is not None
    assert alone.weighted is not None
    for name in ("promoters", "passives", "detractors"):
        assert rest.weighted.weights[name] == pytest.approx(alone.weighted.weights[name])
    assert rest.weighted.variance == pytest.approx(alone.weighted.variance, rel=1e-12)
    assert rest.weighted.kish == pytest.approx(alone.weighted.kish, rel=1e-12)
    assert rest.weighted.df.tolist() == [9.0, 9.0]
    emptied = _samples.emptied(sample, np.array([True, False]))
    assert emptied.weighted is not None
    assert emptied.weighted.weights["promoters"].tolist() == [0.0, 0.5]


def test_effective_sizes() -> None:
    table = lk.nps_from_counts(promoters=[3, 0], passives=[1, 0], detractors=[1, 2])
    assert _samples.effective(read(table)).tolist() == [5.0, 2.0]
    sample = weighted([[3.0, 1.0, 1.0], [0.0, 0.0, 2.0]], [[3.0, 1.0, 1.0], [0.0, 0.0, 2.0]])
    # The variance of an answer, .64, over that of the mean, 1; and Kish's size where it is 0.
    assert sample.weighted is not None
    sample = sample._replace(weighted=sample.weighted._replace(variance=np.array([1.0, 0.0])))
    assert _samples.effective(sample) == pytest.approx([0.64, 4.0])


def test_counts_of_text_are_refused_and_columns_of_nulls_are_empty() -> None:
    table = lk.nps_from_counts(promoters=[3], passives=[1], detractors=[1])
    with pytest.raises(ParameterError, match="'n' must hold numbers"):
        read(table.assign(n="many"))
    with pytest.raises(ParameterError, match="'n' must hold whole numbers, 0 or more"):
        read(table.assign(n=2.5))
    nothing = {name: pd.Series([None], dtype=object) for name in ("n", *_results.COUNTS["nps"])}
    assert read(table.assign(**nothing)).n.tolist() == [0]


def test_an_end_may_be_more_than_the_start() -> None:
    contracts = pd.DataFrame({"id": [1, 2], "start": ["2026-01-01", "2026-01-05"], "end": None})
    contracts["end"] = pd.to_datetime(contracts["end"])
    table = lk.churn_rate(
        *(contracts, "id", "start"),
        contract_end="end",
        as_of="2026-01-31",
        denominator="average",
    )
    sample = read(table)
    assert (sample.kind, sample.n.tolist(), sample.counts["end"].tolist()) == ("average", [1], [2])
    with pytest.raises(ParameterError, match=r"f takes shares.*denominator='average' is none"):
        _samples.refuse_ratios(sample, "f")
    with pytest.raises(ParameterError, match="'churned' is more than n in 1 row"):
        read(table.assign(churned=2))


def test_what_is_refused() -> None:
    table = lk.csat_from_counts(satisfied=[1, 2], n=[4, 5])
    other = lk.nps_from_counts(promoters=1, detractors=0, n=3)
    with pytest.raises(ParameterError, match="mixes metric: 'csat', 'nps'"):
        read(pd.concat([table, other]))
    with pytest.raises(ParameterError, match="lacks 'satisfied'"):
        read(table.drop(columns="satisfied"))
    with pytest.raises(ParameterError, match="'margin', which is none of a metric function"):
        read(table.assign(metric="margin"))
