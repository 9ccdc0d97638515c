"""Measure what adding up tokens costs beside ccusage, which parses each line as JSON in Node.

    python benches/usage.py [--quick] [--folders N]

Both programs run as a user runs them, in turns, on N small stores of sessions with responses in parts,
prompts, tool results, resumed sessions and subagents (and, with SESSSCAN_CORPUS, on real transcripts
besides). Medians of whole processes count, and the startup of either is in them.

Expected: with the first record of each response both count the same tokens; sessscan takes at most a tenth of
the time. The exit status is 1 if it is not so, with --quick only if the answers are wrong. Without ccusage
(`.ci/lane-readers` installs it) it prints SKIP.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import ccusage
from support.token_records import KINDS, store

RATIO, ROUNDS = 10, 3
ZONE = "UTC"


def make(root: Path, folders: int) -> int:
    """Write the stores, each as one folder of projects; return the bytes of all files."""
    for number in range(folders):
        store(root / f"s{number}", number)
        for path in (root / f"s{number}").rglob("*.jsonl"):
            pad(path, random.Random(number))
    return sum(path.stat().st_size for path in root.rglob("*.jsonl"))


def pad(path: Path, chance: random.Random) -> None:
    """Put prompts and tool results between the responses of a transcript, as real ones have them."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = "".join(chance.choice(("ab ", 'c"d ', "e\\f\n")) for _ in range(chance.randrange(20, 1500)))
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": text}
        lines += [line, json.dumps({"type": "user", "message": {"role": "user", "content": [result]}})]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def by_sessscan(projects: Path) -> tuple[float, dict[str, int]]:
    """Return the seconds that `sessscan usage` takes, and the tokens of all days."""
    command = [sys.executable, "-m", "sessscan", "usage", "--projects", str(projects)]
    options = ["--timezone", ZONE, "--count", "first", "--format", "json"]
    began = time.perf_counter()
    done = subprocess.run([*command, *options], capture_output=True, check=True)
    took = time.perf_counter() - began
    total = json.loads(done.stdout)["total"]
    return took, {kind: total[kind] for kind in KINDS}


def by_ccusage(config: Path) -> tuple[float, dict[str, int]]:
    """Return the seconds that `ccusage daily` takes, and its totals."""
    began = time.perf_counter()
    found: Any = ccusage.call(config, "daily", ZONE)
    return time.perf_counter() - began, ccusage.tokens(found["totals"])


def compare(config: Path, rounds: int) -> tuple[float, bool]:
    """Print the medians of both programs; return how many times as long ccusage takes, and if they agree."""
    times: dict[str, list[float]] = {"sessscan": [], "ccusage": []}
    answers = []
    for _ in range(rounds):
        for name, (took, tokens) in (
            ("sessscan", by_sessscan(config / "projects")),
            ("ccusage", by_ccusage(config)),
        ):
            times[name].append(took)
            answers.append(tokens)
    ours, theirs = (statistics.median(times[name]) for name in times)
    print(f"  sessscan {ours:.2f} s, ccusage {theirs:.2f} s: {theirs / ours:.1f} times as long")
    print(f"  tokens: {answers[0]} and {answers[1]}")
    return theirs / ours, all(answer == answers[0] for answer in answers)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small store, one round: the answers only")
    parser.add_argument(
        "--folders", type=int, default=0, help="how many small stores; default 1,500, quick 5"
    )
    given = parser.parse_args()
    if (reason := ccusage.why_not()) is not None:
        print(f"SKIP: ccusage: {reason}")
        return 0
    with tempfile.TemporaryDirectory() as name:
        config = Path(name)
        size = make(config / "projects", given.folders or (5 if given.quick else 1500))
        print(f"generated: {sum(1 for _ in config.rglob('*.jsonl')):,} files, {size / 1e6:.1f} MB")
        ratio, same = compare(config, 1 if given.quick else ROUNDS)
    if "SESSSCAN_CORPUS" in os.environ and not given.quick:
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "projects").mkdir()
            for number, path in enumerate(sorted(Path(os.environ["SESSSCAN_CORPUS"]).rglob("*.jsonl"))):
                place = Path(name, "projects", f"p{number}", path.name)
                place.parent.mkdir()
                place.symlink_to(path)
            print("real transcripts (docs/usage.md lists why the tokens differ):")
            compare(Path(name), ROUNDS)
    if not same:
        print("FAILED: the two count other tokens")
    if ratio < RATIO and not given.quick:
        print(f"FAILED: ccusage takes {ratio:.1f} times as long, not {RATIO}")
        return 1
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
