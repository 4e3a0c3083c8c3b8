"""What type checkers know: an example passes them, and mistakes do not."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "typed_report.py"

KNOWN = """
from typing import Any, assert_type

import pandas as pd
import polars as pl

import loyaltykit as lk

frame = pd.DataFrame({"score": [10, 9], "sector": ["a", "b"], "day": ["2026-01-05"] * 2})
table = lk.nps(data=frame, score="score", by=["sector"], freq="month", time="day")
assert_type(table, pd.DataFrame)
assert_type(lk.nps(pl.DataFrame({"score": [10]}), "score"), pl.DataFrame)
assert_type(lk.nps(pl.LazyFrame({"score": [10]}), "score"), pd.DataFrame)
assert_type(lk.csat([5, 4]), pd.DataFrame)
assert_type(lk.pool(table, over="period"), pd.DataFrame)
assert_type(lk.compare(table, "sector", adjust="bh"), pd.DataFrame)
assert_type(lk.scorecard(table, reference="previous"), pd.DataFrame)
assert_type(lk.retention_rate(frame, "sector", "day"), pd.DataFrame)
assert_type(lk.loyalty_tier(pl.LazyFrame({"id": [1]}), "id", "day"), pl.LazyFrame)
assert_type(lk.normalize_sector(frame["sector"]), "pd.Series[Any]")
assert_type(lk.scorecard_html(lk.scorecard(table)), str)
"""

# Each line has one mistake, which both checkers have to find.
MISTAKES = """
import pandas as pd

import loyaltykit as lk

frame = pd.DataFrame({"score": [10, 9]})
lk.nps(frame, "score", freq="months")
lk.nps(frame, "score", methods="wald")
lk.nps(frame, score=7)
lk.csat(frame, "score", errors="ignore")
lk.pool(lk.nps(frame, "score"))
lk.compare(frame, "score", adjust="bonferroni")
lk.scorecard(lk.nps(frame, "score"), reference="rest")
lk.retention_rate(frame, "id", "day", grace="1")
lk.nps(frame, "score").no_such_method()
lk.plot.trend(frame, language="fr")
"""
WRONG_LINES = list(range(7, 17))


def found_by(checker: str, folder: Path) -> tuple[dict[str, list[int]], str]:
    """Return the lines of each file that a checker finds fault with, and what it printed."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed here: make test has it")
    options = {
        "mypy": ["--strict", "--cache-dir", "cache", "--python-executable", sys.executable],
        "pyright": ["--pythonpath", sys.executable],
    }
    names = sorted(path.name for path in folder.glob("*.py"))
    command = [sys.executable, "-m", checker, *options[checker], *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found: dict[str, set[int]] = {name: set() for name in names}
    for name, line in re.findall(r"(\w+\.py):(\d+)(?::\d+)?(?: -|:) error", done.stdout):
        found[name].add(int(line))
    return {name: sorted(lines) for name, lines in found.items()}, done.stdout


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_example_passes_and_the_mistakes_do_not(checker: str, tmp_path: Path) -> None:
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    files = {"example": EXAMPLE.read_text(), "known": KNOWN, "mistakes": MISTAKES}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    found, printed = found_by(checker, tmp_path)
    assert found == {"example.py": [], "known.py": [], "mistakes.py": WRONG_LINES}, printed
