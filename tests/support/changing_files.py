"""Change files all the time in one process, scan them in another, and check each answer.

The writer cuts, extends, rewrites, replaces and deletes files, and logs each change before it makes it. It
cuts a file at a random moment of a running scan. The reader compares each answer with all versions that the
file had during the scan: it must be the answer for one of them, or for the beginning of one, or an error.

    python -m support.changing_files scan FOLDER CUTS SEED FAULTHANDLER

FAULTHANDLER says when it is enabled: `before` the first scan, `after` it, `never`, or `in turns`.
"""

from __future__ import annotations

import faulthandler
import json
import mmap
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import sessscan
from support.transcript_factory import stamp

SESSION = "4c1c0d6e-1111-4222-8333-944455556666"
PAGE = mmap.PAGESIZE
MIB = 1 << 20

Part = tuple[str, int, int]
"""A part of a text: its name, begin and end."""
Version = tuple[Part, ...] | None
"""The content of a file, part after part; None: the file does not exist."""

SIZES = {"A": 2 * MIB, "B": 3 * MIB, "C": 5 * MIB, "S": 600_000, "L": 33 * MIB, "M": 35 * MIB}
"""Sizes in bytes. All but S are large enough to be mapped, and L and M to be scanned by several threads."""


@lru_cache
def text(name: str) -> bytes:
    """Make the transcript of this name. All records of all transcripts differ."""
    random = Random(name)
    began = 1_700_000_000_000 + ord(name) * 10**9
    lines: list[str] = []
    left, number = SIZES[name], 0
    while left > 0:
        number += 1
        filler = random.choice(("so much ", "größer, ", 'said \\"no\\" ')) * random.choice((3, 40, 90, 2_000))
        filler *= 3 if name in "LM" else 1
        lines.append(
            f'{{"parentUuid":null,"isSidechain":false,"type":"user","message":{{"role":"user","content":'
            f'"{name} prompt {number} {filler}"}},"uuid":"{name}-{number}",'
            f'"timestamp":"{stamp(began + number)}",'
            f'"cwd":"/{name}/{number}","sessionId":"{SESSION}","version":"{name}.{number}",'
            f'"gitBranch":"{name}-{number}"}}\n'
        )
        left -= len(lines[-1])
        if number % 5 == 0:
            lines.append(f'{{"type":"custom-title","customTitle":"{name} title {number}","sessionId":"x"}}\n')
    return "".join(lines).encode()


@lru_cache(maxsize=8)
def content(version: tuple[Part, ...]) -> bytes:
    return b"".join(text(name)[begin:end] for name, begin, end in version)


def size_of(version: Version) -> int:
    return sum(end - begin for _, begin, end in version or ())


# --- Shared by both processes -----------------------------------------------------------------------------


class Signals:
    """Shared memory: the number of the running scan, a scan's usual duration, and the number of cuts so
    far."""

    FIELDS = struct.Struct("=QdQ")

    def __init__(self, folder: Path) -> None:
        path = folder / "signals"
        if not path.exists():
            path.write_bytes(bytes(PAGE))
        with path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), PAGE)

    def get(self) -> tuple[int, float, int]:
        return self.FIELDS.unpack_from(self.memory)

    def set(self, scan: int, seconds: float) -> None:
        """Set the number of the running scan (0: none runs) and the duration to expect, in seconds."""
        struct.pack_into("=Qd", self.memory, 0, scan, seconds)

    def count_hit(self) -> int:
        """Count a cut that was made during a scan; return the number so far."""
        hits = self.get()[2] + 1
        struct.pack_into("=Q", self.memory, 16, hits)
        return hits


# --- The writer -------------------------------------------------------------------------------------------


