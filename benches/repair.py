"""Measure what a repair gives back, and what it costs to look for damage.

    python benches/repair.py [--quick] [--corpus DIR]

1. For each kind of damage, how many of the messages that are still in the file the official readers reach,
   before a repair and after: the Python SDK, and the TypeScript SDK if `.ci/lane-readers` has installed it.
   The conversations are invented, or those of real transcripts in DIR.
2. The time of a dry run over a folder of transcripts, one in a thousand of them damaged, beside `scan_many`
   of the same, on one thread, without an index. The two take turns, and medians count.

Expected: after a repair both readers reach 0.95 of each kind at least; each damaged transcript has a repair
and no other has one; the dry run takes at most 1.5 times as long. The exit status is 1 if it is not so, with
--quick only if the answers are wrong.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import sessscan
from sessscan import _core
from support import typescript_sdk
from support.broken_transcripts import KINDS, damaged, messages, uuids
from support.talks import talk

LEAST, RATIO, ROUNDS = 0.95, 1.5, 7
AN_HOUR = 3600

Reader = Callable[[list[Path]], list[list[str]]]


def by_python(paths: list[Path]) -> list[list[str]]:
    """Return the uuids that the Python SDK gives of each transcript."""
    return [uuids(messages(path.read_bytes())) for path in paths]


def by_typescript(paths: list[Path]) -> list[list[str]]:
    """Return the uuids that the TypeScript SDK gives of each transcript."""
    os.environ["CLAUDE_CONFIG_DIR"] = str(paths[0].parents[2])
    found = typescript_sdk.session_messages([path.stem for path in paths])
    return [[] if isinstance(one, str) else [uuid for _, uuid in one] for one in found]


def put(folder: Path, files: list[bytes]) -> list[Path]:
    """Write transcripts into a project folder, as if nobody had written to them for an hour."""
    project = folder / "projects" / "-home-ada-app"
    project.mkdir(parents=True, exist_ok=True)
    then = time.time() - AN_HOUR
    paths = []
    for number, data in enumerate(files):
        paths.append(project / f"{number:08x}-0000-4000-8000-000000000000.jsonl")
        paths[-1].write_bytes(data)
        os.utime(paths[-1], (then, then))
    return paths


def conversations(corpus: Path | None, count: int, chance: Random) -> list[bytes]:
    """Return whole conversations: real ones, or invented ones."""
    if corpus is None:
        return [talk(chance.randrange(1 << 30)).data for _ in range(count)]
    real = [
        path.read_bytes() for path in sorted(corpus.rglob("*.jsonl")) if not path.name.startswith("agent-")
    ]
    whole = [data for data in real if len(messages(data)) > 3 and not _core.conversation(data).cuts]
    return [chance.choice(whole) for _ in range(count)]


def table(readers: dict[str, Reader], corpus: Path | None, count: int) -> list[str]:
    """Print, for each kind of damage, what the readers reach; return what is wrong with it."""
    wrong = []
    print(f"| damage | held | {' | '.join(f'{name}: before | after' for name in readers)} |")
    print(f"|---|---|{'---|---|' * len(readers)}")
    for number, kind in enumerate(KINDS):
        chance = Random(number)
        whole = conversations(corpus, count, chance)
        broken = [damaged(kind, data, chance) for data in whole]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            paths = put(folder, whole)
            wanted = {name: read(paths) for name, read in readers.items()}
            put(folder, broken)
            before = {name: read(paths) for name, read in readers.items()}
            report = sessscan.repair((), folder / "projects", index=False).apply()
            after = {name: read(paths) for name, read in readers.items()}
        held = sum(bool(action.held) or action.kind == "hold" for action in report.actions)
        cells = []
        for reader in readers:
            shares = [share(wanted[reader], broken, found[reader]) for found in (before, after)]
            cells += [f"{one:.2f}" for one in shares]
            if shares[1] < LEAST and not held:
                wrong.append(f"{kind}: {reader} reaches {shares[1]:.3f}")
        print(f"| {kind} | {held} of {count} | {' | '.join(cells)} |")
    return wrong


def share(wanted: list[list[str]], files: list[bytes], found: list[list[str]]) -> float:
    """Return how many of the messages that survive in the files are reached."""
    alive = reached = 0
    for names, data, given in zip(wanted, files, found, strict=True):
        survived = {record.uuid for record in _core.survivors(data).records}
        left = {name for name in names if name in survived}
        alive += len(left)
        reached += len(left.intersection(given))
    return reached / alive


def speed(count: int) -> tuple[float, list[str]]:
    """Return how much longer a dry run takes than a scan, and what is wrong with its answer."""
    chance = Random(1)
    files = [talk(number % 97, 30).data for number in range(count)]
    broken = set(range(0, count, 1000))
    for number in broken:
        files[number] = damaged("nul record", files[number], chance)
    with tempfile.TemporaryDirectory() as name:
        paths = put(Path(name), files)
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            begin = time.process_time()
            _core.scan_many(paths, threads=1)
            middle = time.process_time()
            plan = sessscan.repair((), Path(name) / "projects", index=False, threads=1)
            times[0].append(middle - begin)
            times[1].append(time.process_time() - middle)
        planned = {paths.index(Path(action.path)) for action in plan.actions if action.kind == "repair"}
    wrong = [] if planned == broken else [f"{len(planned ^ broken)} transcripts have another answer"]
    return statistics.median(times[1]) / statistics.median(times[0]), wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--corpus", type=Path)
    arguments = parser.parse_args()
    state = tempfile.mkdtemp()
    os.environ["SESSSCAN_HOME"] = state
    readers: dict[str, Reader] = {"Python": by_python}
    if typescript_sdk.why_not() is None:
        readers["TypeScript"] = by_typescript
    wrong = table(readers, arguments.corpus, 6 if arguments.quick else 60)
    ratio, others = speed(200 if arguments.quick else 10_000)
    print(f"dry run: {ratio:.2f} times scan_many (at most {RATIO})")
    wrong += others
    if not arguments.quick and ratio > RATIO:
        wrong.append(f"the dry run takes {ratio:.2f} times as long")
    for text in wrong:
        print(f"FAILED: {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
