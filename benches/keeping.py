"""Measure what it costs to keep transcripts, beside `cp`, restic and borg.

    python benches/keeping.py [--quick] [--data DIR] [--rounds N]

1. A store of 10,000 transcripts, 2.2 GB, is kept by each program in turn: first, again while nothing has
   changed, and after 1 % of the transcripts have grown by 100 kB each. Each step is a run of the program,
   its start included. Told are seconds, seconds of processor time, peak memory, and the bytes that what is
   kept takes or grows by, medians of the rounds. `cp -a --update` and a sync keep one version only; restic
   and borg are left out where they are not installed. restic encrypts, borg here does not.
2. In one process: the first run in MB for each second of processor time (at least 250), and against an
   `os.stat` of each transcript, by turns, a run while nothing has changed (at most twice as long), and one
   after 1 MB was appended to one of them (at most 1.25 times one while nothing has changed).

Then all that is kept is checked: each transcript that grew comes back as it was before and as it is now, each
other as it is, and some that were removed are put back by `sessscan restore`. The exit status is 1 if a byte
differs, or, without --quick, if a speed is missed. --quick uses 60 transcripts of 3 MB and one round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import platformdirs
from race import data

GROWN, GROWTH, APPENDED = 0.01, 100_000, 1_000_000
FIRST, UNCHANGED, ONE_GREW = 250, 2.0, 1.25
STEPS = ("first", "unchanged", "1 % grown")
PUT_BACK = 3

TIMED = """
import json, os, sys, time
begin = time.perf_counter()
nothing = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=nothing)
_, status, used = os.wait4(child, 0)
print(json.dumps([time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss, status]))
"""
"""Run a command. A process of its own, since on Linux a child's peak memory is at least its parent's."""

IN_PROCESS = """
import gc, json, os, sys, time
import sessscan
projects, rounds, appended = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(projects) for name in names)

def timed(work):
    gc.collect()
    begin = time.perf_counter()
    found = work()
    return time.perf_counter() - begin, found

def keep():
    return sessscan.snapshot_transcripts(projects)

begin = time.process_time()
first = keep()
first_seconds = time.process_time() - begin
assert len(first.kept) == len(paths), "not all were kept"
time.sleep(0.05)
keep()
stat, unchanged, grew = [], [], []
for number in range(rounds):
    stat.append(timed(lambda: [os.stat(path) for path in paths])[0])
    seconds, report = timed(keep)
    assert report.unchanged == len(paths) and not report.read, "some had changed"
    unchanged.append(seconds)
    with open(appended[number], "r+b") as file:
        more = file.read(1_000_000)
        file.seek(0, os.SEEK_END)
        file.write((more + bytes(1_000_000))[:1_000_000])
    seconds, report = timed(keep)
    assert report.kept == [appended[number]], "not the one that grew was kept"
    grew.append(seconds)
    time.sleep(0.05)
    keep()