class Writer:
    """The process that changes the files."""

    def __init__(self, folder: Path, cuts: int, seed: int) -> None:
        self.random = Random(seed)
        self.signals = Signals(folder)
        self.cuts = cuts
        self.folder = folder
        self.paths = [folder / str(number) / f"{SESSION}.jsonl" for number in range(3)]
        self.now: list[Version] = [None] * len(self.paths)
        self.log = (folder / "log").open("ab", buffering=0)
        for which, name in enumerate("ACL"):
            self.paths[which].parent.mkdir()
            self.change(which, "replace", ((name, 0, len(text(name))),))

    def change(self, which: int, how: str, version: Version) -> None:
        """Log a change and make it."""
        self.log.write(json.dumps([which, how, version]).encode() + b"\n")
        path, before = self.paths[which], self.now[which]
        self.now[which] = version
        if version is None:
            path.unlink()
        elif how == "cut":
            os.truncate(path, size_of(version))
        elif how.startswith("append"):
            with path.open("ab", buffering=0) as file:
                self.write(file.write, content(version)[size_of(before) :])
        elif how == "rewrite":
            with path.open("wb", buffering=0) as file:
                self.write(file.write, content(version))
        else:
            new = path.with_suffix(".new")
            new.write_bytes(content(version))
            new.replace(path)

    def write(self, write: Callable[[bytes], int], data: bytes) -> None:
        step = self.random.choice((PAGE, 100_000, MIB, 64 * MIB))
        for at in range(0, len(data), step):
            write(data[at : at + step])

    def cut(self, which: int) -> bool:
        """Cut a file during a scan; return false if no scan ran or if it had ended by then."""
        before = self.now[which]
        assert before is not None
        size = size_of(before)
        place = self.random.randrange(size)
        place = self.random.choice(
            (
                place,
                place,
                place // PAGE * PAGE,
                place // PAGE * PAGE + 1,
                place // PAGE * PAGE - 1,
                size - 1,
                0,
            )
        )
        parts = []
        left = max(0, place)
        for name, begin, end in before:
            parts.append((name, begin, min(end, begin + left)))
            left = max(0, left - (end - begin))
        version = tuple(part for part in parts if part[1] < part[2])

        deadline = time.monotonic() + 1
        while (now := self.signals.get())[0] == 0:
            if time.monotonic() > deadline:
                return False
            time.sleep(0)
        scan, seconds, _ = now
        moment = time.perf_counter() + self.random.uniform(0, seconds)
        while time.perf_counter() < moment:
            pass
        self.change(which, "cut", version)
        return self.signals.get()[0] == scan

    def run(self) -> None:
        hits = 0
        while hits < self.cuts:
            which = self.random.choice((0, 0, 0, 0, 1, 1, 1, 1, 2))
            before = self.now[which]
            if before is not None and size_of(before) > SIZES["S"] // 2 and self.random.random() < 0.75:
                if self.cut(which):
                    hits = self.signals.count_hit()
                continue
            name = self.random.choice("LM" if which == 2 else "ABCS")
            size = len(text(name))
            how = "replace"
            if before is not None:
                how = self.random.choice(("append", "append another text", "rewrite", "replace", "delete"))
            if how.startswith("append"):
                last = before[-1] if before else (name, 0, 0)
                rest = last[0], last[2], len(text(last[0]))
                if how == "append another text":
                    rest = name, text(name).index(b"\n", self.random.randrange(size // 2)) + 1, size
                if rest[1] < rest[2] and size_of(before) < 2 * SIZES["M"]:
                    self.change(which, how, (*(before or ()), rest))
            else:
                self.change(which, how, None if how == "delete" else ((name, 0, size),))


# --- The reader -------------------------------------------------------------------------------------------


class WrongAnswerError(Exception):
    """An answer is that of no version of the file."""


class Reader:
    """The process that scans the files and checks the answers."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.folder = folder
        self.signals = Signals(folder)
        self.paths = [folder / str(number) / f"{SESSION}.jsonl" for number in range(3)]
        self.versions: list[list[Version]] = [[], [], []]
        self.changes: list[list[str]] = [[], [], []]
        self.log = (folder / "log").open("rb")
        self.counts: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.number = 0

    def changes_since(self, which: int, begin: int) -> str:
        """Describe the changes of a file from a version on."""
        return " ".join(self.changes[which][begin:])

    def read_log(self) -> None:
        while (line := self.log.readline()).endswith(b"\n"):
            which, how, version = json.loads(line)
            self.versions[which].append(None if version is None else tuple(map(tuple, version)))
            self.changes[which].append(f"{how}{version}")
            self.counts[how] += 1
        self.log.seek(-len(line), os.SEEK_CUR)

    def run_once(self) -> None:
        kind = self.random.choice(("scan", "scan", "strict", "many", "events"))
        which = range(3) if kind == "many" else [self.random.randrange(3)]
        paths = [self.paths[number] for number in which]
        self.read_log()
        # The last change in the log may not have been made yet.
        before = [max(0, len(versions) - 2) for versions in self.versions]

        self.number += 1
        self.signals.set(self.number, self.seconds.get(kind, 0.001))
        began = time.perf_counter()
        try:
            answers: list[Any] = list(self.scan(kind, paths))
        except OSError as error:
            answers = [error]
        self.seconds[kind] = (self.seconds.get(kind, 0) + time.perf_counter() - began) / 2
        self.signals.set(0, 0)

        self.read_log()
        for number, answer in zip(which, answers, strict=True):
            try:
                self.check(kind, answer, self.versions[number][before[number] :])
            except WrongAnswerError as error:
                raise WrongAnswerError(
                    f"{kind} while {self.changes_since(number, before[number])}: {error}"
                ) from None

    def scan(self, kind: str, paths: list[Path]) -> Iterator[Any]:
        if kind == "events":
            yield list(sessscan.events(paths[0]))
        elif kind == "many":
            yield from sessscan.scan_many(paths, threads=2)
        else:
            yield sessscan.scan(paths[0], strict=kind == "strict")

    def check(self, kind: str, answer: Any, versions: list[Version]) -> None:
        """Raise `WrongAnswerError` if the answer is that of no version."""
        self.counts[f"{kind} started"] += 1
        error = answer if isinstance(answer, OSError) else getattr(answer, "error", None)
        if error is not None:
            self.counts[f"{type(error).__name__}"] += 1
            if isinstance(error, FileNotFoundError) and None not in versions:
                raise WrongAnswerError(f"{error}, but it was there: {versions}")
            return
        self.counts[f"{kind} answered"] += 1
        there = [version for version in dict.fromkeys(versions) if version is not None]
        if kind == "events":
            found = [(event.line, event.offset, event.kind, event.value, event.source) for event in answer]
            if any(found == self.events(version)[: len(found)] for version in there):
                return
            # A stream is read over some time: if a text is written over another, it may contain both.
            values = {event[2:] for version in there for event in self.events(version)}
            if len(there) > 1 and all(event[2:] in values for event in found):
                self.counts["events of several versions"] += 1
                return
        else:
            found = answer.to_dict() | {"path": None}
            large_enough = (version for version in there if size_of(version) >= answer.size)
            if any(found == self.beginning(version, answer.size) for version in large_enough):
                return
        raise WrongAnswerError(self.describe(found, there))

    def beginning(self, version: tuple[Part, ...], size: int) -> dict[str, Any]:
        """Return the answer for the first `size` bytes of a version."""
        return sessscan.scan_bytes(content(version)[:size], session_id=SESSION).to_dict()

    @lru_cache(maxsize=8)  # noqa: B019 (the one reader lives as long as the process)
    def events(self, version: tuple[Part, ...]) -> list[tuple[Any, ...]]:
        unchanging = self.folder / f"{SESSION}.jsonl"
        unchanging.write_bytes(content(version))
        events = sessscan.events(unchanging)
        return [(event.line, event.offset, event.kind, event.value, event.source) for event in events]

    def describe(self, found: Any, versions: list[tuple[Part, ...]]) -> str:
        """Describe where a wrong answer differs from the right ones."""
        if isinstance(found, dict):
            right = [self.beginning(version, found["size"]) for version in versions]
            return str([{k: (v, r[k]) for k, v in found.items() if r[k] != v} for r in right] or found)
        steps = [after for one, after in pairwise(found) if str(one[3])[:2] != str(after[3])[:2]]
        return f"{len(found)} events, {steps[:8]}"


def main(arguments: list[str]) -> None:
    role, folder, cuts, seed = arguments[0], Path(arguments[1]), *map(int, arguments[2:4])
    if role == "write":
        Writer(folder, cuts, seed).run()
        return
    when = arguments[4]
    if when == "before":
        faulthandler.enable()
    signals = Signals(folder)
    writer = subprocess.Popen([sys.executable, __file__, "write", *arguments[1:]])
    while not (folder / "2" / f"{SESSION}.jsonl").exists():
        assert writer.poll() is None
        time.sleep(0.01)
    reader = Reader(folder, seed)
    wrong = []
    while writer.poll() is None:
        try:
            reader.run_once()
        except WrongAnswerError as error:
            wrong.append(str(error))
        if when == "after" and not faulthandler.is_enabled():
            faulthandler.enable()
        elif when == "in turns":
            faulthandler.disable() if faulthandler.is_enabled() else faulthandler.enable()
    assert writer.returncode == 0
    print(json.dumps({"hits": signals.get()[2], "counts": reader.counts, "wrong": len(wrong)}))
    for report in wrong[:4]:
        print(report[:3_000], file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
