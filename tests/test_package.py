"""The package as it is built, laid out and imported."""

import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

import loyaltykit

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "loyaltykit"

# Tests of more than one module, which have no module of their name.
CROSS_CUTTING = {
    *("package", "contract", "every_engine", "engine_docs", "real_data", "notebooks", "examples"),
    *("docs", "service", "typing", "messages"),
}

# Engines that the caller may not use, and what is slow to import.
ENGINES = ["dask", "distributed", "duckdb", "pandas", "polars", "pyarrow", "pyspark"]
NOT_AT_IMPORT = [*ENGINES, "matplotlib", "scipy.optimize", "scipy.stats"]

# Every function that takes a frame or a log, on the smallest frames there are.
CALLS_ON_PANDAS = """
import sys
import pandas as pd
answers = pd.DataFrame({"nps": [10, 3, None], "key": ["a", None, "a"], "day": ["2026-01-05"] * 3})
log = pd.DataFrame({"id": [1, 1, 2], "day": pd.to_datetime(["2026-01-05"] * 3)})
repr(answers), repr(log), answers.groupby("key").sum()
before = set(sys.modules)
import loyaltykit as lk
lk.nps(answers, "nps", by="key", time="day")
lk.tally(answers, "nps", scale=(0, 10))
lk.retention_rate(log, "id", "day")
lk.cohort_retention(log, "id", "day")
lk.attach_segments(log, lk.loyalty_tier(log, "id", "day"), on="id")
lk.pool(lk.nps(answers, "nps", by="key"), over="key")
lk.compare(lk.nps(answers, "nps", by="key"), "key")
waves = lk.nps(answers, "nps", by="key", time="day")
lives = pd.DataFrame({"t": [1, 2, 3], "e": [1, 0, 1], "key": ["a", "b", "b"]})
lk.logrank(lives, "t", "e", by="key")
lk.restricted_mean(lives, "t", "e", horizon=2)
lk.explain_change(waves, "period", reference="previous", segment="key")
print(*set(sys.modules) - before)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout, built without the network."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = target.iterdir()
    return path


def test_wheel_holds_the_package_only(wheel: Path) -> None:
    info = f"loyaltykit-{loyaltykit.__version__}.dist-info"
    expected = {f"loyaltykit/{path.name}" for path in SOURCES.glob("*.py")}
    expected |= {"loyaltykit/py.typed"}
    expected |= {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
    assert set(zipfile.ZipFile(wheel).namelist()) == expected


def test_wheel_metadata(wheel: Path) -> None:
    info = f"loyaltykit-{loyaltykit.__version__}.dist-info"
    lines = zipfile.ZipFile(wheel).read(f"{info}/METADATA").decode().splitlines()
    assert f"Version: {loyaltykit.__version__}" in lines
    assert "License-Expression: MIT" in lines
    assert "Requires-Python: >=3.11" in lines


def test_each_module_has_its_test() -> None:
    paths = [path for path in SOURCES.glob("*.py") if path.stem != "__init__"]
    modules = {path.stem.removeprefix("_") for path in paths}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert modules - tests == set(), "modules without a test"
    assert tests - modules - CROSS_CUTTING == set(), "tests without a module"


def modules_loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh process prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "loyaltykit" in loaded
    return loaded


def test_import_is_light() -> None:
    """Engines, drawing and the slow parts of SciPy wait until a call needs them."""
    loaded = modules_loaded_by("import sys, loyaltykit; print(*sys.modules)")
    assert loaded & set(NOT_AT_IMPORT) == set()


def test_calls_load_no_engine_but_the_callers() -> None:
    loaded = modules_loaded_by(CALLS_ON_PANDAS)
    assert loaded & (set(ENGINES) - {"pandas"}) == set()
    assert loaded & {"matplotlib", "scipy.optimize", "scipy.stats"} == set()


@pytest.mark.parametrize("module", [loyaltykit, loyaltykit.datasets, loyaltykit.errors])
def test_dir_shows_public_names_only(module: ModuleType) -> None:
    """What an interactive session completes after ``lk.``."""
    assert set(dir(module)) - {"__version__"} == set(module.__all__)
    assert [name for name in dir(module) if not hasattr(module, name)] == []


def test_the_version_is_shown() -> None:
    assert "__version__" in dir(loyaltykit)


def test_contributing_has_a_line_on_every_file() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    folders = (
        "src/loyaltykit",
        "examples",
        "examples/service",
        "notebooks",
        "benchmarks",
        "docs",
        "requirements",
    )
    names = {path.name for folder in folders for path in (ROOT / folder).glob("*.*")}
    names |= {f"test_{name}.py" for name in CROSS_CUTTING}
    names |= {path.name for path in (ROOT / "tests").glob("*.py") if "test_" not in path.name}
    assert sorted(name for name in names if f"{name}`" not in text) == []
