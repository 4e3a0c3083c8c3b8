"""Run every benchmark and write results.md, scaling.md and cost.png: what ``make bench`` does.

Each script runs in a process of its own, in a clean environment, and leaves its figures as JSON in
build/bench, from which the report is written. A trial (--quick) writes its report there too, so
that it never replaces the figures of a full run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import harness
import report

HERE = Path(__file__).parent
SCRIPTS = ["peers", "growth", "shards", "small_calls", "memory", "lifetimes"]
QUICK = {
    "peers": ["--rows", "100000", "400000", "--repeats", "1"],
    "growth": ["--rows", "200000", "--repeats", "1"],
    "shards": ["--rows", "200000", "--repeats", "1"],
    "small_calls": ["--repeats", "2"],
    "memory": ["--rows", "400000", "--log-rows", "200000"],
    "lifetimes": ["--rows", "200000", "--repeats", "2"],
}


def main() -> None:
    options = parsed()
    figures = HERE.parent / "build" / "bench"
    if not options.only:
        shutil.rmtree(figures, ignore_errors=True)
    figures.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for name in options.only or SCRIPTS:
        run(name, figures, options)
    minutes = (time.monotonic() - began) / 60
    about = {
        "flags": flags_given(options),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "minutes": round(minutes, 1),
    }
    (figures / "about.json").write_text(json.dumps(about))
    target = figures if options.quick or options.only else HERE
    report.write(figures, target)
    print(f"\nWritten to {target} after {minutes:.1f} minutes")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a trial of a minute, small sizes")
    parser.add_argument("--full", action="store_true", help="slow groups past 10 M rows as well")
    parser.add_argument("--rows", type=int, nargs="+", help="sizes of the peers' cases")
    parser.add_argument("--repeats", type=harness.at_least_1, help="timed runs of the peers' cases")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, help="these, for a look")
    parser.add_argument("--peers-python", type=Path, help="Python that has lifetimes and lifelines")
    return parser.parse_args()


def flags_given(options: argparse.Namespace) -> str:
    """Return what was asked for, without the path of a Python."""
    given = {name: value for name, value in vars(options).items() if value}
    given.pop("peers_python", None)
    words = [
        (f"--{name}", *([] if value is True else value if isinstance(value, list) else [value]))
        for name, value in given.items()
    ]
    return " ".join(str(word) for flag in words for word in flag)


def run(name: str, figures: Path, options: argparse.Namespace) -> None:
    """Run one script; one without its environment is left out, and the report says so."""
    python: Path | str = sys.executable
    if name == "lifetimes":
        if options.peers_python is None:
            return
        python = options.peers_python
    flags = list(QUICK[name]) if options.quick else []
    if name == "peers":
        flags += ["--full"] * options.full
        flags += ["--rows", *map(str, options.rows)] if options.rows else []
        flags += ["--repeats", str(options.repeats)] if options.repeats else []
    if name == "memory":
        flags += ["--full"] * options.full
    script = HERE / f"bench_{name}.py"
    print(f"\n== {script.name} {' '.join(flags)}", flush=True)
    command = [python, script, "--json", figures / f"{name}.json", *flags]
    subprocess.run(command, check=True, env=harness.clean_environment())


if __name__ == "__main__":
    main()
