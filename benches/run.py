"""Measure sessscan beside its peers: `python benches/run.py`, with sessscan's `bench` extra installed.

The data is made from a seed (10 GB in the cache folder, once). Each measurement runs in a process of its own,
with files in the page cache, in rounds (A B C, A B C, …). Printed are medians, and the medians of the rounds'
ratios. Every answer is checked: a wrong answer of sessscan or of the reference makes the exit status 1, and a
peer's is reported in the table.

`--quick` uses a few megabytes and one round: it shows that everything works, and nothing about speed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import platformdirs
from race import data, machine, plot, show
from race.measure import Result, race, without
from race.sections import RIPGREP, RIPGREP_START, Section, all_sections
from race.targets import Results, memory, targets
from rich.console import Console


def main() -> int:
    options = arguments()
    out, notes = Console(), Console(stderr=True)
    sections = [at for at in all_sections() if not options.only or at.name in options.only]
    about = machine.describe()
    results: dict[str, dict[str, Result]] = {}
    sizes: dict[str, int] = {}
    with notes.status("") as status:
        scale = data.QUICK if options.quick else data.FULL
        sets = data.Data(options.data / ("quick" if options.quick else "full"), scale, status.update)
        for at in sections:
            results[at.name] = run(at, sets, options.rounds, status.update)
            sizes[at.name] = size(at, sets)
            if not options.quick:
                show.section(out, at, results, sizes[at.name])
    wrong = report_wrong(notes, results)
    if options.quick:
        there = sum(bool(result.seconds) for cases in results.values() for result in cases.values())
        out.print(f"{there} benchmarks ran; this says nothing about speed")
    else:
        show.targets(out, targets(results))
        out.print(
            f"{about['processor']}, {about['processors']} processors, load {about['load']} at the start"
        )
    if options.json:
        document = to_dict(results, sizes, about, options, sets.key)
        options.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if options.plot:
        plot.draw(options.plot, results, sizes, about, claims=not options.quick)
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="sessscan and its peers, side by side.")
    parser.add_argument("--quick", action="store_true", help="a smoke test of seconds that makes no claims")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the data is kept (default: the user's cache)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times and answers here")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them here: .svg or .png")
    parser.add_argument("--rounds", type=int, metavar="N", help="default: 9")
    names = [at.name for at in all_sections()]
    parser.add_argument("--only", action="append", choices=names, metavar="SECTION", help=", ".join(names))
    options = parser.parse_args()
    options.data = (options.data or platformdirs.user_cache_path("sessscan-bench")).resolve()
    options.rounds = options.rounds or (1 if options.quick else 9)
    if options.only:
        options.only.append("interpreter")
    return options


def run(at: Section, sets: data.Data, rounds: int, progress: Any) -> dict[str, Result]:
    folder = sets.folder(at.set) if at.set else sets.cache
    folder.mkdir(parents=True, exist_ok=True)
    if at.set:
        progress(f"{at.title}: reading it into the page cache")
        data.warm(folder)
    count = 1 if rounds == 1 else max(1, round(rounds * at.rounds))
    found = race(at.cases, folder, count, lambda text: progress(f"{at.title}: {text}"))
    if RIPGREP_START in found:
        start = found.pop(RIPGREP_START)
        if start.seconds and sets.scale is data.FULL:
            found[RIPGREP] = without(found[RIPGREP], start)
    return found


def size(at: Section, sets: data.Data) -> int:
    """Return the bytes that the section's cases read; 0 if they differ."""
    if at.set in ("", "rows", "damaged") or at.name == "index":
        return 0
    truth = json.loads((sets.folder(at.set) / data.TRUTH).read_text())
    return int(truth["bytes"] if "bytes" in truth else truth["transcript"]["size"])


def report_wrong(notes: Console, results: Results) -> bool:
    """Print what went wrong with sessscan or the reference; return whether anything did."""
    wrong = False
    for section, cases in results.items():
        for result in cases.values():
            faults = result.wrong or ([result.failure] if result.failure not in ("", "not installed") else [])
            if result.case.ours and faults:
                wrong = True
                for fault in faults:
                    notes.print(f"{section}, {result.case.name}: {fault}", style="red", markup=False)
    return wrong


def to_dict(
    results: Results, sizes: dict[str, int], about: dict[str, object], options: argparse.Namespace, key: str
) -> dict[str, Any]:
    return {
        "schema": "sessscan.bench/1",
        "quick": options.quick,
        "machine": about,
        "data": {"key": key, "bytes": sizes},
        "sections": {
            section: {
                name: {
                    "seconds": result.seconds,
                    "median": statistics.median(result.seconds) if result.seconds else None,
                    "memory": memory(result, results),
                    "extra": result.extra,
                    "faults": result.faults,
                    "wrong": result.wrong,
                    "failure": result.failure or None,
                }
                for name, result in cases.items()
            }
            for section, cases in results.items()
        },
        "targets": None if options.quick else [target.to_dict() for target in targets(results)],
    }


if __name__ == "__main__":
    sys.exit(main())
