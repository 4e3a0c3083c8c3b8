"""What the survey metrics share: here the bootstrap, drawn from the counts of every group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Engine, frame_rows

import loyaltykit as lk
from loyaltykit.errors import ParameterError

ANSWERS = [1, 2, 2, 3, 4, 4, 5, 5, 5, 5, 3, 4]
CALLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "nps": (lk.nps, {"scale": (1, 5), "promoter_min": 5, "detractor_max": 2}),
    "csat": (lk.csat, {}),
    "ces mean": (lk.ces, {"scale": (1, 5)}),
    "ces box": (lk.ces, {"scale": (1, 5), "statistic": "box"}),
    "ces net": (lk.ces, {"scale": (1, 5), "statistic": "net"}),
}


@pytest.mark.parametrize("name", CALLS)
def test_bootstrap(engine: Engine, name: str) -> None:
    metric, options = CALLS[name]
    frame = engine.frame({"a": [*ANSWERS, None, 3], "k": ["x"] * 12 + ["none", "one"]})
    drawn = metric(frame, "a", by="k", method="bootstrap", rng=7, n_resamples=4000, **options)
    usual = metric(frame, "a", by="k", **options)
    rows, plain = frame_rows(drawn), frame_rows(usual)
    same = ("k", "n", "n_missing", "estimate", "std_error", "unit", "definition")
    by_key = {row["k"]: row for row in rows}
    x, none, one = by_key["x"], by_key["none"], by_key["one"]
    for row, other in zip(rows, plain, strict=True):
        assert [row[c] for c in same] == [other[c] for c in same]
        assert row["method"] == "bootstrap"
    assert x["ci_low"] < x["estimate"] < x["ci_high"]
    # About as wide as the error says: twelve answers leave steps.
    assert x["ci_high"] - x["ci_low"] == pytest.approx(2 * 1.96 * x["std_error"], rel=0.25)
    assert (none["ci_low"], none["ci_high"]) == (None, None)
    assert one["ci_low"] == one["ci_high"] == one["estimate"]  # one answer drawn again is itself


def test_a_seed_is_a_table_and_a_generator_goes_on() -> None:
    def limits(rng: Any) -> list[float]:
        table = lk.nps([10, 9, 8, 7, 3, 0, 10, 9], method="bootstrap", rng=rng, n_resamples=500)
        return [table["ci_low"].item(), table["ci_high"].item()]

    assert limits(5) == limits(5) == limits(np.random.default_rng(5))
    generator = np.random.default_rng(5)
    assert limits(generator) == limits(5)
    state = generator.bit_generator.state
    limits(generator)
    assert generator.bit_generator.state != state


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rng": "seed"}, TypeError, "^rng must be None, a whole number"),
        ({"n_resamples": 5}, ParameterError, "^n_resamples=5 must be at least"),
        ({"method": "boot"}, ParameterError, "Did you mean 'bootstrap'"),
    ],
)
def test_refusals(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lk.nps(pd.Series([10, 9]), **{"method": "bootstrap", **options})