print(json.dumps([first.read / first_seconds / 1e6, stat, unchanged, grew]))
"""


@dataclass
class Program:
    """A program that keeps folders: how it is called, and what was measured."""

    name: str
    needs: str
    begin: Callable[[Path], list[list[str]]]
    """The commands that make an empty repository in a folder."""
    keep: Callable[[Path, Path], list[str]]
    """The command that keeps a folder (the first) in a repository (the second)."""
    environment: Callable[[Path], dict[str, str]] = lambda _: {}
    measured: dict[str, list[tuple[float, float, float, float]]] = field(default_factory=dict)
    """By step: seconds, processor seconds, MiB of memory, bytes that the repository grew by."""

    def run(self, step: str, source: Path, repository: Path) -> None:
        """Keep the folder once and note what it took."""
        before = size_of(repository)
        seconds, processor, memory = timed(self.keep(source, repository), self.environment(repository))
        grew = size_of(repository) - before
        self.measured.setdefault(step, []).append((seconds, processor, memory, grew))


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command; return its seconds, processor seconds, and peak memory in MiB."""
    program = shutil.which(command[0]) or command[0]
    done = subprocess.run(
        [sys.executable, "-IS", "-c", TIMED, program, *command[1:]],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, processor, memory, status = json.loads(done.stdout)
    if status:
        raise SystemExit(f"FAILED: {' '.join(command)}: {done.stderr.strip()[-500:]}")
    return seconds, processor, memory / (1024 if sys.platform == "linux" else 1 << 20)


def size_of(folder: Path) -> int:
    """Return how many bytes of the disk the files in a folder take."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def programs() -> list[Program]:
    """Return the programs that are installed."""
    copy = 'cp -a --update "$1/." "$2/copy" && sync -f "$2"'
    all_of_them = [
        Program(
            "cp -a --update, sync",
            "cp",
            lambda _: [],
            lambda source, target: ["sh", "-c", copy, "sh", str(source), str(target)],
        ),
        Program(
            "restic",
            "restic",
            lambda target: [["restic", "init", "--quiet"]],
            lambda source, _: ["restic", "backup", "--quiet", str(source)],
            lambda target: {
                "RESTIC_REPOSITORY": str(target / "repository"),
                "RESTIC_CACHE_DIR": str(target / "cache"),
                "RESTIC_PASSWORD": "none",
            },
        ),
        Program(
            "borg, zstd",
            "borg",
            lambda target: [["borg", "init", "--encryption", "none", str(target / "repository")]],
            lambda source, target: [
                *("borg", "create", "--compression", "zstd,3"),
                *(f"{target / 'repository'}::{{now:%H%M%S.%f}}", str(source)),
            ],
            lambda target: {
                "BORG_BASE_DIR": str(target),
                "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            },
        ),
        Program(
            "sessscan",
            sys.executable,
            lambda _: [],
            lambda source, _: [
                *(sys.executable, "-m", "sessscan", "snapshot", "--transcripts"),
                *("--projects", str(source)),
            ],
            lambda target: {"SESSSCAN_HOME": str(target)},
        ),
    ]
    there = []
    for program in all_of_them:
        if shutil.which(program.needs):
            there.append(program)
        else:
            print(f"{program.name} is not installed, and left out")
    return there


def grow(paths: list[Path], dice: Random) -> None:
    """Append to each of some transcripts what another one says."""
    for path in paths:
        other = dice.choice(paths)
        with path.open("r+b") as file, other.open("rb") as source:
            file.seek(0, os.SEEK_END)
            more = source.read(GROWTH)
            file.write(more + b'{"type":"mode"}\n' * ((GROWTH - len(more)) // 16))


def check(source: Path, state: Path, before: dict[Path, int]) -> list[str]:
    """Return which transcripts are not kept as they are, or as they were. `before`: the old sizes."""
    os.environ["SESSSCAN_HOME"] = str(state)
    import sessscan

    wrong = []
    for path, size in before.items():
        data = path.read_bytes()
        versions = sessscan.transcript_versions(path)
        expected = [data] if len(data) == size else [data, data[:size]]
        if [b"".join(version.pieces()) for version in versions] != expected:
            wrong.append(f"{path} is not kept as it is and was")
    for path in list(before)[:PUT_BACK]:
        data = path.read_bytes()
        path.unlink()
        command = [sys.executable, "-m", "sessscan", "restore", str(path), "--apply", "--force"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or path.read_bytes() != data:
            wrong.append(f"{path} does not come back: {done.stderr.strip()}")
    return wrong


def one_round(known: list[Program], source: Path, folder: Path, seed: int) -> list[str]:
    """Run all steps of all programs, in repositories that are new; return what is wrong."""
    sizes = {path: path.stat().st_size for path in sorted(source.rglob("*.jsonl"))}
    dice = Random(seed)
    grown = dice.sample(list(sizes), max(1, round(len(sizes) * GROWN)))
    targets = {program.name: folder / str(number) for number, program in enumerate(known)}
    try:
        for program in known:
            targets[program.name].mkdir()
            for command in program.begin(targets[program.name]):
                timed(command, program.environment(targets[program.name]))
        for step in STEPS:
            if step == STEPS[-1]:
                grow(grown, dice)
            for program in known:
                program.run(step, source, targets[program.name])
        chosen = [*grown[:PUT_BACK], *dice.sample(list(sizes), min(len(sizes), 500)), *grown]
        wrong = check(source, targets["sessscan"], {path: sizes[path] for path in dict.fromkeys(chosen)})
    finally:
        for target in targets.values():
            shutil.rmtree(target, ignore_errors=True)
        for path, size in sizes.items():
            os.truncate(path, size)
    return wrong


def speeds(source: Path, folder: Path, rounds: int) -> tuple[list[str], list[str]]:
    """Print the speeds in one process; return which are missed, and what is wrong."""
    # Those of the usual size, which is what grows.
    paths = sorted(source.rglob("*.jsonl"), key=lambda path: path.stat().st_size)
    middle = len(paths) // 2
    appended = [str(path) for path in paths[middle - rounds // 2 : middle - rounds // 2 + rounds]]
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS, str(source), str(rounds), *appended],
        env={**os.environ, "SESSSCAN_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return [], [done.stderr.strip().splitlines()[-1]]
    first, stat, unchanged, grew = json.loads(done.stdout)
    of_stat = statistics.median(one / other for one, other in zip(unchanged, stat, strict=True))
    of_unchanged = statistics.median(one / other for one, other in zip(grew, unchanged, strict=True))
    print(f"first: {first:.0f} MB for each second of processor time (at least {FIRST})")
    print(
        f"unchanged: {of_stat:.2f} times an os.stat of each (at most {UNCHANGED:g}); "
        f"{statistics.median(unchanged) * 1e3:.1f} ms and {statistics.median(stat) * 1e3:.1f} ms"
    )
    print(
        f"1 MB appended to one: {of_unchanged:.2f} times unchanged (at most {ONE_GREW:g}); "
        f"{statistics.median(grew) * 1e3:.1f} ms"
    )
    missed = []
    if first < FIRST:
        missed.append(f"first: {first:.0f} MB/s")
    if of_stat > UNCHANGED:
        missed.append(f"unchanged: {of_stat:.2f} times os.stat")
    if of_unchanged > ONE_GREW:
        missed.append(f"1 MB appended: {of_unchanged:.2f} times unchanged")
    return missed, []


def table(known: list[Program]) -> None:
    """Print the medians, a program a row."""
    print(f"| | {' | '.join(f'{step}: time | processor | memory | size' for step in STEPS)} |")
    print(f"|---|{'---|---|---|---|' * len(STEPS)}")
    for program in known:
        cells = []
        for step in STEPS:
            columns = zip(*program.measured[step], strict=True)
            seconds, processor, memory, grew = (statistics.median(column) for column in columns)
            cells += [f"{seconds:.2f} s", f"{processor:.2f} s", f"{memory:.0f} MiB", f"{grew / 1e6:,.1f} MB"]
        print(f"| {program.name} | {' | '.join(cells)} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the data is kept")
    parser.add_argument("--rounds", type=int, metavar="N", help="default: 3")
    arguments = parser.parse_args()
    cache = (arguments.data or platformdirs.user_cache_path("sessscan-bench")).resolve()
    scale = data.QUICK if arguments.quick else data.FULL
    sets = data.Data(cache / ("quick" if arguments.quick else "full"), scale, lambda _: None)
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    known = programs()
    # Beside the data, since the usual temporary folder may be in memory, where syncs cost nothing.
    folder = Path(tempfile.mkdtemp(dir=sets.folder("store").parent, prefix="keeping-"))
    try:
        source = folder / "projects"
        shutil.copytree(sets.folder("store") / "projects", source)
        wrong = []
        for number in range(rounds):
            wrong += one_round(known, source, folder, number)
        if not arguments.quick:
            table(known)
        missed, others = speeds(source, folder, 3 * rounds)
    finally:
        shutil.rmtree(folder)
    if arguments.quick:
        print(f"{len(known)} programs ran; this says nothing about speed")
        missed = []
    for text in [*wrong, *others, *missed]:
        print(f"FAILED: {text}")
    return 1 if wrong or others or missed else 0


if __name__ == "__main__":
    sys.exit(main())
