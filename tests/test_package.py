"""The package as it is built, laid out and imported."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import loyaltykit

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "loyaltykit"

# Tests of more than one module, which have no module of their name.
CROSS_CUTTING = {"package", "contract", "real_data", "notebooks", "examples"}

# Slow to import, or an engine that the caller may not use.
NOT_AT_IMPORT = [
    "duckdb",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "scipy.optimize",
    "scipy.stats",
]


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


def test_import_is_light() -> None:
    """Engines, drawing and the slow parts of SciPy wait until a call needs them."""
    code = "import sys, loyaltykit; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "loyaltykit" in loaded
    assert [name for name in NOT_AT_IMPORT if name in loaded] == []


def test_contributing_has_a_line_on_every_file() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    folders = ("src/loyaltykit", "examples", "notebooks", "benchmarks", "docs", "requirements")
    names = {path.name for folder in folders for path in (ROOT / folder).glob("*.*")}
    names |= {f"test_{name}.py" for name in CROSS_CUTTING} | {"conftest.py", "oracles.py"}
    assert sorted(name for name in names if f"{name}`" not in text) == []
