"""The examples, run as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import loyaltykit as lk

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLES / script), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def own_files(tmp_path: Path) -> list[str]:
    """A user's three CSV files, and the options that name them."""
    frames = {
        "responses": lk.datasets.sample_responses(400, rng=3),
        "interactions": lk.datasets.sample_interactions(4_000, rng=3),
        "customers": lk.datasets.sample_customers(),
    }
    options = []
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        options += [f"--{name}", f"{name}.csv"]
    return options


def change(folder: Path, name: str, **columns: str | int) -> None:
    path = folder / f"{name}.csv"
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


def test_scorecard_on_samples(tmp_path: Path) -> None:
    done = run(tmp_path, "scorecard.py")
    assert done.stderr == ""
    assert done.returncode == 0
    head, *rows = done.stdout.splitlines()
    assert head.split() == [
        *("dimension", "level", "nps", "csat", "ces", "retention_rate", "churn_rate")
    ]
    labels = [tuple(row.split()[:2]) for row in rows[:8]]
    sectors = [("sector", name) for name in ("B2B", "B2C", "B2G", "NPO")]
    tiers = [("tier", name) for name in ("prospect", "new", "repeat", "loyal")]
    assert labels == [*sectors, *tiers]
    # Every metric with its interval and its n.
    assert all(row.count("n=") == 5 and row.count("[") == 5 for row in rows[:8])
    assert (tmp_path / "scorecard.png").read_bytes().startswith(b"\x89PNG")


def test_scorecard_on_own_files(tmp_path: Path, own_files: list[str]) -> None:
    renamed = tmp_path / "responses.csv"
    pd.read_csv(renamed).rename(columns={"nps": "recommend"}).to_csv(renamed, index=False)
    done = run(tmp_path, "scorecard.py", *own_files, "--nps", "recommend", "--output", "own.png")
    assert done.returncode == 0, done.stderr
    assert "B2G" in done.stdout
    assert (tmp_path / "own.png").stat().st_size > 10_000


def test_scorecard_names_a_missing_column(tmp_path: Path, own_files: list[str]) -> None:
    done = run(tmp_path, "scorecard.py", *own_files, "--nps", "recommend")
    assert done.returncode == 2
    assert "the file of responses has no column 'recommend'" in done.stderr
    assert "Traceback" not in done.stderr


def test_scorecard_names_an_answer_off_the_scale(tmp_path: Path, own_files: list[str]) -> None:
    change(tmp_path, "responses", nps=11)
    done = run(tmp_path, "scorecard.py", *own_files)
    assert done.returncode == 2
    assert "'nps': 400 rows with answers that are not whole points of the scale" in done.stderr
    assert "0 to 10: 11" in done.stderr
    assert "Traceback" not in done.stderr


def test_scorecard_names_an_unknown_sector(tmp_path: Path, own_files: list[str]) -> None:
    change(tmp_path, "customers", sector="galactic")
    done = run(tmp_path, "scorecard.py", *own_files)
    assert done.returncode == 2
    assert "'galactic'" in done.stderr


def test_scorecard_wants_all_files_or_none(tmp_path: Path) -> None:
    done = run(tmp_path, "scorecard.py", "--responses", "responses.csv")
    assert done.returncode == 2
    assert "name all three files" in done.stderr


def test_scorecard_names_a_file_that_is_not_there(tmp_path: Path, own_files: list[str]) -> None:
    (tmp_path / "customers.csv").unlink()
    done = run(tmp_path, "scorecard.py", *own_files)
    assert done.returncode == 2
    assert "customers.csv" in done.stderr


# The example with DuckDB taken for not installed.
WITHOUT_DUCKDB = """
import importlib.util, runpy, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "duckdb" else find_spec(name, *rest)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_daily_tallies(tmp_path: Path) -> None:
    done = run(tmp_path, "daily_tallies.py")
    assert done.stderr == ""
    assert done.returncode == 0
    sqlite, in_duckdb, *lines = done.stdout.splitlines()
    assert sqlite == "SQLite: 8,322 stored rows give what 20,000 answers give"
    assert in_duckdb == "DuckDB: 8,322 stored rows give what 20,000 answers give"
    rows = [line.split() for line in lines]
    assert sum(row[:1] in (["B2B"], ["B2C"], ["B2G"], ["NPO"]) for row in rows) == 4 * 4 + 4
    # 100 * (9062 - 3957) / 19171 = 26.6, and 19171 + 829 are all that answered or did not.
    assert rows[-1] == ["19171", "829", "9062", "6152", "3957", "26.6", "25.5", "27.7"]
    assert list(tmp_path.iterdir()) == []


def test_daily_tallies_without_duckdb(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_DUCKDB, str(EXAMPLES / "daily_tallies.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SQLite: 8,322 stored rows give what 20,000 answers give\n\n")
    assert "DuckDB" not in done.stdout


def test_typed_report(tmp_path: Path) -> None:
    done = run(tmp_path, "typed_report.py")
    assert done.stderr == ""
    *sectors, moved, record = done.stdout.splitlines()
    assert sectors[0] == "B2B: +36.1 [+32.6, +39.5], n = 1816"
    assert len(sectors) == 4
    assert moved == "moved: none"
    assert '"metric": "nps"' in record
