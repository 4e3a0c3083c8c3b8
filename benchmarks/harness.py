"""What the benchmarks share: cases that take turns, a clean environment, results as JSON."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# Some machines set these for the sake of reproducible sums. They make NumPy's BLAS use the kernels
# of an older processor, or blocks for another cache: slower, and not what a user would see.
SLOWS_BLAS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")

# Where loyaltykit keeps the number of threads of its NumPy path, if it has one.
THREAD_SETTINGS = (("loyaltykit._parallel", "_THREADS"),)

OURS = "loyaltykit"
MIB = 2**20

Counts = dict[Any, Any]
Run = Callable[[], Any]


class Case(NamedTuple):
    """One way to the answer: ``read`` turns what ``run`` returns into counts to compare."""

    name: str
    run: Run
    read: Callable[[Any], Counts] | None = None


# ---- starting ------------------------------------------------------------------------------------


def parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--repeats", type=at_least_1, help="timed runs of each case")
    made.add_argument("--json", type=Path, help="also write the results to this file")
    return made


def at_least_1(text: str) -> int:
    """Return a whole number of an option, which must be positive."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")  # noqa: EM101
    return number


def restart_clean(**settings: str) -> None:
    """Start this script anew where the environment is not the wanted one.

    Libraries read it when they are loaded, which is too early for a change from within.
    """
    clean = clean_environment() | settings
    if clean != dict(os.environ):
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=clean, check=False).returncode)


def clean_environment() -> dict[str, str]:
    """Return the environment without what slows one side down."""
    return {name: value for name, value in os.environ.items() if name not in SLOWS_BLAS}


def environment(packages: Sequence[str]) -> dict[str, Any]:
    """Return what the figures hold for: versions, cores, memory."""
    names = ["numpy", "pandas", "scipy", "narwhals", *packages]
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_gib": round(memory("MemTotal") / 2**30),
        "versions": {name: importlib.metadata.version(name) for name in names},
    }


# ---- threads -------------------------------------------------------------------------------------


def thread_setting() -> tuple[Any, str] | None:
    """Return the module and the name of loyaltykit's number of threads, if it has one."""
    for module, name in THREAD_SETTINGS:
        if importlib.util.find_spec(module) and hasattr(importlib.import_module(module), name):
            return importlib.import_module(module), name
    return None


def with_threads(threads: int, run: Run) -> Run:
    """Return ``run`` in so many threads of loyaltykit's own."""
    setting = thread_setting()
    if setting is None:
        return run
    module, name = setting

    def call() -> Any:
        before = getattr(module, name)
        setattr(module, name, threads)
        try:
            return run()
        finally:
            setattr(module, name, before)

    return call


def our_cases(run_pandas: Run, run_polars: Run, read: Callable[[Any], Counts]) -> list[Case]:
    """Return loyaltykit on a pandas frame, with one thread and with two, and on a Polars frame."""
    pandas = [Case(f"{OURS}, pandas", run_pandas, read)]
    if thread_setting():
        pandas = [
            Case(f"{OURS}, pandas, {label}", with_threads(number, run_pandas), read)
            for number, label in ((1, "1 thread"), (2, "2 threads"))
        ]
    return [*pandas, Case(f"{OURS}, Polars", run_polars, read)]


# ---- timing --------------------------------------------------------------------------------------


def timed(title: str, cases: Sequence[Case], repeats: int) -> dict[str, list[float]]:
    """Return the milliseconds of every run, after one that checks that the cases agree.

    The cases take turns, so that a busy moment of the machine hits them alike.
    """
    results = [(case.name, case.read(case.run())) for case in cases if case.read]
    for name, found in results[1:]:
        check_equal(f"{title}: {results[0][0]} and {name}", results[0][1], found)
    runs: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            start = time.perf_counter()
            case.run()
            runs[case.name].append(1000 * (time.perf_counter() - start))
    return runs


def check_equal(names: str, ours: Counts, theirs: Counts) -> None:
    """Stop where two cases do not give the same counts."""
    wrong = sorted(key for key in ours | theirs if ours.get(key) != theirs.get(key))
    if wrong or not ours:
        shown = "; ".join(f"{key}: {ours.get(key)}, {theirs.get(key)}" for key in wrong[:3])
        msg = f"{names} differ in {len(wrong)} of {len(ours)} counts: {shown}"
        raise SystemExit(msg)


def summary(runs: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return median and minimum of every case, in milliseconds."""
    return {
        name: {"median": statistics.median(times), "min": min(times)}
        for name, times in runs.items()
    }


def show(title: str, cases: dict[str, dict[str, float]]) -> None:
    """Print medians, and how many times as long as each case of ours every case takes."""
    ours = [name for name in cases if name.startswith(OURS)]
    heads = ["median ms", "min ms", *("x " + name.removeprefix(f"{OURS}, ") for name in ours)]
    print(f"\n{title:<52}" + "".join(f"{head:>21}" for head in heads))
    for name, times in cases.items():
        ratios = [times["median"] / cases[our]["median"] for our in ours]
        numbers = [times["median"], times["min"], *ratios]
        print(f"  {name:<50}" + "".join(f"{number:>21.2f}" for number in numbers), flush=True)


def write(path: Path | None, results: dict[str, Any]) -> None:
    """Write the results as JSON, if they are asked for."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1))


# ---- memory and children -------------------------------------------------------------------------


def in_child(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function gives in a fresh process."""
    # Freed blocks of this size go back to the system, so that none serves a later call unseen.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 18)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply(function, arguments)
    del os.environ["MALLOC_MMAP_THRESHOLD_"]
    return result


def memory(field: str) -> int:
    """Return a line of the system's memory in bytes; 0 where the system does not tell."""
    return _kib("/proc/meminfo", field) * 1024


def own_memory(field: str) -> int:
    """Return a line of this process's status in bytes."""
    return _kib("/proc/self/status", field) * 1024


def can_reset_peak() -> bool:
    """Return whether the system tells a process its peak of memory, and forgets it if asked."""
    return Path("/proc/self/clear_refs").exists()


def reset_peak() -> None:
    """Forget the peak of memory so far."""
    Path("/proc/self/clear_refs").write_text("5")


def _kib(path: str, field: str) -> int:
    if not Path(path).exists():
        return 0
    lines = Path(path).read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)
